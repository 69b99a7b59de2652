// SPDX-License-Identifier: GPL-2.0
/*
 * The way of a call: known -> well-formed -> who -> not too often -> may -> (intent)
 * -> done here or handed on -> answered. Each step ends in an answer or in the next step.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "call.h"
#include "log.h"

#define INTENT_TEXT	1024	/* longest text of an argument in a record */

static const struct hf_handler *const handlers[] = {
	hf_login_handlers, hf_self_handlers, hf_account_handlers, hf_secret_handlers,
};

const struct hf_handler *hf_handler_find(const char *op)
{
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		for (const struct hf_handler *h = handlers[i]; h->op; h++)
			if (!strcmp(h->op, op))
				return h;
	return NULL;
}

/* --------------------------------------------------------------- handing on */

static void on_reply(void *arg, int status, const json_t *result)
{
	hf_call_relay(arg, status, result);
}

static void hand_on(struct hf_call *c)
{
	uint64_t now = hf_mono_ns(c->a->clock);
	json_t *body;
	int ret;

	if (now >= c->deadline_ns) {
		hf_call_fail(c, 504, "deadline", "whoever asked does not wait any more");
		return;
	}
	body = json_pack("{s:s, s:O, s:o, s:I}", "op", c->op->name, "args", c->args,
			 "actor", hf_actor_json(&c->actor),
			 "deadline_ms", (json_int_t)((c->deadline_ns - now + HF_MS - 1) / HF_MS));
	if (!body) {
		hf_call_fail(c, 500, "internal", "out of memory");
		return;
	}
	ret = c->a->io.forward(c->a->io.arg, c->op->target, &c->corr, body, c->deadline_ns, on_reply, c);
	if (ret == -EMSGSIZE)
		hf_call_fail(c, 413, "too_large", "the request is too large");
	else if (ret)
		hf_call_fail_more(c, 503, "unavailable", NULL, 1, "%s is not there or has too much to do",
				  hf_proc_name(c->op->target));
}

/* ------------------------------------- carrying out, by us, by the parent or by export */

/* What is done here, or by the parent or export, which keep no records of their own. */
static void act(struct hf_call *c)
{
	if (c->op->target == HF_PROC_AUTH)
		hf_handler_find(c->op->name)->fn(c);
	else
		hand_on(c);
}

static void on_intent(void *arg, int status, const json_t *result)
{
	struct hf_call *c = arg;

	if (status != 200) {
		hf_call_fail_more(c, 503, "audit_not_durable", NULL, 1, "the intent cannot be recorded");
		return;
	}
	c->intent = (uint64_t)json_integer_value(json_object_get(result, "seq"));
	if (hf_mono_ns(c->a->clock) >= c->deadline_ns) {
		hf_call_fail(c, 504, "deadline", "whoever asked does not wait any more");
		return;
	}
	act(c);
}

static const char *object_of(const struct hf_call *c, char buf[32])
{
	const char *user = hf_call_text(c, "user"), *secret = hf_call_text(c, "secret");
	int64_t incident = hf_call_int(c, "incident", 0);

	if (!incident)
		return user ? user : secret ? secret : "";
	snprintf(buf, 32, "incident/%" PRId64, incident);
	return buf;
}

/* Arguments for the record; of a long text (a configuration, which is kept as a version) its length. */
static json_t *intent_args(const struct hf_call *c)
{
	json_t *args = hf_field_redact(c->op->args, c->args), *value;
	const char *name;

	json_object_foreach(args, name, value)
		if (json_string_length(value) > INTENT_TEXT)
			json_object_set_new(args, name, json_sprintf("%zu bytes",
								     json_string_length(value)));
	return args;
}

static void carry_out(struct hf_call *c)
{
	struct hf_auth *a = c->a;
	char object[32];
	int ret = -EPIPE;

	if (!(c->op->flags & HF_OP_PRIV)) {
		act(c);
		return;
	}
	if (a->durable)
		ret = a->io.append(a->io.arg, &c->corr, &c->actor, c->op->name, object_of(c, object), "intent", "", 0,
				   json_pack("{s:o}", "args", intent_args(c)),
				   on_intent, c);
	if (ret)
		hf_call_fail_more(c, 503, "audit_not_durable", NULL, 1, "the intent cannot be recorded");
}

