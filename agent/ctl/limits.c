// SPDX-License-Identifier: GPL-2.0
/*
 * envelope and fence: the limits of the site. Names, units and ranges come
 * from the driver that is asked, so that a newer one needs no newer program.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

const struct ctl_option envelope_options[] = {
	{ "forbid", 'f', "CHANNELS", "of set and tighten: never drive these, e.g. 3,17-20" },
	{ NULL, 0, NULL, NULL },
};

/* All limits that the driver has. Return: how many, or -errno. */
static int limits_get(struct holdfast_array *a, struct holdfast_limit_info *known)
{
	for (uint32_t i = 0; i < HOLDFAST_LIM_ROOM; i++) {
		int ret = holdfast_limit_info(a, i, &known[i]);

		if (ret)
			return ret == -EINVAL ? (int)i : ret;
	}
	return HOLDFAST_LIM_ROOM;
}

static const struct holdfast_limit_info *limit_find(const struct holdfast_limit_info *known,
						    int n, const char *name, size_t len)
{
	for (int i = 0; i < n; i++)
		if (strlen(known[i].name) == len && !memcmp(known[i].name, name, len))
			return &known[i];
	return NULL;
}

int ctl_limit_set(struct holdfast_envelope *env, const struct holdfast_limit_info *known, int n,
		  const char *text)
{
	const char *eq = strchr(text, '=');
	const struct holdfast_limit_info *info;
	char err[HOLDFAST_TEXT_LEN];
	int64_t v;

	if (!eq || eq == text) {
		fprintf(stderr, "holdfastctl: \"%s\": NAME=VALUE is required\n", text);
		return CTL_USAGE;
	}
	info = limit_find(known, n, text, (size_t)(eq - text));
	if (!info) {
		fprintf(stderr, "holdfastctl: there is no limit \"%.*s\"; holdfastctl envelope show lists them\n",
			(int)(eq - text), text);
		return CTL_USAGE;
	}
	if (holdfast_value_parse(eq + 1, info->unit, info->is_floor, &v, err)) {
		fprintf(stderr, "holdfastctl: %s: %s\n", info->name, err);
		return CTL_USAGE;
	}
	if (v < info->min || v > info->max) {
		fprintf(stderr,
			"holdfastctl: %s: %" PRId64 " %s where %" PRId64 " to %" PRId64 " is allowed\n",
			info->name, v, info->unit, (int64_t)info->min, (int64_t)info->max);
		return CTL_USAGE;
	}
	env->limit[info->limit] = v;
	env->set |= 1ULL << info->limit;
	return 0;
}

/* Digits only: strtoul() takes a sign, and makes a channel of -18446744073709551615. */
static bool channel(const char **p, unsigned long *n)
{
	char *end;

	if (!isdigit((unsigned char)**p))
		return false;
	*n = strtoul(*p, &end, 10);
	*p = end;
	return *n < HOLDFAST_MAX_CHANNELS;
}

/* "3,17-20": clears bits of the mask. */
static int forbid(struct holdfast_envelope *env, const char *text)
{
	const char *p = text;

	memset(env->mask, 0xff, sizeof(env->mask));
	env->set_mask = 1;
	do {
		unsigned long from, to;

		if (!channel(&p, &from))
			goto bad;
		to = from;
		if (*p == '-') {
			p++;
			if (!channel(&p, &to))
				goto bad;
		}
		if (from > to || (*p && *p != ','))
			goto bad;
		for (; from <= to; from++)
			env->mask[from / 64] &= ~(1ULL << (from % 64));
	} while (*p++);
	return 0;
bad:
	fprintf(stderr, "holdfastctl: --forbid: \"%s\" where channels 0 to %u are required, e.g. 3,17-20\n",
		text, HOLDFAST_MAX_CHANNELS - 1);
	return -1;
}

static json_t *limit_json(const struct holdfast_limit_info *info,
			  const struct holdfast_envelope env[3])
{
	char key[64];
	json_t *j = json_pack("{s:s, s:s, s:s, s:I, s:I}", "name", info->name, "unit", info->unit,
			      "sense", info->is_floor ? "floor" : "ceiling",
			      "min", (json_int_t)info->min, "max", (json_int_t)info->max);
	static const char *const which[] = { "nameplate", "site", "effective" };

	for (int i = 0; i < 3; i++)
		json_object_set_new(j, ctl_json_key(which[i], info->unit, key, sizeof(key)),
				    json_integer(env[i].limit[info->limit]));
	return j;
}

static void limit_text(const struct holdfast_limit_info *info,
		       const struct holdfast_envelope env[3])
{
	char value[3][48];

	for (int i = 0; i < 3; i++)
		holdfast_value_print(env[i].limit[info->limit], info->unit, value[i],
				     sizeof(value[i]));
	printf("%-16s %-7s %18s %18s %18s\n", info->name, info->is_floor ? "floor" : "ceiling",
	       value[0], value[1], value[2]);
}

