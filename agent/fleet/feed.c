// SPDX-License-Identifier: GPL-2.0
/*
 * Which event goes out next. The audit log is the queue and the stream is the
 * place in it; there is no third account that could differ from both.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feed.h"

const char *fleet_subject(const struct fleet_names *n, const char *what, char out[FLEET_SUBJECT])
{
	snprintf(out, FLEET_SUBJECT, "holdfast.%s.%s.%s", n->site, n->host, what);
	return out;
}

json_t *fleet_envelope(const struct fleet_names *n)
{
	return json_pack("{s:i, s:s, s:s}", "v", 1, "site", n->site, "host", n->host);
}

void fleet_feed_init(struct fleet_feed *f, const struct fleet_names *names)
{
	*f = (struct fleet_feed){ .names = names };
}

void fleet_feed_free(struct fleet_feed *f)
{
	fleet_feed_down(f);
	json_decref(f->lost);
	f->lost = NULL;
}

/* Return: 0; -EBADMSG: not a log and a sequence number. */
static int place_of(const json_t *event, char log[FLEET_LOG], uint64_t *seq)
{
	const char *text = json_string_value(json_object_get(event, "log"));
	const json_t *number = json_object_get(event, "seq");

	if (!text || strlen(text) != FLEET_LOG - 1 ||
	    strspn(text, "0123456789abcdef") != FLEET_LOG - 1 || !json_is_integer(number) ||
	    json_integer_value(number) < 1)
		return -EBADMSG;
	memcpy(log, text, FLEET_LOG);
	*seq = (uint64_t)json_integer_value(number);
	return 0;
}

int fleet_feed_resume(struct fleet_feed *f, const char *last, size_t len, struct hf_err *e)
{
	json_t *event = last ? json_loadb(last, len, 0, NULL) : NULL;
	char log[FLEET_LOG] = "";
	uint64_t seq = 0;
	int ret = last ? place_of(event, log, &seq) : 0;

	json_decref(event);
	fleet_feed_down(f);
	if (ret)
		return hf_fail(e, ret, "the newest event of %s in the stream is not one of holdfast",
			       f->names->host);
	/* A stream that has become empty has had what we know to be stored. */
	if (last && (!f->ever || strcmp(f->log, log) || f->seq != seq)) {
		memcpy(f->log, log, sizeof(log));
		f->seq = f->upto = seq;
		f->ever = true;
	}
	f->known = true;
	return 0;
}

void fleet_feed_down(struct fleet_feed *f)
{
	json_decref(f->batch);
	f->batch = NULL;
	f->next = 0;
	f->known = f->publishing = f->more = false;
	f->stale = f->asking;
}

bool fleet_feed_ask(struct fleet_feed *f, uint64_t *after, char log[FLEET_LOG])
{
	if (!f->known || f->asking || f->publishing || f->next < json_array_size(f->batch))
		return false;
	f->asking = true;
	*after = f->upto;
	memcpy(log, f->log, FLEET_LOG);
	return true;
}

static void lost_take(struct fleet_feed *f, const json_t *lost)
{
	json_int_t from = json_integer_value(json_object_get(lost, "from"));
	json_int_t to = json_integer_value(json_object_get(lost, "to"));

	if (!lost || to < from || json_equal(f->lost, lost))
		return;
	json_decref(f->lost);
	f->lost = json_deep_copy(lost);
	f->gaps += (uint64_t)(to - from) + 1;
}

int fleet_feed_take(struct fleet_feed *f, const json_t *answer)
{
	json_t *records = json_object_get(answer, "records"), *r;
	json_int_t upto = json_integer_value(json_object_get(answer, "upto"));
	char log[FLEET_LOG];
	uint64_t seq;
	size_t i;
	bool counts = answer && f->known && !f->stale;

	f->asking = f->stale = false;
	if (!counts)
		return 0;
	json_array_foreach(records, i, r)
		if (place_of(r, log, &seq))
			return -EBADMSG;
	if (!json_is_array(records) || upto < 0)
		return -EBADMSG;
	lost_take(f, json_object_get(answer, "lost"));
	json_decref(f->batch);
	f->batch = json_deep_copy(records);
	f->next = 0;
	f->more = json_is_true(json_object_get(answer, "more"));
	/* With events the last of them says how far we are, once it is stored. */
	if (!json_array_size(f->batch))
		f->upto = (uint64_t)upto;
	return 0;
}

bool fleet_feed_next(struct fleet_feed *f, struct fleet_message *m)
{
	json_t *event = json_array_get(f->batch, f->next), *j;
	char log[FLEET_LOG];
	uint64_t seq;

	if (!f->known || f->publishing || place_of(event, log, &seq))
		return false;
	j = fleet_envelope(f->names);
	json_object_set_new(j, "prev", json_integer(strcmp(log, f->log) ? 0 : (json_int_t)f->seq));
	if (f->lost)
		json_object_set(j, "gap", f->lost);
	json_object_update_missing(j, event);
	m->text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	if (!m->text)
		return false;
	fleet_subject(f->names, "event", m->subject);
	snprintf(m->id, sizeof(m->id), "%s-%llu", log, (unsigned long long)seq);
	m->anchor = false;
	f->publishing = true;
	return true;
}

void fleet_feed_stored(struct fleet_feed *f)
{
	if (!f->publishing || place_of(json_array_get(f->batch, f->next), f->log, &f->seq))
		return;
	f->publishing = false;
	f->ever = true;
	f->upto = f->seq;
	f->next++;
	f->stored++;
	json_decref(f->lost);
	f->lost = NULL;
}

bool fleet_feed_even(const struct fleet_feed *f)
{
	return f->known && f->batch && !f->publishing && !f->more &&
	       f->next == json_array_size(f->batch);
}
