// SPDX-License-Identifier: GPL-2.0
/*
 * Every cause of a trip: injected while the array emits, on both kinds of
 * hardware. Each must be named rightly, be silent by the ledger, stay latched,
 * not be reset before its time or while it stands, and leave an array that can
 * be armed again. Ways out of supervision that end the machine are in exits.sh;
 * "trips --paused" is the guest's part of pause.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "bench.h"
#include "tap.h"

#define PARALLEL	6
#define DWELL_MS	400
#define QUIET_AMP	1000	/* admissible after any of the trips */
#define ANYWHERE	0xfffffffeU
#define SEEN_TICKS	20	/* from a sensor's sample, or a deadline, to the trip */

/* Sensors of the simulator, in the order of its nameplate. */
enum { TEMP0, TEMP1, SUPPLY, CURRENT, FAN };

struct trip_case {
	const char *name;
	enum holdfast_cause cause;
	enum holdfast_severity severity;	/* 0: critical */
	__u32 limit;		/* of the reason */
	__u32 where;
	__s64 lo, hi;		/* measured, both ends included; both 0: not looked at */
	const char *attrs[6];	/* beyond those that all have */
	void (*begin)(struct bench *b);	/* instead of bench_emit() */
	void (*inject)(struct bench *b);
	void (*clear)(struct bench *b);
	bool stands;		/* a reset is refused until clear() */
	__u32 standing_limit;	/* with this reason */
	bool from_silent;	/* state before the trip; else emitting */
	unsigned int within_ms;	/* of injection; 0: 1500 */
	unsigned int deadman_ms;	/* what a bus is silent by, when not by command */
	void (*run)(struct bench *b, const struct trip_case *c);	/* a test of its own */
};

/*
 * Where each cause is tried; NULL: by a row of the table below. The compiler
 * refuses a switch that forgets one.
 */
static const char *elsewhere(enum holdfast_cause cause)
{
	switch (cause) {
	case HOLDFAST_CAUSE_OPERATOR:
	case HOLDFAST_CAUSE_KEEPER_DEADLINE:
	case HOLDFAST_CAUSE_SENSOR_THREAD:
	case HOLDFAST_CAUSE_TEMP_CRIT:
	case HOLDFAST_CAUSE_TEMP_EMERG:
	case HOLDFAST_CAUSE_TEMP_RATE:
	case HOLDFAST_CAUSE_SUPPLY_UNDER:
	case HOLDFAST_CAUSE_SUPPLY_OVER:
	case HOLDFAST_CAUSE_CURRENT_OVER:
	case HOLDFAST_CAUSE_FAN_FAILED:
	case HOLDFAST_CAUSE_SENSOR_LOST:
	case HOLDFAST_CAUSE_SENSOR_STALE:
	case HOLDFAST_CAUSE_SENSOR_STUCK:
	case HOLDFAST_CAUSE_SENSOR_IMPLAUSIBLE:
	case HOLDFAST_CAUSE_REJECT_BURST:
	case HOLDFAST_CAUSE_LINK_LOST:
	case HOLDFAST_CAUSE_LINK_FAULT:
	case HOLDFAST_CAUSE_SILENCE_UNCONFIRMED:
	case HOLDFAST_CAUSE_SELF_TEST:
	case HOLDFAST_CAUSE_HW_DEADMAN:
	case HOLDFAST_CAUSE_HW_REMOVED:
		return NULL;
	case HOLDFAST_CAUSE_GOVERNOR_LATE:
		return "pause.sh";
	case HOLDFAST_CAUSE_SUSPEND:
		return "exits.sh: suspend";
	case HOLDFAST_CAUSE_REBOOT:
		return "exits.sh: reboot, poweroff, sysrq-b";
	case HOLDFAST_CAUSE_PANIC:
		return "exits.sh: sysrq-c, oops-panic";
	case HOLDFAST_CAUSE_OOPS:
		return "exits.sh: oops";
	case HOLDFAST_CAUSE_POWER_MODEL:
	case HOLDFAST_CAUSE_THERMAL_MODEL:
	case HOLDFAST_CAUSE_DOSE:
		return "test_supervise: admission keeps every frame below them (rows \"held to...\")";
	case HOLDFAST_CAUSE_INTERNAL:
		return "nowhere: it stands for code that cannot be reached";
	case HOLDFAST_CAUSE_NONE:
	case HOLDFAST_CAUSE_COUNT:
		break;
	}
	return "no cause";
}

static void set(struct bench *b, const char *attr, const char *value)
{
	int ret = scene_set(&b->sim, attr, "%s", value);

	if (ret)
		scene_die("%s = %s: %s", attr, value, strerror(-ret));
}

/* An injection is an attribute and its value. */
#define INJECT(name, attr, value)						\
static void name(struct bench *b)						\
{										\
	set(b, attr, value);							\
}

