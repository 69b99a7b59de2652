/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Base64 without padding, strict: one text per value, so that nobody can
 * write the same token or hash in two ways. Pure.
 */
#ifndef HF_B64_H
#define HF_B64_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum hf_b64 {
	HF_B64_STD,	/* + and / */
	HF_B64_URL,	/* - and _ */
};

#define HF_B64_LEN(bytes)	(((bytes) * 4 + 2) / 3 + 1)	/* text and NUL */

/* @out: HF_B64_LEN(@len) bytes. Return: length of the text. */
size_t hf_b64_encode(enum hf_b64 kind, const uint8_t *in, size_t len, char *out);
/*
 * Refuses padding, white space, other letters, bits that are not zero behind the last byte.
 * Return: bytes in @out; -EINVAL; -ENOSPC: more than @max.
 */
ssize_t hf_b64_decode(enum hf_b64 kind, const char *in, size_t len, uint8_t *out, size_t max);

/* Base32 (RFC 4648) without padding, as authenticator programs read secrets. */
#define HF_B32_LEN(bytes)	(((bytes) * 8 + 4) / 5 + 1)
void hf_b32_encode(const uint8_t *in, size_t len, char *out);

#endif /* HF_B64_H */
