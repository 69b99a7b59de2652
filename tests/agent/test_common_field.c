// SPDX-License-Identifier: GPL-2.0
/*
 * Validation by tables: what is accepted and what refused, with the member that
 * is named; secrets; the schema; actors, correlation ids, names of processes.
 */
#include "check.h"
#include "corr.h"
#include "field.h"
#include "role.h"

static const char *const colours[] = { "red", "green", NULL };
static const struct hf_field point[] = {
	{ "x_um", HF_F_INT, .flags = HF_FF_REQUIRED, .min = -10, .max = 10 },
	{ "pin", HF_F_STRING, .flags = HF_FF_SECRET, .min = 4, .max = 4 }, { .name = NULL }
};
static const struct hf_field table[] = {
	{ "i", HF_F_INT, .flags = 0, .min = -5, .max = 5 },
	{ "b", HF_F_BOOL, .flags = 0 },
	{ "s", HF_F_STRING, .flags = 0, .min = 1, .max = 8 },
	{ "lines", HF_F_STRING, .flags = HF_FF_LINES, .max = 8 },
	{ "n", HF_F_NAME, .flags = 0 },
	{ "h", HF_F_HEX, .flags = 0, .min = 2, .max = 4 },
	{ "e", HF_F_ENUM, .flags = 0, .words = colours },
	{ "o", HF_F_OBJECT, .flags = 0, .sub = point },
	{ "any", HF_F_OBJECT, .flags = 0 },
	{ "a", HF_F_ARRAY, .flags = 0, .min = 1, .max = 2, .sub = point },
	{ "words", HF_F_ARRAY, .flags = 0, .max = 2 },
	{ "set", HF_F_ARRAY, .flags = 0, .max = 3, .words = colours },
	{ "l", HF_F_LIMITS, .flags = 0 },
	{ "ints", HF_F_INTS, .flags = 0, .min = 0, .max = 9 },
	{ "q", HF_F_INT, .in = HF_IN_QUERY, .flags = 0, .max = 1, .help = "query" },
	{ "secret", HF_F_STRING, .flags = HF_FF_SECRET, .max = 8 }, { .name = NULL }
};

/* @path: NULL: accepted; else the member that is refused. */
static const struct {
	const char *json, *path;
} cases[] = {
	{ "{}", NULL },
	{ "[]", "" },
	{ "null", "" },
	{ "1", "" },
	{ "{\"i\":5}", NULL },
	{ "{\"i\":-5}", NULL },
	{ "{\"i\":6}", "i" },
	{ "{\"i\":-6}", "i" },
	{ "{\"i\":1.0}", "i" },
	{ "{\"i\":\"1\"}", "i" },
	{ "{\"i\":true}", "i" },
	{ "{\"i\":null}", "i" },
	{ "{\"b\":true}", NULL },
	{ "{\"b\":1}", "b" },
	{ "{\"b\":\"true\"}", "b" },
	{ "{\"s\":\"x\"}", NULL },
	{ "{\"s\":\"\"}", "s" },
	{ "{\"s\":\"123456789\"}", "s" },
	{ "{\"s\":\"äöüä\"}", NULL },
	{ "{\"s\":\"äöüäx\"}", "s" },
	{ "{\"s\":\"a\\nb\"}", "s" },
	{ "{\"s\":\"a\\tb\"}", "s" },
	{ "{\"s\":\"\\u007f\"}", "s" },
	{ "{\"s\":\"\\u0085\"}", "s" },
	{ "{\"s\":\"\\u2028\"}", "s" },
	{ "{\"s\":\"\\u202e\"}", "s" },
	{ "{\"s\":\"\\ufffe\"}", "s" },
	{ "{\"s\":\"\\ufdd0\"}", "s" },
	{ "{\"s\":\"\\ud83d\\ude00\"}", NULL },
	{ "{\"s\":1}", "s" },
	{ "{\"lines\":\"a\\n\\tb\"}", NULL },
	{ "{\"lines\":\"a\\rb\"}", "lines" },
	{ "{\"n\":\"a-b_9\"}", NULL },
	{ "{\"n\":\"9a\"}", "n" },
	{ "{\"n\":\"A\"}", "n" },
	{ "{\"n\":\"\"}", "n" },
	{ "{\"n\":\"../x\"}", "n" },
	{ "{\"n\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", NULL },
	{ "{\"n\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", "n" },
	{ "{\"h\":\"0f\"}", NULL },
	{ "{\"h\":\"0F\"}", "h" },
	{ "{\"h\":\"0\"}", "h" },
	{ "{\"h\":\"00000\"}", "h" },
	{ "{\"h\":\"0x1f\"}", "h" },
	{ "{\"e\":\"red\"}", NULL },
	{ "{\"e\":\"blue\"}", "e" },
	{ "{\"e\":\"re\"}", "e" },
	{ "{\"e\":1}", "e" },
	{ "{\"o\":{\"x_um\":1}}", NULL },
	{ "{\"o\":{}}", "o.x_um" },
	{ "{\"o\":[]}", "o" },
	{ "{\"o\":{\"x_um\":11}}", "o.x_um" },
	{ "{\"o\":{\"x_um\":1,\"y\":1}}", "o.y" },
	{ "{\"any\":{\"x\":[1,{}]}}", NULL },
	{ "{\"any\":[]}", "any" },
	{ "{\"a\":[{\"x_um\":1},{\"x_um\":2}]}", NULL },
	{ "{\"a\":[]}", "a" },
	{ "{\"a\":[{\"x_um\":1},{\"x_um\":99}]}", "a.1.x_um" },
	{ "{\"a\":[1]}", "a.0" },
	{ "{\"a\":[{\"x_um\":1},{\"x_um\":1},{\"x_um\":1}]}", "a" },
	{ "{\"a\":{}}", "a" },
	{ "{\"words\":[]}", NULL },
	{ "{\"words\":[\"x\",\"y\"]}", NULL },
	{ "{\"words\":[\"x\",1]}", "words.1" },
	{ "{\"words\":[\"\"]}", "words.0" },
	{ "{\"set\":[\"red\",\"green\"]}", NULL },
	{ "{\"set\":[\"red\",\"blue\"]}", "set.1" },
	{ "{\"l\":{\"focal_pressure\":1}}", NULL },
	{ "{\"l\":{\"focal\":1}}", "l.focal" },
	{ "{\"l\":{\"focal_pressure\":\"1\"}}", "l.focal_pressure" },
	{ "{\"l\":[]}", "l" },
	{ "{\"ints\":[0,9]}", NULL },
	{ "{\"ints\":[10]}", "ints" },
	{ "{\"ints\":[-1]}", "ints" },
	{ "{\"ints\":[\"1\"]}", "ints" },
	{ "{\"ints\":3}", "ints" },
	{ "{\"unknown\":1}", "unknown" },
	{ "{\"\\n\":1}", "?" },
	{ "{\"I\":1}", "I" },
	{ "{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":1}", "?" },
};

