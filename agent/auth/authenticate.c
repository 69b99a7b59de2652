// SPDX-License-Identifier: GPL-2.0
/*
 * From credentials to an actor. What a process may bring is decided by which
 * process it is: only local may say what the kernel told it about a peer.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "field.h"
#include "log.h"

static const char *const kinds[] = { "none", "cookie", "bearer", "peer", NULL };

static const struct hf_field cred_fields[] = {
	{ "kind", HF_F_ENUM, .flags = HF_FF_REQUIRED, .words = kinds },
	{ "secret", HF_F_STRING, .flags = HF_FF_SECRET, .min = 1, .max = HF_JWT_MAX },
	{ "uid", HF_F_INT, .min = 0, .max = UINT32_MAX - 1 },
	{ "gids", HF_F_INTS, .min = 0, .max = UINT32_MAX - 1 },
	{ "pid", HF_F_INT, .min = 0, .max = INT32_MAX },
	{ .name = NULL }
};

int hf_identify(struct hf_auth *a, uint32_t uid, const uint32_t *gids, size_t count,
		struct hf_identity *id, struct hf_user *u)
{
	int ret = hf_db_user_by_uid(a->db, uid, u);

	if (ret == -ENOENT) {
		memset(u, 0, sizeof(*u));
		hf_peers_identify(a->peers, uid, gids, count, id);
		return 0;
	}
	if (ret)
		return ret;
	memset(id, 0, sizeof(*id));
	memcpy(id->name, u->name, sizeof(id->name));
	memcpy(id->tenant, u->tenant, sizeof(id->tenant));
	/* Disabled is disabled, whatever the configuration says about the account. */
	id->role = u->disabled ? HF_ROLE_PUBLIC : u->role;
	return 0;
}

static void known(struct hf_call *c, enum hf_proof proof, const char *id)
{
	memcpy(c->actor.name, c->user.name, sizeof(c->actor.name));
	memcpy(c->actor.tenant, c->user.tenant, sizeof(c->actor.tenant));
	memcpy(c->actor.session, id, HF_ID);
	c->actor.role = c->user.role;
	c->actor.proof = proof;
}

static int by_peer(struct hf_call *c, const json_t *cred)
{
	uint32_t gids[HF_PEER_GROUPS];
	struct hf_identity id;
	const json_t *j;
	size_t i, n = 0;
	int ret;

	json_array_foreach(json_object_get(cred, "gids"), i, j)
		if (n < HF_PEER_GROUPS)
			gids[n++] = (uint32_t)json_integer_value(j);
	ret = hf_identify(c->a, c->actor.uid, gids, n, &id, &c->user);
	if (ret)
		return ret;
	memcpy(c->actor.name, id.name, sizeof(c->actor.name));
	memcpy(c->actor.tenant, id.tenant, sizeof(c->actor.tenant));
	c->actor.role = id.role;
	c->actor.proof = HF_PROOF_PEER;
	c->actor.stepped_up = c->actor.uid == 0;
	return 0;
}

static int by_cookie(struct hf_call *c, const char *secret)
{
	int ret = hf_session_find(c->a, secret, &c->session, &c->user);

	if (ret) {
		memset(&c->session, 0, sizeof(c->session));
		memset(&c->user, 0, sizeof(c->user));
		return ret == -ENOENT ? 0 : ret;
	}
	known(c, HF_PROOF_SESSION, c->session.id);
	c->actor.stepped_up = hf_session_stepped_up(c->a, &c->session);
	return 0;
}

static int by_bearer(struct hf_call *c, const char *secret)
{
	struct hf_token t;
	struct hf_err e;
	int ret = hf_token_find(c->a, secret, &t, &c->user, &e);

	if (ret) {
		hf_log_sec(HF_LOG_INFO, "token.refused", &c->corr, "from %s: %s", c->source, e.text);
		memset(&c->user, 0, sizeof(c->user));
		return ret == -ENOENT ? 0 : ret;
	}
	known(c, HF_PROOF_TOKEN, t.id);
	return 0;
}

/* The peer of a unix socket is known to the kernel, whatever else it brings. */
static void read_peer(struct hf_call *c, const json_t *cred, const char *src)
{
	const json_t *uid = json_object_get(cred, "uid");

	c->actor.uid = uid ? (uint32_t)json_integer_value(uid) : UINT32_MAX;
	c->actor.pid = (int32_t)json_integer_value(json_object_get(cred, "pid"));
	if (c->from == HF_PROC_LOCAL)
		snprintf(c->source, sizeof(c->source), "uid:%" PRIu32, c->actor.uid);
	else
		snprintf(c->source, sizeof(c->source), "%s", src);
	snprintf(c->actor.source, sizeof(c->actor.source), "%s", src);
}

int hf_authenticate(struct hf_call *c, const json_t *cred, const char *src, struct hf_err *e)
{
	int ret = hf_field_check(cred_fields, cred, NULL, e);
	const char *kind, *secret;
	bool asserts;

	if (ret)
		return ret;
	kind = json_string_value(json_object_get(cred, "kind"));
	secret = json_string_value(json_object_get(cred, "secret"));
	asserts = !strcmp(kind, "peer") || json_object_get(cred, "uid") || json_object_get(cred, "gids") ||
		  json_object_get(cred, "pid");
	c->actor.role = HF_ROLE_PUBLIC;
	c->actor.via = c->from == HF_PROC_LOCAL ? HF_VIA_LOCAL : HF_VIA_NETWORK;
	snprintf(c->actor.name, sizeof(c->actor.name), "public");
	read_peer(c, cred, src);
	if (asserts && c->from != HF_PROC_LOCAL)
		return hf_fail(e, -EPERM, "%s may not say who a peer is", hf_proc_name(c->from));
	if (!strcmp(kind, "none"))
		return 0;
	if (!strcmp(kind, "peer"))
		return json_object_get(cred, "uid") ? by_peer(c, cred) :
						      hf_fail(e, -EINVAL, "a peer without a uid");
	if (!secret)
		return hf_fail(e, -EINVAL, "%s without a secret", kind);
	return !strcmp(kind, "cookie") ? by_cookie(c, secret) : by_bearer(c, secret);
}
