// SPDX-License-Identifier: GPL-2.0
/*
 * JSON objects against tables of fields: what is not in the table is refused.
 * No knowledge of any operation or message, and never a secret in an error.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "field.h"
#include "text.h"

#include "libholdfast.h"

/* Where we are in the object. */
struct place {
	char path[HF_FIELD_PATH];
	struct hf_err *e;
};

/* Appends "name" or ".name" to the path, cut where it ends. Return: the length before. */
static size_t place_enter(struct place *p, const char *name)
{
	size_t len = strlen(p->path);

	snprintf(p->path + len, sizeof(p->path) - len, "%s%s", len ? "." : "", name);
	return len;
}

static void place_leave(struct place *p, size_t len)
{
	p->path[len] = '\0';
}

static int refuse(struct place *p, const char *what)
{
	return hf_fail(p->e, -EINVAL, "%s%s%s", p->path, p->path[0] ? ": " : "", what);
}

static int refuse_range(struct place *p, const struct hf_field *f, const char *what, int64_t got)
{
	if (f->flags & HF_FF_SECRET)
		return hf_fail(p->e, -EINVAL, "%s: %s not in %" PRId64 "..%" PRId64, p->path, what,
			       f->min, f->max);
	return hf_fail(p->e, -EINVAL, "%s: %s %" PRId64 " is not in %" PRId64 "..%" PRId64, p->path,
		       what, got, f->min, f->max);
}

static int check_int(struct place *p, const struct hf_field *f, const json_t *v)
{
	int64_t n = json_integer_value(v);

	if (!json_is_integer(v))
		return refuse(p, "must be an integer");
	return n < f->min || n > f->max ? refuse_range(p, f, "value", n) : 0;
}

static int check_string(struct place *p, const struct hf_field *f, const json_t *v)
{
	size_t len = json_string_length(v);

	if (!json_is_string(v))
		return refuse(p, "must be a string");
	if ((int64_t)len < f->min || (int64_t)len > f->max)
		return refuse_range(p, f, "length in bytes", (int64_t)len);
	if (!hf_text_ok(json_string_value(v), len, f->flags & HF_FF_LINES))
		return refuse(p, "has characters that are not allowed");
	return 0;
}

static int check_name(struct place *p, const json_t *v)
{
	if (!json_is_string(v) || json_string_length(v) != strlen(json_string_value(v)) ||
	    !hf_name_ok(json_string_value(v)))
		return refuse(p, "must be a lower-case letter, then at most 31 of a-z 0-9 _ -");
	return 0;
}

static int check_hex(struct place *p, const struct hf_field *f, const json_t *v)
{
	size_t len = json_string_length(v);

	if (!json_is_string(v) || strspn(json_string_value(v), "0123456789abcdef") != len)
		return refuse(p, "must be lower-case hex digits");
	if ((int64_t)len < f->min || (int64_t)len > f->max)
		return refuse_range(p, f, "length in digits", (int64_t)len);
	return 0;
}

static int check_word(struct place *p, const struct hf_field *f, const json_t *v)
{
	char list[HF_ERR_LEN / 2] = "";
	size_t len = 0;

	for (const char *const *w = f->words; *w; w++) {
		if (json_is_string(v) && json_string_length(v) == strlen(*w) &&
		    !strcmp(json_string_value(v), *w))
			return 0;
		if (len < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len, " %s", *w);
	}
	return hf_fail(p->e, -EINVAL, "%s: must be one of:%s", p->path, list);
}

static int check_object(struct place *p, const struct hf_field *table, const json_t *obj);

static int check_item(struct place *p, const struct hf_field *f, const json_t *v)
{
	struct hf_field item = { .flags = f->flags, .min = 1, .max = HF_FIELD_ITEM };

	if (f->sub)
		return check_object(p, f->sub, v);
	return f->words ? check_word(p, f, v) : check_string(p, &item, v);
}

static int check_array(struct place *p, const struct hf_field *f, const json_t *v)
{
	char index[24];

	if (!json_is_array(v))
		return refuse(p, "must be an array");
	if ((int64_t)json_array_size(v) < f->min || (int64_t)json_array_size(v) > f->max)
		return refuse_range(p, f, "number of elements", (int64_t)json_array_size(v));
	for (size_t i = 0; i < json_array_size(v); i++) {
		size_t len;
		int ret;

		snprintf(index, sizeof(index), "%zu", i);
		len = place_enter(p, index);
		ret = check_item(p, f, json_array_get(v, i));
		if (ret)
			return ret;
		place_leave(p, len);
	}
	return 0;
}

