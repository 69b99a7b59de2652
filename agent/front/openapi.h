/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The description of the API, out of the table of operations.
 */
#ifndef HF_OPENAPI_H
#define HF_OPENAPI_H

#include <jansson.h>

/* OpenAPI 3.1. New reference; NULL: out of memory. */
json_t *hf_openapi(void);
/* The same for programs: compact text, caller frees. NULL: out of memory. */
char *hf_openapi_text(size_t *len);

#endif /* HF_OPENAPI_H */
