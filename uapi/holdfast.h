/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Holdfast: the contract between the kernel driver and every program.
 *
 * Shared verbatim by kernel and userspace. Only fixed-width types and explicit
 * padding, so that a 32-bit program works on a 64-bit kernel without
 * translation (tests/vm/abi-layout.sh). Never put anything kernel-internal in here.
 *
 * Rules that hold for every structure with a leading @size:
 *  - the caller sets @size to sizeof() of the structure it was compiled with
 *    (the openat2(2) convention): a longer one is accepted when the surplus is
 *    zero (-E2BIG otherwise), a shorter one is extended with zeros;
 *  - every reserved field and every unknown flag must be zero (-EINVAL).
 *
 * Units: milli-degC (_mc), mK, mV, mA, uW, mPa (peak), um, ns, ms;
 * phase: u16 fraction of a turn; amplitude: u16 Q0.16 of full drive.
 */
#ifndef _UAPI_HOLDFAST_H
#define _UAPI_HOLDFAST_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define HOLDFAST_ABI_VERSION	1

#define HOLDFAST_MAX_CHANNELS	1024
#define HOLDFAST_MAX_FENCE	64	/* fence points in one effective envelope */
#define HOLDFAST_MAX_SURFACE	4096	/* points of an array's surface */
#define HOLDFAST_MAX_FOCI	8	/* declared foci in one frame */
#define HOLDFAST_MAX_SENSORS	16
#define HOLDFAST_MAX_LEASES	16	/* live leases of one array */
#define HOLDFAST_MAX_TENANTS	64	/* of one array at once: see struct holdfast_quota */
#define HOLDFAST_MAX_BATCH	1024	/* frames in one submission */
#define HOLDFAST_LABEL_LEN	32
#define HOLDFAST_COMM_LEN	16
#define HOLDFAST_CORR_LEN	16	/* correlation id: opaque, all zero = none */

/* "where" of a reason that has no place */
#define HOLDFAST_NOWHERE	0xffffffffU

enum holdfast_state {
	HOLDFAST_STATE_SILENT	= 0,	/* outputs off, not armed */
	HOLDFAST_STATE_ARMED	= 1,	/* outputs off, frames accepted */
	HOLDFAST_STATE_EMITTING	= 2,
	HOLDFAST_STATE_TRIPPED	= 3,	/* latched off until reset */
};

enum holdfast_verdict {
	HOLDFAST_VERDICT_ADMIT		= 0,
	HOLDFAST_VERDICT_ATTENUATE	= 1,	/* admitted with all amplitudes scaled down */
	HOLDFAST_VERDICT_REJECT		= 2,
	HOLDFAST_VERDICT_QUEUED		= 3,	/* taken into the queue; its verdict comes later */
};

enum holdfast_severity {
	HOLDFAST_SEV_INFO	= 0,
	HOLDFAST_SEV_WARNING	= 1,	/* derate, event */
	HOLDFAST_SEV_CRITICAL	= 2,	/* trip */
	HOLDFAST_SEV_EMERGENCY	= 3,	/* trip, power cut; reset needs a passed self-test */
};

/*
 * Limits. A ceiling is tighter when smaller, a floor is tighter when larger;
 * which is which, the unit and the range of each: kmod/rules/limits.h, and at
 * run time HOLDFAST_IOC_LIMIT_INFO.
 */
enum holdfast_limit {
	HOLDFAST_LIM_AMP_CAP		= 0,	/* Q0.16 per channel */
	HOLDFAST_LIM_DRIVE_DUTY		= 1,	/* Q0.16 of the carrier period, 32768 = 50 % */
	HOLDFAST_LIM_SLEW_PHASE		= 2,	/* turn/65536 per ms; not from off to on */
	HOLDFAST_LIM_SLEW_AMP		= 3,	/* Q0.16 per ms, rises only */
	HOLDFAST_LIM_FRAME_INTERVAL	= 4,	/* ns, floor */
	HOLDFAST_LIM_POWER_INST		= 5,	/* uW, modelled electrical power of the frame */
	HOLDFAST_LIM_POWER_AVG		= 6,	/* uW, first-order average */
	HOLDFAST_LIM_CHAN_RISE		= 7,	/* mK, modelled rise of the hottest channel */
	HOLDFAST_LIM_ARRAY_RISE		= 8,	/* mK, modelled rise of the array */
	HOLDFAST_LIM_TEMP_WARN		= 9,	/* mC, measured: derating starts */
	HOLDFAST_LIM_TEMP_CRIT		= 10,	/* mC, measured: trip */
	HOLDFAST_LIM_TEMP_EMERG		= 11,	/* mC, measured: trip and power cut */
	HOLDFAST_LIM_TEMP_RATE		= 12,	/* mK/s, measured rate of rise */
	HOLDFAST_LIM_SUPPLY_MIN		= 13,	/* mV, floor */
	HOLDFAST_LIM_SUPPLY_MAX		= 14,	/* mV */
	HOLDFAST_LIM_CURRENT		= 15,	/* mA */
	HOLDFAST_LIM_CURRENT_TIME	= 16,	/* ms that the current may stay above it */
	HOLDFAST_LIM_FAN_MIN		= 17,	/* rpm, floor */
	HOLDFAST_LIM_FOCAL_PRESSURE	= 18,	/* mPa peak at a declared focus */
	HOLDFAST_LIM_FENCE_PRESSURE	= 19,	/* mPa peak at any fence point */
	HOLDFAST_LIM_DOSE		= 20,	/* Pa^2 s in 24 h at any site fence point */
	HOLDFAST_LIM_BOX_MIN_X		= 21,	/* um, floor; workspace of declared foci */
	HOLDFAST_LIM_BOX_MIN_Y		= 22,
	HOLDFAST_LIM_BOX_MIN_Z		= 23,
	HOLDFAST_LIM_BOX_MAX_X		= 24,	/* um */
	HOLDFAST_LIM_BOX_MAX_Y		= 25,
	HOLDFAST_LIM_BOX_MAX_Z		= 26,
	HOLDFAST_LIM_EMIT_MAX		= 27,	/* ms of continuous emission */
	HOLDFAST_LIM_EMIT_REST		= 28,	/* ms, floor: rest after that */
	HOLDFAST_LIM_EMIT_DUTY		= 29,	/* ppm of time, first-order average over 60 s */
	HOLDFAST_LIM_HOLD		= 30,	/* ms that the last frame is held before silence */
	HOLDFAST_LIM_KEEPER_DEADLINE	= 31,	/* ms between two beats */
	HOLDFAST_LIM_SENSOR_STALE	= 32,	/* ms since the last good sample */
	HOLDFAST_LIM_REJECT_BURST	= 33,	/* rejected frames within REJECT_WINDOW */
	HOLDFAST_LIM_REJECT_WINDOW	= 34,	/* ms, floor */
	HOLDFAST_LIM_TRIP_DWELL		= 35,	/* ms, floor: trip to earliest reset */
	HOLDFAST_LIM_SILENCE_BOUND	= 36,	/* us, worst case from command to silence */
	HOLDFAST_LIM_TICK_LATE		= 37,	/* ms that the governor's own tick may be late */
	HOLDFAST_LIM_SURFACE_MEAN	= 38,	/* mPa peak, root of its mean square over 60 s */
	HOLDFAST_LIM_COUNT		= 39,	/* not ABI: grows */
};

