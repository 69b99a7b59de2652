// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions and tokens on the edges of their time, and how they end at once when
 * their user, role or key changes; admins that cannot be lost.
 */
#include "auth_kit.h"

TestSuite(session, .init = kit_setup, .fini = kit_teardown, .timeout = 60);
TestSuite(admins, .init = kit_setup, .fini = kit_teardown, .timeout = 60);

static struct hf_user user;
static struct hf_session session;
static char secret[HF_SESSION_SECRET];

static void begin(enum hf_role role)
{
	user = kit_user_add("ben", role, KIT_PASSWORD);
	cr_assert_eq(hf_session_begin(&kit.a, &user, "192.0.2.1", HF_VIA_NETWORK, &session, secret), 0);
}

static int found(void)
{
	struct hf_session s;
	struct hf_user u;

	return hf_session_find(&kit.a, secret, &s, &u);
}

Test(session, idle_limit_on_the_edge)
{
	begin(HF_ROLE_USER);
	hf_test_clock_advance(&kit.clock, 1800 * HF_S - 1);
	cr_assert_eq(found(), 0);
	hf_test_clock_advance(&kit.clock, 1800 * HF_S - 1);
	cr_assert_eq(found(), 0, "used a moment before the end, it goes on");
	hf_test_clock_advance(&kit.clock, 1800 * HF_S);
	cr_assert_eq(found(), -ENOENT);
	cr_assert_eq(hf_db_session_count(kit.a.db, 0), 0, "and its row is gone");
}

Test(session, uses_shortly_after_another_are_not_written_down)
{
	begin(HF_ROLE_USER);
	hf_test_clock_advance(&kit.clock, 30 * HF_S - 1);
	cr_assert_eq(found(), 0);
	/* ends at most 30 s early, never late */
	hf_test_clock_advance(&kit.clock, 1800 * HF_S - (30 * HF_S - 1));
	cr_assert_eq(found(), -ENOENT);
}

Test(session, absolute_limit_on_the_edge)
{
	begin(HF_ROLE_OPERATOR);
	for (int i = 0; i < 26; i++) {
		hf_test_clock_advance(&kit.clock, 1600 * HF_S);
		cr_assert_eq(found(), 0, "%d", i);
	}
	kit.clock.real_ns = KIT_START + 43200 * HF_S - 1;
	cr_assert_eq(found(), 0);
	kit.clock.real_ns = KIT_START + 43200 * HF_S;
	cr_assert_eq(found(), -ENOENT);
}

Test(session, admins_have_shorter_limits)
{
	begin(HF_ROLE_ADMIN);
	hf_test_clock_advance(&kit.clock, 900 * HF_S - 1);
	cr_assert_eq(found(), 0);
	hf_test_clock_advance(&kit.clock, 900 * HF_S);
	cr_assert_eq(found(), -ENOENT);
}

Test(session, a_clock_set_back_ends_it)
{
	begin(HF_ROLE_USER);
	kit.clock.real_ns = KIT_START - 59 * HF_S;
	cr_assert_eq(found(), 0);
	kit.clock.real_ns = KIT_START - 61 * HF_S;
	cr_assert_eq(found(), -ENOENT);
}

Test(session, only_hashes_are_kept)
{
	char path[128], cmd[256];

	begin(HF_ROLE_USER);
	snprintf(path, sizeof(path), "%s/users.db", kit.root);
	snprintf(cmd, sizeof(cmd), "grep -q '%s' '%s'", secret, path);
	cr_assert_neq(system(cmd), 0, "the secret is in the file");
	snprintf(cmd, sizeof(cmd), "grep -q '%s' '%s'", session.id, path);
	cr_assert_eq(system(cmd), 0, "the public id is");
}

Test(session, number_is_bounded_and_the_oldest_ends)
{
	char first[HF_SESSION_SECRET];

	begin(HF_ROLE_USER);
	strcpy(first, secret);
	for (int i = 0; i < HF_SESSIONS_USER; i++) {
		hf_test_clock_advance(&kit.clock, HF_S);
		cr_assert_eq(hf_session_begin(&kit.a, &user, "", HF_VIA_LOCAL, &session, secret), 0);
	}
	cr_assert_eq(hf_db_session_count(kit.a.db, user.id), HF_SESSIONS_USER);
	cr_assert_eq(found(), 0, "the newest is there");
	strcpy(secret, first);
	cr_assert_eq(found(), -ENOENT, "the oldest is not");
}

Test(session, a_disabled_user_has_none)
{
	begin(HF_ROLE_USER);
	user.disabled = true;
	cr_assert_eq(hf_db_user_save(kit.a.db, &user), 0);
	cr_assert_eq(found(), -ENOENT);
}

