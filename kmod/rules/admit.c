// SPDX-License-Identifier: GPL-2.0
/*
 * The admission pipeline. Every output passes through here; after it nothing
 * may change an amplitude or phase but to switch it off. No state is kept here
 * and no time is read: what of the past matters comes in struct hf_context.
 */
#include "admit.h"
#include "trig.h"

#define FIRM	0		/* a ratio: no attenuation helps */

/* The limit that binds most, found so far */
struct bind {
	bool broken;
	bool all;		/* go on after a limit that attenuation can satisfy */
	bool sure;		/* ratios that hold whatever quantisation does */
	u32 ratio_q16;		/* factor on the amplitudes that should pass; below 65536 */
	struct hf_reason reason;
};

/* One frame under judgement */
struct trial {
	const struct hf_rules *r;
	const struct hf_context *ctx;
	struct hf_scratch *sc;
	struct hf_wire *w;
	bool phasors;		/* sc->ph is that of w */
	u32 focus;		/* sc->focus is this one, or HF_NOWHERE */
	struct bind b;
};

static s64 limit(const struct hf_rules *r, u32 id)
{
	return r->env.limit[id];
}

static bool loosest(const struct hf_rules *r, u32 id)
{
	s64 v = r->env.limit[id];

	return hf_limits[id].sense == HF_CEIL ? v >= hf_limits[id].max : v <= hf_limits[id].min;
}

static u64 div_up(u64 a, u64 b)
{
	return a / b + (a % b != 0);
}

/* Q16 quotient of bound < measured, rounded down and below 1 */
static u32 ratio_of(u64 bound, u64 measured)
{
	u64 q;

	while (measured >> 47) {
		measured = (measured >> 1) + 1;
		bound >>= 1;
	}
	if (!measured)
		return FIRM;
	q = bound * HF_Q16_ONE / measured;
	return q < HF_Q16_ONE ? (u32)q : HF_Q16_ONE - 1;
}

/* The same for what grows with the square of the amplitude */
static u32 root_ratio_of(u64 bound, u64 measured)
{
	u32 root;

	while (measured >> 31) {
		measured = (measured >> 1) + 1;
		bound >>= 1;
	}
	if (!measured)
		return FIRM;
	if (bound >= measured)
		return HF_Q16_ONE - 1;
	root = hf_isqrt64((bound << 32) / measured);
	return root < HF_Q16_ONE ? root : HF_Q16_ONE - 1;
}

static void broken(struct trial *t, u32 id, u32 where, s64 measured, s64 bound, u32 ratio_q16)
{
	struct bind *b = &t->b;

	if (b->broken && b->ratio_q16 <= ratio_q16)
		return;
	b->broken = true;
	b->ratio_q16 = ratio_q16;
	b->reason = hf_reason(id, where, measured, bound);
}

static bool done(const struct trial *t)
{
	return t->b.broken && (!t->b.all || t->b.ratio_q16 == FIRM);
}

static s64 clamp_s64(u64 v)
{
	return v < (u64)S64_MAX ? (s64)v : S64_MAX;
}

static u64 since_commit(const struct hf_context *ctx)
{
	if (!ctx->last_commit_ns)
		return U64_MAX;
	return ctx->now_ns > ctx->last_commit_ns ? ctx->now_ns - ctx->last_commit_ns : 0;
}

/* ---- request to wire ---- */

static bool masked(const struct hf_rules *r, u32 i)
{
	return !(r->env.mask[i / 64] >> (i % 64) & 1);
}

/* Calibrates, scales, quantises, masks. Returns the loudest amplitude before scaling. */
static u32 quantise(const struct hf_rules *r, const struct hf_request *req, u32 scale_q16,
		    struct hf_wire *w)
{
	const struct hf_nameplate *np = r->np;
	u32 levels = np->amp_levels;
	u32 loudest = 0, i;

	w->channels = np->channels;
	w->on = 0;
	for (i = 0; i < np->channels; i++) {
		const struct hf_channel_cal *cal = &np->cal[i];
		u32 phase = (u16)(req->phase[i] + cal->phase_offset);
		u32 amp = (u32)req->amp[i] * cal->gain_q16 / HF_AMP_FULL;
		u32 level;

		/* nearest; the last half step of the turn is phase 0 */
		phase = (phase * np->phase_levels + 32768) >> 16;
		w->phase[i] = (u16)(phase < np->phase_levels ? phase : 0);

		if (masked(r, i))
			amp = 0;
		if (amp > loudest)
			loudest = amp;
		/* every step down: the wire is never louder than the request */
		level = (amp * scale_q16 >> 16) * levels / HF_AMP_FULL;
		w->level[i] = (u16)level;
		/* up, and still not above the request, which is an integer */
		w->amp_q16[i] = (u16)((level * HF_AMP_FULL + levels - 1) / levels);
		w->on += level != 0;
	}
	w->power_uw = hf_model_power_uw(np, w->amp_q16, np->channels);
	w->nfoci = req->nfoci;
	memcpy(w->foci, req->foci, sizeof(w->foci));
	return loudest;
}

