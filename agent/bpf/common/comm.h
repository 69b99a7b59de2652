/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names of processes by number, in memory of a fixed size. A name is what
 * /proc says, asked again after a second: numbers are used again.
 */
#ifndef HF_BPF_COMM_H
#define HF_BPF_COMM_H

#include <stddef.h>
#include <stdint.h>

#define HF_COMM_LEN	16
#define HF_COMM_SETS	64	/* a power of two */
#define HF_COMM_WAYS	4
#define HF_COMM_NS	1000000000ULL	/* a name is believed for so long */

struct hf_comm {
	uint32_t pid;		/* 0: free */
	uint64_t read_ns;
	uint64_t used_ns;
	char name[HF_COMM_LEN];
};

/* @read: the name of @pid as it is now. Return: 0 or -errno. */
struct hf_comms {
	int (*read)(uint32_t pid, char name[HF_COMM_LEN]);
	struct hf_comm set[HF_COMM_SETS][HF_COMM_WAYS];
};

/* All zero but for @read. */
int hf_comm_read(uint32_t pid, char name[HF_COMM_LEN]);	/* from /proc */

/**
 * hf_comm_name() - the name of a process
 * @seen:	the name that came with the event (HF_COMM_LEN bytes or a string), for a process
 *		that is gone; or ""
 * @now_ns:	CLOCK_MONOTONIC
 *
 * Return: text that can be shown, "?" if nobody knows; good until the next call.
 */
const char *hf_comm_name(struct hf_comms *c, uint32_t pid, const char *seen, uint64_t now_ns);

/* What is no text for people becomes '?': a process names itself as it likes. */
void hf_comm_clean(char to[HF_COMM_LEN], const char *from, size_t len);

#endif /* HF_BPF_COMM_H */
