// SPDX-License-Identifier: GPL-2.0
/*
 * Quotas of tenants, judged by the emission ledger: whatever a tenant's leases
 * do, what was emitted for it never passes its budget by more than one tick of
 * the governor, nothing but the keeper's word makes a budget fresh, and nobody
 * else notices. Who may know of whom is in tenants.c.
 */
#include <errno.h>
#include <fcntl.h>

#include "bench.h"
#include "tap.h"

#define TENANT		7
#define OTHER		8
#define NO_TENANT	0
#define BUDGET_MS	200
#define NOISE_MS	3	/* between a tick's clock and its write, on an emulated machine */
#define ATTEMPTS	3	/* where the machine under an emulated kernel stands still */
#define MANY		8	/* leases of one tenant at once */
#define HAMMER		500
#define LONG_NS		(6000 * SCENE_MS)	/* no budget lasts that long */

struct quota_case {
	const char *name;
	const char *attrs[3];
	void (*run)(struct bench *b);
};

/* What the ledger says was emitted, without what only the simulation of a bus was late. */
struct emitted {
	double ms;
	double uj;
	unsigned int frames;
};

static struct emitted emitted(struct bench *b)
{
	struct emitted sum = { 0 };
	struct physics p;
	size_t i;

	/* A bus is dark somewhat later. */
	if (!emissions_dark_after(&b->es, &b->ledger, scene_now_ns(), 2000))
		bench_check(b, false, "still emitting");
	bench_check(b, !b->ledger.lost, "the ledger lost records");
	physics_init(&p, &b->sim);
	for (i = 0; i < b->es.count; i++) {
		const struct emission *e = &b->es.e[i];
		double ms = (double)(e->end_ns - e->end_late_ns - e->begin_ns) / 1e6;

		sum.ms += ms;
		sum.uj += ms * 1e-3 * physics_power_uw(&p, e->level);
		sum.frames++;
	}
	physics_free(&p);
	return sum;
}

/* How much longer than a budget an emission may last: a tick, and what holds up the machine. */
static double slack_ms(struct bench *b)
{
	struct holdfast_status st;

	scene_status(b->keeper.fd, &st);
	return (double)(SCENE_TICK_NS + st.tick_late_max_ns) / 1e6 + NOISE_MS +
	       (b->bus ? (double)b->sim.info.silence_bound_ns / 1e6 : 0);
}

/* Of the case under way: more was emitted than its budget. That is final, whatever stood still. */
static bool overspent;

static void within(struct bench *b, double used, double most, const char *what)
{
	overspent |= !bench_check(b, used <= most, "%s: %.3f emitted, at most %.3f allowed", what, used,
				  most);
}

/* Not more than a budget, and not much less: a quota that stops at once would pass otherwise. */
static void judge_ms(struct bench *b, double budget, const char *what)
{
	struct emitted e = emitted(b);
	double slack = slack_ms(b), off = (double)b->es.offs * (double)b->sim.info.silence_bound_ns / 1e6;

	within(b, e.ms, budget + slack, what);
	bench_check(b, e.ms >= 0.8 * budget - off - 10, "%s: only %.3f ms of %.0f emitted", what,
		    e.ms, budget);
	tap_note("%s: %.3f ms of %.0f emitted, tick late %.3f ms", what, e.ms, budget, slack - NOISE_MS - 10);
}

static int lease_of(struct bench *b, __u64 tenant)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL, .tenant = tenant,
				       .label = "quotas" };
	int fd = scene_lease(b->keeper.fd, b->keeper.epoch, &ask, NULL);

	if (fd < 0)
		scene_die("lease: %s", strerror(-fd));
	return fd;
}

static struct holdfast_frame *flat(struct bench *b, __u16 amp)
{
	struct holdfast_frame *f = scene_frame_new(b->sim.info.channels, 0);

	scene_frame_flat(f, amp);
	return f;
}

static void set_quota(struct bench *b, enum holdfast_quota_kind kind, __u64 budget, bool reset)
{
	bench_errno(b, scene_quota(&b->keeper, TENANT, kind, budget, reset, NULL), 0, "set quota");
}

