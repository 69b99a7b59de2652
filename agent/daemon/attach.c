// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that somebody else starts, each as its own user (units of systemd):
 * they connect here, and a connection becomes the control link of the role whose
 * user the kernel says it is. Nothing a process says of itself counts.
 */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon.h"
#include "log.h"

#define BACKLOG		16
#define ROUND		32	/* connections taken before others get their turn */
#define SAY_NS		HF_S	/* at most one refusal a second is logged: anybody may try */

/**
 * struct hf_attach - where they connect
 * @uid:	of each role's user; (uid_t)-1: there is none
 * @said_ns:	when a refusal was logged; @unsaid: how many have not been since
 */
struct hf_attach {
	int fd;
	struct hf_watch *watch;
	uid_t uid[HF_PROCS];
	uint64_t said_ns;
	unsigned int unsaid;
};

static void refuse(struct hf_parent *p, const struct ucred *who, const char *why)
{
	struct hf_attach *a = p->attach;
	uint64_t now = hf_mono_ns(hf_loop_clock(p->env.loop));

	if (a->said_ns && now - a->said_ns < SAY_NS) {
		a->unsaid++;
		return;
	}
	hf_log_sec(HF_LOG_WARN, "attach.refused", NULL, "uid %u, pid %d: %s (%u more unsaid before)",
		   who->uid, (int)who->pid, why, a->unsaid);
	a->said_ns = now;
	a->unsaid = 0;
}

static struct hf_child *child_of(struct hf_parent *p, uid_t uid)
{
	for (int i = 1; i < HF_PROCS; i++)
		if (p->attach->uid[i] == uid && uid != (uid_t)-1)
			return &p->children[i];
	return NULL;
}

/* Return: whether @fd was taken over. */
static bool take(struct hf_parent *p, int fd)
{
	struct ucred who = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(who);
	struct hf_child *c;

	/* As it was when it connected: what it hands the socket on to does not count. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len))
		return false;
	c = who.pid ? child_of(p, who.uid) : NULL;	/* 0: in another pid namespace */
	if (!c || p->state != HF_ST_RUNNING) {
		refuse(p, &who, c ? "the agent is not running" : "not the user of a role");
		return false;
	}
	if (who.pid == c->last) {
		refuse(p, &who, "it was here before");
		return false;
	}
	if (c->state != HF_CHILD_DOWN) {
		refuse(p, &who, c->state == HF_CHILD_OFF ? "the configuration does not want it" :
							  "there is one of this role");
		return false;
	}
	if (hf_child_link(c, fd))
		return false;
	c->pid = who.pid;
	hf_child_begin(c);
	return true;
}

static void on_connection(void *arg, uint32_t events)
{
	struct hf_parent *p = arg;

	(void)events;
	for (int i = 0; i < ROUND; i++) {
		int fd = accept4(p->attach->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		if (!take(p, fd))
			close(fd);
	}
}

static void users_find(struct hf_attach *a)
{
	for (int i = 0; i < HF_PROCS; i++) {
		const char *user = hf_sandbox_user((enum hf_proc)i);
		const struct passwd *pw = user ? getpwnam(user) : NULL;

		a->uid[i] = pw ? pw->pw_uid : (uid_t)-1;
		if (user && !pw)
			hf_log_app(HF_LOG_ERROR, "attach.user", NULL,
				   "user %s does not exist (systemd-sysusers makes it)", user);
	}
}

static int listen_at(int fd, const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct stat st;

	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	strcpy(un.sun_path, path);
	/* The folder is ours: what is there is left over from a parent that died (we have the lock). */
	if (!lstat(path, &st) && S_ISSOCK(st.st_mode) && unlink(path))
		return -errno;
	if (bind(fd, (const struct sockaddr *)&un, sizeof(un)) || chmod(path, 0666) ||
	    listen(fd, BACKLOG))
		return -errno;
	return 0;
}

int hf_attach_open(struct hf_parent *p, const char *path, struct hf_err *e)
{
	struct hf_attach *a = calloc(1, sizeof(*a));
	int ret;

	if (!a)
		return hf_fail(e, -ENOMEM, "out of memory");
	p->attach = a;
	a->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ret = a->fd < 0 ? -errno : listen_at(a->fd, path);
	if (!ret)
		ret = hf_watch_new(&a->watch, p->env.loop, a->fd, EPOLLIN, on_connection, p);
	if (ret) {
		hf_attach_close(p);
		return hf_fail(e, ret, "%s: %s", path, strerror(-ret));
	}
	users_find(a);
	return 0;
}

void hf_attach_close(struct hf_parent *p)
{
	if (!p->attach)
		return;
	hf_watch_free(p->attach->watch);
	if (p->attach->fd >= 0)
		close(p->attach->fd);
	free(p->attach);
	p->attach = NULL;
}
