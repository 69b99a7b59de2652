// SPDX-License-Identifier: GPL-2.0
/*
 * How attacking frames are made: wire values first, chosen with the same
 * physics that will judge them, then the request that should become them. What
 * the driver does with them is of no concern here.
 */
#include <string.h>

#include "adversary.h"

#define TWO_PI		6.283185307179586476925286766559
#define EDGE_MOVES	300

static const struct round *round_of(const struct aim *a)
{
	return &a->sh->round;
}

/* Channels that may be on: all but those that carry the tag. */
static __u32 usable(const struct aim *a)
{
	return round_of(a)->channels - TAG_CHANNELS;
}

__u16 tag_step(const struct round *r, __u32 tag, unsigned int i)
{
	return (__u16)((tag >> (4 * i) & (TAG_STEPS - 1)) * (r->phase_levels / TAG_STEPS));
}

__u32 tag_read(const struct round *r, const __u16 *phase)
{
	const __u16 *p = phase + r->channels - TAG_CHANNELS;
	__u32 tag = 0;
	unsigned int i;

	for (i = 0; i < TAG_CHANNELS; i++)
		tag |= (__u32)(p[i] / (r->phase_levels / TAG_STEPS)) << (4 * i);
	return tag;
}

static __s64 site_limit(const struct aim *a, unsigned int l)
{
	return __atomic_load_n(&a->sh->now[l], __ATOMIC_RELAXED);
}

/* The tighter of what the attacker knows of the site and its own lease. */
static double limit_known(const struct aim *a, enum holdfast_limit l)
{
	__s64 v = site_limit(a, l);

	if (a->own->set >> l & 1 && a->own->limit[l] < v)
		v = a->own->limit[l];
	return (double)v;
}

static __u16 cap_level(const struct aim *a)
{
	double duty = sin(TWO_PI / 2 * limit_known(a, HOLDFAST_LIM_DRIVE_DUTY) / 65536);
	double cap = limit_known(a, HOLDFAST_LIM_AMP_CAP) / 65535;

	return (__u16)((duty < cap ? duty : cap) * round_of(a)->amp_levels);
}

/* A level between off and the cap, loud ones as often as quiet ones. */
static __u16 some_level(struct aim *a)
{
	__u16 cap = cap_level(a);

	return cap ? (__u16)(1 + rng_below(a->rng, cap)) : 0;
}

static void all_levels(struct aim *a, __u16 level)
{
	__u32 i;

	for (i = 0; i < usable(a); i++)
		a->level[i] = level;
}

/* --------------------------------------------------------------- phases */

/* In phase at a place, or with a half of the array turned round: its null. */
static void phases_at(struct aim *a, const double complex *g, bool twin)
{
	const struct round *r = round_of(a);
	double axis = rng_between(a->rng, 0, TWO_PI);
	double cx = cos(axis), cy = sin(axis);
	__u32 i;

	for (i = 0; i < usable(a); i++) {
		double turns = -carg(g[i]) / TWO_PI;

		if (twin && cx * a->sh->sim.pos[i].x_um + cy * a->sh->sim.pos[i].y_um > 0)
			turns += 0.5;
		turns -= floor(turns);
		a->step[i] = (__u16)((__u32)(turns * r->phase_levels + 0.5) % r->phase_levels);
	}
}

static void phases_random(struct aim *a)
{
	__u32 i;

	for (i = 0; i < usable(a); i++)
		a->step[i] = (__u16)rng_below(a->rng, round_of(a)->phase_levels);
}

static void phases_flat(struct aim *a)
{
	__u16 step = (__u16)rng_below(a->rng, round_of(a)->phase_levels);
	__u32 i;

	for (i = 0; i < usable(a); i++)
		a->step[i] = step;
}

/* The pattern of the round, the same for all submitters: what slewing starts from. */
static void phases_base(struct aim *a)
{
	struct rng base = { round_of(a)->seed };
	__u32 i;

	for (i = 0; i < usable(a); i++)
		a->step[i] = (__u16)rng_below(&base, round_of(a)->phase_levels);
}

/* ---------------------------------------------------------- fence points */

/* A fence point in force: the site's, or the lease's own. */
static bool fence_pick(struct aim *a, struct fence *f)
{
	unsigned int n = __atomic_load_n(&a->sh->nfence, __ATOMIC_ACQUIRE);
	unsigned int all = n + a->own->nfence, i;

	if (!all)
		return false;
	i = rng_below(a->rng, all);
	*f = i < n ? a->sh->fence[i] : a->own->fence[i - n];
	return true;
}

