// SPDX-License-Identifier: GPL-2.0
/*
 * The router against the table it is made from: each operation is reached by
 * its own route and by no other, and what is not in the table is refused.
 */
#include <stdio.h>

#include "check.h"
#include "router.h"

static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };

/* The first value that a field allows, as text of a path or query. */
static void good_text(const struct hf_field *f, char *buf, size_t len)
{
	switch (f->type) {
	case HF_F_INT:
		snprintf(buf, len, "%lld", (long long)f->min);
		break;
	case HF_F_BOOL:
		snprintf(buf, len, "true");
		break;
	case HF_F_ENUM:
		snprintf(buf, len, "%s", f->words[0]);
		break;
	default:
		cr_assert(f->type == HF_F_NAME || f->type == HF_F_HEX || f->type == HF_F_STRING,
			  "%s: a type that cannot stand in a path or query", f->name);
		snprintf(buf, len, "%.*s", f->min > 1 ? (int)f->min : 1, "abcdefabcdefabcdefabcdefabcdefabcdef");
	}
}

static json_t *good_value(const struct hf_field *f)
{
	char text[64];

	switch (f->type) {
	case HF_F_INT:
		return json_integer(f->min);
	case HF_F_BOOL:
		return json_true();
	case HF_F_ARRAY:
		return json_pack("[{s:i, s:i, s:i, s:i}]", "x_um", 1, "y_um", 1, "z_um", 1, "limit_mpa", 1);
	case HF_F_LIMITS:
		return json_object();
	default:
		good_text(f, text, sizeof(text));
		return json_string(text);
	}
}

static const struct hf_field *field_of(const struct hf_op *op, const char *name, size_t len)
{
	for (const struct hf_field *f = op->args; f->name; f++)
		if (strlen(f->name) == len && !memcmp(f->name, name, len))
			return f;
	cr_assert_fail("%s: path has %.*s, the arguments have not", op->name, (int)len, name);
	return NULL;
}

/* A target with all that the operation can have in it. */
static void target_of(const struct hf_op *op, char *buf, size_t len)
{
	char value[64], sep = '?';
	size_t n = 0;

	for (const char *t = op->path; *t; t++) {
		if (*t != '{') {
			buf[n++] = *t;
			continue;
		}
		good_text(field_of(op, t + 1, strcspn(t + 1, "}")), value, sizeof(value));
		n += (size_t)snprintf(buf + n, len - n, "%s", value);
		t = strchr(t, '}');
	}
	buf[n] = '\0';
	for (const struct hf_field *f = op->args; f->name; f++) {
		if (f->in != HF_IN_QUERY)
			continue;
		good_text(f, value, sizeof(value));
		n += (size_t)snprintf(buf + n, len - n, "%c%s=%s", sep, f->name, value);
		sep = '&';
	}
}

static char *body_of(const struct hf_op *op)
{
	json_t *j = json_object();
	char *text;

	for (const struct hf_field *f = op->args; f->name; f++)
		if (f->in == HF_IN_BODY)
			json_object_set_new(j, f->name, good_value(f));
	text = json_dumps(j, 0);
	json_decref(j);
	return text;
}

Test(router, each_operation_by_its_route_alone)
{
	struct hf_refusal no;
	struct hf_route r;
	char target[1024];
	int reached = 0;

	for (const struct hf_op *op = hf_ops; op->name; op++) {
		char *body = body_of(op);

		target_of(op, target, sizeof(target));
		for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
			int ret = hf_route_find(methods[i], target, &r, &no);

			if (!strcmp(methods[i], op->method)) {
				cr_assert_eq(ret, 0, "%s %s: %d %s", methods[i], target, no.status, no.text);
				cr_assert_eq(r.op, op, "%s %s goes to %s", methods[i], target, r.op->name);
				cr_assert_eq(hf_route_body(&r, body, strlen(body), &no), 0, "%s %s: %s",
					     target, body, no.text);
				hf_route_clear(&r);
				reached++;
			} else if (ret) {
				cr_assert(no.status == 405 || no.status == 400);
				cr_assert(no.status != 405 || strstr(no.allow, op->method));
			} else {
				cr_assert_neq(r.op, op);
				hf_route_clear(&r);
			}
		}
		free(body);
	}
	cr_assert_geq(reached, 40);
}

