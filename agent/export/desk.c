// SPDX-License-Identifier: GPL-2.0
/*
 * What people ask of the incidents, each only what his tenant lets him see. Whether somebody may
 * ask at all auth has decided; the table is looked at again, as the keeper does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "desk.h"
#include "ops.h"

#define ANSWER_BYTES	(56 * 1024)	/* that fit into a message */

/* --------------------------------------------------------------- who sees what */

static bool names(const json_t *list, const char *name)
{
	const json_t *j;
	size_t i;

	json_array_foreach((json_t *)list, i, j)
		if (json_string_value(j) && !strcmp(json_string_value(j), name))
			return true;
	return false;
}

bool inc_visible(const struct inc *i, const struct hf_actor *a)
{
	if (a->role == HF_ROLE_ADMIN)
		return true;
	if (!a->tenant[0])
		return a->role == HF_ROLE_OPERATOR || a->role == HF_ROLE_SYSTEM;
	return i->tenants && names(i->tenants, a->tenant);
}

/* As hf_policy_sees_tenant() of the keeper: what a lease did is its tenant's. */
static bool owned(const json_t *evidence, const struct hf_actor *a)
{
	const char *owner = json_string_value(json_object_get(evidence, "owner"));

	return !evidence || (owner && !strcmp(owner, a->tenant));
}

bool inc_visible_whole(const struct inc *i, const struct hf_actor *a)
{
	return a->role == HF_ROLE_ADMIN || (owned(i->evidence, a) && owned(i->latest, a));
}

static void strip(json_t *evidence)
{
	static const char *const whose[] = { "lease", "pid", "uid", "comm", "corr", "tenant" };
	json_t *trip = json_object_get(evidence, "trip");

	for (size_t i = 0; i < sizeof(whose) / sizeof(whose[0]); i++)
		json_object_del(trip, whose[i]);
	json_object_del(evidence, "owner");
}

static json_t *seen_by(const struct inc *i, const struct hf_actor *a)
{
	json_t *whole = inc_json(i), *j = json_deep_copy(whole), *line;
	size_t n;

	json_decref(whole);
	json_object_del(j, "event");
	if (a->role != HF_ROLE_ADMIN && a->tenant[0]) {
		json_object_del(j, "tenants");
		json_object_del(j, "told");
	}
	if (inc_visible_whole(i, a))
		return j;
	strip(json_object_get(j, "evidence"));
	strip(json_object_get(j, "latest"));
	json_array_foreach(json_object_get(j, "timeline"), n, line)
		if (!strcmp(json_string_value(json_object_get(line, "who")), "holdfastd"))
			json_object_set_new(line, "corr", json_string(""));
	return j;
}

/* ------------------------------------------------------------------- answers */

struct ask {
	struct inc_engine *e;
	struct inc *i;		/* of an operation that has one */
	const struct hf_actor *actor;
	const json_t *args;
	const struct hf_corr *corr;
};

static const char *text_arg(const struct ask *q, const char *name)
{
	const char *s = json_string_value(json_object_get(q->args, name));

	return s ? s : "";
}

static bool wanted(const struct ask *q, const struct inc *i)
{
	const char *state = text_arg(q, "state");

	return inc_visible(i, q->actor) &&
	       (!state[0] || !strcmp(state, inc_state_word(i->state)) ||
		(!strcmp(state, "unresolved") && i->state != INC_RESOLVED));
}

static int by_rev(const void *a, const void *b)
{
	const struct inc *const *x = a, *const *y = b;

	return ((*x)->rev > (*y)->rev) - ((*x)->rev < (*y)->rev);
}

/* The newest by id; with "since" the next ones by change, and all if the log of changes is another. */
static int on_list(const struct ask *q, json_t **out)
{
	const json_t *arg = json_object_get(q->args, "since"), *limit = json_object_get(q->args, "limit");
	size_t most = limit ? (size_t)json_integer_value(limit) : 64, n = 0, from = 0;
	uint64_t since = (uint64_t)json_integer_value(arg);
	const struct inc *found[INC_MOST], *i;
	json_t *list = json_array();

	if (since > inc_newest(q->e))
		since = 0;
	for (size_t at = 0; (i = inc_at(q->e, at)); at++)
		if (wanted(q, i) && i->rev > since)
			found[n++] = i;
	if (arg)
		qsort(found, n, sizeof(found[0]), by_rev);
	else if (n > most)
		from = n - most;
	for (size_t at = from; at < n && at - from < most; at++)
		json_array_append_new(list, inc_brief(found[at]));
	*out = json_pack("{s:o, s:I, s:b}", "incidents", list, "rev",
			 (json_int_t)(arg && n > most ? found[most - 1]->rev : inc_newest(q->e)),
			 "more", (int)(arg && n > most));
	return 200;
}

