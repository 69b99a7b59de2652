// SPDX-License-Identifier: GPL-2.0
/*
 * Who holds the lock and who belongs to him, as the kernel's text says it; how long
 * a standby waits for an answer; the whole of it with a lock and processes that are
 * really there.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "daemon.h"
#include "folders.h"
#include "tree.h"

Test(standby, a_line_of_the_locks)
{
	dev_t dev = makedev(0, 0x1a);

	cr_expect_eq(hf_locks_line("1: FLOCK  ADVISORY  WRITE 4711 00:1a:55 0 EOF\n", dev, 55), 4711);
	cr_expect_eq(hf_locks_line("1: FLOCK  ADVISORY  WRITE 4711 00:1b:55 0 EOF\n", dev, 55), 0);
	cr_expect_eq(hf_locks_line("1: FLOCK  ADVISORY  WRITE 4711 00:1a:56 0 EOF\n", dev, 55), 0);
	cr_expect_eq(hf_locks_line("1: FLOCK  ADVISORY  READ  4711 00:1a:55 0 EOF\n", dev, 55), 0);
	cr_expect_eq(hf_locks_line("1: POSIX  ADVISORY  WRITE 4711 00:1a:55 0 EOF\n", dev, 55), 0);
	cr_expect_eq(hf_locks_line("1: -> FLOCK  ADVISORY  WRITE 4711 00:1a:55 0 EOF\n", dev, 55), 0,
		     "one that waits");
	cr_expect_eq(hf_locks_line("1: FLOCK  ADVISORY  WRITE -1 00:1a:55 0 EOF\n", dev, 55), 0);
	cr_expect_eq(hf_locks_line("", dev, 55), 0);
}

Test(standby, a_process_by_its_stat)
{
	struct hf_proc_stat st;

	cr_assert(hf_stat_parse("77 (a) R 9 (b) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 "
				"123456 9 9\n", &st), "a name with a parenthesis in it");
	cr_expect_eq(st.state, 'S');
	cr_expect_eq(st.group, 42);
	cr_expect_eq(st.start, 123456);
	cr_expect(!hf_stat_parse("77 (a", &st));
	cr_expect(!hf_stat_parse("77 (a) S 1 42 42 0", &st), "cut");
}

Test(standby, patience_ends_after_eight_questions)
{
	struct hf_patience p = { 0 };

	for (int round = 0; round < 3; round++) {
		for (int i = 1; i < HF_STANDBY_ASKS; i++)
			cr_expect(!hf_patience_ask(&p, false));
		cr_expect(!hf_patience_ask(&p, true), "one answer is enough");
	}
	for (int i = 1; i < HF_STANDBY_ASKS; i++)
		cr_expect(!hf_patience_ask(&p, false));
	cr_expect(hf_patience_ask(&p, false));
}

/* ------------------------------------------------- real locks and processes */

static char run[] = "/tmp/hf-standby-XXXXXX";

static void folder(void)
{
	cr_assert(mkdtemp(run));
}

static void folder_gone(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/holdfastd.lock", run);
	unlink(path);
	rmdir(run);
}

/* A parent that leads a group and takes the lock, and a process of it that has it, too. */
static pid_t tree(pid_t *child)
{
	int sv[2];
	pid_t parent;

	cr_assert(!pipe(sv));
	parent = fork();
	if (!parent) {
		struct hf_err e;
		pid_t pid;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (setpgid(0, 0) || hf_folders_lock(run, &e) < 0)
			_exit(1);
		pid = fork();
		if (!pid) {
			pause();
			_exit(0);
		}
		if (write(sv[1], &pid, sizeof(pid)) == sizeof(pid))
			pause();
		_exit(1);
	}
	cr_assert_eq(read(sv[0], child, sizeof(*child)), (ssize_t)sizeof(*child));
	close(sv[0]);
	close(sv[1]);
	return parent;
}

