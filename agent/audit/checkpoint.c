// SPDX-License-Identifier: GPL-2.0
/*
 * Signed checkpoints of what is durable, in a file beside the segment. Losing
 * one loses evidence, never a record: failures here are said, not fatal.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

static int cp_append(struct aud_writer *w)
{
	const struct aud_io_ops *ops = w->s.io->ops;
	char name[AUD_NAME];
	int ret;

	if (w->cp_fd < 0) {
		aud_name(name, w->head.index, ".cp");
		w->cp_fd = ops->create(w->s.io, name, 0);
		if (w->cp_fd < 0)
			return w->cp_fd;
		w->cp_at = 0;
	}
	ret = aud_write_all(w->s.io, w->cp_fd, w->note.text, w->note.len, w->cp_at);
	if (ret)
		return ret;
	w->cp_at += w->note.len;
	w->cp_unsynced = true;
	return 0;
}

/*
 * Writing or syncing has failed, so what is in the file is not known. The newest checkpoint says
 * all that those before it say: a file with it alone takes the place of this one.
 */
static int cp_anew(struct aud_writer *w)
{
	const struct aud_io_ops *ops = w->s.io->ops;
	char name[AUD_NAME];
	int ret;

	if (w->cp_fd >= 0) {
		aud_name(name, w->head.index, ".cp");
		ops->close(w->s.io, w->cp_fd);
		w->cp_fd = -1;
		ret = ops->remove(w->s.io, name);
		if (ret)
			return ret;
	}
	ret = cp_append(w);
	return ret ? ret : ops->sync(w->s.io, w->cp_fd);
}

static void checkpoint(struct aud_writer *w)
{
	struct aud_checkpoint *cp = &w->cp;
	int ret;

	memcpy(cp->host, w->head.host, AUD_ID);
	memcpy(cp->chain, w->head.chain, AUD_ID);
	cp->size = w->durable.tree.size;
	cp->t_ns = hf_real_ns(w->s.clock);
	aud_tree_root(&w->durable.tree, cp->root);
	w->cp_ns = aud_mono(w);
	w->cp_seq = w->durable.seq;
	ret = aud_note_sign(w->s.key, cp, &w->note);
	if (ret) {
		aud_say(w, true, "audit.checkpoint", "record %llu: cannot be signed",
			(unsigned long long)w->cp_seq);
		return;
	}
	ret = cp_append(w);
	if (ret)
		ret = cp_anew(w);
	if (ret)
		aud_say(w, true, "audit.checkpoint", "record %llu: %s",
			(unsigned long long)w->cp_seq, strerror(-ret));
	w->s.events.checkpoint(w->s.arg, &w->note, cp);
}

void aud_checkpoint_if_due(struct aud_writer *w, bool now)
{
	uint64_t fresh = w->durable.seq - w->cp_seq;

	if (!fresh || w->fd < 0)
		return;
	if (now || fresh >= w->s.config.checkpoint_records ||
	    aud_mono(w) - w->cp_ns >= w->s.config.checkpoint_ns)
		checkpoint(w);
}

void aud_checkpoint_sync(struct aud_writer *w)
{
	int ret;

	if (w->cp_fd < 0 || !w->cp_unsynced)
		return;
	ret = w->s.io->ops->sync(w->s.io, w->cp_fd);
	if (ret)
		ret = cp_anew(w);
	w->cp_unsynced = false;
	if (ret)
		aud_say(w, true, "audit.checkpoint", "sync: %s", strerror(-ret));
}

void aud_checkpoint_close(struct aud_writer *w)
{
	aud_checkpoint_if_due(w, true);
	aud_checkpoint_sync(w);
	if (w->cp_fd >= 0)
		w->s.io->ops->close(w->s.io, w->cp_fd);
	w->cp_fd = -1;
}
