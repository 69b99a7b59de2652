// SPDX-License-Identifier: GPL-2.0
/*
 * holdfast-top: who plays on which array, how much of it is refused and what
 * judging it costs. Reads sums that its BPF programs keep; changes nothing.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "comm.h"
#include "holdfast.h"
#include "need.h"
#include "tool.h"
#include "top.h"
#include "top.skel.h"

#define IDLE_NS		(60 * HF_NS)	/* a row of a process that is gone is kept so long */

static const char usage_text[] =
	"Usage: holdfast-top [OPTION...] [INTERVAL [COUNT]]\n"
	"\n"
	"Frames per process and lease, every INTERVAL seconds (default 1), COUNT times (default:\n"
	"until Ctrl-C).\n"
	"\n"
	"  -i, --index N      only array N\n"
	"  -p, --pid PID      only frames of this process\n"
	"  -s, --sort KEY     rate (default), refused, cost, max, queue, pid\n"
	"  -r, --rows N       at most N rows on a screen (default 20; 0: all)\n"
	"  -b, --batch        one screen below the other\n"
	"  -j, --json         one JSON object a line for each interval, with every row\n"
	"  -v, --verbose      what libbpf says\n"
	"  -h, --help\n"
	"\n"
	HF_USAGE_EXIT
	"holdfast-top(1) says more.\n";

/* A row as of now and as of the interval before. */
struct row {
	struct hf_top_key key;
	struct hf_top_row now;
	struct hf_top_row was;
	uint64_t changed_ns;
	uint64_t round;
	char comm[HF_COMM_LEN];
};

/* Two tables that take turns; sorted by key. */
struct table {
	struct row row[HF_TOP_ROWS];
	size_t n;
};

struct top {
	struct hf_top *bpf;
	struct hf_losses *lost;
	struct hf_comms *comms;
	struct table *now, *was;
	struct row **order;		/* rows of @now, as they are shown */
	int (*sort)(const void *a, const void *b);
	uint64_t began_ns;		/* of the interval */
	size_t rows;
	bool batch, queue;
	struct hf_options o;
};

static uint64_t frames_of(const struct hf_top_row *r)
{
	return r->verdict[0] + r->verdict[1] + r->verdict[2] + r->verdict[3];
}

static uint64_t frames(const struct row *r)
{
	return frames_of(&r->now) - frames_of(&r->was);
}

static uint64_t verdicts(const struct row *r, enum holdfast_verdict v)
{
	return r->now.verdict[v] - r->was.verdict[v];
}

static uint64_t outputs(const struct row *r)
{
	return r->now.outputs - r->was.outputs;
}

static uint64_t cost_mean_ns(const struct row *r)
{
	uint64_t n = frames(r);

	return n ? (r->now.cost_sum_ns - r->was.cost_sum_ns) / n : 0;
}

/* Of the round that is over; if all that was counted came while it was read, of the new one. */
static uint64_t max_of(const struct hf_top_max *m, uint64_t round)
{
	for (uint64_t r = round; r <= round + 1; r++)
		if (m->round[r & 1] == r)
			return m->value[r & 1];
	return 0;
}

static uint64_t cost_max_ns(const struct row *r)
{
	return frames(r) ? max_of(&r->now.cost_ns, r->round) : 0;
}

static bool active(const struct row *r)
{
	return frames(r) || outputs(r) ||
	       r->now.queue_events != r->was.queue_events || r->now.queued;
}

/* ----------------------------------------------------------------------- order */

static int by_key(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key));
}

static int by_pid(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;

	if (x->key.pid != y->key.pid)
		return x->key.pid < y->key.pid ? -1 : 1;
	return x->key.lease < y->key.lease ? -1 : x->key.lease > y->key.lease;
}

#define ORDER(name, value) \
static int by_##name(const void *a, const void *b) \
{ \
	uint64_t x = value(*(struct row *const *)a), y = value(*(struct row *const *)b); \
	return x > y ? -1 : x < y ? 1 : by_pid(a, b); \
}

static uint64_t refused(const struct row *r)
{
	return verdicts(r, HOLDFAST_VERDICT_REJECT);
}

static uint64_t queued(const struct row *r)
{
	return r->now.queued;
}

ORDER(rate, frames)
ORDER(refused, refused)
ORDER(cost, cost_mean_ns)
ORDER(max, cost_max_ns)
ORDER(queue, queued)

static const struct {
	const char *name;
	int (*sort)(const void *a, const void *b);
} keys[] = {
	{ "rate", by_rate }, { "refused", by_refused }, { "cost", by_cost }, { "max", by_max },
	{ "queue", by_queue }, { "pid", by_pid },
};

/* --------------------------------------------------------------------- reading */

/* Rows are only ever deleted here, so that a walk meets each of them once. */
static void forget(struct top *t, struct row *r, uint64_t now_ns)
{
	if (now_ns - r->changed_ns < IDLE_NS || !r->key.pid || !kill((pid_t)r->key.pid, 0) ||
	    errno != ESRCH)
		return;
	bpf_map_delete_elem(bpf_map__fd(t->bpf->maps.rows), &r->key);
}

