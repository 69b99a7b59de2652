// SPDX-License-Identifier: GPL-2.0
/*
 * Judges sensor readings: first whether one can be believed, then what the
 * believed ones ask for. A sensor without a believable reading asks for a trip;
 * it never gets a value made up. No filtering beyond what the limits say.
 */
#include "sensors.h"

static u64 hf_distance(s64 a, s64 b)
{
	/* Unsigned: garbage readings may lie at both ends of s64. */
	return a > b ? (u64)a - (u64)b : (u64)b - (u64)a;
}

void hf_sensors_init(struct hf_sensors *st, const struct hf_nameplate *np, u64 now_ns)
{
	u32 i;

	memset(st, 0, sizeof(*st));
	st->count = np->sensors;
	for (i = 0; i < st->count; i++) {
		st->s[i].time_ns = now_ns;
		st->s[i].raw_ns = now_ns;
	}
}

static void hf_fault(struct hf_sensor *s, enum hf_sensor_fault fault, u64 at_ns)
{
	if (s->fault == HF_SENSOR_OK)
		s->fault_ns = at_ns;
	s->fault = fault;
	s->good = 0;
	s->rate_ref_ns = 0;
}

/* Is this new reading believable? Also counts equal ones and remembers it. */
static enum hf_sensor_fault hf_classify(struct hf_sensor *s, const struct hf_sensor_desc *d,
					const struct hf_raw_sample *raw, u64 now_ns)
{
	enum hf_sensor_fault f = HF_SENSOR_OK;

	if (s->sampled && s->last_raw == raw->value)
		s->same += s->same < U32_MAX;
	else
		s->same = 1;
	if (d->stuck_samples && s->same >= d->stuck_samples)
		f = HF_SENSOR_STUCK;
	if (d->max_step && s->sampled &&
	    hf_distance(raw->value, s->last_raw) > (u64)d->max_step)
		f = HF_SENSOR_IMPLAUSIBLE;
	/* A reading from the future would never go stale. */
	if (raw->value < d->min || raw->value > d->max || raw->time_ns > now_ns)
		f = HF_SENSOR_IMPLAUSIBLE;
	s->sampled = true;
	s->last_raw = raw->value;
	s->raw_ns = raw->time_ns < now_ns ? raw->time_ns : now_ns;
	return f;
}

/* Rate of rise over consecutive windows of at least 1 s, rounded up. */
static void hf_rate(struct hf_sensor *s, s64 value, u64 time_ns)
{
	u64 dt = hf_since(time_ns, s->rate_ref_ns);
	s64 rise = value - s->rate_ref;

	if (s->rate_ref_ns && dt < HF_NSEC_PER_SEC)
		return;
	/* |rise| <= 2 HF_SENSOR_RANGE_MAX: the product is below 2^61. */
	if (!s->rate_ref_ns)
		s->rate_per_s = 0;
	else if (rise > 0)
		s->rate_per_s = (s64)(((u64)rise * HF_NSEC_PER_SEC + dt - 1) / dt);
	else
		s->rate_per_s = -(s64)((u64)-rise * HF_NSEC_PER_SEC / dt);
	s->rate_ref = value;
	s->rate_ref_ns = time_ns;
}

void hf_sensor_take(struct hf_sensors *st, const struct hf_nameplate *np,
		    const struct hf_envelope *env, u32 index, const struct hf_raw_sample *raw,
		    u64 now_ns)
{
	const struct hf_sensor_desc *d;
	enum hf_sensor_fault f;
	struct hf_sensor *s;

	if (index >= st->count)
		return;
	s = &st->s[index];
	d = &np->sensor[index];
	if (!raw->present) {
		hf_fault(s, HF_SENSOR_LOST, now_ns);
		return;
	}
	if (raw->time_ns <= s->raw_ns && s->sampled)
		return;
	f = hf_classify(s, d, raw, now_ns);
	if (f != HF_SENSOR_OK) {
		hf_fault(s, f, s->raw_ns);
		return;
	}

	if (s->fault != HF_SENSOR_OK && ++s->good >= HF_SENSOR_GOOD_TO_CLEAR)
		s->fault = HF_SENSOR_OK;
	s->seen = true;
	s->value = raw->value;
	s->time_ns = raw->time_ns;
	hf_rate(s, raw->value, raw->time_ns);
	if (d->kind == HF_SENSOR_CURRENT) {
		if (raw->value <= env->limit[HF_LIM_CURRENT])
			s->over_since_ns = 0;
		else if (!s->over_since_ns)
			s->over_since_ns = raw->time_ns;
	}
}

