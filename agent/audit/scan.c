// SPDX-License-Identifier: GPL-2.0
/*
 * Reading segments: record by record through a window, and what the first
 * record of a segment carries over. Never writes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "note.h"
#include "scan.h"

#define WINDOW		(256 * 1024)
#define RECORD_MAX	(AUD_PAYLOAD_MAX + AUD_FRAME)

void aud_name(char name[AUD_NAME], uint64_t index, const char *suffix)
{
	snprintf(name, AUD_NAME, "audit-%08" PRIu64 "%s", index, suffix);
}

uint64_t aud_name_index(const char *name, const char *suffix)
{
	char again[AUD_NAME];
	uint64_t index = 0;

	if (sscanf(name, "audit-%16" SCNu64, &index) != 1)
		return 0;
	aud_name(again, index, suffix);
	return strcmp(again, name) ? 0 : index;
}

/* ---------------------------------------------------------------- cursor */

int aud_cursor_init(struct aud_cursor *c, struct aud_io *io, int fd, uint64_t at, uint64_t end)
{
	*c = (struct aud_cursor){ .io = io, .fd = fd, .at = at, .end = end, .base = at };
	c->buf = malloc(WINDOW);
	return c->buf ? 0 : -ENOMEM;
}

void aud_cursor_free(struct aud_cursor *c)
{
	free(c->buf);
	c->buf = NULL;
}

/* The window from @at on, as full as it gets. Return: bytes from @at on, -errno. */
static ssize_t window(struct aud_cursor *c, uint64_t at, size_t want)
{
	size_t skip;

	if (at < c->base) {	/* back to the cursor after a look ahead */
		c->base = at;
		c->have = 0;
	}
	skip = (size_t)(at - c->base);
	if (c->have >= skip + want || c->base + c->have >= c->end)
		return (ssize_t)(c->have > skip ? c->have - skip : 0);
	c->have -= skip;
	memmove(c->buf, c->buf + skip, c->have);
	c->base = at;
	while (c->have < WINDOW && c->base + c->have < c->end) {
		uint64_t left = c->end - c->base - c->have;
		size_t room = WINDOW - c->have;
		ssize_t n = c->io->ops->read(c->io, c->fd, c->buf + c->have,
					     left < room ? (size_t)left : room, c->base + c->have);

		if (n < 0)
			return n;
		if (!n)
			break;	/* the file became shorter meanwhile */
		c->have += (size_t)n;
	}
	return (ssize_t)c->have;
}

static const uint8_t *at_cursor(const struct aud_cursor *c, uint64_t at)
{
	return c->buf + (at - c->base);
}

int aud_cursor_next(struct aud_cursor *c, struct aud_frame *f)
{
	ssize_t n = window(c, c->at, RECORD_MAX);
	int ret;

	if (n < 0)
		return (int)n;
	ret = aud_record_get(at_cursor(c, c->at), (size_t)n, f);
	if (!ret)
		c->at += f->size;
	return ret;
}

int aud_cursor_blank(struct aud_cursor *c)
{
	uint64_t at = c->at;
	ssize_t n;

	while ((n = window(c, at, 1)) > 0) {
		const uint8_t *p = at_cursor(c, at);

		for (ssize_t i = 0; i < n; i++)
			if (p[i])
				return 0;
		at += (uint64_t)n;
	}
	return n < 0 ? (int)n : 1;
}

int aud_cursor_commit_follows(struct aud_cursor *c)
{
	uint64_t at = c->at;
	ssize_t n;

	while ((n = window(c, at, WINDOW)) > 0) {
		if (aud_commit_follows(at_cursor(c, at), (size_t)n))
			return 1;
		if (n <= RECORD_MAX)
			break;
		at += (uint64_t)n - RECORD_MAX;	/* one may lie across the border */
	}
	return n < 0 ? (int)n : 0;
}

/* ----------------------------------------------------------------- carry */

static json_t *peaks_json(const struct aud_tree *t)
{
	json_t *list = json_array();
	char hex[AUD_HEX_HASH];

	for (unsigned int i = 0; i < aud_tree_peaks(t->size); i++)
		json_array_append_new(list, json_string(aud_hex(t->peak[i], AUD_HASH, hex)));
	return list;
}

static json_t *open_json(const struct aud_carry *c)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < c->open_count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "action",
						      c->open[i].action, "object",
						      c->open[i].object, "seq",
						      (json_int_t)c->open[i].seq));
	return list;
}

static json_t *broken_json(const struct aud_carry *c)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < c->broken_count; i++)
		json_array_append_new(list, json_integer((json_int_t)c->broken[i]));
	return list;
}

