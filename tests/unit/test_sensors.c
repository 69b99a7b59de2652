// SPDX-License-Identifier: GPL-2.0
/*
 * Which readings are believed, and what the believed ones ask for, at the exact
 * boundary of every limit.
 */
#include "rng.h"
#include "sensors.h"
#include "tiny_np.h"

#include <criterion/criterion.h>

#define SEED 0x5e45
#define SEC 1000000000ULL
#define MSEC 1000000ULL

static struct hf_nameplate np;
static struct hf_envelope env;
static struct hf_sensors st;
static struct hf_sensor_verdict v;
static u64 now;

static u32 setup(enum hf_sensor_kind kind)
{
	tiny_np(&np, 1);
	tiny_sensor(&np, kind, -40000, 150000);
	cr_assert_null(hf_nameplate_check(&np));
	hf_envelope_loosest(&env);
	env.limit[HF_LIM_SENSOR_STALE] = 3000;
	now = 100 * SEC;
	hf_sensors_init(&st, &np, now);
	return 0;
}

static void take(u32 i, s64 value)
{
	const struct hf_raw_sample raw = { true, value, now };

	hf_sensor_take(&st, &np, &env, i, &raw, now);
}

static enum hf_sensor_demand judge(void)
{
	hf_sensors_judge(&st, &np, &env, now, &v);
	return v.demand;
}

/* One reading 100 ms later, then the judgement. */
static enum hf_sensor_demand next(s64 value)
{
	now += 100 * MSEC;
	take(0, value);
	return judge();
}

Test(sensors, never_seen_is_lost)
{
	setup(HF_SENSOR_TEMP);
	cr_assert_eq(judge(), HF_DEMAND_LOST);
	cr_assert_eq(v.reason.where, 0);
	cr_assert_eq(v.onset_ns, 100 * SEC);
	cr_assert_eq(hf_sensor_state(&st.s[0], &env, now), HF_SENSOR_LOST);
	cr_assert_eq(next(25000), HF_DEMAND_NONE);
	cr_assert_eq(v.derate_q16, HF_Q16_ONE);
	cr_assert_eq(v.warn_sensor, HF_NOWHERE);
	cr_assert_eq(hf_sensor_state(&st.s[0], &env, now), HF_SENSOR_OK);
}

Test(sensors, no_sensors_ask_for_nothing)
{
	setup(HF_SENSOR_TEMP);
	np.sensors = 0;
	hf_sensors_init(&st, &np, now);
	take(0, 25000);	/* not a sensor: ignored */
	cr_assert_eq(judge(), HF_DEMAND_NONE);
	cr_assert_eq(v.reason.limit, HF_LIM_NONE);
	take(U32_MAX, 25000);
	cr_assert_eq(judge(), HF_DEMAND_NONE);
}

Test(sensors, lost_and_three_to_clear)
{
	struct hf_raw_sample none = { false, 25000, 0 };
	u64 t;

	setup(HF_SENSOR_TEMP);
	cr_assert_eq(next(25000), HF_DEMAND_NONE);
	now += MSEC;
	t = now;
	hf_sensor_take(&st, &np, &env, 0, &none, now);
	cr_assert_eq(judge(), HF_DEMAND_LOST);
	cr_assert_eq(v.onset_ns, t);
	cr_assert_eq(next(25000), HF_DEMAND_LOST);
	cr_assert_eq(next(25001), HF_DEMAND_LOST);
	hf_sensor_take(&st, &np, &env, 0, &none, now);	/* the count starts again */
	cr_assert_eq(next(25000), HF_DEMAND_LOST);
	cr_assert_eq(next(25001), HF_DEMAND_LOST);
	cr_assert_eq(v.onset_ns, t, "the onset is the first fault's");
	cr_assert_eq(next(25000), HF_DEMAND_NONE);
}

