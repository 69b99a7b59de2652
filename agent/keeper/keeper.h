/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The keeper process as a whole: its arrays, who has leases on them, and what
 * it waits for. Shared by the files of this folder and by nobody else.
 *
 * One thread, one loop, and in it nothing that waits: the beat depends on it.
 */
#ifndef HF_KEEPER_H
#define HF_KEEPER_H

#include "device.h"
#include "gcra.h"
#include "ladder.h"
#include "log.h"
#include "ops.h"
#include "peers.h"
#include "policy.h"
#include "recorder.h"
#include "second.h"
#include "settings.h"
#include "worker.h"

#define HF_ARRAYS	64	/* numbers 0..63, as the API has them */
#define HF_RECORDERS	(2 * HF_ARRAYS)	/* of those that have gone, too */
#define HF_REQUESTS	64	/* programs that wait for a lease */
#define HF_CALLS	64	/* calls of auth under way */
#define HF_BEATS	1024	/* margins kept for the statistics */
#define HF_WHO		64	/* answers of auth kept, */
#define HF_WHO_NS	(5 * HF_S)	/* so long */
#define HF_LACKS	(HOLDFAST_LIM_ROOM + 1)

struct hf_keeper;

/* @tenant: 0: the house's. @end_ns: of the loop's clock. */
struct hf_lease {
	uint64_t id;
	uint64_t tenant;
	uint64_t end_ns;
	uint32_t rights;
	uint32_t uid;
	int32_t pid;
	char actor[HF_NAME_LEN];
	char label[HOLDFAST_LABEL_LEN];
	struct hf_corr corr;
};

/* A limit that is looser in the configuration than it is, and cannot be loosened. */
struct hf_lack {
	uint32_t limit;		/* HOLDFAST_LIM_NONE: fence points that the configuration lacks */
	int64_t wanted, has;
};

/*
 * What well.c remembers of an array. @tested_ns: last self-test, or when the array was taken, of
 * the loop's clock; @failed: parts of it that failed. @lost, @lost_ns: events lost when it was last
 * looked, and since when that has not grown.
 */
struct hf_well {
	uint64_t tested_ns;
	uint32_t failed;
	uint64_t lost, lost_ns;
};

/**
 * struct hf_array - one array that this process keeps
 * @margin_us:	what was left of the deadline at the last @beats beats
 * @testing:	a self-test runs in the helper thread
 * @spent:	a tenant's budget here was used up: share out anew
 */
struct hf_array {
	struct hf_keeper *keeper;
	uint32_t index;
	bool used, sealed, testing, spent;
	uint64_t instance;
	char serial[HOLDFAST_LABEL_LEN];
	char model[HOLDFAST_LABEL_LEN];
	struct holdfast_array *dev;
	struct holdfast_keeping *keeping;
	struct hf_watch *watch;
	struct hf_recorder *rec;
	struct hf_second second;
	size_t leases;
	struct hf_lease lease[HOLDFAST_MAX_LEASES];
	size_t lacks;
	struct hf_lack lack[HF_LACKS];
	uint64_t beat_ns;
	uint32_t deadline_ms;
	uint64_t beats, late;
	uint32_t causes[HOLDFAST_CAUSE_COUNT];	/* of trips that have come while it was kept */
	uint32_t margin_us[HF_BEATS];
	struct hf_well well;
};

enum hf_tale { HF_TALE_NONE, HF_TALE_CLEAR, HF_TALE_TRIPPED, HF_TALE_GONE };

/* What export has been told of an array: @said and @trips with its word that it knows. */
struct hf_told {
	struct hf_keeper *keeper;
	enum hf_tale said, saying;
	uint64_t instance;
	uint32_t trips, trips_saying;
	bool waiting;
};

struct hf_request;
struct hf_call;
struct hf_usage;
struct hf_store;

/* What auth said of a peer: of its uid and groups, whatever its pid. */
struct hf_who {
	uint64_t until_ns;
	struct holdfast_peer peer;
	struct hf_actor actor;
};

/**
 * struct hf_keeper - the process
 * @sysadmin:	CAP_SYS_ADMIN is still there: limits can be set and sealed
 * @others_seal: it never was: an array is taken once `holdfastd --site` has sealed it
 * @scan_wait_ns:	until an array that could not be taken is tried again
 */
