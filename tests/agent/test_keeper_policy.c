// SPDX-License-Identifier: GPL-2.0
/*
 * Who may have a lease: windows (midnight, the days when clocks change), roles,
 * rights, durations, tenants that do not see each other. Moments are arguments.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "clock.h"
#include "policy.h"

static void zone(const char *tz)
{
	setenv("TZ", tz, 1);
	tzset();
}

#define BERLIN	"CET-1CEST,M3.5.0,M10.5.0/3"

/* "2026-03-29 01:30" of UTC, in seconds. */
static int64_t utc(const char *text)
{
	struct tm tm = { 0 };

	cr_assert(strptime(text, "%Y-%m-%d %H:%M:%S", &tm) || strptime(text, "%Y-%m-%d %H:%M", &tm),
		  "%s", text);
	return (int64_t)timegm(&tm);
}

static int64_t end_of(const char *window, const char *now)
{
	struct hf_window w;

	cr_assert_eq(hf_window_parse(window, &w), 0, "%s", window);
	return hf_window_end_s(&w, utc(now));
}

static void ends(const char *window, const char *now, const char *end)
{
	int64_t got = end_of(window, now), want = end ? utc(end) : 0;

	cr_assert_eq(got, want, "%s at %s UTC: ends %+lld s from what is right", window, now,
		     (long long)(got - want));
}

Test(window, words)
{
	static const char *const bad[] = {
		"", "Mon", "Mon 08:00", "Mon 8:00-18:00", "Mon 08:00-18:00 ", "mon 08:00-18:00",
		"Mon 24:00-18:00", "Mon 08:60-18:00", "Mon 08:00-24:01", "Mon 08:00-08:00",
		"Mon-Foo 08:00-18:00", "Mon08:00-18:00", "Mon 08:00-00:00", "Mon 08:00/18:00",
		"Mon-Fri-Sat 08:00-18:00", "Mon 0:800-18:00",
	};
	struct hf_window w;
	char text[HF_WINDOW_TEXT];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(hf_window_parse(bad[i], &w), -EINVAL, "\"%s\"", bad[i]);
	cr_assert_eq(hf_window_parse("Mon-Fri 08:05-24:00", &w), 0);
	cr_assert_str_eq(hf_window_text(&w, text), "Mon-Fri 08:05-24:00");
	cr_assert_eq(hf_window_parse("Sat 22:00-06:00", &w), 0);
	cr_assert_str_eq(hf_window_text(&w, text), "Sat 22:00-06:00");
}

Test(window, edges_of_a_day)
{
	zone("UTC");
	/* 2026-11-23 is a Monday. */
	ends("Mon-Fri 08:00-18:00", "2026-11-23 07:59:59", NULL);
	ends("Mon-Fri 08:00-18:00", "2026-11-23 08:00:00", "2026-11-23 18:00");
	ends("Mon-Fri 08:00-18:00", "2026-11-23 17:59:59", "2026-11-23 18:00");
	ends("Mon-Fri 08:00-18:00", "2026-11-23 18:00:00", NULL);
	ends("Mon-Fri 08:00-18:00", "2026-11-27 12:00", "2026-11-27 18:00");
	ends("Mon-Fri 08:00-18:00", "2026-11-28 12:00", NULL);
	ends("Fri-Mon 08:00-18:00", "2026-11-29 12:00", "2026-11-29 18:00");
	ends("Fri-Mon 08:00-18:00", "2026-11-24 12:00", NULL);
	ends("Mon 00:00-24:00", "2026-11-23 23:59:59", "2026-11-24 00:00");
	ends("Mon 00:00-24:00", "2026-11-24 00:00", NULL);
}

Test(window, across_midnight)
{
	zone("UTC");
	ends("Sat 22:00-06:00", "2026-11-28 21:59", NULL);
	ends("Sat 22:00-06:00", "2026-11-28 22:00", "2026-11-29 06:00");
	ends("Sat 22:00-06:00", "2026-11-29 05:59:59", "2026-11-29 06:00");
	ends("Sat 22:00-06:00", "2026-11-29 06:00", NULL);
	ends("Sat 22:00-06:00", "2026-11-29 22:30", NULL);
	/* Yesterday's is over, today's has begun. */
	ends("Mon-Sun 10:00-09:00", "2026-11-24 08:59", "2026-11-24 09:00");
	ends("Mon-Sun 10:00-09:00", "2026-11-24 09:30", NULL);
}

