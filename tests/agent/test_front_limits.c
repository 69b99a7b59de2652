// SPDX-License-Identifier: GPL-2.0
/*
 * Rates, scores, blocks and places for connections, on a clock of the test's.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "abuse.h"
#include "check.h"
#include "conns.h"
#include "gcra.h"
#include "rate_limits.h"
#include "table.h"

#define T0	(1000 * HF_S)

static struct hf_source source(const char *address)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct hf_source s;

	if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
		cr_assert_eq(hf_source_of_address((struct sockaddr *)&in, &s), 0);
	else if (inet_pton(AF_INET6, address, &in6.sin6_addr) == 1)
		cr_assert_eq(hf_source_of_address((struct sockaddr *)&in6, &s), 0);
	else
		cr_assert_fail("%s", address);
	return s;
}

Test(source, addresses)
{
	struct hf_source a = source("192.0.2.1"), b = source("::ffff:192.0.2.1"), c, d;

	cr_assert_arr_eq(a.key, b.key, sizeof(a.key));
	cr_assert_str_eq(b.text, "192.0.2.1");
	cr_assert_not(a.gentle);
	c = source("2001:db8:1:2::3");
	d = source("2001:db8:1:2:ffff:ffff:ffff:ffff");
	cr_assert_arr_eq(c.key, d.key, sizeof(c.key));
	cr_assert_str_eq(c.text, "2001:db8:1:2::/64");
	d = source("2001:db8:1:3::3");
	cr_assert_arr_neq(c.key, d.key, sizeof(c.key));
	cr_assert(source("127.0.0.9").gentle && source("::1").gentle);
	hf_source_of_uid(4, &d);
	cr_assert(d.gentle);
	cr_assert_str_eq(d.text, "uid:4");
	cr_assert_arr_neq(d.key, source("4.0.0.0").key, sizeof(d.key));
}

/* ------------------------------------------------------------------- rates */

static const struct hf_cred nobody = { .kind = HF_CRED_NONE };

static struct hf_limits *limits_new(uint32_t requests, uint32_t logins)
{
	struct hf_limits *l;

	cr_assert_eq(hf_limits_new(&l, &hf_system_random), 0);
	hf_limits_set(l, &(struct hf_rates){ requests, logins });
	return l;
}

/* How many of @n pass at once? */
static int pass(struct hf_limits *l, struct hf_source s, const char *op, const struct hf_cred *c, int n,
		uint64_t now_ns)
{
	int passed = 0;

	for (int i = 0; i < n; i++)
		passed += !hf_limits_take(l, &s, op ? hf_op_find(op) : NULL, c, now_ns);
	return passed;
}

Test(limits, per_address_and_endpoint)
{
	struct hf_limits *l = limits_new(600, 10);
	struct hf_source a = source("192.0.2.1"), b = source("192.0.2.2");
	uint64_t wait;

	/* A quarter of a minute's at once; of one endpoint half of that. */
	cr_assert_eq(pass(l, a, "version", &nobody, 1000, T0), 75);
	cr_assert_eq(pass(l, b, "version", &nobody, 1000, T0), 75);
	cr_assert_gt(hf_limits_take(l, &a, NULL, &nobody, T0), 0, "1000 tries used the address up");
	/* After a second 10 of the address, 5 of the endpoint. */
	cr_assert_eq(pass(l, a, "version", &nobody, 100, T0 + HF_S), 5);
	wait = hf_limits_take(l, &b, hf_op_find("whoami"), &nobody, T0);
	cr_assert_eq(wait, 100 * HF_MS);
	cr_assert_eq(hf_retry_s(wait), 1);
	cr_assert_eq(hf_retry_s(HF_S), 1);
	cr_assert_eq(hf_retry_s(HF_S + 1), 2);
	hf_limits_free(l);
}

Test(limits, logins_are_rarer)
{
	struct hf_limits *l = limits_new(600, 10);
	struct hf_source a = source("192.0.2.1");

	cr_assert_eq(pass(l, a, "login", &nobody, 50, T0), 2);
	cr_assert_eq(pass(l, a, "login", &nobody, 5, T0 + 6 * HF_S), 1);
	/* All that cost a hash together, not each. */
	cr_assert_eq(pass(l, a, "session.step_up", &nobody, 5, T0 + 6 * HF_S), 0);
	hf_limits_free(l);
}

Test(limits, per_credential)
{
	struct hf_limits *l = limits_new(600, 10);
	struct hf_cred c = { HF_CRED_BEARER, "abcdefghijklmnop" };
	int passed = 0;
	char address[32];

	/* The same credential from many addresses. */
	for (int i = 0; i < 250; i++) {
		snprintf(address, sizeof(address), "198.51.100.%d", i);
		passed += pass(l, source(address), "whoami", &c, 10, T0);
	}
	cr_assert_eq(passed, 150);
	hf_limits_free(l);
}

