// SPDX-License-Identifier: GPL-2.0
/*
 * Who changes what may be emitted in a round of the adversary: the keeper that
 * makes and revokes leases until it is killed, and the meddler that tightens and
 * silences. Each writes down what it did, with the time before the call and the
 * time after its return. Neither judges.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "adversary.h"

#define BEAT_MS		20

unsigned int log_take(unsigned int *count, unsigned int room, const char *what)
{
	unsigned int i = __atomic_fetch_add(count, 1, __ATOMIC_ACQ_REL);

	if (i >= room)
		scene_die("more than %u %s in a round", room, what);
	return i;
}

void sleep_us(unsigned int us)
{
	struct timespec t = { us / 1000000, (long)(us % 1000000) * 1000 };

	nanosleep(&t, NULL);
}

bool stopping(const struct share *sh)
{
	return __atomic_load_n(&sh->stop, __ATOMIC_ACQUIRE);
}

/* ------------------------------------------------------------------ keeper */

struct keeper {
	struct share *sh;
	struct rng rng;
	const int *socks;
	unsigned int generation;
	int fd;
	__u64 epoch, seq, beat_ns;
	unsigned int mine;	/* leases that live, in @lease */
	__u32 lease[HOLDFAST_MAX_LEASES];
	int lease_fd[HOLDFAST_MAX_LEASES];
};

/* A value for the lease's own envelope, now and then a looser one, which must not count. */
static __s64 lease_value(struct keeper *k, unsigned int l)
{
	double now = (double)k->sh->now[l];

	if (l >= HOLDFAST_LIM_BOX_MIN_X && l <= HOLDFAST_LIM_BOX_MAX_Z)
		return (__s64)(now + (limit_is_floor(l) ? 1 : -1) *
				     rng_between(&k->rng, -5000, 20000));
	if (limit_is_floor(l))
		return (__s64)(now * rng_between(&k->rng, 0.5, 2));
	now *= rng_between(&k->rng, 0.6, 1.1);
	return l == HOLDFAST_LIM_AMP_CAP && now > 65535 ? 65535 : (__s64)now;
}

static void lease_plan(struct keeper *k, struct lease_log *log, struct holdfast_envelope *env)
{
	const struct round *r = &k->sh->round;
	unsigned int l, i;

	scene_env_init(env, HOLDFAST_ENV_LEASE);
	for (l = 0; l < HOLDFAST_LIM_COUNT; l++) {
		bool offered = (r->tightens >> l & 1) || l == HOLDFAST_LIM_AMP_CAP;

		if (!offered || !rng_chance(&k->rng, 25) || k->sh->now[l] >= 1000000000)
			continue;
		scene_env_limit(env, (enum holdfast_limit)l, lease_value(k, l));
		log->limit[l] = env->limit[l];
	}
	log->set = env->set;
	log->rights = HOLDFAST_RIGHT_FRAMES | (rng_chance(&k->rng, 85) ? HOLDFAST_RIGHT_RAW : 0);
	log->keeper = k->generation;
	log->nfence = r->fences ? rng_below(&k->rng, LEASE_FENCE + 1) : 0;
	for (i = 0; i < log->nfence; i++) {
		__u32 place = rng_below(&k->rng, PLACES);

		log->fence[i] = (struct fence){
			place, (__u32)(k->sh->reach[place] * 1e3 * rng_between(&k->rng, 0.05, 0.8))
		};
	}
	if (r->lease_ms)
		log->duration_ms = 1 + rng_below(&k->rng, r->lease_ms);
	else if (rng_chance(&k->rng, 20))
		log->duration_ms = 200 + rng_below(&k->rng, 1000);
}

