// SPDX-License-Identifier: GPL-2.0
/*
 * The auth process over real links, all others played by the test: it starts,
 * answers front, keeper and parent, hands on, loses a peer in the middle of a
 * call, and takes a new configuration.
 */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "config.h"
#include "ops.h"
#include "service.h"

static struct hf_loop *loop;
static struct hf_service *service;
static struct hf_link *parent, *peers[HF_PROCS];
static unsigned int running = HF_ST_RUNNING;
static char dir[64];
static int status;
static json_t *result;
static unsigned int answers, appended, handed_on;
static bool keeper_is_dumb;

static void on_message(void *arg, struct hf_link *l, struct hf_ipc_msg *m)
{
	(void)arg;
	if (m->type == HF_MSG_APPEND) {
		hf_link_reply(l, m->id, &m->corr, 200, json_pack("{s:i}", "seq", (int)++appended));
		return;
	}
	cr_assert_eq(m->type, HF_MSG_CALL);
	handed_on++;
	if (!keeper_is_dumb)
		hf_link_reply(l, m->id, &m->corr, 200, json_pack("{s:[]}", "arrays"));
}

static void on_closed(void *arg, struct hf_link *l, const char *why)
{
	(void)arg;
	cr_log_info("closed: %s", why);
	if (parent == l)
		parent = NULL;
	for (int i = 0; i < HF_PROCS; i++)
		if (peers[i] == l)
			peers[i] = NULL;
}

static const struct hf_link_ops ops = { on_message, on_closed };

static void answered(void *arg, int s, const json_t *j)
{
	(void)arg;
	status = s;
	json_decref(result);
	result = json_deep_copy(j);
	answers++;
}

static void turn_until(unsigned int n)
{
	for (int i = 0; i < 500 && answers < n; i++)
		hf_loop_once(loop, 20);
}

static int ask(struct hf_link *l, enum hf_msg type, json_t *body, int fd)
{
	unsigned int n = answers;

	status = 0;
	cr_assert_eq(hf_link_request(l, type, NULL, body, fd, hf_mono_ns(&hf_system_clock) + 20 * HF_S,
				     answered, NULL), 0);
	turn_until(n + 1);
	return status;
}

static json_t *config(const char *more)
{
	struct hf_config_errors *errors = calloc(1, sizeof(*errors));
	char text[512];
	struct hf_config *c;
	json_t *part;

	snprintf(text, sizeof(text), "environment: test\npaths: { state: %s }\n%s", dir, more);
	cr_assert_eq(hf_config_parse(text, strlen(text), "test", NULL, &c, errors), 0, "%s", errors->e[0].text);
	part = json_pack("{s:o}", "config", hf_config_part(c, HF_PROC_AUTH));
	hf_config_free(c);
	free(errors);
	return part;
}

