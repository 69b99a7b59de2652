// SPDX-License-Identifier: GPL-2.0
/*
 * Every step of the admission pipeline by itself, at its boundary, with the
 * reason it gives.
 */
#include "model_np.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#define NOW	(1000 * HF_NSEC_PER_SEC)
#define MSEC	HF_NSEC_PER_MSEC

/* large, and each test has its own process */
static struct hf_nameplate np;
static struct hf_phase_lut lut;
static struct hf_envelope env;
static struct hf_model model;
static struct hf_scratch scratch;
static struct hf_wire out, last;
static struct ref_point ref;
static u16 phase[HF_MAX_CHANNELS], amp[HF_MAX_CHANNELS];
static struct hf_rules *rules;
static struct hf_context ctx;
static struct hf_request req;
static struct hf_result res;

static void setup(void)
{
	np_grid(&np, 8, 10500);
	hf_envelope_loosest(&env);
	env.limit[HF_LIM_TICK_LATE] = 1;	/* a frame is judged for HOLD and this: ms */
	hf_model_init(&model, &np, NOW);
	ctx = (struct hf_context){ .now_ns = NOW, .model = &model, .derate_q16 = HF_Q16_ONE };
	req = (struct hf_request){ .phase = phase, .amp = amp, .channels = np.channels };
}

static void teardown(void)
{
	free(rules);
}

TestSuite(admit, .init = setup, .fini = teardown, .timeout = 60);

/* Rules of env as it is now; the site has the same fence. */
static void build(void)
{
	free(rules);
	rules = malloc(hf_rules_size(env.nfence, &np));
	hf_phase_lut_init(&lut, np.phase_levels);
	hf_rules_build(rules, &np, &lut, &env, &env);
}

static void fence(s32 x, s32 y, s32 z, u32 mpa)
{
	env.fence[env.nfence++] = (struct hf_fence_point){ x, y, z, mpa };
}

static void all(u16 a)
{
	u32 i;

	for (i = 0; i < np.channels; i++)
		amp[i] = a;
}

static enum hf_verdict judge(void)
{
	memset(&out, 0xa5, sizeof(out));
	memset(&res, 0xa5, sizeof(res));
	hf_admit(rules, &ctx, &req, &scratch, &out, &res);
	return res.verdict;
}

#define admitted() cr_assert_eq(judge(), HF_ADMIT, "limit %u: %ld > %ld", res.reason.limit, \
				res.reason.measured, res.reason.bound)

static void refused(u32 id, u32 where, s64 measured, s64 bound)
{
	cr_assert_eq(judge(), HF_REJECT);
	cr_assert_eq(res.reason.limit, id, "limit %u, not %u", res.reason.limit, id);
	cr_assert_eq(res.reason.where, where, "where %u, not %u", res.reason.where, where);
	cr_assert_eq(res.reason.measured, measured, "%ld, not %ld", res.reason.measured, measured);
	cr_assert_eq(res.reason.bound, bound, "%ld, not %ld", res.reason.bound, bound);
}

Test(admit, plain_frame)
{
	build();
	all(65535);
	admitted();
	cr_assert_eq(res.scale_q16, HF_Q16_ONE);
	cr_assert_eq(res.reason.limit, HF_LIM_NONE);
	cr_assert_eq(out.on, 64);
	cr_assert_eq(out.channels, 64);
	cr_assert_eq(out.points, 0);
	cr_assert_eq(out.power_uw, 64 * 200000);
}

Test(admit, malformed)
{
	build();
	req.channels = 63;
	refused(HF_LIM_NONE, HF_NOWHERE, 0, 0);
	req.channels = 65;
	refused(HF_LIM_NONE, HF_NOWHERE, 0, 0);
	req.channels = 64;
	req.nfoci = HF_MAX_FOCI + 1;
	refused(HF_LIM_NONE, HF_NOWHERE, 0, 0);
}

/* Nothing stands in the way of silence. */
Test(admit, silence_is_always_admitted)
{
	u32 i;

	for (i = 0; i < HF_LIM_COUNT; i++)
		env.limit[i] = hf_limits[i].sense == HF_CEIL ? hf_limits[i].min : hf_limits[i].max;
	fence(0, 0, 0, 0);
	fence(0, 0, 100000, 0);
	build();
	all(0);
	last = (struct hf_wire){ .channels = 64, .on = 64 };
	for (i = 0; i < 64; i++)
		last.level[i] = last.amp_q16[i] = 255;
	ctx.last = &last;
	ctx.last_commit_ns = NOW;
	ctx.derate_q16 = 0;
	model.rest_until_ns = U64_MAX;
	model.duty_ppb = 1000000000;
	model.power_avg_uw = S64_MAX / 2;
	model.array_rise_uk = S64_MAX / 2;
	for (i = 0; i < 64; i++)
		model.chan_rise_q16[i] = S64_MAX / 2;
	req.nfoci = HF_MAX_FOCI;
	req.foci[0].x_um = S32_MAX;
	for (i = 0; i < 64; i++)
		phase[i] = (u16)(i * 1000);
	admitted();
	cr_assert_eq(out.on, 0);
	cr_assert_eq(out.power_uw, 0);
	cr_assert_eq(out.points, 2);
	cr_assert_eq(out.point_mpa[0] | out.point_mpa[1], 0);

	/* and so is a frame that only the mask makes silent, or rounding */
	env.mask[0] = 0;
	build();
	all(65535);
	admitted();
	cr_assert_eq(out.on, 0);
	env.mask[0] = U64_MAX;
	build();
	all(256);
	admitted();
	cr_assert_eq(out.on, 0);
	all(257);
	cr_assert_eq(judge(), HF_REJECT);
}

