// SPDX-License-Identifier: GPL-2.0
/*
 * Calls from the front to the answer: who may bring which credential, what is
 * recorded, what is handed on, what is refused when audit is gone.
 */
#include "auth_kit.h"
#include "b64.h"
#include "totp.h"

TestSuite(broker, .init = kit_setup, .fini = kit_teardown, .timeout = 60);

Test(broker, every_operation_has_somebody_who_carries_it_out)
{
	for (const struct hf_op *op = hf_ops; op->name; op++)
		cr_expect_eq(hf_handler_find(op->name) != NULL, op->target == HF_PROC_AUTH, "%s", op->name);
}

Test(broker, unknown_operation_and_wrong_arguments)
{
	cr_assert_eq(kit_call(&root_peer, "no.such", NULL), 404);
	cr_assert_eq(kit_call(&root_peer, "user.create", json_pack("{s:s}", "user", "Eve")), 400);
	cr_assert_eq(kit_call(&root_peer, "user.list", json_pack("{s:i}", "x", 1)), 400);
	cr_assert_str_eq(kit_text("field"), "x");
	cr_assert_eq(json_array_size(kit.log), 0);
}

Test(broker, first_run)
{
	char file[128], secret[64] = "";
	struct stat st;
	struct hf_err e;
	FILE *f;

	cr_assert_eq(hf_setup_prepare(&kit.a, &e), 0);
	snprintf(file, sizeof(file), "%s/" HF_SETUP_FILE, kit.root);
	cr_assert_eq(stat(file, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	f = fopen(file, "r");
	cr_assert_not_null(fgets(secret, sizeof(secret), f));
	fclose(f);
	secret[strcspn(secret, "\n")] = '\0';
	cr_assert_eq(strlen(secret), 43);

	cr_assert_eq(kit_call(&anyone, "version", NULL), 200);
	cr_assert(json_is_true(json_object_get(kit.result, "first_run")));
	cr_assert_eq(kit_call(&anyone, "setup", json_pack("{s:s, s:s, s:s}", "secret", secret, "user", "ann",
							   "password", KIT_PASSWORD)), 403, "not over the network");
	struct who local = { HF_PROC_LOCAL, "none", NULL, -1, "" };

	cr_assert_eq(kit_call(&local, "setup", json_pack("{s:s, s:s, s:s}", "secret", "wrong", "user", "ann",
							  "password", KIT_PASSWORD)), 403);
	cr_assert_str_eq(kit_text("code"), "wrong_secret");
	cr_assert_eq(kit_call(&local, "setup", json_pack("{s:s, s:s, s:s}", "secret", secret, "user", "ann",
							  "password", "tooshort")), 400);
	/* a restart in between keeps the secret */
	cr_assert_eq(hf_setup_prepare(&kit.a, &e), 0);
	cr_assert_eq(kit_call(&local, "setup", json_pack("{s:s, s:s, s:s}", "secret", secret, "user", "ann",
							  "password", KIT_PASSWORD)), 200, "%s", kit_text("message"));
	cr_assert_eq(stat(file, &st), -1, "the file is gone");
	cr_assert_eq(kit_logged("setup.done", "event"), 1);
	cr_assert_eq(kit_call(&local, "setup", json_pack("{s:s, s:s, s:s}", "secret", secret, "user", "bob",
							  "password", KIT_PASSWORD)), 409);
	cr_assert_eq(hf_setup_prepare(&kit.a, &e), 0);
	cr_assert_eq(stat(file, &st), -1, "and stays away");
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("ann", KIT_PASSWORD, NULL)), 200);
	cr_assert_str_eq(kit_text("role"), "admin");
}

Test(broker, wrong_log_ins_look_alike)
{
	json_t *first;

	kit_user_add("ann", HF_ROLE_ADMIN, KIT_PASSWORD);
	kit_user_add("robot", HF_ROLE_SYSTEM, NULL);
	kit_user_add("ben", HF_ROLE_USER, NULL);
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("ann", "wrong", NULL)), 401);
	first = json_incref(kit.result);
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("nobody", "wrong", NULL)), 401);
	cr_assert(json_equal(first, kit.result));
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("robot", "nobody's password", NULL)), 401);
	cr_assert(json_equal(first, kit.result), "the password of the dummy is nobody's");
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("ben", "nobody's password", NULL)), 401);
	json_decref(first);
	cr_assert_eq(kit_logged("login", "denied"), 4);
	/* they cost what a right name costs: the dummy is really hashed, as its damage shows */
	strcpy(kit.a.dummy, "damaged");
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("somebody", "wrong", NULL)), 500);
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("ben", "wrong", NULL)), 500);
	/* nothing that was typed is in the log */
	char *text = json_dumps(kit.log, 0);

	cr_assert_null(strstr(text, "wrong\""));
	free(text);
}

