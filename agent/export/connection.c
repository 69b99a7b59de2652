// SPDX-License-Identifier: GPL-2.0
/*
 * One message by one connection, TCP or TLS, never waiting: connect, handshake,
 * send, say that this was all, and wait for the receiver to close. Syslog has
 * no acknowledgement; a receiver that has read to the end and closes without a
 * reset is the most that can be known.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http.h"

#define PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

enum phase { CONNECTING, HANDSHAKE, SENDING, CLOSING, WAITING };

struct exp_connection {
	struct hf_loop *loop;
	struct hf_watch *watch;
	struct hf_timer *deadline;
	gnutls_session_t tls;
	const struct exp_route *route;
	int fd;
	enum phase phase;
	char *text;
	size_t len, sent;
	char *head;		/* of an answer; NULL: none is wanted */
	size_t got;
	exp_sent_fn fn;
	void *arg;
};

int exp_route_parse(struct exp_route *r, const char *host, uint16_t port, struct hf_err *e)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&r->addr;
	struct sockaddr_in *four = (struct sockaddr_in *)&r->addr;
	size_t n = strlen(host);

	memset(&r->addr, 0, sizeof(r->addr));
	if (n >= sizeof(r->name))
		return hf_fail(e, -EINVAL, "host: %zu bytes where %zu are allowed", n,
			       sizeof(r->name) - 1);
	snprintf(r->name, sizeof(r->name), "%s", host);
	if (host[0] == '[' && host[n - 1] == ']')
		snprintf(r->name, sizeof(r->name), "%.*s", (int)n - 2, host + 1);
	if (inet_pton(AF_INET, r->name, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		r->addr_len = sizeof(*four);
	} else if (inet_pton(AF_INET6, r->name, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		r->addr_len = sizeof(*six);
	} else {
		return hf_fail(e, -EINVAL, "host: \"%s\" where an address is required: names are not resolved",
			       host);
	}
	return 0;
}

void exp_connection_free(struct exp_connection *c)
{
	if (!c)
		return;
	hf_watch_free(c->watch);
	hf_timer_free(c->deadline);
	if (c->tls)
		gnutls_deinit(c->tls);
	if (c->fd >= 0)
		close(c->fd);
	free(c->text);
	free(c->head);
	free(c);
}

static void finish(struct exp_connection *c, int ret, const char *why)
{
	exp_sent_fn fn = c->fn;
	void *arg = c->arg;
	char text[EXP_HEAD];

	snprintf(text, sizeof(text), "%s", why);
	exp_connection_free(c);
	fn(arg, ret, text);
}

static const char *tls_why(struct exp_connection *c, int ret, char *buf, size_t len)
{
	unsigned int status = gnutls_session_get_verify_cert_status(c->tls);
	gnutls_datum_t out = { NULL, 0 };

	if (ret == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR &&
	    !gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &out, 0)) {
		snprintf(buf, len, "its certificate: %s", out.data);
		gnutls_free(out.data);
	} else {
		snprintf(buf, len, "TLS: %s", gnutls_strerror(ret));
	}
	return buf;
}

/* Each step: 1: done, 0: later (the watch is set), -errno: finish() has been called. */

static int again(struct exp_connection *c, uint32_t events)
{
	hf_watch_change(c->watch, events);
	return 0;
}

static int fail(struct exp_connection *c, int ret, const char *why)
{
	finish(c, ret, why);
	return ret;
}

static int tls_step(struct exp_connection *c, int ret)
{
	char text[HF_ERR_LEN];

	if (ret >= 0)
		return 1;
	if (!gnutls_error_is_fatal(ret))
		return again(c, gnutls_record_get_direction(c->tls) ? EPOLLOUT : EPOLLIN);
	return fail(c, -EPROTO, tls_why(c, ret, text, sizeof(text)));
}

static int connected(struct exp_connection *c)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	return err ? fail(c, -err, strerror(err)) : 1;
}

static int send_some(struct exp_connection *c)
{
	while (c->sent < c->len) {
		const char *p = c->text + c->sent;
		ssize_t n;

		if (c->tls) {
			n = gnutls_record_send(c->tls, p, c->len - c->sent);
			if (n < 0) {
				int ret = tls_step(c, (int)n);

				if (ret)
					return ret;
				return 0;
			}
		} else {
			n = send(c->fd, p, c->len - c->sent, MSG_NOSIGNAL);
			if (n < 0 && (errno == EAGAIN || errno == EINTR))
				return again(c, EPOLLOUT);
			if (n < 0)
				return fail(c, -errno, strerror(errno));
		}
		c->sent += (size_t)n;
	}
	return 1;
}

/* Servers take the end of a request's connection for a caller who does not wait any more. */
static int say_end(struct exp_connection *c)
{
	int ret;

	if (c->head)
		return 1;
	ret = c->tls ? tls_step(c, gnutls_bye(c->tls, GNUTLS_SHUT_WR)) : 1;

	if (ret == 1 && shutdown(c->fd, SHUT_WR))
		return fail(c, -errno, strerror(errno));
	return ret;
}

