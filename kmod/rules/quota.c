// SPDX-License-Identifier: GPL-2.0
/*
 * Accounting of what a tenant uses. Every sum saturates: no length of use makes
 * a budget fresh. Never in here: who the tenant is, a clock, an act.
 */
#include "quota.h"
#include "sum.h"

#define HF_MSEC_PER_SEC 1000

void hf_quota_init(struct hf_quota *q)
{
	u32 k;

	memset(q, 0, sizeof(*q));
	for (k = 0; k < HF_QUOTA_KINDS; k++)
		q->budget[k] = HF_QUOTA_NONE;
}

void hf_quota_set(struct hf_quota *q, u32 kinds, const u64 *budget, bool reset)
{
	u32 k;

	for (k = 0; k < HF_QUOTA_KINDS; k++) {
		if (!(kinds >> k & 1))
			continue;
		q->budget[k] = budget[k];
		if (reset) {
			q->used[k] = 0;
			q->rem[k] = 0;
		}
	}
}

bool hf_quota_binds(const struct hf_quota *q)
{
	u32 k;

	for (k = 0; k < HF_QUOTA_KINDS; k++)
		if (q->budget[k] != HF_QUOTA_NONE)
			return true;
	return false;
}

void hf_quota_charge(struct hf_quota *q, u64 power_uw, u64 dt_ns)
{
	hf_sum_add(&q->used[HF_QUOTA_EMIT], &q->rem[HF_QUOTA_EMIT], HF_MSEC_PER_SEC, dt_ns);
	hf_sum_add(&q->used[HF_QUOTA_ENERGY], &q->rem[HF_QUOTA_ENERGY], power_uw, dt_ns);
}

void hf_quota_frame(struct hf_quota *q)
{
	q->used[HF_QUOTA_FRAMES] = hf_add_sat(q->used[HF_QUOTA_FRAMES], 1);
}

u64 hf_quota_used(const struct hf_quota *q, u32 kind)
{
	return hf_add_sat(q->used[kind], q->rem[kind] != 0);
}

static s64 hf_clamp_s64(u64 v)
{
	return v < (u64)S64_MAX ? (s64)v : S64_MAX;
}

bool hf_quota_spent(const struct hf_quota *q, u32 kinds, struct hf_reason *r)
{
	u32 k;

	for (k = 0; k < HF_QUOTA_KINDS; k++) {
		if (!(kinds >> k & 1) || q->budget[k] == HF_QUOTA_NONE ||
		    q->used[k] < q->budget[k])
			continue;
		*r = hf_reason(HF_LIM_QUOTA + k, HF_NOWHERE, hf_clamp_s64(hf_quota_used(q, k)),
			       hf_clamp_s64(q->budget[k]));
		return true;
	}
	return false;
}
