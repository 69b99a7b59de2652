// SPDX-License-Identifier: GPL-2.0
/*
 * Runs in a guest as root: how many frames a second each way into the driver takes, with
 * the bench-only modules that check everything and nothing (variants/build), and through a
 * broker: a process that is sent the frames over a socket, judges them by the same rules
 * in user space, and writes those that pass to the module without checks. A line of JSON
 * for each measurement; no statistics here. Every frame sent is looked for in the
 * emission ledger: one that was refused or lost ends the benchmark.
 *
 * Usage: driver_guest CHECKED-MODULES UNCHECKED-MODULES SECONDS ROUNDS
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <liburing.h>

#include "admit.h"
#include "ledger.h"
#include "scene.h"

#define ROWS		16
#define CHANNELS	(ROWS * ROWS)
#define POINTS		16
#define BATCH_MAX	1024
#define AHEAD		4	/* batches that a client of the broker may be ahead */
#define PIECES		9	/* of a measurement */
#define SOCKET_BYTES	(2 << 20)
#define LOUD		30000	/* each fence point needs the field */
#define QUIET		15000	/* each passes by the sum of amplitudes */

static const __u32 batches[] = { 1, 8, 64, 256, BATCH_MAX };

/* Frames back to back, all different: at one amplitude, with phases by chance. */
struct frames {
	unsigned char *bytes;	/* [BATCH_MAX] frames */
	size_t size;		/* of one */
};

static struct frames loud, quiet;
static struct scene_array array;
static struct scene_keeper keeper;
static struct holdfast_fence_point fence[POINTS];
static int lease;

/* ------------------------------------------------------------------- frames */

static __u32 random_u32(void)
{
	static __u64 x = 0x9e3779b97f4a7c15ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (__u32)(x >> 32);
}

static void make_frames(struct frames *f, __u16 amp)
{
	unsigned int n, i;

	f->size = scene_frame_bytes(CHANNELS, 0);
	f->bytes = malloc(f->size * BATCH_MAX);
	if (!f->bytes)
		scene_die("no memory");
	for (n = 0; n < BATCH_MAX; n++) {
		struct holdfast_frame *frame = (void *)(f->bytes + n * f->size);

		scene_frame_init(frame, CHANNELS, 0);
		for (i = 0; i < CHANNELS; i++) {
			scene_phases(frame)[i] = (__u16)random_u32();
			scene_amps(frame)[i] = amp;
		}
	}
}

/* The next @batch frames, round and round: one like the one before would be cheaper to judge. */
static unsigned char *next_frames(const struct frames *f, __u32 batch)
{
	static __u32 turn;

	return f->bytes + turn++ % (BATCH_MAX / batch) * batch * f->size;
}

/* Points whose limits are above what quiet frames could do there, and below it for loud ones. */
static void make_fence(void)
{
	double complex g[CHANNELS];
	struct physics p;
	unsigned int i, j;

	physics_init(&p, &array);
	for (j = 0; j < POINTS; j++) {
		double sum = 0;

		fence[j].x_um = (__s32)(j % 4) * 25000 - 37500;
		fence[j].y_um = (__s32)(j / 4) * 25000 - 37500;
		fence[j].z_um = 150000;
		physics_gains(&p, fence[j].x_um * 1e-6, fence[j].y_um * 1e-6, 0.15, g);
		for (i = 0; i < CHANNELS; i++)
			sum += cabs(g[i]);
		fence[j].limit_mpa = (__u32)(sum * 1000 * (LOUD + QUIET) / 2 / 65535);
	}
	physics_free(&p);
}

/* -------------------------------------------------------------------- broker */

struct broker {
	pid_t pid;
	int sock;
	unsigned int outstanding;
};

static struct broker broker;

