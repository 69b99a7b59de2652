// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that auth has decided to be allowed: what raises or changes something is
 * written down durably before it is done, what makes quieter is done first. Who
 * may is decided in auth; here it is checked again against the same table.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper.h"

#define EVENTS_DEFAULT	100

/**
 * struct hf_call - one call under way
 * @link:	where the answer goes; NULL: auth has gone
 */
struct hf_call {
	bool used;
	struct hf_keeper *keeper;
	struct hf_link *link;
	uint64_t id;
	uint64_t intent;
	uint32_t index;
	const struct hf_op *op;
	const struct handler *handler;
	struct hf_corr corr;
	struct hf_actor actor;
	json_t *args;
	int status;		/* the answer, while the OUTCOME record is on its way */
	json_t *result;
	int test_ret;
	struct holdfast_self_test test;
	char object[64];
};

/* @status: 200 unless set. NULL with status 0: the answer comes later. */
typedef json_t *(*handler_fn)(struct hf_call *c, struct hf_array *a, int *status);

struct handler {
	const char *op;
	handler_fn fn;
};

static int64_t int_arg(const struct hf_call *c, const char *name, int64_t otherwise)
{
	const json_t *v = json_object_get(c->args, name);

	return v ? json_integer_value(v) : otherwise;
}

static json_t *gone(int *status)
{
	*status = 404;
	return hf_error_json("not_found", "no such thing");
}

/* ----------------------------------------------------------------- errors */

/* What the driver refused, in words. */
static json_t *refused(const char *what, int ret, const struct holdfast_reason *r, int *status)
{
	static const struct {
		int err, status;
		const char *code, *text;
	} known[] = {
		{ EBUSY, 409, "wrong_state", "the array is not in the state for it" },
		{ ETIME, 409, "keeper_behind", "the keeper has events to handle: try again" },
		{ EAGAIN, 409, "dwell", "the dwell time after the trip is not over" },
		{ EKEYREJECTED, 409, "self_test", "an emergency: a self-test has to pass first" },
		{ ENODEV, 404, "not_found", "the array has gone" },
		{ ENOENT, 404, "not_found", "there is no such lease" },
		{ ENOSPC, 409, "no_room", "the driver has no room for more" },
	};
	char text[HOLDFAST_TEXT_LEN];

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (-ret != known[i].err)
			continue;
		*status = known[i].status;
		return hf_error_json(known[i].code, "%s: %s", what, known[i].text);
	}
	if (r && r->limit != HOLDFAST_LIM_NONE && (ret == -ERANGE || ret == -EPERM)) {
		*status = 409;
		return hf_error_json(ret == -EPERM ? "looser" : "limit", "%s: %s", what,
				     holdfast_strerror_reason(r, text, sizeof(text)));
	}
	*status = ret == -EPERM ? 409 : 500;
	return hf_error_json(ret == -EPERM ? "not_permitted" : "driver", "%s: %s", what,
			     strerror(-ret));
}

/* --------------------------------------------------------------- handlers */

static json_t *on_list(struct hf_call *c, struct hf_array *a, int *status)
{
	(void)a;
	(void)status;
	return hf_show_arrays(c->keeper, &c->actor);
}

static json_t *on_get(struct hf_call *c, struct hf_array *a, int *status)
{
	json_t *j = hf_show_array(a);

	(void)c;
	return j ? json_pack("{s:o}", "array", j) : gone(status);
}

static json_t *on_limits(struct hf_call *c, struct hf_array *a, int *status)
{
	json_t *j = hf_show_limits(a);

	(void)c;
	return j ? j : gone(status);
}

static json_t *on_metrics(struct hf_call *c, struct hf_array *a, int *status)
{
	json_t *j = hf_show_metrics(a);

	(void)c;
	return j ? j : gone(status);
}

static json_t *on_events(struct hf_call *c, struct hf_array *a, int *status)
{
	(void)status;
	return hf_show_events(a, &c->actor, (uint64_t)int_arg(c, "after", 0),
			      (size_t)int_arg(c, "limit", EVENTS_DEFAULT));
}

