// SPDX-License-Identifier: GPL-2.0
/*
 * The table of remedies, and each attempt (remedies.h). When to try is decided in
 * common/remedy.c.
 */
#include <errno.h>
#include <string.h>

#include "daemon.h"
#include "health.h"
#include "host.h"
#include "log.h"
#include "remedies.h"

#define MIN_NS		(60 * HF_S)

/* @act: for what the check has found. Return: 0, -errno: it could not even be tried. */
struct remedy {
	struct hf_remedy_rule rule;
	int (*act)(struct hf_parent *p, const struct hf_health_check *c);
};

static uint64_t now_ns(struct hf_parent *p)
{
	return hf_mono_ns(hf_parent_clock(p));
}

/* Processes that nothing emits by, and that lose nothing by being started again. */
static bool may_restart(enum hf_proc role)
{
	return role == HF_PROC_FRONT || role == HF_PROC_LOCAL || role == HF_PROC_EXPORT ||
	       role == HF_PROC_FLEET;
}

static int restart(struct hf_parent *p, enum hf_proc role, const char *why)
{
	struct hf_child *c = &p->children[role];

	if (c->state != HF_CHILD_READY)
		return -EAGAIN;
	hf_child_kill(c, "remedy: %s", why);
	return 0;
}

/* The largest process, if it is one that may be started again. */
static int restart_largest(struct hf_parent *p, const struct hf_health_check *c)
{
	enum hf_proc largest = hf_host_largest(p);

	return may_restart(largest) ? restart(p, largest, c->found.text) : -EPERM;
}

static int restart_export(struct hf_parent *p, const struct hf_health_check *c)
{
	return restart(p, HF_PROC_EXPORT, c->found.text);
}

static void on_self_test(void *arg, int status, const json_t *result)
{
	(void)arg;
	if (status >= 300)
		hf_log_app(HF_LOG_WARN, "remedy", NULL, "self_test: %s",
			   json_string_value(json_object_get(result, "message")));
}

/* The driver refuses it unless the array is silent. */
static int run_self_test(struct hf_parent *p, const struct hf_health_check *c)
{
	struct hf_link *keeper = hf_parent_link(p, HF_PROC_KEEPER);

	if (!keeper || c->found.array < 0)
		return -EAGAIN;
	return hf_link_request(keeper, HF_MSG_CALL, NULL,
			       json_pack("{s:s, s:{s:i}, s:o}", "op", "array.self_test", "args",
					 "array", c->found.array, "actor",
					 hf_actor_json(&hf_actor_self)),
			       -1, now_ns(p) + 10 * HF_S, on_self_test, NULL);
}

static const struct remedy remedies[HF_REMEDIES] = {
	{ { .check = "memory", .name = "restart_largest", .from = HF_HEALTH_FAIL, .wait_ns = 0,
	    .cool_ns = 10 * MIN_NS, .verify_ns = MIN_NS, .a_day = 4 }, restart_largest },
	{ { .check = "anchors", .name = "restart_export", .from = HF_HEALTH_FAIL, .wait_ns = 5 * MIN_NS,
	    .cool_ns = 30 * MIN_NS, .verify_ns = 2 * MIN_NS, .a_day = 4 }, restart_export },
	{ { .check = "self_test", .name = "run_self_test", .from = HF_HEALTH_WARN, .wait_ns = MIN_NS,
	    .cool_ns = 10 * MIN_NS, .verify_ns = MIN_NS, .a_day = 8 }, run_self_test },
};

static void remedy_say(struct hf_parent *p, const struct hf_remedy_rule *rule, const char *what,
		       const char *result, const char *why)
{
	hf_log_app(HF_LOG_NOTICE, "remedy", NULL, "%s for %s: %s%s%s", rule->name, rule->check, what,
		   why[0] ? ": " : "", why);
	hf_parent_append(p, NULL, &hf_actor_self, "remedy.step", rule->check, "event", result, 0,
			 json_pack("{s:s, s:s, s:s}", "remedy", rule->name, "what", what, "why", why),
			 NULL, NULL);
}

static void remedy_step(struct hf_remedy *r, const struct remedy *remedy, struct hf_parent *p,
			enum hf_remedy_mode mode)
{
	const struct hf_remedy_rule *rule = &remedy->rule;
	const struct hf_health_check *c = hf_checks_find(p->checks, rule->check);
	enum hf_remedy_step step = hf_remedy_step(r, c->said, mode, now_ns(p));
	int ret;

	switch (step) {
	case HF_REMEDY_REST:
		break;
	case HF_REMEDY_TRY:
		if (mode == HF_REMEDY_DRY) {
			remedy_say(p, rule, "would be tried", "ok", c->found.text);
			break;
		}
		remedy_say(p, rule, "is tried", "ok", c->found.text);
		ret = remedy->act(p, c);
		if (ret)
			remedy_say(p, rule, "could not be tried", "error", strerror(-ret));
		break;
	case HF_REMEDY_HELPED:
		remedy_say(p, rule, "has helped", "ok", "");
		break;
	case HF_REMEDY_FAILED:
		remedy_say(p, rule, "did not help", "error", c->found.text);
		break;
	case HF_REMEDY_SPENT:
		remedy_say(p, rule, "was tried often enough for today: somebody must look", "error",
			   c->found.text);
		break;
	}
}

void hf_remedies_init(struct hf_remedies *rs)
{
	for (size_t i = 0; i < HF_REMEDIES; i++)
		hf_remedy_init(&rs->remedy[i], &remedies[i].rule);
}

void hf_remedies_round(struct hf_remedies *rs, struct hf_parent *p, enum hf_remedy_mode mode)
{
	for (size_t i = 0; i < HF_REMEDIES; i++)
		remedy_step(&rs->remedy[i], &remedies[i], p, mode);
}

json_t *hf_remedies_json(const struct hf_remedies *rs, const char *check, uint64_t at_ns)
{
	for (size_t i = 0; i < HF_REMEDIES; i++)
		if (!strcmp(remedies[i].rule.check, check))
			return hf_remedy_json(&rs->remedy[i], at_ns);
	return NULL;
}
