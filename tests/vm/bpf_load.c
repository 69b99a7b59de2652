// SPDX-License-Identifier: GPL-2.0
/*
 * Known work for the eBPF tools (bpf-tools.py): two arrays, processes that play
 * (one of them through a queue, where there are such), and trips to order. Says
 * what it was told by the driver, a JSON object a line: who played and with which
 * verdicts, every refusal, every trip. No judgement in here.
 *
 * bpf_load OUT FRAMES [trips]: makes everything, prints {"kind":"ready", ...} on
 * standard output, waits for a line on standard input, plays, writes OUT, prints
 * {"kind":"done"}, waits for another line and ends. The arrays stay.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#define AMP		30000
#define AMP_OVER	60000
#define MANY		1000
#define PAUSE_US	500

static FILE *out;

/* One process that plays with a lease of its own. */
struct party {
	const char *comm;
	const struct scene_array *array;
	int lease;
	__u64 id;
	__u64 cookie;
	unsigned int verdicts[3];
	int begin, end;		/* pipes: what it waits for */
	pid_t pid;
};

static void note(struct party *p, const struct holdfast_frame_result *res)
{
	if (res->verdict > HOLDFAST_VERDICT_REJECT)
		scene_die("verdict %u", res->verdict);
	p->verdicts[res->verdict]++;
	if (res->verdict == HOLDFAST_VERDICT_REJECT)
		fprintf(out, "{\"kind\":\"refused\",\"index\":%d,\"pid\":%d,\"comm\":\"%s\","
			"\"lease\":%llu,\"cookie\":\"%llu\",\"limit\":\"%s\",\"where\":%lld,"
			"\"measured\":%lld,\"bound\":%lld}\n", p->array->index, getpid(), p->comm,
			p->id, res->cookie,
			res->reason.limit == HOLDFAST_LIM_NONE ? "none" :
			scene_limit_name(res->reason.limit),
			res->reason.where == HOLDFAST_NOWHERE ? -1LL : res->reason.where,
			res->reason.measured, res->reason.bound);
}

/* A frame, and what became of it. */
static __u32 play_one(struct party *p, struct holdfast_frame *f, __u16 amp, __u32 flags)
{
	struct holdfast_frame_result res;
	int ret;

	scene_frame_flat(f, amp);
	f->flags = flags;
	f->cookie = ++p->cookie;
	ret = scene_submit(p->lease, f, &res);
	if (ret)
		scene_die("submit: %s", strerror(-ret));
	note(p, &res);
	return res.verdict;
}

static void say_process(const struct party *p)
{
	fprintf(out, "{\"kind\":\"process\",\"index\":%d,\"pid\":%d,\"comm\":\"%s\",\"lease\":%llu,"
		"\"admitted\":%u,\"attenuated\":%u,\"refused\":%u}\n", p->array->index, getpid(),
		p->comm, p->id, p->verdicts[0], p->verdicts[1], p->verdicts[2]);
	fflush(out);
}

static void play(struct party *p, unsigned int frames)
{
	struct holdfast_frame *f = scene_frame_new(p->array->info.channels, 0);

	for (unsigned int i = 0; i < frames; i++) {
		switch (i % 10) {
		case 7:
			play_one(p, f, AMP_OVER, HOLDFAST_FRAME_WAIT);
			break;
		case 8:
			play_one(p, f, AMP_OVER, HOLDFAST_FRAME_WAIT | HOLDFAST_FRAME_ATTENUATE);
			break;
		case 9:
			play_one(p, f, 0, HOLDFAST_FRAME_WAIT);
			break;
		default:
			play_one(p, f, AMP, HOLDFAST_FRAME_WAIT);
		}
		usleep(PAUSE_US);
	}
	free(f);
}

