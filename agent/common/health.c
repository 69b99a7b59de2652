// SPDX-License-Identifier: GPL-2.0
/*
 * The engine of health.h. No clock, no allocation but of JSON.
 */
#include "health.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TREND_VALUES	8
#define TREND_NS	(10 * HF_S)

const char *hf_health_word(enum hf_health h)
{
	static const char *const words[] = { "ok", "warn", "fail", "unknown" };

	return words[h];
}

/* How bad: unknown is worse than a warning, for it may hide a failure. */
static int rank(enum hf_health h)
{
	static const int ranks[] = {
		[HF_HEALTH_OK] = 0, [HF_HEALTH_WARN] = 1, [HF_HEALTH_UNKNOWN] = 2, [HF_HEALTH_FAIL] = 3,
	};

	return ranks[h];
}

static json_t *number_or_null(double v)
{
	return isnan(v) || isinf(v) ? json_null() : json_real(v);
}

struct hf_finding hf_finding(enum hf_health health, double value, double bound, const char *fmt, ...)
{
	struct hf_finding f = { .health = health, .array = -1, .value = value, .bound = bound };
	va_list ap;

	if (health != HF_HEALTH_OK) {
		va_start(ap, fmt);
		vsnprintf(f.text, sizeof(f.text), fmt, ap);
		va_end(ap);
		/* One line of ASCII, whatever a library has said, wherever it was cut. */
		for (char *c = f.text; *c; c++)
			if (*c < ' ' || *c > '~')
				*c = *c > 0 ? ' ' : '?';
	}
	return f;
}

struct hf_finding hf_finding_ok(double value, double bound)
{
	return (struct hf_finding){ .health = HF_HEALTH_OK, .array = -1, .value = value, .bound = bound };
}

void hf_findings_add(json_t *list, const char *check, const struct hf_finding *f)
{
	json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:o, s:o, s:s}", "check", check,
					      "health", (int)f->health, "array", f->array, "value",
					      number_or_null(f->value), "bound",
					      number_or_null(f->bound), "text", f->text));
}

static double number_of(const json_t *j)
{
	return json_is_number(j) ? json_number_value(j) : NAN;
}

int hf_finding_read(const json_t *j, char check[HF_HEALTH_NAME], struct hf_finding *f)
{
	const char *name = json_string_value(json_object_get(j, "check"));
	const char *text = json_string_value(json_object_get(j, "text"));
	const json_t *health = json_object_get(j, "health"), *array = json_object_get(j, "array");
	json_int_t h = json_integer_value(health);

	if (!name || strlen(name) >= HF_HEALTH_NAME || !text || strlen(text) >= HF_HEALTH_TEXT ||
	    !json_is_integer(health) || h < HF_HEALTH_OK || h > HF_HEALTH_UNKNOWN)
		return -EINVAL;
	strcpy(check, name);
	*f = (struct hf_finding){
		.health = (enum hf_health)h,
		.array = json_is_integer(array) ? (int)json_integer_value(array) : -1,
		.value = number_of(json_object_get(j, "value")),
		.bound = number_of(json_object_get(j, "bound")),
	};
	strcpy(f->text, text);
	return 0;
}

void hf_finding_worse(struct hf_finding *f, const struct hf_finding *other)
{
	if (rank(other->health) > rank(f->health))
		*f = *other;
}

enum hf_health hf_health_of(double value, double warn, double fail)
{
	if (isnan(value))
		return HF_HEALTH_UNKNOWN;
	if (warn <= fail)
		return value >= fail ? HF_HEALTH_FAIL : value >= warn ? HF_HEALTH_WARN : HF_HEALTH_OK;
	return value <= fail ? HF_HEALTH_FAIL : value <= warn ? HF_HEALTH_WARN : HF_HEALTH_OK;
}

void hf_health_init(struct hf_health_check *c, const struct hf_health_rule *rule, uint64_t real_ns)
{
	memset(c, 0, sizeof(*c));
	c->rule = rule;
	c->said = HF_HEALTH_UNKNOWN;
	c->towards = HF_HEALTH_UNKNOWN;
	c->since_real_ns = real_ns;
	c->found = hf_finding(HF_HEALTH_UNKNOWN, NAN, NAN, "nothing was found out yet");
}

static void say(struct hf_health_check *c, enum hf_health to, uint64_t real_ns)
{
	struct hf_health_change *ch = &c->change[c->changes++ % HF_HEALTH_CHANGES];

	*ch = (struct hf_health_change){ .real_ns = real_ns, .from = c->said, .to = to };
	snprintf(ch->text, sizeof(ch->text), "%s", c->found.text);
	c->said = to;
	c->since_real_ns = real_ns;
	c->in_a_row = 0;
}

