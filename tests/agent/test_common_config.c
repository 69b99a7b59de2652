// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration as a whole: places of errors, rules between keys, the
 * environment, parts, differences, printing, and the example that is shipped.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "file.h"

#define EXAMPLE "scripts/packaging/holdfast.yaml"

static struct hf_config_errors errors;

static struct hf_config *parse_env(const char *text, char *const env[])
{
	struct hf_config *c = NULL;
	int ret = hf_config_parse(text, strlen(text), "t.yaml", env, &c, &errors);

	cr_assert(ret == 0 || ret == -EINVAL);
	cr_assert_eq(!ret, !errors.count);
	return c;
}

static struct hf_config *good(const char *text)
{
	struct hf_config *c = parse_env(text, NULL);

	cr_assert(c, "%s: %u:%u %s: %s", text, errors.e[0].line, errors.e[0].column,
		  errors.e[0].path, errors.e[0].text);
	return c;
}

static char *example(size_t *len)
{
	struct hf_err e;
	char *text;

	cr_assert_eq(hf_file_read(AT_FDCWD, EXAMPLE, HF_CONFIG_BYTES_MAX, &text, len, &e), 0, "%s",
		     e.text);
	return text;
}

/* ------------------------------------------------------------------ errors */

Test(config, errors_say_where_what_and_what_would_be_right)
{
	static const char text[] = "environment: prodction\n"
				   "keeper:\n"
				   "  beat_ms: 1.5\n"
				   "  bate_ms: 100\n"
				   "log: {level: info, level: warn}\n"
				   "audit:\n"
				   "  password: x\n";
	static const struct {
		unsigned int line, column;
		const char *path, *says;
	} want[] = {
		{ 1, 14, "environment", "\"production\" is near" },
		{ 3, 12, "keeper.beat_ms", "10 to 2000 (ms)" },
		{ 4, 3, "keeper.bate_ms", "\"beat_ms\" is one" },
		{ 5, 20, "log.level", "the first is in line 5" },
		{ 7, 3, "audit.password", "holdfastctl secret set" },
	};
	char line[512];

	cr_assert_null(parse_env(text, NULL));
	cr_assert_eq(errors.count, sizeof(want) / sizeof(want[0]));
	for (size_t i = 0; i < errors.count; i++) {
		const struct hf_config_error *e = &errors.e[i];

		cr_expect(e->line == want[i].line && e->column == want[i].column, "%s: %u:%u",
			  e->path, e->line, e->column);
		cr_expect_str_eq(e->path, want[i].path);
		cr_expect(strstr(e->text, want[i].says), "%s", e->text);
	}
	cr_expect(strstr(hf_config_error_text(&errors.e[1], "f.yaml", line, sizeof(line)),
			 "f.yaml:3:12: keeper.beat_ms: \"1.5\" is no whole number"));
}

Test(config, all_errors_are_counted_and_fifty_are_told)
{
	char text[8192] = "environment: test\nkeeper:\n";
	size_t n = strlen(text);

	for (int i = 0; i < 70; i++)
		n += (size_t)sprintf(text + n, "  x%d: 1\n", i);
	cr_assert_null(parse_env(text, NULL));
	cr_expect_eq(errors.count, HF_CONFIG_ERRORS);
	cr_expect_eq(errors.more, 20);
}

Test(config, what_is_quoted_in_an_error_cannot_move_the_cursor)
{
	cr_assert_null(parse_env("log: {level: \"\\x1b[2J\\u009b\"}\n", NULL));
	for (const char *s = errors.e[0].text; *s; s++)
		cr_expect(*s >= ' ' && *s <= '~');
}

/* ------------------------------------------------------------------ rules */

#define TEST_ "environment: test\n"
#define ARRAYS TEST_ "arrays: [{match: \"*\"}]\n"

