// SPDX-License-Identifier: GPL-2.0
/*
 * The data path: the play-out queue of a lease, by every way into it, and who ends
 * it. Judged by the emission ledger: in which order frames were emitted, when, and
 * that what was cancelled never was. io_uring commands are in datapath_uring.c, memory
 * that changes under the reader's hands in datapath_memory.c.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include "datapath.h"

/* ------------------------------------------------------------------- helpers */

const char *const path_attrs[] = {
	"rows=4", "cols=4", "limit=slew_phase 1000000000", "limit=slew_amp 1000000000",
	"limit=frame_interval 1000", "limit=keeper_deadline 10000", "limit=tick_late 2000",
	"limit=trip_dwell 0", "limit=reject_burst 100000", "limit=hold 300", NULL
};

struct holdfast_frame *frames_at(struct frames *f, unsigned int i)
{
	return (void *)(f->bytes + i * FRAME_SIZE);
}

struct holdfast_frame *frames_add(struct frames *f, __u16 number, __u64 at, __u16 amp)
{
	struct holdfast_frame *h = frames_at(f, f->n++);

	if (f->n > BATCH)
		tap_bail("too many frames");
	scene_frame_init(h, CHANNELS, 0);
	scene_frame_flat(h, amp);
	scene_phases(h)[0] = (__u16)(number << 8);
	scene_phases(h)[1] = number & 0xff00;
	h->cookie = number;
	h->present_ns = at;
	return h;
}

void frames_run(struct frames *f, unsigned int n, __u16 number, unsigned int in_ms,
		unsigned int step_ms)
{
	__u64 at = scene_now_ns() + in_ms * SCENE_MS;
	unsigned int i;

	f->n = 0;
	/* Waiting: where the machine was held up, one would come too soon after another. */
	for (i = 0; i < n; i++)
		frames_add(f, (__u16)(number + i), at + (__u64)i * step_ms * SCENE_MS, AMP)->flags =
			HOLDFAST_FRAME_WAIT;
}

bool too_soon(const struct holdfast_frame_result *res)
{
	return res->error == ERANGE && res->reason.limit == HOLDFAST_LIM_FRAME_INTERVAL;
}

int frames_submit(int lease, struct frames *f)
{
	struct holdfast_submit s = ring_frames(f, 0);
	int ret = scene_ioctl(lease, HOLDFAST_IOC_SUBMIT, &s);

	return ret < 0 ? ret : (int)s.count;
}

__u16 emission_number(const struct emission *e)
{
	return (__u16)(e->phase[0] | e->phase[1] << 8);
}

int queue_set(int lease, __u32 depth, __u64 late_ms, __u64 horizon_ms)
{
	struct holdfast_queue q = {
		.size = sizeof(q), .flags = HOLDFAST_QUEUE_SET, .depth = depth,
		.late_ns = late_ms * SCENE_MS, .horizon_ns = horizon_ms * SCENE_MS,
	};

	return scene_ioctl(lease, HOLDFAST_IOC_QUEUE, &q);
}

int queue_get(int lease, struct holdfast_queue *q)
{
	memset(q, 0, sizeof(*q));
	q->size = sizeof(*q);
	return scene_ioctl(lease, HOLDFAST_IOC_QUEUE, q);
}

int queue_drain(int lease, unsigned int timeout_ms)
{
	__u64 until = scene_now_ns() + timeout_ms * SCENE_MS;
	struct holdfast_queue q;

	while (!queue_get(lease, &q) && q.queued) {
		if (scene_now_ns() > until)
			return -ETIMEDOUT;
		scene_sleep_ms(2);
	}
	return 0;
}

