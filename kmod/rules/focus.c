// SPDX-License-Identifier: GPL-2.0
/*
 * From foci to phases and amplitudes: superposition of one focus each. Errors
 * are derived in docs/field.md. No limits, no state, no time.
 */
#include "focus.h"
#include "path.h"

#define MAG_SHIFT	15	/* components of up to 65535 * 2^30 come down to 2^31 */

bool hf_focus_check(const struct hf_aim *aim, u32 n)
{
	u32 total = 0, k;

	if (!n || n > HF_MAX_FOCI)
		return false;
	for (k = 0; k < n; k++)
		total += aim[k].amp;
	return total <= HF_AMP_FULL;
}

static s64 reach(s32 um)
{
	if (um > HF_POS_REACH_UM)
		return HF_POS_REACH_UM;
	return um < -HF_POS_REACH_UM ? -HF_POS_REACH_UM : um;
}

/* Phase with which channel @c sounds in phase with @aim there, 2^-32 turns */
static u32 turn_for(const struct hf_channel_pos *c, const struct hf_aim *aim, u32 wavelength_nm)
{
	s64 x = reach(aim->x_um) - c->x_um;
	s64 y = reach(aim->y_um) - c->y_um;
	s64 z = reach(aim->z_um) - c->z_um;
	struct dist d = distance((u64)(x * x) + (u64)(y * y) + (u64)(z * z));

	return ((u32)aim->phase << 16) - path_turn(d, wavelength_nm);
}

static u16 magnitude(s64 re, s64 im)
{
	re >>= MAG_SHIFT;
	im >>= MAG_SHIFT;
	return (u16)((hf_isqrt64((u64)(re * re) + (u64)(im * im)) + (1U << (MAG_SHIFT - 1))) >>
		     MAG_SHIFT);
}

void hf_focus_frame(const struct hf_nameplate *np, const struct hf_aim *aim, u32 n,
		    u16 *phase, u16 *amp)
{
	u32 i, k;

	for (i = 0; i < np->channels; i++) {
		s64 re = 0, im = 0;	/* below 2^46 */

		for (k = 0; k < n; k++) {
			u32 turn = turn_for(&np->pos[i], &aim[k], np->wavelength_nm);

			re += (s64)aim[k].amp * hf_cos_q30(turn);
			im += (s64)aim[k].amp * hf_sin_q30(turn);
		}
		phase[i] = (u16)((hf_atan2_turn(im, re) + (1U << 15)) >> 16);
		amp[i] = magnitude(re, im);
	}
}
