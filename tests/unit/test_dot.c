// SPDX-License-Identifier: GPL-2.0
/*
 * Every way of the dot products against sums in plain 64-bit arithmetic, and
 * against each other: the same bits, at the ends of the ranges too. No physics.
 */
#include "dot.h"
#include "field.h"
#include "rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#define SEED 0xd07
#define POINTS 7	/* odd: the scalar way takes two at a time */

/* large, and each test has its own process */
static u8 rows_of[2][POINTS * HF_ROW_MAX] __attribute__((aligned(32)));
static struct hf_cs16 gain[POINTS][HF_MAX_CHANNELS];
static u16 quick_gain[POINTS][HF_MAX_CHANNELS];
static u16 phase[HF_MAX_CHANNELS], amp[HF_MAX_CHANNELS];
static struct hf_phase_lut lut;
static struct hf_drive drive[2];
static union hf_phasor_room x[2];
static u64 sum[2][POINTS];
static s64 re[2][POINTS], im[2][POINTS];
static const struct hf_dot_way *way[2] = { &hf_dot_scalar };

static u32 ways(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2")) {
		way[1] = &hf_dot_avx2;
		return 2;
	}
#endif
	return 1;
}

/* Quick amplitude @i, as dot.h says it lies. */
static u16 quick_of(const struct hf_dot_way *w, const struct hf_drive *d, u32 i)
{
	return w->wide ? (u16)(d->quick.wide[i / 2] >> i % 2 * 32) : d->quick.plain[i];
}

static s16 random_s16(struct rng *r)
{
	static const s16 ends[] = { 32767, -32767, 0, 1, -1 };

	return rng_below(r, 4) ? (s16)rng_range(r, -32767, 32767) : ends[rng_below(r, 5)];
}

static void random_rows(struct rng *r, u32 channels)
{
	bool loud = !rng_below(r, 4);
	u32 j, i, k;

	memset(rows_of, 0, sizeof(rows_of));
	for (j = 0; j < POINTS; j++)
		for (i = 0; i < channels; i++) {
			gain[j][i] = (struct hf_cs16){ random_s16(r), random_s16(r) };
			/* no gain is longer than 32767, but in one part it may be that long */
			if (hypot(gain[j][i].re, gain[j][i].im) > 32767.9)
				gain[j][i].im = 0;
			quick_gain[j][i] = loud ? 4096 : (u16)rng_below(r, 4097);
			for (k = 0; k < ways(); k++)
				hf_row_put(way[k], rows_of[k] + j * hf_row_size(channels), channels,
					   i, gain[j][i], quick_gain[j][i]);
		}
}

static void random_frame(struct rng *r, u32 channels)
{
	u32 kind = (u32)rng_below(r, 5), i;

	for (i = 0; i < channels; i++) {
		phase[i] = (u16)rng_below(r, lut.levels);
		amp[i] = kind == 0 ? 65535 : kind == 1 ? (u16)rng_below(r, 40) :
			 kind == 2 && rng_below(r, 20) ? 0 : (u16)rng_next(r);
	}
	if (kind == 3)
		memset(amp, 0, sizeof(amp));
	if (kind == 4)	/* all in phase with all gains: the largest sums there are */
		for (i = 0; i < channels; i++) {
			phase[i] = 0;
			amp[i] = 65535;
		}
}

static void reference(u32 channels, u32 j)
{
	u32 any = 0, total = 0, least = 65535, shift = 0, i;
	s64 dre = 0, dim = 0;
	u64 s = 0;

	for (i = 0; i < channels; i++) {
		any |= amp[i];
		total += amp[i];
		if (amp[i] && amp[i] < least)
			least = amp[i];
	}
	while (any && !(any << shift & 32768))
		shift++;
	cr_assert_eq(drive[0].shift, shift);
	cr_assert_eq(drive[0].amp_sum, total);
	cr_assert_eq(drive[0].amp_min, least);
	for (i = 0; i < channels; i++) {
		double a = amp[i] * exp2(shift) / 65536;
		s64 xr = (s64)floor(lut.x[phase[i]].re * a + 0.5);
		s64 xi = (s64)floor(lut.x[phase[i]].im * a + 0.5);
		u32 q = quick_of(way[0], &drive[0], i);

		cr_assert(q * 16 >= a * 65536 && q * 16 <= a * 65536 + 16);
		cr_assert(amp[i] || !q);
		s += (u64)q * quick_gain[j][i];
		dre += xr * gain[j][i].re - xi * gain[j][i].im;
		dim += xr * gain[j][i].im + xi * gain[j][i].re;
	}
	cr_assert_eq(sum[0][j], s);
	cr_assert_eq(re[0][j], dre, "%ld, not %ld", re[0][j], dre);
	cr_assert_eq(im[0][j], dim, "%ld, not %ld", im[0][j], dim);
}

