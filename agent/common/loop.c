// SPDX-License-Identifier: GPL-2.0
/*
 * The event loop: epoll for files, a binary heap of timers with one timerfd.
 * No threads, no knowledge of what is watched.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "loop.h"

#define BATCH	64	/* files per round */

struct hf_watch {
	struct hf_loop *loop;
	int fd;
	hf_watch_fn fn;
	void *arg;
};

struct hf_timer {
	struct hf_loop *loop;
	uint64_t at_ns;
	size_t place;		/* in the heap, from 1; 0: not running */
	hf_timer_fn fn;
	void *arg;
};

/**
 * struct hf_loop - see loop.h
 * @tfd:	wakes the system clock's loop; -1 with any other clock
 * @heap:	running timers, earliest first, from [1]
 * @room:	of @heap; grows with hf_timer_new() so that setting a timer cannot fail
 * @known:	timers that exist
 * @rounds:	how long they took, without the waiting
 * @batch:	events of the current round; a watch that is freed is taken out
 */
struct hf_loop {
	const struct hf_clock *clock;
	int epfd, tfd;
	struct hf_timer **heap;
	size_t room, known, running;
	uint64_t armed_ns;
	struct epoll_event batch[BATCH];
	int batch_len;
	bool inside, stopped;
	int ret;
	struct hf_histogram rounds;
	uint64_t longest_ns;
};

int hf_loop_new(struct hf_loop **out, const struct hf_clock *clock)
{
	struct epoll_event ev = { .events = EPOLLIN };	/* data.ptr NULL: the timer */
	struct hf_loop *l = calloc(1, sizeof(*l));
	int ret;

	if (!l)
		return -ENOMEM;
	l->clock = clock;
	l->armed_ns = UINT64_MAX;
	l->tfd = -1;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd >= 0 && clock == &hf_system_clock) {
		l->tfd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
		if (l->tfd < 0 || epoll_ctl(l->epfd, EPOLL_CTL_ADD, l->tfd, &ev))
			goto fail;
	}
	if (l->epfd < 0)
		goto fail;
	*out = l;
	return 0;
fail:
	ret = -errno;
	hf_loop_free(l);
	return ret;
}

void hf_loop_free(struct hf_loop *l)
{
	if (!l)
		return;
	if (l->tfd >= 0)
		close(l->tfd);
	if (l->epfd >= 0)
		close(l->epfd);
	free(l->heap);
	free(l);
}

const struct hf_clock *hf_loop_clock(const struct hf_loop *l)
{
	return l->clock;
}

int hf_watch_new(struct hf_watch **out, struct hf_loop *l, int fd, uint32_t events,
		 hf_watch_fn fn, void *arg)
{
	struct hf_watch *w = malloc(sizeof(*w));
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (!w)
		return -ENOMEM;
	*w = (struct hf_watch){ .loop = l, .fd = fd, .fn = fn, .arg = arg };
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev)) {
		int ret = -errno;

		free(w);
		return ret;
	}
	*out = w;
	return 0;
}

int hf_watch_change(struct hf_watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	return epoll_ctl(w->loop->epfd, EPOLL_CTL_MOD, w->fd, &ev) ? -errno : 0;
}

void hf_watch_free(struct hf_watch *w)
{
	if (!w)
		return;
	epoll_ctl(w->loop->epfd, EPOLL_CTL_DEL, w->fd, NULL);
	for (int i = 0; i < w->loop->batch_len; i++)
		if (w->loop->batch[i].data.ptr == w)
			w->loop->batch[i].events = 0;
	free(w);
}

int hf_timer_new(struct hf_timer **out, struct hf_loop *l, hf_timer_fn fn, void *arg)
{
	struct hf_timer *t;

	if (l->known + 1 >= l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		struct hf_timer **heap = realloc(l->heap, room * sizeof(*heap));

		if (!heap)
			return -ENOMEM;
		l->heap = heap;
		l->room = room;
	}
	t = malloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	*t = (struct hf_timer){ .loop = l, .fn = fn, .arg = arg };
	l->known++;
	*out = t;
	return 0;
}

static void heap_put(struct hf_loop *l, size_t place, struct hf_timer *t)
{
	l->heap[place] = t;
	t->place = place;
}

/* Finds @t's place from @place on, up or down. */
static void heap_settle(struct hf_loop *l, size_t place, struct hf_timer *t)
{
	while (place > 1 && l->heap[place / 2]->at_ns > t->at_ns) {
		heap_put(l, place, l->heap[place / 2]);
		place /= 2;
	}
	for (size_t child = 2 * place; child <= l->running; child = 2 * place) {
		if (child < l->running && l->heap[child + 1]->at_ns < l->heap[child]->at_ns)
			child++;
		if (l->heap[child]->at_ns >= t->at_ns)
			break;
		heap_put(l, place, l->heap[child]);
		place = child;
	}
	heap_put(l, place, t);
}

