// SPDX-License-Identifier: GPL-2.0
/*
 * What the governor decides at a tick, and what stands in the way of arming.
 * Pure: no action is taken here and nothing is remembered but in hf_burst.
 *
 * What is judged in which state, in this order (the first that holds decides):
 *
 *	check                   silent armed emitting tripped  when
 *	TRIP_GOVERNOR_LATE        -      x      x        -     tick > due + TICK_LATE
 *	TRIP_SENSOR_THREAD        -      x      x        -     round older than its deadline
 *	TRIP_SENSOR_THREAD        -      -      x        -     round of a surface ditto
 *	TRIP_SENSOR, emergency    x      x      x        x     (cuts power; once)
 *	TRIP_SENSOR, any other    -      x      x        -     any demand
 *	TRIP_KEEPER               -      x      x        -     none, or beat > KEEPER_DEADLINE
 *	TRIP_DOSE                 -      -      x        -     dose >= DOSE
 *	TRIP_POWER                -      -      x        -     average or present > its limit
 *	TRIP_THERMAL              -      -      x        -     a modelled rise > its limit
 *	REST, HOLD                -      -      x        -     frame held >= HOLD
 *	REST, EMIT_MAX            -      -      x        -     run of emission >= EMIT_MAX
 *	REST, EMIT_DUTY           -      -      x        -     share of time > EMIT_DUTY
 *	REST, SURFACE_MEAN        -      -      x        -     mean at a point > its limit
 *	REST, a quota             -      -      x        -     tenant's time or energy used up
 *	REST, no limit            -      -      x        -     lease ended
 *
 * Models are judged only while emitting: with outputs off they can only fall,
 * and hf_admit() and hf_blocked() keep emission from starting too early.
 */
#include "supervise.h"

/* Rounded up, for measured values of which more is worse. */
static s64 hf_ms_up(u64 ns)
{
	return (s64)(ns / HF_NSEC_PER_MSEC + (ns % HF_NSEC_PER_MSEC ? 1 : 0));
}

static s64 hf_mk_up(s64 uk)
{
	return (uk + 999) / 1000;
}

static void hf_decide(struct hf_decision *out, enum hf_action action, struct hf_reason reason,
		      u64 onset_ns)
{
	out->action = action;
	out->reason = reason;
	out->onset_ns = onset_ns;
}

/* Is the governor itself, or what feeds it, late? */
static bool hf_judge_governor(const struct hf_watch *w, const struct hf_envelope *env,
			      const struct hf_nameplate *np, u64 now_ns, struct hf_decision *out)
{
	u64 late = hf_since(now_ns, w->tick_due_ns), loop = hf_since(now_ns, w->sensor_loop_ns);
	struct hf_reason r;

	if (late > hf_limit_ns(env, HF_LIM_TICK_LATE)) {
		hf_decide(out, HF_ACT_TRIP_GOVERNOR_LATE,
			  hf_reason(HF_LIM_TICK_LATE, HF_NOWHERE, hf_ms_up(late),
				    env->limit[HF_LIM_TICK_LATE]),
			  w->tick_due_ns + hf_limit_ns(env, HF_LIM_TICK_LATE));
		return true;
	}
	/* Without sensors there is no such thread. */
	if (np->sensors && loop > w->sensor_loop_max_ns) {
		hf_decide(out, HF_ACT_TRIP_SENSOR_THREAD,
			  hf_reason(HF_LIM_NONE, HF_NOWHERE, hf_ms_up(loop),
				    hf_ms_up(w->sensor_loop_max_ns)),
			  w->sensor_loop_ns + w->sensor_loop_max_ns);
		return true;
	}
	if (w->state == HF_EMITTING && w->surface && hf_surface_late(w->surface, env, now_ns, &r)) {
		hf_decide(out, HF_ACT_TRIP_SENSOR_THREAD, r,
			  w->surface->round_ns + w->surface->round_max_ns);
		return true;
	}
	return false;
}