Test(router, head_is_get)
{
	struct hf_refusal no;
	struct hf_route r;

	cr_assert_eq(hf_route_find("HEAD", "/v1/version", &r, &no), 0);
	cr_assert_str_eq(r.op->name, "version");
	cr_assert_str_eq(r.allow, "OPTIONS, GET, HEAD");
	hf_route_clear(&r);
	cr_assert(hf_route_find("HEAD", "/v1/login", &r, &no));
	cr_assert_eq(no.status, 405);
	cr_assert_str_eq(no.allow, "OPTIONS, POST");
}

Test(router, pages_and_options)
{
	struct hf_refusal no;
	struct hf_route r;

	cr_assert_eq(hf_route_find("GET", "/livez", &r, &no), 0);
	cr_assert_eq(r.page, HF_PAGE_LIVEZ);
	cr_assert_eq(hf_route_find("GET", "/v1/openapi.json", &r, &no), 0);
	cr_assert_eq(r.page, HF_PAGE_OPENAPI);
	cr_assert_eq(hf_route_find("GET", "/metrics", &r, &no), 0);
	cr_assert_eq(r.page, HF_PAGE_METRICS);
	cr_assert_str_eq(r.op->name, "status");
	cr_assert_eq(json_object_size(r.args), 0);
	hf_route_clear(&r);
	cr_assert_eq(hf_route_find("OPTIONS", "/v1/sessions/abc", &r, &no), 0);
	cr_assert_eq(r.page, HF_PAGE_OPTIONS);
	cr_assert_str_eq(r.allow, "OPTIONS, DELETE");
	cr_assert(hf_route_find("OPTIONS", "/nothing", &r, &no));
	cr_assert_eq(no.status, 404);
	cr_assert(hf_route_find("POST", "/livez", &r, &no));
	cr_assert_eq(no.status, 405);
	cr_assert(hf_route_find("GET", "/livez?x=1", &r, &no));
	cr_assert_eq(no.status, 400);
	cr_assert(hf_route_find("GET", "/metrics?x=1", &r, &no));
	cr_assert_eq(no.status, 400);
	cr_assert(hf_route_find("POST", "/metrics", &r, &no));
	cr_assert_eq(no.status, 405);
}

static void expect_target(const char *method, const char *target, int status, const char *field)
{
	struct hf_refusal no = { .status = 0 };
	struct hf_route r;

	cr_assert(hf_route_find(method, target, &r, &no) || hf_route_body(&r, NULL, 0, &no),
		  "%s was accepted", target);
	hf_route_clear(&r);
	cr_assert_eq(no.status, status, "%s: %d, not %d (%s)", target, no.status, status, no.text);
	if (field)
		cr_assert_str_eq(no.field, field, "%s: %s", target, no.text);
}

