// SPDX-License-Identifier: GPL-2.0
/*
 * The page of metrics.h: samples gather by family and are printed in the order
 * of the table. Knows nothing of what a family means.
 */
#include "metrics.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX	(1024 * 1024)

#define HF_METRIC_DESC(id, name, type, unit, labels, help) \
	[HF_MF_##id] = { name, HF_M_##type, unit, labels, help },
const struct hf_metric_desc hf_metric_desc[HF_METRIC_COUNT] = { HF_METRICS(HF_METRIC_DESC) };

struct text {
	char *at;
	size_t len, room;
};

struct hf_metrics {
	struct text family[HF_METRIC_COUNT];
	size_t len;		/* of all */
	bool failed;
};

int hf_metrics_new(struct hf_metrics **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void hf_metrics_free(struct hf_metrics *m)
{
	if (!m)
		return;
	for (unsigned int i = 0; i < HF_METRIC_COUNT; i++)
		free(m->family[i].at);
	free(m);
}

static bool append(struct text *t, const char *s, size_t len)
{
	if (t->room - t->len < len) {
		size_t room = t->room * 2 + len + 256;
		char *at = room <= 4 * PAGE_MAX ? realloc(t->at, room) : NULL;

		if (!at)
			return false;
		t->at = at;
		t->room = room;
	}
	memcpy(t->at + t->len, s, len);
	t->len += len;
	return true;
}

static void add(struct hf_metrics *m, enum hf_metric f, const char *s, size_t len)
{
	m->len += len;
	if (!m->failed)
		m->failed = m->len > PAGE_MAX || !append(&m->family[f], s, len);
}

static void add_text(struct hf_metrics *m, enum hf_metric f, const char *s)
{
	add(m, f, s, strlen(s));
}

/* Label values: backslash, quote and newline are escaped, in both formats. */
static void add_escaped(struct hf_metrics *m, enum hf_metric f, const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			add(m, f, "\\n", 2);
		else if (*s == '\\' || *s == '"')
			add(m, f, (const char[]){ '\\', *s }, 2);
		else
			add(m, f, s, 1);
	}
}

/* The shortest that reads as the same number. */
static void number(double v, char buf[32])
{
	if (isnan(v) || isinf(v)) {
		strcpy(buf, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(buf, 32, "%.*g", digits, v);
		if (strtod(buf, NULL) == v)
			return;
	}
}

/* The name of the next label in "array, state"; *@at moves on. "" : no more. */
static void label_next(const char **at, char name[32])
{
	size_t len = strcspn(*at, ",");

	snprintf(name, 32, "%.*s", (int)len, *at);
	*at += len + strspn(*at + len, ", ");
}

static void add_labels(struct hf_metrics *m, enum hf_metric f, const char *le, va_list ap)
{
	const char *at = hf_metric_desc[f].labels, *brace = "{";
	char name[32];

	for (label_next(&at, name); name[0]; label_next(&at, name)) {
		add_text(m, f, brace);
		add_text(m, f, name);
		add_text(m, f, "=\"");
		add_escaped(m, f, va_arg(ap, const char *));
		add_text(m, f, "\"");
		brace = ",";
	}
	if (le) {
		add_text(m, f, brace);
		add_text(m, f, "le=\"");
		add_text(m, f, le);
		add_text(m, f, "\"");
		brace = ",";
	}
	if (*brace == ',')
		add_text(m, f, "}");
}

static void add_sample(struct hf_metrics *m, enum hf_metric f, const char *suffix, const char *le,
		       double value, va_list ap)
{
	char text[32];

	add_text(m, f, hf_metric_desc[f].name);
	add_text(m, f, suffix);
	add_labels(m, f, le, ap);
	number(value, text);
	add_text(m, f, " ");
	add_text(m, f, text);
	add_text(m, f, "\n");
}

static const char *suffix_of(enum hf_metric f)
{
	switch (hf_metric_desc[f].type) {
	case HF_M_COUNTER:
		return "_total";
	case HF_M_INFO:
		return "_info";
	default:
		return "";
	}
}

void hf_metrics_put(struct hf_metrics *m, enum hf_metric f, double value, ...)
{
	va_list ap;

	va_start(ap, value);
	add_sample(m, f, suffix_of(f), NULL, value, ap);
	va_end(ap);
}

/* OpenMetrics wants bounds as floats: "1.0", not "1". */
static void bound_text(unsigned int i, char buf[32])
{
	if (i == HF_HISTOGRAM_BOUNDS) {
		strcpy(buf, "+Inf");
		return;
	}
	number((double)hf_histogram_ns[i] / 1e9, buf);
	if (!strchr(buf, '.') && !strchr(buf, 'e'))
		strcat(buf, ".0");
}

void hf_metrics_put_histogram(struct hf_metrics *m, enum hf_metric f, const struct hf_histogram *h,
			      ...)
{
	uint64_t sum = 0;
	char le[32];
	va_list ap;

	for (unsigned int i = 0; i <= HF_HISTOGRAM_BOUNDS; i++) {
		sum += h->count[i];
		bound_text(i, le);
		va_start(ap, h);
		add_sample(m, f, "_bucket", le, (double)sum, ap);
		va_end(ap);
	}
	va_start(ap, h);
	add_sample(m, f, "_count", NULL, (double)sum, ap);
	va_end(ap);
	va_start(ap, h);
	add_sample(m, f, "_sum", NULL, (double)h->sum_ns / 1e9, ap);
	va_end(ap);
}

const char *hf_metrics_type(enum hf_metrics_format format)
{
	return format == HF_METRICS_OPEN ?
		"application/openmetrics-text; version=1.0.0; charset=utf-8" :
		"text/plain; version=0.0.4; charset=utf-8";
}

/* 0.0.4 knows the name of the samples and no info; OpenMetrics the name of the family. */
static bool append_head(struct text *t, const struct hf_metric_desc *d, enum hf_metric f,
			enum hf_metrics_format format)
{
	static const char *const words[] = { "counter", "gauge", "info", "histogram" };
	bool open = format == HF_METRICS_OPEN;
	const char *suffix = open ? "" : suffix_of(f);
	const char *type = !open && d->type == HF_M_INFO ? "gauge" : words[d->type];
	char buf[512];
	int n = snprintf(buf, sizeof(buf), "# HELP %s%s %s\n# TYPE %s%s %s\n", d->name, suffix, d->help,
			 d->name, suffix, type);

	if (open && d->unit[0])
		n += snprintf(buf + n, sizeof(buf) - (size_t)n, "# UNIT %s %s\n", d->name, d->unit);
	return append(t, buf, (size_t)n);
}

char *hf_metrics_text(const struct hf_metrics *m, enum hf_metrics_format format, size_t *len)
{
	struct text t = { NULL, 0, 0 };
	bool ok = !m->failed;

	for (unsigned int i = 0; ok && i < HF_METRIC_COUNT; i++)
		if (m->family[i].len)
			ok = append_head(&t, &hf_metric_desc[i], (enum hf_metric)i, format) &&
			     append(&t, m->family[i].at, m->family[i].len);
	if (ok && format == HF_METRICS_OPEN)
		ok = append(&t, "# EOF\n", 6);
	if (ok)
		ok = append(&t, "", 1);
	if (!ok) {
		free(t.at);
		return NULL;
	}
	*len = t.len - 1;
	return t.at;
}
