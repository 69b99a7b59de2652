/* SPDX-License-Identifier: GPL-2.0 */
/*
 * JSON passes secrets on (passwords in calls, values of secrets): its memory is
 * wiped when it is given back.
 */
#ifndef HF_WIPE_H
#define HF_WIPE_H

/* Once per process, before the first JSON value. */
void hf_wipe_json(void);

#endif /* HF_WIPE_H */
