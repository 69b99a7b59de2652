/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a tool needs of the kernel, of its caller and of the driver, and what it
 * says when that is not there.
 */
#ifndef HF_BPF_NEED_H
#define HF_BPF_NEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit status of every tool. */
enum hf_exit {
	HF_EXIT_OK = 0,
	HF_EXIT_ERROR = 1,	/* something failed on the way */
	HF_EXIT_USAGE = 2,
	HF_EXIT_KERNEL = 3,	/* this kernel cannot: no BPF, no ring buffer for us, no BTF */
	HF_EXIT_RIGHTS = 4,	/* CAP_BPF or CAP_PERFMON is missing */
	HF_EXIT_DRIVER = 5,	/* not loaded, without BTF, or without a tracepoint */
	HF_EXIT_LOST = 6,	/* ended well, but events were lost, and how many was said */
};

/**
 * struct hf_point - a tracepoint
 * @name:	"holdfast_frame"
 * @args:	the arguments that are read, one letter each: u (u32), U (u64), S (s64)
 * @optional:	drivers without it are fine
 * @there:	out
 */
struct hf_point {
	const char *name;
	const char *args;
	bool optional;
	bool there;
};

/* The tracepoints of the driver, as docs/ABI/dev-holdfast-tracepoints.md has them. */
#define HF_POINT_FRAME	{ .name = "holdfast_frame", .args = "uUUuuuSSuUu" }
#define HF_POINT_OUTPUT	{ .name = "holdfast_output", .args = "uUUuUU" }
#define HF_POINT_STATE	{ .name = "holdfast_state", .args = "uuuu" }
#define HF_POINT_TRIP	{ .name = "holdfast_trip", .args = "uuuuuSSUUU" }
#define HF_POINT_SENSOR	{ .name = "holdfast_sensor", .args = "uuuuS" }
#define HF_POINT_TICK	{ .name = "holdfast_tick", .args = "uUU" }
#define HF_POINT_QUEUE	{ .name = "holdfast_queue", .args = "uUuuu", .optional = true }

/**
 * hf_need() - is everything there that a tool needs?
 * @points:	its tracepoints; what is optional is marked
 * @ring:	it uses a ring buffer
 *
 * Says on standard error what is missing, in one line.
 * Return: HF_EXIT_OK, or the exit status.
 */
int hf_need(struct hf_point *points, size_t n, bool ring);

struct btf;
/*
 * Does a ring buffer of this kernel take a lock that sleeps on a real-time
 * kernel? The driver's tracepoints are passed in hard interrupts, which must not.
 */
bool hf_need_ring_sleeps(const struct btf *kernel);
/* The part that compares with the driver's @btf, whose own types begin at @first. */
int hf_need_point(const struct btf *btf, uint32_t first, struct hf_point *point);

#endif /* HF_BPF_NEED_H */