Test(broker, sessions_begin_and_end)
{
	char secret[HF_SESSION_SECRET], second[HF_SESSION_SECRET];
	struct who w;

	kit_user_add("ann", HF_ROLE_ADMIN, KIT_PASSWORD);
	w = kit_login("ann", secret);
	cr_assert_eq(kit_call(&w, "whoami", NULL), 200);
	cr_assert_str_eq(json_string_value(json_object_get(json_object_get(kit.result, "actor"), "name")), "ann");
	cr_assert_eq(kit_call(&w, "session.rotate", NULL), 200);
	strcpy(second, kit_text("cookie"));
	cr_assert_eq(kit_call(&w, "whoami", NULL), 401, "the old secret is void");
	w.secret = second;
	cr_assert_eq(kit_call(&w, "whoami", NULL), 200);
	cr_assert_eq(kit_call(&w, "logout", NULL), 200);
	cr_assert_eq(kit_call(&w, "whoami", NULL), 401);
	cr_assert_eq(kit_logged("session.begin", "event"), 1);
	cr_assert_eq(kit_logged("session.end", "event"), 1);
	w.secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	cr_assert_eq(kit_call(&w, "whoami", NULL), 401);
	/* a stale cookie does not keep anybody from logging in */
	cr_assert_eq(kit_call(&w, "login", kit_login_args("ann", KIT_PASSWORD, NULL)), 200);
}

Test(broker, a_login_ends_the_session_it_came_with)
{
	char secret[HF_SESSION_SECRET];
	struct who w;

	kit_user_add("ann", HF_ROLE_ADMIN, KIT_PASSWORD);
	w = kit_login("ann", secret);
	cr_assert_eq(kit_call(&w, "login", kit_login_args("ann", KIT_PASSWORD, NULL)), 200);
	cr_assert_str_neq(kit_text("cookie"), secret);
	cr_assert_eq(kit_call(&w, "whoami", NULL), 401);
}

Test(broker, only_local_may_say_who_a_peer_is)
{
	struct who forged = { HF_PROC_FRONT, "peer", NULL, 0, "192.0.2.1" };
	struct who slipped = { HF_PROC_FRONT, "none", NULL, 0, "192.0.2.1" };
	struct who nobody = { HF_PROC_LOCAL, "peer", NULL, -1, "" };

	cr_assert_eq(kit_call(&root_peer, "user.list", NULL), 200);
	cr_assert_eq(kit_call(&forged, "user.list", NULL), 403);
	cr_assert_str_eq(kit_text("code"), "credential");
	cr_assert_eq(kit_call(&slipped, "version", NULL), 403);
	cr_assert_eq(kit_call(&nobody, "version", NULL), 400);
	cr_assert_eq(kit_logged("user.list", "denied"), 1);
}

Test(broker, who_local_accounts_are)
{
	struct who w = { HF_PROC_LOCAL, "peer", NULL, 1000, "" };
	struct hf_user u;

	cr_assert_eq(kit_call(&w, "whoami", NULL), 401, "an account that is not listed");
	kit_peers("[{\"uid\":1000,\"role\":\"operator\",\"tenant\":\"optics\",\"name\":\"ola\"},"
		  "{\"user\":\"lab\",\"role\":\"user\"},{\"user\":\"missing\",\"role\":\"admin\"},"
		  "{\"uid\":0,\"role\":\"user\"}]");
	cr_assert_eq(kit_call(&w, "whoami", NULL), 200);
	cr_assert_str_eq(json_string_value(json_object_get(json_object_get(kit.result, "actor"), "name")), "ola");
	cr_assert_str_eq(json_string_value(json_object_get(json_object_get(kit.result, "actor"), "tenant")), "optics");
	cr_assert_eq(kit_call(&w, "array.arm", json_pack("{s:i}", "array", 0)), 403, "a peer has proved no password");
	cr_assert_str_eq(kit_text("code"), "step_up");
	w.uid = 2000;
	cr_assert_eq(kit_call(&w, "whoami", NULL), 200);
	cr_assert_str_eq(json_string_value(json_object_get(json_object_get(kit.result, "actor"), "name")), "lab");
	cr_assert_eq(kit_call(&root_peer, "user.list", NULL), 403, "the configuration says what root is");
	/* a row of the database is before the configuration, and disabled is disabled */
	u = kit_user_add("ines", HF_ROLE_ADMIN, NULL);
	u.uid = 1000;
	cr_assert_eq(hf_db_user_save(kit.a.db, &u), 0);
	w.uid = 1000;
	cr_assert_eq(kit_call(&w, "user.list", NULL), 200);
	u.disabled = true;
	cr_assert_eq(hf_db_user_save(kit.a.db, &u), 0);
	cr_assert_eq(kit_call(&w, "whoami", NULL), 401);
}