Test(sensors, stale_to_the_ns)
{
	u64 t;

	setup(HF_SENSOR_TEMP);
	next(25000);
	t = now;
	now = t + 3 * SEC;
	cr_assert_eq(judge(), HF_DEMAND_NONE);
	now++;
	cr_assert_eq(judge(), HF_DEMAND_STALE);
	cr_assert_eq(v.onset_ns, t + 3 * SEC);
	cr_assert_eq(v.reason.limit, HF_LIM_SENSOR_STALE);
	cr_assert_eq(v.reason.measured, 3001);
	cr_assert_eq(v.reason.bound, 3000);
	cr_assert_eq(hf_sensor_state(&st.s[0], &env, now), HF_SENSOR_STALE);
	/* A new reading ends it. */
	cr_assert_eq(next(25000), HF_DEMAND_NONE);
	/* The judge's clock may be a little behind the sample's. */
	now -= 50 * MSEC;
	cr_assert_eq(judge(), HF_DEMAND_NONE);
}

Test(sensors, old_readings_are_not_new)
{
	struct hf_raw_sample raw = { true, 26000, 0 };
	u64 t;

	setup(HF_SENSOR_TEMP);
	next(25000);
	t = now;
	for (now += SEC; now < t + 10 * SEC; now += SEC) {
		raw.time_ns = t;	/* the same sample, read again */
		hf_sensor_take(&st, &np, &env, 0, &raw, now);
		raw.time_ns = t - 1;
		hf_sensor_take(&st, &np, &env, 0, &raw, now);
	}
	cr_assert_eq(judge(), HF_DEMAND_STALE);
	cr_assert_eq(st.s[0].value, 25000);
}

Test(sensors, reading_from_the_future)
{
	struct hf_raw_sample raw = { true, 25000, 0 };

	setup(HF_SENSOR_TEMP);
	next(25000);
	raw.time_ns = now + 1;
	hf_sensor_take(&st, &np, &env, 0, &raw, now);
	cr_assert_eq(judge(), HF_DEMAND_IMPLAUSIBLE);
	raw.time_ns = U64_MAX;
	hf_sensor_take(&st, &np, &env, 0, &raw, now);
	next(25000);
	next(25000);
	cr_assert_eq(next(25000), HF_DEMAND_NONE, "later readings are taken again");
}

Test(sensors, implausible)
{
	static const s64 wild[] = { S64_MIN, S64_MAX, 150001, -40001, 1LL << 40 };
	u32 i;

	for (i = 0; i < 5; i++) {
		setup(HF_SENSOR_TEMP);
		np.sensor[0].max_step = 5000;
		next(25000);
		cr_assert_eq(next(wild[i]), HF_DEMAND_IMPLAUSIBLE);
		cr_assert_eq(v.onset_ns, now);
		cr_assert_eq(v.reason.measured, wild[i]);
		cr_assert_eq(v.reason.bound, wild[i] < 0 ? -40000 : 150000);
		cr_assert_eq(st.s[0].value, 25000, "a wild reading is never a value");
	}
	setup(HF_SENSOR_TEMP);
	cr_assert_eq(next(150000), HF_DEMAND_NONE);
	cr_assert_eq(next(-40000), HF_DEMAND_NONE);
	np.sensor[0].max_step = 5000;
	cr_assert_eq(next(-35000), HF_DEMAND_NONE);
	cr_assert_eq(next(-40000), HF_DEMAND_NONE);
	cr_assert_eq(next(-34999), HF_DEMAND_IMPLAUSIBLE);
	cr_assert_eq(v.reason.bound, 5000);
	/* A jump that stays is believed in the end, or the sensor could never come back. */
	cr_assert_eq(next(-34999), HF_DEMAND_IMPLAUSIBLE);
	cr_assert_eq(next(-34999), HF_DEMAND_IMPLAUSIBLE);
	cr_assert_eq(next(-34999), HF_DEMAND_NONE);
}

Test(sensors, stuck)
{
	u32 i;

	setup(HF_SENSOR_TEMP);
	np.sensor[0].stuck_samples = 5;
	for (i = 0; i < 4; i++)
		cr_assert_eq(next(25000), HF_DEMAND_NONE);
	cr_assert_eq(next(25000), HF_DEMAND_STUCK);
	cr_assert_eq(v.reason.bound, 5);
	cr_assert_eq(next(25000), HF_DEMAND_STUCK);
	cr_assert_eq(next(25001), HF_DEMAND_STUCK);
	cr_assert_eq(next(25000), HF_DEMAND_STUCK);
	cr_assert_eq(next(25000), HF_DEMAND_NONE);
	/* A quantised sensor may stand still. */
	setup(HF_SENSOR_TEMP);
	for (i = 0; i < 1000; i++)
		cr_assert_eq(next(25000), HF_DEMAND_NONE);
}

