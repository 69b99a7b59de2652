// SPDX-License-Identifier: GPL-2.0
/*
 * Tokens: the vector of RFC 8037, and more than a thousand hostile ones, none
 * of which is accepted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "b64.h"
#include "check.h"
#include "jwt.h"

#define NOW	1800000000LL

/* RFC 8037, appendix A.1. */
static const uint8_t rfc_seed[HF_JWT_SEED] = {
	0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
	0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
};

static struct hf_jwt_key keys[2];
static unsigned int tried, accepted;

static void setup(void)
{
	uint8_t other[HF_JWT_SEED] = { 1, 2, 3 };

	cr_assert_eq(hf_jwt_key_set(&keys[0], rfc_seed), 0);
	cr_assert_eq(hf_jwt_key_set(&keys[1], other), 0);
}

static void teardown(void)
{
	hf_jwt_key_clear(&keys[0]);
	hf_jwt_key_clear(&keys[1]);
}

TestSuite(jwt, .init = setup, .fini = teardown, .timeout = 120);

static const struct hf_jwt_claims good = {
	.sub = "marianne", .jti = "00112233445566778899aabbccddeeff", .iat_s = NOW, .nbf_s = NOW, .exp_s = NOW + 600,
};

/* Only the first key is accepted, unless a test says otherwise. */
static int verify(const char *token, size_t len)
{
	struct hf_jwt_claims c;
	struct hf_err e;

	return hf_jwt_verify(keys, 1, token, len, NOW, &c, &e);
}

static void hostile(const char *token, size_t len, const char *what)
{
	tried++;
	if (!verify(token, len)) {
		accepted++;
		cr_expect(false, "accepted: %s: %.*s", what, (int)len, token);
	}
}

/* A JWS of any header and payload; @sign: with key 0, else 64 zero bytes. */
static void make(char *out, const char *header, const char *payload, bool sign)
{
	uint8_t sig[64] = { 0 };
	size_t n, len = sizeof(sig);

	n = hf_b64_encode(HF_B64_URL, (const uint8_t *)header, strlen(header), out);
	out[n++] = '.';
	n += hf_b64_encode(HF_B64_URL, (const uint8_t *)payload, strlen(payload), out + n);
	if (sign) {
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();

		cr_assert_eq(EVP_DigestSignInit(ctx, NULL, NULL, NULL, keys[0].key), 1);
		cr_assert_eq(EVP_DigestSign(ctx, sig, &len, (uint8_t *)out, n), 1);
		EVP_MD_CTX_free(ctx);
	}
	out[n++] = '.';
	hf_b64_encode(HF_B64_URL, sig, sizeof(sig), out + n);
}

/* The header that key 0 must have, and a payload that is good. */
static const char *header(void)
{
	static char h[128];

	snprintf(h, sizeof(h), "{\"alg\":\"Ed25519\",\"kid\":\"%s\",\"typ\":\"holdfast+jwt\"}", keys[0].kid);
	return h;
}

#define ISS "\"iss\":\"holdfast\""
#define AUD "\"aud\":\"holdfast-api\""
#define SUB "\"sub\":\"marianne\""
#define JTI "\"jti\":\"00112233445566778899aabbccddeeff\""
#define IAT "\"iat\":1800000000"
#define NBF "\"nbf\":1800000000"
#define EXP "\"exp\":1800000600"