static int on_show(const struct ask *q, json_t **out)
{
	json_t *j = seen_by(q->i, q->actor);

	json_object_del(j, "evidence");
	json_object_del(j, "latest");
	*out = json_pack("{s:o}", "incident", j);
	return 200;
}

/* The oldest entries of the black box make room for what people have written. */
static void fit(json_t *report)
{
	json_t *entries = json_object_get(json_object_get(json_object_get(report, "evidence"),
							  "blackbox"), "entries");

	while (json_array_size(entries) && json_dumpb(report, NULL, 0, JSON_COMPACT) > ANSWER_BYTES)
		for (size_t n = 0; n < 8; n++)
			json_array_remove(entries, 0);
}

static int on_report(const struct ask *q, json_t **out)
{
	json_t *j = seen_by(q->i, q->actor);

	fit(j);
	*out = json_pack("{s:o}", "report", j);
	return 200;
}

static int act(const struct ask *q, int ret, json_t **out)
{
	switch (ret) {
	case 0:
		*out = json_pack("{s:o}", "incident", inc_brief(q->i));
		return 200;
	case -EBUSY:
		*out = hf_error_json("still_wrong", "%s is wrong still: it is resolved when that is over",
				     q->i->key);
		return 409;
	case -ENOSPC:
		*out = hf_error_json("full", "it has %d annotations, which is the limit", INC_NOTES);
		return 409;
	default:
		*out = hf_error_json("not_open", "it is %s already", inc_state_word(q->i->state));
		return 409;
	}
}

static int on_acknowledge(const struct ask *q, json_t **out)
{
	return act(q, inc_acknowledge(q->e, q->i, q->actor->name, text_arg(q, "comment"), q->corr), out);
}

static int on_annotate(const struct ask *q, json_t **out)
{
	return act(q, inc_annotate(q->e, q->i, q->actor->name, text_arg(q, "text"), q->corr), out);
}

static int on_resolve(const struct ask *q, json_t **out)
{
	return act(q, inc_resolve(q->e, q->i, q->actor->name, text_arg(q, "comment"), q->corr), out);
}

static const struct {
	const char *op;
	int (*fn)(const struct ask *q, json_t **out);
} handlers[] = {
	{ "incident.list", on_list }, { "incident.show", on_show }, { "incident.report", on_report },
	{ "incident.acknowledge", on_acknowledge }, { "incident.annotate", on_annotate },
	{ "incident.resolve", on_resolve },
};

#define HANDLERS	(sizeof(handlers) / sizeof(handlers[0]))

int inc_call(struct inc_engine *e, const json_t *body, const struct hf_corr *corr, json_t **out)
{
	const char *name = json_string_value(json_object_get(body, "op"));
	const struct hf_op *op = hf_op_find(name);
	struct hf_actor actor;
	struct ask q = { .e = e, .actor = &actor, .args = json_object_get(body, "args"),
			 .corr = corr };
	enum hf_denial d;
	struct hf_err err;
	size_t h = 0;

	while (h < HANDLERS && strcmp(handlers[h].op, name) != 0)
		h++;
	if (!op || op->target != HF_PROC_EXPORT || h == HANDLERS) {
		*out = hf_error_json("not_found", "no such operation here");
		return 404;
	}
	if (hf_actor_parse(json_object_get(body, "actor"), &actor, &err) ||
	    hf_field_check(op->args, q.args, NULL, &err)) {
		*out = hf_error_json("argument", "%s", err.text);
		return 400;
	}
	d = hf_op_authorise(op, &actor, true);
	if (d != HF_ALLOWED) {
		*out = hf_error_json(hf_denial_code(d), "%s: not allowed", name);
		return hf_denial_status(d);
	}
	if (json_object_get(q.args, "incident")) {
		q.i = inc_find(e, (uint64_t)json_integer_value(json_object_get(q.args, "incident")));
		if (!q.i || !inc_visible(q.i, &actor)) {
			*out = hf_error_json("not_found", "there is no such incident");
			return 404;
		}
	}
	return handlers[h].fn(&q, out);
}
