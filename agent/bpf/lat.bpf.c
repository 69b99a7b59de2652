// SPDX-License-Identifier: GPL-2.0
/* holdfast-lat in the kernel: adds times up in buckets. */
#include "common/log2.h"
#include "common/prog.h"
#include "lat.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HF_LAT_KINDS);
	__type(key, u32);
	__type(value, struct hf_log2);
} times SEC(".maps");

static __always_inline void add(u32 kind, u64 ns)
{
	struct hf_log2 *h = bpf_map_lookup_elem(&times, &kind);
	u32 slot = hf_log2_slot(ns);

	if (!h || slot >= HF_LOG2_SLOTS) {
		count_lost();
		return;
	}
	__sync_fetch_and_add(&h->count, 1);
	__sync_fetch_and_add(&h->sum, ns);
	__sync_fetch_and_add(&h->slot[slot], 1);
	if (h->max < ns)
		h->max = ns;
}

static __always_inline u64 since(u64 from, u64 to)
{
	return to > from ? to - from : 0;
}

SEC("raw_tp/holdfast_frame")
int BPF_PROG(frame, u32 index, u64 lease, u64 cookie, u32 verdict, u32 limit, u32 where,
	     s64 measured, s64 bound, u32 scale_q16, u64 cost_ns, u32 pid)
{
	if (wanted(index, pid))
		add(HF_LAT_COST, cost_ns);
	return 0;
}

SEC("raw_tp/holdfast_output")
int BPF_PROG(output, u32 index, u64 lease, u64 cookie, u32 pid, u64 submit_ns, u64 emit_ns)
{
	if (wanted(index, pid))
		add(HF_LAT_SUBMIT_EMIT, since(submit_ns, emit_ns));
	return 0;
}

SEC("raw_tp/holdfast_trip")
int BPF_PROG(trip, u32 index, u32 cause, u32 severity, u32 limit, u32 where, s64 measured,
	     s64 bound, u64 onset_ns, u64 detect_ns, u64 silence_ns)
{
	if (wanted_array(index)) {
		add(HF_LAT_ONSET_SILENCE, since(onset_ns, silence_ns));
		add(HF_LAT_DETECT_SILENCE, since(detect_ns, silence_ns));
	}
	return 0;
}
