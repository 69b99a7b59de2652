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
typedef u64 m4u __attribute__((vector_size(32), aligned(8), may_alias));
typedef s16 v8g __attribute__((vector_size(16)));

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

/* Lanes without sign; a sum may have more bits than they have. */
static v4u wide_sum(v8u v)
{
	return ((v4u)v & 0xffffffff) + ((v4u)v >> 32);
}

static u64 sum_of(v8u v)
{
	v4u s = wide_sum(v);

	return s[0] + s[1] + s[2] + s[3];
}

/* sum_of() each of four */
static v4u sums_of(v8u a, v8u b, v8u c, v8u d)
{
	const v4u even = { 0, 4, 2, 6 }, odd = { 1, 5, 3, 7 };
	const v4u low = { 0, 1, 4, 5 }, high = { 2, 3, 6, 7 };
	v4u p = wide_sum(a), q = wide_sum(b), r = wide_sum(c), s = wide_sum(d);

	p = __builtin_shuffle(p, q, even) + __builtin_shuffle(p, q, odd);
	r = __builtin_shuffle(r, s, even) + __builtin_shuffle(r, s, odd);
	return __builtin_shuffle(p, r, low) + __builtin_shuffle(p, r, high);
}

static u32 least_of(v16u v)
{
	v8g half[2];

	memcpy(half, &v, sizeof(v));
	half[0] = __builtin_ia32_pminuw128(half[0], half[1]);
	return ((v8h)__builtin_ia32_phminposuw128(half[0]))[0];
}

/*
 * Vectors that reach beyond the end, where nothing is read or written: 0 there. Apart,
 * so that what calls them for the others stays short.
 */
static noinline v16u amps_end(const u16 *amp, u32 n)
{
	u16 rest[HF_LANES] = { 0 };

	memcpy(rest, amp, n * sizeof(amp[0]));
	return (v16u)load(rest);
}

static noinline v8u eight_end(const u16 *p, u32 n)
{
	u16 rest[8] = { 0 };

	memcpy(rest, p, n * sizeof(p[0]));
	return load_half(rest);
}

static noinline v8u cal_end(const struct hf_channel_cal *cal, u32 n)
{
	u32 rest[8] = { 0 };

	memcpy(rest, cal, n * sizeof(rest[0]));
	return load32(rest);
}

/* @amp[at..at+16) */
static inline v16u amps(const u16 *amp, u32 at, u32 channels)
{
	if (at + HF_LANES <= channels)
		return (v16u)load(amp + at);
	return amps_end(amp + at, channels - at);
}

/* @p[at..at+8) */
static inline v8u eight(const u16 *p, u32 at, u32 n)
{
	return at + 8 <= n ? load_half(p + at) : eight_end(p + at, n - at);
}

static inline v8u cal_of(const struct hf_grid *g, u32 at)
{
	if (at + 8 <= g->channels)
		return load32(g->cal + at);
	return cal_end(g->cal + at, g->channels - at);
}

static inline void put_eight(u16 *p, u32 at, u32 n, v8u v)
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
	const v16u zero = {};
	v16u most = {}, least = ~zero, a;	/* least: less 1, so that 0 is the most there is */
	const v8u low = (v8u){} + 0xffff;
	v8u sum = {};
	u32 loudest, min, i;

	for (i = 0; i < channels; i += HF_LANES) {
		a = amps(amp, i, channels);
		most = (v16u)__builtin_ia32_pmaxuw256((v16s)most, (v16s)a);
		least = (v16u)__builtin_ia32_pminuw256((v16s)least, (v16s)(a - 1));
		sum += ((v8u)a & low) + ((v8u)a >> 16);
	}
	loudest = 0xffff - least_of(~most);
	min = least_of(least) + 1;
	d->amp_sum = (u32)sum_of(sum);
	d->amp_min = min < HF_AMP_FULL ? min : HF_AMP_FULL;
	d->shift = loudest ? (u32)__builtin_clz(loudest) - 16 : 0;
	for (i = 0; i < channels; i += HF_LANES) {
		a = amps(amp, i, channels);
		a = ((a << d->shift >> 4) + 1) & (v16u)(a != zero);
		*(m16u *)(d->quick.plain + i) = (m16u)a;
	}
}

