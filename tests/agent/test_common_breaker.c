// SPDX-License-Identifier: GPL-2.0
/*
 * The breaker and the retry budget, by vectors of the systems whose behaviour
 * they follow, under a clock and a randomness of the test.
 */
#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "breaker.h"
#include "retry.h"

/* The largest draw there is, or none at all. */
static int draw_most(void *arg, void *buf, size_t len)
{
	(void)arg;
	memset(buf, 0xff, len);
	return 0;
}

static int draw_zero(void *arg, void *buf, size_t len)
{
	(void)arg;
	memset(buf, 0, len);
	return 0;
}

static int draw_nothing(void *arg, void *buf, size_t len)
{
	(void)arg;
	(void)buf;
	(void)len;
	return -EIO;
}

static const struct hf_random most = { draw_most, NULL }, zero = { draw_zero, NULL },
			      broken = { draw_nothing, NULL };

static uint64_t now;

static bool call(struct hf_breaker *b, enum hf_outcome outcome)
{
	struct hf_breaker_ticket t;

	if (hf_breaker_begin(b, now, &t))
		return false;
	hf_breaker_end(b, &t, outcome, now);
	return true;
}

static unsigned int calls(struct hf_breaker *b, unsigned int n, enum hf_outcome outcome)
{
	unsigned int ran = 0;

	while (n--)
		ran += call(b, outcome);
	return ran;
}

static const struct hf_breaker_rule four = {
	.window_ns = 10 * HF_S, .min_calls = 4, .fail_pct = 50, .open_ns = 100 * HF_MS,
	.open_max_ns = 800 * HF_MS, .probes = 2, .probe_ns = 5 * HF_S,
};

static struct hf_breaker fresh(const struct hf_breaker_rule *rule)
{
	struct hf_breaker b;

	hf_breaker_init(&b, rule, &broken);	/* all of what could be drawn */
	now = 1000 * HF_S;
	return b;
}

/* resilience4j: window 4, half-open 2, wait 100 ms. */
Test(breaker, opens_probes_and_opens_again)
{
	struct hf_breaker b = fresh(&four);

	cr_assert_eq(calls(&b, 10, HF_OUTCOME_FAILED), 4);
	cr_assert_eq(hf_breaker_state(&b), HF_BREAKER_OPEN);
	cr_assert_eq(b.refused, 6);
	now += HF_S;
	cr_assert_eq(calls(&b, 4, HF_OUTCOME_FAILED), 2);
	cr_assert_eq(hf_breaker_state(&b), HF_BREAKER_OPEN);
	cr_assert_eq(b.refused, 8);
	cr_assert_eq(b.opened, 2);
}

Test(breaker, nine_of_ten_is_not_enough)
{
	struct hf_breaker_rule ten = four;
	struct hf_breaker b;

	ten.min_calls = 10;
	b = fresh(&ten);
	cr_assert_eq(calls(&b, 9, HF_OUTCOME_FAILED), 9);
	cr_assert_eq(hf_breaker_state(&b), HF_BREAKER_CLOSED);
	cr_assert_eq(calls(&b, 2, HF_OUTCOME_FAILED), 1);
	cr_assert_eq(hf_breaker_state(&b), HF_BREAKER_OPEN);
}

/* Polly: window 2 s, minimum 2, ratio 0.5. */
Test(breaker, ratio)
{
	struct hf_breaker_rule polly = four;
	struct hf_breaker b;

	polly.window_ns = 2 * HF_S;
	polly.min_calls = 2;
	b = fresh(&polly);
	calls(&b, 2, HF_OUTCOME_OK);
	calls(&b, 1, HF_OUTCOME_FAILED);
	cr_assert_eq(hf_breaker_state(&b), HF_BREAKER_CLOSED);
	b = fresh(&polly);
	calls(&b, 1, HF_OUTCOME_OK);
	calls(&b, 1, HF_OUTCOME_FAILED);
	cr_assert_eq(hf_breaker_state(&b), HF_BREAKER_OPEN);
}