void run_on(int n)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(n, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void run_anywhere(void)
{
	cpu_set_t set;
	int i;

	CPU_ZERO(&set);
	for (i = 0; i < 64; i++)
		CPU_SET(i, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

void path_open_as(struct bench *b, __u32 depth, const char *const attrs[])
{
	static unsigned int serial;
	char name[32];

	snprintf(name, sizeof(name), "path-%u", serial++);
	bench_open(b, name, attrs);
	if (scene_site_tighten(b->keeper.fd, HOLDFAST_LIM_AMP_CAP, AMP_CAP))
		tap_bail("cannot tighten");
	scene_keeper_arm(&b->keeper);
	if (depth && queue_set(b->lease, depth, LATE_MS, HORIZON_MS))
		tap_bail("no queue");
}

void path_open(struct bench *b, __u32 depth)
{
	path_open_as(b, depth, path_attrs);
}

/* Verdicts that read(2) gives now; nonblocking. How many, or -errno. */
static int verdicts(int lease, struct holdfast_frame_result *res, unsigned int n)
{
	int flags = fcntl(lease, F_GETFL);
	ssize_t got;
	int err;

	fcntl(lease, F_SETFL, flags | O_NONBLOCK);
	got = read(lease, res, n * sizeof(*res));
	err = errno;
	fcntl(lease, F_SETFL, flags);
	return got < 0 ? -err : (int)((size_t)got / sizeof(*res));
}

/* All of @f have this verdict, in their order. */
static void all_verdicts(struct bench *b, struct frames *f, __u32 verdict, __u32 error)
{
	unsigned int i;

	for (i = 0; i < f->n; i++)
		bench_check(b, f->res[i].verdict == verdict && f->res[i].error == error &&
			    f->res[i].cookie == frames_at(f, i)->cookie,
			    "frame %u: verdict %u error %u cookie %llu, expected %u %u %llu", i,
			    f->res[i].verdict, f->res[i].error, f->res[i].cookie, verdict, error,
			    frames_at(f, i)->cookie);
}

/* The ledger shows these frames, no others, in this order, none before its time. */
static void emitted_in_order(struct bench *b, struct frames *f)
{
	unsigned int i;

	emissions_read(&b->es, &b->ledger);
	bench_check(b, b->es.count == f->n, "%zu emissions, expected %u", b->es.count, f->n);
	for (i = 0; i < f->n && i < b->es.count; i++) {
		const struct emission *e = &b->es.e[i];

		bench_check(b, emission_number(e) == frames_at(f, i)->cookie,
			    "emission %u is frame %u, expected %llu", i, emission_number(e),
			    frames_at(f, i)->cookie);
		bench_check(b, e->begin_ns >= frames_at(f, i)->present_ns,
			    "frame %u: %.3f ms before its time", i,
			    (double)(frames_at(f, i)->present_ns - e->begin_ns) / SCENE_MS);
	}
}

static void queue_frames(struct bench *b, struct frames *f)
{
	int ret = frames_submit(b->lease, f);

	bench_check(b, ret == (int)f->n, "submit: %d of %u", ret, f->n);
	all_verdicts(b, f, HOLDFAST_VERDICT_QUEUED, 0);
}

/* ----------------------------------------------------------------- the queue */

static void order_and_time(struct bench *b)
{
	struct holdfast_frame_result last;
	struct holdfast_queue q;
	struct frames f;
	double late = 0;
	unsigned int i;
	int n;

	path_open(b, 64);
	frames_run(&f, 40, 700, 60, 9);
	queue_frames(b, &f);
	bench_errno(b, scene_ioctl(b->lease, HOLDFAST_IOC_LAST_VERDICT, &last), 0, "last verdict");
	bench_check(b, last.verdict == HOLDFAST_VERDICT_QUEUED, "last verdict %u", last.verdict);
	queue_get(b->lease, &q);
	bench_check(b, q.depth == 64 && q.queued + q.room == 64 && q.taken == 40 &&
		    q.next_ns >= f.res[0].cookie && q.clock == CLOCK_MONOTONIC && q.hold_ms == 300,
		    "depth %u queued %u room %u taken %llu hold %u", q.depth, q.queued, q.room,
		    q.taken, q.hold_ms);
	bench_errno(b, queue_drain(b->lease, 4000), 0, "drain");
	emitted_in_order(b, &f);
	for (i = 0; i < b->es.count && i < f.n; i++)
		late += (double)(b->es.e[i].begin_ns - frames_at(&f, i)->present_ns) / 1e6;
	tap_note("mean lateness %.3f ms over %zu frames", late / (double)f.n, b->es.count);
	n = verdicts(b->lease, f.res, BATCH);
	bench_check(b, n == (int)f.n, "%d verdicts to read, expected %u", n, f.n);
	all_verdicts(b, &f, HOLDFAST_VERDICT_ADMIT, 0);
	queue_get(b->lease, &q);
	bench_check(b, q.played == 40 && !q.refused && !q.late && !q.cancelled && !q.verdicts,
		    "played %llu refused %llu late %llu cancelled %llu", q.played, q.refused, q.late,
		    q.cancelled);
}

/* Frames of two leases by their times, whoever submitted first. */
static void two_leases(struct bench *b)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL };
	__u64 at = scene_now_ns();
	struct frames f = { .n = 0 }, one = { .n = 0 }, two = { .n = 0 };
	unsigned int i;
	int other;

	path_open(b, 16);
	other = scene_lease(b->keeper.fd, b->keeper.epoch, &ask, NULL);
	bench_errno(b, queue_set(other, 16, LATE_MS, HORIZON_MS), 0, "queue of the other");
	at = scene_now_ns() + 500 * SCENE_MS;
	for (i = 0; i < 16; i++) {
		frames_add(i % 2 ? &one : &two, (__u16)i, at + i * 5 * SCENE_MS, AMP);
		frames_add(&f, (__u16)i, at + i * 5 * SCENE_MS, AMP);
	}
	queue_frames(b, &one);
	bench_check(b, frames_submit(other, &two) == 8, "the other's");
	queue_drain(other, 3000);
	queue_drain(b->lease, 3000);
	emitted_in_order(b, &f);
	close(other);
}

static void refused_at_the_door(struct bench *b)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_FRAMES };
	struct holdfast_queue q = { .size = sizeof(q), .flags = 4 };
	__u64 now = scene_now_ns();
	struct frames f = { .n = 0 };
	int bare;

	path_open(b, 0);
	bench_errno(b, scene_write(b->lease, frames_add(&f, 1, now + 50 * SCENE_MS, AMP)), EINVAL,
		    "a time without a queue");
	bench_errno(b, queue_set(b->keeper.fd, 4, 0, 0), ENOTTY, "a queue of the node");
	bench_errno(b, queue_set(b->lease, 0, 0, 0), EINVAL, "depth 0");
	bench_errno(b, queue_set(b->lease, 1025, 0, 0), EINVAL, "depth 1025");
	bench_errno(b, queue_set(b->lease, 4, 10001, 0), EINVAL, "lateness");
	bench_errno(b, queue_set(b->lease, 4, 0, 10001), EINVAL, "horizon");
	bench_errno(b, scene_ioctl(b->lease, HOLDFAST_IOC_QUEUE, &q), EINVAL, "flags");
	bench_errno(b, queue_get(b->lease, &q), 0, "ask");
	bench_check(b, !q.depth && !q.room, "a queue before it was set");
	bench_errno(b, queue_set(b->lease, 1024, 0, 0), 0, "the deepest");
	bench_errno(b, queue_set(b->lease, 4, 100, 1000), 0, "another depth");
	queue_get(b->lease, &q);
	bench_check(b, q.depth == 4 && q.room == 4 && q.late_ns == 100 * SCENE_MS, "depth %u",
		    q.depth);
	/* User-mode Linux is here before its clock has come to 500 ms. */
	while (scene_now_ns() < 1000 * SCENE_MS)
		scene_sleep_ms(10);
	now = scene_now_ns();
	bench_errno(b, scene_write(b->lease, frames_add(&f, 2, now - 500 * SCENE_MS, AMP)), ETIME,
		    "long past");
	bench_errno(b, scene_write(b->lease, frames_add(&f, 3, now + 3000 * SCENE_MS, AMP)), EDOM,
		    "beyond the horizon");
	bench_errno(b, scene_write(b->lease, frames_add(&f, 4, ~0ULL, AMP)), EDOM, "the end of time");
	now = scene_now_ns() + 900 * SCENE_MS;
	bench_errno(b, scene_write(b->lease, frames_add(&f, 5, now, AMP)), 0, "good");
	bench_errno(b, scene_write(b->lease, frames_add(&f, 6, now, AMP)), EINVAL, "the same time");
	bench_errno(b, scene_write(b->lease, frames_add(&f, 7, now - 1, AMP)), EINVAL, "before it");
	bench_errno(b, queue_set(b->lease, 8, 0, 0), EBUSY, "set while it is not empty");
	scene_silence(b->lease, 0);
	bench_errno(b, scene_write(b->lease, frames_add(&f, 8, now + SCENE_MS, AMP)), ENOTCONN,
		    "while silent");
	scene_silence(b->lease, HOLDFAST_SILENCE_LATCH);
	bench_errno(b, scene_write(b->lease, frames_add(&f, 9, now + SCENE_MS, AMP)), ESHUTDOWN,
		    "while tripped");
	bare = scene_lease(b->keeper.fd, b->keeper.epoch, &ask, NULL);
	queue_set(bare, 4, 100, 1000);
	bench_errno(b, scene_write(bare, frames_add(&f, 10, now + SCENE_MS, AMP)), EPERM,
		    "without the right to raw frames");
	close(bare);
	emissions_read(&b->es, &b->ledger);
	bench_check(b, !b->es.count, "%zu emissions", b->es.count);
}

