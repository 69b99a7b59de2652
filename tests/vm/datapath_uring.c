// SPDX-License-Identifier: GPL-2.0
/*
 * The data path by io_uring commands: batches now and into the queue, refusals, rings
 * and processes that end, locks that are busy. The queue itself is in datapath.c.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/prctl.h>

#include "datapath.h"

/* ------------------------------------------------------------------- helpers */

void ring_open(struct ring *r, unsigned int flags)
{
	int ret = io_uring_queue_init(16, &r->io, flags);

	if (ret)
		tap_bail("io_uring_queue_init: %s", strerror(-ret));
	r->fixed = (struct iovec){ NULL, 0 };
}

void ring_fix(struct ring *r, void *base, size_t len)
{
	r->fixed = (struct iovec){ base, len };
	if (io_uring_register_buffers(&r->io, &r->fixed, 1))
		tap_bail("io_uring_register_buffers");
}

void ring_close(struct ring *r)
{
	io_uring_queue_exit(&r->io);
}

static int ring_send_as(struct ring *r, int fd, const void *payload, size_t len, __u32 op,
			__u32 flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->io);
	int ret;

	memset(sqe, 0, r->io.flags & IORING_SETUP_SQE128 ? 128 : 64);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = op;
	sqe->uring_cmd_flags = flags;
	/* Of an entry of 64 bytes it lies in the next one, too: a driver that does not look takes it. */
	memcpy(sqe->cmd, payload, len);
	ret = io_uring_submit(&r->io);
	return ret == 1 ? 0 : ret < 0 ? ret : -EIO;
}

int ring_send(struct ring *r, int fd, const struct holdfast_submit *s)
{
	return ring_send_as(r, fd, s, sizeof(*s), HOLDFAST_URING_CMD_SUBMIT,
			    r->fixed.iov_base ? IORING_URING_CMD_FIXED : 0);
}

int ring_wait(struct ring *r, unsigned int timeout_ms)
{
	struct __kernel_timespec ts = { timeout_ms / 1000, (timeout_ms % 1000) * 1000000LL };
	struct io_uring_cqe *cqe;
	int ret = io_uring_wait_cqe_timeout(&r->io, &cqe, &ts);

	if (ret)
		return -ETIMEDOUT;
	ret = cqe->res;
	io_uring_cqe_seen(&r->io, cqe);
	return ret;
}

struct holdfast_submit ring_frames(struct frames *f, __u32 flags)
{
	return (struct holdfast_submit){
		.size = sizeof(struct holdfast_submit), .flags = flags,
		.frames = (uintptr_t)f->bytes, .bytes = f->n * FRAME_SIZE,
		.results = (uintptr_t)f->res, .count = f->n,
	};
}

static int send_and_wait(struct ring *r, int fd, const struct holdfast_submit *s)
{
	int ret = ring_send(r, fd, s);

	return ret ? ret : ring_wait(r, 3000);
}

static bool ring_quiet(struct ring *r)
{
	struct io_uring_cqe *cqe;

	return io_uring_peek_cqe(&r->io, &cqe) != 0;
}

/* --------------------------------------------------------------------- now */

void uring_now(struct bench *b)
{
	struct frames f = { .n = 0 };
	struct holdfast_submit s;
	struct ring r, fixed;
	unsigned int i, round, admitted = 0;
	int ret;

	path_open(b, 0);
	ring_open(&r, IORING_SETUP_SQE128);
	ring_open(&fixed, IORING_SETUP_SQE128);
	ring_fix(&fixed, f.bytes, sizeof(f.bytes));
	for (round = 0; round < 2; round++) {
		f.n = 0;
		for (i = 0; i < 20; i++)
			frames_add(&f, (__u16)(100 * round + i), 0, i == 7 ? AMP_LOUD : AMP);
		memset(f.res, 0xee, sizeof(f.res));
		s = ring_frames(&f, 0);
		ret = send_and_wait(round ? &fixed : &r, b->lease, &s);
		bench_check(b, ret == 20, "completion %d", ret);
		for (i = 0; i < 20; i++) {
			bench_check(b, (f.res[i].error == (i == 7 ? ERANGE : 0) ||
					too_soon(&f.res[i])) && f.res[i].cookie == 100 * round + i,
				    "frame %u: error %u", i, f.res[i].error);
			admitted += !f.res[i].error;
		}
		bench_check(b, f.res[20].error == 0xeeeeeeee, "a verdict too many");
	}
	emissions_read(&b->es, &b->ledger);
	bench_check(b, b->es.count == admitted && admitted > 8, "%zu emissions, %u admitted",
		    b->es.count, admitted);
	ring_close(&r);
	ring_close(&fixed);
}

