// SPDX-License-Identifier: GPL-2.0
/*
 * The only file of the agent that asks the system for time or randomness.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "clock.h"

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t = { 0 };

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * HF_S + (uint64_t)t.tv_nsec;
}

static uint64_t system_mono_ns(void *arg)
{
	(void)arg;
	return clock_ns(CLOCK_BOOTTIME);
}

static uint64_t system_real_ns(void *arg)
{
	(void)arg;
	return clock_ns(CLOCK_REALTIME);
}

const struct hf_clock hf_system_clock = {
	.mono_ns = system_mono_ns,
	.real_ns = system_real_ns,
};

uint64_t hf_systemd_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t test_mono_ns(void *arg)
{
	return ((struct hf_test_clock *)arg)->mono_ns;
}

static uint64_t test_real_ns(void *arg)
{
	return ((struct hf_test_clock *)arg)->real_ns;
}

void hf_test_clock_init(struct hf_test_clock *t, uint64_t mono_ns, uint64_t real_ns)
{
	*t = (struct hf_test_clock){
		.clock = { .mono_ns = test_mono_ns, .real_ns = test_real_ns, .arg = t },
		.mono_ns = mono_ns,
		.real_ns = real_ns,
	};
}

void hf_test_clock_advance(struct hf_test_clock *t, uint64_t ns)
{
	t->mono_ns += ns;
	t->real_ns += ns;
}

static int system_random(void *arg, void *buf, size_t len)
{
	char *p = buf;

	(void)arg;
	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

const struct hf_random hf_system_random = { .fill = system_random };

const char *hf_utc(uint64_t real_ns, char buf[HF_UTC_LEN])
{
	time_t s = (time_t)(real_ns / HF_S);
	struct tm tm = { 0 };
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(buf, HF_UTC_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, HF_UTC_LEN - n, ".%06uZ", (unsigned int)(real_ns % HF_S / 1000));
	return buf;
}
