// SPDX-License-Identifier: GPL-2.0
/*
 * From an array's attributes to the nameplate that core is given. The default
 * limits are those of a 16x16 array of 10.5 mm pitch (docs/simulator.md says
 * where each comes from). No rule here: core judges what it is given.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "sim.h"

#define SIM_NORMAL_Q14	16384

/* Names and ranges, as in the rules' own table. */
static const struct sim_limit {
	const char *name;
	s64 min;
	s64 max;
} sim_limits[HF_LIM_COUNT] = {
#define SIM_X(NAME, name, unit, sense, lo, hi) { #name, lo, hi },
	HF_LIMITS(SIM_X)
#undef SIM_X
};

static const struct {
	enum hf_limit limit;
	s64 value;
} sim_default_limits[] = {
	{ HF_LIM_AMP_CAP, 65535 },
	{ HF_LIM_DRIVE_DUTY, 32768 },
	{ HF_LIM_SLEW_PHASE, 10240 },	/* 256 / 25 us */
	{ HF_LIM_SLEW_AMP, 65536 },	/* full scale in 1 ms */
	{ HF_LIM_FRAME_INTERVAL, 100000 },
	{ HF_LIM_POWER_INST, 52000000 },
	{ HF_LIM_POWER_AVG, 30000000 },
	{ HF_LIM_CHAN_RISE, 30000 },
	{ HF_LIM_ARRAY_RISE, 40000 },
	{ HF_LIM_TEMP_WARN, 50000 },
	{ HF_LIM_TEMP_CRIT, 60000 },
	{ HF_LIM_TEMP_EMERG, 70000 },
	{ HF_LIM_TEMP_RATE, 5000 },
	{ HF_LIM_SUPPLY_MIN, 21600 },
	{ HF_LIM_SUPPLY_MAX, 26400 },
	{ HF_LIM_CURRENT, 3750 },
	{ HF_LIM_CURRENT_TIME, 100 },
	{ HF_LIM_FAN_MIN, 1000 },
	{ HF_LIM_FOCAL_PRESSURE, 5000000 },
	{ HF_LIM_BOX_MIN_X, -100000 },
	{ HF_LIM_BOX_MIN_Y, -100000 },
	{ HF_LIM_BOX_MIN_Z, 20000 },
	{ HF_LIM_BOX_MAX_X, 100000 },
	{ HF_LIM_BOX_MAX_Y, 100000 },
	{ HF_LIM_BOX_MAX_Z, 400000 },
	{ HF_LIM_HOLD, 500 },
	{ HF_LIM_KEEPER_DEADLINE, 500 },
	{ HF_LIM_SENSOR_STALE, 3000 },
	{ HF_LIM_REJECT_BURST, 32 },
	{ HF_LIM_REJECT_WINDOW, 1000 },
	{ HF_LIM_TRIP_DWELL, 1000 },
	{ HF_LIM_SILENCE_BOUND, 100000 },
	{ HF_LIM_TICK_LATE, 200 },
};

/* Channels of this shape; more than HF_MAX_CHANNELS cannot go live. */
u32 sim_channels(const struct sim_shape *shape)
{
	return shape->points ?: shape->rows * shape->cols;
}

static void sim_grid(const struct sim_shape *sh, struct hf_channel_pos *pos)
{
	s64 r, c;

	for (r = 0; r < sh->rows; r++) {
		for (c = 0; c < sh->cols; c++) {
			/* doubled, so that the centre between two rows is exact */
			*pos++ = (struct hf_channel_pos){
				.x_um = (2 * c - (sh->cols - 1)) * sh->pitch_um / 2,
				.y_um = (2 * r - (sh->rows - 1)) * sh->pitch_um / 2,
				.nz_q14 = SIM_NORMAL_Q14,
			};
		}
	}
}

static void sim_limits_fill(const struct sim_shape *sh, u32 channels, struct hf_envelope *e)
{
	u32 i;

	holdfast_envelope_loosest(e);
	for (i = 0; i < ARRAY_SIZE(sim_default_limits); i++)
		e->limit[sim_default_limits[i].limit] = sim_default_limits[i].value;
	if (sh->bus)
		e->limit[HF_LIM_FRAME_INTERVAL] =
			max_t(s64, e->limit[HF_LIM_FRAME_INTERVAL],
			      sim_wire_frame_ns(channels, sh->baud));
	for (i = 0; i < HF_LIM_COUNT; i++) {
		if (sh->limit_set & BIT_ULL(i))
			e->limit[i] = sh->limit[i];
	}
}

/**
 * sim_nameplate_new() - the nameplate of a shape
 * @sh:	of at most HF_MAX_CHANNELS channels
 *
 * Return: to be freed with kvfree(), or NULL.
 */
struct hf_nameplate *sim_nameplate_new(const struct sim_shape *sh)
{
	struct hf_nameplate *np = kvzalloc(sizeof(*np), GFP_KERNEL);
	u32 i;

