/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the adversary share: one round as it was planned, and the
 * memory in which every process writes down what it did and when, for the judge
 * to hold against the ledger. No part may read it to learn what the driver
 * decided, except for statistics.
 *
 *  adversary.c		rounds: plan, start and stop the others, add up, TAP
 *  adversary_plan.c	themes: which array, which limits, which attacks
 *  adversary_frames.c	how an attacking frame is made
 *  adversary_submit.c	processes that attack
 *  adversary_hands.c	processes that change what is allowed: keeper, meddler
 *  adversary_judge.c	the judge: emissions against all that was written down
 *  adversary_envelope.c	his: the envelope of a moment
 *  adversary_past.c	his: what adds up over time
 */
#ifndef ADVERSARY_H
#define ADVERSARY_H

#include "ledger.h"

#define SUBMITTERS	4
#define PLACES		48	/* points in space that a round knows; gains computed once */
#define MAX_TIGHT	512
#define MAX_LEASES	8192
#define MAX_QUIET	4096
#define MAX_ARMS	4096
#define MAX_KEEPERS	128
#define MAX_HEAT	256
#define LEASE_FENCE	3
#define ENTRIES		32768	/* submissions of one submitter in a round */
#define TAG_CHANNELS	8	/* at the array's end, never on: their phases name the frame */
#define TAG_STEPS	16
#define BATCH		48	/* frames in one call, at most */
#define DERATE_FLOOR_Q16 16384	/* of the amplitude cap at TEMP_CRIT */
#define TEXT		200
#define TEXTS		8

enum theme {
	THEME_FIELD,	/* fence points */
	THEME_AMP,	/* amplitude cap, duty, mask */
	THEME_SLEW,
	THEME_POWER,	/* at once, average, heat */
	THEME_RATE,
	THEME_FOCI,	/* box, focal pressure */
	THEME_LEASE,	/* short leases */
	THEME_BURST,	/* a low REJECT_BURST */
	THEME_HEAT,	/* derating */
	THEME_TIME,	/* emission time, rest, dose */
	THEMES
};

enum attack {
	ATTACK_LOUD,		/* above the amplitude cap */
	ATTACK_SLEW_PHASE,
	ATTACK_SLEW_AMP,
	ATTACK_POWER,
	ATTACK_FOCUS,		/* on a fence point, as loud as it may just be */
	ATTACK_TWIN,		/* a null on a fence point: S says no, the field decides */
	ATTACK_EDGE,		/* tuned to lie above the limit by a millionth */
	ATTACK_FLAT,		/* all in phase */
	ATTACK_FOCI,		/* foci outside the box or too strong, declared or alone */
	ATTACK_MALFORMED,
	ATTACK_OFF,
	ATTACK_RANDOM,
	ATTACK_MASKED,		/* channels that may not be driven */
	ATTACK_NUDGE,		/* the frame before, but for a few channels */
	ATTACKS
};

extern const char *const theme_names[THEMES];
extern const char *const attack_names[ATTACKS];

/* A round as planned: known to all. */
struct round {
	__u64 seed;
	unsigned int number;
	enum theme theme;
	bool bus;
	__u32 rows, cols, channels;
	__u32 phase_levels, amp_levels, aperture_um;
	__u32 quota;		/* frames per submitter */
	__u64 tau_power_ms, tau_chan_ms, tau_array_ms;
	__u64 rth_chan, rth_array;	/* mK/W */
	__s64 limit[HOLDFAST_LIM_COUNT];	/* the nameplate's */
	unsigned int weight[ATTACKS];
	__u64 tightens;		/* bit per limit that the meddler may tighten */
	bool masks;		/* and the mask */
	bool fences;		/* and fence points */
	unsigned int lease_ms;	/* longest lease; 0: without end */
	unsigned int pace_us;	/* submitters rest that long after each call */
	__u64 noise_ns;		/* what this machine's interrupts may be late */
};

struct fence {
	__u32 place;		/* index */
	__u32 limit_mpa;
};

/* One successful tightening: in force from @after on, perhaps already from @before. */
struct tight {
	__u64 before, after;
	__u32 limit;		/* or HOLDFAST_LIM_NONE: mask or fence */
	__u32 nfence;
	__s64 value;
	__u64 mask[HOLDFAST_MAX_CHANNELS / 64];
	bool masked;
	struct fence fence[2];
};

struct lease_log {
	__u64 id;
	__u64 before, after;	/* of the creation; after 0: perhaps never made */
	__u64 duration_ms;
	__u64 revoke_before, revoke_after;	/* 0: never */
	__u64 set;
	__s64 limit[HOLDFAST_LIM_COUNT];
	__u32 rights;
	__u32 keeper;		/* generation */
	__u32 nfence;
	struct fence fence[LEASE_FENCE];
};

/* Silence is due: begun at @before, due from @after on, until somebody arms. */
struct quiet {
	__u64 before, after;
	const char *why;
	bool ticks;		/* only after the governor's next ticks */
};

