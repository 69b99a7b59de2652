// SPDX-License-Identifier: GPL-2.0
/*
 * What goes out next, and what a stop says. A stream and a log are played here: whatever is cut off
 * when, each event must be stored once, in order.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "feed.h"
#include "stop.h"

#define LOG_A	"00112233445566778899aabbccddeeff"
#define LOG_B	"ffeeddccbbaa99887766554433221100"

static const struct fleet_names names = { "lab", "one", "holdfast" };
static struct fleet_feed feed;
static struct hf_err err;

static void setup(void)
{
	fleet_feed_init(&feed, &names);
}

static void end(void)
{
	fleet_feed_free(&feed);
}

TestSuite(fleet, .init = setup, .fini = end);

static json_t *event(const char *log, int seq)
{
	return json_pack("{s:s, s:i, s:s}", "log", log, "seq", seq, "action", "array.trip");
}

/* As aud_job_events() answers: @n events from @first on, every @step'th record. */
static json_t *answer(const char *log, int first, int n, int step, int upto, bool more)
{
	json_t *list = json_array();

	for (int i = 0; i < n; i++)
		json_array_append_new(list, event(log, first + i * step));
	return json_pack("{s:o, s:i, s:b}", "records", list, "upto", upto, "more", (int)more);
}

static void take(json_t *j, int expected)
{
	cr_assert_eq(fleet_feed_take(&feed, j), expected);
	json_decref(j);
}

static uint64_t asked(const char *log)
{
	uint64_t after = 0;
	char is[FLEET_LOG];

	cr_assert(fleet_feed_ask(&feed, &after, is));
	cr_expect_str_eq(is, log);
	return after;
}

/* Return: what goes out; its text is freed. */
static json_t *next(const char *id)
{
	struct fleet_message m;
	json_t *j;

	cr_assert(fleet_feed_next(&feed, &m));
	cr_expect_str_eq(m.subject, "holdfast.lab.one.event");
	cr_expect_str_eq(m.id, id);
	j = json_loads(m.text, 0, NULL);
	cr_assert(j);
	free(m.text);
	return j;
}

static json_int_t number(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name));
}

static void resume(const char *log, int seq)
{
	json_t *j = event(log, seq);
	char *text = json_dumps(j, 0);

	cr_assert_eq(fleet_feed_resume(&feed, text, strlen(text), &err), 0);
	free(text);
	json_decref(j);
}

Test(fleet, nothing_before_it_is_known_what_the_stream_has)
{
	char log[FLEET_LOG];
	struct fleet_message m;
	uint64_t after;

	cr_expect_not(fleet_feed_ask(&feed, &after, log));
	cr_expect_not(fleet_feed_next(&feed, &m));
	cr_assert_eq(fleet_feed_resume(&feed, NULL, 0, &err), 0);
	cr_expect_eq(asked(""), 0);
	cr_expect_not(fleet_feed_ask(&feed, &after, log), "one question at a time");
}

Test(fleet, one_at_a_time_each_names_the_one_before)
{
	struct fleet_message m;
	json_t *j;

	cr_assert_eq(fleet_feed_resume(&feed, NULL, 0, &err), 0);
	asked("");
	take(answer(LOG_A, 3, 2, 4, 7, false), 0);
	j = next(LOG_A "-3");
	cr_expect_eq(number(j, "prev"), 0);
	cr_expect_eq(number(j, "v"), 1);
	cr_expect_str_eq(json_string_value(json_object_get(j, "host")), "one");
	json_decref(j);
	cr_expect_not(fleet_feed_next(&feed, &m), "not before the first is stored");
	cr_expect_not(fleet_feed_even(&feed));
	fleet_feed_stored(&feed);
	fleet_feed_stored(&feed);	/* a second word for one message counts for nothing */
	cr_expect_eq(feed.seq, 3);
	j = next(LOG_A "-7");
	cr_expect_eq(number(j, "prev"), 3);
	json_decref(j);
	fleet_feed_stored(&feed);
	cr_expect(fleet_feed_even(&feed));
	cr_expect_eq(feed.stored, 2);
	cr_expect_eq(asked(LOG_A), 7);
}

