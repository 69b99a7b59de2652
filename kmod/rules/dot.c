// SPDX-License-Identifier: GPL-2.0
/*
 * Dot products with the instructions that every 64-bit processor has, and what
 * all ways have in common. No meaning of the sums, no limits.
 */
#include "dot.h"

#define WIDE	44	/* bits between the parts of a wide value */
/* Channels whose products' sums fit the highest part, 128 - 2 * 44 bits: 512 * 2^30 = 2^39 */
#define CHUNK	512

static s64 wide_of(struct hf_cs16 v)
{
	return v.re + (s64)v.im * (1LL << WIDE);
}

static struct hf_cs16 narrow_of(s64 w)
{
	struct hf_cs16 v = { .re = (s16)w };

	v.im = (s16)((w - v.re) >> WIDE);
	return v;
}

static s64 low_part(u64 v)
{
	return (s64)(v << (64 - WIDE)) >> (64 - WIDE);
}

/* A sum of wide products: Σ re re' + 2^44 Σ (re im' + im re') + 2^88 Σ im im' */
static void split(__int128 sum, s64 *re, s64 *im)
{
	s64 part = low_part((u64)sum);

	*re += part;
	sum = (sum - part) >> WIDE;
	part = low_part((u64)sum);
	*im += part;
	*re -= (s64)((sum - part) >> WIDE);
}

static const u8 *row_of(const struct hf_rows *rows, u32 j)
{
	return rows->row + j * hf_row_size(rows->channels);
}

static const s64 *gains(const struct hf_rows *rows, u32 j)
{
	return (const s64 *)row_of(rows, j);
}

void hf_row_put(const struct hf_dot_way *way, u8 *row, u32 channels, u32 i, struct hf_cs16 g,
		u16 quick)
{
	if (way->wide)
		((s64 *)row)[i] = wide_of(g);
	else
		((struct hf_cs16 *)row)[i] = g;
	row += hf_lanes(channels) * (size_t)8;
	if (way->wide)
		((u64 *)row)[i / 2] |= (u64)quick << (32 - i % 2 * 32);
	else
		((u16 *)row)[i] = quick;
}

static inline struct hf_cs16 gain_at(bool wide, const u8 *row, u32 i)
{
	return wide ? narrow_of(((const s64 *)row)[i]) : ((const struct hf_cs16 *)row)[i];
}

struct hf_cs16 hf_phasor(struct hf_cs16 unit, u32 amp_scaled)
{
	s32 a = (s32)amp_scaled;
	struct hf_cs16 x;

	/* |x a| < 2^31 - 2^15: bias to unsigned, round to nearest, take the bias off */
	x.re = (s16)((s32)(((u32)(unit.re * a) + 0x80008000U) >> 16) - 0x8000);
	x.im = (s16)((s32)(((u32)(unit.im * a) + 0x80008000U) >> 16) - 0x8000);
	return x;
}

struct hf_cs16 hf_phasor_get(const struct hf_dot_way *way, const union hf_phasor_room *x, u32 i)
{
	if (way->wide)
		return narrow_of(x->wide[i]);
	return (struct hf_cs16){ x->plain.conj[i].re, x->plain.swap[i].re };
}

void hf_phasor_put(const struct hf_dot_way *way, union hf_phasor_room *x, u32 i, struct hf_cs16 v)
{
	if (way->wide) {
		x->wide[i] = wide_of(v);
		return;
	}
	x->plain.conj[i] = (struct hf_cs16){ v.re, (s16)-v.im };
	x->plain.swap[i] = (struct hf_cs16){ v.im, v.re };
}

/* One layout's loop: which it is, is asked once. */
static inline void add_moves(bool wide, const struct hf_move *move, u32 n, const u8 *row, s64 *re,
			     s64 *im)
{
	s64 a = 0, b = 0;
	u32 k;

	for (k = 0; k < n; k++) {
		struct hf_cs16 g = gain_at(wide, row, move[k].channel);
		s64 dre = move[k].is.re - move[k].was.re;
		s64 dim = move[k].is.im - move[k].was.im;

		a += dre * g.re - dim * g.im;
		b += dre * g.im + dim * g.re;
	}
	*re += a;
	*im += b;
}

void hf_dot_moves(const struct hf_dot_way *way, const struct hf_move *move, u32 n,
		  const struct hf_rows *rows, s64 *re, s64 *im)
{
	u32 j;

	for (j = 0; j < rows->count; j++) {
		if (way->wide)
			add_moves(true, move, n, row_of(rows, j), &re[j], &im[j]);
		else
			add_moves(false, move, n, row_of(rows, j), &re[j], &im[j]);
	}
}