static const struct {
	const char *text, *path; /* @path of the error; NULL: must be accepted */
} rules[] = {
	{ TEST_, NULL },
	{ TEST_ "audit: {warn_free_bytes: 268435456}\n", "audit.refuse_free_bytes" },
	{ TEST_ "audit: {reserve_bytes: 268435457}\n", "audit.reserve_bytes" },
	{ TEST_ "audit: {reserve_bytes: 268435456}\n", NULL },
	{ TEST_ "audit: {keep_bytes: 67108864}\n", "audit.segment_bytes" },
	{ TEST_ "api: {connections: 8}\n", "api.connections_per_source" },
	{ TEST_ "auth: {session_user_max_s: 1799}\n", "auth.session_user_idle_s" },
	{ TEST_ "auth: {session_user_max_s: 1800}\n", NULL },
	{ TEST_ "auth: {session_admin_max_s: 899}\n", "auth.session_admin_idle_s" },
	{ TEST_ "auth: {lockout_max_s: 29}\n", "auth.lockout_start_s" },
	{ TEST_ "api: {listen: \"0.0.0.0\"}\n", "api.listen" },
	{ TEST_ "api: {listen: \"::\"}\n", "api.listen" },
	{ TEST_ "api: {listen: \"1.2.3.4.5\"}\n", "api.listen" },
	{ TEST_ "api: {listen: \"127.9.9.9\"}\n", NULL },
	{ TEST_ "api: {listen: \"::1\"}\n", NULL },
	{ TEST_ "api: {listen: \"0.0.0.0\", network_enabled: false}\n", NULL },
	{ TEST_ "api: {listen: \"0.0.0.0\", tls_certificate: /c, tls_key: /k}\n", NULL },
	{ TEST_ "api: {tls_certificate: /c}\n", "api.tls_certificate" },
	{ TEST_ "api: {tls_key: /k}\n", "api.tls_key" },
	{ TEST_ "paths: {state: /a, run: /a}\n", "paths.run" },
	{ TEST_ "paths: {state: /a, run: /a/b}\n", "paths.run" },
	{ TEST_ "paths: {state: /a/b, run: /a}\n", "paths.run" },
	{ TEST_ "paths: {state: /a, run: /ab}\n", NULL },
	{ TEST_ "arrays: [{match: 1}, {match: 1}]\n", "arrays.1" },
	{ TEST_ "arrays: [{match: 1}, {match: \"1\"}]\n", NULL },
	{ TEST_ "arrays: [{match: 1, limits: {temp_warn: 5, temp_crit: 4}}]\n",
	  "arrays.0.limits.temp_warn" },
	{ TEST_ "arrays: [{match: 1, limits: {box_min_x: 5, box_max_x: 4}}]\n",
	  "arrays.0.limits.box_min_x" },
	{ TEST_ "arrays: [{match: 1, limits: {keeper_deadline: 199}}]\n",
	  "arrays.0.limits.keeper_deadline" },
	{ TEST_ "arrays: [{match: 1, limits: {keeper_deadline: 200}}]\n", NULL },
	{ TEST_ "arrays: [{match: 1, fence: [{x_um: 1, y_um: 2, z_um: 3, limit_mpa: 4},"
		"{x_um: 1, y_um: 2, z_um: 3, limit_mpa: 5}]}]\n",
	  "arrays.0.fence.1" },
	{ TEST_ "tenants: [{name: a, id: 1, arrays: [0]}]\n", "tenants" },
	{ ARRAYS "tenants: [{name: a, id: 1, arrays: [0]}, {name: a, id: 2, arrays: [0]}]\n",
	  "tenants.1" },
	{ ARRAYS "tenants: [{name: a, id: 1, arrays: [0]}, {name: b, id: 1, arrays: [0]}]\n",
	  "tenants.1" },
	{ ARRAYS "tenants: [{name: a, id: 1, arrays: [0, 0]}]\n", "tenants.0.arrays.1" },
	{ ARRAYS "tenants: [{name: a, id: 1, arrays: [0], rights: [raw, raw]}]\n",
	  "tenants.0.rights.1" },
	{ ARRAYS "tenants: [{name: a, id: 1, arrays: [0], max_lease_s: 43201}]\n",
	  "tenants.0.max_lease_s" },
	{ ARRAYS "tenants: [{name: a, id: 1, arrays: [0], windows: [Mon 10:00-09:00]}]\n",
	  "tenants.0.windows.0" },
	{ ARRAYS "tenants: [{name: a, id: 1, arrays: [0], windows: [Mon 10:00-10:00]}]\n",
	  "tenants.0.windows.0" },
	{ ARRAYS "tenants: [{name: a, id: 1, arrays: [0], windows: [Mon 10:00-24:00]}]\n", NULL },
	{ ARRAYS
	  "tenants: [{name: a, id: 1, arrays: [0], limits: {supply_min: 9, supply_max: 8}}]\n",
	  "tenants.0.limits.supply_min" },
	{ TEST_ "peers: [{role: user}]\n", "peers.0" },
	{ TEST_ "peers: [{uid: 1, user: a, role: user}]\n", "peers.0" },
	{ TEST_ "peers: [{uid: 1, role: user}, {uid: 1, role: admin}]\n", "peers.1" },
	{ TEST_ "peers: [{user: a, role: user}, {user: a, role: admin}]\n", "peers.1" },
	{ TEST_ "peers: [{uid: 1, role: user, tenant: b}]\n", "peers.0" },
	{ TEST_ "peers: [{group: g, role: user, name: b}]\n", "peers.0" },
	{ TEST_ "fleet: {servers: [{address: \"127.0.0.1\"}], tls: false}\n", "fleet.host" },
	{ TEST_ "fleet: {servers: [{address: \"127.0.0.1\"}], tls: false, host: a}\n", NULL },
	{ TEST_ "fleet: {servers: [{address: \"127.0.0.1\"}], tls: false, host: a, user: u}\n",
	  "fleet.user" },
	{ TEST_ "fleet: {servers: [{address: \"127.0.0.1\"}], host: a}\n", "fleet.tls" },
	{ TEST_ "fleet: {servers: [{address: \"127.0.0.1\"}], host: a, ca: /c}\n", "fleet.tls" },
	{ TEST_ "fleet: {servers: [{address: \"127.0.0.1\"}], host: a, ca: /c, tls_name: nats}\n", NULL },
	{ TEST_ "fleet: {servers: [{address: \"::1\"}, {address: \"::1\"}], tls: false, host: a}\n",
	  "fleet.servers.1" },
	{ TEST_ "fleet: {secret: tls-key}\n", "fleet.secret" },
	{ TEST_ "export: {anchors: [{kind: file}]}\n", "export.anchors.0" },
	{ TEST_ "export: {anchors: [{kind: file, path: /a, port: 1}]}\n", "export.anchors.0" },
	{ TEST_ "export: {anchors: [{kind: syslog_tcp, host: a}]}\n", "export.anchors.0" },
	{ TEST_ "export: {anchors: [{kind: syslog_tcp, host: a, port: 1, ca: /c}]}\n",
	  "export.anchors.0" },
	{ TEST_ "export: {anchors: [{kind: syslog_tls, host: a, port: 1, ca: /c}]}\n", NULL },
	{ TEST_ "export: {anchors: [{kind: file, path: /var/lib/holdfast/audit/x}]}\n",
	  "export.anchors.0" },
	{ TEST_ "export: {anchors: [{kind: file, path: /a}, {kind: file, path: /a}]}\n",
	  "export.anchors.1" },
	{ "keeper: {seal: false}\n", "keeper.seal" },
	{ "keeper: {audit_grace_ms: 10001}\n", "keeper.audit_grace_ms" },
	{ "auth: {argon2_kib: 19455}\n", "auth.argon2_kib" },
	{ "auth: {argon2_passes: 1}\n", "auth.argon2_kib" },
	{ "auth: {password_min: 14}\n", "auth.password_min" },
	{ "auth: {password_min: 14, totp_required: true}\n", NULL },
	{ "log: {level: debug}\n", "log.level" },
	{ "paths: {state: /tmp/x}\n", "paths.state" },
	{ "paths: {state: /dev/shm/x}\n", "paths.state" },
	{ "paths: {state: /tmpx}\n", NULL },
	{ TEST_
	  "keeper: {seal: false, audit_grace_ms: 60000}\nauth: {argon2_kib: 1024, password_min: 8}\n"
	  "log: {level: debug}\npaths: {state: /tmp/x}\n",
	  NULL },
};

