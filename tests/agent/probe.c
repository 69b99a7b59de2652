// SPDX-License-Identifier: GPL-2.0
/*
 * Enters the sandbox of a role and tries what it must not be able to do, and
 * what it must. Prints "what=result" lines: "ok" or the name of the errno. What
 * is right, tests/agent/sandbox.sh knows.
 *
 * probe ROLE [kill|trap]: with the second argument, executes a program instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "holdfast.h"
#include "sandbox.h"

static void say(const char *what, long ret)
{
	printf("%s=%s\n", what, ret < 0 ? strerrorname_np(errno) : "ok");
}

static void try_files(void)
{
	static const char *const others[] = { "audit", "auth", "keeper" };
	char path[64];

	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/var/lib/holdfast/%s/probe", others[i]);
		say(path + strlen("/var/lib/holdfast/"), open(path, O_RDONLY));
	}
	say("shadow", open("/etc/shadow", O_RDONLY));
	say("read", open("/etc/passwd", O_RDONLY));
	say("create", open("/tmp/probe-file", O_WRONLY | O_CREAT, 0600));
	say("append", open("/tmp/probe-shared", O_WRONLY | O_APPEND));
}

static void try_sockets(void)
{
	say("inet", socket(AF_INET, SOCK_STREAM, 0));
	say("inet6", socket(AF_INET6, SOCK_STREAM, 0));
	say("unix", socket(AF_UNIX, SOCK_STREAM, 0));
	say("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	say("packet", socket(AF_PACKET, SOCK_RAW, 0));
}

static void *thread(void *arg)
{
	return arg;
}

static void try_processes(void)
{
	char *argv[] = { "true", NULL };
	pthread_t t;
	pid_t pid;

	execv("/bin/true", argv);
	say("exec", -1);
	pid = fork();
	if (!pid)
		_exit(0);
	say("fork", pid);
	errno = pthread_create(&t, NULL, thread, NULL);
	say("thread", errno ? -1 : 0);
	say("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	say("kill", kill(1, 0));
	say("setuid", setuid(0));
	say("unshare", unshare(CLONE_NEWUSER));
}

static void try_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	say("mmap", p == MAP_FAILED ? -1 : 0);
	say("mprotect_exec", mprotect(p, 4096, PROT_READ | PROT_EXEC));
	p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	say("mmap_exec", p == MAP_FAILED ? -1 : 0);
}

/* Doors that nobody needs. All arguments are zero: without a filter they fail otherwise. */
static void try_doors(void)
{
	static const struct {
		const char *name;
		long number;
	} doors[] = {
		{ "bpf", SYS_bpf },
		{ "keyctl", SYS_keyctl },
		{ "mount", SYS_mount },
		{ "process_vm_readv", SYS_process_vm_readv },
		{ "perf_event_open", SYS_perf_event_open },
		{ "userfaultfd", SYS_userfaultfd },
		{ "init_module", SYS_init_module },
		{ "personality", SYS_personality },
		{ "open_by_handle_at", SYS_open_by_handle_at },
		{ "pidfd_getfd", SYS_pidfd_getfd },
		{ "setns", SYS_setns },
		{ "chroot", SYS_chroot },
		{ "settimeofday", SYS_settimeofday },
		{ "memfd_create", SYS_memfd_create },
	};
	struct rlimit more = { 1000, 1000 };

	for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++)
		say(doors[i].name, syscall(doors[i].number, 0, 0, 0, 0, 0, 0));
	say("setrlimit", setrlimit(RLIMIT_NPROC, &more));
}

static void try_ioctls(void)
{
	int n;

	say("ioctl_tty", ioctl(STDIN_FILENO, TIOCGWINSZ, &n));
	say("ioctl_array", ioctl(STDIN_FILENO, HOLDFAST_IOC_STATUS, &n));
}

static void try_uring(const char *when)
{
	char name[32];

	snprintf(name, sizeof(name), "uring_setup%s", when);
	say(name, syscall(SYS_io_uring_setup, 4, NULL));
	snprintf(name, sizeof(name), "uring_register%s", when);
	say(name, syscall(SYS_io_uring_register, -1, 0, NULL, 0));
	snprintf(name, sizeof(name), "uring_enter%s", when);
	say(name, syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0));
}

/* "CapEff" and so on as the kernel shows them. */
static void show_status(const char *prefix)
{
	char line[256], name[32], value[64];
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%31[^:]: %63s", name, value) == 2 &&
		    (!strncmp(name, "Cap", 3) || !strcmp(name, "NoNewPrivs") ||
		     !strcmp(name, "Seccomp") || !strcmp(name, "Groups")))
			printf("%s%s=%s\n", prefix, name, value);
	if (f)
		fclose(f);
}

/* Policy as in /proc/self/stat, field 41: 0 is normal, 1 SCHED_FIFO. */
static int scheduler(void)
{
	FILE *f = fopen("/proc/self/stat", "r");
	int policy = -1;

	if (f && fscanf(f, "%*d (%*[^)]) %*c" "%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s"
			"%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s" "%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s"
			"%*s%*s%*s%*s%*s%*s%*s%d", &policy) != 1)
		policy = -1;
	if (f)
		fclose(f);
	return policy;
}

static void show_limits(void)
{
	struct rlimit core = { 1, 1 };

	getrlimit(RLIMIT_CORE, &core);
	printf("core=%d\n", (int)core.rlim_max);
	printf("dumpable=%d\n", prctl(PR_GET_DUMPABLE));
	printf("scheduler=%d\n", scheduler());
}

static int enter(enum hf_proc role, const char *mode)
{
	struct hf_err e = { "" };
	enum hf_sandbox_mode m = !mode ? HF_SANDBOX_ON : !strcmp(mode, "kill") ? HF_SANDBOX_KILL :
				 HF_SANDBOX_TRAP;
	int ret;

	ret = hf_sandbox_enter(role, m, &e);
	if (ret)
		fprintf(stderr, "probe: %s\n", e.text);
	return ret;
}

int main(int argc, char **argv)
{
	int role = argc > 1 ? hf_proc_parse(argv[1]) : -1;
	struct hf_err e;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (role <= 0 || enter((enum hf_proc)role, argc > 2 ? argv[2] : NULL))
		return 2;
	if (argc > 2) {
		try_processes();
		return 3;
	}
	show_status("");
	show_limits();
	try_files();
	try_sockets();
	try_memory();
	try_doors();
	try_ioctls();
	try_uring("");
	if (role == HF_PROC_AUDIT) {
		say("no_uring", hf_sandbox_no_uring(&e));
		try_uring("_after");
	}
	if (role == HF_PROC_KEEPER) {
		say("sealed", hf_sandbox_sealed(&e));
		show_status("sealed_");
	}
	try_processes();
	return 0;
}
