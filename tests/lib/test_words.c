// SPDX-License-Identifier: GPL-2.0
/*
 * Words, values and sentences: the library's tables against the driver's own
 * (kmod/rules/limits.h, kmod/core/names.h are compiled in here, not copied).
 */
#include <inttypes.h>
#include <stdio.h>

#include "check.h"
#include "holdfast_netlink.h"

struct rule {
	const char *name;
	const char *unit;
	bool is_floor;
};

/* Only the table of kmod/rules/limits.h; its types are the kernel's. */
#define SHIM_H
#define HF_SHIM_H
typedef int64_t s64;
typedef uint32_t u32;
#include "../../kmod/rules/limits.h"
#undef HF_LIM_NONE

static const struct rule rules[] = {
#define HF_X(NAME, name, unit, sense, lo, hi) { #name, unit, HF_##sense == HF_FLOOR },
	HF_LIMITS(HF_X)
#undef HF_X
};

Test(words, limits_are_the_drivers)
{
	cr_assert_eq(sizeof(rules) / sizeof(rules[0]), HOLDFAST_LIM_COUNT);
	for (uint32_t i = 0; i < HOLDFAST_LIM_COUNT; i++) {
		const struct holdfast_limit_desc *d = holdfast_limit_desc(i);
		char buf[64];

		cr_assert_str_eq(d->name, rules[i].name);
		cr_assert_str_eq(d->unit, rules[i].unit);
		cr_assert_eq(d->is_floor, rules[i].is_floor);
		cr_assert_eq(holdfast_limit_by_name(d->name), (int)i);
		/* Every unit is known to the printer. */
		holdfast_value_print(1000, d->unit, buf, sizeof(buf));
		cr_assert(!strchr(d->unit, '/') || strchr(buf, '/'), "%s", buf);
	}
	cr_assert_null(holdfast_limit_desc(HOLDFAST_LIM_COUNT));
	cr_assert_null(holdfast_limit_desc(HOLDFAST_LIM_QUOTA - 1));
	cr_assert_null(holdfast_limit_desc(HOLDFAST_LIM_QUOTA + HOLDFAST_QUOTA_COUNT));
	cr_assert_eq(holdfast_limit_by_name("no_such"), -ENOENT);
	cr_assert_str_eq(holdfast_limit_name(HOLDFAST_LIM_NONE), "none");
	cr_assert_str_eq(holdfast_limit_name(HOLDFAST_LIM_COUNT), "unknown");
}

Test(words, quotas_have_names_and_units_but_are_no_limits)
{
	static const char *const units[] = { "ms", "uJ", "frames" };
	char text[HOLDFAST_TEXT_LEN];

	for (uint32_t k = 0; k < HOLDFAST_QUOTA_COUNT; k++) {
		const struct holdfast_limit_desc *d = holdfast_limit_desc(HOLDFAST_LIM_QUOTA + k);

		cr_assert_str_eq(d->unit, units[k]);
		cr_assert_str_eq(holdfast_limit_name(HOLDFAST_LIM_QUOTA + k), d->name);
		cr_assert_eq(holdfast_limit_by_name(d->name), -ENOENT);
	}
	holdfast_strerror_reason(&(struct holdfast_reason){ HOLDFAST_LIM_QUOTA + HOLDFAST_QUOTA_ENERGY,
							    HOLDFAST_NOWHERE, 2500000, 2000000 },
				 text, sizeof(text));
	cr_assert_str_eq(text, "quota_energy: 2.500 J where 2.000 J is allowed");
}

#include "../../kmod/core/names.h"

