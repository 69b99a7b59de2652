/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Password hashes as PHC strings: argon2id and PBKDF2-HMAC-SHA256. Many costs
 * are verified, the configured one is written. Pure: salt and password come in,
 * text goes out; no file, no clock, no thread, no policy about passwords.
 */
#ifndef HF_PHC_H
#define HF_PHC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum hf_kdf { HF_KDF_ARGON2ID, HF_KDF_PBKDF2 };

/*
 * What a string may ask of us at most: it comes out of a file, and a hostile
 * one must cost neither gigabytes nor minutes. The largest cost that the
 * configuration may ask for is below.
 */
#define HF_PHC_KIB_MAX		(1024 * 1024)		/* memory of one hash */
#define HF_PHC_KIB_PASSES_MAX	(4 * 1024 * 1024)	/* memory x passes: about 6 s */
#define HF_PHC_LANES_MAX	16
#define HF_PHC_ITERATIONS_MAX	10000000		/* about 6 s */

#define HF_PHC_SALT	16	/* bytes that are written */
#define HF_PHC_HASH	32
#define HF_PHC_BYTES	64	/* most that are read, of either */
#define HF_PHC_LEN	256	/* text and NUL */
#define HF_PHC_KEYID	9	/* 8 hex digits and NUL */
#define HF_PEPPER_MIN	16	/* bytes */

/* @iterations: PBKDF2. @kib, @passes: argon2id, always one lane. */
struct hf_phc_cost {
	enum hf_kdf kdf;
	uint32_t iterations;
	uint32_t kib;
	uint32_t passes;
};

/* A key that passwords go through before they are hashed; @len 0: none. */
struct hf_pepper {
	uint8_t key[64];
	size_t len;
	char keyid[HF_PHC_KEYID];
};

struct hf_phc {
	struct hf_phc_cost cost;
	uint32_t lanes;
	char keyid[HF_PHC_KEYID];	/* of the pepper, "": none */
	uint8_t salt[HF_PHC_BYTES];
	size_t salt_len;
	uint8_t hash[HF_PHC_BYTES];
	size_t hash_len;
};

/* Sets the key id, from the key. @key: any text; -EINVAL if too short; hashed down if too long. */
int hf_pepper_set(struct hf_pepper *p, const void *key, size_t len);

/* Refuses what it does not know to the byte, and costs beyond the limits above. Return: 0, -EINVAL. */
int hf_phc_parse(const char *text, struct hf_phc *p, struct hf_err *e);

/*
 * hf_phc_verify() - is this the password?
 * @pepper:	may be NULL
 *
 * Return: 0: yes; -EKEYREJECTED: no; -ENOKEY: it was made with another pepper;
 * -ENOMEM, -EIO: could not be computed.
 */
int hf_phc_verify(const struct hf_phc *p, const struct hf_pepper *pepper, const char *password,
		  size_t len);

/* @salt: HF_PHC_SALT random bytes. Return: 0, -ENOMEM, -EIO. */
int hf_phc_make(const struct hf_phc_cost *cost, const struct hf_pepper *pepper,
		const char *password, size_t len, const uint8_t *salt, char out[HF_PHC_LEN]);

/* As one of hf_phc_make(), and as dear to check, but of no password: @random stands for salt and hash. */
void hf_phc_nobody(const struct hf_phc_cost *cost, const struct hf_pepper *pepper,
		   const uint8_t random[HF_PHC_SALT + HF_PHC_HASH], char out[HF_PHC_LEN]);

/* Would hf_phc_make() write another kind, cost or pepper today? */
bool hf_phc_stale(const struct hf_phc *p, const struct hf_phc_cost *cost,
		  const struct hf_pepper *pepper);

#endif /* HF_PHC_H */