int aud_carry_put(const struct aud_carry *c, json_t *detail)
{
	json_t *peaks = peaks_json(&c->tree), *open = open_json(c), *broken = broken_json(c);
	bool whole = json_array_size(peaks) == aud_tree_peaks(c->tree.size) &&
		     json_array_size(open) == c->open_count &&
		     json_array_size(broken) == c->broken_count;
	int ret = json_object_set_new(detail, "peaks", peaks);

	ret |= json_object_set_new(detail, "open", open);
	ret |= json_object_set_new(detail, "broken", broken);
	ret |= json_object_set_new(detail, "size", json_integer((json_int_t)c->tree.size));
	ret |= json_object_set_new(detail, "acknowledge", json_integer((json_int_t)c->ack));
	return ret || !whole ? -ENOMEM : 0;
}

static int tree_get(struct aud_tree *t, const json_t *detail)
{
	const json_t *peaks = json_object_get(detail, "peaks");

	t->size = (uint64_t)json_integer_value(json_object_get(detail, "size"));
	if (json_array_size(peaks) != aud_tree_peaks(t->size))
		return -EBADMSG;
	for (size_t i = 0; i < json_array_size(peaks); i++) {
		const char *hex = json_string_value(json_array_get(peaks, i));

		if (!hex || strlen(hex) != 2 * AUD_HASH || aud_unhex(hex, t->peak[i], AUD_HASH))
			return -EBADMSG;
	}
	return 0;
}

int aud_carry_get(struct aud_carry *c, const json_t *detail)
{
	const json_t *open = json_object_get(detail, "open");
	const json_t *broken = json_object_get(detail, "broken");

	*c = (struct aud_carry){
		.ack = (uint64_t)json_integer_value(json_object_get(detail, "acknowledge")),
		.broken_count = (unsigned int)json_array_size(broken),
	};
	if (tree_get(&c->tree, detail) || json_array_size(open) > AUD_OPEN_MAX ||
	    json_array_size(broken) > AUD_BROKEN_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < c->broken_count; i++)
		c->broken[i] = (uint64_t)json_integer_value(json_array_get(broken, i));
	for (size_t i = 0; i < json_array_size(open); i++) {
		const json_t *o = json_array_get(open, i);
		const char *action = json_string_value(json_object_get(o, "action"));
		const char *object = json_string_value(json_object_get(o, "object"));

		aud_carry_follow(c, AUD_INTENT,
				 (uint64_t)json_integer_value(json_object_get(o, "seq")), 0, AUD_OWNER_BEFORE,
				 action ? action : "", object ? object : "");
	}
	return 0;
}

void aud_carry_follow(struct aud_carry *c, enum aud_phase phase, uint64_t seq, uint64_t intent,
		      int owner, const char *action, const char *object)
{
	struct aud_open_intent *o = &c->open[c->open_count];

	if (phase == AUD_INTENT && c->open_count < AUD_OPEN_MAX) {
		*o = (struct aud_open_intent){ .seq = seq, .owner = owner };
		snprintf(o->action, sizeof(o->action), "%s", action);
		snprintf(o->object, sizeof(o->object), "%s", object);
		c->open_count++;
	}
	if (phase != AUD_OUTCOME)
		return;
	for (unsigned int i = 0; i < c->open_count; i++)
		if (c->open[i].seq == intent) {
			c->open_count--;
			memmove(&c->open[i], &c->open[i + 1],
				(c->open_count - i) * sizeof(c->open[0]));
			return;
		}
}

int aud_segment_head(struct aud_io *io, int fd, struct aud_header *h, struct aud_carry *c)
{
	uint8_t head[AUD_HEADER];
	struct aud_cursor cur;
	struct aud_frame f;
	json_t *j = NULL;
	int64_t size = io->ops->size(io, fd);
	int ret = size < 0 ? (int)size : aud_read_all(io, fd, head, sizeof(head), 0);

	if (!ret)
		ret = aud_header_get(head, h);
	if (ret || !c)
		return ret;
	ret = aud_cursor_init(&cur, io, fd, AUD_HEADER, (uint64_t)size);
	if (ret)
		return ret;
	ret = aud_cursor_next(&cur, &f);
	if (!ret)
		j = json_loadb((const char *)f.payload, f.len, JSON_REJECT_DUPLICATES, NULL);
	if (ret >= 0)
		ret = j ? aud_carry_get(c, json_object_get(j, "detail")) : -EBADMSG;
	json_decref(j);
	aud_cursor_free(&cur);
	return ret;
}