/* The limits are those of the moment at which it is played. */
static void judged_at_its_time(struct bench *b)
{
	struct frames f = { .n = 0 };
	__u64 at;

	path_open(b, 8);
	at = scene_now_ns() + 500 * SCENE_MS;
	frames_add(&f, 1, at, AMP);
	frames_add(&f, 2, at + 100 * SCENE_MS, AMP_LOUD);
	queue_frames(b, &f);
	bench_errno(b, scene_site_tighten(b->keeper.fd, HOLDFAST_LIM_AMP_CAP, AMP / 2), 0, "tighten");
	queue_drain(b->lease, 3000);
	bench_check(b, verdicts(b->lease, f.res, BATCH) == 2, "verdicts");
	all_verdicts(b, &f, HOLDFAST_VERDICT_REJECT, ERANGE);
	bench_check(b, f.res[0].reason.limit == HOLDFAST_LIM_AMP_CAP, "limit %u",
		    f.res[0].reason.limit);
	emissions_read(&b->es, &b->ledger);
	bench_check(b, !b->es.count, "%zu emissions", b->es.count);
}

/* What is changed in memory afterwards is not what is played. */
static void copied_at_once(struct bench *b)
{
	struct frames f, was;

	path_open(b, 16);
	frames_run(&f, 8, 40, 500, 10);
	was = f;
	queue_frames(b, &f);
	memset(f.bytes, 0xff, sizeof(f.bytes));
	queue_drain(b->lease, 3000);
	emitted_in_order(b, &was);
}

