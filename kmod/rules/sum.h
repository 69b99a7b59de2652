/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sums over time that neither wrap nor lose anything: dose and quotas count
 * with them. No limits and no verdicts here.
 */
#ifndef HF_SUM_H
#define HF_SUM_H

#include "shim.h"

static inline u64 hf_add_sat(u64 a, u64 b)
{
	return a > U64_MAX - b ? U64_MAX : a + b;
}

/*
 * Adds @per_s units a second over @dt_ns to @sum, saturating. Exact: what does
 * not fill a unit stays in @rem (1e-9 of a unit, below 1e9). Any values.
 */
static inline void hf_sum_add(u64 *sum, u32 *rem, u64 per_s, u64 dt_ns)
{
	const u64 sec_ns = HF_NSEC_PER_SEC;
	u64 sec = dt_ns / sec_ns, ns = dt_ns % sec_ns;
	u64 part = per_s % sec_ns * ns + *rem;
	/* (2^64 / 1e9) * (1e9 - 1) + 1e9 < 2^64 */
	u64 whole = per_s / sec_ns * ns + part / sec_ns;

	*rem = (u32)(part % sec_ns);
	if (sec && per_s > U64_MAX / sec)
		whole = U64_MAX;
	else
		whole = hf_add_sat(whole, per_s * sec);
	*sum = hf_add_sat(*sum, whole);
}

#endif /* HF_SUM_H */
