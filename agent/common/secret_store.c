// SPDX-License-Identifier: GPL-2.0
/*
 * The encrypted store of secrets. In memory it stays encrypted; what is
 * decrypted lives in locked, undumpable pages for the length of one call.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "field.h"
#include "file.h"
#include "role.h"
#include "secret_store.h"

#define STORE "secrets"
#define COUNTER "secrets.counter"
#define KEY "master.key"
#define KEY_NEW "master.key.new"
#define MAGIC "HFSEC01\n"
#define PURPOSE "holdfast secrets v1"
#define NONCE_BYTES 12
#define TAG_BYTES 16
/* magic, counter, nonce; magic and counter are the associated data */
#define AAD_BYTES 16
#define HEAD_BYTES (AAD_BYTES + NONCE_BYTES)
/* of an entry: length of name, time, length of value */
#define ENTRY_HEAD (1 + 8 + 2)
#define ENTRY_MAX (ENTRY_HEAD + HF_NAME_LEN - 1 + HF_SECRET_VALUE_MAX)
#define PLAIN_MAX ((size_t)HF_SECRETS_MAX * ENTRY_MAX)
#define STORE_MAX (HEAD_BYTES + PLAIN_MAX + TAG_BYTES)

struct hf_secrets {
	int dirfd;
	struct hf_random random;
	struct hf_clock clock;
	uint64_t counter; /* of @sealed; 0: nothing was ever written */
	uint8_t *sealed; /* the file */
	size_t len;
	uint8_t key[HF_SECRET_KEY_BYTES]; /* derived; in this locked page */
};

/* Pages that are neither swapped nor dumped. */
struct vault {
	uint8_t *p;
	size_t size;
	size_t used;
};

static void *pages_new(size_t size, struct hf_err *e)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if (p == MAP_FAILED) {
		hf_fail(e, -ENOMEM, "no memory for secrets (%zu bytes)", size);
		return NULL;
	}
	if (mlock(p, size) || madvise(p, size, MADV_DONTDUMP)) {
		err = errno;
		munmap(p, size);
		hf_fail(e, -err, "cannot lock %zu bytes of memory (RLIMIT_MEMLOCK): %s", size,
			strerror(err));
		return NULL;
	}
	return p;
}

static void pages_free(void *p, size_t size)
{
	if (!p)
		return;
	OPENSSL_cleanse(p, size);
	munmap(p, size);
}

static int vault_new(struct vault *v, size_t size, struct hf_err *e)
{
	v->size = size ? size : 1;
	v->used = 0;
	v->p = pages_new(v->size, e);
	return v->p ? 0 : -ENOMEM;
}

static void vault_free(struct vault *v)
{
	pages_free(v->p, v->size);
	v->p = NULL;
}

/* ---------------------------------------------------------------- encryption */

static uint64_t counter_of(const uint8_t *file)
{
	uint64_t c;

	memcpy(&c, file + 8, sizeof(c));
	return le64toh(c);
}

/* @file: HEAD_BYTES + plain->used + TAG_BYTES, with the head filled in. */
static int seal(const uint8_t *key, const struct vault *plain, uint8_t *file)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n, ok;

	ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, file + AAD_BYTES) == 1 &&
	     EVP_EncryptUpdate(ctx, NULL, &n, file, AAD_BYTES) == 1 &&
	     EVP_EncryptUpdate(ctx, file + HEAD_BYTES, &n, plain->p, (int)plain->used) == 1 &&
	     EVP_EncryptFinal_ex(ctx, file + HEAD_BYTES + n, &n) == 1 &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES,
				 file + HEAD_BYTES + plain->used) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok ? 0 : -EIO;
}

/* @plain: room for the whole of it. */
static int unseal(const uint8_t *key, const uint8_t *file, size_t len, struct vault *plain)
{
	size_t n_plain = len - HEAD_BYTES - TAG_BYTES;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n, ok;

	ok = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, file + AAD_BYTES) == 1 &&
	     EVP_DecryptUpdate(ctx, NULL, &n, file, AAD_BYTES) == 1 &&
	     EVP_DecryptUpdate(ctx, plain->p, &n, file + HEAD_BYTES, (int)n_plain) == 1 &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES,
				 (void *)(file + HEAD_BYTES + n_plain)) == 1 &&
	     EVP_DecryptFinal_ex(ctx, plain->p + n, &n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	plain->used = ok ? n_plain : 0;
	return ok ? 0 : -EBADMSG;
}

/* ---------------------------------------------------------------- entries */

