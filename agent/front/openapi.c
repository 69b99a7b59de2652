// SPDX-License-Identifier: GPL-2.0
/*
 * OpenAPI out of the table of operations. Says nothing that the table does not,
 * but for what all operations share.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openapi.h"
#include "ops.h"
#include "router.h"

/* Statuses that any operation may answer with, beside 200. */
static const struct {
	const char *status, *what;
	bool body, path;	/* only where there is a body, an argument in the path */
} errors[] = {
	{ "400", "the request is malformed", false, false },
	{ "401", "no credential, or not a good one", false, false },
	{ "403", "not allowed: role, network or step_up (prove the password first)", false, false },
	{ "404", "there is no such thing, or not for this caller", false, true },
	{ "409", "the state of things does not allow it", false, false },
	{ "413", "the body is too large", true, false },
	{ "415", "the body is not application/json", true, false },
	{ "429", "too many requests; see Retry-After", false, false },
	{ "503", "a process of the agent is not there or too busy", false, false },
	{ "504", "a process of the agent did not answer in time", false, false },
};

static int put(json_t *obj, const char *name, json_t *value)
{
	return value ? json_object_set_new(obj, name, value) : -1;
}

static json_t *roles_json(const struct hf_op *op)
{
	json_t *list = json_array();

	for (uint32_t r = HF_ROLE_PUBLIC; list && r <= HF_ROLE_SYSTEM; r <<= 1)
		if (op->roles & r)
			json_array_append_new(list, json_string(hf_role_name((enum hf_role)r)));
	return list;
}

static json_t *parameters_json(const struct hf_op *op, enum hf_field_in in, json_t *list)
{
	json_t *schema = hf_field_schema(op->args, in);
	const char *name;
	json_t *s;

	json_object_foreach(json_object_get(schema, "properties"), name, s) {
		bool required = in == HF_IN_PATH;
		json_t *p = json_pack("{s:s, s:s, s:b, s:O, s:O*}", "name", name, "in",
				      required ? "path" : "query", "required", required,
				      "schema", s, "description", json_object_get(s, "description"));

		json_object_del(s, "description");
		json_array_append_new(list, p);
	}
	json_decref(schema);
	return list;
}

static json_t *body_json(const struct hf_op *op)
{
	json_t *schema = hf_field_schema(op->args, HF_IN_BODY);
	bool required = json_array_size(json_object_get(schema, "required"));

	if (!required)
		json_object_del(schema, "required");
	return json_pack("{s:b, s:{s:{s:o}}}", "required", required, "content", "application/json",
			 "schema", schema);
}

static json_t *answer_json(const char *what, const char *schema)
{
	char ref[64];

	snprintf(ref, sizeof(ref), "#/components/schemas/%s", schema);
	return json_pack("{s:s, s:{s:{s:{s:s}}}}", "description", what, "content",
			 "application/json", "schema", "$ref", ref);
}

static json_t *answers_json(const struct hf_op *op)
{
	json_t *all = json_object();
	char what[256];

	snprintf(what, sizeof(what), "result: %s", op->answer);
	put(all, "200", answer_json(what, "answer"));
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if ((errors[i].body && !hf_route_has_body(op)) ||
		    (errors[i].path && !strchr(op->path, '{')))
			continue;
		snprintf(what, sizeof(what), "#/components/responses/%s", errors[i].status);
		put(all, errors[i].status, json_pack("{s:s}", "$ref", what));
	}
	return all;
}

static json_t *responses_json(void)
{
	json_t *all = json_object();

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		put(all, errors[i].status, answer_json(errors[i].what, "refusal"));
	return all;
}

static json_t *security_json(const struct hf_op *op)
{
	json_t *list = json_pack("[{s:[]}, {s:[]}]", "bearer", "cookie");

	if (op->roles & HF_ROLE_PUBLIC)
		json_array_append_new(list, json_object());
	return list;
}

