// SPDX-License-Identifier: GPL-2.0
/*
 * Events into records: order, gaps, audit that is away, restarts; the ladder from
 * "recorded" to "disarmed"; the two-person rule. Audit is played by an array of
 * records that answers when the test says so; time is an argument.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ladder.h"
#include "recorder.h"
#include "second.h"

/* ------------------------------------------------------------- recorder */

struct waiting {
	json_t *detail;
	char action[48];
	hf_reply_fn fn;
	void *arg;
};

static struct waiting sent[4096];
static size_t nsent, answered;
static bool away;	/* there is no link */

static int append(void *arg, const struct hf_record *r, hf_reply_fn fn, void *fn_arg)
{
	(void)arg;
	cr_assert_str_eq(r->phase, "event");
	if (away) {
		json_decref(r->detail);
		return -ENOTCONN;
	}
	cr_assert_lt(nsent, 4096);
	sent[nsent] = (struct waiting){ .detail = r->detail, .fn = fn, .arg = fn_arg };
	strncpy(sent[nsent].action, r->action, sizeof(sent[nsent].action) - 1);
	nsent++;
	return 0;
}

static const struct hf_peers peers = { .append = append };

static void answer(int status)
{
	struct waiting *w = &sent[answered++];

	cr_assert_leq(answered, nsent);
	w->fn(w->arg, status, NULL);
}

static void answer_all(void)
{
	while (answered < nsent)
		answer(200);
}

static int64_t number(size_t i, const char *name)
{
	return json_integer_value(json_object_get(sent[i].detail, name));
}

static struct hf_recorder *recorder(uint64_t durable)
{
	struct hf_recorder *r = malloc(sizeof(*r));

	for (size_t i = 0; i < nsent; i++)
		json_decref(sent[i].detail);
	nsent = answered = 0;
	away = false;
	hf_recorder_init(r, 3, 0xfeedfacecafebeefULL, "left", durable, &peers);
	return r;
}

static void put(struct hf_recorder *r, uint64_t seq, uint64_t lost)
{
	struct holdfast_event e = { .seq = seq, .lost = lost, .type = 2, .instance = r->instance,
				    .reason = { .limit = HOLDFAST_LIM_NONE } };

	hf_recorder_put(r, &e);
}

static void forget(struct hf_recorder *r)
{
	free(r);
	for (size_t i = 0; i < nsent; i++)
		json_decref(sent[i].detail);
	nsent = 0;
}

Test(recorder, in_order_with_the_kernels_numbers)
{
	struct hf_recorder *r = recorder(0);

	for (uint64_t i = 1; i <= 100; i++)
		put(r, i, 0);
	hf_recorder_pump(r);
	cr_assert_leq(nsent, HF_REC_FLIGHT, "a bounded number on the way");
	answer_all();
	cr_assert_eq(nsent, 100);
	for (size_t i = 0; i < 100; i++)
		cr_assert_eq(number(i, "seq"), (int64_t)i + 1);
	cr_assert_str_eq(sent[0].action, "kernel.trip");
	cr_assert_str_eq(json_string_value(json_object_get(sent[0].detail, "instance")),
			 "feedfacecafebeef");
	cr_assert(hf_recorder_idle(r));
	cr_assert_eq(r->durable_seq, 100);
	forget(r);
}

Test(recorder, what_comes_twice_is_recorded_once)
{
	struct hf_recorder *r = recorder(5);

	for (uint64_t i = 1; i <= 10; i++)
		put(r, i, 0);
	for (uint64_t i = 8; i <= 12; i++)
		put(r, i, 0);
	hf_recorder_pump(r);
	answer_all();
	cr_assert_eq(nsent, 7, "6 to 12: the rest was durable before the restart");
	cr_assert_eq(number(0, "seq"), 6);
	cr_assert_eq(number(6, "seq"), 12);
	forget(r);
}

Test(recorder, gaps_of_the_kernel)
{
	struct hf_recorder *r = recorder(0);

	put(r, 1, 0);
	put(r, 8, 6);
	hf_recorder_pump(r);
	answer_all();
	cr_assert_eq(nsent, 3);
	cr_assert_str_eq(sent[1].action, "kernel.gap");
	cr_assert_eq(number(1, "from_seq"), 2);
	cr_assert_eq(number(1, "to_seq"), 7);
	cr_assert_str_eq(json_string_value(json_object_get(sent[1].detail, "lost_by")), "kernel");
	cr_assert_eq(number(2, "seq"), 8);
	forget(r);
}

