// SPDX-License-Identifier: GPL-2.0
/*
 * Files that matter: opened without following a link in the last component,
 * checked by what was opened (not by name), replaced whole or not at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

/* Whoever owns the folder could put another file there anyway. */
static bool owns_folder(int dirfd, const char *path, uid_t uid)
{
	struct stat st;

	return dirfd != AT_FDCWD && !strchr(path, '/') && !fstat(dirfd, &st) && st.st_uid == uid &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static int file_check(int dirfd, int fd, const char *path, struct hf_err *e)
{
	struct stat st;

	if (fstat(fd, &st))
		return hf_fail(e, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return hf_fail(e, -EPERM, "%s: not a regular file", path);
	if (st.st_uid && st.st_uid != geteuid() && !owns_folder(dirfd, path, st.st_uid))
		return hf_fail(e, -EPERM, "%s: owned by uid %u, must be root or uid %u", path,
			       st.st_uid, geteuid());
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return hf_fail(e, -EPERM,
			       "%s: mode %04o lets others write, at most 0755 is allowed", path,
			       st.st_mode & 07777);
	return 0;
}

int hf_file_open_checked(int dirfd, const char *path, int flags, struct hf_err *e)
{
	/* O_NONBLOCK: a FIFO must not hold us up before it is refused. */
	int fd = openat(dirfd, path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	int ret;

	if (fd < 0)
		return hf_fail(e, -errno, "%s: %s", path,
			       errno == ELOOP ? "is a symbolic link" : strerror(errno));
	ret = file_check(dirfd, fd, path, e);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

/* Up to @room bytes. Return: how many, -errno. */
static ssize_t read_all(int fd, char *buf, size_t room)
{
	size_t have = 0;

	while (have < room) {
		ssize_t n = read(fd, buf + have, room - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

int hf_file_read(int dirfd, const char *path, size_t max, char **data, size_t *len,
		 struct hf_err *e)
{
	struct stat st;
	ssize_t n;
	char *buf;
	int fd = hf_file_open_checked(dirfd, path, O_RDONLY, e);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		st.st_size = -1;
	if (st.st_size < 0 || st.st_size > (off_t)max) {
		close(fd);
		return hf_fail(e, -EFBIG, "%s: %lld bytes, the limit is %zu", path,
			       (long long)st.st_size, max);
	}
	/* One byte more shows a file that grows meanwhile; that byte's place takes the NUL. */
	buf = malloc((size_t)st.st_size + 1);
	n = buf ? read_all(fd, buf, (size_t)st.st_size + 1) : -ENOMEM;
	close(fd);
	if (n < 0 || n > st.st_size) {
		if (n > 0)
			explicit_bzero(buf, (size_t)n);
		free(buf);
		return n < 0 ? hf_fail(e, (int)n, "%s: %s", path, strerror((int)-n)) :
			       hf_fail(e, -EAGAIN, "%s: grew while it was read", path);
	}
	buf[n] = '\0';
	*data = buf;
	*len = (size_t)n;
	return 0;
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* A new file @name in @dir with everything in it and on the disk. */
static int write_new(int dir, const char *name, const void *data, size_t len, mode_t mode)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int ret;

	if (fd < 0)
		return -errno;
	ret = write_all(fd, data, len);
	if (!ret && (fchmod(fd, mode) || fsync(fd)))
		ret = -errno;
	if (close(fd) && !ret)
		ret = -errno;
	return ret;
}

static int replace_in(int dir, const char *name, const void *data, size_t len, mode_t mode)
{
	char temp[NAME_MAX + 1];
	int ret;

	if ((size_t)snprintf(temp, sizeof(temp), ".%s.new", name) >= sizeof(temp))
		return -ENAMETOOLONG;
	unlinkat(dir, temp, 0);		/* what a crash has left */
	ret = write_new(dir, temp, data, len, mode);
	if (!ret && renameat(dir, temp, dir, name))
		ret = -errno;
	if (ret)
		unlinkat(dir, temp, 0);
	else if (fsync(dir))
		ret = -errno;
	return ret;
}

int hf_file_replace(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
		    struct hf_err *e)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char folder[PATH_MAX] = ".";
	int dir, ret;

	if (slash && (size_t)(slash - path) >= sizeof(folder))
		return hf_fail(e, -ENAMETOOLONG, "path of %zu bytes", strlen(path));
	if (slash)
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path ? slash - path : 1),
			 path);
	dir = openat(dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return hf_fail(e, -errno, "%s: %s", folder, strerror(errno));
	ret = replace_in(dir, name, data, len, mode);
	close(dir);
	return ret ? hf_fail(e, ret, "%s: %s", path, strerror(-ret)) : 0;
}
