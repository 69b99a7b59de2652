// SPDX-License-Identifier: GPL-2.0
/*
 * Results of operations to samples: which member is which metric. What a
 * result does not have (a process that is not there, a caller who may not see
 * it) is not on the page; nothing is made up.
 */
#include <stdio.h>
#include <string.h>

#include "degrade.h"
#include "metrics.h"

/* A member with one label or none, from which counters and gauges are made. */
struct member {
	const char *name;
	enum hf_metric metric;
	double per;	/* so many of its unit are one of the metric's */
};

static bool number_of(const json_t *j, const char *name, double *v)
{
	const json_t *n = json_object_get(j, name);

	if (json_is_boolean(n))
		*v = json_is_true(n);
	else if (json_is_number(n))
		*v = json_number_value(n);
	else
		return false;
	return true;
}

static const char *text_of(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));

	return s ? s : "";
}

/* The label is passed over where the family has none. */
static void put_members(struct hf_metrics *m, const json_t *j, const struct member *list, size_t n,
			const char *label)
{
	double v;

	for (size_t i = 0; i < n; i++)
		if (number_of(j, list[i].name, &v))
			hf_metrics_put(m, list[i].metric, v / list[i].per, label);
}

#define PUT_MEMBERS(m, j, list, label) \
	put_members(m, j, list, sizeof(list) / sizeof((list)[0]), label)

static void put_histogram(struct hf_metrics *m, const json_t *j, const char *name, enum hf_metric f,
			  const char *label)
{
	struct hf_histogram h;

	if (!hf_histogram_parse(json_object_get(j, name), &h))
		hf_metrics_put_histogram(m, f, &h, label);
}

/* ------------------------------------------------------------- processes */

static void put_usage(struct hf_metrics *m, const json_t *usage, const char *process)
{
	static const struct member members[] = {
		{ "cpu_us", HF_MF_PROC_CPU, 1e6 }, { "rss_bytes", HF_MF_PROC_RSS, 1 },
		{ "read_bytes", HF_MF_PROC_READ, 1 }, { "written_bytes", HF_MF_PROC_WRITTEN, 1 },
		{ "page_faults", HF_MF_PROC_FAULTS, 1 },
	};

	PUT_MEMBERS(m, usage, members, process);
}

static void put_http(struct hf_metrics *m, const json_t *stats, const char *process)
{
	static const struct member members[] = {
		{ "connections", HF_MF_HTTP_CONNS, 1 },
		{ "connections_total", HF_MF_HTTP_OPENED, 1 },
		{ "connections_refused_total", HF_MF_HTTP_TURNED_AWAY, 1 },
		{ "requests_total", HF_MF_HTTP_REQUESTS, 1 },
		{ "waiting", HF_MF_HTTP_WAITING, 1 },
		{ "limited_total", HF_MF_HTTP_LIMITED, 1 },
		{ "blocked_total", HF_MF_HTTP_BLOCKED, 1 },
		{ "direct_silence_total", HF_MF_HTTP_DIRECT, 1 },
	};
	static const char *const classes[] = { "2xx", "4xx", "5xx" };
	static const char *const answers[] = { "answers_2xx_total", "answers_4xx_total",
					       "answers_5xx_total" };
	double v;

	PUT_MEMBERS(m, stats, members, process);
	for (unsigned int i = 0; i < 3; i++)
		if (number_of(stats, answers[i], &v))
			hf_metrics_put(m, HF_MF_HTTP_ANSWERS, v, process, classes[i]);
	if (number_of(stats, "certificate_expires_s", &v) && v > 0)
		hf_metrics_put(m, HF_MF_TLS_EXPIRY, v, process);
	put_histogram(m, stats, "request_time", HF_MF_HTTP_TIME, process);
}

static void put_auth(struct hf_metrics *m, const json_t *stats)
{
	static const struct member members[] = {
		{ "calls", HF_MF_AUTH_CALLS, 1 }, { "denied", HF_MF_AUTH_DENIED, 1 },
		{ "lockouts", HF_MF_AUTH_LOCKOUTS, 1 }, { "overloads", HF_MF_AUTH_OVERLOADS, 1 },
		{ "limited", HF_MF_AUTH_LIMITED, 1 }, { "hashing", HF_MF_AUTH_HASHING, 1 },
		{ "sessions", HF_MF_AUTH_SESSIONS, 1 },
	};
	double all, failed;

	PUT_MEMBERS(m, stats, members, NULL);
	if (!number_of(stats, "logins", &all) || !number_of(stats, "logins_failed", &failed))
		return;
	hf_metrics_put(m, HF_MF_AUTH_LOGINS, all, "ok");
	hf_metrics_put(m, HF_MF_AUTH_LOGINS, failed, "failed");
}