Test(config, rules_between_keys)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct hf_config *c = parse_env(rules[i].text, NULL);

		if (!rules[i].path) {
			cr_expect(c, "%s: %s: %s", rules[i].text, errors.e[0].path,
				  errors.e[0].text);
		} else {
			cr_expect(!c && errors.count == 1, "%s: %u errors", rules[i].text,
				  errors.count);
			cr_expect_str_eq(errors.e[0].path, rules[i].path, "%s: %s: %s",
					 rules[i].text, errors.e[0].path, errors.e[0].text);
			cr_expect_gt(errors.e[0].line + (errors.count == 0), 0, "%s",
				     rules[i].text);
		}
		hf_config_free(c);
	}
}

Test(config, a_part_that_no_message_holds_is_refused)
{
	char *text = malloc(HF_CONFIG_BYTES_MAX);
	size_t n = (size_t)sprintf(text, ARRAYS "tenants:\n");

	for (int t = 0; t < 64; t++) {
		n += (size_t)sprintf(
			text + n,
			"- {name: t%031d, id: %d, arrays: [0], "
			"fence: [{x_um: 1000000, y_um: 1000000, z_um: 1000000, limit_mpa: 1}], windows: [",
			t, t + 1);
		for (int i = 0; i < 32; i++)
			n += (size_t)sprintf(text + n, "Mon-Sun 00:00-01:%02d,", i);
		n += (size_t)sprintf(text + n, "]}\n");
	}
	cr_assert_null(parse_env(text, NULL));
	cr_expect(strstr(errors.e[0].text, "the part of auth is"), "%s", errors.e[0].text);
	free(text);
}