static json_t *on_trip(struct hf_call *c, struct hf_array *a, int *status)
{
	json_t *j = hf_show_trip(a, &c->actor);

	return j ? j : gone(status);
}

static json_t *on_blackbox(struct hf_call *c, struct hf_array *a, int *status)
{
	json_t *j = hf_show_blackbox(a);

	(void)c;
	return j ? j : gone(status);
}

static json_t *on_leases(struct hf_call *c, struct hf_array *a, int *status)
{
	(void)status;
	return hf_show_leases(a, &c->actor);
}

static json_t *on_tenants(struct hf_call *c, struct hf_array *a, int *status)
{
	(void)a;
	(void)status;
	return hf_show_tenants(c->keeper, &c->actor);
}

static json_t *state_json(struct hf_array *a)
{
	struct holdfast_status st;

	if (a->keeper->device->status(a->dev, &st))
		return json_pack("{s:s}", "state", "unknown");
	return json_pack("{s:s}", "state", holdfast_state_name(st.state));
}

static json_t *on_arm(struct hf_call *c, struct hf_array *a, int *status)
{
	struct holdfast_reason r = { .limit = HOLDFAST_LIM_NONE };
	int ret = hf_beat_array(a);

	if (!ret)
		ret = c->keeper->device->arm(a->keeping, &r, c->corr.b);
	return ret ? refused("arm", ret, &r, status) : state_json(a);
}

/* NULL: go on. */
static json_t *second_person(struct hf_call *c, struct hf_array *a, int *status)
{
	struct holdfast_status st;

	if (!c->keeper->settings->reset_two_person || c->keeper->device->status(a->dev, &st) ||
	    st.state != HOLDFAST_STATE_TRIPPED || st.trip_severity != HOLDFAST_SEV_EMERGENCY)
		return NULL;
	switch (hf_second_ask(&a->second, &c->actor, st.trips, hf_now(c->keeper))) {
	case HF_SECOND_WAITS:
		*status = 202;
		return json_pack("{s:b, s:i, s:s}", "pending", 1, "wait_s",
				 (int)(HF_SECOND_NS / HF_S), "first", c->actor.name);
	case HF_SECOND_SAME:
		*status = 409;
		return hf_error_json("same_person",
				     "%s asked first: another operator or admin has to ask",
				     a->second.name);
	default:
		return NULL;
	}
}

static json_t *on_reset(struct hf_call *c, struct hf_array *a, int *status)
{
	struct holdfast_reason r = { .limit = HOLDFAST_LIM_NONE };
	json_t *wait = second_person(c, a, status);
	int ret;

	if (wait)
		return wait;
	ret = c->keeper->device->reset(a->keeping, &r, c->corr.b);
	if (ret)
		return refused("reset", ret, &r, status);
	hf_second_forget(&a->second);
	return state_json(a);
}

static json_t *on_tighten(struct hf_call *c, struct hf_array *a, int *status)
{
	struct holdfast_envelope env = { .which = HOLDFAST_ENV_SITE };
	struct holdfast_fence_point p[HOLDFAST_MAX_FENCE];
	struct holdfast_reason r = { .limit = HOLDFAST_LIM_NONE };
	struct hf_err e;
	int n = hf_fence_read(json_object_get(c->args, "fence"), p, 0), ret = 0;

	if (n < 0 || hf_limits_read(json_object_get(c->args, "limits"), &env, &e)) {
		*status = 400;
		return hf_error_json("argument", "%s", n < 0 ? "too many fence points" : e.text);
	}
	if (!n && !env.set) {
		*status = 400;
		return hf_error_json("argument", "neither limits nor fence points");
	}
	if (env.set) {
		ret = c->keeper->device->envelope_tighten(a->dev, &env);
		r = env.reason;
	}
	if (!ret && n)
		ret = c->keeper->device->fence_add(a->dev, p, (size_t)n, &r);
	if (!ret)
		ret = c->keeper->device->envelope_get(a->dev, HOLDFAST_ENV_EFFECTIVE, &env);
	if (ret)
		return refused("tighten", ret, &r, status);
	a->deadline_ms = (uint32_t)env.limit[HOLDFAST_LIM_KEEPER_DEADLINE];
	return json_pack("{s:I}", "generation", (json_int_t)env.generation);
}

