// SPDX-License-Identifier: GPL-2.0
/*
 * The table of checks and of remedies, and what comes of them: a log line and a
 * record for each change, an attempt where it is safe (docs/health.md).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "daemon.h"
#include "degrade.h"
#include "health.h"
#include "host.h"
#include "log.h"
#include "remedy.h"

#define STALE_NS	(15 * HF_S)
#define MIN_NS		(60 * HF_S)
#define CHANGES_TOLD	4	/* of each check: all must fit into one message */

/* @who: whose check it is: nobody else is believed. @rule.ready: counts for /readyz. */
static const struct check {
	enum hf_proc who;
	struct hf_health_rule rule;
} checks[] = {
#define CHECK(w, n, r, up, down, text) \
	{ HF_PROC_##w, { .name = n, .what = text, .ready = r, .raise = up, .clear = down, \
			 .stale_ns = STALE_NS } }
	CHECK(PARENT, "processes", true, 2, 2, "all processes of the agent answer"),
	CHECK(KEEPER, "driver", true, 2, 2, "the module is loaded, its ABI is ours, arrays are kept"),
	CHECK(AUDIT, "audit", true, 1, 2, "records can be made durable"),
	CHECK(AUTH, "database", true, 1, 1, "the database of users is whole"),
	CHECK(KEEPER, "beat", false, 2, 3, "the keeper's beats come well before the deadline"),
	CHECK(KEEPER, "node", false, 1, 1, "only who may can open the device nodes"),
	CHECK(KEEPER, "sensors", false, 2, 2, "all sensors give new, plausible readings"),
	CHECK(KEEPER, "temperature", false, 2, 3, "temperatures stay below those that trip"),
	CHECK(KEEPER, "supply", false, 2, 3, "supply voltages stay within their limits"),
	CHECK(KEEPER, "trips", false, 1, 1, "no array is tripped"),
	CHECK(KEEPER, "events", false, 1, 2, "no event of the driver is lost on its way to the log"),
	CHECK(KEEPER, "leases", false, 2, 2, "there is room for more leases"),
	CHECK(KEEPER, "limits", false, 1, 1, "limits are those of the configuration"),
	CHECK(KEEPER, "self_test", false, 1, 1, "self-tests pass and are not too old"),
	CHECK(KEEPER, "calibration", false, 1, 1, "calibrations are not too old"),
	CHECK(AUDIT, "disk", false, 2, 2, "there is room for the audit log"),
	CHECK(EXPORT, "anchors", false, 2, 2, "places outside take anchors of the audit log"),
	CHECK(AUTH, "keys", false, 1, 1, "the key that signs tokens is not too old"),
	CHECK(FRONT, "certificate", false, 1, 1, "the certificate is good for a while"),
	CHECK(PARENT, "memory", false, 5, 5, "the agent uses no more memory than it should"),
	CHECK(PARENT, "cpu", false, 15, 5, "the agent uses no more of the processor than it should"),
	CHECK(PARENT, "clock", false, 1, 15, "the time of day goes on evenly"),
	CHECK(PARENT, "configuration", false, 2, 1, "the file is what is in force"),
#undef CHECK
};

#define CHECKS	(sizeof(checks) / sizeof(checks[0]))

/* @act: for the finding that the check has now. Return: 0, -errno: it could not even be tried. */
struct remedy {
	struct hf_remedy_rule rule;
	int (*act)(struct hf_checks *w, const struct hf_health_check *c);
};

#define REMEDIES	3

struct hf_checks {
	struct hf_parent *parent;
	struct hf_health_check check[CHECKS];
	struct hf_remedy remedy[REMEDIES];
	struct hf_host host;
	struct hf_degrade degrade;
	bool started;	/* every process that is wanted has been ready at the same time */
};

static uint64_t now_ns(const struct hf_checks *w)
{
	return hf_mono_ns(hf_parent_clock(w->parent));
}

/* ---------------------------------------------------------------- remedies */

/* Processes without which nothing emits, and that lose nothing by being started again. */
static bool may_restart(enum hf_proc role)
{
	return role == HF_PROC_FRONT || role == HF_PROC_LOCAL || role == HF_PROC_EXPORT;
}