static void put_audit(struct hf_metrics *m, const json_t *stats)
{
	static const struct member members[] = {
		{ "durable", HF_MF_AUDIT_DURABLE, 1 }, { "durable_seq", HF_MF_AUDIT_SEQ, 1 },
		{ "waiting", HF_MF_AUDIT_WAITING, 1 }, { "dropped", HF_MF_AUDIT_DROPPED, 1 },
		{ "segments", HF_MF_AUDIT_SEGMENTS, 1 }, { "free_bytes", HF_MF_AUDIT_FREE, 1 },
		{ "open_intents", HF_MF_AUDIT_INTENTS, 1 },
		{ "checkpoint_seq", HF_MF_AUDIT_CHECKPOINT, 1 },
		{ "anchored_seq", HF_MF_AUDIT_ANCHORED, 1 },
	};
	static const char *const spaces[] = { "ok", "warn", "refuse", "full" };
	const char *space = text_of(stats, "space");
	double v;

	PUT_MEMBERS(m, stats, members, NULL);
	if (number_of(stats, "commits", &v))
		hf_metrics_put(m, HF_MF_AUDIT_COMMITS, v, "ok");
	if (number_of(stats, "failed_commits", &v))
		hf_metrics_put(m, HF_MF_AUDIT_COMMITS, v, "failed");
	for (unsigned int i = 0; *space && i < sizeof(spaces) / sizeof(spaces[0]); i++)
		hf_metrics_put(m, HF_MF_AUDIT_SPACE, !strcmp(space, spaces[i]), spaces[i]);
	put_histogram(m, stats, "commit_time", HF_MF_AUDIT_TIME, NULL);
}

static void put_anchors(struct hf_metrics *m, const json_t *stats)
{
	static const char *const states[] = { "closed", "open", "half-open" };
	const json_t *a;
	double v;
	size_t i;

	json_array_foreach(json_object_get(stats, "anchors"), i, a) {
		const char *place = text_of(a, "to"), *state = text_of(a, "breaker");

		if (number_of(a, "failures", &v))
			hf_metrics_put(m, HF_MF_ANCHOR_FAILURES, v, place);
		if (number_of(a, "anchored_ns", &v))
			hf_metrics_put(m, HF_MF_ANCHOR_TIME, v / 1e9, place);
		for (unsigned int k = 0; *state && k < 3; k++)
			hf_metrics_put(m, HF_MF_ANCHOR_BREAKER, !strcmp(state, states[k]), place,
				       states[k]);
		if (number_of(a, "refused", &v))
			hf_metrics_put(m, HF_MF_ANCHOR_REFUSED, v, place);
	}
}

