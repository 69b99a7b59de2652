// SPDX-License-Identifier: GPL-2.0
/*
 * holdfast-top in the kernel: adds frames up per array, lease and process.
 * Sums only, so that a reader that is late misses nothing.
 */
#include "common/prog.h"
#include "top.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HF_TOP_ROWS);
	__type(key, struct hf_top_key);
	__type(value, struct hf_top_row);
} rows SEC(".maps");

volatile __u64 tool_round;	/* the tool counts on */

static __always_inline struct hf_top_row *row_of(u32 index, u64 lease, u32 pid)
{
	struct hf_top_key key = { .lease = lease, .index = index, .pid = pid };
	struct hf_top_row *row = bpf_map_lookup_elem(&rows, &key);
	struct hf_top_row none = {};

	if (row)
		return row;
	comm_of(pid, none.comm, sizeof(none.comm));
	bpf_map_update_elem(&rows, &key, &none, BPF_NOEXIST);
	row = bpf_map_lookup_elem(&rows, &key);
	if (!row)
		count_lost();
	return row;
}

/* Not atomic: a lease has one frame judged at a time, and a maximum is no count. */
static __always_inline void raise(struct hf_top_max *max, u64 value)
{
	u64 round = tool_round;
	u32 slot = round & 1;

	if (max->round[slot] != round || max->value[slot] < value) {
		max->value[slot] = value;
		max->round[slot] = round;
	}
}

SEC("raw_tp/holdfast_frame")
int BPF_PROG(frame, u32 index, u64 lease, u64 cookie, u32 verdict, u32 limit, u32 where,
	     s64 measured, s64 bound, u32 scale_q16, u64 cost_ns, u32 pid)
{
	struct hf_top_row *row;

	if (!wanted(index, pid))
		return 0;
	row = row_of(index, lease, pid);
	if (!row)
		return 0;
	__sync_fetch_and_add(&row->verdict[verdict & (HF_TOP_VERDICTS - 1)], 1);
	__sync_fetch_and_add(&row->cost_sum_ns, cost_ns);
	raise(&row->cost_ns, cost_ns);
	return 0;
}

SEC("raw_tp/holdfast_output")
int BPF_PROG(output, u32 index, u64 lease, u64 cookie, u32 pid)
{
	struct hf_top_row *row;

	if (!wanted(index, pid))
		return 0;
	row = row_of(index, lease, pid);
	if (row)
		__sync_fetch_and_add(&row->outputs, 1);
	return 0;
}

SEC("raw_tp/holdfast_queue")
int BPF_PROG(queue, u32 index, u64 lease, u32 pid, u32 queued, u32 room)
{
	struct hf_top_row *row;

	if (!wanted(index, pid))
		return 0;
	row = row_of(index, lease, pid);
	if (!row)
		return 0;
	__sync_fetch_and_add(&row->queue_events, 1);
	row->queued = queued;
	row->room = room;
	raise(&row->queue, queued);
	return 0;
}
