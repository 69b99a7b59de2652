// SPDX-License-Identifier: GPL-2.0
/*
 * libmicrohttpd in our loop: its daemon has neither a thread nor a listening
 * socket of its own. Connections are accepted here, so that it is we who decide
 * who stays when all places are taken. What requests mean is in request.c.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"
#include "tls.h"

#define ACCEPT_BATCH		32
#define ACCEPT_PAUSE_NS		(100 * HF_MS)	/* when the system has no files left */
#define SWEEP_NS		HF_S
#define MEMORY_PER_CONNECTION	16384		/* longest head of a request */
#define RECENT			4096
#define REPORT_KEYS		16

static void on_run(void *arg)
{
	hf_server_kick(arg);
}

void hf_server_kick(struct hf_server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(s->daemon);
	if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
		hf_timer_in(s->run, ms * HF_MS);
	else
		hf_timer_stop(s->run);
}

static void on_daemon(void *arg, uint32_t events)
{
	(void)events;
	hf_server_kick(arg);
}

/* MHD sees the end of the file and lets go of the connection. */
static void conn_close(struct hf_conn *c)
{
	shutdown(c->fd, SHUT_RDWR);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct hf_server *s = cls;

	(void)connection;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = s->admitting;
		s->admitting = NULL;
	} else if (*context) {
		hf_conns_remove(s->conns, *context);
		*context = NULL;
	}
}

static struct hf_conn *conn_new(struct hf_server *s, int fd, const struct sockaddr *sa)
{
	struct hf_peer *peer = NULL;
	struct hf_source source;
	struct hf_conn *c;
	int ret;

	if (s->role == HF_PROC_LOCAL) {
		peer = malloc(sizeof(*peer));
		ret = peer ? hf_peer_of(fd, peer) : -ENOMEM;
		if (!ret)
			hf_source_of_uid(peer->uid, &source);
	} else {
		ret = hf_source_of_address(sa, &source);
	}
	c = ret ? NULL : hf_conns_add(s->conns, &source, fd, hf_server_now(s));
	if (c)
		c->peer = peer;
	else
		free(peer);
	return c;
}

static void connection_take(struct hf_server *s, int fd, const struct sockaddr *sa, socklen_t len)
{
	struct hf_conn *c = conn_new(s, fd, sa);

	if (!c) {
		s->counts.refused_connections++;
		hf_log_sec(HF_LOG_WARN, "http.full", NULL,
			   "a connection was refused: no place left");
		close(fd);
		return;
	}
	s->counts.connections++;
	s->admitting = c;
	if (MHD_add_connection(s->daemon, fd, sa, len) != MHD_YES && s->admitting) {
		s->admitting = NULL;
		hf_conns_remove(s->conns, c);
	}
	s->admitting = NULL;
}

static void on_resume_accept(void *arg)
{
	struct hf_server *s = arg;

	if (s->listen_watch)
		hf_watch_change(s->listen_watch, EPOLLIN);
}

static void on_listen(void *arg, uint32_t events)
{
	struct hf_server *s = arg;

	(void)events;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
		socklen_t len = sizeof(sa);
		int fd = accept4(s->listen_fd, (struct sockaddr *)&sa, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			connection_take(s, fd, (const struct sockaddr *)&sa, len);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			hf_log_app(HF_LOG_WARN, "http.accept", NULL, "accept: %s", strerror(errno));
			hf_conns_evict(s->conns);
			hf_watch_change(s->listen_watch, 0);
			hf_timer_in(s->resume_accept, ACCEPT_PAUSE_NS);
		}
		break;
	}
	hf_server_kick(s);
}

static void on_sweep(void *arg)
{
	struct hf_server *s = arg;

	hf_conns_expire(s->conns, hf_server_now(s));
	hf_timer_in(s->sweep, SWEEP_NS);
	hf_server_kick(s);
}

static void on_mhd_log(void *cls, const char *fmt, va_list ap)
{
	char text[256];

	(void)cls;
	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\r\n")] = '\0';
	hf_log_app(HF_LOG_DEBUG, "http.library", NULL, "%s", text);
}

/* Paths and queries are decoded by the router, strictly. */
static size_t no_unescape(void *cls, struct MHD_Connection *connection, char *s)
{
	(void)cls;
	(void)connection;
	return strlen(s);
}

