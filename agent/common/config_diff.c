// SPDX-License-Identifier: GPL-2.0
/*
 * What is different between two configurations, when it takes effect, and
 * whether it loosens a limit of the site. Only compares; changes nothing.
 */
#include <string.h>

#include "config_internal.h"

#define DIFF_PATH 256

struct diff {
	json_t *list;
	bool no_memory;
};

static enum hf_config_reload stricter(enum hf_config_reload a, enum hf_config_reload b)
{
	return a > b ? a : b;
}

/* @old or @new may be NULL: absent. */
static void change(struct diff *d, const char *path, json_t *old, json_t *new,
		   enum hf_config_reload reload, bool loosens)
{
	json_t *c = json_pack("{s:s, s:O*, s:O*, s:s, s:b}", "path", path, "old", old, "new", new,
			      "reload", hf_config_reload_name(reload), "loosens",
			      reload == HF_RELOAD_SEALED && loosens);

	if (!c || json_array_append_new(d->list, c))
		d->no_memory = true;
}

static void any(struct diff *d, const struct hf_config_key *k, const char *path, json_t *old,
		json_t *new, enum hf_config_reload around);

static void maps(struct diff *d, const struct hf_config_key *table, const char *path, json_t *old,
		 json_t *new, enum hf_config_reload around)
{
	for (const struct hf_config_key *k = table; k->name; k++) {
		char sub[DIFF_PATH];

		snprintf(sub, sizeof(sub), "%s%s%s", path, *path ? "." : "", k->name);
		any(d, k, sub, json_object_get(old, k->name), json_object_get(new, k->name),
		    around);
	}
}

/* The element of @list that is the same thing as @e, or NULL. */
static json_t *counterpart(const struct hf_config_key *k, const json_t *list, const json_t *e)
{
	json_t *other;
	size_t i;

	json_array_foreach(list, i, other)
	{
		bool same = true;

		for (const char *const *m = k->identity; m && *m && same; m++)
			same = json_equal(json_object_get(other, *m), json_object_get(e, *m));
		if (k->identity ? same : json_equal(other, e))
			return other;
	}
	return NULL;
}

/* "arrays["*"]", "fence[0,0,100000]"; a list without identity is named alone. */
static void element_path(const struct hf_config_key *k, const char *path, const json_t *e,
			 char *out)
{
	int used = snprintf(out, DIFF_PATH, "%s", path);

	for (const char *const *m = k->identity; m && *m && used < DIFF_PATH; m++) {
		char value[48] = "";
		size_t n = json_dumpb(json_object_get(e, *m), value, sizeof(value) - 1,
				      JSON_ENCODE_ANY);

		value[n < sizeof(value) ? n : 0] = '\0';
		used += snprintf(out + used, (size_t)(DIFF_PATH - used), "%s%s%s",
				 m == k->identity ? "[" : ",", value, m[1] ? "" : "]");
	}
}

/* An entry that goes takes its limits with it; one without any loosens nothing. */
static bool element_bounds(const json_t *e)
{
	return json_object_get(e, "limit_mpa") || json_object_size(json_object_get(e, "limits")) ||
	       json_array_size(json_object_get(e, "fence"));
}

static void lists(struct diff *d, const struct hf_config_key *k, const char *path, json_t *old,
		  json_t *new, enum hf_config_reload reload)
{
	size_t before = json_array_size(d->list), i;
	char sub[DIFF_PATH];
	json_t *e;

	json_array_foreach(old, i, e)
	{
		json_t *other = counterpart(k, new, e);

		element_path(k, path, e, sub);
		if (other && k->identity)
			maps(d, k->sub, sub, e, other, reload);
		else if (!other)
			change(d, sub, e, NULL, reload, element_bounds(e));
	}
	json_array_foreach(new, i, e)
	{
		element_path(k, path, e, sub);
		if (!counterpart(k, old, e))
			change(d, sub, NULL, e, reload, false);
	}
	/* the same elements in another order: of peers the first that matches counts */
	if (json_array_size(d->list) == before && !json_equal(old, new))
		change(d, path, old, new, reload, false);
}

/* Is @new looser than @old? Only for single values, either of which may be absent. */
static bool looser(const struct hf_config_key *k, const json_t *old, const json_t *new)
{
	if (k->type != HF_C_INT || !old)
		return false;
	if (!new)
		return true;
	return k->flags & HF_CF_FLOOR ? json_integer_value(new) < json_integer_value(old) :
					json_integer_value(new) > json_integer_value(old);
}

static void any(struct diff *d, const struct hf_config_key *k, const char *path, json_t *old,
		json_t *new, enum hf_config_reload around)
{
	enum hf_config_reload reload = stricter(around, k->reload);

	if (k->type == HF_C_MAP)
		maps(d, k->sub, path, old, new, reload);
	else if (k->type == HF_C_LIST)
		lists(d, k, path, old, new, reload);
	else if ((old || new) && !json_equal(old, new))
		change(d, path, old, new, reload, looser(k, old, new));
}

json_t *hf_config_diff(const struct hf_config *old, const struct hf_config *new)
{
	struct diff d = { .list = json_array() };

	if (!d.list)
		return NULL;
	maps(&d, hf_config_schema, "", old->values, new->values, HF_RELOAD_LIVE);
	if (d.no_memory) {
		json_decref(d.list);
		return NULL;
	}
	return d.list;
}
