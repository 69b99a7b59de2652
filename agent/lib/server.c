// SPDX-License-Identifier: GPL-2.0
/*
 * The keeper's side of its socket. Never waits for a program: every read and
 * write is non-blocking, a connection has one request and 2 s to make it, and
 * there are at most 64, of one uid at most 32. Whether somebody gets a lease is
 * the caller's decision alone, at once or later.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire.h"

#define HF_CLIENTS	64
#define HF_CLIENTS_UID	32
#define HF_CLIENT_NS	2000000000ULL

/* @fd: -1: free. @added: connected by the owner: stays. @waits: for holdfast_server_answer(). */
struct client {
	int fd;
	bool added, waits;
	uid_t uid;
	uint64_t deadline_ns;
	uint64_t token;		/* of its last request */
};

struct holdfast_server {
	int ep;
	int listener;		/* -1: none */
	struct sockaddr_un sa;
	bool full;		/* the listener is not watched */
	holdfast_grant_fn grant;
	void *arg;
	uint64_t tokens;	/* given out */
	struct client *asking;	/* whose request the grant function has */
	struct client client[HF_CLIENTS];
};

static int watch(struct holdfast_server *s, int op, int fd, uint32_t events, uint64_t tag)
{
	struct epoll_event e = { .events = events, .data.u64 = tag };

	return epoll_ctl(s->ep, op, fd, &e) ? -errno : 0;
}

/* Who finds no place waits in the listener's queue instead of being turned away. */
static void accept_more(struct holdfast_server *s, bool more)
{
	if (s->listener < 0 || s->full == !more)
		return;
	if (!watch(s, EPOLL_CTL_MOD, s->listener, more ? EPOLLIN : 0, HF_CLIENTS))
		s->full = !more;
}

static void drop(struct holdfast_server *s, struct client *c)
{
	close(c->fd);
	*c = (struct client){ .fd = -1 };
	accept_more(s, true);
}

static int client_add(struct holdfast_server *s, int fd, bool added, uid_t uid)
{
	for (size_t i = 0; i < HF_CLIENTS; i++) {
		struct client *c = &s->client[i];
		int ret;

		if (c->fd >= 0)
			continue;
		ret = watch(s, EPOLL_CTL_ADD, fd, EPOLLIN, i);
		if (ret)
			return ret;
		*c = (struct client){ .fd = fd, .added = added, .uid = uid,
				      .deadline_ns = hf_now_ns() + HF_CLIENT_NS };
		return 0;
	}
	return -EMFILE;
}

static size_t clients_of(const struct holdfast_server *s, uid_t uid)
{
	size_t n = 0;

	for (size_t i = 0; i < HF_CLIENTS; i++)
		n += s->client[i].fd >= 0 && !s->client[i].added && s->client[i].uid == uid;
	return n;
}

