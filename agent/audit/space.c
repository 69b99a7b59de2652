// SPDX-License-Identifier: GPL-2.0
/*
 * Room: the ladder of free space, the reserve for the last records of a full
 * disk, and retention, which deletes whole old segments only after a record of
 * it is durable. The ladder never hurries retention.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

#define SPACE_NS	HF_S
#define RETENTION_NS	(60 * HF_S)
#define PRUNE_MOST	64	/* segments at a time */

static const char *const names[] = {
	[AUD_SPACE_OK] = "ok",
	[AUD_SPACE_WARN] = "warn",
	[AUD_SPACE_REFUSE] = "refuse",
	[AUD_SPACE_FULL] = "full",
};

const char *aud_space_name(enum aud_space s)
{
	return names[s];
}

/* --------------------------------------------------------------- reserve */

static void reserve_make(struct aud_writer *w)
{
	int fd;

	if (w->reserve || !w->s.config.reserve_bytes)
		return;
	fd = w->s.io->ops->create(w->s.io, RESERVE, w->s.config.reserve_bytes);
	if (fd >= 0)
		w->s.io->ops->close(w->s.io, fd);
	w->reserve = fd >= 0 || fd == -EEXIST;
}

bool aud_space_release(struct aud_writer *w)
{
	if (!w->reserve || w->s.io->ops->remove(w->s.io, RESERVE))
		return false;
	w->reserve = false;
	aud_say(w, true, "audit.reserve", "disk full: the reserve of %llu bytes is in use",
		(unsigned long long)w->s.config.reserve_bytes);
	return true;
}

/* ---------------------------------------------------------------- ladder */

/* A level is left upwards only with a tenth more than what brought it. */
static uint64_t bar(const struct aud_writer *w, enum aud_space level, uint64_t bytes)
{
	return w->space >= level ? bytes + bytes / 10 : bytes;
}

static enum aud_space space_now(struct aud_writer *w)
{
	const struct aud_config *c = &w->s.config;

	if (w->lost && w->space == AUD_SPACE_FULL)
		return AUD_SPACE_FULL;
	if (w->free < 0)
		return w->space;	/* not known: as it was */
	if ((uint64_t)w->free < bar(w, AUD_SPACE_REFUSE, c->refuse_free))
		return AUD_SPACE_REFUSE;
	reserve_make(w);
	if (c->reserve_bytes && !w->reserve)
		return AUD_SPACE_REFUSE;
	return (uint64_t)w->free < bar(w, AUD_SPACE_WARN, c->warn_free) ? AUD_SPACE_WARN :
									  AUD_SPACE_OK;
}

static void space_look(struct aud_writer *w)
{
	enum aud_space was = w->space;

	w->free = w->s.io->ops->free_bytes(w->s.io);
	w->space = space_now(w);
	w->space_ns = aud_mono(w);
	if (w->space == was)
		return;
	aud_say(w, w->space > was, "audit.space", "%s: %lld bytes free", names[w->space],
		(long long)w->free);
	aud_note_event(w, "audit.space", "", w->space > was ? "error" : "ok",
		       json_pack("{s:s, s:I, s:I, s:I}", "level", names[w->space], "free_bytes",
				 (json_int_t)w->free, "warn_bytes",
				 (json_int_t)w->s.config.warn_free, "refuse_bytes",
				 (json_int_t)w->s.config.refuse_free), NULL, NULL);
	aud_tell_durable(w);
}

/* ------------------------------------------------------------- retention */

/* How many of the oldest segments may go: old enough, and the log is too large even so. */
static size_t prunable(const struct aud_writer *w)
{
	uint64_t now = hf_real_ns(w->s.clock), sum = 0;
	size_t n = 0;

	for (size_t i = 0; i < w->segs; i++)
		sum += w->seg[i].size;
	while (n + 1 < w->segs && n < PRUNE_MOST && sum > w->s.config.keep_bytes &&
	       w->seg[n + 1].t_ns + w->s.config.retention_ns < now) {
		sum -= w->seg[n].size;
		n++;
	}
	return n;
}

/*
 * Does a place outside know of the last record of segment @i? Of a chain that has ended nothing more
 * can be anchored: there an Admin's word that the break was seen stands for it, once the chain that
 * followed is known outside.
 */
static bool known_outside(const struct aud_writer *w, size_t i)
{
	const struct aud_segment *s = &w->seg[i];

	if (memcmp(s->chain, w->head.chain, AUD_ID))
		return w->anchored && !w->carry.ack;
	return s[1].seq0 - s->chain_seq0 <= w->anchored;
}

