// SPDX-License-Identifier: GPL-2.0
/*
 * The keeper's side of its socket. Never waits for a program: every read and
 * write is non-blocking, a connection has one request and 2 s, and there are
 * at most 16. Whether somebody gets a lease is the caller's decision alone.
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

#define HF_CLIENTS	16
#define HF_CLIENT_NS	2000000000ULL

struct client {
	int fd;			/* -1: free */
	bool added;		/* connected by the owner: stays */
	uint64_t deadline_ns;
};

struct holdfast_server {
	int ep;
	int listener;		/* -1: none */
	struct sockaddr_un sa;
	holdfast_grant_fn grant;
	void *arg;
	struct client client[HF_CLIENTS];
};

static void drop(struct client *c)
{
	close(c->fd);
	c->fd = -1;
}

static int watch(struct holdfast_server *s, int fd, uint64_t tag)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = tag };

	return epoll_ctl(s->ep, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

static int client_add(struct holdfast_server *s, int fd, bool added)
{
	for (size_t i = 0; i < HF_CLIENTS; i++) {
		struct client *c = &s->client[i];
		int ret;

		if (c->fd >= 0)
			continue;
		ret = watch(s, fd, i);
		if (ret)
			return ret;
		*c = (struct client){ .fd = fd, .added = added,
				      .deadline_ns = hf_now_ns() + HF_CLIENT_NS };
		return 0;
	}
	return -EMFILE;
}

int holdfast_server_add(struct holdfast_server *s, int sock)
{
	int flags = fcntl(sock, F_GETFL);

	if (flags < 0 || fcntl(sock, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	return client_add(s, sock, true);
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
	if (gid != (gid_t)-1 && (chown(path, (uid_t)-1, gid) || chmod(path, 0660)))
		return -errno;
	if (listen(s->listener, HF_CLIENTS))
		return -errno;
	return watch(s, s->listener, HF_CLIENTS);
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
			drop(&s->client[i]);
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

static void reply(int sock, struct hf_wire_reply *w, int fd)
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
	/* A program that is not there to take it loses its lease with the copy here. */
	(void)!sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
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
	struct hf_wire_reply r = { .magic = HF_WIRE_MAGIC, .version = HF_WIRE_VERSION,
				   .op = HF_WIRE_LEASE };
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
		r.error = s->grant(s->arg, &peer, &req, &fd, &r.lease_id, r.text);
	}
	reply(c->fd, &r, fd);
	if (fd >= 0)
		close(fd);
}

static void serve(struct holdfast_server *s, struct client *c)
{
	struct hf_wire_request w;
	ssize_t n = recv(c->fd, &w, sizeof(w), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		answer(s, c, &w, n);
	if (n <= 0 || !c->added)
		drop(c);
}

static void greet(struct holdfast_server *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0 && client_add(s, fd, false))
		close(fd);
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
			drop(&s->client[i]);
	return 0;
}
