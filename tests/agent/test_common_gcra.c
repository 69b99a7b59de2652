// SPDX-License-Identifier: GPL-2.0
/*
 * Rate limits: published vectors, a bounded table, and the hash against
 * OpenSSL's.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "check.h"
#include "gcra.h"
#include "siphash.h"

#define T	(100 * HF_MS)

static struct hf_gcra *g;

static void setup(void)
{
	cr_assert_eq(hf_gcra_new(&g, 4, &hf_system_random), 0);
}

static void teardown(void)
{
	hf_gcra_free(g);
}

TestSuite(gcra, .init = setup, .fini = teardown, .timeout = 20);

static uint64_t take(const char *key, uint64_t now_ms)
{
	return hf_gcra_take(g, key, strlen(key), T, 5, now_ms * HF_MS, NULL) / HF_MS;
}

/* interval 100 ms, burst 5 */
Test(gcra, vectors)
{
	uint32_t left;

	for (uint32_t i = 0; i < 5; i++) {
		cr_assert_eq(hf_gcra_take(g, "k", 1, T, 5, 0, &left), 0);
		cr_assert_eq(left, 4 - i);
	}
	cr_assert_eq(hf_gcra_take(g, "k", 1, T, 5, 0, &left), T);
	cr_assert_eq(left, 0);
	cr_assert_eq(take("k", 50), 50);
	cr_assert_eq(take("k", 100), 0);
	cr_assert_eq(take("k", 100), 100);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(take("k", 1000), 0, "%d", i);
	cr_assert_eq(take("k", 1000), 100);
}

Test(gcra, keys_do_not_disturb_each_other)
{
	for (int i = 0; i < 5; i++)
		cr_assert_eq(take("a", 0), 0);
	cr_assert_neq(take("a", 0), 0);
	cr_assert_eq(take("b", 0), 0);
}

Test(gcra, the_least_recently_used_makes_room)
{
	const char *keys[] = { "b", "c", "d" };

	for (int i = 0; i < 5; i++)
		take("a", 0);
	for (int i = 0; i < 3; i++)
		take(keys[i], 0);
	cr_assert_neq(take("a", 0), 0, "four have room");
	take("e", 0);		/* pushes b out, for a was just asked */
	cr_assert_neq(take("a", 0), 0);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(take("b", 0), 0, "b has started anew: %d", i);
}

/* One entry per key of 2^16 in a table of 1000: it must neither grow nor go wrong. */
Test(gcra, stays_bounded)
{
	struct hf_gcra *big;

	cr_assert_eq(hf_gcra_new(&big, 1000, &hf_system_random), 0);
	for (uint32_t i = 0; i < 65536; i++)
		cr_assert_eq(hf_gcra_take(big, &i, sizeof(i), T, 1, 0, NULL), 0);
	for (uint32_t i = 65536 - 1000; i < 65536; i++)
		cr_assert_eq(hf_gcra_take(big, &i, sizeof(i), T, 1, 0, NULL), T, "%u is known", i);
	hf_gcra_free(big);
}

Test(gcra, extreme_arguments)
{
	for (int i = 0; i < 5; i++)
		cr_assert_eq(
			hf_gcra_take(g, "x", 1, UINT64_MAX / 2, UINT32_MAX, UINT64_MAX - 9, NULL),
			0);
	cr_assert_eq(hf_gcra_take(g, "z", 1, UINT64_MAX / 4, 1, 5, NULL), 0);
	cr_assert_neq(hf_gcra_take(g, "z", 1, UINT64_MAX / 4, 1, 5, NULL), 0);
	cr_assert_eq(hf_gcra_take(g, "y", 1, 0, 1, 0, NULL), 0);
	cr_assert_eq(hf_gcra_take(g, "y", 1, 0, 1, 0, NULL), 0);
	cr_assert_eq(hf_gcra_new(&g, 0, &hf_system_random), -EINVAL);
	cr_assert_eq(hf_gcra_new(&g, 1048577, &hf_system_random), -EINVAL);
}

static uint64_t openssl_siphash(const uint8_t *key, const void *data, size_t len)
{
	OSSL_PARAM params[] = { OSSL_PARAM_END, OSSL_PARAM_END };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	size_t size = 8, got;
	uint64_t out;

	params[0] = OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size);
	cr_assert(EVP_MAC_init(ctx, key, HF_SIPHASH_KEY, params));
	cr_assert(EVP_MAC_update(ctx, data, len));
	cr_assert(EVP_MAC_final(ctx, (uint8_t *)&out, &got, sizeof(out)));
	cr_assert_eq(got, 8);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return out;
}

Test(gcra, siphash_as_openssl_has_it)
{
	uint64_t seed = check_seed();
	uint8_t key[HF_SIPHASH_KEY], data[64];

	for (size_t len = 0; len <= sizeof(data); len++) {
		for (size_t i = 0; i < sizeof(key); i++)
			key[i] = (uint8_t)check_random(&seed);
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)check_random(&seed);
		cr_assert_eq(hf_siphash(key, data, len), openssl_siphash(key, data, len),
			     "%zu bytes", len);
	}
}
