// SPDX-License-Identifier: GPL-2.0
/*
 * Arm, reset, self-test: the deliberate acts that lead towards emission. Each
 * ends where it was when anything speaks against it.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "compat.h"
#include "core.h"
#include "trace.h"

/* Keeper of this epoch, or a lease with @right. admit_lock held. */
static int hf_control_allowed(struct hf_ctx *c, u64 epoch, u32 right)
{
	unsigned long flags;
	int ret;

	if (!c->lease) {
		hf_is_keeper(c, epoch, &ret);
		return ret;
	}
	if (epoch)
		return -EINVAL;
	raw_spin_lock_irqsave(&c->array->lock, flags);
	ret = hf_lease_usable(c->lease, right);
	raw_spin_unlock_irqrestore(&c->array->lock, flags);
	return ret;
}

static bool hf_keeper_beats(const struct hf_array *a, u64 now)
{
	return a->keeper && now - a->beat_ns <= (u64)a->env.limit[HF_LIM_KEEPER_DEADLINE] *
						NSEC_PER_MSEC;
}

/* What in the array's condition forbids arming and stands in the way of a reset. lock held. */
static bool hf_condition_bad(struct hf_array *a, u64 now, struct hf_reason *r)
{
	enum hf_action why;
	u64 loop = now - a->sensor_loop_ns;

	hf_advance_locked(a, now);
	hf_sensors_judge(&a->sensors, a->np, &a->env, now, &a->sv);
	if (loop > hf_sensor_deadline_ns(a)) {
		*r = hf_reason(HF_LIM_SENSOR_STALE, HF_NOWHERE, loop / NSEC_PER_MSEC,
			       hf_sensor_deadline_ns(a) / NSEC_PER_MSEC);
		return true;
	}
	if (a->tick_late_ns > (u64)a->env.limit[HF_LIM_TICK_LATE] * NSEC_PER_MSEC) {
		*r = hf_reason(HF_LIM_TICK_LATE, HF_NOWHERE, a->tick_late_ns / NSEC_PER_MSEC,
			       a->env.limit[HF_LIM_TICK_LATE]);
		return true;
	}
	if (hf_surface_late(&a->surface_state, &a->env, now, r))
		return true;
	return hf_blocked(&a->env, a->model, a->np, &a->sv, now, &why, r);
}

static int hf_arm_check(struct hf_array *a, u64 now, struct hf_reason *r)
{
	lockdep_assert_held(&a->lock);
	if (hf_state_next(a->state, HF_EV_ARM) < 0)
		return -EBUSY;
	if (!hf_keeper_beats(a, now))
		return -ETIME;
	if (a->silence_bound_ns > (u64)a->env.limit[HF_LIM_SILENCE_BOUND] * NSEC_PER_USEC) {
		*r = hf_reason(HF_LIM_SILENCE_BOUND, HF_NOWHERE,
			       div_u64(a->silence_bound_ns + NSEC_PER_USEC - 1, NSEC_PER_USEC),
			       a->env.limit[HF_LIM_SILENCE_BOUND]);
		return -ERANGE;
	}
	return hf_condition_bad(a, now, r) ? -ERANGE : 0;
}

static void hf_control_event(struct hf_array *a, const struct hf_ctx *c, enum hf_event_detail what,
			     const u8 *corr)
{
	struct hf_event_rec ev = {
		.type = HF_EVT_STATE,
		.detail = what,
		.state = a->state,
		.lease = c->lease ? c->lease->id : 0,
		.tenant = c->lease ? c->lease->tenant : 0,
		.reason = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0),
	};

	hf_submitter_current(&ev.who, hf_corr_of(corr, c->lease));
	hf_event_push(a, &ev);
}

/* References that keep the modules in while armed; hf_settle() lets go. */
static int hf_pin(struct hf_array *a)
{
	lockdep_assert_held(&a->admit_lock);
	if (a->pinned)
		return 0;
	if (!try_module_get(a->owner))
		return -ENODEV;
	__module_get(THIS_MODULE);
	a->pinned = true;
	return 0;
}

