// SPDX-License-Identifier: GPL-2.0
/*
 * Who may send what to whom, when, and with which payload: two tables and how
 * they are read. Policy only; nothing is sent or received here.
 */
#include <errno.h>
#include <string.h>

#include "field.h"
#include "handover.h"
#include "msg.h"

#define HF_COUNT(a)	(sizeof(a) / sizeof((a)[0]))

#define PARENT	(1U << HF_PROC_PARENT)
#define AUDIT	(1U << HF_PROC_AUDIT)
#define AUTH	(1U << HF_PROC_AUTH)
#define KEEPER	(1U << HF_PROC_KEEPER)
#define EXPORT	(1U << HF_PROC_EXPORT)
#define FLEET	(1U << HF_PROC_FLEET)
#define LOCAL	(1U << HF_PROC_LOCAL)
#define FRONT	(1U << HF_PROC_FRONT)
#define CHILD	(AUDIT | AUTH | KEEPER | EXPORT | FLEET | LOCAL | FRONT)

#define STARTING	HF_ST_STARTING
#define RUNNING		HF_ST_RUNNING
#define STOPPING	HF_ST_STOPPING
#define ALWAYS		(STARTING | RUNNING | STOPPING)

/* @from, @to: sets of processes. REPLY is not here: it goes wherever there is a link. */
static const struct rule {
	unsigned int from, to;
	enum hf_msg type;
	unsigned int states;	/* of the receiver */
} rules[] = {
	{ PARENT, CHILD, HF_MSG_CONFIG, STARTING },
	{ PARENT, CHILD, HF_MSG_PEER, STARTING | RUNNING },
	{ PARENT, CHILD, HF_MSG_START, STARTING },
	{ PARENT, CHILD, HF_MSG_PING, ALWAYS },
	{ PARENT, CHILD, HF_MSG_PREPARE, RUNNING },
	{ PARENT, CHILD, HF_MSG_COMMIT, RUNNING },
	{ PARENT, CHILD, HF_MSG_ABORT, RUNNING },
	{ PARENT, CHILD, HF_MSG_STOP, STARTING | RUNNING },
	{ PARENT, CHILD, HF_MSG_NOTICE, ALWAYS },
	{ PARENT, AUDIT | AUTH | KEEPER, HF_MSG_FILES, RUNNING | STOPPING },
	{ PARENT, AUDIT | AUTH | KEEPER, HF_MSG_FILE, RUNNING | STOPPING },

	/* Whoever faces the world may not accuse: it could end the others that way. */
	{ AUDIT | AUTH | KEEPER, PARENT, HF_MSG_BROKEN, ALWAYS },
	{ AUDIT | AUTH | KEEPER, PARENT, HF_MSG_HANDOVER, RUNNING | STOPPING },
	{ CHILD, PARENT, HF_MSG_LEAVING, ALWAYS },

	{ FRONT | LOCAL, AUTH, HF_MSG_CALL, RUNNING },
	{ AUTH, KEEPER | AUDIT | PARENT | EXPORT, HF_MSG_CALL, RUNNING },
	{ PARENT, AUTH, HF_MSG_CALL, RUNNING },	/* backup.snapshot */
	{ PARENT, KEEPER, HF_MSG_CALL, RUNNING },	/* array.self_test, as a remedy */
	{ FRONT | LOCAL | FLEET, KEEPER, HF_MSG_SILENCE, ALWAYS },
	{ FLEET, KEEPER, HF_MSG_TELEMETRY, RUNNING },
	{ FLEET, AUDIT, HF_MSG_EVENTS, RUNNING },
	{ AUDIT, FLEET, HF_MSG_ANCHOR, RUNNING | STOPPING },
	{ KEEPER | AUTH | PARENT, AUDIT, HF_MSG_APPEND, RUNNING | STOPPING },
	{ KEEPER, AUTH, HF_MSG_WHOIS, RUNNING | STOPPING },
	{ AUDIT, EXPORT, HF_MSG_ANCHOR, RUNNING | STOPPING },
	{ EXPORT, AUDIT, HF_MSG_ANCHORED, ALWAYS },
	{ KEEPER, EXPORT, HF_MSG_TRIPPED, RUNNING },
	{ AUDIT, KEEPER | AUTH, HF_MSG_DURABLE, ALWAYS },
	{ FRONT | EXPORT | FLEET, AUTH, HF_MSG_SECRET, RUNNING },
	{ FRONT | LOCAL, AUTH, HF_MSG_REPORT, RUNNING },
};