static double fence_limit_pa(const struct aim *a, const struct fence *f)
{
	double common = limit_known(a, HOLDFAST_LIM_FENCE_PRESSURE);

	return (f->limit_mpa < common ? f->limit_mpa : common) * 1e-3;
}

static double pressure(const struct aim *a, const double complex *g)
{
	return physics_pressure(&a->sh->physics, g, a->step, a->level);
}

/* Scales the levels so that the pressure at @g becomes about @pa. */
static void scale_to(struct aim *a, const double complex *g, double pa)
{
	double now = pressure(a, g);
	double k = now > 0 ? pa / now : 0;
	__u16 cap = cap_level(a);
	__u32 i;

	for (i = 0; i < usable(a); i++) {
		double level = a->level[i] * k + 0.5;

		a->level[i] = level < cap ? (__u16)level : cap;
	}
}

/*
 * Moves single channels by one level until the pressure is as near to @pa as it
 * will come. This is what finds an error bound that is too small: the frame is
 * too loud by less than what the fixed point can tell.
 */
static void tune_to(struct aim *a, const double complex *g, double pa)
{
	const struct physics *p = &a->sh->physics;
	__u16 cap = cap_level(a);
	double complex sum = 0;
	double miss;
	unsigned int m;
	__u32 i;

	for (i = 0; i < usable(a); i++)
		sum += a->level[i] * p->turn[a->step[i]] * g[i];
	pa *= p->amp_levels;
	miss = fabs(cabs(sum) - pa);
	for (m = 0; m < EDGE_MOVES; m++) {
		int by = rng_next(a->rng) & 1 ? 1 : -1;
		double complex moved;

		i = rng_below(a->rng, usable(a));
		if ((by < 0 && !a->level[i]) || (by > 0 && a->level[i] >= cap))
			continue;
		moved = sum + by * p->turn[a->step[i]] * g[i];
		/* only from above: too quiet would be admitted rightly */
		if (cabs(moved) < pa || fabs(cabs(moved) - pa) >= miss)
			continue;
		sum = moved;
		miss = fabs(cabs(sum) - pa);
		a->level[i] = (__u16)(a->level[i] + by);
	}
}

static void make_fence(struct aim *a)
{
	const double complex *g;
	struct fence f;
	double pa;

	if (!fence_pick(a, &f)) {
		phases_base(a);
		all_levels(a, some_level(a));
		return;
	}
	g = a->sh->gain[f.place];
	pa = fence_limit_pa(a, &f);
	phases_at(a, g, a->attack == ATTACK_TWIN ||
			(a->attack == ATTACK_EDGE && rng_chance(a->rng, 70)));
	all_levels(a, a->attack == ATTACK_FOCUS ? cap_level(a) : some_level(a));
	if (a->attack == ATTACK_TWIN && rng_chance(a->rng, 50))
		return;
	if (a->attack != ATTACK_EDGE) {
		scale_to(a, g, pa * rng_between(a->rng, 0.9, 1.08));
		return;
	}
	/* a null is never exact: what is left over is scaled to the limit */
	scale_to(a, g, pa * rng_between(a->rng, 1.0, 1.02));
	tune_to(a, g, pa * (1 + pow(10, rng_between(a->rng, -7, -3))));
}

/* ---------------------------------------------------------- other attacks */

/* Levels whose power is about @uw: uniform, or fewer channels where that is too little. */
static void level_of_power(struct aim *a, double uw)
{
	const struct physics *p = &a->sh->physics;
	double each = uw / usable(a) - p->p_drive_uw;
	double level = each > 0 ? sqrt(each / p->p_acoustic_uw) * p->amp_levels : 0;
	__u16 cap = cap_level(a);
	double on;
	__u32 i;

	if (level >= 1) {
		all_levels(a, level < cap ? (__u16)(level + 0.5) : cap);
		return;
	}
	on = uw / (p->p_drive_uw + p->p_acoustic_uw / (p->amp_levels * p->amp_levels));
	for (i = 0; i < usable(a); i++)
		a->level[i] = rng_between(a->rng, 0, usable(a)) < on;
}

static void make_power(struct aim *a)
{
	static const enum holdfast_limit aims[] = {
		HOLDFAST_LIM_POWER_INST, HOLDFAST_LIM_POWER_AVG,
	};
	double uw = limit_known(a, aims[rng_below(a->rng, 2)]);

	phases_base(a);
	level_of_power(a, uw * rng_between(a->rng, 0.8, 1.25));
}

