/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way from a channel to a point, as the field and the focus of a frame both
 * reckon it: its length and its fraction of a turn. docs/field.md states the
 * errors. Only that belongs here: no gains, no pressure, no state.
 */
#ifndef HF_PATH_H
#define HF_PATH_H

#include "trig.h"

#define NEAR_UM		2000		/* closer counts as this far */

static inline u32 bits(u64 v)
{
	return v ? 64 - (u32)__builtin_clzll(v) : 0;
}

/* A distance as mant / 2^half um, mant in [2^31, 2^32): relative error 2^-31, low */
struct dist { u32 mant; u32 half; };

static inline struct dist distance(u64 d2)
{
	struct dist d;

	if (d2 < (u64)NEAR_UM * NEAR_UM)
		d2 = (u64)NEAR_UM * NEAR_UM;
	d.half = (64 - bits(d2)) / 2;
	d.mant = hf_isqrt64(d2 << (2 * d.half));
	return d;
}

/* Fraction of a turn of the path, 2^-32 turns, rounded down: long division in base 2^22 */
static inline u32 path_turn(struct dist d, u32 wavelength_nm)
{
	u64 nm = (u64)d.mant * 1000;	/* * 2^-half, < 2^42 */
	u32 up = 32 - d.half;		/* d >= 2 mm: half <= 21 */
	u32 first = up < 22 ? up : 22;
	u64 q = (nm << first) / wavelength_nm;
	u64 rem = (nm << first) % wavelength_nm;

	return (u32)((q << (up - first)) + (rem << (up - first)) / wavelength_nm);
}

#endif /* HF_PATH_H */
