/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Time windows in local time: "Mon-Fri 08:00-18:00", "Sat 22:00-06:00" (into
 * Sunday). Pure but for the zone, which localtime_r(3) knows; the moment is the
 * caller's.
 */
#ifndef HF_KEEPER_WINDOW_H
#define HF_KEEPER_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct hf_window - days and hours
 * @first: @last:	days, 0 = Sunday; @last may be before @first (Sat-Mon)
 * @from_min:	minutes after midnight, 0..1439
 * @to_min:	1..1440; not above @from_min: of the next day
 */
struct hf_window {
	uint8_t first, last;
	uint16_t from_min, to_min;
};

#define HF_WINDOW_TEXT	24

/* Return: 0, -EINVAL (also of a window that begins and ends at the same time). */
int hf_window_parse(const char *text, struct hf_window *w);
const char *hf_window_text(const struct hf_window *w, char buf[HF_WINDOW_TEXT]);

/**
 * hf_window_end_s() - until when is this window open?
 * @now_s:	seconds since 1970
 *
 * A time that the clock shows twice (end of summer time) is the first of the
 * two; one that it skips is the moment of the jump.
 * Return: its end, > @now_s, in seconds since 1970; 0: it is closed.
 */
int64_t hf_window_end_s(const struct hf_window *w, int64_t now_s);

#endif /* HF_KEEPER_WINDOW_H */
