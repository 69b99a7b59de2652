// SPDX-License-Identifier: GPL-2.0
/*
 * The judge's part for what adds up over time: average power, modelled heat,
 * dose at fence points, emission and rest. Double precision, from the ledger's
 * times; docs/models.md has the formulas, no code is shared with kmod/rules.
 */
#include <math.h>

#include "adversary_judge.h"

#define JITTER_NS	(5 * SCENE_MS)
#define DOSE_SLACK	2e-3	/* of the dose: times of many short frames */

static double lag(double y, double target, double dt_ns, __u64 tau_ms)
{
	return target + (y - target) * exp(-dt_ns / ((double)tau_ms * 1e6));
}

/*
 * What the value may be above its limit: the governor's clock and the ledger's
 * stamps may differ by JITTER_NS about when a power set in.
 */
static double model_slack(const struct judge *j, double most, __u64 tau_ms)
{
	return most * ((double)JITTER_NS + (double)j->late_ns) / ((double)tau_ms * 1e6);
}

static double chan_target(const struct judge *j, __u16 level)
{
	double a = (double)level / j->p->amp_levels;

	return level ? (j->p->p_drive_uw + j->p->p_acoustic_uw * a * a) * 1e-6 *
		       (double)j->r->rth_chan : 0;
}

/* All first-order values up to @ns, with the emission at hand, or none. */
static void past_advance(struct judge *j, __u64 ns, const __u16 *level)
{
	struct past *m = &j->past;
	double power = level ? physics_power_uw(j->p, level) : 0;
	double dt = ns > m->now_ns ? (double)(ns - m->now_ns) : 0;
	double keep = exp(-dt / ((double)j->r->tau_chan_ms * 1e6));
	__u32 i;

	m->power_avg = lag(m->power_avg, power, dt, j->r->tau_power_ms);
	m->array_rise = lag(m->array_rise, power * 1e-6 * (double)j->r->rth_array, dt,
			    j->r->tau_array_ms);
	for (i = 0; i < j->r->channels; i++) {
		double target = level ? chan_target(j, level[i]) : 0;

		m->chan_rise[i] = target + (m->chan_rise[i] - target) * keep;
	}
	m->now_ns = ns;
}

static void judge_heat(struct judge *j)
{
	double chan = limit_now(j, HOLDFAST_LIM_CHAN_RISE);
	double avg = limit_now(j, HOLDFAST_LIM_POWER_AVG);
	double array = limit_now(j, HOLDFAST_LIM_ARRAY_RISE);
	double full = j->r->channels * (j->p->p_drive_uw + j->p->p_acoustic_uw);
	double rise = full * 1e-6 * (double)j->r->rth_array;
	const struct past *m = &j->past;
	__u32 i;

	if (m->power_avg > avg * (1 + EPS) + model_slack(j, full, j->r->tau_power_ms))
		outside(j, "power_avg", "%.0f uW, limit %.0f", m->power_avg, avg);
	if (m->array_rise > array * (1 + EPS) + model_slack(j, rise, j->r->tau_array_ms))
		outside(j, "array_rise", "%.1f mK, limit %.0f", m->array_rise, array);
	rise = chan_target(j, (__u16)j->p->amp_levels);
	for (i = 0; i < j->r->channels && !j->bad; i++)
		if (j->e->level[i] &&
		    m->chan_rise[i] > chan * (1 + EPS) + model_slack(j, rise, j->r->tau_chan_ms))
			outside(j, "chan_rise", "channel %u %.1f mK, limit %.0f", i,
				m->chan_rise[i], chan);
}

/* Fence points of the site from the return of the call that made them. */
static void watch(struct judge *j)
{
	const struct site *s;
	__u32 i;

	for (s = j->site + 1; s < j->site + j->sites && s->since < j->e->end_ns; s++)
		for (i = s[-1].nfence; i < s->nfence; i++)
			if (!j->past.watched_ns[s->fence[i].place])
				j->past.watched_ns[s->fence[i].place] = s->since;
}

/* @until: what the frame was admitted for; beyond that the dose counts and is not judged. */
static void judge_dose(struct judge *j, __u64 until)
{
	double limit = limit_now(j, HOLDFAST_LIM_DOSE);
	__u32 i;

	if (j->r->limit[HOLDFAST_LIM_DOSE] >= 1000000000000000LL)
		return;
	watch(j);
	for (i = 0; i < PLACES; i++) {
		__u64 from = j->past.watched_ns[i];
		double *dose = &j->past.dose[i], pa, past;

		if (!from || from >= j->e->end_ns)
			continue;
		from = from > j->e->begin_ns ? from : j->e->begin_ns;
		pa = physics_pressure(j->p, j->sh->gain[i], j->e->phase, j->e->level);
		past = *dose;
		*dose += pa * pa / 2 * (double)(j->e->end_ns - from) * 1e-9;
		if (until > from)
			past += pa * pa / 2 * (double)(until - from) * 1e-9;
		if (past > limit * (1 + DOSE_SLACK) && !j->bad)
			outside(j, "dose", "%.0f Pa^2 s at place %u, limit %.0f", past, i, limit);
	}
}

/* Emission without a real pause has an end, and then there is rest. */
static void judge_emission_time(struct judge *j)
{
	__u64 most = (__u64)limit_now(j, HOLDFAST_LIM_EMIT_MAX) * SCENE_MS;
	__u64 rest = (__u64)limit_now(j, HOLDFAST_LIM_EMIT_REST) * SCENE_MS;
	struct past *m = &j->past;
	__u64 pause = m->off_ns ? j->e->begin_ns - m->off_ns : UINT64_MAX;

	if (pause && m->run_ns > most + JITTER_NS && pause < rest)
		outside(j, "emit_rest", "emits %llu us after its end, %llu to rest",
			pause / 1000, rest / 1000);
	if (pause >= rest)
		m->run_ns = 0;
	m->run_ns += j->e->end_ns - j->e->begin_ns;
	m->off_ns = j->e->end_ns;
	if (m->run_ns > ticks_after(j, most) + JITTER_NS)
		outside(j, "emit_max", "%llu us of emission, allowed %llu",
			m->run_ns / 1000, most / 1000);
}

void judge_past(struct judge *j)
{
	__u64 until = j->e->begin_ns + (__u64)limit_now(j, HOLDFAST_LIM_HOLD) * SCENE_MS;

	/* what happens beyond HOLD is judged as such */
	if (until > j->e->end_ns)
		until = j->e->end_ns;
	past_advance(j, j->e->begin_ns, NULL);
	past_advance(j, until, j->e->level);
	judge_heat(j);
	past_advance(j, j->e->end_ns, j->e->level);
	judge_dose(j, until);
	if (j->r->theme == THEME_TIME)
		judge_emission_time(j);
}
