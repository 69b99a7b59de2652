// SPDX-License-Identifier: GPL-2.0
/*
 * The surface: means of any sequence of visits against double precision, the order of
 * visits, what two surfaces make together, the bound for all points at once against
 * the field in floating point, and what follows from a mean.
 */
#include "model_np.h"
#include "surface.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#define SEED	0x5fac
#define MSEC	1000000ULL
#define SEC	1000000000ULL
#define T	(1000 * SEC)
#define TAU_S	60.0

/* large, and each test has its own process */
static struct hf_nameplate np;
static struct hf_phase_lut lut;
static struct hf_surface_work work;
static struct ref_point ref;

static struct hf_surface *room(u32 points)
{
	struct hf_surface *s = calloc(1, hf_surface_size(points));

	cr_assert_not_null(s);
	return s;
}

static int by_place(const void *a, const void *b)
{
	return hf_surface_order(a, b);
}

/* @n random places within +-@reach of the origin, sorted, in front. */
static struct hf_surface_point *places(struct rng *r, u32 n, s32 reach)
{
	struct hf_surface_point *p = calloc(n + 1, sizeof(*p));
	u32 i;

	cr_assert_not_null(p);
	for (i = 0; i < n; i++)
		p[i] = (struct hf_surface_point){
			.x_um = (s32)rng_range(r, -reach, reach),
			.y_um = (s32)rng_range(r, -reach, reach),
			.z_um = (s32)rng_range(r, 0, reach),
		};
	qsort(p, n, sizeof(*p), by_place);
	return p;
}

static struct hf_surface *surface_of(struct rng *r, u32 n, s32 reach)
{
	struct hf_surface_point *p = places(r, n, reach);
	struct hf_surface *s = room(n);

	hf_surface_merge(s, NULL, p, n, true, T);
	free(p);
	return s;
}

/* ------------------------------------------------------------------- means */

static double mean_mpa2(const struct hf_surface *s, u32 j)
{
	return (double)s->point[j].mean_q8 / 256;
}

/* Constant sound from T, visits at random times: not below the truth, and hardly above it. */
Test(surface, constant)
{
	static const u64 mpa[] = { 1, 20, 3000, 15900, 1000000, 99999999, 101000000 };
	struct rng r = rng_seeded(SEED);
	struct hf_surface *s = surface_of(&r, 1, 1000000);
	u32 k, i;

	for (k = 0; k < sizeof(mpa) / sizeof(mpa[0]); k++) {
		double sq = (double)mpa[k] * (double)mpa[k], t = 0, fell;
		u64 now = T;

		s->point[0].mean_q8 = 0;
		s->point[0].seen_ns = T;
		for (i = 0; i < 200; i++) {
			now += rng_below(&r, 2 * SEC << rng_below(&r, 4)) + 1;
			hf_surface_visit(s, 0, mpa[k], now);
			t = (double)(now - T) * 1e-9;
			cr_assert(mean_mpa2(s, 0) >= sq * -expm1(-t / TAU_S) * (1 - 1e-12));
			cr_assert(mean_mpa2(s, 0) <= sq * -expm1(-t / TAU_S) * (1 + 3e-4) + 1,
				  "%g of %g", mean_mpa2(s, 0), sq * -expm1(-t / TAU_S));
		}
		/* silence: a minute takes it to 1/e */
		fell = mean_mpa2(s, 0);
		for (i = 0; i < 12; i++)
			hf_surface_visit(s, 0, 0, now += 5 * SEC);
		cr_assert(mean_mpa2(s, 0) >= fell * exp(-1) * (1 - 1e-12));
		cr_assert(mean_mpa2(s, 0) <= fell * exp(-1) * (1 + 1e-3) + 1);
	}
	free(s);
}

