/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of core share among themselves. Hardware drivers must not
 * include it: theirs is holdfast_array.h.
 *
 * Locks, outermost first:
 *  lease io_lock (mutex)	one writer of a lease at a time; owns its frame buffer and
 *			who may put into its queue; held while user memory is read
 *			(which may take for ever): the play-out thread never takes it
 *  ops_sem (rwsem)	hardware is there; read-held around every op that may
 *			sleep, write-held by unregister to set @gone
 *  admit_lock (mutex)	one admission, envelope change, arm, reset or lease
 *			change at a time; owns @scratch, @wire_next, rule sets;
 *			an account changes hands under it
 *  queue_lock (spinlock)	the play-out queues of all leases; never taken in interrupt
 *			context, so no silence ever waits for it
 *  surface_lock (mutex)	points and means of the surface; held for one batch of visits,
 *			taken with or without admit_lock
 *  lock (raw spinlock)	all that the governor's hard interrupt touches: what is
 *			used is charged there
 *  ev_lock (raw spinlock) event ring and black box; innermost
 * The registry's list has a mutex of its own and a raw lock for panic-time walks.
 */
#ifndef HF_CORE_H
#define HF_CORE_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/panic.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "holdfast.h"
#include "holdfast_array.h"
#include "rules/quota.h"
#include "rules/supervise.h"
#include "rules/surface.h"

#define HF_TICK_NS	(10 * NSEC_PER_MSEC)
#define HF_EVENTS	1024	/* power of two */
#define HF_BLACKBOX	512	/* power of two */

/* An effective envelope in force, shared by all leases that add nothing to it. */
struct hf_ruleset {
	struct kref ref;
	struct hf_rules rules;	/* variable length, last */
};

/* Who submitted or asked, and for which request: for trip records and events. */
struct hf_submitter {
	pid_t pid;
	u32 uid;
	char comm[HOLDFAST_COMM_LEN];
	u8 corr[HOLDFAST_CORR_LEN];
};

/* One tenant: what it may use, and has used. Outlives its leases. */
struct hf_account {
	u64 tenant;
	bool known;
	bool told;		/* that its quota is spent */
	u32 leases;		/* live ones */
	struct hf_quota quota;
	struct hf_burst burst;	/* refused frames of all its leases, past ones too */
};

/* One event as kept in the ring; see uapi/holdfast.yaml for the meaning. */
enum hf_event_type {
	HF_EVT_STATE	= 1,	/* state changed: armed, silence, rest, reset */
	HF_EVT_TRIP	= 2,
	HF_EVT_DERATE	= 3,	/* amplitude cap changed */
	HF_EVT_ENVELOPE	= 4,	/* site envelope or fence changed */
	HF_EVT_SEAL	= 5,
	HF_EVT_KEEPER	= 6,	/* claimed, gone */
	HF_EVT_LEASE	= 7,	/* created, revoked, expired, closed, burst */
	HF_EVT_REFUSED	= 8,	/* frames refused; at most 2 a second, see count; burst */
	HF_EVT_SELF_TEST = 9,
	HF_EVT_SILENCE_CONFIRMED = 10,
	HF_EVT_ADDED	= 11,	/* array registered */
	HF_EVT_REMOVED	= 12,
	HF_EVT_QUOTA	= 13,	/* set, spent */
};

/* hf_event_rec.detail */
enum hf_event_detail {
	HF_DET_NONE = 0,
	HF_DET_ARMED, HF_DET_SILENCED, HF_DET_RESTED, HF_DET_RESET, HF_DET_EMITTING,
	HF_DET_CLAIMED, HF_DET_CLOSED, HF_DET_CREATED, HF_DET_REVOKED, HF_DET_EXPIRED,
	HF_DET_SET, HF_DET_TIGHTENED, HF_DET_FENCE, HF_DET_SPENT, HF_DET_BURST,
};

struct hf_event_rec {
	u64 seq;	/* set by hf_event_push() */
	u64 time_ns;	/* ditto unless given */
	u64 real_ns;
	u64 epoch;
	u64 lease;
	u64 tenant;
	u32 type;
	u32 detail;
	u32 severity;
	u32 cause;
	u32 state;
	/* REFUSED: frames; DERATE: cap_q16; SELF_TEST: parts; QUOTA: kinds; surface: points */
	u32 count;
	struct hf_reason reason;
	struct hf_submitter who;
};

