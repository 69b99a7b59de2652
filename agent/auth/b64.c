// SPDX-License-Identifier: GPL-2.0
/*
 * Base64 and base32 of RFC 4648, without padding.
 */
#include <errno.h>

#include "b64.h"

static char digit(enum hf_b64 kind, unsigned int v)
{
	if (v < 26)
		return (char)('A' + v);
	if (v < 52)
		return (char)('a' + v - 26);
	if (v < 62)
		return (char)('0' + v - 52);
	if (v == 62)
		return kind == HF_B64_URL ? '-' : '+';
	return kind == HF_B64_URL ? '_' : '/';
}

static int value(enum hf_b64 kind, char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (kind == HF_B64_URL ? '-' : '+'))
		return 62;
	if (c == (kind == HF_B64_URL ? '_' : '/'))
		return 63;
	return -1;
}

size_t hf_b64_encode(enum hf_b64 kind, const uint8_t *in, size_t len, char *out)
{
	unsigned int bits = 0, have = 0;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		bits = (bits << 8) | in[i];
		for (have += 8; have >= 6; have -= 6)
			out[n++] = digit(kind, (bits >> (have - 6)) & 63);
	}
	if (have)
		out[n++] = digit(kind, (bits << (6 - have)) & 63);
	out[n] = '\0';
	return n;
}

ssize_t hf_b64_decode(enum hf_b64 kind, const char *in, size_t len, uint8_t *out, size_t max)
{
	unsigned int bits = 0, have = 0;
	size_t n = 0;

	if (len % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int v = value(kind, in[i]);

		if (v < 0)
			return -EINVAL;
		bits = (bits << 6) | (unsigned int)v;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (n == max)
			return -ENOSPC;
		out[n++] = (uint8_t)(bits >> have);
	}
	if (bits & ((1U << have) - 1))
		return -EINVAL;
	return (ssize_t)n;
}

void hf_b32_encode(const uint8_t *in, size_t len, char *out)
{
	unsigned int bits = 0, have = 0;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		bits = (bits << 8) | in[i];
		for (have += 8; have >= 5; have -= 5)
			out[n++] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(bits >> (have - 5)) & 31];
	}
	if (have)
		out[n++] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(bits << (5 - have)) & 31];
	out[n] = '\0';
}
