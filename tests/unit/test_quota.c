// SPDX-License-Identifier: GPL-2.0
/*
 * Budgets of a tenant: exact sums however they are cut up, boundaries, what a
 * new budget does to old usage, and sums that would wrap.
 */
#include "quota.h"
#include "rng.h"
#include "sum.h"

#include <criterion/criterion.h>

#define SEED 0x90a7
#define SEC 1000000000ULL
#define MSEC 1000000ULL

static struct hf_quota q;
static struct hf_reason r;

static void budget(u32 kind, u64 value, bool reset)
{
	u64 all[HF_QUOTA_KINDS] = { 0 };

	all[kind] = value;
	hf_quota_set(&q, 1U << kind, all, reset);
}

static bool spent(u32 kinds)
{
	r = hf_reason(HF_LIM_NONE, 7, -1, -1);
	return hf_quota_spent(&q, kinds, &r);
}

static void reason(u32 kind, s64 used, s64 bound)
{
	cr_assert_eq(r.limit, HF_LIM_QUOTA + kind);
	cr_assert_eq(r.where, HF_NOWHERE);
	cr_assert_eq(r.measured, used, "%lld", (long long)r.measured);
	cr_assert_eq(r.bound, bound);
	cr_assert(hf_reason_is_quota(&r));
}

Test(quota, none_never_binds)
{
	hf_quota_init(&q);
	cr_assert_not(hf_quota_binds(&q));
	hf_quota_charge(&q, U64_MAX, U64_MAX);
	hf_quota_frame(&q);
	cr_assert_not(spent(HF_QUOTA_ALL));
	cr_assert_eq(r.where, 7, "the reason was touched");
	q.used[HF_QUOTA_EMIT] = HF_QUOTA_NONE;
	cr_assert_not(spent(HF_QUOTA_ALL), "saturated usage reached a budget without bound");
	cr_assert_not(hf_reason_is_quota(&r));
}

Test(quota, zero_is_nothing)
{
	for (u32 k = 0; k < HF_QUOTA_KINDS; k++) {
		hf_quota_init(&q);
		budget(k, 0, false);
		cr_assert(hf_quota_binds(&q));
		cr_assert(spent(HF_QUOTA_ALL));
		reason(k, 0, 0);
		cr_assert_not(spent(HF_QUOTA_ALL & ~(1U << k)));
	}
}

Test(quota, boundaries)
{
	hf_quota_init(&q);
	budget(HF_QUOTA_EMIT, 10, false);
	hf_quota_charge(&q, 0, 10 * MSEC - 1);
	cr_assert_not(spent(HF_QUOTA_HELD));
	cr_assert_eq(hf_quota_used(&q, HF_QUOTA_EMIT), 10, "not rounded up");
	hf_quota_charge(&q, 0, 1);
	cr_assert(spent(HF_QUOTA_HELD));
	reason(HF_QUOTA_EMIT, 10, 10);

	hf_quota_init(&q);
	budget(HF_QUOTA_ENERGY, 3000000, false);
	hf_quota_charge(&q, 2000000, 3 * SEC / 2 - 1);	/* 2 W for 1.5 s */
	cr_assert_not(spent(HF_QUOTA_HELD));
	hf_quota_charge(&q, 2000000, 1);
	cr_assert(spent(HF_QUOTA_HELD));
	reason(HF_QUOTA_ENERGY, 3000000, 3000000);

	hf_quota_init(&q);
	budget(HF_QUOTA_FRAMES, 2, false);
	hf_quota_frame(&q);
	cr_assert_not(spent(HF_QUOTA_ALL));
	hf_quota_frame(&q);
	cr_assert(spent(HF_QUOTA_ALL));
	reason(HF_QUOTA_FRAMES, 2, 2);
	cr_assert_not(spent(HF_QUOTA_HELD), "the last frame may be held");
}

Test(quota, a_new_budget_bounds_old_usage_unless_reset)
{
	hf_quota_init(&q);
	hf_quota_charge(&q, 1000000, SEC);
	hf_quota_frame(&q);
	budget(HF_QUOTA_EMIT, 1000, false);
	cr_assert(spent(HF_QUOTA_ALL));
	budget(HF_QUOTA_EMIT, 1001, false);
	cr_assert_not(spent(HF_QUOTA_ALL));
	hf_quota_charge(&q, 0, MSEC + 1);
	cr_assert(spent(HF_QUOTA_ALL));
	budget(HF_QUOTA_EMIT, 1, true);
	cr_assert_not(spent(HF_QUOTA_ALL));
	cr_assert_eq(q.rem[HF_QUOTA_EMIT], 0);
	/* The other kinds keep theirs. */
	cr_assert_eq(hf_quota_used(&q, HF_QUOTA_ENERGY), 1000000);
	cr_assert_eq(hf_quota_used(&q, HF_QUOTA_FRAMES), 1);
	cr_assert_eq(q.budget[HF_QUOTA_ENERGY], HF_QUOTA_NONE);
	budget(HF_QUOTA_EMIT, HF_QUOTA_NONE, false);
	cr_assert_not(hf_quota_binds(&q));
}