enum hf_sensor_fault hf_sensor_state(const struct hf_sensor *s, const struct hf_envelope *env,
				     u64 now_ns)
{
	if (s->fault != HF_SENSOR_OK)
		return s->fault;
	if (!s->seen)
		return HF_SENSOR_LOST;
	if (hf_since(now_ns, s->time_ns) > hf_limit_ns(env, HF_LIM_SENSOR_STALE))
		return HF_SENSOR_STALE;
	return HF_SENSOR_OK;
}

/* Higher is more severe. Faults share one rank: the first sensor is named. */
static u32 hf_rank(enum hf_sensor_demand d)
{
	switch (d) {
	case HF_DEMAND_NONE:
		return 0;
	case HF_DEMAND_LOST:
	case HF_DEMAND_STALE:
	case HF_DEMAND_STUCK:
	case HF_DEMAND_IMPLAUSIBLE:
		return 1;
	case HF_DEMAND_TEMP_EMERG:
		return 3;
	default:
		return 2;
	}
}

static void hf_demand(struct hf_sensor_verdict *out, enum hf_sensor_demand d,
		      struct hf_reason reason, u64 onset_ns)
{
	if (hf_rank(d) <= hf_rank(out->demand))
		return;
	out->demand = d;
	out->reason = reason;
	out->onset_ns = onset_ns;
}

static void hf_judge_temp(const struct hf_sensor *s, const struct hf_envelope *env, u32 i,
			  struct hf_sensor_verdict *out)
{
	const s64 *lim = env->limit;

	if (s->value > lim[HF_LIM_TEMP_EMERG])
		hf_demand(out, HF_DEMAND_TEMP_EMERG,
			  hf_reason(HF_LIM_TEMP_EMERG, i, s->value, lim[HF_LIM_TEMP_EMERG]),
			  s->time_ns);
	if (s->value > lim[HF_LIM_TEMP_CRIT])
		hf_demand(out, HF_DEMAND_TEMP_CRIT,
			  hf_reason(HF_LIM_TEMP_CRIT, i, s->value, lim[HF_LIM_TEMP_CRIT]),
			  s->time_ns);
	if (s->rate_per_s > lim[HF_LIM_TEMP_RATE])
		hf_demand(out, HF_DEMAND_TEMP_RATE,
			  hf_reason(HF_LIM_TEMP_RATE, i, s->rate_per_s, lim[HF_LIM_TEMP_RATE]),
			  s->time_ns);
}

static void hf_judge_supply(const struct hf_sensor *s, const struct hf_envelope *env, u32 i,
			    struct hf_sensor_verdict *out)
{
	const s64 *lim = env->limit;

	if (s->value < lim[HF_LIM_SUPPLY_MIN])
		hf_demand(out, HF_DEMAND_SUPPLY_UNDER,
			  hf_reason(HF_LIM_SUPPLY_MIN, i, s->value, lim[HF_LIM_SUPPLY_MIN]),
			  s->time_ns);
	if (s->value > lim[HF_LIM_SUPPLY_MAX])
		hf_demand(out, HF_DEMAND_SUPPLY_OVER,
			  hf_reason(HF_LIM_SUPPLY_MAX, i, s->value, lim[HF_LIM_SUPPLY_MAX]),
			  s->time_ns);
}

static void hf_judge_current(const struct hf_sensor *s, const struct hf_envelope *env, u32 i,
			     u64 now_ns, struct hf_sensor_verdict *out)
{
	/* Taken in under a looser envelope it may not count as over yet: then since the sample. */
	u64 since = s->over_since_ns ? s->over_since_ns : s->time_ns;
	s64 bound = env->limit[HF_LIM_CURRENT];

	if (s->value > bound && hf_since(now_ns, since) >= hf_limit_ns(env, HF_LIM_CURRENT_TIME))
		hf_demand(out, HF_DEMAND_CURRENT_OVER,
			  hf_reason(HF_LIM_CURRENT, i, s->value, bound),
			  since + hf_limit_ns(env, HF_LIM_CURRENT_TIME));
}

