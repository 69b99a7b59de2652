// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of metrics: both formats to the letter, escapes, numbers, bounds, and
 * what becomes of results that are not as they should be. That whole pages are
 * as the formats want them is metrics_check.py's.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "metrics.h"

static char *text_of(struct hf_metrics *m, enum hf_metrics_format format)
{
	size_t len;
	char *text = hf_metrics_text(m, format, &len);

	cr_assert(text);
	cr_assert_eq(strlen(text), len);
	hf_metrics_free(m);
	return text;
}

static struct hf_metrics *page(void)
{
	struct hf_metrics *m;

	cr_assert_eq(hf_metrics_new(&m), 0);
	return m;
}

static void has(const char *text, const char *line)
{
	cr_assert(strstr(text, line), "%s\nis not in\n%s", line, text);
}

Test(metrics, the_same_page_in_both_formats)
{
	struct hf_metrics *m = page();
	char *text;

	hf_metrics_put(m, HF_MF_FRAMES, 3, "lab", "rejected");
	hf_metrics_put(m, HF_MF_BUILD, 1, "1.0");
	hf_metrics_put(m, HF_MF_PROC_CPU, 0.25, "auth");
	hf_metrics_put(m, HF_MF_FRAMES, 4000000001.0, "lab", "admitted");
	text = text_of(m, HF_METRICS_TEXT);
	cr_assert_str_eq(text,
		"# HELP holdfast_build_info version of the agent\n"
		"# TYPE holdfast_build_info gauge\n"
		"holdfast_build_info{version=\"1.0\"} 1\n"
		"# HELP holdfast_process_cpu_seconds_total processor time of the process as it runs now\n"
		"# TYPE holdfast_process_cpu_seconds_total counter\n"
		"holdfast_process_cpu_seconds_total{process=\"auth\"} 0.25\n"
		"# HELP holdfast_frames_total frames: admitted as they were, attenuated, rejected, malformed\n"
		"# TYPE holdfast_frames_total counter\n"
		"holdfast_frames_total{array=\"lab\",verdict=\"rejected\"} 3\n"
		"holdfast_frames_total{array=\"lab\",verdict=\"admitted\"} 4000000001\n");
	free(text);
	m = page();
	hf_metrics_put(m, HF_MF_BUILD, 1, "1.0");
	hf_metrics_put(m, HF_MF_PROC_CPU, 0.25, "auth");
	text = text_of(m, HF_METRICS_OPEN);
	cr_assert_str_eq(text,
		"# HELP holdfast_build version of the agent\n"
		"# TYPE holdfast_build info\n"
		"holdfast_build_info{version=\"1.0\"} 1\n"
		"# HELP holdfast_process_cpu_seconds processor time of the process as it runs now\n"
		"# TYPE holdfast_process_cpu_seconds counter\n"
		"# UNIT holdfast_process_cpu_seconds seconds\n"
		"holdfast_process_cpu_seconds_total{process=\"auth\"} 0.25\n"
		"# EOF\n");
	free(text);
}

Test(metrics, what_is_in_a_label_stays_in_it)
{
	struct hf_metrics *m = page();
	char *text;

	hf_metrics_put(m, HF_MF_TRIPS, 1, "a\"} 7\nx\\");
	text = text_of(m, HF_METRICS_TEXT);
	has(text, "\nholdfast_array_trips_total{array=\"a\\\"} 7\\nx\\\\\"} 1\n");
	free(text);
}

Test(metrics, numbers)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {
		{ 0, "} 0\n" }, { -1, "} -1\n" }, { 0.1, "} 0.1\n" }, { 1e15 + 1, "} 1000000000000001\n" },
		{ 1764421234.123456, "} 1764421234.123456\n" }, { 9007199254740991.0, "} 9007199254740991\n" },
		{ INFINITY, "} +Inf\n" }, { -INFINITY, "} -Inf\n" }, { NAN, "} NaN\n" }, { 1e-6, "} 1e-06\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hf_metrics *m = page();
		char *text;

		hf_metrics_put(m, HF_MF_POWER, cases[i].v, "a");
		text = text_of(m, HF_METRICS_TEXT);
		has(text, cases[i].text);
		free(text);
	}
}

