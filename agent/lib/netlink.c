// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of the generic netlink family as structures (uapi/holdfast.yaml).
 * Unknown attributes are ignored, missing ones are 0. No sockets here.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "netlink.h"

static uint32_t u32_of(struct nlattr *a)
{
	return a && nla_len(a) >= (int)sizeof(uint32_t) ? nla_get_u32(a) : 0;
}

static uint64_t u64_of(struct nlattr *a)
{
	return a && nla_len(a) >= (int)sizeof(uint64_t) ? nla_get_u64(a) : 0;
}

static uint32_t u8_of(struct nlattr *a)
{
	return a && nla_len(a) >= 1 ? nla_get_u8(a) : 0;
}

static void string_of(struct nlattr *a, char *buf, size_t len)
{
	if (a)
		nla_strlcpy(buf, a, len);
}

/* A limit or a place that is none is absent. */
static void reason_of(struct nlattr *nest, struct holdfast_reason *r)
{
	struct nlattr *a[HOLDFAST_A_REASON_MAX + 1];

	*r = (struct holdfast_reason){ .limit = HOLDFAST_LIM_NONE, .where = HOLDFAST_NOWHERE };
	if (!nest || nla_parse_nested(a, HOLDFAST_A_REASON_MAX, nest, NULL) < 0)
		return;
	if (a[HOLDFAST_A_REASON_LIMIT])
		r->limit = u32_of(a[HOLDFAST_A_REASON_LIMIT]);
	if (a[HOLDFAST_A_REASON_QUOTA])
		r->limit = HOLDFAST_LIM_QUOTA + u32_of(a[HOLDFAST_A_REASON_QUOTA]);
	if (a[HOLDFAST_A_REASON_WHERE])
		r->where = u32_of(a[HOLDFAST_A_REASON_WHERE]);
	r->measured = (int64_t)u64_of(a[HOLDFAST_A_REASON_MEASURED]);
	r->bound = (int64_t)u64_of(a[HOLDFAST_A_REASON_BOUND]);
}

int hf_nl_parse_array(struct nlmsghdr *nlh, struct hf_nl_array *out)
{
	struct nlattr *a[HOLDFAST_A_ARRAY_MAX + 1];

	if (genlmsg_parse(nlh, 0, a, HOLDFAST_A_ARRAY_MAX, NULL) < 0 ||
	    !a[HOLDFAST_A_ARRAY_INDEX] || !a[HOLDFAST_A_ARRAY_INSTANCE])
		return -EPROTO;
	out->index = u32_of(a[HOLDFAST_A_ARRAY_INDEX]);
	out->instance = u64_of(a[HOLDFAST_A_ARRAY_INSTANCE]);
	out->event_seq = u64_of(a[HOLDFAST_A_ARRAY_EVENT_SEQ]);
	return 0;
}

int hf_nl_parse_event(struct nlmsghdr *nlh, struct holdfast_event *e)
{
	struct nlattr *a[HOLDFAST_A_EVENT_MAX + 1];

	if (genlmsg_parse(nlh, 0, a, HOLDFAST_A_EVENT_MAX, NULL) < 0 ||
	    !a[HOLDFAST_A_EVENT_INDEX] || !a[HOLDFAST_A_EVENT_INSTANCE] ||
	    !a[HOLDFAST_A_EVENT_SEQ] || !a[HOLDFAST_A_EVENT_TYPE])
		return -EPROTO;
	memset(e, 0, sizeof(*e));
	e->array = u32_of(a[HOLDFAST_A_EVENT_INDEX]);
	e->instance = u64_of(a[HOLDFAST_A_EVENT_INSTANCE]);
	e->seq = u64_of(a[HOLDFAST_A_EVENT_SEQ]);
	e->lost = u64_of(a[HOLDFAST_A_EVENT_LOST]);
	e->time_ns = u64_of(a[HOLDFAST_A_EVENT_TIME_NS]);
	e->real_ns = u64_of(a[HOLDFAST_A_EVENT_REAL_NS]);
	e->type = u32_of(a[HOLDFAST_A_EVENT_TYPE]);
	e->detail = u32_of(a[HOLDFAST_A_EVENT_DETAIL]);
	e->severity = u32_of(a[HOLDFAST_A_EVENT_SEVERITY]);
	e->cause = u32_of(a[HOLDFAST_A_EVENT_CAUSE]);
	e->state = u32_of(a[HOLDFAST_A_EVENT_STATE]);
	e->epoch = u64_of(a[HOLDFAST_A_EVENT_EPOCH]);
	e->lease = u64_of(a[HOLDFAST_A_EVENT_LEASE]);
	e->tenant = u64_of(a[HOLDFAST_A_EVENT_TENANT]);
	e->count = u32_of(a[HOLDFAST_A_EVENT_COUNT]);
	reason_of(a[HOLDFAST_A_EVENT_REASON], &e->reason);
	e->pid = (int32_t)u32_of(a[HOLDFAST_A_EVENT_PID]);
	e->uid = a[HOLDFAST_A_EVENT_UID] ? u32_of(a[HOLDFAST_A_EVENT_UID]) : (uint32_t)-1;
	string_of(a[HOLDFAST_A_EVENT_COMM], e->comm, sizeof(e->comm));
	if (a[HOLDFAST_A_EVENT_CORR] &&
	    nla_len(a[HOLDFAST_A_EVENT_CORR]) == (int)sizeof(e->corr))
		memcpy(e->corr, nla_data(a[HOLDFAST_A_EVENT_CORR]), sizeof(e->corr));
	return 0;
}

