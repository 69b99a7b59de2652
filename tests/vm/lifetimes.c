// SPDX-License-Identifier: GPL-2.0
/*
 * Everybody who can go away while an array emits: programs and keepers that
 * die, stop, freeze, starve or leave their file behind; the hardware; the
 * modules. The ledger must be dark within the stated bound, and nobody may find
 * freed memory. Ways in which the machine itself stops are in exits.sh.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "bench.h"
#include "tap.h"

#define HOLD_MS		300
#define DEADLINE_MS	600
#define CGROUP		"/sys/fs/cgroup/holdfast-test"

static unsigned int slack_ms;	/* timer noise of this machine */
static unsigned int serial;	/* of the next array's name */

static const char *const attrs[] = {
	"rows=4", "cols=4", "limit=hold 300", "limit=keeper_deadline 600", "limit=tick_late 2000",
	"limit=trip_dwell 0", NULL
};

static void open_bench(struct bench *b)
{
	char name[32];

	snprintf(name, sizeof(name), "life-%u", serial++);
	bench_open(b, name, attrs);
}

/*
 * Dark within @bound_ms and a tick of @from_ns, dark for good, and what it says
 * to the person who reads the results.
 */
static void check_dark(struct bench *b, __u64 from_ns, unsigned int bound_ms)
{
	__u64 dark = emissions_dark_after(&b->es, &b->ledger, from_ns, bound_ms + 2000);
	__u64 bound = from_ns + bound_ms * SCENE_MS + SCENE_TICK_NS + slack_ms * SCENE_MS +
		      b->sim.info.silence_bound_ns;

	if (!bench_check(b, dark, "still emitting"))
		return;
	bench_check(b, dark <= bound, "dark after %.1f ms, bound %u ms and a tick",
		    (double)(dark - from_ns) / SCENE_MS, bound_ms);
	printf("# dark after %.1f ticks, bound %.1f\n", (double)(dark - from_ns) / SCENE_TICK_NS,
	       (double)bound_ms / 10 + 1);
}

static void result(struct bench *b, const char *name)
{
	tap_ok(!b->failures, "%s", name);
}

static __u64 last_frame(struct bench *b)
{
	emissions_read(&b->es, &b->ledger);
	return b->es.count ? b->es.e[b->es.count - 1].begin_ns : 0;
}

/* ---- programs ---- */

/* A program that plays on @lease until it dies. */
static pid_t program(int lease, __u32 channels)
{
	struct holdfast_frame *f = scene_frame_new(channels, 0);
	pid_t pid;

	scene_frame_flat(f, BENCH_AMP);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			scene_write(lease, f);
			scene_sleep_ms(20);
		}
	}
	free(f);
	return pid;
}

static void await_emission(struct bench *b)
{
	int i;

	for (i = 0; i < 400 && !scene_emitting(&b->sim); i++)
		scene_sleep_ms(5);
	bench_check(b, scene_emitting(&b->sim), "nothing is emitted");
}

/* Dies or stops; its lease's file lives on in this process, or not. */
static void test_program(const char *name, int sig, bool file_lives)
{
	struct bench b;
	__u64 from;
	pid_t pid;

	open_bench(&b);
	scene_keeper_arm(&b.keeper);
	pid = program(b.lease, b.sim.info.channels);
	await_emission(&b);
	if (!file_lives) {
		close(b.lease);
		b.lease = -1;
	}
	scene_sleep_ms(100);
	from = scene_now_ns();
	kill(pid, sig);
	if (sig == SIGKILL)
		waitpid(pid, NULL, 0);
	if (file_lives) {
		scene_sleep_ms(10);
		from = last_frame(&b);
	}
	check_dark(&b, from, file_lives ? HOLD_MS : 0);
	bench_check(&b, scene_state(b.keeper.fd) == HOLDFAST_STATE_ARMED, "state %d",
		    scene_state(b.keeper.fd));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	result(&b, name);
	bench_close(&b);
}

/* ---- keepers ---- */

/* A keeper process that arms and a player here, whose lease it gave. */
struct supervised {
	struct bench b;
	struct scene_keeper_process keeper;
	int ro;
};

