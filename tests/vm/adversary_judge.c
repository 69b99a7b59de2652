// SPDX-License-Identifier: GPL-2.0
/*
 * The judge: a process that reads the ledger while the others play, and then
 * holds every emission, over the whole time it was held, against the envelope
 * that was certainly in force: the nameplate, every tightening whose call had
 * returned before the emission ended, and the lease's own part. It computes with
 * wire values in double precision and asks the driver nothing.
 *
 * What it allows beyond the limits, and why:
 *  - pressure, power, amplitude: 1e-9, for the last bits of double precision;
 *  - deadlines (hold, expiry, keeper): two ticks, and the greatest lateness of a
 *    tick that was measured, because a governor can only act when it runs;
 *  - a bus: what its hardware says that it needs to fall silent, and the lateness
 *    of the machine's interrupts, by which it does;
 *  - the first moment of a frame: START_NS after its lease's end;
 *  - averages, dose, emission time: what adversary_past.c says, because the
 *    governor and the ledger stamp the same event at slightly different times.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "adversary_judge.h"

#define START_NS	SCENE_MS	/* from the look at the lease's clock to the output */
#define HEAT_NS		(300 * SCENE_MS)	/* sample clock, sensor thread, tick; generously */
#define HEAT_NOISE_MC	300

/* ------------------------------------------------------------------ findings */

void outside(struct judge *j, const char *what, const char *fmt, ...)
{
	struct verdict *v = &j->sh->verdict;
	char text[TEXT];
	va_list ap;

	if (!j->bad)
		v->outside++;
	j->bad = true;
	if (v->texts == TEXTS)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(v->text[v->texts++], TEXT, "%s: %.160s", what, text);
}

/* --------------------------------------------------------- whose frame it is */

/* Is this what the request becomes on the wire? Off is always allowed: masked channels are. */
static bool same_channel(const struct judge *j, __u32 i)
{
	const __u16 *phase = scene_phases((void *)(uintptr_t)j->frame);
	const __u16 *amp = phase + j->r->channels;
	__u16 level = physics_level(j->p, amp[i]);
	bool exact = !(j->frame->flags & HOLDFAST_FRAME_ATTENUATE);

	if (j->e->phase[i] != physics_phase_step(j->p, phase[i]))
		return false;
	return j->e->level[i] <= level && (!exact || !j->e->level[i] || j->e->level[i] == level);
}

static bool same_values(struct judge *j)
{
	__u32 i, n = 0, first = 0, last = 0;

	for (i = 0; i < j->r->channels; i++) {
		if (same_channel(j, i))
			continue;
		first = n++ ? first : i;
		last = i;
	}
	if (n)
		outside(j, "not as submitted",
			"emission %llu: %u channels from %u to %u differ; %u is at phase %u level %u",
			j->e->seq, n, first, last, first, j->e->phase[first], j->e->level[first]);
	return !n;
}

/* A frame may be answered with this and yet have been heard for a moment, on a bus. */
static bool overtaken(const struct judge *j)
{
	return j->r->bus && (j->entry->error == ENOTCONN || j->entry->error == ESHUTDOWN);
}

static void entry_take(struct judge *j, unsigned int who, struct entry *entry)
{
	j->entry = entry;
	j->frame = (const void *)(j->sh->tape[who].bytes + entry->at);
	j->lease = &j->sh->lease[entry->lease];
}

static bool is_computed(const struct judge *j, unsigned int who, const struct entry *entry)
{
	const struct holdfast_frame *f = (const void *)(j->sh->tape[who].bytes + entry->at);

	return entry->attack != ATTACK_MALFORMED && f->flags & HOLDFAST_FRAME_COMPUTE;
}

/* Every channel is what the foci of the frame make, by the judge's own reckoning. */
static bool made_by_foci(const struct judge *j)
{
	bool less = j->frame->flags & HOLDFAST_FRAME_ATTENUATE;
	__u32 i;

	for (i = 0; i < j->r->channels; i++)
		if (!physics_foci_made(j->p, j->frame, i, j->e->phase[i], j->e->level[i], less))
			return false;
	return true;
}

/*
 * A frame of foci alone has no tag: it is the one of those just submitted that
 * makes what is emitted, accepted ones first and each once. Emissions come in the
 * order of time, and so do the entries of each submitter: what is past stays so.
 */
