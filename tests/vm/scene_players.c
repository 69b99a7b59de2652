// SPDX-License-Identifier: GPL-2.0
/*
 * Who supervises and who plays in a test (scene.h): keepers as thread and as
 * process, leases, frames.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#define TWO_PI	6.283185307179586476925286766559

/* ------------------------------------------------------------------- keepers */

int scene_claim(int fd, struct holdfast_keeper *k)
{
	memset(k, 0, sizeof(*k));
	k->size = sizeof(*k);
	return scene_ioctl(fd, HOLDFAST_IOC_KEEPER_CLAIM, k);
}

int scene_beat(int fd, __u64 epoch, __u64 *seq)
{
	struct holdfast_beat b = { .size = sizeof(b), .epoch = epoch, .event_seq = *seq };
	int ret = scene_ioctl(fd, HOLDFAST_IOC_BEAT, &b);

	/* What is newest is known also from a beat that did not count. */
	if (b.newest_seq)
		*seq = b.newest_seq;
	return ret;
}

static void *keeper_beats(void *arg)
{
	struct scene_keeper *k = arg;
	__u64 seq = 0;
	int ret;

	while (!__atomic_load_n(&k->stop, __ATOMIC_ACQUIRE)) {
		if (!__atomic_load_n(&k->mute, __ATOMIC_ACQUIRE)) {
			ret = scene_beat(k->fd, k->epoch, &seq);
			if (ret == -ETIME)
				ret = scene_beat(k->fd, k->epoch, &seq);
			__atomic_store_n(&k->last_error, ret, __ATOMIC_RELEASE);
			if (!ret)
				__atomic_add_fetch(&k->beats, 1, __ATOMIC_RELEASE);
		}
		scene_sleep_ms(k->period_ms);
	}
	return NULL;
}

void scene_keeper_start(struct scene_keeper *k, const struct scene_array *s,
			unsigned int period_ms)
{
	struct holdfast_keeper claim;
	int ret;

	memset(k, 0, sizeof(*k));
	k->period_ms = period_ms;
	k->fd = scene_open(s, O_RDWR);
	if (k->fd < 0)
		scene_die("%s: %s", s->node, strerror(-k->fd));
	ret = scene_claim(k->fd, &claim);
	if (ret)
		scene_die("claim %s: %s", s->node, strerror(-ret));
	k->epoch = claim.epoch;
	k->deadline_ms = claim.deadline_ms;
	if (period_ms && pthread_create(&k->thread, NULL, keeper_beats, k))
		scene_die("no thread");
	k->running = period_ms != 0;
}

void scene_keeper_mute(struct scene_keeper *k, bool mute)
{
	__atomic_store_n(&k->mute, mute, __ATOMIC_RELEASE);
}

void scene_keeper_stop(struct scene_keeper *k)
{
	__atomic_store_n(&k->stop, 1, __ATOMIC_RELEASE);
	if (k->running)
		pthread_join(k->thread, NULL);
	k->running = false;
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}

void scene_beat_all(int fd, __u64 epoch)
{
	__u64 seq = 0;

	/* The first asks what is newest, the second has handled it. */
	scene_beat(fd, epoch, &seq);
	scene_beat(fd, epoch, &seq);
}

/* Brings the array from whatever it is to armed. */
static int keeper_arm(int fd, __u64 epoch, unsigned int timeout_ms, struct holdfast_reason *why)
{
	__u64 until = scene_now_ns() + timeout_ms * SCENE_MS;
	int ret;

	do {
		scene_beat_all(fd, epoch);
		if (scene_state(fd) == HOLDFAST_STATE_TRIPPED)
			ret = scene_reset(fd, epoch, why);
		else
			ret = scene_arm(fd, epoch, why);
		if (!ret && scene_state(fd) == HOLDFAST_STATE_ARMED)
			return 0;
		scene_sleep_ms(5);
	} while (scene_now_ns() < until);
	return ret ?: -ETIMEDOUT;
}

void scene_keeper_arm(struct scene_keeper *k)
{
	struct holdfast_reason why = {};
	int ret = scene_wait_sensors(k->fd, 2000);

	if (!ret)
		ret = keeper_arm(k->fd, k->epoch, 5000, &why);
	if (ret)
		scene_die("cannot arm: %s (%s: %lld, allowed %lld)", strerror(-ret),
			  scene_limit_name(why.limit), why.measured,
			  why.bound);
}

