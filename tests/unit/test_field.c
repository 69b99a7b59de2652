// SPDX-License-Identifier: GPL-2.0
/*
 * The field in integers against the same model in floating point: the bound is
 * never below the true pressure and never far above it (docs/field.md).
 */
#include "model_np.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#define SEED 0xf1e1d

/* large, and each test has its own process */
static struct hf_nameplate np;
static struct hf_phase_lut lut;
static struct hf_field_point p;
static u8 row[HF_ROW_MAX] __attribute__((aligned(32)));
static struct hf_field_work work;
static struct ref_point ref;
static u16 phase[HF_MAX_CHANNELS], amp[HF_MAX_CHANNELS];

static const u32 phase_levels[] = { 2, 3, 10, 32, 100, 128, 256, 1000, 4096 };
static const u32 amp_levels[] = { 1, 5, 64, 100, 255, 4096 };

static void look(u32 channels)
{
	struct hf_rows rows = { row, channels, 1 };

	hf_field_quick(&work, &lut, &rows, &p, amp);
	hf_field_exact(&work, &lut, &rows, 0, phase, amp);
}

/* As dot.h says it lies in a row of the scalar way. */
static u16 quick_gain(u32 i)
{
	const u64 *two = (const u64 *)(row + hf_lanes(np.channels) * 8);

	return (u16)(two[i / 2] >> (32 - i % 2 * 32));
}

static struct hf_cs16 row_gain(u32 i)
{
	s64 w = ((const s64 *)row)[i];
	struct hf_cs16 g = { .re = (s16)w };

	g.im = (s16)((w - g.re) >> 44);
	return g;
}

static u64 sum_mpa(void)
{
	return work.sum_mpa[0];
}

static u64 bound_mpa(u32 channels, u32 tol_q16)
{
	return hf_field_bound_mpa(&p, &work, 0, channels, tol_q16);
}

#define PICK(r, a) ((a)[rng_below(r, sizeof(a) / sizeof((a)[0]))])

/* The wire values of what frame_make asked for, with independent arithmetic. */
static void to_wire(u32 plevels, u32 alevels)
{
	u32 i;

	for (i = 0; i < np.channels; i++) {
		phase[i] = (u16)((u32)lround(phase[i] / 65536.0 * plevels) % plevels);
		amp[i] = (u16)ceil(floor((double)amp[i] * alevels / 65535) * 65535 / alevels);
	}
}

/* How far S may be above the true sum: a step of quick amplitude and of quick gain, 1/4096 each. */
static double promised_quick_mpa(void)
{
	double gmax = 0, on = 0, a = 0, shift = 65536;
	u32 i;

	for (i = 0; i < np.channels; i++)
		while (amp[i] * shift >= 65536)
			shift /= 2;
	for (i = 0; i < np.channels; i++) {
		gmax = fmax(gmax, ref.gain[i]);
		on += amp[i] ? ref.gain[i] + gmax / 4095 : 0;
		a += amp[i] / 65535.0;
	}
	return 1000 * (on * 16 / 65535 / shift + 1.01 * gmax * a / 4095) + 1;
}

/*
 * What docs/field.md promises: bound - true <= 2 E + 3 mPa + 2^-21 of the pressure + 2^-19 of
 * the largest gain, E = the sum of the error terms, from the exact gains.
 */
static double promised_excess_mpa(double exact)
{
	double gmax = 0, gsum = 0, a = 0, s = 0, amin = 1, c = 0.708 / 32767, e, gon;
	double shift = 65536, q = promised_quick_mpa() / 1000;
	u32 i;

	for (i = 0; i < np.channels; i++) {
		double ai = amp[i] / 65535.0;

		gmax = fmax(gmax, ref.gain[i]);
		gsum += ref.gain[i];
		a += ai;
		s += ai * ref.gain[i];
		if (ai > 0 && ai < amin)
			amin = ai;
	}
	for (i = 0; i < np.channels; i++)
		while (amp[i] * shift >= 65536)
			shift /= 2;
	s += q;
	gon = fmin(gsum + np.channels * gmax / 4095, s / amin * (1 + 1e-3));
	e = c * s + c * gon / shift + 1.1 * c * gmax * a + s * 1e-5;
	return 1000 * (2 * e + gmax / shift * 0x1p-19) + exact * 0x1p-21 + 3;
}

