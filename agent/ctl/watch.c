// SPDX-License-Identifier: GPL-2.0
/*
 * events and explain: what happened, and what it means. Reads only.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "holdfast_netlink.h"

#include "ctl.h"

const struct ctl_option events_options[] = {
	{ "follow", 'f', NULL, "wait for more" },
	{ "since", 's', "SEQ", "only events after this number, or \"now\" (default: all there are)" },
	{ "group", 'g', "GROUP", "safety (default) or telemetry" },
	{ NULL, 0, NULL, NULL },
};

/* Waits for the socket. false: a signal. */
static bool wait_for(struct holdfast_events *ev)
{
	struct pollfd p = { .fd = holdfast_events_fd(ev), .events = POLLIN };

	while (!ctl_interrupted())
		if (poll(&p, 1, 1000) > 0)
			return true;
	return false;
}

static int print_events(struct ctl *c, struct holdfast_events *ev, bool follow)
{
	struct holdfast_event e;

	for (;;) {
		int ret = holdfast_events_next(ev, &e);

		if (ret == -EAGAIN) {
			if (!follow || !wait_for(ev))
				return CTL_OK;
			continue;
		}
		if (ret)
			return ctl_fail(ret, "events");
		if (c->json)
			ret = ctl_json_print(ctl_json_event(&e), false);
		else
			ctl_event_print(&e);
		if (ret)
			return ret;
	}
}

static json_t *telemetry_json(const struct holdfast_status *st)
{
	json_t *sensors = json_array();
	char key[32];

	for (uint32_t i = 0; i < st->sensors && i < HOLDFAST_MAX_SENSORS; i++) {
		const struct holdfast_sample *s = &st->sensor[i];
		json_t *j = json_pack("{s:s, s:b}", "kind", holdfast_sensor_kind_name(s->kind),
				      "valid", s->valid != 0);

		ctl_json_key("value", ctl_sensor_unit(s->kind), key, sizeof(key));
		json_object_set_new(j, key, s->valid ? json_integer(s->value) : json_null());
		json_array_append_new(sensors, j);
	}
	return json_pack("{s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
			 "time_ns", (json_int_t)st->time_ns,
			 "state", holdfast_state_name(st->state),
			 "power_uw", (json_int_t)st->power_uw,
			 "power_avg_uw", (json_int_t)st->power_avg_uw,
			 "cap_q16", (json_int_t)st->cap_q16,
			 "frames_admitted", (json_int_t)st->frames_admitted,
			 "frames_attenuated", (json_int_t)st->frames_attenuated,
			 "frames_refused", (json_int_t)st->frames_rejected,
			 "nearest", ctl_json_reason(&st->nearest), "sensors", sensors);
}

static int telemetry_print(struct ctl *c, const struct holdfast_status *st)
{
	char text[HOLDFAST_TEXT_LEN];

	if (c->json)
		return ctl_json_print(telemetry_json(st), false);
	printf("%.3f s %s power %.3f W admitted %" PRIu64 " refused %" PRIu64,
	       (double)st->time_ns / 1e9, holdfast_state_name(st->state),
	       (double)st->power_uw / 1e6, (uint64_t)st->frames_admitted,
	       (uint64_t)st->frames_rejected);
	for (uint32_t i = 0; i < st->sensors && i < HOLDFAST_MAX_SENSORS; i++)
		printf(" %s %s", holdfast_sensor_kind_name(st->sensor[i].kind),
		       st->sensor[i].valid ?
		       holdfast_value_print(st->sensor[i].value,
					    ctl_sensor_unit(st->sensor[i].kind), text,
					    sizeof(text)) : "none");
	putchar('\n');
	fflush(stdout);
	return CTL_OK;
}

static int print_telemetry(struct ctl *c, struct holdfast_events *ev, bool follow)
{
	struct holdfast_status st;

	for (;;) {
		int ret;

		if (!wait_for(ev))
			return CTL_OK;
		ret = holdfast_telemetry_next(ev, &st);
		if (ret == -EAGAIN)
			continue;
		if (ret)
			return ctl_fail(ret, "telemetry");
		ret = telemetry_print(c, &st);
		if (ret || !follow)
			return ret;
	}
}

static int array_index(struct ctl *c, uint32_t *index)
{
	struct holdfast_array *a;
	struct holdfast_info info;
	int ret = ctl_open(c, &a, 0);

	if (ret)
		return ret;
	ret = holdfast_info(a, &info);
	holdfast_close(a);
	*index = info.index;
	return ret ? ctl_fail(ret, "array") : 0;
}

