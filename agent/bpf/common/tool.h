/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tools share once their programs run: options, time, the end,
 * what was lost, a value with its unit.
 */
#ifndef HF_BPF_TOOL_H
#define HF_BPF_TOOL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/libbpf.h>

#define HF_USAGE_EXIT \
	"Exit status: 0; 1 an error; 2 usage; 3 the kernel, 4 the rights, 5 the driver lack\n" \
	"something; 6 events were lost, and how many was said. "

#define HF_NS		1000000000ULL
#define HF_ALL_ARRAYS	UINT32_MAX

/* ------------------------------------------------------------------ command line */

/* What every tool can be told. Begin with @index = HF_ALL_ARRAYS. */
struct hf_options {
	const char *usage;
	uint32_t index, pid;	/* @pid 0: every process */
	bool json, verbose;
};

#define HF_SHORT_OPTIONS "i:p:jvh"
#define HF_LONG_OPTIONS \
	{ "index", required_argument, NULL, 'i' }, { "pid", required_argument, NULL, 'p' }, \
	{ "json", no_argument, NULL, 'j' }, { "verbose", no_argument, NULL, 'v' }, \
	{ "help", no_argument, NULL, 'h' }

/* Option @c of getopt_long(), one of these or unknown; ends the program on -h and on bad usage. */
void hf_option(struct hf_options *o, int c);

/* INTERVAL and COUNT, from argv[optind] on; what is not given stays. */
struct hf_pace {
	uint64_t every_s;	/* 0: once, at the end */
	uint64_t count;		/* 0: until a signal */
};

void hf_pace_read(struct hf_pace *p, int argc, char **argv);
/* Ends the program with HF_EXIT_USAGE if arguments are left. */
void hf_no_more(int argc, char **argv);

/*
 * Calls @interval at the end of each interval, before the last one @detach: what
 * comes after the programs' end is not counted. Return: exit status, without losses.
 */
int hf_pace_run(const struct hf_pace *p, void *tool, void (*detach)(void *tool),
		int (*interval)(void *tool));

/* A number of [@min, @max]; ends the program with HF_EXIT_USAGE on anything else. */
uint64_t hf_number(const char *what, const char *text, uint64_t min, uint64_t max);

/* Errors of libbpf are said only when asked for: hf_need() has said what people can mend. */
void hf_tool_begin(bool verbose);
/* Loading or attaching gave @error (negative). Return: HF_EXIT_ERROR. */
int hf_not_taken(int error);
/* Waits, for at most @ns. Return: SIGINT or SIGTERM came, now or before. */
bool hf_tool_wait(uint64_t ns);
/* Says on standard error that events are counted from here on. */
void hf_tool_ready(const char *more);
/* Standard output has taken everything, or the exit status says no. */
int hf_tool_end(int status);

/* Size of a ring buffer: a power of two of whole pages. @kib: at most HF_RING_KIB_MAX. */
#define HF_RING_KIB_MAX	(256 * 1024)
uint32_t hf_ring_bytes(uint32_t kib);

uint64_t hf_mono_ns(void);	/* CLOCK_MONOTONIC */
/* A time of CLOCK_MONOTONIC as UTC: "2026-11-30T11:05:00.123456Z". */
#define HF_TIME_LEN	32
char *hf_time_text(uint64_t ns, char buf[HF_TIME_LEN]);

/* ---------------------------------------------------------------- lost events */

/**
 * struct hf_losses - events that happened and are in no output
 * @no_room:	there was no room for them: sum of @cpu
 * @missed:	a program did not run, because it was running on that CPU already
 */
struct hf_losses {
	uint64_t no_room;
	uint64_t missed;
	unsigned int cpus;
	uint64_t cpu[];
};

struct hf_losses *hf_losses_new(void);	/* NULL: no memory */
/* Reads both from the kernel. Return: 0 or -errno. */
int hf_losses_read(struct hf_losses *l, struct bpf_object *obj);
static inline uint64_t hf_losses_sum(const struct hf_losses *l)
{
	return l->no_room + l->missed;
}

json_t *hf_losses_json(const struct hf_losses *l);
/* In one line on standard error, if there were any. Return: HF_EXIT_OK or HF_EXIT_LOST. */
int hf_losses_say(const struct hf_losses *l);

/* ---------------------------------------------------------------------- values */

/* A number of the kernel in JSON, which knows none above INT64_MAX. */
json_t *hf_json_u64(uint64_t v);
/* One line on standard output; takes the reference. Return: 0 or -errno. */
int hf_json_line(json_t *j);
/* limit, where, measured, bound, unit: as fields of @j. Return: 0 or -1 (no memory). */
int hf_json_reason(json_t *j, uint32_t limit, uint32_t where, int64_t measured, int64_t bound);
/* "312.400 Pa", or "-" where no limit is behind it. */
#define HF_VALUE_LEN	40
char *hf_value_text(uint32_t limit, int64_t value, char buf[HF_VALUE_LEN]);
/* A channel, point, focus or sensor; "-": none. */
char *hf_where_text(uint32_t where, char buf[HF_VALUE_LEN]);

#endif /* HF_BPF_TOOL_H */