/* gobreaker: what began in another state says nothing of this one. */
Test(breaker, a_call_of_an_earlier_state_does_not_count)
{
	struct hf_breaker b = fresh(&four);
	struct hf_breaker_ticket old, probe[2];

	cr_assert_eq(hf_breaker_begin(&b, now, &old), 0);
	calls(&b, 4, HF_OUTCOME_FAILED);
	now += HF_S;
	cr_assert_eq(hf_breaker_begin(&b, now, &probe[0]), 0);
	cr_assert_eq(hf_breaker_state(&b), HF_BREAKER_HALF_OPEN);
	cr_assert(!hf_breaker_end(&b, &old, HF_OUTCOME_FAILED, now));
	cr_assert_eq(hf_breaker_begin(&b, now, &probe[1]), 0);
	cr_assert(!hf_breaker_end(&b, &probe[0], HF_OUTCOME_OK, now));
	cr_assert(hf_breaker_end(&b, &probe[1], HF_OUTCOME_OK, now));
	cr_assert_eq(hf_breaker_state(&b), HF_BREAKER_CLOSED);
	/* and a probe's ticket is of yesterday now */
	cr_assert(!hf_breaker_end(&b, &probe[0], HF_OUTCOME_FAILED, now));
}

Test(breaker, only_so_many_probes_at_once)
{
	struct hf_breaker b = fresh(&four);
	struct hf_breaker_ticket t[3];

	calls(&b, 4, HF_OUTCOME_FAILED);
	now += HF_S;
	cr_assert_eq(hf_breaker_begin(&b, now, &t[0]), 0);
	cr_assert_eq(hf_breaker_begin(&b, now, &t[1]), 0);
	cr_assert_eq(hf_breaker_begin(&b, now, &t[2]), 5 * HF_S);
}

/* resilience4j #903: stuck for ever when a probe hangs. */
Test(breaker, hanging_probes_open_it_again)
{
	struct hf_breaker b = fresh(&four);
	struct hf_breaker_ticket t, late[2];

	calls(&b, 4, HF_OUTCOME_FAILED);
	now += HF_S;
	hf_breaker_begin(&b, now, &late[0]);
	hf_breaker_begin(&b, now, &late[1]);
	now += 5 * HF_S;
	cr_assert_eq(hf_breaker_begin(&b, now, &t), 200 * HF_MS, "twice the first time");
	cr_assert_eq(hf_breaker_state(&b), HF_BREAKER_OPEN);
	cr_assert(!hf_breaker_end(&b, &late[0], HF_OUTCOME_OK, now));
}

Test(breaker, open_time_grows_to_its_cap_and_starts_anew)
{
	struct hf_breaker b = fresh(&four);
	static const uint64_t expected[] = { 100, 200, 400, 800, 800 };
	struct hf_breaker_ticket t;
	size_t i;

	calls(&b, 4, HF_OUTCOME_FAILED);
	for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		cr_assert_eq(hf_breaker_begin(&b, now, &t), expected[i] * HF_MS);
		now += expected[i] * HF_MS;
		cr_assert_eq(calls(&b, 2, HF_OUTCOME_FAILED), 2);
	}
	now += HF_S;
	calls(&b, 2, HF_OUTCOME_OK);
	cr_assert_eq(hf_breaker_state(&b), HF_BREAKER_CLOSED);
	calls(&b, 4, HF_OUTCOME_FAILED);
	cr_assert_eq(hf_breaker_begin(&b, now, &t), 100 * HF_MS);
}

Test(breaker, open_time_has_jitter_but_gives_rest)
{
	struct hf_breaker b = fresh(&four);
	struct hf_breaker_ticket t;

	b.random = &zero;
	calls(&b, 4, HF_OUTCOME_FAILED);
	now += HF_S;
	calls(&b, 2, HF_OUTCOME_FAILED);
	cr_assert_eq(hf_breaker_begin(&b, now, &t), 100 * HF_MS + 1);
}

Test(breaker, slow_is_as_bad_as_failed)
{
	struct hf_breaker_rule slow = four;
	struct hf_breaker_ticket t;
	struct hf_breaker b;
	int i;

	slow.slow_ns = HF_S;
	slow.slow_pct = 75;
	b = fresh(&slow);
	for (i = 0; i < 4; i++) {
		cr_assert_eq(hf_breaker_begin(&b, now, &t), 0);
		hf_breaker_end(&b, &t, HF_OUTCOME_OK, now + (i ? HF_S + 1 : HF_S));
	}
	cr_assert_eq(hf_breaker_state(&b), HF_BREAKER_OPEN);
}

Test(breaker, the_callers_mistakes_do_not_count)
{
	struct hf_breaker b = fresh(&four);

	cr_assert_eq(calls(&b, 100, HF_OUTCOME_CALLER), 100);
	cr_assert_eq(hf_breaker_state(&b), HF_BREAKER_CLOSED);
	calls(&b, 4, HF_OUTCOME_FAILED);
	now += HF_S;
	/* nor do they use up the probes */
	cr_assert_eq(calls(&b, 5, HF_OUTCOME_CALLER), 5);
	calls(&b, 2, HF_OUTCOME_OK);
	cr_assert_eq(hf_breaker_state(&b), HF_BREAKER_CLOSED);
}

