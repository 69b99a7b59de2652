/* SPDX-License-Identifier: GPL-2.0 */
/* Histograms by powers of two, for people and as JSON. */
#ifndef HF_BPF_HIST_H
#define HF_BPF_HIST_H

#include <jansson.h>
#include <stdio.h>

#include "log2.h"

void hf_log2_add(struct hf_log2 *to, const struct hf_log2 *h);
/* What came after @was; the maximum stays that of all. */
struct hf_log2 hf_log2_since(const struct hf_log2 *now, const struct hf_log2 *was);
void hf_log2_print(FILE *f, const char *title, const struct hf_log2 *h);
/* { count, sum_ns, max_ns, slots: [{ from_ns, to_ns, count }] }, only slots that hold something. */
json_t *hf_log2_json(const struct hf_log2 *h);

#endif /* HF_BPF_HIST_H */