/* The life of a keeper process; the lease goes through @sock, or an errno. */
__attribute__((noreturn))
static void keeper_process(const struct scene_array *s, unsigned int period_ms, int sock)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL, .label = "scene" };
	struct holdfast_keeper claim;
	struct holdfast_reason why;
	__u64 seq = 0, id = 0;
	int fd, lease, ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = scene_open(s, O_RDWR);
	if (fd < 0)
		scene_die("%s: %s", s->node, strerror(-fd));
	ret = scene_claim(fd, &claim);
	if (ret)
		scene_die("claim %s: %s", s->node, strerror(-ret));
	ret = scene_wait_sensors(fd, 2000);
	if (!ret)
		ret = keeper_arm(fd, claim.epoch, 5000, &why);
	if (ret)
		scene_die("keeper process cannot arm: %s", strerror(-ret));
	lease = scene_lease(fd, claim.epoch, &ask, &id);
	if (lease < 0)
		scene_die("lease: %s", strerror(-lease));
	ret = scene_send_fd(sock, lease, id);
	if (ret)
		scene_die("send lease: %s", strerror(-ret));
	close(lease);
	for (;;) {
		scene_beat(fd, claim.epoch, &seq);
		scene_sleep_ms(period_ms);
	}
}

void scene_keeper_spawn(struct scene_keeper_process *p, const struct scene_array *s,
			unsigned int period_ms)
{
	int sock[2];

	memset(p, 0, sizeof(*p));
	fflush(stdout);
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sock))
		scene_die("socketpair: %s", strerror(errno));
	p->pid = fork();
	if (p->pid < 0)
		scene_die("fork: %s", strerror(errno));
	if (!p->pid) {
		close(sock[0]);
		keeper_process(s, period_ms, sock[1]);
	}
	close(sock[1]);
	p->lease = scene_recv_fd(sock[0], &p->lease_id, true);
	close(sock[0]);
	if (p->lease < 0)
		scene_die("the keeper process gave no lease: %s", strerror(-p->lease));
}

__u64 scene_keeper_kill(struct scene_keeper_process *p)
{
	__u64 before = scene_now_ns();

	kill(p->pid, SIGKILL);
	if (waitpid(p->pid, NULL, 0) != p->pid)
		scene_die("wait for the keeper: %s", strerror(errno));
	p->pid = 0;
	return before;
}

void scene_keeper_freeze(const struct scene_keeper_process *p, bool freeze)
{
	int status;

	kill(p->pid, freeze ? SIGSTOP : SIGCONT);
	if (freeze && (waitpid(p->pid, &status, WUNTRACED) != p->pid || !WIFSTOPPED(status)))
		scene_die("the keeper does not stop");
}

/* -------------------------------------------------------------------- leases */

int scene_lease(int keeper_fd, __u64 epoch, const struct scene_ask *ask, __u64 *id)
{
	struct holdfast_lease l = {
		.size = sizeof(l),
		.epoch = epoch,
		.rights = ask->rights,
		.duration_ms = ask->duration_ms,
		.envelope = (uintptr_t)ask->env,
		.fence = (uintptr_t)ask->fence,
		.nfence = ask->nfence,
		.tenant = ask->tenant,
	};
	int ret;

	if (ask->label)
		snprintf(l.label, sizeof(l.label), "%s", ask->label);
	if (ask->corr)
		memcpy(l.corr, ask->corr, sizeof(l.corr));
	ret = scene_ioctl(keeper_fd, HOLDFAST_IOC_LEASE_CREATE, &l);
	if (ret)
		return ret;
	if (id)
		*id = l.id;
	return l.fd;
}

int scene_revoke(int keeper_fd, __u64 epoch, __u64 id)
{
	struct holdfast_lease_ref r = { .size = sizeof(r), .epoch = epoch, .id = id };

	return scene_ioctl(keeper_fd, HOLDFAST_IOC_LEASE_REVOKE, &r);
}

int scene_quota(const struct scene_keeper *k, __u64 tenant, enum holdfast_quota_kind kind,
		__u64 budget, bool reset, struct holdfast_quota *q)
{
	struct holdfast_quota mine = {
		.size = sizeof(mine),
		.flags = reset ? HOLDFAST_QUOTA_RESET : 0,
		.epoch = k->epoch,
		.tenant = tenant,
		.set = 1U << kind,
	};
	int ret;

	mine.budget[kind] = budget;
	ret = scene_ioctl(k->fd, HOLDFAST_IOC_QUOTA_SET, &mine);
	if (q)
		*q = mine;
	return ret;
}

int scene_quota_get(const struct scene_keeper *k, __u64 tenant, struct holdfast_quota *q)
{
	*q = (struct holdfast_quota){
		.size = sizeof(*q), .epoch = k->epoch, .tenant = tenant,
	};
	return scene_ioctl(k->fd, HOLDFAST_IOC_QUOTA_SET, q);
}

int scene_send_fd(int sock, int fd, __u64 word)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} c = {};
	struct iovec iov = { &word, sizeof(word) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = c.room, .msg_controllen = sizeof(c.room),
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	return sendmsg(sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int scene_recv_fd(int sock, __u64 *word, bool wait)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} c = {};
	struct iovec iov = { word, sizeof(*word) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = c.room, .msg_controllen = sizeof(c.room),
	};
	struct cmsghdr *h;
	ssize_t n;
	int fd;

	n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
	if (n < 0)
		return -errno;
	h = CMSG_FIRSTHDR(&m);
	if (n != sizeof(*word) || !h || h->cmsg_type != SCM_RIGHTS)
		return -EPIPE;
	memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	return fd;
}

