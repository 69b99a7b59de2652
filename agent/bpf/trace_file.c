// SPDX-License-Identifier: GPL-2.0
/*
 * The file of holdfast-trace (trace_file.h). An event of the driver is one entry
 * of the file (an output: begin and end of a span), in the order in which they
 * ended; what only gives things names has the phase "M". Memory is of a fixed size.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "holdfast_netlink.h"
#include "libholdfast.h"
#include "trace_file.h"

/* Numbers of tracks; those of real processes are below 2^22. */
#define ARRAY_PID	5000000U	/* the array's own tracks: + index */
#define LEASE_TID	6000000U	/* tracks of leases: + number of the track */

enum track { TRACK_STATE = 1, TRACK_TRIPS, TRACK_SENSORS, TRACK_TICKS, TRACK_LOST };

static const char *const track_names[] = {
	[TRACK_STATE] = "state", [TRACK_TRIPS] = "trips", [TRACK_SENSORS] = "sensors",
	[TRACK_TICKS] = "ticks", [TRACK_LOST] = "lost",
};

static const char *const type_names[] = {
	[HF_BPF_FRAME] = "frame", [HF_BPF_OUTPUT] = "output", [HF_BPF_STATE] = "state",
	[HF_BPF_TRIP] = "trip", [HF_BPF_SENSOR] = "sensor", [HF_BPF_TICK] = "tick",
	[HF_BPF_QUEUE] = "queue",
};

static const size_t type_sizes[] = {
	[HF_BPF_FRAME] = sizeof(struct hf_bpf_frame),
	[HF_BPF_OUTPUT] = sizeof(struct hf_bpf_output),
	[HF_BPF_STATE] = sizeof(struct hf_bpf_state),
	[HF_BPF_TRIP] = sizeof(struct hf_bpf_trip),
	[HF_BPF_SENSOR] = sizeof(struct hf_bpf_sensor),
	[HF_BPF_TICK] = sizeof(struct hf_bpf_tick),
	[HF_BPF_QUEUE] = sizeof(struct hf_bpf_queue),
};

#define TYPES	(sizeof(type_names) / sizeof(type_names[0]))

/* Held back until nothing can come that belongs before it. */
struct held {
	uint64_t end_ns;
	uint64_t number;	/* of those that end at once, the first stays first */
	_Alignas(8) char record[HF_TRACE_RECORD];
};

struct lease_track {
	uint64_t lease;
	uint32_t pid;
};

struct hf_trace {
	FILE *f;
	struct hf_comms *comms;
	uint32_t index;
	uint64_t bytes;
	uint64_t began_ns, newest_ns, written_ns;
	uint64_t count[TYPES];
	uint64_t numbers, spans, out_of_order, not_understood;
	uint64_t state_ns;		/* when the state began */
	const char *state;		/* NULL: it has not changed yet */
	bool tracks_full;
	size_t tracks;
	struct lease_track track[HF_TRACE_TRACKS];
	size_t held_n;
	struct held held[HF_TRACE_HELD];	/* a heap, the earliest end on top */
};

/* --------------------------------------------------------------------- writing */

/* An entry; @dur_ns is for spans ("X"), @more for what a phase needs besides. Takes @args. */
static void put(struct hf_trace *t, const char *phase, uint32_t pid, uint32_t tid, const char *name,
		uint64_t ts_ns, uint64_t dur_ns, const char *more, json_t *args)
{
	json_t *text = json_string(name);
	char *quoted = json_dumps(text, JSON_ENCODE_ANY), *detail = json_dumps(args, JSON_COMPACT);
	int n;

	/* Microseconds with decimals, by integers: a double would round them. */
	n = fprintf(t->f, "%s{\"ph\":\"%s\",\"pid\":%u,\"tid\":%u,\"ts\":%" PRIu64
		    ".%03u,\"name\":%s",
		    t->bytes ? ",\n" : "{\"traceEvents\":[\n", phase, pid, tid, ts_ns / 1000,
		    (unsigned int)(ts_ns % 1000), quoted ?: "\"?\"");
	t->bytes += n > 0 ? (uint64_t)n : 0;
	if (*phase == 'X') {
		n = fprintf(t->f, ",\"dur\":%" PRIu64 ".%03u", dur_ns / 1000,
			    (unsigned int)(dur_ns % 1000));
		t->bytes += n > 0 ? (uint64_t)n : 0;
	}
	n = fprintf(t->f, "%s,\"args\":%s}", more, detail ?: "{}");
	t->bytes += n > 0 ? (uint64_t)n : 0;
	free(quoted);
	free(detail);
	json_decref(text);
	json_decref(args);
}

