// SPDX-License-Identifier: GPL-2.0
/*
 * The judge of an audit log: does each record follow from the one before, each
 * segment from the one before, and does the whole say what the signed
 * checkpoints say? The first thing that is wrong decides; a new chain behind a
 * recorded break is read on.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify.h"

enum { START = 1, ROTATE = 2, FAILOVER = 3, BREAK = 4 };

#define HEADER	256
#define CP_MAX	(256UL * 1024 * 1024)

static const struct vfy_file *file(const struct vfy *v)
{
	return &v->in->log[v->seg];
}

/* ---------------------------------------------------------------- points */

enum vfy_code vfy_points_parse(const struct vfy_key *keys, int n, const char *text, size_t len,
			       struct vfy_points *out, size_t *at)
{
	for (*at = 0; *at < len;) {
		struct vfy_point point = { .met = false }, *more;
		size_t used;
		enum vfy_note_result r = vfy_note_read(keys, n, text + *at, len - *at, &point.note,
						       &used);

		if (r != VFY_NOTE_OK)
			return r == VFY_NOTE_CUT ? VFY_TORN : VFY_SIGNATURE;
		more = realloc(out->p, (out->n + 1) * sizeof(*more));
		if (!more)
			return VFY_IO;
		out->p = more;
		more[out->n++] = point;
		*at += used;
	}
	return VFY_OK;
}

static int by_size(const void *a, const void *b)
{
	const struct vfy_point *x = a, *y = b;

	return x->note.size < y->note.size ? -1 : x->note.size > y->note.size;
}

void vfy_points_sort(struct vfy_points *p)
{
	if (p->n)
		qsort(p->p, p->n, sizeof(*p->p), by_size);
}

/* --------------------------------------------------------------- verdicts */

static void where(struct vfy *v, enum vfy_code code, uint64_t seq, const char *fmt, va_list ap)
{
	/* The first one counts; but who cuts a log off need not do it between two records. */
	if (v->code != VFY_OK && (v->code != VFY_TORN || code == VFY_TORN))
		return;
	v->code = code;
	v->bad_seq = seq;
	v->bad_file = v->seg < v->in->logs ? file(v)->index : 0;
	v->bad_at = v->at;
	vsnprintf(v->text, sizeof(v->text), fmt, ap);
}

static void __attribute__((format(printf, 4, 5)))
fail(struct vfy *v, enum vfy_code code, uint64_t seq, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	where(v, code, seq, fmt, ap);
	va_end(ap);
	v->in_segment = false;
	/* Behind a recorded break there is a chain of its own. */
	for (v->seg++; v->seg < v->in->logs; v->seg++) {
		struct vfy_header h;

		if (!vfy_header_read(file(v), &h) && h.reason == BREAK)
			return;
	}
	v->done = true;
}

/* Wrong, but no reason to stop reading. */
static void __attribute__((format(printf, 4, 5)))
note(struct vfy *v, enum vfy_code code, uint64_t seq, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	where(v, code, seq, fmt, ap);
	va_end(ap);
}

/* ------------------------------------------------------------ checkpoints */

static bool load_points(struct vfy *v, const struct vfy_file *cp)
{
	size_t at = 0;
	char *text;
	enum vfy_code code;

	free(v->points.p);
	v->points = (struct vfy_points){ NULL, 0 };
	v->next_point = 0;
	text = cp->size > CP_MAX ? NULL : malloc((size_t)cp->size + 1);
	if (!text || cp->read(cp, text, (size_t)cp->size, 0) != (ssize_t)cp->size) {
		free(text);
		fail(v, VFY_IO, 0, "checkpoints of segment %" PRIu64 ": cannot be read", cp->index);
		return false;
	}
	code = vfy_points_parse(v->in->keys, v->in->key_count, text, (size_t)cp->size, &v->points,
				&at);
	free(text);
	v->checkpoints += v->points.n;
	if (code == VFY_TORN)
		note(v, VFY_TORN, 0, "checkpoints of segment %" PRIu64
		     ": the last one, at byte %zu, is incomplete", cp->index, at);
	else if (code != VFY_OK)
		fail(v, code, 0, "checkpoints of segment %" PRIu64
		     ", byte %zu: not signed by the given key", cp->index, at);
	return code == VFY_OK || code == VFY_TORN;
}

