// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the log while it is written. A job walks over the segments record by
 * record, a little at a time; what it does with a record, its table says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipc.h"
#include "query.h"

#define CLOCK_EVERY	16	/* records between two looks at the clock */
#define SCRUB_OWN	AUD_JOBS	/* its place in the list */

struct job_ops {
	/* Return: go on. @j: the record as JSON, NULL unless @wants_json. */
	bool (*take)(struct aud_job *job, uint64_t seq, const struct aud_frame *f, json_t *j);
	void (*begin)(struct aud_job *job, const struct aud_header *h);	/* of a segment; may be NULL */
	void (*broken)(struct aud_job *job, uint64_t seq, const char *why);	/* may be NULL */
	void (*done)(struct aud_job *job);
	void (*free)(struct aud_job *job);	/* may be NULL */
	bool wants_json;
};

struct filter {
	uint64_t since_ns, until_ns;
	const char *actor, *action, *object, *result, *corr;
};

struct aud_job {
	const struct job_ops *ops;	/* NULL: free place */
	struct aud_jobs *all;
	aud_answer_fn fn;
	void *arg;

	/* where it is */
	uint64_t from_seq, to_seq;	/* records asked for */
	uint64_t index;			/* of the segment; 0: not begun */
	int fd;
	struct aud_cursor cur;
	uint64_t seq, last_seq;		/* next one; last of this segment */
	bool over;

	/* read, show */
	json_t *args, *records;
	struct filter filter;
	size_t limit, bytes;
	bool newest, more;
	/* events */
	bool follows;			/* may begin at the mark */
	uint64_t upto;
	json_t *lost;
	char log[AUD_HEX_ID];		/* of this segment */
	/* proof */
	struct aud_proof proof;
	struct aud_checkpoint cp;
	struct aud_note note;
	/* report */
	struct aud_report *report;
	/* scrub */
	uint8_t hash[AUD_HASH], prev[AUD_HASH];
	bool linked;
	uint64_t scrubbed;
};

/* Where the last question for events has stopped: the next one does not read all before it again. */
struct mark {
	uint64_t index, seq, at;
};

struct aud_jobs {
	struct mark mark;
	struct aud_writer *w;
	struct aud_io *io;
	const struct hf_clock *clock;
	struct aud_job job[AUD_JOBS + 1];
	unsigned int turn;
};

/* ------------------------------------------------------------- the walk */

static void leave_segment(struct aud_job *job)
{
	if (job->fd < 0)
		return;
	aud_cursor_free(&job->cur);
	job->all->io->ops->close(job->all->io, job->fd);
	job->fd = -1;
}

/* The segment to read after @index: that with from_seq at first. NULL: none. */
static const struct aud_segment *next_segment(struct aud_job *job, size_t *at)
{
	size_t n;
	const struct aud_segment *s = aud_segments(job->all->w, &n);

	for (size_t i = 0; i < n; i++) {
		if (s[i].index <= job->index)
			continue;
		if (i + 1 < n && s[i + 1].seq0 <= job->from_seq)
			continue;
		*at = i;
		return &s[i];
	}
	return NULL;
}

static bool enter_segment(struct aud_job *job)
{
	struct aud_io *io = job->all->io;
	size_t at = 0, n;
	const struct aud_segment *all = aud_segments(job->all->w, &n);
	const struct aud_segment *s = next_segment(job, &at);
	const struct mark *mark = &job->all->mark;
	uint64_t at_byte = AUD_HEADER;
	struct aud_header h;
	char name[AUD_NAME];

	if (!s || s->seq0 > job->to_seq)
		return false;
	job->index = s->index;
	job->seq = s->seq0;
	job->last_seq = at + 1 < n ? all[at + 1].seq0 - 1 : aud_durable_seq(job->all->w);
	aud_hex(s->chain, AUD_ID, job->log);
	if (job->follows && mark->index == s->index && mark->seq <= job->from_seq) {
		job->seq = mark->seq;
		at_byte = mark->at;
	}
	aud_name(name, s->index, ".log");
	job->fd = io->ops->open(io, name);
	if (job->fd < 0) {
		if (job->ops->broken)
			job->ops->broken(job, s->seq0, "it cannot be opened");
		return true;	/* the next one, then */
	}
	if (aud_segment_head(io, job->fd, &h, NULL) ||
	    aud_cursor_init(&job->cur, io, job->fd, at_byte, s->size)) {
		if (job->ops->broken)
			job->ops->broken(job, s->seq0, "its header is damaged");
		io->ops->close(io, job->fd);
		job->fd = -1;
		return true;
	}
	if (job->ops->begin)
		job->ops->begin(job, &h);
	return true;
}

