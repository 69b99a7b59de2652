// SPDX-License-Identifier: GPL-2.0
/*
 * A socket where whoever stands by asks, with a byte, whether we still run; it comes
 * back. Its end says that we have ended: no process of ours has these descriptors.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "primary.h"

struct asker {
	struct hf_watch *watch;		/* NULL: free */
	int fd, pid;
};

struct hf_primary {
	struct hf_loop *loop;
	struct hf_watch *watch;
	int fd;
	struct sockaddr_un at;
	struct asker askers[HF_STANDBYS];
};

static void asker_end(struct asker *a)
{
	hf_watch_free(a->watch);
	a->watch = NULL;
	close(a->fd);
}

static void on_asker(void *arg, uint32_t events)
{
	struct asker *a = arg;
	char byte[2];
	ssize_t n = recv(a->fd, byte, sizeof(byte), 0);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == 1 && send(a->fd, byte, 1, MSG_NOSIGNAL) == 1)
		return;
	hf_log_app(HF_LOG_NOTICE, "standby.gone", NULL, "pid %d stands by no longer", a->pid);
	asker_end(a);
}

static struct asker *asker_free(struct hf_primary *p)
{
	for (int i = 0; i < HF_STANDBYS; i++)
		if (!p->askers[i].watch)
			return &p->askers[i];
	return NULL;
}

static void on_connect(void *arg, uint32_t events)
{
	struct hf_primary *p = arg;
	int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct asker *a = asker_free(p);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	(void)events;
	if (fd < 0)
		return;
	if (!a || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) || peer.uid ||
	    hf_watch_new(&a->watch, p->loop, fd, EPOLLIN, on_asker, a)) {
		hf_log_app(HF_LOG_WARN, "standby.refused", NULL, "%s", a ? "not root" :
			   "as many stand by as may");
		close(fd);
		return;
	}
	a->fd = fd;
	a->pid = (int)peer.pid;
	hf_log_app(HF_LOG_NOTICE, "standby.there", NULL, "pid %d stands by", a->pid);
}

static int primary_listen(struct hf_primary *p)
{
	p->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0)
		return -errno;
	if (unlink(p->at.sun_path) && errno != ENOENT)
		return -errno;
	/* The umask leaves it to root. */
	if (bind(p->fd, (const struct sockaddr *)&p->at, sizeof(p->at)) ||
	    listen(p->fd, HF_STANDBYS))
		return -errno;
	return hf_watch_new(&p->watch, p->loop, p->fd, EPOLLIN, on_connect, p);
}

int hf_primary_new(struct hf_primary **out, struct hf_loop *loop, const char *run,
		   struct hf_err *e)
{
	struct hf_primary *p = calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return hf_fail(e, -ENOMEM, "out of memory");
	p->loop = loop;
	p->at.sun_family = AF_UNIX;
	/* paths.run is short enough: 80 at most */
	snprintf(p->at.sun_path, sizeof(p->at.sun_path), "%s/" HF_PRIMARY_SOCKET, run);
	ret = primary_listen(p);
	if (ret) {
		hf_fail(e, ret, "%s: %s", p->at.sun_path, strerror(-ret));
		hf_primary_free(p);
		return ret;
	}
	*out = p;
	return 0;
}

void hf_primary_free(struct hf_primary *p)
{
	if (!p)
		return;
	for (int i = 0; i < HF_STANDBYS; i++)
		if (p->askers[i].watch)
			asker_end(&p->askers[i]);
	hf_watch_free(p->watch);
	if (p->fd >= 0)
		close(p->fd);
	unlink(p->at.sun_path);
	free(p);
}

unsigned int hf_primary_standbys(const struct hf_primary *p)
{
	unsigned int n = 0;

	for (int i = 0; p && i < HF_STANDBYS; i++)
		n += !!p->askers[i].watch;
	return n;
}
