// SPDX-License-Identifier: GPL-2.0
/*
 * Links between processes. What comes is believed only as far as msg.c allows;
 * what goes waits in a bounded queue. Nothing here blocks, and nothing here
 * knows what a message is for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc_wire.h"
#include "text.h"

#define ROUND		16	/* messages read before others get their turn */
#define QUEUE_BYTES	(4U << 20)
#define FDS_ROOM	4	/* received, to be able to close what is too much */

struct frame {
	struct frame *next;
	int fd;			/* ours, -1: none */
	size_t len;
	uint8_t data[];
};

struct pending {
	uint64_t id;		/* 0: free */
	uint64_t deadline_ns;
	hf_reply_fn fn;
	void *arg;
};

/**
 * struct hf_link - see ipc.h
 * @busy:	callbacks on the stack; the memory stays until they have returned
 * @closed:	nothing is sent or received any more
 * @broken:	by the peer's fault
 * @dead:	to be freed
 */
struct hf_link {
	struct hf_loop *loop;
	struct hf_watch *watch;
	struct hf_timer *timer;
	int fd;
	enum hf_proc self, peer;
	const unsigned int *state;
	const struct hf_link_ops *ops;
	void *arg;
	struct pending pending[HF_IPC_PENDING];
	uint64_t next_id;
	struct frame *first, **last;
	size_t frames, bytes;
	unsigned int busy;
	bool closed, broken, dead;
};

/* One process, one thread: these serve all links. Wiped after each use, for secrets pass. */
static uint8_t out_buf[HF_IPC_DATAGRAM];
static uint8_t in_buf[HF_IPC_DATAGRAM];

static void frame_free(struct frame *f)
{
	if (f->fd >= 0)
		close(f->fd);
	explicit_bzero(f->data, f->len);
	free(f);
}

static void queue_drop(struct hf_link *l)
{
	while (l->first) {
		struct frame *f = l->first;

		l->first = f->next;
		frame_free(f);
	}
	l->last = &l->first;
	l->frames = 0;
	l->bytes = 0;
}

static void link_leave(struct hf_link *l)
{
	if (--l->busy || !l->dead)
		return;
	free(l);
}

static void answer(struct pending *p, int status, const json_t *result)
{
	struct pending was = *p;

	*p = (struct pending){ 0 };	/* its place is free for what @fn may send */
	was.fn(was.arg, status, result);
}

static void answer_error(struct pending *p, int status, const char *code, const char *text)
{
	json_t *error = hf_error_json(code, "%s", text);

	answer(p, status, error);
	json_decref(error);
}

/* No more traffic. Waiting requests are answered; @busy must be held. */
static void link_shut(struct hf_link *l)
{
	if (l->closed)
		return;
	l->closed = true;
	hf_watch_free(l->watch);
	hf_timer_free(l->timer);
	close(l->fd);
	queue_drop(l);
	for (size_t i = 0; i < HF_IPC_PENDING; i++)
		if (l->pending[i].id)
			answer_error(&l->pending[i], 502, "gone", hf_proc_name(l->peer));
}

static void link_close(struct hf_link *l, bool broken, const char *why)
{
	if (l->closed)
		return;
	l->broken = broken;
	link_shut(l);
	if (!l->dead)		/* not if an answer has led to hf_link_free() */
		l->ops->closed(l->arg, l, why);
	l->dead = true;
}

/* The pending deadline that comes first. */
static void timer_aim(struct hf_link *l)
{
	uint64_t first_ns = UINT64_MAX;

	for (size_t i = 0; i < HF_IPC_PENDING; i++)
		if (l->pending[i].id && l->pending[i].deadline_ns < first_ns)
			first_ns = l->pending[i].deadline_ns;
	if (first_ns == UINT64_MAX)
		hf_timer_stop(l->timer);
	else
		hf_timer_set(l->timer, first_ns);
}

static struct pending *pending_find(struct hf_link *l, uint64_t id)
{
	for (size_t i = 0; i < HF_IPC_PENDING; i++)
		if (l->pending[i].id == id)
			return &l->pending[i];
	return NULL;
}

