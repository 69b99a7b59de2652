// SPDX-License-Identifier: GPL-2.0
/*
 * The roles front (TCP) and local (unix socket): configuration, start and end.
 * The same code, two processes: only local has a socket whose peers the kernel
 * names, and only what local says about them is believed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "server.h"
#include "tls.h"

#define FILES_NS	(5 * HF_S)	/* between two looks at the certificate's files */
#define DAY_S		86400
#define END_NS		(2 * HF_S)	/* for answers that are still to come */
#define END_LOOK_NS	(20 * HF_MS)

static struct hf_server *server_of(struct hf_service *s)
{
	return hf_service_data(s);
}

static struct hf_server *server_get(struct hf_service *service, enum hf_proc role)
{
	struct hf_server *s = server_of(service);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->service = service;
	s->role = role;
	s->listen_fd = -1;
	hf_service_set_data(service, s);
	return s;
}

static int prepare(struct hf_service *service, enum hf_proc role, const json_t *config,
		   struct hf_err *e)
{
	struct hf_server *s = server_get(service, role);
	int ret;

	if (!s)
		return hf_fail(e, -EINVAL, "out of memory");
	hf_settings_clear(&s->next);
	ret = hf_settings_read(&s->next, role, config, e);
	if (!ret && role == HF_PROC_LOCAL &&
	    hf_service_socket(service, hf_config_text(config, "paths.run"), "api.sock",
			      s->next.socket, sizeof(s->next.socket)))
		ret = hf_fail(e, -EINVAL, "paths.run: too long for a socket's path");
	if (!ret && s->now.json)
		ret = hf_settings_change(&s->now, &s->next, e);
	return ret;
}

static int prepare_front(struct hf_service *service, const json_t *config, struct hf_err *e)
{
	return prepare(service, HF_PROC_FRONT, config, e);
}

static int prepare_local(struct hf_service *service, const json_t *config, struct hf_err *e)
{
	return prepare(service, HF_PROC_LOCAL, config, e);
}

/* The first time, with full rights: everything that has to be opened. */
static int open_all(struct hf_server *s, struct hf_err *e)
{
	int ret = 0;

	if (!s->now.enabled)
		return 0;
	if (s->now.site.tls)
		ret = hf_tls_open(s->now.certificate, s->now.key, hf_server_now(s), e);
	if (ret)
		return ret;
	s->listen_fd = hf_listen(&s->now, e);
	return s->listen_fd < 0 ? s->listen_fd : 0;
}

static void tls_reload(struct hf_server *s)
{
	struct hf_err e;

	if (!hf_tls_reload(hf_server_now(s), &e))
		hf_log_app(HF_LOG_NOTICE, "tls.reload", NULL, "certificate read again");
	else
		hf_log_app(HF_LOG_ERROR, "tls.reload", NULL, "the certificate in use stays: %s",
			   e.text);
}

static int commit(struct hf_service *service, const json_t *config, struct hf_err *e)
{
	struct hf_server *s = server_of(service);
	bool first = !s->now.json;

	(void)config;	/* is s->next since prepare */
	hf_settings_clear(&s->now);
	s->now = s->next;
	s->next = (struct hf_settings){ .json = NULL };
	if (first)
		return open_all(s, e);
	if (s->daemon) {
		hf_limits_set(s->limits, &s->now.rates);
		hf_abuse_set(s->abuse, &s->now.abuse);
		if (s->now.site.tls)
			tls_reload(s);
	}
	return 0;
}

static void on_files(void *arg)
{
	struct hf_server *s = arg;

	if (hf_tls_changed())
		tls_reload(s);
	hf_timer_in(s->files, FILES_NS);
}

static int start(struct hf_service *service, struct hf_err *e)
{
	struct hf_server *s = server_of(service);
	struct hf_loop *loop = hf_service_loop(service);
	int ret = 0;

	if (s->now.enabled)
		ret = hf_server_start(s, e);
	if (!ret && s->now.enabled && s->now.site.tls) {
		ret = hf_timer_new(&s->files, loop, on_files, s);
		if (!ret)
			hf_timer_in(s->files, FILES_NS);
	}
	if (!ret)
		hf_service_ready(service);
	return ret;
}

