// SPDX-License-Identifier: GPL-2.0
/*
 * The plan of a round of the adversary: which array, which limits to begin
 * with, what will be tightened and which attacks are made. All from the seed.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adversary.h"

/* The array's constants, whatever its size. */
#define PITCH_UM	10500
#define P0_UPAM		8000000
#define WAVELENGTH_NM	8580000
#define P_DRIVE_UW	41000
#define P_ACOUSTIC_UW	159000

const char *const theme_names[THEMES] = {
	"field", "amp", "slew", "power", "rate", "foci", "lease", "burst", "heat", "time",
};

const char *const attack_names[ATTACKS] = {
	"loud", "slew-phase", "slew-amp", "power", "focus", "twin", "edge", "flat", "foci",
	"malformed", "off", "random", "masked", "nudge",
};

__u64 rng_next(struct rng *r)
{
	__u64 z = (r->s += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

__u32 rng_below(struct rng *r, __u32 n)
{
	return (__u32)(((rng_next(r) >> 32) * n) >> 32);
}

double rng_between(struct rng *r, double lo, double hi)
{
	return lo + (hi - lo) * ((double)(rng_next(r) >> 11) * 0x1p-53);
}

static void set(struct round *r, enum holdfast_limit l, __s64 value)
{
	r->limit[l] = value;
}

static void tightens(struct round *r, enum holdfast_limit l)
{
	r->tightens |= 1ULL << l;
}

/* As loose as it gets, where nothing else is said: one theme must not hide another. */
static void limits_begin(struct round *r)
{
	static const struct { enum holdfast_limit limit; __s64 value; } begin[] = {
		{ HOLDFAST_LIM_AMP_CAP, 65535 },
		{ HOLDFAST_LIM_DRIVE_DUTY, 32768 },
		{ HOLDFAST_LIM_SLEW_PHASE, 1000000000 },
		{ HOLDFAST_LIM_SLEW_AMP, 1000000000 },
		{ HOLDFAST_LIM_FRAME_INTERVAL, 1000 },
		{ HOLDFAST_LIM_POWER_INST, 10000000000LL },
		{ HOLDFAST_LIM_POWER_AVG, 10000000000LL },
		{ HOLDFAST_LIM_CHAN_RISE, 200000 },
		{ HOLDFAST_LIM_ARRAY_RISE, 200000 },
		{ HOLDFAST_LIM_TEMP_WARN, 50000 },
		{ HOLDFAST_LIM_TEMP_CRIT, 60000 },
		{ HOLDFAST_LIM_TEMP_EMERG, 70000 },
		{ HOLDFAST_LIM_TEMP_RATE, 1000000 },
		{ HOLDFAST_LIM_CURRENT, 1000000 },
		{ HOLDFAST_LIM_FOCAL_PRESSURE, 4000000000LL },
		{ HOLDFAST_LIM_FENCE_PRESSURE, 4000000000LL },
		{ HOLDFAST_LIM_DOSE, 1000000000000000LL },
		{ HOLDFAST_LIM_BOX_MIN_X, -200000 },
		{ HOLDFAST_LIM_BOX_MIN_Y, -200000 },
		{ HOLDFAST_LIM_BOX_MIN_Z, -200000 },
		{ HOLDFAST_LIM_BOX_MAX_X, 200000 },
		{ HOLDFAST_LIM_BOX_MAX_Y, 200000 },
		{ HOLDFAST_LIM_BOX_MAX_Z, 600000 },
		{ HOLDFAST_LIM_HOLD, 100 },
		{ HOLDFAST_LIM_KEEPER_DEADLINE, 500 },
		{ HOLDFAST_LIM_REJECT_BURST, 1000000 },
		{ HOLDFAST_LIM_REJECT_WINDOW, 1 },
		{ HOLDFAST_LIM_TRIP_DWELL, 0 },
		{ HOLDFAST_LIM_TICK_LATE, 200 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(begin) / sizeof(begin[0]); i++)
		set(r, begin[i].limit, begin[i].value);
	tightens(r, HOLDFAST_LIM_HOLD);
}

static void attacks(struct round *r, const unsigned int weight[ATTACKS])
{
	memcpy(r->weight, weight, sizeof(r->weight));
}

/* One of the averages in each round: they would hide each other. */
static void power_limits(struct round *r, struct rng *rng)
{
	double full_uw = r->channels * (double)(P_DRIVE_UW + P_ACOUSTIC_UW);
	double share = rng_between(rng, 0.2, 0.35);

	set(r, HOLDFAST_LIM_POWER_INST, (__s64)(full_uw * 0.8));
	tightens(r, HOLDFAST_LIM_POWER_INST);
	/* on/off hardware has only full amplitude, too hot for the first */
	switch (r->amp_levels > 1 ? r->seed % 3 : 1 + r->seed % 2) {
	case 0:
		set(r, HOLDFAST_LIM_CHAN_RISE, (__s64)((share + 0.15) * 24000));
		tightens(r, HOLDFAST_LIM_CHAN_RISE);
		break;
	case 1:
		set(r, HOLDFAST_LIM_ARRAY_RISE,
		    (__s64)(share * full_uw * 1e-6 * (double)r->rth_array));
		tightens(r, HOLDFAST_LIM_ARRAY_RISE);
		break;
	default:
		set(r, HOLDFAST_LIM_POWER_AVG, (__s64)(share * full_uw));
		tightens(r, HOLDFAST_LIM_POWER_AVG);
		break;
	}
}

static void theme_limits(struct round *r, struct rng *rng)
{
	r->fences = true;
	switch (r->theme) {
	case THEME_FIELD:
		tightens(r, HOLDFAST_LIM_FENCE_PRESSURE);
		/*                                    lo sp sa po fo tw ed fl fi ma of ra mk nu */
		attacks(r, (unsigned int[ATTACKS]){ 2, 0, 0, 0, 20, 20, 40, 6, 0, 2, 2, 6, 2, 60 });
		break;
	case THEME_AMP:
		/* one or the other is what binds */
		if (r->seed & 1)
			set(r, HOLDFAST_LIM_AMP_CAP, 50000);
		else
			set(r, HOLDFAST_LIM_DRIVE_DUTY, 12000);
		tightens(r, HOLDFAST_LIM_AMP_CAP);
		tightens(r, HOLDFAST_LIM_DRIVE_DUTY);
		r->masks = true;
		r->fences = false;
		attacks(r, (unsigned int[ATTACKS]){ 40, 0, 0, 0, 4, 4, 0, 20, 0, 2, 4, 6, 20 });
		break;
	case THEME_SLEW:
		set(r, HOLDFAST_LIM_SLEW_PHASE, 40000);
		set(r, HOLDFAST_LIM_SLEW_AMP, 200000);
		set(r, HOLDFAST_LIM_FRAME_INTERVAL, 20000);
		tightens(r, HOLDFAST_LIM_SLEW_PHASE);
		tightens(r, HOLDFAST_LIM_SLEW_AMP);
		r->fences = false;
		attacks(r, (unsigned int[ATTACKS]){ 1, 45, 45, 0, 0, 0, 0, 1, 0, 2, 4, 2, 0 });
		break;
	case THEME_POWER:
		power_limits(r, rng);
		r->fences = false;
		attacks(r, (unsigned int[ATTACKS]){ 10, 0, 0, 60, 0, 0, 0, 16, 0, 2, 4, 8, 0 });
		break;
	case THEME_RATE:
		set(r, HOLDFAST_LIM_FRAME_INTERVAL, 100000);
		tightens(r, HOLDFAST_LIM_FRAME_INTERVAL);
		attacks(r, (unsigned int[ATTACKS]){ 10, 0, 0, 0, 20, 20, 5, 25, 0, 2, 10, 8, 0 });
		break;
	case THEME_FOCI:
		set(r, HOLDFAST_LIM_BOX_MIN_Z, 20000);
		set(r, HOLDFAST_LIM_FOCAL_PRESSURE, r->channels * 12000);
		tightens(r, HOLDFAST_LIM_FOCAL_PRESSURE);
		tightens(r, HOLDFAST_LIM_BOX_MIN_X);
		tightens(r, HOLDFAST_LIM_BOX_MIN_Y);
		tightens(r, HOLDFAST_LIM_BOX_MIN_Z);
		tightens(r, HOLDFAST_LIM_BOX_MAX_X);
		tightens(r, HOLDFAST_LIM_BOX_MAX_Y);
		tightens(r, HOLDFAST_LIM_BOX_MAX_Z);
		r->fences = false;
		attacks(r, (unsigned int[ATTACKS]){ 4, 0, 0, 0, 10, 4, 0, 6, 60, 4, 2, 6, 0 });
		break;
	case THEME_LEASE:
		r->lease_ms = 120;
		tightens(r, HOLDFAST_LIM_AMP_CAP);
		attacks(r, (unsigned int[ATTACKS]){ 20, 0, 0, 0, 15, 10, 5, 20, 5, 4, 4, 10, 5 });
		break;
	case THEME_BURST:
		set(r, HOLDFAST_LIM_REJECT_BURST, 32);
		set(r, HOLDFAST_LIM_REJECT_WINDOW, 1000);
		attacks(r, (unsigned int[ATTACKS]){ 5, 0, 0, 0, 25, 15, 5, 30, 5, 5, 4, 5, 0 });
		break;
	case THEME_HEAT:
		r->fences = false;
		r->pace_us = 4000;
		attacks(r, (unsigned int[ATTACKS]){ 40, 0, 0, 0, 0, 0, 0, 40, 0, 2, 4, 12, 0 });
		break;
	case THEME_TIME:
		set(r, HOLDFAST_LIM_EMIT_MAX, 60);
		set(r, HOLDFAST_LIM_EMIT_REST, 40);
		set(r, HOLDFAST_LIM_DOSE, 10000);
		r->pace_us = 1000;
		attacks(r, (unsigned int[ATTACKS]){ 20, 0, 0, 0, 25, 15, 0, 25, 0, 2, 0, 10, 0 });
		break;
	case THEMES:
		break;
	}
}

void round_plan(struct round *r, __u64 seed, unsigned int number, int theme, __u32 quota)
{
	static const __u32 sides[] = { 8, 16, 8, 32, 16 };
	static const __u32 amps[] = { 255, 64, 1 };
	static const __u32 phases[] = { 256, 64, 1024 };
	struct rng rng = { seed ^ ((__u64)number << 40) };
	unsigned int shape = number / THEMES;

	memset(r, 0, sizeof(*r));
	r->number = number;
	r->seed = rng_next(&rng);
	r->theme = theme < 0 ? (enum theme)(number % THEMES) : (enum theme)theme;
	if (theme >= 0)
		shape = number;
	/* every theme meets every size; kind and resolution go round at their own pace */
	r->rows = sides[(shape + r->theme) % 5];
	r->cols = r->rows;
	r->channels = r->rows * r->cols;
	r->amp_levels = amps[(shape + 2 * r->theme) % 3];
	/* on/off hardware below full amplitude is off: nothing much would be emitted */
	if (r->amp_levels == 1 && (r->theme == THEME_AMP || r->theme == THEME_HEAT ||
				   r->theme == THEME_SLEW || r->theme == THEME_BURST))
		r->amp_levels = 100;
	r->phase_levels = phases[rng_below(&rng, 3)];
	r->bus = (shape + r->theme) % 4 == 3;
	r->quota = r->channels > 256 ? quota / 2 : quota;
	r->aperture_um = rng_below(&rng, 3) ? 4500 : 0;
	r->rth_chan = 120000;
	r->rth_array = 12000000 / r->channels / 64;
	r->tau_power_ms = 400;
	r->tau_chan_ms = 400;
	r->tau_array_ms = 400;
	limits_begin(r);
	theme_limits(r, &rng);
}

/* ----------------------------------------------------------- what it makes */

/* In front of the array, at its sides, behind it, close by and far away. */
static struct holdfast_fence_point place_any(const struct round *r, struct rng *rng)
{
	struct holdfast_fence_point p = {
		.x_um = (__s32)rng_between(rng, -120000, 120000),
		.y_um = (__s32)rng_between(rng, -120000, 120000),
		.z_um = (__s32)rng_between(rng, 30000, 300000),
	};

	switch (rng_below(rng, 12)) {
	case 0:	/* nearly touching a transducer */
		p.x_um = PITCH_UM / 2 + (__s32)rng_below(rng, 3000);
		p.y_um = PITCH_UM / 2;
		p.z_um = 500 + (__s32)rng_below(rng, 4000);
		break;
	case 1:	/* in its plane, beside it */
		p.x_um = (__s32)r->cols * PITCH_UM;
		p.z_um = 0;
		break;
	case 2:
		p.z_um = -p.z_um;
		break;
	case 3:
		p.z_um = 2000000 + (__s32)rng_below(rng, 3000000);
		break;
	}
	return p;
}

static void places_make(struct share *sh, struct rng *rng)
{
	const struct round *r = &sh->round;
	unsigned int i;
	__u32 c;

	for (i = 0; i < PLACES; i++) {
		struct holdfast_fence_point p = place_any(r, rng);

		sh->place[i] = p;
		physics_gains(&sh->physics, p.x_um * 1e-6, p.y_um * 1e-6, p.z_um * 1e-6,
			      sh->gain[i]);
		sh->reach[i] = 0;
		for (c = 0; c < r->channels - TAG_CHANNELS; c++)
			sh->reach[i] += cabs(sh->gain[i][c]);
	}
}

static void must_set(struct scene_array *s, const char *attr, const char *value)
{
	int ret = scene_set(s, attr, "%s", value);

	if (ret)
		scene_die("%s/%s = %s: %s", s->name, attr, value, strerror(-ret));
}

static void number_set(struct scene_array *s, const char *attr, __u64 value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", value);
	must_set(s, attr, text);
}

/* The judge's physics begins with what the driver says of the array: that must be the plan. */
static void array_check(const struct share *sh)
{
	const struct holdfast_info *in = &sh->sim.info;
	const struct round *r = &sh->round;
	__u32 i;

	if (in->channels != r->channels || in->phase_levels != r->phase_levels ||
	    in->amp_levels != r->amp_levels || in->p0_safety_upam != P0_UPAM ||
	    in->wavelength_nm != WAVELENGTH_NM || in->aperture_um != r->aperture_um ||
	    in->p_drive_uw != P_DRIVE_UW || in->p_acoustic_uw != P_ACOUSTIC_UW)
		scene_die("%s is not the array that was planned", sh->sim.node);
	for (i = 0; i < r->channels; i++) {
		const struct holdfast_channel_pos *p = &sh->sim.pos[i];
		__s32 x = (__s32)(2 * (i % r->cols) + 1 - r->cols) * PITCH_UM / 2;
		__s32 y = (__s32)(2 * (i / r->cols) + 1 - r->rows) * PITCH_UM / 2;

		if (p->x_um != x || p->y_um != y || p->z_um || p->nx_q14 || p->ny_q14 ||
		    p->nz_q14 != 16384)
			scene_die("%s: channel %u is not where it was planned", sh->sim.node, i);
	}
}

void round_make(struct share *sh, struct rng *rng)
{
	const struct round *r = &sh->round;
	struct scene_array *s = &sh->sim;
	char name[32], line[64];
	unsigned int i;
	int ret;

	/* never twice: the driver remembers an array's site envelope and dose by its name */
	snprintf(name, sizeof(name), "adversary%d-%u", (int)getpid(), r->number);
	ret = scene_mkdir(s, name);
	if (ret)
		scene_die("mkdir %s: %s", s->dir, strerror(-ret));
	must_set(s, "kind", r->bus ? "bus" : "atomic");
	number_set(s, "pitch_um", PITCH_UM);
	number_set(s, "p0_safety", P0_UPAM);
	number_set(s, "wavelength_nm", WAVELENGTH_NM);
	number_set(s, "aperture_um", r->aperture_um);
	number_set(s, "p_drive_uw", P_DRIVE_UW);
	number_set(s, "p_acoustic_uw", P_ACOUSTIC_UW);
	number_set(s, "derate_floor", DERATE_FLOOR_Q16);
	number_set(s, "rows", r->rows);
	number_set(s, "cols", r->cols);
	number_set(s, "phase_levels", r->phase_levels);
	number_set(s, "amp_levels", r->amp_levels);
	number_set(s, "baud", r->channels > 256 ? 50000000 : 20000000);
	number_set(s, "rth_chan_mk_per_w", r->rth_chan);
	number_set(s, "rth_array_mk_per_w", r->rth_array);
	number_set(s, "tau_power_ms", r->tau_power_ms);
	number_set(s, "tau_chan_ms", r->tau_chan_ms);
	number_set(s, "tau_array_ms", r->tau_array_ms);
	number_set(s, "temp_max_step_mc", 1000000);
	number_set(s, "ledger_frames", r->channels > 256 ? 4096 : 16384);
	number_set(s, "seed", r->seed >> 8);
	for (i = 0; i < HOLDFAST_LIM_COUNT; i++) {
		if (!r->limit[i] && i != HOLDFAST_LIM_TRIP_DWELL)
			continue;
		snprintf(line, sizeof(line), "%s %lld", scene_limit_name(i),
			 r->limit[i]);
		must_set(s, "limit", line);
	}
	ret = scene_live(s, true);
	if (ret)
		scene_die("%s does not go live: %s", s->name, strerror(-ret));
	array_check(sh);
	physics_init(&sh->physics, s);
	places_make(sh, rng);
	memcpy(sh->now, r->limit, sizeof(sh->now));
	memset(sh->mask, 0xff, sizeof(sh->mask));
}
