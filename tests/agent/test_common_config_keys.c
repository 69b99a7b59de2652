// SPDX-License-Identifier: GPL-2.0
/*
 * Every key of the configuration's table with values that must be accepted
 * and values that must be refused, made from the table itself; and the
 * hostile corpus: classes of inputs, each with all its members. HF_CONFIG_CORPUS
 * names a file that gets the per-key cases, for the cross-check with the JSON Schema;
 * HF_CONFIG_HOSTILE one that gets the hostile ones, for tests/agent/corpus/config.py.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"

/* Where a key stands: one frame per level. */
struct frame {
	const struct hf_config_key *table, *key;
	const struct frame *up;
};

struct counts {
	unsigned int keys, both, accepted, refused;
	FILE *corpus;
};

static const struct {
	const char *looks, *good, *bad;
} samples[] = {
	{ "an absolute path", "/srv/a.b/c", "/srv/../c" },
	{ "lower-case letters", "a-b_1", "A b" },
	{ "the name of an account", "_ab-1", "a:b" },
	{ "an IPv4", "::1", "localhost" },
	{ "a host name or", "a.example", "a b" },
	{ "a date", "2026-05-31", "31.5.2026" },
	{ "http:// or https://", "https://192.0.2.7:9093/x", "https://a.example/" },
	{ "trip, trip/CAUSE", "health/disk", "disk" },
	{ "days and hours", "Mon-Fri 08:00-18:00", "Mo-Fr 8:00-18:00x" },
};

static const char *text_sample(const struct hf_config_key *k, bool good)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		if (!strncmp(k->looks, samples[i].looks, strlen(samples[i].looks)))
			return good ? samples[i].good : samples[i].bad;
	cr_assert_fail("no sample for \"%s\"", k->looks);
	return NULL;
}

static json_t *good_value(const struct hf_config_key *k);

static json_t *good_map(const struct hf_config_key *table, const struct hf_config_key *but)
{
	json_t *map = json_object();

	for (const struct hf_config_key *k = table; k->name; k++)
		if (k->flags & HF_CF_REQUIRED && k != but)
			json_object_set_new(map, k->name, good_value(k));
	return map;
}

static json_t *good_list(const struct hf_config_key *k, int64_t n)
{
	json_t *list = json_array();

	while (n--)
		json_array_append_new(list,
				      *k->sub->name ? good_map(k->sub, NULL) : good_value(k->sub));
	return list;
}

static json_t *good_value(const struct hf_config_key *k)
{
	switch (k->type) {
	case HF_C_INT:
		return json_integer(k->max);
	case HF_C_BOOL:
		return json_true();
	case HF_C_ENUM:
		return json_string(k->words[0]);
	case HF_C_TEXT:
		return json_string(text_sample(k, true));
	case HF_C_MATCH:
		return json_string("*");
	case HF_C_LIST:
		return good_list(k, k->min);
	case HF_C_MAP:
		return good_map(k->sub, NULL);
	}
	return NULL;
}

/* The whole configuration with @v (stolen) at the place of @f. */
static json_t *wrap(const struct frame *f, json_t *v)
{
	for (; f; f = f->up) {
		json_t *map = good_map(f->table, f->key);

		if (!*f->key->name) { /* the element of a list of values */
			json_decref(map);
			v = json_pack("[o]", v);
			continue;
		}
		json_object_set_new(map, f->key->name, v);
		v = map;
		if (f->up && f->up->key->type == HF_C_LIST)
			v = json_pack("[o]", v);
	}
	return v;
}

/* The table alone, without the rules between keys. */
static unsigned int table_errors(const char *text, struct hf_config_errors *errors)
{
	static struct hf_tree tree;
	struct hf_config c = { .places = json_object() };
	struct hf_node *root;

	memset(errors, 0, sizeof(*errors));
	cr_assert_eq(hf_tree_read(text, strlen(text), &tree, &root, errors), 0);
	if (root)
		cr_assert_eq(hf_config_check(root, NULL, &c, errors), 0);
	hf_tree_clear(&tree);
	json_decref(c.values);
	json_decref(c.places);
	return errors->count;
}

/* @v: stolen. */
static void try(struct counts *n, const struct frame *f, json_t *v, bool good)
{
	static struct hf_config_errors errors;
	json_t *doc = wrap(f, v);
	char *text = json_dumps(doc, JSON_COMPACT);
	unsigned int count = table_errors(text, &errors);

	if (good)
		cr_expect_eq(count, 0, "%s: %s: %s", text, errors.e[0].path, errors.e[0].text);
	else
		cr_expect_neq(count, 0, "accepted: %s", text);
	if (n->corpus)
		fprintf(n->corpus, "{\"accept\": %s, \"doc\": %s}\n", good ? "true" : "false",
			text);
	if (good)
		n->accepted++;
	else
		n->refused++;
	free(text);
	json_decref(doc);
}

