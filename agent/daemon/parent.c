// SPDX-License-Identifier: GPL-2.0
/*
 * The parent: what its processes ask of it, what systemd and signals do to it.
 * It opens nothing to the world and decides nothing about arrays or people.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"
#include "file.h"
#include "log.h"
#include "usage.h"

static void on_child_timer(void *arg)
{
	struct hf_child *c = arg;

	if (c->state == HF_CHILD_DOWN) {
		c->restarts++;
		hf_child_spawn(c);
	} else if (c->state == HF_CHILD_DYING) {
		hf_child_exited(c, HF_EXIT_UNKNOWN);
	} else {
		hf_child_kill(c, "did not end in time");
	}
}

static void on_ping_timer(void *arg)
{
	struct hf_parent *p = arg;

	hf_checks_round(p->checks);
	hf_ping_all(p);
	hf_timer_in(p->ping, HF_PING_NS);
}

static void on_watchdog_timer(void *arg)
{
	struct hf_parent *p = arg;

	if (hf_all_answer(p))
		hf_notify(&p->notify, "WATCHDOG=1");
	hf_timer_in(p->watchdog, p->notify.watchdog_ns / 2);
}

static int children_init(struct hf_parent *p)
{
	for (int i = 1; i < HF_PROCS; i++) {
		struct hf_child *c = &p->children[i];
		int ret;

		c->parent = p;
		c->role = (enum hf_proc)i;
		c->state = hf_role_wanted(p->config, c->role) ? HF_CHILD_DOWN : HF_CHILD_OFF;
		ret = hf_timer_new(&c->timer, p->env.loop, on_child_timer, c);
		if (ret)
			return ret;
	}
	return 0;
}

/* @config is in force. Return: its version, 0: none. */
uint32_t hf_parent_committed_now(struct hf_parent *p, const char *text, size_t len)
{
	json_t *part = hf_config_part(p->config, HF_PROC_PARENT);
	int level = part ? hf_log_level_parse(hf_config_text(part, "log.level")) : -ENOMEM;

	if (level > 0)
		hf_log_level((enum hf_log_level)level);
	if (part)
		hf_checks_configured(p->checks, part, text, len);
	json_decref(part);
	return p->env.ops->committed ? p->env.ops->committed(p, p->config, text, len) : 0;
}

int hf_parent_new(struct hf_parent **out, const struct hf_parent_env *env,
		  struct hf_config *config, const char *text, size_t len)
{
	struct hf_parent *p = calloc(1, sizeof(*p));
	struct hf_err e = { "" };
	int ret;

	if (!p)
		return -ENOMEM;
	p->env = *env;
	p->config = config;
	p->state = HF_ST_STARTING;
	p->since_ns = hf_real_ns(hf_loop_clock(env->loop));
	p->usage_fd = hf_usage_open();
	hf_notify_open(&p->notify, env->environment);
	ret = children_init(p);
	if (!ret)
		ret = hf_checks_new(&p->checks, p);
	if (!ret && env->attach)
		ret = hf_attach_open(p, env->attach, &e);
	if (!ret)
		ret = hf_timer_new(&p->ping, env->loop, on_ping_timer, p);
	if (!ret)
		ret = hf_timer_new(&p->watchdog, env->loop, on_watchdog_timer, p);
	if (!ret)
		ret = hf_reload_timer(p);
	if (ret) {
		hf_log_app(HF_LOG_ERROR, "agent.start", NULL, "%s", e.text[0] ? e.text :
			   strerror(-ret));
		p->config = NULL;	/* still the caller's */
		hf_parent_free(p);
		return ret;
	}
	hf_parent_committed_now(p, text, len);
	*out = p;
	return 0;
}

void hf_parent_free(struct hf_parent *p)
{
	if (!p)
		return;
	hf_attach_close(p);
	for (int i = 1; i < HF_PROCS; i++) {
		hf_link_free(p->children[i].control);
		hf_timer_free(p->children[i].timer);
		json_decref(p->children[i].stats);
	}
	hf_timer_free(p->ping);
	hf_timer_free(p->watchdog);
	hf_timer_free(p->reload_go);
	hf_reload_free(p);
	hf_records_free(p);
	hf_checks_free(p->checks);
	hf_config_free(p->config);
	hf_notify_close(&p->notify);
	if (p->usage_fd >= 0)
		close(p->usage_fd);
	free(p);
}

