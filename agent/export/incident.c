// SPDX-License-Identifier: GPL-2.0
/* Incidents (incident.h). What makes one, where it is kept and who is told is not known here. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "incident.h"

#define SELF	"holdfastd"

struct pending {
	char key[INC_KEY];	/* "": free */
	uint64_t since_ns;
};

/* @list: by id, rising. */
struct inc_engine {
	const struct hf_clock *clock;
	inc_changed_fn fn;
	void *arg;
	struct inc *list[INC_MOST];
	size_t n;
	uint64_t last_id, rev, refused;
	struct pending pending[INC_PENDING];
};

static const char *const severity_words[] = { "warning", "critical", NULL };
static const char *const state_words[] = { "open", "acknowledged", "resolved", NULL };
static const char *const change_words[] = {
	"opened", "again", "severity", "reopened", "resolved", "acknowledged", "note",
};

const char *inc_severity_word(enum inc_severity s)
{
	return severity_words[s];
}

const char *inc_state_word(enum inc_state s)
{
	return state_words[s];
}

static int word_index(const char *const *words, const char *word)
{
	int i = 0;

	while (words[i] && strcmp(words[i], word) != 0)
		i++;
	return i;
}

int inc_engine_new(struct inc_engine **out, const struct hf_clock *clock, inc_changed_fn fn,
		   void *arg)
{
	struct inc_engine *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->clock = clock;
	e->fn = fn;
	e->arg = arg;
	*out = e;
	return 0;
}

static void inc_free(struct inc *i)
{
	json_decref(i->tenants);
	json_decref(i->timeline);
	json_decref(i->notes);
	json_decref(i->evidence);
	json_decref(i->latest);
	json_decref(i->told);
	free(i);
}

void inc_engine_free(struct inc_engine *e)
{
	for (size_t i = 0; e && i < e->n; i++)
		inc_free(e->list[i]);
	free(e);
}

/* ----------------------------------------------------------------- finding */

struct inc *inc_find(struct inc_engine *e, uint64_t id)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->list[i]->id == id)
			return e->list[i];
	return NULL;
}

struct inc *inc_at(struct inc_engine *e, size_t n)
{
	return n < e->n ? e->list[n] : NULL;
}

uint64_t inc_newest(const struct inc_engine *e)
{
	return e->rev;
}

uint64_t inc_refused(const struct inc_engine *e)
{
	return e->refused;
}

void inc_used(struct inc_engine *e, uint64_t id)
{
	if (id > e->last_id)
		e->last_id = id;
}

/* The newest with this key. */
static struct inc *by_key(struct inc_engine *e, const char *key)
{
	for (size_t i = e->n; i-- > 0;)
		if (!strcmp(e->list[i]->key, key))
			return e->list[i];
	return NULL;
}

/* ----------------------------------------------------------------- changes */

/* What comes from outside of this process and is kept and shown: plain, whole characters. */
static void take_text(char *to, size_t room, const char *text)
{
	size_t len = strlen(text);

	if (len >= room)
		len = room - 1;
	while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	if (!hf_text_ok(text, len, false)) {
		text = "(no plain text)";
		len = strlen(text);
	}
	memcpy(to, text, len);
	to[len] = '\0';
}

static json_t *line_json(const struct inc_engine *e, const char *who, const char *text,
			 const struct hf_corr *corr)
{
	char hex[HF_CORR_TEXT] = "";

	if (corr && !hf_corr_none(corr))
		hf_corr_text(corr, hex);
	return json_pack("{s:I, s:s, s:s, s:s}", "t_ns", (json_int_t)hf_real_ns(e->clock), "who",
			 who, "text", text, "corr", hex);
}

/* A change: counted, in the timeline, told. */
static void changed(struct inc_engine *e, struct inc *i, enum inc_change what, const char *who,
		    const char *text, const struct hf_corr *corr)
{
	char plain[INC_TEXT + 1];
	json_t *line;

	take_text(plain, sizeof(plain), text);
	line = line_json(e, who, plain, corr);
	if (line)
		json_object_set_new(line, "what", json_string(change_words[what]));
	if (json_array_size(i->timeline) >= INC_LINES)
		json_array_remove(i->timeline, 1);
	json_array_append_new(i->timeline, line);
	i->changed_ns = hf_real_ns(e->clock);
	i->rev = ++e->rev;
	i->change += what != INC_NOTED;
	e->fn(e->arg, i, what);
}

