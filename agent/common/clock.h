/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Time and randomness, injected: nothing in the agent but clock.c asks the
 * system for either, so that tests decide both.
 */
#ifndef HF_CLOCK_H
#define HF_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define HF_MS	1000000ULL
#define HF_S	1000000000ULL

/**
 * struct hf_clock - where time comes from
 * @mono_ns:	CLOCK_BOOTTIME: never steps, counts suspend
 * @real_ns:	CLOCK_REALTIME, may step
 */
struct hf_clock {
	uint64_t (*mono_ns)(void *arg);
	uint64_t (*real_ns)(void *arg);
	void *arg;
};

extern const struct hf_clock hf_system_clock;

static inline uint64_t hf_mono_ns(const struct hf_clock *c)
{
	return c->mono_ns(c->arg);
}

static inline uint64_t hf_real_ns(const struct hf_clock *c)
{
	return c->real_ns(c->arg);
}

/* CLOCK_MONOTONIC, which sd_notify(3) wants to hear; nothing else may use it. */
uint64_t hf_systemd_ns(void);

/* A clock that a test sets. */
struct hf_test_clock {
	struct hf_clock clock;
	uint64_t mono_ns;
	uint64_t real_ns;
};

void hf_test_clock_init(struct hf_test_clock *t, uint64_t mono_ns, uint64_t real_ns);
void hf_test_clock_advance(struct hf_test_clock *t, uint64_t ns);	/* both */

/* Fills @buf with @len random bytes. Return: 0, -errno. */
typedef int (*hf_random_fn)(void *arg, void *buf, size_t len);

struct hf_random {
	hf_random_fn fill;
	void *arg;
};

extern const struct hf_random hf_system_random;	/* getrandom(2) */

static inline int hf_random_fill(const struct hf_random *r, void *buf, size_t len)
{
	return r->fill(r->arg, buf, len);
}

#define HF_UTC_LEN	32
/* "2026-11-22T18:46:00.123456Z" of CLOCK_REALTIME @real_ns. Return: @buf. */
const char *hf_utc(uint64_t real_ns, char buf[HF_UTC_LEN]);

#endif /* HF_CLOCK_H */
