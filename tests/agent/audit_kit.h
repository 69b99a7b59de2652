/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of the audit log share: a writer on a disk in memory with a
 * clock that stands still, and the verifier as judge of what it leaves.
 */
#ifndef HF_TESTS_AUDIT_KIT_H
#define HF_TESTS_AUDIT_KIT_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "audit_mem.h"
#include "verify/verify.h"
#include "writer.h"

#define KIT_T0	(1795374000ULL * HF_S)

struct kit {
	struct mem *m;
	struct hf_test_clock clock;
	uint64_t random;
	struct aud_setup s;
	struct aud_writer *w;
	char dir[64];
	int dirfd;
	/* what the writer has said */
	int durable_told, durable_changes;
	char why[HF_ERR_LEN];
	unsigned int notes, errors;
	char last_event[64];
	unsigned int commits_told;
	uint64_t commit_ns, recorded;	/* of the last one */
};

static inline uint64_t kit_random(uint64_t *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * 0x2545f4914f6cdd1dULL;
}

static int kit_fill(void *arg, void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)(kit_random(arg) >> 32);
	return 0;
}

static void kit_durable(void *arg, bool durable, const char *why)
{
	struct kit *k = arg;

	k->durable_told = durable;
	k->durable_changes++;
	snprintf(k->why, sizeof(k->why), "%s", why);
}

static void kit_checkpoint(void *arg, const struct aud_note *n, const struct aud_checkpoint *cp)
{
	(void)n, (void)cp;
	((struct kit *)arg)->notes++;
}

static void kit_say(void *arg, bool error, const char *event, const char *text)
{
	struct kit *k = arg;

	(void)text;
	k->errors += error;
	snprintf(k->last_event, sizeof(k->last_event), "%s", event);
}

static void kit_committed(void *arg, uint64_t ns)
{
	struct kit *k = arg;

	k->commits_told++;
	k->commit_ns = ns;
}

static void kit_recorded(void *arg, const json_t *record, uint64_t seq)
{
	struct kit *k = arg;

	cr_assert(json_object_get(record, "action"));
	k->recorded = seq;
}

static void kit_new(struct kit *k)
{
	static struct hf_random random;
	struct hf_err e;

	*k = (struct kit){ .m = mem_new(), .random = 88172645463325252ULL, .durable_told = 1 };
	hf_test_clock_init(&k->clock, 1000 * HF_S, KIT_T0);
	random = (struct hf_random){ .fill = kit_fill, .arg = &k->random };
	strcpy(k->dir, "/tmp/hf-audit-XXXXXX");
	cr_assert(mkdtemp(k->dir));
	k->dirfd = open(k->dir, O_RDONLY | O_DIRECTORY);
	k->s = (struct aud_setup){
		.config = { .segment_bytes = 65536, .segment_ns = 3600 * HF_S,
			    .checkpoint_records = 256, .checkpoint_ns = HF_S,
			    .retention_ns = 86400 * HF_S, .keep_bytes = 1 << 20,
			    .warn_free = 2000000, .refuse_free = 1000000,
			    .reserve_bytes = 262144 },
		.clock = &k->clock.clock, .random = &random, .io = &k->m->io,
		.events = { kit_durable, kit_checkpoint, kit_say, kit_committed, kit_recorded }, .arg = k,
	};
	kit_fill(&k->random, k->s.host, AUD_ID);
	kit_fill(&k->random, k->s.boot, AUD_ID);
	cr_assert_eq(aud_key_open(&k->s.key, k->dirfd, k->s.host, &e), 0, "%s", e.text);
}

static int kit_start(struct kit *k)
{
	struct hf_err e = { "" };
	int ret = aud_writer_open(&k->w, &k->s, &e);

	if (!ret)
		aud_run(k->w);
	return ret;
}

/* The process dies: nothing is flushed. */
static void kit_kill(struct kit *k)
{
	aud_writer_free(k->w);
	k->w = NULL;
}

static void kit_free(struct kit *k)
{
	if (k->w)
		kit_kill(k);
	aud_key_free(k->s.key);
	k->m->io.ops->free(&k->m->io);
	unlinkat(k->dirfd, AUD_KEY_FILE, 0);
	unlinkat(k->dirfd, AUD_PUB_FILE, 0);
	close(k->dirfd);
	rmdir(k->dir);
}