static int restart(struct hf_checks *w, enum hf_proc role, const char *why)
{
	struct hf_child *c = &w->parent->children[role];

	if (c->state != HF_CHILD_READY)
		return -EAGAIN;
	hf_child_kill(c, "remedy: %s", why);
	return 0;
}

/* The largest process, if it is one that may be started again. */
static int restart_largest(struct hf_checks *w, const struct hf_health_check *c)
{
	enum hf_proc largest = hf_host_largest(w->parent);

	return may_restart(largest) ? restart(w, largest, c->found.text) : -EPERM;
}

static int restart_export(struct hf_checks *w, const struct hf_health_check *c)
{
	return restart(w, HF_PROC_EXPORT, c->found.text);
}

static void on_self_test(void *arg, int status, const json_t *result)
{
	(void)arg;
	if (status >= 300)
		hf_log_app(HF_LOG_WARN, "remedy", NULL, "self_test: %s",
			   json_string_value(json_object_get(result, "message")));
}

/* The driver refuses it unless the array is silent. */
static int run_self_test(struct hf_checks *w, const struct hf_health_check *c)
{
	struct hf_link *keeper = hf_parent_link(w->parent, HF_PROC_KEEPER);

	if (!keeper || c->found.array < 0)
		return -EAGAIN;
	return hf_link_request(keeper, HF_MSG_CALL, NULL,
			       json_pack("{s:s, s:{s:i}, s:o}", "op", "array.self_test", "args",
					 "array", c->found.array, "actor",
					 hf_actor_json(&hf_actor_self)),
			       -1, now_ns(w) + 10 * HF_S, on_self_test, NULL);
}

static const struct remedy remedies[REMEDIES] = {
	{ { .check = "memory", .name = "restart_largest", .from = HF_HEALTH_FAIL, .wait_ns = 0,
	    .cool_ns = 10 * MIN_NS, .verify_ns = MIN_NS, .a_day = 4 }, restart_largest },
	{ { .check = "anchors", .name = "restart_export", .from = HF_HEALTH_FAIL, .wait_ns = 5 * MIN_NS,
	    .cool_ns = 30 * MIN_NS, .verify_ns = 2 * MIN_NS, .a_day = 4 }, restart_export },
	{ { .check = "self_test", .name = "run_self_test", .from = HF_HEALTH_WARN, .wait_ns = MIN_NS,
	    .cool_ns = 10 * MIN_NS, .verify_ns = MIN_NS, .a_day = 8 }, run_self_test },
};

static enum hf_remedy_mode mode_of(const struct hf_checks *w)
{
	json_t *part = hf_config_part(hf_parent_config(w->parent), HF_PROC_PARENT);
	const char *word = hf_config_text_or(part, "health.remedies", "off");
	enum hf_remedy_mode mode = !strcmp(word, "on") ? HF_REMEDY_ON :
				   !strcmp(word, "dry_run") ? HF_REMEDY_DRY : HF_REMEDY_OFF;

	json_decref(part);
	return mode;
}

static void remedy_say(struct hf_checks *w, const struct hf_remedy_rule *rule, const char *what,
		       const char *result, const char *why)
{
	hf_log_app(HF_LOG_NOTICE, "remedy", NULL, "%s for %s: %s%s%s", rule->name, rule->check, what,
		   why[0] ? ": " : "", why);
	hf_parent_append(w->parent, NULL, &hf_actor_self, "remedy.step", rule->check, "event", result, 0,
			 json_pack("{s:s, s:s, s:s}", "remedy", rule->name, "what", what, "why", why),
			 NULL, NULL);
}

static void remedy_step(struct hf_checks *w, size_t i, enum hf_remedy_mode mode,
			const struct hf_health_check *c)
{
	const struct hf_remedy_rule *rule = &remedies[i].rule;
	enum hf_remedy_step step = hf_remedy_step(&w->remedy[i], c->said, mode, now_ns(w));
	int ret;

	switch (step) {
	case HF_REMEDY_REST:
		break;
	case HF_REMEDY_TRY:
		if (mode == HF_REMEDY_DRY) {
			remedy_say(w, rule, "would be tried", "ok", c->found.text);
			break;
		}
		remedy_say(w, rule, "is tried", "ok", c->found.text);
		ret = remedies[i].act(w, c);
		if (ret)
			remedy_say(w, rule, "could not be tried", "error", strerror(-ret));
		break;
	case HF_REMEDY_HELPED:
		remedy_say(w, rule, "has helped", "ok", "");
		break;
	case HF_REMEDY_FAILED:
		remedy_say(w, rule, "did not help", "error", c->found.text);
		break;
	case HF_REMEDY_SPENT:
		remedy_say(w, rule, "was tried often enough for today: somebody must look", "error",
			   c->found.text);
		break;
	}
}