/* Return: go on. */
static bool one_record(struct aud_job *job)
{
	struct aud_frame f;
	json_t *j = NULL;
	bool on = true;
	int ret;

	if (job->seq > job->last_seq || job->seq > job->to_seq) {
		leave_segment(job);
		return true;
	}
	ret = aud_cursor_next(&job->cur, &f);
	if (ret) {
		if (job->ops->broken)
			job->ops->broken(job, job->seq, "it is damaged");
		leave_segment(job);
		return true;
	}
	if (job->seq >= job->from_seq) {
		if (job->ops->wants_json)
			j = json_loadb((const char *)f.payload, f.len, 0, NULL);
		if (j || !job->ops->wants_json)
			on = job->ops->take(job, job->seq, &f, j);
		json_decref(j);
	}
	job->seq++;
	return on;
}

static void finish(struct aud_job *job)
{
	const struct job_ops *ops = job->ops;

	leave_segment(job);
	ops->done(job);
	if (ops->free)
		ops->free(job);
	job->ops = NULL;
}

static void step(struct aud_job *job)
{
	for (int i = 0; i < CLOCK_EVERY; i++) {
		if (job->fd < 0 && !enter_segment(job)) {
			finish(job);
			return;
		}
		if (job->fd >= 0 && !one_record(job)) {
			finish(job);
			return;
		}
	}
}

bool aud_jobs_run(struct aud_jobs *j, uint64_t budget_ns)
{
	uint64_t until = hf_mono_ns(j->clock) + budget_ns;
	unsigned int idle = 0;

	while (idle <= AUD_JOBS && hf_mono_ns(j->clock) < until) {
		struct aud_job *job = &j->job[j->turn];

		j->turn = (j->turn + 1) % (AUD_JOBS + 1);
		idle = job->ops ? 0 : idle + 1;
		if (job->ops)
			step(job);
	}
	return idle <= AUD_JOBS;
}

static void answer(struct aud_job *job, int status, json_t *result)
{
	job->fn(job->arg, status, result);
}

/* Whoever comes upon damage says so: the answer would have a hole that nobody sees. */
static void found_damage(struct aud_job *job, uint64_t seq, const char *why)
{
	aud_found_damage(job->all->w, job->index, seq, why);
}

/* A free place, or NULL: answered 503. */
static struct aud_job *new_job(struct aud_jobs *j, const struct job_ops *ops, aud_answer_fn fn,
			       void *arg)
{
	for (int i = 0; i < AUD_JOBS; i++)
		if (!j->job[i].ops) {
			j->job[i] = (struct aud_job){ .ops = ops, .all = j, .fn = fn, .arg = arg,
						      .fd = -1, .to_seq = aud_durable_seq(j->w) };
			return &j->job[i];
		}
	fn(arg, 503, hf_error_json("busy", "%d questions are being answered", AUD_JOBS));
	return NULL;
}

/* --------------------------------------------------------- read and show */

static json_t *shown(const struct aud_frame *f, json_t *j)
{
	char hex[AUD_HEX_HASH];
	json_t *copy = json_copy(j);

	json_object_set_new(copy, "hash", json_string(aud_hex(f->hash, AUD_HASH, hex)));
	return copy;
}

static bool member_is(const json_t *j, const char *name, const char *want)
{
	const char *have = json_string_value(json_object_get(j, name));

	return !want || (have && !strcmp(have, want));
}

static bool action_is(const json_t *j, const char *want)
{
	const char *have = json_string_value(json_object_get(j, "action"));
	size_t n = want ? strlen(want) : 0;

	if (!n || !have)
		return !n;
	return want[n - 1] == '.' ? !strncmp(have, want, n) : !strcmp(have, want);
}

static bool matches(const struct filter *f, const json_t *j)
{
	uint64_t t = (uint64_t)json_integer_value(json_object_get(j, "t_ns"));

	return t >= f->since_ns && t <= f->until_ns &&
	       member_is(json_object_get(j, "actor"), "name", f->actor) &&
	       action_is(j, f->action) && member_is(j, "object", f->object) &&
	       member_is(j, "result", f->result) && member_is(j, "corr", f->corr);
}

