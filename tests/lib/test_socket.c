// SPDX-License-Identifier: GPL-2.0
/*
 * The keeper's socket: a lease gets across with its descriptor; strangers,
 * dawdlers, liars and a keeper that never answers do not stop anybody.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../agent/lib/wire.h"
#include "check.h"

struct keeper {
	struct holdfast_server *server;
	volatile bool stop;
	pthread_t thread;
	struct holdfast_lease_request last;
	struct holdfast_peer peer;
	unsigned int asked;
	int answer;		/* 0: hand out /dev/null */
	bool later;		/* answer when told to */
	volatile uint64_t token;
	char path[64];
};

static int grant(void *arg, const struct holdfast_peer *peer,
		 const struct holdfast_lease_request *req, int *lease_fd, uint64_t *lease_id,
		 char *text)
{
	struct keeper *k = arg;

	k->last = *req;
	k->peer = *peer;
	k->asked++;
	if (k->later) {
		k->token = holdfast_server_defer(k->server, 500);
		return -EIO;	/* means nothing now */
	}
	if (k->answer) {
		snprintf(text, HOLDFAST_TEXT_LEN, "because of %d", -k->answer);
		return k->answer;
	}
	*lease_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	*lease_id = 7;
	return 0;
}

static void *serve(void *arg)
{
	struct keeper *k = arg;

	while (!k->stop) {
		struct pollfd p = { .fd = holdfast_server_fd(k->server), .events = POLLIN };

		poll(&p, 1, 20);
		cr_assert_eq(holdfast_server_run(k->server), 0);
	}
	return NULL;
}

static void start(struct keeper *k, int answer)
{
	memset(k, 0, sizeof(*k));
	k->answer = answer;
	snprintf(k->path, sizeof(k->path), "/tmp/holdfast-sock-%d", getpid());
	unlink(k->path);
	cr_assert_eq(holdfast_server_open(&k->server, k->path, (gid_t)-1, grant, k), 0);
	cr_assert_eq(pthread_create(&k->thread, NULL, serve, k), 0);
}

static void stop(struct keeper *k)
{
	k->stop = true;
	pthread_join(k->thread, NULL);
	holdfast_server_close(k->server);
	cr_assert_neq(access(k->path, F_OK), 0, "the socket file is still there");
}

static int connected(const struct keeper *k)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(sa.sun_path, k->path);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static const struct holdfast_lease_request wish = {
	.array = 3, .rights = HOLDFAST_RIGHT_FRAMES | HOLDFAST_RIGHT_RAW, .duration_ms = 60000,
	.label = "a test",
};