Test(fleet, what_was_stored_without_our_knowing_is_not_sent_again)
{
	json_t *j;

	resume(LOG_A, 10);
	cr_expect_eq(asked(LOG_A), 10);
	take(answer(LOG_A, 11, 3, 1, 13, false), 0);
	json_decref(next(LOG_A "-11"));
	fleet_feed_down(&feed);		/* stored, but the acknowledgement was lost */
	resume(LOG_A, 11);
	cr_expect_eq(asked(LOG_A), 11);
	take(answer(LOG_A, 12, 2, 1, 13, false), 0);
	j = next(LOG_A "-12");
	cr_expect_eq(number(j, "prev"), 11);
	json_decref(j);
}

Test(fleet, what_was_not_stored_is_sent_again_with_its_id)
{
	resume(LOG_A, 10);
	asked(LOG_A);
	take(answer(LOG_A, 11, 1, 1, 11, false), 0);
	json_decref(next(LOG_A "-11"));
	fleet_feed_down(&feed);
	fleet_feed_stored(&feed);	/* too late to be believed */
	resume(LOG_A, 10);
	cr_expect_eq(asked(LOG_A), 10);
	take(answer(LOG_A, 11, 1, 1, 11, false), 0);
	json_decref(next(LOG_A "-11"));
}

Test(fleet, an_answer_to_a_question_before_the_cut_does_not_count)
{
	struct fleet_message m;

	resume(LOG_A, 10);
	asked(LOG_A);
	fleet_feed_down(&feed);
	resume(LOG_A, 12);	/* 11 and 12 had got through */
	take(answer(LOG_A, 11, 3, 1, 13, false), 0);
	cr_expect_not(fleet_feed_next(&feed, &m), "11 again");
	cr_expect_eq(asked(LOG_A), 12);
}

Test(fleet, records_that_are_none_of_the_fleets_are_not_asked_for_again)
{
	resume(LOG_A, 10);
	asked(LOG_A);
	take(answer(LOG_A, 0, 0, 1, 400, false), 0);
	cr_expect(fleet_feed_even(&feed));
	cr_expect_eq(asked(LOG_A), 400);
	take(NULL, 0);		/* audit has gone */
	cr_expect_eq(asked(LOG_A), 400);
	take(answer(LOG_A, 500, 1, 1, 500, true), 0);
	json_decref(next(LOG_A "-500"));
	fleet_feed_stored(&feed);
	cr_expect_not(fleet_feed_even(&feed), "there is more");
}

Test(fleet, a_gap_is_told_with_the_event_behind_it)
{
	json_t *j = answer(LOG_A, 51, 2, 1, 52, false), *gap;

	resume(LOG_A, 10);
	asked(LOG_A);
	json_object_set_new(j, "lost", json_pack("{s:i, s:i}", "from", 11, "to", 50));
	take(j, 0);
	cr_expect_eq(feed.gaps, 40);
	j = next(LOG_A "-51");
	gap = json_object_get(j, "gap");
	cr_expect_eq(number(gap, "from"), 11);
	cr_expect_eq(number(gap, "to"), 50);
	json_decref(j);
	fleet_feed_stored(&feed);
	j = next(LOG_A "-52");
	cr_expect_null(json_object_get(j, "gap"));
	json_decref(j);
}

Test(fleet, another_log_begins_anew)
{
	json_t *j;

	resume(LOG_A, 900);
	cr_expect_eq(asked(LOG_A), 900);
	take(answer(LOG_B, 1, 1, 1, 1, false), 0);
	j = next(LOG_B "-1");
	cr_expect_eq(number(j, "prev"), 0);
	json_decref(j);
	fleet_feed_stored(&feed);
	cr_expect_eq(asked(LOG_B), 1);
}

Test(fleet, a_stream_that_became_empty_gets_nothing_twice)
{
	resume(LOG_A, 10);
	asked(LOG_A);
	take(answer(LOG_A, 11, 1, 1, 11, false), 0);
	json_decref(next(LOG_A "-11"));
	fleet_feed_stored(&feed);
	fleet_feed_down(&feed);
	cr_assert_eq(fleet_feed_resume(&feed, NULL, 0, &err), 0);
	cr_expect_eq(asked(LOG_A), 11);
}

