// SPDX-License-Identifier: GPL-2.0
/*
 * Frames computed from foci, against the same superposition in floating point:
 * phases and amplitudes are within what docs/field.md states, and so is the
 * pressure that they make at each focus.
 */
#include "focus.h"
#include "model_np.h"

#include <complex.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#define SEED 0xf0c5
#define PI 3.141592653589793238462643383279502884L
#define UNIT (2 * PI / 65536)		/* rad of one turn/65536 */

static struct hf_nameplate np;
static struct ref_point ref;
static u16 phase[HF_MAX_CHANNELS], amp[HF_MAX_CHANNELS];

/* Exact path of channel @i to a focus, wavelengths; nearer than 2 mm counts as 2 mm */
static long double path(u32 i, const struct hf_aim *a)
{
	long double x = (long double)a->x_um - np.pos[i].x_um;
	long double y = (long double)a->y_um - np.pos[i].y_um;
	long double z = (long double)a->z_um - np.pos[i].z_um;
	long double d = sqrtl(x * x + y * y + z * z);

	return (d < 2000 ? 2000 : d) * 1000 / np.wavelength_nm;
}

/* Exact drive of channel @i, 65535 = full; @far: the longest path, wavelengths */
static long double complex drive(u32 i, const struct hf_aim *aim, u32 n, long double *far)
{
	long double complex x = 0;
	u32 k;

	*far = 0;
	for (k = 0; k < n; k++) {
		long double d = path(i, &aim[k]);

		*far = fmaxl(*far, d);
		x += aim[k].amp * cexpl(I * 2 * PI * (aim[k].phase / 65536.0L - d));
	}
	return x;
}

/* What docs/field.md states, of every channel. Largest phase error, turn/65536, of one focus. */
static long double check(const struct hf_aim *aim, u32 n)
{
	long double total = 0, far, worst = 0;
	u32 i, k;

	for (k = 0; k < n; k++)
		total += aim[k].amp;
	hf_focus_frame(&np, aim, n, phase, amp);
	for (i = 0; i < np.channels; i++) {
		long double complex x = drive(i, aim, n, &far);
		long double complex got = amp[i] * cexpl(I * UNIT * phase[i]);
		long double bound = HF_FOCUS_PHASE_ERR / 1000.0L + far / 32768;
		long double lost = total * (2.4e-8L + 2 * PI * far / 0x1p31L);
		long double turned = fabsl(cargl(x * cexpl(-I * UNIT * phase[i]))) / UNIT;

		cr_assert(amp[i] <= total, "channel %u: %u above the total %.0Lf", i, amp[i], total);
		cr_assert(fabsl(amp[i] - cabsl(x)) <= 0.501L + lost, "channel %u: %u for %.3Lf", i,
			  amp[i], cabsl(x));
		cr_assert(cabsl(got - x) <= 0.51L + cabsl(x) * bound * UNIT + lost,
			  "channel %u: drive off by %Lf", i, cabsl(got - x));
		if (n > 1 || !total)
			continue;
		worst = fmaxl(worst, turned);
		cr_assert(turned <= bound, "channel %u: phase off by %Lf, stated %Lf", i, turned,
			  bound);
		cr_assert_eq(amp[i], aim[0].amp);
	}
	return worst;
}

static struct hf_aim aim_at(struct rng *r, s32 reach_um, u32 share)
{
	return (struct hf_aim){ (s32)rng_range(r, -reach_um, reach_um),
				(s32)rng_range(r, -reach_um, reach_um),
				(s32)rng_range(r, -reach_um, reach_um),
				(u16)rng_below(r, share + 1), (u16)rng_below(r, 65536) };
}

static void array_any(struct rng *r)
{
	static const u32 sides[] = { 1, 2, 5, 16, 32 };
	u32 i;

	np_grid(&np, sides[rng_below(r, 5)], 10500);
	np.wavelength_nm = rng_below(r, 2) ? 8580000 :
			   (u32)rng_range(r, HF_WAVELENGTH_MIN_NM, HF_WAVELENGTH_MAX_NM);
	for (i = 0; i < np.channels && rng_below(r, 2); i++)
		np.pos[i].z_um = (s32)rng_range(r, -50000, 50000);
}

Test(focus, one_anywhere)
{
	struct rng r = rng_seeded(SEED);
	long double worst = 0;
	u32 i;

	for (i = 0; i < 400; i++) {
		struct hf_aim a = aim_at(&r, i % 2 ? 300000 : HF_POS_REACH_UM, 65534);

		array_any(&r);
		a.amp++;
		worst = fmaxl(worst, check(&a, 1));
	}
	printf("largest phase error of one focus: %.4Lf of turn/65536\n", worst);
	cr_assert(worst > 0.49L, "the bound is never approached: is anything compared?");
}

/* The far corners of what may be stated, at the shortest wavelength */
Test(focus, ends_of_the_ranges)
{
	struct hf_aim a = { HF_POS_REACH_UM, -HF_POS_REACH_UM, HF_POS_REACH_UM, 65535, 65535 };
	struct hf_aim beyond = { S32_MAX, S32_MIN, S32_MAX, 65535, 65535 };
	static u16 there[HF_MAX_CHANNELS];
	u32 i;

	np_grid(&np, 4, 10500);
	np.wavelength_nm = HF_WAVELENGTH_MIN_NM;
	for (i = 0; i < np.channels; i++) {
		np.pos[i].x_um = i & 1 ? HF_POS_REACH_UM : -HF_POS_REACH_UM;
		np.pos[i].y_um = i & 2 ? HF_POS_REACH_UM : -HF_POS_REACH_UM;
		np.pos[i].z_um = i & 4 ? HF_POS_REACH_UM : -HF_POS_REACH_UM;
	}
	check(&a, 1);
	memcpy(there, phase, sizeof(there));
	hf_focus_frame(&np, &beyond, 1, phase, amp);	/* defined; and no box reaches there */
	cr_assert_arr_eq(phase, there, np.channels * sizeof(phase[0]));
}