Test(words, names_are_the_drivers)
{
#define CHECK(fn, v, word) cr_assert_str_eq(fn(v), word);
#define X_STATE(v, word) CHECK(holdfast_state_name, v, word)
#define X_VERDICT(v, word) CHECK(holdfast_verdict_name, v, word)
#define X_SEVERITY(v, word) CHECK(holdfast_severity_name, v, word)
#define X_CAUSE(v, word) CHECK(holdfast_cause_name, v, word)
#define X_KIND(v, word) CHECK(holdfast_sensor_kind_name, v, word)
#define X_DETAIL(v, word) CHECK(holdfast_detail_name, v, word)
	HF_STATE_WORDS(X_STATE, X_STATE)
	HF_VERDICT_WORDS(X_VERDICT, X_VERDICT)
	HF_SEVERITY_WORDS(X_SEVERITY, X_SEVERITY)
	HF_CAUSE_WORDS(X_CAUSE, X_CAUSE)
	HF_SENSOR_KIND_WORDS(X_KIND, X_KIND)
	HF_DETAIL_WORDS(X_DETAIL, X_DETAIL)
	cr_assert_str_eq(holdfast_state_name(4), "unknown");
	cr_assert_str_eq(holdfast_cause_name(HOLDFAST_CAUSE_COUNT), "unknown");
	cr_assert_str_eq(holdfast_event_type_name(0), "unknown");
	cr_assert_str_eq(holdfast_event_type_name(HOLDFAST_EVENT_STATE), "state");
	cr_assert_str_eq(holdfast_event_type_name(HOLDFAST_EVENT_REMOVED), "removed");
	cr_assert_str_eq(holdfast_event_type_name(HOLDFAST_EVENT_QUOTA + 1), "unknown");
}

static void sentence(uint32_t limit, uint32_t where, int64_t measured, int64_t bound,
		     const char *expect)
{
	struct holdfast_reason r = { limit, where, measured, bound };
	char buf[HOLDFAST_TEXT_LEN];

	cr_assert_str_eq(holdfast_strerror_reason(&r, buf, sizeof(buf)), expect);
}

Test(words, reasons)
{
	sentence(HOLDFAST_LIM_FENCE_PRESSURE, 3, 312400, 200000,
		 "fence point 3: 312.400 Pa where 200.000 Pa is allowed");
	sentence(HOLDFAST_LIM_SUPPLY_MIN, 1, 17200, 18000,
		 "sensor 1 supply_min: 17.200 V where at least 18.000 V is required");
	sentence(HOLDFAST_LIM_POWER_AVG, HOLDFAST_NOWHERE, 31500000, 30000000,
		 "power_avg: 31.500 W where 30.000 W is allowed");
	sentence(HOLDFAST_LIM_FRAME_INTERVAL, HOLDFAST_NOWHERE, 90000, 100000,
		 "frame_interval: 0.090 ms where at least 0.100 ms is required");
	sentence(HOLDFAST_LIM_BOX_MIN_Z, 0, 15000, 20000,
		 "focus 0 box_min_z: 15.000 mm where at least 20.000 mm is required");
	sentence(HOLDFAST_LIM_NONE, HOLDFAST_NOWHERE, 0, 0, "no limit");
	sentence(77, 1, 2, 3, "limit 77: 2 against 3");
}

Test(words, longest_sentence_fits)
{
	for (uint32_t i = 0; i < HOLDFAST_LIM_COUNT; i++) {
		struct holdfast_reason r = { i, UINT32_MAX - 1, INT64_MIN, INT64_MAX };
		char buf[2 * HOLDFAST_TEXT_LEN];

		holdfast_strerror_reason(&r, buf, sizeof(buf));
		cr_assert_lt(strlen(buf), HOLDFAST_TEXT_LEN);
	}
}