Test(window, clocks_go_forward)
{
	zone(BERLIN);
	/* 2026-03-29 02:00 CET is 03:00 CEST (01:00 UTC). The hour in between is skipped. */
	ends("Sun 01:00-04:00", "2026-03-29 00:00", "2026-03-29 02:00");
	ends("Sun 01:00-02:30", "2026-03-29 00:59:59", "2026-03-29 01:00");
	ends("Sun 01:00-02:30", "2026-03-29 01:00", NULL);
	ends("Sun 02:30-04:00", "2026-03-29 00:59:59", NULL);
	ends("Sun 02:30-04:00", "2026-03-29 01:00", "2026-03-29 02:00");
	ends("Sun 00:00-24:00", "2026-03-28 23:00", "2026-03-29 22:00");
}

Test(window, clocks_go_back)
{
	zone(BERLIN);
	/* 2026-10-25 03:00 CEST is 02:00 CET (01:00 UTC): 02:30 comes twice, the first counts. */
	ends("Sun 01:00-02:30", "2026-10-25 00:29:59", "2026-10-25 00:30");
	ends("Sun 01:00-02:30", "2026-10-25 00:30", NULL);
	ends("Sun 01:00-02:30", "2026-10-25 01:15", NULL);
	ends("Sun 02:30-04:00", "2026-10-25 00:30", "2026-10-25 03:00");
	ends("Sun 02:30-04:00", "2026-10-25 00:29", NULL);
	ends("Sun 00:00-24:00", "2026-10-24 22:00", "2026-10-25 23:00");
}

Test(window, agrees_with_the_wall_clock)
{
	static const char *const zones[] = { "UTC", BERLIN,
					     "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45",
					     "NST3:30NDT,M3.2.0,M11.1.0" };
	struct hf_window w;

	/* Minute by minute over a year of 11-minute steps: open if and only if the clock says so.
	 */
	cr_assert_eq(hf_window_parse("Tue-Sat 07:10-19:20", &w), 0);
	for (size_t z = 0; z < 4; z++) {
		zone(zones[z]);
		for (int64_t t = utc("2026-01-01 00:00"); t < utc("2027-01-01 00:00"); t += 660) {
			time_t at = (time_t)t;
			struct tm tm;
			bool open;
			int min;

			localtime_r(&at, &tm);
			min = tm.tm_hour * 60 + tm.tm_min;
			open = tm.tm_wday >= 2 && tm.tm_wday <= 6 && min >= 430 && min < 1160;
			cr_assert_eq(hf_window_end_s(&w, t) != 0, open, "zone %zu at %lld", z,
				     (long long)t);
		}
	}
}

/* ---------------------------------------------------------------- leases */

static struct hf_settings *settings(bool two_person)
{
	static const char text[] =
		"{'paths':{'state':'/s','run':'/r'}, 'arrays':[{'match':'*'}],"
		" 'keeper':{'seal':true,'beat_ms':100,'lease_max_s':7200,'audit_grace_ms':5000,"
		"  'reset_two_person':%s,'group':'holdfast','disarm_on_auth_loss':false},"
		" 'health':{'temperature_margin_mc':5000,'self_test_hours':24,'calibration_days':365},"
		" 'tenants':["
		"  {'name':'lab','id':7,'arrays':[0,'left'],'rights':['frames','arm','reset'],"
		"   'windows':['Mon-Fri 08:00-18:00','Mon-Fri 18:00-20:00'],'max_leases':2,'max_lease_s':3600,"
		"   'limits':{'amp_cap':1000,'hold':200},'quota':{'emission_ms':5000,'per_hours':24}},"
		"  {'name':'other','id':8,'arrays':[1],'rights':['frames','raw'],'windows':[],"
		"   'max_leases':4,'max_lease_s':86400,'quota':{'per_hours':24}}]}";
	char json[sizeof(text) + 16];
	struct hf_settings *s;
	struct hf_err e;
	json_t *j;

