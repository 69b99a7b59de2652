// SPDX-License-Identifier: GPL-2.0
/*
 * A surface of 4096 points: who may set it, and what becomes of sound that is too much for one
 * of them on average. Runs in simulated time (scripts/vm --kernel uml --time-travel). An
 * argument is the part to be run: "calls" (which needs no time), "over", "below", "step". The
 * judge of sound is the ledger: means over a minute, at every point, in double precision
 * from what the transducers emitted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ledger.h"
#include "scene.h"
#include "tap.h"

#define TAU_S		60.0
#define CHANNELS	16
#define MAX		HOLDFAST_MAX_SURFACE
#define AMP		30000
#define TICK_S		0.010
#define SCAN_S		1.0	/* 4096 points and 16 channels: the least there is */
#define PART		16	/* a rest ends when the mean square is this part below the limit's */

/* One array, its keeper and its program in one thread: simulated time waits for all. */
struct scene {
	struct scene_array array;
	struct scene_keeper keeper;
	struct ledger ledger;
	struct emissions es;
	struct physics physics;
	struct holdfast_frame *frame;
	int lease, error;
};

/* What the points have had, by the ledger. */
struct truth {
	__u32 points;
	double complex *gain;		/* [points][CHANNELS] */
	double *mean;			/* Pa^2 */
	double *sq;			/* of the emission below */
	__u16 phase[CHANNELS], level[CHANNELS];
	bool known;
	__u64 now_ns;
	size_t next;			/* emission to go on with */
	double worst;			/* the largest mean that any point ever had */
	__u32 where;
};

static struct holdfast_surface_point plane[MAX];

/* 64 x 64 points, 20 mm apart, in a plane 100 mm above the array; one is on its axis. */
static void plane_make(void)
{
	__u32 i;

	for (i = 0; i < MAX; i++)
		plane[i] = (struct holdfast_surface_point){
			((__s32)(i / 64) - 32) * 20000, ((__s32)(i % 64) - 32) * 20000, 100000, 0,
		};
}

static void scene_begin(struct scene *s, const char *name)
{
	memset(s, 0, sizeof(*s));
	s->lease = -1;
	scene_make(&s->array, name, SCENE_ATTRS("rows=4", "cols=4", "sensors=none",
						"limit=hold 10000", "limit=keeper_deadline 10000",
						"limit=chan_rise 200000", "limit=tick_late 2000"));
	scene_keeper_start(&s->keeper, &s->array, 0);
	ledger_open(&s->ledger, &s->array);
	physics_init(&s->physics, &s->array);
	s->frame = scene_frame_new(CHANNELS, 0);
	scene_frame_focus(s->frame, &s->array, 0, 0, 100000, AMP);
}

static void scene_start(struct scene *s)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL };

	scene_beat_all(s->keeper.fd, s->keeper.epoch);
	scene_keeper_arm(&s->keeper);
	s->lease = scene_lease(s->keeper.fd, s->keeper.epoch, &ask, NULL);
	if (s->lease < 0)
		tap_bail("lease: %s", strerror(-s->lease));
}

static void scene_stop(struct scene *s)
{
	scene_silence(s->keeper.fd, 0);
	ledger_close(&s->ledger);
	emissions_free(&s->es);
	physics_free(&s->physics);
	free(s->frame);
	if (s->lease >= 0)
		close(s->lease);
	scene_keeper_stop(&s->keeper);
}

static void scene_end(struct scene *s)
{
	scene_stop(s);
	scene_drop(&s->array);
}

static void step(struct scene *s, unsigned int ms)
{
	scene_beat_all(s->keeper.fd, s->keeper.epoch);
	s->error = scene_write(s->lease, s->frame);
	scene_sleep_ms(ms);
	emissions_read(&s->es, &s->ledger);
}

static void surface_set(struct scene *s, struct holdfast_surface_point *p, __u32 n, double limit_pa)
{
	int ret = scene_surface(s->keeper.fd, HOLDFAST_IOC_SURFACE_SET, p, n, NULL);

	if (!ret)
		ret = scene_site_set(s->keeper.fd, HOLDFAST_LIM_SURFACE_MEAN,
				     (__s64)(limit_pa * 1000));
	if (ret)
		tap_bail("surface: %s", strerror(-ret));
}

/* ------------------------------------------------------------------- truth */

