// SPDX-License-Identifier: GPL-2.0
/*
 * The lattice of envelopes: laws on random envelopes, and a judgement of "tighter"
 * that is written here a second time, by what a limit lets through.
 */
#include "../../uapi/holdfast.h"
#include "envelope.h"
#include "rng.h"

#include <criterion/criterion.h>

#define SEED 0xe9e1
#define ROUNDS 40000	/* three envelopes each */
#define MPA_MAX 4000000000U

/* The limits of which more is tighter, listed by hand. */
static bool is_floor(u32 l)
{
	static const u32 floors[] = {
		HOLDFAST_LIM_FRAME_INTERVAL, HOLDFAST_LIM_SUPPLY_MIN, HOLDFAST_LIM_FAN_MIN,
		HOLDFAST_LIM_BOX_MIN_X, HOLDFAST_LIM_BOX_MIN_Y, HOLDFAST_LIM_BOX_MIN_Z,
		HOLDFAST_LIM_EMIT_REST, HOLDFAST_LIM_REJECT_WINDOW, HOLDFAST_LIM_TRIP_DWELL,
	};
	u32 i;

	for (i = 0; i < sizeof(floors) / sizeof(floors[0]); i++)
		if (floors[i] == l)
			return true;
	return false;
}

/* Does the limit let value @v through? */
static bool lets(const struct hf_envelope *e, u32 l, s64 v)
{
	return is_floor(l) ? v >= e->limit[l] : v <= e->limit[l];
}

/* Pressure that @e allows at a place; as much as there is if it has no point there. */
static u32 allows_at(const struct hf_envelope *e, const struct hf_fence_point *p)
{
	u32 i, best = U32_MAX;

	for (i = 0; i < e->nfence; i++)
		if (e->fence[i].x_um == p->x_um && e->fence[i].y_um == p->y_um &&
		    e->fence[i].z_um == p->z_um && e->fence[i].limit_mpa < best)
			best = e->fence[i].limit_mpa;
	return best;
}

static s64 random_limit(struct rng *r, u32 l)
{
	s64 lo = hf_limits[l].min, hi = hf_limits[l].max;

	switch (rng_below(r, 6)) {
	case 0:
		return lo;
	case 1:
		return hi;
	case 2:
		return lo + (s64)rng_below(r, 2);
	case 3:
		return hi - (s64)rng_below(r, 2);
	case 4:	/* few values: equal limits in two envelopes must occur */
		return lo + (s64)rng_below(r, 3) * ((hi - lo) / 4);
	default:
		return rng_range(r, lo, hi);
	}
}

static s32 random_place(struct rng *r)
{
	static const s32 few[] = { 0, 1, -1, 10000000, -10000000, 150000 };

	if (rng_below(r, 8))
		return few[rng_below(r, 6)];
	return (s32)rng_range(r, -10000000, 10000000);
}

static void random_envelope(struct rng *r, struct hf_envelope *e, u32 max_fence)
{
	u32 i;

	memset(e, 0, sizeof(*e));
	for (i = 0; i < HF_LIM_COUNT; i++)
		e->limit[i] = random_limit(r, i);
	for (i = 0; i < HF_MASK_WORDS; i++)
		e->mask[i] = rng_below(r, 3) ? rng_next(r) : (rng_below(r, 2) ? U64_MAX : 0);
	e->nfence = (u32)rng_below(r, max_fence + 1);
	for (i = 0; i < e->nfence; i++) {
		e->fence[i].x_um = random_place(r);
		e->fence[i].y_um = random_place(r);
		e->fence[i].z_um = random_place(r);
		e->fence[i].limit_mpa = rng_below(r, 4) ? (u32)rng_below(r, MPA_MAX) :
							  (u32)rng_below(r, 3);
	}
	hf_envelope_canon(e);
}

/* Not looser than @b in anything, judged without hf_envelope_le. */
static bool tighter_by_effect(const struct hf_envelope *a, const struct hf_envelope *b)
{
	u32 i;

	for (i = 0; i < HF_LIM_COUNT; i++)
		if (lets(a, i, a->limit[i]) && !lets(b, i, a->limit[i]))
			return false;
	for (i = 0; i < HF_MAX_CHANNELS; i++)
		if ((a->mask[i / 64] >> (i % 64) & 1) && !(b->mask[i / 64] >> (i % 64) & 1))
			return false;
	for (i = 0; i < b->nfence; i++)
		if (allows_at(a, &b->fence[i]) > b->fence[i].limit_mpa)
			return false;
	return true;
}

