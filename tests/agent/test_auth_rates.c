// SPDX-License-Identifier: GPL-2.0
/*
 * How often one user may ask, whatever credentials are brought and from
 * wherever, on a clock of the test's.
 */
#include "auth_kit.h"

/* 20 a minute: one each 3 s, 5 at once. The published vectors (100 ms, 5), thirty times as slow. */
#define PER_MINUTE	20
#define AT_ONCE		5

TestSuite(rates, .init = kit_setup, .fini = kit_teardown, .timeout = 60);

/* From now on; what the preparations have taken is forgotten. */
static void limit(uint32_t per_minute)
{
	hf_test_clock_advance(&kit.clock, 60 * HF_S);
	kit.a.cfg.requests_per_minute = per_minute;
}

static int ask(const struct who *w)
{
	return kit_call(w, "whoami", NULL);
}

/* Of @n at once. */
static int pass(const struct who *w, int n)
{
	int passed = 0;

	for (int i = 0; i < n; i++)
		passed += ask(w) == 200;
	return passed;
}

static struct who peer(int64_t uid)
{
	return (struct who){ HF_PROC_LOCAL, "peer", NULL, uid, "" };
}

/* A token of whoever @w is, in @secret. */
static struct who token(const struct who *w, const char *address, char secret[HF_JWT_MAX])
{
	cr_assert_eq(kit_call(w, "token.create", NULL), 200, "%s", kit_text("message"));
	snprintf(secret, HF_JWT_MAX, "%s", kit_text("token"));
	return (struct who){ HF_PROC_FRONT, "bearer", secret, -1, address };
}

Test(rates, vectors)
{
	kit_user_add("ann", HF_ROLE_ADMIN, KIT_PASSWORD);
	limit(PER_MINUTE);
	cr_assert_eq(pass(&root_peer, 6), AT_ONCE);
	cr_assert_eq(kit.status, 429);
	cr_assert_str_eq(kit_text("code"), "limited");
	cr_assert_eq(kit_number("retry_after_s"), 3);
	hf_test_clock_advance(&kit.clock, 1500 * HF_MS);
	cr_assert_eq(ask(&root_peer), 429);
	cr_assert_eq(kit_number("retry_after_s"), 2, "1.5 s, rounded up");
	hf_test_clock_advance(&kit.clock, 1500 * HF_MS);
	cr_assert_eq(ask(&root_peer), 200);
	cr_assert_eq(ask(&root_peer), 429);
	cr_assert_eq(kit_number("retry_after_s"), 3);
	hf_test_clock_advance(&kit.clock, 27 * HF_S);
	cr_assert_eq(pass(&root_peer, 6), AT_ONCE);
	cr_assert_eq(kit_number("retry_after_s"), 3);
	cr_assert_eq(kit.a.stats.limited, 4);
}

Test(rates, all_credentials_of_a_user_share_one_allowance)
{
	char cookie[HF_SESSION_SECRET], first[HF_JWT_MAX], second[HF_JWT_MAX];
	struct who session, a, b, local = peer(1000);
	struct hf_user u;

	u = kit_user_add("ben", HF_ROLE_USER, KIT_PASSWORD);
	u.uid = 1000;
	cr_assert_eq(hf_db_user_save(kit.a.db, &u), 0);
	session = kit_login("ben", cookie);
	a = token(&session, "192.0.2.7", first);
	b = token(&session, "198.51.100.9", second);
	limit(PER_MINUTE);
	cr_assert_eq(pass(&a, 2), 2);
	cr_assert_eq(pass(&b, 2), 2);
	cr_assert_eq(ask(&session), 200);
	cr_assert_eq(ask(&a), 429);
	cr_assert_eq(ask(&b), 429);
	cr_assert_eq(ask(&session), 429);
	cr_assert_eq(ask(&local), 429, "the same user on the unix socket");
	hf_test_clock_advance(&kit.clock, 3 * HF_S);
	cr_assert_eq(ask(&b), 200);
	cr_assert_eq(ask(&a), 429);
}

