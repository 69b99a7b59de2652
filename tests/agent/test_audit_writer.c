// SPDX-License-Identifier: GPL-2.0
/*
 * The writer of the audit log against a disk that does what disks do: short
 * writes, no space, failing syncs, lost power. The verifier judges what is left.
 */
#include "audit_kit.h"

static struct kit k;

static void setup(void)
{
	kit_new(&k);
}

static void teardown(void)
{
	kit_free(&k);
}

TestSuite(audit_writer, .init = setup, .fini = teardown, .timeout = 120);

#define VERIFIED()								\
do {										\
	char verified_text[VFY_TEXT];						\
	enum vfy_code verified_code = kit_verify(&k, verified_text, NULL);	\
	cr_assert_eq(verified_code, VFY_OK, "%d: %s", verified_code, verified_text);	\
} while (0)

/* ---------------------------------------------------------------- commits */

Test(audit_writer, acknowledged_only_when_durable)
{
	struct kit_fate a, b;

	cr_assert_eq(kit_start(&k), 0);
	k.m->async = true;
	cr_assert_eq(kit_event(&k, &a), 0);
	cr_assert_eq(a.calls, 0);
	aud_run(k.w);
	cr_assert_eq(a.calls, 0, "written, but not known to be synced");
	cr_assert_eq(k.recorded, 0, "nobody is sent to look for it yet");
	cr_assert_eq(aud_durable_seq(k.w), 1);
	cr_assert_eq(kit_event(&k, &b), 0);
	aud_poll(k.w);
	cr_assert_eq(a.calls, 1);
	cr_assert_eq(a.err, 0);
	cr_assert_eq(a.seq, 2);
	cr_assert_eq(aud_durable_seq(k.w), 2);
	cr_assert_eq(b.calls, 0);
	aud_poll(k.w);
	cr_assert_eq(b.seq, 3);
	cr_assert(aud_idle(k.w));
	VERIFIED();
}

Test(audit_writer, what_waits_goes_in_one_commit)
{
	struct kit_fate f[200];
	unsigned int syncs;

	cr_assert_eq(kit_start(&k), 0);
	k.m->async = true;
	kit_event(&k, &f[0]);
	aud_run(k.w);
	syncs = k.m->syncs;
	for (int i = 1; i < 100; i++)
		cr_assert_eq(kit_event(&k, &f[i]), 0);
	aud_poll(k.w);
	aud_poll(k.w);
	cr_assert_eq(k.m->syncs, syncs + 1);
	cr_assert_eq(k.commits_told, 2, "what came first, and the rest");
	cr_assert_eq(k.recorded, 101, "each of them is pointed to");
	for (int i = 0; i < 100; i++) {
		cr_assert_eq(f[i].calls, 1);
		cr_assert_eq(f[i].seq, (uint64_t)i + 2);
	}
	VERIFIED();
}

Test(audit_writer, short_writes_are_continued)
{
	struct kit_fate f[20];

	cr_assert_eq(kit_start(&k), 0);
	k.m->short_most = 7;
	for (int i = 0; i < 20; i++)
		kit_event(&k, &f[i]);
	aud_run(k.w);
	for (int i = 0; i < 20; i++)
		cr_assert_eq(f[i].seq, (uint64_t)i + 2);
	VERIFIED();
}

/* ---------------------------------------------------------------- failures */

static void failed_commit(bool cut)
{
	struct kit_fate f[10];
	struct vfy v;

	cr_assert_eq(kit_start(&k), 0);
	kit_event(&k, &f[0]);
	aud_run(k.w);
	k.m->sync_fails = 1;
	k.m->sync_err = -EIO;
	k.m->truncate_err = cut ? 0 : -EIO;
	for (int i = 1; i < 10; i++)
		kit_event(&k, &f[i]);
	aud_run(k.w);
	for (int i = 0; i < 10; i++) {
		cr_assert_eq(f[i].calls, 1);
		cr_assert_eq(f[i].err, 0);
	}
	/* number 3 is the new segment's own record */
	cr_assert_eq(f[1].seq, 4);
	cr_assert(k.m->f[mem_find(k.m, "audit-00000001.log")].poisoned);
	cr_assert_eq(kit_verify(&k, NULL, &v), VFY_OK);
	cr_assert_eq(v.seq, 12);
	cr_assert_eq(v.superseded, cut ? 0 : 1);
	cr_assert_eq(kit_count(&k, "\"reason\":\"failover\""), 1);
	/* and what stands there survives a crash */
	kit_kill(&k);
	k.m->truncate_err = 0;
	cr_assert_eq(kit_start(&k), 0);
	VERIFIED();
}