Test(metrics, histogram)
{
	struct hf_histogram h = { .count = { 0 } }, back;
	struct hf_metrics *m = page();
	json_t *j;
	char *text;

	hf_histogram_add(&h, 100000);
	hf_histogram_add(&h, 100001);
	hf_histogram_add(&h, 1000000000);
	hf_histogram_add(&h, 10000000001ULL);
	j = hf_histogram_json(&h);
	cr_assert_eq(hf_histogram_parse(j, &back), 0);
	cr_assert_eq(memcmp(&h, &back, sizeof(h)), 0);
	json_decref(j);
	hf_metrics_put_histogram(m, HF_MF_AUDIT_TIME, &back);
	text = text_of(m, HF_METRICS_OPEN);
	has(text, "# TYPE holdfast_audit_commit_duration_seconds histogram\n");
	has(text, "_bucket{le=\"0.0001\"} 1\n");
	has(text, "_bucket{le=\"0.00025\"} 2\n");
	has(text, "_bucket{le=\"0.5\"} 2\n");
	has(text, "_bucket{le=\"1.0\"} 3\n");
	has(text, "_bucket{le=\"10.0\"} 3\n");
	has(text, "_bucket{le=\"+Inf\"} 4\n");
	has(text, "_duration_seconds_count 4\n");
	has(text, "_duration_seconds_sum 11.000200002\n");
	free(text);
}

Test(metrics, what_is_no_histogram_is_none)
{
	static const char *const bad[] = {
		"{}", "[]", "{\"counts\":[1],\"sum_ns\":1}",
		"{\"counts\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],\"sum_ns\":-1}",
		"{\"counts\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,-1],\"sum_ns\":1}",
		"{\"counts\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}",
	};
	struct hf_histogram h;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *j = json_loads(bad[i], 0, NULL);

		cr_assert_lt(hf_histogram_parse(j, &h), 0, "%s", bad[i]);
		cr_assert_eq(h.count[16], 0);
		json_decref(j);
	}
}