static void hf_judge_fan(const struct hf_sensor *s, const struct hf_envelope *env, u32 i,
			 struct hf_sensor_verdict *out)
{
	s64 bound = env->limit[HF_LIM_FAN_MIN];

	if (s->value < bound)
		hf_demand(out, HF_DEMAND_FAN_FAILED, hf_reason(HF_LIM_FAN_MIN, i, s->value, bound),
			  s->time_ns);
}

static void hf_judge_fault(const struct hf_sensor *s, const struct hf_sensor_desc *d,
			   const struct hf_envelope *env, u32 i, u64 now_ns,
			   struct hf_sensor_verdict *out)
{
	struct hf_reason r = hf_reason(HF_LIM_NONE, i, s->last_raw, 0);
	u64 stale = hf_limit_ns(env, HF_LIM_SENSOR_STALE);

	switch (hf_sensor_state(s, env, now_ns)) {
	case HF_SENSOR_OK:
		break;
	case HF_SENSOR_LOST:
		hf_demand(out, HF_DEMAND_LOST, r,
			  s->fault == HF_SENSOR_OK ? s->time_ns : s->fault_ns);
		break;
	case HF_SENSOR_STALE:
		r.limit = HF_LIM_SENSOR_STALE;
		r.measured = (s64)((hf_since(now_ns, s->time_ns) + HF_NSEC_PER_MSEC - 1) /
				   HF_NSEC_PER_MSEC);
		r.bound = env->limit[HF_LIM_SENSOR_STALE];
		hf_demand(out, HF_DEMAND_STALE, r, s->time_ns + stale);
		break;
	case HF_SENSOR_STUCK:
		r.bound = d->stuck_samples;
		hf_demand(out, HF_DEMAND_STUCK, r, s->fault_ns);
		break;
	case HF_SENSOR_IMPLAUSIBLE:
		r.bound = s->last_raw > d->max ? d->max : d->min;
		if (s->last_raw >= d->min && s->last_raw <= d->max)
			r.bound = d->max_step;
		hf_demand(out, HF_DEMAND_IMPLAUSIBLE, r, s->fault_ns);
		break;
	}
}

/* Cap factor at @temp_mc, rounded down: the share of the way from WARN to CRIT is rounded up. */
static u32 hf_derate(const struct hf_nameplate *np, const struct hf_envelope *env, s64 temp_mc)
{
	s64 warn = env->limit[HF_LIM_TEMP_WARN], crit = env->limit[HF_LIM_TEMP_CRIT];
	u64 fall = HF_Q16_ONE - np->derate_floor_q16;

	if (temp_mc <= warn)
		return HF_Q16_ONE;
	if (temp_mc >= crit)
		return np->derate_floor_q16;
	/* warn < temp < crit here, all within +-150000 */
	return HF_Q16_ONE - (u32)((fall * (u64)(temp_mc - warn) + (u64)(crit - warn) - 1) /
				  (u64)(crit - warn));
}

void hf_sensors_judge(const struct hf_sensors *st, const struct hf_nameplate *np,
		      const struct hf_envelope *env, u64 now_ns, struct hf_sensor_verdict *out)
{
	u32 i;

	*out = (struct hf_sensor_verdict){
		.demand = HF_DEMAND_NONE,
		.reason = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0),
		.derate_q16 = HF_Q16_ONE,
		.warn_sensor = HF_NOWHERE,
	};
	for (i = 0; i < st->count; i++) {
		const struct hf_sensor *s = &st->s[i];
		const struct hf_sensor_desc *d = &np->sensor[i];

		hf_judge_fault(s, d, env, i, now_ns, out);
		/* The last believable value still asks, even of a sensor that failed since. */
		if (!s->seen)
			continue;
		switch (d->kind) {
		case HF_SENSOR_TEMP:
			hf_judge_temp(s, env, i, out);
			if (hf_derate(np, env, s->value) < out->derate_q16) {
				out->derate_q16 = hf_derate(np, env, s->value);
				out->warn_sensor = i;
			}
			break;
		case HF_SENSOR_SUPPLY:
			hf_judge_supply(s, env, i, out);
			break;
		case HF_SENSOR_CURRENT:
			hf_judge_current(s, env, i, now_ns, out);
			break;
		case HF_SENSOR_FAN:
			hf_judge_fan(s, env, i, out);
			break;
		}
	}
}