/*
 * One frame, copied out of the caller's reach before anything looks at it, with
 * room for the channels of its array. Its owner alone touches it.
 */
struct hf_frame_buf {
	u64 taken_ns;		/* CLOCK_MONOTONIC when the copy began */
	struct hf_submitter who;
	bool queued;		/* judged at its time, not at once; then these count: */
	u64 stops;		/* array->stops when it was taken: one more and it is void */
	u64 deadline_ns;	/* after it the frame is dropped */
	struct holdfast_frame head;
	struct holdfast_focus foci[HF_MAX_FOCI];
	u16 *phase;		/* [channels], behind this: given, or computed from the foci */
	u16 *amp;		/* ditto */
};

/* Bytes of the largest frame there is, as submitted. */
#define HF_FRAME_MAX	(sizeof(struct holdfast_frame) + 4 * HF_MAX_CHANNELS + \
			 HF_MAX_FOCI * sizeof(struct holdfast_focus))

/* How a frame is submitted. */
#define HF_SUBMIT_NOTURN BIT(0)	/* -EAGAIN instead of sleeping until FRAME_INTERVAL is over */
#define HF_SUBMIT_NOROOM BIT(1)	/* -EAGAIN instead of sleeping until its queue has room */
#define HF_SUBMIT_TRY	BIT(2)	/* -EAGAIN, without a verdict, instead of waiting for a lock */
#define HF_SUBMIT_NOW	BIT(3)	/* neither FRAME_WAIT nor a presentation time is allowed */

struct hf_lease {
	struct kref ref;		/* lease file; array's list */
	struct hf_array *array;		/* holds a device reference */
	struct list_head node;		/* array->leases; admit_lock and lock */
	u64 id;
	u64 tenant;
	struct hf_account *account;	/* of @tenant, while it has not ended; lock */
	u64 expires_ns;			/* 0 = never */
	u64 epoch;
	u32 rights;
	int ended;			/* 0, or the errno that calls get; lock */
	struct hf_reason end_reason;	/* the limit that ended it, if one did; lock */
	bool has_env;			/* adds limits or fence points of its own */
	struct hf_envelope env;		/* the lease's own part; constant */
	struct hf_ruleset *rs;		/* effective; written: admit_lock and lock */
	char label[HOLDFAST_LABEL_LEN];
	u8 corr[HOLDFAST_CORR_LEN];	/* of its creation */
	struct mutex io_lock;		/* see above */
	struct hf_frame_buf *buf;	/* io_lock */
	u64 admitted, attenuated, rejected;	/* lock */
	u64 cookie;			/* last frame; lock */
	struct hf_submitter who;	/* last submitter; lock */
	struct holdfast_frame_result last;	/* last verdict given to a caller; lock */
	struct hf_queue *queue;		/* written: io_lock and queue_lock; NULL: none */
};

struct hf_array {
	struct device dev;		/* class device; its release frees all */
	struct cdev cdev;
	int index;
	u64 instance;
	struct list_head node;		/* registry */

	struct rw_semaphore ops_sem;	/* see above */
	bool gone;			/* written: ops_sem and lock; after it no op is called */
	const struct hf_array_ops *ops;
	void *priv;
	struct module *owner;
	u32 hw_flags;
	u64 silence_bound_ns;
	u64 commit_ns;
	u32 sensor_period_ms;
	char model_name[HOLDFAST_LABEL_LEN];
	char serial[HOLDFAST_LABEL_LEN];
	struct hf_nameplate *np;	/* constant after registration */
	struct hf_phase_lut *lut;	/* ditto */
	atomic64_t rules_id;		/* last id that a rule set got */

	struct mutex admit_lock;	/* see above */
	struct hf_envelope site;	/* written: admit_lock and lock */
	struct hf_envelope env;		/* nameplate meet site; written: admit_lock and lock */
	u64 env_gen;			/* lock */
	bool sealed;			/* lock; never cleared */
	struct hf_ruleset *rs;		/* of @env; admit_lock */
	struct hf_scratch *scratch;	/* admit_lock */
	struct hf_model *model_copy;	/* admit_lock: what an admission is judged against */
	struct hf_wire *wire_next;	/* admit_lock */
	bool pinned;			/* admit_lock: module references held */

