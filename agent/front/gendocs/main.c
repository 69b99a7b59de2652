// SPDX-License-Identifier: GPL-2.0
/*
 * A build tool: prints docs/api.md or docs/openapi.json out of the table of
 * operations, docs/metrics.md out of the table of metrics (scripts/gen-api-docs
 * calls it). Not part of the agent.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "metrics.h"
#include "openapi.h"
#include "ops.h"

static const char intro[] =
	"<!-- Made by scripts/gen-api-docs out of agent/common/ops.c; do not edit. -->\n"
	"# The API\n"
	"HTTP/1.1 with JSON, on `/run/holdfast/api.sock` and on `127.0.0.1:8240`; on other addresses with TLS 1.3 only. "
	"The same as OpenAPI 3.1: [openapi.json](openapi.json), and `GET /v1/openapi.json` of a running agent.\n"
	"\n"
	"## For all operations\n"
	"- **Answers**: `{\"status\":200,\"result\":{...}}`, or `{\"status\":409,\"error\":{\"code\",\"message\",\"field\"?,"
	"\"correlation_id\",\"severity\",\"retry\",\"who\"}}`. A few malformed requests are answered by the HTTP library itself, with HTML; the status counts.\n"
	"- **Arguments** stand in the path, in the query or in a JSON body, as the tables below say, each once. What is not "
	"in the table, of another type or out of range is refused (400, `field` says which). A body needs "
	"`Content-Type: application/json` and `Content-Length` (chunked bodies: 411). Each header is one line `Name: value`.\n"
	"- **Credential**: `Authorization: Bearer TOKEN`, or the cookie that `login` sets, never both. On the unix socket, "
	"without either, the kernel's word for the peer.\n"
	"- **Cookie**: `__Host-holdfast` (Secure, HttpOnly, SameSite=Strict) with TLS; without TLS, that is on loopback, it is "
	"called `holdfast`, for browsers refuse the prefix there. With a cookie, whatever is not GET needs the header "
	"`X-Holdfast: 1`; requests that a browser marks as another site's or another origin's are refused (403).\n"
	"- **Host** must be one of `api.hosts` (421).\n"
	"- **X-Correlation-Id**: 32 hex digits, taken over or made; in every answer, log line and audit record.\n"
	"- **Limits**: 429 with Retry-After. `api.requests_per_minute` counts for an address (IPv6: a /64; unix socket: a uid) "
	"and for a credential, half of it for one operation of an address; `api.login_per_minute` for what costs a password "
	"hash. What all credentials and addresses of one user ask for together counts against `api.requests_per_minute` once "
	"more. An address with `api.block_after` refused requests within a minute (a probe counts 10) is blocked for "
	"`api.block_s`, each time twice as long, up to a day; one of this host is only kept from logging in.\n"
	"- **Silence** is never limited or blocked. If auth does not answer within 300 ms, it goes to the keeper directly for "
	"local peers and for credentials that auth has accepted within the last 15 minutes.\n"
	"- `GET /livez` answers as long as the process does, whatever the rest of the agent is doing; `GET /readyz` and "
	"`GET /startupz` say 200 or 503 ([health.md](health.md)). None needs a credential or waits for another process.\n"
	"- `GET /metrics` is text for Prometheus ([metrics.md](metrics.md)), for whoever may ask for `status`.\n"
	"\n"
	"## Rules in the table\n"
	"| word | meaning |\n"
	"|---|---|\n"
	"| local | not over TCP |\n"
	"| step-up | the password (and second factor) was proved within the last 5 minutes |\n"
	"| recorded | an audit record is durable before it is done, another after |\n"
	"| tenant | others than admin: only for things of their own tenant |\n"
	"| own | others than admin: only one's own |\n"
	"| raises | can raise output: over the network only where the configuration allows it, with step-up |\n"
	"| quiet | makes things quieter: never limited |\n"
	"\n";

static void print_roles(uint32_t roles)
{
	const char *comma = "";

	if (roles == HF_ROLE_ALL || roles == HF_ROLE_ANYONE_KNOWN) {
		fputs(roles == HF_ROLE_ALL ? "everybody" : "every role", stdout);
		return;
	}
	for (uint32_t r = HF_ROLE_PUBLIC; r <= HF_ROLE_SYSTEM; r <<= 1) {
		if (!(roles & r))
			continue;
		printf("%s%s", comma, hf_role_name((enum hf_role)r));
		comma = ", ";
	}
}

static void print_rules(uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *word;
	} words[] = {
		{ HF_OP_STEPUP, "step-up" }, { HF_OP_PRIV, "recorded" }, { HF_OP_TENANT, "tenant" },
		{ HF_OP_SELF, "own" }, { HF_OP_RAISES, "raises" }, { HF_OP_QUIET, "quiet" },
	};
	const char *comma = "";

	if (!(flags & HF_OP_NET)) {
		fputs("local", stdout);
		comma = ", ";
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!(flags & words[i].flag))
			continue;
		printf("%s%s", comma, words[i].word);
		comma = ", ";
	}
	if (!comma[0])
		fputs("none", stdout);
}

static void print_type(const struct hf_field *f)
{
	static const char *const names[] = {
		[HF_F_INT] = "integer", [HF_F_BOOL] = "true or false", [HF_F_STRING] = "text", [HF_F_NAME] = "name",
		[HF_F_HEX] = "hex digits", [HF_F_ENUM] = "word", [HF_F_OBJECT] = "object", [HF_F_ARRAY] = "list",
		[HF_F_LIMITS] = "limits by name", [HF_F_INTS] = "integers",
	};

	fputs(names[f->type], stdout);
	if (f->type == HF_F_ENUM)
		for (const char *const *w = f->words; *w; w++)
			printf("%s`%s`", w == f->words ? ": " : ", ", *w);
	else if (f->min || f->max)
		printf(" %" PRId64 "..%" PRId64 "%s", f->min, f->max,
		       f->type == HF_F_STRING ? " bytes" : "");
}

static void print_fields(const struct hf_field *table, const char *prefix)
{
	static const char *const places[] = {
		[HF_IN_BODY] = "body", [HF_IN_PATH] = "path", [HF_IN_QUERY] = "query",
	};

	for (const struct hf_field *f = table; f->name; f++) {
		char inner[128];

		printf("| `%s%s` | %s | ", prefix, f->name, places[f->in]);
		print_type(f);
		printf(" | %s | %s%s |\n", f->flags & HF_FF_REQUIRED ? "yes" : "", f->help,
		       f->flags & HF_FF_SECRET ? " (secret: never logged)" : "");
		if (!f->sub)
			continue;
		snprintf(inner, sizeof(inner), "%s%s[].", prefix, f->name);
		print_fields(f->sub, inner);
	}
}

static void print_op(const struct hf_op *op)
{
	printf("\n### %s\n`%s %s` – %s\n\nRoles: ", op->name, op->method, op->path, op->summary);
	print_roles(op->roles);
	fputs(". Rules: ", stdout);
	print_rules(op->flags);
	printf(".\nResult: %s.\n", op->answer);
	if (!op->args->name)
		return;
	printf("\n| argument | in | type | required | meaning |\n|---|---|---|---|---|\n");
	print_fields(op->args, "");
}

static void print_faults(void)
{
	printf("## Errors\nEach error says what it means: `severity`, `retry` (`never`; `changed`: once what the message says has "
	       "changed; `later`: after Retry-After, else a second, each time twice as long; `unknown`: it may have been done, look "
	       "first) and `who` has to do something.\n\n| status | code | severity | retry | who | meaning |\n|---|---|---|---|---|---|\n");
	for (const struct hf_fault *f = hf_faults; f->status; f++)
		printf("| %d | %s%s%s | %s | %s | %s | %s |\n", f->status, f->code ? "`" : "", f->code ? f->code : "all others",
		       f->code ? "`" : "", f->severity, f->retry, f->who, f->what);
	printf("\n## Operations\n");
}

static int print_markdown(void)
{
	fputs(intro, stdout);
	print_faults();
	printf("| operation | request | roles | rules |\n|---|---|---|---|\n");
	for (const struct hf_op *op = hf_ops; op->name; op++) {
		printf("| [%s](#", op->name);
		for (const char *c = op->name; *c; c++)
			if (*c != '.')
				putchar(*c);
		printf(") | `%s %s` | ", op->method, op->path);
		print_roles(op->roles);
		fputs(" | ", stdout);
		print_rules(op->flags);
		fputs(" |\n", stdout);
	}
	for (const struct hf_op *op = hf_ops; op->name; op++)
		print_op(op);
	return 0;
}

static const char metrics_intro[] =
	"<!-- Made by scripts/gen-api-docs out of agent/common/metrics.h; do not edit. -->\n"
	"# Metrics\n"
	"`GET /metrics` on the API's sockets, and `holdfastctl metrics`: Prometheus text 0.0.4, or OpenMetrics 1.0 for who asks "
	"for it. Needs a credential of role operator, admin or system (a service account is made for it: role system, no tenant). "
	"Who belongs to a tenant gets that tenant's arrays and quota, and of the agent's processes only whether they are up.\n"
	"\n"
	"The page is put together in the HTTP process. What is of a process is what it said when the parent last asked it (every two "
	"seconds); what is of an array is read from the driver's status page at the moment. A scrape never waits for a frame and "
	"no frame for a scrape. What is not known is not there: a sensor that has no valid value has only "
	"`holdfast_sensor_valid 0`.\n"
	"\n"
	"The host itself (processors, memory, disks, network) and the sensors as `hwmon` has them are node_exporter's.\n"
	"\n"
	"A token lives for 15 minutes at most, so a timer renews the file, which Prometheus reads at every scrape. It runs as the service\n"
	"account on the agent's host: `holdfastctl token create > NEW && mv NEW /etc/prometheus/holdfast.token`.\n"
	"```\n"
	"scrape_configs:\n"
	"  - job_name: holdfast\n"
	"    authorization: { credentials_file: /etc/prometheus/holdfast.token }\n"
	"    static_configs: [ { targets: [ \"127.0.0.1:8240\" ] } ]\n"
	"```\n"
	"\n"
	"| metric | type | labels | meaning |\n"
	"|---|---|---|---|\n";

static int print_metrics(void)
{
	static const char *const types[] = { "counter", "gauge", "info", "histogram" };
	static const char *const suffixes[] = { "_total", "", "_info", "" };

	fputs(metrics_intro, stdout);
	for (unsigned int i = 0; i < HF_METRIC_COUNT; i++) {
		const struct hf_metric_desc *d = &hf_metric_desc[i];

		printf("| `%s%s` | %s | %s | %s |\n", d->name, suffixes[d->type], types[d->type],
		       d->labels, d->help);
	}
	return 0;
}

int main(int argc, char **argv)
{
	json_t *j;
	int ret;

	if (argc == 2 && !strcmp(argv[1], "markdown"))
		return print_markdown();
	if (argc == 2 && !strcmp(argv[1], "metrics"))
		return print_metrics();
	if (argc != 2 || strcmp(argv[1], "openapi")) {
		fprintf(stderr, "Usage: gen-api-docs markdown|openapi|metrics\n");
		return 2;
	}
	j = hf_openapi();
	ret = j && !json_dumpf(j, stdout, JSON_INDENT(2)) && putchar('\n') != EOF ? 0 : 1;
	json_decref(j);
	return ret;
}
