// SPDX-License-Identifier: GPL-2.0
/*
 * The adversary: many processes try to make a simulated array emit what it must
 * not, while limits are tightened, leases revoked and the keeper killed; a judge
 * holds the emission ledger against every envelope of every moment. Runs in a
 * booted kernel. This file plays the rounds and adds up; see adversary.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adversary.h"
#include "tap.h"

#define QUOTA_MIN	400
#define QUOTA_MAX	8000
#define STALLS		2	/* in a round: each costs a keeper's deadline of waiting */

struct options {
	__u64 seed;
	__u64 frames;
	int theme;		/* -1: all */
	int round;		/* only this one; -1: all */
	bool stop;		/* at the first finding */
	__u64 noise_ms;
};

/* Sums over all rounds. */
struct sums {
	__u64 frames, emitted_way[WAYS], accepted, refused, malformed, attenuated, silent;
	__u64 emissions, outside, edge, cut, kills, stalls, leases, revokes, tights;
	__u64 computed, computed_emitted;	/* frames of foci alone */
	__u64 by_limit[HOLDFAST_LIM_COUNT];	/* refused or attenuated */
	__u64 by_attack[ATTACKS], emitted_by[ATTACKS];
	__u64 trips[HOLDFAST_CAUSE_COUNT];
	__u64 late_wire;	/* silences read back too early because the machine stood still */
	unsigned int rounds, themes;
	unsigned int dark;	/* rounds in which nothing was emitted */
	double max_ratio;
};

/* The processes of a round. */
struct cast {
	pid_t judge, meddler, keeper, submitter[SUBMITTERS];
	int socks[SUBMITTERS];	/* the keepers' ends */
	int ends[SUBMITTERS];
};

static void *shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		tap_bail("no memory: %s", strerror(errno));
	return p;
}

static void tape_make(struct tape *t, const struct round *r)
{
	t->room = scene_frame_bytes(r->channels, HOLDFAST_MAX_FOCI) * (r->quota + 2 * BATCH);
	t->bytes = shared(t->room);
}

static struct share *share_make(const struct round *r)
{
	struct share *sh = shared(sizeof(*sh));
	unsigned int i;

	sh->round = *r;
	sh->gain = shared(PLACES * sizeof(*sh->gain));
	for (i = 0; i < SUBMITTERS; i++)
		tape_make(&sh->tape[i], r);
	return sh;
}

static void share_free(struct share *sh)
{
	unsigned int i;

	physics_free(&sh->physics);
	for (i = 0; i < SUBMITTERS; i++)
		munmap(sh->tape[i].bytes, sh->tape[i].room);
	munmap(sh->gain, PLACES * sizeof(*sh->gain));
	munmap(sh, sizeof(*sh));
}

static pid_t fork_or_bail(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		tap_bail("fork: %s", strerror(errno));
	return pid;
}

/* A child has ended: only as it should. */
static void reap(pid_t pid, const char *who, int signal)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		tap_bail("wait for %s: %s", who, strerror(errno));
	if (signal ? WIFSIGNALED(status) && WTERMSIG(status) == signal :
		     WIFEXITED(status) && !WEXITSTATUS(status))
		return;
	tap_bail("%s ended with status %x", who, (unsigned int)status);
}

/* ------------------------------------------------------------------- a round */

static void keeper_spawn(struct share *sh, struct cast *c)
{
	unsigned int generation = log_take(&sh->keepers, MAX_KEEPERS, "keepers");

	c->keeper = fork_or_bail();
	if (!c->keeper)
		keeper_run(sh, generation, c->socks);
}

static void cast_start(struct share *sh, struct cast *c)
{
	int ready[2], pair[2];
	unsigned int i;
	char byte;

	if (pipe(ready))
		tap_bail("pipe: %s", strerror(errno));
	c->judge = fork_or_bail();
	if (!c->judge)
		judge_run(sh, ready[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		tap_bail("the judge does not open the ledger");
	close(ready[0]);
	for (i = 0; i < SUBMITTERS; i++) {
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair))
			tap_bail("socketpair: %s", strerror(errno));
		c->socks[i] = pair[0];
		c->ends[i] = pair[1];
	}
	c->meddler = fork_or_bail();
	if (!c->meddler)
		meddler_run(sh);
	for (i = 0; i < SUBMITTERS; i++) {
		c->submitter[i] = fork_or_bail();
		if (!c->submitter[i])
			submitter_run(sh, i, c->ends[i]);
	}
	keeper_spawn(sh, c);
}

