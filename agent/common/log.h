/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The log of the processes: structured, to the journal's own socket, or as
 * lines of JSON to standard error where there is none. Never blocks, never
 * holds secrets; what repeats is counted ("suppressed").
 */
#ifndef HF_LOG_H
#define HF_LOG_H

#include "corr.h"
#include "role.h"

/* As syslog(3) counts them. */
enum hf_log_level {
	HF_LOG_ERROR	= 3,
	HF_LOG_WARN	= 4,
	HF_LOG_NOTICE	= 5,
	HF_LOG_INFO	= 6,
	HF_LOG_DEBUG	= 7,
};
/*
 * Who reads what: HF_LOG_PERF: what took longer than it should; HF_LOG_AUDIT: which record of the audit
 * log says more, never the record itself.
 */
enum hf_log_stream { HF_LOG_APP, HF_LOG_SECURITY, HF_LOG_PERF, HF_LOG_AUDIT };

/* Once per process. The socket is opened now, for the sandbox may forbid it later. */
void hf_log_open(enum hf_proc self, const struct hf_clock *clock);
void hf_log_level(enum hf_log_level most);
/* "error".."debug": enum hf_log_level, or -EINVAL. */
int hf_log_level_parse(const char *word);

/*
 * @event: a fixed word for machines, "lease.refused". @corr may be NULL. Control
 * characters in the text are escaped. More than 20 of one event in 10 s are
 * counted and the count is said afterwards.
 */
void hf_log(enum hf_log_stream stream, enum hf_log_level level, const char *event,
	    const struct hf_corr *corr, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#define hf_log_app(level, event, corr, ...) hf_log(HF_LOG_APP, level, event, corr, __VA_ARGS__)
#define hf_log_sec(level, event, corr, ...) hf_log(HF_LOG_SECURITY, level, event, corr, __VA_ARGS__)
#define hf_log_perf(event, corr, ...) hf_log(HF_LOG_PERF, HF_LOG_NOTICE, event, corr, __VA_ARGS__)

#endif /* HF_LOG_H */
