// SPDX-License-Identifier: GPL-2.0
/*
 * Phases for the usual patterns: focus, several foci, twin trap, vortex,
 * bottle; and points along a path. Every call starts from nothing: no state
 * is kept between two frames.
 */
#include <complex.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "internal.h"

uint16_t hf_phase_of_rad(double rad)
{
	double turn = rad / (2 * M_PI);

	turn -= floor(turn);
	return (uint16_t)((uint32_t)lround(turn * 65536) & 0xffff);
}

/* The phase with which element @i arrives at @at in phase with all others. */
static double focus_rad(const struct holdfast_model *m, uint32_t i,
			const struct holdfast_point *at)
{
	double g, path;

	hf_gain(m, &m->e[i], at, &g, &path);
	return g < 0 ? M_PI - path : -path;
}

void holdfast_solve_focus(const struct holdfast_model *m, const struct holdfast_point *at,
			  uint16_t *phase)
{
	for (uint32_t i = 0; i < m->channels; i++)
		phase[i] = hf_phase_of_rad(focus_rad(m, i, at));
}

void holdfast_solve_twin(const struct holdfast_model *m, const struct holdfast_point *at,
			 double turn_rad, uint16_t *phase)
{
	double c = cos(turn_rad), s = sin(turn_rad);

	for (uint32_t i = 0; i < m->channels; i++) {
		double side = (m->e[i].x - at->x_m) * c + (m->e[i].y - at->y_m) * s;

		phase[i] = hf_phase_of_rad(focus_rad(m, i, at) + (side < 0 ? M_PI : 0));
	}
}

void holdfast_solve_vortex(const struct holdfast_model *m, const struct holdfast_point *at,
			   int charge, uint16_t *phase)
{
	for (uint32_t i = 0; i < m->channels; i++) {
		double round = atan2(m->e[i].y - at->y_m, m->e[i].x - at->x_m);

		phase[i] = hf_phase_of_rad(focus_rad(m, i, at) + charge * round);
	}
}

struct ranked {
	double r2;
	double gain;
	uint32_t i;
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->r2 != y->r2)
		return x->r2 < y->r2 ? -1 : 1;
	return (x->i > y->i) - (x->i < y->i);
}

/* The inner elements, up to half of the pressure at the point, are turned against the outer. */
int holdfast_solve_bottle(const struct holdfast_model *m, const struct holdfast_point *at,
			  uint16_t *phase)
{
	struct ranked *e = calloc(m->channels, sizeof(*e));
	double sum = 0, inner = 0;

	if (!e)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->channels; i++) {
		double dx = m->e[i].x - at->x_m, dy = m->e[i].y - at->y_m, path;

		hf_gain(m, &m->e[i], at, &e[i].gain, &path);
		e[i].gain = fabs(e[i].gain);
		e[i].r2 = dx * dx + dy * dy;
		e[i].i = i;
		sum += e[i].gain;
	}
	qsort(e, m->channels, sizeof(*e), compare_ranked);
	for (uint32_t n = 0; n < m->channels; n++) {
		bool turned = inner + e[n].gain / 2 < sum / 2;

		inner += e[n].gain;
		phase[e[n].i] = hf_phase_of_rad(focus_rad(m, e[n].i, at) + (turned ? M_PI : 0));
	}
	free(e);
	return 0;
}

/* One round of back-propagation: points to channels, of unit amplitude, and forth. */
static void iterate(const struct holdfast_model *m, const double complex *h, size_t n,
		    const double *weight, double complex *p, double complex *x)
{
	for (uint32_t i = 0; i < m->channels; i++) {
		double complex sum = 0;

		for (size_t j = 0; j < n; j++)
			sum += conj(h[j * m->channels + i]) * p[j] / cabs(p[j]) * weight[j];
		x[i] = cabs(sum) > 0 ? sum / cabs(sum) : 1;
	}
	for (size_t j = 0; j < n; j++) {
		p[j] = 0;
		for (uint32_t i = 0; i < m->channels; i++)
			p[j] += h[j * m->channels + i] * x[i];
		if (p[j] == 0)
			p[j] = 1e-9;
	}
}

/* With phases only, a weight moves the difference more than in proportion: the root damps it. */
static void rebalance(const double complex *p, size_t n, double *weight)
{
	double mean = 0;

	for (size_t j = 0; j < n; j++)
		mean += cabs(p[j]) / (double)n;
	for (size_t j = 0; j < n; j++)
		weight[j] *= sqrt(mean / cabs(p[j]));
}

int holdfast_solve_foci(const struct holdfast_model *m, const struct holdfast_point *at, size_t n,
			uint32_t iterations, uint16_t *phase)
{
	double complex p[HOLDFAST_MAX_FOCI], *h, *x;
	double weight[HOLDFAST_MAX_FOCI];

	if (!n || n > HOLDFAST_MAX_FOCI || !iterations)
		return -EINVAL;
	h = calloc((n + 1) * m->channels, sizeof(*h));
	if (!h)
		return -ENOMEM;
	x = h + n * m->channels;
	for (size_t j = 0; j < n; j++) {
		weight[j] = 1;
		p[j] = 1;
		for (uint32_t i = 0; i < m->channels; i++) {
			double g, path;

			hf_gain(m, &m->e[i], &at[j], &g, &path);
			h[j * m->channels + i] = g * cexp(I * path);
		}
	}
	for (uint32_t k = 0; k < iterations; k++) {
		iterate(m, h, n, weight, p, x);
		rebalance(p, n, weight);
	}
	for (uint32_t i = 0; i < m->channels; i++)
		phase[i] = hf_phase_of_rad(carg(x[i]));
	free(h);
	return 0;
}

static double distance(const struct holdfast_point *a, const struct holdfast_point *b)
{
	double dx = b->x_m - a->x_m, dy = b->y_m - a->y_m, dz = b->z_m - a->z_m;

	return sqrt(dx * dx + dy * dy + dz * dz);
}

struct holdfast_point holdfast_path_at(const struct holdfast_point *p, size_t n, double t)
{
	double total = 0, left;

	for (size_t i = 1; i < n; i++)
		total += distance(&p[i - 1], &p[i]);
	left = t * total;
	for (size_t i = 1; i < n; i++) {
		double d = distance(&p[i - 1], &p[i]), f;

		if (left > d && i + 1 < n) {
			left -= d;
			continue;
		}
		f = d > 0 ? fmin(left / d, 1) : 0;
		return (struct holdfast_point){
			.x_m = p[i - 1].x_m + f * (p[i].x_m - p[i - 1].x_m),
			.y_m = p[i - 1].y_m + f * (p[i].y_m - p[i - 1].y_m),
			.z_m = p[i - 1].z_m + f * (p[i].z_m - p[i - 1].z_m),
		};
	}
	return p[0];
}

struct holdfast_point holdfast_circle_at(const struct holdfast_point *centre, double radius_m,
					 double t)
{
	return (struct holdfast_point){
		.x_m = centre->x_m + radius_m * cos(2 * M_PI * t),
		.y_m = centre->y_m + radius_m * sin(2 * M_PI * t),
		.z_m = centre->z_m,
	};
}

struct holdfast_focus holdfast_focus_at(const struct holdfast_point *p)
{
	return (struct holdfast_focus){
		.x_um = (int32_t)lround(p->x_m * 1e6),
		.y_um = (int32_t)lround(p->y_m * 1e6),
		.z_um = (int32_t)lround(p->z_m * 1e6),
	};
}
