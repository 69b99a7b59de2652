// SPDX-License-Identifier: GPL-2.0
/*
 * Arrays, events and status as the attributes that uapi/holdfast.yaml
 * describes. Every size function counts exactly what its put function puts.
 */
#include <linux/build_bug.h>
#include <linux/string.h>
#include <net/netlink.h>

#include "holdfast_netlink.h"
#include "netlink_put.h"

#define HF_NL_U8	nla_total_size(sizeof(u8))
#define HF_NL_U32	nla_total_size(sizeof(u32))
#define HF_NL_U64	nla_total_size_64bit(sizeof(u64))
#define HF_NL_SENSOR	(nla_total_size(0) + 3 * HF_NL_U32 + 2 * HF_NL_U64)
#define HF_NL_FENCE	(nla_total_size(0) + 2 * HF_NL_U32 + HF_NL_U64)

static size_t str_size(const char *s, size_t room)
{
	return nla_total_size(strnlen(s, room - 1) + 1);
}

static bool no_limit(const struct holdfast_reason *r)
{
	return r->limit == HOLDFAST_LIM_NONE;
}

static bool is_quota(const struct holdfast_reason *r)
{
	return !no_limit(r) && r->limit >= HOLDFAST_LIM_QUOTA;
}

static bool no_place(const struct holdfast_reason *r)
{
	return r->where == HOLDFAST_NOWHERE;
}

static size_t reason_size(const struct holdfast_reason *r)
{
	if (no_limit(r) && no_place(r))
		return 0;
	return nla_total_size(0) + !no_limit(r) * HF_NL_U32 + !no_place(r) * HF_NL_U32 +
	       2 * HF_NL_U64;
}

