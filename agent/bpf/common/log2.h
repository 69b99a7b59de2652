/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The buckets of a histogram by powers of two, for BPF programs and for who
 * prints them. Arithmetic only.
 */
#ifndef HF_BPF_LOG2_H
#define HF_BPF_LOG2_H

#include <linux/types.h>

/* Bucket 0 holds 0; bucket k holds 2^(k-1) to 2^k - 1; the last one holds what has bit 63. */
#define HF_LOG2_SLOTS	65

static inline __attribute__((always_inline)) __u32 hf_log2_slot(__u64 v)
{
	__u32 slot = v != 0;

	if (v >> 32) {
		v >>= 32;
		slot += 32;
	}
	if (v >> 16) {
		v >>= 16;
		slot += 16;
	}
	if (v >> 8) {
		v >>= 8;
		slot += 8;
	}
	if (v >> 4) {
		v >>= 4;
		slot += 4;
	}
	if (v >> 2) {
		v >>= 2;
		slot += 2;
	}
	return slot + (__u32)(v >> 1);
}

/* Smallest value of a bucket. */
static inline __u64 hf_log2_from(__u32 slot)
{
	return slot ? 1ULL << (slot - 1) : 0;
}

/* Largest value of a bucket. */
static inline __u64 hf_log2_to(__u32 slot)
{
	return slot ? hf_log2_from(slot) + (hf_log2_from(slot) - 1) : 0;
}

/* Times of one kind, in ns. */
struct hf_log2 {
	__u64 count;
	__u64 sum;
	__u64 max;
	__u64 slot[HF_LOG2_SLOTS];
};

#endif /* HF_BPF_LOG2_H */