/* Writes until refused; @pause_ms after each frame. The error, positive. */
static int stream(int lease, const struct holdfast_frame *f, unsigned int pause_ms)
{
	__u64 until = scene_now_ns() + LONG_NS;
	int ret;

	do {
		ret = scene_write(lease, f);
		if (!ret || ret == -ERANGE)
			scene_sleep_ms(pause_ms);
	} while ((!ret || ret == -ERANGE) && scene_now_ns() < until);
	return -ret;
}

static bool still_armed(struct bench *b)
{
	int state = scene_state(b->keeper.fd);

	return bench_check(b, state == HOLDFAST_STATE_ARMED, "state %d, not armed", state);
}

static void refused_for(struct bench *b, int lease, enum holdfast_quota_kind kind)
{
	struct holdfast_frame_result r = { 0 };
	struct holdfast_frame *f = flat(b, BENCH_AMP), *off = flat(b, 0);

	bench_errno(b, scene_submit(lease, f, &r), 0, "submit");
	bench_check(b, r.error == EDQUOT && r.verdict == HOLDFAST_VERDICT_REJECT &&
		    r.reason.limit == HOLDFAST_LIM_QUOTA + kind && r.reason.measured >= r.reason.bound,
		    "error %u limit %u measured %lld bound %lld", r.error, r.reason.limit,
		    (long long)r.reason.measured, (long long)r.reason.bound);
	f->flags = HOLDFAST_FRAME_ATTENUATE;
	bench_errno(b, scene_write(lease, f), EDQUOT, "attenuated");
	bench_errno(b, scene_write(lease, off), 0, "all off is always admitted");
	free(f);
	free(off);
}

static void stream_is_stopped(struct bench *b)
{
	struct holdfast_frame *f = flat(b, BENCH_AMP);
	int lease = lease_of(b, TENANT);
	struct holdfast_quota q;

	set_quota(b, HOLDFAST_QUOTA_EMIT, BUDGET_MS, false);
	scene_keeper_arm(&b->keeper);
	bench_errno(b, -stream(lease, f, 5), EDQUOT, "stream");
	judge_ms(b, BUDGET_MS, b->bus ? "stream, bus" : "stream");
	still_armed(b);
	refused_for(b, lease, HOLDFAST_QUOTA_EMIT);
	bench_errno(b, scene_quota_get(&b->keeper, TENANT, &q), 0, "ask");
	bench_check(b, q.used[HOLDFAST_QUOTA_EMIT] >= (__u64)emitted(b).ms,
		    "%llu ms said to be used, %.3f emitted", q.used[HOLDFAST_QUOTA_EMIT],
		    emitted(b).ms);
	free(f);
	close(lease);
}

/* One frame, held for far longer than the budget: only the tick can end it. */
static void held_frame_is_silenced(struct bench *b)
{
	struct holdfast_frame *f = flat(b, BENCH_AMP);
	int lease = lease_of(b, TENANT);

	set_quota(b, HOLDFAST_QUOTA_EMIT, BUDGET_MS, false);
	scene_keeper_arm(&b->keeper);
	bench_errno(b, scene_write(lease, f), 0, "frame");
	judge_ms(b, BUDGET_MS, "held");
	still_armed(b);
	free(f);
	close(lease);
}

static void energy(struct bench *b)
{
	struct holdfast_frame *loud = flat(b, BENCH_AMP), *soft = flat(b, 5000);
	const double budget_uj = 300000;
	int lease = lease_of(b, TENANT);
	__u64 until = scene_now_ns() + LONG_NS;
	struct emitted e;
	struct physics p;
	double power_uw;

	set_quota(b, HOLDFAST_QUOTA_ENERGY, (__u64)budget_uj, false);
	scene_keeper_arm(&b->keeper);
	while (!scene_write(lease, loud) && scene_now_ns() < until) {
		scene_sleep_ms(10);
		scene_write(lease, soft);
		scene_sleep_ms(15);
	}
	e = emitted(b);
	physics_init(&p, &b->sim);
	power_uw = b->es.count ? physics_power_uw(&p, b->es.e[0].level) : 0;
	physics_free(&p);
	within(b, e.uj, budget_uj + power_uw * slack_ms(b) * 1e-3, "energy, uJ");
	bench_check(b, e.uj >= 0.7 * budget_uj, "only %.0f uJ emitted", e.uj);
	tap_note("energy: %.0f uJ of %.0f emitted", e.uj, budget_uj);
	still_armed(b);
	refused_for(b, lease, HOLDFAST_QUOTA_ENERGY);
	free(loud);
	free(soft);
	close(lease);
}

