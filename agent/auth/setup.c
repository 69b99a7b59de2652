// SPDX-License-Identifier: GPL-2.0
/*
 * The one-time secret: its text in a file, its hash in the database.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "b64.h"
#include "file.h"
#include "log.h"
#include "setup.h"

#define META	"first-run"

bool hf_setup_open(struct hf_auth *a)
{
	return hf_db_admins(a->db, 0) == 0;
}

static int hash_of(const char *secret, uint8_t hash[HF_HASH])
{
	return EVP_Digest(secret, strlen(secret), hash, NULL, EVP_sha256(), NULL) ? 0 : -EIO;
}

static int write_new(struct hf_auth *a, struct hf_err *e)
{
	uint8_t raw[32], hash[HF_HASH];
	char text[HF_SETUP_SECRET + 1];
	size_t n;
	int ret;

	ret = hf_random_fill(a->random, raw, sizeof(raw));
	if (ret)
		return hf_fail(e, ret, HF_SETUP_FILE ": no randomness");
	n = hf_b64_encode(HF_B64_URL, raw, sizeof(raw), text);
	ret = hash_of(text, hash);
	if (!ret)
		ret = hf_db_meta_set(a->db, META, hash, sizeof(hash));
	text[n++] = '\n';
	if (ret)
		hf_fail(e, ret, HF_SETUP_FILE ": the database refused it");
	else
		ret = hf_file_replace(a->dirfd, HF_SETUP_FILE, text, n, 0600, e);
	OPENSSL_cleanse(text, sizeof(text));
	OPENSSL_cleanse(raw, sizeof(raw));
	if (!ret)
		hf_log_sec(HF_LOG_NOTICE, "setup.waiting", NULL,
			   "no admin yet: the secret in %s/" HF_SETUP_FILE " makes the first one", a->dir);
	return ret;
}

int hf_setup_prepare(struct hf_auth *a, struct hf_err *e)
{
	uint8_t hash[HF_HASH];
	size_t len;

	if (!hf_setup_open(a)) {
		hf_setup_close(a);
		return 0;
	}
	if (!hf_db_meta_get(a->db, META, hash, sizeof(hash), &len) && len == sizeof(hash) &&
	    !faccessat(a->dirfd, HF_SETUP_FILE, F_OK, AT_SYMLINK_NOFOLLOW))
		return 0;
	return write_new(a, e);
}

int hf_setup_check(struct hf_auth *a, const char *secret)
{
	uint8_t want[HF_HASH], have[HF_HASH];
	size_t len;
	int ret;

	if (!hf_setup_open(a))
		return -EALREADY;
	ret = hf_db_meta_get(a->db, META, want, sizeof(want), &len);
	if (ret || len != sizeof(want))
		return ret && ret != -ENOENT ? ret : -EKEYREJECTED;
	ret = hash_of(secret, have);
	if (!ret && CRYPTO_memcmp(want, have, sizeof(want)))
		ret = -EKEYREJECTED;
	return ret;
}

void hf_setup_close(struct hf_auth *a)
{
	/* Neither failure opens anything: with an admin hf_setup_check() refuses. */
	hf_db_meta_remove(a->db, META);
	unlinkat(a->dirfd, HF_SETUP_FILE, 0);
}
