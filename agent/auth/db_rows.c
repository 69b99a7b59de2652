// SPDX-License-Identifier: GPL-2.0
/*
 * Rows of users, sessions and tokens as structs. What the file holds is not
 * believed: a row that we would not have written is -EUCLEAN.
 */
#include <errno.h>
#include <string.h>

#include "db_internal.h"
#include "field.h"

/* ----------------------------------------------------------------- users */

static bool user_sane(const struct hf_user *u)
{
	return hf_name_ok(u->name) && (!u->tenant[0] || hf_name_ok(u->tenant)) &&
	       (u->role == HF_ROLE_USER || u->role == HF_ROLE_OPERATOR || u->role == HF_ROLE_ADMIN ||
		u->role == HF_ROLE_SYSTEM) &&
	       u->uid >= -1 && u->uid < UINT32_MAX && u->failures >= 0 && u->totp_last_step >= 0 &&
	       (!u->totp_on || u->totp_len);
}

static int take_user(void *arg, sqlite3_stmt *q)
{
	struct hf_user *u = arg;
	size_t n = (size_t)sqlite3_column_bytes(q, 9);

	memset(u, 0, sizeof(*u));
	if (!hf_db_text(q, 1, u->name, sizeof(u->name)) || !hf_db_text(q, 2, u->tenant, sizeof(u->tenant)) ||
	    !hf_db_text(q, 3, u->phc, sizeof(u->phc)) || !hf_db_flag(q, 6, &u->disabled) ||
	    !hf_db_flag(q, 7, &u->must_change) || !hf_db_flag(q, 8, &u->needs_totp) ||
	    !hf_db_flag(q, 10, &u->totp_on) || n > sizeof(u->totp))
		return -EUCLEAN;
	u->id = sqlite3_column_int64(q, 0);
	u->role = (enum hf_role)sqlite3_column_int64(q, 4);
	u->uid = sqlite3_column_type(q, 5) == SQLITE_NULL ? -1 : sqlite3_column_int64(q, 5);
	if (n)
		memcpy(u->totp, sqlite3_column_blob(q, 9), n);
	u->totp_len = n;
	u->totp_last_step = sqlite3_column_int64(q, 11);
	u->failures = sqlite3_column_int64(q, 12);
	u->locked_until_ns = sqlite3_column_int64(q, 13);
	u->last_failure_ns = sqlite3_column_int64(q, 14);
	u->token_version = sqlite3_column_int64(q, 15);
	u->created_ns = sqlite3_column_int64(q, 16);
	u->changed_ns = sqlite3_column_int64(q, 17);
	u->last_login_ns = sqlite3_column_int64(q, 18);
	return user_sane(u) ? 0 : -EUCLEAN;
}

int hf_db_user(struct hf_db *db, const char *name, struct hf_user *u)
{
	return hf_db_one(hf_db_run(db, HF_Q_USER, take_user, u, "t", name));
}

int hf_db_user_by_id(struct hf_db *db, int64_t id, struct hf_user *u)
{
	return hf_db_one(hf_db_run(db, HF_Q_USER_BY_ID, take_user, u, "i", id));
}

int hf_db_user_by_uid(struct hf_db *db, uint32_t uid, struct hf_user *u)
{
	return hf_db_one(hf_db_run(db, HF_Q_USER_BY_UID, take_user, u, "i", (int64_t)uid));
}

/* The columns of a row behind its id, as hf_db_run() takes them. */
#define USER_VALUES(u) \
	(u)->name, (u)->tenant, (u)->phc, (int64_t)(u)->role, (u)->uid, (int64_t)(u)->disabled, \
	(int64_t)(u)->must_change, (int64_t)(u)->needs_totp, (u)->totp, (u)->totp_len, \
	(int64_t)(u)->totp_on, (u)->totp_last_step, (u)->failures, (u)->locked_until_ns, \
	(u)->last_failure_ns, (u)->token_version, (u)->created_ns, (u)->changed_ns, (u)->last_login_ns

int hf_db_user_add(struct hf_db *db, struct hf_user *u)
{
	int ret;

	if (!user_sane(u))
		return -EINVAL;
	ret = hf_db_run(db, HF_Q_USER_ADD, NULL, NULL, "ttnio" "iii" "bi" "iiiii" "iii", USER_VALUES(u));
	if (ret < 0)
		return ret;
	u->id = sqlite3_last_insert_rowid(db->sql);
	return 0;
}

