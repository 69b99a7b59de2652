/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the files of the parent's own operations: configuration and backup.
 */
#ifndef HF_PARENT_OPS_H
#define HF_PARENT_OPS_H

#include "parent.h"

/* A CALL that is answered later: auth may have been restarted meanwhile. */
struct parent_call {
	struct hf_parent *parent;
	struct hf_link *from;
	uint64_t id;
	struct hf_corr corr;
	struct hf_actor actor;
};

void hf_call_keep(struct parent_call *c, struct hf_parent *p, struct hf_link *from,
		  const struct hf_ipc_msg *m, const struct hf_actor *actor);
/* Answers, if who asked is still there; @result is stolen. */
void hf_call_answer(const struct parent_call *c, int status, json_t *result);
/* Folder @name of paths.state; caller closes. Return: file, -errno. */
int hf_state_open(struct hf_parent *p, const char *name, struct hf_err *e);

struct backup;

struct parent_ops_data {
	bool applying;		/* config.apply keeps its version itself */
	struct backup *backup;	/* one at a time; NULL: none */
};

struct parent_ops_data *hf_parent_ops_data(void);

/* backup_ops.c */
void hf_op_backup_create(struct hf_parent *p, struct hf_link *from, struct hf_ipc_msg *m,
			 const struct hf_actor *actor, const json_t *args);

#endif /* HF_PARENT_OPS_H */
