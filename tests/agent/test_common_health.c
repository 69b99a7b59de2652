// SPDX-License-Identifier: GPL-2.0
/*
 * One check's memory: what it says, when it changes its mind, and what it
 * expects to come. Time is the test's.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "health.h"

static const struct hf_health_rule rule = {
	.name = "thermal", .what = "room left", .ready = true, .raise = 3, .clear = 5,
	.stale_ns = 10 * HF_S,
};

static uint64_t now = 1000 * HF_S;

static bool found_value(struct hf_health_check *c, enum hf_health h, double v)
{
	struct hf_finding f = { .health = h, .value = v, .bound = 60 };

	snprintf(f.text, sizeof(f.text), "%s", h == HF_HEALTH_OK ? "" : "too warm");
	now += HF_S;
	return hf_health_found(c, &f, now, now);
}

static bool found(struct hf_health_check *c, enum hf_health h)
{
	return found_value(c, h, NAN);
}

static struct hf_health_check fresh(void)
{
	struct hf_health_check c;

	hf_health_init(&c, &rule, now);
	return c;
}

Test(health, unknown_until_the_first_finding)
{
	struct hf_health_check c = fresh();

	cr_assert_eq(c.said, HF_HEALTH_UNKNOWN);
	cr_assert(found(&c, HF_HEALTH_OK));
	cr_assert_eq(c.said, HF_HEALTH_OK);
}

Test(health, only_what_lasts_is_said)
{
	struct hf_health_check c = fresh();
	int i;

	found(&c, HF_HEALTH_OK);
	for (i = 0; i < 10; i++) {
		cr_assert(!found(&c, HF_HEALTH_FAIL));
		cr_assert(!found(&c, HF_HEALTH_FAIL));
		cr_assert(!found(&c, HF_HEALTH_OK), "it was well in between");
	}
	cr_assert(!found(&c, HF_HEALTH_FAIL));
	cr_assert(!found(&c, HF_HEALTH_WARN));
	cr_assert(found(&c, HF_HEALTH_FAIL), "worse three times, in whatever way");
	for (i = 0; i < 4; i++)
		cr_assert(!found(&c, HF_HEALTH_OK));
	cr_assert(found(&c, HF_HEALTH_OK));
	cr_assert_eq(c.changes, 3);
	cr_assert_eq(c.change[1].to, HF_HEALTH_FAIL);
	cr_assert_str_eq(c.change[1].text, "too warm");
}

Test(health, what_nobody_hears_of_is_unknown)
{
	struct hf_health_check c = fresh();

	found(&c, HF_HEALTH_OK);
	cr_assert(!hf_health_tick(&c, now + 10 * HF_S, now));
	cr_assert(hf_health_tick(&c, now + 10 * HF_S + 1, now));
	cr_assert_eq(c.said, HF_HEALTH_UNKNOWN);
	cr_assert(!hf_health_tick(&c, now + 20 * HF_S, now), "said once");
	cr_assert(strstr(c.found.text, "20 s"));
}

Test(health, worst_of_many)
{
	static const struct hf_health_rule other = { .name = "tls", .what = "x", .raise = 1, .clear = 1 };
	struct hf_health_check c[2] = { fresh(), fresh() };

	c[1].rule = &other;
	found(&c[0], HF_HEALTH_OK);
	found(&c[1], HF_HEALTH_FAIL);
	cr_assert_eq(hf_health_worst(c, 2, false), HF_HEALTH_FAIL);
	cr_assert_eq(hf_health_worst(c, 2, true), HF_HEALTH_OK, "that one does not make it unready");
	c[0].said = HF_HEALTH_UNKNOWN;
	c[1].said = HF_HEALTH_WARN;
	cr_assert_eq(hf_health_worst(c, 2, false), HF_HEALTH_UNKNOWN);
	cr_assert_eq(hf_health_worst(c, 0, false), HF_HEALTH_OK);
}

Test(health, trend_and_forecast)
{
	struct hf_health_check c = fresh();
	int i;

	cr_assert(isnan(hf_health_trend(&c)));
	for (i = 0; i < 200; i++)
		found_value(&c, HF_HEALTH_OK, 20 + 0.1 * i);
	cr_assert_float_eq(hf_health_trend(&c), 0.1, 1e-9);
	cr_assert_float_eq(hf_health_forecast_s(&c, 60), (60 - 39.9) / 0.1, 1e-6);
	cr_assert(isnan(hf_health_forecast_s(&c, 10)), "it is going the other way");
	for (i = 0; i < 100; i++)
		found_value(&c, HF_HEALTH_OK, 7);
	cr_assert(isnan(hf_health_forecast_s(&c, 60)), "it stands still");
}

Test(health, findings_travel)
{
	struct hf_finding f = hf_finding(HF_HEALTH_FAIL, 3.5, NAN, "a\nb\t%s", "\xc3\xa4"), got;
	char name[HF_HEALTH_NAME];
	json_t *list = json_array(), *j;

	cr_assert_str_eq(f.text, "a b ??");
	f.array = 7;
	hf_findings_add(list, "disk", &f);
	cr_assert_eq(hf_finding_read(json_array_get(list, 0), name, &got), 0);
	cr_assert_str_eq(name, "disk");
	cr_assert_eq(got.health, HF_HEALTH_FAIL);
	cr_assert_eq(got.array, 7);
	cr_assert_eq(got.value, 3.5);
	cr_assert(isnan(got.bound));
	cr_assert_str_eq(got.text, "a b ??");
	for (int i = 0; i < 6; i++) {
		static const char *const wrong[] = {
			"[]", "{\"check\": 1, \"health\": 0, \"text\": \"\"}",
			"{\"check\": \"x\", \"health\": 4, \"text\": \"\"}",
			"{\"check\": \"x\", \"health\": -1, \"text\": \"\"}",
			"{\"check\": \"123456789012345678901234\", \"health\": 0, \"text\": \"\"}",
			"{\"check\": \"x\", \"health\": 0}",
		};

		j = json_loads(wrong[i], 0, NULL);
		cr_assert_neq(hf_finding_read(j, name, &got), 0, "%s", wrong[i]);
		json_decref(j);
	}
	json_decref(list);
}

Test(health, too_much_too_little_and_nobody_knows)
{
	cr_assert_eq(hf_health_of(1, 2, 3), HF_HEALTH_OK);
	cr_assert_eq(hf_health_of(2, 2, 3), HF_HEALTH_WARN);
	cr_assert_eq(hf_health_of(3, 2, 3), HF_HEALTH_FAIL);
	cr_assert_eq(hf_health_of(31, 30, 10), HF_HEALTH_OK);
	cr_assert_eq(hf_health_of(30, 30, 10), HF_HEALTH_WARN);
	cr_assert_eq(hf_health_of(10, 30, 10), HF_HEALTH_FAIL);
	cr_assert_eq(hf_health_of(NAN, 30, 10), HF_HEALTH_UNKNOWN);
	cr_assert_eq(hf_health_of(1e9, 5, INFINITY), HF_HEALTH_WARN);
}

Test(health, history_has_a_bound)
{
	struct hf_health_check c = fresh();
	json_t *j;
	int i;

	for (i = 0; i < 1000; i++)
		found(&c, i / 10 % 2 ? HF_HEALTH_FAIL : HF_HEALTH_OK);
	j = hf_health_json(&c, HF_HEALTH_CHANGES);
	cr_assert_eq(json_array_size(json_object_get(j, "history")), HF_HEALTH_CHANGES);
	cr_assert_str_eq(json_string_value(json_object_get(j, "health")), "fail");
	cr_assert_str_eq(json_string_value(json_object_get(j, "text")), "too warm");
	json_decref(j);
}
