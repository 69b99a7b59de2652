/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /livez, /readyz and /startupz, after Kubernetes' API server: machines go by the
 * status code alone, people add "?verbose". Anybody may ask, so names and words
 * of checks are all there is to see. Answered from what the parent said last with
 * its PING: no other process is asked, so no answer waits. Pure.
 */
#ifndef HF_PROBES_H
#define HF_PROBES_H

#include <stdbool.h>

#include "clock.h"
#include "health.h"
#include "http.h"

#define HF_PROBE_EXCLUDES	8
#define HF_PROBE_STALE_NS	(10 * HF_S)	/* a word of the parent's older than this is none */

enum hf_probe_kind { HF_PROBE_LIVE, HF_PROBE_READY, HF_PROBE_STARTED };

struct hf_probe {
	bool verbose;
	unsigned int excludes;
	char exclude[HF_PROBE_EXCLUDES][HF_HEALTH_NAME];
};

/* @query: behind the "?": "verbose", "exclude=NAME", joined by "&". Return: 0, -EINVAL and @no. */
int hf_probe_parse(struct hf_probe *p, const char *query, struct hf_refusal *no);
/**
 * hf_probe_answer() - the text of a probe's page; to be freed. NULL: out of memory
 * @health:	{ started, checks: [ [name, word, counts for readiness] ] }; NULL: none has come
 * @age_ns:	how old it is
 * @status:	200 or 503
 */
char *hf_probe_answer(const struct hf_probe *p, enum hf_probe_kind kind, const json_t *health,
		      uint64_t age_ns, int *status);

#endif /* HF_PROBES_H */
