// SPDX-License-Identifier: GPL-2.0
/*
 * The steps of degrade.h.
 */
#include "degrade.h"

const char *hf_level_word(enum hf_level l)
{
	static const char *const words[] = { "full", "no_export", "read_only", "silent" };

	return words[l];
}

bool hf_degrade_step(struct hf_degrade *d, enum hf_level right, uint64_t now_ns)
{
	if (right >= d->level) {
		bool changed = right > d->level;

		d->level = right;
		d->better_ns = 0;
		return changed;
	}
	if (!d->better_ns)
		d->better_ns = now_ns;
	if (now_ns - d->better_ns < HF_LEVEL_UP_NS)
		return false;
	d->level--;
	d->better_ns = now_ns;	/* the next step waits as long */
	return true;
}
