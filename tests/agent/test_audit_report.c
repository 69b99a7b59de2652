// SPDX-License-Identifier: GPL-2.0
/*
 * The security report over records as the agent's processes write them. On a disk in memory.
 */
#include "audit_query_kit.h"

TestSuite(audit_report, .init = query_setup, .fini = query_teardown, .timeout = 120);

static void report_of(json_t *args)
{
	aud_job_report(jobs, args, take_answer, NULL);
	json_decref(args);
	run();
	cr_assert_eq(status, 200);
}

static void report(int hours)
{
	report_of(json_pack("{s:i}", "hours", hours));
}

static json_t *rows(const char *table)
{
	json_t *t = json_object_get(json_object_get(result, "report"), table);

	cr_assert(t, "%s", table);
	return json_object_get(t, "rows");
}

/* The row in which each of the members (pairs, then NULL) is as given; 0: there is none. */
static json_int_t count(const char *table, const char *a, const char *av, const char *b,
			const char *bv)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows(table), i, row) {
		const char *x = json_string_value(json_object_get(row, a));
		const char *y = json_string_value(json_object_get(row, b));

		cr_assert(x && y, "%s has no column %s or %s", table, a, b);
		if (!strcmp(x, av) && !strcmp(y, bv))
			return json_integer_value(json_object_get(row, "count"));
	}
	return 0;
}

/* As auth, keeper and the parent write them: names from their sources, not from here. */
static void a_day(void)
{
	uint64_t intent;

	record((struct what){ .action = "session.begin", .object = "anna", .actor = "anna",
			      .source = "10.0.0.9", .detail = json_pack("{s:s, s:b}", "session", "s1",
									"totp", 0) });
	for (int i = 0; i < 3; i++)
		record((struct what){ .action = "login", .object = "anna", .actor = "public",
				      .source = "10.0.0.66", .phase = "denied", .result = "refused",
				      .detail = json_pack("{s:s, s:s}", "reason", "wrong_credentials",
							  "source", "10.0.0.66") });
	record((struct what){ .action = "array.arm", .actor = "berta", .source = "10.0.0.7",
			      .phase = "denied", .result = "refused",
			      .detail = json_pack("{s:s, s:s}", "reason", "role", "source", "10.0.0.7") });
	record((struct what){ .action = "http.blocked", .actor = "public", .source = "10.0.0.66",
			      .phase = "denied", .result = "refused",
			      .detail = json_pack("{s:i, s:s}", "count", 900, "detail",
						  "50 refused requests") });
	record((struct what){ .action = "denied.suppressed", .result = "refused",
			      .detail = json_pack("{s:i}", "count", 12) });
	record((struct what){ .action = "kernel.trip", .object = "array/0",
			      .detail = json_pack("{s:s, s:s}", "type", "trip", "cause",
						  "governor-late") });
	record((struct what){ .action = "kernel.refused", .object = "array/0",
			      .detail = json_pack("{s:s, s:{s:s}}", "type", "refused", "reason",
						  "limit", "amp_cap") });
	record((struct what){ .action = "kernel.gap", .object = "array/0",
			      .detail = json_pack("{s:i, s:i}", "from_seq", 5, "to_seq", 9) });
	intent = record((struct what){ .action = "array.arm", .object = "array/0", .phase = "intent",
				       .actor = "anna", .result = "" });
	record((struct what){ .action = "array.arm", .object = "array/0", .phase = "outcome",
			      .actor = "anna", .result = "unknown", .intent = intent });
	record((struct what){ .action = "process.exit", .object = "front", .result = "error",
			      .detail = json_pack("{s:i, s:s}", "signal", 11, "why", "") });
	record((struct what){ .action = "keeper.disarm", .object = "arrays" });
}

