// SPDX-License-Identifier: GPL-2.0
/*
 * Links: what is permitted passes, what is hostile ends the link and nothing
 * else; deadlines, full queues, files, and lifetimes of links that are freed
 * from inside their own callbacks.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "ipc_wire.h"

static struct hf_test_clock clock_;
static struct hf_loop *loop;
static unsigned int state = HF_ST_RUNNING;

/* One end of a pair, and what came to it. */
struct end {
	struct hf_link *link;
	int messages, replies, closed;
	bool broken;
	char why[128];
	enum hf_msg type;
	uint64_t id;
	struct hf_corr corr;
	int status;
	char text[128];
	int fd;
	bool answer, free_in_message, free_in_reply, free_in_closed;
};

static struct end a, b;		/* a: auth, b: keeper, unless a test says otherwise */

static void drop(struct end *e)
{
	hf_link_free(e->link);
	e->link = NULL;
}

static void on_message(void *arg, struct hf_link *l, struct hf_ipc_msg *m)
{
	struct end *e = arg;

	e->messages++;
	e->type = m->type;
	e->id = m->id;
	e->corr = m->corr;
	e->fd = m->fd;
	m->fd = -1;
	if (e->answer)
		hf_link_reply(l, m->id, &m->corr, 200, json_pack("{s:s}", "hello", "you"));
	if (e->free_in_message)
		drop(e);
}

static void on_closed(void *arg, struct hf_link *l, const char *why)
{
	struct end *e = arg;

	e->closed++;
	e->broken = hf_link_broken(l);
	snprintf(e->why, sizeof(e->why), "%s", why);
	e->link = NULL;
	if (e->free_in_closed)
		hf_link_free(l);
}

static void on_reply(void *arg, int status, const json_t *result)
{
	struct end *e = arg;
	const char *text = json_string_value(json_object_get(result, "hello"));

	cr_assert(json_is_object(result));
	if (!text)
		text = json_string_value(json_object_get(result, "code"));
	e->replies++;
	e->status = status;
	snprintf(e->text, sizeof(e->text), "%s", text ? text : "");
	if (e->free_in_reply)
		drop(e);
}

static const struct hf_link_ops ops = { on_message, on_closed };

static void turn(void)
{
	for (int i = 0; i < 4; i++)
		hf_loop_once(loop, 0);
}

static void pair(enum hf_proc of_a, enum hf_proc of_b)
{
	int sv[2];

	a = (struct end){ .fd = -1 };
	b = (struct end){ .fd = -1 };
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	cr_assert_eq(hf_link_new(&a.link, loop, sv[0], of_a, of_b, &state, &ops, &a), 0);
	cr_assert_eq(hf_link_new(&b.link, loop, sv[1], of_b, of_a, &state, &ops, &b), 0);
}

/* A link of @self to a @peer that is only a socket, to send rubbish by. Return: the socket. */
static int raw(enum hf_proc self, enum hf_proc peer)
{
	int sv[2];

	a = (struct end){ .fd = -1 };
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	cr_assert_eq(hf_link_new(&a.link, loop, sv[0], self, peer, &state, &ops, &a), 0);
	return sv[1];
}

static void setup(void)
{
	hf_test_clock_init(&clock_, HF_S, 0);
	cr_assert_eq(hf_loop_new(&loop, &clock_.clock), 0);
}

static void teardown(void)
{
	drop(&a);
	drop(&b);
	hf_loop_free(loop);
}

TestSuite(ipc, .init = setup, .fini = teardown, .timeout = 60);

static json_t *whois(void)
{
	return json_pack("{s:i, s:[i, i]}", "uid", 1000, "gids", 4, 27);
}

static int ask(struct end *from, json_t *body)
{
	return hf_link_request(from->link, HF_MSG_WHOIS, NULL, body, -1,
			       hf_mono_ns(&clock_.clock) + HF_S, on_reply, from);
}

