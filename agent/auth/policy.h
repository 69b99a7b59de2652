/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which passwords may be chosen (NIST SP 800-63B-4): long, not common, not
 * made of what everybody knows about the account. No rules of composition, no
 * expiry. Pure.
 */
#ifndef HF_POLICY_H
#define HF_POLICY_H

#include <stddef.h>

#include "err.h"

#define HF_PASSWORD_MIN_TOTP	8	/* characters, beside a second factor */
#define HF_PASSWORD_MAX		1024	/* bytes; nothing is cut off */

/**
 * hf_password_ok() - may this be somebody's password?
 * @len:	bytes of UTF-8
 * @min:	characters (code points)
 * @words:	of the context (user, tenant), ends with NULL
 * @e:		why not, for the person; never holds the password
 *
 * The text is hashed as it came: it is not normalised, so the same letters
 * typed as other code points are another password.
 *
 * Return: 0, -EINVAL.
 */
int hf_password_ok(const char *password, size_t len, size_t min, const char *const *words,
		   struct hf_err *e);
/* Code points of valid UTF-8. */
size_t hf_password_chars(const char *password, size_t len);

#endif /* HF_POLICY_H */
