/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One array under test, complete: simulated hardware, keeper, lease, player,
 * ledger; and failures that are collected instead of ending the test. What the
 * parts do is in scene.h and ledger.h; no scenario in here.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ledger.h"
#include "scene.h"

#define BENCH_AMP	30000
#define BENCH_FRAME_MS	20

struct bench {
	struct scene_array sim;
	struct scene_keeper keeper;
	struct scene_player player;
	struct ledger ledger;
	struct emissions es;
	int lease;
	__u64 lease_id;
	bool bus;
	int failures;
};

/* What is not as it must be: said, counted, and the test goes on. */
__attribute__((format(printf, 3, 4), unused)) static bool bench_check(struct bench *b, bool ok,
								      const char *fmt, ...)
{
	va_list ap;

	if (ok)
		return true;
	b->failures++;
	printf("# wrong: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	return false;
}

/* The result of a call was to be @want: 0 or an errno. */
__attribute__((unused)) static bool bench_errno(struct bench *b, int ret, int want,
						const char *what)
{
	return bench_check(b, ret == -want, "%s: %s, expected %s", what,
			   ret ? strerror(-ret) : "success", want ? strerror(want) : "success");
}

/* Hardware, keeper and a lease with all rights; silent. */
__attribute__((unused)) static void bench_open(struct bench *b, const char *name,
					       const char *const attrs[])
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL, .label = "bench" };

	memset(b, 0, sizeof(*b));
	scene_make(&b->sim, name, attrs);
	b->bus = !(b->sim.info.caps & HOLDFAST_CAP_ATOMIC_SILENCE);
	ledger_open(&b->ledger, &b->sim);
	scene_keeper_start(&b->keeper, &b->sim, 50);
	b->lease = scene_lease(b->keeper.fd, b->keeper.epoch, &ask, &b->lease_id);
	if (b->lease < 0)
		scene_die("lease: %s", strerror(-b->lease));
}

/* Armed, and a frame held by one that is sent again and again. */
__attribute__((unused)) static void bench_emit(struct bench *b)
{
	scene_keeper_arm(&b->keeper);
	scene_play(&b->player, &b->sim, b->lease, BENCH_AMP, BENCH_FRAME_MS);
}

__attribute__((unused)) static void bench_close(struct bench *b)
{
	if (b->player.frame)
		scene_play_stop(&b->player);
	close(b->lease);
	scene_keeper_stop(&b->keeper);
	emissions_free(&b->es);
	ledger_close(&b->ledger);
	scene_drop(&b->sim);
}

#endif /* BENCH_H */