Test(limits, silence_is_never_limited)
{
	struct hf_limits *l = limits_new(1, 1);
	struct hf_source a = source("192.0.2.1");

	cr_assert_eq(pass(l, a, "version", &nobody, 100, T0), 1);
	cr_assert_eq(pass(l, a, "silence", &nobody, 10000, T0), 10000);
	cr_assert_eq(pass(l, a, "array.silence", &nobody, 10000, T0), 10000);
	cr_assert_eq(pass(l, a, "version", &nobody, 100, T0 + 59 * HF_S), 0);
	hf_limits_free(l);
}

/* ------------------------------------------------------------------- abuse */

static const struct hf_corr corr = { { 1, 2, 3 } };

struct told {
	int blocked, attacked;
	uint32_t count;
	struct hf_corr corr;
	char detail[128];
};

static void tell(void *arg, const struct hf_corr *by, const char *what, const struct hf_source *s,
		 uint32_t count, const char *detail)
{
	struct told *t = arg;

	(void)s;
	t->corr = *by;
	if (!strcmp(what, "blocked"))
		t->blocked++;
	if (!strcmp(what, "user_attacked"))
		t->attacked++;
	t->count = count;
	snprintf(t->detail, sizeof(t->detail), "%s", detail);
}

static struct hf_abuse *abuse_new(struct told *t)
{
	struct hf_abuse *a;

	cr_assert_eq(hf_abuse_new(&a, &hf_system_random, tell, t), 0);
	hf_abuse_set(a, &(struct hf_abuse_rules){ .block_after = 50, .block_s = 900 });
	return a;
}

Test(abuse, blocks_and_forgets)
{
	const struct hf_op *version = hf_op_find("version");
	struct told t = { 0 };
	struct hf_abuse *a = abuse_new(&t);
	struct hf_source s = source("192.0.2.1"), other = source("192.0.2.2");
	const struct hf_corr last = { { 4, 5, 6 } };

	for (int i = 0; i < 49; i++)
		hf_abuse_note(a, &s, &corr, i % 2 ? HF_BAD_PATH : HF_BAD_UNKNOWN, T0);
	cr_assert_eq(hf_abuse_wait(a, &s, version, T0), 0);
	hf_abuse_note(a, &s, &last, HF_BAD_PATH, T0);
	cr_assert_eq(t.blocked, 1);
	cr_assert_arr_eq(t.corr.b, last.b, sizeof(last.b));
	cr_assert_eq(t.count, 900);
	cr_assert_str_eq(t.detail, "not authenticated 25, not found 25");
	cr_assert_eq(hf_abuse_wait(a, &s, version, T0), 900 * HF_S);
	cr_assert_eq(hf_abuse_wait(a, &s, NULL, T0), 900 * HF_S);
	cr_assert_eq(hf_abuse_wait(a, &s, hf_op_find("silence"), T0), 0);
	cr_assert_eq(hf_abuse_wait(a, &other, version, T0), 0);
	cr_assert_eq(hf_abuse_wait(a, &s, version, T0 + 900 * HF_S), 0);
	/* The next one is twice as long; after a day of good conduct it is not. */
	for (int i = 0; i < 50; i++)
		hf_abuse_note(a, &s, &corr, HF_BAD_PATH, T0 + 901 * HF_S);
	cr_assert_eq(t.count, 1800);
	for (int i = 0; i < 50; i++)
		hf_abuse_note(a, &s, &corr, HF_BAD_PATH, T0 + (901 + 1800 + 86401) * HF_S);
	cr_assert_eq(t.count, 900);
	cr_assert_eq(t.blocked, 3);
	hf_abuse_free(a);
}

Test(abuse, a_block_grows_up_to_a_day)
{
	struct told t = { 0 };
	struct hf_abuse *a = abuse_new(&t);
	struct hf_source s = source("192.0.2.1");
	uint64_t now = T0;

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 5; i++)
			hf_abuse_note(a, &s, &corr, HF_BAD_PROBE, now);
		now += hf_abuse_wait(a, &s, NULL, now);
	}
	cr_assert_eq(t.blocked, 20);
	cr_assert_eq(t.count, 86400);
	hf_abuse_free(a);
}