static void move_all(int fd, void *data, size_t bytes, bool out)
{
	char *at = data;

	while (bytes) {
		ssize_t n = out ? write(fd, at, bytes) : read(fd, at, bytes);

		if (n <= 0 && errno != EINTR)
			scene_die("broker's socket: %s", n ? strerror(errno) : "closed");
		at += n > 0 ? n : 0;
		bytes -= n > 0 ? (size_t)n : 0;
	}
}

/* What the rules want to know, and what of the past they judge against. */
struct judge {
	struct hf_nameplate np;
	struct hf_phase_lut lut;
	struct hf_rules *rules;
	struct hf_scratch scratch;
	struct hf_model model;
	struct hf_wire wire[2];
	unsigned int now;
	__u64 last_ns;
};

static struct judge judge;

static void judge_init(void)
{
	struct holdfast_envelope eff;
	struct hf_nameplate *np = &judge.np;
	struct hf_envelope env;
	unsigned int i;
	int ret = scene_env_get(lease, HOLDFAST_ENV_EFFECTIVE, &eff);

	if (ret)
		scene_die("envelope: %s", strerror(-ret));
	memset(&judge, 0, sizeof(judge));
	np->channels = CHANNELS;
	np->phase_levels = array.info.phase_levels;
	np->amp_levels = array.info.amp_levels;
	np->p0_safety_upam = array.info.p0_safety_upam;
	np->p0_nominal_upam = array.info.p0_nominal_upam;
	np->wavelength_nm = array.info.wavelength_nm;
	np->aperture_um = array.info.aperture_um;
	np->p_drive_uw = array.info.p_drive_uw;
	np->p_acoustic_uw = array.info.p_acoustic_uw;
	/* thermal constants are no part of the interface: docs/simulator.md */
	np->rth_chan_mk_per_w = 120000;
	np->tau_chan_ms = 60000;
	np->rth_array_mk_per_w = 700;
	np->tau_array_ms = 45000;
	np->tau_power_ms = 10000;
	for (i = 0; i < CHANNELS; i++) {
		np->pos[i] = (struct hf_channel_pos){
			array.pos[i].x_um, array.pos[i].y_um, array.pos[i].z_um,
			array.pos[i].nx_q14, array.pos[i].ny_q14, array.pos[i].nz_q14,
		};
		np->cal[i].gain_q16 = HF_AMP_FULL;
	}
	hf_envelope_loosest(&env);
	memcpy(env.limit, eff.limit, sizeof(env.limit));
	env.nfence = POINTS;
	for (i = 0; i < POINTS; i++)
		env.fence[i] = (struct hf_fence_point){ fence[i].x_um, fence[i].y_um, fence[i].z_um,
							fence[i].limit_mpa };
	hf_envelope_canon(&env);
	np->limits = env;
	np->limits.limit[HF_LIM_FRAME_INTERVAL] = 1000;	/* 0 is of the bench-only modules alone */
	if (hf_nameplate_check(np))
		scene_die("broker: nameplate: %s", hf_nameplate_check(np));
	hf_phase_lut_init(&judge.lut, np->phase_levels);
#ifdef __x86_64__
	/* as a program would; in User-mode Linux the driver itself has no vectors */
	if (__builtin_cpu_supports("avx2"))
		judge.lut.way = &hf_dot_avx2;
#endif
	judge.rules = aligned_alloc(64, (hf_rules_size(POINTS, np) + 63) / 64 * 64);
	if (!judge.rules)
		scene_die("no memory");
	memset(judge.rules, 0, hf_rules_size(POINTS, np));
	hf_rules_build(judge.rules, np, &judge.lut, &env, &env);
	judge.rules->id = 1;
	hf_model_init(&judge.model, np, scene_now_ns());
}

