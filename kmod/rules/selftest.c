// SPDX-License-Identifier: GPL-2.0
/*
 * Known-answer test of the rules as they were compiled: a wrong table, a
 * miscompiled loop or a broken word of text shows here. Not a proof that the
 * rules are right (that is tests/unit); nothing else may depend on it.
 */
#include "admit.h"
#include "focus.h"
#include "trig.h"

#define CHANNELS	8

/* A 4 x 2 array, 10.5 mm pitch, one fence point, limits that the frames below meet */
static void make_nameplate(struct hf_nameplate *np)
{
	u32 i;

	memset(np, 0, sizeof(*np));
	np->channels = CHANNELS;
	np->phase_levels = 32;
	np->amp_levels = 255;
	np->p0_safety_upam = 8000000;
	np->p0_nominal_upam = 3400000;
	np->wavelength_nm = 8580000;
	np->aperture_um = 4500;
	np->p_drive_uw = 41000;
	np->p_acoustic_uw = 159000;
	np->rth_chan_mk_per_w = 150000;
	np->tau_chan_ms = 60000;
	np->rth_array_mk_per_w = 600;
	np->tau_array_ms = 300000;
	np->tau_power_ms = 10000;
	for (i = 0; i < CHANNELS; i++) {
		np->pos[i].x_um = (s32)(i % 4) * 10500 - 15750;
		np->pos[i].y_um = (s32)(i / 4) * 10500 - 5250;
		np->pos[i].nz_q14 = 1 << 14;
		np->cal[i].gain_q16 = HF_AMP_FULL;
	}
	hf_envelope_loosest(&np->limits);
	np->limits.nfence = 1;
	np->limits.fence[0] = (struct hf_fence_point){ 20000, -10000, 100000, 300000 };
}

static bool trig_wrong(void)
{
	return hf_sin_q30(0x12345678) != 463948539 || hf_sin_q30(0x9abcdef0) != -655138361 ||
	       hf_cos_q30(0x12345678) != 968335303 || hf_cos_q30(0xfedcba98) != 1073323189 ||
	       hf_isqrt64(123456789012345678ULL) != 351364182 || hf_isqrt64(U64_MAX) != U32_MAX ||
	       hf_amp_of_duty(5000) != 15557 || hf_amp_of_duty(32768) != HF_AMP_FULL ||
	       hf_piston_q30(0xa0000000) != 187715682 || hf_atan2_turn(-3, -4) != 2587358711U ||
	       hf_atan2_turn(123456789, -987654321) != 2062478823U;
}

/* FNV-1a: every entry of the table counts */
static u32 table_sum(const struct hf_phase_lut *lut)
{
	u32 sum = 2166136261U;
	u32 k;

	for (k = 0; k < lut->levels; k++) {
		sum = (sum ^ (u16)lut->x[k].re) * 16777619U;
		sum = (sum ^ (u16)lut->x[k].im) * 16777619U;
	}
	return sum;
}

static bool field_wrong(const struct hf_rules *r, struct hf_field_work *w)
{
	static const u16 phase[CHANNELS] = { 0, 5, 31, 16, 7, 22, 9, 13 };
	static const u16 amp[CHANNELS] = { 65535, 1000, 0, 32768, 65535, 257, 40000, 65535 };
	const struct hf_field_point *p = &r->point[0];

	hf_field_quick(w, r->lut, &r->rows, p, amp);
	hf_field_exact(w, r->lut, &r->rows, 0, phase, amp);
	return p->gsum_upa != 572225090 || w->sum_mpa[0] != 288764 ||
	       hf_field_bound_mpa(p, w, 0, CHANNELS, 0) != 132495 ||
	       hf_field_bound_mpa(p, w, 0, CHANNELS, 656) != 135386;
}

/* Two foci, some channels where they cancel */
static bool focus_wrong(const struct hf_nameplate *np, u16 *phase, u16 *amp)
{
	static const struct hf_aim aim[] = {
		{ 20000, -10000, 100000, 40000, 0 }, { -20000, 10000, 80000, 20000, 16384 },
	};
	static const u16 phases[CHANNELS] = {
		42856, 57991, 15779, 17496, 37244, 53543, 10871, 9419,
	};
	static const u16 amps[CHANNELS] = {
		55302, 30964, 57054, 22843, 26471, 57608, 29913, 52000,
	};

	hf_focus_frame(np, aim, 2, phase, amp);
	return memcmp(phase, phases, sizeof(phases)) || memcmp(amp, amps, sizeof(amps));
}

/* Focused on the fence point: refused, or turned down to its limit; quiet or masked: admitted */
static bool admission_wrong(struct hf_scratch *scratch, struct hf_rules *r, struct hf_wire *w)
{
	static const u16 phase[CHANNELS] = {
		39991, 63338, 13493, 21059, 32480, 55608, 5607, 13096,
	};
	u16 amp[CHANNELS] = { 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535 };
	struct hf_request req = { .phase = phase, .amp = amp, .channels = CHANNELS };
	struct hf_context ctx = {
		.now_ns = HF_NSEC_PER_SEC, .model = &scratch->model, .derate_q16 = HF_Q16_ONE,
	};
	struct hf_result res;

	hf_admit(r, &ctx, &req, scratch, w, &res);
	if (res.verdict != HF_REJECT || res.reason.limit != HF_LIM_FENCE_PRESSURE ||
	    res.reason.where != 0 || res.reason.measured != 571187 || res.reason.bound != 300000)
		return true;

	req.attenuate = true;
	hf_admit(r, &ctx, &req, scratch, w, &res);
	if (res.verdict != HF_ATTENUATE || res.scale_q16 != 34420 || w->level[0] != 133 ||
	    w->phase[1] != 31 || w->power_uw != 674032 || w->point_mpa[0] != 298551)
		return true;
	if (!hf_recheck(r, &ctx, w, scratch, &res))
		return true;
	r->env.fence[0].limit_mpa = 200000;
	if (hf_recheck(r, &ctx, w, scratch, &res) || res.reason.limit != HF_LIM_FENCE_PRESSURE)
		return true;

	req.attenuate = false;
	memset(amp, 0, sizeof(amp));
	hf_admit(r, &ctx, &req, scratch, w, &res);
	if (res.verdict != HF_ADMIT || w->on)
		return true;
	amp[5] = 20000;
	hf_admit(r, &ctx, &req, scratch, w, &res);
	if (res.verdict != HF_ADMIT || w->on != 1 || w->level[5] != 77)
		return true;
	r->env.mask[0] = ~(1ULL << 5);
	r->grid.flat = false;
	hf_admit(r, &ctx, &req, scratch, w, &res);
	return res.verdict != HF_ADMIT || w->on;
}

int hf_rules_self_test(struct hf_scratch *scratch, struct hf_rules *r, struct hf_nameplate *np,
		       struct hf_phase_lut *lut, struct hf_wire *w, const struct hf_dot_way *way)
{
	if (trig_wrong())
		return 1;
	make_nameplate(np);
	if (hf_nameplate_check(np))
		return 2;
	hf_phase_lut_init(lut, np->phase_levels);
	lut->way = way;
	if (table_sum(lut) != 982310289U)
		return 3;
	hf_model_init(&scratch->model, np, HF_NSEC_PER_SEC);
	hf_rules_build(r, np, lut, &np->limits, NULL);
	if (field_wrong(r, &scratch->field))
		return 4;
	if (admission_wrong(scratch, r, w))
		return 5;
	if (focus_wrong(np, w->phase, w->level))
		return 6;
	return 0;
}
