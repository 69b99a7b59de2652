// SPDX-License-Identifier: GPL-2.0
/*
 * The output stage: the simulated transducers, their gate and their power
 * switch. Whatever changes here goes into the ledger, and nothing else does.
 * Never in here: sensors, heat, or a judgement of what may be emitted.
 *
 * One atomic word (enum sim_port) is the gate. Going dark is a single exchange
 * on it, from any context, NMI and panic included; the ledger record of it is
 * written by whoever gets the lock next, at the latest when its holder lets go.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/ktime.h>

#include "sim.h"

static u64 sim_now(void)
{
	return ktime_get_mono_fast_ns();
}

static void sim_console(const struct sim_output *out, const char *what, u64 t, u64 seq)
{
	if (READ_ONCE(out->knobs->ledger_console))
		pr_emerg("%s: ledger %s t=%llu seq=%llu\n", out->name, what, t, seq);
}

/* The power drawn changes: what was drawn until @now_ns is added up first. */
static void sim_account(struct sim_output *out, u64 now_ns, u64 power_uw)
{
	u64 us = now_ns > out->energy_ns ? div_u64(now_ns - out->energy_ns, NSEC_PER_USEC) : 0;

	out->energy_pj += out->power_uw * us;
	out->energy_ns += us * NSEC_PER_USEC;
	out->power_uw = power_uw;
}

static void sim_record_dark(struct sim_output *out, u32 kind)
{
	u64 now = sim_now();
	u64 late = out->tx_off_ns && now > out->tx_off_ns ? now - out->tx_off_ns : 0;
	u64 seq;

	out->tx_off_ns = 0;
	sim_account(out, now, 0);
	seq = sim_ledger_end(out->ledger, sim_ledger_begin(out->ledger), kind, now, late);
	if (out->lit)
		sim_console(out, "OFF", now, seq);
	out->lit = false;
}

/* Writes the record that is due, and starts the off sequence that is due. */
static void sim_settle(struct sim_output *out)
{
	int port = atomic_read(&out->port);

	lockdep_assert_held(&out->lock);
	while (port & SIM_DUE) {
		if (atomic_try_cmpxchg(&out->port, &port, SIM_SHUT)) {
			sim_record_dark(out, port & ~SIM_DUE);
			break;
		}
	}
	if (atomic_xchg(&out->off_due, 0))
		sim_wire_off_locked(out);
}

static bool sim_unsettled(const struct sim_output *out)
{
	return (atomic_read(&out->port) & SIM_DUE) || atomic_read(&out->off_due);
}

static void sim_settle_unlock(struct sim_output *out)
	__releases(&out->lock)
{
	sim_settle(out);
	raw_spin_unlock(&out->lock);
	/* Pairs with the exchange before the trylock of who left something. */
	smp_mb();
}

/* Lets go of the lock, and does what those who could not get it have left. */
void sim_unlock(struct sim_output *out, unsigned long flags)
	__releases(&out->lock)
{
	sim_settle_unlock(out);
	while (sim_unsettled(out) && raw_spin_trylock(&out->lock))
		sim_settle_unlock(out);
	local_irq_restore(flags);
}

/* After an exchange on the port: record it now if that can be done without waiting. */
static void sim_try_settle(struct sim_output *out, bool was_on)
{
	unsigned long flags;

	local_irq_save(flags);
	if (raw_spin_trylock(&out->lock)) {
		sim_unlock(out, flags);
		return;
	}
	local_irq_restore(flags);
	/* The holder may never run again: the console is all that is left. */
	if (was_on && oops_in_progress)
		sim_console(out, "OFF", sim_now(), 0);
}

static bool sim_port_on(int port)
{
	return port == SIM_LIT || port == SIM_FADING;
}

bool sim_output_emitting(const struct sim_output *out)
{
	return sim_port_on(atomic_read(&out->port));
}

/**
 * sim_output_silence() - what the driver's silence() does
 * @out:	the output stage
 *
 * Context: any, NMI and panic included. Never waits for a lock.
 */
void sim_output_silence(struct sim_output *out)
{
	/* On a bus, and with a stuck switch, the transducers go on for now. */
	bool lags = out->bus || READ_ONCE(out->knobs->silence_stuck);
	int old = atomic_read(&out->port);
	int new;

	do {
		if (sim_port_on(old))
			new = lags ? SIM_FADING : SIM_DUE | HOLDFAST_LEDGER_OFF;
		else if (old == SIM_DARK)
			new = SIM_SHUT;
		else
			new = old;
	} while (!atomic_try_cmpxchg(&out->port, &old, new));

	if (out->bus)
		atomic_set(&out->off_due, 1);
	sim_try_settle(out, sim_port_on(old) && !lags);
}

