/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The folders of the agent: made once, with their owners.
 */
#ifndef HF_FOLDERS_H
#define HF_FOLDERS_H

#include "err.h"

/*
 * @run: sockets and the lock. @state, once the lock is ours: with a folder for the
 * configuration's versions and one per process that keeps something. Existing ones must
 * be as they would be made. Return: 0, -errno.
 */
int hf_folders_run(const char *run, struct hf_err *e);
int hf_folders_state(const char *state, struct hf_err *e);
/*
 * Only one agent per run folder. Return: the lock, to be kept open (at 10 or above, for reading
 * only: processes get it, too); -EBUSY, -errno.
 */
int hf_folders_lock(const char *run, struct hf_err *e);

#endif /* HF_FOLDERS_H */
