// SPDX-License-Identifier: GPL-2.0
/*
 * Standing by: asks whoever is in charge whether it runs, and takes the lock when
 * nobody has it any more. Nothing of arrays or state is open meanwhile.
 *
 * Killed is only who cannot be anybody else: the parent, by the pidfd of who listened
 * at the other end; its processes, as the group of who took the lock, once he is dead.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "folders.h"
#include "log.h"
#include "primary.h"
#include "standby.h"
#include "tree.h"

#define CALL_NS		(500 * HF_MS)	/* between two tries to reach somebody */
#define ROUND_NS	(20 * HF_MS)	/* while one is ending */
#define ENDING_NS	HF_S		/* from the end of its socket to its own */
#define COMPLAIN_NS	(5 * HF_S)

enum state {
	CALLING,	/* somebody has the lock */
	WATCHING,	/* and answers */
	ENDING,		/* it is gone, or killed; its processes are not, perhaps */
};

/**
 * struct standby
 * @lock:	the result: file, -errno
 * @fd:		to who is in charge; -1: not connected
 * @pid, @pidfd:	of it; 0 and -1: cannot be seen from here
 * @since_ns:	it is ENDING; @complain_ns: it is said next that this takes long
 */
struct standby {
	struct hf_charge env;
	struct hf_takeover *t;
	struct hf_err *e;
	enum state state;
	int lock;
	struct hf_timer *timer;
	struct hf_watch *watch;
	struct hf_patience patience;
	bool answered, killed_it;
	int fd, pidfd;
	pid_t pid;
	uint64_t since_ns, complain_ns;
};

static uint64_t now_ns(const struct standby *s)
{
	return hf_mono_ns(hf_loop_clock(s->env.loop));
}

static void finish(struct standby *s, int lock)
{
	s->lock = lock;
	hf_loop_stop(s->env.loop, 1);
}

/* Return: is that settled? */
static bool try_lock(struct standby *s)
{
	int fd = hf_folders_lock(s->env.run, s->e);

	if (fd == -EBUSY)
		return false;
	if (fd >= 0 && s->state == ENDING)
		s->t->took_ns = now_ns(s) - s->since_ns;
	finish(s, fd);
	return true;
}

static void hang_up(struct standby *s)
{
	hf_watch_free(s->watch);
	s->watch = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static void forget(struct standby *s)
{
	hang_up(s);
	if (s->pidfd >= 0)
		close(s->pidfd);
	s->pidfd = -1;
	s->pid = 0;
	s->killed_it = false;
}

static void ending(struct standby *s, const char *why, pid_t from)
{
	hang_up(s);
	s->state = ENDING;
	s->since_ns = now_ns(s);
	s->complain_ns = s->since_ns + COMPLAIN_NS;
	s->t->why = why;
	s->t->from = from;
	s->t->killed = 0;
	hf_timer_in(s->timer, 0);
}

/* Reads what is there. Return: does it still hold its end? */
static bool listen_to(struct standby *s)
{
	char bytes[16];
	ssize_t n;

	while ((n = recv(s->fd, bytes, sizeof(bytes), 0)) > 0)
		s->answered = true;
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void on_link(void *arg, uint32_t events)
{
	struct standby *s = arg;

	(void)events;
	if (listen_to(s))
		return;
	hf_log_app(HF_LOG_WARN, "standby.ended", NULL, "who was in charge (pid %d) has ended",
		   (int)s->pid);
	ending(s, "ended", s->pid);
}

/* Its process number is its own only if it still listened when the pidfd was there. */
static void identify(struct standby *s)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) || peer.pid <= 0)
		return;
	s->pidfd = pidfd_open(peer.pid, 0);
	if (s->pidfd >= 0)
		s->pid = peer.pid;
}

static void ask(struct standby *s)
{
	s->answered = false;
	/* An end shows by itself; who does not read is one that does not answer. */
	send(s->fd, "?", 1, MSG_NOSIGNAL);
	hf_timer_in(s->timer, s->env.after_ns / HF_STANDBY_ASKS);
}

