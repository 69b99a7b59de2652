// SPDX-License-Identifier: GPL-2.0
/*
 * Rights given up for good. One table per role; the system calls are in
 * sandbox_calls.c. Nothing here may give a right, and each step is read back:
 * what did not take effect ends the process.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"
#include "sandbox_calls.h"

#ifndef PR_SET_MDWE		/* Linux 6.3 */
#define PR_SET_MDWE		65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif
#ifndef SECBIT_NOROOT
#include <linux/securebits.h>
#endif

#define SECUREBITS	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS | \
			 SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | \
			 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)
#define FIFO_PRIORITY	10
#define FIFO_RUN_US	500000	/* a keeper that computes this long without waiting is killed */
#define CAPS		3

/**
 * struct profile - what one role keeps
 * @group:	beside the user's own: members may open the arrays' nodes
 * @caps:	capabilities, @n_caps of them
 * @files:	RLIMIT_NOFILE
 * @fifo:	real-time scheduling
 */
static const struct profile {
	const char *user;
	const char *group;
	cap_value_t caps[CAPS];
	int n_caps;
	rlim_t files;
	bool fifo;
} profiles[HF_PROCS] = {
	[HF_PROC_AUDIT] = { .user = "holdfast-audit", .files = 128 },
	[HF_PROC_AUTH] = { .user = "holdfast-auth", .files = 128 },
	[HF_PROC_KEEPER] = { .user = "holdfast-keeper", .group = "holdfast", .files = 1024,
			     .caps = { CAP_SYS_RAWIO, CAP_NET_ADMIN, CAP_SYS_ADMIN }, .n_caps = 3,
			     .fifo = true },
	[HF_PROC_EXPORT] = { .user = "holdfast-export", .files = 128 },
	[HF_PROC_FLEET] = { .user = "holdfast-fleet", .files = 128 },
	[HF_PROC_LOCAL] = { .user = "holdfast-local", .files = 1024 },
	[HF_PROC_FRONT] = { .user = "holdfast-front", .files = 1024 },
};

const char *hf_sandbox_user(enum hf_proc role)
{
	return (unsigned int)role < HF_PROCS ? profiles[role].user : NULL;
}

static int limit_set(int what, const char *name, rlim_t value, struct hf_err *e)
{
	struct rlimit want = { value, value }, got;

	/* Never more than there was: raising the hard limit would be a right. */
	if (getrlimit(what, &got))
		return hf_fail(e, -errno, "getrlimit %s: %s", name, strerror(errno));
	if (got.rlim_max < value)
		want.rlim_cur = want.rlim_max = got.rlim_max;
	if (setrlimit(what, &want) || getrlimit(what, &got))
		return hf_fail(e, -errno, "setrlimit %s: %s", name, strerror(errno));
	if (got.rlim_cur != want.rlim_cur || got.rlim_max != want.rlim_max)
		return hf_fail(e, -EPERM, "%s is %llu, not %llu", name,
			       (unsigned long long)got.rlim_max, (unsigned long long)want.rlim_max);
	return 0;
}

static int limits_set(const struct profile *p, struct hf_err *e)
{
	int ret = limit_set(RLIMIT_CORE, "RLIMIT_CORE", 0, e);

	if (!ret)
		ret = limit_set(RLIMIT_NOFILE, "RLIMIT_NOFILE", p->files, e);
	if (!ret && p->fifo)
		ret = limit_set(RLIMIT_RTTIME, "RLIMIT_RTTIME", FIFO_RUN_US, e);
	return ret;
}

/* Where real-time scheduling is not to be had (containers), the keeper is only less punctual. */
static void fifo_set(void)
{
	struct sched_param param = { .sched_priority = FIFO_PRIORITY };

	if ((sched_getscheduler(0) & ~SCHED_RESET_ON_FORK) == SCHED_FIFO)
		return;		/* its unit has seen to it */
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param))
		hf_log_app(HF_LOG_WARN, "sandbox.fifo", NULL, "no real-time scheduling: %s",
			   strerror(errno));
}