/* ---- limits of the frame itself ---- */

static void check_cap(struct trial *t)
{
	u32 derate = t->ctx->derate_q16 < HF_Q16_ONE ? t->ctx->derate_q16 : HF_Q16_ONE;
	u32 cap = t->r->amp_cap * derate >> 16;
	u32 i;

	for (i = 0; i < t->w->channels; i++) {
		u32 amp = t->w->amp_q16[i];

		if (amp > cap)
			broken(t, HF_LIM_AMP_CAP, i, amp, cap, ratio_of(cap, amp));
	}
}

/* What a limit per ms allows within dt, rounded down */
static u64 allowed(s64 per_ms, u64 dt_ns)
{
	/* 2^36 ns reach any amplitude or phase at the tightest limit of 1 per ms */
	if (dt_ns > 1ULL << 36)
		dt_ns = 1ULL << 36;
	return dt_ns / HF_NSEC_PER_MSEC * (u64)per_ms +
	       dt_ns % HF_NSEC_PER_MSEC * (u64)per_ms / HF_NSEC_PER_MSEC;
}

/* A change too fast for @bound per ms, as a rate like it: rounded up, and above it */
static s64 rate_per_ms(u64 change, u64 dt_ns, s64 bound)
{
	s64 rate;

	if (!dt_ns)
		return S64_MAX;
	rate = (s64)div_up(change * HF_NSEC_PER_MSEC, dt_ns);
	return rate > bound ? rate : bound + 1;
}

static void check_slew(struct trial *t)
{
	s64 max_turn = limit(t->r, HF_LIM_SLEW_PHASE), max_rise = limit(t->r, HF_LIM_SLEW_AMP);
	const struct hf_wire *w = t->w;
	const struct hf_wire *last = t->ctx->last;
	u32 levels = t->r->np->phase_levels;
	bool free_phase = loosest(t->r, HF_LIM_SLEW_PHASE);
	bool free_amp = loosest(t->r, HF_LIM_SLEW_AMP);
	u64 dt = since_commit(t->ctx);
	u64 turn, rise;
	u32 i;

	if (free_phase && free_amp)
		return;
	if (last && last->channels != w->channels)
		last = NULL;
	turn = allowed(max_turn, dt);
	rise = allowed(max_rise, dt);
	for (i = 0; i < w->channels; i++) {
		u32 before = last ? last->amp_q16[i] : 0;
		u32 step, change;

		if (!w->level[i])
			continue;
		if (!free_amp && w->amp_q16[i] > before + rise)
			broken(t, HF_LIM_SLEW_AMP, i,
			       rate_per_ms(w->amp_q16[i] - before, dt, max_rise), max_rise,
			       ratio_of(before + rise, w->amp_q16[i]));
		if (free_phase || !last || !last->level[i])
			continue;
		step = w->phase[i] > last->phase[i] ? w->phase[i] - last->phase[i] :
						      last->phase[i] - w->phase[i];
		step = step <= levels - step ? step : levels - step;	/* the shortest way round */
		change = (u32)div_up((u64)step * 65536, levels);
		if (change > turn)
			broken(t, HF_LIM_SLEW_PHASE, i, rate_per_ms(change, dt, max_turn), max_turn,
			       FIRM);
	}
}

static void check_rate(struct trial *t)
{
	s64 interval = limit(t->r, HF_LIM_FRAME_INTERVAL);
	u64 dt = since_commit(t->ctx);

	if (dt < (u64)interval)
		broken(t, HF_LIM_FRAME_INTERVAL, HF_NOWHERE, (s64)dt, interval, FIRM);
}

/* ---- power and heat ---- */

/* A frame is held for HOLD, and the tick that ends it may be as late as it is allowed to be. */
static u64 hold_ms(const struct hf_rules *r)
{
	return (u64)(limit(r, HF_LIM_HOLD) + limit(r, HF_LIM_TICK_LATE));
}

