/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Getting in charge: the lock of the run folder, which the processes of the one before
 * hold with it, so that it is free only when the last of them is gone. Who stands by
 * waits for that; what hangs is killed.
 */
#ifndef HF_STANDBY_H
#define HF_STANDBY_H

#include <sys/types.h>

#include "err.h"
#include "loop.h"

#define HF_STANDBY_ASKS		8			/* unanswered: it hangs */
#define HF_ORPHANS_NS		(2500 * HF_MS)		/* they end within 1.5 s by themselves */

/*
 * Asked HF_STANDBY_ASKS times in a row without an answer. Counted in turns of our own, not in
 * time: when the whole machine stood still, that is one.
 */
struct hf_patience {
	unsigned int missed;
};

/* With each question; @answered: the one before was. Return: is it at its end? */
static inline bool hf_patience_ask(struct hf_patience *p, bool answered)
{
	p->missed = answered ? 0 : p->missed + 1;
	return p->missed >= HF_STANDBY_ASKS;
}

/**
 * struct hf_takeover - how we got in charge
 * @why:	of the audit log: "ended", "no_answer"; NULL: nobody was
 * @from:	process number of the parent before; 0: not known
 * @killed:	processes of it that had not ended by themselves
 * @took_ns:	from when its end was seen, or decided, to when the last of its processes was gone
 */
struct hf_takeover {
	const char *why;
	pid_t from;
	unsigned int killed;
	uint64_t took_ns;
};

/**
 * struct hf_charge - who wants to be in charge
 * @run:	folder of the lock; it is there
 * @after_ns:	without an answer of who is in charge, after which it is killed
 * @wait:	stand by; otherwise somebody in charge is -EBUSY, and only what is left of one
 *		that has ended is waited for
 */
struct hf_charge {
	struct hf_loop *loop;
	const char *run;
	uint64_t after_ns;
	bool wait;
};

/*
 * hf_standby_run() - runs the loop until the lock is ours
 * Whoever stops the loop meanwhile (hf_loop_stop() with 0) ends the wait.
 * Return: the lock, to be kept open and to be given to each process; -ECANCELED; -EBUSY, -errno.
 */
int hf_standby_run(const struct hf_charge *env, struct hf_takeover *t, struct hf_err *e);

#endif /* HF_STANDBY_H */
