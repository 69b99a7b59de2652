/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The system call filters of the roles. Private to sandbox.c.
 */
#ifndef HF_SANDBOX_CALLS_H
#define HF_SANDBOX_CALLS_H

#include "sandbox.h"

/* Installs the filter of @role, for ever. Return: 0, -errno. */
int hf_sandbox_calls(enum hf_proc role, enum hf_sandbox_mode mode, struct hf_err *e);

#endif /* HF_SANDBOX_CALLS_H */
