// SPDX-License-Identifier: GPL-2.0
/*
 * The state table of an array. No conditions in here: whether an event happens
 * is decided elsewhere (supervise.c, admit.c, the core), where it leads is here.
 */
#include "states.h"

#define NO (-1)

/*
 * Only ARM leaves silent for armed, only RESET leaves tripped (for silent), and
 * TRIP leads to tripped from anywhere. Silence asked for in tripped stays
 * tripped: it is quiet already and must not lose the latch.
 */
static const signed char hf_next[HF_STATE_COUNT][HF_EVENT_COUNT] = {
	[HF_SILENT] = {
		[HF_EV_ARM]		= HF_ARMED,
		[HF_EV_FRAME]		= NO,
		[HF_EV_FRAME_OFF]	= NO,
		[HF_EV_REST]		= NO,
		[HF_EV_SILENCE]		= HF_SILENT,
		[HF_EV_TRIP]		= HF_TRIPPED,
		[HF_EV_RESET]		= NO,
	},
	[HF_ARMED] = {
		[HF_EV_ARM]		= NO,
		[HF_EV_FRAME]		= HF_EMITTING,
		[HF_EV_FRAME_OFF]	= HF_ARMED,
		[HF_EV_REST]		= HF_ARMED,
		[HF_EV_SILENCE]		= HF_SILENT,
		[HF_EV_TRIP]		= HF_TRIPPED,
		[HF_EV_RESET]		= NO,
	},
	[HF_EMITTING] = {
		[HF_EV_ARM]		= NO,
		[HF_EV_FRAME]		= HF_EMITTING,
		[HF_EV_FRAME_OFF]	= HF_ARMED,
		[HF_EV_REST]		= HF_ARMED,
		[HF_EV_SILENCE]		= HF_SILENT,
		[HF_EV_TRIP]		= HF_TRIPPED,
		[HF_EV_RESET]		= NO,
	},
	[HF_TRIPPED] = {
		[HF_EV_ARM]		= NO,
		[HF_EV_FRAME]		= NO,
		[HF_EV_FRAME_OFF]	= NO,
		[HF_EV_REST]		= NO,
		[HF_EV_SILENCE]		= HF_TRIPPED,
		[HF_EV_TRIP]		= HF_TRIPPED,
		[HF_EV_RESET]		= HF_SILENT,
	},
};

int hf_state_next(enum hf_state s, enum hf_event ev)
{
	if ((unsigned int)s >= HF_STATE_COUNT || (unsigned int)ev >= HF_EVENT_COUNT)
		return NO;
	return hf_next[s][ev];
}

const char *hf_state_name(enum hf_state s)
{
	switch (s) {
	case HF_SILENT:
		return "silent";
	case HF_ARMED:
		return "armed";
	case HF_EMITTING:
		return "emitting";
	case HF_TRIPPED:
		return "tripped";
	default:
		return "?";
	}
}
