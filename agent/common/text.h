/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One UTF-8 decoder for all that looks at text from outside.
 */
#ifndef HF_TEXT_H
#define HF_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* The code point at @s (shortest form, no surrogate), its bytes in @used. Return: it, or -1. */
int32_t hf_utf8_next(const char *s, size_t len, size_t *used);

#endif /* HF_TEXT_H */