Test(recorder, the_newest_are_kept_while_audit_is_away)
{
	struct hf_recorder *r = recorder(0);
	uint64_t expect;

	away = true;
	for (uint64_t i = 1; i <= HF_REC_EVENTS + 500; i++) {
		put(r, i, 0);
		if (i % 100 == 0)
			hf_recorder_pump(r);
	}
	cr_assert_eq(nsent, 0);
	away = false;
	hf_recorder_pump(r);
	answer_all();
	/* The first were taken out before the buffer was full; then the gap; then the newest, all.
	 */
	for (size_t i = expect = 0; i < nsent; i++) {
		if (!strcmp(sent[i].action, "kernel.gap")) {
			cr_assert_eq(number(i, "from_seq"), (int64_t)expect + 1);
			cr_assert_gt(number(i, "to_seq"), (int64_t)expect);
			cr_assert_str_eq(
				json_string_value(json_object_get(sent[i].detail, "lost_by")),
				"keeper");
			expect = (uint64_t)number(i, "to_seq");
		} else {
			cr_assert_eq(number(i, "seq"), (int64_t)++expect);
		}
	}
	cr_assert_eq(expect, HF_REC_EVENTS + 500, "nothing is missing without a record of it");
	cr_assert_geq(nsent, HF_REC_EVENTS);
	forget(r);
}

Test(recorder, what_failed_goes_again_before_anything_newer)
{
	struct hf_recorder *r = recorder(0);
	size_t first;

	for (uint64_t i = 1; i <= 8; i++)
		put(r, i, 0);
	hf_recorder_pump(r);
	cr_assert_eq(nsent, 8);
	answer(200);
	answer(200);
	for (int i = 0; i < 6; i++)
		answer(504);
	cr_assert_eq(r->durable_seq, 2);
	first = nsent;
	put(r, 9, 0);
	hf_recorder_pump(r);
	cr_assert_eq(nsent, first + 7);
	for (size_t i = 0; i < 7; i++)
		cr_assert_eq(number(first + i, "seq"), (int64_t)i + 3);
	answer_all();
	cr_assert_eq(r->durable_seq, 9);
	cr_assert(hf_recorder_idle(r));
	forget(r);
}

Test(recorder, a_failed_one_waits_for_the_answers_to_the_others)
{
	struct hf_recorder *r = recorder(0);

	for (uint64_t i = 1; i <= 4; i++)
		put(r, i, 0);
	hf_recorder_pump(r);
	answer(504);
	put(r, 5, 0);
	hf_recorder_pump(r);
	cr_assert_eq(nsent, 4, "sent again, or overtaken, while others are on their way");
	answer(200);
	answer(200);
	answer(200);
	cr_assert_eq(number(4, "seq"), 1);
	answer_all();
	cr_assert_eq(r->durable_seq, 5);
	forget(r);
}

Test(recorder, nothing_is_durable_before_what_came_before)
{
	struct hf_recorder *r = recorder(0);

	put(r, 1, 0);
	put(r, 2, 0);
	hf_recorder_pump(r);
	sent[1].fn(sent[1].arg, 200, NULL);
	cr_assert_eq(r->durable_seq, 0);
	sent[0].fn(sent[0].arg, 200, NULL);
	cr_assert_eq(r->durable_seq, 2);
	forget(r);
}

Test(recorder, copies_of_what_there_was)
{
	struct hf_recorder *r = recorder(0);
	struct holdfast_event e[10];

	for (uint64_t i = 1; i <= 2000; i++)
		put(r, i, 0);
	cr_assert_eq(hf_recorder_copy(r, 0, e, 10), 10);
	cr_assert_eq(e[0].seq, 1991);
	cr_assert_eq(hf_recorder_copy(r, 1997, e, 10), 3);
	cr_assert_eq(e[2].seq, 2000);
	cr_assert_eq(hf_recorder_copy(r, 2000, e, 10), 0);
	forget(r);
}