void uring_refusals(struct bench *b)
{
	struct frames f = { .n = 0 }, g = { .n = 0 };
	struct holdfast_submit s, good;
	unsigned char wide[80] = { 0 };
	struct ring r, small, fixed;

	path_open(b, 8);
	ring_open(&r, IORING_SETUP_SQE128);
	ring_open(&small, 0);
	ring_open(&fixed, IORING_SETUP_SQE128);
	frames_add(&f, 1, 0, AMP);
	good = ring_frames(&f, 0);
#define REFUSED(err, what, ...) do { \
		s = good; \
		__VA_ARGS__; \
		bench_errno(b, send_and_wait(&r, b->lease, &s), err, what); \
	} while (0)
	bench_errno(b, send_and_wait(&small, b->lease, &good), EINVAL, "an entry of 64 bytes");
	bench_errno(b, send_and_wait(&r, b->keeper.fd, &good), EOPNOTSUPP, "on the node");
	ring_send_as(&r, b->lease, &good, sizeof(good), HOLDFAST_IOC_LAST_VERDICT, 0);
	bench_errno(b, ring_wait(&r, 3000), ENOTTY, "another command");
	REFUSED(EINVAL, "size", s.size--);
	REFUSED(EINVAL, "size beyond the entry", s.size = 81);
	REFUSED(EINVAL, "flags", s.flags = 2);
	REFUSED(EINVAL, "reserved", s.reserved = 1);
	REFUSED(EINVAL, "no frames", s.count = 0);
	REFUSED(EINVAL, "too many frames", s.count = HOLDFAST_MAX_BATCH + 1);
	REFUSED(EMSGSIZE, "too many bytes", s.bytes = 1ULL << 40);
	REFUSED(EFAULT, "frames nowhere", s.frames = 4096);
	REFUSED(EFAULT, "frames in the kernel", s.frames = ~0ULL << 40);
	REFUSED(EFAULT, "results nowhere", s.results = 4096);
	REFUSED(EINVAL, "queue, but at once", s.flags = HOLDFAST_SUBMIT_QUEUE);
#undef REFUSED
	memcpy(wide, &good, sizeof(good));
	((struct holdfast_submit *)wide)->size = 80;
	ring_send_as(&r, b->lease, wide, 80, HOLDFAST_URING_CMD_SUBMIT, 0);
	bench_errno(b, ring_wait(&r, 3000) - 1, 0, "a longer structure with zeros");
	wide[79] = 1;
	ring_send_as(&r, b->lease, wide, 80, HOLDFAST_URING_CMD_SUBMIT, 0);
	bench_errno(b, ring_wait(&r, 3000), E2BIG, "a longer structure");
	ring_send_as(&r, b->lease, &good, sizeof(good), HOLDFAST_URING_CMD_SUBMIT,
		     IORING_URING_CMD_FIXED);
	bench_errno(b, ring_wait(&r, 3000), EFAULT, "registered memory without any");
	ring_fix(&fixed, g.bytes, sizeof(g.bytes));
	bench_errno(b, send_and_wait(&fixed, b->lease, &good), EFAULT, "outside registered memory");

	f.n = 0;
	frames_add(&f, 2, scene_now_ns() + 20 * SCENE_MS, AMP);
	s = ring_frames(&f, 0);
	bench_check(b, send_and_wait(&r, b->lease, &s) == 1 && f.res[0].error == EINVAL,
		    "a time without the flag: error %u", f.res[0].error);
	f.n = 0;
	frames_add(&f, 3, 0, AMP)->flags = HOLDFAST_FRAME_WAIT;
	s = ring_frames(&f, 0);
	bench_check(b, send_and_wait(&r, b->lease, &s) == 1 && f.res[0].error == EINVAL,
		    "FRAME_WAIT: error %u", f.res[0].error);
	emissions_read(&b->es, &b->ledger);
	/* Of "results nowhere" and of the longer structure: both were good frames. */
	bench_check(b, b->es.count == 2, "%zu emissions", b->es.count);
	ring_close(&r);
	ring_close(&small);
	ring_close(&fixed);
}

