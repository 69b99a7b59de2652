/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only door from the rules to kernel or libc: integer types, memcpy/memset
 * and a few helpers. Nothing that calls, allocates, locks or tells the time.
 */
#ifndef HF_SHIM_H
#define HF_SHIM_H

#ifdef __KERNEL__
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/types.h>
#else
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define noinline __attribute__((noinline))

#ifndef S64_MAX
#define S64_MAX INT64_MAX
#define S64_MIN INT64_MIN
#define U64_MAX UINT64_MAX
#define U32_MAX UINT32_MAX
#define S32_MAX INT32_MAX
#define S32_MIN INT32_MIN
#define U16_MAX UINT16_MAX
#endif
#endif

#define HF_MAX_CHANNELS	1024
#define HF_MASK_WORDS	(HF_MAX_CHANNELS / 64)
#define HF_MAX_FENCE	64
#define HF_MAX_FOCI	8
#define HF_MAX_SENSORS	16
#define HF_NOWHERE	0xffffffffU
#define HF_Q16_ONE	65536
#define HF_AMP_FULL	65535
#define HF_NSEC_PER_MSEC 1000000LL
#define HF_NSEC_PER_SEC	1000000000LL

#endif /* HF_SHIM_H */