struct entry {
	char name[HF_NAME_LEN];
	uint64_t set_ns;
	const uint8_t *value;
	size_t len;
	size_t at, end; /* within the plain text */
};

/* The entry at @at. Return: 1, 0: no more, -EBADMSG. */
static int entry_next(const struct vault *v, size_t at, struct entry *e)
{
	size_t left = v->used - at, n;
	uint64_t ns;
	uint16_t len;

	if (!left)
		return 0;
	n = v->p[at];
	if (left < ENTRY_HEAD || !n || n >= HF_NAME_LEN || left - ENTRY_HEAD < n)
		return -EBADMSG;
	memcpy(e->name, v->p + at + 1, n);
	e->name[n] = '\0';
	memcpy(&ns, v->p + at + 1 + n, sizeof(ns));
	memcpy(&len, v->p + at + 1 + n + 8, sizeof(len));
	e->set_ns = le64toh(ns);
	e->len = le16toh(len);
	if (left - ENTRY_HEAD - n < e->len || e->len > HF_SECRET_VALUE_MAX || !hf_name_ok(e->name))
		return -EBADMSG;
	e->value = v->p + at + ENTRY_HEAD + n;
	e->at = at;
	e->end = at + ENTRY_HEAD + n + e->len;
	return 1;
}

static void entry_append(struct vault *v, const char *name, uint64_t set_ns, const void *value,
			 size_t len)
{
	uint8_t *p = v->p + v->used;
	size_t n = strlen(name);
	uint64_t ns = htole64(set_ns);
	uint16_t l = htole16((uint16_t)len);

	*p++ = (uint8_t)n;
	memcpy(p, name, n);
	memcpy(p + n, &ns, sizeof(ns));
	memcpy(p + n + 8, &l, sizeof(l));
	memcpy(p + n + 10, value, len);
	v->used += ENTRY_HEAD + n + len;
}

static int entries_check(const struct vault *v)
{
	struct entry e = { .end = 0 };
	unsigned int n = 0;
	int ret;

	while ((ret = entry_next(v, e.end, &e)) == 1)
		if (++n > HF_SECRETS_MAX)
			return -EBADMSG;
	return ret;
}

/* ---------------------------------------------------------------- the store */

static bool store_shaped(const uint8_t *data, size_t len)
{
	return len >= HEAD_BYTES + TAG_BYTES && len <= STORE_MAX && !memcmp(data, MAGIC, 8);
}

/* Decrypts into a new vault with @room bytes more than needed. */
static int store_plain(const uint8_t *key, const uint8_t *data, size_t len, size_t room,
		       struct vault *v, struct hf_err *e)
{
	int ret = vault_new(v, (len ? len - HEAD_BYTES - TAG_BYTES : 0) + room, e);

	if (ret || !len)
		return ret;
	ret = unseal(key, data, len, v);
	if (!ret)
		ret = entries_check(v);
	if (ret) {
		vault_free(v);
		hf_fail(e, ret, "%s: another master key, or the file was changed", STORE);
	}
	return ret;
}

static int counter_write(int dirfd, uint64_t counter, struct hf_err *e)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)counter);

	return hf_file_replace(dirfd, COUNTER, text, (size_t)n, 0600, e);
}

/* 0: there is none. */
static int counter_read(int dirfd, uint64_t *counter, struct hf_err *e)
{
	char *text = NULL, *end;
	size_t len;
	int ret = hf_file_read(dirfd, COUNTER, 24, &text, &len, e);

	*counter = 0;
	if (ret == -ENOENT)
		return 0;
	if (ret)
		return ret;
	errno = 0;
	*counter = strtoull(text, &end, 10);
	if (errno || end == text || strcmp(end, "\n"))
		ret = hf_fail(e, -EBADMSG, "%s: is no counter", COUNTER);
	free(text);
	return ret;
}

/* Encrypts @plain as the next version, with @key from now on: on disk first, then in memory. */
static int store_write(struct hf_secrets *s, const uint8_t *key, const struct vault *plain,
		       struct hf_err *e)
{
	size_t len = HEAD_BYTES + plain->used + TAG_BYTES;
	uint8_t *file = malloc(len);
	uint64_t counter = htole64(s->counter + 1);
	int ret;

	if (!file)
		return -ENOMEM;
	memcpy(file, MAGIC, 8);
	memcpy(file + 8, &counter, sizeof(counter));
	ret = hf_random_fill(&s->random, file + AAD_BYTES, NONCE_BYTES);
	if (!ret)
		ret = seal(key, plain, file);
	if (ret)
		hf_fail(e, ret, "%s: cannot be encrypted", STORE);
	else
		ret = hf_file_replace(s->dirfd, STORE, file, len, 0600, e);
	if (ret) {
		free(file);
		return ret;
	}
	free(s->sealed);
	s->sealed = file;
	s->len = len;
	s->counter++;
	memmove(s->key, key, sizeof(s->key));
	/* a counter that is behind is repaired when the store is opened the next time */
	return counter_write(s->dirfd, s->counter, e);
}

