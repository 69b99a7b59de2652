// SPDX-License-Identifier: GPL-2.0
/*
 * The heartbeat. The timer is the first thing in each round of the loop; a beat
 * takes the events there are and then says so to the driver. Nothing in here
 * waits, writes, or asks another process; records are made afterwards.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "keeper.h"

static void seen(const struct holdfast_event *e, void *arg)
{
	struct hf_array *a = arg;

	hf_array_event(a, e);
	hf_timer_in(a->keeper->pump, 0);
}

/* What was left of the deadline; 0: nothing. */
static void margin(struct hf_array *a, uint64_t now_ns)
{
	uint64_t gap_us = (now_ns - a->beat_ns) / 1000, deadline_us = a->deadline_ms * 1000ULL;

	if (a->beat_ns)
		a->margin_us[a->beats++ % HF_BEATS] =
			gap_us < deadline_us ? (uint32_t)(deadline_us - gap_us) : 0;
	a->beat_ns = now_ns;
}

int hf_beat_array(struct hf_array *a)
{
	int ret = a->keeper->device->beat(a->keeping, seen, a);

	if (!ret) {
		margin(a, hf_now(a->keeper));
		return 0;
	}
	if (ret == -ETIME) {
		a->late++;
		hf_log_app(HF_LOG_WARN, "keeper.late", NULL, "array %u: behind its events",
			   a->index);
		return 0;
	}
	hf_array_leave(a, ret == -ESTALE ? "another keeper has taken over" : strerror(-ret));
	return ret;
}

/* A third of the shortest deadline at most: one beat may be lost, and one be late. */
static uint64_t period_ns(const struct hf_keeper *k)
{
	uint64_t ms = k->settings->beat_ms;

	for (size_t i = 0; i < HF_ARRAYS; i++)
		if (k->array[i].used && k->array[i].deadline_ms / 3 < ms)
			ms = k->array[i].deadline_ms / 3;
	return (ms ? ms : 1) * HF_MS;
}

static void on_beat(void *arg)
{
	struct hf_keeper *k = arg;
	uint64_t now = hf_now(k);

	for (size_t i = 0; i < HF_ARRAYS; i++)
		if (k->array[i].used)
			hf_beat_array(&k->array[i]);
	k->beat_due_ns += period_ns(k);
	if (k->beat_due_ns <= now)
		k->beat_due_ns = now + period_ns(k);
	hf_timer_set(k->beat, k->beat_due_ns);
}

int hf_beat_start(struct hf_keeper *k)
{
	int ret = hf_timer_new(&k->beat, k->loop, on_beat, k);

	if (!ret)
		hf_beat_settings(k);
	return ret;
}

void hf_beat_settings(struct hf_keeper *k)
{
	k->beat_due_ns = hf_now(k);
	hf_timer_set(k->beat, k->beat_due_ns);
}

void hf_beat_stop(struct hf_keeper *k)
{
	hf_timer_free(k->beat);
	k->beat = NULL;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

json_t *hf_beat_json(const struct hf_array *a)
{
	uint32_t sorted[HF_BEATS];
	size_t n = a->beats < HF_BEATS ? (size_t)a->beats : HF_BEATS;

	if (!n)
		return json_pack("{s:i}", "deadline_ms", (int)a->deadline_ms);
	memcpy(sorted, a->margin_us, n * sizeof(sorted[0]));
	qsort(sorted, n, sizeof(sorted[0]), compare);
	/* Small margins are the bad ones: 99 of 100 are above this. */
	return json_pack("{s:i, s:i, s:i, s:I, s:I}", "deadline_ms", (int)a->deadline_ms,
			 "margin_min_us", (int)sorted[0], "margin_p99_us", (int)sorted[n / 100],
			 "beats", (json_int_t)a->beats, "late", (json_int_t)a->late);
}
