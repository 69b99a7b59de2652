// SPDX-License-Identifier: GPL-2.0
/*
 * Frames by write(2) and by HOLDFAST_IOC_SUBMIT: each answer that there is.
 */
#include <sys/uio.h>

#include "abi.h"

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

void test_frames(void)
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
void test_wait(void)
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

void test_submit(void)
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
