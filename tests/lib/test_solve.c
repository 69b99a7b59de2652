// SPDX-License-Identifier: GPL-2.0
/*
 * The field model and the solvers against answers that come from elsewhere:
 * sums written out here, and the focal pressures of a 16 x 16 array that
 * independent programs give.
 */
#include <math.h>

#include "check.h"

#define N	256

static struct holdfast_model *grid;
static uint16_t phase[HOLDFAST_MAX_CHANNELS], full[HOLDFAST_MAX_CHANNELS];

static void setup(void)
{
	cr_assert_eq(holdfast_model_grid(&grid, 16, 16, 10500), 0);
	for (size_t i = 0; i < HOLDFAST_MAX_CHANNELS; i++)
		full[i] = 65535;
}

static void teardown(void)
{
	holdfast_model_free(grid);
}

TestSuite(solve, .init = setup, .fini = teardown);

static double pressure(const struct holdfast_point *at)
{
	double re, im;

	holdfast_pressure(grid, phase, full, at, &re, &im);
	return hypot(re, im);
}

/* The sum of P0/d D(theta) over the grid, written out again from the formula. */
static double coherent_sum(double x, double y, double z)
{
	double k = 2 * M_PI / 8.58e-3, sum = 0;

	for (int i = 0; i < N; i++) {
		double ex = (i % 16 - 7.5) * 10.5e-3, ey = (i / 16 - 7.5) * 10.5e-3;
		double rho = hypot(x - ex, y - ey), d = hypot(rho, z), u = k * 4.5e-3 * rho / d;

		sum += 3.4 / d * (u < 1e-9 ? 1 : 2 * j1(u) / u);
	}
	return sum;
}

Test(solve, focus_is_the_coherent_sum)
{
	static const struct holdfast_point at[] = {
		{ 0, 0, 0.15 }, { 0.03, -0.02, 0.1 }, { -0.05, 0.05, 0.3 },
	};

	for (size_t i = 0; i < 3; i++) {
		double sum = coherent_sum(at[i].x_m, at[i].y_m, at[i].z_m);

		holdfast_solve_focus(grid, &at[i], phase);
		cr_assert(fabs(pressure(&at[i]) - sum) < 0.01 * sum, "%f where %f", pressure(&at[i]),
			  sum);
		cr_assert(fabs(holdfast_pressure_max(grid, &at[i]) - sum) < 1e-6 * sum);
	}
}

Test(solve, published_focal_pressures)
{
	/* 16 x 16, 10.5 mm, P0 = 3.4 Pa m, on the axis: reference values with k = 2 pi / 8.58 mm */
	static const double z[] = { 0.10, 0.15, 0.20, 0.30 }, pa[] = { 4939, 4264, 3601, 2650 };

	for (size_t i = 0; i < 4; i++) {
		struct holdfast_point at = { 0, 0, z[i] };

		holdfast_solve_focus(grid, &at, phase);
		cr_assert(fabs(pressure(&at) - pa[i]) < 0.005 * pa[i], "%f where %f",
			  pressure(&at), pa[i]);
	}
}

Test(solve, pressure_is_the_sum_of_the_formula)
{
	/* Path and wire phase turn the same way: exp(i (k d + phase)). */
	struct holdfast_point at = { 0.013, -0.021, 0.11 };
	double k = 2 * M_PI / 8.58e-3, re = 0, im = 0, r, i;

	for (int n = 0; n < N; n++) {
		double ex = (n % 16 - 7.5) * 10.5e-3, ey = (n / 16 - 7.5) * 10.5e-3;
		double rho = hypot(at.x_m - ex, at.y_m - ey), d = hypot(rho, at.z_m);
		double u = k * 4.5e-3 * rho / d, g = 3.4 / d * 2 * j1(u) / u;

		phase[n] = (uint16_t)(n * 7919);
		re += g * cos(k * d + phase[n] * 2 * M_PI / 65536);
		im += g * sin(k * d + phase[n] * 2 * M_PI / 65536);
	}
	holdfast_pressure(grid, phase, full, &at, &r, &i);
	cr_assert(fabs(r - re) < 1e-6 && fabs(i - im) < 1e-6, "%f,%f where %f,%f", r, i, re, im);
}

Test(solve, pressure_is_linear_in_amplitude)
{
	struct holdfast_point at = { 0.01, 0, 0.12 };
	uint16_t half[N];
	double re, im;

	for (size_t i = 0; i < N; i++)
		half[i] = 32768;
	holdfast_solve_focus(grid, &at, phase);
	holdfast_pressure(grid, phase, half, &at, &re, &im);
	cr_assert(fabs(hypot(re, im) / pressure(&at) - 32768 / 65535.0) < 1e-9);
}

Test(solve, twin_has_a_null_between_two_lobes)
{
	struct holdfast_point at = { 0, 0, 0.12 }, left = { -0.004, 0, 0.12 },
			      right = { 0.004, 0, 0.12 };
	double sum = coherent_sum(0, 0, 0.12);

	holdfast_solve_twin(grid, &at, 0, phase);
	cr_assert(pressure(&at) < 0.01 * sum);
	cr_assert(pressure(&left) > 0.2 * sum && pressure(&right) > 0.2 * sum);
	/* Turned by a quarter, the lobes are along y. */
	holdfast_solve_twin(grid, &at, M_PI / 2, phase);
	cr_assert(pressure(&at) < 0.01 * sum);
	cr_assert(pressure(&left) < 0.02 * sum);
}

