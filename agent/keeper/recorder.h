/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events of one registration of an array become audit records, in order, with
 * the kernel's numbers; what is missing becomes a record of the gap. A bounded
 * buffer bridges the time that audit is away: the newest are kept.
 *
 * At least once: what was sent and not acknowledged is sent again, so a record
 * may be there twice, with the same instance and number. Never blocks.
 */
#ifndef HF_KEEPER_RECORDER_H
#define HF_KEEPER_RECORDER_H

#include <stdbool.h>

#include "peers.h"

#define HF_REC_EVENTS	1024	/* as many as the kernel's own ring */
#define HF_REC_FLIGHT	16	/* records on their way to audit */

struct hf_recorder;

/* @why: for a gap, "kernel": the kernel's ring, "keeper": this buffer; else NULL. */
struct hf_flight {
	enum { HF_FLIGHT_READY, HF_FLIGHT_SENT, HF_FLIGHT_DONE } state;
	const char *why;
	uint64_t from, to;
	struct holdfast_event e;
	struct hf_recorder *rec;
};

/**
 * struct hf_recorder - all numbers count up from 0, taken modulo the size
 * @ring:	what happened; behind @first is what was sent already
 * @first: @next:	not sent yet
 * @head: @tail:	of @flight
 * @out:	answers awaited
 * @drop_from: @drop_to:	sequence numbers that found no room since; 0: none
 * @dropped: @missed:	events lost for want of room, here and in the kernel
 * @durable_seq:	last event of the kernel's that is in the audit log
 * @last_seq:	newest that was put
 * @tenant_name:	for the record; may give NULL
 */
struct hf_recorder {
	uint32_t index;
	uint64_t instance;
	char serial[HOLDFAST_LABEL_LEN];
	const struct hf_peers *peers;
	const char *(*tenant_name)(void *arg, uint64_t tenant);
	void *arg;
	uint64_t first, next;
	uint64_t head, tail;
	unsigned int out;
	uint64_t drop_from, drop_to, dropped, missed;
	uint64_t durable_seq, last_seq;
	struct hf_flight flight[HF_REC_FLIGHT];
	struct holdfast_event ring[HF_REC_EVENTS];
};

/* @durable_seq: of this instance, 0: none. The functions are set by the caller. */
void hf_recorder_init(struct hf_recorder *r, uint32_t index, uint64_t instance, const char *serial,
		      uint64_t durable_seq, const struct hf_peers *peers);
/* Takes an event. No allocation, no waiting: part of the beat. What it had already is left out. */
void hf_recorder_put(struct hf_recorder *r, const struct holdfast_event *e);
/* Sends what may be sent, and again what failed. Call now and then, and after answers. */
void hf_recorder_pump(struct hf_recorder *r);
/* Nothing is left to send or to wait for. */
bool hf_recorder_idle(const struct hf_recorder *r);
/* Events not in the audit log yet. */
uint64_t hf_recorder_pending(const struct hf_recorder *r);
/*
 * Events after @after that are still here, oldest first, @room at most of the
 * newest. Return: how many.
 */
size_t hf_recorder_copy(const struct hf_recorder *r, uint64_t after, struct holdfast_event *e,
			size_t room);
/* The event as an object, for records and for the API. NULL: out of memory. */
json_t *hf_event_json(const struct holdfast_event *e, const char *tenant);
/* Text of the kernel's or a program's as a JSON string: what is not printable ASCII becomes '?'. */
json_t *hf_plain_json(const char *s, size_t len);
json_t *hf_reason_json(const struct holdfast_reason *r);
json_t *hf_hex_json(uint64_t v);	/* 16 hex digits */

#endif /* HF_KEEPER_RECORDER_H */
