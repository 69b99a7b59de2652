/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Admission of a frame: the one pipeline of DESIGN 3.1, in one place.
 * decode -> calibrate -> quantise -> mask -> amplitude cap -> slew -> rate ->
 * power and thermal projection -> field at fence points -> foci. Checks run on
 * the wire values; what comes out is what is committed.
 */
#ifndef HF_ADMIT_H
#define HF_ADMIT_H

#include "field.h"
#include "model.h"
#include "quota.h"
#include "surface.h"

struct hf_focus { s32 x_um, y_um, z_um; };

/* A frame as asked for. */
struct hf_request {
	const u16 *phase;	/* [channels], turn/65536 */
	const u16 *amp;		/* [channels], Q0.16 */
	u32 channels;
	bool attenuate;
	u32 nfoci;
	struct hf_focus foci[HF_MAX_FOCI];
};

/* A frame as committed: wire values and what they mean. */
struct hf_wire {
	u32 channels;
	u32 on;				/* channels with a non-zero amplitude */
	u16 phase[HF_MAX_CHANNELS];	/* 0..phase_levels-1 */
	u16 level[HF_MAX_CHANNELS];	/* 0..amp_levels */
	u16 amp_q16[HF_MAX_CHANNELS];	/* re-expanded, rounded up */
	u32 chan_power_uw[HF_MAX_CHANNELS];	/* hf_chan_power_uw() of it */
	u64 power_uw;			/* of all */
	u32 nfoci;			/* as declared, so that a held frame can be judged again */
	struct hf_focus foci[HF_MAX_FOCI];
	u32 points;
	u32 point_mpa[HF_MAX_FENCE];	/* upper bound per fence point of the rules used */
};

/* What a step of amplitude means. */
struct hf_level {
	u32 power_uw;		/* of one channel */
	u16 amp_q16;		/* re-expanded, rounded up */
	u16 reserved;
};

/*
 * An effective envelope made ready for use. Large (256 channels, 64 points: 200 KiB): the
 * caller allocates hf_rules_size(points, np) bytes. Immutable once built.
 */
struct hf_rules {
	struct hf_envelope env;
	const struct hf_nameplate *np;
	const struct hf_phase_lut *lut;
	u16 amp_cap;		/* from AMP_CAP and DRIVE_DUTY */
	struct hf_focus lo, hi;	/* box around all channels */
	u32 site_index[HF_MAX_FENCE];	/* of point j in the site fence, or HF_NOWHERE */
	struct hf_lag lag_power, lag_chan, lag_array;	/* over the time that a frame is held */
	struct hf_grid grid;
	const struct hf_level *level;	/* [amp_levels + 1] */
	u64 id;			/* tells these rules from all others of the array; 0: none given */
	u32 points;
	struct hf_field_point point[HF_MAX_FENCE];
	struct hf_rows rows;	/* of the points */
	u8 room[] __attribute__((aligned(32)));	/* rows, then levels */
};

static inline size_t hf_rules_size(u32 points, const struct hf_nameplate *np)
{
	return sizeof(struct hf_rules) + points * hf_row_size(np->channels) +
	       (np->amp_levels + 1) * sizeof(struct hf_level);
}

/*
 * Builds @r (of hf_rules_size(env->nfence, np) bytes) from an effective
 * envelope in canonical form; @r->id is 0. @site: the site envelope, to tell its
 * fence points (may be NULL: none). Slow (a square root and a sine per channel and
 * point): process context, never under a lock that the governor takes.
 */
void hf_rules_build(struct hf_rules *r, const struct hf_nameplate *np,
		    const struct hf_phase_lut *lut, const struct hf_envelope *env,
		    const struct hf_envelope *site);

/* A frame is held for HOLD, and the tick that ends it may be as late as it is allowed to be. */
static inline u64 hf_hold_ms(const struct hf_envelope *env)
{
	return (u64)(env->limit[HF_LIM_HOLD] + env->limit[HF_LIM_TICK_LATE]);
}