static void truth_init(struct truth *t, const struct scene *s,
		       const struct holdfast_surface_point *p, __u32 n)
{
	__u32 j;

	memset(t, 0, sizeof(*t));
	t->points = n;
	t->gain = calloc((size_t)n * CHANNELS, sizeof(*t->gain));
	t->mean = calloc(n, sizeof(*t->mean));
	t->sq = calloc(n, sizeof(*t->sq));
	if (!t->gain || !t->mean || !t->sq)
		tap_bail("no memory");
	for (j = 0; j < n; j++)
		physics_gains(&s->physics, p[j].x_um * 1e-6, p[j].y_um * 1e-6, p[j].z_um * 1e-6,
			      t->gain + (size_t)j * CHANNELS);
	t->now_ns = scene_now_ns();
}

static void truth_free(struct truth *t)
{
	free(t->gain);
	free(t->mean);
	free(t->sq);
}

static void truth_output(struct truth *t, const struct scene *s, const __u16 *phase,
			 const __u16 *level)
{
	__u32 j;

	if (t->known && !memcmp(phase, t->phase, sizeof(t->phase)) &&
	    !memcmp(level, t->level, sizeof(t->level)))
		return;
	for (j = 0; j < t->points; j++) {
		double pa = physics_pressure(&s->physics, t->gain + (size_t)j * CHANNELS, phase, level);

		t->sq[j] = pa * pa;
	}
	memcpy(t->phase, phase, sizeof(t->phase));
	memcpy(t->level, level, sizeof(t->level));
	t->known = true;
}

static void truth_go(struct truth *t, __u64 to_ns, bool on)
{
	double share = to_ns > t->now_ns ? -expm1(-(double)(to_ns - t->now_ns) * 1e-9 / TAU_S) : 0;
	__u32 j;

	for (j = 0; j < t->points; j++) {
		t->mean[j] += ((on ? t->sq[j] : 0) - t->mean[j]) * share;
		if (t->mean[j] > t->worst) {
			t->worst = t->mean[j];
			t->where = j;
		}
	}
	if (to_ns > t->now_ns)
		t->now_ns = to_ns;
}

/* All emissions until @now; one that goes on is taken up again the next time. */
static void truth_read(struct truth *t, const struct scene *s, __u64 now_ns)
{
	for (; t->next < s->es.count; t->next++) {
		const struct emission *e = &s->es.e[t->next];

		truth_go(t, e->begin_ns, false);
		truth_output(t, s, e->phase, e->level);
		if (e->end_ns > now_ns) {
			truth_go(t, now_ns, true);
			return;
		}
		truth_go(t, e->end_ns, true);
	}
	truth_go(t, now_ns, false);
}

/* Largest pressure of @s->frame at any point but @except; which in @where. */
static double frame_pa(struct truth *t, const struct scene *s, __u32 except, __u32 *where)
{
	__u16 phase[CHANNELS], level[CHANNELS];
	double most = 0;
	__u32 i, j;

	for (i = 0; i < CHANNELS; i++) {
		phase[i] = physics_phase_step(&s->physics, scene_phases(s->frame)[i]);
		level[i] = physics_level(&s->physics, scene_amps(s->frame)[i]);
	}
	truth_output(t, s, phase, level);
	for (j = 0; j < t->points; j++)
		if (j != except && t->sq[j] > most) {
			most = t->sq[j];
			if (where)
				*where = j;
		}
	return sqrt(most);
}

static double frame_pa_flat(struct truth *t, struct scene *s)
{
	scene_frame_flat(s->frame, AMP);
	return frame_pa(t, s, MAX, NULL);
}

static double on_s(const struct emission *e)
{
	__u64 end = e->end_ns == UINT64_MAX ? scene_now_ns() : e->end_ns;

	return (double)(end - e->begin_ns) * 1e-9;
}

/* ------------------------------------------------------------------- calls */

static int surface(struct scene *s, unsigned long cmd, struct holdfast_surface_point *p, __u32 n,
		   struct holdfast_surface *u)
{
	return scene_surface(s->keeper.fd, cmd, p, n, u);
}

