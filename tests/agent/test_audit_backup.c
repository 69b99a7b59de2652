// SPDX-License-Identifier: GPL-2.0
/* Which files of the log's folder a backup takes. */
#include <criterion/criterion.h>

#include "service.h"

/* The checkpoint key is meant to (docs/decisions/0008); what says how long the log is comes first. */
Test(audit_backup, what_leaves_the_folder_and_in_which_order)
{
	hf_handover_fn of = hf_audit_ops.backup;

	cr_expect_eq(of("audit-00000001.log"), 2U);
	cr_expect_eq(of("audit-00000001.cp"), 1U);
	cr_expect_eq(of("checkpoint.pub"), 1U);
	cr_expect_eq(of("checkpoint.key"), 1U);
	cr_expect_eq(of("reserve"), 0U);
	cr_expect_eq(of(".checkpoint.pub.tmp"), 0U);
}
