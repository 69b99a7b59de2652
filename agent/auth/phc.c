// SPDX-License-Identifier: GPL-2.0
/*
 * PHC strings, read and written. The two functions that hash are OpenSSL's and
 * libargon2's; here is only the text, the limits and the pepper.
 *
 *   $argon2id$v=19$m=19456,t=2,p=1[,keyid=1a2b3c4d]$salt$hash
 *   $pbkdf2-sha256$i=600000,l=32[,keyid=1a2b3c4d]$salt$hash
 */
#include <argon2.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "b64.h"
#include "phc.h"

#define HF_PHC_SALT_MIN	8
#define HF_PHC_HASH_MIN	16

int hf_pepper_set(struct hf_pepper *p, const void *key, size_t len)
{
	uint8_t id[EVP_MAX_MD_SIZE];
	static const char say[] = "holdfast pepper id";

	if (len < HF_PEPPER_MIN)
		return -EINVAL;
	memset(p, 0, sizeof(*p));
	if (len > sizeof(p->key)) {
		if (!EVP_Digest(key, len, p->key, NULL, EVP_sha256(), NULL))
			return -EIO;
		p->len = 32;
	} else {
		memcpy(p->key, key, len);
		p->len = len;
	}
	if (!HMAC(EVP_sha256(), p->key, (int)p->len, (const uint8_t *)say, sizeof(say) - 1, id, NULL))
		return -EIO;
	snprintf(p->keyid, sizeof(p->keyid), "%02x%02x%02x%02x", id[0], id[1], id[2], id[3]);
	return 0;
}

/* --------------------------------------------------------------- reading */

/* Takes @word off the front. */
static bool take(const char **s, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*s, word, n))
		return false;
	*s += n;
	return true;
}

/* A decimal number without leading zeros, @min..@max. */
static bool take_number(const char **s, uint32_t min, uint32_t max, uint32_t *v)
{
	const char *p = *s;
	uint64_t n = 0;

	if (*p < '1' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (uint64_t)(*p - '0');
		if (n > max)
			return false;
	}
	if (n < min)
		return false;
	*v = (uint32_t)n;
	*s = p;
	return true;
}

static bool take_keyid(const char **s, char keyid[HF_PHC_KEYID])
{
	keyid[0] = '\0';
	if (!take(s, ",keyid="))
		return true;
	if (strspn(*s, "0123456789abcdef") != HF_PHC_KEYID - 1)
		return false;
	memcpy(keyid, *s, HF_PHC_KEYID - 1);
	keyid[HF_PHC_KEYID - 1] = '\0';
	*s += HF_PHC_KEYID - 1;
	return true;
}

/* Base64 up to @end, @min..HF_PHC_BYTES bytes. */
static bool take_bytes(const char **s, char end, size_t min, uint8_t *out, size_t *len)
{
	const char *p = strchr(*s, end);
	ssize_t n;

	if (!p)
		return false;
	n = hf_b64_decode(HF_B64_STD, *s, (size_t)(p - *s), out, HF_PHC_BYTES);
	if (n < (ssize_t)min)
		return false;
	*len = (size_t)n;
	*s = p;
	return true;
}

static bool take_cost(const char **s, struct hf_phc *p)
{
	uint32_t l;

	if (take(s, "$argon2id$v=19$m=")) {
		p->cost.kdf = HF_KDF_ARGON2ID;
		return take_number(s, 8, HF_PHC_KIB_MAX, &p->cost.kib) && take(s, ",t=") &&
		       take_number(s, 1, HF_PHC_KIB_PASSES_MAX / p->cost.kib, &p->cost.passes) &&
		       take(s, ",p=") && take_number(s, 1, HF_PHC_LANES_MAX, &p->lanes) &&
		       p->cost.kib >= 8 * p->lanes;
	}
	if (take(s, "$pbkdf2-sha256$i=")) {
		p->cost.kdf = HF_KDF_PBKDF2;
		return take_number(s, 1, HF_PHC_ITERATIONS_MAX, &p->cost.iterations) &&
		       (!take(s, ",l=") || take_number(s, HF_PHC_HASH, HF_PHC_HASH, &l));
	}
	return false;
}

int hf_phc_parse(const char *text, struct hf_phc *p, struct hf_err *e)
{
	const char *s = text;

	memset(p, 0, sizeof(*p));
	if (strnlen(text, HF_PHC_LEN) == HF_PHC_LEN)
		return hf_fail(e, -EINVAL, "password hash: longer than %d bytes", HF_PHC_LEN - 1);
	if (!take_cost(&s, p) || !take_keyid(&s, p->keyid) || !take(&s, "$"))
		return hf_fail(e, -EINVAL, "password hash: unknown kind or cost beyond the limits at byte %td",
			       s - text);
	if (!take_bytes(&s, '$', HF_PHC_SALT_MIN, p->salt, &p->salt_len) || !take(&s, "$") ||
	    !take_bytes(&s, '\0', HF_PHC_HASH_MIN, p->hash, &p->hash_len))
		return hf_fail(e, -EINVAL, "password hash: malformed at byte %td", s - text);
	return 0;
}

/* --------------------------------------------------------------- hashing */

