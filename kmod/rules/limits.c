// SPDX-License-Identifier: GPL-2.0
/*
 * The table of limits, made from HF_LIMITS. Nothing but that table in here.
 */
#include "limits.h"

const struct hf_limit_desc hf_limits[HF_LIM_COUNT] = {
#define HF_X(NAME, name, unit, sense, lo, hi) \
	[HF_LIM_##NAME] = { #name, unit, HF_##sense, lo, hi },
	HF_LIMITS(HF_X)
#undef HF_X
};
