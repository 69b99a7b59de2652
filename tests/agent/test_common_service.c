// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a child process with a role that only takes notes; the parent and
 * a peer are played by links in the same loop.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "service.h"

static struct hf_test_clock clock_;
static struct hf_loop *loop;
static struct hf_service *service;
static struct hf_link *parent, *peer;
static unsigned int parent_state = HF_ST_RUNNING;
static char notes[512];		/* what the role was asked, in order */
static bool prepare_refuses, start_waits, stop_waits;
static int last_status;
static json_t *last_result;
static bool parent_link_closed, peer_link_closed;
static char broken_role[16];
static int leaving;

static void note(const char *what)
{
	strncat(notes, what, sizeof(notes) - strlen(notes) - 1);
	strncat(notes, " ", sizeof(notes) - strlen(notes) - 1);
}

static int role_prepare(struct hf_service *s, const json_t *config, struct hf_err *e)
{
	(void)s;
	cr_assert(json_is_object(config));
	note("prepare");
	return prepare_refuses ? hf_fail(e, -EINVAL, "n is 7, at most 5") : 0;
}

static int role_commit(struct hf_service *s, const json_t *config, struct hf_err *e)
{
	char text[32];

	(void)s;
	(void)e;
	snprintf(text, sizeof(text), "commit:%d",
		 (int)json_integer_value(json_object_get(config, "n")));
	note(text);
	return 0;
}

static int role_start(struct hf_service *s, struct hf_err *e)
{
	(void)e;
	note("start");
	if (!start_waits)
		hf_service_ready(s);
	return 0;
}

static void role_message(struct hf_service *s, struct hf_link *from, struct hf_ipc_msg *m)
{
	(void)s;
	note(hf_msg_name(m->type));
	if (m->id)
		hf_link_reply(from, m->id, &m->corr, 200, json_pack("{s:i}", "seq", 5));
}

static void role_peer(struct hf_service *s, enum hf_proc who, struct hf_link *l)
{
	char text[32];

	(void)s;
	snprintf(text, sizeof(text), "%s%s", l ? "+" : "-", hf_proc_name(who));
	note(text);
}

static void role_notice(struct hf_service *s, enum hf_proc who, bool back)
{
	char text[32];

	(void)s;
	snprintf(text, sizeof(text), "%s:%s", hf_proc_name(who), back ? "back" : "gone");
	note(text);
}

static void role_stop(struct hf_service *s)
{
	note("stop");
	if (!stop_waits)
		hf_service_done(s, 0);
}

static json_t *role_stats(struct hf_service *s)
{
	(void)s;
	return json_pack("{s:i}", "beats", 3);
}

static void role_free(struct hf_service *s)
{
	(void)s;
	note("free");
}

static const struct hf_role_ops role = {
	.role = HF_PROC_AUTH,
	.prepare = role_prepare,
	.commit = role_commit,
	.start = role_start,
	.message = role_message,
	.peer = role_peer,
	.notice = role_notice,
	.stop = role_stop,
	.stats = role_stats,
	.free = role_free,
};

static void parent_message(void *arg, struct hf_link *l, struct hf_ipc_msg *m)
{
	(void)arg;
	(void)l;
	if (m->type == HF_MSG_LEAVING) {
		leaving++;
		return;
	}
	cr_assert_eq(m->type, HF_MSG_BROKEN);
	snprintf(broken_role, sizeof(broken_role), "%s",
		 json_string_value(json_object_get(m->body, "role")));
}

static void parent_closed(void *arg, struct hf_link *l, const char *why)
{
	(void)arg;
	(void)l;
	cr_log_info("control closed: %s", why);
	parent_link_closed = true;
	parent = NULL;
}

static void peer_message(void *arg, struct hf_link *l, struct hf_ipc_msg *m)
{
	(void)arg;
	cr_assert_eq(m->type, HF_MSG_APPEND);
	cr_assert_str_eq(json_string_value(json_object_get(m->body, "action")), "key.rotate");
	hf_link_reply(l, m->id, &m->corr, 200, json_pack("{s:i}", "seq", 77));
}

