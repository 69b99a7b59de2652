// SPDX-License-Identifier: GPL-2.0
/*
 * The bytes of a segment file: header, record frame, chain hash. Pure
 * functions; no files, no JSON.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

#include "format.h"

static const uint8_t magic[8] = { 'H', 'F', 'A', 'U', 'D', 'I', 'T', '\n' };

/* Every payload begins with this, for its keys are sorted. */
static const char first_key[] = "{\"action\":\"";

/* Damaged logs are searched for intact records, but not for ever. */
#define CANDIDATES_MAX	4096

/* ------------------------------------------------------------- checksums */

static uint32_t crc_table[8][256];

/* Eight bytes per step ("slicing by 8"); the polynomial is Castagnoli's. */
static void crc_init(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ 0x82f63b78U : c >> 1;
		crc_table[0][i] = c;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int t = 1; t < 8; t++)
			crc_table[t][i] = crc_table[t - 1][i] >> 8 ^
					  crc_table[0][crc_table[t - 1][i] & 0xff];
}

uint32_t aud_crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	if (!crc_table[0][1])
		crc_init();
	crc = ~crc;
	for (; len >= 8; len -= 8, p += 8) {
		uint32_t lo = crc ^ aud_get32(p), hi = aud_get32(p + 4);

		crc = crc_table[7][lo & 0xff] ^ crc_table[6][lo >> 8 & 0xff] ^
		      crc_table[5][lo >> 16 & 0xff] ^ crc_table[4][lo >> 24] ^
		      crc_table[3][hi & 0xff] ^ crc_table[2][hi >> 8 & 0xff] ^
		      crc_table[1][hi >> 16 & 0xff] ^ crc_table[0][hi >> 24];
	}
	while (len--)
		crc = crc >> 8 ^ crc_table[0][(crc ^ *p++) & 0xff];
	return ~crc;
}

/* Fetched once (fetching costs more than hashing a record); freed by OpenSSL's own exit handler. */
static EVP_MD_CTX *sha_begin(void)
{
	static EVP_MD *sha256;
	static EVP_MD_CTX *ctx;

	if (!ctx) {
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
		ctx = EVP_MD_CTX_new();
	}
	if (!sha256 || !ctx || !EVP_DigestInit_ex2(ctx, sha256, NULL))
		abort();	/* without hashes there is no log */
	return ctx;
}

void aud_sha256(uint8_t out[AUD_HASH], const void *data, size_t len)
{
	EVP_MD_CTX *ctx = sha_begin();

	if (!EVP_DigestUpdate(ctx, data, len) || !EVP_DigestFinal_ex(ctx, out, NULL))
		abort();
}

void aud_sha256_tagged(uint8_t out[AUD_HASH], uint8_t tag, const void *data, size_t len)
{
	EVP_MD_CTX *ctx = sha_begin();

	if (!EVP_DigestUpdate(ctx, &tag, 1) || !EVP_DigestUpdate(ctx, data, len) ||
	    !EVP_DigestFinal_ex(ctx, out, NULL))
		abort();
}

void aud_chain_hash(uint8_t hash[AUD_HASH], const uint8_t prev[AUD_HASH], uint64_t seq,
		    const void *payload, size_t len)
{
	EVP_MD_CTX *ctx = sha_begin();
	uint8_t head[1 + AUD_HASH + 8];

	head[0] = 0;
	memcpy(head + 1, prev, AUD_HASH);
	aud_put64(head + 1 + AUD_HASH, seq);
	if (!EVP_DigestUpdate(ctx, head, sizeof(head)) || !EVP_DigestUpdate(ctx, payload, len) ||
	    !EVP_DigestFinal_ex(ctx, hash, NULL))
		abort();
}

/* ---------------------------------------------------------------- header */

/* Offsets in the header. */
enum {
	H_MAGIC = 0, H_VERSION = 8, H_SIZE = 12, H_INDEX = 16, H_SEQ0 = 24, H_CHAIN_SEQ0 = 32,
	H_TIME = 40, H_REASON = 48, H_RESERVED1 = 52, H_CHAIN = 56, H_HOST = 72, H_BOOT = 88,
	H_KEY = 104, H_PREV = 136, H_RESERVED2 = 168, H_CRC = 252,
};

