// SPDX-License-Identifier: GPL-2.0
/*
 * The parent of processes that somebody else starts, at its real socket. The
 * process is export, played here: the test's own uid is made to be its user's.
 */
#include <fcntl.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "daemon.h"
#include "ipc_wire.h"

#define MANY	24	/* that connect at once; as many as the backlog, and more */

static struct hf_test_clock clock_;
static struct hf_loop *loop;
static struct hf_parent *parent;
static struct hf_child *export;
static char folder[] = "/tmp/hf-attach-XXXXXX";
static char path[64];
static const struct hf_parent_ops ops = { .call = NULL };

/* In the place of libc's: all others' users do not exist. */
struct passwd *getpwnam(const char *name)
{
	static struct passwd pw;

	pw.pw_uid = getuid();
	return strcmp(name, "holdfast-export") ? NULL : &pw;
}

static void turn(void)
{
	for (int i = 0; i < 6; i++)
		hf_loop_once(loop, 0);
}

static int try_connect(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(un.sun_path, path);
	if (!connect(fd, (const struct sockaddr *)&un, sizeof(un)))
		return fd;
	close(fd);
	return -1;
}

/* Is there still somebody at the other end? What came is thrown away. */
static bool linked(int fd)
{
	char buf[4096];
	ssize_t n;

	do {
		n = recv(fd, buf, sizeof(buf), 0);
	} while (n > 0);
	return n < 0 && errno == EAGAIN;
}

static int attach(void)
{
	int fd = try_connect();

	cr_assert_geq(fd, 0);
	turn();
	cr_assert_eq(export->state, HF_CHILD_STARTING);
	cr_assert_eq(export->pid, getpid());
	return fd;
}

static void send_raw(int fd, enum hf_msg type)
{
	uint8_t buf[HF_IPC_DATAGRAM];
	json_t *body = json_object();
	int len = hf_ipc_encode(buf, type, 0, NULL, body);

	json_decref(body);
	cr_assert_eq(send(fd, buf, (size_t)len, 0), len);
	turn();
}

/* The result of the last record about export, as it waits for audit. */
static const char *recorded(const char *action)
{
	for (unsigned int i = parent->n_records; i--;) {
		const json_t *r = parent->records[i].body;

		if (!strcmp(json_string_value(json_object_get(r, "action")), action) &&
		    !strcmp(json_string_value(json_object_get(r, "object")), "export"))
			return json_string_value(json_object_get(r, "result"));
	}
	return "none";
}

static void begin(void)
{
	static const char text[] = "environment: test\n";
	struct hf_parent_env env = {
		.random = &hf_system_random, .config_file = "/nowhere", .attach = path, .ops = &ops,
	};
	struct hf_config_errors errors = { 0 };
	struct hf_config *config;

	hf_test_clock_init(&clock_, HF_S, HF_S);
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/attach.sock", folder);
	cr_assert_eq(hf_loop_new(&loop, &clock_.clock), 0);
	env.loop = loop;
	cr_assert_eq(hf_config_parse(text, strlen(text), "x", NULL, &config, &errors), 0);
	cr_assert_eq(hf_parent_new(&parent, &env, config, text, strlen(text)), 0);
	hf_parent_start(parent);
	export = &parent->children[HF_PROC_EXPORT];
}

static void end(void)
{
	hf_parent_free(parent);
	hf_loop_free(loop);
	unlink(path);
	rmdir(folder);
}

TestSuite(attach, .init = begin, .fini = end, .timeout = 20);

Test(attach, who_was_cut_off_does_not_come_back)
{
	int fd = attach(), again;

	cr_assert_eq(send(fd, "rubbish", 7, 0), 7);
	turn();
	cr_assert_not(linked(fd));
	cr_assert_eq(export->state, HF_CHILD_DOWN);
	cr_assert_str_eq(recorded("process.exit"), "error");
	again = try_connect();
	turn();
	cr_assert_not(linked(again));
	cr_assert_eq(export->state, HF_CHILD_DOWN);
	close(again);
	export->last++;		/* another process */
	again = attach();
	cr_assert(linked(again));
	close(again);
	close(fd);
}

Test(attach, the_end_does_not_wait_for_one_that_was_just_cut_off)
{
	int fd = attach();

	hf_child_kill(export, "the test says so");
	hf_parent_stop(parent);		/* before the loop comes to its timer */
	cr_assert_eq(hf_loop_run(loop), 0);
	cr_assert_eq(export->pid, 0);
	close(fd);
}

Test(attach, the_end_does_not_wait_for_one_that_has_just_gone)
{
	int fd = attach();

	hf_link_free(export->control);
	export->control = NULL;
	hf_child_link_closed(export, false, "the peer has closed it");
	hf_parent_stop(parent);
	cr_assert_eq(hf_loop_run(loop), 0);
	close(fd);
}

Test(attach, who_says_that_he_is_leaving_has_not_failed)
{
	int fd = attach();

	send_raw(fd, HF_MSG_LEAVING);
	cr_assert_eq(export->state, HF_CHILD_STOPPING);
	cr_assert(linked(fd));
	close(fd);
	turn();
	cr_assert_eq(export->state, HF_CHILD_DOWN);
	cr_assert_str_eq(recorded("process.stop"), "ok");
	cr_assert_str_eq(recorded("process.exit"), "none");
}

Test(attach, who_just_goes_has)
{
	int fd = attach();

	close(fd);
	turn();
	cr_assert_str_eq(recorded("process.exit"), "error");
	cr_assert_str_eq(recorded("process.stop"), "none");
}

Test(attach, leaving_has_an_end)
{
	int fd = attach();

	send_raw(fd, HF_MSG_LEAVING);
	hf_test_clock_advance(&clock_, 9 * HF_S);
	turn();
	cr_assert(linked(fd));
	hf_test_clock_advance(&clock_, 2 * HF_S);
	turn();
	cr_assert_not(linked(fd));
	cr_assert_str_eq(recorded("process.exit"), "error");
	close(fd);
}

/* Whoever they are: the one that is wanted does not wait behind them, a round each. */
Test(attach, many_at_once_are_dealt_with_at_once)
{
	int fds[MANY], n = 0, kept = 0;

	while (n < MANY && (fds[n] = try_connect()) >= 0)
		n++;
	cr_assert_gt(n, 8);
	hf_loop_once(loop, 0);
	for (int i = 0; i < n; i++) {
		kept += linked(fds[i]);
		close(fds[i]);
	}
	cr_assert_eq(kept, 1, "the first one; nobody is left in the queue");
}