Test(words, trip)
{
	struct holdfast_trip t = { .cause = HOLDFAST_CAUSE_NONE };
	char buf[HOLDFAST_TEXT_LEN];

	cr_assert_str_eq(holdfast_strerror_trip(&t, buf, sizeof(buf)), "never tripped");
	t = (struct holdfast_trip){ .cause = HOLDFAST_CAUSE_TEMP_CRIT,
				    .severity = HOLDFAST_SEV_CRITICAL, .detect_ns = 1000000,
				    .silence_ns = 1250000, .confirmed = 1,
				    .reason = { HOLDFAST_LIM_TEMP_CRIT, 0, 61200, 60000 } };
	cr_assert_str_eq(holdfast_strerror_trip(&t, buf, sizeof(buf)),
			 "temp-crit (critical): sensor 0 temp_crit: 61.2 C where 60.0 C is allowed; outputs off 0.250 ms after detection, confirmed");
}

struct value_case {
	const char *text, *unit;
	bool is_floor;
	int ret;
	int64_t value;
};

Test(words, values)
{
	static const struct value_case cases[] = {
		{ "30W", "uW", false, 0, 30000000 },
		{ "30.5 W", "uW", false, 0, 30500000 },
		{ "45C", "mC", false, 0, 45000 },
		{ "-5.5C", "mC", false, 0, -5500 },
		{ "200Pa", "mPa", false, 0, 200000 },
		{ "1.5kPa", "mPa", false, 0, 1500000 },
		{ "500ms", "ms", false, 0, 500 },
		{ "2h", "ms", false, 0, 7200000 },
		{ "1.5s", "ms", false, 0, 1500 },
		{ "10ms", "ns", true, 0, 10000000 },
		{ "12345", "mPa", false, 0, 12345 },
		{ "-7", "um", false, 0, -7 },
		{ "+7", "um", false, 0, 7 },
		{ "12.5mm", "um", false, 0, 12500 },
		{ "100%", "q16", false, 0, 65535 },
		/* Not expressible: to the tighter side. */
		{ "50%", "q16", false, 0, 32767 },
		{ "50%", "q16", true, 0, 32768 },
		{ "80%", "ppm", false, 0, 800000 },
		{ "999999999999999", "Pa2s", false, 0, 999999999999999 },
		{ "0.5mPa", "mPa", false, -ERANGE, 0 },
		{ "0.0001C", "mC", false, -ERANGE, 0 },
		{ "1000000000000000", "Pa2s", false, -EINVAL, 0 },
		{ "", "uW", false, -EINVAL, 0 },
		{ "W", "uW", false, -EINVAL, 0 },
		{ "30", "uW", false, 0, 30 },
		{ "30.5", "uW", false, -EINVAL, 0 },
		{ "30.", "uW", false, -EINVAL, 0 },
		{ ".5W", "uW", false, -EINVAL, 0 },
		{ "1.2.3W", "uW", false, -EINVAL, 0 },
		{ "30Pa", "uW", false, -EINVAL, 0 },
		{ "30 W ", "uW", false, -EINVAL, 0 },
		{ " 30W", "uW", false, -EINVAL, 0 },
		{ "30w", "uW", false, -EINVAL, 0 },
		{ "0x1eW", "uW", false, -EINVAL, 0 },
		{ "1e3", "uW", false, -EINVAL, 0 },
		{ "nan", "uW", false, -EINVAL, 0 },
		{ "--5", "uW", false, -EINVAL, 0 },
		{ "999999999999999h", "ms", false, -ERANGE, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct value_case *k = &cases[i];
		char err[HOLDFAST_TEXT_LEN] = "";
		int64_t v = -1;
		int ret = holdfast_value_parse(k->text, k->unit, k->is_floor, &v, err);

		cr_assert_eq(ret, k->ret, "\"%s\": %d where %d (%s)", k->text, ret, k->ret, err);
		if (ret)
			cr_assert(err[0] && v == -1);
		else
			cr_assert_eq(v, k->value, "\"%s\": %" PRId64, k->text, v);
	}
}

Test(words, value_errors_name_the_units)
{
	char err[HOLDFAST_TEXT_LEN];
	int64_t v;

	holdfast_value_parse("30Pa", "uW", false, &v, err);
	cr_assert_str_eq(err, "\"30Pa\": unit \"Pa\" is not one of W, mW, uW");
}
