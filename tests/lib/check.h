/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of the library share: Criterion, and numbers at random from a
 * seed that is printed. No code of the library.
 */
#ifndef HF_TESTS_LIB_CHECK_H
#define HF_TESTS_LIB_CHECK_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libholdfast.h"

/* xorshift64*; HOLDFAST_SEED in the environment chooses another sequence. */
static inline uint64_t check_random(uint64_t *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * 0x2545f4914f6cdd1dULL;
}

static inline uint64_t check_seed(void)
{
	const char *text = getenv("HOLDFAST_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : 0x486f6c6466617374ULL;

	cr_log_info("HOLDFAST_SEED=0x%llx", (unsigned long long)seed);
	return seed ? seed : 1;
}

#endif /* HF_TESTS_LIB_CHECK_H */