#define HOLDFAST_LIM_QUOTA	256U		/* + enum holdfast_quota_kind: only in reasons */
#define HOLDFAST_LIM_NONE	0xffffffffU	/* a reason that is no limit's */
#define HOLDFAST_LIM_ROOM	64		/* slots in struct holdfast_envelope */

/* Why an array tripped. */
enum holdfast_cause {
	HOLDFAST_CAUSE_NONE		= 0,
	HOLDFAST_CAUSE_OPERATOR		= 1,	/* someone asked for a latched stop */
	HOLDFAST_CAUSE_KEEPER_DEADLINE	= 2,
	HOLDFAST_CAUSE_GOVERNOR_LATE	= 3,
	HOLDFAST_CAUSE_SENSOR_THREAD	= 4,	/* sensor or scan thread missed its deadline */
	HOLDFAST_CAUSE_TEMP_CRIT	= 5,
	HOLDFAST_CAUSE_TEMP_EMERG	= 6,
	HOLDFAST_CAUSE_TEMP_RATE	= 7,
	HOLDFAST_CAUSE_SUPPLY_UNDER	= 8,
	HOLDFAST_CAUSE_SUPPLY_OVER	= 9,
	HOLDFAST_CAUSE_CURRENT_OVER	= 10,
	HOLDFAST_CAUSE_FAN_FAILED	= 11,
	HOLDFAST_CAUSE_SENSOR_LOST	= 12,	/* the hardware says: no such reading */
	HOLDFAST_CAUSE_SENSOR_STALE	= 13,	/* no new reading in time */
	HOLDFAST_CAUSE_SENSOR_STUCK	= 14,	/* readings that never change */
	HOLDFAST_CAUSE_SENSOR_IMPLAUSIBLE = 15,	/* out of physical range, or a jump */
	HOLDFAST_CAUSE_REJECT_BURST	= 16,
	HOLDFAST_CAUSE_POWER_MODEL	= 17,
	HOLDFAST_CAUSE_THERMAL_MODEL	= 18,
	HOLDFAST_CAUSE_DOSE		= 19,
	HOLDFAST_CAUSE_LINK_LOST	= 20,	/* hardware does not answer */
	HOLDFAST_CAUSE_LINK_FAULT	= 21,	/* hardware answered with an error */
	HOLDFAST_CAUSE_SILENCE_UNCONFIRMED = 22, /* commanded off, read back on */
	HOLDFAST_CAUSE_SELF_TEST	= 23,
	HOLDFAST_CAUSE_HW_DEADMAN	= 24,	/* the hardware's own dead-man fired */
	HOLDFAST_CAUSE_HW_REMOVED	= 25,
	HOLDFAST_CAUSE_SUSPEND		= 26,
	HOLDFAST_CAUSE_REBOOT		= 27,
	HOLDFAST_CAUSE_PANIC		= 28,
	HOLDFAST_CAUSE_OOPS		= 29,
	HOLDFAST_CAUSE_INTERNAL		= 30,	/* an invariant of the governor did not hold */
	HOLDFAST_CAUSE_COUNT		= 31,	/* not ABI: grows */
};

enum holdfast_sensor_kind {
	HOLDFAST_SENSOR_TEMP	= 0,	/* mC */
	HOLDFAST_SENSOR_SUPPLY	= 1,	/* mV */
	HOLDFAST_SENSOR_CURRENT	= 2,	/* mA */
	HOLDFAST_SENSOR_FAN	= 3,	/* rpm */
};

/* What a quota counts, per tenant and array, over all its leases. */
enum holdfast_quota_kind {
	HOLDFAST_QUOTA_EMIT	= 0,	/* ms during which its frames were emitted */
	HOLDFAST_QUOTA_ENERGY	= 1,	/* uJ, modelled electrical energy of these frames */
	HOLDFAST_QUOTA_FRAMES	= 2,	/* admitted frames with sound; all-off frames are free */
	HOLDFAST_QUOTA_COUNT	= 3,	/* not ABI: grows */
};

#define HOLDFAST_QUOTA_ROOM	8		/* slots in struct holdfast_quota */
#define HOLDFAST_QUOTA_NONE	0xffffffffffffffffULL	/* a budget without bound; 0 is nothing */

/**
 * struct holdfast_reason - which limit, where, how much
 * @limit:	enum holdfast_limit; or HOLDFAST_LIM_QUOTA + enum holdfast_quota_kind
 *		(@measured is what the tenant has used, @bound its budget); or
 *		HOLDFAST_LIM_NONE
 * @where:	channel, fence or surface point, focus or sensor index; HOLDFAST_NOWHERE
 * @measured:	value found, in the unit of @limit
 * @bound:	value allowed, in the unit of @limit
 */
struct holdfast_reason {
	__u32 limit;
	__u32 where;
	__s64 measured;
	__s64 bound;
};

/* ------------------------------------------------------------------ frames */

#define HOLDFAST_FRAME_MAGIC	0x31464648U	/* "HFF1", little endian */

