// SPDX-License-Identifier: GPL-2.0
/*
 * The security report: counts over records, in tables of bounded size. Which
 * records count as what, one table says.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query.h"
#include "text.h"

#define ROWS	64	/* per table; what finds no room is counted as "others" */
#define CELL	97

enum table { LOGINS, DENIED, BLOCKED, REFUSED, TRIPS, PRIVILEGED, UNKNOWN, EXITS, GAPS, TABLES };

/* Where a column's text comes from. */
enum column {
	C_NONE, C_ACTOR, C_SOURCE, C_ACTION, C_OBJECT, C_RESULT,
	C_CAUSE,	/* detail.cause: of a trip */
	C_LIMIT,	/* detail.reason.limit: what the driver measured a request by */
	C_DETAIL,	/* detail.detail: what a source was blocked for */
	C_WHY,		/* detail.why: of the end of a process */
};

static const char *const column_names[] = {
	[C_ACTOR] = "actor", [C_SOURCE] = "source", [C_ACTION] = "action",
	[C_OBJECT] = "object", [C_RESULT] = "result", [C_CAUSE] = "cause",
	[C_LIMIT] = "limit", [C_DETAIL] = "detail", [C_WHY] = "why",
};

/**
 * struct rule - which records a table counts
 * @action:	or NULL: any
 * @phase:	or NULL: any
 * @result:	or NULL: any
 */
static const struct rule {
	enum table table;
	const char *action, *phase, *result;
} rules[] = {
	{ LOGINS, "session.begin", "event", NULL },
	{ LOGINS, "login", "denied", NULL },
	{ DENIED, NULL, "denied", NULL },
	{ BLOCKED, "http.blocked", NULL, NULL },
	{ REFUSED, "kernel.refused", NULL, NULL },
	{ TRIPS, "kernel.trip", NULL, NULL },
	{ PRIVILEGED, NULL, "intent", NULL },
	{ UNKNOWN, NULL, "outcome", "unknown" },
	{ EXITS, "process.exit", NULL, NULL },
	{ GAPS, "kernel.gap", NULL, NULL },
	{ GAPS, "keeper.audit_lost", NULL, NULL },
	{ GAPS, "keeper.disarm", NULL, NULL },
	{ GAPS, "denied.suppressed", NULL, NULL },
	{ GAPS, "audit.lost", NULL, NULL },
	{ GAPS, "audit.break", NULL, NULL },
	{ GAPS, "audit.recovered", NULL, NULL },
};

static const struct {
	const char *name;
	enum column column[3];
} tables[TABLES] = {
	/* Who is not logged in yet is "public": the name that was tried is the object. */
	[LOGINS] = { "logins", { C_OBJECT, C_SOURCE, C_RESULT } },
	[DENIED] = { "denied", { C_ACTOR, C_SOURCE, C_ACTION } },
	[BLOCKED] = { "blocked", { C_SOURCE, C_DETAIL, C_NONE } },
	[REFUSED] = { "refused_by_driver", { C_OBJECT, C_LIMIT, C_NONE } },
	[TRIPS] = { "trips", { C_OBJECT, C_CAUSE, C_NONE } },
	[PRIVILEGED] = { "privileged", { C_ACTOR, C_ACTION, C_NONE } },
	[UNKNOWN] = { "unknown_outcomes", { C_ACTION, C_OBJECT, C_NONE } },
	[EXITS] = { "process_exits", { C_OBJECT, C_WHY, C_NONE } },
	[GAPS] = { "gaps", { C_ACTION, C_OBJECT, C_NONE } },
};

struct row {
	char cell[3][CELL];
	uint64_t count, last_seq, last_ns;
};

struct aud_report {
	struct {
		struct row row[ROWS];
		unsigned int rows;
		uint64_t others;
	} t[TABLES];
	uint64_t records;
};

static const char *text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));

	return s ? s : "";
}

static bool counts(const struct rule *r, const json_t *record)
{
	return (!r->action || !strcmp(text(record, "action"), r->action)) &&
	       (!r->phase || !strcmp(text(record, "phase"), r->phase)) &&
	       (!r->result || !strcmp(text(record, "result"), r->result));
}

/* What had to be cut must still be UTF-8. */
static void whole_text(char *s)
{
	size_t len = strlen(s), at = 0, used;

	while (at < len && hf_utf8_next(s + at, len - at, &used) >= 0)
		at += used;
	s[at] = '\0';
}

static void cell(char out[CELL], enum column c, const json_t *record)
{
	const json_t *actor = json_object_get(record, "actor");
	const json_t *detail = json_object_get(record, "detail");
	const char *s = "";

	switch (c) {
	case C_NONE:
		break;
	case C_ACTOR:
		s = text(actor, "name");
		break;
	case C_SOURCE:
		s = text(actor, "source");
		break;
	case C_CAUSE:
	case C_DETAIL:
	case C_WHY:
		s = text(detail, column_names[c]);
		break;
	case C_LIMIT:
		s = text(json_object_get(detail, "reason"), "limit");
		break;
	default:
		s = text(record, column_names[c]);
	}
	snprintf(out, CELL, "%s", s);
	whole_text(out);
}

static void add(struct aud_report *r, enum table t, const json_t *record)
{
	struct row new = { .count = 0 }, *row = NULL;

	for (int i = 0; i < 3; i++)
		cell(new.cell[i], tables[t].column[i], record);
	for (unsigned int i = 0; i < r->t[t].rows && !row; i++)
		if (!memcmp(r->t[t].row[i].cell, new.cell, sizeof(new.cell)))
			row = &r->t[t].row[i];
	if (!row && r->t[t].rows == ROWS) {
		r->t[t].others++;
		return;
	}
	if (!row) {
		row = &r->t[t].row[r->t[t].rows++];
		*row = new;
	}
	row->count++;
	row->last_seq = (uint64_t)json_integer_value(json_object_get(record, "seq"));
	row->last_ns = (uint64_t)json_integer_value(json_object_get(record, "t_ns"));
}

int aud_report_new(struct aud_report **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void aud_report_free(struct aud_report *r)
{
	free(r);
}

void aud_report_add(struct aud_report *r, const json_t *record)
{
	r->records++;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (counts(&rules[i], record))
			add(r, rules[i].table, record);
}

static json_t *row_json(const struct row *row, enum table t)
{
	json_t *j = json_pack("{s:I, s:I, s:I}", "count", (json_int_t)row->count, "last_seq",
			      (json_int_t)row->last_seq, "last_ns", (json_int_t)row->last_ns);

	for (int i = 0; i < 3; i++)
		if (tables[t].column[i])
			json_object_set_new(j, column_names[tables[t].column[i]],
					    json_string(row->cell[i]));
	return j;
}

json_t *aud_report_json(const struct aud_report *r)
{
	json_t *j = json_object();

	json_object_set_new(j, "records", json_integer((json_int_t)r->records));
	for (enum table t = 0; t < TABLES; t++) {
		json_t *rows = json_array();

		for (unsigned int i = 0; i < r->t[t].rows; i++)
			json_array_append_new(rows, row_json(&r->t[t].row[i], t));
		json_object_set_new(j, tables[t].name,
				    json_pack("{s:o, s:I}", "rows", rows, "others",
					      (json_int_t)r->t[t].others));
	}
	return j;
}
