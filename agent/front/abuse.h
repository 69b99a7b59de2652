/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who misbehaves: refused requests of each source are scored, forgotten with
 * time, and lead to a block that grows. Decides only; others refuse and record.
 */
#ifndef HF_ABUSE_H
#define HF_ABUSE_H

#include "clock.h"
#include "corr.h"
#include "http.h"
#include "ops.h"

/* What somebody has done; the weights are in abuse.c. */
enum hf_misdeed {
	HF_BAD_REQUEST,		/* 400 and the like */
	HF_BAD_UNKNOWN,		/* 401 */
	HF_BAD_DENIED,		/* 403 */
	HF_BAD_PATH,		/* 404, 405 */
	HF_BAD_SIZE,		/* 413, 414, 431 */
	HF_BAD_RATE,		/* 429 */
	HF_BAD_PROBE,		/* what no honest client sends */
	HF_BAD_USERS,		/* log-ins as one more of many users */
	HF_MISDEEDS,
};

struct hf_abuse_rules {
	uint32_t block_after;	/* points within about a minute */
	uint32_t block_s;	/* the first block; each further one twice as long, up to a day */
};

/*
 * @what:	"blocked" (@count: seconds; @detail: what for), "user_attacked" (@count: sources;
 *		@detail: the user)
 * @corr:	of the request that was one too many
 */
typedef void (*hf_abuse_fn)(void *arg, const struct hf_corr *corr, const char *what,
			    const struct hf_source *s, uint32_t count, const char *detail);

struct hf_abuse;

int hf_abuse_new(struct hf_abuse **out, const struct hf_random *r, hf_abuse_fn fn, void *arg);
void hf_abuse_free(struct hf_abuse *a);
void hf_abuse_set(struct hf_abuse *a, const struct hf_abuse_rules *rules);

/*
 * Nanoseconds for which @s may not ask for @op (NULL: nothing that exists); 0:
 * it may. Silence always may; who is on this host is only kept from logging in.
 */
uint64_t hf_abuse_wait(struct hf_abuse *a, const struct hf_source *s, const struct hf_op *op,
		       uint64_t now_ns);
void hf_abuse_note(struct hf_abuse *a, const struct hf_source *s, const struct hf_corr *corr,
		   enum hf_misdeed m, uint64_t now_ns);
/* A log-in of @user that failed. */
void hf_abuse_login(struct hf_abuse *a, const struct hf_source *s, const struct hf_corr *corr,
		    const char *user, uint64_t now_ns);
/* Which misdeed is an answer of this status? HF_MISDEEDS: none. */
enum hf_misdeed hf_abuse_of_status(int status);

#endif /* HF_ABUSE_H */
