// SPDX-License-Identifier: GPL-2.0
/*
 * The parent's checks: who is believed about what, what grows stale, what is
 * tried and what never is. The parent is real, its processes are played (they
 * would attach: nothing is forked, nobody is killed).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "daemon.h"
#include "health.h"
#include "ipc_wire.h"

static struct hf_test_clock clock_;
static struct hf_loop *loop;
static struct hf_parent *parent;
static char folder[] = "/tmp/hf-checks-XXXXXX", path[64], file[64];
static const struct hf_parent_ops ops;

static void write_config(const char *text)
{
	FILE *f = fopen(file, "w");

	cr_assert(f && fputs(text, f) >= 0 && !fclose(f));
}

static void begin_with(const char *text)
{
	struct hf_parent_env env = {
		.random = &hf_system_random, .config_file = file, .attach = path, .ops = &ops,
	};
	struct hf_config_errors errors = { 0 };
	struct hf_config *config;

	hf_test_clock_init(&clock_, 1000 * HF_S, 1700000000 * HF_S);
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/attach.sock", folder);
	snprintf(file, sizeof(file), "%s/holdfast.yaml", folder);
	write_config(text);
	cr_assert_eq(hf_loop_new(&loop, &clock_.clock), 0);
	env.loop = loop;
	cr_assert_eq(hf_config_parse(text, strlen(text), "x", NULL, &config, &errors), 0, "%s", errors.e[0].text);
	cr_assert_eq(hf_parent_new(&parent, &env, config, text, strlen(text)), 0);
	parent->state = HF_ST_RUNNING;
	for (int i = 1; i < HF_PROCS; i++) {
		parent->children[i].state = HF_CHILD_READY;
		parent->children[i].pid = getpid();
	}
}

#define PLAIN	"environment: test\n"

static void end(void)
{
	for (int i = 1; i < HF_PROCS; i++)
		parent->children[i].pid = 0;
	hf_parent_free(parent);
	hf_loop_free(loop);
	unlink(path);
	unlink(file);
	rmdir(folder);
}

static void round_(uint64_t s)
{
	hf_test_clock_advance(&clock_, s * HF_S);
	hf_checks_round(parent->checks);
}

static void hear(enum hf_proc from, const char *check, enum hf_health health, int array)
{
	struct hf_finding f = hf_finding(health, 1, 2, "%s says so", hf_proc_name(from));
	json_t *list = json_array();

	f.array = array;
	hf_findings_add(list, check, &f);
	hf_checks_heard(parent->checks, from, list);
	json_decref(list);
}

/* What the report says of @check; a borrowed member of it that lives until the next call. */
static const char *says(const char *check, const char *member)
{
	static json_t *report;
	json_t *j;
	size_t i;

	json_decref(report);
	report = hf_checks_report(parent->checks, true);
	json_array_foreach(json_object_get(report, "checks"), i, j)
		if (!strcmp(json_string_value(json_object_get(j, "name")), check))
			return json_string_value(json_object_get(j, member));
	return "no such check";
}

static unsigned int recorded(const char *action, const char *object)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < parent->n_records; i++) {
		const json_t *r = parent->records[i].body;

		n += !strcmp(json_string_value(json_object_get(r, "action")), action) &&
		     !strcmp(json_string_value(json_object_get(r, "object")), object);
	}
	return n;
}

static void uses(enum hf_proc role, int64_t mib)
{
	json_t *stats = json_pack("{s:{s:I, s:I}}", "usage", "rss_bytes", (json_int_t)mib << 20, "cpu_us",
				  (json_int_t)0);

	hf_child_said(&parent->children[role], stats);
	json_decref(stats);
}

TestSuite(checks, .timeout = 30);

Test(checks, a_process_is_believed_about_its_own)
{
	begin_with(PLAIN);
	hear(HF_PROC_AUDIT, "audit", HF_HEALTH_OK, -1);
	cr_expect_str_eq(says("audit", "health"), "ok");
	hear(HF_PROC_FRONT, "audit", HF_HEALTH_FAIL, -1);
	hear(HF_PROC_FRONT, "driver", HF_HEALTH_OK, -1);
	hear(HF_PROC_KEEPER, "processes", HF_HEALTH_OK, -1);
	cr_expect_str_eq(says("audit", "health"), "ok", "front accuses audit");
	cr_expect_str_eq(says("driver", "health"), "unknown", "front praises the driver");
	cr_expect_str_eq(says("processes", "health"), "unknown", "that is the parent's own");
	hear(HF_PROC_FRONT, "nothing", HF_HEALTH_FAIL, -1);
	hear(HF_PROC_AUDIT, "audit", HF_HEALTH_FAIL, -1);
	cr_expect_str_eq(says("audit", "health"), "fail");
	cr_expect_str_eq(says("audit", "text"), "audit says so");
	cr_expect_eq(recorded("health.change", "audit"), 1, "that it was well at first is no news");
	end();
}