/* ---------------------------------------------------------------- deciding */

static const char *denial_text(enum hf_denial d)
{
	switch (d) {
	case HF_DENIED_UNAUTHENTICATED:
		return "log in first";
	case HF_DENIED_ROLE:
		return "this role may not do that";
	case HF_DENIED_NETWORK:
		return "only on the host itself";
	case HF_DENIED_STEP_UP:
		return "prove your password first";
	default:
		return "there is no such thing";
	}
}

/* What somebody may do who has to see to his account first. */
static bool held_back(struct hf_call *c)
{
	bool here = c->actor.proof == HF_PROOF_SESSION || c->actor.proof == HF_PROOF_TOKEN;

	if (!here || c->op->flags & HF_OP_FRESH || c->op->roles & HF_ROLE_PUBLIC)
		return false;
	if (c->user.must_change) {
		hf_call_deny(c, 403, "password_must_change", 0, "change your password first");
		return true;
	}
	if (hf_must_enrol(c->a, &c->user) && strncmp(c->op->name, "totp.", 5) &&
	    strcmp(c->op->name, "session.step_up")) {
		hf_call_deny(c, 403, "totp_must_enrol", 0, "enrol a second factor first");
		return true;
	}
	return false;
}

static void decide(struct hf_call *c)
{
	enum hf_denial d = hf_op_authorise(c->op, &c->actor, c->a->cfg.remote_arming);

	if (d != HF_ALLOWED)
		hf_call_deny(c, hf_denial_status(d), hf_denial_code(d), 0, denial_text(d));
	else if (held_back(c))
		return;
	else if (c->op->target == HF_PROC_AUTH || c->op->target == HF_PROC_PARENT ||
		 c->op->target == HF_PROC_EXPORT)
		carry_out(c);
	else
		hand_on(c);
}

/*
 * By whatever credentials and from wherever: front counts addresses and credentials, and cannot know
 * whose they are. A local account without a row is its uid; whoever is not known is nobody's user.
 */
static bool within_rate(struct hf_call *c)
{
	int64_t who = c->user.id ? c->user.id : -1 - (int64_t)c->actor.uid;
	struct hf_auth *a = c->a;
	uint64_t wait;

	if (c->op->flags & HF_OP_QUIET || c->actor.role == HF_ROLE_PUBLIC)
		return true;
	wait = hf_gcra_take_minutely(a->rates, &who, sizeof(who), a->cfg.requests_per_minute,
				     hf_mono_ns(a->clock));
	if (!wait)
		return true;
	a->stats.limited++;
	hf_call_fail_more(c, 429, "limited", NULL, hf_retry_s(wait), "too many requests of this user");
	return false;
}

static bool checked(struct hf_call *c, const json_t *args)
{
	char path[HF_FIELD_PATH];
	struct hf_err e;

	if (!hf_field_check(c->op->args, args, path, &e))
		return true;
	hf_call_fail_more(c, 400, "invalid", path, 0, "%s", e.text);
	return false;
}

static bool authenticated(struct hf_call *c, const json_t *body)
{
	const json_t *src = json_object_get(body, "src");
	const char *address = json_string_value(json_object_get(src, "address"));
	const char *via = json_string_value(json_object_get(src, "via"));
	struct hf_err e = { "" };
	int ret = -EPERM;

	if (!address || !via || strlen(address) >= sizeof(c->actor.source) ||
	    !hf_text_ok(address, strlen(address), false))
		ret = hf_fail(&e, -EINVAL, "src: malformed");
	else if (strcmp(via, c->from == HF_PROC_LOCAL ? "local" : "network"))
		hf_fail(&e, ret, "src: %s is not \"%s\"", hf_proc_name(c->from), via);
	else
		ret = hf_authenticate(c, json_object_get(body, "cred"), address, &e);
	if (!ret)
		return true;
	if (ret == -EPERM || ret == -EINVAL) {
		/* Our own processes do not do this: one of them has been taken over. */
		hf_log_sec(HF_LOG_ERROR, "credential.forged", &c->corr, "%s: %s", hf_proc_name(c->from), e.text);
		hf_call_deny(c, ret == -EPERM ? 403 : 400, "credential", 0, "the credential is malformed");
	} else {
		hf_call_broken(c, ret, "users");
	}
	return false;
}