/* struct holdfast_frame.flags */
#define HOLDFAST_FRAME_ATTENUATE (1U << 0)	/* scale down instead of refusing */
#define HOLDFAST_FRAME_WAIT	(1U << 1)	/* sleep until FRAME_INTERVAL allows it */
#define HOLDFAST_FRAME_COMPUTE	(1U << 2)	/* foci alone; the kernel computes the rest */

/**
 * struct holdfast_frame - header of one frame as written to a lease
 * @magic:	HOLDFAST_FRAME_MAGIC
 * @size:	bytes of the whole frame: this header, then u16 phase[@channels],
 *		u16 amp[@channels], then struct holdfast_focus[@foci]; with
 *		HOLDFAST_FRAME_COMPUTE this header, then the foci
 * @flags:	HOLDFAST_FRAME_*
 * @channels:	must be the channel count of the array
 * @foci:	declared foci, 0..HOLDFAST_MAX_FOCI; with HOLDFAST_FRAME_COMPUTE at least 1
 * @cookie:	chosen by the program, given back in verdicts and events
 * @present_ns:	0: at once; else the time on CLOCK_MONOTONIC at which it is to be put
 *		out, out of the lease's queue (struct holdfast_queue)
 *
 * @size is a multiple of 4 by construction. Little-endian like the machine.
 *
 * A frame with phases of its own needs RIGHT_FRAMES and RIGHT_RAW, one with
 * HOLDFAST_FRAME_COMPUTE only RIGHT_FRAMES: of it the driver emits the superposition
 * of its foci (docs/field.md), each of which must lie within BOX_*.
 */
struct holdfast_frame {
	__u32 magic;
	__u32 size;
	__u32 flags;
	__u16 channels;
	__u16 foci;
	__u64 cookie;
	__u64 present_ns;
};

/**
 * struct holdfast_focus - a focus that a frame declares
 * @x_um: @y_um: @z_um:	position, within BOX_*
 * @amp:	with HOLDFAST_FRAME_COMPUTE: amplitude of every channel for this focus, share
 *		of the drive in Q0.16; of all foci of a frame together at most 65535
 *		(-EINVAL). Else 0
 * @phase:	with HOLDFAST_FRAME_COMPUTE: of the sound there, turn/65536. Else 0
 */
struct holdfast_focus {
	__s32 x_um;
	__s32 y_um;
	__s32 z_um;
	__u16 amp;
	__u16 phase;
};

/**
 * struct holdfast_frame_result - what became of one frame
 * @verdict:	enum holdfast_verdict
 * @error:	0, or a positive errno: ERANGE (a limit refused it), EDQUOT (a
 *		quota did), EINVAL (malformed), ENOTCONN (not armed), ESHUTDOWN
 *		(tripped), EBUSY (another tenant's frame is being emitted), ETIME
 *		(too late for its presentation time), ECANCELED (it was queued, and
 *		will not be put out), ...
 * @scale_q16:	factor applied to all amplitudes, 65536 = none
 * @reserved:	0
 * @cookie:	of the frame
 * @reason:	for reject and attenuate: the limit or quota that bound; with EKEYREVOKED
 *		REJECT_BURST if a burst of refused frames ended the lease
 */
struct holdfast_frame_result {
	__u32 verdict;
	__u32 error;
	__u32 scale_q16;
	__u32 reserved;
	__u64 cookie;
	struct holdfast_reason reason;
};

/* ------------------------------------------------------------------- ioctl */

#define HOLDFAST_IOC_MAGIC	0xDF

/* struct holdfast_info.caps: what the hardware is */
#define HOLDFAST_CAP_ATOMIC_SILENCE (1U << 0)	/* silenced from interrupt context at once */
#define HOLDFAST_CAP_HW_DEADMAN	(1U << 1)	/* the hardware falls silent on its own */
#define HOLDFAST_CAP_POWER_CUT	(1U << 2)
#define HOLDFAST_CAP_READBACK	(1U << 3)	/* silence can be confirmed */
#define HOLDFAST_CAP_SIMULATED	(1U << 4)
#define HOLDFAST_CAP_AMPLITUDE	(1U << 5)	/* more than on/off per channel */

/* HOLDFAST_IOC_INFO; any file of the array */
struct holdfast_info {
	__u32 size;
	__u32 abi;		/* HOLDFAST_ABI_VERSION */
	__u32 index;		/* N of /dev/holdfastN */
	__u32 caps;		/* HOLDFAST_CAP_* */
	__u32 channels;
	__u32 phase_levels;	/* wire steps per turn */
	__u32 amp_levels;	/* wire steps above off; 1 = on/off */
	__u32 sensors;
	__u64 instance;		/* random per registration */
	__u64 silence_bound_ns;	/* worst case from silence to no emission */
	__u32 wavelength_nm;
	__u32 aperture_um;	/* piston radius */
	__u64 p0_safety_upam;	/* uPa m at full drive, worst case: what the governor uses */
	__u64 p0_nominal_upam;	/* uPa m, for prediction */
	__u64 p_drive_uw;	/* per channel that is on */
	__u64 p_acoustic_uw;	/* per channel at full amplitude, scales with a^2 */
	char model[HOLDFAST_LABEL_LEN];
	char serial[HOLDFAST_LABEL_LEN];
};

struct holdfast_channel_pos {
	__s32 x_um;
	__s32 y_um;
	__s32 z_um;
	__s16 nx_q14;		/* unit normal, Q1.14 */
	__s16 ny_q14;
	__s16 nz_q14;
	__s16 reserved;
};

/* HOLDFAST_IOC_GEOMETRY: copies min(@count, channels) positions, sets @count to channels */
struct holdfast_geometry {
	__u32 size;
	__u32 count;
	__u64 pos;		/* user pointer to struct holdfast_channel_pos[@count] */
};

/* HOLDFAST_IOC_LIMIT_INFO: @limit in, the rest out */
struct holdfast_limit_info {
	__u32 size;
	__u32 limit;
	__u32 is_floor;
	__u32 reserved;
	__s64 min;
	__s64 max;
	char name[HOLDFAST_LABEL_LEN];
	char unit[HOLDFAST_LABEL_LEN];
};