/* Dark by another way than the driver's command: no stuck switch, no bus in between. */
static void sim_force_dark(struct sim_output *out, u32 kind)
{
	int old = atomic_xchg(&out->port, SIM_DUE | kind);

	sim_try_settle(out, sim_port_on(old));
}

void sim_output_cut_power(struct sim_output *out)
{
	if (atomic_xchg(&out->powered, 0))
		sim_force_dark(out, HOLDFAST_LEDGER_POWER);
}

/* The device is no longer there. */
void sim_output_gone(struct sim_output *out)
{
	if (!atomic_xchg(&out->gone, 1))
		sim_force_dark(out, HOLDFAST_LEDGER_GONE);
}

/* Electrical power of a frame and whether anything is on; -EINVAL: no such level. */
static int sim_power_of(const struct sim_output *out, const u16 *level, u64 *power_uw, bool *on)
{
	u32 i;

	*power_uw = 0;
	*on = false;
	for (i = 0; i < out->channels; i++) {
		if (level[i] > out->amp_levels)
			return -EINVAL;
		*power_uw += out->level_uw[level[i]];
		*on |= level[i] != 0;
	}
	return 0;
}

/* A frame with nothing on reached the transducers. */
static int sim_apply_dark(struct sim_output *out)
{
	int old = atomic_read(&out->port);

	do {
		if (old != SIM_LIT && old != SIM_DARK)
			return -ESHUTDOWN;
	} while (!atomic_try_cmpxchg(&out->port, &old, SIM_DARK));
	if (old == SIM_LIT)
		sim_record_dark(out, HOLDFAST_LEDGER_OFF);
	return 0;
}

/*
 * A frame reaches the transducers, unless the gate is shut: the exchange on the
 * port decides. Lock held.
 */
int sim_apply(struct sim_output *out, const u16 *phase, const u16 *level)
{
	struct holdfast_ledger_record *rec;
	size_t bytes = out->channels * sizeof(u16);
	int old = atomic_read(&out->port);
	u64 now, seq, power;
	bool on;
	int ret;

	lockdep_assert_held(&out->lock);
	ret = sim_power_of(out, level, &power, &on);
	if (ret)
		return ret;
	if (!on)
		return sim_apply_dark(out);

	rec = sim_ledger_begin(out->ledger);
	memcpy(rec + 1, phase, bytes);
	memcpy((void *)(rec + 1) + bytes, level, bytes);
	now = sim_now();
	do {
		if (old != SIM_LIT && old != SIM_DARK)
			return -ESHUTDOWN;
	} while (!atomic_try_cmpxchg(&out->port, &old, SIM_LIT));
	sim_account(out, now, power);
	seq = sim_ledger_end(out->ledger, rec, HOLDFAST_LEDGER_FRAME, now, 0);
	if (!out->lit)
		sim_console(out, "ON", now, seq);
	out->lit = true;
	return 0;
}

int sim_output_commit(struct sim_output *out, const struct hf_wire *wire)
{
	unsigned long flags;
	int ret;

	if (wire->channels != out->channels)
		return -EINVAL;
	switch (READ_ONCE(*out->link)) {
	case SIM_LINK_LOST:
	case SIM_LINK_ERROR:
		return -EIO;
	}
	if (out->bus)
		return sim_wire_commit(out, wire);
	raw_spin_lock_irqsave(&out->lock, flags);
	ret = sim_apply(out, wire->phase, wire->level);
	sim_unlock(out, flags);
	return ret;
}

/* Gate open, power on, nothing lit. */
static int sim_output_open(struct sim_output *out)
{
	unsigned long flags;
	int ret = 0, old;

	if (READ_ONCE(*out->link) == SIM_LINK_LOST)
		return -EIO;
	raw_spin_lock_irqsave(&out->lock, flags);
	sim_settle(out);
	/* Before the gate, so that a power cut from here on shuts it. */
	atomic_set(&out->powered, 1);
	old = atomic_read(&out->port);
	if (atomic_read(&out->gone))
		ret = -ENODEV;
	else if (sim_port_on(old))
		ret = -EIO;
	else if (old != SIM_DARK && atomic_cmpxchg(&out->port, SIM_SHUT, SIM_DARK) != SIM_SHUT)
		ret = -EAGAIN;
	if (!ret && out->deadman_ns && !out->deadman_off) {
		atomic64_set(&out->beat_ns, sim_now());
		hrtimer_start(&out->deadman, ns_to_ktime(out->deadman_ns), HRTIMER_MODE_REL_HARD);
	}
	sim_unlock(out, flags);
	return ret;
}