static bool points_of_segment(struct vfy *v)
{
	for (size_t i = 0; i < v->in->cps; i++)
		if (v->in->cp[i].index == file(v)->index)
			return load_points(v, &v->in->cp[i]);
	free(v->points.p);
	v->points = (struct vfy_points){ NULL, 0 };
	v->next_point = 0;
	return true;
}

static bool same_chain(const struct vfy *v, const struct vfy_note *n)
{
	return !memcmp(n->chain, v->h.chain, VFY_ID) && !memcmp(n->host, v->h.host, VFY_ID);
}

/* The records that the checkpoints of this segment have signed. */
static uint64_t signed_size(const struct vfy *v)
{
	return v->points.n ? v->points.p[v->points.n - 1].note.size : 0;
}

static bool meet_points(struct vfy *v)
{
	uint8_t root[VFY_HASH];
	bool have_root = false;

	while (v->next_point < v->points.n &&
	       v->points.p[v->next_point].note.size <= v->tree.size) {
		const struct vfy_note *n = &v->points.p[v->next_point].note;

		if (!have_root)
			vfy_tree_root(&v->tree, root);
		have_root = true;
		if (n->size != v->tree.size || !same_chain(v, n) || memcmp(n->root, root, VFY_HASH)) {
			fail(v, VFY_TAMPER, v->seq, "record %" PRIu64
			     ": the signed checkpoint of %" PRIu64 " records has another root",
			     v->seq, n->size);
			return false;
		}
		v->next_point++;
	}
	return true;
}

static bool meet_anchors(struct vfy *v)
{
	struct vfy_points *a = &v->in->anchors;
	uint8_t root[VFY_HASH];

	for (size_t i = 0; i < a->n; i++) {
		struct vfy_point *p = &a->p[i];

		if (p->note.size != v->tree.size || !same_chain(v, &p->note))
			continue;
		vfy_tree_root(&v->tree, root);
		if (memcmp(p->note.root, root, VFY_HASH)) {
			fail(v, VFY_ROLLBACK, v->seq, "record %" PRIu64 ": the anchor of %" PRIu64
			     " records has another root: the log was written anew", v->seq,
			     p->note.size);
			return false;
		}
		p->met = true;
	}
	return true;
}

/* --------------------------------------------------------------- segments */

static bool next_header(const struct vfy *v, struct vfy_header *h)
{
	return v->seg + 1 < v->in->logs && !vfy_header_read(file(v) + 1, h);
}

/* Is there a key with this id among those given? */
static bool key_known(const struct vfy *v, const uint8_t id[VFY_HASH])
{
	for (int i = 0; i < v->in->key_count; i++)
		if (!memcmp(v->in->keys[i].id, id, VFY_HASH))
			return true;
	return false;
}

static void no_header(struct vfy *v)
{
	int follows = vfy_commit_follows(v->in, file(v), 0);
	bool last = v->seg + 1 == v->in->logs;

	if (follows < 0)
		fail(v, VFY_IO, 0, "segment %" PRIu64 ": cannot be read", file(v)->index);
	else if (last && !follows && !signed_size(v))
		fail(v, VFY_TORN, v->seq + 1, "segment %" PRIu64 ": begun, but nothing in it is whole",
		     file(v)->index);
	else
		fail(v, VFY_TAMPER, v->seq + 1, "segment %" PRIu64 ": its header is damaged",
		     file(v)->index);
}

