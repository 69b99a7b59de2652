// SPDX-License-Identifier: GPL-2.0
/*
 * Nameplates, floating-point reference and frames for the unit tests.
 */
#include "model_np.h"

#include <math.h>

#define PI 3.141592653589793238462643383279502884L

void np_grid(struct hf_nameplate *np, u32 side, u32 pitch_um)
{
	u32 i;

	memset(np, 0, sizeof(*np));
	np->channels = side * side;
	np->phase_levels = 256;
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
	np->derate_floor_q16 = 16384;
	hf_envelope_loosest(&np->limits);
	for (i = 0; i < np->channels; i++) {
		np->pos[i].x_um = (s32)(i % side * pitch_um) - (s32)((side - 1) * pitch_um / 2);
		np->pos[i].y_um = (s32)(i / side * pitch_um) - (s32)((side - 1) * pitch_um / 2);
		np->pos[i].nz_q14 = 1 << 14;
		np->cal[i].gain_q16 = 65535;
	}
}

u32 np_sensor(struct hf_nameplate *np, enum hf_sensor_kind kind, s64 min, s64 max)
{
	struct hf_sensor_desc *d = &np->sensor[np->sensors];

	d->kind = kind;
	d->min = min;
	d->max = max;
	d->label[0] = (char)('a' + np->sensors);
	return np->sensors++;
}

void ref_point_init(struct ref_point *p, const struct hf_nameplate *np, s32 x_um, s32 y_um, s32 z_um)
{
	long double ka = 2 * PI * np->aperture_um * 1000.0L / np->wavelength_nm;
	u32 i;

	memset(p, 0, sizeof(*p));
	p->x_um = x_um;
	p->y_um = y_um;
	p->z_um = z_um;
	for (i = 0; i < np->channels; i++) {
		const struct hf_channel_pos *c = &np->pos[i];
		long double rx = (long double)x_um - c->x_um;
		long double ry = (long double)y_um - c->y_um;
		long double rz = (long double)z_um - c->z_um;
		long double d = sqrtl(rx * rx + ry * ry + rz * rz);
		long double n = sqrtl((long double)c->nx_q14 * c->nx_q14 +
				      (long double)c->ny_q14 * c->ny_q14 +
				      (long double)c->nz_q14 * c->nz_q14);
		long double dir = 1;

		if (d < 2000) {
			d = 2000;
		} else if (np->aperture_um) {
			long double cx = c->ny_q14 * rz - c->nz_q14 * ry;
			long double cy = c->nz_q14 * rx - c->nx_q14 * rz;
			long double cz = c->nx_q14 * ry - c->ny_q14 * rx;
			long double x = ka * sqrtl(cx * cx + cy * cy + cz * cz) / (n * d);

			if (x > 1e-9L)
				dir = 2 * j1l(x) / x;
		}
		p->gain[i] = (double)(np->p0_safety_upam * dir / d);
		p->theta[i] = (double)(2 * PI * fmodl(d * 1000 / np->wavelength_nm, 1));
		p->re[i] = p->gain[i] * cos(p->theta[i]);
		p->im[i] = p->gain[i] * sin(p->theta[i]);
	}
}

double ref_mpa(const struct ref_point *p, const struct hf_nameplate *np, const u16 *phase,
	       const u16 *amp_q16)
{
	static double cosine[4096], sine[4096];
	static u32 levels;
	double re = 0, im = 0;
	u32 i;

	if (levels != np->phase_levels) {
		levels = np->phase_levels;
		for (i = 0; i < levels; i++) {
			cosine[i] = cos(2 * (double)PI * i / levels);
			sine[i] = sin(2 * (double)PI * i / levels);
		}
	}
	for (i = 0; i < np->channels; i++) {
		double c = cosine[phase[i]] * amp_q16[i], s = sine[phase[i]] * amp_q16[i];

		re += c * p->re[i] - s * p->im[i];
		im += c * p->im[i] + s * p->re[i];
	}
	return hypot(re, im) / 65535 * 1000;
}

double ref_sum_mpa(const struct ref_point *p, const struct hf_nameplate *np, const u16 *amp_q16)
{
	double sum = 0;
	u32 i;

	for (i = 0; i < np->channels; i++)
		sum += p->gain[i] * amp_q16[i];
	return sum / 65535 * 1000;
}

static u16 turn_of(double rad)
{
	return (u16)(s64)floor(rad / (double)(2 * PI) * 65536 + 0.5);
}

void frame_make(enum frame_kind kind, struct rng *rng, const struct hf_nameplate *np,
		const struct ref_point *at, u16 *phase, u16 *amp)
{
	u32 one = (u32)rng_below(rng, np->channels), i;

	for (i = 0; i < np->channels; i++) {
		const struct hf_channel_pos *c = &np->pos[i];
		u16 focus = turn_of(-at->theta[i]);

		phase[i] = focus;
		amp[i] = 65535;
		switch (kind) {
		case FRAME_RANDOM:
			phase[i] = (u16)rng_next(rng);
			amp[i] = (u16)rng_next(rng);
			break;
		case FRAME_FOCUS_RANDOM_AMP:
			amp[i] = (u16)rng_next(rng);
			break;
		case FRAME_TWIN:
			phase[i] = (u16)(focus + (c->x_um > 0 ? 32768 : 0));
			break;
		case FRAME_PLANE:
			phase[i] = 0;
			break;
		case FRAME_CHECKER:
			phase[i] = (u16)((i ^ (u32)(c->y_um / 10500)) & 1 ? 32768 : 0);
			break;
		case FRAME_SINGLE:
			amp[i] = i == one ? (u16)rng_range(rng, 1, 65535) : 0;
			break;
		case FRAME_SPARSE:
			amp[i] = rng_below(rng, 32) ? 0 : 65535;
			break;
		case FRAME_FAINT:
			amp[i] = (u16)rng_below(rng, 1ULL << rng_below(rng, 12));
			break;
		case FRAME_ONOFF:
			amp[i] = rng_below(rng, 2) ? 65535 : 0;
			break;
		case FRAME_FOCUS:
		case FRAME_KINDS:
			break;
		}
	}
}
