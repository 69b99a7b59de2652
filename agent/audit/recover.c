// SPDX-License-Identifier: GPL-2.0
/*
 * Start-up: where does the log end, and is its end what it was? A torn tail is
 * cut; anything else that does not fit leaves the files as they are and begins
 * a new chain. Only the last segment is read whole here; older ones are read
 * later, beside the work (scrub.c).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* No record is smaller: so many numbers may be taken in a file that cannot be read. */
#define RECORD_LEAST	256
#define CP_FILE_MAX	(64 * 1024 * 1024)

/**
 * struct past - what was found
 * @last:	index of the last segment, 0: none
 * @known_seq:	highest sequence number that was ever seen, also in checkpoints
 * @cp:		the newest checkpoint of @last's chain, @cp_found: there is one
 * @damage:	"" or why the chain cannot be continued
 */
struct past {
	struct aud_writer *w;
	uint64_t *log, *cps;	/* indices of files */
	size_t logs, cp_files;
	uint64_t last;
	uint64_t known_seq;
	bool cp_found;
	uint64_t cp_index;	/* of the file it is in */
	struct aud_checkpoint cp;
	uint64_t last_bytes;
	bool headless;		/* the last one has no valid header */
	char damage[HF_ERR_LEN];
	bool out_of_memory;
};

