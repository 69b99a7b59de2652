// SPDX-License-Identifier: GPL-2.0
/* The steps from "recorded" to "disarmed" and back (ladder.h). */
#include <stdio.h>

#include "ladder.h"

bool hf_ladder_durable(const struct hf_ladder *l)
{
	return l->linked && l->word && l->timely;
}

static enum hf_ladder_step changed(struct hf_ladder *l, bool before, uint64_t now_ns)
{
	bool now = hf_ladder_durable(l);

	if (now == before)
		return HF_LADDER_STAY;
	if (now) {
		l->disarmed = false;
		return HF_LADDER_BACK;
	}
	l->lost_ns = now_ns;
	return HF_LADDER_LOST;
}

void hf_ladder_init(struct hf_ladder *l, uint64_t now_ns)
{
	*l = (struct hf_ladder){ .timely = true, .disarmed = true, .lost_ns = now_ns };
}

/*
 * A fresh link is a fresh process: what was said of the one before no longer counts, and that it is
 * there says nothing yet: it may die again before it has opened its log.
 */
enum hf_ladder_step hf_ladder_linked(struct hf_ladder *l, bool there, uint64_t now_ns)
{
	bool before = hf_ladder_durable(l);

	l->linked = there;
	l->word = false;
	l->timely = true;
	snprintf(l->why, sizeof(l->why), "the audit process has not opened its log yet");
	return changed(l, before, now_ns);
}

enum hf_ladder_step hf_ladder_word(struct hf_ladder *l, bool durable, const char *why,
				   uint64_t now_ns)
{
	bool before = hf_ladder_durable(l);

	l->word = durable;
	snprintf(l->why, sizeof(l->why), "%s",
		 why && *why ? why : "the audit log cannot be made durable");
	return changed(l, before, now_ns);
}

enum hf_ladder_step hf_ladder_record(struct hf_ladder *l, bool durable, uint64_t sent_ns,
				     uint64_t now_ns)
{
	bool before = hf_ladder_durable(l);

	if (!durable && sent_ns < l->proof_ns)
		return HF_LADDER_STAY;
	if (durable && sent_ns > l->proof_ns)
		l->proof_ns = sent_ns;
	l->timely = durable;
	return changed(l, before, now_ns);
}

uint64_t hf_ladder_due_ns(const struct hf_ladder *l, uint64_t grace_ns)
{
	return hf_ladder_durable(l) || l->disarmed ? UINT64_MAX : l->lost_ns + grace_ns;
}

enum hf_ladder_step hf_ladder_tick(struct hf_ladder *l, uint64_t grace_ns, uint64_t now_ns)
{
	if (now_ns < hf_ladder_due_ns(l, grace_ns))
		return HF_LADDER_STAY;
	l->disarmed = true;
	return HF_LADDER_DISARM;
}

const char *hf_ladder_why(const struct hf_ladder *l)
{
	if (!l->linked)
		return "there is no audit process";
	if (!l->word)
		return l->why;
	return l->timely ? "" : "the audit process does not answer in time";
}
