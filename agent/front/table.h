/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A table of bounded size whose least recently used entry makes room: what is
 * remembered about strangers can never grow. Keys are hashed with a random key.
 */
#ifndef HF_TABLE_H
#define HF_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "clock.h"

#define HF_TABLE_KEY	32	/* bytes of the longest key */

struct hf_table;

/* @entries: 1..65536. @size: bytes of a value. */
int hf_table_new(struct hf_table **out, size_t entries, size_t size, const struct hf_random *r);
void hf_table_free(struct hf_table *t);
/* The value of @key; NULL if there is none. Good until the next hf_table_get(). */
void *hf_table_find(struct hf_table *t, const void *key, size_t len);
/* The same, made (all zero) if there was none; then the oldest one may be gone. Never NULL. */
void *hf_table_get(struct hf_table *t, const void *key, size_t len);

#endif /* HF_TABLE_H */