/* Any sound in any sequence, with times that repeat or go back. */
Test(surface, any_sequence)
{
	struct rng r = rng_seeded(SEED + 1);
	struct hf_surface *s = surface_of(&r, 1, 1000000);
	u32 run, i;

	for (run = 0; run < 300; run++) {
		double y = 0, top = 0;
		u64 now = T, seen = T;

		s->point[0].mean_q8 = 0;
		s->point[0].seen_ns = T;
		for (i = 0; i < 300; i++) {
			u64 mpa = rng_below(&r, 3) ? rng_next(&r) >> rng_range(&r, 37, 63) : 0;
			u64 dt = rng_next(&r) >> rng_range(&r, 26, 63);
			double sq = pow(fmin((double)mpa, 101e6), 2);	/* all there is room for */

			now = dt || now == T ? now + dt : now - 1;
			hf_surface_visit(s, 0, mpa, now);
			if (now > seen) {
				y += (sq - y) * -expm1(-(double)(now - seen) * 1e-9 / TAU_S);
				seen = now;
				top = fmax(top, sq);
			}
			cr_assert(mean_mpa2(s, 0) >= y * (1 - 1e-12), "%g below %g",
				  mean_mpa2(s, 0), y);
			/* each step is off by 2e-4 of its way or less, and by a unit or two */
			cr_assert(mean_mpa2(s, 0) <= y + 3e-4 * (double)(i + 1) * top + i + 1);
		}
	}
	free(s);
}

Test(surface, root_is_rounded_up)
{
	struct rng r = rng_seeded(SEED + 2);
	u32 i;

	cr_assert_eq(hf_surface_mpa(0), 0);
	cr_assert_eq(hf_surface_mpa(1), 1);
	cr_assert_eq(hf_surface_mpa(256), 1);
	cr_assert_eq(hf_surface_mpa(257), 2);
	for (i = 0; i < 100000; i++) {
		u64 q8 = rng_next(&r) >> rng_range(&r, 2, 63);
		u64 v = hf_surface_mpa(q8);

		cr_assert(v * v >= q8 >> 8 && v * v * 256.0 >= (double)q8 * (1 - 1e-15));
		cr_assert(!v || (v - 1) * (v - 1) < (q8 >> 8) + 1);
	}
}

/* ------------------------------------------------------------------- order */

Test(surface, rounds)
{
	static const u32 sizes[] = { 1, 2, 31, 32, 33, 500, 4096 };
	static u32 seen[HF_MAX_SURFACE], at[HF_MAX_SURFACE];
	struct rng r = rng_seeded(SEED + 3);
	u32 k, round, i, n, same;

	for (k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		struct hf_surface *s = surface_of(&r, sizes[k], 1000000);

		n = s->points;
		memset(seen, 0, sizeof(seen));
		for (round = 1; round <= 10; round++) {
			for (i = same = 0; i < n; i++) {
				u32 j = hf_surface_next(s, (u32)rng_next(&r));

				cr_assert(j < n && seen[j] == round - 1, "once a round");
				cr_assert_eq(!s->visited, i + 1 == n);
				seen[j] = round;
				same += round > 1 && at[j] == i;
				at[j] = i;
			}
			/* one point is expected at its place of the round before, ten are not */
			cr_assert(n < 30 || same < 10, "%u of %u in the same place", same, n);
		}
		free(s);
	}
}

/* Every point may be first, every one last: no place in a round is out of reach. */
Test(surface, order_is_fair)
{
	enum { N = 8, ROUNDS = 8000 };
	static u32 hits[N][N];
	struct rng r = rng_seeded(SEED + 4);
	struct hf_surface *s = surface_of(&r, N, 1000000);
	u32 round, i, j;

	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < N; i++)
			hits[i][hf_surface_next(s, (u32)rng_next(&r))]++;
	for (i = 0; i < N; i++)
		for (j = 0; j < N; j++)
			cr_assert(hits[i][j] > 850 && hits[i][j] < 1150, "point %u is %u-th in %u rounds",
				  j, i, hits[i][j]);
	free(s);
}

Test(surface, stated_time)
{
	cr_assert_eq(hf_surface_scan_ms(4096, 256), 10000);
	cr_assert_eq(hf_surface_scan_ms(4096, 1024), 40000);
	cr_assert_eq(hf_surface_scan_ms(4096, 16), 1000);
	cr_assert_eq(hf_surface_scan_ms(1, 1), 1000);
	cr_assert_eq(hf_surface_scan_ms(2048, 256), 5000);
}

