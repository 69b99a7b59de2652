// SPDX-License-Identifier: GPL-2.0
/*
 * YAML as a tree with the line and column of everything, from libyaml's
 * events. Accepts the plain subset only: mappings, lists and scalars of one
 * line. Knows no key: what may stand where is config_check.c's.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config_internal.h"
#include "text.h"

/* What is quoted may be anything; terminals and JSON shall not suffer. */
static void printable(char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
}

void hf_config_err(struct hf_config_errors *errors, unsigned int line, unsigned int column,
		   const char *path, const char *fmt, ...)
{
	struct hf_config_error *e;
	va_list ap;

	if (errors->count == HF_CONFIG_ERRORS) {
		errors->more++;
		return;
	}
	e = &errors->e[errors->count++];
	e->line = line;
	e->column = column;
	snprintf(e->path, sizeof(e->path), "%s", path ? path : "");
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	printable(e->path);
	printable(e->text);
}

/* ---------------------------------------------------------------- characters */

/* What is wrong with this character; NULL: nothing. */
static const char *character_fault(uint32_t cp)
{
	if (cp == '\t')
		return "a tab; indent with spaces";
	if (cp == '\r')
		return "a carriage return; end lines with a newline alone";
	if (cp == 0xfeff)
		return "a byte order mark; write plain UTF-8 without one";
	if ((cp < 0x20 && cp != '\n') || (cp >= 0x7f && cp < 0xa0))
		return "a control character";
	/* these make a text look different from what it is */
	if ((cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
	    (cp >= 0x2060 && cp <= 0x206f))
		return "an invisible or direction-changing character";
	if (cp >= 0xfffe && (cp & 0xfffe) == 0xfffe)
		return "not a character";
	return NULL;
}

static bool characters_ok(const char *text, size_t len, struct hf_config_errors *errors)
{
	unsigned int line = 1, column = 1, before = errors->count;

	for (size_t i = 0, n = 0; i < len; i += n) {
		int32_t c = hf_utf8_next(text + i, len - i, &n);
		const char *fault = c < 0 ? "no valid UTF-8" : character_fault((uint32_t)c);

		if (fault) {
			hf_config_err(errors, line, column, NULL, "byte 0x%02x is %s%s",
				      (unsigned char)text[i], c > 0x7f ? "the first of " : "", fault);
			break;
		}
		column = c == '\n' ? 1 : column + 1;
		line += c == '\n';
	}
	return errors->count == before;
}

/* ---------------------------------------------------------------- events */

struct reader {
	struct hf_tree *tree;
	struct hf_config_errors *errors;
	struct hf_node *open[HF_CONFIG_DEPTH_MAX];
	unsigned int depth;
	struct hf_node *root;
	bool stop;
};

static void refuse(struct reader *r, const yaml_mark_t *at, const char *what)
{
	hf_config_err(r->errors, (unsigned int)at->line + 1, (unsigned int)at->column + 1, NULL,
		      "%s", what);
	r->stop = true;
}

static struct hf_node *node_new(struct reader *r, enum hf_node_kind kind, const yaml_mark_t *at)
{
	struct hf_node *n;

	if (r->tree->used == HF_CONFIG_NODES_MAX) {
		refuse(r, at, "more than 4096 keys and values; a configuration is smaller");
		return NULL;
	}
	n = &r->tree->nodes[r->tree->used++];
	*n = (struct hf_node){ .kind = kind,
			       .line = (unsigned int)at->line + 1,
			       .column = (unsigned int)at->column + 1,
			       .from_file = true };
	if (r->depth) {
		struct hf_node *parent = r->open[r->depth - 1];

		if (parent->last)
			parent->last->next = n;
		else
			parent->first = n;
		parent->last = n;
	} else {
		r->root = n;
	}
	return n;
}

static void container_open(struct reader *r, enum hf_node_kind kind, const yaml_event_t *ev)
{
	bool decorated = kind == HF_N_MAP ?
				 ev->data.mapping_start.anchor || ev->data.mapping_start.tag :
				 ev->data.sequence_start.anchor || ev->data.sequence_start.tag;
	struct hf_node *n;

	if (decorated) {
		refuse(r, &ev->start_mark,
		       "anchors (&) and tags (!) are not accepted; write the value out");
		return;
	}
	if (r->depth == HF_CONFIG_DEPTH_MAX) {
		refuse(r, &ev->start_mark, "nested deeper than 8 levels; no key is");
		return;
	}
	n = node_new(r, kind, &ev->start_mark);
	if (n)
		r->open[r->depth++] = n;
}

static int scalar(struct reader *r, const yaml_event_t *ev)
{
	struct hf_node *n;

	if (ev->data.scalar.anchor || ev->data.scalar.tag) {
		refuse(r, &ev->start_mark,
		       "anchors (&) and tags (!) are not accepted; write the value out");
		return 0;
	}
	if (ev->end_mark.line != ev->start_mark.line) {
		refuse(r, &ev->start_mark, "a value over several lines; write it on one");
		return 0;
	}
	if (memchr(ev->data.scalar.value, '\0', ev->data.scalar.length)) {
		refuse(r, &ev->start_mark, "a NUL character in a text");
		return 0;
	}
	n = node_new(r, HF_N_SCALAR, &ev->start_mark);
	if (!n)
		return 0;
	n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->text = strdup((const char *)ev->data.scalar.value);
	return n->text ? 0 : -ENOMEM;
}

static int event(struct reader *r, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (r->root)
			refuse(r, &ev->start_mark, "a second document; a file holds one");
		else if (ev->data.document_start.version_directive ||
			 ev->data.document_start.tag_directives.start !=
				 ev->data.document_start.tag_directives.end)
			refuse(r, &ev->start_mark, "directives (%) are not accepted");
		return 0;
	case YAML_ALIAS_EVENT:
		refuse(r, &ev->start_mark,
		       "aliases (*) are not accepted; every array is \"*\" in quotes");
		return 0;
	case YAML_SCALAR_EVENT:
		return scalar(r, ev);
	case YAML_SEQUENCE_START_EVENT:
		container_open(r, HF_N_LIST, ev);
		return 0;
	case YAML_MAPPING_START_EVENT:
		container_open(r, HF_N_MAP, ev);
		return 0;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		return 0;
	case YAML_STREAM_END_EVENT:
		r->stop = true;
		return 0;
	default:
		return 0;
	}
}