/* Makes room. Return: is there any? */
static bool room(struct inc_engine *e)
{
	size_t oldest = INC_MOST;

	if (e->n < INC_MOST)
		return true;
	for (size_t i = 0; i < e->n; i++)
		if (e->list[i]->state == INC_RESOLVED &&
		    (oldest == INC_MOST || e->list[i]->ended_ns < e->list[oldest]->ended_ns))
			oldest = i;
	if (oldest == INC_MOST)
		return false;
	e->fn(e->arg, e->list[oldest], INC_DROPPED);
	inc_free(e->list[oldest]);
	e->n--;
	memmove(&e->list[oldest], &e->list[oldest + 1], (e->n - oldest) * sizeof(e->list[0]));
	return true;
}

static struct inc *add(struct inc_engine *e, uint64_t id)
{
	struct inc *i = room(e) ? calloc(1, sizeof(*i)) : NULL;
	size_t at = e->n;

	if (!i) {
		e->refused++;
		return NULL;
	}
	i->id = id;
	while (at && e->list[at - 1]->id > id)
		at--;
	memmove(&e->list[at + 1], &e->list[at], (e->n - at) * sizeof(e->list[0]));
	e->list[at] = i;
	e->n++;
	inc_used(e, id);
	return i;
}

static json_t *bounded(const json_t *evidence)
{
	if (!evidence)
		return NULL;
	if (json_dumpb(evidence, NULL, 0, JSON_COMPACT) > INC_EVIDENCE)
		return json_pack("{s:s}", "cut", "it was too long to be kept");
	return json_incref((json_t *)evidence);
}

static void put(json_t **to, json_t *what)
{
	json_decref(*to);
	*to = what;
}

static void take(struct inc *i, const struct inc_seen *s)
{
	i->wrong = true;
	i->severity = s->severity;
	take_text(i->title, sizeof(i->title), s->title);
	take_text(i->detail, sizeof(i->detail), s->detail);
	take_text(i->event, sizeof(i->event), s->event);
	put(&i->tenants, json_incref((json_t *)s->tenants));
}

/* ------------------------------------------------------- what is seen */

static struct pending *pending_find(struct inc_engine *e, const char *key)
{
	for (size_t i = 0; i < INC_PENDING; i++)
		if (!strcmp(e->pending[i].key, key))
			return &e->pending[i];
	return NULL;
}

/* Has it lasted? Where there is no room to remember it, it is said rather than forgotten. */
static bool lasted(struct inc_engine *e, const struct inc_seen *s)
{
	struct pending *p = pending_find(e, s->key);

	if (!s->for_ns)
		return true;
	if (!p) {
		p = pending_find(e, "");
		if (!p)
			return true;
		snprintf(p->key, sizeof(p->key), "%s", s->key);
		p->since_ns = hf_mono_ns(e->clock);
	}
	return hf_mono_ns(e->clock) - p->since_ns >= s->for_ns;
}

static void pending_end(struct inc_engine *e, const char *key)
{
	struct pending *p = pending_find(e, key);

	if (p)
		p->key[0] = '\0';
}

static void seen_again(struct inc_engine *e, struct inc *i, const struct inc_seen *s)
{
	enum inc_severity before = i->severity;
	bool repeat = s->event[0] && strcmp(s->event, i->event) != 0;

	take(i, s);
	if (repeat) {
		i->repeats++;
		put(&i->latest, bounded(s->latest));
		changed(e, i, INC_AGAIN, SELF, s->detail, s->corr);
	} else if (before != i->severity) {
		changed(e, i, INC_SEVERITY, SELF, s->detail, s->corr);
	}
}

static bool same_again(const struct inc_engine *e, const struct inc *i, const struct inc_seen *s)
{
	uint64_t now = hf_real_ns(e->clock);

	if (s->event[0] && !strcmp(s->event, i->event))
		return true;
	return now >= i->ended_ns && now - i->ended_ns <= INC_REOPEN_NS;
}

static void reopen(struct inc_engine *e, struct inc *i, const struct inc_seen *s)
{
	bool repeat = s->event[0] && strcmp(s->event, i->event) != 0;

	i->state = INC_OPEN;
	i->reopened++;
	i->ended_ns = 0;
	take(i, s);
	if (repeat) {
		i->repeats++;
		put(&i->latest, bounded(s->latest));
	}
	changed(e, i, INC_REOPENED, SELF, s->detail, s->corr);
}

static void open_new(struct inc_engine *e, const struct inc_seen *s)
{
	struct inc *i = add(e, e->last_id + 1);

	if (!i)
		return;
	snprintf(i->key, sizeof(i->key), "%s", s->key);
	take(i, s);
	i->opened_ns = hf_real_ns(e->clock);
	i->timeline = json_array();
	i->notes = json_array();
	i->evidence = bounded(s->evidence);
	changed(e, i, INC_OPENED, SELF, s->detail, s->corr);
}