static int read_rows(struct top *t, uint64_t now_ns)
{
	uint64_t round = t->bpf->bss->tool_round++;
	int fd = bpf_map__fd(t->bpf->maps.rows);
	struct hf_top_key key, *before = NULL;
	struct table *spare = t->was;

	t->was = t->now;
	t->now = spare;
	t->now->n = 0;
	while (t->now->n < HF_TOP_ROWS && !bpf_map_get_next_key(fd, before, &key)) {
		struct row *r = &t->now->row[t->now->n], *old;

		before = &key;
		*r = (struct row){ .key = key, .changed_ns = now_ns, .round = round };
		if (bpf_map_lookup_elem(fd, &key, &r->now))
			return -errno;
		old = bsearch(r, t->was->row, t->was->n, sizeof(*r), by_key);
		if (old) {
			r->was = old->now;
			if (!active(r))
				r->changed_ns = old->changed_ns;
		}
		memcpy(r->comm, hf_comm_name(t->comms, key.pid, r->now.comm, now_ns),
		       sizeof(r->comm));
		t->now->n++;
	}
	for (size_t i = 0; i < t->now->n; i++)
		forget(t, &t->now->row[i], now_ns);
	qsort(t->now->row, t->now->n, sizeof(t->now->row[0]), by_key);
	for (size_t i = 0; i < t->now->n; i++)
		t->order[i] = &t->now->row[i];
	qsort(t->order, t->now->n, sizeof(t->order[0]), t->sort);
	return hf_losses_read(t->lost, t->bpf->obj);
}

/* --------------------------------------------------------------------- telling */

static json_t *row_json(const struct top *t, const struct row *r, double seconds)
{
	const struct hf_top_row *now = &r->now;
	json_t *queue = json_null();

	if (t->queue && now->queue_events)
		queue = json_pack("{s:I, s:I, s:I}", "queued", (json_int_t)now->queued,
				  "queued_max", (json_int_t)max_of(&now->queue, r->round),
				  "room", (json_int_t)now->room);
	return json_pack("{s:I, s:I, s:I, s:s, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
			 " s:{s:o, s:o, s:o, s:o, s:o}}",
			 "index", (json_int_t)r->key.index, "lease", (json_int_t)r->key.lease,
			 "pid", (json_int_t)r->key.pid, "comm", r->comm,
			 "frames", hf_json_u64(frames(r)),
			 "frames_per_s", (double)frames(r) / seconds,
			 "admitted", hf_json_u64(verdicts(r, HOLDFAST_VERDICT_ADMIT)),
			 "attenuated", hf_json_u64(verdicts(r, HOLDFAST_VERDICT_ATTENUATE)),
			 "refused", hf_json_u64(verdicts(r, HOLDFAST_VERDICT_REJECT)),
			 "outputs", hf_json_u64(outputs(r)),
			 "cost_mean_ns", hf_json_u64(cost_mean_ns(r)),
			 "cost_max_ns", hf_json_u64(cost_max_ns(r)), "queue", queue, "total",
			 "frames", hf_json_u64(frames_of(now)),
			 "admitted", hf_json_u64(now->verdict[HOLDFAST_VERDICT_ADMIT]),
			 "attenuated", hf_json_u64(now->verdict[HOLDFAST_VERDICT_ATTENUATE]),
			 "refused", hf_json_u64(now->verdict[HOLDFAST_VERDICT_REJECT]),
			 "outputs", hf_json_u64(now->outputs));
}

static int tell_json(struct top *t, uint64_t now_ns, double seconds)
{
	json_t *rows = json_array();
	char time[HF_TIME_LEN];

	for (size_t i = 0; i < t->now->n; i++)
		if (json_array_append_new(rows, row_json(t, t->order[i], seconds))) {
			json_decref(rows);
			return -ENOMEM;
		}
	return hf_json_line(json_pack("{s:s, s:o, s:o, s:b, s:o, s:o}",
				      "time", hf_time_text(now_ns, time),
				      "monotonic_ns", hf_json_u64(now_ns),
				      "interval_ns", hf_json_u64(now_ns - t->began_ns),
				      "queue", t->queue, "rows", rows,
				      "lost", hf_losses_json(t->lost)));
}

static void tell_row(const struct top *t, const struct row *r, double seconds)
{
	char fill[32] = "-";

	if (t->queue && r->now.queue_events)
		snprintf(fill, sizeof(fill), "%u/%" PRIu64, r->now.queued,
			 (uint64_t)r->now.queued + r->now.room);
	printf("%5u %8u %-15s %6" PRIu64 " %9.1f %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64
	       " %9.1f %9.1f %9s\n", r->key.index, r->key.pid, r->comm, (uint64_t)r->key.lease,
	       (double)frames(r) / seconds, verdicts(r, HOLDFAST_VERDICT_ADMIT),
	       verdicts(r, HOLDFAST_VERDICT_ATTENUATE), refused(r), outputs(r),
	       (double)cost_mean_ns(r) / 1e3, (double)cost_max_ns(r) / 1e3, fill);
}

