/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ring buffer of tools that tell every event, and the records that more
 * than one of them writes. Compiled for the bpf target only.
 */
#ifndef HF_BPF_RING_H
#define HF_BPF_RING_H

#include "event.h"
#include "prog.h"

/* The tool sets the size. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} ring SEC(".maps");

/* Room for a record with its head filled; NULL, and counted: there is none. */
static __always_inline void *ring_take(u64 size, u32 type, u32 index)
{
	struct hf_bpf_head *head = bpf_ringbuf_reserve(&ring, size, 0);

	if (!head) {
		count_lost();
		return NULL;
	}
	/* After the reservation, which is what orders the records. */
	head->time_ns = bpf_ktime_get_ns();
	head->type = type;
	head->index = index;
	return head;
}

#define RING_TAKE(type, index) \
	ring_take(sizeof(struct RING_##type), HF_BPF_##type, index)
#define RING_FRAME	hf_bpf_frame
#define RING_OUTPUT	hf_bpf_output
#define RING_STATE	hf_bpf_state
#define RING_TRIP	hf_bpf_trip
#define RING_SENSOR	hf_bpf_sensor
#define RING_TICK	hf_bpf_tick
#define RING_QUEUE	hf_bpf_queue

static __always_inline void ring_frame(u32 index, u64 lease, u64 cookie, u32 verdict, u32 limit,
				       u32 where, s64 measured, s64 bound, u32 scale_q16,
				       u64 cost_ns, u32 pid)
{
	struct hf_bpf_frame *e = RING_TAKE(FRAME, index);

	if (!e)
		return;
	e->lease = lease;
	e->cookie = cookie;
	e->measured = measured;
	e->bound = bound;
	e->cost_ns = cost_ns;
	e->pid = pid;
	e->verdict = verdict;
	e->limit = limit;
	e->where = where;
	e->scale_q16 = scale_q16;
	e->reserved = 0;
	comm_of(pid, e->comm, sizeof(e->comm));
	bpf_ringbuf_submit(e, 0);
}

static __always_inline void ring_trip(u32 index, u32 cause, u32 severity, u32 limit, u32 where,
				      s64 measured, s64 bound, u64 onset_ns, u64 detect_ns,
				      u64 silence_ns)
{
	struct hf_bpf_trip *e = RING_TAKE(TRIP, index);

	if (!e)
		return;
	e->measured = measured;
	e->bound = bound;
	e->onset_ns = onset_ns;
	e->detect_ns = detect_ns;
	e->silence_ns = silence_ns;
	e->cause = cause;
	e->severity = severity;
	e->limit = limit;
	e->where = where;
	bpf_ringbuf_submit(e, 0);
}

#endif /* HF_BPF_RING_H */
