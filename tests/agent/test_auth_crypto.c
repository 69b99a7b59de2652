// SPDX-License-Identifier: GPL-2.0
/*
 * Pure parts of auth that hash, code and sign: base64, PHC strings, one-time
 * codes, password policy. Vectors are those of the RFCs.
 */
#include <stdio.h>

#include "b64.h"
#include "check.h"
#include "phc.h"
#include "policy.h"
#include "totp.h"

static const struct hf_phc_cost cheap_argon = { .kdf = HF_KDF_ARGON2ID, .kib = 64, .passes = 1 };
static const struct hf_phc_cost cheap_pbkdf2 = { .kdf = HF_KDF_PBKDF2, .iterations = 10 };
static const uint8_t salt[HF_PHC_SALT] = "0123456789abcdef";

/* RFC 4648, section 10, without padding. */
Test(b64, vectors)
{
	static const char *const v[] = { "", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy" };
	static const char *const v32[] = { "", "MY", "MZXQ", "MZXW6", "MZXW6YQ", "MZXW6YTB", "MZXW6YTBOI" };
	char text[32];
	uint8_t out[8];

	for (size_t n = 0; n <= 6; n++) {
		cr_assert_eq(hf_b64_encode(HF_B64_URL, (const uint8_t *)"foobar", n, text), strlen(v[n]));
		cr_assert_str_eq(text, v[n]);
		cr_assert_eq(hf_b64_decode(HF_B64_URL, text, strlen(text), out, sizeof(out)), (ssize_t)n);
		cr_assert_arr_eq(out, "foobar", n);
		hf_b32_encode((const uint8_t *)"foobar", n, text);
		cr_assert_str_eq(text, v32[n]);
	}
}

Test(b64, each_value_has_one_text)
{
	static const char *const wrong[] = { "Zg==", "Zh", "Zm9", "Z", "Zm9v Yg", "Zm9vYg\n", "Zm+v", "Zm/v",
					     "Zm9vYh", ".", "Zm9=" };
	uint8_t out[8];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_eq(hf_b64_decode(HF_B64_URL, wrong[i], strlen(wrong[i]), out, sizeof(out)), -EINVAL,
			     "\"%s\"", wrong[i]);
	cr_assert_eq(hf_b64_decode(HF_B64_URL, "Zm9vYmFy", 8, out, 5), -ENOSPC);
	cr_assert_eq(hf_b64_decode(HF_B64_STD, "+/+/", 4, out, 8), 3);
	cr_assert_eq(hf_b64_decode(HF_B64_STD, "-_-_", 4, out, 8), -EINVAL);
}

/* RFC 7914, section 11: PBKDF2-HMAC-SHA256, 64 bytes. */
Test(phc, pbkdf2_vectors)
{
	static const char want1[] = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
				    "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783";
	struct hf_phc p;
	uint8_t raw[64];
	char text[HF_PHC_LEN], b64[96];

	for (size_t i = 0; i < 64; i++)
		sscanf(want1 + 2 * i, "%2hhx", &raw[i]);
	memset(&p, 0, sizeof(p));
	p.cost = (struct hf_phc_cost){ .kdf = HF_KDF_PBKDF2, .iterations = 1 };
	memcpy(p.salt, "salt", 4);
	p.salt_len = 4;
	memcpy(p.hash, raw, 64);
	p.hash_len = 64;
	cr_assert_eq(hf_phc_verify(&p, NULL, "passwd", 6), 0);
	cr_assert_eq(hf_phc_verify(&p, NULL, "passwe", 6), -EKEYREJECTED);
	/* hashlib.pbkdf2_hmac("sha256", b"correct horse battery", b"0123456789abcdef", 1000) */
	hf_b64_encode(HF_B64_STD, salt, sizeof(salt), b64);
	snprintf(text, sizeof(text), "$pbkdf2-sha256$i=1000$%s$%s", b64,
		 "BVALGMmC/K/8ELErc5VgJxyPFApArIZRCQsqjEgZWJ4");
	cr_assert_eq(hf_phc_parse(text, &p, NULL), 0, "%s", text);
	cr_assert_eq(hf_phc_verify(&p, NULL, "correct horse battery", 21), 0);
}

/* Made by the program argon2(1) of libargon2. */
Test(phc, argon2_of_the_reference_program)
{
	static const char text[] = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$/DO3gTkjHTS3Fia9YkXB1y76GQrWBcPYFmpyrc7fosI";
	struct hf_phc p;

	cr_assert_eq(hf_phc_parse(text, &p, NULL), 0);
	cr_assert_eq(p.cost.kib, 65536);
	cr_assert_eq(hf_phc_verify(&p, NULL, "password", 8), 0);
	cr_assert_eq(hf_phc_verify(&p, NULL, "passwore", 8), -EKEYREJECTED);
}

static void round_trip(const struct hf_phc_cost *cost, const struct hf_pepper *pepper)
{
	struct hf_pepper other;
	char text[HF_PHC_LEN];
	struct hf_phc p;

	cr_assert_eq(hf_phc_make(cost, pepper, "p\xc3\xa4sswort-lang", 15, salt, text), 0);
	cr_assert_eq(hf_phc_parse(text, &p, NULL), 0, "%s", text);
	cr_assert_eq(hf_phc_verify(&p, pepper, "p\xc3\xa4sswort-lang", 15), 0);
	cr_assert_eq(hf_phc_verify(&p, pepper, "p\xc3\xa4sswort-lanh", 15), -EKEYREJECTED);
	cr_assert_eq(hf_phc_verify(&p, pepper, "p\xc3\xa4sswort-lan", 14), -EKEYREJECTED);
	for (size_t i = 0; i < p.hash_len; i++) {
		p.hash[i] ^= 1;
		cr_assert_eq(hf_phc_verify(&p, pepper, "p\xc3\xa4sswort-lang", 15), -EKEYREJECTED, "byte %zu", i);
		p.hash[i] ^= 1;
	}
	cr_assert_not(hf_phc_stale(&p, cost, pepper));
	cr_assert(hf_phc_stale(&p, cost == &cheap_argon ? &cheap_pbkdf2 : &cheap_argon, pepper));
	cr_assert_eq(hf_pepper_set(&other, "another pepper of enough bytes", 30), 0);
	cr_assert(hf_phc_stale(&p, cost, &other));
	if (pepper) {
		cr_assert_eq(hf_phc_verify(&p, &other, "p\xc3\xa4sswort-lang", 15), -ENOKEY);
		cr_assert_eq(hf_phc_verify(&p, NULL, "p\xc3\xa4sswort-lang", 15), -ENOKEY);
		cr_assert(hf_phc_stale(&p, cost, NULL));
	}
}

Test(phc, what_is_made_is_verified)
{
	struct hf_pepper pepper;

	cr_assert_eq(hf_pepper_set(&pepper, "short", 5), -EINVAL);
	cr_assert_eq(hf_pepper_set(&pepper, "a pepper of enough bytes", 24), 0);
	round_trip(&cheap_argon, NULL);
	round_trip(&cheap_pbkdf2, NULL);
	round_trip(&cheap_argon, &pepper);
	round_trip(&cheap_pbkdf2, &pepper);
}

/* Cannot be told from one that was made, but by trying. */
Test(phc, nobody)
{
	static const uint8_t random[HF_PHC_SALT + HF_PHC_HASH + 1] =
		"0123456789abcdef0123456789abcdef0123456789abcdef";
	const struct hf_phc_cost *costs[] = { &cheap_argon, &cheap_pbkdf2 };
	char made[HF_PHC_LEN], nobody[HF_PHC_LEN];
	struct hf_pepper pepper;
	struct hf_phc p;
	struct hf_err e;

	cr_assert_eq(hf_pepper_set(&pepper, "a pepper of enough bytes", 24), 0);
	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(hf_phc_make(costs[i], &pepper, "x", 1, random, made), 0);
		hf_phc_nobody(costs[i], &pepper, random, nobody);
		cr_assert_eq(strlen(nobody), strlen(made));
		cr_assert_eq(strncmp(nobody, made, (size_t)(strrchr(made, '$') - made)), 0);
		cr_assert_eq(hf_phc_parse(nobody, &p, &e), 0);
		cr_assert_not(hf_phc_stale(&p, costs[i], &pepper));
		cr_assert_eq(hf_phc_verify(&p, &pepper, "x", 1), -EKEYREJECTED);
		cr_assert_eq(hf_phc_verify(&p, &pepper, "", 0), -EKEYREJECTED);
	}
}

