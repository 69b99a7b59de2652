// SPDX-License-Identifier: GPL-2.0
/*
 * Tokens: header.payload.signature. Order of the checks: form, header (byte
 * for byte), signature, and only then the payload is looked into.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <jansson.h>
#include <openssl/crypto.h>

#include "b64.h"
#include "field.h"
#include "jwt.h"

#define SIG_BYTES	64

int hf_jwt_key_set(struct hf_jwt_key *k, const uint8_t seed[HF_JWT_SEED])
{
	uint8_t pub[32], sum[EVP_MAX_MD_SIZE];
	size_t len = sizeof(pub);
	char header[HF_JWT_HEADER];
	int n;

	memset(k, 0, sizeof(*k));
	k->key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, HF_JWT_SEED);
	if (!k->key || EVP_PKEY_get_raw_public_key(k->key, pub, &len) != 1 ||
	    !EVP_Digest(pub, len, sum, NULL, EVP_sha256(), NULL)) {
		hf_jwt_key_clear(k);
		return -EIO;
	}
	for (int i = 0; i < 8; i++)
		snprintf(k->kid + 2 * i, 3, "%02x", sum[i]);
	n = snprintf(header, sizeof(header), "{\"alg\":\"Ed25519\",\"kid\":\"%s\",\"typ\":\"holdfast+jwt\"}",
		     k->kid);
	_Static_assert(HF_B64_LEN(70) <= HF_JWT_HEADER, "the header fits");
	hf_b64_encode(HF_B64_URL, (uint8_t *)header, (size_t)n, k->header);
	return 0;
}

void hf_jwt_key_clear(struct hf_jwt_key *k)
{
	EVP_PKEY_free(k->key);	/* wipes it */
	OPENSSL_cleanse(k, sizeof(*k));
}

int hf_jwt_sign(const struct hf_jwt_key *k, const struct hf_jwt_claims *c, char *out)
{
	char text[512];
	uint8_t sig[SIG_BYTES];
	size_t n, len = sizeof(sig);
	EVP_MD_CTX *ctx;
	int ok;

	/* All members are ours or checked names: nothing needs an escape. */
	n = (size_t)snprintf(text, sizeof(text),
			     "{\"iss\":\"" HF_JWT_ISSUER "\",\"aud\":\"" HF_JWT_AUDIENCE "\",\"sub\":\"%s\","
			     "\"jti\":\"%s\",\"iat\":%" PRId64 ",\"nbf\":%" PRId64 ",\"exp\":%" PRId64 "}",
			     c->sub, c->jti, c->iat_s, c->nbf_s, c->exp_s);
	if (n >= sizeof(text))
		return -EIO;
	n = (size_t)sprintf(out, "%s.", k->header) + hf_b64_encode(HF_B64_URL, (uint8_t *)text, n,
								   out + strlen(k->header) + 1);
	ctx = EVP_MD_CTX_new();
	if (!ctx)
		return -ENOMEM;
	ok = EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->key) == 1 &&
	     EVP_DigestSign(ctx, sig, &len, (uint8_t *)out, n) == 1 && len == SIG_BYTES;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return -EIO;
	out[n++] = '.';
	hf_b64_encode(HF_B64_URL, sig, len, out + n);
	return 0;
}

/* ---------------------------------------------------------------- checks */

static const struct hf_jwt_key *key_of(const struct hf_jwt_key *keys, size_t count,
				       const char *header, size_t len)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(keys[i].header) == len && !memcmp(keys[i].header, header, len))
			return &keys[i];
	return NULL;
}

static bool signed_by(const struct hf_jwt_key *k, const char *text, size_t len, const uint8_t *sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->key) == 1 &&
		  EVP_DigestVerify(ctx, sig, SIG_BYTES, (const uint8_t *)text, len) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

static const char *const issuers[] = { HF_JWT_ISSUER, NULL };
static const char *const audiences[] = { HF_JWT_AUDIENCE, NULL };