/* Closes the link if this was no answer to anything we ever asked. */
static void on_reply(struct hf_link *l, const struct hf_ipc_msg *m)
{
	struct pending *p = pending_find(l, m->id);
	int status = (int)json_integer_value(json_object_get(m->body, "status"));
	json_t *result = json_object_get(m->body, status < 300 ? "result" : "error");

	if (!p) {
		/* Later than its deadline, which is no crime; an id of the future is. */
		if (m->id >= l->next_id)
			link_close(l, true, "REPLY to nothing");
		return;
	}
	result = result ? json_incref(result) : json_object();
	answer(p, status, result);
	json_decref(result);
}

static void on_message(struct hf_link *l, struct hf_ipc_msg *m)
{
	struct hf_err e;

	if (!hf_msg_permitted(l->peer, l->self, m->type, ~0U)) {
		hf_fail(&e, 0, "%s from %s is not permitted", hf_msg_name(m->type),
			hf_proc_name(l->peer));
		link_close(l, true, e.text);
	} else if (hf_msg_has_fd(m->type) != (m->fd >= 0)) {
		hf_fail(&e, 0, "%s with%s a file", hf_msg_name(m->type), m->fd < 0 ? "out" : "");
		link_close(l, true, e.text);
	} else if (hf_msg_check(l->peer, m->type, m->body, &e)) {
		link_close(l, true, e.text);
	} else if (m->type == HF_MSG_REPLY) {
		on_reply(l, m);
	} else if (hf_msg_permitted(l->peer, l->self, m->type, *l->state)) {
		l->ops->message(l->arg, l, m);
	} else if (l->peer == HF_PROC_PARENT && *l->state != HF_ST_STOPPING) {
		hf_fail(&e, 0, "%s in the wrong state", hf_msg_name(m->type));
		link_close(l, true, e.text);
	} else if (hf_msg_is_request(m->type)) {
		/*
		 * Peers cannot know our state, nor can the parent that somebody else has told us to
		 * stop: not their fault. What wants no answer comes to nothing.
		 */
		hf_link_error(l, m->id, &m->corr, 503, "not_now", "%s is %s",
			      hf_proc_name(l->self),
			      *l->state == HF_ST_STARTING ? "starting" : "stopping");
	}
}

/* The files that came along: the first one, all others closed. Return: how many there were. */
static int take_fds(struct msghdr *msg, int *first)
{
	int n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (n++)
				close(fd);
			else
				*first = fd;
		}
	}
	return n;
}

static void on_datagram(struct hf_link *l, size_t len, int flags, int fd, int fds)
{
	struct hf_ipc_msg m = { .fd = fd };
	json_t *body = NULL;
	struct hf_err e;
	int ret;

	if (flags & MSG_TRUNC)
		ret = hf_fail(&e, -EPROTO, "datagram beyond %zu bytes", sizeof(in_buf));
	else if (flags & MSG_CTRUNC || fds > 1)
		ret = hf_fail(&e, -EPROTO, "more files than one, or no room for it");
	else
		ret = hf_ipc_decode(in_buf, len, &m, &body, &e);
	explicit_bzero(in_buf, len);
	if (ret) {
		link_close(l, true, e.text);
	} else {
		m.from = l->peer;
		m.fd = fd;
		on_message(l, &m);
		fd = m.fd;
	}
	json_decref(body);
	if (fd >= 0)
		close(fd);
}

/* Return: whether there may be more. */
static bool receive(struct hf_link *l)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(FDS_ROOM * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = in_buf, .iov_len = sizeof(in_buf) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(l->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fd = -1, fds;

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			link_close(l, false, strerror(errno));
		return errno == EINTR;
	}
	fds = take_fds(&msg, &fd);
	if (!n) {
		if (fd >= 0)
			close(fd);
		link_close(l, false, "the peer has closed it");
		return false;
	}
	on_datagram(l, (size_t)n, msg.msg_flags, fd, fds);
	return !l->closed;
}

