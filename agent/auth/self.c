// SPDX-License-Identifier: GPL-2.0
/*
 * What somebody sees and does about himself: who he is, sessions, tokens, the
 * second factor. An admin sees and ends those of all.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>

#include "b64.h"
#include "call.h"
#include "setup.h"
#include "totp.h"

#define API_VERSION	1

static void version(struct hf_call *c)
{
	hf_call_ok(c, json_pack("{s:s, s:i, s:b}", "agent", HF_VERSION, "api", API_VERSION,
				"first_run", hf_setup_open(c->a)));
}

static void whoami(struct hf_call *c)
{
	hf_call_ok(c, json_pack("{s:o, s:b, s:b, s:b}", "actor", hf_actor_json(&c->actor),
				"must_change_password", c->session.id[0] && c->user.must_change,
				"must_enrol_totp", c->user.id && hf_must_enrol(c->a, &c->user),
				"totp", c->user.totp_on));
}

/* Whose sessions and tokens may be seen and ended: 0: everybody's; -1: there is no row, so none. */
static int64_t scope(const struct hf_call *c)
{
	if (c->actor.role == HF_ROLE_ADMIN)
		return 0;
	return c->user.id ? c->user.id : -1;
}

struct list {
	struct hf_call *c;
	json_t *j;
};

static const char *name_of(struct hf_auth *a, int64_t id, struct hf_user *u)
{
	return hf_db_user_by_id(a->db, id, u) ? "" : u->name;
}

static int add_session(void *arg, const struct hf_session *s)
{
	struct list *l = arg;
	struct hf_user u;

	if (hf_db_user_by_id(l->c->a->db, s->user, &u))
		return -EUCLEAN;
	return json_array_append_new(l->j, json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:b}",
		"session", s->id, "user", u.name, "created_ns", (json_int_t)s->created_ns,
		"used_ns", (json_int_t)s->used_ns,
		"expires_ns", (json_int_t)hf_session_expires_ns(l->c->a, s, &u),
		"source", s->source, "via", s->via == HF_VIA_LOCAL ? "local" : "network",
		"own", !strcmp(s->id, l->c->session.id))) ? -ENOMEM : 0;
}

static void session_list(struct hf_call *c)
{
	struct list l = { c, json_array() };
	int ret = hf_session_sweep(c->a);

	if (!ret)
		ret = hf_db_session_each(c->a->db, scope(c), add_session, &l);
	if (ret) {
		json_decref(l.j);
		hf_call_broken(c, ret, "sessions");
		return;
	}
	hf_call_ok(c, json_pack("{s:o}", "sessions", l.j));
}

/* An object that is not one's own is as if it were not there. */
static bool mine(struct hf_call *c, int ret, int64_t owner, const char *what)
{
	int64_t s = scope(c);

	if (!ret && (s == 0 || s == owner))
		return true;
	if (ret && ret != -ENOENT)
		hf_call_broken(c, ret, what);
	else
		hf_call_deny(c, 404, "not_found", 0, "there is no such thing");
	return false;
}

static void session_revoke(struct hf_call *c)
{
	const char *id = hf_call_text(c, "session");
	struct hf_session s;
	struct hf_user u;
	int ret = hf_db_session_by_id(c->a->db, id, &s);

	if (!mine(c, ret, s.user, "session"))
		return;
	ret = hf_db_session_remove(c->a->db, id);
	if (ret) {
		hf_call_broken(c, ret, "session");
		return;
	}
	hf_call_event(c, "session.revoked", name_of(c->a, s.user, &u), json_pack("{s:s}", "session", id));
	hf_call_ok(c, json_pack("{s:b}", "ended", 1));
}

/* ---------------------------------------------------------------- tokens */

static void token_create(struct hf_call *c)
{
	const char *label = hf_call_text(c, "label");
	char text[HF_JWT_MAX];
	struct hf_token t;
	int ret;

	/* Else one stolen token would be one for ever. */
	if (c->actor.proof == HF_PROOF_TOKEN) {
		hf_call_deny(c, 403, "session_needed", 0, "a token does not make tokens");
		return;
	}
	if (!c->user.id) {
		hf_call_deny(c, 403, "user_needed", 0, "only users of the agent can have tokens");
		return;
	}
	ret = hf_token_issue(c->a, &c->user, c->session.id[0] ? &c->session : NULL, label ? label : "",
			     hf_call_int(c, "ttl_s", c->a->cfg.token_ttl_s), &t, text);
	if (ret) {
		hf_call_broken(c, ret, "token");
		return;
	}
	hf_call_event(c, "token.created", c->user.name,
		      json_pack("{s:s, s:s, s:I}", "token", t.id, "label", t.label, "expires_s",
				(json_int_t)t.expires_s));
	hf_call_ok(c, json_pack("{s:s, s:s, s:I}", "token", text, "id", t.id,
				"expires_ns", (json_int_t)t.expires_s * (json_int_t)HF_S));
	OPENSSL_cleanse(text, sizeof(text));
}

