// SPDX-License-Identifier: GPL-2.0
/*
 * What starves supervision without ending the machine, or should not touch it:
 * real-time hogs, the freezer, a CPU that goes, a clock that is set. Judged by the
 * ledger. Wants a kernel with two CPUs.
 *
 * No sensors and, but for the queue, a hold of a minute: only the keeper's deadline
 * can silence.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ledger.h"
#include "scene.h"
#include "tap.h"

#define DEADLINE_MS	500
#define PERIOD_MS	50
#define TICKS_MS	20
/* An emulated CPU stands still for tens of ms when the host is busy. */
#define NOISE_MS	150
#define BOUND_MS	(DEADLINE_MS + TICKS_MS + NOISE_MS)
#define HOG_S		3

struct scene {
	struct scene_array array;
	struct scene_keeper_process keeper;
	struct scene_player player;
	struct ledger ledger;
	struct emissions es;
	int fd;
};

static void scene_begin(struct scene *s, const char *name)
{
	memset(s, 0, sizeof(*s));
	scene_make(&s->array, name, SCENE_ATTRS("rows=8", "cols=8", "sensors=none",
						"limit=hold 60000", "limit=keeper_deadline 500",
						"limit=tick_late 2000"));
	s->fd = scene_open(&s->array, O_RDONLY);
	scene_keeper_spawn(&s->keeper, &s->array, PERIOD_MS);
	ledger_open(&s->ledger, &s->array);
	scene_play(&s->player, &s->array, s->keeper.lease, 16384, 100);
	scene_sleep_ms(300);
	if (!scene_emitting(&s->array))
		tap_bail("%s: nothing is emitted", name);
}

static void scene_end(struct scene *s)
{
	scene_play_stop(&s->player);
	scene_keeper_kill(&s->keeper);
	ledger_close(&s->ledger);
	emissions_free(&s->es);
	close(s->keeper.lease);
	close(s->fd);
	scene_drop(&s->array);
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* Silent in time after the keeper could no longer run (@from), and for that reason. */
static void expect_dark(struct scene *s, __u64 from, const char *what)
{
	__u64 dark = emissions_dark_after(&s->es, &s->ledger, from, 5000);
	struct holdfast_trip t = {};
	double ms = dark ? (double)(dark - from) * 1e-6 : -1;

	scene_trip(s->fd, &t);
	tap_ok(dark && ms <= BOUND_MS && t.cause == HOLDFAST_CAUSE_KEEPER_DEADLINE,
	       "%s: silent after %.1f ms (deadline %d + two ticks %d + noise of the emulation %d), %s",
	       what, ms, DEADLINE_MS, TICKS_MS, NOISE_MS, scene_cause_name(t.cause));
	scene_sleep_ms(300);
	emissions_read(&s->es, &s->ledger);
	tap_ok(!s->es.on && scene_state(s->fd) == HOLDFAST_STATE_TRIPPED, "%s: stays silent", what);
}

/* Still on after @ms, without a break, and the governor's ticks went on. */
static bool goes_on(struct scene *s, unsigned int ms)
{
	struct holdfast_status before, after;
	__u64 offs;

	emissions_read(&s->es, &s->ledger);
	offs = s->es.offs;
	scene_status(s->fd, &before);
	scene_sleep_ms(ms);
	scene_status(s->fd, &after);
	emissions_read(&s->es, &s->ledger);
	if (s->es.on && s->es.offs == offs && after.tick - before.tick > ms / 10 / 2)
		return true;
	tap_note("on %d, offs %llu to %llu, ticks %llu", s->es.on, (unsigned long long)offs,
		 (unsigned long long)s->es.offs, (unsigned long long)(after.tick - before.tick));
	return false;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		tap_bail("affinity %d: %s", cpu, strerror(errno));
}

/* A process on @cpu that lets nothing below @priority run there until @until_ns. */
static pid_t hog(int cpu, int priority, __u64 until_ns)
{
	const struct sched_param prio = { .sched_priority = priority };
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	pin(cpu);
	if (sched_setscheduler(0, SCHED_FIFO, &prio))
		_exit(1);
	while (scene_now_ns() < until_ns)
		;
	_exit(0);
}

static void test_hogs(void)
{
	int cpu, status, bad = 0;
	__u64 from;
	struct scene s;

	if (put("/proc/sys/kernel/sched_rt_runtime_us", "-1"))
		tap_bail("sched_rt_runtime_us");
	scene_begin(&s, "hogs");
	from = scene_now_ns();
	/* The last one takes the CPU that this runs on, so it comes back when they end. */
	for (cpu = 0; cpu < 2; cpu++)
		hog(cpu, 99, from + HOG_S * 1000 * SCENE_MS);
	for (cpu = 0; cpu < 2; cpu++)
		bad |= wait(&status) < 0 || status;
	tap_ok(!bad && scene_now_ns() - from >= HOG_S * 1000 * SCENE_MS,
	       "hogs: FIFO 99 on both CPUs for %d s", HOG_S);
	expect_dark(&s, from, "hogs");
	scene_end(&s);
}

/* 6.12 keeps a twentieth of each CPU for what is not real-time: not here. */
static void unfair(void)
{
	char path[80];
	int cpu;

	mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	for (cpu = 0; cpu < 2; cpu++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/sched/fair_server/cpu%d/runtime",
			 cpu);
		tap_note("fair server of CPU %d off: %s", cpu, strerror(-put(path, "0")));
	}
}