	if (!np)
		return NULL;
	np->channels = sim_channels(sh);
	np->phase_levels = sh->phase_levels;
	np->amp_levels = sh->amp_levels;
	np->p0_safety_upam = sh->p0_safety;
	np->p0_nominal_upam = sh->p0_nominal;
	np->wavelength_nm = sh->wavelength_nm;
	np->aperture_um = sh->aperture_um;
	np->field_tol_q16 = sh->field_tol;
	np->p_drive_uw = sh->p_drive_uw;
	np->p_acoustic_uw = sh->p_acoustic_uw;
	np->rth_chan_mk_per_w = sh->rth_chan_mk_per_w;
	np->tau_chan_ms = sh->tau_chan_ms;
	np->rth_array_mk_per_w = sh->rth_array_mk_per_w;
	np->tau_array_ms = sh->tau_array_ms;
	np->tau_power_ms = sh->tau_power_ms;
	np->derate_floor_q16 = sh->derate_floor;
	sim_sensors_describe(sh, np);
	sim_limits_fill(sh, np->channels, &np->limits);
	if (sh->points)
		memcpy(np->pos, sh->pos, sh->points * sizeof(*sh->pos));
	else
		sim_grid(sh, np->pos);
	for (i = 0; i < np->channels; i++)
		np->cal[i].gain_q16 = HF_AMP_FULL;
	return np;
}

static bool sim_within(long long v, long long reach)
{
	return v >= -reach && v <= reach;
}

static int sim_geometry_line(struct sim_shape *sh, const char *line)
{
	long long index, x, y, z, nx = 0, ny = 0, nz = SIM_NORMAL_Q14;
	int n, end = 0;

	n = sscanf(line, "%lld %lld %lld %lld %n%lld %lld %lld %n", &index, &x, &y, &z, &end,
		   &nx, &ny, &nz, &end);
	if ((n != 4 && n != 7) || line[end])
		return -EINVAL;
	if (index < 0 || index >= HF_MAX_CHANNELS || !sim_within(x, HF_POS_REACH_UM) ||
	    !sim_within(y, HF_POS_REACH_UM) || !sim_within(z, HF_POS_REACH_UM) ||
	    !sim_within(nx, SIM_NORMAL_Q14) || !sim_within(ny, SIM_NORMAL_Q14) ||
	    !sim_within(nz, SIM_NORMAL_Q14))
		return -ERANGE;
	if (index == 0)
		sh->points = 0;
	if (index != sh->points)
		return -EINVAL;
	sh->pos[sh->points++] = (struct hf_channel_pos){ x, y, z, nx, ny, nz };
	return 0;
}

/**
 * sim_geometry_parse() - take in positions
 * @sh:	shape to change
 * @page:	"grid", or lines "index x y z [nx ny nz]" with indices in order; 0 begins anew
 * @count:	bytes of it
 *
 * configfs hands over a long file in pieces; what follows the last whole line
 * of a full piece is left for the next.
 *
 * Return: bytes taken, or -EINVAL, -ERANGE, -ENOMEM; lines before the bad one
 * have been taken.
 */
ssize_t sim_geometry_parse(struct sim_shape *sh, const char *page, size_t count)
{
	char *text, *line, *rest;
	size_t take = count;
	int ret = 0;

	if (sysfs_streq(page, "grid")) {
		sh->points = 0;
		return count;
	}
	if (count == PAGE_SIZE - 1 && page[count - 1] != '\n') {
		line = strrchr(page, '\n');
		if (!line)
			return -EINVAL;
		take = line + 1 - page;
	}
	if (!sh->pos)
		sh->pos = kvcalloc(HF_MAX_CHANNELS, sizeof(*sh->pos), GFP_KERNEL);
	text = kmemdup_nul(page, take, GFP_KERNEL);
	if (!text || !sh->pos) {
		kfree(text);
		return -ENOMEM;
	}
	rest = text;
	while (!ret && (line = strsep(&rest, "\n"))) {
		line = strim(line);
		if (*line)
			ret = sim_geometry_line(sh, line);
	}
	kfree(text);
	return ret ?: take;
}

/* "name value": sets a nameplate limit; "name default" takes it back. */
int sim_limit_parse(struct sim_shape *sh, char *line)
{
	char *name = strsep(&line, " \t");
	s64 value;
	int i, ret;

	i = holdfast_limit_by_name(name);
	if (i < 0 || !line)
		return -EINVAL;
	line = strim(line);
	if (!strcmp(line, "default")) {
		sh->limit_set &= ~BIT_ULL(i);
		return 0;
	}
	ret = kstrtos64(line, 10, &value);
	if (ret)
		return ret;
	if (value < sim_limits[i].min || value > sim_limits[i].max)
		return -ERANGE;
	sh->limit[i] = value;
	sh->limit_set |= BIT_ULL(i);
	return 0;
}

/* The limits as they will be, or are, on the nameplate. */
int sim_limit_print(const struct sim_shape *sh, char *page)
{
	struct hf_envelope *e = kvzalloc(sizeof(*e), GFP_KERNEL);
	int i, n = 0;

	if (!e)
		return -ENOMEM;
	sim_limits_fill(sh, min_t(u32, sim_channels(sh), HF_MAX_CHANNELS), e);
	for (i = 0; i < HF_LIM_COUNT; i++)
		n += scnprintf(page + n, PAGE_SIZE - n, "%s %lld\n", sim_limits[i].name,
			       e->limit[i]);
	kvfree(e);
	return n;
}