/* HOLDFAST_IOC_SENSOR_INFO: @index in, the rest out */
struct holdfast_sensor_info {
	__u32 size;
	__u32 index;
	__u32 kind;		/* enum holdfast_sensor_kind */
	__u32 reserved;
	__s64 min;		/* plausible range */
	__s64 max;
	char label[HOLDFAST_LABEL_LEN];
};

/*
 * HOLDFAST_IOC_KEEPER_CLAIM: this file becomes the keeper. Needs a file opened
 * for writing and CAP_SYS_RAWIO. -EBUSY: another file is the keeper. Bumps the
 * epoch, ends all leases, ends silent.
 */
struct holdfast_keeper {
	__u32 size;
	__u32 flags;		/* 0 */
	__u64 epoch;		/* out */
	__u32 deadline_ms;	/* out: effective KEEPER_DEADLINE */
	__u32 reserved;
	__u64 event_seq;	/* out: newest event */
};

/*
 * HOLDFAST_IOC_BEAT, keeper only. -ESTALE: @epoch is not the current one.
 * @event_seq may not be ahead of the newest event (-EINVAL) and must not stay
 * behind an event older than KEEPER_DEADLINE (-ETIME: the beat does not count).
 */
struct holdfast_beat {
	__u32 size;
	__u32 flags;		/* 0 */
	__u64 epoch;
	__u64 event_seq;	/* last event the keeper has handled */
	__u64 newest_seq;	/* out */
};

#define HOLDFAST_RIGHT_FRAMES	(1U << 0)	/* submit frames: foci (FRAME_COMPUTE) */
#define HOLDFAST_RIGHT_RAW	(1U << 1)	/* frames with phases of their own */
#define HOLDFAST_RIGHT_ARM	(1U << 2)
#define HOLDFAST_RIGHT_RESET	(1U << 3)
#define HOLDFAST_RIGHT_ALL	0xfU

/*
 * HOLDFAST_IOC_LEASE_CREATE, keeper only. The new file is O_CLOEXEC.
 * Silencing needs no right. -ENOSPC: too many leases or tenants.
 *
 * While a frame of one tenant is being emitted, frames of other tenants are
 * refused (EBUSY).
 *
 * Frames that a limit refused count per tenant, over all its leases, past ones
 * too. REJECT_BURST of them within REJECT_WINDOW end all its leases, as if revoked
 * (EKEYREVOKED; LAST_VERDICT and results of SUBMIT name REJECT_BURST), and silence
 * the array if one of them emits; nobody else notices. One event says so (type
 * refused, detail burst). New leases may be made. Tenant 0 is nobody in
 * particular: a burst of frames of its leases trips the array. Otherwise it is a
 * tenant like any other.
 */
struct holdfast_lease {
	__u32 size;
	__u32 flags;		/* 0 */
	__u64 epoch;
	__u32 rights;		/* HOLDFAST_RIGHT_* */
	__u32 reserved;
	__u64 duration_ms;	/* 0: until revoked or the keeper goes */
	__u64 envelope;		/* user pointer to struct holdfast_envelope, or 0 */
	__u64 fence;		/* user pointer to struct holdfast_fence_point[@nfence], or 0 */
	__u32 nfence;
	__s32 fd;		/* out */
	__u64 id;		/* out, never reused */
	__u64 tenant;		/* whose; opaque to the kernel */
	char label[HOLDFAST_LABEL_LEN];
	__u8 corr[HOLDFAST_CORR_LEN];	/* of the request; in what its frames cause */
};

/* HOLDFAST_IOC_LEASE_REVOKE, keeper only; @id 0 revokes all. -ENOENT: no such lease */
struct holdfast_lease_ref {
	__u32 size;
	__u32 flags;		/* 0 */
	__u64 epoch;
	__u64 id;
	__u8 corr[HOLDFAST_CORR_LEN];	/* of the request, in its event; zero: the lease's */
};

/*
 * HOLDFAST_IOC_LEASE_LIST: copies min(@count, leases) entries of the live leases
 * that the caller may see, sets @count to how many these are. The keeper's file
 * and CAP_SYS_ADMIN see all, a lease those of its own tenant, others none.
 */
struct holdfast_lease_info {
	__u64 id;
	__u64 tenant;
	__u64 expires_ns;	/* CLOCK_MONOTONIC, 0 = never */
	__u64 admitted;
	__u64 attenuated;
	__u64 rejected;
	__u32 rights;
	__s32 pid;		/* last submitter, in the init pid namespace */
	char label[HOLDFAST_LABEL_LEN];
	__u8 corr[HOLDFAST_CORR_LEN];
};

#define HOLDFAST_LEASE_INFO_SIZE_0 88	/* up to @label: what @entry_size 0 means */

struct holdfast_lease_list {
	__u32 size;
	__u32 count;
	__u64 leases;		/* user pointer to struct holdfast_lease_info[@count] */
	__u32 entry_size;	/* sizeof(struct holdfast_lease_info) of the caller */
	__u32 reserved;
};

#define HOLDFAST_QUOTA_RESET	(1U << 0)	/* usage of the kinds in @set starts at 0 again */

/**
 * struct holdfast_quota - the budgets of one tenant (HOLDFAST_IOC_QUOTA_SET, keeper only)
 * @size:	sizeof
 * @flags:	HOLDFAST_QUOTA_*
 * @epoch:	current epoch, -ESTALE otherwise
 * @tenant:	as in struct holdfast_lease
 * @set:	bit k: budget[k] is given (others stay); 0: only tell
 * @reserved:	0
 * @budget:	by enum holdfast_quota_kind; out: all in force
 * @used:	out: what the tenant has used, rounded up
 * @corr:	of the request, in its event
 *
 * A budget bounds all that the tenant has used of this array, through all its
 * leases, since holdfast.ko was loaded or since the last HOLDFAST_QUOTA_RESET.
 * Ends of leases, trips, arming, changes of keeper and unplugging give nothing
 * back. A tenant that no quota was set for has none; to keep one from emitting at all
 * give it 0. It may be set before the tenant's first lease.
 *
 * When a budget is used up, frames of the tenant are refused with EDQUOT and
 * what it emits goes off at the governor's next tick (10 ms) at the latest; if
 * the new budget is used up already, before this call returns. Such refusals
 * never trip and are no part of REJECT_BURST. One event says so (type quota,
 * detail spent), the next only after budget or usage were set again. All-off
 * frames are always admitted.
 *
 * -ENOENT: @set is 0 and the tenant unknown; -ENOSPC: HOLDFAST_MAX_TENANTS have
 * leases, a quota, or refused frames that still count. The usage of a tenant with
 * none of these may be forgotten.
 */
