// SPDX-License-Identifier: GPL-2.0
/*
 * Mean pressure at the many points of a surface, from visits in rotation: rules of it
 * in surface.h, formulas and errors in docs/models.md. No clock, no randomness of its own, no
 * verdict on a frame but whether sound is allowed at all.
 */
#include "surface.h"
#include "path.h"

/* Above every limit, and its square in Q8 stays below 2^62. */
#define MPA_MOST	101000000ULL

static u64 square_q8(u64 mpa)
{
	if (mpa > MPA_MOST)
		mpa = MPA_MOST;
	return mpa * mpa << 8;
}

static u64 limit_mpa(const struct hf_envelope *env)
{
	return (u64)env->limit[HF_LIM_SURFACE_MEAN];
}

static bool in_force(const struct hf_surface_state *st, const struct hf_envelope *env)
{
	return st->points && limit_mpa(env) < (u64)hf_limits[HF_LIM_SURFACE_MEAN].max;
}

int hf_surface_order(const struct hf_surface_point *a, const struct hf_surface_point *b)
{
	if (a->x_um != b->x_um)
		return a->x_um < b->x_um ? -1 : 1;
	if (a->y_um != b->y_um)
		return a->y_um < b->y_um ? -1 : 1;
	if (a->z_um != b->z_um)
		return a->z_um < b->z_um ? -1 : 1;
	return 0;
}

static void put(struct hf_surface *s, const struct hf_surface_point *p, u64 mean_q8, u64 seen_ns)
{
	if (s->points && !hf_surface_order(&s->point[s->points - 1], p))
		return;
	s->point[s->points] = *p;
	s->point[s->points].mean_q8 = mean_q8;
	s->point[s->points].seen_ns = seen_ns;
	s->point[s->points].order = s->points;
	s->points++;
}

void hf_surface_merge(struct hf_surface *s, const struct hf_surface *old,
		      const struct hf_surface_point *add, u32 n, bool all, u64 now_ns)
{
	u32 i = 0, j = 0, m = old ? old->points : 0;

	memset(s, 0, sizeof(*s));
	while (i < m || j < n) {
		int c = i == m ? 1 : j == n ? -1 : hf_surface_order(&old->point[i], &add[j]);

		if (c > 0)
			put(s, &add[j], 0, now_ns);
		else if (c == 0 || all)
			put(s, &old->point[i], old->point[i].mean_q8, old->point[i].seen_ns);
		i += c <= 0;
		j += c >= 0;
	}
	hf_surface_find_worst(s);
}

void hf_surface_gain(struct hf_surface *s, const struct hf_nameplate *np, u32 i)
{
	const struct hf_channel_pos *c = &np->pos[i];
	u64 nearest = U64_MAX;
	u32 j, d_um;

	for (j = 0; j < s->points; j++) {
		s64 x = (s64)s->point[j].x_um - c->x_um;
		s64 y = (s64)s->point[j].y_um - c->y_um;
		s64 z = (s64)s->point[j].z_um - c->z_um;
		u64 d2 = (u64)(x * x) + (u64)(y * y) + (u64)(z * z);

		nearest = d2 < nearest ? d2 : nearest;
	}
	d_um = hf_isqrt64(nearest);
	if (d_um < NEAR_UM)
		d_um = NEAR_UM;
	s->channels = np->channels;
	/* A directivity is at most 1. 20 Pa m in uPa um: below 2^45 */
	s->gain_upa[i] = np->p0_safety_upam * 1000000 / d_um + 1;
}

u64 hf_surface_most_mpa(const struct hf_surface *s, const u16 *amp_q16)
{
	u64 sum = 0;
	u32 i;

	/* 2^10 * 2^16 * 2^34 */
	for (i = 0; i < s->channels; i++)
		sum += amp_q16[i] * s->gain_upa[i];
	return sum / (HF_AMP_FULL * 1000ULL) + (sum != 0);
}

u32 hf_surface_next(struct hf_surface *s, u32 random)
{
	u32 k = s->visited;
	u32 with = k + (u32)((u64)random * (s->points - k) >> 32);
	u32 j = s->point[with].order;

	s->point[with].order = s->point[k].order;
	s->point[k].order = j;
	s->visited = k + 1 < s->points ? k + 1 : 0;
	return j;
}

void hf_surface_visit(struct hf_surface *s, u32 j, u64 mpa, u64 now_ns)
{
	struct hf_surface_point *p = &s->point[j];
	struct hf_lag l;

	if (now_ns <= p->seen_ns)
		return;
	l = hf_lag_of(now_ns - p->seen_ns, HF_SURFACE_TAU_MS * (u64)HF_NSEC_PER_MSEC);
	p->mean_q8 = (u64)hf_lag_step(l, (s64)p->mean_q8, (s64)square_q8(mpa));
	p->seen_ns = now_ns;
}

