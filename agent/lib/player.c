// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that are played at their times while the program does something else:
 * room, order, verdicts. How they get to the kernel is in way.c; what may be
 * emitted, and when it is too late, is the kernel's.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "player.h"

#define DEPTH		64	/* frames, where the caller does not say */
#define BATCH		8
#define LEAD_NS		2000000ULL	/* "as soon as possible": the way into the queue takes that long */
#define CLOSE_NS	2000000000ULL

static struct hf_slot *slot_at(struct holdfast_player *p, uint32_t k)
{
	return &p->slot[(p->first + k) % p->slots];
}

/* The slot that takes the next frame, or NULL: all are under way. */
static struct hf_slot *slot_open(struct holdfast_player *p)
{
	struct hf_slot *s = p->used ? slot_at(p, p->used - 1) : NULL;

	if (s && !s->sent)
		return s;
	if (p->used == p->slots)
		return NULL;
	s = slot_at(p, p->used++);
	s->used = 0;
	s->n = 0;
	s->given = 0;
	s->sent = false;
	s->done = false;
	return s;
}

/* Verdicts to the caller, in the order of the frames, and room again behind them. */
static size_t give(struct holdfast_player *p, struct holdfast_frame_result *res, size_t room)
{
	size_t n = 0;

	while (p->used && slot_at(p, 0)->done) {
		struct hf_slot *s = slot_at(p, 0);

		for (; s->given < s->n; s->given++) {
			if (p->opt.verdict)
				p->opt.verdict(p->opt.arg, &s->res[s->given]);
			else if (n < room)
				res[n++] = s->res[s->given];
			else
				return n;
		}
		p->first = (p->first + 1) % p->slots;
		p->used--;
	}
	return n;
}

static void reap(struct holdfast_player *p)
{
	hf_way_reap(p);
	if (p->opt.verdict)
		give(p, NULL, 0);
}

static int options_check(struct holdfast_player *p, char *text)
{
	struct holdfast_player_options *o = &p->opt;
	const char *env = secure_getenv("HOLDFAST_WAY");
	int ret;

	if (!o->batch)
		o->batch = BATCH;
	if (!o->depth)
		o->depth = o->batch > DEPTH ? o->batch : DEPTH;
	if (o->batch > o->depth || o->depth > HOLDFAST_QUEUE_MAX_DEPTH)
		return hf_say(text, -EINVAL, "depth %u, batch %u: where 1 <= batch <= depth <= %u is allowed",
			      o->depth, o->batch, HOLDFAST_QUEUE_MAX_DEPTH);
	if (o->way > HOLDFAST_WAY_SUBMIT)
		return hf_say(text, -EINVAL, "way %u is not known", (unsigned int)o->way);
	if (o->way == HOLDFAST_WAY_AUTO && env && *env) {
		ret = holdfast_way_by_name(env);
		if (ret < 0)
			return hf_say(text, -EINVAL, "HOLDFAST_WAY=%s is not known", env);
		o->way = (enum holdfast_way)ret;
	}
	p->batch = o->batch;
	p->slots = o->depth / o->batch;
	return 0;
}

static int memory(struct holdfast_player *p)
{
	size_t frames = p->batch * holdfast_frame_size(p->channels, HOLDFAST_MAX_FOCI);
	size_t results = p->batch * sizeof(struct holdfast_frame_result);

	p->slot = calloc(p->slots, sizeof(*p->slot));
	if (!p->slot)
		return -ENOMEM;
	frames = (frames + 63) & ~(size_t)63;
	p->frames_len = p->slots * frames;
	p->mem_len = p->frames_len + p->slots * results;
	p->mem = mmap(NULL, p->mem_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p->mem == MAP_FAILED) {
		p->mem = NULL;
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < p->slots; i++) {
		p->slot[i].bytes = p->mem + i * frames;
		p->slot[i].res = (void *)(p->mem + p->frames_len + i * results);
	}
	return 0;
}

static int queue(struct holdfast_player *p, uint32_t flags, struct holdfast_queue *q)
{
	*q = (struct holdfast_queue){
		.size = sizeof(*q), .flags = flags, .depth = p->slots * p->batch,
		.late_ns = p->opt.late_ns, .horizon_ns = p->opt.horizon_ns,
	};
	return hf_ioctl(p->lease->fd, HOLDFAST_IOC_QUEUE, q);
}

int holdfast_player_open(struct holdfast_player **out, struct holdfast_array *lease,
			 const struct holdfast_player_options *opt, char *text)
{
	struct holdfast_player *p = calloc(1, sizeof(*p));
	struct holdfast_info info;
	struct holdfast_queue q;
	int ret;

	if (!p)
		return hf_say(text, -ENOMEM, "%s", strerror(ENOMEM));
	p->lease = lease;
	if (opt)
		p->opt = *opt;
	ret = options_check(p, text);
	if (ret)
		goto err;
	ret = holdfast_info(lease, &info);
	if (!ret) {
		p->channels = info.channels;
		ret = memory(p);
	}
	if (!ret)
		ret = queue(p, HOLDFAST_QUEUE_SET, &q);
	if (ret) {
		hf_say(text, ret, "queue: %s", strerror(-ret));
		goto err;
	}
	ret = hf_way_open(p, p->opt.way, text);
	if (ret)
		goto err;
	*out = p;
	return 0;
err:
	if (p->mem)
		munmap(p->mem, p->mem_len);
	free(p->slot);
	free(p);
	return ret;
}