static void sensor_in(struct nlattr *nest, struct holdfast_status *st)
{
	struct nlattr *a[HOLDFAST_A_SENSOR_MAX + 1];
	struct holdfast_sample *s;
	uint32_t i;

	if (nla_parse_nested(a, HOLDFAST_A_SENSOR_MAX, nest, NULL) < 0)
		return;
	i = u32_of(a[HOLDFAST_A_SENSOR_INDEX]);
	if (i >= HOLDFAST_MAX_SENSORS)
		return;
	s = &st->sensor[i];
	s->kind = u32_of(a[HOLDFAST_A_SENSOR_KIND]);
	s->valid = a[HOLDFAST_A_SENSOR_VALUE] &&
		   u32_of(a[HOLDFAST_A_SENSOR_FAULT]) == HOLDFAST_SENSOR_FAULT_OK;
	s->value = (int64_t)u64_of(a[HOLDFAST_A_SENSOR_VALUE]);
	s->time_ns = u64_of(a[HOLDFAST_A_SENSOR_TIME_NS]);
	if (i >= st->sensors)
		st->sensors = i + 1;
}

static void fence_in(struct nlattr *nest, struct holdfast_status *st)
{
	struct nlattr *a[HOLDFAST_A_FENCE_MAX + 1];
	uint32_t i;

	if (nla_parse_nested(a, HOLDFAST_A_FENCE_MAX, nest, NULL) < 0)
		return;
	i = u32_of(a[HOLDFAST_A_FENCE_INDEX]);
	if (i >= HOLDFAST_MAX_FENCE)
		return;
	st->fence_mpa[i] = u32_of(a[HOLDFAST_A_FENCE_PRESSURE_MPA]);
	st->fence_dose[i] = u64_of(a[HOLDFAST_A_FENCE_DOSE]);
	if (i >= st->fences)
		st->fences = i + 1;
}

static void counters_in(struct nlattr **a, struct holdfast_status *st)
{
	st->frames_admitted = u64_of(a[HOLDFAST_A_STATUS_FRAMES_ADMITTED]);
	st->frames_attenuated = u64_of(a[HOLDFAST_A_STATUS_FRAMES_ATTENUATED]);
	st->frames_rejected = u64_of(a[HOLDFAST_A_STATUS_FRAMES_REJECTED]);
	st->frames_malformed = u64_of(a[HOLDFAST_A_STATUS_FRAMES_MALFORMED]);
	st->emit_ns = u64_of(a[HOLDFAST_A_STATUS_EMIT_NS]);
	st->tick = u64_of(a[HOLDFAST_A_STATUS_TICK]);
	st->tick_late_max_ns = u64_of(a[HOLDFAST_A_STATUS_TICK_LATE_MAX_NS]);
	st->leases = u32_of(a[HOLDFAST_A_STATUS_LEASES]);
	st->trips = u32_of(a[HOLDFAST_A_STATUS_TRIP_COUNT]);
}

int hf_nl_parse_status(struct nlmsghdr *nlh, uint32_t *index, struct holdfast_status *st)
{
	struct nlattr *a[HOLDFAST_A_STATUS_MAX + 1], *i;
	int rem;

	if (genlmsg_parse(nlh, 0, a, HOLDFAST_A_STATUS_MAX, NULL) < 0 ||
	    !a[HOLDFAST_A_STATUS_INDEX] || !a[HOLDFAST_A_STATUS_STATE])
		return -EPROTO;
	memset(st, 0, sizeof(*st));
	*index = u32_of(a[HOLDFAST_A_STATUS_INDEX]);
	st->size = sizeof(*st);
	st->instance = u64_of(a[HOLDFAST_A_STATUS_INSTANCE]);
	st->time_ns = u64_of(a[HOLDFAST_A_STATUS_TIME_NS]);
	st->state = u32_of(a[HOLDFAST_A_STATUS_STATE]);
	st->epoch = u64_of(a[HOLDFAST_A_STATUS_EPOCH]);
	st->event_seq = u64_of(a[HOLDFAST_A_STATUS_EVENT_SEQ]);
	st->sealed = u8_of(a[HOLDFAST_A_STATUS_SEALED]);
	st->cap_q16 = u32_of(a[HOLDFAST_A_STATUS_CAP_Q16]);
	st->derated = u8_of(a[HOLDFAST_A_STATUS_DERATED]);
	st->power_uw = u64_of(a[HOLDFAST_A_STATUS_POWER_UW]);
	st->power_avg_uw = u64_of(a[HOLDFAST_A_STATUS_POWER_AVG_UW]);
	st->chan_rise_mk = u32_of(a[HOLDFAST_A_STATUS_CHAN_RISE_MK]);
	st->array_rise_mk = u32_of(a[HOLDFAST_A_STATUS_ARRAY_RISE_MK]);
	st->trip_cause = u32_of(a[HOLDFAST_A_STATUS_TRIP_CAUSE]);
	st->trip_severity = u32_of(a[HOLDFAST_A_STATUS_TRIP_SEVERITY]);
	counters_in(a, st);
	reason_of(NULL, &st->trip_reason);
	reason_of(a[HOLDFAST_A_STATUS_LAST_REJECT], &st->last_reject);
	reason_of(a[HOLDFAST_A_STATUS_NEAREST], &st->nearest);
	nlmsg_for_each_attr(i, nlh, GENL_HDRLEN, rem) {
		if (nla_type(i) == HOLDFAST_A_STATUS_SENSOR)
			sensor_in(i, st);
		else if (nla_type(i) == HOLDFAST_A_STATUS_FENCE)
			fence_in(i, st);
	}
	return 0;
}
