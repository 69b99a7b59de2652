// SPDX-License-Identifier: GPL-2.0
/* Events into audit records (recorder.h). What they mean for leases is not known here. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "recorder.h"

void hf_recorder_init(struct hf_recorder *r, uint32_t index, uint64_t instance, const char *serial,
		      uint64_t durable_seq, const struct hf_peers *peers)
{
	memset(r, 0, sizeof(*r));
	r->index = index;
	r->instance = instance;
	r->durable_seq = r->last_seq = durable_seq;
	r->peers = peers;
	snprintf(r->serial, sizeof(r->serial), "%s", serial);
	for (size_t i = 0; i < HF_REC_FLIGHT; i++)
		r->flight[i].rec = r;
}

static struct holdfast_event *at(const struct hf_recorder *r, uint64_t n)
{
	return (struct holdfast_event *)&r->ring[n % HF_REC_EVENTS];
}

/* The oldest makes room; what was lost before it is lost with it. */
static void drop_oldest(struct hf_recorder *r)
{
	const struct holdfast_event *e = at(r, r->first);

	if (!r->drop_from)
		r->drop_from = e->seq - e->lost;
	r->drop_to = e->seq;
	r->dropped++;
	r->first++;
}

void hf_recorder_put(struct hf_recorder *r, const struct holdfast_event *e)
{
	if (e->seq <= r->last_seq)
		return;
	r->last_seq = e->seq;
	if (r->next - r->first == HF_REC_EVENTS)
		drop_oldest(r);
	*at(r, r->next) = *e;
	r->next++;
}

json_t *hf_plain_json(const char *s, size_t len)
{
	char plain[128];
	size_t n = 0;

	for (; n < len && n < sizeof(plain) && s[n]; n++)
		plain[n] = s[n] >= ' ' && s[n] <= '~' ? s[n] : '?';
	return json_stringn(plain, n);
}

json_t *hf_hex_json(uint64_t v)
{
	char text[17];

	snprintf(text, sizeof(text), "%016" PRIx64, v);
	return json_string(text);
}

json_t *hf_reason_json(const struct holdfast_reason *reason)
{
	char text[HOLDFAST_TEXT_LEN];

	if (reason->limit == HOLDFAST_LIM_NONE)
		return json_null();
	return json_pack(
		"{s:s, s:o, s:I, s:I, s:s}", "limit", holdfast_limit_name(reason->limit), "where",
		reason->where == HOLDFAST_NOWHERE ? json_null() : json_integer(reason->where),
		"measured", (json_int_t)reason->measured, "bound", (json_int_t)reason->bound,
		"text", holdfast_strerror_reason(reason, text, sizeof(text)));
}

json_t *hf_event_json(const struct holdfast_event *e, const char *tenant)
{
	json_t *j = json_pack("{s:I, s:o, s:I, s:s, s:s, s:s, s:s, s:I, s:I, s:o}",
			      "seq", (json_int_t)e->seq, "instance", hf_hex_json(e->instance),
			      "t_ns", (json_int_t)e->real_ns,
			      "type", holdfast_event_type_name(e->type),
			      "detail", holdfast_detail_name(e->detail),
			      "severity", holdfast_severity_name(e->severity),
			      "state", holdfast_state_name(e->state),
			      "epoch", (json_int_t)e->epoch, "count", (json_int_t)e->count,
			      "reason", hf_reason_json(&e->reason));

	if (!j)
		return NULL;
	if (e->cause)
		json_object_set_new(j, "cause", json_string(holdfast_cause_name(e->cause)));
	if (e->lease)
		json_object_set_new(j, "lease", json_integer((json_int_t)e->lease));
	if (e->tenant)
		json_object_set_new(j, "tenant",
				    tenant ? json_string(tenant) : hf_hex_json(e->tenant));
	if (e->pid) {
		json_object_set_new(j, "pid", json_integer(e->pid));
		json_object_set_new(j, "uid", json_integer(e->uid));
		json_object_set_new(j, "comm", hf_plain_json(e->comm, sizeof(e->comm)));
	}
	return j;
}

static struct hf_flight *flight_at(struct hf_recorder *r, uint64_t n)
{
	return &r->flight[n % HF_REC_FLIGHT];
}

static void take_gap(struct hf_recorder *r, uint64_t from, uint64_t to, const char *why)
{
	struct hf_flight *f = flight_at(r, r->tail++);

	*f = (struct hf_flight){ .state = HF_FLIGHT_READY, .why = why, .from = from, .to = to,
				 .rec = r };
}