static json_t *long_text(size_t len)
{
	char *s = malloc(len + 1);
	json_t *v;

	memset(s, 'a', len);
	s[len] = '\0';
	v = json_string(s);
	free(s);
	return v;
}

static void try_int(struct counts *n, const struct frame *f)
{
	const struct hf_config_key *k = f->key;

	try(n, f, json_integer(k->min), true);
	try(n, f, json_integer(k->max), true);
	try(n, f, json_integer(k->min - 1), false);
	if (k->max < INT64_MAX)
		try(n, f, json_integer(k->max + 1), false);
	try(n, f, json_real((double)k->min + 0.5), false);
	try(n, f, json_string("1"), false);
}

static void try_text(struct counts *n, const struct frame *f)
{
	const struct hf_config_key *k = f->key;

	try(n, f, json_string(text_sample(k, true)), true);
	try(n, f, json_string(text_sample(k, false)), false);
	try(n, f, json_string(""), false);
	try(n, f, long_text((size_t)k->max + 1), false);
	try(n, f, json_integer(1), false);
}

static void try_match(struct counts *n, const struct frame *f)
{
	try(n, f, json_string("*"), true);
	try(n, f, json_string("SN 1"), true);
	try(n, f, json_integer(0), true);
	try(n, f, json_integer(f->key->max), true);
	try(n, f, json_integer(f->key->max + 1), false);
	try(n, f, json_string(""), false);
	try(n, f, long_text(32), false);
	try(n, f, json_string("\xc3\xa4"), false);
}

static void try_list(struct counts *n, const struct frame *f)
{
	const struct hf_config_key *k = f->key;

	try(n, f, good_list(k, k->min), true);
	try(n, f, good_list(k, k->max), true);
	if (k->min)
		try(n, f, json_array(), false);
	try(n, f, good_list(k, k->max + 1), false);
	try(n, f, json_string("a"), false);
	try(n, f, json_object(), false);
}

static void try_key(struct counts *n, const struct frame *f)
{
	const struct hf_config_key *k = f->key;
	struct counts before = *n;

	switch (k->type) {
	case HF_C_INT:
		try_int(n, f);
		break;
	case HF_C_TEXT:
		try_text(n, f);
		break;
	case HF_C_MATCH:
		try_match(n, f);
		break;
	case HF_C_LIST:
		try_list(n, f);
		break;
	case HF_C_BOOL:
		try(n, f, json_true(), true);
		try(n, f, json_false(), true);
		try(n, f, json_integer(1), false);
		try(n, f, json_string("true"), false);
		break;
	case HF_C_ENUM:
		for (const char *const *w = k->words; *w; w++)
			try(n, f, json_string(*w), true);
		try(n, f, json_string("zzz"), false);
		try(n, f, json_integer(1), false);
		break;
	case HF_C_MAP:
		try(n, f, json_object(), true);
		try(n, f, json_pack("{s:i}", "zzz", 1), false);
		try(n, f, json_array(), false);
		break;
	}
	try(n, f, json_null(), false);
	n->keys++;
	n->both += n->accepted > before.accepted && n->refused > before.refused;
}

static void walk(struct counts *n, const struct hf_config_key *table, const struct frame *up)
{
	for (const struct hf_config_key *k = table; k->name; k++) {
		const struct frame f = { table, k, up };

		try_key(n, &f);
		if (k->sub)
			walk(n, k->sub, &f);
	}
}

Test(config_keys, every_key_accepts_and_refuses, .timeout = 300)
{
	const char *path = getenv("HF_CONFIG_CORPUS");
	struct counts n = { .corpus = path ? fopen(path, "we") : NULL };

	walk(&n, hf_config_schema, NULL);
	fprintf(stderr, "config: %u of %u keys with accept and refuse, %u accepted, %u refused\n",
		n.both, n.keys, n.accepted, n.refused);
	cr_expect_eq(n.both, n.keys);
	cr_expect_gt(n.keys, 180);
	if (n.corpus)
		cr_expect_eq(fclose(n.corpus), 0);
}

/* ------------------------------------------------------------ hostile corpus */

static unsigned int hostile_class, hostile_all;

/* One line with one write: the tests run side by side. */
static void hostile_tell(const char *class, const char *text, size_t len)
{
	const char *path = getenv("HF_CONFIG_HOSTILE");
	char *line;
	size_t n;
	FILE *f;

	if (!path)
		return;
	f = open_memstream(&line, &n);
	fprintf(f, "{\"class\": \"%s\", \"hex\": \"", class);
	for (size_t i = 0; i < len; i++)
		fprintf(f, "%02x", (unsigned char)text[i]);
	fputs("\"}\n", f);
	cr_assert_eq(fclose(f), 0);
	f = fopen(path, "ae");
	cr_assert(f && !setvbuf(f, NULL, _IOFBF, n + 1));
	cr_expect_eq(fwrite(line, 1, n, f), n);
	cr_expect_eq(fclose(f), 0);
	free(line);
}

