// SPDX-License-Identifier: GPL-2.0
/*
 * Group commit: all that waits goes to the disk in one write and one sync while
 * the next batch collects; who appended is told when that is durable. A sync
 * that failed is final for its file. Segment files themselves: segment.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "ops.h"

uint64_t aud_mono(const struct aud_writer *w)
{
	return hf_mono_ns(w->s.clock);
}

void aud_say(struct aud_writer *w, bool error, const char *event, const char *fmt, ...)
{
	char text[HF_ERR_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	w->s.events.say(w->s.arg, error, event, text);
}

/* ----------------------------------------------------------------- queue */

static void queue_init(struct queue *q)
{
	*q = (struct queue){ .tail = &q->head };
}

static void queue_push(struct queue *q, struct pending *p)
{
	p->next = NULL;
	*q->tail = p;
	q->tail = &p->next;
	q->count++;
	q->bytes += p->bytes;
}

static struct pending *queue_pop(struct queue *q)
{
	struct pending *p = q->head;

	q->head = p->next;
	if (!q->head)
		q->tail = &q->head;
	q->count--;
	q->bytes -= p->bytes;
	return p;
}

/* @front becomes the beginning of @q. */
static void queue_return(struct queue *q, struct queue *front)
{
	if (!front->head)
		return;
	*front->tail = q->head;
	if (!q->head)
		q->tail = front->tail;
	q->head = front->head;
	q->count += front->count;
	q->bytes += front->bytes;
	queue_init(front);
}

/* The one call of @fn; the record may live on (see give_up()). */
static void answer(struct pending *p, int err, uint64_t seq)
{
	aud_done_fn fn = p->fn;

	p->fn = NULL;
	if (fn)
		fn(p->arg, err, seq);
}

static void pending_free(struct aud_writer *w, struct pending *p)
{
	if (p->phase == AUD_INTENT)
		w->intents_waiting--;
	json_decref(p->record);
	free(p);
}

/* ---------------------------------------------------------------- append */

bool aud_durable(const struct aud_writer *w, char *why)
{
	char none[HF_ERR_LEN];

	why = why ? why : none;
	why[0] = '\0';
	if (w->lost)
		snprintf(why, HF_ERR_LEN, "audit log cannot be written: %.200s", w->lost_why);
	else if (w->space >= AUD_SPACE_REFUSE)
		snprintf(why, HF_ERR_LEN, "audit log: %lld bytes free, %llu needed", (long long)w->free,
			 (unsigned long long)w->s.config.refuse_free);
	else if (w->carry.ack)
		snprintf(why, HF_ERR_LEN,
			 "audit log: break at record %llu waits for an Admin's acknowledgement",
			 (unsigned long long)w->carry.ack);
	return !why[0];
}

uint64_t aud_durable_seq(const struct aud_writer *w)
{
	return w->durable.seq;
}

void aud_tell_durable(struct aud_writer *w)
{
	char why[HF_ERR_LEN];
	bool durable = aud_durable(w, why);

	if (durable == w->told)
		return;
	w->told = durable;
	w->s.events.durable(w->s.arg, durable, why);
}

/* What must go through whatever is refused: making things quieter, and the way out of a break. */
static bool quiet(const char *action)
{
	const struct hf_op *op = hf_op_find(action);

	return !strcmp(action, "audit.acknowledge") || (op && op->flags & HF_OP_QUIET);
}

static int may_append(const struct aud_writer *w, const struct aud_say *say)
{
	if (say->phase == AUD_INTENT) {
		if (w->lost || (!aud_durable(w, NULL) && !quiet(say->action)))
			return -EROFS;
		if (w->carry.open_count + w->intents_waiting >= AUD_OPEN_MAX)
			return -ENOBUFS;
	}
	if (w->wait.count >= QUEUE_RECORDS || w->wait.bytes >= QUEUE_BYTES)
		return -ENOBUFS;
	return 0;
}

