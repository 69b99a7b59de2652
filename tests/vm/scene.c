// SPDX-License-Identifier: GPL-2.0
/*
 * Modules and simulated arrays of a test (scene.h). Calls on arrays are in
 * scene_calls.c, who supervises and plays in scene_players.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "scene.h"

#define CONFIGFS	"/sys/kernel/config"
#define SIM_DIR		CONFIGFS "/holdfast_sim"

void scene_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fflush(stdout);
	printf("Bail out! ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	fflush(stdout);
	_exit(1);
}

__u64 scene_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (__u64)t.tv_sec * 1000000000ULL + (__u64)t.tv_nsec;
}

void scene_sleep_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* ------------------------------------------------------------------ modules */

int scene_module_load(const char *name)
{
	const char *dir = getenv("HOLDFAST_MODDIR");
	char path[512];
	int fd, ret;

	if (!dir)
		scene_die("HOLDFAST_MODDIR is not set: run this by scripts/vm");
	snprintf(path, sizeof(path), "%s/%s.ko", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		scene_die("%s: %s", path, strerror(errno));
	ret = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

int scene_module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

void scene_load(void)
{
	static const char *const modules[] = { "holdfast", "holdfast_sim" };
	unsigned int i;
	int ret;

	if (access(SIM_DIR, F_OK) == 0)
		return;
	for (i = 0; i < 2; i++) {
		ret = scene_module_load(modules[i]);
		if (ret && ret != -EEXIST)
			scene_die("%s.ko does not load: %s", modules[i], strerror(-ret));
	}
	if (access(SIM_DIR, F_OK) &&
	    mount("none", CONFIGFS, "configfs", 0, NULL) && errno != EBUSY)
		scene_die("mount configfs: %s", strerror(errno));
	if (access(SIM_DIR, F_OK))
		scene_die("%s is not there", SIM_DIR);
}

/* ------------------------------------------------------------------- arrays */

int scene_mkdir(struct scene_array *s, const char *name)
{
	memset(s, 0, sizeof(*s));
	s->index = -1;
	if (strlen(name) >= sizeof(s->name))
		return -ENAMETOOLONG;
	strcpy(s->name, name);
	snprintf(s->dir, sizeof(s->dir), SIM_DIR "/%s", name);
	return mkdir(s->dir, 0755) ? -errno : 0;
}

static int attr_open(const struct scene_array *s, const char *attr, int flags)
{
	char path[192];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", s->dir, attr);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int scene_set(const struct scene_array *s, const char *attr, const char *fmt, ...)
{
	int fd = attr_open(s, attr, O_WRONLY), len, ret = 0;
	char value[4096];
	va_list ap;

	if (fd < 0)
		return fd;
	va_start(ap, fmt);
	len = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(value))
		scene_die("value of %s too long", attr);
	if (write(fd, value, (size_t)len) != len)
		ret = errno ? -errno : -EIO;
	close(fd);
	return ret;
}

int scene_get(const struct scene_array *s, const char *attr, char *buf, size_t size)
{
	int fd = attr_open(s, attr, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, buf, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	if (n && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return (int)n;
}

long long scene_get_number(const struct scene_array *s, const char *attr)
{
	char text[64], *end;
	int ret = scene_get(s, attr, text, sizeof(text));
	long long v;

	if (ret < 0)
		scene_die("%s/%s: %s", s->dir, attr, strerror(-ret));
	v = strtoll(text, &end, 10);
	if (end == text || *end)
		scene_die("%s/%s: no number: '%s'", s->dir, attr, text);
	return v;
}

bool scene_emitting(const struct scene_array *s)
{
	return scene_get_number(s, "emitting") != 0;
}

/* What a live array says of itself. */
static void array_describe(struct scene_array *s)
{
	struct holdfast_geometry geo = { .size = sizeof(geo) };
	char name[64] = "";
	int fd, ret;

	ret = scene_get(s, "array", name, sizeof(name));
	if (ret < 0 || sscanf(name, "holdfast%d", &s->index) != 1)
		scene_die("%s is live, but its array is '%s'", s->name, name);
	snprintf(s->node, sizeof(s->node), "/dev/holdfast%d", s->index);
	fd = scene_open(s, O_RDONLY);
	if (fd < 0)
		scene_die("%s: %s", s->node, strerror(-fd));
	ret = scene_info(fd, &s->info);
	if (ret)
		scene_die("%s: info: %s", s->node, strerror(-ret));
	free(s->pos);
	s->pos = calloc(s->info.channels, sizeof(*s->pos));
	if (!s->pos)
		scene_die("no memory");
	geo.count = s->info.channels;
	geo.pos = (uintptr_t)s->pos;
	ret = scene_ioctl(fd, HOLDFAST_IOC_GEOMETRY, &geo);
	if (ret || geo.count != s->info.channels)
		scene_die("%s: geometry: %s", s->node, strerror(-ret));
	close(fd);
}

int scene_live(struct scene_array *s, bool live)
{
	int ret = scene_set(s, "live", "%d", live);

	if (ret)
		return ret;
	if (live)
		array_describe(s);
	else
		s->index = -1;
	return 0;
}

void scene_make(struct scene_array *s, const char *name, const char *const attrs[])
{
	int ret = scene_mkdir(s, name);
	unsigned int i;

	if (ret)
		scene_die("mkdir %s: %s", s->dir, strerror(-ret));
	for (i = 0; attrs && attrs[i]; i++) {
		const char *eq = strchr(attrs[i], '=');
		char attr[48] = "";

		if (!eq || (size_t)(eq - attrs[i]) >= sizeof(attr))
			scene_die("attribute '%s' is not name=value", attrs[i]);
		memcpy(attr, attrs[i], (size_t)(eq - attrs[i]));
		ret = scene_set(s, attr, "%s", eq + 1);
		if (ret)
			scene_die("%s: '%s': %s", s->name, attrs[i], strerror(-ret));
	}
	ret = scene_live(s, true);
	if (ret)
		scene_die("%s does not go live: %s", s->name, strerror(-ret));
}

void scene_drop(struct scene_array *s)
{
	if (rmdir(s->dir))
		scene_die("rmdir %s: %s", s->dir, strerror(errno));
	free(s->pos);
	s->pos = NULL;
	s->index = -1;
}

int scene_open(const struct scene_array *s, int flags)
{
	int fd = open(s->node, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}
