// SPDX-License-Identifier: GPL-2.0
/*
 * The ABI of /dev/holdfastN and of leases, call by call: every size, flag,
 * reserved field, pointer, kind of file and capability, and every error that
 * uapi/holdfast.h documents. Also built with -m32: a 32-bit program must see
 * the same. What the calls do to an array is not tested here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "bench.h"
#include "tap.h"

#define NONE		((size_t)-1)

/*
 * The array that the calls are made on. Nobody need beat often: its deadline is
 * 10 s, but where a test is about that.
 */
static struct world {
	struct bench b;
	int other;	/* writable, not the keeper */
	int ro;		/* read-only */
	__u64 epoch;
	struct holdfast_frame *frame;
	char *edge;	/* end of writable memory: nothing is mapped behind it */
	void *rom;	/* a page that cannot be written */
	void *hole;	/* an address where nothing is */
} w;

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

#define want(ret, err, ...)	want_errno(ret, err, __LINE__, __VA_ARGS__)

__attribute__((format(printf, 4, 5)))
static bool want_errno(int ret, int err, int line, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return bench_check(&w.b, ret == -err, "line %d: %s: %s, expected %s", line, what,
			   ret < 0 ? strerror(-ret) : "success", err ? strerror(err) : "success");
}

#define check(ok, ...)	bench_check(&w.b, ok, __VA_ARGS__)

static void result(const char *name)
{
	tap_ok(!w.b.failures, "%s", name);
	w.b.failures = 0;
}

/* ---- the same of every call ---- */

struct call {
	const char *name;
	unsigned long cmd;
	size_t size;
	void (*fill)(void *arg);	/* a good argument, @arg zeroed and its size set */
	int good;			/* what that gives: 0 or an errno */
	bool lease;			/* made on a lease; else on the keeper's file */
	int elsewhere;			/* on the other kind of file; 0: the same as here */
	size_t flags;			/* offset of a field of flags, all but a few unknown */
	size_t reserved;		/* offset of a field that must be zero */
	bool closes;			/* a good call makes a file */
	size_t first;			/* size in the first ABI, if it was less */
};

static void fill_nothing(void *arg)
{
	(void)arg;
}

static struct holdfast_channel_pos some_pos[HOLDFAST_MAX_CHANNELS];

static void fill_geometry(void *arg)
{
	struct holdfast_geometry *g = arg;

	g->count = HOLDFAST_MAX_CHANNELS;
	g->pos = (uintptr_t)some_pos;
}

static void fill_beat(void *arg)
{
	struct holdfast_beat *b = arg;
	struct holdfast_status st;

	scene_status(w.ro, &st);
	b->epoch = w.epoch;
	b->event_seq = st.event_seq;
}

static void fill_lease(void *arg)
{
	struct holdfast_lease *l = arg;

	l->epoch = w.epoch;
	l->rights = HOLDFAST_RIGHT_FRAMES;
}

static void fill_ref(void *arg)
{
	struct holdfast_lease_ref *r = arg;

	r->epoch = w.epoch;
	r->id = ~0ULL;
}

static struct holdfast_lease_info some_leases[HOLDFAST_MAX_LEASES];

static void fill_list(void *arg)
{
	struct holdfast_lease_list *l = arg;

	l->count = HOLDFAST_MAX_LEASES;
	l->leases = (uintptr_t)some_leases;
}

static void fill_quota(void *arg)
{
	struct holdfast_quota *q = arg;

	q->epoch = w.epoch;
	q->set = 1U << HOLDFAST_QUOTA_EMIT;
	q->budget[HOLDFAST_QUOTA_EMIT] = HOLDFAST_QUOTA_NONE;
}

static struct holdfast_tenant_info some_tenants[HOLDFAST_MAX_TENANTS];

static void fill_tenants(void *arg)
{
	struct holdfast_tenant_list *l = arg;

	l->count = HOLDFAST_MAX_TENANTS;
	l->tenants = (uintptr_t)some_tenants;
	l->entry_size = sizeof(some_tenants[0]);
}

/* Both begin silent. */
static void fill_control(void *arg)
{
	struct holdfast_control *c = arg;

	scene_silence(w.ro, 0);
	c->epoch = w.epoch;
}

static void fill_idle(void *arg)
{
	(void)arg;
	scene_silence(w.ro, 0);
}

static void fill_site(void *arg)
{
	struct holdfast_envelope *e = arg;

	scene_silence(w.ro, 0);
	e->which = HOLDFAST_ENV_SITE;
}

static void fill_surface(void *arg)
{
	static struct holdfast_surface_point p;
	struct holdfast_surface *s = arg;

	scene_silence(w.ro, 0);
	p.mean_mpa = 0;	/* told by the last GET */
	s->count = 1;
	s->points = (uintptr_t)&p;
}

static void fill_fence(void *arg)
{
	struct holdfast_fence *f = arg;

	scene_silence(w.ro, 0);
	f->which = HOLDFAST_ENV_SITE;
}

static struct holdfast_frame_result some_results[4];

static void fill_submit(void *arg)
{
	struct holdfast_submit *s = arg;

	scene_silence(w.ro, 0);
	s->frames = (uintptr_t)w.frame;
	s->bytes = w.frame->size;
	s->results = (uintptr_t)some_results;
	s->count = 4;
}

#define CALL(_nr, _type)	.name = #_nr, .cmd = HOLDFAST_IOC_##_nr, .size = sizeof(struct _type)
#define FLAGS(_type)		.flags = offsetof(struct _type, flags)
#define NO_FLAGS		.flags = NONE
#define RESERVED(_type)		.reserved = offsetof(struct _type, reserved)
#define NO_RESERVED		.reserved = NONE
#define FIRST(_type, _last)	.first = offsetof(struct _type, _last) + \
					 sizeof(((struct _type *)0)->_last)

