/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What several unit tests share: nameplates of square grids, the field model in
 * floating point (the reference the integer code is judged by), and frames of
 * every kind. Never linked into anything but tests.
 */
#ifndef MODEL_NP_H
#define MODEL_NP_H

#include "admit.h"
#include "rng.h"

/*
 * @side x @side transducers (MA40S4S-like) at @pitch_um, centred on the origin,
 * looking along +z. Limits at their loosest, calibration neutral, no sensors.
 */
void np_grid(struct hf_nameplate *np, u32 side, u32 pitch_um);

/* Adds one sensor with a plausible range; returns its index. */
u32 np_sensor(struct hf_nameplate *np, enum hf_sensor_kind kind, s64 min, s64 max);

/* One point of the reference: exact gain (Pa at full drive) and path phase (rad) per channel. */
struct ref_point {
	double x_um, y_um, z_um;
	double gain[HF_MAX_CHANNELS];
	double theta[HF_MAX_CHANNELS];
	double re[HF_MAX_CHANNELS];	/* gain exp(j theta) */
	double im[HF_MAX_CHANNELS];
};

void ref_point_init(struct ref_point *p, const struct hf_nameplate *np, s32 x_um, s32 y_um, s32 z_um);

/* |p| in mPa of wire phases and amplitudes (65535 = full). */
double ref_mpa(const struct ref_point *p, const struct hf_nameplate *np, const u16 *phase,
	       const u16 *amp_q16);

/* Sum of a_i g_i, mPa. */
double ref_sum_mpa(const struct ref_point *p, const struct hf_nameplate *np, const u16 *amp_q16);

enum frame_kind {
	FRAME_RANDOM,		/* random phase and amplitude */
	FRAME_FOCUS,		/* focused on @at, full drive */
	FRAME_FOCUS_RANDOM_AMP,
	FRAME_TWIN,		/* twin trap: a null at @at */
	FRAME_PLANE,		/* all in phase */
	FRAME_CHECKER,		/* neighbours in opposition */
	FRAME_SINGLE,		/* one channel, any amplitude */
	FRAME_SPARSE,		/* a few channels, focused on @at */
	FRAME_FAINT,		/* focused on @at with amplitudes of a few 1/65536 */
	FRAME_ONOFF,		/* focused, amplitude 0 or full at random */
	FRAME_KINDS
};

/* Fills phase (turn/65536) and amp (Q0.16) as a program would ask for them. */
void frame_make(enum frame_kind kind, struct rng *rng, const struct hf_nameplate *np,
		const struct ref_point *at, u16 *phase, u16 *amp);

#endif /* MODEL_NP_H */
