// SPDX-License-Identifier: GPL-2.0
/*
 * Correlation ids. They identify, they do not authorise: nothing may be decided by one.
 */
#include <errno.h>
#include <string.h>

#include "corr.h"

int hf_corr_new(const struct hf_random *r, struct hf_corr *c)
{
	int ret = hf_random_fill(r, c->b, sizeof(c->b));

	if (!ret)
		c->b[0] |= 1;	/* all zero means none */
	return ret;
}

const char *hf_corr_text(const struct hf_corr *c, char buf[HF_CORR_TEXT])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < HF_CORR_BYTES; i++) {
		buf[2 * i] = digits[c->b[i] >> 4];
		buf[2 * i + 1] = digits[c->b[i] & 15];
	}
	buf[HF_CORR_TEXT - 1] = '\0';
	return buf;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hf_corr_parse(const char *text, struct hf_corr *c)
{
	struct hf_corr got;

	if (strnlen(text, HF_CORR_TEXT) != HF_CORR_TEXT - 1)
		return -EINVAL;
	for (int i = 0; i < HF_CORR_BYTES; i++) {
		int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		got.b[i] = (uint8_t)(high << 4 | low);
	}
	if (hf_corr_none(&got))
		return -EINVAL;
	*c = got;
	return 0;
}

bool hf_corr_none(const struct hf_corr *c)
{
	static const struct hf_corr none;

	return !memcmp(c, &none, sizeof(none));
}
