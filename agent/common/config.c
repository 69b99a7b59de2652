// SPDX-License-Identifier: GPL-2.0
/*
 * A configuration as a whole: read, checked, given out in parts, compared.
 * Opens no file and asks for no environment: both are handed in.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"

/* ---------------------------------------------------------------- the table */

const struct hf_config_key *hf_config_key_find(const struct hf_config_key *table, const char *name)
{
	for (; table && table->name; table++)
		if (!strcmp(table->name, name))
			return table;
	return NULL;
}

/* Walks down; *@list says whether a list was passed. */
static const struct hf_config_key *key_walk(const char *path, bool *list)
{
	const struct hf_config_key *table = hf_config_schema, *k = NULL;
	char copy[HF_CONFIG_PATH], *rest = copy, *word;
	bool element = false;

	*list = false;
	snprintf(copy, sizeof(copy), "%s", path);
	while ((word = strsep(&rest, "."))) {
		if (k && k->type == HF_C_LIST && !element) {
			if (!*word || strspn(word, "0123456789") != strlen(word))
				return NULL;
			*list = element = true;
			if (!*k->sub->name)
				k = k->sub;
			table = *k->name ? k->sub : NULL;
			continue;
		}
		k = hf_config_key_find(table, word);
		if (!k)
			return NULL;
		element = false;
		table = k->sub;
	}
	return k;
}

const struct hf_config_key *hf_config_key_at(const char *path)
{
	bool list;

	return key_walk(path, &list);
}

bool hf_config_key_env(const char *path, char *name, size_t len)
{
	const struct hf_config_key *k;
	size_t used = (size_t)snprintf(name, len, "HOLDFAST_");
	bool list;

	k = key_walk(path, &list);
	if (!k || list || k->type == HF_C_MAP || k->type == HF_C_LIST)
		return false;
	for (; *path && used + 3 < len; path++) {
		if (*path == '.')
			name[used++] = '_';
		name[used++] = *path == '.'		    ? '_' :
			       *path >= 'a' && *path <= 'z' ? (char)(*path - 'a' + 'A') :
							      *path;
	}
	name[used] = '\0';
	return true;
}

const char *hf_config_reload_name(enum hf_config_reload r)
{
	static const char *const words[] = { "live", "restart", "sealed" };

	return words[r];
}

/* ---------------------------------------------------------------- reading */

/* By place: errors come from several passes. */
static int error_order(const void *a, const void *b)
{
	const struct hf_config_error *x = a, *y = b;
	/* what is from no line comes last */
	unsigned int lx = x->line - 1, ly = y->line - 1;

	if (lx != ly)
		return lx < ly ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return strcmp(x->path, y->path);
}

static int config_fill(struct hf_config *c, struct hf_tree *tree, const char *text, size_t len,
		       char *const envp[], struct hf_config_errors *errors)
{
	struct hf_node *root;
	int ret = hf_tree_read(text, len, tree, &root, errors);

	if (ret || !root)
		return ret;
	ret = hf_config_check(root, envp, c, errors);
	if (!ret && !errors->count)
		hf_config_rules(c, errors);
	return ret;
}

int hf_config_parse(const char *text, size_t len, const char *file, char *const envp[],
		    struct hf_config **out, struct hf_config_errors *errors)
{
	struct hf_config *c = calloc(1, sizeof(*c));
	struct hf_tree *tree = malloc(sizeof(*tree));
	int ret = -ENOMEM;

	*out = NULL;
	memset(errors, 0, sizeof(*errors));
	if (c) {
		c->places = json_object();
		c->origins = json_object();
		c->file = strdup(file);
	}
	if (c && tree && c->places && c->origins && c->file) {
		tree->used = 0;
		ret = config_fill(c, tree, text, len, envp, errors);
		hf_tree_clear(tree);
	}
	free(tree);
	if (!ret && errors->count) {
		qsort(errors->e, errors->count, sizeof(errors->e[0]), error_order);
		ret = -EINVAL;
	}
	if (ret)
		hf_config_free(c);
	else
		*out = c;
	return ret;
}

void hf_config_free(struct hf_config *c)
{
	if (!c)
		return;
	json_decref(c->values);
	json_decref(c->places);
	json_decref(c->origins);
	free(c->file);
	free(c);
}

