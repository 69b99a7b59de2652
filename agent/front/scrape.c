// SPDX-License-Identifier: GPL-2.0
/*
 * GET /metrics: one page out of several operations, asked for one after the
 * other with the caller's own credential, so that nobody sees here what he
 * could not see there. What cannot be asked for is left out and said
 * (holdfast_scrape_success); only without the first one is there no page.
 */
#include <stdlib.h>

#include "metrics.h"
#include "server.h"

#define PAGE_NS	(8 * HF_S)	/* in all: Prometheus waits for 10 s */

enum step { STATUS, TENANTS, ARRAYS, ARRAY };

struct hf_scrape {
	struct hf_metrics *page;
	enum hf_metrics_format format;
	enum step step;
	json_t *arrays;		/* of array.list */
	size_t next;		/* in it */
	bool arrays_ok;
};

static const char *const op_of[] = { "status", "tenant.list", "array.list", "array.metrics" };

void hf_scrape_free(struct hf_scrape *s)
{
	if (!s)
		return;
	hf_metrics_free(s->page);
	json_decref(s->arrays);
	free(s);
}

struct hf_scrape *hf_scrape_new(bool open)
{
	struct hf_scrape *s = calloc(1, sizeof(*s));

	if (s && hf_metrics_new(&s->page)) {
		free(s);
		return NULL;
	}
	if (s)
		s->format = open ? HF_METRICS_OPEN : HF_METRICS_TEXT;
	return s;
}

static void finish(struct hf_request *r)
{
	struct hf_scrape *s = r->scrape;
	size_t len = 0;
	char *text;

	hf_metrics_part(s->page, "arrays", s->arrays_ok);
	text = hf_metrics_text(s->page, s->format, &len);
	hf_request_text(r, text, len, hf_metrics_type(s->format));
}

/* Asks for @s->step. Return: false: it cannot be asked for. */
static bool ask(struct hf_request *r, json_t *args)
{
	json_decref(r->route.args);
	r->route.args = args;
	r->route.op = hf_op_find(op_of[r->scrape->step]);
	return args && hf_server_now(r->server) < r->begin_ns + PAGE_NS && !hf_request_ask(r);
}

/* The next array, or the end. */
static void ask_array(struct hf_request *r)
{
	struct hf_scrape *s = r->scrape;

	s->step = ARRAY;
	while (s->next < json_array_size(s->arrays)) {
		const json_t *a = json_array_get(s->arrays, s->next++);

		if (ask(r, json_pack("{s:O}", "array", json_object_get(a, "array"))))
			return;
		s->arrays_ok = false;
	}
	finish(r);
}

static void ask_arrays(struct hf_request *r)
{
	r->scrape->step = ARRAYS;
	if (!ask(r, json_object()))
		finish(r);
}

static void ask_tenants(struct hf_request *r)
{
	r->scrape->step = TENANTS;
	if (ask(r, json_object()))
		return;
	hf_metrics_part(r->scrape->page, "tenants", false);
	ask_arrays(r);
}

bool hf_scrape_next(struct hf_request *r, int status, const json_t *result)
{
	struct hf_scrape *s = r->scrape;
	bool ok = status < 300;

	switch (s->step) {
	case STATUS:
		if (!ok)
			return false;
		hf_metrics_status(s->page, result);
		hf_metrics_part(s->page, "status", true);
		ask_tenants(r);
		break;
	case TENANTS:
		if (ok)
			hf_metrics_tenants(s->page, result);
		hf_metrics_part(s->page, "tenants", ok);
		ask_arrays(r);
		break;
	case ARRAYS:
		s->arrays_ok = ok;
		if (ok)
			s->arrays = json_incref(json_object_get(result, "arrays"));
		ask_array(r);
		break;
	case ARRAY:
		if (ok)
			hf_metrics_array(s->page, result);
		/* One that was unplugged a moment ago is no failure. */
		s->arrays_ok = s->arrays_ok && (ok || status == 404);
		ask_array(r);
		break;
	}
	return true;
}
