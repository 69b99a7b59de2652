// SPDX-License-Identifier: GPL-2.0
/*
 * A fixed set of slots: free, waiting, running, done. All memory for jobs is
 * allocated at the start and kept out of swap where the system allows it.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <openssl/crypto.h>

#include "workers.h"

enum state { SLOT_FREE, SLOT_WAITING, SLOT_RUNNING, SLOT_DONE };

struct slot {
	enum state state;
	uint64_t order;
	struct hf_hash_job job;
	hf_hash_fn fn;
	void *arg;
};

struct hf_workers {
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t threads[HF_WORKERS_MAX];
	unsigned int running;		/* threads */
	unsigned int slots;		/* one per thread and one per place in the queue */
	uint64_t order;
	bool stop;
	int event;
	struct hf_watch *watch;
	struct slot slot[HF_QUEUE_MAX + HF_WORKERS_MAX];
};

static int make(struct hf_hash_job *job, const char *password, size_t len)
{
	int ret = hf_phc_make(&job->cost, &job->pepper, password, len, job->salt, job->made);

	if (ret)
		job->made[0] = '\0';
	return ret;
}

void hf_hash_job_run(struct hf_hash_job *job)
{
	struct hf_phc phc;

	job->verdict = 0;
	job->made[0] = '\0';
	if (job->check[0]) {
		job->verdict = hf_phc_parse(job->check, &phc, NULL);
		if (!job->verdict)
			job->verdict = hf_phc_verify(&phc, &job->pepper, job->old, job->old_len);
		/* A renewal that fails must not spoil a log-in. */
		if (!job->verdict && job->renew && !job->make &&
		    hf_phc_stale(&phc, &job->cost, &job->pepper))
			make(job, job->old, job->old_len);
		OPENSSL_cleanse(&phc, sizeof(phc));
	}
	if (!job->verdict && job->make)
		job->verdict = make(job, job->new, job->new_len);
	OPENSSL_cleanse(job->old, sizeof(job->old));
	OPENSSL_cleanse(job->new, sizeof(job->new));
}

/* The slot in @state that came first. */
static struct slot *first(struct hf_workers *w, enum state state)
{
	struct slot *best = NULL;

	for (unsigned int i = 0; i < w->slots; i++)
		if (w->slot[i].state == state && (!best || w->slot[i].order < best->order))
			best = &w->slot[i];
	return best;
}

static unsigned int count(const struct hf_workers *w, enum state state)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->slots; i++)
		n += w->slot[i].state == state;
	return n;
}

static void *work(void *arg)
{
	struct hf_workers *w = arg;
	uint64_t one = 1;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		struct slot *s = first(w, SLOT_WAITING);

		if (!s) {
			pthread_cond_wait(&w->more, &w->lock);
			continue;
		}
		s->state = SLOT_RUNNING;
		pthread_mutex_unlock(&w->lock);
		hf_hash_job_run(&s->job);
		pthread_mutex_lock(&w->lock);
		s->state = SLOT_DONE;
		/* Fails only when 2^64 are unread, and then the loop is awake anyway. */
		if (write(w->event, &one, sizeof(one)) < 0)
			continue;
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* One result at a time: the callback may submit again, or free nothing of ours. */
static void on_done(void *arg, uint32_t events)
{
	struct hf_workers *w = arg;
	uint64_t n;

	(void)events;
	if (read(w->event, &n, sizeof(n)) < 0)
		return;
	for (;;) {
		struct slot *s;

		pthread_mutex_lock(&w->lock);
		s = first(w, SLOT_DONE);
		pthread_mutex_unlock(&w->lock);
		if (!s)
			return;
		s->fn(s->arg, &s->job);
		OPENSSL_cleanse(&s->job, sizeof(s->job));
		pthread_mutex_lock(&w->lock);
		s->state = SLOT_FREE;
		pthread_mutex_unlock(&w->lock);
	}
}

static void cancel(struct slot *s)
{
	s->job.verdict = -ECANCELED;
	s->job.made[0] = '\0';
	s->fn(s->arg, &s->job);
}

static int start_threads(struct hf_workers *w, unsigned int threads)
{
	sigset_t all, old;
	int ret = 0;

	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (; !ret && w->running < threads; w->running += !ret)
		ret = -pthread_create(&w->threads[w->running], NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

int hf_workers_new(struct hf_workers **out, struct hf_loop *loop, unsigned int threads,
		   unsigned int queue)
{
	struct hf_workers *w;
	int ret;

	if (!threads || threads > HF_WORKERS_MAX || !queue || queue > HF_QUEUE_MAX)
		return -EINVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	mlock(w, sizeof(*w));	/* best effort: the process is non-dumpable anyway */
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	w->slots = threads + queue;
	w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = w->event < 0 ? -errno : hf_watch_new(&w->watch, loop, w->event, EPOLLIN, on_done, w);
	if (!ret)
		ret = start_threads(w, threads);
	if (ret) {
		hf_workers_free(w);
		return ret;
	}
	*out = w;
	return 0;
}

void hf_workers_free(struct hf_workers *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->lock);
	for (unsigned int i = 0; i < w->running; i++)
		pthread_join(w->threads[i], NULL);
	hf_watch_free(w->watch);
	for (unsigned int i = 0; i < w->slots; i++)
		if (w->slot[i].state != SLOT_FREE)
			cancel(&w->slot[i]);
	if (w->event >= 0)
		close(w->event);
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
	munlock(w, sizeof(*w));
	OPENSSL_cleanse(w, sizeof(*w));
	free(w);
}

int hf_workers_submit(struct hf_workers *w, struct hf_hash_job *job, hf_hash_fn fn, void *arg)
{
	struct slot *s;

	pthread_mutex_lock(&w->lock);
	s = first(w, SLOT_FREE);
	if (s) {
		s->job = *job;
		s->fn = fn;
		s->arg = arg;
		s->order = ++w->order;
		s->state = SLOT_WAITING;
		pthread_cond_signal(&w->more);
	}
	pthread_mutex_unlock(&w->lock);
	OPENSSL_cleanse(job, sizeof(*job));
	return s ? 0 : -EBUSY;
}

unsigned int hf_workers_load(struct hf_workers *w)
{
	unsigned int n;

	pthread_mutex_lock(&w->lock);
	n = count(w, SLOT_WAITING) + count(w, SLOT_RUNNING);
	pthread_mutex_unlock(&w->lock);
	return n;
}