	struct mutex surface_lock;	/* see above */
	struct hf_surface *surface;	/* NULL: none; written: admit_lock too */
	struct hf_surface_work *scan;	/* of the scan thread alone, once there is one */
	struct task_struct *scan_task;	/* admit_lock */

	raw_spinlock_t lock;		/* see above */
	enum hf_state state;
	u64 epoch;
	struct hf_file *keeper;		/* also admit_lock */
	u64 beat_ns;
	bool gate_open;			/* enable(true) since the last silence() */
	u64 silences;			/* calls of silence() */
	u64 stops;			/* silences on command, trips, armings */
	bool queue_kick;		/* queued frames may be void: the tick wakes the thread */
	u64 outputs;			/* frames with sound that were put out */
	bool emitted;			/* since the last arming */
	u64 last_commit_ns;
	u64 last_frame_ns;
	struct hf_wire *wire;		/* output now; valid while emitting */
	struct hf_lease *emitter;	/* whose frame it is; NULL when off */
	struct hf_account *payer;	/* who pays for what the model integrates */
	struct hf_model *model;
	struct hf_sensors sensors;
	struct hf_sensor_verdict sv;	/* last judgement */
	u32 derate_q16;
	u64 sensor_loop_ns;
	struct hf_surface_state surface_state;
	struct hf_burst burst;		/* refused frames of leases without a tenant */
	u64 tick;
	u64 tick_late_ns;		/* of the last tick */
	u64 tick_late_max_ns;
	u64 n_admitted, n_attenuated, n_rejected, n_malformed;
	struct hf_reason last_reject;
	struct holdfast_trip trip;	/* latched or last trip */
	bool self_test_due;		/* emergency: reset needs a passed self-test */
	u64 refused_event_ns;		/* last HF_EVT_REFUSED */
	u32 refused_count;		/* since then */
	struct list_head leases;	/* also admit_lock */
	u32 nleases;
	u64 next_lease;
	struct hf_account accounts[HOLDFAST_MAX_TENANTS];	/* lock; made: admit_lock too */

	struct hrtimer timer;
	struct task_struct *sensor_task;
	spinlock_t queue_lock;		/* see above */
	struct list_head queues;	/* queue_lock */
	struct task_struct *queue_task;	/* written: admit_lock; NULL until there is a queue */
	bool queue_poked;		/* something for the thread to look at */
	struct work_struct settle_work;	/* what a state change needs done where it may sleep */
	bool confirm_due;		/* lock: silence to be read back */
	u64 quiet_ns;			/* lock: when it was commanded */
	u64 rest_event_ns;		/* lock: last event of a rest */

	raw_spinlock_t ev_lock;		/* event ring, black box */
	u64 ev_seq;			/* newest; 0 = none yet */
	struct hf_event_rec *ev;	/* [HF_EVENTS], index seq & (HF_EVENTS - 1) */
	u64 ev_sent;			/* last one delivered; written by the worker */
	u64 ev_undelivered;		/* ev_lock: overtaken by the ring before delivery */
	bool ev_stopped;		/* ev_lock: no work may be queued any more */
	struct work_struct ev_work;	/* delivery to netlink, poll, sysfs, uevent, hwmon */
	struct holdfast_blackbox_entry *bb;	/* [HF_BLACKBOX] */
	u64 bb_count;
	bool bb_frozen;
	wait_queue_head_t wait;		/* poll, FRAME_WAIT, room; woken from ev_work, queue_task */

	struct holdfast_status *status;	/* one zeroed page; written under lock */
	struct device *hwmon;
};

/* An open file of /dev/holdfastN. */
struct hf_file {
	struct hf_array *array;	/* holds a device reference */
	bool writable;
	u64 seen_seq;		/* events reported by poll */
};

/* --- registry.c: arrays by number, panic-time walk, memory of sealed envelopes */
extern struct class hf_class;
struct hf_array *hf_array_get(u32 index);	/* with a device reference; NULL */
void hf_array_put(struct hf_array *a);
/* Calls @fn for every array with a reference held; process context. */
int hf_array_for_each(int (*fn)(struct hf_array *a, void *arg), void *arg);

int hf_registry_init(void);
void hf_registry_exit(void);
/* The array an open device node belongs to, with a reference; process context. */
struct hf_array *hf_array_of_inode(struct inode *inode);
/*
 * Silences every array and trips those it can lock: any context, panic included.
 * Returns the longest time that hardware behind a bus may still need, ns.
 */