/* ------------------------------------------------------------------ checks */

static struct hf_health_check *check_find(struct hf_checks *w, const char *name)
{
	for (size_t i = 0; i < CHECKS; i++)
		if (!strcmp(checks[i].rule.name, name))
			return &w->check[i];
	return NULL;
}

/* The newest change: to people by the log, and for good. */
static void changed(struct hf_checks *w, const struct hf_health_check *c)
{
	const struct hf_health_change *ch = &c->change[(c->changes - 1) % HF_HEALTH_CHANGES];
	bool good = ch->to == HF_HEALTH_OK;

	if (c->changes == 1 && good)	/* that it was well from the beginning is no news */
		return;
	hf_log_app(good ? HF_LOG_NOTICE : HF_LOG_WARN, "health", NULL, "%s: %s, was %s%s%s",
		   c->rule->name, hf_health_word(ch->to), hf_health_word(ch->from),
		   ch->text[0] ? ": " : "", ch->text);
	hf_parent_append(w->parent, NULL, &hf_actor_self, "health.change", c->rule->name, "event",
			 good ? "ok" : ch->to == HF_HEALTH_UNKNOWN ? "unknown" : "error", 0,
			 json_pack("{s:s, s:s, s:s}", "from", hf_health_word(ch->from), "to",
				   hf_health_word(ch->to), "why", ch->text), NULL, NULL);
}

static void found(struct hf_checks *w, struct hf_health_check *c, const struct hf_finding *f)
{
	if (hf_health_found(c, f, now_ns(w), hf_real_ns(hf_parent_clock(w->parent))))
		changed(w, c);
}

void hf_checks_heard(struct hf_checks *w, enum hf_proc from, const json_t *findings)
{
	char name[HF_HEALTH_NAME];
	struct hf_finding f;
	const json_t *j;
	size_t i;

	json_array_foreach((json_t *)findings, i, j) {
		struct hf_health_check *c;

		if (i == CHECKS || hf_finding_read(j, name, &f))
			return;
		c = check_find(w, name);
		if (c && checks[c - w->check].who == from)
			found(w, c, &f);
	}
}

/* Who is not wanted has nothing to say, and that is as it should be. */
static void ask_nobody(struct hf_checks *w)
{
	struct hf_finding well = hf_finding(HF_HEALTH_OK, NAN, NAN, " ");

	for (size_t i = 0; i < CHECKS; i++)
		if (checks[i].who != HF_PROC_PARENT &&
		    w->parent->children[checks[i].who].state == HF_CHILD_OFF)
			found(w, &w->check[i], &well);
}

/* ------------------------------------------------------- degradation */

static bool failed(struct hf_checks *w, const char *name)
{
	return check_find(w, name)->said == HF_HEALTH_FAIL;
}

/* By what the others do: the keeper says itself whether it has silenced all. */
static enum hf_level right_level(struct hf_checks *w)
{
	const struct hf_child *keeper = &w->parent->children[HF_PROC_KEEPER];

	if (json_is_true(json_object_get(keeper->stats, "silenced")))
		return HF_LEVEL_SILENT;
	if (failed(w, "audit"))
		return HF_LEVEL_READ_ONLY;
	return failed(w, "anchors") ? HF_LEVEL_NO_EXPORT : HF_LEVEL_FULL;
}

static void degrade(struct hf_checks *w)
{
	enum hf_level before = w->degrade.level, now;

	if (!hf_degrade_step(&w->degrade, right_level(w), now_ns(w)))
		return;
	now = w->degrade.level;
	hf_log_app(now > before ? HF_LOG_WARN : HF_LOG_NOTICE, "agent.level", NULL, "%s, was %s",
		   hf_level_word(now), hf_level_word(before));
	hf_parent_append(w->parent, NULL, &hf_actor_self, "agent.level", "holdfastd", "event",
			 now > before ? "error" : "ok", 0,
			 json_pack("{s:s, s:s}", "from", hf_level_word(before), "to",
				   hf_level_word(now)), NULL, NULL);
}

