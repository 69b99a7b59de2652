// SPDX-License-Identifier: GPL-2.0
/*
 * The breaker of breaker.h: one window of ten buckets, one generation number.
 * No clock, no allocation, no locks: one process, one thread.
 */
#include "breaker.h"

#include <string.h>

#include "retry.h"

const char *hf_breaker_word(enum hf_breaker_state s)
{
	static const char *const words[] = { "closed", "open", "half-open" };

	return words[s];
}

void hf_breaker_init(struct hf_breaker *b, const struct hf_breaker_rule *rule,
		     const struct hf_random *random)
{
	memset(b, 0, sizeof(*b));
	b->rule = rule;
	b->random = random;
	b->generation = 1;	/* a ticket of zeroes is nobody's */
}

enum hf_breaker_state hf_breaker_state(const struct hf_breaker *b)
{
	return b->state;
}

static void change(struct hf_breaker *b, enum hf_breaker_state to)
{
	b->state = to;
	b->generation++;
	memset(&b->probed, 0, sizeof(b->probed));
	b->probing = 0;
}

/* At least half of what full jitter would allow: an open breaker has to give some rest. */
static uint64_t open_time(const struct hf_breaker *b)
{
	uint64_t most = hf_backoff_most_ns(b->rule->open_ns, b->rule->open_max_ns, b->opened_in_a_row);

	return b->opened_in_a_row ? most / 2 + hf_jitter_ns(b->random, most - most / 2) : most;
}

static void open_up(struct hf_breaker *b, uint64_t now_ns)
{
	b->until_ns = now_ns + open_time(b);
	b->opened_in_a_row++;
	b->opened++;
	change(b, HF_BREAKER_OPEN);
}

static void close_down(struct hf_breaker *b)
{
	memset(b->bucket, 0, sizeof(b->bucket));
	b->opened_in_a_row = 0;
	change(b, HF_BREAKER_CLOSED);
}

static void count(struct hf_breaker_counts *c, bool failed, bool slow)
{
	c->calls++;
	c->failed += failed;
	c->slow += slow;
}

/* Buckets that have gone out of the window are emptied before they are used again. */
static struct hf_breaker_counts *bucket_of(struct hf_breaker *b, uint64_t now_ns)
{
	uint64_t width = b->rule->window_ns / HF_BREAKER_BUCKETS, no = now_ns / (width ? width : 1), i;

	if (no > b->bucket_no + HF_BREAKER_BUCKETS)
		b->bucket_no = no - HF_BREAKER_BUCKETS;
	for (i = b->bucket_no + 1; i <= no; i++)
		memset(&b->bucket[i % HF_BREAKER_BUCKETS], 0, sizeof(b->bucket[0]));
	if (no > b->bucket_no)
		b->bucket_no = no;
	return &b->bucket[b->bucket_no % HF_BREAKER_BUCKETS];
}

static bool too_many(const struct hf_breaker *b, const struct hf_breaker_counts *c)
{
	const struct hf_breaker_rule *r = b->rule;

	return (uint64_t)c->failed * 100 >= (uint64_t)c->calls * r->fail_pct ||
	       (r->slow_ns && (uint64_t)c->slow * 100 >= (uint64_t)c->calls * r->slow_pct);
}

static struct hf_breaker_counts sum(const struct hf_breaker *b)
{
	struct hf_breaker_counts all = { 0 };

	for (unsigned int i = 0; i < HF_BREAKER_BUCKETS; i++) {
		all.calls += b->bucket[i].calls;
		all.failed += b->bucket[i].failed;
		all.slow += b->bucket[i].slow;
	}
	return all;
}

uint64_t hf_breaker_begin(struct hf_breaker *b, uint64_t now_ns, struct hf_breaker_ticket *t)
{
	uint64_t wait = 0;

	/* Probes that hang must not keep it half open for ever. */
	if (b->state == HF_BREAKER_HALF_OPEN && now_ns >= b->until_ns)
		open_up(b, now_ns);
	if (b->state == HF_BREAKER_OPEN && now_ns >= b->until_ns) {
		change(b, HF_BREAKER_HALF_OPEN);
		b->until_ns = now_ns + b->rule->probe_ns;
	}
	if (b->state == HF_BREAKER_OPEN)
		wait = b->until_ns - now_ns;
	else if (b->state == HF_BREAKER_HALF_OPEN && b->probing >= b->rule->probes)
		wait = b->until_ns - now_ns;
	if (wait) {
		b->refused++;
		return wait;
	}
	b->probing += b->state == HF_BREAKER_HALF_OPEN;
	*t = (struct hf_breaker_ticket){ b->generation, now_ns };
	return 0;
}

static void probe_ended(struct hf_breaker *b, uint64_t now_ns)
{
	if (b->probed.calls < b->rule->probes)
		return;
	if (too_many(b, &b->probed))
		open_up(b, now_ns);
	else
		close_down(b);
}

bool hf_breaker_end(struct hf_breaker *b, const struct hf_breaker_ticket *t, enum hf_outcome outcome,
		    uint64_t now_ns)
{
	bool failed = outcome == HF_OUTCOME_FAILED;
	bool slow = b->rule->slow_ns && now_ns - t->begin_ns > b->rule->slow_ns;
	struct hf_breaker_counts all;

	if (t->generation != b->generation)
		return false;
	if (outcome == HF_OUTCOME_CALLER) {
		b->probing -= b->state == HF_BREAKER_HALF_OPEN;
		return false;
	}
	if (b->state == HF_BREAKER_HALF_OPEN) {
		count(&b->probed, failed, slow);
		probe_ended(b, now_ns);
	} else {
		count(bucket_of(b, now_ns), failed, slow);
		all = sum(b);
		if (all.calls >= b->rule->min_calls && too_many(b, &all))
			open_up(b, now_ns);
	}
	return t->generation != b->generation;
}