/* All calls but those without a size of their own: STATUS, LAST_VERDICT. */
static const struct call calls[] = {
	{ CALL(INFO, holdfast_info), fill_nothing, NO_FLAGS, NO_RESERVED },
	{ CALL(GEOMETRY, holdfast_geometry), fill_geometry, NO_FLAGS, NO_RESERVED },
	{ CALL(LIMIT_INFO, holdfast_limit_info), fill_nothing, NO_FLAGS,
	  RESERVED(holdfast_limit_info) },
	{ CALL(SENSOR_INFO, holdfast_sensor_info), fill_nothing, NO_FLAGS,
	  RESERVED(holdfast_sensor_info) },
	{ CALL(KEEPER_CLAIM, holdfast_keeper), fill_nothing, .good = EBUSY, .elsewhere = ENOTTY,
	  FLAGS(holdfast_keeper), RESERVED(holdfast_keeper) },
	{ CALL(BEAT, holdfast_beat), fill_beat, .elsewhere = ENOTTY, FLAGS(holdfast_beat),
	  NO_RESERVED },
	{ CALL(LEASE_CREATE, holdfast_lease), fill_lease, .elsewhere = ENOTTY,
	  FLAGS(holdfast_lease), RESERVED(holdfast_lease), FIRST(holdfast_lease, label),
	  .closes = true },
	{ CALL(LEASE_REVOKE, holdfast_lease_ref), fill_ref, .good = ENOENT, .elsewhere = EPERM,
	  FLAGS(holdfast_lease_ref), NO_RESERVED, FIRST(holdfast_lease_ref, id) },
	{ CALL(LEASE_LIST, holdfast_lease_list), fill_list, NO_FLAGS,
	  RESERVED(holdfast_lease_list), FIRST(holdfast_lease_list, leases) },
	{ CALL(QUOTA_SET, holdfast_quota), fill_quota, .elsewhere = EPERM, FLAGS(holdfast_quota),
	  RESERVED(holdfast_quota) },
	{ CALL(TENANT_LIST, holdfast_tenant_list), fill_tenants, NO_FLAGS,
	  RESERVED(holdfast_tenant_list) },
	{ CALL(ARM, holdfast_control), fill_control, .elsewhere = EINVAL, FLAGS(holdfast_control),
	  NO_RESERVED, FIRST(holdfast_control, reason) },
	{ CALL(SILENCE, holdfast_silence), fill_nothing, FLAGS(holdfast_silence), NO_RESERVED,
	  FIRST(holdfast_silence, flags) },
	{ CALL(RESET, holdfast_control), fill_control, .good = EBUSY, .elsewhere = EINVAL,
	  FLAGS(holdfast_control), NO_RESERVED, FIRST(holdfast_control, reason) },
	{ CALL(SELF_TEST, holdfast_self_test), fill_idle, FLAGS(holdfast_self_test),
	  NO_RESERVED },
	{ CALL(ENVELOPE_GET, holdfast_envelope), fill_site, NO_FLAGS, NO_RESERVED },
	{ CALL(ENVELOPE_SET, holdfast_envelope), fill_site, NO_FLAGS, NO_RESERVED },
	{ CALL(ENVELOPE_TIGHTEN, holdfast_envelope), fill_site, NO_FLAGS, NO_RESERVED },
	/* never a good one: it cannot be undone */
	{ CALL(SEAL, holdfast_seal), NULL, FLAGS(holdfast_seal), NO_RESERVED },
	{ CALL(FENCE_GET, holdfast_fence), fill_fence, NO_FLAGS, RESERVED(holdfast_fence) },
	{ CALL(FENCE_SET, holdfast_fence), fill_fence, NO_FLAGS, RESERVED(holdfast_fence) },
	{ CALL(FENCE_ADD, holdfast_fence), fill_fence, NO_FLAGS, RESERVED(holdfast_fence) },
	{ CALL(SURFACE_GET, holdfast_surface), fill_surface, NO_FLAGS, NO_RESERVED },
	{ CALL(SURFACE_SET, holdfast_surface), fill_surface, NO_FLAGS, NO_RESERVED },
	{ CALL(SURFACE_ADD, holdfast_surface), fill_surface, NO_FLAGS, NO_RESERVED },
	{ CALL(SUBMIT, holdfast_submit), fill_submit, .lease = true, .elsewhere = ENOTTY,
	  FLAGS(holdfast_submit), RESERVED(holdfast_submit) },
	{ CALL(QUEUE, holdfast_queue), fill_nothing, .lease = true, .elsewhere = ENOTTY,
	  FLAGS(holdfast_queue), NO_RESERVED },
	{ CALL(TRIP_GET, holdfast_trip), fill_nothing, NO_FLAGS, NO_RESERVED,
	  FIRST(holdfast_trip, count) },
	{ CALL(BLACKBOX, holdfast_blackbox), fill_nothing, NO_FLAGS, RESERVED(holdfast_blackbox) },
};

static void prepare(const struct call *c, void *arg, size_t size)
{
	memset(arg, 0, size);
	*(__u32 *)arg = (__u32)size;
	if (c->fill)
		c->fill(arg);
}

static int make(const struct call *c, void *arg)
{
	int ret = scene_ioctl(c->lease ? w.b.lease : w.b.keeper.fd, c->cmd, arg);

	if (!ret && c->closes)
		close(((struct holdfast_lease *)arg)->fd);
	return ret;
}

/* A program that was built before the structure grew: nothing behind its own is read or written. */
static void test_older(const struct call *c)
{
	static char room[65536];
	size_t size, i;

	for (size = c->first; c->first && size < c->size; size += 4) {
		prepare(c, room, size);
		memset(room + size, 0xa5, c->size);
		want(make(c, room), c->good, "older, of %zu bytes", size);
		for (i = size; i < size + c->size && room[i] == (char)0xa5; i++)
			;
		check(i == size + c->size, "older, of %zu bytes: byte %zu was written", size, i);
	}
}

static void test_sizes(const struct call *c)
{
	static char room[65536];
	__u32 *size = (__u32 *)room;
	int ret;

	test_older(c);

	if (c->fill) {
		prepare(c, room, c->size);
		want(make(c, room), c->good, "as it is");
		prepare(c, room, c->size + 64);
		want(make(c, room), c->good, "longer, the surplus zero");
		prepare(c, room, sizeof(room));
		want(make(c, room), c->good, "much longer, the surplus zero");
	}
	prepare(c, room, c->size + 64);
	room[c->size] = 1;
	want(make(c, room), E2BIG, "longer, the first byte of the surplus set");
	prepare(c, room, c->size + 64);
	room[c->size + 63] = 1;
	want(make(c, room), E2BIG, "longer, the last byte set");
	prepare(c, room, c->size);
	*size = 0;
	want(make(c, room), EINVAL, "size 0");
	*size = 4;
	want(make(c, room), EINVAL, "size 4");
	*size = (__u32)(c->first ?: c->size) - 1;
	want(make(c, room), EINVAL, "a byte too short");
	*size = 0xffffffff;
	ret = make(c, room);
	check(ret == -EFAULT || ret == -E2BIG, "size 4 GiB: %d", ret);
}

static void test_fields(const struct call *c)
{
	static char room[65536];
	int bit;

	for (bit = 0; bit < 32 && c->flags != NONE; bit++) {
		if (c->cmd == HOLDFAST_IOC_SILENCE && 1U << bit == HOLDFAST_SILENCE_LATCH)
			continue;
		if (c->cmd == HOLDFAST_IOC_QUOTA_SET && 1U << bit == HOLDFAST_QUOTA_RESET)
			continue;
		if (c->cmd == HOLDFAST_IOC_QUEUE && 1U << bit == HOLDFAST_QUEUE_CANCEL)
			continue;
		prepare(c, room, c->size);
		*(__u32 *)(room + c->flags) = 1U << bit;
		want(make(c, room), EINVAL, "flag bit %d", bit);
	}
	if (c->reserved == NONE)
		return;
	prepare(c, room, c->size);
	*(__u32 *)(room + c->reserved) = 1;
	want(make(c, room), EINVAL, "reserved field set");
	*(__u32 *)(room + c->reserved) = 0x80000000;
	want(make(c, room), EINVAL, "reserved field's highest bit set");
}

static void test_pointers(const struct call *c)
{
	void *kernel = (void *)(uintptr_t)0xfffffffffffff000ULL;
	int fd = c->lease ? w.b.lease : w.b.keeper.fd;
	size_t ps = (size_t)sysconf(_SC_PAGESIZE);
	void *cut = w.edge - 8;

	want(scene_ioctl(fd, c->cmd, NULL), EFAULT, "NULL");
	want(scene_ioctl(fd, c->cmd, (void *)8), EFAULT, "pointer 8");
	want(scene_ioctl(fd, c->cmd, w.hole), EFAULT, "unmapped");
	want(scene_ioctl(fd, c->cmd, kernel), EFAULT, "pointer of the kernel");
	*(__u32 *)cut = (__u32)c->size;
	if (c->size > 8)
		want(scene_ioctl(fd, c->cmd, cut), EFAULT, "cut off by the end of memory");
	if (c->size > ps)
		return;
	/* the argument could be read, but its result has nowhere to go */
	mprotect(w.rom, ps, PROT_READ | PROT_WRITE);
	prepare(c, w.rom, c->size);
	mprotect(w.rom, ps, PROT_READ);
	if (c->fill)
		want(scene_ioctl(fd, c->cmd, w.rom), EFAULT, "memory that cannot be written");
}

