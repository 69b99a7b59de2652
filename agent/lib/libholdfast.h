/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libholdfast: everything a program does with an array, over the char device
 * and netlink, plus solving and stream files, which need no array at all.
 * Nothing of libnl, jansson or the kernel's insides may appear in here.
 *
 * Every call that returns int gives 0 (or a count, where said) or -errno. The
 * library has no global state. A handle may be used by one thread at a time,
 * different handles by different threads at the same time; the exception is
 * holdfast_silence(), which any thread may call on any handle at any time.
 *
 * Silencing is always possible and needs no lease. Closing the last file of a
 * lease is no substitute for it.
 */
#ifndef LIBHOLDFAST_H
#define LIBHOLDFAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "holdfast.h"

#ifdef __cplusplus
extern "C" {
#endif

struct holdfast_array;		/* an open file of an array: the device or a lease */
struct holdfast_keeping;	/* being the keeper of an array */
struct holdfast_server;		/* the keeper's socket */
struct holdfast_events;		/* a subscription */
struct holdfast_stream;		/* frames in memory, checked */
struct holdfast_player;		/* frames on their way to be played at their times */
struct holdfast_model;		/* geometry and source of an array, for prediction */

#define HOLDFAST_TEXT_LEN	256	/* room that every sentence fits into */

/* --------------------------------------------------------------- words */

/* Each gives "unknown" for a value without a word. */
const char *holdfast_state_name(uint32_t state);
const char *holdfast_verdict_name(uint32_t verdict);
const char *holdfast_severity_name(uint32_t severity);
const char *holdfast_cause_name(uint32_t cause);
const char *holdfast_sensor_kind_name(uint32_t kind);
const char *holdfast_event_type_name(uint32_t type);
const char *holdfast_detail_name(uint32_t detail);
const char *holdfast_limit_name(uint32_t limit);

/**
 * struct holdfast_limit_desc - one limit, as this library knows it
 * @name:	as in HOLDFAST_IOC_LIMIT_INFO
 * @unit:	the kernel's unit
 * @is_floor:	larger is tighter
 */
struct holdfast_limit_desc {
	const char *name;
	const char *unit;
	bool is_floor;
};

/* Also of a quota, as reasons name it. NULL: one that this library does not know. */
const struct holdfast_limit_desc *holdfast_limit_desc(uint32_t limit);
/* enum holdfast_limit by name, or -ENOENT; quotas are no limits. */
int holdfast_limit_by_name(const char *name);

/**
 * holdfast_strerror_reason() - a reason as one sentence
 * @r:		the reason
 * @buf:	at least HOLDFAST_TEXT_LEN bytes, or it is cut
 * @len:	of @buf
 *
 * "fence point 3: 312.400 Pa where 200.000 Pa is allowed".
 * Return: @buf.
 */
char *holdfast_strerror_reason(const struct holdfast_reason *r, char *buf, size_t len);

/* A trip as one sentence: cause, reason, how long silencing took. Return: @buf. */
char *holdfast_strerror_trip(const struct holdfast_trip *t, char *buf, size_t len);

/**
 * holdfast_value_print() - a value in the kernel's unit, for people
 * @unit:	the kernel's unit ("mPa")
 *
 * Return: @buf ("200.000 Pa").
 */
char *holdfast_value_print(int64_t value, const char *unit, char *buf, size_t len);

/**
 * holdfast_value_parse() - "30W", "45C", "200Pa", "500ms", "80%", or a plain integer
 * @text:	a plain integer is in the kernel's unit
 * @unit:	the kernel's unit
 * @is_floor:	which way to round what the unit cannot express (percent only): to the tighter side
 * @value:	out
 * @err:	HOLDFAST_TEXT_LEN bytes, or NULL: what is wrong, on error
 *
 * Return: 0, -EINVAL (malformed or wrong unit), -ERANGE (too large or too fine).
 */
int holdfast_value_parse(const char *text, const char *unit, bool is_floor, int64_t *value,
			 char *err);

/* -------------------------------------------------------------- arrays */

/* Numbers of the arrays there are, ascending; at most @room. Return: how many, or -errno. */
int holdfast_enumerate(uint32_t *index, size_t room);

#define HOLDFAST_OPEN_WRITE	(1U << 0)	/* needed by keepers and self-tests */

/**
 * holdfast_open() - open an array
 * @out:	the handle
 * @which:	NULL (the only array there is), number, path or serial
 * @flags:	HOLDFAST_OPEN_*
 *
 * Return: 0, -ENODEV (none such), -EMLINK (NULL, but there are several), or an
 * errno of open(2).
 */
int holdfast_open(struct holdfast_array **out, const char *which, unsigned int flags);

/* A handle for a lease file; takes @fd, even on error. */
int holdfast_open_fd(struct holdfast_array **out, int fd);
void holdfast_close(struct holdfast_array *a);	/* NULL is fine */
int holdfast_fd(const struct holdfast_array *a);	/* for poll(2); stays the handle's */

int holdfast_info(struct holdfast_array *a, struct holdfast_info *info);
/* Fills at most @room positions. Return: channels of the array, or -errno. */
int holdfast_geometry(struct holdfast_array *a, struct holdfast_channel_pos *pos, size_t room);
int holdfast_limit_info(struct holdfast_array *a, uint32_t limit, struct holdfast_limit_info *info);
int holdfast_sensor_info(struct holdfast_array *a, uint32_t index,
			 struct holdfast_sensor_info *info);

/**
 * holdfast_status() - a consistent copy of the status page
 *
 * Reads the mapped page; when it stays in change for longer than a bounded
 * number of tries, or cannot be mapped, asks by ioctl.
 * Return: 0, -ENODEV (the array is gone).
 */
int holdfast_status(struct holdfast_array *a, struct holdfast_status *st);

/* @flags: HOLDFAST_SILENCE_*. Any thread, any time. */
int holdfast_silence(struct holdfast_array *a, uint32_t flags);
/* The same for a request with a correlation id: HOLDFAST_CORR_LEN bytes, or NULL. */
int holdfast_silence_as(struct holdfast_array *a, uint32_t flags, const uint8_t *corr);
/* Who tripped it is told to the keeper's file, to CAP_SYS_ADMIN and to leases of that tenant. */
int holdfast_trip_get(struct holdfast_array *a, struct holdfast_trip *trip);
/* Fills at most @room entries, oldest first. Return: entries there are, or -errno. */
int holdfast_blackbox(struct holdfast_array *a, struct holdfast_blackbox_entry *e, size_t room,
		      bool *frozen);
/* @out->failed == 0: passed. */
int holdfast_self_test(struct holdfast_array *a, struct holdfast_self_test *out);
/*
 * Fills at most @room entries. The keeper's file and CAP_SYS_ADMIN see all, a
 * lease those of its own tenant, others none. Return: how many can be seen, or -errno.
 */
int holdfast_leases(struct holdfast_array *a, struct holdfast_lease_info *li, size_t room);
/* The same for tenants with leases or a quota, and what they have used. */
int holdfast_tenants(struct holdfast_array *a, struct holdfast_tenant_info *ti, size_t room);

/* ----------------------------------------------------- site's envelope */

/* On -ERANGE and -EPERM of set and tighten @env->reason names the field. */
int holdfast_envelope_get(struct holdfast_array *a, uint32_t which, struct holdfast_envelope *env);
int holdfast_envelope_set(struct holdfast_array *a, struct holdfast_envelope *env);
int holdfast_envelope_tighten(struct holdfast_array *a, struct holdfast_envelope *env);
int holdfast_seal(struct holdfast_array *a);

/* Fills at most @room points. Return: points there are, or -errno. */
int holdfast_fence_get(struct holdfast_array *a, uint32_t which, struct holdfast_fence_point *p,
		       size_t room);
/* @r may be NULL; on -ERANGE and -EPERM it says why. */
int holdfast_fence_set(struct holdfast_array *a, const struct holdfast_fence_point *p, size_t n,
		       struct holdfast_reason *r);
int holdfast_fence_add(struct holdfast_array *a, const struct holdfast_fence_point *p, size_t n,
		       struct holdfast_reason *r);

/*
 * The surface: up to HOLDFAST_MAX_SURFACE points where the pressure is bounded on average
 * (surface_mean). Return as above; @s, which may be NULL, says what else there is to know.
 */
int holdfast_surface_get(struct holdfast_array *a, struct holdfast_surface_point *p, size_t room,
			 struct holdfast_surface *s);
/* @n 0: none from now. @r as above. */
int holdfast_surface_set(struct holdfast_array *a, const struct holdfast_surface_point *p, size_t n,
			 struct holdfast_reason *r);
int holdfast_surface_add(struct holdfast_array *a, const struct holdfast_surface_point *p, size_t n,
			 struct holdfast_reason *r);

/* --------------------------------------------------------------- leases */

/**
 * holdfast_submit() - frames with a verdict for each
 * @a:		a lease
 * @frames:	back to back, as struct holdfast_frame describes
 * @bytes:	of all of them
 * @res:	room for a result each
 * @count:	in: room; out: results written
 *
 * A frame that is refused is a result, not an error of this call.
 */
int holdfast_submit(struct holdfast_array *a, const void *frames, size_t bytes,
		    struct holdfast_frame_result *res, uint32_t *count);

/* One write(2) of whole frames. Return: bytes taken, or -errno of the first frame. */
ssize_t holdfast_write(struct holdfast_array *a, const void *frames, size_t bytes);
int holdfast_last_verdict(struct holdfast_array *a, struct holdfast_frame_result *res);

/* Bytes of a frame of so many channels and foci. */
size_t holdfast_frame_size(uint32_t channels, uint32_t foci);
/* Lays a frame into @buf (at least holdfast_frame_size() bytes). Return: its size, or -EINVAL. */
int holdfast_frame_fill(void *buf, size_t len, uint32_t channels, const uint16_t *phase,
			const uint16_t *amp, const struct holdfast_focus *foci, uint32_t nfoci,
			uint32_t flags, uint64_t cookie);
/*
 * A frame of foci alone (HOLDFAST_FRAME_COMPUTE), which a lease without RIGHT_RAW may submit; for
 * an array of @channels. @foci[@nfoci], 1..HOLDFAST_MAX_FOCI, each with its amp and phase; all amp
 * together at most 65535. Return: its size, 32 + 16 * @nfoci bytes, or -EINVAL.
 */
int holdfast_focus_frame_fill(void *buf, size_t len, uint32_t channels,
			      const struct holdfast_focus *foci, uint32_t nfoci, uint32_t flags,
			      uint64_t cookie);

/* --------------------------------------------------------------- player */

/* How frames get into the kernel's queue. */
enum holdfast_way {
	HOLDFAST_WAY_AUTO = 0,		/* the first below that works; never one that is left */
	HOLDFAST_WAY_URING_FIXED = 1,	/* io_uring commands, frames in registered memory */
	HOLDFAST_WAY_URING = 2,		/* io_uring commands */
	HOLDFAST_WAY_SUBMIT = 3,	/* HOLDFAST_IOC_SUBMIT and read(2) */
};

/* "uring-fixed"; "unknown" for a value without a word */
const char *holdfast_way_name(enum holdfast_way way);
int holdfast_way_by_name(const char *name);	/* enum holdfast_way, or -ENOENT */

/**
 * struct holdfast_player_options - zero for what is not said
 * @depth:	frames under way at most, 64; a multiple of @batch counts
 * @batch:	frames that are handed over together, 8: fewer calls, verdicts later
 * @way:	AUTO: what the environment variable HOLDFAST_WAY says, else the best
 * @late_ns: @horizon_ns:	as in struct holdfast_queue
 * @interval_ns:	between two frames that are pushed without a time, 1
 * @verdict:	called for every frame in the order of pushing, out of push, wait and
 *		drain; it may not call the player. NULL: holdfast_player_verdicts()
 */
struct holdfast_player_options {
	uint32_t depth;
	uint32_t batch;
	enum holdfast_way way;
	uint64_t late_ns;
	uint64_t horizon_ns;
	uint64_t interval_ns;
	void (*verdict)(void *arg, const struct holdfast_frame_result *res);
	void *arg;
};

/**
 * holdfast_player_open() - play frames of a lease at their times
 * @lease:	must outlive the player, which sets up its queue and reads its verdicts
 * @opt:	NULL: all defaults
 * @text:	HOLDFAST_TEXT_LEN bytes, or NULL: what is wrong, on error
 *
 * Where io_uring is forbidden or the kernel too old another way is taken, unless one
 * was asked for. Return: 0, -EINVAL, -ENOMEM, -EBUSY (the queue is not empty), or
 * the errno of the way that was asked for.
 */
int holdfast_player_open(struct holdfast_player **out, struct holdfast_array *lease,
			 const struct holdfast_player_options *opt, char *text);
/* Cancels what has not been played. Takes 2 s at most. */
void holdfast_player_close(struct holdfast_player *p);	/* NULL is fine */
enum holdfast_way holdfast_player_way(const struct holdfast_player *p);	/* that was taken */
int holdfast_player_status(struct holdfast_player *p, struct holdfast_queue *q);

/**
 * holdfast_player_push() - one more frame
 * @f:		copied; its presentation time is ignored
 * @present_ns:	CLOCK_MONOTONIC, later than that of the frame before; 0: as soon as possible,
 *		@interval_ns after the frame before
 *
 * Never sleeps for room. A frame comes later than its time where FRAME_INTERVAL does not
 * allow it yet (FRAME_WAIT is set), by @late_ns at most. The frame is handed over when @batch are there, or by flush,
 * wait and drain. What becomes of it is its verdict (ETIME: it came too late).
 * Return: 0, -EAGAIN (no room: wait, and take verdicts), -EINVAL.
 */
int holdfast_player_push(struct holdfast_player *p, const struct holdfast_frame *f,
			 uint64_t present_ns);
/* Hands over what was pushed. */
void holdfast_player_flush(struct holdfast_player *p);
int holdfast_player_fd(const struct holdfast_player *p);	/* for poll(2): POLLIN, verdicts */
/* Verdicts in the order of pushing, without sleeping. Return: how many, at most @room. */
int holdfast_player_verdicts(struct holdfast_player *p, struct holdfast_frame_result *res,
			     size_t room);
/* Until there is room or a verdict. @deadline_ns: CLOCK_MONOTONIC. Return: 0, -ETIMEDOUT, -EINTR. */
int holdfast_player_wait(struct holdfast_player *p, uint64_t deadline_ns);
/* Until every frame has its verdict. Return: as above. */
int holdfast_player_drain(struct holdfast_player *p, uint64_t deadline_ns);
/* What has not been played never will be: ECANCELED. Silences nothing. Return: 0, -ENODEV. */
int holdfast_player_cancel(struct holdfast_player *p);

/* -------------------------------------------------------------- control */

/* A lease with RIGHT_ARM or RIGHT_RESET; @r may be NULL, says why on -ERANGE. */
int holdfast_arm(struct holdfast_array *a, struct holdfast_reason *r);
int holdfast_reset(struct holdfast_array *a, struct holdfast_reason *r);
/* The same for a request with a correlation id: HOLDFAST_CORR_LEN bytes, or NULL. */
int holdfast_arm_as(struct holdfast_array *a, struct holdfast_reason *r, const uint8_t *corr);
int holdfast_reset_as(struct holdfast_array *a, struct holdfast_reason *r, const uint8_t *corr);

/* --------------------------------------------------------------- events */

/*
 * Every event goes to both SAFETY, where it does not say who (lease, tenant, pid,
 * comm and corr are 0, uid is all ones), and AUDIT, where it does. AUDIT needs
 * CAP_NET_ADMIN.
 */
enum holdfast_group { HOLDFAST_GROUP_SAFETY, HOLDFAST_GROUP_TELEMETRY, HOLDFAST_GROUP_AUDIT };

/**
 * struct holdfast_event - one event
 * @lost:	events between the one before and this that nobody has any more
 * @restarted:	the array was registered anew since the one before; @seq starts again
 */
struct holdfast_event {
	uint32_t array;
	bool restarted;
	uint64_t instance;
	uint64_t seq;
	uint64_t lost;
	uint64_t time_ns;	/* CLOCK_MONOTONIC */
	uint64_t real_ns;	/* CLOCK_REALTIME */
	uint64_t epoch;
	uint64_t lease;
	uint64_t tenant;
	uint32_t type;
	uint32_t detail;
	uint32_t severity;
	uint32_t cause;
	uint32_t state;
	uint32_t count;
	struct holdfast_reason reason;
	int32_t pid;
	uint32_t uid;
	char comm[HOLDFAST_COMM_LEN];
	uint8_t corr[HOLDFAST_CORR_LEN];	/* correlation id; all zero: none */
};

#define HOLDFAST_SINCE_NOW	UINT64_MAX

/**
 * holdfast_events_open() - follow one array on a netlink socket of its own
 * @index:	number of the array
 * @since:	first event wanted is the one after it; 0: all that the kernel has;
 *		HOLDFAST_SINCE_NOW: only new ones. Telemetry has no past.
 *
 * Call holdfast_events_next() until -EAGAIN before the first poll(2): the past
 * does not come through the socket. Needs the initial network namespace.
 * Return: 0, -ENOENT (no such family: is holdfast.ko loaded?), -ENODEV, -EPERM
 * (AUDIT without CAP_NET_ADMIN).
 */
int holdfast_events_open(struct holdfast_events **out, uint32_t index, enum holdfast_group group,
			 uint64_t since);
void holdfast_events_close(struct holdfast_events *ev);
int holdfast_events_fd(const struct holdfast_events *ev);	/* for poll(2): POLLIN */

/**
 * holdfast_events_next() - the next event in order, without sleeping
 *
 * What the socket lost (ENOBUFS, a gap) is fetched again from the kernel's
 * ring; what the ring no longer has is counted in @e->lost.
 * Return: 0, -EAGAIN (none now: poll), -ENODEV (the array is gone), -errno.
 */
int holdfast_events_next(struct holdfast_events *ev, struct holdfast_event *e);
/*
 * The next telemetry sample of a subscription to HOLDFAST_GROUP_TELEMETRY, ten
 * a second; what telemetry does not carry is 0. What was lost is lost. Return:
 * as above.
 */
int holdfast_telemetry_next(struct holdfast_events *ev, struct holdfast_status *st);
/* Times that events were fetched from the kernel's ring, the past at the start included. */
uint64_t holdfast_events_replays(const struct holdfast_events *ev);

/* --------------------------------------------------------------- keeper */

/**
 * holdfast_keeping_start() - become the keeper
 * @a:		opened with HOLDFAST_OPEN_WRITE; must outlive the keeping
 *
 * Ends all leases and leaves the array silent. Events say who (AUDIT) if the
 * caller has CAP_NET_ADMIN; without it they are those of SAFETY.
 * Return: 0, -EBUSY (another file is the keeper), -EPERM, ...
 */
int holdfast_keeping_start(struct holdfast_keeping **out, struct holdfast_array *a);
/* Stops following events; the array's file is what makes the keeper: close it too. */
void holdfast_keeping_stop(struct holdfast_keeping *k);
uint64_t holdfast_keeping_epoch(const struct holdfast_keeping *k);
uint32_t holdfast_keeping_deadline_ms(const struct holdfast_keeping *k);
int holdfast_keeping_fd(const struct holdfast_keeping *k);	/* for poll(2): events */

/**
 * holdfast_keeping_beat() - handle all events that are there, then beat
 * @seen:	called for each event; may be NULL
 * @arg:	for @seen
 *
 * Call it every 100 ms, and whenever the fd is readable.
 * Return: 0, -ESTALE (no longer the keeper: give up), -ETIME (behind for longer
 * than a second try could mend), -ENODEV.
 */
int holdfast_keeping_beat(struct holdfast_keeping *k,
			  void (*seen)(const struct holdfast_event *e, void *arg), void *arg);

/* The rest is filled by the caller; @lease->fd and @lease->id are out. */
int holdfast_lease_create(struct holdfast_keeping *k, struct holdfast_lease *lease);
int holdfast_lease_revoke(struct holdfast_keeping *k, uint64_t id);	/* 0: all */
int holdfast_keeping_arm(struct holdfast_keeping *k, struct holdfast_reason *r);
int holdfast_keeping_reset(struct holdfast_keeping *k, struct holdfast_reason *r);
/* The same for a request with a correlation id: HOLDFAST_CORR_LEN bytes, or NULL. */
int holdfast_lease_revoke_as(struct holdfast_keeping *k, uint64_t id, const uint8_t *corr);
int holdfast_keeping_arm_as(struct holdfast_keeping *k, struct holdfast_reason *r,
			    const uint8_t *corr);
int holdfast_keeping_reset_as(struct holdfast_keeping *k, struct holdfast_reason *r,
			      const uint8_t *corr);

/**
 * holdfast_quota_set() - set the budgets of a tenant, or ask for them
 * @q:	tenant, flags, set, budget and corr by the caller; out: all budgets in
 *	force and what has been used
 *
 * What a budget means, and errors: struct holdfast_quota.
 */
int holdfast_quota_set(struct holdfast_keeping *k, struct holdfast_quota *q);

/* -------------------------------------------------------- keeper socket */

#define HOLDFAST_KEEPER_SOCKET	"/run/holdfast/keeper.sock"

/**
 * struct holdfast_lease_request - what a program asks of the keeper
 * @array:	number of the array
 * @rights:	HOLDFAST_RIGHT_*
 * @duration_ms:	0: for as long as the keeper likes
 * @label:	for people; need not end in NUL
 */
struct holdfast_lease_request {
	uint32_t array;
	uint32_t rights;
	uint64_t duration_ms;
	char label[HOLDFAST_LABEL_LEN];
};

/**
 * holdfast_lease_request() - ask the keeper for a lease
 * @out:	the lease
 * @path:	NULL: HOLDFAST_KEEPER_SOCKET
 * @req:	what is asked
 * @timeout_ms:	for all of it
 * @text:	HOLDFAST_TEXT_LEN bytes, or NULL: why not, in words, on error
 *
 * Return: 0, -ENOENT or -ECONNREFUSED (no keeper listens), -ETIMEDOUT, -EPROTO,
 * or what the keeper answered (-EACCES, -ENODEV, ...).
 */
int holdfast_lease_request(struct holdfast_array **out, const char *path,
			   const struct holdfast_lease_request *req, int timeout_ms, char *text);
/* The same over a socket that is connected already; @sock stays open. */
int holdfast_lease_request_on(struct holdfast_array **out, int sock,
			      const struct holdfast_lease_request *req, int timeout_ms,
			      char *text);

/* Who asks, as the kernel says (SO_PEERCRED, SO_PEERGROUPS). */
struct holdfast_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	size_t ngroups;
	gid_t groups[64];
};

