// SPDX-License-Identifier: GPL-2.0
/*
 * A machine that stops while an array emits: exit_scene KIND PATH makes a
 * simulated array of that kind whose ledger goes to the console, emits, marks
 * the console and takes the path. The judge sits outside and reads the console
 * (exits.sh); in here only what a machine that lives on can be asked for.
 *
 * No sensors, and seconds of hold and deadline: nothing but the path itself can
 * silence the array in the time that the judge allows.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scene.h"

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		scene_die("%s <- '%s': %s", path, text, strerror(errno));
	close(fd);
}

/* The time from which the judge counts. */
static void mark(void)
{
	char line[64];

	snprintf(line, sizeof(line), "<0>exit_scene: trigger t=%llu\n",
		 (unsigned long long)scene_now_ns());
	put("/dev/kmsg", line);
}

static void sysrq(const char *key)
{
	put("/proc/sys/kernel/sysrq", "1");
	mark();
	put("/proc/sysrq-trigger", key);
}

/* What was called must be the end of the machine. */
__attribute__((noreturn)) static void outlived(void)
{
	scene_sleep_ms(10000);
	scene_die("the machine lives on");
}

/*
 * An oops without a test module: a stock driver is forced out under an open file,
 * and the next call on that file jumps to where its code was. The child that does
 * so oopses again when its files are closed, and is never seen to end.
 */
static void oops(void)
{
	char c;
	int fd;

	if (system("modprobe uinput"))
		scene_die("modprobe uinput failed");
	if (fork())
		return;
	fd = open("/dev/uinput", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		scene_die("/dev/uinput: %s", strerror(errno));
	if (syscall(SYS_delete_module, "uinput", O_NONBLOCK | O_TRUNC))
		scene_die("uinput cannot be forced out: %s", strerror(errno));
	mark();
	scene_die("no oops: %d", (int)read(fd, &c, 1));
}

static void suspend(void)
{
	put("/sys/power/pm_test", "freezer");
	mark();
	put("/sys/power/state", "freeze");
}

/* Not by force: refused. By force: the hardware's own driver must silence on its way out. */
static void rmmod(void)
{
	if (!syscall(SYS_delete_module, "holdfast_sim", O_NONBLOCK))
		scene_die("rmmod of an armed array's driver was not refused");
	if (!syscall(SYS_delete_module, "holdfast", O_NONBLOCK | O_TRUNC))
		scene_die("rmmod -f of holdfast was not refused");
	mark();
	if (syscall(SYS_delete_module, "holdfast_sim", O_NONBLOCK | O_TRUNC))
		scene_die("rmmod -f of holdfast_sim: %s", strerror(errno));
}

/* Latched, for this cause, whatever the player still sends. */
static void check_latched(int fd, enum holdfast_cause cause)
{
	struct holdfast_trip t;
	int ret;

	scene_wait_state(fd, HOLDFAST_STATE_TRIPPED, 3000);
	scene_sleep_ms(500);
	if (scene_state(fd) != HOLDFAST_STATE_TRIPPED)
		scene_die("state %d, not tripped", scene_state(fd));
	ret = scene_trip(fd, &t);
	if (ret || t.cause != cause)
		scene_die("cause %s, not %s", ret ? strerror(-ret) : scene_cause_name(t.cause),
			  scene_cause_name(cause));
	printf("tripped: %s\n", scene_cause_name(t.cause));
}

static void take(const char *path, int fd)
{
	if (!strcmp(path, "reboot") || !strcmp(path, "poweroff")) {
		/* The kernel then says when it comes to each driver's own shutdown. */
		put("/sys/module/kernel/parameters/initcall_debug", "1");
		mark();
		reboot(*path == 'r' ? RB_AUTOBOOT : RB_POWER_OFF);
		outlived();
	} else if (!strcmp(path, "sysrq-b") || !strcmp(path, "sysrq-c")) {
		sysrq(path + 6);
		outlived();
	} else if (!strcmp(path, "oops-panic")) {
		put("/proc/sys/kernel/panic_on_oops", "1");
		oops();
		outlived();
	} else if (!strcmp(path, "oops")) {
		put("/proc/sys/kernel/panic_on_oops", "0");
		oops();
		check_latched(fd, HOLDFAST_CAUSE_OOPS);
	} else if (!strcmp(path, "suspend")) {
		suspend();
		check_latched(fd, HOLDFAST_CAUSE_SUSPEND);
	} else if (!strcmp(path, "rmmod-f")) {
		rmmod();
	} else {
		scene_die("no path '%s'", path);
	}
}

int main(int argc, char **argv)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL };
	struct scene_player player;
	struct scene_keeper keeper;
	struct scene_array array;
	char kind[32];
	int lease;

	if (argc != 3)
		scene_die("usage: exit_scene atomic|bus PATH");
	scene_load();
	snprintf(kind, sizeof(kind), "kind=%s", argv[1]);
	scene_make(&array, "exit", SCENE_ATTRS(kind, "rows=8", "cols=8", "sensors=none",
					       "ledger_console=1", "limit=hold 5000",
					       "limit=keeper_deadline 5000",
					       "limit=tick_late 5000"));
	scene_keeper_start(&keeper, &array, 100);
	scene_keeper_arm(&keeper);
	lease = scene_lease(keeper.fd, keeper.epoch, &ask, NULL);
	if (lease < 0)
		scene_die("lease: %s", strerror(-lease));
	scene_play(&player, &array, lease, 16384, 20);
	scene_sleep_ms(200);
	if (!scene_emitting(&array))
		scene_die("nothing is emitted");
	take(argv[2], keeper.fd);
	/* Nothing is tidied up: a driver that was forced out has left files behind. */
	fflush(stdout);
	_exit(0);
}
