/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of reading the log share: the writer of audit_kit.h, jobs that read what it
 * has written, and the answer of the last one.
 */
#ifndef HF_TESTS_AUDIT_QUERY_KIT_H
#define HF_TESTS_AUDIT_QUERY_KIT_H

#include "audit_kit.h"
#include "query.h"

static struct kit k;
static struct aud_jobs *jobs;

/* The last answer. */
static int status;
static json_t *result;
static int answers;

static void query_setup(void)
{
	kit_new(&k);
	k.s.config.segment_bytes = 20000;
	cr_assert_eq(kit_start(&k), 0);
	cr_assert_eq(aud_jobs_new(&jobs, k.w, &k.m->io, &k.clock.clock), 0);
}

static void query_teardown(void)
{
	aud_jobs_free(jobs);
	json_decref(result);
	result = NULL;
	kit_free(&k);
}

static inline void take_answer(void *arg, int s, json_t *r)
{
	(void)arg;
	json_decref(result);
	result = r;
	status = s;
	answers++;
}

static inline void run(void)
{
	while (aud_jobs_run(jobs, 1))
		hf_test_clock_advance(&k.clock, 1);
	aud_run(k.w);
}

/* json_pack() arguments; the answer is in status and result. */
#define READ(...)							\
do {									\
	json_t *read_args = json_pack(__VA_ARGS__);			\
	int read_answers = answers;					\
	aud_job_read(jobs, read_args, take_answer, NULL);		\
	json_decref(read_args);						\
	run();								\
	cr_assert_eq(answers, read_answers + 1);			\
	cr_assert_eq(status, 200);					\
} while (0)

static inline size_t found(void)
{
	return json_array_size(json_object_get(result, "records"));
}

static inline json_int_t found_seq(size_t i)
{
	return json_integer_value(json_object_get(json_array_get(
		json_object_get(result, "records"), i), "seq"));
}

static inline bool more(void)
{
	return json_is_true(json_object_get(result, "more"));
}

struct what {
	const char *action, *object, *phase, *result, *actor, *source;
	json_t *detail;		/* stolen */
	uint8_t corr;
	uint64_t intent;
};

/* Written at once. Return: its number. */
static inline uint64_t record(struct what what)
{
	struct hf_actor who = hf_actor_self;
	struct aud_say say = {
		.action = what.action, .object = what.object ? what.object : "",
		.phase = what.phase ? (enum aud_phase)aud_phase_parse(what.phase) : AUD_EVENT,
		.result = what.result ? what.result : "ok", .intent = what.intent,
		.detail = what.detail, .corr = { { what.corr } },
	};
	struct kit_fate f = { 0 };

	if (what.actor)
		snprintf(who.name, sizeof(who.name), "%s", what.actor);
	if (what.source)
		snprintf(who.source, sizeof(who.source), "%s", what.source);
	say.actor = hf_actor_json(&who);
	cr_assert_eq(aud_append(k.w, &say, HF_PROC_AUTH, kit_done, &f), 0);
	json_decref(say.actor);
	json_decref(what.detail);
	aud_run(k.w);
	cr_assert_eq(f.calls, 1);
	cr_assert_eq(f.err, 0);
	return f.seq;
}

static inline void many(int n)
{
	for (int i = 0; i < n; i++)
		record((struct what){ .action = "test.event", .detail = json_pack("{s:i}", "n", i) });
}

static inline struct mem_file *segment(uint64_t index)
{
	char name[AUD_NAME];
	struct mem_file *f;

	aud_name(name, index, ".log");
	f = mem_named(k.m, name);
	cr_assert(f, "%s", name);
	return f;
}

#endif /* HF_TESTS_AUDIT_QUERY_KIT_H */
