// SPDX-License-Identifier: GPL-2.0
/*
 * The bounded table. Knows nothing of what is in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "siphash.h"
#include "table.h"

#define NONE	UINT32_MAX

struct entry {
	uint8_t key[HF_TABLE_KEY];
	uint32_t len;
	uint32_t chain;		/* next with the same bucket */
	uint32_t newer, older;	/* by use */
};

struct hf_table {
	uint8_t hash_key[HF_SIPHASH_KEY];
	uint32_t room, used;
	uint32_t mask;		/* buckets - 1 */
	uint32_t newest, oldest;
	size_t size;
	uint32_t *buckets;
	struct entry *entries;
	char *values;
};

int hf_table_new(struct hf_table **out, size_t entries, size_t size, const struct hf_random *r)
{
	struct hf_table *t;
	uint32_t buckets = 1;
	int ret;

	if (!entries || entries > 65536)
		return -EINVAL;
	while (buckets < entries)
		buckets *= 2;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->buckets = malloc(buckets * sizeof(*t->buckets));
	t->entries = calloc(entries, sizeof(*t->entries));
	t->values = calloc(entries, size);
	ret = t->buckets && t->entries && t->values ?
		hf_random_fill(r, t->hash_key, sizeof(t->hash_key)) : -ENOMEM;
	if (ret) {
		hf_table_free(t);
		return ret;
	}
	memset(t->buckets, 0xff, buckets * sizeof(*t->buckets));	/* NONE */
	t->room = (uint32_t)entries;
	t->mask = buckets - 1;
	t->newest = NONE;
	t->oldest = NONE;
	t->size = size;
	*out = t;
	return 0;
}

void hf_table_free(struct hf_table *t)
{
	if (!t)
		return;
	free(t->buckets);
	free(t->entries);
	free(t->values);
	free(t);
}

static uint32_t *bucket_of(struct hf_table *t, const void *key, size_t len)
{
	return &t->buckets[hf_siphash(t->hash_key, key, len) & t->mask];
}

static void use_remove(struct hf_table *t, const struct entry *e)
{
	if (e->newer == NONE)
		t->newest = e->older;
	else
		t->entries[e->newer].older = e->older;
	if (e->older == NONE)
		t->oldest = e->newer;
	else
		t->entries[e->older].newer = e->newer;
}

static void use_add(struct hf_table *t, uint32_t i)
{
	t->entries[i].newer = NONE;
	t->entries[i].older = t->newest;
	if (t->newest == NONE)
		t->oldest = i;
	else
		t->entries[t->newest].newer = i;
	t->newest = i;
}

static uint32_t index_of(struct hf_table *t, const void *key, size_t len)
{
	uint32_t i = *bucket_of(t, key, len);

	while (i != NONE && (t->entries[i].len != len || memcmp(t->entries[i].key, key, len)))
		i = t->entries[i].chain;
	return i;
}

/* An entry that is in no list. */
static uint32_t entry_take(struct hf_table *t)
{
	uint32_t i = t->oldest, *at;

	if (t->used < t->room)
		return t->used++;
	use_remove(t, &t->entries[i]);
	at = bucket_of(t, t->entries[i].key, t->entries[i].len);
	while (*at != i)
		at = &t->entries[*at].chain;
	*at = t->entries[i].chain;
	return i;
}

void *hf_table_find(struct hf_table *t, const void *key, size_t len)
{
	uint32_t i = index_of(t, key, len);

	return i == NONE ? NULL : t->values + i * t->size;
}

void *hf_table_get(struct hf_table *t, const void *key, size_t len)
{
	uint32_t i = index_of(t, key, len);

	if (i != NONE) {
		use_remove(t, &t->entries[i]);
	} else {
		uint32_t *bucket;

		i = entry_take(t);
		bucket = bucket_of(t, key, len);
		t->entries[i] = (struct entry){ .len = (uint32_t)len, .chain = *bucket };
		memcpy(t->entries[i].key, key, len);
		memset(t->values + i * t->size, 0, t->size);
		*bucket = i;
	}
	use_add(t, i);
	return t->values + i * t->size;
}
