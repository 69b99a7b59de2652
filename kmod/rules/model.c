// SPDX-License-Identifier: GPL-2.0
/*
 * Modelled power, heat, dose and emission time of an array, integrated over
 * time that the caller gives. Everything errs to the side of more heat, more
 * dose and more emission. Never in here: a verdict, a limit but those of
 * emission time (a run of emission ends by EMIT_REST), a clock.
 *
 * Formulas, bounds and sources: docs/models.md.
 */
#include "model.h"
#include "sum.h"

#define HF_Q32_ONE 0x100000000ULL

/* floor(num * 2^32 / den), num <= den < 2^47 */
static u64 hf_div_q32(u64 num, u64 den)
{
	u64 hi = (num << 16) / den, rem = (num << 16) % den;

	return (hi << 16) + (rem << 16) / den;
}

/* a * b in Q32, both at most 1.0, rounded down */
static u64 hf_mul_q32(u64 a, u64 b)
{
	/* The only product that does not fit is 1.0 * 1.0. */
	return a == HF_Q32_ONE ? b : (a * b) >> 32;
}

/* as hf_mul_q32, rounded up */
static u64 hf_mul_q32_up(u64 a, u64 b)
{
	if (a == HF_Q32_ONE)
		return b;
	/* a < 2^32 and b <= 2^32: product + 2^32 - 1 is at most 2^64 - 1. */
	return (a * b + U32_MAX) >> 32;
}

struct hf_lag hf_lag_of(u64 dt_ns, u64 tau_ns)
{
	u64 x, hi, lo, step = dt_ns;
	u32 i, halvings = 0;

	/* exp(-32) is below half a unit of Q32. */
	if (dt_ns >> 5 >= tau_ns)
		return (struct hf_lag){ HF_Q32_ONE, tau_ns ? HF_Q32_ONE - 1 : HF_Q32_ONE };

	/* x = dt / tau / 2^halvings <= 1/64: at most 11 halvings, as dt < 32 tau. */
	while (step > tau_ns >> 6 && halvings < 11) {
		halvings++;
		step = dt_ns >> halvings;
	}

	/* Decay never below exp(-x): 1 - x + x^2/2 with x rounded down. */
	x = hf_div_q32(step, tau_ns);
	hi = HF_Q32_ONE - x + (hf_mul_q32_up(x, x) + 1) / 2;

	/* Decay never above exp(-x): 1 - x + x^2/2 - x^3/6 with x rounded up. */
	if (dt_ns & ((1ULL << halvings) - 1))
		step++;
	x = hf_div_q32(step, tau_ns) + 1;
	if (x > HF_Q32_ONE)
		x = HF_Q32_ONE;
	lo = hf_mul_q32(x, x);
	lo = HF_Q32_ONE - x + lo / 2 - (hf_mul_q32_up(hf_mul_q32_up(x, x), x) + 5) / 6;

	/* exp(-x) ^ (2 ^ halvings), each square rounded to its side. */
	for (i = 0; i < halvings; i++) {
		hi = hf_mul_q32_up(hi, hi);
		lo = hf_mul_q32(lo, lo);
	}
	return (struct hf_lag){ HF_Q32_ONE - lo, HF_Q32_ONE - hi };
}

/*
 * One step of a value kept as a unit rounded up and 1/65536 of it to take off.
 * The fraction keeps slow changes alive under short steps: with the unit alone
 * a value 60 s from its target could never move in steps of 1 ms.
 */
static inline void hf_lag_frac(struct hf_lag l, s64 *y, u16 *frac, s64 target_q16)
{
	s64 q = hf_lag_step(l, *y * HF_Q16_ONE - *frac, target_q16);

	*y = (q + HF_Q16_ONE - 1) >> 16;
	*frac = (u16)(0 - (u64)q);
}

/* uK in Q16 per uW, rounded up: 1 uW * 1 mK/W = 1 nK */
static u64 hf_rise_factor(u32 rth_mk_per_w)
{
	return ((u64)rth_mk_per_w * HF_Q16_ONE + 999) / 1000;
}

static u64 hf_tau_ns(u32 tau_ms)
{
	return tau_ms * (u64)HF_NSEC_PER_MSEC;
}

static void hf_dose_next_bucket(struct hf_model *m)
{
	u32 j, was = m->bucket;

	m->bucket_start_ns += HF_DOSE_BUCKET_NS;
	m->bucket = (was + 1) % HF_DOSE_BUCKETS;
	for (j = 0; j < m->points; j++) {
		/* What is left over counts as one unit, and expires with its hour. */
		m->dose_q16[j][was] = hf_add_sat(m->dose_q16[j][was], m->dose_rem[j] != 0);
		m->dose_rem[j] = 0;
		m->dose_q16[j][m->bucket] = 0;
	}
}