static json_t *parse(const char *text)
{
	json_t *j = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);

	cr_assert_not_null(j, "%s", text);
	return j;
}

Test(field, accepted_and_refused)
{
	char path[HF_FIELD_PATH];
	struct hf_err e;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *j = parse(cases[i].json);
		int ret = hf_field_check(table, j, path, &e);

		cr_expect_eq(ret, cases[i].path ? -EINVAL : 0, "%s", cases[i].json);
		cr_expect_str_eq(path, cases[i].path ? cases[i].path : "", "%s", cases[i].json);
		cr_expect_eq(hf_field_check(table, j, NULL, NULL), ret, "without room for words");
		json_decref(j);
	}
}

Test(field, errors_have_value_and_limit_but_no_secret)
{
	json_t *j = parse("{\"i\":77}");
	struct hf_err e;

	hf_field_check(table, j, NULL, &e);
	cr_expect_str_eq(e.text, "i: value 77 is not in -5..5");
	json_decref(j);
	j = parse("{\"secret\":\"hunter2hunter2\"}");
	hf_field_check(table, j, NULL, &e);
	cr_expect_null(strstr(e.text, "14"), "not even how long it is: %s", e.text);
	cr_expect_null(strstr(e.text, "hunter"));
	json_decref(j);
}

Test(field, a_path_that_is_too_long_is_cut)
{
	/* A table that contains itself: as deep as the object goes. */
	static struct hf_field self[2];
	json_t *j = json_pack("{s:i}", "bad", 1);
	char path[HF_FIELD_PATH];

	for (int i = 0; i < 20; i++)
		j = json_pack("{s:o}", "level-of-nesting", j);
	self[0] = (struct hf_field){ .name = "level-of-nesting", .type = HF_F_OBJECT, .sub = self };
	cr_assert_eq(hf_field_check(self, j, path, NULL), -EINVAL);
	cr_assert_eq(strlen(path), HF_FIELD_PATH - 1);
	json_decref(j);
}

Test(field, secrets_are_hidden_and_the_unknown_with_them)
{
	json_t *j =
		parse("{\"i\":1,\"secret\":\"hunter2\",\"typo-secret\":\"hunter2\","
		      "\"o\":{\"x_um\":1,\"pin\":\"1234\"},\"a\":[{\"x_um\":2,\"pin\":\"1234\"}]}");
	json_t *shown = hf_field_redact(table, j);
	char *text = json_dumps(shown, JSON_COMPACT | JSON_SORT_KEYS);

	cr_expect_str_eq(text, "{\"a\":[{\"pin\":\"***\",\"x_um\":2}],\"i\":1,"
			 "\"o\":{\"pin\":\"***\",\"x_um\":1},\"secret\":\"***\"}");
	free(text);
	json_decref(shown);
	json_decref(j);
}