	snprintf(json, sizeof(json), text, two_person ? "true" : "false");
	for (char *p = json; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	j = json_loads(json, 0, NULL);
	cr_assert(j);
	cr_assert_eq(hf_settings_new(&s, j, &e), 0, "%s", e.text);
	json_decref(j);
	return s;
}

static struct hf_actor person(const char *name, enum hf_role role, const char *tenant)
{
	struct hf_actor a = { .role = role, .uid = 1000 };

	strcpy(a.name, name);
	strcpy(a.tenant, tenant);
	return a;
}

#define MONDAY_NOON	((uint64_t)utc("2026-11-23 12:00") * HF_S)

struct ask {
	enum hf_role role;
	const char *tenant;
	uint32_t index;
	const char *serial;
	uint32_t rights;
	uint64_t duration_ms;
	uint32_t live;
	int ret;
	const char *text;
};

#define F	HOLDFAST_RIGHT_FRAMES
#define RAW	HOLDFAST_RIGHT_RAW
#define ARM	HOLDFAST_RIGHT_ARM
#define RESET	HOLDFAST_RIGHT_RESET

Test(policy, who_may_have_what)
{
	static const struct ask asks[] = {
		{ HF_ROLE_USER, "lab", 0, "x", F, 0, 0, 0, "" },
		{ HF_ROLE_USER, "lab", 5, "left", F, 0, 0, 0, "" },
		{ HF_ROLE_USER, "lab", 1, "x", F, 0, 0, -ENODEV, "there is no array 1" },
		{ HF_ROLE_USER, "lab", 0, "x", F | RAW, 0, 0, -EPERM,
		  "rights frames+raw where tenant lab has frames+arm+reset" },
		{ HF_ROLE_USER, "lab", 0, "x", F | ARM, 0, 0, -EPERM,
		  "where a user may have frames+raw" },
		{ HF_ROLE_OPERATOR, "lab", 0, "x", F | ARM | RESET, 0, 0, 0, "" },
		{ HF_ROLE_OPERATOR, "other", 1, "x", ARM, 0, 0, -EPERM,
		  "tenant other has frames+raw" },
		{ HF_ROLE_OPERATOR, "lab", 1, "x", ARM, 0, 0, -ENODEV, "there is no array 1" },
		{ HF_ROLE_ADMIN, "", 1, "x", F | RAW | ARM | RESET, 0, 0, 0, "" },
		{ HF_ROLE_OPERATOR, "", 1, "x", ARM, 0, 0, 0, "" },
		{ HF_ROLE_USER, "", 0, "x", F, 0, 0, -EACCES, "a user without a tenant" },
		{ HF_ROLE_USER, "nowhere", 0, "x", F, 0, 0, -EACCES, "tenant nowhere is not in" },
		{ HF_ROLE_SYSTEM, "", 0, "x", F, 0, 0, -EACCES, "for users, operators and admins" },
		{ HF_ROLE_PUBLIC, "lab", 0, "x", F, 0, 0, -EACCES,
		  "for users, operators and admins" },
		{ HF_ROLE_USER, "lab", 0, "x", 0, 0, 0, -EPERM, "rights 0x0" },
		{ HF_ROLE_USER, "lab", 0, "x", 16, 0, 0, -EPERM, "rights 0x10" },
		{ HF_ROLE_USER, "lab", 0, "x", F, 3600000, 1, 0, "" },
		{ HF_ROLE_USER, "lab", 0, "x", F, 3600001, 1, -ERANGE,
		  "3600001 ms where 3600000 ms" },
		{ HF_ROLE_USER, "other", 1, "x", F, 7200001, 0, -ERANGE, "where 7200000 ms" },
		{ HF_ROLE_USER, "lab", 0, "x", F, 0, 2, -EDQUOT,
		  "has 2 leases where 2 are allowed" },
	};
	struct hf_settings *s = settings(false);

	zone("UTC");
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		const struct ask *q = &asks[i];
		struct hf_actor a = person("anna", q->role, q->tenant);
		struct hf_wish w = { &a, q->index, q->serial, q->rights, q->live, q->duration_ms };
		char text[HOLDFAST_TEXT_LEN] = "";
		struct hf_grant g = { 0 };
		int ret = hf_policy_lease(s, &w, MONDAY_NOON, &g, text);

		cr_assert_eq(ret, q->ret, "case %zu: %d %s", i, ret, text);
		cr_assert(strstr(text, q->text), "case %zu: \"%s\"", i, text);
		cr_assert(ret || g.duration_ms, "case %zu: without an end", i);
		cr_assert(ret || !g.tenant == !q->tenant[0]);
	}
	hf_settings_free(s);
}