Test(ipc, a_request_and_its_answer)
{
	struct hf_corr corr = { { 1, 2, 3 } };

	pair(HF_PROC_AUTH, HF_PROC_KEEPER);
	a.answer = true;
	cr_assert_eq(hf_link_request(b.link, HF_MSG_WHOIS, &corr, whois(), -1, UINT64_MAX, on_reply,
				     &b), 0);
	turn();
	cr_assert_eq(a.messages, 1);
	cr_assert_eq(a.type, HF_MSG_WHOIS);
	cr_assert_eq(memcmp(&a.corr, &corr, sizeof(corr)), 0);
	cr_assert_eq(b.replies, 1);
	cr_assert_eq(b.status, 200);
	cr_assert_str_eq(b.text, "you");
}

Test(ipc, deadline_then_late_answer)
{
	pair(HF_PROC_AUTH, HF_PROC_KEEPER);
	cr_assert_eq(ask(&b, whois()), 0);
	turn();
	hf_test_clock_advance(&clock_, HF_S);
	turn();
	cr_assert_eq(b.replies, 1);
	cr_assert_eq(b.status, 504);
	hf_link_reply(a.link, a.id, NULL, 200, NULL);
	turn();
	cr_assert_eq(b.replies, 1, "exactly once");
	cr_assert_eq(b.closed, 0, "being late is no crime");
}

/* Who was stopped itself finds both, the answer and that its time is over. */
Test(ipc, an_answer_that_is_there_is_not_late)
{
	pair(HF_PROC_AUTH, HF_PROC_KEEPER);
	cr_assert_eq(ask(&b, whois()), 0);
	turn();
	hf_link_reply(a.link, a.id, NULL, 200, NULL);
	hf_test_clock_advance(&clock_, 10 * HF_S);
	turn();
	cr_assert_eq(b.replies, 1);
	cr_assert_eq(b.status, 200);
	cr_assert_eq(b.closed, 0);
}

Test(ipc, an_answer_to_nothing_is)
{
	pair(HF_PROC_AUTH, HF_PROC_KEEPER);
	hf_link_reply(a.link, 7, NULL, 200, NULL);
	turn();
	cr_assert_eq(b.closed, 1);
	cr_assert(b.broken);
}

Test(ipc, what_is_not_permitted_is_not_even_sent)
{
	pair(HF_PROC_AUTH, HF_PROC_KEEPER);
	cr_assert_eq(hf_link_send(b.link, HF_MSG_DURABLE, NULL,
				  json_pack("{s:b, s:s}", "durable", 1, "why", ""), -1), -EPERM);
	cr_assert_eq(ask(&b, json_object()), -EINVAL, "a body that the peer would refuse");
	cr_assert_eq(ask(&b, NULL), -ENOMEM);
}