static int hf_arm_locked(struct hf_ctx *c, const u8 *corr, struct hf_reason *r)
{
	struct hf_array *a = c->array;
	unsigned long flags;
	int ret;

	raw_spin_lock_irqsave(&a->lock, flags);
	ret = hf_arm_check(a, ktime_get_ns(), r);
	raw_spin_unlock_irqrestore(&a->lock, flags);
	if (!ret)
		ret = hf_pin(a);
	if (!ret)
		ret = hf_open_gate(a);
	if (ret)
		return ret;
	raw_spin_lock_irqsave(&a->lock, flags);
	/* Opening the gate took time. */
	ret = hf_arm_check(a, ktime_get_ns(), r);
	if (ret) {
		hf_hw_silence_locked(a);
	} else {
		trace_holdfast_state(a->index, a->state, HF_ARMED, HF_DET_ARMED);
		a->state = HF_ARMED;
		hf_stop_queued_locked(a);
		a->emitted = false;
		a->last_frame_ns = ktime_get_ns();
		hf_control_event(a, c, HF_DET_ARMED, corr);
		hf_status_update_locked(a, ktime_get_ns());
	}
	raw_spin_unlock_irqrestore(&a->lock, flags);
	if (ret)
		queue_work(system_highpri_wq, &a->settle_work);
	return ret;
}

int hf_arm(struct hf_ctx *c, struct holdfast_control *ctl)
{
	struct hf_reason r = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0);
	struct hf_array *a = c->array;
	int ret;

	if (ctl->flags)
		return -EINVAL;
	mutex_lock(&a->admit_lock);
	ret = hf_control_allowed(c, ctl->epoch, HOLDFAST_RIGHT_ARM);
	if (!ret)
		ret = hf_arm_locked(c, ctl->corr, &r);
	mutex_unlock(&a->admit_lock);
	ctl->reason = hf_reason_uapi(&r);
	return ret;
}

/* Causes that only the hardware can say are gone. May sleep. */
static int hf_hardware_well(struct hf_array *a)
{
	int ret = a->ops->confirm_silent ? a->ops->confirm_silent(a->priv) : -EOPNOTSUPP;

	if (ret != 1 && ret != -EOPNOTSUPP)
		return -ERANGE;
	switch (a->trip.cause) {
	case HOLDFAST_CAUSE_LINK_LOST:
	case HOLDFAST_CAUSE_LINK_FAULT:
	case HOLDFAST_CAUSE_HW_DEADMAN:
	case HOLDFAST_CAUSE_SELF_TEST:
		if (a->ops->self_test && a->ops->self_test(a->priv))
			return -ERANGE;
		return 0;
	default:
		return 0;
	}
}

static int hf_reset_check(struct hf_array *a, u64 now, struct hf_reason *r)
{
	u64 dwell = (u64)a->env.limit[HF_LIM_TRIP_DWELL] * NSEC_PER_MSEC;

	lockdep_assert_held(&a->lock);
	if (hf_state_next(a->state, HF_EV_RESET) < 0)
		return -EBUSY;
	if (now - a->trip.detect_ns < dwell) {
		*r = hf_reason(HF_LIM_TRIP_DWELL, HF_NOWHERE,
			       (now - a->trip.detect_ns) / NSEC_PER_MSEC,
			       a->env.limit[HF_LIM_TRIP_DWELL]);
		return -EAGAIN;
	}
	if (!hf_keeper_beats(a, now)) {
		*r = hf_reason(HF_LIM_KEEPER_DEADLINE, HF_NOWHERE,
			       a->keeper ? (now - a->beat_ns) / NSEC_PER_MSEC : -1,
			       a->env.limit[HF_LIM_KEEPER_DEADLINE]);
		return -ERANGE;
	}
	if (hf_condition_bad(a, now, r))
		return -ERANGE;
	return a->self_test_due ? -EKEYREJECTED : 0;
}

int hf_reset(struct hf_ctx *c, struct holdfast_control *ctl)
{
	struct hf_reason r = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0);
	struct hf_array *a = c->array;
	unsigned long flags;
	int ret;

	if (ctl->flags)
		return -EINVAL;
	mutex_lock(&a->admit_lock);
	ret = hf_control_allowed(c, ctl->epoch, HOLDFAST_RIGHT_RESET);
	if (!ret) {
		raw_spin_lock_irqsave(&a->lock, flags);
		ret = hf_reset_check(a, ktime_get_ns(), &r);
		raw_spin_unlock_irqrestore(&a->lock, flags);
	}
	if (!ret)
		ret = hf_hardware_well(a);
	if (!ret) {
		raw_spin_lock_irqsave(&a->lock, flags);
		/* Asking the hardware took time. */
		ret = hf_reset_check(a, ktime_get_ns(), &r);
		if (!ret) {
			hf_hw_silence_locked(a);
			trace_holdfast_state(a->index, a->state, HF_SILENT, HF_DET_RESET);
			a->state = HF_SILENT;
			hf_stop_queued_locked(a);
			memset(&a->burst, 0, sizeof(a->burst));
			hf_blackbox_thaw(a);
			hf_control_event(a, c, HF_DET_RESET, ctl->corr);
			hf_status_update_locked(a, ktime_get_ns());
		}
		raw_spin_unlock_irqrestore(&a->lock, flags);
	}
	mutex_unlock(&a->admit_lock);
	ctl->reason = hf_reason_uapi(&r);
	return ret;
}

