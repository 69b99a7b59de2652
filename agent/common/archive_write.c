// SPDX-License-Identifier: GPL-2.0
/*
 * Writing a backup's archive. In pieces, so that the caller decides how long
 * one step lasts; durable in pieces as well, so that no fsync lasts long.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "archive_tar.h"

#define SYNC_BYTES (8U << 20)

int hf_archive_name_ok(const char *name)
{
	static const char *const folders[] = { "config/", "auth/", "audit/", "keeper/" };
	static const char good[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	if (strlen(name) >= HF_ARCHIVE_NAME)
		return 0;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		const char *file = name + strlen(folders[i]);

		if (!strncmp(name, folders[i], strlen(folders[i])))
			return *file && *file != '.' && strspn(file, good) == strlen(file);
	}
	return 0;
}

void hf_tar_header(uint8_t *block, const char *name, uint64_t size, uint64_t t_s)
{
	char *b = (char *)block;
	unsigned int sum = 0;

	memset(block, 0, TAR_BLOCK);
	memcpy(b, name, strlen(name));
	memcpy(b + 100, "0000600", 8); /* mode */
	memcpy(b + 108, "0000000", 8); /* uid */
	memcpy(b + 116, "0000000", 8); /* gid */
	snprintf(b + 124, 13, "%011llo ", size & 077777777777ULL);
	snprintf(b + 136, 13, "%011llo ", t_s & 077777777777ULL);
	memset(b + 148, ' ', 8); /* check sum: as spaces while it is computed */
	b[156] = '0'; /* a regular file */
	memcpy(b + 257, "ustar\00000", 8);
	for (int i = 0; i < TAR_BLOCK; i++)
		sum += block[i];
	snprintf(b + 148, 8, "%06o", sum);
	b[155] = ' ';
}