static json_t *whois(int64_t uid, int gid)
{
	json_t *body = json_pack("{s:I, s:[i]}", "uid", (json_int_t)uid, "gids", gid), *out;

	cr_assert_eq(hf_broker_whois(&kit.a, body, &out), 200);
	json_decref(body);
	return out;
}

Test(broker, whois)
{
	static const struct { int64_t uid; int gid; const char *name, *role; } v[] = {
		{ 0, 5, "uid:0", "admin" }, { 1234, 900, "uid:1234", "user" }, { 1234, 5, "uid:1234", "public" },
		{ 77, 901, "olga", "operator" },
	};

	kit_peers("[{\"group\":\"ops\",\"role\":\"operator\",\"name\":\"olga\"}]");
	for (size_t i = 0; i < 4; i++) {
		json_t *j = whois(v[i].uid, v[i].gid);

		cr_assert_str_eq(json_string_value(json_object_get(j, "name")), v[i].name);
		cr_assert_str_eq(json_string_value(json_object_get(j, "role")), v[i].role);
		json_decref(j);
	}
}

/* ------------------------------------------------------------- handing on */

Test(broker, what_others_carry_out_is_handed_on_with_the_actor)
{
	const json_t *actor;

	kit_user_add("ann", HF_ROLE_ADMIN, KIT_PASSWORD);
	cr_assert_eq(kit_call(&root_peer, "array.arm", json_pack("{s:i, s:s}", "array", 3, "comment", "test")), 0);
	cr_assert_eq(kit.forwarded_to, HF_PROC_KEEPER);
	cr_assert_str_eq(json_string_value(json_object_get(kit.forwarded, "op")), "array.arm");
	cr_assert_eq(json_integer_value(json_object_get(json_object_get(kit.forwarded, "args"), "array")), 3);
	cr_assert_null(json_object_get(kit.forwarded, "cred"), "credentials stay here");
	actor = json_object_get(kit.forwarded, "actor");
	cr_assert_str_eq(json_string_value(json_object_get(actor, "role")), "admin");
	cr_assert(json_is_true(json_object_get(actor, "stepped_up")));
	cr_assert_leq(json_integer_value(json_object_get(kit.forwarded, "deadline_ms")), HF_DEADLINE_MS);
	kit_reply();
	cr_assert_eq(kit.status, 200);
	cr_assert(json_is_true(json_object_get(kit.result, "done")));
	kit.no_target = true;
	cr_assert_eq(kit_call(&root_peer, "array.list", NULL), 503);
	cr_assert_eq(kit_call(&anyone, "silence", NULL), 401, "silence needs somebody known");
}

Test(broker, silence_passes_when_everything_else_is_held_back)
{
	char secret[HF_SESSION_SECRET];
	struct hf_user u = kit_user_add("ben", HF_ROLE_USER, KIT_PASSWORD);
	struct who w;

	w = kit_login("ben", secret);
	cr_assert_eq(hf_db_user(kit.a.db, "ben", &u), 0);
	u.must_change = true;
	cr_assert_eq(hf_db_user_save(kit.a.db, &u), 0);
	kit.audit_gone = true;
	kit.a.durable = false;
	kit.a.open_calls = HF_CALLS_MAX;
	cr_assert_eq(kit_call(&w, "array.list", NULL), 503);
	cr_assert_eq(kit_call(&w, "silence", NULL), 0, "%s", kit_text("message"));
	kit_reply();
	cr_assert_eq(kit_call(&w, "array.silence", json_pack("{s:i}", "array", 1)), 0);
	kit_reply();
	kit.a.open_calls -= HF_CALLS_MAX;
	cr_assert_eq(kit_call(&w, "array.list", NULL), 403);
	cr_assert_str_eq(kit_text("code"), "password_must_change");
}

/* ------------------------------------------------------------------ audit */