Test(router, targets_refused)
{
	char longest[HF_TARGET_MAX + 16];

	expect_target("GET", "", 400, NULL);
	expect_target("GET", "*", 400, NULL);
	expect_target("GET", "http://localhost/v1/version", 400, NULL);
	expect_target("GET", "/v1/version/", 404, NULL);
	expect_target("GET", "//v1/version", 404, NULL);
	expect_target("GET", "/V1/version", 404, NULL);
	expect_target("GET", "/v1/%76ersion", 400, NULL);
	expect_target("GET", "/v1/version?", 400, NULL);
	expect_target("GET", "/v1/version?x=1", 400, NULL);
	expect_target("GET", "/v1/audit?limit=5&limit=6", 400, "limit");
	expect_target("GET", "/v1/audit?limit=05", 400, "limit");
	expect_target("GET", "/v1/audit?limit=+5", 400, "limit");
	expect_target("GET", "/v1/audit?limit=0", 400, "limit");
	expect_target("GET", "/v1/audit?limit=201", 400, "limit");
	expect_target("GET", "/v1/audit?limit=9223372036854775808", 400, "limit");
	expect_target("GET", "/v1/audit?limit=", 400, "limit");
	expect_target("GET", "/v1/audit?limit", 400, "limit");
	expect_target("GET", "/v1/audit?newest=1", 400, "newest");
	expect_target("GET", "/v1/audit?actor=%", 400, "actor");
	expect_target("GET", "/v1/audit?actor=%4", 400, "actor");
	expect_target("GET", "/v1/audit?actor=%4g", 400, "actor");
	expect_target("GET", "/v1/audit?actor=%00", 400, "actor");
	expect_target("GET", "/v1/audit?actor=a%00b", 400, "actor");
	expect_target("GET", "/v1/audit?actor=a%0ab", 400, "actor");
	expect_target("GET", "/v1/audit?actor=%c0%af", 400, "actor");
	expect_target("GET", "/v1/audit?corr=0123456789ABCDEF0123456789ABCDEF", 400, "corr");
	expect_target("GET", "/v1/audit?a%63tor=x", 400, NULL);
	expect_target("GET", "/v1/audit?&actor=x", 400, NULL);
	expect_target("GET", "/v1/arrays/64", 400, "array");
	expect_target("GET", "/v1/arrays/-1", 400, "array");
	expect_target("GET", "/v1/arrays/03", 400, "array");
	expect_target("GET", "/v1/arrays/3x", 400, "array");
	expect_target("GET", "/v1/arrays/", 404, NULL);
	expect_target("GET", "/v1/arrays/..", 400, NULL);
	expect_target("GET", "/v1/arrays/3/../4", 400, NULL);
	expect_target("DELETE", "/v1/users/Anna", 400, "user");
	expect_target("get", "/v1/version", 405, NULL);
	expect_target("TRACE", "/v1/version", 405, NULL);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	expect_target("GET", longest, 414, NULL);
	longest[HF_TARGET_MAX] = '\0';
	expect_target("GET", longest, 404, NULL);
}

static void expect_body(const char *method, const char *target, const char *body, int status,
			const char *field)
{
	struct hf_refusal no = { .status = 0 };
	struct hf_route r;

	cr_assert_eq(hf_route_find(method, target, &r, &no), 0, "%s: %s", target, no.text);
	if (hf_route_body(&r, body, strlen(body), &no))
		cr_assert_eq(no.status, status, "%s: %d (%s)", body, no.status, no.text);
	else
		cr_assert_eq(status, 200, "%s was accepted", body);
	if (field)
		cr_assert_str_eq(no.field, field, "%s: field %s", body, no.field);
	hf_route_clear(&r);
}

Test(router, bodies)
{
	expect_body("POST", "/v1/login", "{\"user\":\"a\",\"password\":\"s\"}", 200, NULL);
	expect_body("POST", "/v1/login", "{\"user\":\"a\"}", 400, "password");
	expect_body("POST", "/v1/login", "", 400, NULL);
	expect_body("POST", "/v1/login", "{\"user\":\"a\",\"password\":\"s\",\"admin\":true}", 400, NULL);
	expect_body("POST", "/v1/login", "{\"user\":\"a\",\"user\":\"b\",\"password\":\"s\"}", 400, NULL);
	expect_body("POST", "/v1/login", "{\"user\":\"a\",\"password\":7}", 400, "password");
	expect_body("POST", "/v1/login", "[]", 400, NULL);
	expect_body("POST", "/v1/login", "{}x", 400, NULL);
	expect_body("POST", "/v1/login", "{\"user\":\"a\",\"password\":\"\\u0000\"}", 400, NULL);
	expect_body("POST", "/v1/login", "{\"user\":\"a\",\"password\":\"\xff\"}", 400, NULL);
	expect_body("POST", "/v1/logout", "{}", 200, NULL);
	expect_body("POST", "/v1/logout", "{\"x\":1}", 400, NULL);
	/* What is in the path is nowhere else. */
	expect_body("POST", "/v1/arrays/3/arm", "{\"array\":4}", 400, NULL);
	expect_body("POST", "/v1/arrays/3/silence", "{\"latch\":1}", 400, "latch");
	expect_body("POST", "/v1/arrays/3/silence", "{\"latch\":true}", 200, NULL);
	expect_body("POST", "/v1/arrays/3/tighten", "{\"fence\":[{\"x_um\":1}]}", 400, "fence.0.y_um");
	expect_body("POST", "/v1/arrays/3/tighten", "{\"limits\":{\"nonsense\":1}}", 400,
		    "limits.nonsense");
}

