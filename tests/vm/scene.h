/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The scene of a test in a booted kernel: modules, simulated arrays, keepers,
 * leases, frames. Raw ioctls on uapi/holdfast.h, never libholdfast: what is
 * tested must not depend on it. No judgement here: that is the test's.
 *
 * Functions that return int give 0 (or what they say) and -errno, as the call
 * did. What only fails when the test itself is broken ends the program with
 * "Bail out!" (scene_die()), and says so below: (dies).
 */
#ifndef SCENE_H
#define SCENE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "holdfast.h"
#include "holdfast_sim.h"

#define SCENE_TICK_NS	10000000ULL	/* the governor's period */
#define SCENE_MS	1000000ULL

__attribute__((format(printf, 1, 2), noreturn)) void scene_die(const char *fmt, ...);

/* CLOCK_MONOTONIC, ns: the clock of the driver and of the ledger. */
__u64 scene_now_ns(void);
void scene_sleep_ms(unsigned int ms);

/* ------------------------------------------------------------------ modules */

/*
 * Loads holdfast.ko and holdfast_sim.ko from $HOLDFAST_MODDIR where they are not
 * loaded yet, and mounts configfs where it is not mounted yet. (dies)
 */
void scene_load(void);
int scene_module_load(const char *name);	/* "holdfast", "holdfast_sim" */
int scene_module_unload(const char *name);	/* -EBUSY: pinned */

/* -------------------------------------------------------------------- arrays */

/* One simulated array. */
struct scene_array {
	char name[32];		/* its directory in configfs, its serial */
	char dir[96];
	char node[32];		/* "/dev/holdfastN" once it is live */
	int index;		/* N, -1 while it is not live */
	struct holdfast_info info;	/* once it is live */
	struct holdfast_channel_pos *pos;	/* [info.channels], once it is live */
};

/*
 * Makes a simulated array, sets @attrs ("rows=8", "kind=bus",
 * "limit=hold 100", NULL at the end; docs/simulator.md says which there are)
 * and takes it live. SCENE_ATTRS("a=1", "b=2") is such a list. (dies)
 */
void scene_make(struct scene_array *s, const char *name, const char *const attrs[]);
#define SCENE_ATTRS(...) ((const char *const[]){ __VA_ARGS__ __VA_OPT__(,) NULL })