/* The parent has no link to write by before it acts. */
Test(broker, what_the_parent_carries_out_is_recorded_here)
{
	const json_t *intent, *outcome;
	char text[4097];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_assert_eq(kit_call(&root_peer, "config.apply", json_pack("{s:s, s:s}", "text", text, "comment", "why")), 0);
	cr_assert_eq(kit.forwarded_to, HF_PROC_PARENT);
	cr_assert_eq(json_string_length(json_object_get(json_object_get(kit.forwarded, "args"), "text")), 4096);
	cr_assert_eq(json_array_size(kit.log), 1);
	intent = json_array_get(kit.log, 0);
	cr_assert_str_eq(json_string_value(json_object_get(intent, "action")), "config.apply");
	cr_assert_str_eq(json_string_value(json_object_get(intent, "phase")), "intent");
	intent = json_object_get(json_object_get(intent, "detail"), "args");
	cr_assert_str_eq(json_string_value(json_object_get(intent, "text")), "4096 bytes");
	cr_assert_str_eq(json_string_value(json_object_get(intent, "comment")), "why");
	kit_reply();
	cr_assert_eq(kit.status, 200);
	cr_assert_eq(json_array_size(kit.log), 2);
	outcome = json_array_get(kit.log, 1);
	cr_assert_str_eq(json_string_value(json_object_get(outcome, "phase")), "outcome");
	cr_assert_str_eq(json_string_value(json_object_get(outcome, "result")), "ok");

	kit.audit_gone = true;
	json_decref(kit.forwarded);
	kit.forwarded = NULL;
	cr_assert_eq(kit_call(&root_peer, "backup.create", json_object()), 503);
	cr_assert_null(kit.forwarded, "nothing is done that cannot be recorded");
}

Test(broker, privileged_acts_are_recorded_before_and_after)
{
	const json_t *intent, *outcome;

	cr_assert_eq(kit_call(&root_peer, "user.create", json_pack("{s:s, s:s, s:s}", "user", "ben", "role", "user",
								    "password", KIT_PASSWORD)), 200);
	cr_assert_eq(json_array_size(kit.log), 2);
	intent = json_array_get(kit.log, 0);
	outcome = json_array_get(kit.log, 1);
	cr_assert_str_eq(json_string_value(json_object_get(intent, "phase")), "intent");
	cr_assert_str_eq(json_string_value(json_object_get(intent, "object")), "ben");
	cr_assert_str_eq(json_string_value(json_object_get(json_object_get(json_object_get(intent, "detail"), "args"),
							   "password")), "***");
	cr_assert_str_eq(json_string_value(json_object_get(outcome, "phase")), "outcome");
	cr_assert_str_eq(json_string_value(json_object_get(outcome, "result")), "ok");
	cr_assert_eq(json_integer_value(json_object_get(outcome, "intent")), 1);
	cr_assert_eq(kit_call(&root_peer, "user.remove", json_pack("{s:s}", "user", "nobody")), 404);
	outcome = json_array_get(kit.log, 3);
	cr_assert_str_eq(json_string_value(json_object_get(outcome, "result")), "refused");
}

Test(broker, what_is_not_on_record_is_not_acknowledged)
{
	kit.no_outcome = true;
	cr_assert_eq(kit_call(&root_peer, "user.create", json_pack("{s:s, s:s, s:s}", "user", "ben", "role", "user",
								    "password", KIT_PASSWORD)), 500);
	cr_assert_str_eq(kit_text("code"), "outcome_not_recorded");
	/* A refusal had no effect that could be missing from the record. */
	cr_assert_eq(kit_call(&root_peer, "user.remove", json_pack("{s:s}", "user", "nobody")), 404);
}

Test(broker, without_audit_no_privileged_act)
{
	struct hf_user u;

	kit.a.durable = false;
	cr_assert_eq(kit_call(&root_peer, "user.create", json_pack("{s:s, s:s}", "user", "ben", "role", "user")), 503);
	cr_assert_str_eq(kit_text("code"), "audit_not_durable");
	kit.a.durable = true;
	kit.audit_gone = true;
	cr_assert_eq(kit_call(&root_peer, "user.create", json_pack("{s:s, s:s}", "user", "ben", "role", "user")), 503);
	cr_assert_eq(hf_db_user(kit.a.db, "ben", &u), -ENOENT);
	cr_assert_eq(kit_call(&root_peer, "user.list", NULL), 200, "reading goes on");
}