static json_t *on_seal(struct hf_call *c, struct hf_array *a, int *status)
{
	int ret = a->sealed ? 0 : c->keeper->device->seal(a->dev);

	if (ret == -EPERM) {
		*status = 409;
		return hf_error_json("not_permitted",
				     "the keeper can no longer seal: set keeper.seal, restart the agent");
	}
	if (ret)
		return refused("seal", ret, NULL, status);
	a->sealed = true;
	return json_pack("{s:b}", "sealed", 1);
}

static json_t *on_revoke(struct hf_call *c, struct hf_array *a, int *status)
{
	uint64_t id = (uint64_t)int_arg(c, "lease", 0);
	const char *why = json_string_value(json_object_get(c->args, "comment"));
	int ret = -ENOENT;

	for (size_t i = 0; i < a->leases; i++) {
		if (a->lease[i].id != id ||
		    !hf_policy_sees_tenant(c->keeper->settings, &c->actor, a->lease[i].tenant))
			continue;
		ret = hf_lease_end(a, id, &c->actor, &c->corr, why ? why : "asked for");
		break;
	}
	return ret ? refused("revoke", ret, NULL, status) :
		     json_pack("{s:I}", "revoked", (json_int_t)id);
}

static json_t *on_reset_quota(struct hf_call *c, struct hf_array *a, int *status)
{
	const char *name = json_string_value(json_object_get(c->args, "tenant"));
	const struct hf_tenant *t = hf_settings_tenant(c->keeper->settings, name);
	int ret;

	(void)a;
	if (!t)
		return gone(status);
	ret = hf_quota_reset(c->keeper, t);
	return ret ? refused("reset of the quota", ret, NULL, status) :
		     json_pack("{s:o}", "tenant", hf_show_tenant(c->keeper, t));
}

/* -------------------------------------------------------------- self-test */

static void finish(struct hf_call *c, int status, json_t *result);

int hf_self_test(const struct hf_device *d, uint32_t index, struct holdfast_self_test *t)
{
	struct holdfast_array *own;
	char which[16];
	int ret;

	snprintf(which, sizeof(which), "%" PRIu32, index);
	ret = d->open(&own, which, HOLDFAST_OPEN_WRITE);
	if (ret)
		return ret;
	ret = d->self_test(own, t);
	d->close(own);
	return ret;
}

static void test_run(void *arg)
{
	struct hf_call *c = arg;

	c->test_ret = hf_self_test(c->keeper->device, c->index, &c->test);
}

static void test_done(void *arg)
{
	struct hf_call *c = arg;
	struct hf_array *a = hf_array_find(c->keeper, c->index);
	int status = 200;
	json_t *result;

	if (a)
		a->testing = false;
	if (c->test_ret)
		result = refused("self-test", c->test_ret, NULL, &status);
	else
		result = json_pack("{s:i, s:i, s:o}", "run", (int)c->test.run, "failed",
				   (int)c->test.failed, "reason", hf_reason_json(&c->test.reason));
	finish(c, status, result);
}

static json_t *on_self_test(struct hf_call *c, struct hf_array *a, int *status)
{
	struct hf_job job = { test_run, test_done, c };

	if (a->testing || hf_worker_give(c->keeper->worker, &job)) {
		*status = 409;
		return hf_error_json("busy", "a self-test is under way");
	}
	a->testing = true;
	*status = 0;
	return NULL;
}

