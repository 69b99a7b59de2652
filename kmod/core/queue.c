// SPDX-License-Identifier: GPL-2.0
/*
 * The play-out queue of a lease: frames that were copied and wait for their time,
 * and the thread of the array that hands them to submit.c then. Nothing is
 * judged here, and no safety rests on the thread: when it is late frames are
 * dropped, and HOLD silences. Silence never comes in here: it counts a->stops, which
 * voids every frame that was queued before.
 */
#include <linux/kthread.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "core.h"
#include "queue.h"
#include "trace.h"

#define HF_SWEEP_NS	(50 * NSEC_PER_MSEC)	/* how long frames of a dead process may stay */
#define HF_NEVER	KTIME_MAX

/* ------------------------------------------------------------------ verdicts */

static void hf_verdict_keep(struct hf_queue *q, const struct holdfast_frame_result *res)
{
	const u32 size = 2 * q->depth;

	if (q->verdicts == size) {
		q->first = (q->first + 1) % size;
		q->verdicts--;
		q->lost++;
	}
	q->verdict[(q->first + q->verdicts++) % size] = *res;
}

/* The frame has its verdict and leaves the queue. @e->batch may be over afterwards. */
static void hf_queued_end(struct hf_queue *q, struct hf_queued *e,
			  const struct holdfast_frame_result *res)
{
	struct hf_batch *batch = e->batch;

	lockdep_assert_held(&q->lease->array->queue_lock);
	if (!res->error)
		q->played++;
	else if (res->error == ETIME)
		q->late++;
	else if (res->error == ECANCELED)
		q->cancelled++;
	else
		q->refused++;
	list_move_tail(&e->node, &q->free);
	q->queued--;
	q->room++;
	put_pid(e->pid);
	e->pid = NULL;
	e->batch = NULL;
	trace_holdfast_queue(q->lease->array->index, q->lease->id, e->buf->who.pid, q->queued,
			     q->room);
	if (!batch) {
		hf_verdict_keep(q, res);
		return;
	}
	batch->res[e->at] = *res;
	if (!--batch->left)
		batch->done(batch);
}

static void hf_queued_drop(struct hf_queue *q, struct hf_queued *e, int err)
{
	const struct hf_result none = { .verdict = HF_REJECT,
					.reason = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0) };
	struct holdfast_frame_result res;

	hf_result_of(&res, &none, -err, e->buf->head.cookie);
	hf_queued_end(q, e, &res);
}

/* ---------------------------------------------------------------- the thread */

/* Everything of the process is exiting or gone. */
static bool hf_process_over(struct pid *pid)
{
	struct task_struct *t;
	bool over = true;

	rcu_read_lock();
	t = pid_task(pid, PIDTYPE_TGID);
	if (t)
		over = (READ_ONCE(t->signal->flags) & SIGNAL_GROUP_EXIT) ||
		       !atomic_read(&t->signal->live);
	rcu_read_unlock();
	return over;
}

static u64 hf_stops(struct hf_array *a)
{
	unsigned long flags;
	u64 stops;

	raw_spin_lock_irqsave(&a->lock, flags);
	stops = a->stops;
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return stops;
}

u32 hf_queue_sweep(struct hf_queue *q, bool all)
{
	struct hf_array *a = q->lease->array;
	struct hf_queued *e, *next;
	u64 stops = hf_stops(a);
	u32 n = 0;

	lockdep_assert_held(&a->queue_lock);
	list_for_each_entry_safe(e, next, &q->frames, node) {
		if (e == q->busy)
			continue;
		if (!all && e->buf->stops == stops && !hf_process_over(e->pid))
			continue;
		hf_queued_drop(q, e, ECANCELED);
		n++;
	}
	return n;
}

/* What the thread remembers of its last look at everything. */
struct hf_swept {
	u64 ns;
	u64 stops;
};

static void hf_queues_sweep(struct hf_array *a, struct hf_swept *last)
{
	u64 now = ktime_get_ns(), stops = hf_stops(a);
	bool due = now - last->ns >= HF_SWEEP_NS || stops != last->stops, ended;
	struct hf_queue *q;
	u32 n = 0;

	lockdep_assert_held(&a->queue_lock);
	list_for_each_entry(q, &a->queues, node) {
		ended = READ_ONCE(q->lease->ended);
		if (due || ended)
			n += hf_queue_sweep(q, ended);
	}
	if (due)
		*last = (struct hf_swept){ now, stops };
	if (n)
		wake_up_all(&a->wait);
}

