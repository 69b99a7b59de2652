// SPDX-License-Identifier: GPL-2.0
/* holdfast-trace in the kernel: passes all that one array does on. */
#include "common/ring.h"

SEC("raw_tp/holdfast_frame")
int BPF_PROG(frame, u32 index, u64 lease, u64 cookie, u32 verdict, u32 limit, u32 where,
	     s64 measured, s64 bound, u32 scale_q16, u64 cost_ns, u32 pid)
{
	if (wanted(index, pid))
		ring_frame(index, lease, cookie, verdict, limit, where, measured, bound, scale_q16,
			   cost_ns, pid);
	return 0;
}

SEC("raw_tp/holdfast_output")
int BPF_PROG(output, u32 index, u64 lease, u64 cookie, u32 pid, u64 submit_ns, u64 emit_ns)
{
	struct hf_bpf_output *e;

	if (!wanted(index, pid))
		return 0;
	e = RING_TAKE(OUTPUT, index);
	if (!e)
		return 0;
	e->lease = lease;
	e->cookie = cookie;
	e->submit_ns = submit_ns;
	e->emit_ns = emit_ns;
	e->pid = pid;
	e->reserved = 0;
	comm_of(pid, e->comm, sizeof(e->comm));
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("raw_tp/holdfast_state")
int BPF_PROG(state, u32 index, u32 from, u32 to, u32 detail)
{
	struct hf_bpf_state *e;

	if (!wanted_array(index))
		return 0;
	e = RING_TAKE(STATE, index);
	if (!e)
		return 0;
	e->from = from;
	e->to = to;
	e->detail = detail;
	e->reserved = 0;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("raw_tp/holdfast_trip")
int BPF_PROG(trip, u32 index, u32 cause, u32 severity, u32 limit, u32 where, s64 measured,
	     s64 bound, u64 onset_ns, u64 detect_ns, u64 silence_ns)
{
	if (wanted_array(index))
		ring_trip(index, cause, severity, limit, where, measured, bound, onset_ns,
			  detect_ns, silence_ns);
	return 0;
}

SEC("raw_tp/holdfast_sensor")
int BPF_PROG(sensor, u32 index, u32 number, u32 kind, u32 fault, s64 value)
{
	struct hf_bpf_sensor *e;

	if (!wanted_array(index))
		return 0;
	e = RING_TAKE(SENSOR, index);
	if (!e)
		return 0;
	e->value = value;
	e->sensor = number;
	e->kind = kind;
	e->fault = fault;
	e->reserved = 0;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("raw_tp/holdfast_tick")
int BPF_PROG(tick, u32 index, u64 late_ns, u64 cost_ns)
{
	struct hf_bpf_tick *e;

	if (!wanted_array(index))
		return 0;
	e = RING_TAKE(TICK, index);
	if (!e)
		return 0;
	e->late_ns = late_ns;
	e->cost_ns = cost_ns;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("raw_tp/holdfast_queue")
int BPF_PROG(queue, u32 index, u64 lease, u32 pid, u32 queued, u32 room)
{
	struct hf_bpf_queue *e;

	if (!wanted(index, pid))
		return 0;
	e = RING_TAKE(QUEUE, index);
	if (!e)
		return 0;
	e->lease = lease;
	e->pid = pid;
	e->queued = queued;
	e->room = room;
	e->reserved = 0;
	bpf_ringbuf_submit(e, 0);
	return 0;
}
