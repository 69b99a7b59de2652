// SPDX-License-Identifier: GPL-2.0
/*
 * Commands that are one operation of the agent: arguments, options and help
 * come from its line in agent/common/ops.c, so that there is no second list.
 *
 * On the command line: what the path of the operation has, and names that it
 * requires, are arguments; secrets are asked for or come from a file; the rest
 * are options. The array comes from -d.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "op.h"

#define KEY_FIELD	600	/* + index: of the operation's table of arguments */
#define KEY_FILE	700	/* + index: the file that holds a secret */

static bool is_array(const struct hf_field *f)
{
	return f->in == HF_IN_PATH && !strcmp(f->name, "array");
}

static bool is_secret(const struct hf_field *f)
{
	return f->flags & HF_FF_SECRET;
}

static bool is_argument(const struct hf_field *f)
{
	if (is_secret(f) || is_array(f))
		return false;
	return f->in == HF_IN_PATH || (f->flags & HF_FF_REQUIRED && f->type == HF_F_NAME) ||
	       (f->flags & HF_FF_REQUIRED && f->type == HF_F_INT);
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && !strcmp(s + n - m, end);
}

/* Times lose their unit: "--since 24h" for since_ns, "--ttl 10m" for ttl_s. */
static void option_name(const struct hf_field *f, char *buf, size_t len)
{
	snprintf(buf, len, "%s%s", f->name, is_secret(f) ? "-file" : "");
	if (ends_with(f->name, "_ns"))
		buf[strlen(f->name) - 3] = '\0';
	else if (ends_with(f->name, "_s"))
		buf[strlen(f->name) - 2] = '\0';
	for (char *p = buf; *p; p++)
		if (*p == '_')
			*p = '-';
}

static const char *option_arg(const struct hf_field *f)
{
	if (is_secret(f))
		return "FILE";
	if (ends_with(f->name, "_ns"))
		return "TIME";
	switch (f->type) {
	case HF_F_INT:
		return ends_with(f->name, "_s") ? "DURATION" : "N";
	case HF_F_BOOL:
		return "true|false";
	default:
		return "TEXT";
	}
}

/* "user|operator|admin" */
static void words_join(const char *const *words, char *buf, size_t len)
{
	size_t n = 0;

	for (; *words && n < len; words++)
		n += (size_t)snprintf(buf + n, len - n, "%s%s", n ? "|" : "", *words);
}

/* People do not type nanoseconds: the half of the help behind the unit, and what they do type. */
static const char *when_help(const struct hf_field *f, char *buf, size_t len)
{
	const char *what = strstr(f->help, ", ");

	snprintf(buf, len, "%s: 24h ago, or UTC: 2026-11-22T18:00:00Z", what ? what + 2 : f->help);
	return buf;
}

/* One command runs per process: static room is enough. */
const struct ctl_option *ctl_op_options(const struct ctl_command *cmd)
{
	static struct ctl_option options[CTL_OPTIONS + 1];
	static char names[CTL_OPTIONS][32], args[CTL_OPTIONS][64], helps[CTL_OPTIONS][96];
	const struct hf_op *op = hf_op_find(cmd->op);
	size_t n = 0;

	memset(options, 0, sizeof(options));
	for (const struct hf_field *f = op->args; f->name && n < CTL_OPTIONS; f++) {
		int index = (int)(f - op->args);

		if (is_array(f) || is_argument(f))
			continue;
		option_name(f, names[n], sizeof(names[n]));
		snprintf(args[n], sizeof(args[n]), "%s", option_arg(f));
		if (f->type == HF_F_ENUM)
			words_join(f->words, args[n], sizeof(args[n]));
		options[n] = (struct ctl_option){ names[n], is_secret(f) ? KEY_FILE + index :
							    KEY_FIELD + index, args[n], f->help };
		if (ends_with(f->name, "_ns"))
			options[n].help = when_help(f, helps[n], sizeof(helps[n]));
		n++;
	}
	return options;
}

const char *ctl_op_args(const struct ctl_command *cmd)
{
	static char text[128];
	const struct hf_op *op = hf_op_find(cmd->op);
	size_t n = 0;

	text[0] = '\0';
	for (const struct hf_field *f = op->args; f->name; f++) {
		if (!is_argument(f))
			continue;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : "", f->name);
		for (char *p = text + n - strlen(f->name); *p; p++)
			*p = (char)toupper((unsigned char)*p);
	}
	return text;
}

const char *ctl_op_help(const struct ctl_command *cmd)
{
	return hf_op_find(cmd->op)->summary;
}

static int wrong(const struct hf_field *f, const char *text, const char *want)
{
	fprintf(stderr, "holdfastctl: %s: \"%s\" where %s is required\n", f->name, text, want);
	return CTL_USAGE;
}

/* "90s", "15m", "24h", "7d", or plain seconds. */
static bool duration_s(const char *text, int64_t *s)
{
	static const struct { char unit; int64_t s; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { '\0', 1 },
	};
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || errno || n > 1000000000 || (*end && end[1]))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].unit == *end) {
			*s = n * units[i].s;
			return true;
		}
	return false;
}

/* A date that there is: of the 30th of February timegm() would make the 2nd of March. */
static bool date_s(const char *text, int64_t *s)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	int day;

	if (!end)
		end = strptime(text, "%Y-%m-%d", &tm);
	if (!end || *end || !isdigit((unsigned char)text[0]))
		return false;
	day = tm.tm_mday;
	*s = (int64_t)timegm(&tm);
	return tm.tm_mday == day;
}

