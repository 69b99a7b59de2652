// SPDX-License-Identifier: GPL-2.0
/*
 * Making sockets. Nothing is accepted or read here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "listen.h"

#define BACKLOG	512

static int listen_tcp(int fd, const struct hf_settings *s)
{
	static const int on = 1;

	/* IPv6 only, so that 0.0.0.0 is never served by accident. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    (s->addr.ss_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) ||
	    bind(fd, (const struct sockaddr *)&s->addr, s->addr_len))
		return -errno;
	return 0;
}

/*
 * Everybody on the host may connect: the kernel says who it is, and auth
 * decides what that one may do. The folder is root's or (a unit) our own, so
 * only what was there before a crash of ours can be in the way.
 */
static int listen_unix(int fd, const struct hf_settings *s)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct stat st;

	_Static_assert(sizeof(un.sun_path) == sizeof(s->socket), "same room");
	memcpy(un.sun_path, s->socket, sizeof(un.sun_path));
	if (!lstat(s->socket, &st) && S_ISSOCK(st.st_mode) && unlink(s->socket))
		return -errno;
	if (bind(fd, (const struct sockaddr *)&un, sizeof(un)) || chmod(s->socket, 0666))
		return -errno;
	return 0;
}

int hf_listen(const struct hf_settings *s, struct hf_err *e)
{
	int family = s->addr_len ? s->addr.ss_family : AF_UNIX;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int ret = fd < 0 ? -errno : 0;

	if (!ret)
		ret = family == AF_UNIX ? listen_unix(fd, s) : listen_tcp(fd, s);
	if (!ret && listen(fd, BACKLOG))
		ret = -errno;
	if (!ret)
		return fd;
	if (fd >= 0)
		close(fd);
	return hf_fail(e, ret, "%s: %s", family == AF_UNIX ? s->socket : "api.listen, api.port",
		       strerror(-ret));
}

int hf_peer_of(int fd, struct hf_peer *p)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return -errno;
	p->uid = cred.uid;
	p->pid = cred.pid;
	len = sizeof(p->gids);
	/* ERANGE: in more groups than we pass on; then none but the first are known. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, p->gids, &len)) {
		if (errno != ERANGE)
			return -errno;
		p->gids[0] = cred.gid;
		len = sizeof(p->gids[0]);
	}
	p->n_gids = (uint32_t)(len / sizeof(p->gids[0]));
	return 0;
}
