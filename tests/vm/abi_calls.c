// SPDX-License-Identifier: GPL-2.0
/*
 * What is the same of every call: sizes, flags, reserved fields, pointers, kinds of file,
 * and numbers that are nobody's.
 */
#include <sys/mman.h>

#include "abi.h"

#define NONE		((size_t)-1)	/* there is no such field */

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

void test_calls(void)
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

/* The first part of what happens on files of an array that is gone. */
void calls_gone(void)
{
	static char room[65536];
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		memset(room, 0, sizeof(room));
		*(__u32 *)room = (__u32)calls[i].size;
		want(scene_ioctl(calls[i].lease ? w.b.lease : w.b.keeper.fd, calls[i].cmd, room),
		     ENODEV, "%s", calls[i].name);
	}
}

/* Numbers that are nobody's. */
void test_unknown(void)
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