struct hf_keeper {
	struct hf_loop *loop;
	const struct hf_clock *clock;
	const struct hf_random *random;
	const struct hf_device *device;
	struct hf_peers peers;
	struct hf_peers ladder_peers;	/* append by hf_record() */
	struct hf_settings *settings;
	struct hf_link *auth;
	struct hf_worker *worker;
	struct holdfast_server *server;
	struct hf_watch *server_watch;
	struct hf_gcra *rate;
	struct hf_ladder ladder;
	struct hf_array array[HF_ARRAYS];
	struct hf_recorder *recorder[HF_RECORDERS];
	struct hf_request *request;
	struct hf_call *call;
	struct hf_usage *usage;
	struct hf_store *store;
	struct hf_who who[HF_WHO];
	struct hf_told told[HF_ARRAYS];
	struct hf_timer *beat, *pump, *second, *grace, *scan;
	int (*sealed)(struct hf_err *e);	/* gives up CAP_SYS_ADMIN */
	uint64_t beat_due_ns;
	uint64_t scan_wait_ns;
	uint64_t disarmed_ns;		/* the ladder silenced all; 0: not since audit was there */
	bool sysadmin, others_seal, stopping, probing;
};

/* -------------------------------------------------------------- array.c */

/* Takes what there is and is wanted. Never fails: what cannot be taken is logged and tried again.
 */
void hf_arrays_scan(struct hf_keeper *k);
/* Lets go of one: leases and keeper's file end, the driver silences. */
void hf_array_leave(struct hf_array *a, const char *why);
struct hf_array *hf_array_find(struct hf_keeper *k, uint32_t index);	/* NULL: not kept */
/* Tightens all to the settings, which are new. */
void hf_arrays_settings(struct hf_keeper *k);
/* @index -1: all. Return: how many are silent now. */
unsigned int hf_arrays_silence(struct hf_keeper *k, int index, bool latch,
			       const struct hf_corr *corr);
/* Takes the event into account; called for each, in the beat. */
void hf_array_event(struct hf_array *a, const struct holdfast_event *e);
uint64_t hf_arrays_pending(const struct hf_keeper *k);	/* events not recorded yet */
void hf_arrays_pump(struct hf_keeper *k);

/* --------------------------------------------------------------- beat.c */

int hf_beat_start(struct hf_keeper *k);
void hf_beat_stop(struct hf_keeper *k);
void hf_beat_settings(struct hf_keeper *k);
/* The array's events first, then its beat. Return: 0, -errno (the array was left). */
int hf_beat_array(struct hf_array *a);
json_t *hf_beat_json(const struct hf_array *a);

/* -------------------------------------------------------------- lease.c */

int hf_leases_start(struct hf_keeper *k);
void hf_leases_free(struct hf_keeper *k);
/* The server's grant function; @arg: the keeper. */
int hf_lease_asked(void *arg, const struct holdfast_peer *peer,
		   const struct holdfast_lease_request *req, int *lease_fd, uint64_t *lease_id,
		   char *text);
/* Return: 0, -errno of the driver. @why goes into the record; @corr may be NULL. */
int hf_lease_end(struct hf_array *a, uint64_t id, const struct hf_actor *by,
		 const struct hf_corr *corr, const char *why);
/* All that match: every argument that is given. @rights: any of these. Return: how many. */
unsigned int hf_leases_end(struct hf_keeper *k, const char *actor, uint32_t rights,
			   const struct hf_actor *by, const struct hf_corr *corr, const char *why);
/* Ends those that the settings or the clock no longer allow. */
void hf_leases_sweep(struct hf_keeper *k);
void hf_lease_gone(struct hf_array *a, uint64_t id);
/* Live leases that the tenant has on all arrays, by the driver's word. */
uint32_t hf_leases_of(struct hf_keeper *k, uint64_t tenant);
void hf_who_forget(struct hf_keeper *k);

/* -------------------------------------------------------------- calls.c */

int hf_calls_start(struct hf_keeper *k);
void hf_calls_free(struct hf_keeper *k);
void hf_call_take(struct hf_keeper *k, struct hf_link *from, const struct hf_ipc_msg *m);
/* SILENCE of front and local, and silence of auth: act, answer, then record. */
void hf_silence_take(struct hf_keeper *k, struct hf_link *from, const struct hf_ipc_msg *m);
void hf_calls_auth_gone(struct hf_keeper *k);
/* In the helper thread, with a file of its own. Return: 0, -errno. */
int hf_self_test(const struct hf_device *d, uint32_t index, struct holdfast_self_test *t);
/* Waiting second persons whose time is over. */
void hf_seconds_tick(struct hf_keeper *k);

/* --------------------------------------------------------------- show.c */

