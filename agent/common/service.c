// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a child process as its parent directs it. What the process is
 * for, its role's table says; nothing here knows any role.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "service.h"
#include "usage.h"
#include "wipe.h"

#define CONTROL_FD	3
#define ORPHAN_NS	(1500 * HF_MS)	/* for the end in order after the parent has gone */
#define APPEND_NS	(10 * HF_S)
#define ATTACH_S	10
#define SLOW_NS		(250 * HF_MS)	/* for one round of the loop */

/**
 * struct hf_service - see service.h
 * @links:	to peers, by process; that of the parent is @control
 * @prepared:	configuration between PREPARE and COMMIT
 * @usage_fd:	of hf_usage_open()
 * @start_id, @stop_id:	requests of the parent that wait for ready and done; 0: none
 */
struct hf_service {
	const struct hf_role_ops *ops;
	struct hf_service_env env;
	unsigned int state;
	bool configured, started, ended;
	struct hf_link *control;
	struct hf_link *links[HF_PROCS];
	struct hf_timer *orphan;
	json_t *prepared;
	int usage_fd;
	uint64_t start_id, stop_id;
	void *data;
};

static void end(struct hf_service *s, int status)
{
	if (s->ended)
		return;
	s->ended = true;
	hf_loop_stop(s->env.loop, status);
}

/* Systemd, if it has started us. */
static void tell(const struct hf_service *s, const char *what)
{
	if (s->env.notify)
		hf_notify(s->env.notify, "%s", what);
}

static void reply(struct hf_service *s, uint64_t id, int ret, const char *what,
		  const struct hf_err *e)
{
	if (!s->control)
		return;
	if (!ret)
		hf_link_reply(s->control, id, NULL, 200, NULL);
	else
		hf_link_error(s->control, id, NULL, 422, what, "%s", e->text);
}

/* The one setting that means the same to every role. */
static int role_commit(struct hf_service *s, const json_t *config, struct hf_err *e)
{
	int level = hf_log_level_parse(
		json_string_value(json_object_get(json_object_get(config, "log"), "level")));

	if (level > 0)
		hf_log_level((enum hf_log_level)level);
	return s->ops->commit(s, config, e);
}

static int config_first(struct hf_service *s, const json_t *config, struct hf_err *e)
{
	int ret = s->ops->prepare(s, config, e);

	if (!ret)
		ret = role_commit(s, config, e);
	if (!ret)
		s->configured = true;
	return ret;
}

static int config_prepare(struct hf_service *s, const json_t *config, struct hf_err *e)
{
	json_decref(s->prepared);
	s->prepared = NULL;
	if (s->ops->prepare(s, config, e))
		return -EINVAL;
	s->prepared = json_deep_copy(config);
	return s->prepared ? 0 : hf_fail(e, -ENOMEM, "out of memory");
}

static int config_commit(struct hf_service *s, struct hf_err *e)
{
	int ret;

	if (!s->prepared)
		return hf_fail(e, -EINVAL, "COMMIT without PREPARE");
	ret = role_commit(s, s->prepared, e);
	json_decref(s->prepared);
	s->prepared = NULL;
	return ret;
}

static void on_config(struct hf_service *s, const struct hf_ipc_msg *m)
{
	const json_t *config = json_object_get(m->body, "config");
	struct hf_err e = { "" };
	int ret = 0;

	switch (m->type) {
	case HF_MSG_CONFIG:
		ret = s->configured ? hf_fail(&e, -EINVAL, "CONFIG twice") :
				      config_first(s, config, &e);
		break;
	case HF_MSG_PREPARE:
		ret = config_prepare(s, config, &e);
		break;
	case HF_MSG_COMMIT:
		ret = config_commit(s, &e);
		break;
	default:
		json_decref(s->prepared);
		s->prepared = NULL;
	}
	reply(s, m->id, ret, "config", &e);
}

