/* SPDX-License-Identifier: GPL-2.0 */
/* The table of holdfast-top, as its BPF programs fill and the tool reads it. */
#ifndef HF_BPF_TOP_H
#define HF_BPF_TOP_H

#include <linux/types.h>

#include "common/event.h"

#define HF_TOP_ROWS	4096	/* processes and leases that are told apart */
#define HF_TOP_VERDICTS	4	/* enum holdfast_verdict, and one for what is none */

struct hf_top_key {
	__u64 lease;
	__u32 index;
	__u32 pid;
};

/*
 * Largest value of the round that is, and of the one before, each in the slot of
 * its lowest bit: the tool counts on, then reads the one that is over at leisure.
 */
struct hf_top_max {
	__u64 value[2];
	__u64 round[2];
};

/* Sums since the row was made. */
struct hf_top_row {
	__u64 verdict[HF_TOP_VERDICTS];
	__u64 outputs;
	__u64 cost_sum_ns;
	struct hf_top_max cost_ns;
	__u64 queue_events;
	struct hf_top_max queue;
	__u32 queued;		/* at the last event */
	__u32 room;		/* for so many more */
	char comm[HF_BPF_COMM];	/* of the process, where it was the current one */
};

#endif /* HF_BPF_TOP_H */