/* ------------------------------------------------------------------ environment */

Test(config, the_environment_overrides_by_documented_names)
{
	char *env[] = { (char *)"HOLDFAST_KEEPER__BEAT_MS=50", (char *)"HOLDFAST_ENVIRONMENT=test",
			(char *)"HOLDFAST_TOKEN_FILE=/x", (char *)"PATH=/bin", NULL };
	char *unknown[] = { (char *)"HOLDFAST_KEEPER__BEATS=50", NULL };
	char *wrong[] = { (char *)"HOLDFAST_KEEPER__BEAT_MS=5", NULL };
	char *list[] = { (char *)"HOLDFAST_API__HOSTS=a", NULL };
	struct hf_config *c =
		parse_env("environment: production\nkeeper:\n  lease_max_s: 7\n", env);
	json_t *v;

	cr_assert(c);
	v = hf_config_json(c);
	cr_expect_eq(hf_config_int(v, "keeper.beat_ms"), 50);
	cr_expect_str_eq(hf_config_text(v, "environment"), "test");
	cr_expect_str_eq(hf_config_origin(c, "keeper.beat_ms"), "HOLDFAST_KEEPER__BEAT_MS");
	cr_expect_str_eq(hf_config_origin(c, "keeper.lease_max_s"), "t.yaml:3:16");
	cr_expect_str_eq(hf_config_origin(c, "keeper.seal"), "default");
	json_decref(v);
	hf_config_free(c);
	cr_expect_null(parse_env(TEST_, unknown));
	cr_expect_null(parse_env(TEST_, wrong));
	cr_expect(strstr(errors.e[0].text, "HOLDFAST_KEEPER__BEAT_MS (environment)"));
	cr_expect_null(parse_env(TEST_, list));
}

