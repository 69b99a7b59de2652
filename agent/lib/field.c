// SPDX-License-Identifier: GPL-2.0
/*
 * Sound pressure in double precision, to predict and to solve with: the far
 * field of circular pistons (reference: O'Neil 1949), p = sum a P0/d D(theta)
 * exp(i(k d + phase)), D = 2 J1(x)/x with x = k a sin(theta). No safety
 * depends on it; what may be emitted the kernel judges with its own field.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "internal.h"

#define HF_NEAREST_M	0.002	/* as the kernel: the model means nothing closer */

static struct holdfast_model *model_new(uint32_t channels, double wavelength_m)
{
	struct holdfast_model *m = calloc(1, sizeof(*m) + channels * sizeof(m->e[0]));

	if (!m)
		return NULL;
	m->channels = channels;
	m->wave_k = 2 * M_PI / wavelength_m;
	return m;
}

static void element_of(struct hf_element *e, const struct holdfast_channel_pos *p)
{
	double n;

	e->x = p->x_um * 1e-6;
	e->y = p->y_um * 1e-6;
	e->z = p->z_um * 1e-6;
	n = sqrt((double)p->nx_q14 * p->nx_q14 + (double)p->ny_q14 * p->ny_q14 +
		 (double)p->nz_q14 * p->nz_q14);
	if (n == 0) {
		e->nz = 1;
		return;
	}
	e->nx = p->nx_q14 / n;
	e->ny = p->ny_q14 / n;
	e->nz = p->nz_q14 / n;
}

int holdfast_model_of(struct holdfast_model **out, struct holdfast_array *a)
{
	struct holdfast_channel_pos pos[HOLDFAST_MAX_CHANNELS];
	struct holdfast_info info;
	struct holdfast_model *m;
	int n, ret = holdfast_info(a, &info);

	if (ret)
		return ret;
	n = holdfast_geometry(a, pos, HOLDFAST_MAX_CHANNELS);
	if (n < 0)
		return n;
	if (n < 1 || n > HOLDFAST_MAX_CHANNELS || !info.wavelength_nm)
		return -EPROTO;
	m = model_new((uint32_t)n, info.wavelength_nm * 1e-9);
	if (!m)
		return -ENOMEM;
	m->aperture_m = info.aperture_um * 1e-6;
	m->p0_pam = (double)info.p0_nominal_upam * 1e-6;
	for (int i = 0; i < n; i++)
		element_of(&m->e[i], &pos[i]);
	*out = m;
	return 0;
}

int holdfast_model_grid(struct holdfast_model **out, uint32_t rows, uint32_t columns,
			uint32_t pitch_um)
{
	double pitch = pitch_um * 1e-6;
	struct holdfast_model *m;

	if (!rows || !columns || rows > HOLDFAST_MAX_CHANNELS || columns > HOLDFAST_MAX_CHANNELS ||
	    rows * columns > HOLDFAST_MAX_CHANNELS || pitch_um < 1000 || pitch_um > 1000000)
		return -EINVAL;
	m = model_new(rows * columns, HOLDFAST_WAVELENGTH_NM * 1e-9);
	if (!m)
		return -ENOMEM;
	m->aperture_m = HOLDFAST_APERTURE_UM * 1e-6;
	m->p0_pam = (double)HOLDFAST_P0_NOMINAL_UPAM * 1e-6;
	for (uint32_t r = 0; r < rows; r++)
		for (uint32_t c = 0; c < columns; c++)
			m->e[r * columns + c] = (struct hf_element){
				.x = (c - (columns - 1) / 2.0) * pitch,
				.y = (r - (rows - 1) / 2.0) * pitch,
				.nz = 1,
			};
	*out = m;
	return 0;
}

void holdfast_model_free(struct holdfast_model *m)
{
	free(m);
}

uint32_t holdfast_model_channels(const struct holdfast_model *m)
{
	return m->channels;
}

static double directivity(double ka_sin)
{
	return fabs(ka_sin) < 1e-6 ? 1.0 : 2 * j1(ka_sin) / ka_sin;
}

void hf_gain(const struct holdfast_model *m, const struct hf_element *e,
	     const struct holdfast_point *at, double *gain, double *phase)
{
	double dx = at->x_m - e->x, dy = at->y_m - e->y, dz = at->z_m - e->z;
	double d = sqrt(dx * dx + dy * dy + dz * dz), cosine, sine;

	if (d < HF_NEAREST_M)
		d = HF_NEAREST_M;
	cosine = (dx * e->nx + dy * e->ny + dz * e->nz) / d;
	sine = cosine * cosine < 1 ? sqrt(1 - cosine * cosine) : 0;
	*gain = m->p0_pam / d * directivity(m->wave_k * m->aperture_m * sine);
	*phase = m->wave_k * d;
}

void holdfast_pressure(const struct holdfast_model *m, const uint16_t *phase, const uint16_t *amp,
		       const struct holdfast_point *at, double *re, double *im)
{
	*re = 0;
	*im = 0;
	for (uint32_t i = 0; i < m->channels; i++) {
		double g, path, turn;

		hf_gain(m, &m->e[i], at, &g, &path);
		g *= amp[i] / 65535.0;
		turn = path + phase[i] * (2 * M_PI / 65536);
		*re += g * cos(turn);
		*im += g * sin(turn);
	}
}

double holdfast_pressure_max(const struct holdfast_model *m, const struct holdfast_point *at)
{
	double sum = 0;

	for (uint32_t i = 0; i < m->channels; i++) {
		double g, path;

		hf_gain(m, &m->e[i], at, &g, &path);
		sum += fabs(g);
	}
	return sum;
}