static void syntax_error(struct reader *r, const yaml_parser_t *p)
{
	bool star = p->context && strstr(p->context, "alias");

	hf_config_err(r->errors, (unsigned int)p->problem_mark.line + 1,
		      (unsigned int)p->problem_mark.column + 1, NULL, "no valid YAML: %s%s%s%s",
		      p->context ? p->context : "", p->context ? ", " : "",
		      p->problem ? p->problem : "unreadable",
		      star ? "; every array is \"*\" in quotes" : "");
}

static int events_read(struct reader *r, yaml_parser_t *p)
{
	int ret = 0;

	while (!r->stop && !ret) {
		yaml_event_t ev;

		if (!yaml_parser_parse(p, &ev)) {
			if (p->error == YAML_MEMORY_ERROR)
				return -ENOMEM;
			syntax_error(r, p);
			return 0;
		}
		ret = event(r, &ev);
		yaml_event_delete(&ev);
	}
	return ret;
}

void hf_tree_clear(struct hf_tree *t)
{
	for (size_t i = 0; i < t->used; i++)
		free(t->nodes[i].text);
	t->used = 0;
}

int hf_tree_read(const char *text, size_t len, struct hf_tree *t, struct hf_node **root,
		 struct hf_config_errors *errors)
{
	struct reader r = { .tree = t, .errors = errors };
	unsigned int before = errors->count;
	yaml_parser_t p;
	int ret;

	*root = NULL;
	t->used = 0;
	if (len > HF_CONFIG_BYTES_MAX) {
		hf_config_err(errors, 0, 0, NULL, "%zu bytes, where %d are allowed", len,
			      HF_CONFIG_BYTES_MAX);
		return 0;
	}
	if (!characters_ok(text, len, errors))
		return 0;
	if (!yaml_parser_initialize(&p))
		return -ENOMEM;
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)text, len);
	ret = events_read(&r, &p);
	yaml_parser_delete(&p);
	if (ret || errors->count != before)
		return ret;
	if (!r.root)
		hf_config_err(errors, 1, 1, NULL,
			      "there is nothing in it; state at least \"environment: production\"");
	*root = r.root;
	return 0;
}
