/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rights of a process, given up for good: user, groups, capabilities, system
 * calls, resources, core dumps. One table says what each role keeps.
 */
#ifndef HF_SANDBOX_H
#define HF_SANDBOX_H

#include <stdbool.h>

#include "err.h"
#include "role.h"

enum hf_sandbox_mode {
	HF_SANDBOX_ON,		/* forbidden calls give EPERM */
	HF_SANDBOX_KILL,	/* forbidden calls kill: tests */
	HF_SANDBOX_TRAP,	/* say which call it was on standard error, then die: debugging */
};

/*
 * hf_sandbox_enter() - in this order: rlimits, no-new-privs, non-dumpable,
 * groups, user, capabilities, seccomp
 *
 * Started as the role's user already (a unit of its own), it verifies user, groups,
 * no_new_privs, securebits and bounding set instead of setting them.
 * The keeper keeps CAP_SYS_ADMIN until hf_sandbox_sealed(), audit the making of
 * an io_uring until hf_sandbox_no_uring().
 * Verifies each step by reading it back. Without the role's user: -ENOENT.
 * Return: 0, -errno; after an error the process must exit.
 */
int hf_sandbox_enter(enum hf_proc role, enum hf_sandbox_mode mode, struct hf_err *e);
/* Is a capability of linux/capability.h permitted? Of the roles only the keeper may ask. */
bool hf_sandbox_has(int cap);
/* keeper: limits are applied and sealed; give up CAP_SYS_ADMIN. */
int hf_sandbox_sealed(struct hf_err *e);
/* audit: the ring is set up (or will not be); from now on none can be made or changed. */
int hf_sandbox_no_uring(struct hf_err *e);

#define HF_PARENT_USER	"holdfast-parent"	/* of the parent that is a unit */

/* User of a role: "holdfast-audit". NULL: stays root (parent). */
const char *hf_sandbox_user(enum hf_proc role);

#endif /* HF_SANDBOX_H */
