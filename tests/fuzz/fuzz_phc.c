/* links: auth common lib */
// SPDX-License-Identifier: GPL-2.0
/*
 * PHC strings out of a database that somebody else may have written: refused,
 * or within the limits of memory and time. Nothing is hashed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/phc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct hf_phc p;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (!hf_phc_parse(text, &p, NULL)) {
		if (p.salt_len > HF_PHC_BYTES || p.hash_len > HF_PHC_BYTES || p.hash_len < 16)
			abort();
		if (p.cost.kdf == HF_KDF_ARGON2ID &&
		    (p.cost.kib > HF_PHC_KIB_MAX || !p.cost.passes || !p.lanes || p.lanes > HF_PHC_LANES_MAX ||
		     (uint64_t)p.cost.kib * p.cost.passes > HF_PHC_KIB_PASSES_MAX))
			abort();
		if (p.cost.kdf == HF_KDF_PBKDF2 &&
		    (!p.cost.iterations || p.cost.iterations > HF_PHC_ITERATIONS_MAX))
			abort();
	}
	free(text);
	return 0;
}
