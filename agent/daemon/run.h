/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A whole holdfastd, with roles that are handed in: tests hand in others.
 */
#ifndef HF_RUN_H
#define HF_RUN_H

#include "parent.h"
#include "service.h"

/* Options, parent or role, to the end. Return: the exit status. */
int hf_run(int argc, char **argv, const struct hf_role_ops *const *roles,
	   const struct hf_parent_ops *ops);

#endif /* HF_RUN_H */
