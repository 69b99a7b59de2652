/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What queue.c (frames and the thread) and queue_ctl.c (what a file sees of it) share.
 * Others know of a queue what core.h says.
 */
#ifndef HF_QUEUE_H
#define HF_QUEUE_H

#include "core.h"

struct hf_queued {
	struct list_head node;		/* queue's frames or free; batch's frames */
	struct hf_frame_buf *buf;	/* always one; swapped with the lease's */
	struct pid *pid;		/* process that submitted it, while it is queued */
	struct hf_batch *batch;		/* NULL: its verdict is for read(2) */
	u32 at;				/* its place in @batch */
};

/* All of it: queue_lock; what only changes while it is empty: io_lock too. */
struct hf_queue {
	struct list_head node;		/* array's queues */
	struct hf_lease *lease;
	u32 depth;
	u64 late_ns;
	u64 horizon_ns;
	struct hf_queued *slot;		/* [depth] */
	struct list_head frames;	/* by presentation time */
	struct list_head free;
	u32 queued;			/* in @frames */
	u32 room;			/* in @free */
	struct hf_queued *busy;		/* the first of @frames, while it is being judged */
	struct holdfast_frame_result *verdict;	/* ring [2 * depth] */
	u32 first, verdicts;
	u64 lost;
	u64 taken, played, refused, late, cancelled;
};

/* Takes out what will never be put out. @all: everything. Return: frames taken out. queue_lock. */
u32 hf_queue_sweep(struct hf_queue *q, bool all);
int hf_queue_start(struct hf_array *a);	/* the array's thread, if it does not run yet; may sleep */

#endif /* HF_QUEUE_H */
