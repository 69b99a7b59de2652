/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which event goes out next: after the last one that the stream has, in the order
 * of the audit log, one at a time. Pure: no files, no clock, no network.
 *
 * Nothing is published before it is known what the stream has (fleet_feed_resume()),
 * and nothing further before the last one is known to be stored.
 */
#ifndef HF_FLEET_FEED_H
#define HF_FLEET_FEED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define FLEET_NAME	33	/* site, host, stream; with NUL */
#define FLEET_LOG	33	/* hex id of a log */
#define FLEET_SUBJECT	96
#define FLEET_ID	80

struct fleet_names {
	char site[FLEET_NAME], host[FLEET_NAME], stream[FLEET_NAME];
};

/* "holdfast.SITE.HOST.WHAT". Return: @out. */
const char *fleet_subject(const struct fleet_names *n, const char *what, char out[FLEET_SUBJECT]);
/* { v: 1, site, host }, which begins each message; new reference. */
json_t *fleet_envelope(const struct fleet_names *n);

/**
 * struct fleet_message - to be stored exactly once
 * @id:		for the stream's duplicate window
 * @text:	JSON; the owner frees it
 * @anchor:	of the audit log; else an event
 */
struct fleet_message {
	char subject[FLEET_SUBJECT], id[FLEET_ID];
	char *text;
	bool anchor;
};

/**
 * struct fleet_feed - private but for reading
 * @known:	what the stream has is known
 * @stale:	the question to audit is of before the last resume: its answer does not count
 * @ever:	@log and @seq are of the stream
 * @log, @seq:	of the last event that is stored
 * @upto:	records of @log that need not be looked at again
 * @gaps:	records that were deleted before they could be stored
 */
struct fleet_feed {
	const struct fleet_names *names;
	bool known, ever, asking, stale, publishing, more;
	char log[FLEET_LOG];
	uint64_t seq, upto, stored, gaps;
	json_t *batch, *lost;
	size_t next;
};

void fleet_feed_init(struct fleet_feed *f, const struct fleet_names *names);	/* borrowed */
void fleet_feed_free(struct fleet_feed *f);
/*
 * fleet_feed_resume() - @last: the newest event in the stream, @len bytes; NULL: it has none
 * Return: 0; -EBADMSG: that is not one of ours, nothing is published.
 */
int fleet_feed_resume(struct fleet_feed *f, const char *last, size_t len, struct hf_err *e);
/* The bus is gone, or it is not known whether the last one was stored. */
void fleet_feed_down(struct fleet_feed *f);
/* Should audit be asked, and for what is behind @after of @log? Then fleet_feed_take() must follow. */
bool fleet_feed_ask(struct fleet_feed *f, uint64_t *after, char log[FLEET_LOG]);
/* Its answer (query.h); NULL: there was none. Return: 0; -EBADMSG: it is malformed. */
int fleet_feed_take(struct fleet_feed *f, const json_t *answer);
/* The next one, with a text of its own. Return: false: there is none now. */
bool fleet_feed_next(struct fleet_feed *f, struct fleet_message *m);
/* It is in the stream. */
void fleet_feed_stored(struct fleet_feed *f);
/* All that audit has said is stored, and it had no more. */
bool fleet_feed_even(const struct fleet_feed *f);

#endif /* HF_FLEET_FEED_H */
