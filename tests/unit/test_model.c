// SPDX-License-Identifier: GPL-2.0
/*
 * The models of power, heat, dose and emission time against exact arithmetic
 * (long double): never below it, and not far above.
 */
#include "model.h"
#include "rng.h"
#include "tiny_np.h"

#include <criterion/criterion.h>
#include <math.h>

#define SEED 0x30de1
#define SEC 1000000000ULL
#define HOUR (3600 * SEC)
#define ONE 4294967296.0L

static struct hf_nameplate np;
static struct hf_envelope env;
static struct hf_model m;
static u16 amp[HF_MAX_CHANNELS];
static u32 power[HF_MAX_CHANNELS];
static u32 mpa[HF_MAX_FENCE];

static void setup(u32 channels, u32 points)
{
	u32 map[HF_MAX_FENCE], i;

	tiny_np(&np, channels);
	cr_assert_null(hf_nameplate_check(&np));
	hf_envelope_loosest(&env);
	memset(amp, 0xff, sizeof(amp));
	for (i = 0; i < HF_MAX_FENCE; i++)
		map[i] = HF_NOWHERE;
	hf_model_init(&m, &np, SEC);
	hf_model_fence_changed(&m, map, points);
}

/* With @amp, which is off if all of it is 0. */
static void on(u64 t)
{
	bool any = false;
	u32 i;

	for (i = 0; i < np.channels; i++) {
		power[i] = hf_chan_power_uw(&np, amp[i]);
		any = any || amp[i];
	}
	hf_model_output(&m, &np, &env, any ? power : NULL, mpa, m.points, t);
}

static void off(u64 t)
{
	hf_model_output(&m, &np, NULL, NULL, NULL, 0, t);
}

static s64 rise_uk(u32 i)
{
	return hf_model_chan_uk(&m, &np, hf_model_chan_lag(&m, &np), i);
}

static s64 first_order(s64 y, s64 target, u64 dt_ns, u64 tau_ns)
{
	return hf_lag_step(hf_lag_of(dt_ns, tau_ns), y, target);
}

/* Spread over many powers of two, ends included. */
static u64 random_size(struct rng *r, u64 max)
{
	u64 v = rng_next(r) >> rng_below(r, 64);

	return v > max ? (rng_below(r, 2) ? max : v % (max + 1)) : v;
}

Test(model, share_of_the_way_is_on_its_side_and_near)
{
	struct rng r = rng_seeded(SEED);
	u32 n;

	for (n = 0; n < 500000; n++) {
		u64 tau = 1000000 * (1 + random_size(&r, HF_TAU_MAX_MS - 1));
		u64 dt = n % 2 ? random_size(&r, U64_MAX) : random_size(&r, 40 * tau);
		long double exact = -expm1l(-(long double)dt / tau) * ONE;
		struct hf_lag l = hf_lag_of(dt, tau);

		cr_assert_geq((long double)l.rise, exact - 1e-6L, "dt %llu tau %llu",
			      (unsigned long long)dt, (unsigned long long)tau);
		cr_assert_leq((long double)l.fall, exact + 1e-6L, "dt %llu tau %llu",
			      (unsigned long long)dt, (unsigned long long)tau);
		cr_assert_leq(l.rise, 1ULL << 32);
		/*
		 * Near: 2e-4 of it (halving whole ns costs up to 1.3e-4 at the
		 * shortest tau), and units of Q32 that the squarings add.
		 */
		cr_assert_leq((long double)l.rise, exact * 1.0002L + 6, "dt %llu tau %llu rise %llu",
			      (unsigned long long)dt, (unsigned long long)tau,
			      (unsigned long long)l.rise);
		cr_assert_geq((long double)l.fall, exact * 0.9998L - 6, "dt %llu tau %llu fall %llu",
			      (unsigned long long)dt, (unsigned long long)tau,
			      (unsigned long long)l.fall);
	}
	cr_assert_eq(hf_lag_of(1, 0).rise, 1ULL << 32);
	cr_assert_eq(hf_lag_of(1, 0).fall, 1ULL << 32);
	cr_assert_eq(hf_lag_of(0, SEC).fall, 0);
	cr_assert_leq(hf_lag_of(0, SEC).rise, 2);
}