/* ------------------------------------------------------------------- merge */

static const struct hf_surface_point *find(const struct hf_surface *s,
					   const struct hf_surface_point *p)
{
	u32 i;

	for (i = 0; i < s->points; i++)
		if (!hf_surface_order(&s->point[i], p))
			return &s->point[i];
	return NULL;
}

static void merge_checked(const struct hf_surface *old, const struct hf_surface_point *p, u32 n,
			  bool all)
{
	struct hf_surface *s = room((old ? old->points : 0) + n);
	u32 i, want = 0;

	hf_surface_merge(s, old, p, n, all, T + 5);
	for (i = 0; i < n; i++) {
		const struct hf_surface_point *is = find(s, &p[i]);
		const struct hf_surface_point *was = old ? find(old, &p[i]) : NULL;

		cr_assert_not_null(is);
		cr_assert_eq(is->mean_q8, was ? was->mean_q8 : 0);
		cr_assert_eq(is->seen_ns, was ? was->seen_ns : T + 5);
		want += !i || hf_surface_order(&p[i - 1], &p[i]);
	}
	for (i = 0; old && i < old->points; i++) {
		bool in = bsearch(&old->point[i], p, n, sizeof(*p), by_place);
		const struct hf_surface_point *is = find(s, &old->point[i]);

		cr_assert_eq(!!is, in || all);
		if (is)
			cr_assert_eq(is->mean_q8, old->point[i].mean_q8);
		want += all && !in;
	}
	cr_assert_eq(s->points, want);
	cr_assert_eq(s->visited, 0);
	for (i = 0; i < s->points; i++) {
		cr_assert_eq(s->point[i].order, i);
		cr_assert(s->point[i].mean_q8 <= s->point[s->worst].mean_q8);
		cr_assert(!i || hf_surface_order(&s->point[i - 1], &s->point[i]) < 0);
	}
	free(s);
}

Test(surface, merge)
{
	struct rng r = rng_seeded(SEED + 5);
	u32 run, i;

	for (run = 0; run < 400; run++) {
		/* few places, so that many are the same */
		s32 reach = (s32)rng_range(&r, 1, 4);
		struct hf_surface *old = surface_of(&r, (u32)rng_below(&r, 40), reach);
		u32 n = (u32)rng_below(&r, 40);
		struct hf_surface_point *p = places(&r, n, reach);

		for (i = 0; i < old->points; i++) {
			old->point[i].mean_q8 = rng_next(&r) >> 10;
			old->point[i].seen_ns = T - i;
		}
		merge_checked(old, p, n, true);
		merge_checked(old, p, n, false);
		merge_checked(NULL, p, n, true);
		free(p);
		free(old);
	}
}

/* ------------------------------------------------------------------- field */

static void arrays(struct rng *r)
{
	np_grid(&np, (u32)rng_range(r, 1, 16), (u32)rng_range(r, 5000, 12000));
	if (rng_below(r, 3) == 0)
		np.aperture_um = 0;
	np.field_tol_q16 = rng_below(r, 2) ? (u32)rng_below(r, 8000) : 0;
	cr_assert_null(hf_nameplate_check(&np));
	hf_phase_lut_init(&lut, np.phase_levels);
}

static void frames(struct rng *r, enum frame_kind kind)
{
	u32 i;

	frame_make(kind, r, &np, &ref, work.phase, work.amp_q16);
	for (i = 0; i < np.channels; i++)
		work.phase[i] = (u16)((u32)lround(work.phase[i] / 65536.0 * np.phase_levels) %
				      np.phase_levels);
}