Test(field, schema)
{
	json_t *schema = hf_field_schema(table, HF_IN_BODY);
	json_t *query = hf_field_schema(table, HF_IN_QUERY);
	json_t *p = json_object_get(schema, "properties");
	const char *pattern =
		json_string_value(json_object_get(json_object_get(p, "h"), "pattern"));

	cr_expect_eq(json_object_size(p), 15);
	cr_expect(json_is_false(json_object_get(schema, "additionalProperties")));
	cr_expect_eq(json_integer_value(json_object_get(json_object_get(p, "i"), "maximum")), 5);
	cr_expect_str_eq(pattern, "^[0-9a-f]{2,4}$");
	cr_expect(json_is_true(json_object_get(json_object_get(p, "secret"), "writeOnly")));
	cr_expect_eq(json_object_size(json_object_get(query, "properties")), 1);
	cr_expect_str_eq(json_string_value(json_object_get(json_object_get(json_object_get(query,
			 "properties"), "q"), "description")), "query");
	json_decref(schema);
	json_decref(query);
}

/* What passes must be text to jansson, too: all sequences of three bytes that begin beyond ASCII. */
Test(field, utf8)
{
	for (uint32_t n = 0x800000; n < 1 << 24; n++) {
		char s[4] = { (char)(n >> 16), (char)(n >> 8), (char)n, 0 };
		json_t *j;

		if (!hf_text_ok(s, 3, false))
			continue;
		j = json_string(s);
		cr_assert_not_null(j, "%06x", n);
		json_decref(j);
	}
	cr_expect_not(hf_text_ok("\xc0\x80", 2, true), "overlong");
	cr_expect_not(hf_text_ok("\xe0\x80\xaf", 3, true), "overlong");
	cr_expect_not(hf_text_ok("\xed\xa0\x80", 3, true), "surrogate");
	cr_expect_not(hf_text_ok("\xf4\x90\x80\x80", 4, true), "beyond Unicode");
	cr_expect_not(hf_text_ok("a\0b", 3, true));
	cr_expect(hf_text_ok("\xf0\x9f\x98\x80", 4, false));
}

Test(role, actors_there_and_back)
{
	struct hf_actor a = { .name = "uid:1000",
			      .tenant = "lab-a",
			      .session = "0011aabb",
			      .source = "192.0.2.1",
			      .role = HF_ROLE_OPERATOR,
			      .via = HF_VIA_NETWORK,
			      .proof = HF_PROOF_TOKEN,
			      .uid = 1000,
			      .pid = 4,
			      .stepped_up = true };
	json_t *j = hf_actor_json(&a), *bad;
	struct hf_actor b;
	const char *key;
	json_t *value;

	cr_assert_eq(hf_actor_parse(j, &b, NULL), 0);
	cr_expect_str_eq(b.name, a.name);
	cr_expect_str_eq(b.source, a.source);
	cr_expect_eq(b.role, a.role);
	cr_expect_eq(b.via, a.via);
	cr_expect_eq(b.proof, a.proof);
	cr_expect_eq(b.uid, 1000);
	cr_expect(b.stepped_up);
	json_object_foreach(j, key, value) {
		bad = json_deep_copy(j);
		json_object_del(bad, key);
		cr_expect_eq(hf_actor_parse(bad, &b, NULL), -EINVAL, "without %s", key);
		json_decref(bad);
	}
	bad = json_deep_copy(j);
	json_object_set_new(bad, "tenant", json_string("../x"));
	cr_expect_eq(hf_actor_parse(bad, &b, NULL), -EINVAL);
	json_decref(bad);
	json_decref(j);
	j = hf_actor_json(&hf_actor_self);
	cr_expect_eq(hf_actor_parse(j, &b, NULL), 0);
	json_decref(j);
}

Test(role, names)
{
	for (int i = 0; i < HF_PROCS; i++)
		cr_expect_eq(hf_proc_parse(hf_proc_name((enum hf_proc)i)), i);
	cr_expect_eq(hf_proc_parse("keepe"), -EINVAL);
	for (unsigned int r = 1; r <= HF_ROLE_SYSTEM; r *= 2)
		cr_expect_eq(hf_role_parse(hf_role_name((enum hf_role)r)), (int)r);
	cr_expect_eq(hf_role_parse("root"), -EINVAL);
}

Test(corr, text_there_and_back)
{
	struct hf_corr c, d;
	char text[HF_CORR_TEXT];

	cr_assert_eq(hf_corr_new(&hf_system_random, &c), 0);
	cr_expect_eq(hf_corr_parse(hf_corr_text(&c, text), &d), 0);
	cr_expect_eq(memcmp(&c, &d, sizeof(c)), 0);
	cr_expect_eq(hf_corr_parse("00000000000000000000000000000000", &d), -EINVAL);
	cr_expect_eq(hf_corr_parse("0123456789abcdef0123456789abcde", &d), -EINVAL);
	cr_expect_eq(hf_corr_parse("0123456789abcdef0123456789abcdef0", &d), -EINVAL);
	cr_expect_eq(hf_corr_parse("0123456789abcdef0123456789abcdeg", &d), -EINVAL);
	cr_expect_eq(hf_corr_parse("0123456789ABCDEF0123456789abcdef", &d), 0);
}

Test(clock, utc)
{
	char text[HF_UTC_LEN];

	cr_expect_str_eq(hf_utc(1795372000123456789ULL, text), "2026-11-22T18:26:40.123456Z");
	cr_expect_str_eq(hf_utc(0, text), "1970-01-01T00:00:00.000000Z");
}