/* One append's fate. */
struct kit_fate {
	int calls, err;
	uint64_t seq;
};

static void kit_done(void *arg, int err, uint64_t seq)
{
	struct kit_fate *f = arg;

	f->calls++;
	f->err = err;
	f->seq = seq;
}

static int kit_append(struct kit *k, const char *action, enum aud_phase phase, uint64_t intent,
		      json_t *detail, int owner, struct kit_fate *fate)
{
	struct aud_say say = { .action = action, .object = "array:0", .phase = phase,
			       .result = phase == AUD_INTENT ? "" : "ok", .intent = intent,
			       .detail = detail, .actor = hf_actor_json(&hf_actor_self) };
	int ret;

	if (fate)
		*fate = (struct kit_fate){ 0 };
	ret = aud_append(k->w, &say, owner, fate ? kit_done : NULL, fate);
	json_decref(say.actor);
	json_decref(detail);
	return ret;
}

static inline int kit_event(struct kit *k, struct kit_fate *fate)
{
	return kit_append(k, "test.event", AUD_EVENT, 0, NULL, 3, fate);
}

/* --- the judge */

struct kit_judge {
	struct vfy v;
	struct vfy_input in;
	struct vfy_key keys[2];
	struct vfy_file log[MEM_FILES], cp[MEM_FILES];
};

static ssize_t kit_judge_read(const struct vfy_file *f, void *buf, size_t len, uint64_t at)
{
	const struct mem_file *m = f->arg;

	if (at >= m->size)
		return 0;
	if (len > m->size - at)
		len = m->size - at;
	memcpy(buf, m->data + at, len);
	return (ssize_t)len;
}

static int kit_by_index(const void *a, const void *b)
{
	const struct vfy_file *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

/* The files as they are now; anchors and from may be set in j->in before. */
static void kit_judge_files(struct kit *k, struct kit_judge *j)
{
	const char *text = aud_key_text(k->s.key);
	char lines[512];

	snprintf(lines, sizeof(lines), "%s\n", text);
	j->in.key_count = vfy_keys_parse(lines, strlen(lines), j->keys, 2);
	cr_assert_eq(j->in.key_count, 1);
	j->in.keys = j->keys;
	j->in.log = j->log;
	j->in.cp = j->cp;
	j->in.logs = j->in.cps = 0;
	if (!j->in.window)
		j->in.window = malloc(VFY_WINDOW);
	j->in.window_log = NULL;
	for (int i = 0; i < k->m->files; i++) {
		struct mem_file *f = &k->m->f[i];
		struct vfy_file file = { .size = f->size, .read = kit_judge_read, .arg = f };

		file.index = aud_name_index(f->name, ".log");
		if (file.index)
			j->log[j->in.logs++] = file;
		file.index = aud_name_index(f->name, ".cp");
		if (file.index)
			j->cp[j->in.cps++] = file;
	}
	qsort(j->log, j->in.logs, sizeof(j->log[0]), kit_by_index);
	qsort(j->cp, j->in.cps, sizeof(j->cp[0]), kit_by_index);
}

static void kit_judge_free(struct kit_judge *j)
{
	free(j->in.window);
	free(j->in.anchors.p);
	free(j);
}

/* @text: out, VFY_TEXT bytes, may be NULL. */
static inline enum vfy_code kit_verify(struct kit *k, char *text, struct vfy *out)
{
	struct kit_judge *j = calloc(1, sizeof(*j));
	enum vfy_code code;

	kit_judge_files(k, j);
	vfy_init(&j->v, &j->in);
	code = vfy_run(&j->v);
	if (text)
		strcpy(text, j->v.text);
	if (out)
		*out = j->v;
	vfy_end(&j->v);
	kit_judge_free(j);
	return code;
}

/* How often does the text stand in the segments? */
static inline int kit_count(struct kit *k, const char *text)
{
	int n = 0;

	for (int i = 0; i < k->m->files; i++) {
		struct mem_file *f = &k->m->f[i];
		const uint8_t *p = f->data, *end = p + f->size;

		if (!aud_name_index(f->name, ".log"))
			continue;
		while ((p = memmem(p, (size_t)(end - p), text, strlen(text)))) {
			n++;
			p++;
		}
	}
	return n;
}

#endif /* HF_TESTS_AUDIT_KIT_H */
