// SPDX-License-Identifier: GPL-2.0
/*
 * Just enough JSON to judge a record. No allocation, no recursion beyond
 * DEPTH_MAX.
 */
#include <string.h>

#include "json.h"

#define DEPTH_MAX	64

struct reader {
	const char *p, *end;
};

static bool value(struct reader *r, int depth);

static bool take(struct reader *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

static bool word(struct reader *r, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, w, n))
		return false;
	r->p += n;
	return true;
}

/* The shortest form, nothing that is no character. */
static bool utf8(struct reader *r)
{
	const unsigned char *p = (const unsigned char *)r->p;
	size_t left = (size_t)(r->end - r->p), n;
	uint32_t c;

	n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 :
	    p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
	if (!n || left < n)
		return false;
	c = n == 1 ? p[0] : p[0] & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return false;
		c = c << 6 | (p[i] & 0x3f);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) ||
	    (c >= 0xd800 && c < 0xe000))
		return false;
	r->p += n;
	return true;
}

/* Behind a backslash: what has a short form uses it, the other controls are \u00XX. */
static bool escape(struct reader *r)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned int c;
	const char *lo;

	if (r->p == r->end)
		return false;
	if (*r->p != 'u')
		return memchr("\"\\bfnrt", *r->p, 7) && r->p++;
	if (!word(r, "u00") || r->end - r->p < 2 || (r->p[0] != '0' && r->p[0] != '1'))
		return false;
	lo = memchr(hex, r->p[1], 16);
	if (!lo)
		return false;
	c = (unsigned int)(r->p[0] - '0') * 16 + (unsigned int)(lo - hex);
	r->p += 2;
	return !memchr("\b\f\n\r\t", (int)c, 5);
}

static bool string(struct reader *r)
{
	if (!take(r, '"'))
		return false;
	while (r->p < r->end && *r->p != '"') {
		if ((unsigned char)*r->p < 0x20)
			return false;
		if (*r->p == '\\') {
			r->p++;
			if (!escape(r))
				return false;
		} else if (!utf8(r)) {
			return false;
		}
	}
	return take(r, '"');
}

static bool integer(struct reader *r)
{
	const char *start;
	bool minus = take(r, '-');

	start = r->p;
	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	if (r->p == start || r->p - start > 19)
		return false;
	return *start != '0' || (r->p - start == 1 && !minus);
}

/* Do the bytes of @a come before those of @b? Keys with escapes are not compared. */
static bool sorted(struct vfy_span a, struct vfy_span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order;

	if (memchr(a.p, '\\', a.n) || memchr(b.p, '\\', b.n))
		return true;
	order = memcmp(a.p, b.p, n);
	return order < 0 || (!order && a.n < b.n);
}

static bool object(struct reader *r, int depth)
{
	struct vfy_span last = { NULL, 0 };

	if (take(r, '}'))
		return true;
	do {
		struct vfy_span key = { r->p + 1, 0 };

		if (!string(r))
			return false;
		key.n = (size_t)(r->p - key.p) - 1;
		if ((last.p && !sorted(last, key)) || !take(r, ':') || !value(r, depth))
			return false;
		last = key;
	} while (take(r, ','));
	return take(r, '}');
}

static bool array(struct reader *r, int depth)
{
	if (take(r, ']'))
		return true;
	do
		if (!value(r, depth))
			return false;
	while (take(r, ','));
	return take(r, ']');
}

static bool value(struct reader *r, int depth)
{
	if (r->p == r->end || depth > DEPTH_MAX)
		return false;
	switch (*r->p) {
	case '{':
		r->p++;
		return object(r, depth + 1);
	case '[':
		r->p++;
		return array(r, depth + 1);
	case '"':
		return string(r);
	case 't':
		return word(r, "true");
	case 'f':
		return word(r, "false");
	case 'n':
		return word(r, "null");
	default:
		return integer(r);
	}
}

bool vfy_json_canonical(struct vfy_span text)
{
	struct reader r = { text.p, text.p + text.n };

	return value(&r, 0) && r.p == r.end;
}

/* A value that is known to be canonical. */
static bool pass(struct reader *r, struct vfy_span *out)
{
	out->p = r->p;
	if (!value(r, 0))
		return false;
	out->n = (size_t)(r->p - out->p);
	return true;
}

bool vfy_json_get(struct vfy_span obj, const char *key, struct vfy_span *out)
{
	struct reader r = { obj.p, obj.p + obj.n };
	size_t n = strlen(key);
	struct vfy_span k;

	if (!take(&r, '{'))
		return false;
	while (pass(&r, &k) && take(&r, ':') && pass(&r, out)) {
		if (k.n == n + 2 && !memcmp(k.p + 1, key, n))
			return true;
		if (!take(&r, ','))
			break;
	}
	return false;
}

bool vfy_json_next(struct vfy_span *rest, struct vfy_span *out)
{
	struct reader r = { rest->p, rest->p + rest->n };

	if ((!take(&r, '[') && !take(&r, ',')) || !pass(&r, out))
		return false;
	*rest = (struct vfy_span){ r.p, (size_t)(r.end - r.p) };
	return true;
}

bool vfy_json_u64(struct vfy_span v, uint64_t *out)
{
	uint64_t n = 0;

	if (!v.n || v.n > 19)
		return false;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(v.p[i] - '0');
	}
	*out = n;
	return true;
}

bool vfy_json_is(struct vfy_span v, const char *text)
{
	size_t n = strlen(text);

	return v.n == n + 2 && v.p[0] == '"' && !memcmp(v.p + 1, text, n);
}