static u64 hold_ns(const struct hf_rules *r)
{
	return hold_ms(r) * HF_NSEC_PER_MSEC;
}

/* Factor on the amplitudes that brings the power to @want; being on costs @base in any case */
static u32 power_ratio(u64 want, u64 power, u64 base)
{
	return want > base ? root_ratio_of(want - base, power - base) : FIRM;
}

/* Modelled steady rise, uK, of @power_uw through @rth, rounded up */
static s64 heat_uk(u64 power_uw, u32 rth_mk_per_w)
{
	if (rth_mk_per_w && power_uw > (1ULL << 62) / rth_mk_per_w)
		return 1LL << 52;	/* no array of this world; far above any limit */
	return (s64)div_up(power_uw * rth_mk_per_w, 1000);
}

/*
 * A first-order quantity at @y now that would move towards @target while a frame is held:
 * the largest value on the way must not pass @bound * @unit.
 */
static void check_projection(struct trial *t, u32 id, u32 where, s64 y, s64 target, u64 tau_ms,
			     s64 unit, u64 power, u64 base)
{
	u64 dt = hold_ns(t->r), tau = tau_ms * HF_NSEC_PER_MSEC;
	s64 bound = limit(t->r, id);
	s64 top = bound * unit;
	s64 then = hf_first_order(y, target, dt, tau);
	s64 worst = then > y ? then : y;
	u32 ratio = FIRM;
	s64 idle;

	if (worst <= top)
		return;
	idle = hf_first_order(y, 0, dt, tau);
	/* linear in the target, so this share of the power would just reach the bound */
	if (y <= top && idle < top && then > idle) {
		u32 share = ratio_of((u64)(top - idle), (u64)(then - idle));

		ratio = power_ratio((power >> 16) * share + ((power & 0xffff) * share >> 16),
				    power, base);
	}
	broken(t, id, where, (s64)div_up((u64)worst, (u64)unit), bound, ratio);
}

static void check_channel_heat(struct trial *t)
{
	const struct hf_nameplate *np = t->r->np;
	const struct hf_model *m = t->ctx->model;
	const struct hf_wire *w = t->w;
	s64 top = limit(t->r, HF_LIM_CHAN_RISE) * 1000;
	struct hf_lag lag = hf_lag_of(hold_ns(t->r), (u64)np->tau_chan_ms * HF_NSEC_PER_MSEC);
	s64 hot = 0, target;
	u16 loud = 0;
	u32 i;

	for (i = 0; i < w->channels; i++) {
		if (m->chan_rise_uk[i] > hot)
			hot = m->chan_rise_uk[i];
		if (w->amp_q16[i] > loud)
			loud = w->amp_q16[i];
	}
	/* the loudest amplitude on the hottest channel is at least as hot as any */
	target = heat_uk(hf_chan_power_uw(np, loud), np->rth_chan_mk_per_w);
	if (hot <= top && hf_lag_step(lag, hot, target) <= top)
		return;
	for (i = 0; i < w->channels; i++) {
		s64 y = m->chan_rise_uk[i];
		u32 power = hf_chan_power_uw(np, w->amp_q16[i]);

		target = heat_uk(power, np->rth_chan_mk_per_w);
		/* a channel that stays off only cools */
		if (w->level[i] && (y > top || hf_lag_step(lag, y, target) > top))
			check_projection(t, HF_LIM_CHAN_RISE, i, y, target, np->tau_chan_ms, 1000,
					 power, np->p_drive_uw);
	}
}

static void check_power(struct trial *t)
{
	const struct hf_nameplate *np = t->r->np;
	const struct hf_model *m = t->ctx->model;
	u64 power = t->w->power_uw;
	u64 base = t->w->on * np->p_drive_uw;
	s64 inst = limit(t->r, HF_LIM_POWER_INST);

	if (power > (u64)inst)
		broken(t, HF_LIM_POWER_INST, HF_NOWHERE, clamp_s64(power), inst,
		       power_ratio((u64)inst, power, base));
	if (done(t))
		return;
	check_projection(t, HF_LIM_POWER_AVG, HF_NOWHERE, m->power_avg_uw, clamp_s64(power),
			 np->tau_power_ms, 1, power, base);
	if (done(t))
		return;
	check_channel_heat(t);
	if (done(t))
		return;
	check_projection(t, HF_LIM_ARRAY_RISE, HF_NOWHERE, m->array_rise_uk,
			 heat_uk(power, np->rth_array_mk_per_w), np->tau_array_ms, 1000,
			 power, base);
}