static const struct handler handlers[] = {
	{ "array.list", on_list }, { "array.get", on_get }, { "array.limits", on_limits },
	{ "array.metrics", on_metrics },
	{ "array.events", on_events }, { "array.trip", on_trip },
	{ "array.blackbox", on_blackbox }, { "array.arm", on_arm }, { "array.reset", on_reset },
	{ "array.self_test", on_self_test }, { "array.tighten", on_tighten },
	{ "array.seal", on_seal }, { "lease.list", on_leases }, { "lease.revoke", on_revoke },
	{ "tenant.list", on_tenants }, { "tenant.reset_quota", on_reset_quota },
};

static const struct handler *handler_of(const char *op)
{
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (!strcmp(handlers[i].op, op))
			return &handlers[i];
	return NULL;
}

/* --------------------------------------------------------------- the way */

static void reply(struct hf_call *c, int status, json_t *result)
{
	if (c->link)
		hf_link_reply(c->link, c->id, &c->corr, status, result);
	else
		json_decref(result);
}

static void end(struct hf_call *c, int status, json_t *result)
{
	reply(c, status, result);
	json_decref(c->args);
	c->used = false;
}

/* What was done and is not on record must not look as if it were; a refusal had no effect. */
static void end_unrecorded(struct hf_call *c)
{
	json_t *result = c->result;
	int status = c->status;

	hf_log_app(HF_LOG_ERROR, "audit.outcome", &c->corr, "%s %s: outcome not recorded", c->op->name,
		   c->object);
	if (status < 300) {
		json_decref(result);
		status = 500;
		result = hf_error_json("outcome_not_recorded",
				       "%s was carried out, but the audit log could not take its outcome",
				       c->op->name);
	}
	end(c, status, result);
}

static void on_outcome(void *arg, int status, const json_t *result)
{
	struct hf_call *c = arg;

	(void)result;
	if (status == 200)
		end(c, c->status, c->result);
	else
		end_unrecorded(c);
}

/* Whoever began with an INTENT is answered when the OUTCOME is durable. */
static void outcome(struct hf_call *c, int status, json_t *result)
{
	struct hf_record r = { .corr = &c->corr, .actor = &c->actor, .action = c->op->name,
			       .object = c->object, .phase = "outcome", .intent = c->intent };

	c->status = status;
	c->result = result;
	r.result = status < 300 ? "ok" : status < 500 ? "refused" : "error";
	r.detail = json_pack("{s:i, s:O?}", "status", status, status < 300 ? "result" : "error",
			     result);
	if (hf_record(c->keeper, &r, on_outcome, c))
		end_unrecorded(c);
}

/* @result is stolen. */
static void finish(struct hf_call *c, int status, json_t *result)
{
	if (!result) {
		status = 500;
		result = hf_error_json("memory", "out of memory");
	}
	if (c->intent)
		outcome(c, status, result);
	else
		end(c, status, result);
}

static bool visible(const struct hf_call *c, const struct hf_array *a)
{
	return !(c->op->flags & HF_OP_TENANT) ||
	       hf_policy_sees_array(c->keeper->settings, &c->actor, a->index, a->serial);
}

static void act(struct hf_call *c)
{
	bool of_array = json_object_get(c->args, "array");
	struct hf_array *a = of_array ? hf_array_find(c->keeper, c->index) : NULL;
	int status = 200;
	json_t *result;

	if (of_array && (!a || !visible(c, a)))
		result = gone(&status);
	else
		result = c->handler->fn(c, a, &status);
	if (status)
		finish(c, status, result);
}

static void on_intent(void *arg, int status, const json_t *result)
{
	struct hf_call *c = arg;

	if (status != 200) {
		finish(c, 503, hf_error_json("audit_not_durable",
					     "not done: it cannot be recorded (audit answered %d)",
					     status));
		return;
	}
	c->intent = (uint64_t)json_integer_value(json_object_get(result, "seq"));
	/* Who asked may have been told that it failed: then it must not happen. */
	if (!c->link || c->keeper->stopping)
		finish(c, 503, hf_error_json("gone", "auth has gone, or the keeper is stopping"));
	else
		act(c);
}

