/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The Merkle tree of RFC 6962 over the payloads of a chain, as a compact
 * range: the roots of its complete subtrees. Pure functions.
 */
#ifndef HF_AUDIT_TREE_H
#define HF_AUDIT_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "format.h"

#define AUD_PEAKS	64
#define AUD_PROOF_MAX	(2 * AUD_PEAKS)

/* One peak per bit of @size, the largest subtree first. */
struct aud_tree {
	uint64_t size;
	uint8_t peak[AUD_PEAKS][AUD_HASH];
};

static inline unsigned int aud_tree_peaks(uint64_t size)
{
	return (unsigned int)__builtin_popcountll(size);
}

void aud_leaf_hash(uint8_t out[AUD_HASH], const void *payload, size_t len);
void aud_tree_add(struct aud_tree *t, const uint8_t leaf[AUD_HASH]);
void aud_tree_root(const struct aud_tree *t, uint8_t root[AUD_HASH]);

/**
 * struct aud_proof - the audit path of leaf @index, gathered while the tree grows
 * @count:	of @hash, from the leaf upwards
 */
struct aud_proof {
	uint64_t index;
	struct aud_tree tree;
	unsigned int count;
	uint8_t hash[AUD_PROOF_MAX][AUD_HASH];
};

/* Starts with the tree as it is before @index (or before anything left of it). */
void aud_proof_init(struct aud_proof *p, const struct aud_tree *before, uint64_t index);
void aud_proof_add(struct aud_proof *p, const uint8_t leaf[AUD_HASH]);
/* When the tree has the size of the checkpoint: the rest of the path, and the root. */
void aud_proof_end(struct aud_proof *p, uint8_t root[AUD_HASH]);

#endif /* HF_AUDIT_TREE_H */
