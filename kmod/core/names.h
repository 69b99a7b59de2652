/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The words for enum values, one list per enum, for sysfs, uevents and
 * tracepoints. Words only: no meaning, no translation, no formatting.
 *
 * Every list has the form L(X, E): X(value, word) for each entry, E for the last.
 */
#ifndef HF_NAMES_H
#define HF_NAMES_H

#include "holdfast.h"
#include "holdfast_netlink.h"

#define HF_STATE_WORDS(X, E) \
	X(HOLDFAST_STATE_SILENT,	"silent") \
	X(HOLDFAST_STATE_ARMED,		"armed") \
	X(HOLDFAST_STATE_EMITTING,	"emitting") \
	E(HOLDFAST_STATE_TRIPPED,	"tripped")

#define HF_VERDICT_WORDS(X, E) \
	X(HOLDFAST_VERDICT_ADMIT,	"admit") \
	X(HOLDFAST_VERDICT_ATTENUATE,	"attenuate") \
	X(HOLDFAST_VERDICT_REJECT,	"reject") \
	E(HOLDFAST_VERDICT_QUEUED,	"queued")

#define HF_SEVERITY_WORDS(X, E) \
	X(HOLDFAST_SEV_INFO,		"info") \
	X(HOLDFAST_SEV_WARNING,		"warning") \
	X(HOLDFAST_SEV_CRITICAL,	"critical") \
	E(HOLDFAST_SEV_EMERGENCY,	"emergency")

#define HF_CAUSE_WORDS(X, E) \
	X(HOLDFAST_CAUSE_NONE,		"none") \
	X(HOLDFAST_CAUSE_OPERATOR,	"operator") \
	X(HOLDFAST_CAUSE_KEEPER_DEADLINE, "keeper-deadline") \
	X(HOLDFAST_CAUSE_GOVERNOR_LATE,	"governor-late") \
	X(HOLDFAST_CAUSE_SENSOR_THREAD,	"sensor-thread") \
	X(HOLDFAST_CAUSE_TEMP_CRIT,	"temp-crit") \
	X(HOLDFAST_CAUSE_TEMP_EMERG,	"temp-emerg") \
	X(HOLDFAST_CAUSE_TEMP_RATE,	"temp-rate") \
	X(HOLDFAST_CAUSE_SUPPLY_UNDER,	"supply-under") \
	X(HOLDFAST_CAUSE_SUPPLY_OVER,	"supply-over") \
	X(HOLDFAST_CAUSE_CURRENT_OVER,	"current-over") \
	X(HOLDFAST_CAUSE_FAN_FAILED,	"fan-failed") \
	X(HOLDFAST_CAUSE_SENSOR_LOST,	"sensor-lost") \
	X(HOLDFAST_CAUSE_SENSOR_STALE,	"sensor-stale") \
	X(HOLDFAST_CAUSE_SENSOR_STUCK,	"sensor-stuck") \
	X(HOLDFAST_CAUSE_SENSOR_IMPLAUSIBLE, "sensor-implausible") \
	X(HOLDFAST_CAUSE_REJECT_BURST,	"reject-burst") \
	X(HOLDFAST_CAUSE_POWER_MODEL,	"power-model") \
	X(HOLDFAST_CAUSE_THERMAL_MODEL,	"thermal-model") \
	X(HOLDFAST_CAUSE_DOSE,		"dose") \
	X(HOLDFAST_CAUSE_LINK_LOST,	"link-lost") \
	X(HOLDFAST_CAUSE_LINK_FAULT,	"link-fault") \
	X(HOLDFAST_CAUSE_SILENCE_UNCONFIRMED, "silence-unconfirmed") \
	X(HOLDFAST_CAUSE_SELF_TEST,	"self-test") \
	X(HOLDFAST_CAUSE_HW_DEADMAN,	"hw-deadman") \
	X(HOLDFAST_CAUSE_HW_REMOVED,	"hw-removed") \
	X(HOLDFAST_CAUSE_SUSPEND,	"suspend") \
	X(HOLDFAST_CAUSE_REBOOT,	"reboot") \
	X(HOLDFAST_CAUSE_PANIC,		"panic") \
	X(HOLDFAST_CAUSE_OOPS,		"oops") \
	E(HOLDFAST_CAUSE_INTERNAL,	"internal")

#define HF_SENSOR_KIND_WORDS(X, E) \
	X(HOLDFAST_SENSOR_TEMP,		"temp") \
	X(HOLDFAST_SENSOR_SUPPLY,	"supply") \
	X(HOLDFAST_SENSOR_CURRENT,	"current") \
	E(HOLDFAST_SENSOR_FAN,		"fan")

#define HF_SENSOR_FAULT_WORDS(X, E) \
	X(HOLDFAST_SENSOR_FAULT_OK,	"ok") \
	X(HOLDFAST_SENSOR_FAULT_LOST,	"lost") \
	X(HOLDFAST_SENSOR_FAULT_STALE,	"stale") \
	X(HOLDFAST_SENSOR_FAULT_STUCK,	"stuck") \
	E(HOLDFAST_SENSOR_FAULT_IMPLAUSIBLE, "implausible")

#define HF_DETAIL_WORDS(X, E) \
	X(HOLDFAST_DETAIL_NONE,		"none") \
	X(HOLDFAST_DETAIL_ARMED,	"armed") \
	X(HOLDFAST_DETAIL_SILENCED,	"silenced") \
	X(HOLDFAST_DETAIL_RESTED,	"rested") \
	X(HOLDFAST_DETAIL_RESET,	"reset") \
	X(HOLDFAST_DETAIL_EMITTING,	"emitting") \
	X(HOLDFAST_DETAIL_CLAIMED,	"claimed") \
	X(HOLDFAST_DETAIL_CLOSED,	"closed") \
	X(HOLDFAST_DETAIL_CREATED,	"created") \
	X(HOLDFAST_DETAIL_REVOKED,	"revoked") \
	X(HOLDFAST_DETAIL_EXPIRED,	"expired") \
	X(HOLDFAST_DETAIL_SET,		"set") \
	X(HOLDFAST_DETAIL_TIGHTENED,	"tightened") \
	X(HOLDFAST_DETAIL_FENCE,	"fence") \
	X(HOLDFAST_DETAIL_SPENT,	"spent") \
	E(HOLDFAST_DETAIL_BURST,	"burst")

/* Each gives "unknown" for a value that has no word, never NULL. */
const char *hf_word_state(u32 v);
const char *hf_word_severity(u32 v);
const char *hf_word_cause(u32 v);

#endif /* HF_NAMES_H */