static void make_slew(struct aim *a)
{
	const struct round *r = round_of(a);
	double ms = rng_between(a->rng, 0.02, 0.3);
	double reach = limit_known(a, HOLDFAST_LIM_SLEW_PHASE) * ms / 65536 * r->phase_levels;
	double rise = limit_known(a, HOLDFAST_LIM_SLEW_AMP) * ms / 65535 * r->amp_levels;
	__u16 cap = cap_level(a);
	__u32 i;

	phases_base(a);
	all_levels(a, (__u16)(cap / 2 + 1));
	for (i = 0; i < usable(a); i++) {
		if (a->attack == ATTACK_SLEW_PHASE) {
			int by = (int)rng_between(a->rng, -reach - 1, reach + 1);
			int step = (a->step[i] + by) % (int)r->phase_levels;

			a->step[i] = (__u16)(step < 0 ? step + (int)r->phase_levels : step);
		} else {
			double level = cap / 2 + rng_between(a->rng, -rise - 1, rise + 1);

			a->level[i] = level < 0 ? 0 : level > cap ? cap : (__u16)level;
		}
	}
}

static void make_masked(struct aim *a)
{
	__u32 i;

	phases_random(a);
	for (i = 0; i < usable(a); i++) {
		__u64 mask = __atomic_load_n(&a->sh->mask[i / 64], __ATOMIC_RELAXED);

		a->level[i] = !(mask >> (i % 64) & 1) || rng_chance(a->rng, 20) ? some_level(a) : 0;
	}
}

/* Few channels move: a driver that reckons only these must not lose one. */
static void nudge(struct aim *a)
{
	const struct round *r = round_of(a);
	__u32 n = 1 + rng_below(a->rng, 6);

	while (n--) {
		__u32 i = rng_below(a->rng, usable(a));

		a->step[i] = (__u16)rng_below(a->rng, r->phase_levels);
		if (rng_chance(a->rng, 20))
			a->level[i] = some_level(a);
	}
}

static void make_levels(struct aim *a)
{
	const struct round *r = round_of(a);
	__u32 i;

	if (a->attack != ATTACK_NUDGE)
		memset(a->level, 0, r->channels * sizeof(a->level[0]));
	switch (a->attack) {
	case ATTACK_NUDGE:
		nudge(a);
		break;
	case ATTACK_LOUD:
		phases_random(a);
		for (i = 0; i < usable(a); i++)
			a->level[i] = (__u16)rng_below(a->rng, r->amp_levels + 1u);
		if (rng_chance(a->rng, 50))
			all_levels(a, (__u16)(cap_level(a) + rng_below(a->rng, 3)));
		break;
	case ATTACK_SLEW_PHASE:
	case ATTACK_SLEW_AMP:
		make_slew(a);
		break;
	case ATTACK_POWER:
		make_power(a);
		break;
	case ATTACK_FOCUS:
	case ATTACK_TWIN:
	case ATTACK_EDGE:
		make_fence(a);
		break;
	case ATTACK_FOCI:
	case ATTACK_FLAT:
		phases_flat(a);
		all_levels(a, some_level(a));
		break;
	case ATTACK_MASKED:
		make_masked(a);
		break;
	case ATTACK_OFF:
		phases_random(a);
		break;
	default:
		phases_random(a);
		for (i = 0; i < usable(a); i++)
			a->level[i] = (__u16)rng_below(a->rng, cap_level(a) + 1u);
		break;
	}
	for (i = 0; i < r->channels; i++)
		if (a->level[i] > r->amp_levels)
			a->level[i] = (__u16)r->amp_levels;
}

/* ------------------------------------------------------------------- foci */

static __s32 box_value(struct aim *a, unsigned int axis, bool outside)
{
	__s32 lo = (__s32)site_limit(a, HOLDFAST_LIM_BOX_MIN_X + axis);
	__s32 hi = (__s32)site_limit(a, HOLDFAST_LIM_BOX_MAX_X + axis);

	if (outside)
		return rng_chance(a->rng, 50) ? hi + 1 + (__s32)rng_below(a->rng, 20000) :
						lo - 1 - (__s32)rng_below(a->rng, 20000);
	return rng_chance(a->rng, 10) ? hi : lo + (__s32)rng_below(a->rng, (__u32)(hi - lo) + 1);
}

