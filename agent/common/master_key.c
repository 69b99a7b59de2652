// SPDX-License-Identifier: GPL-2.0
/*
 * The master key: where it comes from, and keys for single purposes made of
 * it. Never logs, prints or stores a key but in the file form.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "file.h"
#include "secret_store.h"

#define KEY_FILE "master.key"
#define KEY_TEXT_MAX (2 * HF_SECRET_KEY_BYTES + 1) /* hex and newline */

/* What a key is called where it is given to us. */
struct given {
	const char *credential;
	const char *description;
};

static const struct given given_now = { "holdfast-master", "holdfast:master" };
static const struct given given_before = { "holdfast-master-old", "holdfast:master-old" };

const char *hf_master_source_name(enum hf_master_source s)
{
	static const char *const words[] = { "credential", "keyring", "file", "none" };

	return words[s];
}

void hf_master_wipe(struct hf_master_key *key)
{
	OPENSSL_cleanse(key, sizeof(*key));
	key->source = HF_MASTER_NONE;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 32 bytes as they are, or 64 lower-case hex digits with or without newline. */
static int key_take(struct hf_master_key *key, const char *data, size_t len,
		    enum hf_master_source source, struct hf_err *e)
{
	if (len == KEY_TEXT_MAX && data[len - 1] == '\n')
		len--;
	if (len == HF_SECRET_KEY_BYTES) {
		memcpy(key->bytes, data, len);
	} else if (len == 2 * HF_SECRET_KEY_BYTES) {
		for (size_t i = 0; i < HF_SECRET_KEY_BYTES; i++) {
			int high = hex_digit(data[2 * i]), low = hex_digit(data[2 * i + 1]);

			if (high < 0 || low < 0)
				return hf_fail(e, -EINVAL,
					       "master key (%s): character %zu is no hex digit",
					       hf_master_source_name(source), 2 * i);
			key->bytes[i] = (uint8_t)(high << 4 | low);
		}
	} else {
		return hf_fail(e, -EINVAL,
			       "master key (%s): %zu bytes; wanted: %d, or %d hex digits",
			       hf_master_source_name(source), len, HF_SECRET_KEY_BYTES,
			       2 * HF_SECRET_KEY_BYTES);
	}
	key->source = source;
	return 0;
}

/* The file's owner: root, us, or whose folder it is (it is made after we have given up root). */
static int file_check(int dirfd, int fd, const char *name, struct hf_err *e)
{
	struct stat st, dir;

	if (fstat(fd, &st) || fstat(dirfd, &dir))
		return hf_fail(e, -errno, "%s: %s", name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return hf_fail(e, -EPERM, "%s: is no regular file", name);
	if (st.st_uid && st.st_uid != geteuid() && st.st_uid != dir.st_uid)
		return hf_fail(e, -EPERM, "%s: owned by uid %u, must be root or uid %u", name,
			       st.st_uid, dir.st_uid);
	/* Where root's file is given to us by an ACL (systemd), the group's bits are its mask. */
	if (st.st_mode & (st.st_uid || st.st_gid || !geteuid() ? 077 : 037))
		return hf_fail(e, -EPERM, "%s: mode %03o lets others read it; wanted: 0600 or 0400",
			       name, st.st_mode & 0777U);
	return 0;
}

static int from_file(int dirfd, const char *name, enum hf_master_source source,
		     struct hf_master_key *key, struct hf_err *e)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), ret;
	char data[KEY_TEXT_MAX + 1];
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT :
					 hf_fail(e, -errno, "%s: %s", name, strerror(errno));
	ret = file_check(dirfd, fd, name, e);
	n = ret ? 0 : read(fd, data, sizeof(data));
	if (n < 0)
		ret = hf_fail(e, -errno, "%s: %s", name, strerror(errno));
	if (!ret)
		ret = key_take(key, data, (size_t)n, source, e);
	OPENSSL_cleanse(data, sizeof(data));
	close(fd);
	return ret;
}

static int from_credential(const char *folder, const char *name, struct hf_master_key *key,
			   struct hf_err *e)
{
	int fd, ret;

	if (!folder || !*folder)
		return -ENOENT;
	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return hf_fail(e, -errno, "%s: %s", folder, strerror(errno));
	ret = from_file(fd, name, HF_MASTER_CREDENTIAL, key, e);
	close(fd);
	return ret;
}

static long keyctl(int operation, long a, long b, long c, long d)
{
	return syscall(SYS_keyctl, operation, a, b, c, d);
}

/*
 * Only what is reachable from our own keyrings may be read, so the user's is
 * linked to the process's first. Without keyrings (ENOSYS, forbidden): nowhere.
 */
static int from_keyring(const char *description, struct hf_master_key *key, struct hf_err *e)
{
	char data[KEY_TEXT_MAX + 1];
	long id, n;
	int ret;

	if (keyctl(KEYCTL_LINK, KEY_SPEC_USER_KEYRING, KEY_SPEC_PROCESS_KEYRING, 0, 0))
		return -ENOENT;
	id = keyctl(KEYCTL_SEARCH, KEY_SPEC_PROCESS_KEYRING, (long)"user", (long)description, 0);
	if (id < 0)
		return errno == ENOKEY ?
			       -ENOENT :
			       hf_fail(e, -errno, "key %s: %s", description, strerror(errno));
	n = keyctl(KEYCTL_READ, id, (long)data, sizeof(data), 0);
	if (n < 0)
		return hf_fail(e, -errno, "key %s: %s", description, strerror(errno));
	ret = key_take(key, data, (size_t)n, HF_MASTER_KEYRING, e);
	OPENSSL_cleanse(data, sizeof(data));
	return ret;
}

static int given(const char *credentials, const struct given *names, struct hf_master_key *key,
		 struct hf_err *e)
{
	int ret = from_credential(credentials, names->credential, key, e);

	if (ret == -ENOENT)
		ret = from_keyring(names->description, key, e);
	if (ret == -ENOENT)
		hf_fail(e, ret, "neither credential %s nor key %s is there", names->credential,
			names->description);
	return ret;
}

int hf_master_given(const char *credentials, struct hf_master_key *key, struct hf_err *e)
{
	return given(credentials, &given_now, key, e);
}

int hf_master_given_before(const char *credentials, struct hf_master_key *key, struct hf_err *e)
{
	return given(credentials, &given_before, key, e);
}

int hf_master_file(int dirfd, struct hf_master_key *key, struct hf_err *e)
{
	int ret = from_file(dirfd, KEY_FILE, HF_MASTER_FILE, key, e);

	return ret == -ENOENT ? hf_fail(e, ret, "%s: is not there", KEY_FILE) : ret;
}

int hf_master_create(int dirfd, const struct hf_random *random, struct hf_master_key *key,
		     struct hf_err *e)
{
	struct stat st;
	int ret;

	if (!fstatat(dirfd, KEY_FILE, &st, AT_SYMLINK_NOFOLLOW))
		return hf_fail(e, -EEXIST, "%s: is there already", KEY_FILE);
	ret = hf_random_fill(random, key->bytes, sizeof(key->bytes));
	if (ret)
		return hf_fail(e, ret, "randomness: %s", strerror(-ret));
	key->source = HF_MASTER_FILE;
	return hf_file_replace(dirfd, KEY_FILE, key->bytes, sizeof(key->bytes), 0600, e);
}

int hf_master_derive(const struct hf_master_key *key, const char *purpose, void *out, size_t len)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key->bytes,
						  sizeof(key->bytes)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)purpose,
						  strlen(purpose)),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	int ok = ctx && EVP_KDF_derive(ctx, out, len, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok ? 0 : -EIO;
}