/* What a receiver may say before it closes (session tickets, greetings) is nothing to us. */
static int wait_end(struct exp_connection *c)
{
	char buf[512];
	ssize_t n;

	for (;;) {
		n = recv(c->fd, buf, sizeof(buf), 0);
		if (!n) {
			finish(c, 0, "");
			return -1;
		}
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return again(c, EPOLLIN);
		if (n < 0)
			return fail(c, -errno, strerror(errno));
	}
}

/* What comes behind the head is nothing to us: the connection is closed. */
static int read_head(struct exp_connection *c)
{
	while (c->got < EXP_HEAD - 1) {
		char *to = c->head + c->got;
		ssize_t n = c->tls ? gnutls_record_recv(c->tls, to, EXP_HEAD - 1 - c->got) :
				     recv(c->fd, to, EXP_HEAD - 1 - c->got, 0);

		if (n < 0 && c->tls)
			return tls_step(c, (int)n);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return again(c, EPOLLIN);
		if (n < 0)
			return fail(c, -errno, strerror(errno));
		if (!n)
			return fail(c, -EPROTO, "closed without an answer");
		c->got += (size_t)n;
		c->head[c->got] = '\0';
		if (strstr(c->head, "\r\n\r\n")) {
			finish(c, 0, c->head);
			return -1;
		}
	}
	return fail(c, -EPROTO, "the head of its answer is too long");
}

static void on_ready(void *arg, uint32_t events)
{
	struct exp_connection *c = arg;
	int ret = 1;

	(void)events;
	while (ret == 1) {
		switch (c->phase) {
		case CONNECTING:
			ret = connected(c);
			break;
		case HANDSHAKE:
			ret = c->tls ? tls_step(c, gnutls_handshake(c->tls)) : 1;
			break;
		case SENDING:
			ret = send_some(c);
			break;
		case CLOSING:
			ret = say_end(c);
			break;
		case WAITING:
			ret = c->head ? read_head(c) : wait_end(c);
			break;
		}
		if (ret == 1)
			c->phase++;
	}
}

static void on_deadline(void *arg)
{
	static const char *const words[] = { "not connected", "handshake not done", "not all taken",
					     "not all taken", "taken, but not closed" };
	struct exp_connection *c = arg;
	char text[64];

	snprintf(text, sizeof(text), "%s in time",
		 c->head && c->phase == WAITING ? "not answered" : words[c->phase]);
	finish(c, -ETIMEDOUT, text);
}

static int tls_begin(struct exp_connection *c)
{
	int ret = gnutls_init(&c->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);

	if (ret)
		return -ENOMEM;
	if (gnutls_priority_set_direct(c->tls, PRIORITY, NULL) ||
	    gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, c->route->trust))
		return -EINVAL;
	gnutls_session_set_verify_cert(c->tls, c->route->name, 0);
	gnutls_transport_set_int(c->tls, c->fd);
	return 0;
}

static int begin(struct exp_connection **out, struct hf_loop *loop, const struct exp_route *route,
		 const char *text, size_t len, bool asks, uint64_t deadline_ns, exp_sent_fn fn, void *arg)
{
	struct exp_connection *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->route = route;
	c->len = len;
	c->fn = fn;
	c->arg = arg;
	c->text = malloc(len);
	c->head = asks ? calloc(1, EXP_HEAD) : NULL;
	c->fd = socket(route->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ret = c->fd < 0 ? -errno : c->text && (c->head || !asks) ? 0 : -ENOMEM;
	if (!ret) {
		memcpy(c->text, text, len);
		if (connect(c->fd, (const struct sockaddr *)&route->addr, route->addr_len) &&
		    errno != EINPROGRESS)
			ret = -errno;
	}
	if (!ret && route->trust)
		ret = tls_begin(c);
	if (!ret)
		ret = hf_watch_new(&c->watch, loop, c->fd, EPOLLOUT, on_ready, c);
	if (!ret)
		ret = hf_timer_new(&c->deadline, loop, on_deadline, c);
	if (ret) {
		exp_connection_free(c);
		return ret;
	}
	hf_timer_in(c->deadline, deadline_ns);
	*out = c;
	return 0;
}

int exp_send(struct exp_connection **out, struct hf_loop *loop, const struct exp_route *route,
	     const char *text, size_t len, uint64_t deadline_ns, exp_sent_fn fn, void *arg)
{
	return begin(out, loop, route, text, len, false, deadline_ns, fn, arg);
}

int exp_ask(struct exp_connection **out, struct hf_loop *loop, const struct exp_route *route,
	    const char *text, size_t len, uint64_t deadline_ns, exp_sent_fn fn, void *arg)
{
	return begin(out, loop, route, text, len, true, deadline_ns, fn, arg);
}
