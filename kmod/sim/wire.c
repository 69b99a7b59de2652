// SPDX-License-Identifier: GPL-2.0
/*
 * The bus between an output stage of kind "bus" and its driver: one frame at a
 * time, byte after byte, as on a serial line. Silence shuts the gate at once,
 * but the transducers go off when the first of the two off frames has arrived
 * (two, because the hardware swaps a front and a back buffer).
 */
#include <linux/delay.h>
#include <linux/ktime.h>

#include "sim.h"

#define SIM_BITS_PER_BYTE	10	/* 8N1 */
#define SIM_FRAME_OVERHEAD	2	/* start and commit */
#define SIM_UART_FIFO		16	/* bytes that cannot be recalled */

static u32 sim_byte_ns(u32 baud)
{
	return DIV_ROUND_UP_ULL((u64)SIM_BITS_PER_BYTE * NSEC_PER_SEC, baud);
}

u64 sim_wire_frame_ns(u32 channels, u32 baud)
{
	return (u64)(channels + SIM_FRAME_OVERHEAD) * sim_byte_ns(baud);
}

/* From silence to no emission, and both buffers off. */
u64 sim_wire_bound_ns(u32 channels, u32 baud)
{
	return SIM_UART_FIFO * (u64)sim_byte_ns(baud) + 2 * sim_wire_frame_ns(channels, baud);
}

static u64 sim_bytes_ns(const struct sim_output *out, u32 bytes)
{
	return (u64)bytes * out->byte_ns;
}

/*
 * The first off frame has arrived, on a real line at @due_ns (0: now); @link
 * lost or a stuck stage: nothing changes.
 */
static void sim_wire_off_arrived(struct sim_output *out, u64 due_ns)
{
	lockdep_assert_held(&out->lock);
	if (READ_ONCE(*out->link) == SIM_LINK_LOST || READ_ONCE(out->knobs->silence_stuck))
		return;
	/* The record follows as the lock is let go. */
	if (atomic_cmpxchg(&out->port, SIM_FADING, SIM_DUE | HOLDFAST_LEDGER_OFF) == SIM_FADING)
		out->tx_off_ns = due_ns;
}

/* With the machine going down no timer may come: send it here and now. */
static void sim_wire_off_polled(struct sim_output *out)
{
	u64 us = div_u64(sim_bytes_ns(out, SIM_UART_FIFO + out->frame_bytes), NSEC_PER_USEC);

	mdelay(div_u64(us, USEC_PER_MSEC) + 1);
	sim_wire_off_arrived(out, 0);
	out->tx = SIM_TX_IDLE;
}

/* Drops a frame on its way and sends the off sequence, if there is anything to switch off. */
void sim_wire_off_locked(struct sim_output *out)
{
	lockdep_assert_held(&out->lock);
	if (out->tx == SIM_TX_OFF1 || out->tx == SIM_TX_OFF2)
		return;
	if (out->tx == SIM_TX_IDLE && atomic_read(&out->port) != SIM_FADING)
		return;
	if (out->tx == SIM_TX_FRAME)
		out->tx_result = -ESHUTDOWN;
	if (oops_in_progress) {
		sim_wire_off_polled(out);
		return;
	}
	out->tx = SIM_TX_OFF1;
	hrtimer_start(&out->tx_timer,
		      ns_to_ktime(sim_bytes_ns(out, SIM_UART_FIFO + out->frame_bytes)),
		      HRTIMER_MODE_REL_HARD);
}

/* The last byte of what was on the wire has arrived. */
static enum hrtimer_restart sim_wire_done(struct hrtimer *timer)
{
	struct sim_output *out = container_of(timer, struct sim_output, tx_timer);
	enum hrtimer_restart again = HRTIMER_NORESTART;
	unsigned long flags;

	raw_spin_lock_irqsave(&out->lock, flags);
	/* Started anew while this call waited for the lock: that one will be called. */
	if (hrtimer_is_queued(timer))
		goto out;
	switch (out->tx) {
	case SIM_TX_FRAME:
		out->tx_result = READ_ONCE(*out->link) == SIM_LINK_LOST ? -EIO :
				 sim_apply(out, out->tx_phase, out->tx_level);
		out->tx = SIM_TX_IDLE;
		break;
	case SIM_TX_OFF1:
		sim_wire_off_arrived(out, ktime_to_ns(hrtimer_get_expires(timer)));
		out->tx = SIM_TX_OFF2;
		hrtimer_forward_now(timer, ns_to_ktime(sim_bytes_ns(out, out->frame_bytes)));
		again = HRTIMER_RESTART;
		break;
	case SIM_TX_OFF2:
		out->tx = SIM_TX_IDLE;
		break;
	case SIM_TX_IDLE:
		break;
	}
	if (out->tx == SIM_TX_IDLE && out->tx_waiter) {
		out->tx_waiter = false;
		complete(&out->tx_done);
	}
out:
	sim_unlock(out, flags);
	return again;
}

/* Puts one frame on the wire and sleeps until it has arrived or been dropped. */
int sim_wire_commit(struct sim_output *out, const struct hf_wire *wire)
{
	unsigned long flags;
	int port;

	raw_spin_lock_irqsave(&out->lock, flags);
	port = atomic_read(&out->port);
	if ((port != SIM_LIT && port != SIM_DARK) || out->tx != SIM_TX_IDLE) {
		sim_unlock(out, flags);
		return -ESHUTDOWN;
	}
	memcpy(out->tx_phase, wire->phase, out->channels * sizeof(u16));
	memcpy(out->tx_level, wire->level, out->channels * sizeof(u16));
	reinit_completion(&out->tx_done);
	out->tx_waiter = true;
	out->tx = SIM_TX_FRAME;
	hrtimer_start(&out->tx_timer, ns_to_ktime(sim_bytes_ns(out, out->frame_bytes)),
		      HRTIMER_MODE_REL_HARD);
	sim_unlock(out, flags);

	wait_for_completion(&out->tx_done);
	return READ_ONCE(out->tx_result);
}

/* Sleeps until nothing is on the wire. */
void sim_wire_drain(struct sim_output *out)
{
	while (READ_ONCE(out->tx) != SIM_TX_IDLE)
		usleep_range(500, 1000);
}

void sim_wire_init(struct sim_output *out, u32 baud)
{
	out->byte_ns = sim_byte_ns(baud);
	out->frame_bytes = out->channels + SIM_FRAME_OVERHEAD;
	init_completion(&out->tx_done);
	hrtimer_setup(&out->tx_timer, sim_wire_done, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
}
