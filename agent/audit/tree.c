// SPDX-License-Identifier: GPL-2.0
/*
 * The Merkle tree of RFC 6962 as a compact range, and audit paths gathered
 * while leaves pass by. Pure functions.
 */
#include <string.h>

#include "tree.h"

static void node_hash(uint8_t out[AUD_HASH], const uint8_t l[AUD_HASH], const uint8_t r[AUD_HASH])
{
	uint8_t both[2 * AUD_HASH];

	memcpy(both, l, AUD_HASH);
	memcpy(both + AUD_HASH, r, AUD_HASH);
	aud_sha256_tagged(out, 1, both, sizeof(both));
}

void aud_leaf_hash(uint8_t out[AUD_HASH], const void *payload, size_t len)
{
	aud_sha256_tagged(out, 0, payload, len);
}

/*
 * Adds a leaf. Each time two subtrees become one, @merged is told: the left one
 * began at leaf @start, each had 2^@level leaves.
 */
typedef void (*merge_fn)(void *arg, uint64_t start, unsigned int level,
			 const uint8_t l[AUD_HASH], const uint8_t r[AUD_HASH]);

static void tree_add(struct aud_tree *t, const uint8_t leaf[AUD_HASH], merge_fn merged, void *arg)
{
	unsigned int n = aud_tree_peaks(t->size);
	uint8_t right[AUD_HASH];

	memcpy(right, leaf, AUD_HASH);
	for (unsigned int level = 0; t->size >> level & 1; level++) {
		uint8_t *left = t->peak[--n];
		uint64_t start = (t->size >> (level + 1)) << (level + 1);

		if (merged)
			merged(arg, start, level, left, right);
		node_hash(right, left, right);
	}
	memcpy(t->peak[n], right, AUD_HASH);
	t->size++;
}

void aud_tree_add(struct aud_tree *t, const uint8_t leaf[AUD_HASH])
{
	tree_add(t, leaf, NULL, NULL);
}

void aud_tree_root(const struct aud_tree *t, uint8_t root[AUD_HASH])
{
	unsigned int n = aud_tree_peaks(t->size);

	if (!n) {
		aud_sha256(root, "", 0);
		return;
	}
	memcpy(root, t->peak[n - 1], AUD_HASH);
	for (n--; n > 0; n--)
		node_hash(root, t->peak[n - 1], root);
}

void aud_proof_init(struct aud_proof *p, const struct aud_tree *before, uint64_t index)
{
	p->index = index;
	p->tree = *before;
	p->count = 0;
}

static void proof_push(struct aud_proof *p, const uint8_t hash[AUD_HASH])
{
	memcpy(p->hash[p->count++], hash, AUD_HASH);
}

static void proof_merged(void *arg, uint64_t start, unsigned int level,
			 const uint8_t l[AUD_HASH], const uint8_t r[AUD_HASH])
{
	struct aud_proof *p = arg;
	uint64_t half = 1ULL << level;

	if (p->index < start || p->index >= start + 2 * half)
		return;
	proof_push(p, p->index < start + half ? r : l);
}

void aud_proof_add(struct aud_proof *p, const uint8_t leaf[AUD_HASH])
{
	tree_add(&p->tree, leaf, proof_merged, p);
}

void aud_proof_end(struct aud_proof *p, uint8_t root[AUD_HASH])
{
	unsigned int n = aud_tree_peaks(p->tree.size);
	uint64_t rest = p->tree.size;	/* leaf at which the part folded so far begins */

	if (!n) {
		aud_tree_root(&p->tree, root);
		return;
	}
	rest &= rest - 1;
	memcpy(root, p->tree.peak[--n], AUD_HASH);
	while (n > 0) {
		uint64_t start = rest & (rest - 1);
		const uint8_t *left = p->tree.peak[--n];

		if (p->index >= rest)
			proof_push(p, left);
		else if (p->index >= start)
			proof_push(p, root);
		node_hash(root, left, root);
		rest = start;
	}
}
