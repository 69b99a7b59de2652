/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The states of an array and what may change them, as one table.
 */
#ifndef HF_STATES_H
#define HF_STATES_H

#include "shim.h"

enum hf_state { HF_SILENT, HF_ARMED, HF_EMITTING, HF_TRIPPED, HF_STATE_COUNT };

enum hf_event {
	HF_EV_ARM,	/* someone entitled armed */
	HF_EV_FRAME,	/* an admitted frame with at least one channel on */
	HF_EV_FRAME_OFF,	/* an admitted frame with every channel off */
	HF_EV_REST,	/* hold over, lease ended, emission used up: off, still armed */
	HF_EV_SILENCE,	/* someone asked for silence, or the keeper went */
	HF_EV_TRIP,
	HF_EV_RESET,	/* someone entitled reset, cause gone, dwell over */
	HF_EVENT_COUNT
};

/* May the event happen in this state, and where does it lead? -1: refused. */
int hf_state_next(enum hf_state s, enum hf_event ev);

/* Outputs must be off in every state but emitting. */
static inline bool hf_state_quiet(enum hf_state s)
{
	return s != HF_EMITTING;
}

const char *hf_state_name(enum hf_state s);

#endif /* HF_STATES_H */
