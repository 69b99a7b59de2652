/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a record says: the fields as JSON, bounded and in canonical form. No
 * files, no chain.
 */
#ifndef HF_AUDIT_RECORD_H
#define HF_AUDIT_RECORD_H

#include <jansson.h>

#include "corr.h"
#include "role.h"
#include "format.h"

#define AUD_ACTION	65	/* with NUL */
#define AUD_OBJECT	97

enum aud_phase { AUD_INTENT, AUD_OUTCOME, AUD_EVENT, AUD_DENIED, AUD_PHASES };

const char *aud_phase_name(enum aud_phase p);
int aud_phase_parse(const char *name);	/* enum aud_phase, or -EINVAL */

/**
 * struct aud_say - a record as its author states it
 * @actor:	object of hf_actor_json(); borrowed
 * @detail:	object, or NULL; borrowed
 * @intent:	of an outcome: the sequence number of its intent; else 0
 */
struct aud_say {
	const char *action;
	const char *object;
	const char *result;
	enum aud_phase phase;
	uint64_t intent;
	json_t *actor;
	json_t *detail;
	struct hf_corr corr;
};

/**
 * aud_record_new() - the author's part of a record
 *
 * Numbers with fractions become strings (the log has integers only). A detail
 * that would make the record too long is replaced by { cut: true, bytes, head }.
 * Return: new reference; NULL: out of memory, or the rest alone is too long.
 */
json_t *aud_record_new(const struct aud_say *say);

/**
 * aud_record_text() - the payload: the author's part with place and time
 * @out:	AUD_PAYLOAD_MAX bytes
 * @boot:	hex
 *
 * Return: its length, -ENOMEM, -EMSGSIZE.
 */
ssize_t aud_record_text(json_t *record, uint64_t seq, uint64_t t_ns, uint64_t mono_ns,
			const char *boot, char *out);

#endif /* HF_AUDIT_RECORD_H */
