// SPDX-License-Identifier: GPL-2.0
/*
 * What of supervision may sleep: reading the sensors, and confirming a silence.
 * Neither is trusted to run in time: the tick watches them.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>

#include "compat.h"
#include "core.h"
#include "trace.h"

#define HF_TELEMETRY_MS		100
#define HF_CONFIRM_TRIES	5

/* Five rounds, and what the governor itself is allowed to be late. */
u64 hf_sensor_deadline_ns(const struct hf_array *a)
{
	return 5ULL * a->sensor_period_ms * NSEC_PER_MSEC +
	       (u64)a->env.limit[HF_LIM_TICK_LATE] * NSEC_PER_MSEC;
}

static void hf_sensors_round(struct hf_array *a)
{
	struct hf_raw_sample raw[HF_MAX_SENSORS] = {};
	unsigned long flags;
	u64 now;
	u32 i;

	if (a->np->sensors)
		a->ops->read_sensors(a->priv, raw, a->np->sensors);

	raw_spin_lock_irqsave(&a->lock, flags);
	now = ktime_get_ns();
	a->sensor_loop_ns = now;
	for (i = 0; i < a->np->sensors; i++) {
		hf_sensor_take(&a->sensors, a->np, hf_env_now(a), i, &raw[i], now);
		trace_holdfast_sensor(a->index, i, a->np->sensor[i].kind, a->sensors.s[i].fault,
				      a->sensors.s[i].value);
	}
	hf_govern_locked(a, now);
	raw_spin_unlock_irqrestore(&a->lock, flags);
}

static int hf_sensor_thread(void *data)
{
	struct hf_array *a = data;
	u32 rounds = max(1U, HF_TELEMETRY_MS / a->sensor_period_ms), n = 0;
	ktime_t next = ktime_get();

	while (!kthread_should_stop()) {
		hf_sensors_round(a);
		if (n++ % rounds == 0)
			hf_netlink_telemetry(a);
		next = ktime_add_ms(next, a->sensor_period_ms);
		if (ktime_before(next, ktime_get()))
			next = ktime_add_ms(ktime_get(), a->sensor_period_ms);
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule_hrtimeout(&next, HRTIMER_MODE_ABS);
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

int hf_sensing_start(struct hf_array *a)
{
	struct task_struct *t;

	t = kthread_create(hf_sensor_thread, a, "holdfast%d", a->index);
	if (IS_ERR(t))
		return PTR_ERR(t);
	sched_set_fifo(t);
	a->sensor_task = t;
	wake_up_process(t);
	return 0;
}

void hf_sensing_stop(struct hf_array *a)
{
	if (!a->sensor_task)
		return;
	kthread_stop(a->sensor_task);
	a->sensor_task = NULL;
}

/* 1 silent, 0 still on after the stated bound, -EOPNOTSUPP: this hardware cannot tell. */
static int hf_confirm(struct hf_array *a)
{
	unsigned int i;
	int ret = -EOPNOTSUPP;

	if (!a->ops->confirm_silent)
		return ret;
	for (i = 0; i < HF_CONFIRM_TRIES; i++) {
		fsleep(div_u64(a->silence_bound_ns, NSEC_PER_USEC) + 100);
		ret = a->ops->confirm_silent(a->priv);
		if (ret == 1 || ret == -EOPNOTSUPP)
			return ret;
	}
	return ret;
}

static void hf_confirmed(struct hf_array *a, u64 silences, u64 outputs, int ret)
{
	struct hf_event_rec ev = {
		.type = HF_EVT_SILENCE_CONFIRMED,
		.reason = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0),
	};
	unsigned long flags;

	raw_spin_lock_irqsave(&a->lock, flags);
	/* It has emitted since: what was read back is not about that silence. */
	if (a->emitter || a->outputs != outputs) {
		raw_spin_unlock_irqrestore(&a->lock, flags);
		return;
	}
	/* No answer is no silence: what goes on emitting behind a dead link loses its power. */
	if (ret != 1 && ret != -EOPNOTSUPP) {
		hf_trip_locked(a, HOLDFAST_CAUSE_SILENCE_UNCONFIRMED, HOLDFAST_SEV_EMERGENCY, NULL,
			       a->quiet_ns, NULL);
	} else if (ret == 1 && a->state == HF_TRIPPED && !a->trip.confirmed) {
		a->trip.confirmed = 1;
		ev.cause = a->trip.cause;
		hf_event_push(a, &ev);
	}
	if (a->silences == silences)
		a->confirm_due = false;
	raw_spin_unlock_irqrestore(&a->lock, flags);
}

/* The modules are pinned while armed; let go once the array rests. */
static void hf_unpin(struct hf_array *a)
{
	struct module *owner = NULL;

	mutex_lock(&a->admit_lock);
	if (a->pinned && a->state != HF_ARMED && a->state != HF_EMITTING) {
		a->pinned = false;
		owner = a->owner;
		module_put(THIS_MODULE);
	}
	mutex_unlock(&a->admit_lock);
	module_put(owner);
}

void hf_settle(struct work_struct *work)
{
	struct hf_array *a = container_of(work, struct hf_array, settle_work);
	unsigned long flags;
	u64 silences, outputs;
	bool due;
	int ret;

	down_read(&a->ops_sem);
	if (!a->gone) {
		raw_spin_lock_irqsave(&a->lock, flags);
		due = a->confirm_due && !a->emitter;
		silences = a->silences;
		outputs = a->outputs;
		raw_spin_unlock_irqrestore(&a->lock, flags);
		if (due) {
			ret = hf_confirm(a);
			hf_confirmed(a, silences, outputs, ret);
		}
		hf_unpin(a);
	}
	up_read(&a->ops_sem);
}
