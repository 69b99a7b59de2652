// SPDX-License-Identifier: GPL-2.0
/*
 * A stage for the HTTP processes: front and local as they are, with a parent,
 * an auth and a keeper that only play their parts. For tests from outside
 * (http-*.py) and for the bench. No test is in here.
 *
 *   http_stage CONFIG.yaml [sandbox]
 *
 * Says "pid ROLE N" for each process, then "ready"; "silence ..." and "report ..."
 * when those come. Takes on standard input: "stats ROLE", "commit" (the file
 * again), "quit". Without a network or local part in the configuration, that process
 * listens nowhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "file.h"
#include "ops.h"
#include "service.h"
#include "wipe.h"

#define GOOD_TOKEN	"good-token-0123456789"
#define OTHER_TOKEN	"other-token-0123456789"
#define GOOD_COOKIE	"good-session-0123456789"
#define NEW_COOKIE	"new-session-0123456789"

static void say(const char *word, const json_t *j)
{
	char *text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);

	printf("%s %s\n", word, text);
	fflush(stdout);
	free(text);
}

/* ---------------------------------------------------------- the fake roles */

static int config_any(struct hf_service *s, const json_t *config, struct hf_err *e)
{
	(void)s;
	(void)config;
	(void)e;
	return 0;
}

static int start_any(struct hf_service *s, struct hf_err *e)
{
	(void)e;
	hf_service_ready(s);
	return 0;
}

static void stop_any(struct hf_service *s)
{
	hf_service_done(s, EXIT_SUCCESS);
}

static const char *text_at(const json_t *j, const char *a, const char *b)
{
	const char *s = json_string_value(json_object_get(json_object_get(j, a), b));

	return s ? s : "";
}

static bool known(const json_t *call)
{
	const char *kind = text_at(call, "cred", "kind");
	const char *secret = text_at(call, "cred", "secret");

	return !strcmp(kind, "peer") ||
	       (!strcmp(kind, "bearer") && (!strcmp(secret, GOOD_TOKEN) || !strcmp(secret, OTHER_TOKEN))) ||
	       (!strcmp(kind, "cookie") && !strcmp(secret, GOOD_COOKIE));
}

static void say_report(const struct hf_ipc_msg *m)
{
	json_t *j = json_copy((json_t *)m->body);
	char hex[HF_CORR_TEXT];

	json_object_set_new(j, "corr", json_string(hf_corr_text(&m->corr, hex)));
	say("report", j);
	json_decref(j);
}

static void auth_message(struct hf_service *s, struct hf_link *from, struct hf_ipc_msg *m)
{
	const char *name = json_string_value(json_object_get(m->body, "op"));
	const struct hf_op *op = name ? hf_op_find(name) : NULL;

	(void)s;
	if (m->type == HF_MSG_REPORT) {
		say_report(m);
		return;
	}
	if (m->type != HF_MSG_CALL || !op) {
		hf_link_error(from, m->id, &m->corr, 404, "not_found", "no such operation");
		return;
	}
	if (!strcmp(name, "login") && strcmp(text_at(m->body, "args", "password"), "right")) {
		hf_link_error(from, m->id, &m->corr, 401, "unauthenticated", "wrong");
	} else if (!strcmp(name, "login")) {
		hf_link_reply(from, m->id, &m->corr, 200,
			      json_pack("{s:s, s:s}", "session", "0123456789abcdef", "cookie", NEW_COOKIE));
	} else if (!strcmp(name, "key.rotate")) {
		hf_link_reply(from, m->id, &m->corr, 503,
			      json_pack("{s:s, s:s, s:i}", "code", "busy", "message", "busy",
					"retry_after_s", 7));
	} else if (!strcmp(name, "session.rotate")) {
		hf_link_reply(from, m->id, &m->corr, 429,
			      json_pack("{s:s, s:s, s:i}", "code", "limited", "message", "too many",
					"retry_after_s", 3));
	} else if (!strcmp(name, "version")) {
		hf_link_reply(from, m->id, &m->corr, 200,
			      json_pack("{s:s, s:i, s:b}", "agent", "0.1.0", "api", 1, "first_run", 0));
	} else if (!(op->roles & HF_ROLE_PUBLIC) && !known(m->body)) {
		hf_link_error(from, m->id, &m->corr, 401, "unauthenticated", "not known");
	} else {
		/* Everything else: what has come. */
		hf_link_reply(from, m->id, &m->corr, 200, json_deep_copy(m->body));
	}
}

