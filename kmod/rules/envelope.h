/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Envelopes as a lattice: loosest, validate, meet, comparison, tighten.
 * Knows nothing of arrays, frames or time.
 */
#ifndef HF_ENVELOPE_H
#define HF_ENVELOPE_H

#include "limits.h"

/* A protected point. Position within +-10 m of the array's origin. */
struct hf_fence_point {
	s32 x_um;
	s32 y_um;
	s32 z_um;
	u32 limit_mpa;	/* peak pressure allowed there */
};

/*
 * Fence points are kept sorted by (x, y, z) and unique in place, unused ones
 * zero (canonical form), so that equal envelopes are equal field by field.
 */
struct hf_envelope {
	s64 limit[HF_LIM_COUNT];
	u64 mask[HF_MASK_WORDS];	/* bit set: channel may be driven */
	u32 nfence;
	struct hf_fence_point fence[HF_MAX_FENCE];
};

#define HF_FENCE_REACH_UM 10000000

/* What an envelope operation can answer. */
enum hf_env_status {
	HF_ENV_OK = 0,
	HF_ENV_RANGE,		/* a value out of its limit's range; reason.bound = the end */
	HF_ENV_CONTRADICTION,	/* two limits exclude each other (box min > max, ...) */
	HF_ENV_FENCE_FULL,	/* more than HF_MAX_FENCE points; reason.measured = how many */
	HF_ENV_FENCE_PLACE,	/* a point outside +-10 m; reason.where = its index */
	HF_ENV_LOOSER,		/* tighten: a field is looser than before */
};

/* Top of the lattice: every limit at its loosest, all channels, no fence. */
void hf_envelope_loosest(struct hf_envelope *e);

/* Is the limit at the loose end of its range, so that nothing can break it? */
static inline bool hf_limit_loosest(const struct hf_envelope *e, u32 id)
{
	s64 v = e->limit[id];

	return hf_limits[id].sense == HF_CEIL ? v >= hf_limits[id].max : v <= hf_limits[id].min;
}

/* A limit given in ms, as ns. */
static inline u64 hf_limit_ns(const struct hf_envelope *e, enum hf_limit ms_limit)
{
	return (u64)e->limit[ms_limit] * HF_NSEC_PER_MSEC;
}

/*
 * Puts fence points into canonical form (sort, merge same places to the
 * tighter limit). Must be called on an envelope filled by hand.
 */
void hf_envelope_canon(struct hf_envelope *e);

/*
 * Is every field in range and are the fields consistent with each other
 * (box_min <= box_max; warn <= crit <= emerg; supply_min <= supply_max;
 * power_avg <= power_inst is NOT required)? @r (may be NULL) names the first
 * bad field. Order of fence points is not judged: hf_envelope_canon() makes it.
 */
enum hf_env_status hf_envelope_validate(const struct hf_envelope *e, struct hf_reason *r);

/*
 * out = a meet b: the tighter value of each, AND of the masks, union of the
 * fences with the tighter limit per place. @out may be @a or @b. Only
 * HF_ENV_FENCE_FULL can fail, and then @out is untouched. A meet may be
 * contradictory (empty box); then admission refuses everything it concerns,
 * which is the safe reading: meet never repairs.
 */
enum hf_env_status hf_envelope_meet(struct hf_envelope *out, const struct hf_envelope *a,
				    const struct hf_envelope *b, struct hf_reason *r);

/*
 * a <= b: no field of a is looser than that of b, and every fence point of b is
 * in a with a limit no looser. Both must be valid (nfence in range). On false
 * @r (may be NULL) names the first field that is looser: measured = value in
 * a, bound = value in b; a channel of the mask: HF_LIM_NONE, where = channel;
 * a fence point: FENCE_PRESSURE, where = its index in b.
 */
bool hf_envelope_le(const struct hf_envelope *a, const struct hf_envelope *b, struct hf_reason *r);

bool hf_envelope_equal(const struct hf_envelope *a, const struct hf_envelope *b);

#endif /* HF_ENVELOPE_H */
