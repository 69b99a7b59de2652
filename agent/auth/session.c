// SPDX-License-Identifier: GPL-2.0
/*
 * Life and end of sessions and tokens. Times are UTC, for rows outlive the
 * process; what lies in the future (a clock was set back) is over.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "b64.h"
#include "session.h"

/* A use is written down at most this often: a session may end so much early, never late. */
#define TOUCH_NS	((int64_t)(30 * HF_S))

static int64_t now_ns(const struct hf_auth *a)
{
	return (int64_t)hf_real_ns(a->clock);
}

static int new_id(const struct hf_auth *a, char id[HF_ID])
{
	uint8_t raw[(HF_ID - 1) / 2];
	int ret = hf_random_fill(a->random, raw, sizeof(raw));

	if (ret)
		return ret;
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(id + 2 * i, 3, "%02x", raw[i]);
	return 0;
}

static int hash_of(const char *secret, uint8_t hash[HF_HASH])
{
	return EVP_Digest(secret, strlen(secret), hash, NULL, EVP_sha256(), NULL) ? 0 : -EIO;
}

static int new_secret(const struct hf_auth *a, char *secret, uint8_t hash[HF_HASH])
{
	uint8_t raw[32];
	int ret = hf_random_fill(a->random, raw, sizeof(raw));

	if (ret)
		return ret;
	_Static_assert(HF_B64_LEN(sizeof(raw)) == HF_SESSION_SECRET, "the secret fits");
	hf_b64_encode(HF_B64_URL, raw, sizeof(raw), secret);
	OPENSSL_cleanse(raw, sizeof(raw));
	return hash_of(secret, hash);
}

/* -------------------------------------------------------------- sessions */

static void limits(const struct hf_auth *a, const struct hf_user *u, int64_t *idle, int64_t *most)
{
	bool admin = u->role == HF_ROLE_ADMIN;

	*idle = (int64_t)(admin ? a->cfg.admin_idle_ns : a->cfg.user_idle_ns);
	*most = (int64_t)(admin ? a->cfg.admin_max_ns : a->cfg.user_max_ns);
}

int64_t hf_session_expires_ns(const struct hf_auth *a, const struct hf_session *s,
			      const struct hf_user *u)
{
	int64_t idle, most;

	limits(a, u, &idle, &most);
	idle += s->used_ns;
	most += s->created_ns;
	return idle < most ? idle : most;
}

static bool over(const struct hf_auth *a, const struct hf_session *s, const struct hf_user *u)
{
	int64_t now = now_ns(a), skew = (int64_t)HF_STEP_UP_SKEW_NS;

	return now >= hf_session_expires_ns(a, s, u) || s->created_ns > now + skew ||
	       s->used_ns > now + skew;
}

bool hf_session_stepped_up(const struct hf_auth *a, const struct hf_session *s)
{
	int64_t left = s->step_up_until_ns - now_ns(a);

	/* More than is ever given: the clock was set back. */
	return left > 0 && left <= (int64_t)(a->cfg.step_up_ns + HF_STEP_UP_SKEW_NS);
}

struct ids {
	struct hf_auth *a;
	size_t n;
	char id[HF_SESSIONS_USER][HF_ID];
};

static int collect_over(void *arg, const struct hf_session *s)
{
	struct ids *ids = arg;
	struct hf_user u;
	int ret;

	if (ids->n == HF_SESSIONS_USER)
		return 1;
	ret = hf_db_user_by_id(ids->a->db, s->user, &u);
	if (ret)
		return ret;
	if (u.disabled || over(ids->a, s, &u))
		memcpy(ids->id[ids->n++], s->id, HF_ID);
	return 0;
}

int hf_session_sweep(struct hf_auth *a)
{
	struct ids ids;
	int ret;

	/* In handfuls: rows are not removed while they are being read. */
	do {
		ids = (struct ids){ .a = a };
		ret = hf_db_session_each(a->db, 0, collect_over, &ids);
		for (size_t i = 0; !ret && i < ids.n; i++)
			ret = hf_db_session_remove(a->db, ids.id[i]);
	} while (!ret && ids.n == HF_SESSIONS_USER);
	return ret ? ret : hf_db_token_expire(a->db, now_ns(a) / (int64_t)HF_S - HF_JWT_LEEWAY_S);
}

static int first_id(void *arg, const struct hf_session *s)
{
	memcpy(arg, s->id, HF_ID);
	return 1;
}

static int make_room(struct hf_auth *a, int64_t user)
{
	int ret = hf_session_sweep(a);

	while (!ret && hf_db_session_count(a->db, user) >= HF_SESSIONS_USER) {
		char id[HF_ID];

		ret = hf_db_session_each(a->db, user, first_id, id);
		if (!ret)
			ret = hf_db_session_remove(a->db, id);
	}
	if (!ret && hf_db_session_count(a->db, 0) >= HF_SESSIONS_ALL)
		ret = -ENOSPC;
	return ret;
}

int hf_session_begin(struct hf_auth *a, const struct hf_user *u, const char *source, enum hf_via via,
		     struct hf_session *s, char *secret)
{
	int ret = make_room(a, u->id);