Test(policy, ends_with_the_window)
{
	struct hf_settings *s = settings(false);
	struct hf_actor a = person("anna", HF_ROLE_USER, "lab");
	struct hf_wish w = { &a, 0, "x", F, 0, 0 };
	char text[HOLDFAST_TEXT_LEN];
	struct hf_grant g;

	zone("UTC");
	/* Windows that follow on one another are one. */
	cr_assert_eq(hf_policy_lease(s, &w, (uint64_t)utc("2026-11-23 17:59") * HF_S, &g, text), 0);
	cr_assert_eq(g.duration_ms, 3600000);
	cr_assert_eq(hf_policy_lease(s, &w, (uint64_t)utc("2026-11-23 19:59") * HF_S + 500 * HF_MS,
				     &g, text),
		     0);
	cr_assert_eq(g.duration_ms, 59500);
	cr_assert_eq(hf_policy_lease(s, &w, (uint64_t)utc("2026-11-23 20:00") * HF_S, &g, text),
		     -EACCES);
	cr_assert(
		strstr(text,
		       "it is Mon 20:00; tenant lab may have leases Mon-Fri 08:00-18:00 and in other"),
		"%s", text);
	cr_assert_eq(hf_policy_lease(s, &w, (uint64_t)utc("2026-11-23 20:00") * HF_S - 1, &g, text),
		     -EACCES);
	hf_settings_free(s);
}

Test(policy, a_lease_stands_until_something_changes)
{
	struct hf_settings *s = settings(false), *two = settings(true);
	char text[HOLDFAST_TEXT_LEN];

	zone("UTC");
	cr_assert_eq(hf_policy_stands(s, 7, 0, "x", F | RESET, MONDAY_NOON, text), 0);
	cr_assert_eq(hf_policy_stands(s, 0, 3, "x", F | RAW | RESET, MONDAY_NOON, text), 0);
	cr_assert_eq(hf_policy_stands(s, 9, 0, "x", F, MONDAY_NOON, text), -EACCES);
	cr_assert_eq(hf_policy_stands(s, 8, 0, "x", F, MONDAY_NOON, text), -ENODEV);
	cr_assert_eq(hf_policy_stands(s, 7, 0, "x", RAW, MONDAY_NOON, text), -EPERM);
	cr_assert_eq(hf_policy_stands(s, 7, 0, "x", F, MONDAY_NOON + 9 * 3600 * HF_S, text),
		     -EACCES);
	/* A second person cannot be had through a lease. */
	cr_assert_eq(hf_policy_stands(two, 7, 0, "x", F | RESET, MONDAY_NOON, text), -EPERM);
	cr_assert_eq(hf_policy_stands(two, 0, 0, "x", RESET, MONDAY_NOON, text), -EPERM);
	cr_assert_eq(hf_policy_stands(two, 7, 0, "x", F | ARM, MONDAY_NOON, text), 0);
	hf_settings_free(s);
	hf_settings_free(two);
}

