// SPDX-License-Identifier: GPL-2.0
/*
 * Users, as an admin sees and changes them, and the key that signs tokens. The
 * last admin can be neither removed, demoted nor disabled.
 */
#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>

#include "call.h"

static json_t *user_json(const struct hf_auth *a, const struct hf_user *u)
{
	bool locked = u->locked_until_ns > hf_now_ns(a);

	return json_pack("{s:s, s:s, s:s, s:I, s:b, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I}",
			 "user", u->name, "role", hf_role_name(u->role), "tenant", u->tenant,
			 "uid", (json_int_t)u->uid, "disabled", u->disabled, "password", u->phc[0] != '\0',
			 "must_change_password", u->must_change, "totp", u->totp_on,
			 "failures", (json_int_t)u->failures,
			 "locked_until_ns", (json_int_t)(locked ? u->locked_until_ns : 0),
			 "created_ns", (json_int_t)u->created_ns, "changed_ns", (json_int_t)u->changed_ns,
			 "last_login_ns", (json_int_t)u->last_login_ns);
}

struct list {
	struct hf_auth *a;
	json_t *j;
};

static int add_user(void *arg, const struct hf_user *u)
{
	struct list *l = arg;

	return json_array_append_new(l->j, user_json(l->a, u)) ? -ENOMEM : 0;
}

static void user_list(struct hf_call *c)
{
	struct list l = { c->a, json_array() };
	int ret = hf_db_user_each(c->a->db, add_user, &l);

	if (ret) {
		json_decref(l.j);
		hf_call_broken(c, ret, "users");
		return;
	}
	hf_call_ok(c, json_pack("{s:o}", "users", l.j));
}

/* The user that the call is about; else the call is answered. */
static bool find(struct hf_call *c, struct hf_user *u)
{
	int ret = hf_db_user(c->a->db, hf_call_text(c, "user"), u);

	if (!ret)
		return true;
	if (ret == -ENOENT)
		hf_call_fail_more(c, 404, "not_found", "user", 0, "there is no user \"%s\"",
				  hf_call_text(c, "user"));
	else
		hf_call_broken(c, ret, "users");
	return false;
}

/* Would @u as it is now to be leave somebody who can administer? */
static bool strands(struct hf_call *c, const struct hf_user *before, const struct hf_user *after)
{
	bool was = before->role == HF_ROLE_ADMIN && !before->disabled && (before->phc[0] || before->uid >= 0);
	bool is = after && after->role == HF_ROLE_ADMIN && !after->disabled &&
		  (after->phc[0] || after->uid >= 0);

	if (!was || is || hf_db_admins(c->a->db, before->id) > 0)
		return false;
	hf_call_fail(c, 409, "last_admin", "\"%s\" is the last admin", before->name);
	return true;
}

/* A row that cannot be: says so and answers the call. */
static bool fits(struct hf_call *c, const struct hf_user *u)
{
	if (u->uid == 0) {
		hf_call_fail_more(c, 400, "invalid", "uid", 0, "uid 0 is root's: see peers in the configuration");
		return false;
	}
	if (u->tenant[0] && !hf_name_ok(u->tenant)) {
		hf_call_fail_more(c, 400, "invalid", "tenant", 0, "tenant: \"%s\" is not a name", u->tenant);
		return false;
	}
	if (u->role == HF_ROLE_SYSTEM && u->phc[0]) {
		hf_call_fail_more(c, 400, "invalid", "role", 0, "a service has no password");
		return false;
	}
	return true;
}

static void saved(struct hf_call *c, int ret, const struct hf_user *u)
{
	if (ret == -EEXIST)
		hf_call_fail(c, 409, "exists", "the name or the uid is another user's");
	else if (ret)
		hf_call_broken(c, ret, "users");
	else
		hf_call_ok(c, json_pack("{s:o}", "user", user_json(c->a, u)));
}

/* ---------------------------------------------------------------- create */

static void new_user(struct hf_call *c, struct hf_user *u)
{
	memset(u, 0, sizeof(*u));
	strcpy(u->name, hf_call_text(c, "user"));
	if (hf_call_text(c, "tenant"))
		strcpy(u->tenant, hf_call_text(c, "tenant"));
	u->role = (enum hf_role)hf_role_parse(hf_call_text(c, "role"));
	u->uid = hf_call_int(c, "uid", -1);
	u->created_ns = u->changed_ns = hf_now_ns(c->a);
}

static void create_hashed(struct hf_call *c, struct hf_user *none, const char *made)
{
	struct hf_user u;

	(void)none;
	new_user(c, &u);
	strcpy(u.phc, made);
	u.must_change = made[0];
	saved(c, hf_db_user_add(c->a->db, &u), &u);
	OPENSSL_cleanse(&u, sizeof(u));
}