/* Before every limit, whatever attenuation is asked for; sound is refused, silence is not. */
Test(admit, quota)
{
	static struct hf_quota quota;
	const u64 budget[HF_QUOTA_KINDS] = { 5, 6, 1 };

	build();
	hf_quota_init(&quota);
	ctx.quota = &quota;
	all(32768);
	admitted();
	hf_quota_set(&quota, HF_QUOTA_ALL, budget, false);
	admitted();
	hf_quota_frame(&quota);
	refused(HF_LIM_QUOTA + HF_QUOTA_FRAMES, HF_NOWHERE, 1, 1);
	hf_quota_charge(&quota, 0, 5 * MSEC);
	env.limit[HF_LIM_AMP_CAP] = 100;
	build();
	for (int attenuate = 0; attenuate < 2; attenuate++) {
		req.attenuate = attenuate;
		refused(HF_LIM_QUOTA + HF_QUOTA_EMIT, HF_NOWHERE, 5, 5);
	}
	all(0);
	admitted();
	cr_assert_eq(out.on, 0);
	/* A frame that is held is not judged by it: that is the tick's. */
	out.on = 1;
	out.level[0] = 1;
	cr_assert(hf_recheck(rules, &ctx, &out, &scratch, &res));
}

Test(admit, phase_goes_to_the_nearest_level)
{
	static const u32 levels[] = { 2, 3, 10, 32, 100, 128, 256, 4096 };
	u32 k, ph;

	all(65535);
	for (k = 0; k < 8; k++) {
		np.phase_levels = levels[k];
		build();
		for (ph = 0; ph < 65536; ph += 64) {
			u32 i;

			for (i = 0; i < 64; i++)
				phase[i] = (u16)(ph + i);
			admitted();
			for (i = 0; i < 64; i++) {
				double e = out.phase[i] / (double)levels[k] - phase[i] / 65536.0;

				cr_assert(out.phase[i] < levels[k]);
				e -= round(e);
				cr_assert(fabs(e) <= 0.5 / levels[k] + 1e-12, "%u of %u: %u", phase[i],
					  levels[k], out.phase[i]);
			}
		}
	}
}

Test(admit, amplitude_rounds_down)
{
	static const u32 levels[] = { 1, 2, 5, 64, 100, 255, 4096 };
	u32 k, a, i;

	for (k = 0; k < 7; k++) {
		np.amp_levels = levels[k];
		build();
		for (a = 0; a < 65536; a += 64) {
			for (i = 0; i < 64; i++)
				amp[i] = (u16)(a + i);
			admitted();
			for (i = 0; i < 64; i++) {
				double exact = out.level[i] * 65535.0 / levels[k];

				cr_assert_eq(out.level[i], (u32)(amp[i] * (u64)levels[k] / 65535));
				cr_assert(out.amp_q16[i] >= exact && out.amp_q16[i] < exact + 1);
				cr_assert(out.amp_q16[i] <= amp[i]);
			}
		}
		all(65535);
		admitted();
		cr_assert_eq(out.level[0], levels[k]);
		cr_assert_eq(out.amp_q16[0], 65535);
	}
}

Test(admit, calibration_comes_first)
{
	np.cal[3].phase_offset = 50000;
	np.cal[4].gain_q16 = 32768;
	np.cal[5].gain_q16 = 0;
	np.amp_levels = 4096;
	np.phase_levels = 4096;
	build();
	all(65535);
	phase[3] = 20000;
	admitted();
	cr_assert_eq(out.phase[3], (20000 + 50000 - 65536) / 16);
	cr_assert_eq(out.level[4], 2048);
	cr_assert_eq(out.level[5], 0);
	cr_assert_eq(out.level[6], 4096);
	cr_assert_eq(out.on, 63);
}

Test(admit, masked_channels_are_off)
{
	u32 i;

	env.mask[0] = 0xf0f0f0f0f0f0f0f0ULL;
	build();
	all(65535);
	admitted();
	cr_assert_eq(out.on, 32);
	for (i = 0; i < 64; i++)
		cr_assert_eq(out.level[i], i % 8 >= 4 ? 255 : 0);
}

