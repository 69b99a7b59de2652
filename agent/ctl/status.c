// SPDX-License-Identifier: GPL-2.0
/*
 * status: what the array does now, once or live. Reads only; everything comes
 * from the status page and the envelope.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

const struct ctl_option status_options[] = {
	{ "watch", 'w', NULL, "go on: redraws on a terminal, else a line each time" },
	{ "interval", 'i', "TIME", "of --watch, e.g. 500ms (default) or 2s" },
	{ NULL, 0, NULL, NULL },
};

/* What changes seldom, and what is needed for rates. */
struct view {
	struct holdfast_array *array;
	struct holdfast_info info;
	struct holdfast_envelope env;
	struct holdfast_fence_point fence[HOLDFAST_MAX_FENCE];
	int fences;
	char label[HOLDFAST_MAX_SENSORS][HOLDFAST_LABEL_LEN];
	uint64_t before_ns, before_frames;
	double frames_per_s;
	const char *eol;	/* clears the rest of a line that is redrawn */
};

static uint64_t frames_of(const struct holdfast_status *st)
{
	return st->frames_admitted + st->frames_attenuated;
}

static int view_init(struct view *v, struct holdfast_array *a)
{
	int ret = holdfast_info(a, &v->info);

	if (ret)
		return ret;
	v->array = a;
	v->eol = "";
	v->env.generation = UINT64_MAX;
	for (uint32_t i = 0; i < v->info.sensors && i < HOLDFAST_MAX_SENSORS; i++)
		ctl_sensor_label(a, i, v->label[i], sizeof(v->label[i]));
	return 0;
}

static int view_update(struct view *v, struct holdfast_status *st)
{
	int ret = holdfast_status(v->array, st);

	if (ret)
		return ret;
	if (st->envelope_gen != v->env.generation) {
		ret = holdfast_envelope_get(v->array, HOLDFAST_ENV_EFFECTIVE, &v->env);
		if (ret)
			return ret;
		v->env.generation = st->envelope_gen;
		v->fences = holdfast_fence_get(v->array, HOLDFAST_ENV_SITE, v->fence,
					       HOLDFAST_MAX_FENCE);
	}
	if (st->time_ns > v->before_ns && v->before_ns)
		v->frames_per_s = (double)(frames_of(st) - v->before_frames) * 1e9 /
				  (double)(st->time_ns - v->before_ns);
	v->before_ns = st->time_ns;
	v->before_frames = frames_of(st);
	return 0;
}

static int64_t limit(const struct view *v, uint32_t i)
{
	return v->env.limit[i];
}

/* The fence point's own limit and the general one: the tighter holds. */
static int64_t fence_limit(const struct view *v, uint32_t i)
{
	int64_t all = limit(v, HOLDFAST_LIM_FENCE_PRESSURE);

	if ((int)i >= v->fences)
		return all;
	return v->fence[i].limit_mpa < all ? v->fence[i].limit_mpa : all;
}

static json_t *sensors_json(const struct view *v, const struct holdfast_status *st)
{
	json_t *all = json_array();
	char key[32];

	for (uint32_t i = 0; i < st->sensors && i < HOLDFAST_MAX_SENSORS; i++) {
		const struct holdfast_sample *s = &st->sensor[i];
		json_t *j = json_pack("{s:s, s:s, s:b, s:I}", "label", v->label[i], "kind",
				      holdfast_sensor_kind_name(s->kind), "valid", s->valid != 0,
				      "time_ns", (json_int_t)s->time_ns);

		ctl_json_key("value", ctl_sensor_unit(s->kind), key, sizeof(key));
		json_object_set_new(j, key, s->valid ? json_integer(s->value) : json_null());
		json_array_append_new(all, j);
	}
	return all;
}

static json_t *fence_json(const struct view *v, const struct holdfast_status *st)
{
	json_t *all = json_array();

	for (uint32_t i = 0; i < st->fences && (int)i < v->fences; i++)
		json_array_append_new(all, json_pack("{s:i, s:i, s:i, s:I, s:I, s:I}",
			"x_um", (int)v->fence[i].x_um, "y_um", (int)v->fence[i].y_um,
			"z_um", (int)v->fence[i].z_um,
			"pressure_mpa", (json_int_t)st->fence_mpa[i],
			"limit_mpa", (json_int_t)fence_limit(v, i),
			"dose_pa2s", (json_int_t)st->fence_dose[i]));
	return all;
}

