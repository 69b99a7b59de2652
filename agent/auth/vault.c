// SPDX-License-Identifier: GPL-2.0
/*
 * Secrets: kept, listed, removed, given to who is entitled. Names that begin
 * with "auth-" are our own; of those only the pepper may be set, once.
 */
#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>

#include "call.h"
#include "log.h"
#include "vault.h"

#define OURS	"auth-"
#define PEPPER	"auth-pepper"

static const struct {
	enum hf_proc proc;
	const char *prefix;
} entitlements[] = {
	{ HF_PROC_FRONT, "tls-" },
	{ HF_PROC_EXPORT, "export-" },
	{ HF_PROC_FLEET, "fleet-" },
};

bool hf_vault_entitled(enum hf_proc p, const char *name)
{
	for (size_t i = 0; i < sizeof(entitlements) / sizeof(entitlements[0]); i++)
		if (entitlements[i].proc == p &&
		    !strncmp(name, entitlements[i].prefix, strlen(entitlements[i].prefix)))
			return true;
	return false;
}

int hf_vault_answer(struct hf_auth *a, enum hf_proc p, const char *name, json_t **out)
{
	char value[HF_SECRET_VALUE_MAX];
	int n;

	if (!hf_vault_entitled(p, name)) {
		hf_log_sec(HF_LOG_WARN, "secret.refused", NULL, "%s asked for \"%s\"", hf_proc_name(p), name);
		*out = hf_error_json("not_entitled", "%s may not have \"%s\"", hf_proc_name(p), name);
		return 403;
	}
	n = hf_secrets_get(a->secrets, name, value, sizeof(value));
	if (n < 0) {
		*out = hf_error_json("not_found", "there is no secret \"%s\"", name);
		return 404;
	}
	*out = json_pack("{s:s#}", "value", value, (size_t)n);
	OPENSSL_cleanse(value, sizeof(value));
	if (*out)
		return 200;
	*out = hf_error_json("internal", "\"%s\" is not text", name);
	return 500;
}

static int take_pepper(struct hf_auth *a, struct hf_err *e)
{
	uint8_t value[HF_SECRET_VALUE_MAX];
	int n = hf_secrets_get(a->secrets, PEPPER, value, sizeof(value)), ret;

	if (n == -ENOENT) {
		/* Nobody whose hash has one could log in: better said at once. */
		if (hf_db_peppered(a->db) <= 0)
			return 0;
		return hf_fail(e, -ENOKEY, "secret " PEPPER " is missing, and password hashes need it");
	}
	ret = n < 0 ? n : hf_pepper_set(&a->pepper, value, (size_t)n);
	OPENSSL_cleanse(value, sizeof(value));
	return ret ? hf_fail(e, ret, "secret " PEPPER " is unfit") : 0;
}

/* The same failure as with @key alone, if @old does not open it either. */
static int open_with_old(struct hf_auth *a, const struct hf_master_key *key, const struct hf_master_key *old,
			 struct hf_err *e)
{
	struct hf_err other = { "" };
	int ret = hf_secrets_open(&a->secrets, a->dirfd, old, a->random, a->clock, &other);

	if (ret == -EBADMSG)
		return ret;
	if (ret) {
		*e = other;
		return ret;
	}
	ret = hf_secrets_rotate(a->secrets, key, false, e);
	if (ret)
		return ret;
	a->rekeyed = true;
	hf_log_sec(HF_LOG_NOTICE, "secret.rotate", NULL,
		   "secrets were under the old master key (%s) and are under the new one (%s) now",
		   hf_master_source_name(old->source), hf_master_source_name(key->source));
	return 0;
}

int hf_vault_open(struct hf_auth *a, const struct hf_master_key *key, const struct hf_master_key *old,
		  struct hf_err *e)
{
	int ret = hf_secrets_open(&a->secrets, a->dirfd, key, a->random, a->clock, e);

	if (!ret && old)
		hf_log_sec(HF_LOG_WARN, "secret.old_key", NULL,
			   "the old master key (%s) is not needed any more: remove it",
			   hf_master_source_name(old->source));
	else if (ret == -EBADMSG && old)
		ret = open_with_old(a, key, old, e);
	a->master_source = key->source;
	return ret ? ret : take_pepper(a, e);
}