static void hf_dose_advance(struct hf_model *m, u64 now_ns)
{
	u64 from = m->now_ns, hours = (now_ns - m->bucket_start_ns) / HF_DOSE_BUCKET_NS;
	u32 j;

	/* What lies more than all buckets back is forgotten whatever it was: skip it. */
	if (hours > HF_DOSE_BUCKETS) {
		m->bucket_start_ns += (hours - HF_DOSE_BUCKETS) * HF_DOSE_BUCKET_NS;
		if (from < m->bucket_start_ns)
			from = m->bucket_start_ns;
	}
	while (from < now_ns) {
		u64 in = from - m->bucket_start_ns, dt = now_ns - from;

		if (in >= HF_DOSE_BUCKET_NS) {
			hf_dose_next_bucket(m);
			continue;
		}
		if (dt > HF_DOSE_BUCKET_NS - in)
			dt = HF_DOSE_BUCKET_NS - in;
		for (j = 0; j < m->points; j++)
			if (m->point_pa2[j])
				hf_sum_add(&m->dose_q16[j][m->bucket], &m->dose_rem[j],
					   m->point_pa2[j], dt);
		from += dt;
	}
}

void hf_model_init(struct hf_model *m, const struct hf_nameplate *np, u64 now_ns)
{
	memset(m, 0, sizeof(*m));
	m->channels = np->channels;
	m->now_ns = now_ns;
	m->chan_ns = now_ns;
	m->off_since_ns = now_ns;
	m->bucket_start_ns = now_ns;
}

/* Rise of channel @i, Q16, @l after chan_ns; @factor: hf_rise_factor() of the channels */
static inline s64 hf_chan_q16(const struct hf_model *m, struct hf_lag l, u64 factor, u32 i)
{
	return hf_lag_step(l, m->chan_rise_q16[i], (s64)(m->chan_power_uw[i] * factor));
}

static s64 hf_uk_up(s64 q16)
{
	return (q16 + HF_Q16_ONE - 1) >> 16;
}

struct hf_lag hf_model_chan_lag(const struct hf_model *m, const struct hf_nameplate *np)
{
	return hf_lag_of(m->now_ns - m->chan_ns, hf_tau_ns(np->tau_chan_ms));
}

s64 hf_model_chan_uk(const struct hf_model *m, const struct hf_nameplate *np, struct hf_lag l,
		     u32 i)
{
	if (m->now_ns == m->chan_ns)
		return hf_uk_up(m->chan_rise_q16[i]);
	return hf_uk_up(hf_chan_q16(m, l, hf_rise_factor(np->rth_chan_mk_per_w), i));
}

/* A step grows with where it begins and with its target: no channel has more of either. */
s64 hf_model_hottest_uk(const struct hf_model *m, const struct hf_nameplate *np)
{
	s64 y = m->chan_rise_q16[m->hottest];

	if (m->now_ns == m->chan_ns)
		return hf_uk_up(y);
	return hf_uk_up(hf_lag_step(hf_model_chan_lag(m, np), y,
				    (s64)(m->chan_power_top_uw *
					  hf_rise_factor(np->rth_chan_mk_per_w))));
}

static void hf_chan_advance(struct hf_model *m, const struct hf_nameplate *np)
{
	const u64 factor = hf_rise_factor(np->rth_chan_mk_per_w);
	struct hf_lag l;
	s64 top = -1;
	u32 i, at = 0;

	if (m->now_ns == m->chan_ns)
		return;
	l = hf_model_chan_lag(m, np);
	for (i = 0; i < m->channels; i++) {
		s64 q = hf_chan_q16(m, l, factor, i);

		m->chan_rise_q16[i] = q;
		at = q > top ? i : at;
		top = q > top ? q : top;
	}
	m->hottest = at;
	m->chan_ns = m->now_ns;
}

void hf_model_advance_lazily(struct hf_model *m, const struct hf_nameplate *np, u64 now_ns)
{
	struct hf_lag l;
	u64 dt;

	if (now_ns <= m->now_ns)
		return;
	dt = now_ns - m->now_ns;

	l = hf_lag_of(dt, hf_tau_ns(np->tau_array_ms));
	hf_lag_frac(l, &m->array_rise_uk, &m->array_rise_frac,
		    (s64)((u64)m->power_uw * hf_rise_factor(np->rth_array_mk_per_w)));
	l = hf_lag_of(dt, hf_tau_ns(np->tau_power_ms));
	hf_lag_frac(l, &m->power_avg_uw, &m->power_avg_frac, m->power_uw * HF_Q16_ONE);
	l = hf_lag_of(dt, hf_tau_ns(HF_EMIT_DUTY_TAU_MS));
	hf_lag_frac(l, &m->duty_ppb, &m->duty_frac,
		    m->emitting ? HF_NSEC_PER_SEC * HF_Q16_ONE : 0);

	hf_dose_advance(m, now_ns);
	if (m->emitting) {
		m->emit_run_ns += dt;
		m->emit_total_ns += dt;
	}
	m->now_ns = now_ns;
}

void hf_model_advance(struct hf_model *m, const struct hf_nameplate *np, u64 now_ns)
{
	hf_model_advance_lazily(m, np, now_ns);
	hf_chan_advance(m, np);
}