static void test_files(const struct call *c)
{
	static char room[65536];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), here, there;

	here = c->lease ? w.b.lease : w.b.keeper.fd;
	there = c->lease ? w.b.keeper.fd : w.b.lease;
	prepare(c, room, c->size);
	if (c->fill)
		want(scene_ioctl(there, c->cmd, room), c->elsewhere ?: c->good,
		     c->lease ? "on the node" : "on a lease");
	want(scene_ioctl(null, c->cmd, room), ENOTTY, "on /dev/null");
	close(null);
	want(scene_ioctl(here, c->cmd ^ _IOC(0, 1, 0, 0), room), ENOTTY, "other magic");
	prepare(c, room, c->size);
	want(scene_ioctl(here, _IOC(_IOC_READ, _IOC_TYPE(c->cmd), _IOC_NR(c->cmd), c->size), room),
	     ENOTTY, "other direction");
}

static __u32 live_leases(void)
{
	struct holdfast_lease_list l = { .size = sizeof(l) };

	want(scene_ioctl(w.ro, HOLDFAST_IOC_LEASE_LIST, &l), 0, "list");
	return l.count;
}

static void test_calls(void)
{
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		test_sizes(&calls[i]);
		test_fields(&calls[i]);
		test_pointers(&calls[i]);
		test_files(&calls[i]);
		check(live_leases() == 1, "%u leases are left", live_leases() - 1);
		result(calls[i].name);
	}
}

/* Numbers that are nobody's. */
static void test_unknown(void)
{
	static char room[65536];
	unsigned int nr, known;
	size_t i;

	for (nr = 0; nr < 256; nr++) {
		known = nr == _IOC_NR(HOLDFAST_IOC_STATUS) || nr == _IOC_NR(HOLDFAST_IOC_LAST_VERDICT);
		for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
			known |= nr == _IOC_NR(calls[i].cmd);
		*(__u32 *)room = 64;
		if (!known) {
			want(scene_ioctl(w.other, _IOC(3, HOLDFAST_IOC_MAGIC, nr, 64), room), ENOTTY,
			     "number %#x", nr);
			want(scene_ioctl(w.b.lease, _IOC(3, HOLDFAST_IOC_MAGIC, nr, 64), room), ENOTTY,
			     "number %#x on a lease", nr);
		}
	}
	result("unknown numbers");
}

/* ---- what each call can answer ---- */

/* Runs @fn in a process without the capability @cap in effect. */
static void without_cap(int cap, void (*fn)(void))
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

static int claim(int fd)
{
	struct holdfast_keeper k;

	return scene_claim(fd, &k);
}

static int beat(int fd, __u64 epoch, __u64 seq)
{
	struct holdfast_beat b = { .size = sizeof(b), .epoch = epoch, .event_seq = seq };

	return scene_ioctl(fd, HOLDFAST_IOC_BEAT, &b);
}

static __u64 newest(int fd)
{
	struct holdfast_status st;

	want(scene_status(fd, &st), 0, "status");
	return st.event_seq;
}

static void claims_unprivileged(void)
{
	want(claim(w.other), EPERM, "claim without CAP_SYS_RAWIO");
}

static void test_keeper(void)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL };
	struct scene_keeper old, young;
	struct holdfast_status before, after;
	struct scene_array s;
	int fd, lease;
	__u64 seq;

	want(claim(w.other), EBUSY, "claim beside a keeper that beats");
	want(claim(w.ro), EBADF, "claim by a read-only file");
	without_cap(CAP_SYS_RAWIO, claims_unprivileged);
	seq = newest(w.ro);
	want(beat(w.b.keeper.fd, w.epoch + 1, seq), ESTALE, "beat of another epoch");
	want(beat(w.other, w.epoch, seq), ESTALE, "beat of a file that is no keeper");
	want(beat(w.b.keeper.fd, w.epoch, seq + 1000), EINVAL, "beat ahead of events");

	scene_make(&s, "abi-short", SCENE_ATTRS("rows=4", "cols=4", "limit=keeper_deadline 200",
						"limit=tick_late 2000"));
	scene_keeper_start(&old, &s, 0);
	fd = scene_open(&s, O_RDWR);
	seq = newest(fd);
	lease = scene_lease(old.fd, old.epoch, &ask, NULL);
	check(lease >= 0, "lease: %d", lease);
	scene_status(fd, &before);
	scene_sleep_ms(300);
	want(beat(old.fd, old.epoch, seq), ETIME, "beat that leaves an old event unhandled");
	scene_status(fd, &after);
	check(after.beat_ns == before.beat_ns, "and it counted");
	want(scene_arm(old.fd, old.epoch, NULL), ETIME, "arm by a keeper that does not beat");
	want(beat(old.fd, old.epoch, newest(fd)), 0, "beat that has handled all");
	scene_sleep_ms(300);
	scene_keeper_start(&young, &s, 0);
	check(young.epoch == old.epoch + 1, "epoch %llu after %llu", young.epoch, old.epoch);
	want(beat(old.fd, old.epoch, newest(fd)), ESTALE, "beat of a keeper that was replaced");
	want(scene_arm(old.fd, old.epoch, NULL), EPERM, "arm by it");
	want(scene_arm(young.fd, old.epoch, NULL), ESTALE, "arm with its epoch");
	want(scene_arm(lease, 0, NULL), EKEYREVOKED, "arm by its lease");
	close(lease);
	scene_keeper_stop(&old);
	check(scene_state(fd) == HOLDFAST_STATE_SILENT, "state %d", scene_state(fd));
	want(claim(fd), EBUSY, "closing the file of an old keeper makes no room");
	scene_keeper_stop(&young);
	want(claim(fd), 0, "closing that of the keeper does");
	close(fd);
	scene_drop(&s);
	result("claim and beat");
}

static int lease_with(int fd, void (*change)(struct holdfast_lease *l))
{
	struct holdfast_lease l = { .size = sizeof(l), .epoch = w.epoch,
				    .rights = HOLDFAST_RIGHT_ALL };
	int ret;

	if (change)
		change(&l);
	ret = scene_ioctl(fd, HOLDFAST_IOC_LEASE_CREATE, &l);
	return ret ?: l.fd;
}

static struct holdfast_envelope lease_env;
static struct holdfast_fence_point lease_points[HOLDFAST_MAX_FENCE + 1];

static void other_epoch(struct holdfast_lease *l) { l->epoch++; }
static void other_rights(struct holdfast_lease *l) { l->rights = 16; }
static void no_end_of_label(struct holdfast_lease *l) { memset(l->label, 'x', sizeof(l->label)); }
static void for_ever(struct holdfast_lease *l) { l->duration_ms = ~0ULL; }
static void lost_envelope(struct holdfast_lease *l) { l->envelope = (uintptr_t)w.hole; }
static void own_envelope(struct holdfast_lease *l) { l->envelope = (uintptr_t)&lease_env; }
static void lost_fence(struct holdfast_lease *l)
{
	l->fence = (uintptr_t)w.hole;
	l->nfence = 1;
}
static void huge_fence(struct holdfast_lease *l)
{
	l->fence = (uintptr_t)lease_points;
	l->nfence = HOLDFAST_MAX_FENCE + 1;
}
static void far_fence(struct holdfast_lease *l)
{
	lease_points[0].x_um = 10000001;
	l->fence = (uintptr_t)lease_points;
	l->nfence = 1;
}