/* What of the past a frame is judged against. */
struct hf_context {
	u64 now_ns;
	u64 last_commit_ns;	/* 0: never */
	const struct hf_wire *last;	/* output now; NULL: off */
	const struct hf_model *model;	/* advanced to now_ns; lazily is enough */
	u32 derate_q16;		/* amplitude cap factor, 65536 = none */
	const struct hf_quota *quota;	/* of whom the frame is; NULL: none */
	struct hf_surface_state surface;	/* all zero: none */
};

/*
 * Scratch of one admission, too large for a kernel stack. Zeroed to begin with, then
 * left alone between admissions: a frame that differs in few channels from the one
 * before is cheaper.
 */
struct hf_scratch {
	struct hf_field_work field;	/* of the fence; remembers the last frame */
	struct hf_field_work focus_field;
	struct hf_field_point focus;
	u8 focus_row[HF_ROW_MAX] __attribute__((aligned(32)));
	struct hf_model model;	/* of the self-test only */
};

enum hf_verdict { HF_ADMIT, HF_ATTENUATE, HF_REJECT };

struct hf_result {
	enum hf_verdict verdict;
	u32 scale_q16;		/* HF_Q16_ONE = none */
	struct hf_reason reason;	/* of reject and attenuate: the limit that bound */
};

/*
 * Judges @req. On admit and attenuate @out holds the frame to commit; on
 * reject @out means nothing. A frame of another size than the nameplate's, or
 * with too many foci, is malformed: rejected with HF_LIM_NONE. A frame that is
 * off on every channel (after calibration, rounding and mask) is always
 * admitted, at any time: silence is always possible.
 *
 * A quota that is used up comes before all limits, whatever @req->attenuate says.
 *
 * Reasons: AMP_CAP stands for DRIVE_DUTY and derating too (bound = the cap in
 * force). FRAME_INTERVAL: measured = ns since the last commit. EMIT_REST:
 * measured = ms rested so far. SURFACE_MEAN: where = point of the surface, bound = what
 * a rest has to come down to where that is tighter. POWER_AVG, CHAN_RISE, ARRAY_RISE,
 * DOSE: measured = the projection to the end of HOLD and TICK_LATE. FENCE_PRESSURE,
 * DOSE: where = index in r->env.fence, bound = the point's own limit where that is tighter. BOX_*,
 * FOCAL_PRESSURE: where = index of the focus. Without @req->attenuate the first
 * broken limit of the pipeline is named, with it the one that binds most.
 *
 * Worst case: HF_ADMIT_PASSES evaluations of the field.
 */
#define HF_ADMIT_PASSES 8
void hf_admit(const struct hf_rules *r, const struct hf_context *ctx, const struct hf_request *req,
	      struct hf_scratch *scratch, struct hf_wire *out, struct hf_result *res);

/*
 * Is a frame that was admitted earlier still admissible under @r (a tightened
 * envelope, a new derating)? Only then may it be held. Everything is judged but
 * frame interval and slew. @w->points and point_mpa are brought up to date with
 * @r; nothing else of @w changes. @res as for hf_admit, never HF_ATTENUATE.
 */
bool hf_recheck(const struct hf_rules *r, const struct hf_context *ctx, struct hf_wire *w,
		struct hf_scratch *scratch, struct hf_result *res);

/*
 * Known-answer test of trig, field and admission; 0, or the number of the
 * failed part. All arguments are room to work in; @r of
 * HF_SELF_TEST_ROOM bytes. @way: of summing products, one that may be used here.
 */
#define HF_SELF_TEST_ROOM (sizeof(struct hf_rules) + 4096)
int hf_rules_self_test(struct hf_scratch *scratch, struct hf_rules *r, struct hf_nameplate *np,
		       struct hf_phase_lut *lut, struct hf_wire *w, const struct hf_dot_way *way);

#endif /* HF_ADMIT_H */
