/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When to try again, and whether at all: waits with full jitter, and a budget
 * that stops retries while most calls fail. Only what may be done twice is
 * ever retried; commands that enable output are not, and silence needs none.
 */
#ifndef HF_RETRY_H
#define HF_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

/* min(@cap_ns, @base_ns * 2^@attempt): what full jitter draws below. @attempt from 0. */
uint64_t hf_backoff_most_ns(uint64_t base_ns, uint64_t cap_ns, uint32_t attempt);
/* 1..@most_ns, evenly; @most_ns itself if there is no randomness. 0 for 0. */
uint64_t hf_jitter_ns(const struct hf_random *random, uint64_t most_ns);

/**
 * struct hf_retry_rule - gRPC's retry throttling (proposal A6), and a ladder of waits
 * @tokens:	at most so many; a failure takes one
 * @back_permille: of a token that a success gives back
 * @attempts:	of one call altogether, >= 1
 */
struct hf_retry_rule {
	uint32_t tokens, back_permille, attempts;
	uint64_t base_ns, cap_ns;
};

/* Of one dependency, shared by all its calls. Private. */
struct hf_retry_budget {
	const struct hf_retry_rule *rule;
	uint64_t permille;
};

void hf_retry_init(struct hf_retry_budget *b, const struct hf_retry_rule *rule);	/* full */
void hf_retry_ok(struct hf_retry_budget *b);
/**
 * hf_retry_failed() - a call has failed for the @attempt'th time (from 1)
 * @asked_ns:	what the other side wants us to wait (Retry-After); 0: nothing said
 * @deadline_ns: of the whole call; 0: none
 *
 * Return: nanoseconds until the next attempt, 0: none (attempts, budget or time are used up).
 */
uint64_t hf_retry_failed(struct hf_retry_budget *b, const struct hf_random *random, uint32_t attempt,
			 uint64_t asked_ns, uint64_t now_ns, uint64_t deadline_ns);
/* More than half of the tokens are there. */
bool hf_retry_allowed(const struct hf_retry_budget *b);

#endif /* HF_RETRY_H */