Test(audit_writer, failed_sync_is_final_for_its_file)
{
	failed_commit(true);
}

Test(audit_writer, failed_sync_leaves_a_tail_that_does_not_count)
{
	failed_commit(false);
}

Test(audit_writer, no_new_file_means_not_durable)
{
	struct kit_fate intent, event, later;

	cr_assert_eq(kit_start(&k), 0);
	kit_append(&k, "array.arm", AUD_INTENT, 0, NULL, 3, &intent);
	kit_event(&k, &event);
	k.m->sync_fails = 1;
	k.m->sync_err = -EIO;
	k.m->create_err = -EROFS;
	aud_run(k.w);
	cr_assert_eq(intent.err, -EIO);
	cr_assert_eq(event.err, -EIO);
	cr_assert_eq(k.durable_told, 0);
	cr_assert_eq(kit_append(&k, "array.arm", AUD_INTENT, 0, NULL, 3, &intent), -EROFS);
	cr_assert_eq(kit_event(&k, &later), -EIO);
	cr_assert_eq(later.calls, 0);
	aud_tick(k.w);
	cr_assert_eq(k.durable_told, 0);
	k.m->create_err = 0;
	hf_test_clock_advance(&k.clock, 2 * HF_S);
	aud_tick(k.w);
	cr_assert_eq(k.durable_told, 1);
	cr_assert(aud_idle(k.w));
	cr_assert_eq(kit_count(&k, "\"test.event\""), 2, "what is no intent is written later");
	cr_assert_eq(kit_count(&k, "\"array.arm\""), 0, "an intent that was refused is not");
	VERIFIED();
}

Test(audit_writer, disk_that_always_fails_is_given_up)
{
	struct kit_fate f;

	cr_assert_eq(kit_start(&k), 0);
	kit_event(&k, &f);
	/* commits fail, but new segments can be begun: no endless loop of segments */
	for (int i = 0; i < 40 && !f.calls; i++) {
		k.m->async = true;
		aud_run(k.w);
		k.m->done = (struct aud_done){ .err = -EIO };
		aud_poll(k.w);
	}
	cr_assert_eq(f.calls, 1);
	cr_assert_eq(f.err, -EIO);
	cr_assert_eq(k.durable_told, 0);
	cr_assert_leq(k.m->files, 12);
}

Test(audit_writer, queue_is_bounded_and_loss_is_recorded)
{
	int ret = 0, n;

	cr_assert_eq(kit_start(&k), 0);
	k.m->async = true;
	for (n = 0; n < 20000 && !ret; n++)
		ret = kit_event(&k, NULL);
	cr_assert_eq(ret, -ENOBUFS);
	k.m->async = false;
	while (!aud_idle(k.w)) {
		aud_poll(k.w);
		aud_run(k.w);
	}
	aud_run(k.w);
	cr_assert_eq(kit_count(&k, "\"records\":1}"), 1);
	cr_assert_eq(kit_count(&k, "\"audit.lost\""), 1);
	VERIFIED();
}

/* ------------------------------------------------------------ rotation etc. */

static void fill(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		kit_event(&k, NULL);
		aud_run(k.w);
	}
}

Test(audit_writer, rotation_by_size)
{
	size_t n;

	cr_assert_eq(kit_start(&k), 0);
	fill(600);
	aud_segments(k.w, &n);
	cr_assert_geq(n, 3);
	for (int i = 0; i < k.m->files; i++)
		cr_assert_leq(k.m->f[i].size, 262144);
	VERIFIED();
}

Test(audit_writer, rotation_by_age)
{
	size_t n;

	cr_assert_eq(kit_start(&k), 0);
	fill(1);
	hf_test_clock_advance(&k.clock, 3601 * HF_S);
	aud_tick(k.w);
	aud_segments(k.w, &n);
	cr_assert_eq(n, 2);
	hf_test_clock_advance(&k.clock, 3601 * HF_S);
	aud_tick(k.w);
	aud_segments(k.w, &n);
	cr_assert_eq(n, 2, "a segment without records is not rotated");
	VERIFIED();
}