Test(standby, the_lock_is_free_when_the_last_is_gone, .init = folder, .fini = folder_gone)
{
	struct hf_err e = { "" };
	pid_t child, parent = tree(&child);
	siginfo_t info;
	int lock;

	cr_expect_eq(hf_folders_lock(run, &e), -EBUSY);
	cr_expect_eq(hf_lock_taker(run), parent);
	cr_expect(hf_process_lives(parent));
	cr_assert(!kill(parent, SIGKILL));
	cr_assert(!waitid(P_PID, (id_t)parent, &info, WEXITED | WNOWAIT));
	cr_expect(!hf_process_lives(parent), "one that waits to be reaped");
	cr_assert_eq(waitpid(parent, NULL, 0), parent);
	cr_expect(!hf_process_lives(parent));
	cr_expect_eq(hf_lock_taker(run), parent, "who took it, though he is gone");
	cr_expect_eq(hf_folders_lock(run, &e), -EBUSY);
	cr_expect_eq(hf_tree_kill(parent, 0), 0, "younger than the moment");
	cr_expect(hf_process_lives(child));
	cr_expect_eq(hf_tree_kill(parent, hf_mono_ns(&hf_system_clock) + HF_S), 1);
	for (lock = -EBUSY; lock == -EBUSY; usleep(1000))
		lock = hf_folders_lock(run, &e);
	cr_expect_geq(lock, 10);
	cr_expect_eq(fcntl(lock, F_GETFL) & O_ACCMODE, O_RDONLY);
	cr_expect_eq(hf_lock_taker(run), getpid());
	close(lock);
	cr_expect_eq(hf_lock_taker(run), 0);
}

static int in_charge(bool wait, struct hf_takeover *t, struct hf_err *e)
{
	struct hf_charge charge = { .run = run, .after_ns = 400 * HF_MS, .wait = wait };
	int ret;

	cr_assert(!hf_loop_new(&charge.loop, &hf_system_clock));
	ret = hf_standby_run(&charge, t, e);
	hf_loop_free(charge.loop);
	return ret;
}

Test(standby, nobody_is_in_charge, .init = folder, .fini = folder_gone)
{
	struct hf_err e = { "" };
	struct hf_takeover t;
	int lock = in_charge(true, &t, &e);

	cr_assert_geq(lock, 0);
	cr_expect_null(t.why);
	close(lock);
}

Test(standby, a_start_leaves_who_is_in_charge_alone, .init = folder, .fini = folder_gone)
{
	struct hf_err e = { "" };
	struct hf_takeover t;
	pid_t child, parent = tree(&child);

	cr_expect_eq(in_charge(false, &t, &e), -EBUSY);
	cr_expect(hf_process_lives(parent));
	cr_expect(hf_process_lives(child));
	kill(child, SIGKILL);
	kill(parent, SIGKILL);
}

Test(standby, a_start_ends_what_is_left, .init = folder, .fini = folder_gone)
{
	struct hf_err e = { "" };
	struct hf_takeover t;
	pid_t child, parent = tree(&child);
	int lock;

	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	lock = in_charge(false, &t, &e);
	cr_assert_geq(lock, 0);
	cr_expect_str_eq(t.why, "ended");
	cr_expect_eq(t.from, parent);
	cr_expect_eq(t.killed, 1);
	cr_expect_geq(t.took_ns, HF_ORPHANS_NS, "it had its time to end by itself");
	cr_expect(!hf_process_lives(child));
	close(lock);
}

Test(standby, who_listens_and_does_not_answer_is_killed, .init = folder, .fini = folder_gone)
{
	struct hf_err e = { "" };
	struct hf_takeover t;
	int ready[2], lock;
	pid_t parent;
	char byte;

	cr_assert(!pipe(ready));
	parent = fork();
	if (!parent) {
		struct hf_primary *p;
		struct hf_loop *loop;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (hf_folders_lock(run, &e) < 0 || hf_loop_new(&loop, &hf_system_clock) ||
		    hf_primary_new(&p, loop, run, &e) || write(ready[1], "", 1) != 1)
			_exit(1);
		/* its loop does not run */
		for (;;)
			pause();
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	signal(SIGCHLD, SIG_IGN);	/* so that it is reaped */
	lock = in_charge(true, &t, &e);
	cr_assert_geq(lock, 0, "%s", e.text);
	cr_expect_str_eq(t.why, "no_answer");
	cr_expect_eq(t.from, parent);
	close(lock);
	unlinkat(open(run, O_DIRECTORY), HF_PRIMARY_SOCKET, 0);
}