/* A rotation was cut off after the store was written: the new key stands beside the old one. */
static int rotation_finish(struct hf_secrets *s, struct hf_err *e)
{
	struct hf_master_key fresh = { .source = HF_MASTER_FILE };
	struct vault v;
	char *data = NULL;
	size_t len = 0;
	int ret = hf_file_read(s->dirfd, KEY_NEW, HF_SECRET_KEY_BYTES, &data, &len, NULL);

	if (!ret && len == HF_SECRET_KEY_BYTES) {
		memcpy(fresh.bytes, data, len);
		ret = hf_master_derive(&fresh, PURPOSE, s->key, sizeof(s->key));
	} else {
		ret = -ENOENT;
	}
	if (data)
		OPENSSL_cleanse(data, len);
	free(data);
	hf_master_wipe(&fresh);
	if (!ret)
		ret = store_plain(s->key, s->sealed, s->len, 0, &v, e);
	if (ret)
		return -EBADMSG;
	vault_free(&v);
	if (renameat(s->dirfd, KEY_NEW, s->dirfd, KEY) || fsync(s->dirfd))
		return hf_fail(e, -errno, "%s: %s", KEY_NEW, strerror(errno));
	return 0;
}

static int store_load(struct hf_secrets *s, const struct hf_master_key *key, struct hf_err *e)
{
	uint64_t known;
	struct vault v;
	char *data = NULL;
	int ret = counter_read(s->dirfd, &known, e);

	if (ret)
		return ret;
	ret = hf_file_read(s->dirfd, STORE, STORE_MAX, &data, &s->len, e);
	if (ret == -ENOENT && !known)
		return 0;
	if (ret == -ENOENT)
		return hf_fail(e, -ESTALE, "%s: is gone; version %llu was there", STORE,
			       (unsigned long long)known);
	if (ret)
		return ret;
	s->sealed = (uint8_t *)data;
	if (!store_shaped(s->sealed, s->len))
		return hf_fail(e, -EBADMSG, "%s: is no store of secrets", STORE);
	ret = store_plain(s->key, s->sealed, s->len, 0, &v, e);
	if (!ret)
		vault_free(&v);
	else if (ret == -EBADMSG && key->source == HF_MASTER_FILE)
		ret = rotation_finish(s, e);
	if (ret)
		return ret;
	s->counter = counter_of(s->sealed);
	if (s->counter < known)
		return hf_fail(e, -ESTALE,
			       "%s: version %llu has been put back; %llu was the newest", STORE,
			       (unsigned long long)s->counter, (unsigned long long)known);
	return s->counter > known ? counter_write(s->dirfd, s->counter, e) : 0;
}

int hf_secrets_open(struct hf_secrets **out, int dirfd, const struct hf_master_key *key,
		    const struct hf_random *random, const struct hf_clock *clock, struct hf_err *e)
{
	struct hf_secrets *s = pages_new(sizeof(*s), e);
	int ret;

	if (!s)
		return -ENOMEM;
	*s = (struct hf_secrets){ .dirfd = dirfd, .random = *random, .clock = *clock };
	ret = hf_master_derive(key, PURPOSE, s->key, sizeof(s->key));
	if (!ret)
		ret = store_load(s, key, e);
	if (ret) {
		hf_secrets_close(s);
		return ret;
	}
	*out = s;
	return 0;
}

void hf_secrets_close(struct hf_secrets *s)
{
	if (!s)
		return;
	free(s->sealed);
	pages_free(s, sizeof(*s));
}

/* The plain text without @name, and room for an entry. Return: 1: it was there, 0, -errno. */
static int plain_without(struct hf_secrets *s, const char *name, struct vault *v, struct hf_err *e)
{
	struct entry at = { .end = 0 };
	int ret = store_plain(s->key, s->sealed, s->len, ENTRY_MAX, v, e);

	if (ret)
		return ret;
	while (entry_next(v, at.end, &at) == 1) {
		if (strcmp(at.name, name))
			continue;
		memmove(v->p + at.at, v->p + at.end, v->used - at.end);
		v->used -= at.end - at.at;
		return 1;
	}
	return 0;
}

