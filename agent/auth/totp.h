/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One-time codes by time (RFC 6238): SHA-1, 6 digits, 30 s, one step either
 * way, no step twice. Pure: secret, time and last step come in.
 */
#ifndef HF_TOTP_H
#define HF_TOTP_H

#include <stddef.h>
#include <stdint.h>

#define HF_TOTP_SECRET	20	/* bytes */
#define HF_TOTP_STEP_S	30
#define HF_TOTP_SKEW	1	/* steps */
#define HF_TOTP_URI	192

/* RFC 4226, six digits. Return: 0..999999, -EIO. */
int hf_hotp(const uint8_t *secret, size_t len, uint64_t counter);

/*
 * hf_totp_check() - is @code right at @now_s?
 * @last:	newest step that was accepted for this secret, 0: none; the new one
 *		is written here: keep it
 *
 * Return: 0; -EKEYREJECTED: no, or it was used already; -EIO.
 */
int hf_totp_check(const uint8_t *secret, size_t len, const char *code, int64_t now_s, int64_t *last);

/* otpauth://... for authenticator programs. @user: a checked name. */
void hf_totp_uri(const uint8_t secret[HF_TOTP_SECRET], const char *user, char out[HF_TOTP_URI]);

#endif /* HF_TOTP_H */