static void on_start(struct hf_service *s, const struct hf_ipc_msg *m)
{
	struct hf_err e = { "" };
	int ret = s->configured && !s->started ? 0 :
		  hf_fail(&e, -EINVAL, "START %s", s->started ? "twice" : "before CONFIG");

	s->start_id = m->id;
	if (!ret && s->env.sandbox)
		ret = s->env.sandbox(s->ops->role, s->env.mode, &e);
	if (!ret) {
		s->started = true;
		ret = s->ops->start(s, &e);
	}
	if (!ret)
		return;		/* hf_service_ready() answers */
	hf_log_app(HF_LOG_ERROR, "process.start", NULL, "%s", e.text);
	reply(s, m->id, ret, "start", &e);
	end(s, EXIT_FAILURE);
}

static void on_ping(struct hf_service *s, const struct hf_ipc_msg *m)
{
	json_t *stats = s->ops->stats ? s->ops->stats(s) : NULL, *findings = json_array();
	const json_t *health = json_object_get(m->body, "health");
	uint64_t longest_ns;

	if (!stats)
		stats = json_object();
	longest_ns = hf_loop_longest_ns(s->env.loop);
	if (longest_ns >= SLOW_NS)
		hf_log_perf("loop.slow", NULL, "busy for %u ms without a pause", (unsigned int)(longest_ns / HF_MS));
	json_object_set_new(stats, "usage", hf_usage_json(s->usage_fd));
	json_object_set_new(stats, "rounds", hf_histogram_json(hf_loop_rounds(s->env.loop)));
	if (s->ops->findings && s->started)
		s->ops->findings(s, findings);
	if (s->ops->heard && health)
		s->ops->heard(s, health);
	hf_link_reply(s->control, m->id, NULL, 200,
		      json_pack("{s:O, s:o, s:o}", "nonce", json_object_get(m->body, "nonce"),
				"stats", stats, "findings", findings));
	/* Only now: who has no parent that asks, or does not get to answering it, is not well. */
	tell(s, "WATCHDOG=1");
}

static void on_stop(struct hf_service *s, uint64_t id)
{
	s->stop_id = id;
	if (s->state == HF_ST_STOPPING)
		return;
	s->state = HF_ST_STOPPING;
	tell(s, "STOPPING=1");
	if (s->started && s->ops->stop)
		s->ops->stop(s);
	else
		hf_service_done(s, EXIT_SUCCESS);
}

static enum hf_proc named_proc(const struct hf_ipc_msg *m)
{
	return (enum hf_proc)hf_proc_parse(json_string_value(json_object_get(m->body, "role")));
}

static void peer_message(void *arg, struct hf_link *l, struct hf_ipc_msg *m)
{
	struct hf_service *s = arg;

	s->ops->message(s, l, m);
}

/*
 * A peer that broke the rules is the parent's to end. Who may not accuse goes
 * himself, and is started again with fresh links.
 */
static void peer_broken(struct hf_service *s, enum hf_proc peer, const char *why)
{
	hf_log_sec(HF_LOG_ERROR, "ipc.broken", NULL, "%s: %s", hf_proc_name(peer), why);
	if (!s->control || hf_link_send(s->control, HF_MSG_BROKEN, NULL,
					json_pack("{s:s, s:s}", "role", hf_proc_name(peer),
						  "why", why), -1))
		end(s, EXIT_FAILURE);
}

static void peer_closed(void *arg, struct hf_link *l, const char *why)
{
	struct hf_service *s = arg;
	enum hf_proc peer = hf_link_peer(l);

	s->links[peer] = NULL;
	if (s->ops->peer)
		s->ops->peer(s, peer, NULL);
	if (hf_link_broken(l))
		peer_broken(s, peer, why);
}

static const struct hf_link_ops peer_ops = { peer_message, peer_closed };

static void peer_drop(struct hf_service *s, enum hf_proc peer)
{
	struct hf_link *old = s->links[peer];

	if (!old)
		return;
	s->links[peer] = NULL;
	hf_link_free(old);
	if (s->ops->peer)
		s->ops->peer(s, peer, NULL);
}