static size_t open_files(void)
{
	size_t n = 0;

	for (int i = 0; i < 256; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

Test(socket, lease_gets_across)
{
	struct holdfast_array *a = NULL;
	char text[HOLDFAST_TEXT_LEN];
	struct stat st, null;
	struct keeper k;

	start(&k, 0);
	cr_assert_eq(stat(k.path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	cr_assert_eq(holdfast_lease_request(&a, k.path, &wish, 2000, text), 0, "%s", text);
	cr_assert_eq(fstat(holdfast_fd(a), &st), 0);
	cr_assert_eq(stat("/dev/null", &null), 0);
	cr_assert_eq(st.st_rdev, null.st_rdev);
	cr_assert(fcntl(holdfast_fd(a), F_GETFD) & FD_CLOEXEC);
	holdfast_close(a);
	cr_assert_eq(k.last.array, wish.array);
	cr_assert_eq(k.last.rights, wish.rights);
	cr_assert_eq(k.last.duration_ms, wish.duration_ms);
	cr_assert_str_eq(k.last.label, wish.label);
	cr_assert_eq(k.peer.pid, getpid());
	cr_assert_eq(k.peer.uid, getuid());
	stop(&k);
}

Test(socket, the_server_keeps_nothing)
{
	struct hf_wire_request w = { .magic = HF_WIRE_MAGIC, .version = HF_WIRE_VERSION,
				     .op = HF_WIRE_LEASE, .rights = 1 };
	struct holdfast_array *a;
	struct hf_wire_reply r;
	struct keeper k;
	size_t before;
	int fd;

	start(&k, 0);
	before = open_files();
	/* A copy of a lease that stayed here would be a lease that never ends. */
	cr_assert_eq(holdfast_lease_request(&a, k.path, &wish, 2000, NULL), 0);
	holdfast_close(a);
	for (int i = 0; i < 100 && open_files() != before; i++)
		usleep(10000);
	cr_assert_eq(open_files(), before);
	/* One request, one answer, and the connection is over. */
	fd = connected(&k);
	cr_assert_eq(send(fd, &w, sizeof(w), 0), (ssize_t)sizeof(w));
	cr_assert_eq(recv(fd, &r, sizeof(r), 0), (ssize_t)sizeof(r));
	cr_assert_eq(recv(fd, &r, sizeof(r), 0), 0);
	close(fd);
	stop(&k);
}

/* One thread: the program's end of the socket is only looked at here. */
static int ask_later(struct keeper *k)
{
	struct hf_wire_request w = { .magic = HF_WIRE_MAGIC, .version = HF_WIRE_VERSION,
				     .op = HF_WIRE_LEASE, .rights = 1 };
	int fd;

	memset(k, 0, sizeof(*k));
	k->later = true;
	snprintf(k->path, sizeof(k->path), "/tmp/holdfast-later-%d", getpid());
	unlink(k->path);
	cr_assert_eq(holdfast_server_open(&k->server, k->path, (gid_t)-1, grant, k), 0);
	fd = connected(k);
	cr_assert_eq(send(fd, &w, sizeof(w), 0), (ssize_t)sizeof(w));
	for (int i = 0; i < 3; i++)
		cr_assert_eq(holdfast_server_run(k->server), 0);
	cr_assert(k->token);
	return fd;
}

Test(socket, an_answer_that_comes_later)
{
	struct hf_wire_reply r;
	struct keeper k;
	int fd = ask_later(&k);

	cr_assert_eq(recv(fd, &r, sizeof(r), MSG_DONTWAIT), -1, "answered too early");
	cr_assert(holdfast_server_waits(k.server, k.token));
	cr_assert(!holdfast_server_waits(k.server, k.token + 1));
	cr_assert_eq(holdfast_server_answer(k.server, k.token + 1, 0, -1, 0, NULL), -ENOENT);
	cr_assert_eq(holdfast_server_answer(k.server, k.token, 0, open("/dev/null", O_RDWR), 9, NULL), 0);
	cr_assert_eq(recv(fd, &r, sizeof(r), 0), (ssize_t)sizeof(r));
	cr_assert_eq(r.error, 0);
	cr_assert_eq(r.lease_id, 9);
	cr_assert_eq(recv(fd, &r, sizeof(r), 0), 0, "one request, one answer");
	cr_assert_eq(holdfast_server_answer(k.server, k.token, 0, -1, 0, NULL), -ENOENT, "only once");
	close(fd);
	holdfast_server_close(k.server);
}

Test(socket, a_program_that_does_not_wait)
{
	struct keeper k;
	size_t before = open_files();
	int fd = ask_later(&k);

	close(fd);
	cr_assert_eq(holdfast_server_run(k.server), 0);
	cr_assert(!holdfast_server_waits(k.server, k.token), "gone, and not noticed");
	cr_assert_eq(holdfast_server_answer(k.server, k.token, 0, open("/dev/null", O_RDWR), 9, NULL), -ENOENT);
	holdfast_server_close(k.server);
	cr_assert_eq(open_files(), before, "what could not be handed over stayed open");
}

Test(socket, nobody_waits_for_ever)
{
	struct keeper k;
	char c;
	int fd = ask_later(&k);

	usleep(600000);
	cr_assert_eq(holdfast_server_run(k.server), 0);
	cr_assert_eq(recv(fd, &c, 1, 0), 0, "hung up on after its 500 ms");
	cr_assert_eq(holdfast_server_answer(k.server, k.token, 0, -1, 0, NULL), -ENOENT);
	close(fd);
	holdfast_server_close(k.server);
}

Test(socket, one_uid_does_not_take_all_places)
{
	struct holdfast_array *a = NULL;
	char text[HOLDFAST_TEXT_LEN];
	struct keeper k;
	int idle[32];

	start(&k, 0);
	for (size_t i = 0; i < 32; i++)
		idle[i] = connected(&k);
	usleep(200000);
	cr_assert_eq(holdfast_lease_request(&a, k.path, &wish, 2000, text), -EAGAIN, "%s", text);
	cr_assert(strstr(text, "has 32 connections to the keeper where 32 are allowed"), "%s", text);
	for (size_t i = 0; i < 32; i++)
		close(idle[i]);
	usleep(200000);
	cr_assert_eq(holdfast_lease_request(&a, k.path, &wish, 2000, text), 0, "%s", text);
	holdfast_close(a);
	stop(&k);
}

Test(socket, a_refusal_comes_with_its_words)
{
	struct holdfast_array *a = NULL;
	char text[HOLDFAST_TEXT_LEN];
	struct keeper k;

	start(&k, -EACCES);
	cr_assert_eq(holdfast_lease_request(&a, k.path, &wish, 2000, text), -EACCES);
	cr_assert_str_eq(text, "because of 13");
	cr_assert_null(a);
	stop(&k);
}

Test(socket, no_keeper)
{
	struct holdfast_array *a = NULL;
	char text[HOLDFAST_TEXT_LEN];

	cr_assert_eq(holdfast_lease_request(&a, "/tmp/holdfast-nobody", &wish, 100, text), -ENOENT);
	cr_assert(strstr(text, "no keeper at /tmp/holdfast-nobody"), "%s", text);
}

struct bad {
	struct hf_wire_request w;
	size_t len;
	int error;
	const char *text;
};

#define W(m, v, o, r)	{ .magic = (m), .version = (v), .op = (o), .rights = (r) }
#define GOOD	W(HF_WIRE_MAGIC, HF_WIRE_VERSION, HF_WIRE_LEASE, 1)
#define WHOLE	sizeof(struct hf_wire_request)

Test(socket, bad_requests_are_answered_and_never_granted)
{
	static const struct bad bad[] = {
		{ GOOD, WHOLE - 1, -EPROTO, "not a request: 55 bytes" },
		{ GOOD, 1, -EPROTO, "not a request: 1 bytes" },
		{ W(1, HF_WIRE_VERSION, HF_WIRE_LEASE, 1), WHOLE, -EPROTO, "not a request" },
		{ W(HF_WIRE_MAGIC, 2, HF_WIRE_LEASE, 1), WHOLE, -EPROTONOSUPPORT,
		  "version 2 where 1 is known" },
		{ W(HF_WIRE_MAGIC, HF_WIRE_VERSION, 9, 1), WHOLE, -EOPNOTSUPP, "operation 9" },
		{ W(HF_WIRE_MAGIC, HF_WIRE_VERSION, HF_WIRE_LEASE, 0), WHOLE, -EINVAL, "rights 0x0" },
		{ W(HF_WIRE_MAGIC, HF_WIRE_VERSION, HF_WIRE_LEASE, 16), WHOLE, -EINVAL,
		  "rights 0x10" },
	};
	char large[4096] = { 0 };
	struct hf_wire_reply r;
	struct keeper k;
	int fd;

	start(&k, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fd = connected(&k);
		cr_assert_eq(send(fd, &bad[i].w, bad[i].len, 0), (ssize_t)bad[i].len);
		cr_assert_eq(recv(fd, &r, sizeof(r), 0), (ssize_t)sizeof(r));
		cr_assert_eq(r.error, bad[i].error, "case %zu: %d", i, r.error);
		cr_assert(strstr(r.text, bad[i].text), "\"%s\"", r.text);
		close(fd);
	}
	fd = connected(&k);
	memcpy(large, &bad[0].w, WHOLE);
	cr_assert_eq(send(fd, large, sizeof(large), 0), (ssize_t)sizeof(large));
	cr_assert_eq(recv(fd, &r, sizeof(r), 0), (ssize_t)sizeof(r));
	cr_assert_eq(r.error, -EPROTO);
	close(fd);
	cr_assert_eq(k.asked, 0);
	stop(&k);
}

Test(socket, dawdlers_are_dropped_and_others_served)
{
	struct holdfast_array *a = NULL;
	char text[HOLDFAST_TEXT_LEN];
	struct keeper k;
	char c;
	int idle[15];

	start(&k, 0);
	for (size_t i = 0; i < 15; i++)
		idle[i] = connected(&k);
	cr_assert_eq(holdfast_lease_request(&a, k.path, &wish, 2000, text), 0, "%s", text);
	holdfast_close(a);
	/* Nobody asked anything: the server hangs up after its 2 s. */
	for (size_t i = 0; i < 15; i++) {
		struct pollfd p = { .fd = idle[i], .events = POLLIN };

		cr_assert_eq(poll(&p, 1, 4000), 1);
		cr_assert_eq(recv(idle[i], &c, 1, 0), 0);
		close(idle[i]);
	}
	stop(&k);
}

Test(socket, a_keeper_that_never_answers)
{
	struct holdfast_array *a = NULL;
	char text[HOLDFAST_TEXT_LEN];
	int sock[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock), 0);
	cr_assert_eq(holdfast_lease_request_on(&a, sock[0], &wish, 100, text), -ETIMEDOUT);
	close(sock[1]);
	cr_assert_lt(holdfast_lease_request_on(&a, sock[0], &wish, 100, text), 0);
	close(sock[0]);
	cr_assert_null(a);
}

/* A keeper that lies: @w as the answer, with @nfd descriptors. */
static int lie(const void *w, size_t len, int nfd)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)w, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct holdfast_array *a = NULL;
	char text[HOLDFAST_TEXT_LEN];
	int sock[2], fd[2] = { 0, 0 }, ret;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock), 0);
	if (nfd) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE((size_t)nfd * sizeof(int));
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN((size_t)nfd * sizeof(int));
		memcpy(CMSG_DATA(&control.h), fd, (size_t)nfd * sizeof(int));
	}
	cr_assert_eq(sendmsg(sock[1], &msg, 0), (ssize_t)len);
	ret = holdfast_lease_request_on(&a, sock[0], &wish, 1000, text);
	cr_assert(ret < 0 && !a, "%d", ret);
	close(sock[0]);
	close(sock[1]);
	return ret;
}