static void check_emission_time(struct trial *t)
{
	const struct hf_model *m = t->ctx->model;
	s64 rest = limit(t->r, HF_LIM_EMIT_REST), duty = limit(t->r, HF_LIM_EMIT_DUTY);
	s64 left;

	if (m->rest_until_ns > t->ctx->now_ns) {
		left = (s64)div_up(m->rest_until_ns - t->ctx->now_ns, HF_NSEC_PER_MSEC);
		broken(t, HF_LIM_EMIT_REST, HF_NOWHERE, left < rest ? rest - left : 0, rest, FIRM);
		return;
	}
	/* ppb against ppm; else frames after a forced rest would buy a tick each */
	if (m->duty_ppb > duty * 1000)
		broken(t, HF_LIM_EMIT_DUTY, HF_NOWHERE, (s64)div_up((u64)m->duty_ppb, 1000), duty,
		       FIRM);
}

/* ---- field ---- */

/* Tightest upper bound there is; the phasors of the frame are made when first needed */
static u64 exact_mpa(struct trial *t, const struct hf_field_point *p)
{
	const struct hf_nameplate *np = t->r->np;
	struct hf_wire *w = t->w;

	if (!t->phasors) {
		hf_phasors_of(&t->sc->ph, t->r->lut, w->phase, w->amp_q16, w->channels);
		t->phasors = true;
	}
	return hf_field_bound_mpa(p, &t->sc->ph, w->amp_q16, w->channels, np->field_tol_q16);
}

/*
 * Factor that should bring @mpa down to @bound. Rounding the amplitudes again
 * disturbs cancellation, so after some passes take the one that cannot miss: the
 * coherent sum before rounding is at most @s and one level on every channel.
 */
static u32 field_ratio(const struct trial *t, const struct hf_field_point *p, u64 mpa, u64 s,
		       u64 bound)
{
	if (t->b.sure)
		mpa = s + div_up(p->gsum_upa, 1000ULL * t->r->np->amp_levels);
	return ratio_of(bound, mpa);
}

/* Dose, Pa^2 s rounded up, of a peak pressure during @hold_ms: p^2 / 2 * t */
static u64 dose_of(u32 mpa, u64 hold_ms)
{
	u64 mean = div_up((u64)mpa * mpa, 2000);	/* 10^-3 Pa^2 */

	return mean / 1000000 * hold_ms + div_up(mean % 1000000 * hold_ms, 1000000);
}

static void check_dose(struct trial *t, u32 j)
{
	const struct hf_model *m = t->ctx->model;
	u32 site = t->r->site_index[j];
	s64 bound = limit(t->r, HF_LIM_DOSE);
	u64 past, more;

	if (site >= m->points)
		return;
	past = hf_model_dose(m, site);
	more = dose_of(t->w->point_mpa[j], hold_ms(t->r));
	if (past > (u64)bound || more > (u64)bound - past)
		broken(t, HF_LIM_DOSE, j, clamp_s64(past + more < past ? U64_MAX : past + more),
		       bound, past < (u64)bound ? root_ratio_of((u64)bound - past, more) : FIRM);
}

static void check_field(struct trial *t)
{
	const struct hf_rules *r = t->r;
	struct hf_wire *w = t->w;
	bool dose = !loosest(r, HF_LIM_DOSE);
	u64 common = (u64)limit(r, HF_LIM_FENCE_PRESSURE);
	u32 j;

	w->points = r->points;
	for (j = 0; j < r->points; j++) {
		const struct hf_field_point *p = &r->point[j];
		u64 own = r->env.fence[j].limit_mpa;
		u64 bound = own < common ? own : common;
		u64 s = hf_field_sum_mpa(p, w->amp_q16, w->channels);
		u64 mpa = s;

		if (s > bound || dose)
			mpa = exact_mpa(t, p);
		w->point_mpa[j] = mpa < U32_MAX ? (u32)mpa : U32_MAX;
		if (mpa > bound)
			broken(t, HF_LIM_FENCE_PRESSURE, j, clamp_s64(mpa), (s64)bound,
			       field_ratio(t, p, mpa, s, bound));
		if (done(t))
			return;
		if (dose)
			check_dose(t, j);
		if (done(t))
			return;
	}
}

