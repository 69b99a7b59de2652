// SPDX-License-Identifier: GPL-2.0
/*
 * Envelopes as a lattice. Never in here: a repair. An operation gives the
 * tighter value or an error, nothing is ever loosened to make things fit.
 */
#include "envelope.h"

static s64 hf_tighter(enum hf_sense sense, s64 a, s64 b)
{
	if (sense == HF_CEIL)
		return a < b ? a : b;
	return a > b ? a : b;
}

static bool hf_looser(enum hf_sense sense, s64 a, s64 b)
{
	return sense == HF_CEIL ? a > b : a < b;
}

/* Order of places; 0: same place. */
static int hf_place_cmp(const struct hf_fence_point *a, const struct hf_fence_point *b)
{
	if (a->x_um != b->x_um)
		return a->x_um < b->x_um ? -1 : 1;
	if (a->y_um != b->y_um)
		return a->y_um < b->y_um ? -1 : 1;
	if (a->z_um != b->z_um)
		return a->z_um < b->z_um ? -1 : 1;
	return 0;
}

/* Works in any order, so that no caller's mistake about order can lose a point. */
static u32 hf_fence_find(const struct hf_envelope *e, const struct hf_fence_point *p)
{
	u32 i;

	for (i = 0; i < e->nfence; i++)
		if (!hf_place_cmp(&e->fence[i], p))
			return i;
	return HF_NOWHERE;
}

static void hf_tell(struct hf_reason *r, struct hf_reason v)
{
	if (r)
		*r = v;
}

void hf_envelope_loosest(struct hf_envelope *e)
{
	u32 i;

	memset(e, 0, sizeof(*e));
	for (i = 0; i < HF_LIM_COUNT; i++)
		e->limit[i] = hf_limits[i].sense == HF_CEIL ? hf_limits[i].max : hf_limits[i].min;
	for (i = 0; i < HF_MASK_WORDS; i++)
		e->mask[i] = U64_MAX;
}

void hf_envelope_canon(struct hf_envelope *e)
{
	u32 i, j, k, n = 0;

	/* Too many points is for hf_envelope_validate() to refuse. */
	if (e->nfence > HF_MAX_FENCE)
		return;
	for (i = 0; i < e->nfence; i++) {
		struct hf_fence_point p = e->fence[i];

		for (j = n; j > 0 && hf_place_cmp(&e->fence[j - 1], &p) > 0; j--)
			;
		if (j > 0 && !hf_place_cmp(&e->fence[j - 1], &p)) {
			if (p.limit_mpa < e->fence[j - 1].limit_mpa)
				e->fence[j - 1].limit_mpa = p.limit_mpa;
			continue;
		}
		/* n <= i: the points moved up never reach one not yet taken. */
		for (k = n; k > j; k--)
			e->fence[k] = e->fence[k - 1];
		e->fence[j] = p;
		n++;
	}
	memset(&e->fence[n], 0, (HF_MAX_FENCE - n) * sizeof(e->fence[0]));
	e->nfence = n;
}

static enum hf_env_status hf_check_ranges(const struct hf_envelope *e, struct hf_reason *r)
{
	u32 i;

	for (i = 0; i < HF_LIM_COUNT; i++) {
		s64 v = e->limit[i];

		if (v < hf_limits[i].min) {
			hf_tell(r, hf_reason(i, HF_NOWHERE, v, hf_limits[i].min));
			return HF_ENV_RANGE;
		}
		if (v > hf_limits[i].max) {
			hf_tell(r, hf_reason(i, HF_NOWHERE, v, hf_limits[i].max));
			return HF_ENV_RANGE;
		}
	}
	return HF_ENV_OK;
}

static enum hf_env_status hf_check_order(const struct hf_envelope *e, struct hf_reason *r)
{
	/* Pairs of which the first may not be above the second. */
	enum { PAIRS = 6 };
	static const u8 pair[PAIRS][2] = {
		{ HF_LIM_BOX_MIN_X, HF_LIM_BOX_MAX_X },
		{ HF_LIM_BOX_MIN_Y, HF_LIM_BOX_MAX_Y },
		{ HF_LIM_BOX_MIN_Z, HF_LIM_BOX_MAX_Z },
		{ HF_LIM_TEMP_WARN, HF_LIM_TEMP_CRIT },
		{ HF_LIM_TEMP_CRIT, HF_LIM_TEMP_EMERG },
		{ HF_LIM_SUPPLY_MIN, HF_LIM_SUPPLY_MAX },
	};
	u32 i;

	for (i = 0; i < PAIRS; i++) {
		s64 lo = e->limit[pair[i][0]], hi = e->limit[pair[i][1]];

		if (lo > hi) {
			hf_tell(r, hf_reason(pair[i][0], HF_NOWHERE, lo, hi));
			return HF_ENV_CONTRADICTION;
		}
	}
	return HF_ENV_OK;
}

static enum hf_env_status hf_check_fence(const struct hf_envelope *e, struct hf_reason *r)
{
	const s64 mpa_max = hf_limits[HF_LIM_FENCE_PRESSURE].max;
	u32 i, k;

