// SPDX-License-Identifier: GPL-2.0
/*
 * What takes hours: dose, heat, emission and rest time, in simulated time
 * (scripts/vm --kernel uml --time-travel). The judge is the ledger: times when
 * the transducers were on, and at which levels, through physics and models in
 * double precision. What the driver says is only ever compared with those.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ledger.h"
#include "scene.h"
#include "tap.h"

#define FRAME_MS	4000U	/* between two frames, and two beats */
#define IDLE_MS		9000U	/* the same, while frames are refused */
#define HOUR_NS		3600000000000ULL
#define TICK_S		0.010
#define TURNS		6000	/* frames, each of TURN_US */
#define TURN_US		2500
#define AMP		30000
#define CHANNELS	16

/* One array, its keeper and its program in one thread: simulated time waits for all. */
struct day {
	struct scene_array array;
	struct scene_keeper keeper;
	struct ledger ledger;
	struct emissions es;
	struct physics physics;
	struct holdfast_frame *frame;
	int lease;
	int error;		/* of the last frame */
	unsigned int trips;
	__u32 cause;		/* of the last trip */
};

static void day_begin(struct day *d, const char *name, const char *const attrs[])
{
	int i, ret;

	memset(d, 0, sizeof(*d));
	ret = scene_mkdir(&d->array, name);
	for (i = 0; !ret && attrs[i]; i++) {
		char attr[32], *value;

		snprintf(attr, sizeof(attr), "%s", attrs[i]);
		value = strchr(attr, '=');
		*value = '\0';
		ret = scene_set(&d->array, attr, "%s", strchr(attrs[i], '=') + 1);
	}
	if (ret)
		tap_bail("%s: %s", name, strerror(-ret));
	scene_set(&d->array, "rows", "4");
	scene_set(&d->array, "cols", "4");
	scene_set(&d->array, "sensors", "none");
	scene_set(&d->array, "limit", "hold 10000");
	scene_set(&d->array, "limit", "keeper_deadline 10000");
	ret = scene_live(&d->array, true);
	if (ret || d->array.info.channels != CHANNELS)
		tap_bail("%s does not go live: %s", name, strerror(-ret));
	scene_keeper_start(&d->keeper, &d->array, 0);
	ledger_open(&d->ledger, &d->array);
	physics_init(&d->physics, &d->array);
	d->frame = scene_frame_new(CHANNELS, 0);
	scene_frame_flat(d->frame, AMP);
}

/* Armed, with a lease. */
static void day_start(struct day *d)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL };

	scene_keeper_arm(&d->keeper);
	d->lease = scene_lease(d->keeper.fd, d->keeper.epoch, &ask, NULL);
	if (d->lease < 0)
		tap_bail("lease: %s", strerror(-d->lease));
}

static void day_end(struct day *d)
{
	scene_silence(d->keeper.fd, 0);
	ledger_close(&d->ledger);
	emissions_free(&d->es);
	physics_free(&d->physics);
	free(d->frame);
	close(d->lease);
	scene_keeper_stop(&d->keeper);
	scene_drop(&d->array);
}

/* The keeper beats, the program sends its frame, or tries to get out of a trip; then time passes. */
static void step(struct day *d, unsigned int ms)
{
	struct holdfast_trip t;

	scene_beat_all(d->keeper.fd, d->keeper.epoch);
	d->error = scene_write(d->lease, d->frame);
	if (d->error == -ESHUTDOWN) {
		if (d->cause == HOLDFAST_CAUSE_NONE) {
			d->trips++;
			scene_trip(d->keeper.fd, &t);
			d->cause = t.cause;
		}
		if (!scene_reset(d->keeper.fd, d->keeper.epoch, NULL)) {
			d->cause = HOLDFAST_CAUSE_NONE;
			scene_arm(d->keeper.fd, d->keeper.epoch, NULL);
		}
	} else if (d->error == -ENOTCONN) {
		scene_arm(d->keeper.fd, d->keeper.epoch, NULL);
	}
	scene_sleep_ms(ms);
	emissions_read(&d->es, &d->ledger);
}

static void status(struct day *d, struct holdfast_status *st)
{
	if (scene_status(d->keeper.fd, st))
		tap_bail("no status");
}

