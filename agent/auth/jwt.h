/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Signed tokens (JWS, RFC 7515) with one algorithm, Ed25519, by the rules of
 * RFC 8725. The header of a token is not parsed: it is compared with the only
 * one that each of our keys may have. Pure: keys and time come in. Whether a
 * token was revoked, or its user disabled, is not known here (token.c).
 */
#ifndef HF_JWT_H
#define HF_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/evp.h>

#include "err.h"

#define HF_JWT_MAX	4096	/* bytes of a token */
#define HF_JWT_LEEWAY_S	30
#define HF_JWT_LIFE_MAX_S 900	/* no token lives longer, whatever it says */
#define HF_JWT_ISSUER	"holdfast"
#define HF_JWT_AUDIENCE	"holdfast-api"
#define HF_JWT_ID	33	/* 32 hex digits and NUL */
#define HF_JWT_KID	17	/* 16 hex digits and NUL */
#define HF_JWT_SUBJECT	33
#define HF_JWT_HEADER	96	/* encoded header and NUL */
#define HF_JWT_SEED	32	/* bytes of a private key */

/* One key. @header: the encoded header of each token that it signs. */
struct hf_jwt_key {
	char kid[HF_JWT_KID];
	char header[HF_JWT_HEADER];
	EVP_PKEY *key;
};

struct hf_jwt_claims {
	char sub[HF_JWT_SUBJECT];	/* user */
	char jti[HF_JWT_ID];
	int64_t iat_s, nbf_s, exp_s;
};

/* @kid and @header follow from the key. Return: 0, -EIO. */
int hf_jwt_key_set(struct hf_jwt_key *k, const uint8_t seed[HF_JWT_SEED]);
void hf_jwt_key_clear(struct hf_jwt_key *k);

/* @out: HF_JWT_MAX bytes. Return: 0, -EIO, -ENOMEM. */
int hf_jwt_sign(const struct hf_jwt_key *k, const struct hf_jwt_claims *c, char *out);

/*
 * hf_jwt_verify() - is it ours, unchanged, for us, and valid now?
 * @keys: @count:	those whose tokens are accepted
 *
 * Return: 0; -EINVAL: not a token of ours; -EKEYREJECTED: signed by none of the
 * keys; -EKEYEXPIRED: not valid yet or any more. @e says more, for the log: whoever
 * sent it is told nothing.
 */
int hf_jwt_verify(const struct hf_jwt_key *keys, size_t count, const char *token, size_t len,
		  int64_t now_s, struct hf_jwt_claims *c, struct hf_err *e);

#endif /* HF_JWT_H */