void inc_saw(struct inc_engine *e, const struct inc_seen *s)
{
	struct inc *i = by_key(e, s->key);

	if (i && i->state != INC_RESOLVED) {
		seen_again(e, i, s);
		return;
	}
	if (!lasted(e, s))
		return;
	pending_end(e, s->key);
	if (i && same_again(e, i, s))
		reopen(e, i, s);
	else
		open_new(e, s);
}

static void end(struct inc_engine *e, struct inc *i, const char *who, const char *text,
		const struct hf_corr *corr)
{
	i->state = INC_RESOLVED;
	i->wrong = false;
	i->ended_ns = hf_real_ns(e->clock);
	changed(e, i, INC_RESOLVED_NOW, who, text, corr);
}

void inc_well(struct inc_engine *e, const char *key, const char *why)
{
	struct inc *i = by_key(e, key);

	pending_end(e, key);
	if (i && i->state != INC_RESOLVED)
		end(e, i, SELF, why, NULL);
}

/* "trip/" is all that begins with it, "trip/array1" itself alone. */
static bool below(const char *key, const char *prefix)
{
	size_t n = strlen(prefix);

	return !strncmp(key, prefix, n) && (!key[n] || (n && prefix[n - 1] == '/'));
}

void inc_unknown(struct inc_engine *e, const char *prefix, const char *why)
{
	for (size_t n = 0; n < e->n; n++) {
		struct inc *i = e->list[n];

		if (!i->wrong || !below(i->key, prefix))
			continue;
		i->wrong = false;
		changed(e, i, INC_NOTED, SELF, why, NULL);
	}
}

/* ------------------------------------------------------------- by people */

int inc_acknowledge(struct inc_engine *e, struct inc *i, const char *who, const char *text,
		    const struct hf_corr *corr)
{
	if (i->state != INC_OPEN)
		return -EALREADY;
	i->state = INC_ACKNOWLEDGED;
	changed(e, i, INC_TAKEN, who, text, corr);
	return 0;
}

int inc_annotate(struct inc_engine *e, struct inc *i, const char *who, const char *text,
		 const struct hf_corr *corr)
{
	char plain[INC_NOTE + 1];

	if (json_array_size(i->notes) >= INC_NOTES)
		return -ENOSPC;
	take_text(plain, sizeof(plain), text);
	json_array_append_new(i->notes, line_json(e, who, plain, corr));
	i->changed_ns = hf_real_ns(e->clock);
	i->rev = ++e->rev;
	e->fn(e->arg, i, INC_NOTED);
	return 0;
}

int inc_resolve(struct inc_engine *e, struct inc *i, const char *who, const char *text,
		const struct hf_corr *corr)
{
	if (i->state == INC_RESOLVED)
		return -EALREADY;
	if (i->wrong)
		return -EBUSY;
	end(e, i, who, text, corr);
	return 0;
}

/* -------------------------------------------------------------- who was told */

bool inc_told(const struct inc *i, const char *who, uint64_t *change)
{
	const json_t *j = json_object_get(i->told, who);

	*change = (uint64_t)json_integer_value(j);
	return j;
}

void inc_tell(struct inc *i, const char *who, uint64_t change)
{
	if (!i->told)
		i->told = json_object();
	json_object_set_new(i->told, who, json_integer((json_int_t)change));
}

/* ------------------------------------------------------------------- JSON */

json_t *inc_brief(const struct inc *i)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:i, s:i, s:I, s:I}", "id",
			 (json_int_t)i->id, "key", i->key, "title", i->title, "detail", i->detail,
			 "severity", severity_words[i->severity], "state", state_words[i->state],
			 "standing", (int)i->wrong, "opened_ns", (json_int_t)i->opened_ns,
			 "changed_ns", (json_int_t)i->changed_ns, "ended_ns",
			 (json_int_t)i->ended_ns, "repeats", (int)i->repeats, "reopened",
			 (int)i->reopened, "change", (json_int_t)i->change, "rev",
			 (json_int_t)i->rev);
}

json_t *inc_json(const struct inc *i)
{
	json_t *j = inc_brief(i);

	if (!j)
		return NULL;
	json_object_set_new(j, "event", json_string(i->event));
	json_object_set(j, "timeline", i->timeline);
	json_object_set(j, "notes", i->notes);
	if (i->told)
		json_object_set(j, "told", i->told);
	if (i->tenants)
		json_object_set(j, "tenants", i->tenants);
	if (i->evidence)
		json_object_set(j, "evidence", i->evidence);
	if (i->latest)
		json_object_set(j, "latest", i->latest);
	return j;
}