static json_t *flags_json(const struct hf_op *op)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} flags[] = {
		{ HF_OP_NET, "network" }, { HF_OP_STEPUP, "step_up" }, { HF_OP_PRIV, "recorded" },
		{ HF_OP_QUIET, "never_limited" }, { HF_OP_TENANT, "own_tenant" },
		{ HF_OP_SELF, "own" }, { HF_OP_RAISES, "raises_output" },
	};
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (op->flags & flags[i].flag)
			json_array_append_new(list, json_string(flags[i].name));
	return list;
}

static json_t *op_json(const struct hf_op *op)
{
	json_t *o = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "operationId", op->name, "summary",
			      op->summary, "security", security_json(op), "x-holdfast-roles",
			      roles_json(op), "x-holdfast-rules", flags_json(op), "responses",
			      answers_json(op));
	json_t *parameters = json_array();

	parameters_json(op, HF_IN_PATH, parameters);
	parameters_json(op, HF_IN_QUERY, parameters);
	if (json_array_size(parameters))
		put(o, "parameters", parameters);
	else
		json_decref(parameters);
	if (hf_route_has_body(op))
		put(o, "requestBody", body_json(op));
	return o;
}

static json_t *paths_json(void)
{
	json_t *paths = json_object();

	for (const struct hf_op *op = hf_ops; op->name; op++) {
		json_t *path = json_object_get(paths, op->path);
		char method[16] = "";

		if (!path) {
			put(paths, op->path, json_object());
			path = json_object_get(paths, op->path);
		}
		for (size_t i = 0; op->method[i] && i < sizeof(method) - 1; i++)
			method[i] = (char)tolower(op->method[i]);
		put(path, method, op_json(op));
	}
	return paths;
}

static json_t *components_json(void)
{
	return json_pack("{s:o, s:{s:{s:s, s:s}, s:{s:s, s:s, s:s, s:s}},"
			 " s:{s:{s:s, s:[s,s], s:{s:{s:s}, s:{s:s}}},"
			 "    s:{s:s, s:[s,s], s:{s:{s:s}, s:{s:s, s:[s,s,s,s,s,s],"
			 "        s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s, s:s},"
			 "           s:{s:s, s:[s,s,s,s]}, s:{s:s, s:[s,s,s,s]}, s:{s:s, s:[s,s,s]}}}}}}}",
			 "responses", responses_json(), "securitySchemes",
			 "bearer", "type", "http", "scheme", "bearer",
			 "cookie", "type", "apiKey", "in", "cookie", "name", "__Host-holdfast",
			 "description", "named holdfast where there is no TLS; what changes "
					"something needs the header X-Holdfast: 1 besides",
			 "schemas",
			 "answer", "type", "object", "required", "status", "result", "properties",
			 "status", "type", "integer", "result", "type", "object",
			 "refusal", "type", "object", "required", "status", "error", "properties",
			 "status", "type", "integer",
			 "error", "type", "object", "required", "code", "message", "correlation_id",
			 "severity", "retry", "who",
			 "properties", "code", "type", "string", "message", "type", "string",
			 "field", "type", "string",
			 "correlation_id", "type", "string", "pattern", "^[0-9a-f]{32}$",
			 "severity", "type", "string", "enum", "info", "warning", "error", "critical",
			 "retry", "type", "string", "enum", "never", "changed", "later", "unknown",
			 "who", "type", "string", "enum", "caller", "operator", "admin");
}

json_t *hf_openapi(void)
{
	return json_pack("{s:s, s:{s:s, s:s, s:s}, s:o, s:o}", "openapi", "3.1.0", "info", "title",
			 "Holdfast", "version", HF_VERSION, "description",
			 "Made from the table of operations, agent/common/ops.c.", "paths",
			 paths_json(), "components", components_json());
}

char *hf_openapi_text(size_t *len)
{
	json_t *j = hf_openapi();
	size_t need = j ? json_dumpb(j, NULL, 0, JSON_COMPACT) : 0;
	char *text = need ? malloc(need) : NULL;

	if (text)
		*len = json_dumpb(j, text, need, JSON_COMPACT);
	json_decref(j);
	return text;
}