static bool find_computed(struct judge *j, bool accepted)
{
	unsigned int who, i;

	for (who = 0; who < SUBMITTERS; who++) {
		struct tape *t = &j->sh->tape[who];

		while (j->past_entry[who] < t->entries &&
		       t->entry[j->past_entry[who]].after < j->e->begin_ns)
			j->past_entry[who]++;
		for (i = j->past_entry[who]; i < t->entries; i++) {
			struct entry *entry = &t->entry[i];

			if (entry->before > j->e->begin_ns)
				break;
			if (entry->emitted || !is_computed(j, who, entry) || accepted == !!entry->error)
				continue;
			entry_take(j, who, entry);
			if (!made_by_foci(j))
				continue;
			entry->emitted++;
			if (entry->error && !overtaken(j))
				outside(j, "refused",
					"emission %llu: its foci were refused with errno %u (%s)",
					j->e->seq, entry->error, scene_limit_name(entry->limit));
			return true;
		}
	}
	return false;
}

/* The entry that the tag names, or NULL. A chance tag names one of another time. */
static struct entry *find_tagged(struct judge *j, __u32 tag, bool now)
{
	unsigned int who = tag >> 24, index = tag & 0xffffff;
	struct entry *entry;

	if (who >= SUBMITTERS || index >= j->sh->tape[who].entries)
		return NULL;
	entry = &j->sh->tape[who].entry[index];
	if (is_computed(j, who, entry))
		return NULL;
	if (now && (j->e->begin_ns < entry->before || j->e->begin_ns > entry->after))
		return NULL;
	return entry;
}

static bool find_frame(struct judge *j)
{
	__u32 tag = tag_read(j->r, j->e->phase);
	struct entry *entry = find_tagged(j, tag, true);

	if (!entry && (find_computed(j, true) || find_computed(j, false)))
		return !j->bad;
	if (!entry)
		entry = find_tagged(j, tag, false);
	if (!entry) {
		outside(j, "not as submitted",
			"emission %llu: tag %x is nobody's, and no foci make it", j->e->seq, tag);
		return false;
	}
	entry->emitted++;
	entry_take(j, tag >> 24, entry);
	if (entry->attack == ATTACK_MALFORMED)
		outside(j, "malformed", "emission %llu: a malformed frame is emitted", j->e->seq);
	else if (entry->error && !overtaken(j))
		outside(j, "refused", "emission %llu: its frame was refused with errno %u (%s)",
			j->e->seq, entry->error, scene_limit_name(entry->limit));
	else if (entry->emitted > 1)
		outside(j, "twice", "emission %llu: frame %x for the %uth time", j->e->seq, tag,
			entry->emitted);
	else if (j->e->begin_ns < entry->before || j->e->begin_ns > entry->after)
		outside(j, "not when submitted", "emission %llu at %llu, call %llu to %llu",
			j->e->seq, j->e->begin_ns, entry->before, entry->after);
	else if (j->e->begin_ns < j->frame->present_ns)
		outside(j, "before its time", "emission %llu at %llu, its frame is of %llu", j->e->seq,
			j->e->begin_ns, j->frame->present_ns);
	return !j->bad && same_values(j);
}

/* --------------------------------------------------------- frame by itself */

/* Share of the cap that is left at a temperature; nameplate values of the plan. */
static double derating(const struct judge *j, __s64 mc)
{
	double warn = (double)j->r->limit[HOLDFAST_LIM_TEMP_WARN];
	double crit = (double)j->r->limit[HOLDFAST_LIM_TEMP_CRIT];
	double share = ((double)mc - warn) / (crit - warn);

	if (share <= 0)
		return 1;
	return 1 - (share < 1 ? share : 1) * (1 - DERATE_FLOOR_Q16 / 65536.0);
}

/* The weakest derating that must have been in force at some time in this emission. */
static double derate_of(const struct judge *j)
{
	const struct share *sh = j->sh;
	double cap = 1, k;
	unsigned int i;

	for (i = 0; i < sh->heats; i++) {
		__u64 until = i + 1 < sh->heats ? sh->heat[i + 1].before : UINT64_MAX;
		__u64 from = sh->heat[i].after + HEAT_NS + j->late_ns + j->off_ns;

		if (!sh->heat[i].after || j->e->end_ns <= from || j->e->begin_ns >= until)
			continue;
		k = derating(j, sh->heat[i].temp_mc - HEAT_NOISE_MC);
		cap = k < cap ? k : cap;
	}
	return cap;
}