Test(audit_writer, record_larger_than_a_segment)
{
	char *big = malloc(50001);
	struct kit_fate f;

	memset(big, 'x', 50000);
	big[50000] = '\0';
	k.s.config.segment_bytes = 8192;
	cr_assert_eq(kit_start(&k), 0);
	kit_append(&k, "test.big", AUD_EVENT, 0, json_pack("{s:s}", "text", big), 3, &f);
	kit_append(&k, "test.big", AUD_EVENT, 0, json_pack("{s:s}", "text", big), 3, &f);
	aud_run(k.w);
	cr_assert_eq(f.err, 0);
	free(big);
	VERIFIED();
}

Test(audit_writer, old_segments_go_on_record_and_the_rest_verifies)
{
	struct vfy v;
	char text[VFY_TEXT];
	size_t before, after;

	k.s.config.keep_bytes = 100000;
	cr_assert_eq(kit_start(&k), 0);
	fill(600);
	aud_segments(k.w, &before);
	hf_test_clock_advance(&k.clock, 61 * HF_S);
	aud_tick(k.w);
	aud_segments(k.w, &after);
	cr_assert_eq(before, after, "not old enough");
	hf_test_clock_advance(&k.clock, 2 * 86400 * HF_S);
	fill(1);
	aud_tick(k.w);
	aud_segments(k.w, &after);
	cr_assert_lt(after, before);
	cr_assert_geq(after, 1);
	cr_assert_eq(kit_count(&k, "\"audit.pruned\""), 1);
	cr_assert_eq(kit_verify(&k, text, &v), VFY_OK, "%s", text);
	cr_assert(v.pruned_said);
	cr_assert_gt(v.first_seq, 100);
}

Test(audit_writer, deletion_without_record_is_a_gap)
{
	char text[VFY_TEXT];

	cr_assert_eq(kit_start(&k), 0);
	fill(600);
	mem_named(k.m, "audit-00000001.log")->name[0] = '\0';
	mem_named(k.m, "audit-00000001.cp")->name[0] = '\0';
	cr_assert_eq(kit_verify(&k, text, NULL), VFY_GAP);
	mem_named(k.m, "audit-00000003.log")->name[0] = '\0';
	cr_assert_eq(kit_verify(&k, text, NULL), VFY_GAP);
	cr_assert(strstr(text, "segment 3 is missing"), "%s", text);
}

/* --------------------------------------------------------------- the ladder */

static void free_becomes(int64_t bytes)
{
	k.m->free = bytes;
	hf_test_clock_advance(&k.clock, 2 * HF_S);
	aud_tick(k.w);
	aud_run(k.w);
}

Test(audit_writer, ladder_of_free_space)
{
	struct kit_fate f;

	cr_assert_eq(kit_start(&k), 0);
	free_becomes(1900000);
	cr_assert_eq(k.durable_changes, 0);
	cr_assert_eq(kit_count(&k, "\"level\":\"warn\""), 1);
	free_becomes(2100000);
	cr_assert_eq(kit_count(&k, "\"level\":\"ok\""), 0, "a tenth more is needed");
	free_becomes(900000);
	cr_assert_eq(k.durable_told, 0);
	cr_assert_eq(kit_count(&k, "\"level\":\"refuse\""), 1);
	cr_assert_eq(kit_append(&k, "array.arm", AUD_INTENT, 0, NULL, 3, &f), -EROFS);
	cr_assert_eq(kit_append(&k, "array.silence", AUD_INTENT, 0, NULL, 3, &f), 0);
	cr_assert_eq(kit_append(&k, "array.silence", AUD_OUTCOME, 9, NULL, 3, &f), 0);
	cr_assert_eq(kit_append(&k, "audit.read", AUD_EVENT, 0, NULL, 3, &f), 0);
	aud_run(k.w);
	cr_assert_eq(f.err, 0);
	free_becomes(1050000);
	cr_assert_eq(k.durable_told, 0);
	free_becomes(1 << 30);
	cr_assert_eq(k.durable_told, 1);
	cr_assert_eq(kit_append(&k, "array.arm", AUD_INTENT, 0, NULL, 3, &f), 0);
	VERIFIED();
}