static void counters_json(const struct view *v, const struct holdfast_status *st, json_t *j)
{
	json_t *f = json_pack("{s:I, s:I, s:I, s:I, s:f}",
			      "admitted", (json_int_t)st->frames_admitted,
			      "attenuated", (json_int_t)st->frames_attenuated,
			      "refused", (json_int_t)st->frames_rejected,
			      "malformed", (json_int_t)st->frames_malformed,
			      "per_s", v->frames_per_s);

	json_object_set_new(j, "frames", f);
	json_object_set_new(j, "tick", json_integer((json_int_t)st->tick));
	json_object_set_new(j, "tick_late_max_ns", json_integer((json_int_t)st->tick_late_max_ns));
	json_object_set_new(j, "emit_ns", json_integer((json_int_t)st->emit_ns));
	json_object_set_new(j, "leases", json_integer(st->leases));
	json_object_set_new(j, "trips", json_integer(st->trips));
	json_object_set_new(j, "trip_cause", json_string(holdfast_cause_name(st->trip_cause)));
	json_object_set_new(j, "trip_severity",
			    json_string(holdfast_severity_name(st->trip_severity)));
	json_object_set_new(j, "trip_reason", ctl_json_reason(&st->trip_reason));
	json_object_set_new(j, "last_refused", ctl_json_reason(&st->last_reject));
	json_object_set_new(j, "nearest", ctl_json_reason(&st->nearest));
}

static json_t *status_json(const struct view *v, const struct holdfast_status *st)
{
	char instance[CTL_INSTANCE_LEN];
	json_t *j = json_pack("{s:I, s:s, s:s, s:I, s:s, s:b, s:b, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			      "array", (json_int_t)v->info.index, "model", v->info.model,
			      "serial", v->info.serial, "channels", (json_int_t)v->info.channels,
			      "state", holdfast_state_name(st->state), "sealed", st->sealed != 0,
			      "derated", st->derated != 0, "cap_q16", (json_int_t)st->cap_q16,
			      "time_ns", (json_int_t)st->time_ns,
			      "instance", ctl_instance(st->instance, instance),
			      "epoch", (json_int_t)st->epoch,
			      "event_seq", (json_int_t)st->event_seq,
			      "envelope_generation", (json_int_t)st->envelope_gen,
			      "beat_ns", (json_int_t)st->beat_ns,
			      "power_uw", (json_int_t)st->power_uw,
			      "power_avg_uw", (json_int_t)st->power_avg_uw,
			      "chan_rise_mk", (json_int_t)st->chan_rise_mk,
			      "array_rise_mk", (json_int_t)st->array_rise_mk);

	if (!j)
		return NULL;
	counters_json(v, st, j);
	json_object_set_new(j, "sensors", sensors_json(v, st));
	json_object_set_new(j, "fence", fence_json(v, st));
	if (st->surface_points)
		json_object_set_new(j, "surface", json_pack("{s:I, s:I, s:I, s:I, s:I}",
			"points", (json_int_t)st->surface_points,
			"worst", (json_int_t)st->surface_worst,
			"mean_mpa", (json_int_t)st->surface_mean_mpa,
			"limit_mpa", (json_int_t)limit(v, HOLDFAST_LIM_SURFACE_MEAN),
			"round_ms", (json_int_t)st->surface_round_ms));
	return j;
}

static void bar(int64_t value, int64_t max)
{
	int n = max > 0 ? (int)(value * 20 / max) : 20;

	if (n < 0)
		n = 0;
	if (n > 20)
		n = 20;
	printf(" [%.*s%*s]", n, "####################", 20 - n, "");
}

