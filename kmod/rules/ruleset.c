// SPDX-License-Identifier: GPL-2.0
/*
 * An effective envelope made ready for admission: everything that can be reckoned
 * before the first frame. Slow, once per envelope; no verdicts.
 */
#include "admit.h"
#include "trig.h"

static u32 place_in(const struct hf_envelope *site, const struct hf_fence_point *f)
{
	u32 i;

	for (i = 0; site && i < site->nfence; i++)
		if (site->fence[i].x_um == f->x_um && site->fence[i].y_um == f->y_um &&
		    site->fence[i].z_um == f->z_um)
			return i;
	return HF_NOWHERE;
}

/* How far a first-order value gets while a frame is held */
static struct hf_lag lag_of(const struct hf_rules *r, u32 tau_ms)
{
	return hf_lag_of(hf_hold_ms(&r->env) * HF_NSEC_PER_MSEC, (u64)tau_ms * HF_NSEC_PER_MSEC);
}

static bool flat(const struct hf_rules *r)
{
	u32 i;

	for (i = 0; i < r->np->channels; i++) {
		const struct hf_channel_cal *cal = &r->np->cal[i];

		if (cal->phase_offset || cal->gain_q16 != HF_AMP_FULL ||
		    !(r->env.mask[i / 64] >> (i % 64) & 1))
			return false;
	}
	return true;
}

static void levels_build(struct hf_rules *r, struct hf_level *level)
{
	u32 levels = r->np->amp_levels, k;

	for (k = 0; k <= levels; k++) {
		/* up, and still not above the request, which is an integer */
		u16 amp = (u16)((k * HF_AMP_FULL + levels - 1) / levels);

		level[k] = (struct hf_level){ hf_chan_power_uw(r->np, amp), amp, 0 };
	}
	r->level = level;
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

	r->lag_power = lag_of(r, np->tau_power_ms);
	r->lag_chan = lag_of(r, np->tau_chan_ms);
	r->lag_array = lag_of(r, np->tau_array_ms);
	r->grid = (struct hf_grid){
		np->cal, r->env.mask, np->phase_levels, np->amp_levels, np->channels, flat(r),
	};
	r->id = 0;
	r->points = env->nfence;
	r->rows = (struct hf_rows){ r->room, np->channels, env->nfence };
	levels_build(r, (struct hf_level *)(r->room + env->nfence * hf_row_size(np->channels)));
	memset(r->site_index, 0xff, sizeof(r->site_index));	/* HF_NOWHERE */
	for (i = 0; i < env->nfence; i++) {
		const struct hf_fence_point *f = &env->fence[i];

		r->site_index[i] = place_in(site, f);
		hf_field_point_init(&r->point[i], r->room + i * hf_row_size(np->channels), lut, np,
				    f->x_um, f->y_um, f->z_um);
	}
}