INJECT(temp0_none, "fault_temp0", "none")
INJECT(temp0_crit, "fault_temp0", "set:62000")
INJECT(temp0_emerg, "fault_temp0", "set:72000")
INJECT(temp0_rises, "fault_temp0", "drift:8000")
INJECT(temp0_jumps, "fault_temp0", "jump:20000")
INJECT(temp1_nan, "fault_temp1", "nan")
INJECT(temp1_none, "fault_temp1", "none")
INJECT(supply_sags, "supply_sag_mv", "4000")
INJECT(supply_rises, "supply_sag_mv", "-4000")
INJECT(supply_well, "supply_sag_mv", "0")
INJECT(supply_stale, "fault_supply", "stale")
INJECT(supply_none, "fault_supply", "none")
INJECT(current_high, "fault_current", "set:4500")
INJECT(current_stuck, "fault_current", "stuck")
INJECT(current_none, "fault_current", "none")
INJECT(fan_fails, "fan_failed", "1")
INJECT(fan_well, "fan_failed", "0")
INJECT(fan_lost, "fault_fan", "lost")
INJECT(fan_none, "fault_fan", "none")
INJECT(link_slow, "link", "slow:60000")
INJECT(link_lost, "link", "lost")
INJECT(link_error, "link", "error")
INJECT(link_ok, "link", "ok")
INJECT(beats_lost, "beat_lost", "1")
INJECT(beats_well, "beat_lost", "0")

static void operator_stops(struct bench *b)
{
	int ro = scene_open(&b->sim, O_RDONLY);

	bench_errno(b, scene_silence(ro, HOLDFAST_SILENCE_LATCH), 0, "latched stop, read-only file");
	close(ro);
}

static void keeper_mute(struct bench *b)
{
	scene_keeper_mute(&b->keeper, true);
}

static void keeper_beats(struct bench *b)
{
	scene_keeper_mute(&b->keeper, false);
	scene_sleep_ms(150);
}

static void rejects(struct bench *b)
{
	struct holdfast_frame *f = scene_frame_new(b->sim.info.channels, 0);
	int i;

	scene_frame_flat(f, 65535);
	for (i = 0; i < 32; i++)
		bench_errno(b, scene_write(b->lease, f), ERANGE, "frame above the cap");
	free(f);
}

/* Nobody writes, so that no commit is the first to notice. */
static void hold_one_frame(struct bench *b)
{
	bench_emit(b);
	scene_play_stop(&b->player);
	b->player.frame = NULL;
}

static void nothing(struct bench *b)
{
	(void)b;
}

static void self_test_fails(struct bench *b)
{
	struct holdfast_self_test t;

	set(b, "selftest_fail", "1");
	bench_errno(b, scene_self_test(b->keeper.fd, &t), 0, "self-test");
	bench_check(b, t.failed == HOLDFAST_TEST_HARDWARE, "failed parts %#x", t.failed);
}
INJECT(self_test_well, "selftest_fail", "0")

static void wait_sensors(struct bench *b)
{
	bench_errno(b, scene_wait_sensors(b->keeper.fd, 3000), 0, "sensors");
}

static void silence_sticks(struct bench *b)
{
	set(b, "silence_stuck", "1");
	bench_errno(b, scene_silence(b->keeper.fd, 0), 0, "silence");
}
INJECT(silence_well, "silence_stuck", "0")

static void removed(struct bench *b, const struct trip_case *c);
static void held_to_the_limit(struct bench *b, const struct trip_case *c);
static void derated(struct bench *b, const struct trip_case *c);
static void nobody_answers(struct bench *b, const struct trip_case *c);
static void link_returns(struct bench *b, const struct trip_case *c);

#define NO_LIMIT	HOLDFAST_LIM_NONE
#define NOWHERE		HOLDFAST_NOWHERE