/* Each required, none else: a token for something else has other members. */
static const struct hf_field payload_fields[] = {
	{ "iss", HF_F_ENUM, 0, HF_FF_REQUIRED, .words = issuers },
	{ "aud", HF_F_ENUM, 0, HF_FF_REQUIRED, .words = audiences },
	{ .name = "sub", .type = HF_F_NAME, .flags = HF_FF_REQUIRED },
	{ "jti", HF_F_HEX, 0, HF_FF_REQUIRED, .min = HF_JWT_ID - 1, .max = HF_JWT_ID - 1 },
	{ "iat", HF_F_INT, 0, HF_FF_REQUIRED, .min = 0, .max = INT64_MAX / 2 },
	{ "nbf", HF_F_INT, 0, HF_FF_REQUIRED, .min = 0, .max = INT64_MAX / 2 },
	{ "exp", HF_F_INT, 0, HF_FF_REQUIRED, .min = 0, .max = INT64_MAX / 2 },
	{ .name = NULL }
};

static int read_payload(const uint8_t *text, size_t len, struct hf_jwt_claims *c, struct hf_err *e)
{
	json_error_t why;
	json_t *j = json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, &why);
	int ret;

	if (!j)
		return hf_fail(e, -EINVAL, "token: payload, byte %d: %s", why.position, why.text);
	ret = hf_field_check(payload_fields, j, NULL, e);
	if (!ret) {
		snprintf(c->sub, sizeof(c->sub), "%s", json_string_value(json_object_get(j, "sub")));
		snprintf(c->jti, sizeof(c->jti), "%s", json_string_value(json_object_get(j, "jti")));
		c->iat_s = json_integer_value(json_object_get(j, "iat"));
		c->nbf_s = json_integer_value(json_object_get(j, "nbf"));
		c->exp_s = json_integer_value(json_object_get(j, "exp"));
	}
	json_decref(j);
	return ret;
}

static int check_times(const struct hf_jwt_claims *c, int64_t now_s, struct hf_err *e)
{
	if (c->exp_s - c->iat_s > HF_JWT_LIFE_MAX_S || c->exp_s <= c->nbf_s || c->nbf_s < c->iat_s)
		return hf_fail(e, -EINVAL, "token: life of %" PRId64 " s, at most %d are given",
			       c->exp_s - c->iat_s, HF_JWT_LIFE_MAX_S);
	if (now_s >= c->exp_s + HF_JWT_LEEWAY_S)
		return hf_fail(e, -EKEYEXPIRED, "token: expired %" PRId64 " s ago", now_s - c->exp_s);
	if (now_s < c->nbf_s - HF_JWT_LEEWAY_S)
		return hf_fail(e, -EKEYEXPIRED, "token: valid in %" PRId64 " s", c->nbf_s - now_s);
	return 0;
}

int hf_jwt_verify(const struct hf_jwt_key *keys, size_t count, const char *token, size_t len,
		  int64_t now_s, struct hf_jwt_claims *c, struct hf_err *e)
{
	uint8_t sig[SIG_BYTES], payload[HF_JWT_MAX];
	const char *dot1, *dot2;
	const struct hf_jwt_key *k;
	ssize_t n;
	int ret;

	if (len >= HF_JWT_MAX)
		return hf_fail(e, -EINVAL, "token: %zu bytes, at most %d", len, HF_JWT_MAX - 1);
	dot1 = memchr(token, '.', len);
	dot2 = dot1 ? memchr(dot1 + 1, '.', len - (size_t)(dot1 + 1 - token)) : NULL;
	if (!dot2)
		return hf_fail(e, -EINVAL, "token: not three parts");
	k = key_of(keys, count, token, (size_t)(dot1 - token));
	if (!k)
		return hf_fail(e, -EKEYREJECTED, "token: header of none of our keys");
	n = hf_b64_decode(HF_B64_URL, dot2 + 1, len - (size_t)(dot2 + 1 - token), sig, sizeof(sig));
	if (n != SIG_BYTES)
		return hf_fail(e, -EINVAL, "token: malformed signature");
	if (!signed_by(k, token, (size_t)(dot2 - token), sig))
		return hf_fail(e, -EKEYREJECTED, "token: wrong signature");
	n = hf_b64_decode(HF_B64_URL, dot1 + 1, (size_t)(dot2 - dot1 - 1), payload, sizeof(payload));
	if (n < 0)
		return hf_fail(e, -EINVAL, "token: malformed payload");
	ret = read_payload(payload, (size_t)n, c, e);
	return ret ? ret : check_times(c, now_s, e);
}