static void sensors_text(const struct view *v, const struct holdfast_status *st)
{
	static const uint32_t limits[] = {
		[HOLDFAST_SENSOR_TEMP] = HOLDFAST_LIM_TEMP_WARN,
		[HOLDFAST_SENSOR_SUPPLY] = HOLDFAST_LIM_SUPPLY_MIN,
		[HOLDFAST_SENSOR_CURRENT] = HOLDFAST_LIM_CURRENT,
		[HOLDFAST_SENSOR_FAN] = HOLDFAST_LIM_FAN_MIN,
	};
	char value[48], bound[48];

	for (uint32_t i = 0; i < st->sensors && i < HOLDFAST_MAX_SENSORS; i++) {
		const struct holdfast_sample *s = &st->sensor[i];
		const char *unit = ctl_sensor_unit(s->kind);
		uint32_t lim = s->kind <= HOLDFAST_SENSOR_FAN ? limits[s->kind] : 0;

		if (!s->valid) {
			printf("  %-16s no reading%s\n", v->label[i], v->eol);
			continue;
		}
		printf("  %-16s %-12s %s %s%s\n", v->label[i],
		       holdfast_value_print(s->value, unit, value, sizeof(value)),
		       holdfast_limit_name(lim),
		       holdfast_value_print(limit(v, lim), unit, bound, sizeof(bound)), v->eol);
	}
}

static void fence_text(const struct view *v, const struct holdfast_status *st)
{
	for (uint32_t i = 0; i < st->fences && (int)i < v->fences; i++) {
		int64_t lim = fence_limit(v, i);

		printf("  fence point %-4" PRIu32, i);
		bar(st->fence_mpa[i], lim);
		printf(" %9.1f Pa of %.1f Pa at %.1f,%.1f,%.1f mm%s\n", st->fence_mpa[i] / 1e3,
		       (double)lim / 1e3, v->fence[i].x_um / 1e3, v->fence[i].y_um / 1e3,
		       v->fence[i].z_um / 1e3, v->eol);
	}
}

static void surface_text(const struct view *v, const struct holdfast_status *st)
{
	int64_t lim = limit(v, HOLDFAST_LIM_SURFACE_MEAN);

	if (!st->surface_points)
		return;
	printf("  surface         ");
	bar(st->surface_mean_mpa, lim);
	printf(" %9.1f Pa mean of %.1f Pa, point %" PRIu32 " of %" PRIu32 "%s\n",
	       st->surface_mean_mpa / 1e3, (double)lim / 1e3, st->surface_worst,
	       st->surface_points, v->eol);
}

static void reasons_text(const struct view *v, const struct holdfast_status *st)
{
	char text[HOLDFAST_TEXT_LEN];
	struct holdfast_trip t;

	printf("nearest limit  %s%s\n", holdfast_strerror_reason(&st->nearest, text, sizeof(text)),
	       v->eol);
	if (st->frames_rejected)
		printf("last refused   %s%s\n",
		       holdfast_strerror_reason(&st->last_reject, text, sizeof(text)), v->eol);
	if (st->trips && !holdfast_trip_get(v->array, &t))
		printf("%-14s %s%s\n", st->state == HOLDFAST_STATE_TRIPPED ? "TRIPPED" : "last trip",
		       holdfast_strerror_trip(&t, text, sizeof(text)), v->eol);
}

static void status_text(const struct view *v, const struct holdfast_status *st)
{
	uint64_t now = ctl_now_ns();

	printf("array %" PRIu32 "  %s  %s  %" PRIu32 " channels%s%s%s\n", v->info.index,
	       v->info.model, v->info.serial, v->info.channels,
	       v->info.caps & HOLDFAST_CAP_SIMULATED ? "  simulated" : "",
	       st->sealed ? "  sealed" : "", v->eol);
	printf("state          %s", holdfast_state_name(st->state));
	if (st->derated)
		printf(", derated to %.1f %%", st->cap_q16 / 655.36);
	if (st->beat_ns)
		printf(", keeper's beat %.0f ms ago", now > st->beat_ns ?
							(double)(now - st->beat_ns) / 1e6 : 0.0);
	else
		printf(", no keeper");
	printf(", %" PRIu32 " leases%s\n", st->leases, v->eol);
	printf("frames         %llu admitted  %llu attenuated  %llu refused  %llu malformed  %.1f/s%s\n",
	       st->frames_admitted, st->frames_attenuated, st->frames_rejected,
	       st->frames_malformed, v->frames_per_s, v->eol);
	printf("power          %.3f W of %.3f W, average %.3f W of %.3f W%s\n",
	       (double)st->power_uw / 1e6, (double)limit(v, HOLDFAST_LIM_POWER_INST) / 1e6,
	       (double)st->power_avg_uw / 1e6, (double)limit(v, HOLDFAST_LIM_POWER_AVG) / 1e6,
	       v->eol);
	printf("modelled rise  channel %.3f K of %.3f K, array %.3f K of %.3f K%s\n",
	       st->chan_rise_mk / 1e3, (double)limit(v, HOLDFAST_LIM_CHAN_RISE) / 1e3,
	       st->array_rise_mk / 1e3, (double)limit(v, HOLDFAST_LIM_ARRAY_RISE) / 1e3, v->eol);
	sensors_text(v, st);
	fence_text(v, st);
	surface_text(v, st);
	reasons_text(v, st);
}