static const struct trip_case cases[] = {
	{ "operator", HOLDFAST_CAUSE_OPERATOR, .limit = NO_LIMIT, .where = NOWHERE,
	  .inject = operator_stops, .clear = nothing },
	{ "keeper deadline", HOLDFAST_CAUSE_KEEPER_DEADLINE, .limit = HOLDFAST_LIM_KEEPER_DEADLINE,
	  .where = NOWHERE, .lo = 1000, .hi = 1600, .inject = keeper_mute, .clear = keeper_beats,
	  .stands = true, .standing_limit = HOLDFAST_LIM_KEEPER_DEADLINE, .within_ms = 2500 },
	{ "sensor thread blocked", HOLDFAST_CAUSE_SENSOR_THREAD, .limit = NO_LIMIT,
	  .where = NOWHERE, .lo = 1250, .hi = 2000, .inject = link_slow, .clear = link_ok,
	  .stands = true, .standing_limit = HOLDFAST_LIM_SENSOR_STALE, .within_ms = 3000 },
	{ "temperature critical", HOLDFAST_CAUSE_TEMP_CRIT, .limit = HOLDFAST_LIM_TEMP_CRIT,
	  .where = TEMP0, .lo = 61000, .hi = 63000, .inject = temp0_crit, .clear = temp0_none,
	  .stands = true, .standing_limit = HOLDFAST_LIM_TEMP_CRIT },
	{ "temperature emergency", HOLDFAST_CAUSE_TEMP_EMERG, HOLDFAST_SEV_EMERGENCY,
	  .limit = HOLDFAST_LIM_TEMP_EMERG, .where = TEMP0, .lo = 71000, .hi = 73000,
	  .inject = temp0_emerg, .clear = temp0_none, .stands = true,
	  .standing_limit = HOLDFAST_LIM_TEMP_EMERG },
	{ "temperature rises too fast", HOLDFAST_CAUSE_TEMP_RATE, .limit = HOLDFAST_LIM_TEMP_RATE,
	  .where = TEMP0, .lo = 5001, .hi = 9000, .inject = temp0_rises, .clear = temp0_none,
	  .stands = true, .standing_limit = HOLDFAST_LIM_TEMP_RATE, .within_ms = 3500 },
	{ "supply too low", HOLDFAST_CAUSE_SUPPLY_UNDER, .limit = HOLDFAST_LIM_SUPPLY_MIN,
	  .where = SUPPLY, .lo = 19000, .hi = 20500, .inject = supply_sags, .clear = supply_well,
	  .stands = true, .standing_limit = HOLDFAST_LIM_SUPPLY_MIN },
	{ "supply too high", HOLDFAST_CAUSE_SUPPLY_OVER, .limit = HOLDFAST_LIM_SUPPLY_MAX,
	  .where = SUPPLY, .lo = 27500, .hi = 28500, .inject = supply_rises, .clear = supply_well,
	  .stands = true, .standing_limit = HOLDFAST_LIM_SUPPLY_MAX },
	{ "current too high for too long", HOLDFAST_CAUSE_CURRENT_OVER,
	  .limit = HOLDFAST_LIM_CURRENT, .where = CURRENT, .lo = 4300, .hi = 4700,
	  .inject = current_high, .clear = current_none, .stands = true,
	  .standing_limit = HOLDFAST_LIM_CURRENT },
	{ "fan fails", HOLDFAST_CAUSE_FAN_FAILED, .limit = HOLDFAST_LIM_FAN_MIN, .where = FAN,
	  .lo = 0, .hi = 999, .inject = fan_fails, .clear = fan_well, .stands = true,
	  .standing_limit = HOLDFAST_LIM_FAN_MIN, .within_ms = 4000 },
	{ "sensor lost", HOLDFAST_CAUSE_SENSOR_LOST, .limit = NO_LIMIT, .where = FAN,
	  .inject = fan_lost, .clear = fan_none, .stands = true, .standing_limit = NO_LIMIT },
	{ "sensor stale", HOLDFAST_CAUSE_SENSOR_STALE, .limit = HOLDFAST_LIM_SENSOR_STALE,
	  .where = SUPPLY, .lo = 600, .hi = 1000, .attrs = { "limit=sensor_stale 600" },
	  .inject = supply_stale, .clear = supply_none, .stands = true,
	  .standing_limit = HOLDFAST_LIM_SENSOR_STALE, .within_ms = 2000 },
	{ "sensor stuck", HOLDFAST_CAUSE_SENSOR_STUCK, .limit = NO_LIMIT, .where = CURRENT,
	  .lo = 0, .hi = 4000, .inject = current_stuck, .clear = current_none, .stands = true,
	  .standing_limit = NO_LIMIT, .within_ms = 3000 },
	{ "sensor reads nonsense", HOLDFAST_CAUSE_SENSOR_IMPLAUSIBLE, .limit = NO_LIMIT,
	  .where = TEMP1, .lo = INT64_MIN, .hi = INT64_MIN, .inject = temp1_nan,
	  .clear = temp1_none, .stands = true, .standing_limit = NO_LIMIT },
	{ "sensor jumps", HOLDFAST_CAUSE_SENSOR_IMPLAUSIBLE, .limit = NO_LIMIT, .where = TEMP0,
	  .lo = 44000, .hi = 46000, .attrs = { "temp_max_step_mc=10000" }, .inject = temp0_jumps,
	  .clear = temp0_none },
	{ "burst of refused frames", HOLDFAST_CAUSE_REJECT_BURST, .limit = HOLDFAST_LIM_AMP_CAP,
	  .where = 0, .lo = 65535, .hi = 65535, .attrs = { "limit=amp_cap 40000" },
	  .inject = rejects, .clear = nothing },
	{ "held to the limit of average power", .limit = HOLDFAST_LIM_POWER_AVG,
	  .attrs = { "p_drive_uw=0", "amp_levels=4096", "tau_power_ms=1000", "limit=hold 300",
		     "limit=power_avg 500000" }, .run = held_to_the_limit },
	{ "held to the limit of a channel's heat", .limit = HOLDFAST_LIM_CHAN_RISE,
	  .attrs = { "p_drive_uw=0", "amp_levels=4096", "tau_chan_ms=1000", "limit=hold 300",
		     "limit=chan_rise 2000" }, .run = held_to_the_limit },
	{ "held to the limit of the array's heat", .limit = HOLDFAST_LIM_ARRAY_RISE,
	  .attrs = { "p_drive_uw=0", "amp_levels=4096", "tau_array_ms=1000", "limit=hold 300",
		     "limit=array_rise 200" }, .run = held_to_the_limit },
	{ "held to the limit of the dose", .limit = HOLDFAST_LIM_DOSE,
	  .attrs = { "amp_levels=4096", "limit=hold 300" }, .run = held_to_the_limit },
	{ "link lost", HOLDFAST_CAUSE_LINK_LOST, .limit = NO_LIMIT, .where = NOWHERE,
	  .attrs = { "limit=hold 5000", "readback=0", "deadman_ms=300" }, .begin = hold_one_frame,
	  .deadman_ms = 300,
	  .inject = link_lost, .clear = link_ok, .stands = true, .standing_limit = NO_LIMIT },
	{ "link lost, and no read-back that answers", .attrs = { "limit=hold 5000" },
	  .run = nobody_answers },
	{ "link lost and back, nothing but silence to stop it",
	  .attrs = { "limit=hold 5000", "readback=0", "power_cut=0", "sensor_period_ms=200" },
	  .run = link_returns },
	{ "link fault", HOLDFAST_CAUSE_LINK_FAULT, .limit = NO_LIMIT, .where = NOWHERE,
	  .inject = link_error, .clear = link_ok, .stands = true, .standing_limit = NO_LIMIT },
	{ "silence does not take", HOLDFAST_CAUSE_SILENCE_UNCONFIRMED, HOLDFAST_SEV_EMERGENCY,
	  .limit = NO_LIMIT, .where = NOWHERE, .inject = silence_sticks,
	  .clear = silence_well, .from_silent = true },
	{ "self-test fails", HOLDFAST_CAUSE_SELF_TEST, HOLDFAST_SEV_EMERGENCY, .limit = NO_LIMIT,
	  .where = NOWHERE, .begin = wait_sensors, .inject = self_test_fails,
	  .clear = self_test_well, .from_silent = true },
	{ "hardware's own dead-man", HOLDFAST_CAUSE_HW_DEADMAN, .limit = NO_LIMIT,
	  .where = NOWHERE, .attrs = { "deadman_ms=300" }, .inject = beats_lost,
	  .clear = beats_well },
	{ "hardware removed", HOLDFAST_CAUSE_HW_REMOVED, .run = removed },
	{ "derating between warning and critical", HOLDFAST_CAUSE_NONE, .run = derated },
};

