// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the log while it is written: filters, pages, limits, proofs (checked
 * by RFC 9162's rule with the verifier's own functions), the check of old
 * segments, and the security report over records as the agent's processes write
 * them. On a disk in memory.
 */
#include "audit_kit.h"
#include "query.h"
#include "service.h"

static struct kit k;
static struct aud_jobs *jobs;

/* The last answer. */
static int status;
static json_t *result;
static int answers;

static void setup(void)
{
	kit_new(&k);
	k.s.config.segment_bytes = 20000;
	cr_assert_eq(kit_start(&k), 0);
	cr_assert_eq(aud_jobs_new(&jobs, k.w, &k.m->io, &k.clock.clock), 0);
}

static void teardown(void)
{
	aud_jobs_free(jobs);
	json_decref(result);
	result = NULL;
	kit_free(&k);
}

TestSuite(audit_query, .init = setup, .fini = teardown, .timeout = 120);

/* ------------------------------------------------------------------- tools */

static void take_answer(void *arg, int s, json_t *r)
{
	(void)arg;
	json_decref(result);
	result = r;
	status = s;
	answers++;
}

static void run(void)
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

static size_t found(void)
{
	return json_array_size(json_object_get(result, "records"));
}

static json_int_t found_seq(size_t i)
{
	return json_integer_value(json_object_get(json_array_get(
		json_object_get(result, "records"), i), "seq"));
}

static bool more(void)
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
static uint64_t record(struct what what)
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

static void many(int n)
{
	for (int i = 0; i < n; i++)
		record((struct what){ .action = "test.event", .detail = json_pack("{s:i}", "n", i) });
}

static struct mem_file *segment(uint64_t index)
{
	char name[AUD_NAME];
	struct mem_file *f;

	aud_name(name, index, ".log");
	f = mem_named(k.m, name);
	cr_assert(f, "%s", name);
	return f;
}

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

/* ----------------------------------------------------------------- forging */

/* The record at @at of @f: changed, or only chained anew. @hash: NULL: it stays. Return: its end. */
static size_t forge_at(struct mem_file *f, size_t at, bool change, uint64_t seq, uint8_t *hash)
{
	size_t len = aud_get32(f->data + at) & ~AUD_COMMIT_START;
	int start = (aud_get32(f->data + at) & AUD_COMMIT_START) != 0;
	uint8_t *text = malloc(len), kept[AUD_HASH];

	memcpy(text, f->data + at + 8, len);
	memcpy(kept, f->data + at + 8 + len, AUD_HASH);
	if (change)
		memcpy(memmem(text, len, "test.event", 10), "test.vents", 10);
	if (hash)
		aud_chain_hash(hash, hash, seq, text, len);
	aud_record_put(f->data + at, text, len, hash ? hash : kept, start);
	free(text);
	return at + len + AUD_FRAME;
}

/* A forger who knows checksums: the second record of the file. */
static void forge_record(struct mem_file *f)
{
	size_t len = aud_get32(f->data + AUD_HEADER) & ~AUD_COMMIT_START;

	forge_at(f, AUD_HEADER + len + AUD_FRAME, true, 0, NULL);
}

/* One who knows the chain, too: all hashes to the end of the segment are made anew. */
static void forge_chain(struct mem_file *f)
{
	struct aud_header h;
	size_t at = AUD_HEADER;
	uint8_t hash[AUD_HASH];

	cr_assert_eq(aud_header_get(f->data, &h), 0);
	memcpy(hash, h.prev, AUD_HASH);
	for (uint64_t seq = h.seq0; at < f->size && aud_get32(f->data + at); seq++)
		at = forge_at(f, at, seq == h.seq0 + 1, seq, hash);
}

/* ---------------------------------------------------------- show and proofs */

static void show(uint64_t seq)
{
	aud_job_show(jobs, seq, take_answer, NULL);
	run();
}

Test(audit_query, show_one)
{
	const char *hash;

	many(150);
	show(77);
	cr_assert_eq(status, 200);
	cr_assert_eq(json_integer_value(json_object_get(json_object_get(result, "record"), "seq")), 77);
	hash = json_string_value(json_object_get(json_object_get(result, "record"), "hash"));
	cr_assert_eq(strlen(hash), 64);
	show(aud_durable_seq(k.w) + 1);
	cr_assert_eq(status, 404);
	show(0);
	cr_assert_eq(status, 404);
	show(INT64_MAX);
	cr_assert_eq(status, 404);
}