static void test_lease_create(void)
{
	int fds[HOLDFAST_MAX_LEASES], keeper = w.b.keeper.fd, i, fd;
	struct holdfast_lease_list list = { .size = sizeof(list), .count = 1,
					    .leases = (uintptr_t)w.hole };

	want(lease_with(w.other, NULL), EPERM, "by a file that is no keeper");
	want(lease_with(keeper, other_epoch), ESTALE, "of another epoch");
	want(lease_with(keeper, other_rights), EINVAL, "unknown right");
	want(lease_with(keeper, no_end_of_label), EINVAL, "label without an end");
	want(lease_with(keeper, for_ever), ERANGE, "longer than time");
	want(lease_with(keeper, lost_envelope), EFAULT, "envelope nowhere");
	want(lease_with(keeper, lost_fence), EFAULT, "fence nowhere");
	want(lease_with(keeper, huge_fence), ENOSPC, "too many fence points");
	want(lease_with(keeper, far_fence), ERANGE, "fence point too far away");
	scene_env_init(&lease_env, HOLDFAST_ENV_SITE);
	want(lease_with(keeper, own_envelope), EINVAL, "envelope that is no lease's");
	scene_env_init(&lease_env, HOLDFAST_ENV_LEASE);
	lease_env.set = 1ULL << 63;
	want(lease_with(keeper, own_envelope), EINVAL, "unknown limit");
	scene_env_init(&lease_env, HOLDFAST_ENV_LEASE);
	lease_env.set_mask = 2;
	want(lease_with(keeper, own_envelope), EINVAL, "set_mask 2");
	scene_env_init(&lease_env, HOLDFAST_ENV_LEASE);
	scene_env_limit(&lease_env, HOLDFAST_LIM_HOLD, 0);
	want(lease_with(keeper, own_envelope), ERANGE, "limit out of its range");
	scene_env_init(&lease_env, HOLDFAST_ENV_LEASE);
	lease_env.size--;
	want(lease_with(keeper, own_envelope), EINVAL, "envelope of another size");
	check(live_leases() == 1, "failed creations left %u leases", live_leases() - 1);

	for (i = 0; i < HOLDFAST_MAX_LEASES - 1; i++)
		fds[i] = lease_with(keeper, NULL);
	check(fds[HOLDFAST_MAX_LEASES - 2] >= 0, "lease %d: %d", HOLDFAST_MAX_LEASES,
	      fds[HOLDFAST_MAX_LEASES - 2]);
	check(fcntl(fds[0], F_GETFD) & FD_CLOEXEC, "not O_CLOEXEC");
	want(lease_with(keeper, NULL), ENOSPC, "one too many");
	want(scene_ioctl(w.ro, HOLDFAST_IOC_LEASE_LIST, &list), EFAULT, "list nowhere");
	for (i = 0; i < HOLDFAST_MAX_LEASES - 1; i++)
		close(fds[i]);
	fd = lease_with(keeper, NULL);
	check(fd >= 0 && live_leases() == 2, "closing makes no room: %d, %u leases", fd,
	      live_leases());
	close(fd);
	result("lease create");
}

/* Entries of lists: as long as the caller knows them, never a byte more. */
static void test_entries(void)
{
	static char room[4 * 4096];
	struct holdfast_lease_info *li = (void *)room;
	struct holdfast_lease_list l = { .size = sizeof(l), .count = 2,
					 .leases = (uintptr_t)room };
	struct holdfast_tenant_list t = { .size = sizeof(t), .count = 1,
					  .tenants = (uintptr_t)room };
	const __u8 corr[HOLDFAST_CORR_LEN] = "correlation id!";
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_RAW, .label = "entries",
				       .tenant = 77, .corr = corr };
	__u64 id;
	int fd = scene_lease(w.b.keeper.fd, w.epoch, &ask, &id);
	size_t first = HOLDFAST_LEASE_INFO_SIZE_0;

	memset(room, 0xa5, sizeof(room));
	want(scene_ioctl(w.ro, HOLDFAST_IOC_LEASE_LIST, &l), 0, "list without entry_size");
	check(((struct holdfast_lease_info *)(room + first))->id == id && room[2 * first] == (char)0xa5,
	      "entries of the first ABI: lease %llu",
	      ((struct holdfast_lease_info *)(room + first))->id);
	l.entry_size = sizeof(*li);
	want(scene_ioctl(w.ro, HOLDFAST_IOC_LEASE_LIST, &l), 0, "list");
	check(li[1].id == id && li[1].tenant == 77 && !strcmp(li[1].label, "entries") &&
	      !memcmp(li[1].corr, corr, sizeof(corr)), "the entry of lease %llu", id);
	memset(room, 0xa5, sizeof(room));
	l.entry_size = sizeof(*li) + 8;
	want(scene_ioctl(w.ro, HOLDFAST_IOC_LEASE_LIST, &l), 0, "longer entries");
	check(!memcmp(room + sizeof(*li), "\0\0\0\0\0\0\0", 8) &&
	      ((struct holdfast_lease_info *)(room + l.entry_size))->id == id &&
	      room[2 * l.entry_size] == (char)0xa5, "longer entries are not padded with zeros");
	l.entry_size = (__u32)first - 1;
	want(scene_ioctl(w.ro, HOLDFAST_IOC_LEASE_LIST, &l), EINVAL, "entries a byte too short");
	l.entry_size = 4097;
	want(scene_ioctl(w.ro, HOLDFAST_IOC_LEASE_LIST, &l), EINVAL, "entries of more than a page");

	memset(room, 0xa5, sizeof(room));
	t.entry_size = sizeof(struct holdfast_tenant_info);
	want(scene_ioctl(w.ro, HOLDFAST_IOC_TENANT_LIST, &t), 0, "tenants");
	check(t.count >= 2 && room[t.entry_size] == (char)0xa5, "%u tenants, or more than asked for",
	      t.count);
	t.entry_size--;
	want(scene_ioctl(w.ro, HOLDFAST_IOC_TENANT_LIST, &t), EINVAL, "tenants, a byte too short");
	t.entry_size = 4097;
	want(scene_ioctl(w.ro, HOLDFAST_IOC_TENANT_LIST, &t), EINVAL, "tenants of more than a page");
	t.entry_size = sizeof(struct holdfast_tenant_info);
	t.tenants = (uintptr_t)w.hole;
	want(scene_ioctl(w.ro, HOLDFAST_IOC_TENANT_LIST, &t), EFAULT, "tenants nowhere");
	close(fd);
	result("entries of lists");
}

/* A quota of one kind, on @fd. */
static int quota(int fd, __u64 epoch, __u64 tenant, __u32 set, __u64 budget, __u32 flags)
{
	struct holdfast_quota q = { .size = sizeof(q), .flags = flags, .epoch = epoch,
				    .tenant = tenant, .set = set };
	unsigned int k;

	for (k = 0; k < HOLDFAST_QUOTA_COUNT; k++)
		q.budget[k] = budget;
	return scene_ioctl(fd, HOLDFAST_IOC_QUOTA_SET, &q);
}