/* ---- what every trip must be ---- */

static unsigned int slack_ms;	/* timer noise of this machine */

/* Measured and bound must be on the wrong sides of each other. */
static void check_bound(struct bench *b, const struct holdfast_reason *r)
{
	bool broken;

	switch (r->limit) {
	case HOLDFAST_LIM_SUPPLY_MIN:
	case HOLDFAST_LIM_FAN_MIN:
		broken = r->measured < r->bound;
		break;
	case HOLDFAST_LIM_DOSE:
		broken = r->measured >= r->bound;
		break;
	default:
		broken = r->measured > r->bound;
		break;
	}
	bench_check(b, broken, "reason: %s measured %lld, bound %lld", scene_limit_name(r->limit),
		    r->measured, r->bound);
}

static void check_record(struct bench *b, const struct trip_case *c, const struct holdfast_trip *t)
{
	const struct holdfast_reason *r = &t->reason;

	bench_check(b, t->cause == c->cause, "cause %s", scene_cause_name(t->cause));
	bench_check(b, t->severity == (c->severity ?: HOLDFAST_SEV_CRITICAL), "severity %u",
		    t->severity);
	bench_check(b, r->limit == c->limit, "reason: limit %s", scene_limit_name(r->limit));
	if (c->where != ANYWHERE)
		bench_check(b, r->where == c->where, "reason: where %u", r->where);
	if (c->lo || c->hi)
		bench_check(b, r->measured >= c->lo && r->measured <= c->hi,
			    "reason: measured %lld, expected %lld..%lld", r->measured, c->lo, c->hi);
	if (r->limit < HOLDFAST_LIM_COUNT)
		check_bound(b, r);
	bench_check(b, t->state_before == (c->from_silent ? HOLDFAST_STATE_SILENT :
							     HOLDFAST_STATE_EMITTING),
		    "state before %u", t->state_before);
	bench_check(b, t->onset_ns <= t->detect_ns && t->detect_ns <= t->silence_ns,
		    "times: onset %llu detect %llu silence %llu", t->onset_ns, t->detect_ns,
		    t->silence_ns);
	bench_check(b, t->detect_ns - t->onset_ns <= SEEN_TICKS * SCENE_TICK_NS + slack_ms * SCENE_MS,
		    "seen %.1f ticks after its onset",
		    (double)(t->detect_ns - t->onset_ns) / SCENE_TICK_NS);
	bench_check(b, t->event_seq && t->count == 1 && t->epoch == b->keeper.epoch,
		    "event %llu, count %u, epoch %llu", t->event_seq, t->count, t->epoch);
	if (c->from_silent)
		return;
	bench_check(b, t->pid == getpid() && !t->uid && !strncmp(t->comm, "trips", 5),
		    "blamed: pid %d uid %u %.16s", t->pid, t->uid, t->comm);
	if (c->cause != HOLDFAST_CAUSE_OPERATOR)
		bench_check(b, t->lease == b->lease_id, "blamed: lease %llu", t->lease);
}

static bool ledger_has(const struct bench *b, __u32 kind)
{
	const struct holdfast_ledger_record *r;
	struct ledger l;
	bool found = false;

	ledger_open(&l, &b->sim);
	while (ledger_next(&l, &r, 0) == 1)
		found = found || r->kind == kind;
	ledger_close(&l);
	return found;
}

/* Dark within the hardware's own bound of the command, and never lit again. */
static void check_dark(struct bench *b, const struct trip_case *c, const struct holdfast_trip *t)
{
	__u64 bound = b->sim.info.silence_bound_ns +
		      (slack_ms + (b->bus ? c->deadman_ms : 0)) * SCENE_MS;
	__u64 dark = emissions_dark_after(&b->es, &b->ledger, t->detect_ns, 2000);

	if (!bench_check(b, dark, "still emitting, 2 s after the trip"))
		return;
	bench_check(b, dark <= t->silence_ns + bound, "dark %lld us after the command, bound %llu us",
		    (long long)(dark - t->silence_ns) / 1000, bound / 1000);
	if (!c->from_silent && c->cause != HOLDFAST_CAUSE_HW_DEADMAN)
		bench_check(b, dark >= t->onset_ns, "dark before its cause");
	bench_check(b, !emissions_within(&b->es, t->silence_ns + bound, UINT64_MAX),
		    "emission after the trip");
	bench_check(b, !scene_emitting(&b->sim), "the simulator says: emitting");
	if (c->severity == HOLDFAST_SEV_EMERGENCY)
		bench_check(b, ledger_has(b, HOLDFAST_LEDGER_POWER), "power was not cut");
	if (!c->from_silent)
		printf("# onset to trip %.1f ticks, command to dark %lld us\n",
		       (double)(t->detect_ns - t->onset_ns) / SCENE_TICK_NS,
		       (long long)(dark - t->silence_ns) / 1000);
}