Test(session, others_see_only_their_own)
{
	char one[HF_SESSION_SECRET], two[HF_SESSION_SECRET], id[HF_ID];
	struct who w, other;

	kit_user_add("ann", HF_ROLE_ADMIN, KIT_PASSWORD);
	kit_user_add("ben", HF_ROLE_USER, KIT_PASSWORD);
	w = kit_login("ben", one);
	other = kit_login("ann", two);
	strcpy(id, kit_text("session"));
	cr_assert_eq(kit_call(&w, "session.list", NULL), 200);
	cr_assert_eq(json_array_size(json_object_get(kit.result, "sessions")), 1);
	cr_assert_eq(kit_call(&w, "session.revoke", json_pack("{s:s}", "session", id)), 404);
	cr_assert_eq(kit_call(&other, "session.list", NULL), 200);
	cr_assert_eq(json_array_size(json_object_get(kit.result, "sessions")), 2);
	cr_assert_eq(kit_call(&other, "session.revoke", json_pack("{s:s}", "session", id)), 200);
	cr_assert_eq(kit_call(&other, "whoami", NULL), 401);
	/* a token of somebody else likewise */
	cr_assert_eq(kit_call(&w, "token.revoke", json_pack("{s:s}", "token", "00112233445566778899aabbccddeeff")), 404);
}

/* ---------------------------------------------------------------- tokens */

static char token[HF_JWT_MAX], token_id[HF_ID];
static struct who bearer = { HF_PROC_FRONT, "bearer", token, -1, "192.0.2.1" };

static struct who with_token(const char *name, int ttl_s)
{
	struct who w = kit_login(name, secret);

	cr_assert_eq(kit_call(&w, "token.create", json_pack("{s:i, s:s}", "ttl_s", ttl_s, "label", "test")), 200,
		     "%s", kit_text("message"));
	strcpy(token, kit_text("token"));
	strcpy(token_id, kit_text("id"));
	return w;
}

static int token_status(void)
{
	return kit_call(&bearer, "whoami", NULL);
}

Test(session, token_is_good_until_it_ends)
{
	struct who w;

	kit_user_add("ben", HF_ROLE_USER, KIT_PASSWORD);
	w = with_token("ben", 600);
	cr_assert_eq(token_status(), 200);
	cr_assert_str_eq(json_string_value(json_object_get(json_object_get(kit.result, "actor"), "proof")), "token");
	cr_assert_eq(kit_call(&bearer, "token.create", NULL), 403, "a token makes no tokens");
	cr_assert_eq(kit_call(&bearer, "totp.begin", NULL), 403, "and is never stepped up");
	hf_test_clock_advance(&kit.clock, 630 * HF_S - 1);
	cr_assert_eq(token_status(), 200);
	hf_test_clock_advance(&kit.clock, 1);
	cr_assert_eq(token_status(), 401);
	cr_assert_eq(kit_call(&w, "token.list", NULL), 200);
}

Test(session, token_ends_with_what_it_hangs_on)
{
	struct hf_user u;
	struct who w;

	kit_user_add("ann", HF_ROLE_ADMIN, KIT_PASSWORD);
	kit_user_add("ben", HF_ROLE_USER, KIT_PASSWORD);
	w = with_token("ben", 600);
	cr_assert_eq(kit_call(&w, "token.revoke", json_pack("{s:s}", "token", token_id)), 200);
	cr_assert_eq(token_status(), 401, "revoked");

	w = with_token("ben", 600);
	cr_assert_eq(kit_call(&w, "logout", NULL), 200);
	cr_assert_eq(token_status(), 401, "its session has ended");

	with_token("ben", 600);
	cr_assert_eq(kit_call(&bearer, "logout", NULL), 200);
	cr_assert_eq(token_status(), 401, "it has logged itself out");

	with_token("ben", 600);
	cr_assert_eq(kit_call(&root_peer, "user.change", json_pack("{s:s, s:s}", "user", "ben", "role", "operator")), 200);
	cr_assert_eq(token_status(), 401, "another role");

	with_token("ben", 600);
	cr_assert_eq(hf_db_user(kit.a.db, "ben", &u), 0);
	u.token_version++;
	cr_assert_eq(hf_db_user_save(kit.a.db, &u), 0);
	cr_assert_eq(token_status(), 401, "another version");

	with_token("ben", 600);
	cr_assert_eq(kit_call(&root_peer, "user.change", json_pack("{s:s, s:b}", "user", "ben", "disabled", 1)), 200);
	cr_assert_eq(token_status(), 401, "disabled");

	cr_assert_eq(kit_call(&root_peer, "user.change", json_pack("{s:s, s:b}", "user", "ben", "disabled", 0)), 200);
	with_token("ben", 600);
	cr_assert_eq(kit_call(&root_peer, "user.remove", json_pack("{s:s}", "user", "ben")), 200);
	cr_assert_eq(token_status(), 401, "removed");
	/* somebody else of that name is somebody else */
	kit_user_add("ben", HF_ROLE_ADMIN, KIT_PASSWORD);
	cr_assert_eq(token_status(), 401);
}

