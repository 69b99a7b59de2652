// SPDX-License-Identifier: GPL-2.0
/*
 * An open file of an array: finding it, asking it, silencing it. What only a
 * keeper or a lease may do is in keeping.c and lease.c, limits in envelope.c.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define HF_STATUS_TRIES	64
#define HF_STATUS_FRESH_NS	200000000ULL	/* twenty governor periods */

int hf_ioctl(int fd, unsigned long cmd, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, cmd, arg);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

uint64_t hf_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/* "holdfast12" -> 12; -1: something else, as the ledgers of the simulator. */
static long index_of_name(const char *name)
{
	char *end;
	long n;

	if (strncmp(name, "holdfast", 8) || !isdigit((unsigned char)name[8]))
		return -1;
	n = strtol(name + 8, &end, 10);
	return *end || n > INT32_MAX ? -1 : n;
}

static int compare_index(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int holdfast_enumerate(uint32_t *index, size_t room)
{
	DIR *dir = opendir("/sys/class/holdfast");
	struct dirent *e;
	size_t n = 0;

	if (!dir && errno == ENOENT)
		dir = opendir("/dev");
	if (!dir)
		return -errno;
	while (n < room && (e = readdir(dir))) {
		long i = index_of_name(e->d_name);

		if (i >= 0)
			index[n++] = (uint32_t)i;
	}
	closedir(dir);
	qsort(index, n, sizeof(*index), compare_index);
	return (int)n;
}

/* Not every kind of file of an array can be mapped; then the ioctl does. */
static void map_status(struct holdfast_array *a)
{
	long page = sysconf(_SC_PAGESIZE);
	void *p;

	if (page < (long)sizeof(struct holdfast_status))
		return;
	p = mmap(NULL, (size_t)page, PROT_READ, MAP_SHARED, a->fd, 0);
	if (p == MAP_FAILED)
		return;
	a->page = p;
	a->page_len = (size_t)page;
}

int holdfast_open_fd(struct holdfast_array **out, int fd)
{
	struct holdfast_array *a = calloc(1, sizeof(*a));

	if (!a) {
		close(fd);
		return -ENOMEM;
	}
	a->fd = fd;
	map_status(a);
	*out = a;
	return 0;
}

static int open_path(struct holdfast_array **out, const char *path, unsigned int flags)
{
	int fd = open(path, (flags & HOLDFAST_OPEN_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
	return holdfast_open_fd(out, fd);
}

static int open_index(struct holdfast_array **out, uint32_t index, unsigned int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/holdfast%" PRIu32, index);
	return open_path(out, path, flags);
}

static int open_only(struct holdfast_array **out, unsigned int flags)
{
	uint32_t index[2];
	int n = holdfast_enumerate(index, 2);

	if (n < 0)
		return n;
	if (n != 1)
		return n ? -EMLINK : -ENODEV;
	return open_index(out, index[0], flags);
}

static int open_serial(struct holdfast_array **out, const char *serial, unsigned int flags)
{
	uint32_t index[256];
	int n = holdfast_enumerate(index, 256);

	for (int i = 0; i < n; i++) {
		struct holdfast_info info;
		struct holdfast_array *a;

		if (open_index(&a, index[i], flags))
			continue;
		if (!holdfast_info(a, &info) &&
		    !strncmp(info.serial, serial, sizeof(info.serial))) {
			*out = a;
			return 0;
		}
		holdfast_close(a);
	}
	return n < 0 ? n : -ENODEV;
}

int holdfast_open(struct holdfast_array **out, const char *which, unsigned int flags)
{
	char *end;
	unsigned long n;

	if (flags & ~HOLDFAST_OPEN_WRITE)
		return -EINVAL;
	if (!which)
		return open_only(out, flags);
	if (strchr(which, '/'))
		return open_path(out, which, flags);
	n = strtoul(which, &end, 10);
	if (isdigit((unsigned char)which[0]) && !*end && n <= INT32_MAX)
		return open_index(out, (uint32_t)n, flags);
	return open_serial(out, which, flags);
}

void holdfast_close(struct holdfast_array *a)
{
	if (!a)
		return;
	if (a->page)
		munmap((void *)a->page, a->page_len);
	close(a->fd);
	free(a);
}

int holdfast_fd(const struct holdfast_array *a)
{
	return a->fd;
}

int holdfast_info(struct holdfast_array *a, struct holdfast_info *info)
{
	*info = (struct holdfast_info){ .size = sizeof(*info) };
	return hf_ioctl(a->fd, HOLDFAST_IOC_INFO, info);
}

int holdfast_geometry(struct holdfast_array *a, struct holdfast_channel_pos *pos, size_t room)
{
	struct holdfast_geometry g = {
		.size = sizeof(g),
		.count = room > HOLDFAST_MAX_CHANNELS ? HOLDFAST_MAX_CHANNELS : (uint32_t)room,
		.pos = (uintptr_t)pos,
	};
	int ret = hf_ioctl(a->fd, HOLDFAST_IOC_GEOMETRY, &g);

	return ret ? ret : (int)g.count;
}

int holdfast_limit_info(struct holdfast_array *a, uint32_t limit, struct holdfast_limit_info *info)
{
	*info = (struct holdfast_limit_info){ .size = sizeof(*info), .limit = limit };
	return hf_ioctl(a->fd, HOLDFAST_IOC_LIMIT_INFO, info);
}

int holdfast_sensor_info(struct holdfast_array *a, uint32_t index,
			 struct holdfast_sensor_info *info)
{
	*info = (struct holdfast_sensor_info){ .size = sizeof(*info), .index = index };
	return hf_ioctl(a->fd, HOLDFAST_IOC_SENSOR_INFO, info);
}

/* One try at a consistent copy; false: the page was being written. */
static bool status_copy(const struct holdfast_array *a, struct holdfast_status *st)
{
	const _Atomic uint32_t *seq = (const _Atomic uint32_t *)&a->page->seq;
	uint32_t before = atomic_load_explicit(seq, memory_order_acquire);
	size_t len = a->page->size;

	if (before & 1)
		return false;
	if (len > sizeof(*st))
		len = sizeof(*st);
	memset(st, 0, sizeof(*st));
	memcpy(st, a->page, len);
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(seq, memory_order_relaxed) == before;
}

int holdfast_status(struct holdfast_array *a, struct holdfast_status *st)
{
	for (int i = 0; a->page && i < HF_STATUS_TRIES; i++) {
		if (status_copy(a, st)) {
			/* The page of an array that has gone stays as it was: ask. */
			if (hf_now_ns() - st->time_ns < HF_STATUS_FRESH_NS)
				return 0;
			break;
		}
		sched_yield();
	}
	memset(st, 0, sizeof(*st));
	st->size = sizeof(*st);
	return hf_ioctl(a->fd, HOLDFAST_IOC_STATUS, st);
}

int holdfast_silence_as(struct holdfast_array *a, uint32_t flags, const uint8_t *corr)
{
	struct holdfast_silence s = { .size = sizeof(s), .flags = flags };

	hf_corr_in(s.corr, corr);
	return hf_ioctl(a->fd, HOLDFAST_IOC_SILENCE, &s);
}

int holdfast_silence(struct holdfast_array *a, uint32_t flags)
{
	return holdfast_silence_as(a, flags, NULL);
}

int holdfast_trip_get(struct holdfast_array *a, struct holdfast_trip *trip)
{
	*trip = (struct holdfast_trip){ .size = sizeof(*trip) };
	return hf_ioctl(a->fd, HOLDFAST_IOC_TRIP_GET, trip);
}

int holdfast_blackbox(struct holdfast_array *a, struct holdfast_blackbox_entry *e, size_t room,
		      bool *frozen)
{
	struct holdfast_blackbox bb = {
		.size = sizeof(bb),
		.count = room > INT_MAX ? INT_MAX : (uint32_t)room,
		.entries = (uintptr_t)e,
	};
	int ret = hf_ioctl(a->fd, HOLDFAST_IOC_BLACKBOX, &bb);

	if (frozen)
		*frozen = bb.frozen;
	return ret ? ret : (int)bb.count;
}

int holdfast_self_test(struct holdfast_array *a, struct holdfast_self_test *out)
{
	*out = (struct holdfast_self_test){ .size = sizeof(*out) };
	return hf_ioctl(a->fd, HOLDFAST_IOC_SELF_TEST, out);
}

int holdfast_leases(struct holdfast_array *a, struct holdfast_lease_info *li, size_t room)
{
	struct holdfast_lease_list list = {
		.size = sizeof(list),
		.count = room > HOLDFAST_MAX_LEASES ? HOLDFAST_MAX_LEASES : (uint32_t)room,
		.leases = (uintptr_t)li,
		.entry_size = sizeof(*li),
	};
	int ret = hf_ioctl(a->fd, HOLDFAST_IOC_LEASE_LIST, &list);

	return ret ? ret : (int)list.count;
}

int holdfast_tenants(struct holdfast_array *a, struct holdfast_tenant_info *ti, size_t room)
{
	struct holdfast_tenant_list list = {
		.size = sizeof(list),
		.count = room > HOLDFAST_MAX_TENANTS ? HOLDFAST_MAX_TENANTS : (uint32_t)room,
		.tenants = (uintptr_t)ti,
		.entry_size = sizeof(*ti),
	};
	int ret = hf_ioctl(a->fd, HOLDFAST_IOC_TENANT_LIST, &list);

	return ret ? ret : (int)list.count;
}
