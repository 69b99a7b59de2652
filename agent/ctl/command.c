// SPDX-License-Identifier: GPL-2.0
/*
 * The command line: the table of commands and how their options are read; what
 * they do is in the other files.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "op.h"

static const struct ctl_option common_options[] = {
	{ "device", 'd', "ARRAY", "number, path or serial; may be left out if there is only one" },
	{ "socket", 256, "PATH", "keeper's socket (default " HOLDFAST_KEEPER_SOCKET ")" },
	{ "agent", 512, "WHERE", "the agent: https://HOST:PORT, or a socket (default /run/holdfast/api.sock)" },
	{ "ca", 513, "FILE", "certificates that vouch for it, PEM (default: the system's)" },
	{ "json", 'j', NULL, "JSON on standard output" },
	{ "help", 'h', NULL, "this text" },
	{ NULL, 0, NULL, NULL },
};

#define OP(n, operation, how) { .name = n, .op = operation, .show = how, .read = op_read, \
	.run = cmd_op }
#define GROUP(n, h, list) { .name = n, .args = "", .help = h, .subs = list }
#define CMD(n, a, h, o, r, f) { .name = n, .args = a, .help = h, .options = o, .read = r, .run = f }
#define PLAIN(n, h, f) CMD(n, "", h, NULL, ctl_plain_read, f)
#define END { .name = NULL }

static const struct ctl_command totp_subs[] = {
	OP("begin", "totp.begin", NULL), OP("confirm", "totp.confirm", NULL),
	OP("remove", "totp.remove", NULL), END
};
static const struct ctl_command user_subs[] = {
	OP("list", "user.list", "users: user role tenant uid disabled must_change_password"),
	OP("add", "user.create", NULL), OP("set", "user.change", NULL),
	OP("remove", "user.remove", NULL), OP("unlock", "user.unlock", NULL),
	OP("password", "user.password", NULL), END
};
static const struct ctl_command session_subs[] = {
	OP("list", "session.list", "sessions: session user role source created_ns expires_ns"),
	OP("revoke", "session.revoke", NULL), OP("rotate", "session.rotate", NULL), END
};
static const struct ctl_command token_subs[] = {
	OP("create", "token.create", "=token"),
	OP("list", "token.list", "tokens: id user label created_ns expires_ns"),
	OP("revoke", "token.revoke", NULL), END
};
static const struct ctl_command key_subs[] = { OP("rotate", "key.rotate", NULL), END };
static const struct ctl_command tenant_subs[] = {
	OP("list", "tenant.list", NULL), OP("reset-quota", "tenant.reset_quota", NULL), END
};
static const struct ctl_command lease_subs[] = {
	PLAIN("list", "leases there are, as the driver says", cmd_lease_list),
	OP("revoke", "lease.revoke", NULL), END
};
static const struct ctl_command secret_subs[] = {
	OP("list", "secret.list", "secrets: name changed_ns"), OP("set", "secret.set", NULL),
	OP("remove", "secret.remove", NULL), OP("rotate", "secret.rotate", NULL), END
};
static const struct ctl_command config_subs[] = {
	CMD("check", "[FILE]", "is this configuration right? (needs no agent)", config_check_options,
	    config_check_read, cmd_config_check),
	OP("get", "config.get", "=text"),
	CMD("diff", "FILE", "what this would change", NULL, config_diff_read, cmd_config_diff),
	CMD("apply", "FILE", "take this configuration, all of it or nothing", config_apply_options,
	    config_apply_read, cmd_config_apply),
	OP("history", "config.history", "versions: version t_ns actor comment sha256"),
	OP("rollback", "config.rollback", NULL),
	PLAIN("schema", "JSON Schema of the configuration", cmd_config_schema),
	PLAIN("man", "manual page holdfast.yaml(5)", cmd_config_man),
	PLAIN("doc", "the same as markdown", cmd_config_doc),
	END
};
static const struct ctl_command backup_subs[] = {
	OP("create", "backup.create", NULL),
	CMD("verify", "ARCHIVE", "is the archive whole, and signed?", backup_options,
	    backup_read, cmd_backup_verify),
	CMD("restore", "ARCHIVE", "put it back; the agent must be stopped", backup_options,
	    backup_read, cmd_backup_restore),
	END
};
static const struct ctl_command agent_subs[] = {
	OP("status", "status", "processes: role state pid restarts up_ms last_exit"),
	OP("version", "version", NULL), END
};
static const struct ctl_command audit_subs[] = {
	CMD("tail", "", "the newest records", tail_options, audit_tail_read, cmd_audit_tail),
	OP("show", "audit.show", NULL),
	OP("search", "audit.read", CTL_RECORDS),
	OP("checkpoint", "audit.checkpoint", NULL), OP("stats", "audit.stats", NULL),
	OP("acknowledge", "audit.acknowledge", NULL),
	CMD("export", "", "records as lines of JSON, each with the proof that the log has it",
	    export_options, audit_export_read, cmd_audit_export),
	CMD("verify", "[ARGUMENT...]", "check the log itself: runs holdfast-audit-verify", NULL,
	    audit_verify_read, cmd_audit_verify),
	END
};
static const struct ctl_command incident_subs[] = {
	OP("list", "incident.list", "incidents: id severity state standing opened_ns repeats title"),
	CMD("show", "ID", "one with its timeline and annotations", NULL, incident_id_read,
	    cmd_incident_show),
	CMD("watch", "", "what is not resolved, then each change, until interrupted", NULL,
	    incident_watch_read, cmd_incident_watch),
	OP("ack", "incident.acknowledge", NULL),
	OP("annotate", "incident.annotate", NULL), OP("resolve", "incident.resolve", NULL),
	CMD("report", "ID", "all that is kept of it, as Markdown", NULL, incident_id_read,
	    cmd_incident_report),
	END
};
static const struct ctl_command security_subs[] = {
	CMD("report", "", "who did what, who tried what, what was blocked", report_options,
	    report_read, cmd_report),
	END
};

static const struct ctl_command fleet_subs[] = {
	CMD("status", "", "each host by what it says on the bus, and how old that is",
	    fleet_status_options, fleet_read, cmd_fleet_status),
	CMD("silence", "", "outputs off on all hosts, or one; says who has not confirmed",
	    fleet_silence_options, fleet_read, cmd_fleet_silence),
	END
};

const struct ctl_command ctl_commands[] = {
	PLAIN("list", "arrays there are", cmd_list),
	CMD("status", "", "state, sensors, power, fence, frames", status_options, status_read,
	    cmd_status),
	CMD("solve", "focus|foci|twin|vortex|bottle -o FILE", "compute a stream file", solve_options,
	    solve_read, cmd_solve),
	CMD("play", "FILE", "play a stream file or CSV", play_options, play_read, cmd_play),
	CMD("focus", "--at X,Y,Z", "foci that the driver makes itself; needs no right to raw frames",
	    focus_options, focus_read, cmd_focus),
	CMD("arm", "", "let frames through", act_options, act_read, cmd_arm),
	CMD("silence", "", "outputs off", silence_options, silence_read, cmd_silence),
	CMD("reset", "", "leave a trip behind, once its cause is gone", act_options, act_read,
	    cmd_reset),
	CMD("envelope", "show | set NAME=VALUE... | tighten NAME=VALUE... | seal", "limits of the site",
	    envelope_options, envelope_read, cmd_envelope),
	CMD("fence", "list | add X,Y,Z=PRESSURE... | remove X,Y,Z...",
	    "protected points (mm) and the pressure allowed there", NULL, fence_read,
	    cmd_fence),
	CMD("surface", "show | set FILE | add FILE | clear",
	    "points (mm, one a line) where the pressure is bounded on average", NULL, surface_read,
	    cmd_surface),
	CMD("events", "", "what happened", events_options, events_read, cmd_events),
	PLAIN("explain", "which limit is closest, which refused, which tripped", cmd_explain),
	PLAIN("self-test", "test rules, silence, sensors, hardware, timer", cmd_self_test),
	CMD("keep", "", "be the keeper, in the foreground", keep_options, keep_read, cmd_keep),
	GROUP("lease", "leases there are, and their end", lease_subs),
	PLAIN("trip", "record of the last trip", cmd_trip),
	PLAIN("blackbox", "what led to it", cmd_blackbox),
	CMD("login", "", "begin a session with the agent", login_options, login_read, cmd_login),
	PLAIN("logout", "end it", cmd_logout),
	OP("whoami", "whoami", NULL),
	OP("setup", "setup", NULL),
	OP("passwd", "password.change", NULL),
	GROUP("totp", "second factor", totp_subs),
	GROUP("user", "users of the agent", user_subs),
	GROUP("session", "sessions there are", session_subs),
	GROUP("token", "signed tokens for programs", token_subs),
	GROUP("key", "key that signs tokens", key_subs),
	GROUP("tenant", "tenants and their quotas", tenant_subs),
	GROUP("audit", "what happened, who did it", audit_subs),
	GROUP("incident", "what is wrong, who sees to it", incident_subs),
	GROUP("security", "who tried what", security_subs),
	GROUP("secret", "secrets that the agent keeps", secret_subs),
	GROUP("config", "configuration of the agent", config_subs),
	GROUP("backup", "backups of users, configuration, audit log and state", backup_subs),
	GROUP("agent", "the agent itself", agent_subs),
	GROUP("fleet", "the hosts of a site, over its bus", fleet_subs),
	CMD("health", "", "what is well, and what is not", health_options, health_read, cmd_health),
	CMD("metrics", "", "all metrics, as Prometheus gets them", metrics_options, metrics_read,
	    cmd_metrics),
	END
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

static const char *command_args(const struct ctl_command *cmd)
{
	return cmd->args ? cmd->args : ctl_op_args(cmd);
}

static const char *command_about(const struct ctl_command *cmd)
{
	return cmd->help ? cmd->help : ctl_op_help(cmd);
}

static void commands_print(FILE *f, const struct ctl_command *list)
{
	for (; list->name; list++)
		fprintf(f, "  %-11s %s\n", list->name, command_about(list));
}

static void usage_print(FILE *f, const struct ctl *c)
{
	fprintf(f, "Usage: holdfastctl %s%s%s %s%s\n", c->group ? c->group->name : "",
		c->group ? " " : "", c->command->name,
		c->command->subs ? "COMMAND [OPTION...]" : "[OPTION...] ",
		c->command->subs ? "" : command_args(c->command));
}

static void command_help(FILE *f, const struct ctl *c)
{
	const struct ctl_command *cmd = c->command;

	usage_print(f, c);
	fprintf(f, "\n%s\n\n", command_about(cmd));
	if (cmd->subs) {
		commands_print(f, cmd->subs);
		fputc('\n', f);
	}
	options_print(f, cmd->op ? ctl_op_options(cmd) : cmd->options);
	options_print(f, common_options);
}

static void help(FILE *f)
{
	fputs("Usage: holdfastctl [-d ARRAY] COMMAND [OPTION...]\n\n", f);
	commands_print(f, ctl_commands);
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
	optind = 0;	/* getopt forgets the line before */
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
		case 512:
			c->agent = optarg;
			break;
		case 513:
			c->ca = optarg;
			break;
		case 'j':
			c->json = true;
			break;
		case 'h':
			if (c->command)
				command_help(stdout, c);
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
	fputc('\n', stderr);
	usage_print(stderr, c);
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