/* ------------------------------------------------------------------ parts */

Test(config, each_process_gets_its_part_and_no_more)
{
	static const char *const sections[HF_PROCS] = {
		[HF_PROC_AUDIT] = "environment paths log audit export",
		[HF_PROC_AUTH] = "environment paths log tenants peers auth api health",
		[HF_PROC_KEEPER] = "environment paths log arrays keeper tenants health",
		[HF_PROC_EXPORT] = "environment paths log export alerts",
		[HF_PROC_FLEET] = "environment paths log fleet",
		[HF_PROC_LOCAL] = "environment paths log api",
		[HF_PROC_FRONT] = "environment paths log api health",
		[HF_PROC_PARENT] =
			"environment paths agent log arrays keeper tenants peers auth audit api export alerts fleet health",
	};
	struct hf_config *c = good(TEST_);

	for (enum hf_proc p = HF_PROC_PARENT; p < HF_PROCS; p++) {
		json_t *part = hf_config_part(c, p), *value;
		char has[256] = "";
		const char *key;

		json_object_foreach(part, key, value)
		{
			strcat(has, *has ? " " : "");
			strcat(has, key);
		}
		cr_expect_str_eq(has, sections[p], "%s: %s", hf_proc_name(p), has);
		json_decref(part);
	}
	hf_config_free(c);
}

Test(config, an_element_means_an_array_by_index_serial_or_star)
{
	struct hf_config *c = good(TEST_ "arrays: [{match: 3}, {match: \"3\"}, {match: \"*\"}]\n");
	json_t *v = hf_config_json(c);

	cr_expect(hf_config_matches(hf_config_get(v, "arrays.0.match"), 3, "x"));
	cr_expect(!hf_config_matches(hf_config_get(v, "arrays.0.match"), 4, "3"));
	cr_expect(hf_config_matches(hf_config_get(v, "arrays.1.match"), 4, "3"));
	cr_expect(!hf_config_matches(hf_config_get(v, "arrays.1.match"), 3, "x"));
	cr_expect(hf_config_matches(hf_config_get(v, "arrays.2.match"), 9, "x"));
	json_decref(v);
	hf_config_free(c);
}

/* ------------------------------------------------------------------ differences */

#define SITE                                                                                  \
	TEST_ "arrays: [{match: \"*\", limits: {temp_crit: 50000, supply_min: 9000}, fence: " \
	      "[{x_um: 0, y_um: 0, z_um: 9, limit_mpa: 100}]}]\n"