Test(solve, vortex_has_a_null_and_turns)
{
	struct holdfast_point at = { 0, 0, 0.12 };
	double sum = coherent_sum(0, 0, 0.12), before = 0, turned = 0;

	holdfast_solve_vortex(grid, &at, 1, phase);
	cr_assert(pressure(&at) < 0.01 * sum);
	/* Once round the axis the phase turns once. */
	for (int i = 0; i <= 16; i++) {
		struct holdfast_point p = { 0.004 * cos(i * M_PI / 8), 0.004 * sin(i * M_PI / 8),
					    0.12 };
		double re, im, arg;

		holdfast_pressure(grid, phase, full, &p, &re, &im);
		cr_assert(hypot(re, im) > 0.1 * sum);
		arg = atan2(im, re);
		if (i)
			turned += remainder(arg - before, 2 * M_PI);
		before = arg;
	}
	cr_assert(fabs(turned - 2 * M_PI) < 0.01, "%f", turned);
}

Test(solve, bottle_is_dark_inside_and_closed_along_the_axis)
{
	struct holdfast_point at = { 0, 0, 0.12 }, below = { 0, 0, 0.108 }, above = { 0, 0, 0.135 };
	double sum = coherent_sum(0, 0, 0.12);

	cr_assert_eq(holdfast_solve_bottle(grid, &at, phase), 0);
	cr_assert(pressure(&at) < 0.02 * sum, "%f of %f", pressure(&at), sum);
	cr_assert(pressure(&below) > 0.2 * sum && pressure(&above) > 0.2 * sum, "%f %f",
		  pressure(&below) / sum, pressure(&above) / sum);
}

Test(solve, foci_are_balanced)
{
	struct holdfast_point at[8];
	double least = INFINITY, most = 0;

	for (int i = 0; i < 8; i++)
		at[i] = (struct holdfast_point){ 0.04 * cos(i * 0.8), 0.04 * sin(i * 0.8),
						 0.12 + 0.005 * i };
	for (size_t n = 1; n <= 8; n++) {
		least = INFINITY;
		most = 0;
		cr_assert_eq(holdfast_solve_foci(grid, at, n, 100, phase), 0);
		for (size_t j = 0; j < n; j++) {
			least = fmin(least, pressure(&at[j]));
			most = fmax(most, pressure(&at[j]));
		}
		cr_assert(least > 0.9 * most, "%zu foci: %f to %f Pa", n, least, most);
		/* And it is a focus: n points share what one could have. */
		cr_assert(least > 0.5 * holdfast_pressure_max(grid, &at[0]) / sqrt((double)n),
			  "%zu foci: %f Pa", n, least);
	}
	cr_assert_eq(holdfast_solve_foci(grid, at, 0, 100, phase), -EINVAL);
	cr_assert_eq(holdfast_solve_foci(grid, at, 9, 100, phase), -EINVAL);
}

Test(solve, path_and_circle)
{
	struct holdfast_point p[3] = { { 0, 0, 0.1 }, { 0.03, 0, 0.1 }, { 0.03, 0.01, 0.1 } }, q;
	struct holdfast_focus f;

	q = holdfast_path_at(p, 3, 0);
	cr_assert(q.x_m == 0 && q.y_m == 0);
	q = holdfast_path_at(p, 3, 0.5);
	cr_assert(fabs(q.x_m - 0.02) < 1e-12 && q.y_m == 0);
	q = holdfast_path_at(p, 3, 1);
	cr_assert(fabs(q.x_m - 0.03) < 1e-12 && fabs(q.y_m - 0.01) < 1e-12);
	q = holdfast_path_at(p, 1, 0.7);
	cr_assert(q.x_m == 0);
	q = holdfast_circle_at(&p[0], 0.01, 0.25);
	cr_assert(fabs(q.x_m) < 1e-12 && fabs(q.y_m - 0.01) < 1e-12 && q.z_m == 0.1);
	f = holdfast_focus_at(&p[2]);
	cr_assert(f.x_um == 30000 && f.y_um == 10000 && f.z_um == 100000 && !f.amp && !f.phase);
}

Test(solve, grid_bounds)
{
	struct holdfast_model *m;

	cr_assert_eq(holdfast_model_grid(&m, 0, 1, 10500), -EINVAL);
	cr_assert_eq(holdfast_model_grid(&m, 33, 32, 10500), -EINVAL);
	cr_assert_eq(holdfast_model_grid(&m, 65536, 65536, 10500), -EINVAL);
	cr_assert_eq(holdfast_model_grid(&m, 32, 32, 999), -EINVAL);
	cr_assert_eq(holdfast_model_grid(&m, 32, 32, 10500), 0);
	cr_assert_eq(holdfast_model_channels(m), 1024);
	holdfast_model_free(m);
}