struct holdfast_quota {
	__u32 size;
	__u32 flags;
	__u64 epoch;
	__u64 tenant;
	__u32 set;
	__u32 reserved;
	__u64 budget[HOLDFAST_QUOTA_ROOM];
	__u64 used[HOLDFAST_QUOTA_ROOM];
	__u8 corr[HOLDFAST_CORR_LEN];
};

/* A tenant and what it has used; see struct holdfast_quota. */
struct holdfast_tenant_info {
	__u64 tenant;
	__u32 leases;		/* live ones */
	__u32 reserved;
	__u64 budget[HOLDFAST_QUOTA_ROOM];
	__u64 used[HOLDFAST_QUOTA_ROOM];
};

/*
 * HOLDFAST_IOC_TENANT_LIST: copies min(@count, tenants) entries of the tenants
 * that the caller may see, sets @count to how many these are. Who sees what: as
 * in HOLDFAST_IOC_LEASE_LIST.
 */
struct holdfast_tenant_list {
	__u32 size;
	__u32 count;
	__u64 tenants;		/* user pointer to struct holdfast_tenant_info[@count] */
	__u32 entry_size;	/* sizeof(struct holdfast_tenant_info) of the caller */
	__u32 reserved;
};

/*
 * HOLDFAST_IOC_ARM: keeper file, or a lease with RIGHT_ARM. -EBUSY: not silent;
 * -ETIME: the keeper does not beat or has events to handle; -ERANGE: a limit
 * forbids it (@reason).
 * HOLDFAST_IOC_RESET: keeper file, or a lease with RIGHT_RESET. -EBUSY: not
 * tripped; -EAGAIN: dwell not over; -ERANGE: the cause stands (@reason);
 * -EKEYREJECTED: emergency, and no self-test has passed since the trip.
 */
struct holdfast_control {
	__u32 size;
	__u32 flags;		/* 0 */
	__u64 epoch;		/* keeper's; leases put 0 */
	struct holdfast_reason reason;	/* out */
	__u8 corr[HOLDFAST_CORR_LEN];	/* of the request, in its event; zero: the lease's */
};

#define HOLDFAST_SILENCE_LATCH	(1U << 0)	/* trip (cause operator) instead */

/* HOLDFAST_IOC_SILENCE: any file of the array, even one opened read-only */
struct holdfast_silence {
	__u32 size;
	__u32 flags;		/* HOLDFAST_SILENCE_* */
	__u8 corr[HOLDFAST_CORR_LEN];	/* of the request, in its event; zero: the lease's */
};

enum holdfast_envelope_which {
	HOLDFAST_ENV_NAMEPLATE	= 0,
	HOLDFAST_ENV_SITE	= 1,
	HOLDFAST_ENV_LEASE	= 2,	/* of the lease file asked */
	HOLDFAST_ENV_EFFECTIVE	= 3,	/* of the lease file asked; else nameplate and site */
};

/**
 * struct holdfast_envelope - a set of limits
 * @size:	sizeof
 * @which:	enum holdfast_envelope_which
 * @set:	bit i: limit[i] is given (others leave that limit alone)
 * @generation:	out: grows with every change
 * @sealed:	out
 * @reserved:	0
 * @limit:	by enum holdfast_limit
 * @mask:	bit per channel: may be driven. In: all ones or zeros-where-forbidden;
 *		with @set_mask 0 it is left alone
 * @reason:	out, on -ERANGE and -EPERM: the field that was refused
 *
 * HOLDFAST_IOC_ENVELOPE_GET: any file. ENVELOPE_SET: site only, CAP_SYS_ADMIN,
 * while silent or tripped (-EBUSY), before the seal (-EPERM). ENVELOPE_TIGHTEN:
 * site only, CAP_SYS_ADMIN or keeper, at any time; a looser value is -EPERM and
 * nothing changes.
 */
struct holdfast_envelope {
	__u32 size;
	__u32 which;
	__u64 set;
	__u64 generation;
	__u32 sealed;
	__u32 set_mask;
	__s64 limit[HOLDFAST_LIM_ROOM];
	__u64 mask[HOLDFAST_MAX_CHANNELS / 64];
	struct holdfast_reason reason;
};

/**
 * struct holdfast_fence_point - a protected point in space
 * @x_um: @y_um: @z_um:	position, +-10 m
 * @limit_mpa:	peak pressure allowed there, mPa; the tighter of this and FENCE_PRESSURE holds
 */
struct holdfast_fence_point {
	__s32 x_um;
	__s32 y_um;
	__s32 z_um;
	__u32 limit_mpa;
};

/*
 * HOLDFAST_IOC_FENCE_SET: replaces the site's fence; same conditions as
 * ENVELOPE_SET. HOLDFAST_IOC_FENCE_ADD: adds points, or tightens those at the
 * same place; same conditions as ENVELOPE_TIGHTEN. -ENOSPC: more than
 * HOLDFAST_MAX_FENCE in all. HOLDFAST_IOC_FENCE_GET: @which site, lease or
 * effective; copies min(@count, points), sets @count.
 */
struct holdfast_fence {
	__u32 size;
	__u32 which;
	__u32 count;
	__u32 reserved;
	__u64 points;		/* user pointer to struct holdfast_fence_point[@count] */
	struct holdfast_reason reason;	/* out */
};

/**
 * struct holdfast_surface_point - one point of the surface
 * @x_um: @y_um: @z_um:	position, +-10 m
 * @mean_mpa:	out: root of the first-order mean (60 s) of the squared peak pressure there,
 *		as of its last visit, rounded up; 0 for whom it is not told; in: 0
 */
struct holdfast_surface_point {
	__s32 x_um;
	__s32 y_um;
	__s32 z_um;
	__u32 mean_mpa;
};