/* Nothing but a reset leads out of it. */
static void check_latched(struct bench *b)
{
	struct holdfast_frame *f = scene_frame_new(b->sim.info.channels, 0);
	struct pollfd pfd = { .fd = b->keeper.fd, .events = POLLPRI };

	scene_frame_flat(f, BENCH_AMP);
	bench_errno(b, scene_write(b->lease, f), ESHUTDOWN, "frame while tripped");
	bench_errno(b, scene_arm(b->keeper.fd, b->keeper.epoch, NULL), EBUSY, "arm while tripped");
	bench_errno(b, scene_silence(b->keeper.fd, 0), 0, "silence while tripped");
	bench_check(b, scene_state(b->keeper.fd) == HOLDFAST_STATE_TRIPPED, "silence unlatched it");
	bench_check(b, poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLPRI), "no POLLPRI");
	free(f);
}

/* EAGAIN, if it could be asked before the dwell was over. */
static void check_dwell(struct bench *b, const struct holdfast_trip *t)
{
	struct holdfast_reason why;
	int ret = scene_reset(b->keeper.fd, b->keeper.epoch, &why);

	if (scene_now_ns() >= t->detect_ns + DWELL_MS * SCENE_MS) {
		printf("# too slow to ask for a reset within the dwell\n");
		return;
	}
	bench_errno(b, ret, EAGAIN, "reset within the dwell");
	bench_check(b, why.limit == HOLDFAST_LIM_TRIP_DWELL && why.bound == DWELL_MS &&
		    why.measured < why.bound, "its reason: %s %lld, bound %lld",
		    scene_limit_name(why.limit), why.measured, why.bound);
}

static void wait_dwell(const struct holdfast_trip *t)
{
	__u64 over = t->detect_ns + (DWELL_MS + 5) * SCENE_MS;

	while (scene_now_ns() < over)
		scene_sleep_ms(5);
}

static void check_standing(struct bench *b, const struct trip_case *c)
{
	struct holdfast_self_test test;
	struct holdfast_reason why;

	bench_errno(b, scene_reset(b->keeper.fd, b->keeper.epoch, &why), ERANGE,
		    "reset while the cause stands");
	bench_check(b, why.limit == c->standing_limit, "its reason: %s",
		    scene_limit_name(why.limit));
	if (why.limit < HOLDFAST_LIM_COUNT)
		check_bound(b, &why);
	if (c->severity != HOLDFAST_SEV_EMERGENCY)
		return;
	bench_errno(b, scene_self_test(b->keeper.fd, &test), 0, "self-test");
	bench_check(b, test.failed & HOLDFAST_TEST_SENSORS, "self-test passes while it stands");
}

/* What was wrong may take a while to be believed gone. */
static int reset_when_gone(struct bench *b)
{
	__u64 end = scene_now_ns() + 6000 * SCENE_MS;
	int ret;

	do {
		ret = scene_reset(b->keeper.fd, b->keeper.epoch, NULL);
		if (ret != -ERANGE)
			break;
		scene_sleep_ms(20);
	} while (scene_now_ns() < end);
	return ret;
}

static void check_reset(struct bench *b, const struct trip_case *c)
{
	struct holdfast_self_test test;

	if (c->severity == HOLDFAST_SEV_EMERGENCY) {
		bench_errno(b, reset_when_gone(b), EKEYREJECTED,
			    "reset after an emergency, before a self-test");
		bench_errno(b, scene_self_test(b->keeper.fd, &test), 0, "self-test");
		bench_check(b, !test.failed, "self-test fails: %#x", test.failed);
	}
	bench_errno(b, reset_when_gone(b), 0, "reset when the cause is gone");
	bench_check(b, scene_state(b->keeper.fd) == HOLDFAST_STATE_SILENT, "not silent after reset");
	bench_errno(b, scene_reset(b->keeper.fd, b->keeper.epoch, NULL), EBUSY, "a second reset");
}

/* Silent and not armed; then it can be used as before. */
static void check_usable(struct bench *b)
{
	struct holdfast_frame *f = scene_frame_new(b->sim.info.channels, 0);
	size_t before;

	emissions_read(&b->es, &b->ledger);
	before = b->es.count;
	scene_frame_flat(f, QUIET_AMP);
	bench_errno(b, scene_write(b->lease, f), ENOTCONN, "frame after the reset, not armed");
	scene_keeper_arm(&b->keeper);
	bench_errno(b, scene_write(b->lease, f), 0, "frame after arming anew");
	emissions_read(&b->es, &b->ledger);
	bench_check(b, b->es.count > before, "armed anew, but nothing is emitted");
	free(f);
}

static void run_trip(struct bench *b, const struct trip_case *c)
{
	struct holdfast_trip t;

	if (c->begin)
		c->begin(b);
	else
		bench_emit(b);
	c->inject(b);
	if (scene_wait_state(b->keeper.fd, HOLDFAST_STATE_TRIPPED, c->within_ms ?: 1500)) {
		bench_check(b, false, "no trip");
		return;
	}
	bench_errno(b, scene_trip(b->keeper.fd, &t), 0, "trip record");
	check_dwell(b, &t);
	check_record(b, c, &t);
	check_dark(b, c, &t);
	check_latched(b);
	if (b->player.frame) {
		scene_play_stop(&b->player);
		b->player.frame = NULL;
	}
	wait_dwell(&t);
	if (c->stands)
		check_standing(b, c);
	c->clear(b);
	check_reset(b, c);
	check_usable(b);
}

