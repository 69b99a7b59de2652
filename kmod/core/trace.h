/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: verdicts on frames, state changes, trips, sensor samples and
 * ticks. The fields are ABI (docs/ABI/dev-holdfast-tracepoints.md). This header
 * is read several times over: no type may be defined in it. Scalars only, so
 * that a tracepoint can neither keep an array alive nor follow a stale pointer.
 * Every one may be called in hard interrupt context; call it after the act it
 * tells of, never before a silencing write.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM holdfast

#if !defined(HF_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define HF_TRACE_H

#include <linux/tracepoint.h>

#include "names.h"
#include "rules/limits.h"
#include "rules/quota.h"

/* So that user space can read the names out of the format files. */
#define HF_ENUM(v, w)	TRACE_DEFINE_ENUM(v);
HF_STATE_WORDS(HF_ENUM, HF_ENUM)
HF_VERDICT_WORDS(HF_ENUM, HF_ENUM)
HF_SEVERITY_WORDS(HF_ENUM, HF_ENUM)
HF_CAUSE_WORDS(HF_ENUM, HF_ENUM)
HF_SENSOR_KIND_WORDS(HF_ENUM, HF_ENUM)
HF_SENSOR_FAULT_WORDS(HF_ENUM, HF_ENUM)
HF_DETAIL_WORDS(HF_ENUM, HF_ENUM)
#undef HF_ENUM
#define HF_LIM_ENUM(NAME, name, unit, sense, lo, hi) TRACE_DEFINE_ENUM(HF_LIM_##NAME);
HF_LIMITS(HF_LIM_ENUM)
#undef HF_LIM_ENUM

#define HF_SYM(v, w)	{ v, w },
#define HF_SYM_LAST(v, w) { v, w }
#define HF_WORD(list, v) __print_symbolic(v, list(HF_SYM, HF_SYM_LAST))
#define HF_LIM_SYM(NAME, name, unit, sense, lo, hi) { HF_LIM_##NAME, #name },
#define HF_LIM_WORD(v)	__print_symbolic(v, HF_LIMITS(HF_LIM_SYM) \
				{ HF_LIM_QUOTA + HF_QUOTA_EMIT, "quota_emit" }, \
				{ HF_LIM_QUOTA + HF_QUOTA_ENERGY, "quota_energy" }, \
				{ HF_LIM_QUOTA + HF_QUOTA_FRAMES, "quota_frames" }, \
				{ HF_LIM_NONE, "none" })

TRACE_EVENT(holdfast_frame,
	TP_PROTO(u32 index, u64 lease, u64 cookie, u32 verdict, u32 limit, u32 where,
		 s64 measured, s64 bound, u32 scale_q16, u64 cost_ns, u32 pid),
	TP_ARGS(index, lease, cookie, verdict, limit, where, measured, bound, scale_q16, cost_ns,
		pid),
	TP_STRUCT__entry(
		__field(u64, lease)
		__field(u64, cookie)
		__field(s64, measured)
		__field(s64, bound)
		__field(u64, cost_ns)
		__field(u32, index)
		__field(u32, verdict)
		__field(u32, limit)
		__field(u32, where)
		__field(u32, scale_q16)
		__field(u32, pid)
	),
	TP_fast_assign(
		__entry->lease = lease;
		__entry->cookie = cookie;
		__entry->measured = measured;
		__entry->bound = bound;
		__entry->cost_ns = cost_ns;
		__entry->index = index;
		__entry->verdict = verdict;
		__entry->limit = limit;
		__entry->where = where;
		__entry->scale_q16 = scale_q16;
		__entry->pid = pid;
	),
	TP_printk("index=%u lease=%llu cookie=%llu verdict=%s limit=%s where=%d measured=%lld bound=%lld scale_q16=%u cost_ns=%llu pid=%u",
		  __entry->index, __entry->lease, __entry->cookie,
		  HF_WORD(HF_VERDICT_WORDS, __entry->verdict), HF_LIM_WORD(__entry->limit),
		  (s32)__entry->where, __entry->measured, __entry->bound, __entry->scale_q16,
		  __entry->cost_ns, __entry->pid)
);

TRACE_EVENT(holdfast_output,
	TP_PROTO(u32 index, u64 lease, u64 cookie, u32 pid, u64 submit_ns, u64 emit_ns),
	TP_ARGS(index, lease, cookie, pid, submit_ns, emit_ns),
	TP_STRUCT__entry(
		__field(u64, lease)
		__field(u64, cookie)
		__field(u64, submit_ns)
		__field(u64, emit_ns)
		__field(u32, index)
		__field(u32, pid)
	),
	TP_fast_assign(
		__entry->lease = lease;
		__entry->cookie = cookie;
		__entry->submit_ns = submit_ns;
		__entry->emit_ns = emit_ns;
		__entry->index = index;
		__entry->pid = pid;
	),
	TP_printk("index=%u lease=%llu cookie=%llu pid=%u submit_ns=%llu emit_ns=%llu",
		  __entry->index, __entry->lease, __entry->cookie, __entry->pid,
		  __entry->submit_ns, __entry->emit_ns)
);