Test(model, first_order_never_below_the_exponential)
{
	struct rng r = rng_seeded(SEED + 1);
	u32 n;

	for (n = 0; n < 500000; n++) {
		s64 y = (s64)(rng_next(&r) >> rng_below(&r, 63)) >> 1;
		s64 t = (s64)(rng_next(&r) >> rng_below(&r, 63)) >> 1;
		u64 tau = 1000000 * (1 + random_size(&r, 3600000));
		u64 dt = random_size(&r, 40 * tau);
		long double exact, slack;
		s64 got;

		if (rng_below(&r, 4) == 0)
			y = -y;
		if (rng_below(&r, 4) == 0)
			t = -t;
		got = first_order(y, t, dt, tau);
		exact = y + ((long double)t - y) * -expm1l(-(long double)dt / tau);
		slack = (fabsl((long double)t) + fabsl((long double)y)) * 0x1p-61L;	/* of the reference itself */
		cr_assert_geq((long double)got, exact - slack, "y %lld t %lld dt %llu tau %llu",
			      (long long)y, (long long)t, (unsigned long long)dt,
			      (unsigned long long)tau);
		cr_assert_leq((long double)got,
			      exact + slack + 2 + fabsl((long double)t - y) *
			      (0.0002L * -expm1l(-(long double)dt / tau) + 7 / ONE));
		cr_assert(y <= t ? got >= y && got <= t : got >= t && got <= y);
	}
}

/* Any values that are not too far apart: between y and target, and no overflow (UBSan). */
Test(model, first_order_extremes)
{
	static const s64 v[] = {
		S64_MIN, S64_MIN + 1, S64_MIN / 2, -1, 0, 1, 1LL << 32, S64_MAX / 2, S64_MAX - 1, S64_MAX,
	};
	static const u64 t[] = { 0, 1, 63, 64, 999999, SEC, HF_TAU_MAX_MS * 1000000ULL, U64_MAX };
	u32 a, b, c, d, tried = 0;
	s64 apart;

	for (a = 0; a < 10; a++)
		for (b = 0; b < 10; b++) {
			if (__builtin_sub_overflow(v[b], v[a], &apart))
				continue;
			for (c = 0; c < 8; c++)
				for (d = 0; d < 8; d++) {
					s64 got = first_order(v[a], v[b], t[c], t[d]);

					if (v[a] <= v[b])
						cr_assert(got >= v[a] && got <= v[b]);
					else
						cr_assert(got >= v[b] && got <= v[a]);
					tried++;
				}
		}
	cr_assert(tried > 64 * 64, "%u", tried);
	cr_assert_eq(first_order(0, 1, 1, 3600 * SEC), 1, "rising must not be stuck");
	cr_assert_eq(first_order(5, 1000, U64_MAX, SEC), 1000);
}

/* Exact values beside the model, over random output and steps of any length. */
struct exact {
	long double chan[64], array, avg, duty;
};

static long double go(long double y, long double target, u64 dt, u64 tau_ms)
{
	return y + (target - y) * -expm1l(-(long double)dt / (tau_ms * 1e6L));
}

static void exact_advance(struct exact *e, u64 dt)
{
	u32 i;

	for (i = 0; i < np.channels; i++)
		e->chan[i] = go(e->chan[i], m.chan_power_uw[i] * (long double)np.rth_chan_mk_per_w / 1000,
				dt, np.tau_chan_ms);
	e->array = go(e->array, m.power_uw * (long double)np.rth_array_mk_per_w / 1000, dt,
		      np.tau_array_ms);
	e->avg = go(e->avg, m.power_uw, dt, np.tau_power_ms);
	e->duty = go(e->duty, m.emitting ? 1e9L : 0, dt, 60000);
}

static void near(const char *what, s64 got, long double exact, long double full, u32 n)
{
	cr_assert_geq((long double)got, exact - full * 1e-12L, "%s too low, step %u: %lld < %Lf", what,
		      n, (long long)got, exact);
	cr_assert_leq((long double)got, exact + 1 + full * 3e-4L, "%s too high, step %u: %lld > %Lf",
		      what, n, (long long)got, exact);
}