Test(broker, a_flood_of_denials_is_counted)
{
	int64_t n = 0;
	const json_t *j;
	size_t i;

	for (int k = 0; k < 500; k++)
		cr_assert_eq(kit_call(&anyone, "user.list", NULL), 401);
	cr_assert_eq(json_array_size(kit.log), HF_DENIALS_PER_S);
	hf_test_clock_advance(&kit.clock, HF_S);
	hf_denials_tick(&kit.a);
	cr_assert_eq(json_array_size(kit.log), HF_DENIALS_PER_S + 1);
	json_array_foreach(kit.log, i, j)
		if (!strcmp(json_string_value(json_object_get(j, "action")), "denied.suppressed"))
			n += json_integer_value(json_object_get(json_object_get(j, "detail"), "count"));
	cr_assert_eq(n, 500 - HF_DENIALS_PER_S);
	cr_assert_eq(kit_call(&anyone, "user.list", NULL), 401);
	cr_assert_eq(json_array_size(kit.log), HF_DENIALS_PER_S + 2, "a new second");
}

Test(broker, what_a_front_reports_is_recorded_with_its_request)
{
	const struct hf_corr corr = { { 0xab, 0xcd } };
	json_t *body = json_pack("{s:s, s:s, s:i, s:s}", "what", "blocked", "source", "192.0.2.1",
				 "count", 900, "detail", "probes 5");
	const json_t *j;

	hf_broker_report(&kit.a, HF_PROC_FRONT, &corr, body);
	cr_assert_eq(kit_logged("http.blocked", "denied"), 1);
	j = json_array_get(kit.log, 0);
	cr_assert_str_eq(json_string_value(json_object_get(j, "corr")),
			 "abcd0000000000000000000000000000");
	cr_assert_eq(json_integer_value(json_object_get(json_object_get(j, "detail"), "count")), 900);
	json_decref(body);
}

/* ------------------------------------------------------- step-up and TOTP */

Test(broker, step_up_lasts_five_minutes)
{
	char secret[HF_SESSION_SECRET];
	struct who w;

	kit_user_add("ann", HF_ROLE_ADMIN, KIT_PASSWORD);
	w = kit_login("ann", secret);
	cr_assert_eq(kit_call(&w, "key.rotate", NULL), 200, "a login has just proved it");
	hf_test_clock_advance(&kit.clock, 300 * HF_S - 1);
	cr_assert_eq(kit_call(&w, "key.rotate", NULL), 200);
	hf_test_clock_advance(&kit.clock, 1);
	cr_assert_eq(kit_call(&w, "key.rotate", NULL), 403);
	cr_assert_str_eq(kit_text("code"), "step_up");
	cr_assert_eq(kit_call(&w, "session.step_up", json_pack("{s:s}", "password", "wrong")), 403);
	cr_assert_eq(kit_call(&w, "key.rotate", NULL), 403);
	cr_assert_eq(kit_call(&w, "session.step_up", json_pack("{s:s}", "password", KIT_PASSWORD)), 200);
	cr_assert_eq(kit_number("until_ns"), (int64_t)(KIT_START + 600 * HF_S));
	cr_assert_eq(kit_call(&w, "key.rotate", NULL), 200);
}

static void code_now(const char *secret32, char code[8])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint8_t key[HF_TOTP_SECRET];
	unsigned int bits = 0, have = 0;
	size_t n = 0;

	for (; *secret32; secret32++) {
		bits = (bits << 5) | (unsigned int)(strchr(letters, *secret32) - letters);
		have += 5;
		if (have >= 8) {
			have -= 8;
			key[n++] = (uint8_t)(bits >> have);
		}
	}
	cr_assert_eq(n, HF_TOTP_SECRET);
	snprintf(code, 8, "%06d", hf_hotp(key, n, kit.clock.real_ns / HF_S / 30));
}

