// SPDX-License-Identifier: GPL-2.0
/*
 * The simulated sensors: the plant seen through noise, quantisation and a
 * sample clock of their own, and through the faults that were injected. What
 * is true is in plant.c; whether a reading is believable is not judged here.
 */
#include <linux/kstrtox.h>
#include <linux/math64.h>
#include <linux/string.h>

#include "sim.h"

#define SIM_FAULT_MAX	1000000000LL	/* +-, of a fault's value */
#define SIM_NOISE_SD	37837		/* of the sum of four 16-bit uniform numbers */

/* Time constants and noise are of common parts: thermistor and ADC, shunt, tachometer. */
static const struct sim_sensor_kind {
	struct hf_sensor_desc desc;
	u32 quantum;
	u32 noise;	/* standard deviation */
	u32 period_ms;
	u32 phase_ms;
} sim_kinds[SIM_SENSORS] = {
	[SIM_TEMP0] = {
		{ HF_SENSOR_TEMP, -40000, 150000, 0, 20, "board" }, 10, 40, 100, 0,
	},
	[SIM_TEMP1] = {
		{ HF_SENSOR_TEMP, -40000, 150000, 0, 20, "heatsink" }, 10, 40, 100, 37,
	},
	[SIM_SUPPLY] = {
		{ HF_SENSOR_SUPPLY, 0, 60000, 8000, 20, "supply" }, 10, 15, 50, 11,
	},
	[SIM_CURRENT] = {
		{ HF_SENSOR_CURRENT, -500, 20000, 0, 20, "current" }, 5, 8, 50, 23,
	},
	[SIM_FAN] = {
		{ HF_SENSOR_FAN, 0, 30000, 2500, 20, "fan" }, 10, 20, 100, 71,
	},
};

const char *const sim_sensor_names[SIM_SENSORS] = {
	"temp0", "temp1", "supply", "current", "fan",
};

static const char *const sim_fault_names[] = {
	[SIM_FAULT_NONE] = "none", [SIM_FAULT_STUCK] = "stuck", [SIM_FAULT_STALE] = "stale",
	[SIM_FAULT_NAN] = "nan", [SIM_FAULT_JUMP] = "jump", [SIM_FAULT_DRIFT] = "drift",
	[SIM_FAULT_LOST] = "lost", [SIM_FAULT_SET] = "set",
};

static bool sim_fault_takes_value(enum sim_fault_mode f)
{
	return f == SIM_FAULT_JUMP || f == SIM_FAULT_DRIFT || f == SIM_FAULT_SET;
}

/* Roughly normal, mean 0, from a generator of its own so that a seed repeats a run. */
static s64 sim_noise(struct sim_array *sim, u32 sd)
{
	u64 x = sim->prng;
	s64 sum;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	sim->prng = x;
	sum = (s64)(x & 0xffff) + ((x >> 16) & 0xffff) + ((x >> 32) & 0xffff) + (x >> 48);
	return div_s64((sum - 2 * 0xffff) * sd, SIM_NOISE_SD);
}

static s64 sim_truth(const struct sim_plant *p, enum sim_sensor_id id)
{
	switch (id) {
	case SIM_TEMP0:
		return div_s64(p->board_uc, 1000);
	case SIM_TEMP1:
		return div_s64(p->sink_uc, 1000);
	case SIM_SUPPLY:
		return p->supply_mv;
	case SIM_CURRENT:
		return p->current_ma;
	default:
		return div_s64(p->fan_mrpm, 1000);
	}
}

static s64 sim_measure(struct sim_array *sim, enum sim_sensor_id id)
{
	const struct sim_sensor_kind *k = &sim_kinds[id];
	s64 v = sim_truth(&sim->plant, id) + sim_noise(sim, k->noise);

	v = div_s64(v, k->quantum) * k->quantum;
	return id == SIM_FAN ? max(v, 0LL) : v;
}

