// SPDX-License-Identifier: GPL-2.0
/*
 * "holdfastctl fleet": how the hosts of a site are, by what they say on the bus;
 * and silence for one or all of them. There is nothing else that it could ask for.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "bus.h"
#include "client.h"
#include "op.h"

enum { KEY_SERVER = 900, KEY_SITE, KEY_CREDS, KEY_HOST, KEY_LATCH, KEY_WAIT };

#define WAIT_MS		10000	/* for answers, if nothing else is said */
#define PING_MS		3000
#define WAIT_MOST_MS	300000
#define AGAIN_MS	2000	/* until who has not confirmed is told again */
#define STEP_MS		100

#define BUS_OPTIONS \
	{ "server", KEY_SERVER, "URL", "the bus: tls://HOST:PORT (nats:// on this host only)" }, \
	{ "site", KEY_SITE, "SITE", "which site (default: of the file, or lab)" }, \
	{ "creds", KEY_CREDS, "FILE", "your file of credentials (default ~/.config/holdfast/fleet)" }, \
	{ "wait", KEY_WAIT, "TIME", "how long for answers (default 10s, status 3s)" }

const struct ctl_option fleet_status_options[] = {
	BUS_OPTIONS, { NULL, 0, NULL, NULL }
};
const struct ctl_option fleet_silence_options[] = {
	BUS_OPTIONS,
	{ "host", KEY_HOST, "NAME", "only this host (default: all)" },
	{ "latch", KEY_LATCH, NULL, "silent until somebody entitled resets it" },
	{ NULL, 0, NULL, NULL }
};

int fleet_read(struct ctl *c, int argc, char **argv)
{
	struct ctl_fleet *f = &c->req.fleet;
	int key;

	while ((key = ctl_option_next(c, argc, argv)) != -1) {
		switch (key) {
		case KEY_SERVER:
			f->server = optarg;
			break;
		case KEY_SITE:
			f->site = optarg;
			break;
		case KEY_CREDS:
			f->creds = optarg;
			break;
		case KEY_HOST:
			f->host = strcmp(optarg, "all") ? optarg : NULL;
			break;
		case KEY_LATCH:
			f->latch = true;
			break;
		case KEY_WAIT:
			if (ctl_parse_value(optarg, "ms", 1, WAIT_MOST_MS, "--wait", &f->wait_ms))
				return CTL_USAGE;
			break;
		default:
			return ctl_option_exit(c);
		}
	}
	if (f->host && !ctl_bus_name_ok(f->host))
		return ctl_usage(c, "--host: a name (a lower-case letter, then letters, digits, _ and -), or all");
	return ctl_no_more(c, argc, argv);
}

static int64_t now_ms(void)
{
	return (int64_t)(ctl_now_ns() / 1000000);
}

/* --------------------------------------------------------------------- status */

/* Since the server took it, by this host's clock. */
static json_t *age_s(int64_t stored_ns)
{
	struct timespec ts;
	int64_t age;

	if (stored_ns <= 0)
		return json_null();
	clock_gettime(CLOCK_REALTIME, &ts);
	age = ts.tv_sec - stored_ns / 1000000000;
	return json_integer(age > 0 ? age : 0);
}

static void look(struct ctl_bus *b, const char *host, json_t *row)
{
	int64_t stored_ns;
	json_t *j = ctl_bus_newest(b, host, "telemetry", &stored_ns);

	json_object_set_new(row, "host", json_string(host));
	json_object_set_new(row, "answers", json_false());
	json_object_set_new(row, "telemetry_age_s", age_s(stored_ns));
	json_object_set_new(row, "telemetry", j ? j : json_null());
	j = ctl_bus_newest(b, host, "event", &stored_ns);
	json_object_set_new(row, "event_age_s", age_s(stored_ns));
	json_object_set_new(row, "event", j ? j : json_null());
}

/* An answer is telemetry, too, and newer than what the stream has. */
static void answered(json_t *hosts, json_t *j)
{
	const char *host = json_string_value(json_object_get(j, "host"));
	json_t *row = json_object_get(hosts, host);

	if (!row && json_object_size(hosts) < CTL_BUS_HOSTS) {
		row = json_pack("{s:s, s:n, s:n, s:n, s:n}", "host", host, "telemetry_age_s",
				"telemetry", "event_age_s", "event");
		json_object_set_new(hosts, host, row);
	}
	json_object_set_new(row, "answers", json_true());
	if (json_is_null(json_object_get(row, "telemetry")))
		json_object_set(row, "telemetry", j);
}

static size_t count(const json_t *hosts, const char *flag)
{
	const char *name;
	json_t *row;
	size_t n = 0;

	json_object_foreach((json_t *)hosts, name, row)
		n += json_is_true(json_object_get(row, flag));
	return n;
}