TRACE_EVENT(holdfast_queue,
	TP_PROTO(u32 index, u64 lease, u32 pid, u32 queued, u32 room),
	TP_ARGS(index, lease, pid, queued, room),
	TP_STRUCT__entry(
		__field(u64, lease)
		__field(u32, index)
		__field(u32, pid)
		__field(u32, queued)
		__field(u32, room)
	),
	TP_fast_assign(
		__entry->lease = lease;
		__entry->index = index;
		__entry->pid = pid;
		__entry->queued = queued;
		__entry->room = room;
	),
	TP_printk("index=%u lease=%llu pid=%u queued=%u room=%u", __entry->index,
		  __entry->lease, __entry->pid, __entry->queued, __entry->room)
);

TRACE_EVENT(holdfast_state,
	TP_PROTO(u32 index, u32 from, u32 to, u32 detail),
	TP_ARGS(index, from, to, detail),
	TP_STRUCT__entry(
		__field(u32, index)
		__field(u32, from)
		__field(u32, to)
		__field(u32, detail)
	),
	TP_fast_assign(
		__entry->index = index;
		__entry->from = from;
		__entry->to = to;
		__entry->detail = detail;
	),
	TP_printk("index=%u from=%s to=%s detail=%s", __entry->index,
		  HF_WORD(HF_STATE_WORDS, __entry->from), HF_WORD(HF_STATE_WORDS, __entry->to),
		  HF_WORD(HF_DETAIL_WORDS, __entry->detail))
);

TRACE_EVENT(holdfast_trip,
	TP_PROTO(u32 index, u32 cause, u32 severity, u32 limit, u32 where, s64 measured,
		 s64 bound, u64 onset_ns, u64 detect_ns, u64 silence_ns),
	TP_ARGS(index, cause, severity, limit, where, measured, bound, onset_ns, detect_ns,
		silence_ns),
	TP_STRUCT__entry(
		__field(s64, measured)
		__field(s64, bound)
		__field(u64, onset_ns)
		__field(u64, detect_ns)
		__field(u64, silence_ns)
		__field(u32, index)
		__field(u32, cause)
		__field(u32, severity)
		__field(u32, limit)
		__field(u32, where)
	),
	TP_fast_assign(
		__entry->measured = measured;
		__entry->bound = bound;
		__entry->onset_ns = onset_ns;
		__entry->detect_ns = detect_ns;
		__entry->silence_ns = silence_ns;
		__entry->index = index;
		__entry->cause = cause;
		__entry->severity = severity;
		__entry->limit = limit;
		__entry->where = where;
	),
	TP_printk("index=%u cause=%s severity=%s limit=%s where=%d measured=%lld bound=%lld onset_ns=%llu detect_ns=%llu silence_ns=%llu",
		  __entry->index, HF_WORD(HF_CAUSE_WORDS, __entry->cause),
		  HF_WORD(HF_SEVERITY_WORDS, __entry->severity), HF_LIM_WORD(__entry->limit),
		  (s32)__entry->where, __entry->measured, __entry->bound, __entry->onset_ns,
		  __entry->detect_ns, __entry->silence_ns)
);

TRACE_EVENT(holdfast_sensor,
	TP_PROTO(u32 index, u32 sensor, u32 kind, u32 fault, s64 value),
	TP_ARGS(index, sensor, kind, fault, value),
	TP_STRUCT__entry(
		__field(s64, value)
		__field(u32, index)
		__field(u32, sensor)
		__field(u32, kind)
		__field(u32, fault)
	),
	TP_fast_assign(
		__entry->value = value;
		__entry->index = index;
		__entry->sensor = sensor;
		__entry->kind = kind;
		__entry->fault = fault;
	),
	TP_printk("index=%u sensor=%u kind=%s fault=%s value=%lld", __entry->index,
		  __entry->sensor, HF_WORD(HF_SENSOR_KIND_WORDS, __entry->kind),
		  HF_WORD(HF_SENSOR_FAULT_WORDS, __entry->fault), __entry->value)
);

TRACE_EVENT(holdfast_tick,
	TP_PROTO(u32 index, u64 late_ns, u64 cost_ns),
	TP_ARGS(index, late_ns, cost_ns),
	TP_STRUCT__entry(
		__field(u64, late_ns)
		__field(u64, cost_ns)
		__field(u32, index)
	),
	TP_fast_assign(
		__entry->late_ns = late_ns;
		__entry->cost_ns = cost_ns;
		__entry->index = index;
	),
	TP_printk("index=%u late_ns=%llu cost_ns=%llu", __entry->index, __entry->late_ns,
		  __entry->cost_ns)
);

#endif /* HF_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
