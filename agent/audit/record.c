// SPDX-License-Identifier: GPL-2.0
/*
 * What a record says, bounded and in canonical form: sorted keys, no blanks,
 * integers only. No files, no chain.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "record.h"

#define DUMP	(JSON_SORT_KEYS | JSON_COMPACT)
/* For seq, t_ns, mono_ns and boot, which come later. */
#define ROOM	(4 * 20 + 2 * AUD_ID + 64)
#define CUT_HEAD	4096

static const char *const phase_names[AUD_PHASES] = {
	[AUD_INTENT] = "intent",
	[AUD_OUTCOME] = "outcome",
	[AUD_EVENT] = "event",
	[AUD_DENIED] = "denied",
};

const char *aud_phase_name(enum aud_phase p)
{
	return phase_names[p];
}

int aud_phase_parse(const char *name)
{
	for (int i = 0; name && i < AUD_PHASES; i++)
		if (!strcmp(name, phase_names[i]))
			return i;
	return -EINVAL;
}

static json_t *integers_only(const json_t *j);

static json_t *integers_only_object(const json_t *j)
{
	json_t *copy = json_object(), *v;
	const char *key;

	json_object_foreach((json_t *)j, key, v)
		if (json_object_set_new(copy, key, integers_only(v))) {
			json_decref(copy);
			return NULL;
		}
	return copy;
}

static json_t *integers_only_array(const json_t *j)
{
	json_t *copy = json_array(), *v;
	size_t i;

	json_array_foreach(j, i, v)
		if (json_array_append_new(copy, integers_only(v))) {
			json_decref(copy);
			return NULL;
		}
	return copy;
}

/* A copy in which numbers with fractions are strings. NULL: out of memory. */
static json_t *integers_only(const json_t *j)
{
	char text[32];

	if (json_is_object(j))
		return integers_only_object(j);
	if (json_is_array(j))
		return integers_only_array(j);
	if (!json_is_real(j))
		return json_copy((json_t *)j);
	snprintf(text, sizeof(text), "%.17g", json_real_value(j));
	return json_string(text);
}

/* Bytes of valid UTF-8 in front of @max. */
static size_t utf8_cut(const char *text, size_t max)
{
	while (max && (text[max] & 0xc0) == 0x80)
		max--;
	return max;
}

static json_t *cut(const json_t *detail)
{
	char *text = json_dumps(detail, DUMP);
	size_t len;
	json_t *j;

	if (!text)
		return NULL;
	len = strlen(text);
	j = json_pack("{s:b, s:I, s:s%}", "cut", 1, "bytes", (json_int_t)len, "head", text,
		      len > CUT_HEAD ? utf8_cut(text, CUT_HEAD) : len);
	free(text);
	return j;
}

static json_t *pack(const struct aud_say *say, json_t *detail)
{
	char corr[HF_CORR_TEXT];

	return json_pack("{s:s, s:O, s:s, s:O, s:I, s:s, s:s, s:s}", "action", say->action,
			 "actor", say->actor,
			 "corr", hf_corr_none(&say->corr) ? "" : hf_corr_text(&say->corr, corr),
			 "detail", detail, "intent", (json_int_t)say->intent,
			 "object", say->object, "phase", phase_names[say->phase],
			 "result", say->result);
}

static json_t *pack_bounded(const struct aud_say *say, const json_t *detail)
{
	json_t *d = detail ? integers_only(detail) : json_object();
	json_t *j = d ? pack(say, d) : NULL;

	json_decref(d);
	if (j && json_dumpb(j, NULL, 0, DUMP) > AUD_PAYLOAD_MAX - ROOM) {
		json_decref(j);
		return NULL;
	}
	return j;
}

json_t *aud_record_new(const struct aud_say *say)
{
	json_t *j = pack_bounded(say, say->detail), *d;

	if (j || !say->detail)
		return j;
	d = cut(say->detail);
	j = d ? pack_bounded(say, d) : NULL;
	json_decref(d);
	return j;
}

ssize_t aud_record_text(json_t *record, uint64_t seq, uint64_t t_ns, uint64_t mono_ns,
			const char *boot, char *out)
{
	size_t len;

	if (json_object_set_new(record, "seq", json_integer((json_int_t)seq)) ||
	    json_object_set_new(record, "t_ns", json_integer((json_int_t)t_ns)) ||
	    json_object_set_new(record, "mono_ns", json_integer((json_int_t)mono_ns)) ||
	    json_object_set_new(record, "boot", json_string(boot)))
		return -ENOMEM;
	len = json_dumpb(record, out, AUD_PAYLOAD_MAX, DUMP);
	if (!len)
		return -ENOMEM;
	return len > AUD_PAYLOAD_MAX ? -EMSGSIZE : (ssize_t)len;
}
