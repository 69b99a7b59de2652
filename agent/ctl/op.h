/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the table of commands (command.c), the commands that are one operation
 * of the agent (op.c) and what shows results (table.c).
 */
#ifndef HF_CTL_OP_H
#define HF_CTL_OP_H

#include "ctl.h"

/* Options, arguments and help of a command that is an operation of the agent. Static room. */
const struct ctl_option *ctl_op_options(const struct ctl_command *cmd);
const char *ctl_op_args(const struct ctl_command *cmd);
const char *ctl_op_help(const struct ctl_command *cmd);

/* How records of the audit log are shown. */
#define CTL_RECORDS	"records: seq t_ns actor.name action object phase result"

/* "24h" ago, "2026-11-22T18:00:00Z": nanoseconds since 1970. Return: 0, -1 after saying why. */
int ctl_parse_when(const char *text, const char *what, int64_t *real_ns);

/**
 * ctl_show() - print a result: as JSON with --json, else for people
 * @show:	"users: name role tenant": member "users" as a table with these columns;
 *		"=token": this member alone, so that it can be redirected into a file;
 *		NULL: every member on a line of its own
 * @result:	stolen
 *
 * Members whose name ends with _ns are times, with _s durations. Control characters are escaped.
 */
int ctl_show(struct ctl *c, const char *show, json_t *result);
/* Text from the network, without control characters. */
void ctl_put_text(const char *text);
/* Rows of an array of objects, as ctl_show() prints them. @head: with the names of the columns */
void ctl_table(const json_t *rows, const char *columns, bool head);

#endif /* HF_CTL_OP_H */