static void compare(const char *what)
{
	double exact = ref_mpa(&ref, &np, phase, amp);
	double sum = ref_sum_mpa(&ref, &np, amp);
	double bound, s;

	look(np.channels);
	bound = (double)bound_mpa(np.channels, np.field_tol_q16);
	s = (double)sum_mpa();

	exact = fmin(exact + sum * np.field_tol_q16 / 65536, sum);
	cr_assert(s >= sum * (1 - 1e-12), "%s: S %.3f below %.3f", what, s, sum);
	cr_assert(s <= sum * (1 + 2e-9) + promised_quick_mpa(), "%s: S %.3f far above %.3f", what,
		  s, sum);
	cr_assert(bound >= exact * (1 - 1e-12), "%s: %.3f mPa below %.3f", what, bound, exact);
	cr_assert(bound <= s, "%s: bound above S", what);
	cr_assert(bound - exact <= fmax(promised_quick_mpa(), promised_excess_mpa(exact) +
		  promised_quick_mpa() * np.field_tol_q16 / 65536),
		  "%s: excess %.3f mPa, promised %.3f, at %.3f", what, bound - exact,
		  promised_excess_mpa(exact), exact);
}

static void point_at(s32 x, s32 y, s32 z)
{
	hf_field_point_init(&p, row, &lut, &np, x, y, z);
	ref_point_init(&ref, &np, x, y, z);
}

/* A direction and a distance from the array's centre: 8 mm to 2 m, now and then 17 m. */
static void random_point(struct rng *r)
{
	double d = 8000 * pow(250, rng_unit(r));
	double u = 2 * rng_unit(r) - 1, phi = 2 * M_PI * rng_unit(r), v = sqrt(1 - u * u);

	switch (rng_below(r, 8)) {
	case 0:
		point_at(0, 0, (s32)d);
		break;
	case 1:
		point_at((s32)rng_range(r, -10000000, 10000000),
			 (s32)rng_range(r, -10000000, 10000000),
			 (s32)rng_range(r, -10000000, 10000000));
		break;
	case 2:	/* right in front of one transducer, or in it */
		point_at(np.pos[0].x_um, np.pos[0].y_um, (s32)rng_below(r, 10000));
		break;
	default:
		point_at((s32)(d * v * cos(phi)), (s32)(d * v * sin(phi)), (s32)(d * u));
	}
}

static void frames(u32 side, u32 points, u32 per_point, u64 seed)
{
	struct rng r = rng_seeded(seed);
	char what[80];
	u32 i, k;

	np_grid(&np, side, 10500);
	for (i = 0; i < points; i++) {
		u32 al = PICK(&r, amp_levels);

		np.phase_levels = PICK(&r, phase_levels);
		np.p0_safety_upam = (u64)rng_range(&r, 1000, 20000000);
		np.aperture_um = rng_below(&r, 4) ? (u32)rng_below(&r, 5220) : 0;
		np.field_tol_q16 = rng_below(&r, 4) ? 0 : (u32)rng_below(&r, 65537);
		np.wavelength_nm = (u32)rng_range(&r, 8560000, 8700000);
		for (k = 0; k < np.channels; k++) {	/* tilted, not quite unit */
			np.pos[k].nx_q14 = (s16)rng_range(&r, -6000, 6000);
			np.pos[k].nz_q14 = (s16)(rng_below(&r, 2) ? 15800 : -15800);
		}
		hf_phase_lut_init(&lut, np.phase_levels);
		random_point(&r);
		for (k = 0; k < per_point; k++) {
			enum frame_kind kind = (enum frame_kind)rng_below(&r, FRAME_KINDS);

			frame_make(kind, &r, &np, &ref, phase, amp);
			to_wire(np.phase_levels, al);
			snprintf(what, sizeof(what), "seed %lx point %u frame %u kind %u", seed, i,
				 k, kind);
			compare(what);
		}
	}
}

Test(field, differential_64, .timeout = 120) { frames(8, 3000, 50, SEED); }
Test(field, differential_256, .timeout = 120) { frames(16, 2000, 60, SEED + 1); }
Test(field, differential_1024, .timeout = 120) { frames(32, 400, 50, SEED + 2); }
Test(field, differential_1, .timeout = 120) { frames(1, 4000, 10, SEED + 3); }

