/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a hardware driver states about its array: geometry, wire resolution,
 * source strength, electrical and thermal constants, sensors, hardest limits.
 * Constant after registration.
 */
#ifndef HF_NAMEPLATE_H
#define HF_NAMEPLATE_H

#include "envelope.h"

struct hf_channel_pos {
	s32 x_um;
	s32 y_um;
	s32 z_um;
	s16 nx_q14;	/* unit normal, Q1.14 */
	s16 ny_q14;
	s16 nz_q14;
};

/* Calibration, applied before quantisation; it can only attenuate. */
struct hf_channel_cal {
	u16 phase_offset;	/* added, turn/65536 */
	u16 gain_q16;		/* 65535 = unity */
};

enum hf_sensor_kind { HF_SENSOR_TEMP, HF_SENSOR_SUPPLY, HF_SENSOR_CURRENT, HF_SENSOR_FAN };

struct hf_sensor_desc {
	enum hf_sensor_kind kind;
	s64 min;		/* plausible range; outside = implausible */
	s64 max;
	s64 max_step;		/* largest plausible change between two samples; 0 = not checked */
	u32 stuck_samples;	/* equal samples in a row that mean stuck; 0 = not checked */
	char label[32];
};

struct hf_nameplate {
	u32 channels;		/* 1..HF_MAX_CHANNELS */
	u32 phase_levels;	/* wire steps per turn, 2..4096 */
	u32 amp_levels;		/* wire steps above off, 1..4096; 1 = on/off */
	u64 p0_safety_upam;	/* worst-case source strength, uPa m peak at full drive */
	u64 p0_nominal_upam;	/* for prediction, never for a check */
	u32 wavelength_nm;	/* at the speed of sound that the field uses */
	u32 aperture_um;	/* piston radius for the directivity; 0 = omnidirectional (safe) */
	u32 field_tol_q16;	/* model uncertainty: share of S added to the error bound */
	u64 p_drive_uw;		/* per channel that is on, whatever its amplitude */
	u64 p_acoustic_uw;	/* per channel at full amplitude, scales with a^2 */
	u32 rth_chan_mk_per_w;	/* modelled rise of a channel per W in it */
	u32 tau_chan_ms;
	u32 rth_array_mk_per_w;	/* modelled rise of the array per W in all */
	u32 tau_array_ms;
	u32 tau_power_ms;	/* averaging of POWER_AVG */
	u32 derate_floor_q16;	/* amplitude cap factor left at TEMP_CRIT, 0..65536 */
	u32 sensors;
	struct hf_sensor_desc sensor[HF_MAX_SENSORS];
	struct hf_envelope limits;
	struct hf_channel_pos pos[HF_MAX_CHANNELS];
	struct hf_channel_cal cal[HF_MAX_CHANNELS];
};

/*
 * Ends of the ranges. They are what keeps the arithmetic of the rules from
 * overflowing (docs/models.md has the sums), and far beyond any real array.
 */
#define HF_POS_REACH_UM		10000000	/* +-10 m */
#define HF_P0_MAX_UPAM		20000000	/* 20 Pa m */
#define HF_WAVELENGTH_MIN_NM	1000000		/* 1 mm, 343 kHz in air */
#define HF_WAVELENGTH_MAX_NM	100000000	/* 100 mm, 3.4 kHz */
#define HF_APERTURE_MAX_UM	100000
#define HF_CHAN_POWER_MAX_UW	10000000	/* 10 W, for each of p_drive and p_acoustic */
#define HF_RTH_CHAN_MAX		10000000	/* mK/W */
#define HF_RTH_ARRAY_MAX	1000000		/* mK/W */
#define HF_TAU_MAX_MS		86400000	/* 1 day; all time constants, at least 1 ms */
#define HF_SENSOR_RANGE_MAX	1000000000	/* +-, of a sensor's plausible range */

/*
 * Is the nameplate whole and in range? Returns NULL, or a static text that
 * names the bad field. Besides the ranges above: 1 <= p0_nominal <= p0_safety;
 * k * aperture < 3.83 (the first null of the directivity, where a source would
 * seem silent); field_tol at most 1.0; normals of length 1 within 2 %; sensors
 * with min < max, a label, and stuck_samples 0 or >= 2; valid limits in
 * canonical form.
 */
const char *hf_nameplate_check(const struct hf_nameplate *np);

#endif /* HF_NAMEPLATE_H */
