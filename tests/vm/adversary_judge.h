/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the judge share: the emission at hand, and the envelope of
 * that moment. Nobody but the judge may include it.
 */
#ifndef ADVERSARY_JUDGE_H
#define ADVERSARY_JUDGE_H

#include "adversary.h"

#define EPS		1e-9

/* The site's part of the envelope after the first n tightenings. */
struct site {
	__u64 asked, since;	/* time before and after the call */
	__s64 limit[HOLDFAST_LIM_COUNT];
	__u64 mask[HOLDFAST_MAX_CHANNELS / 64];
	__u32 nfence;
	struct fence fence[HOLDFAST_MAX_FENCE];
};

/* What has been emitted up to @now_ns, by the models of docs/models.md. */
struct past {
	__u64 now_ns;
	double power_avg, array_rise;
	double chan_rise[HOLDFAST_MAX_CHANNELS];
	double dose[PLACES];		/* Pa^2 s since the place became a fence point */
	__u64 watched_ns[PLACES];	/* since then; 0: it is none */
	__u64 run_ns;			/* emission in the present run */
	__u64 off_ns;			/* end of the last emission */
};

struct judge {
	struct share *sh;
	const struct round *r;
	const struct physics *p;
	struct ledger ledger;
	struct emissions es;
	struct site *site;	/* [sites], by time */
	unsigned int sites;
	__u64 late_ns;		/* greatest lateness of a tick */
	__u64 off_ns;		/* what the hardware may need to fall silent */
	struct past past;	/* up to the end of the emission before */
	unsigned int past_entry[SUBMITTERS];	/* entries of each answered before the emission */
	/* the emission at hand */
	const struct emission *e;
	const struct emission *prev;	/* the one before, or NULL */
	const struct entry *entry;
	const struct holdfast_frame *frame;
	const struct lease_log *lease;
	const struct site *at_begin, *at_end;
	bool bad;
};

/* One finding: @what, and how it is known. An emission counts once. */
void outside(struct judge *j, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A time by which the governor, which only runs at its ticks, must have acted. */
__u64 ticks_after(const struct judge *j, __u64 ns);

/* adversary_envelope.c */
void sites_make(struct judge *j);
/* The last state that was in force before @ns for certain. */
const struct site *site_before(const struct judge *j, __u64 ns);
/* The tighter of the site's and the lease's. */
double limit_of(const struct judge *j, const struct site *s, enum holdfast_limit l);
/* The same at the end of the emission. */
double limit_now(const struct judge *j, enum holdfast_limit l);

/* adversary_past.c: judges what adds up over time, and adds the emission at hand */
void judge_past(struct judge *j);

#endif /* ADVERSARY_JUDGE_H */
