// SPDX-License-Identifier: GPL-2.0
/*
 * The second factor of a user, encrypted in the user's row with a key that is
 * in the secret store.
 */
#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "call.h"
#include "policy.h"
#include "totp.h"

#define TOTP_KEY	"auth-totp"	/* in the secret store: made at the first need */
#define BOX_NONCE	12
#define BOX_TAG		16

static int box_key(struct hf_auth *a, uint8_t key[32])
{
	struct hf_err e;
	int n = hf_secrets_get(a->secrets, TOTP_KEY, key, 32);

	if (n == 32)
		return 0;
	if (n != -ENOENT)
		return n < 0 ? n : -EUCLEAN;
	n = hf_random_fill(a->random, key, 32);
	return n ? n : hf_secrets_set(a->secrets, TOTP_KEY, key, 32, &e);
}

/* AES-256-GCM; the user's name is bound to it, so that boxes cannot be swapped. */
static int crypt(bool seal, const uint8_t key[32], const struct hf_user *u, const uint8_t *nonce,
		 uint8_t *text, size_t len, uint8_t *tag)
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	int n, ok;

	if (!x)
		return -ENOMEM;
	ok = EVP_CipherInit_ex(x, EVP_aes_256_gcm(), NULL, key, nonce, seal) == 1 &&
	     EVP_CipherUpdate(x, NULL, &n, (const uint8_t *)u->name, (int)strlen(u->name)) == 1 &&
	     EVP_CipherUpdate(x, text, &n, text, (int)len) == 1 &&
	     (seal || EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_SET_TAG, BOX_TAG, tag) == 1) &&
	     EVP_CipherFinal_ex(x, text + n, &n) == 1 &&
	     (!seal || EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_GET_TAG, BOX_TAG, tag) == 1);
	EVP_CIPHER_CTX_free(x);
	return ok ? 0 : -EBADMSG;
}

int hf_totp_box(struct hf_auth *a, struct hf_user *u, const uint8_t *secret, size_t len)
{
	uint8_t key[32];
	int ret = box_key(a, key);

	if (!ret && BOX_NONCE + len + BOX_TAG > sizeof(u->totp))
		ret = -ENOSPC;
	if (!ret)
		ret = hf_random_fill(a->random, u->totp, BOX_NONCE);
	if (!ret) {
		memcpy(u->totp + BOX_NONCE, secret, len);
		ret = crypt(true, key, u, u->totp, u->totp + BOX_NONCE, len, u->totp + BOX_NONCE + len);
		u->totp_len = BOX_NONCE + len + BOX_TAG;
	}
	OPENSSL_cleanse(key, sizeof(key));
	return ret;
}

int hf_totp_unbox(struct hf_auth *a, const struct hf_user *u, uint8_t *secret, size_t len)
{
	uint8_t key[32], tag[BOX_TAG];
	int ret;

	if (u->totp_len != BOX_NONCE + len + BOX_TAG)
		return -EUCLEAN;
	ret = box_key(a, key);
	if (!ret) {
		memcpy(secret, u->totp + BOX_NONCE, len);
		memcpy(tag, u->totp + BOX_NONCE + len, BOX_TAG);
		ret = crypt(false, key, u, u->totp, secret, len, tag);
	}
	OPENSSL_cleanse(key, sizeof(key));
	return ret;
}

int hf_second_factor(struct hf_auth *a, struct hf_user *u, const char *code)
{
	uint8_t secret[HF_TOTP_SECRET];
	int ret = hf_totp_unbox(a, u, secret, sizeof(secret));

	if (!ret)
		ret = hf_totp_check(secret, sizeof(secret), code, hf_now_ns(a) / (int64_t)HF_S,
				    &u->totp_last_step);
	OPENSSL_cleanse(secret, sizeof(secret));
	return ret;
}

void hf_totp_forget(struct hf_user *u)
{
	OPENSSL_cleanse(u->totp, sizeof(u->totp));
	u->totp_len = 0;
	u->totp_on = false;
	u->totp_last_step = 0;
	u->must_change = u->must_change || u->needs_totp;
	u->needs_totp = false;
}

bool hf_must_enrol(const struct hf_auth *a, const struct hf_user *u)
{
	return a->cfg.totp_required && !u->totp_on &&
	       (u->role == HF_ROLE_OPERATOR || u->role == HF_ROLE_ADMIN);
}

bool hf_needs_totp(const struct hf_auth *a, const char *password)
{
	return hf_password_chars(password, strlen(password)) < a->cfg.password_min;
}