Test(recorder, strange_text_stays_a_record)
{
	struct hf_recorder *r = recorder(0);
	struct holdfast_event e = {
		.seq = 1, .pid = 7, .type = 6, .reason = { .limit = HOLDFAST_LIM_NONE }
	};

	memcpy(e.comm, "a\"\xff\x1b[2J\n\xc3(", 11);
	hf_recorder_put(r, &e);
	hf_recorder_pump(r);
	cr_assert_eq(nsent, 1);
	cr_assert_str_eq(json_string_value(json_object_get(sent[0].detail, "comm")), "a\"?"
										     "?[2J?"
										     "?(");
	answer_all();
	forget(r);
}

/* --------------------------------------------------------------- ladder */

Test(ladder, down_and_up)
{
	struct hf_ladder l;

	hf_ladder_init(&l, 100);
	cr_assert(!hf_ladder_durable(&l));
	cr_assert_eq(hf_ladder_tick(&l, 0, 1000), HF_LADDER_STAY, "nothing was armed yet");
	cr_assert_eq(hf_ladder_linked(&l, true, 200), HF_LADDER_STAY, "it has said nothing yet");
	cr_assert(!hf_ladder_durable(&l));
	cr_assert_eq(hf_ladder_word(&l, true, "", 210), HF_LADDER_BACK);
	cr_assert(hf_ladder_durable(&l));
	cr_assert_eq(hf_ladder_due_ns(&l, 50), UINT64_MAX);
	cr_assert_eq(hf_ladder_word(&l, false, "disk full", 300), HF_LADDER_LOST);
	cr_assert_eq(hf_ladder_due_ns(&l, 50), 350);
	cr_assert_str_eq(hf_ladder_why(&l), "disk full");
	cr_assert_eq(hf_ladder_tick(&l, 50, 349), HF_LADDER_STAY);
	/* More bad news do not put it off. */
	cr_assert_eq(hf_ladder_record(&l, false, 310, 340), HF_LADDER_STAY);
	cr_assert_eq(hf_ladder_tick(&l, 50, 350), HF_LADDER_DISARM);
	cr_assert_eq(hf_ladder_tick(&l, 50, 400), HF_LADDER_STAY, "once");
	/* Both reasons must go. */
	cr_assert_eq(hf_ladder_word(&l, true, "", 410), HF_LADDER_STAY);
	cr_assert_eq(hf_ladder_record(&l, true, 411, 420), HF_LADDER_BACK);
	cr_assert_eq(hf_ladder_linked(&l, false, 500), HF_LADDER_LOST);
	cr_assert_str_eq(hf_ladder_why(&l), "there is no audit process");
	cr_assert_eq(hf_ladder_linked(&l, true, 520), HF_LADDER_STAY);
	cr_assert_eq(hf_ladder_word(&l, true, "", 530), HF_LADDER_BACK, "within the grace");
	cr_assert_eq(hf_ladder_tick(&l, 50, 600), HF_LADDER_STAY);
}

/* One that dies again and again before it can write keeps nothing emitting. */
Test(ladder, coming_back_is_not_being_durable)
{
	struct hf_ladder l;

	hf_ladder_init(&l, 0);
	hf_ladder_linked(&l, true, 1);
	hf_ladder_word(&l, true, "", 1);
	cr_assert_eq(hf_ladder_linked(&l, false, 100), HF_LADDER_LOST);
	cr_assert_eq(hf_ladder_linked(&l, true, 120), HF_LADDER_STAY);
	cr_assert_str_eq(hf_ladder_why(&l), "the audit process has not opened its log yet");
	cr_assert_eq(hf_ladder_linked(&l, false, 130), HF_LADDER_STAY);
	cr_assert_eq(hf_ladder_linked(&l, true, 145), HF_LADDER_STAY);
	cr_assert_eq(hf_ladder_due_ns(&l, 50), 150);
	cr_assert_eq(hf_ladder_tick(&l, 50, 150), HF_LADDER_DISARM);
}

Test(ladder, a_fresh_process_is_not_blamed_for_the_one_before)
{
	struct hf_ladder l;

	hf_ladder_init(&l, 0);
	hf_ladder_linked(&l, true, 1);
	hf_ladder_word(&l, true, "", 1);
	cr_assert_eq(hf_ladder_record(&l, false, 1, 2), HF_LADDER_LOST);
	cr_assert_eq(hf_ladder_linked(&l, false, 3), HF_LADDER_STAY);
	cr_assert_eq(hf_ladder_linked(&l, true, 4), HF_LADDER_STAY);
	cr_assert_eq(hf_ladder_word(&l, true, "", 5), HF_LADDER_BACK);
}