/* A driver with queues: frames for later, judged by a thread of the kernel. */
static void play_queued(struct party *p, unsigned int frames)
{
	struct holdfast_queue q = {
		.size = sizeof(q), .flags = HOLDFAST_QUEUE_SET, .depth = frames,
		.late_ns = 5000 * SCENE_MS, .horizon_ns = 5000 * SCENE_MS,
	};
	struct holdfast_frame *f = scene_frame_new(p->array->info.channels, 0);
	__u64 at = scene_now_ns() + 50 * SCENE_MS;
	struct holdfast_frame_result res;

	if (scene_ioctl(p->lease, HOLDFAST_IOC_QUEUE, &q))
		scene_die("queue");
	for (unsigned int i = 0; i < frames; i++) {
		scene_frame_flat(f, i % 10 == 5 ? AMP_OVER : AMP);
		f->flags = HOLDFAST_FRAME_WAIT;
		f->cookie = ++p->cookie;
		f->present_ns = at + i * 4 * SCENE_MS;
		if (scene_submit(p->lease, f, &res) || res.verdict != HOLDFAST_VERDICT_QUEUED)
			scene_die("frame %u is not queued: verdict %u", i, res.verdict);
	}
	for (unsigned int i = 0; i < frames; i++) {
		if (read(p->lease, &res, sizeof(res)) != sizeof(res))
			scene_die("verdict: %s", strerror(errno));
		note(p, &res);
	}
	free(f);
}

static void party_start(struct party *p, const struct scene_keeper *k, const char *comm,
			const struct scene_array *a)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL, .label = "bpf" };

	*p = (struct party){ .comm = comm, .array = a };
	p->lease = scene_lease(k->fd, k->epoch, &ask, &p->id);
	if (p->lease < 0)
		scene_die("lease: %s", strerror(-p->lease));
}

/* A process of its own; it plays when @begin is closed, and stays until @end is. */
static void party_fork(struct party *p, const int begin[2], const int end[2], unsigned int frames,
		       void (*how)(struct party *p, unsigned int frames))
{
	char c;

	fflush(NULL);
	p->pid = fork();
	if (p->pid < 0)
		scene_die("fork: %s", strerror(errno));
	if (p->pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, p->comm);
	close(begin[1]);
	if (end)
		close(end[1]);
	if (read(begin[0], &c, 1))
		_exit(1);
	how(p, frames);
	if (p->cookie)
		say_process(p);
	if (end && read(end[0], &c, 1))
		_exit(1);
	_exit(0);
}

static void party_wait(const struct party *p)
{
	int status;

	if (waitpid(p->pid, &status, 0) != p->pid || status)
		scene_die("%s ended with %d", p->comm, status);
}

/* --------------------------------------------------------------------- trips */

enum trip { BY_OPERATOR, BY_SUPPLY, BY_KEEPER, BY_BURST, TRIPS };

static void cause(enum trip trip, struct scene_keeper *k, struct scene_array *a, struct party *p,
		  struct holdfast_frame *f)
{
	switch (trip) {
	case BY_OPERATOR:
		scene_silence(k->fd, HOLDFAST_SILENCE_LATCH);
		return;
	case BY_SUPPLY:
		scene_set(a, "supply_sag_mv", "%d", 6000);
		return;
	case BY_KEEPER:
		scene_keeper_mute(k, true);
		return;
	default:
		for (int i = 0; i < MANY && scene_state(k->fd) != HOLDFAST_STATE_TRIPPED; i++)
			play_one(p, f, AMP_OVER, HOLDFAST_FRAME_WAIT);
	}
}

static void say_trip(int fd, const struct scene_array *a)
{
	struct holdfast_trip t;

	scene_trip(fd, &t);
	fprintf(out, "{\"kind\":\"trip\",\"index\":%d,\"cause\":\"%s\",\"limit\":\"%s\","
		"\"measured\":%lld,\"bound\":%lld,\"onset_ns\":%llu,\"detect_ns\":%llu,"
		"\"silence_ns\":%llu,\"lease\":%llu,\"pid\":%d,\"count\":%u}\n", a->index,
		scene_cause_name(t.cause), t.reason.limit == HOLDFAST_LIM_NONE ? "none" :
		scene_limit_name(t.reason.limit), t.reason.measured, t.reason.bound, t.onset_ns,
		t.detect_ns, t.silence_ns, t.lease, t.pid, t.count);
}