static void record_takeover(struct hf_parent *p, const struct hf_takeover *t)
{
	hf_log_app(HF_LOG_NOTICE, "agent.takeover", NULL,
		   "from pid %d (%s), %u processes of it killed, %llu ms until the last was gone",
		   (int)t->from, t->why, t->killed, (unsigned long long)(t->took_ns / HF_MS));
	hf_parent_append(p, NULL, &hf_actor_self, "agent.takeover", "holdfastd", "event", "ok", 0,
			 json_pack("{s:s, s:i, s:i, s:I}", "why", t->why, "from", (int)t->from,
				   "killed", (int)t->killed, "took_ms",
				   (json_int_t)(t->took_ns / HF_MS)),
			 NULL, NULL);
}

void hf_parent_start(struct hf_parent *p)
{
	if (p->env.takeover && p->env.takeover->why)
		record_takeover(p, p->env.takeover);
	hf_notify(&p->notify, "STATUS=starting");
	hf_timer_in(p->ping, HF_PING_NS);
	if (p->notify.watchdog_ns)
		hf_timer_in(p->watchdog, 0);
	hf_first_pass(p);
}

void hf_parent_stop(struct hf_parent *p)
{
	if (p->state == HF_ST_STOPPING)
		return;
	hf_log_app(HF_LOG_NOTICE, "agent.stop", NULL, "in order");
	hf_notify(&p->notify, "STOPPING=1\nSTATUS=stopping");
	hf_parent_append(p, NULL, &hf_actor_self, "agent.stop", "holdfastd", "event", "ok", 0, NULL,
			 NULL, NULL);
	p->state = HF_ST_STOPPING;
	hf_stop_begin(p);
}

static void log_errors(const struct hf_parent *p, const struct hf_corr *corr,
		       const struct hf_config_errors *errors)
{
	char text[HF_ERR_LEN * 2];

	for (unsigned int i = 0; i < errors->count; i++)
		hf_log_app(HF_LOG_ERROR, "config.error", corr, "%s",
			   hf_config_error_text(&errors->e[i], p->env.config_file, text,
						sizeof(text)));
	if (errors->more)
		hf_log_app(HF_LOG_ERROR, "config.error", corr, "and %u more", errors->more);
}

/* @e: why, or "" and then @errors or @ret say. */
static void hup_refused(struct hf_parent *p, const struct hf_reload_call *call, int ret,
			const struct hf_config_errors *errors, const struct hf_err *e)
{
	char first[HF_ERR_LEN * 2] = "";
	const char *why = e->text[0] ? e->text : strerror(-ret);

	if (errors->count)
		why = hf_config_error_text(&errors->e[0], p->env.config_file, first, sizeof(first));
	log_errors(p, &call->corr, errors);
	hf_log_app(HF_LOG_ERROR, "config.reload", &call->corr, "%s: nothing is changed: %s",
		   call->actor.name, why);
	hf_parent_append(p, &call->corr, &call->actor, "config.reload", p->env.config_file, "event",
			 "refused", 0, json_pack("{s:s}", "why", why), NULL, NULL);
}

void hf_parent_hup(struct hf_parent *p, const struct hf_actor *by)
{
	struct hf_reload_call call = { .actor = *by };
	struct hf_config_errors errors = { 0 };
	struct hf_err e = { "" };
	char *text = NULL;
	size_t len;
	int ret;

	hf_corr_new(p->env.random, &call.corr);	/* without one it is recorded all the same */
	ret = hf_file_read(AT_FDCWD, p->env.config_file, HF_CONFIG_BYTES_MAX, &text, &len, &e);
	if (!ret)
		ret = hf_parent_reload(p, &call, text, len, &errors);
	free(text);
	if (!ret)
		return;
	hup_refused(p, &call, ret, &errors, &e);
	hf_notify_reloading(&p->notify);
	hf_notify(&p->notify, "READY=1\nSTATUS=configuration refused (see the log)");
}

