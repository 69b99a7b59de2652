// SPDX-License-Identifier: GPL-2.0
/* holdfast-snoop in the kernel: passes refusals and trips on. */
#include "common/ring.h"
#include "holdfast.h"

SEC("raw_tp/holdfast_frame")
int BPF_PROG(frame, u32 index, u64 lease, u64 cookie, u32 verdict, u32 limit, u32 where,
	     s64 measured, s64 bound, u32 scale_q16, u64 cost_ns, u32 pid)
{
	if (verdict == HOLDFAST_VERDICT_REJECT && wanted(index, pid))
		ring_frame(index, lease, cookie, verdict, limit, where, measured, bound, scale_q16,
			   cost_ns, pid);
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