#define POINTS		512
#define SCAN_MS		1000	/* of so many points and 64 channels; twice that is the deadline */

/* The keeper beats on, but the thread that visits the points of a surface does not run. */
static void test_scan(void)
{
	static struct holdfast_surface_point p[POINTS];
	const struct sched_param prio = { .sched_priority = 50 };
	int cpu, status, bad = 0;
	struct holdfast_trip t = {};
	struct holdfast_surface u;
	struct scene s;
	__u64 from, dark;
	double ms;
	int i;

	for (i = 0; i < POINTS; i++)
		p[i] = (struct holdfast_surface_point){ i * 1000, 0, 200000, 0 };
	scene_begin(&s, "scan");
	if (scene_surface(s.fd, HOLDFAST_IOC_SURFACE_ADD, p, POINTS, &u) || u.scan_ms != SCAN_MS ||
	    scene_site_tighten(s.fd, HOLDFAST_LIM_SURFACE_MEAN, 90000000))
		tap_bail("surface");
	tap_ok(goes_on(&s, 3 * SCAN_MS), "scan: emission goes on while the points are visited");
	unfair();
	if (sched_setscheduler(s.keeper.pid, SCHED_FIFO, &prio))
		tap_bail("scheduler: %s", strerror(errno));
	from = scene_now_ns();
	for (cpu = 0; cpu < 2; cpu++)
		hog(cpu, 1, from + 4 * SCAN_MS * SCENE_MS);
	for (cpu = 0; cpu < 2; cpu++)
		bad |= wait(&status) < 0 || status;
	dark = emissions_dark_after(&s.es, &s.ledger, from, 5000);
	ms = dark ? (double)(dark - from) * 1e-6 : -1;
	scene_trip(s.fd, &t);
	tap_ok(!bad && ms > 0.5 * SCAN_MS && ms <= 2 * SCAN_MS + TICKS_MS + NOISE_MS &&
	       t.cause == HOLDFAST_CAUSE_SENSOR_THREAD,
	       "scan: FIFO 1 on both CPUs: silent after %.1f ms (allowed %d + two ticks %d + noise %d), %s",
	       ms, 2 * SCAN_MS, TICKS_MS, NOISE_MS, scene_cause_name(t.cause));
	scene_end(&s);
}

#define QUEUE_HOLD_MS	300
#define QUEUE_STEP_MS	50
#define QUEUE_FRAMES	40
#define QUEUE_LATE_MS	100

/* Frames for the next two seconds, through a queue. */
static void queue_fill(struct scene *s)
{
	struct holdfast_queue q = {
		.size = sizeof(q), .flags = HOLDFAST_QUEUE_SET, .depth = QUEUE_FRAMES,
		.late_ns = QUEUE_LATE_MS * SCENE_MS, .horizon_ns = 5000 * SCENE_MS,
	};
	struct holdfast_frame *f = scene_frame_new(s->array.info.channels, 0);
	__u64 at = scene_now_ns() + 100 * SCENE_MS;
	int i;

	if (scene_ioctl(s->keeper.lease, HOLDFAST_IOC_QUEUE, &q))
		tap_bail("queue: %s", strerror(errno));
	for (i = 0; i < QUEUE_FRAMES; i++) {
		scene_frame_flat(f, 16384);
		f->present_ns = at + i * QUEUE_STEP_MS * SCENE_MS;
		if (scene_write(s->keeper.lease, f))
			tap_bail("frame %d is not queued", i);
	}
	free(f);
}