static bool all_ready(const struct hf_parent *p)
{
	for (int i = 1; i < HF_PROCS; i++)
		if (p->children[i].state != HF_CHILD_READY && p->children[i].state != HF_CHILD_OFF)
			return false;
	return true;
}

void hf_checks_round(struct hf_checks *w)
{
	uint64_t real_ns = hf_real_ns(hf_parent_clock(w->parent));
	enum hf_remedy_mode mode = mode_of(w);
	struct hf_host_findings own;

	w->started |= w->parent->state == HF_ST_RUNNING && all_ready(w->parent);
	hf_host_look(&w->host, w->parent, &own);
	found(w, check_find(w, "processes"), &own.processes);
	found(w, check_find(w, "memory"), &own.memory);
	found(w, check_find(w, "cpu"), &own.cpu);
	found(w, check_find(w, "clock"), &own.clock);
	found(w, check_find(w, "configuration"), &own.configuration);
	ask_nobody(w);
	for (size_t i = 0; i < CHECKS; i++)
		if (hf_health_tick(&w->check[i], now_ns(w), real_ns))
			changed(w, &w->check[i]);
	degrade(w);
	for (size_t i = 0; i < REMEDIES; i++)
		remedy_step(w, i, mode, check_find(w, remedies[i].rule.check));
}

void hf_checks_configured(struct hf_checks *w, const char *text, size_t len)
{
	hf_host_configured(&w->host, text, len);
}

/* ----------------------------------------------------------------- answers */

json_t *hf_checks_brief(const struct hf_checks *w)
{
	json_t *list = json_array();

	for (size_t i = 0; i < CHECKS; i++)
		json_array_append_new(list, json_pack("[s, s, b]", checks[i].rule.name,
						      hf_health_word(w->check[i].said),
						      (int)checks[i].rule.ready));
	return json_pack("{s:b, s:o}", "started", (int)w->started, "checks", list);
}

json_t *hf_checks_levels(const struct hf_checks *w)
{
	json_t *list = json_array();

	for (size_t i = 0; i < CHECKS; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "name", checks[i].rule.name,
						      "health", hf_health_word(w->check[i].said)));
	return list;
}

const char *hf_checks_level(const struct hf_checks *w)
{
	return hf_level_word(w->degrade.level);
}

static json_t *check_report(const struct hf_checks *w, const struct hf_health_check *c)
{
	json_t *j = hf_health_json(c, CHANGES_TOLD);

	for (size_t i = 0; i < REMEDIES; i++)
		if (!strcmp(remedies[i].rule.check, c->rule->name))
			json_object_set_new(j, "remedy", hf_remedy_json(&w->remedy[i], now_ns(w)));
	return j;
}

json_t *hf_checks_report(const struct hf_checks *w, bool all)
{
	enum hf_health ready = hf_health_worst(w->check, CHECKS, true);
	json_t *list = json_array();

	for (size_t i = 0; all && i < CHECKS; i++)
		json_array_append_new(list, check_report(w, &w->check[i]));
	if (!all) {
		json_decref(list);
		list = hf_checks_levels(w);
	}
	return json_pack("{s:s, s:s, s:b, s:b, s:o}", "health",
			 hf_health_word(hf_health_worst(w->check, CHECKS, false)), "level",
			 hf_level_word(w->degrade.level), "ready",
			 (int)(ready == HF_HEALTH_OK || ready == HF_HEALTH_WARN), "started",
			 (int)w->started, "checks", list);
}

int hf_checks_new(struct hf_checks **out, struct hf_parent *p)
{
	struct hf_checks *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->parent = p;
	for (size_t i = 0; i < CHECKS; i++)
		hf_health_init(&w->check[i], &checks[i].rule, hf_real_ns(hf_parent_clock(p)));
	for (size_t i = 0; i < REMEDIES; i++)
		hf_remedy_init(&w->remedy[i], &remedies[i].rule);
	*out = w;
	return 0;
}

void hf_checks_free(struct hf_checks *w)
{
	free(w);
}