/* Return: is somebody there? */
static bool call(struct standby *s)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (snprintf(un.sun_path, sizeof(un.sun_path), "%s/" HF_PRIMARY_SOCKET, s->env.run) >=
	    (int)sizeof(un.sun_path))
		return false;
	s->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return false;
	if (connect(s->fd, (const struct sockaddr *)&un, sizeof(un))) {
		hang_up(s);
		return false;
	}
	identify(s);
	s->answered = true;
	if (!listen_to(s) || hf_watch_new(&s->watch, s->env.loop, s->fd, EPOLLIN, on_link, s)) {
		forget(s);
		return false;
	}
	s->state = WATCHING;
	s->patience = (struct hf_patience){ 0 };
	hf_log_app(HF_LOG_NOTICE, "standby.watching", NULL, "pid %d is in charge", (int)s->pid);
	ask(s);
	return true;
}

static void calling(struct standby *s)
{
	pid_t taker;

	if (try_lock(s))
		return;
	s->t->why = "ended";	/* if it is free the next time */
	if (s->env.wait && call(s))
		return;
	taker = hf_lock_taker(s->env.run);
	if (taker && !hf_process_lives(taker)) {
		hf_log_app(HF_LOG_WARN, "standby.left", NULL,
			   "processes of pid %d, which has ended, are left", (int)taker);
		ending(s, "ended", taker);
	} else if (s->env.wait) {
		hf_timer_in(s->timer, CALL_NS);
	} else {
		finish(s, -EBUSY);
	}
}

static void watching(struct standby *s)
{
	if (!listen_to(s)) {
		on_link(s, 0);
		return;
	}
	if (!hf_patience_ask(&s->patience, s->answered)) {
		ask(s);
		return;
	}
	s->patience = (struct hf_patience){ 0 };
	if (s->pidfd < 0 || pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0)) {
		hf_log_app(HF_LOG_ERROR, "standby.cannot_kill", NULL,
			   "pid %d, in charge, does not answer and cannot be killed from here: %s",
			   (int)s->pid,
			   s->pidfd < 0 ? "not in our pid namespace" : strerror(errno));
		ask(s);
		return;
	}
	hf_log_app(HF_LOG_ERROR, "standby.kill", NULL,
		   "pid %d, in charge, has not answered for %llu ms: killed", (int)s->pid,
		   (unsigned long long)(s->env.after_ns / HF_MS));
	s->killed_it = true;
	ending(s, "no_answer", s->pid);
}

static void kill_left(struct standby *s, pid_t taker, uint64_t before_ns)
{
	unsigned int n = hf_tree_kill(taker, before_ns);

	s->t->killed += n;
	if (n)
		hf_log_app(HF_LOG_ERROR, "standby.kill", NULL,
			   "%u processes of pid %d had not ended: killed", n, (int)taker);
}

static void ending_round(struct standby *s)
{
	uint64_t before = now_ns(s), since = before - s->since_ns;
	pid_t taker;
	bool lives;

	if (try_lock(s))
		return;
	taker = hf_lock_taker(s->env.run);
	lives = taker && hf_process_lives(taker);
	if (taker && !lives && since >= HF_ORPHANS_NS)
		kill_left(s, taker, before);
	if ((!taker || (lives && !(s->killed_it && taker == s->pid))) && since >= ENDING_NS) {
		/* Somebody else was faster, or it lives after all, or who it is cannot be seen. */
		forget(s);
		s->state = CALLING;
		hf_timer_in(s->timer, 0);
		return;
	}
	if (before >= s->complain_ns) {
		hf_log_app(HF_LOG_ERROR, "standby.stuck", NULL,
			   "processes of pid %d do not end: the lock is not free after %llu s",
			   (int)taker, (unsigned long long)(since / HF_S));
		s->complain_ns = before + COMPLAIN_NS;
	}
	hf_timer_in(s->timer, ROUND_NS);
}

static void on_timer(void *arg)
{
	struct standby *s = arg;

	switch (s->state) {
	case CALLING:
		calling(s);
		break;
	case WATCHING:
		watching(s);
		break;
	case ENDING:
		ending_round(s);
	}
}

int hf_standby_run(const struct hf_charge *env, struct hf_takeover *t, struct hf_err *e)
{
	struct standby s = { .env = *env, .t = t, .e = e, .fd = -1, .pidfd = -1,
			     .lock = -ECANCELED };
	int ret = hf_timer_new(&s.timer, env->loop, on_timer, &s);

	*t = (struct hf_takeover){ 0 };
	if (!ret) {
		hf_timer_in(s.timer, 0);
		ret = hf_loop_run(env->loop);
	}
	forget(&s);
	hf_timer_free(s.timer);
	return ret < 0 ? hf_fail(e, ret, "the loop: %s", strerror(-ret)) : s.lock;
}
