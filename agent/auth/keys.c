// SPDX-License-Identifier: GPL-2.0
/*
 * The file of keys: { "keys": [ { "seed": 64 hex digits, "until_s": 0 }, ... ] },
 * the one that signs first. Written whole or not at all.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <openssl/crypto.h>

#include "field.h"
#include "file.h"
#include "keys.h"

#define FILE_MAX	4096

static const struct hf_field key_fields[] = {
	{ "seed", HF_F_HEX, 0, HF_FF_REQUIRED | HF_FF_SECRET, .min = 2 * HF_JWT_SEED, .max = 2 * HF_JWT_SEED },
	{ "until_s", HF_F_INT, 0, HF_FF_REQUIRED, .min = 0, .max = INT64_MAX },
	{ .name = NULL }
};
static const struct hf_field file_fields[] = {
	{ "keys", HF_F_ARRAY, 0, HF_FF_REQUIRED, .min = 1, .max = HF_KEYS, .sub = key_fields },
	{ .name = NULL }
};

static void from_hex(const char *hex, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned int v = 0;

		for (int k = 0; k < 2; k++) {
			char c = hex[2 * i + (size_t)k];

			v = v * 16 + (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
		}
		out[i] = (uint8_t)v;
	}
}

static int take(struct hf_keys *ks, const char *text, size_t len, struct hf_err *e)
{
	json_error_t why;
	json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why), *one;
	size_t i;
	int ret;

	if (!j)
		return hf_fail(e, -EINVAL, HF_KEYS_FILE ": line %d: not JSON", why.line);
	ret = hf_field_check(file_fields, j, NULL, e);
	if (ret)
		goto out;
	json_array_foreach(json_object_get(j, "keys"), i, one) {
		from_hex(json_string_value(json_object_get(one, "seed")), ks->seed[i], HF_JWT_SEED);
		ks->until_s[i] = json_integer_value(json_object_get(one, "until_s"));
		ret = hf_jwt_key_set(&ks->k[i], ks->seed[i]);
		if (ret) {
			hf_fail(e, ret, HF_KEYS_FILE ": key %zu: not an Ed25519 key", i);
			goto out;
		}
		ks->count = i + 1;
	}
out:
	json_decref(j);
	return ret;
}

static int save(const struct hf_keys *ks, int dirfd, struct hf_err *e)
{
	char text[512];
	size_t n;
	int ret;

	n = (size_t)snprintf(text, sizeof(text), "{\"keys\":[");
	for (size_t i = 0; i < ks->count; i++) {
		n += (size_t)sprintf(text + n, "%s{\"seed\":\"", i ? "," : "");
		for (size_t b = 0; b < HF_JWT_SEED; b++)
			n += (size_t)sprintf(text + n, "%02x", ks->seed[i][b]);
		n += (size_t)sprintf(text + n, "\",\"until_s\":%" PRId64 "}", ks->until_s[i]);
	}
	n += (size_t)sprintf(text + n, "]}\n");
	ret = hf_file_replace(dirfd, HF_KEYS_FILE, text, n, 0600, e);
	OPENSSL_cleanse(text, sizeof(text));
	return ret;
}

static int new_first(struct hf_keys *ks, int dirfd, const struct hf_random *r, struct hf_err *e)
{
	int ret = hf_random_fill(r, ks->seed[0], HF_JWT_SEED);

	if (ret)
		return hf_fail(e, ret, "no randomness for a new signing key");
	ret = hf_jwt_key_set(&ks->k[0], ks->seed[0]);
	if (ret)
		return hf_fail(e, ret, "no new signing key");
	ks->until_s[0] = 0;
	if (!ks->count)
		ks->count = 1;
	return save(ks, dirfd, e);
}

int hf_keys_open(struct hf_keys *ks, int dirfd, const struct hf_random *r, struct hf_err *e)
{
	char *text;
	size_t len;
	int ret;

	memset(ks, 0, sizeof(*ks));
	ret = hf_file_read(dirfd, HF_KEYS_FILE, FILE_MAX, &text, &len, e);
	if (ret == -ENOENT) {
		ret = new_first(ks, dirfd, r, e);
	} else if (!ret) {
		ret = take(ks, text, len, e);
		OPENSSL_cleanse(text, len);
		free(text);
	}
	if (ret)
		hf_keys_clear(ks);
	return ret;
}

int hf_keys_rotate(struct hf_keys *ks, int dirfd, int64_t now_s, const struct hf_random *r,
		   struct hf_err *e)
{
	struct hf_keys next = { .count = HF_KEYS };
	int ret;

	memcpy(next.seed[1], ks->seed[0], HF_JWT_SEED);
	next.until_s[1] = now_s + HF_JWT_LIFE_MAX_S + HF_JWT_LEEWAY_S;
	ret = hf_jwt_key_set(&next.k[1], next.seed[1]);
	if (!ret)
		ret = new_first(&next, dirfd, r, e);
	if (ret) {
		hf_keys_clear(&next);
		return ret;
	}
	hf_keys_clear(ks);
	*ks = next;
	OPENSSL_cleanse(next.seed, sizeof(next.seed));
	return 0;
}

size_t hf_keys_valid(const struct hf_keys *ks, int64_t now_s)
{
	return ks->count == HF_KEYS && now_s >= ks->until_s[1] ? 1 : ks->count;
}

void hf_keys_clear(struct hf_keys *ks)
{
	for (size_t i = 0; i < HF_KEYS; i++)
		hf_jwt_key_clear(&ks->k[i]);
	OPENSSL_cleanse(ks, sizeof(*ks));
}