Test(rates, users_do_not_disturb_each_other)
{
	char one[HF_SESSION_SECRET], two[HF_SESSION_SECRET];
	struct who ann, ben;

	kit_peers("[{\"uid\":1000,\"role\":\"user\"},{\"uid\":1001,\"role\":\"user\"}]");
	kit_user_add("ann", HF_ROLE_ADMIN, KIT_PASSWORD);
	kit_user_add("ben", HF_ROLE_USER, KIT_PASSWORD);
	ann = kit_login("ann", one);
	ben = kit_login("ben", two);
	limit(PER_MINUTE);
	cr_assert_eq(pass(&ann, 20), AT_ONCE);
	cr_assert_eq(pass(&ben, 20), AT_ONCE, "from the same address");
	/* Local accounts without a row are their uid, root like any other. */
	for (int64_t uid = 0; uid <= 1001; uid += uid ? 1 : 1000) {
		struct who w = peer(uid);

		cr_assert_eq(pass(&w, 20), AT_ONCE, "uid %d", (int)uid);
	}
}

Test(rates, silence_passes_when_all_is_spent)
{
	char cookie[HF_SESSION_SECRET];
	struct who ben;

	kit_user_add("ben", HF_ROLE_USER, KIT_PASSWORD);
	ben = kit_login("ben", cookie);
	limit(1);
	cr_assert_eq(pass(&ben, 3), 1);
	for (int i = 0; i < 1000; i++) {
		cr_assert_eq(kit_call(&ben, "silence", NULL), 0, "%s", kit_text("message"));
		kit_reply();
		cr_assert_eq(kit_call(&ben, "array.silence", json_pack("{s:i, s:b}", "array", 0, "latch", 1)), 0);
		kit_reply();
	}
	/* Nor did it take anything. */
	hf_test_clock_advance(&kit.clock, 60 * HF_S);
	cr_assert_eq(ask(&ben), 200);
}

Test(rates, before_anything_is_recorded_or_handed_on)
{
	limit(1);
	cr_assert_eq(ask(&root_peer), 200);
	cr_assert_eq(kit_call(&root_peer, "user.create", json_pack("{s:s, s:s}", "user", "ben", "role", "user")), 429);
	cr_assert_eq(kit_call(&root_peer, "array.arm", json_pack("{s:i}", "array", 0)), 429);
	cr_assert_null(kit.forwarded);
	cr_assert_eq(json_array_size(kit.log), 0);
}

/* Front counts their addresses; here they would only push users out. */
Test(rates, who_is_not_known_is_nobodys_user)
{
	struct who stranger = peer(4711);

	limit(1);
	for (int i = 0; i < 50; i++) {
		cr_assert_eq(kit_call(&anyone, "version", NULL), 200);
		cr_assert_eq(kit_call(&stranger, "version", NULL), 200);
		cr_assert_eq(ask(&stranger), 401);
	}
	cr_assert_eq(kit.a.stats.limited, 0);
}

/* A local account of the group whose members are users. */
static int ask_member(int64_t uid)
{
	struct hf_corr corr = { { 1 } };
	json_t *body = json_pack("{s:s, s:{}, s:{s:s, s:I, s:[i]}, s:{s:s, s:s}}", "op", "whoami", "args",
				 "cred", "kind", "peer", "uid", (json_int_t)uid, "gids",
				 (int)kit_group(HF_PEERS_GROUP), "src", "via", "local", "address", "");

	hf_broker_call(&kit.a, HF_PROC_LOCAL, 7, 42, &corr, body);
	json_decref(body);
	return kit.status;
}

Test(rates, the_table_of_users_is_bounded)
{
	limit(1);
	for (int64_t uid = 1; uid <= HF_RATED_USERS; uid++)
		cr_assert_eq(ask_member(uid), 200);
	cr_assert_eq(ask_member(1), 429, "so many are remembered");
	cr_assert_eq(ask_member(HF_RATED_USERS + 1), 200);
	cr_assert_eq(ask_member(1), 429);
	cr_assert_eq(ask_member(2), 200, "who has not asked for longest has made room");
	cr_assert_eq(kit.a.stats.limited, 2);
}