u64 hf_silence_all(enum holdfast_cause cause, bool panicking);

/* --- governor.c: tick, trip, silence. *_locked: a->lock held. */
void hf_governor_start(struct hf_array *a);
void hf_governor_stop(struct hf_array *a);	/* no tick afterwards */
void hf_govern_locked(struct hf_array *a, u64 now);
void hf_hw_silence_locked(struct hf_array *a);
void hf_silence_locked(struct hf_array *a, const struct hf_submitter *who);
const struct hf_envelope *hf_env_now(const struct hf_array *a);	/* lock or admit_lock */
void hf_trip_locked(struct hf_array *a, enum holdfast_cause cause, enum holdfast_severity sev,
		    const struct hf_reason *r, u64 onset_ns, const struct hf_lease *by);
void hf_trip(struct hf_array *a, enum holdfast_cause cause, enum holdfast_severity sev);
/* Somebody asks: current, through @l if that is not NULL; @corr: of the request, may be NULL. */
void hf_silence(struct hf_array *a, const struct hf_lease *l, const u8 *corr);
void hf_trip_operator(struct hf_array *a, const struct hf_lease *l, const u8 *corr);
void hf_rest_locked(struct hf_array *a, const struct hf_reason *r);
void hf_submitter_current(struct hf_submitter *who, const u8 *corr);
/* The request's correlation id, or without one its lease's; @corr and @l may be NULL. */
const u8 *hf_corr_of(const u8 *corr, const struct hf_lease *l);
/* Puts the present output's amplitudes and pressures into the model. */
void hf_model_output_locked(struct hf_array *a, u64 now);

/* --- tenant.c: accounts, and who may know of whom */
struct hf_account *hf_account_get_locked(struct hf_array *a, u64 tenant);
void hf_advance_locked(struct hf_array *a, u64 now);
void hf_advance_lazily_locked(struct hf_array *a, u64 now);
void hf_payer_locked(struct hf_array *a);
void hf_quota_spent_locked(struct hf_lease *l, const struct hf_reason *r);
void hf_refusal_counts_locked(struct hf_lease *l, const struct hf_reason *r, u64 now);

/* --- sensing.c: the sensor thread, and what may sleep after a state change. */
int hf_sensing_start(struct hf_array *a);
void hf_sensing_stop(struct hf_array *a);
void hf_settle(struct work_struct *work);
u64 hf_sensor_deadline_ns(const struct hf_array *a);

/* --- surface.c: many points, visited in rotation by a thread. */
struct hf_surface *hf_surface_new(u32 points);
int hf_surface_recall(struct hf_array *a, const struct hf_surface *old, u64 now);
int hf_surface_start(struct hf_array *a);
void hf_surface_stop(struct hf_array *a);

/* --- keeper.c, lease.c, tenant.c, site.c, surface.c, submit.c, control.c: bodies of the
 * ioctls. All of them: process context, may sleep, return 0 or the -errno of uapi/holdfast.h;
 * ops_sem read-held and the array not gone.
 */
struct hf_ctx {
	struct hf_array *array;
	struct hf_file *file;	/* device node; NULL on a lease */
	struct hf_lease *lease;	/* NULL on a device node */
	bool nonblock;		/* the file is O_NONBLOCK; looked at on leases only */
};

int hf_keeper_claim(struct hf_ctx *c, struct holdfast_keeper *k);
int hf_keeper_beat(struct hf_ctx *c, struct holdfast_beat *b);
void hf_keeper_closed(struct hf_file *f);	/* release of a device node */
bool hf_is_keeper(const struct hf_ctx *c, u64 epoch, int *err);	/* admit_lock */

bool hf_sees_all(const struct hf_ctx *c);
bool hf_sees(const struct hf_ctx *c, bool all, u64 tenant);
int hf_copy_entries(u64 uptr, const void *entries, u32 n, size_t size, size_t entry_size);
int hf_quota_ioctl(struct hf_ctx *c, struct holdfast_quota *q);
int hf_tenant_list(struct hf_ctx *c, struct holdfast_tenant_list *list);

