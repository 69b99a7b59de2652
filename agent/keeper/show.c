// SPDX-License-Identifier: GPL-2.0
/*
 * What people see of arrays, leases and tenants, each only what his tenant lets
 * him. Reading only: nothing here changes an array.
 */
#include <stdlib.h>
#include <string.h>

#include "holdfast_netlink.h"
#include "keeper.h"
#include "timed.h"

static json_t *lacks_json(const struct hf_array *a)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < a->lacks; i++) {
		const struct hf_lack *l = &a->lack[i];

		json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "limit",
						      l->limit == HOLDFAST_LIM_NONE
							      ? "fence"
							      : holdfast_limit_name(l->limit),
						      "wanted", (json_int_t)l->wanted, "has",
						      (json_int_t)l->has));
	}
	return list;
}

static json_t *sensors_json(const struct holdfast_status *st)
{
	json_t *list = json_array();

	for (uint32_t i = 0; list && i < st->sensors && i < HOLDFAST_MAX_SENSORS; i++) {
		const struct holdfast_sample *s = &st->sensor[i];

		json_array_append_new(
			list,
			json_pack("{s:s, s:o}", "kind", holdfast_sensor_kind_name(s->kind), "value",
				  s->valid ? json_integer((json_int_t)s->value) : json_null()));
	}
	return list;
}

static json_t *frames_json(const struct holdfast_status *st)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "admitted", (json_int_t)st->frames_admitted,
			 "attenuated", (json_int_t)st->frames_attenuated, "rejected",
			 (json_int_t)st->frames_rejected, "malformed",
			 (json_int_t)st->frames_malformed);
}

/* What everybody who sees the array may know. NULL: it has gone. */
static json_t *brief_json(const struct hf_array *a, const struct holdfast_status *st)
{
	return json_pack("{s:i, s:o, s:o, s:o, s:s, s:b, s:i, s:s}", "array", (int)a->index,
			 "serial", hf_plain_json(a->serial, sizeof(a->serial)), "model",
			 hf_plain_json(a->model, sizeof(a->model)), "instance",
			 hf_hex_json(a->instance), "state", holdfast_state_name(st->state),
			 "sealed", (int)st->sealed, "trips", (int)st->trips, "trip_cause",
			 holdfast_cause_name(st->trip_cause));
}

json_t *hf_show_array(struct hf_array *a)
{
	struct holdfast_status st;
	json_t *j;

	if (a->keeper->device->status(a->dev, &st))
		return NULL;
	j = brief_json(a, &st);
	json_object_set_new(j, "trip_severity",
			    json_string(holdfast_severity_name(st.trip_severity)));
	json_object_set_new(j, "trip_reason", hf_reason_json(&st.trip_reason));
	json_object_set_new(j, "last_reject", hf_reason_json(&st.last_reject));
	json_object_set_new(j, "nearest", hf_reason_json(&st.nearest));
	json_object_set_new(j, "epoch", json_integer((json_int_t)st.epoch));
	json_object_set_new(j, "events", json_integer((json_int_t)st.event_seq));
	json_object_set_new(j, "power_uw", json_integer((json_int_t)st.power_uw));
	json_object_set_new(j, "power_avg_uw", json_integer((json_int_t)st.power_avg_uw));
	json_object_set_new(j, "cap_q16", json_integer(st.cap_q16));
	json_object_set_new(j, "derated", json_boolean(st.derated));
	json_object_set_new(j, "emit_ms", json_integer((json_int_t)(st.emit_ns / HF_MS)));
	json_object_set_new(j, "frames", frames_json(&st));
	json_object_set_new(j, "sensors", sensors_json(&st));
	json_object_set_new(j, "testing", json_boolean(a->testing));
	json_object_set_new(j, "wanted", lacks_json(a));
	json_object_set_new(j, "beat", hf_beat_json(a));
	return j;
}

