/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sound pressure at points in space, in fixed point, with a proven error bound.
 *
 * p = sum a_i g_ij exp(i(phi_i + theta_ij)). Every channel becomes one integer
 * phasor per frame (one table look-up by wire phase), then each point is an
 * integer complex dot product with precomputed G (dot.h). Derivation of the bound:
 * docs/field.md. No knowledge of envelopes in force, leases or time.
 */
#ifndef HF_FIELD_H
#define HF_FIELD_H

#include "dot.h"

/* Tables of one array: the exact phasor of every wire phase, Q15, and how sums are made. */
struct hf_phase_lut {
	u32 levels;
	const struct hf_dot_way *way;	/* hf_dot_scalar until the owner says otherwise */
	struct hf_cs16 x[4096];
};

void hf_phase_lut_init(struct hf_phase_lut *lut, u32 levels);

/* A factor as mantissa and shift: v * mant / 2^shift, rounded up. */
struct hf_scale { u32 mant; u32 shift; };

/*
 * One compiled point; its gains are in a row (struct hf_rows), scaled so that the
 * largest is 32767, quick gains so that it is 4095. Private to field.c but for its
 * position and gsum_upa.
 */
struct hf_field_point {
	s32 x_um, y_um, z_um;
	u32 eta_q16;		/* error of one g, its last place = 65536 */
	u32 quick_sum;		/* of the quick gains */
	u64 eps_q32;		/* relative error of g from its path phase */
	struct hf_scale unit;	/* magnitude of the dot product to mPa */
	struct hf_scale sum;	/* quick sum to mPa */
	u64 gmax_upa;		/* largest gain, uPa at full drive */
	u64 gsum_upa;		/* sum of all gains: pressure if all were in phase */
};

/*
 * Compiles gains and path phases of one point into @p and @row (hf_row_size()
 * bytes, aligned to 8), in the layout of @lut's way. |coordinates| <= 10 m. @np has
 * passed hf_nameplate_check. Distances below 2 mm to any channel are taken as
 * 2 mm, in front (the far-field model means nothing there).
 */
void hf_field_point_init(struct hf_field_point *p, u8 *row, const struct hf_phase_lut *lut,
			 const struct hf_nameplate *np, s32 x_um, s32 y_um, s32 z_um);

/*
 * Work on one frame, and what is left of the one before: the phases of the last
 * frame that needed them, and its dot products. Zeroed to begin with.
 */
struct hf_field_work {
	struct hf_drive drive;		/* of this frame */
	u64 sum[HF_MAX_FENCE];		/* its quick sums */
	u64 sum_mpa[HF_MAX_FENCE];	/* the same as S: hf_field_quick() */
	u64 rows_id;			/* whose dot products these are; 0: nothing is left */
	u32 shift;			/* of the phasors */
	u16 phase[HF_MAX_CHANNELS];	/* the frame that they are of */
	u16 amp[HF_MAX_CHANNELS];
	struct hf_move move[HF_MOVES_MAX];
	union hf_phasor_room x;
	s64 re[HF_MAX_FENCE], im[HF_MAX_FENCE];
};

/*
 * The quick part: amplitudes only, no phase is looked at. @point: those of @rows.
 * @amp_q16: re-expanded amplitudes of a frame, one per channel. w->sum_mpa[j] is the worst
 * case at point @j, if all channels were in phase (S), mPa, rounded up: above the exact sum
 * by less than 1/1000 of what full drive like the loudest channel's would give.
 */
void hf_field_quick(struct hf_field_work *w, const struct hf_phase_lut *lut,
		    const struct hf_rows *rows, const struct hf_field_point *point,
		    const u16 *amp_q16);

/*
 * The exact part, after hf_field_quick() of the same frame. @phase: wire index per
 * channel, below lut->levels. @id tells these rows from all others that @w has
 * seen, 0: no memory. If the frame before differs in few channels, only these are
 * reckoned: the same bits. Worst case: all products of all rows.
 */
void hf_field_exact(struct hf_field_work *w, const struct hf_phase_lut *lut,
		    const struct hf_rows *rows, u64 id, const u16 *phase, const u16 *amp_q16);

/*
 * Upper bound of the true pressure, mPa, rounded up: computed value + error
 * bound + S * field_tol, or S where that is less; after hf_field_exact(). Never below
 * the pressure of the model with exact arithmetic (differential test:
 * tests/unit/test_field.c).
 */
u64 hf_field_bound_mpa(const struct hf_field_point *p, const struct hf_field_work *w, u32 j,
		       u32 channels, u32 field_tol_q16);

/*
 * Upper bound of S for any point at least @dist_um (>= 2000) from every
 * channel, mPa, from the sum of amplitudes alone.
 */
u64 hf_field_far_mpa(const struct hf_nameplate *np, u64 amp_sum, u32 dist_um);

#endif /* HF_FIELD_H */
