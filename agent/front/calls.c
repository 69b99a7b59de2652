// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to other processes: to auth, which decides; and, when auth is dead
 * or slow, silence straight to the keeper. Nothing but silence takes that way,
 * and only for who was known a short while ago or is on this host.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/sha.h>

#include "server.h"

#define QUIET_NS	(300 * HF_MS)	/* how long silence waits for auth */
#define KEEPER_NS	(2 * HF_S)
#define CALL_NS		(5 * HF_S)
#define HEALTH_NS	(2 * HF_S)	/* whoever asks is told within 5 s, if only that nobody answers */
#define LOGIN_NS	(30 * HF_S)	/* hashing has a queue */
#define RECENT_NS	(900 * HF_S)	/* how long a credential counts as known without auth */
#define REPORT_NS	(2 * HF_S)	/* between two reports in the long run */
#define REPORT_BURST	30

/* Things wrong with an answer that is none. */
static void answer_error(struct hf_request *r, int status, const char *code, const char *text)
{
	json_t *error = json_pack("{s:s, s:s}", "code", code, "message", text);

	hf_request_answer(r, status, error);
	json_decref(error);
}

/* ------------------------------------------------------ known credentials */

static void cred_hash(const struct hf_cred *c, uint8_t hash[SHA256_DIGEST_LENGTH])
{
	SHA256((const unsigned char *)c->secret, strlen(c->secret), hash);
}

/* What auth's answer says about the credential. */
static void cred_learn(struct hf_request *r, int status)
{
	const struct hf_op *op = r->route.op;
	uint8_t hash[SHA256_DIGEST_LENGTH];
	uint64_t *at;

	if (r->cred.kind == HF_CRED_NONE || op->roles & HF_ROLE_PUBLIC)
		return;
	cred_hash(&r->cred, hash);
	if (status == 401 || (status < 300 && !strcmp(op->name, "logout"))) {
		at = hf_table_find(r->server->recent, hash, sizeof(hash));
		if (at)
			*at = 0;
	} else if (status < 300) {	/* others may come before the credential is looked at */
		at = hf_table_get(r->server->recent, hash, sizeof(hash));
		*at = hf_server_now(r->server);
	}
}

static bool cred_recent(struct hf_request *r)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];
	const uint64_t *at;

	if (r->cred.kind == HF_CRED_NONE)
		return r->conn->peer;
	cred_hash(&r->cred, hash);
	at = hf_table_find(r->server->recent, hash, sizeof(hash));
	return at && *at && hf_server_now(r->server) - *at <= RECENT_NS;
}

/* -------------------------------------------------------- silence directly */

static bool is_silence(const struct hf_op *op)
{
	return !strcmp(op->name, "silence") || !strcmp(op->name, "array.silence");
}

static void on_silenced(void *arg, int status, const json_t *result)
{
	hf_request_answer(arg, status, result);
}

/* Who it was, as far as it is known without auth. */
static void actor_guess(const struct hf_request *r, struct hf_actor *a)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];

	*a = (struct hf_actor){ .role = HF_ROLE_USER, .uid = UINT32_MAX, .via = HF_VIA_NETWORK };
	if (r->conn->peer) {
		a->via = HF_VIA_LOCAL;
		a->uid = r->conn->peer->uid;
		a->pid = r->conn->peer->pid;
	} else {
		snprintf(a->source, sizeof(a->source), "%s", r->conn->source.text);
	}
	if (r->cred.kind == HF_CRED_NONE) {
		a->proof = HF_PROOF_PEER;
		snprintf(a->name, sizeof(a->name), "uid:%u", a->uid);
		return;
	}
	a->proof = r->cred.kind == HF_CRED_COOKIE ? HF_PROOF_SESSION : HF_PROOF_TOKEN;
	strcpy(a->name, "known-caller");
	cred_hash(&r->cred, hash);
	for (int i = 0; i < 8; i++)
		snprintf(a->session + 2 * i, 3, "%02x", hash[i]);
}

/* Return: 0: asked; else why not. */
static int silence_directly(struct hf_request *r)
{
	struct hf_server *s = r->server;
	struct hf_link *keeper = hf_service_link(s->service, HF_PROC_KEEPER);
	const json_t *array = json_object_get(r->route.args, "array");
	struct hf_actor a;
	int ret;

	if (!keeper || !is_silence(r->route.op) || !cred_recent(r))
		return -EPERM;
	actor_guess(r, &a);
	ret = hf_link_request(keeper, HF_MSG_SILENCE, &r->corr,
			      json_pack("{s:I, s:b, s:o}", "array",
					array ? json_integer_value(array) : (json_int_t)-1, "latch",
					json_is_true(json_object_get(r->route.args, "latch")),
					"actor", hf_actor_json(&a)),
			      -1, hf_server_now(s) + KEEPER_NS, on_silenced, r);
	if (ret)
		return ret;
	s->counts.direct_silence++;
	hf_log_sec(HF_LOG_WARN, "silence.direct", &r->corr,
		   "auth does not answer; %s asks the keeper", a.name);
	hf_report(s, &r->corr, "direct_silence", r->conn->source.text, 1, a.name);
	return 0;
}

/* ------------------------------------------------------------------ to auth */

static const char *login_user(const struct hf_request *r)
{
	return strcmp(r->route.op->name, "login") ? NULL :
		json_string_value(json_object_get(r->route.args, "user"));
}

