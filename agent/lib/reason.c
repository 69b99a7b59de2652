// SPDX-License-Identifier: GPL-2.0
/*
 * Reasons and trips as sentences for people. No decisions here, and nothing
 * that another program should parse: it has the numbers.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

int hf_say(char *text, int err, const char *fmt, ...)
{
	va_list ap;

	if (!text)
		return err;
	va_start(ap, fmt);
	vsnprintf(text, HOLDFAST_TEXT_LEN, fmt, ap);
	va_end(ap);
	return err;
}

/* What reason.where counts for a limit, with what was measured; NULL: nothing. */
static const char *place_of(uint32_t limit)
{
	switch (limit) {
	case HOLDFAST_LIM_AMP_CAP:
	case HOLDFAST_LIM_DRIVE_DUTY:
	case HOLDFAST_LIM_SLEW_PHASE:
	case HOLDFAST_LIM_SLEW_AMP:
	case HOLDFAST_LIM_CHAN_RISE:
		return "channel";
	case HOLDFAST_LIM_TEMP_WARN:
	case HOLDFAST_LIM_TEMP_CRIT:
	case HOLDFAST_LIM_TEMP_EMERG:
	case HOLDFAST_LIM_TEMP_RATE:
	case HOLDFAST_LIM_SUPPLY_MIN:
	case HOLDFAST_LIM_SUPPLY_MAX:
	case HOLDFAST_LIM_CURRENT:
	case HOLDFAST_LIM_CURRENT_TIME:
	case HOLDFAST_LIM_FAN_MIN:
	case HOLDFAST_LIM_SENSOR_STALE:
		return "sensor";
	case HOLDFAST_LIM_FENCE_PRESSURE:
	case HOLDFAST_LIM_DOSE:
		return "fence point";
	case HOLDFAST_LIM_SURFACE_MEAN:
		return "surface point";
	case HOLDFAST_LIM_FOCAL_PRESSURE:
	case HOLDFAST_LIM_BOX_MIN_X ... HOLDFAST_LIM_BOX_MAX_Z:
		return "focus";
	default:
		return NULL;
	}
}

/* "fence point 3", "focus 0 box_min_z", "power_avg" */
static void subject_print(const struct holdfast_reason *r, char *buf, size_t len)
{
	const char *place = place_of(r->limit);
	const char *name = holdfast_limit_name(r->limit);

	if (r->where == HOLDFAST_NOWHERE || !place)
		snprintf(buf, len, "%s", name);
	else if (r->limit == HOLDFAST_LIM_FENCE_PRESSURE)
		snprintf(buf, len, "%s %" PRIu32, place, r->where);
	else
		snprintf(buf, len, "%s %" PRIu32 " %s", place, r->where, name);
}

char *holdfast_strerror_reason(const struct holdfast_reason *r, char *buf, size_t len)
{
	const struct holdfast_limit_desc *d = holdfast_limit_desc(r->limit);
	char subject[64], measured[48], bound[48];

	if (r->limit == HOLDFAST_LIM_NONE) {
		snprintf(buf, len, "no limit");
		return buf;
	}
	if (!d) {
		snprintf(buf, len, "limit %" PRIu32 ": %" PRId64 " against %" PRId64, r->limit,
			 (int64_t)r->measured, (int64_t)r->bound);
		return buf;
	}
	subject_print(r, subject, sizeof(subject));
	holdfast_value_print(r->measured, d->unit, measured, sizeof(measured));
	holdfast_value_print(r->bound, d->unit, bound, sizeof(bound));
	snprintf(buf, len, d->is_floor ? "%s: %s where at least %s is required" :
					 "%s: %s where %s is allowed",
		 subject, measured, bound);
	return buf;
}

char *holdfast_strerror_trip(const struct holdfast_trip *t, char *buf, size_t len)
{
	char why[HOLDFAST_TEXT_LEN];
	uint64_t took = t->silence_ns >= t->detect_ns ? t->silence_ns - t->detect_ns : 0;

	if (t->cause == HOLDFAST_CAUSE_NONE) {
		snprintf(buf, len, "never tripped");
		return buf;
	}
	why[0] = '\0';
	if (t->reason.limit != HOLDFAST_LIM_NONE)
		holdfast_strerror_reason(&t->reason, why, sizeof(why));
	snprintf(buf, len, "%s (%s)%s%s; outputs off %.3f ms after detection, %s",
		 holdfast_cause_name(t->cause), holdfast_severity_name(t->severity),
		 why[0] ? ": " : "", why, (double)took / 1e6,
		 t->confirmed ? "confirmed" : "commanded");
	return buf;
}