Test(audit_writer, full_disk_takes_from_the_reserve_and_then_stops)
{
	struct kit_fate f = { 0 };
	int n;

	cr_assert_eq(kit_start(&k), 0);
	free_becomes(0);
	cr_assert_eq(k.durable_told, 0);
	cr_assert(mem_named(k.m, "reserve"));
	for (n = 0; n < 5000 && mem_named(k.m, "reserve"); n++)
		fill(1);
	cr_assert(!mem_named(k.m, "reserve"), "the reserve was not used");
	for (n = 0; n < 5000 && !f.err; n++) {
		if (!kit_event(&k, &f))
			aud_run(k.w);
		else
			f.err = -EIO;
	}
	cr_assert_eq(f.err, -EIO);
	cr_assert_gt(n, 100, "the reserve has room for records");
	free_becomes(1 << 30);
	aud_tick(k.w);
	free_becomes(1 << 30);
	cr_assert_eq(k.durable_told, 1);
	cr_assert(mem_named(k.m, "reserve"), "the reserve is there again");
	VERIFIED();
}

/* ---------------------------------------------------------------- restarts */

static bool keep_none(void *arg)
{
	(void)arg;
	return false;
}

Test(audit_writer, restart_continues_the_chain)
{
	struct vfy v;

	cr_assert_eq(kit_start(&k), 0);
	fill(10);
	aud_writer_close(k.w);
	kit_kill(&k);
	cr_assert_eq(kit_start(&k), 0);
	fill(10);
	cr_assert_eq(kit_verify(&k, NULL, &v), VFY_OK);
	cr_assert_eq(v.records, 22);
	cr_assert_eq(v.breaks, 0);
	cr_assert_eq(kit_count(&k, "audit.recovered"), 0);
}

Test(audit_writer, unfinished_intents_end_as_unknown)
{
	struct kit_fate a, b;

	cr_assert_eq(kit_start(&k), 0);
	kit_append(&k, "array.arm", AUD_INTENT, 0, NULL, 3, &a);
	kit_append(&k, "limits.set", AUD_INTENT, 0, NULL, 3, &b);
	aud_run(k.w);
	kit_append(&k, "array.arm", AUD_OUTCOME, a.seq, NULL, 3, NULL);
	aud_run(k.w);
	kit_kill(&k);
	k.s.config.segment_ns = HF_S;
	cr_assert_eq(kit_start(&k), 0);
	cr_assert_eq(kit_count(&k, "\"result\":\"unknown\""), 1);
	cr_assert_eq(kit_count(&k, "\"phase\":\"outcome\",\"result\":\"unknown\""), 1);
	kit_kill(&k);
	cr_assert_eq(kit_start(&k), 0);
	cr_assert_eq(kit_count(&k, "\"result\":\"unknown\""), 1, "once is enough");
	VERIFIED();
}

Test(audit_writer, open_intents_are_carried_over_segments)
{
	struct kit_fate a;

	cr_assert_eq(kit_start(&k), 0);
	kit_append(&k, "array.arm", AUD_INTENT, 0, NULL, 3, &a);
	fill(400);
	kit_kill(&k);
	cr_assert_eq(kit_start(&k), 0);
	cr_assert_eq(kit_count(&k, "\"result\":\"unknown\""), 1);
	VERIFIED();
}

Test(audit_writer, intents_of_a_process_end_with_it)
{
	struct kit_fate a, b, c;

	cr_assert_eq(kit_start(&k), 0);
	kit_append(&k, "array.arm", AUD_INTENT, 0, NULL, 3, &a);
	kit_append(&k, "users.set", AUD_INTENT, 0, NULL, 2, &b);
	aud_run(k.w);
	kit_append(&k, "array.reset", AUD_INTENT, 0, NULL, 3, &c);
	aud_owner_gone(k.w, 3);
	aud_run(k.w);
	aud_run(k.w);
	cr_assert_eq(kit_count(&k, "\"result\":\"unknown\""), 2);
	VERIFIED();
}

