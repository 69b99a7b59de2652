// SPDX-License-Identifier: GPL-2.0
/*
 * The words for the numbers of the UAPI: the same as the driver's in sysfs and
 * tracepoints (kmod/core/names.h). Words only, no sentences.
 */
#include <errno.h>
#include <string.h>

#include "holdfast_netlink.h"
#include "internal.h"

#define HF_COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static const char *word(const char *const *words, size_t n, uint32_t v)
{
	return v < n && words[v] ? words[v] : "unknown";
}

const char *holdfast_state_name(uint32_t state)
{
	static const char *const words[] = {
		[HOLDFAST_STATE_SILENT] = "silent",
		[HOLDFAST_STATE_ARMED] = "armed",
		[HOLDFAST_STATE_EMITTING] = "emitting",
		[HOLDFAST_STATE_TRIPPED] = "tripped",
	};

	return word(words, HF_COUNT(words), state);
}

const char *holdfast_verdict_name(uint32_t verdict)
{
	static const char *const words[] = {
		[HOLDFAST_VERDICT_ADMIT] = "admit",
		[HOLDFAST_VERDICT_ATTENUATE] = "attenuate",
		[HOLDFAST_VERDICT_REJECT] = "reject",
		[HOLDFAST_VERDICT_QUEUED] = "queued",
	};

	return word(words, HF_COUNT(words), verdict);
}

const char *holdfast_severity_name(uint32_t severity)
{
	static const char *const words[] = {
		[HOLDFAST_SEV_INFO] = "info",
		[HOLDFAST_SEV_WARNING] = "warning",
		[HOLDFAST_SEV_CRITICAL] = "critical",
		[HOLDFAST_SEV_EMERGENCY] = "emergency",
	};

	return word(words, HF_COUNT(words), severity);
}

const char *holdfast_cause_name(uint32_t cause)
{
	static const char *const words[HOLDFAST_CAUSE_COUNT] = {
		[HOLDFAST_CAUSE_NONE] = "none",
		[HOLDFAST_CAUSE_OPERATOR] = "operator",
		[HOLDFAST_CAUSE_KEEPER_DEADLINE] = "keeper-deadline",
		[HOLDFAST_CAUSE_GOVERNOR_LATE] = "governor-late",
		[HOLDFAST_CAUSE_SENSOR_THREAD] = "sensor-thread",
		[HOLDFAST_CAUSE_TEMP_CRIT] = "temp-crit",
		[HOLDFAST_CAUSE_TEMP_EMERG] = "temp-emerg",
		[HOLDFAST_CAUSE_TEMP_RATE] = "temp-rate",
		[HOLDFAST_CAUSE_SUPPLY_UNDER] = "supply-under",
		[HOLDFAST_CAUSE_SUPPLY_OVER] = "supply-over",
		[HOLDFAST_CAUSE_CURRENT_OVER] = "current-over",
		[HOLDFAST_CAUSE_FAN_FAILED] = "fan-failed",
		[HOLDFAST_CAUSE_SENSOR_LOST] = "sensor-lost",
		[HOLDFAST_CAUSE_SENSOR_STALE] = "sensor-stale",
		[HOLDFAST_CAUSE_SENSOR_STUCK] = "sensor-stuck",
		[HOLDFAST_CAUSE_SENSOR_IMPLAUSIBLE] = "sensor-implausible",
		[HOLDFAST_CAUSE_REJECT_BURST] = "reject-burst",
		[HOLDFAST_CAUSE_POWER_MODEL] = "power-model",
		[HOLDFAST_CAUSE_THERMAL_MODEL] = "thermal-model",
		[HOLDFAST_CAUSE_DOSE] = "dose",
		[HOLDFAST_CAUSE_LINK_LOST] = "link-lost",
		[HOLDFAST_CAUSE_LINK_FAULT] = "link-fault",
		[HOLDFAST_CAUSE_SILENCE_UNCONFIRMED] = "silence-unconfirmed",
		[HOLDFAST_CAUSE_SELF_TEST] = "self-test",
		[HOLDFAST_CAUSE_HW_DEADMAN] = "hw-deadman",
		[HOLDFAST_CAUSE_HW_REMOVED] = "hw-removed",
		[HOLDFAST_CAUSE_SUSPEND] = "suspend",
		[HOLDFAST_CAUSE_REBOOT] = "reboot",
		[HOLDFAST_CAUSE_PANIC] = "panic",
		[HOLDFAST_CAUSE_OOPS] = "oops",
		[HOLDFAST_CAUSE_INTERNAL] = "internal",
	};

	return word(words, HF_COUNT(words), cause);
}

