// SPDX-License-Identifier: GPL-2.0
/*
 * How a process comes to be: forked, executed anew, given its configuration
 * and its links, told to start. And how it is killed. When and why is
 * supervise.c's.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon.h"
#include "log.h"
#include "rights.h"

#define CONTROL_FD	3
#define LOCK_FD		4	/* only held: as long as one of us lives, nobody else starts */
#define REAP_NS		HF_S	/* between the end of a link and a kill */

static const char *const mode_words[] = {
	[HF_SANDBOX_ON] = "on", [HF_SANDBOX_KILL] = "kill", [HF_SANDBOX_TRAP] = "trap",
};

const char *hf_child_state_name(enum hf_child_state s)
{
	static const char *const names[] = {
		[HF_CHILD_OFF] = "off",
		[HF_CHILD_DOWN] = "waiting",
		[HF_CHILD_STARTING] = "starting",
		[HF_CHILD_READY] = "ready",
		[HF_CHILD_STOPPING] = "stopping",
		[HF_CHILD_DYING] = "ending",
	};

	return names[s];
}

bool hf_role_wanted(const struct hf_config *config, enum hf_proc role)
{
	json_t *part;
	bool wanted = true;

	if (role != HF_PROC_FRONT && role != HF_PROC_LOCAL && role != HF_PROC_FLEET)
		return true;
	part = hf_config_part(config, role);
	if (part && role == HF_PROC_FLEET)
		wanted = json_array_size(hf_config_list(part, "fleet.servers")) > 0;
	else if (part)
		wanted = hf_config_bool(part, role == HF_PROC_FRONT ? "api.network_enabled" :
								      "api.local_enabled");
	json_decref(part);
	return wanted;
}

void hf_child_kill(struct hf_child *c, const char *fmt, ...)
{
	va_list ap;

	if (!c->pid || c->state == HF_CHILD_DYING)
		return;
	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	c->state = HF_CHILD_DYING;
	hf_timer_stop(c->timer);
	hf_log_app(HF_LOG_ERROR, "process.kill", NULL, "%s (pid %d): %s", hf_proc_name(c->role),
		   (int)c->pid, c->why);
	if (c->parent->attach) {
		/* Without its link it ends; if it hangs, its unit's watchdog ends it. */
		hf_timer_in(c->timer, 0);
		return;
	}
	/* We alone reap, so the number cannot have become another process's. */
	if (kill(c->pid, SIGKILL))
		hf_log_app(HF_LOG_ERROR, "process.kill", NULL, "%s: %s", hf_proc_name(c->role),
			   strerror(errno));
}

/* "NAME=value" of what a process may know of our environment. */
static size_t child_env(const struct hf_child *c, char **env, size_t room)
{
	static const char *const sanitizers[] = { "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
						  "LSAN_OPTIONS=" };
	size_t n = 0;

	for (char *const *e = c->parent->env.environment; e && *e && n + 1 < room; e++) {
		bool keep = c->role == HF_PROC_AUTH && !strncmp(*e, "CREDENTIALS_DIRECTORY=", 22);

		for (size_t i = 0; i < sizeof(sanitizers) / sizeof(sanitizers[0]); i++)
			keep |= !strncmp(*e, sanitizers[i], strlen(sanitizers[i]));
		if (keep)
			env[n++] = *e;
	}
	env[n] = NULL;
	return n;
}

/* In the new process: nothing of ours but standard streams, the control socket and the lock. */
static void __attribute__((noreturn)) child_exec(const struct hf_child *c, int fd)
{
	const struct hf_parent_env *env = &c->parent->env;
	char *argv[] = { "holdfastd", "-x", (char *)hf_proc_name(c->role), "--sandbox",
			 (char *)mode_words[env->mode], NULL };
	char *child_environment[8];
	int last = env->lock ? LOCK_FD : CONTROL_FD;
	sigset_t none;

	child_env(c, child_environment, 8);
	/* Before it can ignore them itself, a signal for the whole group must not end it. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(fd, CONTROL_FD) != CONTROL_FD ||
	    (env->lock && dup2(env->lock, LOCK_FD) != LOCK_FD) ||
	    close_range((unsigned int)last + 1, ~0U, 0) || hf_rights_child(c->role))
		_exit(HF_EXIT_RIGHTS);
	execve(env->program, argv, child_environment);
	_exit(HF_EXIT_RIGHTS);
}

static void on_message(void *arg, struct hf_link *l, struct hf_ipc_msg *m)
{
	(void)l;
	hf_parent_message(arg, m);
}

static void on_closed(void *arg, struct hf_link *l, const char *why)
{
	struct hf_child *c = arg;

	c->control = NULL;
	hf_child_link_closed(c, hf_link_broken(l), why);
}

static const struct hf_link_ops control_ops = { on_message, on_closed };

int hf_child_link(struct hf_child *c, int fd)
{
	return hf_link_new(&c->control, c->parent->env.loop, fd, HF_PROC_PARENT, c->role,
			   &c->parent->state, &control_ops, c);
}

/* Forks. Return: 0, -errno. */
static int child_fork(struct hf_child *c)
{
	int sv[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv))
		return -errno;
	ret = hf_child_link(c, sv[0]);
	if (ret) {
		close(sv[0]);
		close(sv[1]);
		return ret;
	}
	c->pid = fork();
	if (!c->pid)
		child_exec(c, sv[1]);
	ret = c->pid < 0 ? -errno : 0;
	close(sv[1]);
	if (ret) {
		c->pid = 0;
		hf_link_free(c->control);
		c->control = NULL;
	}
	return ret;
}

