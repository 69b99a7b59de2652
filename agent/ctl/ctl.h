/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the subcommands of holdfastctl share: options, errors, exit codes,
 * JSON. Only libholdfast talks to the driver; nothing here includes an ioctl.
 */
#ifndef HF_CTL_H
#define HF_CTL_H

#include <getopt.h>
#include <jansson.h>

#include "libholdfast.h"
#include "request.h"

/* Exit codes; documented in docs/man/holdfastctl.1, so they stay. */
enum ctl_exit {
	CTL_OK		= 0,
	CTL_FAILED	= 1,
	CTL_USAGE	= 2,
	CTL_REFUSED	= 3,	/* by a limit */
	CTL_TRIPPED	= 4,
	CTL_NO_ARRAY	= 5,
	CTL_NO_KEEPER	= 6,
	CTL_DENIED	= 7,	/* no right or privilege */
	CTL_INTERRUPTED	= 8,	/* by a signal; silenced */
	CTL_NO_AGENT	= 9,	/* cannot be reached, or does not answer in time */
	CTL_STEP_UP	= 10,	/* the password must be proven first */
	CTL_LATER	= 11,	/* rate limit or overload: try again later */
};

struct ctl_option {
	const char *name;
	int key;		/* the short option, or any number above 255 */
	const char *arg;	/* NULL: none */
	const char *help;
};

struct ctl;

struct ctl_command {
	const char *name;
	const char *args;	/* as shown in usage */
	const char *help;
	const struct ctl_option *options;	/* ends with a NULL name; NULL: none */
	/*
	 * From the command line to @c's request: no file, no socket, no terminal.
	 * Return: -1, or an exit code after saying why (help that was asked for is said).
	 */
	int (*read)(struct ctl *c, int argc, char **argv);
	int (*run)(struct ctl *c);	/* does it. Return: exit code */
	const struct ctl_command *subs;		/* ends with a NULL name; then @run is NULL */
	/*
	 * An operation of the agent: arguments, options and help come from its line in
	 * agent/common/ops.c where they are NULL here.
	 */
	const char *op;
	const char *show;	/* how the result is shown: ctl_show() */
};

struct ctl {
	const struct ctl_command *command;
	const struct ctl_command *group;	/* @command is one of its subs, or NULL */
	const char *device;
	const char *socket;
	const char *agent;	/* URL or path of a socket; NULL: CTL_AGENT_SOCKET */
	const char *ca;		/* PEM file for TLS; NULL: the system's */
	bool json;
	bool patient;		/* reads that come too often or too early are tried again */
	bool help_shown;
	const char *const *unsaid;	/* codes of refusals that are not said: the caller goes on; or NULL */
	char refused[32];	/* the code of the agent's last refusal, "": none */
	struct option longs[CTL_OPTIONS + 1];
	char shorts[2 * CTL_OPTIONS + 2];
	union ctl_request req;
	json_t *args;		/* of an operation: as typed, without the array and the secrets */
};

/**
 * ctl_read() - from the command line to a command and its request
 * @c:	all zero
 *
 * Pure but for what it says on standard output and error, and getopt's own
 * variables. Return: -1: c->command is to be run; else an exit code.
 */
int ctl_read(struct ctl *c, int argc, char **argv);
void ctl_clear(struct ctl *c);