static json_t *forbidden_json(const struct holdfast_envelope *env, uint32_t channels)
{
	json_t *j = json_array();

	for (uint32_t i = 0; i < channels; i++)
		if (!(env->mask[i / 64] & (1ULL << (i % 64))))
			json_array_append_new(j, json_integer(i));
	return j;
}

static void forbidden_text(const struct holdfast_envelope *env, uint32_t channels)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < channels; i++)
		if (!(env->mask[i / 64] & (1ULL << (i % 64))))
			printf("%s%" PRIu32, n++ ? "," : "forbidden channels: ", i);
	if (n)
		putchar('\n');
}

static int envelope_show(struct ctl *c, struct holdfast_array *a)
{
	struct holdfast_envelope env[3];
	struct holdfast_limit_info info;
	struct holdfast_info array;
	json_t *all = NULL;
	int ret = holdfast_info(a, &array);

	if (!ret)
		ret = holdfast_envelope_get(a, HOLDFAST_ENV_NAMEPLATE, &env[0]);
	if (!ret)
		ret = holdfast_envelope_get(a, HOLDFAST_ENV_SITE, &env[1]);
	if (!ret)
		ret = holdfast_envelope_get(a, HOLDFAST_ENV_EFFECTIVE, &env[2]);
	if (ret)
		return ctl_fail(ret, "envelope");
	if (c->json)
		all = json_array();
	else
		printf("%-16s %-7s %18s %18s %18s\n", "limit", "sense", "nameplate", "site",
		       "effective");
	for (uint32_t i = 0; i < HOLDFAST_LIM_ROOM && !holdfast_limit_info(a, i, &info); i++) {
		if (all)
			json_array_append_new(all, limit_json(&info, env));
		else
			limit_text(&info, env);
	}
	if (all)
		return ctl_json_print(json_pack("{s:b, s:I, s:o, s:o}", "sealed",
						env[1].sealed != 0, "generation",
						(json_int_t)env[2].generation, "limits", all,
						"forbidden_channels",
						forbidden_json(&env[2], array.channels)),
				      true);
	forbidden_text(&env[2], array.channels);
	printf("%s, generation %" PRIu64 "\n", env[1].sealed ? "sealed until reboot" : "not sealed",
	       (uint64_t)env[2].generation);
	return CTL_OK;
}

static int envelope_change(struct holdfast_array *a, struct ctl_envelope *r)
{
	struct holdfast_limit_info known[HOLDFAST_LIM_ROOM];
	struct holdfast_envelope *env = &r->env;
	const char *what = r->count ? r->limits[0] : "envelope";
	bool tighten = r->verb[0] == 't';
	int n = limits_get(a, known), ret;

	if (n < 0)
		return ctl_fail(n, "limits");
	for (int i = 0; i < r->count; i++) {
		ret = ctl_limit_set(env, known, n, r->limits[i]);
		if (ret)
			return ret;
	}
	ret = tighten ? holdfast_envelope_tighten(a, env) : holdfast_envelope_set(a, env);
	if (ret == -EBUSY)
		return ctl_fail(ret, "envelope set: only while silent or tripped");
	if (ret == -EPERM && !tighten && env->sealed) {
		fprintf(stderr, "holdfastctl: %s: sealed: until reboot the envelope can only be tightened\n",
			what);
		return CTL_DENIED;
	}
	return ret ? ctl_fail_reason(ret, &env->reason, what) : CTL_OK;
}

int envelope_read(struct ctl *c, int argc, char **argv)
{
	static const char *const verbs[] = { "show", "seal", "set", "tighten" };
	struct ctl_envelope *r = &c->req.envelope;
	bool changes;
	size_t i = 0;
	int key;

	while ((key = ctl_option_next(c, argc, argv)) != -1)
		if (key != 'f' || forbid(&r->env, optarg))
			return ctl_option_exit(c);
	r->verb = optind < argc ? argv[optind] : "show";
	r->count = optind < argc ? argc - optind - 1 : 0;
	r->limits = argv + optind + 1;
	while (i < 4 && strcmp(verbs[i], r->verb))
		i++;
	if (i == 4)
		return ctl_usage(c, "\"%s\" is not known", r->verb);
	changes = i >= 2;
	if (changes ? !r->count && !r->env.set_mask : r->count)
		return ctl_usage(c, changes ? "NAME=VALUE is missing" : "too many arguments");
	return -1;
}

int cmd_envelope(struct ctl *c)
{
	struct ctl_envelope *r = &c->req.envelope;
	struct holdfast_array *a;
	int ret = ctl_open(c, &a, 0);

	if (ret)
		return ret;
	if (!strcmp(r->verb, "show")) {
		ret = envelope_show(c, a);
	} else if (!strcmp(r->verb, "seal")) {
		ret = holdfast_seal(a);
		ret = ret ? ctl_fail(ret, "seal") : CTL_OK;
	} else {
		ret = envelope_change(a, r);
	}
	holdfast_close(a);
	return ret;
}

