/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Integer sine, arctangent, arcsine of a duty, square roots, Bessel directivity: the only
 * transcendental functions of the rules, each with its proven error.
 */
#ifndef HF_TRIG_H
#define HF_TRIG_H

#include "shim.h"

/* sin/cos of @turn / 2^32 turns, Q2.30. Absolute error: HF_TRIG_ERR_Q30. */
s32 hf_sin_q30(u32 turn);
s32 hf_cos_q30(u32 turn);
#define HF_TRIG_ERR_Q30	16

/*
 * Angle of (x, y) in 2^-32 turns, modulo a turn; |x|, |y| <= 2^60; 0 for (0, 0).
 * Absolute error: HF_ATAN_ERR_TURN.
 */
u32 hf_atan2_turn(s64 y, s64 x);
#define HF_ATAN_ERR_TURN 96

/* floor(sqrt(v)) */
u32 hf_isqrt64(u64 v);

/* Above sqrt(v), by no more than 2 + v's root / 2^21: cheaper than the exact one. */
u64 hf_root_up(u64 v);

/*
 * Largest amplitude (Q0.16) whose pulse-width duty is at most @duty_q16 of a
 * period: floor(65535 sin(pi duty)), never above the true value.
 */
u16 hf_amp_of_duty(u32 duty_q16);

/*
 * Piston directivity 2 J1(x)/x in Q2.30 at u = (x/2)^2 in Q2.30, from u = 0 to
 * the first null (x = 3.8317), where it is never negative. Beyond it the sign
 * would flip: @u_q30 is clamped there, and a nameplate whose k a goes beyond
 * must state aperture 0. Absolute error: HF_PISTON_ERR_Q30.
 */
s32 hf_piston_q30(u32 u_q30);
#define HF_PISTON_ERR_Q30	8
#define HF_PISTON_NULL_Q30	3941161484U	/* (3.83170597 / 2)^2 */

#endif /* HF_TRIG_H */
