// SPDX-License-Identifier: GPL-2.0
/*
 * Jansson's allocator, with memory wiped before it is freed.
 */
#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "wipe.h"

static void wiping_free(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

void hf_wipe_json(void)
{
	json_set_alloc_funcs(malloc, wiping_free);
}