void hf_timer_set(struct hf_timer *t, uint64_t at_ns)
{
	struct hf_loop *l = t->loop;

	t->at_ns = at_ns;
	if (!t->place)
		t->place = ++l->running;
	heap_settle(l, t->place, t);
}

void hf_timer_in(struct hf_timer *t, uint64_t ns)
{
	uint64_t now_ns = hf_mono_ns(t->loop->clock);

	hf_timer_set(t, ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + ns);
}

void hf_timer_stop(struct hf_timer *t)
{
	struct hf_loop *l = t->loop;
	struct hf_timer *last;

	if (!t->place)
		return;
	last = l->heap[l->running--];
	if (last != t)
		heap_settle(l, t->place, last);
	t->place = 0;
}

bool hf_timer_running(const struct hf_timer *t)
{
	return t->place;
}

void hf_timer_free(struct hf_timer *t)
{
	if (!t)
		return;
	hf_timer_stop(t);
	t->loop->known--;
	free(t);
}

/*
 * Runs what is due. At most as many as are running at the start, so that one
 * which sets itself to a past time cannot keep files waiting for ever.
 * Return: whether any ran.
 */
static bool timers_run(struct hf_loop *l)
{
	uint64_t now_ns = hf_mono_ns(l->clock);
	size_t most = l->running;
	bool ran = false;

	while (most-- && l->running && l->heap[1]->at_ns <= now_ns && !l->stopped) {
		struct hf_timer *t = l->heap[1];

		hf_timer_stop(t);
		t->fn(t->arg);		/* may free it */
		ran = true;
	}
	return ran;
}

/* The earliest timer is when the kernel wakes us. */
static int timerfd_arm(struct hf_loop *l)
{
	uint64_t at_ns = l->running ? l->heap[1]->at_ns : UINT64_MAX;
	struct itimerspec its = { 0 };

	if (l->tfd < 0 || at_ns == l->armed_ns)
		return 0;
	if (at_ns != UINT64_MAX) {
		/* Zero would stop it; what is past anyway may be one nanosecond later. */
		its.it_value.tv_sec = (time_t)(at_ns / HF_S);
		its.it_value.tv_nsec = at_ns ? (long)(at_ns % HF_S) : 1;
	}
	if (timerfd_settime(l->tfd, TFD_TIMER_ABSTIME, &its, NULL))
		return -errno;
	l->armed_ns = at_ns;
	return 0;
}

static void timerfd_clear(struct hf_loop *l)
{
	uint64_t times;
	ssize_t n = read(l->tfd, &times, sizeof(times));

	(void)n;	/* EAGAIN: it was set anew meanwhile */
	l->armed_ns = UINT64_MAX;
}

static void files_run(struct hf_loop *l)
{
	for (int i = 0; i < l->batch_len && !l->stopped; i++) {
		struct hf_watch *w = l->batch[i].data.ptr;

		/* No events: freed by one before it in this round. */
		if (w && l->batch[i].events)
			w->fn(w->arg, l->batch[i].events);
	}
}

static void round_took(struct hf_loop *l, uint64_t ns)
{
	hf_histogram_add(&l->rounds, ns);
	if (ns > l->longest_ns)
		l->longest_ns = ns;
}

const struct hf_histogram *hf_loop_rounds(const struct hf_loop *l)
{
	return &l->rounds;
}

uint64_t hf_loop_longest_ns(struct hf_loop *l)
{
	uint64_t ns = l->longest_ns;

	l->longest_ns = 0;
	return ns;
}

int hf_loop_once(struct hf_loop *l, int timeout_ms)
{
	uint64_t begin_ns, busy_ns;
	int n, ret;

	if (l->inside)
		return -EDEADLK;
	l->inside = true;
	begin_ns = hf_mono_ns(l->clock);
	if (timers_run(l) || l->stopped)
		timeout_ms = 0;
	ret = timerfd_arm(l);
	busy_ns = hf_mono_ns(l->clock) - begin_ns;
	n = ret ? 0 : epoll_wait(l->epfd, l->batch, BATCH, timeout_ms);
	if (n < 0 && errno != EINTR)
		ret = -errno;
	begin_ns = hf_mono_ns(l->clock);
	l->batch_len = n > 0 ? n : 0;
	for (int i = 0; i < l->batch_len; i++)
		if (!l->batch[i].data.ptr)
			timerfd_clear(l);
	timers_run(l);
	files_run(l);
	round_took(l, busy_ns + hf_mono_ns(l->clock) - begin_ns);
	l->batch_len = 0;
	l->inside = false;
	return ret;
}

int hf_loop_run(struct hf_loop *l)
{
	while (!l->stopped) {
		int ret = hf_loop_once(l, -1);

		if (ret)
			return ret;
	}
	l->stopped = false;
	return l->ret;
}

void hf_loop_stop(struct hf_loop *l, int ret)
{
	l->stopped = true;
	l->ret = ret;
}