/* RFC 9162, 2.1.3.2. @hash becomes the root. Return: the path fits to the sizes. */
static bool climb(uint8_t hash[VFY_HASH], uint64_t index, uint64_t size, const json_t *path)
{
	uint64_t fn = index, sn = size - 1;
	const json_t *step;
	size_t i;

	json_array_foreach((json_t *)path, i, step) {
		uint8_t other[VFY_HASH];
		bool left = fn & 1 || fn == sn;

		if (!sn || !vfy_unhex(json_string_value(step), 64, other, sizeof(other)))
			return false;
		vfy_sha256(hash, "\x01", 1, left ? other : hash, 32, left ? hash : other, 32);
		if (left && !(fn & 1))
			while (!(fn & 1) && fn)
				fn >>= 1, sn >>= 1;
		fn >>= 1;
		sn >>= 1;
	}
	return !sn;
}

/* What is in the log as record @seq, as the leaf of the tree. */
static void leaf_of(uint64_t seq, uint8_t leaf[VFY_HASH])
{
	char *payload;
	json_t *r;

	show(seq);
	cr_assert_eq(status, 200);
	r = json_copy(json_object_get(result, "record"));
	json_object_del(r, "hash");
	payload = json_dumps(r, JSON_COMPACT | JSON_SORT_KEYS);
	vfy_sha256(leaf, "\0", 1, payload, strlen(payload), NULL, 0);
	free(payload);
	json_decref(r);
}

static void prove(uint64_t seq, struct vfy_note *note)
{
	struct vfy_key key;
	const char *text;
	uint8_t hash[VFY_HASH];
	char line[256];
	size_t used;

	leaf_of(seq, hash);
	aud_job_checkpoint(jobs, seq, take_answer, NULL);
	run();
	cr_assert_eq(status, 200, "record %llu", (unsigned long long)seq);
	snprintf(line, sizeof(line), "%s\n", aud_key_text(k.s.key));
	cr_assert_eq(vfy_keys_parse(line, strlen(line), &key, 1), 1);
	text = json_string_value(json_object_get(json_object_get(result, "checkpoint"), "note"));
	cr_assert_eq(vfy_note_read(&key, 1, text, strlen(text), note, &used), VFY_NOTE_OK);
	cr_assert_eq(json_integer_value(json_object_get(result, "index")), (json_int_t)seq - 1);
	cr_assert(climb(hash, seq - 1, note->size, json_object_get(result, "proof")),
		  "the path of %llu has another length", (unsigned long long)seq);
	cr_assert_arr_eq(hash, note->root, VFY_HASH, "record %llu of %llu",
			 (unsigned long long)seq, (unsigned long long)note->size);
}

/* Every record, in trees of many sizes, over several segments. */
Test(audit_query, proofs_of_inclusion)
{
	struct vfy_note note = { .size = 0 };
	unsigned int proved = 0;

	k.s.config.checkpoint_records = 1;
	aud_writer_configure(k.w, &k.s.config);
	for (int n = 1; n < 40; n++) {
		many(1);
		for (uint64_t seq = 1; seq <= aud_durable_seq(k.w); seq++, proved++) {
			prove(seq, &note);
			cr_assert_eq(note.size, aud_durable_seq(k.w));
		}
	}
	many(300);
	for (uint64_t seq = 1; seq <= aud_durable_seq(k.w); seq += 7, proved++)
		prove(seq, &note);
	prove(aud_durable_seq(k.w), &note);
	cr_assert_gt(proved, 850);
}

