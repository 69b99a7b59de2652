// SPDX-License-Identifier: GPL-2.0
/*
 * Decisions of the governor: each row of the table in supervise.c at its exact
 * boundary and in every state, their order, what forbids arming, bursts.
 */
#include "rng.h"
#include "supervise.h"
#include "tiny_np.h"

#include <criterion/criterion.h>

#define SEED 0x50be
#define SEC 1000000000ULL
#define MSEC 1000000ULL
#define T (1000 * SEC)

static struct hf_nameplate np;
static struct hf_envelope env;
static struct hf_model m;
static struct hf_sensor_verdict sv;
static struct hf_watch w;
static struct hf_decision d;

/* All well at T, in the middle of emission. */
static void setup(void)
{
	u32 map[2] = { HF_NOWHERE, HF_NOWHERE };

	tiny_np(&np, 64);
	tiny_sensor(&np, HF_SENSOR_TEMP, -40000, 150000);
	hf_envelope_loosest(&env);
	env.limit[HF_LIM_TICK_LATE] = 20;
	env.limit[HF_LIM_KEEPER_DEADLINE] = 500;
	env.limit[HF_LIM_HOLD] = 1000;
	hf_model_init(&m, &np, T);
	hf_model_fence_changed(&m, map, 2);
	sv = (struct hf_sensor_verdict){ .derate_q16 = HF_Q16_ONE, .warn_sensor = HF_NOWHERE };
	w = (struct hf_watch){
		.state = HF_EMITTING, .tick_due_ns = T, .beat_ns = T, .frame_ns = T,
		.sensor_loop_ns = T, .sensor_loop_max_ns = 300 * MSEC,
	};
}

static enum hf_action at(u64 now)
{
	hf_supervise(&w, &env, &m, &np, &sv, now, &d);
	return d.action;
}

/* @what in armed and emitting, nothing while silent or tripped */
static void live_states(u64 now, enum hf_action what)
{
	w.state = HF_SILENT;
	cr_assert_eq(at(now), HF_ACT_NONE);
	w.state = HF_TRIPPED;
	cr_assert_eq(at(now), HF_ACT_NONE);
	w.state = HF_ARMED;
	cr_assert_eq(at(now), what);
	w.state = HF_EMITTING;
	cr_assert_eq(at(now), what);
}

/* @what while emitting only */
static void emitting_only(u64 now, enum hf_action what)
{
	w.state = HF_SILENT;
	cr_assert_eq(at(now), HF_ACT_NONE);
	w.state = HF_TRIPPED;
	cr_assert_eq(at(now), HF_ACT_NONE);
	w.state = HF_ARMED;
	cr_assert_eq(at(now), HF_ACT_NONE);
	w.state = HF_EMITTING;
	cr_assert_eq(at(now), what);
}

static void reason(u32 limit, u32 where, s64 measured, s64 bound)
{
	cr_assert_eq(d.reason.limit, limit);
	cr_assert_eq(d.reason.where, where);
	cr_assert_eq(d.reason.measured, measured, "%lld", (long long)d.reason.measured);
	cr_assert_eq(d.reason.bound, bound);
}

Test(supervise, all_well)
{
	setup();
	live_states(T, HF_ACT_NONE);
	reason(HF_LIM_NONE, HF_NOWHERE, 0, 0);
	/* A clock read before the stamps it is compared with is not late. */
	live_states(T - 100, HF_ACT_NONE);
}

Test(supervise, governor_late)
{
	setup();
	live_states(T + 20 * MSEC, HF_ACT_NONE);
	live_states(T + 20 * MSEC + 1, HF_ACT_TRIP_GOVERNOR_LATE);
	reason(HF_LIM_TICK_LATE, HF_NOWHERE, 21, 20);
	cr_assert_eq(d.onset_ns, T + 20 * MSEC);
}

