// SPDX-License-Identifier: GPL-2.0
/*
 * holdfast-snoop: a line for every refusal and every trip, as they happen.
 * Whom a trip is laid to is asked of the driver, with the rights of the caller;
 * changes nothing.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm.h"
#include "event.h"
#include "libholdfast.h"
#include "need.h"
#include "snoop.skel.h"
#include "tool.h"

#define POLL_MS	100

static const char usage_text[] =
	"Usage: holdfast-snoop [OPTION...]\n"
	"\n"
	"Refusals of frames and trips of arrays, one line each, until Ctrl-C.\n"
	"\n"
	"  -i, --index N      only array N\n"
	"  -p, --pid PID      only what this process is refused, and trips laid to it\n"
	"      --refusals     no trips\n"
	"      --trips        no refusals\n"
	"  -c, --count N      end after N lines\n"
	"  -b, --buffer KIB   ring buffer (default 256; rounded up to a power of two)\n"
	"  -j, --json         one JSON object a line\n"
	"  -v, --verbose      what libbpf says\n"
	"  -h, --help\n"
	"\n"
	HF_USAGE_EXIT
	"holdfast-snoop(1) says more.\n";

struct snoop {
	struct hf_snoop *bpf;
	struct hf_losses *lost;
	struct hf_comms *comms;
	uint64_t lines, most;		/* @most: 0 is no end */
	uint64_t lost_said;
	bool refusals, trips;
	struct hf_options o;
	int error;
};

/* Who is behind an event; @pid 0: not known. */
struct who {
	uint32_t pid;
	uint64_t lease;
	char comm[HF_COMM_LEN];
};

/* What a line says besides who. */
struct what {
	const struct hf_bpf_head *head;
	const char *event;
	const char *cause;	/* NULL: none */
	uint32_t limit, where;
	int64_t measured, bound;
};

static void tell_text(struct snoop *s, const struct what *w, const struct who *who)
{
	char measured[HF_VALUE_LEN], bound[HF_VALUE_LEN], where[HF_VALUE_LEN], time[HF_TIME_LEN];
	char pid[12] = "-", lease[24] = "-";

	if (who->pid)
		snprintf(pid, sizeof(pid), "%u", who->pid);
	if (who->lease)
		snprintf(lease, sizeof(lease), "%" PRIu64, who->lease);
	printf("%s %5u %-7s %-19s %8s %-15s %6s %-15s %5s %14s %14s\n",
	       hf_time_text(w->head->time_ns, time), w->head->index, w->event, w->cause ?: "-", pid,
	       who->pid ? who->comm : "-", lease, holdfast_limit_name(w->limit),
	       hf_where_text(w->where, where), hf_value_text(w->limit, w->measured, measured),
	       hf_value_text(w->limit, w->bound, bound));
	if (fflush(stdout))
		s->error = -EIO;
}

/* Takes @more, the fields of this kind of event. */
static void tell_json(struct snoop *s, const struct what *w, const struct who *who, json_t *more)
{
	char time[HF_TIME_LEN];
	json_t *j = json_pack("{s:s, s:o, s:s, s:I, s:s?, s:o, s:s?, s:o}", "time",
			      hf_time_text(w->head->time_ns, time),
			      "monotonic_ns", hf_json_u64(w->head->time_ns), "event", w->event,
			      "index", (json_int_t)w->head->index, "cause", w->cause,
			      "pid", who->pid ? json_integer(who->pid) : json_null(),
			      "comm", who->pid ? who->comm : NULL,
			      "lease", who->lease ? hf_json_u64(who->lease) : json_null());

	if (!more || hf_json_reason(j, w->limit, w->where, w->measured, w->bound) ||
	    json_object_update(j, more)) {
		json_decref(j);
		s->error = -ENOMEM;
	} else {
		s->error = hf_json_line(j);
	}
	json_decref(more);
}

