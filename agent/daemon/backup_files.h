/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which files a backup has, in which order, and the key that signs it. No
 * messages and no timers here.
 */
#ifndef HF_BACKUP_FILES_H
#define HF_BACKUP_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <openssl/evp.h>

#include "archive.h"
#include "err.h"

#define HF_BACKUP_SNAPSHOT	"snapshot.db"	/* what auth makes of users.db, in its folder */

struct hf_backup_file {
	char name[HF_ARCHIVE_NAME];	/* in the archive: "auth/users.db" */
	char source[HF_ARCHIVE_NAME];	/* below paths.state: "auth/snapshot.db" */
};

struct hf_backup_list {
	struct hf_backup_file *files;
	size_t count, room;
	uint64_t bytes;
};

/**
 * hf_backup_collect() - what there is to be backed up below @statefd
 *
 * Never the master key, the keys that sign tokens and backups, sockets or temporary files.
 * Of the log what says how long it is comes before the log itself, so that a copy made
 * while it grows is never shorter than it says. Return: 0, -errno.
 */
int hf_backup_collect(int statefd, struct hf_backup_list *list, struct hf_err *e);
void hf_backup_list_free(struct hf_backup_list *list);
/* A regular file below @statefd, no link in its last two components. Return: file, -errno. */
int hf_backup_open(int statefd, const char *source, uint64_t *size, struct hf_err *e);

/*
 * The Ed25519 key in state/config/backup.key (made if it is not there, with backup.pub
 * beside it). Return: 0, -errno.
 */
int hf_backup_key(int configfd, EVP_PKEY **key, struct hf_err *e);

#endif /* HF_BACKUP_FILES_H */
