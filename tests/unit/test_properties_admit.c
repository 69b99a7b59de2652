// SPDX-License-Identifier: GPL-2.0
/*
 * What must hold of every admission, tried on random arrays, envelopes, pasts
 * and frames. The judge of pressures is the floating-point model.
 */
#include "model_np.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SEED	0xad317
#define POINTS	3
#define NOW	(100000 * HF_NSEC_PER_SEC)

/* large, and each test has its own process */
static struct hf_nameplate np;
static struct hf_phase_lut lut;
static struct hf_envelope env, tight, loose;
static struct hf_model model;
static struct hf_scratch scratch;
static struct hf_wire out, again, last;
static struct ref_point ref[POINTS], focus;
static u16 phase[HF_MAX_CHANNELS], amp[HF_MAX_CHANNELS];
static struct hf_rules *rules, *other;
static struct hf_context ctx;
static struct hf_request req;
static struct hf_result res;

static const u32 phase_levels[] = { 2, 10, 32, 128, 256, 4096 };
static const u32 amp_levels[] = { 1, 2, 5, 64, 100, 255, 4096 };

#define PICK(r, a) ((a)[rng_below(r, sizeof(a) / sizeof((a)[0]))])

static struct hf_rules *rules_of(const struct hf_envelope *e)
{
	struct hf_rules *r = malloc(hf_rules_size(e->nfence, &np));
	static u64 id;

	hf_rules_build(r, &np, &lut, e, e);
	r->id = ++id;	/* so that frames that are alike are judged by what changed */
	return r;
}

static void random_array(struct rng *r, u32 side)
{
	u32 i;

	np_grid(&np, side, 10500);
	np.phase_levels = PICK(r, phase_levels);
	np.amp_levels = PICK(r, amp_levels);
	np.field_tol_q16 = rng_below(r, 4) ? 0 : (u32)rng_below(r, 3000);
	if (!rng_below(r, 4))
		for (i = 0; i < np.channels; i++) {
			np.cal[i].phase_offset = (u16)rng_next(r);
			np.cal[i].gain_q16 = (u16)rng_range(r, 30000, 65535);
		}
	hf_phase_lut_init(&lut, np.phase_levels);
}

/* A limit that is now and then at its loosest or tightest, else of any size. */
static s64 random_limit(struct rng *r, u32 id)
{
	s64 lo = hf_limits[id].min, hi = hf_limits[id].max;

	switch (rng_below(r, 6)) {
	case 0:
		return lo;
	case 1:
		return hi;
	case 2:
		return rng_range(r, lo, hi);
	default:	/* evenly over the orders of magnitude */
		return lo + (s64)exp2(rng_unit(r) * log2((double)(hi - lo)));
	}
}

static void random_fence(struct rng *r, struct hf_envelope *e)
{
	u32 j;

	e->nfence = POINTS;
	for (j = 0; j < POINTS; j++)
		e->fence[j] = (struct hf_fence_point){
			(s32)rng_range(r, -200000, 200000), (s32)rng_range(r, -200000, 200000),
			(s32)rng_range(r, 10000, 600000), (u32)exp2(4 + 22 * rng_unit(r)),
		};
	hf_envelope_canon(e);
	for (j = 0; j < e->nfence; j++)
		ref_point_init(&ref[j], &np, e->fence[j].x_um, e->fence[j].y_um, e->fence[j].z_um);
}

/* A frame that is after something at one of the fence points, as it happens. */
static void random_frame(struct rng *r)
{
	frame_make((enum frame_kind)rng_below(r, FRAME_KINDS), r, &np, &ref[rng_below(r, POINTS)],
		   phase, amp);
	if (!rng_below(r, 3)) {
		u32 cut = (u32)rng_below(r, 65536), i;

		for (i = 0; i < np.channels; i++)
			amp[i] = (u16)(amp[i] * cut / 65536);
	}
}