/* -------------------------------------------------------------------- queued */

void uring_queue(struct bench *b)
{
	struct frames f, was[2];
	struct ring r, fixed;
	unsigned int round, i;
	size_t n = 0;
	int ret;

	path_open(b, 64);
	ring_open(&r, IORING_SETUP_SQE128);
	ring_open(&fixed, IORING_SETUP_SQE128);
	ring_fix(&fixed, f.bytes, sizeof(f.bytes));
	for (round = 0; round < 2; round++) {
		struct ring *by = round ? &fixed : &r;
		struct holdfast_submit s;

		frames_run(&f, 30, (__u16)(100 * round), 150, 4);
		memset(f.res, 0xee, sizeof(f.res));
		was[round] = f;
		s = ring_frames(&f, HOLDFAST_SUBMIT_QUEUE);
		bench_errno(b, ring_send(by, b->lease, &s), 0, "send");
		memset(f.bytes, 0xff, sizeof(f.bytes));
		memset(&s, 0xff, sizeof(s));
		bench_check(b, ring_quiet(by) || scene_now_ns() > frames_at(&was[round], 29)->present_ns,
			    "complete before the last was played");
		ret = ring_wait(by, 4000);
		bench_check(b, ret == 30, "completion %d", ret);
		bench_check(b, scene_now_ns() >= frames_at(&was[round], 29)->present_ns, "too early");
		bench_check(b, ring_quiet(by), "a second completion");
		for (i = 0; i < 30; i++)
			bench_check(b, f.res[i].verdict == HOLDFAST_VERDICT_ADMIT &&
				    f.res[i].cookie == 100 * round + i,
				    "round %u frame %u: error %u cookie %llu", round, i,
				    f.res[i].error, f.res[i].cookie);
	}
	emissions_read(&b->es, &b->ledger);
	bench_check(b, b->es.count == 60, "%zu emissions", b->es.count);
	for (n = 0; n < b->es.count && n < 60; n++) {
		struct holdfast_frame *h = frames_at(&was[n / 30], n % 30);

		bench_check(b, emission_number(&b->es.e[n]) == h->cookie &&
			    b->es.e[n].begin_ns >= h->present_ns, "emission %zu: frame %u", n,
			    emission_number(&b->es.e[n]));
	}
	ring_close(&r);
	ring_close(&fixed);
}

void uring_all_or_none(struct bench *b)
{
	struct holdfast_queue q;
	struct holdfast_submit s;
	struct frames f;
	struct ring r;

	path_open(b, 8);
	ring_open(&r, IORING_SETUP_SQE128);
#define NONE(err, what, n, ...) do { \
		frames_run(&f, n, 1, 500, 10); \
		s = ring_frames(&f, HOLDFAST_SUBMIT_QUEUE); \
		__VA_ARGS__; \
		bench_errno(b, send_and_wait(&r, b->lease, &s), err, what); \
		queue_get(b->lease, &q); \
		bench_check(b, !q.queued && q.room == 8 && !q.taken, "%s: %u queued, room %u", \
			    what, q.queued, q.room); \
	} while (0)
	NONE(ENOBUFS, "nine in a queue of eight", 9, (void)0);
	NONE(EINVAL, "one without a time", 4, frames_at(&f, 3)->present_ns = 0);
	NONE(EINVAL, "one at the time of another", 4,
	     frames_at(&f, 3)->present_ns = frames_at(&f, 2)->present_ns);
	NONE(EDOM, "one beyond the horizon", 4, frames_at(&f, 3)->present_ns += 60000 * SCENE_MS);
	NONE(EINVAL, "one malformed", 4, frames_at(&f, 2)->magic++);
	NONE(EMSGSIZE, "cut short", 4, s.bytes--);
	NONE(EINVAL, "bytes left over", 4, s.count--);
	NONE(EFAULT, "half of it nowhere", 4, s.frames = (uintptr_t)f.bytes; s.count = 8;
	     s.frames = 4096);
	NONE(ENOTCONN, "silent", 4, scene_silence(b->lease, 0));