Test(broker, second_factor)
{
	char secret[HF_SESSION_SECRET], key[64], code[8];
	struct hf_user u;
	struct who w;

	kit_user_add("ann", HF_ROLE_ADMIN, KIT_PASSWORD);
	w = kit_login("ann", secret);
	cr_assert_eq(kit_call(&w, "totp.begin", NULL), 200);
	strcpy(key, kit_text("secret"));
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("ann", KIT_PASSWORD, NULL)), 200, "not in force yet");
	cr_assert_eq(kit_call(&w, "totp.confirm", json_pack("{s:s}", "totp", "000000")), 403);
	code_now(key, code);
	cr_assert_eq(kit_call(&w, "totp.confirm", json_pack("{s:s}", "totp", code)), 200);
	cr_assert_eq(hf_db_user(kit.a.db, "ann", &u), 0);
	cr_assert(u.totp_on);
	cr_assert_null(memmem(u.totp, u.totp_len, key, 20), "kept encrypted");

	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("ann", KIT_PASSWORD, NULL)), 401);
	cr_assert_str_eq(kit_text("code"), "totp_needed");
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("ann", KIT_PASSWORD, code)), 401, "used already");
	hf_test_clock_advance(&kit.clock, 30 * HF_S);
	code_now(key, code);
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("ann", "wrong", code)), 401);
	cr_assert_str_eq(kit_text("code"), "wrong_credentials");
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("ann", KIT_PASSWORD, code)), 200);
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("ann", KIT_PASSWORD, code)), 401, "replayed");
	hf_test_clock_advance(&kit.clock, 30 * HF_S);
	cr_assert_eq(kit_call(&w, "session.step_up", json_pack("{s:s}", "password", KIT_PASSWORD)), 403);
	cr_assert_str_eq(kit_text("code"), "totp_needed");
	code_now(key, code);
	cr_assert_eq(kit_call(&w, "session.step_up", json_pack("{s:s, s:s}", "password", KIT_PASSWORD, "totp", code)), 200);
	/* another user's row does not open with this one's box */
	kit_user_add("eve", HF_ROLE_USER, KIT_PASSWORD);
	cr_assert_eq(hf_db_user(kit.a.db, "ann", &u), 0);
	strcpy(u.name, "eve");
	cr_assert_eq(hf_second_factor(&kit.a, &u, code), -EBADMSG);
}

Test(broker, a_second_factor_that_is_required)
{
	char secret[HF_SESSION_SECRET], key[64], code[8];
	struct who w;

	kit.a.cfg.totp_required = true;
	kit_user_add("ann", HF_ROLE_ADMIN, KIT_PASSWORD);
	w = kit_login("ann", secret);
	cr_assert(json_is_true(json_object_get(kit.result, "must_enrol_totp")));
	cr_assert_eq(kit_call(&w, "user.list", NULL), 403);
	cr_assert_str_eq(kit_text("code"), "totp_must_enrol");
	cr_assert_eq(kit_call(&w, "totp.begin", NULL), 200);
	strcpy(key, kit_text("secret"));
	code_now(key, code);
	cr_assert_eq(kit_call(&w, "totp.confirm", json_pack("{s:s}", "totp", code)), 200);
	cr_assert_eq(kit_call(&w, "user.list", NULL), 200);
}

/* -------------------------------------------------------------- passwords */

Test(broker, changing_ones_password)
{
	char one[HF_SESSION_SECRET], two[HF_SESSION_SECRET];
	struct who w, other;
	struct hf_user u;

	u = kit_user_add("ben", HF_ROLE_USER, KIT_PASSWORD);
	u.must_change = true;
	cr_assert_eq(hf_db_user_save(kit.a.db, &u), 0);
	w = kit_login("ben", one);
	other = kit_login("ben", two);
	cr_assert_eq(kit_call(&w, "array.list", NULL), 403);
	cr_assert_eq(kit_call(&w, "password.change", json_pack("{s:s, s:s}", "old", "wrong", "new",
								"another long sentence")), 403);
	cr_assert_eq(kit_call(&w, "password.change", json_pack("{s:s, s:s}", "old", KIT_PASSWORD, "new", "short")), 400);
	cr_assert_eq(kit_call(&w, "password.change", json_pack("{s:s, s:s}", "old", KIT_PASSWORD, "new",
								KIT_PASSWORD)), 400);
	cr_assert_eq(kit_call(&w, "password.change", json_pack("{s:s, s:s}", "old", KIT_PASSWORD, "new",
								"another long sentence")), 200);
	cr_assert_eq(kit_call(&w, "array.list", NULL), 0);
	kit_reply();
	cr_assert_eq(kit_call(&other, "whoami", NULL), 401, "other sessions have ended");
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("ben", KIT_PASSWORD, NULL)), 401);
	cr_assert_eq(kit_call(&anyone, "login", kit_login_args("ben", "another long sentence", NULL)), 200);
}