static void fresh(struct rng *r, bool attenuate)
{
	hf_model_init(&model, &np, NOW);
	model.points = POINTS;
	memset(&last, 0, sizeof(last));
	ctx = (struct hf_context){ .now_ns = NOW, .model = &model, .derate_q16 = HF_Q16_ONE };
	req = (struct hf_request){ .phase = phase, .amp = amp, .channels = np.channels };
	req.attenuate = attenuate && rng_below(r, 2);
}

/* As the model keeps it: which one is hottest. */
static void heat(u32 i, s64 rise_uk)
{
	model.chan_rise_q16[i] = rise_uk * HF_Q16_ONE;
	if (model.chan_rise_q16[i] > model.chan_rise_q16[model.hottest])
		model.hottest = i;
}

/* What channels have had since their heat was looked at, which the frame's judge has to add. */
static void driven_since(struct rng *r)
{
	u32 i;

	model.chan_ns = NOW - (u64)exp2(37 * rng_unit(r));
	for (i = 0; i < np.channels; i++) {
		u32 power = rng_below(r, 3) ? hf_chan_power_uw(&np, (u16)rng_next(r)) : 0;

		model.chan_power_uw[i] = power;
		if (power > model.chan_power_top_uw)
			model.chan_power_top_uw = power;
	}
}

/* uK */
static double rise_now(u32 i)
{
	double y = (double)model.chan_rise_q16[i] / HF_Q16_ONE;
	double to = (double)model.chan_power_uw[i] * np.rth_chan_mk_per_w / 1000;

	return to + (y - to) * exp(-(double)(NOW - model.chan_ns) / 1e6 / np.tau_chan_ms);
}

/* A past in which anything may be the case. */
static void random_past(struct rng *r)
{
	u32 i;

	if (rng_below(r, 2)) {
		last.channels = last.on = np.channels;
		for (i = 0; i < np.channels; i++) {
			last.level[i] = (u16)rng_below(r, np.amp_levels + 1);
			last.amp_q16[i] = (u16)((last.level[i] * 65535 + np.amp_levels - 1) / np.amp_levels);
			last.phase[i] = (u16)rng_below(r, np.phase_levels);
		}
		ctx.last = &last;
	}
	if (rng_below(r, 2))
		ctx.last_commit_ns = NOW - (u64)exp2(40 * rng_unit(r));
	if (!rng_below(r, 4))
		ctx.derate_q16 = (u32)rng_below(r, 65537);
	if (!rng_below(r, 4))
		for (i = 0; i < np.channels; i++)
			heat(i, (s64)exp2(30 * rng_unit(r)));
	if (!rng_below(r, 4))
		driven_since(r);
	if (!rng_below(r, 4))
		model.array_rise_uk = (s64)exp2(30 * rng_unit(r));
	if (!rng_below(r, 4))
		model.power_avg_uw = (s64)exp2(26 * rng_unit(r));
	if (!rng_below(r, 4))
		model.dose_q16[rng_below(r, POINTS)][0] = (u64)exp2(63 * rng_unit(r));
}

static void judge(void)
{
	memset(&out, 0xa5, sizeof(out));
	memset(&res, 0xa5, sizeof(res));
	hf_admit(rules, &ctx, &req, &scratch, &out, &res);
}

/* True of every wire frame that comes out, and not louder than was asked for. */
static void check_wire(u32 round)
{
	u32 i, on = 0;

	cr_assert_eq(out.channels, np.channels);
	for (i = 0; i < np.channels; i++) {
		bool allowed = env.mask[i / 64] >> (i % 64) & 1;
		double want = amp[i] * (double)np.cal[i].gain_q16 / 65535;

		cr_assert(out.phase[i] < np.phase_levels, "round %u", round);
		cr_assert(out.level[i] <= np.amp_levels, "round %u", round);
		cr_assert(out.amp_q16[i] <= want, "round %u channel %u: %u above %f", round, i,
			  out.amp_q16[i], want);
		cr_assert(out.amp_q16[i] >= out.level[i] * 65535.0 / np.amp_levels, "round %u", round);
		cr_assert(allowed || !out.level[i], "round %u: masked channel %u is on", round, i);
		cr_assert(out.amp_q16[i] <= env.limit[HF_LIM_AMP_CAP] * (double)ctx.derate_q16 / 65536,
			  "round %u", round);
		on += out.level[i] != 0;
	}
	cr_assert_eq(out.on, on);
	cr_assert(res.verdict == HF_ADMIT ? res.scale_q16 == HF_Q16_ONE : res.scale_q16 < HF_Q16_ONE);
	cr_assert(res.verdict == HF_ADMIT || (req.attenuate && out.on));
}