Test(audit_report, report_of_a_day)
{
	static const char *const tables[] = {
		"logins", "denied", "blocked", "refused_by_driver", "trips", "privileged",
		"unknown_outcomes", "process_exits", "gaps",
	};

	record((struct what){ .action = "process.exit", .object = "keeper", .result = "error" });
	hf_test_clock_advance(&k.clock, 3 * 3600 * HF_S);
	a_day();
	report(2);
	cr_assert_eq(count("logins", "object", "anna", "source", "10.0.0.9"), 1);
	cr_assert_eq(count("logins", "object", "anna", "result", "refused"), 3);
	cr_assert_eq(json_array_size(rows("logins")), 2);
	cr_assert_eq(count("denied", "actor", "berta", "action", "array.arm"), 1);
	cr_assert_eq(count("denied", "source", "10.0.0.66", "action", "login"), 3);
	cr_assert_eq(count("blocked", "source", "10.0.0.66", "detail", "50 refused requests"), 1);
	cr_assert_eq(count("refused_by_driver", "object", "array/0", "limit", "amp_cap"), 1);
	cr_assert_eq(count("trips", "object", "array/0", "cause", "governor-late"), 1);
	cr_assert_eq(count("privileged", "actor", "anna", "action", "array.arm"), 1);
	cr_assert_eq(count("unknown_outcomes", "action", "array.arm", "object", "array/0"), 1);
	cr_assert_eq(count("process_exits", "object", "front", "why", ""), 1);
	cr_assert_eq(count("process_exits", "object", "keeper", "why", ""), 0, "three hours ago");
	cr_assert_eq(count("gaps", "action", "kernel.gap", "object", "array/0"), 1);
	cr_assert_eq(count("gaps", "action", "denied.suppressed", "object", ""), 1);
	cr_assert_eq(count("gaps", "action", "keeper.disarm", "object", "arrays"), 1);
	cr_assert_eq(json_array_size(rows("gaps")), 3);
	report(24);
	cr_assert_eq(count("process_exits", "object", "keeper", "why", ""), 1);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		cr_assert_gt(json_array_size(rows(tables[i])), 0, "%s", tables[i]);
}

/* To the second, not to the hour. */
Test(audit_report, report_begins_when_asked_to)
{
	uint64_t since;
	json_t *args;

	record((struct what){ .action = "process.exit", .object = "keeper", .result = "error" });
	hf_test_clock_advance(&k.clock, 1801 * HF_S);
	since = hf_real_ns(&k.clock.clock) - 1800 * HF_S;
	record((struct what){ .action = "process.exit", .object = "front", .result = "error",
			      .detail = json_pack("{s:s}", "why", "") });
	report_of(json_pack("{s:I}", "since_ns", (json_int_t)since));
	cr_assert_eq(json_array_size(rows("process_exits")), 1);
	cr_assert_eq(count("process_exits", "object", "front", "why", ""), 1);
	cr_assert_eq(json_integer_value(json_object_get(json_object_get(result, "report"), "since_ns")),
		     (json_int_t)since);
	report_of(json_pack("{s:I}", "since_ns", (json_int_t)(since - 2 * HF_S)));
	cr_assert_eq(json_array_size(rows("process_exits")), 2);
	report_of(json_object());	/* 24 hours */
	cr_assert_eq(json_array_size(rows("process_exits")), 2);

	args = json_pack("{s:i, s:I}", "hours", 1, "since_ns", (json_int_t)since);
	aud_job_report(jobs, args, take_answer, NULL);
	cr_assert_eq(status, 400);
	json_decref(args);
}

Test(audit_report, report_is_bounded)
{
	char name[40], longer[200];
	json_t *denied;

	for (int i = 0; i < 70; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		record((struct what){ .action = "array.arm", .actor = name, .phase = "denied",
				      .result = "refused" });
	}
	memset(longer, 'x', sizeof(longer));
	memcpy(longer + 95, "\xc3\xa4", 2);		/* over the end of a cell */
	longer[120] = '\0';
	record((struct what){ .action = "http.blocked", .actor = "user0", .phase = "denied",
			      .result = "refused", .detail = json_pack("{s:s}", "detail", longer) });
	report(1);
	denied = json_object_get(json_object_get(result, "report"), "denied");
	cr_assert_eq(json_array_size(rows("denied")), 64);
	cr_assert_eq(json_integer_value(json_object_get(denied, "others")), 7);
	cr_assert_eq(json_array_size(rows("blocked")), 1);
	longer[95] = '\0';
	cr_assert_eq(count("blocked", "source", "", "detail", longer), 1);
}
