// SPDX-License-Identifier: GPL-2.0
/*
 * Pressure at points in space: phasors, gains, dot products and their error
 * bound. docs/field.md derives every constant. Nothing here may know of
 * envelopes, verdicts or time.
 */
#include "field.h"
#include "path.h"

#define Q30		1073741824LL	/* 1.0 */
#define G_FULL		32767		/* largest |g| and |x| */
#define QUICK_FULL	4095		/* largest quick gain, but for its error */
#define PI2_Q28		2649351758ULL	/* pi^2, Q28 */
#define ROUND_Q16	46400		/* a complex value in integers: off by 0.7080 */
#define DIR_ERR_Q30	64		/* directivity: geometry and hf_piston_q30 together */
#define RATIO_ERR_Q30	8		/* the divisions behind a gain ratio */
#define MAG_SHIFT	9		/* |re|, |im| <= 2^40 come down to 2^31 */
#define MANT_BITS	29		/* of a scale: times 2^34, the largest quick sum, 63 bits */

/* 2^61 * 2^25 / (32767^2 * 65535 * 1000): uPa of gmax to mPa per magnitude unit, rounded up */
#define UNIT_Q61	1099595519ULL
/* 16 * 2^62 / (4095 * 65535 * 1000): uPa of gmax to mPa per unit of a quick sum, rounded up */
#define SUM_Q62		274949222ULL

/* v / 2^s, rounded up */
static u64 shr_up(u64 v, u32 s)
{
	if (s > 63)
		return v != 0;
	return (v >> s) + ((v & ((1ULL << s) - 1)) != 0);
}

/* v / 2^shift as a scale, rounded up */
static struct hf_scale scale_of(u64 v, u32 shift)
{
	u32 n = bits(v) > MANT_BITS ? bits(v) - MANT_BITS : 0;
	struct hf_scale k;

	k.mant = (u32)shr_up(v, n);	/* up to 2^29, if that carries */
	k.shift = shift - n;
	return k;
}

/* v * k / 2^more, rounded up, for v up to 2^34: with what makes it round, below 2^64 */
static inline u64 scale_up(u64 v, struct hf_scale k, u32 more)
{
	u32 s = k.shift + more < 63 ? k.shift + more : 63;

	return (v * k.mant + (1ULL << s) - 1) >> s;
}

static s16 round_q47(s64 v)
{
	return (s16)((v < 0 ? v - (1LL << 46) : v + (1LL << 46)) / (1LL << 47));
}

static s16 round_q30(s64 v)
{
	return (s16)((v < 0 ? v - Q30 / 2 : v + Q30 / 2) / Q30);
}

void hf_phase_lut_init(struct hf_phase_lut *lut, u32 levels)
{
	u32 k;

	memset(lut, 0, sizeof(*lut));
	lut->way = &hf_dot_scalar;
	lut->levels = levels;
	for (k = 0; k < levels; k++) {
		u32 turn = (u32)(((u64)k << 32) / levels);

		lut->x[k].re = round_q30((s64)hf_cos_q30(turn) * G_FULL);
		lut->x[k].im = round_q30((s64)hf_sin_q30(turn) * G_FULL);
	}
}

/* (k a / 2)^2 in Q30: u of hf_piston_q30 at sin(theta) = 1, below the null; 0: omnidirectional */
static u64 aperture_u(const struct hf_nameplate *np)
{
	u64 ratio_q31 = (np->aperture_um * 1000ULL << 31) / np->wavelength_nm;

	return (ratio_q31 * ratio_q31 >> 32) * PI2_Q28 >> 28;
}

/* Directivity in Q30 towards r, |r| = d, of a channel that looks along its normal */
static s64 directivity(const struct hf_channel_pos *c, s64 rx, s64 ry, s64 rz, struct dist d,
		       u64 u_full)
{
	s64 nx = c->nx_q14, ny = c->ny_q14, nz = c->nz_q14;
	u64 nn = (u64)(nx * nx + ny * ny + nz * nz);
	s64 dot = nx * rx + ny * ry + nz * rz;
	u64 q, cos2;

	if (!u_full || !nn)
		return Q30;
	/* |dot| <= |n| d < 2^15.8 d, so this stays below 2^63.8 */
	q = ((u64)(dot < 0 ? -dot : dot) << (d.half + 16)) / d.mant;	/* |n| cos(theta), Q16 */
	cos2 = q * q / (nn << 2);
	if (cos2 > (u64)Q30)
		cos2 = Q30;
	return hf_piston_q30((u32)(u_full * ((u64)Q30 - cos2) >> 30));
}

/* One channel seen from one point */
struct path {
	u64 d2;
	struct dist d;
	u64 w;		/* directivity / d, um^-1, Q63 */
};

