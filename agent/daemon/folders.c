// SPDX-License-Identifier: GPL-2.0
/*
 * State and run folders, without following a link: whoever could put one there
 * must not choose what we give away.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folders.h"
#include "sandbox.h"

#define LOCK_FD_LEAST	10	/* out of the way of what a new process begins with */

/* The last component of @path; everything before it belongs to the system. */
static int folder_open(int dir, const char *path, struct hf_err *e)
{
	int fd = openat(dir, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? hf_fail(e, -errno, "%s: %s", path, strerror(errno)) : fd;
}

static int folder_check(int fd, const char *path, uid_t uid, gid_t gid, mode_t mode,
			struct hf_err *e)
{
	struct stat st;

	if (fstat(fd, &st))
		return hf_fail(e, -errno, "%s: %s", path, strerror(errno));
	/* Root's: made a moment ago, or by a start that was cut off before this. */
	if (!st.st_uid && uid && fchownat(fd, "", uid, gid, AT_EMPTY_PATH))
		return hf_fail(e, -errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) || st.st_uid != uid)
		return hf_fail(e, -EPERM, "%s: owned by uid %u, must be uid %u", path, st.st_uid,
			       uid);
	if (st.st_mode & 07777 & ~mode)
		return hf_fail(e, -EPERM, "%s: mode %04o, at most %04o is allowed", path,
			       st.st_mode & 07777, mode);
	return 0;
}

/* Return: the folder (O_PATH), -errno. */
static int folder_make(int dir, const char *path, uid_t uid, gid_t gid, mode_t mode,
		       struct hf_err *e)
{
	mode_t old = umask(0);
	int ret = mkdirat(dir, path, mode) && errno != EEXIST ? -errno : 0;
	int fd;

	umask(old);
	if (ret)
		return hf_fail(e, ret, "%s: %s", path, strerror(-ret));
	fd = folder_open(dir, path, e);
	if (fd < 0)
		return fd;
	ret = folder_check(fd, path, uid, gid, mode, e);
	if (ret)
		close(fd);
	return ret ? ret : fd;
}

static int folder_of_role(int state, enum hf_proc role, struct hf_err *e)
{
	const char *user = hf_sandbox_user(role);
	const struct passwd *pw = getpwnam(user);
	int fd;

	if (!pw)
		return hf_fail(e, -ENOENT, "user %s does not exist (systemd-sysusers makes it)",
			       user);
	fd = folder_make(state, hf_proc_name(role), pw->pw_uid, pw->pw_gid, 0700, e);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

int hf_folders_run(const char *run, struct hf_err *e)
{
	int fd = folder_make(AT_FDCWD, run, 0, 0, 0755, e);

	return fd < 0 ? fd : close(fd);
}

int hf_folders_state(const char *state, struct hf_err *e)
{
	static const enum hf_proc keeps[] = { HF_PROC_AUDIT, HF_PROC_AUTH, HF_PROC_KEEPER,
						  HF_PROC_EXPORT };
	int dir = folder_make(AT_FDCWD, state, 0, 0, 0755, e);
	int ret = dir < 0 ? dir : 0, fd;

	if (!ret) {
		fd = folder_make(dir, "config", 0, 0, 0700, e);
		ret = fd < 0 ? fd : close(fd);
	}
	for (size_t i = 0; !ret && i < sizeof(keeps) / sizeof(keeps[0]); i++)
		ret = folder_of_role(dir, keeps[i], e);
	if (dir >= 0)
		close(dir);
	return ret;
}

int hf_folders_lock(const char *run, struct hf_err *e)
{
	int dir = folder_open(AT_FDCWD, run, e), low, fd = -1;

	if (dir < 0)
		return dir;
	low = openat(dir, "holdfastd.lock", O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (low >= 0)
		fd = fcntl(low, F_DUPFD_CLOEXEC, LOCK_FD_LEAST);
	if (low >= 0)
		close(low);
	close(dir);
	if (fd < 0)
		return hf_fail(e, -errno, "%s/holdfastd.lock: %s", run, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		int ret = errno == EWOULDBLOCK ? -EBUSY : -errno;

		close(fd);
		return hf_fail(e, ret, "%s/holdfastd.lock: %s", run,
			       ret == -EBUSY ? "another holdfastd is running" : strerror(-ret));
	}
	return fd;
}
