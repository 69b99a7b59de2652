// SPDX-License-Identifier: GPL-2.0
/*
 * The keeper over a driver that is played here: limits of the site before and
 * after the seal, quotas shared out over arrays and carried over restarts. Time is
 * the test's.
 */
#include <stdlib.h>
#include <string.h>

#include "keeper_kit.h"
#include "service.h"
#include "site.h"

/* ---------------------------------------------------------------- limits */

Test(limits, set_and_sealed_then_only_tightened)
{
	plug();
	fake[2].site.limit[HOLDFAST_LIM_AMP_CAP] =
		100; /* somebody's, unsealed: the configuration counts */
	begin(500);
	for (size_t i = 0; i < ARRAYS; i++) {
		cr_assert(k->array[i].used && fake[i].sealed);
		cr_assert_eq(fake[i].site.limit[HOLDFAST_LIM_AMP_CAP], 500);
		cr_assert_eq(k->array[i].lacks, 0);
	}
	cr_assert(!k->sysadmin, "the right is kept although it is no longer needed");
	/* New settings: tighter goes in, looser is said. */
	settings(400, 10000);
	hf_arrays_settings(k);
	cr_assert_eq(fake[0].site.limit[HOLDFAST_LIM_AMP_CAP], 400);
	cr_assert_eq(k->array[0].lacks, 0);
	settings(450, 10000);
	hf_arrays_settings(k);
	cr_assert_eq(fake[0].site.limit[HOLDFAST_LIM_AMP_CAP], 400);
	cr_assert_eq(k->array[0].lacks, 1);
	cr_assert_eq(k->array[0].lack[0].wanted, 450);
	cr_assert_eq(k->array[0].lack[0].has, 400);
	end();
}

Test(limits, a_keeper_that_comes_back_to_a_seal)
{
	plug();
	begin(500);
	end();
	for (size_t i = 0; i < ARRAYS; i++)
		cr_assert(fake[i].sealed);
	fake[1].nfence = 2;
	begin(600);
	cr_assert(k->array[0].used);
	cr_assert_eq(fake[0].site.limit[HOLDFAST_LIM_AMP_CAP], 500);
	cr_assert_eq(k->array[0].lacks, 1);
	cr_assert_eq(k->array[1].lacks, 2,
		     "a looser limit, and fence points that are not configured");
	end();
}

/* ------------------------------------------------- limits and seal by others */

static int site_run(int amp_cap, bool seal, int array)
{
	json_t *j = config(amp_cap, 10000);
	struct hf_err e = { "" };
	int ret;

	json_object_set_new(json_object_get(j, "keeper"), "seal", json_boolean(seal));
	ret = hf_site_run(j, array, &driver, &e);
	json_decref(j);
	cr_assert_eq(!!ret, e.text[0] != '\0', "%d: %s", ret, e.text);
	return ret;
}

static int64_t cap(size_t i)
{
	return fake[i].site.limit[HOLDFAST_LIM_AMP_CAP];
}

Test(limits, without_the_right_a_keeper_claims_nothing_before_it_is_sealed)
{
	plug();
	begin_as(false, 500);
	for (size_t i = 0; i < ARRAYS; i++)
		cr_assert(!k->array[i].used && !fake[i].claimed && !fake[i].sealed);
	cr_assert(hf_timer_running(k->scan), "it is tried again");
	cr_assert_eq(site_run(500, true, 1), 0);
	hf_arrays_scan(k);
	cr_assert(!k->array[0].used && k->array[1].used && !k->array[2].used);
	cr_assert(k->array[1].sealed);
	cr_assert_eq(cap(1), 500);
	cr_assert_eq(site_run(500, true, -1), 0);
	hf_arrays_scan(k);
	for (size_t i = 0; i < ARRAYS; i++)
		cr_assert(k->array[i].used && k->array[i].sealed);
	end();
}

Test(limits, without_the_right_and_without_a_seal_they_are_tightened)
{
	plug();
	begin_as(false, 500);
	k->settings->seal = false;
	fake[2].site.limit[HOLDFAST_LIM_AMP_CAP] = 100;
	hf_arrays_scan(k);
	for (size_t i = 0; i < ARRAYS; i++)
		cr_assert(k->array[i].used && !fake[i].sealed);
	cr_assert_eq(cap(0), 500);
	cr_assert_eq(cap(2), 100);
	end();
}

Test(site, sets_and_seals_all)
{
	plug();
	fake[2].site.limit[HOLDFAST_LIM_AMP_CAP] = 100;
	cr_assert_eq(site_run(500, true, -1), 0);
	for (size_t i = 0; i < ARRAYS; i++)
		cr_assert(cap(i) == 500 && fake[i].sealed);
	cr_assert_eq(site_run(600, true, -1), 0, "a seal is no failure");
	cr_assert_eq(cap(0), 500);
	cr_assert_eq(site_run(400, true, -1), 0);
	cr_assert_eq(cap(0), 400, "nobody keeps it: tighter goes in");
}

Test(site, one_array_and_no_other)
{
	plug();
	cr_assert_eq(site_run(500, true, 1), 0);
	cr_assert(fake[1].sealed && cap(1) == 500);
	cr_assert(!fake[0].sealed && !fake[2].sealed && cap(0) == 65535);
	fake[2].absent = true;
	cr_assert_eq(site_run(500, true, 2), 0, "it has gone again");
	cr_assert_eq(site_run(500, true, HF_ARRAYS), -EINVAL);
}