/* Neither the bound of a visit nor the bound for all points is ever below the true pressure. */
Test(surface, never_below_the_field)
{
	struct rng r = rng_seeded(SEED + 6);
	u32 run, i, j, kind, accepted = 0;

	for (run = 0; run < 40; run++) {
		u32 n = (u32)rng_range(&r, 1, 24);
		struct hf_surface *s;

		arrays(&r);
		s = surface_of(&r, n, (s32)rng_range(&r, 3000, 800000));
		for (i = 0; i < np.channels; i++)
			hf_surface_gain(s, &np, i);
		for (kind = 0; kind < FRAME_KINDS; kind++) {
			double worst = 0, nominal = 0;
			u64 most;

			j = (u32)rng_below(&r, s->points);
			ref_point_init(&ref, &np, s->point[j].x_um, s->point[j].y_um, s->point[j].z_um);
			frames(&r, kind);
			most = hf_surface_most_mpa(s, work.amp_q16);
			for (j = 0; j < s->points; j++) {
				double sum, true_mpa;
				u64 look = hf_surface_look(s, j, &work, &lut, &np);

				ref_point_init(&ref, &np, s->point[j].x_um, s->point[j].y_um,
					       s->point[j].z_um);
				sum = ref_sum_mpa(&ref, &np, work.amp_q16);
				true_mpa = ref_mpa(&ref, &np, work.phase, work.amp_q16);
				true_mpa = fmin(true_mpa + sum * np.field_tol_q16 / 65536, sum);
				cr_assert((double)look >= true_mpa * (1 - 1e-12));
				cr_assert((double)most >= sum * (1 - 1e-12),
					  "all points: %llu mPa below %.3f", (unsigned long long)most, sum);
				worst = fmax(worst, true_mpa);
				nominal = fmax(nominal, (double)look);
			}
			/* A limit that the exact path refuses, truly broken: not accepted either. */
			cr_assert(!(most < (u64)worst));
			accepted += (double)most < 2 * nominal + 2;
		}
		free(s);
	}
	/* ... and it is of use: within a factor of 2 of the worst point now and then */
	cr_assert(accepted > 20, "%u", accepted);
}

Test(surface, one_channel_one_point)
{
	struct hf_surface *s = room(1);
	struct hf_surface_point p = { .z_um = 100000 };
	u32 i;

	np_grid(&np, 1, 10000);
	hf_surface_merge(s, NULL, &p, 1, true, T);
	for (i = 0; i < np.channels; i++)
		hf_surface_gain(s, &np, i);
	work.amp_q16[0] = 65535;
	/* P0 / d, rounded up once or twice */
	cr_assert(hf_surface_most_mpa(s, work.amp_q16) - np.p0_safety_upam / 100 <= 2);
	work.amp_q16[0] = 0;
	cr_assert_eq(hf_surface_most_mpa(s, work.amp_q16), 0);
	s->point[0].z_um = 0;		/* in the channel itself: 2 mm */
	hf_surface_gain(s, &np, 0);
	work.amp_q16[0] = 65535;
	cr_assert(hf_surface_most_mpa(s, work.amp_q16) - np.p0_safety_upam / 2 <= 2);
	free(s);
}

/* ----------------------------------------------------------- what follows */

#define Q8(mpa) ((u64)(mpa) * (u64)(mpa) << 8)