/* ---- tests that are no trips, or end differently ---- */

/* Unplugged in order while emitting; plugged in again it is silent. */
static void removed(struct bench *b, const struct trip_case *c)
{
	struct holdfast_frame *f = scene_frame_new(b->sim.info.channels, 0);
	struct pollfd pfd = { .fd = b->keeper.fd, .events = POLLIN };
	const struct holdfast_status *page;
	struct scene_keeper anew;
	struct holdfast_trip t;
	__u64 begin, dark;

	scene_frame_flat(f, BENCH_AMP);
	page = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, b->keeper.fd, 0);
	if (page == MAP_FAILED)
		scene_die("mmap: %s", strerror(errno));
	bench_emit(b);
	begin = scene_now_ns();
	bench_errno(b, scene_live(&b->sim, false), 0, "live = 0");
	dark = emissions_dark_after(&b->es, &b->ledger, begin, 0);
	bench_check(b, dark, "emitting after the hardware was removed");
	bench_check(b, !emissions_within(&b->es, scene_now_ns(), UINT64_MAX), "emission afterwards");
	printf("# removal to dark %lld us\n", (long long)(dark - begin) / 1000);
	bench_check(b, page->trip_cause == c->cause && page->state == HOLDFAST_STATE_TRIPPED,
		    "status page: cause %s, state %u", scene_cause_name(page->trip_cause),
		    page->state);
	bench_errno(b, scene_write(b->lease, f), ENODEV, "frame");
	bench_errno(b, scene_trip(b->keeper.fd, &t), ENODEV, "trip record");
	bench_errno(b, scene_arm(b->keeper.fd, b->keeper.epoch, NULL), ENODEV, "arm");
	bench_check(b, poll(&pfd, 1, 1000) == 1 && (pfd.revents & POLLHUP), "no POLLHUP");
	scene_play_stop(&b->player);
	b->player.frame = NULL;

	bench_errno(b, scene_live(&b->sim, true), 0, "live = 1");
	scene_keeper_start(&anew, &b->sim, 50);
	bench_check(b, scene_state(anew.fd) == HOLDFAST_STATE_SILENT, "not silent when back");
	scene_keeper_arm(&anew);
	emissions_read(&b->es, &b->ledger);
	bench_check(b, !b->es.on, "emitting when back");
	bench_errno(b, scene_write(b->lease, f), ENODEV, "frame of the old lease");
	scene_keeper_stop(&anew);
	munmap((void *)page, sysconf(_SC_PAGESIZE));
	free(f);
}

static struct holdfast_frame_result judged(struct bench *b, __u16 amp, __u32 flags)
{
	struct holdfast_frame *f = scene_frame_new(b->sim.info.channels, 0);
	struct holdfast_frame_result res;

	scene_frame_flat(f, amp);
	f->flags = flags;
	bench_errno(b, scene_submit(b->lease, f, &res), 0, "submit");
	free(f);
	return res;
}

static __s64 modelled(const struct holdfast_status *st, __u32 limit)
{
	switch (limit) {
	case HOLDFAST_LIM_POWER_AVG:
		return (__s64)st->power_avg_uw;
	case HOLDFAST_LIM_CHAN_RISE:
		return st->chan_rise_mk;
	case HOLDFAST_LIM_ARRAY_RISE:
		return st->array_rise_mk;
	default:
		return (__s64)st->fence_dose[0];
	}
}

/*
 * A frame that the governor itself attenuated until it was just admissible, held
 * to its end: it rests, and no model passes its limit, as the trips by models
 * are for what admission cannot foresee. Again from where the last one left.
 */
static void held_to_the_limit(struct bench *b, const struct trip_case *c)
{
	const struct holdfast_fence_point p = { 0, 0, 100000, 4000000000U };
	struct holdfast_frame_result res;
	struct holdfast_envelope env;
	struct holdfast_status st;
	__s64 top = 0;
	int i;

	if (c->limit == HOLDFAST_LIM_DOSE) {
		bench_errno(b, scene_fence_set(b->keeper.fd, &p, 1), 0, "fence");
		bench_errno(b, scene_site_set(b->keeper.fd, c->limit, 100000), 0, "dose limit");
	}
	bench_errno(b, scene_env_get(b->keeper.fd, HOLDFAST_ENV_EFFECTIVE, &env), 0, "envelope");
	for (i = 0; i < 5; i++) {
		scene_keeper_arm(&b->keeper);
		res = judged(b, 65535, HOLDFAST_FRAME_ATTENUATE);
		bench_check(b, res.verdict == HOLDFAST_VERDICT_ATTENUATE &&
			    res.reason.limit == c->limit, "not attenuated: verdict %u, error %u, %s",
			    res.verdict, res.error, scene_limit_name(res.reason.limit));
		do {
			scene_sleep_ms(5);
			scene_status(b->keeper.fd, &st);
		} while (st.state == HOLDFAST_STATE_EMITTING);
		bench_check(b, st.state == HOLDFAST_STATE_ARMED, "tripped: %s",
			    scene_cause_name(st.trip_cause));
		scene_silence(b->keeper.fd, 0);
		scene_sleep_ms(100);
		scene_status(b->keeper.fd, &st);
		if (modelled(&st, c->limit) > top)
			top = modelled(&st, c->limit);
	}
	bench_check(b, top > env.limit[c->limit] / 10 && top <= env.limit[c->limit],
		    "highest value of the model: %lld, limit %lld", top, env.limit[c->limit]);
	printf("# highest value of the model %lld, limit %lld\n", top, env.limit[c->limit]);
}