static void frames(struct bench *b)
{
	struct holdfast_frame *f = flat(b, BENCH_AMP), *off = flat(b, 0);
	int lease = lease_of(b, TENANT), i;

	set_quota(b, HOLDFAST_QUOTA_FRAMES, 20, false);
	scene_keeper_arm(&b->keeper);
	for (i = 0; i < 20; i++) {
		bench_errno(b, scene_write(lease, f), 0, "frame within the quota");
		scene_sleep_ms(2);
		bench_errno(b, scene_write(lease, off), 0, "all off is free");
		scene_sleep_ms(2);
	}
	for (i = 0; i < 20; i++)
		bench_errno(b, scene_write(lease, f), EDQUOT, "frame beyond the quota");
	within(b, emitted(b).frames, 20, "frames");
	bench_check(b, emitted(b).frames == 20, "%u frames emitted, quota 20", emitted(b).frames);
	refused_for(b, lease, HOLDFAST_QUOTA_FRAMES);
	free(f);
	free(off);
	close(lease);
}

struct streamer {
	struct bench *b;
	int lease;
	int error;
	pthread_t thread;
};

static void *streamer(void *arg)
{
	struct streamer *s = arg;
	struct holdfast_frame *f = flat(s->b, BENCH_AMP);

	f->flags = HOLDFAST_FRAME_WAIT;	/* for its turn among so many: no burst of refusals */
	s->error = stream(s->lease, f, 1);
	free(f);
	return NULL;
}

/* They hammer on, the other plays: in vain, and undisturbed. */
static void the_other_plays(struct bench *b, const struct streamer *s, int other)
{
	__u64 before = scene_now_ns();
	int i;

	scene_play(&b->player, &b->sim, other, BENCH_AMP, BENCH_FRAME_MS);
	for (i = 0; i < HAMMER; i++) {
		struct holdfast_frame *f = flat(b, BENCH_AMP);
		int ret = scene_write(s[i % MANY].lease, f);

		bench_check(b, ret == -EDQUOT || ret == -EBUSY, "hammering: %s", strerror(-ret));
		free(f);
		scene_sleep_ms(1);
	}
	bench_check(b, !b->player.last_error, "the other: %s", strerror(-b->player.last_error));
	emissions_read(&b->es, &b->ledger);
	/* From its first frame on, no gap: not one off. */
	bench_check(b, b->es.on && b->es.dark_ns < before + 50 * SCENE_MS,
		    "the other was interrupted");
}

