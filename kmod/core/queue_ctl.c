// SPDX-License-Identifier: GPL-2.0
/*
 * What a lease's file sees of its queue: setting it up, its counters, the verdicts to
 * read, poll, and its end. No frame moves in here.
 */
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "core.h"
#include "queue.h"

static void hf_queue_free(struct hf_queue *q)
{
	u32 i;

	if (!q)
		return;
	for (i = 0; q->slot && i < q->depth; i++)
		kvfree(q->slot[i].buf);
	kvfree(q->slot);
	kvfree(q->verdict);
	kfree(q);
}

static struct hf_queue *hf_queue_new(struct hf_lease *l, const struct holdfast_queue *arg)
{
	struct hf_queue *q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);
	u32 i;

	if (!q)
		return NULL;
	INIT_LIST_HEAD(&q->node);
	INIT_LIST_HEAD(&q->frames);
	INIT_LIST_HEAD(&q->free);
	q->lease = l;
	q->depth = arg->depth;
	q->room = arg->depth;
	q->late_ns = arg->late_ns ?: HOLDFAST_QUEUE_LATE_NS;
	q->horizon_ns = arg->horizon_ns ?: HOLDFAST_QUEUE_HORIZON_NS;
	q->slot = kvcalloc(q->depth, sizeof(*q->slot), GFP_KERNEL_ACCOUNT);
	q->verdict = kvcalloc(2 * q->depth, sizeof(*q->verdict), GFP_KERNEL_ACCOUNT);
	if (!q->slot || !q->verdict)
		goto err;
	for (i = 0; i < q->depth; i++) {
		q->slot[i].buf = hf_frame_buf_new(l->array->np->channels);
		if (!q->slot[i].buf)
			goto err;
		list_add_tail(&q->slot[i].node, &q->free);
	}
	return q;
err:
	hf_queue_free(q);
	return NULL;
}

/* The new one in place of the old, which is returned; or the new one if that cannot be. */
static struct hf_queue *hf_queue_replace(struct hf_lease *l, struct hf_queue *q, int *err)
{
	struct hf_array *a = l->array;
	struct hf_queue *old = l->queue;

	lockdep_assert_held(&l->io_lock);
	spin_lock(&a->queue_lock);
	if (old && old->queued) {
		*err = -EBUSY;
		old = q;
	} else {
		if (old) {
			q->taken = old->taken;
			q->played = old->played;
			q->refused = old->refused;
			q->late = old->late;
			q->cancelled = old->cancelled;
			q->lost = old->lost + old->verdicts;
			list_del(&old->node);
		}
		l->queue = q;
		list_add_tail(&q->node, &a->queues);
	}
	spin_unlock(&a->queue_lock);
	return old;
}

static int hf_queue_set(struct hf_lease *l, const struct holdfast_queue *arg)
{
	struct hf_array *a = l->array;
	struct hf_queue *q;
	unsigned long flags;
	int ret;

	if (!arg->depth || arg->depth > HOLDFAST_QUEUE_MAX_DEPTH ||
	    arg->late_ns > HOLDFAST_QUEUE_MAX_NS || arg->horizon_ns > HOLDFAST_QUEUE_MAX_NS)
		return -EINVAL;
	raw_spin_lock_irqsave(&a->lock, flags);
	ret = hf_lease_usable(l, HOLDFAST_RIGHT_FRAMES);
	raw_spin_unlock_irqrestore(&a->lock, flags);
	if (ret)
		return ret;
	q = hf_queue_new(l, arg);
	if (!q)
		return -ENOMEM;
	if (mutex_lock_interruptible(&l->io_lock)) {
		hf_queue_free(q);
		return -ERESTARTSYS;
	}
	ret = hf_queue_start(a);
	if (!ret)
		q = hf_queue_replace(l, q, &ret);
	mutex_unlock(&l->io_lock);
	hf_queue_free(q);
	return ret;
}

static void hf_queue_clear(struct hf_lease *l)
{
	struct hf_array *a = l->array;

	spin_lock(&a->queue_lock);
	if (l->queue)
		hf_queue_sweep(l->queue, true);
	spin_unlock(&a->queue_lock);
	wake_up_all(&a->wait);
}