static void keeper_lease(struct keeper *k)
{
	unsigned int index = log_take(&k->sh->leases, MAX_LEASES, "leases");
	struct lease_log *log = &k->sh->lease[index];
	struct holdfast_fence_point fence[LEASE_FENCE];
	struct holdfast_envelope env;
	struct scene_ask ask = {};
	unsigned int i;
	int fd;

	lease_plan(k, log, &env);
	for (i = 0; i < log->nfence; i++) {
		fence[i] = k->sh->place[log->fence[i].place];
		fence[i].limit_mpa = log->fence[i].limit_mpa;
	}
	ask.rights = log->rights;
	ask.duration_ms = log->duration_ms;
	ask.env = log->set ? &env : NULL;
	ask.fence = fence;
	ask.nfence = log->nfence;
	log->before = scene_now_ns();
	fd = scene_lease(k->fd, k->epoch, &ask, &log->id);
	log->after = scene_now_ns();
	if (fd < 0) {
		/* the box of a lease may be turned inside out by the meet; nothing else may fail */
		if (fd != -ENOSPC && fd != -ERANGE)
			scene_die("keeper: lease: %s", strerror(-fd));
		return;
	}
	/* kept open here too: closing the submitter's must not be what ends it */
	k->lease_fd[k->mine] = fd;
	k->lease[k->mine++] = index;
	scene_send_fd(k->socks[index % SUBMITTERS], fd, index);
}

static void keeper_revoke(struct keeper *k, unsigned int i)
{
	struct lease_log *log = &k->sh->lease[k->lease[i]];
	int ret;

	log->revoke_before = scene_now_ns();
	ret = scene_revoke(k->fd, k->epoch, log->id);
	if (!ret)
		log->revoke_after = scene_now_ns();
	else if (ret != -ENOENT)	/* gone by itself: expired, or no room for its fence */
		scene_die("keeper: revoke: %s", strerror(-ret));
	close(k->lease_fd[i]);
	k->lease[i] = k->lease[--k->mine];
	k->lease_fd[i] = k->lease_fd[k->mine];
}

/* Makes room for new leases where old ones have run out. */
static void keeper_sweep(struct keeper *k)
{
	unsigned int i;

	for (i = k->mine; i-- > 0;) {
		const struct lease_log *log = &k->sh->lease[k->lease[i]];

		if (log->duration_ms &&
		    scene_now_ns() > log->after + log->duration_ms * SCENE_MS)
			keeper_revoke(k, i);
	}
}

/* A trip: written down, reset, and on with it. */
static void keeper_tripped(struct keeper *k)
{
	struct holdfast_trip t;
	struct quiet *q;

	if (scene_trip(k->fd, &t))
		scene_die("keeper: no trip record");
	if (k->sh->trip_seen != t.event_seq) {
		__atomic_add_fetch(&k->sh->causes[t.cause % HOLDFAST_CAUSE_COUNT], 1,
				   __ATOMIC_ACQ_REL);
		q = LOG_TAKE(k->sh, quiet, MAX_QUIET);
		*q = (struct quiet){ t.detect_ns, t.silence_ns, scene_cause_name(t.cause), false };
		k->sh->trip_seen = t.event_seq;
	}
	scene_reset(k->fd, k->epoch, NULL);
}

static void keeper_arm(struct keeper *k)
{
	struct arm *a = LOG_TAKE(k->sh, arm, MAX_ARMS);

	a->before = scene_now_ns();
	if (scene_arm(k->fd, k->epoch, NULL))
		a->before = UINT64_MAX;	/* it was none */
	a->after = scene_now_ns();
}

static void keeper_claim(struct keeper *k)
{
	struct holdfast_keeper claim;
	int ret;

	k->fd = scene_open(&k->sh->sim, O_RDWR);
	if (k->fd < 0)
		scene_die("keeper: open: %s", strerror(-k->fd));
	ret = scene_claim(k->fd, &claim);
	if (ret)
		scene_die("keeper: claim: %s", strerror(-ret));
	k->epoch = claim.epoch;
	k->seq = claim.event_seq;
}

static void keeper_turn(struct keeper *k)
{
	const struct round *r = &k->sh->round;

	if (scene_now_ns() - k->beat_ns > BEAT_MS * SCENE_MS) {
		if (scene_beat(k->fd, k->epoch, &k->seq) == -ETIME)
			scene_beat(k->fd, k->epoch, &k->seq);
		k->beat_ns = scene_now_ns();
	}
	switch (scene_state(k->fd)) {
	case HOLDFAST_STATE_TRIPPED:
		keeper_tripped(k);
		break;
	case HOLDFAST_STATE_SILENT:
		keeper_arm(k);
		break;
	}
	keeper_sweep(k);
	if (k->mine && (k->mine > 2 * SUBMITTERS || rng_chance(&k->rng, r->lease_ms ? 12 : 3)))
		keeper_revoke(k, rng_below(&k->rng, k->mine));
	else if (k->mine < SUBMITTERS || rng_chance(&k->rng, r->lease_ms ? 15 : 4))
		keeper_lease(k);
}