Test(metrics, a_page_has_a_bound)
{
	struct hf_metrics *m = page();
	char label[1000];
	size_t len;

	memset(label, 'x', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	for (int i = 0; i < 2000; i++)
		hf_metrics_put(m, HF_MF_TRIPS, i, label);
	cr_assert_null(hf_metrics_text(m, HF_METRICS_TEXT, &len));
	hf_metrics_free(m);
}

Test(metrics, a_sensor_without_a_value_has_none)
{
	json_t *j = json_loads("{\"array\":{\"serial\":\"lab\",\"state\":\"armed\",\"sensors\":["
			       "{\"kind\":\"temp\",\"value\":23456},{\"kind\":\"temp\",\"value\":null},"
			       "{\"kind\":\"fan\",\"value\":3000}],\"nearest\":null},"
			       "\"limits\":{\"hold\":{\"unit\":\"ms\",\"effective\":2000},"
			       "\"dose\":{\"unit\":\"Pa2s\",\"effective\":4000}},"
			       "\"fence\":[{\"now_mpa\":1500,\"limit_mpa\":200000,\"dose_pa2s\":1000},"
			       "{\"now_mpa\":0,\"limit_mpa\":200000}]}", 0, NULL);
	struct hf_metrics *m = page();
	char *text;

	cr_assert(j);
	hf_metrics_array(m, j);
	text = text_of(m, HF_METRICS_TEXT);
	has(text, "holdfast_sensor_temperature_celsius{array=\"lab\",sensor=\"0\"} 23.456\n");
	has(text, "holdfast_sensor_valid{array=\"lab\",sensor=\"1\",kind=\"temp\"} 0\n");
	cr_assert(!strstr(text, "celsius{array=\"lab\",sensor=\"1\""));
	has(text, "holdfast_sensor_fan_hertz{array=\"lab\",sensor=\"2\"} 50\n");
	has(text, "holdfast_array_state{array=\"lab\",state=\"armed\"} 1\n");
	has(text, "holdfast_array_state{array=\"lab\",state=\"tripped\"} 0\n");
	has(text, "holdfast_limit_effective{array=\"lab\",limit=\"hold\",unit=\"ms\"} 2000\n");
	has(text, "holdfast_fence_pressure_pascals{array=\"lab\",point=\"0\"} 1.5\n");
	has(text, "holdfast_fence_limit_pascals{array=\"lab\",point=\"0\"} 200\n");
	has(text, "holdfast_fence_dose_ratio{array=\"lab\",point=\"0\"} 0.25\n");
	cr_assert(!strstr(text, "dose_ratio{array=\"lab\",point=\"1\""), "it was not said");
	cr_assert(!strstr(text, "nearest"));
	free(text);
	json_decref(j);
}

Test(metrics, who_is_not_wanted_is_not_down)
{
	json_t *j = json_loads("{\"processes\":[{\"role\":\"front\",\"state\":\"off\",\"restarts\":0},"
			       "{\"role\":\"auth\",\"state\":\"waiting\",\"restarts\":2}]}", 0, NULL);
	struct hf_metrics *m = page();
	char *text;

	cr_assert(j);
	hf_metrics_status(m, j);
	text = text_of(m, HF_METRICS_TEXT);
	has(text, "holdfast_process_up{process=\"auth\"} 0\n");
	cr_assert(!strstr(text, "front"));
	free(text);
	json_decref(j);
}

/* Of the wrong types, and of nothing at all, comes nothing, and no harm. */
Test(metrics, strange_results)
{
	static const char *const strange[] = {
		"{}", "{\"array\":[]}", "{\"array\":{\"serial\":7}}", "{\"processes\":{\"role\":1}}",
		"{\"processes\":[1,null,{\"role\":\"audit\",\"stats\":[]},{\"role\":\"front\",\"stats\":{\"requests_total\":\"x\"}}]}",
		"{\"tenants\":[null,{\"quota\":[]}]}",
		"{\"array\":{\"serial\":\"a\",\"sensors\":{},\"frames\":[],\"causes\":[1],\"beat\":7,\"nearest\":{\"limit\":\"hold\",\"measured\":1,\"bound\":0}},\"limits\":[],\"fence\":{}}",
	};

	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		json_t *j = json_loads(strange[i], 0, NULL);
		struct hf_metrics *m = page();

		cr_assert(j, "%s", strange[i]);
		hf_metrics_status(m, j);
		hf_metrics_array(m, j);
		hf_metrics_tenants(m, j);
		free(text_of(m, HF_METRICS_OPEN));
		json_decref(j);
	}
}

Test(metrics, the_table_keeps_the_conventions)
{
	for (unsigned int i = 0; i < HF_METRIC_COUNT; i++) {
		const struct hf_metric_desc *d = &hf_metric_desc[i];
		size_t n = strlen(d->name), u = strlen(d->unit);

		cr_assert(!strncmp(d->name, "holdfast_", 9), "%s", d->name);
		cr_assert(strlen(d->help) > 5 && !strchr(d->help, '\n') && !strchr(d->help, '\\'), "%s", d->name);
		cr_assert(!u || (n > u && !strcmp(d->name + n - u, d->unit)), "%s: unit %s", d->name, d->unit);
		cr_assert(!strstr(d->name, "_total") && !strstr(d->name, "_info"), "%s", d->name);
		for (unsigned int k = 0; k < i; k++)
			cr_assert_str_neq(d->name, hf_metric_desc[k].name);
	}
}
