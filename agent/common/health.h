/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Is it well? One check each: what it found last, whether that has lasted long
 * enough to be said (hysteresis), what it said before (history), where its
 * number is going (trend). Pure: findings and time come from outside, nothing is
 * asked, waited for or mended in here.
 *
 * After the Kubernetes node problem detector: a change is an event, a state is a
 * condition with a reason; a check that has not been heard of is unknown, not ok.
 */
#ifndef HF_HEALTH_H
#define HF_HEALTH_H

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

enum hf_health { HF_HEALTH_OK, HF_HEALTH_WARN, HF_HEALTH_FAIL, HF_HEALTH_UNKNOWN };

const char *hf_health_word(enum hf_health h);	/* "ok", "warn", "fail", "unknown" */

/**
 * struct hf_health_rule - one check, as the table has it
 * @name:	"audit"
 * @what:	one line for people
 * @ready:	while it fails, or nobody knows, /readyz says no
 * @raise:	findings in a row before it is said to be worse, >= 1
 * @clear:	before it is said to be better, >= 1
 * @stale_ns:	a finding older than this is no finding
 */
struct hf_health_rule {
	const char *name, *what;
	bool ready;
	uint32_t raise, clear;
	uint64_t stale_ns;
};

#define HF_HEALTH_NAME	24
#define HF_HEALTH_TEXT	160
#define HF_HEALTH_CHANGES 16
#define HF_HEALTH_VALUES 64

/**
 * struct hf_finding - what was found just now
 * @array:	the array it is about; -1: none
 * @value:	the number that was looked at; NAN: there is none
 * @bound:	what it is compared with; NAN: nothing
 * @text:	why it is not ok, "" if it is
 */
struct hf_finding {
	enum hf_health health;
	int array;
	double value, bound;
	char text[HF_HEALTH_TEXT];
};

struct hf_health_change {
	uint64_t real_ns;
	enum hf_health from, to;
	char text[HF_HEALTH_TEXT];
};

/* @fmt: text of the finding; left out if @health is ok after all. */
struct hf_finding hf_finding(enum hf_health health, double value, double bound, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Nothing is wrong. */
struct hf_finding hf_finding_ok(double value, double bound);
/* Keeps the worse of both; of two that are equally bad, the first. */
void hf_finding_worse(struct hf_finding *f, const struct hf_finding *other);
/* One more, about the rule @check, into the array @list for the answer to PING. */
void hf_findings_add(json_t *list, const char *check, const struct hf_finding *f);
/*
 * hf_finding_read() - one entry of such an array, from another process
 * Return: 0; -EINVAL: it is not one (nothing is read).
 */
int hf_finding_read(const json_t *j, char check[HF_HEALTH_NAME], struct hf_finding *f);

/* What is too much: @warn <= @fail, or what is too little: @warn >= @fail. NAN is unknown. */
enum hf_health hf_health_of(double value, double warn, double fail);

/* Private but for reading. */
struct hf_health_check {
	const struct hf_health_rule *rule;
	enum hf_health said;		/* unknown at first */
	struct hf_finding found;	/* the last one */
	uint64_t found_ns;		/* 0: never */
	uint64_t since_real_ns;		/* of @said */
	enum hf_health towards;		/* what the last findings would make of it */
	uint32_t in_a_row;
	struct hf_health_change change[HF_HEALTH_CHANGES];
	uint64_t changes;		/* ever; the newest is at (changes - 1) % HF_HEALTH_CHANGES */
	struct { uint64_t ns; double v; } value[HF_HEALTH_VALUES];
	uint64_t values;
};

void hf_health_init(struct hf_health_check *c, const struct hf_health_rule *rule, uint64_t real_ns);
/* Return: true: what is said has changed, it is the newest of @c->change. */
bool hf_health_found(struct hf_health_check *c, const struct hf_finding *f, uint64_t now_ns,
		     uint64_t real_ns);
/* No finding came: after @stale_ns that is one. Return as hf_health_found(). */
bool hf_health_tick(struct hf_health_check *c, uint64_t now_ns, uint64_t real_ns);
/*
 * hf_health_trend() - the straight line through the last values (least squares)
 * Return: change of the value in a second; NAN: fewer than 8 values or less than 10 s.
 */
double hf_health_trend(const struct hf_health_check *c);
/* Seconds until the value reaches @bound at that rate; NAN: it does not. */
double hf_health_forecast_s(const struct hf_health_check *c, double bound);

/* The worst of @n checks; unknown is worse than warn and better than fail. @ready: only those. */
enum hf_health hf_health_worst(const struct hf_health_check *list, size_t n, bool ready);
/*
 * { name, what, health, since_ns, text, array?, value?, bound?, trend_per_s?, reaches_bound_in_s?,
 * history[]: the newest @changes }; new reference.
 */
json_t *hf_health_json(const struct hf_health_check *c, unsigned int changes);

#endif /* HF_HEALTH_H */
