// SPDX-License-Identifier: GPL-2.0
/*
 * The disk by plain system calls. A commit is pwrite(2) and fdatasync(2), and
 * the loop waits for it: what comes meanwhile is in the next commit.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "file.h"
#include "io_portable.h"

static int dir_of(struct aud_io *io)
{
	return ((struct aud_portable *)io)->dirfd;
}

static int p_create(struct aud_io *io, const char *name, uint64_t bytes)
{
	int dir = dir_of(io);
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int ret = 0;

	if (fd < 0)
		return -errno;
	/* Sizes and extents are on the disk before the first record counts on them. */
	if (bytes)
		ret = -posix_fallocate(fd, 0, (off_t)bytes);
	if (!ret && (fsync(fd) || fsync(dir)))
		ret = -errno;
	if (!ret)
		return fd;
	close(fd);
	unlinkat(dir, name, 0);
	return ret;
}

static int p_open(struct aud_io *io, const char *name)
{
	return hf_file_open_checked(dir_of(io), name, O_RDWR, NULL);
}

static void p_close(struct aud_io *io, int fd)
{
	(void)io;
	close(fd);
}

static ssize_t p_read(struct aud_io *io, int fd, void *buf, size_t len, uint64_t at)
{
	ssize_t n;

	(void)io;
	do
		n = pread(fd, buf, len, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t p_write(struct aud_io *io, int fd, const void *buf, size_t len, uint64_t at)
{
	ssize_t n;

	(void)io;
	do
		n = pwrite(fd, buf, len, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Never a second time: after a failure the kernel may have dropped what was dirty. */
static int p_sync(struct aud_io *io, int fd)
{
	(void)io;
	return fdatasync(fd) ? -errno : 0;
}

static int p_truncate(struct aud_io *io, int fd, uint64_t size)
{
	(void)io;
	return ftruncate(fd, (off_t)size) ? -errno : 0;
}

static int64_t p_size(struct aud_io *io, int fd)
{
	struct stat st;

	(void)io;
	return fstat(fd, &st) ? -errno : st.st_size;
}

static int p_remove(struct aud_io *io, const char *name)
{
	return unlinkat(dir_of(io), name, 0) || fsync(dir_of(io)) ? -errno : 0;
}

static int p_list(struct aud_io *io, aud_list_fn fn, void *arg)
{
	int fd = openat(dir_of(io), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	struct stat st;

	if (!d) {
		int ret = -errno;

		if (fd >= 0)
			close(fd);
		return ret;
	}
	while ((entry = readdir(d)))
		if (!fstatat(dir_of(io), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    S_ISREG(st.st_mode))
			fn(arg, entry->d_name, (uint64_t)st.st_size);
	closedir(d);
	return 0;
}

static int64_t p_free_bytes(struct aud_io *io)
{
	struct statvfs st;

	if (fstatvfs(dir_of(io), &st))
		return -errno;
	return (int64_t)((uint64_t)st.f_bavail * st.f_frsize);
}

static int p_commit(struct aud_io *io, int fd, const void *buf, size_t len, uint64_t at,
		    struct aud_done *done)
{
	ssize_t n = p_write(io, fd, buf, len, at);

	done->written = n < 0 ? 0 : (size_t)n;
	done->err = n < 0 ? (int)n : 0;
	if (done->written == len)
		done->err = p_sync(io, fd);
	return 1;
}

static int p_poll(struct aud_io *io, struct aud_done *done)
{
	(void)io, (void)done;
	return 0;
}

static int p_fd(struct aud_io *io)
{
	(void)io;
	return -1;
}

static void p_free(struct aud_io *io)
{
	free(io);
}

const struct aud_io_ops aud_portable_ops = {
	.name = "portable",
	.create = p_create,
	.open = p_open,
	.close = p_close,
	.read = p_read,
	.write = p_write,
	.sync = p_sync,
	.truncate = p_truncate,
	.size = p_size,
	.remove = p_remove,
	.list = p_list,
	.free_bytes = p_free_bytes,
	.commit = p_commit,
	.poll = p_poll,
	.fd = p_fd,
	.free = p_free,
};

int aud_io_portable(struct aud_io **out, int dirfd)
{
	struct aud_portable *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->io.ops = &aud_portable_ops;
	p->dirfd = dirfd;
	*out = &p->io;
	return 0;
}

int aud_write_all(struct aud_io *io, int fd, const void *buf, size_t len, uint64_t at)
{
	const char *p = buf;

	while (len) {
		ssize_t n = io->ops->write(io, fd, p, len, at);

		if (n <= 0)
			return n ? (int)n : -EIO;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int aud_read_all(struct aud_io *io, int fd, void *buf, size_t len, uint64_t at)
{
	char *p = buf;

	while (len) {
		ssize_t n = io->ops->read(io, fd, p, len, at);

		if (n <= 0)
			return n ? (int)n : -ENODATA;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}