/* The next option's key, -1: no more (optind as getopt's), '?': wrong, said already. */
int ctl_option_next(struct ctl *c, int argc, char **argv);
/* For a command without options of its own: reads the common ones, counts arguments. */
int ctl_no_options(struct ctl *c, int argc, char **argv, int min, int max);
/* No argument is left behind the options. Return: -1, or an exit code after saying why. */
int ctl_no_more(struct ctl *c, int argc, char **argv);
int ctl_usage(struct ctl *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What ctl_option_next() gave '?' for: help that was asked for is no error. */
int ctl_option_exit(const struct ctl *c);

/* Prints "holdfastctl: ...: strerror" to stderr. Return: the exit code for @err. */
int ctl_fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same for what may carry a reason. */
int ctl_fail_reason(int err, const struct holdfast_reason *r, const char *what);
/* Says why the array tripped. Return: CTL_TRIPPED. */
int ctl_tripped(struct holdfast_array *a);
int ctl_exit_of(int err);

/* 0, or an exit code after saying why. */
int ctl_open(struct ctl *c, struct holdfast_array **a, unsigned int flags);
/* A lease from the keeper's socket. */
int ctl_lease(struct ctl *c, struct holdfast_array **lease, uint32_t index, uint32_t rights);

/* Each says what is wrong and gives -1. */
int ctl_parse_u64(const char *text, uint64_t min, uint64_t max, const char *what, uint64_t *value);
int ctl_parse_value(const char *text, const char *unit, int64_t min, int64_t max,
		    const char *what, int64_t *value);
/* "X,Y,Z" in mm up to @end (usually '\0'); *@rest: behind it, may be NULL. */
int ctl_parse_point(const char *text, char end, struct holdfast_point *p, const char **rest);

/* Prints and frees @j: indented, or on one line. */
int ctl_json_print(json_t *j, bool indent);
json_t *ctl_json_reason(const struct holdfast_reason *r);
json_t *ctl_json_trip(const struct holdfast_trip *t);
json_t *ctl_json_event(const struct holdfast_event *e);
#define CTL_INSTANCE_LEN 17
const char *ctl_instance(uint64_t instance, char *buf);
#define CTL_CORR_LEN (2 * HOLDFAST_CORR_LEN + 1)
/* A correlation id in hex, as requests to the agent have it; "" or null when there is none. */
const char *ctl_corr(const uint8_t *corr, char *buf);
json_t *ctl_json_corr(const uint8_t *corr);
/* "temp_mc": @name with the unit as a suffix. */
const char *ctl_json_key(const char *name, const char *unit, char *buf, size_t len);
/* Label of a sensor, or "sensor 3". */
const char *ctl_sensor_label(struct holdfast_array *a, uint32_t index, char *buf, size_t len);
const char *ctl_sensor_unit(uint32_t kind);
/* Date and time of CLOCK_REALTIME @real_ns. */
const char *ctl_time(uint64_t real_ns, char *buf, size_t len);
/*
 * "NAME=VALUE" into @env, by the @n limits that the driver has. 0, or an exit code after saying
 * what is wrong.
 */
int ctl_limit_set(struct holdfast_envelope *env, const struct holdfast_limit_info *known, int n,
		  const char *text);
uint64_t ctl_now_ns(void);	/* CLOCK_MONOTONIC */
void ctl_event_print(const struct holdfast_event *e);

/* SIGINT and SIGTERM set a flag and interrupt sleeps. */
void ctl_catch_signals(void);
bool ctl_interrupted(void);

/* A keeper of its own (keep.c), until it ends. Return: exit code. */
int ctl_keep_run(struct ctl *c, const struct ctl_keep *k);

extern const struct ctl_command ctl_commands[];	/* ends with a NULL name */

/* Readers, and what is done. A command without options or arguments has the first reader. */
int ctl_plain_read(struct ctl *c, int argc, char **argv);
int act_read(struct ctl *c, int argc, char **argv);
int audit_export_read(struct ctl *c, int argc, char **argv);
int audit_tail_read(struct ctl *c, int argc, char **argv);
int audit_verify_read(struct ctl *c, int argc, char **argv);
int backup_read(struct ctl *c, int argc, char **argv);
int config_apply_read(struct ctl *c, int argc, char **argv);
int config_check_read(struct ctl *c, int argc, char **argv);
int config_diff_read(struct ctl *c, int argc, char **argv);
int envelope_read(struct ctl *c, int argc, char **argv);
int events_read(struct ctl *c, int argc, char **argv);
int fence_read(struct ctl *c, int argc, char **argv);
int fleet_read(struct ctl *c, int argc, char **argv);
int health_read(struct ctl *c, int argc, char **argv);
int keep_read(struct ctl *c, int argc, char **argv);
int login_read(struct ctl *c, int argc, char **argv);
int metrics_read(struct ctl *c, int argc, char **argv);
int op_read(struct ctl *c, int argc, char **argv);
int play_read(struct ctl *c, int argc, char **argv);
int focus_read(struct ctl *c, int argc, char **argv);
int incident_id_read(struct ctl *c, int argc, char **argv);
int incident_watch_read(struct ctl *c, int argc, char **argv);
int report_read(struct ctl *c, int argc, char **argv);
int silence_read(struct ctl *c, int argc, char **argv);
int solve_read(struct ctl *c, int argc, char **argv);
int status_read(struct ctl *c, int argc, char **argv);
int surface_read(struct ctl *c, int argc, char **argv);

int cmd_arm(struct ctl *c);
int cmd_audit_export(struct ctl *c);
int cmd_audit_tail(struct ctl *c);
int cmd_audit_verify(struct ctl *c);
int cmd_incident_report(struct ctl *c);
int cmd_incident_show(struct ctl *c);
int cmd_incident_watch(struct ctl *c);
int cmd_backup_restore(struct ctl *c);
int cmd_backup_verify(struct ctl *c);
int cmd_blackbox(struct ctl *c);
int cmd_config_apply(struct ctl *c);
int cmd_config_check(struct ctl *c);
int cmd_config_diff(struct ctl *c);
int cmd_config_doc(struct ctl *c);
int cmd_config_man(struct ctl *c);
int cmd_config_schema(struct ctl *c);
int cmd_envelope(struct ctl *c);
int cmd_events(struct ctl *c);
int cmd_explain(struct ctl *c);
int cmd_fence(struct ctl *c);
int cmd_fleet_silence(struct ctl *c);
int cmd_fleet_status(struct ctl *c);
int cmd_focus(struct ctl *c);
int cmd_health(struct ctl *c);
int cmd_keep(struct ctl *c);
int cmd_lease_list(struct ctl *c);
int cmd_list(struct ctl *c);
int cmd_login(struct ctl *c);
int cmd_logout(struct ctl *c);
int cmd_metrics(struct ctl *c);
int cmd_op(struct ctl *c);	/* what has @op and needs nothing else */
int cmd_play(struct ctl *c);
int cmd_report(struct ctl *c);
int cmd_reset(struct ctl *c);
int cmd_self_test(struct ctl *c);
int cmd_silence(struct ctl *c);
int cmd_solve(struct ctl *c);
int cmd_status(struct ctl *c);
int cmd_surface(struct ctl *c);
int cmd_trip(struct ctl *c);

extern const struct ctl_option act_options[], backup_options[], config_apply_options[],
	config_check_options[], envelope_options[], events_options[], export_options[],
	fleet_silence_options[], fleet_status_options[], focus_options[], health_options[], keep_options[], login_options[], metrics_options[], play_options[], report_options[], silence_options[],
	solve_options[], status_options[], tail_options[];

#endif /* HF_CTL_H */