Test(supervise, sensor_thread)
{
	setup();
	w.tick_due_ns = T + SEC;
	live_states(T + 300 * MSEC, HF_ACT_NONE);
	live_states(T + 300 * MSEC + 1, HF_ACT_TRIP_SENSOR_THREAD);
	reason(HF_LIM_NONE, HF_NOWHERE, 301, 300);
	cr_assert_eq(d.onset_ns, T + 300 * MSEC);
	np.sensors = 0;
	live_states(T + 300 * MSEC + 1, HF_ACT_NONE);
}

Test(supervise, sensors)
{
	enum hf_sensor_demand k;

	for (k = HF_DEMAND_LOST; k <= HF_DEMAND_FAN_FAILED; k++) {
		setup();
		sv.demand = k;
		sv.reason = hf_reason(HF_LIM_TEMP_CRIT, 3, 70, 60);
		sv.onset_ns = T - 5;
		if (k == HF_DEMAND_TEMP_EMERG) {
			w.state = HF_SILENT;
			cr_assert_eq(at(T), HF_ACT_TRIP_SENSOR, "emergency counts while silent");
			w.state = HF_TRIPPED;
			cr_assert_eq(at(T), HF_ACT_TRIP_SENSOR, "a critical trip is made worse");
			w.emergency = true;
			cr_assert_eq(at(T), HF_ACT_NONE, "an emergency is one already");
			w.emergency = false;
			w.state = HF_ARMED;
			cr_assert_eq(at(T), HF_ACT_TRIP_SENSOR);
			w.state = HF_EMITTING;
			cr_assert_eq(at(T), HF_ACT_TRIP_SENSOR);
		} else {
			live_states(T, HF_ACT_TRIP_SENSOR);
		}
		reason(HF_LIM_TEMP_CRIT, 3, 70, 60);
		cr_assert_eq(d.onset_ns, T - 5);
	}
}

Test(supervise, keeper)
{
	setup();
	w.tick_due_ns = w.sensor_loop_ns = T + SEC;
	live_states(T + 500 * MSEC, HF_ACT_NONE);
	live_states(T + 500 * MSEC + 1, HF_ACT_TRIP_KEEPER);
	reason(HF_LIM_KEEPER_DEADLINE, HF_NOWHERE, 501, 500);
	cr_assert_eq(d.onset_ns, T + 500 * MSEC);
	w.beat_ns = 0;
	live_states(T, HF_ACT_TRIP_KEEPER);
	cr_assert_eq(d.onset_ns, T);
	/* No keeper is not a keeper that beat when the machine started. */
	w.tick_due_ns = w.sensor_loop_ns = w.frame_ns = 1;
	live_states(10 * MSEC, HF_ACT_TRIP_KEEPER);
}

Test(supervise, dose)
{
	setup();
	env.limit[HF_LIM_DOSE] = 1000;
	m.dose_q16[1][7] = 999 * 65536ULL;
	emitting_only(T, HF_ACT_NONE);
	m.dose_q16[1][7]++;	/* rounds up to 1000 */
	emitting_only(T, HF_ACT_TRIP_DOSE);
	reason(HF_LIM_DOSE, 1, 1000, 1000);
	m.dose_q16[1][7] = U64_MAX;
	hf_envelope_loosest(&env);
	emitting_only(T, HF_ACT_TRIP_DOSE);
	reason(HF_LIM_DOSE, 1, S64_MAX, 1000000000000000);
	m.points = 1;	/* no longer a point */
	emitting_only(T, HF_ACT_NONE);
}

Test(supervise, power)
{
	setup();
	env.limit[HF_LIM_POWER_AVG] = 30000000;
	env.limit[HF_LIM_POWER_INST] = 52000000;
	m.power_avg_uw = 30000000;
	m.power_uw = 52000000;
	emitting_only(T, HF_ACT_NONE);
	m.power_avg_uw++;
	emitting_only(T, HF_ACT_TRIP_POWER);
	reason(HF_LIM_POWER_AVG, HF_NOWHERE, 30000001, 30000000);
	m.power_avg_uw--;
	m.power_uw++;
	emitting_only(T, HF_ACT_TRIP_POWER);
	reason(HF_LIM_POWER_INST, HF_NOWHERE, 52000001, 52000000);
}