static void test_quota(void)
{
	const __u32 all = (1U << HOLDFAST_QUOTA_COUNT) - 1;
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL, .tenant = 999 };
	int keeper = w.b.keeper.fd;
	struct holdfast_quota q;
	__u64 t;

	want(quota(w.other, w.epoch, 5, 1, 10, 0), EPERM, "by a file that is no keeper");
	want(quota(w.ro, w.epoch, 5, 1, 10, 0), EPERM, "by a read-only file");
	want(quota(w.b.lease, w.epoch, 5, 1, 10, 0), EPERM, "by a lease");
	want(quota(keeper, w.epoch + 1, 5, 1, 10, 0), ESTALE, "in another epoch");
	want(quota(keeper, w.epoch, 5, 1U << HOLDFAST_QUOTA_COUNT, 10, 0), EINVAL, "unknown kind");
	want(quota(keeper, w.epoch, 5, 0, 10, HOLDFAST_QUOTA_RESET), EINVAL, "reset of nothing");
	want(scene_quota_get(&w.b.keeper, 5, &q), ENOENT, "of a tenant that nobody knows");
	want(quota(keeper, w.epoch, 5, 1U << HOLDFAST_QUOTA_ENERGY, 10, 0), 0, "set");
	want(scene_quota_get(&w.b.keeper, 5, &q), 0, "ask");
	check(q.budget[HOLDFAST_QUOTA_ENERGY] == 10 &&
	      q.budget[HOLDFAST_QUOTA_EMIT] == HOLDFAST_QUOTA_NONE &&
	      q.budget[HOLDFAST_QUOTA_ROOM - 1] == HOLDFAST_QUOTA_NONE &&
	      !q.used[HOLDFAST_QUOTA_ENERGY], "budgets %llu %llu", q.budget[HOLDFAST_QUOTA_EMIT],
	      q.budget[HOLDFAST_QUOTA_ENERGY]);

	/* As many as there are; who binds nobody makes room. */
	for (t = 1000; !quota(keeper, w.epoch, t, all, 10, 0); t++)
		;
	check(t - 1000 <= HOLDFAST_MAX_TENANTS && t - 1000 >= HOLDFAST_MAX_TENANTS - 3,
	      "room for %llu", t - 1000);
	want(quota(keeper, w.epoch, t, all, 10, 0), ENOSPC, "one too many");
	want(scene_lease(keeper, w.epoch, &ask, NULL), ENOSPC, "lease of one too many");
	want(quota(keeper, w.epoch, 1000, all, 11, 0), 0, "one that is known");
	want(quota(keeper, w.epoch, 1001, all, HOLDFAST_QUOTA_NONE, 0), 0, "one that binds nobody");
	want(quota(keeper, w.epoch, t, all, 10, 0), 0, "makes room");
	want(quota(keeper, w.epoch, 5, all, HOLDFAST_QUOTA_NONE, 0), 0, "none");
	while (t >= 1000)
		quota(keeper, w.epoch, t--, all, HOLDFAST_QUOTA_NONE, 0);
	result("quota");
}

static void test_lease_ends(void)
{
	struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL };
	struct pollfd pfd = { .events = POLLOUT };
	__u64 id;
	int fd;

	want(scene_revoke(w.other, w.epoch, 0), EPERM, "revoke by a file that is no keeper");
	want(scene_revoke(w.b.keeper.fd, w.epoch + 1, 0), ESTALE, "revoke in another epoch");
	want(scene_revoke(w.b.keeper.fd, w.epoch, 999999), ENOENT, "revoke nobody's");
	fd = scene_lease(w.b.keeper.fd, w.epoch, &ask, &id);
	want(scene_revoke(w.b.keeper.fd, w.epoch, id), 0, "revoke");
	want(scene_revoke(w.b.keeper.fd, w.epoch, id), ENOENT, "revoke again");
	want(scene_write(fd, w.frame), EKEYREVOKED, "frame after it");
	want(scene_arm(fd, 0, NULL), EKEYREVOKED, "arm after it");
	pfd.fd = fd;
	check(poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLHUP), "no POLLHUP after it");
	want(scene_silence(fd, 0), 0, "silence after it");
	close(fd);

	ask.duration_ms = 50;
	fd = scene_lease(w.b.keeper.fd, w.epoch, &ask, NULL);
	scene_sleep_ms(120);
	want(scene_write(fd, w.frame), EKEYEXPIRED, "frame after its time");
	want(scene_reset(fd, 0, NULL), EKEYEXPIRED, "reset after its time");
	close(fd);
	want(scene_revoke(w.b.keeper.fd, w.epoch, 0), 0, "revoke all");
	want(scene_write(w.b.lease, w.frame), EKEYREVOKED, "frame of any");
	close(w.b.lease);
	ask.duration_ms = 0;
	w.b.lease = scene_lease(w.b.keeper.fd, w.epoch, &ask, &w.b.lease_id);
	want(scene_revoke(w.b.keeper.fd, w.epoch, 0), 0, "revoke all, again");
	close(w.b.lease);
	want(scene_revoke(w.b.keeper.fd, w.epoch, 0), 0, "revoke none");
	w.b.lease = scene_lease(w.b.keeper.fd, w.epoch, &ask, &w.b.lease_id);
	result("lease ends");
}

static int with_rights(__u32 rights)
{
	const struct scene_ask ask = { .rights = rights };

	return scene_lease(w.b.keeper.fd, w.epoch, &ask, NULL);
}

static void test_rights(void)
{
	struct holdfast_frame *raw = scene_frame_new(w.b.sim.info.channels, 0);
	struct holdfast_frame *foci = scene_foci_new(w.b.sim.info.channels, 1);
	int none = with_rights(0), frames = with_rights(HOLDFAST_RIGHT_FRAMES);
	int with_raw = with_rights(HOLDFAST_RIGHT_RAW);
	int arm = with_rights(HOLDFAST_RIGHT_ARM), reset = with_rights(HOLDFAST_RIGHT_RESET);

	scene_foci(foci)[0] = (struct holdfast_focus){ .z_um = 100000, .amp = 1000 };
	scene_silence(w.ro, 0);
	want(scene_arm(none, 0, NULL), EPERM, "arm without the right");
	want(scene_arm(reset, 0, NULL), EPERM, "arm with another");
	want(scene_arm(arm, w.epoch, NULL), EINVAL, "arm by a lease, with an epoch");
	want(scene_arm(arm, 0, NULL), 0, "arm with the right");
	want(scene_write(none, w.frame), EPERM, "frame without the right");
	want(scene_write(frames, raw), EPERM, "raw frame without the right");
	want(scene_write(frames, w.frame), EPERM, "the same with a focus declared");
	want(scene_write(frames, foci), 0, "frame of foci alone");
	want(scene_write(none, foci), EPERM, "that without the right");
	want(scene_write(with_raw, raw), EPERM, "raw frame with the right to raw alone");
	want(scene_write(with_raw, foci), EPERM, "frame of foci, with the right to raw alone");
	want(scene_silence(w.ro, HOLDFAST_SILENCE_LATCH), 0, "latched silence");
	want(scene_reset(arm, 0, NULL), EPERM, "reset without the right");
	want(scene_reset(reset, 0, NULL), 0, "reset with the right");
	close(none);
	close(frames);
	close(arm);
	close(reset);
	close(with_raw);
	free(raw);
	free(foci);
	result("rights of a lease");
}