int hf_db_user_save(struct hf_db *db, const struct hf_user *u)
{
	int ret;

	if (!user_sane(u))
		return -EINVAL;
	ret = hf_db_run(db, HF_Q_USER_SAVE, NULL, NULL, "ttnio" "iii" "bi" "iiiii" "iiii", USER_VALUES(u), u->id);
	if (ret < 0)
		return ret;
	return sqlite3_changes(db->sql) ? 0 : -ENOENT;
}

int hf_db_user_strikes(struct hf_db *db, const struct hf_user *u)
{
	int ret = hf_db_run(db, HF_Q_USER_STRIKES, NULL, NULL, "iiii", u->failures, u->locked_until_ns,
			    u->last_failure_ns, u->id);

	return ret < 0 ? ret : 0;
}

/* A statement that removes or changes what one id or name means. */
static int change(struct hf_db *db, int ret)
{
	if (ret < 0)
		return ret;
	return sqlite3_changes(db->sql) ? 0 : -ENOENT;
}

int hf_db_user_remove(struct hf_db *db, int64_t id)
{
	return change(db, hf_db_run(db, HF_Q_USER_REMOVE, NULL, NULL, "i", id));
}

struct each_user {
	int (*fn)(void *arg, const struct hf_user *u);
	void *arg;
};

static int one_user(void *arg, sqlite3_stmt *q)
{
	struct each_user *each = arg;
	struct hf_user u;
	int ret = take_user(&u, q);

	return ret ? ret : each->fn(each->arg, &u);
}

int hf_db_user_each(struct hf_db *db, int (*fn)(void *arg, const struct hf_user *u), void *arg)
{
	struct each_user each = { fn, arg };
	int ret = hf_db_run(db, HF_Q_USER_EACH, one_user, &each, "");

	return ret < 0 ? ret : 0;
}

int64_t hf_db_user_count(struct hf_db *db)
{
	return hf_db_number(db, HF_Q_USER_COUNT, 0);
}

int64_t hf_db_admins(struct hf_db *db, int64_t but)
{
	return hf_db_number(db, HF_Q_ADMINS, but);
}

int64_t hf_db_peppered(struct hf_db *db)
{
	return hf_db_number(db, HF_Q_PEPPERED, 0);
}

/* -------------------------------------------------------------- sessions */

static int take_session(void *arg, sqlite3_stmt *q)
{
	struct hf_session *s = arg;
	int64_t via = sqlite3_column_int64(q, 7);

	memset(s, 0, sizeof(*s));
	if (!hf_db_text(q, 0, s->id, sizeof(s->id)) || sqlite3_column_bytes(q, 1) != HF_HASH ||
	    !hf_db_text(q, 6, s->source, sizeof(s->source)) ||
	    (via != HF_VIA_LOCAL && via != HF_VIA_NETWORK))
		return -EUCLEAN;
	memcpy(s->hash, sqlite3_column_blob(q, 1), HF_HASH);
	s->user = sqlite3_column_int64(q, 2);
	s->created_ns = sqlite3_column_int64(q, 3);
	s->used_ns = sqlite3_column_int64(q, 4);
	s->step_up_until_ns = sqlite3_column_int64(q, 5);
	s->via = (enum hf_via)via;
	return 0;
}

int hf_db_session_add(struct hf_db *db, const struct hf_session *s)
{
	int ret = hf_db_run(db, HF_Q_SESSION_ADD, NULL, NULL, "tbiiiiti", s->id, s->hash, sizeof(s->hash),
			    s->user, s->created_ns, s->used_ns, s->step_up_until_ns, s->source,
			    (int64_t)s->via);

	return ret < 0 ? ret : 0;
}

int hf_db_session(struct hf_db *db, const uint8_t hash[HF_HASH], struct hf_session *s)
{
	return hf_db_one(hf_db_run(db, HF_Q_SESSION, take_session, s, "b", hash, (size_t)HF_HASH));
}

int hf_db_session_by_id(struct hf_db *db, const char *id, struct hf_session *s)
{
	return hf_db_one(hf_db_run(db, HF_Q_SESSION_BY_ID, take_session, s, "t", id));
}