Test(checks, what_is_no_finding_is_left)
{
	static const char *const wrong[] = {
		"[1]", "[[]]", "[{}]", "{}", "[{\"check\":\"audit\"}]",
		"[{\"check\":\"audit\",\"health\":99,\"text\":\"\"}]",
	};

	begin_with(PLAIN);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json_t *j = json_loads(wrong[i], 0, NULL);

		hf_checks_heard(parent->checks, HF_PROC_AUDIT, j);
		json_decref(j);
	}
	hf_checks_heard(parent->checks, HF_PROC_AUDIT, NULL);
	cr_expect_str_eq(says("audit", "health"), "unknown");
	end();
}

Test(checks, silence_becomes_unknown_and_who_is_not_wanted_is_well)
{
	begin_with(PLAIN);
	hear(HF_PROC_KEEPER, "driver", HF_HEALTH_OK, -1);
	parent->children[HF_PROC_FRONT].state = HF_CHILD_OFF;
	round_(2);
	cr_expect_str_eq(says("driver", "health"), "ok");
	cr_expect_str_eq(says("certificate", "health"), "ok");
	round_(12);
	cr_expect_str_eq(says("driver", "health"), "ok");
	round_(2);
	cr_expect_str_eq(says("driver", "health"), "unknown");
	cr_expect_eq(recorded("health.change", "driver"), 1);
	end();
}

Test(checks, processes_clock_and_file)
{
	begin_with(PLAIN);
	round_(2);
	round_(2);
	cr_expect_str_eq(says("processes", "health"), "ok");
	cr_expect_str_eq(says("clock", "health"), "ok");
	cr_expect_str_eq(says("configuration", "health"), "ok");
	parent->children[HF_PROC_AUTH].state = HF_CHILD_DOWN;
	clock_.real_ns += 3600 * HF_S;
	write_config(PLAIN "# more\n");
	round_(2);
	cr_expect_str_eq(says("processes", "health"), "ok", "it may be back at once");
	cr_expect_str_eq(says("clock", "health"), "warn");
	round_(2);
	cr_expect_str_eq(says("processes", "health"), "fail");
	cr_expect(strstr(says("processes", "text"), "auth (waiting)"), "%s", says("processes", "text"));
	cr_expect_str_eq(says("configuration", "health"), "warn");
	unlink(file);
	round_(2);
	round_(2);
	cr_expect_str_eq(says("configuration", "health"), "fail");
	write_config(PLAIN);
	parent->children[HF_PROC_AUTH].state = HF_CHILD_READY;
	for (int i = 0; i < 15; i++)
		round_(2);
	cr_expect_str_eq(says("processes", "health"), "ok");
	cr_expect_str_eq(says("clock", "health"), "ok");
	cr_expect_str_eq(says("configuration", "health"), "ok");
	end();
}

Test(checks, nobody_need_stand_by)
{
	begin_with(PLAIN);
	round_(2);
	round_(2);
	cr_expect_str_eq(says("standby", "health"), "ok");
	end();
}

Test(checks, nobody_stands_by_who_should)
{
	begin_with(PLAIN "health: { standbys: 2 }\n");
	round_(2);
	round_(2);
	cr_expect_str_eq(says("standby", "health"), "warn");
	cr_expect_str_eq(says("standby", "text"), "0 of 2 stand by");
	end();
}

Test(checks, who_uses_too_much_is_started_again_if_nothing_emits_by_it)
{
	begin_with(PLAIN "health: { memory_mib: 4000 }\n");
	round_(2);
	uses(HF_PROC_KEEPER, 2000);
	uses(HF_PROC_FRONT, 2100);
	for (int i = 0; i < 4; i++)
		round_(2);
	cr_expect_eq(parent->children[HF_PROC_FRONT].state, HF_CHILD_READY);
	round_(2);
	cr_expect_str_eq(says("memory", "health"), "fail");
	cr_expect_eq(parent->children[HF_PROC_FRONT].state, HF_CHILD_DYING);
	cr_expect_eq(recorded("remedy.step", "memory"), 1);
	end();
}

Test(checks, never_the_keeper)
{
	begin_with(PLAIN "health: { memory_mib: 4000 }\n");
	round_(2);
	uses(HF_PROC_KEEPER, 2100);
	uses(HF_PROC_FRONT, 2000);
	for (int i = 0; i < 10; i++)
		round_(2);
	cr_expect_str_eq(says("memory", "health"), "fail");
	for (int i = 1; i < HF_PROCS; i++)
		cr_expect_eq(parent->children[i].state, HF_CHILD_READY, "%s", hf_proc_name((enum hf_proc)i));
	cr_expect_eq(recorded("remedy.step", "memory"), 2, "is tried, could not be tried");
	end();
}