Test(admit, amplitude_cap)
{
	env.limit[HF_LIM_AMP_CAP] = 25700;	/* level 100 */
	build();
	all(25700);
	admitted();
	amp[7] = 25957;
	refused(HF_LIM_AMP_CAP, 7, 25957, 25700);
	ctx.derate_q16 = 32768;
	all(12850);
	admitted();
	amp[9] = 13107;
	refused(HF_LIM_AMP_CAP, 9, 13107, 12850);
	ctx.derate_q16 = U32_MAX;	/* never more than none */
	all(25957);
	refused(HF_LIM_AMP_CAP, 0, 25957, 25700);
	ctx.derate_q16 = 0;
	all(257);
	refused(HF_LIM_AMP_CAP, 0, 257, 0);

	ctx.derate_q16 = HF_Q16_ONE;
	env.limit[HF_LIM_AMP_CAP] = 65535;
	env.limit[HF_LIM_DRIVE_DUTY] = 10923;	/* sin 30 deg */
	build();
	cr_assert_eq(rules->amp_cap, 32768);
	all(32896);
	refused(HF_LIM_AMP_CAP, 0, 32896, 32768);

	req.attenuate = true;
	amp[1] = 65535;
	cr_assert_eq(judge(), HF_ATTENUATE);
	cr_assert_eq(res.reason.limit, HF_LIM_AMP_CAP);
	cr_assert_eq(res.reason.measured, 65535);
	cr_assert_eq(out.level[1], 127);
	cr_assert_eq(out.level[0], 64);
}

static void was_on(u16 level, u16 ph)
{
	u32 i;

	memset(&last, 0, sizeof(last));
	last.channels = last.on = np.channels;
	for (i = 0; i < np.channels; i++) {
		last.level[i] = level;
		last.amp_q16[i] = (u16)(level * 257);
		last.phase[i] = ph;
	}
	ctx.last = &last;
}

Test(admit, slew_of_phase)
{
	u32 i;

	env.limit[HF_LIM_SLEW_PHASE] = 1024;	/* 4 wire steps per ms */
	build();
	was_on(255, 2);
	all(65535);
	ctx.last_commit_ns = NOW - 2 * MSEC;
	for (i = 0; i < 64; i++)
		phase[i] = (2 + 8) * 256;
	admitted();
	phase[5] = (2 + 9) * 256;
	refused(HF_LIM_SLEW_PHASE, 5, 9 * 256 / 2, 1024);
	req.attenuate = true;	/* does not help */
	refused(HF_LIM_SLEW_PHASE, 5, 9 * 256 / 2, 1024);
	req.attenuate = false;

	phase[5] = 250 * 256;	/* 8 the short way round */
	admitted();
	phase[5] = 249 * 256;
	refused(HF_LIM_SLEW_PHASE, 5, 9 * 256 / 2, 1024);

	last.level[5] = last.amp_q16[5] = 0;	/* switched on: exempt */
	admitted();
	last.level[5] = 255;
	amp[5] = 0;	/* switched off: exempt */
	admitted();

	amp[5] = 65535;
	ctx.last = NULL;
	admitted();
	ctx.last = &last;
	ctx.last_commit_ns = NOW + MSEC;	/* a clock that ran back allows nothing */
	env.limit[HF_LIM_FRAME_INTERVAL] = 0;
	build();
	refused(HF_LIM_SLEW_PHASE, 0, S64_MAX, 1024);
	env.limit[HF_LIM_SLEW_PHASE] = hf_limits[HF_LIM_SLEW_PHASE].max;
	build();
	admitted();
}

Test(admit, slew_of_phase_after_long)
{
	env.limit[HF_LIM_SLEW_PHASE] = 1;
	build();
	was_on(255, 0);
	all(65535);
	phase[0] = 32768;
	ctx.last_commit_ns = 1;
	ctx.now_ns = 32768 * MSEC;
	refused(HF_LIM_SLEW_PHASE, 0, 2, 1);
	ctx.now_ns++;
	admitted();
	ctx.now_ns = U64_MAX;
	admitted();
	env.limit[HF_LIM_SLEW_PHASE] = hf_limits[HF_LIM_SLEW_PHASE].max - 1;
	env.limit[HF_LIM_SLEW_AMP] = hf_limits[HF_LIM_SLEW_AMP].max - 1;
	build();
	admitted();
}