Test(fleet, foreign_and_malformed_are_refused)
{
	static const char *const last[] = {
		"", "{", "[]", "{}", "{\"log\":\"x\",\"seq\":1}", "{\"log\":\"" LOG_A "\"}",
		"{\"log\":\"" LOG_A "\",\"seq\":0}", "{\"log\":\"" LOG_A "\",\"seq\":\"1\"}",
		"{\"log\":\"" LOG_A "0\",\"seq\":1}", "{\"log\":\"G" LOG_A "\",\"seq\":1}",
	};
	struct fleet_message m;

	for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++) {
		cr_expect_eq(fleet_feed_resume(&feed, last[i], strlen(last[i]), &err), -EBADMSG, "%s",
			     last[i]);
		cr_expect_not(fleet_feed_next(&feed, &m));
		cr_expect_not(feed.known);
	}
	cr_assert_eq(fleet_feed_resume(&feed, NULL, 0, &err), 0);
	asked("");
	take(json_pack("{s:[{s:s}], s:i}", "records", "log", LOG_A, "upto", 4), -EBADMSG);
	asked("");
	take(json_object(), -EBADMSG);
}

/*
 * A stream and a log of 200 records, of which every third is an event; the bus is cut at each of
 * all places: before, in and after a publish, with and without its being stored.
 */
Test(fleet, cut_anywhere_all_arrive_once_in_order)
{
	for (unsigned int seed = 1; seed < 2000; seed++) {
		unsigned int dice = seed;
		int stream[100], n = 0;

		fleet_feed_free(&feed);
		fleet_feed_init(&feed, &names);
		for (int step = 0; step < 100000 && n < 66; step++) {
			struct fleet_message m;
			char log[FLEET_LOG];
			uint64_t after;

			dice = dice * 1103515245 + 12345;
			if (!feed.known && n)
				resume(LOG_A, stream[n - 1]);
			else if (!feed.known)
				fleet_feed_resume(&feed, NULL, 0, &err);
			if (fleet_feed_ask(&feed, &after, log)) {
				int first = ((int)after / 3 + 1) * 3, left = (198 - first) / 3 + 1;

				if (dice >> 16 & 1 && feed.known)
					fleet_feed_down(&feed);
				take(answer(LOG_A, first, left < 5 ? left : 5, 3, 200, left > 5), 0);
			}
			if (!fleet_feed_next(&feed, &m))
				continue;
			if (dice >> 17 & 3)	/* the stream has it */
				stream[n++] = atoi(strrchr(m.id, '-') + 1);
			free(m.text);
			if ((dice >> 17 & 3) && (dice >> 19 & 1))
				fleet_feed_stored(&feed);
			else
				fleet_feed_down(&feed);
		}
		cr_assert_eq(n, 66, "seed %u: %d", seed, n);
		for (int i = 0; i < n; i++)
			cr_assert_eq(stream[i], 3 * (i + 1), "seed %u: place %d: %d", seed, i, stream[i]);
	}
}

/* -------------------------------------------------------------------- stop */

Test(fleet, whatever_it_says_it_is_a_stop)
{
	static const char *const says[] = {
		"", "arm", "{", "null", "[]", "{\"arm\":true}", "{\"latch\":\"true\"}", "{\"latch\":1}",
		"{\"latch\":false}", "{\"id\":4}", "{\"id\":\"short\"}", "\xff\xfe", "{\"latch\":true} x",
	};
	struct fleet_stop s;

	for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
		s = fleet_stop_read(says[i], strlen(says[i]));
		cr_expect_not(s.latch, "%s", says[i]);
		cr_expect(hf_corr_none(&s.corr), "%s", says[i]);
	}
	s = fleet_stop_read(NULL, 0);
	cr_expect_not(s.latch);
}

Test(fleet, a_stop_may_latch_and_have_an_id)
{
	static const char says[] = "{\"latch\":true,\"id\":\"" LOG_A "\",\"more\":[1]}";
	struct fleet_stop s = fleet_stop_read(says, strlen(says));
	char text[HF_CORR_TEXT];

	cr_expect(s.latch);
	cr_expect_str_eq(hf_corr_text(&s.corr, text), LOG_A);
}

Test(fleet, nothing_is_read_of_a_long_one)
{
	size_t len = FLEET_STOP_BYTES + 1;
	char *says = malloc(len);
	struct fleet_stop s;

	memset(says, ' ', len);
	memcpy(says, "{\"latch\":true}", 14);
	cr_expect(fleet_stop_read(says, len - 1).latch);
	s = fleet_stop_read(says, len);
	cr_expect_not(s.latch);
	free(says);
}
