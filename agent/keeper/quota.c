// SPDX-License-Identifier: GPL-2.0
/*
 * Quotas of tenants. The driver enforces a budget per tenant and array; here the
 * tenant's quota is shared out over the arrays that it has leases on, usage is
 * added up over arrays, restarts and reboots, and given anew period by period.
 * Whether there is a lease is not decided here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "keeper.h"

#define KINDS	HF_QUOTAS
#define ALL	((1U << KINDS) - 1)

/* What the driver's counters of one array stood at when they were added up last. */
struct mark {
	uint64_t instance;
	uint64_t used[KINDS];
	uint64_t budget[KINDS];
	bool known;		/* the driver knows the tenant on this array, now */
};

/* @id: 0: free. @since_s: CLOCK_REALTIME, start of the period. */
struct tenant_usage {
	uint64_t id;
	int64_t since_s;
	uint64_t total[KINDS];
	struct mark mark[HF_ARRAYS];
};

struct hf_usage {
	struct tenant_usage tenant[HF_TENANTS];
};

static int64_t now_s(const struct hf_keeper *k)
{
	return (int64_t)(hf_real_ns(k->clock) / HF_S);
}

/* One that is no longer in the configuration makes way. */
static struct tenant_usage *usage_of(struct hf_keeper *k, uint64_t id, bool make)
{
	struct tenant_usage *room = NULL;

	for (size_t i = 0; i < HF_TENANTS; i++) {
		struct tenant_usage *u = &k->usage->tenant[i];

		if (u->id == id)
			return u;
		if (!u->id || (!room && !hf_settings_tenant_id(k->settings, u->id)))
			room = room && !room->id ? room : u;
	}
	if (!make || !room)
		return NULL;
	memset(room, 0, sizeof(*room));
	room->id = id;
	room->since_s = now_s(k);
	return room;
}

/* ------------------------------------------------------------ what is used */

static void add_up(struct tenant_usage *u, const struct hf_array *a,
		   const struct holdfast_tenant_info *ti)
{
	struct mark *m = &u->mark[a->index];

	if (m->instance != a->instance)
		*m = (struct mark){ .instance = a->instance };
	for (size_t i = 0; i < KINDS; i++) {
		/* Only the keeper resets counters, and this one never does. */
		u->total[i] += ti->used[i] > m->used[i] ? ti->used[i] - m->used[i] : 0;
		m->used[i] = ti->used[i];
		m->budget[i] = ti->budget[i];
	}
	m->known = true;
}

static void read_array(struct hf_keeper *k, struct hf_array *a)
{
	struct holdfast_tenant_info ti[HOLDFAST_MAX_TENANTS];
	int n = k->device->tenants(a->dev, ti, HOLDFAST_MAX_TENANTS);

	for (int i = 0; i < n; i++) {
		bool ours = hf_settings_tenant_id(k->settings, ti[i].tenant);
		struct tenant_usage *u = ti[i].tenant ? usage_of(k, ti[i].tenant, ours) : NULL;

		if (u)
			add_up(u, a, &ti[i]);
	}
}

static void read_all(struct hf_keeper *k)
{
	for (size_t t = 0; t < HF_TENANTS; t++)
		for (size_t i = 0; i < HF_ARRAYS; i++)
			k->usage->tenant[t].mark[i].known = false;
	for (size_t i = 0; i < HF_ARRAYS; i++)
		if (k->array[i].used)
			read_array(k, &k->array[i]);
}

static bool period_over(struct hf_keeper *k, struct tenant_usage *u, const struct hf_tenant *t)
{
	int64_t past = now_s(k) - u->since_s, period = (int64_t)t->period_s;

	if (past < period)
		return false;
	u->since_s += past / period * period;
	memset(u->total, 0, sizeof(u->total));
	return true;
}

/* ------------------------------------------------------------ what is left */

static uint64_t left(const struct tenant_usage *u, const struct hf_tenant *t, size_t kind)
{
	return t->quota[kind] > u->total[kind] ? t->quota[kind] - u->total[kind] : 0;
}

/* Arrays share what is left if the tenant has a lease there, or is about to. */
static bool takes_part(const struct hf_array *a, const struct hf_tenant *t,
		       const struct hf_array *want)
{
	if (!a->used)
		return false;
	for (size_t i = 0; i < a->leases; i++)
		if (a->lease[i].tenant == t->id)
			return true;
	return a == want;
}