Test(supervise, heat)
{
	setup();
	env.limit[HF_LIM_CHAN_RISE] = 30000;
	env.limit[HF_LIM_ARRAY_RISE] = 20000;
	m.hottest = 17;
	m.chan_rise_q16[17] = 30000000LL * HF_Q16_ONE;
	m.array_rise_uk = 20000000;
	emitting_only(T, HF_ACT_NONE);
	m.chan_rise_q16[17]++;
	emitting_only(T, HF_ACT_TRIP_THERMAL);
	reason(HF_LIM_CHAN_RISE, 17, 30001, 30000);
	m.chan_rise_q16[17]--;
	m.array_rise_uk++;
	emitting_only(T, HF_ACT_TRIP_THERMAL);
	reason(HF_LIM_ARRAY_RISE, HF_NOWHERE, 20001, 20000);
}

Test(supervise, hold)
{
	setup();
	w.tick_due_ns = w.sensor_loop_ns = w.beat_ns = T + SEC;
	emitting_only(T + SEC - 1, HF_ACT_NONE);
	emitting_only(T + SEC, HF_ACT_REST);
	reason(HF_LIM_HOLD, HF_NOWHERE, 1000, 1000);
	cr_assert_eq(d.onset_ns, T + SEC);
}

Test(supervise, emission_time)
{
	setup();
	env.limit[HF_LIM_EMIT_MAX] = 60000;
	m.emit_run_ns = 60 * SEC - 1;
	emitting_only(T, HF_ACT_NONE);
	m.emit_run_ns += 4;
	emitting_only(T, HF_ACT_REST);
	reason(HF_LIM_EMIT_MAX, HF_NOWHERE, 60001, 60000);
	cr_assert_eq(d.onset_ns, T - 3);
	m.emit_run_ns = 60 * SEC;
	emitting_only(T, HF_ACT_REST);
	cr_assert_eq(d.onset_ns, T);
	env.limit[HF_LIM_EMIT_MAX] = 0;	/* none at all */
	m.emit_run_ns = 0;
	emitting_only(T, HF_ACT_REST);
}

Test(supervise, emission_duty)
{
	setup();
	env.limit[HF_LIM_EMIT_DUTY] = 250000;
	m.duty_ppb = 250000000;
	emitting_only(T, HF_ACT_NONE);
	m.duty_ppb++;
	emitting_only(T, HF_ACT_REST);
	reason(HF_LIM_EMIT_DUTY, HF_NOWHERE, 250001, 250000);
	hf_envelope_loosest(&env);
	m.duty_ppb = 1000000000;
	emitting_only(T, HF_ACT_NONE);
}

Test(supervise, lease_ends)
{
	setup();
	w.lease_expires_ns = T + 5;
	emitting_only(T + 4, HF_ACT_NONE);
	emitting_only(T + 5, HF_ACT_REST);
	reason(HF_LIM_NONE, HF_NOWHERE, 0, 0);
	cr_assert_eq(d.onset_ns, T + 5);
	w.lease_expires_ns = 0;
	emitting_only(T + 5, HF_ACT_NONE);
}

Test(supervise, surface_mean)
{
	struct hf_surface_state st = { .points = 7, .worst = 3, .worst_q8 = 5000ULL * 5000 << 8,
				       .round_ns = T, .round_max_ns = 20 * SEC };

	setup();
	w.surface = &st;
	emitting_only(T, HF_ACT_NONE);
	env.limit[HF_LIM_SURFACE_MEAN] = 5000;
	emitting_only(T, HF_ACT_NONE);
	st.worst_q8++;
	emitting_only(T, HF_ACT_REST);
	reason(HF_LIM_SURFACE_MEAN, 3, 5001, 5000);
	st.points = 0;
	emitting_only(T, HF_ACT_NONE);
}

