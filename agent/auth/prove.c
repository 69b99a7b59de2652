// SPDX-License-Identifier: GPL-2.0
/*
 * Proving a password, and the second factor: lock-out, hashing on a worker,
 * and one answer for all that is wrong, in the same time for users that do not
 * exist.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

#include "call.h"
#include "log.h"
#include "policy.h"

/* A try under way. @u.id 0: there is no such user. */
struct try {
	struct hf_call *c;
	struct hf_user u;
	char name[HF_NAME_LEN];
	char totp[8];
	bool has_totp;
	bool second;
	int status;
	const char *code;
	hf_proved_fn fn;
	bool local_admin;
};

static struct hf_attempt attempt_of(const struct try *t)
{
	return (struct hf_attempt){ t->name, t->c->source, t->local_admin };
}

static void strikes_get(struct hf_auth *a, const struct try *t, struct hf_strikes *s)
{
	if (!t->u.id) {
		hf_lockout_stranger(a->lockout, t->name, s);
		return;
	}
	s->failures = (uint32_t)t->u.failures;
	s->until_ns = (uint64_t)t->u.locked_until_ns;
	s->last_ns = (uint64_t)t->u.last_failure_ns;
}

/* For strangers too something is written, so that the disk does not tell who exists. */
static int strikes_put(struct hf_auth *a, struct try *t, const struct hf_strikes *s)
{
	if (!t->u.id) {
		hf_lockout_stranger_keep(a->lockout, t->name, s);
		return hf_db_meta_set(a->db, "stranger", &s->last_ns, sizeof(s->last_ns));
	}
	t->u.failures = s->failures;
	t->u.locked_until_ns = (int64_t)s->until_ns;
	t->u.last_failure_ns = (int64_t)s->last_ns;
	return hf_db_user_strikes(a->db, &t->u);
}

static void try_free(struct try *t)
{
	OPENSSL_cleanse(t, sizeof(*t));
	free(t);
}

static void wrong(struct try *t)
{
	struct hf_call *c = t->c;
	int status = t->status;
	const char *code = t->code;

	c->a->stats.logins_failed++;
	try_free(t);
	hf_call_deny(c, status, code, 0, "the user, the password or the second factor is wrong");
}

/* The row may have changed while the password was hashed: what was proved must still be true. */
static int still(struct try *t)
{
	struct hf_user now;
	int ret = t->u.id ? hf_db_user_by_id(t->c->a->db, t->u.id, &now) : -EKEYREJECTED;

	if (!ret && (now.disabled || !now.phc[0] || strcmp(now.phc, t->u.phc) || now.role == HF_ROLE_SYSTEM))
		ret = -EKEYREJECTED;
	if (!ret)
		t->u = now;
	OPENSSL_cleanse(&now, sizeof(now));
	return ret == -ENOENT ? -EKEYREJECTED : ret;
}

static void right(struct try *t, const struct hf_hash_job *job)
{
	struct hf_attempt at = attempt_of(t);
	struct hf_call *c = t->c;
	struct hf_strikes s;
	hf_proved_fn fn;
	struct hf_user u;
	int ret;

	strikes_get(c->a, t, &s);
	hf_lockout_success(c->a->lockout, &at, &s);
	t->u.failures = t->u.locked_until_ns = t->u.last_failure_ns = 0;
	if (job->made[0] && job->renew)
		memcpy(t->u.phc, job->made, sizeof(t->u.phc));
	ret = hf_db_user_save(c->a->db, &t->u);
	u = t->u;
	if (ret) {
		try_free(t);
		hf_call_broken(c, ret, "users");
		return;
	}
	fn = t->fn;
	try_free(t);
	fn(c, &u, job->renew ? "" : job->made);
	OPENSSL_cleanse(&u, sizeof(u));
}

static void not_judged(struct hf_call *c, int ret)
{
	if (ret == -ETIME)
		hf_call_fail(c, 504, "deadline", "whoever asked does not wait any more");
	else if (ret == -ECANCELED)
		hf_call_fail(c, 503, "stopping", "the agent is being stopped");
	else
		hf_call_broken(c, ret, "password");
}

static void hashed(void *arg, const struct hf_hash_job *job)
{
	struct try *t = arg;
	struct hf_call *c = t->c;
	int ret = job->verdict;

	if (!ret)
		ret = still(t);
	if (!ret && t->second && t->u.totp_on) {
		if (!t->has_totp) {
			int status = t->status;

			try_free(t);
			hf_call_fail_more(c, status, "totp_needed", "totp", 0, "the second factor is needed");
			return;
		}
		ret = hf_second_factor(c->a, &t->u, t->totp);
	}
	if (!ret && hf_mono_ns(c->a->clock) >= c->deadline_ns)
		ret = -ETIME;
	if (!ret) {
		right(t, job);
		return;
	}
	if (ret == -EKEYREJECTED) {
		wrong(t);
		return;
	}
	try_free(t);
	not_judged(c, ret);
}

