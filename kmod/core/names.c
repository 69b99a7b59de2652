// SPDX-License-Identifier: GPL-2.0
/*
 * Tables behind names.h, and the proof at compile time that core's own enums
 * agree with the netlink ABI. No logic.
 */
#include <linux/build_bug.h>
#include <linux/kernel.h>

#include "core.h"
#include "names.h"

#define HF_ENTRY(v, w) \
	[v] = w,

static const char * const state_words[] = { HF_STATE_WORDS(HF_ENTRY, HF_ENTRY) };
static const char * const severity_words[] = { HF_SEVERITY_WORDS(HF_ENTRY, HF_ENTRY) };
static const char * const cause_words[] = { HF_CAUSE_WORDS(HF_ENTRY, HF_ENTRY) };
static const char * const event_type_words[] = { HF_EVENT_TYPE_WORDS(HF_ENTRY, HF_ENTRY) };
static const char * const detail_words[] = { HF_DETAIL_WORDS(HF_ENTRY, HF_ENTRY) };

static const char *word(const char * const *words, u32 n, u32 v)
{
	return v < n && words[v] ? words[v] : "unknown";
}

const char *hf_word_state(u32 v)
{
	return word(state_words, ARRAY_SIZE(state_words), v);
}

const char *hf_word_severity(u32 v)
{
	return word(severity_words, ARRAY_SIZE(severity_words), v);
}

const char *hf_word_cause(u32 v)
{
	return word(cause_words, ARRAY_SIZE(cause_words), v);
}

const char *hf_word_event_type(u32 v)
{
	return word(event_type_words, ARRAY_SIZE(event_type_words), v);
}

const char *hf_word_detail(u32 v)
{
	return word(detail_words, ARRAY_SIZE(detail_words), v);
}

static_assert(ARRAY_SIZE(state_words) == HF_STATE_COUNT);
static_assert(ARRAY_SIZE(cause_words) == HOLDFAST_CAUSE_COUNT);
static_assert(ARRAY_SIZE(event_type_words) == HF_EVT_REMOVED + 1);
static_assert(ARRAY_SIZE(detail_words) == HF_DET_FENCE + 1);

#define HF_SAME(ours, abi) static_assert((int)(ours) == (int)(abi))
HF_SAME(HF_EVT_STATE, HOLDFAST_EVENT_STATE);
HF_SAME(HF_EVT_TRIP, HOLDFAST_EVENT_TRIP);
HF_SAME(HF_EVT_DERATE, HOLDFAST_EVENT_DERATE);
HF_SAME(HF_EVT_ENVELOPE, HOLDFAST_EVENT_ENVELOPE);
HF_SAME(HF_EVT_SEAL, HOLDFAST_EVENT_SEAL);
HF_SAME(HF_EVT_KEEPER, HOLDFAST_EVENT_KEEPER);
HF_SAME(HF_EVT_LEASE, HOLDFAST_EVENT_LEASE);
HF_SAME(HF_EVT_REFUSED, HOLDFAST_EVENT_REFUSED);
HF_SAME(HF_EVT_SELF_TEST, HOLDFAST_EVENT_SELF_TEST);
HF_SAME(HF_EVT_SILENCE_CONFIRMED, HOLDFAST_EVENT_SILENCE_CONFIRMED);
HF_SAME(HF_EVT_ADDED, HOLDFAST_EVENT_ADDED);
HF_SAME(HF_EVT_REMOVED, HOLDFAST_EVENT_REMOVED);
HF_SAME(HF_DET_NONE, HOLDFAST_DETAIL_NONE);
HF_SAME(HF_DET_ARMED, HOLDFAST_DETAIL_ARMED);
HF_SAME(HF_DET_SILENCED, HOLDFAST_DETAIL_SILENCED);
HF_SAME(HF_DET_RESTED, HOLDFAST_DETAIL_RESTED);
HF_SAME(HF_DET_RESET, HOLDFAST_DETAIL_RESET);
HF_SAME(HF_DET_EMITTING, HOLDFAST_DETAIL_EMITTING);
HF_SAME(HF_DET_CLAIMED, HOLDFAST_DETAIL_CLAIMED);
HF_SAME(HF_DET_CLOSED, HOLDFAST_DETAIL_CLOSED);
HF_SAME(HF_DET_CREATED, HOLDFAST_DETAIL_CREATED);
HF_SAME(HF_DET_REVOKED, HOLDFAST_DETAIL_REVOKED);
HF_SAME(HF_DET_EXPIRED, HOLDFAST_DETAIL_EXPIRED);
HF_SAME(HF_DET_SET, HOLDFAST_DETAIL_SET);
HF_SAME(HF_DET_TIGHTENED, HOLDFAST_DETAIL_TIGHTENED);
HF_SAME(HF_DET_FENCE, HOLDFAST_DETAIL_FENCE);
HF_SAME(HF_SENSOR_OK, HOLDFAST_SENSOR_FAULT_OK);
HF_SAME(HF_SENSOR_LOST, HOLDFAST_SENSOR_FAULT_LOST);
HF_SAME(HF_SENSOR_STALE, HOLDFAST_SENSOR_FAULT_STALE);
HF_SAME(HF_SENSOR_STUCK, HOLDFAST_SENSOR_FAULT_STUCK);
HF_SAME(HF_SENSOR_IMPLAUSIBLE, HOLDFAST_SENSOR_FAULT_IMPLAUSIBLE);
