// SPDX-License-Identifier: GPL-2.0
/*
 * A program's side of the keeper's socket. Every wait has the caller's
 * deadline; what comes back is checked as if a stranger had sent it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire.h"

int hf_wait_fd(int fd, short events, uint64_t deadline_ns)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		uint64_t now = hf_now_ns();
		int n;

		if (now >= deadline_ns)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)((deadline_ns - now) / 1000000 + 1));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int send_request(int sock, const struct holdfast_lease_request *req, uint64_t deadline_ns)
{
	struct hf_wire_request w = {
		.magic = HF_WIRE_MAGIC, .version = HF_WIRE_VERSION, .op = HF_WIRE_LEASE,
		.array = req->array, .rights = req->rights, .duration_ms = req->duration_ms,
	};
	ssize_t n;
	int ret;

	memcpy(w.label, req->label, sizeof(w.label));
	for (;;) {
		n = send(sock, &w, sizeof(w), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == sizeof(w))
			return 0;
		if (n >= 0)
			return -EPROTO;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		ret = hf_wait_fd(sock, POLLOUT, deadline_ns);
		if (ret)
			return ret;
	}
}

/* Takes the one descriptor out of @msg; closes any others. -1: none. */
static int take_fd(struct msghdr *msg)
{
	int fd = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int got;

			memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(got));
			if (fd < 0)
				fd = got;
			else
				close(got);
		}
	}
	return fd;
}

static ssize_t receive_reply(int sock, struct hf_wire_reply *w, int *fd, uint64_t deadline_ns)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = w, .iov_len = sizeof(*w) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	bool hung_up = false;
	ssize_t n;
	int ret;

	for (;;) {
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n >= 0)
			break;
		if (errno == EINTR)
			continue;
		/* Said once, before what the keeper had answered when it closed. */
		if (errno == ECONNRESET && !hung_up) {
			hung_up = true;
			continue;
		}
		if (errno != EAGAIN)
			return -errno;
		ret = hf_wait_fd(sock, POLLIN, deadline_ns);
		if (ret)
			return ret;
	}
	*fd = take_fd(&msg);
	return n;
}

int holdfast_lease_request_on(struct holdfast_array **out, int sock,
			      const struct holdfast_lease_request *req, int timeout_ms,
			      char *text)
{
	uint64_t deadline_ns = hf_now_ns() + (uint64_t)timeout_ms * 1000000ULL;
	struct hf_wire_reply w = { 0 };
	int ret, fd = -1;
	ssize_t n;

	ret = send_request(sock, req, deadline_ns);
	/* A keeper that is full answers without having heard the question. */
	if (ret && ret != -EPIPE && ret != -ECONNRESET)
		return hf_say(text, ret, "cannot ask the keeper: %s", strerror(-ret));
	n = receive_reply(sock, &w, &fd, deadline_ns);
	if (n == -ETIMEDOUT)
		return hf_say(text, -ETIMEDOUT, "the keeper did not answer within %d ms",
			      timeout_ms);
	if (n != sizeof(w) || w.magic != HF_WIRE_MAGIC || w.version != HF_WIRE_VERSION ||
	    w.error > 0 || (!w.error) != (fd >= 0)) {
		if (fd >= 0)
			close(fd);
		return hf_say(text, n < 0 ? (int)n : -EPROTO,
			      n ? "the keeper's answer makes no sense" :
				  "the keeper hung up without an answer");
	}
	if (w.error) {
		w.text[sizeof(w.text) - 1] = '\0';
		return hf_say(text, w.error, "%s", w.text[0] ? w.text : strerror(-w.error));
	}
	ret = holdfast_open_fd(out, fd);
	return ret ? hf_say(text, ret, "%s", strerror(-ret)) : 0;
}

int holdfast_lease_request(struct holdfast_array **out, const char *path,
			   const struct holdfast_lease_request *req, int timeout_ms, char *text)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int sock, ret;

	if (!path)
		path = HOLDFAST_KEEPER_SOCKET;
	if (strlen(path) >= sizeof(sa.sun_path))
		return hf_say(text, -ENAMETOOLONG, "%.80s...: too long for a socket", path);
	strcpy(sa.sun_path, path);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		return hf_say(text, -errno, "socket: %s", strerror(errno));
	/* A local connect never waits for the other side, but for a full backlog. */
	if (connect(sock, (struct sockaddr *)&sa, sizeof(sa))) {
		ret = errno == EAGAIN ? -ETIMEDOUT : -errno;
		close(sock);
		return hf_say(text, ret, "no keeper at %.160s: %s", path, strerror(-ret));
	}
	ret = holdfast_lease_request_on(out, sock, req, timeout_ms, text);
	close(sock);
	return ret;
}