int aud_append(struct aud_writer *w, const struct aud_say *say, int owner, aud_done_fn fn,
	       void *arg)
{
	int ret = may_append(w, say);
	struct pending *p;

	if (ret) {
		w->dropped += say->phase != AUD_INTENT;
		return ret;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return -EINVAL;
	p->record = aud_record_new(say);
	if (!p->record) {
		free(p);
		return -EINVAL;
	}
	p->bytes = sizeof(*p) + json_dumpb(say->detail, NULL, 0, JSON_COMPACT);
	p->phase = say->phase;
	p->intent = say->intent;
	p->owner = owner;
	p->fn = w->lost ? NULL : fn;
	p->arg = arg;
	w->intents_waiting += p->phase == AUD_INTENT;
	queue_push(&w->wait, p);
	return w->lost ? -EIO : 0;
}

void aud_note_event(struct aud_writer *w, const char *action, const char *object,
		    const char *result, json_t *detail, aud_done_fn fn, void *arg)
{
	struct aud_say say = { .action = action, .object = object, .result = result,
			       .phase = AUD_EVENT, .detail = detail };
	int ret;

	say.actor = hf_actor_json(&hf_actor_self);
	ret = say.actor ? aud_append(w, &say, OWNER_NONE, fn, arg) : -ENOMEM;
	json_decref(say.actor);
	json_decref(detail);
	if (ret && ret != -EIO)
		aud_say(w, true, "audit.lost", "%s: %s", action, strerror(-ret));
	if (ret && fn)
		fn(arg, ret, 0);
}

/* Of those whose owner is @owner. */
void aud_unknown_outcomes(struct aud_writer *w, int owner)
{
	struct aud_say say = { .result = "unknown", .phase = AUD_OUTCOME };

	say.actor = hf_actor_json(&hf_actor_self);
	for (unsigned int i = 0; say.actor && i < w->carry.open_count; i++) {
		struct aud_open_intent *o = &w->carry.open[i];

		if (o->owner != owner)
			continue;
		say.action = o->action;
		say.object = o->object;
		say.intent = o->seq;
		if (!aud_append(w, &say, OWNER_NONE, NULL, NULL))
			o->owner = OWNER_CLOSING;
	}
	json_decref(say.actor);
}

void aud_owner_gone(struct aud_writer *w, int owner)
{
	/* Those still on their way become open when they are durable, and end then. */
	for (struct pending *p = w->wait.head; p; p = p->next)
		if (p->owner == owner)
			p->owner = OWNER_GONE;
	for (struct pending *p = w->batch.head; p; p = p->next)
		if (p->owner == owner)
			p->owner = OWNER_GONE;
	aud_unknown_outcomes(w, owner);
}

/* ------------------------------------------------------------------ loss */

/* The disk is given up until the next try: nobody waits for an answer that may never come. */
static void give_up(struct aud_writer *w, int err)
{
	struct queue keep;

	queue_init(&keep);
	w->lost = true;
	snprintf(w->lost_why, sizeof(w->lost_why), "%s", strerror(-err));
	w->retry_ns = aud_mono(w) + RETRY_NS;
	if (err == -ENOSPC || err == -EDQUOT)
		w->space = AUD_SPACE_FULL;
	aud_segment_leave(w);
	queue_return(&w->wait, &w->batch);
	while (w->wait.head) {
		struct pending *p = queue_pop(&w->wait);

		answer(p, -EIO, 0);
		if (p->phase == AUD_INTENT)
			pending_free(w, p);	/* its act will not take place */
		else
			queue_push(&keep, p);
	}
	queue_return(&w->wait, &keep);
	aud_say(w, true, "audit.not_durable", "%s", w->lost_why);
	aud_tell_durable(w);
}

static void say_dropped(struct aud_writer *w)
{
	uint64_t n = w->dropped;

	if (!n || w->wait.count >= QUEUE_RECORDS / 2)
		return;
	w->dropped = 0;
	aud_note_event(w, "audit.lost", "", "error", json_pack("{s:I}", "records", (json_int_t)n),
		       NULL, NULL);
}

static void try_again(struct aud_writer *w)
{
	int ret;

	if (!w->lost || aud_mono(w) < w->retry_ns)
		return;
	ret = aud_segment_begin(w, AUD_FAILOVER, w->lost_why);
	if (ret) {
		snprintf(w->lost_why, sizeof(w->lost_why), "%s", strerror(-ret));
		w->retry_ns = aud_mono(w) + RETRY_NS;
		return;
	}
	w->lost = false;
	if (w->space == AUD_SPACE_FULL)
		w->space = AUD_SPACE_REFUSE;	/* until the next look */
	aud_say(w, false, "audit.durable", "segment %llu", (unsigned long long)w->head.index);
	aud_tell_durable(w);
}

/* ---------------------------------------------------------------- commit */

static void rotate(struct aud_writer *w)
{
	int ret = aud_segment_begin(w, AUD_ROTATE, "");

	if (ret) {
		aud_say(w, true, "audit.rotate", "%s", strerror(-ret));
		give_up(w, ret);
	}
}

/* Puts @p behind what is in the batch. Return: 0; -ENOSPC: it does not fit; -errno: it never will. */
static int batch_add(struct aud_writer *w, struct pending *p)
{
	struct chain *c = &w->next;
	uint8_t leaf[AUD_HASH];
	ssize_t n = aud_record_text(p->record, c->seq + 1, hf_real_ns(w->s.clock), aud_mono(w),
				    w->boot_hex, w->text);
	size_t size = (size_t)n + AUD_FRAME;

	if (n < 0)
		return (int)n;
	/* A segment has one record at least, whatever its size. */
	if (w->at + w->len + size > w->limit && (w->len || w->records_here))
		return -ENOSPC;
	c->seq++;
	aud_chain_hash(c->hash, c->hash, c->seq, w->text, (size_t)n);
	aud_leaf_hash(leaf, w->text, (size_t)n);
	aud_tree_add(&c->tree, leaf);
	w->len += aud_record_put(w->buf + w->len, w->text, (size_t)n, c->hash, !w->len);
	p->seq = c->seq;
	return 0;
}

static void batch_build(struct aud_writer *w)
{
	w->len = w->sent = 0;
	while (w->wait.head && w->len < BATCH_BYTES) {
		int ret = batch_add(w, w->wait.head);

		if (ret == -ENOSPC)
			return;
		if (ret) {
			struct pending *p = queue_pop(&w->wait);

			w->dropped++;
			answer(p, -EINVAL, 0);
			pending_free(w, p);
			continue;
		}
		queue_push(&w->batch, queue_pop(&w->wait));
	}
}

static void follow(struct aud_writer *w, const struct pending *p)
{
	aud_carry_follow(&w->carry, p->phase, p->seq, p->intent, p->owner,
			 json_string_value(json_object_get(p->record, "action")),
			 json_string_value(json_object_get(p->record, "object")));
	if (p->phase == AUD_INTENT && p->owner == OWNER_GONE)
		aud_unknown_outcomes(w, OWNER_GONE);
}

static void batch_durable(struct aud_writer *w)
{
	uint64_t took_ns = aud_mono(w) - w->commit_ns;
	struct queue done = w->batch;

	/* Out of the batch first: whoever is answered may append again. */
	if (!done.head)
		done.tail = &done.head;
	queue_init(&w->batch);
	w->durable = w->next;
	w->at += w->len;
	w->seg[w->segs - 1].size = w->at;
	w->records_here += done.count;
	w->failovers = 0;
	w->commits++;
	hf_histogram_add(&w->commit_time, took_ns);
	w->s.events.committed(w->s.arg, took_ns);
	while (done.head) {
		struct pending *p = queue_pop(&done);

		follow(w, p);
		w->s.events.recorded(w->s.arg, p->record, p->seq);
		answer(p, 0, p->seq);
		pending_free(w, p);
	}
	aud_checkpoint_if_due(w, false);
}

/* The file is never used again; all that is not durable is written anew into another one. */
static void batch_failed(struct aud_writer *w, int err)
{
	int ret;

	w->failed_commits++;
	aud_say(w, true, "audit.commit", "segment %llu: %s", (unsigned long long)w->head.index,
		strerror(-err));
	queue_return(&w->wait, &w->batch);
	if (++w->failovers > FAILOVERS_MAX) {
		give_up(w, err);
		return;
	}
	ret = aud_segment_begin(w, AUD_FAILOVER, strerror(-err));
	if (ret)
		give_up(w, ret);
}

static void batch_done(struct aud_writer *w, const struct aud_done *done)
{
	w->busy = false;
	w->sent += done->written;
	if (done->err)
		batch_failed(w, done->err);
	else if (w->sent == w->len)
		batch_durable(w);
	else if (!done->written)
		batch_failed(w, -EIO);
	/* else: it was short; aud_run() sends the rest */
}

/* Something to send in w->buf? */
static bool batch_ready(struct aud_writer *w)
{
	if (w->batch.head)
		return true;
	if (!w->wait.head || w->lost)
		return false;
	batch_build(w);
	if (!w->batch.head && w->wait.head) {
		rotate(w);
		if (!w->lost)
			batch_build(w);
	}
	return w->batch.head != NULL;
}

void aud_run(struct aud_writer *w)
{
	struct aud_done done;

	try_again(w);
	say_dropped(w);
	while (!w->busy && batch_ready(w)) {
		w->busy = true;
		if (!w->sent)
			w->commit_ns = aud_mono(w);
		if (!w->s.io->ops->commit(w->s.io, w->fd, w->buf + w->sent, w->len - w->sent,
					  w->at + w->sent, &done))
			return;
		batch_done(w, &done);
	}
}

void aud_poll(struct aud_writer *w)
{
	struct aud_done done;

	if (!w->busy || !w->s.io->ops->poll(w->s.io, &done))
		return;
	batch_done(w, &done);
	aud_run(w);
}

uint64_t aud_tick(struct aud_writer *w)
{
	uint64_t now = aud_mono(w);

	if (!w->busy && !w->batch.head) {
		aud_space_tick(w);
		if (!w->lost && w->records_here && now - w->began_ns >= w->s.config.segment_ns)
			rotate(w);
	}
	aud_checkpoint_if_due(w, false);
	aud_checkpoint_sync(w);
	aud_run(w);
	return now + (w->s.config.checkpoint_ns < HF_S ? w->s.config.checkpoint_ns : HF_S);
}

/* ---------------------------------------------------------------- breaks */

struct acknowledgement {
	struct aud_writer *w;
	uint64_t seq;
	aud_done_fn fn;
	void *arg;
};

static void acknowledged(void *arg, int err, uint64_t seq)
{
	struct acknowledgement *a = arg;

	if (!err && a->w->carry.ack == a->seq) {
		a->w->carry.ack = 0;
		aud_tell_durable(a->w);
	}
	if (a->fn)
		a->fn(a->arg, err, seq);
	free(a);
}

int aud_acknowledge(struct aud_writer *w, json_t *actor, const struct hf_corr *corr,
		    const char *comment, aud_done_fn fn, void *arg)
{
	struct aud_say say = { .action = "audit.acknowledge", .object = "", .result = "ok",
			       .phase = AUD_EVENT, .actor = actor, .corr = *corr };
	struct acknowledgement *a;
	int ret;

	if (!w->carry.ack)
		return -ENOENT;
	a = malloc(sizeof(*a));
	if (!a)
		return -EINVAL;
	*a = (struct acknowledgement){ .w = w, .seq = w->carry.ack, .fn = fn, .arg = arg };
	say.detail = json_pack("{s:I, s:s}", "break", (json_int_t)a->seq, "comment", comment);
	ret = say.detail ? aud_append(w, &say, OWNER_NONE, acknowledged, a) : -EINVAL;
	json_decref(say.detail);
	if (ret)
		free(a);
	return ret;
}

static void break_written(void *arg, int err, uint64_t seq)
{
	struct aud_writer *w = arg;

	if (!err)
		w->carry.ack = seq;
	aud_tell_durable(w);
}

void aud_found_damage(struct aud_writer *w, uint64_t index, uint64_t seq, const char *why)
{
	struct aud_carry *c = &w->carry;

	if (aud_segment_broken(w, index) || c->broken_count >= AUD_BROKEN_MAX)
		return;
	c->broken[c->broken_count++] = index;
	c->ack = c->ack ? c->ack : w->durable.seq + 1;	/* at once, not only when it is written */
	aud_say(w, true, "audit.break", "segment %llu, record %llu: %s", (unsigned long long)index,
		(unsigned long long)seq, why);
	aud_note_event(w, "audit.break", "", "error",
		       json_pack("{s:I, s:I, s:s}", "segment", (json_int_t)index, "seq",
				 (json_int_t)seq, "why", why), break_written, w);
	aud_tell_durable(w);
}

bool aud_segment_broken(const struct aud_writer *w, uint64_t index)
{
	for (unsigned int i = 0; i < w->carry.broken_count; i++)
		if (w->carry.broken[i] == index)
			return true;
	return false;
}

/* --------------------------------------------------------------- outside */

static void say_past(struct aud_writer *w, json_t *said)
{
	json_t *e;
	size_t i;

	json_array_foreach(said, i, e) {
		const char *action = json_string_value(json_object_get(e, "action"));

		aud_note_event(w, action, "", json_string_value(json_object_get(e, "result")),
			       json_incref(json_object_get(e, "detail")),
			       strcmp(action, "audit.break") ? NULL : break_written, w);
	}
	aud_unknown_outcomes(w, OWNER_BEFORE);
}

static int begin(struct aud_writer *w, struct hf_err *e)
{
	json_t *said = json_array();
	int ret = aud_space_begin(w), reason;

	if (ret) {
		json_decref(said);
		return hf_fail(e, ret, "audit folder: %s", strerror(-ret));
	}
	reason = aud_recover(w, said, e);
	if (reason < 0) {
		json_decref(said);
		return reason;
	}
	ret = aud_segment_begin(w, (enum aud_reason)reason, "");
	if (ret)
		hf_fail(e, ret, "new audit segment: %s", strerror(-ret));
	else
		say_past(w, said);
	w->cp_seq = w->durable.seq - 1;	/* the new segment's first record asks for a checkpoint */
	w->cp_ns = aud_mono(w);
	json_decref(said);
	return ret;
}

int aud_writer_open(struct aud_writer **out, const struct aud_setup *setup, struct hf_err *e)
{
	struct aud_writer *w = calloc(1, sizeof(*w));
	int ret;

	if (!w)
		return -ENOMEM;
	w->s = *setup;
	w->fd = w->cp_fd = -1;
	w->told = true;		/* owners begin with the belief that it is */
	queue_init(&w->wait);
	queue_init(&w->batch);
	aud_hex(setup->boot, AUD_ID, w->boot_hex);
	w->buf = malloc(BATCH_BYTES + AUD_PAYLOAD_MAX + AUD_FRAME);
	w->text = malloc(AUD_PAYLOAD_MAX);
	ret = w->buf && w->text ? begin(w, e) : -ENOMEM;
	if (ret) {
		aud_writer_free(w);
		return ret;
	}
	aud_tell_durable(w);
	*out = w;
	return 0;
}

static void drop_all(struct aud_writer *w, struct queue *q)
{
	while (q->head) {
		struct pending *p = queue_pop(q);

		answer(p, -ECANCELED, 0);
		pending_free(w, p);
	}
}

void aud_writer_free(struct aud_writer *w)
{
	if (!w)
		return;
	drop_all(w, &w->batch);
	drop_all(w, &w->wait);
	if (w->cp_fd >= 0)
		w->s.io->ops->close(w->s.io, w->cp_fd);
	if (w->fd >= 0)
		w->s.io->ops->close(w->s.io, w->fd);
	free(w->seg);
	free(w->buf);
	free(w->text);
	free(w);
}

void aud_writer_configure(struct aud_writer *w, const struct aud_config *c)
{
	uint64_t reserve = w->s.config.reserve_bytes;

	w->s.config = *c;
	w->s.config.reserve_bytes = reserve;
}

bool aud_idle(const struct aud_writer *w)
{
	return !w->busy && !w->batch.head && (!w->wait.head || w->lost);
}

void aud_writer_close(struct aud_writer *w)
{
	aud_segment_leave(w);
}

const struct aud_segment *aud_segments(const struct aud_writer *w, size_t *count)
{
	*count = w->segs;
	return w->seg;
}

const struct aud_note *aud_newest_note(const struct aud_writer *w, struct aud_checkpoint *cp)
{
	if (!w->note.len)
		return NULL;
	*cp = w->cp;
	return &w->note;
}

struct hf_finding aud_room(const struct aud_writer *w)
{
	static const enum hf_health health[] = {
		[AUD_SPACE_OK] = HF_HEALTH_OK, [AUD_SPACE_WARN] = HF_HEALTH_WARN,
		[AUD_SPACE_REFUSE] = HF_HEALTH_FAIL, [AUD_SPACE_FULL] = HF_HEALTH_FAIL,
	};

	return hf_finding(health[w->space], (double)w->free, (double)w->s.config.refuse_free,
			  "%" PRIu64 " MB are free for the audit log, nothing may arm below %" PRIu64 " MB",
			  w->free / 1000000, w->s.config.refuse_free / 1000000);
}

json_t *aud_stats(const struct aud_writer *w)
{
	char why[HF_ERR_LEN];
	bool durable = aud_durable(w, why);

	return json_pack("{s:b, s:s, s:I, s:I, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o}",
			 "durable", durable, "why", why,
			 "durable_seq", (json_int_t)w->durable.seq,
			 "waiting", (json_int_t)(w->wait.count + w->batch.count),
			 "segments", (json_int_t)w->segs,
			 "space", aud_space_name(w->space), "io", w->s.io->ops->name,
			 "free_bytes", (json_int_t)w->free, "commits", (json_int_t)w->commits,
			 "failed_commits", (json_int_t)w->failed_commits,
			 "dropped", (json_int_t)w->dropped,
			 "checkpoint_seq", (json_int_t)(w->note.len ? w->cp_seq : 0),
			 "break_seq", (json_int_t)w->carry.ack,
			 "open_intents", (json_int_t)w->carry.open_count,
			 "anchored_seq", (json_int_t)(w->anchored ? w->head.chain_seq0 + w->anchored - 1 : 0),
			 "held", w->held, "commit_time", hf_histogram_json(&w->commit_time));
}