static void keeper_message(struct hf_service *s, struct hf_link *from, struct hf_ipc_msg *m)
{
	(void)s;
	say("silence", m->body);
	hf_link_reply(from, m->id, &m->corr, 200, json_pack("{s:i}", "silenced", 1));
}

static const struct hf_role_ops fake_auth = {
	.role = HF_PROC_AUTH, .prepare = config_any, .commit = config_any, .start = start_any,
	.message = auth_message, .stop = stop_any,
};
static const struct hf_role_ops fake_keeper = {
	.role = HF_PROC_KEEPER, .prepare = config_any, .commit = config_any, .start = start_any,
	.message = keeper_message, .stop = stop_any,
};

/* --------------------------------------------------------------- the stage */

static const struct part {
	const struct hf_role_ops *ops;
	bool sandboxed;
} parts[] = {
	{ &fake_auth, false }, { &fake_keeper, false }, { &hf_local_ops, true }, { &hf_front_ops, true },
};

#define PARTS	(sizeof(parts) / sizeof(parts[0]))

static struct {
	struct hf_loop *loop;
	struct hf_link *links[PARTS];
	pid_t pids[PARTS];
	const char *file;
	bool sandbox, quitting;
	unsigned int state;
	int asked, failed;
	char input[256];
} stage = { .state = HF_ST_RUNNING };

static int child_run(const struct part *p, int control_fd)
{
	struct hf_service_env env = {
		.random = &hf_system_random, .control_fd = control_fd, .mode = HF_SANDBOX_TRAP,
		.sandbox = stage.sandbox && p->sandboxed ? hf_sandbox_enter : NULL,
	};
	struct hf_service *s;
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	hf_wipe_json();
	hf_log_open(p->ops->role, &hf_system_clock);
	if (hf_loop_new(&env.loop, &hf_system_clock) || hf_service_new(&s, p->ops, &env))
		return EXIT_FAILURE;
	ret = hf_loop_run(env.loop);
	hf_service_free(s);
	hf_loop_free(env.loop);
	return ret < 0 ? EXIT_FAILURE : ret;
}

static void on_message(void *arg, struct hf_link *l, struct hf_ipc_msg *m)
{
	(void)arg;
	fprintf(stderr, "stage: %s sends %s\n", hf_proc_name(hf_link_peer(l)), hf_msg_name(m->type));
}

static void on_closed(void *arg, struct hf_link *l, const char *why)
{
	size_t i = (size_t)(const struct part *)arg - (size_t)parts;

	stage.links[i / sizeof(parts[0])] = NULL;
	if (!stage.quitting)
		fprintf(stderr, "stage: %s: %s\n", hf_proc_name(hf_link_peer(l)), why);
}

static const struct hf_link_ops link_ops = { on_message, on_closed };

static void child_start(size_t i)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds))
		exit(EXIT_FAILURE);
	fflush(stdout);
	stage.pids[i] = fork();
	if (!stage.pids[i]) {
		close(STDIN_FILENO);
		close(fds[0]);
		exit(child_run(&parts[i], fds[1]));
	}
	close(fds[1]);
	printf("pid %s %d\n", hf_proc_name(parts[i].ops->role), (int)stage.pids[i]);
	if (hf_link_new(&stage.links[i], stage.loop, fds[0], HF_PROC_PARENT, parts[i].ops->role,
			&stage.state, &link_ops, (void *)&parts[i]))
		exit(EXIT_FAILURE);
}

static void on_reply(void *arg, int status, const json_t *result)
{
	stage.asked--;
	if (status >= 300) {
		say("refused", result);
		stage.failed++;
	} else if (arg) {
		say("stats", result);
	}
}

static void ask(size_t i, enum hf_msg type, json_t *body, int fd, void *arg)
{
	stage.asked++;
	if (!stage.links[i] || hf_link_request(stage.links[i], type, NULL, body, fd,
						 hf_mono_ns(&hf_system_clock) + 10 * HF_S, on_reply, arg))
		on_reply(NULL, 502, NULL);
}

static void settle(void)
{
	while (stage.asked)
		hf_loop_once(stage.loop, 1000);
}