static bool in_box(struct trial *t, u32 i)
{
	const struct hf_focus *f = &t->w->foci[i];
	const s32 at[3] = { f->x_um, f->y_um, f->z_um };
	u32 k;

	for (k = 0; k < 3; k++) {
		s64 lo = limit(t->r, HF_LIM_BOX_MIN_X + k), hi = limit(t->r, HF_LIM_BOX_MAX_X + k);

		if (at[k] < lo)
			broken(t, HF_LIM_BOX_MIN_X + k, i, at[k], lo, FIRM);
		else if (at[k] > hi)
			broken(t, HF_LIM_BOX_MAX_X + k, i, at[k], hi, FIRM);
	}
	return !done(t);
}

static u64 outside(s32 v, s32 lo, s32 hi)
{
	if (v < lo)
		return (u64)((s64)lo - v);
	return v > hi ? (u64)((s64)v - hi) : 0;
}

/* Distance to the box around all channels, um, rounded down, at least 2 mm as in the field */
static u32 clearance(const struct hf_rules *r, const struct hf_focus *f)
{
	u64 x = outside(f->x_um, r->lo.x_um, r->hi.x_um);
	u64 y = outside(f->y_um, r->lo.y_um, r->hi.y_um);
	u64 z = outside(f->z_um, r->lo.z_um, r->hi.z_um);
	u32 d = hf_isqrt64(x * x + y * y + z * z);

	return d > 2000 ? d : 2000;
}

static void check_foci(struct trial *t)
{
	const struct hf_rules *r = t->r;
	const struct hf_wire *w = t->w;
	bool free = loosest(r, HF_LIM_FOCAL_PRESSURE);
	u64 bound = (u64)limit(r, HF_LIM_FOCAL_PRESSURE);
	struct hf_field_point *p = &t->sc->focus;
	u64 amps = 0, s, mpa;
	u32 i;

	for (i = 0; i < w->channels; i++)
		amps += w->amp_q16[i];
	for (i = 0; i < w->nfoci; i++) {
		const struct hf_focus *f = &w->foci[i];

		if (!in_box(t, i))
			return;
		/* compiling a point is dear: most frames pass by the sum of amplitudes */
		if (free || hf_field_far_mpa(r->np, amps, clearance(r, f)) <= bound)
			continue;
		if (t->focus != i)
			hf_field_point_init(p, r->np, f->x_um, f->y_um, f->z_um);
		t->focus = i;
		s = hf_field_sum_mpa(p, w->amp_q16, w->channels);
		mpa = s <= bound ? s : exact_mpa(t, p);
		if (mpa > bound)
			broken(t, HF_LIM_FOCAL_PRESSURE, i, clamp_s64(mpa), (s64)bound,
			       field_ratio(t, p, mpa, s, bound));
		if (done(t))
			return;
	}
}

static void check_output(struct trial *t)
{
	check_power(t);
	if (!done(t))
		check_emission_time(t);
	if (!done(t))
		check_field(t);
	if (!done(t))
		check_foci(t);
}

static void check_change(struct trial *t)
{
	check_cap(t);
	if (!done(t))
		check_slew(t);
	if (!done(t))
		check_rate(t);
}

static void quiet_points(const struct hf_rules *r, struct hf_wire *w)
{
	w->points = r->points;
	memset(w->point_mpa, 0, sizeof(w->point_mpa));
}

static void verdict(struct hf_result *res, enum hf_verdict v, u32 scale_q16, struct hf_reason why)
{
	res->verdict = v;
	res->scale_q16 = scale_q16;
	res->reason = why;
}

