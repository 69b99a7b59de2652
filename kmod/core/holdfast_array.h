/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a hardware driver sees of Holdfast: describe an array, register it,
 * report faults. The only header of core that sim/ and serial/ may include.
 */
#ifndef HOLDFAST_ARRAY_H
#define HOLDFAST_ARRAY_H

#include <linux/device.h>
#include <linux/types.h>

#include "rules/admit.h"
#include "rules/nameplate.h"
#include "rules/sensors.h"

struct hf_array;

/* struct hf_array_desc.flags */
#define HF_HW_ATOMIC	BIT(0)	/* commit() may be called under a raw lock, interrupts off */
#define HF_HW_DEADMAN	BIT(1)	/* the hardware falls silent by itself without beat_hw() */
#define HF_HW_SIMULATED	BIT(2)	/* nothing real is behind it */

/**
 * struct hf_array_ops - what a hardware driver implements
 *
 * @enable: open (@on) or close the gate and prepare the outputs. May sleep;
 *	never runs beside commit(). After enable(true) outputs stay off until the
 *	first commit(). Required.
 * @commit: put one frame of wire values on the outputs. With HF_HW_ATOMIC it
 *	runs with interrupts off under a raw spinlock and must not sleep;
 *	otherwise it may sleep. @wire stays valid during the call only. Returns 0
 *	or -errno; an error trips the array (link fault). A frame that silence()
 *	overtakes must never reach the outputs, and then commit() returns
 *	-ESHUTDOWN. Required.
 * @silence: outputs off, now. Any context, hard interrupt and panic included;
 *	lock-free or raw trylock only, idempotent, never sleeps or allocates. When
 *	the bus cannot be written there it closes the gate, so that no later byte
 *	of a frame passes, and sends the off sequence from the most urgent context
 *	the bus allows, within @silence_bound_ns. Required.
 * @read_sensors: fill @s[0..n-1], one per nameplate sensor, in order. A sensor
 *	with no reading has present = false. May sleep, but a call longer than the
 *	sensor deadline trips the array. Required when the nameplate has sensors.
 * @confirm_silent: 1 outputs are off, 0 they are not, -EOPNOTSUPP this hardware can
 *	never tell, another -errno: no answer, which counts as not off.
 *	May sleep. Optional.
 * @beat_hw: pet the hardware's dead-man. Hard interrupt. Only called while the
 *	governor is well. Required with HF_HW_DEADMAN.
 * @cut_power: remove power from the outputs, for good until the next enable().
 *	Any context, like silence(). Optional.
 * @self_test: 0 or -errno. May sleep; only while silent or tripped. Optional.
 */
struct hf_array_ops {
	int (*enable)(void *priv, bool on);
	int (*commit)(void *priv, const struct hf_wire *wire);
	void (*silence)(void *priv);
	void (*read_sensors)(void *priv, struct hf_raw_sample *s, u32 n);
	int (*confirm_silent)(void *priv);
	void (*beat_hw)(void *priv);
	void (*cut_power)(void *priv);
	int (*self_test)(void *priv);
};

/**
 * struct hf_array_desc - one array, as its driver describes it
 * @model:	what kind, for people; at most 31 characters
 * @serial:	unique and stable for this piece of hardware ([A-Za-z0-9._-]),
 *		at most 31 characters: /dev/holdfast/by-id/<model>-<serial>, and
 *		what a sealed envelope is remembered by
 * @owner:	module of the driver, pinned while armed or sealed
 * @ops:	see above; must outlive the registration
 * @priv:	handed to every op
 * @nameplate:	copied at registration
 * @flags:	HF_HW_*
 * @silence_bound_ns:	worst case from silence() to no emission
 * @commit_ns:	least time from commit() being called to the outputs changing; 0 = at
 *	once. From it follows how far apart two frames really are.
 * @sensor_period_ms:	how often read_sensors() is called, 2..1000; 0 = 50
 */
struct hf_array_desc {
	const char *model;
	const char *serial;
	struct module *owner;
	const struct hf_array_ops *ops;
	void *priv;
	const struct hf_nameplate *nameplate;
	u32 flags;
	u64 silence_bound_ns;
	u64 commit_ns;
	u32 sensor_period_ms;
};

/**
 * holdfast_array_register() - make an array known; it starts silent and latched
 * @parent:	device of the hardware, or NULL
 * @desc:	its description; copied, but for @ops and @priv
 *
 * Calls enable(false) and silence() first of all.
 * Context: process, may sleep.
 * Return: the array, or ERR_PTR: -EINVAL (a bad description; the log says
 * which field), -EEXIST (serial in use), -ENOSPC, -ENOMEM.
 */
struct hf_array *holdfast_array_register(struct device *parent, const struct hf_array_desc *desc);

/**
 * holdfast_array_unregister() - the hardware goes
 * @a:	from holdfast_array_register()
 *
 * Silences first, then waits for calls into the ops to end; none is made after
 * it returns. Files still open answer -ENODEV, poll reports POLLHUP.
 * Context: process, may sleep.
 */
void holdfast_array_unregister(struct hf_array *a);

/* What hardware can report on its own. */
enum hf_hw_fault {
	HF_HW_LINK_LOST,	/* it does not answer */
	HF_HW_LINK_FAULT,	/* it answers with errors */
	HF_HW_DEADMAN_FIRED,
	HF_HW_GOING,		/* about to be removed */
};

/**
 * holdfast_array_fault() - report a fault; trips the array
 * @a:	the array
 * @fault:	what it is
 * Context: any but NMI.
 */
void holdfast_array_fault(struct hf_array *a, enum hf_hw_fault fault);

/**
 * holdfast_envelope_loosest() - start value for nameplate limits
 * @e:	filled with every limit at its loosest, all channels, no fence
 * Context: any.
 */
void holdfast_envelope_loosest(struct hf_envelope *e);

/**
 * holdfast_limit_by_name() - find a limit by its name ("temp_crit")
 * @name:	NUL-terminated
 * Context: any.
 * Return: enum hf_limit, or -ENOENT.
 */
int holdfast_limit_by_name(const char *name);

#endif /* HOLDFAST_ARRAY_H */
