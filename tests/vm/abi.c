// SPDX-License-Identifier: GPL-2.0
/*
 * The ABI of /dev/holdfastN and of leases, call by call: every size, flag,
 * reserved field, pointer, kind of file and capability, and every error that
 * uapi/holdfast.h documents. Also built with -m32: a 32-bit program must see
 * the same. What the calls do to an array is not tested here.
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "abi.h"

struct world w;

static const char *const world_attrs[] = {
	"rows=4", "cols=4", "limit=keeper_deadline 10000", "limit=tick_late 2000",
	"limit=trip_dwell 0", NULL
};

static void *page(int prot)
{
	void *p = mmap(NULL, sysconf(_SC_PAGESIZE), prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		tap_bail("mmap: %s", strerror(errno));
	return p;
}

static void world_open(void)
{
	size_t ps = (size_t)sysconf(_SC_PAGESIZE);

	bench_open(&w.b, "abi", world_attrs);
	w.epoch = w.b.keeper.epoch;
	w.other = scene_open(&w.b.sim, O_RDWR);
	w.ro = scene_open(&w.b.sim, O_RDONLY);
	w.frame = scene_frame_new(w.b.sim.info.channels, 1);
	scene_frame_flat(w.frame, 1000);
	scene_foci(w.frame)->z_um = 100000;
	w.edge = mmap(NULL, 3 * ps, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w.edge == MAP_FAILED || w.other < 0 || w.ro < 0)
		tap_bail("cannot set the scene");
	w.edge += 2 * ps;
	mprotect(w.edge, ps, PROT_NONE);
	w.rom = page(PROT_READ);
	w.hole = page(PROT_NONE);
	scene_wait_sensors(w.ro, 3000);
}

bool want_errno(int ret, int err, const char *file, int line, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return bench_check(&w.b, ret == -err, "%s:%d: %s: %s, expected %s", file, line, what,
			   ret < 0 ? strerror(-ret) : "success", err ? strerror(err) : "success");
}

void result(const char *name)
{
	tap_ok(!w.b.failures, "%s", name);
	w.b.failures = 0;
}

void without_cap(int cap, void (*fn)(void))
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		w.b.failures = 0;
		if (syscall(SYS_capget, &head, data))
			_exit(100);
		if (cap < 0)
			data[0].effective = data[1].effective = 0;
		else
			data[cap / 32].effective &= ~(1U << (cap % 32));
		if (syscall(SYS_capset, &head, data))
			_exit(101);
		fn();
		fflush(stdout);
		_exit(w.b.failures);
	}
	waitpid(pid, &status, 0);
	check(status == 0, "%s capability %d: status %#x", "without", cap, status);
}

int claim(int fd)
{
	struct holdfast_keeper k;

	return scene_claim(fd, &k);
}

__u32 live_leases(void)
{
	struct holdfast_lease_list l = { .size = sizeof(l) };

	want(scene_ioctl(w.ro, HOLDFAST_IOC_LEASE_LIST, &l), 0, "list");
	return l.count;
}

int main(void)
{
	scene_load();
	world_open();
	test_info();
	test_status();
	test_calls();
	test_unknown();
	test_keeper();
	test_lease_create();
	test_entries();
	test_quota();
	test_lease_ends();
	test_rights();
	test_control();
	test_envelope();
	test_fence();
	test_frames();
	test_wait();
	test_submit();
	test_blackbox();
	test_mmap();
	test_poll();
	test_seal();
	test_gone();
	return tap_done();
}