int hf_lease_create(struct hf_ctx *c, struct holdfast_lease __user *uarg, struct holdfast_lease *l);
int hf_lease_revoke(struct hf_ctx *c, struct holdfast_lease_ref *ref);
int hf_lease_list(struct hf_ctx *c, struct holdfast_lease_list *list);
void hf_lease_end_locked(struct hf_lease *l, int err, enum hf_event_detail why);
void hf_leases_end_all_locked(struct hf_array *a, int err, enum hf_event_detail why);
void hf_leases_end_tenant_locked(struct hf_array *a, u64 tenant, const struct hf_reason *r);
int hf_lease_usable(const struct hf_lease *l, u32 right);	/* lock */
extern const struct file_operations hf_lease_fops;

struct hf_ruleset *hf_ruleset_new(struct hf_array *a, const struct hf_envelope *env,
				  const struct hf_envelope *site);
void hf_ruleset_put(struct hf_ruleset *rs);
int hf_envelope_ioctl(struct hf_ctx *c, unsigned int cmd, struct holdfast_envelope *e);
int hf_fence_ioctl(struct hf_ctx *c, unsigned int cmd, struct holdfast_fence *f);
int hf_fence_from_user(struct hf_envelope *e, u64 uptr, u32 count);
int hf_limits_from_uapi(struct hf_envelope *e, const struct holdfast_envelope *u);
int hf_seal(struct hf_ctx *c, struct holdfast_seal *s);
int hf_surface_ioctl(struct hf_ctx *c, unsigned int cmd, struct holdfast_surface *u);

enum hf_site_verb { HF_SITE_SET, HF_SITE_TIGHTEN };
int hf_site_allowed(struct hf_ctx *c, enum hf_site_verb verb);	/* admit_lock */

/* @how: HF_SUBMIT_*. Copies need io_lock; judging @b does not. */
struct hf_frame_buf *hf_frame_buf_new(u32 channels);
int hf_frame_copy(struct hf_lease *l, struct iov_iter *from);
int hf_submit_may(const struct hf_lease *l, const struct hf_frame_buf *b);	/* lock */
int hf_submit_frame(struct hf_lease *l, struct hf_frame_buf *b, unsigned int how,
		    struct holdfast_frame_result *res);
int hf_submit_many(struct hf_lease *l, struct iov_iter *from, unsigned int how,
		   struct holdfast_frame_result __user *out, u32 *count);
void hf_malformed(struct hf_array *a);
void hf_result_of(struct holdfast_frame_result *res, const struct hf_result *r, int err,
		  u64 cookie);
ssize_t hf_submit_iter(struct hf_lease *l, struct iov_iter *from, bool nonblock);
int hf_submit_batch(struct hf_ctx *c, struct holdfast_submit *s);
/* Opens the hardware's gate; admit_lock and ops_sem held. */
int hf_open_gate(struct hf_array *a);

int hf_arm(struct hf_ctx *c, struct holdfast_control *ctl);
int hf_reset(struct hf_ctx *c, struct holdfast_control *ctl);
int hf_self_test(struct hf_ctx *c, struct holdfast_self_test *t);

/* --- queue.c: frames that wait for their time, and the thread that plays them out */

/* Queued frames whose verdicts come together. */
struct hf_batch {
	/* All verdicts are in: @b is the callee's. queue_lock held; must not sleep. */
	void (*done)(struct hf_batch *b);
	struct hf_lease *lease;
	struct list_head frames;	/* gathered and not yet published */
	u32 count;
	u32 left;			/* verdicts to come; queue_lock */
	bool cancelled;			/* queue_lock */
	struct holdfast_frame_result res[];	/* [count]; queue_lock until it is done */
};

int hf_queue_ioctl(struct hf_ctx *c, struct holdfast_queue *arg);
int hf_queue_put(struct hf_lease *l, bool nonblock);	/* l->buf; io_lock */
ssize_t hf_queue_read(struct hf_lease *l, char __user *to, size_t size, bool nonblock);
__poll_t hf_queue_poll(struct hf_lease *l, bool armed);
void hf_queue_close(struct hf_lease *l);	/* nobody else uses the lease */
void hf_queue_stop(struct hf_array *a);		/* gone; no tick */
void hf_queue_kick(struct hf_array *a);		/* any context but NMI */
/* In that order; io_lock. -errno: nothing is queued. */
int hf_queue_gather(struct hf_lease *l, struct iov_iter *from, struct hf_batch *b);
int hf_queue_publish(struct hf_batch *b);
void hf_queue_cancel(struct hf_batch *b);	/* not after its command has been completed */

