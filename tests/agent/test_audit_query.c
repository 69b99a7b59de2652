// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the log while it is written: events for the fleet, filters, pages, limits. On a disk
 * in memory.
 */
#include "audit_query_kit.h"

TestSuite(audit_query, .init = query_setup, .fini = query_teardown, .timeout = 120);

/* ------------------------------------------------------ events of the fleet */

static void ask_events(uint64_t after, const char *log)
{
	int before = answers;

	aud_job_events(jobs, after, log, take_answer, NULL);
	run();
	cr_assert_eq(answers, before + 1);
	cr_assert_eq(status, 200);
}

static const json_t *found_event(size_t i)
{
	return json_array_get(json_object_get(result, "records"), i);
}

static const char *text_of_event(size_t i, const char *name)
{
	const char *text = json_string_value(json_object_get(found_event(i), name));

	return text ? text : "";
}

static json_int_t upto(void)
{
	return json_integer_value(json_object_get(result, "upto"));
}

Test(audit_query, the_fleet_gets_what_is_for_it_and_no_more)
{
	uint64_t trip, health, last;
	char log[33];

	record((struct what){ .action = "user.create", .object = "u1", .actor = "anna" });
	trip = record((struct what){ .action = "kernel.trip", .object = "0", .actor = "anna",
				     .source = "192.0.2.9", .detail = json_pack("{s:i}", "n", 4) });
	record((struct what){ .action = "session.create", .object = "s" });
	record((struct what){ .action = "array.arm", .object = "0", .phase = "intent" });
	health = record((struct what){ .action = "health.change", .object = "disk" });
	last = record((struct what){ .action = "secret.set", .object = "fleet-x" });

	ask_events(trip - 1, "");	/* no log is known: all of it */
	snprintf(log, sizeof(log), "%s", text_of_event(0, "log"));
	cr_assert_eq(strlen(log), 32);
	ask_events(trip - 1, log);
	cr_assert_eq(found(), 2);
	cr_expect_eq(found_seq(0), (json_int_t)trip);
	cr_expect_eq(found_seq(1), (json_int_t)health);
	cr_expect_eq(upto(), (json_int_t)last);
	cr_expect_str_eq(text_of_event(0, "actor"), "anna");
	cr_expect_eq(json_object_size(found_event(0)), 10, "log, actor and eight of the record's");
	ask_events(trip, log);
	cr_assert_eq(found(), 1);
	ask_events(last, log);
	cr_expect_eq(found(), 0);
	cr_expect_eq(upto(), (json_int_t)last);
	record((struct what){ .action = "lease.create", .object = "1" });
	ask_events(last, log);
	cr_assert_eq(found(), 1);
	cr_expect_str_eq(text_of_event(0, "action"), "lease.create");
}

Test(audit_query, the_fleet_goes_on_where_it_was_over_many_segments)
{
	uint64_t at = 0, want = 0, n = 0;
	char log[33] = "";

	for (int i = 0; i < 500; i++) {
		record((struct what){ .action = i % 3 ? "login" : "array.trip", .object = "0",
				      .detail = json_pack("{s:i}", "i", i) });
		want += !(i % 3);
	}
	do {
		ask_events(at, log);
		for (size_t i = 0; i < found(); i++) {
			cr_assert(found_seq(i) > (json_int_t)at);
			at = (uint64_t)found_seq(i);
			snprintf(log, sizeof(log), "%s", text_of_event(i, "log"));
			n += !strcmp(text_of_event(i, "action"), "array.trip");
		}
	} while (more());
	cr_expect_eq(n, want);
	segment(4);	/* there are that many */
	/* Out of order, as after a start of the fleet process: the mark must not mislead. */
	ask_events(0, "");
	cr_expect_lt(found_seq(0), 10);
}

Test(audit_query, the_fleet_is_told_when_the_log_is_another)
{
	record((struct what){ .action = "array.trip", .object = "0" });
	ask_events(7000, "00112233445566778899aabbccddeeff");
	cr_expect_geq(found(), 1, "a number that this log does not have");
	ask_events(1, "00112233445566778899aabbccddeeff");
	cr_expect_geq(found(), 1, "another log's");
	cr_expect_null(json_object_get(result, "lost"));
}

/* ----------------------------------------------------------------- filters */