static void judge_amplitude(struct judge *j)
{
	double cap = limit_now(j, HOLDFAST_LIM_AMP_CAP) / 65535;
	double duty = sin(M_PI * limit_now(j, HOLDFAST_LIM_DRIVE_DUTY) / 65536);
	double derate = derate_of(j), amp;
	__u32 i;

	for (i = 0; i < j->r->channels; i++) {
		if (!j->e->level[i])
			continue;
		amp = (double)j->e->level[i] / j->p->amp_levels;
		if (amp > cap * (1 + EPS))
			outside(j, "amp_cap", "channel %u at %.6f, cap %.6f", i, amp, cap);
		if (amp > duty * (1 + EPS))
			outside(j, "drive_duty", "channel %u at %.6f, duty allows %.6f", i, amp,
				duty);
		if (amp > cap * derate * (1 + EPS))
			outside(j, "derate", "channel %u at %.6f, derated cap %.6f", i, amp,
				cap * derate);
		if (!(j->at_end->mask[i / 64] >> (i % 64) & 1))
			outside(j, "mask", "channel %u at %.6f is masked", i, amp);
		if (j->bad)
			return;
	}
}

static void judge_power(struct judge *j)
{
	double power = physics_power_uw(j->p, j->e->level);
	double limit = limit_now(j, HOLDFAST_LIM_POWER_INST);

	if (power > limit * (1 + EPS))
		outside(j, "power_inst", "%.0f uW, limit %.0f", power, limit);
}

static void judge_fence_point(struct judge *j, const struct fence *f)
{
	double common = limit_now(j, HOLDFAST_LIM_FENCE_PRESSURE) * 1e-3, own = f->limit_mpa * 1e-3;
	double limit = own < common ? own : common;
	double pa = physics_pressure(j->p, j->sh->gain[f->place], j->e->phase, j->e->level);

	if (pa > limit * (1 + EPS))
		outside(j, "fence_pressure", "%.6f Pa at (%d, %d, %d) um, limit %.3f: by %.2g", pa,
			j->sh->place[f->place].x_um, j->sh->place[f->place].y_um,
			j->sh->place[f->place].z_um, limit, pa / limit - 1);
	if (limit > 0 && pa / limit > j->sh->verdict.max_ratio && !j->bad)
		j->sh->verdict.max_ratio = pa / limit;
	if (pa > 0.99 * limit)
		j->sh->verdict.edge++;
}

static void judge_fence(struct judge *j)
{
	__u32 i;

	for (i = 0; i < j->at_end->nfence && !j->bad; i++)
		judge_fence_point(j, &j->at_end->fence[i]);
	for (i = 0; i < j->lease->nfence && !j->bad; i++)
		judge_fence_point(j, &j->lease->fence[i]);
}

static void judge_foci(struct judge *j)
{
	const struct holdfast_focus *f = scene_foci((void *)(uintptr_t)j->frame);
	double limit = limit_now(j, HOLDFAST_LIM_FOCAL_PRESSURE) * 1e-3, pa;
	unsigned int i, axis;

	if (!(j->frame->flags & HOLDFAST_FRAME_COMPUTE) && !(j->lease->rights & HOLDFAST_RIGHT_RAW))
		outside(j, "rights", "a lease without RAW emits phases of its own");
	for (i = 0; i < j->frame->foci && !j->bad; i++) {
		const __s32 at[3] = { f[i].x_um, f[i].y_um, f[i].z_um };

		for (axis = 0; axis < 3; axis++)
			if (at[axis] < limit_now(j, HOLDFAST_LIM_BOX_MIN_X + axis) ||
			    at[axis] > limit_now(j, HOLDFAST_LIM_BOX_MAX_X + axis))
				outside(j, "box", "focus %u at %d um of axis %u, box %.0f to %.0f",
					i, at[axis], axis,
					limit_now(j, HOLDFAST_LIM_BOX_MIN_X + axis),
					limit_now(j, HOLDFAST_LIM_BOX_MAX_X + axis));
		if (limit >= 4e6)
			continue;
		pa = physics_pressure_at(j->p, at[0], at[1], at[2], j->e->phase, j->e->level);
		if (pa > limit * (1 + EPS))
			outside(j, "focal_pressure", "%.6f Pa at focus %u, limit %.3f", pa, i,
				limit);
	}
}

/* ----------------------------------------------------------- change and time */

