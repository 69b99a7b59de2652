// SPDX-License-Identifier: GPL-2.0
/*
 * What the parent keeps of what processes say of themselves: the newest, and
 * only if it is not too long.
 */
#include <string.h>

#include <criterion/criterion.h>

#include "daemon.h"

Test(status, the_newest_is_kept)
{
	struct hf_child c = { .role = HF_PROC_AUTH };
	json_t *first = json_pack("{s:i}", "calls", 1), *second = json_pack("{s:i}", "calls", 2);

	hf_child_said(&c, first);
	hf_child_said(&c, second);
	json_decref(first);
	json_decref(second);
	cr_assert_eq(json_integer_value(json_object_get(c.stats, "calls")), 2);
	hf_child_said(&c, NULL);
	cr_assert_null(c.stats);
}

Test(status, what_is_too_long_is_not_kept)
{
	struct hf_child c = { .role = HF_PROC_AUTH };
	char text[HF_STATS_MAX];
	json_t *j;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	j = json_pack("{s:s}", "why", text);
	hf_child_said(&c, j);
	json_decref(j);
	cr_assert_null(json_object_get(c.stats, "why"));
	cr_assert_eq(json_integer_value(json_object_get(c.stats, "more_bytes_than")), HF_STATS_MAX);
	/* exactly as long as allowed: {"why":"..."} */
	text[HF_STATS_MAX - 10] = '\0';
	j = json_pack("{s:s}", "why", text);
	cr_assert_eq(json_dumpb(j, NULL, 0, JSON_COMPACT), HF_STATS_MAX);
	hf_child_said(&c, j);
	json_decref(j);
	cr_assert(json_object_get(c.stats, "why"));
	hf_child_said(&c, NULL);
}
