// SPDX-License-Identifier: GPL-2.0
/*
 * Beginning and leaving segment files. A segment counts only once its header
 * and first record are durable.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const char *const reason_names[] = {
	[AUD_START] = "start",
	[AUD_ROTATE] = "rotate",
	[AUD_FAILOVER] = "failover",
	[AUD_BREAK] = "break",
};

int aud_segment_add(struct aud_writer *w, const struct aud_header *h, uint64_t size)
{
	struct aud_segment *s = realloc(w->seg, (w->segs + 1) * sizeof(*s));

	if (!s)
		return -ENOMEM;
	w->seg = s;
	s += w->segs++;
	*s = (struct aud_segment){ .index = h->index, .seq0 = h->seq0, .chain_seq0 = h->chain_seq0,
				   .t_ns = h->t_ns, .size = size };
	memcpy(s->chain, h->chain, AUD_ID);
	return 0;
}

static json_t *first_detail(struct aud_writer *w, const uint8_t raw[AUD_HEADER],
			    const struct aud_header *h, const char *why)
{
	uint8_t digest[AUD_HASH];
	char hex[AUD_HEX_HASH];
	json_t *detail;

	aud_sha256(digest, raw, AUD_HEADER);
	detail = json_pack("{s:s, s:s, s:s, s:s}", "header", aud_hex(digest, AUD_HASH, hex),
			   "key", aud_key_text(w->s.key), "reason", reason_names[h->reason],
			   "why", why);
	w->carry.tree = w->durable.tree;
	if (detail && aud_carry_put(&w->carry, detail)) {
		json_decref(detail);
		return NULL;
	}
	return detail;
}

/* Header and first record into w->buf. @c: the chain's end behind it. Return: bytes, -errno. */
static ssize_t first_bytes(struct aud_writer *w, const struct aud_header *h, const char *why,
			   struct chain *c)
{
	struct aud_say say = { .action = "audit.segment", .object = "", .result = "ok",
			       .phase = AUD_EVENT };
	json_t *record = NULL;
	uint8_t leaf[AUD_HASH];
	ssize_t n = -ENOMEM;

	aud_header_put(w->buf, h);
	say.actor = hf_actor_json(&hf_actor_self);
	say.detail = first_detail(w, w->buf, h, why);
	if (say.actor && say.detail)
		record = aud_record_new(&say);
	if (record)
		n = aud_record_text(record, h->seq0, h->t_ns, aud_mono(w), w->boot_hex, w->text);
	json_decref(record);
	json_decref(say.actor);
	json_decref(say.detail);
	if (n < 0)
		return n;
	c->seq = h->seq0;
	aud_chain_hash(c->hash, h->prev, c->seq, w->text, (size_t)n);
	aud_leaf_hash(leaf, w->text, (size_t)n);
	aud_tree_add(&c->tree, leaf);
	return AUD_HEADER + (ssize_t)aud_record_put(w->buf + AUD_HEADER, w->text, (size_t)n,
						    c->hash, 1);
}

/* With all its space; if there is none, with that of the reserve. */
static int create(struct aud_writer *w, const char *name, uint64_t *bytes)
{
	const struct aud_io_ops *ops = w->s.io->ops;
	int fd = ops->create(w->s.io, name, *bytes);

	if ((fd == -ENOSPC || fd == -EDQUOT) && aud_space_release(w)) {
		if (*bytes > w->s.config.reserve_bytes / 2)
			*bytes = w->s.config.reserve_bytes / 2;
		fd = ops->create(w->s.io, name, *bytes);
	}
	return fd;
}

static void new_header(struct aud_writer *w, struct aud_header *h, enum aud_reason reason)
{
	*h = w->head;
	h->index++;
	h->seq0 = w->durable.seq + 1;
	h->t_ns = hf_real_ns(w->s.clock);
	h->reason = reason;
	memcpy(h->boot, w->s.boot, AUD_ID);
	memcpy(h->key, aud_key_id(w->s.key), AUD_HASH);
	memcpy(h->prev, w->durable.hash, AUD_HASH);
}

int aud_segment_begin(struct aud_writer *w, enum aud_reason reason, const char *why)
{
	const struct aud_io_ops *ops = w->s.io->ops;
	struct chain after = w->durable;
	struct aud_header h;
	char name[AUD_NAME];
	uint64_t bytes = w->s.config.segment_bytes;
	ssize_t n;
	int fd, ret;

	new_header(w, &h, w->stray && reason != AUD_BREAK ? AUD_FAILOVER : reason);
	n = first_bytes(w, &h, why, &after);
	if (n < 0)
		return (int)n;
	aud_name(name, h.index, ".log");
	fd = create(w, name, &bytes);
	if (fd < 0)
		return fd;
	ret = aud_write_all(w->s.io, fd, w->buf, (size_t)n, 0);
	if (!ret)
		ret = ops->sync(w->s.io, fd);
	if (!ret)
		ret = aud_segment_add(w, &h, (uint64_t)n);
	if (ret) {
		ops->close(w->s.io, fd);
		if (ops->remove(w->s.io, name)) {
			w->head.index = h.index;	/* the name is used up */
			w->stray = true;
		}
		return ret;
	}
	aud_segment_leave(w);
	w->stray = false;
	w->head = h;
	w->durable = w->next = after;
	w->fd = fd;
	w->at = (uint64_t)n;
	w->limit = bytes;
	w->began_ns = aud_mono(w);
	w->records_here = 0;
	return 0;
}

/* What is behind the durable end (allocated space, failed writes) is cut off if that is possible. */
void aud_segment_leave(struct aud_writer *w)
{
	if (w->fd < 0)
		return;
	aud_checkpoint_close(w);
	if (w->s.io->ops->truncate(w->s.io, w->fd, w->at))
		aud_say(w, false, "audit.truncate", "segment %llu keeps what is behind its end",
			(unsigned long long)w->head.index);
	w->s.io->ops->close(w->s.io, w->fd);
	w->fd = -1;
}
