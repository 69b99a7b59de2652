/* links: auth common lib */
// SPDX-License-Identifier: GPL-2.0
/*
 * Tokens: as they come, which nobody without the key can make (accepted: abort);
 * and any payload signed with the right key, to get behind the signature. What
 * is accepted there must say what a token of ours says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/b64.h"
#include "auth/jwt.h"

#define NOW	1800000000LL
#define BODY	2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void behind(const struct hf_jwt_key *k, const uint8_t *data, size_t size)
{
	struct hf_jwt_claims c;
	char token[HF_JWT_MAX];
	uint8_t sig[64];
	size_t n, len = sizeof(sig);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (size > BODY)
		size = BODY;
	strcpy(token, k->header);
	n = strlen(token);
	token[n++] = '.';
	n += hf_b64_encode(HF_B64_URL, data, size, token + n);
	if (!ctx || EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->key) != 1 ||
	    EVP_DigestSign(ctx, sig, &len, (uint8_t *)token, n) != 1)
		abort();
	EVP_MD_CTX_free(ctx);
	token[n++] = '.';
	n += hf_b64_encode(HF_B64_URL, sig, len, token + n);
	if (!hf_jwt_verify(k, 1, token, n, NOW, &c, NULL) &&
	    (!c.sub[0] || strlen(c.jti) != HF_JWT_ID - 1 || c.exp_s + HF_JWT_LEEWAY_S <= NOW ||
	     c.nbf_s - HF_JWT_LEEWAY_S > NOW || c.exp_s - c.iat_s > HF_JWT_LIFE_MAX_S))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[HF_JWT_SEED] = { 7 };
	static struct hf_jwt_key key;
	struct hf_jwt_claims c;

	if (!key.key && hf_jwt_key_set(&key, seed))
		abort();
	if (!hf_jwt_verify(&key, 1, (const char *)data, size, NOW, &c, NULL))
		abort();
	behind(&key, data, size);
	return 0;
}
