// SPDX-License-Identifier: GPL-2.0
/*
 * Integer sine, square root, duty and piston directivity. Only functions of
 * numbers: nothing here may know of arrays, frames or limits. The error claims
 * are derived in docs/field.md and measured in tests/unit/test_trig.c.
 */
#include "trig.h"

/* sin(2 pi i / 256) in Q2.30, rounded to nearest: scripts/gen-trig.py */
static const s32 quarter[65] = {
	0, 26350943, 52686014, 78989349, 105245103, 131437462,
	157550647, 183568930, 209476638, 235258165, 260897982, 286380643,
	311690799, 336813204, 361732726, 386434353, 410903207, 435124548,
	459083786, 482766489, 506158392, 529245404, 552013618, 574449320,
	596538995, 618269338, 639627258, 660599890, 681174602, 701339000,
	721080937, 740388522, 759250125, 777654384, 795590213, 813046808,
	830013654, 846480531, 862437520, 877875009, 892783698, 907154608,
	920979082, 934248793, 946955747, 959092290, 970651112, 981625251,
	992008094, 1001793390, 1010975242, 1019548121, 1027506862, 1034846671,
	1041563127, 1047652185, 1053110176, 1057933813, 1062120190, 1065666786,
	1068571464, 1070832474, 1072448455, 1073418433, 1073741824,
};

#define Q30		1073741824LL	/* 1.0 */
#define TWO_PI_Q28	1686629713LL	/* 2 pi, Q28 */
#define ARCTAN_STEPS	24		/* the last turns by 2^-23 rad: 82 of 2^-32 turns */
#define PISTON_TERMS	12		/* the rest is below 4e-12 at the first null */

/* 2^32 / (m (m + 1)), m = 1..12, rounded down */
static const u32 piston_step[PISTON_TERMS] = {
	2147483648U, 715827882U, 357913941U, 214748364U, 143165576U, 102261126U,
	76695844U, 59652323U, 47721858U, 39045157U, 32537631U, 27531841U,
};

/* atan(2^-i) in 2^-32 turns, i = 0..23 */
static const u32 arctan[ARCTAN_STEPS] = {
	536870912U, 316933406U, 167458907U, 85004756U, 42667331U, 21354465U, 10679838U, 5340245U,
	2670163U, 1335087U, 667544U, 333772U, 166886U, 83443U, 41722U, 20861U, 10430U, 5215U,
	2608U, 1304U, 652U, 326U, 163U, 81U,
};

static s64 table(u32 i)
{
	i &= 255;
	if (i <= 64)
		return quarter[i];
	if (i <= 128)
		return quarter[128 - i];
	if (i <= 192)
		return -quarter[i - 128];
	return -quarter[256 - i];
}

/*
 * Nearest table angle a, then sin(a + b) with b <= 2 pi / 512: the first
 * neglected term is b^4 / 24 < 1.1 LSB, each of the four roundings < 1 LSB.
 */
s32 hf_sin_q30(u32 turn)
{
	u32 i = (turn + (1U << 23)) >> 24;
	s64 b = (s64)(s32)(turn - (i << 24)) * TWO_PI_Q28 / Q30;
	s64 s = table(i);
	s64 c = table(i + 64);
	s64 b2 = b * b / Q30;

	b -= b * b2 / (6 * Q30);
	return (s32)(s + (c * b - s * (b2 / 2)) / Q30);
}

s32 hf_cos_q30(u32 turn)
{
	return hf_sin_q30(turn + (1U << 30));
}

/*
 * Rotates (x, y) onto the axis of x by arctan(2^-i), without a branch that depends
 * on the value. What is left is below the last step; the table adds half an LSB each.
 */
u32 hf_atan2_turn(s64 y, s64 x)
{
	u64 size = (u64)(y < 0 ? -y : y) | (u64)(x < 0 ? -x : x);
	u32 up = size ? (u32)__builtin_clzll(size) - 3 : 0;	/* it grows by 1.65 * sqrt(2) */
	u32 turn = 0;
	s64 flip = x >> 63, step, s;
	u32 i;

	x = ((x ^ flip) - flip) * (1LL << up);
	y = ((y ^ flip) - flip) * (1LL << up);
	turn = (u32)flip & 1U << 31;
	for (i = 0; i < ARCTAN_STEPS; i++) {
		s = y >> 63;
		step = ((y >> i) ^ s) - s;
		y -= ((x >> i) ^ s) - s;
		x += step;
		turn += (arctan[i] ^ (u32)s) - (u32)s;
	}
	return size ? turn : 0;
}

/*
 * The root of @top in [2^30, 2^32), not below it by more than 1, above by 6e-4 of it at most:
 * a line through sqrt(m) on [1, 4) is off by 3.4 % at most, and Newton's step squares and
 * halves that.
 */
static u32 root_near(u32 top)
{
	u32 r = 22574 + (u32)((u64)top * 45143 >> 32);	/* 2^15 (0.6889 + 0.3444 m) */

	return (r + top / r) / 2;
}

/*
 * The mean of r and m / r is never below the root, whatever r is: here it is r and half of
 * what is left, m - r^2, divided by r. 32 bits of that are enough.
 */
u64 hf_root_up(u64 v)
{
	u32 up, r;
	s64 left;
	u64 m;

	if (!v)
		return 1;
	up = (u32)__builtin_clzll(v) & ~1U;
	m = v << up;
	r = root_near((u32)(m >> 32));
	/* modulo 2^64, as r^2 may just be above it; what is left is within 2^55 */
	left = (s64)(m - ((u64)r * r << 32)) >> 24;
	/* two more: for what the shift and the division have cut off */
	m = ((u64)r << 16) + (u64)(((s64)((s32)left / (s32)r) + 2) * 128);
	return (m >> (up / 2)) + 1;
}

/* Two more of Newton's steps: 2e-7, 2e-14. All round down, so the last may be off by one. */
u32 hf_isqrt64(u64 v)
{
	u32 up, top, r;
	u64 m, root;

	if (!v)
		return 0;
	up = (u32)__builtin_clzll(v) & ~1U;
	m = v << up;
	top = (u32)(m >> 32);				/* [2^30, 2^32) */
	r = root_near(top);
	r = (r + top / r) / 2;
	root = ((u64)r << 16) | 0x8000;
	root = ((root + m / root) / 2) >> (up / 2);
	if (root > U32_MAX)
		root = U32_MAX;
	while (root * root > v)
		root--;
	while (root < U32_MAX && (root + 1) * (root + 1) <= v)
		root++;
	return (u32)root;
}

u16 hf_amp_of_duty(u32 duty_q16)
{
	s64 s;

	if (duty_q16 >= 32768)	/* half a period is all there is */
		return HF_AMP_FULL;
	s = hf_sin_q30(duty_q16 << 15) - HF_TRIG_ERR_Q30;
	return s > 0 ? (u16)(s * HF_AMP_FULL / Q30) : 0;
}

/*
 * Horner form of 1 - u/(1 2) (1 - u/(2 3) (1 - u/(3 4) (...))). Every t but the
 * last is positive; the two truncations of each step add up to < 7 LSB.
 */
s32 hf_piston_q30(u32 u_q30)
{
	u64 u = u_q30 < HF_PISTON_NULL_Q30 ? u_q30 : HF_PISTON_NULL_Q30;
	s64 t = Q30;
	u32 m;

	for (m = PISTON_TERMS; m; m--)
		t = Q30 - (s64)((u * (u64)t >> 30) * piston_step[m - 1] >> 32);
	return (s32)t;
}
