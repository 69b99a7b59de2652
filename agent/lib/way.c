// SPDX-License-Identifier: GPL-2.0
/*
 * The ways in which queued frames get to the kernel: io_uring commands, out of
 * registered memory or not, and the SUBMIT call with read(2). Which one is
 * decided once, by trying. No pacing and no frame of its own in here.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "player.h"

static const char *const names[] = {
	[HOLDFAST_WAY_AUTO] = "auto",
	[HOLDFAST_WAY_URING_FIXED] = "uring-fixed",
	[HOLDFAST_WAY_URING] = "uring",
	[HOLDFAST_WAY_SUBMIT] = "submit",
};

const char *holdfast_way_name(enum holdfast_way way)
{
	return (unsigned int)way < sizeof(names) / sizeof(names[0]) ? names[way] : "unknown";
}

int holdfast_way_by_name(const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], name))
			return (int)i;
	return -ENOENT;
}

void hf_slot_refuse(struct hf_slot *s, uint32_t from, uint32_t err)
{
	size_t at = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		struct holdfast_frame f;

		memcpy(&f, s->bytes + at, sizeof(f));
		at += f.size;
		if (i >= from)
			s->res[i] = (struct holdfast_frame_result){
				.verdict = HOLDFAST_VERDICT_REJECT, .error = err,
				.cookie = f.cookie,
				.reason = { HOLDFAST_LIM_NONE, HOLDFAST_NOWHERE, 0, 0 },
			};
	}
}

/* ------------------------------------------------------------------ io_uring */

static int command(struct holdfast_player *p, const struct holdfast_submit *s, uint8_t last,
		   uint64_t data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&p->ring);
	int ret;

	if (!sqe)
		return -ENOBUFS;
	memset(sqe, 0, 128);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = p->lease->fd;
	sqe->cmd_op = HOLDFAST_URING_CMD_SUBMIT;
	sqe->uring_cmd_flags = p->way == HOLDFAST_WAY_URING_FIXED ? IORING_URING_CMD_FIXED : 0;
	sqe->user_data = data;
	memcpy(sqe->cmd, s, sizeof(*s));
	((uint8_t *)sqe->cmd)[79] = last;
	do {
		ret = io_uring_submit(&p->ring);
	} while (ret == -EINTR);
	return ret < 0 ? ret : 0;
}

/* Does this driver take commands? It alone says E2BIG to a structure that is too long. */
static bool driver_knows(struct holdfast_player *p)
{
	struct holdfast_submit s = { .size = 80, .count = 1 };
	struct __kernel_timespec ts = { .tv_sec = 1 };
	struct io_uring_cqe *cqe;
	int res;

	if (command(p, &s, 1, 0) || io_uring_wait_cqe_timeout(&p->ring, &cqe, &ts))
		return false;
	res = cqe->res;
	io_uring_cqe_seen(&p->ring, cqe);
	return res == -E2BIG;
}

static int ring_open(struct holdfast_player *p)
{
	int ret = io_uring_queue_init(p->slots < 2 ? 2 : p->slots, &p->ring, IORING_SETUP_SQE128);

	if (ret)
		return ret;
	p->has_ring = true;
	p->way = HOLDFAST_WAY_URING;
	return driver_knows(p) ? 0 : -EOPNOTSUPP;
}

static int ring_fix(struct holdfast_player *p)
{
	struct iovec all = { p->mem, p->frames_len };
	int ret = io_uring_register_buffers(&p->ring, &all, 1);

	if (!ret)
		p->way = HOLDFAST_WAY_URING_FIXED;
	return ret;
}

static void ring_send(struct holdfast_player *p, struct hf_slot *s)
{
	struct holdfast_submit sub = {
		.size = sizeof(sub), .flags = HOLDFAST_SUBMIT_QUEUE,
		.frames = (uintptr_t)s->bytes, .bytes = s->used,
		.results = (uintptr_t)s->res, .count = s->n,
	};
	int ret = command(p, &sub, 0, (uint64_t)(s - p->slot));

	if (!ret)
		return;
	hf_slot_refuse(s, 0, (uint32_t)-ret);
	s->done = true;
}

