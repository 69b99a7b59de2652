// SPDX-License-Identifier: GPL-2.0
/*
 * holdfastctl config: what can be done with a configuration without an agent
 * (check, print, documents), and with one (diff, apply). The rest of the group
 * are plain operations of the agent.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "config.h"
#include "config_docs.h"
#include "op.h"

extern char **environ;

/* All of @path ("-": standard input); caller frees. 0, or an exit code after saying why. */
static int file_read(const char *path, char **text, size_t *len)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	char *buf = malloc(HF_CONFIG_BYTES_MAX + 2);
	int ret = 0;

	if (!f || !buf) {
		ret = ctl_fail(f ? -ENOMEM : -errno, "%s", path);
		goto out;
	}
	/* one byte more than allowed, so that too much is seen as too much */
	*len = fread(buf, 1, HF_CONFIG_BYTES_MAX + 1, f);
	if (ferror(f)) {
		ret = ctl_fail(-EIO, "%s", path);
		goto out;
	}
	buf[*len] = '\0';
	*text = buf;
	buf = NULL;
out:
	if (f && f != stdin)
		fclose(f);
	free(buf);
	return ret;
}

static void errors_print(const struct ctl *c, const struct hf_config_errors *errors,
			 const char *path)
{
	char text[HF_ERR_LEN + HF_CONFIG_PATH + 256];

	if (c->json) {
		ctl_json_print(hf_config_errors_json(errors), true);
		return;
	}
	for (unsigned int i = 0; i < errors->count; i++)
		fprintf(stderr, "%s\n",
			hf_config_error_text(&errors->e[i], path, text, sizeof(text)));
	if (errors->more)
		fprintf(stderr, "%s: and %u errors more\n", path, errors->more);
}

/* 0, or an exit code after saying why. */
static int config_load(struct ctl *c, const char *path, bool with_env, struct hf_config **config)
{
	struct hf_config_errors *errors = malloc(sizeof(*errors));
	char *text = NULL;
	size_t len;
	int ret;

	if (!errors)
		return ctl_fail(-ENOMEM, "%s", path);
	ret = file_read(path, &text, &len);
	if (ret)
		goto out;
	ret = hf_config_parse(text, len, path, with_env ? environ : NULL, config, errors);
	if (ret == -EINVAL) {
		errors_print(c, errors, path);
		ret = CTL_FAILED;
	} else if (ret) {
		ret = ctl_fail(ret, "%s", path);
	}
out:
	free(text);
	free(errors);
	return ret;
}

const struct ctl_option config_check_options[] = {
	{ "environment", 'e', NULL, "with the HOLDFAST_ variables of this environment" },
	{ "print", 'p', NULL, "print every value that counts, defaults included" },
	{ NULL, 0, NULL, NULL },
};

static int print(const struct ctl *c, const struct hf_config *config)
{
	char *text;
	size_t len;
	int ret;

	if (c->json)
		return ctl_json_print(hf_config_json(config), true);
	ret = hf_config_print(config, &text, &len);
	if (ret)
		return ctl_fail(ret, "printing");
	fwrite(text, 1, len, stdout);
	free(text);
	return CTL_OK;
}

int config_check_read(struct ctl *c, int argc, char **argv)
{
	struct ctl_config_file *r = &c->req.config;
	int key;

	while ((key = ctl_option_next(c, argc, argv)) != -1) {
		if (key == 'e')
			r->with_env = true;
		else if (key == 'p')
			r->show = true;
		else
			return ctl_option_exit(c);
	}
	if (argc - optind > 1)
		return ctl_usage(c, "\"%s\" is one argument too many", argv[optind + 1]);
	r->path = argc > optind ? argv[optind] : HF_CONFIG_FILE;
	return -1;
}

int cmd_config_check(struct ctl *c)
{
	const struct ctl_config_file *r = &c->req.config;
	struct hf_config *config;
	int ret = config_load(c, r->path, r->with_env, &config);

	if (ret)
		return ret;
	ret = r->show ? print(c, config) : CTL_OK;
	hf_config_free(config);
	return ret;
}

int cmd_config_schema(struct ctl *c)
{
	(void)c;
	return ctl_json_print(ctl_config_schema(), true);
}

int cmd_config_man(struct ctl *c)
{
	(void)c;
	ctl_config_man(stdout);
	return CTL_OK;
}

int cmd_config_doc(struct ctl *c)
{
	(void)c;
	ctl_config_markdown(stdout);
	return CTL_OK;
}

/* ------------------------------------------------------------ with an agent */

static void change_print(const json_t *change)
{
	static const char *const whens[][2] = {
		{ "live", "" },
		{ "restart", "  (at the next start)" },
		{ "sealed", "" },
	};
	const json_t *old = json_object_get(change, "old"), *new = json_object_get(change, "new");
	const char *reload = hf_config_text_or(change, "reload", "");
	char *was = old ? json_dumps(old, JSON_ENCODE_ANY) : NULL;
	char *is = new ? json_dumps(new, JSON_ENCODE_ANY) : NULL;

	printf("%s: %s -> %s", hf_config_text_or(change, "path", "?"), was ? was : "(none)",
	       is ? is : "(none)");
	for (size_t i = 0; i < sizeof(whens) / sizeof(whens[0]); i++)
		if (!strcmp(whens[i][0], reload))
			fputs(whens[i][1], stdout);
	puts(json_is_true(json_object_get(change, "loosens")) ? "  (loosens: needs a reboot)" : "");
	free(was);
	free(is);
}

static int changes_show(struct ctl *c, json_t *result)
{
	const json_t *change;
	size_t i;

	if (c->json)
		return ctl_json_print(result, true);
	json_array_foreach(json_object_get(result, "changes"), i, change) change_print(change);
	if (json_object_get(result, "version"))
		printf("version %lld\n", (long long)hf_config_int_or(result, "version", 0));
	json_decref(result);
	return CTL_OK;
}

/* Sends a file, after checking it here: errors are nearer to who made them. */
static int file_send(struct ctl *c, const char *op)
{
	const char *path = c->req.config.path, *comment = c->req.config.comment;
	struct hf_config *config;
	json_t *args, *result;
	char *text;
	size_t len;
	int ret = config_load(c, path, false, &config);

	if (ret)
		return ret;
	hf_config_free(config);
	ret = file_read(path, &text, &len);
	if (ret)
		return ret;
	args = json_pack("{s:s%, s:s*}", "text", text, len, "comment", comment);
	free(text);
	if (!args)
		return ctl_fail(-EINVAL, "%s has changed while it was read", path);
	ret = ctl_call(c, op, args, &result);
	return ret ? ret : changes_show(c, result);
}

int config_diff_read(struct ctl *c, int argc, char **argv)
{
	int ret = ctl_no_options(c, argc, argv, 1, 1);

	if (ret == -1)
		c->req.config.path = argv[optind];
	return ret;
}

int cmd_config_diff(struct ctl *c)
{
	return file_send(c, "config.diff");
}

const struct ctl_option config_apply_options[] = {
	{ "comment", 'm', "TEXT", "why, for the record" },
	{ NULL, 0, NULL, NULL },
};

int config_apply_read(struct ctl *c, int argc, char **argv)
{
	struct ctl_config_file *r = &c->req.config;
	int key;

	while ((key = ctl_option_next(c, argc, argv)) != -1) {
		if (key != 'm')
			return ctl_option_exit(c);
		r->comment = optarg;
	}
	if (argc - optind != 1)
		return ctl_usage(c, "one file is wanted");
	r->path = argv[optind];
	return -1;
}

int cmd_config_apply(struct ctl *c)
{
	return file_send(c, "config.apply");
}