/* The thread is held up by a slow bus: what comes too late then is dropped. */
static void late_is_dropped(struct bench *b)
{
	static const char *const slow[] = {
		"rows=4", "cols=4", "kind=bus", "baud=1200", "limit=slew_phase 1000000000",
		"limit=slew_amp 1000000000", "limit=keeper_deadline 10000", "limit=tick_late 2000",
		"limit=trip_dwell 0", "limit=silence_bound 5000000", "limit=hold 1000", NULL
	};
	struct holdfast_queue q;
	struct frames f = { .n = 0 };
	unsigned int i, early = 0;
	__u64 at;

	path_open_as(b, 0, slow);
	bench_errno(b, queue_set(b->lease, 8, 30, HORIZON_MS), 0, "queue");
	at = scene_now_ns() + 100 * SCENE_MS;
	for (i = 0; i < 4; i++)
		frames_add(&f, (__u16)(i + 1), at + i * 20 * SCENE_MS, AMP);
	queue_frames(b, &f);
	queue_drain(b->lease, 4000);
	queue_get(b->lease, &q);
	bench_check(b, q.late >= 2 && q.late + q.played + q.refused == 4, "late %llu played %llu",
		    q.late, q.played);
	bench_check(b, verdicts(b->lease, f.res, BATCH) == 4, "verdicts");
	emissions_dark_after(&b->es, &b->ledger, scene_now_ns(), 3000);
	for (i = 0; i < b->es.count; i++) {
		unsigned int nr = emission_number(&b->es.e[i]);

		bench_check(b, nr >= 1 && nr <= 4 && f.res[nr - 1].error != ETIME,
			    "frame %u was late and was emitted", nr);
		early += b->es.e[i].begin_ns < at;
	}
	bench_check(b, !early, "%u before their time", early);
}