static void intend(struct hf_call *c)
{
	struct hf_record r = { .corr = &c->corr, .actor = &c->actor, .action = c->op->name,
			       .object = c->object, .phase = "intent", .result = "" };
	int ret;

	if (!hf_ladder_durable(&c->keeper->ladder)) {
		finish(c, 503, hf_error_json("audit_not_durable", "not done: %s",
					     hf_ladder_why(&c->keeper->ladder)));
		return;
	}
	r.detail = hf_field_redact(c->op->args, c->args);
	ret = hf_record(c->keeper, &r, on_intent, c);
	if (ret)
		finish(c, 503, hf_error_json("audit_not_durable", "it cannot be recorded: %s",
					     strerror(-ret)));
}

static void object_of(struct hf_call *c)
{
	const char *tenant = json_string_value(json_object_get(c->args, "tenant"));

	c->index = (uint32_t)int_arg(c, "array", HF_ARRAYS);
	if (json_object_get(c->args, "array"))
		snprintf(c->object, sizeof(c->object), "array/%" PRIu32, c->index);
	else
		snprintf(c->object, sizeof(c->object), tenant ? "tenant/%s" : "arrays", tenant);
}

/* -------------------------------------------------------------- silencing */

/* Act, answer, then record: none of it waits for anybody. */
static void silence(struct hf_keeper *k, struct hf_link *from, uint64_t id,
		    const struct hf_corr *corr, const struct hf_actor *actor, int index, bool latch)
{
	unsigned int n = hf_arrays_silence(k, index, latch, corr);
	char object[32] = "arrays";
	bool there = index < 0 || hf_array_find(k, (uint32_t)index);

	if (there)
		hf_link_reply(from, id, corr, 200, json_pack("{s:i}", "silenced", (int)n));
	else
		hf_link_error(from, id, corr, 404, "not_found", "there is no array %d", index);
	if (index >= 0)
		snprintf(object, sizeof(object), "array/%d", index);
	hf_log_sec(HF_LOG_NOTICE, "silence", corr, "%s: %s by %s", object,
		   latch ? "tripped" : "silenced", actor->name);
	hf_note(k, corr, actor, index < 0 ? "silence" : "array.silence", object, "event",
		there ? "ok" : "refused", 0,
		json_pack("{s:b, s:i}", "latch", (int)latch, "silenced", (int)n));
}

void hf_silence_take(struct hf_keeper *k, struct hf_link *from, const struct hf_ipc_msg *m)
{
	struct hf_actor actor;

	if (hf_actor_parse(json_object_get(m->body, "actor"), &actor, NULL))
		actor = hf_actor_self;
	silence(k, from, m->id, &m->corr, &actor,
		(int)json_integer_value(json_object_get(m->body, "array")),
		json_is_true(json_object_get(m->body, "latch")));
}

/* Auth's own: a user was disabled or changed. */
static void revoke_actor(struct hf_keeper *k, struct hf_link *from, const struct hf_ipc_msg *m,
			 const struct hf_actor *by)
{
	const char *name =
		json_string_value(json_object_get(json_object_get(m->body, "args"), "actor"));
	unsigned int n;

	hf_who_forget(k);
	if (!name) {
		hf_link_error(from, m->id, &m->corr, 400, "argument", "actor: a name");
		return;
	}
	n = hf_leases_end(k, name, 0, by, &m->corr, "the user was disabled or changed");
	hf_link_reply(from, m->id, &m->corr, 200, json_pack("{s:i}", "revoked", (int)n));
}

/* ---------------------------------------------------------------- taking */

static struct hf_call *call_new(struct hf_keeper *k)
{
	for (size_t i = 0; i < HF_CALLS; i++)
		if (!k->call[i].used)
			return &k->call[i];
	return NULL;
}