static void quick(const struct hf_drive *d, const struct hf_rows *rows, u64 *sum)
{
	const u32 n = hf_lanes(rows->channels);
	const size_t step = hf_row_size(rows->channels);
	const u8 *g = rows->row + n * 8;
	u32 j, i;

	/* per lane at most 64 * 2 * 4096 * 4096 = 2^31, without sign */
	for (j = 0; j + 4 <= rows->count; j += 4, g += 4 * step) {
		v8u s[4] = {};

		for (i = 0; i < n; i += HF_LANES) {
			v16s x = load(d->quick.plain + i);
			const u8 *at = g + i * sizeof(u16);

			s[0] += pairs(x, load(at));
			s[1] += pairs(x, load(at + step));
			s[2] += pairs(x, load(at + 2 * step));
			s[3] += pairs(x, load(at + 3 * step));
		}
		*(m4u *)(sum + j) = (m4u)sums_of(s[0], s[1], s[2], s[3]);
	}
	for (; j < rows->count; j++, g += step) {
		v8u s = {};

		for (i = 0; i < n; i += HF_LANES)
			s += pairs(load(d->quick.plain + i), load(g + i * sizeof(u16)));
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

/* The sums of one row so far. */
struct dot {
	v8u re_low, im_low;
	v8s re_high, im_high;
};

/*
 * 16 channels more; @x: (re, -im) and (im, re) of the first 8 and of the others. No phasor
 * and no gain is longer than 32767.95 (32767, and each part rounded once or twice), so
 * two parts of products are below 2^31 - 6000: they are added before they are widened.
 */
static inline struct dot more(struct dot d, const u8 *row, const v16s x[4])
{
	v16s g = load(row), h = load(row + 32);
	v8u a = pairs(g, x[0]) + pairs(h, x[1]);
	v8u b = pairs(g, x[2]) + pairs(h, x[3]);

	d.re_low += a;
	d.im_low += b;
	d.re_high += (v8s)a >> 16;
	d.im_high += (v8s)b >> 16;
	return d;
}

static inline void put_dot(struct dot d, s64 *re, s64 *im)
{
	/* of each half: the sums of re_low, im_low, re_high, im_high */
	v8s all = __builtin_ia32_phaddd256(__builtin_ia32_phaddd256((v8s)d.re_low, (v8s)d.im_low),
					   __builtin_ia32_phaddd256(d.re_high, d.im_high));

	*re = joined((u32)all[0] + (u32)all[4], all[2] + all[6]);
	*im = joined((u32)all[1] + (u32)all[5], all[3] + all[7]);
}

/* Two rows at a time: each phasor is loaded once for both. */
static void dots(const union hf_phasor_room *x, const struct hf_rows *rows, s64 *re, s64 *im)
{
	const u32 n = hf_lanes(rows->channels);
	const size_t step = hf_row_size(rows->channels);
	u32 j, i;

	for (j = 0; j < rows->count; j += 2) {
		const u8 *g = rows->row + j * step, *h = j + 1 < rows->count ? g + step : g;
		struct dot a = {}, b = {};

		for (i = 0; i < n; i += HF_LANES) {
			const v16s v[4] = {
				load(x->plain.conj + i), load(x->plain.conj + i + 8),
				load(x->plain.swap + i), load(x->plain.swap + i + 8),
			};

			a = more(a, g + i * sizeof(struct hf_cs16), v);
			b = more(b, h + i * sizeof(struct hf_cs16), v);
		}
		put_dot(a, &re[j], &im[j]);
		if (h != g)
			put_dot(b, &re[j + 1], &im[j + 1]);
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