static void *write_one(void *arg)
{
	void **a = arg;
	int ret = scene_write(*(int *)a[0], a[1]);

	*(__u64 *)a[2] = scene_now_ns();
	return (void *)(intptr_t)ret;
}

static void full(struct bench *b)
{
	struct frames f, more = { .n = 0 };
	struct pollfd p = { .events = POLLOUT };
	__u64 returned = 0, first;
	struct holdfast_frame *h;
	pthread_t t;
	void *ret = NULL, *args[3];

	path_open(b, 4);
	frames_run(&f, 4, 10, 800, 20);
	first = frames_at(&f, 0)->present_ns;
	queue_frames(b, &f);
	p.fd = b->lease;
	bench_check(b, !poll(&p, 1, 0) || !(p.revents & POLLOUT), "a full queue can be written");
	h = frames_add(&more, 14, first + 200 * SCENE_MS, AMP);
	fcntl(b->lease, F_SETFL, O_RDWR | O_NONBLOCK);
	bench_errno(b, scene_write(b->lease, h), EAGAIN, "full, O_NONBLOCK");
	bench_check(b, frames_submit(b->lease, &more) == 1 && more.res[0].error == EAGAIN,
		    "full, O_NONBLOCK, submit");
	fcntl(b->lease, F_SETFL, O_RDWR);
	args[0] = &b->lease;
	args[1] = h;
	args[2] = &returned;
	pthread_create(&t, NULL, write_one, args);
	bench_check(b, poll(&p, 1, 3000) == 1, "room again");
	pthread_join(t, &ret);
	bench_check(b, !ret && returned >= first, "a writer waits for room: %ld, %.3f ms too early",
		    (long)(intptr_t)ret, ((double)first - (double)returned) / 1e6);
	queue_drain(b->lease, 3000);
	frames_add(&f, 14, h->present_ns, AMP);
	emitted_in_order(b, &f);
}

/* It is the frame interval's turn that a frame waits for, however close the times are. */
static void waits_for_its_turn(struct bench *b)
{
	static const char *const attrs[] = {
		"rows=4", "cols=4", "limit=slew_phase 1000000000", "limit=slew_amp 1000000000",
		"limit=frame_interval 10000000", "limit=keeper_deadline 10000",
		"limit=tick_late 2000", NULL
	};
	struct frames f = { .n = 0 };
	__u64 at;
	size_t i;

	path_open_as(b, 16, attrs);
	at = scene_now_ns() + 100 * SCENE_MS;
	for (i = 0; i < 10; i++)
		frames_add(&f, (__u16)i, at + i * 1000, AMP)->flags = HOLDFAST_FRAME_WAIT;
	queue_frames(b, &f);
	queue_drain(b->lease, 3000);
	emitted_in_order(b, &f);
	for (i = 1; i < b->es.count; i++)
		bench_check(b, b->es.e[i].begin_ns - b->es.e[i - 1].begin_ns > 9900000,
			    "emission %zu comes %.3f ms after the one before", i,
			    (double)(b->es.e[i].begin_ns - b->es.e[i - 1].begin_ns) / 1e6);
}

