// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to operations. Strict where HTTP would let one be generous: every
 * argument is named in the table, comes once, and in one way of writing. A path
 * is compared with the table and used for nothing else: no path reaches the
 * file system.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "router.h"

#define ARG_MAX	256	/* bytes of one decoded argument in path or query */

static const struct {
	const char *path;
	enum hf_page page;
} pages[] = {
	{ "/livez", HF_PAGE_LIVEZ },
	{ "/readyz", HF_PAGE_READYZ },
	{ "/startupz", HF_PAGE_STARTUPZ },
	{ "/v1/openapi.json", HF_PAGE_OPENAPI },
	{ "/metrics", HF_PAGE_METRICS },
	{ "/v1/incidents/stream", HF_PAGE_STREAM },
};

static const struct hf_field *field_find(const struct hf_op *op, const char *name, size_t len,
					 enum hf_field_in in)
{
	for (const struct hf_field *f = op->args; f->name; f++)
		if (f->in == in && strlen(f->name) == len && !memcmp(f->name, name, len))
			return f;
	return NULL;
}

bool hf_route_has_body(const struct hf_op *op)
{
	for (const struct hf_field *f = op->args; f->name; f++)
		if (f->in == HF_IN_BODY)
			return true;
	return false;
}

static int refuse_field(struct hf_refusal *no, const char *field, const char *why)
{
	hf_refuse(no, 400, "invalid", "%s: %s", field, why);
	strncat(no->field, field, sizeof(no->field) - 1);
	return -EINVAL;
}

/* One way of writing each number: no sign but "-", no leading zeros. */
static json_t *decimal(const char *s)
{
	const char *digits = s + (*s == '-');
	size_t n = strlen(digits);
	long long v;

	if (!n || n > 19 || strspn(digits, "0123456789") != n || (digits[0] == '0' && s[1]))
		return NULL;
	errno = 0;
	v = strtoll(s, NULL, 10);
	return errno ? NULL : json_integer(v);
}

static json_t *value_of(const struct hf_field *f, const char *text)
{
	switch (f->type) {
	case HF_F_INT:
		return decimal(text);
	case HF_F_BOOL:
		return !strcmp(text, "true") ? json_true() :
		       !strcmp(text, "false") ? json_false() : NULL;
	case HF_F_STRING:
	case HF_F_NAME:
	case HF_F_HEX:
	case HF_F_ENUM:
		return json_string(text);	/* NULL if it is not UTF-8 */
	default:
		return NULL;
	}
}