Test(session, a_rotated_key_leaves_tokens_their_time)
{
	kit_user_add("ben", HF_ROLE_USER, KIT_PASSWORD);
	with_token("ben", 900);
	cr_assert_eq(kit_call(&root_peer, "key.rotate", NULL), 200);
	cr_assert_eq(token_status(), 200);
	hf_test_clock_advance(&kit.clock, 929 * HF_S);
	cr_assert_eq(token_status(), 200);
	hf_test_clock_advance(&kit.clock, 2 * HF_S);
	cr_assert_eq(hf_keys_valid(&kit.a.keys, (int64_t)(kit.clock.real_ns / HF_S)), 1);
	cr_assert_eq(token_status(), 401);
	with_token("ben", 900);
	cr_assert_eq(kit_call(&root_peer, "key.rotate", NULL), 200);
	cr_assert_eq(kit_call(&root_peer, "key.rotate", NULL), 200);
	cr_assert_eq(token_status(), 401, "two rotations at once end them");
}

Test(session, keys_are_read_back)
{
	struct hf_keys again;
	struct stat st;
	struct hf_err e;

	cr_assert_eq(kit_call(&root_peer, "key.rotate", NULL), 200);
	cr_assert_eq(hf_keys_open(&again, kit.a.dirfd, kit.a.random, &e), 0, "%s", e.text);
	cr_assert_eq(again.count, 2);
	cr_assert_str_eq(again.k[0].kid, kit.a.keys.k[0].kid);
	cr_assert_str_eq(again.k[1].kid, kit.a.keys.k[1].kid);
	cr_assert_eq(again.until_s[1], kit.a.keys.until_s[1]);
	hf_keys_clear(&again);
	cr_assert_eq(fstatat(kit.a.dirfd, HF_KEYS_FILE, &st, 0), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
}

Test(session, tokens_are_bounded)
{
	struct who w;

	kit_user_add("ben", HF_ROLE_USER, KIT_PASSWORD);
	w = with_token("ben", 900);
	for (int i = 0; i < HF_TOKENS_USER; i++) {
		hf_test_clock_advance(&kit.clock, HF_S);
		cr_assert_eq(kit_call(&w, "token.create", NULL), 200);
	}
	cr_assert_eq(hf_db_token_count(kit.a.db, 0), HF_TOKENS_USER);
	cr_assert_eq(token_status(), 401, "the oldest has ended");
}

/* ---------------------------------------------------------------- admins */

static int change(const char *args)
{
	return kit_call(&root_peer, "user.change", json_loads(args, 0, NULL));
}

Test(admins, the_last_one_stays)
{
	kit_user_add("ann", HF_ROLE_ADMIN, KIT_PASSWORD);
	kit_user_add("ben", HF_ROLE_USER, KIT_PASSWORD);
	cr_assert_eq(change("{\"user\":\"ann\",\"role\":\"operator\"}"), 409);
	cr_assert_str_eq(kit_text("code"), "last_admin");
	cr_assert_eq(change("{\"user\":\"ann\",\"disabled\":true}"), 409);
	cr_assert_eq(kit_call(&root_peer, "user.remove", json_pack("{s:s}", "user", "ann")), 409);
	/* one that cannot log in does not count */
	kit_user_add("ghost", HF_ROLE_ADMIN, NULL);
	cr_assert_eq(kit_call(&root_peer, "user.remove", json_pack("{s:s}", "user", "ann")), 409);
	/* nor one that is disabled */
	cr_assert_eq(change("{\"user\":\"ben\",\"role\":\"admin\",\"disabled\":true}"), 200);
	cr_assert_eq(kit_call(&root_peer, "user.remove", json_pack("{s:s}", "user", "ann")), 409);
	cr_assert_eq(change("{\"user\":\"ann\",\"tenant\":\"optics\"}"), 200, "other changes are possible");
	cr_assert_eq(change("{\"user\":\"ben\",\"disabled\":false}"), 200);
	cr_assert_eq(kit_call(&root_peer, "user.remove", json_pack("{s:s}", "user", "ann")), 200);
	cr_assert_eq(change("{\"user\":\"ben\",\"role\":\"user\"}"), 409, "now ben is the last");
}

/* One known by uid alone can be the last, and must not lose it. */
Test(admins, one_by_uid_counts)
{
	struct hf_user u = kit_user_add("ann", HF_ROLE_ADMIN, NULL);

	u.uid = 1000;
	cr_assert_eq(hf_db_user_save(kit.a.db, &u), 0);
	cr_assert_eq(change("{\"user\":\"ann\",\"uid\":-1}"), 409);
	cr_assert_eq(change("{\"user\":\"ann\",\"uid\":1001}"), 200);
}

/* Wrong passwords without end, from everywhere: on the host itself the wait stays short. */
Test(admins, cannot_be_locked_out_locally)
{
	struct who local = { HF_PROC_LOCAL, "none", NULL, 1000, "" };
	struct hf_user u;
	char address[32];

	kit_user_add("ann", HF_ROLE_ADMIN, KIT_PASSWORD);
	for (int i = 0; i < 60; i++) {
		struct who w = anyone;

		snprintf(address, sizeof(address), "192.0.2.%d", i);
		w.address = address;
		kit_call(&w, "login", kit_login_args("ann", "wrong", NULL));
	}
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("ann", KIT_PASSWORD, NULL)), 429);
	cr_assert_gt(kit_number("retry_after_s"), 0);
	cr_assert_eq(hf_db_user(kit.a.db, "ann", &u), 0);
	cr_assert_gt(u.failures, 20, "kept, for the next start");
	u.failures = 500;
	u.last_failure_ns = (int64_t)kit.clock.real_ns;
	u.locked_until_ns = u.last_failure_ns + (int64_t)(3600 * HF_S);
	cr_assert_eq(hf_db_user_save(kit.a.db, &u), 0);
	cr_assert_eq(kit_call(&local, "login", kit_login_args("ann", KIT_PASSWORD, NULL)), 429);
	cr_assert_leq(kit_number("retry_after_s"), 30);
	hf_test_clock_advance(&kit.clock, 30 * HF_S);
	cr_assert_eq(kit_call(&local, "login", kit_login_args("ann", KIT_PASSWORD, NULL)), 200);
}

