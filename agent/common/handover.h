/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files of a state folder that its owner lets another process read: a list page
 * by page, and one open file at a time. Which files, the owner's table says.
 */
#ifndef HF_HANDOVER_H
#define HF_HANDOVER_H

#include <jansson.h>

#include "err.h"

#define HF_HANDOVER_NAME	64	/* with NUL; a longer one is an error, not left out */
#define HF_HANDOVER_PAGE	256	/* names in one answer */

/* 0: stays here; else its place: lower ones come first, those of one place by name. */
typedef unsigned int (*hf_handover_fn)(const char *name);

/**
 * hf_handover_list() - the next page of regular files
 * @after:	last name of the page before, "" : the first page
 * @out:	{ files: [{ name, size }], more }, new reference
 *
 * Each page reads the folder anew: who comes or goes in between is in the list or
 * is not, but nobody else is twice. Return: 0, -errno.
 */
int hf_handover_list(int dirfd, hf_handover_fn wanted, const char *after, json_t **out,
		     struct hf_err *e);
/* For reading; no link, one name only. Return: file, -ENOENT (gone, or stays here), -errno. */
int hf_handover_open(int dirfd, hf_handover_fn wanted, const char *name, struct hf_err *e);

#endif /* HF_HANDOVER_H */