Test(socket, lies_are_refused_and_leak_nothing)
{
	struct hf_wire_reply ok = { .magic = HF_WIRE_MAGIC, .version = HF_WIRE_VERSION }, w;
	size_t before = open_files();

	cr_assert_eq(lie(&ok, sizeof(ok), 0), -EPROTO, "no descriptor");
	cr_assert_eq(lie(&ok, sizeof(ok) - 1, 1), -EPROTO, "short");
	w = ok;
	w.magic = 0;
	cr_assert_eq(lie(&w, sizeof(w), 1), -EPROTO);
	w = ok;
	w.error = 5;
	cr_assert_eq(lie(&w, sizeof(w), 1), -EPROTO);
	w = ok;
	w.error = -EACCES;
	cr_assert_eq(lie(&w, sizeof(w), 1), -EPROTO, "a refusal with a descriptor");
	memset(w.text, 'x', sizeof(w.text));
	cr_assert_eq(lie(&w, sizeof(w), 0), -EACCES, "text without an end");
	lie(&ok, sizeof(ok) - 1, 2);
	cr_assert_eq(open_files(), before);
}

Test(socket, a_dead_keepers_file_is_replaced_a_live_ones_is_not)
{
	struct holdfast_server *other;
	struct keeper k;
	int fd;

	start(&k, 0);
	cr_assert_eq(holdfast_server_open(&other, k.path, (gid_t)-1, grant, &k), -EADDRINUSE);
	cr_assert_eq(access(k.path, F_OK), 0, "the live keeper's file was removed");
	stop(&k);
	/* What a killed keeper leaves behind: a file that nobody listens at. */
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	cr_assert(fd >= 0);
	{
		struct sockaddr_un sa = { .sun_family = AF_UNIX };

		strcpy(sa.sun_path, k.path);
		cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	}
	close(fd);
	cr_assert_eq(holdfast_server_open(&other, k.path, (gid_t)-1, grant, &k), 0);
	holdfast_server_close(other);
}