/* Nobody asks a front anything. */
static void message(struct hf_service *service, struct hf_link *from, struct hf_ipc_msg *m)
{
	(void)service;
	hf_link_error(from, m->id, &m->corr, 404, "not_found", "no such request here");
}

static void on_end(void *arg)
{
	struct hf_server *s = arg;

	if (s->waiting && hf_server_now(s) < s->end_ns) {
		hf_timer_in(s->end, END_LOOK_NS);
		return;
	}
	hf_server_kick(s);
	hf_service_done(s->service, EXIT_SUCCESS);
}

static void stop(struct hf_service *service)
{
	struct hf_server *s = server_of(service);

	if (!s->daemon || hf_timer_new(&s->end, hf_service_loop(service), on_end, s)) {
		hf_service_done(service, EXIT_SUCCESS);
		return;
	}
	hf_server_quiesce(s);
	s->end_ns = hf_server_now(s) + END_NS;
	hf_timer_in(s->end, 0);
}

static json_t *stats(struct hf_service *service)
{
	const struct hf_server *s = server_of(service);
	const struct hf_counts *c;

	if (!s)
		return NULL;
	c = &s->counts;
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
			 "connections", (json_int_t)(s->conns ? hf_conns_count(s->conns) : 0),
			 "connections_total", (json_int_t)c->connections,
			 "connections_refused_total", (json_int_t)c->refused_connections,
			 "requests_total", (json_int_t)c->requests,
			 "waiting", (json_int_t)s->waiting,
			 "answers_2xx_total", (json_int_t)c->status[2],
			 "answers_4xx_total", (json_int_t)c->status[4],
			 "answers_5xx_total", (json_int_t)c->status[5],
			 "limited_total", (json_int_t)c->limited,
			 "blocked_total", (json_int_t)c->blocked,
			 "direct_silence_total", (json_int_t)c->direct_silence,
			 "tls", (json_int_t)s->now.site.tls,
			 "certificate_expires_s",
			 (json_int_t)(s->daemon && s->now.site.tls ? hf_tls_expires_s() : 0),
			 "request_time", hf_histogram_json(&c->time));
}

static void findings(struct hf_service *service, json_t *list)
{
	const struct hf_server *s = server_of(service);
	struct hf_finding f = hf_finding_ok(NAN, NAN);
	double days, least;

	if (s && s->role == HF_PROC_FRONT && s->daemon && s->now.site.tls) {
		least = (double)hf_config_int(s->now.json, "health.certificate_days");
		days = (double)(hf_tls_expires_s() -
				(int64_t)(hf_real_ns(hf_service_clock(service)) / HF_S)) / DAY_S;
		f = hf_finding(hf_health_of(days, least, 0), days, least,
			       "the certificate expires in %.1f days", days);
	}
	if (s && s->role == HF_PROC_FRONT)
		hf_findings_add(list, "certificate", &f);
}

static void heard(struct hf_service *service, const json_t *health)
{
	struct hf_server *s = server_of(service);

	if (!s)
		return;
	json_decref(s->health);
	s->health = json_incref((json_t *)health);
	s->health_ns = hf_server_now(s);
}

static void release(struct hf_service *service)
{
	struct hf_server *s = server_of(service);

	if (!s)
		return;
	hf_server_stop(s);
	hf_timer_free(s->files);
	hf_timer_free(s->end);
	hf_tls_close();
	hf_settings_clear(&s->now);
	hf_settings_clear(&s->next);
	json_decref(s->health);
	free(s);
}

const struct hf_role_ops hf_front_ops = {
	.role = HF_PROC_FRONT,
	.prepare = prepare_front,
	.commit = commit,
	.start = start,
	.message = message,
	.stop = stop,
	.stats = stats,
	.findings = findings,
	.heard = heard,
	.free = release,
};

const struct hf_role_ops hf_local_ops = {
	.role = HF_PROC_LOCAL,
	.prepare = prepare_local,
	.commit = commit,
	.start = start,
	.message = message,
	.stop = stop,
	.stats = stats,
	.findings = findings,
	.heard = heard,
	.free = release,
};