Test(audit_query, each_filter_alone_and_together)
{
	uint64_t anna, berta, trip, kernel, refused;

	anna = record((struct what){ .action = "user.create", .object = "u1", .actor = "anna" });
	hf_test_clock_advance(&k.clock, HF_S);
	berta = record((struct what){ .action = "user.remove", .object = "u2", .actor = "berta",
				      .corr = 7 });
	hf_test_clock_advance(&k.clock, HF_S);
	trip = record((struct what){ .action = "kernel.trip", .object = "array/0", .corr = 9 });
	kernel = record((struct what){ .action = "kernelish", .object = "array/0" });
	refused = record((struct what){ .action = "user.create", .object = "u2", .actor = "anna",
					.result = "refused" });

	READ("{}");
	cr_assert_eq(found(), 6, "the segment's own and five");
	READ("{s:s}", "actor", "anna");
	cr_assert_eq(found(), 2);
	cr_assert_eq(found_seq(0), anna);
	cr_assert_eq(found_seq(1), refused);
	READ("{s:s}", "action", "user.");
	cr_assert_eq(found(), 3);
	READ("{s:s}", "action", "kernel.");
	cr_assert_eq(found(), 1);
	cr_assert_eq(found_seq(0), trip);
	READ("{s:s}", "action", "kernel");
	cr_assert_eq(found(), 0, "without the dot it is the whole name");
	READ("{s:s}", "object", "array/0");
	cr_assert_eq(found(), 2);
	cr_assert_eq(found_seq(1), kernel);
	READ("{s:s}", "object", "array");
	cr_assert_eq(found(), 0);
	READ("{s:s}", "result", "refused");
	cr_assert_eq(found(), 1);
	cr_assert_eq(found_seq(0), refused);
	READ("{s:s}", "corr", "07000000000000000000000000000000");
	cr_assert_eq(found(), 1);
	cr_assert_eq(found_seq(0), berta);
	READ("{s:I}", "since_ns", (json_int_t)(KIT_T0 + HF_S));
	cr_assert_eq(found(), 4);
	READ("{s:I}", "until_ns", (json_int_t)(KIT_T0 + HF_S));
	cr_assert_eq(found(), 3);
	cr_assert_eq(found_seq(2), berta);
	READ("{s:I}", "after_seq", (json_int_t)trip);
	cr_assert_eq(found(), 2);
	READ("{s:s, s:s, s:s}", "actor", "anna", "object", "u2", "action", "user.create");
	cr_assert_eq(found(), 1);
	READ("{s:s, s:s}", "actor", "anna", "object", "array/0");
	cr_assert_eq(found(), 0);
	cr_assert_not(more());
}

Test(audit_query, a_clock_set_back_hides_nothing)
{
	uint64_t young = 0;

	many(100);		/* several segments of T0 */
	hf_test_clock_advance(&k.clock, 1000 * HF_S);
	many(50);
	young = record((struct what){ .action = "test.young" });
	many(50);
	k.clock.real_ns = KIT_T0;
	many(100);
	READ("{s:I}", "since_ns", (json_int_t)(KIT_T0 + 500 * HF_S));
	cr_assert_geq(found(), 101);
	READ("{s:I, s:s}", "since_ns", (json_int_t)(KIT_T0 + 500 * HF_S), "action", "test.young");
	cr_assert_eq(found(), 1);
	cr_assert_eq(found_seq(0), young);
}

/* ------------------------------------------------------------ pages, limits */

Test(audit_query, pages_give_each_record_once)
{
	json_int_t seq = 0;
	int pages = 0;
	size_t segments;

	many(400);
	aud_segments(k.w, &segments);
	cr_assert_gt(segments, 5);
	do {
		READ("{s:I, s:i}", "after_seq", seq, "limit", 37);
		cr_assert_leq(found(), 37);
		for (size_t i = 0; i < found(); i++)
			cr_assert_eq(found_seq(i), ++seq);
		cr_assert(!more() || found() == 37);
		pages++;
	} while (more());
	cr_assert_eq(seq, (json_int_t)aud_durable_seq(k.w));
	cr_assert_eq(pages, (seq + 36) / 37);
	READ("{s:I}", "after_seq", seq);
	cr_assert_eq(found(), 0);
	cr_assert_not(more());
	READ("{}");
	cr_assert_gt(found(), 50, "as many as fit");
	cr_assert_lt(found(), AUD_READ_MOST);
	cr_assert(more());
}

