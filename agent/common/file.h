/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files that matter: opened without following links, owner and mode checked,
 * replaced whole or not at all.
 */
#ifndef HF_FILE_H
#define HF_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/*
 * Refuses links, other types than regular, writing by others, and an owner that is
 * neither root nor us nor who owns the folder @dirfd that the file lies in.
 */
int hf_file_open_checked(int dirfd, const char *path, int flags, struct hf_err *e);
/* The whole file, NUL-terminated, at most @max bytes; caller frees. */
int hf_file_read(int dirfd, const char *path, size_t max, char **data, size_t *len,
		 struct hf_err *e);
/* By a temporary file in the same folder: written, fsynced, renamed, folder fsynced. */
int hf_file_replace(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
		    struct hf_err *e);

#endif /* HF_FILE_H */