static double seconds(const struct emission *e)
{
	__u64 end = e->end_ns == UINT64_MAX ? scene_now_ns() : e->end_ns;

	return (double)(end - e->begin_ns) * 1e-9;
}

static double emitted_s(const struct day *d)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < d->es.count; i++)
		sum += seconds(&d->es.e[i]);
	return sum;
}

/* -------------------------------------------------------------------- dose */

/* Largest emission time, s, within any 24 h: of windows that end with an emission. */
static double worst_window_s(const struct day *d)
{
	double sum = 0, worst = 0;
	size_t first = 0, i;

	for (i = 0; i < d->es.count; i++) {
		const struct emission *e = &d->es.e[i];
		__u64 end = e->end_ns == UINT64_MAX ? scene_now_ns() : e->end_ns;
		__u64 from = end > 24 * HOUR_NS ? end - 24 * HOUR_NS : 0;
		double part = 0;

		sum += seconds(e);
		while (d->es.e[first].end_ns <= from)
			sum -= seconds(&d->es.e[first++]);
		if (d->es.e[first].begin_ns < from)
			part = (double)(from - d->es.e[first].begin_ns) * 1e-9;
		worst = fmax(worst, sum - part);
	}
	return worst;
}

static void test_dose(void)
{
	const struct holdfast_fence_point point = { 0, 0, 100000, 4000000000U };
	const double asked_s = 6 * 3600;
	double pa, bound_pa, rate, bound_s, first_s, back_s;
	struct holdfast_status st;
	__u16 phase[CHANNELS], level[CHANNELS];
	__u64 begin, now = 0;
	struct day d;
	long long dose;
	int i, ret;

	day_begin(&d, "dose", SCENE_ATTRS("limit=chan_rise 200000"));
	for (i = 0; i < CHANNELS; i++) {
		phase[i] = 0;
		level[i] = physics_level(&d.physics, AMP);
	}
	pa = physics_pressure_at(&d.physics, 0, 0, 100000, phase, level);
	rate = pa * pa / 2;
	dose = (long long)ceil(rate * asked_s);
	ret = scene_fence_set(d.keeper.fd, &point, 1);
	if (!ret)
		ret = scene_site_set(d.keeper.fd, HOLDFAST_LIM_DOSE, dose);
	if (ret)
		tap_bail("fence and dose: %s", strerror(-ret));
	/* Not at the full hour, where the driver's hourly counts would hide one too few of them. */
	scene_sleep_ms(1800 * 1000);
	day_start(&d);
	step(&d, FRAME_MS);
	status(&d, &st);
	bound_pa = st.fence_mpa[0] / 1000.0;
	bound_s = (double)dose / (bound_pa * bound_pa / 2);
	tap_note("dose: %.3f Pa at the point, the driver's bound %.3f Pa", pa, bound_pa);
	tap_ok(d.es.count == 1 && bound_pa >= pa && bound_pa < pa * 1.02,
	       "dose: the driver's pressure is above the true one by less than 2 %%");
	begin = d.es.e[0].begin_ns;
	while (d.error != -ERANGE && scene_now_ns() < begin + 8 * HOUR_NS)
		step(&d, FRAME_MS);
	status(&d, &st);
	tap_ok(d.error == -ERANGE && st.last_reject.limit == HOLDFAST_LIM_DOSE,
	       "dose: then a frame is refused (%s)", scene_limit_name(st.last_reject.limit));
	while (scene_now_ns() < begin + 12 * HOUR_NS)
		step(&d, IDLE_MS);
	first_s = emitted_s(&d);
	status(&d, &st);
	/* A frame is refused if its hold would pass the limit, so the last one ends before it. */
	tap_ok(first_s <= bound_s + TICK_S && first_s >= bound_s - FRAME_MS * 1e-3 - TICK_S,
	       "dose: %.2f s of emission by the ledger; %.2f s by the driver's bound (-%u s, a frame), %.2f s by the true pressure",
	       first_s, bound_s, FRAME_MS / 1000, asked_s);
	tap_ok((double)st.fence_dose[0] >= rate * first_s &&
	       (double)st.fence_dose[0] <= bound_pa * bound_pa / 2 * (first_s + TICK_S) + 2,
	       "dose: %llu Pa2s counted, %.0f by the ledger", (unsigned long long)st.fence_dose[0],
	       rate * first_s);
	while (d.error && scene_now_ns() < begin + 26 * HOUR_NS) {
		now = scene_now_ns();
		step(&d, IDLE_MS);
	}
	back_s = (double)(now - begin) * 1e-9;
	tap_ok(!d.error && back_s > 24 * 3600 && back_s <= 25 * 3600 + IDLE_MS * 1e-3,
	       "dose: silent until, and free again after %.3f h", back_s / 3600);
	while (scene_now_ns() < begin + 50 * HOUR_NS)
		step(&d, d.error ? IDLE_MS : FRAME_MS);
	tap_note("dose: %u trips in 50 h, %.3f h of emission", d.trips, emitted_s(&d) / 3600);
	tap_ok(!d.trips && emitted_s(&d) > 1.9 * first_s && worst_window_s(&d) * rate <= (double)dose,
	       "dose: in no 24 h of 50 h more than %.4f of the limit", worst_window_s(&d) * rate / (double)dose);
	tap_ok(!d.ledger.lost && !d.ledger.disorder, "dose: the ledger is complete");
	day_end(&d);
}

