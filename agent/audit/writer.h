/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The writer of the log: a state machine between those who append and the
 * disk. All time, I/O and randomness are given to it; it never sleeps but in
 * the I/O table's own functions. No messages between processes here.
 */
#ifndef HF_AUDIT_WRITER_H
#define HF_AUDIT_WRITER_H

#include "clock.h"
#include "health.h"
#include "io.h"
#include "note.h"
#include "record.h"
#include "scan.h"

struct aud_config {
	uint64_t segment_bytes;
	uint64_t segment_ns;
	uint32_t checkpoint_records;
	uint64_t checkpoint_ns;
	uint64_t retention_ns;		/* segments younger than this stay */
	uint64_t keep_bytes;		/* and so do all while the log is smaller than this */
	bool anchors;			/* and those of which no place outside knows the end */
	uint64_t warn_free;
	uint64_t refuse_free;
	uint64_t reserve_bytes;		/* 0: no reserve */
};

/* How much room there is; a level includes those before it. */
enum aud_space {
	AUD_SPACE_OK,
	AUD_SPACE_WARN,		/* said */
	AUD_SPACE_REFUSE,	/* acts that need an intent are refused */
	AUD_SPACE_FULL,		/* nothing can be written */
};

const char *aud_space_name(enum aud_space s);

/* What the owner is told; all must be there. They must not call the writer. */
struct aud_events {
	void (*durable)(void *arg, bool durable, const char *why);	/* changes */
	void (*checkpoint)(void *arg, const struct aud_note *note, const struct aud_checkpoint *cp);
	void (*say)(void *arg, bool error, const char *event, const char *text);
	void (*committed)(void *arg, uint64_t ns);	/* a batch: how long it took */
	void (*recorded)(void *arg, const json_t *record, uint64_t seq);	/* is durable now */
};

struct aud_setup {
	struct aud_config config;
	const struct hf_clock *clock;
	const struct hf_random *random;
	struct aud_io *io;		/* stays the caller's */
	struct aud_key *key;		/* stays the caller's */
	uint8_t host[AUD_ID];
	uint8_t boot[AUD_ID];
	struct aud_events events;
	void *arg;
};

struct aud_writer;

/**
 * aud_writer_open() - find the end of the log, repair a torn one, begin a segment
 *
 * What is to be said about the past (recovered, break, unfinished intents) waits
 * for aud_run(). Return: 0; -errno: no segment can be begun, @e says why.
 */
int aud_writer_open(struct aud_writer **out, const struct aud_setup *setup, struct hf_err *e);
/* Without another write; those that wait are answered -ECANCELED. */
void aud_writer_free(struct aud_writer *w);
/* Sizes and times for what comes from now on; the reserve stays as it is. */
void aud_writer_configure(struct aud_writer *w, const struct aud_config *c);

/* Exactly once per accepted record. @err: 0: durable as @seq; else -errno. */
typedef void (*aud_done_fn)(void *arg, int err, uint64_t seq);

/**
 * aud_append() - a record to be written with the next commit
 * @owner:	process it comes from (enum hf_proc); its open intents end with it
 *
 * Return: 0; then @fn (may be NULL) is called later. Else @fn is not called:
 * -EROFS: an intent, and none is accepted now (aud_durable() says why); -EIO: not
 * durable now (what is no intent is kept and written when that is possible);
 * -ENOBUFS: too much waits; -EINVAL: too long or out of memory.
 */
int aud_append(struct aud_writer *w, const struct aud_say *say, int owner, aud_done_fn fn,
	       void *arg);
/* Begin to write what waits, unless a commit is under way; call after aud_append(). */
void aud_run(struct aud_writer *w);
/* The I/O's fd is readable. */
void aud_poll(struct aud_writer *w);
/* What time brings: checkpoints, rotation, space, retention. Return: when again, monotonic ns. */
uint64_t aud_tick(struct aud_writer *w);
/* That process is gone: the outcome of its intents is unknown. */
void aud_owner_gone(struct aud_writer *w, int owner);
/* An Admin has seen the break. Return: as aud_append(); -ENOENT: there is none. */
int aud_acknowledge(struct aud_writer *w, json_t *actor, const struct hf_corr *corr,
		    const char *comment, aud_done_fn fn, void *arg);
/* A place outside has a checkpoint of @origin with so many records: old segments below may go. */
void aud_anchored(struct aud_writer *w, const char *origin, uint64_t size);
/* A segment other than the current one was found damaged (by reading it later). */
void aud_found_damage(struct aud_writer *w, uint64_t index, uint64_t seq, const char *why);
/* Nothing waits and no commit is under way. */
bool aud_idle(const struct aud_writer *w);
/* The end, when idle: last checkpoint, segment cut to its size. */
void aud_writer_close(struct aud_writer *w);

/* May privileged acts begin? @why (HF_ERR_LEN) says why not; may be NULL. */
bool aud_durable(const struct aud_writer *w, char *why);
uint64_t aud_durable_seq(const struct aud_writer *w);

/* For readers. */
struct aud_segment {
	uint64_t index, seq0, chain_seq0, t_ns;
	uint8_t chain[AUD_ID];
	uint64_t size;		/* bytes that count */
};

const struct aud_segment *aud_segments(const struct aud_writer *w, size_t *count);
bool aud_segment_broken(const struct aud_writer *w, uint64_t index);
/* NULL: none yet in this run. */
const struct aud_note *aud_newest_note(const struct aud_writer *w, struct aud_checkpoint *cp);
/* { durable, why, durable_seq, ... }; new reference. */
json_t *aud_stats(const struct aud_writer *w);
/* Is there room for the log? The finding of the check "disk". */
struct hf_finding aud_room(const struct aud_writer *w);

#endif /* HF_AUDIT_WRITER_H */