static void ask_who(natsSubscription *sub, json_t *hosts, int64_t wait_ms)
{
	int64_t end = now_ms() + wait_ms;

	/* With nobody known, whoever is there has the whole time. */
	while (now_ms() < end && !ctl_interrupted() &&
	       (!json_object_size(hosts) || count(hosts, "answers") < json_object_size(hosts))) {
		json_t *j = ctl_bus_next(sub, STEP_MS);

		if (j)
			answered(hosts, j);
		json_decref(j);
	}
}

static json_t *age_text(const json_t *age)
{
	json_int_t s = json_integer_value(age);
	static const struct { json_int_t s; const char *unit; } units[] = {
		{ 2 * 86400, "d" }, { 2 * 3600, "h" }, { 120, "min" }, { 0, "s" },
	};
	static const json_int_t one[] = { 86400, 3600, 60, 1 };
	int i = 0;

	if (!json_is_integer(age))
		return json_string("-");
	while (s < units[i].s)
		i++;
	return json_sprintf("%lld %s", (long long)(s / one[i]), units[i].unit);
}

static const char *text_of(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));

	return s ? s : "-";
}

/* "lab0 emitting, lab1 silent" */
static json_t *arrays_text(const json_t *list)
{
	char text[128] = "";
	size_t i, n = 0;
	json_t *a;

	if (!json_is_array(list))
		return json_string("-");
	json_array_foreach((json_t *)list, i, a) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.32s %.16s", n ? ", " : "",
				      text_of(a, "serial"), text_of(a, "state"));
		if (n >= sizeof(text) - 64)
			break;
	}
	/* A name may have been cut in the middle of a character. */
	return json_string(text) ?: json_string("?");
}

static json_t *line_of(const json_t *row)
{
	const json_t *t = json_object_get(row, "telemetry"), *e = json_object_get(row, "event");

	return json_pack("{s:O, s:O, s:o, s:s, s:s, s:o, s:s, s:s, s:o}",
			 "host", json_object_get(row, "host"), "answers", json_object_get(row, "answers"),
			 "telemetry", age_text(json_object_get(row, "telemetry_age_s")),
			 "level", text_of(t, "level"), "health", text_of(t, "health"),
			 "arrays", arrays_text(json_object_get(t, "arrays")),
			 "last_event", text_of(e, "action"), "object", text_of(e, "object"),
			 "event", age_text(json_object_get(row, "event_age_s")));
}

/* Rows in the order of names. */
static json_t *sorted(const json_t *hosts, bool lines)
{
	char *text = json_dumps(hosts, JSON_SORT_KEYS);
	json_t *list = json_array(), *copy = text ? json_loads(text, 0, NULL) : NULL, *row;
	const char *name;

	free(text);
	json_object_foreach(copy, name, row)
		json_array_append_new(list, lines ? line_of(row) : json_incref(row));
	json_decref(copy);
	return list;
}

static int status_print(struct ctl *c, const struct ctl_bus *b, const json_t *hosts)
{
	json_t *list = sorted(hosts, !c->json);

	if (c->json)
		return ctl_json_print(json_pack("{s:s, s:o}", "site", ctl_bus_site(b), "hosts",
						list), true);
	ctl_table(list, "host answers telemetry level health arrays last_event object event", true);
	json_decref(list);
	return CTL_OK;
}

static int status(struct ctl *c, struct ctl_bus *b, json_t *hosts)
{
	char inbox[CTL_BUS_SUBJECT];
	natsSubscription *sub;
	const char *name;
	json_t *row;
	int ret = ctl_bus_listen(b, NULL, inbox, &sub);

	if (!ret)
		ret = ctl_bus_hosts(b, hosts);
	if (!ret)
		ret = ctl_bus_say(b, NULL, "ping", inbox, "");
	if (ret)
		return ret;
	json_object_foreach(hosts, name, row)
		look(b, name, row);
	ask_who(sub, hosts, c->req.fleet.wait_ms ? c->req.fleet.wait_ms : PING_MS);
	ret = status_print(c, b, hosts);
	if (!ret && (!json_object_size(hosts) ||
		     count(hosts, "answers") < json_object_size(hosts))) {
		fprintf(stderr, "holdfastctl: %zu of %zu hosts answer\n", count(hosts, "answers"),
			json_object_size(hosts));
		ret = CTL_FAILED;
	}
	return ret;
}

static int with_bus(struct ctl *c, int (*run)(struct ctl *c, struct ctl_bus *b, json_t *hosts))
{
	json_t *hosts = json_object();
	struct ctl_bus *b;
	int ret;

	ctl_catch_signals();
	ret = ctl_bus_open(c, &b);
	if (!ret) {
		ret = run(c, b, hosts);
		ctl_bus_close(b);
	}
	json_decref(hosts);
	return ret;
}

int cmd_fleet_status(struct ctl *c)
{
	return with_bus(c, status);
}

/* -------------------------------------------------------------------- silence */

