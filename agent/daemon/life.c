// SPDX-License-Identifier: GPL-2.0
/*
 * A parent before it is one: signals, standing by, the lock, folders.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon.h"
#include "folders.h"
#include "life.h"
#include "log.h"
#include "rights.h"

/* What the kernel says of who sent it: nobody else does. */
static struct hf_actor signal_actor(const struct signalfd_siginfo *info)
{
	struct hf_actor a = hf_actor_self;

	if (info->ssi_code > 0)		/* the kernel itself: the terminal has gone */
		return a;
	a.via = HF_VIA_LOCAL;
	a.proof = HF_PROOF_PEER;
	a.uid = info->ssi_uid;
	a.pid = (int32_t)info->ssi_pid;
	snprintf(a.name, sizeof(a.name), "uid:%u", a.uid);
	return a;
}

/* What it would take over with is read again then; whoever is asked to look at it says so now. */
static void standby_hup(const struct hf_life *l)
{
	struct hf_source s = { NULL };

	hf_log_app(HF_LOG_NOTICE, "standby.reload", NULL, "%s: %s", l->config,
		   hf_source_read(l->config, environ, &s) ?
			   "not good: would not take over with it" : "good");
	hf_source_free(&s);
}

static void parent_signal(struct hf_parent *p, const struct signalfd_siginfo *info)
{
	struct hf_actor by;

	switch (info->ssi_signo) {
	case SIGCHLD:
		hf_reap(p);
		break;
	case SIGHUP:
		by = signal_actor(info);
		hf_parent_hup(p, &by);
		break;
	default:
		hf_parent_stop(p);
	}
}

static void on_signal(void *arg, uint32_t events)
{
	struct hf_life *l = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(l->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (l->parent)
			parent_signal(l->parent, &info);
		else if (info.ssi_signo == SIGHUP)
			standby_hup(l);
		else if (info.ssi_signo != SIGCHLD)
			hf_loop_stop(l->loop, 0);
	}
}

static int signals_open(struct hf_life *l)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return l->signals < 0 ? -errno :
	       hf_watch_new(&l->watch, l->loop, l->signals, EPOLLIN, on_signal, l);
}

int hf_life_begin(struct hf_life *l, struct hf_err *e)
{
	int ret = hf_loop_new(&l->loop, &hf_system_clock);

	if (!ret)
		ret = signals_open(l);
	return ret ? hf_fail(e, ret, "the loop: %s", strerror(-ret)) : 0;
}

/* The lock last: whoever waits for it finds nothing of ours. */
void hf_life_end(struct hf_life *l)
{
	hf_primary_free(l->primary);
	hf_timer_free(l->watchdog);
	hf_notify_close(&l->notify);
	hf_watch_free(l->watch);
	if (l->signals >= 0)
		close(l->signals);
	hf_loop_free(l->loop);
	if (l->lock >= 0)
		close(l->lock);
}

static void on_standby_watchdog(void *arg)
{
	struct hf_life *l = arg;

	hf_notify(&l->notify, "WATCHDOG=1");
	hf_timer_in(l->watchdog, l->notify.watchdog_ns / 2);
}

static int standby_tell(struct hf_life *l)
{
	int ret = hf_timer_new(&l->watchdog, l->loop, on_standby_watchdog, l);

	if (ret)
		return ret;
	hf_notify_open(&l->notify, environ);
	hf_notify(&l->notify, "READY=1\nSTATUS=standby");
	if (l->notify.watchdog_ns)
		hf_timer_in(l->watchdog, 0);
	hf_log_app(HF_LOG_NOTICE, "standby.begin", NULL, "standing by");
	return 0;
}

/* Return: the lock; -ECANCELED: told to end while standing by; -EBUSY, -errno. */
static int lock_get(struct hf_life *l, const json_t *part, struct hf_err *e)
{
	struct hf_charge charge = {
		.loop = l->loop,
		.run = hf_config_text(part, "paths.run"),
		.after_ns = (uint64_t)hf_config_int(part, "agent.standby_after_ms") * HF_MS,
		.wait = l->standby,
	};
	int ret = hf_folders_run(charge.run, e), lock;

	/* A group of our own, that whoever comes after us finds our processes by. */
	if (!ret && getpgrp() != getpid() && setpgid(0, 0))
		ret = hf_fail(e, -errno, "process group: %s", strerror(errno));
	if (!ret && charge.wait)
		ret = standby_tell(l);
	lock = ret ? ret : hf_standby_run(&charge, &l->takeover, e);
	hf_timer_free(l->watchdog);
	l->watchdog = NULL;
	hf_notify_close(&l->notify);
	return lock;
}

/* What has been changed while we stood by counts. Return: 0, -EINVAL. */
static int config_again(const struct hf_life *l, struct hf_source *source, const char *run,
			struct hf_err *e)
{
	struct hf_source now = { NULL };
	json_t *part;
	int ret = hf_source_read(l->config, environ, &now);

	part = ret ? NULL : hf_config_part(now.config, HF_PROC_PARENT);
	if (ret)
		hf_fail(e, -EINVAL, "%s: not good any more: not taken over", l->config);
	else if (!part || strcmp(hf_config_text(part, "paths.run"), run) != 0)
		ret = hf_fail(e, -EINVAL, "paths.run: not %s any more: start again", run);
	json_decref(part);
	if (ret) {
		hf_source_free(&now);
		return -EINVAL;
	}
	hf_source_free(source);
	*source = now;
	return 0;
}

static int state_settle(const struct hf_config *config, struct hf_err *e)
{
	json_t *part = hf_config_part(config, HF_PROC_PARENT);
	int ret = part ? hf_folders_state(hf_config_text(part, "paths.state"), e) : -ENOMEM;

	json_decref(part);
	return ret ? ret : hf_rights_settled(e);
}

int hf_life_settle(struct hf_life *l, struct hf_source *source, struct hf_err *e)
{
	json_t *part = hf_config_part(source->config, HF_PROC_PARENT);
	int ret = part ? 0 : -ENOMEM;

	if (!ret)
		l->lock = lock_get(l, part, e);
	if (l->lock < 0)
		ret = l->lock;
	if (!ret)
		ret = hf_primary_new(&l->primary, l->loop, hf_config_text(part, "paths.run"), e);
	if (!ret && l->standby)
		ret = config_again(l, source, hf_config_text(part, "paths.run"), e);
	json_decref(part);
	return ret ? ret : state_settle(source->config, e);
}
