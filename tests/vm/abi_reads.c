// SPDX-License-Identifier: GPL-2.0
/*
 * What can be read and waited for: information, status and its page, black box, poll(2); and
 * what is left when the hardware is gone.
 */
#include <sys/mman.h>

#include "abi.h"

void test_info(void)
{
	struct holdfast_limit_info l = { .size = sizeof(l) };
	struct holdfast_sensor_info s = { .size = sizeof(s) };
	struct holdfast_geometry g = { .size = sizeof(g) };
	struct holdfast_info i;

	want(scene_info(w.ro, &i), 0, "info");
	check(i.abi == HOLDFAST_ABI_VERSION && i.channels == 16 && i.sensors == 5 &&
	      i.index == (__u32)w.b.sim.index && !strcmp(i.model, "sim") &&
	      !strcmp(i.serial, "abi") && i.instance, "abi %u, channels %u, %s-%s", i.abi,
	      i.channels, i.model, i.serial);
	check(i.caps == (HOLDFAST_CAP_ATOMIC_SILENCE | HOLDFAST_CAP_POWER_CUT |
			 HOLDFAST_CAP_READBACK | HOLDFAST_CAP_SIMULATED | HOLDFAST_CAP_AMPLITUDE),
	      "caps %#x", i.caps);
	for (l.limit = 0; l.limit < HOLDFAST_LIM_COUNT; l.limit++) {
		want(scene_ioctl(w.ro, HOLDFAST_IOC_LIMIT_INFO, &l), 0, "limit %u", l.limit);
		check(!strcmp(l.name, scene_limit_name(l.limit)) && l.min < l.max && l.unit[0],
		      "limit %u: %s", l.limit, l.name);
	}
	want(scene_ioctl(w.ro, HOLDFAST_IOC_LIMIT_INFO, &l), EINVAL, "limit %u", l.limit);
	l.limit = HOLDFAST_LIM_NONE;
	want(scene_ioctl(w.ro, HOLDFAST_IOC_LIMIT_INFO, &l), EINVAL, "limit none");
	for (s.index = 0; s.index < i.sensors; s.index++)
		want(scene_ioctl(w.ro, HOLDFAST_IOC_SENSOR_INFO, &s), 0, "sensor %u", s.index);
	want(scene_ioctl(w.ro, HOLDFAST_IOC_SENSOR_INFO, &s), EINVAL, "sensor %u", s.index);
	g.count = 1;
	g.pos = (uintptr_t)w.hole;
	want(scene_ioctl(w.ro, HOLDFAST_IOC_GEOMETRY, &g), EFAULT, "positions nowhere");
	g.count = 0;
	want(scene_ioctl(w.ro, HOLDFAST_IOC_GEOMETRY, &g), 0, "no room for positions");
	check(g.count == 16, "%u positions", g.count);
	result("info");
}

void test_status(void)
{
	struct {
		struct holdfast_status st;
		char surplus[64];
	} big;
	struct holdfast_status st;

	memset(&big, 0xff, sizeof(big));
	big.st.size = sizeof(big);
	want(scene_ioctl(w.ro, HOLDFAST_IOC_STATUS, &big), 0, "longer");
	check(!big.surplus[0] && !big.surplus[63], "its surplus is not zero");
	check(big.st.size == sizeof(big.st) && !(big.st.seq & 1), "size %u, seq %u", big.st.size,
	      big.st.seq);
	memset(&st, 0xff, sizeof(st));
	st.size = 24;
	want(scene_ioctl(w.ro, HOLDFAST_IOC_STATUS, &st), 0, "the first 24 bytes");
	check(st.instance == ~0ULL && st.time_ns != ~0ULL, "wrote behind its end");
	st.size = 23;
	want(scene_ioctl(w.ro, HOLDFAST_IOC_STATUS, &st), EINVAL, "23 bytes");
	want(scene_ioctl(w.ro, HOLDFAST_IOC_STATUS, w.hole), EFAULT, "nowhere");
	result("status");
}

void test_blackbox(void)
{
	static struct holdfast_blackbox_entry e[1024];
	struct holdfast_blackbox b = { .size = sizeof(b), .count = 1024, .entries = (uintptr_t)e };
	__u32 i, bad = 0;

	want(scene_ioctl(w.ro, HOLDFAST_IOC_BLACKBOX, &b), 0, "black box");
	for (i = 1; i < b.count && i < 1024; i++)
		bad += e[i].time_ns < e[i - 1].time_ns;
	check(b.count > 10 && b.count <= 1024 && !bad && !b.frozen, "%u entries, %u out of order",
	      b.count, bad);
	b.count = 1;
	b.entries = (uintptr_t)w.hole;
	want(scene_ioctl(w.ro, HOLDFAST_IOC_BLACKBOX, &b), EFAULT, "entries nowhere");
	scene_silence(w.ro, HOLDFAST_SILENCE_LATCH);
	b.count = 0;
	want(scene_ioctl(w.ro, HOLDFAST_IOC_BLACKBOX, &b), 0, "no room");
	check(b.frozen == 1 && b.count, "frozen %u, %u entries", b.frozen, b.count);
	want(scene_reset(w.b.keeper.fd, w.epoch, NULL), 0, "reset");
	result("black box");
}