/* @text must be refused, with at least one message that says something. */
static void hostile(const char *class, const char *text, size_t len)
{
	static struct hf_config_errors errors;
	struct hf_config *c;
	int ret = hf_config_parse(text, len, "t", NULL, &c, &errors);

	cr_expect_eq(ret, -EINVAL, "%s: accepted: %.200s", class, text);
	cr_expect(ret != -EINVAL || (errors.count && *errors.e[0].text), "%s: no message", class);
	hf_config_free(ret ? NULL : c);
	hostile_tell(class, text, len);
	hostile_class++;
	hostile_all++;
}

static void class_end(const char *name)
{
	fprintf(stderr, "config hostile: %-16s %u\n", name, hostile_class);
	cr_expect_gt(hostile_class, 0);
	hostile_class = 0;
}

/* The configuration in which only @f's value is @raw, as it stands. */
static void hostile_raw(const char *class, const struct frame *f, const char *raw)
{
	json_t *doc = wrap(f, json_string("@MARK@"));
	char *text = json_dumps(doc, JSON_COMPACT), *mark = strstr(text, "\"@MARK@\""), *whole;

	cr_assert(mark);
	cr_assert(asprintf(&whole, "%.*s%s%s", (int)(mark - text), text, raw, mark + 8) > 0);
	hostile(class, whole, strlen(whole));
	free(whole);
	free(text);
	json_decref(doc);
}

typedef void (*each_fn)(const struct frame *f);

static void each(const struct hf_config_key *table, const struct frame *up, each_fn fn)
{
	for (const struct hf_config_key *k = table; k->name; k++) {
		const struct frame f = { table, k, up };

		fn(&f);
		if (k->sub)
			each(k->sub, &f, fn);
	}
}

static void spell_int(const struct frame *f)
{
	static const char *const bad[] = {
		"1.5",
		"12,5",
		"1e3",
		"1E3",
		"010",
		"0x10",
		"0o17",
		"0b1",
		"+5",
		"--5",
		"-0",
		"1_000",
		"1:30",
		"nan",
		".nan",
		"inf",
		"-.inf",
		"maybe",
		"''",
		"\"100\"",
		"1.5MPa",
		"100ms",
		"1 000",
		"9223372036854775808",
		"-9223372036854775809",
		"99999999999999999999999999",
		"\xd9\xa1",
		"!!int 5",
		"&a 5",
		"~",
	};

	if (f->key->type == HF_C_INT)
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			hostile_raw("int spelling", f, bad[i]);
}

static void spell_bool(const struct frame *f)
{
	static const char *const bad[] = { "yes",    "no",	  "on", "off", "True",
					   "TRUE",   "tru",	  "1",	"0",   "maybe",
					   "'true'", "\"false\"", "y",	"~",   "[true]" };

	if (f->key->type == HF_C_BOOL)
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			hostile_raw("bool spelling", f, bad[i]);
}

static void spell_text(const struct frame *f)
{
	static const char *const bad[] = { "null",	   "true",	   "~",
					   "12",	   "1.5",	   "''",
					   "[]",	   "{}",	   "\"a\\0b\"",
					   "\"a\\nb\"",	   "\"\\x1b[2J\"", "\"\\u202e\"",
					   "\"a'; DROP\"", "\"$(id)\"",	   "\"../../etc/passwd\"",
					   "\"%s%n\"",	   "!x y",	   "*a",
					   "\"a\\\n  b\"" };

	if (f->key->type == HF_C_TEXT || f->key->type == HF_C_ENUM)
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			hostile_raw("text spelling", f, bad[i]);
}

/* A key misspelled, in other case, with a space: never taken for another. */
static void misspell(const struct frame *f)
{
	static const char *const forms[][2] = {
		{ "", "x" }, { "x", "" }, { "", " " }, { "", ".y" }, { "", "" }
	};
	char name[64];

	if (!*f->key->name)
		return;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct hf_config_key wrong = *f->key;
		const struct frame g = { f->table, &wrong, f->up };

		snprintf(name, sizeof(name), "%s%s%s", forms[i][0], f->key->name, forms[i][1]);
		if (!*forms[i][0] && !*forms[i][1])
			name[0] = (char)(name[0] - 'a' + 'A');
		wrong.name = name;
		hostile_raw("misspelled key", &g, "1");
	}
}

static void twice(const struct frame *f)
{
	char raw[256], *v;
	json_t *good;

	if (!*f->key->name)
		return;
	good = good_value(f->key);
	v = json_dumps(good, JSON_ENCODE_ANY);
	if (strlen(v) < 60) {
		snprintf(raw, sizeof(raw), "%s, \"%s\": %s", v, f->key->name, v);
		hostile_raw("key twice", f, raw);
	}
	free(v);
	json_decref(good);
}

