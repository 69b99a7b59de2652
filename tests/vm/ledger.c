// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the emission ledger and putting emissions together (ledger.h). What
 * sound they make is computed in physics.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger.h"

#define READ_FRAMES	64

void ledger_open(struct ledger *l, const struct scene_array *s)
{
	char path[96];

	memset(l, 0, sizeof(*l));
	snprintf(path, sizeof(path), "/dev/holdfast_ledger-%s", s->name);
	l->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (l->fd < 0)
		scene_die("%s: %s", path, strerror(errno));
	l->channels = s->info.channels;
	l->size = READ_FRAMES * (sizeof(struct holdfast_ledger_record) + 4 * l->channels);
	l->buf = malloc(l->size);
	if (!l->buf)
		scene_die("no memory");
}

void ledger_close(struct ledger *l)
{
	close(l->fd);
	free(l->buf);
	l->buf = NULL;
	l->fd = -1;
}

void ledger_clear(struct ledger *l)
{
	if (write(l->fd, "clear", 5) != 5)
		scene_die("ledger clear: %s", strerror(errno));
	l->have = 0;
	l->at = 0;
	l->seq = 0;
}

/* Counts what a ledger must not have: missing numbers, times that go back. */
static void ledger_check(struct ledger *l, const struct holdfast_ledger_record *r)
{
	__u64 stands_for = r->kind == HOLDFAST_LEDGER_LOST ? r->value : 1;

	l->records++;
	if (r->kind == HOLDFAST_LEDGER_LOST)
		l->lost += r->value;
	if ((l->seq && r->seq != l->seq + 1) || r->time_ns < l->time_ns)
		l->disorder++;
	l->seq = r->seq + stands_for - 1;
	l->time_ns = r->time_ns;
}

static const struct holdfast_ledger_record *ledger_take(struct ledger *l)
{
	const struct holdfast_ledger_record *r = (const void *)(l->buf + l->at);

	if (l->have - l->at < sizeof(*r) || r->magic != HOLDFAST_LEDGER_MAGIC ||
	    r->size < sizeof(*r) || r->size > l->have - l->at ||
	    (r->kind == HOLDFAST_LEDGER_FRAME &&
	     (r->channels != l->channels || r->size != sizeof(*r) + 4 * l->channels)))
		scene_die("ledger: what was read is no record");
	l->at += r->size;
	ledger_check(l, r);
	return r;
}

int ledger_next(struct ledger *l, const struct holdfast_ledger_record **rec, int timeout_ms)
{
	struct pollfd pfd = { .fd = l->fd, .events = POLLIN };
	ssize_t n;

	while (l->at == l->have) {
		l->at = 0;
		l->have = 0;
		n = read(l->fd, l->buf, l->size);
		if (n > 0) {
			l->have = (size_t)n;
			break;
		}
		if (n == 0)
			return -ENODEV;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			scene_die("ledger read: %s", strerror(errno));
		if (!timeout_ms || poll(&pfd, 1, timeout_ms) == 0)
			return 0;
	}
	*rec = ledger_take(l);
	return 1;
}

/* ----------------------------------------------------------------- emissions */

static void emission_ends(struct emissions *es, const struct holdfast_ledger_record *rec)
{
	if (!es->on)
		return;
	es->e[es->count - 1].end_ns = rec->time_ns;
	es->e[es->count - 1].end_late_ns = rec->kind == HOLDFAST_LEDGER_OFF ? rec->value : 0;
	es->e[es->count - 1].end_kind = rec->kind;
	es->on = false;
}

static void emission_begins(struct emissions *es, const struct holdfast_ledger_record *rec)
{
	size_t bytes = rec->channels * sizeof(__u16);
	struct emission *e;
	__u16 *values;

	if (es->count == es->room) {
		es->room = es->room ? 2 * es->room : 256;
		es->e = realloc(es->e, es->room * sizeof(*es->e));
	}
	values = malloc(2 * bytes);
	if (!es->e || !values)
		scene_die("no memory for emissions");
	memcpy(values, ledger_phases(rec), 2 * bytes);
	e = &es->e[es->count++];
	*e = (struct emission){
		.seq = rec->seq,
		.begin_ns = rec->time_ns,
		.end_ns = UINT64_MAX,
		.channels = rec->channels,
		.phase = values,
		.level = values + rec->channels,
	};
	es->on = true;
}

void emissions_take(struct emissions *es, const struct holdfast_ledger_record *rec)
{
	emission_ends(es, rec);
	switch (rec->kind) {
	case HOLDFAST_LEDGER_FRAME:
		emission_begins(es, rec);
		break;
	case HOLDFAST_LEDGER_LOST:
		break;
	default:
		es->offs++;
		es->dark_seq = rec->seq;
		es->dark_ns = rec->time_ns;
		break;
	}
}

size_t emissions_read(struct emissions *es, struct ledger *l)
{
	const struct holdfast_ledger_record *rec;
	size_t n = 0;

	while (ledger_next(l, &rec, 0) == 1) {
		emissions_take(es, rec);
		n++;
	}
	return n;
}

void emissions_free(struct emissions *es)
{
	size_t i;

	for (i = 0; i < es->count; i++)
		free((void *)(uintptr_t)es->e[i].phase);
	free(es->e);
	memset(es, 0, sizeof(*es));
}

const struct emission *emissions_within(const struct emissions *es, __u64 from_ns, __u64 to_ns)
{
	size_t i;

	for (i = 0; i < es->count; i++)
		if (es->e[i].begin_ns < to_ns && es->e[i].end_ns > from_ns)
			return &es->e[i];
	return NULL;
}

__u64 emissions_dark_after(struct emissions *es, struct ledger *l, __u64 from_ns,
			   unsigned int timeout_ms)
{
	__u64 until = scene_now_ns() + timeout_ms * SCENE_MS;
	const struct holdfast_ledger_record *rec;
	int ret;

	for (;;) {
		emissions_read(es, l);
		if (!es->on)
			break;
		if (scene_now_ns() > until)
			return 0;
		ret = ledger_next(l, &rec, 10);
		if (ret == 1)
			emissions_take(es, rec);
		else if (ret < 0)
			break;
	}
	if (!es->count || es->e[es->count - 1].end_ns < from_ns)
		return from_ns;
	return es->e[es->count - 1].end_ns;
}
