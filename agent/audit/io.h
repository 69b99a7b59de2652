/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The door to the disk: everything the log reads, writes or asks of the file
 * system goes through this table, so that tests can let any of it fail. No
 * knowledge of what is in the files.
 */
#ifndef HF_AUDIT_IO_H
#define HF_AUDIT_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

#define AUD_NAME	32

/* How a commit ended: @written bytes are in the file; if @err is 0 and all are, they are durable. */
struct aud_done {
	size_t written;
	int err;	/* 0, -errno of the write or of the sync */
};

struct aud_io;
typedef void (*aud_list_fn)(void *arg, const char *name, uint64_t size);

/**
 * struct aud_io_ops - what a back end can do; results are -errno if negative
 * @create:	a new file (never an existing one), @bytes of it allocated, its name durable
 * @open:	an existing one for reading and writing
 * @close:	never fails
 * @read: @write:	as pread(2), pwrite(2); may be short
 * @sync:	data of the file
 * @remove:	and make that durable; -ENOENT is an error
 * @list:	all names
 * @free_bytes:	of the file system, for us
 * @commit:	write and sync. Return: 1: @done says how it went; 0: under way
 *		(@buf must stay), aud_io_poll() says when. One at a time.
 * @poll:	Return: 1: the commit under way has ended, see @done; 0: not yet
 * @fd:		becomes readable when it is worth to poll; -1: never under way
 */
struct aud_io_ops {
	const char *name;
	int (*create)(struct aud_io *io, const char *name, uint64_t bytes);
	int (*open)(struct aud_io *io, const char *name);
	void (*close)(struct aud_io *io, int fd);
	ssize_t (*read)(struct aud_io *io, int fd, void *buf, size_t len, uint64_t at);
	ssize_t (*write)(struct aud_io *io, int fd, const void *buf, size_t len, uint64_t at);
	int (*sync)(struct aud_io *io, int fd);
	int (*truncate)(struct aud_io *io, int fd, uint64_t size);
	int64_t (*size)(struct aud_io *io, int fd);
	int (*remove)(struct aud_io *io, const char *name);
	int (*list)(struct aud_io *io, aud_list_fn fn, void *arg);
	int64_t (*free_bytes)(struct aud_io *io);
	int (*commit)(struct aud_io *io, int fd, const void *buf, size_t len, uint64_t at,
		      struct aud_done *done);
	int (*poll)(struct aud_io *io, struct aud_done *done);
	int (*fd)(struct aud_io *io);
	void (*free)(struct aud_io *io);
};

struct aud_io {
	const struct aud_io_ops *ops;
};

/* pwrite(2) and fdatasync(2) in the folder @dirfd, which stays the caller's. */
int aud_io_portable(struct aud_io **out, int dirfd);
/*
 * The same, but commits by io_uring, by a ring that can do nothing but write
 * and sync registered files. -ENOSYS, -EPERM, ...: this system does not let us.
 */
int aud_io_uring(struct aud_io **out, int dirfd, struct hf_err *e);

/* All of it, in spite of short ones. Return: 0, -errno; @read_all: also -ENODATA (end of file). */
int aud_write_all(struct aud_io *io, int fd, const void *buf, size_t len, uint64_t at);
int aud_read_all(struct aud_io *io, int fd, void *buf, size_t len, uint64_t at);

#endif /* HF_AUDIT_IO_H */
