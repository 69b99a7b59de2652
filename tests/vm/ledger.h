/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The emission ledger from a test's side: reading it, putting emissions
 * together from its records, and the physics that judges them, in double
 * precision and from wire values alone. Nothing in here asks the driver
 * anything but what the hardware is (struct holdfast_info).
 */
#ifndef LEDGER_H
#define LEDGER_H

#include <complex.h>
#include <math.h>

#include "scene.h"

/* One emission: a frame as it was held, from its record to the next one. */
struct emission {
	__u64 seq;
	__u64 begin_ns;
	__u64 end_ns;		/* time of the record that ended it; UINT64_MAX: still on */
	__u64 end_late_ns;	/* by which the simulated bus was late to end it, not the driver */
	__u32 end_kind;		/* enum holdfast_ledger_kind of that record; 0: still on */
	__u32 channels;
	const __u16 *phase;	/* wire steps [channels] */
	const __u16 *level;
};

/* An open ledger. */
struct ledger {
	int fd;
	__u32 channels;
	unsigned char *buf;	/* records read and not yet given out */
	size_t size, have, at;
	__u64 seq;		/* of the last record given out */
	__u64 lost;		/* records that were missed */
	__u64 disorder;		/* sequence numbers or times that did not go up */
	__u64 time_ns;		/* of the last record */
	__u64 records;
};

/* Opens the ledger of @s, from the oldest record kept. (dies) */
void ledger_open(struct ledger *l, const struct scene_array *s);
void ledger_close(struct ledger *l);
/* The array's ledger begins anew. (dies) */
void ledger_clear(struct ledger *l);

/*
 * The next record, waiting up to @timeout_ms (0: not at all). 1: @rec is set,
 * valid until the next call; 0: none came; -ENODEV: the array is gone and all
 * has been read. LOST records and gaps are counted, LOST is given out too.
 */
int ledger_next(struct ledger *l, const struct holdfast_ledger_record **rec, int timeout_ms);

static inline const __u16 *ledger_phases(const struct holdfast_ledger_record *r)
{
	return (const __u16 *)(r + 1);
}

static inline const __u16 *ledger_levels(const struct holdfast_ledger_record *r)
{
	return ledger_phases(r) + r->channels;
}

/* Emissions of a whole test, kept in memory. */
struct emissions {
	struct emission *e;
	size_t count, room;
	bool on;		/* the last of them has not ended */
	__u64 offs;		/* records that ended emission, by whatever cause */
	__u64 dark_seq;		/* last record of those kinds */
	__u64 dark_ns;
};

/* Takes in one record. (dies if there is no memory) */
void emissions_take(struct emissions *es, const struct holdfast_ledger_record *rec);
/* All records there are now, waiting for none. Records read. */
size_t emissions_read(struct emissions *es, struct ledger *l);
void emissions_free(struct emissions *es);
/* Was anything on at any time within [from, to)? The emission, or NULL. */
const struct emission *emissions_within(const struct emissions *es, __u64 from_ns, __u64 to_ns);

/*
 * When did emission end that was on at @from_ns? Reads the ledger until it is
 * dark, for up to @timeout_ms. Its end in ns; 0: still on. For tests of how fast
 * something silences: (end - from) is the time it took.
 */
__u64 emissions_dark_after(struct emissions *es, struct ledger *l, __u64 from_ns,
			   unsigned int timeout_ms);

/* ------------------------------------------------------------------- physics */

/* What of the array the physics needs, in SI units. */
struct physics {
	__u32 channels;
	__u32 phase_levels;
	__u32 amp_levels;
	double p0_pam;		/* worst case, Pa m peak at full drive */
	double k;		/* wave number, rad/m */
	double aperture_m;	/* 0: omnidirectional */
	double p_drive_uw;
	double p_acoustic_uw;
	const struct holdfast_channel_pos *pos;
	double complex *turn;	/* exp(2 pi i k / phase_levels), [phase_levels] */
};

/* From what the array says of itself (@s live). (dies if there is no memory) */
void physics_init(struct physics *p, const struct scene_array *s);
void physics_free(struct physics *p);

/*
 * Complex gain of every channel at a point, Pa at full drive: P0/d, times the
 * directivity of a piston, times exp(i k d). Distances below 2 mm count as 2 mm,
 * in front (docs/field.md). @g[channels].
 */
void physics_gains(const struct physics *p, double x_m, double y_m, double z_m, double complex *g);

/* Peak pressure, Pa, of wire values at the point of @g. */
double physics_pressure(const struct physics *p, const double complex *g, const __u16 *phase,
			const __u16 *level);
/* The same for a point in um, gains computed for this call alone. */
double physics_pressure_at(const struct physics *p, __s32 x_um, __s32 y_um, __s32 z_um,
			   const __u16 *phase, const __u16 *level);

/* Modelled electrical power of wire levels, uW. */
double physics_power_uw(const struct physics *p, const __u16 *level);

/* Wire values of a request, as docs/uapi.md says: phase to the nearest step, amplitude down. */
__u16 physics_phase_step(const struct physics *p, __u16 phase);
__u16 physics_level(const struct physics *p, __u16 amp);

/* Distance of two wire phases, turns (0..0.5). */
double physics_phase_change(const struct physics *p, __u16 a, __u16 b);

/*
 * The ideal drive of a channel for foci alone (HOLDFAST_FRAME_COMPUTE), 65535 =
 * full: sum of amp exp(2 pi i (phase - d / wavelength)). @far: out: the longest d
 * in wavelengths; or NULL.
 */
double complex physics_drive(const struct physics *p, const struct holdfast_focus *foci,
			     unsigned int n, __u32 channel, double *far);

/*
 * Is a channel at these wire values what such a frame makes of it, within the
 * errors that docs/field.md states? @less: its level may be lower (attenuated).
 * Off is always right.
 */
bool physics_foci_made(const struct physics *p, const struct holdfast_frame *f, __u32 channel,
		       __u16 phase, __u16 level, bool less);

#endif /* LEDGER_H */