/* Full drive and no more than an eighth below it are two steps of the cap apart. */
static void derated(struct bench *b, const struct trip_case *c)
{
	struct holdfast_frame_result res;
	struct holdfast_status st;
	__u64 begin, dark;
	int i;

	(void)c;
	scene_keeper_arm(&b->keeper);
	res = judged(b, 65535, 0);
	bench_check(b, res.verdict == HOLDFAST_VERDICT_ADMIT, "full drive, cool: verdict %u",
		    res.verdict);
	begin = scene_now_ns();
	set(b, "fault_temp0", "set:55000");
	dark = emissions_dark_after(&b->es, &b->ledger, begin, 1500);
	bench_check(b, dark, "a frame above the derated cap is still held");
	bench_errno(b, scene_status(b->keeper.fd, &st), 0, "status");
	/* half way from warning to critical, to a quarter: 5/8, in steps of 1/16 */
	bench_check(b, st.state == HOLDFAST_STATE_ARMED && st.derated && !st.trips &&
		    st.cap_q16 >= 65535 * 9 / 16 - 1 && st.cap_q16 <= 65535 * 11 / 16,
		    "state %u, derated %u, trips %u, cap %u", st.state, st.derated, st.trips,
		    st.cap_q16);
	res = judged(b, 65535, 0);
	bench_check(b, res.error == ERANGE && res.reason.limit == HOLDFAST_LIM_AMP_CAP &&
		    res.reason.bound <= 65535 * 11 / 16, "full drive, derated: error %u, %s %lld",
		    res.error, scene_limit_name(res.reason.limit), res.reason.bound);
	res = judged(b, 65535, HOLDFAST_FRAME_ATTENUATE);
	bench_check(b, res.verdict == HOLDFAST_VERDICT_ATTENUATE && !res.error,
		    "full drive, to be attenuated: verdict %u, error %u", res.verdict, res.error);
	emissions_read(&b->es, &b->ledger);
	bench_check(b, b->es.on && b->es.e[b->es.count - 1].level[0] <= 255 * 11 / 16,
		    "attenuated frame: on %d, level %u", b->es.on,
		    b->es.count ? b->es.e[b->es.count - 1].level[0] : 0);
	set(b, "fault_temp0", "none");
	for (i = 0; i < 100 && (!scene_status(b->keeper.fd, &st) && st.derated); i++)
		scene_sleep_ms(20);
	res = judged(b, 65535, 0);
	bench_check(b, res.verdict == HOLDFAST_VERDICT_ADMIT, "full drive, cool again: error %u",
		    res.error);
}

/* Silence that cannot be read back over a lost link counts as not taken: power goes. */
static void nobody_answers(struct bench *b, const struct trip_case *c)
{
	struct holdfast_trip t;
	__u64 begin, dark;
	int i;

	(void)c;
	hold_one_frame(b);
	begin = scene_now_ns();
	link_lost(b);
	for (i = 0; i < 100; i++) {
		scene_sleep_ms(10);
		if (!scene_trip(b->keeper.fd, &t) && t.severity == HOLDFAST_SEV_EMERGENCY)
			break;
	}
	bench_check(b, t.cause == HOLDFAST_CAUSE_SILENCE_UNCONFIRMED && !t.confirmed,
		    "cause %s, confirmed %u", scene_cause_name(t.cause), t.confirmed);
	dark = emissions_dark_after(&b->es, &b->ledger, begin, 1000);
	bench_check(b, dark && dark <= t.silence_ns + slack_ms * SCENE_MS, "still emitting");
	bench_check(b, ledger_has(b, HOLDFAST_LEDGER_POWER), "power was not cut");
	printf("# link lost to dark %lld us\n", (long long)(dark - begin) / 1000);
	wait_dwell(&t);
	bench_errno(b, scene_reset(b->keeper.fd, b->keeper.epoch, NULL), ERANGE,
		    "reset while the link is lost");
	link_ok(b);
	bench_errno(b, reset_when_gone(b), EKEYREJECTED, "reset before a self-test");
}

/* Nothing stops such hardware while the link is lost; once it is back, silence comes again. */
static void link_returns(struct bench *b, const struct trip_case *c)
{
	__u64 begin, dark;

	(void)c;
	hold_one_frame(b);
	link_lost(b);
	bench_errno(b, scene_wait_state(b->keeper.fd, HOLDFAST_STATE_TRIPPED, 1000), 0, "trip");
	/* half way between two readings, each of which silences while the link is lost */
	scene_sleep_ms(300);
	bench_check(b, scene_emitting(&b->sim) == b->bus, "emitting with the link lost: %d",
		    scene_emitting(&b->sim));
	begin = scene_now_ns();
	link_ok(b);
	dark = emissions_dark_after(&b->es, &b->ledger, begin, 3000);
	bench_check(b, dark && dark <= begin + (1050 + slack_ms) * SCENE_MS,
		    "still emitting %lld ms after the link is back",
		    (long long)((dark ?: scene_now_ns()) - begin) / 1000000);
	printf("# link back to dark %lld us\n", (long long)(dark - begin) / 1000);
}

