// SPDX-License-Identifier: GPL-2.0
/*
 * The keeper: the one open file that supervises an array. Claim, beat, loss.
 */
#include <linux/capability.h>

#include "compat.h"
#include "core.h"

static u64 hf_keeper_deadline_ns(const struct hf_array *a)
{
	return (u64)a->env.limit[HF_LIM_KEEPER_DEADLINE] * NSEC_PER_MSEC;
}

static void hf_keeper_event(struct hf_array *a, enum hf_event_detail why)
{
	struct hf_event_rec ev = {
		.type = HF_EVT_KEEPER,
		.detail = why,
		.severity = why == HF_DET_CLOSED ? HOLDFAST_SEV_WARNING : HOLDFAST_SEV_INFO,
		.reason = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0),
	};

	hf_submitter_current(&ev.who, NULL);
	hf_event_push(a, &ev);
}

/* Every change of keeper: new epoch, no leases, silent. */
static void hf_keeper_change_locked(struct hf_array *a, struct hf_file *f)
{
	struct hf_submitter who;

	lockdep_assert_held(&a->lock);
	hf_submitter_current(&who, NULL);
	hf_silence_locked(a, &who);
	hf_leases_end_all_locked(a, EKEYREVOKED, HF_DET_REVOKED);
	a->keeper = f;
	a->epoch++;
	a->beat_ns = f ? ktime_get_ns() : 0;
	hf_keeper_event(a, f ? HF_DET_CLAIMED : HF_DET_CLOSED);
}

/*
 * HOLDFAST_IOC_KEEPER_CLAIM. A keeper that has missed its deadline can be
 * replaced while its file is still open: that is how a standby takes over from
 * one that hangs.
 */
int hf_keeper_claim(struct hf_ctx *c, struct holdfast_keeper *k)
{
	struct hf_array *a = c->array;
	unsigned long flags;
	int ret = 0;

	if (!c->file)
		return -ENOTTY;
	if (!c->file->writable)
		return -EBADF;
	if (k->flags || k->reserved)
		return -EINVAL;
	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	mutex_lock(&a->admit_lock);
	raw_spin_lock_irqsave(&a->lock, flags);
	if (a->keeper && ktime_get_ns() - a->beat_ns <= hf_keeper_deadline_ns(a)) {
		ret = -EBUSY;
	} else {
		hf_keeper_change_locked(a, c->file);
		k->epoch = a->epoch;
		k->deadline_ms = a->env.limit[HF_LIM_KEEPER_DEADLINE];
		k->event_seq = READ_ONCE(a->ev_seq);
	}
	raw_spin_unlock_irqrestore(&a->lock, flags);
	mutex_unlock(&a->admit_lock);
	return ret;
}

/* Has the keeper left an event unhandled for longer than its deadline? */
static bool hf_keeper_behind(struct hf_array *a, u64 handled, u64 now)
{
	struct hf_event_rec ev;
	int ret = hf_event_get(a, handled + 1, &ev);

	if (ret == -ENODATA)
		return false;
	return ret || now - ev.time_ns > hf_keeper_deadline_ns(a);
}

int hf_keeper_beat(struct hf_ctx *c, struct holdfast_beat *b)
{
	struct hf_array *a = c->array;
	unsigned long flags;
	int ret = 0;
	u64 now;

	if (!c->file)
		return -ENOTTY;
	if (b->flags)
		return -EINVAL;
	raw_spin_lock_irqsave(&a->lock, flags);
	now = ktime_get_ns();
	b->newest_seq = READ_ONCE(a->ev_seq);
	if (a->keeper != c->file || b->epoch != a->epoch)
		ret = -ESTALE;
	else if (b->event_seq > b->newest_seq)
		ret = -EINVAL;
	else if (hf_keeper_behind(a, b->event_seq, now))
		ret = -ETIME;
	else
		a->beat_ns = now;
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return ret;
}

void hf_keeper_closed(struct hf_file *f)
{
	struct hf_array *a = f->array;
	unsigned long flags;

	mutex_lock(&a->admit_lock);
	raw_spin_lock_irqsave(&a->lock, flags);
	if (a->keeper == f)
		hf_keeper_change_locked(a, NULL);
	raw_spin_unlock_irqrestore(&a->lock, flags);
	mutex_unlock(&a->admit_lock);
}

/* Is the caller the keeper of @epoch? @err says why not. */
bool hf_is_keeper(const struct hf_ctx *c, u64 epoch, int *err)
{
	lockdep_assert_held(&c->array->admit_lock);
	*err = 0;
	if (!c->file || c->array->keeper != c->file)
		*err = -EPERM;
	else if (epoch != c->array->epoch)
		*err = -ESTALE;
	return !*err;
}
