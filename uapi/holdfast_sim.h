/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The emission ledger of a simulated array: what its transducers emitted,
 * change by change, as the simulated output stage saw it. Read from
 * /dev/holdfast_ledger-<serial>; kept apart from every counter of the driver.
 */
#ifndef _UAPI_HOLDFAST_SIM_H
#define _UAPI_HOLDFAST_SIM_H

#include <linux/types.h>

#define HOLDFAST_LEDGER_MAGIC	0x31444c48U	/* "HLD1" */

enum holdfast_ledger_kind {
	HOLDFAST_LEDGER_FRAME	= 1,	/* outputs changed to a frame with something on */
	HOLDFAST_LEDGER_OFF	= 2,	/* outputs went off (commanded) */
	HOLDFAST_LEDGER_POWER	= 3,	/* power was cut */
	HOLDFAST_LEDGER_DEADMAN	= 4,	/* the hardware's own dead-man took the outputs off */
	HOLDFAST_LEDGER_GONE	= 5,	/* the device was removed; outputs off */
	HOLDFAST_LEDGER_LOST	= 6,	/* the reader was too slow: @value records are missing */
};

/**
 * struct holdfast_ledger_record - one change of the outputs
 * @magic:	HOLDFAST_LEDGER_MAGIC
 * @size:	bytes of the record: this header, and for FRAME u16 phase[@channels]
 *		(wire steps) and u16 level[@channels] (wire steps)
 * @seq:	1, 2, 3, ... without gaps (LOST stands for those it counts)
 * @time_ns:	CLOCK_MONOTONIC when the transducers changed
 * @value:	LOST: records missing; OFF of an array behind a bus: ns by which the
 *		simulation of the bus was late (a guest that stood still; a line does
 *		not); else 0
 *
 * read(2) returns whole records only (-EMSGSIZE: buffer too small for the
 * next); blocks, or -EAGAIN with O_NONBLOCK; poll(2) works. Each open file
 * reads from the oldest record kept. A write of "clear" forgets all.
 */
struct holdfast_ledger_record {
	__u32 magic;
	__u32 size;
	__u32 kind;
	__u16 channels;
	__u16 reserved;
	__u64 seq;
	__u64 time_ns;
	__u64 value;
};

#endif /* _UAPI_HOLDFAST_SIM_H */