static int arg_set(json_t *args, const struct hf_field *f, const char *text, struct hf_refusal *no)
{
	json_t *v;

	if (json_object_get(args, f->name))
		return refuse_field(no, f->name, "is there twice");
	v = value_of(f, text);
	if (!v)
		return refuse_field(no, f->name, "is not a value of its type");
	if (json_object_set_new(args, f->name, v))
		return hf_refuse(no, 503, "memory", "out of memory");
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes @in (@len bytes) of a query. Return: 0, -EINVAL. */
static int query_decode(const char *in, size_t len, char out[ARG_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = in[i] == '+' ? ' ' : in[i];

		if (in[i] == '%') {
			int hi = len - i > 2 ? hex_digit(in[i + 1]) : -1;
			int lo = len - i > 2 ? hex_digit(in[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				return -EINVAL;
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		if (!c || n + 1 >= ARG_MAX)
			return -EINVAL;
		out[n++] = c;
	}
	out[n] = '\0';
	return 0;
}

/* One "name=value" of the query. */
static int query_pair(const struct hf_op *op, const char *pair, size_t len, json_t *args,
		      struct hf_refusal *no)
{
	const char *equals = memchr(pair, '=', len);
	size_t name_len = equals ? (size_t)(equals - pair) : len;
	const struct hf_field *f = field_find(op, pair, name_len, HF_IN_QUERY);
	char value[ARG_MAX];

	if (!f)
		return hf_refuse(no, 400, "invalid",
				 "the query has a parameter that %s does not know", op->name);
	if (!equals)
		return refuse_field(no, f->name, "has no value");
	if (query_decode(equals + 1, len - name_len - 1, value))
		return refuse_field(no, f->name, "is too long or wrongly encoded");
	return arg_set(args, f, value, no);
}

static int query_parse(const struct hf_op *op, const char *query, json_t *args,
		       struct hf_refusal *no)
{
	for (;;) {
		size_t len = strcspn(query, "&");
		int ret = query_pair(op, query, len, args, no);

		if (ret || !query[len])
			return ret;
		query += len + 1;
	}
}

/* Does @path (@len bytes) look like @template? Segments in braces match any one segment. */
static bool path_matches(const char *template, const char *path, size_t len)
{
	const char *end = path + len;

	while (*template && path < end) {
		size_t have;

		if (*template != '{') {
			if (*template++ != *path++)
				return false;
			continue;
		}
		template = strchr(template, '}') + 1;
		have = 0;
		while (path + have < end && path[have] != '/')
			have++;
		if (!have)
			return false;
		path += have;
	}
	return !*template && path == end;
}

/* Takes what stands for the braces of the template; it matches. */
static int path_args(const struct hf_op *op, const char *path, size_t len, json_t *args,
		     struct hf_refusal *no)
{
	const char *end = path + len;

	for (const char *t = op->path; *t; t++, path++) {
		char value[ARG_MAX];
		size_t have = 0;
		const char *name;

		if (*t != '{')
			continue;
		name = t + 1;
		t = strchr(t, '}');
		while (path + have < end && path[have] != '/')
			have++;
		if (have >= sizeof(value))
			return hf_refuse(no, 404, "not_found", "there is nothing by this name");
		memcpy(value, path, have);
		value[have] = '\0';
		if (arg_set(args, field_find(op, name, (size_t)(t - name), HF_IN_PATH), value, no))
			return -EINVAL;
		path += have - 1;
	}
	return 0;
}

static void allow_add(char allow[HF_ALLOW_LEN], const char *method)
{
	if (!allow[0])
		strcpy(allow, "OPTIONS");
	if (strlen(allow) + strlen(method) + 3 > HF_ALLOW_LEN)
		return;
	strcat(allow, ", ");
	strcat(allow, method);
	if (!strcmp(method, "GET"))
		allow_add(allow, "HEAD");
}

/* What an honest client writes. No path of ours needs an escape or anything else. */
static int path_check(const char *path, size_t len, struct hf_refusal *no)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_~./";

	for (size_t i = 0; i < len; i++) {
		bool dot = path[i] == '.' && i && path[i - 1] == '/';

		if (!dot && memchr(plain, path[i], sizeof(plain) - 1))
			continue;
		hf_refuse(no, 400, "path", "the path has characters that no path here has");
		no->probe = true;
		return -EINVAL;
	}
	return 0;
}

static int target_check(const char *target, struct hf_refusal *no)
{
	size_t len = strnlen(target, HF_TARGET_MAX + 1);

	if (len > HF_TARGET_MAX)
		return hf_refuse(no, 414, "too_long", "the target has more than %d bytes",
				 HF_TARGET_MAX);
	if (target[0] != '/')
		return hf_refuse(no, 400, "path", "the target must begin with \"/\"");
	for (size_t i = 0; i < len; i++)
		if (target[i] <= ' ' || target[i] > '~' || strchr("\"<>\\^`{|}#", target[i])) {
			hf_refuse(no, 400, "path",
				  "the target has characters that must be encoded");
			no->probe = true;
			return -EINVAL;
		}
	return path_check(target, strcspn(target, "?"), no);
}

/* The operation of @method; @r->allow gets the methods of this path. */
static const struct hf_op *op_find(const char *method, const char *path, size_t len,
				   struct hf_route *r)
{
	const struct hf_op *found = NULL;

	for (const struct hf_op *op = hf_ops; op->name; op++) {
		if (!path_matches(op->path, path, len))
			continue;
		allow_add(r->allow, op->method);
		if (!strcmp(op->method, method) && (!found || strchr(found->path, '{')))
			found = op;
	}
	return found;
}

static const char *page_find(const char *path, size_t len, struct hf_route *r)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strlen(pages[i].path) != len || memcmp(pages[i].path, path, len))
			continue;
		allow_add(r->allow, "GET");
		r->page = pages[i].page;
		return pages[i].path;
	}
	return NULL;
}

