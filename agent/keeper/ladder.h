/* SPDX-License-Identifier: GPL-2.0 */
/*
 * No audit, no emission: what follows when what happens can no longer be
 * recorded, or nobody authenticated. A pure state machine; the time is an
 * argument and what is to be done an answer.
 */
#ifndef HF_KEEPER_LADDER_H
#define HF_KEEPER_LADDER_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct hf_ladder - is the audit log there, and since when not
 * @linked:	there is a link to audit
 * @word:	audit's own word: it can make records durable
 * @timely:	the last record was acknowledged within its deadline
 * @lost_ns:	since when one of them is false
 * @proof_ns:	when the newest of the records was sent that were acknowledged
 * @why:	why not @word
 * @disarmed:	the grace is over, and all was silenced
 */
struct hf_ladder {
	bool linked, word, timely;
	bool disarmed;
	uint64_t lost_ns, proof_ns;
	char why[128];
};

enum hf_ladder_step {
	HF_LADDER_STAY,
	HF_LADDER_LOST,		/* refuse to arm; leases that could arm end */
	HF_LADDER_DISARM,	/* silence all, end all leases */
	HF_LADDER_BACK,		/* allow again; nothing arms by itself */
};

/* Without audit from the start; nothing is emitting then. */
void hf_ladder_init(struct hf_ladder *l, uint64_t now_ns);
/* A new link alone is nothing: the grace goes on until hf_ladder_word(). */
enum hf_ladder_step hf_ladder_linked(struct hf_ladder *l, bool there, uint64_t now_ns);
enum hf_ladder_step hf_ladder_word(struct hf_ladder *l, bool durable, const char *why,
				   uint64_t now_ns);
/*
 * A record sent at @sent_ns was made durable, or was not by its deadline or at all;
 * that says nothing about now if one sent later was.
 */
enum hf_ladder_step hf_ladder_record(struct hf_ladder *l, bool durable, uint64_t sent_ns,
				     uint64_t now_ns);
/* Time has passed. */
enum hf_ladder_step hf_ladder_tick(struct hf_ladder *l, uint64_t grace_ns, uint64_t now_ns);
/* When to call hf_ladder_tick(); UINT64_MAX: no need. */
uint64_t hf_ladder_due_ns(const struct hf_ladder *l, uint64_t grace_ns);
bool hf_ladder_durable(const struct hf_ladder *l);
/* Why not, in words: "there is no audit process". */
const char *hf_ladder_why(const struct hf_ladder *l);

#endif /* HF_KEEPER_LADDER_H */