Test(audit_writer, power_cut_at_every_page_of_a_commit)
{
	/* the last commit is torn in every way of its 512-byte pages */
	for (unsigned int mask = 0; mask < 64; mask++) {
		struct kit_fate f[3];
		char text[VFY_TEXT];
		enum vfy_code code;
		struct mem_file *file;
		uint8_t *whole;
		size_t from, to;

		cr_assert_eq(kit_start(&k), 0);
		for (int i = 0; i < 3; i++)
			kit_event(&k, &f[i]);
		aud_run(k.w);
		k.m->async = true;
		for (int i = 0; i < 5; i++)
			kit_event(&k, NULL);
		aud_run(k.w);	/* written, not acknowledged */
		k.m->async = false;
		file = &k.m->f[k.m->files - 1];
		for (int i = 0; i < k.m->files; i++)
			if (aud_name_index(k.m->f[i].name, ".log"))
				file = &k.m->f[i];
		whole = file->data;
		from = 0;
		for (to = file->size; to && !whole[to - 1]; to--)
			;
		from = to > 6 * 512 ? (to / 512 - 5) * 512 : 0;
		for (unsigned int page = 0; page < 6; page++)
			for (size_t i = from + page * 512; i < from + (page + 1) * 512; i++)
				if (!(mask >> page & 1) && i < file->size && i > 256 + 4 * 700)
					whole[i] = 0;
		kit_kill(&k);
		cr_assert_eq(kit_start(&k), 0);
		aud_run(k.w);
		code = kit_verify(&k, text, NULL);
		cr_assert(code == VFY_OK || (code == VFY_TAMPER && k.durable_told == 0), "mask %u: %d %s",
			  mask, code, text);
		kit_free(&k);
		kit_new(&k);
	}
	cr_assert_eq(kit_start(&k), 0);
}

Test(audit_writer, torn_tail_is_cut_at_every_byte)
{
	size_t start, end;

	cr_assert_eq(kit_start(&k), 0);
	fill(3);
	start = mem_named(k.m, "audit-00000001.log")->size;
	kit_free(&k);
	start = end = 0;
	for (size_t cut = 0; !end || cut < end - start; cut++) {
		struct mem_file *f;
		struct kit_fate fate;
		char text[VFY_TEXT];

		kit_new(&k);
		cr_assert_eq(kit_start(&k), 0);
		kit_event(&k, &fate);
		aud_run(k.w);
		f = mem_named(k.m, "audit-00000001.log");
		for (start = f->size; !f->data[start - 1]; start--)
			;
		k.m->async = true;
		kit_event(&k, NULL);
		kit_event(&k, NULL);
		aud_run(k.w);
		k.m->async = false;
		for (end = f->size; !f->data[end - 1]; end--)
			;
		memset(f->data + start + cut, 0, f->size - start - cut);
		kit_kill(&k);
		cr_assert_eq(kit_start(&k), 0);
		cr_assert_eq(kit_verify(&k, text, NULL), VFY_OK, "cut %zu: %s", cut, text);
		cr_assert_eq(k.durable_told, 1);
		cr_assert_eq(fate.seq, 2);
		cr_assert_eq(kit_count(&k, "\"seq\":2,"), 1);
		cr_assert_eq(kit_count(&k, "\"audit.recovered\""),
			     cut && kit_count(&k, "\"test.event\"") < 3 && cut != (end - start) / 2,
			     "cut %zu of %zu", cut, end - start);
		if (cut + 1 < end - start)
			kit_free(&k);
	}
}

/* ------------------------------------------------------------------ breaks */

static void expect_break(const char *why)
{
	struct kit_fate f, g;
	struct hf_corr corr = { { 0 } };
	json_t *actor = hf_actor_json(&hf_actor_self);

	cr_assert_eq(kit_start(&k), 0);
	cr_assert_eq(k.durable_told, 0);
	cr_assert(strstr(k.why, "acknowledgement"), "%s", k.why);
	cr_assert_eq(kit_count(&k, "\"audit.break\""), 1, "%s", why);
	cr_assert_eq(kit_append(&k, "array.arm", AUD_INTENT, 0, NULL, 3, &f), -EROFS);
	cr_assert_eq(kit_event(&k, &f), 0);
	aud_run(k.w);
	cr_assert_eq(f.err, 0);
	/* a restart does not forget it */
	kit_kill(&k);
	k.durable_told = 1;
	cr_assert_eq(kit_start(&k), 0);
	cr_assert_eq(k.durable_told, 0);
	cr_assert_eq(kit_count(&k, "\"audit.break\""), 1);
	cr_assert_eq(aud_acknowledge(k.w, actor, &corr, "seen", kit_done, &g), 0);
	aud_run(k.w);
	cr_assert_eq(g.err, 0);
	cr_assert_eq(k.durable_told, 1);
	cr_assert_eq(aud_acknowledge(k.w, actor, &corr, "again", NULL, NULL), -ENOENT);
	kit_kill(&k);
	cr_assert_eq(kit_start(&k), 0);
	cr_assert_eq(k.durable_told, 1);
	cr_assert_eq(kit_append(&k, "array.arm", AUD_INTENT, 0, NULL, 3, &f), 0);
	json_decref(actor);
}

