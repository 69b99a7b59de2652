/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SipHash-2-4: a short keyed hash for tables whose keys others choose. Not for
 * anything that is stored or sent.
 */
#ifndef HF_SIPHASH_H
#define HF_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define HF_SIPHASH_KEY	16

uint64_t hf_siphash(const uint8_t key[HF_SIPHASH_KEY], const void *data, size_t len);

#endif /* HF_SIPHASH_H */
