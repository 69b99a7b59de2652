// SPDX-License-Identifier: GPL-2.0
/*
 * The governor: the hard-interrupt tick that supervises, and the few ways in
 * which an array goes quiet. Everything here runs under the array's raw lock
 * and may run in hard interrupt context: nothing sleeps, allocates or waits.
 * What is decided is decided in rules/; this file acts.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cred.h>
#include <linux/panic.h>
#include <linux/sched.h>
#include <linux/ktime.h>
#include <linux/uidgid.h>

#include "compat.h"
#include "core.h"
#include "trace.h"

#define HF_REST_EVENT_NS	(500 * NSEC_PER_MSEC)
#define HF_RESILENCE_TICKS	100

const u8 *hf_corr_of(const u8 *corr, const struct hf_lease *l)
{
	if (corr && memchr_inv(corr, 0, HOLDFAST_CORR_LEN))
		return corr;
	return l ? l->corr : NULL;
}

void hf_submitter_current(struct hf_submitter *who, const u8 *corr)
{
	who->pid = task_tgid_nr(current);
	who->uid = from_kuid_munged(&init_user_ns, current_uid());
	/* Not get_task_comm(): its lock sleeps on PREEMPT_RT, and ours may be held. */
	/* A worker of io_uring says nothing to people; its process does. */
	if (current->flags & PF_IO_WORKER)
		strscpy_pad(who->comm, current->group_leader->comm, sizeof(who->comm));
	else
		strscpy_pad(who->comm, current->comm, sizeof(who->comm));
	if (corr)
		memcpy(who->corr, corr, sizeof(who->corr));
	else
		memset(who->corr, 0, sizeof(who->corr));
}

/* The envelope that governs what is emitted now: the emitting lease's, else the array's. */
const struct hf_envelope *hf_env_now(const struct hf_array *a)
{
	return a->emitter ? &a->emitter->rs->rules.env : &a->env;
}

/* The silencing write. Always first, always allowed, as often as anyone likes. */
void hf_hw_silence_locked(struct hf_array *a)
{
	lockdep_assert_held(&a->lock);
	if (a->gone)
		return;
	a->ops->silence(a->priv);
	a->gate_open = false;
	a->silences++;
}

/* Pressure bounds of the output by site fence point; @mpa[HF_MAX_FENCE]. */
static void hf_site_pressure(const struct hf_array *a, u32 *mpa)
{
	const struct hf_rules *r = &a->emitter->rs->rules;
	u32 j;

	memset(mpa, 0, sizeof(*mpa) * HF_MAX_FENCE);
	for (j = 0; j < r->points; j++) {
		if (r->site_index[j] < HF_MAX_FENCE)
			mpa[r->site_index[j]] = a->wire->point_mpa[j];
	}
}

void hf_model_output_locked(struct hf_array *a, u64 now)
{
	u32 mpa[HF_MAX_FENCE];

	lockdep_assert_held(&a->lock);
	hf_advance_locked(a, now);
	hf_payer_locked(a);
	if (!a->emitter) {
		hf_model_output(a->model, a->np, NULL, NULL, NULL, a->site.nfence, now);
		return;
	}
	hf_site_pressure(a, mpa);
	hf_model_output(a->model, a->np, hf_env_now(a), a->wire->chan_power_uw, mpa,
			a->site.nfence, now);
}

/*
 * In an oops the workqueue's own locks may be lost; the tick kicks again if we
 * live. Of an array that is gone nothing can be asked, and its memory ends.
 */
static void hf_settle_kick(struct hf_array *a)
{
	if (!oops_in_progress && !a->gone)
		queue_work(system_highpri_wq, &a->settle_work);
}

/* Outputs have been commanded off: bookkeeping common to rest, silence and trip. */
static void hf_quiet_locked(struct hf_array *a, u64 now)
{
	if (a->emitter) {
		a->emitter = NULL;
		hf_model_output_locked(a, now);
	}
	a->quiet_ns = now;
	a->confirm_due = true;
	hf_settle_kick(a);
}

static void hf_state_set_locked(struct hf_array *a, enum hf_event ev, enum hf_event_detail why)
{
	int next = hf_state_next(a->state, ev);

	if (next < 0 || next == (int)a->state)
		return;
	trace_holdfast_state(a->index, a->state, next, why);
	a->state = next;
}