static const struct {
	const char *old, *new;
	const char *path, *reload; /* of the only change; NULL: there is none */
	bool loosens;
} diffs[] = {
	{ SITE, SITE "# a comment\n", NULL, NULL, false },
	{ TEST_, TEST_ "keeper: {beat_ms: 99}\n", "keeper.beat_ms", "live", false },
	{ TEST_, TEST_ "api: {port: 99}\n", "api.port", "restart", false },
	{ TEST_, TEST_ "api: {tls_key: /k, tls_certificate: /c}\n", NULL, NULL, false },
	{ SITE, TEST_, "arrays[\"*\"]", "sealed", true },
	{ TEST_, SITE, "arrays[\"*\"]", "sealed", false },
	{ SITE,
	  TEST_ "arrays: [{match: \"*\", limits: {temp_crit: 50001, supply_min: 9000}, fence: "
		"[{x_um: 0, y_um: 0, z_um: 9, limit_mpa: 100}]}]\n",
	  "arrays[\"*\"].limits.temp_crit", "sealed", true },
	{ SITE,
	  TEST_ "arrays: [{match: \"*\", limits: {temp_crit: 49999, supply_min: 9000}, fence: "
		"[{x_um: 0, y_um: 0, z_um: 9, limit_mpa: 100}]}]\n",
	  "arrays[\"*\"].limits.temp_crit", "sealed", false },
	{ SITE,
	  TEST_ "arrays: [{match: \"*\", limits: {temp_crit: 50000, supply_min: 8999}, fence: "
		"[{x_um: 0, y_um: 0, z_um: 9, limit_mpa: 100}]}]\n",
	  "arrays[\"*\"].limits.supply_min", "sealed", true },
	{ SITE,
	  TEST_ "arrays: [{match: \"*\", limits: {supply_min: 9000}, fence: "
		"[{x_um: 0, y_um: 0, z_um: 9, limit_mpa: 100}]}]\n",
	  "arrays[\"*\"].limits.temp_crit", "sealed", true },
	{ SITE,
	  TEST_ "arrays: [{match: \"*\", limits: {temp_crit: 50000, supply_min: 9000}, fence: "
		"[{x_um: 0, y_um: 0, z_um: 9, limit_mpa: 101}]}]\n",
	  "arrays[\"*\"].fence[0,0,9].limit_mpa", "sealed", true },
	{ SITE, TEST_ "arrays: [{match: \"*\", limits: {temp_crit: 50000, supply_min: 9000}}]\n",
	  "arrays[\"*\"].fence[0,0,9]", "sealed", true },
	{ ARRAYS "tenants: [{name: a, id: 1, arrays: [0], limits: {temp_crit: 1}}]\n",
	  ARRAYS "tenants: [{name: a, id: 1, arrays: [0], limits: {temp_crit: 2}}]\n",
	  "tenants[\"a\"].limits.temp_crit", "live", false },
	{ TEST_ "peers: [{uid: 1, role: user}, {uid: 2, role: user}]\n",
	  TEST_ "peers: [{uid: 2, role: user}, {uid: 1, role: user}]\n", "peers", "live", false },
};

Test(config, differences_say_when_they_count_and_what_loosens)
{
	for (size_t i = 0; i < sizeof(diffs) / sizeof(diffs[0]); i++) {
		struct hf_config *a = good(diffs[i].old), *b = good(diffs[i].new);
		json_t *list = hf_config_diff(a, b), *first = json_array_get(list, 0);

		if (diffs[i].path) {
			cr_expect_eq(json_array_size(list), 1, "%zu", i);
			cr_expect_str_eq(hf_config_text(first, "path"), diffs[i].path);
			cr_expect_str_eq(hf_config_text(first, "reload"), diffs[i].reload, "%s",
					 diffs[i].path);
			cr_expect_eq(hf_config_bool(first, "loosens"), diffs[i].loosens, "%s to %s",
				     diffs[i].old, diffs[i].new);
		} else if (!strcmp(diffs[i].old, SITE)) {
			cr_expect_eq(json_array_size(list), 0);
		} else {
			cr_expect_eq(json_array_size(list), 2, "both are new");
		}
		json_decref(list);
		hf_config_free(a);
		hf_config_free(b);
	}
}

/* ------------------------------------------------------------------ printing */

static void round_trip(const char *text)
{
	struct hf_config *c = good(text), *again;
	json_t *a = hf_config_json(c), *b;
	char *printed;
	size_t len;

	cr_assert_eq(hf_config_print(c, &printed, &len), 0);
	cr_assert_eq(len, strlen(printed));
	again = good(printed);
	b = hf_config_json(again);
	cr_expect(json_equal(a, b), "%s", printed);
	free(printed);
	json_decref(a);
	json_decref(b);
	hf_config_free(c);
	hf_config_free(again);
}

Test(config, what_is_printed_reads_back_the_same)
{
	size_t len;
	char *text = example(&len);

	round_trip(text);
	free(text);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (!rules[i].path)
			round_trip(rules[i].text);
	for (size_t i = 0; i < sizeof(diffs) / sizeof(diffs[0]); i++)
		round_trip(diffs[i].new);
	round_trip(
		TEST_
		"arrays: [{match: \"a \\\"b\\\" \\\\ #: {}\"}, {match: \"12\"}, {match: \"- x\"}]\n");
}