/* ---- all rows on both kinds, several at a time ---- */

#define CASES	(sizeof(cases) / sizeof(cases[0]))

struct job {
	const struct trip_case *c;
	bool bus;
	pid_t pid;
	FILE *out;
	int status;
	bool done;
};

__attribute__((noreturn)) static void job_run(const struct job *j)
{
	const char *attrs[16] = {
		"rows=4", "cols=4", "temp_max_step_mc=0", "limit=trip_dwell 400",
		"limit=keeper_deadline 1000", "limit=tick_late 1000",
		j->bus ? "kind=bus" : "kind=atomic",
	};
	unsigned int n = 7, i;
	struct bench b;
	char name[32];

	dup2(fileno(j->out), STDOUT_FILENO);
	for (i = 0; i < 6 && j->c->attrs[i]; i++)
		attrs[n++] = j->c->attrs[i];
	snprintf(name, sizeof(name), "trips-%d", getpid());
	alarm(60);
	bench_open(&b, name, attrs);
	(j->c->run ?: run_trip)(&b, j->c);
	bench_close(&b);
	fflush(stdout);
	_exit(b.failures != 0);
}

static void job_start(struct job *j)
{
	j->out = tmpfile();
	fflush(stdout);
	j->pid = fork();
	if (!j->out || j->pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (!j->pid)
		job_run(j);
}

static void job_wait(struct job *jobs, size_t n)
{
	int status;
	pid_t pid = waitpid(-1, &status, 0);
	size_t i;

	for (i = 0; i < n; i++) {
		if (jobs[i].pid != pid)
			continue;
		jobs[i].status = status;
		jobs[i].done = true;
	}
}

static void job_report(struct job *j)
{
	char line[512];

	tap_ok(j->status == 0, "%s, %s%s", j->c->name, j->bus ? "bus" : "atomic",
	       j->status ? WIFSIGNALED(j->status) ? " (killed)" : "" : "");
	rewind(j->out);
	while (fgets(line, sizeof(line), j->out))
		printf("%s%s", line[0] == '#' ? "" : "# ", line);
	fclose(j->out);
}

/* No cause is forgotten: each has a row, or a place elsewhere. */
static void coverage(void)
{
	bool ok = true;
	__u32 cause;
	size_t i;

	for (cause = 1; cause < HOLDFAST_CAUSE_COUNT; cause++) {
		bool here = false;

		for (i = 0; i < CASES; i++)
			here = here || cases[i].cause == cause;
		if (elsewhere(cause))
			tap_note("%s: %s", scene_cause_name(cause), elsewhere(cause));
		if (here != !elsewhere(cause)) {
			tap_note("%s has %s row", scene_cause_name(cause), here ? "a" : "no");
			ok = false;
		}
	}
	tap_ok(ok, "every cause is tried");
}

/* The whole machine stands still, from outside: the tick trips itself when it runs again. */
static int paused(void)
{
	const char *const attrs[] = {
		"rows=4", "cols=4", "limit=keeper_deadline 10000", "limit=hold 60000",
		"limit=tick_late 300", "sensor_period_ms=1000", "limit=sensor_stale 60000", NULL
	};
	struct holdfast_trip t;
	struct bench b;
	__u64 dark;

	bench_open(&b, "paused", attrs);
	bench_emit(&b);
	printf("# ready\n");
	fflush(stdout);
	bench_errno(&b, scene_wait_state(b.keeper.fd, HOLDFAST_STATE_TRIPPED, 20000), 0, "tripped");
	bench_errno(&b, scene_trip(b.keeper.fd, &t), 0, "trip record");
	bench_check(&b, t.cause == HOLDFAST_CAUSE_GOVERNOR_LATE &&
		    t.severity == HOLDFAST_SEV_CRITICAL &&
		    t.reason.limit == HOLDFAST_LIM_TICK_LATE && t.reason.bound == 300 &&
		    t.reason.measured > 300 && t.reason.measured < 10000,
		    "cause %s, %s %lld", scene_cause_name(t.cause),
		    scene_limit_name(t.reason.limit), t.reason.measured);
	dark = emissions_dark_after(&b.es, &b.ledger, t.onset_ns, 1000);
	bench_check(&b, dark && dark <= t.silence_ns + b.sim.info.silence_bound_ns, "not dark");
	check_latched(&b);
	tap_ok(!b.failures, "the machine stood still for %lld ms: governor late, silent at once",
	       t.reason.measured);
	bench_close(&b);
	return tap_done();
}

int main(int argc, char **argv)
{
	const char *kernel = getenv("VM_KERNEL") ?: "";
	struct job jobs[2 * CASES];
	size_t n = 0, started, reported = 0, i;

	slack_ms = strncmp(kernel, "uml", 3) ? 40 : 15;
	scene_load();
	if (argc > 1 && !strcmp(argv[1], "--paused"))
		return paused();
	coverage();
	for (i = 0; i < 2 * CASES; i++) {
		if (argc < 2 || strstr(cases[i / 2].name, argv[1]))
			jobs[n++] = (struct job){ .c = &cases[i / 2], .bus = i % 2 };
	}
	for (started = 0; started < n && started < PARALLEL; started++)
		job_start(&jobs[started]);
	while (reported < n) {
		job_wait(jobs, started);
		if (started < n)
			job_start(&jobs[started++]);
		while (reported < n && jobs[reported].done)
			job_report(&jobs[reported++]);
	}
	return tap_done();
}
