/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the auth process share: its configuration, its state, and
 * how it reaches others. No link, loop or thread is known here but by name.
 */
#ifndef HF_AUTH_H
#define HF_AUTH_H

#include <jansson.h>

#include "clock.h"
#include "corr.h"
#include "db.h"
#include "gcra.h"
#include "ipc.h"
#include "keys.h"
#include "lockout.h"
#include "ops.h"
#include "peers.h"
#include "phc.h"
#include "secret_store.h"
#include "workers.h"

#define HF_STEP_UP_SKEW_NS	(60 * HF_S)	/* a clock may have been set back so much */

/* Of the configuration, in our units: section "auth", and what "api" says of users. */
struct hf_auth_config {
	struct hf_phc_cost cost;
	unsigned int workers, queue;
	size_t password_min;
	uint64_t user_idle_ns, user_max_ns, admin_idle_ns, admin_max_ns;
	uint64_t step_up_ns;
	int64_t token_ttl_s;
	struct hf_lockout_rule lockout;
	bool totp_required;
	bool remote_arming;
	uint32_t requests_per_minute;	/* of one user */
	int64_t key_days;	/* the signing key is due for rotation after */
};

/**
 * struct hf_auth_io - how the process reaches others; tests play them
 * @append:	as hf_append()
 * @forward:	a CALL to @to; @body is stolen, @fn gets the answer. Return: 0, -errno
 * @answer:	to the CALL @id of @from (of generation @gen: a link that has closed
 *		since gets none); @result is stolen
 */
struct hf_auth_io {
	int (*append)(void *arg, const struct hf_corr *corr, const struct hf_actor *actor,
		      const char *action, const char *object, const char *phase, const char *result,
		      uint64_t intent, json_t *detail, hf_reply_fn fn, void *fn_arg);
	int (*forward)(void *arg, enum hf_proc to, const struct hf_corr *corr, json_t *body,
		       uint64_t deadline_ns, hf_reply_fn fn, void *fn_arg);
	void (*answer)(void *arg, enum hf_proc from, unsigned int gen, uint64_t id,
		       const struct hf_corr *corr, int status, json_t *result);
	void *arg;
};

/* Users whose rate is remembered; who has not asked for longest makes room. */
#define HF_RATED_USERS		4096

/*
 * Denied requests and failed log-ins are recorded one by one up to a rate, then counted. Reports of
 * the fronts have a rate of their own: what makes them many must not hide that somebody was blocked.
 */
#define HF_DENIALS_PER_S	20
struct hf_denials {
	uint64_t second;
	uint32_t recorded, suppressed;
};

struct hf_auth_stats {
	uint64_t calls, denied, logins, logins_failed, lockouts, overloads, limited;
};

/**
 * struct hf_auth - the process
 * @dirfd:	state/auth; @dir: its path
 * @rekeyed:	the master key was changed at the start, and that is still to be recorded
 * @durable:	audit says that records can be made durable
 * @rates:	of requests, by user
 * @dummy:	hash for users that do not exist: the same cost
 */
struct hf_auth {
	struct hf_auth_config cfg;
	const struct hf_clock *clock;
	const struct hf_random *random;
	struct hf_auth_io io;
	int dirfd;
	char dir[HF_ERR_LEN];
	struct hf_db *db;
	struct hf_keys keys;
	struct hf_lockout *lockout;
	struct hf_gcra *rates;
	struct hf_workers *workers;
	struct hf_secrets *secrets;
	enum hf_master_source master_source;
	bool rekeyed;
	struct hf_pepper pepper;
	struct hf_peers *peers;
	char dummy[HF_PHC_LEN];
	bool durable;
	struct hf_denials denials, reports;
	struct hf_auth_stats stats;
	unsigned int open_calls;
};

/* Return: 0, -EINVAL: the parts do not fit together. */
int hf_auth_config_read(struct hf_auth_config *c, const json_t *config, struct hf_err *e);

#endif /* HF_AUTH_H */