/* The model in floating point agrees that every limit of the output holds. */
static void check_safe(u32 round)
{
	double hold = (double)(env.limit[HF_LIM_HOLD] + env.limit[HF_LIM_TICK_LATE]) / 1000;
	double power = 0;
	u32 i, j;

	for (i = 0; i < np.channels; i++) {
		double a = out.amp_q16[i] / 65535.0;
		double p = out.amp_q16[i] ? (double)np.p_drive_uw + a * a * (double)np.p_acoustic_uw : 0;
		double rise = p * np.rth_chan_mk_per_w / 1000;
		double y = rise_now(i);

		power += p;
		if (out.amp_q16[i])
			cr_assert(rise + (y - rise) * exp(-hold * 1000 / np.tau_chan_ms) <=
				  (double)env.limit[HF_LIM_CHAN_RISE] * 1000 + 1, "round %u", round);
	}
	cr_assert(power <= (double)env.limit[HF_LIM_POWER_INST] + 1e-3, "round %u", round);
	if (out.on)
		cr_assert(power + ((double)model.power_avg_uw - power) *
			  exp(-hold * 1000 / np.tau_power_ms) <=
			  (double)env.limit[HF_LIM_POWER_AVG] + 1, "round %u", round);
	for (j = 0; j < env.nfence; j++) {
		double bound = fmin(env.fence[j].limit_mpa, (double)env.limit[HF_LIM_FENCE_PRESSURE]);
		double sum = ref_sum_mpa(&ref[j], &np, out.amp_q16);
		double mpa = ref_mpa(&ref[j], &np, out.phase, out.amp_q16);

		mpa = fmin(mpa + sum * np.field_tol_q16 / 65536, sum);
		cr_assert(mpa <= bound * (1 + 1e-12), "round %u point %u: %f mPa, limit %f", round, j, mpa,
			  bound);
		cr_assert(mpa <= out.point_mpa[j], "round %u point %u: %f mPa, told %u", round, j, mpa,
			  out.point_mpa[j]);
		if (out.on)
			cr_assert((double)model.dose_q16[j][0] / 65536 + mpa * mpa / 2e6 * hold <=
				  (double)env.limit[HF_LIM_DOSE] * (1 + 1e-9) + 1e-6, "round %u", round);
	}
	for (j = 0; j < req.nfoci && out.on; j++) {
		ref_point_init(&focus, &np, req.foci[j].x_um, req.foci[j].y_um, req.foci[j].z_um);
		cr_assert(ref_mpa(&focus, &np, out.phase, out.amp_q16) <=
			  (double)env.limit[HF_LIM_FOCAL_PRESSURE], "round %u focus %u", round, j);
	}
}

/* Fence only, so that the pressures decide: frames by the hundred thousand. */
static void pressures(u32 side, u32 arrays, u32 frames, u64 seed)
{
	struct rng r = rng_seeded(seed);
	u32 i, k, admitted = 0, attenuated = 0, rejected = 0;

	for (i = 0; i < arrays; i++) {
		random_array(&r, side);
		hf_envelope_loosest(&env);
		random_fence(&r, &env);
		if (!rng_below(&r, 3))
			env.limit[HF_LIM_DOSE] = (s64)exp2(30 * rng_unit(&r));
		free(rules);
		rules = rules_of(&env);
		for (k = 0; k < frames; k++) {
			fresh(&r, true);
			random_frame(&r);
			judge();
			admitted += res.verdict == HF_ADMIT;
			attenuated += res.verdict == HF_ATTENUATE;
			rejected += res.verdict == HF_REJECT;
			if (res.verdict == HF_REJECT)
				continue;
			check_wire(i * frames + k);
			check_safe(i * frames + k);
		}
	}
	free(rules);
	rules = NULL;
	printf("seed %lx: %u admitted, %u attenuated, %u rejected\n", seed, admitted, attenuated,
	       rejected);
	/* a test of one kind of verdict only would be no test */
	cr_assert(admitted > arrays * frames / 20 && attenuated > arrays * frames / 20 &&
		  rejected > arrays * frames / 20);
}