static void user_create(struct hf_call *c)
{
	const char *password = hf_call_text(c, "password");
	struct hf_user u;

	new_user(c, &u);
	if (password)
		u.phc[0] = '$';		/* only to be looked at by fits() */
	if (!fits(c, &u))
		return;
	if (hf_db_user_count(c->a->db) >= HF_USERS_MAX) {
		hf_call_fail(c, 409, "full", "no more than %d users", HF_USERS_MAX);
		return;
	}
	if (!password)
		create_hashed(c, NULL, "");
	else if (hf_password_fits(c, &u, password, "password"))
		hf_hash_new(c, password, create_hashed);
}

/* ---------------------------------------------------------------- change */

/* Saves @u and ends its sessions and tokens, together. */
static int save_and_end(struct hf_call *c, struct hf_user *u)
{
	struct hf_db *db = c->a->db;
	int ret = hf_db_begin(db);

	u->changed_ns = hf_now_ns(c->a);
	u->token_version++;
	if (!ret)
		ret = hf_db_user_save(db, u);
	if (!ret)
		ret = hf_db_session_remove_user(db, u->id, "");
	if (!ret)
		ret = hf_db_token_remove_user(db, u->id);
	if (!ret)
		ret = hf_db_commit(db);
	if (ret)
		hf_db_rollback(db);
	return ret;
}

static void user_change(struct hf_call *c)
{
	const json_t *disabled = json_object_get(c->args, "disabled");
	struct hf_user before, u;

	if (!find(c, &before))
		return;
	u = before;
	if (hf_call_text(c, "role"))
		u.role = (enum hf_role)hf_role_parse(hf_call_text(c, "role"));
	if (hf_call_text(c, "tenant"))
		strcpy(u.tenant, hf_call_text(c, "tenant"));
	u.uid = hf_call_int(c, "uid", u.uid);
	if (disabled)
		u.disabled = json_is_true(disabled);
	if (fits(c, &u) && !strands(c, &before, &u))
		saved(c, save_and_end(c, &u), &u);
}

static void user_remove(struct hf_call *c)
{
	struct hf_user u;
	int ret;

	if (!find(c, &u) || strands(c, &u, NULL))
		return;
	ret = hf_db_user_remove(c->a->db, u.id);
	if (ret)
		hf_call_broken(c, ret, "users");
	else
		hf_call_ok(c, json_pack("{s:b}", "removed", 1));
}

static void password_hashed(struct hf_call *c, struct hf_user *none, const char *made)
{
	struct hf_strikes s;
	struct hf_user u;
	int ret;

	(void)none;
	if (!find(c, &u))
		return;
	strcpy(u.phc, made);
	/* The way back for who has lost a password or a second factor: both begin anew. */
	hf_totp_forget(&u);
	u.must_change = true;
	hf_lockout_unlock(c->a->lockout, u.name, &s);
	u.failures = u.locked_until_ns = u.last_failure_ns = 0;
	ret = save_and_end(c, &u);
	if (ret)
		hf_call_broken(c, ret, "users");
	else
		hf_call_ok(c, json_pack("{s:b}", "changed", 1));
	OPENSSL_cleanse(&u, sizeof(u));
}

static void user_password(struct hf_call *c)
{
	const char *password = hf_call_text(c, "password");
	struct hf_user u;

	if (!find(c, &u))
		return;
	if (u.role == HF_ROLE_SYSTEM) {
		hf_call_fail_more(c, 400, "invalid", "user", 0, "a service has no password");
		return;
	}
	hf_totp_forget(&u);
	if (hf_password_fits(c, &u, password, "password"))
		hf_hash_new(c, password, password_hashed);
}

static void user_unlock(struct hf_call *c)
{
	struct hf_strikes s;
	struct hf_user u;
	int ret;

	if (!find(c, &u))
		return;
	hf_lockout_unlock(c->a->lockout, u.name, &s);
	u.failures = u.locked_until_ns = u.last_failure_ns = 0;
	ret = hf_db_user_strikes(c->a->db, &u);
	if (ret)
		hf_call_broken(c, ret, "users");
	else
		hf_call_ok(c, json_pack("{s:b}", "unlocked", 1));
}

static void key_rotate(struct hf_call *c)
{
	struct hf_auth *a = c->a;
	struct hf_err e;
	int ret = hf_keys_rotate(&a->keys, a->dirfd, hf_now_ns(a) / (int64_t)HF_S, a->random, &e);

	if (ret)
		hf_call_broken(c, ret, e.text);
	else
		hf_call_ok(c, json_pack("{s:s}", "kid", a->keys.k[0].kid));
}

const struct hf_handler hf_account_handlers[] = {
	{ "user.list", user_list },
	{ "user.create", user_create },
	{ "user.change", user_change },
	{ "user.remove", user_remove },
	{ "user.password", user_password },
	{ "user.unlock", user_unlock },
	{ "key.rotate", key_rotate },
	{ .op = NULL }
};
