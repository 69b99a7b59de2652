/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who can be meant: processes of the agent, roles of people, and the actor of
 * a request as auth has established it.
 */
#ifndef HF_ROLE_H
#define HF_ROLE_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

#include "err.h"

/* Processes; the order is that of starting. */
enum hf_proc {
	HF_PROC_PARENT,
	HF_PROC_AUDIT,
	HF_PROC_AUTH,
	HF_PROC_KEEPER,
	HF_PROC_EXPORT,
	HF_PROC_FLEET,
	HF_PROC_LOCAL,
	HF_PROC_FRONT,
	HF_PROCS,
};

const char *hf_proc_name(enum hf_proc p);	/* "keeper" */
int hf_proc_parse(const char *name);		/* enum hf_proc, or -EINVAL */

/* Roles are bits: the table of operations has sets of them. */
enum hf_role {
	HF_ROLE_PUBLIC		= 1 << 0,	/* no credentials */
	HF_ROLE_USER		= 1 << 1,
	HF_ROLE_OPERATOR	= 1 << 2,
	HF_ROLE_ADMIN		= 1 << 3,
	HF_ROLE_SYSTEM		= 1 << 4,	/* services: monitoring, fleet */
};

#define HF_ROLE_ALL		0x1f
#define HF_ROLE_ANYONE_KNOWN	(HF_ROLE_ALL & ~HF_ROLE_PUBLIC)

const char *hf_role_name(enum hf_role r);	/* "operator" */
int hf_role_parse(const char *name);		/* enum hf_role, or -EINVAL */

#define HF_NAME_LEN	33	/* [a-z][a-z0-9_-]{0,31} and NUL: users, tenants */

/* How a request came in. */
enum hf_via {
	HF_VIA_INTERNAL,	/* the agent itself */
	HF_VIA_LOCAL,		/* unix socket of the API */
	HF_VIA_NETWORK,
	HF_VIA_LEASE,		/* unix socket of the keeper */
};

/* By what the actor is known. */
enum hf_proof {
	HF_PROOF_NONE,
	HF_PROOF_PEER,		/* the kernel's word for a local peer */
	HF_PROOF_SESSION,
	HF_PROOF_TOKEN,		/* signed token */
};

/**
 * struct hf_actor - who did it
 * @name:	of the user; "uid:1000" for a peer without one; "holdfastd" for the agent
 * @tenant:	"" : none
 * @session:	public id of the session or token (not the secret), "" : none
 * @source:	address of the peer, "" : local
 * @uid:	(uint32_t)-1: unknown
 * @stepped_up:	proved the password (and TOTP) within the last 5 minutes; a root
 *		peer counts as such
 */
struct hf_actor {
	char name[HF_NAME_LEN];
	char tenant[HF_NAME_LEN];
	char session[HF_NAME_LEN];
	char source[64];
	enum hf_role role;
	enum hf_via via;
	enum hf_proof proof;
	uint32_t uid;
	int32_t pid;
	bool stepped_up;
};

/* The agent itself. */
extern const struct hf_actor hf_actor_self;

/* As a JSON object; parse refuses what is missing, unknown or malformed. */
json_t *hf_actor_json(const struct hf_actor *a);
int hf_actor_parse(const json_t *j, struct hf_actor *a, struct hf_err *e);

#endif /* HF_ROLE_H */