int sim_output_enable(struct sim_output *out, bool on)
{
	if (!on)
		sim_output_silence(out);
	if (out->bus)
		sim_wire_drain(out);
	if (on)
		return sim_output_open(out);
	return sim_output_emitting(out) ? -EIO : 0;
}

void sim_output_beat(struct sim_output *out)
{
	if (!READ_ONCE(out->knobs->beat_lost))
		atomic64_set(&out->beat_ns, sim_now());
}

/* Shuts the port unless beats came; true: it did. Lock held. */
static bool sim_deadman_bites(struct sim_output *out, s64 left)
{
	int old = atomic_read(&out->port);
	int new;

	do {
		if ((old != SIM_DARK && !sim_port_on(old)) || left > 0)
			return false;
		new = old == SIM_DARK ? SIM_SHUT : SIM_DUE | HOLDFAST_LEDGER_DEADMAN;
	} while (!atomic_try_cmpxchg(&out->port, &old, new));
	return true;
}

static enum hrtimer_restart sim_deadman(struct hrtimer *timer)
{
	struct sim_output *out = container_of(timer, struct sim_output, deadman);
	enum hrtimer_restart again = HRTIMER_NORESTART;
	unsigned long flags;
	bool bites = false;
	int port;
	s64 left;

	raw_spin_lock_irqsave(&out->lock, flags);
	/* Enabled anew while this call waited for the lock: that start counts. */
	if (!hrtimer_is_queued(timer)) {
		left = atomic64_read(&out->beat_ns) + out->deadman_ns - sim_now();
		port = atomic_read(&out->port);
		bites = sim_deadman_bites(out, left);
		/* Switched off, it sleeps until it is enabled again. */
		if (left > 0 && (port == SIM_DARK || sim_port_on(port))) {
			hrtimer_set_expires(timer, ktime_add_ns(ktime_get(), left));
			again = HRTIMER_RESTART;
		}
	}
	sim_unlock(out, flags);
	if (bites)
		out->deadman_fired(out);
	return again;
}

/* After it returns the dead-man does not fire and cannot be started. */
void sim_output_deadman_stop(struct sim_output *out)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&out->lock, flags);
	out->deadman_off = true;
	sim_unlock(out, flags);
	hrtimer_cancel(&out->deadman);
}

/* Energy drawn so far, pJ, wrapping; and the power drawn now. */
u64 sim_output_energy(struct sim_output *out, u64 now_ns, u64 *power_uw)
{
	unsigned long flags;
	u64 pj;

	raw_spin_lock_irqsave(&out->lock, flags);
	sim_account(out, now_ns, out->power_uw);
	pj = out->energy_pj;
	*power_uw = out->power_uw;
	sim_unlock(out, flags);
	return pj;
}

static u32 *sim_level_table(const struct sim_shape *shape)
{
	u64 n = shape->amp_levels;
	u32 *uw = kvcalloc(n + 1, sizeof(*uw), GFP_KERNEL);
	u64 i;

	if (!uw)
		return NULL;
	for (i = 1; i <= n; i++)
		uw[i] = shape->p_drive_uw + div64_u64(shape->p_acoustic_uw * i * i, n * n);
	return uw;
}

/**
 * sim_output_start() - power up, dark and shut
 * @out:	zeroed but for name, knobs, link and deadman_fired
 * @shape:	of the array
 * @channels:	it has
 * @ledger:	to write into
 *
 * Return: 0 or -ENOMEM; then sim_output_stop() is still due.
 */
int sim_output_start(struct sim_output *out, const struct sim_shape *shape, u32 channels,
		     struct sim_ledger *ledger)
{
	raw_spin_lock_init(&out->lock);
	atomic_set(&out->port, SIM_SHUT);
	atomic_set(&out->powered, 1);
	out->ledger = ledger;
	out->channels = channels;
	out->amp_levels = shape->amp_levels;
	out->bus = shape->bus;
	out->deadman_ns = shape->deadman_ms * NSEC_PER_MSEC;
	out->energy_ns = sim_now();
	hrtimer_setup(&out->deadman, sim_deadman, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	sim_wire_init(out, shape->baud);
	out->level_uw = sim_level_table(shape);
	out->tx_phase = kvcalloc(channels, sizeof(u16), GFP_KERNEL);
	out->tx_level = kvcalloc(channels, sizeof(u16), GFP_KERNEL);
	return out->level_uw && out->tx_phase && out->tx_level ? 0 : -ENOMEM;
}

/* No op is called any more. */
void sim_output_stop(struct sim_output *out)
{
	sim_output_deadman_stop(out);
	hrtimer_cancel(&out->tx_timer);
	kvfree(out->level_uw);
	kvfree(out->tx_phase);
	kvfree(out->tx_level);
	out->level_uw = NULL;
	out->tx_phase = NULL;
	out->tx_level = NULL;
}
