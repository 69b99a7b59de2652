// SPDX-License-Identifier: GPL-2.0
/*
 * Incidents under a clock of the test: one for each thing, repeats, reopening, bounds, what people
 * may do, who sees what, and files that are damaged.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "desk.h"
#include "store.h"

#define START_NS	(1000 * HF_S)

static struct hf_test_clock tc;
static struct inc_engine *e;
static unsigned int told[INC_DROPPED + 1];
static uint64_t dropped_id;

static void on_change(void *arg, const struct inc *i, enum inc_change what)
{
	(void)arg;
	told[what]++;
	if (what == INC_DROPPED)
		dropped_id = i->id;
}

static void begin(void)
{
	hf_test_clock_init(&tc, START_NS, START_NS);
	cr_assert_eq(inc_engine_new(&e, &tc.clock, on_change, NULL), 0);
}

static void end(void)
{
	inc_engine_free(e);
}

TestSuite(incidents, .init = begin, .fini = end);

static void saw(const char *key, const char *event, enum inc_severity severity)
{
	inc_saw(e, &(struct inc_seen){ .key = key, .title = "a title", .detail = "why", .event = event,
				       .severity = severity });
}

Test(incidents, one_for_each_thing)
{
	for (int n = 0; n < 100; n++) {
		saw("health/disk", "", INC_WARNING);
		saw("trip/array0", "aa/1", INC_CRITICAL);
	}
	cr_expect_eq(told[INC_OPENED], 2);
	cr_expect_eq(told[INC_AGAIN], 0);
	cr_expect_null(inc_at(e, 2));
	saw("trip/array0", "aa/2", INC_CRITICAL);
	saw("trip/array0", "aa/2", INC_CRITICAL);
	cr_expect_eq(told[INC_AGAIN], 1);
	cr_expect_eq(inc_at(e, 1)->repeats, 1);
	saw("health/disk", "", INC_CRITICAL);
	cr_expect_eq(told[INC_SEVERITY], 1);
	cr_expect_eq(inc_at(e, 0)->severity, INC_CRITICAL);
	cr_expect_eq(inc_at(e, 0)->change, 2);
}

Test(incidents, flapping_is_one_incident)
{
	for (int n = 0; n < 60; n++) {
		saw("health/disk", "", INC_WARNING);
		hf_test_clock_advance(&tc, 5 * HF_S);
		inc_well(e, "health/disk", "well");
		hf_test_clock_advance(&tc, 5 * HF_S);
	}
	cr_expect_null(inc_at(e, 1));
	cr_expect_eq(inc_at(e, 0)->reopened, 59);
	cr_expect_eq(json_array_size(inc_at(e, 0)->timeline), INC_LINES);
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(inc_at(e, 0)->timeline, 0), "what")),
			 "opened");
	hf_test_clock_advance(&tc, INC_REOPEN_NS);
	saw("health/disk", "", INC_WARNING);
	cr_expect_eq(inc_at(e, 1)->id, 2, "later it is a new one");
}

Test(incidents, boundary_of_reopening)
{
	saw("health/disk", "", INC_WARNING);
	inc_well(e, "health/disk", "well");
	hf_test_clock_advance(&tc, INC_REOPEN_NS);
	saw("health/disk", "", INC_WARNING);
	cr_expect_eq(told[INC_REOPENED], 1);
	inc_well(e, "health/disk", "well");
	hf_test_clock_advance(&tc, INC_REOPEN_NS + 1);
	saw("health/disk", "", INC_WARNING);
	cr_expect_eq(told[INC_REOPENED], 1);
	cr_expect_eq(told[INC_OPENED], 2);
}

Test(incidents, only_what_lasts)
{
	struct inc_seen s = { .key = "health/cpu", .title = "t", .detail = "d", .event = "",
			      .for_ns = 30 * HF_S };

	inc_saw(e, &s);
	hf_test_clock_advance(&tc, 30 * HF_S - 1);
	inc_saw(e, &s);
	cr_expect_null(inc_at(e, 0));
	inc_well(e, "health/cpu", "well");
	inc_saw(e, &s);
	hf_test_clock_advance(&tc, 30 * HF_S - 1);
	inc_saw(e, &s);
	cr_expect_null(inc_at(e, 0), "it has begun anew");
	hf_test_clock_advance(&tc, 1);
	inc_saw(e, &s);
	cr_expect_eq(told[INC_OPENED], 1);
}

Test(incidents, people)
{
	struct inc *i;
	char text[INC_NOTE + 100];

	saw("trip/array0", "aa/1", INC_CRITICAL);
	i = inc_at(e, 0);
	cr_expect_eq(inc_resolve(e, i, "ann", "", NULL), -EBUSY);
	cr_expect_eq(inc_acknowledge(e, i, "ann", "mine", NULL), 0);
	cr_expect_eq(inc_acknowledge(e, i, "bob", "", NULL), -EALREADY);
	cr_expect_eq(i->state, INC_ACKNOWLEDGED);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int n = 0; n < INC_NOTES; n++)
		cr_expect_eq(inc_annotate(e, i, "ann", text, NULL), 0);
	cr_expect_eq(inc_annotate(e, i, "ann", text, NULL), -ENOSPC);
	cr_expect_eq(json_string_length(json_object_get(json_array_get(i->notes, 0), "text")), INC_NOTE);
	inc_unknown(e, "trip/", "the keeper has gone");
	cr_expect_eq(inc_resolve(e, i, "ann", "seen to", NULL), 0);
	cr_expect_eq(inc_resolve(e, i, "ann", "", NULL), -EALREADY);
	saw("trip/array0", "aa/1", INC_CRITICAL);
	cr_expect_eq(told[INC_REOPENED], 1, "that it was over was wrong");
}

Test(incidents, what_is_below)
{
	saw("trip/array1", "aa/1", INC_CRITICAL);
	saw("trip/array10", "bb/1", INC_CRITICAL);
	inc_unknown(e, "trip/array1", "gone");
	cr_expect_not(inc_at(e, 0)->wrong);
	cr_expect(inc_at(e, 1)->wrong);
	inc_unknown(e, "trip/", "gone");
	cr_expect_not(inc_at(e, 1)->wrong);
}

Test(incidents, bounded)
{
	char key[INC_KEY];

	for (int n = 0; n < INC_MOST; n++) {
		snprintf(key, sizeof(key), "trip/x%d", n);
		saw(key, "a", INC_CRITICAL);
	}
	saw("trip/more", "a", INC_CRITICAL);
	cr_expect_eq(inc_refused(e), 1, "open ones never go");
	hf_test_clock_advance(&tc, HF_S);
	inc_well(e, "trip/x7", "well");
	hf_test_clock_advance(&tc, HF_S);
	inc_well(e, "trip/x3", "well");
	saw("trip/more", "a", INC_CRITICAL);
	cr_expect_eq(dropped_id, 8, "who was resolved first goes first: %llu", (unsigned long long)dropped_id);
	cr_expect_eq(inc_at(e, INC_MOST - 1)->id, INC_MOST + 1);
	cr_expect_null(inc_at(e, INC_MOST));
}

Test(incidents, evidence_and_text_are_bounded)
{
	json_t *much = json_pack("{s:o}", "x", json_array());
	char bad[] = "line\nfeed";

	for (int n = 0; n < INC_EVIDENCE; n++)
		json_array_append_new(json_object_get(much, "x"), json_integer(1));
	inc_saw(e, &(struct inc_seen){ .key = "trip/array0", .title = bad, .detail = "d", .event = "1",
				       .evidence = much });
	cr_expect_not_null(json_object_get(inc_at(e, 0)->evidence, "cut"));
	cr_expect_str_eq(inc_at(e, 0)->title, "(no plain text)");
	json_decref(much);
}

/* ------------------------------------------------------------------ files */