static int check_ints(struct place *p, const struct hf_field *f, const json_t *v)
{
	if (!json_is_array(v) || json_array_size(v) > HF_FIELD_INTS)
		return hf_fail(p->e, -EINVAL, "%s: must be an array of at most %d integers",
			       p->path, HF_FIELD_INTS);
	for (size_t i = 0; i < json_array_size(v); i++) {
		int ret = check_int(p, f, json_array_get(v, i));

		if (ret)
			return ret;
	}
	return 0;
}

/* Keys come from outside: one that is not a plain word is not repeated. */
static const char *shown_key(const char *key)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz_-"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	return strlen(key) <= 32 && strspn(key, plain) == strlen(key) ? key : "?";
}

static int check_limits(struct place *p, const json_t *v)
{
	const char *key;
	json_t *value;

	if (!json_is_object(v))
		return refuse(p, "must be an object of limits");
	json_object_foreach((json_t *)v, key, value) {
		size_t len = place_enter(p, shown_key(key));

		if (holdfast_limit_by_name(key) < 0)
			return refuse(p, "is not the name of a limit");
		if (!json_is_integer(value))
			return refuse(p, "must be an integer");
		place_leave(p, len);
	}
	return 0;
}

static int check_value(struct place *p, const struct hf_field *f, const json_t *v)
{
	switch (f->type) {
	case HF_F_INT:
		return check_int(p, f, v);
	case HF_F_BOOL:
		return json_is_boolean(v) ? 0 : refuse(p, "must be true or false");
	case HF_F_STRING:
		return check_string(p, f, v);
	case HF_F_NAME:
		return check_name(p, v);
	case HF_F_HEX:
		return check_hex(p, f, v);
	case HF_F_ENUM:
		return check_word(p, f, v);
	case HF_F_OBJECT:
		if (f->sub)
			return check_object(p, f->sub, v);
		return json_is_object(v) ? 0 : refuse(p, "must be an object");
	case HF_F_ARRAY:
		return check_array(p, f, v);
	case HF_F_LIMITS:
		return check_limits(p, v);
	case HF_F_INTS:
		return check_ints(p, f, v);
	}
	return refuse(p, "has a type that the table does not know");
}

static const struct hf_field *field_find(const struct hf_field *table, const char *name)
{
	for (const struct hf_field *f = table; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}

static int check_object(struct place *p, const struct hf_field *table, const json_t *obj)
{
	const char *key;
	json_t *value;

	if (!json_is_object(obj))
		return refuse(p, "must be an object");
	json_object_foreach((json_t *)obj, key, value) {
		const struct hf_field *f = field_find(table, key);
		size_t len = place_enter(p, shown_key(key));
		int ret = f ? check_value(p, f, value) : refuse(p, "is not known here");

		if (ret)
			return ret;
		place_leave(p, len);
	}
	for (const struct hf_field *f = table; f->name; f++) {
		if (!(f->flags & HF_FF_REQUIRED) || json_object_get(obj, f->name))
			continue;
		place_enter(p, f->name);
		return refuse(p, "is missing");
	}
	return 0;
}

int hf_field_check(const struct hf_field *table, const json_t *obj, char *path,
		   struct hf_err *e)
{
	struct place p = { .e = e };
	int ret = check_object(&p, table, obj);

	if (path)
		memcpy(path, p.path, HF_FIELD_PATH);
	return ret;
}

/* New reference, NULL: out of memory. */
static json_t *redact_value(const struct hf_field *f, const json_t *v)
{
	json_t *copy;

	if (f->flags & HF_FF_SECRET)
		return json_string("***");
	if (f->sub && json_is_object(v))
		return hf_field_redact(f->sub, v);
	if (!f->sub || !json_is_array(v))
		return json_deep_copy(v);
	copy = json_array();
	for (size_t i = 0; copy && i < json_array_size(v); i++) {
		if (json_array_append_new(copy, hf_field_redact(f->sub, json_array_get(v, i)))) {
			json_decref(copy);
			return NULL;
		}
	}
	return copy;
}

json_t *hf_field_redact(const struct hf_field *table, const json_t *obj)
{
	json_t *copy = json_object();

	/* By the table, not by the object: what is unknown might be a secret, too. */
	for (const struct hf_field *f = table; copy && f->name; f++) {
		const json_t *v = json_object_get(obj, f->name);

		if (v && json_object_set_new(copy, f->name, redact_value(f, v))) {
			json_decref(copy);
			return NULL;
		}
	}
	return copy;
}
