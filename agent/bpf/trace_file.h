/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The file of holdfast-trace: Chrome's trace event format (JSON), as Perfetto
 * opens it. Records of the ring buffer in, text out; no BPF and no device.
 */
#ifndef HF_BPF_TRACE_FILE_H
#define HF_BPF_TRACE_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "comm.h"
#include "event.h"

#define HF_TRACE_WINDOW_NS	1000000000ULL	/* records are put in order over so much time */
#define HF_TRACE_HELD		8192	/* records held back for it, at most */
#define HF_TRACE_TRACKS		1024	/* processes and leases with a track of their own */
#define HF_TRACE_RECORD		128	/* no record is larger */

struct hf_trace;

/**
 * hf_trace_new() - begin a file
 * @f:		stays the caller's
 * @index:	the array
 * @comms:	names of processes
 * @now_ns:	CLOCK_MONOTONIC
 *
 * Return: NULL, no memory.
 */
struct hf_trace *hf_trace_new(FILE *f, uint32_t index, struct hf_comms *comms, uint64_t now_ns);
/* A record of the ring buffer. What is none is left out, and counted. */
void hf_trace_add(struct hf_trace *t, const void *record, size_t size);
/* So many events have been lost since the last call. */
void hf_trace_lost(struct hf_trace *t, uint64_t n, uint64_t now_ns);
/* Bytes so far, of what is written; whether all were taken is ferror()'s. */
uint64_t hf_trace_bytes(const struct hf_trace *t);

/**
 * hf_trace_end() - write what is held back, the sums, and the end of the file
 * @state:	the state the array is in, if it never changed; or NULL
 * @why:	what ended it
 * @lost:	as hf_losses_json() has it; taken
 */
void hf_trace_end(struct hf_trace *t, const char *state, const char *why, json_t *lost,
		  uint64_t now_ns);
void hf_trace_free(struct hf_trace *t);	/* NULL is fine */

/* Events that were written, of all types. */
uint64_t hf_trace_written(const struct hf_trace *t);

#endif /* HF_BPF_TRACE_FILE_H */