/**
 * struct holdfast_surface - places where the pressure is bounded on average (SURFACE_MEAN)
 * @size:	sizeof
 * @count:	in: points given or room; out: points that there are (after an error: as given)
 * @points:	user pointer to struct holdfast_surface_point[@count]
 * @scan_ms:	out: every point is visited at least once within this time
 * @worst:	out: point with the largest mean; HOLDFAST_NOWHERE: no surface, or not told
 * @reason:	out, on -ERANGE: the point (as given) and its coordinate out of reach
 *
 * A thread visits the points in an order that is new each time round, and counts the upper
 * bound of the pressure of what is emitted at that moment for the time since the point's
 * last visit: sampled, not continuous (docs/safety.md). When a mean is above SURFACE_MEAN
 * the array rests: outputs off, armed, frames with sound refused with SURFACE_MEAN, which is
 * no part of REJECT_BURST, until the largest mean square is 1/16 below that limit's. Means
 * belong to the array, as dose does: no session, arming or unplugging makes them fresh.
 *
 * HOLDFAST_IOC_SURFACE_SET: replaces the surface (@count 0: none); same conditions as
 * ENVELOPE_SET. Points that stay in place keep their means. HOLDFAST_IOC_SURFACE_ADD:
 * adds points; same conditions as ENVELOPE_TIGHTEN. -ENOSPC: more than HOLDFAST_MAX_SURFACE
 * in all. HOLDFAST_IOC_SURFACE_GET: any file; copies min(@count, points). Means are
 * told to the keeper's file and CAP_SYS_ADMIN: who emits need not know when a point was visited.
 * Points are kept sorted by x, y, z, one per place: that order is meant by @worst and by reasons.
 */
struct holdfast_surface {
	__u32 size;
	__u32 count;
	__u64 points;
	__u32 scan_ms;
	__u32 worst;
	struct holdfast_reason reason;
};

/*
 * HOLDFAST_IOC_SEAL, CAP_SYS_ADMIN: from now until reboot the site envelope can
 * only be tightened and the module cannot be unloaded. Idempotent.
 */
struct holdfast_seal {
	__u32 size;
	__u32 flags;		/* 0 */
};

/* parts of a self-test, struct holdfast_self_test.failed */
#define HOLDFAST_TEST_RULES	(1U << 0)	/* known-answer tests of the rules */
#define HOLDFAST_TEST_SILENCE	(1U << 1)	/* outputs read back as off */
#define HOLDFAST_TEST_SENSORS	(1U << 2)	/* every sensor fresh and plausible */
#define HOLDFAST_TEST_HARDWARE	(1U << 3)	/* the hardware driver's own test */
#define HOLDFAST_TEST_TIMER	(1U << 4)	/* the governor ticks */

/* HOLDFAST_IOC_SELF_TEST: file opened for writing; -EBUSY: armed or emitting */
struct holdfast_self_test {
	__u32 size;
	__u32 flags;		/* 0 */
	__u32 run;		/* out: parts that were run */
	__u32 failed;		/* out: parts that failed */
	struct holdfast_reason reason;	/* out: of the first failure */
};

/**
 * struct holdfast_trip - the record of a trip (HOLDFAST_IOC_TRIP_GET)
 * @detect_ns:	CLOCK_MONOTONIC when the governor saw it
 * @silence_ns:	CLOCK_MONOTONIC after the silencing write
 * @real_ns:	CLOCK_REALTIME of @detect_ns
 * @onset_ns:	CLOCK_MONOTONIC of the sample or deadline that it judged
 *
 * @lease, @tenant, @cookie, @pid, @uid, @comm and @corr say who. They are told to
 * the keeper's file, to CAP_SYS_ADMIN, and to leases of the tenant they name;
 * others read 0 (@uid: all ones). All else is told to everybody.
 */
struct holdfast_trip {
	__u32 size;
	__u32 cause;		/* enum holdfast_cause; NONE: never tripped */
	__u32 severity;
	__u32 state_before;
	__u64 event_seq;
	__u64 onset_ns;
	__u64 detect_ns;
	__u64 silence_ns;
	__u64 real_ns;
	__u64 epoch;
	__u64 lease;		/* that emitted, or whose frames tripped; 0 = none */
	__u64 tenant;
	__u64 cookie;		/* of the last frame of that lease */
	__s32 pid;		/* its submitter, in the init pid namespace */
	__u32 uid;		/* in the init user namespace */
	char comm[HOLDFAST_COMM_LEN];
	struct holdfast_reason reason;
	__u32 confirmed;	/* 1: silence was read back; 0: commanded only */
	__u32 count;		/* trips since registration */
	__u8 corr[HOLDFAST_CORR_LEN];	/* of that lease, or of the silence with latch */
};

#define HOLDFAST_QUEUE_SET	(1U << 0)	/* set up; without it: only ask */
#define HOLDFAST_QUEUE_CANCEL	(1U << 1)	/* cancel what is queued, before anything else */

#define HOLDFAST_QUEUE_MAX_DEPTH	1024
#define HOLDFAST_QUEUE_MAX_NS		10000000000ULL	/* of @late_ns and @horizon_ns */
#define HOLDFAST_QUEUE_LATE_NS		10000000ULL	/* what 0 means */
#define HOLDFAST_QUEUE_HORIZON_NS	1000000000ULL	/* what 0 means */