/* 0.2 promille of S for every usual frame of a 16 x 16 array, 100 mm or more above it. */
Test(field, tight)
{
	struct rng r = rng_seeded(SEED + 4);
	double worst = 0;
	u32 i;

	np_grid(&np, 16, 10500);
	hf_phase_lut_init(&lut, np.phase_levels);
	for (i = 0; i < 2000; i++) {
		enum frame_kind kind = (enum frame_kind)rng_below(&r, FRAME_SINGLE);
		double over;

		point_at((s32)rng_range(&r, -100000, 100000), (s32)rng_range(&r, -100000, 100000),
			 (s32)rng_range(&r, 100000, 500000));
		frame_make(kind, &r, &np, &ref, phase, amp);
		to_wire(np.phase_levels, np.amp_levels);
		look(np.channels);
		over = ((double)bound_mpa(np.channels, 0) -
			ref_mpa(&ref, &np, phase, amp)) / ref_sum_mpa(&ref, &np, amp);
		worst = fmax(worst, over);
	}
	cr_assert(worst < 2e-4, "worst excess %.3g of S", worst);
}

/* Numbers a person can follow: one source, 1 m, P0 = 8 Pa m, no directivity. */
Test(field, one_source)
{
	np_grid(&np, 1, 10500);
	hf_phase_lut_init(&lut, 256);
	point_at(0, 0, 1000000);
	cr_assert(p.gsum_upa >= 8000000 && p.gsum_upa < 8002000, "%lu", p.gsum_upa);
	phase[0] = 0;
	amp[0] = 65535;
	look(1);
	cr_assert_eq(sum_mpa(), 8003);
	cr_assert_eq(bound_mpa(1, 0), 8001);
	amp[0] = 0;
	look(1);
	cr_assert_eq(sum_mpa(), 0);
	cr_assert_eq(bound_mpa(1, 0), 0);
}

/* A point inside a transducer is taken as 2 mm away: finite, and the loudest there is. */
Test(field, on_top_of_a_channel)
{
	s32 z;

	np_grid(&np, 1, 10500);
	np.p0_safety_upam = 20000000;
	hf_phase_lut_init(&lut, 256);
	for (z = 0; z <= 2000; z += 100) {
		point_at(0, 0, z);
		cr_assert(p.gmax_upa >= 10000000000ULL && p.gmax_upa < 10000100000ULL, "%d: %lu", z,
			  p.gmax_upa);
	}
}

/* Sources half a turn apart cancel; the tolerance of the model then is all that is left. */
Test(field, cancellation_and_tolerance)
{
	double s;

	np_grid(&np, 2, 10500);
	hf_phase_lut_init(&lut, 2);
	np.phase_levels = 2;
	point_at(0, 0, 300000);
	amp[0] = amp[1] = amp[2] = amp[3] = 65535;
	phase[0] = phase[3] = 0;
	phase[1] = phase[2] = 1;
	look(4);
	s = (double)sum_mpa();
	cr_assert(s > 1000);
	cr_assert_lt(bound_mpa(4, 0), s * 2e-4 + 3);
	cr_assert_geq(bound_mpa(4, 6554), 0.1 * s);
	cr_assert_lt(bound_mpa(4, 6554), 0.1003 * s + 3);
	cr_assert_eq(bound_mpa(4, 65536), s);
	cr_assert_eq(bound_mpa(4, U32_MAX), s);
}

Test(field, phase_table_is_exact)
{
	u32 n, k;

	for (n = 2; n <= 4096; n = n < 300 ? n + 1 : n * 2) {
		hf_phase_lut_init(&lut, n);
		cr_assert_eq(lut.levels, n);
		for (k = 0; k < n; k++) {
			double re = 32767 * cos(2 * M_PI * k / n);
			double im = 32767 * sin(2 * M_PI * k / n);

			cr_assert(fabs(lut.x[k].re - re) <= 0.5006, "%u of %u", k, n);
			cr_assert(fabs(lut.x[k].im - im) <= 0.5006, "%u of %u", k, n);
		}
	}
}

/* The cheap bound for foci is above S wherever the distance holds. */
Test(field, far_bound)
{
	struct rng r = rng_seeded(SEED + 5);
	u32 i, k;

	np_grid(&np, 8, 10500);
	hf_phase_lut_init(&lut, np.phase_levels);
	for (i = 0; i < 3000; i++) {
		s32 z = (s32)rng_range(&r, 0, 1000000);
		u64 sum = 0, far;

		point_at((s32)rng_range(&r, -36750, 36750), (s32)rng_range(&r, -36750, 36750), z);
		for (k = 0; k < np.channels; k++) {
			amp[k] = (u16)rng_next(&r);
			sum += amp[k];
		}
		far = hf_field_far_mpa(&np, sum, z > 2000 ? (u32)z : 2000);
		cr_assert((double)far >= ref_sum_mpa(&ref, &np, amp), "z %d", z);
	}
}