static bool too_many(const struct aud_job *job)
{
	return json_array_size(job->records) > job->limit || job->bytes > AUD_ANSWER_MAX;
}

static void drop_record(struct aud_job *job, size_t i)
{
	job->bytes -= json_dumpb(json_array_get(job->records, i), NULL, 0, JSON_COMPACT);
	json_array_remove(job->records, i);
	job->more = true;
}

static bool read_take(struct aud_job *job, uint64_t seq, const struct aud_frame *f, json_t *j)
{
	json_t *r;

	(void)seq;
	if (!matches(&job->filter, j))
		return true;
	r = shown(f, j);
	job->bytes += json_dumpb(r, NULL, 0, JSON_COMPACT);
	json_array_append_new(job->records, r);
	while (too_many(job) && json_array_size(job->records) > 1) {
		if (!job->newest) {
			drop_record(job, json_array_size(job->records) - 1);
			return false;
		}
		drop_record(job, 0);
	}
	return true;
}

static void read_done(struct aud_job *job)
{
	answer(job, 200, json_pack("{s:O, s:b}", "records", job->records, "more", job->more));
}

static void read_free(struct aud_job *job)
{
	json_decref(job->records);
	json_decref(job->args);
}

static const struct job_ops read_ops = {
	.take = read_take, .broken = found_damage, .done = read_done, .free = read_free,
	.wants_json = true,
};

static uint64_t number(const json_t *args, const char *name, uint64_t otherwise)
{
	const json_t *v = json_object_get(args, name);

	return json_is_integer(v) ? (uint64_t)json_integer_value(v) : otherwise;
}

/*
 * First record that can be as young as @since_ns: segments before it are not even opened. A clock
 * that was set back hides nothing: from the first young segment on all are read.
 */
static uint64_t seq_since(struct aud_jobs *j, uint64_t since_ns)
{
	size_t n;
	const struct aud_segment *s = aud_segments(j->w, &n);
	uint64_t seq = 1;

	for (size_t i = 1; i < n && s[i].t_ns < since_ns; i++)
		seq = s[i].seq0;
	return seq;
}

void aud_job_read(struct aud_jobs *j, const json_t *args, aud_answer_fn fn, void *arg)
{
	struct aud_job *job = new_job(j, &read_ops, fn, arg);
	struct filter *f;
	uint64_t after;

	if (!job)
		return;
	job->args = json_deep_copy(args);	/* the filter points into it */
	job->records = json_array();
	job->limit = number(args, "limit", AUD_READ_MOST);
	job->newest = json_is_true(json_object_get(args, "newest"));
	f = &job->filter;
	f->since_ns = number(args, "since_ns", 0);
	f->until_ns = number(args, "until_ns", UINT64_MAX);
	f->actor = json_string_value(json_object_get(job->args, "actor"));
	f->action = json_string_value(json_object_get(job->args, "action"));
	f->object = json_string_value(json_object_get(job->args, "object"));
	f->result = json_string_value(json_object_get(job->args, "result"));
	f->corr = json_string_value(json_object_get(job->args, "corr"));
	after = number(args, "after_seq", 0);
	job->from_seq = seq_since(j, f->since_ns);
	if (after + 1 > job->from_seq)
		job->from_seq = after + 1;
	/* The newest of all: no need to look at the others. */
	if (job->newest && !f->actor && !f->action && !f->object && !f->result && !f->corr &&
	    f->until_ns == UINT64_MAX && job->to_seq > job->limit &&
	    job->to_seq - job->limit > job->from_seq) {
		job->from_seq = job->to_seq - job->limit + 1;
		job->more = true;
	}
}

static bool show_take(struct aud_job *job, uint64_t seq, const struct aud_frame *f, json_t *j)
{
	(void)seq;
	json_array_append_new(job->records, shown(f, j));
	return false;
}

static void show_done(struct aud_job *job)
{
	json_t *r = json_array_get(job->records, 0);

	if (r)
		answer(job, 200, json_pack("{s:O}", "record", r));
	else
		answer(job, 404, hf_error_json("no_record", "no readable record %llu",
					       (unsigned long long)job->from_seq));
}