static void random_walk(u64 seed, u64 max_step, u32 steps)
{
	static struct exact e;
	struct rng r = rng_seeded(seed);
	u64 t = SEC, dt;
	u32 n, i;

	setup(64, 0);
	memset(&e, 0, sizeof(e));
	for (n = 0; n < steps; n++) {
		dt = random_size(&r, max_step);
		exact_advance(&e, dt);
		t += dt;
		if (rng_below(&r, 3) == 0) {
			for (i = 0; i < 64; i++)
				amp[i] = rng_below(&r, 3) ? (u16)rng_next(&r) : 0;
			if (rng_below(&r, 3))
				on(t);
			else
				off(t);
		} else if (rng_below(&r, 2)) {
			hf_model_advance_lazily(&m, &np, t);
		} else {
			hf_model_advance(&m, &np, t);
		}
		for (i = 0; i < 64; i++)
			near("chan", rise_uk(i), e.chan[i], 30e6L, n);
		for (i = 0; i < 64; i++)
			cr_assert_leq(rise_uk(i), hf_model_hottest_uk(&m, &np));
		if (m.chan_ns == m.now_ns)
			cr_assert_eq(rise_uk(m.hottest), hf_model_hottest_uk(&m, &np));
		near("array", m.array_rise_uk, e.array, 12.8e6L, n);
		near("avg", m.power_avg_uw, e.avg, 12.8e6L, n);
		near("duty", m.duty_ppb, e.duty, 1e9L, n);
	}
}

Test(model, random_output_short_steps) { random_walk(SEED + 2, 20000000, 30000); }
Test(model, random_output_any_steps) { random_walk(SEED + 3, 600 * SEC, 30000); }
Test(model, random_output_long_steps) { random_walk(SEED + 4, 100 * HOUR, 5000); }

/* A resistance that is no whole number in Q16 uK per uW: its factor is rounded up. */
Test(model, rise_factor_is_rounded_up)
{
	setup(1, 0);
	np.rth_chan_mk_per_w = 7;	/* 458.75 */
	np.rth_array_mk_per_w = 7;
	on(SEC);
	hf_model_advance(&m, &np, HOUR * 10);
	cr_assert_geq(rise_uk(0), 1400);
	cr_assert_leq(rise_uk(0), 1401);
	cr_assert_geq(m.array_rise_uk, 1400);
	cr_assert_leq(m.array_rise_uk, 1401);
}

/* 10 000 frames a second: rounding up must not keep the array hot, nor heat it. */
Test(model, fast_frames_do_not_stall)
{
	u64 t = SEC;
	u32 n;

	setup(1, 0);
	on(t);
	hf_model_advance(&m, &np, t += 3600 * SEC);	/* 30 K, 60 s; 0.2 K, 600 s */
	off(t);
	cr_assert_geq(rise_uk(0), 30000000);
	cr_assert_leq(rise_uk(0), 30000100);
	for (n = 0; n < 10 * 60 * 10000; n++)		/* 10 tau of the channel in 100 us */
		hf_model_advance(&m, &np, t += 100000);
	cr_assert_leq(rise_uk(0), 1362 + 300, "%lld uK", (long long)rise_uk(0));
	cr_assert_geq(rise_uk(0), 1362, "%lld uK", (long long)rise_uk(0));
	cr_assert_leq(m.array_rise_uk, 73576 + 400, "%lld uK", (long long)m.array_rise_uk);
	cr_assert_leq(m.power_avg_uw, 10, "%lld uW", (long long)m.power_avg_uw);
	cr_assert_leq(m.duty_ppb, 45400 + 3000, "%lld ppb", (long long)m.duty_ppb);
	/* A day later it is cold. */
	hf_model_advance(&m, &np, t += 24 * HOUR);
	cr_assert_leq(rise_uk(0), 1);
	cr_assert_leq(m.array_rise_uk, 1);
}

Test(model, power_of_amplitudes)
{
	struct rng r = rng_seeded(SEED + 5);
	u32 a, n;
	u64 sum, want;

	setup(64, 0);
	for (a = 0; a <= 65535; a++) {
		amp[0] = (u16)a;
		want = a ? np.p_drive_uw + (u64)ceill((long double)a * a * np.p_acoustic_uw /
						      (65535.0L * 65535.0L)) : 0;
		cr_assert_eq(hf_chan_power_uw(&np, amp[0]), want, "a %u", a);
	}
	cr_assert_eq(want, 200000);
	for (n = 0; n < 1000; n++) {
		sum = 0;
		for (a = 0; a < 64; a++) {
			amp[a] = rng_below(&r, 2) ? (u16)rng_next(&r) : 0;
			sum += hf_chan_power_uw(&np, amp[a]);
		}
		on(SEC + n);
		cr_assert_eq((u64)m.power_uw, sum);
	}
}