static void supervised_open(struct supervised *s)
{
	char name[32];

	memset(s, 0, sizeof(*s));
	snprintf(name, sizeof(name), "life-%u", serial++);
	scene_make(&s->b.sim, name, attrs);
	ledger_open(&s->b.ledger, &s->b.sim);
	s->ro = scene_open(&s->b.sim, O_RDONLY);
	scene_keeper_spawn(&s->keeper, &s->b.sim, 50);
	s->b.lease = s->keeper.lease;
	scene_play(&s->b.player, &s->b.sim, s->b.lease, BENCH_AMP, BENCH_FRAME_MS);
	scene_sleep_ms(100);
}

static __u64 last_beat(const struct supervised *s)
{
	struct holdfast_status st;

	return scene_status(s->ro, &st) ? 0 : st.beat_ns;
}

/* Whatever became of the keeper, its lease is worth nothing without it. */
static void supervised_close(struct supervised *s, const char *name)
{
	scene_sleep_ms(50);
	emissions_read(&s->b.es, &s->b.ledger);
	bench_check(&s->b, !s->b.es.on, "emitting again");
	scene_play_stop(&s->b.player);
	result(&s->b, name);
	if (s->keeper.pid)
		scene_keeper_kill(&s->keeper);
	close(s->b.lease);
	close(s->ro);
	emissions_free(&s->b.es);
	ledger_close(&s->b.ledger);
	scene_drop(&s->b.sim);
}

static void check_state(struct supervised *s, int state, __u32 cause)
{
	struct holdfast_status st = {};

	bench_check(&s->b, !scene_status(s->ro, &st) && (int)st.state == state &&
		    st.trip_cause == cause, "state %u, cause %s", st.state,
		    scene_cause_name(st.trip_cause));
}

static void test_keeper_killed(void)
{
	struct supervised s;

	supervised_open(&s);
	check_dark(&s.b, scene_keeper_kill(&s.keeper), 0);
	check_state(&s, HOLDFAST_STATE_SILENT, HOLDFAST_CAUSE_NONE);
	bench_errno(&s.b, scene_write(s.b.lease, s.b.player.frame), EKEYREVOKED, "frame");
	supervised_close(&s, "keeper killed: silent, its leases over");
}

static void test_keeper_stopped(void)
{
	struct supervised s;

	supervised_open(&s);
	scene_keeper_freeze(&s.keeper, true);
	check_dark(&s.b, last_beat(&s), DEADLINE_MS);
	check_state(&s, HOLDFAST_STATE_TRIPPED, HOLDFAST_CAUSE_KEEPER_DEADLINE);
	scene_keeper_freeze(&s.keeper, false);
	scene_sleep_ms(150);
	check_state(&s, HOLDFAST_STATE_TRIPPED, HOLDFAST_CAUSE_KEEPER_DEADLINE);
	supervised_close(&s, "keeper stopped: trips, and its return changes nothing");
}

static bool put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static void test_keeper_frozen(void)
{
	struct supervised s;
	char pid[16];

	if (mkdir(CGROUP, 0755)) {
		tap_skip("keeper frozen: no cgroup2 here");
		return;
	}
	supervised_open(&s);
	snprintf(pid, sizeof(pid), "%d", s.keeper.pid);
	bench_check(&s.b, put_text(CGROUP "/cgroup.procs", pid) &&
		    put_text(CGROUP "/cgroup.freeze", "1"), "cannot freeze");
	check_dark(&s.b, last_beat(&s), DEADLINE_MS);
	check_state(&s, HOLDFAST_STATE_TRIPPED, HOLDFAST_CAUSE_KEEPER_DEADLINE);
	put_text(CGROUP "/cgroup.freeze", "0");
	supervised_close(&s, "keeper frozen by its cgroup: trips");
	rmdir(CGROUP);
}

/*
 * A process that has nothing but a ring in which @fd is registered: the file
 * lives as long as it does. (A ring itself cannot be passed over a socket.)
 */