/* As a user without capabilities, through a file opened by root. */
static int as_nobody(const char *node, unsigned long cmd, struct holdfast_surface_point *p, __u32 n)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		int fd = open(node, O_RDWR | O_CLOEXEC);

		if (fd < 0 || setgid(65534) || setuid(65534))
			_exit(255);
		status = -scene_surface(fd, cmd, p, n, NULL);
		while (n--)
			if (!status && p[n].mean_mpa)
				status = 254;
		_exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		tap_bail("fork");
	return -WEXITSTATUS(status);
}

static void test_calls(void)
{
	struct holdfast_surface_point p[5] = {
		{ 5, 0, 0, 0 }, { -7, 2, 1, 0 }, { 5, 0, 0, 0 }, { -7, 2, -1, 0 }, { 0, 0, 9, 0 },
	}, got[8], far[2] = { { 0, 0, 0, 0 }, { 0, -10000001, 0, 0 } };
	struct holdfast_surface u;
	struct holdfast_status st;
	struct scene s;
	int ret;

	scene_begin(&s, "calls");
	ret = surface(&s, HOLDFAST_IOC_SURFACE_GET, got, 8, &u);
	tap_ok(!ret && !u.count && u.worst == HOLDFAST_NOWHERE && !u.scan_ms, "no surface at first");
	ret = surface(&s, HOLDFAST_IOC_SURFACE_SET, p, 5, &u);
	tap_ok(!ret && u.count == 4 && u.scan_ms == 1000, "set: one point per place (%u)", u.count);
	ret = surface(&s, HOLDFAST_IOC_SURFACE_GET, got, 2, &u);
	tap_ok(!ret && u.count == 4 && got[0].x_um == -7 && got[0].z_um == -1 && got[1].z_um == 1,
	       "get: sorted, no more than there is room for");
	ret = surface(&s, HOLDFAST_IOC_SURFACE_ADD, p, 5, &u);
	tap_ok(!ret && u.count == 4, "add: points that are there stay");
	ret = surface(&s, HOLDFAST_IOC_SURFACE_ADD, far, 2, &u);
	tap_ok(ret == -ERANGE && u.reason.limit == HOLDFAST_LIM_SURFACE_MEAN && u.reason.where == 1 &&
	       u.reason.measured == -10000001 && u.reason.bound == -10000000,
	       "out of reach: which point, where, and how far is allowed");
	p[1].mean_mpa = 1;
	tap_ok(surface(&s, HOLDFAST_IOC_SURFACE_SET, p, 5, NULL) == -EINVAL, "a mean that is given");
	p[1].mean_mpa = 0;
	tap_ok(surface(&s, HOLDFAST_IOC_SURFACE_SET, (void *)8, 5, NULL) == -EFAULT &&
	       surface(&s, HOLDFAST_IOC_SURFACE_GET, (void *)8, 5, NULL) == -EFAULT, "bad pointers");
	tap_ok(surface(&s, HOLDFAST_IOC_SURFACE_SET, plane, MAX + 1, NULL) == -ENOSPC &&
	       surface(&s, HOLDFAST_IOC_SURFACE_SET, plane, UINT32_MAX, NULL) == -ENOSPC &&
	       surface(&s, HOLDFAST_IOC_SURFACE_ADD, plane, MAX, NULL) == -ENOSPC,
	       "more points than there may be, in one call or in two");
	surface(&s, HOLDFAST_IOC_SURFACE_GET, NULL, 0, &u);
	tap_ok(u.count == 4, "refused calls change nothing");
	tap_ok(as_nobody(s.array.node, HOLDFAST_IOC_SURFACE_SET, p, 5) == -EPERM &&
	       as_nobody(s.array.node, HOLDFAST_IOC_SURFACE_ADD, p, 5) == -EPERM &&
	       as_nobody(s.array.node, HOLDFAST_IOC_SURFACE_GET, got, 5) == 0,
	       "without capabilities: ask, and nothing else");
	scene_start(&s);
	tap_ok(surface(&s, HOLDFAST_IOC_SURFACE_SET, p, 5, NULL) == -EBUSY &&
	       surface(&s, HOLDFAST_IOC_SURFACE_SET, NULL, 0, NULL) == -EBUSY &&
	       surface(&s, HOLDFAST_IOC_SURFACE_ADD, plane, MAX - 4, &u) == 0 && u.count == MAX,
	       "armed: points can be added, not replaced");
	scene_status(s.keeper.fd, &st);
	tap_ok(st.surface_points == MAX && !st.surface_mean_mpa, "the status page has the surface");
	scene_silence(s.keeper.fd, 0);
	tap_ok(surface(&s, HOLDFAST_IOC_SURFACE_SET, NULL, 0, &u) == 0 && !u.count, "taken away");
	tap_ok(surface(&s, HOLDFAST_IOC_SURFACE_ADD, p, 5, &u) == 0 && u.count == 4, "and begun anew");
	scene_end(&s);
}

