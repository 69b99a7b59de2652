// SPDX-License-Identifier: GPL-2.0
/*
 * Runs in a guest: the player of libholdfast by each of its ways, against the driver
 * and a simulated array. Back-pressure, order, cancelling, and which way is taken when
 * others are not there. Judged by the emission ledger. Prints TAP.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "bench.h"
#include "libholdfast.h"
#include "tap.h"

#define CHANNELS	16
#define AMP		20000

static const char *const attrs[] = {
	"rows=4", "cols=4", "limit=slew_phase 1000000000", "limit=slew_amp 1000000000",
	"limit=frame_interval 1000000", "limit=keeper_deadline 10000", "limit=tick_late 2000",
	"limit=trip_dwell 0", "limit=reject_burst 100000", NULL
};

static enum holdfast_way way;
static struct holdfast_array *lease;
static char text[HOLDFAST_TEXT_LEN];

/* What the callback has seen. */
static struct {
	unsigned int n, disorder;
	unsigned int errors[256];
	uint64_t next;
} seen;

static void verdict(void *arg, const struct holdfast_frame_result *res)
{
	(void)arg;
	seen.disorder += res->cookie != seen.next;
	seen.next = res->cookie + 1;
	seen.errors[res->error & 255]++;
	seen.n++;
}

static struct holdfast_frame *frame(struct holdfast_frame *f, unsigned int number)
{
	scene_frame_flat(f, AMP);
	scene_phases(f)[0] = (__u16)(number << 8);
	scene_phases(f)[1] = number & 0xff00;
	f->cookie = number;
	return f;
}

static struct holdfast_player *player(struct bench *b, uint32_t depth, uint32_t batch, bool call)
{
	struct holdfast_player_options o = {
		.depth = depth, .batch = batch, .way = way, .late_ns = 2000 * SCENE_MS,
		.horizon_ns = 5000 * SCENE_MS, .interval_ns = 2 * SCENE_MS,
		.verdict = call ? verdict : NULL,
	};
	struct holdfast_player *p = NULL;
	int ret;

	memset(&seen, 0, sizeof(seen));
	ret = holdfast_player_open(&p, lease, &o, text);
	if (ret)
		tap_bail("player: %s", text);
	bench_check(b, holdfast_player_way(p) == way, "way %s, asked for %s",
		    holdfast_way_name(holdfast_player_way(p)), holdfast_way_name(way));
	return p;
}

static void emitted(struct bench *b, unsigned int n, const uint64_t *at)
{
	emissions_read(&b->es, &b->ledger);
	bench_check(b, b->es.count == n, "%zu emissions, expected %u", b->es.count, n);
	for (size_t i = 0; i < b->es.count && i < n; i++) {
		const struct emission *e = &b->es.e[i];

		if (!bench_check(b, (e->phase[0] | e->phase[1] << 8) == (int)i,
				 "emission %zu is frame %u", i, e->phase[0] | e->phase[1] << 8))
			return;
		bench_check(b, !at || e->begin_ns >= at[i], "frame %zu comes too early", i);
	}
}

/* More frames than there is room: the player says so, and nothing is lost. */
static void pressure(struct bench *b)
{
	struct holdfast_player *p = player(b, 16, 4, true);
	struct holdfast_frame *f = scene_frame_new(CHANNELS, 0);
	uint64_t at[120], until = scene_now_ns() + 10000 * SCENE_MS;
	unsigned int full = 0, i;
	int ret = 0;

	for (i = 0; i < 120; i++)
		at[i] = scene_now_ns() + (100 + i * 4) * SCENE_MS;
	for (i = 0; i < 120 && !ret; i++) {
		while ((ret = holdfast_player_push(p, frame(f, i), at[i])) == -EAGAIN) {
			full++;
			ret = holdfast_player_wait(p, until);
			if (ret)
				break;
		}
	}
	bench_errno(b, ret, 0, "push");
	bench_check(b, full > 5, "room ran out only %u times", full);
	bench_errno(b, holdfast_player_push(p, frame(f, 999), at[0]), EINVAL, "a time that is over");
	bench_errno(b, holdfast_player_drain(p, until), 0, "drain");
	bench_check(b, seen.n == 120 && !seen.disorder && seen.errors[0] == 120,
		    "%u verdicts, %u out of order, %u good", seen.n, seen.disorder, seen.errors[0]);
	emitted(b, 120, at);
	holdfast_player_close(p);
	free(f);
}

/* Without times, verdicts by asking for them. */
static void soon(struct bench *b)
{
	struct holdfast_player *p = player(b, 32, 8, false);
	struct holdfast_frame *f = scene_frame_new(CHANNELS, 0);
	struct holdfast_frame_result res[16];
	uint64_t until = scene_now_ns() + 10000 * SCENE_MS, next = 0;
	unsigned int i, bad = 0;
	int n;

	for (i = 0; i < 60;) {
		int ret = holdfast_player_push(p, frame(f, i), 0);

		i += !ret;
		if (ret && ret != -EAGAIN)
			break;
		if (ret && holdfast_player_wait(p, until))
			break;
		while ((n = holdfast_player_verdicts(p, res, 16)) > 0)
			for (int k = 0; k < n; k++)
				bad += res[k].error || res[k].cookie != next++;
	}
	bench_check(b, i == 60, "only %u pushed", i);
	bench_errno(b, holdfast_player_drain(p, until), 0, "drain");
	while ((n = holdfast_player_verdicts(p, res, 16)) > 0)
		for (int k = 0; k < n; k++)
			bad += res[k].error || res[k].cookie != next++;
	bench_check(b, next == 60 && !bad, "%llu verdicts, %u bad", (unsigned long long)next, bad);
	emitted(b, 60, NULL);
	holdfast_player_close(p);
	free(f);
}