static int daemon_start(struct hf_server *s, struct hf_err *e)
{
	unsigned int most = s->now.connections + HF_CONNS_RESERVE + 2 * ACCEPT_BATCH;
	unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET |
			     MHD_USE_ERROR_LOG;
	/* The options end here, or go on with those of TLS. */
	enum MHD_OPTION tls = s->now.site.tls ? MHD_OPTION_HTTPS_CERT_CALLBACK2 : MHD_OPTION_END;

	if (s->now.site.tls)
		flags |= MHD_USE_TLS;
	s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, hf_request_handle, s,
		MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, s,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_CONNECTION_LIMIT, most,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CONNECTION,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)(2 * HF_CONNS_PHASE_NS / HF_S),
		MHD_OPTION_URI_LOG_CALLBACK, hf_request_begin, s,
		MHD_OPTION_NOTIFY_COMPLETED, hf_request_end, s,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
		MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, NULL,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
		tls, hf_tls_retrieve,
		MHD_OPTION_HTTPS_PRIORITIES, HF_TLS_PRIORITIES,
		MHD_OPTION_END);
	return s->daemon ? 0 : hf_fail(e, -EIO, "libmicrohttpd does not start");
}

static int watches_new(struct hf_server *s, struct hf_err *e)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	struct hf_loop *loop = hf_service_loop(s->service);
	int ret = -EIO;

	if (info)
		ret = hf_watch_new(&s->daemon_watch, loop, info->epoll_fd, EPOLLIN, on_daemon, s);
	if (!ret)
		ret = hf_timer_new(&s->run, loop, on_run, s);
	if (!ret)
		ret = hf_timer_new(&s->sweep, loop, on_sweep, s);
	if (!ret)
		ret = hf_timer_new(&s->resume_accept, loop, on_resume_accept, s);
	if (!ret)
		ret = hf_watch_new(&s->listen_watch, loop, s->listen_fd, EPOLLIN, on_listen, s);
	if (ret)
		return hf_fail(e, ret, "event loop: %s", strerror(-ret));
	hf_timer_in(s->sweep, SWEEP_NS);
	return 0;
}

static void on_abuse(void *arg, const struct hf_corr *corr, const char *what,
		     const struct hf_source *source, uint32_t count, const char *detail)
{
	hf_report(arg, corr, what, source->text, count, detail);
}

int hf_server_start(struct hf_server *s, struct hf_err *e)
{
	const struct hf_random *r = hf_service_random(s->service);
	int ret = hf_conns_new(&s->conns, s->now.connections, s->now.connections_per_source,
			       conn_close);

	if (!ret)
		ret = hf_limits_new(&s->limits, r);
	if (!ret)
		ret = hf_abuse_new(&s->abuse, r, on_abuse, s);
	if (!ret)
		ret = hf_table_new(&s->recent, RECENT, sizeof(uint64_t), r);
	if (!ret)
		ret = hf_gcra_new(&s->reports, REPORT_KEYS, r);
	if (!ret) {
		s->openapi = hf_openapi_text(&s->openapi_len);
		ret = s->openapi ? 0 : -ENOMEM;
	}
	if (ret)
		return hf_fail(e, ret, "%s", strerror(-ret));
	hf_limits_set(s->limits, &s->now.rates);
	hf_abuse_set(s->abuse, &s->now.abuse);
	ret = daemon_start(s, e);
	return ret ? ret : watches_new(s, e);
}

void hf_server_quiesce(struct hf_server *s)
{
	s->stopping = true;
	hf_watch_free(s->listen_watch);
	s->listen_watch = NULL;
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	s->listen_fd = -1;
	hf_streams_end(s);
}

void hf_server_stop(struct hf_server *s)
{
	hf_server_quiesce(s);
	hf_watch_free(s->daemon_watch);
	hf_timer_free(s->run);
	hf_timer_free(s->sweep);
	hf_timer_free(s->resume_accept);
	if (s->daemon) {
		/* What waited has been answered; MHD must take it up before it may be stopped. */
		MHD_run(s->daemon);
		MHD_stop_daemon(s->daemon);
	}
	hf_limits_free(s->limits);
	hf_abuse_free(s->abuse);
	hf_table_free(s->recent);
	hf_gcra_free(s->reports);
	hf_conns_free(s->conns);
	free(s->openapi);
}