static void test_control(void)
{
	struct holdfast_self_test t = { .size = sizeof(t) };
	struct holdfast_reason why;
	int keeper = w.b.keeper.fd;

	want(scene_arm(w.other, w.epoch, NULL), EPERM, "arm by a file that is no keeper");
	want(scene_arm(keeper, w.epoch, NULL), 0, "arm");
	want(scene_arm(keeper, w.epoch, NULL), EBUSY, "arm when armed");
	want(scene_reset(keeper, w.epoch, NULL), EBUSY, "reset when not tripped");
	want(scene_self_test(keeper, &t), EBUSY, "self-test when armed");
	want(scene_site_set(keeper, HOLDFAST_LIM_HOLD, 100), EBUSY, "loosening when armed");
	want(scene_fence_set(keeper, NULL, 0), EBUSY, "new fence when armed");
	want(scene_silence(w.ro, 0), 0, "silence by a read-only file");
	want(scene_self_test(w.ro, &t), EBADF, "self-test by a read-only file");
	want(scene_self_test(w.other, &t), 0, "self-test by any other");
	check(!t.failed && t.run == (HOLDFAST_TEST_RULES | HOLDFAST_TEST_SILENCE |
				     HOLDFAST_TEST_SENSORS | HOLDFAST_TEST_HARDWARE |
				     HOLDFAST_TEST_TIMER), "run %#x, failed %#x", t.run, t.failed);
	want(scene_site_set(keeper, HOLDFAST_LIM_SILENCE_BOUND, 10), 0, "bound below the hardware's");
	want(scene_arm(keeper, w.epoch, &why), ERANGE, "arm hardware that is too slow");
	check(why.limit == HOLDFAST_LIM_SILENCE_BOUND && why.measured == 100 && why.bound == 10,
	      "reason %s %lld %lld", scene_limit_name(why.limit), why.measured, why.bound);
	want(scene_site_set(keeper, HOLDFAST_LIM_SILENCE_BOUND, 10000000), 0, "loosened again");
	result("arm, reset, silence, self-test");
}

/* One limit; the reason in @why. */
static int site(int fd, unsigned long cmd, __u32 limit, __s64 value, struct holdfast_reason *why)
{
	struct holdfast_envelope e;
	int ret;

	scene_env_init(&e, HOLDFAST_ENV_SITE);
	scene_env_limit(&e, limit, value);
	ret = scene_ioctl(fd, cmd, &e);
	*why = e.reason;
	return ret;
}

static void unprivileged_site(void)
{
	struct holdfast_reason why;
	const struct holdfast_fence_point p = { 0, 0, 500000, 4000000000U };

	want(site(w.other, HOLDFAST_IOC_ENVELOPE_SET, HOLDFAST_LIM_HOLD, 300, &why), EPERM, "set");
	want(site(w.b.keeper.fd, HOLDFAST_IOC_ENVELOPE_SET, HOLDFAST_LIM_HOLD, 300, &why), EPERM,
	     "set by the keeper");
	want(site(w.other, HOLDFAST_IOC_ENVELOPE_TIGHTEN, HOLDFAST_LIM_HOLD, 300, &why), EPERM,
	     "tighten");
	want(site(w.b.keeper.fd, HOLDFAST_IOC_ENVELOPE_TIGHTEN, HOLDFAST_LIM_HOLD, 300, &why), 0,
	     "tighten by the keeper");
	want(scene_fence_set(w.b.keeper.fd, NULL, 0), EPERM, "fence");
	want(scene_fence_add(w.other, &p, 1), EPERM, "fence point");
	want(scene_fence_add(w.b.keeper.fd, &p, 1), 0, "fence point by the keeper");
	want(scene_seal(w.other), EPERM, "seal");
	want(scene_seal(w.b.keeper.fd), EPERM, "seal by the keeper");
}

/* Everything that needs no privilege works without any. */
static void no_privilege(void)
{
	struct holdfast_status st;
	struct holdfast_trip t;

	want(scene_status(w.ro, &st), 0, "status");
	want(scene_trip(w.ro, &t), 0, "trip record");
	want(scene_silence(w.ro, 0), 0, "silence");
	want(scene_silence(w.ro, HOLDFAST_SILENCE_LATCH), 0, "latched silence");
	want(claim(w.other), EPERM, "claim");
}

static void test_envelope(void)
{
	struct holdfast_envelope e;
	struct holdfast_reason why;
	int fd = w.b.keeper.fd, i;

	want(scene_env_get(w.ro, HOLDFAST_ENV_LEASE, &e), EINVAL, "a lease's, of the node");
	want(scene_env_get(w.b.lease, HOLDFAST_ENV_LEASE, &e), 0, "a lease's");
	for (i = 4; i < 8; i++)
		want(scene_env_get(w.ro, i, &e), EINVAL, "which %d", i);
	for (i = 0; i < 4; i++) {
		scene_env_init(&e, i);
		want(scene_ioctl(fd, HOLDFAST_IOC_ENVELOPE_SET, &e),
		     i == HOLDFAST_ENV_SITE ? 0 : EINVAL, "set of which %d", i);
	}
	scene_env_init(&e, HOLDFAST_ENV_SITE);
	e.set = 1ULL << HOLDFAST_LIM_COUNT;
	want(scene_ioctl(fd, HOLDFAST_IOC_ENVELOPE_SET, &e), EINVAL, "unknown limit");
	scene_env_init(&e, HOLDFAST_ENV_SITE);
	e.set_mask = 2;
	want(scene_ioctl(fd, HOLDFAST_IOC_ENVELOPE_SET, &e), EINVAL, "set_mask 2");
	scene_env_init(&e, HOLDFAST_ENV_SITE);
	e.generation = 1;
	want(scene_ioctl(fd, HOLDFAST_IOC_ENVELOPE_SET, &e), EINVAL, "generation given");
	scene_env_init(&e, HOLDFAST_ENV_SITE);
	e.sealed = 1;
	want(scene_ioctl(fd, HOLDFAST_IOC_ENVELOPE_SET, &e), EINVAL, "sealed given");

	want(site(fd, HOLDFAST_IOC_ENVELOPE_SET, HOLDFAST_LIM_HOLD, 0, &why), ERANGE, "out of range");
	check(why.limit == HOLDFAST_LIM_HOLD && why.measured == 0 && why.bound == 1,
	      "reason %s %lld %lld", scene_limit_name(why.limit), why.measured, why.bound);
	want(site(fd, HOLDFAST_IOC_ENVELOPE_SET, HOLDFAST_LIM_SUPPLY_MIN, 30000, &why), ERANGE,
	     "a floor above the nameplate's ceiling");
	check(why.limit == HOLDFAST_LIM_SUPPLY_MIN, "reason %s", scene_limit_name(why.limit));
	want(site(fd, HOLDFAST_IOC_ENVELOPE_SET, HOLDFAST_LIM_HOLD, 400, &why), 0, "set");
	want(site(fd, HOLDFAST_IOC_ENVELOPE_TIGHTEN, HOLDFAST_LIM_HOLD, 401, &why), EPERM,
	     "tighten to a looser value");
	check(why.limit == HOLDFAST_LIM_HOLD && why.measured == 401 && why.bound == 400,
	      "reason %s %lld %lld", scene_limit_name(why.limit), why.measured, why.bound);
	want(site(fd, HOLDFAST_IOC_ENVELOPE_TIGHTEN, HOLDFAST_LIM_HOLD, 350, &why), 0, "tighten");
	want(site(fd, HOLDFAST_IOC_ENVELOPE_SET, HOLDFAST_LIM_HOLD, 400, &why), 0, "loosen again");
	without_cap(CAP_SYS_ADMIN, unprivileged_site);
	without_cap(-1, no_privilege);
	want(scene_reset(fd, w.epoch, NULL), 0, "reset");
	want(scene_fence_set(fd, NULL, 0), 0, "no fence");
	result("envelope get, set and tighten");
}

