// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration's table as JSON Schema. No rule is invented here.
 */
#include <stdlib.h>

#include "config.h"
#include "config_docs.h"

static json_t *key_schema(const struct hf_config_key *k);

static json_t *map_schema(const struct hf_config_key *table)
{
	json_t *properties = json_object(), *required = json_array();

	for (const struct hf_config_key *k = table; k->name; k++) {
		json_object_set_new(properties, k->name, key_schema(k));
		if (k->flags & HF_CF_REQUIRED)
			json_array_append_new(required, json_string(k->name));
	}
	return json_pack("{s:s, s:b, s:o, s:o}", "type", "object", "additionalProperties", 0,
			 "properties", properties, "required", required);
}

static json_t *list_schema(const struct hf_config_key *k)
{
	json_t *items = *k->sub->name ? map_schema(k->sub) : key_schema(k->sub);

	return json_pack("{s:s, s:I, s:I, s:o}", "type", "array", "minItems", (json_int_t)k->min,
			 "maxItems", (json_int_t)k->max, "items", items);
}

static json_t *enum_schema(const struct hf_config_key *k)
{
	json_t *words = json_array();

	for (const char *const *w = k->words; *w; w++)
		json_array_append_new(words, json_string(*w));
	return json_pack("{s:o}", "enum", words);
}

static json_t *type_schema(const struct hf_config_key *k)
{
	switch (k->type) {
	case HF_C_MAP:
		return map_schema(k->sub);
	case HF_C_LIST:
		return list_schema(k);
	case HF_C_INT:
		return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum",
				 (json_int_t)k->min, "maximum", (json_int_t)k->max);
	case HF_C_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case HF_C_TEXT:
		return json_pack("{s:s, s:I, s:I, s:s}", "type", "string", "minLength",
				 (json_int_t)k->min, "maxLength", (json_int_t)k->max, "pattern",
				 k->pattern);
	case HF_C_ENUM:
		return enum_schema(k);
	case HF_C_MATCH:
		return json_pack("{s:[{s:s, s:i, s:I}, {s:s, s:i, s:i, s:s}]}", "oneOf", "type",
				 "integer", "minimum", 0, "maximum", (json_int_t)k->max, "type",
				 "string", "minLength", 1, "maxLength", 31, "pattern", "^[ -~]+$");
	}
	return NULL;
}

static json_t *default_schema(const struct hf_config_key *k)
{
	if (k->type == HF_C_INT)
		return json_integer(strtoll(k->def, NULL, 10));
	if (k->type == HF_C_BOOL)
		return json_boolean(k->def[0] == 't');
	return json_string(k->def);
}

static json_t *key_schema(const struct hf_config_key *k)
{
	json_t *s = type_schema(k);

	if (k->help)
		json_object_set_new(s, "description", json_string(k->help));
	if (k->def && k->type != HF_C_LIST)
		json_object_set_new(s, "default", default_schema(k));
	if (k->unit)
		json_object_set_new(s, "x-unit", json_string(k->unit));
	return s;
}

json_t *ctl_config_schema(void)
{
	json_t *s = map_schema(hf_config_schema);

	json_object_set_new(s, "$schema",
			    json_string("https://json-schema.org/draft/2020-12/schema"));
	json_object_set_new(s, "title", json_string("holdfast.yaml"));
	return s;
}