/* Known answers of the rules, in memory of their own so that the array's state is not touched. */
static int hf_test_rules_way(const struct hf_dot_way *way)
{
	struct hf_test_room {
		struct hf_scratch scratch;
		struct hf_nameplate np;
		struct hf_phase_lut lut;
		struct hf_wire wire;
	} *room = kvzalloc(sizeof(*room), GFP_KERNEL);
	struct hf_rules *rules = kvzalloc(HF_SELF_TEST_ROOM, GFP_KERNEL);
	int ret = -ENOMEM;

	if (room && rules)
		ret = hf_rules_self_test(&room->scratch, rules, &room->np, &room->lut, &room->wire,
					 way);
	kvfree(rules);
	kvfree(room);
	return ret;
}

/* Each way of summing that might be used: a processor may do one of them wrong. */
static int hf_test_rules(void)
{
	return hf_test_rules_way(&hf_dot_scalar) ?: hf_test_rules_way(hf_dot_best());
}

static u32 hf_test_condition(struct hf_array *a, u64 tick_before, struct hf_reason *r)
{
	unsigned long flags;
	u32 failed = 0;

	raw_spin_lock_irqsave(&a->lock, flags);
	if (a->tick == tick_before)
		failed |= HOLDFAST_TEST_TIMER;
	if (hf_condition_bad(a, ktime_get_ns(), r))
		failed |= HOLDFAST_TEST_SENSORS;
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return failed;
}

int hf_self_test(struct hf_ctx *c, struct holdfast_self_test *t)
{
	struct hf_reason r = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0);
	struct hf_event_rec ev = { .type = HF_EVT_SELF_TEST };
	struct hf_array *a = c->array;
	u64 tick = READ_ONCE(a->tick);
	unsigned long flags;
	s64 ms, most_ms = 100 + a->env.limit[HF_LIM_TICK_LATE];
	int ret;

	if (t->flags)
		return -EINVAL;
	if (c->file && !c->file->writable)
		return -EBADF;
	mutex_lock(&a->admit_lock);
	raw_spin_lock_irqsave(&a->lock, flags);
	ret = a->state == HF_ARMED || a->state == HF_EMITTING ? -EBUSY : 0;
	raw_spin_unlock_irqrestore(&a->lock, flags);
	if (ret)
		goto out;
	t->run = HOLDFAST_TEST_RULES | HOLDFAST_TEST_SENSORS | HOLDFAST_TEST_TIMER;
	t->failed = hf_test_rules() ? HOLDFAST_TEST_RULES : 0;
	if (a->ops->confirm_silent) {
		ret = a->ops->confirm_silent(a->priv);
		if (ret != -EOPNOTSUPP)
			t->run |= HOLDFAST_TEST_SILENCE;
		if (ret != 1 && ret != -EOPNOTSUPP)
			t->failed |= HOLDFAST_TEST_SILENCE;
	}
	if (a->ops->self_test) {
		t->run |= HOLDFAST_TEST_HARDWARE;
		if (a->ops->self_test(a->priv))
			t->failed |= HOLDFAST_TEST_HARDWARE;
	}
	/* Until the next tick, however late it is allowed to be; it wakes nobody. */
	for (ms = 0; READ_ONCE(a->tick) == tick && ms < most_ms; ms += 20)
		msleep(20);
	t->failed |= hf_test_condition(a, tick, &r);

	hf_submitter_current(&ev.who, c->lease ? c->lease->corr : NULL);
	ev.severity = t->failed ? HOLDFAST_SEV_WARNING : HOLDFAST_SEV_INFO;
	ev.count = t->failed;
	ev.reason = r;
	raw_spin_lock_irqsave(&a->lock, flags);
	if (!t->failed)
		a->self_test_due = false;
	else if (t->failed & ~HOLDFAST_TEST_SENSORS)
		hf_trip_locked(a, HOLDFAST_CAUSE_SELF_TEST, HOLDFAST_SEV_EMERGENCY, &r, 0, NULL);
	hf_event_push(a, &ev);
	raw_spin_unlock_irqrestore(&a->lock, flags);
	ret = 0;
out:
	mutex_unlock(&a->admit_lock);
	t->reason = hf_reason_uapi(&r);
	return ret;
}