Test(envelope, table_agrees_with_the_abi)
{
	u32 i;

	cr_assert_eq((int)HF_LIM_COUNT, (int)HOLDFAST_LIM_COUNT);
#define HF_X(NAME, name, unit, sense, lo, hi) \
	cr_assert_eq((int)HF_LIM_##NAME, (int)HOLDFAST_LIM_##NAME, "order of " #NAME);
	HF_LIMITS(HF_X)
#undef HF_X
	for (i = 0; i < HF_LIM_COUNT; i++) {
		cr_assert_eq(hf_limits[i].sense == HF_FLOOR, is_floor(i), "sense of %s",
			     hf_limits[i].name);
		cr_assert_lt(hf_limits[i].min, hf_limits[i].max);
		cr_assert_gt(strlen(hf_limits[i].name), 2);
		cr_assert_lt(strlen(hf_limits[i].name), HOLDFAST_LABEL_LEN);
	}
	cr_assert_str_eq(hf_limits[HF_LIM_TICK_LATE].name, "tick_late");
	cr_assert_str_eq(hf_limits[HF_LIM_DOSE].unit, "Pa2s");
}

Test(envelope, loosest)
{
	struct hf_envelope e;
	u32 i;

	memset(&e, 0xa5, sizeof(e));
	hf_envelope_loosest(&e);
	cr_assert_eq(hf_envelope_validate(&e, NULL), HF_ENV_OK);
	for (i = 0; i < HF_LIM_COUNT; i++) {
		cr_assert(lets(&e, i, hf_limits[i].min), "%s", hf_limits[i].name);
		cr_assert(lets(&e, i, hf_limits[i].max), "%s", hf_limits[i].name);
	}
	cr_assert_eq(e.nfence, 0);
	for (i = 0; i < HF_MASK_WORDS; i++)
		cr_assert_eq(e.mask[i], U64_MAX);
}

/* What the meet lets through is what both let through: value by value, place by place. */
static void check_meet(const struct hf_envelope *m, const struct hf_envelope *a,
		       const struct hf_envelope *b, struct rng *r)
{
	u32 i, k, places = 0;

	for (i = 0; i < HF_LIM_COUNT; i++) {
		const s64 probe[] = { a->limit[i], b->limit[i], a->limit[i] - 1, b->limit[i] + 1,
				      a->limit[i] + 1, b->limit[i] - 1,
				      rng_range(r, hf_limits[i].min, hf_limits[i].max) };

		for (k = 0; k < sizeof(probe) / sizeof(probe[0]); k++)
			cr_assert_eq(lets(m, i, probe[k]),
				     lets(a, i, probe[k]) && lets(b, i, probe[k]),
				     "%s lets %lld", hf_limits[i].name, (long long)probe[k]);
	}
	for (i = 0; i < HF_MASK_WORDS; i++)
		cr_assert_eq(m->mask[i], a->mask[i] & b->mask[i]);
	for (i = 0; i < m->nfence; i++) {
		u32 la = allows_at(a, &m->fence[i]), lb = allows_at(b, &m->fence[i]);

		cr_assert_eq(m->fence[i].limit_mpa, la < lb ? la : lb);
		places += la != U32_MAX && lb != U32_MAX;
	}
	cr_assert_eq(m->nfence, a->nfence + b->nfence - places);
}

Test(envelope, lattice_laws, .timeout = 300)
{
	static struct hf_envelope a, b, c, ab, ba, t, u, top;
	struct rng r = rng_seeded(SEED);
	u32 n, le_true = 0;

	hf_envelope_loosest(&top);
	for (n = 0; n < ROUNDS; n++) {
		bool le;

		random_envelope(&r, &a, 20);
		random_envelope(&r, &b, 20);
		random_envelope(&r, &c, 20);
		if (n % 3 == 0) {	/* related ones too: b below a */
			cr_assert_eq(hf_envelope_meet(&b, &a, &b, NULL), HF_ENV_OK);
			if (b.nfence > 20)
				b.nfence = 20;
			hf_envelope_canon(&b);
		}

		/* commutative, and the same by effect */
		cr_assert_eq(hf_envelope_meet(&ab, &a, &b, NULL), HF_ENV_OK);
		cr_assert_eq(hf_envelope_meet(&ba, &b, &a, NULL), HF_ENV_OK);
		cr_assert(hf_envelope_equal(&ab, &ba), "commutative, seed %d round %u", SEED, n);
		check_meet(&ab, &a, &b, &r);

		/* associative */
		cr_assert_eq(hf_envelope_meet(&t, &ab, &c, NULL), HF_ENV_OK);
		cr_assert_eq(hf_envelope_meet(&u, &b, &c, NULL), HF_ENV_OK);
		cr_assert_eq(hf_envelope_meet(&u, &a, &u, NULL), HF_ENV_OK);
		cr_assert(hf_envelope_equal(&t, &u), "associative, round %u", n);

		/* idempotent; the loosest is the identity */
		cr_assert_eq(hf_envelope_meet(&t, &a, &a, NULL), HF_ENV_OK);
		cr_assert(hf_envelope_equal(&t, &a), "idempotent, round %u", n);
		cr_assert_eq(hf_envelope_meet(&t, &a, &top, NULL), HF_ENV_OK);
		cr_assert(hf_envelope_equal(&t, &a), "identity, round %u", n);
		cr_assert(hf_envelope_le(&a, &top, NULL));

		/* never looser than a part; the greatest of those */
		cr_assert(hf_envelope_le(&ab, &a, NULL) && hf_envelope_le(&ab, &b, NULL));
		cr_assert(tighter_by_effect(&ab, &a) && tighter_by_effect(&ab, &b));
		cr_assert_eq(hf_envelope_meet(&u, &c, &ab, NULL), HF_ENV_OK);
		cr_assert(hf_envelope_le(&u, &ab, NULL), "a bound below both is below the meet");

		/* order: agrees with the meet and with the effect; reflexive, antisymmetric */
		le = hf_envelope_le(&a, &b, NULL);
		le_true += le;
		cr_assert_eq(le, hf_envelope_equal(&ab, &a), "le is not meet, round %u", n);
		cr_assert_eq(le, tighter_by_effect(&a, &b), "le is not the effect, round %u", n);
		le = hf_envelope_le(&b, &a, NULL);
		le_true += le;
		cr_assert_eq(le, hf_envelope_equal(&ab, &b));
		cr_assert_eq(le, tighter_by_effect(&b, &a));
		cr_assert(hf_envelope_le(&a, &a, NULL));
		if (hf_envelope_le(&a, &b, NULL) && hf_envelope_le(&b, &a, NULL))
			cr_assert(hf_envelope_equal(&a, &b));
		/* transitive, along a chain u <= ab <= a */
		cr_assert(hf_envelope_le(&u, &a, NULL));

		/* in place gives the same, on either side */
		t = a;
		cr_assert_eq(hf_envelope_meet(&t, &t, &b, NULL), HF_ENV_OK);
		cr_assert(hf_envelope_equal(&t, &ab));
		t = b;
		cr_assert_eq(hf_envelope_meet(&t, &a, &t, NULL), HF_ENV_OK);
		cr_assert(hf_envelope_equal(&t, &ab));
		t = a;
		cr_assert_eq(hf_envelope_meet(&t, &t, &t, NULL), HF_ENV_OK);
		cr_assert(hf_envelope_equal(&t, &a));
	}
	cr_assert_gt(le_true, ROUNDS / 10, "too few comparable pairs to mean anything: %u", le_true);
}

/* Every single field matters to le and to equal. */
Test(envelope, le_sees_every_field)
{
	static struct hf_envelope a, b;
	struct hf_reason r;
	u32 i;

	hf_envelope_loosest(&a);
	for (i = 0; i < HF_LIM_COUNT; i++) {
		s64 tight = is_floor(i) ? hf_limits[i].min + 1 : hf_limits[i].max - 1;

		b = a;
		b.limit[i] = tight;
		cr_assert(hf_envelope_le(&b, &a, NULL));
		cr_assert_not(hf_envelope_equal(&a, &b));
		cr_assert_not(hf_envelope_le(&a, &b, &r));
		cr_assert_eq(r.limit, i);
		cr_assert_eq(r.measured, a.limit[i]);
		cr_assert_eq(r.bound, tight);
	}
	for (i = 0; i < HF_MAX_CHANNELS; i++) {
		b = a;
		b.mask[i / 64] &= ~(1ULL << (i % 64));
		cr_assert(hf_envelope_le(&b, &a, NULL));
		cr_assert_not(hf_envelope_equal(&a, &b));
		cr_assert_not(hf_envelope_le(&a, &b, &r));
		cr_assert_eq(r.limit, HF_LIM_NONE);
		cr_assert_eq(r.where, i);
	}
	b = a;
	b.nfence = 1;
	b.fence[0] = (struct hf_fence_point){ 1, 2, 3, 100 };
	cr_assert(hf_envelope_le(&b, &a, NULL));
	cr_assert_not(hf_envelope_le(&a, &b, &r));
	cr_assert_eq(r.limit, HF_LIM_FENCE_PRESSURE);
	cr_assert_eq(r.where, 0);
	cr_assert_eq(r.bound, 100);
	a = b;
	a.fence[0].limit_mpa = 101;
	cr_assert_not(hf_envelope_le(&a, &b, &r));
	cr_assert_eq(r.measured, 101);
	a.fence[0].limit_mpa = 100;
	cr_assert(hf_envelope_le(&a, &b, NULL));
	cr_assert(hf_envelope_equal(&a, &b));
	/* A point that allows the most there is still is a point. */
	b.fence[0].limit_mpa = MPA_MAX;
	hf_envelope_loosest(&a);
	cr_assert_not(hf_envelope_le(&a, &b, NULL));
}

Test(envelope, meet_that_does_not_fit_changes_nothing)
{
	static struct hf_envelope a, b, out, before;
	struct hf_reason r = { 0 };
	u32 i;

	hf_envelope_loosest(&a);
	hf_envelope_loosest(&b);
	a.limit[HF_LIM_HOLD] = 7;
	for (i = 0; i < 40; i++)
		a.fence[i] = (struct hf_fence_point){ (s32)i, 0, 0, 5 };
	a.nfence = 40;
	for (i = 0; i < 25; i++)
		b.fence[i] = (struct hf_fence_point){ (s32)i + 100, 0, 0, 5 };
	b.nfence = 25;

	memset(&out, 0x5a, sizeof(out));
	before = out;
	cr_assert_eq(hf_envelope_meet(&out, &a, &b, &r), HF_ENV_FENCE_FULL);
	cr_assert_eq(r.measured, 65);
	cr_assert_eq(r.bound, 64);
	cr_assert_eq(memcmp(&out, &before, sizeof(out)), 0);
	before = a;
	cr_assert_eq(hf_envelope_meet(&a, &a, &b, NULL), HF_ENV_FENCE_FULL);
	cr_assert_eq(memcmp(&a, &before, sizeof(a)), 0);
	before = b;
	cr_assert_eq(hf_envelope_meet(&b, &a, &b, NULL), HF_ENV_FENCE_FULL);
	cr_assert_eq(memcmp(&b, &before, sizeof(b)), 0);

	/* One of them at a place of the other: 64, fits. */
	b.fence[3].x_um = 39;
	hf_envelope_canon(&b);
	cr_assert_eq(hf_envelope_meet(&out, &a, &b, &r), HF_ENV_OK);
	cr_assert_eq(out.nfence, 64);
	cr_assert_eq(out.limit[HF_LIM_HOLD], 7);

	/* A count that cannot be is refused, not followed out of bounds. */
	b.nfence = 65;
	cr_assert_eq(hf_envelope_meet(&out, &a, &b, NULL), HF_ENV_FENCE_FULL);
	b.nfence = U32_MAX;
	cr_assert_eq(hf_envelope_meet(&out, &b, &a, NULL), HF_ENV_FENCE_FULL);
	hf_envelope_canon(&b);
	cr_assert_eq(b.nfence, U32_MAX);
}

Test(envelope, canon_sorts_and_merges)
{
	static struct hf_envelope e, was;
	struct rng r = rng_seeded(SEED + 1);
	u32 n, i;

	for (n = 0; n < 20000; n++) {
		hf_envelope_loosest(&e);
		e.nfence = (u32)rng_below(&r, HF_MAX_FENCE + 1);
		for (i = 0; i < HF_MAX_FENCE; i++)	/* beyond nfence too: must be wiped */
			e.fence[i] = (struct hf_fence_point){
				(s32)rng_below(&r, 3) - 1, (s32)rng_below(&r, 3) - 1,
				(s32)rng_below(&r, 3) - 1, (u32)rng_below(&r, 1000) };
		was = e;
		hf_envelope_canon(&e);
		for (i = 0; i < e.nfence; i++) {
			const struct hf_fence_point *p = &e.fence[i], *q = p - 1;

			cr_assert_eq(p->limit_mpa, allows_at(&was, p));
			if (i)
				cr_assert(q->x_um < p->x_um ||
					  (q->x_um == p->x_um && q->y_um < p->y_um) ||
					  (q->x_um == p->x_um && q->y_um == p->y_um &&
					   q->z_um < p->z_um));
		}
		for (i = 0; i < was.nfence; i++)
			cr_assert_neq(allows_at(&e, &was.fence[i]), U32_MAX, "a point was lost");
		for (i = e.nfence; i < HF_MAX_FENCE; i++)
			cr_assert(!e.fence[i].x_um && !e.fence[i].y_um && !e.fence[i].z_um &&
				  !e.fence[i].limit_mpa);
	}
}

Test(envelope, validate_ranges)
{
	static struct hf_envelope e;
	struct hf_reason r;
	u32 i, k;

	for (i = 0; i < HF_LIM_COUNT; i++) {
		const s64 bad[] = { hf_limits[i].min - 1, hf_limits[i].max + 1, S64_MIN, S64_MAX };

		for (k = 0; k < 4; k++) {
			hf_envelope_loosest(&e);
			e.limit[i] = bad[k];
			cr_assert_eq(hf_envelope_validate(&e, &r), HF_ENV_RANGE);
			cr_assert_eq(hf_envelope_validate(&e, NULL), HF_ENV_RANGE);
			cr_assert_eq(r.limit, i);
			cr_assert_eq(r.measured, bad[k]);
			cr_assert_eq(r.bound, k % 2 ? hf_limits[i].max : hf_limits[i].min);
		}
	}
}

Test(envelope, validate_contradictions)
{
	static const u32 pair[][2] = {
		{ HF_LIM_BOX_MIN_X, HF_LIM_BOX_MAX_X }, { HF_LIM_BOX_MIN_Y, HF_LIM_BOX_MAX_Y },
		{ HF_LIM_BOX_MIN_Z, HF_LIM_BOX_MAX_Z }, { HF_LIM_TEMP_WARN, HF_LIM_TEMP_CRIT },
		{ HF_LIM_TEMP_CRIT, HF_LIM_TEMP_EMERG }, { HF_LIM_SUPPLY_MIN, HF_LIM_SUPPLY_MAX },
	};
	static struct hf_envelope e;
	struct hf_reason r;
	u32 i;

	for (i = 0; i < sizeof(pair) / sizeof(pair[0]); i++) {
		hf_envelope_loosest(&e);
		e.limit[HF_LIM_TEMP_WARN] = -30000;
		e.limit[pair[i][0]] = 5000;
		e.limit[pair[i][1]] = 5000;
		cr_assert_eq(hf_envelope_validate(&e, NULL), HF_ENV_OK);
		e.limit[pair[i][1]] = 4999;
		cr_assert_eq(hf_envelope_validate(&e, &r), HF_ENV_CONTRADICTION);
		cr_assert_eq(r.limit, pair[i][0]);
		cr_assert_eq(r.measured, 5000);
		cr_assert_eq(r.bound, 4999);
	}
	hf_envelope_loosest(&e);
	e.limit[HF_LIM_POWER_INST] = 1;	/* less than the average: allowed */
	cr_assert_eq(hf_envelope_validate(&e, NULL), HF_ENV_OK);
}

Test(envelope, validate_fence)
{
	static struct hf_envelope e;
	struct hf_reason r;
	u32 i, axis;

	hf_envelope_loosest(&e);
	e.nfence = HF_MAX_FENCE;
	for (i = 0; i < HF_MAX_FENCE; i++)
		e.fence[i] = (struct hf_fence_point){ 10000000, -10000000, (s32)i, MPA_MAX };
	cr_assert_eq(hf_envelope_validate(&e, &r), HF_ENV_OK);
	e.fence[63].limit_mpa = MPA_MAX + 1;
	cr_assert_eq(hf_envelope_validate(&e, &r), HF_ENV_RANGE);
	cr_assert_eq(r.where, 63);
	e.fence[63].limit_mpa = 0;
	for (axis = 0; axis < 3; axis++) {
		const s32 out[] = { 10000001, -10000001, S32_MAX, S32_MIN };

		for (i = 0; i < 4; i++) {
			struct hf_fence_point *p = &e.fence[17], keep = *p;

			*(axis == 0 ? &p->x_um : axis == 1 ? &p->y_um : &p->z_um) = out[i];
			cr_assert_eq(hf_envelope_validate(&e, &r), HF_ENV_FENCE_PLACE);
			cr_assert_eq(r.where, 17);
			cr_assert_eq(r.measured, out[i]);
			cr_assert_eq(r.bound, out[i] < 0 ? -10000000 : 10000000);
			*p = keep;
		}
	}
	cr_assert_eq(hf_envelope_validate(&e, &r), HF_ENV_OK);
	e.nfence = HF_MAX_FENCE + 1;
	cr_assert_eq(hf_envelope_validate(&e, &r), HF_ENV_FENCE_FULL);
	cr_assert_eq(r.measured, 65);
}