static pid_t ring_holder(int fd)
{
	struct io_uring_params p = {};
	int ring = (int)syscall(__NR_io_uring_setup, 4, &p);
	pid_t pid;

	if (ring < 0 || syscall(__NR_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1))
		scene_die("io_uring: %s", strerror(errno));
	pid = fork();
	if (pid)
		return pid;
	close(fd);
	for (;;)
		pause();
}

/* Its file lives on in another process: the beat is the dead-man, not the close. */

__attribute__((noreturn)) static void leaving_keeper(const struct scene_array *sim, int sock,
						     bool uring)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL };
	struct scene_keeper k;
	pid_t holder = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	scene_keeper_start(&k, sim, 50);
	if (uring)
		holder = ring_holder(k.fd);
	scene_send_fd(sock, scene_lease(k.fd, k.epoch, &ask, NULL), (__u64)holder);
	scene_send_fd(sock, uring ? STDOUT_FILENO : k.fd, 0);
	scene_keeper_arm(&k);
	for (;;)
		pause();
}

static void test_file_left(bool uring)
{
	const char *name = uring ? "keeper killed, its file registered in another's io_uring: trips" :
				   "keeper killed, its file passed to another process: trips";
	struct supervised s = {};
	__u64 holder, word;
	int sock[2], kept;
	char array[32];

	snprintf(array, sizeof(array), "life-%u", serial++);
	scene_make(&s.b.sim, array, attrs);
	ledger_open(&s.b.ledger, &s.b.sim);
	s.ro = scene_open(&s.b.sim, O_RDONLY);
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sock))
		scene_die("socketpair: %s", strerror(errno));
	fflush(stdout);
	s.keeper.pid = fork();
	if (!s.keeper.pid)
		leaving_keeper(&s.b.sim, sock[1], uring);
	close(sock[1]);
	s.b.lease = scene_recv_fd(sock[0], &holder, true);
	kept = scene_recv_fd(sock[0], &word, true);
	bench_check(&s.b, kept >= 0 && !holder == !uring, "no file was passed");
	bench_errno(&s.b, scene_wait_state(s.ro, HOLDFAST_STATE_ARMED, 3000), 0, "armed");
	scene_play(&s.b.player, &s.b.sim, s.b.lease, BENCH_AMP, BENCH_FRAME_MS);
	scene_sleep_ms(100);
	scene_keeper_kill(&s.keeper);
	check_dark(&s.b, last_beat(&s), DEADLINE_MS);
	check_state(&s, HOLDFAST_STATE_TRIPPED, HOLDFAST_CAUSE_KEEPER_DEADLINE);
	if (holder)
		kill((pid_t)holder, SIGKILL);
	close(kept);
	close(sock[0]);
	supervised_close(&s, name);
}

/* Closed in order: silent at once, and by then its leases are over. */
static void test_keeper_closes(void)
{
	struct bench b;
	__u64 from;

	open_bench(&b);
	bench_emit(&b);
	from = scene_now_ns();
	scene_keeper_stop(&b.keeper);
	check_dark(&b, from, 60);	/* its thread is waited for first */
	bench_errno(&b, scene_write(b.lease, b.player.frame), EKEYREVOKED, "frame");
	result(&b, "keeper closes its file: silent");
	bench_close(&b);
}

/* ---- starvation and clocks ---- */

__attribute__((noreturn)) static void hog(int cpu, unsigned int ms)
{
	struct sched_param p = { .sched_priority = 98 };
	__u64 until = scene_now_ns() + ms * SCENE_MS;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	if (sched_setscheduler(0, SCHED_FIFO, &p))
		_exit(1);
	while (scene_now_ns() < until)
		;
	_exit(0);
}