static unsigned int entries_count(const struct vault *v)
{
	struct entry at = { .end = 0 };
	unsigned int n = 0;

	while (entry_next(v, at.end, &at) == 1)
		n++;
	return n;
}

int hf_secrets_set(struct hf_secrets *s, const char *name, const void *value, size_t len,
		   struct hf_err *e)
{
	struct vault v;
	int ret;

	if (!hf_name_ok(name))
		return hf_fail(e, -EINVAL, "name: wanted: [a-z][a-z0-9_-]{0,31}");
	if (!len || len > HF_SECRET_VALUE_MAX)
		return hf_fail(e, -EINVAL, "value: %zu bytes; wanted: 1 to %d", len,
			       HF_SECRET_VALUE_MAX);
	ret = plain_without(s, name, &v, e);
	if (ret < 0)
		return ret;
	if (entries_count(&v) == HF_SECRETS_MAX) {
		ret = hf_fail(e, -ENOSPC, "there are %d secrets, and no room for more",
			      HF_SECRETS_MAX);
	} else {
		entry_append(&v, name, hf_real_ns(&s->clock), value, len);
		ret = store_write(s, s->key, &v, e);
	}
	vault_free(&v);
	return ret;
}

int hf_secrets_get(struct hf_secrets *s, const char *name, void *value, size_t max)
{
	struct entry at = { .end = 0 };
	struct vault v;
	int ret = store_plain(s->key, s->sealed, s->len, 0, &v, NULL);

	if (ret)
		return ret;
	ret = -ENOENT;
	while (ret == -ENOENT && entry_next(&v, at.end, &at) == 1) {
		if (strcmp(at.name, name))
			continue;
		ret = at.len > max ? -ENOBUFS : (int)at.len;
		if (ret > 0)
			memcpy(value, at.value, at.len);
	}
	vault_free(&v);
	return ret;
}

int hf_secrets_remove(struct hf_secrets *s, const char *name, struct hf_err *e)
{
	struct vault v;
	int ret = plain_without(s, name, &v, e);

	if (ret < 0)
		return ret;
	ret = ret ? store_write(s, s->key, &v, e) : hf_fail(e, -ENOENT, "there is no such secret");
	vault_free(&v);
	return ret;
}

json_t *hf_secrets_list(const struct hf_secrets *s)
{
	struct entry at = { .end = 0 };
	json_t *list = json_array();
	struct vault v;

	if (store_plain(s->key, s->sealed, s->len, 0, &v, NULL)) {
		json_decref(list);
		return NULL;
	}
	while (entry_next(&v, at.end, &at) == 1)
		json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "name", at.name, "set_ns",
						      (json_int_t)at.set_ns, "bytes",
						      (json_int_t)at.len));
	vault_free(&v);
	return list;
}

int hf_secrets_rotate(struct hf_secrets *s, const struct hf_master_key *key, bool file,
		      struct hf_err *e)
{
	uint8_t *fresh = pages_new(HF_SECRET_KEY_BYTES, e);
	struct vault v = { .p = NULL };
	int ret;

	if (!fresh)
		return -ENOMEM;
	ret = hf_master_derive(key, PURPOSE, fresh, HF_SECRET_KEY_BYTES);
	if (!ret)
		ret = store_plain(s->key, s->sealed, s->len, 0, &v, e);
	if (!ret && file)
		ret = hf_file_replace(s->dirfd, KEY_NEW, key->bytes, sizeof(key->bytes), 0600, e);
	if (!ret)
		ret = store_write(s, fresh, &v, e);
	if (!ret && file && (renameat(s->dirfd, KEY_NEW, s->dirfd, KEY) || fsync(s->dirfd)))
		ret = hf_fail(e, -errno, "%s: %s", KEY_NEW, strerror(errno));
	vault_free(&v);
	pages_free(fresh, HF_SECRET_KEY_BYTES);
	return ret;
}

int hf_secrets_verify(const void *data, size_t len, const struct hf_master_key *key,
		      uint64_t *counter, struct hf_err *e)
{
	uint8_t *derived;
	struct vault v;
	int ret;

	if (!store_shaped(data, len))
		return hf_fail(e, -EBADMSG, "is no store of secrets");
	derived = pages_new(HF_SECRET_KEY_BYTES, e);
	if (!derived)
		return -ENOMEM;
	ret = hf_master_derive(key, PURPOSE, derived, HF_SECRET_KEY_BYTES);
	if (!ret)
		ret = store_plain(derived, data, len, 0, &v, e);
	if (!ret) {
		vault_free(&v);
		if (counter)
			*counter = counter_of(data);
	}
	pages_free(derived, HF_SECRET_KEY_BYTES);
	return ret;
}