int holdfast_server_add(struct holdfast_server *s, int sock)
{
	int flags = fcntl(sock, F_GETFL);

	if (flags < 0 || fcntl(sock, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	return client_add(s, sock, true, (uid_t)-1);
}

size_t holdfast_server_added(const struct holdfast_server *s)
{
	size_t n = 0;

	for (size_t i = 0; i < HF_CLIENTS; i++)
		n += s->client[i].fd >= 0 && s->client[i].added;
	return n;
}

/* A socket file that nobody answers at is left over from a keeper that died. */
static int remove_stale(const struct sockaddr_un *sa)
{
	struct stat st;
	int err = 0, fd;

	if (lstat(sa->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)))
		err = errno;
	close(fd);
	if (err != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(sa->sun_path) ? -errno : 0;
}

static int listen_at(struct holdfast_server *s, const char *path, gid_t gid)
{
	struct stat st;
	int ret;

	if (strlen(path) >= sizeof(s->sa.sun_path))
		return -ENAMETOOLONG;
	s->sa.sun_family = AF_UNIX;
	strcpy(s->sa.sun_path, path);
	ret = remove_stale(&s->sa);
	if (ret)
		return ret;
	s->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listener < 0)
		return -errno;
	/* The file that bind(2) makes gets the mode of the socket: private from the start. */
	if (fchmod(s->listener, 0600) ||
	    bind(s->listener, (struct sockaddr *)&s->sa, sizeof(s->sa))) {
		ret = -errno;
		s->sa.sun_path[0] = '\0';	/* not ours to remove */
		return ret;
	}
	/* chown only where it changes something: it may be forbidden. */
	if (gid != (gid_t)-1 && (lstat(path, &st) || (st.st_gid != gid &&
	     chown(path, (uid_t)-1, gid)) || chmod(path, 0660)))
		return -errno;
	if (listen(s->listener, HF_CLIENTS))
		return -errno;
	return watch(s, EPOLL_CTL_ADD, s->listener, EPOLLIN, HF_CLIENTS);
}

int holdfast_server_open(struct holdfast_server **out, const char *path, gid_t gid,
			 holdfast_grant_fn grant, void *arg)
{
	struct holdfast_server *s = calloc(1, sizeof(*s));
	int ret = 0;

	if (!s)
		return -ENOMEM;
	s->grant = grant;
	s->arg = arg;
	s->listener = -1;
	for (size_t i = 0; i < HF_CLIENTS; i++)
		s->client[i].fd = -1;
	s->ep = epoll_create1(EPOLL_CLOEXEC);
	if (s->ep < 0)
		ret = -errno;
	if (!ret && path)
		ret = listen_at(s, path, gid);
	if (ret) {
		holdfast_server_close(s);
		return ret;
	}
	*out = s;
	return 0;
}

void holdfast_server_close(struct holdfast_server *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < HF_CLIENTS; i++)
		if (s->client[i].fd >= 0)
			drop(s, &s->client[i]);
	if (s->listener >= 0) {
		if (s->sa.sun_path[0])
			unlink(s->sa.sun_path);
		close(s->listener);
	}
	if (s->ep >= 0)
		close(s->ep);
	free(s);
}

int holdfast_server_fd(const struct holdfast_server *s)
{
	return s->ep;
}

static int peer_of(int fd, struct holdfast_peer *p)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	memset(p, 0, sizeof(*p));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return -errno;
	p->pid = cred.pid;
	p->uid = cred.uid;
	p->gid = cred.gid;
	len = sizeof(p->groups);
	/* More groups than there is room for: then only the first one counts. */
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, p->groups, &len))
		p->ngroups = len / sizeof(p->groups[0]);
	return 0;
}

static int reply(int sock, struct hf_wire_reply *w, int fd)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = w, .iov_len = sizeof(*w) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.h), &fd, sizeof(fd));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static struct hf_wire_reply reply_empty(void)
{
	return (struct hf_wire_reply){ .magic = HF_WIRE_MAGIC, .version = HF_WIRE_VERSION,
				       .op = HF_WIRE_LEASE };
}

static int check(const struct hf_wire_request *w, ssize_t n, char *text)
{
	if (n != sizeof(*w) || w->magic != HF_WIRE_MAGIC)
		return hf_say(text, -EPROTO, "not a request: %zd bytes", n);
	if (w->version != HF_WIRE_VERSION)
		return hf_say(text, -EPROTONOSUPPORT, "version %u where %u is known", w->version,
			      HF_WIRE_VERSION);
	if (w->op != HF_WIRE_LEASE)
		return hf_say(text, -EOPNOTSUPP, "operation %u is not known", w->op);
	if (!w->rights || w->rights & ~HOLDFAST_RIGHT_ALL)
		return hf_say(text, -EINVAL, "rights 0x%x where 0x1..0x%x is allowed", w->rights,
			      HOLDFAST_RIGHT_ALL);
	return 0;
}

static void answer(struct holdfast_server *s, struct client *c, const struct hf_wire_request *w,
		   ssize_t n)
{
	struct hf_wire_reply r = reply_empty();
	struct holdfast_lease_request req;
	struct holdfast_peer peer;
	int fd = -1;

	r.error = check(w, n, r.text);
	if (!r.error)
		r.error = peer_of(c->fd, &peer);
	if (!r.error) {
		req = (struct holdfast_lease_request){ .array = w->array, .rights = w->rights,
						       .duration_ms = w->duration_ms };
		memcpy(req.label, w->label, sizeof(req.label));
		s->asking = c;
		r.error = s->grant(s->arg, &peer, &req, &fd, &r.lease_id, r.text);
		s->asking = NULL;
	}
	if (c->waits)
		return;
	/* A program that is not there to take it loses its lease with the copy here. */
	(void)reply(c->fd, &r, fd);
	if (fd >= 0)
		close(fd);
}

