// SPDX-License-Identifier: GPL-2.0
/*
 * The ring of events and the one worker per array that delivers them, in
 * order, to netlink, poll, sysfs, uevents and hwmon. Whoever pushes never waits
 * for whoever listens. What events mean is not known here.
 */
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/panic.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "core.h"

static struct workqueue_struct *hf_events_wq;

int hf_events_wq_init(void)
{
	hf_events_wq = alloc_workqueue("holdfast_events", WQ_HIGHPRI | WQ_UNBOUND | WQ_MEM_RECLAIM,
				       0);
	return hf_events_wq ? 0 : -ENOMEM;
}

void hf_events_wq_exit(void)
{
	destroy_workqueue(hf_events_wq);
}

/**
 * hf_events_kick() - have pending events delivered
 * @a:	the array
 *
 * The tick calls it too: an event that was pushed while the kernel was dying
 * of something else is delivered if it survives.
 *
 * Context: any but NMI, also with @a->lock held.
 */
void hf_events_kick(struct hf_array *a)
{
	unsigned long flags;

	/* The oops may be the workqueue's own. */
	if (unlikely(oops_in_progress))
		return;
	raw_spin_lock_irqsave(&a->ev_lock, flags);
	if (a->ev_sent != a->ev_seq && !a->ev_stopped)
		queue_work(hf_events_wq, &a->ev_work);
	raw_spin_unlock_irqrestore(&a->ev_lock, flags);
}

/**
 * hf_event_push() - record an event and have it delivered
 * @a:	the array
 * @ev:	the event; sequence number, times, epoch and state are filled in where
 *	they are 0
 *
 * Context: any but NMI, also with @a->lock held.
 * Return: its sequence number; 0 when it was lost in an oops.
 */
u64 hf_event_push(struct hf_array *a, struct hf_event_rec *ev)
{
	unsigned long flags;

	ev->time_ns = ev->time_ns ?: ktime_get_mono_fast_ns();
	ev->real_ns = ev->real_ns ?: ktime_get_real_fast_ns();
	ev->epoch = ev->epoch ?: READ_ONCE(a->epoch);
	ev->state = ev->state ?: READ_ONCE(a->state);

	if (hf_ev_unsafe(a))
		return 0;
	raw_spin_lock_irqsave(&a->ev_lock, flags);
	ev->seq = ++a->ev_seq;
	a->ev[ev->seq & (HF_EVENTS - 1)] = *ev;
	raw_spin_unlock_irqrestore(&a->ev_lock, flags);

	hf_events_kick(a);
	return ev->seq;
}

/* ev_lock held: oldest event still in the ring; ev_seq + 1 when there is none. */
static u64 ev_oldest(const struct hf_array *a)
{
	return a->ev_seq > HF_EVENTS ? a->ev_seq - HF_EVENTS + 1 : 1;
}

/**
 * hf_event_get() - copy one event out of the ring
 * @a:	the array
 * @seq: which
 * @out: the copy
 *
 * Return: 0; -ENODATA: not yet happened; -ESTALE: no longer kept.
 */
int hf_event_get(struct hf_array *a, u64 seq, struct hf_event_rec *out)
{
	unsigned long flags;
	int ret = 0;

	raw_spin_lock_irqsave(&a->ev_lock, flags);
	if (seq > a->ev_seq)
		ret = -ENODATA;
	else if (seq < ev_oldest(a))
		ret = -ESTALE;
	else
		*out = a->ev[seq & (HF_EVENTS - 1)];
	raw_spin_unlock_irqrestore(&a->ev_lock, flags);
	return ret;
}

void hf_event_range(struct hf_array *a, u64 *oldest, u64 *newest, u64 *undelivered)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&a->ev_lock, flags);
	*newest = a->ev_seq;
	*oldest = a->ev_seq ? ev_oldest(a) : 0;
	*undelivered = a->ev_undelivered;
	raw_spin_unlock_irqrestore(&a->ev_lock, flags);
}

/* The next event to deliver, skipping those that the ring has overwritten. */
static bool ev_next(struct hf_array *a, struct hf_event_rec *ev)
{
	unsigned long flags;
	u64 next, oldest;
	bool more;

	raw_spin_lock_irqsave(&a->ev_lock, flags);
	next = a->ev_sent + 1;
	oldest = ev_oldest(a);
	if (next < oldest) {
		a->ev_undelivered += oldest - next;
		next = oldest;
	}
	more = next <= a->ev_seq;
	if (more) {
		*ev = a->ev[next & (HF_EVENTS - 1)];
		a->ev_sent = next;
	}
	raw_spin_unlock_irqrestore(&a->ev_lock, flags);
	return more;
}

static void ev_deliver(struct hf_array *a)
{
	struct hf_event_rec ev;

	while (ev_next(a, &ev)) {
		hf_netlink_event(a, &ev);
		wake_up(&a->wait);
		hf_sysfs_event(a, &ev);
		hf_hwmon_event(a, &ev);
	}
}

static void ev_work_fn(struct work_struct *work)
{
	ev_deliver(container_of(work, struct hf_array, ev_work));
}

void hf_events_init(struct hf_array *a)
{
	raw_spin_lock_init(&a->ev_lock);
	INIT_WORK(&a->ev_work, ev_work_fn);
}

/**
 * hf_events_stop() - deliver what is left and end the worker
 * @a:	the array; must still be a registered device
 *
 * Later events are recorded, but delivered no more.
 * Context: process, may sleep.
 */
void hf_events_stop(struct hf_array *a)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&a->ev_lock, flags);
	a->ev_stopped = true;
	raw_spin_unlock_irqrestore(&a->ev_lock, flags);
	flush_work(&a->ev_work);
	ev_deliver(a);
}
