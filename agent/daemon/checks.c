// SPDX-License-Identifier: GPL-2.0
/*
 * The table of checks and what comes of them: a log line and a record for each
 * change, how much of the agent works, what is tried (remedies.c; docs/health.md).
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
#include "remedies.h"

#define STALE_NS	(15 * HF_S)
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
	CHECK(EXPORT, "alerts", false, 2, 1, "incidents can be told to those who are to hear of them"),
	CHECK(FLEET, "fleet", false, 5, 2, "the fleet's bus takes what is published"),
	CHECK(AUTH, "keys", false, 1, 1, "the key that signs tokens is not too old"),
	CHECK(FRONT, "certificate", false, 1, 1, "the certificate is good for a while"),
	CHECK(PARENT, "memory", false, 5, 5, "the agent uses no more memory than it should"),
	CHECK(PARENT, "cpu", false, 15, 5, "the agent uses no more of the processor than it should"),
	CHECK(PARENT, "clock", false, 1, 15, "the time of day goes on evenly"),
	CHECK(PARENT, "configuration", false, 2, 1, "the file is what is in force"),
	CHECK(PARENT, "standby", false, 2, 1, "as many stand by as the configuration wants"),
#undef CHECK
};

#define CHECKS	(sizeof(checks) / sizeof(checks[0]))

struct hf_checks {
	struct hf_parent *parent;
	struct hf_health_check check[CHECKS];
	struct hf_remedies remedies;
	struct hf_host host;
	enum hf_remedy_mode mode;
	struct hf_degrade degrade;
	bool started;	/* every process that is wanted has been ready at the same time */
};

static uint64_t now_ns(const struct hf_checks *w)
{
	return hf_mono_ns(hf_parent_clock(w->parent));
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
	struct hf_finding well = hf_finding_ok(NAN, NAN);

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
	struct hf_host_findings own;

	w->started |= w->parent->state == HF_ST_RUNNING && all_ready(w->parent);
	hf_host_look(&w->host, w->parent, &own);
	found(w, check_find(w, "processes"), &own.processes);
	found(w, check_find(w, "memory"), &own.memory);
	found(w, check_find(w, "cpu"), &own.cpu);
	found(w, check_find(w, "clock"), &own.clock);
	found(w, check_find(w, "configuration"), &own.configuration);
	found(w, check_find(w, "standby"), &own.standby);
	ask_nobody(w);
	for (size_t i = 0; i < CHECKS; i++)
		if (hf_health_tick(&w->check[i], now_ns(w), real_ns))
			changed(w, &w->check[i]);
	degrade(w);
	hf_remedies_round(&w->remedies, w->parent, w->mode);
}

void hf_checks_configured(struct hf_checks *w, const json_t *part, const char *text, size_t len)
{
	const char *remedies = hf_config_text(part, "health.remedies");

	w->mode = !strcmp(remedies, "on") ? HF_REMEDY_ON :
		  !strcmp(remedies, "dry_run") ? HF_REMEDY_DRY : HF_REMEDY_OFF;
	hf_host_configured(&w->host, part, text, len);
}

const struct hf_health_check *hf_checks_find(const struct hf_checks *w, const char *name)
{
	return check_find((struct hf_checks *)w, name);
}

/* ----------------------------------------------------------------- answers */

json_t *hf_checks_brief(const struct hf_checks *w)
{
	json_t *list = json_array();

	for (size_t i = 0; i < CHECKS; i++) {
		const struct hf_health_check *c = &w->check[i];
		const char *why = c->changes ?
			c->change[(c->changes - 1) % HF_HEALTH_CHANGES].text : "";

		json_array_append_new(list, json_pack("[s, s, b, s]", c->rule->name,
						      hf_health_word(c->said),
						      (int)c->rule->ready, why));
	}
	return json_pack("{s:b, s:s, s:o}", "started", (int)w->started, "level",
			 hf_checks_level(w), "checks", list);
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
	json_t *remedy = hf_remedies_json(&w->remedies, c->rule->name, now_ns(w));

	if (remedy)
		json_object_set_new(j, "remedy", remedy);
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
	hf_remedies_init(&w->remedies);
	*out = w;
	return 0;
}

void hf_checks_free(struct hf_checks *w)
{
	free(w);
}
