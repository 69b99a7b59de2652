// SPDX-License-Identifier: GPL-2.0
/* The helper thread (worker.h): a queue each way, and nothing else shared. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker.h"

#define STACK_BYTES	(256 * 1024)

struct queue {
	struct hf_job job[HF_WORKER_JOBS];
	unsigned int first, count;
};

struct hf_worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct queue todo, finished;
	unsigned int given;		/* not done yet; the loop's */
	bool stop;
	int event;
	struct hf_watch *watch;
};

static void put(struct queue *q, const struct hf_job *job)
{
	q->job[(q->first + q->count++) % HF_WORKER_JOBS] = *job;
}

static struct hf_job get(struct queue *q)
{
	struct hf_job job = q->job[q->first];

	q->first = (q->first + 1) % HF_WORKER_JOBS;
	q->count--;
	return job;
}

/*
 * The keeper's capabilities are its own: capset(2) is of the calling thread
 * alone. Not before the first job: until the sandbox the thread must be able to
 * change its user with the process. Giving up is never refused but by a unit's
 * filter (EPERM); the thread then keeps what the keeper has, two capabilities.
 */
static void drop_capabilities(void)
{
	cap_t none = cap_init();

	if (!none || (cap_set_proc(none) && errno != EPERM))
		abort();
	cap_free(none);
}

static void *work(void *arg)
{
	struct hf_worker *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct hf_job job;

		while (!w->todo.count && !w->stop)
			pthread_cond_wait(&w->more, &w->lock);
		if (!w->todo.count)
			break;
		job = get(&w->todo);
		pthread_mutex_unlock(&w->lock);
		drop_capabilities();
		job.run(job.arg);
		pthread_mutex_lock(&w->lock);
		put(&w->finished, &job);
		eventfd_write(w->event, 1);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static bool finished(struct hf_worker *w, struct hf_job *job)
{
	bool any;

	pthread_mutex_lock(&w->lock);
	any = w->finished.count;
	if (any)
		*job = get(&w->finished);
	pthread_mutex_unlock(&w->lock);
	return any;
}

static void reap(void *arg, uint32_t events)
{
	struct hf_worker *w = arg;
	struct hf_job job;
	eventfd_t n;

	(void)events;
	eventfd_read(w->event, &n);
	while (finished(w, &job)) {
		w->given--;
		job.done(job.arg);
	}
}

/* Signals are the loop's. */
static int start(struct hf_worker *w)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int ret;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = -pthread_create(&w->thread, &attr, work, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return ret;
}

int hf_worker_new(struct hf_worker **out, struct hf_loop *loop)
{
	struct hf_worker *w = calloc(1, sizeof(*w));
	int ret;

	if (!w)
		return -ENOMEM;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = w->event < 0 ? -errno : hf_watch_new(&w->watch, loop, w->event, EPOLLIN, reap, w);
	if (!ret)
		ret = start(w);
	if (!ret) {
		*out = w;
		return 0;
	}
	hf_watch_free(w->watch);
	if (w->event >= 0)
		close(w->event);
	free(w);
	return ret;
}

int hf_worker_give(struct hf_worker *w, const struct hf_job *job)
{
	if (w->given == HF_WORKER_JOBS)
		return -EBUSY;
	w->given++;
	pthread_mutex_lock(&w->lock);
	put(&w->todo, job);
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	return 0;
}

void hf_worker_free(struct hf_worker *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	reap(w, 0);
	hf_watch_free(w->watch);
	close(w->event);
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