/* The whole table, independent of how it is written: who may open which door. */
Test(ipc, permissions)
{
	static const struct {
		enum hf_proc from, to;
		enum hf_msg type;
		unsigned int state;
		bool may;
	} cases[] = {
		{ HF_PROC_FRONT, HF_PROC_AUTH, HF_MSG_CALL, HF_ST_RUNNING, true },
		{ HF_PROC_FRONT, HF_PROC_AUTH, HF_MSG_CALL, HF_ST_STARTING, false },
		{ HF_PROC_FRONT, HF_PROC_KEEPER, HF_MSG_SILENCE, HF_ST_STOPPING, true },
		{ HF_PROC_LOCAL, HF_PROC_KEEPER, HF_MSG_SILENCE, HF_ST_STARTING, true },
		{ HF_PROC_FRONT, HF_PROC_KEEPER, HF_MSG_CALL, HF_ST_RUNNING, false },
		{ HF_PROC_FRONT, HF_PROC_AUDIT, HF_MSG_APPEND, HF_ST_RUNNING, false },
		{ HF_PROC_FRONT, HF_PROC_AUTH, HF_MSG_WHOIS, HF_ST_RUNNING, false },
		{ HF_PROC_FRONT, HF_PROC_PARENT, HF_MSG_CALL, HF_ST_RUNNING, false },
		{ HF_PROC_FRONT, HF_PROC_PARENT, HF_MSG_BROKEN, HF_ST_RUNNING, false },
		{ HF_PROC_EXPORT, HF_PROC_PARENT, HF_MSG_BROKEN, HF_ST_RUNNING, false },
		{ HF_PROC_AUTH, HF_PROC_PARENT, HF_MSG_BROKEN, HF_ST_RUNNING, true },
		{ HF_PROC_PARENT, HF_PROC_AUTH, HF_MSG_FILE, HF_ST_RUNNING, true },
		{ HF_PROC_PARENT, HF_PROC_AUTH, HF_MSG_FILE, HF_ST_STOPPING, true },
		{ HF_PROC_PARENT, HF_PROC_AUTH, HF_MSG_FILES, HF_ST_STARTING, false },
		{ HF_PROC_PARENT, HF_PROC_FRONT, HF_MSG_FILE, HF_ST_RUNNING, false },
		{ HF_PROC_FRONT, HF_PROC_PARENT, HF_MSG_LEAVING, HF_ST_RUNNING, true },
		{ HF_PROC_KEEPER, HF_PROC_PARENT, HF_MSG_LEAVING, HF_ST_STOPPING, true },
		{ HF_PROC_PARENT, HF_PROC_KEEPER, HF_MSG_LEAVING, HF_ST_RUNNING, false },
		{ HF_PROC_FRONT, HF_PROC_AUTH, HF_MSG_LEAVING, HF_ST_RUNNING, false },
		{ HF_PROC_AUTH, HF_PROC_AUDIT, HF_MSG_FILE, HF_ST_RUNNING, false },
		{ HF_PROC_KEEPER, HF_PROC_PARENT, HF_MSG_HANDOVER, HF_ST_RUNNING, true },
		{ HF_PROC_FRONT, HF_PROC_PARENT, HF_MSG_HANDOVER, HF_ST_RUNNING, false },
		{ HF_PROC_AUTH, HF_PROC_KEEPER, HF_MSG_CALL, HF_ST_RUNNING, true },
		{ HF_PROC_AUTH, HF_PROC_KEEPER, HF_MSG_SILENCE, HF_ST_RUNNING, false },
		{ HF_PROC_KEEPER, HF_PROC_AUTH, HF_MSG_CALL, HF_ST_RUNNING, false },
		{ HF_PROC_PARENT, HF_PROC_KEEPER, HF_MSG_CALL, HF_ST_RUNNING, true },
		{ HF_PROC_PARENT, HF_PROC_KEEPER, HF_MSG_CALL, HF_ST_STOPPING, false },
		{ HF_PROC_PARENT, HF_PROC_AUDIT, HF_MSG_CALL, HF_ST_RUNNING, false },
		{ HF_PROC_KEEPER, HF_PROC_AUDIT, HF_MSG_APPEND, HF_ST_STOPPING, true },
		{ HF_PROC_AUDIT, HF_PROC_KEEPER, HF_MSG_DURABLE, HF_ST_STARTING, true },
		{ HF_PROC_AUDIT, HF_PROC_EXPORT, HF_MSG_ANCHOR, HF_ST_RUNNING, true },
		{ HF_PROC_EXPORT, HF_PROC_AUDIT, HF_MSG_ANCHOR, HF_ST_RUNNING, false },
		{ HF_PROC_EXPORT, HF_PROC_AUDIT, HF_MSG_ANCHORED, HF_ST_STARTING, true },
		{ HF_PROC_FLEET, HF_PROC_KEEPER, HF_MSG_SILENCE, HF_ST_STARTING, true },
		{ HF_PROC_FLEET, HF_PROC_KEEPER, HF_MSG_TELEMETRY, HF_ST_RUNNING, true },
		{ HF_PROC_FLEET, HF_PROC_KEEPER, HF_MSG_CALL, HF_ST_RUNNING, false },
		{ HF_PROC_FLEET, HF_PROC_AUTH, HF_MSG_SECRET, HF_ST_RUNNING, true },
		{ HF_PROC_FLEET, HF_PROC_AUTH, HF_MSG_CALL, HF_ST_RUNNING, false },
		{ HF_PROC_FLEET, HF_PROC_AUTH, HF_MSG_WHOIS, HF_ST_RUNNING, false },
		{ HF_PROC_FLEET, HF_PROC_AUDIT, HF_MSG_EVENTS, HF_ST_RUNNING, true },
		{ HF_PROC_FLEET, HF_PROC_AUDIT, HF_MSG_APPEND, HF_ST_RUNNING, false },
		{ HF_PROC_FLEET, HF_PROC_AUDIT, HF_MSG_ANCHORED, HF_ST_RUNNING, false },
		{ HF_PROC_FLEET, HF_PROC_AUDIT, HF_MSG_CALL, HF_ST_RUNNING, false },
		{ HF_PROC_FLEET, HF_PROC_PARENT, HF_MSG_CALL, HF_ST_RUNNING, false },
		{ HF_PROC_FLEET, HF_PROC_PARENT, HF_MSG_BROKEN, HF_ST_RUNNING, false },
		{ HF_PROC_EXPORT, HF_PROC_AUDIT, HF_MSG_EVENTS, HF_ST_RUNNING, false },
		{ HF_PROC_FRONT, HF_PROC_AUDIT, HF_MSG_EVENTS, HF_ST_RUNNING, false },
		{ HF_PROC_AUDIT, HF_PROC_FLEET, HF_MSG_ANCHOR, HF_ST_RUNNING, true },
		{ HF_PROC_AUTH, HF_PROC_AUDIT, HF_MSG_ANCHORED, HF_ST_RUNNING, false },
		{ HF_PROC_PARENT, HF_PROC_FRONT, HF_MSG_STOP, HF_ST_STARTING, true },
		{ HF_PROC_PARENT, HF_PROC_FRONT, HF_MSG_PREPARE, HF_ST_STARTING, false },
		{ HF_PROC_AUTH, HF_PROC_FRONT, HF_MSG_STOP, HF_ST_RUNNING, false },
		{ HF_PROC_FRONT, HF_PROC_LOCAL, HF_MSG_REPLY, HF_ST_RUNNING, false },
		{ HF_PROC_FRONT, HF_PROC_AUTH, HF_MSG_REPLY, HF_ST_RUNNING, true },
		{ HF_PROC_FRONT, HF_PROC_FRONT, HF_MSG_REPLY, HF_ST_RUNNING, false },
		{ HF_PROC_FRONT, HF_PROCS, HF_MSG_CALL, HF_ST_RUNNING, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(hf_msg_permitted(cases[i].from, cases[i].to, cases[i].type,
					      cases[i].state), cases[i].may, "case %zu", i);
	/* docs/agent.md: everything else has no socket. */
	cr_expect(hf_msg_linked(HF_PROC_FRONT, HF_PROC_AUTH));
	cr_expect(hf_msg_linked(HF_PROC_AUTH, HF_PROC_FRONT));
	cr_expect_not(hf_msg_linked(HF_PROC_FRONT, HF_PROC_LOCAL));
	cr_expect_not(hf_msg_linked(HF_PROC_FRONT, HF_PROC_AUDIT));
	cr_expect_not(hf_msg_linked(HF_PROC_FRONT, HF_PROC_EXPORT));
	cr_expect(hf_msg_linked(HF_PROC_EXPORT, HF_PROC_AUTH));
	cr_expect(hf_msg_linked(HF_PROC_KEEPER, HF_PROC_EXPORT));
	cr_expect_not(hf_msg_permitted(HF_PROC_EXPORT, HF_PROC_KEEPER, HF_MSG_TRIPPED, HF_ST_RUNNING));
	cr_expect_not(hf_msg_permitted(HF_PROC_EXPORT, HF_PROC_AUTH, HF_MSG_CALL, HF_ST_RUNNING));
	cr_expect_not(hf_msg_permitted(HF_PROC_EXPORT, HF_PROC_AUDIT, HF_MSG_APPEND, HF_ST_RUNNING));
	cr_expect_not(hf_msg_linked(HF_PROC_PARENT, HF_PROC_AUTH));
}

/* Only auth may say who somebody is; who faces the world brings credentials. */
Test(ipc, front_cannot_name_the_actor)
{
	json_t *named = json_pack("{s:s, s:{}, s:{}}", "op", "array.arm", "args", "actor");
	json_t *asks =
		json_pack("{s:s, s:{}, s:{}, s:{}}", "op", "array.arm", "args", "cred", "src");

	cr_expect_eq(hf_msg_check(HF_PROC_AUTH, HF_MSG_CALL, named, NULL), 0);
	cr_expect_eq(hf_msg_check(HF_PROC_FRONT, HF_MSG_CALL, named, NULL), -EPROTO);
	cr_expect_eq(hf_msg_check(HF_PROC_FRONT, HF_MSG_CALL, asks, NULL), 0);
	cr_expect_eq(hf_msg_check(HF_PROC_AUTH, HF_MSG_CALL, asks, NULL), -EPROTO);
	json_decref(named);
	json_decref(asks);
}

Test(ipc, peers_cannot_know_our_state)
{
	pair(HF_PROC_AUTH, HF_PROC_KEEPER);
	state = HF_ST_STARTING;
	cr_assert_eq(ask(&b, whois()), 0);
	turn();
	cr_assert_eq(b.status, 503);
	cr_assert_str_eq(b.text, "not_now");
	cr_assert_eq(a.messages, 0);
	cr_assert_eq(a.closed, 0);
}

/* A REPORT to an auth that starts or stops must not end the front that sent it. */
Test(ipc, what_wants_no_answer_comes_to_nothing_in_another_state)
{
	static const unsigned int states[] = { HF_ST_STARTING, HF_ST_STOPPING };

	for (size_t i = 0; i < 2; i++) {
		pair(HF_PROC_AUTH, HF_PROC_FRONT);
		state = states[i];
		cr_assert_eq(hf_link_send(b.link, HF_MSG_REPORT, NULL,
					  json_pack("{s:s, s:s, s:i, s:s}", "what", "blocked",
						    "source", "192.0.2.1", "count", 1, "detail", ""),
					  -1), 0);
		turn();
		cr_assert_eq(a.messages, 0);
		cr_assert_eq(a.closed, 0);
		drop(&a);
		drop(&b);
	}
}

Test(ipc, the_parent_knows_the_state_unless_we_stop)
{
	pair(HF_PROC_AUTH, HF_PROC_PARENT);
	state = HF_ST_STOPPING;
	cr_assert_eq(hf_link_request(b.link, HF_MSG_COMMIT, NULL, json_object(), -1, UINT64_MAX,
				     on_reply, &b), 0);
	turn();
	cr_assert_eq(b.status, 503);
	cr_assert_eq(a.closed, 0);
	state = HF_ST_STARTING;
	cr_assert_eq(hf_link_request(b.link, HF_MSG_COMMIT, NULL, json_object(), -1, UINT64_MAX,
				     on_reply, &b), 0);
	turn();
	cr_assert_eq(a.closed, 1);
	cr_assert(a.broken);
}

Test(ipc, the_largest_message_passes_and_one_byte_more_does_not)
{
	size_t frame = strlen("{\"status\":200,\"result\":{\"hello\":\"\"}}");
	char *text = malloc(HF_MSG_MAX + 1);

	memset(text, 'x', HF_MSG_MAX);
	text[HF_MSG_MAX - frame] = '\0';
	pair(HF_PROC_AUTH, HF_PROC_KEEPER);
	cr_assert_eq(ask(&b, whois()), 0);
	turn();
	cr_assert_eq(hf_link_reply(a.link, a.id, NULL, 200, json_pack("{s:s}", "hello", text)), 0);
	turn();
	cr_assert_eq(b.status, 200);
	cr_assert_eq(b.text[0], 'x');
	cr_assert_eq(ask(&b, whois()), 0);
	turn();
	text[HF_MSG_MAX - frame] = 'x';
	text[HF_MSG_MAX - frame + 1] = '\0';
	cr_assert_eq(hf_link_reply(a.link, a.id, NULL, 200, json_pack("{s:s}", "hello", text)),
		     -EMSGSIZE);
	turn();
	cr_assert_eq(b.status, 500, "the asker is told");
	free(text);
}

Test(ipc, a_peer_that_does_not_read_never_blocks_us)
{
	int fd = raw(HF_PROC_KEEPER, HF_PROC_AUTH);
	int sent = 0, ret;

	while (!(ret = hf_link_reply(a.link, 1, NULL, 200, json_pack("{s:s}", "hello", "x"))))
		cr_assert_lt(++sent, 100000);
	cr_assert_eq(ret, -ENOBUFS);
	cr_assert_geq(sent, HF_IPC_QUEUE);
	turn();
	cr_assert_eq(a.closed, 0);
	/* It reads after all: everything comes, in order, and there is room again. */
	for (int i = 0; i < sent; i++) {
		char buf[256];

		turn();
		cr_assert_gt(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), 0, "message %d of %d", i,
			     sent);
	}
	turn();
	cr_assert(hf_link_idle(a.link));
	cr_assert_eq(hf_link_reply(a.link, 1, NULL, 200, NULL), 0);
	close(fd);
}

Test(ipc, requests_without_an_answer_are_bounded)
{
	pair(HF_PROC_AUTH, HF_PROC_KEEPER);
	for (int i = 0; i < HF_IPC_PENDING; i++) {
		cr_assert_eq(ask(&b, whois()), 0, "%d", i);
		turn();
	}
	cr_assert_eq(ask(&b, whois()), -ENOBUFS);
	hf_test_clock_advance(&clock_, HF_S);
	turn();
	cr_assert_eq(b.replies, HF_IPC_PENDING);
	cr_assert_eq(ask(&b, whois()), 0);
}

Test(ipc, the_end_of_a_peer_answers_what_waits)
{
	pair(HF_PROC_AUTH, HF_PROC_KEEPER);
	ask(&b, whois());
	ask(&b, whois());
	turn();
	drop(&a);
	turn();
	cr_assert_eq(b.replies, 2);
	cr_assert_eq(b.status, 502);
	cr_assert_eq(b.closed, 1);
	cr_assert_not(b.broken);
}

Test(ipc, links_freed_inside_their_callbacks)
{
	pair(HF_PROC_AUTH, HF_PROC_KEEPER);
	a.free_in_message = true;
	a.answer = true;
	b.free_in_reply = true;
	for (int i = 0; i < 5; i++)
		ask(&b, whois());
	turn();
	cr_assert_eq(a.messages, 1, "none after it was freed");
	cr_assert_eq(a.closed, 0);
	cr_assert_eq(b.replies, 5, "all are answered, by 200 or 502");

	pair(HF_PROC_AUTH, HF_PROC_KEEPER);
	b.free_in_closed = true;
	drop(&a);
	turn();
	cr_assert_eq(b.closed, 1);

	pair(HF_PROC_AUTH, HF_PROC_KEEPER);
	b.free_in_reply = true;
	ask(&b, whois());
	drop(&a);
	turn();
	cr_assert_eq(b.replies, 1);
	cr_assert_eq(b.closed, 0, "whoever has freed it does not want to hear of it");

	pair(HF_PROC_AUTH, HF_PROC_KEEPER);
	b.free_in_reply = true;
	ask(&b, whois());
	ask(&b, whois());
	hf_test_clock_advance(&clock_, 2 * HF_S);
	turn();
	cr_assert_eq(b.replies, 2);
	cr_assert_eq(b.closed, 0);
}

/* ---------------------------------------------------------------- files */

static int send_fds(int fd, const void *buf, size_t len, const int *fds, size_t n)
{
	char room[CMSG_SPACE(16 * sizeof(int))] = { 0 };
	struct iovec iov = { (void *)buf, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room,
			      .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	return sendmsg(fd, &msg, 0) < 0 ? -errno : 0;
}

static size_t peer_message(void *buf)
{
	json_t *body = json_pack("{s:s}", "role", "front");
	int len = hf_ipc_encode(buf, HF_MSG_PEER, 1, NULL, body);

	json_decref(body);
	cr_assert_gt(len, 0);
	return (size_t)len;
}

Test(ipc, a_file_comes_along_closed_on_exec)
{
	struct end *parent = &a, *child = &b;
	int before, p[2];

	state = HF_ST_STARTING;
	pair(HF_PROC_PARENT, HF_PROC_AUTH);
	cr_assert_eq(pipe(p), 0);
	before = check_fds();
	cr_assert_eq(hf_link_request(parent->link, HF_MSG_PEER, NULL,
				     json_pack("{s:s}", "role", "front"), p[0], UINT64_MAX,
				     on_reply, parent),
		     0);
	turn();
	cr_assert_eq(child->messages, 1);
	cr_assert_geq(child->fd, 0);
	cr_assert(fcntl(child->fd, F_GETFD) & FD_CLOEXEC);
	close(child->fd);
	cr_assert_eq(check_fds(), before, "ours is still open, theirs is closed");
	close(p[0]);
	close(p[1]);
}

Test(ipc, files_that_nobody_asked_for_are_closed)
{
	uint8_t buf[HF_IPC_DATAGRAM];
	int fds[16], before, fd;

	state = HF_ST_STARTING;
	for (size_t n = 0; n <= 16; n++) {
		fd = raw(HF_PROC_AUTH, HF_PROC_PARENT);
		before = check_fds();
		for (size_t i = 0; i < n; i++)
			fds[i] = fd;
		if (n)
			cr_assert_eq(send_fds(fd, buf, peer_message(buf), fds, n), 0);
		else
			cr_assert_gt(send(fd, buf, peer_message(buf), 0), 0);
		turn();
		if (n == 1) {
			cr_assert_eq(a.messages, 1);
			close(a.fd);
			cr_assert_eq(check_fds(), before);
			drop(&a);
		} else {
			cr_assert_eq(a.closed, 1, "%zu files", n);
			cr_assert(a.broken);
			cr_assert_eq(check_fds(), before - 1, "%zu files: the link's only is gone",
				     n);
		}
		close(fd);
	}
}

/* ------------------------------------------------------------- the hostile */

static void put_header(uint8_t *buf, uint16_t type, uint64_t id, size_t len)
{
	struct hf_ipc_header h = { HF_IPC_MAGIC, HF_IPC_VERSION, type, id, { 0 }, (uint32_t)len };

	memcpy(buf, &h, sizeof(h));
}

/* Sends one datagram to auth as front would. Return: was it taken as a message? */
static bool taken(const void *buf, size_t len)
{
	int fd = raw(HF_PROC_AUTH, HF_PROC_FRONT);
	bool was;

	cr_assert_eq(send(fd, buf, len, 0), (ssize_t)len);
	turn();
	was = a.messages;
	if (!was) {
		cr_assert_eq(a.closed, 1);
		cr_assert(a.broken || !len);
	}
	cr_assert_eq(a.replies, 0);
	drop(&a);
	close(fd);
	return was;
}

static size_t good_call(uint8_t *buf)
{
	json_t *body = json_pack("{s:s, s:{s:i}, s:{}, s:{s:s}}", "op", "array.silence", "args",
				 "array", 0, "cred", "src", "addr", "127.0.0.1");
	int len = hf_ipc_encode(buf, HF_MSG_CALL, 1, NULL, body);

	json_decref(body);
	cr_assert_gt(len, 0);
	return (size_t)len;
}

Test(ipc, cut_at_every_byte)
{
	uint8_t buf[HF_IPC_DATAGRAM];
	size_t len = good_call(buf);

	cr_assert(taken(buf, len));
	for (size_t cut = 1; cut < len; cut++)
		cr_assert_not(taken(buf, cut), "%zu of %zu bytes", cut, len);
}

Test(ipc, words_that_are_not_json_and_json_that_is_not_the_table)
{
	static const char *const bodies[] = {
		"",
		"{",
		"[]",
		"1",
		"null",
		"\"x\"",
		"{}",
		"{}{}",
		"{\"op\":1}",
		"\xff\xfe",
		"{\"op\":\"\\u0000\"}",
		"{\"op\":\"x\",\"args\":{},\"cred\":{}}",
		"{\"op\":\"x\",\"args\":{},\"cred\":{},\"src\":{},\"more\":1}",
		"{\"op\":\"x\",\"op\":\"y\",\"args\":{},\"cred\":{},\"src\":{}}",
		"{\"op\":\"x\",\"args\":[],\"cred\":{},\"src\":{}}",
		"{\"op\":\"\",\"args\":{},\"cred\":{},\"src\":{}}",
		"{\"op\":\"x\\n\",\"args\":{},\"cred\":{},\"src\":{}}",
		"{\"op\":\"x\",\"args\":{},\"cred\":{},\"src\":{},\"actor\":{\"name\":\"root\"}}",
		"{\"op\":\"x\",\"args\":{},\"actor\":{\"name\":\"root\"}}",
		"{\"op\":\"x\",\"args\":{\"n\":1e999},\"cred\":{},\"src\":{}}",
		"{\"op\":\"x\",\"args\":{\"n\":99999999999999999999},\"cred\":{},\"src\":{}}",
	};
	uint8_t buf[HF_IPC_DATAGRAM];

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		size_t len = strlen(bodies[i]);

		put_header(buf, HF_MSG_CALL, 1, len);
		memcpy(buf + sizeof(struct hf_ipc_header), bodies[i], len);
		cr_assert_not(taken(buf, sizeof(struct hf_ipc_header) + len), "%s", bodies[i]);
	}
}

Test(ipc, every_other_type_from_front)
{
	uint8_t buf[HF_IPC_DATAGRAM];
	size_t len = good_call(buf);

	for (unsigned int type = 0; type < 70; type++) {
		put_header(buf, (uint16_t)type, 1, len - sizeof(struct hf_ipc_header));
		cr_assert_eq(taken(buf, len), type == HF_MSG_CALL, "type %u", type);
	}
	put_header(buf, HF_MSG_CALL, 0, len - sizeof(struct hf_ipc_header));
	cr_assert_not(taken(buf, len), "a request without an id");
}

Test(ipc, too_long)
{
	static uint8_t buf[HF_IPC_DATAGRAM + 100];

	memset(buf, ' ', sizeof(buf));
	put_header(buf, HF_MSG_CALL, 1, sizeof(buf) - sizeof(struct hf_ipc_header));
	cr_assert_not(taken(buf, sizeof(buf)));
	/* Good as far as there is room for it. */
	good_call(buf);
	put_header(buf, HF_MSG_CALL, 1, HF_MSG_MAX);
	cr_assert(taken(buf, HF_IPC_DATAGRAM));
	cr_assert_not(taken(buf, sizeof(buf)), "cut to what would be good");
	cr_assert_not(taken(buf, good_call(buf) + 1), "one byte more than it says");
}

Test(ipc, deep_nesting)
{
	uint8_t buf[HF_IPC_DATAGRAM];
	size_t len = HF_MSG_MAX;

	memset(buf + sizeof(struct hf_ipc_header), '[', len);
	put_header(buf, HF_MSG_CALL, 1, len);
	cr_assert_not(taken(buf, sizeof(struct hf_ipc_header) + len));
}

/* Good messages with bytes changed, cut, repeated: none may do more than end its link. */
Test(ipc, twenty_thousand_mutations)
{
	uint64_t seed = check_seed();
	int before = check_fds(), accepted = 0;

	for (int round = 0; round < 20000; round++) {
		uint8_t buf[1024];
		size_t len = good_call(buf);
		size_t changes = 1 + check_random(&seed) % 4;

		for (size_t i = 0; i < changes; i++)
			buf[check_random(&seed) % len] = (uint8_t)check_random(&seed);
		if (check_random(&seed) % 4 == 0)
			len -= check_random(&seed) % len;
		/* Changes within strings may leave a good message; the id, the correlation, too. */
		accepted += taken(buf, len);
	}
	cr_assert_eq(check_fds(), before);
	cr_log_info("%d of 20000 were still good", accepted);
	cr_assert_lt(accepted, 15000);
}

Test(ipc, rubbish)
{
	uint64_t seed = check_seed();

	for (int round = 0; round < 2000; round++) {
		uint8_t buf[512];
		size_t len = 1 + check_random(&seed) % sizeof(buf);

		for (size_t i = 0; i < len; i++)
			buf[i] = (uint8_t)check_random(&seed);
		if (round % 2 && len > sizeof(struct hf_ipc_header))
			put_header(buf, (uint16_t)(check_random(&seed) % 40),
				   check_random(&seed) % 3, len - sizeof(struct hf_ipc_header));
		cr_assert_not(taken(buf, len));
	}
}
