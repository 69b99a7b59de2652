// SPDX-License-Identifier: GPL-2.0
/*
 * Keeper, leases, their rights and lists, quotas: each answer that there is.
 */
#include "abi.h"

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

void test_keeper(void)
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

void test_lease_create(void)
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
void test_entries(void)
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

void test_quota(void)
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

void test_lease_ends(void)
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

/* A lease cannot be opened anew, read-only or otherwise: who has the file has all of it. */
static int opened_anew(int fd)
{
	char path[40];
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = open(path, O_RDONLY);
	return ret < 0 ? -errno : ret;
}

void test_rights(void)
{
	struct holdfast_frame *raw = scene_frame_new(w.b.sim.info.channels, 0);
	struct holdfast_frame *foci = scene_foci_new(w.b.sim.info.channels, 1);
	int none = with_rights(0), frames = with_rights(HOLDFAST_RIGHT_FRAMES);
	int with_raw = with_rights(HOLDFAST_RIGHT_RAW);
	int arm = with_rights(HOLDFAST_RIGHT_ARM), reset = with_rights(HOLDFAST_RIGHT_RESET);

	scene_foci(foci)[0] = (struct holdfast_focus){ .z_um = 100000, .amp = 1000 };
	scene_silence(w.ro, 0);
	want(opened_anew(none), ENXIO, "a lease opened anew");
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
