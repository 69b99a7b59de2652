/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parent itself sees of processes, memory, processor, clock, the
 * configuration's file and those that stand by.
 */
#ifndef HF_DAEMON_HOST_H
#define HF_DAEMON_HOST_H

#include <sys/types.h>
#include <time.h>

#include "health.h"
#include "role.h"

struct hf_parent;

/* What was seen the last time. Zeros at first. */
struct hf_host {
	uint64_t seen_ns, cpu_us;
	double memory_mib, cpu_percent, standbys;	/* of the configuration */
	int64_t offset_ns;		/* of the time of day against the loop's clock */
	unsigned char digest[32];	/* SHA-256 of the text in force */
	struct timespec mtime;		/* of the file that was read last, */
	off_t size;
	ino_t inode;
	struct hf_finding file;		/* and what it was like */
};

struct hf_host_findings {
	struct hf_finding processes, memory, cpu, clock, configuration, standby;
};

void hf_host_look(struct hf_host *h, struct hf_parent *p, struct hf_host_findings *f);
void hf_host_configured(struct hf_host *h, const json_t *part, const char *text, size_t len);
/* The process that has said to use the most memory. */
enum hf_proc hf_host_largest(const struct hf_parent *p);

#endif /* HF_DAEMON_HOST_H */