/* Unplugged while the points are visited and sound is on; what they have had comes back with it. */
static void test_unplug(void)
{
	struct holdfast_surface_point got[4];
	struct holdfast_surface u;
	struct scene s;
	__u32 before;
	int i, ret;

	for (i = 0; i < 3; i++) {
		scene_begin(&s, "unplug");
		if (!i)
			surface_set(&s, plane, MAX, 100000);	/* no limit: all is reckoned */
		scene_start(&s);
		step(&s, 1200);
		step(&s, 1200);
		ret = surface(&s, HOLDFAST_IOC_SURFACE_GET, got, 4, &u);
		before = got[0].mean_mpa;
		tap_ok(!ret && u.count == MAX && s.es.on && before,
		       "unplug: visited while it emits (%u mPa)", before);
		memset(got, 0, sizeof(got));
		tap_ok(!as_nobody(s.array.node, HOLDFAST_IOC_SURFACE_GET, got, 4),
		       "unplug: means are not told to everybody");
		/* Files stay open: the array goes first. */
		if (rmdir(s.array.dir))
			tap_bail("rmdir: %s", strerror(errno));
		tap_ok(surface(&s, HOLDFAST_IOC_SURFACE_GET, got, 4, &u) == -ENODEV &&
		       surface(&s, HOLDFAST_IOC_SURFACE_ADD, plane, 4, &u) == -ENODEV,
		       "unplug: gone");
		scene_stop(&s);
		scene_begin(&s, "unplug");
		ret = surface(&s, HOLDFAST_IOC_SURFACE_GET, got, 4, &u);
		tap_ok(!ret && u.count == MAX && got[0].mean_mpa > before * 0.95 &&
		       got[0].mean_mpa <= before * 1.25,
		       "unplug: plugged in again, it remembers (%u mPa)", got[0].mean_mpa);
		scene_end(&s);
	}
}

/* What is remembered of a surface does not outlive the module, nor does its thread. */
static void test_unload(void)
{
	struct holdfast_surface u;
	struct scene s;
	bool unloaded;

	unloaded = !scene_module_unload("holdfast_sim") && !scene_module_unload("holdfast");
	scene_load();
	scene_begin(&s, "unplug");
	surface(&s, HOLDFAST_IOC_SURFACE_GET, NULL, 0, &u);
	tap_ok(unloaded && !u.count, "unload: all forgotten");
	scene_end(&s);
}

static void test_seal(void)
{
	struct holdfast_surface u;
	struct scene s;

	scene_begin(&s, "seal");
	surface_set(&s, plane, 100, 50);
	if (scene_seal(s.keeper.fd))
		tap_bail("seal");
	tap_ok(surface(&s, HOLDFAST_IOC_SURFACE_SET, plane, 200, NULL) == -EPERM &&
	       surface(&s, HOLDFAST_IOC_SURFACE_SET, NULL, 0, NULL) == -EPERM &&
	       scene_site_tighten(s.keeper.fd, HOLDFAST_LIM_SURFACE_MEAN, 50001) == -EPERM,
	       "sealed: neither replaced nor taken away, nor is its limit loosened");
	tap_ok(!surface(&s, HOLDFAST_IOC_SURFACE_ADD, plane + 50, 100, &u) && u.count == 150 &&
	       !scene_site_tighten(s.keeper.fd, HOLDFAST_LIM_SURFACE_MEAN, 49999),
	       "sealed: added to, and its limit tightened");
	scene_end(&s);
	scene_begin(&s, "seal");
	surface(&s, HOLDFAST_IOC_SURFACE_GET, NULL, 0, &u);
	tap_ok(u.count == 150 && surface(&s, HOLDFAST_IOC_SURFACE_SET, NULL, 0, NULL) == -EPERM,
	       "sealed: pulling the plug takes no point away");
	scene_end(&s);
}

/* ------------------------------------------------------------------- sound */

