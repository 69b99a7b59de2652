// SPDX-License-Identifier: GPL-2.0
/*
 * Beginning, proving again and ending a session: setup, login, logout, rotate,
 * step-up, and the change of one's own password.
 */
#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>

#include "call.h"
#include "setup.h"

/* The secret goes to front, which makes a cookie of it and shows it to nobody. */
static json_t *session_json(struct hf_call *c, const struct hf_session *s, const struct hf_user *u,
			    const char *secret)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:b, s:b}", "session", s->id, "cookie", secret,
			 "role", hf_role_name(u->role),
			 "expires_ns", (json_int_t)hf_session_expires_ns(c->a, s, u),
			 "must_change_password", u->must_change,
			 "must_enrol_totp", hf_must_enrol(c->a, u));
}

/* ----------------------------------------------------------------- setup */

static void setup_hashed(struct hf_call *c, struct hf_user *none, const char *made)
{
	struct hf_user u = { .role = HF_ROLE_ADMIN, .uid = -1 };
	int ret;

	(void)none;
	if (!hf_setup_open(c->a)) {
		hf_call_fail(c, 409, "set_up", "there is an admin already");
		return;
	}
	strcpy(u.name, hf_call_text(c, "user"));
	strcpy(u.phc, made);
	u.created_ns = u.changed_ns = hf_now_ns(c->a);
	ret = hf_db_user_add(c->a->db, &u);
	OPENSSL_cleanse(u.phc, sizeof(u.phc));
	if (ret == -EEXIST) {
		hf_call_fail_more(c, 409, "exists", "user", 0, "there is a user \"%s\"", u.name);
		return;
	}
	if (ret) {
		hf_call_broken(c, ret, "users");
		return;
	}
	hf_setup_close(c->a);
	hf_call_event(c, "setup.done", u.name, NULL);
	hf_call_ok(c, json_pack("{s:s}", "user", u.name));
}

static void setup(struct hf_call *c)
{
	struct hf_user u = { .uid = -1 };
	int ret = hf_setup_check(c->a, hf_call_text(c, "secret"));

	if (ret == -EALREADY) {
		hf_call_deny(c, 409, "set_up", 0, "there is an admin already");
		return;
	}
	if (ret == -EKEYREJECTED) {
		hf_call_deny(c, 403, "wrong_secret", 0, "this is not the one-time secret");
		return;
	}
	if (ret) {
		hf_call_broken(c, ret, "one-time secret");
		return;
	}
	strcpy(u.name, hf_call_text(c, "user"));
	if (hf_password_fits(c, &u, hf_call_text(c, "password"), "password"))
		hf_hash_new(c, hf_call_text(c, "password"), setup_hashed);
}

/* ----------------------------------------------------------------- login */

static void logged_in(struct hf_call *c, struct hf_user *u, const char *made)
{
	char secret[HF_SESSION_SECRET];
	struct hf_session s;
	int ret;

	(void)made;
	u->last_login_ns = hf_now_ns(c->a);
	ret = hf_db_user_save(c->a->db, u);
	if (!ret)
		ret = hf_session_begin(c->a, u, c->actor.source, c->actor.via, &s, secret);
	if (ret == -ENOSPC) {
		hf_call_fail_more(c, 503, "sessions", NULL, 60, "no more than %d sessions at the same time",
				  HF_SESSIONS_ALL);
		return;
	}
	if (ret) {
		hf_call_broken(c, ret, "session");
		return;
	}
	/* Whatever session came with the request is over: a login never goes on with an old one. */
	if (c->session.id[0])
		hf_db_session_remove(c->a->db, c->session.id);
	c->a->stats.logins++;
	strcpy(c->actor.name, u->name);
	strcpy(c->actor.tenant, u->tenant);
	strcpy(c->actor.session, s.id);
	c->actor.role = u->role;
	c->actor.proof = HF_PROOF_SESSION;
	hf_call_event(c, "session.begin", u->name, json_pack("{s:s, s:b}", "session", s.id, "totp", u->totp_on));
	hf_call_ok(c, session_json(c, &s, u, secret));
	OPENSSL_cleanse(secret, sizeof(secret));
}

static void login(struct hf_call *c)
{
	hf_prove(c, &(struct hf_proof_wanted){
		.name = hf_call_text(c, "user"), .password = hf_call_text(c, "password"),
		.totp = hf_call_text(c, "totp"), .second = true, .status = 401,
		.code = "wrong_credentials", .fn = logged_in });
}