enum holdfast_way holdfast_player_way(const struct holdfast_player *p)
{
	return p->way;
}

int holdfast_player_fd(const struct holdfast_player *p)
{
	return hf_way_fd(p);
}

int holdfast_player_status(struct holdfast_player *p, struct holdfast_queue *q)
{
	return queue(p, 0, q);
}

/* Where "as soon as possible" is. */
static uint64_t soon(const struct holdfast_player *p)
{
	uint64_t now = hf_now_ns() + LEAD_NS;
	uint64_t next = p->last_ns + (p->opt.interval_ns ? p->opt.interval_ns : 1);

	return next > now ? next : now;
}

int holdfast_player_push(struct holdfast_player *p, const struct holdfast_frame *f,
			 uint64_t present_ns)
{
	struct holdfast_frame head = *f;
	struct hf_slot *s;

	if (f->magic != HOLDFAST_FRAME_MAGIC || f->channels != p->channels ||
	    f->size < sizeof(*f) ||
	    f->size > holdfast_frame_size(p->channels, HOLDFAST_MAX_FOCI) ||
	    (present_ns && present_ns <= p->last_ns))
		return -EINVAL;
	s = slot_open(p);
	if (!s) {
		reap(p);
		s = slot_open(p);
	}
	if (!s)
		return -EAGAIN;
	if (!present_ns)
		present_ns = soon(p);
	/* One that comes late must not make the next one come too soon after it. */
	head.flags |= HOLDFAST_FRAME_WAIT;
	head.present_ns = present_ns;
	memcpy(s->bytes + s->used, &head, sizeof(head));
	memcpy(s->bytes + s->used + sizeof(head), f + 1, f->size - sizeof(head));
	p->last_ns = present_ns;
	s->used += f->size;
	s->n++;
	if (s->n == p->batch)
		hf_way_send(p, s);
	return 0;
}

void holdfast_player_flush(struct holdfast_player *p)
{
	struct hf_slot *s = p->used ? slot_at(p, p->used - 1) : NULL;

	if (s && !s->sent)
		hf_way_send(p, s);
}

int holdfast_player_verdicts(struct holdfast_player *p, struct holdfast_frame_result *res,
			     size_t room)
{
	if (p->opt.verdict)
		return -EINVAL;
	hf_way_reap(p);
	return (int)give(p, res, room);
}

/* Sleeps until something may have been answered. */
static int answered(struct holdfast_player *p, uint64_t deadline_ns)
{
	struct pollfd fd = { .fd = hf_way_fd(p), .events = POLLIN };
	uint64_t now = hf_now_ns(), left = deadline_ns > now ? deadline_ns - now : 0;
	struct timespec ts = { .tv_sec = (time_t)(left / 1000000000ULL),
			       .tv_nsec = (long)(left % 1000000000ULL) };
	int ret = ppoll(&fd, 1, &ts, NULL);

	if (ret < 0)
		return -errno;
	if (!ret)
		return -ETIMEDOUT;
	if (!(fd.revents & POLLIN))
		return -ENODEV;
	return 0;
}

static uint32_t slots_done(struct holdfast_player *p)
{
	uint32_t n = 0;

	while (n < p->used && slot_at(p, n)->done)
		n++;
	return n;
}

int holdfast_player_wait(struct holdfast_player *p, uint64_t deadline_ns)
{
	int ret = 0;

	holdfast_player_flush(p);
	for (;;) {
		reap(p);
		if (p->used < p->slots || slots_done(p))
			return 0;
		ret = answered(p, deadline_ns);
		if (ret)
			return ret;
	}
}

int holdfast_player_drain(struct holdfast_player *p, uint64_t deadline_ns)
{
	int ret;

	holdfast_player_flush(p);
	for (;;) {
		reap(p);
		if (slots_done(p) == p->used)
			return 0;
		ret = answered(p, deadline_ns);
		if (ret)
			return ret;
	}
}

int holdfast_player_cancel(struct holdfast_player *p)
{
	struct hf_slot *s = p->used ? slot_at(p, p->used - 1) : NULL;
	struct holdfast_queue q;

	if (s && !s->sent) {
		hf_slot_refuse(s, 0, ECANCELED);
		s->sent = true;
		s->done = true;
	}
	return queue(p, HOLDFAST_QUEUE_CANCEL, &q);
}

void holdfast_player_close(struct holdfast_player *p)
{
	bool quiet;

	if (!p)
		return;
	p->opt.verdict = NULL;
	holdfast_player_cancel(p);
	quiet = !p->has_ring || !holdfast_player_drain(p, hf_now_ns() + CLOSE_NS);
	hf_way_close(p);
	/* Where a command is not complete the kernel may still write: that memory stays. */
	if (quiet)
		munmap(p->mem, p->mem_len);
	free(p->slot);
	free(p);
}