/* -------------------------------------------------------------------- frames */

size_t scene_frame_bytes(__u32 channels, __u32 foci)
{
	return sizeof(struct holdfast_frame) + channels * 2 * sizeof(__u16) +
	       foci * sizeof(struct holdfast_focus);
}

void scene_frame_init(struct holdfast_frame *f, __u32 channels, __u32 foci)
{
	memset(f, 0, scene_frame_bytes(channels, foci));
	f->magic = HOLDFAST_FRAME_MAGIC;
	f->size = (__u32)scene_frame_bytes(channels, foci);
	f->channels = (__u16)channels;
	f->foci = (__u16)foci;
}

void scene_foci_init(struct holdfast_frame *f, __u32 channels, __u32 foci)
{
	scene_frame_init(f, channels, foci);
	f->size = (__u32)scene_frame_bytes(0, foci);
	f->flags = HOLDFAST_FRAME_COMPUTE;
}

struct holdfast_frame *scene_foci_new(__u32 channels, __u32 foci)
{
	struct holdfast_frame *f = scene_frame_new(channels, foci);

	scene_foci_init(f, channels, foci);
	return f;
}

struct holdfast_frame *scene_frame_new(__u32 channels, __u32 foci)
{
	struct holdfast_frame *f = malloc(scene_frame_bytes(channels, foci));

	if (!f)
		scene_die("no memory");
	scene_frame_init(f, channels, foci);
	return f;
}

void scene_frame_flat(struct holdfast_frame *f, __u16 amp)
{
	__u32 i;

	for (i = 0; i < f->channels; i++) {
		scene_phases(f)[i] = 0;
		scene_amps(f)[i] = amp;
	}
}

void scene_frame_focus(struct holdfast_frame *f, const struct scene_array *s, __s32 x_um,
		       __s32 y_um, __s32 z_um, __u16 amp)
{
	double wave = s->info.wavelength_nm * 1e-9;
	__u32 i;

	for (i = 0; i < f->channels; i++) {
		double x = (x_um - s->pos[i].x_um) * 1e-6;
		double y = (y_um - s->pos[i].y_um) * 1e-6;
		double z = (z_um - s->pos[i].z_um) * 1e-6;
		double turns = -sqrt(x * x + y * y + z * z) / wave;

		scene_phases(f)[i] = (__u16)((turns - floor(turns)) * 65535.999);
		scene_amps(f)[i] = amp;
	}
}

int scene_write(int lease, const struct holdfast_frame *f)
{
	ssize_t n = write(lease, f, f->size);

	if (n < 0)
		return -errno;
	return n == (ssize_t)f->size ? 0 : -EIO;
}

int scene_submit(int lease, const struct holdfast_frame *f, struct holdfast_frame_result *res)
{
	struct holdfast_submit s = {
		.size = sizeof(s),
		.frames = (uintptr_t)f,
		.bytes = f->size,
		.results = (uintptr_t)res,
		.count = 1,
	};
	int ret;

	memset(res, 0, sizeof(*res));
	ret = scene_ioctl(lease, HOLDFAST_IOC_SUBMIT, &s);
	if (ret < 0)
		return ret;
	return s.count == 1 ? 0 : -EIO;
}

/* ------------------------------------------------------------------- players */

static void *player_writes(void *arg)
{
	struct scene_player *p = arg;
	int ret;

	while (!__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) {
		ret = scene_write(p->lease, p->frame);
		__atomic_store_n(&p->last_error, ret, __ATOMIC_RELEASE);
		if (!ret)
			__atomic_add_fetch(&p->written, 1, __ATOMIC_RELEASE);
		scene_sleep_ms(p->period_ms);
	}
	return NULL;
}

void scene_play(struct scene_player *p, const struct scene_array *s, int lease, __u16 amp,
		unsigned int period_ms)
{
	__u64 until = scene_now_ns() + 2000 * SCENE_MS;

	memset(p, 0, sizeof(*p));
	p->lease = lease;
	p->period_ms = period_ms;
	p->frame = scene_frame_new(s->info.channels, 0);
	scene_frame_flat(p->frame, amp);
	if (pthread_create(&p->thread, NULL, player_writes, p))
		scene_die("no thread");
	while (!__atomic_load_n(&p->written, __ATOMIC_ACQUIRE)) {
		if (scene_now_ns() > until)
			scene_die("no frame is accepted: %s",
				  strerror(-__atomic_load_n(&p->last_error, __ATOMIC_ACQUIRE)));
		scene_sleep_ms(1);
	}
}

void scene_play_stop(struct scene_player *p)
{
	__atomic_store_n(&p->stop, 1, __ATOMIC_RELEASE);
	pthread_join(p->thread, NULL);
	free(p->frame);
	p->frame = NULL;
}
