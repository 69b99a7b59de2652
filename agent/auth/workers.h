/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Password hashes on their own threads, few and with a short queue, so that
 * nobody can make the process wait by asking for log-ins. The threads hash and
 * do nothing else: no file, no link, no log, no randomness.
 */
#ifndef HF_WORKERS_H
#define HF_WORKERS_H

#include "loop.h"
#include "phc.h"
#include "policy.h"

#define HF_WORKERS_MAX	4
#define HF_QUEUE_MAX	64

struct hf_workers;

/**
 * struct hf_hash_job - what is to be hashed
 * @check:	hash to verify @old against, "": none
 * @old:	password for it
 * @make:	hash @new (and, with @check, only if that was right)
 * @renew:	if @check was right but is stale, hash @old anew
 * @cost: @pepper: @salt:	of what is made
 * @verdict:	out: 0; -EKEYREJECTED; -ECANCELED; other -errno: could not be computed
 * @made:	out: the new hash, "": none
 *
 * Passwords are wiped as soon as they are hashed.
 */
struct hf_hash_job {
	char check[HF_PHC_LEN];
	char old[HF_PASSWORD_MAX + 1], new[HF_PASSWORD_MAX + 1];
	size_t old_len, new_len;
	bool make, renew;
	struct hf_phc_cost cost;
	struct hf_pepper pepper;
	uint8_t salt[HF_PHC_SALT];
	int verdict;
	char made[HF_PHC_LEN];
};

/* In the loop's thread. @job is wiped afterwards. */
typedef void (*hf_hash_fn)(void *arg, const struct hf_hash_job *job);

/* @threads: 1..HF_WORKERS_MAX. @queue: jobs that may wait, 1..HF_QUEUE_MAX. */
int hf_workers_new(struct hf_workers **out, struct hf_loop *loop, unsigned int threads,
		   unsigned int queue);
/* Waits for what is being hashed; what has not been called back gets -ECANCELED. */
void hf_workers_free(struct hf_workers *w);

/* @job: copied, and wiped in any case. Return: 0, -EBUSY: the queue is full. */
int hf_workers_submit(struct hf_workers *w, struct hf_hash_job *job, hf_hash_fn fn, void *arg);
/* Waiting and being hashed. */
unsigned int hf_workers_load(struct hf_workers *w);

/* What a thread does with one job; for tests and the bench. */
void hf_hash_job_run(struct hf_hash_job *job);

#endif /* HF_WORKERS_H */
