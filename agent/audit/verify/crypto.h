/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hashes, CRC, the Merkle tree, and signed notes for the verifier: written from
 * docs/audit-format.md, not from the writer's code.
 */
#ifndef HF_VERIFY_CRYPTO_H
#define HF_VERIFY_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VFY_HASH	32
#define VFY_ID		16
#define VFY_KEYS	16
#define VFY_NAME	128

uint32_t vfy_crc32c(const void *a, size_t alen, const void *b, size_t blen);
/* SHA-256 of up to three pieces one after the other; NULL ends them early. */
void vfy_sha256(uint8_t out[VFY_HASH], const void *a, size_t alen, const void *b, size_t blen,
		const void *c, size_t clen);

struct vfy_tree {
	uint64_t size;
	uint8_t peak[64][VFY_HASH];
};

void vfy_tree_add(struct vfy_tree *t, const void *payload, size_t len);
void vfy_tree_root(const struct vfy_tree *t, uint8_t root[VFY_HASH]);

struct vfy_key {
	char name[VFY_NAME];
	uint8_t hash[4];
	uint8_t raw[VFY_HASH];
	uint8_t id[VFY_HASH];	/* SHA-256 of raw */
};

/* Verifier keys, one a line. Return: how many (up to @max); -1: malformed. */
int vfy_keys_parse(const char *text, size_t len, struct vfy_key *keys, int max);

struct vfy_note {
	uint8_t host[VFY_ID], chain[VFY_ID];
	uint64_t size, t_ns;
	uint8_t root[VFY_HASH];
};

enum vfy_note_result { VFY_NOTE_OK, VFY_NOTE_CUT, VFY_NOTE_BAD };

/* The signed note at the start of @text. @used: out, its bytes. */
enum vfy_note_result vfy_note_read(const struct vfy_key *keys, int n, const char *text, size_t len,
				   struct vfy_note *note, size_t *used);

bool vfy_unhex(const char *text, size_t len, uint8_t *out, size_t bytes);

#endif /* HF_VERIFY_CRYPTO_H */
