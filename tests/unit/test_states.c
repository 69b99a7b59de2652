// SPDX-License-Identifier: GPL-2.0
/*
 * Every cell of the state table against a list written here a second time, and
 * the promises that the list has to keep.
 */
#include "states.h"

#include <criterion/criterion.h>

/* state x event -> next, s armed e t; '-' = refused. Events in the order of enum hf_event. */
static const char *const expected[HF_STATE_COUNT] = {
	/*		 ARM FRAME OFF REST SILENCE TRIP RESET */
	[HF_SILENT]	= "a---st-",
	[HF_ARMED]	= "-eaast-",
	[HF_EMITTING]	= "-eaast-",
	[HF_TRIPPED]	= "----tts",
};

static int state_of(char c)
{
	return c == 's' ? HF_SILENT : c == 'a' ? HF_ARMED : c == 'e' ? HF_EMITTING :
	       c == 't' ? HF_TRIPPED : -1;
}

Test(states, every_cell)
{
	int s, e;

	for (s = 0; s < HF_STATE_COUNT; s++)
		for (e = 0; e < HF_EVENT_COUNT; e++)
			cr_assert_eq(hf_state_next(s, e), state_of(expected[s][e]),
				     "state %d event %d gave %d", s, e, hf_state_next(s, e));
}

Test(states, promises)
{
	int s, e;

	for (s = 0; s < HF_STATE_COUNT; s++) {
		cr_assert_eq(hf_state_next(s, HF_EV_TRIP), HF_TRIPPED);
		cr_assert_geq(hf_state_next(s, HF_EV_SILENCE), 0, "silence refused in %d", s);
		cr_assert(hf_state_quiet(hf_state_next(s, HF_EV_SILENCE)));
		cr_assert_eq(hf_state_quiet(s), s != HF_EMITTING);
		for (e = 0; e < HF_EVENT_COUNT; e++) {
			int n = hf_state_next(s, e);

			if (s == HF_TRIPPED && e != HF_EV_RESET)
				cr_assert(n == HF_TRIPPED || n == -1);
			if (n == HF_ARMED && s == HF_SILENT)
				cr_assert_eq(e, HF_EV_ARM);
			if (n == HF_EMITTING)
				cr_assert(e == HF_EV_FRAME && (s == HF_ARMED || s == HF_EMITTING));
			if (n == HF_SILENT && s == HF_TRIPPED)
				cr_assert_eq(e, HF_EV_RESET);
		}
	}
	cr_assert_eq(hf_state_next(HF_TRIPPED, HF_EV_RESET), HF_SILENT);
}

Test(states, nonsense_is_refused)
{
	cr_assert_eq(hf_state_next(HF_STATE_COUNT, HF_EV_ARM), -1);
	cr_assert_eq(hf_state_next((enum hf_state)-1, HF_EV_TRIP), -1);
	cr_assert_eq(hf_state_next(HF_SILENT, HF_EVENT_COUNT), -1);
	cr_assert_eq(hf_state_next(HF_SILENT, (enum hf_event)-1), -1);
}

Test(states, names)
{
	cr_assert_str_eq(hf_state_name(HF_SILENT), "silent");
	cr_assert_str_eq(hf_state_name(HF_ARMED), "armed");
	cr_assert_str_eq(hf_state_name(HF_EMITTING), "emitting");
	cr_assert_str_eq(hf_state_name(HF_TRIPPED), "tripped");
	cr_assert_str_eq(hf_state_name(HF_STATE_COUNT), "?");
}