/**
 * typedef holdfast_grant_fn - decides on a request
 * @lease_fd:	out: what to hand over; the server closes its copy
 * @lease_id:	out
 * @text:	HOLDFAST_TEXT_LEN bytes: why not, on error
 *
 * Return: 0 or -errno, which goes to the program; after holdfast_server_defer()
 * anything: the answer comes later.
 */
typedef int (*holdfast_grant_fn)(void *arg, const struct holdfast_peer *peer,
				 const struct holdfast_lease_request *req, int *lease_fd,
				 uint64_t *lease_id, char *text);

/**
 * holdfast_server_open() - listen for requests
 * @path:	a socket file left behind by a dead keeper is replaced, one that
 *		answers is not (-EADDRINUSE). NULL: listen nowhere (see server_add)
 * @gid:	group that may connect besides root, or (gid_t)-1: root only
 *
 * The server serves at most 64 connections at a time (32 of one uid), each for
 * at most 2 s and one request, and never waits for any of them.
 */
int holdfast_server_open(struct holdfast_server **out, const char *path, gid_t gid,
			 holdfast_grant_fn grant, void *arg);
void holdfast_server_close(struct holdfast_server *s);	/* removes the socket file */
/* Serves a socket that is connected already, for any number of requests, until it closes. */
int holdfast_server_add(struct holdfast_server *s, int sock);
/* Connections taken over by holdfast_server_add() that are still open. */
size_t holdfast_server_added(const struct holdfast_server *s);
int holdfast_server_fd(const struct holdfast_server *s);	/* for poll(2): POLLIN */
/**
 * holdfast_server_defer() - in a grant function: the answer comes later
 * @timeout_ms:	how long the program may be kept waiting; then it is hung up on
 *
 * Return: a token, never the same again; 0: answer now.
 */
