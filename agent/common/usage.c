// SPDX-License-Identifier: GPL-2.0
/*
 * getrusage(2), and resident memory out of proc(5), which getrusage only has
 * the peak of. The file is opened early, for a sandbox opens nothing.
 */
#include "usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define BLOCK	512L	/* of getrusage(2) in Linux */

int hf_usage_open(void)
{
	return open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

static json_int_t us_of(const struct timeval *t)
{
	return (json_int_t)t->tv_sec * 1000000 + t->tv_usec;
}

/* "size resident shared ...", in pages. -1: unknown */
static long resident_pages(int fd)
{
	char buf[128];
	long size, resident;
	ssize_t n;

	if (fd < 0 || lseek(fd, 0, SEEK_SET))
		return -1;
	n = read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return -1;
	buf[n] = '\0';
	return sscanf(buf, "%ld %ld", &size, &resident) == 2 ? resident : -1;
}

json_t *hf_usage_json(int fd)
{
	long pages = resident_pages(fd);
	json_t *j = json_object();
	struct rusage r;

	if (!getrusage(RUSAGE_SELF, &r)) {
		json_object_set_new(j, "cpu_us", json_integer(us_of(&r.ru_utime) + us_of(&r.ru_stime)));
		json_object_set_new(j, "read_bytes", json_integer(r.ru_inblock * BLOCK));
		json_object_set_new(j, "written_bytes", json_integer(r.ru_oublock * BLOCK));
		json_object_set_new(j, "page_faults", json_integer(r.ru_majflt));
	}
	if (pages >= 0)
		json_object_set_new(j, "rss_bytes",
				    json_integer((json_int_t)pages * sysconf(_SC_PAGESIZE)));
	return j;
}
