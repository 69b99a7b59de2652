/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One epoll loop per process: files, timers, child processes and signals.
 * Single-threaded; nothing here sleeps but hf_loop_run().
 */
#ifndef HF_LOOP_H
#define HF_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "clock.h"
#include "histogram.h"

struct hf_loop;
struct hf_watch;
struct hf_timer;

typedef void (*hf_watch_fn)(void *arg, uint32_t events);
typedef void (*hf_timer_fn)(void *arg);

int hf_loop_new(struct hf_loop **out, const struct hf_clock *clock);
void hf_loop_free(struct hf_loop *l);
const struct hf_clock *hf_loop_clock(const struct hf_loop *l);

/*
 * @events: EPOLLIN, EPOLLOUT. The file stays the caller's. Removing a watch from
 * any callback is safe. All watches and timers go before their loop does.
 */
int hf_watch_new(struct hf_watch **out, struct hf_loop *l, int fd, uint32_t events,
		 hf_watch_fn fn, void *arg);
int hf_watch_change(struct hf_watch *w, uint32_t events);
void hf_watch_free(struct hf_watch *w);

/* A timer that is not running; it runs once per hf_timer_set(). */
int hf_timer_new(struct hf_timer **out, struct hf_loop *l, hf_timer_fn fn, void *arg);
void hf_timer_set(struct hf_timer *t, uint64_t at_ns);	/* of the clock's mono_ns */
void hf_timer_in(struct hf_timer *t, uint64_t ns);	/* from now */
void hf_timer_stop(struct hf_timer *t);
bool hf_timer_running(const struct hf_timer *t);
void hf_timer_free(struct hf_timer *t);

/*
 * hf_loop_run() - until hf_loop_stop()
 * Timers that are due run before files, in order of their time.
 * Return: what hf_loop_stop() was given, or -errno of epoll_wait(2).
 */
int hf_loop_run(struct hf_loop *l);
/* One round, waiting at most @timeout_ms (-1: for ever). Return: 0, -errno. */
int hf_loop_once(struct hf_loop *l, int timeout_ms);
void hf_loop_stop(struct hf_loop *l, int ret);

/* How long rounds took, without the waiting: who waits for this process waits as long. */
const struct hf_histogram *hf_loop_rounds(const struct hf_loop *l);
/* The longest since this was last asked. */
uint64_t hf_loop_longest_ns(struct hf_loop *l);

#endif /* HF_LOOP_H */