/* One line for logs: time, state, what matters most. */
static void status_line(const struct view *v, const struct holdfast_status *st)
{
	char when[48], text[HOLDFAST_TEXT_LEN];
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ctl_time((uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec, when, sizeof(when));
	printf("%s %s admitted %llu attenuated %llu refused %llu power %.3f W",
	       when, holdfast_state_name(st->state), st->frames_admitted, st->frames_attenuated,
	       st->frames_rejected, (double)st->power_uw / 1e6);
	for (uint32_t i = 0; i < st->sensors && i < HOLDFAST_MAX_SENSORS; i++)
		printf(" %s %s", v->label[i], st->sensor[i].valid ?
		       holdfast_value_print(st->sensor[i].value,
					    ctl_sensor_unit(st->sensor[i].kind), text,
					    sizeof(text)) : "none");
	for (uint32_t i = 0; i < st->fences && i < HOLDFAST_MAX_FENCE; i++)
		printf(" fence%" PRIu32 " %.1f Pa", i, st->fence_mpa[i] / 1e3);
	if (st->state == HOLDFAST_STATE_TRIPPED)
		printf(" cause %s", holdfast_cause_name(st->trip_cause));
	putchar('\n');
}

static int show(struct ctl *c, struct view *v, bool watch, bool tty)
{
	struct holdfast_status st;
	int ret = view_update(v, &st);

	if (ret)
		return ctl_fail(ret, "status");
	if (c->json)
		return ctl_json_print(status_json(v, &st), !watch);
	if (watch && !tty) {
		status_line(v, &st);
	} else {
		if (watch)
			fputs("\033[H", stdout);
		status_text(v, &st);
		if (watch)
			fputs("\033[J", stdout);
	}
	fflush(stdout);
	return ferror(stdout) ? CTL_FAILED : CTL_OK;
}

static int watch_on(struct ctl *c, struct view *v, int64_t interval_ms)
{
	bool tty = !c->json && isatty(STDOUT_FILENO);
	struct timespec ts = { .tv_sec = interval_ms / 1000,
			       .tv_nsec = interval_ms % 1000 * 1000000 };
	int ret = CTL_OK;

	if (tty) {
		v->eol = "\033[K";
		fputs("\033[2J", stdout);
	}
	ctl_catch_signals();
	while (!ret && !ctl_interrupted()) {
		ret = show(c, v, true, tty);
		if (!ret)
			nanosleep(&ts, NULL);
	}
	return ret;
}

int status_read(struct ctl *c, int argc, char **argv)
{
	struct ctl_status *r = &c->req.status;
	int key;

	*r = (struct ctl_status){ .interval_ms = 500 };
	while ((key = ctl_option_next(c, argc, argv)) != -1) {
		if (key == 'w')
			r->watch = true;
		else if (key != 'i' || ctl_parse_value(optarg, "ms", 10, 3600000, "--interval",
						       &r->interval_ms))
			return ctl_option_exit(c);
	}
	return ctl_no_more(c, argc, argv);
}

int cmd_status(struct ctl *c)
{
	const struct ctl_status *r = &c->req.status;
	struct holdfast_array *a;
	struct view v = { 0 };
	int ret = ctl_open(c, &a, 0);

	if (ret)
		return ret;
	ret = view_init(&v, a);
	if (ret)
		ret = ctl_fail(ret, "array");
	else
		ret = r->watch ? watch_on(c, &v, r->interval_ms) : show(c, &v, false, false);
	holdfast_close(a);
	return ret;
}
