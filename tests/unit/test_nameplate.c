// SPDX-License-Identifier: GPL-2.0
/*
 * Every field of a nameplate at the ends of its range and one beyond, and that
 * the ends keep the arithmetic of the models inside 64 bits.
 */
#include "model.h"
#include "tiny_np.h"

#include <criterion/criterion.h>

static struct hf_nameplate np;

static void good(const char *what)
{
	const char *bad = hf_nameplate_check(&np);

	cr_assert_null(bad, "%s refused: %s", what, bad);
}

static void bad(const char *field)
{
	const char *found = hf_nameplate_check(&np);

	cr_assert_not_null(found, "%s accepted", field);
	cr_assert_str_eq(found, field);
}

/* field: @lo and @hi are accepted, @below and @above are not */
#define ENDS(field, below, lo, hi, above) do {				\
	tiny_np(&np, 1024);						\
	np.field = lo; good(#field " low");				\
	np.field = hi; good(#field " high");				\
	np.field = above; bad(#field);					\
	np.field = below; bad(#field);					\
} while (0)
#define TOP(field, hi) do {						\
	tiny_np(&np, 64);						\
	np.field = 0; good(#field " 0");				\
	np.field = hi; good(#field " high");				\
	np.field = (hi) + 1; bad(#field);				\
} while (0)

Test(nameplate, ranges)
{
	tiny_np(&np, 1024);
	good("1024 channels");
	ENDS(channels, 0, 1, 1024, 1025);
	ENDS(phase_levels, 1, 2, 4096, 4097);
	ENDS(amp_levels, 0, 1, 4096, 4097);
	ENDS(p0_safety_upam, 0, 3400000, 20000000, 20000001);
	ENDS(p0_nominal_upam, 0, 1, 8000000, 8000001);
	ENDS(tau_chan_ms, 0, 1, 86400000, 86400001);
	ENDS(tau_array_ms, 0, 1, 86400000, 86400001);
	ENDS(tau_power_ms, 0, 1, 86400000, 86400001);
	TOP(p_drive_uw, 10000000);
	TOP(p_acoustic_uw, 10000000);
	TOP(rth_chan_mk_per_w, 10000000);
	TOP(rth_array_mk_per_w, 1000000);
	TOP(field_tol_q16, 65536);
	TOP(derate_floor_q16, 65536);
	np.p_drive_uw = U64_MAX;
	bad("p_drive_uw");
	tiny_np(&np, 64);
	np.p0_safety_upam = np.p0_nominal_upam = U64_MAX;
	bad("p0_safety_upam");
}

Test(nameplate, directivity_has_no_null)
{
	tiny_np(&np, 4);
	/* k a = 2 pi 5229 um / 8.58 mm = 3.829 */
	np.aperture_um = 5229;
	good("ka 3.829");
	np.aperture_um = 5231;	/* 3.831: past the first zero's safe side */
	bad("aperture_um");
	np.aperture_um = 0;
	np.wavelength_nm = 1000000;
	good("omnidirectional at 1 mm");
	np.wavelength_nm = 999999;
	bad("wavelength_nm");
	np.wavelength_nm = 100000000;
	np.aperture_um = 60900;
	good("100 mm, ka 3.827");
	np.aperture_um = U32_MAX;	/* k a would wrap */
	bad("aperture_um");
	np.aperture_um = 0;
	np.wavelength_nm = 100000001;
	bad("wavelength_nm");
}

Test(nameplate, geometry)
{
	static const s32 out[] = { 10000001, -10000001, S32_MIN, S32_MAX };
	u32 i;

	tiny_np(&np, 64);
	np.pos[63].x_um = 10000000;
	np.pos[63].y_um = -10000000;
	np.pos[63].z_um = 10000000;
	good("corner");
	for (i = 0; i < 4; i++) {
		tiny_np(&np, 64);
		np.pos[63].x_um = out[i];
		bad("channel position");
		tiny_np(&np, 64);
		np.pos[0].y_um = out[i];
		bad("channel position");
		tiny_np(&np, 64);
		np.pos[31].z_um = out[i];
		bad("channel position");
	}
	tiny_np(&np, 64);
	np.pos[64].x_um = S32_MAX;	/* not a channel of this array */
	good("beyond the channels");
	np.pos[5].nz_q14 = 16384 * 981 / 1000;
	good("98.1 %");
	np.pos[5].nz_q14 = 16384 * 979 / 1000;
	bad("channel normal");
	np.pos[5].nz_q14 = 16384 * 1019 / 1000;
	good("101.9 %");
	np.pos[5].nz_q14 = 16384 * 1021 / 1000;
	bad("channel normal");
	np.pos[5] = (struct hf_channel_pos){ .nx_q14 = -9459, .ny_q14 = 9459, .nz_q14 = -9459 };
	good("diagonal");
	np.pos[5] = (struct hf_channel_pos){ .nx_q14 = 0 };
	bad("channel normal");
	np.pos[5] = (struct hf_channel_pos){ .nx_q14 = -32768, .ny_q14 = -32768, .nz_q14 = -32768 };
	bad("channel normal");
}

Test(nameplate, sensors)
{
	u32 i;

	tiny_np(&np, 1);
	for (i = 0; i < HF_MAX_SENSORS; i++)
		tiny_sensor(&np, (enum hf_sensor_kind)(i % 4), -1000000000, 1000000000);
	good("16 sensors");
	np.sensors = HF_MAX_SENSORS + 1;
	bad("sensors");
	np.sensors = HF_MAX_SENSORS;
	np.sensor[15].kind = (enum hf_sensor_kind)4;
	bad("sensor kind");
	np.sensor[15].kind = (enum hf_sensor_kind)-1;
	bad("sensor kind");
	np.sensor[15].kind = HF_SENSOR_FAN;
	np.sensor[15].max = np.sensor[15].min;
	bad("sensor range");
	np.sensor[15].max = 1000000001;
	bad("sensor range");
	np.sensor[15].max = 0;
	np.sensor[15].min = -1000000001;
	bad("sensor range");
	np.sensor[15].min = S64_MIN;
	bad("sensor range");
	np.sensor[15].min = -1;
	good("range");
	np.sensor[15].max_step = -1;
	bad("sensor max_step");
	np.sensor[15].max_step = 2000000001;
	bad("sensor max_step");
	np.sensor[15].max_step = 2000000000;
	np.sensor[15].stuck_samples = 1;
	bad("sensor stuck_samples");
	np.sensor[15].stuck_samples = 2;
	good("stuck after 2");
	memset(np.sensor[15].label, 'x', 32);
	bad("sensor label");
	np.sensor[15].label[31] = 0;
	good("31 letters");
	np.sensor[15].label[0] = 0;
	bad("sensor label");
}

Test(nameplate, limits)
{
	tiny_np(&np, 1);
	np.limits.limit[HF_LIM_HOLD] = 0;
	bad("limits");
	np.limits.limit[HF_LIM_HOLD] = 1;
	good("hold 1");
	np.limits.limit[HF_LIM_TEMP_CRIT] = 1000;
	bad("limits");
	np.limits.limit[HF_LIM_TEMP_WARN] = 1000;
	good("warn = crit");
	np.limits.nfence = 2;
	np.limits.fence[0] = (struct hf_fence_point){ 5, 0, 1, 1 };
	np.limits.fence[1] = (struct hf_fence_point){ 5, 0, 2, 1 };
	good("two points");
	np.limits.fence[1].z_um = 1;
	bad("limits fence order");
	np.limits.fence[1].x_um = 4;
	bad("limits fence order");
	np.limits.fence[1] = (struct hf_fence_point){ 5, -1, 9, 1 };
	bad("limits fence order");
}

/* At every end at once the models neither overflow (UBSan) nor lose their order. */
Test(nameplate, ends_keep_the_models_in_range)
{
	static struct hf_model m;
	static u32 power[HF_MAX_CHANNELS];
	static u32 mpa[HF_MAX_FENCE], map[HF_MAX_FENCE];
	struct hf_envelope env;
	double rise;
	u64 t = 1;
	u32 i;

	tiny_np(&np, 1024);
	np.p_drive_uw = HF_CHAN_POWER_MAX_UW;
	np.p_acoustic_uw = HF_CHAN_POWER_MAX_UW;
	np.rth_chan_mk_per_w = HF_RTH_CHAN_MAX;
	np.rth_array_mk_per_w = HF_RTH_ARRAY_MAX;
	np.tau_chan_ms = 1;
	np.tau_array_ms = HF_TAU_MAX_MS;
	good("all ends");
	hf_envelope_loosest(&env);
	for (i = 0; i < HF_MAX_CHANNELS; i++)
		power[i] = hf_chan_power_uw(&np, HF_AMP_FULL);
	for (i = 0; i < HF_MAX_FENCE; i++) {
		mpa[i] = U32_MAX;
		map[i] = HF_NOWHERE;
	}
	hf_model_init(&m, &np, t);
	hf_model_fence_changed(&m, map, HF_MAX_FENCE);
	hf_model_output(&m, &np, &env, power, mpa, HF_MAX_FENCE, t);
	cr_assert_eq(m.power_uw, 1024LL * 20000000);
	for (i = 0; i < 40; i++) {
		hf_model_advance(&m, &np, t += 86400000000000ULL * (i + 1));
		cr_assert_geq(m.array_rise_uk, 0);
	}
	rise = 1024 * 20.0 * 1e3 * 1e6;	/* W * K/W in uK */
	cr_assert_geq((double)m.array_rise_uk, rise);
	cr_assert_leq((double)m.array_rise_uk, rise * 1.001);
	cr_assert_geq((double)hf_model_hottest_uk(&m, &np), 20.0 * 1e4 * 1e6);
	cr_assert_eq(hf_model_dose(&m, 63), U64_MAX);
	hf_model_output(&m, &np, NULL, NULL, NULL, 0, t);
	hf_model_advance(&m, &np, U64_MAX);
	cr_assert_geq(m.array_rise_uk, 0);
}