static void note_failure(struct hf_request *r, int status, const json_t *error)
{
	const char *user = status == 401 ? login_user(r) : NULL;
	enum hf_misdeed m = hf_abuse_of_status(status);
	json_int_t retry = json_integer_value(json_object_get(error, "retry_after_s"));
	uint64_t now_ns = hf_server_now(r->server);

	if (m != HF_MISDEEDS)
		hf_abuse_note(r->server->abuse, &r->conn->source, &r->corr, m, now_ns);
	if (user)
		hf_abuse_login(r->server->abuse, &r->conn->source, &r->corr, user, now_ns);
	if ((status == 429 || status == 503) && retry > 0 && retry <= 86400)
		r->retry_s = (uint32_t)retry;
}

/* A new session's secret goes into the cookie and nowhere else. Return: new reference. */
static json_t *cookie_take(struct hf_request *r, const json_t *result)
{
	const char *secret = json_string_value(json_object_get(result, "cookie"));
	json_t *rest = json_copy((json_t *)result);

	if (secret && hf_set_cookie(&r->server->now.site, secret, r->set_cookie))
		hf_log_app(HF_LOG_ERROR, "http.cookie", &r->corr,
			   "auth has sent a malformed secret");
	else if (!strcmp(r->route.op->name, "logout"))
		hf_set_cookie(&r->server->now.site, NULL, r->set_cookie);
	json_object_del(rest, "cookie");
	return rest;
}

static void on_answer(void *arg, int status, const json_t *result)
{
	struct hf_request *r = arg;
	json_t *rest;

	cred_learn(r, status);
	if (status >= 502 && status <= 504 && !silence_directly(r))
		return;
	if (r->scrape && hf_scrape_next(r, status, result))
		return;
	if (r->stream && hf_stream_next(r, status, result))
		return;
	if (status >= 300) {
		note_failure(r, status, result);
		hf_request_answer(r, status, result);
		return;
	}
	rest = cookie_take(r, result);
	hf_request_answer(r, status, rest);
	json_decref(rest);
}

static json_t *cred_json(const struct hf_request *r)
{
	static const char *const kinds[] = { "none", "cookie", "bearer" };
	const struct hf_peer *p = r->conn->peer;
	bool bare = r->cred.kind == HF_CRED_NONE;
	json_t *c = json_pack("{s:s, s:s*}", "kind", bare && p ? "peer" : kinds[r->cred.kind],
			      "secret", bare ? NULL : r->cred.secret);
	json_t *gids = p ? json_array() : NULL;

	if (!p)
		return c;
	for (uint32_t i = 0; i < p->n_gids; i++)
		json_array_append_new(gids, json_integer(p->gids[i]));
	json_object_set_new(c, "uid", json_integer(p->uid));
	json_object_set_new(c, "gids", gids);
	json_object_set_new(c, "pid", json_integer(p->pid));
	return c;
}

static uint64_t deadline_of(const struct hf_op *op)
{
	if (is_silence(op))
		return QUIET_NS;
	if (!strcmp(op->name, "health"))
		return HEALTH_NS;
	return op->flags & HF_OP_LOGIN ? LOGIN_NS : CALL_NS;
}

int hf_request_ask(struct hf_request *r)
{
	struct hf_server *s = r->server;
	struct hf_link *auth = hf_service_link(s->service, HF_PROC_AUTH);
	bool local = r->conn->peer;

	if (!auth)
		return -EPIPE;
	return hf_link_request(auth, HF_MSG_CALL, &r->corr,
			       json_pack("{s:s, s:O, s:o, s:{s:s, s:s}}", "op", r->route.op->name,
					 "args", r->route.args, "cred", cred_json(r), "src", "via",
					 local ? "local" : "network", "address",
					 local ? "" : r->conn->source.text),
			       -1, hf_server_now(s) + deadline_of(r->route.op), on_answer, r);
}

void hf_request_call(struct hf_request *r)
{
	struct hf_server *s = r->server;
	int ret = hf_request_ask(r);

	if (ret)
		ret = silence_directly(r) ? ret : 0;
	if (ret == -EMSGSIZE)
		answer_error(r, 413, "too_large", "the request is too large once decoded");
	else if (ret)
		answer_error(r, 503, "unavailable",
			     "the process that decides is not there or too busy");
	if (ret)
		return;
	r->state = HF_REQ_WAITING;
	s->waiting++;
	MHD_suspend_connection(r->connection);
}

/* ----------------------------------------------------------------- reports */

void hf_report(struct hf_server *s, const struct hf_corr *corr, const char *what,
	       const char *source, uint32_t count, const char *detail)
{
	struct hf_link *auth = hf_service_link(s->service, HF_PROC_AUTH);

	hf_log_sec(HF_LOG_WARN, "http.report", corr, "%s: %s (%u): %s", source, what, count,
		   detail);
	if (!auth || hf_gcra_take(s->reports, what, strlen(what), REPORT_NS, REPORT_BURST,
				  hf_server_now(s), NULL))
		return;
	hf_link_send(auth, HF_MSG_REPORT, corr,
		     json_pack("{s:s, s:s, s:I, s:s}", "what", what, "source", source, "count",
			       (json_int_t)count, "detail", detail), -1);
}