static uint64_t deadline(const struct hf_auth *a, const struct hf_op *op, const json_t *body)
{
	const json_t *j = json_object_get(body, "deadline_ms");
	uint64_t ms = op->flags & HF_OP_LOGIN ? HF_DEADLINE_LOGIN_MS : HF_DEADLINE_MS;

	return hf_mono_ns(a->clock) + (j ? (uint64_t)json_integer_value(j) : ms) * HF_MS;
}

static void refuse(struct hf_auth *a, enum hf_proc from, unsigned int gen, uint64_t id,
		   const struct hf_corr *corr, int status, const char *code, const char *text)
{
	a->io.answer(a->io.arg, from, gen, id, corr, status, hf_error_json(code, "%s", text));
}

void hf_broker_call(struct hf_auth *a, enum hf_proc from, unsigned int gen, uint64_t id,
		    const struct hf_corr *corr, const json_t *body)
{
	const char *name = json_string_value(json_object_get(body, "op"));
	const struct hf_op *op = name ? hf_op_find(name) : NULL;
	struct hf_call *c;

	a->stats.calls++;
	if (!op) {
		refuse(a, from, gen, id, corr, 404, "not_found", "there is no such operation");
		return;
	}
	c = a->open_calls < HF_CALLS_MAX || op->flags & HF_OP_QUIET ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		refuse(a, from, gen, id, corr, 503, "overload", "too many requests are under way");
		return;
	}
	a->open_calls++;
	c->a = a;
	c->from = from;
	c->gen = gen;
	c->id = id;
	c->corr = *corr;
	c->op = op;
	c->args = json_incref(json_object_get(body, "args"));
	c->deadline_ns = deadline(a, op, body);
	if (checked(c, c->args) && authenticated(c, body) && within_rate(c))
		decide(c);
}

/* ------------------------------------------------------------------ others */

int hf_broker_whois(struct hf_auth *a, const json_t *body, json_t **out)
{
	uint32_t gids[HF_PEER_GROUPS];
	struct hf_identity id;
	struct hf_user u;
	const json_t *j;
	size_t i, n = 0;

	json_array_foreach(json_object_get(body, "gids"), i, j)
		if (n < HF_PEER_GROUPS)
			gids[n++] = (uint32_t)json_integer_value(j);
	if (hf_identify(a, (uint32_t)json_integer_value(json_object_get(body, "uid")), gids, n, &id, &u)) {
		*out = hf_error_json("internal", "the users cannot be read");
		return 500;
	}
	*out = json_pack("{s:s, s:s, s:s}", "name", id.name, "role", hf_role_name(id.role),
			 "tenant", id.tenant);
	return 200;
}

void hf_broker_report(struct hf_auth *a, enum hf_proc from, const struct hf_corr *corr,
		      const json_t *body)
{
	struct hf_actor actor = { .role = HF_ROLE_PUBLIC, .uid = UINT32_MAX };
	const char *what = json_string_value(json_object_get(body, "what"));
	const char *source = json_string_value(json_object_get(body, "source"));
	char action[64];

	actor.via = from == HF_PROC_LOCAL ? HF_VIA_LOCAL : HF_VIA_NETWORK;
	snprintf(actor.name, sizeof(actor.name), "public");
	snprintf(actor.source, sizeof(actor.source), "%s", source);
	snprintf(action, sizeof(action), "http.%s", what);
	hf_record_report(a, corr, &actor, action,
			 json_pack("{s:O, s:O}", "count", json_object_get(body, "count"),
				   "detail", json_object_get(body, "detail")));
}
