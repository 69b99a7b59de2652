// SPDX-License-Identifier: GPL-2.0
/* What the tools share (tool.h). Nothing that one tool alone knows. */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "libholdfast.h"
#include "need.h"
#include "tool.h"

static sigset_t ends;
static bool ended;

uint64_t hf_number(const char *what, const char *text, uint64_t min, uint64_t max)
{
	uint64_t v;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || v < min || v > max)
		errx(HF_EXIT_USAGE, "%s '%s' is no number from %" PRIu64 " to %" PRIu64, what, text,
		     min, max);
	return v;
}

void hf_option(struct hf_options *o, int c)
{
	switch (c) {
	case 'i':
		o->index = (uint32_t)hf_number("array", optarg, 0, UINT32_MAX - 1);
		break;
	case 'p':
		o->pid = (uint32_t)hf_number("process", optarg, 1, INT32_MAX);
		break;
	case 'j':
		o->json = true;
		break;
	case 'v':
		o->verbose = true;
		break;
	case 'h':
		fputs(o->usage, stdout);
		exit(hf_tool_end(HF_EXIT_OK));
	default:
		fputs(o->usage, stderr);
		exit(HF_EXIT_USAGE);
	}
}

void hf_no_more(int argc, char **argv)
{
	if (optind < argc)
		errx(HF_EXIT_USAGE, "one argument too many: '%s'", argv[optind]);
}

void hf_pace_read(struct hf_pace *p, int argc, char **argv)
{
	if (optind < argc)
		p->every_s = hf_number("interval", argv[optind++], 1, 86400);
	if (optind < argc)
		p->count = hf_number("count", argv[optind++], 1, UINT32_MAX);
	hf_no_more(argc, argv);
}

int hf_pace_run(const struct hf_pace *p, void *tool, void (*detach)(void *tool),
		int (*interval)(void *tool))
{
	bool end = false;
	int ret = 0;

	for (uint64_t i = 1; !ret && !end; i++) {
		if (p->every_s)
			end = hf_tool_wait(p->every_s * HF_NS) || i == p->count;
		else
			while (!end)
				end = hf_tool_wait(3600 * HF_NS);
		if (end)
			detach(tool);
		ret = interval(tool);
	}
	if (!ret)
		return HF_EXIT_OK;
	warnx("%s", strerror(-ret));
	return HF_EXIT_ERROR;
}

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

void hf_tool_begin(bool verbose)
{
	if (!verbose)
		libbpf_set_print(quiet);
	/* Blocked and asked for: an end that comes just before a wait is not slept over. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
}

bool hf_tool_wait(uint64_t ns)
{
	uint64_t until = hf_mono_ns() + ns;

	while (!ended) {
		uint64_t now = hf_mono_ns(), left = until > now ? until - now : 0;
		struct timespec t = { (time_t)(left / HF_NS), (long)(left % HF_NS) };

		if (sigtimedwait(&ends, NULL, &t) > 0)
			ended = true;
		else if (errno != EINTR)
			break;
	}
	return ended;
}

int hf_not_taken(int error)
{
	warnx("the kernel does not take the BPF programs: %s (-v says more)", strerror(-error));
	return HF_EXIT_ERROR;
}

void hf_tool_ready(const char *more)
{
	fprintf(stderr, "%s: watching%s; Ctrl-C ends\n", program_invocation_short_name, more);
}

int hf_tool_end(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	warn("standard output");
	return HF_EXIT_ERROR;
}

uint32_t hf_ring_bytes(uint32_t kib)
{
	uint32_t bytes = (uint32_t)sysconf(_SC_PAGESIZE);

	while (bytes / 1024 < kib)
		bytes *= 2;
	return bytes;
}

uint64_t hf_mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * HF_NS + (uint64_t)t.tv_nsec;
}

/* How far CLOCK_REALTIME is ahead now, by the reading that was least interrupted. */
static int64_t real_ahead_ns(void)
{
	uint64_t least = UINT64_MAX;
	int64_t ahead = 0;

	for (int i = 0; i < 5; i++) {
		uint64_t before = hf_mono_ns(), took;
		struct timespec t;

		clock_gettime(CLOCK_REALTIME, &t);
		took = hf_mono_ns() - before;
		if (took >= least)
			continue;
		least = took;
		ahead = (int64_t)t.tv_sec * (int64_t)HF_NS + t.tv_nsec -
			(int64_t)(before + took / 2);
	}
	return ahead;
}

char *hf_time_text(uint64_t ns, char buf[HF_TIME_LEN])
{
	int64_t then = (int64_t)ns + real_ahead_ns();
	struct tm tm;
	time_t s;
	size_t n;

	if (then < 0)
		then = 0;
	s = then / (int64_t)HF_NS;
	gmtime_r(&s, &tm);
	n = strftime(buf, HF_TIME_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, HF_TIME_LEN - n, ".%06" PRId64 "Z", then % (int64_t)HF_NS / 1000);
	return buf;
}

/* ---------------------------------------------------------------- lost events */

struct hf_losses *hf_losses_new(void)
{
	int cpus = libbpf_num_possible_cpus();
	struct hf_losses *l;

	if (cpus <= 0)
		return NULL;
	l = calloc(1, sizeof(*l) + (size_t)cpus * sizeof(l->cpu[0]));
	if (l)
		l->cpus = (unsigned int)cpus;
	return l;
}

int hf_losses_read(struct hf_losses *l, struct bpf_object *obj)
{
	struct bpf_program *prog;
	uint64_t missed = 0, sum = 0;
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(obj, "lost"), &zero, l->cpu))
		return -errno;
	for (unsigned int i = 0; i < l->cpus; i++)
		sum += l->cpu[i];
	bpf_object__for_each_program(prog, obj) {
		struct bpf_prog_info info = {};
		uint32_t len = sizeof(info);

		if (!bpf_program__autoload(prog))
			continue;
		if (bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
			return -errno;
		missed += info.recursion_misses;
	}
	l->no_room = sum;
	l->missed = missed;
	return 0;
}

