/* links: audit/verify */
// SPDX-License-Identifier: GPL-2.0
/*
 * The verifier on a segment file as it comes, and with all checksums and hashes
 * made right, to get behind them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audit/verify/verify.h"

#define HEADER	256
#define FRAME	40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
	const uint8_t *p;
	size_t n;
};

static ssize_t read_bytes(const struct vfy_file *f, void *buf, size_t len, uint64_t at)
{
	const struct bytes *b = f->arg;

	if (at >= b->n)
		return 0;
	len = len < b->n - at ? len : (size_t)(b->n - at);
	memcpy(buf, b->p + at, len);
	return (ssize_t)len;
}

static void judge(const uint8_t *data, size_t size, const uint8_t *key_id)
{
	static uint8_t window[VFY_WINDOW];
	static struct vfy v;
	struct bytes b = { data, size };
	struct vfy_file f = { .index = 1, .size = size, .read = read_bytes, .arg = &b };
	struct vfy_key key = { .name = "holdfast-audit/x" };
	struct vfy_input in = { .log = &f, .logs = 1, .keys = &key, .key_count = 1,
				.window = window };

	memcpy(key.id, key_id, VFY_HASH);
	vfy_init(&v, &in);
	vfy_run(&v);
	if (v.code == VFY_IO || v.records > size / FRAME)
		abort();
	vfy_end(&v);
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

/* Header and each record get the checksum and the hash that they should have. */
static void make_right(uint8_t *p, size_t size)
{
	uint8_t head[1 + VFY_HASH + 8] = { 0 };
	uint64_t seq = 0;
	size_t at = HEADER;

	put32(p + 252, vfy_crc32c(p, 252, NULL, 0));
	for (int i = 7; i >= 0; i--)
		seq = seq << 8 | p[24 + i];
	memcpy(head + 1, p + 136, VFY_HASH);
	while (at + FRAME < size) {
		uint32_t len = (p[at] | (uint32_t)p[at + 1] << 8) & 0xffff;

		if (len > size - at - FRAME)
			break;
		for (int i = 0; i < 8; i++)
			head[1 + VFY_HASH + i] = (uint8_t)(seq >> (8 * i));
		vfy_sha256(p + at + 8 + len, head, sizeof(head), p + at + 8, len, NULL, 0);
		memcpy(head + 1, p + at + 8 + len, VFY_HASH);
		put32(p + at + 4, vfy_crc32c(p + at, 4, p + at + 8, len + VFY_HASH));
		at += len + FRAME;
		seq++;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t none[VFY_HASH];
	uint8_t *copy;

	judge(data, size, size >= HEADER ? data + 104 : none);
	if (size < HEADER)
		return 0;
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	make_right(copy, size);
	judge(copy, size, copy + 104);
	free(copy);
	return 0;
}
