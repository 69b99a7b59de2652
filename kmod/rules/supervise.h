/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the governor decides at each tick: deadlines, holds, emission time,
 * models, its own lateness. Pure: the caller gives the time and acts.
 */
#ifndef HF_SUPERVISE_H
#define HF_SUPERVISE_H

#include "model.h"
#include "quota.h"
#include "sensors.h"
#include "states.h"
#include "surface.h"

struct hf_watch {
	enum hf_state state;
	bool emergency;		/* the trip that is latched was an emergency */
	u64 tick_due_ns;	/* when this tick should have run */
	u64 beat_ns;		/* last beat that counted; 0: no keeper */
	u64 frame_ns;		/* last admitted frame */
	u64 lease_expires_ns;	/* of the lease that emits; 0 = never */
	const struct hf_quota *quota;	/* of whose frame is emitted; NULL: none */
	u64 sensor_loop_ns;	/* the sensor thread's last completed round */
	u64 sensor_loop_max_ns;	/* its own deadline; not judged if there are no sensors */
	const struct hf_surface_state *surface;	/* NULL: none */
};

enum hf_action {
	HF_ACT_NONE = 0,
	HF_ACT_REST,		/* outputs off, stay armed */
	HF_ACT_TRIP_GOVERNOR_LATE,
	HF_ACT_TRIP_SENSOR_THREAD,
	HF_ACT_TRIP_KEEPER,
	HF_ACT_TRIP_POWER,
	HF_ACT_TRIP_THERMAL,
	HF_ACT_TRIP_DOSE,
	HF_ACT_TRIP_SENSOR,	/* see the sensor verdict */
};

struct hf_decision {
	enum hf_action action;
	struct hf_reason reason;	/* REST: HOLD, EMIT_*, SURFACE_MEAN, a quota, NONE: lease */
	u64 onset_ns;
};

/*
 * Decides for @now_ns. @m must be advanced to @now_ns. Sensor trips come from
 * @sv (hf_sensors_judge). Which check applies in which state, and in which
 * order: the table in supervise.c. In short: while silent or tripped
 * only an emergency temperature trips (once), and models and rests are judged
 * while emitting.
 */
void hf_supervise(const struct hf_watch *w, const struct hf_envelope *env, const struct hf_model *m,
		  const struct hf_nameplate *np, const struct hf_sensor_verdict *sv, u64 now_ns,
		  struct hf_decision *out);

/*
 * Would the state of things forbid arming (or stand in the way of a reset)?
 * True: @why and @r say what: a sensor's demand, dose used up, average power or
 * a modelled rise above its limit, rest time not over (HF_ACT_REST, EMIT_REST:
 * measured = ms rested, bound = ms to rest). @m must be advanced to @now_ns.
 */
bool hf_blocked(const struct hf_envelope *env, const struct hf_model *m,
		const struct hf_nameplate *np, const struct hf_sensor_verdict *sv, u64 now_ns,
		enum hf_action *why, struct hf_reason *r);

/* Rejected frames in two adjoining windows (REJECT_BURST, REJECT_WINDOW). All zero: none. */
struct hf_burst {
	u64 start_ns;	/* of the present window */
	u32 count;	/* in it */
	u32 prev;	/* in the one before */
	u64 until_ns;	/* from then on neither counts */
};

/*
 * One more rejected frame. 0, or if that is a burst how many frames it has;
 * counting then starts anew. REJECT_BURST frames within any REJECT_WINDOW
 * always are one; fewer, or as many spread over more than twice the window, never.
 */
u32 hf_burst_add(struct hf_burst *b, const struct hf_envelope *env, u64 now_ns);

/* Does anything in it still count? False: it may be forgotten. */
bool hf_burst_counts(const struct hf_burst *b, u64 now_ns);

/*
 * The limit with the least room left relative to its bound, of those that
 * change with time (temperature, power, rise, dose, emission time, pressure at
 * fence points). @site: whose fence points @site_fence_mpa[] are (their limits;
 * FENCE_PRESSURE and all others come from @env). For display only.
 */
struct hf_reason hf_nearest(const struct hf_envelope *env, const struct hf_envelope *site,
			    const struct hf_model *m, const struct hf_sensors *st,
			    const struct hf_nameplate *np, const u32 *site_fence_mpa,
			    u64 now_ns);

#endif /* HF_SUPERVISE_H */