Test(admit, slew_of_amplitude)
{
	env.limit[HF_LIM_SLEW_AMP] = 2570;	/* 10 wire levels per ms */
	build();
	was_on(100, 0);
	ctx.last_commit_ns = NOW - MSEC;
	all(110 * 257);
	admitted();
	amp[6] = 111 * 257;
	refused(HF_LIM_SLEW_AMP, 6, 11 * 257, 2570);
	all(0);	/* down is free */
	amp[6] = 257;
	admitted();

	all(200 * 257);
	req.attenuate = true;
	cr_assert_eq(judge(), HF_ATTENUATE);
	cr_assert_eq(res.reason.limit, HF_LIM_SLEW_AMP);
	cr_assert(out.level[0] <= 110 && out.level[0] >= 109, "%u", out.level[0]);
	req.attenuate = false;

	ctx.last = NULL;	/* from off it rises from 0 */
	all(11 * 257);
	refused(HF_LIM_SLEW_AMP, 0, 11 * 257, 2570);
	all(10 * 257);
	admitted();
	ctx.last_commit_ns = 0;	/* off for ever */
	all(65535);
	admitted();
}

Test(admit, frame_interval)
{
	env.limit[HF_LIM_FRAME_INTERVAL] = 5000000;
	build();
	all(65535);
	admitted();
	ctx.last_commit_ns = NOW - 4999999;
	refused(HF_LIM_FRAME_INTERVAL, HF_NOWHERE, 4999999, 5000000);
	req.attenuate = true;
	refused(HF_LIM_FRAME_INTERVAL, HF_NOWHERE, 4999999, 5000000);
	ctx.last_commit_ns = NOW + 7;
	refused(HF_LIM_FRAME_INTERVAL, HF_NOWHERE, 0, 5000000);
	ctx.last_commit_ns = NOW - 5000000;
	admitted();
}

Test(admit, instantaneous_power)
{
	env.limit[HF_LIM_POWER_INST] = 12800000;
	build();
	all(65535);
	admitted();
	env.limit[HF_LIM_POWER_INST]--;
	build();
	refused(HF_LIM_POWER_INST, HF_NOWHERE, 12800000, 12799999);

	env.limit[HF_LIM_POWER_INST] = 6400000;
	build();
	req.attenuate = true;
	cr_assert_eq(judge(), HF_ATTENUATE);
	cr_assert_eq(res.reason.limit, HF_LIM_POWER_INST);
	cr_assert(out.power_uw <= 6400000 && out.power_uw > 6200000, "%lu", out.power_uw);

	env.limit[HF_LIM_POWER_INST] = 64 * 41000;	/* being on costs that much, however faintly */
	build();
	refused(HF_LIM_POWER_INST, HF_NOWHERE, 12800000, 64 * 41000);
}

static double toward(double y, double target, double dt, double tau)
{
	return target + (y - target) * exp(-dt / tau);
}

Test(admit, average_power)
{
	double then = toward(1e6, 12.8e6, 2, 10);

	env.limit[HF_LIM_HOLD] = 1999;
	env.limit[HF_LIM_POWER_AVG] = (s64)(then * 1.0001);
	model.power_avg_uw = 1000000;
	build();
	all(65535);
	admitted();
	env.limit[HF_LIM_POWER_AVG] = (s64)then;
	build();
	cr_assert_eq(judge(), HF_REJECT);
	cr_assert_eq(res.reason.limit, HF_LIM_POWER_AVG);
	cr_assert(res.reason.measured >= (s64)then && res.reason.measured < (s64)(then * 1.0001));
	req.attenuate = true;
	env.limit[HF_LIM_POWER_AVG] = 2000000;
	build();
	cr_assert_eq(judge(), HF_ATTENUATE);
	cr_assert_eq(res.reason.limit, HF_LIM_POWER_AVG);
	cr_assert(toward(1e6, (double)out.power_uw, 2, 10) <= 2e6);
	cr_assert(toward(1e6, (double)out.power_uw, 2, 10) >= 1.95e6);

	env.limit[HF_LIM_POWER_AVG] = 999999;	/* above it already: it does not help that it would fall */
	build();
	all(0);
	amp[9] = 257;
	refused(HF_LIM_POWER_AVG, HF_NOWHERE, 1000000, 999999);
}

Test(admit, heat_of_a_channel)
{
	/* 200 mW, 150 K/W: 30 K in the end */
	double then = toward(10e6, 30e6, 5, 60);

	env.limit[HF_LIM_HOLD] = 4999;
	env.limit[HF_LIM_CHAN_RISE] = (s64)ceil(then / 1000) + 1;
	model.chan_rise_q16[17] = 10000000LL * HF_Q16_ONE;
	model.hottest = 17;
	build();
	all(65535);
	admitted();
	env.limit[HF_LIM_CHAN_RISE] = (s64)floor(then / 1000);
	build();
	refused(HF_LIM_CHAN_RISE, 17, (s64)floor(then / 1000) + 1, (s64)floor(then / 1000));
	amp[17] = 0;	/* only the one that is hot counts */
	admitted();
	amp[17] = 65535;
	req.attenuate = true;
	cr_assert_eq(judge(), HF_ATTENUATE);
	cr_assert_eq(out.level[17], 254);

	model.chan_rise_q16[18] = (env.limit[HF_LIM_CHAN_RISE] + 1) * 1000 * HF_Q16_ONE;
	model.hottest = 18;
	cr_assert_eq(judge(), HF_REJECT);	/* too hot already: no amplitude is low enough */
	cr_assert_eq(res.reason.limit, HF_LIM_CHAN_RISE);
	cr_assert_eq(res.reason.where, 18);
	amp[18] = 0;
	cr_assert_eq(judge(), HF_ATTENUATE);
}