#define S "$MDEyMzQ1Njc4OWFiY2RlZg$WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFg"

/* A database from somebody else must cost neither memory nor time, nor pass. */
Test(phc, hostile_strings_are_refused)
{
	static const char *const wrong[] = {
		"", "$", "plain", "$1$abc$def", "$2b$12$abcdefghijklmnopqrstuv", "!", "*",
		"$argon2id$v=19$m=1048577,t=1,p=1" S,		/* more than 1 GiB */
		"$argon2id$v=19$m=4294967295,t=1,p=1" S,
		"$argon2id$v=19$m=18446744073709551616,t=1,p=1" S,
		"$argon2id$v=19$m=1048576,t=5,p=1" S,		/* memory x passes */
		"$argon2id$v=19$m=8,t=4294967295,p=1" S,
		"$argon2id$v=19$m=65536,t=2,p=17" S,
		"$argon2id$v=19$m=65536,t=2,p=0" S,
		"$argon2id$v=19$m=15,t=2,p=2" S,		/* less than 8 KiB a lane */
		"$argon2id$v=16$m=65536,t=2,p=1" S,
		"$argon2i$v=19$m=65536,t=2,p=1" S,
		"$argon2d$v=19$m=65536,t=2,p=1" S,
		"$argon2id$v=19$m=065536,t=2,p=1" S,
		"$argon2id$v=19$m=-1,t=2,p=1" S,
		"$argon2id$v=19$m= 65536,t=2,p=1" S,
		"$argon2id$v=19$t=2,m=65536,p=1" S,
		"$argon2id$v=19$m=65536,t=2,p=1,keyid=XYZ" S,
		"$argon2id$v=19$m=65536,t=2,p=1,data=AAAA" S,
		"$pbkdf2-sha256$i=0" S,
		"$pbkdf2-sha256$i=10000001" S,
		"$pbkdf2-sha256$i=99999999999999999999" S,
		"$pbkdf2-sha256$i=1000,l=64" S,
		"$pbkdf2-sha1$i=1000" S,
		"$pbkdf2-sha256$i=1000$MDEyMzQ1$WFhYWFhYWFhYWFhYWFhYWA",	/* salt of 6 bytes */
		"$pbkdf2-sha256$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$WFhYWA",		/* hash of 4 */
		"$pbkdf2-sha256$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$",
		"$pbkdf2-sha256$i=1000$MDEyMzQ1Njc4OWFiY2RlZg",
		"$pbkdf2-sha256$i=1000" S "$",
		"$pbkdf2-sha256$i=1000" S "=",
		"$pbkdf2-sha256$i=1000" S S S S S S,
	};
	struct hf_err e;
	struct hf_phc p;

	cr_assert_eq(hf_phc_parse("$argon2id$v=19$m=1048576,t=4,p=16" S, &p, &e), 0, "%s", e.text);
	cr_assert_eq(hf_phc_parse("$pbkdf2-sha256$i=10000000,l=32" S, &p, &e), 0, "%s", e.text);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_eq(hf_phc_parse(wrong[i], &p, &e), -EINVAL, "accepted: %s", wrong[i]);
}