/* -------------------------------------------------------------- what voids it */

static void rearm(struct bench *b)
{
	bench_errno(b, scene_arm(b->keeper.fd, b->keeper.epoch, NULL), 0, "arm again");
}

static void by_silence(struct bench *b)
{
	bench_errno(b, scene_silence(b->lease, 0), 0, "silence");
	rearm(b);
}

static void by_trip(struct bench *b)
{
	bench_errno(b, scene_silence(b->lease, HOLDFAST_SILENCE_LATCH), 0, "trip");
	bench_errno(b, scene_reset(b->keeper.fd, b->keeper.epoch, NULL), 0, "reset");
	rearm(b);
}

static void by_request(struct bench *b)
{
	struct holdfast_queue q = { .size = sizeof(q), .flags = HOLDFAST_QUEUE_CANCEL };

	bench_errno(b, scene_ioctl(b->lease, HOLDFAST_IOC_QUEUE, &q), 0, "cancel");
	bench_check(b, !q.queued && q.cancelled == 12, "%u queued, %llu cancelled", q.queued,
		    q.cancelled);
}

static void by_revoke(struct bench *b)
{
	bench_errno(b, scene_revoke(b->keeper.fd, b->keeper.epoch, b->lease_id), 0, "revoke");
}

static void by_unplug(struct bench *b)
{
	scene_live(&b->sim, false);
}

/* A frame is on, others are queued; then somebody stops it all: none of them is ever heard. */
static void cancelled(struct bench *b, void (*stop)(struct bench *b), const char *what)
{
	struct frames f;
	__u64 at;
	size_t i;
	int n;

	path_open(b, 16);
	frames_run(&f, 12, 1, 800, 15);
	queue_frames(b, &f);
	f.n = 0;
	bench_errno(b, scene_write(b->lease, frames_add(&f, 99, 0, AMP)), 0, "one that is on");
	at = scene_now_ns();
	stop(b);
	bench_errno(b, queue_drain(b->lease, 600), 0, "nothing stays queued");
	scene_sleep_ms(1100);
	emissions_read(&b->es, &b->ledger);
	for (i = 0; i < b->es.count; i++)
		bench_check(b, emission_number(&b->es.e[i]) == 99, "%s: frame %u was emitted %.1f ms after",
			    what, emission_number(&b->es.e[i]),
			    (double)(b->es.e[i].begin_ns - at) / 1e6);
	n = verdicts(b->lease, f.res, BATCH);
	bench_check(b, n == 12, "%s: %d verdicts", what, n);
	for (i = 0; n > 0 && i < (size_t)n; i++)
		bench_check(b, f.res[i].error == ECANCELED, "%s: error %u", what, f.res[i].error);
}

static void cancelled_by_silence(struct bench *b) { cancelled(b, by_silence, "silence"); }
static void cancelled_by_trip(struct bench *b) { cancelled(b, by_trip, "trip"); }
static void cancelled_by_request(struct bench *b) { cancelled(b, by_request, "request"); }
static void cancelled_by_revoke(struct bench *b) { cancelled(b, by_revoke, "revoke"); }
static void cancelled_by_unplug(struct bench *b) { cancelled(b, by_unplug, "unplug"); }

