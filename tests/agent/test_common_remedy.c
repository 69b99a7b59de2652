// SPDX-License-Identifier: GPL-2.0
/*
 * When something is mended: not at once, not too often, not for ever; and
 * whether it helped.
 */
#include <criterion/criterion.h>

#include "remedy.h"

static const struct hf_remedy_rule rule = {
	.check = "memory", .name = "restart", .from = HF_HEALTH_FAIL, .wait_ns = 10 * HF_S,
	.cool_ns = 60 * HF_S, .verify_ns = 30 * HF_S, .a_day = 3,
};
static struct hf_remedy r;
static uint64_t now_s;

static void setup(void)
{
	hf_remedy_init(&r, &rule);
	now_s = 1000;
}

TestSuite(remedy, .init = setup, .timeout = 30);

static enum hf_remedy_step after(uint64_t s, enum hf_health says)
{
	now_s += s;
	return hf_remedy_step(&r, says, HF_REMEDY_ON, now_s * HF_S);
}

Test(remedy, what_is_well_is_left_alone)
{
	cr_assert_eq(after(1, HF_HEALTH_OK), HF_REMEDY_REST);
	cr_assert_eq(after(100, HF_HEALTH_WARN), HF_REMEDY_REST);
	cr_assert_eq(after(100, HF_HEALTH_WARN), HF_REMEDY_REST, "a warning is not what it is for");
	cr_assert_eq(after(100, HF_HEALTH_UNKNOWN), HF_REMEDY_REST);
	cr_assert_eq(after(100, HF_HEALTH_UNKNOWN), HF_REMEDY_REST, "nobody knows is no reason");
	cr_assert_eq(r.attempts, 0);
}

Test(remedy, it_waits_tries_and_looks)
{
	cr_assert_eq(after(1, HF_HEALTH_FAIL), HF_REMEDY_REST);
	cr_assert_eq(after(9, HF_HEALTH_FAIL), HF_REMEDY_REST);
	cr_assert_eq(after(1, HF_HEALTH_FAIL), HF_REMEDY_TRY);
	cr_assert_eq(after(1, HF_HEALTH_FAIL), HF_REMEDY_REST, "one at a time");
	cr_assert_eq(after(1, HF_HEALTH_UNKNOWN), HF_REMEDY_REST, "it is being started again");
	cr_assert_eq(after(1, HF_HEALTH_OK), HF_REMEDY_HELPED);
	cr_assert_eq(after(1, HF_HEALTH_OK), HF_REMEDY_REST, "said once");
}

Test(remedy, what_was_well_for_a_moment_waits_anew)
{
	after(1, HF_HEALTH_FAIL);
	cr_assert_eq(after(9, HF_HEALTH_OK), HF_REMEDY_REST);
	cr_assert_eq(after(1, HF_HEALTH_FAIL), HF_REMEDY_REST);
	cr_assert_eq(after(9, HF_HEALTH_FAIL), HF_REMEDY_REST);
	cr_assert_eq(after(1, HF_HEALTH_FAIL), HF_REMEDY_TRY);
}

Test(remedy, pause_and_budget)
{
	after(1, HF_HEALTH_FAIL);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(after(60, HF_HEALTH_FAIL), HF_REMEDY_TRY, "attempt %d", i);
		cr_assert_eq(after(29, HF_HEALTH_FAIL), HF_REMEDY_REST);
		cr_assert_eq(after(1, HF_HEALTH_FAIL), HF_REMEDY_FAILED);
		cr_assert_eq(after(1, HF_HEALTH_FAIL), HF_REMEDY_REST, "the pause");
	}
	cr_assert_eq(after(60, HF_HEALTH_FAIL), HF_REMEDY_SPENT);
	cr_assert_eq(after(60, HF_HEALTH_FAIL), HF_REMEDY_REST, "said once");
	cr_assert_eq(after(3600, HF_HEALTH_FAIL), HF_REMEDY_REST);
	cr_assert_eq(after(86400, HF_HEALTH_FAIL), HF_REMEDY_TRY, "another day");
	cr_assert_eq(r.attempts, 4);
}

Test(remedy, the_pause_holds_after_it_helped)
{
	after(1, HF_HEALTH_FAIL);
	cr_assert_eq(after(10, HF_HEALTH_FAIL), HF_REMEDY_TRY);
	cr_assert_eq(after(1, HF_HEALTH_OK), HF_REMEDY_HELPED);
	after(1, HF_HEALTH_FAIL);
	cr_assert_eq(after(11, HF_HEALTH_FAIL), HF_REMEDY_REST, "it was tried 24 s ago");
	cr_assert_eq(after(50, HF_HEALTH_FAIL), HF_REMEDY_TRY);
}

Test(remedy, off_and_dry)
{
	for (int i = 0; i < 10; i++, now_s += 60)
		cr_assert_eq(hf_remedy_step(&r, HF_HEALTH_FAIL, HF_REMEDY_OFF, now_s * HF_S),
			     HF_REMEDY_REST);
	cr_assert_eq(hf_remedy_step(&r, HF_HEALTH_FAIL, HF_REMEDY_DRY, now_s * HF_S), HF_REMEDY_TRY);
	now_s += 31;
	cr_assert_eq(hf_remedy_step(&r, HF_HEALTH_FAIL, HF_REMEDY_DRY, now_s * HF_S), HF_REMEDY_REST,
		     "nothing was done, nothing has failed");
	now_s += 60;
	cr_assert_eq(hf_remedy_step(&r, HF_HEALTH_FAIL, HF_REMEDY_DRY, now_s * HF_S), HF_REMEDY_TRY);
}

Test(remedy, as_json)
{
	json_t *j;

	after(1, HF_HEALTH_FAIL);
	after(10, HF_HEALTH_FAIL);
	j = hf_remedy_json(&r, now_s * HF_S);
	cr_assert_str_eq(json_string_value(json_object_get(j, "name")), "restart");
	cr_assert_str_eq(json_string_value(json_object_get(j, "last")), "tried");
	cr_assert_eq(json_integer_value(json_object_get(j, "left_today")), 2);
	json_decref(j);
}
