/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the writer share. For writer.c, segment.c, space.c,
 * recover.c and checkpoint.c only.
 */
#ifndef HF_AUDIT_INTERNAL_H
#define HF_AUDIT_INTERNAL_H

#include "histogram.h"
#include "writer.h"

#define BATCH_BYTES	(1024 * 1024)
#define QUEUE_RECORDS	8192
#define QUEUE_BYTES	(16U * 1024 * 1024)
#define FAILOVERS_MAX	3	/* in a row; then the disk is given up for a while */
#define RETRY_NS	HF_S
#define RESERVE		"reserve"

/* Beside enum hf_proc, owners of intents and records. */
enum {
	OWNER_NONE	= -1,	/* the writer itself */
	OWNER_BEFORE	= AUD_OWNER_BEFORE,	/* open since before the start */
	OWNER_GONE	= -3,	/* gone before its intent was durable */
	OWNER_CLOSING	= -4,	/* the outcome "unknown" is on its way */
};

struct pending {
	struct pending *next;
	json_t *record;		/* the author's part */
	size_t bytes;		/* about */
	enum aud_phase phase;
	uint64_t intent;
	int owner;
	uint64_t seq;		/* when in a batch */
	aud_done_fn fn;
	void *arg;
};

struct queue {
	struct pending *head, **tail;
	size_t count, bytes;
};

/* The end of the chain: of what is durable, or of what is being written. */
struct chain {
	uint64_t seq;			/* of the last record */
	uint8_t hash[AUD_HASH];		/* of it */
	struct aud_tree tree;
};

struct aud_writer {
	struct aud_setup s;
	struct aud_header head;		/* of the current segment */
	char boot_hex[AUD_HEX_ID];

	struct chain durable, next;
	struct aud_carry carry;		/* open intents, breaks; its tree is not used */
	unsigned int intents_waiting;	/* in queue and batch */

	struct aud_segment *seg;	/* all of them, the last is the current one */
	size_t segs;
	int fd;				/* -1: none */
	uint64_t at;			/* end of what is durable in it */
	uint64_t limit;			/* rotation */
	uint64_t began_ns;
	unsigned int records_here;	/* besides the first */

	struct queue wait, batch;
	uint8_t *buf;			/* BATCH_BYTES and one record more */
	size_t len, sent;
	bool busy;			/* a commit is under way */
	char *text;			/* AUD_PAYLOAD_MAX */

	bool lost;			/* no file to write to */
	bool stray;			/* a file beside the chain could not be removed */
	char lost_why[HF_ERR_LEN];
	unsigned int failovers;
	uint64_t dropped;		/* records for which there was no room */
	uint64_t retry_ns;

	enum aud_space space;
	bool reserve;			/* it is there */
	int64_t free;			/* at the last look */
	uint64_t space_ns, retention_ns;
	bool pruning;
	size_t prune_count;
	uint64_t anchored;		/* records of this run's chain that places outside know */
	bool held;			/* said: retention waits for them */

	int cp_fd;
	uint64_t cp_at;
	bool cp_unsynced;
	uint64_t cp_ns;			/* last */
	uint64_t cp_seq;		/* last record in it */
	struct aud_note note;
	struct aud_checkpoint cp;

	bool told;			/* what events.durable() was told last */
	uint64_t commits, failed_commits;
	uint64_t commit_ns;		/* when the batch under way was begun */
	struct hf_histogram commit_time;	/* of batches that became durable */
};

/* writer.c */
void aud_say(struct aud_writer *w, bool error, const char *event, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* A record of the agent itself; @detail is stolen. */
void aud_note_event(struct aud_writer *w, const char *action, const char *object,
		    const char *result, json_t *detail, aud_done_fn fn, void *arg);
void aud_unknown_outcomes(struct aud_writer *w, int owner);
void aud_tell_durable(struct aud_writer *w);
uint64_t aud_mono(const struct aud_writer *w);

/* segment.c */
/* Begins a segment behind w->durable. Return: 0, -errno. */
int aud_segment_begin(struct aud_writer *w, enum aud_reason reason, const char *why);
void aud_segment_leave(struct aud_writer *w);
int aud_segment_add(struct aud_writer *w, const struct aud_header *h, uint64_t size);

/* checkpoint.c */
void aud_checkpoint_if_due(struct aud_writer *w, bool now);
void aud_checkpoint_sync(struct aud_writer *w);
void aud_checkpoint_close(struct aud_writer *w);

/* space.c */
int aud_space_begin(struct aud_writer *w);
void aud_space_tick(struct aud_writer *w);
/* Gives the reserve's room back to the file system. Return: there was one. */
bool aud_space_release(struct aud_writer *w);

/* recover.c */
/*
 * Sets w->durable, w->carry, w->seg, w->head as they are at the end of the log.
 * Return: reason of the segment to begin, -errno. @said: events for later, an
 * array of { action, object, result, detail }.
 */
int aud_recover(struct aud_writer *w, json_t *said, struct hf_err *e);

#endif /* HF_AUDIT_INTERNAL_H */