Test(audit_writer, damage_before_the_tail_begins_a_new_chain)
{
	struct mem_file *file;
	struct vfy v;
	uint8_t *copy;
	size_t size;

	cr_assert_eq(kit_start(&k), 0);
	fill(20);
	kit_kill(&k);
	file = mem_named(k.m, "audit-00000001.log");
	file->data[3000] ^= 1;
	size = file->size;
	copy = malloc(size);
	memcpy(copy, file->data, size);
	expect_break("damage");
	file = mem_named(k.m, "audit-00000001.log");
	cr_assert_eq(file->size, size);
	cr_assert_eq(memcmp(file->data, copy, size), 0, "the damaged bytes stay as they are");
	free(copy);
	cr_assert_eq(kit_verify(&k, NULL, &v), VFY_TAMPER);
	cr_assert_eq(v.breaks, 1);
	cr_assert_eq(v.bad_file, 1);
}

Test(audit_writer, damaged_header_begins_a_new_chain)
{
	cr_assert_eq(kit_start(&k), 0);
	fill(20);
	kit_kill(&k);
	mem_named(k.m, "audit-00000001.log")->data[40] ^= 1;
	expect_break("header");
}

Test(audit_writer, missing_segment_begins_a_new_chain)
{
	cr_assert_eq(kit_start(&k), 0);
	fill(600);
	kit_kill(&k);
	mem_named(k.m, "audit-00000002.log")->name[0] = '\0';
	expect_break("missing");
}

Test(audit_writer, log_shorter_than_its_checkpoint_begins_a_new_chain)
{
	struct mem_file *file;

	cr_assert_eq(kit_start(&k), 0);
	fill(2);
	file = mem_named(k.m, "audit-00000001.log");
	fill(20);
	aud_writer_close(k.w);
	kit_kill(&k);
	/* cut behind the third record, as whoever wants to hide something would */
	{
		struct aud_cursor c;
		struct aud_frame f;

		aud_cursor_init(&c, &k.m->io, mem_find(k.m, "audit-00000001.log"), AUD_HEADER, file->size);
		for (int i = 0; i < 3; i++)
			cr_assert_eq(aud_cursor_next(&c, &f), 0);
		file->size = c.at;
		aud_cursor_free(&c);
	}
	cr_assert_eq(kit_verify(&k, NULL, NULL), VFY_ROLLBACK);
	expect_break("rollback");
}

Test(audit_writer, last_segment_deleted_begins_a_new_chain)
{
	cr_assert_eq(kit_start(&k), 0);
	fill(600);
	aud_writer_close(k.w);
	kit_kill(&k);
	for (int i = k.m->files - 1; i >= 0; i--)
		if (aud_name_index(k.m->f[i].name, ".log")) {
			k.m->f[i].name[0] = '\0';
			break;
		}
	cr_assert_eq(kit_verify(&k, NULL, NULL), VFY_ROLLBACK);
	expect_break("deleted");
}

/* ------------------------------------------------------------- checkpoints */

Test(audit_writer, checkpoints_by_count_and_time)
{
	unsigned int n;

	cr_assert_eq(kit_start(&k), 0);
	n = k.notes;
	for (int i = 0; i < 300; i++)
		kit_event(&k, NULL);
	aud_run(k.w);
	cr_assert_geq(k.notes, n + 1);
	n = k.notes;
	hf_test_clock_advance(&k.clock, HF_S / 2);
	aud_tick(k.w);
	fill(1);
	cr_assert_eq(k.notes, n);
	hf_test_clock_advance(&k.clock, HF_S);
	aud_tick(k.w);
	cr_assert_eq(k.notes, n + 1);
	hf_test_clock_advance(&k.clock, 100 * HF_S);
	aud_tick(k.w);
	cr_assert_eq(k.notes, n + 1, "nothing new, no checkpoint");
	VERIFIED();
}