/* Too much at one of 4096 points: rest in time, again and again, and never more on average. */
static void test_over(void)
{
	double p1, p2, limit, want_s, first_s, dark_s, growth, rest_s, over_s;
	struct holdfast_status st;
	unsigned int burst = 0, i;
	__u32 where = 0, other = 0;
	struct truth t;
	struct scene s;
	__u64 until;

	scene_begin(&s, "over");
	truth_init(&t, &s, plane, MAX);
	p1 = frame_pa(&t, &s, MAX, &where);
	p2 = frame_pa(&t, &s, where, &other);
	limit = floor(sqrt(p1 * p2) * 1000) / 1000;
	surface_set(&s, plane, MAX, limit);
	want_s = -TAU_S * log1p(-limit * limit / (p1 * p1));
	tap_note("over: %.1f Pa at point %u, %.1f Pa at point %u, the next; limit %.1f Pa: %.2f s",
		 p1, where, p2, other, limit, want_s);
	scene_start(&s);
	while (s.error != -ERANGE && scene_now_ns() < t.now_ns + 120 * 1000 * SCENE_MS)
		step(&s, 500);
	scene_status(s.keeper.fd, &st);
	first_s = s.es.count ? on_s(&s.es.e[0]) : 0;
	for (i = 1; i < s.es.count; i++)
		first_s += on_s(&s.es.e[i]);
	tap_ok(s.error == -ERANGE && st.last_reject.limit == HOLDFAST_LIM_SURFACE_MEAN &&
	       st.last_reject.where == where && st.state == HOLDFAST_STATE_ARMED,
	       "over: rests, and frames are refused for that point (%s %u)",
	       scene_limit_name(st.last_reject.limit), st.last_reject.where);
	/* The first visit may count up to a scan of silence as sound; the last may be one late. */
	tap_ok(!s.es.on && first_s >= want_s - SCAN_S - 0.01 * want_s &&
	       first_s <= want_s + SCAN_S + 2 * TICK_S,
	       "over: off after %.3f s of sound; the true mean needs %.3f s, a scan takes %.0f s",
	       first_s, want_s, SCAN_S);
	/* 200 frames at once while it rests: no attack. */
	for (i = 0; i < 200; i++)
		burst += scene_write(s.lease, s.frame) == -ERANGE;
	tap_ok(burst == 200 && scene_state(s.keeper.fd) == HOLDFAST_STATE_ARMED,
	       "over: %u refusals while it rests are no burst", burst);
	while (s.error && scene_now_ns() < t.now_ns + 200 * 1000 * SCENE_MS)
		step(&s, 100);
	dark_s = ((double)s.es.e[s.es.count - 1].begin_ns - (double)s.es.dark_ns) * 1e-9;
	growth = (p1 * p1 / (limit * limit) - 1) * (SCAN_S + 2 * TICK_S) / TAU_S;
	rest_s = -TAU_S * log1p(-1.0 / PART);
	over_s = TAU_S * log1p(growth);
	tap_ok(!s.error && dark_s >= rest_s - 0.01 && dark_s <= rest_s + over_s + SCAN_S + 0.2,
	       "over: on again after %.2f s: the mean 1/%d down (%.2f s, and %.2f s that it may be over)",
	       dark_s, PART, rest_s, over_s);
	for (until = scene_now_ns() + 120 * 1000 * SCENE_MS; scene_now_ns() < until;)
		step(&s, 100);
	truth_read(&t, &s, scene_now_ns());
	tap_ok(t.worst <= limit * limit * (1 + growth) && t.worst > 0.98 * limit * limit &&
	       t.where == where,
	       "over: in 2 minutes no mean above %.4f of the limit by the ledger, %.4f promised",
	       sqrt(t.worst) / limit, sqrt(1 + growth));
	tap_ok(scene_state(s.keeper.fd) != HOLDFAST_STATE_TRIPPED && !s.ledger.lost &&
	       !s.ledger.disorder, "over: no trip, and the ledger is complete");
	scene_status(s.keeper.fd, &st);
	tap_ok(st.surface_round_ms >= 360 && st.surface_round_ms <= 600,
	       "over: a round takes %u ms, 3/4 to all of half the stated time", st.surface_round_ms);
	truth_free(&t);
	scene_end(&s);
}

