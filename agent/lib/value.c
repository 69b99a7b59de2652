// SPDX-License-Identifier: GPL-2.0
/*
 * Values of limits, between the kernel's integer units and what people write.
 * Integer arithmetic only: a limit is never rounded behind the user's back,
 * but for percent, which goes to the tighter side.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* value = number * num / den in the kernel's unit */
struct suffix {
	const char *unit;	/* the kernel's */
	const char *text;	/* what people write */
	int64_t num;
	int64_t den;
	int decimals;		/* when printed with this suffix; -1: parse only */
};

static const struct suffix suffixes[] = {
	{ "q16", "%", 65535, 100, 2 },
	{ "q16/ms", "%/ms", 65535, 100, 2 },
	{ "turn/65536/ms", "turn/ms", 65536, 1, 3 },
	{ "ppm", "%", 10000, 1, 3 },
	{ "uW", "W", 1000000, 1, 3 }, { "uW", "mW", 1000, 1, -1 }, { "uW", "uW", 1, 1, -1 },
	{ "uJ", "J", 1000000, 1, 3 }, { "uJ", "kJ", 1000000000, 1, -1 }, { "uJ", "uJ", 1, 1, -1 },
	{ "mK", "K", 1000, 1, 3 }, { "mK", "mK", 1, 1, -1 },
	{ "mK/s", "K/s", 1000, 1, 3 }, { "mK/s", "mK/s", 1, 1, -1 },
	{ "mC", "C", 1000, 1, 1 }, { "mC", "mC", 1, 1, -1 },
	{ "mV", "V", 1000, 1, 3 }, { "mV", "mV", 1, 1, -1 },
	{ "mA", "A", 1000, 1, 3 }, { "mA", "mA", 1, 1, -1 },
	{ "mPa", "Pa", 1000, 1, 3 }, { "mPa", "kPa", 1000000, 1, -1 }, { "mPa", "mPa", 1, 1, -1 },
	{ "um", "mm", 1000, 1, 3 }, { "um", "cm", 10000, 1, -1 }, { "um", "m", 1000000, 1, -1 },
	{ "um", "um", 1, 1, -1 },
	{ "ns", "ms", 1000000, 1, 3 }, { "ns", "us", 1000, 1, -1 },
	{ "ns", "s", 1000000000, 1, -1 }, { "ns", "ns", 1, 1, -1 },
	{ "us", "ms", 1000, 1, 3 }, { "us", "s", 1000000, 1, -1 }, { "us", "us", 1, 1, -1 },
	{ "ms", "ms", 1, 1, 0 }, { "ms", "s", 1000, 1, -1 }, { "ms", "min", 60000, 1, -1 },
	{ "ms", "h", 3600000, 1, -1 },
	{ "Pa2s", "Pa2s", 1, 1, 0 },
	{ "rpm", "rpm", 1, 1, 0 },
	{ "frames", "frames", 1, 1, 0 },
};

#define HF_SUFFIXES	(sizeof(suffixes) / sizeof(suffixes[0]))

static const struct suffix *suffix_to_print(const char *unit)
{
	for (size_t i = 0; i < HF_SUFFIXES; i++)
		if (suffixes[i].decimals >= 0 && !strcmp(suffixes[i].unit, unit))
			return &suffixes[i];
	return NULL;
}

char *holdfast_value_print(int64_t value, const char *unit, char *buf, size_t len)
{
	const struct suffix *s = suffix_to_print(unit);

	if (!s)
		snprintf(buf, len, "%" PRId64 " %s", value, unit);
	else
		snprintf(buf, len, "%.*f %s", s->decimals,
			 (double)value * (double)s->den / (double)s->num, s->text);
	return buf;
}

/* The suffixes of a unit, for an error: "W, mW, uW". */
static void suffix_list(const char *unit, char *buf, size_t len)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < HF_SUFFIXES && used < len; i++)
		if (!strcmp(suffixes[i].unit, unit))
			used += (size_t)snprintf(buf + used, len - used, "%s%s", used ? ", " : "",
						 suffixes[i].text);
}

static const struct suffix *suffix_find(const char *unit, const char *text)
{
	for (size_t i = 0; i < HF_SUFFIXES; i++)
		if (!strcmp(suffixes[i].unit, unit) && !strcmp(suffixes[i].text, text))
			return &suffixes[i];
	return NULL;
}

struct decimal {
	int64_t digits;		/* with sign */
	int64_t scale;		/* digits / scale is the number */
	bool fraction;		/* had a point */
};

/* [+-]digits[.digits]; at most 15 digits. Returns what follows, or NULL. */
static const char *decimal_parse(const char *p, struct decimal *d)
{
	bool negative = *p == '-';
	int n = 0;

	*d = (struct decimal){ .scale = 1 };
	if (*p == '-' || *p == '+')
		p++;
	for (;; p++) {
		if (*p == '.' && !d->fraction && n) {
			d->fraction = true;
			if (p[1] < '0' || p[1] > '9')
				return NULL;
			continue;
		}
		if (*p < '0' || *p > '9')
			break;
		if (++n > 15)
			return NULL;
		d->digits = d->digits * 10 + (*p - '0');
		if (d->fraction)
			d->scale *= 10;
	}
	if (!n)
		return NULL;
	if (negative)
		d->digits = -d->digits;
	return p;
}

/* Division that rounds down for ceilings, up for floors. */
static __int128 divide_tighter(__int128 a, __int128 b, bool is_floor)
{
	__int128 q = a / b;

	if (a % b) {
		if (is_floor && a > 0)
			q++;
		if (!is_floor && a < 0)
			q--;
	}
	return q;
}

int holdfast_value_parse(const char *text, const char *unit, bool is_floor, int64_t *value,
			 char *err)
{
	const struct suffix *s = NULL;
	struct decimal d;
	char known[96];
	const char *rest = decimal_parse(text, &d);
	__int128 num, den;

	if (!rest)
		return hf_say(err, -EINVAL, "\"%.40s\" is not a number", text);
	if (*rest == ' ')
		rest++;
	if (*rest) {
		s = suffix_find(unit, rest);
		if (!s) {
			suffix_list(unit, known, sizeof(known));
			return hf_say(err, -EINVAL, "\"%.40s\": unit \"%.20s\" is not one of %s",
				      text, rest, known);
		}
	} else if (d.fraction) {
		return hf_say(err, -EINVAL, "\"%.40s\": a fraction needs a unit (plain integers are %s)",
			      text, unit);
	}
	num = (__int128)d.digits * (s ? s->num : 1);
	den = (__int128)d.scale * (s ? s->den : 1);
	if (num % den && (!s || s->den == 1))
		return hf_say(err, -ERANGE, "\"%.40s\" is finer than 1 %s", text, unit);
	num = divide_tighter(num, den, is_floor);
	if (num > INT64_MAX || num < INT64_MIN)
		return hf_say(err, -ERANGE, "\"%.40s\" is too large", text);
	*value = (int64_t)num;
	return 0;
}
