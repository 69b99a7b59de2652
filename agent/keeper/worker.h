/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One helper thread for what may take long: writing the state to disk, a
 * self-test of the hardware. It has no capabilities and no real-time priority;
 * the loop never waits for it but at the very end.
 */
#ifndef HF_KEEPER_WORKER_H
#define HF_KEEPER_WORKER_H

#include "loop.h"

#define HF_WORKER_JOBS	8

struct hf_worker;

/* @run: in the thread; @done: in the loop, afterwards, exactly once. */
struct hf_job {
	void (*run)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

/* Before the sandbox, which allows no threads and takes real time only for the caller. */
int hf_worker_new(struct hf_worker **out, struct hf_loop *loop);
/* Return: 0, -EBUSY (HF_WORKER_JOBS wait): @done is not called then. */
int hf_worker_give(struct hf_worker *w, const struct hf_job *job);
/* Waits for the jobs that were given; their @done are called. NULL is fine. */
void hf_worker_free(struct hf_worker *w);

#endif /* HF_KEEPER_WORKER_H */