/* Heat that channels have gained since they were looked at counts as if they had been. */
Test(admit, heat_since_the_channels_were_looked_at)
{
	static struct hf_model eager;
	struct hf_result want;
	u32 i, k, seen[HF_REJECT + 1] = {};

	env.limit[HF_LIM_HOLD] = 500;
	all(65535);
	for (i = 0; i < 64; i++) {
		model.chan_rise_q16[i] = (s64)(i * 400000) * HF_Q16_ONE;
		model.chan_power_uw[i] = (i % 2 ? i : 63 - i) * 3000;
	}
	model.hottest = 63;
	model.chan_power_top_uw = 63 * 3000;
	model.chan_ns = NOW - 20 * HF_NSEC_PER_SEC;
	eager = model;
	/* the clock stands: only the channels are behind */
	hf_model_advance(&eager, &np, NOW);
	cr_assert_eq(eager.chan_ns, NOW);
	for (k = 0; k < 300; k++) {
		env.limit[HF_LIM_CHAN_RISE] = 26000 + k;	/* the hottest: 26.1 K */
		req.attenuate = k % 2;
		build();
		ctx.model = &eager;
		judge();
		want = res;
		ctx.model = &model;
		judge();
		cr_assert_eq(res.verdict, want.verdict, "CHAN_RISE %ld",
			     env.limit[HF_LIM_CHAN_RISE]);
		cr_assert_eq(res.scale_q16, want.scale_q16);
		cr_assert_eq(res.reason.where, want.reason.where);
		cr_assert_eq(res.reason.measured, want.reason.measured);
		seen[res.verdict]++;
	}
	cr_assert(seen[HF_ADMIT] && seen[HF_ATTENUATE] && seen[HF_REJECT], "%u %u %u", seen[0],
		  seen[1], seen[2]);
}

Test(admit, heat_of_the_array)
{
	/* 12.8 W, 0.6 K/W: 7.68 K in the end */
	double then = toward(0, 7.68e6, 60, 300);

	env.limit[HF_LIM_HOLD] = 59999;
	env.limit[HF_LIM_ARRAY_RISE] = (s64)ceil(then / 1000) + 1;
	build();
	all(65535);
	admitted();
	env.limit[HF_LIM_ARRAY_RISE] = (s64)floor(then / 1000);
	build();
	refused(HF_LIM_ARRAY_RISE, HF_NOWHERE, (s64)floor(then / 1000) + 1, (s64)floor(then / 1000));
	env.limit[HF_LIM_HOLD] = 59000;	/* held for less long, it is cooler */
	build();
	admitted();
	env.limit[HF_LIM_TICK_LATE] = 1001;	/* unless the tick that ends it may be late */
	build();
	cr_assert_eq(judge(), HF_REJECT);
}

Test(admit, rest_and_duty)
{
	env.limit[HF_LIM_EMIT_REST] = 10000;
	env.limit[HF_LIM_EMIT_DUTY] = 500000;
	build();
	all(65535);
	model.rest_until_ns = NOW + 2500 * MSEC;
	refused(HF_LIM_EMIT_REST, HF_NOWHERE, 7500, 10000);
	model.rest_until_ns = NOW + 1;
	refused(HF_LIM_EMIT_REST, HF_NOWHERE, 9999, 10000);
	model.rest_until_ns = NOW;
	admitted();
	model.duty_ppb = 500000000;
	admitted();
	model.duty_ppb++;
	refused(HF_LIM_EMIT_DUTY, HF_NOWHERE, 500001, 500000);
}

/* While a mean is too high: no sound, however faint or attenuated, but silence. */
Test(admit, surface_mean)
{
	env.limit[HF_LIM_SURFACE_MEAN] = 2000;
	build();
	all(65535);
	ctx.surface = (struct hf_surface_state){ .points = 9, .worst = 4,
						 .worst_q8 = 2000ULL * 2000 << 8 };
	admitted();
	ctx.surface.worst_q8++;
	refused(HF_LIM_SURFACE_MEAN, 4, 2001, 2000);
	req.attenuate = true;
	refused(HF_LIM_SURFACE_MEAN, 4, 2001, 2000);
	ctx.surface.worst_q8 = 1900ULL * 1900 << 8;
	ctx.surface.until_q8 = 1800ULL * 1800 << 8;
	refused(HF_LIM_SURFACE_MEAN, 4, 1900, 1800);
	all(0);
	admitted();
	all(300);
	refused(HF_LIM_SURFACE_MEAN, 4, 1900, 1800);
	ctx.surface.until_q8 = 0;
	admitted();
}