/* Every CPU belongs to a real-time hog, and no throttle gives anything back. */
static void test_hogs(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct supervised s;
	int status, i;
	__u64 from;
	pid_t pid;

	supervised_open(&s);
	put_text("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	from = scene_now_ns();
	fflush(stdout);
	for (i = 0; i < cpus; i++) {
		pid = fork();
		if (!pid)
			hog((int)cpus - 1 - i, 2500);
	}
	for (i = 0; i < cpus; i++) {
		wait(&status);
		bench_check(&s.b, !status, "no SCHED_FIFO here");
	}
	put_text("/proc/sys/kernel/sched_rt_runtime_us", "950000");
	/* the last beat came before or soon after; the tick was never starved */
	check_dark(&s.b, from, DEADLINE_MS + 100);
	bench_errno(&s.b, scene_wait_state(s.ro, HOLDFAST_STATE_TRIPPED, 1000), 0, "tripped");
	supervised_close(&s, "real-time hogs on every CPU: trips in time all the same");
}

/* Steps of the wall clock are nobody's business. */
static void test_clock(void)
{
	static const time_t steps[] = { 86400 * 365, -86400 * 300, -86400 * 65 };
	struct timespec t;
	struct bench b;
	unsigned int i;

	open_bench(&b);
	bench_emit(&b);
	for (i = 0; i < 3; i++) {
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_sec += steps[i];
		bench_check(&b, !clock_settime(CLOCK_REALTIME, &t), "clock: %s", strerror(errno));
		scene_sleep_ms(100);
		bench_check(&b, scene_state(b.keeper.fd) == HOLDFAST_STATE_EMITTING,
			    "step of %lld s: state %d", (long long)steps[i],
			    scene_state(b.keeper.fd));
	}
	scene_play_stop(&b.player);
	check_dark(&b, last_frame(&b), HOLD_MS);
	b.player.frame = NULL;
	result(&b, "the wall clock steps: nothing happens");
	bench_close(&b);
}

/* The CPU that the tick runs on may be any: each but the first is taken away once. */
static void test_cpu_offline(void)
{
	const char *online = "/sys/devices/system/cpu/cpu1/online";
	struct holdfast_status before, after;
	struct bench b;
	__u64 from;

	if (access(online, W_OK)) {
		tap_skip("CPU taken offline: there is one only");
		return;
	}
	open_bench(&b);
	bench_emit(&b);
	bench_check(&b, put_text(online, "0"), "cannot take it offline");
	scene_status(b.keeper.fd, &before);
	scene_sleep_ms(300);
	scene_status(b.keeper.fd, &after);
	bench_check(&b, after.tick >= before.tick + 10 && after.state == HOLDFAST_STATE_EMITTING,
		    "%llu ticks in 300 ms, state %u", after.tick - before.tick, after.state);
	scene_keeper_mute(&b.keeper, true);
	scene_status(b.keeper.fd, &after);
	from = after.beat_ns;
	check_dark(&b, from, DEADLINE_MS);
	put_text(online, "1");
	result(&b, "a CPU is taken offline: the tick goes on, and trips");
	bench_close(&b);
}

/* ---- modules and hardware ---- */

static void test_rmmod(void)
{
	struct bench b;
	int ret;

	open_bench(&b);
	bench_emit(&b);
	ret = scene_module_unload("holdfast_sim");
	bench_check(&b, ret == -EAGAIN || ret == -EBUSY, "holdfast_sim: %s", strerror(-ret));
	ret = scene_module_unload("holdfast");
	bench_check(&b, ret == -EAGAIN || ret == -EBUSY, "holdfast: %s", strerror(-ret));
	bench_check(&b, scene_state(b.keeper.fd) == HOLDFAST_STATE_EMITTING, "it stopped");
	result(&b, "rmmod while emitting: refused");
	bench_close(&b);
}

static void test_unbind(void)
{
	const char *dir = "/sys/bus/platform/drivers/holdfast_sim";

	tap_ok(!access(dir, F_OK) && access("/sys/bus/platform/drivers/holdfast_sim/unbind", F_OK) &&
	       access("/sys/bus/platform/drivers/holdfast_sim/bind", F_OK),
	       "there is nothing to unbind with");
}

/* Unplugged (@orderly: in order) with files, leases and mappings open, and then used. */
static void test_removed(bool orderly)
{
	struct holdfast_status *page, st;
	struct pollfd p = { .events = POLLOUT };
	size_t ps = (size_t)sysconf(_SC_PAGESIZE);
	struct bench b;
	__u64 from, dark;
	int i;

	open_bench(&b);
	page = mmap(NULL, ps, PROT_READ, MAP_SHARED, b.lease, 0);
	bench_emit(&b);
	from = scene_now_ns();
	if (orderly)
		bench_errno(&b, scene_live(&b.sim, false), 0, "live = 0");
	else
		bench_check(&b, !rmdir(b.sim.dir), "rmdir: %s", strerror(errno));
	dark = emissions_dark_after(&b.es, &b.ledger, from, 0);
	bench_check(&b, dark, "still emitting when it is gone");
	printf("# dark after %.1f ticks, bound: before the removal is over\n",
	       (double)(dark - from) / SCENE_TICK_NS);
	for (i = 0; i < 20; i++) {
		bench_errno(&b, scene_write(b.lease, b.player.frame), ENODEV, "frame");
		bench_errno(&b, scene_status(b.keeper.fd, &st), ENODEV, "status");
		bench_check(&b, page->size == sizeof(st) && !(page->seq & 1), "page of size %u",
			    page->size);
		scene_sleep_ms(2);
	}
	p.fd = b.lease;
	bench_check(&b, poll(&p, 1, 0) == 1 && (p.revents & POLLHUP), "lease: %#x", p.revents);
	p.fd = b.keeper.fd;
	bench_check(&b, poll(&p, 1, 0) == 1 && (p.revents & POLLHUP), "node: %#x", p.revents);
	munmap(page, ps);
	result(&b, orderly ? "removed in order, files open" : "unplugged, files open");
	scene_play_stop(&b.player);
	close(b.lease);
	scene_keeper_stop(&b.keeper);
	emissions_free(&b.es);
	ledger_close(&b.ledger);
	if (orderly)
		scene_drop(&b.sim);
	else
		free(b.sim.pos);
}

/* Exposure belongs to the place: pulling the plug forgets nothing. */
static void test_dose_kept(void)
{
	const struct holdfast_fence_point p = { 0, 0, 100000, 4000000000U };
	struct holdfast_status before, after;
	struct bench b;

	open_bench(&b);
	bench_errno(&b, scene_site_set(b.keeper.fd, HOLDFAST_LIM_DOSE, 1000000000), 0, "dose limit");
	bench_errno(&b, scene_fence_set(b.keeper.fd, &p, 1), 0, "fence");
	bench_emit(&b);
	scene_sleep_ms(500);
	scene_play_stop(&b.player);
	b.player.frame = NULL;
	scene_silence(b.keeper.fd, 0);
	scene_sleep_ms(150);
	bench_errno(&b, scene_status(b.keeper.fd, &before), 0, "status");
	bench_errno(&b, scene_live(&b.sim, false), 0, "unplug");
	scene_keeper_stop(&b.keeper);
	bench_errno(&b, scene_live(&b.sim, true), 0, "plug in");
	scene_keeper_start(&b.keeper, &b.sim, 50);
	bench_errno(&b, scene_site_set(b.keeper.fd, HOLDFAST_LIM_DOSE, 1000000000), 0, "dose limit");
	bench_errno(&b, scene_fence_set(b.keeper.fd, &p, 1), 0, "the same fence");
	scene_sleep_ms(150);
	bench_errno(&b, scene_status(b.keeper.fd, &after), 0, "status");
	bench_check(&b, before.fence_dose[0] > 100 && after.fence_dose[0] >= before.fence_dose[0],
		    "dose %llu before, %llu after", before.fence_dose[0], after.fence_dose[0]);
	result(&b, "unplugged and back: the dose is remembered");
	bench_close(&b);
}

/* ---- removal beside everything else ---- */

static struct {
	int stop;
	__u64 calls;
} stress;

static unsigned int next_random(unsigned int *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 8;
}

/* Any call there is, most of them nonsense, with room for every argument. */
static void any_call(int fd, unsigned int *seed)
{
	static const unsigned char sizes[] = { 8, 16, 24, 32, 40, 48, 88, 104, 136, 176 };
	unsigned int nr = next_random(seed) % 0x44, i;
	char arg[4096];

	for (i = 0; i < sizeof(arg); i++)
		arg[i] = 0;
	*(__u32 *)arg = next_random(seed) % 4 ? sizes[next_random(seed) % 10] : 848;
	if (next_random(seed) % 2)
		*(__u32 *)(arg + 4) = next_random(seed) % 4;
	if (nr == _IOC_NR(HOLDFAST_IOC_STATUS))
		*(__u32 *)(arg + 4) = sizeof(struct holdfast_status);
	/* never the seal: it cannot be undone */
	if (nr == _IOC_NR(HOLDFAST_IOC_SEAL))
		nr = _IOC_NR(HOLDFAST_IOC_INFO);
	if (nr == _IOC_NR(HOLDFAST_IOC_LEASE_CREATE)) {
		struct holdfast_lease *l = (void *)arg;

		*l = (struct holdfast_lease){ .size = sizeof(*l), .rights = 15,
					      .epoch = next_random(seed) % 8 };
		if (!scene_ioctl(fd, HOLDFAST_IOC_LEASE_CREATE, l) && l->fd >= 0) {
			scene_ioctl(l->fd, HOLDFAST_IOC_INFO, arg);
			close(l->fd);
		}
		return;
	}
	scene_ioctl(fd, _IOC(3, HOLDFAST_IOC_MAGIC, nr, 64), arg);
}

static void read_path(const char *dir, unsigned int n, const char *rest)
{
	char path[128], text[256];
	int fd;

	snprintf(path, sizeof(path), "%s%u%s", dir, n, rest);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
}

/* One of those who do not know that the hardware comes and goes. */
static void *stressor(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg, i;
	struct holdfast_status *page;
	struct pollfd p = { .events = POLLIN | POLLOUT };
	struct holdfast_keeper k = {};
	char node[32];
	int fd;

	while (!__atomic_load_n(&stress.stop, __ATOMIC_ACQUIRE)) {
		snprintf(node, sizeof(node), "/dev/holdfast%u", next_random(&seed) % 2);
		fd = open(node, (next_random(&seed) % 4 ? O_RDWR : O_RDONLY) | O_CLOEXEC);
		if (fd < 0) {
			scene_sleep_ms(1);
			continue;
		}
		p.fd = fd;
		page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
		if (next_random(&seed) % 2)
			scene_claim(fd, &k);
		for (i = 0; i < 40; i++) {
			any_call(fd, &seed);
			if (page != MAP_FAILED && page->size != sizeof(*page) && page->size)
				scene_die("the page is not ours: size %u", page->size);
			poll(&p, 1, 0);
		}
		scene_arm(fd, k.epoch, NULL);
		read_path("/sys/class/holdfast/holdfast", next_random(&seed) % 2, "/state");
		read_path("/sys/class/hwmon/hwmon", next_random(&seed) % 2, "/temp1_input");
		read_path("/dev/holdfast_ledger-stress", next_random(&seed) % 2, "");
		__atomic_add_fetch(&stress.calls, 40, __ATOMIC_RELAXED);
		if (page != MAP_FAILED)
			munmap(page, 4096);
		close(fd);
	}
	return NULL;
}

/* Two arrays come and go, in both ways, under threads that use whatever is there. */
static void test_stress(unsigned int rounds)
{
	unsigned int seed = (unsigned int)scene_now_ns(), i, n;
	unsigned int threads = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 4 : 2;
	struct scene_array s;
	pthread_t t[4];
	char name[32];
	int ret = 0;

	tap_note("%u rounds, seed %u", rounds, seed);
	for (i = 0; i < threads; i++) {
		if (pthread_create(&t[i], NULL, stressor, (void *)(uintptr_t)(seed + i)))
			scene_die("no thread");
	}
	for (n = 0; n < rounds && !ret; n++) {
		snprintf(name, sizeof(name), "stress%u", n % 2);
		ret = scene_mkdir(&s, name);
		if (ret)
			break;
		scene_set(&s, "rows", "4");
		scene_set(&s, "cols", "4");
		ret = scene_set(&s, "live", "1");
		scene_sleep_ms(next_random(&seed) % 12);
		if (next_random(&seed) % 2)
			ret = scene_set(&s, "live", "0") ?: ret;
		if (rmdir(s.dir))
			ret = -errno;
	}
	__atomic_store_n(&stress.stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	tap_ok(!ret && n == rounds && stress.calls > rounds,
	       "removed and made %u times beside %llu calls%s%s", n, stress.calls,
	       ret ? ": " : "", ret ? strerror(-ret) : "");
}

/* Nothing has kept a reference: with all arrays gone both modules go, and come back. */
static void test_unload(void)
{
	int i, ret = 0;

	for (i = 0; i < 100; i++) {
		ret = scene_module_unload("holdfast_sim");
		if (!ret)
			break;
		scene_sleep_ms(20);
	}
	tap_ok(!ret, "holdfast_sim unloads when all is gone: %s", strerror(-ret));
	ret = scene_module_unload("holdfast");
	tap_ok(!ret, "and holdfast: %s", strerror(-ret));
	scene_load();
}

/* ---- the seal; it holds until the end of this machine ---- */

static void test_seal(void)
{
	struct holdfast_envelope e;
	struct bench b;
	int ret;

	open_bench(&b);
	bench_errno(&b, scene_site_set(b.keeper.fd, HOLDFAST_LIM_HOLD, 200), 0, "limit");
	bench_errno(&b, scene_seal(b.keeper.fd), 0, "seal");
	bench_errno(&b, scene_site_set(b.keeper.fd, HOLDFAST_LIM_HOLD, 250), EPERM, "loosen");
	bench_errno(&b, scene_site_tighten(b.keeper.fd, HOLDFAST_LIM_HOLD, 150), 0, "tighten");
	bench_errno(&b, scene_fence_set(b.keeper.fd, NULL, 0), EPERM, "new fence");
	result(&b, "sealed: only tighter");

	b.failures = 0;
	bench_errno(&b, scene_live(&b.sim, false), 0, "unplug");
	scene_keeper_stop(&b.keeper);
	bench_errno(&b, scene_live(&b.sim, true), 0, "plug in");
	scene_keeper_start(&b.keeper, &b.sim, 50);
	bench_errno(&b, scene_env_get(b.keeper.fd, HOLDFAST_ENV_EFFECTIVE, &e), 0, "envelope");
	bench_check(&b, e.sealed == 1 && e.limit[HOLDFAST_LIM_HOLD] == 150, "sealed %u, hold %lld",
		    e.sealed, e.limit[HOLDFAST_LIM_HOLD]);
	bench_errno(&b, scene_site_set(b.keeper.fd, HOLDFAST_LIM_HOLD, 300), EPERM, "loosen");
	result(&b, "sealed, unplugged and back: still sealed");

	b.failures = 0;
	bench_close(&b);
	ret = scene_module_unload("holdfast_sim");
	bench_check(&b, ret == -EAGAIN || ret == -EBUSY, "holdfast_sim: %s", strerror(-ret));
	ret = scene_module_unload("holdfast");
	bench_check(&b, ret == -EAGAIN || ret == -EBUSY, "holdfast: %s", strerror(-ret));
	result(&b, "sealed, all arrays gone: the modules stay");
}

int main(int argc, char **argv)
{
	const char *kernel = getenv("VM_KERNEL") ?: "";

	slack_ms = strncmp(kernel, "uml", 3) ? 60 : 20;
	scene_load();
	test_program("program killed, its lease with it: dark at once", SIGKILL, false);
	test_program("program killed, its lease passed on: held no longer than HOLD", SIGKILL, true);
	test_program("program stopped: held no longer than HOLD", SIGSTOP, true);
	test_keeper_closes();
	test_keeper_killed();
	test_keeper_stopped();
	test_keeper_frozen();
	test_file_left(false);
	test_file_left(true);
	test_hogs();
	test_clock();
	test_cpu_offline();
	test_rmmod();
	test_unbind();
	test_removed(true);
	test_removed(false);
	test_dose_kept();
	test_stress(argc > 1 ? (unsigned int)atoi(argv[1]) : 200);
	test_unload();
	test_seal();
	return tap_done();
}