/* The oldest event becomes a flight, after the gaps before it: at most three places. */
static void take(struct hf_recorder *r)
{
	const struct holdfast_event *e = at(r, r->first++);
	struct hf_flight *f;

	if (r->drop_from)
		take_gap(r, r->drop_from, r->drop_to, "keeper");
	r->drop_from = r->drop_to = 0;
	if (e->lost) {
		r->missed += e->lost;
		take_gap(r, e->seq - e->lost, e->seq - 1, "kernel");
	}
	f = flight_at(r, r->tail++);
	*f = (struct hf_flight){ .state = HF_FLIGHT_READY, .e = *e, .rec = r };
}

static void landed(void *arg, int status, const json_t *result)
{
	struct hf_flight *f = arg;
	struct hf_recorder *r = f->rec;
	bool durable = status == 200;

	(void)result;
	r->out--;
	f->state = durable ? HF_FLIGHT_DONE : HF_FLIGHT_READY;
	while (r->head != r->tail && flight_at(r, r->head)->state == HF_FLIGHT_DONE) {
		const struct hf_flight *done = flight_at(r, r->head++);

		r->durable_seq = done->why ? done->to : done->e.seq;
	}
	if (durable)
		hf_recorder_pump(r);
}

static int send(struct hf_recorder *r, struct hf_flight *f)
{
	char action[48], object[32];
	struct hf_corr corr;
	struct hf_record rec = {
		.actor = &hf_actor_self, .action = action, .object = object, .phase = "event",
		.result = "ok",
	};
	int ret;

	snprintf(object, sizeof(object), "array/%" PRIu32, r->index);
	if (f->why) {
		snprintf(action, sizeof(action), "kernel.gap");
		rec.detail = json_pack("{s:o, s:I, s:I, s:s}", "instance", hf_hex_json(r->instance),
				       "from_seq", (json_int_t)f->from, "to_seq", (json_int_t)f->to,
				       "lost_by", f->why);
	} else {
		snprintf(action, sizeof(action), "kernel.%s", holdfast_event_type_name(f->e.type));
		memcpy(corr.b, f->e.corr, sizeof(corr.b));
		rec.corr = hf_corr_none(&corr) ? NULL : &corr;
		rec.detail = hf_event_json(&f->e, r->tenant_name ?
					   r->tenant_name(r->arg, f->e.tenant) : NULL);
	}
	if (rec.detail)
		json_object_set_new(rec.detail, "serial",
				    hf_plain_json(r->serial, sizeof(r->serial)));
	ret = rec.detail ? r->peers->append(r->peers->arg, &rec, landed, f) : -ENOMEM;
	if (ret)
		return ret;
	f->state = HF_FLIGHT_SENT;
	r->out++;
	return 0;
}

static bool any_ready(struct hf_recorder *r)
{
	for (uint64_t n = r->head; n != r->tail; n++)
		if (flight_at(r, n)->state == HF_FLIGHT_READY)
			return true;
	return false;
}

static int send_ready(struct hf_recorder *r)
{
	int ret = 0;

	for (uint64_t n = r->head; n != r->tail && !ret; n++)
		if (flight_at(r, n)->state == HF_FLIGHT_READY)
			ret = send(r, flight_at(r, n));
	return ret;
}

/*
 * What is ready before anything was taken has failed: it goes again before
 * anything newer, and only when all answers have come, so that order is kept.
 */
void hf_recorder_pump(struct hf_recorder *r)
{
	if (any_ready(r) && (r->out || send_ready(r)))
		return;
	while (r->first != r->next && HF_REC_FLIGHT - (r->tail - r->head) >= 3) {
		take(r);
		if (send_ready(r))
			return;
	}
}

bool hf_recorder_idle(const struct hf_recorder *r)
{
	return r->first == r->next && r->head == r->tail;
}

uint64_t hf_recorder_pending(const struct hf_recorder *r)
{
	return r->next - r->first + r->tail - r->head;
}

size_t hf_recorder_copy(const struct hf_recorder *r, uint64_t after, struct holdfast_event *e,
			size_t room)
{
	uint64_t from = r->next > HF_REC_EVENTS ? r->next - HF_REC_EVENTS : 0;
	size_t n = 0;

	while (from < r->next && at(r, from)->seq <= after)
		from++;
	if (r->next - from > room)
		from = r->next - room;
	for (; from < r->next; from++)
		e[n++] = *at(r, from);
	return n;
}