static bool hf_judge_keeper(const struct hf_watch *w, const struct hf_envelope *env, u64 now_ns,
			    struct hf_decision *out)
{
	u64 age = hf_since(now_ns, w->beat_ns), deadline = hf_limit_ns(env, HF_LIM_KEEPER_DEADLINE);

	if (w->beat_ns && age <= deadline)
		return false;
	hf_decide(out, HF_ACT_TRIP_KEEPER,
		  hf_reason(HF_LIM_KEEPER_DEADLINE, HF_NOWHERE, hf_ms_up(age),
			    env->limit[HF_LIM_KEEPER_DEADLINE]),
		  w->beat_ns ? w->beat_ns + deadline : now_ns);
	return true;
}

static bool hf_dose_used_up(const struct hf_envelope *env, const struct hf_model *m,
			    struct hf_reason *r)
{
	u32 j;

	for (j = 0; j < m->points; j++) {
		u64 dose = hf_model_dose(m, j);

		if (dose >= (u64)env->limit[HF_LIM_DOSE]) {
			*r = hf_reason(HF_LIM_DOSE, j, dose > S64_MAX ? S64_MAX : (s64)dose,
				       env->limit[HF_LIM_DOSE]);
			return true;
		}
	}
	return false;
}

/* The present output too, not only the average: an envelope may have been tightened since. */
static bool hf_power_over(const struct hf_envelope *env, const struct hf_model *m,
			  struct hf_reason *r)
{
	if (m->power_avg_uw > env->limit[HF_LIM_POWER_AVG]) {
		*r = hf_reason(HF_LIM_POWER_AVG, HF_NOWHERE, m->power_avg_uw,
			       env->limit[HF_LIM_POWER_AVG]);
		return true;
	}
	if (m->power_uw > env->limit[HF_LIM_POWER_INST]) {
		*r = hf_reason(HF_LIM_POWER_INST, HF_NOWHERE, m->power_uw,
			       env->limit[HF_LIM_POWER_INST]);
		return true;
	}
	return false;
}

static bool hf_heat_over(const struct hf_envelope *env, const struct hf_model *m,
			 const struct hf_nameplate *np, struct hf_reason *r)
{
	s64 chan = hf_model_hottest_uk(m, np);

	if (chan > env->limit[HF_LIM_CHAN_RISE] * 1000) {
		*r = hf_reason(HF_LIM_CHAN_RISE, m->hottest, hf_mk_up(chan),
			       env->limit[HF_LIM_CHAN_RISE]);
		return true;
	}
	if (m->array_rise_uk > env->limit[HF_LIM_ARRAY_RISE] * 1000) {
		*r = hf_reason(HF_LIM_ARRAY_RISE, HF_NOWHERE, hf_mk_up(m->array_rise_uk),
			       env->limit[HF_LIM_ARRAY_RISE]);
		return true;
	}
	return false;
}

/* The three models that can trip, or forbid to begin. */
static bool hf_model_over(const struct hf_envelope *env, const struct hf_model *m,
			  const struct hf_nameplate *np, enum hf_action *action,
			  struct hf_reason *r)
{
	if (hf_dose_used_up(env, m, r))
		*action = HF_ACT_TRIP_DOSE;
	else if (hf_power_over(env, m, r))
		*action = HF_ACT_TRIP_POWER;
	else if (hf_heat_over(env, m, np, r))
		*action = HF_ACT_TRIP_THERMAL;
	else
		return false;
	return true;
}