json_t *hf_show_arrays(struct hf_keeper *k, const struct hf_actor *who)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < HF_ARRAYS; i++) {
		struct hf_array *a = &k->array[i];
		struct holdfast_status st;

		if (a->used && hf_policy_sees_array(k->settings, who, a->index, a->serial) &&
		    !k->device->status(a->dev, &st))
			json_array_append_new(list, brief_json(a, &st));
	}
	return json_pack("{s:o}", "arrays", list);
}

json_t *hf_show_telemetry(struct hf_keeper *k)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < HF_ARRAYS; i++) {
		struct hf_array *a = &k->array[i];
		struct holdfast_status st;
		json_t *j;

		if (!a->used || k->device->status(a->dev, &st))
			continue;
		j = brief_json(a, &st);
		json_object_set_new(j, "power_uw", json_integer((json_int_t)st.power_uw));
		json_object_set_new(j, "power_avg_uw", json_integer((json_int_t)st.power_avg_uw));
		json_object_set_new(j, "cap_q16", json_integer(st.cap_q16));
		json_object_set_new(j, "emit_ms", json_integer((json_int_t)(st.emit_ns / HF_MS)));
		json_object_set_new(j, "sensors", sensors_json(&st));
		json_array_append_new(list, j);
	}
	return json_pack("{s:o}", "arrays", list);
}

/* Causes that this keeper has seen, and how often. */
static json_t *causes_json(const struct hf_array *a)
{
	json_t *j = json_object();

	for (uint32_t i = 0; j && i < HOLDFAST_CAUSE_COUNT; i++)
		if (a->causes[i])
			json_object_set_new(j, holdfast_cause_name(i), json_integer(a->causes[i]));
	return j;
}

static json_t *effective_json(struct hf_array *a)
{
	struct holdfast_envelope eff;
	json_t *j = json_object();

	if (a->keeper->device->envelope_get(a->dev, HOLDFAST_ENV_EFFECTIVE, &eff))
		return j;
	for (uint32_t i = 0; j && i < HOLDFAST_LIM_COUNT; i++) {
		const struct holdfast_limit_desc *l = holdfast_limit_desc(i);

		if (l)
			json_object_set_new(j, l->name,
					    json_pack("{s:s, s:I}", "unit", l->unit, "effective",
						      (json_int_t)eff.limit[i]));
	}
	return j;
}

/* The site's points, for of those the driver says what the pressure is. */
static json_t *pressures_json(struct hf_array *a, const struct holdfast_status *st)
{
	struct holdfast_fence_point p[HOLDFAST_MAX_FENCE];
	int n = a->keeper->device->fence_get(a->dev, HOLDFAST_ENV_SITE, p, HOLDFAST_MAX_FENCE);
	json_t *list = json_array();

	for (int i = 0; i < n && (uint32_t)i < st->fences; i++)
		json_array_append_new(list, json_pack("{s:I, s:I, s:I}", "now_mpa",
						      (json_int_t)st->fence_mpa[i], "limit_mpa",
						      (json_int_t)p[i].limit_mpa, "dose_pa2s",
						      (json_int_t)st->fence_dose[i]));
	return list;
}

json_t *hf_show_metrics(struct hf_array *a)
{
	struct holdfast_status st;
	json_t *j;

	if (a->keeper->device->status(a->dev, &st))
		return NULL;
	j = hf_show_array(a);
	if (!j)
		return NULL;
	json_object_set_new(j, "causes", causes_json(a));
	json_object_set_new(j, "ticks", json_integer((json_int_t)st.tick));
	json_object_set_new(j, "tick_late_max_ns", json_integer((json_int_t)st.tick_late_max_ns));
	json_object_set_new(j, "chan_rise_mk", json_integer(st.chan_rise_mk));
	json_object_set_new(j, "array_rise_mk", json_integer(st.array_rise_mk));
	return json_pack("{s:o, s:o, s:o}", "array", j, "limits", effective_json(a), "fence",
			 pressures_json(a, &st));
}

