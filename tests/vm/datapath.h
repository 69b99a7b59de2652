/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the test of the data path share: an array whose frames carry
 * numbers that the ledger gives back, its queue, and a ring. No judgement here.
 */
#ifndef DATAPATH_H
#define DATAPATH_H

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <sys/wait.h>

#include "bench.h"
#include "tap.h"

#define AMP		20000
#define AMP_LOUD	60000	/* above the site's AMP_CAP */
#define AMP_CAP		30000
#define CHANNELS	16
#define FRAME_SIZE	(sizeof(struct holdfast_frame) + 4 * CHANNELS)
#define BATCH		64	/* frames that a struct frames holds */
#define LATE_MS		2000	/* for the noise of an emulated machine */
#define HORIZON_MS	5000

/* Frames back to back, as they are submitted, and their verdicts. */
struct frames {
	unsigned char bytes[BATCH * FRAME_SIZE];
	struct holdfast_frame_result res[BATCH];
	unsigned int n;
};

struct holdfast_frame *frames_at(struct frames *f, unsigned int i);
/* One more, all channels at @amp; the ledger says its number. @at: present_ns. */
struct holdfast_frame *frames_add(struct frames *f, __u16 number, __u64 at, __u16 amp);
/* @n of them that wait for the frame interval, numbered from @number, @step_ms apart, the first in @in_ms. */
void frames_run(struct frames *f, unsigned int n, __u16 number, unsigned int in_ms,
		unsigned int step_ms);
/* Refused for FRAME_INTERVAL: where frames are judged within a microsecond that is right. */
bool too_soon(const struct holdfast_frame_result *res);
/* HOLDFAST_IOC_SUBMIT of all; verdicts, or -errno. */
int frames_submit(int lease, struct frames *f);

/* The number of the frame that was emitted. */
__u16 emission_number(const struct emission *e);

int queue_set(int lease, __u32 depth, __u64 late_ms, __u64 horizon_ms);
int queue_get(int lease, struct holdfast_queue *q);
/* Waits until nothing is queued; -ETIMEDOUT. */
int queue_drain(int lease, unsigned int timeout_ms);

/* The calling thread on the @n-th processor from now on, if there is one. */
void run_on(int n);

/* An array, armed, with a cap on its amplitudes and a queue of @depth (0: none). */
void path_open(struct bench *b, __u32 depth);
void path_open_as(struct bench *b, __u32 depth, const char *const attrs[]);
extern const char *const path_attrs[];

struct ring {
	struct io_uring io;
	struct iovec fixed;	/* registered; base NULL: nothing is */
};

void ring_open(struct ring *r, unsigned int flags);
void ring_fix(struct ring *r, void *base, size_t len);
void ring_close(struct ring *r);
/* One command into the ring, submitted. @s: its payload; out of the registered buffer if there is one. */
int ring_send(struct ring *r, int fd, const struct holdfast_submit *s);
/* Its completion: res, or -ETIMEDOUT. */
int ring_wait(struct ring *r, unsigned int timeout_ms);
/* The payload that submits all of @f. */
struct holdfast_submit ring_frames(struct frames *f, __u32 flags);

/* datapath_memory.c */
void memory_changes(struct bench *b);
void memory_changes_for_sure(struct bench *b);
/* Why the case under way cannot be had on this kernel; NULL: it can. */
extern const char *memory_skipped;

/* datapath_uring.c */
void uring_now(struct bench *b);
void uring_refusals(struct bench *b);
void uring_queue(struct bench *b);
void uring_all_or_none(struct bench *b);
void uring_ring_ends(struct bench *b);
void uring_process_dies(struct bench *b);
void uring_punts(struct bench *b);
void uring_short(struct bench *b);
void uring_bus(struct bench *b);

#endif /* DATAPATH_H */