#define REQ	HF_FF_REQUIRED

static const char *const proc_words[] = {
	"audit", "auth", "keeper", "export", "fleet", "local", "front", NULL
};
static const char *const notice_words[] = { "gone", "back", NULL };
static const char *const phase_words[] = { "intent", "outcome", "event", "denied", NULL };
static const char *const result_words[] = { "", "ok", "refused", "error", "unknown", NULL };

static const struct hf_field f_nothing[] = { { .name = NULL } };
static const struct hf_field f_config[] = {
	{ "config", HF_F_OBJECT, .flags = REQ }, { .name = NULL }
};
static const struct hf_field f_peer[] = {
	{ "role", HF_F_ENUM, .flags = REQ, .words = proc_words }, { .name = NULL }
};
static const struct hf_field f_ping[] = {
	{ "nonce", HF_F_HEX, .flags = REQ, .min = 16, .max = 16 },
	{ "health", HF_F_OBJECT, .flags = 0 }, { .name = NULL }
};
static const struct hf_field f_notice[] = {
	{ "role", HF_F_ENUM, .flags = REQ, .words = proc_words },
	{ "what", HF_F_ENUM, .flags = REQ, .words = notice_words }, { .name = NULL }
};
static const struct hf_field f_broken[] = {
	{ "role", HF_F_ENUM, .flags = REQ, .words = proc_words },
	{ "why", HF_F_STRING, .flags = REQ, .max = HF_ERR_LEN }, { .name = NULL }
};
static const struct hf_field f_files[] = {
	{ "after", HF_F_STRING, .flags = REQ, .max = HF_HANDOVER_NAME - 1 }, { .name = NULL }
};
static const struct hf_field f_file[] = {
	{ "name", HF_F_STRING, .flags = REQ, .min = 1, .max = HF_HANDOVER_NAME - 1 },
	{ .name = NULL }
};
/* Who comes from outside brings credentials; only auth may say who somebody is. */
static const struct hf_field f_call_outside[] = {
	{ "op", HF_F_STRING, .flags = REQ, .min = 1, .max = 64 },
	{ "args", HF_F_OBJECT, .flags = REQ },
	{ "cred", HF_F_OBJECT, .flags = REQ },
	{ "src", HF_F_OBJECT, .flags = REQ },
	{ "deadline_ms", HF_F_INT, .flags = 0, .min = 1, .max = 60000 }, { .name = NULL }
};
static const struct hf_field f_call_inside[] = {
	{ "op", HF_F_STRING, .flags = REQ, .min = 1, .max = 64 },
	{ "args", HF_F_OBJECT, .flags = REQ },
	{ "actor", HF_F_OBJECT, .flags = REQ },
	{ "deadline_ms", HF_F_INT, .flags = 0, .min = 1, .max = 60000 }, { .name = NULL }
};
static const struct hf_field f_append[] = {
	{ "action", HF_F_STRING, .flags = REQ, .min = 1, .max = 64 },
	{ "object", HF_F_STRING, .flags = REQ, .max = 96 },
	{ "phase", HF_F_ENUM, .flags = REQ, .words = phase_words },
	{ "result", HF_F_ENUM, .flags = REQ, .words = result_words },
	{ "intent", HF_F_INT, .flags = REQ, .max = INT64_MAX },
	{ "actor", HF_F_OBJECT, .flags = REQ },
	{ "detail", HF_F_OBJECT, .flags = 0 }, { .name = NULL }
};
static const struct hf_field f_whois[] = {
	{ "uid", HF_F_INT, .flags = REQ, .max = UINT32_MAX - 1 },
	{ "gids", HF_F_INTS, .flags = REQ, .max = UINT32_MAX - 1 }, { .name = NULL }
};
static const struct hf_field f_silence[] = {
	{ "array", HF_F_INT, .flags = REQ, .min = -1, .max = 255 },
	{ "latch", HF_F_BOOL, .flags = REQ },
	{ "actor", HF_F_OBJECT, .flags = REQ }, { .name = NULL }
};
static const struct hf_field f_anchor[] = {
	{ "origin", HF_F_STRING, .flags = REQ, .min = 1, .max = 256 },
	{ "size", HF_F_INT, .flags = REQ, .max = INT64_MAX },
	{ "root", HF_F_STRING, .flags = REQ, .min = 1, .max = 128 },
	{ "t_ns", HF_F_INT, .flags = REQ, .max = INT64_MAX },
	{ "key", HF_F_STRING, .flags = REQ, .min = 1, .max = 256 },
	{ "signature", HF_F_STRING, .flags = REQ, .min = 1, .max = 256 }, { .name = NULL }
};
static const struct hf_field f_anchored[] = {
	{ "origin", HF_F_STRING, .flags = REQ, .min = 1, .max = 256 },
	{ "size", HF_F_INT, .flags = REQ, .max = INT64_MAX }, { .name = NULL }
};
static const char *const tale_words[] = { "tripped", "clear", "gone", NULL };
static const struct hf_field f_tripped[] = {
	{ "array", HF_F_INT, .flags = REQ, .max = 63 },
	{ "state", HF_F_ENUM, .flags = REQ, .words = tale_words },
	{ "instance", HF_F_HEX, .flags = REQ, .min = 16, .max = 16 },
	{ "seq", HF_F_INT, .flags = REQ, .max = INT64_MAX },
	{ "what", HF_F_OBJECT, .flags = REQ }, { .name = NULL }
};
static const struct hf_field f_events[] = {
	{ "after", HF_F_INT, .flags = REQ, .max = INT64_MAX },
	{ "log", HF_F_HEX, .flags = REQ, .max = 32 }, { .name = NULL }
};
static const struct hf_field f_durable[] = {
	{ "durable", HF_F_BOOL, .flags = REQ },
	{ "why", HF_F_STRING, .flags = REQ, .max = HF_ERR_LEN }, { .name = NULL }
};
static const struct hf_field f_secret[] = {
	{ "name", HF_F_NAME, .flags = REQ }, { .name = NULL }
};
static const char *const report_words[] = {
	"blocked", "user_attacked", "suspicious", "direct_silence", NULL
};
static const struct hf_field f_report[] = {
	{ "what", HF_F_ENUM, .flags = REQ, .words = report_words },
	{ "source", HF_F_STRING, .flags = REQ, .min = 1, .max = 64 },
	{ "count", HF_F_INT, .flags = REQ, .min = 1, .max = INT32_MAX },
	{ "detail", HF_F_STRING, .flags = REQ, .max = 128 }, { .name = NULL }
};
static const struct hf_field f_reply[] = {
	{ "status", HF_F_INT, .flags = REQ, .min = 200, .max = 599 },
	{ "result", HF_F_OBJECT, .flags = 0 },
	{ "error", HF_F_OBJECT, .flags = 0 }, { .name = NULL }
};

