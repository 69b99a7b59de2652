/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parent as its own operations see it: the configuration in force, how to
 * put another one into force, the audit log, the other processes.
 */
#ifndef HF_PARENT_H
#define HF_PARENT_H

#include "config.h"
#include "ipc.h"
#include "loop.h"

struct hf_parent;

/* @ret: 0, or -errno and why nothing has changed. */
typedef void (*hf_reload_fn)(void *arg, int ret, const char *why);

/**
 * struct hf_reload_call - who wants another configuration
 * @corr: @actor:	for the log and the record config.reload
 * @done:	called once, later; may be NULL
 */
struct hf_reload_call {
	struct hf_corr corr;
	struct hf_actor actor;
	hf_reload_fn done;
	void *arg;
};

/**
 * struct hf_parent_ops - what the parent carries out itself; set by main.c
 * @site:	holdfastd --site: limits and seal of one array (-1: all), by the keeper's part of
 *		the configuration. Return: 0, -errno and why
 * @call:	a CALL from auth, authenticated and authorised (all but "status");
 *		answers with hf_link_reply() now or later
 * @file:	a process has handed over a file (HANDOVER); may be NULL
 * @committed:	a configuration is in force now; @text is the file that it was read
 *		from. To keep it as a version. Return: its number, 0: not kept. May be NULL
 */
struct hf_parent_ops {
	int (*site)(const json_t *config, int array, struct hf_err *e);
	void (*call)(struct hf_parent *p, struct hf_link *from, struct hf_ipc_msg *m);
	void (*file)(struct hf_parent *p, enum hf_proc from, struct hf_ipc_msg *m);
	uint32_t (*committed)(struct hf_parent *p, const struct hf_config *c, const char *text,
			      size_t len);
};

/* config_ops.c, backup_ops.c */
void hf_parent_call(struct hf_parent *p, struct hf_link *from, struct hf_ipc_msg *m);
void hf_parent_file(struct hf_parent *p, enum hf_proc from, struct hf_ipc_msg *m);
uint32_t hf_parent_committed(struct hf_parent *p, const struct hf_config *c, const char *text,
			     size_t len);

struct hf_loop *hf_parent_loop(struct hf_parent *p);
const struct hf_clock *hf_parent_clock(struct hf_parent *p);
const struct hf_config *hf_parent_config(const struct hf_parent *p);
const char *hf_parent_config_file(const struct hf_parent *p);
/* Environment the parent was started with: overrides of the configuration. */
char *const *hf_parent_env(const struct hf_parent *p);
/* The control link of a process that is ready; NULL: it is not. */
struct hf_link *hf_parent_link(struct hf_parent *p, enum hf_proc proc);

/**
 * hf_parent_reload() - another configuration: taken by all processes or by none
 * @call:	copied
 * @text: @len:	it, as YAML; copied
 *
 * Checks it whole, asks every process to prepare, then commits. Does not write
 * the file. Return: 0; -EBUSY: one is under way; -EINVAL and @errors (may be
 * NULL); then @call->done is not called, and nothing is recorded.
 */
int hf_parent_reload(struct hf_parent *p, const struct hf_reload_call *call, const char *text,
		     size_t len, struct hf_config_errors *errors);

/* Of hf_config_diff(), as many as an answer or a record has room for: { changes, more }. */
json_t *hf_changes_cut(json_t *changes);

/*
 * A record for the audit log, as hf_append(). Without @fn it waits (the last 64)
 * for audit to come back; with @fn: -ENOTCONN if audit is not there.
 */
int hf_parent_append(struct hf_parent *p, const struct hf_corr *corr, const struct hf_actor *actor,
		     const char *action, const char *object, const char *phase, const char *result,
		     uint64_t intent, json_t *detail, hf_reply_fn fn, void *arg);

/*
 * { version, since_ns, processes: [ { role, state, pid, restarts, ... } ] } for /v1/status;
 * with @stats also the parent's own use of the machine, and what each process said of itself.
 */
json_t *hf_parent_status(struct hf_parent *p, bool stats);

#endif /* HF_PARENT_H */