Test(checks, export_is_started_again_when_nobody_takes_anchors_for_long)
{
	begin_with(PLAIN);
	round_(2);
	for (int i = 0; i < 150; i++) {
		hear(HF_PROC_EXPORT, "anchors", HF_HEALTH_FAIL, -1);
		cr_expect_eq(parent->children[HF_PROC_EXPORT].state, HF_CHILD_READY, "after %d s", 2 * i);
		round_(2);
	}
	hear(HF_PROC_EXPORT, "anchors", HF_HEALTH_FAIL, -1);
	round_(2);
	cr_expect_eq(parent->children[HF_PROC_EXPORT].state, HF_CHILD_DYING);
	cr_expect_eq(recorded("remedy.step", "anchors"), 1);
	end();
}

Test(checks, dry_run_and_off_do_nothing)
{
	static const char *const modes[] = { PLAIN "health: { memory_mib: 4000, remedies: dry_run }\n",
					     PLAIN "health: { memory_mib: 4000, remedies: \"off\" }\n" };

	for (unsigned int m = 0; m < 2; m++) {
		strcpy(folder, "/tmp/hf-checks-XXXXXX");
		begin_with(modes[m]);
		uses(HF_PROC_FRONT, 4100);
		for (int i = 0; i < 10; i++)
			round_(2);
		cr_expect_eq(parent->children[HF_PROC_FRONT].state, HF_CHILD_READY);
		cr_expect_eq(recorded("remedy.step", "memory"), 1 - m, "%s", modes[m]);
		end();
	}
}

Test(checks, levels)
{
	json_t *stats = json_pack("{s:b}", "silenced", 1);

	begin_with(PLAIN);
	round_(2);
	cr_expect_str_eq(hf_checks_level(parent->checks), "full");
	hear(HF_PROC_EXPORT, "anchors", HF_HEALTH_FAIL, -1);
	hear(HF_PROC_EXPORT, "anchors", HF_HEALTH_FAIL, -1);
	round_(2);
	cr_expect_str_eq(hf_checks_level(parent->checks), "no_export");
	hear(HF_PROC_AUDIT, "audit", HF_HEALTH_FAIL, -1);
	round_(2);
	cr_expect_str_eq(hf_checks_level(parent->checks), "read_only");
	hf_child_said(&parent->children[HF_PROC_KEEPER], stats);
	round_(2);
	cr_expect_str_eq(hf_checks_level(parent->checks), "silent");
	json_decref(stats);
	cr_expect_eq(recorded("agent.level", "holdfastd"), 3);
	end();
}

Test(checks, a_report_always_fits_into_a_message)
{
	json_t *report;

	begin_with(PLAIN);
	for (int i = 0; i < 200; i++) {
		static const struct { enum hf_proc who; const char *check; } all[] = {
			{ HF_PROC_AUDIT, "audit" }, { HF_PROC_AUDIT, "disk" }, { HF_PROC_AUTH, "database" },
			{ HF_PROC_AUTH, "keys" }, { HF_PROC_FRONT, "certificate" }, { HF_PROC_EXPORT, "anchors" },
			{ HF_PROC_KEEPER, "driver" }, { HF_PROC_KEEPER, "beat" }, { HF_PROC_KEEPER, "node" },
			{ HF_PROC_KEEPER, "sensors" }, { HF_PROC_KEEPER, "temperature" },
			{ HF_PROC_KEEPER, "supply" }, { HF_PROC_KEEPER, "trips" }, { HF_PROC_KEEPER, "events" },
			{ HF_PROC_KEEPER, "leases" }, { HF_PROC_KEEPER, "limits" },
			{ HF_PROC_KEEPER, "self_test" }, { HF_PROC_KEEPER, "calibration" },
		};
		char text[HF_HEALTH_TEXT];
		struct hf_finding f;

		memset(text, '"', sizeof(text));	/* two bytes each */
		text[sizeof(text) - 1] = '\0';
		f = hf_finding(i / 3 % 2 ? HF_HEALTH_FAIL : HF_HEALTH_WARN, -1.234567e-300 * i, 1e300, "%s", text);
		f.array = 63;
		for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
			json_t *list = json_array();

			hf_findings_add(list, all[k].check, &f);
			hf_checks_heard(parent->checks, all[k].who, list);
			json_decref(list);
		}
		hf_test_clock_advance(&clock_, HF_S);
	}
	report = hf_checks_report(parent->checks, true);
	cr_expect_lt(json_dumpb(report, NULL, 0, JSON_COMPACT), HF_IPC_DATAGRAM - 1024);
	json_decref(report);
	report = hf_checks_brief(parent->checks);
	cr_expect_lt(json_dumpb(report, NULL, 0, JSON_COMPACT), 8192);
	json_decref(report);
	end();
}