static void all_trips(struct scene_keeper *k, struct scene_array *a, struct party *p)
{
	struct holdfast_frame *f = scene_frame_new(a->info.channels, 0);

	for (enum trip i = 0; i < TRIPS; i++) {
		if (play_one(p, f, AMP, HOLDFAST_FRAME_WAIT) == HOLDFAST_VERDICT_REJECT)
			scene_die("does not emit before trip %u", i);
		cause(i, k, a, p, f);
		if (scene_wait_state(k->fd, HOLDFAST_STATE_TRIPPED, 10000))
			scene_die("trip %u does not come", i);
		say_trip(k->fd, a);
		/* Refused, with no limit behind it. */
		play_one(p, f, AMP, 0);
		scene_set(a, "supply_sag_mv", "%d", 0);
		scene_keeper_mute(k, false);
		scene_sleep_ms(300);
		scene_keeper_arm(k);
	}
	free(f);
}

static void say_status(int fd, const struct scene_array *a)
{
	struct holdfast_status st;

	scene_status(fd, &st);
	fprintf(out, "{\"kind\":\"status\",\"index\":%d,\"admitted\":%llu,\"attenuated\":%llu,"
		"\"rejected\":%llu,\"malformed\":%llu,\"trips\":%u}\n", a->index,
		st.frames_admitted, st.frames_attenuated, st.frames_rejected, st.frames_malformed, st.trips);
}

static void make(struct scene_array *a, const char *name)
{
	scene_make(a, name, SCENE_ATTRS("rows=8", "cols=8", "limit=amp_cap 40000",
					"limit=slew_amp 1000000000", "limit=reject_burst 100",
					"limit=trip_dwell 100", "limit=hold 60000",
					"limit=keeper_deadline 3000", "limit=tick_late 10000",
					"limit=sensor_stale 60000"));
}

static void wait_line(void)
{
	char line[16];

	fflush(NULL);
	if (!fgets(line, sizeof(line), stdin))
		scene_die("standard input ended");
}

int main(int argc, char **argv)
{
	struct party alpha, beta, gamma, later, self;
	struct scene_keeper ka, kb;
	struct scene_array a, b;
	char name_a[32], name_b[32];
	int begin[2], end[2];
	unsigned int frames;

	if (argc < 3)
		scene_die("usage: bpf_load OUT FRAMES [trips]");
	frames = (unsigned int)atoi(argv[2]);
	out = fopen(argv[1], "a");
	if (!out || pipe(begin) || pipe(end))
		scene_die("%s: %s", argv[1], strerror(errno));
	/* Several processes write there: whole lines. */
	setvbuf(out, NULL, _IOLBF, BUFSIZ);
	prctl(PR_SET_NAME, "bpf-parent");
	scene_load();
	snprintf(name_a, sizeof(name_a), "bpf-a-%d", getpid());
	snprintf(name_b, sizeof(name_b), "bpf-b-%d", getpid());
	make(&a, name_a);
	make(&b, name_b);
	scene_keeper_start(&ka, &a, 50);
	scene_keeper_start(&kb, &b, 50);
	party_start(&alpha, &ka, "bpf-alpha", &a);
	party_start(&beta, &ka, "bpf-beta", &a);
	party_start(&gamma, &kb, "bpf-gamma", &b);
	party_start(&later, &kb, "bpf-queue", &b);
	party_start(&self, &ka, "bpf-parent", &a);
	scene_keeper_arm(&ka);
	scene_keeper_arm(&kb);
	/* Beta is gone when the tools ask who it was. */
	party_fork(&alpha, begin, end, frames, play);
	party_fork(&beta, begin, NULL, frames, play);
	party_fork(&gamma, begin, end, frames / 2, play);
	party_fork(&later, begin, end, 40, play_queued);
	printf("{\"kind\":\"ready\",\"a\":%d,\"b\":%d,\"alpha\":%d,\"beta\":%d,\"gamma\":%d,"
	       "\"self\":%d,\"names\":[\"%s\",\"%s\"]}\n", a.index, b.index, alpha.pid, beta.pid,
	       gamma.pid, getpid(), name_a, name_b);
	wait_line();
	close(begin[1]);
	party_wait(&beta);
	close(end[1]);
	party_wait(&alpha);
	party_wait(&gamma);
	party_wait(&later);
	if (argc > 3)
		all_trips(&ka, &a, &self);
	say_process(&self);
	say_status(ka.fd, &a);
	say_status(kb.fd, &b);
	printf("{\"kind\":\"done\"}\n");
	wait_line();
	scene_keeper_stop(&ka);
	scene_keeper_stop(&kb);
	return 0;
}