/* All leases of a tenant draw on one budget; another tenant has its own, and all of it. */
static void many_leases(struct bench *b)
{
	struct streamer s[MANY];
	struct holdfast_quota q, spent;
	int i, other = lease_of(b, OTHER);

	set_quota(b, HOLDFAST_QUOTA_EMIT, BUDGET_MS, false);
	bench_errno(b, scene_quota(&b->keeper, OTHER, HOLDFAST_QUOTA_EMIT, 5000, false, NULL), 0,
		    "quota of the other");
	scene_keeper_arm(&b->keeper);
	for (i = 0; i < MANY; i++) {
		s[i] = (struct streamer){ .b = b, .lease = lease_of(b, TENANT) };
		if (pthread_create(&s[i].thread, NULL, streamer, &s[i]))
			scene_die("no thread");
	}
	for (i = 0; i < MANY; i++) {
		pthread_join(s[i].thread, NULL);
		bench_errno(b, -s[i].error, EDQUOT, "parallel stream");
	}
	judge_ms(b, BUDGET_MS, "eight leases");
	bench_errno(b, scene_quota_get(&b->keeper, TENANT, &spent), 0, "ask");
	/* Where it has tripped nobody plays: that is said, and the other cases have their turn. */
	if (still_armed(b))
		the_other_plays(b, s, other);
	bench_errno(b, scene_quota_get(&b->keeper, TENANT, &q), 0, "ask");
	bench_check(b, q.used[HOLDFAST_QUOTA_EMIT] == spent.used[HOLDFAST_QUOTA_EMIT],
		    "%llu ms charged to who emitted nothing",
		    q.used[HOLDFAST_QUOTA_EMIT] - spent.used[HOLDFAST_QUOTA_EMIT]);
	for (i = 0; i < MANY; i++)
		close(s[i].lease);
	if (b->player.frame)
		scene_play_stop(&b->player);
	close(other);
}

/* Hammering alone, faster than any burst: that would end the tenant's leases, or trip. */
static void hammers(struct bench *b, __u64 tenant)
{
	struct holdfast_frame *f = flat(b, BENCH_AMP);
	int i, others = 0, lease = lease_of(b, tenant);
	struct holdfast_status before, after;

	bench_errno(b, scene_quota(&b->keeper, tenant, HOLDFAST_QUOTA_FRAMES, 0, false, NULL), 0,
		    "set quota");
	bench_errno(b, scene_write(lease, f), EDQUOT, "first");
	scene_status(b->keeper.fd, &before);
	for (i = 0; i < HAMMER; i++)
		others += scene_write(lease, f) != -EDQUOT;
	bench_check(b, !others, "%d of %d refusals are none of the quota", others, HAMMER);
	scene_status(b->keeper.fd, &after);
	bench_check(b, after.event_seq == before.event_seq, "%llu events of %d refusals",
		    after.event_seq - before.event_seq, HAMMER);
	free(f);
	close(lease);
}

static void hammering_is_no_burst(struct bench *b)
{
	struct holdfast_trip t;

	scene_keeper_arm(&b->keeper);
	hammers(b, TENANT);
	hammers(b, NO_TENANT);
	still_armed(b);
	scene_trip(b->keeper.fd, &t);
	bench_check(b, !t.count, "it tripped: %s", scene_cause_name(t.cause));
	bench_check(b, !emitted(b).frames, "something was emitted");
}

/* Ends of leases, a new keeper, arming, a trip and its reset, unplugging: no budget is fresh. */
static void nothing_refills(struct bench *b)
{
	const char *const attrs[] = { "rows=4", "cols=4", "sensors=none", "limit=hold 2000",
				      "limit=trip_dwell 0", NULL };
	struct holdfast_frame *f = flat(b, BENCH_AMP);
	int i, lease = lease_of(b, TENANT);
	char name[32];

	snprintf(name, sizeof(name), "%s", b->sim.name);
	set_quota(b, HOLDFAST_QUOTA_EMIT, BUDGET_MS, false);
	scene_keeper_arm(&b->keeper);
	for (i = 0; i < 5; i++) {
		scene_write(lease, f);
		scene_sleep_ms(60);
		switch (i) {
		case 0:	/* another lease */
			close(lease);
			lease = lease_of(b, TENANT);
			break;
		case 1:	/* another keeper */
			close(lease);
			scene_keeper_stop(&b->keeper);
			scene_keeper_start(&b->keeper, &b->sim, 50);
			lease = lease_of(b, TENANT);
			break;
		case 2:	/* a trip */
			scene_silence(b->keeper.fd, HOLDFAST_SILENCE_LATCH);
			break;
		case 3:	/* unplugged and plugged in again */
			close(lease);
			emissions_read(&b->es, &b->ledger);
			scene_keeper_stop(&b->keeper);
			ledger_close(&b->ledger);
			scene_drop(&b->sim);
			scene_make(&b->sim, name, attrs);
			ledger_open(&b->ledger, &b->sim);
			scene_keeper_start(&b->keeper, &b->sim, 50);
			lease = lease_of(b, TENANT);
			break;
		}
		if (scene_state(b->keeper.fd) != HOLDFAST_STATE_EMITTING &&
		    scene_state(b->keeper.fd) != HOLDFAST_STATE_ARMED)
			scene_keeper_arm(&b->keeper);
	}
	bench_errno(b, scene_write(lease, f), EDQUOT, "after five times 60 of 200 ms");
	judge_ms(b, BUDGET_MS, "through five lives");
	free(f);
	close(lease);
}