static struct path path_of(const struct hf_channel_pos *c, const struct hf_field_point *p,
			   u64 u_full)
{
	s64 rx = (s64)p->x_um - c->x_um;
	s64 ry = (s64)p->y_um - c->y_um;
	s64 rz = (s64)p->z_um - c->z_um;
	struct path h;
	u64 dir = Q30;

	h.d2 = (u64)(rx * rx) + (u64)(ry * ry) + (u64)(rz * rz);
	h.d = distance(h.d2);
	if (h.d2 >= (u64)NEAR_UM * NEAR_UM)
		dir = directivity(c, rx, ry, rz, h.d, u_full);
	h.w = ((dir << 33) / h.d.mant) << h.d.half;
	return h;
}

void hf_field_point_init(struct hf_field_point *p, u8 *row, const struct hf_phase_lut *lut,
			 const struct hf_nameplate *np, s32 x_um, s32 y_um, s32 z_um)
{
	u64 u_full = aperture_u(np);
	u64 w_max = 0, d2_max = 0, d2_min = U64_MAX, omni, ref, dir_err;
	struct dist near;
	u32 i, norm;

	memset(p, 0, sizeof(*p));
	memset(row, 0, hf_row_size(np->channels));
	p->x_um = x_um;
	p->y_um = y_um;
	p->z_um = z_um;

	for (i = 0; i < np->channels; i++) {
		struct path h = path_of(&np->pos[i], p, u_full);

		w_max = h.w > w_max ? h.w : w_max;
		d2_max = h.d2 > d2_max ? h.d2 : d2_max;
		d2_min = h.d2 < d2_min ? h.d2 : d2_min;
	}

	/* directivity is at least 0.0003 within k a < 3.83, so omni / ref stays below 2^12 */
	near = distance(d2_min);
	omni = ((1ULL << 63) / near.mant) << near.half;
	norm = bits(w_max) > 32 ? bits(w_max) - 32 : 0;
	ref = (w_max >> norm) + 1;	/* the reference by definition: ratios stay below 1 */
	dir_err = RATIO_ERR_Q30;
	if (u_full)
		dir_err += DIR_ERR_Q30 * ((omni >> norm) + 1) / ref + 1;

	for (i = 0; i < np->channels; i++) {
		struct path h = path_of(&np->pos[i], p, u_full);
		u64 ratio = ((h.w >> norm) << 30) / ref;
		s64 t = (s64)(ratio * G_FULL >> 13);	/* Q17 */
		u32 turn = path_turn(h.d, np->wavelength_nm);
		u16 quick = (u16)shr_up((ratio + dir_err) * QUICK_FULL, 30);
		struct hf_cs16 g = {
			round_q47(t * hf_cos_q30(turn)), round_q47(t * hf_sin_q30(turn)),
		};

		hf_row_put(lut->way, row, np->channels, i, g, quick);
		p->quick_sum += quick;
	}

	p->eta_q16 = (u32)(ROUND_Q16 + shr_up(dir_err * G_FULL, 14));
	/* 2 pi (d/lambda 2^-31 + 2^-32) rad, and 2^-31 of the gain; below 2^19 */
	p->eps_q32 = 7 * (2 * ((u64)hf_isqrt64(d2_max) + NEAR_UM) * 1000 / np->wavelength_nm + 3);
	/* P0 * 10^6 * ref / 2^(63 - norm), with 10^6 = 2^6 * 15625 */
	p->gmax_upa = shr_up(np->p0_safety_upam * ref, 26) * 15625;
	p->gmax_upa = shr_up(p->gmax_upa, 63 - 26 - 6 - norm);
	p->gsum_upa = (p->quick_sum * p->gmax_upa + QUICK_FULL - 1) / QUICK_FULL;
	p->unit = scale_of(p->gmax_upa * UNIT_Q61, 61);
	p->sum = scale_of(p->gmax_upa * SUM_Q62, 62);
}

void hf_field_quick(struct hf_field_work *w, const struct hf_phase_lut *lut,
		    const struct hf_rows *rows, const struct hf_field_point *point,
		    const u16 *amp_q16)
{
	u32 j;

	lut->way->drive(&w->drive, amp_q16, rows->channels);
	lut->way->quick(&w->drive, rows, w->sum);
	for (j = 0; j < rows->count; j++)
		w->sum_mpa[j] = scale_up(w->sum[j], point[j].sum, w->drive.shift);
}

/* Four channels at once: most frames that are alike are alike nearly everywhere. */
static bool alike(const u16 *a, const u16 *b)
{
	u64 x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x == y;
}

static u32 move_of(struct hf_field_work *w, const struct hf_phase_lut *lut, u32 i, u16 phase,
		   u16 amp, u32 n)
{
	struct hf_move *m = &w->move[n];

	if (w->amp[i] == amp && (w->phase[i] == phase || !amp))
		return n;
	m->channel = i;
	m->was = hf_phasor_get(lut->way, &w->x, i);
	m->is = hf_phasor(lut->x[phase], (u32)amp << w->shift);
	return n + 1;
}

