/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the simulator share. Of core it knows holdfast_array.h and
 * the compatibility shims, nothing else: what is emitted here must never depend
 * on what core believes.
 *
 * Locks, outermost first:
 *  sim_array.lock (mutex)	configuration, going live and leaving
 *  sim_plant.lock (mutex)	plant, sensors and their faults
 *  sim_output.lock (raw)	what the transducers do, and writing to the ledger;
 *				silencing only ever tries it
 */
#ifndef SIM_H
#define SIM_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/configfs.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/kref.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "core/compat.h"
#include "core/holdfast_array.h"
#include "holdfast_sim.h"

#define SIM_NAME_LEN	32

/*
 * Numbers that shape an array; constant while it is live. X(name, min, max, default)
 * Units are in the names; p0 in uPa m; field_tol and derate_floor in Q0.16.
 */
#define SIM_SHAPE(X) \
	X(rows, 1, 1024, 16) \
	X(cols, 1, 1024, 16) \
	X(pitch_um, 100, 1000000, 10500) \
	X(phase_levels, 2, 4096, 256) \
	X(amp_levels, 1, 4096, 255) \
	X(p0_safety, 1, HF_P0_MAX_UPAM, 8000000) \
	X(p0_nominal, 1, HF_P0_MAX_UPAM, 3400000) \
	X(wavelength_nm, HF_WAVELENGTH_MIN_NM, HF_WAVELENGTH_MAX_NM, 8580000) \
	X(aperture_um, 0, HF_APERTURE_MAX_UM, 4500) \
	X(field_tol, 0, HF_Q16_ONE, 0) \
	X(p_drive_uw, 0, HF_CHAN_POWER_MAX_UW, 41000) \
	X(p_acoustic_uw, 0, HF_CHAN_POWER_MAX_UW, 159000) \
	X(rth_chan_mk_per_w, 0, HF_RTH_CHAN_MAX, 120000) \
	X(tau_chan_ms, 1, HF_TAU_MAX_MS, 60000) \
	X(rth_array_mk_per_w, 0, HF_RTH_ARRAY_MAX, 700) \
	X(tau_array_ms, 1, HF_TAU_MAX_MS, 45000) \
	X(tau_power_ms, 1, HF_TAU_MAX_MS, 10000) \
	X(derate_floor, 0, HF_Q16_ONE, 16384) \
	X(sensor_period_ms, 2, 1000, 50) \
	X(temp_max_step_mc, 0, 1000000, 10000) \
	X(baud, 1200, 100000000, 230400) \
	X(deadman_ms, 0, 60000, 0) \
	X(readback, 0, 1, 1) \
	X(power_cut, 0, 1, 1) \
	X(supply_mv, 1000, 1000000, 24000) \
	X(source_mohm, 0, 10000, 100) \
	X(idle_ma, 0, 100000, 120) \
	X(plant_rth_sink_mk_per_w, 0, 1000000, 400) \
	X(plant_tau_sink_ms, 1, 10000000, 120000) \
	X(plant_rth_board_mk_per_w, 0, 1000000, 300) \
	X(plant_tau_board_ms, 1, 10000000, 20000) \
	X(fan_rpm, 100, 20000, 3000) \
	X(seed, 0, S64_MAX, 1) \
	X(ledger_frames, 16, 65536, 4096)

/* Numbers that can change at any time: faults and surroundings. */
#define SIM_KNOBS(X) \
	X(ambient_mc, -100000, 200000, 25000) \
	X(heat_mw, -1000000, 1000000, 0) \
	X(supply_sag_mv, -1000000, 1000000, 0) \
	X(fan_failed, 0, 1, 0) \
	X(silence_stuck, 0, 1, 0) \
	X(beat_lost, 0, 1, 0) \
	X(selftest_fail, 0, 1, 0) \
	X(ledger_console, 0, 1, 0)

struct sim_shape {
#define SIM_X(name, lo, hi, def) s64 name;
	SIM_SHAPE(SIM_X)
#undef SIM_X
	bool bus;			/* kind */
	u32 sensor_mask;		/* which of the sensors there are */
	u32 points;			/* channels given in @pos; 0: the grid */
	struct hf_channel_pos *pos;	/* [HF_MAX_CHANNELS] or NULL */
	u64 limit_set;			/* bit per limit that was given */
	s64 limit[HF_LIM_COUNT];
};