Test(supervise, surface_scan_late)
{
	struct hf_surface_state st = { .points = 7, .round_ns = T - 20 * SEC,
				       .round_max_ns = 20 * SEC };

	setup();
	w.surface = &st;
	env.limit[HF_LIM_SURFACE_MEAN] = 5000;
	emitting_only(T, HF_ACT_NONE);
	st.round_ns--;
	emitting_only(T, HF_ACT_TRIP_SENSOR_THREAD);
	reason(HF_LIM_NONE, HF_NOWHERE, 20001, 20000);
	cr_assert_eq(d.onset_ns, T - 1);
	hf_envelope_loosest(&env);	/* nothing is bounded */
	emitting_only(T, HF_ACT_NONE);
	env.limit[HF_LIM_SURFACE_MEAN] = 5000;
	st.points = 0;
	emitting_only(T, HF_ACT_NONE);
}

Test(supervise, quota)
{
	const u64 budget[HF_QUOTA_KINDS] = { 10, 2000000, 0 };
	struct hf_quota q;

	setup();
	hf_quota_init(&q);
	hf_quota_set(&q, HF_QUOTA_ALL, budget, false);
	w.quota = &q;
	emitting_only(T, HF_ACT_NONE);	/* FRAMES says nothing about the one that is held */
	hf_quota_charge(&q, 0, 10 * MSEC - 1);
	emitting_only(T, HF_ACT_NONE);
	hf_quota_charge(&q, 0, 1);
	emitting_only(T, HF_ACT_REST);
	reason(HF_LIM_QUOTA + HF_QUOTA_EMIT, HF_NOWHERE, 10, 10);
	hf_quota_set(&q, 1 << HF_QUOTA_EMIT, &(u64){ HF_QUOTA_NONE }, false);
	emitting_only(T, HF_ACT_NONE);
	hf_quota_charge(&q, 1000000, 3 * SEC);
	emitting_only(T, HF_ACT_REST);
	reason(HF_LIM_QUOTA + HF_QUOTA_ENERGY, HF_NOWHERE, 3000000, 2000000);
	cr_assert_eq(d.onset_ns, T);
	w.quota = NULL;
	emitting_only(T, HF_ACT_NONE);
}

/* Everything wrong at once, mended one by one from the top. */
Test(supervise, order)
{
	struct hf_quota q;

	setup();
	env.limit[HF_LIM_DOSE] = env.limit[HF_LIM_POWER_AVG] = env.limit[HF_LIM_CHAN_RISE] = 0;
	env.limit[HF_LIM_EMIT_MAX] = env.limit[HF_LIM_EMIT_DUTY] = 0;
	m.power_avg_uw = m.duty_ppb = 5000;
	m.chan_rise_q16[0] = 1;
	w.tick_due_ns = w.sensor_loop_ns = w.frame_ns = w.beat_ns = T - 10 * SEC;
	w.lease_expires_ns = 1;
	hf_quota_init(&q);
	hf_quota_set(&q, 1 << HF_QUOTA_EMIT, &(u64){ 0 }, false);
	w.quota = &q;
	sv.demand = HF_DEMAND_STALE;
	cr_assert_eq(at(T), HF_ACT_TRIP_GOVERNOR_LATE);
	w.tick_due_ns = T;
	cr_assert_eq(at(T), HF_ACT_TRIP_SENSOR_THREAD);
	w.sensor_loop_ns = T;
	cr_assert_eq(at(T), HF_ACT_TRIP_SENSOR);
	sv.demand = HF_DEMAND_NONE;
	cr_assert_eq(at(T), HF_ACT_TRIP_KEEPER);
	w.beat_ns = T;
	cr_assert_eq(at(T), HF_ACT_TRIP_DOSE);
	env.limit[HF_LIM_DOSE] = 1;
	cr_assert_eq(at(T), HF_ACT_TRIP_POWER);
	m.power_avg_uw = 0;
	cr_assert_eq(at(T), HF_ACT_TRIP_THERMAL);
	m.chan_rise_q16[0] = 0;
	cr_assert_eq(at(T), HF_ACT_REST);
	cr_assert_eq(d.reason.limit, HF_LIM_HOLD);
	w.frame_ns = T;
	at(T);
	cr_assert_eq(d.reason.limit, HF_LIM_EMIT_MAX);
	env.limit[HF_LIM_EMIT_MAX] = 1;
	at(T);
	cr_assert_eq(d.reason.limit, HF_LIM_EMIT_DUTY);
	m.duty_ppb = 0;
	at(T);
	cr_assert_eq(d.reason.limit, HF_LIM_QUOTA + HF_QUOTA_EMIT);
	w.quota = NULL;
	cr_assert_eq(at(T), HF_ACT_REST);
	cr_assert_eq(d.reason.limit, HF_LIM_NONE);
	w.lease_expires_ns = 0;
	cr_assert_eq(at(T), HF_ACT_NONE);
}

