/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A dense fence: a surface of many points, where the pressure is bounded on average over a
 * minute (SURFACE_MEAN). Somebody visits the points in rotation, whom core/surface.c
 * wakes; here is what a visit counts, which point is next, and what follows from
 * the means. Never in here: gains that are kept for a point, a clock.
 */
#ifndef HF_SURFACE_H
#define HF_SURFACE_H

#include "field.h"
#include "model.h"

#define HF_MAX_SURFACE		4096
#define HF_SURFACE_TAU_MS	60000
#define HF_SURFACE_BATCH	32	/* points that are visited with one look at the output */
#define HF_SURFACE_REST_PART	16	/* of the mean square: so far below the limit ends a rest */

struct hf_surface_point {
	u64 mean_q8;	/* first-order mean of the squared peak pressure, mPa^2, Q8, rounded up */
	u64 seen_ns;	/* up to when it counts */
	s32 x_um, y_um, z_um;
	u32 order;	/* entry k: which point comes k-th in this round */
};

/* The caller allocates hf_surface_size(points). Points are sorted, one per place. */
struct hf_surface {
	u32 points;
	u32 channels;
	u32 visited;	/* in this round */
	u32 worst;	/* point with the largest mean */
	u64 gain_upa[HF_MAX_CHANNELS];	/* largest gain of a channel at any point, or above */
	struct hf_surface_point point[];
};

static inline size_t hf_surface_size(u32 points)
{
	return sizeof(struct hf_surface) + points * sizeof(struct hf_surface_point);
}

/* Place order: by x, then y, then z; 0: the same place. */
int hf_surface_order(const struct hf_surface_point *a, const struct hf_surface_point *b);

/*
 * Fills in @s, of @n + old->points points, from @add[@n] (sorted, maybe with places
 * given twice) and the surface before, @old (may be NULL). Points of old stay if @all,
 * else only those that are in @add too; what stays keeps its mean. New ones
 * begin at 0 at @now_ns. The caller then calls hf_surface_gain() for each channel.
 */
void hf_surface_merge(struct hf_surface *s, const struct hf_surface *old,
		      const struct hf_surface_point *add, u32 n, bool all, u64 now_ns);

/* Largest gain of channel @i at any point, from the distance of the nearest. O(points). */
void hf_surface_gain(struct hf_surface *s, const struct hf_nameplate *np, u32 i);

/* Every point is visited at least once within this time; what it costs: docs/models.md. */
static inline u32 hf_surface_scan_ms(u32 points, u32 channels)
{
	u32 ms = (u32)((u64)points * channels * 10000 >> 20);

	return ms > 1000 ? ms : 1000;
}

/*
 * The next point of this round, @random: any 32 bits. The order is a random permutation, new
 * each round: what repeats cannot stay out of sight of a point. s->visited is 0
 * after the last one.
 */
u32 hf_surface_next(struct hf_surface *s, u32 random);

/*
 * Point @j has had @mpa (peak, an upper bound) from its last visit until @now_ns; an earlier
 * @now_ns changes nothing. The mean is never below the one of exact arithmetic.
 */
void hf_surface_visit(struct hf_surface *s, u32 j, u64 mpa, u64 now_ns);

/* All points have had silence until @now_ns. */
void hf_surface_idle(struct hf_surface *s, u64 now_ns);

/* Finds s->worst anew. O(points), cheap. */
void hf_surface_find_worst(struct hf_surface *s);

/*
 * Pressure that no point can be above with these amplitudes, mPa, rounded up: all channels
 * in phase, each at the point nearest to it.
 */
u64 hf_surface_most_mpa(const struct hf_surface *s, const u16 *amp_q16);

/* Root of a mean, mPa, rounded up. */
u32 hf_surface_mpa(u64 mean_q8);

/* What a visit works with. Zeroed to begin with. */
struct hf_surface_work {
	u16 phase[HF_MAX_CHANNELS];	/* the output that is looked at: wire phases, */
	u16 amp_q16[HF_MAX_CHANNELS];	/* re-expanded amplitudes */
	struct hf_field_point point;
	struct hf_field_work field;
	u8 row[HF_ROW_MAX] __attribute__((aligned(32)));
};

/* Upper bound of the pressure at point @j with the output in @w, mPa. Compiles the point. */
u64 hf_surface_look(const struct hf_surface *s, u32 j, struct hf_surface_work *w,
		    const struct hf_phase_lut *lut, const struct hf_nameplate *np);

/* All that admission and the governor look at. All zero: there is no surface. */
struct hf_surface_state {
	u32 points;
	u32 worst;		/* the point with the largest mean */
	u64 worst_q8;		/* that mean */
	u64 until_q8;		/* resting until it is down to this; 0: not resting */
	u64 round_ns;		/* when the last round was over */
	u64 round_max_ns;	/* the next has to be over so much later: twice the stated time */
	u64 took_ns;		/* the last round */
	/* For people: @worst as of the last time that a stated time had passed. */
	u32 told;
	u64 told_q8;
	u64 told_took_ns;
	u64 told_ns;
};

/* A surface is new, or has changed. */
void hf_surface_begin(struct hf_surface_state *st, const struct hf_surface *s, u64 now_ns);

/* After visits up to @now_ns; @round: they have ended a round. */
void hf_surface_tell(struct hf_surface_state *st, const struct hf_surface *s, bool round,
		     u64 now_ns);

/* Is a mean above @env's SURFACE_MEAN, so that outputs must go off? @r says which and how much. */
bool hf_surface_over(const struct hf_surface_state *st, const struct hf_envelope *env,
		     struct hf_reason *r);

/* Outputs went off for @r of hf_surface_over(). */
void hf_surface_rest(struct hf_surface_state *st, const struct hf_reason *r);

/* Are frames with sound refused: is a mean too high, or not far enough down since a rest? */
bool hf_surface_refuses(const struct hf_surface_state *st, const struct hf_envelope *env,
			struct hf_reason *r);

/* Has a round not been completed in time, while @env bounds the means? @r: ms, and allowed. */
bool hf_surface_late(const struct hf_surface_state *st, const struct hf_envelope *env, u64 now_ns,
		     struct hf_reason *r);

#endif /* HF_SURFACE_H */