/* A little below the limit at all of them, with more than the amplitudes alone could show. */
static void test_below(void)
{
	double p1, sum = 0, limit;
	struct holdfast_status st;
	struct truth t;
	struct scene s;
	__u64 until;
	__u32 i;

	scene_begin(&s, "below");
	for (i = 0; i < CHANNELS; i++)
		scene_phases(s.frame)[i] = (i ^ i / 4) & 1 ? 32768 : 0;
	truth_init(&t, &s, plane, MAX);
	p1 = frame_pa(&t, &s, MAX, NULL);
	limit = p1 * 1.01;
	for (i = 0; i < CHANNELS; i++)
		sum += cabs(t.gain[2080 * CHANNELS + i]) * AMP / 65535;
	surface_set(&s, plane, MAX, limit);
	scene_start(&s);
	for (until = scene_now_ns() + 180 * 1000 * SCENE_MS; scene_now_ns() < until && !s.error;)
		step(&s, 4000);
	scene_status(s.keeper.fd, &st);
	tap_ok(sum > 2 * limit && !s.error && s.es.on && !s.es.offs,
	       "below: %.2f Pa of %.2f Pa (amplitudes alone: %.1f Pa) for 3 minutes without a rest",
	       p1, limit, sum);
	truth_read(&t, &s, scene_now_ns());
	tap_ok(st.surface_mean_mpa >= sqrt(t.worst) * 1000 * (1 - SCAN_S / TAU_S) &&
	       st.surface_mean_mpa <= sqrt(t.worst) * 1010,
	       "below: the mean is %.3f Pa, by the ledger %.3f Pa", st.surface_mean_mpa / 1000.0,
	       sqrt(t.worst));
	truth_free(&t);
	scene_end(&s);
}

/* Half the time on, in step with the visits, early or late in the step: no place to hide. */
static void test_in_step(unsigned int early)
{
	struct holdfast_status st;
	double rms, got;
	struct truth t;
	struct scene s;
	__u64 at, until;

	scene_begin(&s, early ? "early" : "late");
	truth_init(&t, &s, plane + 2048, 32);
	/* Twice as much as there is, and less than amplitudes alone could show. */
	surface_set(&s, plane + 2048, 32, 2 * frame_pa_flat(&t, &s));
	scene_start(&s);
	/* 32 points are one batch, 500 ms long. */
	for (at = scene_now_ns(), until = at + 240 * 1000 * SCENE_MS; at < until; at += 500 * SCENE_MS) {
		scene_beat_all(s.keeper.fd, s.keeper.epoch);
		scene_frame_flat(s.frame, early ? AMP : 0);
		scene_write(s.lease, s.frame);
		scene_sleep_ms((unsigned int)((at + 250 * SCENE_MS - scene_now_ns()) / SCENE_MS));
		scene_frame_flat(s.frame, early ? 0 : AMP);
		scene_write(s.lease, s.frame);
		scene_sleep_ms((unsigned int)((at + 500 * SCENE_MS - scene_now_ns()) / SCENE_MS));
		emissions_read(&s.es, &s.ledger);
	}
	truth_read(&t, &s, scene_now_ns());
	scene_status(s.keeper.fd, &st);
	rms = sqrt(t.worst);
	got = st.surface_mean_mpa / 1000.0;
	/* 240 samples weigh in: the mean square is off by 6 % (1 sigma), the worst of correlated points */
	tap_ok(got > 0.8 * rms && got < 1.2 * rms && !s.ledger.lost,
	       "in step, %s: counted as %.2f Pa, by the ledger %.2f Pa", early ? "early" : "late", got,
	       rms);
	truth_free(&t);
	scene_end(&s);
}

static bool wanted(const char *only, const char *name)
{
	return !only || !strcmp(only, name);
}

int main(int argc, char **argv)
{
	(void)argc;	/* argv ends with NULL */
	setvbuf(stdout, NULL, _IOLBF, 0);
	plane_make();
	scene_load();
	if (wanted(argv[1], "calls")) {
		test_calls();
		test_unplug();
		test_unload();
	}
	if (wanted(argv[1], "over"))
		test_over();
	if (wanted(argv[1], "below"))
		test_below();
	if (wanted(argv[1], "step")) {
		test_in_step(0);
		test_in_step(1);
	}
	/* The last: it cannot be undone. */
	if (wanted(argv[1], "calls"))
		test_seal();
	return tap_done();
}