Test(audit_writer, torn_checkpoint_is_cut_at_the_next_start)
{
	struct mem_file *cp;

	cr_assert_eq(kit_start(&k), 0);
	fill(300);
	kit_kill(&k);
	cp = mem_named(k.m, "audit-00000001.cp");
	cr_assert(cp);
	cp->size -= 20;
	cr_assert_eq(kit_verify(&k, NULL, NULL), VFY_TORN);
	cr_assert_eq(kit_start(&k), 0);
	cr_assert_eq(k.durable_told, 1);
}

/* ------------------------------------------------------------ random faults */

static bool keep_some(void *arg)
{
	return kit_random(arg) & 1;
}

/*
 * Commits, syncs, files and power fail at random; whatever was acknowledged is there at the end,
 * and the verifier finds nothing wrong.
 */
Test(audit_writer, nothing_acknowledged_is_lost)
{
	static uint64_t acked[200000];
	uint64_t seed = 0x9e3779b97f4a7c15ULL;
	size_t acks = 0;
	unsigned int breaks = 0;

	for (int round = 0; round < 60; round++) {
		static struct kit_fate f[64];
		char text[VFY_TEXT];
		enum vfy_code code;
		int ret;

		k.m->create_err = 0;
		k.m->sync_fails = k.m->write_fails = 0;
		k.m->short_most = 0;
		k.m->async = false;
		ret = kit_start(&k);
		cr_assert_eq(ret, 0, "round %d: %d", round, ret);
		for (int i = 0; i < 30; i++) {
			int n = 1 + (int)(kit_random(&seed) % 20);

			if (kit_random(&seed) % 8 == 0) {
				k.m->sync_fails = 1 + (int)(kit_random(&seed) % 3);
				k.m->sync_err = -EIO;
			}
			if (kit_random(&seed) % 8 == 0) {
				k.m->write_fails = 1 + (int)(kit_random(&seed) % 3);
				k.m->write_err = kit_random(&seed) & 1 ? -ENOSPC : -EIO;
			}
			k.m->short_most = kit_random(&seed) % 4 ? 0 : 1 + kit_random(&seed) % 1000;
			k.m->create_err = kit_random(&seed) % 16 ? 0 : -EROFS;
			k.m->truncate_err = kit_random(&seed) % 4 ? 0 : -EIO;
			for (int j = 0; j < n; j++)
				kit_event(&k, &f[j]);
			aud_run(k.w);
			aud_tick(k.w);
			for (int j = 0; j < n; j++)
				if (f[j].calls && !f[j].err)
					acked[acks++] = f[j].seq;
			hf_test_clock_advance(&k.clock, HF_S);
			for (int j = 0; j < n; j++)
				f[j] = (struct kit_fate){ 0 };
		}
		k.m->truncate_err = 0;
		/* something written and not yet acknowledged, then darkness */
		k.m->async = true;
		k.m->create_err = 0;
		k.m->sync_fails = k.m->write_fails = k.m->short_most = 0;
		for (int j = 0; j < 5; j++)
			kit_event(&k, NULL);
		aud_run(k.w);
		kit_kill(&k);
		mem_power_cut(k.m, kit_random(&seed) & 1 ? keep_some : keep_none, &seed);
		k.m->async = false;
		cr_assert_eq(kit_start(&k), 0);
		breaks += k.durable_told == 0;
		code = kit_verify(&k, text, NULL);
		cr_assert_eq(code, VFY_OK, "round %d: %d %s", round, code, text);
		aud_writer_close(k.w);
		kit_kill(&k);
		if (k.m->files > MEM_FILES / 2)
			break;
	}
	cr_assert_gt(acks, 3000);
	cr_assert_eq(breaks, 0);
	for (size_t i = 0; i < acks; i += 7) {
		char text[40];

		snprintf(text, sizeof(text), "\"seq\":%llu,\"t_ns\"", (unsigned long long)acked[i]);
		cr_assert_geq(kit_count(&k, text), 1, "record %llu was acknowledged and is lost",
			      (unsigned long long)acked[i]);
	}
}