static int add_token(void *arg, const struct hf_token *t)
{
	struct list *l = arg;
	struct hf_user u;

	return json_array_append_new(l->j, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}",
		"id", t->id, "user", name_of(l->c->a, t->user, &u), "session", t->session, "label", t->label,
		"created_ns", (json_int_t)t->created_s * (json_int_t)HF_S,
		"expires_ns", (json_int_t)t->expires_s * (json_int_t)HF_S)) ? -ENOMEM : 0;
}

static void token_list(struct hf_call *c)
{
	struct list l = { c, json_array() };
	int ret = hf_session_sweep(c->a);

	if (!ret)
		ret = hf_db_token_each(c->a->db, scope(c), add_token, &l);
	if (ret) {
		json_decref(l.j);
		hf_call_broken(c, ret, "tokens");
		return;
	}
	hf_call_ok(c, json_pack("{s:o}", "tokens", l.j));
}

static void token_revoke(struct hf_call *c)
{
	const char *id = hf_call_text(c, "token");
	struct hf_token t;
	struct hf_user u;
	int ret = hf_db_token(c->a->db, id, &t);

	if (!mine(c, ret, t.user, "token"))
		return;
	ret = hf_db_token_remove(c->a->db, id);
	if (ret) {
		hf_call_broken(c, ret, "token");
		return;
	}
	hf_call_event(c, "token.revoked", name_of(c->a, t.user, &u), json_pack("{s:s}", "token", id));
	hf_call_ok(c, json_pack("{s:b}", "ended", 1));
}

/* --------------------------------------------------------- second factor */

static bool has_password(struct hf_call *c)
{
	if (c->user.id && c->user.phc[0] && c->session.id[0])
		return true;
	hf_call_deny(c, 403, "session_needed", 0, "log in: this needs a session");
	return false;
}

static void totp_begin(struct hf_call *c)
{
	uint8_t secret[HF_TOTP_SECRET];
	char text[HF_B32_LEN(HF_TOTP_SECRET)], uri[HF_TOTP_URI];
	int ret;

	if (!has_password(c))
		return;
	if (c->user.totp_on) {
		hf_call_fail(c, 409, "enrolled", "remove the second factor in force first");
		return;
	}
	ret = hf_random_fill(c->a->random, secret, sizeof(secret));
	if (!ret)
		ret = hf_totp_box(c->a, &c->user, secret, sizeof(secret));
	c->user.totp_last_step = 0;
	if (!ret)
		ret = hf_db_user_save(c->a->db, &c->user);
	if (ret) {
		OPENSSL_cleanse(secret, sizeof(secret));
		hf_call_broken(c, ret, "second factor");
		return;
	}
	hf_b32_encode(secret, sizeof(secret), text);
	hf_totp_uri(secret, c->user.name, uri);
	hf_call_ok(c, json_pack("{s:s, s:s}", "secret", text, "uri", uri));
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(text, sizeof(text));
	OPENSSL_cleanse(uri, sizeof(uri));
}

static void totp_confirm(struct hf_call *c)
{
	int ret;

	if (!has_password(c))
		return;
	if (c->user.totp_on || !c->user.totp_len) {
		hf_call_fail(c, 409, "not_begun", "begin with a new second factor");
		return;
	}
	ret = hf_second_factor(c->a, &c->user, hf_call_text(c, "totp"));
	if (ret == -EKEYREJECTED) {
		hf_call_deny(c, 403, "wrong_credentials", 0, "these are not the six digits of now");
		return;
	}
	c->user.totp_on = true;
	if (!ret)
		ret = hf_db_user_save(c->a->db, &c->user);
	if (ret) {
		hf_call_broken(c, ret, "second factor");
		return;
	}
	hf_call_event(c, "totp.enabled", c->user.name, NULL);
	hf_call_ok(c, json_pack("{s:b}", "enabled", 1));
}

static void totp_remove(struct hf_call *c)
{
	int ret;

	if (!has_password(c))
		return;
	hf_totp_forget(&c->user);
	ret = hf_db_user_save(c->a->db, &c->user);
	if (ret) {
		hf_call_broken(c, ret, "second factor");
		return;
	}
	hf_call_event(c, "totp.removed", c->user.name, NULL);
	hf_call_ok(c, json_pack("{s:b}", "enabled", 0));
}

const struct hf_handler hf_self_handlers[] = {
	{ "version", version },
	{ "whoami", whoami },
	{ "session.list", session_list },
	{ "session.revoke", session_revoke },
	{ "token.create", token_create },
	{ "token.list", token_list },
	{ "token.revoke", token_revoke },
	{ "totp.begin", totp_begin },
	{ "totp.confirm", totp_confirm },
	{ "totp.remove", totp_remove },
	{ .op = NULL }
};
