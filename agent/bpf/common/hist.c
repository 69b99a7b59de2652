// SPDX-License-Identifier: GPL-2.0
/* Histograms by powers of two (hist.h). Where the counts come from is not known here. */
#include <inttypes.h>
#include <stdint.h>

#include "hist.h"

#define BAR	40

void hf_log2_add(struct hf_log2 *to, const struct hf_log2 *h)
{
	to->count += h->count;
	to->sum += h->sum;
	if (to->max < h->max)
		to->max = h->max;
	for (int i = 0; i < HF_LOG2_SLOTS; i++)
		to->slot[i] += h->slot[i];
}

struct hf_log2 hf_log2_since(const struct hf_log2 *now, const struct hf_log2 *was)
{
	struct hf_log2 part = *now;

	part.count -= was->count;
	part.sum -= was->sum;
	for (int i = 0; i < HF_LOG2_SLOTS; i++)
		part.slot[i] -= was->slot[i];
	return part;
}

void hf_log2_print(FILE *f, const char *title, const struct hf_log2 *h)
{
	static const char stars[BAR + 1] = "****************************************";
	int first = 0, last = HF_LOG2_SLOTS - 1;
	__u64 most = 0;

	fprintf(f, "\n%s: %" PRIu64, title, (uint64_t)h->count);
	if (!h->count) {
		fputc('\n', f);
		return;
	}
	fprintf(f, ", mean %.1f us, longest since the start %.1f us\n",
		(double)h->sum / (double)h->count / 1e3, (double)h->max / 1e3);
	while (first < last && !h->slot[first])
		first++;
	while (last > first && !h->slot[last])
		last--;
	for (int i = first; i <= last; i++)
		if (most < h->slot[i])
			most = h->slot[i];
	fprintf(f, "%20s -> %-20s : %-9s distribution\n", "from ns", "to ns", "count");
	for (int i = first; i <= last; i++)
		fprintf(f, "%20" PRIu64 " -> %-20" PRIu64 " : %-9" PRIu64 "|%-*.*s|\n",
			(uint64_t)hf_log2_from((__u32)i), (uint64_t)hf_log2_to((__u32)i),
			(uint64_t)h->slot[i], BAR,
			most ? (int)((double)h->slot[i] / (double)most * BAR + 0.5) : 0, stars);
}

static json_t *number(__u64 v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

json_t *hf_log2_json(const struct hf_log2 *h)
{
	json_t *slots = json_array();

	for (__u32 i = 0; i < HF_LOG2_SLOTS; i++)
		if (h->slot[i])
			json_array_append_new(slots, json_pack("{s:o, s:o, s:o}",
							       "from_ns", number(hf_log2_from(i)),
							       "to_ns", number(hf_log2_to(i)),
							       "count", number(h->slot[i])));
	return json_pack("{s:o, s:o, s:o, s:o}", "count", number(h->count),
			 "sum_ns", number(h->sum), "max_ns", number(h->max), "slots", slots);
}