static void hf_judge_rest(const struct hf_watch *w, const struct hf_envelope *env,
			  const struct hf_model *m, u64 now_ns, struct hf_decision *out)
{
	u64 held = hf_since(now_ns, w->frame_ns), hold = hf_limit_ns(env, HF_LIM_HOLD);
	u64 max = hf_limit_ns(env, HF_LIM_EMIT_MAX);
	struct hf_reason spent, r;

	if (held >= hold)
		hf_decide(out, HF_ACT_REST,
			  hf_reason(HF_LIM_HOLD, HF_NOWHERE, hf_ms_up(held),
				    env->limit[HF_LIM_HOLD]),
			  w->frame_ns + hold);
	else if (m->emit_run_ns >= max)
		hf_decide(out, HF_ACT_REST,
			  hf_reason(HF_LIM_EMIT_MAX, HF_NOWHERE, hf_ms_up(m->emit_run_ns),
				    env->limit[HF_LIM_EMIT_MAX]),
			  now_ns - (m->emit_run_ns - max));
	else if (m->duty_ppb > env->limit[HF_LIM_EMIT_DUTY] * 1000)
		hf_decide(out, HF_ACT_REST,
			  hf_reason(HF_LIM_EMIT_DUTY, HF_NOWHERE, (m->duty_ppb + 999) / 1000,
				    env->limit[HF_LIM_EMIT_DUTY]),
			  now_ns);
	else if (w->surface && hf_surface_over(w->surface, env, &r))
		hf_decide(out, HF_ACT_REST, r, now_ns);
	else if (w->quota && hf_quota_spent(w->quota, HF_QUOTA_HELD, &spent))
		hf_decide(out, HF_ACT_REST, spent, now_ns);
	else if (w->lease_expires_ns && now_ns >= w->lease_expires_ns)
		hf_decide(out, HF_ACT_REST, hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0),
			  w->lease_expires_ns);
}

void hf_supervise(const struct hf_watch *w, const struct hf_envelope *env, const struct hf_model *m,
		  const struct hf_nameplate *np, const struct hf_sensor_verdict *sv, u64 now_ns,
		  struct hf_decision *out)
{
	bool quiet_state = w->state == HF_SILENT || w->state == HF_TRIPPED;

	hf_decide(out, HF_ACT_NONE, hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0), now_ns);
	if (w->state == HF_TRIPPED && w->emergency)
		return;
	if (!quiet_state && hf_judge_governor(w, env, np, now_ns, out))
		return;
	if (sv->demand == HF_DEMAND_TEMP_EMERG || (!quiet_state && sv->demand != HF_DEMAND_NONE)) {
		hf_decide(out, HF_ACT_TRIP_SENSOR, sv->reason, sv->onset_ns);
		return;
	}
	if (quiet_state || hf_judge_keeper(w, env, now_ns, out))
		return;
	if (w->state != HF_EMITTING)
		return;
	if (hf_model_over(env, m, np, &out->action, &out->reason))
		return;
	hf_judge_rest(w, env, m, now_ns, out);
}

bool hf_blocked(const struct hf_envelope *env, const struct hf_model *m,
		const struct hf_nameplate *np, const struct hf_sensor_verdict *sv, u64 now_ns,
		enum hf_action *why, struct hf_reason *r)
{
	*why = HF_ACT_NONE;
	*r = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0);
	if (sv->demand != HF_DEMAND_NONE) {
		*why = HF_ACT_TRIP_SENSOR;
		*r = sv->reason;
		return true;
	}
	if (hf_model_over(env, m, np, why, r))
		return true;
	if (now_ns < m->rest_until_ns) {
		*why = HF_ACT_REST;
		*r = hf_reason(HF_LIM_EMIT_REST, HF_NOWHERE,
			       (s64)(hf_since(now_ns, m->off_since_ns) / HF_NSEC_PER_MSEC),
			       hf_ms_up(hf_since(m->rest_until_ns, m->off_since_ns)));
		return true;
	}
	return false;
}

/*
 * Two adjoining windows, each one REJECT_WINDOW long, cover any interval of that
 * length, so their sum misses no burst; together they are twice as long, so
 * what is spread further never adds up.
 */
u32 hf_burst_add(struct hf_burst *b, const struct hf_envelope *env, u64 now_ns)
{
	u64 window = hf_limit_ns(env, HF_LIM_REJECT_WINDOW);
	u64 age = hf_since(now_ns, b->start_ns);
	u32 n;

	if (age >= 2 * window) {
		b->prev = 0;
		b->count = 0;
		b->start_ns = now_ns;
	} else if (age >= window) {
		b->prev = b->count;
		b->count = 0;
		b->start_ns += window;
	}
	b->count++;
	/* Envelopes of one counter may differ in their windows: the longest holds. */
	if (b->until_ns < b->start_ns + 2 * window)
		b->until_ns = b->start_ns + 2 * window;
	n = b->count + b->prev;
	if (n < (u64)env->limit[HF_LIM_REJECT_BURST])
		return 0;
	b->count = 0;
	b->prev = 0;
	return n;
}