Test(properties_admit, pressures_64, .timeout = 240) { pressures(8, 2400, 100, SEED); }
Test(properties_admit, pressures_256, .timeout = 240) { pressures(16, 300, 100, SEED + 1); }
Test(properties_admit, pressures_1024, .timeout = 240) { pressures(32, 20, 50, SEED + 2); }

/* Every limit at once, anywhere in its range, and any past. */
Test(properties_admit, anything, .timeout = 240)
{
	struct rng r = rng_seeded(SEED + 3);
	u32 i, k, j, out_of = 0, quieter = 0;

	for (i = 0; i < 3000; i++) {
		random_array(&r, 8);
		hf_envelope_loosest(&env);
		for (j = 0; j < HF_LIM_COUNT; j++)
			if (!rng_below(&r, 6))
				env.limit[j] = random_limit(&r, j);
		if (!rng_below(&r, 4))
			env.mask[0] = rng_next(&r);
		random_fence(&r, &env);
		rules = rules_of(&env);
		for (k = 0; k < 10; k++) {
			fresh(&r, true);
			random_past(&r);
			random_frame(&r);
			req.nfoci = rng_below(&r, 4) ? 0 : (u32)rng_range(&r, 1, HF_MAX_FOCI);
			for (j = 0; j < req.nfoci; j++)
				req.foci[j] = (struct hf_focus){
					(s32)rng_range(&r, -50000, 50000), (s32)rng_range(&r, -50000, 50000),
					(s32)rng_range(&r, 0, 300000),
				};
			judge();
			if (res.verdict == HF_REJECT)
				continue;
			out_of++;
			quieter += res.verdict == HF_ATTENUATE;
			check_wire(i);
			check_safe(i);

			/* what comes out may be held, and comes out the same if asked for again */
			again = out;
			cr_assert(hf_recheck(rules, &ctx, &again, &scratch, &res), "round %u: limit %u",
				  i, res.reason.limit);
			cr_assert(!memcmp(again.point_mpa, out.point_mpa, sizeof(out.point_mpa)));

			/* silence is always possible */
			memset(amp, 0, sizeof(amp));
			judge();
			cr_assert_eq(res.verdict, HF_ADMIT);
			cr_assert_eq(out.on, 0);
		}
		free(rules);
	}
	printf("seed %x: %u admitted, %u of them attenuated\n", SEED + 3, out_of, quieter);
	cr_assert(out_of > 5000 && quieter > 500);
}

/*
 * What a tighter envelope admits, a looser one admits. HOLD and TICK_LATE are no
 * part of it: they are how far ahead heat and dose are judged, so longer ones
 * forbid more.
 */
