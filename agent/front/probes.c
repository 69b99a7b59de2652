// SPDX-License-Identifier: GPL-2.0
/*
 * Probes (probes.h). Pure.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes.h"

#define ROOM	8192

static int exclude_take(struct hf_probe *p, const char *name, size_t len, struct hf_refusal *no)
{
	if (!len || len >= HF_HEALTH_NAME)
		return hf_refuse(no, 400, "invalid", "exclude: a check has a name of 1 to %d characters",
				 HF_HEALTH_NAME - 1);
	if (p->excludes == HF_PROBE_EXCLUDES)
		return hf_refuse(no, 400, "invalid", "exclude: at most %d times", HF_PROBE_EXCLUDES);
	memcpy(p->exclude[p->excludes], name, len);
	p->exclude[p->excludes++][len] = '\0';
	return 0;
}

int hf_probe_parse(struct hf_probe *p, const char *query, struct hf_refusal *no)
{
	int ret;

	*p = (struct hf_probe){ 0 };
	for (;;) {
		size_t len = strcspn(query, "&");

		if (len == 7 && !memcmp(query, "verbose", 7) && !p->verbose)
			p->verbose = true;
		else if (len < 8 || memcmp(query, "exclude=", 8) != 0)
			return hf_refuse(no, 400, "invalid",
					 "a probe has only the parameters \"verbose\" and \"exclude=CHECK\"");
		else if ((ret = exclude_take(p, query + 8, len - 8, no)))
			return ret;
		if (!query[len])
			return 0;
		query += len + 1;
	}
}

static bool excluded(const struct hf_probe *p, const char *name)
{
	for (unsigned int i = 0; i < p->excludes; i++)
		if (!strcmp(p->exclude[i], name))
			return true;
	return false;
}

struct page {
	char *text;
	size_t len;
};

static void line(struct page *p, bool good, const char *name, const char *word)
{
	int n = snprintf(p->text + p->len, ROOM - p->len, "[%c]%s %s\n", good ? '+' : '-', name, word);

	if (n > 0 && (size_t)n < ROOM - p->len)
		p->len += (size_t)n;
}

/* Return: does it stand in the way? What nobody knows does, a warning does not. */
static bool check_line(struct page *page, const struct hf_probe *p, const json_t *check)
{
	const char *name = json_string_value(json_array_get(check, 0));
	const char *word = json_string_value(json_array_get(check, 1));
	bool bad = word && (!strcmp(word, "fail") || !strcmp(word, "unknown"));

	if (!name || !word || !json_is_true(json_array_get(check, 2)))
		return false;
	if (excluded(p, name)) {
		line(page, true, name, "excluded");
		return false;
	}
	line(page, !bad, name, word);
	return bad;
}

static bool ready(struct page *page, const struct hf_probe *p, const json_t *health)
{
	const json_t *check;
	bool good = true;
	size_t i;

	json_array_foreach(json_object_get(health, "checks"), i, check)
		good &= !check_line(page, p, check);
	return good;
}

char *hf_probe_answer(const struct hf_probe *p, enum hf_probe_kind kind, const json_t *health,
		      uint64_t age_ns, int *status)
{
	static const char *const names[] = { "livez", "readyz", "startupz" };
	struct page page = { .text = malloc(ROOM) };
	bool good = true;

	if (!page.text)
		return NULL;
	page.text[0] = '\0';
	if (kind != HF_PROBE_LIVE && (!health || age_ns > HF_PROBE_STALE_NS)) {
		line(&page, false, "parent", "unknown");
		good = false;
	} else if (kind == HF_PROBE_READY) {
		good = ready(&page, p, health);
	} else if (kind == HF_PROBE_STARTED) {
		good = json_is_true(json_object_get(health, "started"));
		line(&page, good, "started", good ? "ok" : "fail");
	} else {
		line(&page, true, "ping", "ok");
	}
	*status = good ? 200 : 503;
	if (!p->verbose)
		page.len = 0;
	snprintf(page.text + page.len, ROOM - page.len, "%s%s\n",
		 p->verbose ? names[kind] : "", p->verbose ? good ? " check passed" : " check failed" :
		 good ? "ok" : "failed");
	return page.text;
}
