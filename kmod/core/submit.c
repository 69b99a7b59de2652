// SPDX-License-Identifier: GPL-2.0
/*
 * The way of a frame from a lease to the outputs. Copied first, judged on the
 * copy by rules/admit.c, committed under the raw lock. Nothing reaches hardware
 * by any other way.
 */
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "compat.h"
#include "core.h"
#include "trace.h"

#define HF_REFUSED_EVENT_NS	(500 * NSEC_PER_MSEC)
#define HF_SUBMIT_TRIES		4

/*
 * Copies one frame out of @from into the lease's buffer and checks its form.
 * -EMSGSIZE: less than a frame; -EINVAL: malformed. Nothing is consumed then.
 */
static int hf_frame_copy(struct hf_lease *l, struct iov_iter *from)
{
	const u32 n = l->array->np->channels;
	struct hf_frame_buf *b = l->buf;
	struct holdfast_frame *h = &b->head;
	size_t avail = iov_iter_count(from), took;
	u32 i;

	lockdep_assert_held(&l->io_lock);
	memset(&b->head, 0, sizeof(b->head));
	b->taken_ns = ktime_get_ns();
	if (avail < sizeof(*h))
		return -EMSGSIZE;
	took = copy_from_iter(h, sizeof(*h), from);
	if (took != sizeof(*h)) {
		iov_iter_revert(from, took);
		return -EFAULT;
	}
	if (h->magic != HOLDFAST_FRAME_MAGIC || h->channels != n || h->foci > HOLDFAST_MAX_FOCI ||
	    (h->flags & ~(HOLDFAST_FRAME_ATTENUATE | HOLDFAST_FRAME_WAIT)) || h->present_ns ||
	    h->size != sizeof(*h) + 4 * n + h->foci * sizeof(b->foci[0])) {
		iov_iter_revert(from, took);
		return -EINVAL;
	}
	if (avail < h->size) {
		iov_iter_revert(from, took);
		return -EMSGSIZE;
	}
	took += copy_from_iter(b->phase, 2 * n, from);
	took += copy_from_iter(b->amp, 2 * n, from);
	took += copy_from_iter(b->foci, h->foci * sizeof(b->foci[0]), from);
	if (took != h->size) {
		iov_iter_revert(from, took);
		return -EFAULT;
	}
	for (i = 0; i < h->foci; i++) {
		if (b->foci[i].reserved) {
			iov_iter_revert(from, took);
			return -EINVAL;
		}
	}
	return 0;
}

static void hf_request_of(const struct hf_frame_buf *b, struct hf_request *req)
{
	u32 i;

	req->phase = b->phase;
	req->amp = b->amp;
	req->channels = b->head.channels;
	req->attenuate = b->head.flags & HOLDFAST_FRAME_ATTENUATE;
	req->nfoci = b->head.foci;
	for (i = 0; i < req->nfoci; i++)
		req->foci[i] = (struct hf_focus){ b->foci[i].x_um, b->foci[i].y_um,
						  b->foci[i].z_um };
}

/* May this lease submit this frame in this state? lock held. */
static int hf_submit_allowed(const struct hf_lease *l, const struct hf_frame_buf *b)
{
	const struct hf_array *a = l->array;
	int ret;

	lockdep_assert_held(&a->lock);
	ret = hf_lease_usable(l, b->head.foci ? HOLDFAST_RIGHT_FRAMES :
						HOLDFAST_RIGHT_FRAMES | HOLDFAST_RIGHT_RAW);
	if (ret)
		return ret;
	if (a->state == HF_TRIPPED)
		return -ESHUTDOWN;
	if (a->state == HF_SILENT)
		return -ENOTCONN;
	/* One tenant's frame is not taken away by another's, not even by silence. */
	return a->emitter && a->emitter->tenant != l->tenant ? -EBUSY : 0;
}

/**
 * hf_open_gate() - let commits through to the hardware
 * @a:	armed or emitting; admit_lock and ops_sem held
 *
 * enable() may sleep, so a silence can come in between: then the gate is shut
 * again, whatever enable() did.
 */
