// SPDX-License-Identifier: GPL-2.0
/*
 * Processes of a tree whose parent may be gone: found in /proc, ended by pidfd.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "clock.h"
#include "tree.h"

pid_t hf_locks_line(const char *line, dev_t dev, ino_t ino)
{
	unsigned int major_of, minor_of;
	unsigned long inode;
	int pid;

	/* One that waits has "->" before its kind. */
	if (sscanf(line, "%*u: FLOCK ADVISORY WRITE %d %x:%x:%lu ", &pid, &major_of, &minor_of,
		   &inode) != 4)
		return 0;
	return pid > 0 && makedev(major_of, minor_of) == dev && inode == ino ? pid : 0;
}

bool hf_stat_parse(const char *text, struct hf_proc_stat *st)
{
	const char *rest = strrchr(text, ')');
	int group;

	if (!rest || sscanf(rest, ") %c %*d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
				  "%*d %*d %*d %" SCNu64 " ", &st->state, &group, &st->start) != 3)
		return false;
	st->group = group;
	return true;
}

pid_t hf_lock_taker(const char *run)
{
	char path[PATH_MAX], line[256];
	struct stat st;
	pid_t pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/holdfastd.lock", run);
	if (stat(path, &st))
		return 0;
	f = fopen("/proc/locks", "re");
	while (f && !pid && fgets(line, sizeof(line), f))
		pid = hf_locks_line(line, st.st_dev, st.st_ino);
	if (f)
		fclose(f);
	return pid;
}

static bool stat_read(pid_t pid, struct hf_proc_stat *st)
{
	char path[32], text[1024];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return hf_stat_parse(text, st);
}

static bool ended(const struct hf_proc_stat *st)
{
	return st->state == 'Z' || st->state == 'X';
}

bool hf_process_lives(pid_t pid)
{
	struct hf_proc_stat st;

	return stat_read(pid, &st) && !ended(&st);
}

/* Is it one of @group, not younger than @before? Then it is killed. */
static bool kill_one(pid_t pid, pid_t group, uint64_t before)
{
	struct hf_proc_stat st;
	int fd = pidfd_open(pid, 0);
	bool hit;

	if (fd < 0)
		return false;
	/* Should this number be another's by now, the signal to the pidfd does not arrive. */
	hit = stat_read(pid, &st) && !ended(&st) && st.group == group && st.start < before &&
	      !pidfd_send_signal(fd, SIGKILL, NULL, 0);
	close(fd);
	return hit;
}

unsigned int hf_tree_kill(pid_t group, uint64_t before_ns)
{
	uint64_t before = before_ns / (HF_S / (uint64_t)sysconf(_SC_CLK_TCK));
	DIR *proc = opendir("/proc");
	const struct dirent *d;
	unsigned int n = 0;

	while (proc && (d = readdir(proc)))
		if (isdigit((unsigned char)d->d_name[0]))
			n += kill_one((pid_t)atoi(d->d_name), group, before);
	if (proc)
		closedir(proc);
	return n;
}