static int submit(struct hf_auth *a, struct hf_hash_job *job, hf_hash_fn fn, void *arg)
{
	int ret = hf_random_fill(a->random, job->salt, sizeof(job->salt));

	job->cost = a->cfg.cost;
	job->pepper = a->pepper;
	if (!ret)
		ret = hf_workers_submit(a->workers, job, fn, arg);
	OPENSSL_cleanse(job, sizeof(*job));
	return ret;
}

static void set_password(char *out, size_t *len, const char *password)
{
	*len = strlen(password);	/* at most HF_PASSWORD_MAX, by the table of arguments */
	memcpy(out, password, *len);
}

static void overloaded(struct hf_call *c, int ret)
{
	if (ret != -EBUSY) {
		hf_call_broken(c, ret, "hashing");
		return;
	}
	c->a->stats.overloads++;
	hf_call_fail_more(c, 503, "overload", NULL, 2, "too many passwords are being checked");
}

/* Counts the try. Return: nanoseconds to wait, 0: go on, -errno. */
static int64_t count(struct hf_auth *a, struct try *t)
{
	struct hf_attempt at = attempt_of(t);
	struct hf_strikes s;
	uint64_t wait;

	strikes_get(a, t, &s);
	wait = hf_lockout_begin(a->lockout, &a->cfg.lockout, &at, &s, (uint64_t)hf_now_ns(a));
	return wait ? (int64_t)wait : strikes_put(a, t, &s);
}

static void uncount(struct hf_auth *a, struct try *t)
{
	struct hf_attempt at = attempt_of(t);
	struct hf_strikes s;

	strikes_get(a, t, &s);
	hf_lockout_cancel(a->lockout, &a->cfg.lockout, &at, &s);
	strikes_put(a, t, &s);
}

static struct try *try_new(struct hf_call *c, const struct hf_proof_wanted *w, int *ret)
{
	struct try *t = calloc(1, sizeof(*t));

	*ret = -ENOMEM;
	if (!t)
		return NULL;
	t->c = c;
	t->second = w->second;
	t->status = w->status;
	t->code = w->code;
	t->fn = w->fn;
	strncpy(t->name, w->name, sizeof(t->name) - 1);
	if (w->totp) {
		strncpy(t->totp, w->totp, sizeof(t->totp) - 1);
		t->has_totp = true;
	}
	*ret = hf_db_user(c->a->db, t->name, &t->u);
	if (*ret == -ENOENT) {
		memset(&t->u, 0, sizeof(t->u));
		*ret = 0;
	}
	t->local_admin = t->u.id && t->u.role == HF_ROLE_ADMIN && c->from == HF_PROC_LOCAL;
	return t;
}

void hf_prove(struct hf_call *c, const struct hf_proof_wanted *w)
{
	struct hf_auth *a = c->a;
	struct hf_hash_job job = { .renew = !w->new, .make = w->new != NULL };
	struct try *t;
	int64_t wait;
	int ret;

	t = try_new(c, w, &ret);
	if (ret) {
		if (t)
			try_free(t);
		hf_call_broken(c, ret, "users");
		return;
	}
	wait = count(a, t);
	if (wait) {
		try_free(t);
		if (wait < 0) {
			hf_call_broken(c, (int)wait, "users");
			return;
		}
		a->stats.lockouts++;
		hf_call_deny(c, 429, "locked_out", hf_retry_s((uint64_t)wait),
			     "too many wrong passwords: wait");
		return;
	}
	strcpy(job.check, t->u.id && t->u.phc[0] ? t->u.phc : a->dummy);
	set_password(job.old, &job.old_len, w->password);
	if (w->new)
		set_password(job.new, &job.new_len, w->new);
	ret = submit(a, &job, hashed, t);
	if (ret) {
		uncount(a, t);
		try_free(t);
		overloaded(c, ret);
	}
}

/* ---------------------------------------------------------- only a hash */

struct making {
	struct hf_call *c;
	hf_proved_fn fn;
};

static void made(void *arg, const struct hf_hash_job *job)
{
	struct making m = *(struct making *)arg;

	free(arg);
	if (job->verdict)
		not_judged(m.c, job->verdict);
	else
		m.fn(m.c, NULL, job->made);
}

void hf_hash_new(struct hf_call *c, const char *password, hf_proved_fn fn)
{
	struct hf_hash_job job = { .make = true };
	struct making *m = malloc(sizeof(*m));
	int ret;

	if (!m) {
		hf_call_broken(c, -ENOMEM, "hashing");
		return;
	}
	*m = (struct making){ c, fn };
	set_password(job.new, &job.new_len, password);
	ret = submit(c->a, &job, made, m);
	if (ret) {
		free(m);
		overloaded(c, ret);
	}
}

bool hf_password_fits(struct hf_call *c, const struct hf_user *u, const char *password,
		      const char *field)
{
	const char *words[3] = { u->name, u->tenant[0] ? u->tenant : NULL, NULL };
	size_t min = c->a->cfg.password_min;
	struct hf_err e;

	if (u->totp_on && min > HF_PASSWORD_MIN_TOTP)
		min = HF_PASSWORD_MIN_TOTP;
	if (!hf_password_ok(password, strlen(password), min, words, &e))
		return true;
	hf_call_fail_more(c, 400, "password", field, 0, "%s", e.text);
	return false;
}