static void ring_reap(struct holdfast_player *p)
{
	struct io_uring_cqe *cqe;

	while (!io_uring_peek_cqe(&p->ring, &cqe)) {
		struct hf_slot *s = &p->slot[cqe->user_data];

		if (cqe->res < 0)
			hf_slot_refuse(s, 0, (uint32_t)-cqe->res);
		s->done = true;
		io_uring_cqe_seen(&p->ring, cqe);
	}
}

/* ------------------------------------------------------------- SUBMIT and read */

static bool slot_waits(const struct hf_slot *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->res[i].verdict == HOLDFAST_VERDICT_QUEUED)
			return true;
	return false;
}

/* All or none, as the commands do it: the queue is nobody else's. */
static void call_send(struct holdfast_player *p, struct hf_slot *s)
{
	struct holdfast_queue q = { .size = sizeof(q) };
	int ret = hf_ioctl(p->lease->fd, HOLDFAST_IOC_QUEUE, &q);
	const unsigned char *at = s->bytes;
	uint32_t done = 0;

	if (!ret && q.room < s->n)
		ret = -ENOBUFS;
	while (!ret && done < s->n) {
		uint32_t count = s->n - done;

		ret = holdfast_submit(p->lease, at, (size_t)(s->bytes + s->used - at),
				      s->res + done, &count);
		if (!ret && !count)
			ret = -EIO;
		for (uint32_t i = 0; !ret && i < count; i++) {
			struct holdfast_frame f;

			memcpy(&f, at, sizeof(f));
			at += f.size;
		}
		if (!ret)
			done += count;
	}
	if (ret)
		hf_slot_refuse(s, done, (uint32_t)-ret);
	s->done = !slot_waits(s);
}

static void verdict_take(struct holdfast_player *p, const struct holdfast_frame_result *res)
{
	for (uint32_t k = 0; k < p->used; k++) {
		struct hf_slot *s = &p->slot[(p->first + k) % p->slots];

		for (uint32_t i = 0; s->sent && !s->done && i < s->n; i++) {
			if (s->res[i].verdict != HOLDFAST_VERDICT_QUEUED)
				continue;
			s->res[i] = *res;
			s->done = !slot_waits(s);
			return;
		}
	}
}

static void call_reap(struct holdfast_player *p)
{
	struct pollfd fd = { .fd = p->lease->fd, .events = POLLIN };
	struct holdfast_frame_result res[16];

	while (poll(&fd, 1, 0) == 1 && (fd.revents & POLLIN)) {
		ssize_t n = read(p->lease->fd, res, sizeof(res));

		if (n < (ssize_t)sizeof(res[0]))
			return;
		for (size_t i = 0; i < (size_t)n / sizeof(res[0]); i++)
			verdict_take(p, &res[i]);
	}
}

/* ----------------------------------------------------------------------- both */

int hf_way_open(struct holdfast_player *p, enum holdfast_way want, char *text)
{
	int ret = -EOPNOTSUPP;

	if (want != HOLDFAST_WAY_SUBMIT)
		ret = ring_open(p);
	if (!ret && want != HOLDFAST_WAY_URING) {
		ret = ring_fix(p);
		if (want == HOLDFAST_WAY_AUTO)
			ret = 0;	/* as it is, then */
	}
	if (!ret)
		return 0;
	hf_way_close(p);
	p->way = HOLDFAST_WAY_SUBMIT;
	if (want == HOLDFAST_WAY_AUTO || want == HOLDFAST_WAY_SUBMIT)
		return 0;
	return hf_say(text, ret, "way %s: %s", holdfast_way_name(want), strerror(-ret));
}

void hf_way_send(struct holdfast_player *p, struct hf_slot *s)
{
	s->sent = true;
	if (p->has_ring)
		ring_send(p, s);
	else
		call_send(p, s);
}

void hf_way_reap(struct holdfast_player *p)
{
	if (p->has_ring)
		ring_reap(p);
	else
		call_reap(p);
}

int hf_way_fd(const struct holdfast_player *p)
{
	return p->has_ring ? p->ring.ring_fd : p->lease->fd;
}

void hf_way_close(struct holdfast_player *p)
{
	if (p->has_ring)
		io_uring_queue_exit(&p->ring);
	p->has_ring = false;
}