void hf_admit(const struct hf_rules *r, const struct hf_context *ctx, const struct hf_request *req,
	      struct hf_scratch *scratch, struct hf_wire *out, struct hf_result *res)
{
	struct trial t = { .r = r, .ctx = ctx, .sc = scratch, .w = out, .focus = HF_NOWHERE };
	struct hf_reason none = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0);
	struct hf_reason first = none, binds = none;
	u32 scale = HF_Q16_ONE, pass;

	if (req->channels != r->np->channels || req->nfoci > HF_MAX_FOCI) {
		verdict(res, HF_REJECT, HF_Q16_ONE, none);
		return;
	}
	for (pass = 0; pass < HF_ADMIT_PASSES; pass++) {
		u32 loudest = quantise(r, req, scale, out);
		u32 loud = 0, i;

		quiet_points(r, out);
		if (!out->on) {
			/* off as asked for is admitted; off by attenuation is no admission */
			if (pass)
				break;
			verdict(res, HF_ADMIT, HF_Q16_ONE, none);
			return;
		}
		if (ctx->quota && hf_quota_spent(ctx->quota, HF_QUOTA_ALL, &first))
			break;
		t.phasors = false;
		memset(&t.b, 0, sizeof(t.b));
		t.b.all = req->attenuate && r->np->amp_levels > 1;
		t.b.sure = pass >= HF_ADMIT_PASSES / 2;
		check_change(&t);
		if (!done(&t))
			check_output(&t);
		if (!t.b.broken) {
			verdict(res, pass ? HF_ATTENUATE : HF_ADMIT, scale, binds);
			return;
		}
		binds = t.b.reason;
		if (!pass)
			first = binds;
		if (!t.b.all || t.b.ratio_q16 == FIRM)
			break;
		/* from what is on the wire, so that every pass makes the loudest channel quieter */
		for (i = 0; i < out->channels; i++)
			loud = out->amp_q16[i] > loud ? out->amp_q16[i] : loud;
		scale = (u32)((u64)loud * t.b.ratio_q16 / loudest);
	}
	verdict(res, HF_REJECT, HF_Q16_ONE, first);
}

bool hf_recheck(const struct hf_rules *r, const struct hf_context *ctx, struct hf_wire *w,
		struct hf_scratch *scratch, struct hf_result *res)
{
	struct trial t = { .r = r, .ctx = ctx, .sc = scratch, .w = w, .focus = HF_NOWHERE };
	u32 i;

	t.b.reason = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0);
	quiet_points(r, w);
	if (w->channels != r->np->channels)
		broken(&t, HF_LIM_NONE, HF_NOWHERE, w->channels, r->np->channels, FIRM);
	for (i = 0; i < w->channels && w->on && !done(&t); i++)
		if (w->level[i] && masked(r, i))
			broken(&t, HF_LIM_NONE, i, w->amp_q16[i], 0, FIRM);
	if (w->on && !done(&t))
		check_cap(&t);
	if (w->on && !done(&t))
		check_output(&t);
	verdict(res, t.b.broken ? HF_REJECT : HF_ADMIT, HF_Q16_ONE, t.b.reason);
	return !t.b.broken;
}

/* ---- rules ---- */

static u32 place_in(const struct hf_envelope *site, const struct hf_fence_point *f)
{
	u32 i;

	for (i = 0; site && i < site->nfence; i++)
		if (site->fence[i].x_um == f->x_um && site->fence[i].y_um == f->y_um &&
		    site->fence[i].z_um == f->z_um)
			return i;
	return HF_NOWHERE;
}

void hf_rules_build(struct hf_rules *r, const struct hf_nameplate *np,
		    const struct hf_phase_lut *lut, const struct hf_envelope *env,
		    const struct hf_envelope *site)
{
	u16 duty_cap = hf_amp_of_duty((u32)env->limit[HF_LIM_DRIVE_DUTY]);
	u32 i;

	r->env = *env;
	r->np = np;
	r->lut = lut;
	r->amp_cap = (u16)env->limit[HF_LIM_AMP_CAP];
	if (duty_cap < r->amp_cap)
		r->amp_cap = duty_cap;

	r->lo = (struct hf_focus){ S32_MAX, S32_MAX, S32_MAX };
	r->hi = (struct hf_focus){ S32_MIN, S32_MIN, S32_MIN };
	for (i = 0; i < np->channels; i++) {
		const struct hf_channel_pos *c = &np->pos[i];

		r->lo.x_um = c->x_um < r->lo.x_um ? c->x_um : r->lo.x_um;
		r->lo.y_um = c->y_um < r->lo.y_um ? c->y_um : r->lo.y_um;
		r->lo.z_um = c->z_um < r->lo.z_um ? c->z_um : r->lo.z_um;
		r->hi.x_um = c->x_um > r->hi.x_um ? c->x_um : r->hi.x_um;
		r->hi.y_um = c->y_um > r->hi.y_um ? c->y_um : r->hi.y_um;
		r->hi.z_um = c->z_um > r->hi.z_um ? c->z_um : r->hi.z_um;
	}

	r->points = env->nfence;
	memset(r->site_index, 0xff, sizeof(r->site_index));	/* HF_NOWHERE */
	for (i = 0; i < env->nfence; i++) {
		const struct hf_fence_point *f = &env->fence[i];

		r->site_index[i] = place_in(site, f);
		hf_field_point_init(&r->point[i], np, f->x_um, f->y_um, f->z_um);
	}
}