void keeper_run(struct share *sh, unsigned int generation, const int *socks)
{
	struct keeper k = {
		.sh = sh, .socks = socks, .generation = generation,
		.rng = { sh->round.seed + 1000 + generation },
	};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	keeper_claim(&k);
	scene_wait_sensors(k.fd, 2000);
	while (!stopping(sh)) {
		keeper_turn(&k);
		sleep_us(1000 + rng_below(&k.rng, 3000));
	}
	_exit(0);
}

/* ----------------------------------------------------------------- meddler */

struct meddler {
	struct share *sh;
	struct rng rng;
	int fd;
	__u64 heat_ns;
};

/* The next value of a limit, and how far it may go without ending all emission. */
static __s64 tighter(struct meddler *m, unsigned int l)
{
	const struct round *r = &m->sh->round;
	double now = (double)m->sh->now[l], base = (double)r->limit[l], least = base * 0.25, next;

	switch (l) {
	case HOLDFAST_LIM_FRAME_INTERVAL:
		next = now * rng_between(&m->rng, 1, 1.3);
		return next > 400000 ? 400000 : (__s64)next;
	case HOLDFAST_LIM_BOX_MIN_X:
	case HOLDFAST_LIM_BOX_MIN_Y:
	case HOLDFAST_LIM_BOX_MIN_Z:
		next = now + rng_between(&m->rng, 0, 15000);
		base = l == HOLDFAST_LIM_BOX_MIN_Z ? 60000 : -40000;
		return (__s64)(next > base ? now : next);
	case HOLDFAST_LIM_BOX_MAX_X:
	case HOLDFAST_LIM_BOX_MAX_Y:
	case HOLDFAST_LIM_BOX_MAX_Z:
		next = now - rng_between(&m->rng, 0, 15000);
		base = l == HOLDFAST_LIM_BOX_MAX_Z ? 160000 : 40000;
		return (__s64)(next < base ? now : next);
	case HOLDFAST_LIM_CHAN_RISE:
		/* being on at all heats */
		least = base * 0.5;
		break;
	case HOLDFAST_LIM_FENCE_PRESSURE:
	case HOLDFAST_LIM_FOCAL_PRESSURE:
		/* from no limit at all to one that matters */
		base = r->channels * 50e3;
		least = base * 0.15;
		now = now > base ? base : now;
		break;
	}
	next = now * rng_between(&m->rng, 0.8, 1);
	return (__s64)(next < least ? least : next);
}

static void meddle_limit(struct meddler *m)
{
	const struct round *r = &m->sh->round;
	struct tight *t;
	unsigned int l;
	__s64 value;
	int ret;

	do
		l = rng_below(&m->rng, HOLDFAST_LIM_COUNT);
	while (!(r->tightens >> l & 1));
	value = tighter(m, l);
	if (value == m->sh->now[l])
		return;
	t = LOG_TAKE(m->sh, tight, MAX_TIGHT);
	t->limit = l;
	t->value = value;
	t->before = scene_now_ns();
	ret = scene_site_tighten(m->fd, (enum holdfast_limit)l, value);
	if (ret)
		scene_die("meddler: tighten %s %lld: %s", scene_limit_name(l), value,
			  strerror(-ret));
	t->after = scene_now_ns();
	__atomic_store_n(&m->sh->now[l], value, __ATOMIC_RELEASE);
}

static void meddle_mask(struct meddler *m)
{
	const struct round *r = &m->sh->round;
	struct tight *t = LOG_TAKE(m->sh, tight, MAX_TIGHT);
	unsigned int i, n = 1 + rng_below(&m->rng, r->channels / 64 + 1);
	int ret;

	memcpy(t->mask, m->sh->mask, sizeof(t->mask));
	for (i = 0; i < n; i++) {
		__u32 c = rng_below(&m->rng, r->channels - TAG_CHANNELS);

		t->mask[c / 64] &= ~(1ULL << (c % 64));
	}
	t->limit = HOLDFAST_LIM_NONE;
	t->masked = true;
	t->before = scene_now_ns();
	ret = scene_site_mask(m->fd, t->mask);
	if (ret)
		scene_die("meddler: mask: %s", strerror(-ret));
	t->after = scene_now_ns();
	memcpy(m->sh->mask, t->mask, sizeof(t->mask));
}

