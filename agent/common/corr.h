/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Correlation ids: 16 bytes that follow one request through every process,
 * log line, audit record and kernel record. All zero: none.
 */
#ifndef HF_CORR_H
#define HF_CORR_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

#define HF_CORR_BYTES	16
#define HF_CORR_TEXT	33	/* 32 lower-case hex digits and NUL */

struct hf_corr {
	uint8_t b[HF_CORR_BYTES];
};

int hf_corr_new(const struct hf_random *r, struct hf_corr *c);
const char *hf_corr_text(const struct hf_corr *c, char buf[HF_CORR_TEXT]);
/* Exactly 32 hex digits, not all zero. Return: 0, -EINVAL. */
int hf_corr_parse(const char *text, struct hf_corr *c);
bool hf_corr_none(const struct hf_corr *c);

#endif /* HF_CORR_H */