static void reckon(u32 k, u32 channels)
{
	struct hf_rows rows = { rows_of[k], channels, POINTS };

	/* what was there before must not shine through */
	memset(&drive[k], 0xa5, sizeof(drive[k]));
	memset(&x[k], 0xa5, sizeof(x[k]));
	way[k]->drive(&drive[k], amp, channels);
	way[k]->quick(&drive[k], &rows, sum[k]);
	way[k]->phasors(&x[k], lut.x, phase, amp, drive[k].shift, channels);
	way[k]->dots(&x[k], &rows, re[k], im[k]);
}

static void same(u32 channels)
{
	u32 i;

	cr_assert_eq(drive[0].shift, drive[1].shift);
	cr_assert_eq(drive[0].amp_sum, drive[1].amp_sum);
	cr_assert_eq(drive[0].amp_min, drive[1].amp_min);
	for (i = 0; i < hf_lanes(channels); i++)
		cr_assert_eq(quick_of(way[0], &drive[0], i), quick_of(way[1], &drive[1], i));
	cr_assert_arr_eq(sum[0], sum[1], sizeof(sum[0]));
	cr_assert_arr_eq(re[0], re[1], sizeof(re[0]));
	cr_assert_arr_eq(im[0], im[1], sizeof(im[0]));
	for (i = 0; i < channels; i++) {
		struct hf_cs16 a = hf_phasor_get(way[0], &x[0], i);
		struct hf_cs16 b = hf_phasor_get(way[1], &x[1], i);

		cr_assert(a.re == b.re && a.im == b.im);
	}
}

/* Frames of all sizes, each way against the reference and the other: as many as HOLDFAST_DOT_FRAMES. */
static void frames(u32 n, bool check)
{
	struct rng r = rng_seeded(SEED + n);
	u32 f, j, k, channels = 0;

	for (f = 0; f < n; f++) {
		if (f % 50 == 0) {
			channels = rng_below(&r, 3) ? 1 + (u32)rng_below(&r, HF_MAX_CHANNELS) :
				   rng_below(&r, 2) ? HF_MAX_CHANNELS : 256;
			hf_phase_lut_init(&lut, 2 + (u32)rng_below(&r, 4095));
			random_rows(&r, channels);
		}
		random_frame(&r, channels);
		for (k = 0; k < ways(); k++)
			reckon(k, channels);
		for (j = 0; j < POINTS && check; j++)
			reference(channels, j);
		if (ways() > 1)
			same(channels);
	}
}

/* Its name is not the first: Criterion 2.4.1 loses memory when the first test ends last. */
Test(dot, the_same_bits_in_all_ways, .timeout = 600)
{
	const char *want = getenv("HOLDFAST_DOT_FRAMES");

	frames(3000, true);
	frames(want ? (u32)atoi(want) : 20000, false);
}

/* Every product that by_full can meet at its ends, and many between. */
Test(dot, division_by_full)
{
	struct rng r = rng_seeded(SEED + 5);
	u32 q, i;

	for (q = 0; q <= 65535; q++) {
		cr_assert_eq(hf_by_full(q * 65535U), q);
		if (q)
			cr_assert_eq(hf_by_full(q * 65535U - 1), q - 1);
		if (q < 65535)
			cr_assert_eq(hf_by_full(q * 65535U + 65534), q);
	}
	for (i = 0; i < 1000000; i++) {
		u32 v = (u32)rng_below(&r, 65535U) * (u32)rng_below(&r, 65536);

		cr_assert_eq(hf_by_full(v), v / 65535);
	}
}

/* From request to wire steps, against the same in double arithmetic and each other. */
Test(dot, quantise, .timeout = 120)
{
	static struct hf_channel_cal cal[HF_MAX_CHANNELS];
	static u64 mask[HF_MASK_WORDS];
	static u16 step[2][HF_MAX_CHANNELS + 1], level[2][HF_MAX_CHANNELS + 1];
	struct rng r = rng_seeded(SEED + 4);
	u32 f, i, k;

	for (f = 0; f < 4000; f++) {
		u32 n = 1 + (u32)rng_below(&r, HF_MAX_CHANNELS), loudest[2], want = 0;
		u32 scale = rng_below(&r, 2) ? 65536 : (u32)rng_below(&r, 65537);
		bool flat = rng_below(&r, 2);
		struct hf_grid g = {
			cal, mask, 2 + (u32)rng_below(&r, 4095), 1 + (u32)rng_below(&r, 4096), n, flat,
		};

		for (i = 0; i < HF_MASK_WORDS; i++)
			mask[i] = flat || rng_below(&r, 2) ? ~0ULL : rng_next(&r);
		for (i = 0; i < n; i++) {
			phase[i] = (u16)rng_next(&r);
			amp[i] = rng_below(&r, 8) ? (u16)rng_next(&r) : 65535;
			cal[i] = (struct hf_channel_cal){ 0, 65535 };
			if (!flat)
				cal[i] = (struct hf_channel_cal){ (u16)rng_next(&r), (u16)rng_next(&r) };
		}
		for (k = 0; k < ways(); k++) {
			step[k][n] = 4711;
			level[k][n] = 4711;
			loudest[k] = way[k]->quantise(&g, phase, amp, scale, step[k], level[k]);
			cr_assert(step[k][n] == 4711 && level[k][n] == 4711, "wrote beyond");
		}
		for (i = 0; i < n; i++) {
			u32 p = (phase[i] + cal[i].phase_offset) & 0xffff;
			u32 a = (u32)floor((double)amp[i] * cal[i].gain_q16 / 65535);

			p = (u32)floor(p * (double)g.phase_levels / 65536 + 0.5);
			if (!(mask[i / 64] >> (i % 64) & 1))
				a = 0;
			want = a > want ? a : want;
			a = (u32)floor(floor(a * (double)scale / 65536) * g.amp_levels / 65535);
			for (k = 0; k < ways(); k++) {
				cr_assert_eq(step[k][i], p % g.phase_levels);
				cr_assert_eq(level[k][i], a);
			}
		}
		for (k = 0; k < ways(); k++)
			cr_assert_eq(loudest[k], want);
	}
}

