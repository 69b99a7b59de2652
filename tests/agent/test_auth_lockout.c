// SPDX-License-Identifier: GPL-2.0
/*
 * Lock-out as sequences: how the wait grows, what resets it, whom it hits, and
 * that no crowd of tries gets more guesses than the rule gives.
 */
#include <stdio.h>

#include "check.h"
#include "lockout.h"

static const struct hf_lockout_rule rule = { 5, 30 * HF_S, 3600 * HF_S };
static struct hf_lockout *l;
static uint64_t now;

static void setup(void)
{
	cr_assert_eq(hf_lockout_new(&l, &hf_system_random), 0);
	now = 1000000 * HF_S;
}

static void teardown(void)
{
	hf_lockout_free(l);
}

TestSuite(lockout, .init = setup, .fini = teardown, .timeout = 60);

static uint64_t try(const char *name, const char *source, struct hf_strikes *s)
{
	return hf_lockout_begin(l, &rule, &(struct hf_attempt){ name, source, false }, s, now);
}

Test(lockout, the_wait_grows)
{
	static const uint64_t want[] = { 0, 0, 0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600 };

	for (uint32_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		cr_assert_eq(hf_lockout_wait_ns(&rule, i), want[i] * HF_S, "%u failures", i);
	cr_assert_eq(hf_lockout_wait_ns(&rule, UINT32_MAX), 3600 * HF_S);
}

Test(lockout, one_source_on_one_account)
{
	struct hf_strikes s = { 0 };

	for (int i = 0; i < 6; i++)
		cr_assert_eq(try("ann", "a", &s), 0, "try %d", i);
	cr_assert_eq(try("ann", "a", &s), 30 * HF_S);
	now += 30 * HF_S - 1;
	cr_assert_eq(try("ann", "a", &s), 1);
	now += 1;
	cr_assert_eq(try("ann", "a", &s), 0, "the wait is over");
	cr_assert_eq(try("ann", "a", &s), 60 * HF_S, "and the next is longer");
	cr_assert_eq(try("ann", "b", &s), 0, "others are not hit");
}

Test(lockout, refused_tries_do_not_lengthen_it)
{
	struct hf_strikes s = { 0 };

	for (int i = 0; i < 6; i++)
		try("ann", "a", &s);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(try("ann", "a", &s), 30 * HF_S);
	now += 30 * HF_S;
	cr_assert_eq(try("ann", "a", &s), 0);
}

Test(lockout, success_forgets)
{
	struct hf_strikes s = { 0 };

	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 5; i++)
			cr_assert_eq(try("ann", "a", &s), 0, "round %d", round);
		hf_lockout_success(l, &(struct hf_attempt){ "ann", "a", false }, &s);
		cr_assert_eq(s.failures, 0);
		if (round == 3)
			break;	/* the source's count goes on: 4 wrong ones a round */
	}
}

Test(lockout, who_knows_one_password_cannot_guess_others)
{
	struct hf_strikes mine = { 0 };
	int guesses = 0;
	char name[16];

	for (int i = 0; i < 200; i++) {
		struct hf_strikes theirs = { 0 };

		if (try("mallory", "a", &mine))
			break;
		hf_lockout_success(l, &(struct hf_attempt){ "mallory", "a", false }, &mine);
		snprintf(name, sizeof(name), "victim%d", i);
		if (try(name, "a", &theirs))
			break;
		guesses++;
	}
	cr_assert_leq(guesses, 21, "%d", guesses);
}

Test(lockout, many_names_from_one_source)
{
	char name[16];
	int passed = 0;

	for (int i = 0; i < 100; i++) {
		struct hf_strikes s = { 0 };

		snprintf(name, sizeof(name), "user%d", i);
		passed += try(name, "a", &s) == 0;
	}
	cr_assert_eq(passed, 21, "%d", passed);
}

Test(lockout, many_sources_on_one_account)
{
	struct hf_strikes s = { 0 };
	char source[16];
	int passed = 0;

	for (int i = 0; i < 100; i++) {
		snprintf(source, sizeof(source), "s%d", i);
		passed += try("ann", source, &s) == 0;
	}
	cr_assert_eq(passed, 21, "%d", passed);
}

/* A day of guessing without rest. */
Test(lockout, guesses_in_a_day_are_few)
{
	struct hf_strikes s = { 0 };
	uint64_t end = now + 86400 * HF_S;
	int guesses = 0;

	while (now < end) {
		uint64_t wait = try("ann", "a", &s);

		guesses += !wait;
		now += wait ? wait : 1;
	}
	cr_assert_leq(guesses, 40, "%d", guesses);
}

Test(lockout, tries_that_were_not_judged_do_not_count)
{
	struct hf_strikes s = { 0 };

	for (int i = 0; i < 100; i++) {
		cr_assert_eq(try("ann", "a", &s), 0);
		hf_lockout_cancel(l, &rule, &(struct hf_attempt){ "ann", "a", false }, &s);
	}
	cr_assert_eq(s.failures, 0);
}

Test(lockout, long_ago_is_forgotten)
{
	struct hf_strikes s = { 0 };

	for (int i = 0; i < 6; i++)
		try("ann", "a", &s);
	now += 3 * 3600 * HF_S;
	for (int i = 0; i < 6; i++)
		cr_assert_eq(try("ann", "a", &s), 0, "%d", i);
	cr_assert_neq(try("ann", "a", &s), 0);
}

Test(lockout, a_clock_set_back_locks_nobody_for_ever)
{
	struct hf_strikes s = { 0 };

	for (int i = 0; i < 6; i++)
		try("ann", "a", &s);
	now -= 100 * 86400 * HF_S;
	cr_assert_leq(try("ann", "a", &s), 3600 * HF_S);
}

Test(lockout, an_admin_on_the_host_waits_30_s_at_most)
{
	struct hf_strikes s = { .failures = 500, .last_ns = now, .until_ns = now + 3600 * HF_S };
	struct hf_attempt at = { "ann", "uid:1000", true };

	cr_assert_eq(hf_lockout_begin(l, &rule, &at, &s, now), 30 * HF_S);
	now += 30 * HF_S;
	cr_assert_eq(hf_lockout_begin(l, &rule, &at, &s, now), 0);
	cr_assert_eq(hf_lockout_begin(l, &rule, &at, &s, now), 30 * HF_S, "each wrong one costs 30 s");
	at.local_admin = false;
	cr_assert_gt(hf_lockout_begin(l, &rule, &at, &s, now), 1800 * HF_S);
}

Test(lockout, unlock_forgets_all_sources_of_the_account)
{
	struct hf_strikes s = { 0 };

	for (int i = 0; i < 6; i++)
		try("ann", "a", &s);
	hf_lockout_unlock(l, "ann", &s);
	cr_assert_eq(try("ann", "a", &s), 0);
}

/* The table is bounded: so many names and sources push out, but never grow or crash. */
Test(lockout, a_million_names)
{
	uint64_t seed = check_seed();
	char name[33], source[64];

	for (int i = 0; i < 1000000; i++) {
		struct hf_strikes s = { 0 };
		uint64_t r = check_random(&seed);

		snprintf(name, sizeof(name), "n%016llx", (unsigned long long)r);
		snprintf(source, sizeof(source), "s%016llx", (unsigned long long)check_random(&seed));
		cr_assert_eq(try(name, source, &s), 0);
		now += HF_MS;
	}
}