static void keeper_gone(struct share *sh, __u64 before, const char *why)
{
	__u64 after = scene_now_ns();
	struct quiet *q = LOG_TAKE(sh, quiet, MAX_QUIET);

	*q = (struct quiet){ before, after, why, false };
	sh->keeper_gone[sh->keepers - 1] = after;
}

static void keeper_kill(struct share *sh, struct cast *c)
{
	__u64 before = scene_now_ns();

	kill(c->keeper, SIGKILL);
	reap(c->keeper, "keeper", SIGKILL);
	keeper_gone(sh, before, "keeper killed");
	keeper_spawn(sh, c);
}

/* A keeper that hangs: no close tells the driver, only the missing beat. */
static void keeper_stall(struct share *sh, struct cast *c)
{
	__u64 deadline = (__u64)sh->round.limit[HOLDFAST_LIM_KEEPER_DEADLINE];
	__u64 before = scene_now_ns();
	struct quiet *q;
	int status, fd;

	__atomic_store_n(&sh->hung, 1, __ATOMIC_RELEASE);
	kill(c->keeper, SIGSTOP);
	if (waitpid(c->keeper, &status, WUNTRACED) != c->keeper || !WIFSTOPPED(status))
		tap_bail("the keeper does not stop: status %x", (unsigned int)status);
	q = LOG_TAKE(sh, quiet, MAX_QUIET);
	*q = (struct quiet){ before, scene_now_ns() + deadline * SCENE_MS, "keeper stalled", true };
	fd = scene_open(&sh->sim, O_RDONLY);
	scene_wait_state(fd, HOLDFAST_STATE_TRIPPED, (unsigned int)deadline + 500);
	scene_sleep_ms(100);
	close(fd);
	__atomic_store_n(&sh->hung, 0, __ATOMIC_RELEASE);
	keeper_kill(sh, c);
}

/* The controller's part: what happens to the keeper, and pauses in which a frame is held. */
static void control(struct share *sh, struct cast *c, struct sums *sums)
{
	struct rng rng = { sh->round.seed + 4242 };
	unsigned int turn, stalls = 0;

	for (turn = 0; __atomic_load_n(&sh->finished, __ATOMIC_ACQUIRE) < SUBMITTERS; turn++) {
		unsigned int what = turn < 3 ? turn * 40 : rng_below(&rng, 100);

		scene_sleep_ms(60 + rng_below(&rng, 150));
		if (what < 20) {
			__atomic_store_n(&sh->pause, 1, __ATOMIC_RELEASE);
			scene_sleep_ms(120 + rng_below(&rng, 60));
			__atomic_store_n(&sh->pause, 0, __ATOMIC_RELEASE);
		} else if (what < 70 && sh->keepers < MAX_KEEPERS - 4) {
			keeper_kill(sh, c);
			sums->kills++;
		} else if (what < 85 && stalls < STALLS) {
			keeper_stall(sh, c);
			stalls++;
		}
	}
	sums->stalls += stalls;
}

static void cast_stop(struct share *sh, struct cast *c)
{
	__u64 before = scene_now_ns();
	unsigned int i;
	int fd, ret;

	__atomic_store_n(&sh->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < SUBMITTERS; i++) {
		reap(c->submitter[i], "submitter", 0);
		close(c->socks[i]);
		close(c->ends[i]);
	}
	reap(c->meddler, "meddler", 0);
	reap(c->keeper, "keeper", 0);
	keeper_gone(sh, before, "keeper gone");
	fd = scene_open(&sh->sim, O_RDONLY);
	ret = fd < 0 ? fd : scene_silence(fd, 0);
	if (ret)
		tap_bail("final silence: %s", strerror(-ret));
	scene_sleep_ms(30);
	scene_status(fd, &sh->status);
	close(fd);
	__atomic_store_n(&sh->closing, 1, __ATOMIC_RELEASE);
	reap(c->judge, "judge", 0);
}

