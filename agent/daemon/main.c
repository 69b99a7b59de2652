// SPDX-License-Identifier: GPL-2.0
/*
 * holdfastd: the command line. What follows is run.c's, or the role's.
 */
#include "run.h"
#include "service.h"

static const struct hf_role_ops *const roles[HF_PROCS] = {
	[HF_PROC_AUDIT] = &hf_audit_ops,
	[HF_PROC_AUTH] = &hf_auth_ops,
	[HF_PROC_KEEPER] = &hf_keeper_ops,
	[HF_PROC_EXPORT] = &hf_export_ops,
	[HF_PROC_FLEET] = &hf_fleet_ops,
	[HF_PROC_LOCAL] = &hf_local_ops,
	[HF_PROC_FRONT] = &hf_front_ops,
};

static const struct hf_parent_ops parent_ops = {
	.site = hf_site_driver,
	.call = hf_parent_call,
	.file = hf_parent_file,
	.committed = hf_parent_committed,
};

int main(int argc, char **argv)
{
	return hf_run(argc, argv, roles, &parent_ops);
}
