// SPDX-License-Identifier: GPL-2.0
/*
 * Answers and records of one request.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

#include "call.h"
#include "log.h"

static void answer(struct hf_call *c, int status, json_t *result)
{
	struct hf_auth *a = c->a;

	a->io.answer(a->io.arg, c->from, c->gen, c->id, &c->corr, status, result);
	a->open_calls--;
	json_decref(c->args);
	OPENSSL_cleanse(c, sizeof(*c));
	free(c);
}

/*
 * What was done and is not on record must not look as if it were: the intent is closed as "unknown"
 * when audit is back. What was refused had no effect.
 */
static void answer_unrecorded(struct hf_call *c)
{
	json_t *result = c->result;
	int status = c->status;

	hf_log_app(HF_LOG_ERROR, "audit.outcome", &c->corr, "%s: outcome not recorded", c->op->name);
	if (status < 300) {
		json_decref(result);
		status = 500;
		result = hf_error_json("outcome_not_recorded",
				       "%s was carried out, but the audit log could not take its outcome",
				       c->op->name);
	}
	answer(c, status, result);
}

static void outcome_done(void *arg, int status, const json_t *result)
{
	struct hf_call *c = arg;

	(void)result;
	if (status < 300)
		answer(c, c->status, c->result);
	else
		answer_unrecorded(c);
}

/* Whoever began with an INTENT is answered when the OUTCOME is durable. */
static void finish(struct hf_call *c, int status, json_t *result)
{
	const char *word = status < 300 ? "ok" : status < 500 ? "refused" : "error";
	struct hf_auth *a = c->a;

	if (!c->intent) {
		answer(c, status, result);
		return;
	}
	c->status = status;
	c->result = result;
	if (a->io.append(a->io.arg, &c->corr, &c->actor, c->op->name, "", "outcome", word, c->intent,
			 json_pack("{s:i}", "status", status), outcome_done, c))
		answer_unrecorded(c);
}

void hf_call_ok(struct hf_call *c, json_t *result)
{
	if (result)
		finish(c, 200, result);
	else
		hf_call_fail(c, 500, "internal", "out of memory");
}

void hf_call_relay(struct hf_call *c, int status, const json_t *result)
{
	finish(c, status, json_incref((json_t *)result));
}

static void fail_va(struct hf_call *c, int status, const char *code, const char *field,
		    uint64_t retry_s, const char *fmt, va_list ap)
{
	char text[HF_ERR_LEN];
	json_t *j;

	vsnprintf(text, sizeof(text), fmt, ap);
	j = hf_error_json(code, "%s", text);
	if (j && field)
		json_object_set_new(j, "field", json_string(field));
	if (j && retry_s)
		json_object_set_new(j, "retry_after_s", json_integer((json_int_t)retry_s));
	finish(c, status, j);
}

void hf_call_fail(struct hf_call *c, int status, const char *code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_va(c, status, code, NULL, 0, fmt, ap);
	va_end(ap);
}

void hf_call_fail_more(struct hf_call *c, int status, const char *code, const char *field,
		       uint64_t retry_s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_va(c, status, code, field, retry_s, fmt, ap);
	va_end(ap);
}

void hf_call_broken(struct hf_call *c, int ret, const char *what)
{
	hf_log_app(HF_LOG_ERROR, "auth.broken", &c->corr, "%s: %s: %s", c->op->name, what, strerror(-ret));
	hf_call_fail(c, 500, "internal", "%s: the agent's log says more", what);
}

const char *hf_call_text(const struct hf_call *c, const char *name)
{
	return json_string_value(json_object_get(c->args, name));
}

int64_t hf_call_int(const struct hf_call *c, const char *name, int64_t otherwise)
{
	const json_t *j = json_object_get(c->args, name);

	return j ? json_integer_value(j) : otherwise;
}

/* --------------------------------------------------------------- records */

void hf_call_event(struct hf_call *c, const char *action, const char *object, json_t *detail)
{
	hf_log_sec(HF_LOG_NOTICE, action, &c->corr, "%s: %s", c->actor.name, object);
	if (c->a->io.append(c->a->io.arg, &c->corr, &c->actor, action, object, "event", "ok", 0, detail, NULL,
			    NULL))
		hf_log_app(HF_LOG_ERROR, "audit.event", &c->corr, "%s not recorded", action);
}

static void say_suppressed(struct hf_auth *a, struct hf_denials *d)
{
	uint32_t n = d->suppressed;

	if (!n)
		return;
	d->suppressed = 0;
	hf_log_sec(HF_LOG_WARN, "denied.suppressed", NULL, "%u denials more within a second", n);
	a->io.append(a->io.arg, NULL, &hf_actor_self, "denied.suppressed", "", "event", "refused", 0,
		     json_pack("{s:I}", "count", (json_int_t)n), NULL, NULL);
}

static void denials_second(struct hf_auth *a, struct hf_denials *d)
{
	uint64_t second = hf_mono_ns(a->clock) / HF_S;

	if (second == d->second)
		return;
	say_suppressed(a, d);
	d->second = second;
	d->recorded = 0;
}

void hf_denials_tick(struct hf_auth *a)
{
	denials_second(a, &a->denials);
	denials_second(a, &a->reports);
}

static void record(struct hf_auth *a, struct hf_denials *d, const struct hf_corr *corr,
		   const struct hf_actor *actor, const char *action, const char *object, json_t *detail)
{
	denials_second(a, d);
	a->stats.denied++;
	if (d->recorded == HF_DENIALS_PER_S) {
		d->suppressed++;
		json_decref(detail);
		return;
	}
	d->recorded++;
	a->io.append(a->io.arg, corr, actor, action, object, "denied", "refused", 0, detail, NULL, NULL);
}

void hf_record_denial(struct hf_auth *a, const struct hf_corr *corr, const struct hf_actor *actor,
		      const char *action, const char *object, json_t *detail)
{
	record(a, &a->denials, corr, actor, action, object, detail);
}

void hf_record_report(struct hf_auth *a, const struct hf_corr *corr, const struct hf_actor *actor,
		      const char *action, json_t *detail)
{
	record(a, &a->reports, corr, actor, action, "", detail);
}

void hf_call_deny(struct hf_call *c, int status, const char *code, uint64_t retry_s, const char *text)
{
	const char *object = hf_call_text(c, "user");

	hf_log_sec(HF_LOG_WARN, "denied", &c->corr, "%s: %s from %s: %s", c->op->name, c->actor.name, c->source,
		   code);
	hf_record_denial(c->a, &c->corr, &c->actor, c->op->name, object ? object : "",
			 json_pack("{s:s, s:s}", "reason", code, "source", c->source));
	hf_call_fail_more(c, status, code, NULL, retry_s, "%s", text);
}
