// SPDX-License-Identifier: GPL-2.0
/*
 * HOTP (RFC 4226) and TOTP (RFC 6238).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "b64.h"
#include "totp.h"

#define DIGITS	6

int hf_hotp(const uint8_t *secret, size_t len, uint64_t counter)
{
	uint8_t msg[8], mac[EVP_MAX_MD_SIZE];
	unsigned int n, at;
	uint32_t v;

	for (int i = 0; i < 8; i++)
		msg[i] = (uint8_t)(counter >> (56 - 8 * i));
	if (!HMAC(EVP_sha1(), secret, (int)len, msg, sizeof(msg), mac, &n))
		return -EIO;
	at = mac[n - 1] & 15;
	v = ((uint32_t)mac[at] << 24 | (uint32_t)mac[at + 1] << 16 | (uint32_t)mac[at + 2] << 8 |
	     mac[at + 3]) & 0x7fffffff;
	OPENSSL_cleanse(mac, sizeof(mac));
	return (int)(v % 1000000);
}

int hf_totp_check(const uint8_t *secret, size_t len, const char *code, int64_t now_s, int64_t *last)
{
	int64_t now = now_s / HF_TOTP_STEP_S, found = 0;

	if (strlen(code) != DIGITS || strspn(code, "0123456789") != DIGITS)
		return -EKEYREJECTED;
	for (int64_t step = now - HF_TOTP_SKEW; step <= now + HF_TOTP_SKEW; step++) {
		char right[16];
		int v = hf_hotp(secret, len, (uint64_t)step);

		if (v < 0)
			return v;
		snprintf(right, sizeof(right), "%06d", v);
		if (!CRYPTO_memcmp(right, code, DIGITS) && step > *last)
			found = step;
		OPENSSL_cleanse(right, sizeof(right));
	}
	if (!found)
		return -EKEYREJECTED;
	*last = found;
	return 0;
}

void hf_totp_uri(const uint8_t secret[HF_TOTP_SECRET], const char *user, char out[HF_TOTP_URI])
{
	char text[HF_B32_LEN(HF_TOTP_SECRET)];

	hf_b32_encode(secret, HF_TOTP_SECRET, text);
	snprintf(out, HF_TOTP_URI, "otpauth://totp/Holdfast:%s?secret=%s&issuer=Holdfast"
		 "&algorithm=SHA1&digits=%d&period=%d", user, text, DIGITS, HF_TOTP_STEP_S);
	OPENSSL_cleanse(text, sizeof(text));
}