Test(policy, tenants_do_not_see_each_other)
{
	struct hf_settings *s = settings(false);
	struct hf_actor lab = person("a", HF_ROLE_OPERATOR, "lab"),
			none = person("b", HF_ROLE_USER, ""),
			house = person("c", HF_ROLE_OPERATOR, ""),
			admin = person("d", HF_ROLE_ADMIN, "lab"),
			system = person("e", HF_ROLE_SYSTEM, ""),
			lost = person("f", HF_ROLE_USER, "gone");

	cr_assert(hf_policy_sees_array(s, &lab, 0, "x") &&
		  hf_policy_sees_array(s, &lab, 9, "left"));
	cr_assert(!hf_policy_sees_array(s, &lab, 1, "x"));
	cr_assert(hf_policy_sees_tenant(s, &lab, 7) && !hf_policy_sees_tenant(s, &lab, 8) &&
		  !hf_policy_sees_tenant(s, &lab, 0));
	cr_assert(!hf_policy_sees_array(s, &none, 0, "x") && !hf_policy_sees_tenant(s, &none, 0));
	cr_assert(!hf_policy_sees_array(s, &lost, 0, "x") && !hf_policy_sees_tenant(s, &lost, 0));
	cr_assert(hf_policy_sees_array(s, &house, 1, "x") && hf_policy_sees_tenant(s, &house, 0) &&
		  !hf_policy_sees_tenant(s, &house, 7));
	cr_assert(hf_policy_sees_array(s, &system, 1, "x") &&
		  !hf_policy_sees_tenant(s, &system, 7));
	cr_assert(hf_policy_sees_array(s, &admin, 1, "x") && hf_policy_sees_tenant(s, &admin, 8));
	hf_settings_free(s);
}

Test(settings, the_tightest_of_all_entries)
{
	json_t *j = json_pack(
		"{s:{s:s,s:s}, s:{s:b,s:i,s:i,s:i,s:b,s:s,s:b}, s:{s:i,s:i,s:i},"
		"s:[{s:s, s:s, s:{s:i,s:i}}, {s:s, s:s, s:{s:i,s:i}, s:[{s:i,s:i,s:i,s:i}]}]}",
		"paths", "state", "/s", "run", "/r", "keeper", "seal", 1, "beat_ms", 100,
		"lease_max_s", 60, "audit_grace_ms", 5000, "reset_two_person", 0, "group", "g",
		"disarm_on_auth_loss", 0, "health", "temperature_margin_mc", 5000, "self_test_hours", 24,
		"calibration_days", 365, "arrays", "match", "*", "calibrated", "2026-02-28", "limits",
		"amp_cap", 500, "supply_min", 22000, "match", "left", "calibrated", "2024-02-29",
		"limits", "amp_cap", 700, "supply_min", 23000,
		"fence", "x_um", 1, "y_um", 2, "z_um", 3, "limit_mpa", 4);
	struct hf_settings *s;
	struct hf_site site;
	struct hf_err e;

	cr_assert(j);
	cr_assert_eq(hf_settings_new(&s, j, &e), 0, "%s", e.text);
	cr_assert_eq(hf_settings_site(s, 0, "left", &site), 1);
	cr_assert_eq(site.env.limit[HOLDFAST_LIM_AMP_CAP], 500, "a ceiling");
	cr_assert_eq(site.env.limit[HOLDFAST_LIM_SUPPLY_MIN], 23000, "a floor");
	cr_assert_eq(site.nfence, 1);
	cr_assert_eq(site.fence[0].limit_mpa, 4);
	cr_assert_eq(site.calibrated_s, 1709164800, "the oldest day");
	cr_assert_eq(hf_settings_site(s, 0, "right", &site), 1);
	cr_assert_eq(site.calibrated_s, 1772236800, "2026-02-28, UTC");
	cr_assert_eq(site.env.limit[HOLDFAST_LIM_SUPPLY_MIN], 22000);
	cr_assert_eq(site.nfence, 0);
	hf_settings_free(s);
	json_array_clear(json_object_get(j, "arrays"));
	cr_assert_eq(hf_settings_new(&s, j, &e), 0);
	cr_assert_eq(hf_settings_site(s, 0, "left", &site), 0, "no entry: left alone");
	hf_settings_free(s);
	json_decref(j);
}