static void peer_closed(void *arg, struct hf_link *l, const char *why)
{
	(void)arg;
	(void)why;
	peer_link_closed = true;
	if (peer == l)
		peer = NULL;
}

static const struct hf_link_ops parent_ops = { parent_message, parent_closed };
static const struct hf_link_ops peer_ops = { peer_message, peer_closed };

static void turn(void)
{
	for (int i = 0; i < 8; i++)
		hf_loop_once(loop, 0);
}

static void answered(void *arg, int status, const json_t *result)
{
	(void)arg;
	last_status = status;
	json_decref(last_result);
	last_result = json_deep_copy(result);
}

static int ask(enum hf_msg type, json_t *body, int fd)
{
	last_status = 0;
	cr_assert_eq(hf_link_request(parent, type, NULL, body, fd,
				     hf_mono_ns(&clock_.clock) + HF_S, answered, NULL), 0);
	turn();
	return last_status;
}

/* A request after which the service ends its loop. Return: its exit status. */
static int ask_last(enum hf_msg type)
{
	int ret;

	ask(type, json_object(), -1);
	ret = hf_loop_run(loop);
	turn();
	return ret;
}

static int ask_config(enum hf_msg type, int n)
{
	return ask(type, json_pack("{s:{s:i}}", "config", "n", n), -1);
}

