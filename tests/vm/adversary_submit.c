// SPDX-License-Identifier: GPL-2.0
/*
 * The submitters: processes that attack with frames, by every way there is to
 * submit them, and write down each one with its times and its answer. They do
 * not judge.
 */
#include <errno.h>
#include <liburing.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "adversary.h"

#define HELD		3	/* leases of one submitter */
#define QUEUE_MS	2000	/* how late a queued frame may be */
#define DEAD		700	/* answers in a row, 1 ms apart: nothing will be emitted any more */

struct submitter {
	struct share *sh;
	struct tape *tape;
	struct rng rng;
	struct aim aim;
	unsigned int self;
	int sock;
	unsigned int dead;	/* answers in a row that the array is silent or tripped */
	unsigned int held;
	int fd[HELD];
	__u32 lease[HELD];	/* index in the log */
	struct io_uring ring;
};

/* Frames built and not yet submitted: entries from @first on, @n of them. */
struct batch {
	unsigned int first, n;
	size_t bytes;		/* to submit; the last frame may be cut short */
};

/* A lease that is over already has none; its frames are refused all the same. */
static void queue_open(int fd)
{
	struct holdfast_queue q = {
		.size = sizeof(q), .flags = HOLDFAST_QUEUE_SET, .depth = BATCH,
		.late_ns = QUEUE_MS * SCENE_MS, .horizon_ns = 5000 * SCENE_MS,
	};

	scene_ioctl(fd, HOLDFAST_IOC_QUEUE, &q);
}

static void leases_receive(struct submitter *s)
{
	__u64 index;
	int fd;

	while ((fd = scene_recv_fd(s->sock, &index, false)) >= 0) {
		if (s->held == HELD) {
			close(s->fd[0]);
			s->fd[0] = s->fd[--s->held];
			s->lease[0] = s->lease[s->held];
		}
		queue_open(fd);
		s->fd[s->held] = fd;
		s->lease[s->held++] = (__u32)index;
	}
}

static void lease_forget(struct submitter *s, unsigned int i)
{
	close(s->fd[i]);
	s->fd[i] = s->fd[--s->held];
	s->lease[i] = s->lease[s->held];
}

static enum attack attack_pick(struct submitter *s)
{
	const unsigned int *weight = s->sh->round.weight;
	unsigned int sum = 0, i, at;

	for (i = 0; i < ATTACKS; i++)
		sum += weight[i];
	at = rng_below(&s->rng, sum);
	for (i = 0; at >= weight[i]; i++)
		at -= weight[i];
	return (enum attack)i;
}

static void batch_build(struct submitter *s, struct batch *b, unsigned int lease, unsigned int n)
{
	struct tape *t = s->tape;
	unsigned int i;

	t->used = (t->used + 7) & ~(size_t)7;
	*b = (struct batch){ .first = t->entries };
	s->aim.own = &s->sh->lease[s->lease[lease]];
	for (i = 0; i < n; i++) {
		struct entry *e = &t->entry[t->entries];
		struct holdfast_frame *f = (void *)(t->bytes + t->used);
		enum attack attack = attack_pick(s);
		size_t bytes;

		s->aim.attack = attack == ATTACK_MALFORMED ? ATTACK_FLAT : attack;
		s->aim.tag = s->self << 24 | t->entries;
		aim_frame(&s->aim, f);
		bytes = f->size;
		*e = (struct entry){ .at = t->used, .lease = s->lease[lease], .attack = attack };
		t->used += bytes;
		if (attack == ATTACK_MALFORMED)
			b->bytes += aim_spoil(&s->aim, f);
		else
			b->bytes += bytes;
		t->entries++;
		b->n++;
		/* the driver cannot find what follows a malformed frame */
		if (attack == ATTACK_MALFORMED)
			break;
	}
}

/* Takes back what the driver did not get to. */
static void batch_settle(struct submitter *s, struct batch *b, unsigned int tried, __u64 before)
{
	struct tape *t = s->tape;
	__u64 after = scene_now_ns();
	unsigned int i, accepted = 0;

	for (i = 0; i < tried; i++) {
		struct entry *e = &t->entry[b->first + i];

		e->before = before;
		e->after = after;
		e->done = true;
		accepted += !e->error;
	}
	if (tried < b->n) {
		t->used = t->entry[b->first + tried].at;
		t->entries = b->first + tried;
	}
	__atomic_add_fetch(&s->sh->backlog, accepted, __ATOMIC_ACQ_REL);
}