static const struct job_ops show_ops = {
	.take = show_take, .broken = found_damage, .done = show_done, .free = read_free,
	.wants_json = true,
};

void aud_job_show(struct aud_jobs *j, uint64_t seq, aud_answer_fn fn, void *arg)
{
	struct aud_job *job = new_job(j, &show_ops, fn, arg);

	if (!job)
		return;
	job->records = json_array();
	job->from_seq = seq;
	if (seq < job->to_seq)
		job->to_seq = seq;
}

/* ---------------------------------------------------------------- events */

#define EVENTS_MOST	64

static bool is_for_fleet(const json_t *j)
{
	static const char *const actions[] = {
		"kernel.", "array.", "lease.", "keeper.", "agent.", "process.", "health.", "remedy.",
		"config.", "audit.", "silence",
	};
	const char *phase = json_string_value(json_object_get(j, "phase"));

	if (!phase || !strcmp(phase, aud_phase_name(AUD_INTENT)))
		return false;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (action_is(j, actions[i]))
			return true;
	return false;
}

/* Only these members, whatever else a record may come to have. */
static json_t *event_of(const struct aud_job *job, const json_t *j)
{
	static const char *const same[] = {
		"seq", "t_ns", "action", "object", "phase", "result", "corr", "detail",
	};
	json_t *event = json_pack("{s:s, s:O*}", "log", job->log, "actor",
				  json_object_get(json_object_get(j, "actor"), "name"));

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		json_object_set(event, same[i], json_object_get(j, same[i]));
	return event;
}

static bool events_take(struct aud_job *job, uint64_t seq, const struct aud_frame *f, json_t *j)
{
	(void)f;
	if (is_for_fleet(j)) {
		json_t *event = event_of(job, j);

		job->bytes += json_dumpb(event, NULL, 0, JSON_COMPACT);
		if (json_array_size(job->records) &&
		    (json_array_size(job->records) == EVENTS_MOST || job->bytes > AUD_ANSWER_MAX)) {
			json_decref(event);
			job->more = true;
			return false;
		}
		json_array_append_new(job->records, event);
	}
	job->upto = seq;
	job->all->mark = (struct mark){ job->index, seq + 1, job->cur.at };
	return true;
}

static void events_done(struct aud_job *job)
{
	if (!job->more)
		job->upto = job->to_seq;	/* what could not be read is told by audit.break */
	answer(job, 200, json_pack("{s:O, s:I, s:b, s:O*}", "records", job->records, "upto",
				   (json_int_t)job->upto, "more", (int)job->more, "lost", job->lost));
}

static void events_free(struct aud_job *job)
{
	json_decref(job->lost);
	read_free(job);
}

static const struct job_ops events_ops = {
	.take = events_take, .broken = found_damage, .done = events_done, .free = events_free,
	.wants_json = true,
};

/* Is record @after of the log @log in this one, or was it? */
static bool same_log(struct aud_jobs *j, uint64_t after, const char *log)
{
	size_t n;
	const struct aud_segment *s = aud_segments(j->w, &n), *in = NULL;
	char hex[AUD_HEX_ID];

	for (size_t i = 0; i < n; i++)
		if (s[i].seq0 <= after)
			in = &s[i];
	if (after > aud_durable_seq(j->w))
		return false;
	return !in || !strcmp(aud_hex(in->chain, AUD_ID, hex), log);
}

void aud_job_events(struct aud_jobs *j, uint64_t after, const char *log, aud_answer_fn fn, void *arg)
{
	struct aud_job *job = new_job(j, &events_ops, fn, arg);
	uint64_t oldest;
	size_t n;

	if (!job)
		return;
	if (!same_log(j, after, log)) {
		after = 0;
		log = "";
	}
	oldest = aud_segments(j->w, &n)[0].seq0;
	if (*log && oldest > after + 1)
		job->lost = json_pack("{s:I, s:I}", "from", (json_int_t)after + 1, "to",
				      (json_int_t)oldest - 1);
	job->records = json_array();
	job->follows = true;
	job->upto = after;
	job->from_seq = after + 1;
}

/* ----------------------------------------------------------------- proof */

static bool proof_take(struct aud_job *job, uint64_t seq, const struct aud_frame *f, json_t *j)
{
	uint8_t leaf[AUD_HASH];

	(void)j;
	(void)seq;
	aud_leaf_hash(leaf, f->payload, f->len);
	aud_proof_add(&job->proof, leaf);
	return job->proof.tree.size < job->cp.size;
}