/* How many of the first @n, which are old enough, are known outside if that is asked for. */
static size_t shipped(struct aud_writer *w, size_t n)
{
	size_t have = 0;
	bool held;

	while (have < n && (!w->s.config.anchors || known_outside(w, have)))
		have++;
	held = have < n;
	if (held && !w->held)
		aud_say(w, true, "audit.held",
			"segment %llu is old enough to go, but no place outside knows its end",
			(unsigned long long)w->seg[have].index);
	w->held = held;
	return have;
}

void aud_anchored(struct aud_writer *w, const char *origin, uint64_t size)
{
	/* Of another chain, or more than there is: not our checkpoint. */
	if (!w->note.len || strcmp(origin, w->note.origin) || size > w->cp.size)
		return;
	if (size > w->anchored)
		w->anchored = size;
}

/* Damage in segments that are gone needs no remembering. */
static void forget_broken(struct aud_writer *w)
{
	struct aud_carry *c = &w->carry;
	unsigned int kept = 0;

	for (unsigned int i = 0; i < c->broken_count; i++)
		if (c->broken[i] >= w->seg[0].index)
			c->broken[kept++] = c->broken[i];
	c->broken_count = kept;
}

static void remove_oldest(struct aud_writer *w, size_t n)
{
	const struct aud_io_ops *ops = w->s.io->ops;
	char name[AUD_NAME];
	size_t gone;

	for (gone = 0; gone < n; gone++) {
		int ret;

		aud_name(name, w->seg[gone].index, ".cp");
		ops->remove(w->s.io, name);	/* it may have none */
		aud_name(name, w->seg[gone].index, ".log");
		ret = ops->remove(w->s.io, name);
		if (ret) {
			aud_say(w, true, "audit.prune", "%s: %s", name, strerror(-ret));
			break;
		}
	}
	w->segs -= gone;
	memmove(w->seg, w->seg + gone, w->segs * sizeof(w->seg[0]));
	forget_broken(w);
}

static void prune_written(void *arg, int err, uint64_t seq)
{
	struct aud_writer *w = arg;

	(void)seq;
	w->pruning = false;
	if (!err)
		remove_oldest(w, w->prune_count);
}

/* Root of the tree up to the first record of segment @i, in hex; "" if a new chain begins there. */
static int root_before(struct aud_writer *w, size_t i, char hex[AUD_HEX_HASH])
{
	static struct aud_carry c;
	struct aud_header h;
	uint8_t root[AUD_HASH];
	char name[AUD_NAME];
	int fd, ret;

	aud_name(name, w->seg[i].index, ".log");
	fd = w->s.io->ops->open(w->s.io, name);
	if (fd < 0)
		return fd;
	ret = aud_segment_head(w->s.io, fd, &h, &c);
	w->s.io->ops->close(w->s.io, fd);
	if (ret)
		return ret;
	hex[0] = '\0';
	if (c.tree.size) {
		aud_tree_root(&c.tree, root);
		aud_hex(root, AUD_HASH, hex);
	}
	return 0;
}

static void prune(struct aud_writer *w)
{
	size_t n = shipped(w, prunable(w));
	char hex[AUD_HEX_HASH], chain[AUD_HEX_ID];
	int ret;

	if (!n || w->pruning)
		return;
	ret = root_before(w, n, hex);
	if (ret) {
		aud_say(w, true, "audit.prune", "segment %llu: %s",
			(unsigned long long)w->seg[n].index, strerror(-ret));
		return;
	}
	w->pruning = true;
	w->prune_count = n;
	aud_note_event(w, "audit.pruned", "", "ok",
		       json_pack("{s:s, s:I, s:I, s:I, s:I, s:s}", "chain",
				 aud_hex(w->seg[n].chain, AUD_ID, chain), "first_seq",
				 (json_int_t)w->seg[0].seq0, "last_seq",
				 (json_int_t)(w->seg[n].seq0 - 1), "first_segment",
				 (json_int_t)w->seg[0].index, "last_segment",
				 (json_int_t)w->seg[n - 1].index, "root", hex), prune_written, w);
}

/* --------------------------------------------------------------- outside */

int aud_space_begin(struct aud_writer *w)
{
	w->free = w->s.io->ops->free_bytes(w->s.io);
	w->space = space_now(w);
	w->space_ns = aud_mono(w);
	w->retention_ns = w->space_ns;
	return w->free < 0 ? (int)w->free : 0;
}

void aud_space_tick(struct aud_writer *w)
{
	uint64_t now = aud_mono(w);

	if (now - w->space_ns >= SPACE_NS)
		space_look(w);
	if (!w->lost && now - w->retention_ns >= RETENTION_NS) {
		w->retention_ns = now;
		prune(w);
	}
}
