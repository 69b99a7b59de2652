/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What player.c (frames, room, verdicts) and way.c (how a slot gets to the kernel and
 * its verdicts back) share. Never installed.
 */
#ifndef HF_LIB_PLAYER_H
#define HF_LIB_PLAYER_H

#include <liburing.h>

#include "internal.h"

/* Frames that go to the kernel together, and their verdicts. */
struct hf_slot {
	unsigned char *bytes;	/* frames back to back */
	size_t used;
	uint32_t n;		/* frames */
	uint32_t given;		/* verdicts that the caller has */
	bool sent;
	bool done;		/* all verdicts are in */
	struct holdfast_frame_result *res;	/* [batch] */
};

struct holdfast_player {
	struct holdfast_array *lease;
	struct holdfast_player_options opt;
	enum holdfast_way way;
	uint32_t channels;
	uint32_t batch;		/* frames in a slot */
	uint32_t slots;
	struct hf_slot *slot;	/* [slots], a ring */
	uint32_t first, used;	/* the last of them may be open */
	uint64_t last_ns;	/* presentation time of the newest frame */
	/* One mapping, frames and results: the kernel writes there until a command is complete. */
	unsigned char *mem;
	size_t mem_len, frames_len;
	struct io_uring ring;
	bool has_ring;
};

/* Opens the first way that works of those that @want allows. @text may be NULL. */
int hf_way_open(struct holdfast_player *p, enum holdfast_way want, char *text);
/* Gives a slot to the kernel; what does not get there has its verdicts at once. */
void hf_way_send(struct holdfast_player *p, struct hf_slot *s);
/* Takes in what verdicts there are, without sleeping. */
void hf_way_reap(struct holdfast_player *p);
int hf_way_fd(const struct holdfast_player *p);
void hf_way_close(struct holdfast_player *p);

/* All frames of it from @from on were refused with @err, a positive errno. */
void hf_slot_refuse(struct hf_slot *s, uint32_t from, uint32_t err);

#endif /* HF_LIB_PLAYER_H */