Test(sensors, temperature_limits)
{
	setup(HF_SENSOR_TEMP);
	env.limit[HF_LIM_TEMP_WARN] = 50000;
	env.limit[HF_LIM_TEMP_CRIT] = 60000;
	env.limit[HF_LIM_TEMP_EMERG] = 70000;
	cr_assert_eq(next(60000), HF_DEMAND_NONE);
	cr_assert_eq(next(60001), HF_DEMAND_TEMP_CRIT);
	cr_assert_eq(v.onset_ns, now);
	cr_assert_eq(v.reason.limit, HF_LIM_TEMP_CRIT);
	cr_assert_eq(v.reason.measured, 60001);
	cr_assert_eq(v.reason.bound, 60000);
	cr_assert_eq(next(70000), HF_DEMAND_TEMP_CRIT);
	cr_assert_eq(next(70001), HF_DEMAND_TEMP_EMERG);
	cr_assert_eq(v.reason.limit, HF_LIM_TEMP_EMERG);
	cr_assert_eq(v.reason.bound, 70000);
	cr_assert_eq(next(60000), HF_DEMAND_NONE);
}

Test(sensors, derating)
{
	u32 last = HF_Q16_ONE;
	s64 t;

	setup(HF_SENSOR_TEMP);
	env.limit[HF_LIM_TEMP_WARN] = 50000;
	env.limit[HF_LIM_TEMP_CRIT] = 60000;
	for (t = 49990; t <= 60010; t++) {
		long double exact = 65536 - (65536 - 16384) * (t - 50000) / 10000.0L;

		next(t);
		if (t <= 50000) {
			cr_assert_eq(v.derate_q16, HF_Q16_ONE);
			cr_assert_eq(v.warn_sensor, HF_NOWHERE);
			continue;
		}
		cr_assert_eq(v.warn_sensor, 0);
		if (t >= 60000) {
			cr_assert_eq(v.derate_q16, 16384);
		} else {
			cr_assert_leq((long double)v.derate_q16, exact);
			cr_assert_geq((long double)v.derate_q16, exact - 1);
		}
		cr_assert_leq(v.derate_q16, last, "must fall with temperature");
		last = v.derate_q16;
	}
	/* The same temperature gives the same derating, warming or cooling. */
	next(55000);
	cr_assert_eq(v.derate_q16, 40960);
	/* warn = crit, and a contradiction that a meet may make */
	env.limit[HF_LIM_TEMP_WARN] = 60000;
	next(60000);
	cr_assert_eq(v.derate_q16, HF_Q16_ONE);
	next(60001);
	cr_assert_eq(v.derate_q16, 16384);
	env.limit[HF_LIM_TEMP_WARN] = 70000;
	next(65000);
	cr_assert_eq(v.demand, HF_DEMAND_TEMP_CRIT);
	/* floor 1.0: never derated */
	np.derate_floor_q16 = HF_Q16_ONE;
	next(150000);
	cr_assert_eq(v.derate_q16, HF_Q16_ONE);
	cr_assert_eq(v.warn_sensor, HF_NOWHERE);
}

Test(sensors, derating_by_the_hottest)
{
	u32 second;

	setup(HF_SENSOR_TEMP);
	second = tiny_sensor(&np, HF_SENSOR_TEMP, -40000, 150000);
	tiny_sensor(&np, HF_SENSOR_SUPPLY, -40000, 150000);
	hf_sensors_init(&st, &np, now);
	env.limit[HF_LIM_TEMP_WARN] = 50000;
	env.limit[HF_LIM_TEMP_CRIT] = 60000;
	now += SEC;
	take(0, 52000);
	take(second, 55000);
	take(2, 59000);	/* volts are not degrees */
	judge();
	cr_assert_eq(v.derate_q16, 40960);
	cr_assert_eq(v.warn_sensor, second);
}

