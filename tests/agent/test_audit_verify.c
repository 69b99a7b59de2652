// SPDX-License-Identifier: GPL-2.0
/*
 * The verifier against a sample log that is changed or cut at every byte: each
 * change must be found, with the right exit code, at the right record.
 */
#include <sys/stat.h>

#include "audit_kit.h"

static struct kit k;
static struct kit_judge *j;

#define SAMPLE_RECORDS	640

static void some_records(int n, int from)
{
	for (int i = from; i < from + n; i++) {
		struct kit_fate f;

		kit_append(&k, i % 7 ? "test.event" : "array.arm", i % 7 ? AUD_EVENT : AUD_INTENT, 0,
			   json_pack("{s:i, s:s}", "number", i, "text", "\xc3\xa4 \"quoted\" \x01"), 3, &f);
		aud_run(k.w);
		if (i % 7 == 0)
			kit_append(&k, "array.arm", AUD_OUTCOME, f.seq, NULL, 3, NULL);
		hf_test_clock_advance(&k.clock, 37 * HF_MS);
		if (i % 50 == 0)
			aud_tick(k.w);
	}
	aud_run(k.w);
}

/* Several segments, two runs, a failed sync in between, everything signed at the end. */
static void sample(void)
{
	kit_new(&k);
	k.s.config.segment_bytes = 40000;
	cr_assert_eq(kit_start(&k), 0);
	some_records(SAMPLE_RECORDS / 2, 1);
	kit_kill(&k);
	cr_assert_eq(kit_start(&k), 0);
	k.m->sync_fails = 1;
	k.m->sync_err = -EIO;
	some_records(SAMPLE_RECORDS / 2, 1000);
	aud_writer_close(k.w);
	kit_kill(&k);
	j = calloc(1, sizeof(*j));
	kit_judge_files(&k, j);
	cr_assert_gt(j->in.logs, 5);
}

static void done(void)
{
	vfy_end(&j->v);
	kit_judge_free(j);
	kit_free(&k);
}

TestSuite(audit_verify, .init = sample, .fini = done, .timeout = 1200);

/* Continue a copy of the run, leaving the original as it is. */
static void run_copy(const struct vfy *from, struct vfy *v)
{
	*v = *from;
	if (from->points.n) {
		v->points.p = malloc(from->points.n * sizeof(*v->points.p));
		memcpy(v->points.p, from->points.p, from->points.n * sizeof(*v->points.p));
	} else {
		v->points.p = NULL;
	}
	j->in.window_log = NULL;
	vfy_run(v);
	vfy_end(v);
}

static struct mem_file *current(void)
{
	return (struct mem_file *)j->in.log[j->v.seg].arg;
}

/* Calls @at for every byte: with the state before its record, and that record's end. */
static uint64_t each_byte(void (*at)(size_t byte, size_t start, size_t end))
{
	uint64_t bytes = 0;

	vfy_init(&j->v, &j->in);
	while (!j->v.done && j->v.seg < j->in.logs) {
		struct mem_file *f = current();
		size_t start = j->v.in_segment ? (size_t)j->v.at : 0, end = 256;
		struct vfy_frame frame;

		if (j->v.in_segment) {
			j->in.window_log = NULL;
			if (vfy_frame_read(&j->in, &j->in.log[j->v.seg], start, &frame) == VFY_FRAME_OK)
				end = start + frame.size;
			else
				end = start;
		}
		for (size_t i = start; i < end && i < f->size; i++, bytes++)
			at(i, start, end);
		j->in.window_log = NULL;
		vfy_step(&j->v);
		cr_assert_eq(j->v.code, VFY_OK, "%s", j->v.text);
	}
	cr_assert_eq(vfy_run(&j->v), VFY_OK);
	return bytes;
}

static uint8_t flip;

static void flipped(size_t byte, size_t start, size_t end)
{
	struct mem_file *f = current();
	struct vfy v;

	(void)end;
	f->data[byte] ^= flip;
	run_copy(&j->v, &v);
	f->data[byte] ^= flip;
	cr_assert_eq(v.code, VFY_TAMPER, "%s, byte %zu: %d %s", f->name, byte, v.code, v.text);
	if (start)
		cr_assert_eq(v.bad_seq, j->v.seq + 1, "%s, byte %zu: %s", f->name, byte, v.text);
	cr_assert_eq(v.bad_file, j->in.log[j->v.seg].index);
}

Test(audit_verify, every_byte_xor_01)
{
	flip = 0x01;
	cr_assert_gt(each_byte(flipped), 200000);
}

Test(audit_verify, every_byte_xor_ff)
{
	flip = 0xff;
	cr_assert_gt(each_byte(flipped), 200000);
}

/* Everything behind this byte is gone: @how_many files are left. */
static enum vfy_code cut_at(size_t byte, size_t how_many, struct vfy *v)
{
	struct vfy_file *f = &j->log[j->v.seg];
	uint64_t size = f->size;
	size_t logs = j->in.logs, cps = j->in.cps;