#undef NONE
	emissions_read(&b->es, &b->ledger);
	bench_check(b, !b->es.count, "%zu emissions", b->es.count);
	ring_close(&r);
}

/* Does this kernel cancel commands when their ring ends? */
static bool kernel_cancels(void)
{
	const char *kernel = getenv("VM_KERNEL");

	return !kernel || strcmp(kernel, "6.1");
}

void uring_ring_ends(struct bench *b)
{
	struct holdfast_submit s;
	struct frames f;
	struct ring r;

	path_open(b, 16);
	ring_open(&r, IORING_SETUP_SQE128);
	frames_run(&f, 10, 1, 900, 10);
	s = ring_frames(&f, HOLDFAST_SUBMIT_QUEUE);
	bench_errno(b, ring_send(&r, b->lease, &s), 0, "send");
	ring_close(&r);
	if (kernel_cancels())
		bench_errno(b, queue_drain(b->lease, 700), 0, "nothing stays queued");
	bench_errno(b, queue_drain(b->lease, 3000), 0, "nothing stays queued for good");
	scene_sleep_ms(400);
	emissions_read(&b->es, &b->ledger);
	/* Where it is not told the queue plays on: the program lives, and can silence. */
	bench_check(b, b->es.count == (kernel_cancels() ? 0 : 10), "%zu emissions", b->es.count);
	f.n = 0;
	bench_errno(b, scene_write(b->lease, frames_add(&f, 50, 0, AMP)), 0, "the lease lives on");
}