/* Events say who only to those who may know; others see what happened. */
static int safety_open(struct holdfast_events **ev, uint32_t index, uint64_t since)
{
	int ret = holdfast_events_open(ev, index, HOLDFAST_GROUP_AUDIT, since);

	return ret == -EPERM ? holdfast_events_open(ev, index, HOLDFAST_GROUP_SAFETY, since) : ret;
}

static int events_option(int key, uint64_t *since, enum holdfast_group *group)
{
	switch (key) {
	case 's':
		if (strcmp(optarg, "now"))
			return ctl_parse_u64(optarg, 0, UINT64_MAX - 1, "--since", since);
		*since = HOLDFAST_SINCE_NOW;
		return 0;
	case 'g':
		*group = HOLDFAST_GROUP_TELEMETRY;
		if (!strcmp(optarg, "telemetry"))
			return 0;
		*group = HOLDFAST_GROUP_SAFETY;
		if (!strcmp(optarg, "safety"))
			return 0;
		fprintf(stderr, "holdfastctl: --group: \"%s\" is neither safety nor telemetry\n",
			optarg);
		return -1;
	default:
		return -1;
	}
}

int events_read(struct ctl *c, int argc, char **argv)
{
	struct ctl_events *r = &c->req.events;
	int key;

	*r = (struct ctl_events){ .group = HOLDFAST_GROUP_SAFETY };
	while ((key = ctl_option_next(c, argc, argv)) != -1) {
		if (key == 'f')
			r->follow = true;
		else if (events_option(key, &r->since, &r->group))
			return ctl_option_exit(c);
	}
	return ctl_no_more(c, argc, argv);
}

int cmd_events(struct ctl *c)
{
	const struct ctl_events *r = &c->req.events;
	struct holdfast_events *ev;
	uint32_t index;
	int ret = array_index(c, &index);

	if (ret)
		return ret;
	ctl_catch_signals();
	if (r->group == HOLDFAST_GROUP_TELEMETRY)
		ret = holdfast_events_open(&ev, index, r->group, r->since);
	else
		ret = safety_open(&ev, index, r->since);
	if (ret)
		return ctl_fail(ret, "events of array %" PRIu32, index);
	if (r->group == HOLDFAST_GROUP_TELEMETRY)
		ret = print_telemetry(c, ev, r->follow);
	else
		ret = print_events(c, ev, r->follow);
	holdfast_events_close(ev);
	return ret;
}

/* What "explain" knows. */
struct story {
	struct holdfast_status st;
	struct holdfast_trip trip;
	bool refused;			/* @last_refused is there */
	struct holdfast_event last_refused;
	uint64_t now_ns;
};

static void find_refusal(struct story *s, uint32_t index)
{
	struct holdfast_events *ev;
	struct holdfast_event e;

	if (safety_open(&ev, index, 0))
		return;
	while (!holdfast_events_next(ev, &e)) {
		if (e.type == HOLDFAST_EVENT_REFUSED) {
			s->last_refused = e;
			s->refused = true;
		}
	}
	holdfast_events_close(ev);
}

/* A sensor's label for a reason that names one; "" otherwise. */
static const char *sensor_of(struct holdfast_array *a, const struct holdfast_reason *r, char *buf,
			     size_t len)
{
	buf[0] = '\0';
	if (r->where < HOLDFAST_MAX_SENSORS &&
	    ((r->limit >= HOLDFAST_LIM_TEMP_WARN && r->limit <= HOLDFAST_LIM_FAN_MIN) ||
	     r->limit == HOLDFAST_LIM_SENSOR_STALE))
		ctl_sensor_label(a, r->where, buf, len);
	return buf;
}

static json_t *reason_and_sensor(struct holdfast_array *a, const struct holdfast_reason *r)
{
	char label[HOLDFAST_LABEL_LEN];
	json_t *j = ctl_json_reason(r);

	if (json_is_object(j) && *sensor_of(a, r, label, sizeof(label)))
		json_object_set_new(j, "sensor", json_string(label));
	return j;
}