	f->size = byte;
	j->in.logs = how_many ? how_many : logs;
	while (how_many && j->in.cps && j->cp[j->in.cps - 1].index > f->index)
		j->in.cps--;	/* whoever deletes segments deletes what speaks of them */
	run_copy(&j->v, v);
	f->size = size;
	j->in.logs = logs;
	j->in.cps = cps;
	return v->code;
}

static void cut_signed(size_t byte, size_t start, size_t end)
{
	struct vfy v;
	bool between = start > 256 && byte == start;
	/* between two records nothing is damaged, but the checkpoints know more */
	enum vfy_code want = between ? VFY_ROLLBACK : VFY_TAMPER;

	(void)end;
	if (start && !j->v.points.n)	/* one segment was given up before its first checkpoint */
		want = between ? VFY_OK : VFY_TORN;
	if (!start)
		return;		/* its checkpoints are not read yet: see cut_header() */
	cut_at(byte, j->v.seg + 1, &v);
	cr_assert_eq(v.code, want, "%s cut at %zu: %d %s", current()->name, byte, v.code, v.text);
}

/* Within a header, and with the checkpoints of the deleted segments still there. */
static void cut_header(size_t byte, size_t start, size_t end)
{
	struct vfy v;
	size_t logs = j->in.logs;

	(void)end;
	if (start || byte % 5)
		return;
	j->in.logs = j->v.seg + 1;
	cut_at(byte, 0, &v);
	j->in.logs = logs;
	cr_assert(v.code == VFY_TAMPER || v.code == VFY_ROLLBACK, "%s cut at %zu: %d %s",
		  current()->name, byte, v.code, v.text);
}

Test(audit_verify, cut_in_every_header)
{
	cr_assert_gt(each_byte(cut_header), 200000);
}

Test(audit_verify, cut_at_every_byte)
{
	cr_assert_gt(each_byte(cut_signed), 200000);
}

static void cut_unsigned(size_t byte, size_t start, size_t end)
{
	struct vfy v;
	enum vfy_code want = start > 256 && byte == start ? VFY_OK : VFY_TORN;

	(void)end;
	cut_at(byte, j->v.seg + 1, &v);
	cr_assert_eq(v.code, want, "%s cut at %zu: %d %s", current()->name, byte, v.code, v.text);
}

Test(audit_verify, cut_at_every_byte_without_checkpoints)
{
	j->in.cps = 0;
	cr_assert_gt(each_byte(cut_unsigned), 200000);
}

static void cut_anchored(size_t byte, size_t start, size_t end)
{
	struct vfy v;

	(void)start, (void)end;
	cut_at(byte, j->v.seg + 1, &v);
	cr_assert_eq(v.code, VFY_ROLLBACK, "%s cut at %zu: %d %s", current()->name, byte, v.code, v.text);
}

static void take_anchor(void)
{
	const struct mem_file *cp = j->in.cp[j->in.cps - 1].arg;
	size_t at;

	cr_assert_eq(vfy_points_parse(j->keys, 1, (const char *)cp->data, cp->size, &j->in.anchors,
				      &at), VFY_OK);
	memmove(j->in.anchors.p, &j->in.anchors.p[j->in.anchors.n - 1], sizeof(j->in.anchors.p[0]));
	j->in.anchors.n = 1;
}

Test(audit_verify, cut_at_every_byte_found_by_an_anchor)
{
	take_anchor();
	j->in.cps = 0;
	cr_assert_gt(each_byte(cut_anchored), 200000);
}

static void cut_inside(size_t byte, size_t start, size_t end)
{
	struct vfy v;
	enum vfy_code want = start > 256 && byte == start ? VFY_GAP : VFY_TAMPER;

	(void)end;
	if (j->v.seg + 1 == j->in.logs || byte % 16)
		return;
	/* in front of a failover only what the new segment begins behind counts */
	cut_at(byte, 0, &v);
	cr_assert(v.code == want || (want == VFY_GAP && v.code == VFY_ROLLBACK),
		  "%s cut at %zu: %d %s", current()->name, byte, v.code, v.text);
}

Test(audit_verify, cut_within_the_log)
{
	cr_assert_gt(each_byte(cut_inside), 200000);
}

Test(audit_verify, every_byte_of_the_checkpoints)
{
	uint64_t bytes = 0;

	for (size_t c = 0; c < j->in.cps; c++) {
		struct mem_file *f = (struct mem_file *)j->cp[c].arg;
		size_t last = 0;

		for (size_t i = 0; i + 15 < f->size; i++)
			if (!memcmp(f->data + i, "\nholdfast-audit/", 15 + 1))
				last = i + 1;
		for (size_t i = 0; i < f->size; i++, bytes++) {
			struct vfy_points p = { NULL, 0 };
			enum vfy_code code;
			size_t at;

			for (int x = 0; x < 2; x++) {
				f->data[i] ^= x ? 0xff : 1;
				code = vfy_points_parse(j->keys, 1, (const char *)f->data, f->size, &p,
							&at);
				f->data[i] ^= x ? 0xff : 1;
				cr_assert(code == VFY_SIGNATURE || (code == VFY_TORN && i >= last),
					  "%s, byte %zu: %d", f->name, i, code);
				free(p.p);
				p = (struct vfy_points){ NULL, 0 };
			}
		}
	}
	cr_assert_gt(bytes, 2000);
}