Test(admins, uid_0_and_services)
{
	cr_assert_eq(kit_call(&root_peer, "user.create", json_pack("{s:s, s:s, s:i}", "user", "ben", "role", "user",
								    "uid", 0)), 400);
	cr_assert_eq(kit_call(&root_peer, "user.create", json_pack("{s:s, s:s, s:s}", "user", "mon", "role", "system",
								    "password", KIT_PASSWORD)), 400);
	cr_assert_eq(kit_call(&root_peer, "user.create", json_pack("{s:s, s:s, s:i}", "user", "mon", "role", "system",
								    "uid", 990)), 200);
	cr_assert_eq(kit_call(&root_peer, "user.create", json_pack("{s:s, s:s, s:i}", "user", "mon2", "role", "system",
								    "uid", 990)), 409);
	cr_assert_eq(kit_call(&root_peer, "user.create", json_pack("{s:s, s:s}", "user", "mon", "role", "user")), 409);
	struct who service = { HF_PROC_LOCAL, "peer", NULL, 990, "" };

	cr_assert_eq(kit_call(&service, "token.create", NULL), 200);
	strcpy(token, kit_text("token"));
	cr_assert_eq(token_status(), 200);
	/* root has no row: no token for it */
	cr_assert_eq(kit_call(&root_peer, "token.create", NULL), 403);
}

Test(admins, a_new_password_given_by_an_admin)
{
	struct hf_user u = kit_user_add("ben", HF_ROLE_USER, KIT_PASSWORD);
	struct who w;

	u.failures = 99;
	u.locked_until_ns = (int64_t)(KIT_START + 3600 * HF_S);
	u.last_failure_ns = (int64_t)KIT_START;
	cr_assert_eq(hf_db_user_save(kit.a.db, &u), 0);
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("ben", KIT_PASSWORD, NULL)), 429);
	cr_assert_eq(kit_call(&root_peer, "user.password", json_pack("{s:s, s:s}", "user", "ben", "password", "short")), 400);
	cr_assert_eq(kit_call(&root_peer, "user.password", json_pack("{s:s, s:s}", "user", "ben", "password",
								      "a quite different thing")), 200);
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("ben", "a quite different thing", NULL)), 200);
	cr_assert(json_is_true(json_object_get(kit.result, "must_change_password")));
	strcpy(secret, kit_text("cookie"));
	w = (struct who){ HF_PROC_FRONT, "cookie", secret, -1, "192.0.2.1" };
	cr_assert_eq(kit_call(&w, "array.list", NULL), 403);
	cr_assert_eq(kit_call(&w, "whoami", NULL), 200);
	cr_assert_eq(kit_call(&root_peer, "user.unlock", json_pack("{s:s}", "user", "ben")), 200);
}
