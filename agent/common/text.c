// SPDX-License-Identifier: GPL-2.0
/*
 * Which text from outside is text: well-formed UTF-8 that cannot move a
 * cursor, end a line or turn the order of what is shown.
 */
#include <string.h>

#include "field.h"
#include "text.h"

int32_t hf_utf8_next(const char *s, size_t len, size_t *used)
{
	static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = (const uint8_t *)s;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 :
		   p[0] < 0xf5 ? 4 : 0;
	int32_t c = n == 1 ? p[0] : p[0] & (0x7f >> n);

	if (!n || n > len)
		return -1;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return -1;
	*used = n;
	return c;
}

static bool code_point_ok(int32_t c, bool lines)
{
	if (c == '\n' || c == '\t')
		return lines;
	if (c < 0x20 || (c >= 0x7f && c <= 0x9f))
		return false;		/* controls */
	if (c == 0x2028 || c == 0x2029)
		return false;		/* line and paragraph separators */
	if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return false;		/* they turn the order of what stands beside them */
	return !(c >= 0xfdd0 && c <= 0xfdef) && (c & 0xfffe) != 0xfffe;	/* noncharacters */
}

bool hf_text_ok(const char *s, size_t len, bool lines)
{
	while (len) {
		size_t used;
		int32_t c = hf_utf8_next(s, len, &used);

		if (c < 0 || !code_point_ok(c, lines))
			return false;
		s += used;
		len -= used;
	}
	return true;
}

bool hf_name_ok(const char *s)
{
	size_t len = strnlen(s, 33);

	return len >= 1 && len <= 32 && s[0] >= 'a' && s[0] <= 'z' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}
