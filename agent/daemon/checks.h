/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Is the agent well? The parent keeps the checks: a table of them, what each
 * process said of its own in its last answer to PING, and what the parent sees
 * itself. Whoever asks gets what is known: nothing is looked at for his sake, so
 * a check that hangs makes nobody wait; it becomes unknown.
 */
#ifndef HF_DAEMON_CHECKS_H
#define HF_DAEMON_CHECKS_H

#include <jansson.h>
#include <stdbool.h>

#include "role.h"

struct hf_parent;
struct hf_checks;
struct hf_health_check;

int hf_checks_new(struct hf_checks **out, struct hf_parent *p);
void hf_checks_free(struct hf_checks *w);
/* Of a process's answer to PING. What is not its own check is not believed. @findings may be NULL. */
void hf_checks_heard(struct hf_checks *w, enum hf_proc from, const json_t *findings);
/* With each round of PINGs: the parent's own findings, what has grown stale, remedies. */
void hf_checks_round(struct hf_checks *w);
/* A configuration is in force that was read from @text; @part: the parent's of it. */
void hf_checks_configured(struct hf_checks *w, const json_t *part, const char *text, size_t len);
/* NULL: there is none of this name. */
const struct hf_health_check *hf_checks_find(const struct hf_checks *w, const char *name);

/* For PING, and the probes (front/probes.h). New reference. */
json_t *hf_checks_brief(const struct hf_checks *w);
/* How much of the agent works (degrade.h): "full". */
const char *hf_checks_level(const struct hf_checks *w);
/* [ { name, health } ] for /v1/status. New reference. */
json_t *hf_checks_levels(const struct hf_checks *w);
/*
 * Answer of the operation "health". Without @all no more than the levels: texts are about arrays
 * and leases of all tenants. New reference.
 */
json_t *hf_checks_report(const struct hf_checks *w, bool all);

#endif /* HF_DAEMON_CHECKS_H */
