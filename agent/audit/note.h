/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checkpoints: the text that is signed (C2SP tlog-checkpoint in a signed note)
 * and the Ed25519 key it is signed with. The key leaves this file only as
 * signatures and as its public half.
 */
#ifndef HF_AUDIT_NOTE_H
#define HF_AUDIT_NOTE_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "format.h"

#define AUD_KEY_FILE	"checkpoint.key"	/* PKCS #8 PEM, 0600 */
#define AUD_PUB_FILE	"checkpoint.pub"	/* verifier keys, one a line, the newest last */
#define AUD_ORIGIN	96
#define AUD_NOTE_MAX	640
#define AUD_B64(n)	(((n) + 2) / 3 * 4 + 1)	/* with NUL */
#define AUD_HEX_ID	(2 * AUD_ID + 1)
#define AUD_HEX_HASH	(2 * AUD_HASH + 1)

struct aud_key;

/* Takes the key in @dirfd, or makes one (with @host in its name) if there is none. */
int aud_key_open(struct aud_key **out, int dirfd, const uint8_t host[AUD_ID], struct hf_err *e);
void aud_key_free(struct aud_key *k);
/* SHA-256 of the raw public key: in segment headers. */
const uint8_t *aud_key_id(const struct aud_key *k);
/* "name+hash+base64", as in AUD_PUB_FILE. */
const char *aud_key_text(const struct aud_key *k);
const char *aud_key_name(const struct aud_key *k);

/**
 * struct aud_checkpoint - what is signed
 * @size:	records of the chain
 *
 * Nothing else: whoever has origin, size, root, time, key name and signature (HF_MSG_ANCHOR)
 * can write the note again. The boot is in what the root stands for.
 */
struct aud_checkpoint {
	uint8_t host[AUD_ID];
	uint8_t chain[AUD_ID];
	uint64_t size;
	uint64_t t_ns;
	uint8_t root[AUD_HASH];
};

/* A signed checkpoint, whole and in parts. */
struct aud_note {
	char text[AUD_NOTE_MAX];
	size_t len;
	char origin[AUD_ORIGIN];
	char root[AUD_B64(AUD_HASH)];
	char signature[AUD_B64(4 + 64)];	/* key hash and signature, as in the note */
};

int aud_note_sign(const struct aud_key *k, const struct aud_checkpoint *cp, struct aud_note *n);
/*
 * aud_note_read() - the checkpoint at the start of @text, if it is one of ours
 * @used:	out: bytes it takes
 * Return: 0; -EAGAIN: incomplete; -EBADMSG: malformed or not signed by this key.
 */
int aud_note_read(const struct aud_key *k, const char *text, size_t len, struct aud_checkpoint *cp,
		  size_t *used);

const char *aud_hex(const uint8_t *p, size_t len, char *out);	/* @out: 2 * len + 1 */
int aud_unhex(const char *text, uint8_t *out, size_t len);	/* 0, -EINVAL */

#endif /* HF_AUDIT_NOTE_H */
