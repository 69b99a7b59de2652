// SPDX-License-Identifier: GPL-2.0
/*
 * The data path: memory that its owner changes while the driver reads it. Whatever was
 * judged is what was emitted, by the emission ledger. Cases of datapath.c, which runs them.
 */
#define _GNU_SOURCE
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "datapath.h"

const char *memory_skipped;

/* Memory that changes while it is read: whatever was judged is what was emitted. */
static struct frames *flipping;
static int flip_stop;

static void *flip(void *arg)
{
	__u16 amp = AMP;
	unsigned int i;

	(void)arg;
	run_on(1);
	while (!__atomic_load_n(&flip_stop, __ATOMIC_ACQUIRE)) {
		amp = amp == AMP ? AMP_LOUD : AMP;
		for (i = 0; i < CHANNELS; i++)
			*(volatile __u16 *)&scene_amps(frames_at(flipping, 0))[i] = amp;
	}
	return NULL;
}

void memory_changes(struct bench *b)
{
	struct ring plain, fixed;
	unsigned int i, tried = 0, ok = 0, refused = 0;
	size_t n, heard = 0, c;
	pthread_t t;
	int ret = 0;

	path_open(b, 16);
	/* Of its own: the end of this program's data lies in a page of a file. */
	flipping = malloc(sizeof(*flipping));
	if (!flipping)
		tap_bail("no memory");
	ring_open(&plain, IORING_SETUP_SQE128);
	ring_open(&fixed, IORING_SETUP_SQE128);
	ring_fix(&fixed, flipping->bytes, sizeof(flipping->bytes));
	flip_stop = 0;
	pthread_create(&t, NULL, flip, NULL);
	run_on(0);
	for (i = 0; i < 600; i++) {
		struct frames *f = flipping;
		struct holdfast_submit s;

		f->n = 0;
		frames_add(f, (__u16)i, 0, AMP);
		s = ring_frames(f, 0);
		f->res[0].error = EIO;
		switch (i % 4) {
		case 0:
			ret = scene_write(b->lease, frames_at(f, 0));
			f->res[0].error = (__u32)-ret;
			break;
		case 1:
			frames_submit(b->lease, f);
			break;
		case 2:
			ring_send(&plain, b->lease, &s);
			ring_wait(&plain, 3000);
			break;
		default:
			ring_send(&fixed, b->lease, &s);
			ring_wait(&fixed, 3000);
			break;
		}
		ok += !f->res[0].error;
		refused += f->res[0].error == ERANGE;	/* FRAME_INTERVAL too */
		tried++;
		if (i % 50 == 0)
			emissions_read(&b->es, &b->ledger);
	}
	__atomic_store_n(&flip_stop, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	emissions_read(&b->es, &b->ledger);
	for (n = 0; n < b->es.count; n++) {
		for (c = 0; c < CHANNELS; c++)
			heard += b->es.e[n].level[c] > AMP_CAP / 257 + 1;
	}
	bench_check(b, !heard, "%zu channels above the cap in %zu emissions", heard, b->es.count);
	bench_check(b, b->es.count == ok && ok + refused == tried,
		    "%zu emissions, %u admitted, %u refused", b->es.count, ok, refused);
	tap_note("%u admitted, %u refused", ok, refused);
	ring_close(&plain);
	ring_close(&fixed);
	free(flipping);
}

/*
 * The same without chance: the frame lies across two pages, and the second is not
 * there. Who brings it makes the first one loud before that: what was copied is quiet.
 */
struct trap {
	int fd;
	unsigned char *page[2];
	size_t size;
	__u16 *amps;	/* those on the first page */
	int sprung;	/* atomic */
};

#define TRAP_AMPS	8	/* amplitudes on the first page */

static void *trap_run(void *arg)
{
	struct trap *t = arg;
	struct uffd_msg msg;
	__u16 *rest = malloc(t->size);
	unsigned int i;

	for (i = 0; i < t->size / 2; i++)
		rest[i] = AMP;
	while (read(t->fd, &msg, sizeof(msg)) == sizeof(msg)) {
		struct uffdio_copy copy = {
			.dst = (uintptr_t)t->page[1], .src = (uintptr_t)rest, .len = t->size,
		};

		for (i = 0; i < TRAP_AMPS; i++)
			*(volatile __u16 *)&t->amps[i] = AMP_LOUD;
		__atomic_add_fetch(&t->sprung, 1, __ATOMIC_ACQ_REL);
		/* Long enough to see that nobody else waits for this one. */
		scene_sleep_ms(120);
		ioctl(t->fd, UFFDIO_COPY, &copy);
	}
	free(rest);
	return NULL;
}

static bool trap_set(struct trap *t)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	t->size = (size_t)sysconf(_SC_PAGESIZE);
	t->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (t->fd < 0)
		return false;
	t->page[0] = mmap(NULL, 2 * t->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	t->page[1] = t->page[0] + t->size;
	reg.range.start = (uintptr_t)t->page[1];
	reg.range.len = t->size;
	if (t->page[0] == MAP_FAILED || ioctl(t->fd, UFFDIO_API, &api) ||
	    ioctl(t->fd, UFFDIO_REGISTER, &reg))
		tap_bail("userfaultfd: %s", strerror(errno));
	return true;
}

/* A good frame, the end of its amplitudes missing. */
static struct holdfast_frame *trap_frame(struct trap *t, __u16 number, __u64 at)
{
	struct frames f = { .n = 0 };
	size_t left = FRAME_SIZE - 2 * (CHANNELS - TRAP_AMPS);

	frames_add(&f, number, at, AMP);
	madvise(t->page[1], t->size, MADV_DONTNEED);
	memcpy(t->page[1] - left, f.bytes, left);
	t->amps = (__u16 *)(t->page[1] - 2 * TRAP_AMPS);
	return (void *)(t->page[1] - left);
}

static void *play_beside(void *arg)
{
	struct frames f;

	frames_run(&f, 8, 900, 20, 10);
	frames_submit(*(int *)arg, &f);
	return NULL;
}

void memory_changes_for_sure(struct bench *b)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL };
	struct trap t = { .sprung = 0 };
	unsigned int i, beside = 0, loud = 0, own = 0, way;
	struct holdfast_frame_result res;
	pthread_t thread, other;
	struct ring r;
	size_t n;
	int lease2;

	path_open(b, 8);
	if (!trap_set(&t)) {
		memory_skipped = "this kernel has no userfaultfd";
		return;
	}
	pthread_create(&thread, NULL, trap_run, &t);
	ring_open(&r, IORING_SETUP_SQE128);
	lease2 = scene_lease(b->keeper.fd, b->keeper.epoch, &ask, NULL);
	queue_set(lease2, 8, LATE_MS, HORIZON_MS);
	for (way = 0; way < 5; way++) {
		__u64 at = way >= 3 ? scene_now_ns() + 400 * SCENE_MS : 0;
		struct holdfast_frame *f = trap_frame(&t, (__u16)(way + 1), at);
		struct holdfast_submit s = {
			.size = sizeof(s), .frames = (uintptr_t)f, .bytes = FRAME_SIZE,
			.results = (uintptr_t)&res, .count = 1,
			.flags = way == 4 ? HOLDFAST_SUBMIT_QUEUE : 0,
		};
		int ret;

		memset(&res, 0xee, sizeof(res));
		if (!way)
			pthread_create(&other, NULL, play_beside, &lease2);
		if (way == 0)
			res.error = (__u32)-scene_write(b->lease, f);
		else if (way == 1 || way == 3)
			bench_errno(b, scene_submit(b->lease, f, &res), 0, "submit");
		else if ((ret = ring_send(&r, b->lease, &s) ?: ring_wait(&r, 3000)) != 1)
			bench_check(b, false, "completion %d", ret);
		bench_check(b, !res.error, "way %u: error %u", way, res.error);
		if (!way)
			pthread_join(other, NULL);
	}
	bench_errno(b, queue_drain(b->lease, 3000), 0, "drain");
	bench_check(b, t.sprung == 5, "%d faults", t.sprung);
	emissions_read(&b->es, &b->ledger);
	for (n = 0; n < b->es.count; n++) {
		own += emission_number(&b->es.e[n]) < 900;
		/* While the writer of frame 1 hung in its fault. */
		beside += emission_number(&b->es.e[n]) >= 900 && !own;
		for (i = 0; i < CHANNELS; i++)
			loud += b->es.e[n].level[i] > AMP_CAP / 257 + 1;
	}
	bench_check(b, own == 5 && b->es.count == 13, "%u and %zu emissions", own, b->es.count);
	bench_check(b, !loud, "%u channels above the cap", loud);
	bench_check(b, beside >= 1, "nobody is played while another hangs in a fault");
	ring_close(&r);
	close(lease2);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	close(t.fd);
	munmap(t.page[0], 2 * t.size);
}