static int tell_text(struct top *t, uint64_t now_ns, double seconds)
{
	size_t shown = 0, n = 0;
	char time[HF_TIME_LEN];

	if (!t->batch)
		fputs("\033[H\033[2J", stdout);
	printf("%s  %.1f s%s\n", hf_time_text(now_ns, time), seconds,
	       t->queue ? "" : "  (queue: not in this driver)");
	printf("%5s %8s %-15s %6s %9s %8s %8s %8s %8s %9s %9s %9s\n", "ARRAY", "PID", "COMM",
	       "LEASE", "FRAMES/S", "ADMIT", "ATTEN", "REFUSE", "OUTPUT", "COST_US", "MAX_US",
	       "QUEUE");
	for (size_t i = 0; i < t->now->n; i++) {
		if (!active(t->order[i]))
			continue;
		n++;
		if (t->rows && shown >= t->rows)
			continue;
		tell_row(t, t->order[i], seconds);
		shown++;
	}
	if (n > shown)
		printf("(%zu more)\n", n - shown);
	if (hf_losses_sum(t->lost))
		printf("lost so far: %" PRIu64 " events of processes beyond %u rows, "
		       "%" PRIu64 " missed\n", t->lost->no_room, HF_TOP_ROWS, t->lost->missed);
	if (t->batch)
		putchar('\n');
	return fflush(stdout) ? -EIO : 0;
}

/* The interval that ends now. */
static int interval(void *tool)
{
	struct top *t = tool;
	uint64_t now_ns;
	double seconds;
	int ret;

	now_ns = hf_mono_ns();
	seconds = (double)(now_ns - t->began_ns) / 1e9;
	ret = read_rows(t, now_ns);
	if (!ret)
		ret = t->o.json ? tell_json(t, now_ns, seconds) : tell_text(t, now_ns, seconds);
	t->began_ns = now_ns;
	return ret;
}

static void detach(void *tool)
{
	struct top *t = tool;

	hf_top__detach(t->bpf);
}

static int run(struct top *t, const struct hf_pace *pace)
{
	int ret;

	t->began_ns = hf_mono_ns();
	hf_tool_ready(t->queue ? "" : " (queue: not in this driver)");
	ret = hf_pace_run(pace, t, detach, interval);
	return ret ?: hf_losses_say(t->lost);
}

static int start(struct top *t)
{
	struct hf_point points[] = { HF_POINT_FRAME, HF_POINT_OUTPUT, HF_POINT_QUEUE };
	int ret = hf_need(points, 3, false);

	if (ret)
		return ret;
	t->queue = points[2].there;
	t->bpf = hf_top__open();
	if (!t->bpf) {
		warn("BPF programs");
		return HF_EXIT_ERROR;
	}
	t->bpf->rodata->only_index = t->o.index;
	t->bpf->rodata->only_pid = t->o.pid;
	t->bpf->bss->tool_round = 1;
	bpf_program__set_autoload(t->bpf->progs.queue, t->queue);
	ret = hf_top__load(t->bpf);
	if (!ret)
		ret = hf_top__attach(t->bpf);
	return ret ? hf_not_taken(ret) : HF_EXIT_OK;
}

static void *memory(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		errx(HF_EXIT_ERROR, "no memory");
	return p;
}

static int (*sort_by(const char *name))(const void *a, const void *b)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(name, keys[i].name))
			return keys[i].sort;
	errx(HF_EXIT_USAGE, "cannot sort by '%s': rate, refused, cost, max, queue or pid", name);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		HF_LONG_OPTIONS, { "sort", required_argument, NULL, 's' },
		{ "rows", required_argument, NULL, 'r' }, { "batch", no_argument, NULL, 'b' }, { 0 },
	};
	struct top t = {
		.sort = by_rate, .rows = 20, .o = { .usage = usage_text, .index = HF_ALL_ARRAYS },
	};
	struct hf_pace pace = { .every_s = 1 };
	int c, ret;

	while ((c = getopt_long(argc, argv, HF_SHORT_OPTIONS "s:r:b", options, NULL)) != -1) {
		switch (c) {
		case 's':
			t.sort = sort_by(optarg);
			break;
		case 'r':
			t.rows = hf_number("rows", optarg, 0, HF_TOP_ROWS);
			break;
		case 'b':
			t.batch = true;
			break;
		default:
			hf_option(&t.o, c);
		}
	}
	hf_pace_read(&pace, argc, argv);
	if (!isatty(STDOUT_FILENO))
		t.batch = true;

	hf_tool_begin(t.o.verbose);
	t.now = memory(1, sizeof(*t.now));
	t.was = memory(1, sizeof(*t.was));
	t.order = memory(HF_TOP_ROWS, sizeof(*t.order));
	t.comms = memory(1, sizeof(*t.comms));
	t.comms->read = hf_comm_read;
	t.lost = hf_losses_new();
	if (!t.lost)
		errx(HF_EXIT_ERROR, "no memory");
	ret = start(&t);
	if (!ret)
		ret = run(&t, &pace);
	hf_top__destroy(t.bpf);
	free(t.lost);
	free(t.comms);
	free(t.order);
	free(t.was);
	free(t.now);
	return hf_tool_end(ret);
}