/* Where this frame differs from the last: @most places or fewer, else @most + 1 */
static u32 moves_of(struct hf_field_work *w, const struct hf_phase_lut *lut, const u16 *phase,
		    const u16 *amp, u32 channels, u32 most)
{
	u32 n = 0, i, k;

	for (i = 0; i < channels; i += 4) {
		u32 to = i + 4 < channels ? i + 4 : channels;

		if (to == i + 4 && alike(phase + i, w->phase + i) && alike(amp + i, w->amp + i))
			continue;
		if (n + 4 > most)
			return most + 1;
		for (k = i; k < to; k++)
			n = move_of(w, lut, k, phase[k], amp[k], n);
	}
	return n;
}

/* Few enough that moving is cheaper than all products anew: measured, docs/performance.md */
static u32 moves_most(const struct hf_phase_lut *lut, u32 channels)
{
	u32 most = lut->way->wide ? channels / 4 : channels / 32 + 4;

	return most < HF_MOVES_MAX ? most : HF_MOVES_MAX;
}

static void move_on(struct hf_field_work *w, const struct hf_phase_lut *lut,
		    const struct hf_rows *rows, u32 n, const u16 *phase, const u16 *amp)
{
	u32 k;

	hf_dot_moves(lut->way, w->move, n, rows, w->re, w->im);
	for (k = 0; k < n; k++) {
		u32 i = w->move[k].channel;

		hf_phasor_put(lut->way, &w->x, i, w->move[k].is);
		w->phase[i] = phase[i];
		w->amp[i] = amp[i];
	}
}

void hf_field_exact(struct hf_field_work *w, const struct hf_phase_lut *lut,
		    const struct hf_rows *rows, u64 id, const u16 *phase, const u16 *amp_q16)
{
	u32 n = rows->channels, most = moves_most(lut, n), moves;

	if (id && w->rows_id == id && w->shift == w->drive.shift) {
		moves = moves_of(w, lut, phase, amp_q16, n, most);
		if (moves <= most) {
			move_on(w, lut, rows, moves, phase, amp_q16);
			return;
		}
	}
	w->rows_id = id;
	w->shift = w->drive.shift;
	memcpy(w->phase, phase, n * sizeof(phase[0]));
	memcpy(w->amp, amp_q16, n * sizeof(amp_q16[0]));
	lut->way->phasors(&w->x, lut->x, phase, amp_q16, w->shift, n);
	lut->way->dots(&w->x, rows, w->re, w->im);
}

u64 hf_field_bound_mpa(const struct hf_field_point *p, const struct hf_field_work *w, u32 j,
		       u32 channels, u32 field_tol_q16)
{
	const struct hf_drive *d = &w->drive;
	u64 s_mpa = w->sum_mpa[j];
	u64 sum, gon, err, mag, a, b, mpa, least;
	s64 re = w->re[j], im = w->im[j];

	if (field_tol_q16 >= HF_Q16_ONE)
		return s_mpa;

	/* quick gains of what is on: exact if all of that is alike, or all channels are on */
	least = (d->amp_min << d->shift >> 4) + 1;
	gon = p->quick_sum;
	if (gon * least > w->sum[j])
		gon = w->sum[j] / least;
	/* both in the scale of the gains, the sum times that of the scaled amplitudes */
	gon = gon * G_FULL / QUICK_FULL + 1;
	sum = w->sum[j] * (16 * G_FULL) / QUICK_FULL + 1;

	/*
	 * Error in units of one product (2^-30 of full scale), all terms up:
	 * rounding of the phase table, of x, of g, relative error of g.
	 */
	err = (sum >> 16) * ROUND_Q16 + gon * ROUND_Q16 +
	      ((((u64)d->amp_sum << d->shift) * G_FULL >> 16) + 1) * p->eta_q16;
	err = shr_up(err, 16) + shr_up((sum >> 1) * p->eps_q32, 32) + 4ULL * channels;

	a = shr_up((u64)(re < 0 ? -re : re), MAG_SHIFT);
	b = shr_up((u64)(im < 0 ? -im : im), MAG_SHIFT);
	/* below 2^32: the root 2^31.5, the error 2^21 */
	mag = hf_root_up(a * a + b * b) + shr_up(err, MAG_SHIFT);
	mpa = scale_up(mag, p->unit, d->shift) + shr_up(s_mpa * field_tol_q16, 16);
	return mpa < s_mpa ? mpa : s_mpa;
}

u64 hf_field_far_mpa(const struct hf_nameplate *np, u64 amp_sum, u32 dist_um)
{
	/* 2^26 * 2^24.3 * 1000 < 2^61 */
	return amp_sum * np->p0_safety_upam * 1000 / ((u64)dist_um * HF_AMP_FULL) + 1;
}