#define REQ	HF_FF_REQUIRED
#define TEXT(n, most) { n, HF_F_STRING, .flags = REQ, .max = most }
#define COUNT(n, most) { n, HF_F_INT, .flags = REQ, .max = most }

static const struct hf_field line_fields[] = {
	COUNT("t_ns", INT64_MAX), TEXT("who", 32), TEXT("text", INC_TEXT), TEXT("corr", 32),
	TEXT("what", 16), { .name = NULL }
};
static const struct hf_field note_fields[] = {
	COUNT("t_ns", INT64_MAX), TEXT("who", 32), TEXT("text", INC_NOTE), TEXT("corr", 32),
	{ .name = NULL }
};
static const struct hf_field inc_fields[] = {
	{ "id", HF_F_INT, .flags = REQ, .min = 1, .max = INT64_MAX - 1 },
	{ "key", HF_F_STRING, .flags = REQ, .min = 1, .max = INC_KEY - 1 },
	TEXT("title", INC_TITLE - 1), TEXT("detail", INC_TEXT), TEXT("event", INC_KEY - 1),
	{ "severity", HF_F_ENUM, .flags = REQ, .words = severity_words },
	{ "state", HF_F_ENUM, .flags = REQ, .words = state_words },
	{ "standing", HF_F_BOOL, .flags = REQ },
	COUNT("opened_ns", INT64_MAX), COUNT("changed_ns", INT64_MAX), COUNT("ended_ns", INT64_MAX),
	COUNT("repeats", INT32_MAX), COUNT("reopened", INT32_MAX), COUNT("change", INT64_MAX),
	COUNT("rev", INT64_MAX - 1),
	{ "timeline", HF_F_ARRAY, .flags = REQ, .max = INC_LINES, .sub = line_fields },
	{ "notes", HF_F_ARRAY, .flags = REQ, .max = INC_NOTES, .sub = note_fields },
	{ "tenants", HF_F_ARRAY, .max = 64 },
	{ "evidence", HF_F_OBJECT, .flags = 0 }, { "latest", HF_F_OBJECT, .flags = 0 },
	{ "told", HF_F_OBJECT, .flags = 0 }, { .name = NULL }
};

static uint64_t number(const json_t *j, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(j, name));
}

static const char *text(const json_t *j, const char *name)
{
	return json_string_value(json_object_get(j, name));
}

int inc_load(struct inc_engine *e, const json_t *j, struct hf_err *err)
{
	struct inc *same, *i;
	bool resolved;
	int ret = hf_field_check(inc_fields, j, NULL, err);

	if (ret)
		return ret;
	same = by_key(e, text(j, "key"));
	resolved = !strcmp(text(j, "state"), "resolved");
	if (inc_find(e, number(j, "id")) || (!resolved && same && same->state != INC_RESOLVED))
		return hf_fail(err, -EEXIST, "incident %llu or %s is there twice",
			       (unsigned long long)number(j, "id"), text(j, "key"));
	i = add(e, number(j, "id"));
	if (!i)
		return hf_fail(err, -ENOSPC, "%d incidents are open", INC_MOST);
	strcpy(i->key, text(j, "key"));
	strcpy(i->title, text(j, "title"));
	strcpy(i->detail, text(j, "detail"));
	strcpy(i->event, text(j, "event"));
	i->severity = (enum inc_severity)word_index(severity_words, text(j, "severity"));
	i->state = (enum inc_state)word_index(state_words, text(j, "state"));
	i->opened_ns = number(j, "opened_ns");
	i->changed_ns = number(j, "changed_ns");
	i->ended_ns = number(j, "ended_ns");
	i->change = number(j, "change");
	i->rev = number(j, "rev");
	if (i->rev > e->rev)
		e->rev = i->rev;
	i->repeats = (uint32_t)number(j, "repeats");
	i->reopened = (uint32_t)number(j, "reopened");
	i->timeline = json_incref(json_object_get(j, "timeline"));
	i->notes = json_incref(json_object_get(j, "notes"));
	i->tenants = json_incref(json_object_get(j, "tenants"));
	i->evidence = json_incref(json_object_get(j, "evidence"));
	i->latest = json_incref(json_object_get(j, "latest"));
	i->told = json_incref(json_object_get(j, "told"));
	return 0;
}
