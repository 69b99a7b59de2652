/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One frame under judgement, as the files of the pipeline share it: admit.c runs
 * it, field and foci are checked in admit_field.c. Private to these two.
 */
#ifndef HF_TRIAL_H
#define HF_TRIAL_H

#include "admit.h"
#include "trig.h"

#define FIRM	0		/* a ratio: no attenuation helps */

/* The limit that binds most, found so far */
struct bind {
	bool broken;
	bool all;		/* go on after a limit that attenuation can satisfy */
	bool sure;		/* ratios that hold whatever quantisation does */
	u32 ratio_q16;		/* factor on the amplitudes that should pass; below 65536 */
	struct hf_reason reason;
};

/* One frame under judgement */
struct trial {
	const struct hf_rules *r;
	const struct hf_context *ctx;
	struct hf_scratch *sc;
	struct hf_wire *w;
	u32 loudest;		/* amplitude of @w */
	u32 focus;		/* sc->focus is this one, or HF_NOWHERE */
	struct bind b;
};

static inline s64 limit(const struct hf_rules *r, u32 id)
{
	return r->env.limit[id];
}

static inline bool loosest(const struct hf_rules *r, u32 id)
{
	return hf_limit_loosest(&r->env, id);
}

static inline u64 div_up(u64 a, u64 b)
{
	return a / b + (a % b != 0);
}

static inline bool done(const struct trial *t)
{
	return t->b.broken && (!t->b.all || t->b.ratio_q16 == FIRM);
}

static inline s64 clamp_s64(u64 v)
{
	return v < (u64)S64_MAX ? (s64)v : S64_MAX;
}

/* Q16 quotient of bound < measured, rounded down and below 1 */
static inline u32 ratio_of(u64 bound, u64 measured)
{
	u64 q;

	while (measured >> 47) {
		measured = (measured >> 1) + 1;
		bound >>= 1;
	}
	if (!measured)
		return FIRM;
	q = bound * HF_Q16_ONE / measured;
	return q < HF_Q16_ONE ? (u32)q : HF_Q16_ONE - 1;
}

/* The same for what grows with the square of the amplitude */
static inline u32 root_ratio_of(u64 bound, u64 measured)
{
	u32 root;

	while (measured >> 31) {
		measured = (measured >> 1) + 1;
		bound >>= 1;
	}
	if (!measured)
		return FIRM;
	if (bound >= measured)
		return HF_Q16_ONE - 1;
	root = hf_isqrt64((bound << 32) / measured);
	return root < HF_Q16_ONE ? root : HF_Q16_ONE - 1;
}

/* Limit @id is broken; @ratio_q16 on the amplitudes should mend it, or FIRM */
static inline void broken(struct trial *t, u32 id, u32 where, s64 measured, s64 bound,
			  u32 ratio_q16)
{
	struct bind *b = &t->b;

	if (b->broken && b->ratio_q16 <= ratio_q16)
		return;
	b->broken = true;
	b->ratio_q16 = ratio_q16;
	b->reason = hf_reason(id, where, measured, bound);
}

/* admit_field.c */
void hf_check_field(struct trial *t);
void hf_check_foci(struct trial *t);

#endif /* HF_TRIAL_H */
