// SPDX-License-Identifier: GPL-2.0
/*
 * What the log's readers can prove: proofs (checked by RFC 9162's rule with the verifier's own
 * functions), and the check of old segments, over logs that a forger has changed. On a disk in memory.
 */
#include "audit_query_kit.h"

TestSuite(audit_proof, .init = query_setup, .fini = query_teardown, .timeout = 120);

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

Test(audit_proof, show_one)
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
Test(audit_proof, proofs_of_inclusion)
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

Test(audit_proof, checkpoints_without_a_proof)
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
Test(audit_proof, no_proof_for_a_chain_that_has_ended)
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

Test(audit_proof, no_proof_over_a_damaged_log)
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

Test(audit_proof, old_segments_are_checked)
{
	struct hf_corr none = { { 0 } };
	json_t *admin = hf_actor_json(&hf_actor_self);

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct kit_fate f;
		size_t segments;

		if (i) {
			query_teardown();
			query_setup();
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

Test(audit_proof, who_reads_damage_says_so)
{
	many(200);
	segment(2)->data[3000] ^= 1;
	READ("{s:s}", "action", "none.such");
	cr_assert_eq(k.durable_told, 0);
	cr_assert_eq(kit_count(&k, "\"action\":\"audit.break\""), 1);
}

/* What an Admin has acknowledged does not come back with the next start. */
Test(audit_proof, known_damage_stays_known)
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