/* Somebody whose word counts says that a process broke the rules. */
static void on_broken(struct hf_child *accuser, const struct hf_ipc_msg *m)
{
	int role = hf_proc_parse(json_string_value(json_object_get(m->body, "role")));
	const char *why = json_string_value(json_object_get(m->body, "why"));

	if (role <= 0 || !hf_msg_linked(accuser->role, (enum hf_proc)role))
		return;
	hf_log_sec(HF_LOG_ERROR, "ipc.broken", &m->corr, "%s, says %s: %s",
		   hf_proc_name((enum hf_proc)role), hf_proc_name(accuser->role), why);
	hf_child_kill(&accuser->parent->children[role], "broke the rules, says %s: %s",
		      hf_proc_name(accuser->role), why);
}

/* What processes say of themselves is of all arrays and leases: not for who belongs to a tenant. */
static bool sees_stats(const json_t *actor)
{
	struct hf_actor a;

	return !hf_actor_parse(actor, &a, NULL) && (a.role == HF_ROLE_ADMIN || !a.tenant[0]);
}

void hf_parent_message(struct hf_child *c, struct hf_ipc_msg *m)
{
	struct hf_parent *p = c->parent;
	const char *op;
	bool all;

	if (m->type == HF_MSG_BROKEN) {
		on_broken(c, m);
		return;
	}
	if (m->type == HF_MSG_LEAVING) {
		hf_child_leaving(c);
		return;
	}
	if (m->type == HF_MSG_HANDOVER) {
		if (p->env.ops->file)
			p->env.ops->file(p, c->role, m);
		return;
	}
	op = json_string_value(json_object_get(m->body, "op"));
	all = sees_stats(json_object_get(m->body, "actor"));
	if (!strcmp(op, "status"))
		hf_link_reply(c->control, m->id, &m->corr, 200, hf_parent_status(p, all));
	else if (!strcmp(op, "health"))
		hf_link_reply(c->control, m->id, &m->corr, 200, hf_checks_report(p->checks, all));
	else if (p->env.ops->call)
		p->env.ops->call(p, c->control, m);
	else
		hf_link_error(c->control, m->id, &m->corr, 501, "not_here",
			      "no such operation here");
}

static json_t *child_status(const struct hf_child *c, bool stats)
{
	uint64_t now = hf_mono_ns(hf_loop_clock(c->parent->env.loop));
	bool up = c->state == HF_CHILD_READY;

	return json_pack("{s:s, s:s, s:i, s:i, s:I, s:s, s:O*}", "role", hf_proc_name(c->role), "state",
			 hf_child_state_name(c->state), "pid", (int)c->pid, "restarts",
			 (int)c->restarts, "up_ms", (json_int_t)(up ? (now - c->up_ns) / HF_MS : 0),
			 "last_exit", c->why, "stats", stats ? c->stats : NULL);
}

json_t *hf_parent_status(struct hf_parent *p, bool stats)
{
	json_t *list = json_array();

	for (int i = 1; list && i < HF_PROCS; i++)
		json_array_append_new(list, child_status(&p->children[i], stats));
	return json_pack("{s:s, s:I, s:s, s:i, s:o*, s:o*, s:o}", "version", HF_VERSION, "since_ns",
			 (json_int_t)p->since_ns, "level", hf_checks_level(p->checks), "standbys",
			 (int)hf_primary_standbys(p->env.primary), "usage",
			 stats ? hf_usage_json(p->usage_fd) : NULL, "health",
			 stats ? hf_checks_levels(p->checks) : NULL, "processes", list);
}

struct hf_loop *hf_parent_loop(struct hf_parent *p)
{
	return p->env.loop;
}

const struct hf_clock *hf_parent_clock(struct hf_parent *p)
{
	return hf_loop_clock(p->env.loop);
}

const struct hf_config *hf_parent_config(const struct hf_parent *p)
{
	return p->config;
}

const char *hf_parent_config_file(const struct hf_parent *p)
{
	return p->env.config_file;
}

char *const *hf_parent_env(const struct hf_parent *p)
{
	return p->env.environment;
}

struct hf_link *hf_parent_link(struct hf_parent *p, enum hf_proc proc)
{
	const struct hf_child *c = &p->children[proc];

	return c->state == HF_CHILD_READY || c->state == HF_CHILD_STOPPING ? c->control : NULL;
}