/* Places in the box, or now and then beside it */
static void foci_place(struct aim *a, struct holdfast_frame *f)
{
	struct holdfast_focus *focus = scene_foci(f);
	unsigned int i, axis, wrong;

	for (i = 0; i < f->foci; i++) {
		__s32 at[3];

		wrong = a->attack == ATTACK_FOCI && rng_chance(a->rng, 30) ?
			rng_below(a->rng, 3) : 3;
		for (axis = 0; axis < 3; axis++)
			at[axis] = box_value(a, axis, axis == wrong);
		focus[i] = (struct holdfast_focus){ at[0], at[1], at[2], 0, 0 };
	}
}

static void foci_fill(struct aim *a, struct holdfast_frame *f)
{
	struct holdfast_focus *focus = scene_foci(f);

	foci_place(a, f);
	/* really focused there, as loud as it may be or a little louder */
	if (a->attack == ATTACK_FOCI && rng_chance(a->rng, 70)) {
		double complex g[HOLDFAST_MAX_CHANNELS];
		double pa = limit_known(a, HOLDFAST_LIM_FOCAL_PRESSURE) * 1e-3;

		physics_gains(&a->sh->physics, focus[0].x_um * 1e-6, focus[0].y_um * 1e-6,
			      focus[0].z_um * 1e-6, g);
		phases_at(a, g, rng_chance(a->rng, 20));
		all_levels(a, cap_level(a));
		scale_to(a, g, pa * rng_between(a->rng, 0.95, 1.05));
	}
}

/* ------------------------------------------------- frames of foci alone */

/* Share of the drive with which a focus at the first place is about @pa there. */
static double share_for(struct aim *a, const struct holdfast_focus *f, double pa)
{
	double complex g[HOLDFAST_MAX_CHANNELS];
	double full = 0;
	__u32 i;

	physics_gains(&a->sh->physics, f->x_um * 1e-6, f->y_um * 1e-6, f->z_um * 1e-6, g);
	for (i = 0; i < round_of(a)->channels; i++)
		full += cabs(g[i]);
	return pa * rng_between(a->rng, 0.9, 1.08) / full;
}

/* What all foci together ask for, share of the drive. */
static double compute_share(struct aim *a, struct holdfast_focus *focus)
{
	double cap = (double)cap_level(a) / round_of(a)->amp_levels;
	struct fence f;

	switch (a->attack) {
	case ATTACK_OFF:
		return 0;
	case ATTACK_LOUD:
	case ATTACK_MASKED:
		return cap + rng_between(a->rng, -0.02, 0.02);
	case ATTACK_FOCUS:
	case ATTACK_TWIN:
	case ATTACK_EDGE:
		if (!fence_pick(a, &f))
			return cap;
		focus->x_um = a->sh->place[f.place].x_um;
		focus->y_um = a->sh->place[f.place].y_um;
		focus->z_um = a->sh->place[f.place].z_um;
		return share_for(a, focus, fence_limit_pa(a, &f));
	case ATTACK_FOCI:
		if (rng_chance(a->rng, 70))
			return share_for(a, focus, limit_known(a, HOLDFAST_LIM_FOCAL_PRESSURE) *
						   1e-3);
		return rng_between(a->rng, 0, cap);
	default:
		return rng_chance(a->rng, 30) ? cap : rng_between(a->rng, 0, cap);
	}
}

/*
 * The judge tells such a frame by what it makes. Where two submitters aim at one
 * place the first phase tells them apart: wire steps modulo SUBMITTERS.
 */
static void compute_fill(struct aim *a, struct holdfast_frame *f)
{
	const struct round *r = round_of(a);
	struct holdfast_focus *focus = scene_foci(f);
	__u32 cell = 65536 / r->phase_levels, left, i;
	double share;

	foci_place(a, f);
	share = compute_share(a, focus);
	left = share <= 0 ? 0 : share >= 1 ? 65535 : (__u32)(share * 65535);
	for (i = 0; i < f->foci; i++) {
		bool last = i + 1u == f->foci;

		focus[i].amp = (__u16)(last ? left : rng_below(a->rng, left + 1));
		focus[i].phase = (__u16)rng_next(a->rng);
		left -= focus[i].amp;
	}
	i = (a->tag & 0xffffff) * SUBMITTERS + (a->tag >> 24);
	focus[0].phase = (__u16)(i % r->phase_levels * cell);
}