static void entry_result(struct entry *e, const struct holdfast_frame_result *res)
{
	e->verdict = res->verdict;
	e->error = res->error;
	e->limit = res->reason.limit;
}

/* HOLDFAST_IOC_SUBMIT; the error that ended it, or 0. */
static int batch_submit(struct submitter *s, struct batch *b, int fd)
{
	struct holdfast_frame_result res[BATCH] = {};
	struct tape *t = s->tape;
	struct holdfast_submit sub = {
		.size = sizeof(sub),
		.frames = (uintptr_t)(t->bytes + t->entry[b->first].at),
		.bytes = b->bytes,
		.results = (uintptr_t)res,
		.count = b->n,
	};
	__u64 before = scene_now_ns();
	int ret = scene_ioctl(fd, HOLDFAST_IOC_SUBMIT, &sub);
	unsigned int i, n = sub.count;

	/* whatever happens to a frame is in its verdict */
	if (ret < 0)
		scene_die("submitter %u: submit: %s", s->self, strerror(-ret));
	for (i = 0; i < n; i++)
		entry_result(&t->entry[b->first + i], &res[i]);
	batch_settle(s, b, n, before);
	return n ? (int)res[n - 1].error : 0;
}

/* What these ways do not know in a frame: FRAME_WAIT at once; without a time in the queue. */
static void batch_fit(struct submitter *s, struct batch *b, bool queue)
{
	__u64 at = scene_now_ns() + 200000;
	unsigned int i;

	for (i = 0; i < b->n; i++) {
		struct holdfast_frame *f = (void *)(s->tape->bytes + s->tape->entry[b->first + i].at);

		s->tape->entry[b->first + i].way = queue ? WAY_QUEUE : WAY_URING;
		if (!queue) {
			f->flags &= ~HOLDFAST_FRAME_WAIT;
			continue;
		}
		f->present_ns = at;
		at += 1 + rng_below(&s->rng, 200000);
	}
}

/* A command of io_uring, now or by the queue of the lease, and its completion. */
static int batch_uring(struct submitter *s, struct batch *b, int fd, bool queue)
{
	struct holdfast_frame_result res[BATCH] = {};
	struct __kernel_timespec ts = { .tv_sec = 20 };
	struct tape *t = s->tape;
	struct holdfast_submit sub = {
		.size = sizeof(sub),
		.flags = queue ? HOLDFAST_SUBMIT_QUEUE : 0,
		.frames = (uintptr_t)(t->bytes + t->entry[b->first].at),
		.bytes = b->bytes,
		.results = (uintptr_t)res,
		.count = b->n,
	};
	struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);
	struct io_uring_cqe *cqe;
	__u64 before;
	unsigned int i;
	int ret;

	batch_fit(s, b, queue);
	memset(sqe, 0, 128);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = HOLDFAST_URING_CMD_SUBMIT;
	memcpy(sqe->cmd, &sub, sizeof(sub));
	before = scene_now_ns();
	io_uring_submit(&s->ring);
	ret = io_uring_wait_cqe_timeout(&s->ring, &cqe, &ts);
	if (ret)
		scene_die("submitter %u: no completion: %s", s->self, strerror(-ret));
	ret = cqe->res;
	io_uring_cqe_seen(&s->ring, cqe);
	/* Of a batch that is not taken no frame has a verdict: the first one's, if it is the array's. */
	if (ret < 0 && ret != -ENOTCONN && ret != -ESHUTDOWN && ret != -EKEYREVOKED &&
	    ret != -EKEYEXPIRED && ret != -EPERM && ret != -ETIME && ret != -EINTR &&
	    !(ret == -EINVAL && queue))
		scene_die("submitter %u: command: %s", s->self, strerror(-ret));
	for (i = 0; ret > 0 && i < (unsigned int)ret; i++)
		entry_result(&t->entry[b->first + i], &res[i]);
	batch_settle(s, b, ret > 0 ? (unsigned int)ret : 0, before);
	return ret > 0 ? (int)res[ret - 1].error : -ret;
}