static void hf_bb_state(struct hf_array *a, u32 kind, u32 cause, const struct hf_reason *r,
			u64 lease)
{
	struct holdfast_blackbox_entry e = {
		.kind = kind,
		.cause = cause,
		.lease = lease,
		.reason = r ? hf_reason_uapi(r) :
			      (struct holdfast_reason){ HOLDFAST_LIM_NONE, HOLDFAST_NOWHERE, 0, 0 },
	};

	hf_blackbox_add(a, &e);
}

/* @l: lease that emitted; @who: who caused it; both may be NULL. */
static void hf_state_event(struct hf_array *a, enum hf_event_detail why, enum holdfast_severity sev,
			   const struct hf_reason *r, const struct hf_lease *l,
			   const struct hf_submitter *who)
{
	struct hf_event_rec ev = {
		.type = HF_EVT_STATE,
		.detail = why,
		.severity = sev,
		.state = a->state,
		.lease = l ? l->id : 0,
		.tenant = l ? l->tenant : 0,
		.reason = r ? *r : hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0),
	};

	if (who)
		ev.who = *who;
	hf_bb_state(a, HOLDFAST_BB_STATE, 0, r, ev.lease);
	hf_event_push(a, &ev);
}

/* Outputs off, still armed: hold over, emission time used up, lease ended, envelope tightened. */
void hf_rest_locked(struct hf_array *a, const struct hf_reason *r)
{
	const struct hf_lease *l = a->emitter;
	u64 now;

	lockdep_assert_held(&a->lock);
	hf_hw_silence_locked(a);
	now = ktime_get_ns();
	hf_quiet_locked(a, now);
	hf_state_set_locked(a, HF_EV_REST, HF_DET_RESTED);
	hf_status_update_locked(a, now);
	/* A program that rests all the time must not push trips out of the ring. */
	if (a->rest_event_ns && now - a->rest_event_ns < HF_REST_EVENT_NS)
		return;
	a->rest_event_ns = now;
	hf_state_event(a, HF_DET_RESTED, HOLDFAST_SEV_WARNING, r, l, l ? &l->who : NULL);
}

/* @who: who asked for it; NULL: the kernel itself. */
void hf_silence_locked(struct hf_array *a, const struct hf_submitter *who)
{
	enum hf_state before = a->state;
	const struct hf_lease *l = a->emitter;

	lockdep_assert_held(&a->lock);
	hf_hw_silence_locked(a);
	hf_stop_queued_locked(a);
	hf_quiet_locked(a, ktime_get_ns());
	hf_state_set_locked(a, HF_EV_SILENCE, HF_DET_SILENCED);
	hf_status_update_locked(a, ktime_get_ns());
	if (before == HF_ARMED || before == HF_EMITTING)
		hf_state_event(a, HF_DET_SILENCED, HOLDFAST_SEV_INFO, NULL, l, who);
}

void hf_silence(struct hf_array *a, const struct hf_lease *l, const u8 *corr)
{
	struct hf_submitter who;
	unsigned long flags;

	hf_submitter_current(&who, hf_corr_of(corr, l));
	raw_spin_lock_irqsave(&a->lock, flags);
	hf_silence_locked(a, &who);
	raw_spin_unlock_irqrestore(&a->lock, flags);
}

static void hf_trip_record(struct hf_array *a, enum holdfast_cause cause,
			   enum holdfast_severity sev, const struct hf_reason *r, u64 onset_ns,
			   const struct hf_lease *by, u64 detect_ns, u64 silence_ns)
{
	struct holdfast_trip *t = &a->trip;
	u32 count = t->count;

	*t = (struct holdfast_trip){
		.size = sizeof(*t),
		.cause = cause,
		.severity = sev,
		.state_before = a->state,
		.onset_ns = onset_ns ?: detect_ns,
		.detect_ns = detect_ns,
		.silence_ns = silence_ns,
		.real_ns = ktime_get_real_fast_ns(),
		.epoch = a->epoch,
		.uid = (u32)-1,
		.reason = hf_reason_uapi(r),
		.count = count + 1,
	};
	if (!by)
		return;
	t->lease = by->id;
	t->tenant = by->tenant;
	t->cookie = by->cookie;
	t->pid = by->who.pid;
	t->uid = by->who.uid;
	memcpy(t->comm, by->who.comm, sizeof(t->comm));
	memcpy(t->corr, by->who.corr, sizeof(t->corr));
}