static void wire(enum hf_proc who)
{
	int sv[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	cr_assert_eq(hf_link_new(&peers[who], loop, sv[0], who, HF_PROC_AUTH, &running, &ops, NULL), 0);
	cr_assert_eq(ask(parent, HF_MSG_PEER, json_pack("{s:s}", "role", hf_proc_name(who)), sv[1]), 200);
	close(sv[1]);
}

static void setup(void)
{
	struct hf_service_env env = { .random = &hf_system_random };
	char auth[80];
	int sv[2];

	hf_log_level(HF_LOG_ERROR);
	strcpy(dir, "/tmp/hold-auth-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(auth, sizeof(auth), "%s/auth", dir);
	cr_assert_eq(mkdir(auth, 0700), 0);
	cr_assert_eq(hf_loop_new(&loop, &hf_system_clock), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	env.loop = loop;
	env.control_fd = sv[1];
	cr_assert_eq(hf_service_new(&service, &hf_auth_ops, &env), 0);
	cr_assert_eq(hf_link_new(&parent, loop, sv[0], HF_PROC_PARENT, HF_PROC_AUTH, &running, &ops, NULL), 0);
	cr_assert_eq(ask(parent, HF_MSG_CONFIG, config("auth: { argon2_kib: 1024 }"), -1), 200);
	for (enum hf_proc p = HF_PROC_AUDIT; p < HF_PROCS; p++)
		if (hf_msg_linked(HF_PROC_AUTH, p))
			wire(p);
	cr_assert_eq(ask(parent, HF_MSG_START, json_object(), -1), 200, "%s",
		     json_string_value(json_object_get(result, "message")));
}

static void teardown(void)
{
	char cmd[96];

	hf_service_free(service);
	for (int i = 0; i < HF_PROCS; i++)
		hf_link_free(peers[i]);
	hf_link_free(parent);
	hf_loop_free(loop);
	json_decref(result);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	cr_assert_eq(system(cmd), 0);
}

TestSuite(process, .init = setup, .fini = teardown, .timeout = 60);

static json_t *call(const char *op, json_t *args, bool local)
{
	json_t *cred = local ? json_pack("{s:s, s:i, s:[], s:i}", "kind", "peer", "uid", 0, "gids", "pid", 1) :
			       json_pack("{s:s}", "kind", "none");

	return json_pack("{s:s, s:o, s:o, s:{s:s, s:s}}", "op", op, "args", args, "cred", cred, "src", "via",
			 local ? "local" : "network", "address", local ? "" : "192.0.2.1");
}

static int ask_local(const char *op, json_t *args)
{
	return ask(peers[HF_PROC_LOCAL], HF_MSG_CALL, call(op, args, true), -1);
}

Test(process, answers_each_of_its_peers)
{
	cr_assert_eq(ask(peers[HF_PROC_FRONT], HF_MSG_CALL, call("version", json_object(), false), -1), 200);
	cr_assert_str_eq(json_string_value(json_object_get(result, "agent")), HF_VERSION);
	cr_assert_eq(ask(peers[HF_PROC_KEEPER], HF_MSG_WHOIS, json_pack("{s:i, s:[]}", "uid", 0, "gids"), -1), 200);
	cr_assert_str_eq(json_string_value(json_object_get(result, "role")), "admin");
	cr_assert_eq(ask(peers[HF_PROC_FRONT], HF_MSG_SECRET, json_pack("{s:s}", "name", "tls-key"), -1), 404);
	cr_assert_eq(ask(peers[HF_PROC_FRONT], HF_MSG_SECRET, json_pack("{s:s}", "name", "auth-totp"), -1), 403);
	cr_assert_eq(ask_local("array.list", json_object()), 200);
	cr_assert_eq(handed_on, 1);
	cr_assert_eq(ask(parent, HF_MSG_PING, json_pack("{s:s}", "nonce", "0123456789abcdef"), -1), 200);
	cr_assert_geq(json_integer_value(json_object_get(json_object_get(result, "stats"), "calls")), 2);
}

Test(process, privileged_only_when_audit_says_durable)
{
	cr_assert_eq(ask_local("user.create", json_pack("{s:s, s:s}", "user", "ben", "role", "user")), 503);
	cr_assert_eq(hf_link_send(peers[HF_PROC_AUDIT], HF_MSG_DURABLE, NULL,
				  json_pack("{s:b, s:s}", "durable", 1, "why", ""), -1), 0);
	cr_assert_eq(ask_local("user.create", json_pack("{s:s, s:s, s:s}", "user", "ben", "role", "user", "password",
							 "correct horse battery")), 200);
	cr_assert_eq(appended, 2, "intent and outcome");
	hf_link_free(peers[HF_PROC_AUDIT]);
	peers[HF_PROC_AUDIT] = NULL;
	for (int i = 0; i < 4; i++)
		hf_loop_once(loop, 0);
	cr_assert_eq(ask_local("user.remove", json_pack("{s:s}", "user", "ben")), 503);
	/* a new one has to say so first */
	wire(HF_PROC_AUDIT);
	cr_assert_eq(ask_local("user.remove", json_pack("{s:s}", "user", "ben")), 503);
}

Test(process, a_peer_that_goes_in_the_middle)
{
	unsigned int n = answers;

	keeper_is_dumb = true;
	cr_assert_eq(hf_link_request(peers[HF_PROC_LOCAL], HF_MSG_CALL, NULL, call("array.list", json_object(), true),
				     -1, hf_mono_ns(&hf_system_clock) + 20 * HF_S, answered, NULL), 0);
	for (int i = 0; i < 10; i++)
		hf_loop_once(loop, 0);
	cr_assert_eq(handed_on, 1);
	hf_link_free(peers[HF_PROC_KEEPER]);
	peers[HF_PROC_KEEPER] = NULL;
	turn_until(n + 1);
	cr_assert_eq(status, 502);
	cr_assert_eq(ask_local("array.list", json_object()), 503);
	/* who asked has gone: his answer goes to nobody, least of all to his successor */
	wire(HF_PROC_KEEPER);
	cr_assert_eq(hf_link_request(peers[HF_PROC_LOCAL], HF_MSG_CALL, NULL, call("array.list", json_object(), true),
				     -1, hf_mono_ns(&hf_system_clock) + 20 * HF_S, answered, NULL), 0);
	for (int i = 0; i < 10; i++)
		hf_loop_once(loop, 0);
	hf_link_free(peers[HF_PROC_LOCAL]);
	wire(HF_PROC_LOCAL);
	hf_link_free(peers[HF_PROC_KEEPER]);
	peers[HF_PROC_KEEPER] = NULL;
	for (int i = 0; i < 10; i++)
		hf_loop_once(loop, 0);
	cr_assert_not_null(peers[HF_PROC_LOCAL]);
	cr_assert_eq(ask_local("version", json_object()), 200);
}

Test(process, snapshot_for_a_backup)
{
	struct stat st;

	cr_assert_eq(ask(parent, HF_MSG_CALL, json_pack("{s:s, s:{}, s:o}", "op", "backup.snapshot", "args", "actor",
							 hf_actor_json(&hf_actor_self)), -1), 200);
	cr_assert_eq(stat(json_string_value(json_object_get(result, "path")), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(ask(parent, HF_MSG_CALL, json_pack("{s:s, s:{}, s:o}", "op", "user.list", "args", "actor",
							 hf_actor_json(&hf_actor_self)), -1), 404);
}

Test(process, another_configuration)
{
	cr_assert_eq(ask(parent, HF_MSG_PREPARE, config("auth: { argon2_kib: 1048576, argon2_passes: 32 }"), -1), 422);
	cr_assert_eq(ask(parent, HF_MSG_PREPARE, config("auth: { argon2_kib: 2048 }\npeers: [ { uid: 77, role: operator } ]"),
			 -1), 200);
	cr_assert_eq(ask(parent, HF_MSG_COMMIT, json_object(), -1), 200);
	cr_assert_eq(ask(peers[HF_PROC_KEEPER], HF_MSG_WHOIS, json_pack("{s:i, s:[]}", "uid", 77, "gids"), -1), 200);
	cr_assert_str_eq(json_string_value(json_object_get(result, "role")), "operator");
}

Test(process, ends_while_passwords_are_hashed)
{
	cr_assert_eq(hf_link_request(peers[HF_PROC_FRONT], HF_MSG_CALL, NULL,
				     call("login", json_pack("{s:s, s:s}", "user", "ann", "password", "x"), false), -1,
				     hf_mono_ns(&hf_system_clock) + 20 * HF_S, answered, NULL), 0);
	for (int i = 0; i < 3; i++)
		hf_loop_once(loop, 0);
	/* teardown frees the service; the sanitizer sees what is lost */
}

/* Of all files that auth keeps: password hashes and secrets leave it (encrypted), no key does. */
Test(auth_backup, what_leaves_the_folder)
{
	static const char *const leave[] = { "snapshot.db", "secrets", "secrets.counter" };
	static const char *const stay[] = {
		"master.key", "signing-keys", "first-run-secret", "users.db", "users.db-wal",
		"users.db-shm", ".secrets.tmp", "", "secrets.", "anything",
	};

	for (size_t i = 0; i < sizeof(leave) / sizeof(leave[0]); i++)
		cr_expect(hf_auth_ops.backup(leave[i]), "%s", leave[i]);
	for (size_t i = 0; i < sizeof(stay) / sizeof(stay[0]); i++)
		cr_expect_not(hf_auth_ops.backup(stay[i]), "%s", stay[i]);
}