/* The steps of scene_make(), for tests of the steps. */
int scene_mkdir(struct scene_array *s, const char *name);
int scene_set(const struct scene_array *s, const char *attr, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int scene_live(struct scene_array *s, bool live);	/* fills the rest of @s (dies there) */

/* Reads an attribute, without its last newline. Bytes, or -errno. */
int scene_get(const struct scene_array *s, const char *attr, char *buf, size_t size);
long long scene_get_number(const struct scene_array *s, const char *attr);	/* (dies) */
bool scene_emitting(const struct scene_array *s);	/* what the simulator says; (dies) */

/* Removes the array (rmdir: it vanishes as if unplugged) and frees what was filled in. (dies) */
void scene_drop(struct scene_array *s);

/* Opens /dev/holdfastN; @flags: O_RDWR or O_RDONLY, ... */
int scene_open(const struct scene_array *s, int flags);

/* ---------------------------------------------------------- calls by number */

/* ioctl(2) as 0 or more, or -errno. */
int scene_ioctl(int fd, unsigned long cmd, void *arg);

int scene_info(int fd, struct holdfast_info *info);
int scene_status(int fd, struct holdfast_status *st);
int scene_state(int fd);		/* enum holdfast_state; (dies) */
int scene_trip(int fd, struct holdfast_trip *t);
/* Waits until the array is in @state: 0, or -ETIMEDOUT. */
int scene_wait_state(int fd, enum holdfast_state state, unsigned int timeout_ms);
/* Waits until every sensor has a valid reading (an array that is new has none). */
int scene_wait_sensors(int fd, unsigned int timeout_ms);

int scene_silence(int fd, __u32 flags);
int scene_self_test(int fd, struct holdfast_self_test *t);

/* @epoch: the keeper's, or 0 on a lease. @why may be NULL. */
int scene_arm(int fd, __u64 epoch, struct holdfast_reason *why);
int scene_reset(int fd, __u64 epoch, struct holdfast_reason *why);

/* An envelope with nothing in it, to be filled with scene_env_limit(). */
void scene_env_init(struct holdfast_envelope *e, enum holdfast_envelope_which which);
void scene_env_limit(struct holdfast_envelope *e, enum holdfast_limit limit, __s64 value);
int scene_env_get(int fd, enum holdfast_envelope_which which, struct holdfast_envelope *e);
/* One limit of the site envelope. */
int scene_site_set(int fd, enum holdfast_limit limit, __s64 value);
int scene_site_tighten(int fd, enum holdfast_limit limit, __s64 value);
/* Takes channels away from the site's mask: bit set = may be driven. */
int scene_site_mask(int fd, const __u64 mask[HOLDFAST_MAX_CHANNELS / 64]);
int scene_fence_set(int fd, const struct holdfast_fence_point *p, __u32 n);
int scene_fence_add(int fd, const struct holdfast_fence_point *p, __u32 n);
/* HOLDFAST_IOC_SURFACE_*; @n: points given, or room. @u: what was said; may be NULL. */
int scene_surface(int fd, unsigned long cmd, struct holdfast_surface_point *p, __u32 n,
		  struct holdfast_surface *u);
int scene_seal(int fd);

/* Name of a limit ("hold") and of a cause, for messages. */
const char *scene_limit_name(__u32 limit);
const char *scene_cause_name(__u32 cause);

/* ------------------------------------------------------------------- keepers */

/* A keeper in this process: a file that has claimed, and a thread that beats. */
struct scene_keeper {
	int fd;
	__u64 epoch;
	__u32 deadline_ms;
	unsigned int period_ms;
	pthread_t thread;
	bool running;
	int mute;		/* the thread leaves out beats while set (atomic) */
	int stop;		/* atomic */
	int last_error;		/* of the last beat: 0 or -errno (atomic) */
	__u64 beats;		/* that counted (atomic) */
};

int scene_claim(int fd, struct holdfast_keeper *k);
/* Beats once. @seq: in: last event handled; out: newest. */
int scene_beat(int fd, __u64 epoch, __u64 *seq);
/* Beats as one who has handled all events there are. */
void scene_beat_all(int fd, __u64 epoch);

/* Opens, claims and begins to beat every @period_ms (0: only when told). (dies) */
void scene_keeper_start(struct scene_keeper *k, const struct scene_array *s,
			unsigned int period_ms);
/* The beats stop, the file stays open; and go on. */
void scene_keeper_mute(struct scene_keeper *k, bool mute);
/* Ends the thread and closes the file. */
void scene_keeper_stop(struct scene_keeper *k);
/* Waits for sensors, resets where tripped (and the dwell is over), arms. (dies) */
void scene_keeper_arm(struct scene_keeper *k);

/*
 * A keeper in a process of its own, to be killed or stopped: claims, waits for
 * sensors, arms, makes one lease with all rights and no end, and beats every
 * @period_ms until it dies. The lease arrives here as a file. (dies)
 */
struct scene_keeper_process {
	pid_t pid;
	int lease;
	__u64 lease_id;
};
void scene_keeper_spawn(struct scene_keeper_process *p, const struct scene_array *s,
			unsigned int period_ms);
/* SIGKILL and wait: when it returns the file is closed. Returns the time before the kill. */
__u64 scene_keeper_kill(struct scene_keeper_process *p);
/* SIGSTOP or SIGCONT */
void scene_keeper_freeze(const struct scene_keeper_process *p, bool freeze);

/* -------------------------------------------------------------------- leases */

/* What a lease is asked for; zero for what is not wanted. */
struct scene_ask {
	__u32 rights;
	__u32 nfence;
	__u64 duration_ms;
	const struct holdfast_envelope *env;	/* which = HOLDFAST_ENV_LEASE */
	const struct holdfast_fence_point *fence;
	const char *label;
	__u64 tenant;
	const __u8 *corr;	/* [HOLDFAST_CORR_LEN] */
};

/* The lease's file, or -errno. @id may be NULL. */
int scene_lease(int keeper_fd, __u64 epoch, const struct scene_ask *ask, __u64 *id);
int scene_revoke(int keeper_fd, __u64 epoch, __u64 id);

/* One budget of a tenant; @reset: usage of that kind starts at 0 again. @q: all of them; or NULL. */
int scene_quota(const struct scene_keeper *k, __u64 tenant, enum holdfast_quota_kind kind,
		__u64 budget, bool reset, struct holdfast_quota *q);
/* Asks only. */
int scene_quota_get(const struct scene_keeper *k, __u64 tenant, struct holdfast_quota *q);

/* Sends or receives one file over a UNIX socket, with 8 bytes. -EAGAIN: none there. */
int scene_send_fd(int sock, int fd, __u64 word);
int scene_recv_fd(int sock, __u64 *word, bool wait);

/* -------------------------------------------------------------------- frames */

/*
 * A frame as it is written: header, then phases, amplitudes and foci behind it.
 * scene_frame_init() in memory of scene_frame_bytes(); NULL-safe to free().
 * scene_foci_init(): of foci alone (HOLDFAST_FRAME_COMPUTE), no phases nor amplitudes.
 */
size_t scene_frame_bytes(__u32 channels, __u32 foci);
void scene_frame_init(struct holdfast_frame *f, __u32 channels, __u32 foci);
void scene_foci_init(struct holdfast_frame *f, __u32 channels, __u32 foci);
struct holdfast_frame *scene_frame_new(__u32 channels, __u32 foci);	/* all off; (dies) */
struct holdfast_frame *scene_foci_new(__u32 channels, __u32 foci);	/* ditto */

static inline __u16 *scene_phases(struct holdfast_frame *f)
{
	return (__u16 *)(f + 1);
}

static inline __u16 *scene_amps(struct holdfast_frame *f)
{
	return scene_phases(f) + f->channels;
}

static inline struct holdfast_focus *scene_foci(struct holdfast_frame *f)
{
	if (f->flags & HOLDFAST_FRAME_COMPUTE)
		return (struct holdfast_focus *)(f + 1);
	return (struct holdfast_focus *)(scene_amps(f) + f->channels);
}

/* All channels at phase 0 and amplitude @amp. */
void scene_frame_flat(struct holdfast_frame *f, __u16 amp);
/* All channels in phase at a place, with amplitude @amp. Declares no focus. */
void scene_frame_focus(struct holdfast_frame *f, const struct scene_array *s, __s32 x_um,
		       __s32 y_um, __s32 z_um, __u16 amp);

/* write(2) of one frame: 0 or -errno (-EIO: cut short). */
int scene_write(int lease, const struct holdfast_frame *f);
/* HOLDFAST_IOC_SUBMIT of one frame; its verdict in @res. 0: there is a verdict. */
int scene_submit(int lease, const struct holdfast_frame *f, struct holdfast_frame_result *res);

/* An emitting array, for tests of how it stops: a flat frame of @amp, again every @period_ms. */
struct scene_player {
	int lease;
	struct holdfast_frame *frame;
	unsigned int period_ms;
	pthread_t thread;
	int stop;		/* atomic */
	int last_error;		/* of the last write: 0 or -errno (atomic) */
	__u64 written;		/* frames accepted (atomic) */
};
/* Begins and waits for the first frame that is accepted. (dies if none is in 2 s) */
void scene_play(struct scene_player *p, const struct scene_array *s, int lease, __u16 amp,
		unsigned int period_ms);
void scene_play_stop(struct scene_player *p);

#endif /* SCENE_H */