/* Points of the command line: "X,Y,Z=PRESSURE", or "X,Y,Z" with @limit false. */
static int points_parse(int argc, char **argv, bool limit, struct holdfast_fence_point *p)
{
	if (argc > HOLDFAST_MAX_FENCE) {
		fprintf(stderr, "holdfastctl: %d points where %u are allowed\n", argc,
			HOLDFAST_MAX_FENCE);
		return -1;
	}
	for (int i = 0; i < argc; i++) {
		struct holdfast_point at;
		struct holdfast_focus um;
		const char *rest;
		int64_t mpa = 0;

		if (ctl_parse_point(argv[i], limit ? '=' : '\0', &at, &rest))
			return -1;
		if (limit && ctl_parse_value(rest, "mPa", 0, UINT32_MAX, argv[i], &mpa))
			return -1;
		um = holdfast_focus_at(&at);
		p[i] = (struct holdfast_fence_point){ um.x_um, um.y_um, um.z_um, (uint32_t)mpa };
	}
	return 0;
}

static int fence_list(struct ctl *c, struct holdfast_array *a)
{
	struct holdfast_fence_point p[HOLDFAST_MAX_FENCE];
	int n = holdfast_fence_get(a, HOLDFAST_ENV_SITE, p, HOLDFAST_MAX_FENCE);
	json_t *all = NULL;

	if (n < 0)
		return ctl_fail(n, "fence");
	if (c->json)
		all = json_array();
	for (int i = 0; i < n && i < HOLDFAST_MAX_FENCE; i++) {
		if (all)
			json_array_append_new(all, json_pack("{s:i, s:i, s:i, s:i, s:I}",
				"index", i, "x_um", (int)p[i].x_um, "y_um", (int)p[i].y_um,
				"z_um", (int)p[i].z_um, "limit_mpa", (json_int_t)p[i].limit_mpa));
		else
			printf("%-3d %.3f,%.3f,%.3f mm  %.3f Pa\n", i, p[i].x_um / 1e3,
			       p[i].y_um / 1e3, p[i].z_um / 1e3, p[i].limit_mpa / 1e3);
	}
	return all ? ctl_json_print(all, true) : CTL_OK;
}

static int fence_remove(struct holdfast_array *a, const struct holdfast_fence_point *out, int n)
{
	struct holdfast_fence_point p[HOLDFAST_MAX_FENCE];
	struct holdfast_reason r = { 0 };
	int have = holdfast_fence_get(a, HOLDFAST_ENV_SITE, p, HOLDFAST_MAX_FENCE), ret;

	if (have < 0)
		return ctl_fail(have, "fence");
	for (int i = 0; i < n; i++) {
		int j = 0;

		while (j < have && (p[j].x_um != out[i].x_um || p[j].y_um != out[i].y_um ||
				    p[j].z_um != out[i].z_um))
			j++;
		if (j == have) {
			fprintf(stderr, "holdfastctl: there is no fence point at %.3f,%.3f,%.3f\n",
				out[i].x_um / 1e3, out[i].y_um / 1e3, out[i].z_um / 1e3);
			return CTL_FAILED;
		}
		p[j] = p[--have];
	}
	ret = holdfast_fence_set(a, p, (size_t)have, &r);
	if (ret == -EBUSY)
		return ctl_fail(ret, "fence remove: only while silent or tripped");
	return ret ? ctl_fail_reason(ret, &r, "fence remove") : CTL_OK;
}

static int fence_verb(struct ctl *c, struct holdfast_array *a, const char *verb, int n,
		      const struct holdfast_fence_point *p)
{
	struct holdfast_reason r = { 0 };
	int ret;

	if (!strcmp(verb, "list"))
		return fence_list(c, a);
	if (!strcmp(verb, "remove"))
		return fence_remove(a, p, n);
	ret = holdfast_fence_add(a, p, (size_t)n, &r);
	return ret ? ctl_fail_reason(ret, &r, "fence add") : CTL_OK;
}

int fence_read(struct ctl *c, int argc, char **argv)
{
	struct ctl_fence *r = &c->req.fence;
	int ret = ctl_no_options(c, argc, argv, 0, argc);

	if (ret >= 0)
		return ret;
	r->verb = optind < argc ? argv[optind] : "list";
	r->count = optind < argc ? argc - optind - 1 : 0;
	if (strcmp(r->verb, "list") && strcmp(r->verb, "add") && strcmp(r->verb, "remove"))
		return ctl_usage(c, "\"%s\" is not known", r->verb);
	if (!strcmp(r->verb, "list") ? r->count : !r->count)
		return ctl_usage(c, r->count ? "too many arguments" : "a point is missing");
	if (points_parse(r->count, argv + optind + 1, r->verb[0] == 'a', r->points))
		return CTL_USAGE;
	return -1;
}

int cmd_fence(struct ctl *c)
{
	const struct ctl_fence *r = &c->req.fence;
	struct holdfast_array *a;
	int ret = ctl_open(c, &a, 0);

	if (ret)
		return ret;
	ret = fence_verb(c, a, r->verb, r->count, r->points);
	holdfast_close(a);
	return ret;
}
