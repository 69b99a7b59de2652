/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Phases and amplitudes of a frame that states foci and nothing else. What is
 * emitted is a focus at each stated place by construction. Whether it may be
 * there, and how loud, is admission's business, not known here.
 */
#ifndef HF_FOCUS_H
#define HF_FOCUS_H

#include "nameplate.h"

/* One focus as asked for. */
struct hf_aim {
	s32 x_um, y_um, z_um;	/* beyond +-10 m: taken as 10 m; no box reaches beyond */
	u16 amp;		/* share of the drive, Q0.16 */
	u16 phase;		/* of the sound there, turn/65536 */
};

/* Is that a frame: 1..HF_MAX_FOCI foci whose shares total at most the whole drive? */
bool hf_focus_check(const struct hf_aim *aim, u32 n);

/*
 * @phase, @amp: out, np->channels each, turn/65536 and Q0.16, before calibration:
 * argument and magnitude of sum a_k exp(i(phase_k - path_k)). @aim has passed
 * hf_focus_check, @np hf_nameplate_check.
 *
 * Phase of one focus: within HF_FOCUS_PHASE_ERR / 1000 + d / (32768 lambda) of
 * turn/65536, d the distance to it. Amplitude: the sum's, rounded to the nearest,
 * never above the total of the shares; exact for one focus. Foci that cancel at a
 * channel: see docs/field.md.
 *
 * Cost, whatever the values: per channel and focus one square root, two divisions,
 * two sines; per channel one square root and one arctangent. Any context.
 */
#define HF_FOCUS_PHASE_ERR	502
void hf_focus_frame(const struct hf_nameplate *np, const struct hf_aim *aim, u32 n,
		    u16 *phase, u16 *amp);

#endif /* HF_FOCUS_H */
