/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every child process is: control socket on fd 3, a loop, a state, peers.
 * service.c does CONFIG, PEER, START, PING, PREPARE, COMMIT, STOP and NOTICE;
 * a role gives its functions in one table and has no main() of its own.
 */
#ifndef HF_SERVICE_H
#define HF_SERVICE_H

#include "handover.h"
#include "ipc.h"
#include "log.h"
#include "notify.h"
#include "sandbox.h"

struct hf_service;

/**
 * struct hf_role_ops - one process of the agent
 * @prepare:	check a configuration (its part) without any effect. Return: 0, -EINVAL and why
 * @commit:	take it. The first comes before @start, with full rights if the parent has
 *		forked it: open files that need them here. Must not fail after @prepare did
 *		not, except the first. Return: 0, -errno and why
 * @start:	after the sandbox, as the role's user, whose the state folder is: open it,
 *		begin to work. Call hf_service_ready() when done
 *		(may be later, e.g. after recovery). Return: 0, -errno and why
 * @message:	of a peer; CALL, APPEND, WHOIS, ... as msg.h permits
 * @peer:	a peer came (@link) or went (NULL)
 * @notice:	another process went or came back; may be NULL
 * @stop:	finish in order, then call hf_service_done(); may be later
 * @stats:	members for PING's answer and /v1/status; may be NULL
 * @findings:	adds to a list (health.h) what the role has to say of the checks that are its own
 *		(daemon/checks.c); looks only at what is known already, never waits. May be NULL
 * @heard:	what the parent makes of everybody's findings; NULL: not interested
 * @keeps:	its state folder, -1: not open; NULL: a role without one
 * @backup:	which of its files are in a backup (handover.h)
 * @free:	give back what the role has: the last call, after all links are closed
 *		(waiting requests have been answered 502); may be NULL
 */
struct hf_role_ops {
	enum hf_proc role;
	int (*prepare)(struct hf_service *s, const json_t *config, struct hf_err *e);
	int (*commit)(struct hf_service *s, const json_t *config, struct hf_err *e);
	int (*start)(struct hf_service *s, struct hf_err *e);
	void (*message)(struct hf_service *s, struct hf_link *from, struct hf_ipc_msg *m);
	void (*peer)(struct hf_service *s, enum hf_proc peer, struct hf_link *link);
	void (*notice)(struct hf_service *s, enum hf_proc peer, bool back);
	void (*stop)(struct hf_service *s);
	json_t *(*stats)(struct hf_service *s);
	void (*findings)(struct hf_service *s, json_t *list);
	void (*heard)(struct hf_service *s, const json_t *health);
	int (*keeps)(struct hf_service *s);
	hf_handover_fn backup;
	void (*free)(struct hf_service *s);
};

extern const struct hf_role_ops hf_audit_ops, hf_auth_ops, hf_keeper_ops, hf_export_ops,
	hf_fleet_ops, hf_local_ops, hf_front_ops;

/* holdfastd --site: hf_site_run() of keeper/site.h. Return: 0, -errno and why. */
int hf_site_driver(const json_t *config, int array, struct hf_err *e);

/*
 * Runs a role until it ends; the whole of a child's main(). @attach: NULL: the parent has started
 * us; else the socket where the parent is found, and systemd has. Return: its exit status.
 */
int hf_service_run(const struct hf_role_ops *ops, enum hf_sandbox_mode mode, const char *attach);

/**
 * struct hf_service_env - what a service lives in; hf_service_run() makes the real one
 * @loop:	its clock is the service's
 * @control_fd:	taken over
 * @attached:	started by somebody else than the parent
 * @notify:	who hears that it is ready, and of each PING answered; NULL: nobody
 * @sandbox:	hf_sandbox_enter(); NULL: none (tests in one process)
 */
struct hf_service_env {
	struct hf_loop *loop;
	const struct hf_random *random;
	int control_fd;
	bool attached;
	const struct hf_notify *notify;
	enum hf_sandbox_mode mode;
	int (*sandbox)(enum hf_proc role, enum hf_sandbox_mode mode, struct hf_err *e);
};

/* For tests: a service in a loop of theirs; they play the parent at the other end of control_fd. */
int hf_service_new(struct hf_service **out, const struct hf_role_ops *ops,
		   const struct hf_service_env *env);
void hf_service_free(struct hf_service *s);
/* Somebody else than the parent, who is told, wants it to finish in order: SIGTERM of a unit. */
void hf_service_leave(struct hf_service *s);

struct hf_loop *hf_service_loop(struct hf_service *s);
const struct hf_clock *hf_service_clock(struct hf_service *s);
const struct hf_random *hf_service_random(struct hf_service *s);
/* NULL: not there. */
struct hf_link *hf_service_link(struct hf_service *s, enum hf_proc peer);
/* The parent's control link, for APPEND of the parent's calls and CALL to it. */
struct hf_link *hf_service_control(struct hf_service *s);
/*
 * Path of the role's socket @name: in @run, or if the role was not started by root, who owns
 * that, in its own folder there. Return: 0, -ENAMETOOLONG.
 */
int hf_service_socket(struct hf_service *s, const char *run, const char *name, char *path,
		      size_t room);
void *hf_service_data(struct hf_service *s);
void hf_service_set_data(struct hf_service *s, void *data);
void hf_service_ready(struct hf_service *s);
void hf_service_done(struct hf_service *s, int exit_status);

/**
 * hf_append() - a record for the audit log, by whatever link this process has to audit
 * @phase:	"intent", "outcome", "event", "denied"
 * @result:	"ok", "refused", "error", "unknown", "" for an intent
 * @intent:	sequence number of the intent that this is the outcome of, 0: none
 * @detail:	stolen; an object or NULL
 * @fn:		called with 200 { seq } when it is durable, else with the error; may be NULL
 *
 * Return: 0, -errno (then @fn is not called): no audit, queue full.
 */
int hf_append(struct hf_service *s, const struct hf_corr *corr, const struct hf_actor *actor,
	      const char *action, const char *object, const char *phase, const char *result,
	      uint64_t intent, json_t *detail, hf_reply_fn fn, void *arg);

#endif /* HF_SERVICE_H */