/* By type; a type without a name does not exist. */
static const struct shape {
	const char *name;
	const struct hf_field *fields;
	bool request, fd;
} shapes[] = {
	[HF_MSG_CONFIG]	 = { "CONFIG", f_config, .request = true },
	[HF_MSG_PEER]	 = { "PEER", f_peer, .request = true, .fd = true },
	[HF_MSG_START]	 = { "START", f_nothing, .request = true },
	[HF_MSG_PING]	 = { "PING", f_ping, .request = true },
	[HF_MSG_PREPARE] = { "PREPARE", f_config, .request = true },
	[HF_MSG_COMMIT]	 = { "COMMIT", f_nothing, .request = true },
	[HF_MSG_ABORT]	 = { "ABORT", f_nothing, .request = true },
	[HF_MSG_STOP]	 = { "STOP", f_nothing, .request = true },
	[HF_MSG_NOTICE]	 = { "NOTICE", f_notice },
	[HF_MSG_FILES]	 = { "FILES", f_files, .request = true },
	[HF_MSG_FILE]	 = { "FILE", f_file, .request = true },
	[HF_MSG_BROKEN]	 = { "BROKEN", f_broken },
	[HF_MSG_HANDOVER] = { "HANDOVER", f_file, .fd = true },
	[HF_MSG_LEAVING] = { "LEAVING", f_nothing },
	[HF_MSG_CALL]	 = { "CALL", f_call_outside, .request = true },
	[HF_MSG_APPEND]	 = { "APPEND", f_append, .request = true },
	[HF_MSG_WHOIS]	 = { "WHOIS", f_whois, .request = true },
	[HF_MSG_SILENCE] = { "SILENCE", f_silence, .request = true },
	[HF_MSG_ANCHOR]	 = { "ANCHOR", f_anchor, .request = true },
	[HF_MSG_DURABLE] = { "DURABLE", f_durable },
	[HF_MSG_SECRET]	 = { "SECRET", f_secret, .request = true },
	[HF_MSG_REPORT]	 = { "REPORT", f_report },
	[HF_MSG_ANCHORED] = { "ANCHORED", f_anchored },
	[HF_MSG_TRIPPED] = { "TRIPPED", f_tripped, .request = true },
	[HF_MSG_EVENTS]	 = { "EVENTS", f_events, .request = true },
	[HF_MSG_TELEMETRY] = { "TELEMETRY", f_nothing, .request = true },
	[HF_MSG_REPLY]	 = { "REPLY", f_reply },
};

