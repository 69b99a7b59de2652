/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parent itself may do, and what a new process starts with.
 */
#ifndef HF_RIGHTS_H
#define HF_RIGHTS_H

#include <stdbool.h>

#include "err.h"
#include "role.h"

/* To the few capabilities that are needed, for good. Return: 0, -EPERM and which is missing. */
int hf_rights_parent(struct hf_err *e);
/* The folders are there: give up what only they needed. */
int hf_rights_settled(struct hf_err *e);
/* Between fork and exec of @role: bounds of what it can have. Return: 0, -errno. */
int hf_rights_child(enum hf_proc role);
/*
 * Instead of all these, of a parent that starts nobody (attach.h): root it is not, and it has
 * and can get no capability. Return: 0, -EPERM and why.
 */
int hf_rights_none(struct hf_err *e);

#endif /* HF_RIGHTS_H */
