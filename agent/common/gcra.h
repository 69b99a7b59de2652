/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rate limits by GCRA: one theoretical arrival time per key, in a bounded
 * table whose least recently used entry makes room, so that the limiter
 * itself cannot be filled up.
 */
#ifndef HF_GCRA_H
#define HF_GCRA_H

#include <stddef.h>
#include <stdint.h>

#include "clock.h"

struct hf_gcra;

/* @keys: entries, 1..1048576. Keys are hashed with a random key of this table (SipHash). */
int hf_gcra_new(struct hf_gcra **out, size_t keys, const struct hf_random *r);
void hf_gcra_free(struct hf_gcra *g);

/**
 * hf_gcra_take() - may one more pass?
 * @interval_ns:	between two in the long run
 * @burst:	that may come at once, >= 1
 * @now_ns:	monotonic
 * @left:	out, may be NULL: how many more would pass now
 *
 * Return: 0: it may; else nanoseconds until it may (and nothing was taken).
 */
uint64_t hf_gcra_take(struct hf_gcra *g, const void *key, size_t len, uint64_t interval_ns,
		      uint32_t burst, uint64_t now_ns, uint32_t *left);

/* The same by requests a minute, of which a quarter may come at once. */
uint64_t hf_gcra_take_minutely(struct hf_gcra *g, const void *key, size_t len, uint32_t per_minute,
			       uint64_t now_ns);
/* For Retry-After: whole seconds, rounded up. */
uint32_t hf_retry_s(uint64_t wait_ns);

#endif /* HF_GCRA_H */