Test(ladder, an_old_failure_says_nothing_about_now)
{
	struct hf_ladder l;

	hf_ladder_init(&l, 0);
	hf_ladder_linked(&l, true, 1);
	hf_ladder_word(&l, true, "", 1);
	cr_assert_eq(hf_ladder_record(&l, false, 10, 2010), HF_LADDER_LOST);
	cr_assert_eq(hf_ladder_record(&l, true, 2020, 2021), HF_LADDER_BACK);
	cr_assert_eq(hf_ladder_record(&l, false, 500, 2500), HF_LADDER_STAY);
	cr_assert(hf_ladder_durable(&l));
	cr_assert_eq(hf_ladder_record(&l, false, 2020, 4020), HF_LADDER_LOST);
}

Test(ladder, no_grace_at_all)
{
	struct hf_ladder l;

	hf_ladder_init(&l, 0);
	hf_ladder_linked(&l, true, 1);
	hf_ladder_word(&l, true, "", 1);
	cr_assert_eq(hf_ladder_linked(&l, false, 2), HF_LADDER_LOST);
	cr_assert_eq(hf_ladder_tick(&l, 0, 2), HF_LADDER_DISARM);
}

/* ----------------------------------------------------------- two persons */

static struct hf_actor person(const char *name, uint32_t uid, const char *session)
{
	struct hf_actor a = { .role = HF_ROLE_OPERATOR, .uid = uid };

	strcpy(a.name, name);
	strcpy(a.session, session);
	return a;
}

Test(second, two_different_people)
{
	struct hf_actor anna = person("anna", (uint32_t)-1, "s1"),
			again = person("anna", 1000, "s2"), ben = person("ben", (uint32_t)-1, "s3"),
			uid = person("uid:1000", 1000, "");
	struct hf_second s = { 0 };

	cr_assert_eq(hf_second_ask(&s, &anna, 1, 0), HF_SECOND_WAITS);
	cr_assert_eq(hf_second_ask(&s, &anna, 1, 1), HF_SECOND_SAME);
	cr_assert_eq(hf_second_ask(&s, &again, 1, 2), HF_SECOND_SAME,
		     "another session is nobody else");
	cr_assert_eq(hf_second_ask(&s, &ben, 1, HF_SECOND_NS - 1), HF_SECOND_DO);
	hf_second_forget(&s);
	/* One host account under two names. */
	cr_assert_eq(hf_second_ask(&s, &again, 1, 0), HF_SECOND_WAITS);
	cr_assert_eq(hf_second_ask(&s, &uid, 1, 1), HF_SECOND_SAME);
	/* Nobody's uid is known: names decide. */
	hf_second_forget(&s);
	cr_assert_eq(hf_second_ask(&s, &anna, 1, 0), HF_SECOND_WAITS);
	cr_assert_eq(hf_second_ask(&s, &ben, 1, 1), HF_SECOND_DO);
}

Test(second, too_late_and_another_trip)
{
	struct hf_actor anna = person("anna", 1, ""), ben = person("ben", 2, "");
	struct hf_second s = { 0 };

	cr_assert_eq(hf_second_ask(&s, &anna, 1, 0), HF_SECOND_WAITS);
	cr_assert_eq(hf_second_ask(&s, &ben, 1, HF_SECOND_NS), HF_SECOND_WAITS,
		     "now he is the first");
	cr_assert_eq(hf_second_ask(&s, &anna, 1, HF_SECOND_NS + 1), HF_SECOND_DO);
	cr_assert_eq(hf_second_ask(&s, &anna, 2, HF_SECOND_NS + 2), HF_SECOND_WAITS,
		     "another trip");
	cr_assert(!hf_second_expired(&s, 2 * HF_SECOND_NS + 1));
	cr_assert(hf_second_expired(&s, 2 * HF_SECOND_NS + 2));
	cr_assert(!hf_second_expired(&s, 3 * HF_SECOND_NS));
}