Test(sensors, rate_of_rise)
{
	u32 i;

	setup(HF_SENSOR_TEMP);
	env.limit[HF_LIM_TEMP_RATE] = 2000;
	next(25000);
	/* 2000 mK in 1 s exactly; a quick step inside the window is not judged alone */
	for (i = 1; i <= 9; i++)
		cr_assert_eq(next(26900), HF_DEMAND_NONE);
	cr_assert_eq(next(27000), HF_DEMAND_NONE);
	cr_assert_eq(st.s[0].rate_per_s, 2000);
	for (i = 1; i <= 9; i++)
		cr_assert_eq(next(27000), HF_DEMAND_NONE);
	cr_assert_eq(next(29001), HF_DEMAND_TEMP_RATE);
	cr_assert_eq(v.reason.limit, HF_LIM_TEMP_RATE);
	cr_assert_eq(v.reason.measured, 2001);
	cr_assert_eq(v.reason.bound, 2000);
	/* falling is no rise; rounded up over an odd window */
	now += 2 * SEC;
	take(0, 20000);
	cr_assert_eq(judge(), HF_DEMAND_NONE);
	cr_assert_eq(st.s[0].rate_per_s, -4500);
	now += 1500 * MSEC;
	take(0, 23001);
	cr_assert_eq(st.s[0].rate_per_s, 2001, "3001 mK in 1.5 s is 2000.67 mK/s");
	cr_assert_eq(judge(), HF_DEMAND_TEMP_RATE);
	/* A fault opens a new window: what came before says nothing about now. */
	cr_assert_eq(next(S64_MAX), HF_DEMAND_TEMP_RATE);
	next(30000);
	cr_assert_eq(st.s[0].rate_per_s, 0);
}

Test(sensors, supply)
{
	setup(HF_SENSOR_SUPPLY);
	env.limit[HF_LIM_SUPPLY_MIN] = 10000;
	env.limit[HF_LIM_SUPPLY_MAX] = 18000;
	cr_assert_eq(next(10000), HF_DEMAND_NONE);
	cr_assert_eq(next(9999), HF_DEMAND_SUPPLY_UNDER);
	cr_assert_eq(v.reason.limit, HF_LIM_SUPPLY_MIN);
	cr_assert_eq(v.reason.measured, 9999);
	cr_assert_eq(next(18000), HF_DEMAND_NONE);
	cr_assert_eq(next(18001), HF_DEMAND_SUPPLY_OVER);
	cr_assert_eq(v.reason.limit, HF_LIM_SUPPLY_MAX);
	cr_assert_eq(v.reason.bound, 18000);
	cr_assert_eq(v.derate_q16, HF_Q16_ONE);
}

Test(sensors, fan)
{
	setup(HF_SENSOR_FAN);
	env.limit[HF_LIM_FAN_MIN] = 1200;
	cr_assert_eq(next(1200), HF_DEMAND_NONE);
	cr_assert_eq(next(1199), HF_DEMAND_FAN_FAILED);
	cr_assert_eq(v.reason.limit, HF_LIM_FAN_MIN);
	cr_assert_eq(v.reason.measured, 1199);
	cr_assert_eq(v.reason.bound, 1200);
}

Test(sensors, current_needs_its_time)
{
	u64 t;

	setup(HF_SENSOR_CURRENT);
	env.limit[HF_LIM_CURRENT] = 2000;
	env.limit[HF_LIM_CURRENT_TIME] = 250;
	cr_assert_eq(next(2000), HF_DEMAND_NONE);
	cr_assert_eq(next(2001), HF_DEMAND_NONE);
	t = now;
	cr_assert_eq(next(5000), HF_DEMAND_NONE);
	cr_assert_eq(next(2001), HF_DEMAND_NONE);
	now = t + 250 * MSEC - 1;
	cr_assert_eq(judge(), HF_DEMAND_NONE);
	now++;
	cr_assert_eq(judge(), HF_DEMAND_CURRENT_OVER);
	cr_assert_eq(v.onset_ns, t + 250 * MSEC);
	cr_assert_eq(v.reason.measured, 2001);
	cr_assert_eq(v.reason.bound, 2000);
	/* Once below, the time starts anew. */
	cr_assert_eq(next(2000), HF_DEMAND_NONE);
	cr_assert_eq(next(9000), HF_DEMAND_NONE);
	/* No time allowed: at once. */
	env.limit[HF_LIM_CURRENT_TIME] = 0;
	cr_assert_eq(judge(), HF_DEMAND_CURRENT_OVER);
	cr_assert_eq(next(2000), HF_DEMAND_NONE);
	/* Tightened after the sample was taken in: counts from that sample. */
	env.limit[HF_LIM_CURRENT_TIME] = 100;
	env.limit[HF_LIM_CURRENT] = 1999;
	t = now;
	now = t + 100 * MSEC - 1;
	cr_assert_eq(judge(), HF_DEMAND_NONE);
	now++;
	cr_assert_eq(judge(), HF_DEMAND_CURRENT_OVER);
	cr_assert_eq(v.onset_ns, t + 100 * MSEC);
}