static int fence_get(int fd, __u32 which, void *points, __u32 *count)
{
	struct holdfast_fence f = { .size = sizeof(f), .which = which, .count = *count,
				    .points = (uintptr_t)points };
	int ret = scene_ioctl(fd, HOLDFAST_IOC_FENCE_GET, &f);

	*count = f.count;
	return ret;
}

static void test_fence(void)
{
	static struct holdfast_fence_point p[HOLDFAST_MAX_FENCE + 1], got[2];
	int fd = w.b.keeper.fd;
	__u32 i, n;

	for (i = 0; i <= HOLDFAST_MAX_FENCE; i++)
		p[i] = (struct holdfast_fence_point){ (__s32)i * 1000, 0, 500000, 4000000000U };
	scene_silence(fd, 0);
	want(scene_fence_set(fd, p, HOLDFAST_MAX_FENCE + 1), ENOSPC, "65 points");
	want(scene_fence_set(fd, w.hole, 1), EFAULT, "points nowhere");
	want(scene_fence_set(fd, p, HOLDFAST_MAX_FENCE), 0, "64 points");
	want(scene_fence_add(fd, p + HOLDFAST_MAX_FENCE, 1), ENOSPC, "one more");
	p[5].limit_mpa = 100;
	want(scene_fence_add(fd, p + 5, 1), 0, "one at a place that is taken, tighter");
	n = 2;
	want(fence_get(w.ro, HOLDFAST_ENV_SITE, got, &n), 0, "get");
	check(n == HOLDFAST_MAX_FENCE && got[1].x_um == 1000, "%u points, x %d", n, got[1].x_um);
	n = 1;
	want(fence_get(w.ro, HOLDFAST_ENV_EFFECTIVE, w.hole, &n), EFAULT, "get to nowhere");
	n = 0;
	want(fence_get(w.ro, HOLDFAST_ENV_LEASE, NULL, &n), EINVAL, "a lease's, of the node");
	want(fence_get(w.ro, 4, NULL, &n), EINVAL, "which 4");
	p[0].z_um = -10000001;
	want(scene_fence_set(fd, p, 1), ERANGE, "a point too far away");
	want(scene_fence_set(fd, NULL, 0), 0, "none");
	result("fence");
}

/* ---- frames ---- */

/* One frame, spoilt in one way; written with @spoil applied to a good one. */
static int spoilt(void (*spoil)(struct holdfast_frame *f))
{
	static char room[16384];
	struct holdfast_frame *f = (void *)room;

	memcpy(room, w.frame, w.frame->size);
	spoil(f);
	return scene_write(w.b.lease, f);
}

static void no_magic(struct holdfast_frame *f) { f->magic++; }
static void too_small(struct holdfast_frame *f) { f->size -= 4; }
static void too_large(struct holdfast_frame *f) { f->size += 4; }
static void unknown_flag(struct holdfast_frame *f) { f->flags = 8; }
static void fewer_channels(struct holdfast_frame *f) { f->channels--; }
static void more_foci(struct holdfast_frame *f) { f->foci = HOLDFAST_MAX_FOCI + 1; }
static void fewer_foci(struct holdfast_frame *f) { f->foci = 0; }
static void presented(struct holdfast_frame *f) { f->present_ns = 1; }
static void focus_amp(struct holdfast_frame *f) { scene_foci(f)->amp = 1; }
static void focus_phase(struct holdfast_frame *f) { scene_foci(f)->phase = 1; }
static void computed(struct holdfast_frame *f) { f->flags = HOLDFAST_FRAME_COMPUTE; }

static int put(const void *p, size_t n)
{
	ssize_t ret = write(w.b.lease, p, n);

	return ret < 0 ? -errno : (int)ret;
}

static void test_frames(void)
{
	struct holdfast_frame *loud = scene_frame_new(w.b.sim.info.channels, 0);
	struct iovec iov[2];
	size_t size = w.frame->size;
	char two[2048];
	int fd = w.b.lease;

	scene_silence(fd, 0);
	want(scene_write(fd, w.frame), ENOTCONN, "while silent");
	want(scene_arm(w.b.keeper.fd, w.epoch, NULL), 0, "arm");
	want(scene_write(fd, w.frame), 0, "a frame");
	want(spoilt(no_magic), EINVAL, "magic");
	want(spoilt(too_small), EINVAL, "size too small");
	want(spoilt(too_large), EINVAL, "size too large");
	want(spoilt(unknown_flag), EINVAL, "unknown flag");
	want(spoilt(fewer_channels), EINVAL, "channels");
	want(spoilt(more_foci), EINVAL, "too many foci");
	want(spoilt(fewer_foci), EINVAL, "foci against size");
	want(spoilt(presented), EINVAL, "present_ns");
	want(spoilt(focus_amp), EINVAL, "amplitude of a focus, beside amplitudes");
	want(spoilt(focus_phase), EINVAL, "phase of a focus, beside phases");
	want(spoilt(computed), EINVAL, "phases in a frame of foci alone");
	want(put(w.frame, size - 1), EMSGSIZE, "cut off");
	want(put(w.frame, sizeof(*w.frame) - 1), EMSGSIZE, "less than a header");
	want(put(w.hole, size), EFAULT, "nowhere");
	want(put(w.edge - 64, size), EINVAL, "a frame of zeros");
	memcpy(w.edge - 64, w.frame, 64);
	want(put(w.edge - 64, size), EFAULT, "half of it nowhere");
	check(put(w.frame, 0) == 0, "empty write");
	want(-(int)(read(fd, two, 16) < 0 ? errno : 0), EINVAL, "read");

	scene_frame_flat(loud, 65535);
	scene_site_tighten(w.b.keeper.fd, HOLDFAST_LIM_AMP_CAP, 60000);
	scene_sleep_ms(5);
	want(scene_write(fd, loud), ERANGE, "above a limit");
	memcpy(two, w.frame, size);
	memcpy(two + size, loud, loud->size);
	scene_sleep_ms(5);
	check(put(two, size + loud->size) == (int)size, "a good and a bad one: what was good counts");
	iov[0] = (struct iovec){ two, 10 };
	iov[1] = (struct iovec){ two + 10, size - 10 };
	scene_sleep_ms(5);
	check(writev(fd, iov, 2) == (ssize_t)size, "writev of one frame in two parts");
	want(scene_write(w.b.keeper.fd, w.frame), EINVAL, "write to the node");

	scene_silence(fd, HOLDFAST_SILENCE_LATCH);
	want(scene_write(fd, w.frame), ESHUTDOWN, "while tripped");
	want(scene_reset(w.b.keeper.fd, w.epoch, NULL), 0, "reset");
	scene_site_set(w.b.keeper.fd, HOLDFAST_LIM_AMP_CAP, 65535);
	free(loud);
	result("frames");
}