/* A budget is absolute; only a reset forgets. */
static void new_budgets(struct bench *b)
{
	struct holdfast_frame *f = flat(b, BENCH_AMP);
	int lease = lease_of(b, TENANT);

	set_quota(b, HOLDFAST_QUOTA_EMIT, BUDGET_MS, false);
	scene_keeper_arm(&b->keeper);
	stream(lease, f, 5);
	set_quota(b, HOLDFAST_QUOTA_EMIT, BUDGET_MS, false);
	bench_errno(b, scene_write(lease, f), EDQUOT, "the same budget again");
	set_quota(b, HOLDFAST_QUOTA_EMIT, BUDGET_MS + 100, false);
	bench_errno(b, -stream(lease, f, 5), EDQUOT, "100 ms more");
	judge_ms(b, BUDGET_MS + 100, "raised by 100 ms");
	set_quota(b, HOLDFAST_QUOTA_EMIT, BUDGET_MS, true);
	bench_errno(b, -stream(lease, f, 5), EDQUOT, "reset");
	/* Twice it ran into the end of a budget. */
	judge_ms(b, BUDGET_MS + 100 + 10 + BUDGET_MS, "reset");
	free(f);
	close(lease);
}

/* A budget below what is used holds before the call returns. */
static void taken_away(struct bench *b)
{
	struct holdfast_frame *f = flat(b, BENCH_AMP);
	int lease = lease_of(b, TENANT);
	__u64 back;

	scene_keeper_arm(&b->keeper);
	bench_errno(b, scene_write(lease, f), 0, "frame");
	scene_sleep_ms(30);
	set_quota(b, HOLDFAST_QUOTA_EMIT, 5, false);
	back = scene_now_ns();
	emissions_dark_after(&b->es, &b->ledger, back, 1000);
	bench_check(b, b->es.count == 1 && b->es.e[0].end_ns <= back,
		    "still on when the call had returned");
	bench_errno(b, scene_write(lease, f), EDQUOT, "frame");
	still_armed(b);
	free(f);
	close(lease);
}

/* On and off again, so that nothing lasts: all of it counts. */
static void blinking(struct bench *b)
{
	struct holdfast_frame *f = flat(b, BENCH_AMP), *off = flat(b, 0);
	int ret, lease = lease_of(b, TENANT);
	__u64 until = scene_now_ns() + LONG_NS;
	struct emitted e;

	set_quota(b, HOLDFAST_QUOTA_EMIT, BUDGET_MS / 2, false);
	scene_keeper_arm(&b->keeper);
	do {
		ret = scene_write(lease, f);
		scene_sleep_ms(1);
		scene_write(lease, off);
		scene_sleep_ms(1);
	} while ((!ret || ret == -ERANGE) && scene_now_ns() < until);
	bench_errno(b, ret, EDQUOT, "blinking");
	e = emitted(b);
	within(b, e.ms, BUDGET_MS / 2 + slack_ms(b), "blinking");
	bench_check(b, e.frames > 5, "%u blinks", e.frames);
	tap_note("blinking%s: %.3f ms of %d in %u blinks", b->bus ? ", bus" : "", e.ms, BUDGET_MS / 2,
		 e.frames);
	free(f);
	free(off);
	close(lease);
}

