/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small valid nameplate for tests that are not about the field. Static
 * functions only, so that it needs no linking.
 */
#ifndef TINY_NP_H
#define TINY_NP_H

#include "nameplate.h"

static inline void tiny_np(struct hf_nameplate *np, u32 channels)
{
	u32 i;

	memset(np, 0, sizeof(*np));
	np->channels = channels;
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
	np->rth_array_mk_per_w = 1000;
	np->tau_array_ms = 600000;
	np->tau_power_ms = 10000;
	np->derate_floor_q16 = 16384;
	hf_envelope_loosest(&np->limits);
	for (i = 0; i < channels; i++) {
		np->pos[i].x_um = (s32)(i % 32) * 10500;
		np->pos[i].y_um = (s32)(i / 32) * 10500;
		np->pos[i].nz_q14 = 16384;
		np->cal[i].gain_q16 = 65535;
	}
}

/* Adds one sensor; returns its index. */
static inline u32 tiny_sensor(struct hf_nameplate *np, enum hf_sensor_kind kind, s64 min, s64 max)
{
	struct hf_sensor_desc *d = &np->sensor[np->sensors];

	d->kind = kind;
	d->min = min;
	d->max = max;
	memcpy(d->label, "s", 2);
	return np->sensors++;
}

#endif /* TINY_NP_H */