Test(surface, over_and_rest)
{
	struct rng r = rng_seeded(SEED + 7);
	struct hf_surface *s = surface_of(&r, 5, 1000000);
	struct hf_surface_state st = {};
	struct hf_envelope env;
	struct hf_reason why;

	hf_envelope_loosest(&env);
	env.limit[HF_LIM_SURFACE_MEAN] = 1000;
	cr_assert_not(hf_surface_over(&st, &env, &why), "no surface, nothing over");
	cr_assert_not(hf_surface_refuses(&st, &env, &why));
	cr_assert_not(hf_surface_late(&st, &env, T + 1000000 * SEC, &why));

	s->point[3].mean_q8 = Q8(1000);
	hf_surface_find_worst(s);
	hf_surface_begin(&st, s, T);
	cr_assert_not(hf_surface_over(&st, &env, &why), "at the limit is allowed");
	cr_assert_not(hf_surface_refuses(&st, &env, &why));
	s->point[3].mean_q8++;
	hf_surface_tell(&st, s, false, T);
	cr_assert(hf_surface_over(&st, &env, &why) && hf_surface_refuses(&st, &env, &why));
	cr_assert(why.limit == HF_LIM_SURFACE_MEAN && why.where == 3 && why.measured == 1001 &&
		  why.bound == 1000);

	/* A rest lasts until it is 1/16 down. */
	hf_surface_rest(&st, &why);
	s->point[3].mean_q8 = Q8(1000) - Q8(1000) / 16 + 1;
	hf_surface_tell(&st, s, false, T);
	cr_assert_not(hf_surface_over(&st, &env, &why));
	cr_assert(hf_surface_refuses(&st, &env, &why));
	cr_assert(why.limit == HF_LIM_SURFACE_MEAN && why.where == 3 && why.measured == 969 &&
		  why.bound == 969);
	s->point[3].mean_q8--;
	hf_surface_tell(&st, s, false, T);
	cr_assert_not(hf_surface_refuses(&st, &env, &why));
	/* ... and only a rest does that. */
	s->point[3].mean_q8 = Q8(1000);
	hf_surface_tell(&st, s, false, T);
	cr_assert_not(hf_surface_refuses(&st, &env, &why));

	env.limit[HF_LIM_SURFACE_MEAN] = hf_limits[HF_LIM_SURFACE_MEAN].max;
	s->point[3].mean_q8 = Q8(101000000);
	hf_surface_tell(&st, s, false, T);
	cr_assert_not(hf_surface_over(&st, &env, &why), "loosest means no limit");
	env.limit[HF_LIM_SURFACE_MEAN]--;
	cr_assert(hf_surface_over(&st, &env, &why));
	env.limit[HF_LIM_SURFACE_MEAN] = 0;
	s->point[3].mean_q8 = 1;
	hf_surface_tell(&st, s, false, T);
	cr_assert(hf_surface_over(&st, &env, &why));
	free(s);
}

Test(surface, late)
{
	struct rng r = rng_seeded(SEED + 8);
	struct hf_surface *s = surface_of(&r, 100, 1000000);
	struct hf_surface_state st = {};
	struct hf_envelope env;
	struct hf_reason why;

	hf_envelope_loosest(&env);
	s->channels = 64;
	hf_surface_begin(&st, s, T);
	cr_assert_not(hf_surface_late(&st, &env, T + 1000 * SEC, &why), "nothing is bounded");
	env.limit[HF_LIM_SURFACE_MEAN] = 1000;
	cr_assert_not(hf_surface_late(&st, &env, T + 2 * SEC, &why));
	cr_assert(hf_surface_late(&st, &env, T + 2 * SEC + 1, &why));
	cr_assert(why.limit == HF_LIM_NONE && why.measured == 2001 && why.bound == 2000);
	hf_surface_tell(&st, s, false, T + 2 * SEC);
	cr_assert(hf_surface_late(&st, &env, T + 2 * SEC + 1, &why), "a batch is no round");
	hf_surface_tell(&st, s, true, T + 2 * SEC);
	cr_assert_not(hf_surface_late(&st, &env, T + 4 * SEC, &why));
	cr_assert_eq(st.took_ns, 2 * SEC);
	cr_assert_not(hf_surface_late(&st, &env, T, &why), "a time before");
	free(s);
}

Test(surface, idle)
{
	struct rng r = rng_seeded(SEED + 9);
	struct hf_surface *s = surface_of(&r, 50, 1000000);
	u32 j;

	for (j = 0; j < s->points; j++) {
		s->point[j].mean_q8 = Q8(5000 + j);
		s->point[j].seen_ns = T + j * MSEC;
	}
	hf_surface_idle(s, T + 60 * SEC);
	for (j = 0; j < s->points; j++) {
		double want = (double)Q8(5000 + j) * exp(-(60 - j * 1e-3) / TAU_S);

		cr_assert(s->point[j].mean_q8 >= want && s->point[j].mean_q8 < want * 1.001);
	}
	cr_assert_eq(s->worst, s->points - 1);
	free(s);
}