/* However time is cut up and power changes, the sums are those of exact arithmetic. */
Test(quota, property_exact_in_any_steps)
{
	struct rng rng = { SEED };

	for (int round = 0; round < 2000; round++) {
		unsigned __int128 time = 0, energy = 0;

		hf_quota_init(&q);
		for (int i = 0; i < 100; i++) {
			u64 dt = rng_next(&rng) >> (24 + rng_next(&rng) % 40);
			u64 power = rng_next(&rng) >> (30 + rng_next(&rng) % 34);

			hf_quota_charge(&q, power, dt);
			time += dt;
			energy += (unsigned __int128)power * dt;
		}
		cr_assert_eq(q.used[HF_QUOTA_EMIT], (u64)(time / MSEC));
		cr_assert_eq(q.used[HF_QUOTA_ENERGY], (u64)(energy / SEC));
		cr_assert_eq(hf_quota_used(&q, HF_QUOTA_ENERGY),
			     (u64)((energy + SEC - 1) / SEC));
	}
}

/* Usage never shrinks and what is spent stays spent, also where a sum would wrap. */
Test(quota, property_never_fresh_again)
{
	struct rng rng = { SEED + 1 };

	for (int round = 0; round < 2000; round++) {
		u64 before[HF_QUOTA_KINDS], bound = rng_next(&rng) >> rng_next(&rng) % 64;
		bool was = false;

		hf_quota_init(&q);
		for (u32 k = 0; k < HF_QUOTA_KINDS; k++) {
			budget(k, bound == HF_QUOTA_NONE ? 0 : bound, false);
			q.used[k] = rng_next(&rng) >> rng_next(&rng) % 64;
		}
		for (int i = 0; i < 50; i++) {
			memcpy(before, q.used, sizeof(before));
			hf_quota_charge(&q, rng_next(&rng) >> rng_next(&rng) % 64,
					rng_next(&rng) >> rng_next(&rng) % 64);
			hf_quota_frame(&q);
			for (u32 k = 0; k < HF_QUOTA_KINDS; k++)
				cr_assert_geq(q.used[k], before[k]);
			cr_assert(!was || spent(HF_QUOTA_ALL));
			was = spent(HF_QUOTA_ALL);
			cr_assert(!was || (r.measured >= r.bound && r.bound >= 0));
		}
	}
}

Test(quota, sums_saturate)
{
	u64 sum = 0;
	u32 rem = 0;

	hf_sum_add(&sum, &rem, U64_MAX, SEC);
	cr_assert_eq(sum, U64_MAX);
	cr_assert_eq(rem, 0);
	hf_sum_add(&sum, &rem, 1, SEC);
	cr_assert_eq(sum, U64_MAX);
	sum = 0;
	hf_sum_add(&sum, &rem, U64_MAX, SEC - 1);
	cr_assert_eq(sum, (u64)((unsigned __int128)U64_MAX * (SEC - 1) / SEC));
	sum = U64_MAX - 1;
	rem = SEC - 1;
	hf_sum_add(&sum, &rem, SEC, 2);
	cr_assert_eq(sum, U64_MAX);
	q.used[HF_QUOTA_FRAMES] = U64_MAX;
	hf_quota_frame(&q);
	cr_assert_eq(q.used[HF_QUOTA_FRAMES], U64_MAX);
}

/* Ten kilowatts, the most that an envelope can allow, for the 29 years that a reason can tell. */
Test(quota, years)
{
	hf_quota_init(&q);
	for (int year = 0; year < 29; year++)
		hf_quota_charge(&q, 10000000000ULL, 365ULL * 86400 * SEC);
	cr_assert_eq(q.used[HF_QUOTA_ENERGY], 29ULL * 365 * 86400 * 10000000000ULL);
	cr_assert_leq(q.used[HF_QUOTA_ENERGY], (u64)S64_MAX);
	cr_assert_eq(q.used[HF_QUOTA_EMIT], 29ULL * 365 * 86400 * 1000);
}