static void on_peer(struct hf_service *s, struct hf_ipc_msg *m)
{
	enum hf_proc peer = named_proc(m);
	struct hf_err e = { "" };
	int ret = 0;

	if (!hf_msg_linked(s->ops->role, peer))
		ret = hf_fail(&e, -EINVAL, "no link to %s", hf_proc_name(peer));
	if (!ret) {
		peer_drop(s, peer);
		ret = hf_link_new(&s->links[peer], s->env.loop, m->fd, s->ops->role, peer,
				  &s->state, &peer_ops, s);
		if (ret)
			hf_fail(&e, ret, "link to %s: %s", hf_proc_name(peer), strerror(-ret));
	}
	reply(s, m->id, ret, "peer", &e);
	if (ret)
		return;
	m->fd = -1;
	if (s->ops->peer)
		s->ops->peer(s, peer, s->links[peer]);
}

/* The parent makes a backup: only what the role has a table for leaves it, and only to be read. */
static void on_files(struct hf_service *s, const struct hf_ipc_msg *m)
{
	int folder = s->ops->keeps ? s->ops->keeps(s) : -1;
	struct hf_err e = { "" };
	json_t *files = NULL;
	int ret = folder < 0 ? hf_fail(&e, -ENOENT, "no state folder is open") :
		  hf_handover_list(folder, s->ops->backup,
				   json_string_value(json_object_get(m->body, "after")), &files, &e);

	if (ret)
		hf_link_error(s->control, m->id, &m->corr, 500, "files", "%s", e.text);
	else
		hf_link_reply(s->control, m->id, &m->corr, 200, files);
}

static void on_file(struct hf_service *s, const struct hf_ipc_msg *m)
{
	const char *name = json_string_value(json_object_get(m->body, "name"));
	int folder = s->ops->keeps ? s->ops->keeps(s) : -1;
	struct hf_err e = { "" };
	int fd = folder < 0 ? hf_fail(&e, -EIO, "no state folder is open") :
		 hf_handover_open(folder, s->ops->backup, name, &e);
	int ret = fd < 0 ? fd : hf_link_send(s->control, HF_MSG_HANDOVER, &m->corr,
					     json_pack("{s:s}", "name", name), fd);

	if (fd >= 0)
		close(fd);
	if (ret)
		hf_link_error(s->control, m->id, &m->corr, ret == -ENOENT ? 404 : 500, "file", "%s",
			      e.text[0] ? e.text : strerror(-ret));
	else
		hf_link_reply(s->control, m->id, &m->corr, 200, NULL);
}

static void on_notice(struct hf_service *s, const struct hf_ipc_msg *m)
{
	bool back = !strcmp(json_string_value(json_object_get(m->body, "what")), "back");
	enum hf_proc who = named_proc(m);

	/* Who was cut off may still live (attach.c): it is to reach nobody. */
	if (!back && s->links[who])
		hf_link_end(s->links[who]);
	if (s->ops->notice)
		s->ops->notice(s, who, back);
}

static void control_message(void *arg, struct hf_link *l, struct hf_ipc_msg *m)
{
	struct hf_service *s = arg;

	switch (m->type) {
	case HF_MSG_CONFIG:
	case HF_MSG_PREPARE:
	case HF_MSG_COMMIT:
	case HF_MSG_ABORT:
		on_config(s, m);
		break;
	case HF_MSG_PEER:
		on_peer(s, m);
		break;
	case HF_MSG_START:
		on_start(s, m);
		break;
	case HF_MSG_PING:
		on_ping(s, m);
		break;
	case HF_MSG_STOP:
		on_stop(s, m->id);
		break;
	case HF_MSG_FILES:
		on_files(s, m);
		break;
	case HF_MSG_FILE:
		on_file(s, m);
		break;
	case HF_MSG_NOTICE:
		on_notice(s, m);
		break;
	default:
		s->ops->message(s, l, m);
	}
}