/* The same signature and header form as in RFC 8037 A.4 proves that the key and the encoding are right. */
Test(jwt, rfc8037_key_and_signature)
{
	static const char signing[] = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
	static const char want[] = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
	uint8_t pub[32], sig[64];
	size_t len = sizeof(pub), n = sizeof(sig);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	char text[96];

	EVP_PKEY_get_raw_public_key(keys[0].key, pub, &len);
	hf_b64_encode(HF_B64_URL, pub, 32, text);
	cr_assert_str_eq(text, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
	cr_assert_eq(EVP_DigestSignInit(ctx, NULL, NULL, NULL, keys[0].key), 1);
	cr_assert_eq(EVP_DigestSign(ctx, sig, &n, (const uint8_t *)signing, strlen(signing)), 1);
	EVP_MD_CTX_free(ctx);
	hf_b64_encode(HF_B64_URL, sig, n, text);
	cr_assert_str_eq(text, want);
	hostile("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
		"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg", 149,
		"the token of RFC 8037");
}

Test(jwt, what_is_signed_is_accepted)
{
	struct hf_jwt_claims c;
	char token[HF_JWT_MAX], mine[HF_JWT_MAX];
	struct hf_err e;

	cr_assert_eq(hf_jwt_sign(&keys[0], &good, token), 0);
	cr_assert_eq(hf_jwt_verify(keys, 2, token, strlen(token), NOW, &c, &e), 0, "%s", e.text);
	cr_assert_str_eq(c.sub, good.sub);
	cr_assert_str_eq(c.jti, good.jti);
	cr_assert_eq(c.exp_s, good.exp_s);
	cr_assert_eq(hf_jwt_verify(keys + 1, 1, token, strlen(token), NOW, &c, &e), -EKEYREJECTED);
	cr_assert_eq(hf_jwt_verify(keys, 0, token, strlen(token), NOW, &c, &e), -EKEYREJECTED);
	cr_assert_eq(hf_jwt_sign(&keys[1], &good, token), 0);
	cr_assert_eq(hf_jwt_verify(keys, 2, token, strlen(token), NOW, &c, &e), 0, "the older key");
	/* the tests' own maker makes good ones too, else the hostile ones would be refused for nothing */
	make(mine, header(), "{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF "," EXP "}", true);
	cr_assert_eq(verify(mine, strlen(mine)), 0);
	make(mine, header(), " {" EXP "," ISS "," AUD ", " SUB "," JTI "," IAT "," NBF "}", true);
	cr_assert_eq(verify(mine, strlen(mine)), 0, "any order of the payload, signed by us");
}

Test(jwt, times_on_the_edge)
{
	struct hf_jwt_claims c;
	char token[HF_JWT_MAX];
	struct hf_err e;

	cr_assert_eq(hf_jwt_sign(&keys[0], &good, token), 0);
	cr_assert_eq(hf_jwt_verify(keys, 1, token, strlen(token), NOW + 600 + 29, &c, &e), 0);
	cr_assert_eq(hf_jwt_verify(keys, 1, token, strlen(token), NOW + 600 + 30, &c, &e), -EKEYEXPIRED);
	cr_assert_eq(hf_jwt_verify(keys, 1, token, strlen(token), NOW - 30, &c, &e), 0);
	cr_assert_eq(hf_jwt_verify(keys, 1, token, strlen(token), NOW - 31, &c, &e), -EKEYEXPIRED);
}

static void cut_and_flip(void)
{
	char token[HF_JWT_MAX], bad[HF_JWT_MAX];
	size_t len;

	cr_assert_eq(hf_jwt_sign(&keys[0], &good, token), 0);
	len = strlen(token);
	for (size_t n = 0; n < len; n++)
		hostile(token, n, "cut");
	for (size_t i = 0; i < len; i++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(bad, token, len + 1);
			bad[i] ^= (char)(1 << bit);
			hostile(bad, len, "flipped");
		}
	/* Another letter of the same alphabet in each place: only the signature can tell. */
	for (size_t i = 0; i < len; i++) {
		memcpy(bad, token, len + 1);
		bad[i] = bad[i] == 'A' ? 'B' : 'A';
		if (token[i] != '.')
			hostile(bad, len, "another letter");
	}
	snprintf(bad, sizeof(bad), "%s=", token);
	hostile(bad, len + 1, "padded");
	snprintf(bad, sizeof(bad), "%s.", token);
	hostile(bad, len + 1, "four parts");
	snprintf(bad, sizeof(bad), " %s", token);
	hostile(bad, len + 1, "space before");
	snprintf(bad, sizeof(bad), "%s\n", token);
	hostile(bad, len + 1, "newline behind");
	hostile(token, len + 1, "NUL behind");
	memset(bad, 'A', sizeof(bad));
	hostile(bad, sizeof(bad), "oversize");
	memcpy(bad, token, len);
	hostile(bad, sizeof(bad), "oversize with a good beginning");
}

/* The last letter of the signature carries 4 bits that mean nothing: one text only. */
static void trailing_bits(void)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char token[HF_JWT_MAX];
	size_t len;
	char last;

	cr_assert_eq(hf_jwt_sign(&keys[0], &good, token), 0);
	len = strlen(token);
	last = token[len - 1];
	for (size_t i = 0; i < 64; i++) {
		token[len - 1] = letters[i];
		if (letters[i] != last)
			hostile(token, len, "trailing bits");
	}
}

/* @form with the key's id for '@'. */
static void with_kid(char h[256], const char *form)
{
	const char *at = strchr(form, '@');

	if (at)
		snprintf(h, 256, "%.*s%s%s", (int)(at - form), form, keys[0].kid, at + 1);
	else
		strcpy(h, form);
}

