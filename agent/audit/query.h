/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading the log while it is written: searches, proofs, reports and the check
 * of old segments, each a job that is carried on a little at a time. Never
 * writes.
 */
#ifndef HF_AUDIT_QUERY_H
#define HF_AUDIT_QUERY_H

#include "writer.h"

#define AUD_JOBS	8
#define AUD_ANSWER_MAX	(48 * 1024)	/* JSON bytes of records in one answer */
#define AUD_READ_MOST	200

struct aud_jobs;
struct aud_job;

/*
 * The answer, exactly once: @status as HTTP's; @result is stolen: with 200 the
 * result, else the error object.
 */
typedef void (*aud_answer_fn)(void *arg, int status, json_t *result);

int aud_jobs_new(struct aud_jobs **out, struct aud_writer *w, struct aud_io *io,
		 const struct hf_clock *clock);
void aud_jobs_free(struct aud_jobs *j);	/* those under way are answered 503 */
/* Carries on for about @budget_ns. Return: there is more to do. */
bool aud_jobs_run(struct aud_jobs *j, uint64_t budget_ns);
/* Segments are checked again from the first on. Return: false: that is being done already. */
bool aud_jobs_scrub(struct aud_jobs *j);
/* How many segments were checked since the start. */
uint64_t aud_jobs_scrubbed(const struct aud_jobs *j);

/* Each answers at once or later; @args as the table of operations has it. */
void aud_job_read(struct aud_jobs *j, const json_t *args, aud_answer_fn fn, void *arg);
void aud_job_show(struct aud_jobs *j, uint64_t seq, aud_answer_fn fn, void *arg);
void aud_job_checkpoint(struct aud_jobs *j, uint64_t seq, aud_answer_fn fn, void *arg);
/**
 * aud_job_events() - what the fleet may know of the log: arrays, leases, processes, health,
 * configuration; nothing of users, sessions, secrets, and no intents
 * @after:	the last one that is known; 0: none
 * @log:	the log that was of, as its "log" says; "": none is known
 *
 * Answers { records: [{ log, seq, t_ns, action, object, phase, result, corr, actor, detail }],
 * upto, more, lost }: @upto: all up to there are in @records, or none of the fleet's; @lost: { from,
 * to }: deleted before the fleet has had them. Another log than @log is given from its beginning.
 */
void aud_job_events(struct aud_jobs *j, uint64_t after, const char *log, aud_answer_fn fn,
		    void *arg);
void aud_job_report(struct aud_jobs *j, const json_t *args, aud_answer_fn fn, void *arg);

/* report.c */
struct aud_report;

int aud_report_new(struct aud_report **out);
void aud_report_free(struct aud_report *r);
void aud_report_add(struct aud_report *r, const json_t *record);
json_t *aud_report_json(const struct aud_report *r);	/* NULL: out of memory */

#endif /* HF_AUDIT_QUERY_H */
