// SPDX-License-Identifier: GPL-2.0
/*
 * surface: the many points where the pressure is bounded on average. Points come from a
 * file and go to the driver, which alone decides; the limit itself (surface_mean) is
 * one of the envelope's and set there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

/* Points of one call, as many as there may be. */
struct points {
	struct holdfast_surface_point p[HOLDFAST_MAX_SURFACE];
	size_t n;
};

static int line_read(struct points *s, char *line, const char *path, unsigned int number)
{
	struct holdfast_point at;
	struct holdfast_focus um;

	line[strcspn(line, "\r\n")] = '\0';
	if (!line[strspn(line, " \t")] || line[0] == '#')
		return 0;
	if (s->n == HOLDFAST_MAX_SURFACE) {
		fprintf(stderr, "holdfastctl: %s: line %u: more than %u points\n", path, number,
			HOLDFAST_MAX_SURFACE);
		return -1;
	}
	if (ctl_parse_point(line, '\0', &at, NULL)) {
		fprintf(stderr, "holdfastctl: %s: line %u\n", path, number);
		return -1;
	}
	um = holdfast_focus_at(&at);
	s->p[s->n++] = (struct holdfast_surface_point){ um.x_um, um.y_um, um.z_um, 0 };
	return 0;
}

/* "X,Y,Z" in mm on each line; empty lines and those that begin with # say nothing. */
static int points_read(struct points *s, const char *path)
{
	FILE *f = fopen(path, "re");
	char line[128];
	int ret = 0;

	if (!f) {
		fprintf(stderr, "holdfastctl: %s: %s\n", path, strerror(errno));
		return -1;
	}
	for (unsigned int number = 1; !ret && fgets(line, sizeof(line), f); number++) {
		if (!strchr(line, '\n') && !feof(f)) {
			fprintf(stderr, "holdfastctl: %s: line %u: more than %zu characters\n", path,
				number, sizeof(line) - 2);
			ret = -1;
		}
		if (!ret)
			ret = line_read(s, line, path, number);
	}
	if (!ret && ferror(f)) {
		fprintf(stderr, "holdfastctl: %s: %s\n", path, strerror(errno));
		ret = -1;
	}
	fclose(f);
	if (!ret && !s->n) {
		fprintf(stderr, "holdfastctl: %s: no points\n", path);
		ret = -1;
	}
	return ret;
}

static int show_json(const struct points *s, const struct holdfast_surface *u)
{
	json_t *all = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(all, json_pack("{s:i, s:i, s:i, s:I}", "x_um",
			(int)s->p[i].x_um, "y_um", (int)s->p[i].y_um, "z_um", (int)s->p[i].z_um,
			"mean_mpa", (json_int_t)s->p[i].mean_mpa));
	return ctl_json_print(json_pack("{s:I, s:I, s:o}", "count", (json_int_t)u->count, "scan_ms",
					(json_int_t)u->scan_ms, "points", all), true);
}

static int show(struct ctl *c, struct holdfast_array *a, struct points *s)
{
	struct holdfast_surface u;
	int n = holdfast_surface_get(a, s->p, HOLDFAST_MAX_SURFACE, &u);

	if (n < 0)
		return ctl_fail(n, "surface");
	s->n = n < HOLDFAST_MAX_SURFACE ? (size_t)n : HOLDFAST_MAX_SURFACE;
	if (c->json)
		return show_json(s, &u);
	if (n)
		printf("%d points, each visited within %.3f s; means over 60 s:\n", n, u.scan_ms / 1e3);
	for (size_t i = 0; i < s->n; i++)
		printf("%-4zu %.3f,%.3f,%.3f mm  %.3f Pa%s\n", i, s->p[i].x_um / 1e3,
		       s->p[i].y_um / 1e3, s->p[i].z_um / 1e3, s->p[i].mean_mpa / 1e3,
		       i == u.worst && s->p[i].mean_mpa ? "  worst" : "");
	return CTL_OK;
}

static int change(struct holdfast_array *a, const char *verb, const struct points *s)
{
	struct holdfast_reason r = { .limit = HOLDFAST_LIM_NONE };
	int ret = verb[0] == 'a' ? holdfast_surface_add(a, s->p, s->n, &r) :
				   holdfast_surface_set(a, s->p, s->n, &r);

	if (ret == -EBUSY)
		return ctl_fail(ret, "surface %s: only while silent or tripped", verb);
	return ret ? ctl_fail_reason(ret, &r, "surface") : CTL_OK;
}

int surface_read(struct ctl *c, int argc, char **argv)
{
	struct ctl_surface *r = &c->req.surface;
	int ret = ctl_no_options(c, argc, argv, 0, argc);
	bool file;

	if (ret >= 0)
		return ret;
	r->verb = optind < argc ? argv[optind] : "show";
	file = !strcmp(r->verb, "set") || !strcmp(r->verb, "add");
	if (!file && strcmp(r->verb, "show") && strcmp(r->verb, "clear"))
		return ctl_usage(c, "\"%s\" is not known", r->verb);
	if (argc - optind > 1 + file)
		return ctl_usage(c, "too many arguments");
	if (file && argc - optind < 2)
		return ctl_usage(c, "a file is missing");
	r->path = file ? argv[optind + 1] : NULL;
	return -1;
}

int cmd_surface(struct ctl *c)
{
	const struct ctl_surface *r = &c->req.surface;
	struct points *s = calloc(1, sizeof(*s));
	struct holdfast_array *a;
	int ret;

	if (!s)
		return ctl_fail(-ENOMEM, "surface");
	if (r->path && points_read(s, r->path)) {
		free(s);
		return CTL_FAILED;
	}
	ret = ctl_open(c, &a, 0);
	if (!ret) {
		ret = strcmp(r->verb, "show") ? change(a, r->verb, s) : show(c, a, s);
		holdfast_close(a);
	}
	free(s);
	return ret;
}
