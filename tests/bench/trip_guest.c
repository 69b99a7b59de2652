// SPDX-License-Identifier: GPL-2.0
/*
 * Runs in a guest as root: how long from a fault to silence, by the driver and by a
 * watcher in user space that looks as often as the governor does, idle and with all
 * processors loaded. A line of JSON for each block of trials, latencies in us; no
 * statistics here.
 *
 * From: CLOCK_MONOTONIC just before the fault is written to the simulator. To: the time
 * stamp of the record OFF in its emission ledger. The moment within a period is by
 * chance, so the wait for the next reading (5 ms apart) is in
 * it; "reaction" is what comes after that reading. The driver's sensor is lost; the
 * watcher reads what is behind the sensors (the plant's supply) itself, of an array
 * without sensors, so that it waits for no one and the driver does not come first.
 *
 * Usage: trip_guest TRIALS ROUNDS	(a watcher has a quarter of the trials: it takes longer)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ledger.h"
#include "scene.h"

#define ARRAYS		6	/* take turns: a sensor that was lost is not believed at once */
#define AMP		16384
#define SUPPLY_MIN_MV	21600
#define SAG_MV		"4000"
#define TIMEOUT_MS	5000
#define TRIALS_MAX	100000

/* Real-time priorities: the kernel's threads, the sensor thread among them, have 50. */
#define PRIO_KERNEL	50
#define PRIO_HOG	49
#define PRIO_SELF	80	/* whoever injects and measures is not what is measured */

struct one {
	struct scene_array sim;
	struct scene_keeper keeper;
	struct ledger ledger;
	struct holdfast_frame *frame;
	int lease;
};

static struct one governed[ARRAYS], watched;
static unsigned int cpus;

static void set(const struct one *o, const char *attr, const char *value)
{
	int ret = scene_set(&o->sim, attr, "%s", value);

	if (ret)
		scene_die("%s = %s: %s", attr, value, strerror(-ret));
}

static void fifo(int prio)
{
	const struct sched_param p = { .sched_priority = prio };

	if (sched_setscheduler(0, prio ? SCHED_FIFO : SCHED_OTHER, &p))
		scene_die("priority %d: %s", prio, strerror(errno));
}

/* Nothing but the fault may silence it: every deadline of the machine's own noise is far away. */
static void open_one(struct one *o, const char *name, const char *sensors)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL, .label = "bench" };

	scene_make(&o->sim, name, SCENE_ATTRS("rows=4", "cols=4", sensors, "sensor_period_ms=5",
		   "limit=hold 3600000", "limit=keeper_deadline 10000", "limit=tick_late 10000",
		   "limit=sensor_stale 60000", "limit=trip_dwell 0"));
	ledger_open(&o->ledger, &o->sim);
	scene_keeper_start(&o->keeper, &o->sim, 500);
	o->lease = scene_lease(o->keeper.fd, o->keeper.epoch, &ask, NULL);
	if (o->lease < 0)
		scene_die("lease: %s", strerror(-o->lease));
	o->frame = scene_frame_new(o->sim.info.channels, 0);
	scene_frame_flat(o->frame, AMP);
}

/* Armed, with one frame that is held; what the ledger has of before is read. */
static void emit(struct one *o)
{
	const struct holdfast_ledger_record *r;
	int ret;

	scene_keeper_arm(&o->keeper);
	ret = scene_write(o->lease, o->frame);
	if (ret)
		scene_die("%s: frame: %s", o->sim.name, strerror(-ret));
	do {
		ret = ledger_next(&o->ledger, &r, 2000);
		if (ret != 1)
			scene_die("%s: the frame is not in the ledger", o->sim.name);
	} while (r->kind != HOLDFAST_LEDGER_FRAME);
}

/* When it went off, or 0 if it did not in time. */
static __u64 dark(struct one *o)
{
	__u64 until = scene_now_ns() + TIMEOUT_MS * SCENE_MS;
	const struct holdfast_ledger_record *r;

	while (scene_now_ns() < until)
		if (ledger_next(&o->ledger, &r, 100) == 1 && r->kind != HOLDFAST_LEDGER_FRAME)
			return r->time_ns;
	return 0;
}

static void some_time(void)
{
	const struct timespec t = { 0, 2000000 + rand() % 20000 * 1000L };

	nanosleep(&t, NULL);
}

/* ---- who sees the fault ---- */

/* What one trial took, us; and of it what came after the reading that showed the fault, or -1. */
struct took {
	double all, reaction;
};

static struct took trial_governor(unsigned int n)
{
	struct one *o = &governed[n % ARRAYS];
	struct holdfast_trip t;
	__u64 from, to;

	emit(o);
	some_time();
	from = scene_now_ns();
	set(o, "fault_supply", "lost");
	to = dark(o);
	if (!to || scene_trip(o->keeper.fd, &t) || t.cause != HOLDFAST_CAUSE_SENSOR_LOST)
		scene_die("%s: not silent by its sensor: %s", o->sim.name,
			  scene_cause_name(t.cause));
	set(o, "fault_supply", "none");
	return (struct took){ (double)(to - from) / 1000, (double)(to - t.onset_ns) / 1000 };
}