Test(config_keys, hostile_values_are_refused, .timeout = 600)
{
	each(hf_config_schema, NULL, spell_int);
	class_end("int spelling");
	each(hf_config_schema, NULL, spell_bool);
	class_end("bool spelling");
	each(hf_config_schema, NULL, spell_text);
	class_end("text spelling");
	each(hf_config_schema, NULL, misspell);
	class_end("misspelled key");
	each(hf_config_schema, NULL, twice);
	class_end("key twice");
	fprintf(stderr, "config hostile: %u values, all refused\n", hostile_all);
	cr_expect_gt(hostile_all, 1000);
}

Test(config_keys, hostile_bytes_are_refused, .timeout = 600)
{
	static const char base[] =
		"environment: test\nkeeper:\n  beat_ms: 100 # ms\narrays:\n  - match: \"*\"\n";
	static const char *const bytes[] = { "\t",
					     "\r",
					     "\x01",
					     "\x1b",
					     "\x7f",
					     "\xff",
					     "\xc0\xaf",
					     "\xed\xa0\x80",
					     "\xef\xbb\xbf",
					     "\xe2\x80\xae",
					     "\xe2\x80\x8b",
					     "\xc2\x85",
					     "\xf4\x90\x80\x80",
					     "\xe2\x82" };
	size_t len = sizeof(base) - 1;

	for (size_t b = 0; b <= sizeof(bytes) / sizeof(bytes[0]); b++) {
		size_t add = b < 14 ? strlen(bytes[b]) : 1;

		for (size_t at = 0; at <= len; at++) {
			char text[256];

			memcpy(text, base, at);
			memcpy(text + at, b < 14 ? bytes[b] : "\0", add);
			memcpy(text + at + add, base + at, len - at + 1);
			hostile("byte", text, len + add);
		}
	}
	class_end("byte");
}

Test(config_keys, hostile_shapes_are_refused)
{
	static const char *const texts[] = {
		"",
		"\n",
		"# only a comment\n",
		"a",
		"- a",
		"[]",
		"null",
		"---\n---\n",
		"environment: test\n---\n", "environment: test\n---\nenvironment: test\n",
		"environment: test\n...\nlog: {}\n",
		"%YAML 1.1\n---\nenvironment: test\n",
		"%TAG ! tag:x,2000:\n---\nenvironment: test\n",
		"&a environment: test\n",
		"environment: &a test\nlog: *a\n",
		"? {a: b}\n: c\n",
		"? [a]\n: c\n",
		"<<: {environment: test}\n",
		"environment: >\n  test\n",
		"environment: |\n  test\n",
		"environment: 'te\n  st'\n",
		"environment: test\n log: {}\n",
		"environment test\n",
		"environment: test: test\n",
		"log: {level: info\n",
		"log: [level\n",
		"log: \"info\n",
		"!!map {environment: test}\n",
		"environment: !!str test\n",
		"log: &a {level: info}\n",
		"tenants: &a []\n",
		"log: !x {}\n",
		"environment: test\nenvironment: test\n",
		"[[[[[[[[[[[[[[[[[[[[",
		"{{{{{{{{{{{{{{{{{{{{",
		"a: {b: {c: {d: {e: {f: {g: {h: {i: {}}}}}}}}}\n",
		"environment: test # \xff\n",
		"environment: @test\n",
		"environment: `test`\n",
		"- - - - - - - - - - - -\n",
		"arrays: [{match: *}]\n",
		"log: level: info\n",
		"environment:\n",
		"keeper:\n",
		"arrays:\n",
		"=: x\n",
	};
	char *big = malloc(HF_CONFIG_BYTES_MAX + 64);
	size_t n;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		hostile("shape", texts[i], strlen(texts[i]));
	/* more nodes, more bytes, more depth than there may be */
	n = (size_t)sprintf(big, "api: {hosts: [");
	while (n < 60000)
		n += (size_t)sprintf(big + n, "a,");
	n += (size_t)sprintf(big + n, "a]}\n");
	hostile("shape", big, n);
	memset(big, '#', HF_CONFIG_BYTES_MAX);
	memcpy(big, "environment: test\n", 18);
	memcpy(big + HF_CONFIG_BYTES_MAX, "\n", 2);
	hostile("shape", big, HF_CONFIG_BYTES_MAX + 1);
	memset(big, '[', HF_CONFIG_BYTES_MAX);
	hostile("shape", big, HF_CONFIG_BYTES_MAX);
	memset(big, '{', HF_CONFIG_BYTES_MAX);
	hostile("shape", big, HF_CONFIG_BYTES_MAX);
	free(big);
	class_end("shape");
}