	if (e->nfence > HF_MAX_FENCE) {
		hf_tell(r, hf_reason(HF_LIM_FENCE_PRESSURE, HF_NOWHERE, e->nfence, HF_MAX_FENCE));
		return HF_ENV_FENCE_FULL;
	}
	for (i = 0; i < e->nfence; i++) {
		const struct hf_fence_point *p = &e->fence[i];
		const s32 at[3] = { p->x_um, p->y_um, p->z_um };

		for (k = 0; k < 3; k++) {
			s64 end = at[k] < 0 ? -HF_FENCE_REACH_UM : HF_FENCE_REACH_UM;

			if (at[k] < -HF_FENCE_REACH_UM || at[k] > HF_FENCE_REACH_UM) {
				hf_tell(r, hf_reason(HF_LIM_FENCE_PRESSURE, i, at[k], end));
				return HF_ENV_FENCE_PLACE;
			}
		}
		if (p->limit_mpa > mpa_max) {
			hf_tell(r, hf_reason(HF_LIM_FENCE_PRESSURE, i, p->limit_mpa, mpa_max));
			return HF_ENV_RANGE;
		}
	}
	return HF_ENV_OK;
}

enum hf_env_status hf_envelope_validate(const struct hf_envelope *e, struct hf_reason *r)
{
	enum hf_env_status st;

	st = hf_check_ranges(e, r);
	if (st == HF_ENV_OK)
		st = hf_check_order(e, r);
	if (st == HF_ENV_OK)
		st = hf_check_fence(e, r);
	return st;
}

enum hf_env_status hf_envelope_meet(struct hf_envelope *out, const struct hf_envelope *a,
				    const struct hf_envelope *b, struct hf_reason *r)
{
	/* The meet is symmetric; what @out already holds is the base to add to. */
	const struct hf_envelope *base = out == b ? b : a;
	const struct hf_envelope *other = out == b ? a : b;
	u32 i, total = base->nfence;

	if (base->nfence <= HF_MAX_FENCE && other->nfence <= HF_MAX_FENCE) {
		for (i = 0; i < other->nfence; i++)
			if (hf_fence_find(base, &other->fence[i]) == HF_NOWHERE)
				total++;
	} else {
		total = base->nfence > other->nfence ? base->nfence : other->nfence;
	}
	if (total > HF_MAX_FENCE) {
		hf_tell(r, hf_reason(HF_LIM_FENCE_PRESSURE, HF_NOWHERE, total, HF_MAX_FENCE));
		return HF_ENV_FENCE_FULL;
	}

	/* Nothing can fail from here on. */
	if (out != base)
		memcpy(out, base, sizeof(*out));
	for (i = 0; i < HF_LIM_COUNT; i++)
		out->limit[i] = hf_tighter(hf_limits[i].sense, out->limit[i], other->limit[i]);
	for (i = 0; i < HF_MASK_WORDS; i++)
		out->mask[i] &= other->mask[i];
	for (i = 0; i < other->nfence; i++) {
		const struct hf_fence_point *p = &other->fence[i];
		u32 at = hf_fence_find(out, p);

		if (at == HF_NOWHERE)
			out->fence[out->nfence++] = *p;
		else if (p->limit_mpa < out->fence[at].limit_mpa)
			out->fence[at].limit_mpa = p->limit_mpa;
	}
	hf_envelope_canon(out);
	return HF_ENV_OK;
}

bool hf_envelope_le(const struct hf_envelope *a, const struct hf_envelope *b, struct hf_reason *r)
{
	u32 i;

	for (i = 0; i < HF_LIM_COUNT; i++) {
		if (hf_looser(hf_limits[i].sense, a->limit[i], b->limit[i])) {
			hf_tell(r, hf_reason(i, HF_NOWHERE, a->limit[i], b->limit[i]));
			return false;
		}
	}
	for (i = 0; i < HF_MAX_CHANNELS; i++) {
		u64 more = a->mask[i / 64] & ~b->mask[i / 64];

		if ((more >> (i % 64)) & 1) {
			hf_tell(r, hf_reason(HF_LIM_NONE, i, 1, 0));
			return false;
		}
	}
	for (i = 0; i < b->nfence; i++) {
		u32 at = hf_fence_find(a, &b->fence[i]);
		s64 has = hf_limits[HF_LIM_FENCE_PRESSURE].max;

		if (at != HF_NOWHERE)
			has = a->fence[at].limit_mpa;
		if (at == HF_NOWHERE || has > b->fence[i].limit_mpa) {
			hf_tell(r, hf_reason(HF_LIM_FENCE_PRESSURE, i, has, b->fence[i].limit_mpa));
			return false;
		}
	}
	return true;
}

bool hf_envelope_equal(const struct hf_envelope *a, const struct hf_envelope *b)
{
	/* Not one memcmp of all: the end of the structure is padding. */
	return !memcmp(a->limit, b->limit, sizeof(a->limit)) &&
	       !memcmp(a->mask, b->mask, sizeof(a->mask)) && a->nfence == b->nfence &&
	       !memcmp(a->fence, b->fence, a->nfence * sizeof(a->fence[0]));
}
