// SPDX-License-Identifier: GPL-2.0
/*
 * The export process: takes signed checkpoints from audit and hands each to the
 * places outside of this host that the configuration names; keeps what is or was
 * wrong as incidents. It cannot read the log.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alerts.h"
#include "config.h"
#include "desk.h"
#include "export.h"
#include "file.h"
#include "log.h"
#include "service.h"
#include "store.h"

#define STOP_NS		(2 * HF_S)	/* for the last checkpoint to get out */
#define SECRET_NS	(5 * HF_S)
#define STOP_POLL_NS	(50 * HF_MS)

struct export;

/* A secret that has been asked for; "": none. */
struct secret {
	struct export *x;
	char name[HF_NAME_LEN];
};

struct export {
	struct hf_service *svc;
	struct secret secret[EXP_CHANNELS];
	struct exp_target *targets[EXP_TARGETS];
	size_t n;
	bool started;
	bool any;		/* @newest is one */
	struct exp_checkpoint newest;
	struct hf_timer *stopping;
	uint64_t stop_until_ns;
	char state[EXP_PATH];
	struct inc_rules rules;
	struct inc_engine *incidents;
	struct exp_alerts *alerts;
	int folder;		/* of the incidents, -1: not open yet */
	uint64_t unsaved;	/* changes that could not be written */
};

static const json_t *anchors_of(const json_t *config)
{
	return hf_config_list(config, "export.anchors");
}

static int text_of(const json_t *a, const char *key, char buf[EXP_PATH], struct hf_err *e)
{
	return exp_text_read(a, "export.anchors", key, buf, EXP_PATH, e);
}

static int settings_read(const json_t *a, struct exp_settings *s, struct hf_err *e)
{
	const char *kind = hf_config_text_or(a, "kind", "");
	int64_t port;

	memset(s, 0, sizeof(*s));
	s->fd = -1;
	s->kind = !strcmp(kind, "file") ? EXP_FILE : !strcmp(kind, "syslog_tcp") ? EXP_SYSLOG_TCP :
		  EXP_SYSLOG_TLS;
	s->every_ns = (uint64_t)hf_config_int_or(a, "every_s", 60) * HF_S;
	if (text_of(a, s->kind == EXP_FILE ? "path" : "ca", s->path, e) || text_of(a, "host", s->host, e))
		return -EINVAL;
	if (s->kind == EXP_FILE)
		return s->path[0] ? 0 : hf_fail(e, -EINVAL, "export.anchors: file: path is missing");
	port = hf_config_int_or(a, "port", s->kind == EXP_SYSLOG_TLS ? 6514 : 601);
	s->port = (uint16_t)port;
	return exp_route_parse(&s->route, s->host, s->port, e);
}

static int prepare(struct hf_service *svc, const json_t *config, struct hf_err *e)
{
	const json_t *list = anchors_of(config), *a;
	struct inc_rules rules;
	struct exp_settings s;
	size_t i;

	(void)svc;
	if (inc_rules_read(&rules, hf_config_get(config, "alerts"), e) ||
	    exp_alerts_check(hf_config_get(config, "alerts"), e))
		return -EINVAL;
	if (json_array_size(list) > EXP_TARGETS)
		return hf_fail(e, -EINVAL, "export.anchors: %zu where %d are allowed",
			       json_array_size(list), EXP_TARGETS);
	json_array_foreach((json_t *)list, i, a)
		if (settings_read(a, &s, e))
			return -EINVAL;
	return 0;
}

/* What needs rights: before the sandbox only. */
static int open_up(struct exp_settings *s, struct hf_err *e)
{
	if (s->kind == EXP_FILE) {
		s->fd = hf_file_open_checked(AT_FDCWD, s->path,
					     O_WRONLY | O_APPEND | O_CREAT, e);
		return s->fd < 0 ? s->fd : 0;
	}
	return s->kind == EXP_SYSLOG_TLS ? exp_trust_open(&s->trust, "export.anchors", s->path, e) : 0;
}