/*
 * Without a share nothing is raised, not even to what was used: that is told rounded up, so each
 * new lease would get one more frame out of the difference.
 */
static uint64_t target(const struct tenant_usage *u, const struct hf_tenant *t,
		       const struct hf_array *a, size_t kind, uint64_t sharers, bool part)
{
	const struct mark *m = &u->mark[a->index];
	uint64_t share = part ? left(u, t, kind) / sharers : 0;

	if (t->quota[kind] == HOLDFAST_QUOTA_NONE)
		return HOLDFAST_QUOTA_NONE;
	if (!share && m->budget[kind] < m->used[kind])
		return m->budget[kind];
	return m->used[kind] + share;
}

/* Budgets of one array. @raise: those that are too low, else those that are too high. */
static int budgets(struct hf_keeper *k, struct hf_array *a, struct tenant_usage *u,
		   const struct hf_tenant *t, uint64_t sharers, const struct hf_array *want,
		   bool raise)
{
	struct mark *m = &u->mark[a->index];
	struct holdfast_quota q = { .tenant = t->id };
	bool part = takes_part(a, t, want);
	int ret;

	if (m->instance != a->instance)
		*m = (struct mark){ .instance = a->instance };
	if (!m->known) {
		memset(m->budget, 0xff, sizeof(m->budget));
		memset(m->used, 0, sizeof(m->used));
	}
	for (size_t i = 0; i < KINDS; i++) {
		uint64_t to = target(u, t, a, i, sharers, part);

		q.budget[i] = to;
		if (raise ? to > m->budget[i] : to < m->budget[i])
			q.set |= 1U << i;
	}
	/* A tenant that the driver does not know has no lease here, and needs no budget. */
	if (!q.set || (!m->known && !part))
		return 0;
	ret = k->device->quota(a->keeping, &q);
	for (size_t i = 0; !ret && i < KINDS; i++)
		m->budget[i] = q.budget[i];
	m->known |= !ret;
	return ret;
}

/* Lower first, so that all budgets together are never more than is left. */
static int share_out(struct hf_keeper *k, struct tenant_usage *u, const struct hf_tenant *t,
		     const struct hf_array *want)
{
	uint64_t sharers = 0;
	int ret = 0;

	for (size_t i = 0; i < HF_ARRAYS; i++)
		sharers += takes_part(&k->array[i], t, want);
	for (int raise = 0; raise < 2; raise++) {
		for (size_t i = 0; i < HF_ARRAYS; i++) {
			int err = k->array[i].used ? budgets(k, &k->array[i], u, t, sharers, want,
							     raise) : 0;

			ret = ret ? ret : err;
		}
	}
	return ret;
}

/* Shares are made even only when one is nearly used up: each setting is an event of the driver's.
 */
static bool uneven(struct hf_keeper *k, struct tenant_usage *u, const struct hf_tenant *t)
{
	uint64_t sharers = 0;

	for (size_t i = 0; i < HF_ARRAYS; i++)
		sharers += takes_part(&k->array[i], t, NULL);
	for (size_t i = 0; i < HF_ARRAYS; i++) {
		const struct mark *m = &u->mark[i];

		if (!takes_part(&k->array[i], t, NULL))
			continue;
		for (size_t j = 0; j < KINDS; j++) {
			uint64_t has = m->budget[j] > m->used[j] ? m->budget[j] - m->used[j] : 0;

			if (t->quota[j] != HOLDFAST_QUOTA_NONE && has < left(u, t, j) / sharers / 4)
				return true;
		}
	}
	return false;
}

int hf_quota_ready(struct hf_array *a, const struct hf_tenant *t)
{
	struct hf_keeper *k = a->keeper;
	struct tenant_usage *u;

	if (!hf_tenant_bounded(t))
		return 0;
	read_all(k);
	u = usage_of(k, t->id, true);
	if (!u)
		return -ENOSPC;
	period_over(k, u, t);
	return share_out(k, u, t, a);
}

void hf_quota_tick(struct hf_keeper *k)
{
	read_all(k);
	for (size_t i = 0; i < k->settings->tenants; i++) {
		const struct hf_tenant *t = &k->settings->tenant[i];
		struct tenant_usage *u = hf_tenant_bounded(t) ? usage_of(k, t->id, true) : NULL;

		if (u && (period_over(k, u, t) || uneven(k, u, t)))
			share_out(k, u, t, NULL);
	}
}