uint64_t holdfast_server_defer(struct holdfast_server *s, uint32_t timeout_ms);
/* Is the program that waits under @token still there? */
bool holdfast_server_waits(struct holdfast_server *s, uint64_t token);
/**
 * holdfast_server_answer() - answer a request that was deferred
 * @error:	0 or -errno
 * @lease_fd:	taken over, also on error; -1: none
 * @text:	why not, or NULL
 *
 * Return: 0, -ENOENT (nobody waits under @token any more) or -errno: it was not
 * handed over, and the lease must be revoked.
 */
int holdfast_server_answer(struct holdfast_server *s, uint64_t token, int error, int lease_fd,
			   uint64_t lease_id, const char *text);
/* Serves what is ready and drops who is late. Call when readable and now and then. */
int holdfast_server_run(struct holdfast_server *s);

/* ---------------------------------------------------- field and solving */

struct holdfast_point { double x_m, y_m, z_m; };

#define HOLDFAST_WAVELENGTH_NM	8580000	/* 343.2 m/s at 40 kHz */
#define HOLDFAST_APERTURE_UM	4500
#define HOLDFAST_P0_NOMINAL_UPAM 3400000ULL

/* From an open array, with its nominal source strength. */
int holdfast_model_of(struct holdfast_model **out, struct holdfast_array *a);
/* Rows by columns in the plane z = 0, facing +z, centred; constants as above. */
int holdfast_model_grid(struct holdfast_model **out, uint32_t rows, uint32_t columns,
			uint32_t pitch_um);