static json_t *checkpoint_json(const struct aud_job *job)
{
	return json_pack("{s:s, s:I, s:s, s:I, s:s%}", "origin", job->note.origin, "size",
			 (json_int_t)job->cp.size, "root", job->note.root, "t_ns",
			 (json_int_t)job->cp.t_ns, "note", job->note.text, job->note.len);
}

static void proof_done(struct aud_job *job)
{
	uint8_t root[AUD_HASH];
	char hex[AUD_HEX_HASH];
	json_t *list = json_array();

	aud_proof_end(&job->proof, root);
	if (job->proof.tree.size != job->cp.size || memcmp(root, job->cp.root, AUD_HASH)) {
		json_decref(list);
		answer(job, 500, hf_error_json("damaged", "the log and its checkpoint differ"));
		return;
	}
	for (unsigned int i = 0; i < job->proof.count; i++)
		json_array_append_new(list, json_string(aud_hex(job->proof.hash[i], AUD_HASH, hex)));
	answer(job, 200, json_pack("{s:o, s:I, s:o}", "checkpoint", checkpoint_json(job), "index",
				   (json_int_t)job->proof.index, "proof", list));
}

static const struct job_ops proof_ops = {
	.take = proof_take, .broken = found_damage, .done = proof_done,
};

/*
 * The segment in which @seq is, and the tree as it was when that began. Return:
 * 0; -ENOENT: no such record; -ESTALE: of a chain before the checkpoint's; -EAGAIN: newer
 * than the checkpoint; -errno.
 */
static int proof_start(struct aud_jobs *j, struct aud_job *job, uint64_t seq)
{
	static struct aud_carry carry;
	struct aud_header h;
	const struct aud_segment *s, *in = NULL;
	char name[AUD_NAME];
	size_t n;
	int fd, ret;

	s = aud_segments(j->w, &n);
	for (size_t i = 0; i < n; i++)
		if (s[i].seq0 <= seq)
			in = &s[i];
	if (!in || seq > aud_durable_seq(j->w))
		return -ENOENT;
	if (memcmp(in->chain, job->cp.chain, AUD_ID))
		return -ESTALE;
	if (seq - in->chain_seq0 >= job->cp.size)
		return -EAGAIN;
	aud_name(name, in->index, ".log");
	fd = j->io->ops->open(j->io, name);
	if (fd < 0)
		return fd;
	ret = aud_segment_head(j->io, fd, &h, &carry);
	j->io->ops->close(j->io, fd);
	if (ret)
		return ret;
	aud_proof_init(&job->proof, &carry.tree, seq - in->chain_seq0);
	job->from_seq = in->seq0;
	job->to_seq = in->chain_seq0 + job->cp.size - 1;
	return 0;
}

void aud_job_checkpoint(struct aud_jobs *j, uint64_t seq, aud_answer_fn fn, void *arg)
{
	struct aud_checkpoint cp;
	const struct aud_note *note = aud_newest_note(j->w, &cp);
	struct aud_job *job;
	int ret;

	if (!note) {
		fn(arg, 503, hf_error_json("no_checkpoint", "no checkpoint yet"));
		return;
	}
	job = new_job(j, &proof_ops, fn, arg);
	if (!job)
		return;
	job->cp = cp;
	job->note = *note;
	if (!seq) {
		job->ops = NULL;
		fn(arg, 200, json_pack("{s:o, s:[]}", "checkpoint", checkpoint_json(job), "proof"));
		return;
	}
	ret = proof_start(j, job, seq);
	if (!ret)
		return;
	job->ops = NULL;
	if (ret == -EAGAIN)
		fn(arg, 503, hf_error_json("no_checkpoint", "record %llu: no checkpoint has it yet",
					   (unsigned long long)seq));
	else if (ret == -ESTALE)
		fn(arg, 404, hf_error_json("ended_chain", "record %llu: its chain has ended with a break, the newest checkpoint is of another",
					   (unsigned long long)seq));
	else
		fn(arg, 404, hf_error_json("no_record", "record %llu: not in the newest checkpoint",
					   (unsigned long long)seq));
}

/* ---------------------------------------------------------------- report */