static struct exp_target *same_place(const struct export *x, const struct exp_settings *s)
{
	for (size_t i = 0; i < x->n; i++) {
		const struct exp_settings *o = exp_target_settings(x->targets[i]);

		if (o->kind == s->kind && !strcmp(o->path, s->path) && (o->fd >= 0 || o->trust))
			return x->targets[i];
	}
	return NULL;
}

/* Audit deletes old segments by this word; one that gets lost is made good by the next. */
static void on_anchored(void *arg, const struct exp_checkpoint *cp)
{
	struct hf_link *audit = hf_service_link(arg, HF_PROC_AUDIT);

	if (audit)
		hf_link_send(audit, HF_MSG_ANCHORED, NULL,
			     json_pack("{s:s, s:I}", "origin", cp->origin, "size",
				       (json_int_t)cp->size), -1);
}

static int target_add(struct hf_service *svc, const json_t *a, struct exp_target **out,
		      struct hf_err *e)
{
	struct export *x = hf_service_data(svc);
	struct exp_settings s;
	struct exp_target *old;
	int ret = settings_read(a, &s, e);

	if (ret)
		return ret;
	old = same_place(x, &s);
	if (old)
		exp_target_hand_over(old, &s);
	else if (!x->started)
		ret = open_up(&s, e);
	if (!ret)
		ret = exp_target_new(out, hf_service_loop(svc), hf_service_random(svc), &s,
				     on_anchored, svc);
	if (!ret)
		return 0;
	if (s.fd >= 0)
		close(s.fd);
	if (s.trust)
		gnutls_certificate_free_credentials(s.trust);
	return ret;
}

static void targets_free(struct exp_target **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		exp_target_free(list[i]);
}

static void save(void *arg, const struct inc *i)
{
	struct export *x = arg;
	struct hf_err e;

	if (!inc_store_save(x->folder, i, &e))
		return;
	x->unsaved++;
	hf_log_app(HF_LOG_ERROR, "incident.file", NULL, "%s", e.text);
}

static void on_incident(void *arg, const struct inc *i, enum inc_change what)
{
	struct export *x = arg;

	if (what == INC_DROPPED) {
		inc_store_remove(x->folder, i->id);
		return;
	}
	if (what != INC_NOTED)
		hf_log_app(i->severity == INC_CRITICAL && i->state != INC_RESOLVED ? HF_LOG_ERROR :
			   HF_LOG_WARN, "incident", NULL, "%llu %s, %s, %s: %s",
			   (unsigned long long)i->id, inc_state_word(i->state),
			   inc_severity_word(i->severity), i->title, i->detail);
	/* That it is to be told is kept with it. */
	if (what != INC_NOTED)
		exp_alerts_offer(x->alerts, inc_find(x->incidents, i->id));
	save(x, i);
}

static void on_secret(void *arg, int status, const json_t *result)
{
	struct secret *s = arg;
	const char *value = json_string_value(json_object_get(result, "value"));

	if (status == 200 && value)
		exp_alerts_key(s->x->alerts, s->name, value);
	s->name[0] = '\0';
}

/* Once at a time for each name. Who is not answered asks again. */
static void ask_secret(void *arg, const char *name)
{
	struct export *x = arg;
	struct hf_link *auth = hf_service_link(x->svc, HF_PROC_AUTH);
	struct secret *s = NULL;

	for (size_t i = 0; i < EXP_CHANNELS; i++) {
		if (!strcmp(x->secret[i].name, name))
			return;
		if (!x->secret[i].name[0])
			s = &x->secret[i];
	}
	if (!s || !auth)
		return;
	s->x = x;
	snprintf(s->name, sizeof(s->name), "%s", name);
	if (hf_link_request(auth, HF_MSG_SECRET, NULL, json_pack("{s:s}", "name", name), -1,
			    hf_mono_ns(hf_service_clock(x->svc)) + SECRET_NS, on_secret, s))
		s->name[0] = '\0';
}

