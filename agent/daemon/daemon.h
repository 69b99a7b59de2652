/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside of the parent: its processes, a reload under way, what is told to
 * systemd. For the files of this folder that supervise; operations see parent.h.
 */
#ifndef HF_DAEMON_H
#define HF_DAEMON_H

#include <sys/types.h>

#include "checks.h"
#include "notify.h"
#include "parent.h"
#include "primary.h"
#include "sandbox.h"
#include "standby.h"

#define HF_READY_NS	(10 * HF_S)	/* from START to its answer */
#define HF_PING_NS	(2 * HF_S)	/* between two PINGs */

/* Exit statuses that the unit does not start again after. */
#define HF_EXIT_CONFIG	2
#define HF_EXIT_RIGHTS	4
#define HF_EXIT_RUNNING	6

enum hf_child_state {
	HF_CHILD_OFF,		/* not wanted */
	HF_CHILD_DOWN,		/* will be started when @timer says so; attached: awaited */
	HF_CHILD_STARTING,	/* until it has answered START */
	HF_CHILD_READY,
	HF_CHILD_STOPPING,	/* STOP was sent, or LEAVING has come */
	HF_CHILD_DYING,		/* killed, or its link is closed; not yet reaped */
};

/**
 * struct hf_child - one process
 * @last:	attached: of the one before. It does not come back: who was cut off may live on
 * @leaving:	it has said that it was told to finish (LEAVING)
 * @timer:	DOWN: next start; STOPPING: it is killed then; DYING and attached: it is taken
 *		for gone then
 * @up_ns:	since when it is ready
 * @answer_ns:	when it last answered
 * @nonce:	of the PING that waits for its answer; "" : none waits
 * @stats:	what it said of itself in its last answer to PING; NULL: nothing yet
 * @why:	what it is killed for, "" : it ended itself
 */
struct hf_child {
	struct hf_parent *parent;
	enum hf_proc role;
	enum hf_child_state state;
	pid_t pid, last;	/* 0: none */
	bool leaving;
	struct hf_link *control;
	struct hf_timer *timer;
	uint64_t backoff_ns;
	uint64_t up_ns, answer_ns;
	unsigned int restarts;
	char nonce[17];
	json_t *stats;
	char why[HF_ERR_LEN];
};

/* Bytes that one process may say of itself, so that all fit into one message. */
#define HF_STATS_MAX		7000
#define HF_STATS_KEEPER_MAX	16000	/* 64 arrays */

/* A reload under way: @next is NULL if there is none. */
struct hf_reload {
	struct hf_config *next;
	char *text;
	size_t len;
	unsigned int waiting;	/* answers */
	unsigned int prepared;	/* set of processes */
	bool committing;
	char why[HF_ERR_LEN];	/* "" : nobody has refused */
	json_t *changes;	/* against the one that was in force; as hf_changes_cut() */
	struct hf_reload_call call;
};

#define HF_RECORDS	64	/* that wait for audit */

struct hf_record {
	json_t *body;
	struct hf_corr corr;
};

/**
 * struct hf_parent_env - what a parent lives in
 * @config_file:	read at start and at SIGHUP
 * @program:	executed for each process with -x ROLE
 * @attach:	socket where processes that somebody else starts connect (attach.c); NULL:
 *		they are started by us
 * @lock:	of the run folder, which each process we start holds with us; 0: none
 * @primary:	who stands by is counted there; NULL: nobody can
 * @takeover:	how we got in charge; NULL: as anybody who is started
 */
struct hf_parent_env {
	struct hf_loop *loop;
	const struct hf_random *random;
	const char *config_file;
	char *const *environment;
	const char *program;
	const char *attach;
	enum hf_sandbox_mode mode;
	const struct hf_parent_ops *ops;
	int lock;
	const struct hf_primary *primary;
	const struct hf_takeover *takeover;
};

struct hf_parent {
	struct hf_parent_env env;
	unsigned int state;	/* HF_ST_* */
	uint64_t since_ns;	/* of the real clock */
	struct hf_config *config;
	struct hf_child children[HF_PROCS];	/* [HF_PROC_PARENT] is not used */
	int first_pass;		/* role that is being started for the first time; HF_PROCS: done */
	int stop_stage;
	struct hf_timer *ping;
	struct hf_timer *watchdog;
	struct hf_timer *reload_go;
	struct hf_reload reload;
	struct hf_record records[HF_RECORDS];
	unsigned int n_records;
	struct hf_notify notify;
	struct hf_attach *attach;	/* NULL: we start them */
	int usage_fd;			/* of hf_usage_open() */
	struct hf_checks *checks;
};

/* parent.c: @config: taken over; @text: what it was read from, to be kept as a version. */
int hf_parent_new(struct hf_parent **out, const struct hf_parent_env *env,
		  struct hf_config *config, const char *text, size_t len);
uint32_t hf_parent_committed_now(struct hf_parent *p, const char *text, size_t len);
void hf_parent_free(struct hf_parent *p);
void hf_parent_start(struct hf_parent *p);
void hf_parent_stop(struct hf_parent *p);	/* in order; then the loop ends with 0 */
void hf_parent_hup(struct hf_parent *p, const struct hf_actor *by);
void hf_parent_message(struct hf_child *c, struct hf_ipc_msg *m);

/* records.c */
void hf_records_flush(struct hf_parent *p);
void hf_records_free(struct hf_parent *p);

/* child.c */
bool hf_role_wanted(const struct hf_config *config, enum hf_proc role);
void hf_child_spawn(struct hf_child *c);
/* Its link is there: tells it all it needs. @c->pid is set. */
void hf_child_begin(struct hf_child *c);
void hf_child_said(struct hf_child *c, json_t *stats);	/* @stats: borrowed; NULL: forget */
int hf_child_link(struct hf_child *c, int fd);	/* Return: 0 (@fd is taken over), -errno */
void hf_child_kill(struct hf_child *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * Is this answer its failure? Not 502: it is gone, which is dealt with where it is reaped; nor
 * anything of one that is stopping.
 */
bool hf_child_failed(const struct hf_child *c, int status);
const char *hf_child_state_name(enum hf_child_state s);

/* supervise.c */
void hf_child_ready(struct hf_child *c);
void hf_child_leaving(struct hf_child *c);
#define HF_EXIT_UNKNOWN	(-1)	/* not our child */
void hf_child_exited(struct hf_child *c, int status);	/* as of wait(2), or unknown */
void hf_child_link_closed(struct hf_child *c, bool broken, const char *why);
void hf_first_pass(struct hf_parent *p);
void hf_reap(struct hf_parent *p);
void hf_ping_all(struct hf_parent *p);
bool hf_all_answer(const struct hf_parent *p);
void hf_stop_begin(struct hf_parent *p);
void hf_stop_next(struct hf_parent *p);

/*
 * attach.c: @path: its folder is there, and nobody else's. Return: 0, -errno and why.
 */
int hf_attach_open(struct hf_parent *p, const char *path, struct hf_err *e);
void hf_attach_close(struct hf_parent *p);

/* reload.c */
int hf_reload_timer(struct hf_parent *p);
void hf_reload_free(struct hf_parent *p);

#endif /* HF_DAEMON_H */
