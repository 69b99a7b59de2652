// SPDX-License-Identifier: GPL-2.0
/*
 * The event loop: order of timers, timers and files that remove each other,
 * the test clock, the system clock's timerfd.
 */
#include <unistd.h>

#include "check.h"
#include "loop.h"

static struct hf_test_clock clock_;
static struct hf_loop *loop;
static char order[64];

static void setup(void)
{
	hf_test_clock_init(&clock_, 1000, 0);
	cr_assert_eq(hf_loop_new(&loop, &clock_.clock), 0);
}

static void teardown(void)
{
	hf_loop_free(loop);
}

TestSuite(loop, .init = setup, .fini = teardown, .timeout = 20);

static void append(void *arg)
{
	strcat(order, arg);
}

Test(loop, timers_run_in_order_of_time)
{
	struct hf_timer *a, *b, *c;

	hf_timer_new(&a, loop, append, "a");
	hf_timer_new(&b, loop, append, "b");
	hf_timer_new(&c, loop, append, "c");
	hf_timer_in(a, 300);
	hf_timer_in(b, 100);
	hf_timer_set(c, 1200);
	hf_loop_once(loop, 0);
	cr_assert_str_eq(order, "", "nothing is due");
	hf_test_clock_advance(&clock_, 99);
	hf_loop_once(loop, 0);
	cr_assert_str_eq(order, "");
	hf_test_clock_advance(&clock_, 1);
	hf_loop_once(loop, 0);
	cr_assert_str_eq(order, "b", "due at its time, not after it");
	cr_assert_not(hf_timer_running(b));
	hf_test_clock_advance(&clock_, 1000);
	hf_loop_once(loop, 0);
	cr_assert_str_eq(order, "bca");
	hf_timer_free(a);
	hf_timer_free(b);
	hf_timer_free(c);
}

Test(loop, a_timer_that_is_set_again_moves)
{
	struct hf_timer *a, *b;

	hf_timer_new(&a, loop, append, "a");
	hf_timer_new(&b, loop, append, "b");
	hf_timer_in(a, 10);
	hf_timer_in(b, 20);
	hf_timer_in(a, 30);
	hf_test_clock_advance(&clock_, 100);
	hf_loop_once(loop, 0);
	cr_assert_str_eq(order, "ba");
	hf_timer_in(a, UINT64_MAX);
	cr_assert(hf_timer_running(a), "for ever is a time, too");
	hf_timer_stop(a);
	cr_assert_not(hf_timer_running(a));
	hf_timer_free(a);
	hf_timer_free(b);
}

static void count_run(void *arg)
{
	++*(int *)arg;
}

/* A model: an array that is searched for its least. */
Test(loop, a_thousand_timers_as_the_model_says)
{
	enum { N = 200 };
	static struct hf_timer *t[N];
	static uint64_t at[N];		/* 0: not running */
	uint64_t seed = check_seed();
	static int ran[N];

	for (int i = 0; i < N; i++)
		cr_assert_eq(hf_timer_new(&t[i], loop, count_run, &ran[i]), 0);
	for (int step = 0; step < 20000; step++) {
		int i = (int)(check_random(&seed) % N);

		switch (check_random(&seed) % 4) {
		case 0:
		case 1:
			at[i] = clock_.mono_ns + 1 + check_random(&seed) % 1000;
			hf_timer_set(t[i], at[i]);
			break;
		case 2:
			at[i] = 0;
			hf_timer_stop(t[i]);
			break;
		default:
			hf_test_clock_advance(&clock_, check_random(&seed) % 50);
			memset(ran, 0, sizeof(ran));
			hf_loop_once(loop, 0);
			for (int j = 0; j < N; j++) {
				bool due = at[j] && at[j] <= clock_.mono_ns;

				cr_assert_eq(ran[j], due, "timer %d", j);
				if (due)
					at[j] = 0;
			}
		}
		cr_assert_eq(hf_timer_running(t[i]), at[i] != 0);
	}
	for (int i = 0; i < N; i++)
		hf_timer_free(t[i]);
}

static struct hf_timer *restless;
static int restless_ran;

static void set_itself(void *arg)
{
	(void)arg;
	restless_ran++;
	hf_timer_in(restless, 0);
}

static void read_it(void *arg, uint32_t events)
{
	char c;

	(void)events;
	cr_assert_eq(read(*(int *)arg, &c, 1), 1);
	strcat(order, "r");
}

