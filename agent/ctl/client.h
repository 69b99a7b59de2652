/* SPDX-License-Identifier: GPL-2.0 */
/*
 * holdfastctl as a client of the agent: operations of agent/common/ops.c asked
 * for over HTTP, on the agent's unix socket or by TLS. No command in here.
 */
#ifndef HF_CTL_CLIENT_H
#define HF_CTL_CLIENT_H

#include "corr.h"
#include "ctl.h"
#include "ops.h"

#define CTL_AGENT_SOCKET	"/run/holdfast/api.sock"
#define CTL_URL_MAX		1024
#define CTL_COOKIE_MAX		512	/* "name=value" and NUL */
#define CTL_TOKEN_MAX		4096
#define CTL_SECRET_MAX		8193	/* what may be typed, and NUL */

/**
 * ctl_call() - ask the agent to do one thing
 * @op:		name in the table of operations, "user.list"
 * @args:	stolen, also on error; NULL stands for {}. Checked against the table first
 * @result:	out, new reference: the result object. NULL: not wanted
 *
 * Asks for the password on the terminal and tries again when the agent wants
 * a step-up. Return: 0, or an exit code after saying why (but for c->unsaid).
 */
int ctl_call(struct ctl *c, const char *op, json_t *args, json_t **result);
/* Was the last call refused with one of c->unsaid? */
bool ctl_unsaid(const struct ctl *c);

/* Is there an agent to ask: one named by --agent, or its socket on this host? */
bool ctl_agent_there(const struct ctl *c);
/* "0", "/dev/holdfast0": a number; anything else is a serial. */
bool ctl_array_number(const char *device, int64_t *array);
/* Number of the array that -d means, as the agent knows it. 0, or an exit code after saying why. */
int ctl_agent_array(struct ctl *c, int64_t *array);

/**
 * struct ctl_answer - one HTTP answer
 * @status:	of HTTP; 0: there was none (@why says it)
 * @body:	the whole answer, an object; owned
 * @cookie:	the agent set this one: "name=value"; "name=" takes it away; "": neither
 */
struct ctl_answer {
	long status;
	long retry_after_s;
	json_t *body;
	char cookie[CTL_COOKIE_MAX];
	char corr[HF_CORR_TEXT];
	char why[256];
};

/* What would be sent; pure. Is the agent a socket, or a URL that a password may be sent to? */
bool ctl_agent_ok(const struct ctl *c);
/* @args: checked. false: longer than CTL_URL_MAX, or out of memory. */
bool ctl_url_make(const struct ctl *c, const struct hf_op *op, const json_t *args,
		  char url[CTL_URL_MAX]);
/* JSON of the arguments that go into the body; NULL: out of memory. Wiped by who frees it. */
char *ctl_body_make(const struct hf_op *op, const json_t *args);

/* Transport only: no credentials asked for, nothing printed. @args: checked, borrowed. */
void ctl_http(struct ctl *c, const struct hf_op *op, const json_t *args, struct ctl_answer *a);
/* Asks for the code of the second factor, for @args. 0, or an exit code after saying why. */
int ctl_totp(struct ctl *c, json_t *args);
/* Says that the agent cannot be asked. Return: CTL_NO_AGENT. */
int ctl_fail_agent(struct ctl *c, const char *why);
/* Where the agent is, in words that fit into a file: "unix:/run/holdfast/api.sock". */
const char *ctl_agent_name(const struct ctl *c);

/* credentials.c */

/*
 * A file of ours that nobody else may read, with a NUL behind it. Return: its length, -errno; what
 * is wrong with it is said but for -ENOENT, -EACCES and -ELOOP.
 */
ssize_t ctl_private_read(const char *path, char *buf, size_t len);
enum ctl_credential { CTL_CRED_NONE, CTL_CRED_TOKEN, CTL_CRED_COOKIE };

/*
 * What this call shows: the token in $HOLDFAST_TOKEN_FILE, else the session kept for this agent,
 * else nothing (on the unix socket the kernel says who asks). @text: CTL_TOKEN_MAX bytes.
 * Return: enum ctl_credential, -1 after saying what is wrong with the file.
 */
int ctl_credential(struct ctl *c, char *text);
/* Keeps the session for this agent; an empty value forgets it. 0, or an exit code. */
int ctl_session_keep(struct ctl *c, const char *cookie);

/*
 * A secret from the terminal without echo, or a line of standard input where
 * there is no terminal. @file: from there instead (NULL: none, "-": standard input).
 * @twice: typed again to be sure. Caller wipes. 0, or an exit code after saying why.
 */
int ctl_secret(const char *prompt, const char *file, bool twice, char buf[CTL_SECRET_MAX]);
/* All of a file, or of standard input ("-" or NULL), newlines included. 0, or an exit code. */
int ctl_secret_whole(const char *file, char buf[CTL_SECRET_MAX]);
/* A visible answer from the terminal. 0, or an exit code. */
int ctl_ask(const char *prompt, char *buf, size_t len);
bool ctl_terminal(void);

#endif /* HF_CTL_CLIENT_H */