static bool judge_frame(struct holdfast_frame *f)
{
	struct judge *j = &judge;
	struct hf_wire *w = &j->wire[j->now];
	struct hf_context ctx = {
		.now_ns = scene_now_ns(), .last_commit_ns = j->last_ns, .model = &j->model,
		.last = j->last_ns ? &j->wire[!j->now] : NULL, .derate_q16 = HF_Q16_ONE,
	};
	struct hf_request req = {
		.phase = scene_phases(f), .amp = scene_amps(f), .channels = f->channels,
	};
	struct hf_result res;

	if (f->magic != HOLDFAST_FRAME_MAGIC || f->channels != CHANNELS || f->size != loud.size)
		return false;
	hf_model_advance_lazily(&j->model, &j->np, ctx.now_ns);
	hf_admit(j->rules, &ctx, &req, &j->scratch, w, &res);
	if (res.verdict != HF_ADMIT)
		return false;
	hf_model_output(&j->model, &j->np, &j->rules->env, w->chan_power_uw, w->point_mpa, 0,
			ctx.now_ns);
	j->last_ns = ctx.now_ns;
	j->now = !j->now;
	return true;
}

/* Batches as they come: read whole, judged, written on, and answered with a word. */
__attribute__((noreturn)) static void broker_process(int sock)
{
	static unsigned char *buf;
	__u32 count, i, good;

	judge_init();
	buf = malloc(loud.size * BATCH_MAX);
	if (!buf)
		scene_die("no memory");
	while (read(sock, &count, sizeof(count)) == sizeof(count)) {
		move_all(sock, buf, count * loud.size, false);
		for (good = 0; good < count; good++)
			if (!judge_frame((void *)(buf + good * loud.size)))
				break;
		for (i = 0; i < good;) {
			ssize_t n = write(lease, buf + i * loud.size, (good - i) * loud.size);

			if (n <= 0)
				scene_die("broker: write: %s", strerror(errno));
			i += (__u32)((size_t)n / loud.size);
		}
		move_all(sock, &good, sizeof(good), true);
	}
	_exit(0);
}

/* A frame that is focused on a fence point: only what checks nothing may let it through. */
static struct holdfast_frame *forbidden(void)
{
	struct holdfast_frame *f = scene_frame_new(CHANNELS, 0);

	scene_frame_focus(f, &array, fence[0].x_um, fence[0].y_um, fence[0].z_um, LOUD);
	return f;
}

/* The broker is one that judges. */
static void broker_tried(void)
{
	struct holdfast_frame *f = forbidden();
	__u32 one = 1, good;

	move_all(broker.sock, &one, sizeof(one), true);
	move_all(broker.sock, f, f->size, true);
	move_all(broker.sock, &good, sizeof(good), false);
	if (good)
		scene_die("the broker lets through what the fence forbids");
	free(f);
}

