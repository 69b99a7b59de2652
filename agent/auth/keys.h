/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The keys that sign tokens, in one file (0600, owner only). One signs; the
 * one before it is good for checking until its last token has expired.
 */
#ifndef HF_KEYS_H
#define HF_KEYS_H

#include "clock.h"
#include "jwt.h"

#define HF_KEYS_FILE	"signing-keys"
#define HF_KEYS		2

/* @k[0] signs. @until_s[1]: from then on (UTC seconds) the old one is not accepted. */
struct hf_keys {
	struct hf_jwt_key k[HF_KEYS];
	uint8_t seed[HF_KEYS][HF_JWT_SEED];
	int64_t until_s[HF_KEYS];
	size_t count;
};

/* Reads the file, or makes the first key if there is none. Return: 0, -errno and why. */
int hf_keys_open(struct hf_keys *ks, int dirfd, const struct hf_random *r, struct hf_err *e);
/* Nothing has changed if it fails. */
int hf_keys_rotate(struct hf_keys *ks, int dirfd, int64_t now_s, const struct hf_random *r,
		   struct hf_err *e);
/* How many are valid at @now_s: the first ones. */
size_t hf_keys_valid(const struct hf_keys *ks, int64_t now_s);
void hf_keys_clear(struct hf_keys *ks);

#endif /* HF_KEYS_H */
