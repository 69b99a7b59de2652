// SPDX-License-Identifier: GPL-2.0
/*
 * Commits by io_uring: a write linked to a data sync, so that the loop goes on
 * meanwhile. io_uring passes seccomp by; therefore the ring is restricted, for
 * good, to these two operations on files registered here.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io_portable.h"

#define ENTRIES		8
#define TAG_WRITE	1
#define TAG_SYNC	2

/* @registered: the file in slot 0, -1: none. */
struct aud_uring {
	struct aud_portable p;
	struct io_uring ring;
	int registered;
	bool broken;		/* half a commit is stuck in the ring: it is used no more */
	unsigned int waiting;	/* completions */
	size_t len;
	struct aud_done done;
};

/* Debian 12's shared liburing does not export its functions for restrictions. */
static int ring_register(int fd, unsigned int op, const void *arg, unsigned int n)
{
	return syscall(SYS_io_uring_register, fd, op, arg, n) < 0 ? -errno : 0;
}

static int ring_restrict(int fd)
{
	struct io_uring_restriction r[] = {
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITE },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_FSYNC },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = IOSQE_FIXED_FILE },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = IOSQE_IO_LINK },
		{ .opcode = IORING_RESTRICTION_REGISTER_OP,
		  .register_op = IORING_REGISTER_FILES_UPDATE },
	};
	int none = -1;
	int ret = ring_register(fd, IORING_REGISTER_FILES, &none, 1);

	if (!ret)
		ret = ring_register(fd, IORING_REGISTER_RESTRICTIONS, r, sizeof(r) / sizeof(r[0]));
	return ret ? ret : ring_register(fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

static int use_file(struct aud_uring *u, int fd)
{
	struct io_uring_files_update up = { .offset = 0, .fds = (uint64_t)(uintptr_t)&fd };
	int ret = 0;

	if (u->registered == fd)
		return 0;
	if (syscall(SYS_io_uring_register, u->ring.ring_fd, IORING_REGISTER_FILES_UPDATE, &up, 1) < 0)
		ret = -errno;
	if (!ret)
		u->registered = fd;
	return ret;
}

static void u_close(struct aud_io *io, int fd)
{
	struct aud_uring *u = (struct aud_uring *)io;

	if (u->registered == fd)
		use_file(u, -1);
	close(fd);
}

static int finished(struct aud_uring *u, struct aud_done *done)
{
	if (u->waiting)
		return 0;
	*done = u->done;
	return 1;
}

static int u_commit(struct aud_io *io, int fd, const void *buf, size_t len, uint64_t at,
		    struct aud_done *done)
{
	struct aud_uring *u = (struct aud_uring *)io;
	struct io_uring_sqe *sqe;
	int ret;

	if (u->broken)
		return aud_portable_ops.commit(io, fd, buf, len, at, done);
	ret = use_file(u, fd);
	u->done = (struct aud_done){ .err = ret };
	u->len = len;
	if (ret)
		return finished(u, done);
	sqe = io_uring_get_sqe(&u->ring);
	io_uring_prep_write(sqe, 0, buf, (unsigned int)len, at);
	sqe->flags = IOSQE_FIXED_FILE | IOSQE_IO_LINK;
	sqe->user_data = TAG_WRITE;
	sqe = io_uring_get_sqe(&u->ring);
	io_uring_prep_fsync(sqe, 0, IORING_FSYNC_DATASYNC);
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->user_data = TAG_SYNC;
	do
		ret = io_uring_submit(&u->ring);
	while (ret == -EINTR);
	if (ret != 2) {
		u->broken = true;
		u->done.err = ret < 0 ? ret : -EIO;
		return finished(u, done);
	}
	u->waiting = 2;
	return 0;
}

static void completed(struct aud_uring *u, uint64_t tag, int res)
{
	u->waiting--;
	if (tag == TAG_WRITE && res >= 0)
		u->done.written = (size_t)res;
	else if (tag == TAG_WRITE)
		u->done.err = res;
	else if (res < 0 && res != -ECANCELED)
		u->done.err = res;
	/*
	 * A sync that was cancelled belongs to a write that failed or was short: both say so
	 * themselves. But never take a whole write without its sync for durable.
	 */
	else if (res == -ECANCELED && u->done.written == u->len && !u->done.err)
		u->done.err = -EIO;
}

static int u_poll(struct aud_io *io, struct aud_done *done)
{
	struct aud_uring *u = (struct aud_uring *)io;
	struct io_uring_cqe *cqe;
	bool any = false;

	while (u->waiting && !io_uring_peek_cqe(&u->ring, &cqe)) {
		completed(u, cqe->user_data, cqe->res);
		io_uring_cqe_seen(&u->ring, cqe);
		any = true;
	}
	return any ? finished(u, done) : 0;
}

static int u_fd(struct aud_io *io)
{
	return ((struct aud_uring *)io)->ring.ring_fd;
}

static void u_free(struct aud_io *io)
{
	struct aud_uring *u = (struct aud_uring *)io;

	io_uring_queue_exit(&u->ring);
	free(u);
}

int aud_io_uring(struct aud_io **out, int dirfd, struct hf_err *e)
{
	static struct aud_io_ops ops;
	struct aud_uring *u = calloc(1, sizeof(*u));
	int ret;

	if (!u)
		return -ENOMEM;
	ret = io_uring_queue_init(ENTRIES, &u->ring, IORING_SETUP_R_DISABLED);
	if (ret) {
		free(u);
		return hf_fail(e, ret, "io_uring_setup: %s", strerror(-ret));
	}
	ret = ring_restrict(u->ring.ring_fd);
	if (ret) {
		io_uring_queue_exit(&u->ring);
		free(u);
		return hf_fail(e, ret, "io_uring_register: %s", strerror(-ret));
	}
	ops = aud_portable_ops;
	ops.name = "uring";
	ops.close = u_close;
	ops.commit = u_commit;
	ops.poll = u_poll;
	ops.fd = u_fd;
	ops.free = u_free;
	u->p.io.ops = &ops;
	u->p.dirfd = dirfd;
	u->registered = -1;
	*out = &u->p.io;
	return 0;
}