static json_t *fence_json(struct hf_array *a)
{
	struct holdfast_fence_point p[HOLDFAST_MAX_FENCE];
	int n = a->keeper->device->fence_get(a->dev, HOLDFAST_ENV_EFFECTIVE, p, HOLDFAST_MAX_FENCE);
	json_t *list = json_array();

	for (int i = 0; list && i < n; i++)
		json_array_append_new(list, json_pack("{s:i, s:i, s:i, s:I}", "x_um", p[i].x_um,
						      "y_um", p[i].y_um, "z_um", p[i].z_um,
						      "limit_mpa", (json_int_t)p[i].limit_mpa));
	return list;
}

json_t *hf_show_limits(struct hf_array *a)
{
	const struct hf_device *d = a->keeper->device;
	struct holdfast_envelope plate, site, eff;
	json_t *limits = json_object();

	if (d->envelope_get(a->dev, HOLDFAST_ENV_NAMEPLATE, &plate) ||
	    d->envelope_get(a->dev, HOLDFAST_ENV_SITE, &site) ||
	    d->envelope_get(a->dev, HOLDFAST_ENV_EFFECTIVE, &eff)) {
		json_decref(limits);
		return NULL;
	}
	for (uint32_t i = 0; i < HOLDFAST_LIM_COUNT; i++) {
		const struct holdfast_limit_desc *l = holdfast_limit_desc(i);

		if (l)
			json_object_set_new(limits, l->name,
					    json_pack("{s:s, s:s, s:I, s:I, s:I}", "unit", l->unit,
						      "kind", l->is_floor ? "floor" : "ceiling",
						      "nameplate", (json_int_t)plate.limit[i],
						      "site", (json_int_t)site.limit[i],
						      "effective", (json_int_t)eff.limit[i]));
	}
	return json_pack("{s:o, s:o, s:I, s:b, s:o}", "limits", limits, "fence", fence_json(a),
			 "generation", (json_int_t)eff.generation, "sealed", (int)eff.sealed,
			 "wanted", lacks_json(a));
}

/* What another tenant did is not told, what happened to the array is. */
static bool tell_event(struct hf_keeper *k, const struct hf_actor *who, struct holdfast_event *e)
{
	if (!e->lease && !e->tenant && !e->pid)
		return true;
	if (hf_policy_sees_tenant(k->settings, who, e->tenant))
		return true;
	if (e->type == HOLDFAST_EVENT_LEASE || e->type == HOLDFAST_EVENT_QUOTA ||
	    e->type == HOLDFAST_EVENT_REFUSED)
		return false;
	e->lease = e->tenant = 0;
	e->pid = 0;
	return true;
}

#define LIST_BYTES	(48 * 1024)	/* that fit into a message, with what is around them */
#define TOLD_BYTES	(16 * 1024)	/* of a black box, with an incident (export/incident.h) */

/* Of a list from old to new: the newest that fit. */
static json_t *newest_that_fit(json_t *list, size_t room)
{
	size_t i = json_array_size(list);

	while (i > 0) {
		size_t bytes = json_dumpb(json_array_get(list, i - 1), NULL, 0, JSON_COMPACT) + 1;

		if (bytes > room)
			break;
		room -= bytes;
		i--;
	}
	while (i-- > 0)
		json_array_remove(list, 0);
	return list;
}

json_t *hf_show_events(struct hf_array *a, const struct hf_actor *who, uint64_t after, size_t most)
{
	struct holdfast_event *e = calloc(most, sizeof(*e));
	json_t *list = e ? json_array() : NULL;
	size_t n = e ? hf_recorder_copy(a->rec, after, e, most) : 0;

	for (size_t i = 0; list && i < n; i++)
		if (tell_event(a->keeper, who, &e[i]))
			json_array_append_new(
				list, hf_event_json(&e[i], hf_tenant_name(a->keeper, e[i].tenant)));
	free(e);
	return json_pack("{s:o, s:I, s:o}", "events", newest_that_fit(list, LIST_BYTES), "newest",
			 (json_int_t)a->rec->last_seq, "instance", hf_hex_json(a->instance));
}