/* Does this segment follow from what was read before? */
static bool follows(struct vfy *v, const struct vfy_header *h)
{
	uint64_t index = file(v)->index;
	bool same = !memcmp(h->chain, v->h.chain, VFY_ID) && h->chain_seq0 == v->h.chain_seq0;

	if (h->reason == BREAK)
		return true;
	if (!same || memcmp(h->host, v->h.host, VFY_ID))
		fail(v, VFY_TAMPER, h->seq0, "segment %" PRIu64
		     " belongs to another chain, but records no break", index);
	else if (h->seq0 > v->seq + 1)
		fail(v, VFY_GAP, v->seq + 1, "records %" PRIu64 " to %" PRIu64
		     " are missing before segment %" PRIu64, v->seq + 1, h->seq0 - 1, index);
	else if (h->seq0 != v->seq + 1 || memcmp(h->prev, v->hash, VFY_HASH))
		fail(v, VFY_TAMPER, h->seq0, "segment %" PRIu64
		     " does not follow from the record before it", index);
	else
		return true;
	return false;
}

static bool start_chain(struct vfy *v, const struct vfy_header *h)
{
	static const uint8_t none[VFY_HASH];

	v->started = true;
	v->seq = h->seq0 - 1;
	memcpy(v->hash, h->prev, VFY_HASH);
	memset(&v->tree, 0, sizeof(v->tree));
	if (h->seq0 != h->chain_seq0 || !memcmp(h->prev, none, VFY_HASH))
		return true;
	fail(v, VFY_TAMPER, h->seq0, "segment %" PRIu64
	     " begins a chain, but names a record before it", file(v)->index);
	return false;
}

static void begin_segment(struct vfy *v)
{
	struct vfy_header h, next;
	bool had = v->segments > 0;

	if (!points_of_segment(v))
		return;
	if (had && file(v)->index != file(v)[-1].index + 1 && !v->code) {
		v->seg--;	/* this one may be the beginning of a new chain */
		fail(v, VFY_GAP, v->seq + 1, "segment %" PRIu64 " is missing", file(v)->index + 1);
		return;
	}
	if (vfy_header_read(file(v), &h)) {
		no_header(v);
		return;
	}
	if (h.index != file(v)->index) {
		fail(v, VFY_TAMPER, h.seq0, "segment %" PRIu64 " says that it is number %" PRIu64,
		     file(v)->index, h.index);
		return;
	}
	if (!key_known(v, h.key)) {
		fail(v, VFY_SIGNATURE, h.seq0, "segment %" PRIu64 " names a key that is not given",
		     h.index);
		return;
	}
	if (v->started && !follows(v, &h))
		return;
	if (!v->started || h.reason == BREAK) {
		v->breaks += h.reason == BREAK;
		if (!had) {
			v->first_seq = h.seq0;
			if (h.index > 1 && !v->in->from)
				v->pruned_to = h.seq0 - 1;
		}
		if (!start_chain(v, &h))
			return;
	}
	v->stop = UINT64_MAX;
	if (next_header(v, &next) && next.reason == FAILOVER &&
	    !memcmp(next.chain, h.chain, VFY_ID)) {
		v->stop = next.seq0 - 1;
		if (v->stop < h.seq0 - 1) {
			fail(v, VFY_TAMPER, next.seq0, "segment %" PRIu64
			     " takes the place of records of an earlier segment", next.index);
			return;
		}
	}
	v->h = h;
	v->segments++;
	v->at = HEADER;
	v->first = v->in_segment = true;
}

static void end_segment(struct vfy *v)
{
	bool last = v->seg + 1 == v->in->logs;
	struct vfy_header next;
	bool before_break = next_header(v, &next) && next.reason == BREAK;

	if (v->next_point < v->points.n && (last || before_break || v->stop != UINT64_MAX)) {
		fail(v, VFY_ROLLBACK, v->seq + 1, "a signed checkpoint knows %" PRIu64
		     " records, but the log ends after %" PRIu64 " (record %" PRIu64 ")",
		     signed_size(v), v->tree.size, v->seq);
		return;
	}
	v->in_segment = false;
	v->seg++;
}