void holdfast_model_free(struct holdfast_model *m);
uint32_t holdfast_model_channels(const struct holdfast_model *m);

/* Pressure at @at, Pa peak: complex in re, im. @amp and @phase as in a frame. */
void holdfast_pressure(const struct holdfast_model *m, const uint16_t *phase, const uint16_t *amp,
		       const struct holdfast_point *at, double *re, double *im);
/* Pressure at @at if all channels of full amplitude were in phase, Pa peak. */
double holdfast_pressure_max(const struct holdfast_model *m, const struct holdfast_point *at);

/*
 * Solvers: fill @phase[channels]; amplitudes are the caller's. @turn_rad turns
 * the pattern about the axis through the point.
 */
void holdfast_solve_focus(const struct holdfast_model *m, const struct holdfast_point *at,
			  uint16_t *phase);
void holdfast_solve_twin(const struct holdfast_model *m, const struct holdfast_point *at,
			 double turn_rad, uint16_t *phase);
void holdfast_solve_vortex(const struct holdfast_model *m, const struct holdfast_point *at,
			   int charge, uint16_t *phase);
int holdfast_solve_bottle(const struct holdfast_model *m, const struct holdfast_point *at,
			  uint16_t *phase);
/* Weighted iterative back-propagation; 1..HOLDFAST_MAX_FOCI points of equal pressure. */
int holdfast_solve_foci(const struct holdfast_model *m, const struct holdfast_point *at, size_t n,
			uint32_t iterations, uint16_t *phase);

