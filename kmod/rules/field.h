/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sound pressure at points in space, in fixed point, with a proven error bound.
 *
 * p = sum a_i g_ij exp(i(phi_i + theta_ij)). Every channel becomes one integer
 * phasor per frame (one table look-up by wire phase), then each point is an
 * integer complex dot product with precomputed G. Derivation of the bound:
 * docs/field.md. No knowledge of envelopes in force, leases or time.
 */
#ifndef HF_FIELD_H
#define HF_FIELD_H

#include "nameplate.h"

struct hf_cs16 { s16 re, im; };

/* Phase table of one array: exact phasor of every wire phase, Q15. */
struct hf_phase_lut {
	u32 levels;
	struct hf_cs16 x[4096];
};

void hf_phase_lut_init(struct hf_phase_lut *lut, u32 levels);

/* A factor as mantissa and shift: v * mant / 2^shift, rounded up. */
struct hf_scale { u32 mant; u32 shift; };

/*
 * One compiled point. Gains are scaled so that the largest is 32767; private to
 * field.c but for its position and gsum_upa.
 */
struct hf_field_point {
	s32 x_um, y_um, z_um;
	u32 eta_q16;		/* error of one g, its last place = 65536 */
	u32 gabs_sum;
	u64 eps_q32;		/* relative error of g from its path phase */
	struct hf_scale unit;	/* magnitude of the dot product to mPa */
	struct hf_scale sum;	/* sum of amplitude * gabs to mPa */
	u64 gmax_upa;		/* largest gain, uPa at full drive */
	u64 gsum_upa;		/* sum of all gains: pressure if all were in phase */
	struct hf_cs16 g[HF_MAX_CHANNELS];
	u16 gabs[HF_MAX_CHANNELS];	/* |g|, rounded up, same scale */
};

/*
 * Compiles gains and path phases of one point, |coordinates| <= 10 m. @np has
 * passed hf_nameplate_check. Distances below 2 mm to any channel are taken as
 * 2 mm, in front (the far-field model means nothing there).
 */
void hf_field_point_init(struct hf_field_point *p, const struct hf_nameplate *np,
			 s32 x_um, s32 y_um, s32 z_um);

/* The phasors of one frame: amplitude x phase, Q15, as loud as @shift allows. */
struct hf_phasors {
	u32 shift;		/* amplitudes are scaled by 2^shift, to keep small ones precise */
	u32 amp_sum;		/* of all amplitudes, unscaled */
	u32 amp_min;		/* smallest that is not 0 */
	struct hf_cs16 x[HF_MAX_CHANNELS];
};

/* @phase: wire index per channel, below lut->levels; @amp_q16: re-expanded amplitude. */
void hf_phasors_of(struct hf_phasors *ph, const struct hf_phase_lut *lut,
		   const u16 *phase, const u16 *amp_q16, u32 channels);

/*
 * Worst case if all channels were in phase, mPa, rounded up (S). No trigonometry.
 */
u64 hf_field_sum_mpa(const struct hf_field_point *p, const u16 *amp_q16, u32 channels);

/*
 * Upper bound of the true pressure, mPa, rounded up: computed value + error
 * bound + S * field_tol, or S where that is less. Never below the pressure of
 * the model with exact arithmetic (differential test: tests/unit/test_field.c).
 */
u64 hf_field_bound_mpa(const struct hf_field_point *p, const struct hf_phasors *ph,
		       const u16 *amp_q16, u32 channels, u32 field_tol_q16);

/*
 * Upper bound of S for any point at least @dist_um (>= 2000) from every
 * channel, mPa, from the sum of amplitudes alone.
 */
u64 hf_field_far_mpa(const struct hf_nameplate *np, u64 amp_sum, u32 dist_um);

#endif /* HF_FIELD_H */