/* When the thread has to look at it: its time, with FRAME_WAIT its turn, or when it is too late. */
static u64 hf_queued_due(const struct hf_queue *q, const struct hf_queued *e)
{
	const struct hf_frame_buf *b = e->buf;
	struct hf_array *a = q->lease->array;
	u64 due = b->head.present_ns;
	unsigned long flags;

	if (!(b->head.flags & HOLDFAST_FRAME_WAIT))
		return due;
	raw_spin_lock_irqsave(&a->lock, flags);
	if (a->last_commit_ns)
		due = max(due, a->last_commit_ns +
			       q->lease->rs->rules.env.limit[HF_LIM_FRAME_INTERVAL]);
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return min(due, b->deadline_ns + 1);
}

/* The queue whose first frame is due first, made busy if that is now. @due: when. */
static struct hf_queue *hf_queue_pick(struct hf_array *a, u64 *due)
{
	struct hf_queue *q, *best = NULL;
	struct hf_queued *e;
	u64 when;

	lockdep_assert_held(&a->queue_lock);
	*due = HF_NEVER;
	list_for_each_entry(q, &a->queues, node) {
		e = list_first_entry_or_null(&q->frames, struct hf_queued, node);
		if (!e)
			continue;
		when = hf_queued_due(q, e);
		if (when >= *due)
			continue;
		*due = when;
		best = q;
	}
	if (!best || *due > ktime_get_ns())
		return NULL;
	best->busy = list_first_entry(&best->frames, struct hf_queued, node);
	return best;
}

/* One frame at its time. -EAGAIN: not yet after all. */
static int hf_queued_play(struct hf_lease *l, struct hf_queued *e,
			  struct holdfast_frame_result *res)
{
	const struct hf_result none = { .verdict = HF_REJECT,
					.reason = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0) };

	if (hf_process_over(e->pid)) {
		hf_result_of(res, &none, -ECANCELED, e->buf->head.cookie);
		return 0;
	}
	return hf_submit_frame(l, e->buf, HF_SUBMIT_NOTURN, res) == -EAGAIN ? -EAGAIN : 0;
}

/* Plays what is due. Return: when to come again. */
static ktime_t hf_queue_round(struct hf_array *a, struct hf_swept *swept)
{
	struct holdfast_frame_result res;
	struct hf_queued *e;
	struct hf_queue *q;
	u64 due = HF_NEVER;
	int ret;

	spin_lock(&a->queue_lock);
	hf_queues_sweep(a, swept);
	while (!kthread_should_stop()) {
		q = hf_queue_pick(a, &due);
		if (!q)
			break;
		e = q->busy;
		spin_unlock(&a->queue_lock);
		ret = hf_queued_play(q->lease, e, &res);
		spin_lock(&a->queue_lock);
		/* From here on the queue may go: who closes it waits for this. */
		q->busy = NULL;
		if (!ret)
			hf_queued_end(q, e, &res);
		wake_up_all(&a->wait);
	}
	spin_unlock(&a->queue_lock);
	return due == HF_NEVER ? due : min(due, swept->ns + HF_SWEEP_NS);
}