/* Nothing intact at v->at. */
static void bad_record(struct vfy *v, enum vfy_frame_result r)
{
	bool last = v->seg + 1 == v->in->logs;
	int blank = vfy_blank(v->in, file(v), v->at);
	int follows = blank ? 0 : vfy_commit_follows(v->in, file(v), v->at);

	if (r == VFY_FRAME_IO || blank < 0 || follows < 0)
		fail(v, VFY_IO, v->seq + 1, "segment %" PRIu64 ": cannot be read", file(v)->index);
	else if (v->first && !(last && !follows && !signed_size(v)))
		fail(v, VFY_TAMPER, v->seq + 1, "segment %" PRIu64 ": its first record (%" PRIu64
		     ") is damaged", file(v)->index, v->seq + 1);
	else if (blank && !v->first)
		end_segment(v);
	else if (last && !follows && signed_size(v) <= v->tree.size)
		fail(v, VFY_TORN, v->seq + 1, "segment %" PRIu64 ": %" PRIu64
		     " bytes behind record %" PRIu64 " are no whole commit", file(v)->index,
		     file(v)->size - v->at, v->seq);
	else
		fail(v, VFY_TAMPER, v->seq + 1, "record %" PRIu64
		     " is damaged (segment %" PRIu64 ", byte %" PRIu64 ")", v->seq + 1,
		     file(v)->index, v->at);
}

/* ---------------------------------------------------------------- records */

static const char *const members[] = {
	"action", "actor", "boot", "corr", "detail", "intent", "mono_ns", "object", "phase",
	"result", "seq", "t_ns",
};

#define MEMBERS	(sizeof(members) / sizeof(members[0]))
enum { M_ACTION = 0, M_BOOT = 2, M_DETAIL = 4, M_MONO = 6, M_SEQ = 10 };

/* Exactly the members of a record, in their order. */
static bool split(struct vfy_span payload, struct vfy_span m[MEMBERS])
{
	struct vfy_span rest = payload;
	const char *end = payload.p + payload.n;

	if (!vfy_json_canonical(payload))
		return false;
	for (size_t i = 0; i < MEMBERS; i++) {
		size_t n = strlen(members[i]);

		/* "{" or ",", then the name in quotes and ":" */
		if (rest.n < n + 4 || rest.p[0] != (i ? ',' : '{') || rest.p[1] != '"' ||
		    memcmp(rest.p + 2, members[i], n) || rest.p[2 + n] != '"' ||
		    !vfy_json_get(payload, members[i], &m[i]))
			return false;
		rest.p = m[i].p + m[i].n;
		rest.n = (size_t)(end - rest.p);
	}
	return rest.n == 1;
}

static bool hex_member(struct vfy_span object, const char *key, uint8_t *out, size_t bytes)
{
	struct vfy_span s;

	return vfy_json_get(object, key, &s) && s.n >= 2 &&
	       vfy_unhex(s.p + 1, s.n - 2, out, bytes);
}

static bool tree_of(struct vfy_span detail, struct vfy_tree *t)
{
	struct vfy_span list, s;
	unsigned int n = 0;

	memset(t, 0, sizeof(*t));
	if (!vfy_json_get(detail, "size", &s) || !vfy_json_u64(s, &t->size) ||
	    !vfy_json_get(detail, "peaks", &list))
		return false;
	while (vfy_json_next(&list, &s)) {
		if (n == 64 || s.n < 2 || !vfy_unhex(s.p + 1, s.n - 2, t->peak[n++], VFY_HASH))
			return false;
	}
	return n == (unsigned int)__builtin_popcountll(t->size);
}

/* The first record of a segment: bound to the header, and where the tree stands. */
static const char *first_record(struct vfy *v, struct vfy_span m[MEMBERS])
{
	uint8_t digest[VFY_HASH];
	struct vfy_tree t;

	if (!vfy_json_is(m[M_ACTION], "audit.segment"))
		return "is not the beginning of a segment";
	if (!hex_member(m[M_DETAIL], "header", digest, VFY_HASH) ||
	    memcmp(digest, v->h.digest, VFY_HASH))
		return "does not belong to this segment's header";
	if (!tree_of(m[M_DETAIL], &t) || t.size != v->h.seq0 - v->h.chain_seq0)
		return "has no valid tree";
	if (v->records && v->h.reason != BREAK &&
	    (v->tree.size != t.size || memcmp(v->tree.peak, t.peak,
					      (size_t)__builtin_popcountll(t.size) * VFY_HASH)))
		return "has another tree than the records before it";
	if (!v->records && v->pruned_to)
		vfy_tree_root(&t, v->pruned_root);
	v->tree = t;
	return NULL;
}

