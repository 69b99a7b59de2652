/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records in the ring buffers, as BPF programs write and tools read them. Both
 * are built together: no format for anybody else. Times are CLOCK_MONOTONIC in ns.
 */
#ifndef HF_BPF_EVENT_H
#define HF_BPF_EVENT_H

#include <linux/types.h>

#define HF_BPF_COMM	16

enum hf_bpf_type {
	HF_BPF_FRAME = 1,
	HF_BPF_OUTPUT,
	HF_BPF_STATE,
	HF_BPF_TRIP,
	HF_BPF_SENSOR,
	HF_BPF_TICK,
	HF_BPF_QUEUE,
};

/* What every record begins with. */
struct hf_bpf_head {
	__u64 time_ns;		/* when the tracepoint was passed */
	__u32 type;		/* enum hf_bpf_type */
	__u32 index;		/* of the array */
};

struct hf_bpf_frame {
	struct hf_bpf_head head;
	__u64 lease;
	__u64 cookie;
	__s64 measured;
	__s64 bound;
	__u64 cost_ns;
	__u32 pid;
	__u32 verdict;
	__u32 limit;
	__u32 where;
	__u32 scale_q16;
	__u32 reserved;
	char comm[HF_BPF_COMM];	/* empty: judged in another process */
};

struct hf_bpf_output {
	struct hf_bpf_head head;
	__u64 lease;
	__u64 cookie;
	__u64 submit_ns;
	__u64 emit_ns;
	__u32 pid;
	__u32 reserved;
	char comm[HF_BPF_COMM];	/* as above */
};

struct hf_bpf_state {
	struct hf_bpf_head head;
	__u32 from;
	__u32 to;
	__u32 detail;
	__u32 reserved;
};

struct hf_bpf_trip {
	struct hf_bpf_head head;
	__s64 measured;
	__s64 bound;
	__u64 onset_ns;
	__u64 detect_ns;
	__u64 silence_ns;
	__u32 cause;
	__u32 severity;
	__u32 limit;
	__u32 where;
};

struct hf_bpf_sensor {
	struct hf_bpf_head head;
	__s64 value;
	__u32 sensor;
	__u32 kind;
	__u32 fault;
	__u32 reserved;
};

struct hf_bpf_tick {
	struct hf_bpf_head head;
	__u64 late_ns;
	__u64 cost_ns;
};

struct hf_bpf_queue {
	struct hf_bpf_head head;
	__u64 lease;
	__u32 pid;
	__u32 queued;
	__u32 room;		/* for so many more */
	__u32 reserved;
};

#endif /* HF_BPF_EVENT_H */
