/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The configuration's file, read and checked whole.
 */
#ifndef HF_SOURCE_H
#define HF_SOURCE_H

#include "config.h"

/* A configuration, and the text that it was read from. */
struct hf_source {
	struct hf_config *config;
	char *text;
	size_t len;
};

/* What is wrong goes to standard error. @file: an absolute path. Return: 0, -errno. */
int hf_source_read(const char *file, char *const *env, struct hf_source *s);
void hf_source_free(struct hf_source *s);

#endif /* HF_SOURCE_H */
