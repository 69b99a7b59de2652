// SPDX-License-Identifier: GPL-2.0
/*
 * The way of a frame from a lease to the outputs. Copied first, judged on the
 * copy by rules/admit.c, committed under the raw lock. Nothing reaches hardware
 * by any other way: what is queued (queue.c) comes here at its time, what
 * io_uring brings (uring.c) at once.
 */
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "compat.h"
#include "core.h"
#include "rules/focus.h"
#include "trace.h"

#define HF_REFUSED_EVENT_NS	(500 * NSEC_PER_MSEC)
#define HF_SUBMIT_TRIES		4
#define HF_FRAME_FLAGS		(HOLDFAST_FRAME_ATTENUATE | HOLDFAST_FRAME_WAIT | \
				 HOLDFAST_FRAME_COMPUTE)

/* Bytes of a whole frame with this header */
static size_t hf_frame_bytes(const struct holdfast_frame *h)
{
	return sizeof(*h) + (h->flags & HOLDFAST_FRAME_COMPUTE ? 0 : 4 * h->channels) +
	       h->foci * sizeof(struct holdfast_focus);
}

/* Of a frame with phases of its own amp and phase of its foci are 0; of foci alone they say all. */
static int hf_frame_foci(const struct hf_nameplate *np, struct hf_frame_buf *b)
{
	struct hf_aim aim[HF_MAX_FOCI];
	u32 i;

	for (i = 0; i < b->head.foci; i++) {
		const struct holdfast_focus *f = &b->foci[i];

		if (!(b->head.flags & HOLDFAST_FRAME_COMPUTE) && (f->amp || f->phase))
			return -EINVAL;
		aim[i] = (struct hf_aim){ f->x_um, f->y_um, f->z_um, f->amp, f->phase };
	}
	if (!(b->head.flags & HOLDFAST_FRAME_COMPUTE))
		return 0;
	if (!hf_focus_check(aim, b->head.foci))
		return -EINVAL;
	hf_focus_frame(np, aim, b->head.foci, b->phase, b->amp);
	return 0;
}

struct hf_frame_buf *hf_frame_buf_new(u32 channels)
{
	struct hf_frame_buf *b = kvzalloc(sizeof(*b) + 4 * channels, GFP_KERNEL_ACCOUNT);

	if (b) {
		b->phase = (u16 *)(b + 1);
		b->amp = b->phase + channels;
	}
	return b;
}

/*
 * Copies one frame out of @from into the lease's buffer, checks its form and, where
 * it is foci alone, computes its phases and amplitudes there.
 * -EMSGSIZE: less than a frame; -EINVAL: malformed. Nothing is consumed then.
 */
