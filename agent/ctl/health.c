// SPDX-License-Identifier: GPL-2.0
/*
 * "holdfastctl health": what is well and what is not, for people and for scripts
 * that go by the exit status: 0 unless something has failed or nobody knows.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

enum { KEY_DETAILED = 900, KEY_WATCH };

#define WATCH_S	2	/* as often as the agent looks */

const struct ctl_option health_options[] = {
	{ "detailed", KEY_DETAILED, NULL, "every check, with value, trend, history and remedy" },
	{ "watch", KEY_WATCH, NULL, "again every 2 s, until interrupted" },
	{ NULL, 0, NULL, NULL }
};

int health_read(struct ctl *c, int argc, char **argv)
{
	int key;

	while ((key = ctl_option_next(c, argc, argv)) != -1) {
		if (key == '?')
			return ctl_option_exit(c);
		if (key == KEY_DETAILED)
			c->req.health.detailed = true;
		if (key == KEY_WATCH)
			c->req.health.watch = true;
	}
	return ctl_no_more(c, argc, argv);
}

static const char *text_of(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));

	return s ? s : "";
}

static void print_history(const json_t *check)
{
	const json_t *change;
	char when[64];
	size_t i;

	json_array_foreach(json_object_get(check, "history"), i, change) {
		uint64_t t_ns = (uint64_t)json_integer_value(json_object_get(change, "t_ns"));

		printf("    %s %s -> %s%s%s\n", ctl_time(t_ns, when, sizeof(when)),
		       text_of(change, "from"), text_of(change, "to"),
		       text_of(change, "text")[0] ? ": " : "", text_of(change, "text"));
	}
}

static void print_numbers(const json_t *check)
{
	static const struct { const char *name, *before, *after; } numbers[] = {
		{ "value", "value ", "" }, { "bound", "bound ", "" },
		{ "trend_per_s", "changes by ", "/s" },
		{ "reaches_bound_in_s", "reaches the bound in ", " s" },
	};
	const char *gap = "    ";

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const json_t *v = json_object_get(check, numbers[i].name);

		if (!json_is_number(v))
			continue;
		printf("%s%s%.4g%s", gap, numbers[i].before, json_number_value(v), numbers[i].after);
		gap = ", ";
	}
	if (gap[0] == ',')
		putchar('\n');
}

static void print_remedy(const json_t *check)
{
	const json_t *r = json_object_get(check, "remedy");

	if (r)
		printf("    remedy %s: %s, %lld attempts, %lld left today\n", text_of(r, "name"),
		       text_of(r, "last"),
		       (long long)json_integer_value(json_object_get(r, "attempts")),
		       (long long)json_integer_value(json_object_get(r, "left_today")));
}

static void print_check(const json_t *check, bool detailed)
{
	const char *health = text_of(check, "health"), *text = text_of(check, "text");
	const json_t *array = json_object_get(check, "array");

	if (!detailed && !strcmp(health, "ok"))
		return;
	printf("%-8s %-14s %s", health, text_of(check, "name"), text[0] ? text : text_of(check, "what"));
	if (text[0] && array)
		printf(" (array %lld)", (long long)json_integer_value(array));
	putchar('\n');
	if (!detailed)
		return;
	print_numbers(check);
	print_remedy(check);
	print_history(check);
}

/* Return: exit code. */
static int print_health(struct ctl *c, json_t *result)
{
	const char *health = text_of(result, "health");
	bool good = !strcmp(health, "ok") || !strcmp(health, "warn");
	const json_t *check;
	size_t i;

	if (c->json) {
		int ret = ctl_json_print(result, !c->req.health.watch);

		return ret ? ret : good ? CTL_OK : CTL_FAILED;
	}
	json_array_foreach(json_object_get(result, "checks"), i, check)
		print_check(check, c->req.health.detailed);
	if (strcmp(text_of(result, "level"), "full") != 0)
		printf("level: %s\n", text_of(result, "level"));
	printf("%s: %zu checks%s\n", health, json_array_size(json_object_get(result, "checks")),
	       json_is_true(json_object_get(result, "ready")) ? "" : ", not ready");
	json_decref(result);
	fflush(stdout);
	return good ? CTL_OK : CTL_FAILED;
}

int cmd_health(struct ctl *c)
{
	const struct timespec wait = { .tv_sec = WATCH_S };
	json_t *result;
	int ret;

	ctl_catch_signals();
	do {
		ret = ctl_call(c, "health", NULL, &result);
		if (!ret)
			ret = print_health(c, result);
		else if (c->req.health.watch && ret == CTL_NO_AGENT)
			fflush(stderr);		/* it may come back */
		else
			return ret;
	} while (c->req.health.watch && !ctl_interrupted() && !nanosleep(&wait, NULL));
	return ret;
}
