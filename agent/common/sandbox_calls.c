// SPDX-License-Identifier: GPL-2.0
/*
 * System call filters: an allow list per role, put together from groups.
 * Nobody may execute a program, trace another process or make memory
 * executable; arguments are looked at where the call alone says too little.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox_calls.h"

#include "holdfast.h"

#define END		(-1000)
#define CLONE_THREAD_FLAG 0x00010000	/* CLONE_THREAD of linux/sched.h */

/* What every process does: memory, time, the loop, its links, its log, its end. */
static const int base_calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(close),
	SCMP_SYS(fstat), SCMP_SYS(lseek), SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(pipe2),
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
	SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(munlock),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack), SCMP_SYS(tgkill), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(restart_syscall), SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
	SCMP_SYS(eventfd2), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom),
	SCMP_SYS(sendto), SCMP_SYS(shutdown), SCMP_SYS(getsockopt),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
	SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(getrusage), SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(membarrier), END
};

/* Looking at files; openat is restricted to reading. */
static const int read_calls[] = {
	SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(pread64),
	SCMP_SYS(getdents64), SCMP_SYS(getcwd), SCMP_SYS(statfs), SCMP_SYS(fstatfs), END
};

/* Keeping a state folder. */
static const int write_calls[] = {
	SCMP_SYS(openat), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(pwritev2),
	SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
	SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlink),
	SCMP_SYS(unlinkat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(fchmod),
	SCMP_SYS(linkat), SCMP_SYS(umask), END
};

static const int listen_calls[] = {
	SCMP_SYS(accept4), SCMP_SYS(accept), SCMP_SYS(listen), SCMP_SYS(getsockname),
	SCMP_SYS(getpeername), SCMP_SYS(setsockopt), SCMP_SYS(sendfile), END
};

static const int connect_calls[] = {
	SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(setsockopt), SCMP_SYS(getsockname),
	SCMP_SYS(getpeername), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg), END
};

/* audit: later only io_uring_enter and one way of io_uring_register, see hf_sandbox_no_uring(). */
static const int uring_calls[] = {
	SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_register), SCMP_SYS(io_uring_enter),
	SCMP_SYS(seccomp), END
};

/* keeper: giving up CAP_SYS_ADMIN, which needs no right. */
static const int seal_calls[] = { SCMP_SYS(capget), SCMP_SYS(capset), END };

#define GROUPS	5

/**
 * struct calls - what one role may ask the kernel for, beside base_calls
 * @domains:	of socket(2) and bind(2), @n_domains of them
 * @read_only:	openat only for reading
 * @threads:	may make threads (never processes)
 * @device:	ioctls of the driver
 */
static const struct calls {
	const int *groups[GROUPS];
	int domains[3];
	int n_domains;
	bool read_only, threads, device;
} calls[HF_PROCS] = {
	[HF_PROC_AUDIT] = { .groups = { read_calls, write_calls, uring_calls }, .threads = true },
	[HF_PROC_AUTH] = { .groups = { read_calls, write_calls }, .threads = true },
	[HF_PROC_KEEPER] = {
		.groups = { read_calls, write_calls, listen_calls, connect_calls, seal_calls },
		.domains = { AF_NETLINK, AF_UNIX }, .n_domains = 2, .threads = true, .device = true,
	},
	[HF_PROC_EXPORT] = {
		.groups = { read_calls, write_calls, connect_calls },
		.domains = { AF_INET, AF_INET6 }, .n_domains = 2,
	},
	/* libnats has threads of its own. */
	[HF_PROC_FLEET] = {
		.groups = { read_calls, connect_calls }, .read_only = true, .threads = true,
		.domains = { AF_INET, AF_INET6 }, .n_domains = 2,
	},
	[HF_PROC_LOCAL] = { .groups = { read_calls, listen_calls }, .read_only = true },
	[HF_PROC_FRONT] = { .groups = { read_calls, listen_calls }, .read_only = true },
};

static int allow(scmp_filter_ctx ctx, int call)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 0);
}

static int allow_if(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp arg)
{
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, 1, &arg);
}

/* Libraries try these first and know what to do without. */
static int refuse_politely(scmp_filter_ctx ctx)
{
	static const int newer[] = { SCMP_SYS(clone3), SCMP_SYS(faccessat2), SCMP_SYS(openat2) };
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(newer) / sizeof(newer[0]); i++)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), newer[i], 0);
	return ret;
}