/* Takes a new sample when the sensor's clock says so; @fault decides what it is. */
static void sim_sample(struct sim_array *sim, enum sim_sensor_id id, u64 now_ns)
{
	struct sim_sensor *s = &sim->sensor[id];
	u64 period = sim_kinds[id].period_ms * NSEC_PER_MSEC;
	u64 phase = sim_kinds[id].phase_ms * NSEC_PER_MSEC;
	u64 part, at_ns;
	s64 v;

	/* Newest tick of this clock; there may be none yet right after boot. */
	div64_u64_rem(now_ns + period - phase, period, &part);
	at_ns = part < now_ns ? now_ns - part : now_ns;
	if (at_ns <= s->time_ns)
		return;
	v = sim_measure(sim, id);
	switch (s->fault) {
	case SIM_FAULT_STALE:
		return;
	case SIM_FAULT_STUCK:
		v = s->value;
		break;
	case SIM_FAULT_NAN:
		v = S64_MIN;
		break;
	case SIM_FAULT_JUMP:
		v += s->fault_value;
		break;
	case SIM_FAULT_DRIFT:
		v += div_s64(s->fault_value * (s64)div_u64(now_ns - s->fault_ns, NSEC_PER_MSEC),
			     MSEC_PER_SEC);
		break;
	case SIM_FAULT_SET:
		v = s->fault_value + sim_noise(sim, sim_kinds[id].noise);
		break;
	default:
		break;
	}
	s->value = v;
	s->time_ns = at_ns;
}

/* Fills @s with the newest sample of every sensor that this array has. */
void sim_sensors_read(struct sim_array *sim, struct hf_raw_sample *s, u32 n)
{
	u64 now = ktime_get_ns();
	u32 id, i = 0;

	lockdep_assert_held(&sim->plant.lock);
	sim_plant_advance(sim, now);
	for (id = 0; id < SIM_SENSORS && i < n; id++) {
		if (!(sim->shape.sensor_mask & BIT(id)))
			continue;
		sim_sample(sim, id, now);
		s[i].present = sim->sensor[id].fault != SIM_FAULT_LOST;
		s[i].value = sim->sensor[id].value;
		s[i].time_ns = sim->sensor[id].time_ns;
		i++;
	}
}

void sim_sensors_start(struct sim_array *sim)
{
	u32 id;

	mutex_lock(&sim->plant.lock);
	sim->prng = (u64)sim->shape.seed ^ 0x9e3779b97f4a7c15ULL;
	for (id = 0; id < SIM_SENSORS; id++) {
		/* The first read always finds a new sample. */
		sim->sensor[id].value = sim_measure(sim, id);
		sim->sensor[id].time_ns = 0;
	}
	mutex_unlock(&sim->plant.lock);
}

void sim_sensors_describe(const struct sim_shape *shape, struct hf_nameplate *np)
{
	struct hf_sensor_desc *d;
	u32 id;

	for (id = 0; id < SIM_SENSORS; id++) {
		if (!(shape->sensor_mask & BIT(id)))
			continue;
		d = &np->sensor[np->sensors++];
		*d = sim_kinds[id].desc;
		if (d->kind == HF_SENSOR_TEMP)
			d->max_step = shape->temp_max_step_mc;
	}
}

/* "none", "lost", "jump:VALUE", ...; -EINVAL, -ERANGE */
int sim_fault_parse(struct sim_sensor *s, const char *text, u64 now_ns)
{
	char name[16];
	const char *colon = strchr(text, ':');
	size_t len = colon ? colon - text : strcspn(text, "\n");
	s64 value = 0;
	int f, ret;

	if (len >= sizeof(name))
		return -EINVAL;
	memcpy(name, text, len);
	name[len] = '\0';
	f = match_string(sim_fault_names, ARRAY_SIZE(sim_fault_names), name);
	if (f < 0 || sim_fault_takes_value(f) != !!colon)
		return -EINVAL;
	if (colon) {
		ret = kstrtos64(colon + 1, 10, &value);
		if (ret)
			return ret;
		if (value < -SIM_FAULT_MAX || value > SIM_FAULT_MAX)
			return -ERANGE;
	}
	s->fault = f;
	s->fault_value = value;
	s->fault_ns = now_ns;
	return 0;
}

int sim_fault_print(const struct sim_sensor *s, char *page)
{
	if (sim_fault_takes_value(s->fault))
		return sprintf(page, "%s:%lld\n", sim_fault_names[s->fault], s->fault_value);
	return sprintf(page, "%s\n", sim_fault_names[s->fault]);
}
