/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The operations of the agent: who may ask for what, from where, with which
 * arguments. HTTP routes, OpenAPI, argument checks, authorisation, docs/api.md
 * and the matrix test are all made from this one table (ops.c).
 */
#ifndef HF_OPS_H
#define HF_OPS_H

#include "field.h"
#include "role.h"

#define HF_OP_NET	(1U << 0)	/* may come over the network; without it: local only */
#define HF_OP_STEPUP	(1U << 1)	/* the actor must be stepped up */
#define HF_OP_PRIV	(1U << 2)	/* INTENT durable before, OUTCOME after */
#define HF_OP_QUIET	(1U << 3)	/* makes things quieter: never limited, blocked or queued */
#define HF_OP_TENANT	(1U << 4)	/* below admin: only things of the own tenant */
#define HF_OP_SELF	(1U << 5)	/* below admin: only one's own (sessions, tokens) */
#define HF_OP_LOGIN	(1U << 6)	/* costs a password hash: limited as such */
#define HF_OP_RAISES	(1U << 7)	/* can raise output: over the network only with remote_arming: step_up */
#define HF_OP_FRESH	(1U << 8)	/* allowed although the password must be changed first */

/**
 * struct hf_op - one operation
 * @name:	"array.arm"
 * @method: @path:	of HTTP; "{array}" in the path is argument "array"
 * @roles:	set of HF_ROLE_*
 * @target:	the process that carries it out
 * @args:	table of fields
 * @summary:	one line for people
 * @answer:	what the result has, in words, for the API description
 */
struct hf_op {
	const char *name;
	const char *method;
	const char *path;
	uint32_t roles;
	uint32_t flags;
	enum hf_proc target;
	const struct hf_field *args;
	const char *summary;
	const char *answer;
};

extern const struct hf_op hf_ops[];	/* ends with a NULL name */

const struct hf_op *hf_op_find(const char *name);

/* Why a request is not allowed; HF_ALLOWED is none. */
enum hf_denial {
	HF_ALLOWED,
	HF_DENIED_UNAUTHENTICATED,	/* 401 */
	HF_DENIED_ROLE,			/* 403 */
	HF_DENIED_NETWORK,		/* 403: local only */
	HF_DENIED_STEP_UP,		/* 403: prove the password first */
	HF_DENIED_TENANT,		/* 404: as if it were not there */
};

/**
 * hf_op_authorise() - the decision, a pure function of the table and the actor
 * @remote_arming:	configuration: operations that raise output may come over the
 *			network if stepped up
 *
 * Ownership (TENANT, SELF) is not decided here but by who has the object.
 */
enum hf_denial hf_op_authorise(const struct hf_op *op, const struct hf_actor *a,
			       bool remote_arming);
int hf_denial_status(enum hf_denial d);		/* 200, 401, 403, 404 */
const char *hf_denial_code(enum hf_denial d);	/* "role" */

#endif /* HF_OPS_H */
