/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When to try to mend something, and whether that has helped. One remedy of one
 * check: at most one attempt at a time, a pause between attempts, so many
 * attempts a day, and a look afterwards. Pure: the check's word and time come
 * from outside, the act itself is the caller's.
 *
 * After the node problem detector's repair of kubelet: nothing is mended again
 * that was a moment ago, and what does not help is not tried for ever.
 */
#ifndef HF_REMEDY_H
#define HF_REMEDY_H

#include <stdint.h>

#include "health.h"

/**
 * struct hf_remedy_rule - one remedy, as the table has it
 * @check:	whose failure it is for
 * @name:	"restart"
 * @from:	tried when the check says this or worse: HF_HEALTH_WARN, HF_HEALTH_FAIL
 * @wait_ns:	how long the check has said so before
 * @cool_ns:	between two attempts
 * @verify_ns:	the check has to be better so long after the attempt
 * @a_day:	attempts in 24 hours
 */
struct hf_remedy_rule {
	const char *check, *name;
	enum hf_health from;
	uint64_t wait_ns, cool_ns, verify_ns;
	uint32_t a_day;
};

#define HF_REMEDY_A_DAY	8	/* most that a rule may allow */

enum hf_remedy_mode { HF_REMEDY_OFF, HF_REMEDY_DRY, HF_REMEDY_ON };

enum hf_remedy_step {
	HF_REMEDY_REST,		/* nothing to do */
	HF_REMEDY_TRY,		/* the caller acts now; dry: says that it would */
	HF_REMEDY_HELPED,
	HF_REMEDY_FAILED,	/* it did not help; the next attempt comes after the pause */
	HF_REMEDY_SPENT,	/* said once: no attempts are left for today, a person is needed */
};

const char *hf_remedy_word(enum hf_remedy_step s);

/* Private but for reading. */
struct hf_remedy {
	const struct hf_remedy_rule *rule;
	uint64_t bad_ns;			/* since when the check is bad; 0: it is not */
	uint64_t tried_ns[HF_REMEDY_A_DAY];	/* a ring */
	uint64_t attempts;			/* ever */
	bool verifying, spent;
	enum hf_remedy_step last;		/* but HF_REMEDY_REST */
};

void hf_remedy_init(struct hf_remedy *r, const struct hf_remedy_rule *rule);
/* What follows from what the check says at @now_ns (> 0). Call each time it may have changed. */
enum hf_remedy_step hf_remedy_step(struct hf_remedy *r, enum hf_health says,
				   enum hf_remedy_mode mode, uint64_t now_ns);
/* { name, attempts, last, left_today }; new reference. */
json_t *hf_remedy_json(const struct hf_remedy *r, uint64_t now_ns);

#endif /* HF_REMEDY_H */
