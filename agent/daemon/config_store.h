/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Versions of the configuration: NNNNNN.yaml and, once it is there for good,
 * NNNNNN.json that says when, by whom and why. A version without the second
 * file does not exist. Versions are never changed.
 */
#ifndef HF_CONFIG_STORE_H
#define HF_CONFIG_STORE_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "err.h"

#define HF_VERSIONS_KEPT	200	/* the oldest go */
#define HF_VERSION_MAX		999999

/*
 * A further version, durable when this returns; the newest again if it is the
 * same text. @version: out. Return: 0, -ENOSPC (all numbers used up), -errno.
 */
int hf_versions_add(int dirfd, const char *text, size_t len, const char *actor, const char *comment,
		    uint64_t t_ns, uint32_t *version, struct hf_err *e);
/* The text; caller frees. Return: 0, -ENOENT, -EBADMSG (not the text that was kept), -errno. */
int hf_versions_read(int dirfd, uint32_t version, char **text, size_t *len, struct hf_err *e);
/* [ { version, t_ns, actor, comment, sha256 } ], newest first. NULL: not readable. */
json_t *hf_versions_list(int dirfd);
/* One that was not put into force after all. */
void hf_versions_drop(int dirfd, uint32_t version);

#endif /* HF_CONFIG_STORE_H */