/* What a slow bus may need to fall silent is paid, before anybody can have measured it. */
static void slow_off_is_paid(struct bench *b)
{
	__u64 bound_ms = b->sim.info.silence_bound_ns / SCENE_MS;
	struct holdfast_frame *f = flat(b, BENCH_AMP);
	int lease = lease_of(b, TENANT);
	struct holdfast_quota q;
	__u64 from, to, on_ms;

	scene_keeper_arm(&b->keeper);
	from = scene_now_ns();
	bench_errno(b, scene_write(lease, f), 0, "frame");
	scene_silence(b->keeper.fd, 0);
	to = scene_now_ns();
	scene_quota_get(&b->keeper, TENANT, &q);
	on_ms = (to - from) / SCENE_MS;
	bench_check(b, bound_ms > 50, "the bus is silent within %llu ms: too fast for this", bound_ms);
	bench_check(b, q.used[HOLDFAST_QUOTA_EMIT] >= bound_ms &&
		    q.used[HOLDFAST_QUOTA_EMIT] <= on_ms + bound_ms + 2 &&
		    q.used[HOLDFAST_QUOTA_EMIT] + 2 >= (__u64)emitted(b).ms,
		    "%llu ms charged for at most %llu and %llu to fall silent; %.3f emitted",
		    q.used[HOLDFAST_QUOTA_EMIT], on_ms, bound_ms, emitted(b).ms);
	/* Silence that finds nothing on costs nothing. */
	scene_silence(b->keeper.fd, 0);
	on_ms = q.used[HOLDFAST_QUOTA_EMIT];
	scene_quota_get(&b->keeper, TENANT, &q);
	bench_check(b, q.used[HOLDFAST_QUOTA_EMIT] == on_ms, "charged while nothing was on");
	free(f);
	close(lease);
}

static const struct quota_case cases[] = {
	{ "a stream is stopped", { 0 }, stream_is_stopped },
	{ "a stream is stopped, hardware behind a bus", { "kind=bus" }, stream_is_stopped },
	{ "a held frame is silenced by the tick", { 0 }, held_frame_is_silenced },
	{ "energy", { 0 }, energy },
	{ "frames", { 0 }, frames },
	{ "many leases of a tenant, and another tenant", { 0 }, many_leases },
	{ "hammering on a spent quota is no burst", { 0 }, hammering_is_no_burst },
	{ "nothing refills a budget", { 0 }, nothing_refills },
	{ "a new budget is absolute, a reset forgets", { 0 }, new_budgets },
	{ "a budget taken away holds at once", { 0 }, taken_away },
	{ "blinking", { 0 }, blinking },
	{ "blinking, hardware behind a bus", { "kind=bus" }, blinking },
	{ "a slow bus pays for falling silent",
	  { "kind=bus", "baud=9600", "limit=silence_bound 1000000" }, slow_off_is_paid },
};

/* The last trip says that the machine under the kernel stood still: of the case itself it says nothing. */
static bool held_up(struct bench *b)
{
	struct holdfast_trip t = { 0 };

	scene_trip(b->keeper.fd, &t);
	return t.count && t.cause == HOLDFAST_CAUSE_GOVERNOR_LATE;
}

/* On hardware of its own, with budgets of its own; true: to be tried again. */
static bool attempt(const struct quota_case *c, const char *name, bool last)
{
	const char *const attrs[] = { "rows=4", "cols=4", "sensors=none", "limit=hold 2000",
				      "limit=trip_dwell 0", c->attrs[0], c->attrs[1], c->attrs[2],
				      NULL };
	struct bench b;
	bool again;

	bench_open(&b, name, attrs);
	overspent = false;
	c->run(&b);
	again = b.failures && !overspent && !last && held_up(&b);
	if (again)
		tap_note("%s: the machine was held up and it tripped, as it must: once more", c->name);
	else
		tap_ok(!b.failures, "%s", c->name);
	bench_close(&b);
	return again;
}

static void run(unsigned int i)
{
	unsigned int attempts = 0;
	char name[32];

	do
		snprintf(name, sizeof(name), "quota%u-%u", i, attempts);
	while (attempt(&cases[i], name, ++attempts == ATTEMPTS));
}

int main(void)
{
	unsigned int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	scene_load();
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run(i);
	return tap_done();
}