/* Only what lasts is said; the first finding of all is. */
static bool judge(struct hf_health_check *c, uint64_t real_ns)
{
	enum hf_health now = c->found.health;
	uint32_t need;

	if (now == c->said) {
		c->in_a_row = 0;
		c->towards = now;
		return false;
	}
	/* Worse than ever on the way to worse still counts as one row; better and worse do not. */
	if (c->in_a_row && (rank(now) > rank(c->said)) != (rank(c->towards) > rank(c->said)))
		c->in_a_row = 0;
	c->towards = now;
	c->in_a_row++;
	need = rank(now) > rank(c->said) ? c->rule->raise : c->rule->clear;
	if (!c->changes && c->said == HF_HEALTH_UNKNOWN)
		need = 1;
	if (c->in_a_row < need)
		return false;
	say(c, now, real_ns);
	return true;
}

bool hf_health_found(struct hf_health_check *c, const struct hf_finding *f, uint64_t now_ns,
		     uint64_t real_ns)
{
	c->found = *f;
	c->found_ns = now_ns;
	if (!isnan(f->value)) {
		c->value[c->values % HF_HEALTH_VALUES].ns = now_ns;
		c->value[c->values++ % HF_HEALTH_VALUES].v = f->value;
	}
	return judge(c, real_ns);
}

bool hf_health_tick(struct hf_health_check *c, uint64_t now_ns, uint64_t real_ns)
{
	if (!c->found_ns || now_ns - c->found_ns <= c->rule->stale_ns)
		return false;
	c->found.health = HF_HEALTH_UNKNOWN;
	snprintf(c->found.text, sizeof(c->found.text), "nothing was found out for %llu s",
		 (unsigned long long)((now_ns - c->found_ns) / HF_S));
	if (c->said == HF_HEALTH_UNKNOWN)
		return false;
	say(c, HF_HEALTH_UNKNOWN, real_ns);
	return true;
}

double hf_health_trend(const struct hf_health_check *c)
{
	uint64_t n = c->values < HF_HEALTH_VALUES ? c->values : HF_HEALTH_VALUES;
	uint64_t first = c->values - n, t0, i;
	double st = 0, sv = 0, stt = 0, stv = 0, span;

	if (n < TREND_VALUES)
		return NAN;
	t0 = c->value[first % HF_HEALTH_VALUES].ns;
	if (c->value[(c->values - 1) % HF_HEALTH_VALUES].ns - t0 < TREND_NS)
		return NAN;
	for (i = first; i < c->values; i++) {
		double t = (double)(c->value[i % HF_HEALTH_VALUES].ns - t0) / 1e9;
		double v = c->value[i % HF_HEALTH_VALUES].v;

		st += t;
		sv += v;
		stt += t * t;
		stv += t * v;
	}
	span = (double)n * stt - st * st;
	return span > 0 ? ((double)n * stv - st * sv) / span : NAN;
}

double hf_health_forecast_s(const struct hf_health_check *c, double bound)
{
	double per_s = hf_health_trend(c), left = bound - c->found.value;

	if (isnan(per_s) || isnan(left) || per_s == 0 || left == 0 || (left > 0) != (per_s > 0))
		return NAN;
	return left / per_s;
}

enum hf_health hf_health_worst(const struct hf_health_check *list, size_t n, bool ready)
{
	enum hf_health worst = HF_HEALTH_OK;

	for (size_t i = 0; i < n; i++)
		if ((!ready || list[i].rule->ready) && rank(list[i].said) > rank(worst))
			worst = list[i].said;
	return worst;
}

static void put_number(json_t *j, const char *name, double v)
{
	if (!isnan(v) && !isinf(v))
		json_object_set_new(j, name, json_real(v));
}

static json_t *history_json(const struct hf_health_check *c, uint64_t n)
{
	json_t *list = json_array();

	if (n > HF_HEALTH_CHANGES)
		n = HF_HEALTH_CHANGES;
	if (n > c->changes)
		n = c->changes;

	for (uint64_t i = c->changes - n; list && i < c->changes; i++) {
		const struct hf_health_change *ch = &c->change[i % HF_HEALTH_CHANGES];

		json_array_append_new(list, json_pack("{s:I, s:s, s:s, s:s}", "t_ns",
						      (json_int_t)ch->real_ns, "from",
						      hf_health_word(ch->from), "to",
						      hf_health_word(ch->to), "text", ch->text));
	}
	return list;
}

json_t *hf_health_json(const struct hf_health_check *c, unsigned int changes)
{
	json_t *j = json_pack("{s:s, s:s, s:s, s:I, s:s}", "name", c->rule->name, "what",
			      c->rule->what, "health",
			      hf_health_word(c->said), "since_ns", (json_int_t)c->since_real_ns, "text",
			      c->said == HF_HEALTH_OK ? "" : c->found.text);

	if (c->found.array >= 0)
		json_object_set_new(j, "array", json_integer(c->found.array));
	put_number(j, "value", c->found.value);
	put_number(j, "bound", c->found.bound);
	put_number(j, "trend_per_s", hf_health_trend(c));
	put_number(j, "reaches_bound_in_s", hf_health_forecast_s(c, c->found.bound));
	json_object_set_new(j, "history", history_json(c, changes));
	return j;
}