Test(supervise, blocked)
{
	enum hf_action why;
	struct hf_reason r;

	setup();
	cr_assert_not(hf_blocked(&env, &m, &np, &sv, T, &why, &r));
	cr_assert_eq(why, HF_ACT_NONE);
	cr_assert_eq(r.limit, HF_LIM_NONE);

	m.off_since_ns = T - 10 * SEC;
	m.rest_until_ns = T + 1;
	cr_assert(hf_blocked(&env, &m, &np, &sv, T, &why, &r));
	cr_assert_eq(why, HF_ACT_REST);
	cr_assert_eq(r.limit, HF_LIM_EMIT_REST);
	cr_assert_eq(r.measured, 10000);
	cr_assert_eq(r.bound, 10001);
	cr_assert_not(hf_blocked(&env, &m, &np, &sv, T + 1, &why, &r));

	env.limit[HF_LIM_ARRAY_RISE] = 1;
	m.array_rise_uk = 1000;
	cr_assert_not(hf_blocked(&env, &m, &np, &sv, T + 1, &why, &r));
	m.array_rise_uk = 1001;
	cr_assert(hf_blocked(&env, &m, &np, &sv, T, &why, &r));
	cr_assert_eq(why, HF_ACT_TRIP_THERMAL);
	env.limit[HF_LIM_POWER_AVG] = 5;
	m.power_avg_uw = 5;
	hf_blocked(&env, &m, &np, &sv, T, &why, &r);
	cr_assert_eq(why, HF_ACT_TRIP_THERMAL);
	m.power_avg_uw = 6;
	hf_blocked(&env, &m, &np, &sv, T, &why, &r);
	cr_assert_eq(why, HF_ACT_TRIP_POWER);
	env.limit[HF_LIM_DOSE] = 5;
	m.dose_q16[0][0] = 4 * 65536;
	hf_blocked(&env, &m, &np, &sv, T, &why, &r);
	cr_assert_eq(why, HF_ACT_TRIP_POWER);
	m.dose_q16[0][0]++;
	hf_blocked(&env, &m, &np, &sv, T, &why, &r);
	cr_assert_eq(why, HF_ACT_TRIP_DOSE);
	sv.demand = HF_DEMAND_LOST;
	sv.reason = hf_reason(HF_LIM_NONE, 0, 1, 2);
	cr_assert(hf_blocked(&env, &m, &np, &sv, T, &why, &r));
	cr_assert_eq(why, HF_ACT_TRIP_SENSOR);
	cr_assert_eq(r.where, 0);
	cr_assert_eq(r.bound, 2);
}

/* Against the list of all rejects: none missed within a window, none invented over two. */
Test(supervise, burst_any_window)
{
	static u64 when[4000];
	struct rng r = rng_seeded(SEED);
	u32 n, i, round, trips = 0, quiet = 0;

	setup();
	for (round = 0; round < 200; round++) {
		u32 burst = 1 + (u32)rng_below(&r, 40), first = 0;
		u64 window = (1 + rng_below(&r, 2000)) * MSEC, t = T;
		struct hf_burst b = { 0 };

		env.limit[HF_LIM_REJECT_BURST] = burst;
		env.limit[HF_LIM_REJECT_WINDOW] = (s64)(window / MSEC);
		for (n = 0; n < 4000; n++) {
			u32 in_one = 1, in_two = 1;
			bool trip;

			t += rng_below(&r, 20) ? rng_below(&r, 3 * window / burst + 1) :
						 rng_below(&r, 3 * window);
			when[n] = t;
			/* since the last trip, which starts the count anew */
			for (i = n; i > first && when[n] - when[i - 1] < 2 * window; i--) {
				in_two++;
				in_one += when[n] - when[i - 1] < window;
			}
			trip = hf_burst_add(&b, &env, t);
			if (in_one >= burst)
				cr_assert(trip, "round %u reject %u: %u of %u in a window", round, n,
					  in_one, burst);
			if (in_two < burst)
				cr_assert_not(trip, "round %u reject %u: only %u of %u in two", round,
					      n, in_two, burst);
			trips += trip;
			quiet += !trip;
			if (trip)
				first = n + 1;
		}
	}
	cr_assert_gt(trips, 1000);
	cr_assert_gt(quiet, 1000);
}