/* The clock never goes back within a boot, and the boot is the segment's. */
static const char *times(struct vfy *v, struct vfy_span m[MEMBERS])
{
	uint8_t boot[VFY_ID];
	uint64_t mono;

	if (m[M_BOOT].n < 2 || !vfy_unhex(m[M_BOOT].p + 1, m[M_BOOT].n - 2, boot, VFY_ID) ||
	    memcmp(boot, v->h.boot, VFY_ID))
		return "is from another boot than its segment";
	if (!vfy_json_u64(m[M_MONO], &mono) ||
	    (!memcmp(boot, v->boot, VFY_ID) && mono < v->mono_ns))
		return "is from before its predecessor";
	memcpy(v->boot, boot, VFY_ID);
	v->mono_ns = mono;
	return NULL;
}

/* A deletion on record. */
static const char *pruned(struct vfy *v, struct vfy_span detail)
{
	struct vfy_span s, root;
	uint8_t digest[VFY_HASH];
	uint64_t last;

	if (!vfy_json_get(detail, "last_seq", &s) || !vfy_json_u64(s, &last) ||
	    !vfy_json_get(detail, "root", &root))
		return "deletes something that it does not name";
	if (!v->pruned_to || last < v->pruned_to)
		return NULL;
	if (last == v->pruned_to && root.n > 2 &&
	    (!vfy_unhex(root.p + 1, root.n - 2, digest, VFY_HASH) ||
	     memcmp(digest, v->pruned_root, VFY_HASH)))
		return "deletes other records than those that are missing";
	v->pruned_said = true;
	return NULL;
}

static const char *content(struct vfy *v, const struct vfy_frame *f)
{
	struct vfy_span m[MEMBERS];
	const char *wrong;
	uint64_t seq;

	if (!split(f->payload, m))
		return "is not in canonical form";
	if (!vfy_json_u64(m[M_SEQ], &seq) || seq != v->seq + 1)
		return "says that it is another one";
	wrong = times(v, m);
	if (!wrong && v->first)
		wrong = first_record(v, m);
	if (!wrong && !v->first && vfy_json_is(m[M_ACTION], "audit.segment"))
		return "begins a segment where none begins";
	if (!wrong && vfy_json_is(m[M_ACTION], "audit.pruned"))
		wrong = pruned(v, m[M_DETAIL]);
	return wrong;
}

static void take_record(struct vfy *v, const struct vfy_frame *f)
{
	uint8_t hash[VFY_HASH], head[1 + VFY_HASH + 8];
	const char *wrong;

	head[0] = 0;
	memcpy(head + 1, v->hash, VFY_HASH);
	for (int i = 0; i < 8; i++)
		head[1 + VFY_HASH + i] = (uint8_t)((v->seq + 1) >> (8 * i));
	vfy_sha256(hash, head, sizeof(head), f->payload.p, f->payload.n, NULL, 0);
	wrong = memcmp(hash, f->hash, VFY_HASH) ? "does not follow from the one before" :
						  content(v, f);
	if (wrong) {
		fail(v, VFY_TAMPER, v->seq + 1, "record %" PRIu64 " %s", v->seq + 1, wrong);
		return;
	}
	v->first = false;
	v->seq++;
	memcpy(v->hash, hash, VFY_HASH);
	vfy_tree_add(&v->tree, f->payload.p, f->payload.n);
	v->records++;
	v->at += f->size;
	if (meet_anchors(v))
		meet_points(v);
}