static void headers(void)
{
	static const char *const algs[] = { "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256",
					    "ES256", "PS256", "EdDSA", "ed25519", "Ed448", "ED25519", "Ed25519 " };
	static const char *const types[] = { "JWT", "jwt", "at+jwt", "holdfast+JWT", "application/holdfast+jwt",
					     "pa-session+jwt", "" };
	const char *payload = "{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF "," EXP "}";
	static const char *const forms[] = {
		"{\"typ\":\"holdfast+jwt\",\"alg\":\"Ed25519\",\"kid\":\"@\"}",
		"{ \"alg\":\"Ed25519\",\"kid\":\"@\",\"typ\":\"holdfast+jwt\"}",
		"{\"alg\":\"Ed25519\",\"kid\":\"@\",\"typ\":\"holdfast+jwt\"} ",
		"{\"alg\":\"Ed25519\",\"kid\":\"@\"}",
		"{\"alg\":\"Ed25519\",\"kid\":\"@\",\"typ\":\"holdfast+jwt\",\"crit\":[\"exp\"]}",
		"{\"alg\":\"Ed25519\",\"kid\":\"@\",\"typ\":\"holdfast+jwt\",\"jku\":\"https://a.example/k\"}",
		"{\"alg\":\"Ed25519\",\"kid\":\"@\",\"typ\":\"holdfast+jwt\",\"x5u\":\"https://a.example/k\"}",
		"{\"alg\":\"Ed25519\",\"kid\":\"@\",\"typ\":\"holdfast+jwt\",\"jwk\":{}}",
		"{\"alg\":\"Ed25519\",\"kid\":\"@\",\"typ\":\"holdfast+jwt\",\"typ\":\"holdfast+jwt\"}",
		"{\"alg\":\"none\",\"alg\":\"Ed25519\",\"kid\":\"@\",\"typ\":\"holdfast+jwt\"}",
		"{\"alg\":[\"Ed25519\"],\"kid\":\"@\",\"typ\":\"holdfast+jwt\"}",
		"{\"alg\":\"Ed25519\",\"kid\":\"../@\",\"typ\":\"holdfast+jwt\"}",
		"{\"\\u0061lg\":\"Ed25519\",\"kid\":\"@\",\"typ\":\"holdfast+jwt\"}",
		"{\"alg\":\"Ed25519\",\"kid\":\"@\",\"typ\":\"holdfast+jwt\",\"b64\":false}", "@", "",
	};
	char h[256], token[HF_JWT_MAX];

	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++)
		for (int sign = 0; sign < 2; sign++) {
			snprintf(h, sizeof(h), "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"holdfast+jwt\"}", algs[i],
				 keys[0].kid);
			make(token, h, payload, sign);
			hostile(token, strlen(token), algs[i]);
			*strrchr(token, '.') = '\0';
			strcat(token, ".");
			hostile(token, strlen(token), "without a signature");
		}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		snprintf(h, sizeof(h), "{\"alg\":\"Ed25519\",\"kid\":\"%s\",\"typ\":\"%s\"}", keys[0].kid, types[i]);
		make(token, h, payload, true);
		hostile(token, strlen(token), types[i]);
	}
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		with_kid(h, forms[i]);
		make(token, h, payload, true);
		hostile(token, strlen(token), forms[i]);
	}
	/* of a key that is not in the set, but signed by one that is */
	snprintf(h, sizeof(h), "{\"alg\":\"Ed25519\",\"kid\":\"%s\",\"typ\":\"holdfast+jwt\"}", keys[1].kid);
	make(token, h, payload, true);
	hostile(token, strlen(token), "another key's id");
	make(token, header(), payload, false);
	hostile(token, strlen(token), "a signature of zeros");
}

/* HS256 with what everybody knows: the public key, in each form it is written. */
static void public_key_as_secret(void)
{
	const char *payload = "{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF "," EXP "}";
	static const char *const algs[] = { "HS256", "Ed25519" };
	uint8_t pub[32], mac[64] = { 0 };
	char h[256], token[HF_JWT_MAX], text[96];
	size_t len = sizeof(pub);

	EVP_PKEY_get_raw_public_key(keys[0].key, pub, &len);
	hf_b64_encode(HF_B64_URL, pub, 32, text);
	for (size_t a = 0; a < 2; a++)
		for (int form = 0; form < 3; form++) {
			const void *key = form == 0 ? (const void *)pub : form == 1 ? (const void *)text : "";
			size_t n = form == 0 ? 32 : strlen(key);
			unsigned int got;
			char *dot;

			snprintf(h, sizeof(h), "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"holdfast+jwt\"}", algs[a],
				 keys[0].kid);
			make(token, h, payload, false);
			dot = strrchr(token, '.');
			HMAC(EVP_sha256(), key, (int)n, (uint8_t *)token, (size_t)(dot - token), mac, &got);
			hf_b64_encode(HF_B64_URL, mac, 32, dot + 1);
			hostile(token, strlen(token), "HMAC with the public key");
			hf_b64_encode(HF_B64_URL, mac, 64, dot + 1);
			hostile(token, strlen(token), "HMAC with the public key, as long as a signature");
		}
}