/* Worst first: emergency, then thresholds, then faults; the first sensor of a rank is named. */
Test(sensors, severity)
{
	struct hf_raw_sample none = { false, 0, 0 };

	tiny_np(&np, 1);
	tiny_sensor(&np, HF_SENSOR_FAN, 0, 9999);
	tiny_sensor(&np, HF_SENSOR_SUPPLY, 0, 99999);
	tiny_sensor(&np, HF_SENSOR_TEMP, -40000, 150000);
	tiny_sensor(&np, HF_SENSOR_TEMP, -40000, 150000);
	hf_envelope_loosest(&env);
	env.limit[HF_LIM_TEMP_WARN] = 50000;
	env.limit[HF_LIM_TEMP_CRIT] = 60000;
	env.limit[HF_LIM_TEMP_EMERG] = 70000;
	env.limit[HF_LIM_SUPPLY_MIN] = 10000;
	now = 100 * SEC;
	hf_sensors_init(&st, &np, now);
	now += SEC;
	take(0, 1000);
	take(1, 12000);
	take(2, 25000);
	take(3, 25000);
	cr_assert_eq(judge(), HF_DEMAND_NONE);

	hf_sensor_take(&st, &np, &env, 0, &none, now);
	hf_sensor_take(&st, &np, &env, 3, &none, now);
	cr_assert_eq(judge(), HF_DEMAND_LOST);
	cr_assert_eq(v.reason.where, 0);
	now += SEC;
	take(2, 65000);
	cr_assert_eq(judge(), HF_DEMAND_TEMP_CRIT);
	cr_assert_eq(v.reason.where, 2);
	take(1, 9000);
	cr_assert_eq(judge(), HF_DEMAND_SUPPLY_UNDER);
	cr_assert_eq(v.reason.where, 1);
	take(3, 70001);	/* of a sensor in fault, and the last of all */
	cr_assert_eq(judge(), HF_DEMAND_TEMP_EMERG);
	cr_assert_eq(v.reason.where, 3);
	/* Lost since: the last believable value still asks. */
	hf_sensor_take(&st, &np, &env, 3, &none, now);
	cr_assert_eq(judge(), HF_DEMAND_TEMP_EMERG);
}

/* Garbage of every size at any time: no overflow (UBSan), and no value out of range is believed. */
Test(sensors, garbage)
{
	struct rng r = rng_seeded(SEED);
	u32 n;

	setup(HF_SENSOR_TEMP);
	np.sensor[0].max_step = 30000;
	np.sensor[0].stuck_samples = 3;
	for (n = 0; n < 200000; n++) {
		struct hf_raw_sample raw = {
			rng_below(&r, 10) != 0,
			rng_below(&r, 2) ? (s64)(rng_next(&r) << rng_below(&r, 64)) :
					   rng_range(&r, -50000, 160000),
			rng_below(&r, 3) ? now : rng_next(&r) >> rng_below(&r, 64),
		};

		np.sensor[0].kind = (enum hf_sensor_kind)rng_below(&r, 4);
		hf_sensor_take(&st, &np, &env, 0, &raw, now);
		judge();
		if (st.s[0].seen)
			cr_assert(st.s[0].value >= -40000 && st.s[0].value <= 150000);
		cr_assert_leq(v.derate_q16, HF_Q16_ONE);
		cr_assert_geq(v.derate_q16, np.derate_floor_q16);
		cr_assert(st.s[0].raw_ns <= now);
		now += rng_next(&r) >> (24 + rng_below(&r, 40));
	}
}
