// SPDX-License-Identifier: GPL-2.0
/*
 * /livez, /readyz, /startupz: what machines and people get, and from how old a word.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "probes.h"

TestSuite(probes, .timeout = 30);

static struct hf_probe parsed(const char *query)
{
	struct hf_refusal no;
	struct hf_probe p;

	cr_assert_eq(hf_probe_parse(&p, query, &no), 0, "%s", query);
	return p;
}

Test(probes, parameters)
{
	static const char *const wrong[] = {
		"", "x", "verbose=1", "verbose&", "&verbose", "verbose&verbose", "exclude", "exclude=",
		"exclude=123456789012345678901234", "Verbose", "verbose exclude=a",
		"exclude=a&exclude=b&exclude=c&exclude=d&exclude=e&exclude=f&exclude=g&exclude=h&exclude=i",
	};
	struct hf_probe p = parsed("exclude=audit&verbose&exclude=driver");
	struct hf_refusal no;

	cr_assert(p.verbose);
	cr_assert_eq(p.excludes, 2);
	cr_assert_str_eq(p.exclude[1], "driver");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_neq(hf_probe_parse(&p, wrong[i], &no), 0, "%s", wrong[i]);
}

static json_t *health(const char *audit, bool started)
{
	return json_pack("{s:b, s:[[s,s,b], [s,s,b], [s,s,b]]}", "started", (int)started, "checks",
			 "driver", "warn", 1, "audit", audit, 1, "cpu", "fail", 0);
}

static void expect(const char *query, enum hf_probe_kind kind, json_t *h, uint64_t age_ns, int status,
		   const char *text)
{
	struct hf_probe p = { 0 };
	char *got;
	int is;

	if (*query)
		p = parsed(query);
	got = hf_probe_answer(&p, kind, h, age_ns, &is);
	cr_expect_eq(is, status, "%s: %d: %s", query, is, got);
	cr_expect_str_eq(got, text);
	free(got);
	json_decref(h);
}

Test(probes, ready_unless_something_that_counts_fails_or_is_unknown)
{
	expect("", HF_PROBE_READY, health("ok", true), 0, 200, "ok\n");
	expect("", HF_PROBE_READY, health("fail", true), 0, 503, "failed\n");
	expect("", HF_PROBE_READY, health("unknown", true), 0, 503, "failed\n");
	expect("exclude=audit", HF_PROBE_READY, health("fail", true), 0, 200, "ok\n");
	expect("exclude=driver", HF_PROBE_READY, health("fail", true), 0, 503, "failed\n");
	expect("verbose", HF_PROBE_READY, health("fail", true), 0, 503,
	       "[+]driver warn\n[-]audit fail\nreadyz check failed\n");
	expect("verbose&exclude=audit", HF_PROBE_READY, health("fail", true), 0, 200,
	       "[+]driver warn\n[+]audit excluded\nreadyz check passed\n");
}

Test(probes, started_once)
{
	expect("", HF_PROBE_STARTED, health("fail", true), 0, 200, "ok\n");
	expect("verbose", HF_PROBE_STARTED, health("ok", false), 0, 503,
	       "[-]started fail\nstartupz check failed\n");
}

Test(probes, an_old_word_is_none)
{
	expect("", HF_PROBE_READY, health("ok", true), HF_PROBE_STALE_NS, 200, "ok\n");
	expect("verbose", HF_PROBE_READY, health("ok", true), HF_PROBE_STALE_NS + 1, 503,
	       "[-]parent unknown\nreadyz check failed\n");
	expect("", HF_PROBE_STARTED, NULL, 0, 503, "failed\n");
	expect("", HF_PROBE_LIVE, NULL, 0, 200, "ok\n");
	expect("verbose", HF_PROBE_LIVE, health("fail", false), UINT64_MAX, 200,
	       "[+]ping ok\nlivez check passed\n");
}

Test(probes, no_health_makes_it_longer_than_its_room)
{
	struct hf_probe p = { .verbose = true };
	json_t *list = json_array(), *h;
	char *got;
	int is;

	for (int i = 0; i < 2000; i++)
		json_array_append_new(list, json_pack("[s,s,b]", "a_check_of_some_length", "fail", 1));
	h = json_pack("{s:b, s:o}", "started", 1, "checks", list);
	got = hf_probe_answer(&p, HF_PROBE_READY, h, 0, &is);
	cr_assert_eq(is, 503);
	cr_assert_leq(strlen(got), 8192);
	free(got);
	json_decref(h);
}