void hf_surface_idle(struct hf_surface *s, u64 now_ns)
{
	u32 j;

	for (j = 0; j < s->points; j++)
		hf_surface_visit(s, j, 0, now_ns);
	hf_surface_find_worst(s);
}

void hf_surface_find_worst(struct hf_surface *s)
{
	u32 j;

	s->worst = 0;
	for (j = 1; j < s->points; j++)
		if (s->point[j].mean_q8 > s->point[s->worst].mean_q8)
			s->worst = j;
}

u32 hf_surface_mpa(u64 mean_q8)
{
	u64 sq = (mean_q8 >> 8) + ((mean_q8 & 0xff) != 0);
	u32 root = hf_isqrt64(sq);

	return root + ((u64)root * root < sq);
}

u64 hf_surface_look(const struct hf_surface *s, u32 j, struct hf_surface_work *w,
		    const struct hf_phase_lut *lut, const struct hf_nameplate *np)
{
	const struct hf_surface_point *p = &s->point[j];
	struct hf_rows rows = { w->row, np->channels, 1 };

	hf_field_point_init(&w->point, w->row, lut, np, p->x_um, p->y_um, p->z_um);
	hf_field_quick(&w->field, lut, &rows, &w->point, w->amp_q16);
	hf_field_exact(&w->field, lut, &rows, 0, w->phase, w->amp_q16);
	return hf_field_bound_mpa(&w->point, &w->field, 0, np->channels, np->field_tol_q16);
}

static void tell_worst(struct hf_surface_state *st, const struct hf_surface *s)
{
	st->points = s->points;
	st->worst = s->worst;
	st->worst_q8 = s->points ? s->point[s->worst].mean_q8 : 0;
	if (st->worst_q8 <= st->until_q8)
		st->until_q8 = 0;
}

/*
 * Anybody can read it, and a program that sees when its point is visited knows when it
 * will not be: so it is told seldom, and not in step with rounds.
 */
static void tell_people(struct hf_surface_state *st, u64 now_ns)
{
	st->told = st->worst;
	st->told_q8 = st->worst_q8;
	st->told_took_ns = st->took_ns;
	st->told_ns = now_ns;
}

void hf_surface_begin(struct hf_surface_state *st, const struct hf_surface *s, u64 now_ns)
{
	tell_worst(st, s);
	tell_people(st, now_ns);
	st->round_ns = now_ns;
	st->round_max_ns = 2ULL * hf_surface_scan_ms(s->points, s->channels) * HF_NSEC_PER_MSEC;
}

void hf_surface_tell(struct hf_surface_state *st, const struct hf_surface *s, bool round,
		     u64 now_ns)
{
	tell_worst(st, s);
	if (now_ns > st->told_ns + st->round_max_ns / 2)
		tell_people(st, now_ns);
	if (!round)
		return;
	st->took_ns = now_ns > st->round_ns ? now_ns - st->round_ns : 0;
	st->round_ns = now_ns;
}

static bool above(const struct hf_surface_state *st, u64 bound_q8, u64 bound_mpa,
		  struct hf_reason *r)
{
	if (st->worst_q8 <= bound_q8)
		return false;
	*r = hf_reason(HF_LIM_SURFACE_MEAN, st->worst, hf_surface_mpa(st->worst_q8),
		       (s64)bound_mpa);
	return true;
}

bool hf_surface_over(const struct hf_surface_state *st, const struct hf_envelope *env,
		     struct hf_reason *r)
{
	return in_force(st, env) && above(st, square_q8(limit_mpa(env)), limit_mpa(env), r);
}

void hf_surface_rest(struct hf_surface_state *st, const struct hf_reason *r)
{
	u64 q8 = square_q8((u64)r->bound);

	st->until_q8 = q8 - q8 / HF_SURFACE_REST_PART;
}

bool hf_surface_refuses(const struct hf_surface_state *st, const struct hf_envelope *env,
			struct hf_reason *r)
{
	if (!in_force(st, env))
		return false;
	return hf_surface_over(st, env, r) ||
	       (st->until_q8 && above(st, st->until_q8, hf_surface_mpa(st->until_q8), r));
}

bool hf_surface_late(const struct hf_surface_state *st, const struct hf_envelope *env, u64 now_ns,
		     struct hf_reason *r)
{
	u64 age = now_ns > st->round_ns ? now_ns - st->round_ns : 0;

	if (!in_force(st, env) || age <= st->round_max_ns)
		return false;
	*r = hf_reason(HF_LIM_NONE, HF_NOWHERE, (s64)(age / HF_NSEC_PER_MSEC + 1),
		       (s64)(st->round_max_ns / HF_NSEC_PER_MSEC));
	return true;
}