/* The request that the wire values come from, with whatever rounding takes off again. */
static void request_fill(struct aim *a, struct holdfast_frame *f)
{
	const struct round *r = round_of(a);
	__u16 *phase = scene_phases(f), *amp = scene_amps(f);
	__u32 cell = 65536 / r->phase_levels, quantum = 65535 / r->amp_levels;
	bool rough = rng_chance(a->rng, 50);
	__u32 i;

	for (i = 0; i < r->channels; i++) {
		bool off = i >= usable(a) || !a->level[i];
		__u32 noise = rough ? rng_below(a->rng, cell) : cell / 2;
		__u32 up = rough && !off ? rng_below(a->rng, quantum) : 0;

		if (i >= usable(a))
			noise = cell / 2;
		phase[i] = (__u16)(a->step[i] * cell + noise - cell / 2);
		amp[i] = off ? 0 : (__u16)((a->level[i] * 65535u + r->amp_levels - 1) /
					   r->amp_levels);
		if (amp[i] + up <= 65535)
			amp[i] = (__u16)(amp[i] + up);
	}
}

/* How many foci: mostly one. */
static unsigned int some_foci(struct aim *a)
{
	return 1 + (rng_chance(a->rng, 30) ? rng_below(a->rng, HOLDFAST_MAX_FOCI) : 0);
}

static void phases_frame(struct aim *a, struct holdfast_frame *f)
{
	const struct round *r = round_of(a);
	unsigned int foci = 0, i;

	if (a->attack == ATTACK_FOCI)
		foci = some_foci(a);
	else if (rng_chance(a->rng, 10))
		foci = 1;
	scene_frame_init(f, r->channels, foci);
	make_levels(a);
	foci_fill(a, f);
	for (i = 0; i < TAG_CHANNELS; i++)
		a->step[usable(a) + i] = tag_step(r, a->tag, i);
	request_fill(a, f);
}

void aim_frame(struct aim *a, struct holdfast_frame *f)
{
	const struct round *r = round_of(a);
	bool raw = a->own->rights & HOLDFAST_RIGHT_RAW;

	/* now and then one without the right that it needs */
	if (rng_chance(a->rng, raw ? 2 : 90)) {
		scene_foci_init(f, r->channels, some_foci(a));
		compute_fill(a, f);
	} else {
		phases_frame(a, f);
	}
	f->cookie = a->tag;
	if (rng_chance(a->rng, 40))
		f->flags |= HOLDFAST_FRAME_ATTENUATE;
	if (rng_chance(a->rng, r->theme == THEME_RATE ? 20 : 50))
		f->flags |= HOLDFAST_FRAME_WAIT;
}

/* What foci may not say: anything beside phases, more than the drive, nothing at all. */
static void spoil_foci(struct aim *a, struct holdfast_frame *f)
{
	struct holdfast_focus *last;

	if (!f->foci) {
		f->foci = 1;
		return;
	}
	last = &scene_foci(f)[f->foci - 1];
	if (!(f->flags & HOLDFAST_FRAME_COMPUTE)) {
		last->amp = (__u16)rng_next(a->rng);
		last->phase = (__u16)(rng_next(a->rng) | 1);
	} else if (f->foci > 1) {
		scene_foci(f)[0].amp = 65535;
		last->amp = (__u16)(1 + rng_below(a->rng, 65535));
	} else {
		f->size -= sizeof(*last);
		f->foci = 0;
	}
}

size_t aim_spoil(struct aim *a, struct holdfast_frame *f)
{
	size_t bytes = f->size;
	__u32 bit = 1u << rng_below(a->rng, 30);

	switch (rng_below(a->rng, 12)) {
	case 0:
		f->magic ^= bit;
		break;
	case 1:
		f->size += 4;
		break;
	case 2:
		f->size -= 4;
		break;
	case 3:
		f->size = (__u32)rng_next(a->rng) | 1;
		break;
	case 4:
		f->channels = (__u16)(f->channels + (rng_next(a->rng) & 1 ? 1 : -1));
		break;
	case 5:
		f->channels = 0;
		break;
	case 6:
		f->foci = (__u16)(HOLDFAST_MAX_FOCI + 1 + rng_below(a->rng, 60000));
		break;
	case 7:
		f->flags |= 8u << rng_below(a->rng, 29);
		break;
	case 8:
		f->present_ns = rng_next(a->rng) | 1;
		break;
	case 9:
		/* cut short */
		return 1 + rng_below(a->rng, (__u32)bytes - 1);
	case 10:
		/* size and channels agree, but not with the array */
		f->channels = (__u16)(f->channels / 2);
		f->size -= 4u * f->channels;
		break;
	default:
		spoil_foci(a, f);
		break;
	}
	return bytes;
}