static void hf_trip_event(struct hf_array *a)
{
	struct holdfast_trip *t = &a->trip;
	struct hf_event_rec ev = {
		.type = HF_EVT_TRIP,
		.severity = t->severity,
		.cause = t->cause,
		.state = a->state,
		.lease = t->lease,
		.tenant = t->tenant,
		.time_ns = t->detect_ns,
		.real_ns = t->real_ns,
		.reason = { t->reason.limit, t->reason.where, t->reason.measured, t->reason.bound },
		.who = { .pid = t->pid, .uid = t->uid },
	};

	memcpy(ev.who.comm, t->comm, sizeof(t->comm));
	memcpy(ev.who.corr, t->corr, sizeof(t->corr));
	t->event_seq = hf_event_push(a, &ev);
}

/**
 * hf_trip_locked() - latched emergency shutdown
 * @a:	the array, its lock held
 * @cause: why
 * @sev: critical, or emergency: power is cut too, and reset wants a self-test
 * @r:	which limit, where, how much; NULL when it is no limit's
 * @onset_ns: time of the sample or deadline that was judged; 0 = now
 * @by:	lease to blame; NULL: the one that emits
 *
 * The silencing write comes before any bookkeeping. A trip while tripped
 * silences again, and raises the severity when it is worse.
 */
void hf_trip_locked(struct hf_array *a, enum holdfast_cause cause, enum holdfast_severity sev,
		    const struct hf_reason *r, u64 onset_ns, const struct hf_lease *by)
{
	const struct hf_reason none = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0);
	u64 detect_ns = ktime_get_mono_fast_ns();
	u64 silence_ns;

	lockdep_assert_held(&a->lock);
	hf_hw_silence_locked(a);
	if (sev == HOLDFAST_SEV_EMERGENCY && !a->gone && a->ops->cut_power)
		a->ops->cut_power(a->priv);
	silence_ns = ktime_get_mono_fast_ns();
	hf_stop_queued_locked(a);

	if (sev == HOLDFAST_SEV_EMERGENCY)
		a->self_test_due = true;
	if (a->state == HF_TRIPPED && sev <= a->trip.severity)
		return;
	hf_trip_record(a, cause, sev, r ?: &none, onset_ns, by ?: a->emitter, detect_ns,
		       silence_ns);
	hf_quiet_locked(a, silence_ns);
	hf_state_set_locked(a, HF_EV_TRIP, HF_DET_NONE);
	trace_holdfast_trip(a->index, cause, sev, a->trip.reason.limit, a->trip.reason.where,
			    a->trip.reason.measured, a->trip.reason.bound, a->trip.onset_ns,
			    detect_ns, silence_ns);
	hf_bb_state(a, HOLDFAST_BB_TRIP, cause, r, a->trip.lease);
	hf_blackbox_freeze(a);
	hf_trip_event(a);
	hf_status_update_locked(a, silence_ns);
}

void hf_trip(struct hf_array *a, enum holdfast_cause cause, enum holdfast_severity sev)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&a->lock, flags);
	hf_trip_locked(a, cause, sev, NULL, 0, NULL);
	raw_spin_unlock_irqrestore(&a->lock, flags);
}

/* Somebody asks for a latched stop: current, whom the record names. */
void hf_trip_operator(struct hf_array *a, const struct hf_lease *l, const u8 *corr)
{
	struct hf_lease by = { .id = l ? l->id : 0, .tenant = l ? l->tenant : 0 };
	unsigned long flags;

	hf_submitter_current(&by.who, hf_corr_of(corr, l));
	raw_spin_lock_irqsave(&a->lock, flags);
	hf_trip_locked(a, HOLDFAST_CAUSE_OPERATOR, HOLDFAST_SEV_CRITICAL, NULL, 0, &by);
	raw_spin_unlock_irqrestore(&a->lock, flags);
}