/* The same table as auth's: a mistake there must not arm anything here. */
static const struct hf_op *op_checked(struct hf_link *from, const struct hf_ipc_msg *m,
				      const char *name, const json_t *args,
				      const struct hf_actor *actor)
{
	const struct hf_op *op = hf_op_find(name);
	char path[HF_FIELD_PATH];
	enum hf_denial d;
	struct hf_err e;

	if (!op || op->target != HF_PROC_KEEPER) {
		hf_link_error(from, m->id, &m->corr, 404, "not_found", "no such operation here");
		return NULL;
	}
	d = hf_op_authorise(op, actor, true);
	if (d != HF_ALLOWED) {
		hf_link_error(from, m->id, &m->corr, hf_denial_status(d), hf_denial_code(d),
			      "%s: not allowed", name);
		return NULL;
	}
	if (hf_field_check(op->args, args, path, &e)) {
		hf_link_error(from, m->id, &m->corr, 400, "argument", "%s", e.text);
		return NULL;
	}
	return op;
}

static void call_run(struct hf_keeper *k, struct hf_link *from, const struct hf_ipc_msg *m,
		     const struct hf_op *op, const json_t *args, const struct hf_actor *actor)
{
	struct hf_call *c = call_new(k), quiet;

	/* What makes quieter needs no place among the others. */
	if (op->flags & HF_OP_QUIET)
		c = &quiet;
	if (!c) {
		hf_link_error(from, m->id, &m->corr, 503, "busy", "%d calls are under way",
			      HF_CALLS);
		return;
	}
	*c = (struct hf_call){ .used = true, .keeper = k, .link = from, .id = m->id, .op = op,
			       .handler = handler_of(op->name), .corr = m->corr, .actor = *actor,
			       .args = json_incref((json_t *)args) };
	object_of(c);
	if (op->flags & HF_OP_PRIV && !(op->flags & HF_OP_QUIET))
		intend(c);
	else
		act(c);
}

void hf_call_take(struct hf_keeper *k, struct hf_link *from, const struct hf_ipc_msg *m)
{
	const char *name = json_string_value(json_object_get(m->body, "op"));
	const json_t *args = json_object_get(m->body, "args");
	const struct hf_op *op;
	struct hf_actor actor;
	struct hf_err e;

	if (hf_actor_parse(json_object_get(m->body, "actor"), &actor, &e)) {
		hf_link_error(from, m->id, &m->corr, 400, "argument", "actor: %s", e.text);
		return;
	}
	if (!strcmp(name, "lease.revoke_actor")) {
		revoke_actor(k, from, m, &actor);
		return;
	}
	op = op_checked(from, m, name, args, &actor);
	if (!op)
		return;
	if (!strcmp(name, "silence") || !strcmp(name, "array.silence"))
		silence(k, from, m->id, &m->corr, &actor,
			name[0] == 's' ? -1
				       : (int)json_integer_value(json_object_get(args, "array")),
			json_is_true(json_object_get(args, "latch")));
	else
		call_run(k, from, m, op, args, &actor);
}

void hf_calls_auth_gone(struct hf_keeper *k)
{
	for (size_t i = 0; i < HF_CALLS; i++)
		k->call[i].link = NULL;
}

void hf_seconds_tick(struct hf_keeper *k)
{
	char object[32];

	for (size_t i = 0; i < HF_ARRAYS; i++) {
		struct hf_array *a = &k->array[i];

		if (a->used && hf_second_expired(&a->second, hf_now(k)))
			hf_note(k, NULL, &hf_actor_self, "array.reset", hf_array_object(a, object),
				"event", "refused", 0,
				json_pack("{s:s}", "why", "no second person within 300 s"));
	}
}

int hf_calls_start(struct hf_keeper *k)
{
	k->call = calloc(HF_CALLS, sizeof(*k->call));
	return k->call ? 0 : -ENOMEM;
}

void hf_calls_free(struct hf_keeper *k)
{
	for (size_t i = 0; k->call && i < HF_CALLS; i++)
		if (k->call[i].used)
			json_decref(k->call[i].args);
	free(k->call);
}