/* The keeper beats on, but the thread that plays frames out does not run. */
static void test_queue(void)
{
	const struct sched_param prio = { .sched_priority = 60 };
	struct holdfast_queue q = { .size = sizeof(q) };
	int cpu, status, bad = 0;
	struct scene s = { 0 };
	__u64 from, dark, emissions;
	double ms;

	scene_make(&s.array, "queue", SCENE_ATTRS("rows=8", "cols=8", "sensors=none",
						  "limit=hold 300", "limit=keeper_deadline 2000",
						  "limit=tick_late 2000"));
	s.fd = scene_open(&s.array, O_RDONLY);
	scene_keeper_spawn(&s.keeper, &s.array, PERIOD_MS);
	ledger_open(&s.ledger, &s.array);
	queue_fill(&s);
	scene_sleep_ms(400);
	emissions_read(&s.es, &s.ledger);
	tap_ok(s.es.on, "queue: its frames are emitted");
	if (sched_setscheduler(s.keeper.pid, SCHED_FIFO, &prio))
		tap_bail("scheduler: %s", strerror(errno));
	from = scene_now_ns();
	/* Above the thread, below the keeper, and longer than there are frames. */
	for (cpu = 0; cpu < 2; cpu++)
		hog(cpu, 55, from + HOG_S * 1000 * SCENE_MS);
	for (cpu = 0; cpu < 2; cpu++)
		bad |= wait(&status) < 0 || status;
	dark = emissions_dark_after(&s.es, &s.ledger, from, 5000);
	ms = dark ? (double)(dark - from) * 1e-6 : -1;
	tap_ok(!bad && dark && ms <= QUEUE_HOLD_MS + TICKS_MS + NOISE_MS &&
	       scene_state(s.fd) == HOLDFAST_STATE_ARMED,
	       "queue: FIFO 55 on both CPUs: silent after %.1f ms (hold %d + two ticks %d + noise %d)",
	       ms, QUEUE_HOLD_MS, TICKS_MS, NOISE_MS);
	emissions = s.es.count;
	scene_sleep_ms(500);
	emissions_read(&s.es, &s.ledger);
	if (scene_ioctl(s.keeper.lease, HOLDFAST_IOC_QUEUE, &q))
		tap_bail("queue: %s", strerror(errno));
	tap_ok(!s.es.on && s.es.count == emissions && q.late && !q.queued,
	       "queue: what its thread found too late is never emitted: %llu of %llu frames dropped",
	       (unsigned long long)q.late, (unsigned long long)q.taken);
	scene_keeper_kill(&s.keeper);
	ledger_close(&s.ledger);
	emissions_free(&s.es);
	close(s.keeper.lease);
	close(s.fd);
	scene_drop(&s.array);
}

static void test_freezer(void)
{
	static const char *const dir = "/sys/fs/cgroup/holdfast";
	char path[96], pid[32];
	struct scene s;
	__u64 from;

	scene_begin(&s, "freezer");
	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	snprintf(pid, sizeof(pid), "%d", s.keeper.pid);
	if ((mkdir(dir, 0755) && errno != EEXIST) || put(path, pid)) {
		tap_skip("freezer: no cgroup v2 here");
		scene_end(&s);
		return;
	}
	snprintf(path, sizeof(path), "%s/cgroup.freeze", dir);
	tap_ok(goes_on(&s, 300), "freezer: emission goes on in a cgroup");
	from = scene_now_ns();
	put(path, "1");
	expect_dark(&s, from, "freezer");
	put(path, "0");
	scene_end(&s);
}

/* On which CPU the governor's timer is queued; -1: nobody knows. */
static int tick_cpu(void)
{
	FILE *f = fopen("/proc/timer_list", "r");
	int cpu = -1, found = -1;
	char line[256];

	while (f && found < 0 && fgets(line, sizeof(line), f)) {
		sscanf(line, "cpu: %d", &cpu);
		if (strstr(line, "hf_tick"))
			found = cpu;
	}
	if (f)
		fclose(f);
	return found;
}

static void test_offline(void)
{
	struct scene s;
	__u64 from;
	int cpu;

	pin(1);
	scene_begin(&s, "offline");
	cpu = tick_cpu();
	if (cpu != 1) {
		tap_skip("offline: the timer runs on CPU %d, which cannot go", cpu);
	} else {
		if (put("/sys/devices/system/cpu/cpu1/online", "0"))
			tap_bail("CPU 1 does not go offline");
		tap_ok(goes_on(&s, 700) && tick_cpu() == 0,
		       "offline: the timer's CPU goes; supervision goes on elsewhere");
		from = scene_now_ns();
		scene_keeper_freeze(&s.keeper, true);
		expect_dark(&s, from, "offline: keeper stopped");
	}
	scene_end(&s);
	put("/sys/devices/system/cpu/cpu1/online", "1");
}

static void test_clock(void)
{
	struct timespec t;
	struct scene s;
	int hours;

	scene_begin(&s, "clock");
	for (hours = -48; hours <= 48; hours += 96) {
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_sec += hours * 3600;
		if (clock_settime(CLOCK_REALTIME, &t))
			tap_bail("clock: %s", strerror(errno));
		tap_ok(goes_on(&s, 700), "clock set by %d h: nothing changes", hours);
	}
	scene_end(&s);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	scene_load();
	test_clock();
	test_freezer();
	test_hogs();
	test_scan();
	test_queue();
	test_offline();
	return tap_done();
}