uint64_t holdfast_server_defer(struct holdfast_server *s, uint32_t timeout_ms)
{
	struct client *c = s->asking;

	/* That it has hung up is told without being asked for. */
	if (!c || watch(s, EPOLL_CTL_MOD, c->fd, 0, (uint64_t)(c - s->client)))
		return 0;
	c->waits = true;
	c->token = ++s->tokens;
	c->deadline_ns = hf_now_ns() + timeout_ms * 1000000ULL;
	return c->token;
}

static struct client *waiting(struct holdfast_server *s, uint64_t token)
{
	for (size_t i = 0; i < HF_CLIENTS; i++)
		if (s->client[i].fd >= 0 && s->client[i].waits && s->client[i].token == token)
			return &s->client[i];
	return NULL;
}

bool holdfast_server_waits(struct holdfast_server *s, uint64_t token)
{
	return waiting(s, token);
}

int holdfast_server_answer(struct holdfast_server *s, uint64_t token, int error, int lease_fd,
			   uint64_t lease_id, const char *text)
{
	struct client *c = waiting(s, token);
	struct hf_wire_reply r = reply_empty();
	int ret = -ENOENT;

	if (c) {
		r.error = error;
		r.lease_id = lease_id;
		snprintf(r.text, sizeof(r.text), "%s", text ? text : "");
		ret = reply(c->fd, &r, lease_fd);
		c->waits = false;
		if (!c->added || watch(s, EPOLL_CTL_MOD, c->fd, EPOLLIN,
				       (uint64_t)(c - s->client)))
			drop(s, c);
	}
	if (lease_fd >= 0)
		close(lease_fd);
	return ret;
}

/* Readable, or while it waits: hung up. */
static void serve(struct holdfast_server *s, struct client *c)
{
	struct hf_wire_request w;
	ssize_t n;

	if (c->waits) {
		drop(s, c);
		return;
	}
	n = recv(c->fd, &w, sizeof(w), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		answer(s, c, &w, n);
	if (n <= 0 || (!c->added && !c->waits))
		drop(s, c);
}

static void refuse(int fd, int error, uid_t uid)
{
	struct hf_wire_reply r = reply_empty();

	r.error = hf_say(r.text, error,
			 "uid %u has %d connections to the keeper where %d are allowed", uid,
			 HF_CLIENTS_UID, HF_CLIENTS_UID);
	(void)reply(fd, &r, -1);
	close(fd);
}

static void greet(struct holdfast_server *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct holdfast_peer peer;

	if (fd < 0)
		return;
	if (peer_of(fd, &peer)) {
		close(fd);
		return;
	}
	if (clients_of(s, peer.uid) >= HF_CLIENTS_UID)
		refuse(fd, -EAGAIN, peer.uid);
	else if (client_add(s, fd, false, peer.uid))
		close(fd);
}

static size_t places(const struct holdfast_server *s)
{
	size_t n = 0;

	for (size_t i = 0; i < HF_CLIENTS; i++)
		n += s->client[i].fd < 0;
	return n;
}

int holdfast_server_run(struct holdfast_server *s)
{
	struct epoll_event e[HF_CLIENTS + 1];
	uint64_t now = hf_now_ns();
	int n = epoll_wait(s->ep, e, HF_CLIENTS + 1, 0);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		if (e[i].data.u64 == HF_CLIENTS)
			greet(s);
		else if (s->client[e[i].data.u64].fd >= 0)
			serve(s, &s->client[e[i].data.u64]);
	}
	for (size_t i = 0; i < HF_CLIENTS; i++)
		if (s->client[i].fd >= 0 && !s->client[i].added && now >= s->client[i].deadline_ns)
			drop(s, &s->client[i]);
	if (!places(s))
		accept_more(s, false);
	return 0;
}