/* The largest sum of every kind: nothing wraps. */
Test(dot, extremes)
{
	static const struct hf_cs16 end[] = {
		{ 32767, 0 }, { -32767, 0 }, { 0, 32767 }, { 0, -32767 }, { 23170, 23170 },
		{ -23170, 23170 },
	};
	u32 a, b, i, j, k;

	hf_phase_lut_init(&lut, 8);
	for (a = 0; a < 6; a++)
		for (b = 0; b < 8; b++) {
			memset(rows_of, 0, sizeof(rows_of));
			for (i = 0; i < HF_MAX_CHANNELS; i++) {
				amp[i] = 65535;
				phase[i] = (u16)b;
				for (j = 0; j < POINTS; j++) {
					gain[j][i] = end[a];
					quick_gain[j][i] = 4096;
					for (k = 0; k < ways(); k++)
						hf_row_put(way[k], rows_of[k] +
							   j * hf_row_size(HF_MAX_CHANNELS),
							   HF_MAX_CHANNELS, i, end[a], 4096);
				}
			}
			for (k = 0; k < ways(); k++)
				reckon(k, HF_MAX_CHANNELS);
			for (j = 0; j < POINTS; j++)
				reference(HF_MAX_CHANNELS, j);
			cr_assert_eq(sum[0][0], 1024ULL * 4096 * 4096);
			if (ways() > 1)
				same(HF_MAX_CHANNELS);
		}
}

/* A frame that changes k channels: the same as all products anew, however often. */
Test(dot, moves_never_drift, .timeout = 120)
{
	static struct hf_field_work moved, anew;
	struct rng r = rng_seeded(SEED + 9);
	static const struct hf_field_point points[POINTS];	/* of no strength: rows only */
	u32 f, k, n, j, through = 0;

	hf_phase_lut_init(&lut, 256);
	for (k = 0; k < ways(); k++) {
		struct hf_rows rows = { rows_of[k], 1024, POINTS };

		memset(&moved, 0, sizeof(moved));
		lut.way = way[k];
		random_rows(&r, 1024);
		random_frame(&r, 1024);
		amp[7] = 65535;		/* keeps the scale of the amplitudes */
		for (f = 0; f < 3000; f++) {
			for (n = (u32)rng_below(&r, rng_below(&r, 3) ? 9 : 300); n; n--) {
				u32 i = 8 + (u32)rng_below(&r, 1016);

				phase[i] = (u16)rng_below(&r, 256);
				if (rng_below(&r, 2))
					amp[i] = (u16)rng_next(&r);
			}
			if (!rng_below(&r, 50))
				amp[7] = amp[7] == 65535 ? 30000 : 65535;
			hf_field_quick(&moved, &lut, &rows, points, amp);
			hf_field_exact(&moved, &lut, &rows, 1, phase, amp);
			hf_field_quick(&anew, &lut, &rows, points, amp);
			hf_field_exact(&anew, &lut, &rows, 0, phase, amp);
			for (j = 0; j < POINTS; j++)
				cr_assert(moved.re[j] == anew.re[j] && moved.im[j] == anew.im[j],
					  "%s, frame %u, point %u", way[k]->name, f, j);
			through++;
		}
		/* other rows: nothing of the old may be used */
		random_rows(&r, 1024);
		hf_field_quick(&moved, &lut, &rows, points, amp);
		hf_field_exact(&moved, &lut, &rows, 2, phase, amp);
		hf_field_quick(&anew, &lut, &rows, points, amp);
		hf_field_exact(&anew, &lut, &rows, 0, phase, amp);
		cr_assert_eq(moved.re[0], anew.re[0]);
	}
	cr_assert(through >= 3000);
}