Test(model, time_never_goes_back)
{
	struct hf_model was;

	setup(4, 1);
	mpa[0] = 1000;
	on(5 * SEC);
	hf_model_advance(&m, &np, 9 * SEC);
	was = m;
	hf_model_advance(&m, &np, 9 * SEC);
	hf_model_advance(&m, &np, 8 * SEC);
	hf_model_advance(&m, &np, 0);
	cr_assert_eq(memcmp(&was, &m, sizeof(m)), 0);
	off(7 * SEC);
	cr_assert_eq(m.now_ns, 9 * SEC);
	cr_assert_eq(m.off_since_ns, 9 * SEC);
}

Test(model, mean_square_is_rounded_up)
{
	struct rng r = rng_seeded(SEED + 6);
	u32 n;

	setup(1, 1);
	for (n = 0; n < 100000; n++) {
		long double exact;

		mpa[0] = n ? (u32)random_size(&r, U32_MAX) : U32_MAX;
		on(SEC);
		exact = (long double)mpa[0] * mpa[0] / 2e6L * 65536;
		cr_assert_geq((long double)m.point_pa2[0], exact - exact * 0x1p-60L);
		cr_assert_leq((long double)m.point_pa2[0], exact + 1);
	}
}

/* A day of constant emission in steps from 10 ms to 10 s. */
Test(model, day_of_constant_emission, .timeout = 300)
{
	static const u64 steps[] = { SEC / 100, SEC / 10, SEC, 10 * SEC };
	u32 s;

	for (s = 0; s < 4; s++) {
		u64 t = SEC, reached = 0, limit = 1000000;
		long double pa2 = 15.9L * 15.9L / 2, dose = pa2 * 86400;

		setup(2, 2);
		mpa[0] = 15900;	/* 115 dB */
		mpa[1] = 0;
		on(t);
		while (t < SEC + 24 * HOUR) {
			hf_model_advance(&m, &np, t += steps[s]);
			if (!reached && hf_model_dose(&m, 0) >= limit)
				reached = t;
			if (t == SEC + 60 * SEC) {
				cr_assert_geq((double)rise_uk(0), 30e6 * (1 - exp(-1)));
				cr_assert_leq((double)rise_uk(0),
					      30e6 * (1 - exp(-1)) * 1.0001 + 1);
			}
		}
		cr_assert_geq((long double)hf_model_dose(&m, 0), dose);
		cr_assert_leq((long double)hf_model_dose(&m, 0), dose * (1 + 1e-6L) + 2,
			      "step %u: %llu, exact %Lf", s,
			      (unsigned long long)hf_model_dose(&m, 0), dose);
		cr_assert_eq(hf_model_dose(&m, 1), 0);
		/* 1e6 Pa^2 s at 126.4 Pa^2: 7911.1 s. One Pa^2 s early at most, one step late. */
		cr_assert_leq((long double)(reached - SEC) / SEC, limit / pa2 + steps[s] / 1e9L);
		cr_assert_geq((long double)(reached - SEC) / SEC, (limit - 1) / pa2 - 0.001L);
		cr_assert_eq(m.emit_total_ns, 24 * HOUR);
		cr_assert_eq(m.emit_run_ns, 24 * HOUR);
		cr_assert_geq((double)rise_uk(0), 30e6);
		cr_assert_leq((double)rise_uk(0), 30e6 + 100);
		cr_assert_geq((double)m.array_rise_uk, 400000 * 0.9999999);
		cr_assert_leq((double)m.array_rise_uk, 400000 + 100);
		cr_assert_geq(m.power_avg_uw, 400000);
		cr_assert_leq(m.power_avg_uw, 400001);
		cr_assert_geq(m.duty_ppb, 999999999);
		cr_assert_leq(m.duty_ppb, 1000000000);
	}
}