static void config_send(enum hf_msg type)
{
	struct hf_config_errors errors;
	struct hf_config *c = NULL;
	struct hf_err e = { "" };
	char *text = NULL, line[512];
	size_t len;

	if (hf_file_read(AT_FDCWD, stage.file, HF_CONFIG_BYTES_MAX, &text, &len, &e) ||
	    hf_config_parse(text, len, stage.file, NULL, &c, &errors)) {
		fprintf(stderr, "stage: %s\n", e.text[0] ? e.text :
			hf_config_error_text(&errors.e[0], stage.file, line, sizeof(line)));
		exit(EXIT_FAILURE);
	}
	for (size_t i = 0; i < PARTS; i++)
		ask(i, type, json_pack("{s:o}", "config", hf_config_part(c, parts[i].ops->role)), -1, NULL);
	settle();
	hf_config_free(c);
	free(text);
}

static void peers_send(size_t a, size_t b)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds))
		exit(EXIT_FAILURE);
	ask(a, HF_MSG_PEER, json_pack("{s:s}", "role", hf_proc_name(parts[b].ops->role)), fds[0], NULL);
	ask(b, HF_MSG_PEER, json_pack("{s:s}", "role", hf_proc_name(parts[a].ops->role)), fds[1], NULL);
	settle();
	close(fds[0]);
	close(fds[1]);
}

static void to_all(enum hf_msg type)
{
	for (size_t i = 0; i < PARTS; i++)
		ask(i, type, json_object(), -1, NULL);
	settle();
}

static void on_line(char *line)
{
	if (!strcmp(line, "quit")) {
		stage.quitting = true;
	} else if (!strcmp(line, "commit")) {
		stage.failed = 0;
		config_send(HF_MSG_PREPARE);
		to_all(stage.failed ? HF_MSG_ABORT : HF_MSG_COMMIT);
		puts("committed");
	} else {
		for (size_t i = 0; i < PARTS; i++)
			if (!strncmp(line, "stats ", 6) &&
			    !strcmp(line + 6, hf_proc_name(parts[i].ops->role)))
				ask(i, HF_MSG_PING, json_pack("{s:s}", "nonce", "0123456789abcdef"), -1,
				    &stage);
		settle();
	}
	fflush(stdout);
}

/* Only takes it: lines are worked on outside of the loop's calls, for they run the loop. */
static void on_stdin(void *arg, uint32_t events)
{
	ssize_t n = read(STDIN_FILENO, stage.input, sizeof(stage.input) - 1);

	(void)arg;
	(void)events;
	if (n <= 0)
		strcpy(stage.input, "quit");
	else
		stage.input[n] = '\0';
}

static void work(void)
{
	char input[sizeof(stage.input)];

	while (!stage.quitting) {
		hf_loop_once(stage.loop, 1000);
		strcpy(input, stage.input);
		stage.input[0] = '\0';
		for (char *line = strtok(input, "\n"); line; line = strtok(NULL, "\n"))
			on_line(line);
	}
}

static int end(void)
{
	int bad = 0;

	to_all(HF_MSG_STOP);
	for (size_t i = 0; i < PARTS; i++) {
		int status = 0;

		waitpid(stage.pids[i], &status, 0);
		if (status) {
			fprintf(stderr, "stage: %s ended with %x\n", hf_proc_name(parts[i].ops->role), status);
			bad = 1;
		}
		hf_link_free(stage.links[i]);
	}
	return bad;
}

int main(int argc, char **argv)
{
	struct hf_watch *in;
	int ret;

	if (argc < 2 || hf_loop_new(&stage.loop, &hf_system_clock))
		return 2;
	stage.file = argv[1];
	stage.sandbox = argc > 2 && !strcmp(argv[2], "sandbox");
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < PARTS; i++)
		child_start(i);
	config_send(HF_MSG_CONFIG);
	peers_send(2, 0);
	peers_send(2, 1);
	peers_send(3, 0);
	peers_send(3, 1);
	to_all(HF_MSG_START);
	if (stage.failed)
		return 1;
	puts("ready");
	fflush(stdout);
	if (hf_watch_new(&in, stage.loop, STDIN_FILENO, EPOLLIN, on_stdin, NULL))
		return 2;
	work();
	ret = end();
	hf_watch_free(in);
	hf_loop_free(stage.loop);
	return ret;
}