Test(socket, an_ordinary_file_is_never_removed)
{
	char path[] = "/tmp/holdfast-file-XXXXXX";
	struct holdfast_server *s;
	int fd = mkstemp(path);

	close(fd);
	cr_assert_eq(holdfast_server_open(&s, path, (gid_t)-1, grant, NULL), -ENOTSOCK);
	cr_assert_eq(access(path, F_OK), 0);
	unlink(path);
}

Test(socket, added_connection_stays)
{
	struct holdfast_array *a = NULL;
	struct keeper k = { .answer = 0 };
	char text[HOLDFAST_TEXT_LEN];
	int sock[2];

	cr_assert_eq(holdfast_server_open(&k.server, NULL, (gid_t)-1, grant, &k), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock), 0);
	cr_assert_eq(holdfast_server_add(k.server, sock[1]), 0);
	cr_assert_eq(pthread_create(&k.thread, NULL, serve, &k), 0);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(holdfast_lease_request_on(&a, sock[0], &wish, 2000, text), 0, "%s",
			     text);
		holdfast_close(a);
	}
	cr_assert_eq(holdfast_server_added(k.server), 1);
	close(sock[0]);
	for (int i = 0; i < 100 && holdfast_server_added(k.server); i++)
		usleep(10000);
	cr_assert_eq(holdfast_server_added(k.server), 0);
	k.stop = true;
	pthread_join(k.thread, NULL);
	holdfast_server_close(k.server);
}