static bool is_probe(enum hf_page page)
{
	return page == HF_PAGE_LIVEZ || page == HF_PAGE_READYZ || page == HF_PAGE_STARTUPZ;
}

static int args_begin(const struct hf_op *op, const char *target, size_t path_len,
		      struct hf_route *r, struct hf_refusal *no)
{
	int ret;

	r->op = op;
	r->args = json_object();
	if (!r->args)
		return hf_refuse(no, 503, "memory", "out of memory");
	ret = path_args(op, target, path_len, r->args, no);
	if (!ret && target[path_len] == '?')
		ret = query_parse(op, target + path_len + 1, r->args, no);
	if (ret)
		hf_route_clear(r);
	return ret;
}

int hf_route_find(const char *method, const char *target, struct hf_route *r,
		  struct hf_refusal *no)
{
	const char *as = strcmp(method, "HEAD") ? method : "GET";
	const struct hf_op *op = NULL;
	const char *page;
	size_t len;

	*r = (struct hf_route){ .page = HF_PAGE_OP };
	if (target_check(target, no))
		return -EINVAL;
	len = strcspn(target, "?");
	page = page_find(target, len, r);
	if (!page)
		op = op_find(as, target, len, r);
	if (!r->allow[0])
		return hf_refuse(no, 404, "not_found", "there is nothing by this name");
	if (!strcmp(method, "OPTIONS")) {
		r->page = HF_PAGE_OPTIONS;
		return 0;
	}
	if (page ? strcmp(as, "GET") != 0 : !op) {
		hf_refuse(no, 405, "method", "this path has only the methods %s", r->allow);
		memcpy(no->allow, r->allow, sizeof(no->allow));
		return -EINVAL;
	}
	if (!page)
		return args_begin(op, target, len, r, no);
	if (target[len] && is_probe(r->page))
		return hf_probe_parse(&r->probe, target + len + 1, no);
	if (target[len])
		return hf_refuse(no, 400, "invalid", "this page has no parameters");
	if (r->page != HF_PAGE_METRICS && r->page != HF_PAGE_STREAM)
		return 0;
	/* Whoever may ask for what the page begins with may have it. */
	r->op = hf_op_find(r->page == HF_PAGE_STREAM ? "incident.list" : "status");
	r->args = json_object();
	return r->args ? 0 : hf_refuse(no, 503, "memory", "out of memory");
}

static int body_merge(struct hf_route *r, const json_t *body, struct hf_refusal *no)
{
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)body, name, v) {
		if (!field_find(r->op, name, strlen(name), HF_IN_BODY))
			return hf_refuse(no, 400, "invalid",
					 "the body has a member that %s does not know",
					 r->op->name);
		if (json_object_set(r->args, name, v))
			return hf_refuse(no, 503, "memory", "out of memory");
	}
	return 0;
}

int hf_route_body(struct hf_route *r, const char *body, size_t len, struct hf_refusal *no)
{
	json_t *j = NULL;
	struct hf_err why;
	json_error_t at;
	int ret = 0;

	if (len) {
		j = json_loadb(body, len, JSON_REJECT_DUPLICATES, &at);
		/* Not jansson's own words: they quote the body, which may hold a password. */
		if (!j)
			return hf_refuse(no, 400, "json",
					 "line %d, column %d: not JSON as RFC 8259 has it", at.line,
					 at.column);
		ret = json_is_object(j) ? body_merge(r, j, no) :
			hf_refuse(no, 400, "json", "the body must be an object");
		json_decref(j);
	}
	if (ret)
		return ret;
	no->field[0] = '\0';
	if (hf_field_check(r->op->args, r->args, no->field, &why)) {
		char field[HF_FIELD_PATH];

		memcpy(field, no->field, sizeof(field));
		hf_refuse(no, 400, "invalid", "%s", why.text);
		memcpy(no->field, field, sizeof(field));
		return -EINVAL;
	}
	return 0;
}

void hf_route_clear(struct hf_route *r)
{
	json_decref(r->args);
	r->args = NULL;
}