static int argon2id(const struct hf_phc *p, const uint8_t *in, size_t len, uint8_t *out, size_t out_len)
{
	argon2_context c = {
		.out = out, .outlen = (uint32_t)out_len,
		.pwd = (uint8_t *)in, .pwdlen = (uint32_t)len,
		.salt = (uint8_t *)p->salt, .saltlen = (uint32_t)p->salt_len,
		.t_cost = p->cost.passes, .m_cost = p->cost.kib, .lanes = p->lanes,
		.threads = 1,	/* the number of threads is workers.c's to decide */
		.version = ARGON2_VERSION_13,
	};
	int ret = argon2id_ctx(&c);

	if (ret == ARGON2_MEMORY_ALLOCATION_ERROR)
		return -ENOMEM;
	return ret == ARGON2_OK ? 0 : -EIO;
}

static int pbkdf2(const struct hf_phc *p, const uint8_t *in, size_t len, uint8_t *out, size_t out_len)
{
	if (PKCS5_PBKDF2_HMAC((const char *)in, (int)len, p->salt, (int)p->salt_len,
			      (int)p->cost.iterations, EVP_sha256(), (int)out_len, out) != 1)
		return -EIO;
	return 0;
}

/* The hash of @password by kind, cost and salt of @p. */
static int derive(const struct hf_phc *p, const struct hf_pepper *pepper, const char *password,
		  size_t len, uint8_t *out, size_t out_len)
{
	uint8_t peppered[EVP_MAX_MD_SIZE];
	const uint8_t *in = (const uint8_t *)password;
	int ret;

	if (p->keyid[0]) {
		unsigned int n;

		if (!HMAC(EVP_sha256(), pepper->key, (int)pepper->len, in, len, peppered, &n))
			return -EIO;
		in = peppered;
		len = n;
	}
	ret = p->cost.kdf == HF_KDF_ARGON2ID ? argon2id(p, in, len, out, out_len) :
					       pbkdf2(p, in, len, out, out_len);
	OPENSSL_cleanse(peppered, sizeof(peppered));
	return ret;
}

int hf_phc_verify(const struct hf_phc *p, const struct hf_pepper *pepper, const char *password,
		  size_t len)
{
	uint8_t out[HF_PHC_BYTES];
	int ret;

	if (p->keyid[0] && (!pepper || strcmp(p->keyid, pepper->keyid)))
		return -ENOKEY;
	ret = derive(p, pepper, password, len, out, p->hash_len);
	if (!ret && CRYPTO_memcmp(out, p->hash, p->hash_len))
		ret = -EKEYREJECTED;
	OPENSSL_cleanse(out, sizeof(out));
	return ret;
}

static void print(const struct hf_phc *p, char out[HF_PHC_LEN])
{
	char salt[HF_B64_LEN(HF_PHC_BYTES)], hash[HF_B64_LEN(HF_PHC_BYTES)], key[32] = "";

	hf_b64_encode(HF_B64_STD, p->salt, p->salt_len, salt);
	hf_b64_encode(HF_B64_STD, p->hash, p->hash_len, hash);
	if (p->keyid[0])
		snprintf(key, sizeof(key), ",keyid=%s", p->keyid);
	if (p->cost.kdf == HF_KDF_ARGON2ID)
		snprintf(out, HF_PHC_LEN, "$argon2id$v=19$m=%" PRIu32 ",t=%" PRIu32 ",p=%" PRIu32 "%s$%s$%s",
			 p->cost.kib, p->cost.passes, p->lanes, key, salt, hash);
	else
		snprintf(out, HF_PHC_LEN, "$pbkdf2-sha256$i=%" PRIu32 ",l=%zu%s$%s$%s",
			 p->cost.iterations, p->hash_len, key, salt, hash);
	OPENSSL_cleanse(hash, sizeof(hash));
}

/* All of a hash but the hash. */
static struct hf_phc begun(const struct hf_phc_cost *cost, const struct hf_pepper *pepper,
			   const uint8_t *salt)
{
	struct hf_phc p = { .cost = *cost, .lanes = 1, .salt_len = HF_PHC_SALT, .hash_len = HF_PHC_HASH };

	memcpy(p.salt, salt, HF_PHC_SALT);
	if (pepper && pepper->len)
		memcpy(p.keyid, pepper->keyid, sizeof(p.keyid));
	return p;
}

int hf_phc_make(const struct hf_phc_cost *cost, const struct hf_pepper *pepper,
		const char *password, size_t len, const uint8_t *salt, char out[HF_PHC_LEN])
{
	struct hf_phc p = begun(cost, pepper, salt);
	int ret = derive(&p, pepper, password, len, p.hash, p.hash_len);

	if (!ret)
		print(&p, out);
	OPENSSL_cleanse(&p, sizeof(p));
	return ret;
}

void hf_phc_nobody(const struct hf_phc_cost *cost, const struct hf_pepper *pepper,
		   const uint8_t random[HF_PHC_SALT + HF_PHC_HASH], char out[HF_PHC_LEN])
{
	struct hf_phc p = begun(cost, pepper, random);

	memcpy(p.hash, random + HF_PHC_SALT, HF_PHC_HASH);
	print(&p, out);
}

bool hf_phc_stale(const struct hf_phc *p, const struct hf_phc_cost *cost,
		  const struct hf_pepper *pepper)
{
	if (p->cost.kdf != cost->kdf || p->hash_len != HF_PHC_HASH || p->salt_len < HF_PHC_SALT)
		return true;
	if (strcmp(p->keyid, pepper && pepper->len ? pepper->keyid : ""))
		return true;
	if (cost->kdf == HF_KDF_PBKDF2)
		return p->cost.iterations != cost->iterations;
	return p->cost.kib != cost->kib || p->cost.passes != cost->passes || p->lanes != 1;
}