/* Killed between submission and play-out, its lease held open here. */
void uring_process_dies(struct bench *b)
{
	int status, end[2];
	__u64 before;
	pid_t pid;
	char c;

	path_open(b, 16);
	if (pipe(end))
		tap_bail("pipe");
	pid = fork();
	if (!pid) {
		struct holdfast_submit s;
		struct frames f;
		struct ring r;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ring_open(&r, IORING_SETUP_SQE128);
		frames_run(&f, 10, 1, 900, 10);
		s = ring_frames(&f, HOLDFAST_SUBMIT_QUEUE);
		if (ring_send(&r, b->lease, &s) || write(end[1], "y", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(end[1]);
	bench_check(b, read(end[0], &c, 1) == 1, "the child's frames");
	before = scene_now_ns();
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	bench_errno(b, queue_drain(b->lease, 500), 0, "nothing stays queued");
	tap_note("killed and gone after %.1f ms", (double)(scene_now_ns() - before) / 1e6);
	scene_sleep_ms(1100);
	emissions_read(&b->es, &b->ledger);
	bench_check(b, !b->es.count, "%zu frames of a dead process were emitted", b->es.count);
	close(end[0]);
}

/* ---------------------------------------------------------------- busy locks */

static int busy_stop;

/* Holds the array's lock of admission, asleep, most of the time. */
static void *keep_testing(void *arg)
{
	struct holdfast_self_test t;
	int fd = *(int *)arg;

	while (!__atomic_load_n(&busy_stop, __ATOMIC_ACQUIRE))
		scene_self_test(fd, &t);
	return NULL;
}

void uring_punts(struct bench *b)
{
	unsigned int i, later = 0, wrong = 0;
	__u64 worst = 0;
	struct ring r;
	pthread_t t;

	path_open(b, 0);
	scene_silence(b->lease, 0);
	ring_open(&r, IORING_SETUP_SQE128);
	busy_stop = 0;
	pthread_create(&t, NULL, keep_testing, &b->keeper.fd);
	for (i = 0; i < 40; i++) {
		struct frames f = { .n = 0 };
		struct holdfast_submit s;
		__u64 before;

		frames_add(&f, 1, 0, AMP);
		s = ring_frames(&f, 0);
		scene_sleep_ms(1);
		before = scene_now_ns();
		ring_send(&r, b->lease, &s);
		worst = scene_now_ns() - before > worst ? scene_now_ns() - before : worst;
		later += ring_quiet(&r);
		wrong += ring_wait(&r, 3000) != 1 || f.res[0].error != ENOTCONN;
	}
	__atomic_store_n(&busy_stop, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	bench_check(b, !wrong, "%u of %u with another result", wrong, i);
	bench_check(b, later > i / 4, "only %u of %u were left to a worker", later, i);
	tap_note("%u of %u left to a worker, submitting took at most %.3f ms", later, i,
		 (double)worst / 1e6);
	ring_close(&r);
}

static void *keep_tightening(void *arg)
{
	struct holdfast_fence_point p = { .z_um = 150000, .limit_mpa = 900000 };
	int fd = *(int *)arg;

	run_on(1);
	while (!__atomic_load_n(&busy_stop, __ATOMIC_ACQUIRE)) {
		scene_fence_add(fd, &p, 1);
		p.limit_mpa--;
	}
	return NULL;
}

/* Whatever stops a batch half-way: the rest can be submitted again, and nothing is played twice. */
void uring_short(struct bench *b)
{
	unsigned int round, shorts = 0, admitted = 0;
	static __u16 expected[60 * 20];
	__u16 number = 0;
	struct ring r;
	pthread_t t;
	size_t i;

	path_open(b, 0);
	ring_open(&r, IORING_SETUP_SQE128);
	busy_stop = 0;
	pthread_create(&t, NULL, keep_tightening, &b->keeper.fd);
	run_on(0);
	for (round = 0; round < 60; round++) {
		struct frames f = { .n = 0 };
		struct holdfast_submit s;

		while (f.n < 20)
			frames_add(&f, number++, 0, AMP);
		s = ring_frames(&f, 0);
		while (s.count) {
			int ret = send_and_wait(&r, b->lease, &s);

			if (!bench_check(b, ret > 0 && ret <= (int)s.count, "completion %d", ret))
				break;
			shorts += ret < (int)s.count;
			s.count -= (__u32)ret;
			s.frames += (__u32)ret * FRAME_SIZE;
			s.bytes -= (__u32)ret * FRAME_SIZE;
			s.results += (__u32)ret * sizeof(f.res[0]);
		}
		for (i = 0; i < f.n; i++) {
			bench_check(b, !f.res[i].error || too_soon(&f.res[i]),
				    "round %u frame %zu: error %u", round, i, f.res[i].error);
			if (!f.res[i].error)
				expected[admitted++] = (__u16)f.res[i].cookie;
		}
		emissions_read(&b->es, &b->ledger);
	}
	__atomic_store_n(&busy_stop, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	tap_note("%u short completions of %u batches", shorts, round);
	for (i = 0; i < b->es.count && i < admitted; i++)
		if (!bench_check(b, emission_number(&b->es.e[i]) == expected[i],
				 "emission %zu is frame %u", i, emission_number(&b->es.e[i])))
			break;
	bench_check(b, b->es.count == admitted && admitted > number / 3,
		    "%zu emissions of %u frames admitted", b->es.count, admitted);
	ring_close(&r);
}

/* Its commit sleeps: a worker does it. */
void uring_bus(struct bench *b)
{
	static const char *const bus[] = {
		"rows=4", "cols=4", "kind=bus", "limit=slew_phase 1000000000",
		"limit=slew_amp 1000000000", "limit=keeper_deadline 10000", "limit=tick_late 2000",
		"limit=hold 1000", NULL
	};
	struct frames f = { .n = 0 };
	struct holdfast_submit s;
	struct ring r;
	int ret;

	path_open_as(b, 0, bus);
	ring_open(&r, IORING_SETUP_SQE128);
	frames_add(&f, 1, 0, AMP);
	s = ring_frames(&f, 0);
	ret = send_and_wait(&r, b->lease, &s);
	bench_check(b, ret == 1 && !f.res[0].error, "completion %d, error %u", ret, f.res[0].error);
	emissions_read(&b->es, &b->ledger);
	bench_check(b, b->es.count == 1, "%zu emissions", b->es.count);
	ring_close(&r);
}