/* Point at @t in 0..1 along the path through @p[n], by length. */
struct holdfast_point holdfast_path_at(const struct holdfast_point *p, size_t n, double t);
/* Point at @t in 0..1 round a circle parallel to the xy plane. */
struct holdfast_point holdfast_circle_at(const struct holdfast_point *centre, double radius_m,
					 double t);
/* Nearest place in whole um; amp and phase 0, as in a frame with phases of its own. */
struct holdfast_focus holdfast_focus_at(const struct holdfast_point *p);

/* --------------------------------------------------------- stream files */

#define HOLDFAST_STREAM_MAX_FRAMES	1000000U
#define HOLDFAST_STREAM_MAX_BYTES	(1ULL << 30)

/* @interval_ns: time between frames, 1000..10^10; 0: not stated. */
int holdfast_stream_new(struct holdfast_stream **out, uint32_t channels, uint64_t interval_ns);
void holdfast_stream_free(struct holdfast_stream *s);
int holdfast_stream_append(struct holdfast_stream *s, const uint16_t *phase, const uint16_t *amp,
			   const struct holdfast_focus *foci, uint32_t nfoci);

/**
 * holdfast_stream_parse() - a stream file in memory, checked whole
 * @text:	HOLDFAST_TEXT_LEN bytes, or NULL: what is wrong and where, on error
 *
 * Return: 0, -EINVAL, -ENOMEM. Never a part of a stream.
 */
int holdfast_stream_parse(struct holdfast_stream **out, const void *data, size_t len, char *text);
/* The same for AcousTools' and OpenMPD's CSV; @amp for every channel. */
int holdfast_stream_parse_csv(struct holdfast_stream **out, const char *data, size_t len,
			      uint16_t amp, char *text);
/* Reads a file of either kind; it is a stream file if it begins like one. */
int holdfast_stream_load(struct holdfast_stream **out, const char *path, uint16_t amp,
			 char *text);
/* Writes @path.tmp and renames it: there is never half a file. */
int holdfast_stream_save(const struct holdfast_stream *s, const char *path);

uint32_t holdfast_stream_channels(const struct holdfast_stream *s);
uint32_t holdfast_stream_frames(const struct holdfast_stream *s);
uint64_t holdfast_stream_interval_ns(const struct holdfast_stream *s);
/* Frame @i of it; the cookie is @i. */
const struct holdfast_frame *holdfast_stream_frame(const struct holdfast_stream *s, uint32_t i);

#ifdef __cplusplus
}
#endif

#endif /* LIBHOLDFAST_H */