int ctl_plain_read(struct ctl *c, int argc, char **argv)
{
	return ctl_no_options(c, argc, argv, 0, 0);
}

int ctl_no_more(struct ctl *c, int argc, char **argv)
{
	if (optind < argc)
		return ctl_usage(c, "\"%s\" is one argument too many", argv[optind]);
	return -1;
}

static const struct ctl_command *command_find(const struct ctl_command *cmd, const char *name)
{
	for (; cmd->name; cmd++)
		if (!strcmp(cmd->name, name))
			return cmd;
	return NULL;
}

/* The command, and its subcommand. Return: -1, or an exit code. */
static int choose(struct ctl *c, int *argc, char ***argv)
{
	const struct ctl_command *list = ctl_commands;
	int key;

	for (;;) {
		const struct ctl_command *cmd = command_find(list, (*argv)[optind]);

		if (!cmd) {
			fprintf(stderr, "holdfastctl: there is no command \"%s%s%s\"; holdfastctl %s%s--help lists them\n",
				c->command ? c->command->name : "", c->command ? " " : "",
				(*argv)[optind], c->command ? c->command->name : "",
				c->command ? " " : "");
			return CTL_USAGE;
		}
		c->group = c->command;
		c->command = cmd;
		*argc -= optind;
		*argv += optind;
		if (!cmd->subs)
			return -1;
		/* The common options up to the subcommand. */
		list = cmd->subs;
		options_begin(c, NULL, true);
		key = ctl_option_next(c, *argc, *argv);
		if (key != -1)
			return ctl_option_exit(c);
		if (optind == *argc)
			return ctl_usage(c, "a command is missing");
	}
}

int ctl_read(struct ctl *c, int argc, char **argv)
{
	static const struct ctl_option version[] = {
		{ "version", 'V', NULL, "" }, { NULL, 0, NULL, NULL },
	};
	int key;

	options_begin(c, version, true);
	key = ctl_option_next(c, argc, argv);
	if (key == 'V') {
		puts("holdfastctl " HF_VERSION);
		return CTL_OK;
	}
	if (key != -1)
		return ctl_option_exit(c);
	if (optind == argc) {
		help(stderr);
		return CTL_USAGE;
	}
	key = choose(c, &argc, &argv);
	if (key >= 0)
		return key;
	options_begin(c, c->command->op ? ctl_op_options(c->command) : c->command->options, false);
	return c->command->read(c, argc, argv);
}

void ctl_clear(struct ctl *c)
{
	json_decref(c->args);
	c->args = NULL;
}
