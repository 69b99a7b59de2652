// SPDX-License-Identifier: GPL-2.0
/*
 * From what is seen to incidents: names, titles, how grave it is, how long it must have lasted.
 * What has its own hysteresis (health.h) is not made to wait again, but for what nobody knows.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "desk.h"
#include "health.h"

#define ARRAY_KEY	"trip/array"
#define UNKNOWN_NS	(30 * HF_S)	/* at a start nobody knows anything for a few seconds */

/* A trip that somebody has asked for is no surprise; a tripped array has an incident already. */
static const struct inc_rule built_in[] = {
	{ .match = "trip/operator", .severity = INC_WARNING },
	{ .match = "trip", .severity = INC_CRITICAL },
	{ .match = "health/trips", .severity = -1, .mute = true },
	{ .match = "", .severity = -1 },
};

int inc_rules_read(struct inc_rules *r, const json_t *alerts, struct hf_err *e)
{
	const json_t *list = json_object_get(alerts, "rules"), *j;
	size_t i;

	memset(r, 0, sizeof(*r));
	if (json_array_size(list) > INC_RULES)
		return hf_fail(e, -EINVAL, "alerts.rules: %zu where %d are allowed",
			       json_array_size(list), INC_RULES);
	json_array_foreach((json_t *)list, i, j) {
		const char *match = hf_config_text_or(j, "match", "");
		const char *severity = hf_config_text_or(j, "severity", "");
		struct inc_rule *to = &r->rule[r->n++];

		if (!match[0] || strlen(match) >= sizeof(to->match))
			return hf_fail(e, -EINVAL, "alerts.rules.%zu.match: 1 to %zu bytes are allowed",
				       i, sizeof(to->match) - 1);
		strcpy(to->match, match);
		to->severity = !strcmp(severity, "critical") ? INC_CRITICAL :
			       !strcmp(severity, "warning") ? INC_WARNING : -1;
		to->mute = json_is_true(json_object_get(j, "mute"));
		to->for_ns = (uint64_t)hf_config_int_or(j, "for_s", 0) * HF_S;
	}
	return 0;
}

/* "trip" is all that begins with "trip/", "trip/dose" itself alone, "" everything. */
static bool matches(const char *match, const char *name)
{
	size_t n = strlen(match);

	return !n || (!strncmp(match, name, n) && (!name[n] || name[n] == '/'));
}

const struct inc_rule *inc_rule_for(const struct inc_rules *r, const char *name)
{
	const struct inc_rule *rule = built_in;

	for (size_t i = 0; i < r->n; i++)
		if (matches(r->rule[i].match, name))
			return &r->rule[i];
	while (!matches(rule->match, name))
		rule++;
	return rule;
}

/* -------------------------------------------------------------------- health */

static void hear_check(struct inc_engine *e, const struct inc_rules *r, const json_t *check)
{
	const char *name = json_string_value(json_array_get(check, 0));
	const char *word = json_string_value(json_array_get(check, 1));
	const char *why = json_string_value(json_array_get(check, 3));
	bool ready = json_is_true(json_array_get(check, 2));
	char key[INC_KEY], title[INC_TITLE];
	const struct inc_rule *rule;
	struct inc_seen s = { .key = key, .title = title, .detail = why ? why : "", .event = "" };

	if (!name || !word || strlen(name) >= HF_HEALTH_NAME)
		return;
	snprintf(key, sizeof(key), "health/%s", name);
	if (!strcmp(word, "ok")) {
		inc_well(e, key, "it is well again");
		return;
	}
	rule = inc_rule_for(r, key);
	if (rule->mute)
		return;
	snprintf(title, sizeof(title), "check %s: %s", name, word);
	s.severity = ready && strcmp(word, "warn") != 0 ? INC_CRITICAL : INC_WARNING;
	if (rule->severity >= 0)
		s.severity = (enum inc_severity)rule->severity;
	s.for_ns = !strcmp(word, "unknown") && rule->for_ns < UNKNOWN_NS ? UNKNOWN_NS : rule->for_ns;
	inc_saw(e, &s);
}

void inc_hear_health(struct inc_engine *e, const struct inc_rules *r, const json_t *health)
{
	const json_t *check;
	size_t i;

	json_array_foreach(json_object_get(health, "checks"), i, check)
		hear_check(e, r, check);
}

/* --------------------------------------------------------------------- trips */

static const char *text_of(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));

	return s ? s : "";
}

static void tripped(struct inc_engine *e, const struct inc_rules *r, const char *key,
		    const json_t *body, const struct hf_corr *corr)
{
	const json_t *what = json_object_get(body, "what"), *trip = json_object_get(what, "trip");
	json_int_t array = json_integer_value(json_object_get(body, "array"));
	char name[INC_KEY], title[INC_TITLE], event[INC_KEY];
	const struct inc_rule *rule;
	json_t *latest;

	snprintf(name, sizeof(name), "trip/%s", text_of(trip, "cause"));
	rule = inc_rule_for(r, name);
	if (rule->mute)
		return;
	snprintf(title, sizeof(title), "array %" JSON_INTEGER_FORMAT " (%.31s) tripped: %.32s", array,
		 text_of(what, "serial"), text_of(trip, "cause"));
	snprintf(event, sizeof(event), "%.16s/%" JSON_INTEGER_FORMAT, text_of(body, "instance"),
		 json_integer_value(json_object_get(body, "seq")));
	latest = json_copy((json_t *)what);
	json_object_del(latest, "blackbox");
	inc_saw(e, &(struct inc_seen){
		.key = key, .title = title, .detail = text_of(trip, "text"), .event = event,
		.severity = rule->severity == INC_WARNING ? INC_WARNING : INC_CRITICAL,
		.tenants = json_object_get(what, "tenants"), .evidence = what, .latest = latest,
		.corr = corr });
	json_decref(latest);
}

void inc_hear_array(struct inc_engine *e, const struct inc_rules *r, const json_t *body,
		    const struct hf_corr *corr)
{
	const char *state = text_of(body, "state");
	char key[INC_KEY];

	snprintf(key, sizeof(key), ARRAY_KEY "%" JSON_INTEGER_FORMAT,
		 json_integer_value(json_object_get(body, "array")));
	if (!strcmp(state, "tripped"))
		tripped(e, r, key, body, corr);
	else if (!strcmp(state, "clear"))
		inc_well(e, key, "the trip has been reset");
	else
		inc_unknown(e, key, "the array has gone: nobody knows whether it is tripped");
}