	memset(s, 0, sizeof(*s));
	if (!ret)
		ret = new_id(a, s->id);
	if (!ret)
		ret = new_secret(a, secret, s->hash);
	if (ret)
		return ret;
	s->user = u->id;
	s->created_ns = s->used_ns = now_ns(a);
	s->step_up_until_ns = s->created_ns + (int64_t)a->cfg.step_up_ns;
	snprintf(s->source, sizeof(s->source), "%s", source);
	s->via = via;
	return hf_db_session_add(a->db, s);
}

int hf_session_find(struct hf_auth *a, const char *secret, struct hf_session *s, struct hf_user *u)
{
	int64_t idle, most, touch;
	uint8_t hash[HF_HASH];
	int ret;

	if (strlen(secret) != HF_SESSION_SECRET - 1)
		return -ENOENT;
	ret = hash_of(secret, hash);
	if (!ret)
		ret = hf_db_session(a->db, hash, s);
	if (!ret)
		ret = hf_db_user_by_id(a->db, s->user, u);
	if (ret)
		return ret;
	if (u->disabled || over(a, s, u)) {
		ret = hf_db_session_remove(a->db, s->id);
		return ret ? ret : -ENOENT;
	}
	limits(a, u, &idle, &most);
	touch = idle / 4 < TOUCH_NS ? idle / 4 : TOUCH_NS;
	if (now_ns(a) - s->used_ns >= touch) {
		s->used_ns = now_ns(a);
		ret = hf_db_session_save(a->db, s);
	}
	return ret;
}

int hf_session_rotate(struct hf_auth *a, struct hf_session *s, char *secret)
{
	int ret = new_secret(a, secret, s->hash);

	return ret ? ret : hf_db_session_save(a->db, s);
}

int hf_session_step_up(struct hf_auth *a, struct hf_session *s)
{
	s->step_up_until_ns = now_ns(a) + (int64_t)a->cfg.step_up_ns;
	return hf_db_session_save(a->db, s);
}

/* ---------------------------------------------------------------- tokens */

static int oldest_token(void *arg, const struct hf_token *t)
{
	memcpy(arg, t->id, HF_ID);
	return 1;
}

static int token_room(struct hf_auth *a, int64_t user)
{
	int ret = hf_db_token_expire(a->db, now_ns(a) / (int64_t)HF_S - HF_JWT_LEEWAY_S);

	while (!ret && hf_db_token_count(a->db, user) >= HF_TOKENS_USER) {
		char id[HF_ID];

		ret = hf_db_token_each(a->db, user, oldest_token, id);
		if (!ret)
			ret = hf_db_token_remove(a->db, id);
	}
	return ret;
}

int hf_token_issue(struct hf_auth *a, const struct hf_user *u, const struct hf_session *s,
		   const char *label, int64_t ttl_s, struct hf_token *t, char *text)
{
	int64_t now_s = now_ns(a) / (int64_t)HF_S, idle, most;
	struct hf_jwt_claims c;
	int ret = token_room(a, u->id);

	memset(t, 0, sizeof(*t));
	if (!ret)
		ret = new_id(a, t->id);
	if (ret)
		return ret;
	t->user = u->id;
	t->version = u->token_version;
	t->created_s = now_s;
	t->expires_s = now_s + ttl_s;
	snprintf(t->label, sizeof(t->label), "%s", label);
	if (s) {
		memcpy(t->session, s->id, sizeof(t->session));
		limits(a, u, &idle, &most);
		most = (s->created_ns + most) / (int64_t)HF_S;
		if (t->expires_s > most)
			t->expires_s = most;
	}
	if (t->expires_s <= now_s)
		return -ENOENT;		/* the session ends within this second */
	c = (struct hf_jwt_claims){ .iat_s = now_s, .nbf_s = now_s, .exp_s = t->expires_s };
	memcpy(c.sub, u->name, sizeof(c.sub));
	memcpy(c.jti, t->id, sizeof(c.jti));
	ret = hf_jwt_sign(&a->keys.k[0], &c, text);
	return ret ? ret : hf_db_token_add(a->db, t);
}

int hf_token_find(struct hf_auth *a, const char *text, struct hf_token *t, struct hf_user *u,
		  struct hf_err *e)
{
	int64_t now_s = now_ns(a) / (int64_t)HF_S;
	struct hf_jwt_claims c;
	int ret;

	if (hf_jwt_verify(a->keys.k, hf_keys_valid(&a->keys, now_s), text, strlen(text), now_s, &c, e))
		return -ENOENT;
	ret = hf_db_token(a->db, c.jti, t);
	if (ret)
		return hf_fail(e, ret, "token: revoked");
	ret = hf_db_user_by_id(a->db, t->user, u);
	if (ret)
		return hf_fail(e, ret, "token: its user is gone");
	if (u->disabled || u->token_version != t->version || strcmp(u->name, c.sub) ||
	    c.exp_s != t->expires_s)
		return hf_fail(e, -ENOENT, "token: void for user %s", u->name);
	return 0;
}
