// SPDX-License-Identifier: GPL-2.0
/*
 * The list of connections. Decides who stays; does not read or write them.
 * Each has at most HF_CONNS_PHASE_NS for its next step, however many bytes it
 * sends meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conns.h"

struct hf_conn_source {
	struct hf_conn_source *next;
	struct hf_source source;
	uint32_t count;		/* of its connections */
	uint32_t refs;		/* those that are about to be gone included */
};

struct hf_conns {
	struct hf_conn *oldest, *newest;	/* idle ones */
	struct hf_conn_source *sources;
	uint32_t most, most_per_source;
	uint32_t count, reserved;
	hf_conn_close_fn close;
};

int hf_conns_new(struct hf_conns **out, uint32_t most, uint32_t most_per_source,
		 hf_conn_close_fn close)
{
	struct hf_conns *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->most = most;
	l->most_per_source = most_per_source;
	l->close = close;
	*out = l;
	return 0;
}

void hf_conns_free(struct hf_conns *l)
{
	free(l);
}

static void idle_remove(struct hf_conns *l, struct hf_conn *c)
{
	if (c->older)
		c->older->newer = c->newer;
	else
		l->oldest = c->newer;
	if (c->newer)
		c->newer->older = c->older;
	else
		l->newest = c->older;
	c->older = NULL;
	c->newer = NULL;
}

static void idle_add(struct hf_conns *l, struct hf_conn *c, uint64_t now_ns)
{
	c->since_ns = now_ns;
	c->newer = NULL;
	c->older = l->newest;
	if (l->newest)
		l->newest->newer = c;
	else
		l->oldest = c;
	l->newest = c;
}

static struct hf_conn_source *source_get(struct hf_conns *l, const struct hf_source *s)
{
	struct hf_conn_source *f = l->sources;

	while (f && memcmp(f->source.key, s->key, sizeof(s->key)))
		f = f->next;
	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->source = *s;
	f->next = l->sources;
	l->sources = f;
	return f;
}

static void source_put(struct hf_conns *l, struct hf_conn_source *f)
{
	struct hf_conn_source **at = &l->sources;

	if (f->refs)
		return;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	free(f);
}

/* From here on it does not count any more, though it may take a moment to be gone. */
static void end(struct hf_conns *l, struct hf_conn *c)
{
	idle_remove(l, c);
	c->closing = true;
	c->from->count--;
	if (c->reserved)
		l->reserved--;
	else
		l->count--;
	l->close(c);
}

/* The oldest idle one of @f, NULL: of anybody. */
static bool evict(struct hf_conns *l, const struct hf_conn_source *f, bool reserved)
{
	for (struct hf_conn *c = l->oldest; c; c = c->newer) {
		if ((f && c->from != f) || c->reserved != reserved)
			continue;
		end(l, c);
		return true;
	}
	return false;
}

static struct hf_conn_source *greediest(struct hf_conns *l)
{
	struct hf_conn_source *most = l->sources;

	for (struct hf_conn_source *f = l->sources; f; f = f->next)
		if (f->count > most->count)
			most = f;
	return most;
}

/* Makes room for one more of @f. Return: 0: there is; 1: only for silence; -ENOSPC. */
static int make_room(struct hf_conns *l, struct hf_conn_source *f)
{
	bool room = f->count < l->most_per_source || evict(l, f, false);

	if (room && l->count >= l->most)
		room = evict(l, greediest(l), false) || evict(l, NULL, false);
	if (room)
		return 0;
	return l->reserved < HF_CONNS_RESERVE || evict(l, NULL, true) ? 1 : -ENOSPC;
}

struct hf_conn *hf_conns_add(struct hf_conns *l, const struct hf_source *s, int fd,
			     uint64_t now_ns)
{
	struct hf_conn *c = calloc(1, sizeof(*c));
	struct hf_conn_source *f = source_get(l, s);
	int room = c && f ? make_room(l, f) : -ENOMEM;

	if (room < 0) {
		if (f)
			source_put(l, f);
		free(c);
		return NULL;
	}
	c->from = f;
	c->source = *s;
	c->fd = fd;
	c->reserved = room;
	f->count++;
	f->refs++;
	if (c->reserved)
		l->reserved++;
	else
		l->count++;
	idle_add(l, c, now_ns);
	return c;
}

void hf_conns_remove(struct hf_conns *l, struct hf_conn *c)
{
	if (!c->closing) {
		if (!c->busy)
			idle_remove(l, c);
		c->from->count--;
		if (c->reserved)
			l->reserved--;
		else
			l->count--;
	}
	c->from->refs--;
	source_put(l, c->from);
	free(c->peer);
	free(c);
}

void hf_conns_busy(struct hf_conns *l, struct hf_conn *c)
{
	if (c->closing || c->busy)
		return;
	idle_remove(l, c);
	c->busy = true;
}

void hf_conns_idle(struct hf_conns *l, struct hf_conn *c, uint64_t now_ns)
{
	if (c->closing)
		return;
	if (!c->busy)
		idle_remove(l, c);
	c->busy = false;
	idle_add(l, c, now_ns);
}

void hf_conns_expire(struct hf_conns *l, uint64_t now_ns)
{
	while (l->oldest && l->oldest->since_ns + HF_CONNS_PHASE_NS <= now_ns)
		end(l, l->oldest);
}

bool hf_conns_evict(struct hf_conns *l)
{
	return evict(l, NULL, false);
}

uint32_t hf_conns_count(const struct hf_conns *l)
{
	return l->count + l->reserved;
}
