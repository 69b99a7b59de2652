/* links: front common lib */
// SPDX-License-Identifier: GPL-2.0
/*
 * Bodies of operations: "NAME {JSON}". What is accepted has only members that the operation
 * declares, each of its type and range, and all that it requires; a copy without secrets has none.
 * The judge shares no code with the check.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "front/router.h"
#include "libholdfast.h"

#define INPUT_MAX	65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool members_right(const struct hf_field *table, const json_t *obj);

static bool within(const struct hf_field *f, int64_t n)
{
	return n >= f->min && n <= f->max;
}

static bool string_right(const json_t *v, bool lines)
{
	const unsigned char *s = (const unsigned char *)json_string_value(v);

	for (size_t i = 0; i < json_string_length(v); i++)
		if ((s[i] < ' ' && !(lines && (s[i] == '\n' || s[i] == '\t'))) || s[i] == 0x7f)
			return false;
	return json_is_string(v);
}

/* A string of these characters only. */
static bool made_of(const json_t *v, const char *allowed)
{
	const char *s = json_string_value(v);

	for (size_t i = 0; i < json_string_length(v); i++)
		if (!s[i] || !strchr(allowed, s[i]))
			return false;
	return json_is_string(v);
}

static bool word_right(const struct hf_field *f, const json_t *v)
{
	for (const char *const *w = f->words; *w; w++)
		if (json_is_string(v) && json_string_length(v) == strlen(*w) &&
		    !memcmp(json_string_value(v), *w, strlen(*w)))
			return true;
	return false;
}

static bool limits_right(const json_t *v)
{
	const struct holdfast_limit_desc *d;
	size_t known = 0;

	for (uint32_t i = 0; i < HOLDFAST_LIM_COUNT && (d = holdfast_limit_desc(i)); i++)
		known += json_is_integer(json_object_get(v, d->name));
	return json_is_object(v) && known == json_object_size(v);
}

static bool item_right(const struct hf_field *f, const json_t *v)
{
	size_t len = json_string_length(v);

	if (f->type == HF_F_INTS)
		return json_is_integer(v) && within(f, json_integer_value(v));
	if (f->sub)
		return members_right(f->sub, v);
	if (f->words)
		return word_right(f, v);
	return string_right(v, f->flags & HF_FF_LINES) && len >= 1 && len <= 256;
}

static bool items_right(const struct hf_field *f, const json_t *v)
{
	size_t n = json_array_size(v);

	for (size_t i = 0; i < n; i++)
		if (!item_right(f, json_array_get(v, i)))
			return false;
	return json_is_array(v) && (f->type == HF_F_INTS ? n <= 256 : within(f, (int64_t)n));
}

static bool value_right(const struct hf_field *f, const json_t *v)
{
	size_t len = json_string_length(v);

	switch (f->type) {
	case HF_F_INT:
		return json_is_integer(v) && within(f, json_integer_value(v));
	case HF_F_BOOL:
		return json_is_boolean(v);
	case HF_F_STRING:
		return string_right(v, f->flags & HF_FF_LINES) && within(f, (int64_t)len);
	case HF_F_NAME:
		return made_of(v, "abcdefghijklmnopqrstuvwxyz0123456789_-") && len >= 1 &&
		       len <= 32 && islower((unsigned char)json_string_value(v)[0]);
	case HF_F_HEX:
		return made_of(v, "0123456789abcdef") && within(f, (int64_t)len);
	case HF_F_ENUM:
		return word_right(f, v);
	case HF_F_OBJECT:
		return f->sub ? members_right(f->sub, v) : json_is_object(v);
	case HF_F_ARRAY:
	case HF_F_INTS:
		return items_right(f, v);
	case HF_F_LIMITS:
		return limits_right(v);
	}
	return false;
}

/* Each declared member is right or, if it may be, absent; then there must be no other. */
static bool members_right(const struct hf_field *table, const json_t *obj)
{
	size_t declared = 0;

	for (const struct hf_field *f = table; f->name; f++) {
		const json_t *v = json_object_get(obj, f->name);

		if (v ? !value_right(f, v) : f->flags & HF_FF_REQUIRED)
			return false;
		declared += v != NULL;
	}
	return json_is_object(obj) && declared == json_object_size(obj);
}

static void redacted_judge(const struct hf_op *op, const json_t *args)
{
	json_t *shown = hf_field_redact(op->args, args);

	for (const struct hf_field *f = op->args; f->name; f++) {
		const json_t *v = json_object_get(shown, f->name);

		if (f->flags & HF_FF_SECRET && v && strcmp(json_string_value(v), "***"))
			abort();
	}
	json_decref(shown);
}

/* Arguments as a path would have them. */
static json_t *path_args(const struct hf_op *op)
{
	json_t *args = json_object();
	char text[64] = "a";

	for (const struct hf_field *f = op->args; f->name; f++) {
		if (f->in != HF_IN_PATH)
			continue;
		if (f->type == HF_F_HEX)
			memset(text, '0', (size_t)f->min);
		json_object_set_new(args, f->name, f->type == HF_F_INT ? json_integer(f->min) :
							json_string(text));
	}
	return args;
}

static void body(const struct hf_op *op, const char *json, size_t len)
{
	struct hf_route r = { .page = HF_PAGE_OP, .op = op, .args = path_args(op) };
	struct hf_refusal no = { .status = 0 };

	if (hf_route_body(&r, json, len, &no)) {
		if (no.status != 400 || !no.code[0] || !no.text[0])
			abort();
	} else {
		if (!members_right(op->args, r.args))
			abort();
		redacted_judge(op, r.args);
	}
	hf_route_clear(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *space = memchr(data, ' ', size < 32 ? size : 32);
	const struct hf_op *op;
	char name[32];

	if (!space || size > INPUT_MAX)
		return 0;
	memcpy(name, data, (size_t)(space - data));
	name[space - data] = '\0';
	op = hf_op_find(name);
	if (op)
		body(op, (const char *)space + 1, size - (size_t)(space + 1 - data));
	return 0;
}
