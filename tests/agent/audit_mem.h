/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A disk in memory for the tests of the audit log: knows what is only written
 * and what is synced, fails as it is told, and can lose power. No log code.
 */
#ifndef HF_TESTS_AUDIT_MEM_H
#define HF_TESTS_AUDIT_MEM_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io.h"

#define MEM_FILES	1024

struct mem_file {
	char name[AUD_NAME];	/* "": removed; the number stays taken */
	uint8_t *data, *synced;
	size_t size, synced_size;
	bool poisoned;		/* a sync has failed: what was dirty then is lost for good */
};

/*
 * struct mem - the disk and its faults. Counters count down to the fault; 0: no fault.
 * @short_most:	bytes that one write takes at most
 * @async:	commits end in poll()
 */
struct mem {
	struct aud_io io;
	struct mem_file f[MEM_FILES];
	int files;
	int64_t free;
	size_t short_most;
	int write_fails, write_err;
	int sync_fails, sync_err;
	int create_err, remove_err;
	int truncate_err;	/* of segments */
	bool async;
	bool under_way;
	struct aud_done done;
	unsigned int writes, syncs;
};

static int mem_find(struct mem *m, const char *name)
{
	for (int i = 0; i < m->files; i++)
		if (m->f[i].name[0] && !strcmp(m->f[i].name, name))
			return i;
	return -ENOENT;
}

static inline struct mem_file *mem_named(struct mem *m, const char *name)
{
	int i = mem_find(m, name);

	return i < 0 ? NULL : &m->f[i];
}

static void mem_resize(struct mem_file *f, size_t size)
{
	f->data = realloc(f->data, size ? size : 1);
	if (size > f->size)
		memset(f->data + f->size, 0, size - f->size);
	f->size = size;
}

static void mem_mark_synced(struct mem_file *f)
{
	f->synced = realloc(f->synced, f->size ? f->size : 1);
	memcpy(f->synced, f->data, f->size);
	f->synced_size = f->size;
}

static int mem_create(struct aud_io *io, const char *name, uint64_t bytes)
{
	struct mem *m = (struct mem *)io;
	struct mem_file *f;

	if (m->create_err)
		return m->create_err;
	if (m->free >= 0 && (uint64_t)m->free < bytes)
		return -ENOSPC;
	if (mem_find(m, name) >= 0)
		return -EEXIST;
	if (m->files == MEM_FILES)
		return -EMFILE;
	f = &m->f[m->files];
	*f = (struct mem_file){ .size = 0 };
	strcpy(f->name, name);
	mem_resize(f, bytes);
	mem_mark_synced(f);
	m->free -= (int64_t)bytes;
	return m->files++;
}

static int mem_open(struct aud_io *io, const char *name)
{
	return mem_find((struct mem *)io, name);
}

static void mem_close(struct aud_io *io, int fd)
{
	(void)io, (void)fd;
}

static ssize_t mem_read(struct aud_io *io, int fd, void *buf, size_t len, uint64_t at)
{
	struct mem_file *f = &((struct mem *)io)->f[fd];

	if (at >= f->size)
		return 0;
	if (len > f->size - at)
		len = f->size - at;
	memcpy(buf, f->data + at, len);
	return (ssize_t)len;
}

static ssize_t mem_write(struct aud_io *io, int fd, const void *buf, size_t len, uint64_t at)
{
	struct mem *m = (struct mem *)io;
	struct mem_file *f = &m->f[fd];

	m->writes++;
	if (m->write_fails && !--m->write_fails)
		return m->write_err;
	if (m->short_most && len > m->short_most)
		len = m->short_most;
	if (at + len > f->size)
		mem_resize(f, at + len);
	memcpy(f->data + at, buf, len);
	return (ssize_t)len;
}

/* After a failed sync the next one succeeds without having written anything: as Linux does. */
static int mem_sync(struct aud_io *io, int fd)
{
	struct mem *m = (struct mem *)io;
	struct mem_file *f = &m->f[fd];

	m->syncs++;
	if (m->sync_fails && !--m->sync_fails) {
		f->poisoned = true;
		return m->sync_err;
	}
	if (!f->poisoned)
		mem_mark_synced(f);
	return 0;
}