const char *holdfast_sensor_kind_name(uint32_t kind)
{
	static const char *const words[] = {
		[HOLDFAST_SENSOR_TEMP] = "temp",
		[HOLDFAST_SENSOR_SUPPLY] = "supply",
		[HOLDFAST_SENSOR_CURRENT] = "current",
		[HOLDFAST_SENSOR_FAN] = "fan",
	};

	return word(words, HF_COUNT(words), kind);
}

const char *holdfast_event_type_name(uint32_t type)
{
	static const char *const words[] = {
		[HOLDFAST_EVENT_STATE] = "state",
		[HOLDFAST_EVENT_TRIP] = "trip",
		[HOLDFAST_EVENT_DERATE] = "derate",
		[HOLDFAST_EVENT_ENVELOPE] = "envelope",
		[HOLDFAST_EVENT_SEAL] = "seal",
		[HOLDFAST_EVENT_KEEPER] = "keeper",
		[HOLDFAST_EVENT_LEASE] = "lease",
		[HOLDFAST_EVENT_REFUSED] = "refused",
		[HOLDFAST_EVENT_SELF_TEST] = "self-test",
		[HOLDFAST_EVENT_SILENCE_CONFIRMED] = "silence-confirmed",
		[HOLDFAST_EVENT_ADDED] = "added",
		[HOLDFAST_EVENT_REMOVED] = "removed",
		[HOLDFAST_EVENT_QUOTA] = "quota",
	};

	return word(words, HF_COUNT(words), type);
}

const char *holdfast_detail_name(uint32_t detail)
{
	static const char *const words[] = {
		[HOLDFAST_DETAIL_NONE] = "none",
		[HOLDFAST_DETAIL_ARMED] = "armed",
		[HOLDFAST_DETAIL_SILENCED] = "silenced",
		[HOLDFAST_DETAIL_RESTED] = "rested",
		[HOLDFAST_DETAIL_RESET] = "reset",
		[HOLDFAST_DETAIL_EMITTING] = "emitting",
		[HOLDFAST_DETAIL_CLAIMED] = "claimed",
		[HOLDFAST_DETAIL_CLOSED] = "closed",
		[HOLDFAST_DETAIL_CREATED] = "created",
		[HOLDFAST_DETAIL_REVOKED] = "revoked",
		[HOLDFAST_DETAIL_EXPIRED] = "expired",
		[HOLDFAST_DETAIL_SET] = "set",
		[HOLDFAST_DETAIL_TIGHTENED] = "tightened",
		[HOLDFAST_DETAIL_FENCE] = "fence",
		[HOLDFAST_DETAIL_SPENT] = "spent",
		[HOLDFAST_DETAIL_BURST] = "burst",
	};

	return word(words, HF_COUNT(words), detail);
}

#define CEIL(name, unit)	{ name, unit, false }
#define FLOOR(name, unit)	{ name, unit, true }