/* -------------------------------------------------------------------- heat */

#define RTH_CHAN	10.0	/* K/W */
#define TAU_CHAN	600.0	/* s */
#define RTH_ARRAY	0.7
#define TAU_ARRAY	45.0	/* of the plant's two stages 120 and 20 s: the longest that errs hot */
#define HEAT_LIMIT	6.0	/* K */

/* Rises as the ledger says that they must be; exact for constant power. */
struct heat {
	double chan, array;	/* K */
	double chan_max, array_max;
	__u64 now_ns;
	size_t next;		/* emission to go on with */
};

static void heat_go(struct heat *h, __u64 to_ns, double power_w)
{
	double dt = to_ns > h->now_ns ? (double)(to_ns - h->now_ns) * 1e-9 : 0;

	h->chan += (power_w / CHANNELS * RTH_CHAN - h->chan) * -expm1(-dt / TAU_CHAN);
	h->array += (power_w * RTH_ARRAY - h->array) * -expm1(-dt / TAU_ARRAY);
	h->chan_max = fmax(h->chan_max, h->chan);
	h->array_max = fmax(h->array_max, h->array);
	if (dt > 0)
		h->now_ns = to_ns;
}

/* All emissions until @now; those that go on are taken up again the next time. */
static void heat_read(struct heat *h, const struct day *d, __u64 now_ns)
{
	for (; h->next < d->es.count; h->next++) {
		const struct emission *e = &d->es.e[h->next];
		double w = physics_power_uw(&d->physics, e->level) * 1e-6;

		if (e->begin_ns >= now_ns)
			break;
		heat_go(h, e->begin_ns, 0);
		if (e->end_ns > now_ns) {
			heat_go(h, now_ns, w);
			return;
		}
		heat_go(h, e->end_ns, w);
	}
	heat_go(h, now_ns, 0);
}

#define HEAT_ATTRS "p_acoustic_uw=2000000", "rth_chan_mk_per_w=10000", "tau_chan_ms=600000", \
	"tau_array_ms=45000", 	"limit=power_avg 10000000000", "limit=chan_rise 200000", "limit=array_rise 200000"