static int first_commit(struct hf_service *svc, struct hf_err *e)
{
	struct exp_channel_env env = { .loop = hf_service_loop(svc), .random = hf_service_random(svc),
				       .told = save, .secret = ask_secret };
	struct export *x = calloc(1, sizeof(*x));

	if (!x)
		return hf_fail(e, -ENOMEM, "out of memory");
	x->folder = -1;
	x->svc = svc;
	hf_service_set_data(svc, x);
	if (inc_engine_new(&x->incidents, hf_service_clock(svc), on_incident, x))
		return hf_fail(e, -ENOMEM, "out of memory");
	env.incidents = x->incidents;
	env.arg = x;
	return exp_alerts_new(&x->alerts, &env) ? hf_fail(e, -ENOMEM, "out of memory") : 0;
}

static int commit(struct hf_service *svc, const json_t *config, struct hf_err *e)
{
	struct export *x = hf_service_data(svc);
	struct exp_target *next[EXP_TARGETS];
	size_t i, n = 0;
	const json_t *a;
	int ret = 0;

	if (!x) {
		ret = first_commit(svc, e);
		if (ret)
			return ret;
		x = hf_service_data(svc);
	}
	json_array_foreach((json_t *)anchors_of(config), i, a) {
		ret = target_add(svc, a, &next[n], e);
		if (ret)
			break;
		n++;
	}
	if (ret) {
		targets_free(next, n);
		return ret;
	}
	targets_free(x->targets, x->n);
	memcpy(x->targets, next, n * sizeof(next[0]));
	x->n = n;
	for (i = 0; x->any && i < n; i++)
		exp_target_offer(x->targets[i], &x->newest);
	if (!x->started)
		snprintf(x->state, sizeof(x->state), "%s/export", hf_config_text(config, "paths.state"));
	ret = inc_rules_read(&x->rules, hf_config_get(config, "alerts"), e);
	if (!ret)
		ret = exp_alerts_take(x->alerts, hf_config_get(config, "alerts"), !x->started, e);
	if (!ret)
		exp_alerts_catch_up(x->alerts);
	return ret;
}