/*
 * Every gain of a point is within what the point itself claims, also where all
 * channels are near their null, where d is large and where lambda is small.
 */
Test(field, gains_are_within_their_claim, .timeout = 120)
{
	struct rng r = rng_seeded(SEED + 7);
	double worst = 0;
	u32 i, k;

	for (i = 0; i < 2000; i++) {
		double eta, eps;

		np_grid(&np, 8, 10500);
		hf_phase_lut_init(&lut, np.phase_levels);
		np.wavelength_nm = rng_below(&r, 2) ? 8580000 : HF_WAVELENGTH_MIN_NM;
		np.aperture_um = (u32)(np.wavelength_nm / 1000 * (rng_below(&r, 2) ? 0.6 : 0.6095));
		np.p0_safety_upam = HF_P0_MAX_UPAM;
		cr_assert_null(hf_nameplate_check(&np), "%s", hf_nameplate_check(&np));
		if (rng_below(&r, 2)) {
			random_point(&r);
		} else {	/* in the plane of the array: sin(theta) = 1 everywhere */
			point_at((s32)exp2(16 + 7 * rng_unit(&r)), (s32)rng_range(&r, -9000000, 9000000),
				 0);
		}
		eta = p.eta_q16 / 65536.0;
		eps = (double)p.eps_q32 * 0x1p-32;
		cr_assert(eta < 20 && eps < 0.002, "%f %g", eta, eps);
		for (k = 0; k < np.channels; k++) {
			double unit = (double)p.gmax_upa / 1e6 / 32767;
			double re = ref.re[k] / unit, im = ref.im[k] / unit;
			double size = hypot(re, im);
			struct hf_cs16 g = row_gain(k);
			double quick = quick_gain(k) * 32767 / 4095.0;
			double off = hypot(g.re - re, g.im - im);
			/* gmax_upa is rounded up to 1 uPa and in its 31st bit */
			double slack = size * (1.0 / (double)p.gmax_upa + 0x1p-29);

			cr_assert(off <= eta + size * eps + slack, "point %u channel %u: %f, claim %f + %f",
				  i, k, off, eta, size * eps);
			cr_assert(quick >= size - slack, "point %u channel %u: %f below %f", i, k,
				  quick, size);
			worst = fmax(worst, off);
		}
	}
	cr_assert(worst > 1, "%f: the points were too easy", worst);
}

/* Gains and phases survive nameplates at the ends of what hf_nameplate_check lets through. */
Test(field, extremes)
{
	struct rng r = rng_seeded(SEED + 6);
	u32 i, k;

	for (i = 0; i < 400; i++) {
		np_grid(&np, 8, 10500);
		np.p0_safety_upam = rng_below(&r, 2) ? 1 : HF_P0_MAX_UPAM;
		np.p0_nominal_upam = 1;
		np.wavelength_nm = rng_below(&r, 2) ? HF_WAVELENGTH_MIN_NM : HF_WAVELENGTH_MAX_NM;
		np.aperture_um = rng_below(&r, 2) ? 0 : np.wavelength_nm / 1000 * 609 / 1000;
		np.phase_levels = rng_below(&r, 2) ? 2 : 4096;
		cr_assert_null(hf_nameplate_check(&np), "%s", hf_nameplate_check(&np));
		for (k = 0; k < np.channels; k++) {
			np.pos[k].x_um += rng_below(&r, 2) ? -9950000 : 9950000;
			np.pos[k].y_um = (s32)rng_range(&r, -10000000, 10000000);
		}
		hf_phase_lut_init(&lut, np.phase_levels);
		point_at(rng_below(&r, 2) ? 10000000 : -10000000,
			 (s32)rng_range(&r, -10000000, 10000000),
			 rng_below(&r, 2) ? 10000000 : 0);
		for (k = 0; k < 20; k++) {
			frame_make((enum frame_kind)rng_below(&r, FRAME_KINDS), &r, &np, &ref,
				   phase, amp);
			to_wire(np.phase_levels, PICK(&r, amp_levels));
			look(np.channels);
			cr_assert((double)bound_mpa(np.channels, 0) >=
				  ref_mpa(&ref, &np, phase, amp) * (1 - 1e-12), "round %u", i);
			cr_assert((double)sum_mpa() >=
				  ref_sum_mpa(&ref, &np, amp) * (1 - 1e-12), "round %u", i);
		}
	}
}