Test(abuse, slow_mistakes_are_forgiven)
{
	struct told t = { 0 };
	struct hf_abuse *a = abuse_new(&t);
	struct hf_source s = source("192.0.2.1");

	/* 40 a minute for a day: below 50 within a minute. */
	for (uint64_t i = 0; i < 40 * 1440; i++)
		hf_abuse_note(a, &s, &corr, HF_BAD_PATH, T0 + i * 1500 * HF_MS);
	cr_assert_eq(t.blocked, 0);
	/* 60 a minute are not. */
	for (uint64_t i = 0; i < 600; i++)
		hf_abuse_note(a, &s, &corr, HF_BAD_PATH, T0 + 86400 * HF_S + i * HF_S);
	cr_assert_geq(t.blocked, 1);
	hf_abuse_free(a);
}

Test(abuse, this_host_is_only_kept_from_logging_in)
{
	struct told t = { 0 };
	struct hf_abuse *a = abuse_new(&t);
	struct hf_source s = source("127.0.0.1");

	for (int i = 0; i < 5; i++)
		hf_abuse_note(a, &s, &corr, HF_BAD_PROBE, T0);
	cr_assert_eq(t.blocked, 1);
	cr_assert_eq(hf_abuse_wait(a, &s, hf_op_find("array.get"), T0), 0);
	cr_assert_eq(hf_abuse_wait(a, &s, hf_op_find("silence"), T0), 0);
	cr_assert_gt(hf_abuse_wait(a, &s, hf_op_find("login"), T0), 0);
	hf_abuse_free(a);
}

Test(abuse, many_users_from_one_source)
{
	struct told t = { 0 };
	struct hf_abuse *a = abuse_new(&t);
	struct hf_source s = source("192.0.2.1");
	char user[16];

	/* One who has forgotten a password is not the same as one who tries a list of names. */
	for (int i = 0; i < 40; i++)
		hf_abuse_login(a, &s, &corr, "anna", T0);
	cr_assert_eq(t.blocked, 0);
	for (int i = 0; i < 8; i++) {
		snprintf(user, sizeof(user), "user%d", i);
		hf_abuse_login(a, &s, &corr, user, T0);
	}
	cr_assert_eq(t.blocked, 1);
	cr_assert_str_eq(t.detail, "further users 5");
	hf_abuse_free(a);
}

Test(abuse, many_sources_at_one_user)
{
	struct told t = { 0 };
	struct hf_abuse *a = abuse_new(&t);
	char address[32];

	for (int i = 0; i < 100; i++) {
		snprintf(address, sizeof(address), "192.0.2.%d", i);
		struct hf_source s = source(address);

		hf_abuse_login(a, &s, &corr, "anna", T0);
		hf_abuse_login(a, &s, &corr, "anna", T0);
		cr_assert_eq(t.attacked, i >= 7);
	}
	cr_assert_str_eq(t.detail, "anna");
	cr_assert_eq(t.blocked, 0);
	hf_abuse_free(a);
}

Test(abuse, statuses)
{
	cr_assert_eq(hf_abuse_of_status(200), HF_MISDEEDS);
	cr_assert_eq(hf_abuse_of_status(401), HF_BAD_UNKNOWN);
	cr_assert_eq(hf_abuse_of_status(403), HF_BAD_DENIED);
	cr_assert_eq(hf_abuse_of_status(404), HF_BAD_PATH);
	cr_assert_eq(hf_abuse_of_status(409), HF_MISDEEDS);
	cr_assert_eq(hf_abuse_of_status(413), HF_BAD_SIZE);
	cr_assert_eq(hf_abuse_of_status(429), HF_BAD_RATE);
	cr_assert_eq(hf_abuse_of_status(503), HF_MISDEEDS);
}

/* ------------------------------------------------------------------- table */

Test(table, oldest_makes_room)
{
	struct hf_table *t;
	int *v;

	cr_assert_eq(hf_table_new(&t, 100, sizeof(int), &hf_system_random), 0);
	for (int i = 0; i < 100; i++)
		*(int *)hf_table_get(t, &i, sizeof(i)) = i;
	for (int i = 50; i < 100; i++)
		hf_table_get(t, &i, sizeof(i));
	for (int i = 100; i < 150; i++)
		*(int *)hf_table_get(t, &i, sizeof(i)) = i;
	for (int i = 0; i < 150; i++) {
		v = hf_table_find(t, &i, sizeof(i));
		cr_assert_eq(!!v, i >= 50, "%d", i);
		cr_assert(!v || *v == i);
	}
	cr_assert_eq(*(int *)hf_table_get(t, "new", 3), 0, "made anew, it is empty");
	hf_table_free(t);
}

/* ------------------------------------------------------------- connections */

static struct hf_conns *conns;
static struct hf_conn *ended, *all[1100];
static int ends, added;

