// SPDX-License-Identifier: GPL-2.0
/*
 * Passwords that are refused: too short, in the list of common ones, one short
 * piece repeated, a run of neighbours, or little more than a word of the context.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

#include "policy.h"

#define PIECE_MAX	8	/* bytes of a piece whose repetition is refused */

static const char *const common[] = {
#include "blocklist.inc"
};

size_t hf_password_chars(const char *password, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)password[i] & 0xc0) != 0x80;
	return n;
}

static int compare(const void *key, const void *entry)
{
	return strcmp(key, *(const char *const *)entry);
}

static bool is_common(const char *lower)
{
	return bsearch(lower, common, sizeof(common) / sizeof(common[0]), sizeof(common[0]), compare);
}

/* A piece of at most PIECE_MAX bytes, or a common password, again and again ("abcabcab"). */
static bool is_repeated(const char *s, size_t len)
{
	for (size_t piece = 1; piece <= len / 2; piece++) {
		char word[HF_PASSWORD_MAX + 1];
		bool hit;

		if (memcmp(s, s + piece, len - piece))
			continue;
		if (piece <= PIECE_MAX)
			return true;
		memcpy(word, s, piece);
		word[piece] = '\0';
		hit = is_common(word);
		OPENSSL_cleanse(word, sizeof(word));
		if (hit)
			return true;
	}
	return false;
}

/* From one to the next: 1 or -1 for neighbours (0 is beyond 9, as on the keyboard), else 0. */
static int step_of(char from, char to)
{
	if (from == '9' && to == '0')
		return 1;
	if (from == '0' && to == '9')
		return -1;
	return to - from == 1 || to - from == -1 ? to - from : 0;
}

/* "abcdefgh...", "987654321098...": each byte next to the one before. */
static bool is_run(const char *s, size_t len)
{
	int step = step_of(s[0], s[1]);

	for (size_t i = 2; step && i < len; i++)
		if (step_of(s[i - 1], s[i]) != step)
			return false;
	return step;
}

/* What is left of @s without all @word: fewer than @min characters? */
static bool is_context(const char *s, size_t len, const char *word, size_t min)
{
	size_t n = strlen(word), left = hf_password_chars(s, len);
	const char *p = s;
	bool found = false;

	if (n < 3)
		return false;	/* too short to say anything */
	while ((p = strstr(p, word))) {
		found = true;
		left -= hf_password_chars(p, n);
		p += n;
	}
	return found && left < min;
}

static int judge(const char *lower, size_t len, const char *const *words, struct hf_err *e)
{
	if (is_common(lower))
		return hf_fail(e, -EINVAL, "password: one of the most common ones");
	if (is_repeated(lower, len))
		return hf_fail(e, -EINVAL, "password: one piece repeated");
	if (is_run(lower, len))
		return hf_fail(e, -EINVAL, "password: neighbouring letters or digits in a row");
	for (; *words; words++)
		if (is_context(lower, len, *words, HF_PASSWORD_MIN_TOTP))
			return hf_fail(e, -EINVAL, "password: little more than the name \"%s\"", *words);
	return 0;
}

int hf_password_ok(const char *password, size_t len, size_t min, const char *const *words,
		   struct hf_err *e)
{
	static const char *const ours[] = { "holdfast", "password", NULL };
	char lower[HF_PASSWORD_MAX + 1];
	size_t chars = hf_password_chars(password, len);
	int ret;

	if (len > HF_PASSWORD_MAX)
		return hf_fail(e, -EINVAL, "password: %zu bytes, at most %d", len, HF_PASSWORD_MAX);
	if (chars < min || chars < 2)
		return hf_fail(e, -EINVAL, "password: %zu characters, at least %zu", chars, min);
	for (size_t i = 0; i < len; i++)
		lower[i] = (char)(password[i] >= 'A' && password[i] <= 'Z' ? password[i] + 32 : password[i]);
	lower[len] = '\0';
	ret = judge(lower, len, words, e);
	if (!ret)
		ret = judge(lower, len, ours, e);
	OPENSSL_cleanse(lower, sizeof(lower));
	return ret;
}