/* ------------------------------------------------------------------ the example */

/* The line at @at and its length without newline. */
static size_t line_len(const char *at)
{
	return strcspn(at, "\n");
}

static bool line_says_nothing(const char *at, size_t n)
{
	size_t blank = strspn(at, " ");

	return blank >= n || at[blank] == '#';
}

/* Is each member of @e also in an element that @list says has gone? */
static bool rest_of_removed(const json_t *list, const json_t *e)
{
	const json_t *change, *value;
	const char *key;
	size_t i;

	json_array_foreach(list, i, change)
	{
		const json_t *old = json_object_get(change, "old");
		bool all = json_is_object(old) && json_is_object(e);

		json_object_foreach((json_t *)e, key, value)
			all = all && json_equal(json_object_get(old, key), value);
		if (all)
			return true;
	}
	return false;
}

/* Does every change from @a to @b go to a default, or take something away? */
static bool only_defaults(const struct hf_config *a, const struct hf_config *b)
{
	json_t *list = hf_config_diff(a, b);
	const json_t *change;
	bool ok = true;
	size_t i;

	json_array_foreach(list, i, change)
	{
		const char *path = hf_config_text(change, "path");
		const json_t *new = json_object_get(change, "new");
		const char *last = strrchr(path, '.');
		const struct hf_config_key *k = NULL;
		char *text;

		if (!new || rest_of_removed(list, new) ||
		    !strcmp(hf_config_origin(b, path), "default"))
			continue;
		/* within a list: the same value that the table has as its default */
		if (!strncmp(path, "tenants[", 8) && last)
			k = hf_config_key_find(hf_config_key_find(hf_config_schema, "tenants")->sub,
					       last + 1);
		if (!strncmp(path, "tenants[", 8) && strstr(path, ".quota."))
			k = hf_config_key_at("tenants.0.quota.per_hours");
		text = json_dumps(new, JSON_ENCODE_ANY);
		if (!k || !k->def || (strcmp(text, k->def) && json_is_integer(new)))
			ok = false;
		free(text);
	}
	json_decref(list);
	return ok;
}

Test(config, every_line_of_the_example_matters)
{
	size_t len, deleted = 0, refused = 0, garbled = 0;
	char *text = example(&len), *mutant = malloc(len + 8);
	struct hf_config *whole = good(text);
	unsigned int line = 0;

	for (char *at = text; *at; at += line_len(at) + 1) {
		size_t n = line_len(at), before = (size_t)(at - text), blank = strspn(at, " ");
		struct hf_config *c;

		line++;
		if (line_says_nothing(at, n))
			continue;
		memcpy(mutant, text, before);
		strcpy(mutant + before, at + n + 1);
		c = parse_env(mutant, NULL);
		deleted++;
		refused += !c;
		if (c)
			cr_expect(only_defaults(whole, c), "without line %u: \"%.*s\"", line,
				  (int)n, at);
		hf_config_free(c);
		/* its first letter changed: another key, another shape */
		strcpy(mutant, text);
		mutant[before + blank] = '@';
		c = parse_env(mutant, NULL);
		cr_expect_null(c, "line %u garbled: accepted", line);
		cr_expect(!errors.count || errors.e[0].line == line || errors.e[0].line == line + 1,
			  "line %u garbled: error in line %u", line, errors.e[0].line);
		hf_config_free(c);
		garbled++;
	}
	fprintf(stderr,
		"config example: %zu lines deleted (%zu refused), %zu garbled (all refused)\n",
		deleted, refused, garbled);
	cr_expect_gt(deleted, 30);
	hf_config_free(whole);
	free(mutant);
	free(text);
}