/* Signed by our own key: a bug elsewhere that signs too much must not be enough. */
static void payloads(void)
{
	static const char *const bodies[] = {
		"", "null", "[]", "{}", "1", "\"x\"", "{" ISS "}",
		"{" AUD "," SUB "," JTI "," IAT "," NBF "," EXP "}", "{" ISS "," SUB "," JTI "," IAT "," NBF "," EXP "}",
		"{" ISS "," AUD "," JTI "," IAT "," NBF "," EXP "}", "{" ISS "," AUD "," SUB "," IAT "," NBF "," EXP "}",
		"{" ISS "," AUD "," SUB "," JTI "," NBF "," EXP "}", "{" ISS "," AUD "," SUB "," JTI "," IAT "," EXP "}",
		"{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF "}",
		"{\"iss\":\"other\"," AUD "," SUB "," JTI "," IAT "," NBF "," EXP "}",
		"{" ISS ",\"aud\":\"holdfast-app\"," SUB "," JTI "," IAT "," NBF "," EXP "}",
		"{" ISS ",\"aud\":[\"holdfast-api\"]," SUB "," JTI "," IAT "," NBF "," EXP "}",
		"{" ISS "," AUD ",\"sub\":\"\"," JTI "," IAT "," NBF "," EXP "}",
		"{" ISS "," AUD ",\"sub\":\"Marianne\"," JTI "," IAT "," NBF "," EXP "}",
		"{" ISS "," AUD ",\"sub\":\"a' OR 1=1\"," JTI "," IAT "," NBF "," EXP "}",
		"{" ISS "," AUD ",\"sub\":\"marianne\\u0000\"," JTI "," IAT "," NBF "," EXP "}",
		"{" ISS "," AUD ",\"sub\":1," JTI "," IAT "," NBF "," EXP "}",
		"{" ISS "," AUD "," SUB ",\"jti\":\"00\"," IAT "," NBF "," EXP "}",
		"{" ISS "," AUD "," SUB ",\"jti\":\"00112233445566778899AABBCCDDEEFF\"," IAT "," NBF "," EXP "}",
		"{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF ",\"exp\":\"1800000600\"}",
		"{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF ",\"exp\":1800000600.0}",
		"{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF ",\"exp\":1.8e9}",
		"{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF ",\"exp\":-1}",
		"{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF ",\"exp\":null}",
		"{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF ",\"exp\":9223372036854775807}",
		"{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF ",\"exp\":9223372036854775808}",
		"{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF ",\"exp\":1800000901}",	/* lives too long */
		"{" ISS "," AUD "," SUB "," JTI ",\"iat\":1799990000,\"nbf\":1799990000," EXP "}",
		"{" ISS "," AUD "," SUB "," JTI "," IAT ",\"nbf\":1800000100," EXP "}",	/* not yet */
		"{" ISS "," AUD "," SUB "," JTI "," IAT ",\"nbf\":1799999999," EXP "}",	/* before it was made */
		"{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF ",\"exp\":1800000000}",
		"{" ISS "," AUD "," SUB "," JTI ",\"iat\":1799999000,\"nbf\":1799999000,\"exp\":1799999600}",
		"{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF "," EXP ",\"role\":\"admin\"}",
		"{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF "," EXP "," EXP "}",
		"{" ISS "," AUD "," SUB ",\"sub\":\"root\"," JTI "," IAT "," NBF "," EXP "}",
		"{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF "," EXP "} x",
		"{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF "," EXP "",
		"{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF "," EXP ",}",
		"\xef\xbb\xbf{" ISS "," AUD "," SUB "," JTI "," IAT "," NBF "," EXP "}",
		"{" ISS "," AUD ",\"sub\":\"\xff\xfe\"," JTI "," IAT "," NBF "," EXP "}",
	};
	char token[HF_JWT_MAX], deep[2000];

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		make(token, header(), bodies[i], true);
		hostile(token, strlen(token), bodies[i]);
	}
	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	make(token, header(), deep, true);
	hostile(token, strlen(token), "nested deeply");
}

static void noise(void)
{
	uint64_t seed = check_seed();
	char token[600];

	for (int i = 0; i < 2000; i++) {
		size_t n = check_random(&seed) % sizeof(token);

		for (size_t k = 0; k < n; k++)
			token[k] = (char)check_random(&seed);
		hostile(token, n, "noise");
	}
}

Test(jwt, no_hostile_one_is_accepted)
{
	cut_and_flip();
	trailing_bits();
	headers();
	public_key_as_secret();
	payloads();
	noise();
	cr_assert_geq(tried, 1000);
	cr_assert_eq(accepted, 0, "%u of %u", accepted, tried);
	cr_log_info("%u hostile tokens, %u accepted", tried, accepted);
}
