// SPDX-License-Identifier: GPL-2.0
/*
 * "holdfastctl metrics": the page that GET /metrics gives, made here out of the
 * same operations by the same code.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "client.h"
#include "metrics.h"

enum { KEY_OPEN = 900 };

const struct ctl_option metrics_options[] = {
	{ "openmetrics", KEY_OPEN, NULL, "in the OpenMetrics format instead of Prometheus' text" },
	{ NULL, 0, NULL, NULL }
};

int metrics_read(struct ctl *c, int argc, char **argv)
{
	int key;

	while ((key = ctl_option_next(c, argc, argv)) != -1) {
		if (key == '?')
			return ctl_option_exit(c);
		if (key == KEY_OPEN)
			c->req.open_metrics = true;
	}
	return ctl_no_more(c, argc, argv);
}

/* { status, tenants, arrays: [] }; 0, or an exit code after saying why. */
static int ask_all(struct ctl *c, json_t *all)
{
	json_t *status, *tenants, *list, *arrays = json_array();
	const json_t *a;
	size_t i;
	int ret;

	json_object_set_new(all, "arrays", arrays);
	ret = ctl_call(c, "status", NULL, &status);
	if (ret)
		return ret;
	json_object_set_new(all, "status", status);
	ret = ctl_call(c, "tenant.list", NULL, &tenants);
	if (ret)
		return ret;
	json_object_set_new(all, "tenants", tenants);
	ret = ctl_call(c, "array.list", NULL, &list);
	if (ret)
		return ret;
	json_array_foreach(json_object_get(list, "arrays"), i, a) {
		json_t *one;

		ret = ctl_call(c, "array.metrics",
			       json_pack("{s:O}", "array", json_object_get(a, "array")), &one);
		if (ret)
			break;
		json_array_append_new(arrays, one);
	}
	json_decref(list);
	return ret;
}

static int print_page(const json_t *all, enum hf_metrics_format format)
{
	struct hf_metrics *m;
	const json_t *a;
	size_t i, len;
	char *text;

	if (hf_metrics_new(&m))
		return ctl_fail(-ENOMEM, "metrics");
	hf_metrics_status(m, json_object_get(all, "status"));
	hf_metrics_tenants(m, json_object_get(all, "tenants"));
	json_array_foreach(json_object_get(all, "arrays"), i, a)
		hf_metrics_array(m, a);
	text = hf_metrics_text(m, format, &len);
	hf_metrics_free(m);
	if (!text)
		return ctl_fail(-ENOMEM, "metrics");
	fwrite(text, 1, len, stdout);
	free(text);
	return CTL_OK;
}

int cmd_metrics(struct ctl *c)
{
	json_t *all = json_object();
	int ret = ask_all(c, all);

	if (!ret && c->json)
		return ctl_json_print(all, true);
	if (!ret)
		ret = print_page(all, c->req.open_metrics ? HF_METRICS_OPEN : HF_METRICS_TEXT);
	json_decref(all);
	return ret;
}
