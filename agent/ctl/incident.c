// SPDX-License-Identifier: GPL-2.0
/*
 * "holdfastctl incident show" and "report": one incident for people, as Markdown. What comes over
 * the network is printed without control characters.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "op.h"

int incident_id_read(struct ctl *c, int argc, char **argv)
{
	uint64_t id;
	int key;

	while ((key = ctl_option_next(c, argc, argv)) != -1)
		return ctl_option_exit(c);
	if (optind >= argc)
		return ctl_usage(c, "the id of the incident is missing");
	if (ctl_parse_u64(argv[optind++], 1, INT64_MAX, "ID", &id))
		return CTL_USAGE;
	c->req.incident = (int64_t)id;
	return ctl_no_more(c, argc, argv);
}

static const char *text_of(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));

	return s ? s : "";
}

static const char *when(const json_t *j, const char *name, char buf[64])
{
	uint64_t t_ns = (uint64_t)json_integer_value(json_object_get(j, name));

	return t_ns ? ctl_time(t_ns, buf, 64) : "-";
}

static void head(const json_t *i)
{
	char opened[64], ended[64];

	printf("# Incident %" JSON_INTEGER_FORMAT ": ", json_integer_value(json_object_get(i, "id")));
	ctl_put_text(text_of(i, "title"));
	printf("\n\n- about: ");
	ctl_put_text(text_of(i, "key"));
	printf("\n- state: %s%s, %s\n", text_of(i, "state"),
	       json_is_true(json_object_get(i, "standing")) ? ", wrong still" : "",
	       text_of(i, "severity"));
	printf("- opened: %s, ended: %s\n", when(i, "opened_ns", opened), when(i, "ended_ns", ended));
	printf("- repeats: %" JSON_INTEGER_FORMAT ", reopened: %" JSON_INTEGER_FORMAT "\n",
	       json_integer_value(json_object_get(i, "repeats")),
	       json_integer_value(json_object_get(i, "reopened")));
	printf("- last: ");
	ctl_put_text(text_of(i, "detail"));
	putchar('\n');
}

static void lines(const json_t *list, const char *title)
{
	const json_t *l;
	char t[64];
	size_t n;

	if (!json_array_size(list))
		return;
	printf("\n## %s\n", title);
	json_array_foreach((json_t *)list, n, l) {
		printf("- %s %s ", when(l, "t_ns", t), text_of(l, "what"));
		ctl_put_text(text_of(l, "who"));
		if (text_of(l, "text")[0])
			printf(": ");
		ctl_put_text(text_of(l, "text"));
		if (text_of(l, "corr")[0])
			printf(" (correlation %s)", text_of(l, "corr"));
		putchar('\n');
	}
}

static void members(const json_t *j)
{
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)j, name, v) {
		char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

		printf("- %s: ", name);
		ctl_put_text(json_is_string(v) ? json_string_value(v) : text ? text : "");
		putchar('\n');
		free(text);
	}
}

static void evidence(const json_t *e, const char *title)
{
	const json_t *box = json_object_get(e, "blackbox");

	if (!e)
		return;
	printf("\n## %s\n", title);
	members(json_object_get(e, "trip"));
	if (!box)
		return;
	printf("\n## Black box, %zu of %" JSON_INTEGER_FORMAT " entries\n\n```\n",
	       json_array_size(json_object_get(box, "entries")),
	       json_integer_value(json_object_get(box, "kept")));
	ctl_table(json_object_get(box, "entries"),
		  "t_ns kind state verdict temp_mc supply_mv current_ma power_uw reason.text", true);
	puts("```");
}

static int show(struct ctl *c, const char *op, const char *member)
{
	json_t *result = NULL;
	const json_t *i;
	int ret = ctl_call(c, op, json_pack("{s:I}", "incident", (json_int_t)c->req.incident), &result);

	if (ret)
		return ret;
	if (c->json)
		return ctl_json_print(result, true);
	i = json_object_get(result, member);
	head(i);
	lines(json_object_get(i, "timeline"), "Timeline");
	lines(json_object_get(i, "notes"), "Annotations");
	evidence(json_object_get(i, "evidence"), "Trip");
	evidence(json_object_get(i, "latest"), "Newest trip");
	json_decref(result);
	return CTL_OK;
}

int cmd_incident_show(struct ctl *c)
{
	return show(c, "incident.show", "incident");
}

int cmd_incident_report(struct ctl *c)
{
	return show(c, "incident.report", "report");
}

/* ---------------------------------------------------------------- watching */

static void line_print(struct ctl *c, const json_t *i)
{
	char t[64];

	if (c->json) {
		json_dumpf(i, stdout, JSON_COMPACT);
		putchar('\n');
		return;
	}
	printf("%s %" JSON_INTEGER_FORMAT " %s%s, %s: ", when(i, "changed_ns", t),
	       json_integer_value(json_object_get(i, "id")), text_of(i, "state"),
	       json_is_true(json_object_get(i, "standing")) ? "" : " (not wrong, or nobody knows)",
	       text_of(i, "severity"));
	ctl_put_text(text_of(i, "title"));
	printf(": ");
	ctl_put_text(text_of(i, "detail"));
	putchar('\n');
}

int incident_watch_read(struct ctl *c, int argc, char **argv)
{
	int key;

	while ((key = ctl_option_next(c, argc, argv)) != -1)
		return ctl_option_exit(c);
	return ctl_no_more(c, argc, argv);
}

int cmd_incident_watch(struct ctl *c)
{
	const struct timespec second = { .tv_sec = 1 };
	bool caught_up = false, more = false;
	json_int_t rev = 0;
	json_t *result;
	const json_t *i;
	size_t n;
	int ret;

	ctl_catch_signals();
	do {
		ret = ctl_call(c, "incident.list", json_pack("{s:I}", "since", rev), &result);
		if (ret == CTL_NO_AGENT)	/* it may come back */
			continue;
		if (ret)
			return ret;
		json_array_foreach(json_object_get(result, "incidents"), n, i)
			if (caught_up || strcmp(text_of(i, "state"), "resolved") != 0)
				line_print(c, i);
		fflush(stdout);
		rev = json_integer_value(json_object_get(result, "rev"));
		more = json_is_true(json_object_get(result, "more"));
		caught_up = caught_up || !more;
		json_decref(result);
	} while (!ctl_interrupted() && (more || !nanosleep(&second, NULL)));
	return ret;
}