const char *hf_config_error_text(const struct hf_config_error *e, const char *file, char *buf,
				 size_t len)
{
	char at[32] = "";

	if (e->line)
		snprintf(at, sizeof(at), ":%u:%u", e->line, e->column);
	snprintf(buf, len, "%s%s: %s%s%s", file, at, e->path, *e->path ? ": " : "", e->text);
	return buf;
}

json_t *hf_config_errors_json(const struct hf_config_errors *errors)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < errors->count; i++) {
		const struct hf_config_error *e = &errors->e[i];

		if (json_array_append_new(list, json_pack("{s:i, s:i, s:s, s:s}", "line", e->line,
							  "column", e->column, "path", e->path,
							  "message", e->text))) {
			json_decref(list);
			return NULL;
		}
	}
	return json_pack("{s:o, s:i}", "errors", list, "more", errors->more);
}

/* ---------------------------------------------------------------- giving out */

json_t *hf_config_json(const struct hf_config *c)
{
	return json_deep_copy(c->values);
}

/* Takes away what @p may not know. */
static void part_cut(json_t *map, const struct hf_config_key *table, enum hf_proc p)
{
	for (const struct hf_config_key *k = table; k->name; k++) {
		if (k->procs && !(k->procs & 1U << p))
			json_object_del(map, k->name);
		else if (k->type == HF_C_MAP)
			part_cut(json_object_get(map, k->name), k->sub, p);
	}
}

json_t *hf_config_part(const struct hf_config *c, enum hf_proc p)
{
	json_t *part = json_deep_copy(c->values);

	if (part)
		part_cut(part, hf_config_schema, p);
	return part;
}

const char *hf_config_origin(const struct hf_config *c, const char *path)
{
	const json_t *place = json_object_get(c->places, path), *made;
	char text[512];

	if (json_is_string(place))
		return json_string_value(place);
	if (!place)
		return "default";
	made = json_object_get(c->origins, path);
	if (!made) {
		snprintf(text, sizeof(text), "%s:%lld:%lld", c->file,
			 (long long)json_integer_value(json_array_get(place, 0)),
			 (long long)json_integer_value(json_array_get(place, 1)));
		json_object_set_new(c->origins, path, json_string(text));
		made = json_object_get(c->origins, path);
	}
	return made ? json_string_value(made) : c->file;
}

/* ---------------------------------------------------------------- values */

const json_t *hf_config_get(const json_t *part, const char *path)
{
	char copy[HF_CONFIG_PATH], *rest = copy, *word;

	snprintf(copy, sizeof(copy), "%s", path);
	while (part && (word = strsep(&rest, ".")))
		part = json_is_array(part) ? json_array_get(part, strtoul(word, NULL, 10)) :
					     json_object_get(part, word);
	return part;
}

static const json_t *must(const json_t *part, const char *path, bool right_type)
{
	if (!right_type) {
		fprintf(stderr, "holdfast: the configuration has no %s of that type\n", path);
		abort();
	}
	return hf_config_get(part, path);
}

int64_t hf_config_int(const json_t *part, const char *path)
{
	return json_integer_value(must(part, path, json_is_integer(hf_config_get(part, path))));
}

bool hf_config_bool(const json_t *part, const char *path)
{
	return json_is_true(must(part, path, json_is_boolean(hf_config_get(part, path))));
}

const char *hf_config_text(const json_t *part, const char *path)
{
	return json_string_value(must(part, path, json_is_string(hf_config_get(part, path))));
}

const json_t *hf_config_list(const json_t *part, const char *path)
{
	return must(part, path, json_is_array(hf_config_get(part, path)));
}

int64_t hf_config_int_or(const json_t *part, const char *path, int64_t otherwise)
{
	const json_t *v = hf_config_get(part, path);

	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

const char *hf_config_text_or(const json_t *part, const char *path, const char *otherwise)
{
	const json_t *v = hf_config_get(part, path);

	return json_is_string(v) ? json_string_value(v) : otherwise;
}

bool hf_config_matches(const json_t *match, unsigned int index, const char *serial)
{
	if (json_is_integer(match))
		return json_integer_value(match) == index;
	return json_is_string(match) && (!strcmp(json_string_value(match), "*") ||
					 !strcmp(json_string_value(match), serial));
}