/* The rolling window: never less than the last 24 h, never more than the last 25 h. */
Test(model, dose_window)
{
	static struct { u64 from, to; long double pa2; } part[20000];
	struct rng r = rng_seeded(SEED + 7);
	u64 t = SEC, dt;
	u32 n, i;

	setup(1, 1);
	on(t);
	for (n = 0; n < 20000; n++) {
		long double low = 0, high = 0;
		u64 dose;

		dt = rng_below(&r, 4) ? random_size(&r, HOUR) : random_size(&r, 60 * HOUR);
		part[n].from = t;
		part[n].to = t + dt;
		part[n].pa2 = m.emitting ? (long double)mpa[0] * mpa[0] / 2e6L : 0;
		t += dt;
		hf_model_advance(&m, &np, t);
		for (i = n + 1; i-- > 0 && part[i].to + 25 * HOUR > t;) {
			u64 f24 = t > 24 * HOUR ? t - 24 * HOUR : 0, f25 = t > 25 * HOUR ? t - 25 * HOUR : 0;

			if (part[i].to > f24)
				low += part[i].pa2 * (part[i].to - (part[i].from > f24 ? part[i].from : f24));
			if (part[i].to > f25)
				high += part[i].pa2 * (part[i].to - (part[i].from > f25 ? part[i].from : f25));
		}
		dose = hf_model_dose(&m, 0);
		cr_assert_geq((long double)dose, low / 1e9L * (1 - 1e-9L), "step %u: %llu < %Lf", n,
			      (unsigned long long)dose, low / 1e9L);
		/* mean square rounded up to 1/65536 Pa^2, so 1.4 Pa^2 s in 25 h */
		cr_assert_leq((long double)dose, high / 1e9L * (1 + 1e-9L) + 3.4L, "step %u: %llu > %Lf",
			      n, (unsigned long long)dose, high / 1e9L);
		mpa[0] = (u32)rng_below(&r, 100000);
		if (rng_below(&r, 3))
			on(t);
		else
			off(t);
	}
}

Test(model, dose_expires_and_saturates)
{
	setup(1, 1);
	mpa[0] = 20000;
	on(SEC);
	off(SEC + HOUR);
	cr_assert_eq(hf_model_dose(&m, 0), 200 * 3600);
	hf_model_advance(&m, &np, SEC + 24 * HOUR);
	cr_assert_eq(hf_model_dose(&m, 0), 200 * 3600);
	hf_model_advance(&m, &np, SEC + 25 * HOUR + 1);
	cr_assert_eq(hf_model_dose(&m, 0), 0);
	/* Years in one step, emitting: a full window, no more. */
	on(m.now_ns);
	hf_model_advance(&m, &np, m.now_ns + 100000 * HOUR);
	cr_assert_geq(hf_model_dose(&m, 0), 200ULL * 24 * 3600);
	cr_assert_leq(hf_model_dose(&m, 0), 200ULL * 25 * 3600);
	/* 31 s of the loudest there is just do not fit in one bucket. */
	setup(1, 1);
	mpa[0] = U32_MAX;
	on(SEC);
	hf_model_advance(&m, &np, 31 * SEC);
	cr_assert_lt(hf_model_dose(&m, 0), U64_MAX);
	setup(1, 1);
	on(SEC);
	hf_model_advance(&m, &np, 32 * SEC);
	cr_assert_eq(hf_model_dose(&m, 0), U64_MAX);
	hf_model_advance(&m, &np, m.now_ns + 100 * HOUR);
	cr_assert_eq(hf_model_dose(&m, 0), U64_MAX);
	off(m.now_ns);
	hf_model_advance(&m, &np, m.now_ns + 26 * HOUR);
	cr_assert_eq(hf_model_dose(&m, 0), 0, "saturation must expire too");
}

/* What one step is too short for is not lost: 1 mPa at 1 us per step. */
Test(model, dose_of_many_tiny_steps)
{
	u64 t = SEC;
	u32 n;

	setup(1, 1);
	mpa[0] = 8;	/* 3.2e-5 Pa^2: 2.1 units of Q16, rounded up to 3 */
	on(t);
	for (n = 0; n < 3000000; n++)
		hf_model_advance(&m, &np, t += 1000);
	cr_assert_eq(m.dose_q16[0][0], 9, "3 s of 3 units");
	cr_assert_eq(hf_model_dose(&m, 0), 1);
}