/* All its arrays are silent or tripped, by what its driver said after the stop. */
static bool all_silent(const json_t *arrays)
{
	size_t i;
	json_t *a;

	json_array_foreach((json_t *)arrays, i, a)
		if (strcmp(text_of(a, "state"), "silent") && strcmp(text_of(a, "state"), "tripped"))
			return false;
	return json_is_array(arrays);
}

static void confirmed(json_t *hosts, const json_t *j, const char *id, bool latch)
{
	const char *host = json_string_value(json_object_get(j, "host"));
	const json_t *arrays = json_object_get(j, "arrays");
	json_t *row = json_object_get(hosts, host);

	/* Of somebody else's stop; or of one that was not latched. */
	if (strcmp(text_of(j, "id"), id) || (latch && !json_is_true(json_object_get(j, "latch"))))
		return;
	if (!row && json_object_size(hosts) < CTL_BUS_HOSTS) {
		row = json_object();
		json_object_set_new(hosts, host, row);
	}
	json_object_set(row, "arrays", (json_t *)arrays ?: json_null());
	json_object_set_new(row, "silent", json_boolean(all_silent(arrays)));
}

static void wait_for(struct ctl_bus *b, natsSubscription *sub, json_t *hosts, const char *id,
		     const char *stop, const struct ctl_fleet *f)
{
	int64_t end = now_ms() + (f->wait_ms ? f->wait_ms : WAIT_MS), again = now_ms() + AGAIN_MS;
	const char *name;
	json_t *row;

	while (now_ms() < end && !ctl_interrupted() &&
	       (!json_object_size(hosts) || count(hosts, "silent") < json_object_size(hosts))) {
		json_t *j = ctl_bus_next(sub, STEP_MS);

		if (j)
			confirmed(hosts, j, id, f->latch);
		json_decref(j);
		if (now_ms() < again)
			continue;
		/* One that was just connecting has not heard it; twice is as good as once. */
		again = now_ms() + AGAIN_MS;
		json_object_foreach(hosts, name, row)
			if (!json_is_true(json_object_get(row, "silent")) &&
			    ctl_bus_say(b, name, "stop", NULL, stop))
				return;
	}
}

static int silence_print(struct ctl *c, const json_t *hosts, const char *id)
{
	size_t silent = count(hosts, "silent"), all = json_object_size(hosts), i;
	json_t *list = sorted(hosts, false), *row;

	if (c->json) {
		ctl_json_print(json_pack("{s:s, s:b, s:O}", "id", id, "latch", (int)c->req.fleet.latch,
					 "hosts", list), true);
	} else {
		json_array_foreach(list, i, row) {
			const json_t *arrays = json_object_get(row, "arrays");
			json_t *what = arrays_text(arrays);

			json_object_set_new(row, "confirmed", json_string(
				json_is_true(json_object_get(row, "silent")) ? "silent" :
				json_is_array(arrays) ? "NOT SILENT" : "NOT CONFIRMED"));
			json_object_set_new(row, "arrays", what);
		}
		ctl_table(list, "host confirmed arrays", true);
	}
	json_decref(list);
	if (all && silent == all)
		return CTL_OK;
	fprintf(stderr, "holdfastctl: %zu of %zu hosts have confirmed that they are silent; the others may emit: press stop there\n",
		silent, all);
	return CTL_FAILED;
}

/* Said first; who there is, is asked afterwards. */
static int silence(struct ctl *c, struct ctl_bus *b, json_t *hosts)
{
	const struct ctl_fleet *f = &c->req.fleet;
	struct hf_corr corr;
	char id[HF_CORR_TEXT], stop[96];
	natsSubscription *sub;
	const char *name;
	json_t *row;
	int heard = ctl_bus_listen(b, "stopped", NULL, &sub), known = 0, ret;

	/* Without a good id it is a stop all the same. */
	if (getrandom(&corr, sizeof(corr), 0) != sizeof(corr))
		memcpy(&corr, &(uint64_t[2]){ ctl_now_ns(), 1 }, sizeof(corr));
	hf_corr_text(&corr, id);
	snprintf(stop, sizeof(stop), "{\"latch\":%s,\"id\":\"%s\"}", f->latch ? "true" : "false",
		 id);
	/* Whoever may not hear the answers may still say stop. */
	ret = ctl_bus_say(b, f->host, "stop", NULL, stop);
	if (ret || heard)
		return ret ? ret : heard;
	if (f->host)
		json_object_set_new(hosts, f->host, json_object());
	else
		known = ctl_bus_hosts(b, hosts);
	wait_for(b, sub, hosts, id, stop, f);
	json_object_foreach(hosts, name, row) {
		json_object_set_new(row, "host", json_string(name));
		if (!json_object_get(row, "silent"))
			json_object_set_new(row, "silent", json_false());
	}
	ret = silence_print(c, hosts, id);
	return known ? CTL_FAILED : ret;
}

int cmd_fleet_silence(struct ctl *c)
{
	return with_bus(c, silence);
}