static void judge_change(struct judge *j)
{
	double turns = limit_of(j, j->at_begin, HOLDFAST_LIM_SLEW_PHASE) / 65536;
	double rise = limit_of(j, j->at_begin, HOLDFAST_LIM_SLEW_AMP) / 65535;
	double interval = limit_of(j, j->at_begin, HOLDFAST_LIM_FRAME_INTERVAL);
	bool lit;
	double dt;
	__u32 i;

	if (!j->prev)
		return;
	dt = (double)(j->e->begin_ns - j->prev->begin_ns);
	if (dt < interval)
		outside(j, "frame_interval", "%.0f ns after the frame before, allowed %.0f", dt,
			interval);
	lit = j->prev->end_ns == j->e->begin_ns && j->prev->end_kind == HOLDFAST_LEDGER_FRAME;
	turns *= dt * 1e-6;
	rise *= dt * 1e-6;
	/* amplitudes are whole steps of Q0.16 on both sides of a change */
	rise += 1.0 / 65535;
	for (i = 0; i < j->r->channels && !j->bad; i++) {
		double before = lit ? (double)j->prev->level[i] / j->p->amp_levels : 0;
		double amp = (double)j->e->level[i] / j->p->amp_levels, turned;

		if (!j->e->level[i])
			continue;
		if (amp > before + rise * (1 + EPS))
			outside(j, "slew_amp", "channel %u rises by %.6f in %.0f ns, allowed %.6f",
				i, amp - before, dt, rise);
		if (!lit || !j->prev->level[i])
			continue;
		turned = physics_phase_change(j->p, j->e->phase[i], j->prev->phase[i]);
		if (turned > turns * (1 + EPS))
			outside(j, "slew_phase",
				"channel %u turns by %.6f in %.0f ns, allowed %.6f", i, turned, dt,
				turns);
	}
}

__u64 ticks_after(const struct judge *j, __u64 ns)
{
	return ns + 2 * SCENE_TICK_NS + j->late_ns + j->off_ns;
}

static void judge_hold(struct judge *j)
{
	const struct site *s;

	for (s = j->site; s < j->site + j->sites && s->since < j->e->end_ns; s++) {
		__u64 hold = (__u64)limit_of(j, s, HOLDFAST_LIM_HOLD) * SCENE_MS;
		__u64 due = j->e->begin_ns + hold;

		if (due < s->since)
			due = s->since;
		if (j->e->end_ns > ticks_after(j, due))
			outside(j, "hold", "held for %llu us, allowed %llu",
				(j->e->end_ns - j->e->begin_ns) / 1000, hold / 1000);
	}
}

static void judge_lease(struct judge *j)
{
	const struct lease_log *l = j->lease;
	__u64 gone = j->sh->keeper_gone[l->keeper], expiry;

	if (l->revoke_after && j->e->end_ns > l->revoke_after + j->off_ns)
		outside(j, "revoke", "lease %llu emits %llu us after its revocation returned",
			l->id, (j->e->end_ns - l->revoke_after) / 1000);
	expiry = l->after + l->duration_ms * SCENE_MS;
	if (l->duration_ms && j->e->begin_ns > expiry + START_NS + j->off_ns)
		outside(j, "expiry", "lease %llu of %llu ms begins to emit %llu us after its end",
			l->id, l->duration_ms, (j->e->begin_ns - expiry) / 1000);
	if (l->duration_ms && j->e->end_ns > ticks_after(j, expiry))
		outside(j, "expiry", "lease %llu of %llu ms emits %llu us after its creation",
			l->id, l->duration_ms, (j->e->end_ns - l->after) / 1000);
	if (gone && j->e->end_ns > gone + j->off_ns)
		outside(j, "keeper gone", "lease %llu emits %llu us after its keeper was gone",
			l->id, (j->e->end_ns - gone) / 1000);
}

/* -------------------------------------------------------------------- quiet */

/* Until when there was silence for certain, that began to be due at q->before. */
static __u64 quiet_until(const struct judge *j, const struct quiet *q)
{
	__u64 until = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < j->sh->arms; i++) {
		const struct arm *a = &j->sh->arm[i];

		if (!a->before || a->before == UINT64_MAX)
			continue;
		/* one that returned before silence was asked for is over */
		if (a->after && a->after < q->before)
			continue;
		if (a->before < until)
			until = a->before;
	}
	return until;
}

static void judge_quiets(struct judge *j)
{
	unsigned int i;

	for (i = 0; i < j->sh->quiets; i++) {
		const struct quiet *q = &j->sh->quiet[i];
		const struct emission *e;
		__u64 until, from;

		if (!q->after)
			continue;
		until = quiet_until(j, q);
		from = q->ticks ? ticks_after(j, q->after) : q->after + j->off_ns;
		if (from >= until)
			continue;
		e = emissions_within(&j->es, from, until);
		j->bad = false;
		if (e)
			outside(j, q->why, "emission %llu is on for %llu us beyond it", e->seq,
				((e->end_ns < until ? e->end_ns : until) - from) / 1000);
	}
}

/* ---------------------------------------------------------------------- all */

