/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the BPF programs share: types, the filter, the count of what was lost.
 * Compiled for the bpf target only. Raw tracepoints with scalars, as the
 * arguments are: nothing of the kernel's memory is read, so no vmlinux.h and
 * no relocation. The programs run in hard interrupt context with an array's
 * lock held: no loop, and nothing that grows.
 */
#ifndef HF_BPF_PROG_H
#define HF_BPF_PROG_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;

#define HF_ALL_ARRAYS	0xffffffffU

char LICENSE[] SEC("license") = "GPL";

/* Set before the programs are loaded. */
const volatile __u32 only_index = HF_ALL_ARRAYS;
const volatile __u32 only_pid;	/* 0: every process */

/* Events that found no room. Per CPU, and atomic: an interrupt may come in between. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} lost SEC(".maps");

static __always_inline void count_lost(void)
{
	u32 zero = 0;
	u64 *n = bpf_map_lookup_elem(&lost, &zero);

	if (n)
		__sync_fetch_and_add(n, 1);
}

static __always_inline bool wanted_array(u32 index)
{
	return only_index == HF_ALL_ARRAYS || only_index == index;
}

static __always_inline bool wanted(u32 index, u32 pid)
{
	return wanted_array(index) && (!only_pid || only_pid == pid);
}

/* A queued frame is judged in a thread of the kernel, whose name would be the wrong one. */
static __always_inline void comm_of(u32 pid, char *comm, u32 size)
{
	if (bpf_get_current_pid_tgid() >> 32 == pid)
		bpf_get_current_comm(comm, size);
	else
		comm[0] = '\0';
}

#endif /* HF_BPF_PROG_H */