Test(audit_query, checkpoints_without_a_proof)
{
	json_t *cp;

	k.s.config.checkpoint_records = 10000;
	aud_writer_configure(k.w, &k.s.config);
	aud_tick(k.w);
	many(1);
	hf_test_clock_advance(&k.clock, 2 * HF_S);
	aud_tick(k.w);
	many(10);
	aud_job_checkpoint(jobs, 0, take_answer, NULL);
	run();
	cr_assert_eq(status, 200);
	cp = json_object_get(result, "checkpoint");
	cr_assert_eq(json_integer_value(json_object_get(cp, "size")), 2);
	aud_job_checkpoint(jobs, 2, take_answer, NULL);
	run();
	cr_assert_eq(status, 200);
	aud_job_checkpoint(jobs, 3, take_answer, NULL);
	run();
	cr_assert_eq(status, 503, "not signed yet");
	cr_assert_str_eq(json_string_value(json_object_get(result, "code")), "no_checkpoint");
	aud_job_checkpoint(jobs, 11, take_answer, NULL);
	run();
	cr_assert_eq(status, 503);
	aud_job_checkpoint(jobs, 13, take_answer, NULL);
	run();
	cr_assert_eq(status, 404, "no such record");
	aud_job_checkpoint(jobs, 1000, take_answer, NULL);
	run();
	cr_assert_eq(status, 404);
}

/* The newest checkpoint is of the chain that began behind the break. */
Test(audit_query, no_proof_for_a_chain_that_has_ended)
{
	size_t segments;

	many(200);
	aud_segments(k.w, &segments);
	aud_jobs_free(jobs);
	kit_kill(&k);
	segment(segments)->data[3000] ^= 1;
	cr_assert_eq(kit_start(&k), 0);
	cr_assert_eq(aud_jobs_new(&jobs, k.w, &k.m->io, &k.clock.clock), 0);
	hf_test_clock_advance(&k.clock, 2 * HF_S);
	aud_tick(k.w);
	aud_job_checkpoint(jobs, 5, take_answer, NULL);
	run();
	cr_assert_eq(status, 404);
	cr_assert_str_eq(json_string_value(json_object_get(result, "code")), "ended_chain");
	aud_job_checkpoint(jobs, aud_durable_seq(k.w), take_answer, NULL);
	run();
	cr_assert_eq(status, 200);
}

Test(audit_query, no_proof_over_a_damaged_log)
{
	many(200);
	hf_test_clock_advance(&k.clock, 2 * HF_S);
	aud_tick(k.w);
	forge_record(segment(2));
	aud_job_checkpoint(jobs, 5, take_answer, NULL);
	run();
	cr_assert_eq(status, 500, "its checksum is right, but the root is not the signed one");
	segment(2)->data[3000] ^= 1;
	aud_job_checkpoint(jobs, 5, take_answer, NULL);
	run();
	cr_assert_eq(status, 500);
	cr_assert_eq(k.durable_told, 0, "and it is said");
}

/* ------------------------------------------------------ check of old segments */

static void scrub(void)
{
	cr_assert(aud_jobs_scrub(jobs));
	cr_assert_not(aud_jobs_scrub(jobs), "one at a time");
	run();
}

static void change_nothing(void)
{
}

static void flip_payload(void)
{
	segment(2)->data[3000] ^= 1;
}

static void forge_in_second(void)
{
	forge_record(segment(2));
}

static void forge_second(void)
{
	forge_chain(segment(2));
}

static void forge_in_last(void)
{
	size_t n;
	const struct aud_segment *s = aud_segments(k.w, &n);

	forge_record(segment(s[n - 1].index));
}

static void change_header(void)
{
	segment(2)->data[100] ^= 1;
}

/* Whole and right in itself, but not what follows segment 1. */
static void put_other_segment(void)
{
	struct mem_file *a = segment(2), *b = segment(4);

	mem_resize(a, b->size);
	memcpy(a->data, b->data, b->size);
}

static void cut_short(void)
{
	mem_resize(segment(2), segment(2)->size - 500);
}

static void remove_segment(void)
{
	segment(2)->name[0] = '\0';
}

/* @segment: in which it is found; -1: the last one; 0: nothing to find */
static const struct {
	const char *name;
	void (*change)(void);
	int segment, headers;
} changes[] = {
	{ "nothing", change_nothing, 0, 0 },
	{ "a byte of a record", flip_payload, 2, 0 },
	{ "a record with its checksum", forge_in_second, 2, 0 },
	{ "the same in the last segment", forge_in_last, -1, 0 },
	{ "a record and the chain behind it", forge_second, 3, 0 },
	{ "the header", change_header, 2, 1 },
	{ "another segment in its place", put_other_segment, 2, 0 },
	{ "the end cut off", cut_short, 2, 0 },
	{ "removed", remove_segment, 2, 1 },
};