/* The model against the exponential and against the plant, heating and cooling. */
static void test_heat_model(void)
{
	double plant_margin = 1e9, above_min = 1e9, above_max = -1e9;
	struct holdfast_status st;
	struct heat h = {};
	char text[256];
	struct day d;
	int i, board;

	day_begin(&d, "heat", SCENE_ATTRS(HEAT_ATTRS));
	day_start(&d);
	h.now_ns = scene_now_ns();
	for (i = 0; i < 1800; i++) {
		if (i == 900)
			scene_silence(d.keeper.fd, 0);
		if (i < 900) {
			step(&d, FRAME_MS);
		} else {
			scene_beat_all(d.keeper.fd, d.keeper.epoch);
			scene_sleep_ms(FRAME_MS);
			emissions_read(&d.es, &d.ledger);
		}
		status(&d, &st);
		heat_read(&h, &d, st.time_ns);
		above_min = fmin(above_min, fmin(st.chan_rise_mk - h.chan * 1e3,
						 st.array_rise_mk - h.array * 1e3));
		above_max = fmax(above_max, fmax(st.chan_rise_mk - h.chan * 1e3,
						 st.array_rise_mk - h.array * 1e3));
		if (scene_get(&d.array, "plant", text, sizeof(text)) < 0 ||
		    sscanf(text, "board_mc %d", &board) != 1)
			tap_bail("plant: '%s'", text);
		/* One first-order stage cannot err hot for two of them both ways: heating only. */
		if (i < 900)
			plant_margin = fmin(plant_margin,
					    (double)st.array_rise_mk - (board - 25000));
	}
	tap_note("heat: peaks by the ledger: channel %.2f K, array %.2f K", h.chan_max, h.array_max);
	tap_ok(h.chan_max > 4 && h.array_max > 5, "heat: an hour heats it");
	tap_ok(above_min >= -0.001 && above_max < 10,
	       "heat: model minus exponential within %.3f..%.3f mK in 2 h", above_min, above_max);
	tap_ok(plant_margin >= -2, "heat: model minus plant at least %.0f mK while heating",
	       plant_margin);
	day_end(&d);
}

/* As the last tick left it: what asks the driver is answered with models of before. */
static struct holdfast_status at_tick(const volatile struct holdfast_status *page)
{
	struct holdfast_status st;
	__u64 seq;

	do {
		seq = page->seq;
		st = *page;
	} while (seq % 2 || seq != page->seq);
	return st;
}

/* Loud and quiet in turn, four frames to a tick: each must be counted with what it was. */
static void test_heat_between_ticks(void)
{
	const struct holdfast_status *page;
	double below = 1e9, above = -1e9;
	struct holdfast_status st;
	struct heat h = {};
	struct day d;
	int i;

	day_begin(&d, "turns", SCENE_ATTRS(HEAT_ATTRS));
	page = mmap(NULL, sizeof(*page), PROT_READ, MAP_SHARED, d.keeper.fd, 0);
	if (page == MAP_FAILED)
		tap_bail("no status page");
	day_start(&d);
	h.now_ns = scene_now_ns();
	for (i = 0; i < TURNS; i++) {
		scene_frame_flat(d.frame, i % 4 ? AMP / 4 : 65535);
		scene_write(d.lease, d.frame);
		usleep(TURN_US);
		if (i % 100)
			continue;
		scene_beat_all(d.keeper.fd, d.keeper.epoch);
		st = at_tick(page);
		emissions_read(&d.es, &d.ledger);
		heat_read(&h, &d, st.time_ns);
		below = fmin(below, st.chan_rise_mk - h.chan * 1e3);
		above = fmax(above, st.chan_rise_mk - h.chan * 1e3);
	}
	tap_ok(d.es.count > TURNS * 9 / 10 && h.chan > 0.08,
	       "heat between ticks: %zu frames of %d, %.3f K by the ledger", d.es.count, TURNS, h.chan);
	tap_ok(below >= -0.001 && above < 2,
	       "heat between ticks: model minus exponential within %.3f..%.3f mK", below, above);
	munmap((void *)page, sizeof(*page));
	day_end(&d);
}