/* @whole: with what its lease's tenant alone may know. */
static json_t *trip_json(const struct holdfast_trip *t, bool whole)
{
	char text[HOLDFAST_TEXT_LEN];
	struct hf_corr corr;
	char hex[HF_CORR_TEXT];
	json_t *j = json_pack("{s:s, s:s, s:i, s:I, s:I, s:b, s:o, s:s}", "cause",
			      holdfast_cause_name(t->cause), "severity",
			      holdfast_severity_name(t->severity), "count", (int)t->count, "seq",
			      (json_int_t)t->event_seq, "t_ns", (json_int_t)t->real_ns, "confirmed",
			      (int)t->confirmed, "reason", hf_reason_json(&t->reason), "text",
			      t->cause ? holdfast_strerror_trip(t, text, sizeof(text)) :
					 "never tripped");

	if (!j || !whole)
		return j;
	memcpy(corr.b, t->corr, sizeof(corr.b));
	json_object_set_new(j, "lease", json_integer((json_int_t)t->lease));
	json_object_set_new(j, "pid", json_integer(t->pid));
	json_object_set_new(j, "uid", json_integer(t->uid));
	json_object_set_new(j, "comm", hf_plain_json(t->comm, sizeof(t->comm)));
	if (!hf_corr_none(&corr))
		json_object_set_new(j, "corr", json_string(hf_corr_text(&corr, hex)));
	return j;
}

json_t *hf_show_trip(struct hf_array *a, const struct hf_actor *who)
{
	struct holdfast_trip t;

	if (a->keeper->device->trip(a->dev, &t))
		return NULL;
	return json_pack("{s:o}", "trip",
			 trip_json(&t, hf_policy_sees_tenant(a->keeper->settings, who, t.tenant)));
}

static json_t *entry_json(const struct holdfast_blackbox_entry *e)
{
	static const char *const kind[] = { "?", "sample", "verdict", "state", "trip" };

	return json_pack(
		"{s:I, s:s, s:s, s:s, s:o, s:i, s:i, s:i, s:i, s:I}", "t_ns",
		(json_int_t)e->time_ns, "kind", kind[e->kind <= HOLDFAST_BB_TRIP ? e->kind : 0],
		"state", holdfast_state_name(e->state), "verdict",
		holdfast_verdict_name(e->verdict), "reason", hf_reason_json(&e->reason), "temp_mc",
		e->temp_mc, "supply_mv", e->supply_mv, "current_ma", e->current_ma, "cap_q16",
		(int)e->cap_q16, "power_uw", (json_int_t)e->power_uw);
}

static json_t *blackbox_json(struct hf_array *a, size_t room)
{
	struct holdfast_blackbox_entry *e;
	json_t *list = json_array();
	bool frozen = false;
	int n = a->keeper->device->blackbox(a->dev, NULL, 0, &frozen);

	if (n < 0 || !list)
		goto fail;
	e = calloc((size_t)n + 1, sizeof(*e));
	if (!e)
		goto fail;
	if (n)
		n = a->keeper->device->blackbox(a->dev, e, (size_t)n, &frozen) < 0 ? 0 : n;
	for (int i = 0; i < n; i++)
		json_array_append_new(list, entry_json(&e[i]));
	free(e);
	return json_pack("{s:o, s:b, s:i}", "entries", newest_that_fit(list, room), "frozen", (int)frozen,
			 "kept", n);
fail:
	json_decref(list);
	return NULL;
}

/* Without who: entries do not say whose tenant the lease was. */
json_t *hf_show_blackbox(struct hf_array *a)
{
	return blackbox_json(a, LIST_BYTES);
}

json_t *hf_show_told(struct hf_array *a, const struct holdfast_trip *t)
{
	const struct hf_settings *s = a->keeper->settings;
	const char *owner = t->tenant ? hf_tenant_name(a->keeper, t->tenant) : "";
	json_t *tenants = json_array();

	for (size_t i = 0; i < s->tenants; i++)
		if (hf_tenant_has(&s->tenant[i], a->index, a->serial))
			json_array_append_new(tenants, json_string(s->tenant[i].name));
	return json_pack("{s:o, s:s*, s:o, s:o, s:o*}", "serial",
			 hf_plain_json(a->serial, sizeof(a->serial)), "owner", owner, "tenants",
			 tenants, "trip", trip_json(t, true), "blackbox",
			 blackbox_json(a, TOLD_BYTES));
}