static void judge_emission(struct judge *j, size_t i)
{
	const struct site *next;

	j->e = &j->es.e[i];
	j->prev = i ? &j->es.e[i - 1] : NULL;
	j->bad = false;
	j->at_begin = site_before(j, j->e->begin_ns);
	j->at_end = site_before(j, j->e->end_ns - j->off_ns);
	if (j->at_end < j->at_begin)
		j->at_end = j->at_begin;
	j->sh->verdict.emissions++;
	next = j->at_end + 1;
	j->sh->verdict.cut_by_tightening += j->e->end_kind == HOLDFAST_LEDGER_OFF &&
					    next < j->site + j->sites && next->asked < j->e->end_ns;
	if (!find_frame(j))
		return;
	judge_amplitude(j);
	judge_fence(j);
	judge_foci(j);
	judge_change(j);
	judge_hold(j);
	judge_lease(j);
	judge_power(j);
	judge_past(j);
}

/* Did the frame ask for sound from a channel that was never masked? */
static bool asks_for_sound(const struct judge *j, const struct tape *t, const struct entry *e)
{
	struct holdfast_frame *f = (void *)(t->bytes + e->at);
	bool computed = f->flags & HOLDFAST_FRAME_COMPUTE;
	const __u64 *mask = j->site[j->sites - 1].mask;
	double amp;
	__u32 i;

	for (i = 0; i < j->r->channels; i++) {
		amp = computed ? cabs(physics_drive(j->p, scene_foci(f), f->foci, i, NULL)) - 1 :
				 scene_amps(f)[i];
		if (amp > 0 && physics_level(j->p, (__u16)amp) && (mask[i / 64] >> (i % 64) & 1))
			return true;
	}
	return false;
}

/* The ledger and the driver's own counters tell the same story. */
static void judge_counts(struct judge *j)
{
	const struct holdfast_status *st = &j->sh->status;
	__u64 ok = 0, refused = 0, malformed = 0;
	unsigned int s, i;

	j->bad = false;
	for (s = 0; s < SUBMITTERS; s++) {
		const struct tape *t = &j->sh->tape[s];

		for (i = 0; i < t->entries; i++) {
			const struct entry *e = &t->entry[i];

			ok += !e->error;
			refused += e->error == ERANGE;
			malformed += e->error == EINVAL || e->error == EMSGSIZE;
			if (e->attack == ATTACK_MALFORMED && !e->error)
				outside(j, "malformed", "frame %u of submitter %u was accepted", i,
					s);
			else if (!e->error && !e->emitted && asks_for_sound(j, t, e))
				outside(j, "unheard",
					"frame %u of submitter %u was accepted and is not in the ledger",
					i, s);
		}
	}
	if (ok != st->frames_admitted + st->frames_attenuated)
		outside(j, "counters", "%llu frames accepted, the driver counts %llu", ok,
			(st->frames_admitted + st->frames_attenuated));
	if (refused != st->frames_rejected)
		outside(j, "counters", "%llu frames refused, the driver counts %llu", refused,
			st->frames_rejected);
	if (malformed != st->frames_malformed)
		outside(j, "counters", "%llu frames malformed, the driver counts %llu", malformed,
			st->frames_malformed);
	if (j->ledger.lost || j->ledger.disorder)
		outside(j, "ledger", "%llu records lost, %llu out of order", j->ledger.lost,
			j->ledger.disorder);
	if (j->es.on)
		outside(j, "end", "still on at the end of the round");
}

static void judge_all(struct judge *j)
{
	const struct share *sh = j->sh;
	size_t i;

	j->late_ns = sh->status.tick_late_max_ns;
	j->off_ns = !j->r->bus ? 0 :
		    sh->sim.info.silence_bound_ns + j->late_ns + j->r->noise_ns;
	sites_make(j);
	for (i = 0; i < j->es.count; i++)
		judge_emission(j, i);
	judge_quiets(j);
	judge_counts(j);
}

void judge_run(struct share *sh, int ready)
{
	static struct judge j;
	const struct holdfast_ledger_record *rec;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	j.sh = sh;
	j.r = &sh->round;
	j.p = &sh->physics;
	ledger_open(&j.ledger, &sh->sim);
	if (write(ready, "r", 1) != 1)
		scene_die("judge: nobody waits");
	while (!__atomic_load_n(&sh->closing, __ATOMIC_ACQUIRE)) {
		if (ledger_next(&j.ledger, &rec, 20) == 1)
			emissions_take(&j.es, rec);
		emissions_read(&j.es, &j.ledger);
		__atomic_store_n(&sh->backlog, 0, __ATOMIC_RELEASE);
	}
	emissions_read(&j.es, &j.ledger);
	judge_all(&j);
	_exit(0);
}
