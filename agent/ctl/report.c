// SPDX-License-Identifier: GPL-2.0
/*
 * Reasons, trips and events as JSON and as lines. Field names are an
 * interface: they carry their unit and stay (docs/man/holdfastctl.1).
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"

int ctl_json_print(json_t *j, bool indent)
{
	int ret = json_dumpf(j, stdout, JSON_ENCODE_ANY | (indent ? JSON_INDENT(2) : JSON_COMPACT));

	json_decref(j);
	putchar('\n');
	fflush(stdout);
	return ret ? ctl_fail(-EIO, "standard output") : CTL_OK;
}

const char *ctl_json_key(const char *name, const char *unit, char *buf, size_t len)
{
	size_t n = (size_t)snprintf(buf, len, "%s_", name);

	for (; *unit && n + 5 < len; unit++) {
		if (*unit == '/') {
			memcpy(buf + n, "_per_", 5);
			n += 5;
		} else {
			buf[n++] = (char)tolower((unsigned char)*unit);
		}
	}
	buf[n] = '\0';
	return buf;
}

json_t *ctl_json_reason(const struct holdfast_reason *r)
{
	const struct holdfast_limit_desc *d = holdfast_limit_desc(r->limit);
	char text[HOLDFAST_TEXT_LEN];
	json_t *j;

	if (r->limit == HOLDFAST_LIM_NONE)
		return json_null();
	j = json_pack("{s:s, s:I, s:I, s:s, s:s}", "limit", holdfast_limit_name(r->limit),
		      "measured", (json_int_t)r->measured, "bound", (json_int_t)r->bound,
		      "unit", d ? d->unit : "",
		      "text", holdfast_strerror_reason(r, text, sizeof(text)));
	if (j)
		json_object_set_new(j, "where", r->where == HOLDFAST_NOWHERE ? json_null() :
							json_integer(r->where));
	return j;
}

const char *ctl_corr(const uint8_t *corr, char *buf)
{
	bool any = false;

	buf[0] = '\0';
	for (size_t i = 0; i < HOLDFAST_CORR_LEN; i++)
		any = any || corr[i];
	for (size_t i = 0; any && i < HOLDFAST_CORR_LEN; i++)
		snprintf(buf + 2 * i, 3, "%02x", corr[i]);
	return buf;
}

json_t *ctl_json_corr(const uint8_t *corr)
{
	char buf[CTL_CORR_LEN];

	return *ctl_corr(corr, buf) ? json_string(buf) : json_null();
}

json_t *ctl_json_trip(const struct holdfast_trip *t)
{
	char text[HOLDFAST_TEXT_LEN], comm[HOLDFAST_COMM_LEN + 1] = "";

	if (t->cause == HOLDFAST_CAUSE_NONE)
		return json_null();
	memcpy(comm, t->comm, sizeof(t->comm));
	return json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:I, s:s#, s:b, s:I, s:o, s:s}",
			 "cause", holdfast_cause_name(t->cause),
			 "severity", holdfast_severity_name(t->severity),
			 "state_before", holdfast_state_name(t->state_before),
			 "reason", ctl_json_reason(&t->reason),
			 "event_seq", (json_int_t)t->event_seq,
			 "onset_ns", (json_int_t)t->onset_ns,
			 "detect_ns", (json_int_t)t->detect_ns,
			 "silence_ns", (json_int_t)t->silence_ns,
			 "real_ns", (json_int_t)t->real_ns, "epoch", (json_int_t)t->epoch,
			 "lease", (json_int_t)t->lease, "tenant", (json_int_t)t->tenant,
			 "cookie", (json_int_t)t->cookie, "pid", (int)t->pid,
			 "uid", (json_int_t)t->uid, "comm", comm, (int)strlen(comm),
			 "confirmed", t->confirmed != 0, "count", (json_int_t)t->count,
			 "corr", ctl_json_corr(t->corr),
			 "text", holdfast_strerror_trip(t, text, sizeof(text)));
}

/* 64 random bits: more than a JSON number can be trusted with. */
const char *ctl_instance(uint64_t instance, char *buf)
{
	snprintf(buf, CTL_INSTANCE_LEN, "%016" PRIx64, instance);
	return buf;
}

json_t *ctl_json_event(const struct holdfast_event *e)
{
	char instance[CTL_INSTANCE_LEN];

	return json_pack("{s:I, s:I, s:I, s:b, s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:i, s:I, s:s, s:o}",
			 "array", (json_int_t)e->array, "seq", (json_int_t)e->seq,
			 "lost", (json_int_t)e->lost, "restarted", (int)e->restarted,
			 "instance", ctl_instance(e->instance, instance),
			 "time_ns", (json_int_t)e->time_ns, "real_ns", (json_int_t)e->real_ns,
			 "type", holdfast_event_type_name(e->type),
			 "detail", holdfast_detail_name(e->detail),
			 "severity", holdfast_severity_name(e->severity),
			 "cause", holdfast_cause_name(e->cause),
			 "state", holdfast_state_name(e->state),
			 "epoch", (json_int_t)e->epoch, "lease", (json_int_t)e->lease,
			 "tenant", (json_int_t)e->tenant, "count", (json_int_t)e->count,
			 "reason", ctl_json_reason(&e->reason), "pid", (int)e->pid,
			 "uid", (json_int_t)e->uid, "comm", e->comm,
			 "corr", ctl_json_corr(e->corr));
}

void ctl_event_print(const struct holdfast_event *e)
{
	char when[48], text[HOLDFAST_TEXT_LEN], corr[CTL_CORR_LEN];

	if (e->restarted)
		puts("-- the array was registered anew --");
	if (e->lost)
		printf("-- %" PRIu64 " events lost --\n", e->lost);
	printf("%s #%" PRIu64 " %s %s", ctl_time(e->real_ns, when, sizeof(when)), e->seq,
	       holdfast_severity_name(e->severity), holdfast_event_type_name(e->type));
	if (e->detail)
		printf(" %s", holdfast_detail_name(e->detail));
	if (e->cause)
		printf(" %s", holdfast_cause_name(e->cause));
	if (e->count)
		printf(" count %" PRIu32, e->count);
	if (e->reason.limit != HOLDFAST_LIM_NONE)
		printf(": %s", holdfast_strerror_reason(&e->reason, text, sizeof(text)));
	printf(" [%s", holdfast_state_name(e->state));
	if (e->lease)
		printf(", lease %" PRIu64, e->lease);
	if (e->pid)
		printf(", pid %" PRId32 " %.*s", e->pid, HOLDFAST_COMM_LEN, e->comm);
	if (*ctl_corr(e->corr, corr))
		printf(", request %s", corr);
	puts("]");
	fflush(stdout);
}