/* ------------------------------------------------------------------ TOTP */

/* RFC 4226, appendix D. */
Test(totp, hotp_vectors)
{
	static const int want[] = { 755224, 287082, 359152, 969429, 338314,
				    254676, 287922, 162583, 399871, 520489 };

	for (uint64_t i = 0; i < 10; i++)
		cr_assert_eq(hf_hotp((const uint8_t *)"12345678901234567890", 20, i), want[i]);
}

/* RFC 6238, appendix B: its eight digits end in our six. */
Test(totp, totp_vectors)
{
	static const struct { int64_t t; const char *code; } v[] = {
		{ 59, "287082" }, { 1111111109, "081804" }, { 1111111111, "050471" },
		{ 1234567890, "005924" }, { 2000000000, "279037" }, { 20000000000, "353130" },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		int64_t last = 0;

		cr_assert_eq(hf_totp_check((const uint8_t *)"12345678901234567890", 20, v[i].code, v[i].t, &last), 0);
		cr_assert_eq(last, v[i].t / 30);
	}
}

Test(totp, one_step_either_way_and_never_twice)
{
	const uint8_t *key = (const uint8_t *)"12345678901234567890";
	int64_t t = 1111111111, step = t / 30, last;	/* 050471 */

	for (int64_t d = -3; d <= 3; d++) {
		last = 0;
		cr_assert_eq(hf_totp_check(key, 20, "050471", (step + d) * 30, &last),
			     d >= -1 && d <= 1 ? 0 : -EKEYREJECTED, "%d steps", (int)d);
		last = 0;
		cr_assert_eq(hf_totp_check(key, 20, "050471", (step + d) * 30 + 29, &last),
			     d >= -1 && d <= 1 ? 0 : -EKEYREJECTED, "%d steps, end", (int)d);
	}
	last = 0;
	cr_assert_eq(hf_totp_check(key, 20, "050471", t, &last), 0);
	cr_assert_eq(hf_totp_check(key, 20, "050471", t, &last), -EKEYREJECTED, "replayed");
	/* nor an older one afterwards */
	cr_assert_eq(hf_totp_check(key, 20, "081804", 1111111109 + 30, &last), -EKEYREJECTED);
}

