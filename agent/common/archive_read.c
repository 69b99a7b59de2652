// SPDX-License-Identifier: GPL-2.0
/*
 * Reading a backup's archive. Two passes: the first believes nothing until the
 * signature over the manifest and the hash of every member are right; only then
 * the second writes, and hashes again what it writes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "archive_tar.h"

#define PIECE (64U << 10)

struct reader {
	int fd;
	int dirfd; /* where to write; -1: only verify */
	struct hf_err *e;
	EVP_MD_CTX *hash;
	json_t *seen; /* array as the manifest's "members" */
	uint64_t total;
	uint64_t t_s;
	char name[HF_ARCHIVE_NAME];
	uint64_t size;
	char *manifest;
	size_t manifest_len;
	uint8_t signature[SIGNATURE_BYTES];
	uint8_t piece[PIECE];
};

/* Exactly @len bytes. */
static int take(struct reader *r, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = read(r->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return hf_fail(r->e, -errno, "archive: %s", strerror(errno));
		if (!n)
			return hf_fail(r->e, -EBADMSG, "archive: ends too early");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int octal(const uint8_t *field, uint64_t *value)
{
	*value = 0;
	for (int i = 0; i < 11; i++) {
		if (field[i] < '0' || field[i] > '7')
			return -EBADMSG;
		*value = *value << 3 | (uint64_t)(field[i] - '0');
	}
	return 0;
}

/* The next member's name and size. A header that the writer would not have written is none. */
static int header(struct reader *r)
{
	uint8_t block[TAR_BLOCK], want[TAR_BLOCK];
	uint64_t t_s;
	int ret = take(r, block, sizeof(block));

	if (ret)
		return ret;
	if (!memchr(block, '\0', HF_ARCHIVE_NAME) || octal(block + 124, &r->size) ||
	    octal(block + 136, &t_s))
		return hf_fail(r->e, -EBADMSG, "archive: a header is damaged");
	memcpy(r->name, block, sizeof(r->name));
	hf_tar_header(want, r->name, r->size, t_s);
	if (memcmp(block, want, sizeof(block)))
		return hf_fail(r->e, -EBADMSG, "archive: a header is none of a backup's");
	if (r->t_s && t_s != r->t_s)
		return hf_fail(r->e, -EBADMSG, "archive: a header has another time");
	r->t_s = t_s;
	return 0;
}

static int padding(struct reader *r, uint64_t size)
{
	uint8_t pad[TAR_BLOCK], zeros[TAR_BLOCK] = { 0 };
	size_t n = (size_t)hf_tar_padding(size);
	int ret = take(r, pad, n);

	if (!ret && memcmp(pad, zeros, n))
		ret = hf_fail(r->e, -EBADMSG, "archive: something hides behind %s", r->name);
	return ret;
}

/* A new file for the member, in its folder. Return: file, -errno. */
static int member_create(struct reader *r)
{
	char folder[HF_ARCHIVE_NAME];
	int fd;

	snprintf(folder, sizeof(folder), "%s", r->name);
	*strchr(folder, '/') = '\0';
	if (mkdirat(r->dirfd, folder, 0700) && errno != EEXIST)
		return hf_fail(r->e, -errno, "%s: %s", folder, strerror(errno));
	fd = openat(r->dirfd, r->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? hf_fail(r->e, -errno, "%s: %s", r->name, strerror(errno)) : fd;
}

static int piece_write(struct reader *r, int fd, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, r->piece + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return hf_fail(r->e, n ? -errno : -EIO, "%s: %s", r->name,
				       strerror(n ? errno : EIO));
		done += (size_t)n;
	}
	return 0;
}

static int member_data(struct reader *r, int fd)
{
	uint64_t left = r->size;
	int ret = 0;

	if (EVP_DigestInit_ex(r->hash, EVP_sha256(), NULL) != 1)
		return -EIO;
	while (left && !ret) {
		size_t n = left < PIECE ? (size_t)left : PIECE;

		ret = take(r, r->piece, n);
		if (!ret && EVP_DigestUpdate(r->hash, r->piece, n) != 1)
			ret = -EIO;
		if (!ret && fd >= 0)
			ret = piece_write(r, fd, n);
		left -= n;
	}
	if (!ret && fd >= 0 && fsync(fd))
		ret = hf_fail(r->e, -errno, "%s: %s", r->name, strerror(errno));
	return ret;
}

static int member(struct reader *r)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	char hex[2 * SHA256_DIGEST_LENGTH + 1];
	int fd = -1, ret;

	if (!hf_archive_name_ok(r->name))
		return hf_fail(r->e, -EBADMSG, "archive: a member's name is none of a backup's");
	r->total += r->size;
	if (r->size >= HF_ARCHIVE_MEMBER_MAX || r->total > HF_ARCHIVE_TOTAL_MAX ||
	    json_array_size(r->seen) == HF_ARCHIVE_MEMBERS)
		return hf_fail(r->e, -EBADMSG, "archive: larger than a backup may be");
	if (r->dirfd >= 0) {
		fd = member_create(r);
		if (fd < 0)
			return fd;
	}
	ret = member_data(r, fd);
	if (fd >= 0)
		close(fd);
	if (ret)
		return ret;
	if (EVP_DigestFinal_ex(r->hash, digest, NULL) != 1)
		return -EIO;
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	ret = json_array_append_new(r->seen, json_pack("{s:s, s:I, s:s}", "name", r->name, "size",
						       (json_int_t)r->size, "sha256", hex));
	return ret ? -ENOMEM : padding(r, r->size);
}

/* Manifest, signature, two blocks of zeros, and nothing behind them. */
static int tail(struct reader *r)
{
	uint8_t end[2 * TAR_BLOCK], zeros[2 * TAR_BLOCK] = { 0 };
	int ret;

	if (r->size > HF_ARCHIVE_MANIFEST_MAX)
		return hf_fail(r->e, -EBADMSG, "archive: the manifest is too long");
	r->manifest_len = (size_t)r->size;
	r->manifest = malloc(r->manifest_len + 1);
	if (!r->manifest)
		return -ENOMEM;
	ret = take(r, r->manifest, r->manifest_len);
	if (!ret)
		ret = padding(r, r->size);
	if (!ret)
		ret = header(r);
	if (!ret && (strcmp(r->name, SIGNATURE) || r->size != SIGNATURE_BYTES))
		ret = hf_fail(r->e, -EBADMSG, "archive: has no signature");
	if (!ret)
		ret = take(r, r->signature, sizeof(r->signature));
	if (!ret)
		ret = padding(r, r->size);
	if (!ret)
		ret = take(r, end, sizeof(end));
	if (!ret && (memcmp(end, zeros, sizeof(end)) || read(r->fd, end, 1) != 0))
		ret = hf_fail(r->e, -EBADMSG, "archive: something stands behind its end");
	return ret;
}

static int signature_check(struct reader *r, const uint8_t *pub)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pub, HF_ED25519_BYTES);
	size_t context = strlen(SIGN_CONTEXT);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t *all = malloc(context + r->manifest_len);
	int ok = 0;

	if (key && ctx && all) {
		memcpy(all, SIGN_CONTEXT, context);
		memcpy(all + context, r->manifest, r->manifest_len);
		ok = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
		     EVP_DigestVerify(ctx, r->signature, sizeof(r->signature), all,
				      context + r->manifest_len) == 1;
	}
	free(all);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok ? 0 : hf_fail(r->e, -EBADMSG, "archive: the signature is not by this key");
}