static void tell_refusal(struct snoop *s, const struct hf_bpf_frame *e)
{
	const struct what w = {
		&e->head, "refused", NULL, e->limit, e->where, e->measured, e->bound,
	};
	struct who who = { .pid = e->pid, .lease = e->lease };
	char cookie[24];

	if (!s->refusals)
		return;
	memcpy(who.comm, hf_comm_name(s->comms, e->pid, e->comm, hf_mono_ns()), sizeof(who.comm));
	s->lines++;
	if (!s->o.json) {
		tell_text(s, &w, &who);
		return;
	}
	/* As text: a program may use all 64 bits, and JSON's numbers have fewer. */
	snprintf(cookie, sizeof(cookie), "%" PRIu64, (uint64_t)e->cookie);
	tell_json(s, &w, &who, json_pack("{s:s, s:o}", "cookie", cookie, "cost_ns",
					 hf_json_u64(e->cost_ns)));
}

/*
 * The tracepoint does not say who it was. The driver does, unless the trip has
 * given way to a worse one.
 */
static struct who who_tripped(const struct hf_bpf_trip *e)
{
	struct holdfast_array *a;
	struct holdfast_trip t;
	struct who who = {};
	char which[12];

	snprintf(which, sizeof(which), "%u", e->head.index);
	if (holdfast_open(&a, which, 0))
		return who;
	if (!holdfast_trip_get(a, &t) && t.detect_ns == e->detect_ns) {
		who.lease = t.lease;
		who.pid = t.pid > 0 ? (uint32_t)t.pid : 0;
		hf_comm_clean(who.comm, t.comm, sizeof(t.comm));
	}
	holdfast_close(a);
	return who;
}

static void tell_trip(struct snoop *s, const struct hf_bpf_trip *e)
{
	const struct what w = {
		&e->head, "trip", holdfast_cause_name(e->cause), e->limit, e->where, e->measured,
		e->bound,
	};
	struct who who;

	if (!s->trips)
		return;
	who = who_tripped(e);
	if (s->o.pid && who.pid != s->o.pid)
		return;
	s->lines++;
	if (!s->o.json)
		tell_text(s, &w, &who);
	else
		tell_json(s, &w, &who,
			  json_pack("{s:s, s:o, s:o, s:o}", "severity",
				    holdfast_severity_name(e->severity),
				    "onset_ns", hf_json_u64(e->onset_ns),
				    "detect_ns", hf_json_u64(e->detect_ns),
				    "silence_ns", hf_json_u64(e->silence_ns)));
}

static int on_event(void *arg, void *data, size_t size)
{
	const struct hf_bpf_head *head = data;
	struct snoop *s = arg;

	if (s->error || (s->most && s->lines >= s->most))
		return 0;
	if (head->type == HF_BPF_FRAME && size >= sizeof(struct hf_bpf_frame))
		tell_refusal(s, data);
	else if (head->type == HF_BPF_TRIP && size >= sizeof(struct hf_bpf_trip))
		tell_trip(s, data);
	return 0;
}

/* Losses are said where they happened, not only at the end. */
static void look_for_losses(struct snoop *s)
{
	char time[HF_TIME_LEN];
	int ret = hf_losses_read(s->lost, s->bpf->obj);

	if (ret) {
		s->error = ret;
		return;
	}
	if (hf_losses_sum(s->lost) == s->lost_said)
		return;
	s->lost_said = hf_losses_sum(s->lost);
	if (s->o.json)
		s->error = hf_json_line(json_pack("{s:s, s:s, s:o}", "time",
						  hf_time_text(hf_mono_ns(), time), "event", "lost",
						  "lost", hf_losses_json(s->lost)));
	else
		printf("%s lost so far: %" PRIu64 " events\n", hf_time_text(hf_mono_ns(), time),
		       s->lost_said);
}

