// SPDX-License-Identifier: GPL-2.0
/*
 * The sound and the power of wire values in double precision (ledger.h), by the
 * model of docs/field.md and docs/models.md, written anew: no code of
 * kmod/rules may be used here, or one mistake would hide another.
 */
#include <stdlib.h>
#include <string.h>

#include "ledger.h"

#define TWO_PI		6.283185307179586476925286766559
#define NEAR_M		2e-3
#define PISTON_NULL	3.8317059702075123	/* first zero of J1 */

void physics_init(struct physics *p, const struct scene_array *s)
{
	const struct holdfast_info *in = &s->info;
	__u32 i;

	memset(p, 0, sizeof(*p));
	p->channels = in->channels;
	p->phase_levels = in->phase_levels;
	p->amp_levels = in->amp_levels;
	p->p0_pam = (double)in->p0_safety_upam * 1e-6;
	p->k = TWO_PI / (in->wavelength_nm * 1e-9);
	p->aperture_m = in->aperture_um * 1e-6;
	p->p_drive_uw = (double)in->p_drive_uw;
	p->p_acoustic_uw = (double)in->p_acoustic_uw;
	p->pos = s->pos;
	p->turn = malloc(p->phase_levels * sizeof(*p->turn));
	if (!p->turn)
		scene_die("no memory");
	for (i = 0; i < p->phase_levels; i++)
		p->turn[i] = cexp(I * (TWO_PI * i / p->phase_levels));
}

void physics_free(struct physics *p)
{
	free(p->turn);
	p->turn = NULL;
}

/* 2 J1(x)/x of a piston, towards r of length d. Beyond its first null it means nothing: 1. */
static double piston(const struct physics *p, const struct holdfast_channel_pos *c,
		     const double r[3], double d)
{
	double n[3] = { c->nx_q14, c->ny_q14, c->nz_q14 };
	double nn = sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
	double ka = p->k * p->aperture_m;
	double cosine, sine2, x;

	if (ka == 0 || ka > PISTON_NULL || nn == 0)
		return 1;
	cosine = (n[0] * r[0] + n[1] * r[1] + n[2] * r[2]) / (nn * d);
	sine2 = 1 - cosine * cosine;
	x = ka * sqrt(sine2 > 0 ? sine2 : 0);
	return x < 1e-6 ? 1 : 2 * j1(x) / x;
}

void physics_gains(const struct physics *p, double x_m, double y_m, double z_m, double complex *g)
{
	__u32 i;

	for (i = 0; i < p->channels; i++) {
		const struct holdfast_channel_pos *c = &p->pos[i];
		double r[3] = { x_m - c->x_um * 1e-6, y_m - c->y_um * 1e-6, z_m - c->z_um * 1e-6 };
		double d = sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
		double dir = 1;

		if (d < NEAR_M)
			d = NEAR_M;
		else
			dir = piston(p, c, r, d);
		g[i] = p->p0_pam * dir / d * cexp(I * (p->k * d));
	}
}

double physics_pressure(const struct physics *p, const double complex *g, const __u16 *phase,
			const __u16 *level)
{
	double re = 0, im = 0;
	__u32 i;

	for (i = 0; i < p->channels; i++) {
		double complex t;

		if (!level[i])
			continue;
		t = p->turn[phase[i]];
		re += level[i] * (creal(t) * creal(g[i]) - cimag(t) * cimag(g[i]));
		im += level[i] * (creal(t) * cimag(g[i]) + cimag(t) * creal(g[i]));
	}
	return sqrt(re * re + im * im) / p->amp_levels;
}

double physics_pressure_at(const struct physics *p, __s32 x_um, __s32 y_um, __s32 z_um,
			   const __u16 *phase, const __u16 *level)
{
	double complex g[HOLDFAST_MAX_CHANNELS];

	physics_gains(p, x_um * 1e-6, y_um * 1e-6, z_um * 1e-6, g);
	return physics_pressure(p, g, phase, level);
}

double physics_power_uw(const struct physics *p, const __u16 *level)
{
	double sum = 0;
	__u32 i;

	for (i = 0; i < p->channels; i++) {
		double a = (double)level[i] / p->amp_levels;

		if (level[i])
			sum += p->p_drive_uw + p->p_acoustic_uw * a * a;
	}
	return sum;
}

__u16 physics_phase_step(const struct physics *p, __u16 phase)
{
	__u32 step = (__u32)floor((double)phase * p->phase_levels / 65536 + 0.5);

	return (__u16)(step == p->phase_levels ? 0 : step);
}

__u16 physics_level(const struct physics *p, __u16 amp)
{
	return (__u16)((__u64)amp * p->amp_levels / 65535);
}

double physics_phase_change(const struct physics *p, __u16 a, __u16 b)
{
	double turns = fabs((double)a - (double)b) / p->phase_levels;

	return turns > 0.5 ? 1 - turns : turns;
}

double complex physics_drive(const struct physics *p, const struct holdfast_focus *foci,
			     unsigned int n, __u32 channel, double *far)
{
	const struct holdfast_channel_pos *c = &p->pos[channel];
	double complex sum = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		double x = ((double)foci[i].x_um - c->x_um) * 1e-6;
		double y = ((double)foci[i].y_um - c->y_um) * 1e-6;
		double z = ((double)foci[i].z_um - c->z_um) * 1e-6;
		double d = sqrt(x * x + y * y + z * z);
		double turns = (d < NEAR_M ? NEAR_M : d) * p->k / TWO_PI;

		sum += foci[i].amp * cexp(I * TWO_PI * (foci[i].phase / 65536.0 - turns));
		if (far && turns > *far)
			*far = turns;
	}
	return sum;
}

/* What docs/field.md states of computed drives, in turn/65536, rad per share, and shares. */
#define FOCUS_PHASE_ERR	0.502
#define FOCUS_TURN_ERR	2.4e-8
#define FOCUS_AMP_ERR	0.501

bool physics_foci_made(const struct physics *p, const struct holdfast_frame *f, __u32 channel,
		       __u16 phase, __u16 level, bool less)
{
	const struct holdfast_focus *foci = scene_foci((void *)(uintptr_t)f);
	double far = 0, total = 0, lost, ideal, err, turned;
	double complex x;
	unsigned int i;

	if (!level)
		return true;
	for (i = 0; i < f->foci; i++)
		total += foci[i].amp;
	x = physics_drive(p, foci, f->foci, channel, &far);
	ideal = cabs(x);
	lost = total * (FOCUS_TURN_ERR + TWO_PI * far / 0x1p31);
	/* the computed amplitude is a whole number: where the error reaches another, either */
	if (level > physics_level(p, (__u16)fmin(floor(ideal + FOCUS_AMP_ERR + lost), 65535)))
		return false;
	if (!less && level < physics_level(p, (__u16)fmax(ceil(ideal - FOCUS_AMP_ERR - lost), 0)))
		return false;
	err = (FOCUS_PHASE_ERR + far / 32768) / 65536 + lost / (TWO_PI * ideal) +
	      0.5 / p->phase_levels;
	turned = fabs(remainder(carg(x) / TWO_PI - (double)phase / p->phase_levels, 1));
	return turned <= err * (1 + 1e-9);
}