static bool report_take(struct aud_job *job, uint64_t seq, const struct aud_frame *f, json_t *j)
{
	(void)seq;
	(void)f;
	if (matches(&job->filter, j))
		aud_report_add(job->report, j);
	return true;
}

static void report_done(struct aud_job *job)
{
	json_t *r = aud_report_json(job->report);

	json_object_set_new(r, "since_ns", json_integer((json_int_t)job->filter.since_ns));
	answer(job, 200, json_pack("{s:o}", "report", r));
}

static void report_free(struct aud_job *job)
{
	aud_report_free(job->report);
}

static const struct job_ops report_ops = {
	.take = report_take, .broken = found_damage, .done = report_done, .free = report_free,
	.wants_json = true,
};

void aud_job_report(struct aud_jobs *j, const json_t *args, aud_answer_fn fn, void *arg)
{
	uint64_t now = hf_real_ns(j->clock), span = number(args, "hours", 24) * 3600 * HF_S;
	struct aud_job *job;

	if (json_object_get(args, "hours") && json_object_get(args, "since_ns")) {
		fn(arg, 400, hf_error_json("invalid", "hours and since_ns: one of them"));
		return;
	}
	job = new_job(j, &report_ops, fn, arg);
	if (!job)
		return;
	if (aud_report_new(&job->report)) {
		job->ops = NULL;
		fn(arg, 503, hf_error_json("no_memory", "out of memory"));
		return;
	}
	job->filter = (struct filter){
		.since_ns = number(args, "since_ns", now > span ? now - span : 0),
		.until_ns = UINT64_MAX,	/* what a clock set back has left in the future, too */
	};
	job->from_seq = seq_since(j, job->filter.since_ns);
}

/* ----------------------------------------------------------------- scrub */

static void scrub_broken(struct aud_job *job, uint64_t seq, const char *why)
{
	job->linked = false;
	found_damage(job, seq, why);
}

static void scrub_begin(struct aud_job *job, const struct aud_header *h)
{
	if (job->linked && h->reason != AUD_BREAK && memcmp(job->hash, h->prev, AUD_HASH))
		scrub_broken(job, h->seq0, "its segment does not follow from the one before");
	memcpy(job->hash, h->prev, AUD_HASH);
	job->linked = true;
	job->scrubbed++;
}

static bool scrub_take(struct aud_job *job, uint64_t seq, const struct aud_frame *f, json_t *j)
{
	(void)j;
	aud_chain_hash(job->hash, job->hash, seq, f->payload, f->len);
	if (!memcmp(job->hash, f->hash, AUD_HASH))
		return true;
	scrub_broken(job, seq, "it does not follow from the one before");
	leave_segment(job);
	job->seq = job->last_seq;	/* one_record() goes on behind it */
	return true;
}

static void scrub_done(struct aud_job *job)
{
	(void)job;
}

static const struct job_ops scrub_ops = {
	.take = scrub_take, .begin = scrub_begin, .broken = scrub_broken, .done = scrub_done,
};

bool aud_jobs_scrub(struct aud_jobs *j)
{
	struct aud_job *job = &j->job[SCRUB_OWN];
	uint64_t scrubbed = job->scrubbed;

	if (job->ops)
		return false;
	*job = (struct aud_job){ .ops = &scrub_ops, .all = j, .fd = -1, .scrubbed = scrubbed,
				 .to_seq = aud_durable_seq(j->w) };
	return true;
}

uint64_t aud_jobs_scrubbed(const struct aud_jobs *j)
{
	return j->job[SCRUB_OWN].scrubbed;
}

/* --------------------------------------------------------------- outside */

int aud_jobs_new(struct aud_jobs **out, struct aud_writer *w, struct aud_io *io,
		 const struct hf_clock *clock)
{
	struct aud_jobs *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	j->w = w;
	j->io = io;
	j->clock = clock;
	for (int i = 0; i <= AUD_JOBS; i++)
		j->job[i].fd = -1;
	*out = j;
	return 0;
}

void aud_jobs_free(struct aud_jobs *j)
{
	if (!j)
		return;
	for (int i = 0; i <= AUD_JOBS; i++) {
		struct aud_job *job = &j->job[i];

		leave_segment(job);
		if (job->ops && job->fn)
			answer(job, 503, hf_error_json("stopping", "the audit process ends"));
		if (job->ops && job->ops->free)
			job->ops->free(job);
	}
	free(j);
}