static int mem_truncate(struct aud_io *io, int fd, uint64_t size)
{
	struct mem *m = (struct mem *)io;

	if (m->truncate_err && strstr(m->f[fd].name, ".log"))
		return m->truncate_err;
	mem_resize(&m->f[fd], size);
	if (m->f[fd].synced_size > size)
		m->f[fd].synced_size = size;
	return 0;
}

static int64_t mem_size(struct aud_io *io, int fd)
{
	return (int64_t)((struct mem *)io)->f[fd].size;
}

static int mem_remove(struct aud_io *io, const char *name)
{
	struct mem *m = (struct mem *)io;
	int i = mem_find(m, name);

	if (m->remove_err)
		return m->remove_err;
	if (i < 0)
		return i;
	m->free += (int64_t)m->f[i].size;
	m->f[i].name[0] = '\0';
	return 0;
}

static int mem_list(struct aud_io *io, aud_list_fn fn, void *arg)
{
	struct mem *m = (struct mem *)io;

	for (int i = 0; i < m->files; i++)
		if (m->f[i].name[0])
			fn(arg, m->f[i].name, m->f[i].size);
	return 0;
}

static int64_t mem_free_bytes(struct aud_io *io)
{
	return ((struct mem *)io)->free;
}

static int mem_commit(struct aud_io *io, int fd, const void *buf, size_t len, uint64_t at,
		      struct aud_done *done)
{
	struct mem *m = (struct mem *)io;
	ssize_t n = mem_write(io, fd, buf, len, at);

	*done = (struct aud_done){ .written = n < 0 ? 0 : (size_t)n, .err = n < 0 ? (int)n : 0 };
	if (done->written == len)
		done->err = mem_sync(io, fd);
	m->done = *done;
	m->under_way = m->async;
	return !m->async;
}

static int mem_poll(struct aud_io *io, struct aud_done *done)
{
	struct mem *m = (struct mem *)io;

	if (!m->under_way)
		return 0;
	m->under_way = false;
	*done = m->done;
	return 1;
}

static int mem_fd(struct aud_io *io)
{
	(void)io;
	return -1;
}

static void mem_free(struct aud_io *io)
{
	struct mem *m = (struct mem *)io;

	for (int i = 0; i < m->files; i++) {
		free(m->f[i].data);
		free(m->f[i].synced);
	}
	free(m);
}

static struct mem *mem_new(void)
{
	static const struct aud_io_ops ops = {
		.name = "memory", .create = mem_create, .open = mem_open, .close = mem_close,
		.read = mem_read, .write = mem_write, .sync = mem_sync, .truncate = mem_truncate,
		.size = mem_size, .remove = mem_remove, .list = mem_list,
		.free_bytes = mem_free_bytes, .commit = mem_commit, .poll = mem_poll,
		.fd = mem_fd, .free = mem_free,
	};
	struct mem *m = calloc(1, sizeof(*m));

	m->io.ops = &ops;
	m->free = 1LL << 40;
	return m;
}

/*
 * Power is lost: of what was written and not synced, each page of 512 bytes is there or not as
 * @keep() says.
 */
static inline void mem_power_cut(struct mem *m, bool (*keep)(void *arg), void *arg)
{
	for (int i = 0; i < m->files; i++) {
		struct mem_file *f = &m->f[i];

		for (size_t at = 0; at < f->size; at += 512) {
			size_t n = f->size - at < 512 ? f->size - at : 512;
			size_t old = at < f->synced_size ? f->synced_size - at : 0;

			if (keep(arg))
				continue;
			old = old < n ? old : n;
			memset(f->data + at, 0, n);
			if (old)
				memcpy(f->data + at, f->synced + at, old);
		}
		f->poisoned = false;
		mem_mark_synced(f);
	}
	m->under_way = false;
}

#endif /* HF_TESTS_AUDIT_MEM_H */
