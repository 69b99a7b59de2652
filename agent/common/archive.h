/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Backups: one POSIX tar (ustar) archive of regular files, whose last two members are
 * a manifest (names, sizes and SHA-256 of all) and its Ed25519 signature. The reader takes
 * exactly what the writer writes, byte for byte, and nothing else that tar can express:
 * no links, no folders, no paths but FOLDER/FILE, no extensions.
 *
 * Knows nothing of what is backed up, and follows no name out of the given folder.
 */
#ifndef HF_ARCHIVE_H
#define HF_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "err.h"

#define HF_ARCHIVE_MEMBERS	4096
#define HF_ARCHIVE_NAME		80	/* "audit/audit-00000001.log" and NUL */
#define HF_ARCHIVE_MEMBER_MAX	(8ULL << 30)
#define HF_ARCHIVE_TOTAL_MAX	(64ULL << 30)
#define HF_ARCHIVE_MANIFEST_MAX	(1 << 20)
#define HF_ED25519_BYTES	32

/* FOLDER/FILE: config, auth, audit or keeper, and a name without leading dot. */
int hf_archive_name_ok(const char *name);

struct hf_archive_writer {
	int fd;
	uint64_t t_s;		/* of all members */
	uint64_t left;		/* of the member that is being written */
	uint64_t size, total, unsynced;
	char name[HF_ARCHIVE_NAME];
	EVP_MD_CTX *hash, *whole;
	json_t *members;
	uint8_t sha256[SHA256_DIGEST_LENGTH];	/* of the archive, once it is finished */
};

/* @fd: empty, stays the caller's. @t_s: seconds since 1970. Return: 0, -ENOMEM. */
int hf_archive_begin(struct hf_archive_writer *w, int fd, uint64_t t_s);
/* Then exactly @size bytes by hf_archive_data(), in pieces. */
int hf_archive_member(struct hf_archive_writer *w, const char *name, uint64_t size,
		      struct hf_err *e);
int hf_archive_data(struct hf_archive_writer *w, const void *data, size_t len, struct hf_err *e);
/*
 * Manifest, signature, end, all of it durable. @about: more members for the manifest
 * (stolen). @key: Ed25519. Return: 0, -errno.
 */
int hf_archive_finish(struct hf_archive_writer *w, json_t *about, EVP_PKEY *key, struct hf_err *e);
void hf_archive_free(struct hf_archive_writer *w);

/**
 * hf_archive_verify() - is all of it what its manifest says, and signed?
 * @fd:		from its beginning
 * @pub:	public key that must have signed, HF_ED25519_BYTES
 * @manifest:	out, new reference, only on success; may be NULL
 *
 * Return: 0, -EBADMSG and what is wrong, -errno.
 */
int hf_archive_verify(int fd, const uint8_t *pub, json_t **manifest, struct hf_err *e);

/**
 * hf_archive_extract() - verify, then write the members below @dirfd
 * @dirfd:	an empty folder; its folders are made, files are new, mode 0600
 *
 * What is written is hashed and compared again. Return: as hf_archive_verify(); after an
 * error the folder may hold some of it and must not be used.
 */
int hf_archive_extract(int fd, const uint8_t *pub, int dirfd, json_t **manifest, struct hf_err *e);

#endif /* HF_ARCHIVE_H */