static void focus_on(s32 x, s32 y, s32 z)
{
	struct rng r = rng_seeded(1);

	ref_point_init(&ref, &np, x, y, z);
	frame_make(FRAME_FOCUS, &r, &np, &ref, phase, amp);
}

/* True pressure at ref of what out would emit, mPa. */
static double emitted(void)
{
	return ref_mpa(&ref, &np, out.phase, out.amp_q16);
}

Test(admit, fence)
{
	double full;

	fence(-50000, 0, 100000, 4000000000U);
	fence(0, 0, 150000, 4000000000U);
	build();
	focus_on(0, 0, 150000);
	admitted();
	full = emitted();
	cr_assert(out.point_mpa[1] >= full && out.point_mpa[1] < full * 1.02 + 3);

	env.fence[1].limit_mpa = (u32)(full * 1.0005);
	build();
	admitted();
	env.fence[1].limit_mpa = (u32)full;
	build();
	cr_assert_eq(judge(), HF_REJECT);
	cr_assert_eq(res.reason.limit, HF_LIM_FENCE_PRESSURE);
	cr_assert_eq(res.reason.where, 1);
	cr_assert(res.reason.measured >= full && res.reason.measured < full * 1.0005);
	cr_assert_eq(res.reason.bound, (u32)full);

	/* the common limit where that is tighter */
	env.fence[1].limit_mpa = 4000000000U;
	env.limit[HF_LIM_FENCE_PRESSURE] = 200000;
	build();
	cr_assert_eq(judge(), HF_REJECT);
	cr_assert_eq(res.reason.bound, 200000);

	req.attenuate = true;
	cr_assert_eq(judge(), HF_ATTENUATE);
	cr_assert_eq(res.reason.limit, HF_LIM_FENCE_PRESSURE);
	cr_assert_eq(res.reason.where, 1);
	cr_assert(emitted() <= 200000 && emitted() > 190000, "%f", emitted());
	cr_assert(out.point_mpa[1] >= emitted() && out.point_mpa[1] <= 200000);
}

/* A null at the fence point passes by the exact sum though the coherent one is far above. */
Test(admit, fence_in_a_null)
{
	struct rng r = rng_seeded(2);

	np.phase_levels = 4096;
	fence(0, 0, 150000, 4000);
	build();
	ref_point_init(&ref, &np, 0, 0, 150000);
	frame_make(FRAME_TWIN, &r, &np, &ref, phase, amp);
	admitted();
	cr_assert(ref_sum_mpa(&ref, &np, out.amp_q16) > 1000000);
	np.field_tol_q16 = 655;	/* 1 % of the coherent sum is more than the limit */
	build();
	cr_assert_eq(judge(), HF_REJECT);
}

/* Rounding to few levels spoils the null that attenuation starts from: it still ends, and ends safe. */
Test(admit, attenuation_with_few_levels)
{
	struct rng r = rng_seeded(3);
	u32 i, k, done = 0;

	np.amp_levels = 5;
	np.phase_levels = 10;
	req.attenuate = true;
	for (k = 0; k < 500; k++) {
		env.nfence = 0;
		fence((s32)rng_range(&r, -50000, 50000), 0, 150000, (u32)rng_range(&r, 20000, 400000));
		build();
		ref_point_init(&ref, &np, env.fence[0].x_um, 0, 150000);
		frame_make(FRAME_TWIN, &r, &np, &ref, phase, amp);
		for (i = 0; i < 64; i++)
			amp[i] = (u16)rng_range(&r, 20000, 65535);
		if (judge() == HF_REJECT)
			continue;
		cr_assert(emitted() <= env.fence[0].limit_mpa);
		done++;
	}
	cr_assert(done > 400, "%u", done);
}

