// SPDX-License-Identifier: GPL-2.0
/*
 * JSON Schema out of a table of fields, for the API description. It may be
 * less strict than field.c (lengths in bytes cannot be said), never stricter.
 */
#include <inttypes.h>
#include <stdio.h>

#include "field.h"

#include "libholdfast.h"
#include "holdfast.h"

/* A UTF-8 character has one to four bytes; schema counts characters. */
static json_t *schema_string(const struct hf_field *f)
{
	return json_pack("{s:s, s:I, s:I}", "type", "string", "minLength",
			 (json_int_t)((f->min + 3) / 4), "maxLength", (json_int_t)f->max);
}

static json_t *schema_hex(const struct hf_field *f)
{
	char pattern[64];

	snprintf(pattern, sizeof(pattern), "^[0-9a-f]{%" PRId64 ",%" PRId64 "}$", f->min, f->max);
	return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

static json_t *schema_words(const char *const *words)
{
	json_t *list = json_array();

	for (; list && *words; words++)
		json_array_append_new(list, json_string(*words));
	return json_pack("{s:s, s:o}", "type", "string", "enum", list);
}

static json_t *schema_limits(void)
{
	json_t *names = json_array();

	for (uint32_t i = 0; names && i < HOLDFAST_LIM_COUNT; i++)
		json_array_append_new(names, json_string(holdfast_limit_name(i)));
	return json_pack("{s:s, s:{s:o}, s:{s:s}}", "type", "object", "propertyNames", "enum",
			 names, "additionalProperties", "type", "integer");
}

static json_t *schema_items(const struct hf_field *f)
{
	if (f->sub)
		return hf_field_schema(f->sub, HF_IN_BODY);
	if (f->words)
		return schema_words(f->words);
	return json_pack("{s:s, s:i, s:i}", "type", "string", "minLength", 1, "maxLength",
			 HF_FIELD_ITEM);
}

static json_t *schema_of(const struct hf_field *f)
{
	switch (f->type) {
	case HF_F_INT:
		return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum",
				 (json_int_t)f->min, "maximum", (json_int_t)f->max);
	case HF_F_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case HF_F_STRING:
		return schema_string(f);
	case HF_F_NAME:
		return json_pack("{s:s, s:s}", "type", "string", "pattern",
				 "^[a-z][a-z0-9_-]{0,31}$");
	case HF_F_HEX:
		return schema_hex(f);
	case HF_F_ENUM:
		return schema_words(f->words);
	case HF_F_OBJECT:
		return f->sub ? hf_field_schema(f->sub, HF_IN_BODY) :
				json_pack("{s:s}", "type", "object");
	case HF_F_ARRAY:
		return json_pack("{s:s, s:I, s:I, s:o}", "type", "array", "minItems",
				 (json_int_t)f->min, "maxItems", (json_int_t)f->max, "items",
				 schema_items(f));
	case HF_F_LIMITS:
		return schema_limits();
	case HF_F_INTS:
		return json_pack("{s:s, s:i, s:{s:s, s:I, s:I}}", "type", "array", "maxItems",
				 HF_FIELD_INTS, "items", "type", "integer", "minimum",
				 (json_int_t)f->min, "maximum", (json_int_t)f->max);
	}
	return NULL;
}

static int property_add(json_t *schema, const struct hf_field *f)
{
	json_t *p = schema_of(f);
	int ret = p ? 0 : -1;

	if (!ret && f->help)
		ret = json_object_set_new(p, "description", json_string(f->help));
	if (!ret && (f->flags & HF_FF_SECRET))
		ret = json_object_set_new(p, "writeOnly", json_true());
	if (!ret && (f->flags & HF_FF_REQUIRED))
		ret = json_array_append_new(json_object_get(schema, "required"),
					    json_string(f->name));
	if (!ret)
		return json_object_set_new(json_object_get(schema, "properties"), f->name, p);
	json_decref(p);
	return ret;
}

json_t *hf_field_schema(const struct hf_field *table, enum hf_field_in in)
{
	json_t *schema = json_pack("{s:s, s:b, s:[], s:{}}", "type", "object",
				   "additionalProperties", 0, "required", "properties");

	for (const struct hf_field *f = table; schema && f->name; f++) {
		if (f->in == in && property_add(schema, f)) {
			json_decref(schema);
			return NULL;
		}
	}
	return schema;
}