static enum holdfast_cause hf_cause_of_demand(enum hf_sensor_demand d)
{
	static const u8 cause[] = {
		[HF_DEMAND_NONE] = HOLDFAST_CAUSE_INTERNAL,
		[HF_DEMAND_LOST] = HOLDFAST_CAUSE_SENSOR_LOST,
		[HF_DEMAND_STALE] = HOLDFAST_CAUSE_SENSOR_STALE,
		[HF_DEMAND_STUCK] = HOLDFAST_CAUSE_SENSOR_STUCK,
		[HF_DEMAND_IMPLAUSIBLE] = HOLDFAST_CAUSE_SENSOR_IMPLAUSIBLE,
		[HF_DEMAND_TEMP_CRIT] = HOLDFAST_CAUSE_TEMP_CRIT,
		[HF_DEMAND_TEMP_EMERG] = HOLDFAST_CAUSE_TEMP_EMERG,
		[HF_DEMAND_TEMP_RATE] = HOLDFAST_CAUSE_TEMP_RATE,
		[HF_DEMAND_SUPPLY_UNDER] = HOLDFAST_CAUSE_SUPPLY_UNDER,
		[HF_DEMAND_SUPPLY_OVER] = HOLDFAST_CAUSE_SUPPLY_OVER,
		[HF_DEMAND_CURRENT_OVER] = HOLDFAST_CAUSE_CURRENT_OVER,
		[HF_DEMAND_FAN_FAILED] = HOLDFAST_CAUSE_FAN_FAILED,
	};

	return cause[d];
}

static void hf_act_locked(struct hf_array *a, const struct hf_decision *d)
{
	struct hf_lease *l = a->emitter;
	enum holdfast_severity sev = HOLDFAST_SEV_CRITICAL;
	enum holdfast_cause cause;

	switch (d->action) {
	case HF_ACT_NONE:
		return;
	case HF_ACT_REST:
		hf_rest_locked(a, &d->reason);
		if (d->reason.limit == HF_LIM_SURFACE_MEAN)
			hf_surface_rest(&a->surface_state, &d->reason);
		if (l && hf_reason_is_quota(&d->reason))
			hf_quota_spent_locked(l, &d->reason);
		return;
	case HF_ACT_TRIP_GOVERNOR_LATE:
		cause = HOLDFAST_CAUSE_GOVERNOR_LATE;
		break;
	case HF_ACT_TRIP_SENSOR_THREAD:
		cause = HOLDFAST_CAUSE_SENSOR_THREAD;
		break;
	case HF_ACT_TRIP_KEEPER:
		cause = HOLDFAST_CAUSE_KEEPER_DEADLINE;
		break;
	case HF_ACT_TRIP_POWER:
		cause = HOLDFAST_CAUSE_POWER_MODEL;
		break;
	case HF_ACT_TRIP_THERMAL:
		cause = HOLDFAST_CAUSE_THERMAL_MODEL;
		break;
	case HF_ACT_TRIP_DOSE:
		cause = HOLDFAST_CAUSE_DOSE;
		break;
	case HF_ACT_TRIP_SENSOR:
		cause = hf_cause_of_demand(a->sv.demand);
		if (a->sv.demand == HF_DEMAND_TEMP_EMERG)
			sev = HOLDFAST_SEV_EMERGENCY;
		break;
	default:
		cause = HOLDFAST_CAUSE_INTERNAL;
		break;
	}
	hf_trip_locked(a, cause, sev, &d->reason, d->onset_ns, NULL);
}

/*
 * The amplitude cap follows the temperature in steps of 1/16, so that noise
 * does not make events; a held frame above the new cap goes off, because no
 * output is ever changed after its checks but to switch it off.
 */
static void hf_derate_locked(struct hf_array *a)
{
	u32 now = a->sv.derate_q16 / (HF_Q16_ONE / 16) * (HF_Q16_ONE / 16);
	struct hf_event_rec ev = { .type = HF_EVT_DERATE, .severity = HOLDFAST_SEV_WARNING };
	struct hf_reason r;
	u32 cap, i;

	if (now == a->derate_q16)
		return;
	ev.reason = a->sv.reason;
	if (a->sv.warn_sensor < HF_MAX_SENSORS)
		ev.reason = hf_reason(HF_LIM_TEMP_WARN, a->sv.warn_sensor,
				      a->sensors.s[a->sv.warn_sensor].value,
				      hf_env_now(a)->limit[HF_LIM_TEMP_WARN]);
	ev.severity = now < a->derate_q16 ? HOLDFAST_SEV_WARNING : HOLDFAST_SEV_INFO;
	a->derate_q16 = now;
	cap = (u32)(a->emitter ? a->emitter->rs : a->rs)->rules.amp_cap * now >> 16;
	ev.count = cap;
	ev.state = a->state;
	hf_event_push(a, &ev);
	if (!a->emitter)
		return;
	for (i = 0; i < a->np->channels; i++) {
		if (a->wire->amp_q16[i] <= cap)
			continue;
		r = hf_reason(HF_LIM_AMP_CAP, i, a->wire->amp_q16[i], cap);
		hf_rest_locked(a, &r);
		return;
	}
}