Test(audit_query, old_segments_are_checked)
{
	struct hf_corr none = { { 0 } };
	json_t *admin = hf_actor_json(&hf_actor_self);

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct kit_fate f;
		size_t segments;

		if (i) {
			teardown();
			setup();
		}
		many(200);
		aud_segments(k.w, &segments);
		cr_assert_gt(segments, 4);
		changes[i].change();
		scrub();
		cr_assert_eq(aud_jobs_scrubbed(jobs), segments - changes[i].headers, "%s",
			     changes[i].name);
		cr_assert_eq(k.durable_told, !changes[i].segment, "%s", changes[i].name);
		cr_assert_eq(kit_count(&k, "\"action\":\"audit.break\""), changes[i].segment != 0, "%s",
			     changes[i].name);
		if (!changes[i].segment)
			continue;
		READ("{s:s}", "action", "audit.break");
		cr_assert_eq(json_integer_value(json_object_get(json_object_get(json_array_get(
			json_object_get(result, "records"), 0), "detail"), "segment")),
			changes[i].segment < 0 ? (json_int_t)segments : changes[i].segment, "%s",
			changes[i].name);
		cr_assert_eq(kit_append(&k, "array.arm", AUD_INTENT, 0, NULL, 3, NULL), -EROFS);
		cr_assert_eq(kit_append(&k, "array.silence", AUD_INTENT, 0, NULL, 3, &f), 0);
		cr_assert_eq(aud_acknowledge(k.w, admin, &none, "seen", kit_done, &f), 0);
		aud_run(k.w);
		cr_assert_eq(k.durable_told, 1, "%s", changes[i].name);
		/* it is known now */
		scrub();
		cr_assert_eq(k.durable_told, 1, "%s", changes[i].name);
		cr_assert_eq(kit_count(&k, "\"action\":\"audit.break\""), 1, "%s", changes[i].name);
	}
	json_decref(admin);
}

Test(audit_query, who_reads_damage_says_so)
{
	many(200);
	segment(2)->data[3000] ^= 1;
	READ("{s:s}", "action", "none.such");
	cr_assert_eq(k.durable_told, 0);
	cr_assert_eq(kit_count(&k, "\"action\":\"audit.break\""), 1);
}

/* What an Admin has acknowledged does not come back with the next start. */
Test(audit_query, known_damage_stays_known)
{
	struct hf_corr none = { { 0 } };
	json_t *admin = hf_actor_json(&hf_actor_self);
	struct kit_fate f;

	many(200);
	flip_payload();
	scrub();
	cr_assert_eq(aud_acknowledge(k.w, admin, &none, "seen", kit_done, &f), 0);
	aud_run(k.w);
	for (int start = 0; start < 2; start++) {	/* the second reads it from the first record */
		aud_jobs_free(jobs);
		kit_kill(&k);
		cr_assert_eq(kit_start(&k), 0);
		cr_assert_eq(aud_jobs_new(&jobs, k.w, &k.m->io, &k.clock.clock), 0);
		scrub();
		cr_assert_eq(k.durable_told, 1, "start %d", start);
		cr_assert_eq(kit_count(&k, "\"action\":\"audit.break\""), 1, "start %d", start);
	}
	json_decref(admin);
}

/* ------------------------------------------------------------------ report */

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

Test(audit_query, report_of_a_day)
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
Test(audit_query, report_begins_when_asked_to)
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

Test(audit_query, report_is_bounded)
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

/* ---------------------------------------------------------------- backups */

/* The checkpoint key is meant to (docs/decisions/0008); what says how long the log is comes first. */
Test(audit_backup, what_leaves_the_folder_and_in_which_order)
{
	hf_handover_fn of = hf_audit_ops.backup;

	cr_expect_eq(of("audit-00000001.log"), 2U);
	cr_expect_eq(of("audit-00000001.cp"), 1U);
	cr_expect_eq(of("checkpoint.pub"), 1U);
	cr_expect_eq(of("checkpoint.key"), 1U);
	cr_expect_eq(of("reserve"), 0U);
	cr_expect_eq(of(".checkpoint.pub.tmp"), 0U);
}