/* Signed, so it is ours; but a name that stands twice would be written twice. */
static int members_unique(struct reader *r)
{
	json_t *names = json_object();
	const json_t *m;
	int ret = 0;
	size_t i;

	json_array_foreach(r->seen, i, m)
	{
		const char *name = json_string_value(json_object_get(m, "name"));

		if (json_object_get(names, name))
			ret = hf_fail(r->e, -EBADMSG, "archive: %s is in it twice", name);
		json_object_set_new(names, name, json_true());
	}
	json_decref(names);
	return ret;
}

static int manifest_check(struct reader *r, json_t **manifest)
{
	json_t *m = json_loadb(r->manifest, r->manifest_len, JSON_REJECT_DUPLICATES, NULL);
	int ret = 0;

	if (!m || json_integer_value(json_object_get(m, "format")) != 1)
		ret = hf_fail(r->e, -EBADMSG, "archive: the manifest is of another format");
	else if (!json_equal(json_object_get(m, "members"), r->seen))
		ret = hf_fail(r->e, -EBADMSG, "archive: the files are not those of the manifest");
	else
		ret = members_unique(r);
	if (ret)
		json_decref(m);
	else
		*manifest = m;
	return ret;
}

static int pass(int fd, const uint8_t *pub, int dirfd, json_t **manifest, struct hf_err *e)
{
	struct reader *r = calloc(1, sizeof(*r));
	int ret = -ENOMEM;

	if (!r)
		return ret;
	r->fd = fd;
	r->dirfd = dirfd;
	r->e = e;
	r->hash = EVP_MD_CTX_new();
	r->seen = json_array();
	if (r->hash && r->seen)
		ret = lseek(fd, 0, SEEK_SET) ? hf_fail(e, -errno, "archive: %s", strerror(errno)) :
					       header(r);
	while (!ret && strcmp(r->name, MANIFEST)) {
		ret = member(r);
		if (!ret)
			ret = header(r);
	}
	if (!ret)
		ret = tail(r);
	if (!ret)
		ret = signature_check(r, pub);
	if (!ret)
		ret = manifest_check(r, manifest);
	EVP_MD_CTX_free(r->hash);
	json_decref(r->seen);
	free(r->manifest);
	free(r);
	return ret;
}

int hf_archive_verify(int fd, const uint8_t *pub, json_t **manifest, struct hf_err *e)
{
	json_t *m = NULL;
	int ret = pass(fd, pub, -1, &m, e);

	if (!ret && manifest)
		*manifest = m;
	else
		json_decref(m);
	return ret;
}

int hf_archive_extract(int fd, const uint8_t *pub, int dirfd, json_t **manifest, struct hf_err *e)
{
	json_t *first = NULL, *second = NULL;
	int ret = hf_archive_verify(fd, pub, &first, e);

	if (!ret)
		ret = pass(fd, pub, dirfd, &second, e);
	if (!ret && !json_equal(first, second))
		ret = hf_fail(e, -EBADMSG, "archive: has changed while it was read");
	if (!ret && manifest)
		*manifest = json_incref(first);
	json_decref(first);
	json_decref(second);
	return ret;
}
