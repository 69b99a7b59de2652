// SPDX-License-Identifier: GPL-2.0
/*
 * A new configuration in two phases: every process says whether it can take it,
 * then all take it or none. Who crashes in between starts with the one in force.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "log.h"

#define PHASE_NS	(5 * HF_S)
#define CHANGES_SHOWN	64
#define CHANGES_BYTES	(24 * 1024)

static uint64_t deadline(const struct hf_parent *p)
{
	return hf_mono_ns(hf_loop_clock(p->env.loop)) + PHASE_NS;
}

void hf_reload_free(struct hf_parent *p)
{
	hf_config_free(p->reload.next);
	free(p->reload.text);
	json_decref(p->reload.changes);
	p->reload = (struct hf_reload){ 0 };
}

json_t *hf_changes_cut(json_t *changes)
{
	json_t *shown = json_array();
	size_t bytes = 0, i;
	json_t *change;

	json_array_foreach(changes, i, change) {
		bytes += json_dumpb(change, NULL, 0, JSON_COMPACT);
		if (i == CHANGES_SHOWN || bytes > CHANGES_BYTES)
			break;
		json_array_append(shown, change);
	}
	return json_pack("{s:o, s:I}", "changes", shown, "more",
			 (json_int_t)(json_array_size(changes) - json_array_size(shown)));
}

/* @version: 0: it was kept by who asked, or not at all. */
static void reload_record(struct hf_parent *p, const struct hf_reload *r, int ret, uint32_t version)
{
	json_t *detail = json_pack("{s:s, s:O*}", "why", r->why, "diff", r->changes);

	if (version)
		json_object_set_new(detail, "version", json_integer(version));
	hf_parent_append(p, &r->call.corr, &r->call.actor, "config.reload", "holdfastd", "event",
			 ret ? "refused" : "ok", 0, detail, NULL, NULL);
}

static void reload_end(struct hf_parent *p, int ret)
{
	struct hf_reload r = p->reload;
	uint32_t version = 0;

	p->reload = (struct hf_reload){ 0 };
	if (ret)
		hf_log_app(HF_LOG_ERROR, "config.reload", &r.call.corr,
			   "%s: nothing is changed: %s", r.call.actor.name, r.why);
	else
		hf_log_app(HF_LOG_NOTICE, "config.reload", &r.call.corr, "%s: in force",
			   r.call.actor.name);
	if (!ret)
		version = hf_parent_committed_now(p, r.text, r.len);
	reload_record(p, &r, ret, version);
	hf_notify(&p->notify, "READY=1\nSTATUS=%s%s", ret ? "configuration refused: " :
		  "new configuration in force", r.why);
	hf_config_free(r.next);
	free(r.text);
	json_decref(r.changes);
	if (r.call.done)
		r.call.done(r.call.arg, ret, r.why);
}

/* It was not asked, or not alive: it has the old one, or waits to be started. */
static void catch_up(struct hf_child *c)
{
	struct hf_parent *p = c->parent;

	if (c->state == HF_CHILD_DOWN) {
		c->backoff_ns = 0;	/* perhaps the old one was its trouble */
		if (!p->attach)
			hf_timer_in(c->timer, 0);
	} else if (c->state != HF_CHILD_STOPPING && !(p->reload.prepared & 1U << c->role)) {
		hf_child_kill(c, "started with a configuration that is no longer in force");
	}
}

static void on_committed(void *arg, int status, const json_t *result)
{
	struct hf_child *c = arg;
	struct hf_parent *p = c->parent;
	const char *why = json_string_value(json_object_get(result, "message"));

	if (hf_child_failed(c, status))
		hf_child_kill(c, "COMMIT: %s", why ? why : "no reason given");
	if (p->reload.committing && !--p->reload.waiting)
		reload_end(p, 0);
}

/* From here on the new one is in force, whoever fails. */
static void commit(struct hf_parent *p)
{
	struct hf_config *old = p->config;

	p->reload.committing = true;
	p->config = p->reload.next;
	p->reload.next = NULL;
	hf_config_free(old);
	p->reload.waiting = 1;		/* ours, until all have been asked */
	for (int i = 1; i < HF_PROCS; i++) {
		struct hf_child *c = &p->children[i];

		catch_up(c);
		if (!(p->reload.prepared & 1U << i) || c->state != HF_CHILD_READY)
			continue;
		if (hf_link_request(c->control, HF_MSG_COMMIT, &p->reload.call.corr, json_object(),
				    -1, deadline(p), on_committed, c))
			hf_child_kill(c, "cannot be told to commit");
		else
			p->reload.waiting++;
	}
	if (!--p->reload.waiting)
		reload_end(p, 0);
}

