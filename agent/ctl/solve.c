// SPDX-License-Identifier: GPL-2.0
/*
 * solve: from positions to a stream file, with or without an array at hand.
 * Says what pressure the model predicts; what is allowed the governor says.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

#define FOCI_ITERATIONS	100

const struct ctl_option solve_options[] = {
	{ "at", 'p', "X,Y,Z", "position in mm; again: more foci, or a path for the others" },
	{ "circle", 'c', "RADIUS", "move round a circle parallel to the xy plane, e.g. 10mm" },
	{ "frames", 'n', "N", "frames (default 1; 100 with a path or a circle)" },
	{ "rate", 'r', "HZ", "frames a second (default 100)" },
	{ "amp", 'a', "AMP", "amplitude, e.g. 80% (default 100%)" },
	{ "charge", 257, "N", "of a vortex (default 1)" },
	{ "turn", 258, "DEGREES", "of a twin trap about the axis (default 0)" },
	{ "grid", 259, "ROWSxCOLUMNS", "without an array: a grid in the plane z = 0" },
	{ "pitch-um", 260, "UM", "of that grid (default 10500)" },
	{ "output", 'o', "FILE", "stream file to write" },
	{ NULL, 0, NULL, NULL },
};

static const char *const patterns[] = { "focus", "foci", "twin", "vortex", "bottle" };

static int number(const char *text, double min, double max, const char *what, double *v)
{
	char *end;

	*v = strtod(text, &end);
	if (end != text && !*end && *v >= min && *v <= max)
		return 0;
	fprintf(stderr, "holdfastctl: %s: \"%s\" where %g to %g is required\n", what, text, min,
		max);
	return -1;
}

static int grid_parse(struct ctl_solve *j, const char *text)
{
	char rows[8];
	const char *x = strchr(text, 'x');

	if (!x || (size_t)(x - text) >= sizeof(rows)) {
		fprintf(stderr, "holdfastctl: --grid: \"%s\" where ROWSxCOLUMNS is required\n",
			text);
		return -1;
	}
	memcpy(rows, text, (size_t)(x - text));
	rows[x - text] = '\0';
	if (ctl_parse_u64(rows, 1, HOLDFAST_MAX_CHANNELS, "--grid", &j->rows) ||
	    ctl_parse_u64(x + 1, 1, HOLDFAST_MAX_CHANNELS / j->rows, "--grid", &j->columns))
		return -1;
	return 0;
}

static int option_shape(struct ctl_solve *j, int key)
{
	int64_t um;
	double v;

	switch (key) {
	case 'p':
		if (j->points == CTL_POINTS) {
			fprintf(stderr, "holdfastctl: --at: more than %d positions\n", CTL_POINTS);
			return -1;
		}
		return ctl_parse_point(optarg, '\0', &j->at[j->points++], NULL);
	case 'c':
		if (ctl_parse_value(optarg, "um", 1, 1000000, "--circle", &um))
			return -1;
		j->radius_m = (double)um * 1e-6;
		return 0;
	case 257:
		if (number(optarg, -16, 16, "--charge", &v) || v != floor(v)) {
			fprintf(stderr, "holdfastctl: --charge: a whole number is required\n");
			return -1;
		}
		j->charge = (int)v;
		return 0;
	case 258:
		if (number(optarg, -360, 360, "--turn", &v))
			return -1;
		j->turn_rad = v * M_PI / 180;
		return 0;
	default:
		return -1;
	}
}

static int option(struct ctl_solve *j, int key)
{
	int64_t v;

	switch (key) {
	case 'n':
		return ctl_parse_u64(optarg, 1, HOLDFAST_STREAM_MAX_FRAMES, "--frames", &j->frames);
	case 'r':
		return number(optarg, 0.1, 1e6, "--rate", &j->rate_hz);
	case 'a':
		if (ctl_parse_value(optarg, "q16", 0, 65535, "--amp", &v))
			return -1;
		j->amp = (uint16_t)v;
		return 0;
	case 259:
		return grid_parse(j, optarg);
	case 260:
		return ctl_parse_u64(optarg, 1000, 1000000, "--pitch-um", &j->pitch_um);
	case 'o':
		j->output = optarg;
		return 0;
	default:
		return option_shape(j, key);
	}
}

/* Where the pattern is at @t in 0..1. Return: how many points. */
static size_t points_at(const struct ctl_solve *j, double t, struct holdfast_point *out)
{
	size_t n = j->pattern == CTL_FOCI ? j->points : 1;

	if (j->pattern != CTL_FOCI && j->points > 1) {
		out[0] = holdfast_path_at(j->at, j->points, t);
		return 1;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = j->radius_m > 0 ? holdfast_circle_at(&j->at[i], j->radius_m, t) : j->at[i];
	return n;
}

static int solve(const struct ctl_solve *j, const struct holdfast_model *m,
		 const struct holdfast_point *at, size_t n, uint16_t *phase)
{
	switch (j->pattern) {
	case CTL_FOCUS:
		holdfast_solve_focus(m, at, phase);
		return 0;
	case CTL_FOCI:
		return holdfast_solve_foci(m, at, n, FOCI_ITERATIONS, phase);
	case CTL_TWIN:
		holdfast_solve_twin(m, at, j->turn_rad, phase);
		return 0;
	case CTL_VORTEX:
		holdfast_solve_vortex(m, at, j->charge, phase);
		return 0;
	case CTL_BOTTLE:
		return holdfast_solve_bottle(m, at, phase);
	}
	return -EINVAL;
}

static void predict(const struct holdfast_model *m, const struct holdfast_point *at, size_t n,
		    const uint16_t *phase, const uint16_t *amp)
{
	for (size_t i = 0; i < n; i++) {
		double re, im;

		holdfast_pressure(m, phase, amp, &at[i], &re, &im);
		fprintf(stderr, "frame 0: %.1f Pa predicted at %.3f,%.3f,%.3f mm\n", hypot(re, im),
			at[i].x_m * 1e3, at[i].y_m * 1e3, at[i].z_m * 1e3);
	}
}

static int frames_solve(const struct ctl_solve *j, const struct holdfast_model *m,
			struct holdfast_stream *s)
{
	uint16_t phase[HOLDFAST_MAX_CHANNELS], amp[HOLDFAST_MAX_CHANNELS];
	/* A circle comes round to its start, a path ends at its end. */
	double steps = j->radius_m > 0 || j->frames == 1 ? (double)j->frames :
							   (double)(j->frames - 1);

	for (size_t i = 0; i < HOLDFAST_MAX_CHANNELS; i++)
		amp[i] = j->amp;
	for (uint64_t i = 0; i < j->frames; i++) {
		struct holdfast_point at[HOLDFAST_MAX_FOCI];
		struct holdfast_focus foci[HOLDFAST_MAX_FOCI];
		size_t n = points_at(j, (double)i / steps, at);
		int ret = solve(j, m, at, n, phase);

		for (size_t k = 0; k < n; k++)
			foci[k] = holdfast_focus_at(&at[k]);
		if (!ret)
			ret = holdfast_stream_append(s, phase, amp, foci, (uint32_t)n);
		if (ret)
			return ret;
		if (!i)
			predict(m, at, n, phase, amp);
	}
	return 0;
}

static int model_get(struct ctl *c, const struct ctl_solve *j, struct holdfast_model **m)
{
	struct holdfast_array *a;
	int ret;

	if (j->rows) {
		ret = holdfast_model_grid(m, (uint32_t)j->rows, (uint32_t)j->columns,
					  (uint32_t)j->pitch_um);
		return ret ? ctl_fail(ret, "--grid") : 0;
	}
	ret = ctl_open(c, &a, 0);
	if (ret)
		return ret;
	ret = holdfast_model_of(m, a);
	holdfast_close(a);
	return ret ? ctl_fail(ret, "geometry of the array") : 0;
}

static int run(struct ctl *c, const struct ctl_solve *j)
{
	struct holdfast_stream *s = NULL;
	struct holdfast_model *m;
	int ret = model_get(c, j, &m);

	if (ret)
		return ret;
	ret = holdfast_stream_new(&s, holdfast_model_channels(m),
				  (uint64_t)(1e9 / j->rate_hz + 0.5));
	if (!ret)
		ret = frames_solve(j, m, s);
	if (!ret)
		ret = holdfast_stream_save(s, j->output);
	if (!ret)
		fprintf(stderr, "%s: %" PRIu32 " frames of %" PRIu32 " channels, %g frames/s\n",
			j->output, holdfast_stream_frames(s), holdfast_stream_channels(s),
			j->rate_hz);
	holdfast_stream_free(s);
	holdfast_model_free(m);
	return ret ? ctl_fail(ret, "%s", j->output) : CTL_OK;
}

static int pattern_find(const char *name)
{
	for (int i = CTL_FOCUS; i <= CTL_BOTTLE; i++)
		if (!strcmp(patterns[i], name))
			return i;
	return -1;
}

int solve_read(struct ctl *c, int argc, char **argv)
{
	struct ctl_solve *j = &c->req.solve;
	bool moves;
	int key, p;

	*j = (struct ctl_solve){ .rate_hz = 100, .amp = 65535, .charge = 1, .pitch_um = 10500 };
	while ((key = ctl_option_next(c, argc, argv)) != -1)
		if (key == '?' || option(j, key))
			return ctl_option_exit(c);
	if (argc - optind != 1)
		return ctl_usage(c, "exactly one pattern is required");
	p = pattern_find(argv[optind]);
	if (p < 0)
		return ctl_usage(c, "\"%s\" is not a pattern", argv[optind]);
	j->pattern = (enum ctl_pattern)p;
	if (!j->points)
		return ctl_usage(c, "--at X,Y,Z is missing");
	if (!j->output)
		return ctl_usage(c, "--output FILE is missing");
	if (j->pattern == CTL_FOCI && j->points > HOLDFAST_MAX_FOCI)
		return ctl_usage(c, "%zu foci where %u are allowed", j->points, HOLDFAST_MAX_FOCI);
	if (j->pattern != CTL_FOCI && j->points > 1 && j->radius_m > 0)
		return ctl_usage(c, "a path or a circle, not both");
	moves = j->radius_m > 0 || (j->pattern != CTL_FOCI && j->points > 1);
	if (!j->frames)
		j->frames = moves ? 100 : 1;
	return -1;
}

int cmd_solve(struct ctl *c)
{
	return run(c, &c->req.solve);
}