/* --- by hand */

static enum vfy_code run(void)
{
	vfy_end(&j->v);
	j->in.window_log = NULL;
	vfy_init(&j->v, &j->in);
	return vfy_run(&j->v);
}

Test(audit_verify, missing_segments)
{
	struct vfy_file second = j->log[1];

	memmove(&j->log[1], &j->log[2], (j->in.logs - 2) * sizeof(second));
	j->in.logs--;
	cr_assert_eq(run(), VFY_GAP);
	cr_assert(strstr(j->v.text, "segment 2 is missing"), "%s", j->v.text);
}

Test(audit_verify, whole_last_segment_missing)
{
	j->in.logs--;
	cr_assert_eq(run(), VFY_ROLLBACK);
}

Test(audit_verify, other_key)
{
	struct vfy_key other = j->keys[0];

	other.raw[3] ^= 4;
	other.id[0] ^= 1;
	j->in.keys = &other;
	cr_assert_eq(run(), VFY_SIGNATURE);
}

Test(audit_verify, swapped_segments)
{
	const void *arg = j->log[1].arg;
	uint64_t size = j->log[1].size;

	j->log[1].arg = j->log[2].arg;
	j->log[1].size = j->log[2].size;
	j->log[2].arg = arg;
	j->log[2].size = size;
	cr_assert_eq(run(), VFY_TAMPER);
}

Test(audit_verify, from_a_checkpoint)
{
	uint64_t all;
	struct vfy_note from;

	cr_assert_eq(run(), VFY_OK);
	all = j->v.records;
	take_anchor();
	from = j->in.anchors.p[0].note;
	j->in.anchors.n = 0;
	j->in.from = &from;
	cr_assert_eq(run(), VFY_OK, "%s", j->v.text);
	cr_assert_lt(j->v.records, all / 2);
	from.root[0] ^= 1;
	cr_assert_eq(run(), VFY_ROLLBACK);
	from.root[0] ^= 1;
	from.size += 1000;
	cr_assert_eq(run(), VFY_ROLLBACK);
}

/*
 * Who has the key and the folder writes a shorter log and signs it: the log agrees with itself, and
 * only a checkpoint that was kept elsewhere shows it.
 */
Test(audit_verify, signed_truncation_needs_an_anchor)
{
	enum vfy_code code;
	char text[VFY_TEXT];

	take_anchor();
	for (int i = 0; i < k.m->files; i++)
		if (aud_name_index(k.m->f[i].name, ".log") > 3 || aud_name_index(k.m->f[i].name, ".cp") > 3)
			k.m->f[i].name[0] = '\0';
	cr_assert_eq(kit_start(&k), 0);
	cr_assert_eq(k.durable_told, 1, "the writer cannot know");
	some_records(5, 1);
	aud_writer_close(k.w);
	code = kit_verify(&k, text, NULL);
	cr_assert_eq(code, VFY_OK, "%s", text);
	kit_judge_files(&k, j);
	cr_assert_eq(run(), VFY_ROLLBACK, "%s", j->v.text);
	cr_assert(strstr(j->v.text, "anchor"), "%s", j->v.text);
	/* and even when it has grown beyond the anchor again */
	kit_kill(&k);
	cr_assert_eq(kit_start(&k), 0);
	some_records(SAMPLE_RECORDS, 1);
	aud_writer_close(k.w);
	kit_judge_files(&k, j);
	cr_assert_eq(run(), VFY_ROLLBACK, "%s", j->v.text);
	cr_assert(strstr(j->v.text, "another root"), "%s", j->v.text);
}

/* For tests/agent/audit-verify.sh: the same log as files, with its public key. */
Test(audit_verify, sample)
{
	const char *dir = getenv("HOLDFAST_AUDIT_SAMPLE");
	char path[512];

	cr_assert_eq(run(), VFY_OK);
	cr_assert_gt(j->v.records, 600);
	for (int i = 0; dir && i < k.m->files; i++) {
		struct mem_file *f = &k.m->f[i];
		FILE *out;

		if (!f->name[0] || !strcmp(f->name, "reserve"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, f->name);
		out = fopen(path, "w");
		cr_assert(out && fwrite(f->data, 1, f->size, out) == f->size && !fclose(out));
	}
	if (dir) {
		FILE *out;

		snprintf(path, sizeof(path), "%s/checkpoint.pub", dir);
		out = fopen(path, "w");
		cr_assert(out && fprintf(out, "%s\n", aud_key_text(k.s.key)) > 0 && !fclose(out));
	}
}
