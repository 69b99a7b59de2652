// SPDX-License-Identifier: GPL-2.0
/*
 * The waits and the budget of retry.h. No clock of its own, no timers.
 */
#include "retry.h"

#define PERMILLE 1000

uint64_t hf_backoff_most_ns(uint64_t base_ns, uint64_t cap_ns, uint32_t attempt)
{
	uint64_t most = base_ns;

	while (attempt-- && most < cap_ns)
		most = most > cap_ns / 2 ? cap_ns : most * 2;
	return most < cap_ns ? most : cap_ns;
}

uint64_t hf_jitter_ns(const struct hf_random *random, uint64_t most_ns)
{
	uint64_t r;

	if (!most_ns || hf_random_fill(random, &r, sizeof(r)))
		return most_ns;
	return r % most_ns + 1;
}

void hf_retry_init(struct hf_retry_budget *b, const struct hf_retry_rule *rule)
{
	b->rule = rule;
	b->permille = (uint64_t)rule->tokens * PERMILLE;
}

void hf_retry_ok(struct hf_retry_budget *b)
{
	uint64_t most = (uint64_t)b->rule->tokens * PERMILLE;

	b->permille += b->rule->back_permille;
	if (b->permille > most)
		b->permille = most;
}

bool hf_retry_allowed(const struct hf_retry_budget *b)
{
	return b->permille * 2 > (uint64_t)b->rule->tokens * PERMILLE;
}

uint64_t hf_retry_failed(struct hf_retry_budget *b, const struct hf_random *random, uint32_t attempt,
			 uint64_t asked_ns, uint64_t now_ns, uint64_t deadline_ns)
{
	const struct hf_retry_rule *r = b->rule;
	uint64_t wait;

	b->permille -= b->permille < PERMILLE ? b->permille : PERMILLE;
	if (attempt >= r->attempts || !hf_retry_allowed(b))
		return 0;
	wait = hf_jitter_ns(random, hf_backoff_most_ns(r->base_ns, r->cap_ns, attempt - 1));
	if (wait < asked_ns)
		wait = asked_ns;
	return deadline_ns && (wait >= deadline_ns || now_ns >= deadline_ns - wait) ? 0 : wait;
}