static void *map(int fd, int prot, int flags, size_t pages, off_t page_at)
{
	size_t ps = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, pages * ps, prot, flags, fd, page_at * (off_t)ps);

	return p == MAP_FAILED ? NULL : p;
}

/* Reads under the sequence count as a program would; how often it had to look again. */
static struct holdfast_status read_page(const struct holdfast_status *p)
{
	struct holdfast_status copy;
	__u32 seq;

	do {
		seq = __atomic_load_n(&p->seq, __ATOMIC_ACQUIRE);
		memcpy(&copy, (const void *)p, sizeof(copy));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while ((seq & 1) || seq != __atomic_load_n(&p->seq, __ATOMIC_ACQUIRE));
	return copy;
}

void test_mmap(void)
{
	struct holdfast_status *p, *q, now, before = {};
	size_t ps = (size_t)sysconf(_SC_PAGESIZE);
	__u64 until, changes = 0;
	int bad = 0;

	check(!map(w.other, PROT_READ | PROT_WRITE, MAP_SHARED, 1, 0) && errno == EPERM, "writable");
	check(!map(w.other, PROT_READ, MAP_SHARED, 2, 0) && errno == EINVAL, "two pages");
	check(!map(w.other, PROT_READ, MAP_SHARED, 1, 1) && errno == EINVAL, "the second page");
	p = map(w.ro, PROT_READ, MAP_SHARED, 1, 0);
	q = map(w.b.lease, PROT_READ, MAP_SHARED, 1, 0);
	if (!check(p && q, "cannot be mapped"))
		return;
	check(mprotect(p, ps, PROT_READ | PROT_WRITE) && errno == EACCES, "mprotect opens it");
	q = map(w.other, PROT_READ, MAP_PRIVATE, 1, 0);
	check(!q || (mprotect(q, ps, PROT_READ | PROT_WRITE) && errno == EACCES),
	      "mprotect opens a private mapping");

	/* Consistent, and going on, while it is written a hundred times a second and more. */
	until = scene_now_ns() + 300 * SCENE_MS;
	while (scene_now_ns() < until) {
		now = read_page(p);
		bad += now.time_ns < before.time_ns || now.tick < before.tick ||
		       now.size != sizeof(now) || now.sensors != 5 ||
		       now.derated != (now.cap_q16 < 65535) || now.instance != w.b.sim.info.instance;
		changes += now.tick != before.tick;
		before = now;
		scene_status(w.ro, &now);
	}
	check(!bad && changes > 5, "%d inconsistent, %llu changes", bad, changes);
	result("status page");
}

static short polled(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI };

	poll(&p, 1, 0);
	return p.revents;
}

void test_poll(void)
{
	struct pollfd p = { .fd = w.ro, .events = POLLPRI };
	struct holdfast_status st;
	int fd, child;

	scene_silence(w.ro, 0);
	fd = scene_open(&w.b.sim, O_RDWR);
	check(polled(fd) == 0, "new, nothing happened: %#x", polled(fd));
	check(!(polled(w.b.lease) & POLLOUT), "a lease while silent: %#x", polled(w.b.lease));
	want(scene_arm(w.b.keeper.fd, w.epoch, NULL), 0, "arm");
	check(polled(fd) == POLLIN, "after an event: %#x", polled(fd));
	check(polled(w.b.lease) == POLLOUT, "a lease while armed: %#x", polled(w.b.lease));
	scene_status(fd, &st);
	check(polled(fd) == 0, "after asking for the status: %#x", polled(fd));
	fflush(stdout);
	child = fork();
	if (!child) {
		scene_sleep_ms(100);
		scene_silence(w.other, HOLDFAST_SILENCE_LATCH);
		_exit(0);
	}
	check(poll(&p, 1, 3000) == 1 && p.revents == POLLPRI, "a trip wakes nobody: %#x", p.revents);
	waitpid(child, NULL, 0);
	check(polled(fd) == (POLLIN | POLLPRI), "tripped: %#x", polled(fd));
	want(scene_reset(w.b.keeper.fd, w.epoch, NULL), 0, "reset");
	check(!(polled(fd) & POLLPRI), "after the reset: %#x", polled(fd));
	close(fd);
	result("poll");
}

/* Every call on files of an array that is gone; the scene ends here. */
void test_gone(void)
{
	struct holdfast_status *p = map(w.ro, PROT_READ, MAP_SHARED, 1, 0), st;

	want(scene_live(&w.b.sim, false), 0, "unplug");
	calls_gone();
	want(scene_status(w.ro, &st), ENODEV, "STATUS");
	want(scene_write(w.b.lease, w.frame), ENODEV, "frame");
	check((polled(w.ro) & (POLLHUP | POLLERR)) == (POLLHUP | POLLERR), "node: %#x",
	      polled(w.ro));
	check(polled(w.b.lease) & POLLHUP, "lease: %#x", polled(w.b.lease));
	check(p && read_page(p).state == HOLDFAST_STATE_SILENT, "the page says %u",
	      p ? read_page(p).state : 0);
	result("hardware gone");
}
