/* links: common lib */
// SPDX-License-Identifier: GPL-2.0
/*
 * The store of secrets: as it comes, which nobody without the key can make;
 * and encrypted with the right key, to get behind that.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

#include "secret_store.h"

#define HEAD 28
#define TAG 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void behind(const struct hf_master_key *key, const uint8_t *data, size_t size)
{
	uint8_t derived[HF_SECRET_KEY_BYTES], *file = calloc(1, HEAD + size + TAG);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	if (!file || !ctx || hf_master_derive(key, "holdfast secrets v1", derived, sizeof(derived)))
		abort();
	memcpy(file, "HFSEC01\n", 8);
	if (EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, derived, file + 16) != 1 ||
	    EVP_EncryptUpdate(ctx, NULL, &n, file, 16) != 1 ||
	    EVP_EncryptUpdate(ctx, file + HEAD, &n, data, (int)size) != 1 ||
	    EVP_EncryptFinal_ex(ctx, file + HEAD + size, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, file + HEAD + size) != 1)
		abort();
	/* an empty store is one; anything else depends */
	if (hf_secrets_verify(file, HEAD + size + TAG, key, NULL, NULL) && !size)
		abort();
	EVP_CIPHER_CTX_free(ctx);
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct hf_master_key key = { .bytes = { 7 }, .source = HF_MASTER_FILE };

	if (!hf_secrets_verify(data, size, &key, NULL, NULL))
		abort();
	behind(&key, data, size);
	return 0;
}