static void check_from(struct vfy *v)
{
	const struct vfy_note *n = v->in->from;
	uint8_t root[VFY_HASH];

	if (!n || v->from_met || !v->in_segment || v->tree.size != n->size || !same_chain(v, n))
		return;
	vfy_tree_root(&v->tree, root);
	if (memcmp(root, n->root, VFY_HASH))
		fail(v, VFY_ROLLBACK, v->seq, "record %" PRIu64
		     ": the checkpoint to start from has another root", v->seq);
	v->from_met = true;
}

/* -------------------------------------------------------------------- run */

void vfy_init(struct vfy *v, struct vfy_input *in)
{
	*v = (struct vfy){ .in = in };
	/* From a checkpoint: begin with the last segment that begins before it. */
	for (size_t i = 0; in->from && i < in->logs; i++) {
		struct vfy_header h;

		if (!vfy_header_read(&in->log[i], &h) &&
		    !memcmp(h.chain, in->from->chain, VFY_ID) &&
		    h.seq0 - h.chain_seq0 < in->from->size)
			v->seg = i;
	}
}

/* Signed checkpoints of segments that are not there. */
static void orphans(struct vfy *v)
{
	uint64_t last = v->in->logs ? v->in->log[v->in->logs - 1].index : 0;

	for (size_t i = 0; i < v->in->cps; i++) {
		const struct vfy_file *cp = &v->in->cp[i];

		if (cp->index > last && cp->size && load_points(v, cp) && v->points.n)
			note(v, VFY_ROLLBACK, v->seq + 1, "segment %" PRIu64
			     " is missing: its checkpoints know %" PRIu64 " records", cp->index,
			     signed_size(v));
	}
}

/* An anchor that the log has nothing for: too short, unless its range was pruned. */
static void unmet_anchors(struct vfy *v)
{
	for (size_t i = 0; i < v->in->anchors.n; i++) {
		const struct vfy_point *p = &v->in->anchors.p[i];

		if (p->met)
			continue;
		if (same_chain(v, &p->note) && p->note.size > v->tree.size)
			note(v, VFY_ROLLBACK, v->seq + 1, "an anchor knows %" PRIu64
			     " records, but the log ends after %" PRIu64 " (record %" PRIu64 ")",
			     p->note.size, v->tree.size, v->seq);
		else if (same_chain(v, &p->note) || v->pruned_to || v->in->from || v->breaks)
			v->unmet_anchors++;
		else
			note(v, VFY_ROLLBACK, v->seq + 1,
			     "an anchor is of a chain that is not in this log");
	}
}

static void finish(struct vfy *v)
{
	orphans(v);
	unmet_anchors(v);
	if (v->pruned_to && !v->pruned_said)
		note(v, VFY_GAP, v->first_seq, "what was before record %" PRIu64
		     " is missing, and no record says that it was deleted", v->first_seq);
	if (v->in->from && !v->from_met)
		note(v, VFY_ROLLBACK, v->seq + 1,
		     "the log has no place for the checkpoint to start from");
	if (!v->in->logs)
		note(v, VFY_GAP, 1, "no segments");
}

bool vfy_step(struct vfy *v)
{
	struct vfy_frame f;
	enum vfy_frame_result r;

	if (v->done || v->seg >= v->in->logs) {
		v->done = true;
		finish(v);
		return false;
	}
	if (!v->in_segment) {
		begin_segment(v);
		return true;
	}
	if (v->seq == v->stop) {
		v->superseded += vfy_blank(v->in, file(v), v->at) == 0;
		end_segment(v);
		return true;
	}
	r = vfy_frame_read(v->in, file(v), v->at, &f);
	if (r == VFY_FRAME_OK)
		take_record(v, &f);
	else
		bad_record(v, r);
	check_from(v);
	return true;
}

enum vfy_code vfy_run(struct vfy *v)
{
	while (vfy_step(v))
		;
	return v->code;
}

void vfy_end(struct vfy *v)
{
	free(v->points.p);
	v->points.p = NULL;
}