int hf_open_gate(struct hf_array *a)
{
	unsigned long flags;
	u64 silences;
	int ret;

	lockdep_assert_held(&a->admit_lock);
	raw_spin_lock_irqsave(&a->lock, flags);
	silences = a->silences;
	raw_spin_unlock_irqrestore(&a->lock, flags);
	ret = a->ops->enable(a->priv, true);
	raw_spin_lock_irqsave(&a->lock, flags);
	if (ret || a->silences != silences) {
		hf_hw_silence_locked(a);
		ret = ret ?: -EAGAIN;
	} else {
		a->gate_open = true;
	}
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return ret;
}

/* Ends here: no burst, no trip, nothing in the records of others. */
static void hf_refused_quota(struct hf_lease *l, const struct hf_reason *r)
{
	lockdep_assert_held(&l->array->lock);
	l->rejected++;
	l->array->n_rejected++;
	hf_quota_spent_locked(l, r);
}

static void hf_refused(struct hf_lease *l, const struct hf_result *r, u64 now)
{
	struct hf_array *a = l->array;
	struct hf_event_rec ev = {
		.type = HF_EVT_REFUSED,
		.severity = HOLDFAST_SEV_WARNING,
		.lease = l->id,
		.tenant = l->tenant,
		.reason = r->reason,
		.who = l->who,
	};
	struct holdfast_blackbox_entry e = {
		.kind = HOLDFAST_BB_VERDICT,
		.verdict = r->verdict,
		.lease = l->id,
		.reason = hf_reason_uapi(&r->reason),
	};

	lockdep_assert_held(&a->lock);
	l->rejected++;
	a->n_rejected++;
	a->last_reject = r->reason;
	a->refused_count++;
	hf_blackbox_add(a, &e);
	if (!a->refused_event_ns || now - a->refused_event_ns >= HF_REFUSED_EVENT_NS) {
		a->refused_event_ns = now;
		ev.count = a->refused_count;
		a->refused_count = 0;
		hf_event_push(a, &ev);
	}
	/* A rest is the governor's own doing: a stream that runs into one is no attack. */
	if (r->reason.limit == HF_LIM_EMIT_REST || r->reason.limit == HF_LIM_EMIT_DUTY ||
	    r->reason.limit == HF_LIM_SURFACE_MEAN)
		return;
	hf_refusal_counts_locked(l, &r->reason, now);
}

/* The output is @wire_next from now: the books say so before the write that makes it true. */
static void hf_output_locked(struct hf_lease *l, u64 now)
{
	struct hf_array *a = l->array;
	enum hf_state was = a->state;

	lockdep_assert_held(&a->lock);
	swap(a->wire, a->wire_next);
	a->emitter = l;
	a->outputs++;
	a->state = hf_state_next(was, HF_EV_FRAME);
	a->last_commit_ns = now;
	a->last_frame_ns = now;
	hf_model_output_locked(a, now);
	hf_quota_frame(&l->account->quota);
	if (was == a->state)
		return;
	trace_holdfast_state(a->index, was, a->state, HF_DET_EMITTING);
	hf_status_update_locked(a, now);
	if (!a->emitted) {
		struct hf_event_rec ev = {
			.type = HF_EVT_STATE,
			.detail = HF_DET_EMITTING,
			.state = a->state,
			.lease = l->id,
			.tenant = l->tenant,
			.reason = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0),
			.who = l->who,
		};

		a->emitted = true;
		hf_event_push(a, &ev);
	}
}

static void hf_all_off_locked(struct hf_lease *l, u64 now)
{
	struct hf_array *a = l->array;
	int next = hf_state_next(a->state, HF_EV_FRAME_OFF);

	hf_hw_silence_locked(a);
	a->emitter = NULL;
	hf_model_output_locked(a, now);
	a->last_commit_ns = now;
	a->last_frame_ns = now;
	if (next >= 0 && next != (int)a->state) {
		trace_holdfast_state(a->index, a->state, next, HF_DET_RESTED);
		a->state = next;
		hf_status_update_locked(a, now);
	}
}

/*
 * Commits @wire_next, judged with amplitude factor @derate_q16 when silence()
 * had been called @silences times. -EAGAIN: the world changed since, judge
 * again; after a rest a rise begins at nothing. Hardware that commits in interrupt context
 * is written under the lock, so that no trip can come in between; other
 * hardware has a gate that silence() shuts, and its commit() then fails.
 */