Test(admit, dose)
{
	struct hf_envelope site = env;
	double pa2s;

	np.p0_safety_upam = 8000000;
	fence(0, 0, 150000, 4000000000U);
	env.limit[HF_LIM_HOLD] = 2999;
	model.points = 1;
	focus_on(0, 0, 150000);
	build();
	admitted();
	pa2s = emitted() * emitted() / 2e6 * 3;

	env.limit[HF_LIM_DOSE] = (s64)(pa2s * 1.001);
	build();
	admitted();
	env.limit[HF_LIM_DOSE] = (s64)pa2s;
	build();
	cr_assert_eq(judge(), HF_REJECT);
	cr_assert_eq(res.reason.limit, HF_LIM_DOSE);
	cr_assert_eq(res.reason.where, 0);
	cr_assert(res.reason.measured >= pa2s && res.reason.measured < pa2s * 1.001);

	/* what is past counts */
	env.limit[HF_LIM_DOSE] = (s64)(pa2s * 1.001) + 500;
	build();
	model.dose_q16[0][0] = 500 * 65536;
	admitted();
	model.dose_q16[0][0] = 510 * 65536 + (u64)(pa2s * 0.001 * 65536);
	cr_assert_eq(judge(), HF_REJECT);
	req.attenuate = true;
	cr_assert_eq(judge(), HF_ATTENUATE);
	model.dose_q16[0][0] = U64_MAX;
	cr_assert_eq(judge(), HF_REJECT);
	all(257);
	cr_assert_eq(judge(), HF_REJECT);

	/* a place that is not the site's has no dose */
	hf_rules_build(rules, &np, &lut, &env, &site);
	cr_assert_eq(rules->site_index[0], HF_NOWHERE);
	admitted();
}

Test(admit, box)
{
	static const u32 min[3] = { HF_LIM_BOX_MIN_X, HF_LIM_BOX_MIN_Y, HF_LIM_BOX_MIN_Z };
	static const u32 max[3] = { HF_LIM_BOX_MAX_X, HF_LIM_BOX_MAX_Y, HF_LIM_BOX_MAX_Z };
	u32 k;

	for (k = 0; k < 3; k++) {
		env.limit[min[k]] = 10000 * (k + 1);
		env.limit[max[k]] = 15000 * (k + 1);
	}
	build();
	all(65535);
	req.nfoci = 3;
	for (k = 0; k < 3; k++)
		req.foci[k] = (struct hf_focus){ 10000, 30000, 40000 };
	admitted();
	for (k = 0; k < 3; k++) {
		s32 *at = k == 0 ? &req.foci[2].x_um : k == 1 ? &req.foci[2].y_um : &req.foci[2].z_um;
		s32 old = *at;

		*at = 10000 * (s32)(k + 1) - 1;
		refused(min[k], 2, *at, 10000 * (s32)(k + 1));
		*at = 15000 * (s32)(k + 1) + 1;
		refused(max[k], 2, *at, 15000 * (s32)(k + 1));
		*at = S32_MIN;
		refused(min[k], 2, S32_MIN, 10000 * (s32)(k + 1));
		req.attenuate = true;
		refused(min[k], 2, S32_MIN, 10000 * (s32)(k + 1));
		req.attenuate = false;
		*at = old;
	}
	req.nfoci = 2;	/* what is not declared is not looked at */
	req.foci[2].x_um = S32_MAX;
	admitted();
	env.limit[HF_LIM_BOX_MAX_X] = 9999;	/* an empty box holds no focus */
	build();
	cr_assert_eq(judge(), HF_REJECT);
}

Test(admit, focal_pressure)
{
	double full;

	build();
	focus_on(10000, 0, 120000);
	req.nfoci = 2;
	req.foci[0] = (struct hf_focus){ -30000, 0, 100000 };
	req.foci[1] = (struct hf_focus){ 10000, 0, 120000 };
	admitted();
	full = emitted();
	env.limit[HF_LIM_FOCAL_PRESSURE] = (s64)(full * 1.0005);
	build();
	admitted();
	env.limit[HF_LIM_FOCAL_PRESSURE] = (s64)full;
	build();
	cr_assert_eq(judge(), HF_REJECT);
	cr_assert_eq(res.reason.limit, HF_LIM_FOCAL_PRESSURE);
	cr_assert_eq(res.reason.where, 1);
	cr_assert(res.reason.measured >= full && res.reason.measured < full * 1.0005);
	req.attenuate = true;
	cr_assert_eq(judge(), HF_ATTENUATE);
	cr_assert(emitted() <= full && emitted() > full * 0.98);
	env.limit[HF_LIM_FOCAL_PRESSURE] = 0;
	build();
	cr_assert_eq(judge(), HF_REJECT);
}

Test(admit, attenuation_has_an_end)
{
	fence(0, 0, 150000, 100000);
	np.amp_levels = 1;	/* cannot */
	build();
	focus_on(0, 0, 150000);
	req.attenuate = true;
	cr_assert_eq(judge(), HF_REJECT);
	cr_assert_eq(res.scale_q16, HF_Q16_ONE);

	np.amp_levels = 5;	/* nothing of it would be left */
	env.fence[0].limit_mpa = 1000;
	build();
	cr_assert_eq(judge(), HF_REJECT);
	cr_assert_eq(res.reason.limit, HF_LIM_FENCE_PRESSURE);
	cr_assert(res.reason.measured > 1000000);
	env.fence[0].limit_mpa = 0;
	build();
	cr_assert_eq(judge(), HF_REJECT);
}

