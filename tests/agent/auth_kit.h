/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The auth process without its links: a folder of its own, a clock that tests
 * set, cheap hashes, an audit log in memory, and answers to look at.
 */
#ifndef HF_TESTS_AUTH_KIT_H
#define HF_TESTS_AUTH_KIT_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth.h"
#include "broker.h"
#include "call.h"
#include "check.h"
#include "log.h"
#include "session.h"
#include "setup.h"
#include "vault.h"

#define KIT_START	(1800000000ULL * HF_S)
#define KIT_PASSWORD	"correct horse battery"

struct kit {
	struct hf_auth a;
	struct hf_test_clock clock;
	struct hf_loop *loop;
	struct hf_master_key master;
	char root[64];
	/* the last answer */
	int status;
	json_t *result;
	unsigned int answers;
	/* the last CALL handed on */
	json_t *forwarded;
	enum hf_proc forwarded_to;
	hf_reply_fn reply;
	void *reply_arg;
	bool no_target;
	/* audit */
	json_t *log;		/* [ { action, phase, result, object, actor, corr, intent, detail } ] */
	bool audit_gone;
	bool no_outcome;	/* an OUTCOME is taken and then not durable */
	uint64_t seq;
};

static struct kit kit;

static inline int kit_append(void *arg, const struct hf_corr *corr, const struct hf_actor *actor,
		      const char *action, const char *object, const char *phase, const char *result,
		      uint64_t intent, json_t *detail, hf_reply_fn fn, void *fn_arg)
{
	char hex[HF_CORR_TEXT];
	json_t *answer;

	(void)arg;
	if (kit.audit_gone) {
		json_decref(detail);
		return -EPIPE;
	}
	json_array_append_new(kit.log, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o*}", "action",
		action, "object", object, "phase", phase, "result", result, "actor", actor->name,
		"corr", corr ? hf_corr_text(corr, hex) : "", "intent", (json_int_t)intent,
		"detail", detail));
	kit.seq++;
	if (fn) {
		answer = json_pack("{s:I}", "seq", (json_int_t)kit.seq);
		fn(fn_arg, kit.no_outcome && !strcmp(phase, "outcome") ? 503 : 200, answer);
		json_decref(answer);
	}
	return 0;
}

static inline int kit_forward(void *arg, enum hf_proc to, const struct hf_corr *corr, json_t *body,
		       uint64_t deadline_ns, hf_reply_fn fn, void *fn_arg)
{
	(void)arg;
	(void)corr;
	cr_assert_gt(deadline_ns, kit.clock.mono_ns);
	if (kit.no_target) {
		json_decref(body);
		return -EPIPE;
	}
	json_decref(kit.forwarded);
	kit.forwarded = body;
	kit.forwarded_to = to;
	kit.reply = fn;
	kit.reply_arg = fn_arg;
	return 0;
}

static inline void kit_answer(void *arg, enum hf_proc from, unsigned int gen, uint64_t id,
		       const struct hf_corr *corr, int status, json_t *result)
{
	(void)arg;
	(void)from;
	(void)corr;
	cr_assert_eq(gen, 7);
	cr_assert_eq(id, 42);
	json_decref(kit.result);
	kit.result = result;
	kit.status = status;
	kit.answers++;
}

static inline int64_t kit_user(const char *name)
{
	return !strcmp(name, "lab") ? 2000 : -1;
}

static inline int64_t kit_group(const char *name)
{
	return !strcmp(name, "holdfast") ? 900 : !strcmp(name, "ops") ? 901 : -1;
}

static const struct hf_accounts kit_accounts = { kit_user, kit_group };

static inline void kit_peers(const char *json)
{
	json_t *list = json_loads(json, 0, NULL);
	unsigned int missing;

	cr_assert_not_null(list);
	hf_peers_free(kit.a.peers);
	cr_assert_eq(hf_peers_new(&kit.a.peers, list, &kit_accounts, &missing), 0);
	json_decref(list);
}

static inline void kit_config(struct hf_auth_config *c)
{
	*c = (struct hf_auth_config){
		.cost = { .kdf = HF_KDF_PBKDF2, .iterations = 2 },
		.workers = 1, .queue = 2, .password_min = 15,
		.user_idle_ns = 1800 * HF_S, .user_max_ns = 43200 * HF_S,
		.admin_idle_ns = 900 * HF_S, .admin_max_ns = 14400 * HF_S,
		.step_up_ns = 300 * HF_S, .token_ttl_s = 600,
		.lockout = { .free_tries = 5, .start_ns = 30 * HF_S, .max_ns = 3600 * HF_S },
		.requests_per_minute = 1000000,
	};
}