static int hf_commit(struct hf_lease *l, u32 derate_q16, u64 silences)
{
	struct hf_array *a = l->array;
	const struct hf_wire *wire;
	unsigned long flags;
	int ret;

	lockdep_assert_held(&a->admit_lock);
	raw_spin_lock_irqsave(&a->lock, flags);
	ret = hf_submit_allowed(l, l->buf);
	if (!ret && (a->derate_q16 < derate_q16 || a->silences != silences))
		ret = -EAGAIN;
	if (ret)
		goto out;
	if (!a->wire_next->on) {
		hf_all_off_locked(l, ktime_get_ns());
		goto out;
	}
	if (!a->gate_open) {
		raw_spin_unlock_irqrestore(&a->lock, flags);
		ret = hf_open_gate(a);
		return ret == 0 ? -EAGAIN : ret;
	}
	hf_output_locked(l, ktime_get_ns());
	wire = a->wire;
	if (a->hw_flags & HF_HW_ATOMIC) {
		ret = a->ops->commit(a->priv, wire);
	} else {
		raw_spin_unlock_irqrestore(&a->lock, flags);
		ret = a->ops->commit(a->priv, wire);
		raw_spin_lock_irqsave(&a->lock, flags);
		if (a->silences != silences)
			ret = a->state == HF_TRIPPED ? -ESHUTDOWN : -ENOTCONN;
	}
	/* Outputs changed no sooner than this; the write may have been held up. */
	a->last_commit_ns = max(a->last_commit_ns, ktime_get_ns() - a->commit_ns);
	if (ret && a->silences == silences) {
		hf_trip_locked(a, HOLDFAST_CAUSE_LINK_FAULT, HOLDFAST_SEV_CRITICAL, NULL, 0, l);
		ret = -ESHUTDOWN;
	}
out:
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return ret;
}

static void hf_account(struct hf_lease *l, const struct hf_result *r)
{
	struct hf_array *a = l->array;
	struct holdfast_blackbox_entry e = {
		.kind = HOLDFAST_BB_VERDICT,
		.verdict = r->verdict,
		.lease = l->id,
		.reason = hf_reason_uapi(&r->reason),
	};
	u64 emit_ns = ktime_get_ns();
	unsigned long flags;

	raw_spin_lock_irqsave(&a->lock, flags);
	if (r->verdict == HF_ATTENUATE) {
		l->attenuated++;
		a->n_attenuated++;
		hf_blackbox_add(a, &e);
	} else {
		l->admitted++;
		a->n_admitted++;
	}
	raw_spin_unlock_irqrestore(&a->lock, flags);
	trace_holdfast_output(a->index, l->id, l->buf->head.cookie, task_tgid_nr(current),
			      l->buf->taken_ns, emit_ns);
}

/* What the frame is judged against, as of now, and how often silence() had been called. */
static int hf_snapshot(struct hf_lease *l, struct hf_context *ctx, struct hf_quota *quota,
		       u64 *silences)
{
	struct hf_array *a = l->array;
	unsigned long flags;
	int ret;

	raw_spin_lock_irqsave(&a->lock, flags);
	ret = hf_submit_allowed(l, l->buf);
	if (!ret) {
		ctx->now_ns = ktime_get_ns();
		hf_advance_locked(a, ctx->now_ns);
		*a->model_copy = *a->model;
		ctx->model = a->model_copy;
		ctx->last_commit_ns = a->last_commit_ns;
		ctx->last = a->emitter ? a->wire : NULL;
		ctx->derate_q16 = a->derate_q16;
		ctx->surface = a->surface_state;
		*quota = l->account->quota;
		ctx->quota = quota;
		*silences = a->silences;
		l->cookie = l->buf->head.cookie;
		hf_submitter_current(&l->who, l->corr);
	}
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return ret;
}

static int hf_judge_and_commit(struct hf_lease *l, const struct hf_request *req,
			       struct hf_result *r)
{
	struct hf_array *a = l->array;
	struct hf_context ctx;
	struct hf_quota quota;
	unsigned long flags;
	u64 silences = 0;
	unsigned int i;
	int ret = -EAGAIN;