static uint64_t deadline(const struct hf_child *c)
{
	return hf_mono_ns(hf_loop_clock(c->parent->env.loop)) + HF_READY_NS;
}

static const char *message_of(const json_t *error)
{
	const char *text = json_string_value(json_object_get(error, "message"));

	return text ? text : "no reason given";
}

bool hf_child_failed(const struct hf_child *c, int status)
{
	return status >= 300 && status != 502 && c->state != HF_CHILD_STOPPING;
}

static void on_config(void *arg, int status, const json_t *result)
{
	if (hf_child_failed(arg, status))
		hf_child_kill(arg, "configuration not taken: %s", message_of(result));
}

static void on_peer(void *arg, int status, const json_t *result)
{
	if (hf_child_failed(arg, status))
		hf_child_kill(arg, "peer not taken: %s", message_of(result));
}

static void on_start(void *arg, int status, const json_t *result)
{
	struct hf_child *c = arg;

	if (status < 300 && c->state == HF_CHILD_STARTING)
		hf_child_ready(c);
	else if (hf_child_failed(c, status))
		hf_child_kill(c, "not started: %s", message_of(result));
}

/* One end of a fresh socket for @c, to @peer. */
static void peer_give(struct hf_child *c, enum hf_proc peer, int fd)
{
	int ret = hf_link_request(c->control, HF_MSG_PEER, NULL,
				  json_pack("{s:s}", "role", hf_proc_name(peer)), fd, deadline(c),
				  on_peer, c);

	if (ret)
		hf_child_kill(c, "PEER %s: %s", hf_proc_name(peer), strerror(-ret));
}

static bool can_be_wired(const struct hf_child *c)
{
	return c->control && (c->state == HF_CHILD_STARTING || c->state == HF_CHILD_READY);
}

static void wire(struct hf_child *a, struct hf_child *b)
{
	int sv[2];

	if (!can_be_wired(a) || !can_be_wired(b))
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv)) {
		hf_child_kill(a, "no socket to %s: %s", hf_proc_name(b->role), strerror(errno));
		return;
	}
	peer_give(a, b->role, sv[0]);
	peer_give(b, a->role, sv[1]);
	close(sv[0]);
	close(sv[1]);
}

/* All that a new process is told at once; its answers come when they come. */
static int child_instruct(struct hf_child *c)
{
	struct hf_parent *p = c->parent;
	json_t *part = hf_config_part(p->config, c->role);
	int ret = part ? hf_link_request(c->control, HF_MSG_CONFIG, NULL,
					 json_pack("{s:o}", "config", part), -1, deadline(c),
					 on_config, c) : -ENOMEM;

	for (int i = 1; i < HF_PROCS && !ret; i++)
		if (hf_msg_linked(c->role, (enum hf_proc)i))
			wire(c, &p->children[i]);
	if (!ret)
		ret = hf_link_request(c->control, HF_MSG_START, NULL, json_object(), -1,
				      deadline(c), on_start, c);
	return ret;
}

void hf_child_said(struct hf_child *c, json_t *stats)
{
	size_t most = c->role == HF_PROC_KEEPER ? HF_STATS_KEEPER_MAX : HF_STATS_MAX;

	json_decref(c->stats);
	c->stats = json_incref(stats);
	if (stats && json_dumpb(stats, NULL, 0, JSON_COMPACT) > most) {
		json_decref(c->stats);
		c->stats = json_pack("{s:I}", "more_bytes_than", (json_int_t)most);
	}
}

void hf_child_begin(struct hf_child *c)
{
	int ret;

	c->why[0] = '\0';
	c->nonce[0] = '\0';
	hf_child_said(c, NULL);
	c->leaving = false;
	c->state = HF_CHILD_STARTING;
	ret = child_instruct(c);
	if (ret)
		hf_child_kill(c, "cannot be told to start: %s", strerror(-ret));
}

void hf_child_spawn(struct hf_child *c)
{
	int ret = child_fork(c);

	if (!ret) {
		hf_child_begin(c);
		return;
	}
	c->why[0] = '\0';
	hf_log_app(HF_LOG_ERROR, "process.fork", NULL, "%s: %s", hf_proc_name(c->role),
		   strerror(-ret));
	hf_child_exited(c, HF_EXIT_RIGHTS << 8);
}

void hf_child_link_closed(struct hf_child *c, bool broken, const char *why)
{
	if (broken) {
		hf_log_sec(HF_LOG_ERROR, "ipc.broken", NULL, "%s: %s", hf_proc_name(c->role), why);
		hf_child_kill(c, "broke the rules: %s", why);
	} else if (c->parent->attach) {
		/* As far as we are concerned it has ended; later, for this is its link's own call. */
		c->state = HF_CHILD_DYING;
		hf_timer_in(c->timer, 0);
	} else if (c->pid && c->state != HF_CHILD_DYING && c->state != HF_CHILD_STOPPING) {
		/* It is about to end, as we shall see; if it does not, it is made to. */
		c->state = HF_CHILD_STOPPING;
		hf_timer_in(c->timer, REAP_NS);
	}
}
