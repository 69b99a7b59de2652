// SPDX-License-Identifier: GPL-2.0
/*
 * holdfastctl: the command line. The table of commands and how their options
 * are read; what they do is in the other files.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"

static const struct ctl_option common_options[] = {
	{ "device", 'd', "ARRAY", "number, path or serial; may be left out if there is only one" },
	{ "socket", 256, "PATH", "keeper's socket (default " HOLDFAST_KEEPER_SOCKET ")" },
	{ "json", 'j', NULL, "JSON on standard output" },
	{ "help", 'h', NULL, "this text" },
	{ NULL, 0, NULL, NULL },
};

const struct ctl_command ctl_commands[] = {
	{ "list", "", "arrays there are", NULL, cmd_list },
	{ "status", "", "state, sensors, power, fence, frames", status_options, cmd_status },
	{ "solve", "focus|foci|twin|vortex|bottle -o FILE", "compute a stream file",
	  solve_options, cmd_solve },
	{ "play", "FILE", "play a stream file or CSV", play_options, cmd_play },
	{ "arm", "", "let frames through", NULL, cmd_arm },
	{ "silence", "", "outputs off", silence_options, cmd_silence },
	{ "reset", "", "leave a trip behind, once its cause is gone", NULL, cmd_reset },
	{ "envelope", "show | set NAME=VALUE... | tighten NAME=VALUE... | seal",
	  "limits of the site", envelope_options, cmd_envelope },
	{ "fence", "list | add X,Y,Z=PRESSURE... | remove X,Y,Z...",
	  "protected points (mm) and the pressure allowed there", NULL, cmd_fence },
	{ "events", "", "what happened", events_options, cmd_events },
	{ "explain", "", "which limit is closest, which refused, which tripped", NULL,
	  cmd_explain },
	{ "self-test", "", "test rules, silence, sensors, hardware, timer", NULL, cmd_self_test },
	{ "keep", "", "be the keeper, in the foreground", keep_options, cmd_keep },
	{ "lease", "list", "leases there are", NULL, cmd_lease },
	{ "trip", "", "record of the last trip", NULL, cmd_trip },
	{ "blackbox", "", "what led to it", NULL, cmd_blackbox },
	{ NULL, NULL, NULL, NULL, NULL },
};

static void options_print(FILE *f, const struct ctl_option *o)
{
	char left[64];

	for (; o && o->name; o++) {
		char key[8] = "";

		if (o->key < 256)
			snprintf(key, sizeof(key), "-%c, ", o->key);
		snprintf(left, sizeof(left), "%s--%s%s%s", key, o->name, o->arg ? " " : "",
			 o->arg ? o->arg : "");
		fprintf(f, "  %-28s %s\n", left, o->help);
	}
}

static void command_help(FILE *f, const struct ctl_command *cmd)
{
	fprintf(f, "Usage: holdfastctl %s [OPTION...] %s\n\n%s\n\n", cmd->name, cmd->args,
		cmd->help);
	options_print(f, cmd->options);
	options_print(f, common_options);
}

static void help(FILE *f)
{
	fputs("Usage: holdfastctl [-d ARRAY] COMMAND [OPTION...]\n\n", f);
	for (const struct ctl_command *cmd = ctl_commands; cmd->name; cmd++)
		fprintf(f, "  %-10s %s\n", cmd->name, cmd->help);
	fputs("\nholdfastctl COMMAND --help says more; exit codes are in holdfastctl(1).\n", f);
}

static void options_add(struct ctl *c, const struct ctl_option *o, size_t *n, char **s)
{
	for (; o && o->name && *n < CTL_OPTIONS; o++) {
		c->longs[(*n)++] = (struct option){ o->name, o->arg ? required_argument : 0, NULL,
						    o->key };
		if (o->key < 256) {
			*(*s)++ = (char)o->key;
			if (o->arg)
				*(*s)++ = ':';
		}
	}
}

/* @first: stop at the first argument, which is the command. */
static void options_begin(struct ctl *c, const struct ctl_option *own, bool first)
{
	char *s = c->shorts;
	size_t n = 0;

	memset(c->longs, 0, sizeof(c->longs));
	if (first)
		*s++ = '+';
	options_add(c, own, &n, &s);
	options_add(c, common_options, &n, &s);
	*s = '\0';
	optind = first ? 1 : 0;
}

int ctl_option_next(struct ctl *c, int argc, char **argv)
{
	for (;;) {
		int key = getopt_long(argc, argv, c->shorts, c->longs, NULL);

		switch (key) {
		case 'd':
			c->device = optarg;
			break;
		case 256:
			c->socket = optarg;
			break;
		case 'j':
			c->json = true;
			break;
		case 'h':
			if (c->command)
				command_help(stdout, c->command);
			else
				help(stdout);
			c->help_shown = true;
			return '?';
		default:
			return key;
		}
	}
}

int ctl_option_exit(const struct ctl *c)
{
	return c->help_shown ? CTL_OK : CTL_USAGE;
}

int ctl_usage(struct ctl *c, const char *fmt, ...)
{
	va_list ap;

	fputs("holdfastctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nUsage: holdfastctl %s [OPTION...] %s\n", c->command->name,
		c->command->args);
	return CTL_USAGE;
}

int ctl_no_options(struct ctl *c, int argc, char **argv, int min, int max)
{
	int key = ctl_option_next(c, argc, argv);

	if (key != -1)
		return ctl_option_exit(c);
	if (argc - optind < min)
		return ctl_usage(c, "an argument is missing");
	if (argc - optind > max)
		return ctl_usage(c, "\"%s\" is one argument too many", argv[optind + max]);
	return -1;
}

static const struct ctl_command *command_find(const char *name)
{
	for (const struct ctl_command *cmd = ctl_commands; cmd->name; cmd++)
		if (!strcmp(cmd->name, name))
			return cmd;
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct ctl_option version[] = {
		{ "version", 'V', NULL, "" }, { NULL, 0, NULL, NULL },
	};
	struct ctl c = { .device = NULL };
	int key;

	options_begin(&c, version, true);
	key = ctl_option_next(&c, argc, argv);
	if (key == 'V') {
		puts("holdfastctl " HF_VERSION);
		return CTL_OK;
	}
	if (key != -1)
		return ctl_option_exit(&c);
	if (optind == argc) {
		help(stderr);
		return CTL_USAGE;
	}
	c.command = command_find(argv[optind]);
	if (!c.command) {
		fprintf(stderr, "holdfastctl: there is no command \"%s\"; holdfastctl --help lists them\n",
			argv[optind]);
		return CTL_USAGE;
	}
	argc -= optind;
	argv += optind;
	options_begin(&c, c.command->options, false);
	key = c.command->run(&c, argc, argv);
	if (fflush(stdout) || ferror(stdout))
		return ctl_fail(-EIO, "standard output");
	return key;
}