int hf_queue_ioctl(struct hf_ctx *c, struct holdfast_queue *arg)
{
	struct hf_lease *l = c->lease;
	struct hf_array *a = c->array;
	struct hf_queued *e;
	struct hf_queue *q;
	unsigned long flags;
	u32 size = arg->size, hold_ms;
	int ret = 0;

	if (!l)
		return -ENOTTY;
	if (arg->flags & ~(HOLDFAST_QUEUE_SET | HOLDFAST_QUEUE_CANCEL))
		return -EINVAL;
	if (arg->flags & HOLDFAST_QUEUE_CANCEL)
		hf_queue_clear(l);
	if (arg->flags & HOLDFAST_QUEUE_SET)
		ret = hf_queue_set(l, arg);
	if (ret)
		return ret;
	raw_spin_lock_irqsave(&a->lock, flags);
	hold_ms = l->rs->rules.env.limit[HF_LIM_HOLD];
	raw_spin_unlock_irqrestore(&a->lock, flags);
	*arg = (struct holdfast_queue){ .size = size, .clock = CLOCK_MONOTONIC,
					.hold_ms = hold_ms };
	spin_lock(&a->queue_lock);
	q = l->queue;
	if (q) {
		arg->depth = q->depth;
		arg->late_ns = q->late_ns;
		arg->horizon_ns = q->horizon_ns;
		arg->queued = q->queued;
		arg->room = q->room;
		arg->taken = q->taken;
		arg->played = q->played;
		arg->refused = q->refused;
		arg->late = q->late;
		arg->cancelled = q->cancelled;
		arg->verdicts = q->verdicts;
		arg->verdicts_lost = q->lost;
		e = list_first_entry_or_null(&q->frames, struct hf_queued, node);
		arg->next_ns = e ? e->buf->head.present_ns : 0;
	}
	spin_unlock(&a->queue_lock);
	return 0;
}

static bool hf_verdict_there(struct hf_lease *l)
{
	bool there;

	spin_lock(&l->array->queue_lock);
	there = l->queue->verdicts || READ_ONCE(l->ended);
	spin_unlock(&l->array->queue_lock);
	return there;
}

/* Up to @n of the verdicts there are. -EINVAL: there is no queue. */
static int hf_verdicts_take(struct hf_lease *l, struct holdfast_frame_result *res, u32 n)
{
	struct hf_queue *q;
	u32 i;

	spin_lock(&l->array->queue_lock);
	q = l->queue;
	for (i = 0; q && i < n && q->verdicts; i++) {
		res[i] = q->verdict[q->first];
		q->first = (q->first + 1) % (2 * q->depth);
		q->verdicts--;
	}
	spin_unlock(&l->array->queue_lock);
	return q ? i : -EINVAL;
}

ssize_t hf_queue_read(struct hf_lease *l, char __user *to, size_t size, bool nonblock)
{
	struct holdfast_frame_result res[8];
	size_t done = 0;
	int n;

	if (size < sizeof(res[0]))
		return -EINVAL;
	while (size - done >= sizeof(res[0])) {
		n = hf_verdicts_take(l, res, min_t(size_t, (size - done) / sizeof(res[0]),
						   ARRAY_SIZE(res)));
		if (n < 0)
			return n;
		if (!n) {
			if (done || READ_ONCE(l->ended))
				break;
			if (nonblock)
				return -EAGAIN;
			if (wait_event_interruptible(l->array->wait, hf_verdict_there(l)))
				return -ERESTARTSYS;
			continue;
		}
		if (copy_to_user(to + done, res, n * sizeof(res[0])))
			return -EFAULT;
		done += n * sizeof(res[0]);
	}
	return done;
}

__poll_t hf_queue_poll(struct hf_lease *l, bool armed)
{
	__poll_t mask = 0;
	struct hf_queue *q;

	spin_lock(&l->array->queue_lock);
	q = l->queue;
	if (q && q->verdicts)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (armed && (!q || q->room))
		mask |= EPOLLOUT | EPOLLWRNORM;
	spin_unlock(&l->array->queue_lock);
	return mask;
}

static bool hf_queue_idle(struct hf_queue *q)
{
	struct hf_array *a = q->lease->array;
	bool idle;

	spin_lock(&a->queue_lock);
	idle = !q->busy;
	spin_unlock(&a->queue_lock);
	return idle;
}

void hf_queue_close(struct hf_lease *l)
{
	struct hf_array *a = l->array;
	struct hf_queue *q = l->queue;

	if (!q)
		return;
	spin_lock(&a->queue_lock);
	hf_queue_sweep(q, true);
	spin_unlock(&a->queue_lock);
	wait_event(a->wait, hf_queue_idle(q));
	spin_lock(&a->queue_lock);
	hf_queue_sweep(q, true);	/* what was being judged, and then was not its turn */
	list_del(&q->node);
	spin_unlock(&a->queue_lock);
	l->queue = NULL;
	hf_queue_free(q);
}