static void logout(struct hf_call *c)
{
	bool ended = c->session.id[0];
	int ret = 0;

	if (c->actor.proof == HF_PROOF_TOKEN)
		ret = hf_db_token_remove(c->a->db, c->actor.session);
	else if (ended)
		ret = hf_db_session_remove(c->a->db, c->session.id);
	if (ret && ret != -ENOENT) {
		hf_call_broken(c, ret, "session");
		return;
	}
	ended = c->actor.session[0];
	if (ended)
		hf_call_event(c, "session.end", c->actor.name, json_pack("{s:s}", "session", c->actor.session));
	hf_call_ok(c, json_pack("{s:b}", "ended", ended));
}

/* For what only somebody with a session can do. */
static bool has_session(struct hf_call *c)
{
	if (c->session.id[0])
		return true;
	hf_call_deny(c, 403, "session_needed", 0, "log in: this needs a session");
	return false;
}

static void rotate(struct hf_call *c)
{
	char secret[HF_SESSION_SECRET];
	int ret;

	if (!has_session(c))
		return;
	ret = hf_session_rotate(c->a, &c->session, secret);
	if (ret)
		hf_call_broken(c, ret, "session");
	else
		hf_call_ok(c, session_json(c, &c->session, &c->user, secret));
	OPENSSL_cleanse(secret, sizeof(secret));
}

static void stepped_up(struct hf_call *c, struct hf_user *u, const char *made)
{
	struct hf_session s;
	int ret = hf_db_session_by_id(c->a->db, c->session.id, &s);	/* may have ended meanwhile */

	(void)made;
	if (!ret)
		ret = hf_session_step_up(c->a, &s);
	if (ret == -ENOENT) {
		hf_call_deny(c, 401, "unauthenticated", 0, "the session has ended");
		return;
	}
	if (ret) {
		hf_call_broken(c, ret, "session");
		return;
	}
	hf_call_event(c, "session.step_up", u->name, json_pack("{s:b}", "totp", u->totp_on));
	hf_call_ok(c, json_pack("{s:I}", "until_ns", (json_int_t)s.step_up_until_ns));
}

static void step_up(struct hf_call *c)
{
	if (!has_session(c))
		return;
	hf_prove(c, &(struct hf_proof_wanted){
		.name = c->user.name, .password = hf_call_text(c, "password"),
		.totp = hf_call_text(c, "totp"), .second = true, .status = 403,
		.code = "wrong_credentials", .fn = stepped_up });
}

/* -------------------------------------------------------- own password */

static void password_changed(struct hf_call *c, struct hf_user *u, const char *made)
{
	int ret;

	strcpy(u->phc, made);
	u->must_change = false;
	u->needs_totp = hf_needs_totp(c->a, hf_call_text(c, "new"));
	u->changed_ns = hf_now_ns(c->a);
	u->token_version++;
	ret = hf_db_begin(c->a->db);
	if (!ret)
		ret = hf_db_user_save(c->a->db, u);
	if (!ret)
		ret = hf_db_session_remove_user(c->a->db, u->id, c->session.id);
	if (!ret)
		ret = hf_db_token_remove_user(c->a->db, u->id);
	if (!ret)
		ret = hf_db_commit(c->a->db);
	if (ret) {
		hf_db_rollback(c->a->db);
		hf_call_broken(c, ret, "users");
		return;
	}
	hf_call_event(c, "password.changed", u->name, NULL);
	hf_call_ok(c, json_pack("{s:b}", "changed", 1));
}

static void password_change(struct hf_call *c)
{
	const char *old = hf_call_text(c, "old"), *new = hf_call_text(c, "new");

	if (!has_session(c))
		return;
	if (!strcmp(old, new)) {
		hf_call_fail_more(c, 400, "password", "new", 0, "password: the same as before");
		return;
	}
	if (!hf_password_fits(c, &c->user, new, "new"))
		return;
	hf_prove(c, &(struct hf_proof_wanted){
		.name = c->user.name, .password = old, .new = new, .status = 403,
		.code = "wrong_credentials", .fn = password_changed });
}

const struct hf_handler hf_login_handlers[] = {
	{ "setup", setup },
	{ "login", login },
	{ "logout", logout },
	{ "session.rotate", rotate },
	{ "session.step_up", step_up },
	{ "password.change", password_change },
	{ .op = NULL }
};
