// SPDX-License-Identifier: GPL-2.0
/*
 * The CSV that AcousTools and OpenMPD users have: "frames,transducers", then a
 * row of phases in radians per frame, one column per channel. Strict: what is
 * not a plain decimal number, or one too many or too few, is an error with
 * line and column. No guessing of units or of channel orders.
 */
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define HF_PHASE_MAX_RAD	1e6	/* far beyond any phase that means something */
#define HF_NUMBER_LEN		64

struct cursor {
	const char *p;
	const char *end;
	const char *line_start;
	uint32_t line;
	locale_t c;		/* the decimal point is a point */
	char *text;
};

static int fail(const struct cursor *k, const char *what)
{
	return hf_say(k->text, -EINVAL, "line %" PRIu32 ", column %td: %s", k->line,
		      k->p - k->line_start + 1, what);
}

static const char *digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* The end of [+-]digits[.digits][e[+-]digits] (digits on one side of the point), or NULL. */
static const char *number_end(const char *p, const char *end)
{
	const char *start, *q;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	start = p;
	p = digits(p, end);
	q = p;
	if (p < end && *p == '.')
		p = digits(p + 1, end);
	if (p == start || (q == start && p == start + 1))
		return NULL;
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '-' || *p == '+'))
			p++;
		q = digits(p, end);
		if (q == p)
			return NULL;
		p = q;
	}
	return p;
}

static void skip_blanks(struct cursor *k)
{
	while (k->p < k->end && (*k->p == ' ' || *k->p == '\t'))
		k->p++;
}

static int number(struct cursor *k, double *value)
{
	char buf[HF_NUMBER_LEN];
	const char *end;
	size_t len;

	skip_blanks(k);
	end = number_end(k->p, k->end);
	if (!end)
		return fail(k, "a decimal number is required here");
	len = (size_t)(end - k->p);
	if (len >= sizeof(buf))
		return fail(k, "number of more than 63 characters");
	memcpy(buf, k->p, len);
	buf[len] = '\0';
	*value = strtod_l(buf, NULL, k->c);
	if (!(fabs(*value) <= HF_PHASE_MAX_RAD))
		return fail(k, "number beyond 1000000");
	k->p = end;
	skip_blanks(k);
	return 0;
}

static bool at_line_end(const struct cursor *k)
{
	return k->p == k->end || *k->p == '\n' ||
	       (*k->p == '\r' && k->p + 1 < k->end && k->p[1] == '\n');
}

static void next_line(struct cursor *k)
{
	if (k->p < k->end && *k->p == '\r')
		k->p++;
	if (k->p < k->end)
		k->p++;
	k->line++;
	k->line_start = k->p;
}

static int comma(struct cursor *k)
{
	if (k->p == k->end || *k->p != ',')
		return fail(k, at_line_end(k) ? "the row ends here, but more columns are required" :
						"a comma is required here");
	k->p++;
	return 0;
}

static int count(struct cursor *k, uint32_t max, const char *what, uint32_t *value)
{
	const char *start = k->p;
	char text[80];
	double v;
	int ret = number(k, &v);

	if (ret)
		return ret;
	if (v >= 1 && v <= max && v == floor(v)) {
		*value = (uint32_t)v;
		return 0;
	}
	k->p = start;
	snprintf(text, sizeof(text), "%s: a whole number from 1 to %" PRIu32 " is required", what,
		 max);
	return fail(k, text);
}

static int line_end(struct cursor *k)
{
	if (!at_line_end(k))
		return fail(k, "the row must end here");
	next_line(k);
	return 0;
}

static int row(struct cursor *k, uint32_t channels, uint16_t *phase)
{
	int ret = 0;

	for (uint32_t i = 0; i < channels && !ret; i++) {
		double rad;

		if (i)
			ret = comma(k);
		if (!ret)
			ret = number(k, &rad);
		if (!ret)
			phase[i] = hf_phase_of_rad(rad);
	}
	return ret ? ret : line_end(k);
}

static int rows(struct cursor *k, struct holdfast_stream *s, uint32_t frames, uint32_t channels,
		uint16_t amp)
{
	uint16_t phase[HOLDFAST_MAX_CHANNELS], level[HOLDFAST_MAX_CHANNELS];
	int ret;

	for (uint32_t i = 0; i < channels; i++)
		level[i] = amp;
	for (uint32_t i = 0; i < frames; i++) {
		if (k->p == k->end)
			return fail(k, "the file ends here, but the first line announces more rows");
		ret = row(k, channels, phase);
		if (ret)
			return ret;
		ret = holdfast_stream_append(s, phase, level, NULL, 0);
		if (ret)
			return hf_say(k->text, ret, "line %" PRIu32 ": %s", k->line - 1,
				      strerror(-ret));
	}
	while (k->p < k->end && at_line_end(k))
		next_line(k);
	return k->p == k->end ? 0 : fail(k, "more rows than the first line announces");
}

static int parse(struct cursor *k, struct holdfast_stream **out, uint16_t amp)
{
	uint32_t frames, channels;
	int ret;

	ret = count(k, HOLDFAST_STREAM_MAX_FRAMES, "frames", &frames);
	if (!ret)
		ret = comma(k);
	if (!ret)
		ret = count(k, HOLDFAST_MAX_CHANNELS, "transducers", &channels);
	if (!ret)
		ret = line_end(k);
	if (ret)
		return ret;
	ret = holdfast_stream_new(out, channels, 0);
	if (ret)
		return hf_say(k->text, ret, "%s", strerror(-ret));
	ret = rows(k, *out, frames, channels, amp);
	if (ret) {
		holdfast_stream_free(*out);
		*out = NULL;
	}
	return ret;
}

int holdfast_stream_parse_csv(struct holdfast_stream **out, const char *data, size_t len,
			      uint16_t amp, char *text)
{
	struct cursor k = { .p = data, .end = data + len, .line_start = data, .line = 1,
			    .text = text };
	struct holdfast_stream *s = NULL;
	int ret;

	k.c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (!k.c)
		return -ENOMEM;
	ret = parse(&k, &s, amp);
	freelocale(k.c);
	if (!ret)
		*out = s;
	return ret;
}
