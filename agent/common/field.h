/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Strict validation of JSON objects by tables: types, ranges, lengths,
 * character sets, unknown and duplicate members refused. Arguments of
 * operations, payloads between processes and HTTP bodies all pass here.
 */
#ifndef HF_FIELD_H
#define HF_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "err.h"

enum hf_field_type {
	HF_F_INT,	/* integer in @min..@max */
	HF_F_BOOL,
	HF_F_STRING,	/* UTF-8 of @min..@max bytes, no control characters but by HF_FF_LINES */
	HF_F_NAME,	/* [a-z][a-z0-9_-]{0,31} */
	HF_F_HEX,	/* lower-case hex digits, @min..@max of them */
	HF_F_ENUM,	/* one of @words */
	HF_F_OBJECT,	/* checked by @sub; NULL: any object, for its receiver to check */
	HF_F_ARRAY,	/* @min..@max objects checked by @sub; if that is NULL, strings of
			 * 1..HF_FIELD_ITEM bytes, each one of @words if there are any */
	HF_F_LIMITS,	/* { limit name: integer }, names as the driver's; the executor checks more */
	HF_F_INTS,	/* at most HF_FIELD_INTS integers in @min..@max */
};

#define HF_FIELD_ITEM	256
#define HF_FIELD_INTS	256

/* Where it is in an HTTP request. */
enum hf_field_in { HF_IN_BODY, HF_IN_PATH, HF_IN_QUERY };

#define HF_FF_REQUIRED	(1U << 0)
#define HF_FF_SECRET	(1U << 1)	/* never logged, recorded or shown in an error */
#define HF_FF_LINES	(1U << 2)	/* newline and tab are allowed */

struct hf_field {
	const char *name;	/* NULL ends a table */
	enum hf_field_type type;
	enum hf_field_in in;
	uint32_t flags;
	int64_t min, max;
	const char *const *words;	/* HF_F_ENUM, ends with NULL */
	const struct hf_field *sub;
	const char *help;	/* one line for the API description, with the unit */
};

/**
 * hf_field_check() - does this object have exactly what the table allows?
 * @obj:	anything; what is not an object is refused
 * @path:	out, HF_FIELD_PATH bytes, or NULL: the member that was refused, "foci.2.x_um"
 *
 * Never quotes a secret's value in @e. Return: 0, -EINVAL.
 */
#define HF_FIELD_PATH	96
int hf_field_check(const struct hf_field *table, const json_t *obj, char *path,
		   struct hf_err *e);
/* A copy without secrets, each replaced by "***". NULL: out of memory. */
json_t *hf_field_redact(const struct hf_field *table, const json_t *obj);
/* JSON Schema of the table, for OpenAPI; only fields whose @in matches. NULL: out of memory. */
json_t *hf_field_schema(const struct hf_field *table, enum hf_field_in in);
/* Valid UTF-8 without NUL, surrogates, noncharacters; @lines as HF_FF_LINES. */
bool hf_text_ok(const char *s, size_t len, bool lines);
bool hf_name_ok(const char *s);

#endif /* HF_FIELD_H */