/* As kmod/rules/limits.h; tests/lib/test_words.c compares them. */
static const struct holdfast_limit_desc limits[HOLDFAST_LIM_COUNT] = {
	[HOLDFAST_LIM_AMP_CAP] = CEIL("amp_cap", "q16"),
	[HOLDFAST_LIM_DRIVE_DUTY] = CEIL("drive_duty", "q16"),
	[HOLDFAST_LIM_SLEW_PHASE] = CEIL("slew_phase", "turn/65536/ms"),
	[HOLDFAST_LIM_SLEW_AMP] = CEIL("slew_amp", "q16/ms"),
	[HOLDFAST_LIM_FRAME_INTERVAL] = FLOOR("frame_interval", "ns"),
	[HOLDFAST_LIM_POWER_INST] = CEIL("power_inst", "uW"),
	[HOLDFAST_LIM_POWER_AVG] = CEIL("power_avg", "uW"),
	[HOLDFAST_LIM_CHAN_RISE] = CEIL("chan_rise", "mK"),
	[HOLDFAST_LIM_ARRAY_RISE] = CEIL("array_rise", "mK"),
	[HOLDFAST_LIM_TEMP_WARN] = CEIL("temp_warn", "mC"),
	[HOLDFAST_LIM_TEMP_CRIT] = CEIL("temp_crit", "mC"),
	[HOLDFAST_LIM_TEMP_EMERG] = CEIL("temp_emerg", "mC"),
	[HOLDFAST_LIM_TEMP_RATE] = CEIL("temp_rate", "mK/s"),
	[HOLDFAST_LIM_SUPPLY_MIN] = FLOOR("supply_min", "mV"),
	[HOLDFAST_LIM_SUPPLY_MAX] = CEIL("supply_max", "mV"),
	[HOLDFAST_LIM_CURRENT] = CEIL("current", "mA"),
	[HOLDFAST_LIM_CURRENT_TIME] = CEIL("current_time", "ms"),
	[HOLDFAST_LIM_FAN_MIN] = FLOOR("fan_min", "rpm"),
	[HOLDFAST_LIM_FOCAL_PRESSURE] = CEIL("focal_pressure", "mPa"),
	[HOLDFAST_LIM_FENCE_PRESSURE] = CEIL("fence_pressure", "mPa"),
	[HOLDFAST_LIM_DOSE] = CEIL("dose", "Pa2s"),
	[HOLDFAST_LIM_BOX_MIN_X] = FLOOR("box_min_x", "um"),
	[HOLDFAST_LIM_BOX_MIN_Y] = FLOOR("box_min_y", "um"),
	[HOLDFAST_LIM_BOX_MIN_Z] = FLOOR("box_min_z", "um"),
	[HOLDFAST_LIM_BOX_MAX_X] = CEIL("box_max_x", "um"),
	[HOLDFAST_LIM_BOX_MAX_Y] = CEIL("box_max_y", "um"),
	[HOLDFAST_LIM_BOX_MAX_Z] = CEIL("box_max_z", "um"),
	[HOLDFAST_LIM_EMIT_MAX] = CEIL("emit_max", "ms"),
	[HOLDFAST_LIM_EMIT_REST] = FLOOR("emit_rest", "ms"),
	[HOLDFAST_LIM_EMIT_DUTY] = CEIL("emit_duty", "ppm"),
	[HOLDFAST_LIM_HOLD] = CEIL("hold", "ms"),
	[HOLDFAST_LIM_KEEPER_DEADLINE] = CEIL("keeper_deadline", "ms"),
	[HOLDFAST_LIM_SENSOR_STALE] = CEIL("sensor_stale", "ms"),
	[HOLDFAST_LIM_REJECT_BURST] = CEIL("reject_burst", "frames"),
	[HOLDFAST_LIM_REJECT_WINDOW] = FLOOR("reject_window", "ms"),
	[HOLDFAST_LIM_TRIP_DWELL] = FLOOR("trip_dwell", "ms"),
	[HOLDFAST_LIM_SILENCE_BOUND] = CEIL("silence_bound", "us"),
	[HOLDFAST_LIM_TICK_LATE] = CEIL("tick_late", "ms"),
	[HOLDFAST_LIM_SURFACE_MEAN] = CEIL("surface_mean", "mPa"),
};

/* As kmod/rules/quota.h. */
static const struct holdfast_limit_desc quotas[HOLDFAST_QUOTA_COUNT] = {
	[HOLDFAST_QUOTA_EMIT] = CEIL("quota_emit", "ms"),
	[HOLDFAST_QUOTA_ENERGY] = CEIL("quota_energy", "uJ"),
	[HOLDFAST_QUOTA_FRAMES] = CEIL("quota_frames", "frames"),
};

const struct holdfast_limit_desc *holdfast_limit_desc(uint32_t limit)
{
	if (limit >= HOLDFAST_LIM_QUOTA && limit - HOLDFAST_LIM_QUOTA < HOLDFAST_QUOTA_COUNT)
		return &quotas[limit - HOLDFAST_LIM_QUOTA];
	return limit < HOLDFAST_LIM_COUNT ? &limits[limit] : NULL;
}

const char *holdfast_limit_name(uint32_t limit)
{
	const struct holdfast_limit_desc *d = holdfast_limit_desc(limit);

	if (limit == HOLDFAST_LIM_NONE)
		return "none";
	return d ? d->name : "unknown";
}

int holdfast_limit_by_name(const char *name)
{
	for (int i = 0; i < HOLDFAST_LIM_COUNT; i++)
		if (!strcmp(limits[i].name, name))
			return i;
	return -ENOENT;
}