int hf_db_session_save(struct hf_db *db, const struct hf_session *s)
{
	return change(db, hf_db_run(db, HF_Q_SESSION_SAVE, NULL, NULL, "biit", s->hash, sizeof(s->hash),
				    s->used_ns, s->step_up_until_ns, s->id));
}

int hf_db_session_remove(struct hf_db *db, const char *id)
{
	return change(db, hf_db_run(db, HF_Q_SESSION_REMOVE, NULL, NULL, "t", id));
}

int hf_db_session_remove_user(struct hf_db *db, int64_t user, const char *but)
{
	int ret = hf_db_run(db, HF_Q_SESSION_REMOVE_USER, NULL, NULL, "it", user, but);

	return ret < 0 ? ret : 0;
}

struct each_session {
	int (*fn)(void *arg, const struct hf_session *s);
	void *arg;
};

static int one_session(void *arg, sqlite3_stmt *q)
{
	struct each_session *each = arg;
	struct hf_session s;
	int ret = take_session(&s, q);

	return ret ? ret : each->fn(each->arg, &s);
}

int hf_db_session_each(struct hf_db *db, int64_t user,
		       int (*fn)(void *arg, const struct hf_session *s), void *arg)
{
	struct each_session each = { fn, arg };
	int ret = hf_db_run(db, HF_Q_SESSION_EACH, one_session, &each, "i", user);

	return ret < 0 ? ret : 0;
}

int64_t hf_db_session_count(struct hf_db *db, int64_t user)
{
	return hf_db_number(db, HF_Q_SESSION_COUNT, user);
}

/* ---------------------------------------------------------------- tokens */

static int take_token(void *arg, sqlite3_stmt *q)
{
	struct hf_token *t = arg;

	memset(t, 0, sizeof(*t));
	if (!hf_db_text(q, 0, t->id, sizeof(t->id)) || !hf_db_text(q, 1, t->session, sizeof(t->session)) ||
	    !hf_db_text(q, 6, t->label, sizeof(t->label)))
		return -EUCLEAN;
	t->user = sqlite3_column_int64(q, 2);
	t->version = sqlite3_column_int64(q, 3);
	t->created_s = sqlite3_column_int64(q, 4);
	t->expires_s = sqlite3_column_int64(q, 5);
	return 0;
}

int hf_db_token_add(struct hf_db *db, const struct hf_token *t)
{
	int ret = hf_db_run(db, HF_Q_TOKEN_ADD, NULL, NULL, "tniiiit", t->id, t->session, t->user, t->version,
			    t->created_s, t->expires_s, t->label);

	return ret < 0 ? ret : 0;
}

int hf_db_token(struct hf_db *db, const char *id, struct hf_token *t)
{
	return hf_db_one(hf_db_run(db, HF_Q_TOKEN, take_token, t, "t", id));
}

int hf_db_token_remove(struct hf_db *db, const char *id)
{
	return change(db, hf_db_run(db, HF_Q_TOKEN_REMOVE, NULL, NULL, "t", id));
}

int hf_db_token_remove_user(struct hf_db *db, int64_t user)
{
	int ret = hf_db_run(db, HF_Q_TOKEN_REMOVE_USER, NULL, NULL, "i", user);

	return ret < 0 ? ret : 0;
}

int hf_db_token_expire(struct hf_db *db, int64_t now_s)
{
	int ret = hf_db_run(db, HF_Q_TOKEN_EXPIRE, NULL, NULL, "i", now_s);

	return ret < 0 ? ret : 0;
}

struct each_token {
	int (*fn)(void *arg, const struct hf_token *t);
	void *arg;
};

static int one_token(void *arg, sqlite3_stmt *q)
{
	struct each_token *each = arg;
	struct hf_token t;
	int ret = take_token(&t, q);

	return ret ? ret : each->fn(each->arg, &t);
}

int hf_db_token_each(struct hf_db *db, int64_t user, int (*fn)(void *arg, const struct hf_token *t),
		     void *arg)
{
	struct each_token each = { fn, arg };
	int ret = hf_db_run(db, HF_Q_TOKEN_EACH, one_token, &each, "i", user);

	return ret < 0 ? ret : 0;
}

int64_t hf_db_token_count(struct hf_db *db, int64_t user)
{
	return hf_db_number(db, HF_Q_TOKEN_COUNT, user);
}