static inline void kit_setup(void)
{
	struct hf_auth *a = &kit.a;
	struct hf_err e = { "" };

	memset(&kit, 0, sizeof(kit));
	strcpy(kit.root, "/tmp/holdfast-auth-XXXXXX");
	cr_assert_not_null(mkdtemp(kit.root));
	hf_log_level(HF_LOG_ERROR);
	hf_test_clock_init(&kit.clock, 1000 * HF_S, KIT_START);
	kit_config(&a->cfg);
	a->clock = &kit.clock.clock;
	a->random = &hf_system_random;
	a->io = (struct hf_auth_io){ kit_append, kit_forward, kit_answer, NULL };
	a->durable = true;
	snprintf(a->dir, sizeof(a->dir), "%s", kit.root);
	a->dirfd = open(kit.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	kit.log = json_array();
	kit_peers("[]");
	cr_assert_eq(hf_loop_new(&kit.loop, a->clock), 0);
	cr_assert_eq(hf_db_open(&a->db, a->dir, &e), 0, "%s", e.text);
	kit.master.source = HF_MASTER_FILE;
	cr_assert_eq(hf_vault_open(a, &kit.master, NULL, &e), 0, "%s", e.text);
	cr_assert_eq(hf_keys_open(&a->keys, a->dirfd, a->random, &e), 0, "%s", e.text);
	cr_assert_eq(hf_phc_make(&a->cfg.cost, NULL, "nobody's password", 17, (const uint8_t *)"0123456789abcdef",
				 a->dummy), 0);
	cr_assert_eq(hf_lockout_new(&a->lockout, a->random), 0);
	cr_assert_eq(hf_gcra_new(&a->rates, HF_RATED_USERS, a->random), 0);
	cr_assert_eq(hf_workers_new(&a->workers, kit.loop, a->cfg.workers, a->cfg.queue), 0);
}

static inline void kit_teardown(void)
{
	char cmd[96];

	cr_assert_eq(kit.a.open_calls, 0, "a call was never answered");
	hf_workers_free(kit.a.workers);
	hf_lockout_free(kit.a.lockout);
	hf_gcra_free(kit.a.rates);
	hf_secrets_close(kit.a.secrets);
	hf_keys_clear(&kit.a.keys);
	hf_db_close(kit.a.db);
	hf_peers_free(kit.a.peers);
	hf_loop_free(kit.loop);
	close(kit.a.dirfd);
	json_decref(kit.log);
	json_decref(kit.result);
	json_decref(kit.forwarded);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", kit.root);
	cr_assert_eq(system(cmd), 0);
}

/* --- asking */

struct who {
	enum hf_proc from;
	const char *kind, *secret;
	int64_t uid;		/* -1: not said */
	const char *address;
};

static const struct who anyone __attribute__((unused)) = { HF_PROC_FRONT, "none", NULL, -1, "192.0.2.1" };
static const struct who root_peer __attribute__((unused)) = { HF_PROC_LOCAL, "peer", NULL, 0, "" };

static inline void kit_wait(unsigned int answers)
{
	for (int i = 0; i < 2000 && kit.answers == answers && !kit.forwarded; i++)
		hf_loop_once(kit.loop, 10);
}

/* Without waiting. @args: stolen. */
static inline void kit_send(const struct who *w, const char *op, json_t *args)
{
	struct hf_corr corr = { { 1 } };
	json_t *cred = json_pack("{s:s, s:s*}", "kind", w->kind, "secret", w->secret);
	json_t *body;

	if (w->uid >= 0)
		json_object_set_new(cred, "uid", json_integer(w->uid));
	body = json_pack("{s:s, s:o, s:o, s:{s:s, s:s}}", "op", op, "args", args ? args : json_object(),
			 "cred", cred, "src", "via", w->from == HF_PROC_LOCAL ? "local" : "network",
			 "address", w->address);
	cr_assert_not_null(body);
	hf_broker_call(&kit.a, w->from, 7, 42, &corr, body);
	json_decref(body);
}

/* And its status (0: handed on). */
static inline int kit_call(const struct who *w, const char *op, json_t *args)
{
	unsigned int answers = kit.answers;

	kit.status = 0;
	json_decref(kit.forwarded);
	kit.forwarded = NULL;
	kit_send(w, op, args);
	kit_wait(answers);
	return kit.status;
}

/* Whoever was asked answers { done: true }. */
static inline void kit_reply(void)
{
	json_t *result = json_pack("{s:b}", "done", 1);

	kit.reply(kit.reply_arg, 200, result);
	json_decref(result);
}

static inline const char *kit_text(const char *name)
{
	const char *s = json_string_value(json_object_get(kit.result, name));

	return s ? s : "";
}

static inline int64_t kit_number(const char *name)
{
	return json_integer_value(json_object_get(kit.result, name));
}

/* Records with this action and phase. */
static inline int kit_logged(const char *action, const char *phase)
{
	const json_t *j;
	size_t i;
	int n = 0;

	json_array_foreach(kit.log, i, j)
		n += !strcmp(json_string_value(json_object_get(j, "action")), action) &&
		     !strcmp(json_string_value(json_object_get(j, "phase")), phase);
	return n;
}

static inline struct hf_user kit_user_add(const char *name, enum hf_role role, const char *password)
{
	struct hf_user u = { .role = role, .uid = -1 };

	strcpy(u.name, name);
	if (password)
		cr_assert_eq(hf_phc_make(&kit.a.cfg.cost, &kit.a.pepper, password, strlen(password),
					 (const uint8_t *)"0123456789abcdef", u.phc), 0);
	cr_assert_eq(hf_db_user_add(kit.a.db, &u), 0);
	return u;
}

static inline json_t *kit_login_args(const char *user, const char *password, const char *totp)
{
	return json_pack("{s:s, s:s, s:s*}", "user", user, "password", password, "totp", totp);
}

/* A session over the network; the cookie in @secret. */
static inline struct who kit_login(const char *user, char secret[HF_SESSION_SECRET])
{
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args(user, KIT_PASSWORD, NULL)), 200, "%s",
		     kit_text("message"));
	strcpy(secret, kit_text("cookie"));
	return (struct who){ HF_PROC_FRONT, "cookie", secret, -1, "192.0.2.1" };
}

#endif /* HF_TESTS_AUTH_KIT_H */