/* FRAME_WAIT: sleeps, or does not where it may not. */
static void test_wait(void)
{
	int fd = w.b.lease, n;
	__u64 apart;

	scene_site_set(w.b.keeper.fd, HOLDFAST_LIM_FRAME_INTERVAL, 200000000);
	want(scene_arm(w.b.keeper.fd, w.epoch, NULL), 0, "arm");
	w.frame->flags = HOLDFAST_FRAME_WAIT;
	want(scene_write(fd, w.frame), 0, "the first");
	want(scene_write(fd, w.frame), 0, "the second waits its turn");
	emissions_read(&w.b.es, &w.b.ledger);
	n = (int)w.b.es.count;
	apart = n > 1 ? w.b.es.e[n - 1].begin_ns - w.b.es.e[n - 2].begin_ns : 0;
	check(apart >= 200 * SCENE_MS && apart < 1000 * SCENE_MS, "%llu ms apart", apart / SCENE_MS);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	want(scene_write(fd, w.frame), EAGAIN, "where it may not sleep");
	fcntl(fd, F_SETFL, 0);
	w.frame->flags = 0;
	want(scene_write(fd, w.frame), ERANGE, "where it does not ask to");
	scene_silence(fd, 0);
	scene_site_set(w.b.keeper.fd, HOLDFAST_LIM_FRAME_INTERVAL, 100000);
	result("waiting for the frame interval");
}

static int submit(struct holdfast_submit *s)
{
	return scene_ioctl(w.b.lease, HOLDFAST_IOC_SUBMIT, s);
}

static void test_submit(void)
{
	struct holdfast_frame_result res[4], last;
	struct holdfast_submit good = { .size = sizeof(good), .frames = (uintptr_t)w.frame,
					.bytes = w.frame->size, .results = (uintptr_t)res,
					.count = 4 };
	struct holdfast_submit s = good;
	char two[2048];

	want(scene_ioctl(w.b.keeper.fd, HOLDFAST_IOC_LAST_VERDICT, &last), ENOTTY, "on the node");
	want(scene_ioctl(w.b.lease, HOLDFAST_IOC_LAST_VERDICT, w.hole), EFAULT, "verdict nowhere");
	w.frame->cookie = 0x1234567890ULL;
	want(submit(&s), 0, "while silent");
	check(s.count == 1 && res[0].error == ENOTCONN && res[0].cookie == w.frame->cookie &&
	      res[0].verdict == HOLDFAST_VERDICT_REJECT, "count %u, error %u", s.count, res[0].error);
	want(scene_ioctl(w.b.lease, HOLDFAST_IOC_LAST_VERDICT, &last), 0, "last verdict");
	check(!memcmp(&last, &res[0], sizeof(last)), "is another");

	want(scene_arm(w.b.keeper.fd, w.epoch, NULL), 0, "arm");
	s = good;
	s.count = 0;
	want(submit(&s), EINVAL, "no room for results");
	s.count = HOLDFAST_MAX_BATCH + 1;
	want(submit(&s), EINVAL, "too much room");
	s = good;
	s.bytes = 1ULL << 40;
	want(submit(&s), EMSGSIZE, "too many bytes");
	s = good;
	s.results = (uintptr_t)w.hole;
	want(submit(&s), EFAULT, "results nowhere");
	s = good;
	s.frames = (uintptr_t)w.hole;
	want(submit(&s), EFAULT, "frames nowhere");
	s = good;
	s.bytes = 0;
	want(submit(&s), 0, "no frames");
	check(s.count == 0, "%u results of none", s.count);

	memcpy(two, w.frame, w.frame->size);
	memcpy(two + w.frame->size, w.frame, w.frame->size);
	((struct holdfast_frame *)two)->magic = 0;
	s = good;
	s.frames = (uintptr_t)two;
	s.bytes = 2 * w.frame->size;
	want(submit(&s), 0, "a malformed one first");
	check(s.count == 1 && res[0].error == EINVAL, "count %u, error %u", s.count, res[0].error);
	memcpy(two, w.frame, w.frame->size);
	((struct holdfast_frame *)two)->flags = HOLDFAST_FRAME_WAIT;
	((struct holdfast_frame *)(two + w.frame->size))->flags = HOLDFAST_FRAME_WAIT;
	s = good;
	s.frames = (uintptr_t)two;
	s.bytes = 2 * w.frame->size;
	want(submit(&s), 0, "two");
	check(s.count == 2 && !res[0].error && !res[1].error &&
	      res[0].verdict == HOLDFAST_VERDICT_ADMIT && res[0].scale_q16 == 65536 &&
	      res[0].reason.limit == HOLDFAST_LIM_NONE, "count %u, errors %u %u", s.count,
	      res[0].error, res[1].error);
	scene_silence(w.ro, 0);
	result("submit and last verdict");
}

/* ---- reading ---- */

static void test_info(void)
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

static void test_status(void)
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

static void test_blackbox(void)
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

static void test_mmap(void)
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

static void test_poll(void)
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

/* ---- the end ---- */

static void test_seal(void)
{
	struct holdfast_reason why;
	struct holdfast_envelope e;
	int fd = w.b.keeper.fd;

	want(scene_seal(fd), 0, "seal");
	want(scene_seal(w.ro), 0, "again, by a read-only file");
	want(site(fd, HOLDFAST_IOC_ENVELOPE_SET, HOLDFAST_LIM_HOLD, 200, &why), EPERM, "set");
	want(scene_fence_set(fd, NULL, 0), EPERM, "new fence");
	want(site(fd, HOLDFAST_IOC_ENVELOPE_TIGHTEN, HOLDFAST_LIM_HOLD, 200, &why), 0, "tighten");
	want(site(fd, HOLDFAST_IOC_ENVELOPE_TIGHTEN, HOLDFAST_LIM_HOLD, 201, &why), EPERM, "loosen");
	want(scene_env_get(fd, HOLDFAST_ENV_SITE, &e), 0, "get");
	check(e.sealed == 1 && e.limit[HOLDFAST_LIM_HOLD] == 200, "sealed %u, hold %lld", e.sealed,
	      e.limit[HOLDFAST_LIM_HOLD]);
	result("seal");
}

/* Every call on files of an array that is gone; the scene ends here. */
static void test_gone(void)
{
	static char room[65536];
	struct holdfast_status *p = map(w.ro, PROT_READ, MAP_SHARED, 1, 0), st;
	size_t i;

	want(scene_live(&w.b.sim, false), 0, "unplug");
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		memset(room, 0, sizeof(room));
		*(__u32 *)room = (__u32)calls[i].size;
		want(scene_ioctl(calls[i].lease ? w.b.lease : w.b.keeper.fd, calls[i].cmd, room),
		     ENODEV, "%s", calls[i].name);
	}
	want(scene_status(w.ro, &st), ENODEV, "STATUS");
	want(scene_write(w.b.lease, w.frame), ENODEV, "frame");
	check((polled(w.ro) & (POLLHUP | POLLERR)) == (POLLHUP | POLLERR), "node: %#x",
	      polled(w.ro));
	check(polled(w.b.lease) & POLLHUP, "lease: %#x", polled(w.b.lease));
	check(p && read_page(p).state == HOLDFAST_STATE_SILENT, "the page says %u",
	      p ? read_page(p).state : 0);
	result("hardware gone");
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