/* ---------------------------------------------------------------- adding up */

static void add_entries(struct sums *sums, const struct tape *t)
{
	unsigned int i;

	for (i = 0; i < t->entries; i++) {
		const struct entry *e = &t->entry[i];
		const struct holdfast_frame *f = (void *)(t->bytes + e->at);

		sums->frames++;
		sums->by_attack[e->attack]++;
		if (f->flags & HOLDFAST_FRAME_COMPUTE && e->attack != ATTACK_MALFORMED) {
			sums->computed++;
			sums->computed_emitted += e->emitted;
		}
		sums->emitted_by[e->attack] += e->emitted;
		sums->accepted += !e->error;
		sums->emitted_way[e->way] += e->emitted;
		sums->refused += e->error == ERANGE;
		sums->malformed += e->error == EINVAL || e->error == EMSGSIZE;
		sums->attenuated += e->verdict == HOLDFAST_VERDICT_ATTENUATE;
		sums->silent += e->error == ENOTCONN || e->error == ESHUTDOWN;
		if (e->limit < HOLDFAST_LIM_COUNT && e->verdict != HOLDFAST_VERDICT_ADMIT)
			sums->by_limit[e->limit]++;
	}
}

static void add_up(struct sums *sums, const struct share *sh)
{
	const struct verdict *v = &sh->verdict;
	unsigned int i;

	for (i = 0; i < SUBMITTERS; i++)
		add_entries(sums, &sh->tape[i]);
	for (i = 0; i < HOLDFAST_CAUSE_COUNT; i++)
		sums->trips[i] += sh->causes[i];
	/* A tick came later than the wire may take: so may its interrupts (tried by stopping QEMU). */
	if (sh->round.bus && sh->status.tick_late_max_ns > sh->sim.info.silence_bound_ns)
		sums->late_wire += sh->causes[HOLDFAST_CAUSE_SILENCE_UNCONFIRMED];
	for (i = 0; i < sh->leases; i++)
		sums->revokes += sh->lease[i].revoke_after != 0;
	sums->leases += sh->leases;
	sums->tights += sh->tights;
	sums->emissions += v->emissions;
	sums->outside += v->outside;
	sums->edge += v->edge;
	sums->cut += v->cut_by_tightening;
	sums->max_ratio = v->max_ratio > sums->max_ratio ? v->max_ratio : sums->max_ratio;
	sums->themes |= 1u << sh->round.theme;
	sums->rounds++;
}

static void play(const struct options *o, unsigned int number, __u32 quota, struct sums *sums)
{
	struct sums before = *sums;
	struct cast c = {};
	struct round r;
	struct share *sh;
	struct rng rng;
	__u64 begin, played;
	unsigned int i;

	round_plan(&r, o->seed, number, o->theme, quota);
	r.noise_ns = o->noise_ms * SCENE_MS;
	begin = scene_now_ns();
	sh = share_make(&r);
	rng.s = r.seed + 9;
	round_make(sh, &rng);
	cast_start(sh, &c);
	control(sh, &c, sums);
	played = scene_now_ns();
	cast_stop(sh, &c);
	add_up(sums, sh);
	sums->dark += !sh->verdict.emissions;
	tap_ok(!sh->verdict.outside,
	       "round %u: %s, %s, %u channels, %u amplitude levels: %llu frames, %u emissions, %u outside",
	       number, theme_names[r.theme], r.bus ? "bus" : "atomic", r.channels, r.amp_levels,
	       sums->frames - before.frames, sh->verdict.emissions, sh->verdict.outside);
	tap_note("%.1f s, %.1f s of it judging", (double)(scene_now_ns() - begin) * 1e-9,
		 (double)(scene_now_ns() - played) * 1e-9);
	for (i = 0; i < sh->verdict.texts; i++)
		tap_note("outside: %s", sh->verdict.text[i]);
	scene_drop(&sh->sim);
	share_free(sh);
}