json_t *hf_show_telemetry(struct hf_keeper *k);	/* { arrays }, of all of them */
json_t *hf_show_arrays(struct hf_keeper *k, const struct hf_actor *who);
json_t *hf_show_array(struct hf_array *a);
json_t *hf_show_metrics(struct hf_array *a);	/* { array, limits, fence }; NULL: it has gone */
json_t *hf_show_limits(struct hf_array *a);
json_t *hf_show_events(struct hf_array *a, const struct hf_actor *who, uint64_t after, size_t most);
json_t *hf_show_trip(struct hf_array *a, const struct hf_actor *who);
json_t *hf_show_blackbox(struct hf_array *a);
json_t *hf_show_leases(struct hf_array *a, const struct hf_actor *who);
json_t *hf_show_tenants(struct hf_keeper *k, const struct hf_actor *who);
json_t *hf_show_tenant(struct hf_keeper *k, const struct hf_tenant *t);
json_t *hf_show_stats(struct hf_keeper *k);
/* For an incident: { serial, owner, tenants[], trip, blackbox }; @owner: whose lease it was. */
json_t *hf_show_told(struct hf_array *a, const struct holdfast_trip *t);

/* --------------------------------------------------------------- tell.c */

/* Once a second: export hears which arrays are tripped, gone or clear, where that has changed. */
void hf_tell_tick(struct hf_keeper *k);
/* It is a new one, or what it is told depends on new settings: all of it again. */
void hf_tell_anew(struct hf_keeper *k);

/* --------------------------------------------------------------- well.c */

/* Adds what is to be said of the driver and of all arrays, the worst of each kind. Reads only. */
void hf_well_findings(struct hf_keeper *k, json_t *list);
void hf_well_event(struct hf_array *a, const struct holdfast_event *e);
/* CALL of the parent: a self-test that is due, and nothing else. */
void hf_well_call(struct hf_keeper *k, struct hf_link *from, const struct hf_ipc_msg *m);

/* -------------------------------------------------------------- quota.c */

int hf_quota_start(struct hf_keeper *k);
void hf_quota_free(struct hf_keeper *k);
/* Before the first lease of a tenant on an array. Return: 0, -errno: no lease. */
int hf_quota_ready(struct hf_array *a, const struct hf_tenant *t);
/* Once a second: what was used, periods that are over, budgets to be shared out anew. */
void hf_quota_tick(struct hf_keeper *k);
/* Settings are new, or an array has gone. */
void hf_quota_settings(struct hf_keeper *k);
/* Gives it anew. Return: 0, -errno. */
int hf_quota_reset(struct hf_keeper *k, const struct hf_tenant *t);
json_t *hf_quota_json(struct hf_keeper *k, const struct hf_tenant *t);
json_t *hf_quota_state(struct hf_keeper *k);			/* for the store */
void hf_quota_restore(struct hf_keeper *k, const json_t *state);

/* -------------------------------------------------------------- store.c */

/* @path: folder of this process. Return: 0, -errno and why; a damaged file is put aside, and said.
 */
int hf_store_open(struct hf_keeper *k, const char *path, struct hf_err *e);
/* Writes what is kept, if it changed; in the helper thread. */
void hf_store_tick(struct hf_keeper *k);
/* The same at the end, when the helper thread and the arrays are gone. */
void hf_store_close(struct hf_keeper *k);
/* -1: not open. */
int hf_store_folder(const struct hf_keeper *k);
json_t *hf_store_json(const struct hf_keeper *k);
/* Last event of this registration in the audit log; 0: none is known. */
uint64_t hf_store_recorded(struct hf_keeper *k, uint64_t instance);
void hf_store_mark(struct hf_keeper *k, uint64_t instance, uint64_t seq);

/* ------------------------------------------------------------- common.c */

/* A record that nobody waits for. */
void hf_note(struct hf_keeper *k, const struct hf_corr *corr, const struct hf_actor *actor,
	     const char *action, const char *object, const char *phase, const char *result,
	     uint64_t intent, json_t *detail);
/* A record, and what its fate means for the ladder: @fn as of hf_link_request(), may be NULL. */
int hf_record(struct hf_keeper *k, const struct hf_record *r, hf_reply_fn fn, void *arg);
/* The same as struct hf_peers has it; @arg: the keeper. */
int hf_record_peer(void *arg, const struct hf_record *r, hf_reply_fn fn, void *fn_arg);
void hf_ladder_step(struct hf_keeper *k, enum hf_ladder_step step);
/* Once a second: is an audit process that was too slow well again? */
void hf_ladder_probe(struct hf_keeper *k);
const char *hf_tenant_name(const struct hf_keeper *k, uint64_t id);	/* NULL: not configured */
/* "array/3" */
const char *hf_array_object(const struct hf_array *a, char buf[32]);

static inline uint64_t hf_now(const struct hf_keeper *k)
{
	return hf_mono_ns(k->clock);
}

#endif /* HF_KEEPER_H */