	lockdep_assert_held(&a->admit_lock);
	for (i = 0; i < HF_SUBMIT_TRIES && ret == -EAGAIN; i++) {
		ret = hf_snapshot(l, &ctx, &quota, &silences);
		if (ret)
			return ret;
		hf_admit(&l->rs->rules, &ctx, req, a->scratch, a->wire_next, r);
		if (r->verdict == HF_REJECT)
			return hf_reason_is_quota(&r->reason) ? -EDQUOT : -ERANGE;
		ret = hf_commit(l, ctx.derate_q16, silences);
	}
	if (ret != -EAGAIN)
		return ret;
	/* Silenced again and again while the gate opens: the hardware is not to be trusted. */
	raw_spin_lock_irqsave(&a->lock, flags);
	hf_silence_locked(a, NULL);
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return -ENOTCONN;
}

/* Sleeps until the frame interval lets another frame through. */
static int hf_wait_turn(struct hf_lease *l, bool nonblock)
{
	struct hf_array *a = l->array;
	unsigned long flags;
	s64 left;
	int ret;

	for (;;) {
		raw_spin_lock_irqsave(&a->lock, flags);
		ret = hf_submit_allowed(l, l->buf);
		left = (s64)(a->last_commit_ns + l->rs->rules.env.limit[HF_LIM_FRAME_INTERVAL] -
			     ktime_get_ns());
		if (!a->last_commit_ns)
			left = 0;
		raw_spin_unlock_irqrestore(&a->lock, flags);
		if (ret || left <= 0)
			return ret;
		if (nonblock)
			return -EAGAIN;
		ret = wait_event_interruptible_hrtimeout(a->wait, READ_ONCE(l->ended) ||
							 hf_state_quiet(READ_ONCE(a->state)),
							 ns_to_ktime(left));
		if (ret == -ERESTARTSYS)
			return ret;
		/* Quiet but armed: nothing will wake us before our turn. */
		if (!ret && READ_ONCE(a->state) == HF_ARMED) {
			ktime_t turn = ns_to_ktime(left);

			set_current_state(TASK_INTERRUPTIBLE);
			schedule_hrtimeout(&turn, HRTIMER_MODE_REL);
			if (signal_pending(current))
				return -ERESTARTSYS;
		}
	}
}

static void hf_result_of(struct holdfast_frame_result *res, const struct hf_result *r, int err,
			 u64 cookie)
{
	*res = (struct holdfast_frame_result){
		.verdict = err ? HOLDFAST_VERDICT_REJECT : r->verdict,
		.error = -err,
		.scale_q16 = err ? 0 : r->scale_q16,
		.cookie = cookie,
		.reason = hf_reason_uapi(&r->reason),
	};
}

/**
 * hf_submit_frame() - judge and commit the frame in the lease's buffer
 * @l:	io_lock held, buffer filled by hf_frame_copy()
 * @nonblock: -EAGAIN instead of waiting for the frame interval
 * @res: verdict
 * Return: 0 (admitted or attenuated) or -errno as in uapi.
 */
int hf_submit_frame(struct hf_lease *l, bool nonblock, struct holdfast_frame_result *res)
{
	struct hf_result r = { .verdict = HF_REJECT,
			       .reason = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0) };
	struct hf_array *a = l->array;
	struct hf_request req;
	unsigned long flags;
	u64 start;
	int ret = 0;

	lockdep_assert_held(&l->io_lock);
	hf_request_of(l->buf, &req);
	start = ktime_get_ns();
again:
	if (l->buf->head.flags & HOLDFAST_FRAME_WAIT) {
		ret = hf_wait_turn(l, nonblock);
		start = ktime_get_ns();
	}
	if (!ret) {
		down_read(&a->ops_sem);
		mutex_lock(&a->admit_lock);
		ret = a->gone ? -ENODEV : hf_judge_and_commit(l, &req, &r);
		/* Another lease was quicker: that is no refusal of a frame that waits. */
		if (ret == -ERANGE && (l->buf->head.flags & HOLDFAST_FRAME_WAIT) &&
		    r.reason.limit == HF_LIM_FRAME_INTERVAL) {
			mutex_unlock(&a->admit_lock);
			up_read(&a->ops_sem);
			ret = 0;
			goto again;
		}
		if (ret == -ERANGE) {
			raw_spin_lock_irqsave(&a->lock, flags);
			hf_refused(l, &r, ktime_get_ns());
			raw_spin_unlock_irqrestore(&a->lock, flags);
		} else if (ret == -EDQUOT) {
			raw_spin_lock_irqsave(&a->lock, flags);
			hf_refused_quota(l, &r.reason);
			raw_spin_unlock_irqrestore(&a->lock, flags);
		} else if (!ret) {
			hf_account(l, &r);
		}
		mutex_unlock(&a->admit_lock);
		up_read(&a->ops_sem);
	}
	if (ret == -EKEYREVOKED) {
		raw_spin_lock_irqsave(&a->lock, flags);
		r.reason = l->end_reason;
		raw_spin_unlock_irqrestore(&a->lock, flags);
	}
	hf_result_of(res, &r, ret, l->buf->head.cookie);
	l->last = *res;
	trace_holdfast_frame(a->index, l->id, res->cookie, res->verdict, r.reason.limit,
			     r.reason.where, r.reason.measured, r.reason.bound, res->scale_q16,
			     ktime_get_ns() - start, task_tgid_nr(current));
	return ret;
}

