/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The judge of an audit log: reads segments and checkpoints through functions
 * that it is given, step by step. The state is plain data, so that a run can be
 * copied and continued twice. Shares no code with the writer.
 */
#ifndef HF_VERIFY_H
#define HF_VERIFY_H

#include <sys/types.h>

#include "crypto.h"
#include "json.h"

enum vfy_code {
	VFY_OK		= 0,
	VFY_TAMPER	= 1,	/* a record, header or root is not what was written */
	VFY_TORN	= 2,	/* the last commit is incomplete: a crash */
	VFY_GAP		= 3,	/* a segment or record is missing */
	VFY_ROLLBACK	= 4,	/* a signed checkpoint knows more than, or other than, the log */
	VFY_SIGNATURE	= 5,	/* a checkpoint that is not signed by the key */
	VFY_USAGE	= 64,
	VFY_IO		= 74,	/* cannot be read */
};

/* @read as pread(2), -1 on error. @index from its name. */
struct vfy_file {
	uint64_t index;
	uint64_t size;
	ssize_t (*read)(const struct vfy_file *f, void *buf, size_t len, uint64_t at);
	const void *arg;
	int fd;
};

/* What a note says must be true of the log. */
struct vfy_point {
	struct vfy_note note;
	bool met;
};

struct vfy_points {
	struct vfy_point *p;
	size_t n;
};

#define VFY_TEXT	512
#define VFY_WINDOW	(1024 * 1024)

/**
 * struct vfy_input - what is judged; the same for all copies of a run
 * @log: @cp:	files, ascending by index
 * @anchors:	notes from elsewhere, ascending by size
 * @from:	start at this checkpoint (trusted): NULL: at the beginning
 * @window:	VFY_WINDOW bytes of @window_log from @window_at on
 */
struct vfy_input {
	const struct vfy_file *log, *cp;
	size_t logs, cps;
	const struct vfy_key *keys;
	int key_count;
	struct vfy_points anchors;
	const struct vfy_note *from;
	uint8_t *window;
	const struct vfy_file *window_log;
	uint64_t window_at;
	size_t window_len;
};

struct vfy_header {
	uint64_t index, seq0, chain_seq0, t_ns;
	uint32_t reason;
	uint8_t chain[VFY_ID], host[VFY_ID], boot[VFY_ID], key[VFY_HASH], prev[VFY_HASH];
	uint8_t digest[VFY_HASH];	/* SHA-256 of the header's bytes */
};

/* Where a run is, and what it has found. */
struct vfy {
	struct vfy_input *in;
	bool in_segment, done;
	size_t seg;			/* index in in->log */
	uint64_t at;			/* offset of the next record */
	struct vfy_header h;
	bool started;			/* hash, seq and tree are those of a chain */
	bool first;			/* the next record is the segment's first */
	uint64_t seq;
	uint8_t hash[VFY_HASH];
	struct vfy_tree tree;
	uint64_t mono_ns;
	uint8_t boot[VFY_ID];
	uint64_t stop;			/* a failover: what comes behind this record does not count */
	struct vfy_points points;	/* of the segment's checkpoint file */
	size_t next_point;
	uint64_t pruned_to;		/* what comes up to here must have been pruned on record */
	bool pruned_said;
	uint8_t pruned_root[VFY_HASH];
	bool from_met;

	enum vfy_code code;		/* of the first thing that is wrong */
	uint64_t bad_seq, bad_file, bad_at;
	char text[VFY_TEXT];
	uint64_t records, segments, checkpoints, breaks, unmet_anchors, superseded;
	uint64_t first_seq;
};

void vfy_init(struct vfy *v, struct vfy_input *in);
/* One record, one beginning or one end of a segment. Return: false: the run is over. */
bool vfy_step(struct vfy *v);
enum vfy_code vfy_run(struct vfy *v);
void vfy_end(struct vfy *v);	/* frees; not for copies */

/* All notes of @text. Return: VFY_OK, VFY_TORN (the last one is cut), VFY_SIGNATURE; @at: where. */
enum vfy_code vfy_points_parse(const struct vfy_key *keys, int n, const char *text, size_t len,
			       struct vfy_points *out, size_t *at);
void vfy_points_sort(struct vfy_points *p);

/* frame.c: bytes of a segment, and the window on them */
enum vfy_frame_result { VFY_FRAME_OK, VFY_FRAME_END, VFY_FRAME_BAD, VFY_FRAME_IO };

struct vfy_frame {
	struct vfy_span payload;
	const uint8_t *hash;
	size_t size;
};

int vfy_header_read(const struct vfy_file *f, struct vfy_header *h);	/* 0; -1: not valid */
enum vfy_frame_result vfy_frame_read(struct vfy_input *in, const struct vfy_file *f, uint64_t at,
				     struct vfy_frame *out);
/* 1: only zeros from @at on; 0; -1: cannot be read */
int vfy_blank(struct vfy_input *in, const struct vfy_file *f, uint64_t at);
/* 1: an intact start of a commit behind @at; 0; -1 */
int vfy_commit_follows(struct vfy_input *in, const struct vfy_file *f, uint64_t at);

#endif /* HF_VERIFY_H */