Test(totp, malformed_codes)
{
	static const char *const wrong[] = { "", "05047", "0504711", "05047 ", "05047x", "-50471", "+50471" };
	int64_t last = 0;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_eq(hf_totp_check((const uint8_t *)"12345678901234567890", 20, wrong[i], 1111111111, &last),
			     -EKEYREJECTED, "%s", wrong[i]);
}

Test(totp, uri)
{
	char uri[HF_TOTP_URI];

	hf_totp_uri((const uint8_t *)"12345678901234567890", "a23456789012345678901234567890ab", uri);
	cr_assert_str_eq(uri, "otpauth://totp/Holdfast:a23456789012345678901234567890ab?secret="
			 "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Holdfast&algorithm=SHA1&digits=6&period=30");
}

/* ---------------------------------------------------------------- policy */

static int policy(const char *password, size_t min)
{
	static const char *const words[] = { "marianne", "physics-lab", NULL };
	struct hf_err e;

	return hf_password_ok(password, strlen(password), min, words, &e);
}

Test(policy, what_is_refused)
{
	static const char *const wrong[] = {
		"", "a", "short", "fourteen chars", "aaaaaaaaaaaaaaaaaaaa", "abcabcabcabcabcabc",
		"abcdefghijklmnopq", "0987654321098765", "1234567890123456", "passwordpassword",
		"PASSWORDPASSWORD", "marianne1234567", "MARIANNEMarianne", "1physics-lab234", "holdfast-holdfast",
		"holdfastholdfast1", "1q2w3e4r5t6y7u8i9o0p", "iloveyouiloveyou",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_eq(policy(wrong[i], 15), -EINVAL, "accepted: %s", wrong[i]);
	cr_assert_eq(policy("trustno1", 8), -EINVAL, "common");
	cr_assert_eq(policy("TrustNo1", 8), -EINVAL, "common, in capitals");
}

Test(policy, what_is_allowed)
{
	static const char *const right[] = {
		"correct horse battery", "a sentence about something", "\xd0\xbf\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb\xd1\x8c, \xd0\xb4\xd0\xbb\xd0\xb8\xd0\xbd\xd0\xbd\xd1\x8b\xd0\xb9",
		"marianne sings in the choir", "\xf0\x9f\x90\x8e\xf0\x9f\x94\x8b\xf0\x9f\x93\x8e staple staple!!",
	};
	char longest[HF_PASSWORD_MAX + 2];

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		cr_expect_eq(policy(right[i], 15), 0, "refused: %s", right[i]);
	cr_assert_eq(policy("zq8!kd0P", 8), 0);
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = (char)('a' + (i * i * 7 + i) % 26);
	longest[HF_PASSWORD_MAX + 1] = '\0';
	cr_assert_eq(policy(longest, 15), -EINVAL, "beyond the longest");
	longest[HF_PASSWORD_MAX] = '\0';
	/* "i * i" repeats, but not in short pieces */
	longest[5] = '#';
	cr_assert_eq(policy(longest, 15), 0, "the longest");
	cr_assert_eq(hf_password_chars("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x8e", 9), 3);
}

/* The list is searched by halves: it must be sorted. Each of some known ones is found. */
Test(policy, common_ones_are_found)
{
	static const char *const common[] = { "123456789", "password1", "qwertyuiop", "iloveyou", "football",
					      "baseball", "princess", "sunshine", "zxcvbnm123" };

	for (size_t i = 0; i < 8; i++)
		cr_expect_eq(policy(common[i], 8), -EINVAL, "accepted: %s", common[i]);
}