int hf_frame_copy(struct hf_lease *l, struct iov_iter *from)
{
	const u32 n = l->array->np->channels;
	struct hf_frame_buf *b = l->buf;
	struct holdfast_frame *h = &b->head;
	size_t avail = iov_iter_count(from), took;

	lockdep_assert_held(&l->io_lock);
	memset(&b->head, 0, sizeof(b->head));
	b->taken_ns = ktime_get_ns();
	b->queued = false;
	hf_submitter_current(&b->who, l->corr);
	if (avail < sizeof(*h))
		return -EMSGSIZE;
	took = copy_from_iter(h, sizeof(*h), from);
	if (took != sizeof(*h)) {
		iov_iter_revert(from, took);
		return -EFAULT;
	}
	if (h->magic != HOLDFAST_FRAME_MAGIC || h->channels != n || h->foci > HOLDFAST_MAX_FOCI ||
	    (h->flags & ~HF_FRAME_FLAGS) || (h->present_ns && !l->queue) ||
	    h->size != hf_frame_bytes(h)) {
		iov_iter_revert(from, took);
		return -EINVAL;
	}
	if (avail < h->size) {
		iov_iter_revert(from, took);
		return -EMSGSIZE;
	}
	if (!(h->flags & HOLDFAST_FRAME_COMPUTE)) {
		took += copy_from_iter(b->phase, 2 * n, from);
		took += copy_from_iter(b->amp, 2 * n, from);
	}
	took += copy_from_iter(b->foci, h->foci * sizeof(b->foci[0]), from);
	if (took != h->size) {
		iov_iter_revert(from, took);
		return -EFAULT;
	}
	if (hf_frame_foci(l->array->np, b)) {
		iov_iter_revert(from, took);
		return -EINVAL;
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

/* Are frames like this one taken from this lease in this state? lock held. */
int hf_submit_may(const struct hf_lease *l, const struct hf_frame_buf *b)
{
	const struct hf_array *a = l->array;
	u32 rights = HOLDFAST_RIGHT_FRAMES;
	int ret;

	lockdep_assert_held(&a->lock);
	if (!(b->head.flags & HOLDFAST_FRAME_COMPUTE))
		rights |= HOLDFAST_RIGHT_RAW;
	ret = hf_lease_usable(l, rights);
	if (ret)
		return ret;
	if (a->state == HF_TRIPPED)
		return -ESHUTDOWN;
	return a->state == HF_SILENT ? -ENOTCONN : 0;
}

/* May this frame be put out now? Asked again right before it is. lock held. */
static int hf_submit_allowed(const struct hf_lease *l, const struct hf_frame_buf *b)
{
	const struct hf_array *a = l->array;
	int ret;

	lockdep_assert_held(&a->lock);
	if (b->queued && b->stops != a->stops)
		return -ECANCELED;
	if (b->queued && ktime_get_ns() > b->deadline_ns)
		return -ETIME;
	ret = hf_submit_may(l, b);
	if (ret)
		return ret;
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
static int hf_commit(struct hf_lease *l, const struct hf_frame_buf *b, u32 derate_q16,
		     u64 silences)
{
	struct hf_array *a = l->array;
	const struct hf_wire *wire;
	unsigned long flags;
	int ret;

	lockdep_assert_held(&a->admit_lock);
	raw_spin_lock_irqsave(&a->lock, flags);
	ret = hf_submit_allowed(l, b);
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

static void hf_account(struct hf_lease *l, const struct hf_frame_buf *b, const struct hf_result *r)
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
	trace_holdfast_output(a->index, l->id, b->head.cookie, b->who.pid, b->taken_ns, emit_ns);
}

/* What the frame is judged against, as of now, and how often silence() had been called. */
static int hf_snapshot(struct hf_lease *l, const struct hf_frame_buf *b, struct hf_context *ctx,
		       struct hf_quota *quota, u64 *silences)
{
	struct hf_array *a = l->array;
	unsigned long flags;
	int ret;

	raw_spin_lock_irqsave(&a->lock, flags);
	ret = hf_submit_allowed(l, b);
	if (!ret) {
		ctx->now_ns = ktime_get_ns();
		hf_advance_lazily_locked(a, ctx->now_ns);
		hf_model_copy(a->model_copy, a->model,
			      !hf_limit_loosest(&l->rs->rules.env, HF_LIM_DOSE));
		ctx->model = a->model_copy;
		ctx->last_commit_ns = a->last_commit_ns;
		ctx->last = a->emitter ? a->wire : NULL;
		ctx->derate_q16 = a->derate_q16;
		ctx->surface = a->surface_state;
		*quota = l->account->quota;
		ctx->quota = quota;
		*silences = a->silences;
		l->cookie = b->head.cookie;
		l->who = b->who;
	}
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return ret;
}

static int hf_judge_and_commit(struct hf_lease *l, const struct hf_frame_buf *b,
			       const struct hf_request *req, struct hf_result *r)
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
		ret = hf_snapshot(l, b, &ctx, &quota, &silences);
		if (ret)
			return ret;
		hf_admit(&l->rs->rules, &ctx, req, a->scratch, a->wire_next, r);
		if (r->verdict == HF_REJECT)
			return hf_reason_is_quota(&r->reason) ? -EDQUOT : -ERANGE;
		ret = hf_commit(l, b, ctx.derate_q16, silences);
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
static int hf_wait_turn(struct hf_lease *l, const struct hf_frame_buf *b, bool nonblock)
{
	struct hf_array *a = l->array;
	unsigned long flags;
	s64 left;
	int ret;

	for (;;) {
		raw_spin_lock_irqsave(&a->lock, flags);
		ret = hf_submit_allowed(l, b);
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

void hf_result_of(struct holdfast_frame_result *res, const struct hf_result *r, int err, u64 cookie)
{
	*res = (struct holdfast_frame_result){
		.verdict = err ? HOLDFAST_VERDICT_REJECT : r->verdict,
		.error = -err,
		.scale_q16 = err ? 0 : r->scale_q16,
		.cookie = cookie,
		.reason = hf_reason_uapi(&r->reason),
	};
}

/* The locks that judging needs. -EAGAIN: HF_SUBMIT_TRY, and somebody else has one. */
static int hf_submit_enter(struct hf_array *a, unsigned int how)
{
	if (!(how & HF_SUBMIT_TRY)) {
		down_read(&a->ops_sem);
		mutex_lock(&a->admit_lock);
		return 0;
	}
	if (!down_read_trylock(&a->ops_sem))
		return -EAGAIN;
	if (mutex_trylock(&a->admit_lock))
		return 0;
	up_read(&a->ops_sem);
	return -EAGAIN;
}

static void hf_submit_leave(struct hf_array *a)
{
	mutex_unlock(&a->admit_lock);
	up_read(&a->ops_sem);
}

/* What a judgement leaves behind, whoever asked for it. admit_lock held. */
static void hf_submit_book(struct hf_lease *l, const struct hf_frame_buf *b,
			   const struct hf_result *r, int err)
{
	struct hf_array *a = l->array;
	unsigned long flags;

	if (!err) {
		hf_account(l, b, r);
	} else if (err == -ERANGE) {
		raw_spin_lock_irqsave(&a->lock, flags);
		hf_refused(l, r, ktime_get_ns());
		raw_spin_unlock_irqrestore(&a->lock, flags);
	} else if (err == -EDQUOT) {
		raw_spin_lock_irqsave(&a->lock, flags);
		hf_refused_quota(l, &r->reason);
		raw_spin_unlock_irqrestore(&a->lock, flags);
	}
}

/**
 * hf_submit_frame() - judge and commit a frame
 * @l:	lease
 * @b:	filled by hf_frame_copy(); the caller's alone
 * @how: HF_SUBMIT_*
 * @res: verdict; of a frame that was not queued also LAST_VERDICT's
 * Return: 0 (admitted or attenuated) or -errno as in uapi. -EAGAIN with
 *	HF_SUBMIT_TRY or of a queued frame: no verdict, nothing has happened.
 */
int hf_submit_frame(struct hf_lease *l, struct hf_frame_buf *b, unsigned int how,
		    struct holdfast_frame_result *res)
{
	struct hf_result r = { .verdict = HF_REJECT,
			       .reason = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0) };
	struct hf_array *a = l->array;
	struct hf_request req;
	unsigned long flags;
	u64 start;
	int ret = 0;

	hf_request_of(b, &req);
	start = ktime_get_ns();
again:
	if (b->head.flags & HOLDFAST_FRAME_WAIT) {
		ret = hf_wait_turn(l, b, how & HF_SUBMIT_NOTURN);
		if (ret == -EAGAIN && b->queued)
			return ret;
		start = ktime_get_ns();
	}
	if (!ret) {
		ret = hf_submit_enter(a, how);
		if (ret)
			return ret;
		ret = a->gone ? -ENODEV : hf_judge_and_commit(l, b, &req, &r);
		/* Another lease was quicker: that is no refusal of a frame that waits. */
		if (ret == -ERANGE && (b->head.flags & HOLDFAST_FRAME_WAIT) &&
		    r.reason.limit == HF_LIM_FRAME_INTERVAL) {
			hf_submit_leave(a);
			ret = 0;
			goto again;
		}
		hf_submit_book(l, b, &r, ret);
		hf_submit_leave(a);
	}
	raw_spin_lock_irqsave(&a->lock, flags);
	if (ret == -EKEYREVOKED)
		r.reason = l->end_reason;
	hf_result_of(res, &r, ret, b->head.cookie);
	if (!b->queued)
		l->last = *res;
	raw_spin_unlock_irqrestore(&a->lock, flags);
	trace_holdfast_frame(a->index, l->id, res->cookie, res->verdict, r.reason.limit,
			     r.reason.where, r.reason.measured, r.reason.bound, res->scale_q16,
			     ktime_get_ns() - start, b->who.pid);
	return ret;
}
