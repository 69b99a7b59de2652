/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From method, target and body of a request to an operation and its arguments,
 * by the table of operations alone. Pure.
 */
#ifndef HF_ROUTER_H
#define HF_ROUTER_H

#include "http.h"
#include "ops.h"
#include "probes.h"

#define HF_TARGET_MAX	2048	/* bytes of a request's target */

/* Pages of the HTTP process itself. */
enum hf_page {
	HF_PAGE_OP, HF_PAGE_LIVEZ, HF_PAGE_READYZ, HF_PAGE_STARTUPZ, HF_PAGE_OPENAPI, HF_PAGE_METRICS,
	HF_PAGE_STREAM, HF_PAGE_OPTIONS,
};

/**
 * struct hf_route - what is asked for
 * @page:	HF_PAGE_OP: the operation @op; HF_PAGE_METRICS, HF_PAGE_STREAM: a page that begins with @op;
 *		HF_PAGE_OPTIONS: which methods there are (@allow)
 * @probe:	what was asked of a probe's page
 * @args:	arguments so far (path and query), an object; owned. NULL unless there is @op
 */
struct hf_route {
	enum hf_page page;
	const struct hf_op *op;
	json_t *args;
	char allow[HF_ALLOW_LEN];
	struct hf_probe probe;
};

/**
 * hf_route_find() - by method and target
 * @target:	as it came: nothing decoded, nothing cut off
 *
 * Path and query must be exactly as the table says. HEAD is GET.
 * Return: 0, or -EINVAL and @no (400, 404, 405, 414) ; then @r holds nothing.
 */
int hf_route_find(const char *method, const char *target, struct hf_route *r,
		  struct hf_refusal *no);
/**
 * hf_route_body() - the rest of the arguments, and the check of all
 * @body: @len:	JSON; none if @len is 0
 *
 * Return: 0, or -EINVAL and @no (400).
 */
int hf_route_body(struct hf_route *r, const char *body, size_t len, struct hf_refusal *no);
void hf_route_clear(struct hf_route *r);

/* Does this operation take a body at all? */
bool hf_route_has_body(const struct hf_op *op);

#endif /* HF_ROUTER_H */
