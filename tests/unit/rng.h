/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Seeded random numbers for tests (splitmix64). The same seed gives the same
 * test on every machine. Not for anything that needs secrecy.
 */
#ifndef RNG_H
#define RNG_H

#include "shim.h"

struct rng { u64 s; };

static inline struct rng rng_seeded(u64 seed)
{
	return (struct rng){ seed };
}

static inline u64 rng_next(struct rng *r)
{
	u64 z = r->s += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* 0..n-1; n > 0. The bias of the remainder does not matter here. */
static inline u64 rng_below(struct rng *r, u64 n)
{
	return rng_next(r) % n;
}

/* lo..hi, both included */
static inline s64 rng_range(struct rng *r, s64 lo, s64 hi)
{
	return (s64)((u64)lo + rng_below(r, (u64)hi - (u64)lo + 1));
}

/* 0 <= x < 1 */
static inline double rng_unit(struct rng *r)
{
	return (double)(rng_next(r) >> 11) * 0x1p-53;
}

#endif /* RNG_H */
