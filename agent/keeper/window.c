// SPDX-License-Identifier: GPL-2.0
/* Time windows (window.h). Calendar only: who may do what in them is policy.c's. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "window.h"

#define DAY_MIN		1440
#define DAY_S		86400

static const char *const day_names[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

static int day_parse(const char **p)
{
	for (int d = 0; d < 7; d++) {
		if (!strncmp(*p, day_names[d], 3)) {
			*p += 3;
			return d;
		}
	}
	return -EINVAL;
}

/* "08:30" -> 510; at most @most. */
static int clock_parse(const char **p, int most)
{
	const char *s = *p;
	int min;

	for (int i = 0; i < 5; i++)
		if (i == 2 ? s[i] != ':' : !isdigit((unsigned char)s[i]))
			return -EINVAL;
	min = ((s[0] - '0') * 10 + s[1] - '0') * 60 + (s[3] - '0') * 10 + s[4] - '0';
	if (s[3] > '5' || min > most)
		return -EINVAL;
	*p += 5;
	return min;
}

int hf_window_parse(const char *text, struct hf_window *w)
{
	const char *p = text;
	int first = day_parse(&p), last = first, from, to;

	if (first >= 0 && *p == '-') {
		p++;
		last = day_parse(&p);
	}
	if (first < 0 || last < 0 || *p++ != ' ')
		return -EINVAL;
	from = clock_parse(&p, DAY_MIN - 1);
	if (from < 0 || *p++ != '-')
		return -EINVAL;
	to = clock_parse(&p, DAY_MIN);
	if (to <= 0 || to == from || *p)
		return -EINVAL;
	*w = (struct hf_window){ .first = (uint8_t)first, .last = (uint8_t)last,
				 .from_min = (uint16_t)from, .to_min = (uint16_t)to };
	return 0;
}

const char *hf_window_text(const struct hf_window *w, char buf[HF_WINDOW_TEXT])
{
	bool one = w->first == w->last;

	snprintf(buf, HF_WINDOW_TEXT, "%.3s%s%.3s %02u:%02u-%02u:%02u", day_names[w->first % 7],
		 one ? "" : "-", one ? "" : day_names[w->last % 7], w->from_min / 60u % 100,
		 w->from_min % 60u, w->to_min / 60u % 100, w->to_min % 60u);
	return buf;
}

/* Wall clock at @t as if it were UTC: comparable, and without ambiguity. */
static int64_t wall_of(int64_t t)
{
	time_t at = (time_t)t;
	struct tm tm;

	localtime_r(&at, &tm);
	return (int64_t)timegm(&tm);
}

/*
 * The moment when the wall clock first shows @wall; where it skips that time,
 * the moment of the jump. There is at most one jump within a day either way.
 */
static int64_t moment_of(int64_t wall)
{
	int64_t before = wall - (wall_of(wall - DAY_S) - (wall - DAY_S));
	int64_t after = wall - (wall_of(wall + DAY_S) - (wall + DAY_S));
	int64_t lo = before < after ? before : after, hi = before < after ? after : before;

	if (wall_of(lo) == wall)
		return lo;
	if (wall_of(hi) == wall)
		return hi;
	while (hi - lo > 1) {
		int64_t mid = lo + (hi - lo) / 2;

		if (wall_of(mid) < wall)
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}

static bool on_day(const struct hf_window *w, int day)
{
	if (w->first <= w->last)
		return day >= w->first && day <= w->last;
	return day >= w->first || day <= w->last;
}

int64_t hf_window_end_s(const struct hf_window *w, int64_t now_s)
{
	int64_t midnight = wall_of(now_s) / DAY_S * DAY_S;
	int64_t length_s = 60 * ((int64_t)w->to_min - w->from_min +
				 (w->to_min <= w->from_min ? DAY_MIN : 0));

	/* It may have begun yesterday, and goes on into tomorrow at most. */
	for (int64_t day = midnight - DAY_S; day <= midnight; day += DAY_S) {
		int64_t from = day + 60 * (int64_t)w->from_min, end;

		/* 1970-01-01 was a Thursday. */
		if (!on_day(w, (int)((day / DAY_S + 4) % 7)) || moment_of(from) > now_s)
			continue;
		end = moment_of(from + length_s);
		if (end > now_s)
			return end;
	}
	return 0;
}