/* What was queued is void. lock held; part of every silence, so no more than this. */
static inline void hf_stop_queued_locked(struct hf_array *a)
{
	a->stops++;
	a->queue_kick = true;
}

/* --- uring.c */
struct io_uring_cmd;
int hf_lease_fop_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags);

/* --- chrdev.c */
extern const struct file_operations hf_array_fops;
long hf_ioctl(struct hf_ctx *c, unsigned int cmd, void __user *uarg);
u32 hf_array_caps(const struct hf_array *a);
__poll_t hf_poll_state(struct hf_array *a);
int hf_mmap_status(struct hf_array *a, struct vm_area_struct *vma);

/* --- vector.c: how this kernel and processor sum products best; process context */
const struct hf_dot_way *hf_dot_best(void);

/* --- notifiers.c: reboot, panic, die, kmsg_dump, PM */
int hf_notifiers_init(void);
void hf_notifiers_exit(void);

/* --- events.c: the ring and its delivery. Any context but NMI. */
/* Fills in sequence number, times, epoch and state where they are 0. */
u64 hf_event_push(struct hf_array *a, struct hf_event_rec *ev);
/* Copies event @seq; -ENODATA: not yet; -ESTALE: overwritten. */
int hf_event_get(struct hf_array *a, u64 seq, struct hf_event_rec *out);
/* What the ring holds, 0 while there is none; and how many were overtaken before delivery. */
void hf_event_range(struct hf_array *a, u64 *oldest, u64 *newest, u64 *undelivered);
void hf_events_init(struct hf_array *a);
void hf_events_stop(struct hf_array *a);	/* process context; delivers what is left */
/* A dying kernel may never release @ev_lock: rather lose a record than hang before silence. */
static inline bool hf_ev_unsafe(struct hf_array *a)
{
	return unlikely(oops_in_progress) && raw_spin_is_locked(&a->ev_lock);
}

void hf_events_kick(struct hf_array *a);	/* any context but NMI: deliver what is pending */
int hf_events_wq_init(void);	/* before the first array */
void hf_events_wq_exit(void);	/* after the last */

/* --- blackbox.c */
/* lock held; fills in sensors, cap and power */
void hf_blackbox_add(struct hf_array *a, struct holdfast_blackbox_entry *e);
void hf_blackbox_freeze(struct hf_array *a);
void hf_blackbox_thaw(struct hf_array *a);
/* Body of the ioctl; may sleep. */
int hf_blackbox_copy(struct hf_ctx *c, struct holdfast_blackbox *arg);

/* --- status.c: the page. lock held. */
void hf_status_update_locked(struct hf_array *a, u64 now_ns);

/* --- netlink.c */
int hf_netlink_init(void);
void hf_netlink_exit(void);
/* Both in process context; telemetry comes at 10 Hz from the sensor thread. */
void hf_netlink_event(struct hf_array *a, const struct hf_event_rec *ev);
void hf_netlink_telemetry(struct hf_array *a);

/* --- hwmon.c, sysfs.c */
int hf_hwmon_add(struct hf_array *a);
void hf_hwmon_remove(struct hf_array *a);
void hf_hwmon_event(struct hf_array *a, const struct hf_event_rec *ev);	/* process context */
extern const struct attribute_group *hf_array_groups[];
void hf_sysfs_event(struct hf_array *a, const struct hf_event_rec *ev);	/* sysfs_notify, uevent */

/* One that was left empty is none; no limit is ever broken at 0 by 0. */
static inline struct holdfast_reason hf_reason_uapi(const struct hf_reason *r)
{
	if (!r->limit && !r->where && !r->measured && !r->bound)
		return (struct holdfast_reason){ HOLDFAST_LIM_NONE, HOLDFAST_NOWHERE, 0, 0 };
	return (struct holdfast_reason){ r->limit, r->where, r->measured, r->bound };
}

static inline struct holdfast_reason hf_trip_reason(const struct hf_array *a)
{
	if (a->trip.cause == HOLDFAST_CAUSE_NONE)
		return (struct holdfast_reason){ HOLDFAST_LIM_NONE, HOLDFAST_NOWHERE, 0, 0 };
	return a->trip.reason;
}

#endif /* HF_CORE_H */
