// SPDX-License-Identifier: GPL-2.0
/*
 * Dot products with AVX2, through the compiler's vectors: the kernel has no
 * intrinsics header. Compiled only where the build gives this one file the flags
 * for it. The same bits as dot.c, whatever the input.
 */
#include "dot.h"

#ifdef __AVX2__

typedef s16 v16s __attribute__((vector_size(32)));
typedef u16 v16u __attribute__((vector_size(32)));
typedef s32 v8s __attribute__((vector_size(32)));
typedef u32 v8u __attribute__((vector_size(32)));
typedef u64 v4u __attribute__((vector_size(32)));
/* As they lie in memory, at any address. */
typedef s16 m16s __attribute__((vector_size(32), aligned(2), may_alias));
typedef u16 m16u __attribute__((vector_size(32), aligned(2), may_alias));
typedef u32 m8u __attribute__((vector_size(32), aligned(4), may_alias));
typedef u16 v8h __attribute__((vector_size(16)));
typedef u16 m8h __attribute__((vector_size(16), aligned(2), may_alias));

static v16s load(const void *p)
{
	return (v16s)(*(const m16s *)p);
}

static v8u load32(const void *p)
{
	return (v8u)(*(const m8u *)p);
}

static v8u load_half(const void *p)
{
	return __builtin_convertvector((v8h)(*(const m8h *)p), v8u);
}

static v8u pairs(v16s a, v16s b)
{
	return (v8u)__builtin_ia32_pmaddwd256(a, b);
}

/* Lanes without sign; the sum may have more bits than they have. */
static u64 sum_of(v8u v)
{
	v4u two = ((v4u)v & 0xffffffff) + ((v4u)v >> 32);

	return two[0] + two[1] + two[2] + two[3];
}

/* The first @n entries of a vector of 16 */
static v16u head(u32 n)
{
	const v16u place = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

	return (v16u)(place < (v16u)((v16u){} + (u16)n));
}

/* @amp[at..at+16), 0 beyond @channels, of which nothing is read */
static v16u amps(const u16 *amp, u32 at, u32 channels)
{
	u16 rest[HF_LANES] = { 0 };

	if (at + HF_LANES <= channels)
		return (v16u)load(amp + at);
	memcpy(rest, amp + at, (channels - at) * sizeof(amp[0]));
	return (v16u)load(rest) & head(channels - at);
}

/* @p[at..at+8), 0 beyond @n, of which nothing is read */
static v8u eight(const u16 *p, u32 at, u32 n)
{
	u16 rest[8] = { 0 };

	if (at + 8 <= n)
		return load_half(p + at);
	memcpy(rest, p + at, (n - at) * sizeof(p[0]));
	return load_half(rest);
}

static void put_eight(u16 *p, u32 at, u32 n, v8u v)
{
	v8h h = __builtin_convertvector(v, v8h);

	if (at + 8 <= n)
		*(m8h *)(p + at) = (m8h)h;
	else
		memcpy(p + at, &h, (n - at) * sizeof(p[0]));
}

static v8u by_full(v8u v)
{
	return (v + (v >> 16) + 1) >> 16;
}

static v8u cal_of(const struct hf_grid *g, u32 at)
{
	u32 rest[8] = { 0 };

	if (at + 8 <= g->channels)
		return load32(g->cal + at);
	memcpy(rest, g->cal + at, (g->channels - at) * sizeof(rest[0]));
	return load32(rest);
}

static u32 quantise(const struct hf_grid *g, const u16 *phase, const u16 *amp, u32 scale_q16,
		    u16 *step, u16 *level)
{
	const v8u place = { 1, 2, 4, 8, 16, 32, 64, 128 };
	const u32 n = g->channels, levels = g->phase_levels;
	v8u loudest = {};
	u32 most = 0, i;

	for (i = 0; i < n; i += 8) {
		v8u p = eight(phase, i, n), a = eight(amp, i, n);

		if (!g->flat) {
			v8u cal = cal_of(g, i);
			u32 mask = (u32)(g->mask[i / 64] >> (i % 64));

			p = (p + cal) & 0xffff;
			a = by_full(a * (cal >> 16)) & (v8u)((mask & place) != 0);
		}
		p = (p * levels + 32768) >> 16;
		p &= (v8u)(p < (v8u){} + levels);
		put_eight(step, i, n, p);
		loudest = (v8u)__builtin_ia32_pmaxud256((v8s)loudest, (v8s)a);
		put_eight(level, i, n, by_full((a * scale_q16 >> 16) * g->amp_levels));
	}
	for (i = 0; i < 8; i++)
		most = loudest[i] > most ? loudest[i] : most;
	return most;
}