/**
 * struct holdfast_queue - the play-out queue of a lease (HOLDFAST_IOC_QUEUE, lease file)
 * @size:	sizeof
 * @flags:	HOLDFAST_QUEUE_*
 * @depth:	frames that it can hold, 1..HOLDFAST_QUEUE_MAX_DEPTH; 0 out: no queue
 * @clock:	out: clock of all times here, CLOCK_MONOTONIC
 * @late_ns:	how late after its presentation time a frame may still be put out
 * @horizon_ns:	how far ahead a presentation time may lie
 * @queued:	out: frames in it now
 * @room:	out: frames that it would take now
 * @taken:	out: frames that it ever took; each is one of those below, or still queued
 * @played:	out: that were put out
 * @refused:	out: that a limit, a quota or the state of the array refused at their time
 * @late:	out: that were dropped with ETIME
 * @cancelled:	out: that were dropped with ECANCELED
 * @next_ns:	out: presentation time of the next frame, 0: none
 * @hold_ms:	out: limit HOLD in force: how long the last frame is held
 * @verdicts:	out: that wait for read(2)
 * @verdicts_lost: out: that were not read in time (2 * @depth are kept)
 *
 * Without a queue a frame with a presentation time is malformed. Times ascend
 * strictly within the queue (EINVAL), lie within the horizon (EDOM), and are not
 * past by more than @late_ns (ETIME). A full queue makes write(2) and SUBMIT
 * wait, or EAGAIN with O_NONBLOCK.
 *
 * A frame is judged at its time, by the limits as they are then. Silence, trip,
 * arming, change of keeper, end of the lease and of the process that submitted it
 * cancel it for good; that the output rests (HOLD, emission time) does not.
 * With FRAME_WAIT it waits beyond its time for the frame interval, up to @late_ns.
 *
 * read(2) of the lease gives the verdicts of queued frames (struct
 * holdfast_frame_result) in the order in which they were given, except those of
 * HOLDFAST_SUBMIT_QUEUE, which come with its completion.
 *
 * -EBUSY: the queue is not empty.
 */
struct holdfast_queue {
	__u32 size;
	__u32 flags;
	__u32 depth;
	__u32 clock;
	__u64 late_ns;
	__u64 horizon_ns;
	__u32 queued;
	__u32 room;
	__u64 taken;
	__u64 played;
	__u64 refused;
	__u64 late;
	__u64 cancelled;
	__u64 next_ns;
	__u32 hold_ms;
	__u32 verdicts;
	__u64 verdicts_lost;
};

/* struct holdfast_submit.flags */
#define HOLDFAST_SUBMIT_QUEUE	(1U << 0)	/* io_uring only, see HOLDFAST_URING_CMD_SUBMIT */

/* HOLDFAST_IOC_SUBMIT, lease file with RIGHT_FRAMES: frames with a verdict for each */
struct holdfast_submit {
	__u32 size;
	__u32 flags;		/* HOLDFAST_SUBMIT_* */
	__u64 frames;		/* user pointer: frames back to back, as for write(2) */
	__u64 bytes;
	__u64 results;		/* user pointer to struct holdfast_frame_result[@count] */
	__u32 count;		/* in: room, 1..HOLDFAST_MAX_BATCH; out: results written */
	__u32 reserved;
};

/* One entry of the black box: what was, at that moment */
enum holdfast_blackbox_kind {
	HOLDFAST_BB_SAMPLE	= 1,	/* periodic */
	HOLDFAST_BB_VERDICT	= 2,	/* a frame that was not simply admitted */
	HOLDFAST_BB_STATE	= 3,	/* state change */
	HOLDFAST_BB_TRIP	= 4,
};

struct holdfast_blackbox_entry {
	__u64 time_ns;
	__u16 kind;
	__u8  state;
	__u8  verdict;
	__u32 cause;
	struct holdfast_reason reason;
	__u64 lease;
	__s32 temp_mc;		/* hottest; INT_MIN: no such sensor */
	__s32 supply_mv;	/* lowest; INT_MIN: no such sensor */
	__s32 current_ma;
	__u32 cap_q16;		/* derated amplitude cap */
	__u64 power_uw;
};

/*
 * HOLDFAST_IOC_BLACKBOX: oldest first; copies min(@count, entries), sets @count to
 * the entries there are. @lease of an entry is told to the keeper's file, to
 * CAP_SYS_ADMIN and to that lease; others read 0.
 */
struct holdfast_blackbox {
	__u32 size;
	__u32 count;
	__u64 entries;		/* user pointer to struct holdfast_blackbox_entry[@count] */
	__u32 frozen;		/* out: 1 from a trip to its reset */
	__u32 reserved;
};

/**
 * struct holdfast_sample - newest reading of one sensor
 * @valid:	0: absent, lost, stale or implausible; then @value means nothing
 */
struct holdfast_sample {
	__u32 kind;
	__u32 valid;
	__s64 value;
	__u64 time_ns;
};

/**
 * struct holdfast_status - the status page
 * @seq:	even and unchanged around a consistent read; odd while written
 *
 * mmap(2) of one page, PROT_READ, offset 0 (there @size is the kernel's sizeof);
 * or a copy by HOLDFAST_IOC_STATUS. Modelled power, rises and doses are as the last tick or
 * frame left them: before @time_ns by a tick at most.
 */
struct holdfast_status {
	__u32 seq;
	__u32 size;
	__u32 state;
	__u32 sealed;
	__u64 time_ns;		/* CLOCK_MONOTONIC of the last update */
	__u64 instance;
	__u64 epoch;
	__u64 event_seq;	/* newest event */
	__u64 envelope_gen;
	__u64 tick;		/* governor periods since registration */
	__u64 tick_late_max_ns;
	__u64 beat_ns;		/* last beat that counted; 0: no keeper */
	__u64 frames_admitted;
	__u64 frames_attenuated;
	__u64 frames_rejected;
	__u64 frames_malformed;
	__u64 last_frame_ns;
	__u64 emit_ns;		/* total time emitting */
	__u64 power_uw;		/* modelled, now */
	__u64 power_avg_uw;
	__u32 chan_rise_mk;	/* modelled, hottest channel */
	__u32 array_rise_mk;
	__u32 cap_q16;		/* amplitude cap after derating */
	__u32 derated;		/* 1: cap_q16 is below AMP_CAP */
	__u32 leases;
	__u32 trips;
	__u32 trip_cause;	/* of the latched or last trip */
	__u32 trip_severity;
	struct holdfast_reason trip_reason;
	struct holdfast_reason last_reject;
	struct holdfast_reason nearest;	/* the limit with the least relative room left */
	__u32 sensors;
	__u32 fences;
	struct holdfast_sample sensor[HOLDFAST_MAX_SENSORS];
	__u32 fence_mpa[HOLDFAST_MAX_FENCE];	/* upper bound of the pressure now, site fence */
	__u64 fence_dose[HOLDFAST_MAX_FENCE];	/* Pa^2 s in the last 24 h */
	__u32 surface_points;
	__u32 surface_worst;	/* point with the largest mean; HOLDFAST_NOWHERE */
	__u32 surface_mean_mpa;	/* of that point, renewed once in the stated time of a scan */
	__u32 surface_round_ms;	/* what the last round through all points took */
};