static int run(struct snoop *s)
{
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(s->bpf->maps.ring), on_event, s,
						    NULL);
	int ret = 0;

	if (!ring) {
		warn("ring buffer");
		return HF_EXIT_ERROR;
	}
	if (!s->o.json)
		printf("%-27s %5s %-7s %-19s %8s %-15s %6s %-15s %5s %14s %14s\n", "TIME", "ARRAY",
		       "EVENT", "CAUSE", "PID", "COMM", "LEASE", "LIMIT", "WHERE", "MEASURED",
		       "BOUND");
	fflush(stdout);
	hf_tool_ready("");
	while (!s->error && !(s->most && s->lines >= s->most) && !hf_tool_wait(0)) {
		ret = ring_buffer__poll(ring, POLL_MS);
		if (ret < 0 && ret != -EINTR)
			s->error = ret;
		look_for_losses(s);
	}
	hf_snoop__detach(s->bpf);
	ret = ring_buffer__consume(ring);
	if (ret < 0 && !s->error)
		s->error = ret;
	if (!s->error)
		look_for_losses(s);
	ring_buffer__free(ring);
	if (s->error) {
		warnx("%s", strerror(-s->error));
		return HF_EXIT_ERROR;
	}
	return hf_losses_say(s->lost);
}

static int start(struct snoop *s, uint32_t kib)
{
	struct hf_point points[] = { HF_POINT_FRAME, HF_POINT_TRIP };
	int ret = hf_need(points, 2, true);

	if (ret)
		return ret;
	s->bpf = hf_snoop__open();
	if (!s->bpf) {
		warn("BPF programs");
		return HF_EXIT_ERROR;
	}
	s->bpf->rodata->only_index = s->o.index;
	s->bpf->rodata->only_pid = s->o.pid;
	bpf_program__set_autoload(s->bpf->progs.frame, s->refusals);
	bpf_program__set_autoload(s->bpf->progs.trip, s->trips);
	ret = bpf_map__set_max_entries(s->bpf->maps.ring, hf_ring_bytes(kib));
	if (!ret)
		ret = hf_snoop__load(s->bpf);
	if (!ret)
		ret = hf_snoop__attach(s->bpf);
	return ret ? hf_not_taken(ret) : HF_EXIT_OK;
}

int main(int argc, char **argv)
{
	enum { ONLY_REFUSALS = 256, ONLY_TRIPS };
	static const struct option options[] = {
		HF_LONG_OPTIONS, { "refusals", no_argument, NULL, ONLY_REFUSALS },
		{ "trips", no_argument, NULL, ONLY_TRIPS },
		{ "count", required_argument, NULL, 'c' },
		{ "buffer", required_argument, NULL, 'b' }, { 0 },
	};
	struct snoop s = {
		.refusals = true, .trips = true,
		.o = { .usage = usage_text, .index = HF_ALL_ARRAYS },
	};
	uint32_t kib = 256;
	int c, ret;

	while ((c = getopt_long(argc, argv, HF_SHORT_OPTIONS "c:b:", options, NULL)) != -1) {
		switch (c) {
		case ONLY_REFUSALS:
			s.trips = false;
			break;
		case ONLY_TRIPS:
			s.refusals = false;
			break;
		case 'c':
			s.most = hf_number("count", optarg, 1, UINT32_MAX);
			break;
		case 'b':
			kib = (uint32_t)hf_number("buffer", optarg, 4, HF_RING_KIB_MAX);
			break;
		default:
			hf_option(&s.o, c);
		}
	}
	hf_no_more(argc, argv);
	if (!s.refusals && !s.trips)
		errx(HF_EXIT_USAGE, "--refusals and --trips leave nothing");

	hf_tool_begin(s.o.verbose);
	s.comms = calloc(1, sizeof(*s.comms));
	s.lost = hf_losses_new();
	if (!s.comms || !s.lost)
		errx(HF_EXIT_ERROR, "no memory");
	s.comms->read = hf_comm_read;
	ret = start(&s, kib);
	if (!ret)
		ret = run(&s);
	hf_snoop__destroy(s.bpf);
	free(s.lost);
	free(s.comms);
	return hf_tool_end(ret);
}
