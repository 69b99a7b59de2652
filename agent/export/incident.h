/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Incidents: one for each thing that is wrong, from when it was first seen until it is well again
 * or somebody has said that it is over. Pure: time and what is seen come from outside; whoever
 * keeps or tells them hears of each change.
 */
#ifndef HF_INCIDENT_H
#define HF_INCIDENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "corr.h"
#include "err.h"

#define INC_MOST	256	/* kept; those resolved longest ago go first, open ones never */
#define INC_PENDING	64	/* that have not lasted long enough yet */
#define INC_KEY		48
#define INC_TITLE	96
#define INC_TEXT	200	/* of one line of the timeline, and why it is wrong now */
#define INC_NOTE	512	/* bytes of an annotation */
#define INC_NOTES	24	/* of one incident */
#define INC_LINES	48	/* of its timeline: the first, and the newest others */
#define INC_EVIDENCE	(24 * 1024)
#define INC_REOPEN_NS	(600 * HF_S)	/* wrong again within that is the same incident */

enum inc_severity { INC_WARNING, INC_CRITICAL };
enum inc_state { INC_OPEN, INC_ACKNOWLEDGED, INC_RESOLVED };

/* What has changed. INC_DROPPED: it is not kept any more. */
enum inc_change {
	INC_OPENED, INC_AGAIN, INC_SEVERITY, INC_REOPENED, INC_RESOLVED_NOW, INC_TAKEN, INC_NOTED,
	INC_DROPPED,
};

/**
 * struct inc - one incident
 * @id:		from 1, never used again
 * @key:	what it is about: "trip/array0", "health/disk"; at most one with it is not resolved
 * @wrong:	it is known to be wrong still
 * @change:	number of changes that are told to the outside: an id and this number name one message to the outside
 * @rev:	place of its newest change among the changes of all, from 1; annotations included
 * @repeats:	further events while it was open
 * @event:	the last event, "" : it is about a state; the same event is no repeat
 * @tenants:	names of those whose arrays it is about; NULL: it is about no array
 * @timeline:	[{ t_ns, what, who, text, corr }], @notes: [{ t_ns, who, text, corr }]
 * @evidence:	what was known when it was opened; NULL: nothing
 * @latest:	the same of the last repeat, without what is long; NULL: none
 * @told:	{ who: the last @change that he was told }; NULL: nobody
 */
struct inc {
	uint64_t id;
	char key[INC_KEY], title[INC_TITLE], detail[INC_TEXT + 1], event[INC_KEY];
	enum inc_severity severity;
	enum inc_state state;
	bool wrong;
	uint64_t opened_ns, changed_ns, ended_ns;	/* CLOCK_REALTIME */
	uint64_t change, rev;
	uint32_t repeats, reopened;
	json_t *tenants, *timeline, *notes, *evidence, *latest, *told;
};

/* Of one that is INC_DROPPED only the id may be used after the call. */
typedef void (*inc_changed_fn)(void *arg, const struct inc *i, enum inc_change what);

struct inc_engine;

int inc_engine_new(struct inc_engine **out, const struct hf_clock *clock, inc_changed_fn fn,
		   void *arg);
void inc_engine_free(struct inc_engine *e);

/**
 * struct inc_seen - something is wrong
 * @title: @detail:	one line each; what is no plain text is not taken over
 * @event:	"": it is a state; else which event it is
 * @for_ns:	a state is told again and again: only what has lasted so long opens one
 * @evidence:	kept if it opens one and is not longer than INC_EVIDENCE; NULL: none
 * @latest:	kept if it repeats; NULL: none
 * @corr:	of what caused it; may be NULL
 */
struct inc_seen {
	const char *key, *title, *detail, *event;
	enum inc_severity severity;
	uint64_t for_ns;
	const json_t *tenants, *evidence, *latest;
	const struct hf_corr *corr;
};

/* Opens, repeats, reopens, or finds that all of it is known. */
void inc_saw(struct inc_engine *e, const struct inc_seen *s);
/* It is well: resolves. */
void inc_well(struct inc_engine *e, const char *key, const char *why);
/* Nobody knows any more whether it is wrong. @prefix: a key, or with a slash at its end all below. */
void inc_unknown(struct inc_engine *e, const char *prefix, const char *why);

struct inc *inc_find(struct inc_engine *e, uint64_t id);
/* The @n'th, from the oldest; NULL: there are fewer. */
struct inc *inc_at(struct inc_engine *e, size_t n);
/* @rev of the newest change; 0: there was none. */
uint64_t inc_newest(const struct inc_engine *e);
uint64_t inc_refused(const struct inc_engine *e);	/* not opened: all INC_MOST are open */

/* By people. @text: "" or why. */

/* 0, -EALREADY (acknowledged or resolved). */
int inc_acknowledge(struct inc_engine *e, struct inc *i, const char *who, const char *text,
		    const struct hf_corr *corr);
/* 0, -ENOSPC: there are INC_NOTES. */
int inc_annotate(struct inc_engine *e, struct inc *i, const char *who, const char *text,
		 const struct hf_corr *corr);
/* 0, -EALREADY, -EBUSY: it is wrong still. */
int inc_resolve(struct inc_engine *e, struct inc *i, const char *who, const char *text,
		const struct hf_corr *corr);

/* Has @who ever been told of it, or was he to be? @change: the last one that he was told, or 0. */
bool inc_told(const struct inc *i, const char *who, uint64_t *change);
void inc_tell(struct inc *i, const char *who, uint64_t change);

const char *inc_severity_word(enum inc_severity s);	/* "critical" */
const char *inc_state_word(enum inc_state s);		/* "acknowledged" */

/* One line of a list. New reference. */
json_t *inc_brief(const struct inc *i);
/* All of it, as inc_load() reads it. New reference. */
json_t *inc_json(const struct inc *i);
/*
 * One that was kept; nobody is told. Whether it is wrong has to be seen anew.
 * Return: 0, -EINVAL and why, -EEXIST (its id or its key, which is not resolved, is there), -ENOSPC.
 */
int inc_load(struct inc_engine *e, const json_t *j, struct hf_err *err);
/* Ids up to this one have been used. */
void inc_used(struct inc_engine *e, uint64_t id);

#endif /* HF_INCIDENT_H */
