// SPDX-License-Identifier: GPL-2.0
/*
 * The engine of remedy.h.
 */
#include "remedy.h"

#include <string.h>

#define DAY_NS	(86400 * HF_S)

const char *hf_remedy_word(enum hf_remedy_step s)
{
	static const char *const words[] = { "none", "tried", "helped", "failed", "spent" };

	return words[s];
}

void hf_remedy_init(struct hf_remedy *r, const struct hf_remedy_rule *rule)
{
	memset(r, 0, sizeof(*r));
	r->rule = rule;
}

static uint32_t tried_today(const struct hf_remedy *r, uint64_t now_ns)
{
	uint64_t n = r->attempts < HF_REMEDY_A_DAY ? r->attempts : HF_REMEDY_A_DAY;
	uint32_t today = 0;

	for (uint64_t i = r->attempts - n; i < r->attempts; i++)
		today += now_ns - r->tried_ns[i % HF_REMEDY_A_DAY] < DAY_NS;
	return today;
}

static uint64_t last_ns(const struct hf_remedy *r)
{
	return r->attempts ? r->tried_ns[(r->attempts - 1) % HF_REMEDY_A_DAY] : 0;
}

static enum hf_remedy_step told(struct hf_remedy *r, enum hf_remedy_step s)
{
	r->last = s;
	return s;
}

/* Nobody knows is neither: nothing is tried, and nothing has been mended. */
static bool is_bad(const struct hf_remedy *r, enum hf_health says)
{
	return says == HF_HEALTH_FAIL || (says == HF_HEALTH_WARN && r->rule->from == HF_HEALTH_WARN);
}

static enum hf_remedy_step verify(struct hf_remedy *r, enum hf_health says, uint64_t now_ns)
{
	bool over = now_ns - last_ns(r) >= r->rule->verify_ns;

	if (says != HF_HEALTH_UNKNOWN && !is_bad(r, says)) {
		r->verifying = false;
		r->bad_ns = 0;
		return told(r, HF_REMEDY_HELPED);
	}
	if (!over)
		return HF_REMEDY_REST;
	r->verifying = false;
	return told(r, HF_REMEDY_FAILED);
}

enum hf_remedy_step hf_remedy_step(struct hf_remedy *r, enum hf_health says,
				   enum hf_remedy_mode mode, uint64_t now_ns)
{
	if (r->verifying)
		return verify(r, says, now_ns);
	if (!is_bad(r, says)) {
		if (says != HF_HEALTH_UNKNOWN) {
			r->bad_ns = 0;
			r->spent = false;
		}
		return HF_REMEDY_REST;
	}
	if (!r->bad_ns)
		r->bad_ns = now_ns;
	if (mode == HF_REMEDY_OFF || now_ns - r->bad_ns < r->rule->wait_ns ||
	    (r->attempts && now_ns - last_ns(r) < r->rule->cool_ns))
		return HF_REMEDY_REST;
	if (tried_today(r, now_ns) >= r->rule->a_day) {
		if (r->spent)
			return HF_REMEDY_REST;
		r->spent = true;
		return told(r, HF_REMEDY_SPENT);
	}
	r->tried_ns[r->attempts++ % HF_REMEDY_A_DAY] = now_ns;
	/* What was not done needs no look at what it did. */
	r->verifying = mode == HF_REMEDY_ON;
	return told(r, HF_REMEDY_TRY);
}

json_t *hf_remedy_json(const struct hf_remedy *r, uint64_t now_ns)
{
	uint32_t today = tried_today(r, now_ns);

	return json_pack("{s:s, s:I, s:s, s:i}", "name", r->rule->name, "attempts",
			 (json_int_t)r->attempts, "last", hf_remedy_word(r->last), "left_today",
			 (int)(today < r->rule->a_day ? r->rule->a_day - today : 0));
}