static void put_channel(struct hf_metrics *m, const json_t *c)
{
	static const char *const outcomes[] = { "sent", "failed", "refused", "dropped" };
	static const char *const states[] = { "closed", "open", "half-open" };
	const char *name = text_of(c, "name"), *state = text_of(c, "breaker");
	double v;

	for (unsigned int i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
		if (number_of(c, outcomes[i], &v))
			hf_metrics_put(m, HF_MF_ALERT_MESSAGES, v, name, outcomes[i]);
	if (number_of(c, "waiting", &v))
		hf_metrics_put(m, HF_MF_ALERT_WAITING, v, name);
	for (unsigned int i = 0; *state && i < 3; i++)
		hf_metrics_put(m, HF_MF_ALERT_BREAKER, !strcmp(state, states[i]), name, states[i]);
}

static void put_incidents(struct hf_metrics *m, const json_t *stats)
{
	static const char *const states[] = { "open", "acknowledged", "resolved" };
	const json_t *incidents = json_object_get(stats, "incidents"), *c;
	double v;
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (number_of(incidents, states[i], &v))
			hf_metrics_put(m, HF_MF_INCIDENTS, v, states[i]);
	if (number_of(incidents, "critical", &v))
		hf_metrics_put(m, HF_MF_INCIDENTS_CRITICAL, v);
	json_array_foreach(json_object_get(stats, "channels"), i, c)
		put_channel(m, c);
}

static void put_export(struct hf_metrics *m, const json_t *stats)
{
	put_anchors(m, stats);
	put_incidents(m, stats);
}

static void put_fleet(struct hf_metrics *m, const json_t *stats)
{
	static const struct member members[] = {
		{ "up", HF_MF_FLEET_UP, 1 }, { "behind_s", HF_MF_FLEET_BEHIND, 1 },
		{ "events", HF_MF_FLEET_EVENTS, 1 }, { "anchors", HF_MF_FLEET_ANCHORS, 1 },
		{ "gaps", HF_MF_FLEET_GAPS, 1 }, { "stops", HF_MF_FLEET_STOPS, 1 },
		{ "failures", HF_MF_FLEET_FAILURES, 1 },
	};
	const char *state = text_of(stats, "breaker");
	static const char *const states[] = { "closed", "open", "half-open" };
	double v;

	PUT_MEMBERS(m, stats, members, NULL);
	if (number_of(stats, "telemetry", &v))
		hf_metrics_put(m, HF_MF_FLEET_TELEMETRY, v, "sent");
	if (number_of(stats, "telemetry_dropped", &v))
		hf_metrics_put(m, HF_MF_FLEET_TELEMETRY, v, "dropped");
	for (unsigned int k = 0; *state && k < 3; k++)
		hf_metrics_put(m, HF_MF_ANCHOR_BREAKER, !strcmp(state, states[k]), "fleet", states[k]);
}

static void put_keeper(struct hf_metrics *m, const json_t *stats)
{
	static const struct member members[] = {
		{ "durable", HF_MF_KEEPER_DURABLE, 1 }, { "leases", HF_MF_KEEPER_LEASES, 1 },
		{ "unrecorded", HF_MF_KEEPER_UNRECORDED, 1 },
	};

	const json_t *call;
	size_t i;

	PUT_MEMBERS(m, stats, members, NULL);
	json_array_foreach(json_object_get(stats, "driver"), i, call) {
		double v;

		put_histogram(m, call, "time", HF_MF_DRIVER_TIME, text_of(call, "call"));
		if (number_of(call, "failed", &v))
			hf_metrics_put(m, HF_MF_DRIVER_FAILED, v, text_of(call, "call"));
	}
}

static void put_process(struct hf_metrics *m, const json_t *p)
{
	const json_t *stats = json_object_get(p, "stats");
	const char *role = text_of(p, "role");
	double v;

	if (!strcmp(text_of(p, "state"), "off"))
		return;		/* the configuration does not want it */
	hf_metrics_put(m, HF_MF_PROC_UP, !strcmp(text_of(p, "state"), "ready"), role);
	if (number_of(p, "restarts", &v))
		hf_metrics_put(m, HF_MF_PROC_RESTARTS, v, role);
	put_usage(m, json_object_get(stats, "usage"), role);
	put_histogram(m, stats, "rounds", HF_MF_PROC_ROUNDS, role);
	if (!strcmp(role, "front") || !strcmp(role, "local"))
		put_http(m, stats, role);
	else if (!strcmp(role, "auth"))
		put_auth(m, stats);
	else if (!strcmp(role, "audit"))
		put_audit(m, stats);
	else if (!strcmp(role, "export"))
		put_export(m, stats);
	else if (!strcmp(role, "fleet"))
		put_fleet(m, stats);
	else if (!strcmp(role, "keeper"))
		put_keeper(m, stats);
}

static void put_level(struct hf_metrics *m, const char *word)
{
	for (int level = HF_LEVEL_FULL; level <= HF_LEVEL_SILENT; level++)
		if (!strcmp(word, hf_level_word((enum hf_level)level)))
			hf_metrics_put(m, HF_MF_LEVEL, level);
}

static void put_health(struct hf_metrics *m, const json_t *list)
{
	static const char *const levels[] = { "ok", "warn", "unknown", "fail" };
	const json_t *check;
	size_t i;

	json_array_foreach((json_t *)list, i, check)
		for (unsigned int level = 0; level < 4; level++)
			if (!strcmp(text_of(check, "health"), levels[level]))
				hf_metrics_put(m, HF_MF_HEALTH, level, text_of(check, "name"));
}

void hf_metrics_status(struct hf_metrics *m, const json_t *result)
{
	const json_t *p;
	double v;
	size_t i;

	hf_metrics_put(m, HF_MF_BUILD, 1, text_of(result, "version"));
	if (number_of(result, "since_ns", &v))
		hf_metrics_put(m, HF_MF_START, v / 1e9);
	put_usage(m, json_object_get(result, "usage"), "parent");
	json_array_foreach(json_object_get(result, "processes"), i, p)
		put_process(m, p);
	put_health(m, json_object_get(result, "health"));
	put_level(m, text_of(result, "level"));
}

/* ---------------------------------------------------------------- arrays */

static void put_frames(struct hf_metrics *m, const json_t *frames, const char *serial)
{
	static const char *const verdicts[] = { "admitted", "attenuated", "rejected", "malformed" };
	double v;

	for (unsigned int i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (number_of(frames, verdicts[i], &v))
			hf_metrics_put(m, HF_MF_FRAMES, v, serial, verdicts[i]);
}

static void put_sensors(struct hf_metrics *m, const json_t *sensors, const char *serial)
{
	static const struct {
		const char *kind;
		enum hf_metric metric;
		double per;
	} kinds[] = {
		{ "temp", HF_MF_TEMP, 1e3 }, { "supply", HF_MF_SUPPLY, 1e3 },
		{ "current", HF_MF_CURRENT, 1e3 }, { "fan", HF_MF_FAN, 60 },
	};
	const json_t *s;
	size_t i;

	json_array_foreach(sensors, i, s) {
		const char *kind = text_of(s, "kind");
		char name[24];
		double v;
		bool valid = number_of(s, "value", &v);

		snprintf(name, sizeof(name), "%zu", i);
		hf_metrics_put(m, HF_MF_SENSOR_OK, valid, serial, name, kind);
		for (unsigned int k = 0; valid && k < sizeof(kinds) / sizeof(kinds[0]); k++)
			if (!strcmp(kind, kinds[k].kind))
				hf_metrics_put(m, kinds[k].metric, v / kinds[k].per, serial, name);
	}
}

static void put_limits(struct hf_metrics *m, const json_t *limits, const char *serial)
{
	const char *name;
	json_t *l;
	double v;

	json_object_foreach((json_t *)limits, name, l)
		if (number_of(l, "effective", &v))
			hf_metrics_put(m, HF_MF_LIMIT, v, serial, name, text_of(l, "unit"));
}

static void put_fence(struct hf_metrics *m, const json_t *fence, const json_t *limits,
		      const char *serial)
{
	double most = 0;
	const json_t *p;
	size_t i;

	number_of(json_object_get(limits, "dose"), "effective", &most);
	json_array_foreach(fence, i, p) {
		char point[24];
		double v;

		snprintf(point, sizeof(point), "%zu", i);
		if (number_of(p, "now_mpa", &v))
			hf_metrics_put(m, HF_MF_FENCE, v / 1e3, serial, point);
		if (number_of(p, "limit_mpa", &v))
			hf_metrics_put(m, HF_MF_FENCE_LIMIT, v / 1e3, serial, point);
		if (most > 0 && number_of(p, "dose_pa2s", &v))
			hf_metrics_put(m, HF_MF_FENCE_DOSE, v / most, serial, point);
	}
}

static void put_nearest(struct hf_metrics *m, const json_t *r, const char *serial)
{
	const char *limit = text_of(r, "limit");
	double measured, bound;

	if (*limit && strcmp(limit, "none") && number_of(r, "measured", &measured) &&
	    number_of(r, "bound", &bound) && bound > 0)
		hf_metrics_put(m, HF_MF_NEAREST, measured / bound, serial, limit);
}

static void put_states(struct hf_metrics *m, const json_t *a, const char *serial)
{
	static const char *const states[] = { "silent", "armed", "emitting", "tripped" };
	const char *state = text_of(a, "state"), *cause;
	json_t *n;

	for (unsigned int i = 0; *state && i < sizeof(states) / sizeof(states[0]); i++)
		hf_metrics_put(m, HF_MF_STATE, !strcmp(state, states[i]), serial, states[i]);
	json_object_foreach(json_object_get(a, "causes"), cause, n)
		hf_metrics_put(m, HF_MF_CAUSES, json_number_value(n), serial, cause);
}

static void put_beat(struct hf_metrics *m, const json_t *beat, const char *serial)
{
	static const struct member members[] = {
		{ "beats", HF_MF_BEATS, 1 }, { "late", HF_MF_BEATS_LATE, 1 },
		{ "deadline_ms", HF_MF_BEAT_DEADLINE, 1e3 },
		{ "margin_min_us", HF_MF_BEAT_MARGIN, 1e6 },
	};

	PUT_MEMBERS(m, beat, members, serial);
}

void hf_metrics_array(struct hf_metrics *m, const json_t *result)
{
	static const struct member members[] = {
		{ "sealed", HF_MF_SEALED, 1 }, { "epoch", HF_MF_EPOCH, 1 },
		{ "events", HF_MF_EVENTS, 1 }, { "trips", HF_MF_TRIPS, 1 },
		{ "emit_ms", HF_MF_EMIT, 1e3 }, { "power_uw", HF_MF_POWER, 1e6 },
		{ "power_avg_uw", HF_MF_POWER_AVG, 1e6 },
		{ "chan_rise_mk", HF_MF_CHAN_RISE, 1e3 },
		{ "array_rise_mk", HF_MF_ARRAY_RISE, 1e3 },
		{ "cap_q16", HF_MF_CAP, 65536 }, { "derated", HF_MF_DERATED, 1 },
		{ "ticks", HF_MF_TICKS, 1 }, { "tick_late_max_ns", HF_MF_TICK_LATE, 1e9 },
	};
	const json_t *a = json_object_get(result, "array"), *wanted = json_object_get(a, "wanted");
	const char *serial = text_of(a, "serial");

	if (!*serial)
		return;
	hf_metrics_put(m, HF_MF_ARRAY, 1, serial, serial, text_of(a, "model"), text_of(a, "instance"));
	put_states(m, a, serial);
	PUT_MEMBERS(m, a, members, serial);
	hf_metrics_put(m, HF_MF_WANTED, (double)json_array_size(wanted), serial);
	put_frames(m, json_object_get(a, "frames"), serial);
	put_nearest(m, json_object_get(a, "nearest"), serial);
	put_beat(m, json_object_get(a, "beat"), serial);
	put_sensors(m, json_object_get(a, "sensors"), serial);
	put_limits(m, json_object_get(result, "limits"), serial);
	put_fence(m, json_object_get(result, "fence"), json_object_get(result, "limits"), serial);
}

/* --------------------------------------------------------------- tenants */

static void put_quota(struct hf_metrics *m, const json_t *q, const char *tenant, enum hf_metric used,
		      enum hf_metric most, double per)
{
	double v;

	if (number_of(q, "used", &v))
		hf_metrics_put(m, used, v / per, tenant);
	if (number_of(q, "quota", &v))
		hf_metrics_put(m, most, v / per, tenant);
}

void hf_metrics_tenants(struct hf_metrics *m, const json_t *result)
{
	const json_t *t;
	size_t i;

	json_array_foreach(json_object_get(result, "tenants"), i, t) {
		const json_t *q = json_object_get(t, "quota");
		const char *name = text_of(t, "tenant");
		double v;

		put_quota(m, json_object_get(q, "emission_ms"), name, HF_MF_TENANT_EMIT,
			  HF_MF_TENANT_EMIT_MAX, 1e3);
		put_quota(m, json_object_get(q, "energy_mj"), name, HF_MF_TENANT_ENERGY,
			  HF_MF_TENANT_ENERGY_MAX, 1e3);
		put_quota(m, json_object_get(q, "frames"), name, HF_MF_TENANT_FRAMES,
			  HF_MF_TENANT_FRAMES_MAX, 1);
		if (number_of(t, "leases", &v))
			hf_metrics_put(m, HF_MF_TENANT_LEASES, v, name);
	}
}

void hf_metrics_part(struct hf_metrics *m, const char *part, int ok)
{
	hf_metrics_put(m, HF_MF_SCRAPE_OK, ok, part);
}
