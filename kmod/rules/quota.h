/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The budgets of a tenant and what it has used of them. A budget is no limit of
 * an envelope: it is used up, and belongs to who uses, not to a place or a part
 * (docs/decisions/0006). No tenants, leases or times in here.
 */
#ifndef HF_QUOTA_H
#define HF_QUOTA_H

#include "limits.h"

/* The order is ABI (enum holdfast_quota_kind); core asserts that they agree. */
enum hf_quota_kind {
	HF_QUOTA_EMIT,		/* ms */
	HF_QUOTA_ENERGY,	/* uJ */
	HF_QUOTA_FRAMES,
	HF_QUOTA_KINDS
};

/* Which kinds a question is about. */
#define HF_QUOTA_ALL	((1U << HF_QUOTA_KINDS) - 1)
#define HF_QUOTA_HELD	(1U << HF_QUOTA_EMIT | 1U << HF_QUOTA_ENERGY)	/* grow while one is held */

#define HF_QUOTA_NONE	U64_MAX	/* a budget without bound; 0 is nothing */

struct hf_quota {
	u64 budget[HF_QUOTA_KINDS];
	u64 used[HF_QUOTA_KINDS];	/* whole units, saturating */
	u32 rem[HF_QUOTA_KINDS];	/* 1e-9 of a unit, on top */
};

/* Nothing used, no bounds. */
void hf_quota_init(struct hf_quota *q);

/*
 * Sets the budgets of the kinds in @kinds; @reset: their usage starts at 0
 * again. Without it the new budget bounds what has been used before, too.
 */
void hf_quota_set(struct hf_quota *q, u32 kinds, const u64 *budget, bool reset);

/* Is there any bound? */
bool hf_quota_binds(const struct hf_quota *q);

/* An output of @power_uw lasted @dt_ns. */
void hf_quota_charge(struct hf_quota *q, u64 power_uw, u64 dt_ns);

/* A frame was admitted. */
void hf_quota_frame(struct hf_quota *q);

/* Used of @kind, rounded up. */
u64 hf_quota_used(const struct hf_quota *q, u32 kind);

/*
 * Is the budget of one of @kinds used up? @r: the first (limit = HF_LIM_QUOTA +
 * kind, measured = used, bound = budget); untouched if none is.
 */
bool hf_quota_spent(const struct hf_quota *q, u32 kinds, struct hf_reason *r);

#endif /* HF_QUOTA_H */