Test(supervise, burst_boundaries)
{
	struct hf_burst b = { 0 };
	u32 i;

	setup();
	env.limit[HF_LIM_REJECT_BURST] = 32;
	env.limit[HF_LIM_REJECT_WINDOW] = 1000;
	for (i = 0; i < 31; i++)
		cr_assert_not(hf_burst_add(&b, &env, T));
	cr_assert(hf_burst_add(&b, &env, T));
	cr_assert_not(hf_burst_add(&b, &env, T), "counting starts anew");

	/* Half at the end of one window, half at the start of the next. */
	memset(&b, 0, sizeof(b));
	hf_burst_add(&b, &env, T);
	for (i = 0; i < 16; i++)
		cr_assert_not(hf_burst_add(&b, &env, T + 999 * MSEC));
	for (i = 0; i < 14; i++)
		cr_assert_not(hf_burst_add(&b, &env, T + 1001 * MSEC));
	cr_assert(hf_burst_add(&b, &env, T + 1001 * MSEC));

	/* The same number, the last one two windows after the first. */
	memset(&b, 0, sizeof(b));
	for (i = 0; i < 31; i++)
		cr_assert_not(hf_burst_add(&b, &env, T + i));
	cr_assert_not(hf_burst_add(&b, &env, T + 2 * SEC));

	/* One reject is a burst if the limit says so; time that stands still does not help. */
	env.limit[HF_LIM_REJECT_BURST] = 1;
	memset(&b, 0, sizeof(b));
	cr_assert(hf_burst_add(&b, &env, T));
	env.limit[HF_LIM_REJECT_BURST] = 2;
	cr_assert_not(hf_burst_add(&b, &env, T));
	cr_assert(hf_burst_add(&b, &env, T - SEC));
}

Test(supervise, burst_says_how_many_and_how_long_it_counts)
{
	struct hf_burst b = { 0 };
	u32 i;

	setup();
	env.limit[HF_LIM_REJECT_BURST] = 3;
	env.limit[HF_LIM_REJECT_WINDOW] = 1000;
	cr_assert_not(hf_burst_counts(&b, T), "nothing was refused");
	for (i = 0; i < 2; i++)
		cr_assert_eq(hf_burst_add(&b, &env, T), 0);
	cr_assert(hf_burst_counts(&b, T));
	cr_assert(hf_burst_counts(&b, T + 2 * SEC - 1));
	cr_assert_not(hf_burst_counts(&b, T + 2 * SEC), "as in hf_burst_add()");
	cr_assert_eq(hf_burst_add(&b, &env, T), 3);
	cr_assert_not(hf_burst_counts(&b, T), "a burst starts anew");

	/* By an envelope with a longer window, then by one with a shorter: the longer holds. */
	memset(&b, 0, sizeof(b));
	env.limit[HF_LIM_REJECT_WINDOW] = 5000;
	hf_burst_add(&b, &env, T);
	env.limit[HF_LIM_REJECT_WINDOW] = 1000;
	hf_burst_add(&b, &env, T);
	cr_assert(hf_burst_counts(&b, T + 10 * SEC - 1));
	cr_assert_not(hf_burst_counts(&b, T + 10 * SEC));
	/* What is two of a window old does not come back with a new one. */
	cr_assert_eq(hf_burst_add(&b, &env, T + 3 * SEC), 0);
	cr_assert_eq(b.prev, 0);
}

