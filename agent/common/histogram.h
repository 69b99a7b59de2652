/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How long things took: counts in fixed buckets, so that the histograms of
 * processes and hosts can be added up. Not for time that decides anything.
 */
#ifndef HF_HISTOGRAM_H
#define HF_HISTOGRAM_H

#include <jansson.h>
#include <stdint.h>

#define HF_HISTOGRAM_BOUNDS	16

/* Upper bounds, inclusive, 100 us to 10 s. */
extern const uint64_t hf_histogram_ns[HF_HISTOGRAM_BOUNDS];

/* @count[HF_HISTOGRAM_BOUNDS]: above the last bound. All zero is empty. */
struct hf_histogram {
	uint64_t count[HF_HISTOGRAM_BOUNDS + 1];
	uint64_t sum_ns;
};

void hf_histogram_add(struct hf_histogram *h, uint64_t ns);
/* { counts: [17], sum_ns }; new reference. */
json_t *hf_histogram_json(const struct hf_histogram *h);
/* Return: 0, -EINVAL: @j is none, then @h is empty. */
int hf_histogram_parse(const json_t *j, struct hf_histogram *h);

#endif /* HF_HISTOGRAM_H */