/* A link to the service for @who to use; the service gets the other end. */
static void wire(enum hf_proc who, const struct hf_link_ops *ops)
{
	static unsigned int state = HF_ST_RUNNING;
	int sv[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	cr_assert_eq(hf_link_new(&peer, loop, sv[0], who, HF_PROC_AUTH, &state, ops, NULL), 0);
	cr_assert_eq(ask(HF_MSG_PEER, json_pack("{s:s}", "role", hf_proc_name(who)), sv[1]), 200);
	close(sv[1]);
}

static void setup(void)
{
	struct hf_service_env env = { .random = &hf_system_random };
	int sv[2];

	hf_test_clock_init(&clock_, HF_S, HF_S);
	cr_assert_eq(hf_loop_new(&loop, &clock_.clock), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	env.loop = loop;
	env.control_fd = sv[1];
	cr_assert_eq(hf_service_new(&service, &role, &env), 0);
	cr_assert_eq(hf_link_new(&parent, loop, sv[0], HF_PROC_PARENT, HF_PROC_AUTH, &parent_state,
				 &parent_ops, NULL), 0);
}

static void teardown(void)
{
	hf_link_free(parent);
	hf_link_free(peer);
	hf_service_free(service);
	hf_loop_free(loop);
	json_decref(last_result);
}

static void run(void)
{
	cr_assert_eq(ask_config(HF_MSG_CONFIG, 1), 200);
	cr_assert_eq(ask(HF_MSG_START, json_object(), -1), 200);
}

TestSuite(service, .init = setup, .fini = teardown, .timeout = 10);

Test(service, life_in_order)
{
	cr_assert_eq(ask_config(HF_MSG_CONFIG, 1), 200);
	wire(HF_PROC_AUDIT, &peer_ops);
	cr_assert_eq(ask(HF_MSG_START, json_object(), -1), 200);
	cr_assert_eq(ask(HF_MSG_PING, json_pack("{s:s}", "nonce", "00112233aabbccdd"), -1), 200);
	cr_assert_str_eq(json_string_value(json_object_get(last_result, "nonce")),
			 "00112233aabbccdd");
	cr_assert_eq(json_integer_value(json_object_get(json_object_get(last_result, "stats"),
							"beats")), 3);
	hf_link_send(parent, HF_MSG_NOTICE, NULL,
		     json_pack("{s:s, s:s}", "role", "keeper", "what", "gone"), -1);
	cr_assert_eq(ask_last(HF_MSG_STOP), 0);
	cr_assert_eq(last_status, 200);
	cr_assert_str_eq(notes, "prepare commit:1 +audit start keeper:gone stop ");
}

Test(service, first_configuration_refused)
{
	prepare_refuses = true;
	cr_assert_eq(ask_config(HF_MSG_CONFIG, 7), 422);
	cr_assert_str_eq(json_string_value(json_object_get(last_result, "message")),
			 "n is 7, at most 5");
	cr_assert_eq(ask_last(HF_MSG_START), EXIT_FAILURE);
	cr_assert_eq(last_status, 422, "START without a configuration");
}

Test(service, reload_is_all_or_nothing)
{
	run();
	notes[0] = '\0';
	cr_assert_eq(ask_config(HF_MSG_PREPARE, 2), 200);
	cr_assert_eq(ask(HF_MSG_ABORT, json_object(), -1), 200);
	cr_assert_eq(ask(HF_MSG_COMMIT, json_object(), -1), 422, "nothing is prepared");
	cr_assert_eq(ask_config(HF_MSG_PREPARE, 3), 200);
	prepare_refuses = true;
	cr_assert_eq(ask_config(HF_MSG_PREPARE, 4), 422);
	cr_assert_eq(ask(HF_MSG_COMMIT, json_object(), -1), 422, "the earlier one is forgotten");
	prepare_refuses = false;
	cr_assert_eq(ask_config(HF_MSG_PREPARE, 5), 200);
	cr_assert_eq(ask(HF_MSG_COMMIT, json_object(), -1), 200);
	cr_assert_str_eq(notes, "prepare prepare prepare prepare commit:5 ");
}

Test(service, ready_may_come_later)
{
	start_waits = true;
	cr_assert_eq(ask_config(HF_MSG_CONFIG, 1), 200);
	cr_assert_eq(ask(HF_MSG_START, json_object(), -1), 0);
	hf_service_ready(service);
	turn();
	cr_assert_eq(last_status, 200);
}

Test(service, peers_are_told_not_now_while_starting)
{
	wire(HF_PROC_KEEPER, &peer_ops);
	last_status = 0;
	cr_assert_eq(hf_link_request(peer, HF_MSG_WHOIS, NULL,
				     json_pack("{s:i, s:[]}", "uid", 1, "gids"), -1, UINT64_MAX,
				     answered, NULL),
		     0);
	turn();
	cr_assert_eq(last_status, 503);
	cr_assert_not(peer_link_closed);
	run();
	cr_assert_eq(hf_link_request(peer, HF_MSG_WHOIS, NULL,
				     json_pack("{s:i, s:[]}", "uid", 1, "gids"), -1, UINT64_MAX,
				     answered, NULL),
		     0);
	turn();
	cr_assert_eq(last_status, 200);
}

Test(service, a_fresh_link_replaces_the_old_one)
{
	run();
	wire(HF_PROC_AUDIT, &peer_ops);
	notes[0] = '\0';
	wire(HF_PROC_AUDIT, &peer_ops);
	turn();
	cr_assert_str_eq(notes, "-audit +audit ");
	cr_assert(peer_link_closed);
}

Test(service, append_goes_to_audit)
{
	run();
	cr_assert_eq(hf_append(service, NULL, &hf_actor_self, "key.rotate", "jwt", "event", "ok", 0,
			       json_pack("{s:i}", "kid", 2), answered, NULL), -ENOTCONN);
	wire(HF_PROC_AUDIT, &peer_ops);
	cr_assert_eq(hf_append(service, NULL, &hf_actor_self, "key.rotate", "jwt", "event", "ok", 0,
			       json_pack("{s:i}", "kid", 2), answered, NULL), 0);
	turn();
	cr_assert_eq(last_status, 200);
	cr_assert_eq(json_integer_value(json_object_get(last_result, "seq")), 77);
	cr_assert_eq(hf_append(service, NULL, &hf_actor_self, "key.rotate", "jwt", "no-phase", "ok",
			       0, NULL, NULL, NULL),
		     -EINVAL, "refused here, not by ending the link");
}

Test(service, a_peer_that_breaks_the_rules_is_reported)
{
	int sv[2];

	run();
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	cr_assert_eq(ask(HF_MSG_PEER, json_pack("{s:s}", "role", "front"), sv[1]), 200);
	close(sv[1]);
	notes[0] = '\0';
	cr_assert_eq(send(sv[0], "rubbish", 7, 0), 7);
	turn();
	cr_assert_str_eq(notes, "-front ");
	cr_assert_str_eq(broken_role, "front");
	close(sv[0]);
}

/* Who was cut off may live on, with its end of the link. */
Test(service, who_is_gone_can_send_no_more)
{
	run();
	wire(HF_PROC_KEEPER, &peer_ops);
	notes[0] = '\0';
	cr_assert_eq(hf_link_request(peer, HF_MSG_WHOIS, NULL,
				     json_pack("{s:i, s:[]}", "uid", 1, "gids"), -1, UINT64_MAX,
				     answered, NULL),
		     0);
	hf_link_send(parent, HF_MSG_NOTICE, NULL,
		     json_pack("{s:s, s:s}", "role", "keeper", "what", "gone"), -1);
	turn();
	cr_assert(strstr(notes, "WHOIS"), "what it had sent is read: %s", notes);
	cr_assert(strstr(notes, "-keeper"), "%s", notes);
	cr_assert(peer_link_closed);
	cr_assert_null(hf_service_link(service, HF_PROC_KEEPER));
	cr_assert_str_eq(broken_role, "");
	hf_link_send(parent, HF_MSG_NOTICE, NULL,
		     json_pack("{s:s, s:s}", "role", "keeper", "what", "back"), -1);
	wire(HF_PROC_KEEPER, &peer_ops);
	hf_link_send(parent, HF_MSG_NOTICE, NULL,
		     json_pack("{s:s, s:s}", "role", "keeper", "what", "back"), -1);
	turn();
	cr_assert_not_null(hf_service_link(service, HF_PROC_KEEPER));
}

/* Systemd has told it to stop, which the parent cannot know when it sends. */
Test(service, the_parent_may_cross_with_the_end)
{
	int sv[2];

	run();
	stop_waits = true;
	hf_service_leave(service);
	cr_assert_str_eq(notes, "prepare commit:1 start stop ");
	cr_assert_eq(ask_config(HF_MSG_PREPARE, 2), 503);
	cr_assert_eq(ask(HF_MSG_COMMIT, json_object(), -1), 503);
	cr_assert_eq(ask(HF_MSG_STOP, json_object(), -1), 503);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	cr_assert_eq(ask(HF_MSG_PEER, json_pack("{s:s}", "role", "keeper"), sv[1]), 503);
	close(sv[0]);
	close(sv[1]);
	cr_assert_eq(ask(HF_MSG_FILES, json_pack("{s:s}", "after", ""), -1), 500,
		     "answered: no folder is open");
	cr_assert_eq(ask(HF_MSG_PING, json_pack("{s:s}", "nonce", "00112233aabbccdd"), -1), 200);
	cr_assert_eq(leaving, 1);
	cr_assert_not(parent_link_closed);
	cr_assert_str_eq(notes, "prepare commit:1 start stop ");
	hf_service_leave(service);
	turn();
	cr_assert_eq(leaving, 1);
	hf_service_done(service, 0);
	cr_assert_eq(hf_loop_run(loop), 0);
}

Test(service, without_a_parent_it_ends_in_order)
{
	run();
	notes[0] = '\0';
	hf_link_free(parent);
	parent = NULL;
	cr_assert_eq(hf_loop_run(loop), 0);
	cr_assert_str_eq(notes, "stop ");
}

Test(service, without_a_parent_it_ends_in_time)
{
	run();
	stop_waits = true;
	hf_link_free(parent);
	parent = NULL;
	turn();
	hf_test_clock_advance(&clock_, 2 * HF_S);
	cr_assert_eq(hf_loop_run(loop), EXIT_FAILURE);
}

Test(service, ends_the_link_to_a_parent_out_of_order)
{
	ask_config(HF_MSG_PREPARE, 1);
	cr_assert_eq(hf_loop_run(loop), 0);
	turn();
	cr_assert_eq(last_status, 502);
	cr_assert(parent_link_closed);
}