static void on_recorded(void *arg, int status, const json_t *result)
{
	struct hf_auth *a = arg;

	(void)result;
	a->rekeyed = status >= 300;
}

void hf_vault_tick(struct hf_auth *a)
{
	if (!a->rekeyed || !a->durable)
		return;
	a->rekeyed = false;
	if (a->io.append(a->io.arg, NULL, &hf_actor_self, "secret.rotate", "", "event", "ok", 0,
			 json_pack("{s:s}", "master_key", hf_master_source_name(a->master_source)),
			 on_recorded, a))
		a->rekeyed = true;
}

/* ------------------------------------------------------------ operations */

static void secret_list(struct hf_call *c)
{
	json_t *list = hf_secrets_list(c->a->secrets);

	hf_call_ok(c, list ? json_pack("{s:o}", "secrets", list) : NULL);
}

static void answer(struct hf_call *c, int ret, const struct hf_err *e, const char *done)
{
	if (!ret)
		hf_call_ok(c, json_pack("{s:b}", done, 1));
	else if (ret == -ENOENT)
		hf_call_fail_more(c, 404, "not_found", "secret", 0, "there is no such secret");
	else if (ret == -EINVAL || ret == -ENOSPC)
		hf_call_fail(c, 409, "refused", "%s", e->text);
	else
		hf_call_broken(c, ret, "secret store");
}

static void set_pepper(struct hf_call *c, const char *value)
{
	struct hf_pepper p;
	struct hf_err e = { "" };
	int ret;

	if (c->a->pepper.len) {
		hf_call_fail(c, 409, "in_use", "there is a pepper: passwords that went through it need it");
		return;
	}
	ret = hf_pepper_set(&p, value, strlen(value));
	if (ret) {
		hf_call_fail_more(c, 400, "invalid", "value", 0, "a pepper has at least %d bytes", HF_PEPPER_MIN);
		return;
	}
	ret = hf_secrets_set(c->a->secrets, PEPPER, value, strlen(value), &e);
	if (!ret)
		c->a->pepper = p;
	OPENSSL_cleanse(&p, sizeof(p));
	answer(c, ret, &e, "set");
}

static void secret_set(struct hf_call *c)
{
	const char *name = hf_call_text(c, "secret"), *value = hf_call_text(c, "value");
	struct hf_err e = { "" };

	if (!strcmp(name, PEPPER)) {
		set_pepper(c, value);
		return;
	}
	if (!strncmp(name, OURS, strlen(OURS))) {
		hf_call_fail_more(c, 403, "reserved", "secret", 0, "names in \"" OURS "\" are the agent's own");
		return;
	}
	answer(c, hf_secrets_set(c->a->secrets, name, value, strlen(value), &e), &e, "set");
}

static void secret_remove(struct hf_call *c)
{
	const char *name = hf_call_text(c, "secret");
	struct hf_err e = { "" };

	/* Without them second factors and passwords would be worth nothing. */
	if (!strncmp(name, OURS, strlen(OURS))) {
		hf_call_fail_more(c, 403, "reserved", "secret", 0, "names in \"" OURS "\" are the agent's own");
		return;
	}
	answer(c, hf_secrets_remove(c->a->secrets, name, &e), &e, "removed");
}

static void secret_rotate(struct hf_call *c)
{
	struct hf_master_key key = { .source = HF_MASTER_FILE };
	struct hf_err e = { "" };
	int ret;

	if (c->a->master_source != HF_MASTER_FILE) {
		hf_call_fail(c, 409, "kept_elsewhere",
			     "the master key comes from %s: the new one and the old one are given there",
			     hf_master_source_name(c->a->master_source));
		return;
	}
	ret = hf_random_fill(c->a->random, key.bytes, sizeof(key.bytes));
	if (!ret)
		ret = hf_secrets_rotate(c->a->secrets, &key, true, &e);
	hf_master_wipe(&key);
	answer(c, ret, &e, "rotated");
}

const struct hf_handler hf_secret_handlers[] = {
	{ "secret.list", secret_list },
	{ "secret.set", secret_set },
	{ "secret.remove", secret_remove },
	{ "secret.rotate", secret_rotate },
	{ .op = NULL }
};