Test(loop, a_timer_that_is_always_due_does_not_starve_files)
{
	struct hf_watch *w;
	int p[2];

	cr_assert_eq(pipe(p), 0);
	hf_watch_new(&w, loop, p[0], EPOLLIN, read_it, &p[0]);
	hf_timer_new(&restless, loop, set_itself, NULL);
	hf_timer_in(restless, 0);
	cr_assert_eq(write(p[1], "x", 1), 1);
	hf_loop_once(loop, -1);
	cr_assert_str_eq(order, "r");
	cr_assert_leq(restless_ran, 2);
	hf_timer_free(restless);
	hf_watch_free(w);
	close(p[0]);
	close(p[1]);
}

static struct hf_watch *both[2];

static void free_both(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	strcat(order, "f");
	hf_watch_free(both[0]);
	hf_watch_free(both[1]);
}

Test(loop, a_watch_may_free_itself_and_others_of_the_same_round)
{
	int p[2][2];

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(pipe(p[i]), 0);
		hf_watch_new(&both[i], loop, p[i][0], EPOLLIN, free_both, NULL);
		cr_assert_eq(write(p[i][1], "x", 1), 1);
	}
	hf_loop_once(loop, 0);
	hf_loop_once(loop, 0);
	cr_assert_str_eq(order, "f", "the other one must not run any more");
	for (int i = 0; i < 2; i++) {
		close(p[i][0]);
		close(p[i][1]);
	}
}

static struct hf_timer *victim;

static void free_victim(void *arg)
{
	strcat(order, arg);
	hf_timer_free(victim);
	victim = NULL;
}

Test(loop, a_timer_may_free_another_that_is_due)
{
	struct hf_timer *a;

	hf_timer_new(&a, loop, free_victim, "a");
	hf_timer_new(&victim, loop, append, "v");
	hf_timer_in(a, 1);
	hf_timer_in(victim, 2);
	hf_test_clock_advance(&clock_, 10);
	hf_loop_once(loop, 0);
	cr_assert_str_eq(order, "a");
	hf_timer_free(a);
}

static void stop(void *arg)
{
	hf_loop_stop(arg, 42);
}

Test(loop, runs_until_it_is_stopped)
{
	struct hf_timer *t;

	hf_timer_new(&t, loop, stop, loop);
	hf_timer_in(t, 0);
	cr_assert_eq(hf_loop_run(loop), 42);
	hf_timer_free(t);
}

Test(loop, with_the_system_clock_the_kernel_wakes_it)
{
	uint64_t begin = hf_mono_ns(&hf_system_clock);
	struct hf_loop *l;
	struct hf_timer *t;

	cr_assert_eq(hf_loop_new(&l, &hf_system_clock), 0);
	hf_timer_new(&t, l, stop, l);
	hf_timer_in(t, 20 * HF_MS);
	cr_assert_eq(hf_loop_run(l), 42);
	cr_assert_geq(hf_mono_ns(&hf_system_clock) - begin, 20 * HF_MS);
	hf_timer_set(t, 0);
	cr_assert_eq(hf_loop_run(l), 42, "a time that is past is due at once");
	hf_timer_free(t);
	hf_loop_free(l);
}

static void nest(void *arg)
{
	cr_assert_eq(hf_loop_once(arg, 0), -EDEADLK);
	strcat(order, "n");
}

Test(loop, does_not_run_within_itself)
{
	struct hf_timer *t;

	hf_timer_new(&t, loop, nest, loop);
	hf_timer_in(t, 0);
	hf_loop_once(loop, 0);
	cr_assert_str_eq(order, "n");
	hf_timer_free(t);
}

static void busy(void *arg)
{
	hf_test_clock_advance(&clock_, *(uint64_t *)arg);
}

Test(loop, knows_how_long_it_was_busy)
{
	uint64_t took_ns = 300 * HF_MS;
	struct hf_timer *t;

	hf_timer_new(&t, loop, busy, &took_ns);
	hf_timer_in(t, 0);
	hf_loop_once(loop, 0);
	took_ns = 40 * HF_MS;
	hf_timer_in(t, 0);
	hf_loop_once(loop, 0);
	cr_assert_eq(hf_loop_rounds(loop)->sum_ns, 340 * HF_MS);
	cr_assert_eq(hf_loop_longest_ns(loop), 300 * HF_MS);
	cr_assert_eq(hf_loop_longest_ns(loop), 0, "asked before");
	hf_test_clock_advance(&clock_, HF_S);
	hf_loop_once(loop, 0);
	cr_assert_eq(hf_loop_longest_ns(loop), 0, "waiting is not being busy");
	hf_timer_free(t);
}
