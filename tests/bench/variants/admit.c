// SPDX-License-Identifier: GPL-2.0
/*
 * Bench only: stands in for kmod/rules/admit.c in a copy of the module without
 * checks, so that what they cost can be measured. Frames are brought to wire
 * values and nothing else is done to them. Never in a module that is installed.
 */
#include "admit.h"

/* The real one, for the self-test alone. */
void hf_admit_judged(const struct hf_rules *r, const struct hf_context *ctx,
		     const struct hf_request *req, struct hf_scratch *scratch, struct hf_wire *out,
		     struct hf_result *res);

#define hf_admit hf_admit_judged
#include "admit_judged.inc"
#undef hf_admit

void hf_admit(const struct hf_rules *r, const struct hf_context *ctx, const struct hf_request *req,
	      struct hf_scratch *scratch, struct hf_wire *out, struct hf_result *res)
{
	struct trial t = { .r = r, .ctx = ctx, .sc = scratch, .w = out, .focus = HF_NOWHERE };

	quantise(&t, req, HF_Q16_ONE);
	quiet_points(r, out);
	verdict(res, HF_ADMIT, HF_Q16_ONE, hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0));
}