Test(breaker, what_is_older_than_the_window_is_forgotten)
{
	struct hf_breaker b = fresh(&four);
	unsigned int i;

	calls(&b, 3, HF_OUTCOME_FAILED);
	now += 9 * HF_S;
	cr_assert_eq(calls(&b, 1, HF_OUTCOME_OK), 1);
	cr_assert_eq(hf_breaker_state(&b), HF_BREAKER_OPEN, "three of four within the window");
	b = fresh(&four);
	calls(&b, 3, HF_OUTCOME_FAILED);
	now += 10 * HF_S;
	calls(&b, 1, HF_OUTCOME_FAILED);
	cr_assert_eq(hf_breaker_state(&b), HF_BREAKER_CLOSED);
	/* one in each bucket for ever: never four of them at once in two buckets of ten */
	b = fresh(&four);
	for (i = 0; i < 1000; i++, now += 4 * HF_S)
		cr_assert_eq(calls(&b, 1, HF_OUTCOME_FAILED), 1);
}

/* ------------------------------------------------------------- retries */

/* gRPC A6: 10 tokens, 0.1 back. */
static const struct hf_retry_rule a6 = {
	.tokens = 10, .back_permille = 100, .attempts = 100, .base_ns = 100 * HF_MS, .cap_ns = HF_S,
};

Test(retry, budget_stops_at_half_and_resumes)
{
	struct hf_retry_budget b;
	int i;

	hf_retry_init(&b, &a6);
	for (i = 0; i < 4; i++)
		cr_assert_neq(hf_retry_failed(&b, &most, 1, 0, 0, 0), 0, "failure %d", i + 1);
	cr_assert_eq(hf_retry_failed(&b, &most, 1, 0, 0, 0), 0, "five of ten left");
	hf_retry_ok(&b);
	cr_assert(hf_retry_allowed(&b), "5.1 of 10");
	for (i = 0; i < 50; i++)
		hf_retry_failed(&b, &most, 1, 0, 0, 0);
	cr_assert_eq(b.permille, 0);
	for (i = 0; i < 500; i++)
		hf_retry_ok(&b);
	cr_assert_eq(b.permille, 10000);
}

Test(retry, full_jitter)
{
	static const uint64_t cap[] = { 100, 200, 400, 800, 1000, 1000 };
	struct hf_retry_budget b;
	uint32_t i;

	for (i = 0; i < sizeof(cap) / sizeof(cap[0]); i++)
		cr_assert_eq(hf_backoff_most_ns(100 * HF_MS, HF_S, i), cap[i] * HF_MS);
	cr_assert_eq(hf_backoff_most_ns(HF_S, ~0ULL, 4000000000U), ~0ULL);
	cr_assert_eq(hf_backoff_most_ns(2 * HF_S, HF_S, 0), HF_S);
	cr_assert_eq(hf_jitter_ns(&zero, 100), 1);
	cr_assert_eq(hf_jitter_ns(&most, 1ULL << 32), 1ULL << 32);
	cr_assert_eq(hf_jitter_ns(&broken, 100), 100);
	cr_assert_eq(hf_jitter_ns(&most, 0), 0);
	hf_retry_init(&b, &a6);
	cr_assert_eq(hf_retry_failed(&b, &zero, 3, 0, 0, 0), 1);
}

Test(retry, what_the_other_side_asks_for_and_the_deadline)
{
	struct hf_retry_budget b;

	hf_retry_init(&b, &a6);
	cr_assert_eq(hf_retry_failed(&b, &zero, 1, 30 * HF_S, 0, 0), 30 * HF_S);
	cr_assert_eq(hf_retry_failed(&b, &zero, 1, 3 * HF_S, 7 * HF_S, 10 * HF_S), 0, "it would be over");
	cr_assert_eq(hf_retry_failed(&b, &zero, 1, 3 * HF_S, 7 * HF_S - 1, 10 * HF_S), 3 * HF_S);
	cr_assert_eq(hf_retry_failed(&b, &zero, 1, 11 * HF_S, 0, 10 * HF_S), 0);
}

Test(retry, attempts)
{
	struct hf_retry_rule three = a6;
	struct hf_retry_budget b;

	three.attempts = 3;
	hf_retry_init(&b, &three);
	cr_assert_neq(hf_retry_failed(&b, &most, 1, 0, 0, 0), 0);
	cr_assert_neq(hf_retry_failed(&b, &most, 2, 0, 0, 0), 0);
	cr_assert_eq(hf_retry_failed(&b, &most, 3, 0, 0, 0), 0);
}