static void on_close(struct hf_conn *c)
{
	ended = c;
	ends++;
}

static struct hf_conn *add(const char *address, uint64_t now_ns)
{
	struct hf_source s = source(address);

	ended = NULL;
	all[added] = hf_conns_add(conns, &s, -1, now_ns);
	return all[added++];
}

static void drop(struct hf_conn *c)
{
	for (int i = 0; i < added; i++)
		if (all[i] == c)
			all[i] = NULL;
	hf_conns_remove(conns, c);
}

static void conns_end(void)
{
	for (int i = 0; i < added; i++)
		if (all[i])
			drop(all[i]);
	cr_assert_eq(hf_conns_count(conns), 0);
	hf_conns_free(conns);
}

static void conns_setup(uint32_t most, uint32_t per_source)
{
	cr_assert_eq(hf_conns_new(&conns, most, per_source, on_close), 0);
}

Test(conns, full_means_that_the_oldest_idle_one_goes)
{
	struct hf_conn *c[4];

	conns_setup(3, 3);
	for (int i = 0; i < 3; i++)
		c[i] = add("192.0.2.1", T0 + (uint64_t)i);
	cr_assert_eq(ends, 0);
	hf_conns_busy(conns, c[0]);
	c[3] = add("192.0.2.2", T0 + 3);
	cr_assert_not_null(c[3]);
	cr_assert_eq(ended, c[1], "c[0] is at work");
	cr_assert_not(c[3]->reserved);
	drop(c[1]);
	hf_conns_idle(conns, c[0], T0 + 4);
	cr_assert_not_null(add("192.0.2.2", T0 + 5));
	cr_assert_eq(ended, c[2], "192.0.2.1 has most");
	conns_end();
}

Test(conns, a_greedy_source_pays_itself)
{
	struct hf_conn *quiet;

	conns_setup(100, 10);
	quiet = add("192.0.2.9", T0);
	for (int i = 0; i < 1000; i++) {
		struct hf_conn *c = add("192.0.2.1", T0 + 1 + (uint64_t)i);

		cr_assert_not_null(c);
		cr_assert_not(c->reserved);
		if (ended) {
			cr_assert_neq(ended, quiet);
			drop(ended);
		}
	}
	cr_assert_eq(ends, 990);
	cr_assert_eq(hf_conns_count(conns), 11);
	conns_end();
}

Test(conns, when_all_are_full_the_greediest_pays)
{
	struct hf_conn *first;

	conns_setup(4, 4);
	add("192.0.2.9", T0);
	first = add("192.0.2.1", T0 + 1);
	add("192.0.2.1", T0 + 2);
	add("192.0.2.1", T0 + 3);
	cr_assert_not_null(add("192.0.2.2", T0 + 4));
	cr_assert_eq(ended, first, "192.0.2.9 is older, but has only one");
	conns_end();
}

Test(conns, the_last_places_are_for_silence)
{
	struct hf_conn *c;

	conns_setup(10, 10);
	for (int i = 0; i < 10; i++)
		hf_conns_busy(conns, add("192.0.2.1", T0));
	for (int i = 0; i < HF_CONNS_RESERVE; i++) {
		c = add("192.0.2.2", T0 + (uint64_t)i);
		cr_assert(c && c->reserved);
	}
	/* Even those are not kept by whoever is idle. */
	c = add("192.0.2.3", T0 + 100);
	cr_assert(c && c->reserved);
	cr_assert_eq(ends, 1);
	cr_assert_eq(hf_conns_count(conns), 10 + HF_CONNS_RESERVE);
	conns_end();
}

Test(conns, each_step_has_its_time)
{
	struct hf_conn *slow, *working;

	conns_setup(10, 10);
	slow = add("192.0.2.1", T0);
	working = add("192.0.2.1", T0);
	hf_conns_busy(conns, working);
	hf_conns_expire(conns, T0 + HF_CONNS_PHASE_NS - 1);
	cr_assert_eq(ends, 0);
	ended = NULL;
	hf_conns_expire(conns, T0 + HF_CONNS_PHASE_NS);
	cr_assert_eq(ended, slow);
	hf_conns_idle(conns, working, T0 + 100 * HF_S);
	hf_conns_expire(conns, T0 + 100 * HF_S + HF_CONNS_PHASE_NS - 1);
	cr_assert_eq(ends, 1);
	hf_conns_expire(conns, T0 + 100 * HF_S + HF_CONNS_PHASE_NS);
	cr_assert_eq(ended, working);
	/* Both of the same source are about to be gone. */
	drop(slow);
	drop(working);
	conns_end();
}
