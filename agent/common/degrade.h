/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much of the agent works, in steps. Each step lacks all that the one before
 * it lacks: down at once, up one step at a time when it has been better for a
 * while. Says where the agent is; what each step means is enforced where it
 * belongs (audit, auth, keeper), and silencing works on every one. Pure.
 */
#ifndef HF_DEGRADE_H
#define HF_DEGRADE_H

#include <stdbool.h>

#include "clock.h"

enum hf_level {
	HF_LEVEL_FULL,
	HF_LEVEL_NO_EXPORT,	/* what leaves the host waits; old segments of the log stay */
	HF_LEVEL_READ_ONLY,	/* no record can be made durable: nothing privileged is done, nothing arms */
	HF_LEVEL_SILENT,	/* and for so long that the keeper has silenced all arrays */
};

#define HF_LEVEL_UP_NS	(10 * HF_S)

const char *hf_level_word(enum hf_level l);	/* "full", "no_export", "read_only", "silent" */

/* Zeros at first. @better_ns: since when a higher step would be right; 0: it is not. */
struct hf_degrade {
	enum hf_level level;
	uint64_t better_ns;
};

/* @right: what would be right at @now_ns (> 0). Return: true: @d->level has changed. */
bool hf_degrade_step(struct hf_degrade *d, enum hf_level right, uint64_t now_ns);

#endif /* HF_DEGRADE_H */