/* A point of the site's: a new one, or one that is there, made stricter. */
static struct fence fence_choose(struct meddler *m, unsigned int *at)
{
	unsigned int n = m->sh->nfence, i;
	__u32 place;
	bool taken;

	if (n >= HOLDFAST_MAX_FENCE / 4 || (n > 2 && rng_chance(&m->rng, 40))) {
		*at = rng_below(&m->rng, n);
		place = m->sh->fence[*at].place;
		return (struct fence){ place, (__u32)(m->sh->fence[*at].limit_mpa *
						      rng_between(&m->rng, 0.8, 1)) };
	}
	do {
		place = rng_below(&m->rng, PLACES);
		taken = false;
		for (i = 0; i < n; i++)
			taken |= m->sh->fence[i].place == place;
	} while (taken);
	*at = n;
	return (struct fence){ place, (__u32)(m->sh->reach[place] * 1e3 *
					      rng_between(&m->rng, 0.02, 0.7)) };
}

static void meddle_fence(struct meddler *m)
{
	struct tight *t = LOG_TAKE(m->sh, tight, MAX_TIGHT);
	struct holdfast_fence_point p;
	unsigned int at;
	int ret;

	t->fence[0] = fence_choose(m, &at);
	t->nfence = 1;
	t->limit = HOLDFAST_LIM_NONE;
	p = m->sh->place[t->fence[0].place];
	p.limit_mpa = t->fence[0].limit_mpa;
	t->before = scene_now_ns();
	ret = scene_fence_add(m->fd, &p, 1);
	if (ret)
		scene_die("meddler: fence: %s", strerror(-ret));
	t->after = scene_now_ns();
	m->sh->fence[at] = t->fence[0];
	if (at == m->sh->nfence)
		__atomic_store_n(&m->sh->nfence, at + 1, __ATOMIC_RELEASE);
}

static void meddle_silence(struct meddler *m)
{
	bool latch = rng_chance(&m->rng, 40);
	struct quiet *q;
	int ret;

	if (__atomic_load_n(&m->sh->hung, __ATOMIC_ACQUIRE))
		return;
	q = LOG_TAKE(m->sh, quiet, MAX_QUIET);
	q->why = latch ? "latched silence" : "silence";
	q->before = scene_now_ns();
	ret = scene_silence(m->fd, latch ? HOLDFAST_SILENCE_LATCH : 0);
	q->after = scene_now_ns();
	if (ret)
		scene_die("meddler: silence: %s", strerror(-ret));
}

/* Warmer and cooler, never as far as a trip. */
static void meddle_heat(struct meddler *m)
{
	struct heat *h;
	int ret;

	if (m->sh->round.theme != THEME_HEAT || scene_now_ns() < m->heat_ns)
		return;
	m->heat_ns = scene_now_ns() + 900 * SCENE_MS;
	h = LOG_TAKE(m->sh, heat, MAX_HEAT);
	h->temp_mc = 46000 + rng_below(&m->rng, 13000);
	h->before = scene_now_ns();
	ret = scene_set(&m->sh->sim, "fault_temp0", "set:%lld", h->temp_mc);
	if (ret)
		scene_die("meddler: temperature: %s", strerror(-ret));
	h->after = scene_now_ns();
}

static void meddle_tighten(struct meddler *m, unsigned int what)
{
	const struct share *sh = m->sh;

	if (sh->round.fences && (what < 30 || sh->nfence < 2))
		meddle_fence(m);
	else if (sh->round.masks && what < 50)
		meddle_mask(m);
	else
		meddle_limit(m);
}

void meddler_run(struct share *sh)
{
	struct meddler m = { .sh = sh, .rng = { sh->round.seed + 77 } };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	m.fd = scene_open(&sh->sim, O_RDWR);
	if (m.fd < 0)
		scene_die("meddler: open: %s", strerror(-m.fd));
	while (!stopping(sh)) {
		unsigned int what = rng_below(&m.rng, 100);

		meddle_heat(&m);
		if (what >= 92 && !(sh->round.fences && sh->nfence < 2))
			meddle_silence(&m);
		else if (sh->tights < MAX_TIGHT)	/* else the round is a long one: enough */
			meddle_tighten(&m, what);
		sleep_us(2000 + rng_below(&m.rng, sh->tights < MAX_TIGHT - 8 ? 40000 : 1000000));
	}
	_exit(0);
}
