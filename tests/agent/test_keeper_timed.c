// SPDX-License-Identifier: GPL-2.0
/* Calls of the driver are timed, and nothing else about them changes. */
#include <errno.h>

#include "check.h"
#include "histogram.h"
#include "timed.h"

static struct hf_test_clock clock_;
static struct holdfast_array *const array = (void *)0x1000;

static int slow_silence(struct holdfast_array *a, uint32_t flags, const uint8_t *corr)
{
	cr_assert_eq(a, array);
	cr_assert_eq(flags, 5);
	cr_assert_eq(corr[0], 7);
	hf_test_clock_advance(&clock_, 3 * HF_MS);
	return 0;
}

static int no_seal(struct holdfast_array *a)
{
	cr_assert_eq(a, array);
	hf_test_clock_advance(&clock_, HF_S);
	return -EPERM;
}

static int fd_of(const struct holdfast_array *a)
{
	(void)a;
	return 42;
}

static const struct hf_device real = { .silence = slow_silence, .seal = no_seal, .fd = fd_of };

static json_t *call_of(json_t *list, const char *name)
{
	json_t *j;
	size_t i;

	json_array_foreach(list, i, j)
		if (!strcmp(json_string_value(json_object_get(j, "call")), name))
			return j;
	return NULL;
}

Test(timed, calls_go_through_and_are_counted)
{
	const struct hf_device *d;
	struct hf_histogram h;
	uint8_t corr[16] = { 7 };
	json_t *j;

	hf_test_clock_init(&clock_, 1000, 0);
	d = hf_timed_device(&real, &clock_.clock);
	cr_assert_eq(d->silence(array, 5, corr), 0);
	cr_assert_eq(d->silence(array, 5, corr), 0);
	cr_assert_eq(d->seal(array), -EPERM);
	cr_assert_eq(d->fd(array), 42);
	j = hf_timed_json();
	cr_assert_eq(json_array_size(j), 2, "what was never called is not there");
	cr_assert_eq(hf_histogram_parse(json_object_get(call_of(j, "silence"), "time"), &h), 0);
	cr_assert_eq(h.sum_ns, 6 * HF_MS);
	cr_assert_eq(json_integer_value(json_object_get(call_of(j, "silence"), "failed")), 0);
	cr_assert_eq(hf_histogram_parse(json_object_get(call_of(j, "seal"), "time"), &h), 0);
	cr_assert_eq(h.sum_ns, HF_S);
	cr_assert_eq(json_integer_value(json_object_get(call_of(j, "seal"), "failed")), 1);
	json_decref(j);
}