/* What an admin has tightened by the API stays, and so does what the keeper goes by. */
Test(site, limits_of_an_array_that_is_kept_are_its_keepers)
{
	plug();
	for (size_t i = 0; i < ARRAYS; i++)
		fake[i].claimed = true;
	fake[0].site.limit[HOLDFAST_LIM_AMP_CAP] = 100;
	cr_assert_eq(site_run(500, false, -1), 0);
	cr_assert(cap(0) == 100 && cap(1) == 65535);
	fake[1].sealed = true;
	cr_assert_eq(site_run(400, true, -1), 0);
	cr_assert(cap(0) == 100 && cap(1) == 65535);
	cr_assert(fake[0].sealed, "one that came later to a keeper that has given up the right");
}

Test(site, one_that_fails_stops_no_other)
{
	plug();
	fake[0].sysadmin = false;
	cr_assert_eq(site_run(500, true, -1), -EPERM);
	cr_assert(fake[1].sealed && fake[2].sealed);
}

/* ---------------------------------------------------------------- backups */

Test(keeper_backup, what_leaves_the_folder)
{
	cr_expect(hf_keeper_ops.backup("state.json"));
	cr_expect_not(hf_keeper_ops.backup(".state.json.tmp"));
}

/* ---------------------------------------------------------------- quotas */

static void lease(size_t i)
{
	struct hf_array *a = &k->array[i];

	cr_assert_eq(hf_quota_ready(a, &k->settings->tenant[0]), 0);
	a->lease[a->leases++] = (struct hf_lease){ .id = 1 + i, .tenant = 7 };
}

static uint64_t allowed(size_t i)
{
	return fake[i].budget[0] > fake[i].used[0] ? fake[i].budget[0] - fake[i].used[0] : 0;
}

Test(quota, one_array_gets_it_all_and_is_set_once)
{
	plug();
	begin(500);
	lease(0);
	cr_assert_eq(allowed(0), 10000);
	cr_assert(!fake[1].known, "a budget where there is no lease");
	for (int i = 0; i < 10; i++) {
		fake[0].used[0] += 100;
		hf_test_clock_advance(&clock_, HF_S);
		hf_quota_tick(k);
	}
	cr_assert_eq(allowed(0), 9000);
	cr_assert_eq(fake[0].sets, 1, "each setting is an event");
	end();
}

/* The driver tells what was used rounded up, and stops at the next tick: a new lease gives nothing of it. */
Test(quota, what_is_spent_stays_spent)
{
	plug();
	begin(500);
	lease(0);
	fake[0].used[0] = 10020;
	hf_quota_tick(k);
	k->array[0].leases = 0;
	lease(0);
	cr_assert_eq(fake[0].budget[0], 10000);
	cr_assert_eq(hf_quota_reset(k, &k->settings->tenant[0]), 0);
	cr_assert_eq(allowed(0), 10000);
	end();
}

Test(quota, arrays_together_never_get_more)
{
	uint64_t seed = check_seed(), total = 0;

	plug();
	begin(500);
	quota_ms = 10000;
	lease(0);
	fake[0].used[0] = 1000;
	lease(1);
	lease(2);
	cr_assert_leq(allowed(0) + allowed(1) + allowed(2), 9000);
	cr_assert_geq(allowed(2), 2990);
	/* Whatever they play, as far as the driver lets them. */
	for (int i = 0; i < 400; i++) {
		size_t n = i < 20 ? check_random(&seed) % ARRAYS : 0;
		uint64_t most = allowed(n), more = most ? check_random(&seed) % (most / 3 + 2) : 0;

		fake[n].used[0] += more < most ? more : most;
		hf_quota_tick(k);
		total = fake[0].used[0] + fake[1].used[0] + fake[2].used[0];
		cr_assert_leq(total + allowed(0) + allowed(1) + allowed(2), 10000, "step %d", i);
	}
	cr_assert_geq(total, 9900, "what is left reaches who needs it: %llu",
		      (unsigned long long)total);
	end();
}

Test(quota, restarts_refill_nothing_and_periods_do)
{
	json_t *state;

	plug();
	begin(500);
	lease(0);
	fake[0].used[0] = 4000;
	hf_quota_tick(k);
	state = hf_quota_state(k);
	fake[0].used[0] = 5000;		/* after the state was written */
	end();

	/* The same registration: the driver's counters go on. */
	begin(500);
	hf_quota_restore(k, state);
	lease(0);
	cr_assert_eq(allowed(0), 5000);
	hf_quota_tick(k);
	json_decref(state);
	state = hf_quota_state(k);
	end();

	/* After a reboot they begin at 0. */
	plug();
	begin(500);
	hf_quota_restore(k, state);
	json_decref(state);
	for (size_t i = 0; i < ARRAYS; i++)
		k->array[i].instance += 50;
	lease(0);
	cr_assert_eq(allowed(0), 5000);
	/* A period later it is given anew, on top of what the counters stand at. */
	fake[0].used[0] = 5000;
	hf_quota_tick(k);
	cr_assert_eq(allowed(0), 0);
	hf_test_clock_advance(&clock_, 24 * 3600 * HF_S);
	hf_quota_tick(k);
	cr_assert_eq(allowed(0), 10000);
	/* And when an admin says so; less when the settings say so. */
	fake[0].used[0] += 6000;
	cr_assert_eq(hf_quota_reset(k, &k->settings->tenant[0]), 0);
	cr_assert_eq(allowed(0), 10000);
	settings(500, 2000);
	hf_quota_settings(k);
	cr_assert_eq(allowed(0), 2000);
	end();
}