static char folder[] = "/tmp/incidents.XXXXXX";

static int folder_open(void)
{
	cr_assert_not_null(mkdtemp(folder));
	return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void anew(int dir)
{
	struct hf_err err;

	inc_engine_free(e);
	cr_assert_eq(inc_engine_new(&e, &tc.clock, on_change, NULL), 0);
	cr_assert_eq(inc_store_load(e, dir, &err), 0, "%s", err.text);
}

static void folder_remove(int dir)
{
	struct dirent *d;
	DIR *list = fdopendir(dir);

	while ((d = readdir(list)))
		unlinkat(dirfd(list), d->d_name, 0);
	closedir(list);
	rmdir(folder);
}

Test(incidents, come_back_from_the_disk)
{
	int dir = folder_open();
	json_t *before, *after;
	struct hf_err err;

	saw("trip/array0", "aa/1", INC_CRITICAL);
	inc_annotate(e, inc_at(e, 0), "ann", "a \"note\" with \xc3\xa4", NULL);
	saw("health/disk", "", INC_WARNING);
	inc_well(e, "health/disk", "well");
	inc_unknown(e, "trip/", "gone");
	before = inc_json(inc_at(e, 0));
	for (int n = 0; n < 2; n++)
		cr_assert_eq(inc_store_save(dir, inc_at(e, (size_t)n), &err), 0, "%s", err.text);
	anew(dir);
	after = inc_json(inc_at(e, 0));
	cr_expect(json_equal(before, after));
	cr_expect_eq(inc_at(e, 1)->state, INC_RESOLVED);
	saw("trip/array0", "aa/1", INC_CRITICAL);
	cr_expect_eq(told[INC_OPENED], 2, "the same trip told again is known");
	inc_store_remove(dir, 2);
	anew(dir);
	cr_expect_null(inc_at(e, 1));
	json_decref(before);
	json_decref(after);
	folder_remove(dir);
}

/* Cut at every byte: never a crash, never half an incident, its number is not used again. */
Test(incidents, torn_files_are_put_aside)
{
	int dir = folder_open();
	json_t *j;
	char *text;
	size_t len;

	saw("trip/array0", "aa/1", INC_CRITICAL);
	j = inc_json(inc_at(e, 0));
	text = json_dumps(j, JSON_COMPACT);
	len = strlen(text);
	while (len--) {
		text[len] = '\0';
		put(dir, "incident-1.json", text);
		anew(dir);
		cr_assert_null(inc_at(e, 0), "%zu bytes", len);
		cr_assert_eq(faccessat(dir, "incident-1.json.damaged", F_OK, 0), 0);
	}
	put(dir, "incident-9.json", "\0garbage");
	put(dir, "incident-18446744073709551616.json", "{}");
	put(dir, "incident--1.json", "{}");
	anew(dir);
	saw("trip/array0", "aa/1", INC_CRITICAL);
	cr_expect_eq(inc_at(e, 0)->id, 10);
	free(text);
	json_decref(j);
	folder_remove(dir);
}

Test(incidents, what_is_not_true_is_not_loaded)
{
	static const char *const wrong[] = { "id", "key", "state", "timeline", "severity", "opened_ns" };
	struct hf_err err;
	json_t *j;

	saw("trip/array0", "aa/1", INC_CRITICAL);
	j = inc_json(inc_at(e, 0));
	cr_expect_eq(inc_load(e, j, &err), -EEXIST);
	json_object_set_new(j, "id", json_integer(5));
	cr_expect_eq(inc_load(e, j, &err), -EEXIST, "its key is open already");
	for (size_t n = 0; n < sizeof(wrong) / sizeof(wrong[0]); n++) {
		json_t *other = json_deep_copy(j);

		json_object_set_new(other, wrong[n], json_pack("{s:i}", "x", 1));
		cr_expect_eq(inc_load(e, other, &err), -EINVAL, "%s", wrong[n]);
		json_decref(other);
	}
	json_decref(j);
}

/* ------------------------------------------------------------------- rules */

static void hear(const struct inc_rules *r, const char *check, const char *level, bool ready)
{
	json_t *h = json_pack("{s:[[s, s, b, s]]}", "checks", check, level, (int)ready, "because");

	inc_hear_health(e, r, h);
	json_decref(h);
}

static json_t *tale(const char *state, int seq, const char *owner)
{
	return json_pack("{s:i, s:s, s:s, s:i, s:{s:s, s:s, s:[s, s], s:{s:s, s:s, s:i, s:i}, s:{s:[], s:b, s:i}}}",
			 "array", 0, "state", state, "instance", "00000000000000aa", "seq", seq, "what",
			 "serial", "lab", "owner", owner, "tenants", "lab", "guests", "trip", "cause",
			 "temp-crit", "text", "too warm", "pid", 77, "uid", 1000, "blackbox", "entries",
			 "frozen", 1, "kept", 0);
}

Test(incidents, health_and_trips)
{
	struct inc_rules none = { 0 };
	json_t *j;

	hear(&none, "audit", "fail", true);
	hear(&none, "disk", "fail", false);
	hear(&none, "trips", "fail", false);
	hear(&none, "cpu", "unknown", false);
	cr_expect_eq(told[INC_OPENED], 2, "a tripped array has its own, what nobody knows waits");
	cr_expect_eq(inc_at(e, 0)->severity, INC_CRITICAL);
	cr_expect_eq(inc_at(e, 1)->severity, INC_WARNING);
	hf_test_clock_advance(&tc, 30 * HF_S);
	hear(&none, "cpu", "unknown", false);
	cr_expect_eq(told[INC_OPENED], 3);
	hear(&none, "audit", "ok", true);
	cr_expect_eq(inc_at(e, 0)->state, INC_RESOLVED);
	j = tale("tripped", 4, "lab");
	inc_hear_array(e, &none, j, NULL);
	inc_hear_array(e, &none, j, NULL);
	cr_expect_eq(told[INC_OPENED], 4);
	cr_expect_str_eq(inc_at(e, 3)->title, "array 0 (lab) tripped: temp-crit");
	cr_expect_not_null(json_object_get(inc_at(e, 3)->evidence, "blackbox"));
	json_decref(j);
	j = tale("clear", 0, "");
	inc_hear_array(e, &none, j, NULL);
	cr_expect_eq(inc_at(e, 3)->state, INC_RESOLVED);
	json_decref(j);
}

Test(incidents, rules_of_the_configuration)
{
	struct inc_rules r;
	struct hf_err err;
	json_t *alerts = json_pack("{s:[{s:s, s:b}, {s:s, s:s}, {s:s, s:i}]}", "rules",
				   "match", "health/disk", "mute", 1,
				   "match", "health", "severity", "critical",
				   "match", "trip/temp-crit", "for_s", 3);

	cr_assert_eq(inc_rules_read(&r, alerts, &err), 0);
	hear(&r, "disk", "fail", false);
	hear(&r, "cpu", "warn", false);
	cr_expect_eq(told[INC_OPENED], 1);
	cr_expect_eq(inc_at(e, 0)->severity, INC_CRITICAL);
	cr_expect_str_eq(inc_rule_for(&r, "trip/temp-crit-more")->match, "trip");
	cr_expect_str_eq(inc_rule_for(&r, "trip/operator")->match, "trip/operator");
	json_decref(alerts);
}

/* ------------------------------------------------------------- who sees what */

static int call(const char *op, json_t *args, const char *role, const char *tenant, json_t **out)
{
	struct hf_actor a = { .name = "ann", .role = (enum hf_role)hf_role_parse(role), .proof = HF_PROOF_SESSION,
			      .via = HF_VIA_NETWORK, .uid = UINT32_MAX };
	json_t *body;
	int status;

	strcpy(a.tenant, tenant);
	body = json_pack("{s:s, s:o, s:o}", "op", op, "args", args, "actor", hf_actor_json(&a));
	status = inc_call(e, body, NULL, out);
	json_decref(body);
	return status;
}

static int status_of(const char *op, json_t *args, const char *role, const char *tenant)
{
	json_t *out;
	int status = call(op, args, role, tenant, &out);

	cr_expect_not_null(out);
	json_decref(out);
	return status;
}

static size_t listed(const char *role, const char *tenant)
{
	json_t *out;
	size_t n;

	cr_assert_eq(call("incident.list", json_object(), role, tenant, &out), 200);
	n = json_array_size(json_object_get(out, "incidents"));
	json_decref(out);
	return n;
}

#define ONE	json_pack("{s:i}", "incident", 1)

Test(incidents, tenants_see_their_own)
{
	struct inc_rules none = { 0 };
	json_t *j = tale("tripped", 4, "lab"), *out;

	inc_hear_array(e, &none, j, NULL);
	json_decref(j);
	hear(&none, "disk", "fail", false);
	cr_expect_eq(listed("admin", ""), 2);
	cr_expect_eq(listed("operator", ""), 2);
	cr_expect_eq(listed("operator", "lab"), 1);
	cr_expect_eq(listed("system", "guests"), 1);
	cr_expect_eq(listed("operator", "other"), 0);
	cr_expect_eq(status_of("incident.show", ONE, "operator", "other"), 404);
	cr_expect_eq(status_of("incident.acknowledge", ONE, "operator", "other"), 404);
	cr_expect_eq(status_of("incident.acknowledge", ONE, "system", ""), 403);
	cr_expect_eq(status_of("incident.list", json_object(), "user", "lab"), 403);
	cr_expect_eq(status_of("incident.nonsense", ONE, "admin", ""), 404);
	cr_expect_eq(status_of("array.arm", json_pack("{s:i}", "array", 0), "admin", ""), 404);
	cr_expect_eq(status_of("incident.annotate", ONE, "admin", ""), 400);

	cr_assert_eq(call("incident.report", ONE, "operator", "lab", &out), 200);
	j = json_object_get(json_object_get(json_object_get(out, "report"), "evidence"), "trip");
	cr_expect_not_null(json_object_get(j, "pid"), "its own lease");
	json_decref(out);
	cr_assert_eq(call("incident.report", ONE, "operator", "guests", &out), 200);
	j = json_object_get(json_object_get(json_object_get(out, "report"), "evidence"), "trip");
	cr_expect_null(json_object_get(j, "pid"), "another tenant's lease");
	cr_expect_null(json_object_get(j, "uid"));
	cr_expect_not_null(json_object_get(j, "cause"));
	json_decref(out);
}

Test(incidents, answers_fit_into_a_message)
{
	json_t *box = json_array(), *what, *out, *left;
	char text[INC_NOTE + 1];

	memset(text, '"', INC_NOTE);	/* each twice as long in JSON */
	text[INC_NOTE] = '\0';
	while (json_dumpb(box, NULL, 0, JSON_COMPACT) < INC_EVIDENCE - 200)
		json_array_append_new(box, json_pack("{s:i, s:s}", "t_ns", (int)json_array_size(box), "kind",
						     "sample of the array"));
	what = json_pack("{s:{s:o}}", "blackbox", "entries", box);
	inc_saw(e, &(struct inc_seen){ .key = "trip/array0", .title = text, .detail = text, .event = "0",
				       .evidence = what, .latest = what });
	for (int n = 0; n < INC_NOTES; n++)
		inc_annotate(e, inc_at(e, 0), "ann", text, NULL);
	for (int n = 0; n < INC_LINES; n++) {
		snprintf(text, 8, "%d", n);
		inc_saw(e, &(struct inc_seen){ .key = "trip/array0", .title = "", .event = text,
					       .detail = memset(text + 10, '"', INC_TEXT) });
	}
	cr_assert_eq(call("incident.report", ONE, "admin", "", &out), 200);
	cr_expect_lt(json_dumpb(out, NULL, 0, JSON_COMPACT), 58 * 1024);
	left = json_object_get(json_object_get(json_object_get(json_object_get(out, "report"), "evidence"),
					       "blackbox"), "entries");
	cr_expect_gt(json_array_size(left), 0);
	json_decref(out);
	json_decref(what);
	for (int n = 0; n < INC_MOST - 1; n++) {
		snprintf(text, 32, "trip/x%d", n);
		inc_saw(e, &(struct inc_seen){ .key = text, .title = text + 40, .detail = text + 40, .event = "1" });
	}
	cr_assert_eq(call("incident.list", json_object(), "admin", "", &out), 200);
	cr_expect_eq(json_array_size(json_object_get(out, "incidents")), 64);
	cr_expect_lt(json_dumpb(out, NULL, 0, JSON_COMPACT), 58 * 1024);
	json_decref(out);
}

Test(incidents, pages)
{
	json_t *out, *list;
	char key[INC_KEY];

	for (int n = 0; n < 5; n++) {
		snprintf(key, sizeof(key), "health/x%d", n);
		saw(key, "", INC_WARNING);
	}
	inc_well(e, "health/x1", "well");
	call("incident.list", json_pack("{s:i}", "limit", 2), "admin", "", &out);
	list = json_object_get(out, "incidents");
	cr_expect_eq(json_integer_value(json_object_get(json_array_get(list, 0), "id")), 4, "the newest");
	json_decref(out);
	call("incident.list", json_pack("{s:i, s:i, s:s}", "limit", 2, "since", 0, "state", "unresolved"),
	     "admin", "", &out);
	list = json_object_get(out, "incidents");
	cr_expect_eq(json_integer_value(json_object_get(json_array_get(list, 1), "id")), 3);
	cr_expect(json_is_true(json_object_get(out, "more")));
	cr_expect_eq(json_integer_value(json_object_get(out, "rev")), 3, "to go on with");
	json_decref(out);
}

/* ids of what changed behind @since, and the rev to go on with */
static json_int_t since(json_int_t rev, const char *ids)
{
	char text[64] = "";
	const json_t *i;
	json_int_t next;
	json_t *out;
	size_t n;

	call("incident.list", json_pack("{s:i, s:I}", "limit", 2, "since", rev), "admin", "", &out);
	json_array_foreach(json_object_get(out, "incidents"), n, i)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%" JSON_INTEGER_FORMAT " ",
			 json_integer_value(json_object_get(i, "id")));
	cr_expect_str_eq(text, ids);
	next = json_integer_value(json_object_get(out, "rev"));
	json_decref(out);
	return next;
}

