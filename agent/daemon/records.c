// SPDX-License-Identifier: GPL-2.0
/*
 * The parent's own records for the audit log. Those that nobody waits for are
 * kept while audit is away; nothing is decided here.
 */
#include <errno.h>
#include <string.h>

#include "daemon.h"
#include "log.h"

#define APPEND_NS	(10 * HF_S)

static void ignored(void *arg, int status, const json_t *result)
{
	(void)arg;
	(void)result;
	if (status >= 300)
		hf_log_app(HF_LOG_WARN, "audit.append", NULL, "a record was not taken: %d", status);
}

static int send_record(struct hf_parent *p, const struct hf_corr *corr, json_t *body,
		       hf_reply_fn fn, void *arg)
{
	return hf_link_request(hf_parent_link(p, HF_PROC_AUDIT), HF_MSG_APPEND, corr, body, -1,
			       hf_mono_ns(hf_parent_clock(p)) + APPEND_NS, fn ? fn : ignored, arg);
}

/* The oldest makes room: what led to now is worth more than what led to an hour ago. */
static void keep_record(struct hf_parent *p, const struct hf_corr *corr, json_t *body)
{
	struct hf_record *r;

	if (p->n_records == HF_RECORDS) {
		hf_log_app(HF_LOG_WARN, "audit.append", NULL,
			   "no audit: the oldest of %d records is lost", HF_RECORDS);
		json_decref(p->records[0].body);
		memmove(p->records, p->records + 1, (HF_RECORDS - 1) * sizeof(p->records[0]));
		p->n_records--;
	}
	r = &p->records[p->n_records++];
	*r = (struct hf_record){ .body = body };
	if (corr)
		r->corr = *corr;
}

int hf_parent_append(struct hf_parent *p, const struct hf_corr *corr, const struct hf_actor *actor,
		     const char *action, const char *object, const char *phase, const char *result,
		     uint64_t intent, json_t *detail, hf_reply_fn fn, void *arg)
{
	json_t *body = json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o*}",
				 "action", action, "object", object, "phase", phase,
				 "result", result, "intent", (json_int_t)intent,
				 "actor", hf_actor_json(actor), "detail", detail);

	if (!body)
		return -ENOMEM;
	if (hf_parent_link(p, HF_PROC_AUDIT))
		return send_record(p, corr, body, fn, arg);
	if (fn) {
		json_decref(body);
		return -ENOTCONN;
	}
	keep_record(p, corr, body);
	return 0;
}

void hf_records_flush(struct hf_parent *p)
{
	unsigned int sent = 0;

	while (sent < p->n_records && hf_parent_link(p, HF_PROC_AUDIT) &&
	       !send_record(p, &p->records[sent].corr, json_incref(p->records[sent].body), NULL,
			    NULL))
		json_decref(p->records[sent++].body);
	p->n_records -= sent;
	memmove(p->records, p->records + sent, p->n_records * sizeof(p->records[0]));
}

void hf_records_free(struct hf_parent *p)
{
	while (p->n_records)
		json_decref(p->records[--p->n_records].body);
}
