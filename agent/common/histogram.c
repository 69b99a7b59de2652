// SPDX-License-Identifier: GPL-2.0
/*
 * The fixed buckets of histogram.h.
 */
#include "histogram.h"

#include <errno.h>
#include <string.h>

#include "clock.h"

#define US	1000ULL

const uint64_t hf_histogram_ns[HF_HISTOGRAM_BOUNDS] = {
	100 * US, 250 * US, 500 * US,
	1 * HF_MS, 2500 * US, 5 * HF_MS, 10 * HF_MS, 25 * HF_MS, 50 * HF_MS, 100 * HF_MS,
	250 * HF_MS, 500 * HF_MS, 1 * HF_S, 2500 * HF_MS, 5 * HF_S, 10 * HF_S,
};

void hf_histogram_add(struct hf_histogram *h, uint64_t ns)
{
	unsigned int i = 0;

	while (i < HF_HISTOGRAM_BOUNDS && ns > hf_histogram_ns[i])
		i++;
	h->count[i]++;
	h->sum_ns += ns;
}

json_t *hf_histogram_json(const struct hf_histogram *h)
{
	json_t *counts = json_array();

	for (unsigned int i = 0; counts && i <= HF_HISTOGRAM_BOUNDS; i++)
		json_array_append_new(counts, json_integer((json_int_t)h->count[i]));
	return json_pack("{s:o, s:I}", "counts", counts, "sum_ns", (json_int_t)h->sum_ns);
}

int hf_histogram_parse(const json_t *j, struct hf_histogram *h)
{
	const json_t *counts = json_object_get(j, "counts"), *sum = json_object_get(j, "sum_ns");
	json_int_t v;

	memset(h, 0, sizeof(*h));
	if (json_array_size(counts) != HF_HISTOGRAM_BOUNDS + 1 || !json_is_integer(sum) ||
	    json_integer_value(sum) < 0)
		return -EINVAL;
	for (unsigned int i = 0; i <= HF_HISTOGRAM_BOUNDS; i++) {
		v = json_integer_value(json_array_get(counts, i));
		if (v < 0) {
			memset(h, 0, sizeof(*h));
			return -EINVAL;
		}
		h->count[i] = (uint64_t)v;
	}
	h->sum_ns = (uint64_t)json_integer_value(sum);
	return 0;
}