Test(broker, hashes_are_renewed_at_login)
{
	char secret[HF_SESSION_SECRET];
	struct hf_user u;

	kit_user_add("ben", HF_ROLE_USER, KIT_PASSWORD);
	kit.a.cfg.cost.iterations = 3;
	kit_login("ben", secret);
	cr_assert_eq(hf_db_user(kit.a.db, "ben", &u), 0);
	cr_assert(strstr(u.phc, "i=3,"), "%s", u.phc);
	kit_login("ben", secret);
	/* with a pepper */
	cr_assert_eq(kit_call(&root_peer, "secret.set", json_pack("{s:s, s:s}", "secret", "auth-pepper", "value",
								   "sixteen bytes at least")), 200, "%s", kit_text("message"));
	kit_login("ben", secret);
	cr_assert_eq(hf_db_user(kit.a.db, "ben", &u), 0);
	cr_assert(strstr(u.phc, ",keyid="), "%s", u.phc);
	kit_login("ben", secret);
	cr_assert_eq(kit_call(&root_peer, "secret.set", json_pack("{s:s, s:s}", "secret", "auth-pepper", "value",
								   "another one of the kind")), 409);
	cr_assert_eq(kit_call(&root_peer, "secret.remove", json_pack("{s:s}", "secret", "auth-pepper")), 403);
}

Test(broker, a_damaged_hash_lets_nobody_in)
{
	static const char *const phcs[] = { "x", "$argon2id$v=19$m=4294967295,t=1,p=1$AAAA$AAAA", "*", "$" };
	struct hf_user u = kit_user_add("ben", HF_ROLE_USER, KIT_PASSWORD);

	for (size_t i = 0; i < 4; i++) {
		strcpy(u.phc, phcs[i]);
		u.failures = 0;
		u.locked_until_ns = 0;
		cr_assert_eq(hf_db_user_save(kit.a.db, &u), 0);
		cr_assert_eq(kit_call(&anyone, "login", kit_login_args("ben", KIT_PASSWORD, NULL)), 500);
	}
}

Test(broker, more_log_ins_than_the_queue_holds)
{
	unsigned int refused = 0;

	kit.a.cfg.cost.iterations = 300000;
	cr_assert_eq(hf_phc_make(&kit.a.cfg.cost, NULL, "x", 1, (const uint8_t *)"0123456789abcdef", kit.a.dummy), 0);
	for (int i = 0; i < 10; i++) {
		struct who w = anyone;
		char address[32], name[16];
		unsigned int answers = kit.answers;

		snprintf(address, sizeof(address), "192.0.2.%d", i);
		snprintf(name, sizeof(name), "user%d", i);
		w.address = address;
		kit.status = 0;
		kit_send(&w, "login", kit_login_args(name, "whatever", NULL));
		if (kit.answers > answers) {
			cr_assert_eq(kit.status, 503);
			cr_assert_str_eq(kit_text("code"), "overload");
			cr_assert_gt(kit_number("retry_after_s"), 0);
			refused++;
		}
	}
	cr_assert_geq(refused, 10 - 1 - 1 - 2);
	cr_assert_leq(refused, 8);
	while (kit.a.open_calls)
		kit_wait(kit.answers);
	cr_assert_eq(kit.answers, 10);
}

/* ---------------------------------------------------------------- secrets */

/* As at a start. Return: what hf_vault_open() says. */
static int reopen(uint8_t now, int old, struct hf_err *e)
{
	struct hf_master_key key = { .bytes = { now }, .source = HF_MASTER_CREDENTIAL };
	struct hf_master_key before = { .bytes = { (uint8_t)old }, .source = HF_MASTER_CREDENTIAL };

	hf_secrets_close(kit.a.secrets);
	kit.a.secrets = NULL;
	return hf_vault_open(&kit.a, &key, old < 0 ? NULL : &before, e);
}

static size_t records_of_rotation(void)
{
	size_t i, n = 0;
	json_t *r;

	json_array_foreach(kit.log, i, r)
		n += !strcmp(json_string_value(json_object_get(r, "action")), "secret.rotate") &&
		     !strcmp(json_string_value(json_object_get(r, "phase")), "event");
	return n;
}

static bool secret_is(const char *name, const char *value)
{
	json_t *out;
	bool same = hf_vault_answer(&kit.a, HF_PROC_FRONT, name, &out) == 200 &&
		    !strcmp(json_string_value(json_object_get(out, "value")), value);

	json_decref(out);
	return same;
}

