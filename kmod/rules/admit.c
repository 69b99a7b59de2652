// SPDX-License-Identifier: GPL-2.0
/*
 * The admission pipeline. Every output passes through here; after it nothing
 * may change an amplitude or phase but to switch it off. No state is kept here
 * and no time is read: what of the past matters comes in struct hf_context.
 */
#include "trial.h"

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

/*
 * Fills @t->w with what @req means on the wire, and @t->loudest. Returns the loudest
 * amplitude before scaling.
 */
static u32 quantise(struct trial *t, const struct hf_request *req, u32 scale_q16)
{
	const struct hf_rules *r = t->r;
	struct hf_wire *w = t->w;
	u32 loudest = r->lut->way->quantise(&r->grid, req->phase, req->amp, scale_q16, w->phase,
					    w->level);
	u32 n = r->np->channels, on = 0, i;
	u64 power = 0;

	for (i = 0; i < n; i++) {
		struct hf_level l = r->level[w->level[i]];

		w->amp_q16[i] = l.amp_q16;
		w->chan_power_uw[i] = l.power_uw;
		power += l.power_uw;
		on += l.amp_q16 != 0;
	}
	/* louder asks for no lower step */
	t->loudest = r->level[hf_level_of(loudest, scale_q16, r->np->amp_levels)].amp_q16;
	w->channels = n;
	w->on = on;
	w->power_uw = power;
	w->nfoci = req->nfoci;
	memcpy(w->foci, req->foci, sizeof(w->foci));
	return loudest;
}

static u32 loudest_of(const struct hf_wire *w)
{
	u32 loudest = 0, i;

	for (i = 0; i < w->channels; i++)
		loudest = w->amp_q16[i] > loudest ? w->amp_q16[i] : loudest;
	return loudest;
}

/* ---- limits of the frame itself ---- */

static void check_cap(struct trial *t)
{
	u32 derate = t->ctx->derate_q16 < HF_Q16_ONE ? t->ctx->derate_q16 : HF_Q16_ONE;
	u32 cap = t->r->amp_cap * derate >> 16;
	u32 i;

	if (t->loudest <= cap)
		return;
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
	u64 dt = since_commit(t->ctx);
	u64 rise = allowed(max_rise, dt);
	/* a change of so many steps rounds up to what is allowed, one more to above it */
	u64 most = allowed(max_turn, dt) * levels / 65536;
	bool free_phase = loosest(t->r, HF_LIM_SLEW_PHASE) || most >= levels / 2;
	bool free_amp = loosest(t->r, HF_LIM_SLEW_AMP) || rise >= HF_AMP_FULL;
	u32 i;

	if (free_phase && free_amp)
		return;
	if (last && last->channels != w->channels)
		last = NULL;
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
		if (step <= most)
			continue;
		change = (u32)div_up((u64)step * 65536, levels);
		broken(t, HF_LIM_SLEW_PHASE, i, rate_per_ms(change, dt, max_turn), max_turn, FIRM);
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
static void check_projection(struct trial *t, u32 id, u32 where, s64 y, s64 target,
			     struct hf_lag lag, s64 unit, u64 power, u64 base)
{
	s64 bound = limit(t->r, id);
	s64 top = bound * unit;
	s64 then = hf_lag_step(lag, y, target);
	s64 worst = then > y ? then : y;
	u32 ratio = FIRM;
	s64 idle;

	if (worst <= top)
		return;
	idle = hf_lag_step(lag, y, 0);
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
	struct hf_lag lag = t->r->lag_chan;
	s64 hot = hf_model_hottest_uk(m, np), target;
	struct hf_lag since;
	u32 i;

	/* the loudest amplitude on the hottest channel is at least as hot as any */
	target = heat_uk(hf_chan_power_uw(np, (u16)t->loudest), np->rth_chan_mk_per_w);
	if (hot <= top && hf_lag_step(lag, hot, target) <= top)
		return;
	since = hf_model_chan_lag(m, np);
	for (i = 0; i < w->channels; i++) {
		s64 y = hf_model_chan_uk(m, np, since, i);
		u32 power = w->chan_power_uw[i];

		target = heat_uk(power, np->rth_chan_mk_per_w);
		/* a channel that stays off only cools */
		if (w->level[i] && (y > top || hf_lag_step(lag, y, target) > top))
			check_projection(t, HF_LIM_CHAN_RISE, i, y, target, lag, 1000, power,
					 np->p_drive_uw);
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
			 t->r->lag_power, 1, power, base);
	if (done(t))
		return;
	check_channel_heat(t);
	if (done(t))
		return;
	check_projection(t, HF_LIM_ARRAY_RISE, HF_NOWHERE, m->array_rise_uk,
			 heat_uk(power, np->rth_array_mk_per_w), t->r->lag_array, 1000, power,
			 base);
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

static void check_surface(struct trial *t)
{
	struct hf_reason r;

	if (hf_surface_refuses(&t->ctx->surface, &t->r->env, &r))
		broken(t, r.limit, r.where, r.measured, r.bound, FIRM);
}

static void check_output(struct trial *t)
{
	check_power(t);
	if (!done(t))
		check_emission_time(t);
	if (!done(t))
		check_surface(t);
	if (!done(t))
		hf_check_field(t);
	if (!done(t))
		hf_check_foci(t);
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
		u32 loudest = quantise(&t, req, scale);

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
		scale = (u32)((u64)t.loudest * t.b.ratio_q16 / loudest);
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
	if (w->channels == r->np->channels)
		t.loudest = loudest_of(w);
	else
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