struct arm {
	__u64 before, after;	/* after 0: unknown */
};

struct heat {
	__u64 before, after;
	__s64 temp_mc;
};

/* How a frame is submitted. */
enum way { WAY_CALL, WAY_URING, WAY_QUEUE, WAYS };

/* One frame as submitted. */
struct entry {
	__u64 before, after;
	__u64 at;		/* offset of its bytes on the tape */
	__u32 lease;		/* index in the log */
	__u32 attack;
	__u32 verdict;
	__u32 error;		/* positive errno */
	__u32 limit;		/* of the reason */
	__u32 emitted;		/* by the judge: times in the ledger */
	__u8 way;		/* enum way */
	bool done;		/* the driver has answered for it */
};

struct tape {
	struct entry entry[ENTRIES];
	unsigned int entries;
	size_t used;
	size_t room;
	unsigned char *bytes;	/* [room], shared */
};

/* What the judge found. */
struct verdict {
	unsigned int emissions, outside;
	unsigned int cut_by_tightening;	/* went off while an envelope was tightened */
	unsigned int edge;	/* within 1 % of the limit at a fence point */
	double max_ratio;	/* highest pressure / limit at a fence point */
	unsigned int texts;
	char text[TEXTS][TEXT];
};

struct share {
	struct round round;
	struct scene_array sim;
	struct physics physics;
	struct holdfast_fence_point place[PLACES];
	double complex (*gain)[HOLDFAST_MAX_CHANNELS];	/* [PLACES], shared */
	double reach[PLACES];	/* Pa there with all channels on and in phase */

	/* control; atomic */
	int stop;		/* submitters, keeper, meddler: end */
	int finished;		/* submitters that are done */
	int pause;		/* submitters: let the frame be held */
	int hung;		/* meddler: no silence now, the missing beat alone must end the emission */
	int closing;		/* the judge: what is in the ledger is all */
	__u64 backlog;		/* frames admitted since the judge had last read all */

	/* what the attackers may know */
	__s64 now[HOLDFAST_LIM_COUNT];
	__u64 mask[HOLDFAST_MAX_CHANNELS / 64];
	unsigned int nfence;
	struct fence fence[HOLDFAST_MAX_FENCE];

	/* written down; counts are atomic */
	unsigned int tights, leases, quiets, arms, keepers, heats;
	struct tight tight[MAX_TIGHT];
	struct lease_log lease[MAX_LEASES];
	struct quiet quiet[MAX_QUIET];
	struct arm arm[MAX_ARMS];
	__u64 keeper_gone[MAX_KEEPERS];	/* when its file was closed for certain; 0: lives */
	struct heat heat[MAX_HEAT];
	unsigned int causes[HOLDFAST_CAUSE_COUNT];	/* trips seen */
	__u64 trip_seen;	/* event of the last one */
	struct tape tape[SUBMITTERS];
	struct holdfast_status status;	/* at the end */
	struct verdict verdict;
};

void sleep_us(unsigned int us);
bool stopping(const struct share *sh);
bool limit_is_floor(unsigned int l);	/* of those that are tightened here */

/* A free place in a log, or the end of the test. */
unsigned int log_take(unsigned int *count, unsigned int room, const char *what);
#define LOG_TAKE(sh, field, room) (&(sh)->field[log_take(&(sh)->field##s, room, #field)])

/* Random numbers, one generator per process. */
struct rng { __u64 s; };
__u64 rng_next(struct rng *r);
__u32 rng_below(struct rng *r, __u32 n);
double rng_between(struct rng *r, double lo, double hi);
static inline bool rng_chance(struct rng *r, unsigned int percent)
{
	return rng_below(r, 100) < percent;
}

void round_plan(struct round *r, __u64 seed, unsigned int number, int theme, __u32 quota);
void round_make(struct share *sh, struct rng *r);	/* the array, places and gains */

/* A frame of kind @attack into @f (room for all foci). @own: the lease. */
struct aim {
	const struct share *sh;
	const struct lease_log *own;
	struct rng *rng;
	enum attack attack;
	__u32 tag;
	__u16 step[HOLDFAST_MAX_CHANNELS];
	__u16 level[HOLDFAST_MAX_CHANNELS];
};
void aim_frame(struct aim *a, struct holdfast_frame *f);
/* Makes a well-formed frame malformed; bytes to submit of it. */
size_t aim_spoil(struct aim *a, struct holdfast_frame *f);
__u16 tag_step(const struct round *r, __u32 tag, unsigned int i);
__u32 tag_read(const struct round *r, const __u16 *phase);

void submitter_run(struct share *sh, unsigned int self, int sock) __attribute__((noreturn));
void keeper_run(struct share *sh, unsigned int generation, const int *socks)
	__attribute__((noreturn));
void meddler_run(struct share *sh) __attribute__((noreturn));
void judge_run(struct share *sh, int ready) __attribute__((noreturn));

#endif /* ADVERSARY_H */