static void cancelled(struct bench *b)
{
	struct holdfast_player *p = player(b, 16, 4, true);
	struct holdfast_frame *f = scene_frame_new(CHANNELS, 0);
	uint64_t at = scene_now_ns() + 400 * SCENE_MS;
	unsigned int i;

	for (i = 0; i < 14; i++)
		holdfast_player_push(p, frame(f, i), at + i * 5 * SCENE_MS);
	bench_errno(b, holdfast_player_cancel(p), 0, "cancel");
	bench_errno(b, holdfast_player_drain(p, at), 0, "drain");
	bench_check(b, seen.n == 14 && !seen.disorder && seen.errors[ECANCELED] == 14,
		    "%u verdicts, %u out of order, %u cancelled", seen.n, seen.disorder,
		    seen.errors[ECANCELED]);
	scene_sleep_ms(600);
	emitted(b, 0, NULL);
	holdfast_player_close(p);
	free(f);
}

static void closed(struct bench *b)
{
	struct holdfast_player *p = player(b, 16, 4, true);
	struct holdfast_frame *f = scene_frame_new(CHANNELS, 0);
	uint64_t now = scene_now_ns(), at = now + 900 * SCENE_MS;
	struct holdfast_queue q = { .size = sizeof(q) };
	unsigned int i;

	for (i = 0; i < 14; i++)
		holdfast_player_push(p, frame(f, i), at + i * 5 * SCENE_MS);
	holdfast_player_flush(p);
	holdfast_player_close(p);
	bench_errno(b, scene_ioctl(b->lease, HOLDFAST_IOC_QUEUE, &q), 0, "ask");
	bench_check(b, !q.queued && scene_now_ns() < at, "%u queued", q.queued);
	scene_sleep_ms(1100);
	emitted(b, 0, NULL);
	free(f);
}

/* Refusals are verdicts, and those after them go on. */
static void refused(struct bench *b)
{
	struct holdfast_player *p = player(b, 16, 4, true);
	struct holdfast_frame *f = scene_frame_new(CHANNELS, 0);
	uint64_t now = scene_now_ns(), at[4];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		at[i] = now + (100 + i * 5) * SCENE_MS;
		holdfast_player_push(p, frame(f, i), at[i]);
	}
	for (; i < 8; i++)
		holdfast_player_push(p, frame(f, i), now + 60000 * SCENE_MS + i);
	bench_errno(b, holdfast_player_drain(p, now + 5000 * SCENE_MS), 0, "drain");
	bench_check(b, seen.errors[0] == 4 && seen.errors[EDOM] == 4 && !seen.disorder,
		    "%u good, %u beyond the horizon", seen.errors[0], seen.errors[EDOM]);
	emitted(b, 4, at);
	holdfast_player_close(p);
	free(f);
}

/* In a process that may not use io_uring. */
static int without_uring(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = 4, .filter = code };
	struct holdfast_player_options o = { .way = HOLDFAST_WAY_AUTO };
	struct holdfast_player *p;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog))
		return 77;
	if (holdfast_player_open(&p, lease, &o, text))
		return 1;
	if (holdfast_player_way(p) != HOLDFAST_WAY_SUBMIT)
		return 2;
	holdfast_player_close(p);
	o.way = HOLDFAST_WAY_URING;
	if (holdfast_player_open(&p, lease, &o, text) != -EPERM || !strstr(text, "way uring"))
		return 3;
	return 0;
}

static void falls_back(struct bench *b)
{
	struct holdfast_player_options o = { .way = HOLDFAST_WAY_AUTO };
	struct holdfast_player *p;
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(without_uring());
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		tap_note("no seccomp in this kernel");
	else
		bench_check(b, !status, "without io_uring: status %d", WEXITSTATUS(status));
	setenv("HOLDFAST_WAY", "submit", 1);
	bench_errno(b, holdfast_player_open(&p, lease, &o, text), 0, "by the environment");
	bench_check(b, holdfast_player_way(p) == HOLDFAST_WAY_SUBMIT, "another way");
	holdfast_player_close(p);
	setenv("HOLDFAST_WAY", "by-post", 1);
	bench_errno(b, holdfast_player_open(&p, lease, &o, text), EINVAL, "no such way");
	unsetenv("HOLDFAST_WAY");
	bench_errno(b, holdfast_player_open(&p, lease, &o, text), 0, "the best");
	bench_check(b, holdfast_player_way(p) == HOLDFAST_WAY_URING_FIXED, "the best is %s",
		    holdfast_way_name(holdfast_player_way(p)));
	holdfast_player_close(p);
	o.depth = 4;
	o.batch = 8;
	bench_errno(b, holdfast_player_open(&p, lease, &o, text), EINVAL, "batch beyond depth");
}

static void run(const char *name, void (*test)(struct bench *b))
{
	static unsigned int serial;
	char array[32];
	struct bench b;

	snprintf(array, sizeof(array), "player-%u", serial++);
	bench_open(&b, array, attrs);
	scene_keeper_arm(&b.keeper);
	if (holdfast_open_fd(&lease, dup(b.lease)))
		tap_bail("holdfast_open_fd");
	test(&b);
	tap_ok(!b.failures, "%s: %s", holdfast_way_name(way), name);
	holdfast_close(lease);
	bench_close(&b);
}

int main(void)
{
	scene_load();
	for (way = HOLDFAST_WAY_URING_FIXED; way <= HOLDFAST_WAY_SUBMIT; way++) {
		run("more frames than room", pressure);
		run("as soon as possible", soon);
		run("cancelled", cancelled);
		run("closed", closed);
		run("refused", refused);
	}
	way = HOLDFAST_WAY_AUTO;
	run("which way is taken", falls_back);
	return tap_done();
}
