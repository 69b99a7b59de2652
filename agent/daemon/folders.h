/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The folders of the agent: made once, with their owners.
 */
#ifndef HF_FOLDERS_H
#define HF_FOLDERS_H

#include "err.h"

/*
 * @state: with a folder for the configuration's versions and one per process that
 * keeps something; @run: sockets and the lock. Existing ones must be as they
 * would be made. Return: 0, -errno.
 */
int hf_folders_make(const char *state, const char *run, struct hf_err *e);
/* Only one agent per run folder. Return: the lock, to be kept open; -EBUSY, -errno. */
int hf_folders_lock(const char *run, struct hf_err *e);

#endif /* HF_FOLDERS_H */