static const struct shape *shape_of(enum hf_msg type)
{
	return (size_t)type < HF_COUNT(shapes) && shapes[type].name ? &shapes[type] : NULL;
}

bool hf_msg_linked(enum hf_proc a, enum hf_proc b)
{
	unsigned int both = 1U << a | 1U << b;

	if (a == b || both & PARENT)
		return false;
	for (size_t i = 0; i < HF_COUNT(rules); i++)
		if ((rules[i].from & 1U << a && rules[i].to & 1U << b) ||
		    (rules[i].from & 1U << b && rules[i].to & 1U << a))
			return true;
	return false;
}

bool hf_msg_permitted(enum hf_proc from, enum hf_proc to, enum hf_msg type, unsigned int state)
{
	if ((size_t)from >= HF_PROCS || (size_t)to >= HF_PROCS || from == to)
		return false;
	if (type == HF_MSG_REPLY)
		return from == HF_PROC_PARENT || to == HF_PROC_PARENT || hf_msg_linked(from, to);
	for (size_t i = 0; i < HF_COUNT(rules); i++)
		if (rules[i].type == type && rules[i].from & 1U << from && rules[i].to & 1U << to &&
		    rules[i].states & state)
			return true;
	return false;
}

const char *hf_msg_name(enum hf_msg type)
{
	const struct shape *s = shape_of(type);

	return s ? s->name : "?";
}

bool hf_msg_is_request(enum hf_msg type)
{
	const struct shape *s = shape_of(type);

	return s && s->request;
}

bool hf_msg_has_fd(enum hf_msg type)
{
	const struct shape *s = shape_of(type);

	return s && s->fd;
}

int hf_msg_check(enum hf_proc from, enum hf_msg type, const json_t *body, struct hf_err *e)
{
	const struct shape *s = shape_of(type);
	bool outside = from == HF_PROC_FRONT || from == HF_PROC_LOCAL;
	struct hf_err why;

	if (!s)
		return hf_fail(e, -EPROTO, "message type %d does not exist", (int)type);
	if (!hf_field_check(type == HF_MSG_CALL && !outside ? f_call_inside : s->fields, body, NULL,
			    &why))
		return 0;
	return hf_fail(e, -EPROTO, "%s: %s", s->name, why.text);
}