bool hf_burst_counts(const struct hf_burst *b, u64 now_ns)
{
	return (b->count || b->prev) && now_ns < b->until_ns;
}

/* @measured as a share of @bound, Q16; what is below zero is far away. */
static u64 hf_share_q16(s64 measured, s64 bound)
{
	u32 shift;

	if (measured <= 0)
		return bound <= 0 && measured >= bound ? U64_MAX : 0;
	if (bound <= 0)
		return U64_MAX;
	for (shift = 0; (u64)measured >> shift >= 1ULL << 47; shift++)
		;
	return ((u64)measured >> shift << 16) / (((u64)bound >> shift) + 1);
}

static void hf_nearer(struct hf_reason *best, struct hf_reason r)
{
	if (best->limit == HF_LIM_NONE ||
	    hf_share_q16(r.measured, r.bound) > hf_share_q16(best->measured, best->bound))
		*best = r;
}

struct hf_reason hf_nearest(const struct hf_envelope *env, const struct hf_envelope *site,
			    const struct hf_model *m, const struct hf_sensors *st,
			    const struct hf_nameplate *np, const u32 *site_fence_mpa,
			    u64 now_ns)
{
	const s64 *lim = env->limit;
	struct hf_reason best = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0);
	s64 bound;
	u64 dose;
	u32 i;

	hf_nearer(&best, hf_reason(HF_LIM_POWER_INST, HF_NOWHERE, m->power_uw,
				   lim[HF_LIM_POWER_INST]));
	hf_nearer(&best, hf_reason(HF_LIM_POWER_AVG, HF_NOWHERE, m->power_avg_uw,
				   lim[HF_LIM_POWER_AVG]));
	hf_nearer(&best, hf_reason(HF_LIM_CHAN_RISE, m->hottest,
				   hf_mk_up(hf_model_hottest_uk(m, np)), lim[HF_LIM_CHAN_RISE]));
	hf_nearer(&best, hf_reason(HF_LIM_ARRAY_RISE, HF_NOWHERE, hf_mk_up(m->array_rise_uk),
				   lim[HF_LIM_ARRAY_RISE]));
	hf_nearer(&best, hf_reason(HF_LIM_EMIT_MAX, HF_NOWHERE, hf_ms_up(m->emit_run_ns),
				   lim[HF_LIM_EMIT_MAX]));
	hf_nearer(&best, hf_reason(HF_LIM_EMIT_DUTY, HF_NOWHERE, (m->duty_ppb + 999) / 1000,
				   lim[HF_LIM_EMIT_DUTY]));
	for (i = 0; i < st->count; i++)
		if (np->sensor[i].kind == HF_SENSOR_TEMP &&
		    hf_sensor_state(&st->s[i], env, now_ns) == HF_SENSOR_OK)
			hf_nearer(&best, hf_reason(HF_LIM_TEMP_CRIT, i, st->s[i].value,
						   lim[HF_LIM_TEMP_CRIT]));
	for (i = 0; i < m->points; i++) {
		dose = hf_model_dose(m, i);
		hf_nearer(&best, hf_reason(HF_LIM_DOSE, i, dose > S64_MAX ? S64_MAX : (s64)dose,
					   lim[HF_LIM_DOSE]));
	}
	for (i = 0; i < site->nfence; i++) {
		bound = lim[HF_LIM_FENCE_PRESSURE];
		if (site->fence[i].limit_mpa < bound)
			bound = site->fence[i].limit_mpa;
		hf_nearer(&best, hf_reason(HF_LIM_FENCE_PRESSURE, i, site_fence_mpa[i], bound));
	}
	return best;
}