Test(properties_admit, looser_admits_more, .timeout = 240)
{
	struct rng r = rng_seeded(SEED + 4);
	u32 i, k, j, tried = 0;

	for (i = 0; i < 2500; i++) {
		random_array(&r, 8);
		hf_envelope_loosest(&tight);
		for (j = 0; j < HF_LIM_COUNT; j++)
			if (!rng_below(&r, 6))
				tight.limit[j] = random_limit(&r, j);
		random_fence(&r, &tight);
		loose = tight;
		for (j = 0; j < HF_LIM_COUNT; j++)
			if (j != HF_LIM_HOLD && j != HF_LIM_TICK_LATE && rng_below(&r, 2)) {
				s64 v = random_limit(&r, j);
				bool more = hf_limits[j].sense == HF_CEIL ? v > loose.limit[j] :
									    v < loose.limit[j];

				if (more)
					loose.limit[j] = v;
			}
		for (j = 0; j < loose.nfence; j++)
			loose.fence[j].limit_mpa += (u32)rng_below(&r, 100000);
		loose.nfence -= (u32)rng_below(&r, 2);
		cr_assert(hf_envelope_le(&tight, &loose, NULL));
		rules = rules_of(&tight);
		other = rules_of(&loose);
		env = tight;
		for (k = 0; k < 10; k++) {
			fresh(&r, false);
			random_past(&r);
			random_frame(&r);
			judge();
			if (res.verdict == HF_REJECT)
				continue;
			tried++;
			hf_admit(other, &ctx, &req, &scratch, &again, &res);
			cr_assert_eq(res.verdict, HF_ADMIT, "round %u: limit %u, %ld, %ld", i,
				     res.reason.limit, res.reason.measured, res.reason.bound);
			cr_assert(!memcmp(again.amp_q16, out.amp_q16, np.channels * sizeof(u16)));
		}
		free(rules);
		free(other);
	}
	printf("seed %x: %u pairs\n", SEED + 4, tried);
	cr_assert(tried > 5000);
}

/* Limits at the ends of their ranges and past states that no array can have: no overflow (UBSan). */
Test(properties_admit, extremes, .timeout = 240)
{
	struct rng r = rng_seeded(SEED + 5);
	u32 i, j, k;

	for (i = 0; i < 2000; i++) {
		random_array(&r, 8);
		np.p_drive_uw = rng_below(&r, 2) ? 0 : HF_CHAN_POWER_MAX_UW;
		np.p_acoustic_uw = rng_below(&r, 2) ? 0 : HF_CHAN_POWER_MAX_UW;
		np.rth_chan_mk_per_w = rng_below(&r, 2) ? 0 : HF_RTH_CHAN_MAX;
		np.rth_array_mk_per_w = rng_below(&r, 2) ? 0 : HF_RTH_ARRAY_MAX;
		np.tau_chan_ms = rng_below(&r, 2) ? 1 : HF_TAU_MAX_MS;
		np.tau_array_ms = rng_below(&r, 2) ? 1 : HF_TAU_MAX_MS;
		np.p0_safety_upam = rng_below(&r, 2) ? 3400000 : HF_P0_MAX_UPAM;
		cr_assert_null(hf_nameplate_check(&np));
		for (j = 0; j < HF_LIM_COUNT; j++)
			env.limit[j] = rng_below(&r, 2) ? hf_limits[j].min : hf_limits[j].max;
		memset(env.mask, 0xff, sizeof(env.mask));
		random_fence(&r, &env);
		for (j = 0; j < POINTS; j++)
			env.fence[j].limit_mpa = rng_below(&r, 2) ? 0 : 4000000000U;
		rules = rules_of(&env);
		for (k = 0; k < 4; k++) {
			fresh(&r, true);
			random_past(&r);
			random_frame(&r);
			if (rng_below(&r, 2)) {
				model.power_avg_uw = S64_MAX / 2;
				model.array_rise_uk = 1LL << 50;
				heat(5, 1LL << 46);
				model.dose_q16[1][3] = U64_MAX;
				model.rest_until_ns = rng_below(&r, 2) ? U64_MAX : 0;
			}
			ctx.now_ns = rng_below(&r, 2) ? NOW : U64_MAX;
			req.nfoci = HF_MAX_FOCI;
			for (j = 0; j < HF_MAX_FOCI; j++)
				req.foci[j].x_um = rng_below(&r, 2) ? S32_MAX : S32_MIN;
			if (rng_below(&r, 2))
				req.nfoci = 0;
			judge();
			if (res.verdict != HF_REJECT)
				check_wire(i);
		}
		free(rules);
	}
}
