// SPDX-License-Identifier: GPL-2.0
/*
 * Hashes, CRC, the Merkle tree, and signed notes for the verifier. Only public
 * keys; nothing here signs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

#include "crypto.h"

#define NOTE_MAX	1024
#define DASH		"\xe2\x80\x94 "

uint32_t vfy_crc32c(const void *a, size_t alen, const void *b, size_t blen)
{
	static uint32_t table[256];
	const uint8_t *piece[2] = { a, b };
	const size_t len[2] = { alen, blen };
	uint32_t crc = 0xffffffff;

	if (!table[1])
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = i;

			for (int k = 0; k < 8; k++)
				c = (c >> 1) ^ (0x82f63b78 & (0U - (c & 1)));
			table[i] = c;
		}
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < len[k]; i++)
			crc = (crc >> 8) ^ table[(crc ^ piece[k][i]) & 0xff];
	return ~crc;
}

void vfy_sha256(uint8_t out[VFY_HASH], const void *a, size_t alen, const void *b, size_t blen,
		const void *c, size_t clen)
{
	static EVP_MD_CTX *ctx;
	static EVP_MD *md;

	if (!ctx) {
		ctx = EVP_MD_CTX_new();
		md = EVP_MD_fetch(NULL, "SHA256", NULL);
	}
	if (!ctx || !md || !EVP_DigestInit_ex2(ctx, md, NULL) || !EVP_DigestUpdate(ctx, a, alen) ||
	    (b && !EVP_DigestUpdate(ctx, b, blen)) || (c && !EVP_DigestUpdate(ctx, c, clen)) ||
	    !EVP_DigestFinal_ex(ctx, out, NULL)) {
		fputs("holdfast-audit-verify: no SHA-256 in this OpenSSL\n", stderr);
		exit(70);
	}
}

/* ------------------------------------------------------------------ tree */

static unsigned int peaks(uint64_t size)
{
	unsigned int n = 0;

	for (; size; size &= size - 1)
		n++;
	return n;
}

void vfy_tree_add(struct vfy_tree *t, const void *payload, size_t len)
{
	unsigned int n = peaks(t->size);
	uint64_t size = t->size++;
	uint8_t node[VFY_HASH];

	vfy_sha256(node, "\0", 1, payload, len, NULL, 0);
	for (; size & 1; size >>= 1)
		vfy_sha256(node, "\1", 1, t->peak[--n], VFY_HASH, node, VFY_HASH);
	memcpy(t->peak[n], node, VFY_HASH);
}

void vfy_tree_root(const struct vfy_tree *t, uint8_t root[VFY_HASH])
{
	unsigned int n = peaks(t->size);

	if (!n) {
		vfy_sha256(root, "", 0, NULL, 0, NULL, 0);
		return;
	}
	memcpy(root, t->peak[--n], VFY_HASH);
	while (n)
		vfy_sha256(root, "\1", 1, t->peak[--n], VFY_HASH, root, VFY_HASH);
}

/* ------------------------------------------------------------------ text */

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool vfy_unhex(const char *text, size_t len, uint8_t *out, size_t bytes)
{
	if (len != 2 * bytes)
		return false;
	for (size_t i = 0; i < bytes; i++) {
		int hi = digit(text[2 * i]), lo = digit(text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i] = (uint8_t)(hi * 16 + lo);
	}
	return true;
}

/* Base64 of exactly @bytes bytes, in the one right form. */
static bool unbase64(const char *text, size_t len, uint8_t *out, size_t bytes)
{
	unsigned char buf[256], again[256];
	size_t want = (bytes + 2) / 3 * 4;

	if (len != want || want >= sizeof(again) ||
	    EVP_DecodeBlock(buf, (const unsigned char *)text, (int)len) < (int)bytes)
		return false;
	EVP_EncodeBlock(again, buf, (int)bytes);
	if (memcmp(again, text, len))
		return false;
	memcpy(out, buf, bytes);
	return true;
}

static bool decimal(const char *text, size_t len, uint64_t *out)
{
	uint64_t n = 0;

	if (!len || len > 19 || (len > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text[i] - '0');
	}
	*out = n;
	return true;
}

/* The next line without its end; false if there is no whole one. */
static bool line(const char **p, const char *end, const char **start, size_t *len)
{
	const char *nl = memchr(*p, '\n', (size_t)(end - *p));

	if (!nl)
		return false;
	*start = *p;
	*len = (size_t)(nl - *p);
	*p = nl + 1;
	return true;
}