static void hf_leases_expire_locked(struct hf_array *a, u64 now)
{
	struct hf_lease *l, *next;

	list_for_each_entry_safe(l, next, &a->leases, node) {
		if (!l->ended && l->expires_ns && now >= l->expires_ns)
			hf_lease_end_locked(l, EKEYEXPIRED, HF_DET_EXPIRED);
	}
}

/*
 * One round of supervision, from the tick and after every round of sensors.
 * @due_ns: when a tick should have run; @now from the sensor thread.
 */
static void hf_round_locked(struct hf_array *a, u64 due_ns, u64 now)
{
	struct hf_watch w = {
		.state = a->state,
		.emergency = a->trip.severity == HOLDFAST_SEV_EMERGENCY,
		.tick_due_ns = due_ns,
		.beat_ns = a->keeper ? a->beat_ns : 0,
		.frame_ns = a->last_frame_ns,
		.lease_expires_ns = a->emitter ? a->emitter->expires_ns : 0,
		.quota = a->payer ? &a->payer->quota : NULL,
		.sensor_loop_ns = a->sensor_loop_ns,
		.sensor_loop_max_ns = hf_sensor_deadline_ns(a),
		.surface = &a->surface_state,
	};
	struct hf_decision d;

	hf_advance_locked(a, now);
	hf_sensors_judge(&a->sensors, a->np, hf_env_now(a), now, &a->sv);
	hf_supervise(&w, hf_env_now(a), a->model, a->np, &a->sv, now, &d);
	hf_act_locked(a, &d);
	hf_leases_expire_locked(a, now);
	hf_derate_locked(a);
}

void hf_govern_locked(struct hf_array *a, u64 now)
{
	lockdep_assert_held(&a->lock);
	hf_round_locked(a, now, now);
}

static enum hrtimer_restart hf_tick(struct hrtimer *timer)
{
	struct hf_array *a = container_of(timer, struct hf_array, timer);
	u64 due = ktime_to_ns(hrtimer_get_expires(timer));
	unsigned long flags;
	u64 now, late;
	bool kick;

	raw_spin_lock_irqsave(&a->lock, flags);
	now = ktime_get_ns();
	late = now > due ? now - due : 0;
	a->tick++;
	a->tick_late_ns = late;
	a->tick_late_max_ns = max(a->tick_late_max_ns, late);
	hf_round_locked(a, due, now);
	/* The hardware's dead-man lives on a governor that is well and watches something live. */
	if ((a->state == HF_ARMED || a->state == HF_EMITTING) && a->ops->beat_hw)
		a->ops->beat_hw(a->priv);
	if (a->tick % 10 == 0)
		hf_bb_state(a, HOLDFAST_BB_SAMPLE, 0, NULL, a->emitter ? a->emitter->id : 0);
	/* Silence is idempotent, and a bus may have lost it: again, until somebody saw it take. */
	if (a->state == HF_TRIPPED && !a->trip.confirmed && a->tick % HF_RESILENCE_TICKS == 0)
		hf_hw_silence_locked(a);
	if (a->confirm_due && !a->emitter)
		hf_settle_kick(a);
	hf_status_update_locked(a, now);
	kick = a->queue_kick;
	a->queue_kick = false;
	raw_spin_unlock_irqrestore(&a->lock, flags);
	hf_events_kick(a);
	if (kick)
		hf_queue_kick(a);

	trace_holdfast_tick(a->index, late, ktime_get_ns() - now);
	hrtimer_forward_now(timer, ns_to_ktime(HF_TICK_NS));
	return HRTIMER_RESTART;
}

void hf_governor_start(struct hf_array *a)
{
	hrtimer_setup(&a->timer, hf_tick, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	hrtimer_start(&a->timer, ns_to_ktime(HF_TICK_NS), HRTIMER_MODE_REL_HARD);
}

void hf_governor_stop(struct hf_array *a)
{
	hrtimer_cancel(&a->timer);
}