/* A test in which nothing happened would prove nothing. */
static void judge_health(const struct sums *s)
{
	static const struct { enum theme theme; enum holdfast_limit limit; } must[] = {
		{ THEME_FIELD, HOLDFAST_LIM_FENCE_PRESSURE }, { THEME_AMP, HOLDFAST_LIM_AMP_CAP },
		{ THEME_SLEW, HOLDFAST_LIM_SLEW_PHASE }, { THEME_SLEW, HOLDFAST_LIM_SLEW_AMP },
		{ THEME_POWER, HOLDFAST_LIM_POWER_INST },
		{ THEME_RATE, HOLDFAST_LIM_FRAME_INTERVAL },
		{ THEME_FOCI, HOLDFAST_LIM_FOCAL_PRESSURE }, { THEME_FOCI, HOLDFAST_LIM_BOX_MAX_X },
		{ THEME_TIME, HOLDFAST_LIM_EMIT_REST }, { THEME_TIME, HOLDFAST_LIM_DOSE },
	};
	static const enum holdfast_cause expected[] = {
		HOLDFAST_CAUSE_NONE, HOLDFAST_CAUSE_OPERATOR, HOLDFAST_CAUSE_KEEPER_DEADLINE,
		HOLDFAST_CAUSE_REJECT_BURST, HOLDFAST_CAUSE_DOSE,
		/* of a machine that is too busy, not of the adversary */
		HOLDFAST_CAUSE_GOVERNOR_LATE, HOLDFAST_CAUSE_SENSOR_THREAD,
	};
	unsigned int i, k;
	__u64 strange = 0;

	for (i = 0; i < sizeof(must) / sizeof(must[0]); i++)
		if (s->themes >> must[i].theme & 1)
			tap_ok(s->by_limit[must[i].limit] >= 5, "%s bound %llu frames",
			       scene_limit_name(must[i].limit),
			       s->by_limit[must[i].limit]);
	if (s->themes >> THEME_POWER & 1)
		tap_ok(s->by_limit[HOLDFAST_LIM_POWER_AVG] + s->by_limit[HOLDFAST_LIM_CHAN_RISE] +
		       s->by_limit[HOLDFAST_LIM_ARRAY_RISE] >= 5,
		       "averages and heat bound %llu, %llu, %llu frames",
		       s->by_limit[HOLDFAST_LIM_POWER_AVG],
		       s->by_limit[HOLDFAST_LIM_CHAN_RISE],
		       s->by_limit[HOLDFAST_LIM_ARRAY_RISE]);
	tap_ok(s->emitted_way[WAY_URING] >= 5 && s->emitted_way[WAY_QUEUE] >= 5,
	       "%llu emissions by io_uring, %llu out of queues", s->emitted_way[WAY_URING],
	       s->emitted_way[WAY_QUEUE]);
	for (i = 0; i < HOLDFAST_CAUSE_COUNT; i++) {
		bool known = false;

		for (k = 0; k < sizeof(expected) / sizeof(expected[0]); k++)
			known |= expected[k] == i;
		if (s->trips[i])
			tap_note("trips by %s: %llu", scene_cause_name(i), s->trips[i]);
		strange += known ? 0 : s->trips[i] - (i == HOLDFAST_CAUSE_SILENCE_UNCONFIRMED ? s->late_wire : 0);
	}
	if (s->themes >> THEME_BURST & 1)
		tap_ok(s->trips[HOLDFAST_CAUSE_REJECT_BURST], "%llu trips by reject_burst",
		       s->trips[HOLDFAST_CAUSE_REJECT_BURST]);
	tap_ok(!strange, "no trip that only a hole in the admission explains");
	/* Chance may make all that a round tries inadmissible, but not often. */
	tap_ok(s->dark <= 1 + s->rounds / 10, "%u of %u rounds emitted nothing", s->dark,
	       s->rounds);
	tap_ok(s->emissions * 50 > s->frames, "%llu emissions of %llu frames", s->emissions,
	       s->frames);
	tap_ok(s->computed_emitted * 500 > s->frames, "%llu emissions of %llu frames of foci alone",
	       s->computed_emitted, s->computed);
	tap_ok(s->attenuated * 200 > s->frames, "%llu frames attenuated", s->attenuated);
	tap_ok(s->refused * 20 > s->frames, "%llu frames refused by a limit", s->refused);
	tap_ok(s->silent * 5 < s->frames, "%llu frames met a silent or tripped array", s->silent);
	tap_ok(s->malformed > 0, "%llu malformed frames refused", s->malformed);
	tap_ok(s->cut && s->kills && s->stalls && s->revokes,
	       "%llu envelopes tightened (%llu emissions cut off by it), %llu keepers killed, %llu stalled, %llu of %llu leases revoked",
	       s->tights, s->cut, s->kills, s->stalls, s->revokes, s->leases);
}

