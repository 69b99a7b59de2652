/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One request on its way through auth, and what its handlers use: the arguments,
 * who asks, and the one answer.
 */
#ifndef HF_CALL_H
#define HF_CALL_H

#include "auth.h"
#include "session.h"

#define HF_CALLS_MAX	512	/* under way; more are refused with 503 */

/**
 * struct hf_call - one request
 * @from: @gen: @id:	whom to answer
 * @args:	checked by the operation's table
 * @actor:	who asks
 * @user:	the actor's row; id 0: has none
 * @session:	the actor's; id "": has none
 * @source:	who is at the other end, for lock-out: an address or "uid:1000"
 * @intent:	sequence number of the INTENT record, 0: none
 * @status: @result:	the answer, while the OUTCOME record is on its way
 */
struct hf_call {
	struct hf_auth *a;
	enum hf_proc from;
	unsigned int gen;
	uint64_t id;
	struct hf_corr corr;
	const struct hf_op *op;
	json_t *args;
	struct hf_actor actor;
	struct hf_user user;
	struct hf_session session;
	char source[HF_LOCKOUT_SOURCE];
	uint64_t deadline_ns;
	uint64_t intent;
	int status;
	json_t *result;
};

/* --- answering: exactly one of these per call, then it is gone */

/* @result: stolen. NULL: out of memory, answered 500. */
void hf_call_ok(struct hf_call *c, json_t *result);
void hf_call_fail(struct hf_call *c, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* What another process has answered; @result: borrowed. */
void hf_call_relay(struct hf_call *c, int status, const json_t *result);
/* As above, about argument @field, or with the seconds to wait; NULL, 0: without. */
void hf_call_fail_more(struct hf_call *c, int status, const char *code, const char *field,
		       uint64_t retry_s, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* For what the database or the system has refused; says nothing but "internal". */
void hf_call_broken(struct hf_call *c, int ret, const char *what);
/* A denial: recorded (up to a rate), then answered by @status and @code. */
void hf_call_deny(struct hf_call *c, int status, const char *code, uint64_t retry_s, const char *text);

/* --- arguments, already checked: NULL or @otherwise if absent */
const char *hf_call_text(const struct hf_call *c, const char *name);
int64_t hf_call_int(const struct hf_call *c, const char *name, int64_t otherwise);

/* --- records; @detail is stolen */
void hf_call_event(struct hf_call *c, const char *action, const char *object, json_t *detail);
/* Bounded: HF_DENIALS_PER_S, the rest is counted and recorded as one by hf_denials_tick(). */
void hf_record_denial(struct hf_auth *a, const struct hf_corr *corr, const struct hf_actor *actor,
		      const char *action, const char *object, json_t *detail);
void hf_record_report(struct hf_auth *a, const struct hf_corr *corr, const struct hf_actor *actor,
		      const char *action, json_t *detail);
void hf_denials_tick(struct hf_auth *a);

static inline int64_t hf_now_ns(const struct hf_auth *a)
{
	return (int64_t)hf_real_ns(a->clock);
}

/* --- who it is */

/**
 * hf_authenticate() - fills @c->actor, @c->user, @c->session
 * @cred:	{ kind, secret, uid, gids, pid }
 * @src:	address of the peer, "" on the local socket
 *
 * Credentials that do not hold are as none: role public.
 * Return: 0; -EINVAL: malformed; -EPERM: this process may not bring such; -errno.
 */
int hf_authenticate(struct hf_call *c, const json_t *cred, const char *src, struct hf_err *e);
/* A local account: user's row first, then the configuration. @u->id 0: no row. */
int hf_identify(struct hf_auth *a, uint32_t uid, const uint32_t *gids, size_t count,
		struct hf_identity *id, struct hf_user *u);

/* --- passwords */

/* Called when the password (and second factor) was right; @made: a new hash, "": none. */
typedef void (*hf_proved_fn)(struct hf_call *c, struct hf_user *u, const char *made);

/**
 * struct hf_proof_wanted - what is to be proved
 * @name:	of the user, who need not exist
 * @new:	a new password, hashed if the old one was right; NULL: none
 * @totp:	code, NULL: none was given
 * @second:	ask for the second factor if the user has one
 * @status: @code:	of the answer if it was wrong
 */
struct hf_proof_wanted {
	const char *name, *password, *new, *totp;
	bool second;
	int status;
	const char *code;
	hf_proved_fn fn;
};

/* Answers the call itself unless @w->fn is called: lock-out, overload, wrong password. */
void hf_prove(struct hf_call *c, const struct hf_proof_wanted *w);
/* Only a new hash. @fn as above, with @u NULL. */
void hf_hash_new(struct hf_call *c, const char *password, hf_proved_fn fn);
/* Is the second factor right? Keeps the step in @u (not saved). 0, -EKEYREJECTED, -errno. */
int hf_second_factor(struct hf_auth *a, struct hf_user *u, const char *code);
/* Encrypts and decrypts the second factor's secret in @u. */
int hf_totp_box(struct hf_auth *a, struct hf_user *u, const uint8_t *secret, size_t len);
int hf_totp_unbox(struct hf_auth *a, const struct hf_user *u, uint8_t *secret, size_t len);
/* Does without it; a password that is too short alone must be changed. */
void hf_totp_forget(struct hf_user *u);
/* The configuration wants a second factor of @u's role, and there is none yet. */
bool hf_must_enrol(const struct hf_auth *a, const struct hf_user *u);
/* Is @password only long enough beside a second factor? */
bool hf_needs_totp(const struct hf_auth *a, const char *password);
/* May @u have this password? Else answers the call (field @field). */
bool hf_password_fits(struct hf_call *c, const struct hf_user *u, const char *password,
		      const char *field);

/* --- what auth carries out itself */
struct hf_handler {
	const char *op;
	void (*fn)(struct hf_call *c);
};
/* By file; each ends with a NULL op. */
extern const struct hf_handler hf_login_handlers[], hf_self_handlers[], hf_account_handlers[],
	hf_secret_handlers[];
/* Of an operation whose target is auth. NULL: there is none. */
const struct hf_handler *hf_handler_find(const char *op);

#endif /* HF_CALL_H */