void hf_quota_settings(struct hf_keeper *k)
{
	read_all(k);
	for (size_t i = 0; i < k->settings->tenants; i++) {
		const struct hf_tenant *t = &k->settings->tenant[i];
		struct tenant_usage *u = usage_of(k, t->id, hf_tenant_bounded(t));

		if (u)
			share_out(k, u, t, NULL);
	}
}

int hf_quota_reset(struct hf_keeper *k, const struct hf_tenant *t)
{
	struct tenant_usage *u;

	read_all(k);
	u = usage_of(k, t->id, true);
	if (!u)
		return -ENOSPC;
	memset(u->total, 0, sizeof(u->total));
	u->since_s = now_s(k);
	return share_out(k, u, t, NULL);
}

/* ------------------------------------------------------------------- state */

static json_t *numbers(const uint64_t *v)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < KINDS; i++)
		json_array_append_new(list, json_integer((json_int_t)v[i]));
	return list;
}

static void numbers_read(const json_t *list, uint64_t *v)
{
	for (size_t i = 0; i < KINDS; i++)
		v[i] = (uint64_t)json_integer_value(json_array_get(list, i));
}

static json_t *marks_json(const struct tenant_usage *u)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < HF_ARRAYS; i++)
		if (u->mark[i].instance)
			json_array_append_new(list, json_pack("{s:i, s:o, s:o}", "array", (int)i,
							      "instance",
							      hf_hex_json(u->mark[i].instance),
							      "used", numbers(u->mark[i].used)));
	return list;
}

json_t *hf_quota_state(struct hf_keeper *k)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < HF_TENANTS; i++) {
		const struct tenant_usage *u = &k->usage->tenant[i];

		if (u->id)
			json_array_append_new(
				list, json_pack("{s:I, s:I, s:o, s:o}", "id", (json_int_t)u->id,
						"since_s", (json_int_t)u->since_s, "used",
						numbers(u->total), "arrays", marks_json(u)));
	}
	return list;
}

static void marks_restore(struct tenant_usage *u, const json_t *list)
{
	const json_t *j;
	size_t n;

	json_array_foreach((json_t *)list, n, j) {
		json_int_t i = json_integer_value(json_object_get(j, "array"));
		const char *instance = json_string_value(json_object_get(j, "instance"));

		if (i < 0 || i >= HF_ARRAYS || !instance)
			continue;
		u->mark[i].instance = strtoull(instance, NULL, 16);
		numbers_read(json_object_get(j, "used"), u->mark[i].used);
	}
}

void hf_quota_restore(struct hf_keeper *k, const json_t *state)
{
	const json_t *j;
	size_t n;

	json_array_foreach((json_t *)state, n, j) {
		json_int_t id = json_integer_value(json_object_get(j, "id"));
		struct tenant_usage *u = id > 0 ? usage_of(k, (uint64_t)id, true) : NULL;

		if (!u)
			continue;
		u->since_s = json_integer_value(json_object_get(j, "since_s"));
		numbers_read(json_object_get(j, "used"), u->total);
		marks_restore(u, json_object_get(j, "arrays"));
	}
}

json_t *hf_quota_json(struct hf_keeper *k, const struct hf_tenant *t)
{
	static const char *const words[KINDS] = { "emission_ms", "energy_mj", "frames" };
	static const uint64_t unit[KINDS] = { 1, 1000, 1 };
	const struct tenant_usage *u;
	json_t *j = json_object();

	read_all(k);
	u = usage_of(k, t->id, false);
	for (size_t i = 0; j && i < KINDS; i++) {
		/* Used rounded up, as the driver does. */
		uint64_t used = u ? (u->total[i] + unit[i] - 1) / unit[i] : 0;

		json_object_set_new(
			j, words[i],
			json_pack("{s:I, s:o}", "used", (json_int_t)used, "quota",
				  t->quota[i] == HOLDFAST_QUOTA_NONE
					  ? json_null()
					  : json_integer((json_int_t)(t->quota[i] / unit[i]))));
	}
	json_object_set_new(j, "since_s", json_integer(u ? u->since_s : 0));
	json_object_set_new(j, "period_s", json_integer((json_int_t)t->period_s));
	return j;
}

int hf_quota_start(struct hf_keeper *k)
{
	k->usage = calloc(1, sizeof(*k->usage));
	return k->usage ? 0 : -ENOMEM;
}

void hf_quota_free(struct hf_keeper *k)
{
	free(k->usage);
}
