/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Secrets that the agent needs in clear (a webhook's key, a fleet bus's
 * password), in one encrypted file: AES-256-GCM over the whole of it, a random
 * nonce for each write, a version counter as associated data. One process owns
 * the file. The master key is in no backup.
 *
 * Not covered: who can replace the file and the counter beside it (root, the
 * owner) can put an older state back; who reads this process's memory has all;
 * and a master key in the file form protects backups and copies of the store
 * alone, not a stolen disk.
 */
#ifndef HF_SECRET_STORE_H
#define HF_SECRET_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "clock.h"
#include "err.h"

#define HF_SECRET_KEY_BYTES	32
#define HF_SECRET_VALUE_MAX	8192
#define HF_SECRETS_MAX		64

/* Where the master key is from. */
enum hf_master_source {
	HF_MASTER_CREDENTIAL,	/* $CREDENTIALS_DIRECTORY/holdfast-master, of systemd */
	HF_MASTER_KEYRING,	/* user key "holdfast:master" of the kernel's keyrings */
	HF_MASTER_FILE,		/* master.key in the given folder, mode 0600 */
	HF_MASTER_NONE,
};

struct hf_master_key {
	uint8_t bytes[HF_SECRET_KEY_BYTES];
	enum hf_master_source source;
};

/**
 * hf_master_given() - the master key that somebody gives us: systemd, or the kernel's keyring
 * @credentials: value of $CREDENTIALS_DIRECTORY or NULL
 *
 * To be called before the sandbox. A place that has one that is unfit (length, owner, mode)
 * is an error, not a reason to look further. Return: 0, -ENOENT: nowhere, -EINVAL, -EPERM,
 * other -errno.
 */
int hf_master_given(const char *credentials, struct hf_master_key *key, struct hf_err *e);
/*
 * The key that was given before this one, while the store may still need it: credential
 * "holdfast-master-old" or user key "holdfast:master-old". Otherwise as hf_master_given().
 */
int hf_master_given_before(const char *credentials, struct hf_master_key *key, struct hf_err *e);
/* The file form, in the folder of auth. Return: as hf_master_given(). */
int hf_master_file(int dirfd, struct hf_master_key *key, struct hf_err *e);
/* A new random key in the file form (never replaces one). 0, -EEXIST, -errno. */
int hf_master_create(int dirfd, const struct hf_random *random, struct hf_master_key *key,
		     struct hf_err *e);
const char *hf_master_source_name(enum hf_master_source s);
void hf_master_wipe(struct hf_master_key *key);

/*
 * A key for one purpose ("holdfast secrets v1"), by HKDF-SHA256 of the master key.
 * Return: 0, -EIO.
 */
int hf_master_derive(const struct hf_master_key *key, const char *purpose, void *out, size_t len);

struct hf_secrets;

/**
 * hf_secrets_open() - read the store, or begin an empty one
 * @dirfd:	folder with "secrets" and "secrets.counter"; stays the caller's and open
 * @key:	copied
 *
 * Return: 0; -EBADMSG: wrong key, or the file was changed; -ESTALE: an older version than
 * the counter says has been put back; -errno.
 */
int hf_secrets_open(struct hf_secrets **out, int dirfd, const struct hf_master_key *key,
		    const struct hf_random *random, const struct hf_clock *clock, struct hf_err *e);
void hf_secrets_close(struct hf_secrets *s);	/* wipes */

/*
 * hf_secrets_set() - keep @value, durable when this returns
 * @name:	[a-z][a-z0-9_-]{0,31}
 * Return: 0, -EINVAL, -ENOSPC (HF_SECRETS_MAX), -errno: then the store is as before.
 */
int hf_secrets_set(struct hf_secrets *s, const char *name, const void *value, size_t len,
		   struct hf_err *e);
/* @value: at least @max bytes; wiped by the caller. Return: length, -ENOENT, -ENOBUFS. */
int hf_secrets_get(struct hf_secrets *s, const char *name, void *value, size_t max);
/* Return: 0, -ENOENT, -errno. */
int hf_secrets_remove(struct hf_secrets *s, const char *name, struct hf_err *e);
/* [ { name, set_ns, bytes } ], no values. NULL: out of memory. */
json_t *hf_secrets_list(const struct hf_secrets *s);

/**
 * hf_secrets_rotate() - encrypt everything with a new master key
 * @file:	HF_MASTER_FILE: @key becomes master.key as well. A crash in between leaves
 *		master.key.new, with which hf_secrets_open() completes what was begun
 *
 * For keys from elsewhere the operator puts the new key there first. Return: 0, -errno: as before,
 * or complete but for what the next hf_secrets_open() repairs; what is open can be used either way.
 */
int hf_secrets_rotate(struct hf_secrets *s, const struct hf_master_key *key, bool file,
		      struct hf_err *e);

/*
 * Is this a store's file under @key, all of it well-formed? For backups and fuzzers.
 * @counter: out, may be NULL. Return: 0, -EBADMSG.
 */
int hf_secrets_verify(const void *data, size_t len, const struct hf_master_key *key,
		      uint64_t *counter, struct hf_err *e);

#endif /* HF_SECRET_STORE_H */