/* ------------------------------------------------------------------ keys */

static bool key_parse(const char *s, size_t len, struct vfy_key *k)
{
	const char *plus = memchr(s, '+', len), *plus2;
	size_t name = plus ? (size_t)(plus - s) : 0;
	uint8_t raw[1 + VFY_HASH], digest[VFY_HASH];

	if (!name || name >= VFY_NAME)
		return false;
	plus2 = memchr(plus + 1, '+', len - name - 1);
	if (!plus2 || !vfy_unhex(plus + 1, (size_t)(plus2 - plus) - 1, k->hash, 4) ||
	    !unbase64(plus2 + 1, len - (size_t)(plus2 + 1 - s), raw, sizeof(raw)) || raw[0] != 1)
		return false;
	memcpy(k->name, s, name);
	k->name[name] = '\0';
	memcpy(k->raw, raw + 1, VFY_HASH);
	vfy_sha256(k->id, k->raw, VFY_HASH, NULL, 0, NULL, 0);
	vfy_sha256(digest, k->name, name, "\n", 1, raw, sizeof(raw));
	return !memcmp(digest, k->hash, 4);
}

int vfy_keys_parse(const char *text, size_t len, struct vfy_key *keys, int max)
{
	const char *p = text, *s;
	size_t n;
	int count = 0;

	while (line(&p, text + len, &s, &n)) {
		if (!n)
			continue;
		if (count == max || !key_parse(s, n, &keys[count]))
			return -1;
		count++;
	}
	return p == text + len ? count : -1;
}

/* ----------------------------------------------------------------- notes */

static bool origin_parse(const char *s, size_t len, struct vfy_note *note)
{
	static const char prefix[] = "holdfast-audit/";
	size_t n = sizeof(prefix) - 1, id = 2 * (size_t)VFY_ID;

	return len == n + id + 1 + id && !memcmp(s, prefix, n) && s[n + id] == '/' &&
	       vfy_unhex(s + n, id, note->host, VFY_ID) &&
	       vfy_unhex(s + n + id + 1, id, note->chain, VFY_ID);
}

static bool body_parse(const char *text, const char *end, struct vfy_note *note)
{
	const char *p = text, *s;
	size_t n;

	return line(&p, end, &s, &n) && origin_parse(s, n, note) && line(&p, end, &s, &n) &&
	       decimal(s, n, &note->size) && line(&p, end, &s, &n) &&
	       unbase64(s, n, note->root, VFY_HASH) && line(&p, end, &s, &n) && n > 5 &&
	       !memcmp(s, "time ", 5) && decimal(s + 5, n - 5, &note->t_ns) && p == end;
}

static bool signed_by(const struct vfy_key *k, const uint8_t sig[64], const char *text, size_t len)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, k->raw, VFY_HASH);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = key && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
		  EVP_DigestVerify(ctx, sig, 64, (const uint8_t *)text, len) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok;
}

static bool signature_line(const struct vfy_key *keys, int n, const char *s, size_t len,
			   const char *text, size_t text_len)
{
	uint8_t sig[4 + 64];

	for (int i = 0; i < n; i++) {
		size_t name = strlen(keys[i].name), skip = sizeof(DASH) - 1 + name + 1;

		if (len <= skip || memcmp(s, DASH, sizeof(DASH) - 1) ||
		    memcmp(s + sizeof(DASH) - 1, keys[i].name, name) || s[skip - 1] != ' ' ||
		    !unbase64(s + skip, len - skip, sig, sizeof(sig)) ||
		    memcmp(sig, keys[i].hash, 4))
			continue;
		if (signed_by(&keys[i], sig + 4, text, text_len))
			return true;
	}
	return false;
}

enum vfy_note_result vfy_note_read(const struct vfy_key *keys, int n, const char *text, size_t len,
				   struct vfy_note *note, size_t *used)
{
	const char *p = text, *end = text + len, *s, *body_end;
	size_t m = 1;
	bool whole = true;

	while (whole && m)
		whole = line(&p, end, &s, &m);
	body_end = p - 1;
	if (whole)
		whole = line(&p, end, &s, &m);
	if (!whole)
		return len < NOTE_MAX ? VFY_NOTE_CUT : VFY_NOTE_BAD;
	*used = (size_t)(p - text);
	if (!body_parse(text, body_end, note) ||
	    !signature_line(keys, n, s, m, text, (size_t)(body_end - text)))
		return VFY_NOTE_BAD;
	return VFY_NOTE_OK;
}