static int start(struct hf_service *svc, struct hf_err *e)
{
	struct export *x = hf_service_data(svc);
	int ret;

	x->folder = open(x->state, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (x->folder < 0)
		return hf_fail(e, -errno, "%s: %s", x->state, strerror(errno));
	ret = inc_store_load(x->incidents, x->folder, e);
	if (ret)
		return ret;
	exp_alerts_catch_up(x->alerts);
	x->started = true;
	hf_service_ready(svc);
	return 0;
}

static void on_anchor(struct export *x, struct hf_link *from, const struct hf_ipc_msg *m)
{
	exp_checkpoint_read(m->body, &x->newest);
	x->any = true;
	for (size_t i = 0; i < x->n; i++)
		exp_target_offer(x->targets[i], &x->newest);
	hf_link_reply(from, m->id, &m->corr, 200, NULL);
}

/* What is not kept will be told again. */
static void on_tripped(struct export *x, struct hf_link *from, const struct hf_ipc_msg *m)
{
	uint64_t unsaved = x->unsaved;

	inc_hear_array(x->incidents, &x->rules, m->body, &m->corr);
	if (x->unsaved == unsaved)
		hf_link_reply(from, m->id, &m->corr, 200, NULL);
	else
		hf_link_error(from, m->id, &m->corr, 503, "not_kept", "it is not kept");
}

static void message(struct hf_service *svc, struct hf_link *from, struct hf_ipc_msg *m)
{
	struct export *x = hf_service_data(svc);
	json_t *out = NULL;
	int status;

	switch (m->type) {
	case HF_MSG_ANCHOR:
		on_anchor(x, from, m);
		break;
	case HF_MSG_TRIPPED:
		on_tripped(x, from, m);
		break;
	case HF_MSG_CALL:
		status = inc_call(x->incidents, m->body, &m->corr, &out);
		hf_link_reply(from, m->id, &m->corr, status, out);
		break;
	default:	/* msg.h permits no other */
		break;
	}
}

static void heard(struct hf_service *svc, const json_t *health)
{
	struct export *x = hf_service_data(svc);

	if (x && x->started)
		inc_hear_health(x->incidents, &x->rules, health);
}

/* Who has gone may have left anything behind; the next one tells it. */
static void peer(struct hf_service *svc, enum hf_proc who, struct hf_link *link)
{
	struct export *x = hf_service_data(svc);

	if (x && x->started && who == HF_PROC_KEEPER && !link)
		inc_unknown(x->incidents, "trip/", "the keeper has gone: nobody knows whether it is tripped");
}

static void on_stopping(void *arg)
{
	struct hf_service *svc = arg;
	struct export *x = hf_service_data(svc);
	bool idle = true;

	for (size_t i = 0; i < x->n; i++)
		idle = idle && exp_target_idle(x->targets[i]);
	if (idle || hf_mono_ns(hf_service_clock(svc)) >= x->stop_until_ns)
		hf_service_done(svc, EXIT_SUCCESS);
	else
		hf_timer_in(x->stopping, STOP_POLL_NS);
}

/* The last checkpoint of a shutdown is the one that a truncated log will be compared with. */
static void stop(struct hf_service *svc)
{
	struct export *x = hf_service_data(svc);

	x->stop_until_ns = hf_mono_ns(hf_service_clock(svc)) + STOP_NS;
	for (size_t i = 0; i < x->n; i++)
		exp_target_flush(x->targets[i]);
	if (hf_timer_new(&x->stopping, hf_service_loop(svc), on_stopping, svc))
		hf_service_done(svc, EXIT_FAILURE);
	else
		hf_timer_in(x->stopping, STOP_POLL_NS);
}

static json_t *incidents_json(const struct export *x)
{
	unsigned int states[] = { 0, 0, 0 }, critical = 0;
	const struct inc *i;

	for (size_t n = 0; (i = inc_at(x->incidents, n)); n++) {
		states[i->state]++;
		critical += i->state != INC_RESOLVED && i->severity == INC_CRITICAL;
	}
	return json_pack("{s:i, s:i, s:i, s:i, s:I, s:I}", "open", (int)states[INC_OPEN],
			 "acknowledged", (int)states[INC_ACKNOWLEDGED], "resolved",
			 (int)states[INC_RESOLVED], "critical", (int)critical, "refused",
			 (json_int_t)inc_refused(x->incidents), "unsaved", (json_int_t)x->unsaved);
}

static json_t *stats(struct hf_service *svc)
{
	const struct export *x = hf_service_data(svc);
	json_t *list = json_array();

	for (size_t i = 0; x && i < x->n; i++)
		json_array_append_new(list, exp_target_stats(x->targets[i]));
	return json_pack("{s:o, s:o, s:o}", "anchors", list, "incidents",
			 x ? incidents_json(x) : json_object(), "channels",
			 x && x->alerts ? exp_alerts_stats(x->alerts) : json_array());
}

/* The worst place: one that has refused lately, and is not asked for a while. */
static void findings(struct hf_service *svc, json_t *list)
{
	const struct export *x = hf_service_data(svc);
	struct hf_finding f = hf_finding_ok(NAN, NAN);

	for (size_t i = 0; x && i < x->n; i++) {
		struct hf_finding one = exp_target_finding(x->targets[i]);

		hf_finding_worse(&f, &one);
	}
	hf_findings_add(list, "anchors", &f);
	f = x ? exp_alerts_finding(x->alerts) : hf_finding_ok(NAN, NAN);
	hf_findings_add(list, "alerts", &f);
}

static void give_back(struct hf_service *svc)
{
	struct export *x = hf_service_data(svc);

	if (!x)
		return;
	targets_free(x->targets, x->n);
	hf_timer_free(x->stopping);
	exp_alerts_free(x->alerts);
	inc_engine_free(x->incidents);
	if (x->folder >= 0)
		close(x->folder);
	free(x);
}

const struct hf_role_ops hf_export_ops = {
	.role = HF_PROC_EXPORT,
	.prepare = prepare,
	.commit = commit,
	.start = start,
	.message = message,
	.peer = peer,
	.stop = stop,
	.stats = stats,
	.findings = findings,
	.heard = heard,
	.free = give_back,
};
