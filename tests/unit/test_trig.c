// SPDX-License-Identifier: GPL-2.0
/*
 * The transcendental functions of the rules against libm, within the errors
 * that trig.h claims.
 */
#include "rng.h"
#include "trig.h"

#include <criterion/criterion.h>
#include <math.h>

#define SEED 0x7219
#define PI 3.141592653589793238462643383279502884L

static long double sine(u32 turn)
{
	return sinl(2 * PI * turn / 0x1p32L) * 0x1p30L;
}

static void check_turn(u32 turn)
{
	long double e = fabsl(hf_sin_q30(turn) - sine(turn));
	long double ec = fabsl(hf_cos_q30(turn) - sine(turn + (1U << 30)));

	cr_assert(e <= HF_TRIG_ERR_Q30, "sin(%u) is off by %Lf", turn, e);
	cr_assert(ec <= HF_TRIG_ERR_Q30, "cos(%u) is off by %Lf", turn, ec);
}

/* A wrong table entry shows at the table angles: there the table is all there is. */
Test(trig, every_table_angle)
{
	u32 i;

	for (i = 0; i < 256; i++) {
		long double e = fabsl(hf_sin_q30(i << 24) - roundl(sine(i << 24)));

		cr_assert(e == 0, "sin(%u/256) is off by %Lf", i, e);
	}
	cr_assert_eq(hf_sin_q30(0), 0);
	cr_assert_eq(hf_sin_q30(1U << 30), 1 << 30);
	cr_assert_eq(hf_sin_q30(3U << 30), -(1 << 30));
	cr_assert_eq(hf_cos_q30(0), 1 << 30);
}

Test(trig, sine_everywhere)
{
	struct rng r = rng_seeded(SEED);
	u32 i, k;

	for (i = 0; i < 256; i++)	/* where interpolation is worst, and where the cell changes */
		for (k = 0; k < 16; k++) {
			check_turn((i << 24) + (1U << 23) - 8 + k);
			check_turn((i << 24) - 8 + k);
		}
	for (i = 0; i < 1000000; i++)
		check_turn((u32)rng_next(&r));
}

Test(trig, square_root)
{
	struct rng r = rng_seeded(SEED);
	u32 i;

	for (i = 0; i < 1000000; i++) {
		u64 v = rng_next(&r) >> rng_below(&r, 64);
		u64 q = hf_isqrt64(v);

		cr_assert(q * q <= v, "isqrt(%lu) = %lu is too large", v, q);
		cr_assert(q == U32_MAX || (q + 1) * (q + 1) > v, "isqrt(%lu) = %lu is too small", v,
			  q);
	}
	for (i = 1; i < 100000; i++) {	/* around squares, the largest included */
		u64 q = i < 50000 ? i : U32_MAX - (i - 50000);

		cr_assert_eq(hf_isqrt64(q * q), q);
		cr_assert_eq(hf_isqrt64(q * q - 1), q - 1);
	}
	cr_assert_eq(hf_isqrt64(0), 0);
	cr_assert_eq(hf_isqrt64(U64_MAX), U32_MAX);
}

static void check_root_up(u64 v)
{
	u64 up = hf_root_up(v), root = hf_isqrt64(v);

	cr_assert(root < U32_MAX ? up > root : up >= 1ULL << 32, "%lu is not above the root of %lu", up, v);
	cr_assert(up <= root + 3 + (root >> 21), "%lu is far above the root of %lu", up, v);
}

Test(trig, root_up)
{
	struct rng r = rng_seeded(SEED);
	u32 i;

	for (i = 0; i < 2000000; i++)
		check_root_up(rng_next(&r) >> (i % 64));
	for (i = 0; i < 1 << 20; i++) {	/* all through the two octaves that the first guess covers */
		check_root_up((1ULL << 62) + i * (3ULL << 42));
		check_root_up(i);
	}
	for (i = 1; i < 100000; i++) {
		u64 q = i < 50000 ? i : U32_MAX - (i - 50000);

		check_root_up(q * q);
		check_root_up(q * q - 1);
		check_root_up(q * q + 1);
	}
	check_root_up(U64_MAX);
}

static void check_angle(s64 y, s64 x)
{
	long double exact = atan2l(y, x) / (2 * PI) * 0x1p32L;
	long double e = remainderl(hf_atan2_turn(y, x) - exact, 0x1p32L);

	cr_assert(fabsl(e) <= HF_ATAN_ERR_TURN, "atan2(%ld, %ld) is off by %Lf", y, x, e);
}

Test(trig, arctangent)
{
	const s64 far = 1LL << 60;
	struct rng r = rng_seeded(SEED);
	s64 x, y;
	u32 i;

	for (y = -300; y <= 300; y++)	/* every small pair but (0, 0) */
		for (x = -300; x <= 300; x++)
			if (x || y)
				check_angle(y, x);
	for (i = 0; i < 1 << 20; i++) {	/* round the turn, as evenly as sines go */
		u32 turn = i << 12;

		check_angle(hf_sin_q30(turn) * (1LL << i % 31), hf_cos_q30(turn) * (1LL << i % 31));
	}
	for (i = 0; i < 1000000; i++)
		check_angle(rng_range(&r, -far, far) >> rng_below(&r, 61),
			    rng_range(&r, -far, far) >> rng_below(&r, 61) | 1);
	for (i = 0; i < 8; i++) {
		check_angle(i & 1 ? far : -far, i & 2 ? far : -far);
		check_angle(i & 1 ? far : -far, i & 2 ? 1 : -1);
		check_angle(i & 1 ? 1 : -1, i & 2 ? far : -far);
		check_angle(0, i & 1 ? far : -far);
		check_angle(i & 1 ? far : -far, 0);
	}
	cr_assert_eq(hf_atan2_turn(0, 0), 0);
}

Test(trig, duty)
{
	u32 d, last = 0;

	for (d = 0; d <= 32768; d++) {
		long double exact = 65535 * sinl(PI * d / 65536);
		u32 a = hf_amp_of_duty(d);

		cr_assert(a <= exact, "duty %u: %u is above %Lf", d, a, exact);
		cr_assert(a > exact - 1.01L, "duty %u: %u is far below %Lf", d, a, exact);
		cr_assert(a >= last);
		last = a;
	}
	cr_assert_eq(hf_amp_of_duty(0), 0);
	cr_assert_eq(hf_amp_of_duty(32768), 65535);
	cr_assert_eq(hf_amp_of_duty(U32_MAX), 65535);
}

static long double piston(long double x)
{
	return x < 1e-12L ? 1 : 2 * j1l(x) / x;
}

Test(trig, piston_q30)
{
	u64 u, step = 4001;

	for (u = 0; u <= HF_PISTON_NULL_Q30; u += step) {
		long double exact = piston(2 * sqrtl(u / 0x1p30L)) * 0x1p30L;
		long double e = fabsl(hf_piston_q30((u32)u) - exact);

		cr_assert(e <= HF_PISTON_ERR_Q30, "u = %lu is off by %Lf", u, e);
	}
	cr_assert_eq(hf_piston_q30(0), 1 << 30);
	cr_assert(labs(hf_piston_q30(HF_PISTON_NULL_Q30)) <= HF_PISTON_ERR_Q30);
	cr_assert_eq(hf_piston_q30(U32_MAX), hf_piston_q30(HF_PISTON_NULL_Q30));
}