static void broker_start(void)
{
	const int bytes = SOCKET_BYTES;
	int pair[2], i;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		scene_die("socketpair: %s", strerror(errno));
	for (i = 0; i < 2; i++)
		if (setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
			scene_die("socket's buffer: %s", strerror(errno));
	fflush(stdout);
	broker.pid = fork();
	if (broker.pid < 0)
		scene_die("fork: %s", strerror(errno));
	if (!broker.pid) {
		close(pair[0]);
		broker_process(pair[1]);
	}
	close(pair[1]);
	broker.sock = pair[0];
	broker.outstanding = 0;
	broker_tried();
}

static void broker_answer(__u32 batch)
{
	__u32 good;

	move_all(broker.sock, &good, sizeof(good), false);
	if (good != batch)
		scene_die("the broker refuses frame %u of %u", good, batch);
	broker.outstanding--;
}

static void broker_send(const struct frames *f, __u32 batch, unsigned int ahead)
{
	unsigned char *frames = next_frames(f, batch);
	struct iovec iov[2] = {
		{ &batch, sizeof(batch) }, { frames, f->size * batch },
	};
	ssize_t n = writev(broker.sock, iov, 2);
	size_t all = iov[0].iov_len + iov[1].iov_len;

	if (n < (ssize_t)sizeof(batch))
		scene_die("to the broker: %s", strerror(errno));
	if ((size_t)n < all)
		move_all(broker.sock, frames + n - sizeof(batch), all - (size_t)n, true);
	broker.outstanding++;
	while (broker.outstanding > ahead)
		broker_answer(batch);
}

static void broker_drain(__u32 batch)
{
	while (broker.outstanding)
		broker_answer(batch);
}

/* CPU time of the broker's whole life: it began with this measurement. */
static void broker_stop(struct rusage *ru)
{
	int status;

	close(broker.sock);
	if (wait4(broker.pid, &status, 0, ru) != broker.pid || status)
		scene_die("the broker ended with %#x", status);
}

/* ---------------------------------------------------------------------- ways */

/*
 * The rest of a batch of which @n bytes were taken. A write may be cut short without a frame that
 * was refused (io_uring's task work counts as a signal); one that was ends the benchmark.
 */
static void send_rest(const char *what, const unsigned char *frames, __u32 batch, ssize_t n)
{
	size_t all = loud.size * batch, done = n > 0 ? (size_t)n : 0;
	struct holdfast_frame_result r = {};
	int err = errno;

	while (done < all) {
		ioctl(lease, HOLDFAST_IOC_LAST_VERDICT, &r);
		if (n <= 0 || r.verdict == HOLDFAST_VERDICT_REJECT)
			scene_die("%s of %u: %zd bytes (%s); limit %s at %u: %lld, allowed %lld",
				  what, batch, n, n < 0 ? strerror(err) : "cut short",
				  scene_limit_name(r.reason.limit), r.reason.where,
				  (long long)r.reason.measured, (long long)r.reason.bound);
		n = write(lease, frames + done, all - done);
		err = errno;
		done += n > 0 ? (size_t)n : 0;
	}
}

static void send_write(const struct frames *f, __u32 batch)
{
	unsigned char *frames = next_frames(f, batch);

	send_rest("write", frames, batch, write(lease, frames, f->size * batch));
}

static void send_writev(const struct frames *f, __u32 batch)
{
	unsigned char *frames = next_frames(f, batch);
	static struct iovec iov[BATCH_MAX];
	__u32 i;

	for (i = 0; i < batch; i++)
		iov[i] = (struct iovec){ frames + i * f->size, f->size };
	send_rest("writev", frames, batch, writev(lease, iov, (int)batch));
}

static struct holdfast_frame_result results[BATCH_MAX];

static void send_submit(const struct frames *f, __u32 batch)
{
	struct holdfast_submit s = {
		.size = sizeof(s), .frames = (uintptr_t)next_frames(f, batch),
		.bytes = f->size * batch, .results = (uintptr_t)results, .count = batch,
	};
	int ret = scene_ioctl(lease, HOLDFAST_IOC_SUBMIT, &s);
	__u32 i;

	if (ret || s.count != batch)
		scene_die("submit of %u: %u, %s", batch, s.count, strerror(-ret));
	for (i = 0; i < batch; i++)
		if (results[i].verdict != HOLDFAST_VERDICT_ADMIT)
			scene_die("submit: frame %u is refused: %s", i,
				  scene_limit_name(results[i].reason.limit));
}

static void send_broker(const struct frames *f, __u32 batch)
{
	broker_send(f, batch, 0);
}

static void send_broker_ahead(const struct frames *f, __u32 batch)
{
	broker_send(f, batch, AHEAD);
}

#ifdef HOLDFAST_URING_CMD_SUBMIT
static struct io_uring ring;

/* The frames lie in memory that is registered once. */
static void ring_begin(void)
{
	struct iovec iov = { loud.bytes, loud.size * BATCH_MAX };
	int ret = io_uring_queue_init(2 * AHEAD, &ring, IORING_SETUP_SQE128);

	if (!ret)
		ret = io_uring_register_buffers(&ring, &iov, 1);
	if (ret)
		scene_die("io_uring: %s", strerror(-ret));
}

static void ring_end(void)
{
	io_uring_queue_exit(&ring);
}

/* @commands of @batch frames each, by one system call, and their verdicts. */
static void ring_send(const struct frames *f, __u32 batch, unsigned int commands)
{
	static struct holdfast_frame_result verdicts[AHEAD][BATCH_MAX];
	struct io_uring_cqe *cqe;
	unsigned int i, n;
	int ret;

	for (i = 0; i < commands; i++) {
		const struct holdfast_submit s = {
			.size = sizeof(s), .frames = (uintptr_t)next_frames(f, batch),
			.bytes = f->size * batch, .results = (uintptr_t)verdicts[i], .count = batch,
		};
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		memset(sqe, 0, 128);
		sqe->opcode = IORING_OP_URING_CMD;
		sqe->fd = lease;
		sqe->cmd_op = HOLDFAST_URING_CMD_SUBMIT;
		sqe->uring_cmd_flags = IORING_URING_CMD_FIXED;
		memcpy(sqe->cmd, &s, sizeof(s));
	}
	ret = io_uring_submit_and_wait(&ring, commands);
	if (ret != (int)commands)
		scene_die("io_uring: %d commands, %s", ret, strerror(-ret));
	for (i = 0; i < commands; i++) {
		ret = io_uring_wait_cqe(&ring, &cqe);
		if (ret || cqe->res != (int)batch)
			scene_die("io_uring: %d, result %d of %u", ret, ret ? 0 : cqe->res, batch);
		io_uring_cqe_seen(&ring, cqe);
		for (n = 0; n < batch; n++)
			if (verdicts[i][n].verdict != HOLDFAST_VERDICT_ADMIT)
				scene_die("io_uring: frame %u is refused: %s", n,
					  scene_limit_name(verdicts[i][n].reason.limit));
	}
}

static void send_uring(const struct frames *f, __u32 batch)
{
	ring_send(f, batch, 1);
}

static void send_uring_ahead(const struct frames *f, __u32 batch)
{
	ring_send(f, batch, AHEAD);
}
#endif

static const struct way {
	const char *name;
	void (*send)(const struct frames *f, __u32 batch);
	const struct frames *frames;
	bool unchecked;		/* with the module that checks nothing */
	bool broker;
	unsigned int times;	/* batches that send() sends */
	void (*begin)(void);	/* NULL: nothing */
	void (*end)(void);
} ways[] = {
	{ "write", send_write, &loud, false, false, 1, NULL, NULL },
	{ "write_quick", send_write, &quiet, false, false, 1, NULL, NULL },
	{ "writev", send_writev, &loud, false, false, 1, NULL, NULL },
	{ "submit", send_submit, &loud, false, false, 1, NULL, NULL },
	{ "write_unchecked", send_write, &loud, true, false, 1, NULL, NULL },
	{ "write_quick_unchecked", send_write, &quiet, true, false, 1, NULL, NULL },
	{ "writev_unchecked", send_writev, &loud, true, false, 1, NULL, NULL },
	{ "submit_unchecked", send_submit, &loud, true, false, 1, NULL, NULL },
	{ "broker", send_broker, &loud, true, true, 1, broker_start, NULL },
	{ "broker_ahead", send_broker_ahead, &loud, true, true, 1, broker_start, NULL },
#ifdef HOLDFAST_URING_CMD_SUBMIT
	{ "uring", send_uring, &loud, false, false, 1, ring_begin, ring_end },
	{ "uring_ahead", send_uring_ahead, &loud, false, false, AHEAD, ring_begin, ring_end },
	{ "uring_unchecked", send_uring, &loud, true, false, 1, ring_begin, ring_end },
	{ "uring_ahead_unchecked", send_uring_ahead, &loud, true, false, AHEAD, ring_begin,
	  ring_end },
#endif
};

#define WAYS	(sizeof(ways) / sizeof(ways[0]))

static double cpu_s(const struct rusage *ru)
{
	return (double)(ru->ru_utime.tv_sec + ru->ru_stime.tv_sec) +
	       (double)(ru->ru_utime.tv_usec + ru->ru_stime.tv_usec) * 1e-6;
}

static int by_value(const void *x, const void *y)
{
	double p = *(const double *)x, q = *(const double *)y;

	return p < q ? -1 : p > q;
}

/*
 * Until @seconds are over, at least one batch; the first is not counted. The rate is the median of
 * what it was in pieces of this time, so that a pause of the machine is in one of them only.
 */
static void measure(unsigned int round, const struct way *w, __u32 batch, double seconds)
{
	const __u64 piece = (__u64)(seconds * 1e9 / PIECES);
	__u64 begin, end, last, then, sent = 0;
	struct rusage before, after, other = {};
	double fps[PIECES];
	long long emitted;
	unsigned int n = 0;

	if (w->begin)
		w->begin();
	w->send(w->frames, batch);
	if (w->broker)
		broker_drain(batch);
	emitted = scene_get_number(&array, "ledger_seq");
	/* a client that is ahead is so from the beginning: then each batch sent is one answered */
	while (w->send == send_broker_ahead && broker.outstanding < AHEAD) {
		w->send(w->frames, batch);
		sent += batch;
	}
	getrusage(RUSAGE_SELF, &before);
	begin = scene_now_ns();
	last = begin;
	then = 0;
	do {
		w->send(w->frames, batch);
		sent += batch * w->times;
		end = scene_now_ns();
		if (end - last >= piece && n < PIECES) {
			__u64 done = sent - (__u64)broker.outstanding * batch;

			fps[n++] = (double)(done - then) * 1e9 / (double)(end - last);
			last = end;
			then = done;
		}
	} while (end - begin < PIECES * piece || !n);
	if (w->broker)
		broker_drain(batch);
	getrusage(RUSAGE_SELF, &after);
	if (w->broker)
		broker_stop(&other);
	if (w->end)
		w->end();
	emitted = scene_get_number(&array, "ledger_seq") - emitted;
	if (emitted != (long long)sent)
		scene_die("%s, %u a time: %llu frames sent, %lld emitted", w->name, batch, sent,
			  emitted);
	qsort(fps, n, sizeof(*fps), by_value);
	printf("{\"round\": %u, \"way\": \"%s\", \"batch\": %u, \"fps\": %.1f, \"cpu_us\": %.4f}\n",
	       round, w->name, batch, fps[n / 2],
	       (cpu_s(&after) - cpu_s(&before) + cpu_s(&other)) * 1e6 / (double)sent);
}

/* --------------------------------------------------------------------- scene */

static void load(const char *folder, const char *core)
{
	int ret;

	setenv("HOLDFAST_MODDIR", folder, 1);
	ret = scene_module_load(core);
	if (ret)
		scene_die("%s does not load: %s", core, strerror(-ret));
	ret = scene_module_load("holdfast_sim");
	if (ret)
		scene_die("holdfast_sim does not load: %s", strerror(-ret));
	scene_load();	/* mounts configfs */
}

static void unload(const char *core)
{
	const char *const names[] = { "holdfast_sim", core };
	int ret, i, tries;

	for (i = 0; i < 2; i++) {
		for (tries = 0, ret = -1; ret && tries < 100; tries++) {
			ret = scene_module_unload(names[i]);
			if (ret)
				scene_sleep_ms(10);
		}
		if (ret)
			scene_die("%s does not unload: %s", names[i], strerror(-ret));
	}
}

/*
 * Nothing of the machine's own noise may silence it: what is late here is no fault of the driver.
 * Frames may follow at once, whatever their phases: SLEW_PHASE is the one check that is not made.
 */
static void begin(bool unchecked)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL, .label = "bench" };
	struct holdfast_frame *f;
	int ret;

	scene_make(&array, "bench",
		   SCENE_ATTRS("rows=16", "cols=16", "sensors=none", "ledger_frames=16",
			       "limit=frame_interval 0", "limit=slew_phase 1000000000",
			       "limit=slew_amp 999999999", "limit=hold 10000",
			       "limit=keeper_deadline 10000", "limit=tick_late 10000"));
	make_fence();
	scene_keeper_start(&keeper, &array, 500);
	ret = scene_fence_set(keeper.fd, fence, POINTS);
	if (ret)
		scene_die("fence: %s", strerror(-ret));
	lease = scene_lease(keeper.fd, keeper.epoch, &ask, NULL);
	if (lease < 0)
		scene_die("lease: %s", strerror(-lease));
	scene_keeper_arm(&keeper);
	f = forbidden();
	ret = scene_write(lease, f);
	if (ret != (unchecked ? 0 : -ERANGE))
		scene_die("a frame that the fence forbids: %s", ret ? strerror(-ret) : "taken");
	free(f);
}