/* What a watcher does: look every period, and silence what is not well. */
__attribute__((noreturn)) static void watcher(int prio)
{
	struct timespec next;
	char text[512];
	const char *at;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fifo(prio);
	fd = scene_open(&watched.sim, O_RDWR);
	if (fd < 0)
		scene_die("watcher: %s", strerror(-fd));
	clock_gettime(CLOCK_MONOTONIC, &next);
	for (;;) {
		if (scene_get(&watched.sim, "plant", text, sizeof(text)) < 0)
			scene_die("watcher: no plant");
		at = strstr(text, "supply_mv ");
		if (!at)
			scene_die("watcher: no supply in '%s'", text);
		if (atoi(at + strlen("supply_mv ")) < SUPPLY_MIN_MV)
			scene_silence(fd, HOLDFAST_SILENCE_LATCH);
		next.tv_nsec += SCENE_TICK_NS;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
}

/* After TIMEOUT_MS nobody waits any longer: it counts as that long. */
static struct took trial_watcher(unsigned int n)
{
	__u64 from, to;

	(void)n;
	emit(&watched);
	some_time();
	from = scene_now_ns();
	set(&watched, "supply_sag_mv", SAG_MV);
	to = dark(&watched);
	set(&watched, "supply_sag_mv", "0");
	if (!to) {
		scene_silence(watched.keeper.fd, 0);
		to = from + TIMEOUT_MS * SCENE_MS;
	}
	scene_sleep_ms(25);	/* for a look that was still of the fault */
	return (struct took){ (double)(to - from) / 1000, -1 };
}

static const struct who {
	const char *name;
	struct took (*trial)(unsigned int n);
	int prio;		/* of the watcher; -1: none */
} everybody[] = {
	{ "governor", trial_governor, -1 },
	{ "watcher", trial_watcher, 0 },
	{ "watcher_fifo", trial_watcher, PRIO_KERNEL },
};

/* ---- load ---- */

static const struct load {
	const char *name;
	unsigned int hogs;	/* for each processor */
	int prio;
} loads[] = {
	{ "idle", 0, 0 },
	{ "load_other", 2, 0 },
	{ "load_fifo", 1, PRIO_HOG },
};

static pid_t hog(unsigned int cpu, int prio)
{
	cpu_set_t mask;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&mask);
	CPU_SET(cpu, &mask);
	if (sched_setaffinity(0, sizeof(mask), &mask))
		_exit(1);
	fifo(prio);
	for (;;)
		;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void print(const char *name, const double *us, unsigned int n)
{
	unsigned int i;

	printf(", \"%s\": [", name);
	for (i = 0; i < n; i++)
		printf("%s%.1f", i ? ", " : "", us[i]);
	printf("]");
}

/* @round: -1 warms up and says nothing. */
static void block(int round, const struct load *l, const struct who *w, unsigned int trials)
{
	static double all[TRIALS_MAX], reaction[TRIALS_MAX];
	pid_t hogs[64], seer = 0;
	unsigned int i, n = 0;

	if (w->prio >= 0) {
		fflush(stdout);
		seer = fork();
		if (!seer)
			watcher(w->prio);
	}
	for (i = 0; i < l->hogs * cpus && i < 64; i++)
		hogs[n++] = hog(i % cpus, l->prio);
	scene_sleep_ms(200);
	for (i = 0; i < trials; i++) {
		struct took t = w->trial(i);

		all[i] = t.all;
		reaction[i] = t.reaction;
	}
	while (n)
		stop(hogs[--n]);
	if (seer)
		stop(seer);
	if (round < 0)
		return;
	printf("{\"round\": %d, \"load\": \"%s\", \"who\": \"%s\"", round, l->name, w->name);
	print("latency_us", all, trials);
	if (w->prio < 0)
		print("reaction_us", reaction, trials);
	puts("}");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned int trials, i, j;
	int rounds, r;
	char name[32];

	if (argc != 3)
		scene_die("usage: trip_guest TRIALS ROUNDS");
	trials = (unsigned int)atoi(argv[1]);
	rounds = atoi(argv[2]);
	if (!trials || trials > TRIALS_MAX)
		scene_die("1 to %d trials", TRIALS_MAX);
	cpus = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	fifo(PRIO_SELF);
	scene_load();
	for (i = 0; i < ARRAYS; i++) {
		snprintf(name, sizeof(name), "trip-%u", i);
		open_one(&governed[i], name, "sensors=supply");
	}
	open_one(&watched, "watched", "sensors=none");
	for (j = 0; j < sizeof(everybody) / sizeof(everybody[0]); j++)
		block(-1, &loads[0], &everybody[j], 2 * ARRAYS);
	for (r = 0; r < rounds; r++)
		for (i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
			for (j = 0; j < sizeof(everybody) / sizeof(everybody[0]); j++)
				block(r, &loads[i], &everybody[j],
				      everybody[j].prio < 0 ? trials : trials / 4 + 1);
	return 0;
}
