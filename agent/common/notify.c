// SPDX-License-Identifier: GPL-2.0
/*
 * The datagrams of sd_notify(3). Our own twenty lines, because libsystemd would
 * bring compression and crypto libraries into a process that runs as root.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "notify.h"

static const char *env_get(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; env && *env; env++)
		if (!strncmp(*env, name, len) && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

/* 0: not ours, or no number. */
static uint64_t watchdog_ns(char *const *env)
{
	const char *usec = env_get(env, "WATCHDOG_USEC"), *pid = env_get(env, "WATCHDOG_PID");
	unsigned long long us;
	char *end;

	if (!usec || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	errno = 0;
	us = strtoull(usec, &end, 10);
	return errno || *end || us > UINT64_MAX / 1000 ? 0 : us * 1000;
}

static int notify_connect(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd;

	if ((path[0] != '/' && path[0] != '@') || len >= sizeof(to.sun_path))
		return -1;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';		/* abstract */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len))) {
		close(fd);
		return -1;
	}
	return fd;
}

void hf_notify_open(struct hf_notify *n, char *const *env)
{
	const char *path = env_get(env, "NOTIFY_SOCKET");

	*n = (struct hf_notify){ .fd = -1, .watchdog_ns = watchdog_ns(env) };
	if (!path)
		return;
	n->fd = notify_connect(path);
	if (n->fd < 0)
		hf_log_app(HF_LOG_WARN, "notify.open", NULL, "NOTIFY_SOCKET %s: %s", path,
			   strerror(errno));
}

void hf_notify_close(struct hf_notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

void hf_notify(const struct hf_notify *n, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n->fd < 0 || len <= 0)
		return;
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	if (send(n->fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		hf_log_app(HF_LOG_WARN, "notify.send", NULL, "%s", strerror(errno));
}

void hf_notify_reloading(const struct hf_notify *n)
{
	hf_notify(n, "RELOADING=1\nMONOTONIC_USEC=%llu",
		  (unsigned long long)(hf_systemd_ns() / 1000));
}