static int hf_queue_thread(void *data)
{
	struct hf_swept swept = {};
	struct hf_array *a = data;
	ktime_t next;

	while (!kthread_should_stop()) {
		WRITE_ONCE(a->queue_poked, false);
		next = hf_queue_round(a, &swept);
		/* Of a thread with a real-time policy that timer is a hard one. */
		set_current_state(TASK_INTERRUPTIBLE);
		if (!READ_ONCE(a->queue_poked) && !kthread_should_stop())
			schedule_hrtimeout(next == HF_NEVER ? NULL : &next, HRTIMER_MODE_ABS);
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

void hf_queue_kick(struct hf_array *a)
{
	struct task_struct *t = READ_ONCE(a->queue_task);

	if (!t)
		return;
	WRITE_ONCE(a->queue_poked, true);
	wake_up_process(t);
}

int hf_queue_start(struct hf_array *a)
{
	struct task_struct *t;
	int ret = 0;

	down_read(&a->ops_sem);
	mutex_lock(&a->admit_lock);
	if (a->gone) {
		ret = -ENODEV;
	} else if (!a->queue_task) {
		t = kthread_create(hf_queue_thread, a, "holdfast%d-q", a->index);
		if (IS_ERR(t)) {
			ret = PTR_ERR(t);
		} else {
			sched_set_fifo(t);
			WRITE_ONCE(a->queue_task, t);
			wake_up_process(t);
		}
	}
	mutex_unlock(&a->admit_lock);
	up_read(&a->ops_sem);
	return ret;
}

/* The array is gone: all its leases have ended, so nothing is queued any more. */
void hf_queue_stop(struct hf_array *a)
{
	struct task_struct *t = a->queue_task;
	struct hf_queue *q;

	if (!t)
		return;
	spin_lock(&a->queue_lock);
	WRITE_ONCE(a->queue_task, NULL);
	spin_unlock(&a->queue_lock);
	kthread_stop(t);
	spin_lock(&a->queue_lock);
	list_for_each_entry(q, &a->queues, node)
		hf_queue_sweep(q, true);
	spin_unlock(&a->queue_lock);
	wake_up_all(&a->wait);
}

/* -------------------------------------------------------------------- intake */

/* Its time, after @tail. */
static int hf_queue_time(const struct hf_queue *q, struct hf_frame_buf *b, u64 tail)
{
	u64 now = ktime_get_ns(), at = b->head.present_ns;

	if (at <= tail)
		return -EINVAL;
	if (at > now + q->horizon_ns)
		return -EDOM;
	if (at + q->late_ns < now)
		return -ETIME;
	b->queued = true;
	b->deadline_ns = at + q->late_ns;
	return 0;
}

/* Its lease and the state of the array; what stops from now on voids it. */
static int hf_queue_may(struct hf_lease *l, const struct hf_frame_buf *b, u64 *stops)
{
	struct hf_array *a = l->array;
	unsigned long flags;
	int ret;

	raw_spin_lock_irqsave(&a->lock, flags);
	ret = hf_submit_may(l, b);
	*stops = a->stops;
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return ret;
}

static u64 hf_queue_tail(const struct hf_queue *q)
{
	return q->queued ? list_last_entry(&q->frames, struct hf_queued, node)->buf->head.present_ns
			 : 0;
}

/* The lease's buffer becomes the frame of @e. */
static void hf_queued_fill(struct hf_lease *l, struct hf_queued *e)
{
	lockdep_assert_held(&l->io_lock);
	swap(l->buf, e->buf);
	e->pid = get_pid(task_tgid(current));
}

static void hf_queue_grew(struct hf_queue *q, u32 n)
{
	q->queued += n;
	q->taken += n;
	trace_holdfast_queue(q->lease->array->index, q->lease->id, task_tgid_nr(current),
			     q->queued, q->room);
	hf_queue_kick(q->lease->array);
}

/**
 * hf_queue_put() - the frame in the lease's buffer into its queue
 * @l:	io_lock held; has a queue
 * @nonblock: -EAGAIN instead of sleeping until there is room
 * Return: 0, then the lease's buffer is another one; or -errno as in uapi.
 */
int hf_queue_put(struct hf_lease *l, bool nonblock)
{
	struct hf_array *a = l->array;
	struct hf_queue *q = l->queue;
	struct hf_queued *e;
	int ret;

	lockdep_assert_held(&l->io_lock);
	for (;;) {
		spin_lock(&a->queue_lock);
		ret = hf_queue_time(q, l->buf, hf_queue_tail(q));
		if (!ret)
			ret = hf_queue_may(l, l->buf, &l->buf->stops);
		if (!ret && q->room) {
			e = list_first_entry(&q->free, struct hf_queued, node);
			hf_queued_fill(l, e);
			list_move_tail(&e->node, &q->frames);
			q->room--;
			hf_queue_grew(q, 1);
			spin_unlock(&a->queue_lock);
			return 0;
		}
		spin_unlock(&a->queue_lock);
		if (ret || nonblock)
			return ret ?: -EAGAIN;
		ret = wait_event_interruptible(a->wait, READ_ONCE(q->room) || READ_ONCE(l->ended));
		if (ret)
			return ret;
	}
}

static void hf_batch_ungather(struct hf_queue *q, struct hf_batch *b)
{
	struct hf_queued *e;

	lockdep_assert_held(&q->lease->array->queue_lock);
	list_for_each_entry(e, &b->frames, node) {
		put_pid(e->pid);
		e->pid = NULL;
		e->batch = NULL;
	}
	list_splice_tail_init(&b->frames, &q->free);
	q->room += b->count;
}

static int hf_gather_one(struct hf_lease *l, struct iov_iter *from, u64 tail)
{
	int ret = hf_frame_copy(l, from);

	if (!ret && !l->buf->head.present_ns)
		ret = -EINVAL;
	if (ret) {
		if (ret != -EFAULT)
			hf_malformed(l->array);
		return ret;
	}
	ret = hf_queue_time(l->queue, l->buf, tail);
	return ret ?: hf_queue_may(l, l->buf, &l->buf->stops);
}

/**
 * hf_queue_gather() - copy and check the frames of a batch
 * @l:	io_lock held
 * @from: exactly @b->count frames, each with a presentation time
 * @b:	done, lease and count filled in
 *
 * Takes the room for all of them; nothing is played before hf_queue_publish().
 */
int hf_queue_gather(struct hf_lease *l, struct iov_iter *from, struct hf_batch *b)
{
	struct hf_array *a = l->array;
	struct hf_queue *q = l->queue;
	struct hf_queued *e;
	u64 tail = 0;
	u32 i;
	int ret = 0;

	lockdep_assert_held(&l->io_lock);
	INIT_LIST_HEAD(&b->frames);
	if (!q)
		return -EINVAL;
	spin_lock(&a->queue_lock);
	if (q->room < b->count) {
		ret = -ENOBUFS;
	} else {
		for (i = 0; i < b->count; i++)
			list_move_tail(q->free.next, &b->frames);
		q->room -= b->count;
		tail = hf_queue_tail(q);
	}
	spin_unlock(&a->queue_lock);
	if (ret)
		return ret;
	i = 0;
	list_for_each_entry(e, &b->frames, node) {
		ret = hf_gather_one(l, from, tail);
		if (ret)
			break;
		tail = l->buf->head.present_ns;
		hf_queued_fill(l, e);
		e->batch = b;
		e->at = i++;
		cond_resched();
	}
	if (!ret && iov_iter_count(from))
		ret = -EINVAL;
	if (!ret)
		return 0;
	spin_lock(&a->queue_lock);
	hf_batch_ungather(q, b);
	spin_unlock(&a->queue_lock);
	return ret;
}

/* What was gathered will be played; 0: @b is the queue's, and may be done already. */
int hf_queue_publish(struct hf_batch *b)
{
	struct hf_array *a = b->lease->array;
	struct hf_queue *q = b->lease->queue;
	struct hf_queued *e;
	u64 stops;
	int ret;

	lockdep_assert_held(&b->lease->io_lock);
	spin_lock(&a->queue_lock);
	e = list_first_entry(&b->frames, struct hf_queued, node);
	/* The lease may have ended; what has stopped since they were gathered voids them. */
	ret = b->cancelled ? -ECANCELED : hf_queue_may(b->lease, e->buf, &stops);
	if (ret) {
		hf_batch_ungather(q, b);
	} else {
		b->left = b->count;
		list_splice_tail_init(&b->frames, &q->frames);
		hf_queue_grew(q, b->count);
	}
	spin_unlock(&a->queue_lock);
	return ret;
}

void hf_queue_cancel(struct hf_batch *b)
{
	struct hf_array *a = b->lease->array;
	struct hf_queue *q = b->lease->queue;
	struct hf_queued *e, *next;

	spin_lock(&a->queue_lock);
	b->cancelled = true;
	list_for_each_entry_safe(e, next, &q->frames, node) {
		if (e->batch == b && e != q->busy)
			hf_queued_drop(q, e, ECANCELED);
	}
	spin_unlock(&a->queue_lock);
	wake_up_all(&a->wait);
}
