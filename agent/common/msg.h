/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The messages between processes, and who may send which to whom: policy as
 * data. What is not in the table ends the sender.
 */
#ifndef HF_MSG_H
#define HF_MSG_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "err.h"
#include "role.h"

/*
 * Payloads are JSON objects (UTF-8, at most HF_MSG_MAX bytes), checked by a
 * table of fields each (msg.c). A request carries an id; its answer is REPLY
 * with the same id.
 */
enum hf_msg {
	/* parent -> child */
	HF_MSG_CONFIG	= 1,	/* { config }: this process's part. Answered when taken */
	HF_MSG_PEER	= 2,	/* { role }: with one fd, a fresh link to that process */
	HF_MSG_START	= 3,	/* {}: drop rights and work; answered by REPLY when ready */
	HF_MSG_PING	= 4,	/* { nonce }; answered by REPLY { nonce, stats } */
	HF_MSG_PREPARE	= 5,	/* { config }: can this be taken? nothing changes */
	HF_MSG_COMMIT	= 6,	/* {}: take the prepared one */
	HF_MSG_ABORT	= 7,	/* {}: forget the prepared one */
	HF_MSG_STOP	= 8,	/* {}: finish in order; answered by REPLY, then exit 0 */
	HF_MSG_NOTICE	= 9,	/* { role, what: "gone" | "back" }: of another process. No answer */
	HF_MSG_FILES	= 11,	/* { after }: what of yours is in a backup, behind this name;
				 * { files: [{ name, size }], more } */
	HF_MSG_FILE	= 12,	/* { name }: one of them; answered after its HANDOVER */

	/* child -> parent */
	HF_MSG_BROKEN	= 10,	/* { role, why }: a peer of mine broke the rules; ends it. No answer */
	HF_MSG_HANDOVER	= 13,	/* { name }: with one fd, that file for reading. No answer */
	HF_MSG_LEAVING	= 14,	/* {}: whoever started us has told us to finish. No answer */

	/* requests */
	HF_MSG_CALL	= 16,	/* { op, args, deadline_ms, actor | cred and src }: see ops.h */
	HF_MSG_APPEND	= 17,	/* { action, object, phase, result, intent, actor, detail };
				 * answered when durable: { seq } */
	HF_MSG_WHOIS	= 18,	/* { uid, gids }; { name, role, tenant } */
	HF_MSG_SILENCE	= 19,	/* { array (-1: all), latch, actor }; { silenced } */
	HF_MSG_ANCHOR	= 20,	/* { origin, size, root, t_ns, key, signature }: a checkpoint
				 * to be taken off the host */
	HF_MSG_DURABLE	= 21,	/* audit -> keeper, auth: { durable, why }: whether privileged
				 * acts can be recorded. No answer */
	HF_MSG_SECRET	= 22,	/* { name }: a secret this process is entitled to; { value } */
	HF_MSG_REPORT	= 23,	/* front, local -> auth: { what, source, count, detail }: abuse
				 * seen, for the audit log. No answer */
	HF_MSG_ANCHORED	= 24,	/* export -> audit: { origin, size }: a place outside has that
				 * checkpoint now. No answer */

	HF_MSG_TRIPPED	= 25,	/* keeper -> export: { array, state: "tripped" | "clear" | "gone", instance,
				 * seq, what }: the present state of an array; answered when it is
				 * kept */
	HF_MSG_EVENTS	= 26,	/* fleet -> audit: { after, log }: what of the log may go to the
				 * fleet behind that record of that log (query.h) */
	HF_MSG_TELEMETRY = 27,	/* fleet -> keeper: {}; { arrays }: what all of them do just now */

	HF_MSG_REPLY	= 32,	/* { status, result | error } */
};

#define HF_MSG_MAX	(60 * 1024)

/* States of a receiver that the table tells apart. */
#define HF_ST_STARTING	(1U << 0)	/* until START was answered */
#define HF_ST_RUNNING	(1U << 1)
#define HF_ST_STOPPING	(1U << 2)	/* STOP has come, or LEAVING was sent */

/* May @from send @type to @to while @to is in @state? */
bool hf_msg_permitted(enum hf_proc from, enum hf_proc to, enum hf_msg type, unsigned int state);
/* Have these two processes a socket between them, besides the parent's control sockets? */
bool hf_msg_linked(enum hf_proc a, enum hf_proc b);
const char *hf_msg_name(enum hf_msg type);	/* "CALL"; "?" for one that does not exist */
bool hf_msg_is_request(enum hf_msg type);	/* does it want a REPLY? */
/* Exactly one file comes with it; with others none may. */
bool hf_msg_has_fd(enum hf_msg type);
/* Is this what @from may put into a @type? Return: 0, -EPROTO and why. */
int hf_msg_check(enum hf_proc from, enum hf_msg type, const json_t *body, struct hf_err *e);

#endif /* HF_MSG_H */
