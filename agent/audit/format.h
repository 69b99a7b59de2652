/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The bytes of a segment file: header, record frame, chain hash
 * (docs/audit-format.md is the norm). Pure functions; no files, no JSON.
 */
#ifndef HF_AUDIT_FORMAT_H
#define HF_AUDIT_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define AUD_HASH		32
#define AUD_ID			16
#define AUD_VERSION		1
#define AUD_HEADER		256
#define AUD_FRAME		40	/* length, CRC and hash around a payload */
#define AUD_PAYLOAD_MAX		(56 * 1024)	/* so that an answer with a record fits into a message */
#define AUD_COMMIT_START	0x80000000U	/* in the length: first record of a commit */

/* Why a segment was begun. */
enum aud_reason {
	AUD_START	= 1,	/* the process started */
	AUD_ROTATE	= 2,	/* size or age of the one before */
	AUD_FAILOVER	= 3,	/* writing to the one before failed: what it has from seq0 on does not count */
	AUD_BREAK	= 4,	/* the one before is damaged: a new chain */
};

struct aud_header {
	uint64_t index;		/* 1, 2, 3, ... over all chains */
	uint64_t seq0;		/* of the first record here */
	uint64_t chain_seq0;	/* of the first record of the chain */
	uint64_t t_ns;
	uint32_t reason;
	uint8_t chain[AUD_ID];
	uint8_t host[AUD_ID];
	uint8_t boot[AUD_ID];
	uint8_t key[AUD_HASH];	/* SHA-256 of the public checkpoint key */
	uint8_t prev[AUD_HASH];	/* hash of record seq0 - 1; zero at the start of a chain */
};

uint32_t aud_crc32c(uint32_t crc, const void *data, size_t len);	/* start with 0 */
void aud_sha256(uint8_t out[AUD_HASH], const void *data, size_t len);
void aud_sha256_tagged(uint8_t out[AUD_HASH], uint8_t tag, const void *data, size_t len);

void aud_header_put(uint8_t out[AUD_HEADER], const struct aud_header *h);
/* Return: 0, -EBADMSG (magic, CRC, reserved bytes, ranges), -EPROTONOSUPPORT (version). */
int aud_header_get(const uint8_t in[AUD_HEADER], struct aud_header *h);

/* hash = SHA-256(0x00 || prev || seq || payload). @prev and @hash may be the same. */
void aud_chain_hash(uint8_t hash[AUD_HASH], const uint8_t prev[AUD_HASH], uint64_t seq,
		    const void *payload, size_t len);

/* Puts a record of @len bytes of payload into @out (len + AUD_FRAME bytes). Return: its size. */
size_t aud_record_put(uint8_t *out, const void *payload, size_t len, const uint8_t hash[AUD_HASH],
		      int commit_start);

struct aud_frame {
	const uint8_t *payload;
	size_t len;
	const uint8_t *hash;
	size_t size;		/* of the whole record */
	int commit_start;
};

/*
 * aud_record_get() - the record at the start of @in
 *
 * Return: 0; 1: nothing here (end, or a length of zero); -EBADMSG: no intact
 * record. Checks length and CRC, not the chain.
 */
int aud_record_get(const uint8_t *in, size_t len, struct aud_frame *f);

/*
 * Is there an intact record with AUD_COMMIT_START anywhere in here? Then what
 * comes before it was durable once, and is no torn tail. Return: 1, 0.
 */
int aud_commit_follows(const uint8_t *in, size_t len);

static inline void aud_put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static inline void aud_put64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static inline uint32_t aud_get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t aud_get64(const uint8_t *p)
{
	return aud_get32(p) | (uint64_t)aud_get32(p + 4) << 32;
}

#endif /* HF_AUDIT_FORMAT_H */
