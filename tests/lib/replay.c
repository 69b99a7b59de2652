// SPDX-License-Identifier: GPL-2.0
/*
 * Runs in a guest with one silent array: a subscriber that does not read for a
 * while. What its socket lost must come out of the kernel's ring, in order and
 * once; what the ring lost, too, must be counted exactly. Exit status 0, or 1
 * with a line that says what is wrong. Called by live.sh.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libholdfast.h"

#define IN_RING		900	/* more than a socket holds, less than the ring */
#define BEYOND_RING	1500

static void fail(const char *what, int64_t got, int64_t want)
{
	printf("%s: %" PRId64 " where %" PRId64 "\n", what, got, want);
	exit(1);
}

static void expect(const char *what, int64_t got, int64_t want)
{
	if (got != want)
		fail(what, got, want);
}

/* Each change of a limit is one event. */
static void make_events(struct holdfast_array *a, int n)
{
	struct holdfast_envelope env;

	expect("envelope", holdfast_envelope_get(a, HOLDFAST_ENV_EFFECTIVE, &env), 0);
	for (int i = 0; i < n; i++) {
		env.limit[HOLDFAST_LIM_POWER_AVG]--;
		env.set = 1ULL << HOLDFAST_LIM_POWER_AVG;
		env.set_mask = 0;
		expect("tighten", holdfast_envelope_tighten(a, &env), 0);
	}
}

static uint64_t newest(struct holdfast_array *a)
{
	struct holdfast_status st;

	expect("status", holdfast_status(a, &st), 0);
	return st.event_seq;
}

/* Reads all that is there. Return: number of the last; adds up what was lost. */
static uint64_t drain(struct holdfast_events *ev, uint64_t last, uint64_t *lost)
{
	struct holdfast_event e;
	int ret;

	*lost = 0;
	while (!(ret = holdfast_events_next(ev, &e))) {
		expect("next event", (int64_t)e.seq, (int64_t)(last + e.lost + 1));
		expect("restarted", e.restarted, 0);
		*lost += e.lost;
		last = e.seq;
	}
	expect("end of events", ret, -EAGAIN);
	return last;
}

static void hold_back(struct holdfast_array *a, struct holdfast_events *ev, int n, bool loses)
{
	uint64_t lost, replays = holdfast_events_replays(ev), start = newest(a), last;

	make_events(a, n);
	last = drain(ev, start, &lost);
	expect("last event", (int64_t)last, (int64_t)newest(a));
	expect("all events", (int64_t)(last - start), n);
	if (holdfast_events_replays(ev) == replays)
		fail("replays", (int64_t)replays, (int64_t)replays + 1);
	if (loses != (lost > 0))
		fail("lost", (int64_t)lost, loses ? n - 1024 : 0);
	printf("%d events, %" PRIu64 " lost, %" PRIu64 " replays\n", n, lost,
	       holdfast_events_replays(ev) - replays);
}

/*
 * Subscribes again and again while another process makes events: what comes
 * through the socket and what comes out of the ring overlap, and each event
 * must be seen once.
 */
static void overlap(struct holdfast_array *a, uint32_t index)
{
	uint64_t last = newest(a), end = last + IN_RING, lost;
	unsigned int times = 0;
	pid_t child = fork();
	int status;

	if (!child) {
		make_events(a, IN_RING);
		_exit(0);
	}
	while (last < end) {
		struct holdfast_events *ev;

		expect("subscribe", holdfast_events_open(&ev, index, HOLDFAST_GROUP_SAFETY, last),
		       0);
		for (int i = 0; i < 10; i++)
			last = drain(ev, last, &lost);
		expect("lost", (int64_t)lost, 0);
		holdfast_events_close(ev);
		times++;
	}
	expect("last event", (int64_t)last, (int64_t)end);
	waitpid(child, &status, 0);
	expect("child", status, 0);
	printf("%d events in %u subscriptions\n", IN_RING, times);
}

int main(void)
{
	struct holdfast_array *a;
	struct holdfast_events *ev;
	struct holdfast_info info;
	uint64_t lost;

	setvbuf(stdout, NULL, _IOLBF, 0);
	expect("open", holdfast_open(&a, NULL, HOLDFAST_OPEN_WRITE), 0);
	expect("info", holdfast_info(a, &info), 0);
	expect("subscribe", holdfast_events_open(&ev, info.index, HOLDFAST_GROUP_SAFETY, 0), 0);
	/* From the beginning: all that there was. */
	expect("past", (int64_t)drain(ev, 0, &lost), (int64_t)newest(a));
	expect("lost of the past", (int64_t)lost, 0);
	hold_back(a, ev, IN_RING, false);
	hold_back(a, ev, BEYOND_RING, true);
	hold_back(a, ev, IN_RING, false);
	holdfast_events_close(ev);
	overlap(a, info.index);
	/* A number that no event has yet: the array is not the one that the caller knew. */
	expect("open ahead",
	       holdfast_events_open(&ev, info.index, HOLDFAST_GROUP_SAFETY, newest(a) + 1000), 0);
	{
		struct holdfast_event e;

		expect("first", holdfast_events_next(ev, &e), 0);
		expect("is told", e.restarted, 1);
	}
	holdfast_events_close(ev);
	expect("no such array",
	       holdfast_events_open(&ev, 99, HOLDFAST_GROUP_SAFETY, 0), -ENODEV);
	holdfast_close(a);
	return 0;
}