#define HOLDFAST_IOC_INFO	_IOWR(HOLDFAST_IOC_MAGIC, 0x00, struct holdfast_info)
#define HOLDFAST_IOC_GEOMETRY	_IOWR(HOLDFAST_IOC_MAGIC, 0x01, struct holdfast_geometry)
#define HOLDFAST_IOC_LIMIT_INFO	_IOWR(HOLDFAST_IOC_MAGIC, 0x02, struct holdfast_limit_info)
#define HOLDFAST_IOC_SENSOR_INFO _IOWR(HOLDFAST_IOC_MAGIC, 0x03, struct holdfast_sensor_info)
#define HOLDFAST_IOC_STATUS	_IOWR(HOLDFAST_IOC_MAGIC, 0x04, struct holdfast_status)
#define HOLDFAST_IOC_KEEPER_CLAIM _IOWR(HOLDFAST_IOC_MAGIC, 0x10, struct holdfast_keeper)
#define HOLDFAST_IOC_BEAT	_IOWR(HOLDFAST_IOC_MAGIC, 0x11, struct holdfast_beat)
#define HOLDFAST_IOC_LEASE_CREATE _IOWR(HOLDFAST_IOC_MAGIC, 0x12, struct holdfast_lease)
#define HOLDFAST_IOC_LEASE_REVOKE _IOWR(HOLDFAST_IOC_MAGIC, 0x13, struct holdfast_lease_ref)
#define HOLDFAST_IOC_LEASE_LIST	_IOWR(HOLDFAST_IOC_MAGIC, 0x14, struct holdfast_lease_list)
#define HOLDFAST_IOC_QUOTA_SET	_IOWR(HOLDFAST_IOC_MAGIC, 0x15, struct holdfast_quota)
#define HOLDFAST_IOC_TENANT_LIST _IOWR(HOLDFAST_IOC_MAGIC, 0x16, struct holdfast_tenant_list)
#define HOLDFAST_IOC_ARM	_IOWR(HOLDFAST_IOC_MAGIC, 0x20, struct holdfast_control)
#define HOLDFAST_IOC_SILENCE	_IOWR(HOLDFAST_IOC_MAGIC, 0x21, struct holdfast_silence)
#define HOLDFAST_IOC_RESET	_IOWR(HOLDFAST_IOC_MAGIC, 0x22, struct holdfast_control)
#define HOLDFAST_IOC_SELF_TEST	_IOWR(HOLDFAST_IOC_MAGIC, 0x23, struct holdfast_self_test)
#define HOLDFAST_IOC_ENVELOPE_GET _IOWR(HOLDFAST_IOC_MAGIC, 0x30, struct holdfast_envelope)
#define HOLDFAST_IOC_ENVELOPE_SET _IOWR(HOLDFAST_IOC_MAGIC, 0x31, struct holdfast_envelope)
#define HOLDFAST_IOC_ENVELOPE_TIGHTEN _IOWR(HOLDFAST_IOC_MAGIC, 0x32, struct holdfast_envelope)
#define HOLDFAST_IOC_SEAL	_IOWR(HOLDFAST_IOC_MAGIC, 0x33, struct holdfast_seal)
#define HOLDFAST_IOC_FENCE_GET	_IOWR(HOLDFAST_IOC_MAGIC, 0x34, struct holdfast_fence)
#define HOLDFAST_IOC_FENCE_SET	_IOWR(HOLDFAST_IOC_MAGIC, 0x35, struct holdfast_fence)
#define HOLDFAST_IOC_FENCE_ADD	_IOWR(HOLDFAST_IOC_MAGIC, 0x36, struct holdfast_fence)
#define HOLDFAST_IOC_SURFACE_GET _IOWR(HOLDFAST_IOC_MAGIC, 0x37, struct holdfast_surface)
#define HOLDFAST_IOC_SURFACE_SET _IOWR(HOLDFAST_IOC_MAGIC, 0x38, struct holdfast_surface)
#define HOLDFAST_IOC_SURFACE_ADD _IOWR(HOLDFAST_IOC_MAGIC, 0x39, struct holdfast_surface)
#define HOLDFAST_IOC_SUBMIT	_IOWR(HOLDFAST_IOC_MAGIC, 0x40, struct holdfast_submit)
#define HOLDFAST_IOC_LAST_VERDICT _IOWR(HOLDFAST_IOC_MAGIC, 0x41, struct holdfast_frame_result)
#define HOLDFAST_IOC_QUEUE	_IOWR(HOLDFAST_IOC_MAGIC, 0x44, struct holdfast_queue)
#define HOLDFAST_IOC_TRIP_GET	_IOWR(HOLDFAST_IOC_MAGIC, 0x42, struct holdfast_trip)
#define HOLDFAST_IOC_BLACKBOX	_IOWR(HOLDFAST_IOC_MAGIC, 0x43, struct holdfast_blackbox)

/*
 * IORING_OP_URING_CMD on a lease that is open for writing: @cmd_op of the entry; its
 * @cmd is a struct holdfast_submit, so the ring needs IORING_SETUP_SQE128. With
 * IORING_URING_CMD_FIXED @frames lies in the registered buffer @buf_index.
 *
 * The completion's res is how many verdicts were written, or -errno. Fewer
 * than @count: submit the rest again. Without HOLDFAST_SUBMIT_QUEUE all frames
 * are judged now; presentation times and FRAME_WAIT are malformed here. With it
 * all @count frames, which fill @bytes, have a presentation time, and all or none
 * go into the queue (-ENOBUFS: no room; other errors: of the first bad frame);
 * the completion comes when the last has its verdict. The end of the ring or of the
 * submitting process cancels them; kernels before 6.7 know only the latter.
 */
#define HOLDFAST_URING_CMD_SUBMIT HOLDFAST_IOC_SUBMIT

#endif /* _UAPI_HOLDFAST_H */
