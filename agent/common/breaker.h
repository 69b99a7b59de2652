/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A circuit breaker for one dependency: counts what became of calls in a
 * window of time, refuses calls for a while when too many failed, then lets a
 * few probes through. Time and randomness are the caller's; nothing is called
 * or waited for in here. Silence never asks a breaker.
 *
 *	closed -> open		of at least min_calls in the window fail_pct failed, or slow_pct were slow
 *	open -> half-open	open_ns have passed (doubled each time it did not help, with jitter)
 *	half-open -> closed	of the probes fewer than fail_pct failed and fewer than slow_pct were slow
 *	half-open -> open	otherwise, or they took longer than probe_ns altogether
 *
 * Parameters and pitfalls: resilience4j (window, minimum, probes), gobreaker
 * (what belongs to an earlier state does not count), AWS (full jitter).
 */
#ifndef HF_BREAKER_H
#define HF_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

#define HF_BREAKER_BUCKETS	10

/**
 * struct hf_breaker_rule - when to open, and for how long
 * @window_ns:	what is older does not count; in ten buckets, so exact to a tenth
 * @min_calls:	fewer never open it, >= 1
 * @fail_pct:	1..100
 * @slow_ns:	a call that took longer is slow; 0: none is
 * @slow_pct:	1..100; looked at only with @slow_ns
 * @open_ns:	the first time
 * @open_max_ns: at most
 * @probes:	let through when half open, 1..100
 * @probe_ns:	for all of them to end
 */
struct hf_breaker_rule {
	uint64_t window_ns;
	uint32_t min_calls, fail_pct;
	uint64_t slow_ns;
	uint32_t slow_pct;
	uint64_t open_ns, open_max_ns;
	uint32_t probes;
	uint64_t probe_ns;
};

enum hf_breaker_state { HF_BREAKER_CLOSED, HF_BREAKER_OPEN, HF_BREAKER_HALF_OPEN };

/* "closed", "open", "half-open" */
const char *hf_breaker_word(enum hf_breaker_state s);

enum hf_outcome {
	HF_OUTCOME_OK,
	HF_OUTCOME_FAILED,
	HF_OUTCOME_CALLER,	/* its own mistake, or given up: says nothing of the dependency */
};

struct hf_breaker_counts {
	uint32_t calls, failed, slow;
};

/* All of it is private; it needs no end. */
struct hf_breaker {
	const struct hf_breaker_rule *rule;
	const struct hf_random *random;
	enum hf_breaker_state state;
	uint64_t generation;		/* changes with the state */
	struct hf_breaker_counts bucket[HF_BREAKER_BUCKETS], probed;
	uint64_t bucket_no;		/* the newest, since time zero */
	uint64_t until_ns;		/* open: until then; half open: the probes' deadline */
	uint32_t opened_in_a_row, probing;
	uint64_t refused, opened;	/* for metrics, since the start */
};

/* What was let through: to be given back with the outcome, once. */
struct hf_breaker_ticket {
	uint64_t generation, begin_ns;
};

/* @rule, @random: borrowed. */
void hf_breaker_init(struct hf_breaker *b, const struct hf_breaker_rule *rule,
		     const struct hf_random *random);

/**
 * hf_breaker_begin() - may a call be made at @now_ns?
 *
 * Return: 0: it may (then hf_breaker_end() must follow), else nanoseconds after
 * which to ask again, at least 1. That time is no promise: probes may be under way.
 */
uint64_t hf_breaker_begin(struct hf_breaker *b, uint64_t now_ns, struct hf_breaker_ticket *t);
/* Return: true: the state changed by it. */
bool hf_breaker_end(struct hf_breaker *b, const struct hf_breaker_ticket *t, enum hf_outcome outcome,
		    uint64_t now_ns);
/* As of @now_ns: an open one whose time is up is still open until somebody asks. */
enum hf_breaker_state hf_breaker_state(const struct hf_breaker *b);

#endif /* HF_BREAKER_H */