Test(admit, recheck)
{
	struct hf_wire before;

	fence(0, 0, 150000, 4000000000U);
	build();
	focus_on(0, 0, 150000);
	req.nfoci = 1;
	req.foci[0] = (struct hf_focus){ 0, 0, 150000 };
	env.limit[HF_LIM_FRAME_INTERVAL] = hf_limits[HF_LIM_FRAME_INTERVAL].max;
	env.limit[HF_LIM_SLEW_PHASE] = 1;
	env.limit[HF_LIM_SLEW_AMP] = 1;
	admitted();
	before = out;
	ctx.last = &before;
	ctx.last_commit_ns = NOW;	/* neither interval nor slew count */
	build();
	cr_assert(hf_recheck(rules, &ctx, &out, &scratch, &res));
	cr_assert_eq(res.verdict, HF_ADMIT);

	fence(0, 0, 200000, 4000000000U);	/* the new point is told */
	build();
	cr_assert(hf_recheck(rules, &ctx, &out, &scratch, &res));
	cr_assert_eq(out.points, 2);
	ref_point_init(&ref, &np, 0, 0, 200000);
	cr_assert(out.point_mpa[1] >= emitted());

#define TIGHTER(id, value) do { \
		s64 old = env.limit[id]; \
		env.limit[id] = value; \
		build(); \
		cr_assert_not(hf_recheck(rules, &ctx, &out, &scratch, &res)); \
		cr_assert_eq(res.verdict, HF_REJECT); \
		cr_assert_eq(res.reason.limit, (u32)(id)); \
		env.limit[id] = old; \
		build(); \
	} while (0)

	TIGHTER(HF_LIM_AMP_CAP, 65000);
	TIGHTER(HF_LIM_FENCE_PRESSURE, 1000);
	TIGHTER(HF_LIM_FOCAL_PRESSURE, 1000);
	TIGHTER(HF_LIM_BOX_MAX_Z, 149999);
	TIGHTER(HF_LIM_POWER_INST, 1000);
	TIGHTER(HF_LIM_POWER_AVG, 1000);
	TIGHTER(HF_LIM_CHAN_RISE, 1);
	TIGHTER(HF_LIM_ARRAY_RISE, 1);
	model.points = 2;
	TIGHTER(HF_LIM_DOSE, 1);

	ctx.derate_q16 = 65000;
	cr_assert_not(hf_recheck(rules, &ctx, &out, &scratch, &res));
	ctx.derate_q16 = HF_Q16_ONE;
	env.mask[0] = ~(1ULL << 40);
	build();
	cr_assert_not(hf_recheck(rules, &ctx, &out, &scratch, &res));
	cr_assert_eq(res.reason.limit, HF_LIM_NONE);
	cr_assert_eq(res.reason.where, 40);
	env.mask[0] = U64_MAX;
	build();
	cr_assert(hf_recheck(rules, &ctx, &out, &scratch, &res));

	all(0);
	admitted();
	env.mask[0] = 0;
	ctx.derate_q16 = 0;
	build();
	cr_assert(hf_recheck(rules, &ctx, &out, &scratch, &res));
}

Test(admit, rules_know_the_site)
{
	static struct hf_envelope site;

	hf_envelope_loosest(&site);
	site.nfence = 2;
	site.fence[0] = (struct hf_fence_point){ 1, 2, 3, 5 };
	site.fence[1] = (struct hf_fence_point){ 1, 2, 4, 5 };
	fence(1, 2, 4, 9);
	fence(2, 2, 4, 9);
	fence(1, 2, 3, 9);
	build();
	hf_rules_build(rules, &np, &lut, &env, &site);
	cr_assert_eq(rules->points, 3);
	cr_assert_eq(rules->site_index[0], 1);
	cr_assert_eq(rules->site_index[1], HF_NOWHERE);
	cr_assert_eq(rules->site_index[2], 0);
	cr_assert_eq(rules->site_index[3], HF_NOWHERE);
	hf_rules_build(rules, &np, &lut, &env, NULL);
	cr_assert_eq(rules->site_index[0], HF_NOWHERE);
	cr_assert_eq(rules->lo.x_um, -36750);
	cr_assert_eq(rules->hi.y_um, 36750);
}

Test(admit, self_test)
{
	rules = malloc(HF_SELF_TEST_ROOM);
	cr_assert_eq(hf_rules_self_test(&scratch, rules, &np, &lut, &out, &hf_dot_scalar), 0);
	/* twice: it leaves nothing behind that it depends on */
	cr_assert_eq(hf_rules_self_test(&scratch, rules, &np, &lut, &out, &hf_dot_scalar), 0);
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		cr_assert_eq(hf_rules_self_test(&scratch, rules, &np, &lut, &out, &hf_dot_avx2),
			     0);
#endif
}