static void report(const struct sums *s)
{
	unsigned int i;

	for (i = 0; i < ATTACKS; i++)
		tap_note("attack %-10s %8llu frames, %8llu emitted", attack_names[i],
			 s->by_attack[i], s->emitted_by[i]);
	for (i = 0; i < HOLDFAST_LIM_COUNT; i++)
		if (s->by_limit[i])
			tap_note("limit %-15s bound %llu", scene_limit_name(i), s->by_limit[i]);
	tap_note("fence points: %llu pressures within 1 %% of the limit, highest %.9f of it",
		 s->edge, s->max_ratio);
	tap_note("adversary: %llu frames, %llu emissions judged, %llu outside", s->frames,
		 s->emissions, s->outside);
}

/* ------------------------------------------------------------------- options */

static void usage(void)
{
	puts("Usage: adversary [--frames N] [--seed S] [--theme T] [--round K] [--stop] [--noise MS]\n"
	     "  --frames N  at least N frames in all (default 50000)\n"
	     "  --seed S    of all random choices (default: random, and printed)\n"
	     "  --theme T   only rounds of one theme: field amp slew power rate foci lease\n"
	     "              burst heat time\n"
	     "  --round K   only round K of those that the seed gives\n"
	     "  --stop      after the first round with something outside\n"
	     "  --noise MS  by how much an interrupt may be late, beyond what the governor's ticks\n"
	     "              show: for emulated machines, where a bus falls silent by an interrupt");
}

static int theme_of(const char *name)
{
	int i;

	for (i = 0; i < THEMES; i++)
		if (!strcmp(name, theme_names[i]))
			return i;
	fprintf(stderr, "adversary: no theme '%s'\n", name);
	exit(2);
}

static __u64 number_of(const char *text)
{
	char *end;
	__u64 v = strtoull(text, &end, 0);

	if (end == text || *end) {
		fprintf(stderr, "adversary: no number: '%s'\n", text);
		exit(2);
	}
	return v;
}

static void options_read(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "frames", required_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 's' },
		{ "theme", required_argument, NULL, 't' },
		{ "round", required_argument, NULL, 'r' },
		{ "stop", no_argument, NULL, 'x' },
		{ "noise", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	int c;

	*o = (struct options){ .frames = 50000, .theme = -1, .round = -1 };
	if (getrandom(&o->seed, 4, 0) != 4)
		tap_bail("no random seed");
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'f':
			o->frames = number_of(optarg);
			break;
		case 's':
			o->seed = number_of(optarg);
			break;
		case 't':
			o->theme = theme_of(optarg);
			break;
		case 'r':
			o->round = (int)number_of(optarg);
			break;
		case 'n':
			o->noise_ms = number_of(optarg);
			break;
		case 'x':
			o->stop = true;
			break;
		case 'h':
			usage();
			exit(0);
		default:
			usage();
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	static struct sums sums;
	struct options o;
	unsigned int round = 0;
	__u64 quota;

	options_read(&o, argc, argv);
	tap_note("seed %llu", o.seed);
	quota = o.frames / ((o.theme < 0 ? THEMES : 4) * SUBMITTERS);
	quota = quota < QUOTA_MIN ? QUOTA_MIN : quota > QUOTA_MAX ? QUOTA_MAX : quota;
	scene_load();
	if (o.round >= 0)
		play(&o, (unsigned int)o.round, (__u32)quota, &sums);
	else
		while ((sums.frames < o.frames || (o.theme < 0 && round < THEMES)) &&
		       !(o.stop && sums.outside))
			play(&o, round++, (__u32)quota, &sums);
	if (o.round < 0)
		judge_health(&sums);
	report(&sums);
	return tap_done();
}