Test(incidents, changes_in_order)
{
	json_t *kept[3];
	json_int_t rev;
	struct hf_err err;

	saw("health/a", "", INC_WARNING);
	saw("health/b", "", INC_WARNING);
	saw("health/c", "", INC_WARNING);
	rev = since(0, "1 2 ");
	rev = since(rev, "3 ");
	cr_expect_eq(rev, 3);
	cr_expect_eq(since(rev, ""), 3);
	inc_well(e, "health/b", "well");
	inc_annotate(e, inc_find(e, 1), "ann", "looked", NULL);
	rev = since(rev, "2 1 ");
	cr_expect_eq(rev, 5);
	cr_expect_eq(since(99, "3 2 "), 4, "of another log of changes: from the beginning");
	/* What is kept goes on with the same numbers. */
	for (int n = 0; n < 3; n++)
		kept[n] = inc_json(inc_find(e, (uint64_t)n + 1));
	inc_engine_free(e);
	cr_assert_eq(inc_engine_new(&e, &tc.clock, on_change, NULL), 0);
	for (int n = 0; n < 3; n++) {
		cr_assert_eq(inc_load(e, kept[n], &err), 0, "%s", err.text);
		json_decref(kept[n]);
	}
	inc_well(e, "health/c", "well");
	cr_expect_eq(since(rev, "3 "), 6);
}
