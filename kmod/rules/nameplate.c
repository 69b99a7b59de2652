// SPDX-License-Identifier: GPL-2.0
/*
 * Checks what a hardware driver states about its array, once, at registration.
 * Everything else in the rules relies on it. No defaults and no repairs here.
 */
#include "nameplate.h"

/* 2 pi in 1e-6, rounded up, and the first zero of J1(x), x = 3.8317, rounded down. */
#define HF_TWO_PI_E6	6283186ULL
#define HF_KA_MAX_E2	383ULL

static const char *hf_check_wire(const struct hf_nameplate *np)
{
	if (np->channels < 1 || np->channels > HF_MAX_CHANNELS)
		return "channels";
	if (np->phase_levels < 2 || np->phase_levels > 4096)
		return "phase_levels";
	if (np->amp_levels < 1 || np->amp_levels > 4096)
		return "amp_levels";
	return NULL;
}

static const char *hf_check_source(const struct hf_nameplate *np)
{
	if (np->p0_safety_upam < 1 || np->p0_safety_upam > HF_P0_MAX_UPAM)
		return "p0_safety_upam";
	if (np->p0_nominal_upam < 1 || np->p0_nominal_upam > np->p0_safety_upam)
		return "p0_nominal_upam";
	if (np->wavelength_nm < HF_WAVELENGTH_MIN_NM || np->wavelength_nm > HF_WAVELENGTH_MAX_NM)
		return "wavelength_nm";
	/* 2 pi a / lambda < 3.83; both sides below 7e16 within the ranges. */
	if (np->aperture_um > HF_APERTURE_MAX_UM ||
	    np->aperture_um * 1000ULL * HF_TWO_PI_E6 >= HF_KA_MAX_E2 * 10000 * np->wavelength_nm)
		return "aperture_um";
	if (np->field_tol_q16 > HF_Q16_ONE)
		return "field_tol_q16";
	return NULL;
}

static bool hf_tau_ok(u32 tau_ms)
{
	return tau_ms >= 1 && tau_ms <= HF_TAU_MAX_MS;
}

static const char *hf_check_models(const struct hf_nameplate *np)
{
	if (np->p_drive_uw > HF_CHAN_POWER_MAX_UW)
		return "p_drive_uw";
	if (np->p_acoustic_uw > HF_CHAN_POWER_MAX_UW)
		return "p_acoustic_uw";
	if (np->rth_chan_mk_per_w > HF_RTH_CHAN_MAX)
		return "rth_chan_mk_per_w";
	if (np->rth_array_mk_per_w > HF_RTH_ARRAY_MAX)
		return "rth_array_mk_per_w";
	if (!hf_tau_ok(np->tau_chan_ms))
		return "tau_chan_ms";
	if (!hf_tau_ok(np->tau_array_ms))
		return "tau_array_ms";
	if (!hf_tau_ok(np->tau_power_ms))
		return "tau_power_ms";
	if (np->derate_floor_q16 > HF_Q16_ONE)
		return "derate_floor_q16";
	return NULL;
}

static const char *hf_check_sensor(const struct hf_sensor_desc *d)
{
	if ((unsigned int)d->kind > HF_SENSOR_FAN)
		return "sensor kind";
	if (d->min < -HF_SENSOR_RANGE_MAX || d->max > HF_SENSOR_RANGE_MAX || d->min >= d->max)
		return "sensor range";
	if (d->max_step < 0 || d->max_step > 2LL * HF_SENSOR_RANGE_MAX)
		return "sensor max_step";
	/* A single reading is always equal to itself. */
	if (d->stuck_samples == 1)
		return "sensor stuck_samples";
	if (!d->label[0] || d->label[sizeof(d->label) - 1])
		return "sensor label";
	return NULL;
}

static const char *hf_check_sensors(const struct hf_nameplate *np)
{
	const char *bad = NULL;
	u32 i;

	if (np->sensors > HF_MAX_SENSORS)
		return "sensors";
	for (i = 0; i < np->sensors && !bad; i++)
		bad = hf_check_sensor(&np->sensor[i]);
	return bad;
}

static bool hf_reach_ok(s32 um)
{
	return um >= -HF_POS_REACH_UM && um <= HF_POS_REACH_UM;
}

static const char *hf_check_geometry(const struct hf_nameplate *np)
{
	/* Square of the length 1 in Q28, and of 0.98 and 1.02. */
	const s64 one = 1LL << 28, lo = one * 9604 / 10000, hi = one * 10404 / 10000;
	u32 i;

	for (i = 0; i < np->channels; i++) {
		const struct hf_channel_pos *p = &np->pos[i];
		s64 n2 = (s64)p->nx_q14 * p->nx_q14 + (s64)p->ny_q14 * p->ny_q14 +
			 (s64)p->nz_q14 * p->nz_q14;

		if (!hf_reach_ok(p->x_um) || !hf_reach_ok(p->y_um) || !hf_reach_ok(p->z_um))
			return "channel position";
		if (n2 < lo || n2 > hi)
			return "channel normal";
	}
	return NULL;
}

static bool hf_is_canonical(const struct hf_envelope *e)
{
	u32 i;

	for (i = 1; i < e->nfence; i++) {
		const struct hf_fence_point *p = &e->fence[i - 1], *q = &e->fence[i];

		if (p->x_um > q->x_um || (p->x_um == q->x_um && p->y_um > q->y_um) ||
		    (p->x_um == q->x_um && p->y_um == q->y_um && p->z_um >= q->z_um))
			return false;
	}
	return true;
}

const char *hf_nameplate_check(const struct hf_nameplate *np)
{
	const char *bad;

	bad = hf_check_wire(np);
	if (!bad)
		bad = hf_check_source(np);
	if (!bad)
		bad = hf_check_models(np);
	if (!bad)
		bad = hf_check_sensors(np);
	if (!bad)
		bad = hf_check_geometry(np);
	if (!bad && hf_envelope_validate(&np->limits, NULL) != HF_ENV_OK)
		bad = "limits";
	if (!bad && !hf_is_canonical(&np->limits))
		bad = "limits fence order";
	return bad;
}