Test(router, no_secret_in_an_error)
{
	static const char *const bodies[] = {
		"{\"user\":\"a\",\"password\":\"hunter2secret}", "{\"user\":\"a\",\"password\":[\"hunter2secret\"]}",
		"{\"user\":\"hunter2secret\xff\",\"password\":\"x\"}", "{\"user\":\"a\",\"hunter2secret\":\"hunter2secret\"}",
		"hunter2secret",
	};
	struct hf_refusal no;
	struct hf_route r;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		cr_assert_eq(hf_route_find("POST", "/v1/login", &r, &no), 0);
		cr_assert(hf_route_body(&r, bodies[i], strlen(bodies[i]), &no));
		cr_assert_null(strstr(no.text, "hunter2secret"), "%s", no.text);
		cr_assert_null(strstr(no.field, "hunter2secret"), "%s", no.field);
		hf_route_clear(&r);
	}
}

/* Breaks a good request in one place. Return: a name of how. */
static const char *spoil(uint64_t *seed, char *target, size_t len, char *body, size_t body_len)
{
	static const char *const bad[] = {
		"/../", "%2e%2e/", "%2f", "%00", "\\", ";", "'", "\"", "<script>", "|id", "`id`", "$(id)", "//",
		"%c0%ae", "\x01", "\x80", " ", "#", "%u002e", "..", "%", "{", "}", "\t", "*", ":", "@", ",",
	};
	size_t n = strlen(target);
	const char *what = bad[check_random(seed) % (sizeof(bad) / sizeof(bad[0]))];
	size_t at = strcspn(target, "?");

	switch (check_random(seed) % 4) {
	case 0:		/* something that no path has, anywhere within it */
		at = 1 + check_random(seed) % at;
		if (n + strlen(what) >= len)
			return NULL;
		memmove(target + at + strlen(what), target + at, n - at + 1);
		memcpy(target + at, what, strlen(what));
		return what;
	case 1:		/* a parameter that nobody knows, one twice */
		snprintf(target + n, len - n, "%c%s=1", target[at] ? '&' : '?',
			 check_random(seed) % 2 ? "debug" : "_method");
		return "unknown parameter";
	case 2:		/* a member that nobody knows */
		body[strlen(body) - 1] = '\0';
		snprintf(body + strlen(body), body_len - strlen(body), "%s\"%s\":1}", body[1] ? "," : "",
			 check_random(seed) % 2 ? "__proto__" : "role_");
		return "unknown member";
	default:	/* not JSON any more */
		body[strlen(body) - 1] = "]x,"[check_random(seed) % 3];
		return "broken JSON";
	}
}

Test(router, hostile_requests)
{
	uint64_t seed = check_seed();
	char target[1024], body[4096];
	int tried = 0;

	for (int round = 0; round < 100; round++)
		for (const struct hf_op *op = hf_ops; op->name; op++) {
			char *good = body_of(op);
			struct hf_refusal no = { .status = 0 };
			struct hf_route r;
			const char *what;

			target_of(op, target, sizeof(target));
			snprintf(body, sizeof(body), "%s", good);
			free(good);
			what = spoil(&seed, target, sizeof(target), body, sizeof(body));
			cr_assert_not_null(what);
			tried++;
			if (hf_route_find(op->method, target, &r, &no))
				continue;
			cr_assert(hf_route_body(&r, body, strlen(body), &no), "%s %s %s (%s) was accepted",
				  op->method, target, body, what);
			cr_assert(no.status >= 400 && no.status < 500);
			hf_route_clear(&r);
		}
	cr_assert_geq(tried, 1000);
}
