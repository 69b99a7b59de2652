// SPDX-License-Identifier: GPL-2.0
/*
 * The audit log as the agent shows it: tail, export, the security report. The
 * log itself is judged by a program of its own, holdfast-audit-verify.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "op.h"

#define PAGE		200	/* records per call, the most that the agent gives */
#define FOLLOW_MS	1000

const struct ctl_option tail_options[] = {
	{ "lines", 'n', "N", "how many (default 20)" },
	{ "follow", 'f', NULL, "go on" },
	{ NULL, 0, NULL, NULL },
};

const struct ctl_option export_options[] = {
	{ "since", 257, "TIME", "24h ago, or UTC: 2026-11-22T18:00:00Z (default: all there is)" },
	{ "until", 258, "TIME", "up to there" },
	{ "output", 'o', "FILE", "instead of standard output; must not be there yet" },
	{ NULL, 0, NULL, NULL },
};

const struct ctl_option report_options[] = {
	{ "since", 257, "TIME", "30m ago, or UTC: 2026-11-22T18:00:00Z (default 24h)" },
	{ NULL, 0, NULL, NULL },
};

/* Prints the records of @result. Return: the last sequence number, or @seq. */
static int64_t records_print(const struct ctl *c, const json_t *result, int64_t seq, bool head)
{
	const json_t *records = json_object_get(result, "records"), *r;
	size_t i;

	if (!c->json)
		ctl_table(records, strchr(CTL_RECORDS, ':') + 1, head);
	json_array_foreach((json_t *)records, i, r) {
		if (c->json)
			ctl_json_print(json_incref((json_t *)r), false);
		seq = json_integer_value(json_object_get(r, "seq"));
	}
	fflush(stdout);
	return seq;
}

static int follow(struct ctl *c, int64_t seq)
{
	json_t *result;
	int ret = CTL_OK;

	ctl_catch_signals();
	while (!ret && !ctl_interrupted()) {
		ret = ctl_call(c, "audit.read", json_pack("{s:I, s:i}", "after_seq", (json_int_t)seq,
							  "limit", PAGE), &result);
		if (ret)
			break;
		seq = records_print(c, result, seq, false);
		if (!json_is_true(json_object_get(result, "more")))
			poll(NULL, 0, FOLLOW_MS);
		json_decref(result);
		if (ferror(stdout))
			return ctl_fail(-EPIPE, "standard output");
	}
	return ret;
}

int audit_tail_read(struct ctl *c, int argc, char **argv)
{
	struct ctl_tail *r = &c->req.tail;
	int key;

	*r = (struct ctl_tail){ .lines = 20 };
	while ((key = ctl_option_next(c, argc, argv)) != -1) {
		if (key == 'n' && !ctl_parse_u64(optarg, 1, PAGE, "--lines", &r->lines))
			continue;
		if (key != 'f')
			return key == 'n' ? CTL_USAGE : ctl_option_exit(c);
		r->follow = true;
	}
	return ctl_no_more(c, argc, argv);
}

int cmd_audit_tail(struct ctl *c)
{
	const struct ctl_tail *r = &c->req.tail;
	json_t *result = NULL;
	int64_t seq;
	int ret;

	c->patient = true;
	ret = ctl_call(c, "audit.read", json_pack("{s:b, s:I}", "newest", true, "limit",
						  (json_int_t)r->lines), &result);
	if (ret)
		return ret;
	seq = records_print(c, result, 0, true);
	json_decref(result);
	return r->follow ? follow(c, seq) : CTL_OK;
}

/* After tampering an export is wanted most: records that cannot be proved are in it all the same. */
static const char *const unproved[] = { "ended_chain", "damaged", NULL };

/*
 * One line: the record, a signed checkpoint and the way from one to the other; or, counted
 * in @bare, the record and why there is none.
 */
static int export_one(struct ctl *c, FILE *out, json_t *record, uint64_t *bare)
{
	json_t *line = NULL, *proof = NULL;
	json_int_t seq = json_integer_value(json_object_get(record, "seq"));
	int ret;

	c->unsaid = unproved;
	ret = ctl_call(c, "audit.checkpoint", json_pack("{s:I}", "seq", seq), &proof);
	if (ret && ctl_unsaid(c)) {
		line = json_pack("{s:O, s:n, s:s}", "record", record, "checkpoint", "unproved", c->refused);
		ret = 0;
		++*bare;
	} else if (!ret) {
		line = json_pack("{s:O, s:O, s:O, s:O}", "record", record, "checkpoint",
				 json_object_get(proof, "checkpoint"), "index",
				 json_object_get(proof, "index"), "proof", json_object_get(proof, "proof"));
		json_decref(proof);
	}
	c->unsaid = NULL;
	if (ret)
		return ret;
	if (!line)
		return ctl_fail_agent(c, "a checkpoint without its proof");
	if (json_dumpf(line, out, JSON_COMPACT) || fputc('\n', out) == EOF)
		ret = ctl_fail(-EIO, "output");
	json_decref(line);
	return ret;
}