static void end(void)
{
	close(lease);
	scene_keeper_stop(&keeper);
	scene_drop(&array);
}

/* -------------------------------------------------------------------- memory */

#define ARRAYS		32
#define TRACING		"/sys/kernel/tracing/"

struct memory {
	double vmalloc, simulator;	/* by whose code asked for it, KiB */
	double free;
};

static void memory_now(struct memory *m)
{
	unsigned long long n;
	char line[512];
	const char *at;
	FILE *f;

	memset(m, 0, sizeof(*m));
	f = fopen("/proc/vmallocinfo", "r");
	while (f && fgets(line, sizeof(line), f)) {
		at = strstr(line, "pages=");
		if (at && strstr(line, "[holdfast_bench_checked]"))
			m->vmalloc += 4.0 * atoi(at + 6);
		else if (at && strstr(line, "[holdfast_sim]"))
			m->simulator += 4.0 * atoi(at + 6);
	}
	if (f)
		fclose(f);
	f = fopen("/proc/meminfo", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemFree: %llu", &n) == 1)
			m->free = (double)n;
	if (f)
		fclose(f);
}

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_TRUNC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* What this process makes the kernel allocate and free. False: this kernel does not tell. */
static bool trace_start(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	return put(TRACING "buffer_size_kb", "32768") && put(TRACING "set_event_pid", pid) &&
	       put(TRACING "trace", "") && put(TRACING "events/kmem/kmalloc/enable", "1") &&
	       put(TRACING "events/kmem/kfree/enable", "1") &&
	       put(TRACING "events/kmem/kmem_cache_alloc/enable", "1") &&
	       put(TRACING "events/kmem/kmem_cache_free/enable", "1");
}

static void trace_save(const char *name)
{
	char buf[65536], path[512];
	FILE *from, *to;
	size_t n;

	put(TRACING "events/kmem/enable", "0");
	snprintf(path, sizeof(path), "%s/%s", getenv("VM_OUT"), name);
	from = fopen(TRACING "trace", "r");
	to = fopen(path, "w");
	if (!from || !to)
		scene_die("trace: %s", strerror(errno));
	while ((n = fread(buf, 1, sizeof(buf), from)) > 0)
		if (fwrite(buf, 1, n, to) != n)
			scene_die("%s: %s", path, strerror(errno));
	fclose(from);
	if (fclose(to))
		scene_die("%s: %s", path, strerror(errno));
}

/* What is told twice: by each allocation, where the kernel tells, and by what is less free. */
static void memory_line(const char *what, const struct memory *a, const char *trace)
{
	struct memory b;

	memory_now(&b);
	printf("{\"memory\": \"%s\", \"arrays\": %d, \"vmalloc_kib\": %.1f", what, ARRAYS,
	       (b.vmalloc - a->vmalloc) / ARRAYS);
	printf(", \"simulator_kib\": %.1f, \"gone_kib\": %.1f, \"trace\": \"%s\"}\n",
	       (b.simulator - a->simulator) / ARRAYS, (a->free - b.free) / ARRAYS, trace);
	if (*trace)
		trace_save(trace);
}

/*
 * What an array takes with its envelope of 64 points, and what a lease with an envelope of its
 * own adds. The simulator's memory and the device files' are in it.
 */
static void measure_memory(void)
{
	static struct scene_array a[ARRAYS];
	static struct scene_keeper k[ARRAYS];
	static int leases[ARRAYS];
	static struct holdfast_fence_point p[HOLDFAST_MAX_FENCE];
	struct holdfast_envelope tighter;
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL, .env = &tighter };
	struct memory before;
	char name[32];
	unsigned int i;
	bool traced;
	int ret;

	for (i = 0; i < HOLDFAST_MAX_FENCE; i++)
		p[i] = (struct holdfast_fence_point){
			(__s32)(i % 8) * 25000 - 87500, (__s32)(i / 8) * 25000 - 87500, 150000,
			2000000,
		};
	/* once before, so that what is allocated once is there */
	scene_make(&a[0], "memory", SCENE_ATTRS("rows=16", "cols=16", "ledger_frames=16"));
	scene_drop(&a[0]);
	scene_sleep_ms(200);
	traced = trace_start();	/* its buffer is there before anything is counted */
	memory_now(&before);
	for (i = 0; i < ARRAYS; i++) {
		snprintf(name, sizeof(name), "memory-%u", i);
		scene_make(&a[i], name, SCENE_ATTRS("rows=16", "cols=16", "ledger_frames=16"));
		scene_keeper_start(&k[i], &a[i], 0);
		ret = scene_fence_set(k[i].fd, p, HOLDFAST_MAX_FENCE);
		if (ret)
			scene_die("fence of 64: %s", strerror(-ret));
	}
	memory_line("array", &before, traced ? "array.trace" : "");
	traced = trace_start();
	memory_now(&before);
	scene_env_init(&tighter, HOLDFAST_ENV_LEASE);
	scene_env_limit(&tighter, HOLDFAST_LIM_AMP_CAP, 30000);
	for (i = 0; i < ARRAYS; i++) {
		leases[i] = scene_lease(k[i].fd, k[i].epoch, &ask, NULL);
		if (leases[i] < 0)
			scene_die("lease: %s", strerror(-leases[i]));
	}
	memory_line("lease", &before, traced ? "lease.trace" : "");
	for (i = 0; i < ARRAYS; i++) {
		close(leases[i]);
		scene_keeper_stop(&k[i]);
		scene_drop(&a[i]);
	}
}

int main(int argc, char **argv)
{
	unsigned int rounds, r, i, turn;
	double seconds;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 5)
		scene_die("usage: driver_guest CHECKED-MODULES UNCHECKED-MODULES SECONDS ROUNDS");
	seconds = atof(argv[3]);
	rounds = (unsigned int)atoi(argv[4]);
	make_frames(&loud, LOUD);
	make_frames(&quiet, QUIET);
	for (r = 0; r < rounds; r++) {
		for (turn = 0; turn < 2; turn++) {
			unsigned int n = (turn + r) % 2;	/* each comes first as often */
			const char *core = n ? "holdfast_bench_unchecked" :
					       "holdfast_bench_checked";

			load(argv[1 + n], core);
			if (!r && !n)
				measure_memory();
			begin(n);
			for (i = 0; i < WAYS * sizeof(batches) / sizeof(batches[0]); i++) {
				const struct way *w = &ways[i % WAYS];

				if (w->unchecked == n)
					measure(r, w, batches[i / WAYS], seconds);
			}
			end();
			unload(core);
		}
	}
	return 0;
}