static int explain_json(struct holdfast_array *a, const struct story *s)
{
	json_t *refused = json_null(), *trip = ctl_json_trip(&s->trip);

	if (s->st.frames_rejected)
		refused = json_pack("{s:I, s:o, s:o}",
				    "frames", (json_int_t)s->st.frames_rejected,
				    "reason", reason_and_sensor(a, &s->st.last_reject),
				    "since_real_ns", s->refused ?
				    json_integer((json_int_t)s->last_refused.real_ns) :
				    json_null());
	if (json_is_object(trip))
		json_object_set_new(trip, "reason", reason_and_sensor(a, &s->trip.reason));
	return ctl_json_print(json_pack("{s:s, s:o, s:o, s:o, s:b, s:I}",
					"state", holdfast_state_name(s->st.state),
					"nearest", reason_and_sensor(a, &s->st.nearest),
					"refused", refused, "trip", trip,
					"derated", s->st.derated != 0,
					"cap_q16", (json_int_t)s->st.cap_q16),
			      true);
}

static void say_reason(struct holdfast_array *a, const char *head, const struct holdfast_reason *r)
{
	char text[HOLDFAST_TEXT_LEN], label[HOLDFAST_LABEL_LEN];

	printf("%-15s %s", head, holdfast_strerror_reason(r, text, sizeof(text)));
	if (*sensor_of(a, r, label, sizeof(label)))
		printf(" (%s)", label);
	putchar('\n');
}

static double ago_s(const struct story *s, uint64_t then_ns)
{
	return s->now_ns > then_ns ? (double)(s->now_ns - then_ns) / 1e9 : 0;
}

static void explain_trip(struct holdfast_array *a, const struct story *s)
{
	char when[48];

	printf("%-15s %s (%s), since %s, %.1f s ago\n",
	       s->st.state == HOLDFAST_STATE_TRIPPED ? "TRIPPED by" : "last trip",
	       holdfast_cause_name(s->trip.cause), holdfast_severity_name(s->trip.severity),
	       ctl_time(s->trip.real_ns, when, sizeof(when)), ago_s(s, s->trip.detect_ns));
	if (s->trip.reason.limit != HOLDFAST_LIM_NONE)
		say_reason(a, "  because", &s->trip.reason);
	printf("  %-13s %.3f ms after detection, %s\n", "outputs off",
	       (double)(int64_t)(s->trip.silence_ns - s->trip.detect_ns) / 1e6,
	       s->trip.confirmed ? "confirmed by reading back" : "commanded");
	if (s->trip.lease)
		printf("  %-13s lease %" PRIu64 ", pid %" PRId32 " (%.*s)\n", "emitting was",
		       (uint64_t)s->trip.lease, s->trip.pid, HOLDFAST_COMM_LEN, s->trip.comm);
	if (s->st.state != HOLDFAST_STATE_TRIPPED)
		return;
	printf("  %-13s %s\n", "to go on", s->trip.severity == HOLDFAST_SEV_EMERGENCY ?
	       "remove the cause, holdfastctl self-test, holdfastctl reset" :
	       "remove the cause, holdfastctl reset");
}

static void explain_text(struct holdfast_array *a, const struct story *s)
{
	char when[48];

	printf("%-15s %s\n", "state", holdfast_state_name(s->st.state));
	say_reason(a, "closest limit", &s->st.nearest);
	if (s->st.derated)
		printf("%-15s amplitude cap %.1f %%\n", "derated", s->st.cap_q16 / 655.36);
	if (s->st.frames_rejected) {
		say_reason(a, "last refused", &s->st.last_reject);
		printf("  %-13s %" PRIu64 " in all\n", "frames", (uint64_t)s->st.frames_rejected);
		if (s->refused && s->last_refused.pid)
			printf("  %-13s %s, pid %" PRId32 " (%.*s)\n", "reported",
			       ctl_time(s->last_refused.real_ns, when, sizeof(when)),
			       s->last_refused.pid, HOLDFAST_COMM_LEN, s->last_refused.comm);
		else if (s->refused)
			printf("  %-13s %s\n", "reported",
			       ctl_time(s->last_refused.real_ns, when, sizeof(when)));
	}
	if (s->trip.cause != HOLDFAST_CAUSE_NONE)
		explain_trip(a, s);
}

int cmd_explain(struct ctl *c)
{
	struct holdfast_array *a;
	struct holdfast_info info;
	struct story s = { .refused = false };
	int ret = ctl_open(c, &a, 0);

	if (ret)
		return ret;
	s.now_ns = ctl_now_ns();
	ret = holdfast_info(a, &info);
	if (!ret)
		ret = holdfast_status(a, &s.st);
	if (!ret)
		ret = holdfast_trip_get(a, &s.trip);
	if (ret) {
		ret = ctl_fail(ret, "array");
	} else {
		find_refusal(&s, info.index);
		if (c->json)
			ret = explain_json(a, &s);
		else
			explain_text(a, &s);
	}
	holdfast_close(a);
	return ret;
}