/* Its file is closed, or its process dies while the file lives on elsewhere. */
static void submitter_dies(struct bench *b, bool close_it)
{
	struct frames f;
	int status, end[2], ret;
	pid_t pid;
	char c;

	path_open(b, 16);
	if (pipe(end))
		tap_bail("pipe");
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		frames_run(&f, 12, 1, 900, 15);
		ret = frames_submit(b->lease, &f);
		if (write(end[1], ret == 12 ? "y" : "n", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	if (close_it) {
		close(b->lease);
		b->lease = -1;
	}
	bench_check(b, read(end[0], &c, 1) == 1 && c == 'y', "the child's frames");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (!close_it)
		bench_errno(b, queue_drain(b->lease, 700), 0, "nothing stays queued");
	scene_sleep_ms(1200);
	emissions_read(&b->es, &b->ledger);
	bench_check(b, !b->es.count, "%zu frames of a dead process were emitted", b->es.count);
	close(end[0]);
	close(end[1]);
}

static void process_dies(struct bench *b) { submitter_dies(b, false); }
static void file_closes(struct bench *b) { submitter_dies(b, true); }

/* Nobody stopped anything: the output rests when HOLD is over, and the next frame comes. */
static void a_rest_is_no_stop(struct bench *b)
{
	struct frames f = { .n = 0 };
	__u64 at;

	path_open(b, 8);
	at = scene_now_ns() + 50 * SCENE_MS;
	frames_add(&f, 1, at, AMP);
	frames_add(&f, 2, at + 700 * SCENE_MS, AMP);
	queue_frames(b, &f);
	queue_drain(b->lease, 3000);
	emitted_in_order(b, &f);
	bench_check(b, b->es.count == 2 && b->es.offs >= 1, "%llu rests between them", b->es.offs);
}

/* --------------------------------------------------------- who is said to be it */

static bool trace_has(const char *event, const char *what)
{
	FILE *t = fopen("/sys/kernel/tracing/trace", "r");
	bool found = false;
	char line[512];

	while (t && fgets(line, sizeof(line), t))
		found |= strstr(line, event) && strstr(line, what);
	if (t)
		fclose(t);
	return found;
}

static void trace_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		tap_bail("%s: %s", path, strerror(errno));
	close(fd);
}

static void names_the_submitter(struct bench *b)
{
	struct frames f;
	char pid[32];

	if (mount("none", "/sys/kernel/tracing", "tracefs", 0, NULL) && errno != EBUSY)
		tap_bail("tracefs: %s", strerror(errno));
	path_open(b, 4);
	trace_write("/sys/kernel/tracing/trace", "\n");
	trace_write("/sys/kernel/tracing/events/holdfast/holdfast_queue/enable", "1");
	trace_write("/sys/kernel/tracing/events/holdfast/holdfast_output/enable", "1");
	frames_run(&f, 1, 1, 50, 1);
	queue_frames(b, &f);
	queue_drain(b->lease, 3000);
	scene_silence(b->lease, HOLDFAST_SILENCE_LATCH);
	snprintf(pid, sizeof(pid), " pid=%d ", getpid());
	bench_check(b, trace_has("holdfast_output:", pid), "the output is not said to be ours");
	bench_check(b, trace_has("holdfast_queue:", pid), "the queue is not said to be ours");
	bench_check(b, trace_has("holdfast_queue:", " queued=1 room=3") &&
		    trace_has("holdfast_queue:", " queued=0 room=4"), "the fill of the queue");
	trace_write("/sys/kernel/tracing/events/holdfast/enable", "0");
}

/* ----------------------------------------------------------------- and no more */

/* Full queue, a command in flight, a reader that waits; then the plug is pulled. */
static void pulled_out(struct bench *b)
{
	struct holdfast_frame_result res;
	struct frames f, g;
	struct holdfast_submit s;
	struct ring r;
	int ret;

	path_open(b, 32);
	ring_open(&r, IORING_SETUP_SQE128);
	frames_run(&f, 16, 1, 1000, 5);
	queue_frames(b, &f);
	frames_run(&g, 16, 100, 2000, 5);
	s = ring_frames(&g, HOLDFAST_SUBMIT_QUEUE);
	ring_send(&r, b->lease, &s);
	scene_live(&b->sim, false);
	bench_check(b, ring_wait(&r, 1000) == 16, "the command's completion");
	all_verdicts(b, &g, HOLDFAST_VERDICT_REJECT, ECANCELED);
	bench_check(b, read(b->lease, &res, sizeof(res)) == sizeof(res) && res.error == ECANCELED,
		    "a verdict to read");
	ret = scene_write(b->lease, frames_at(&g, 0));
	bench_check(b, ret == -ENODEV || ret == -ETIME, "write: %s", strerror(-ret));
	bench_errno(b, ring_send(&r, b->lease, &s) ?: ring_wait(&r, 1000), ENODEV, "command");
	bench_errno(b, queue_set(b->lease, 8, 0, 0), ENODEV, "queue");
	ring_close(&r);
	emissions_read(&b->es, &b->ledger);
	bench_check(b, !b->es.count, "%zu emissions", b->es.count);
}

static void goes_and_comes(struct bench *b)
{
	(void)b;
	bench_errno(b, scene_module_unload("holdfast_sim"), 0, "rmmod holdfast_sim");
	bench_errno(b, scene_module_unload("holdfast"), 0, "rmmod holdfast");
	scene_load();
}

static const struct path_case {
	const char *name;
	void (*run)(struct bench *b);
	bool alone;	/* opens no array */
} cases[] = {
	{ "frames come in their order, at their time", order_and_time, false },
	{ "two leases, one order", two_leases, false },
	{ "what is refused when it is submitted", refused_at_the_door, false },
	{ "judged by the limits of its time", judged_at_its_time, false },
	{ "copied before the call returns", copied_at_once, false },
	{ "late frames are dropped", late_is_dropped, false },
	{ "full queue", full, false },
	{ "FRAME_WAIT waits for the interval", waits_for_its_turn, false },
	{ "cancelled by silence, armed again", cancelled_by_silence, false },
	{ "cancelled by a trip, reset, armed again", cancelled_by_trip, false },
	{ "cancelled by request", cancelled_by_request, false },
	{ "cancelled by the end of the lease", cancelled_by_revoke, false },
	{ "cancelled by unplugging", cancelled_by_unplug, false },
	{ "cancelled by the death of its process", process_dies, false },
	{ "cancelled by closing", file_closes, false },
	{ "a rest cancels nothing", a_rest_is_no_stop, false },
	{ "records name the submitter", names_the_submitter, false },
	{ "io_uring: batches now", uring_now, false },
	{ "io_uring: what is refused", uring_refusals, false },
	{ "io_uring: batches into the queue, from registered memory too", uring_queue, false },
	{ "io_uring: all frames of a batch or none", uring_all_or_none, false },
	{ "io_uring: the ring ends with frames queued", uring_ring_ends, false },
	{ "io_uring: the process dies with frames queued", uring_process_dies, false },
	{ "io_uring: a lock is busy: a worker waits, not the submitter", uring_punts, false },
	{ "io_uring: short completions", uring_short, false },
	{ "io_uring: hardware behind a bus", uring_bus, false },
	{ "memory that changes while it is read", memory_changes, false },
	{ "memory that changes while it is read, for sure", memory_changes_for_sure, false },
	{ "unplugged with a full queue", pulled_out, false },
	{ "modules go and come", goes_and_comes, true },
};

int main(int argc, char **argv)
{
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	scene_load();
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench b = { .lease = -1 };

		if (argc > 1 && !strstr(cases[i].name, argv[1]))
			continue;
		cases[i].run(&b);
		run_anywhere();
		if (!cases[i].alone)
			bench_check(&b, !b.ledger.lost, "the ledger lost records");
		if (memory_skipped)
			tap_skip("%s: %s", cases[i].name, memory_skipped);
		else
			tap_ok(!b.failures, "%s", cases[i].name);
		memory_skipped = NULL;
		if (!cases[i].alone)
			bench_close(&b);
	}
	return tap_done();
}