Test(model, fence_moves_keep_their_dose)
{
	static u64 was[HF_MAX_FENCE][HF_DOSE_BUCKETS];
	static struct hf_model old;
	struct rng r = rng_seeded(SEED + 8);
	u32 map[HF_MAX_FENCE], n, i, b, points = HF_MAX_FENCE;

	setup(1, HF_MAX_FENCE);
	for (n = 0; n < 2000; n++) {
		for (i = 0; i < HF_MAX_FENCE; i++) {
			for (b = 0; b < HF_DOSE_BUCKETS; b++)
				m.dose_q16[i][b] = rng_next(&r) >> 20;
			m.point_pa2[i] = rng_next(&r);
			m.dose_rem[i] = (u32)rng_next(&r);
		}
		memcpy(was, m.dose_q16, sizeof(was));
		old = m;
		points = (u32)rng_below(&r, HF_MAX_FENCE + 1);
		for (i = 0; i < points; i++)
			map[i] = rng_below(&r, 4) ? (u32)rng_below(&r, HF_MAX_FENCE + 2) : HF_NOWHERE;
		hf_model_fence_changed(&m, map, points);
		cr_assert_eq(m.points, points);
		for (i = 0; i < points; i++) {
			bool kept = map[i] < old.points;

			for (b = 0; b < HF_DOSE_BUCKETS; b++)
				cr_assert_eq(m.dose_q16[i][b], kept ? was[map[i]][b] : 0);
			cr_assert_eq(m.point_pa2[i], kept ? old.point_pa2[map[i]] : 0);
			cr_assert_eq(m.dose_rem[i], kept ? old.dose_rem[map[i]] : 0);
		}
	}
}

static void limits(s64 max_ms, s64 rest_ms)
{
	env.limit[HF_LIM_EMIT_MAX] = max_ms;
	env.limit[HF_LIM_EMIT_REST] = rest_ms;
}

/* Off for 1 ms once per EMIT_MAX does not start the run anew. */
Test(model, blinking_gains_nothing)
{
	u64 t = SEC, emitted = 0;
	u32 n;

	setup(1, 0);
	limits(10000, 5000);
	for (n = 0; emitted < 9990000000ULL; n++) {
		on(t);
		t += 999000000;
		emitted += 999000000;
		off(t);
		cr_assert_eq(m.emit_run_ns, emitted);
		cr_assert_eq(m.rest_until_ns, 0);
		t += 1000000;
	}
	on(t);
	t += 10000000;
	off(t);
	cr_assert_eq(m.emit_run_ns, 10 * SEC);
	cr_assert_eq(m.rest_until_ns, t + 5 * SEC);

	/* One ns less than the rest: the same run. The whole rest: a new one. */
	on(t + 5 * SEC - 1);
	cr_assert_eq(m.emit_run_ns, 10 * SEC);
	off(t + 5 * SEC - 1);
	t = m.now_ns;
	on(t + 5 * SEC);
	cr_assert_eq(m.emit_run_ns, 0);
	hf_model_advance(&m, &np, t + 6 * SEC);
	cr_assert_eq(m.emit_run_ns, SEC);
	/* Frame after frame is one run. */
	on(t + 7 * SEC);
	on(t + 8 * SEC);
	cr_assert_eq(m.emit_run_ns, 3 * SEC);
}

Test(model, rest_at_the_exact_time)
{
	u64 t = SEC;

	setup(1, 0);
	limits(10000, 5000);
	on(t);
	off(t + 10 * SEC - 1);
	cr_assert_eq(m.rest_until_ns, 0);
	on(m.now_ns);
	off(m.now_ns + 1);
	cr_assert_eq(m.rest_until_ns, t + 15 * SEC);

	/* No rest asked for: any pause is enough. */
	setup(1, 0);
	limits(10, 0);
	on(t);
	off(t + SEC);
	cr_assert_eq(m.rest_until_ns, 0);
	on(t + SEC);
	cr_assert_eq(m.emit_run_ns, 0);

	/* An all-zero frame is off; a tightened envelope counts at once. */
	setup(1, 0);
	on(t);
	limits(1000, 5000);
	on(t + SEC);
	memset(amp, 0, sizeof(amp));
	on(t + 2 * SEC);
	cr_assert_not(m.emitting);
	cr_assert_eq(m.rest_until_ns, t + 7 * SEC);
}