/* Read anywhere with READ_ONCE(). */
struct sim_knobs {
#define SIM_X(name, lo, hi, def) int name;
	SIM_KNOBS(SIM_X)
#undef SIM_X
};

enum sim_link { SIM_LINK_OK, SIM_LINK_LOST, SIM_LINK_ERROR, SIM_LINK_SLOW };

/* ---------------------------------------------------------------- ledger.c */

/* Written under sim_output.lock; read by anybody without a lock. */
struct sim_ledger {
	struct kref ref;		/* the array, and each open file */
	struct miscdevice misc;
	char node[SIM_NAME_LEN + 20];
	u32 channels;
	u32 slots;
	u32 slot_size;
	void *ring;			/* record s is in slot s % slots */
	atomic_long_t begun;		/* newest record whose slot may be in writing */
	atomic_long_t head;		/* newest whole record, 0: none */
	atomic_long_t floor;		/* records up to this one were cleared */
	bool published;
	bool dead;			/* no more records will come */
	wait_queue_head_t wait;
	struct irq_work wake;
};

struct sim_ledger *sim_ledger_new(const char *name, u32 channels, u32 frames);
int sim_ledger_publish(struct sim_ledger *l);
void sim_ledger_retire(struct sim_ledger *l);
struct holdfast_ledger_record *sim_ledger_begin(struct sim_ledger *l);
u64 sim_ledger_end(struct sim_ledger *l, struct holdfast_ledger_record *rec, u32 kind, u64 time_ns,
		   u64 value);
u64 sim_ledger_seq(const struct sim_ledger *l);

/* ---------------------------------------------------------------- output.c */

/*
 * The one word that says whether sound comes out. DUE states are dark too; the
 * kind in them is the ledger record still to be written by whoever next holds
 * the lock.
 */
enum sim_port {
	SIM_SHUT	= 0,	/* dark; no frame passes */
	SIM_DARK	= 1,	/* enabled, nothing on */
	SIM_LIT		= 2,	/* emitting */
	SIM_FADING	= 3,	/* commanded off and no frame passes, but still emitting */
	SIM_DUE		= 0x100, /* | enum holdfast_ledger_kind */
};

enum sim_tx { SIM_TX_IDLE, SIM_TX_FRAME, SIM_TX_OFF1, SIM_TX_OFF2 };

struct sim_output {
	const char *name;
	const struct sim_knobs *knobs;
	const int *link;		/* enum sim_link */
	atomic_t port;			/* enum sim_port */
	atomic_t powered;
	atomic_t gone;
	raw_spinlock_t lock;
	struct sim_ledger *ledger;
	u32 channels;
	u32 amp_levels;
	u32 *level_uw;			/* electrical power of a channel by wire level */
	bool lit;			/* @lock: as the ledger last said */
	u64 power_uw;			/* @lock: now */
	u64 energy_pj;			/* @lock: up to @energy_ns; wraps */
	u64 energy_ns;

	/* the dead-man */
	struct hrtimer deadman;
	u64 deadman_ns;			/* 0: none */
	bool deadman_off;		/* @lock: the array leaves */
	atomic64_t beat_ns;
	void (*deadman_fired)(struct sim_output *out);

	/* the bus (wire.c); all under @lock but for off_due */
	bool bus;
	u32 byte_ns;
	u32 frame_bytes;
	atomic_t off_due;		/* the off sequence is to be sent */
	enum sim_tx tx;
	bool tx_waiter;
	int tx_result;
	u64 tx_off_ns;			/* @lock: when the off now due arrived; 0: none */
	struct hrtimer tx_timer;
	struct completion tx_done;
	u16 *tx_phase;			/* the one frame on the wire; [channels] */
	u16 *tx_level;
};

int sim_output_start(struct sim_output *out, const struct sim_shape *shape, u32 channels,
		     struct sim_ledger *ledger);
void sim_output_stop(struct sim_output *out);
void sim_output_deadman_stop(struct sim_output *out);
int sim_output_enable(struct sim_output *out, bool on);
int sim_output_commit(struct sim_output *out, const struct hf_wire *wire);
void sim_output_silence(struct sim_output *out);
void sim_output_cut_power(struct sim_output *out);
void sim_output_gone(struct sim_output *out);
void sim_output_beat(struct sim_output *out);
bool sim_output_emitting(const struct sim_output *out);
u64 sim_output_energy(struct sim_output *out, u64 now_ns, u64 *power_uw);