static uint32_t array_pid(const struct hf_trace *t)
{
	return ARRAY_PID + t->index;
}

/* What a track, or the group of it, is called. */
static void name(struct hf_trace *t, const char *what, uint32_t pid, uint32_t tid, const char *text)
{
	put(t, "M", pid, tid, what, t->began_ns, 0, "", json_pack("{s:s}", "name", text));
}

/* The track of a lease in the group of its process; all that find no room share one. */
static uint32_t lease_tid(struct hf_trace *t, uint32_t pid, uint64_t lease, const char *comm)
{
	bool known = false;
	char text[64];
	size_t i;

	for (i = 0; i < t->tracks; i++) {
		if (t->track[i].pid != pid)
			continue;
		known = true;
		if (t->track[i].lease == lease)
			return LEASE_TID + (uint32_t)i;
	}
	if (t->tracks == HF_TRACE_TRACKS) {
		if (!t->tracks_full)
			name(t, "thread_name", pid, LEASE_TID + HF_TRACE_TRACKS, "more leases");
		t->tracks_full = true;
		return LEASE_TID + HF_TRACE_TRACKS;
	}
	t->track[t->tracks++] = (struct lease_track){ lease, pid };
	if (!known) {
		comm = hf_comm_name(t->comms, pid, comm, t->newest_ns);
		snprintf(text, sizeof(text), "%s %u", comm, pid);
		name(t, "process_name", pid, 0, text);
	}
	snprintf(text, sizeof(text), "lease %" PRIu64, lease);
	name(t, "thread_name", pid, LEASE_TID + (uint32_t)i, text);
	return LEASE_TID + (uint32_t)i;
}