/* A program that asks for too much, for a day: neither rise may pass its limit. */
static void test_heat_limit(enum holdfast_limit limit, bool attenuate)
{
	const char *name = scene_limit_name(limit);
	unsigned int refused = 0;
	struct heat h = {};
	double peak, on_s, slack;
	__u64 until;
	struct day d;

	day_begin(&d, name, SCENE_ATTRS(HEAT_ATTRS));
	if (scene_site_set(d.keeper.fd, limit, (long long)(HEAT_LIMIT * 1000)))
		tap_bail("site");
	scene_frame_flat(d.frame, 65535);
	if (attenuate)
		d.frame->flags = HOLDFAST_FRAME_ATTENUATE;
	day_start(&d);
	h.now_ns = scene_now_ns();
	for (until = h.now_ns + 24 * HOUR_NS; scene_now_ns() < until;) {
		step(&d, 5000);
		refused += d.error == -ERANGE;
		heat_read(&h, &d, scene_now_ns());
	}
	on_s = emitted_s(&d);
	peak = limit == HOLDFAST_LIM_CHAN_RISE ? h.chan_max : h.array_max;
	/* A trip may come one tick after the limit. */
	slack = TICK_S * (limit == HOLDFAST_LIM_CHAN_RISE ? 2.04 * RTH_CHAN / TAU_CHAN :
			  32.7 * RTH_ARRAY / TAU_ARRAY) + 0.001;
	tap_ok(peak <= HEAT_LIMIT + slack && peak > 0.9 * HEAT_LIMIT && on_s > 3600,
	       "%s%s: in 24 h at most %.4f K, allowed %.0f K; %.2f h of emission, %u refused, %u trips",
	       name, attenuate ? ", attenuated" : "", peak, HEAT_LIMIT, on_s / 3600, refused, d.trips);
	tap_ok(!d.ledger.lost && !d.ledger.disorder, "%s: the ledger is complete", name);
	day_end(&d);
}

/* ---------------------------------------------------------- emission and rest */

static void test_emit_rest(void)
{
	double run = 0, longest = 0, shortest = 1e9, slowest = 0, gap;
	unsigned int runs = 0;
	struct day d;
	__u64 until;
	size_t i;

	day_begin(&d, "rest", SCENE_ATTRS("limit=emit_max 600000", "limit=emit_rest 300000"));
	day_start(&d);
	for (until = scene_now_ns() + 12 * HOUR_NS; scene_now_ns() < until;)
		step(&d, FRAME_MS);
	for (i = 0; i < d.es.count; i++) {
		run += seconds(&d.es.e[i]);
		longest = fmax(longest, run);
		if (i + 1 == d.es.count)
			break;
		gap = (double)(d.es.e[i + 1].begin_ns - d.es.e[i].end_ns) * 1e-9;
		if (gap > 0.001) {
			shortest = fmin(shortest, gap);
			slowest = fmax(slowest, gap);
			run = 0;
			runs++;
		}
	}
	tap_ok(longest >= 600 && longest <= 600 + 2 * TICK_S,
	       "emit_max: the longest emission in 12 h is %.3f s, allowed 600 s", longest);
	tap_ok(shortest >= 300 && slowest <= 304 + 2 * TICK_S,
	       "emit_rest: rests of %.3f to %.3f s, at least 300 s, a frame every 4 s", shortest,
	       slowest);
	tap_ok(runs >= 47 && runs <= 48 && !d.trips, "emit_max: %u rests, no trip", runs);
	day_end(&d);
}

static void test_duty(void)
{
	double share;
	struct day d;
	__u64 begin, until;

	day_begin(&d, "duty", SCENE_ATTRS("limit=emit_duty 500000"));
	day_start(&d);
	begin = scene_now_ns();
	for (until = begin + 6 * HOUR_NS; scene_now_ns() < until;)
		step(&d, 250);
	share = emitted_s(&d) / ((double)(scene_now_ns() - begin) * 1e-9);
	/* The average starts at zero: the first 42 s may be emitted at once. */
	tap_ok(share <= 0.5 + 60.0 / (6 * 3600) && share >= 0.475,
	       "emit_duty: on for %.2f %% of 6 h, allowed 50 %%", share * 100);
	tap_ok(!d.trips, "emit_duty: no trip");
	day_end(&d);
}

/* @argv[1]: "turns", which needs no hours; without: all. */
int main(int argc, char **argv)
{
	scene_load();
	test_heat_between_ticks();
	if (argc > 1 && !strcmp(argv[1], "turns"))
		return tap_done();
	test_dose();
	test_heat_model();
	test_heat_limit(HOLDFAST_LIM_CHAN_RISE, false);
	test_heat_limit(HOLDFAST_LIM_ARRAY_RISE, false);
	test_heat_limit(HOLDFAST_LIM_ARRAY_RISE, true);
	test_emit_rest();
	test_duty();
	return tap_done();
}