static void on_orphan(void *arg)
{
	end(arg, EXIT_FAILURE);
}

/* Nobody watches over us any more: end in order, soon. */
static void control_closed(void *arg, struct hf_link *l, const char *why)
{
	struct hf_service *s = arg;

	(void)l;
	s->control = NULL;
	if (s->ended)
		return;
	hf_log_app(HF_LOG_ERROR, "parent.gone", NULL, "%s", why);
	hf_timer_in(s->orphan, ORPHAN_NS);
	on_stop(s, 0);
}

static const struct hf_link_ops control_ops = { control_message, control_closed };

int hf_service_new(struct hf_service **out, const struct hf_role_ops *ops,
		   const struct hf_service_env *env)
{
	struct hf_service *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return -ENOMEM;
	s->ops = ops;
	s->env = *env;
	s->state = HF_ST_STARTING;
	s->usage_fd = hf_usage_open();
	ret = hf_timer_new(&s->orphan, env->loop, on_orphan, s);
	if (!ret)
		ret = hf_link_new(&s->control, env->loop, env->control_fd, ops->role,
				  HF_PROC_PARENT, &s->state, &control_ops, s);
	if (ret) {
		hf_service_free(s);
		return ret;
	}
	*out = s;
	return 0;
}

void hf_service_leave(struct hf_service *s)
{
	/* Should it not go out, the parent takes our end for a failure. */
	if (s->control && s->state != HF_ST_STOPPING)
		hf_link_send(s->control, HF_MSG_LEAVING, NULL, json_object(), -1);
	on_stop(s, 0);
}

void hf_service_free(struct hf_service *s)
{
	if (!s)
		return;
	s->ended = true;
	for (int i = 0; i < HF_PROCS; i++)
		hf_link_free(s->links[i]);
	hf_link_free(s->control);
	s->control = NULL;
	memset(s->links, 0, sizeof(s->links));
	if (s->ops->free)
		s->ops->free(s);
	hf_timer_free(s->orphan);
	json_decref(s->prepared);
	if (s->usage_fd >= 0)
		close(s->usage_fd);
	free(s);
}

/* Started by the parent: it alone is told to stop, and tells us. */
static void signals_ignore(bool attached)
{
	static const int ignored[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGTERM
	};
	size_t n = sizeof(ignored) / sizeof(ignored[0]) - attached;

	for (size_t i = 0; i < n; i++)
		signal(ignored[i], SIG_IGN);
}

/* Started by systemd, which says it by SIGTERM and in the right order. */
struct term {
	struct hf_service *service;
	struct hf_watch *watch;
	int fd;
};

static void on_term(void *arg, uint32_t events)
{
	struct term *t = arg;
	struct signalfd_siginfo info;

	(void)events;
	if (read(t->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		hf_service_leave(t->service);
}

static int term_open(struct term *t, struct hf_loop *loop)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	t->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return t->fd < 0 ? -errno : hf_watch_new(&t->watch, loop, t->fd, EPOLLIN, on_term, t);
}

/* Waits for its turn: anybody may connect there, and be many. Return: the control socket, -errno. */
static int attach_to(const char *path)
{
	static const struct timeval most = { .tv_sec = ATTACH_S };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, ret = 0;

	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	strcpy(un.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)) ||
	    connect(fd, (const struct sockaddr *)&un, sizeof(un)) ||
	    fcntl(fd, F_SETFL, O_NONBLOCK))
		ret = -errno;
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

static int run(const struct hf_role_ops *ops, struct hf_service_env *env, const char *attach)
{
	struct term t = { .fd = -1 };
	int ret = 0;

	if (attach) {
		env->control_fd = attach_to(attach);
		ret = env->control_fd < 0 ? env->control_fd : term_open(&t, env->loop);
	}
	if (ret)
		hf_log_app(HF_LOG_ERROR, "process.attach", NULL, "%s: %s", attach, strerror(-ret));
	else
		ret = hf_service_new(&t.service, ops, env);
	if (!ret)
		ret = hf_loop_run(env->loop);
	if (ret < 0)
		hf_log_app(HF_LOG_ERROR, "process.loop", NULL, "%s", strerror(-ret));
	hf_service_free(t.service);
	hf_watch_free(t.watch);
	if (t.fd >= 0)
		close(t.fd);
	return ret;
}