void hf_model_copy(struct hf_model *to, const struct hf_model *from, bool dose)
{
	memcpy(to, from, offsetof(struct hf_model, chan_power_uw));
	memcpy(to->chan_power_uw, from->chan_power_uw,
	       from->channels * sizeof(from->chan_power_uw[0]));
	memcpy(to->chan_rise_q16, from->chan_rise_q16,
	       from->channels * sizeof(from->chan_rise_q16[0]));
	to->points = dose ? from->points : 0;
	memcpy(to->dose_q16, from->dose_q16, to->points * sizeof(from->dose_q16[0]));
	memcpy(to->dose_rem, from->dose_rem, to->points * sizeof(from->dose_rem[0]));
}

/*
 * Mean square of a peak pressure: p^2 / 2, Pa^2 in Q16, rounded up.
 * 65536 / 2 / 10^6 = 512 / 15625.
 */
static u64 hf_pa2_q16(u32 mpa)
{
	u64 sq = (u64)mpa * mpa;

	return sq / 15625 * 512 + (sq % 15625 * 512 + 15624) / 15625;
}

/* Is there anything to rest from? By the rules that the output was under. */
static void hf_emission_ends(struct hf_model *m)
{
	u64 rest_ns = 0;

	m->off_since_ns = m->now_ns;
	if (m->emit_run_ns >= m->run_max_ns)
		rest_ns = m->run_rest_ns;
	if (m->duty_ppb > m->run_duty_ppb && rest_ns < hf_tau_ns(HF_EMIT_DUTY_REST_MS))
		rest_ns = hf_tau_ns(HF_EMIT_DUTY_REST_MS);
	if (rest_ns && m->rest_until_ns < m->now_ns + rest_ns)
		m->rest_until_ns = m->now_ns + rest_ns;
}

static void hf_emission_goes_on(struct hf_model *m, const struct hf_envelope *env)
{
	m->run_max_ns = hf_limit_ns(env, HF_LIM_EMIT_MAX);
	m->run_rest_ns = hf_limit_ns(env, HF_LIM_EMIT_REST);
	m->run_duty_ppb = env->limit[HF_LIM_EMIT_DUTY] * 1000;
	if (!m->emitting && m->now_ns - m->off_since_ns >= m->run_rest_ns)
		m->emit_run_ns = 0;
}

void hf_model_output(struct hf_model *m, const struct hf_nameplate *np,
		     const struct hf_envelope *env, const u32 *power_uw,
		     const u32 *point_mpa, u32 points, u64 now_ns)
{
	size_t size = m->channels * sizeof(m->chan_power_uw[0]);
	bool on = power_uw;
	u64 sum = 0;
	u32 top = 0, i;

	hf_model_advance(m, np, now_ns);
	if (on)
		memcpy(m->chan_power_uw, power_uw, size);
	else
		memset(m->chan_power_uw, 0, size);
	for (i = 0; i < m->channels; i++) {
		sum += m->chan_power_uw[i];
		top = m->chan_power_uw[i] > top ? m->chan_power_uw[i] : top;
	}
	m->power_uw = (s64)sum;
	m->chan_power_top_uw = top;
	for (i = 0; i < m->points; i++)
		m->point_pa2[i] = on && i < points ? hf_pa2_q16(point_mpa[i]) : 0;

	if (on)
		hf_emission_goes_on(m, env);
	else if (m->emitting)
		hf_emission_ends(m);
	m->emitting = on;
}

u64 hf_model_dose(const struct hf_model *m, u32 j)
{
	u64 sum = m->dose_rem[j] ? 1 : 0;
	u32 b;

	for (b = 0; b < HF_DOSE_BUCKETS; b++)
		sum = hf_add_sat(sum, m->dose_q16[j][b]);
	if (sum == U64_MAX)
		return U64_MAX;
	return sum / HF_Q16_ONE + (sum % HF_Q16_ONE ? 1 : 0);
}

/* Old index of new point @j, HF_NOWHERE if it has none. */
static u32 hf_moved_from(const u32 *map, u32 j, u32 old_points)
{
	return map[j] < old_points ? map[j] : HF_NOWHERE;
}

void hf_model_fence_changed(struct hf_model *m, const u32 *map, u32 points)
{
	/* One column at a time, so that any map works in place with a small stack. */
	u64 col[HF_MAX_FENCE];
	u32 j, b, from, old = m->points;

	if (points > HF_MAX_FENCE)
		points = HF_MAX_FENCE;
	for (b = 0; b < HF_DOSE_BUCKETS; b++) {
		for (j = 0; j < points; j++) {
			from = hf_moved_from(map, j, old);
			col[j] = from == HF_NOWHERE ? 0 : m->dose_q16[from][b];
		}
		for (j = 0; j < points; j++)
			m->dose_q16[j][b] = col[j];
	}
	for (j = 0; j < points; j++) {
		from = hf_moved_from(map, j, old);
		col[j] = from == HF_NOWHERE ? 0 : m->point_pa2[from];
	}
	for (j = 0; j < points; j++)
		m->point_pa2[j] = col[j];
	for (j = 0; j < points; j++) {
		from = hf_moved_from(map, j, old);
		col[j] = from == HF_NOWHERE ? 0 : m->dose_rem[from];
	}
	for (j = 0; j < points; j++)
		m->dose_rem[j] = (u32)col[j];
	m->points = points;
}