Test(focus, nearer_than_2_mm)
{
	struct hf_aim a = { 0, 0, 0, 65535, 1234 };

	np_grid(&np, 1, 10500);
	check(&a, 1);
	a.z_um = 1999;
	check(&a, 1);
}

Test(focus, several)
{
	struct rng r = rng_seeded(SEED + 1);
	struct hf_aim aim[HF_MAX_FOCI];
	u32 i, k, n;

	for (i = 0; i < 400; i++) {
		array_any(&r);
		n = 1 + (u32)rng_below(&r, HF_MAX_FOCI);
		for (k = 0; k < n; k++)
			aim[k] = aim_at(&r, i % 2 ? 300000 : HF_POS_REACH_UM, 65535 / n);
		cr_assert(hf_focus_check(aim, n));
		check(aim, n);
	}
}

/* Two foci at one place in opposition are silence; in phase they are one of both shares. */
Test(focus, superposition)
{
	struct hf_aim aim[2] = { { 1000, 2000, 150000, 30000, 0 }, { 1000, 2000, 150000, 30000, 32768 } };
	u32 i;

	np_grid(&np, 16, 10500);
	check(aim, 2);
	for (i = 0; i < np.channels; i++)
		cr_assert_eq(amp[i], 0);
	aim[1].phase = 0;
	check(aim, 2);
	for (i = 0; i < np.channels; i++)
		cr_assert_eq(amp[i], 60000);
	aim[0].amp = 0;
	aim[1].amp = 0;
	check(aim, 2);
	for (i = 0; i < np.channels; i++)
		cr_assert_eq(amp[i], 0);
}

/* Complex pressure at ref of a drive, Pa */
static double complex pressure(const struct hf_aim *aim, u32 n, bool exact)
{
	double complex p = 0;
	long double far;
	u32 i;

	for (i = 0; i < np.channels; i++) {
		double complex x = exact ? (double complex)drive(i, aim, n, &far) :
					   amp[i] * cexp(I * (double)UNIT * phase[i]);

		p += x / 65535 * (ref.re[i] + I * ref.im[i]);
	}
	return p;
}

/*
 * At a focus: of one, what all channels in phase make, but for 3e-9, and with the
 * phase asked for; of several, as the ideal superposition within 6e-5 of what all
 * channels at full drive could make there.
 */
Test(focus, pressure_there)
{
	struct rng r = rng_seeded(SEED + 2);
	struct hf_aim aim[HF_MAX_FOCI];
	u32 i, k, n, c;

	np_grid(&np, 16, 10500);
	for (i = 0; i < 200; i++) {
		n = 1 + (u32)rng_below(&r, HF_MAX_FOCI);
		for (k = 0; k < n; k++) {
			aim[k] = aim_at(&r, 100000, 65535 / n - 1);
			aim[k].z_um = (s32)rng_range(&r, 50000, 400000);
			aim[k].amp++;
		}
		hf_focus_frame(&np, aim, n, phase, amp);
		for (k = 0; k < n; k++) {
			double full = 0, sum = 0;
			double complex got, want;

			ref_point_init(&ref, &np, aim[k].x_um, aim[k].y_um, aim[k].z_um);
			for (c = 0; c < np.channels; c++) {
				full += ref.gain[c];
				sum += ref.gain[c] * amp[c] / 65535;
			}
			got = pressure(aim, n, false);
			want = pressure(aim, n, true);
			cr_assert(cabs(got - want) <= 6e-5 * full, "%u foci: off by %g of %g", n,
				  cabs(got - want), full);
			if (n > 1)
				continue;
			cr_assert(cabs(got) >= sum * (1 - 3e-9) && cabs(got) <= sum * (1 + 1e-12),
				  "%.9f Pa where %.9f are possible", cabs(got), sum);
			cr_assert(fabs(carg(got * cexp(-I * (double)UNIT * aim[0].phase))) < 1e-4);
		}
	}
}

Test(focus, what_is_a_frame)
{
	struct hf_aim aim[HF_MAX_FOCI + 1] = { { 0 } };
	u32 k;

	for (k = 0; k <= HF_MAX_FOCI; k++)
		aim[k].amp = 8191;
	aim[7].amp = 65535 - 7 * 8191;
	cr_assert(!hf_focus_check(aim, 0));
	cr_assert(hf_focus_check(aim, 1));
	cr_assert(hf_focus_check(aim, HF_MAX_FOCI));
	cr_assert(!hf_focus_check(aim, HF_MAX_FOCI + 1));
	aim[7].amp++;
	cr_assert(!hf_focus_check(aim, HF_MAX_FOCI), "more than the drive");
	for (k = 0; k < HF_MAX_FOCI; k++)
		aim[k].amp = 65535;
	cr_assert(!hf_focus_check(aim, HF_MAX_FOCI), "eight times the drive");
}
