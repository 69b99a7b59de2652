// SPDX-License-Identifier: GPL-2.0
/*
 * The plant: what would be true of the hardware. Two thermal stages (heatsink
 * over ambient, board over heatsink), a fan that cools the heatsink, a supply
 * with a source resistance. Driven by what the output stage really drew; it
 * knows nothing of sensors, and nothing of the rules' own models.
 */
#include <linux/math64.h>
#include <linux/minmax.h>

#include "sim.h"

#define SIM_Q30			((s64)BIT_ULL(30))
#define SIM_INV_E_Q30		395007542LL	/* exp(-1) */
#define SIM_STEP_US		(250 * USEC_PER_MSEC)
#define SIM_STEPS_MAX		1024
#define SIM_FAN_TAU_US		(1500 * USEC_PER_MSEC)
#define SIM_FAN_DRAUGHT		60		/* rpm of a fan that failed */
#define SIM_STILL_AIR		4	/* times the thermal resistance when the fan stands */

/* exp(-dt / tau), Q30. @tau_us <= 10^10. */
static s64 sim_decay(u64 dt_us, u64 tau_us)
{
	u64 rest;
	u64 whole = div64_u64_rem(dt_us, tau_us, &rest);
	s64 x = div64_u64(rest << 30, tau_us);
	s64 e = SIM_Q30;
	int k;

	if (whole > 21)
		return 0;
	for (k = 9; k > 0; k--)
		e = SIM_Q30 - (u32)((x * e) >> 30) / k;
	while (whole--)
		e = (e * SIM_INV_E_Q30) >> 30;
	return e;
}

/* @y goes towards @target; differences below 2^33. */
static s64 sim_first_order(s64 y, s64 target, u64 dt_us, u64 tau_us)
{
	return target + (((y - target) * sim_decay(dt_us, tau_us)) >> 30);
}

static void sim_plant_step(struct sim_array *sim, u64 dt_us, s64 power_uw)
{
	const struct sim_shape *sh = &sim->shape;
	struct sim_plant *p = &sim->plant;
	s64 fan = sim->knobs.fan_failed ? SIM_FAN_DRAUGHT : sh->fan_rpm;
	s64 still_q10, rth, target;
	u64 tau;

	p->fan_mrpm = sim_first_order(p->fan_mrpm, fan * 1000, dt_us, SIM_FAN_TAU_US);
	/* 1 at full speed, SIM_STILL_AIR at rest: conductance is linear in the speed. */
	still_q10 = div64_s64((s64)SIM_STILL_AIR << 20,
			      1024 + div64_s64((SIM_STILL_AIR - 1) * p->fan_mrpm * 1024,
					       sh->fan_rpm * 1000));

	/* uW x mK/W = 1e-9 K, so / 1000 is uK */
	rth = (sh->plant_rth_sink_mk_per_w * still_q10) >> 10;
	tau = min_t(u64, (sh->plant_tau_sink_ms * still_q10) >> 10, 10000000) * USEC_PER_MSEC;
	target = (s64)sim->knobs.ambient_mc * 1000 + div_s64(power_uw * rth, 1000);
	p->sink_uc = sim_first_order(p->sink_uc, target, dt_us, max_t(u64, tau, 1));

	target = p->sink_uc + div_s64(power_uw * sh->plant_rth_board_mk_per_w, 1000);
	p->board_uc = sim_first_order(p->board_uc, target, dt_us,
				      sh->plant_tau_board_ms * USEC_PER_MSEC);
}

/* Current and voltage follow the power at once; two rounds settle the loop. */
static void sim_plant_supply(struct sim_array *sim)
{
	const struct sim_shape *sh = &sim->shape;
	struct sim_plant *p = &sim->plant;
	s64 open_mv = sh->supply_mv - sim->knobs.supply_sag_mv;
	int i;

	p->supply_mv = max(open_mv, 1LL);
	for (i = 0; i < 2; i++) {
		p->current_ma = sh->idle_ma + div64_s64(p->power_uw, p->supply_mv);
		p->supply_mv = max(open_mv - div_s64(p->current_ma * sh->source_mohm, 1000), 1LL);
	}
}

/**
 * sim_plant_advance() - bring the plant up to a time
 * @sim:	the array; plant lock held
 * @now_ns:	CLOCK_MONOTONIC; any length of step
 *
 * The power drawn since the last call counts with its mean.
 */
void sim_plant_advance(struct sim_array *sim, u64 now_ns)
{
	struct sim_plant *p = &sim->plant;
	u64 dt_us, pj, steps, i;
	s64 mean_uw;

	lockdep_assert_held(&p->lock);
	if (now_ns <= p->now_ns)
		return;
	dt_us = div_u64(now_ns - p->now_ns, NSEC_PER_USEC);
	if (dt_us) {
		pj = sim_output_energy(&sim->out, now_ns, &p->power_uw);
		mean_uw = div64_u64(pj - p->energy_pj, dt_us);
		mean_uw += (s64)sim->knobs.heat_mw * 1000;
		steps = clamp_t(u64, div_u64(dt_us, SIM_STEP_US), 1, SIM_STEPS_MAX);
		for (i = 0; i < steps; i++)
			sim_plant_step(sim, div64_u64(dt_us, steps), mean_uw);
		p->energy_pj = pj;
		p->now_ns += dt_us * NSEC_PER_USEC;
	}
	sim_plant_supply(sim);
}

/* Everything at the temperature of its surroundings, the fan running. */
void sim_plant_start(struct sim_array *sim)
{
	struct sim_plant *p = &sim->plant;

	mutex_lock(&p->lock);
	p->now_ns = ktime_get_ns();
	p->energy_pj = sim_output_energy(&sim->out, p->now_ns, &p->power_uw);
	p->board_uc = (s64)sim->knobs.ambient_mc * 1000;
	p->sink_uc = p->board_uc;
	p->fan_mrpm = (sim->knobs.fan_failed ? SIM_FAN_DRAUGHT : sim->shape.fan_rpm) * 1000;
	sim_plant_supply(sim);
	mutex_unlock(&p->lock);
}