Test(model, duty_rest)
{
	u64 t = SEC;
	u64 end;
	u32 n;

	setup(1, 0);
	env.limit[HF_LIM_EMIT_DUTY] = 500000;
	on(t);
	hf_model_advance(&m, &np, t + 41 * SEC);	/* 1 - exp(-41/60) = 49.5 % */
	cr_assert_leq(m.duty_ppb, 500000000);
	off(t + 41 * SEC);
	cr_assert_eq(m.rest_until_ns, 0);
	on(t + 41 * SEC);
	off(t + 42 * SEC);	/* 50.3 % */
	cr_assert_gt(m.duty_ppb, 500000000);
	cr_assert_eq(m.rest_until_ns, t + 42 * SEC + 3750000000ULL);

	/* A program that emits whenever it may, under a 10 ms tick: an hour at 50 %. */
	setup(1, 0);
	env.limit[HF_LIM_EMIT_DUTY] = 500000;
	t = SEC;
	end = t + 600 * SEC;
	for (n = 0; t < end + HOUR; n++) {
		if (t == end)
			m.emit_total_ns = 0;
		if (!m.emitting && t >= m.rest_until_ns)
			on(t);
		hf_model_advance(&m, &np, t += SEC / 100);
		if (m.duty_ppb > 500000000)
			off(t);
	}
	cr_assert_leq(m.emit_total_ns, HOUR / 2 * 1.005);
	cr_assert_geq(m.emit_total_ns, HOUR / 2 * 0.95);
}

/* Lazily is no other model: later it is what it would have been, and each channel can be asked for meanwhile. */
Test(model, channels_come_after)
{
	static struct hf_model eager;
	struct rng r = rng_seeded(SEED + 9);
	u64 t = SEC;
	u32 n, i;

	setup(64, 2);
	mpa[0] = 20000;
	for (n = 0; n < 20000; n++) {
		for (i = 0; i < 64; i++)
			amp[i] = rng_below(&r, 3) ? (u16)rng_next(&r) : 0;
		if (rng_below(&r, 4))
			on(t);
		else
			off(t);
		t += random_size(&r, 600 * SEC);
		eager = m;
		hf_model_advance(&eager, &np, t);
		hf_model_advance_lazily(&m, &np, t);
		for (i = 0; i < 64; i++)
			cr_assert_eq(rise_uk(i), hf_model_chan_uk(&eager, &np, (struct hf_lag){ 0 }, i));
		cr_assert_geq(hf_model_hottest_uk(&m, &np), hf_model_hottest_uk(&eager, &np));
		hf_model_advance(&m, &np, t);
		cr_assert_eq(memcmp(&m, &eager, sizeof(m)), 0);
		t += random_size(&r, SEC);
	}
}

/* What an admission sees is what is there. */
Test(model, copy_has_all_that_an_admission_looks_at)
{
	static struct hf_model to;
	u32 i;

	setup(37, 5);
	for (i = 0; i < HF_MAX_FENCE; i++)
		mpa[i] = 1000 * (i + 1);
	for (i = 0; i < 37; i++)
		amp[i] = (u16)(1000 * i);
	on(2 * SEC);
	off(40 * SEC);
	on(41 * SEC);
	hf_model_advance(&m, &np, 3 * HOUR);
	memset(&to, 0xa5, sizeof(to));
	hf_model_copy(&to, &m, true);
	cr_assert_arr_eq(&to, &m, offsetof(struct hf_model, chan_power_uw));
	cr_assert_arr_eq(to.chan_rise_q16, m.chan_rise_q16, 37 * sizeof(m.chan_rise_q16[0]));
	cr_assert_arr_eq(to.chan_power_uw, m.chan_power_uw, 37 * sizeof(m.chan_power_uw[0]));
	cr_assert_eq(to.points, 5);
	for (i = 0; i < 5; i++) {
		cr_assert(hf_model_dose(&m, i) > 0);
		cr_assert_eq(hf_model_dose(&to, i), hf_model_dose(&m, i));
	}
	hf_model_copy(&to, &m, false);
	cr_assert_eq(to.points, 0);
	cr_assert_eq(to.array_rise_uk, m.array_rise_uk);
}