static int damaged(struct past *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int damaged(struct past *p, const char *fmt, ...)
{
	va_list ap;

	if (p->damage[0])
		return 0;	/* the first one counts */
	va_start(ap, fmt);
	vsnprintf(p->damage, sizeof(p->damage), fmt, ap);
	va_end(ap);
	return 0;
}

static int past_event(json_t *said, const char *action, const char *result, json_t *detail)
{
	return json_array_append_new(said, json_pack("{s:s, s:s, s:o}", "action", action, "result",
						     result, "detail", detail)) ? -ENOMEM : 0;
}

/* ----------------------------------------------------------------- files */

static void add(uint64_t **list, size_t *n, uint64_t index, bool *oom)
{
	uint64_t *more = realloc(*list, (*n + 1) * sizeof(**list));

	if (!more) {
		*oom = true;
		return;
	}
	*list = more;
	more[(*n)++] = index;
}

static void found(void *arg, const char *name, uint64_t size)
{
	struct past *p = arg;
	uint64_t index = aud_name_index(name, ".log");

	(void)size;
	if (index)
		add(&p->log, &p->logs, index, &p->out_of_memory);
	index = aud_name_index(name, ".cp");
	if (index)
		add(&p->cps, &p->cp_files, index, &p->out_of_memory);
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int list_files(struct past *p)
{
	int ret = p->w->s.io->ops->list(p->w->s.io, found, p);

	if (!ret && p->out_of_memory)
		ret = -ENOMEM;
	if (p->logs)
		qsort(p->log, p->logs, sizeof(*p->log), ascending);
	if (p->cp_files)
		qsort(p->cps, p->cp_files, sizeof(*p->cps), ascending);
	return ret;
}

static int open_log(struct past *p, uint64_t index)
{
	char name[AUD_NAME];

	aud_name(name, index, ".log");
	return p->w->s.io->ops->open(p->w->s.io, name);
}

/* ----------------------------------------------------------- checkpoints */

/*
 * The last good note in one file. What is behind it is cut off: they are not synced one by one, so
 * that lost power can leave holes. (Who wants to take evidence away can cut by himself.)
 */
static int read_notes(struct past *p, int fd, const char *name, json_t *said)
{
	struct aud_io *io = p->w->s.io;
	int64_t size = io->ops->size(io, fd);
	struct aud_checkpoint cp;
	size_t at = 0, used;
	char *text;
	int ret;

	if (size < 0 || size > CP_FILE_MAX)
		return size < 0 ? (int)size : damaged(p, "%s: %lld bytes are no checkpoints", name,
						      (long long)size);
	text = malloc((size_t)size + 1);
	if (!text)
		return -ENOMEM;
	ret = aud_read_all(io, fd, text, (size_t)size, 0);
	while (!ret && at < (size_t)size) {
		ret = aud_note_read(p->w->s.key, text + at, (size_t)size - at, &cp, &used);
		if (ret)
			break;
		p->cp = cp;
		p->cp_found = true;
		at += used;
	}
	free(text);
	if (ret != -EAGAIN && ret != -EBADMSG)
		return ret;
	ret = io->ops->truncate(io, fd, at);
	aud_say(p->w, false, "audit.recovered", "%s: %zu bytes that are no checkpoints cut off", name,
		(size_t)size - at);
	return ret ? ret : past_event(said, "audit.recovered", "ok",
				      json_pack("{s:s, s:I}", "file", name, "cut_bytes",
						(json_int_t)((size_t)size - at)));
}

static int newest_checkpoint(struct past *p, json_t *said)
{
	struct aud_io *io = p->w->s.io;
	char name[AUD_NAME];
	int fd, ret = 0;

	for (size_t i = p->cp_files; i-- > 0 && !p->cp_found && !ret;) {
		aud_name(name, p->cps[i], ".cp");
		fd = io->ops->open(io, name);
		if (fd < 0)
			return fd;
		ret = read_notes(p, fd, name, said);
		io->ops->close(io, fd);
		if (p->cp_found)
			p->cp_index = p->cps[i];
	}
	return ret;
}

/* ---------------------------------------------------------- last segment */

/* Where a scan of the last segment has got to. */
struct tail {
	struct past *p;
	struct aud_cursor cur;
	struct chain end;
	bool first;
	uint64_t cut;		/* bytes behind the last good record, 0: none */
};

static void remember_broken(struct aud_carry *c, uint64_t index)
{
	for (unsigned int i = 0; i < c->broken_count; i++)
		if (c->broken[i] == index)
			return;
	if (c->broken_count == AUD_BROKEN_MAX)
		memmove(c->broken, c->broken + 1, --c->broken_count * sizeof(c->broken[0]));
	c->broken[c->broken_count++] = index;
}

/* One intact frame: does it belong here? Return: 0, -EILSEQ: no. */
static int take_record(struct tail *t, const struct aud_frame *f)
{
	struct aud_writer *w = t->p->w;
	uint8_t hash[AUD_HASH], leaf[AUD_HASH], root[AUD_HASH];
	uint64_t seq = t->end.seq + 1;
	json_t *j = json_loadb((const char *)f->payload, f->len, JSON_REJECT_DUPLICATES, NULL);
	const char *action = json_string_value(json_object_get(j, "action"));
	const char *object = json_string_value(json_object_get(j, "object"));
	int phase = aud_phase_parse(json_string_value(json_object_get(j, "phase")));
	int ret = 0;

	aud_chain_hash(hash, t->end.hash, seq, f->payload, f->len);
	if (memcmp(hash, f->hash, AUD_HASH) || !action || !object || phase < 0 ||
	    (uint64_t)json_integer_value(json_object_get(j, "seq")) != seq)
		ret = -EILSEQ;
	if (!ret && t->first) {
		ret = aud_carry_get(&w->carry, json_object_get(j, "detail"));
		t->end.tree = w->carry.tree;
	}
	if (!ret) {
		t->first = false;
		memcpy(t->end.hash, hash, AUD_HASH);
		t->end.seq = seq;
		aud_leaf_hash(leaf, f->payload, f->len);
		aud_tree_add(&t->end.tree, leaf);
		aud_carry_follow(&w->carry, (enum aud_phase)phase, seq, (uint64_t)
				 json_integer_value(json_object_get(j, "intent")),
				 OWNER_BEFORE, action, object);
		if (!strcmp(action, "audit.break")) {
			w->carry.ack = seq;
			remember_broken(&w->carry, (uint64_t)json_integer_value(json_object_get(
						json_object_get(j, "detail"), "segment")));
		}
		if (!strcmp(action, "audit.acknowledge"))
			w->carry.ack = 0;
	}
	json_decref(j);
	if (!ret && t->p->cp_found && t->p->cp.size == t->end.tree.size &&
	    !memcmp(t->p->cp.chain, w->head.chain, AUD_ID)) {
		aud_tree_root(&t->end.tree, root);
		if (memcmp(root, t->p->cp.root, AUD_HASH))
			ret = -EILSEQ;
	}
	return ret;
}

/* Up to which record is the log known to have been durable? */
static uint64_t signed_seq(const struct past *p)
{
	const struct aud_header *h = &p->w->head;

	if (!p->cp_found || memcmp(p->cp.chain, h->chain, AUD_ID))
		return 0;
	return h->chain_seq0 + p->cp.size - 1;
}

static int behind_last(struct tail *t, int stopped, uint64_t size)
{
	int blank = aud_cursor_blank(&t->cur), follows;

	if (blank < 0)
		return blank;
	if (blank && signed_seq(t->p) <= t->end.seq)
		return 0;
	follows = blank ? 0 : aud_cursor_commit_follows(&t->cur);
	if (follows < 0)
		return follows;
	if (signed_seq(t->p) > t->end.seq)
		return damaged(t->p, "record %" PRIu64 " is signed but the log ends with %" PRIu64,
			       signed_seq(t->p), t->end.seq);
	if (follows)
		return damaged(t->p, "segment %" PRIu64 ", byte %" PRIu64 ": record %" PRIu64
			       " is damaged (%s)", t->p->last, t->cur.at, t->end.seq + 1,
			       stopped == 1 ? "blank" : "checksum");
	t->cut = size - t->cur.at;
	return 0;
}

static int scan_last(struct tail *t, int fd)
{
	struct aud_writer *w = t->p->w;
	int64_t size = w->s.io->ops->size(w->s.io, fd);
	struct aud_frame f;
	int ret;

	if (size < 0)
		return (int)size;
	t->first = true;
	t->end.seq = w->head.seq0 - 1;
	memcpy(t->end.hash, w->head.prev, AUD_HASH);
	ret = aud_cursor_init(&t->cur, w->s.io, fd, AUD_HEADER, (uint64_t)size);
	if (ret)
		return ret;
	while (!(ret = aud_cursor_next(&t->cur, &f))) {
		ret = take_record(t, &f);
		if (ret)
			break;
	}
	/* Where the checksum is right, a wrong hash or text is no torn write. */
	if (ret == -EILSEQ)
		ret = damaged(t->p, "segment %" PRIu64 ": record %" PRIu64
			      " does not follow from the one before", t->p->last, t->end.seq + 1);
	else if (ret == 1 || ret == -EBADMSG)
		ret = behind_last(t, ret, (uint64_t)size);
	return ret;
}

/* ---------------------------------------------------------------- verdict */

static int new_chain(struct past *p, json_t *said)
{
	struct aud_writer *w = p->w;
	uint64_t last = w->durable.seq;
	int ret = hf_random_fill(w->s.random, w->head.chain, AUD_ID);

	memcpy(w->head.host, w->s.host, AUD_ID);
	if (signed_seq(p) > last)
		last = signed_seq(p);
	if (p->known_seq > last)
		last = p->known_seq;
	last += p->damage[0] ? p->last_bytes / RECORD_LEAST : 0;
	w->durable = (struct chain){ .seq = last };
	w->head.chain_seq0 = last + 1;
	if (ret || !p->damage[0])
		return ret ? ret : AUD_START;
	w->head.index = p->logs ? p->log[p->logs - 1] : 0;
	if (p->cp_files && p->cps[p->cp_files - 1] > w->head.index)
		w->head.index = p->cps[p->cp_files - 1];
	remember_broken(&w->carry, p->last);
	w->carry.ack = last + 2;	/* behind the segment's first record */
	aud_say(w, true, "audit.break", "%s", p->damage);
	ret = past_event(said, "audit.break", "error",
			 json_pack("{s:I, s:I, s:s}", "segment", (json_int_t)p->last, "seq",
				   (json_int_t)last, "why", p->damage));
	return ret ? ret : AUD_BREAK;
}

static int cut_tail(struct past *p, struct tail *t, int fd, json_t *said)
{
	struct aud_io *io = p->w->s.io;
	int ret;

	if (t->cut) {
		ret = io->ops->truncate(io, fd, t->cur.at);
		if (!ret)
			ret = io->ops->sync(io, fd);
		if (ret)
			return ret;
		aud_say(p->w, false, "audit.recovered", "segment %" PRIu64 ": %" PRIu64
			" bytes behind record %" PRIu64 " cut off", p->last, t->cut, t->end.seq);
		return past_event(said, "audit.recovered", "ok",
				  json_pack("{s:I, s:I, s:I}", "segment", (json_int_t)p->last,
					    "cut_bytes", (json_int_t)t->cut, "last_good",
					    (json_int_t)t->end.seq));
	}
	/* Allocated space is given back; if that fails it stays, and is no error. */
	if (io->ops->truncate(io, fd, t->cur.at))
		aud_say(p->w, false, "audit.truncate", "segment %" PRIu64, p->last);
	return 0;
}

/* A file whose first commit never became durable; nothing was acknowledged from it. */
static int drop_unborn(struct past *p, uint64_t size, json_t *said)
{
	char name[AUD_NAME];
	int ret;

	aud_name(name, p->last, ".log");
	ret = p->w->s.io->ops->remove(p->w->s.io, name);
	if (ret)
		return ret;
	p->logs--;
	aud_say(p->w, false, "audit.recovered", "%s: begun, but never used", name);
	return past_event(said, "audit.recovered", "ok",
			  json_pack("{s:I, s:I, s:I}", "segment", (json_int_t)p->last, "cut_bytes",
				    (json_int_t)size, "last_good", (json_int_t)p->known_seq));
}

/* Is there nothing in the file that ever counted? Return: 1, 0, -errno. */
static int unborn(struct past *p, int fd, uint64_t size)
{
	struct aud_cursor c;
	int ret = aud_cursor_init(&c, p->w->s.io, fd, 0, size);

	if (ret)
		return ret;
	ret = aud_cursor_commit_follows(&c);
	aud_cursor_free(&c);
	if (ret < 0)
		return ret;
	return !ret && p->cp_index < p->last;
}

/* Return: 1: look at the segment before it instead; 0; -errno. */
static int look_at_last(struct past *p, json_t *said)
{
	struct aud_io *io = p->w->s.io;
	struct tail *t = calloc(1, sizeof(*t));
	int fd = open_log(p, p->last), ret;
	int64_t size = fd < 0 ? fd : io->ops->size(io, fd);

	p->last_bytes = size < 0 ? 0 : (uint64_t)size;
	ret = !t ? -ENOMEM : size < 0 ? (int)size : unborn(p, fd, (uint64_t)size);
	if (ret == 1) {
		ret = drop_unborn(p, (uint64_t)size, said);
		ret = ret ? ret : 1;
	} else if (!ret && aud_segment_head(io, fd, &p->w->head, NULL)) {
		p->headless = true;
		damaged(p, "segment %" PRIu64 ": no valid header", p->last);
	} else if (!ret) {
		t->p = p;
		ret = scan_last(t, fd);
		if (!ret && !p->damage[0])
			ret = cut_tail(p, t, fd, said);
		p->w->durable = t->end;
		aud_cursor_free(&t->cur);
	}
	if (fd >= 0)
		io->ops->close(io, fd);
	free(t);
	return ret;
}

/* Where the newest chain begins behind a recorded break; what is before that is known. */
static size_t after_break(struct past *p)
{
	struct aud_header h;
	size_t i;

	for (i = p->logs; i-- > 0;) {
		int fd = open_log(p, p->log[i]), ret;

		if (fd < 0)
			continue;
		ret = aud_segment_head(p->w->s.io, fd, &h, NULL);
		p->w->s.io->ops->close(p->w->s.io, fd);
		if (!ret && h.reason == AUD_BREAK)
			return i;
	}
	return 0;
}

/* Is what is wrong with this header already on record? */
static bool known(const struct past *p, size_t i, size_t from)
{
	return i < from || aud_segment_broken(p->w, p->log[i]);
}

/* @before: the header before it, index 0: none. */
static int look_at_header(struct past *p, size_t i, size_t from, struct aud_header *before)
{
	struct aud_io *io = p->w->s.io;
	int fd = open_log(p, p->log[i]), bad;
	struct aud_header h;
	int64_t size;

	if (fd < 0)
		return fd;
	size = io->ops->size(io, fd);
	bad = aud_segment_head(io, fd, &h, NULL);
	io->ops->close(io, fd);
	if (i > from && p->log[i] != p->log[i - 1] + 1)
		damaged(p, "segment %" PRIu64 " is missing", p->log[i - 1] + 1);
	if (bad && !known(p, i, from))
		damaged(p, "segment %" PRIu64 ": no valid header", p->log[i]);
	if (bad)
		return 0;
	if ((h.index != p->log[i] || (before->index && h.seq0 <= before->seq0 &&
				      h.reason != AUD_FAILOVER)) && !known(p, i, from))
		damaged(p, "segment %" PRIu64 ": is not the one of that number", p->log[i]);
	*before = h;
	if (h.seq0 - 1 > p->known_seq)
		p->known_seq = h.seq0 - 1;
	return aud_segment_add(p->w, &h, (uint64_t)size);
}

static int look_at_headers(struct past *p)
{
	size_t from = after_break(p);
	struct aud_header before = { 0 };
	int ret = 0;

	for (size_t i = 0; i < p->logs && !ret; i++)
		ret = look_at_header(p, i, from, &before);
	if (p->headless)
		p->w->head = before;
	return ret;
}

static int look(struct past *p, json_t *said)
{
	int ret = list_files(p);

	if (!ret)
		ret = newest_checkpoint(p, said);
	while (!ret && p->logs) {
		p->last = p->log[p->logs - 1];
		ret = look_at_last(p, said);
		if (ret != 1)
			break;
		ret = 0;
	}
	if (!p->logs)
		p->last = 0;
	if (!ret && p->cp_found && p->cp_index > p->last)
		damaged(p, "segment %" PRIu64 " is missing, but its checkpoints are here",
			p->cp_index);
	return ret ? ret : look_at_headers(p);
}

int aud_recover(struct aud_writer *w, json_t *said, struct hf_err *e)
{
	struct past p = { .w = w };
	int ret = look(&p, said);

	if (ret)
		hf_fail(e, ret, "audit log, segment %" PRIu64 ": %s", p.last, strerror(-ret));
	else if (p.damage[0] || !p.last)
		ret = new_chain(&p, said);
	else
		ret = AUD_START;
	free(p.log);
	free(p.cps);
	return ret;
}