/* No memory that can be executed; looking at limits, not setting them. */
static int add_memory(scmp_filter_ctx ctx)
{
	static const int harmless[] = {
		PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_CAPBSET_READ, PR_GET_SECUREBITS,
		PR_SET_NAME, PR_SET_NO_NEW_PRIVS, PR_GET_SECCOMP,
	};
	int ret = allow_if(ctx, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (!ret)
		ret = allow_if(ctx, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!ret)
		ret = allow_if(ctx, SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0));
	for (size_t i = 0; !ret && i < sizeof(harmless) / sizeof(harmless[0]); i++)
		ret = allow_if(ctx, SCMP_SYS(prctl),
			       SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)harmless[i]));
	return ret;
}

static int add_sockets(scmp_filter_ctx ctx, const struct calls *c)
{
	int ret = 0;

	for (int i = 0; !ret && i < c->n_domains; i++)
		ret = allow_if(ctx, SCMP_SYS(socket),
			       SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)c->domains[i]));
	return ret;
}

static int add_arguments(scmp_filter_ctx ctx, const struct calls *c)
{
	int ret = add_sockets(ctx, c);

	if (!ret && c->read_only)
		ret = allow_if(ctx, SCMP_SYS(openat),
			       SCMP_A2(SCMP_CMP_MASKED_EQ,
				       O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY));
	if (!ret && c->threads)
		ret = allow_if(ctx, SCMP_SYS(clone),
			       SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD_FLAG, CLONE_THREAD_FLAG));
	if (!ret && c->device)
		ret = allow_if(ctx, SCMP_SYS(ioctl),
			       SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, HOLDFAST_IOC_MAGIC << 8));
	return ret;
}

static int add_groups(scmp_filter_ctx ctx, const struct calls *c)
{
	int ret = 0;

	for (int i = 0; !ret && base_calls[i] != END; i++)
		ret = allow(ctx, base_calls[i]);
	for (int g = 0; g < GROUPS && c->groups[g]; g++)
		for (int i = 0; !ret && c->groups[g][i] != END; i++)
			ret = allow(ctx, c->groups[g][i]);
	return ret;
}

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	char text[96];
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, info->si_syscall);
	int len = snprintf(text, sizeof(text), "sandbox: system call %d (%s) is not allowed\n",
			   info->si_syscall, name ? name : "?");

	(void)sig;
	(void)context;
	if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0)
		_exit(1);
	_exit(128 + SIGSYS);
}

static uint32_t action_of(enum hf_sandbox_mode mode)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

	switch (mode) {
	case HF_SANDBOX_KILL:
		return SCMP_ACT_KILL_PROCESS;
	case HF_SANDBOX_TRAP:
		sigaction(SIGSYS, &sa, NULL);
		return SCMP_ACT_TRAP;
	default:
		return SCMP_ACT_ERRNO(EPERM);
	}
}

int hf_sandbox_calls(enum hf_proc role, enum hf_sandbox_mode mode, struct hf_err *e)
{
	const struct calls *c = &calls[role];
	scmp_filter_ctx ctx = seccomp_init(action_of(mode));
	int ret = ctx ? 0 : -ENOMEM;

	/* no_new_privs is set; KILL and TRAP would otherwise not reach other threads. */
	if (!ret)
		ret = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!ret)
		ret = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!ret)
		ret = add_groups(ctx, c);
	if (!ret)
		ret = add_memory(ctx);
	if (!ret)
		ret = add_arguments(ctx, c);
	if (!ret)
		ret = refuse_politely(ctx);
	if (!ret)
		ret = seccomp_load(ctx);
	seccomp_release(ctx);
	if (ret)
		return hf_fail(e, ret, "system call filter: %s", strerror(-ret));
	if (prctl(PR_GET_SECCOMP) != 2)
		return hf_fail(e, -EPERM, "system call filter: not in effect");
	return 0;
}

int hf_sandbox_no_uring(struct hf_err *e)
{
	static const int making[] = { SCMP_SYS(io_uring_setup), SCMP_SYS(seccomp) };
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int ret = ctx ? 0 : -ENOMEM;

	if (!ret)
		ret = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	for (size_t i = 0; !ret && i < sizeof(making) / sizeof(making[0]); i++)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), making[i], 0);
	/* A new segment takes the place of the registered file; the ring itself allows no more. */
	if (!ret)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(io_uring_register), 1,
				       SCMP_A1(SCMP_CMP_NE, IORING_REGISTER_FILES_UPDATE));
	if (!ret)
		ret = seccomp_load(ctx);
	seccomp_release(ctx);
	return ret ? hf_fail(e, ret, "filter of io_uring: %s", strerror(-ret)) : 0;
}
