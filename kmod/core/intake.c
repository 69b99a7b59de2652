// SPDX-License-Identifier: GPL-2.0
/*
 * Frames out of a caller's memory, by write(2) and HOLDFAST_IOC_SUBMIT: one after
 * the other, each to its judgement (submit.c) or into its queue (queue.c), and
 * what the caller is told. Nothing is judged here.
 */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "compat.h"
#include "core.h"

void hf_malformed(struct hf_array *a)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&a->lock, flags);
	a->n_malformed++;
	raw_spin_unlock_irqrestore(&a->lock, flags);
}

/* The verdict on a frame that was not judged: malformed, or taken into the queue. */
static void hf_submit_told(struct hf_lease *l, u32 verdict, int err, u64 cookie,
			   struct holdfast_frame_result *res)
{
	unsigned long flags;

	*res = (struct holdfast_frame_result){
		.verdict = verdict,
		.error = -err,
		.cookie = cookie,
		.reason = { HOLDFAST_LIM_NONE, HOLDFAST_NOWHERE, 0, 0 },
	};
	raw_spin_lock_irqsave(&l->array->lock, flags);
	l->last = *res;
	raw_spin_unlock_irqrestore(&l->array->lock, flags);
}

static int hf_submit_next(struct hf_lease *l, struct iov_iter *from, unsigned int how,
			  struct holdfast_frame_result *res)
{
	const struct holdfast_frame *h = &l->buf->head;
	int ret = hf_frame_copy(l, from);
	u32 size = h->size;
	u64 cookie = h->cookie;

	if (!ret && (how & HF_SUBMIT_NOW) &&
	    (h->present_ns || (h->flags & HOLDFAST_FRAME_WAIT))) {
		iov_iter_revert(from, size);
		ret = -EINVAL;
	}
	if (ret) {
		if (ret != -EFAULT)
			hf_malformed(l->array);
		hf_submit_told(l, HOLDFAST_VERDICT_REJECT, ret, cookie, res);
		return ret;
	}
	if (h->present_ns) {
		/* The buffer is another one afterwards. */
		ret = hf_queue_put(l, how & HF_SUBMIT_NOROOM);
		hf_submit_told(l, ret ? HOLDFAST_VERDICT_REJECT : HOLDFAST_VERDICT_QUEUED, ret,
			       cookie, res);
	} else {
		ret = hf_submit_frame(l, l->buf, how, res);
	}
	if (ret)
		iov_iter_revert(from, size);
	return ret;
}

/* write(2): whole frames back to back. A refused frame ends it; what went before counts. */
ssize_t hf_submit_iter(struct hf_lease *l, struct iov_iter *from, bool nonblock)
{
	const unsigned int how = nonblock ? HF_SUBMIT_NOTURN | HF_SUBMIT_NOROOM : 0;
	struct holdfast_frame_result res;
	size_t done = 0, before;
	int ret = 0;

	if (mutex_lock_interruptible(&l->io_lock))
		return -ERESTARTSYS;
	while (!ret && iov_iter_count(from)) {
		before = iov_iter_count(from);
		ret = hf_submit_next(l, from, how, &res);
		done += before - iov_iter_count(from);
		if (!ret && signal_pending(current) && iov_iter_count(from))
			ret = -ERESTARTSYS;
		cond_resched();
	}
	mutex_unlock(&l->io_lock);
	return done ? done : ret;
}

/*
 * Frames out of @from with a verdict for each, at most *@count, which is how many
 * there are afterwards. Refused frames do not end it; a malformed one does,
 * because the next cannot be found. io_lock held. Return: what ended it, or 0.
 */
int hf_submit_many(struct hf_lease *l, struct iov_iter *from, unsigned int how,
		   struct holdfast_frame_result __user *out, u32 *count)
{
	struct holdfast_frame_result res;
	u32 n = 0;
	int ret = 0;

	lockdep_assert_held(&l->io_lock);
	while (n < *count && iov_iter_count(from)) {
		ret = hf_submit_next(l, from, how, &res);
		if (ret == -ERESTARTSYS || ret == -EFAULT ||
		    (ret == -EAGAIN && (how & HF_SUBMIT_TRY)))
			break;
		if (copy_to_user(&out[n], &res, sizeof(res))) {
			ret = -EFAULT;
			break;
		}
		n++;
		if (ret && ret != -ERANGE)
			break;
		if (ret)
			iov_iter_advance(from, l->buf->head.size);
		ret = 0;
		cond_resched();
	}
	*count = n;
	return ret;
}

/* HOLDFAST_IOC_SUBMIT */
int hf_submit_batch(struct hf_ctx *c, struct holdfast_submit *s)
{
	struct hf_lease *l = c->lease;
	struct iov_iter from;
	int ret;

	if (!l)
		return -ENOTTY;
	if (s->flags || s->reserved || !s->count || s->count > HOLDFAST_MAX_BATCH)
		return -EINVAL;
	if (s->bytes > HOLDFAST_MAX_BATCH * HF_FRAME_MAX)
		return -EMSGSIZE;
	if (!access_ok(u64_to_user_ptr(s->frames), s->bytes))
		return -EFAULT;
	if (mutex_lock_interruptible(&l->io_lock))
		return -ERESTARTSYS;
	iov_iter_ubuf(&from, ITER_SOURCE, u64_to_user_ptr(s->frames), s->bytes);
	ret = hf_submit_many(l, &from, c->nonblock ? HF_SUBMIT_NOROOM : 0,
			     u64_to_user_ptr(s->results), &s->count);
	mutex_unlock(&l->io_lock);
	/* The verdicts say what went wrong with which frame. */
	return ret == -EFAULT || (ret == -ERESTARTSYS && !s->count) ? ret : 0;
}