static int hf_submit_next(struct hf_lease *l, struct iov_iter *from, bool nonblock,
			  struct holdfast_frame_result *res)
{
	struct hf_array *a = l->array;
	unsigned long flags;
	int ret = hf_frame_copy(l, from);

	if (!ret) {
		ret = hf_submit_frame(l, nonblock, res);
		if (ret)
			iov_iter_revert(from, l->buf->head.size);
		return ret;
	}
	if (ret != -EFAULT) {
		raw_spin_lock_irqsave(&a->lock, flags);
		a->n_malformed++;
		raw_spin_unlock_irqrestore(&a->lock, flags);
	}
	*res = (struct holdfast_frame_result){
		.verdict = HOLDFAST_VERDICT_REJECT,
		.error = -ret,
		.cookie = l->buf->head.cookie,
		.reason = { HOLDFAST_LIM_NONE, HOLDFAST_NOWHERE, 0, 0 },
	};
	l->last = *res;
	return ret;
}

/* write(2): whole frames back to back. A refused frame ends it; what went before counts. */
ssize_t hf_submit_iter(struct hf_lease *l, struct iov_iter *from, bool nonblock)
{
	struct holdfast_frame_result res;
	size_t done = 0, before;
	int ret = 0;

	if (mutex_lock_interruptible(&l->io_lock))
		return -ERESTARTSYS;
	while (!ret && iov_iter_count(from)) {
		before = iov_iter_count(from);
		ret = hf_submit_next(l, from, nonblock, &res);
		done += before - iov_iter_count(from);
		if (!ret && signal_pending(current) && iov_iter_count(from))
			ret = -ERESTARTSYS;
		cond_resched();
	}
	mutex_unlock(&l->io_lock);
	return done ? done : ret;
}

/*
 * HOLDFAST_IOC_SUBMIT: a verdict for each frame. Refused frames do not end it;
 * a malformed one does, because the next cannot be found.
 */
int hf_submit_batch(struct hf_ctx *c, struct holdfast_submit *s)
{
	struct holdfast_frame_result __user *out = u64_to_user_ptr(s->results);
	struct holdfast_frame_result res;
	struct hf_lease *l = c->lease;
	struct iov_iter from;
	u32 n = 0;
	int ret = 0;

	if (!l)
		return -ENOTTY;
	if (s->flags || s->reserved || !s->count || s->count > HOLDFAST_MAX_BATCH)
		return -EINVAL;
	if (s->bytes > (u64)HOLDFAST_MAX_BATCH * sizeof(struct hf_frame_buf))
		return -EMSGSIZE;
	if (!access_ok(u64_to_user_ptr(s->frames), s->bytes))
		return -EFAULT;
	if (mutex_lock_interruptible(&l->io_lock))
		return -ERESTARTSYS;
	iov_iter_ubuf(&from, ITER_SOURCE, u64_to_user_ptr(s->frames), s->bytes);
	while (n < s->count && iov_iter_count(&from)) {
		ret = hf_submit_next(l, &from, false, &res);
		if (ret == -ERESTARTSYS || ret == -EFAULT)
			break;
		if (copy_to_user(&out[n], &res, sizeof(res))) {
			ret = -EFAULT;
			break;
		}
		n++;
		if (ret && ret != -ERANGE)
			break;
		if (ret)
			iov_iter_advance(&from, l->buf->head.size);
		ret = 0;
		cond_resched();
	}
	mutex_unlock(&l->io_lock);
	s->count = n;
	/* The verdicts say what went wrong with which frame. */
	return ret == -EFAULT || (ret == -ERESTARTSYS && !n) ? ret : 0;
}