static json_t *u64(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

/* A reason, if there is one, into the arguments of an event. */
static json_t *with_reason(json_t *args, uint32_t limit, uint32_t where, int64_t measured,
			   int64_t bound)
{
	const struct holdfast_limit_desc *d = holdfast_limit_desc(limit);

	if (!d)
		return args;
	json_object_set_new(args, "limit", json_string(d->name));
	json_object_set_new(args, "measured", json_integer(measured));
	json_object_set_new(args, "bound", json_integer(bound));
	json_object_set_new(args, "unit", json_string(d->unit));
	if (where != HOLDFAST_NOWHERE)
		json_object_set_new(args, "where", json_integer(where));
	return args;
}

/* A user's 64 bits, as text: JSON's numbers have fewer. */
static json_t *cookie_of(uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	return json_string(text);
}

static uint64_t since(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

/* ---------------------------------------------------------------------- events */

static void put_frame(struct hf_trace *t, const struct hf_bpf_frame *e)
{
	uint64_t cost = e->cost_ns < e->head.time_ns ? e->cost_ns : 0;
	uint32_t tid = lease_tid(t, e->pid, e->lease, "");
	json_t *args = json_pack("{s:o, s:o, s:I, s:o}", "lease", u64(e->lease), "cookie",
				 cookie_of(e->cookie), "scale_q16", (json_int_t)e->scale_q16,
				 "cost_ns", u64(e->cost_ns));

	put(t, "X", e->pid, tid, holdfast_verdict_name(e->verdict), e->head.time_ns - cost, cost,
	    ",\"cat\":\"frame\"", with_reason(args, e->limit, e->where, e->measured, e->bound));
}

/* Many frames of a lease may be on their way at once: spans with numbers of their own. */
static void put_output(struct hf_trace *t, const struct hf_bpf_output *e)
{
	uint32_t tid = lease_tid(t, e->pid, e->lease, "");
	char more[64];

	snprintf(more, sizeof(more), ",\"cat\":\"output\",\"id\":\"0x%" PRIx64 "\"", ++t->spans);
	put(t, "b", e->pid, tid, "submit to emit", e->submit_ns, 0, more,
	    json_pack("{s:o, s:o, s:o}", "lease", u64(e->lease), "cookie", cookie_of(e->cookie),
		      "took_ns", u64(since(e->submit_ns, e->emit_ns))));
	put(t, "e", e->pid, tid, "submit to emit", e->emit_ns, 0, more, json_object());
}

static void put_state_span(struct hf_trace *t, const char *state, uint64_t end_ns, json_t *args)
{
	put(t, "X", array_pid(t), TRACK_STATE, state, t->state_ns, since(t->state_ns, end_ns),
	    ",\"cat\":\"state\"", args);
	t->state_ns = end_ns;
}

static void put_state(struct hf_trace *t, const struct hf_bpf_state *e)
{
	put_state_span(t, holdfast_state_name(e->from), e->head.time_ns,
		       json_pack("{s:s, s:s}", "then", holdfast_state_name(e->to), "by",
				 holdfast_detail_name(e->detail)));
	t->state = holdfast_state_name(e->to);
}

static void put_trip(struct hf_trace *t, const struct hf_bpf_trip *e)
{
	json_t *args = json_pack("{s:s, s:o, s:o}", "severity", holdfast_severity_name(e->severity),
				 "onset_to_silence_ns", u64(since(e->onset_ns, e->silence_ns)),
				 "detect_to_silence_ns", u64(since(e->detect_ns, e->silence_ns)));

	put(t, "X", array_pid(t), TRACK_TRIPS, holdfast_cause_name(e->cause), e->detect_ns,
	    since(e->detect_ns, e->silence_ns), ",\"cat\":\"trip\"",
	    with_reason(args, e->limit, e->where, e->measured, e->bound));
}

static void put_sensor(struct hf_trace *t, const struct hf_bpf_sensor *e)
{
	static const char *const units[] = {
		[HOLDFAST_SENSOR_TEMP] = "mC", [HOLDFAST_SENSOR_SUPPLY] = "mV",
		[HOLDFAST_SENSOR_CURRENT] = "mA", [HOLDFAST_SENSOR_FAN] = "rpm",
	};
	static const char *const faults[] = {
		[HOLDFAST_SENSOR_FAULT_OK] = "ok", [HOLDFAST_SENSOR_FAULT_LOST] = "lost",
		[HOLDFAST_SENSOR_FAULT_STALE] = "stale", [HOLDFAST_SENSOR_FAULT_STUCK] = "stuck",
		[HOLDFAST_SENSOR_FAULT_IMPLAUSIBLE] = "implausible",
	};
	const char *fault = e->fault < sizeof(faults) / sizeof(faults[0]) ? faults[e->fault] : NULL;
	const char *unit = e->kind < sizeof(units) / sizeof(units[0]) ? units[e->kind] : NULL;
	char text[48];

	snprintf(text, sizeof(text), "sensor %u %s", e->sensor, holdfast_sensor_kind_name(e->kind));
	/* While it is faulty its value means nothing. */
	if (e->fault == HOLDFAST_SENSOR_FAULT_OK)
		put(t, "C", array_pid(t), TRACK_SENSORS, text, e->head.time_ns, 0,
		    ",\"cat\":\"sensor\"",
		    json_pack("{s:I}", unit ?: "value", (json_int_t)e->value));
	else
		put(t, "i", array_pid(t), TRACK_SENSORS, text, e->head.time_ns, 0,
		    ",\"cat\":\"sensor\",\"s\":\"t\"",
		    json_pack("{s:s}", "fault", fault ?: "unknown"));
}

static void put_tick(struct hf_trace *t, const struct hf_bpf_tick *e)
{
	uint64_t cost = e->cost_ns < e->head.time_ns ? e->cost_ns : 0;

	put(t, "X", array_pid(t), TRACK_TICKS, "tick", e->head.time_ns - cost, cost,
	    ",\"cat\":\"tick\"", json_pack("{s:o}", "late_ns", u64(e->late_ns)));
}

static void put_queue(struct hf_trace *t, const struct hf_bpf_queue *e)
{
	uint32_t tid = lease_tid(t, e->pid, e->lease, "");
	char text[48];

	snprintf(text, sizeof(text), "queue of lease %" PRIu64, (uint64_t)e->lease);
	put(t, "C", e->pid, tid, text, e->head.time_ns, 0, ",\"cat\":\"queue\"",
	    json_pack("{s:I, s:I}", "queued", (json_int_t)e->queued, "room", (json_int_t)e->room));
}

static void put_record(struct hf_trace *t, const void *record)
{
	const struct hf_bpf_head *head = record;

	t->count[head->type]++;
	switch (head->type) {
	case HF_BPF_FRAME:
		put_frame(t, record);
		break;
	case HF_BPF_OUTPUT:
		put_output(t, record);
		break;
	case HF_BPF_STATE:
		put_state(t, record);
		break;
	case HF_BPF_TRIP:
		put_trip(t, record);
		break;
	case HF_BPF_SENSOR:
		put_sensor(t, record);
		break;
	case HF_BPF_TICK:
		put_tick(t, record);
		break;
	case HF_BPF_QUEUE:
		put_queue(t, record);
		break;
	}
}

/* Gives the track its name at once: the process may be gone when its record is written. */
static void meet(struct hf_trace *t, const struct hf_bpf_head *head)
{
	const struct hf_bpf_frame *frame = (const void *)head;
	const struct hf_bpf_output *output = (const void *)head;
	const struct hf_bpf_queue *queue = (const void *)head;

	if (head->type == HF_BPF_FRAME)
		lease_tid(t, frame->pid, frame->lease, frame->comm);
	else if (head->type == HF_BPF_OUTPUT)
		lease_tid(t, output->pid, output->lease, output->comm);
	else if (head->type == HF_BPF_QUEUE)
		lease_tid(t, queue->pid, queue->lease, "");
}

/* ----------------------------------------------------------------------- order */

static uint64_t end_of(const struct hf_bpf_head *head)
{
	switch (head->type) {
	case HF_BPF_OUTPUT:
		return ((const struct hf_bpf_output *)head)->emit_ns;
	case HF_BPF_TRIP:
		return ((const struct hf_bpf_trip *)head)->silence_ns;
	default:
		return head->time_ns;
	}
}

static bool before(const struct held *a, const struct held *b)
{
	return a->end_ns != b->end_ns ? a->end_ns < b->end_ns : a->number < b->number;
}

static void swap_held(struct held *a, struct held *b)
{
	struct held c = *a;

	*a = *b;
	*b = c;
}

static void hold(struct hf_trace *t, const struct held *h)
{
	size_t i = t->held_n++;

	t->held[i] = *h;
	for (; i && before(&t->held[i], &t->held[(i - 1) / 2]); i = (i - 1) / 2)
		swap_held(&t->held[i], &t->held[(i - 1) / 2]);
}

/* Writes the one that ended first. */
static void release(struct hf_trace *t)
{
	size_t i = 0, least = 0;

	if (t->held[0].end_ns < t->written_ns)
		t->out_of_order++;
	else
		t->written_ns = t->held[0].end_ns;
	put_record(t, t->held[0].record);
	t->held[0] = t->held[--t->held_n];
	for (;; i = least) {
		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < t->held_n; child++)
			if (before(&t->held[child], &t->held[least]))
				least = child;
		if (least == i)
			return;
		swap_held(&t->held[i], &t->held[least]);
	}
}

void hf_trace_add(struct hf_trace *t, const void *record, size_t size)
{
	struct held h = { .number = t->numbers++ };
	const struct hf_bpf_head *head = record;

	_Static_assert(sizeof(struct hf_bpf_frame) <= HF_TRACE_RECORD, "records are larger");
	if (size < sizeof(*head) || head->type >= TYPES || !type_sizes[head->type] ||
	    size < type_sizes[head->type]) {
		t->not_understood++;
		return;
	}
	memcpy(h.record, record, type_sizes[head->type]);
	h.end_ns = end_of(head);
	if (t->newest_ns < h.end_ns)
		t->newest_ns = h.end_ns;
	while (t->held_n && (t->held_n == HF_TRACE_HELD ||
			     t->held[0].end_ns + HF_TRACE_WINDOW_NS < t->newest_ns))
		release(t);
	meet(t, head);
	hold(t, &h);
}

/* ----------------------------------------------------------------- begin and end */

struct hf_trace *hf_trace_new(FILE *f, uint32_t index, struct hf_comms *comms, uint64_t now_ns)
{
	struct hf_trace *t = calloc(1, sizeof(*t));
	char text[32];

	if (!t)
		return NULL;
	t->f = f;
	t->comms = comms;
	t->index = index;
	t->began_ns = now_ns;
	t->state_ns = now_ns;
	snprintf(text, sizeof(text), "holdfast%u", index);
	name(t, "process_name", array_pid(t), 0, text);
	for (uint32_t i = TRACK_STATE; i <= TRACK_LOST; i++)
		name(t, "thread_name", array_pid(t), i, track_names[i]);
	return t;
}

void hf_trace_lost(struct hf_trace *t, uint64_t n, uint64_t now_ns)
{
	put(t, "i", array_pid(t), TRACK_LOST, "events lost", now_ns, 0,
	    ",\"cat\":\"lost\",\"s\":\"p\"", json_pack("{s:o}", "events", u64(n)));
}

uint64_t hf_trace_bytes(const struct hf_trace *t)
{
	return t->bytes;
}

uint64_t hf_trace_written(const struct hf_trace *t)
{
	uint64_t n = 0;

	for (size_t i = 0; i < TYPES; i++)
		n += t->count[i];
	return n;
}

void hf_trace_end(struct hf_trace *t, const char *state, const char *why, json_t *lost,
		  uint64_t now_ns)
{
	json_t *counts = json_object(), *sums;
	struct utsname u = {};
	char *text;

	while (t->held_n)
		release(t);
	/* The state that it is in has not ended: a span, but no event. */
	if (t->state || state)
		put_state_span(t, t->state ?: state, now_ns, json_pack("{s:b}", "lasts", 1));
	for (size_t i = 0; i < TYPES; i++)
		if (type_names[i])
			json_object_set_new(counts, type_names[i], u64(t->count[i]));
	uname(&u);
	sums = json_pack("{s:s, s:I, s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o}",
			 "tool", "holdfast-trace", "array", (json_int_t)t->index,
			 "kernel", u.release, "clock", "CLOCK_MONOTONIC",
			 "began_ns", u64(t->began_ns), "ended_ns", u64(now_ns), "ended_by", why,
			 "events", counts, "lost", lost, "out_of_order", u64(t->out_of_order),
			 "not_understood", u64(t->not_understood));
	text = json_dumps(sums, JSON_COMPACT);
	fprintf(t->f, "\n],\n\"displayTimeUnit\":\"ns\",\n\"otherData\":%s}\n", text ?: "{}");
	free(text);
	json_decref(sums);
}

void hf_trace_free(struct hf_trace *t)
{
	free(t);
}
