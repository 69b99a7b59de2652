/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parent tries when a check fails (docs/health.md): never on the keeper,
 * audit or auth, and nothing that emits is disturbed. Each attempt and what came of
 * it is logged and recorded.
 */
#ifndef HF_DAEMON_REMEDIES_H
#define HF_DAEMON_REMEDIES_H

#include "remedy.h"

#define HF_REMEDIES	3

struct hf_parent;

struct hf_remedies {
	struct hf_remedy remedy[HF_REMEDIES];
};

void hf_remedies_init(struct hf_remedies *rs);
/* With each round of checks (checks.h). */
void hf_remedies_round(struct hf_remedies *rs, struct hf_parent *p, enum hf_remedy_mode mode);
/* As hf_remedy_json(); NULL: there is none for @check. New reference. */
json_t *hf_remedies_json(const struct hf_remedies *rs, const char *check, uint64_t at_ns);

#endif /* HF_DAEMON_REMEDIES_H */
