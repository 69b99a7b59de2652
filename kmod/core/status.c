// SPDX-License-Identifier: GPL-2.0
/*
 * The status page that programs map: one writer (under the array's lock), any
 * number of readers that never make it wait. It copies; it never computes a
 * verdict.
 */
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/string.h>

#include "core.h"

/* Dose and nearest limit walk all fence points: every tenth tick is enough for people. */
#define HF_SLOW_TICKS	10

static void status_sensors(const struct hf_array *a, struct holdfast_status *s, u64 now_ns)
{
	const struct hf_envelope *env = hf_env_now(a);
	u32 i;

	s->sensors = a->sensors.count;
	for (i = 0; i < a->sensors.count; i++) {
		const struct hf_sensor *in = &a->sensors.s[i];
		struct holdfast_sample *out = &s->sensor[i];

		out->kind = a->np->sensor[i].kind;
		out->valid = hf_sensor_state(in, env, now_ns) == HF_SENSOR_OK;
		out->value = out->valid ? in->value : 0;
		out->time_ns = out->valid ? in->time_ns : 0;
	}
}

static void status_surface(const struct hf_array *a, struct holdfast_status *s)
{
	const struct hf_surface_state *st = &a->surface_state;

	s->surface_points = st->points;
	s->surface_worst = st->points ? st->told : HOLDFAST_NOWHERE;
	s->surface_mean_mpa = hf_surface_mpa(st->told_q8);
	s->surface_round_ms = div_u64(st->told_took_ns, NSEC_PER_MSEC);
}

/* The wire's pressures are by the emitting lease's points; the page has the site's. */
static void status_fence(const struct hf_array *a, struct holdfast_status *s)
{
	const struct hf_rules *r;
	u32 j, points;

	s->fences = a->site.nfence;
	memset(s->fence_mpa, 0, sizeof(s->fence_mpa));
	if (!a->emitter)
		return;
	r = &a->emitter->rs->rules;
	points = min(r->points, a->wire->points);
	for (j = 0; j < points; j++) {
		if (r->site_index[j] < HOLDFAST_MAX_FENCE)
			s->fence_mpa[r->site_index[j]] = a->wire->point_mpa[j];
	}
}

static void status_slow(const struct hf_array *a, struct holdfast_status *s, u64 now_ns)
{
	struct hf_reason nearest;
	u32 j;

	for (j = 0; j < a->site.nfence; j++)
		s->fence_dose[j] = hf_model_dose(a->model, j);
	memset(s->fence_dose + j, 0, sizeof(s->fence_dose) - j * sizeof(s->fence_dose[0]));
	nearest = hf_nearest(hf_env_now(a), &a->site, a->model, &a->sensors, a->np, s->fence_mpa,
			     now_ns);
	s->nearest = hf_reason_uapi(&nearest);
}

static void status_models(const struct hf_array *a, struct holdfast_status *s)
{
	const struct hf_model *m = a->model;
	u32 cap = hf_env_now(a)->limit[HF_LIM_AMP_CAP];

	s->emit_ns = m->emit_total_ns;
	s->power_uw = m->power_uw;
	s->power_avg_uw = m->power_avg_uw;
	s->chan_rise_mk = div_s64(hf_model_hottest_uk(m, a->np) + 999, 1000);
	s->array_rise_mk = div_s64(m->array_rise_uk + 999, 1000);
	s->cap_q16 = ((u64)cap * a->derate_q16) >> 16;
	s->derated = s->cap_q16 < cap;
}

static void status_trip(const struct hf_array *a, struct holdfast_status *s)
{
	s->trips = a->trip.count;
	s->trip_cause = a->trip.cause;
	s->trip_severity = a->trip.severity;
	s->trip_reason = hf_trip_reason(a);
	s->last_reject = hf_reason_uapi(&a->last_reject);
}

/**
 * hf_status_update_locked() - bring the status page up to date
 * @a:	the array, its lock held
 * @now_ns: CLOCK_MONOTONIC; models are as they were advanced last: a tick ago at most
 *
 * Context: hard interrupt. Also has events delivered that could not be when
 * they were pushed.
 */
void hf_status_update_locked(struct hf_array *a, u64 now_ns)
{
	struct holdfast_status *s = a->status;

	lockdep_assert_held(&a->lock);
	WRITE_ONCE(s->seq, s->seq + 1);
	smp_wmb();	/* readers see the odd number before any field of this update */

	s->size = sizeof(*s);
	s->state = a->state;
	s->sealed = a->sealed;
	s->time_ns = now_ns;
	s->instance = a->instance;
	s->epoch = a->epoch;
	s->event_seq = READ_ONCE(a->ev_seq);
	s->envelope_gen = a->env_gen;
	s->tick = a->tick;
	s->tick_late_max_ns = a->tick_late_max_ns;
	s->beat_ns = a->keeper ? a->beat_ns : 0;
	s->frames_admitted = a->n_admitted;
	s->frames_attenuated = a->n_attenuated;
	s->frames_rejected = a->n_rejected;
	s->frames_malformed = a->n_malformed;
	s->last_frame_ns = a->last_frame_ns;
	s->leases = a->nleases;
	status_trip(a, s);
	status_models(a, s);
	status_sensors(a, s, now_ns);
	status_fence(a, s);
	status_surface(a, s);
	if (a->tick % HF_SLOW_TICKS == 0)
		status_slow(a, s, now_ns);

	smp_wmb();	/* and the even one after all of them */
	WRITE_ONCE(s->seq, s->seq + 1);

	hf_events_kick(a);
}