/* The frame that ended a write(2), and why. */
static void write_refused(struct submitter *s, struct entry *e, int fd, int error)
{
	struct holdfast_frame_result res;

	e->verdict = HOLDFAST_VERDICT_REJECT;
	e->error = (__u32)error;
	e->limit = HOLDFAST_LIM_NONE;
	if (scene_ioctl(fd, HOLDFAST_IOC_LAST_VERDICT, &res) || res.verdict != e->verdict)
		return;
	entry_result(e, &res);
	if (!error)
		return;
	if (res.error != (__u32)error && error != EAGAIN)
		scene_die("submitter %u: write says %d, the last verdict %u", s->self, error,
			  res.error);
}

/* write(2) or, cut into pieces anywhere, writev(2). */
static int batch_write(struct submitter *s, struct batch *b, int fd, bool pieces)
{
	struct tape *t = s->tape;
	unsigned char *from = t->bytes + t->entry[b->first].at;
	size_t cut = pieces ? rng_below(&s->rng, (__u32)b->bytes) : 0;
	struct iovec iov[2] = { { from, cut }, { from + cut, b->bytes - cut } };
	__u64 before = scene_now_ns();
	ssize_t n = pieces ? writev(fd, iov, 2) : write(fd, from, b->bytes);
	int error = n < 0 ? errno : 0;
	unsigned int i, tried = 0;

	for (i = 0; i < b->n && n > 0; i++) {
		struct holdfast_frame *f = (void *)(t->bytes + t->entry[b->first + i].at);

		if ((size_t)n < f->size)
			scene_die("submitter %u: half a frame was written", s->self);
		n -= f->size;
		tried++;
	}
	if (tried < b->n) {
		write_refused(s, &t->entry[b->first + tried], fd, error);
		error = (int)t->entry[b->first + tried].error;
		tried++;
	}
	batch_settle(s, b, tried, before);
	return error;
}

static void submitter_shot(struct submitter *s)
{
	unsigned int lease = rng_below(&s->rng, s->held), kind = rng_below(&s->rng, 100);
	struct batch b;
	int error;

	batch_build(s, &b, lease, kind < 35 ? 1 : 1 + rng_below(&s->rng, kind < 60 ? 8 : BATCH));
	if (kind < 60)
		error = batch_write(s, &b, s->fd[lease], kind >= 45);
	else if (kind < 72 && b.n && s->tape->entry[b.first + b.n - 1].attack != ATTACK_MALFORMED)
		error = batch_uring(s, &b, s->fd[lease], kind < 66);
	else
		error = batch_submit(s, &b, s->fd[lease]);
	switch (error) {
	case EKEYREVOKED:
	case EKEYEXPIRED:
		lease_forget(s, lease);
		return;
	case ENOTCONN:
	case ESHUTDOWN:
		s->dead++;
		sleep_us(1000);
		return;
	}
	s->dead = 0;
}

/* So that the judge, who shares the machine, keeps up with the ledger. */
static bool judge_lags(const struct share *sh)
{
	return __atomic_load_n(&sh->backlog, __ATOMIC_ACQUIRE) > 1500;
}

void submitter_run(struct share *sh, unsigned int self, int sock)
{
	struct submitter s = {
		.sh = sh, .tape = &sh->tape[self], .self = self, .sock = sock,
		.rng = { sh->round.seed + self + 1 },
	};
	size_t most = scene_frame_bytes(sh->round.channels, HOLDFAST_MAX_FOCI);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (io_uring_queue_init(2, &s.ring, IORING_SETUP_SQE128))
		scene_die("submitter %u: no ring", self);
	s.aim.sh = sh;
	s.aim.rng = &s.rng;
	while (!stopping(sh) && s.tape->entries < sh->round.quota && s.dead < DEAD &&
	       s.tape->used + BATCH * (most + 8) < s.tape->room) {
		leases_receive(&s);
		if (!s.held || judge_lags(sh)) {
			sleep_us(500);
			continue;
		}
		submitter_shot(&s);
		if (sh->round.pace_us)
			sleep_us(sh->round.pace_us);
		if (rng_below(&s.rng, 400) == 0)
			sleep_us(rng_below(&s.rng, 30000));
		while (__atomic_load_n(&sh->pause, __ATOMIC_ACQUIRE) && !stopping(sh))
			sleep_us(2000);
	}
	__atomic_add_fetch(&sh->finished, 1, __ATOMIC_ACQ_REL);
	/* what is held goes on being held: its file stays open */
	while (!stopping(sh))
		sleep_us(2000);
	_exit(0);
}