static struct hf_reason nearest(const struct hf_envelope *site, const struct hf_sensors *st,
				const u32 *mpa)
{
	return hf_nearest(&env, site, &m, st, &np, mpa, T);
}

Test(supervise, nearest)
{
	static struct hf_envelope site;
	struct hf_sensors st;
	struct hf_raw_sample raw = { true, 45000, T };
	u32 mpa[2] = { 0, 0 };
	struct hf_reason r;

	setup();
	hf_envelope_loosest(&site);
	site.nfence = 2;
	site.fence[0].limit_mpa = 15900;
	site.fence[1].limit_mpa = 20000;
	hf_sensors_init(&st, &np, T);
	env.limit[HF_LIM_TEMP_CRIT] = 60000;
	/* Nothing known of the sensor: it has no room to speak of. */
	m.power_uw = 1;
	r = nearest(&site, &st, mpa);
	cr_assert_neq(r.limit, HF_LIM_TEMP_CRIT);
	hf_sensor_take(&st, &np, &env, 0, &raw, T);
	r = nearest(&site, &st, mpa);
	cr_assert_eq(r.limit, HF_LIM_TEMP_CRIT);
	cr_assert_eq(r.measured, 45000);
	env.limit[HF_LIM_POWER_AVG] = 100;
	m.power_avg_uw = 76;
	cr_assert_eq(nearest(&site, &st, mpa).limit, HF_LIM_POWER_AVG);
	env.limit[HF_LIM_POWER_INST] = 1000;
	m.power_uw = 770;
	cr_assert_eq(nearest(&site, &st, mpa).limit, HF_LIM_POWER_INST);
	env.limit[HF_LIM_CHAN_RISE] = 30000;
	m.hottest = 5;
	m.chan_rise_q16[5] = 24000000LL * HF_Q16_ONE;
	r = nearest(&site, &st, mpa);
	cr_assert_eq(r.limit, HF_LIM_CHAN_RISE);
	cr_assert_eq(r.where, 5);
	env.limit[HF_LIM_ARRAY_RISE] = 20000;
	m.array_rise_uk = 16500000;
	cr_assert_eq(nearest(&site, &st, mpa).limit, HF_LIM_ARRAY_RISE);
	env.limit[HF_LIM_EMIT_MAX] = 1000;
	m.emit_run_ns = 850 * MSEC;
	cr_assert_eq(nearest(&site, &st, mpa).limit, HF_LIM_EMIT_MAX);
	env.limit[HF_LIM_EMIT_DUTY] = 500000;
	m.duty_ppb = 440000000;
	cr_assert_eq(nearest(&site, &st, mpa).limit, HF_LIM_EMIT_DUTY);
	env.limit[HF_LIM_DOSE] = 1000;
	m.dose_q16[1][0] = 910 * 65536;
	r = nearest(&site, &st, mpa);
	cr_assert_eq(r.limit, HF_LIM_DOSE);
	cr_assert_eq(r.where, 1);
	mpa[0] = 15000;
	r = nearest(&site, &st, mpa);
	cr_assert_eq(r.limit, HF_LIM_FENCE_PRESSURE);
	cr_assert_eq(r.where, 0);
	cr_assert_eq(r.bound, 15900);
	env.limit[HF_LIM_FENCE_PRESSURE] = 10000;	/* tighter than the point's own */
	mpa[1] = 9900;
	mpa[0] = 0;
	r = nearest(&site, &st, mpa);
	cr_assert_eq(r.where, 1);
	cr_assert_eq(r.bound, 10000);
	/* A bound of nothing has no room. */
	env.limit[HF_LIM_POWER_AVG] = 0;
	cr_assert_eq(nearest(&site, &st, mpa).limit, HF_LIM_POWER_AVG);
	/* Extremes of everything: no overflow (UBSan). */
	m.dose_q16[1][0] = U64_MAX;
	m.array_rise_uk = S64_MAX / 2;
	m.emit_run_ns = U64_MAX;
	nearest(&site, &st, mpa);
}
