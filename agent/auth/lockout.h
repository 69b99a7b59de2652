/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lock-out after wrong passwords: a wait that grows, by account, by source, and
 * by account from a source. Counts in memory, in a bounded table; those of
 * accounts that exist are kept in the users' rows by the caller as well. Time
 * comes in. What a lock-out is answered with is not decided here.
 */
#ifndef HF_LOCKOUT_H
#define HF_LOCKOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"

struct hf_lockout;

#define HF_LOCKOUT_ENTRIES	4096
#define HF_LOCKOUT_SOURCE	64
/* An account and a source bear more tries than one account from one source. */
#define HF_LOCKOUT_WIDE		4
/* An admin on the local socket never waits longer: the last one cannot be locked out. */
#define HF_LOCKOUT_LOCAL_ADMIN_NS	(30 * HF_S)

/* @free_tries: without a wait. @start_ns: first wait, doubles up to @max_ns. */
struct hf_lockout_rule {
	uint32_t free_tries;
	uint64_t start_ns;
	uint64_t max_ns;
};

/* Failures in a row, and until when no try counts. */
struct hf_strikes {
	uint32_t failures;
	uint64_t until_ns;
	uint64_t last_ns;
};

/**
 * struct hf_attempt - one try to log in
 * @name:	as given; need not exist
 * @source:	who is at the other end: an address, or "uid:1000"
 * @local_admin: the account is an admin's and @source is on the local socket
 */
struct hf_attempt {
	const char *name;
	const char *source;
	bool local_admin;
};

int hf_lockout_new(struct hf_lockout **out, const struct hf_random *r);
void hf_lockout_free(struct hf_lockout *l);

/*
 * hf_lockout_begin() - may this try go on? If so it counts as failed until
 * hf_lockout_success(), so that tries at the same time cannot pass together.
 * @account:	counts of the account: in and out
 * @now_ns:	of a clock that is the same for @account and for the table
 *
 * Return: 0: go on; else nanoseconds to wait, and nothing was counted.
 */
uint64_t hf_lockout_begin(struct hf_lockout *l, const struct hf_lockout_rule *r,
			  const struct hf_attempt *a, struct hf_strikes *account, uint64_t now_ns);
/* It was right: forgets the account's count, the pair's, and this one of the source. */
void hf_lockout_success(struct hf_lockout *l, const struct hf_attempt *a,
			struct hf_strikes *account);
/* It was not judged at all (overload): as if it had not been. */
void hf_lockout_cancel(struct hf_lockout *l, const struct hf_lockout_rule *r,
		       const struct hf_attempt *a, struct hf_strikes *account);
/* Forgets all waits of an account (an admin has said so). */
void hf_lockout_unlock(struct hf_lockout *l, const char *name, struct hf_strikes *account);

/* Counts of an account that does not exist: same rules, so that nobody can tell. */
void hf_lockout_stranger(struct hf_lockout *l, const char *name, struct hf_strikes *account);
void hf_lockout_stranger_keep(struct hf_lockout *l, const char *name,
			      const struct hf_strikes *account);

/* The wait after so many failures in a row; 0: none. Pure. */
uint64_t hf_lockout_wait_ns(const struct hf_lockout_rule *r, uint32_t failures);

#endif /* HF_LOCKOUT_H */