Test(audit_query, the_newest_are_the_last_ones_in_order)
{
	json_int_t last;

	many(300);
	last = (json_int_t)aud_durable_seq(k.w);
	READ("{s:b, s:i}", "newest", 1, "limit", 20);
	cr_assert_eq(found(), 20);
	for (size_t i = 0; i < 20; i++)
		cr_assert_eq(found_seq(i), last - 19 + (json_int_t)i);
	cr_assert(more());
	READ("{s:b, s:i, s:s}", "newest", 1, "limit", 3, "action", "audit.");
	cr_assert_eq(found(), 3, "first records of segments");
	cr_assert_leq(found_seq(2), last);
	cr_assert_gt(found_seq(0), 100);
	cr_assert(more());
	READ("{s:b, s:i}", "newest", 1, "limit", 200);
	cr_assert_gt(found(), 50, "as many as fit");
	cr_assert_eq(found_seq(found() - 1), last);
	cr_assert(more());
	READ("{s:b, s:i, s:I}", "newest", 1, "limit", 200, "after_seq", last - 5);
	cr_assert_eq(found(), 5);
	cr_assert_not(more());
}

Test(audit_query, an_answer_fits_into_a_message)
{
	char *big = malloc(50001);
	size_t bytes;

	memset(big, 'x', 50000);
	big[50000] = '\0';
	record((struct what){ .action = "test.big", .detail = json_pack("{s:s}", "text", big) });
	big[10000] = '\0';
	for (int i = 0; i < 12; i++)
		record((struct what){ .action = "test.large",
				      .detail = json_pack("{s:s}", "text", big) });
	free(big);
	READ("{s:s}", "action", "test.large");
	bytes = json_dumpb(json_object_get(result, "records"), NULL, 0, JSON_COMPACT);
	cr_assert_leq(bytes, AUD_ANSWER_MAX + 64);
	cr_assert_eq(found(), 4);
	cr_assert(more());
	READ("{s:s, s:b}", "action", "test.large", "newest", 1);
	cr_assert_eq(found(), 4);
	cr_assert_eq(found_seq(3), (json_int_t)aud_durable_seq(k.w));
	READ("{s:s}", "action", "test.big");
	cr_assert_eq(found(), 1, "one is given even if it alone is longer");
	cr_assert_not(more());
}

Test(audit_query, so_many_at_a_time)
{
	json_t *none = json_object();

	many(200);
	for (int i = 0; i < AUD_JOBS; i++)
		aud_job_read(jobs, none, take_answer, NULL);
	cr_assert_eq(answers, 0);
	aud_job_read(jobs, none, take_answer, NULL);
	cr_assert_eq(answers, 1);
	cr_assert_eq(status, 503);
	cr_assert_str_eq(json_string_value(json_object_get(result, "code")), "busy");
	run();
	cr_assert_eq(answers, 1 + AUD_JOBS);
	cr_assert_eq(status, 200);
	aud_job_read(jobs, none, take_answer, NULL);
	aud_jobs_free(jobs);
	jobs = NULL;
	cr_assert_eq(answers, 2 + AUD_JOBS);
	cr_assert_eq(status, 503, "under way at the end");
	json_decref(none);
}

/* A job sees the log as it was when it was asked, whatever is written or deleted meanwhile. */
Test(audit_query, writing_and_pruning_meanwhile)
{
	json_t *args = json_pack("{s:i}", "limit", 150);
	size_t before, after;
	json_int_t last;

	many(80);
	last = (json_int_t)aud_durable_seq(k.w);
	aud_job_read(jobs, args, take_answer, NULL);
	many(160);
	run();
	cr_assert_eq(found(), (size_t)last);
	cr_assert_eq(found_seq((size_t)last - 1), last);

	k.s.config.retention_ns = 0;
	k.s.config.keep_bytes = 1;
	aud_segments(k.w, &before);
	aud_job_read(jobs, args, take_answer, NULL);
	aud_writer_configure(k.w, &k.s.config);
	hf_test_clock_advance(&k.clock, 120 * HF_S);
	aud_tick(k.w);
	aud_segments(k.w, &after);
	cr_assert_lt(after, before);
	run();
	cr_assert_eq(status, 200);
	cr_assert_gt(found(), 0);
	cr_assert_eq(k.errors, 0, "what was deleted in order is no damage");
	cr_assert_eq(kit_verify(&k, NULL, NULL), VFY_OK);
	json_decref(args);
}