/* between output.c and wire.c; lock held */
void sim_unlock(struct sim_output *out, unsigned long flags) __releases(&out->lock);
int sim_apply(struct sim_output *out, const u16 *phase, const u16 *level);

/* ------------------------------------------------------------------ wire.c */

void sim_wire_init(struct sim_output *out, u32 baud);
u64 sim_wire_bound_ns(u32 channels, u32 baud);
u64 sim_wire_frame_ns(u32 channels, u32 baud);
int sim_wire_commit(struct sim_output *out, const struct hf_wire *wire);
void sim_wire_off_locked(struct sim_output *out);
void sim_wire_drain(struct sim_output *out);

/* ----------------------------------------------------------------- plant.c */

struct sim_plant {
	struct mutex lock;		/* all of it, and the sensors */
	u64 now_ns;
	u64 energy_pj;
	u64 power_uw;			/* now */
	s64 board_uc;
	s64 sink_uc;
	s64 fan_mrpm;
	s64 supply_mv;
	s64 current_ma;
};

/* --------------------------------------------------------------- sensors.c */

enum sim_sensor_id { SIM_TEMP0, SIM_TEMP1, SIM_SUPPLY, SIM_CURRENT, SIM_FAN, SIM_SENSORS };

enum sim_fault_mode {
	SIM_FAULT_NONE, SIM_FAULT_STUCK, SIM_FAULT_STALE, SIM_FAULT_NAN,
	SIM_FAULT_JUMP, SIM_FAULT_DRIFT, SIM_FAULT_LOST, SIM_FAULT_SET,
};

/* All under sim_plant.lock. */
struct sim_sensor {
	enum sim_fault_mode fault;
	s64 fault_value;
	u64 fault_ns;			/* since when */
	s64 value;			/* newest sample */
	u64 time_ns;
};

struct sim_array {
	struct config_group group;
	struct list_head node;		/* sim_arrays, for module exit */
	struct mutex lock;		/* outermost, see above */
	char name[SIM_NAME_LEN];
	struct sim_shape shape;		/* @lock; constant while live */
	struct platform_device *pdev;	/* @lock; NULL: not live */
	int probe_ret;
	bool vanish;			/* @lock: unplugged, not removed in order */
	struct hf_array *array;
	struct hf_array_ops ops;
	struct sim_output out;
	struct sim_ledger *ledger;	/* @lock; from the first going live to rmdir */
	struct sim_knobs knobs;
	int link;			/* enum sim_link */
	unsigned int link_slow_ms;
	bool leaving;
	wait_queue_head_t link_wait;	/* @link or @leaving changed */
	struct sim_plant plant;
	struct sim_sensor sensor[SIM_SENSORS];
	u64 prng;			/* sim_plant.lock */
};

void sim_plant_start(struct sim_array *sim);
void sim_plant_advance(struct sim_array *sim, u64 now_ns);

extern const char *const sim_sensor_names[SIM_SENSORS];
void sim_sensors_start(struct sim_array *sim);
void sim_sensors_describe(const struct sim_shape *shape, struct hf_nameplate *np);
void sim_sensors_read(struct sim_array *sim, struct hf_raw_sample *s, u32 n);
int sim_fault_parse(struct sim_sensor *s, const char *text, u64 now_ns);
int sim_fault_print(const struct sim_sensor *s, char *page);

/* --------------------------------------------------------------- nameplate.c */

u32 sim_channels(const struct sim_shape *shape);
struct hf_nameplate *sim_nameplate_new(const struct sim_shape *shape);
ssize_t sim_geometry_parse(struct sim_shape *shape, const char *page, size_t count);
int sim_limit_parse(struct sim_shape *shape, char *line);
int sim_limit_print(const struct sim_shape *shape, char *page);

/* ---------------------------------------------------------------- device.c */

extern struct platform_driver sim_driver;
int sim_activate(struct sim_array *sim);
void sim_deactivate(struct sim_array *sim, bool vanish);

/* ------------------------------------------------- config.c, attributes.c */

int sim_config_register(void);
void sim_config_unregister(void);
void sim_silence_all(void);
void sim_retire_all(void);
extern const struct config_item_type sim_array_type;

static inline struct sim_array *to_sim(struct config_item *item)
{
	return container_of(to_config_group(item), struct sim_array, group);
}

#endif /* SIM_H */
