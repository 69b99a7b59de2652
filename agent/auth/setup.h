/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The first start: a one-time secret in a file that only root and we can read.
 * It makes the first admin, once. Afterwards there is nothing of it.
 */
#ifndef HF_SETUP_H
#define HF_SETUP_H

#include "auth.h"

#define HF_SETUP_FILE	"first-run-secret"
#define HF_SETUP_SECRET	44	/* 256 bits as base64url, and NUL */

/* Is there no admin yet? */
bool hf_setup_open(struct hf_auth *a);
/* Writes the file if set-up is open and it is not there; removes it if not. Return: 0, -errno and why. */
int hf_setup_prepare(struct hf_auth *a, struct hf_err *e);
/* Is it the secret? Return: 0, -EKEYREJECTED, -EALREADY: there is an admin, -errno. */
int hf_setup_check(struct hf_auth *a, const char *secret);
/* There is an admin now. */
void hf_setup_close(struct hf_auth *a);

#endif /* HF_SETUP_H */
