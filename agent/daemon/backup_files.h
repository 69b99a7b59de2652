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
#include "handover.h"
#include "role.h"

#define HF_BACKUP_SNAPSHOT	"snapshot.db"	/* what auth makes of users.db, in its folder */

/* @owner: HF_PROC_PARENT: config, which is the parent's own. */
struct hf_backup_file {
	enum hf_proc owner;
	char name[HF_ARCHIVE_NAME];	/* in the archive: "auth/users.db" */
	char source[HF_HANDOVER_NAME];	/* in the owner's folder: "snapshot.db" */
};

struct hf_backup_list {
	struct hf_backup_file *files;
	size_t count, room;
	uint64_t bytes;
};

/* Of the parent's folder: versions of the configuration. For handover.h. */
unsigned int hf_backup_of_config(const char *name);

/**
 * hf_backup_add() - one page of what an owner has
 * @page:	as of hf_handover_list(); the owner may be lying
 *
 * Return: 0, -EFBIG (more than an archive can have), -EPROTO (no list of names), -ENOMEM.
 */
int hf_backup_add(struct hf_backup_list *list, enum hf_proc owner, const json_t *page,
		  struct hf_err *e);
/* Of the last file of this owner, "" : none. */
const char *hf_backup_last(const struct hf_backup_list *list, enum hf_proc owner);
void hf_backup_list_free(struct hf_backup_list *list);
/* Is this a regular file that can be read? @size: out. Return: 0, -EPROTO. */
int hf_backup_check(int fd, uint64_t *size, struct hf_err *e);

/*
 * The Ed25519 key in state/config/backup.key (made if it is not there, with backup.pub
 * beside it). Return: 0, -errno.
 */
int hf_backup_key(int configfd, EVP_PKEY **key, struct hf_err *e);

#endif /* HF_BACKUP_FILES_H */
