// SPDX-License-Identifier: GPL-2.0
/*
 * Rate limits by GCRA in a bounded table. An entry is known by the 64-bit
 * SipHash of its key under a random key of the table, so nobody outside can
 * choose collisions; the key itself is not kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gcra.h"
#include "siphash.h"

#define NONE		UINT32_MAX
#define KEYS_MOST	1048576
#define BURST_SHARE	4	/* of a minute's */

struct entry {
	uint64_t hash;
	uint64_t tat_ns;	/* theoretical arrival time */
	uint32_t chain;		/* next with the same bucket */
	uint32_t newer, older;	/* by use */
};

struct hf_gcra {
	uint8_t key[HF_SIPHASH_KEY];
	uint32_t room, used;
	uint32_t mask;		/* buckets - 1 */
	uint32_t newest, oldest;
	uint32_t *buckets;
	struct entry *entries;
};

int hf_gcra_new(struct hf_gcra **out, size_t keys, const struct hf_random *r)
{
	struct hf_gcra *g;
	uint32_t buckets = 1;
	int ret;

	if (!keys || keys > KEYS_MOST)
		return -EINVAL;
	while (buckets < keys)
		buckets *= 2;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->buckets = malloc(buckets * sizeof(*g->buckets));
	g->entries = calloc(keys, sizeof(*g->entries));
	ret = g->buckets && g->entries ? hf_random_fill(r, g->key, sizeof(g->key)) : -ENOMEM;
	if (ret) {
		hf_gcra_free(g);
		return ret;
	}
	memset(g->buckets, 0xff, buckets * sizeof(*g->buckets));	/* NONE */
	g->room = (uint32_t)keys;
	g->mask = buckets - 1;
	g->newest = NONE;
	g->oldest = NONE;
	*out = g;
	return 0;
}

void hf_gcra_free(struct hf_gcra *g)
{
	if (!g)
		return;
	free(g->buckets);
	free(g->entries);
	explicit_bzero(g->key, sizeof(g->key));
	free(g);
}

static void unlink_use(struct hf_gcra *g, struct entry *e)
{
	if (e->newer == NONE)
		g->newest = e->older;
	else
		g->entries[e->newer].older = e->older;
	if (e->older == NONE)
		g->oldest = e->newer;
	else
		g->entries[e->older].newer = e->newer;
}

static void link_newest(struct hf_gcra *g, uint32_t i)
{
	struct entry *e = &g->entries[i];

	e->newer = NONE;
	e->older = g->newest;
	if (g->newest == NONE)
		g->oldest = i;
	else
		g->entries[g->newest].newer = i;
	g->newest = i;
}

static void unchain(struct hf_gcra *g, uint32_t i)
{
	uint32_t *at = &g->buckets[g->entries[i].hash & g->mask];

	while (*at != i)
		at = &g->entries[*at].chain;
	*at = g->entries[i].chain;
}

/* The entry of this hash, made if there is none; it is the most recently used one afterwards. */
static struct entry *entry_get(struct hf_gcra *g, uint64_t hash)
{
	uint32_t *bucket = &g->buckets[hash & g->mask];
	uint32_t i = *bucket;

	while (i != NONE && g->entries[i].hash != hash)
		i = g->entries[i].chain;
	if (i != NONE) {
		unlink_use(g, &g->entries[i]);
	} else {
		if (g->used < g->room) {
			i = g->used++;
		} else {
			i = g->oldest;
			unlink_use(g, &g->entries[i]);
			unchain(g, i);
		}
		g->entries[i] = (struct entry){ .hash = hash, .chain = *bucket };
		*bucket = i;
	}
	link_newest(g, i);
	return &g->entries[i];
}

uint64_t hf_gcra_take(struct hf_gcra *g, const void *key, size_t len, uint64_t interval_ns,
		      uint32_t burst, uint64_t now_ns, uint32_t *left)
{
	struct entry *e = entry_get(g, hf_siphash(g->key, key, len));
	uint64_t ahead_ns = e->tat_ns > now_ns ? e->tat_ns - now_ns : 0;
	uint64_t window_ns;

	if (__builtin_mul_overflow(interval_ns, burst, &window_ns))
		window_ns = UINT64_MAX;		/* centuries */
	if (__builtin_add_overflow(ahead_ns, interval_ns, &ahead_ns))
		ahead_ns = UINT64_MAX;
	if (ahead_ns > window_ns) {
		if (left)
			*left = 0;
		return ahead_ns - window_ns;
	}
	if (__builtin_add_overflow(now_ns, ahead_ns, &e->tat_ns))
		e->tat_ns = UINT64_MAX;
	if (left)
		*left = interval_ns ? (uint32_t)((window_ns - ahead_ns) / interval_ns) : burst;
	return 0;
}

uint64_t hf_gcra_take_minutely(struct hf_gcra *g, const void *key, size_t len, uint32_t per_minute,
			       uint64_t now_ns)
{
	uint32_t burst = per_minute / BURST_SHARE;

	return hf_gcra_take(g, key, len, 60 * HF_S / per_minute, burst ? burst : 1, now_ns, NULL);
}

uint32_t hf_retry_s(uint64_t wait_ns)
{
	uint64_t s = wait_ns / HF_S + (wait_ns % HF_S != 0);

	return s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}
