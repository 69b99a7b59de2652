// SPDX-License-Identifier: GPL-2.0
/*
 * Steps: down at once, up one by one, and not for a moment's sake.
 */
#include <criterion/criterion.h>

#include "degrade.h"

TestSuite(degrade, .timeout = 30);

static struct hf_degrade d;

static enum hf_level at(uint64_t s, enum hf_level right)
{
	hf_degrade_step(&d, right, s * HF_S);
	return d.level;
}

Test(degrade, down_at_once_whatever_is_between)
{
	cr_assert_eq(at(1, HF_LEVEL_FULL), HF_LEVEL_FULL);
	cr_assert_eq(at(2, HF_LEVEL_SILENT), HF_LEVEL_SILENT);
}

Test(degrade, up_one_by_one)
{
	at(1, HF_LEVEL_SILENT);
	cr_assert_eq(at(2, HF_LEVEL_FULL), HF_LEVEL_SILENT);
	cr_assert_eq(at(11, HF_LEVEL_FULL), HF_LEVEL_SILENT);
	cr_assert_eq(at(12, HF_LEVEL_FULL), HF_LEVEL_READ_ONLY);
	cr_assert_eq(at(13, HF_LEVEL_FULL), HF_LEVEL_READ_ONLY);
	cr_assert_eq(at(22, HF_LEVEL_FULL), HF_LEVEL_NO_EXPORT);
	cr_assert_eq(at(32, HF_LEVEL_FULL), HF_LEVEL_FULL);
}

Test(degrade, not_further_than_is_right)
{
	at(1, HF_LEVEL_SILENT);
	at(2, HF_LEVEL_NO_EXPORT);
	cr_assert_eq(at(12, HF_LEVEL_NO_EXPORT), HF_LEVEL_READ_ONLY);
	cr_assert_eq(at(22, HF_LEVEL_NO_EXPORT), HF_LEVEL_NO_EXPORT);
	cr_assert_eq(at(99, HF_LEVEL_NO_EXPORT), HF_LEVEL_NO_EXPORT);
}

Test(degrade, what_flutters_stays_down)
{
	at(1, HF_LEVEL_READ_ONLY);
	for (uint64_t s = 2; s < 200; s += 8) {
		cr_assert_eq(at(s, HF_LEVEL_FULL), HF_LEVEL_READ_ONLY);
		cr_assert_eq(at(s + 7, HF_LEVEL_READ_ONLY), HF_LEVEL_READ_ONLY);
	}
}

Test(degrade, a_change_is_said_once)
{
	cr_assert(!hf_degrade_step(&d, HF_LEVEL_FULL, HF_S));
	cr_assert(hf_degrade_step(&d, HF_LEVEL_NO_EXPORT, 2 * HF_S));
	cr_assert(!hf_degrade_step(&d, HF_LEVEL_NO_EXPORT, 3 * HF_S));
	cr_assert(!hf_degrade_step(&d, HF_LEVEL_FULL, 4 * HF_S));
	cr_assert(hf_degrade_step(&d, HF_LEVEL_FULL, 14 * HF_S));
	cr_assert(!hf_degrade_step(&d, HF_LEVEL_FULL, 15 * HF_S));
}
