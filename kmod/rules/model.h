/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the array has been doing: modelled power, heat, dose and emission time,
 * advanced by whoever knows the time. First-order models that err on the hot
 * side. Belongs to the array, never to a session: closing a file resets nothing.
 */
#ifndef HF_MODEL_H
#define HF_MODEL_H

#include "nameplate.h"

#define HF_DOSE_BUCKETS	25	/* 24 whole hours and the present one: never less than 24 h */
#define HF_DOSE_BUCKET_NS 3600000000000ULL
#define HF_EMIT_DUTY_TAU_MS 60000
#define HF_EMIT_DUTY_REST_MS (HF_EMIT_DUTY_TAU_MS / 16)	/* rest when EMIT_DUTY is used up */

/*
 * Share of the way to its target that a first-order value goes in one step,
 * 1 - exp(-dt/tau), Q32: @rise is never below, @fall never above the true one.
 */
struct hf_lag {
	u64 rise;
	u64 fall;
};

/* Any @dt_ns; @tau_ns up to HF_TAU_MAX_MS, 0 = at once. Divides: once per step, not per channel. */
struct hf_lag hf_lag_of(u64 dt_ns, u64 tau_ns);

/*
 * One first-order step: moves @y towards @target as 1 - exp(-dt/tau), any values less than
 * 2^63 apart, rounded so that the result is never below the exact exponential, rising or falling.
 * Units of y and target are the caller's.
 */
static inline s64 hf_lag_step(struct hf_lag l, s64 y, s64 target)
{
	s64 d = target - y;
	u64 share = d < 0 ? l.fall : l.rise;	/* no branch: which one is as good as chance */

	return y + (s64)(((__int128)d * (s64)share + U32_MAX) >> 32);
}

/* Electrical power of one channel, uW, rounded up; fits u32 (hf_nameplate_check). */
static inline u32 hf_chan_power_uw(const struct hf_nameplate *np, u16 amp_q16)
{
	const u64 full = (u64)HF_AMP_FULL * HF_AMP_FULL;

	if (!amp_q16)
		return 0;
	/* The product is below 2^32 * 10^7. */
	return (u32)(np->p_drive_uw +
		     ((u64)amp_q16 * amp_q16 * np->p_acoustic_uw + full - 1) / full);
}

/*
 * Channels' heat stands at @chan_ns <= @now_ns: since then each has had the power that it
 * has. hf_model_hottest_uk() and hf_model_chan_uk() say what it is now.
 */
struct hf_model {
	u64 now_ns;
	u64 chan_ns;
	bool emitting;
	u64 off_since_ns;	/* while not emitting: start of the pause */
	u64 emit_run_ns;	/* time emitting since the last pause of at least EMIT_REST */
	u64 emit_total_ns;
	u64 rest_until_ns;	/* EMIT_MAX or EMIT_DUTY was used up: no frame before this */
	/* EMIT_MAX, EMIT_REST and EMIT_DUTY of the envelope that the output was admitted under */
	u64 run_max_ns;
	u64 run_rest_ns;
	s64 run_duty_ppb;
	s64 power_uw;		/* of the output now */
	s64 power_avg_uw;	/* first order, tau_power_ms */
	s64 array_rise_uk;
	s64 duty_ppb;		/* first order share of time emitting, 1e9 = always */
	/* By how many 1/65536 of its unit the value above is rounded up; private to model.c */
	u16 power_avg_frac;
	u16 array_rise_frac;
	u16 duty_frac;
	u32 channels;
	u32 hottest;		/* at chan_ns */
	u32 chan_power_top_uw;	/* the largest of the output now */
	u32 chan_power_uw[HF_MAX_CHANNELS];	/* of the output now */
	s64 chan_rise_q16[HF_MAX_CHANNELS];	/* at chan_ns, uK in Q16, rounded up */
	/* dose at site fence points */
	u32 points;
	u64 point_pa2[HF_MAX_FENCE];	/* mean square pressure of the output now, Pa^2, Q16 */
	u64 dose_q16[HF_MAX_FENCE][HF_DOSE_BUCKETS];	/* Pa^2 s, Q16, saturating */
	u32 dose_rem[HF_MAX_FENCE];	/* not yet in a bucket: 1e-9 of a unit of dose_q16 */
	u64 bucket_start_ns;
	u32 bucket;
};

void hf_model_init(struct hf_model *m, const struct hf_nameplate *np, u64 now_ns);

/*
 * Integrates the present output up to @now_ns (earlier times are ignored), any
 * length of step. O(channels).
 */
void hf_model_advance(struct hf_model *m, const struct hf_nameplate *np, u64 now_ns);

/* The same but for the channels' heat, which stays where it is. O(points). */
void hf_model_advance_lazily(struct hf_model *m, const struct hf_nameplate *np, u64 now_ns);

/*
 * Rise of the hottest channel at m->now_ns, uK, rounded up: exact if channels have been
 * advanced, else an upper bound: as if it had the power of the loudest.
 */
s64 hf_model_hottest_uk(const struct hf_model *m, const struct hf_nameplate *np);

/* How far channels have gone from chan_ns to now_ns, for hf_model_chan_uk(). */
struct hf_lag hf_model_chan_lag(const struct hf_model *m, const struct hf_nameplate *np);
/* Rise of channel @i at m->now_ns, uK, rounded up: as hf_model_advance() would leave it. */
s64 hf_model_chan_uk(const struct hf_model *m, const struct hf_nameplate *np, struct hf_lag l,
		     u32 i);

/*
 * What an admission looks at, as it is in @from: everything, the doses only if @dose (else
 * @to has no points).
 */
void hf_model_copy(struct hf_model *to, const struct hf_model *from, bool dose);

/*
 * The output, or the envelope it is under, changes at @now_ns: advances first.
 * @power_uw: hf_chan_power_uw() of each channel; NULL: off (then @env and @point_mpa are not
 * read). @point_mpa: upper bound of the peak pressure per site fence point, @points of
 * them (as told by hf_model_fence_changed).
 *
 * @env: envelope of the output. Its EMIT_REST tells whether the pause that ends
 * now was long enough to end the run of emission (a shorter one does not, so
 * blinking gains nothing). When emission ends with its EMIT_MAX or EMIT_DUTY
 * used up, rest_until_ns is set.
 */
void hf_model_output(struct hf_model *m, const struct hf_nameplate *np,
		     const struct hf_envelope *env, const u32 *power_uw,
		     const u32 *point_mpa, u32 points, u64 now_ns);

/*
 * Dose of site fence point @j within the last 24 h (to 25 h: whole buckets),
 * Pa^2 s, rounded up. U64_MAX: more than can be counted (2.8e14).
 */
u64 hf_model_dose(const struct hf_model *m, u32 j);

/*
 * The site fence changed: @map[j] is the old index of new point j, or
 * HF_NOWHERE for a new place (its dose starts at 0). While emitting the caller
 * then tells the pressures anew with hf_model_output().
 */
void hf_model_fence_changed(struct hf_model *m, const u32 *map, u32 points);

#endif /* HF_MODEL_H */