/* No program may be executed with more, no capability come back; needs CAP_SETPCAP. */
static int bounds_set(struct hf_err *e)
{
	for (cap_value_t c = 0; prctl(PR_CAPBSET_READ, c) >= 0; c++)
		if (prctl(PR_CAPBSET_DROP, c) || prctl(PR_CAPBSET_READ, c))
			return hf_fail(e, -EPERM, "capability %d stays in the bounding set", c);
	if (prctl(PR_SET_SECUREBITS, SECUREBITS) || prctl(PR_GET_SECUREBITS) != SECUREBITS)
		return hf_fail(e, -EPERM, "securebits: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return hf_fail(e, -EPERM, "no_new_privs: %s", strerror(errno));
	return 0;
}

static int user_set(const struct profile *p, struct hf_err *e)
{
	const struct passwd *pw = getpwnam(p->user);
	const struct group *gr = p->group ? getgrnam(p->group) : NULL;
	gid_t extra = gr ? gr->gr_gid : 0;
	uid_t uid, ruid, euid, suid;
	gid_t gid, rgid, egid, sgid;

	if (!pw || !pw->pw_uid || (p->group && !gr))
		return hf_fail(e, -ENOENT, "%s %s does not exist (systemd-sysusers makes it)",
			       pw ? "group" : "user", pw ? p->group : p->user);
	uid = pw->pw_uid;
	gid = pw->pw_gid;
	if (setgroups(gr ? 1 : 0, &extra) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return hf_fail(e, -errno, "becoming %s: %s", p->user, strerror(errno));
	if (getresuid(&ruid, &euid, &suid) || ruid != uid || euid != uid || suid != uid ||
	    getresgid(&rgid, &egid, &sgid) || rgid != gid || egid != gid || sgid != gid ||
	    getgroups(0, NULL) != (gr ? 1 : 0))
		return hf_fail(e, -EPERM, "not %s after becoming it", p->user);
	return 0;
}

/* Is this capability one of the role's? */
static bool keeps_cap(const struct profile *p, cap_value_t cap)
{
	for (int i = 0; i < p->n_caps; i++)
		if (p->caps[i] == cap)
			return true;
	return false;
}

/* The user's own group and the role's, whichever comes first; no other. */
static int groups_check(const struct profile *p, gid_t own, struct hf_err *e)
{
	const struct group *gr = p->group ? getgrnam(p->group) : NULL;
	bool extra = !p->group;
	gid_t list[8];
	int n = getgroups(7, list);

	if (n < 0)
		return hf_fail(e, -EPERM, "%s: too many groups", p->user);
	list[n++] = getegid();
	for (int i = 0; i < n; i++) {
		if (gr && list[i] == gr->gr_gid)
			extra = true;
		else if (list[i] != own)
			return hf_fail(e, -EPERM, "group %u is not one of %s", list[i], p->user);
	}
	return extra ? 0 : hf_fail(e, -EPERM, "%s: not in group %s", p->user, p->group);
}

/*
 * Started as the role's user by somebody else (a unit of its own): what cannot be set
 * without root's rights must be there already, and no less strict. The bounding set
 * keeps what the role has: with no_new_privs and NOROOT that gives nobody anything.
 */
static int started_so(const struct profile *p, struct hf_err *e)
{
	const struct passwd *pw = getpwnam(p->user);
	const int noroot = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED;
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;

	if (!pw || !pw->pw_uid)
		return hf_fail(e, -ENOENT, "user %s does not exist (systemd-sysusers makes it)",
			       p->user);
	if (getresuid(&ruid, &euid, &suid) || ruid != pw->pw_uid || euid != ruid || suid != ruid ||
	    getresgid(&rgid, &egid, &sgid) || egid != rgid || sgid != rgid)
		return hf_fail(e, -EPERM, "uid %u, gid %u: neither root nor %s", euid, egid, p->user);
	for (cap_value_t c = 0; prctl(PR_CAPBSET_READ, c) >= 0; c++)
		if (prctl(PR_CAPBSET_READ, c) && !keeps_cap(p, c))
			return hf_fail(e, -EPERM, "capability %d is in the bounding set of %s", c,
				       p->user);
	if ((prctl(PR_GET_SECUREBITS) & noroot) != noroot)
		return hf_fail(e, -EPERM, "securebits: noroot and noroot-locked are missing");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return hf_fail(e, -EPERM, "no_new_privs is missing");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return hf_fail(e, -errno, "ambient capabilities: %s", strerror(errno));
	return groups_check(p, pw->pw_gid, e);
}

static int become(const struct profile *p, struct hf_err *e)
{
	int ret = bounds_set(e);

	return ret ? ret : user_set(p, e);
}

bool hf_sandbox_has(int cap)
{
	cap_t have = cap_get_proc();
	cap_flag_value_t there = CAP_CLEAR;

	if (have) {
		cap_get_flag(have, cap, CAP_PERMITTED, &there);
		cap_free(have);
	}
	return there == CAP_SET;
}

/*
 * Nothing to be done (a unit has seen to it, and forbids capset)? What would be inheritable
 * does not count: no program can be executed.
 */
static bool caps_are(cap_t want)
{
	cap_t have = cap_get_proc();
	bool same = have && !cap_clear_flag(have, CAP_INHERITABLE) && !cap_compare(have, want);

	if (have)
		cap_free(have);
	return same;
}

/* Exactly these, effective and permitted. */
static int caps_set(const cap_value_t *caps, int n, struct hf_err *e)
{
	cap_t want = cap_init(), got = NULL;
	int ret = 0;

	if (want && (!n || (!cap_set_flag(want, CAP_PERMITTED, n, caps, CAP_SET) &&
			    !cap_set_flag(want, CAP_EFFECTIVE, n, caps, CAP_SET))) &&
	    caps_are(want)) {
		cap_free(want);
		return 0;
	}
	if (!want || (n && (cap_set_flag(want, CAP_PERMITTED, n, caps, CAP_SET) ||
			    cap_set_flag(want, CAP_EFFECTIVE, n, caps, CAP_SET))) ||
	    cap_set_proc(want))
		ret = hf_fail(e, -errno, "capabilities: %s", strerror(errno));
	if (!ret) {
		got = cap_get_proc();
		if (!got || cap_compare(got, want))
			ret = hf_fail(e, -EPERM, "capabilities are not as asked for");
	}
	cap_free(want);
	if (got)
		cap_free(got);
	return ret;
}

/*
 * A unit or a container may leave out CAP_SYS_ADMIN: then others set limits and seal, and the keeper
 * takes no array before (array.c).
 */
static int caps_narrow(const struct profile *p, struct hf_err *e)
{
	cap_value_t caps[CAPS];
	int n = 0;

	for (int i = 0; i < p->n_caps; i++)
		if (p->caps[i] != CAP_SYS_ADMIN || hf_sandbox_has(CAP_SYS_ADMIN))
			caps[n++] = p->caps[i];
	return caps_set(caps, n, e);
}

static int memory_set(struct hf_err *e)
{
	/* Older kernels do not have it; there the system call filter alone refuses. */
	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) && errno != EINVAL)
		return hf_fail(e, -errno, "PR_SET_MDWE: %s", strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
		return hf_fail(e, -EPERM, "still dumpable");
	return 0;
}

int hf_sandbox_enter(enum hf_proc role, enum hf_sandbox_mode mode, struct hf_err *e)
{
	const struct profile *p = &profiles[role];
	int ret;

	if (!hf_sandbox_user(role))
		return hf_fail(e, -EINVAL, "role %d has no sandbox", (int)role);
	ret = limits_set(p, e);
	if (!ret && p->fifo)
		fifo_set();
	if (!ret)
		ret = geteuid() ? started_so(p, e) : become(p, e);
	if (!ret)
		ret = caps_narrow(p, e);
	if (!ret)
		ret = memory_set(e);
	return ret ? ret : hf_sandbox_calls(role, mode, e);
}

int hf_sandbox_sealed(struct hf_err *e)
{
	/* To claim arrays, and to be told who caused their events. */
	static const cap_value_t rest[] = { CAP_SYS_RAWIO, CAP_NET_ADMIN };

	return caps_set(rest, 2, e);
}