void aud_header_put(uint8_t out[AUD_HEADER], const struct aud_header *h)
{
	memset(out, 0, AUD_HEADER);
	memcpy(out + H_MAGIC, magic, sizeof(magic));
	aud_put32(out + H_VERSION, AUD_VERSION);
	aud_put32(out + H_SIZE, AUD_HEADER);
	aud_put64(out + H_INDEX, h->index);
	aud_put64(out + H_SEQ0, h->seq0);
	aud_put64(out + H_CHAIN_SEQ0, h->chain_seq0);
	aud_put64(out + H_TIME, h->t_ns);
	aud_put32(out + H_REASON, h->reason);
	memcpy(out + H_CHAIN, h->chain, AUD_ID);
	memcpy(out + H_HOST, h->host, AUD_ID);
	memcpy(out + H_BOOT, h->boot, AUD_ID);
	memcpy(out + H_KEY, h->key, AUD_HASH);
	memcpy(out + H_PREV, h->prev, AUD_HASH);
	aud_put32(out + H_CRC, aud_crc32c(0, out, H_CRC));
}

static int all_zero(const uint8_t *p, size_t len)
{
	while (len--)
		if (*p++)
			return 0;
	return 1;
}

int aud_header_get(const uint8_t in[AUD_HEADER], struct aud_header *h)
{
	if (memcmp(in, magic, sizeof(magic)) || aud_get32(in + H_CRC) != aud_crc32c(0, in, H_CRC))
		return -EBADMSG;
	if (aud_get32(in + H_VERSION) != AUD_VERSION || aud_get32(in + H_SIZE) != AUD_HEADER)
		return -EPROTONOSUPPORT;
	h->index = aud_get64(in + H_INDEX);
	h->seq0 = aud_get64(in + H_SEQ0);
	h->chain_seq0 = aud_get64(in + H_CHAIN_SEQ0);
	h->t_ns = aud_get64(in + H_TIME);
	h->reason = aud_get32(in + H_REASON);
	memcpy(h->chain, in + H_CHAIN, AUD_ID);
	memcpy(h->host, in + H_HOST, AUD_ID);
	memcpy(h->boot, in + H_BOOT, AUD_ID);
	memcpy(h->key, in + H_KEY, AUD_HASH);
	memcpy(h->prev, in + H_PREV, AUD_HASH);
	if (!all_zero(in + H_RESERVED1, 4) || !all_zero(in + H_RESERVED2, H_CRC - H_RESERVED2) ||
	    h->reason < AUD_START || h->reason > AUD_BREAK || !h->index || !h->chain_seq0 ||
	    h->seq0 < h->chain_seq0 || h->seq0 > INT64_MAX)
		return -EBADMSG;
	return 0;
}

/* ---------------------------------------------------------------- record */

static uint32_t record_crc(const uint8_t *rec, size_t len)
{
	uint32_t crc = aud_crc32c(0, rec, 4);

	return aud_crc32c(crc, rec + 8, len + AUD_HASH);
}

size_t aud_record_put(uint8_t *out, const void *payload, size_t len, const uint8_t hash[AUD_HASH],
		      int commit_start)
{
	aud_put32(out, (uint32_t)len | (commit_start ? AUD_COMMIT_START : 0));
	memcpy(out + 8, payload, len);
	memcpy(out + 8 + len, hash, AUD_HASH);
	aud_put32(out + 4, record_crc(out, len));
	return len + AUD_FRAME;
}

int aud_record_get(const uint8_t *in, size_t len, struct aud_frame *f)
{
	uint32_t word;

	if (len < 4)
		return all_zero(in, len) ? 1 : -EBADMSG;
	word = aud_get32(in);
	if (!word)
		return 1;
	f->len = word & ~AUD_COMMIT_START;
	f->size = f->len + AUD_FRAME;
	if (f->len < sizeof(first_key) || f->len > AUD_PAYLOAD_MAX || f->size > len)
		return -EBADMSG;
	if (aud_get32(in + 4) != record_crc(in, f->len))
		return -EBADMSG;
	f->payload = in + 8;
	f->hash = in + 8 + f->len;
	f->commit_start = !!(word & AUD_COMMIT_START);
	return 0;
}

int aud_commit_follows(const uint8_t *in, size_t len)
{
	const uint8_t *p = in, *end = in + len;
	struct aud_frame f;

	for (int tries = 0; tries < CANDIDATES_MAX; tries++) {
		p = memmem(p, (size_t)(end - p), first_key, sizeof(first_key) - 1);
		if (!p)
			return 0;
		if (p - in >= 8 && !aud_record_get(p - 8, (size_t)(end - p) + 8, &f) &&
		    f.commit_start)
			return 1;
		p++;
	}
	return 1;	/* that many pieces of records are no torn commit */
}
