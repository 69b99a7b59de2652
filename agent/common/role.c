// SPDX-License-Identifier: GPL-2.0
/*
 * Names of processes and roles; the actor as JSON between processes. No
 * decisions: who may do what is in ops.c.
 */
#include <errno.h>
#include <string.h>

#include "field.h"
#include "role.h"

#define HF_COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static const char *const proc_names[HF_PROCS] = {
	[HF_PROC_PARENT] = "parent",
	[HF_PROC_AUDIT] = "audit",
	[HF_PROC_AUTH] = "auth",
	[HF_PROC_KEEPER] = "keeper",
	[HF_PROC_EXPORT] = "export",
	[HF_PROC_FLEET] = "fleet",
	[HF_PROC_LOCAL] = "local",
	[HF_PROC_FRONT] = "front",
};

/* By bit number. */
static const char *const role_names[] = { "public", "user", "operator", "admin", "system", NULL };
static const char *const via_names[] = {
	[HF_VIA_INTERNAL] = "internal",
	[HF_VIA_LOCAL] = "local",
	[HF_VIA_NETWORK] = "network",
	[HF_VIA_LEASE] = "lease",
	NULL,
};
static const char *const proof_names[] = {
	[HF_PROOF_NONE] = "none",
	[HF_PROOF_PEER] = "peer",
	[HF_PROOF_SESSION] = "session",
	[HF_PROOF_TOKEN] = "token",
	NULL,
};

/* Its place in a list that ends with NULL, or -EINVAL. */
static int word_index(const char *const *words, const char *word)
{
	for (int i = 0; word && words[i]; i++)
		if (!strcmp(words[i], word))
			return i;
	return -EINVAL;
}

const char *hf_proc_name(enum hf_proc p)
{
	return (unsigned int)p < HF_PROCS ? proc_names[p] : "unknown";
}

int hf_proc_parse(const char *name)
{
	for (int i = 0; i < HF_PROCS; i++)
		if (!strcmp(proc_names[i], name))
			return i;
	return -EINVAL;
}

const char *hf_role_name(enum hf_role r)
{
	for (size_t i = 0; role_names[i]; i++)
		if (r == 1U << i)
			return role_names[i];
	return "unknown";
}

int hf_role_parse(const char *name)
{
	int i = word_index(role_names, name);

	return i < 0 ? i : 1 << i;
}

const struct hf_actor hf_actor_self = {
	.name = "holdfastd",
	.role = HF_ROLE_SYSTEM,
	.via = HF_VIA_INTERNAL,
	.proof = HF_PROOF_NONE,
	.uid = UINT32_MAX,
};

#define REQ	HF_FF_REQUIRED

static const struct hf_field actor_fields[] = {
	{ "name", HF_F_STRING, .flags = REQ, .min = 1, .max = HF_NAME_LEN - 1 },
	{ "tenant", HF_F_STRING, .flags = REQ, .max = HF_NAME_LEN - 1 },
	{ "session", HF_F_STRING, .flags = REQ, .max = HF_NAME_LEN - 1 },
	{ "source", HF_F_STRING, .flags = REQ, .max = sizeof(hf_actor_self.source) - 1 },
	{ "role", HF_F_ENUM, .flags = REQ, .words = role_names },
	{ "via", HF_F_ENUM, .flags = REQ, .words = via_names },
	{ "proof", HF_F_ENUM, .flags = REQ, .words = proof_names },
	{ "uid", HF_F_INT, .flags = REQ, .max = UINT32_MAX },
	{ "pid", HF_F_INT, .flags = REQ, .max = INT32_MAX },
	{ "stepped_up", HF_F_BOOL, .flags = REQ },
	{ .name = NULL },
};

json_t *hf_actor_json(const struct hf_actor *a)
{
	if ((unsigned int)a->via >= HF_COUNT(via_names) - 1 ||
	    (unsigned int)a->proof >= HF_COUNT(proof_names) - 1)
		return NULL;
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:b}",
			 "name", a->name, "tenant", a->tenant, "session", a->session,
			 "source", a->source, "role", hf_role_name(a->role),
			 "via", via_names[a->via], "proof", proof_names[a->proof],
			 "uid", (json_int_t)a->uid, "pid", (int)a->pid,
			 "stepped_up", a->stepped_up);
}

static const char *text_of(const json_t *j, const char *name)
{
	return json_string_value(json_object_get(j, name));
}

int hf_actor_parse(const json_t *j, struct hf_actor *a, struct hf_err *e)
{
	char path[HF_FIELD_PATH];
	int ret = hf_field_check(actor_fields, j, path, e);

	if (ret)
		return ret;
	*a = (struct hf_actor){
		.role = (enum hf_role)hf_role_parse(text_of(j, "role")),
		.via = (enum hf_via)word_index(via_names, text_of(j, "via")),
		.proof = (enum hf_proof)word_index(proof_names, text_of(j, "proof")),
		.uid = (uint32_t)json_integer_value(json_object_get(j, "uid")),
		.pid = (int32_t)json_integer_value(json_object_get(j, "pid")),
		.stepped_up = json_is_true(json_object_get(j, "stepped_up")),
	};
	/* The table has bounded the lengths. */
	strcpy(a->name, text_of(j, "name"));
	strcpy(a->tenant, text_of(j, "tenant"));
	strcpy(a->session, text_of(j, "session"));
	strcpy(a->source, text_of(j, "source"));
	if (a->tenant[0] && !hf_name_ok(a->tenant))
		return hf_fail(e, -EINVAL, "tenant: not a name");
	return 0;
}