/* Return: 0, -EAGAIN (not now), -EPIPE, -ENOBUFS (out of files in flight or memory). */
static int send_now(struct hf_link *l, const void *buf, size_t len, int fd)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.h), &fd, sizeof(fd));
	}
	for (;;) {
		if (sendmsg(l->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno == EAGAIN)
			return -EAGAIN;
		if (errno == EPIPE || errno == ECONNRESET)
			return -EPIPE;
		if (errno != EINTR)
			return -ENOBUFS;
	}
}

static void watch_aim(struct hf_link *l)
{
	hf_watch_change(l->watch, l->first ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void flush(struct hf_link *l)
{
	while (l->first) {
		struct frame *f = l->first;

		if (send_now(l, f->data, f->len, f->fd) == -EAGAIN)
			return;
		/* Any other error: the peer is gone, as the next read will show, or it is lost. */
		l->first = f->next;
		if (!l->first)
			l->last = &l->first;
		l->frames--;
		l->bytes -= f->len;
		frame_free(f);
	}
	watch_aim(l);
}

static void on_events(void *arg, uint32_t events)
{
	struct hf_link *l = arg;

	l->busy++;
	if (events & EPOLLOUT)
		flush(l);
	if (events & ~(uint32_t)EPOLLOUT)
		for (int i = 0; i < ROUND && receive(l); i++)
			;
	link_leave(l);
}

/*
 * Of who stood still itself - stopped, starved of the processor - nothing is known but what has
 * come meanwhile: that is read first, for what is there is not late.
 */
static void on_timer(void *arg)
{
	struct hf_link *l = arg;
	uint64_t now_ns = hf_mono_ns(hf_loop_clock(l->loop));

	l->busy++;
	for (int i = 0; i < ROUND && receive(l); i++)
		;
	for (size_t i = 0; i < HF_IPC_PENDING && !l->closed; i++)
		if (l->pending[i].id && l->pending[i].deadline_ns <= now_ns)
			answer_error(&l->pending[i], 504, "deadline", "no answer in time");
	if (!l->closed)
		timer_aim(l);
	link_leave(l);
}

int hf_link_new(struct hf_link **out, struct hf_loop *loop, int fd, enum hf_proc self,
		enum hf_proc peer, const unsigned int *state, const struct hf_link_ops *ops,
		void *arg)
{
	struct hf_link *l = calloc(1, sizeof(*l));
	int ret;

	if (!l)
		return -ENOMEM;
	l->loop = loop;
	l->fd = fd;
	l->self = self;
	l->peer = peer;
	l->state = state;
	l->ops = ops;
	l->arg = arg;
	l->next_id = 1;
	l->last = &l->first;
	ret = hf_timer_new(&l->timer, loop, on_timer, l);
	if (!ret)
		ret = hf_watch_new(&l->watch, loop, fd, EPOLLIN, on_events, l);
	if (ret) {
		hf_timer_free(l->timer);
		free(l);
		return ret;
	}
	*out = l;
	return 0;
}

void hf_link_free(struct hf_link *l)
{
	if (!l || l->dead)
		return;
	l->dead = true;
	l->busy++;
	link_shut(l);
	link_leave(l);
}

void hf_link_end(struct hf_link *l)
{
	if (!l->closed)
		shutdown(l->fd, SHUT_RDWR);
}

enum hf_proc hf_link_peer(const struct hf_link *l)
{
	return l->peer;
}

bool hf_link_broken(const struct hf_link *l)
{
	return l->broken;
}

bool hf_link_idle(const struct hf_link *l)
{
	return l->closed || !l->first;
}

static int enqueue(struct hf_link *l, const void *buf, size_t len, int fd)
{
	struct frame *f;

	if (l->frames >= HF_IPC_QUEUE || l->bytes + len > QUEUE_BYTES)
		return -ENOBUFS;
	f = malloc(sizeof(*f) + len);
	if (!f)
		return -ENOBUFS;
	*f = (struct frame){ .fd = -1, .len = len };
	memcpy(f->data, buf, len);
	if (fd >= 0) {
		f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (f->fd < 0) {
			frame_free(f);
			return -ENOBUFS;
		}
	}
	*l->last = f;
	l->last = &f->next;
	l->frames++;
	l->bytes += len;
	watch_aim(l);
	return 0;
}

static int send_or_queue(struct hf_link *l, enum hf_msg type, uint64_t id,
			 const struct hf_corr *corr, const json_t *body, int fd)
{
	int len, ret = -EAGAIN;

	if (l->closed)
		return -EPIPE;
	len = hf_ipc_encode(out_buf, type, id, corr, body);
	if (len < 0)
		return len;
	if (!l->first)
		ret = send_now(l, out_buf, (size_t)len, fd);
	if (ret == -EAGAIN)
		ret = enqueue(l, out_buf, (size_t)len, fd);
	explicit_bzero(out_buf, (size_t)len);
	return ret;
}

/* The peer would end the link for it: better an error here. */
static int check_own(struct hf_link *l, enum hf_msg type, const json_t *body)
{
	if (!body)
		return -ENOMEM;
	if (!hf_msg_permitted(l->self, l->peer, type, ~0U))
		return -EPERM;
	return hf_msg_check(l->self, type, body, NULL) ? -EINVAL : 0;
}

int hf_link_request(struct hf_link *l, enum hf_msg type, const struct hf_corr *corr, json_t *body,
		    int fd, uint64_t deadline_ns, hf_reply_fn fn, void *arg)
{
	struct pending *p = pending_find(l, 0);
	int ret = check_own(l, type, body);

	if (!ret && !p)
		ret = -ENOBUFS;
	if (!ret)
		ret = send_or_queue(l, type, l->next_id, corr, body, fd);
	json_decref(body);
	if (ret)
		return ret;
	*p = (struct pending){
		.id = l->next_id++, .deadline_ns = deadline_ns, .fn = fn, .arg = arg
	};
	timer_aim(l);
	return 0;
}

int hf_link_send(struct hf_link *l, enum hf_msg type, const struct hf_corr *corr, json_t *body,
		 int fd)
{
	int ret = check_own(l, type, body);

	if (!ret)
		ret = send_or_queue(l, type, 0, corr, body, fd);
	json_decref(body);
	return ret;
}

int hf_link_reply(struct hf_link *l, uint64_t id, const struct hf_corr *corr, int status,
		  json_t *result)
{
	json_t *body = json_pack("{s:i, s:o*}", "status", status, status < 300 ? "result" : "error",
				 result);
	int ret = body ? send_or_queue(l, HF_MSG_REPLY, id, corr, body, -1) : -ENOMEM;

	json_decref(body);
	if (ret == -EMSGSIZE && status != 500)
		hf_link_error(l, id, corr, 500, "too_large", "the answer is beyond %d bytes",
			      HF_MSG_MAX);
	return ret;
}

/* New reference. A sentence that was cut within a character loses the rest of that. */
static json_t *error_text(const char *code, const char *fmt, va_list ap)
{
	char text[HF_ERR_LEN];
	size_t len, ok = 0, used;

	vsnprintf(text, sizeof(text), fmt, ap);
	len = strlen(text);
	while (ok < len && hf_utf8_next(text + ok, len - ok, &used) >= 0)
		ok += used;
	return json_pack("{s:s, s:s%}", "code", code, "message", text, ok);
}

json_t *hf_error_json(const char *code, const char *fmt, ...)
{
	json_t *error;
	va_list ap;

	va_start(ap, fmt);
	error = error_text(code, fmt, ap);
	va_end(ap);
	return error;
}

int hf_link_error(struct hf_link *l, uint64_t id, const struct hf_corr *corr, int status,
		  const char *code, const char *fmt, ...)
{
	json_t *error;
	va_list ap;

	va_start(ap, fmt);
	error = error_text(code, fmt, ap);
	va_end(ap);
	return hf_link_reply(l, id, corr, status, error);
}