static json_t *lease_json(struct hf_keeper *k, const struct hf_lease *l,
			  const struct holdfast_lease_info *li)
{
	const char *tenant = hf_tenant_name(k, l->tenant);
	char corr[HF_CORR_TEXT];
	uint64_t now = hf_now(k);

	return json_pack("{s:I, s:o, s:s, s:i, s:I, s:o, s:I, s:I, s:I, s:I, s:s}", "lease",
			 (json_int_t)l->id, "tenant", tenant ? json_string(tenant) : json_null(),
			 "actor", l->actor, "rights", (int)l->rights, "left_ms",
			 (json_int_t)(l->end_ns > now ? (l->end_ns - now) / HF_MS : 0), "label",
			 hf_plain_json(l->label, sizeof(l->label)), "pid", (json_int_t)l->pid,
			 "admitted", (json_int_t)li->admitted, "attenuated",
			 (json_int_t)li->attenuated, "rejected", (json_int_t)li->rejected, "corr",
			 hf_corr_text(&l->corr, corr));
}

json_t *hf_show_leases(struct hf_array *a, const struct hf_actor *who)
{
	struct holdfast_lease_info li[HOLDFAST_MAX_LEASES];
	int n = a->keeper->device->leases(a->dev, li, HOLDFAST_MAX_LEASES);
	json_t *list = json_array();

	for (size_t i = 0; list && i < a->leases; i++) {
		const struct hf_lease *l = &a->lease[i];

		if (!hf_policy_sees_tenant(a->keeper->settings, who, l->tenant))
			continue;
		for (int j = 0; j < n; j++)
			if (li[j].id == l->id)
				json_array_append_new(list, lease_json(a->keeper, l, &li[j]));
	}
	return json_pack("{s:o}", "leases", list);
}

json_t *hf_show_tenant(struct hf_keeper *k, const struct hf_tenant *t)
{
	return json_pack("{s:s, s:i, s:i, s:o}", "tenant", t->name, "leases",
			 (int)hf_leases_of(k, t->id), "max_leases", (int)t->max_leases, "quota",
			 hf_quota_json(k, t));
}

json_t *hf_show_tenants(struct hf_keeper *k, const struct hf_actor *who)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < k->settings->tenants; i++)
		if (hf_policy_sees_tenant(k->settings, who, k->settings->tenant[i].id))
			json_array_append_new(list, hf_show_tenant(k, &k->settings->tenant[i]));
	return json_pack("{s:o}", "tenants", list);
}

json_t *hf_show_stats(struct hf_keeper *k)
{
	json_t *list = json_array();
	size_t leases = 0;

	for (size_t i = 0; list && i < HF_ARRAYS; i++) {
		struct hf_array *a = &k->array[i];
		json_t *j = a->used ? hf_beat_json(a) : NULL;

		if (!j)
			continue;
		leases += a->leases;
		json_object_set_new(j, "array", json_integer(a->index));
		json_object_set_new(j, "sealed", json_boolean(a->sealed));
		json_object_set_new(j, "wanted", json_integer((json_int_t)a->lacks));
		json_array_append_new(list, j);
	}
	return json_pack("{s:o, s:b, s:b, s:s, s:b, s:i, s:I, s:o, s:o}", "arrays", list, "silenced",
			 (int)(k->disarmed_ns != 0), "durable", (int)hf_ladder_durable(&k->ladder),
			 "why", hf_ladder_why(&k->ladder),
			 "auth", (int)(k->auth != NULL), "leases", (int)leases, "unrecorded",
			 (json_int_t)hf_arrays_pending(k), "state", hf_store_json(k), "driver",
			 hf_timed_json());
}
