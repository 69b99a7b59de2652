/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The limits there are: name, unit, sense and range of each, in one table.
 * No values of any particular array here.
 */
#ifndef HF_LIMITS_H
#define HF_LIMITS_H

#include "shim.h"

/*
 * X(NAME, name, unit, sense, min, max)
 * sense: CEIL (smaller is tighter) or FLOOR (larger is tighter). A ceiling at
 * its max and a floor at its min are the loosest values there are.
 * The order is ABI (enum holdfast_limit); core asserts that they agree.
 */
#define HF_LIMITS(X) \
	X(AMP_CAP,		amp_cap,	"q16",	CEIL,	0, 65535) \
	X(DRIVE_DUTY,		drive_duty,	"q16",	CEIL,	0, 32768) \
	X(SLEW_PHASE,		slew_phase,	"turn/65536/ms", CEIL, 1, 1000000000) \
	X(SLEW_AMP,		slew_amp,	"q16/ms", CEIL,	1, 1000000000) \
	X(FRAME_INTERVAL,	frame_interval,	"ns",	FLOOR,	1000, 10000000000LL) \
	X(POWER_INST,		power_inst,	"uW",	CEIL,	0, 10000000000LL) \
	X(POWER_AVG,		power_avg,	"uW",	CEIL,	0, 10000000000LL) \
	X(CHAN_RISE,		chan_rise,	"mK",	CEIL,	0, 200000) \
	X(ARRAY_RISE,		array_rise,	"mK",	CEIL,	0, 200000) \
	X(TEMP_WARN,		temp_warn,	"mC",	CEIL,	-40000, 150000) \
	X(TEMP_CRIT,		temp_crit,	"mC",	CEIL,	-40000, 150000) \
	X(TEMP_EMERG,		temp_emerg,	"mC",	CEIL,	-40000, 150000) \
	X(TEMP_RATE,		temp_rate,	"mK/s",	CEIL,	1, 1000000) \
	X(SUPPLY_MIN,		supply_min,	"mV",	FLOOR,	0, 1000000) \
	X(SUPPLY_MAX,		supply_max,	"mV",	CEIL,	0, 1000000) \
	X(CURRENT,		current,	"mA",	CEIL,	0, 1000000) \
	X(CURRENT_TIME,		current_time,	"ms",	CEIL,	0, 60000) \
	X(FAN_MIN,		fan_min,	"rpm",	FLOOR,	0, 100000) \
	X(FOCAL_PRESSURE,	focal_pressure,	"mPa",	CEIL,	0, 4000000000LL) \
	X(FENCE_PRESSURE,	fence_pressure,	"mPa",	CEIL,	0, 4000000000LL) \
	X(DOSE,			dose,		"Pa2s",	CEIL,	0, 1000000000000000LL) \
	X(BOX_MIN_X,		box_min_x,	"um",	FLOOR,	-10000000, 10000000) \
	X(BOX_MIN_Y,		box_min_y,	"um",	FLOOR,	-10000000, 10000000) \
	X(BOX_MIN_Z,		box_min_z,	"um",	FLOOR,	-10000000, 10000000) \
	X(BOX_MAX_X,		box_max_x,	"um",	CEIL,	-10000000, 10000000) \
	X(BOX_MAX_Y,		box_max_y,	"um",	CEIL,	-10000000, 10000000) \
	X(BOX_MAX_Z,		box_max_z,	"um",	CEIL,	-10000000, 10000000) \
	X(EMIT_MAX,		emit_max,	"ms",	CEIL,	0, 31536000000LL) \
	X(EMIT_REST,		emit_rest,	"ms",	FLOOR,	0, 86400000) \
	X(EMIT_DUTY,		emit_duty,	"ppm",	CEIL,	0, 1000000) \
	X(HOLD,			hold,		"ms",	CEIL,	1, 3600000) \
	X(KEEPER_DEADLINE,	keeper_deadline, "ms",	CEIL,	50, 10000) \
	X(SENSOR_STALE,		sensor_stale,	"ms",	CEIL,	100, 60000) \
	X(REJECT_BURST,		reject_burst,	"frames", CEIL,	1, 1000000) \
	X(REJECT_WINDOW,	reject_window,	"ms",	FLOOR,	1, 60000) \
	X(TRIP_DWELL,		trip_dwell,	"ms",	FLOOR,	0, 3600000) \
	X(SILENCE_BOUND,	silence_bound,	"us",	CEIL,	0, 10000000) \
	X(TICK_LATE,		tick_late,	"ms",	CEIL,	1, 10000) \
	X(SURFACE_MEAN,		surface_mean,	"mPa",	CEIL,	0, 100000000)

enum hf_limit {
#define HF_X(NAME, name, unit, sense, lo, hi) HF_LIM_##NAME,
	HF_LIMITS(HF_X)
#undef HF_X
	HF_LIM_COUNT
};

#define HF_LIM_NONE 0xffffffffU
#define HF_LIM_QUOTA 256U	/* + enum hf_quota_kind, in reasons: see quota.h */

enum hf_sense { HF_CEIL, HF_FLOOR };

struct hf_limit_desc {
	const char *name;
	const char *unit;
	enum hf_sense sense;
	s64 min;
	s64 max;
};

extern const struct hf_limit_desc hf_limits[HF_LIM_COUNT];

/* Which limit, where, how much: see struct holdfast_reason. */
struct hf_reason {
	u32 limit;	/* enum hf_limit, a quota (HF_LIM_QUOTA) or HF_LIM_NONE */
	u32 where;	/* channel, fence point, focus or sensor; HF_NOWHERE */
	s64 measured;
	s64 bound;
};

static inline struct hf_reason hf_reason(u32 limit, u32 where, s64 measured, s64 bound)
{
	return (struct hf_reason){ limit, where, measured, bound };
}

static inline bool hf_reason_is_quota(const struct hf_reason *r)
{
	return r->limit >= HF_LIM_QUOTA && r->limit != HF_LIM_NONE;
}

#endif /* HF_LIMITS_H */