static void drive(struct hf_drive *d, const u16 *amp, u32 channels)
{
	v16u any = {}, least = ~(v16u){}, a, zero = {};
	v8u sum = {}, low = (v8u){} + 0xffff;
	u32 all = 0, min = HF_AMP_FULL, k, i;

	for (i = 0; i < channels; i += HF_LANES) {
		a = amps(amp, i, channels);
		any |= a;
		/* what is 0 must not be the least: 0 - 1 is the most there is */
		least = (v16u)__builtin_ia32_pminuw256((v16s)least, (v16s)(a - 1));
		sum += ((v8u)a & low) + ((v8u)a >> 16);
	}
	for (k = 0; k < HF_LANES; k++) {
		all |= any[k];
		if (least[k] < min - 1)
			min = least[k] + 1U;
	}
	d->amp_sum = (u32)sum_of(sum);
	d->amp_min = min;
	d->shift = all ? (u32)__builtin_clz(all) - 16 : 0;
	for (i = 0; i < channels; i += HF_LANES) {
		a = amps(amp, i, channels);
		a = ((a << d->shift >> 4) + 1) & (v16u)(a != zero);
		*(m16u *)(d->quick.plain + i) = (m16u)a;
	}
}

static void quick(const struct hf_drive *d, const struct hf_rows *rows, u64 *sum)
{
	u32 n = hf_lanes(rows->channels), j, i;

	for (j = 0; j < rows->count; j++) {
		const u16 *g = (const u16 *)(rows->row + j * hf_row_size(rows->channels) + n * 8);
		v8u s = {};

		/* per lane at most 64 * 2 * 4096 * 4096 = 2^31, without sign */
		for (i = 0; i < n; i += HF_LANES)
			s += pairs(load(d->quick.plain + i), load(g + i));
		sum[j] = sum_of(s);
	}
}

/* v * a / 65536 to nearest, as hf_phasor(): no product reaches the ends of 32 bits */
static v8s scaled(v8s v, v8s a)
{
	return (v8s)(v * a + 0x8000) >> 16;
}

static void phasors(union hf_phasor_room *x, const struct hf_cs16 *table, const u16 *phase,
		    const u16 *amp, u32 shift, u32 channels)
{
	const v8s low = (v8s){} + 0xffff;
	struct hf_cs16 *unit = x->plain.conj;
	u32 n = hf_lanes(channels), i;

	/* Gathering is no faster by instruction, and on some processors much slower. */
	for (i = 0; i < channels; i++)
		unit[i] = table[phase[i]];
	for (; i < n; i++)
		unit[i] = (struct hf_cs16){ 0, 0 };
	for (i = 0; i < n; i += 8) {
		v8s v = (v8s)load32(unit + i);
		v8s a = (v8s)(i < channels ? eight(amp, i, channels) << shift : (v8u){});
		v8s re = scaled((v8s)((v8u)v << 16) >> 16, a);
		v8s im = scaled(v >> 16, a);

		*(m8u *)(x->plain.conj + i) = (m8u)((re & low) | (v8s)((v8u)-im << 16));
		*(m8u *)(x->plain.swap + i) = (m8u)((im & low) | (v8s)((v8u)re << 16));
	}
}

/*
 * A sum of which @low is known modulo 2^32, and @high the sum of all its terms / 2^16,
 * rounded down: what is missing is below 64 terms of 8 lanes, each below 2^16.
 */
static s64 joined(u32 low, s32 high)
{
	s64 base = (s64)high * 65536;

	return base + (u32)(low - (u32)base);
}

/*
 * No phasor and no gain is longer than 32767.95 (32767, and each part rounded once or
 * twice), so two parts of products are below 2^31 - 6000: they are added before they are
 * widened.
 */
static void dots(const union hf_phasor_room *x, const struct hf_rows *rows, s64 *re, s64 *im)
{
	u32 n = hf_lanes(rows->channels), j, i;

	for (j = 0; j < rows->count; j++) {
		const struct hf_cs16 *g =
			(const struct hf_cs16 *)(rows->row + j * hf_row_size(rows->channels));
		v8u re_low = {}, im_low = {};
		v8s re_high = {}, im_high = {}, all;

		for (i = 0; i < n; i += HF_LANES) {
			v16s gain = load(g + i), more = load(g + i + 8);
			v8u a = pairs(gain, load(x->plain.conj + i)) +
				pairs(more, load(x->plain.conj + i + 8));
			v8u b = pairs(gain, load(x->plain.swap + i)) +
				pairs(more, load(x->plain.swap + i + 8));

			re_low += a;
			im_low += b;
			re_high += (v8s)a >> 16;
			im_high += (v8s)b >> 16;
		}
		/* of each half: the sums of re_low, im_low, re_high, im_high */
		all = __builtin_ia32_phaddd256(__builtin_ia32_phaddd256((v8s)re_low, (v8s)im_low),
					       __builtin_ia32_phaddd256(re_high, im_high));
		re[j] = joined((u32)all[0] + (u32)all[4], all[2] + all[6]);
		im[j] = joined((u32)all[1] + (u32)all[5], all[3] + all[7]);
	}
}

const struct hf_dot_way hf_dot_avx2 = {
	.name = "avx2",
	.wide = false,
	.quantise = quantise,
	.drive = drive,
	.quick = quick,
	.phasors = phasors,
	.dots = dots,
};

#endif /* __AVX2__ */
