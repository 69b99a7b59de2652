// SPDX-License-Identifier: GPL-2.0
/*
 * A configuration as YAML: every value, texts in quotes, so that reading it
 * back gives the same values. For people and for tests; comments are not kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config_internal.h"

struct printer {
	yaml_emitter_t emitter;
	char *text;
	size_t len;
	bool failed;
};

static int printer_write(void *arg, unsigned char *data, size_t len)
{
	struct printer *p = arg;
	char *grown = realloc(p->text, p->len + len + 1);

	if (!grown)
		return 0;
	memcpy(grown + p->len, data, len);
	p->text = grown;
	p->len += len;
	p->text[p->len] = '\0';
	return 1;
}

/* @made: what the event's initialiser returned; the emitter frees the event. */
static void emit(struct printer *p, yaml_event_t *ev, int made)
{
	if (p->failed || !made || !yaml_emitter_emit(&p->emitter, ev))
		p->failed = true;
}

static void emit_scalar(struct printer *p, const char *text, bool quoted)
{
	yaml_event_t ev;

	emit(p, &ev,
	     yaml_scalar_event_initialize(
		     &ev, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), !quoted, quoted,
		     quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE));
}

static void emit_value(struct printer *p, const json_t *v)
{
	yaml_event_t ev;
	const char *key;
	json_t *sub;
	char text[32];
	size_t i;

	switch (json_typeof(v)) {
	case JSON_OBJECT:
		emit(p, &ev,
		     yaml_mapping_start_event_initialize(&ev, NULL, NULL, 1,
							 YAML_BLOCK_MAPPING_STYLE));
		json_object_foreach((json_t *)v, key, sub)
		{
			emit_scalar(p, key, false);
			emit_value(p, sub);
		}
		emit(p, &ev, yaml_mapping_end_event_initialize(&ev));
		break;
	case JSON_ARRAY:
		emit(p, &ev,
		     yaml_sequence_start_event_initialize(&ev, NULL, NULL, 1,
							  YAML_BLOCK_SEQUENCE_STYLE));
		json_array_foreach(v, i, sub) emit_value(p, sub);
		emit(p, &ev, yaml_sequence_end_event_initialize(&ev));
		break;
	case JSON_STRING:
		emit_scalar(p, json_string_value(v), true);
		break;
	case JSON_INTEGER:
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
		emit_scalar(p, text, false);
		break;
	default:
		emit_scalar(p, json_is_true(v) ? "true" : "false", false);
	}
}

int hf_config_print(const struct hf_config *c, char **text, size_t *len)
{
	struct printer p = { .text = NULL };
	yaml_event_t ev;

	if (!yaml_emitter_initialize(&p.emitter))
		return -ENOMEM;
	yaml_emitter_set_output(&p.emitter, printer_write, &p);
	yaml_emitter_set_width(&p.emitter, -1);
	emit(&p, &ev, yaml_stream_start_event_initialize(&ev, YAML_UTF8_ENCODING));
	emit(&p, &ev, yaml_document_start_event_initialize(&ev, NULL, NULL, NULL, 1));
	emit_value(&p, c->values);
	emit(&p, &ev, yaml_document_end_event_initialize(&ev, 1));
	emit(&p, &ev, yaml_stream_end_event_initialize(&ev));
	yaml_emitter_delete(&p.emitter);
	if (p.failed) {
		free(p.text);
		return -ENOMEM;
	}
	*text = p.text;
	*len = p.len;
	return 0;
}