int ctl_parse_when(const char *text, const char *what, int64_t *real_ns)
{
	int64_t s = -1;

	if (duration_s(text, &s))
		s = (int64_t)time(NULL) - s;
	else if (!date_s(text, &s))
		s = -1;
	if (s >= 0 && s <= INT64_MAX / 1000000000) {
		*real_ns = s * 1000000000;
		return 0;
	}
	fprintf(stderr,
		"holdfastctl: %s: \"%s\" where a time ago (90s, 15m, 24h, 7d) or UTC (2026-11-22, 2026-11-22T18:00:00Z) is required\n",
		what, text);
	return -1;
}

static json_t *integer(const struct hf_field *f, const char *text)
{
	int64_t v;
	char *end;

	if (ends_with(f->name, "_ns"))
		return ctl_parse_when(text, f->name, &v) ? NULL : json_integer(v);
	if (ends_with(f->name, "_s") && duration_s(text, &v))
		return json_integer(v);
	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno || !*text || *end || (!isdigit((unsigned char)text[0]) && text[0] != '-')) {
		wrong(f, text, "a whole number");
		return NULL;
	}
	return json_integer(v);
}

/* What was typed, as the type of the field. Ranges are the table's to check. 0, or an exit code. */
static int field_set(json_t *args, const struct hf_field *f, const char *text)
{
	json_t *v = NULL;

	switch (f->type) {
	case HF_F_INT:
		v = integer(f, text);
		break;
	case HF_F_BOOL:
		if (strcmp(text, "true") && strcmp(text, "false"))
			return wrong(f, text, "true or false");
		v = json_boolean(text[0] == 't');
		break;
	default:
		v = json_string(text);
		if (!v)
			return wrong(f, "...", "UTF-8");
	}
	if (!v)
		return CTL_USAGE;
	return json_object_set_new(args, f->name, v) ? CTL_FAILED : CTL_OK;
}

/* A new secret that is typed is typed twice. */
static bool is_new(const struct hf_op *op, const struct hf_field *f)
{
	return !strcmp(f->name, "new") ||
	       (!strcmp(f->name, "password") && !(op->flags & HF_OP_LOGIN && op->flags & HF_OP_NET &&
						  !(op->flags & HF_OP_PRIV)));
}

static int secret_set(json_t *args, const struct hf_op *op, const struct hf_field *f,
		      const char *file)
{
	char secret[CTL_SECRET_MAX], prompt[96];
	int ret;

	snprintf(prompt, sizeof(prompt), "%s: ", f->help);
	prompt[0] = (char)toupper((unsigned char)prompt[0]);
	if (f->flags & HF_FF_LINES)
		ret = ctl_secret_whole(file, secret);
	else
		ret = ctl_secret(prompt, file, is_new(op, f), secret);
	if (!ret)
		ret = field_set(args, f, secret);
	explicit_bzero(secret, sizeof(secret));
	return ret;
}

/* -1, or an exit code. */
static int options_read(struct ctl *c, int argc, char **argv, const struct hf_op *op,
			json_t *args, const char **files)
{
	int key, ret;

	while ((key = ctl_option_next(c, argc, argv)) != -1) {
		if (key >= KEY_FILE) {
			files[key - KEY_FILE] = optarg;
		} else if (key >= KEY_FIELD) {
			ret = field_set(args, &op->args[key - KEY_FIELD], optarg);
			if (ret)
				return ret;
		} else {
			return ctl_option_exit(c);
		}
	}
	return -1;
}

static int arguments_read(struct ctl *c, int argc, char **argv, const struct hf_op *op,
			  json_t *args)
{
	int ret = CTL_OK;

	for (const struct hf_field *f = op->args; f->name && !ret; f++) {
		if (!is_argument(f))
			continue;
		if (optind >= argc)
			return ctl_usage(c, "%s is missing: %s", f->name, f->help);
		ret = field_set(args, f, argv[optind++]);
	}
	return ret ? ret : ctl_no_more(c, argc, argv);
}

int op_read(struct ctl *c, int argc, char **argv)
{
	const struct hf_op *op = hf_op_find(c->command->op);
	int ret;

	c->args = json_object();
	ret = options_read(c, argc, argv, op, c->args, c->req.files);
	return ret != -1 ? ret : arguments_read(c, argc, argv, op, c->args);
}

/* What does not come from the command line: the array's number, and secrets. 0, or an exit code. */
static int arguments_add(struct ctl *c, const struct hf_op *op, json_t *args)
{
	int64_t array;
	int ret = CTL_OK;

	for (const struct hf_field *f = op->args; f->name && !ret; f++) {
		const char *file = c->req.files[f - op->args];

		if (is_array(f)) {
			ret = ctl_agent_array(c, &array);
			json_object_set_new(args, "array", json_integer(array));
		} else if (is_secret(f) && (f->flags & HF_FF_REQUIRED || file)) {
			ret = secret_set(args, op, f, file);
		}
	}
	return ret;
}

int cmd_op(struct ctl *c)
{
	const struct hf_op *op = hf_op_find(c->command->op);
	json_t *result = NULL, *args = json_copy(c->args);	/* secrets end with the copy */
	int ret = arguments_add(c, op, args);

	if (ret) {
		json_decref(args);
		return ret;
	}
	ret = ctl_call(c, op->name, args, &result);
	return ret ? ret : ctl_show(c, c->command->show, result);
}
