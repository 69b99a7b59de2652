// SPDX-License-Identifier: GPL-2.0
/*
 * The part of admission that looks at sound in space: pressure and dose at fence
 * points, pressure and place of declared foci. The sums are field.c's; here is what
 * they are compared with.
 */
#include "trial.h"

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
	more = dose_of(t->w->point_mpa[j], hf_hold_ms(&t->r->env));
	if (past > (u64)bound || more > (u64)bound - past)
		broken(t, HF_LIM_DOSE, j, clamp_s64(past + more < past ? U64_MAX : past + more),
		       bound, past < (u64)bound ? root_ratio_of((u64)bound - past, more) : FIRM);
}

static u64 fence_bound(const struct hf_rules *r, u32 j)
{
	u64 common = (u64)limit(r, HF_LIM_FENCE_PRESSURE);
	u64 own = r->env.fence[j].limit_mpa;

	return own < common ? own : common;
}

static void put_point(struct hf_wire *w, u32 j, u64 mpa)
{
	w->point_mpa[j] = mpa < U32_MAX ? (u32)mpa : U32_MAX;
}

/* Do the amplitudes alone show that no point can be above its limit? One pass for all points. */
static bool quick_accept(struct trial *t)
{
	const struct hf_rules *r = t->r;
	u32 j;

	hf_field_quick(&t->sc->field, r->lut, &r->rows, r->point, t->w->amp_q16);
	for (j = 0; j < r->points; j++) {
		u64 s = t->sc->field.sum_mpa[j];

		if (s > fence_bound(r, j))
			return false;
		put_point(t->w, j, s);
	}
	return true;
}

static void check_point(struct trial *t, u32 j)
{
	const struct hf_rules *r = t->r;
	const struct hf_field_point *p = &r->point[j];
	u64 bound = fence_bound(r, j);
	u64 mpa = hf_field_bound_mpa(p, &t->sc->field, j, t->w->channels, r->np->field_tol_q16);

	put_point(t->w, j, mpa);
	if (mpa > bound)
		broken(t, HF_LIM_FENCE_PRESSURE, j, clamp_s64(mpa), (s64)bound,
		       field_ratio(t, p, mpa, t->sc->field.sum_mpa[j], bound));
}

void hf_check_field(struct trial *t)
{
	const struct hf_rules *r = t->r;
	bool dose = !loosest(r, HF_LIM_DOSE);
	u32 j;

	t->w->points = r->points;
	if (!r->points || (quick_accept(t) && !dose))
		return;
	hf_field_exact(&t->sc->field, r->lut, &r->rows, r->id, t->w->phase, t->w->amp_q16);
	for (j = 0; j < r->points; j++) {
		check_point(t, j);
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

/* Upper bound of the pressure at focus @i, mPa; @s: the same from the amplitudes alone */
static u64 focus_mpa(struct trial *t, u32 i, u64 bound, u64 *s)
{
	const struct hf_rules *r = t->r;
	struct hf_field_work *field = &t->sc->focus_field;
	struct hf_field_point *p = &t->sc->focus;
	const struct hf_focus *f = &t->w->foci[i];
	struct hf_rows rows = { t->sc->focus_row, r->np->channels, 1 };

	if (t->focus != i)
		hf_field_point_init(p, t->sc->focus_row, r->lut, r->np, f->x_um, f->y_um, f->z_um);
	t->focus = i;
	hf_field_quick(field, r->lut, &rows, p, t->w->amp_q16);
	*s = field->sum_mpa[0];
	if (*s <= bound)
		return *s;
	hf_field_exact(field, r->lut, &rows, 0, t->w->phase, t->w->amp_q16);
	return hf_field_bound_mpa(p, field, 0, t->w->channels, r->np->field_tol_q16);
}

void hf_check_foci(struct trial *t)
{
	const struct hf_rules *r = t->r;
	const struct hf_wire *w = t->w;
	bool free = loosest(r, HF_LIM_FOCAL_PRESSURE);
	u64 bound = (u64)limit(r, HF_LIM_FOCAL_PRESSURE);
	u64 amps = 0, s, mpa;
	u32 i;

	for (i = 0; i < w->channels && w->nfoci && !free; i++)
		amps += w->amp_q16[i];
	for (i = 0; i < w->nfoci; i++) {
		if (!in_box(t, i))
			return;
		/* compiling a point is dear: most frames pass by the sum of amplitudes */
		if (free || hf_field_far_mpa(r->np, amps, clearance(r, &w->foci[i])) <= bound)
			continue;
		mpa = focus_mpa(t, i, bound, &s);
		if (mpa > bound)
			broken(t, HF_LIM_FOCAL_PRESSURE, i, clamp_s64(mpa), (s64)bound,
			       field_ratio(t, &t->sc->focus, mpa, s, bound));
		if (done(t))
			return;
	}
}
