/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading segments: record by record through a window, and what the first
 * record of a segment carries over. Never writes.
 */
#ifndef HF_AUDIT_SCAN_H
#define HF_AUDIT_SCAN_H

#include <jansson.h>

#include "io.h"
#include "record.h"
#include "tree.h"

#define AUD_OPEN_MAX	128	/* intents without outcome at a time */
#define AUD_OWNER_BEFORE	(-2)
#define AUD_BROKEN_MAX	16	/* damaged segments that are remembered */

/* Names in the folder: "audit-00000001.log" and ".cp". */
void aud_name(char name[AUD_NAME], uint64_t index, const char *suffix);
/* Return: its index, 0: not such a name. */
uint64_t aud_name_index(const char *name, const char *suffix);

/**
 * struct aud_cursor - a place in a segment file
 * @at:		offset of the next record
 * @end:	nothing from here on is looked at
 */
struct aud_cursor {
	struct aud_io *io;
	int fd;
	uint64_t at, end;
	uint8_t *buf;
	uint64_t base;		/* offset of buf[0] */
	size_t have;		/* bytes in buf */
};

/* @fd stays the caller's. */
int aud_cursor_init(struct aud_cursor *c, struct aud_io *io, int fd, uint64_t at, uint64_t end);
void aud_cursor_free(struct aud_cursor *c);
/*
 * The record at the cursor, which moves behind it; valid until the next call.
 * Return: 0; 1: no more; -EBADMSG: not intact (the cursor stays); -errno.
 */
int aud_cursor_next(struct aud_cursor *c, struct aud_frame *f);
/* What is left is zeros. Return: 1, 0, -errno. */
int aud_cursor_blank(struct aud_cursor *c);
/* Is there an intact start of a commit behind the cursor? Return: 1, 0, -errno. */
int aud_cursor_commit_follows(struct aud_cursor *c);

struct aud_open_intent {
	uint64_t seq;
	int owner;		/* enum hf_proc of who announced it; AUD_OWNER_BEFORE: not in this run */
	char action[AUD_ACTION];
	char object[AUD_OBJECT];
};

/**
 * struct aud_carry - what a segment's first record takes over from those before
 * @tree:	before this record
 * @ack:	the audit.break that waits for an Admin, 0: none
 * @broken:	indices of damaged segments
 */
struct aud_carry {
	struct aud_tree tree;
	uint64_t ack;
	unsigned int broken_count;
	uint64_t broken[AUD_BROKEN_MAX];
	unsigned int open_count;
	struct aud_open_intent open[AUD_OPEN_MAX];
};

/* As members of @detail. Return: 0, -ENOMEM. */
int aud_carry_put(const struct aud_carry *c, json_t *detail);
/* Return: 0, -EBADMSG. */
int aud_carry_get(struct aud_carry *c, const json_t *detail);
/* Follows intents and outcomes. */
void aud_carry_follow(struct aud_carry *c, enum aud_phase phase, uint64_t seq, uint64_t intent,
		      int owner, const char *action, const char *object);

/* Header, and what the first record carries. Return: 0, -EBADMSG, -errno. */
int aud_segment_head(struct aud_io *io, int fd, struct aud_header *h, struct aud_carry *c);

#endif /* HF_AUDIT_SCAN_H */