/* What there is not is left out: a reader need not know magic numbers. */
static int put_reason(struct sk_buff *skb, int type, const struct holdfast_reason *r)
{
	struct nlattr *nest;

	if (no_limit(r) && no_place(r))
		return 0;
	nest = nla_nest_start(skb, type);
	if (!nest ||
	    (is_quota(r) &&
	     nla_put_u32(skb, HOLDFAST_A_REASON_QUOTA, r->limit - HOLDFAST_LIM_QUOTA)) ||
	    (!no_limit(r) && !is_quota(r) &&
	     nla_put_u32(skb, HOLDFAST_A_REASON_LIMIT, r->limit)) ||
	    (!no_place(r) && nla_put_u32(skb, HOLDFAST_A_REASON_WHERE, r->where)) ||
	    nla_put_s64(skb, HOLDFAST_A_REASON_MEASURED, r->measured, HOLDFAST_A_REASON_PAD) ||
	    nla_put_s64(skb, HOLDFAST_A_REASON_BOUND, r->bound, HOLDFAST_A_REASON_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* ---- array */

void hf_nl_array_view(struct hf_array *a, struct hf_nl_array *v)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&a->lock, flags);
	*v = (struct hf_nl_array){
		.state = a->state,
		.epoch = a->epoch,
		.sealed = a->sealed,
		.admitted = a->n_admitted,
		.attenuated = a->n_attenuated,
		.rejected = a->n_rejected,
		.malformed = a->n_malformed,
		.cause = a->trip.cause,
		.severity = a->trip.severity,
		.trips = a->trip.count,
		.reason = hf_trip_reason(a),
	};
	raw_spin_unlock_irqrestore(&a->lock, flags);
	hf_event_range(a, &v->oldest, &v->newest, &v->undelivered);
}

size_t hf_nl_array_size(const struct hf_array *a, const struct hf_nl_array *v)
{
	return 6 * HF_NL_U32 + HF_NL_U8 + 9 * HF_NL_U64 + reason_size(&v->reason) +
	       str_size(a->model_name, sizeof(a->model_name)) +
	       str_size(a->serial, sizeof(a->serial));
}

static int put_u64(struct sk_buff *skb, int type, u64 v)
{
	/* pad is the first attribute of every set */
	BUILD_BUG_ON((int)HOLDFAST_A_ARRAY_PAD != (int)HOLDFAST_A_EVENT_PAD);
	BUILD_BUG_ON((int)HOLDFAST_A_ARRAY_PAD != (int)HOLDFAST_A_STATUS_PAD);
	BUILD_BUG_ON((int)HOLDFAST_A_ARRAY_PAD != (int)HOLDFAST_A_SENSOR_PAD);
	BUILD_BUG_ON((int)HOLDFAST_A_ARRAY_PAD != (int)HOLDFAST_A_FENCE_PAD);
	return nla_put_u64_64bit(skb, type, v, HOLDFAST_A_ARRAY_PAD);
}

int hf_nl_put_array(struct sk_buff *skb, const struct hf_array *a, const struct hf_nl_array *v)
{
	if (nla_put_u32(skb, HOLDFAST_A_ARRAY_INDEX, a->index) ||
	    put_u64(skb, HOLDFAST_A_ARRAY_INSTANCE, a->instance) ||
	    nla_put_string(skb, HOLDFAST_A_ARRAY_MODEL, a->model_name) ||
	    nla_put_string(skb, HOLDFAST_A_ARRAY_SERIAL, a->serial) ||
	    nla_put_u32(skb, HOLDFAST_A_ARRAY_CHANNELS, a->np->channels) ||
	    nla_put_u32(skb, HOLDFAST_A_ARRAY_STATE, v->state) ||
	    put_u64(skb, HOLDFAST_A_ARRAY_EPOCH, v->epoch) ||
	    nla_put_u8(skb, HOLDFAST_A_ARRAY_SEALED, v->sealed) ||
	    put_u64(skb, HOLDFAST_A_ARRAY_EVENT_SEQ, v->newest) ||
	    put_u64(skb, HOLDFAST_A_ARRAY_OLDEST_SEQ, v->oldest) ||
	    put_u64(skb, HOLDFAST_A_ARRAY_UNDELIVERED, v->undelivered) ||
	    nla_put_u32(skb, HOLDFAST_A_ARRAY_TRIP_CAUSE, v->cause) ||
	    nla_put_u32(skb, HOLDFAST_A_ARRAY_TRIP_SEVERITY, v->severity) ||
	    put_reason(skb, HOLDFAST_A_ARRAY_TRIP_REASON, &v->reason) ||
	    nla_put_u32(skb, HOLDFAST_A_ARRAY_TRIP_COUNT, v->trips) ||
	    put_u64(skb, HOLDFAST_A_ARRAY_FRAMES_ADMITTED, v->admitted) ||
	    put_u64(skb, HOLDFAST_A_ARRAY_FRAMES_ATTENUATED, v->attenuated) ||
	    put_u64(skb, HOLDFAST_A_ARRAY_FRAMES_REJECTED, v->rejected) ||
	    put_u64(skb, HOLDFAST_A_ARRAY_FRAMES_MALFORMED, v->malformed))
		return -EMSGSIZE;
	return 0;
}

/* ---- event */

static bool has_corr(const struct hf_event_rec *ev)
{
	return memchr_inv(ev->who.corr, 0, sizeof(ev->who.corr));
}

static size_t who_size(const struct hf_event_rec *ev)
{
	return 2 * HF_NL_U64 + 2 * HF_NL_U32 + str_size(ev->who.comm, sizeof(ev->who.comm)) +
	       (has_corr(ev) ? nla_total_size(sizeof(ev->who.corr)) : 0);
}

static int put_who(struct sk_buff *skb, const struct hf_event_rec *ev)
{
	char comm[HOLDFAST_COMM_LEN];

	strscpy(comm, ev->who.comm, sizeof(comm));
	if (put_u64(skb, HOLDFAST_A_EVENT_LEASE, ev->lease) ||
	    put_u64(skb, HOLDFAST_A_EVENT_TENANT, ev->tenant) ||
	    nla_put_s32(skb, HOLDFAST_A_EVENT_PID, ev->who.pid) ||
	    nla_put_u32(skb, HOLDFAST_A_EVENT_UID, ev->who.uid) ||
	    nla_put_string(skb, HOLDFAST_A_EVENT_COMM, comm) ||
	    (has_corr(ev) &&
	     nla_put(skb, HOLDFAST_A_EVENT_CORR, sizeof(ev->who.corr), ev->who.corr)))
		return -EMSGSIZE;
	return 0;
}

size_t hf_nl_event_size(const struct hf_event_rec *ev, bool who)
{
	const struct holdfast_reason reason = hf_reason_uapi(&ev->reason);

	return 7 * HF_NL_U32 + 5 * HF_NL_U64 + reason_size(&reason) + (who ? who_size(ev) : 0);
}

int hf_nl_put_event(struct sk_buff *skb, const struct hf_array *a, const struct hf_event_rec *ev,
		    bool who)
{
	const struct holdfast_reason reason = hf_reason_uapi(&ev->reason);

	if (nla_put_u32(skb, HOLDFAST_A_EVENT_INDEX, a->index) ||
	    put_u64(skb, HOLDFAST_A_EVENT_INSTANCE, a->instance) ||
	    put_u64(skb, HOLDFAST_A_EVENT_SEQ, ev->seq) ||
	    put_u64(skb, HOLDFAST_A_EVENT_TIME_NS, ev->time_ns) ||
	    put_u64(skb, HOLDFAST_A_EVENT_REAL_NS, ev->real_ns) ||
	    nla_put_u32(skb, HOLDFAST_A_EVENT_TYPE, ev->type) ||
	    nla_put_u32(skb, HOLDFAST_A_EVENT_DETAIL, ev->detail) ||
	    nla_put_u32(skb, HOLDFAST_A_EVENT_SEVERITY, ev->severity) ||
	    nla_put_u32(skb, HOLDFAST_A_EVENT_CAUSE, ev->cause) ||
	    nla_put_u32(skb, HOLDFAST_A_EVENT_STATE, ev->state) ||
	    put_u64(skb, HOLDFAST_A_EVENT_EPOCH, ev->epoch) ||
	    nla_put_u32(skb, HOLDFAST_A_EVENT_COUNT, ev->count) ||
	    put_reason(skb, HOLDFAST_A_EVENT_REASON, &reason) ||
	    (who && put_who(skb, ev)))
		return -EMSGSIZE;
	return 0;
}

/* ---- status */

size_t hf_nl_status_size(const struct hf_nl_status *st)
{
	size_t size = 9 * HF_NL_U32 + 2 * HF_NL_U8 + 13 * HF_NL_U64 +
		      reason_size(&st->page.last_reject) + reason_size(&st->page.nearest) +
		      st->page.fences * HF_NL_FENCE;
	u32 i;

	for (i = 0; i < st->page.sensors; i++)
		size += HF_NL_SENSOR - (st->fault[i] == HF_SENSOR_OK ? 0 : 2 * HF_NL_U64);
	return size;
}

static int put_sensor(struct sk_buff *skb, u32 index, const struct holdfast_sample *s, u32 fault)
{
	struct nlattr *nest = nla_nest_start(skb, HOLDFAST_A_STATUS_SENSOR);

	if (!nest ||
	    nla_put_u32(skb, HOLDFAST_A_SENSOR_INDEX, index) ||
	    nla_put_u32(skb, HOLDFAST_A_SENSOR_KIND, s->kind) ||
	    nla_put_u32(skb, HOLDFAST_A_SENSOR_FAULT, fault))
		return -EMSGSIZE;
	if (fault == HF_SENSOR_OK &&
	    (nla_put_s64(skb, HOLDFAST_A_SENSOR_VALUE, s->value, HOLDFAST_A_SENSOR_PAD) ||
	     put_u64(skb, HOLDFAST_A_SENSOR_TIME_NS, s->time_ns)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_fence(struct sk_buff *skb, u32 index, u32 mpa, u64 dose)
{
	struct nlattr *nest = nla_nest_start(skb, HOLDFAST_A_STATUS_FENCE);

	if (!nest ||
	    nla_put_u32(skb, HOLDFAST_A_FENCE_INDEX, index) ||
	    nla_put_u32(skb, HOLDFAST_A_FENCE_PRESSURE_MPA, mpa) ||
	    put_u64(skb, HOLDFAST_A_FENCE_DOSE, dose))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

int hf_nl_put_status(struct sk_buff *skb, const struct hf_array *a, const struct hf_nl_status *st)
{
	const struct holdfast_status *p = &st->page;
	u32 i;

	if (nla_put_u32(skb, HOLDFAST_A_STATUS_INDEX, a->index) ||
	    put_u64(skb, HOLDFAST_A_STATUS_INSTANCE, a->instance) ||
	    put_u64(skb, HOLDFAST_A_STATUS_TIME_NS, p->time_ns) ||
	    nla_put_u32(skb, HOLDFAST_A_STATUS_STATE, p->state) ||
	    put_u64(skb, HOLDFAST_A_STATUS_EPOCH, p->epoch) ||
	    put_u64(skb, HOLDFAST_A_STATUS_EVENT_SEQ, p->event_seq) ||
	    nla_put_u8(skb, HOLDFAST_A_STATUS_SEALED, p->sealed) ||
	    nla_put_u32(skb, HOLDFAST_A_STATUS_CAP_Q16, p->cap_q16) ||
	    nla_put_u8(skb, HOLDFAST_A_STATUS_DERATED, p->derated) ||
	    put_u64(skb, HOLDFAST_A_STATUS_POWER_UW, p->power_uw) ||
	    put_u64(skb, HOLDFAST_A_STATUS_POWER_AVG_UW, p->power_avg_uw) ||
	    nla_put_u32(skb, HOLDFAST_A_STATUS_CHAN_RISE_MK, p->chan_rise_mk) ||
	    nla_put_u32(skb, HOLDFAST_A_STATUS_ARRAY_RISE_MK, p->array_rise_mk) ||
	    put_u64(skb, HOLDFAST_A_STATUS_FRAMES_ADMITTED, p->frames_admitted) ||
	    put_u64(skb, HOLDFAST_A_STATUS_FRAMES_ATTENUATED, p->frames_attenuated) ||
	    put_u64(skb, HOLDFAST_A_STATUS_FRAMES_REJECTED, p->frames_rejected) ||
	    put_u64(skb, HOLDFAST_A_STATUS_FRAMES_MALFORMED, p->frames_malformed) ||
	    put_u64(skb, HOLDFAST_A_STATUS_EMIT_NS, p->emit_ns) ||
	    put_u64(skb, HOLDFAST_A_STATUS_TICK, p->tick) ||
	    put_u64(skb, HOLDFAST_A_STATUS_TICK_LATE_MAX_NS, p->tick_late_max_ns) ||
	    nla_put_u32(skb, HOLDFAST_A_STATUS_LEASES, p->leases) ||
	    nla_put_u32(skb, HOLDFAST_A_STATUS_TRIP_CAUSE, p->trip_cause) ||
	    nla_put_u32(skb, HOLDFAST_A_STATUS_TRIP_SEVERITY, p->trip_severity) ||
	    nla_put_u32(skb, HOLDFAST_A_STATUS_TRIP_COUNT, p->trips) ||
	    put_reason(skb, HOLDFAST_A_STATUS_LAST_REJECT, &p->last_reject) ||
	    put_reason(skb, HOLDFAST_A_STATUS_NEAREST, &p->nearest))
		return -EMSGSIZE;
	for (i = 0; i < p->sensors; i++) {
		if (put_sensor(skb, i, &p->sensor[i], st->fault[i]))
			return -EMSGSIZE;
	}
	for (i = 0; i < p->fences; i++) {
		if (put_fence(skb, i, p->fence_mpa[i], p->fence_dose[i]))
			return -EMSGSIZE;
	}
	return 0;
}