static int export_all(struct ctl *c, FILE *out, const struct ctl_export *range)
{
	bool more = true;
	uint64_t bare = 0;
	int64_t seq = 0;
	int ret = CTL_OK;

	ctl_catch_signals();
	while (!ret && more && !ctl_interrupted()) {
		json_t *args = json_pack("{s:I, s:i}", "after_seq", (json_int_t)seq, "limit", PAGE);
		json_t *result, *r;
		size_t i;

		if (range->since_ns >= 0)
			json_object_set_new(args, "since_ns", json_integer(range->since_ns));
		if (range->until_ns >= 0)
			json_object_set_new(args, "until_ns", json_integer(range->until_ns));
		ret = ctl_call(c, "audit.read", args, &result);
		if (ret)
			break;
		more = json_is_true(json_object_get(result, "more"));
		json_array_foreach(json_object_get(result, "records"), i, r) {
			seq = json_integer_value(json_object_get(r, "seq"));
			ret = export_one(c, out, r, &bare);
			if (ret || ctl_interrupted())
				break;
		}
		json_decref(result);
	}
	if (!ret && ctl_interrupted()) {
		fprintf(stderr, "holdfastctl: interrupted after record %" PRId64 "\n", seq);
		ret = CTL_INTERRUPTED;
	}
	if (bare)
		fprintf(stderr, "holdfastctl: %" PRIu64 " records without a proof: the log was damaged; see \"unproved\" in their lines, and holdfastctl audit verify\n",
			bare);
	return ret ? ret : bare ? CTL_FAILED : CTL_OK;
}

int audit_export_read(struct ctl *c, int argc, char **argv)
{
	struct ctl_export *r = &c->req.export;
	int key;

	*r = (struct ctl_export){ .since_ns = -1, .until_ns = -1 };
	while ((key = ctl_option_next(c, argc, argv)) != -1) {
		if (key == 'o')
			r->path = optarg;
		else if (key != 257 && key != 258)
			return ctl_option_exit(c);
		else if (ctl_parse_when(optarg, key == 257 ? "--since" : "--until",
					key == 257 ? &r->since_ns : &r->until_ns))
			return CTL_USAGE;
	}
	return ctl_no_more(c, argc, argv);
}

int cmd_audit_export(struct ctl *c)
{
	const struct ctl_export *r = &c->req.export;
	FILE *out = r->path ? fopen(r->path, "wxe") : stdout;
	int ret;

	if (!out)
		return ctl_fail(-errno, "%s", r->path);
	c->patient = true;
	ret = export_all(c, out, r);
	if (r->path && fclose(out) && !ret)
		ret = ctl_fail(-errno, "%s", r->path);
	return ret;
}

/* Its arguments are the verifier's. */
int audit_verify_read(struct ctl *c, int argc, char **argv)
{
	(void)argc;
	c->req.argv = argv;
	return -1;
}

int cmd_audit_verify(struct ctl *c)
{
	static char name[] = "holdfast-audit-verify";
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(name) - 1);
	char **argv = c->req.argv, *slash;

	if (n <= 0)
		return ctl_fail(-errno, "/proc/self/exe");
	path[n] = '\0';
	slash = strrchr(path, '/');
	strcpy(slash + 1, name);
	argv[0] = name;
	execv(path, argv);
	return ctl_fail(-errno, "%s", path);
}

/* Each table with the columns that its rows have. */
static void report_print(const json_t *report)
{
	const char *name, *key;
	json_t *table, *value;

	json_object_foreach((json_t *)report, name, table) {
		const json_t *rows = json_object_get(table, "rows");
		json_int_t others = json_integer_value(json_object_get(table, "others"));
		char columns[128] = "";
		size_t n = 0;

		if (!json_is_array(rows))
			continue;
		printf("%s%s\n", name, json_array_size(rows) ? "" : ": none");
		json_object_foreach(json_array_get(rows, 0), key, value)
			if (n < sizeof(columns))
				n += (size_t)snprintf(columns + n, sizeof(columns) - n, " %s", key);
		ctl_table(rows, columns, n > 0);
		if (others)
			printf("and %" JSON_INTEGER_FORMAT " more\n", others);
	}
}

static int report_show(struct ctl *c, json_t *result)
{
	const json_t *report = json_object_get(result, "report");
	char when[48];

	if (c->json)
		return ctl_json_print(result, true);
	printf("%" JSON_INTEGER_FORMAT " records since %s\n",
	       json_integer_value(json_object_get(report, "records")),
	       ctl_time((uint64_t)json_integer_value(json_object_get(report, "since_ns")), when,
			sizeof(when)));
	report_print(report);
	json_decref(result);
	return CTL_OK;
}

int report_read(struct ctl *c, int argc, char **argv)
{
	const char *since = "24h";
	int key, ret;

	while ((key = ctl_option_next(c, argc, argv)) != -1) {
		if (key != 257)
			return ctl_option_exit(c);
		since = optarg;
	}
	ret = ctl_no_more(c, argc, argv);
	if (ret != -1)
		return ret;
	return ctl_parse_when(since, "--since", &c->req.since_ns) ? CTL_USAGE : -1;
}

int cmd_report(struct ctl *c)
{
	json_t *args = json_pack("{s:I}", "since_ns", (json_int_t)c->req.since_ns);
	json_t *result = NULL;
	int ret = ctl_call(c, "security.report", args, &result);

	return ret ? ret : report_show(c, result);
}
