/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The desk of the incidents inside export: what is seen becomes incidents by rules, what people ask
 * is answered, each change is kept and told.
 */
#ifndef HF_EXPORT_DESK_H
#define HF_EXPORT_DESK_H

#include "incident.h"
#include "ipc.h"

#define INC_RULES	32

/**
 * struct inc_rule - what alerts.rules may change, or what is built in
 * @match:	"trip", "trip/temp-crit", "health", "health/disk"
 * @severity:	-1: as it comes
 */
struct inc_rule {
	char match[INC_KEY];
	int severity;
	bool mute;
	uint64_t for_ns;
};

struct inc_rules {
	size_t n;
	struct inc_rule rule[INC_RULES];
};

/* @alerts: section of the configuration, may be NULL. Return: 0, -EINVAL and why. */
int inc_rules_read(struct inc_rules *r, const json_t *alerts, struct hf_err *e);
/* The first of the configuration that matches, else what is built in. Never NULL. */
const struct inc_rule *inc_rule_for(const struct inc_rules *r, const char *name);

/* All checks as the parent has them: { checks: [[name, level, ready, why]] }. */
void inc_hear_health(struct inc_engine *e, const struct inc_rules *r, const json_t *health);
/* HF_MSG_TRIPPED of the keeper. */
void inc_hear_array(struct inc_engine *e, const struct inc_rules *r, const json_t *body,
		    const struct hf_corr *corr);

/* May @a know of it, and of what the lease did that it is about? */
bool inc_visible(const struct inc *i, const struct hf_actor *a);
bool inc_visible_whole(const struct inc *i, const struct hf_actor *a);
/* CALL of auth. Return: status; @out: result or error, new reference. */
int inc_call(struct inc_engine *e, const json_t *body, const struct hf_corr *corr, json_t **out);

#endif /* HF_EXPORT_DESK_H */