json_t *hf_losses_json(const struct hf_losses *l)
{
	json_t *cpus = json_object();
	char cpu[12];

	for (unsigned int i = 0; i < l->cpus; i++) {
		if (!l->cpu[i])
			continue;
		snprintf(cpu, sizeof(cpu), "%u", i);
		json_object_set_new(cpus, cpu, hf_json_u64(l->cpu[i]));
	}
	return json_pack("{s:o, s:o, s:o}", "no_room", hf_json_u64(l->no_room), "per_cpu", cpus,
			 "missed", hf_json_u64(l->missed));
}

int hf_losses_say(const struct hf_losses *l)
{
	if (!hf_losses_sum(l))
		return HF_EXIT_OK;
	fprintf(stderr, "%s: lost: %" PRIu64 " events found no room (",
		program_invocation_short_name, l->no_room);
	for (unsigned int i = 0, n = 0; i < l->cpus; i++)
		if (l->cpu[i])
			fprintf(stderr, "%scpu %u: %" PRIu64, n++ ? ", " : "", i, l->cpu[i]);
	fprintf(stderr, "), %" PRIu64 " came while the program was running already\n", l->missed);
	return HF_EXIT_LOST;
}

/* ---------------------------------------------------------------------- values */

json_t *hf_json_u64(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

int hf_json_line(json_t *j)
{
	int ret = -ENOMEM;

	if (j)
		ret = json_dumpf(j, stdout, JSON_COMPACT) || putchar('\n') < 0 ? -EIO : 0;
	json_decref(j);
	/* Whoever reads lines waits for each. */
	return !ret && fflush(stdout) ? -EIO : ret;
}

int hf_json_reason(json_t *j, uint32_t limit, uint32_t where, int64_t measured, int64_t bound)
{
	const struct holdfast_limit_desc *d = holdfast_limit_desc(limit);
	json_t *more = json_pack("{s:s, s:o, s:o, s:o, s:s?}",
				 "limit", holdfast_limit_name(limit), "where",
				 where == HOLDFAST_NOWHERE ? json_null() : json_integer(where),
				 "measured", d ? json_integer(measured) : json_null(),
				 "bound", d ? json_integer(bound) : json_null(),
				 "unit", d ? d->unit : NULL);

	return json_object_update_new(j, more);
}

char *hf_value_text(uint32_t limit, int64_t value, char buf[HF_VALUE_LEN])
{
	const struct holdfast_limit_desc *d = holdfast_limit_desc(limit);

	if (d)
		return holdfast_value_print(value, d->unit, buf, HF_VALUE_LEN);
	return strcpy(buf, "-");
}

char *hf_where_text(uint32_t where, char buf[HF_VALUE_LEN])
{
	if (where == HOLDFAST_NOWHERE)
		return strcpy(buf, "-");
	snprintf(buf, HF_VALUE_LEN, "%u", where);
	return buf;
}