int hf_service_run(const struct hf_role_ops *ops, enum hf_sandbox_mode mode, const char *attach)
{
	struct hf_notify notify = { .fd = -1 };
	struct hf_service_env env = {
		.random = &hf_system_random,
		.control_fd = CONTROL_FD,
		.attached = attach,
		.notify = attach ? &notify : NULL,
		.mode = mode,
		.sandbox = hf_sandbox_enter,
	};
	int ret;

	signals_ignore(attach);
	hf_wipe_json();
	hf_log_open(ops->role, &hf_system_clock);
	if (attach)
		hf_notify_open(&notify, environ);
	ret = hf_loop_new(&env.loop, &hf_system_clock);
	if (!ret)
		ret = run(ops, &env, attach);
	hf_loop_free(env.loop);
	hf_notify_close(&notify);
	return ret < 0 ? EXIT_FAILURE : ret;
}

struct hf_loop *hf_service_loop(struct hf_service *s)
{
	return s->env.loop;
}

const struct hf_clock *hf_service_clock(struct hf_service *s)
{
	return hf_loop_clock(s->env.loop);
}

const struct hf_random *hf_service_random(struct hf_service *s)
{
	return s->env.random;
}

struct hf_link *hf_service_link(struct hf_service *s, enum hf_proc peer)
{
	return peer == HF_PROC_PARENT ? s->control : s->links[peer];
}

struct hf_link *hf_service_control(struct hf_service *s)
{
	return s->control;
}

int hf_service_socket(struct hf_service *s, const char *run, const char *name, char *path,
		      size_t room)
{
	const char *own = s->env.attached ? hf_proc_name(s->ops->role) : "";
	int len = snprintf(path, room, "%s%s%s/%s", run, *own ? "/" : "", own, name);

	return len < (int)room ? 0 : -ENAMETOOLONG;
}

void *hf_service_data(struct hf_service *s)
{
	return s->data;
}

void hf_service_set_data(struct hf_service *s, void *data)
{
	s->data = data;
}

void hf_service_ready(struct hf_service *s)
{
	if (s->state != HF_ST_STARTING)
		return;
	s->state = HF_ST_RUNNING;
	tell(s, "READY=1");
	reply(s, s->start_id, 0, NULL, NULL);
}

void hf_service_done(struct hf_service *s, int exit_status)
{
	if (s->stop_id)
		reply(s, s->stop_id, 0, NULL, NULL);
	s->stop_id = 0;
	end(s, exit_status);
}

static void append_ignored(void *arg, int status, const json_t *result)
{
	(void)arg;
	(void)result;
	if (status >= 300)
		hf_log_app(HF_LOG_WARN, "audit.append", NULL, "a record was not taken: %d", status);
}

int hf_append(struct hf_service *s, const struct hf_corr *corr, const struct hf_actor *actor,
	      const char *action, const char *object, const char *phase, const char *result,
	      uint64_t intent, json_t *detail, hf_reply_fn fn, void *arg)
{
	struct hf_link *audit = s->links[HF_PROC_AUDIT];
	json_t *body = json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o*}",
				 "action", action, "object", object, "phase", phase,
				 "result", result, "intent", (json_int_t)intent,
				 "actor", hf_actor_json(actor), "detail", detail);

	if (!audit) {
		json_decref(body);
		return -ENOTCONN;
	}
	return hf_link_request(audit, HF_MSG_APPEND, corr, body, -1,
			       hf_mono_ns(hf_service_clock(s)) + APPEND_NS,
			       fn ? fn : append_ignored, arg);
}