static u32 quantise(const struct hf_grid *g, const u16 *phase, const u16 *amp, u32 scale_q16,
		    u16 *step, u16 *level)
{
	u32 phase_levels = g->phase_levels, amp_levels = g->amp_levels, n = g->channels;
	u32 loudest = 0, i;

	for (i = 0; i < n; i++) {
		u32 p = (u16)(phase[i] + g->cal[i].phase_offset);
		u32 a = hf_by_full((u32)amp[i] * g->cal[i].gain_q16);

		p = (p * phase_levels + 32768) >> 16;
		step[i] = (u16)(p < phase_levels ? p : 0);
		a &= 0 - (u32)(g->mask[i / 64] >> (i % 64) & 1);
		loudest = a > loudest ? a : loudest;
		level[i] = (u16)hf_level_of(a, scale_q16, amp_levels);
	}
	return loudest;
}

/* Of two amplitudes in the halves of a word: scaled / 16 and 1 more, or 0 where it is 0 */
static u64 quick_pair(u64 v, u32 shift)
{
	const u64 ones = 0x100000001ULL;
	u64 on = ((v + ones * 0xffff) >> 16) & ones;	/* a carry out of 16 bits: not 0 */

	return (((v << shift) >> 4) & ones * 0xfff) + on;
}

static u64 pair_at(const u16 *amp, u32 i, u32 channels)
{
	return amp[i] | (i + 1 < channels ? (u64)amp[i + 1] << 32 : 0);
}

static void drive(struct hf_drive *d, const u16 *amp, u32 channels)
{
	u32 sum = 0, min = HF_AMP_FULL - 1, least = min, any, shift, i;
	u64 bits = 0;

	/* two chains: one after the other would wait for itself */
	for (i = 0; i < channels; i += 2) {
		u64 v = pair_at(amp, i, channels);
		u32 a = (u32)v, b = (u32)(v >> 32);

		bits |= v;
		sum += a + b;
		/* what is 0 must not be the least: 0 - 1 is the most there is */
		min = a - 1 < min ? a - 1 : min;
		least = b - 1 < least ? b - 1 : least;
	}
	any = (u32)(bits | bits >> 32);
	shift = any ? (u32)__builtin_clz(any) - 16 : 0;
	d->amp_sum = sum;
	d->amp_min = (min < least ? min : least) + 1;
	d->shift = shift;
	for (i = 0; i < channels; i += 2)
		d->quick.wide[i / 2] = quick_pair(pair_at(amp, i, channels), shift);
	for (i = (channels + 1) / 2; i < hf_lanes(channels) / 2; i++)
		d->quick.wide[i] = 0;
}

/*
 * (a + 2^32 b) (b' + 2^32 a') has a a' + b b' in its upper half: one product for two
 * channels. a b' stays in the lower half for as long as no more than 64 are added up.
 * Two rows at a time: each amplitude is loaded once for both.
 */
static void quick(const struct hf_drive *d, const struct hf_rows *rows, u64 *sum)
{
	u32 n = hf_lanes(rows->channels) / 2, j, from, i;

	for (j = 0; j < rows->count; j += 2) {
		u32 k = j + 1 < rows->count ? j + 1 : j;
		const u64 *g = (const u64 *)(gains(rows, j) + n * 2);
		const u64 *h = (const u64 *)(gains(rows, k) + n * 2);
		u64 s = 0, t = 0;

		for (from = 0; from < n; from += 64) {
			u32 to = n - from < 64 ? n : from + 64;
			u64 a = 0, b = 0;

			for (i = from; i < to; i++) {
				u64 v = d->quick.wide[i];

				a += v * g[i];
				b += v * h[i];
			}
			s += a >> 32;
			t += b >> 32;
		}
		sum[j] = s;
		sum[k] = t;
	}
}

static void phasors(union hf_phasor_room *x, const struct hf_cs16 *table, const u16 *phase,
		    const u16 *amp, u32 shift, u32 channels)
{
	u32 i;

	for (i = 0; i < channels; i++)
		x->wide[i] = wide_of(hf_phasor(table[phase[i]], (u32)amp[i] << shift));
	for (; i < hf_lanes(channels); i++)
		x->wide[i] = 0;
}

/* Two points at a time: each phasor is loaded once for both. */
static void dots(const union hf_phasor_room *x, const struct hf_rows *rows, s64 *re, s64 *im)
{
	u32 n = hf_lanes(rows->channels), j, from, i;

	for (j = 0; j < rows->count; j += 2) {
		u32 k = j + 1 < rows->count ? j + 1 : j;
		const s64 *g = gains(rows, j), *h = gains(rows, k);
		s64 re2 = 0, im2 = 0;

		re[j] = 0;
		im[j] = 0;
		for (from = 0; from < n; from += CHUNK) {
			u32 to = n - from < CHUNK ? n : from + CHUNK;
			__int128 a = 0, b = 0;

			for (i = from; i < to; i++) {
				s64 v = x->wide[i];

				a += (__int128)v * g[i];
				b += (__int128)v * h[i];
			}
			split(a, &re[j], &im[j]);
			split(b, &re2, &im2);
		}
		re[k] = re2;
		im[k] = im2;
	}
}

const struct hf_dot_way hf_dot_scalar = {
	.name = "scalar",
	.wide = true,
	.quantise = quantise,
	.drive = drive,
	.quick = quick,
	.phasors = phasors,
	.dots = dots,
};