static int put(struct hf_archive_writer *w, const void *data, size_t len, struct hf_err *e)
{
	const uint8_t *p = data;

	if (EVP_DigestUpdate(w->whole, data, len) != 1)
		return hf_fail(e, -EIO, "archive: cannot be hashed");
	while (len) {
		ssize_t n = write(w->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return hf_fail(e, n ? -errno : -EIO, "archive: %s",
				       strerror(n ? errno : EIO));
		p += n;
		len -= (size_t)n;
		w->unsynced += (uint64_t)n;
	}
	if (w->unsynced < SYNC_BYTES)
		return 0;
	w->unsynced = 0;
	return fdatasync(w->fd) ? hf_fail(e, -errno, "archive: %s", strerror(errno)) : 0;
}

int hf_archive_begin(struct hf_archive_writer *w, int fd, uint64_t t_s)
{
	*w = (struct hf_archive_writer){
		.fd = fd, .t_s = t_s, .hash = EVP_MD_CTX_new(), .members = json_array()
	};
	w->whole = EVP_MD_CTX_new();
	if (!w->hash || !w->whole || !w->members ||
	    EVP_DigestInit_ex(w->whole, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	return 0;
}

void hf_archive_free(struct hf_archive_writer *w)
{
	EVP_MD_CTX_free(w->hash);
	EVP_MD_CTX_free(w->whole);
	json_decref(w->members);
	*w = (struct hf_archive_writer){ .fd = -1 };
}

static int member_end(struct hf_archive_writer *w, struct hf_err *e)
{
	uint8_t digest[SHA256_DIGEST_LENGTH], zeros[TAR_BLOCK] = { 0 };
	char hex[2 * SHA256_DIGEST_LENGTH + 1];

	if (EVP_DigestFinal_ex(w->hash, digest, NULL) != 1)
		return hf_fail(e, -EIO, "%s: cannot be hashed", w->name);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	if (json_array_append_new(w->members, json_pack("{s:s, s:I, s:s}", "name", w->name, "size",
							(json_int_t)w->size, "sha256", hex)))
		return -ENOMEM;
	return put(w, zeros, hf_tar_padding(w->size), e);
}

static int member_begin(struct hf_archive_writer *w, const char *name, uint64_t size,
			struct hf_err *e)
{
	uint8_t block[TAR_BLOCK];

	snprintf(w->name, sizeof(w->name), "%s", name);
	w->size = w->left = size;
	hf_tar_header(block, name, size, w->t_s);
	if (EVP_DigestInit_ex(w->hash, EVP_sha256(), NULL) != 1)
		return hf_fail(e, -EIO, "%s: cannot be hashed", name);
	return put(w, block, sizeof(block), e);
}

int hf_archive_member(struct hf_archive_writer *w, const char *name, uint64_t size,
		      struct hf_err *e)
{
	int ret;

	if (!hf_archive_name_ok(name))
		return hf_fail(e, -EINVAL, "\"%s\": no name for a backup", name);
	if (size >= HF_ARCHIVE_MEMBER_MAX || w->total + size > HF_ARCHIVE_TOTAL_MAX)
		return hf_fail(e, -EFBIG, "%s: %llu bytes are too many", name,
			       (unsigned long long)size);
	if (json_array_size(w->members) == HF_ARCHIVE_MEMBERS)
		return hf_fail(e, -EFBIG, "more than %d files", HF_ARCHIVE_MEMBERS);
	w->total += size;
	ret = member_begin(w, name, size, e);
	return ret || size ? ret : member_end(w, e);
}

int hf_archive_data(struct hf_archive_writer *w, const void *data, size_t len, struct hf_err *e)
{
	int ret;

	if (len > w->left)
		return hf_fail(e, -EINVAL, "%s: more than was announced", w->name);
	if (EVP_DigestUpdate(w->hash, data, len) != 1)
		return hf_fail(e, -EIO, "%s: cannot be hashed", w->name);
	ret = put(w, data, len, e);
	w->left -= len;
	return ret || w->left ? ret : member_end(w, e);
}

/* Manifest and signature are members, too, but not in the manifest. */
static int extra(struct hf_archive_writer *w, const char *name, const void *data, size_t len,
		 struct hf_err *e)
{
	uint8_t zeros[TAR_BLOCK] = { 0 };
	int ret = member_begin(w, name, len, e);

	if (!ret)
		ret = put(w, data, len, e);
	return ret ? ret : put(w, zeros, hf_tar_padding(len), e);
}

static int sign(EVP_PKEY *key, const char *text, size_t len, uint8_t *signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = SIGNATURE_BYTES, context = strlen(SIGN_CONTEXT);
	uint8_t *all = OPENSSL_malloc(context + len);
	int ok = 0;

	if (all && ctx) {
		memcpy(all, SIGN_CONTEXT, context);
		memcpy(all + context, text, len);
		ok = EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
		     EVP_DigestSign(ctx, signature, &n, all, context + len) == 1;
	}
	OPENSSL_free(all);
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -EIO;
}

int hf_archive_finish(struct hf_archive_writer *w, json_t *about, EVP_PKEY *key, struct hf_err *e)
{
	uint8_t signature[SIGNATURE_BYTES], end[2 * TAR_BLOCK] = { 0 };
	size_t len;
	char *text;
	int ret;

	json_object_set_new(about, "format", json_integer(1));
	json_object_set(about, "members", w->members);
	text = json_dumps(about, JSON_INDENT(1));
	json_decref(about);
	if (!text)
		return -ENOMEM;
	len = strlen(text);
	ret = w->left || len > HF_ARCHIVE_MANIFEST_MAX ? -EINVAL : sign(key, text, len, signature);
	if (ret)
		hf_fail(e, ret, "the manifest cannot be signed");
	if (!ret)
		ret = extra(w, MANIFEST, text, len, e);
	if (!ret)
		ret = extra(w, SIGNATURE, signature, sizeof(signature), e);
	if (!ret)
		ret = put(w, end, sizeof(end), e);
	if (!ret && EVP_DigestFinal_ex(w->whole, w->sha256, NULL) != 1)
		ret = -EIO;
	if (!ret && fsync(w->fd))
		ret = hf_fail(e, -errno, "archive: %s", strerror(errno));
	free(text);
	return ret;
}