static void on_aborted(void *arg, int status, const json_t *result)
{
	(void)result;
	if (hf_child_failed(arg, status))
		hf_child_kill(arg, "ABORT not taken");
}

static void abort_all(struct hf_parent *p)
{
	for (int i = 1; i < HF_PROCS; i++) {
		struct hf_child *c = &p->children[i];

		if (p->reload.prepared & 1U << i && c->state == HF_CHILD_READY &&
		    hf_link_request(c->control, HF_MSG_ABORT, &p->reload.call.corr, json_object(),
				    -1, deadline(p), on_aborted, c))
			hf_child_kill(c, "cannot be told to abort");
	}
	reload_end(p, -EINVAL);
}

static void on_prepared(void *arg, int status, const json_t *result)
{
	struct hf_child *c = arg;
	struct hf_parent *p = c->parent;
	const char *why = json_string_value(json_object_get(result, "message"));

	if (status < 300)
		p->reload.prepared |= 1U << c->role;
	else if (!p->reload.why[0])
		snprintf(p->reload.why, sizeof(p->reload.why), "%s: %s", hf_proc_name(c->role),
			 why ? why : "no reason given");
	if (--p->reload.waiting)
		return;
	if (p->state != HF_ST_RUNNING && !p->reload.why[0])
		snprintf(p->reload.why, sizeof(p->reload.why), "the agent is stopping");
	if (p->reload.why[0])
		abort_all(p);
	else
		commit(p);
}

static void prepare_one(struct hf_child *c)
{
	struct hf_parent *p = c->parent;
	json_t *part = hf_config_part(p->reload.next, c->role);

	if (!part ||
	    hf_link_request(c->control, HF_MSG_PREPARE, &p->reload.call.corr,
			    json_pack("{s:o}", "config", part), -1, deadline(p), on_prepared, c))
		snprintf(p->reload.why, sizeof(p->reload.why), "%s cannot be asked",
			 hf_proc_name(c->role));
	else
		p->reload.waiting++;
}

/*
 * What the parent goes by from its start to its end: folders are made once, a process that is started
 * again must find what the one before has left, and what is sealed stays so.
 */
static void prepare_own(struct hf_parent *p)
{
	static const char *const fixed[] = { "paths.state", "paths.run", "keeper.seal" };
	json_t *changes = hf_config_diff(p->config, p->reload.next), *change;
	size_t k;

	json_array_foreach(changes, k, change)
		for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
			if (!strcmp(hf_config_text(change, "path"), fixed[i]))
				snprintf(p->reload.why, sizeof(p->reload.why), "%s: takes a restart",
					 fixed[i]);
	p->reload.changes = changes ? hf_changes_cut(changes) : NULL;
	if (!p->reload.changes)
		snprintf(p->reload.why, sizeof(p->reload.why), "out of memory");
	json_decref(changes);
}

/* Later, so that the caller of hf_parent_reload() always has returned first. */
static void on_go(void *arg)
{
	struct hf_parent *p = arg;

	hf_notify_reloading(&p->notify);
	prepare_own(p);
	for (int i = 1; i < HF_PROCS && !p->reload.why[0]; i++)
		if (p->children[i].state == HF_CHILD_READY)
			prepare_one(&p->children[i]);
	if (!p->reload.waiting && p->reload.why[0])
		abort_all(p);
	else if (!p->reload.waiting)
		commit(p);
}

int hf_reload_timer(struct hf_parent *p)
{
	return hf_timer_new(&p->reload_go, p->env.loop, on_go, p);
}

int hf_parent_reload(struct hf_parent *p, const struct hf_reload_call *call, const char *text,
		     size_t len, struct hf_config_errors *errors)
{
	struct hf_config_errors own;
	int ret;

	if (p->reload.next || p->reload.committing || p->state != HF_ST_RUNNING)
		return -EBUSY;
	if (!errors)
		errors = &own;
	ret = hf_config_parse(text, len, hf_parent_config_file(p),
			      (char *const *)p->env.environment, &p->reload.next, errors);
	if (ret)
		return ret;
	p->reload.text = malloc(len + 1);
	if (!p->reload.text) {
		hf_reload_free(p);
		return -ENOMEM;
	}
	memcpy(p->reload.text, text, len);
	p->reload.len = len;
	p->reload.call = *call;
	hf_timer_in(p->reload_go, 0);
	return 0;
}
