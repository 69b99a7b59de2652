// SPDX-License-Identifier: GPL-2.0
/* Configuration into structures (settings.h). Reads JSON and nothing else. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "config.h"
#include "settings.h"

static const char *const right_words[] = { "frames", "raw", "arm", "reset" };

bool hf_limit_tighter(uint32_t limit, int64_t a, int64_t b)
{
	const struct holdfast_limit_desc *d = holdfast_limit_desc(limit);

	return d && (d->is_floor ? a > b : a < b);
}

int hf_limits_read(const json_t *limits, struct holdfast_envelope *env, struct hf_err *e)
{
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)limits, name, v) {
		int limit = holdfast_limit_by_name(name);
		int64_t value = json_integer_value(v);

		if (limit < 0 || !json_is_integer(v))
			return hf_fail(e, -EINVAL, "limits.%.40s: %s", name,
				       limit < 0 ? "the driver has no such limit"
						 : "not an integer");
		if (env->set & 1ULL << limit &&
		    !hf_limit_tighter((uint32_t)limit, value, env->limit[limit]))
			continue;
		env->set |= 1ULL << limit;
		env->limit[limit] = value;
	}
	return 0;
}

static int32_t um_of(const json_t *point, const char *axis)
{
	return (int32_t)json_integer_value(json_object_get(point, axis));
}

int hf_fence_read(const json_t *list, struct holdfast_fence_point *p, size_t n)
{
	const json_t *point;
	size_t i;

	json_array_foreach((json_t *)list, i, point) {
		if (n == HOLDFAST_MAX_FENCE)
			return -ENOSPC;
		p[n++] = (struct holdfast_fence_point){
			.x_um = um_of(point, "x_um"),
			.y_um = um_of(point, "y_um"),
			.z_um = um_of(point, "z_um"),
			.limit_mpa =
				(uint32_t)json_integer_value(json_object_get(point, "limit_mpa")),
		};
	}
	return (int)n;
}

static int rights_read(const json_t *list, uint32_t *rights)
{
	const json_t *word;
	size_t i, k;

	*rights = 0;
	json_array_foreach((json_t *)list, i, word) {
		for (k = 0; k < 4; k++)
			if (!strcmp(right_words[k],
				    json_string_value(word) ? json_string_value(word) : ""))
				break;
		if (k == 4)
			return -EINVAL;
		*rights |= 1U << k;
	}
	return 0;
}

static int windows_read(const json_t *list, struct hf_tenant *t)
{
	const json_t *text;
	size_t i;

	if (json_array_size(list) > HF_WINDOWS)
		return -ENOSPC;
	json_array_foreach(
		(json_t *)list, i,
		text) if (!json_is_string(text) ||
			  hf_window_parse(json_string_value(text), &t->window[i])) return -EINVAL;
	t->windows = json_array_size(list);
	return 0;
}

static uint64_t budget_of(const json_t *quota, const char *name, uint64_t unit)
{
	const json_t *v = json_object_get(quota, name);

	return v ? (uint64_t)json_integer_value(v) * unit : HOLDFAST_QUOTA_NONE;
}

static void quota_read(const json_t *quota, struct hf_tenant *t)
{
	t->quota[HOLDFAST_QUOTA_EMIT] = budget_of(quota, "emission_ms", 1);
	t->quota[HOLDFAST_QUOTA_ENERGY] = budget_of(quota, "energy_mj", 1000);
	t->quota[HOLDFAST_QUOTA_FRAMES] = budget_of(quota, "frames", 1);
	t->period_s = (uint64_t)hf_config_int_or(quota, "per_hours", 24) * 3600;
}

static int tenant_read(const json_t *j, struct hf_tenant *t, struct hf_err *e)
{
	int n;

	snprintf(t->name, sizeof(t->name), "%s", hf_config_text_or(j, "name", ""));
	t->id = (uint64_t)hf_config_int_or(j, "id", 0);
	if (!t->name[0] || !t->id)
		return hf_fail(e, -EINVAL, "tenants: a tenant needs a name and an id above 0");
	t->arrays = json_object_get(j, "arrays");
	t->max_leases = (uint32_t)hf_config_int_or(j, "max_leases", 4);
	t->max_lease_ms = (uint64_t)hf_config_int_or(j, "max_lease_s", 3600) * 1000;
	t->env.size = sizeof(t->env);
	t->env.which = HOLDFAST_ENV_LEASE;
	quota_read(json_object_get(j, "quota"), t);
	if (rights_read(json_object_get(j, "rights"), &t->rights))
		return hf_fail(e, -EINVAL, "tenants: %s: rights: frames, raw, arm, reset", t->name);
	if (windows_read(json_object_get(j, "windows"), t))
		return hf_fail(e, -EINVAL,
			       "tenants: %s: windows: at most %d like \"Mon-Fri 08:00-18:00\"",
			       t->name, HF_WINDOWS);
	if (hf_limits_read(json_object_get(j, "limits"), &t->env, e))
		return -EINVAL;
	n = hf_fence_read(json_object_get(j, "fence"), t->fence, 0);
	if (n < 0)
		return hf_fail(e, -EINVAL, "tenants: %s: fence: more than %d points", t->name,
			       HOLDFAST_MAX_FENCE);
	t->nfence = (size_t)n;
	return 0;
}

static int tenants_read(struct hf_settings *s, struct hf_err *e)
{
	const json_t *list = json_object_get(s->config, "tenants"), *j;
	size_t i;
	int ret;

	if (json_array_size(list) > HF_TENANTS)
		return hf_fail(e, -EINVAL, "tenants: %zu where %d are allowed",
			       json_array_size(list), HF_TENANTS);
	json_array_foreach((json_t *)list, i, j) {
		struct hf_tenant *t = &s->tenant[i];

		ret = tenant_read(j, t, e);
		if (ret)
			return ret;
		if (hf_settings_tenant(s, t->name) || hf_settings_tenant_id(s, t->id))
			return hf_fail(e, -EINVAL, "tenants: %s: its name or id is another's",
				       t->name);
		s->tenants++;
	}
	return 0;
}

int hf_settings_new(struct hf_settings **out, const json_t *config, struct hf_err *e)
{
	struct hf_settings *s = calloc(1, sizeof(*s));
	struct hf_site site;
	int ret;

	if (!s)
		return hf_fail(e, -ENOMEM, "out of memory");
	s->config = json_deep_copy(config);
	if (!s->config) {
		free(s);
		return hf_fail(e, -ENOMEM, "out of memory");
	}
	s->seal = hf_config_bool(s->config, "keeper.seal");
	s->reset_two_person = hf_config_bool(s->config, "keeper.reset_two_person");
	s->disarm_on_auth_loss = hf_config_bool(s->config, "keeper.disarm_on_auth_loss");
	s->beat_ms = (uint32_t)hf_config_int(s->config, "keeper.beat_ms");
	s->lease_max_ms = (uint64_t)hf_config_int(s->config, "keeper.lease_max_s") * 1000;
	s->audit_grace_ns = (uint64_t)hf_config_int(s->config, "keeper.audit_grace_ms") * 1000000;
	s->well = (struct hf_well_settings){
		.margin_mc = hf_config_int(s->config, "health.temperature_margin_mc"),
		.self_test_ns = (uint64_t)hf_config_int(s->config, "health.self_test_hours") * 3600 * HF_S,
		.calibration_s = hf_config_int(s->config, "health.calibration_days") * 86400,
	};
	s->group = hf_config_text(s->config, "keeper.group");
	s->state = hf_config_text(s->config, "paths.state");
	s->run = hf_config_text(s->config, "paths.run");
	ret = tenants_read(s, e);
	/* All entries as if they were one array's: no single array can have more points. */
	if (!ret && hf_settings_site(s, UINT32_MAX, NULL, &site) < 0)
		ret = hf_fail(e, -EINVAL,
			      "arrays: a limit that the driver lacks, or more than %d fence points",
			      HOLDFAST_MAX_FENCE);
	if (ret) {
		hf_settings_free(s);
		return ret;
	}
	*out = s;
	return 0;
}