Test(broker, a_new_master_key_from_elsewhere_takes_over_from_the_old_one)
{
	struct hf_err e = { "" };

	cr_assert_eq(kit_call(&root_peer, "secret.set", json_pack("{s:s, s:s}", "secret", "tls-key", "value", "K")), 200);
	cr_assert_eq(reopen(5, -1, &e), -EBADMSG, "a new key alone opens nothing");
	cr_assert_eq(reopen(5, 6, &e), -EBADMSG, "nor does a wrong old one");
	cr_assert_eq(reopen(5, 0, &e), 0, "%s", e.text);
	cr_expect(secret_is("tls-key", "K"));

	/* recorded once, as soon as that is durable, and again if it was not taken */
	kit.a.durable = false;
	hf_vault_tick(&kit.a);
	cr_expect_eq(records_of_rotation(), 0);
	kit.a.durable = true;
	kit.audit_gone = true;
	hf_vault_tick(&kit.a);
	kit.audit_gone = false;
	hf_vault_tick(&kit.a);
	hf_vault_tick(&kit.a);
	cr_expect_eq(records_of_rotation(), 1);

	cr_assert_eq(reopen(0, -1, &e), -EBADMSG, "the old one is of no use any more");
	cr_assert_eq(reopen(5, 0, &e), 0, "%s", e.text);
	cr_assert_eq(reopen(5, -1, &e), 0, "%s", e.text);
	cr_expect(secret_is("tls-key", "K"));
	hf_vault_tick(&kit.a);
	cr_expect_eq(records_of_rotation(), 1, "nothing was changed again");
	cr_assert_eq(kit_call(&root_peer, "secret.rotate", NULL), 409);
}

Test(broker, an_old_master_key_brings_no_old_store_back)
{
	char cmd[256];
	struct hf_err e = { "" };

	cr_assert_eq(kit_call(&root_peer, "secret.set", json_pack("{s:s, s:s}", "secret", "tls-key", "value", "K")), 200);
	snprintf(cmd, sizeof(cmd), "cp %s/secrets %s/kept", kit.root, kit.root);
	cr_assert_eq(system(cmd), 0);
	cr_assert_eq(reopen(5, 0, &e), 0, "%s", e.text);
	snprintf(cmd, sizeof(cmd), "mv %s/kept %s/secrets", kit.root, kit.root);
	cr_assert_eq(system(cmd), 0);
	cr_assert_eq(reopen(5, 0, &e), -ESTALE, "%s", e.text);
}

Test(broker, secrets_go_to_who_is_entitled)
{
	json_t *out;

	cr_assert_eq(kit_call(&root_peer, "secret.set", json_pack("{s:s, s:s}", "secret", "tls-key", "value", "K")), 200);
	cr_assert_eq(kit_call(&root_peer, "secret.set", json_pack("{s:s, s:s}", "secret", "auth-totp", "value", "K")), 403);
	cr_assert_eq(kit_call(&root_peer, "secret.list", NULL), 200);
	cr_assert_eq(json_array_size(json_object_get(kit.result, "secrets")), 1);
	cr_assert_eq(hf_vault_answer(&kit.a, HF_PROC_FRONT, "tls-key", &out), 200);
	cr_assert_str_eq(json_string_value(json_object_get(out, "value")), "K");
	json_decref(out);
	for (int p = 0; p < HF_PROCS; p++) {
		cr_expect_eq(hf_vault_entitled((enum hf_proc)p, "tls-key"), p == HF_PROC_FRONT);
		cr_expect_eq(hf_vault_entitled((enum hf_proc)p, "export-token"), p == HF_PROC_EXPORT);
		cr_expect_eq(hf_vault_entitled((enum hf_proc)p, "fleet-bus"), p == HF_PROC_FLEET);
		cr_expect_not(hf_vault_entitled((enum hf_proc)p, "auth-pepper"));
		cr_expect_not(hf_vault_entitled((enum hf_proc)p, ""));
	}
	cr_assert_eq(hf_vault_answer(&kit.a, HF_PROC_LOCAL, "tls-key", &out), 403);
	json_decref(out);
	cr_assert_eq(hf_vault_answer(&kit.a, HF_PROC_FRONT, "tls-other", &out), 404);
	json_decref(out);
	cr_assert_eq(kit_call(&root_peer, "secret.rotate", NULL), 200);
	cr_assert_eq(hf_vault_answer(&kit.a, HF_PROC_FRONT, "tls-key", &out), 200);
	json_decref(out);
	cr_assert_eq(kit_call(&root_peer, "secret.remove", json_pack("{s:s}", "secret", "tls-key")), 200);
	cr_assert_eq(kit_call(&root_peer, "secret.remove", json_pack("{s:s}", "secret", "tls-key")), 404);
	/* the value is in no record */
	char *text = json_dumps(kit.log, 0);

	cr_assert_null(strstr(text, "\"K\""));
	free(text);
}
