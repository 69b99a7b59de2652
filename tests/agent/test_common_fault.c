// SPDX-License-Identifier: GPL-2.0
/* Each error has a meaning, and the one that is meant for its code. */
#include <stdbool.h>
#include <string.h>

#include "check.h"
#include "fault.h"

static bool one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(word, *words))
			return true;
	return false;
}

Test(fault, words_are_those_of_the_description)
{
	static const char *const severities[] = { "info", "warning", "error", "critical", NULL };
	static const char *const retries[] = { "never", "changed", "later", "unknown", NULL };
	static const char *const people[] = { "caller", "operator", "admin", NULL };

	for (const struct hf_fault *f = hf_faults; f->status; f++) {
		cr_assert(f->status >= 400 && f->status < 600, "%d", f->status);
		cr_assert(one_of(f->severity, severities), "%d", f->status);
		cr_assert(one_of(f->retry, retries), "%d", f->status);
		cr_assert(one_of(f->who, people), "%d", f->status);
		cr_assert(f->what[0]);
	}
}

Test(fault, each_line_is_found_and_none_hides_another)
{
	for (const struct hf_fault *f = hf_faults; f->status; f++)
		cr_assert_eq(hf_fault_of(f->status, f->code ? f->code : "some_other"), f, "%d %s", f->status,
			     f->code ? f->code : "");
}

Test(fault, by_code_before_by_status)
{
	cr_assert_str_eq(hf_fault_of(503, "audit_not_durable")->severity, "critical");
	cr_assert_str_eq(hf_fault_of(503, "overload")->severity, "warning");
	cr_assert_str_eq(hf_fault_of(403, "step_up")->who, "caller");
	cr_assert_str_eq(hf_fault_of(403, "role")->who, "admin");
	cr_assert_str_eq(hf_fault_of(429, NULL)->retry, "later");
}

Test(fault, what_nobody_thought_of_is_ours)
{
	cr_assert_str_eq(hf_fault_of(418, "teapot")->severity, "error");
	cr_assert_str_eq(hf_fault_of(0, NULL)->who, "admin");
}
