/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sensors: is a reading believable, and what does it ask for? A lost, stale,
 * stuck or implausible sensor that the nameplate has is a fault, never a value.
 */
#ifndef HF_SENSORS_H
#define HF_SENSORS_H

#include "nameplate.h"

enum hf_sensor_fault {
	HF_SENSOR_OK = 0,
	HF_SENSOR_LOST,
	HF_SENSOR_STALE,	/* by time only, see hf_sensor_state */
	HF_SENSOR_STUCK,
	HF_SENSOR_IMPLAUSIBLE,
};

#define HF_SENSOR_GOOD_TO_CLEAR	3

/* As read from hardware. */
struct hf_raw_sample {
	bool present;	/* false: hardware has no reading */
	s64 value;
	u64 time_ns;	/* when the hardware took it; must move forward */
};

struct hf_sensor {
	enum hf_sensor_fault fault;
	bool seen;	/* there has been a believable value */
	bool sampled;	/* there has been a reading at all */
	u32 good;	/* believable readings in a row since the fault */
	u64 fault_ns;	/* when the fault was found */
	s64 value;	/* last believable value */
	u64 time_ns;	/* of that value; before the first: when supervision began */
	s64 last_raw;
	u64 raw_ns;	/* time of last_raw */
	u32 same;	/* equal samples in a row */
	s64 rate_ref;	/* start of the rate-of-rise window */
	u64 rate_ref_ns;	/* 0: no window open */
	s64 rate_per_s;	/* over a window of at least 1 s */
	u64 over_since_ns;	/* CURRENT only: above its limit since; 0 = not */
};

struct hf_sensors {
	u32 count;
	struct hf_sensor s[HF_MAX_SENSORS];
};

/* Age of @then_ns, 0 if it is not past yet. */
static inline u64 hf_since(u64 now_ns, u64 then_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

void hf_sensors_init(struct hf_sensors *st, const struct hf_nameplate *np, u64 now_ns);

/*
 * Takes in one reading. A reading whose time does not move forward is no new
 * reading (it goes stale by time, see hf_sensors_judge). One implausible or
 * absent reading is a fault at once; the fault clears when 3 believable
 * readings in a row have come.
 */
void hf_sensor_take(struct hf_sensors *st, const struct hf_nameplate *np,
		    const struct hf_envelope *env, u32 index, const struct hf_raw_sample *raw,
		    u64 now_ns);

/*
 * State of one sensor at @now_ns: its fault, LOST before its first believable
 * reading, STALE when that of the last one is longer ago than SENSOR_STALE.
 * Its value may be shown only if this is HF_SENSOR_OK.
 */
enum hf_sensor_fault hf_sensor_state(const struct hf_sensor *s, const struct hf_envelope *env,
				     u64 now_ns);

/* What the sensors ask for. */
enum hf_sensor_demand {
	HF_DEMAND_NONE = 0,
	HF_DEMAND_LOST, HF_DEMAND_STALE, HF_DEMAND_STUCK, HF_DEMAND_IMPLAUSIBLE,
	HF_DEMAND_TEMP_CRIT, HF_DEMAND_TEMP_EMERG, HF_DEMAND_TEMP_RATE,
	HF_DEMAND_SUPPLY_UNDER, HF_DEMAND_SUPPLY_OVER,
	HF_DEMAND_CURRENT_OVER, HF_DEMAND_FAN_FAILED,
};

struct hf_sensor_verdict {
	enum hf_sensor_demand demand;	/* the most severe; NONE: no trip */
	struct hf_reason reason;
	u64 onset_ns;		/* time of the sample or the missed deadline */
	u32 derate_q16;		/* amplitude cap factor from TEMP_WARN..TEMP_CRIT, 65536 = none */
	u32 warn_sensor;	/* sensor behind the derating, HF_NOWHERE if none */
};

/*
 * Judges all sensors against @env at @now_ns. Pure. Order of severity:
 * TEMP_EMERG first, then the other thresholds, then faults in sensor order.
 * The derating falls linearly from 65536 at TEMP_WARN to derate_floor_q16 at
 * TEMP_CRIT.
 */
void hf_sensors_judge(const struct hf_sensors *st, const struct hf_nameplate *np,
		      const struct hf_envelope *env, u64 now_ns, struct hf_sensor_verdict *out);

#endif /* HF_SENSORS_H */
