// SPDX-License-Identifier: GPL-2.0
/*
 * The bytes of a segment: header, frames, and a window through which a file of
 * any size is read. No meaning, no verdicts.
 */
#include <string.h>

#include "verify.h"

#define HEADER		256
#define FRAME		40
#define PAYLOAD_MAX	(56 * 1024)
#define RECORD_MAX	(PAYLOAD_MAX + FRAME)
#define COMMIT_START	0x80000000U
#define CANDIDATES_MAX	4096

static const char first_key[] = "{\"action\":\"";

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t le64(const uint8_t *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

static bool zeros(const uint8_t *p, size_t n)
{
	while (n && !*p)
		p++, n--;
	return !n;
}

static ssize_t read_some(const struct vfy_file *f, uint8_t *buf, size_t len, uint64_t at)
{
	size_t have = 0;

	while (have < len && at + have < f->size) {
		size_t want = len - have;
		ssize_t n;

		if (want > f->size - at - have)
			want = (size_t)(f->size - at - have);
		n = f->read(f, buf + have, want, at + have);
		if (n < 0)
			return -1;
		if (!n)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

int vfy_header_read(const struct vfy_file *f, struct vfy_header *h)
{
	uint8_t b[HEADER];

	if (read_some(f, b, HEADER, 0) != HEADER || memcmp(b, "HFAUDIT\n", 8) ||
	    le32(b + 252) != vfy_crc32c(b, 252, NULL, 0) || le32(b + 8) != 1 ||
	    le32(b + 12) != HEADER || !zeros(b + 52, 4) || !zeros(b + 168, 84))
		return -1;
	*h = (struct vfy_header){ .index = le64(b + 16), .seq0 = le64(b + 24),
				  .chain_seq0 = le64(b + 32), .t_ns = le64(b + 40),
				  .reason = le32(b + 48) };
	memcpy(h->chain, b + 56, VFY_ID);
	memcpy(h->host, b + 72, VFY_ID);
	memcpy(h->boot, b + 88, VFY_ID);
	memcpy(h->key, b + 104, VFY_HASH);
	memcpy(h->prev, b + 136, VFY_HASH);
	vfy_sha256(h->digest, b, HEADER, NULL, 0, NULL, 0);
	return h->reason >= 1 && h->reason <= 4 && h->chain_seq0 && h->seq0 >= h->chain_seq0 ? 0 :
											       -1;
}

/* Bytes from @at on, at least @want unless the file ends. Return: how many, -1. */
static ssize_t look(struct vfy_input *in, const struct vfy_file *f, uint64_t at, size_t want,
		    const uint8_t **p)
{
	uint64_t left = f->size > at ? f->size - at : 0;

	if (want > left)
		want = (size_t)left;
	if (in->window_log != f || at < in->window_at ||
	    at + want > in->window_at + in->window_len) {
		ssize_t n = read_some(f, in->window, VFY_WINDOW, at);

		in->window_log = n < 0 ? NULL : f;
		in->window_at = at;
		in->window_len = n < 0 ? 0 : (size_t)n;
		if (n < 0)
			return -1;
	}
	*p = in->window + (at - in->window_at);
	return (ssize_t)(in->window_at + in->window_len - at);
}

static enum vfy_frame_result frame(const uint8_t *p, size_t n, struct vfy_frame *out)
{
	uint32_t word, len;

	if (n < 4)
		return zeros(p, n) ? VFY_FRAME_END : VFY_FRAME_BAD;
	word = le32(p);
	len = word & ~COMMIT_START;
	if (!word)
		return VFY_FRAME_END;
	if (len < sizeof(first_key) || len > PAYLOAD_MAX || len + FRAME > n ||
	    le32(p + 4) != vfy_crc32c(p, 4, p + 8, len + VFY_HASH))
		return VFY_FRAME_BAD;
	out->payload = (struct vfy_span){ (const char *)p + 8, len };
	out->hash = p + 8 + len;
	out->size = len + FRAME;
	return VFY_FRAME_OK;
}

enum vfy_frame_result vfy_frame_read(struct vfy_input *in, const struct vfy_file *f, uint64_t at,
				     struct vfy_frame *out)
{
	const uint8_t *p;
	ssize_t n = look(in, f, at, RECORD_MAX, &p);

	return n < 0 ? VFY_FRAME_IO : frame(p, (size_t)n, out);
}

int vfy_blank(struct vfy_input *in, const struct vfy_file *f, uint64_t at)
{
	const uint8_t *p;
	ssize_t n;

	while ((n = look(in, f, at, 1, &p)) > 0) {
		if (!zeros(p, (size_t)n))
			return 0;
		at += (uint64_t)n;
	}
	return n < 0 ? -1 : 1;
}

/* Return: candidates seen, -1: found. */
static int commit_in(const uint8_t *p, size_t n, int tries)
{
	const uint8_t *q = p;
	struct vfy_frame f;

	while (tries < CANDIDATES_MAX) {
		q = memmem(q, n - (size_t)(q - p), first_key, sizeof(first_key) - 1);
		if (!q)
			return tries;
		if (q - p >= 8 && le32(q - 8) & COMMIT_START &&
		    frame(q - 8, n - (size_t)(q - 8 - p), &f) == VFY_FRAME_OK)
			return -1;
		q++;
		tries++;
	}
	return -1;	/* so many pieces of records are no torn commit */
}

int vfy_commit_follows(struct vfy_input *in, const struct vfy_file *f, uint64_t at)
{
	const uint8_t *p;
	int tries = 0;
	ssize_t n;

	while ((n = look(in, f, at, VFY_WINDOW, &p)) > 0) {
		tries = commit_in(p, (size_t)n, tries);
		if (tries < 0)
			return 1;
		if (n <= RECORD_MAX)
			break;
		at += (uint64_t)n - RECORD_MAX;
	}
	return n < 0 ? -1 : 0;
}