void hf_settings_free(struct hf_settings *s)
{
	if (!s)
		return;
	json_decref(s->config);
	free(s);
}

const struct hf_tenant *hf_settings_tenant(const struct hf_settings *s, const char *name)
{
	for (size_t i = 0; i < s->tenants; i++)
		if (!strcmp(s->tenant[i].name, name))
			return &s->tenant[i];
	return NULL;
}

const struct hf_tenant *hf_settings_tenant_id(const struct hf_settings *s, uint64_t id)
{
	for (size_t i = 0; i < s->tenants; i++)
		if (s->tenant[i].id == id)
			return &s->tenant[i];
	return NULL;
}

bool hf_tenant_has(const struct hf_tenant *t, uint32_t index, const char *serial)
{
	const json_t *match;
	size_t i;

	json_array_foreach((json_t *)t->arrays, i, match)
		if (hf_config_matches(match, index, serial))
			return true;
	return false;
}

bool hf_tenant_bounded(const struct hf_tenant *t)
{
	for (size_t k = 0; k < HF_QUOTAS; k++)
		if (t->quota[k] != HOLDFAST_QUOTA_NONE)
			return true;
	return false;
}

/* "2026-05-31", which the table has checked. Return: UTC seconds since 1970, 0: no date. */
static int64_t date_read(const char *text)
{
	struct tm day = { .tm_mday = 0 };

	if (sscanf(text, "%4d-%2d-%2d", &day.tm_year, &day.tm_mon, &day.tm_mday) != 3)
		return 0;
	day.tm_year -= 1900;
	day.tm_mon--;
	return timegm(&day);
}

int hf_settings_site(const struct hf_settings *s, uint32_t index, const char *serial,
		     struct hf_site *site)
{
	const json_t *entry;
	int64_t calibrated_s;
	int found = 0, n;
	size_t i;

	memset(site, 0, sizeof(*site));
	site->env.which = HOLDFAST_ENV_SITE;
	json_array_foreach(json_object_get(s->config, "arrays"), i, entry) {
		if (serial && !hf_config_matches(json_object_get(entry, "match"), index, serial))
			continue;
		found = 1;
		if (hf_limits_read(json_object_get(entry, "limits"), &site->env, NULL))
			return -EINVAL;
		n = hf_fence_read(json_object_get(entry, "fence"), site->fence, site->nfence);
		if (n < 0)
			return n;
		site->nfence = (size_t)n;
		calibrated_s = date_read(hf_config_text_or(entry, "calibrated", ""));
		if (calibrated_s && (!site->calibrated_s || calibrated_s < site->calibrated_s))
			site->calibrated_s = calibrated_s;
		/* Without a serial it is a check of each entry by itself. */
		if (!serial)
			site->nfence = 0;
	}
	return found;
}
