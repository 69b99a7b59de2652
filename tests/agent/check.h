/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What unit tests of the agent share: Criterion, random numbers from a seed
 * that is printed, a count of open files. No code of the agent.
 */
#ifndef HF_TESTS_AGENT_CHECK_H
#define HF_TESTS_AGENT_CHECK_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

/* Files this process has open. */
static inline int check_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	cr_assert_not_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

#endif /* HF_TESTS_AGENT_CHECK_H */
