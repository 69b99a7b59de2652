// SPDX-License-Identifier: GPL-2.0
/*
 * The database: what it refuses to open, what it refuses to believe, and that a
 * snapshot holds users and nothing that lets somebody in.
 */
#include <sqlite3.h>

#include "auth_kit.h"

TestSuite(db, .init = kit_setup, .fini = kit_teardown, .timeout = 60);

static char path[128];

/* SQL on the file while nobody else has it; then it is opened again. */
static int reopened_after(const char *sql, struct hf_err *e)
{
	sqlite3 *raw;
	int ret;

	snprintf(path, sizeof(path), "%s/" HF_DB_FILE, kit.root);
	hf_db_close(kit.a.db);
	kit.a.db = NULL;
	if (sql) {
		cr_assert_eq(sqlite3_open(path, &raw), SQLITE_OK);
		cr_assert_eq(sqlite3_exec(raw, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(raw));
		sqlite3_close(raw);
	}
	ret = hf_db_open(&kit.a.db, kit.a.dir, e);
	return ret;
}

Test(db, rows_come_back)
{
	struct hf_user u = kit_user_add("ann", HF_ROLE_ADMIN, KIT_PASSWORD), v;
	struct hf_err e;

	u.uid = 4294967294;
	u.totp_len = 48;
	u.totp_on = true;
	strcpy(u.tenant, "optics");
	cr_assert_eq(hf_db_user_save(kit.a.db, &u), 0);
	cr_assert_eq(reopened_after(NULL, &e), 0);
	cr_assert_eq(hf_db_user_by_uid(kit.a.db, 4294967294, &v), 0);
	cr_assert_eq(memcmp(&u, &v, sizeof(u)), 0);
	cr_assert_eq(hf_db_user_by_uid(kit.a.db, 7, &v), -ENOENT);
}

Test(db, names_and_uids_are_unique)
{
	struct hf_user u = { .role = HF_ROLE_USER, .uid = 1000 };

	strcpy(u.name, "ann");
	cr_assert_eq(hf_db_user_add(kit.a.db, &u), 0);
	cr_assert_eq(hf_db_user_add(kit.a.db, &u), -EEXIST);
	strcpy(u.name, "ben");
	cr_assert_eq(hf_db_user_add(kit.a.db, &u), -EEXIST);
	u.uid = -1;
	cr_assert_eq(hf_db_user_add(kit.a.db, &u), 0);
	strcpy(u.name, "no name'; DROP TABLE users");
	cr_assert_eq(hf_db_user_add(kit.a.db, &u), -EINVAL);
}

Test(db, file_must_be_ours_alone)
{
	struct hf_err e;
	char link[160];

	cr_assert_eq(reopened_after(NULL, &e), 0);
	hf_db_close(kit.a.db);
	kit.a.db = NULL;
	cr_assert_eq(chmod(path, 0640), 0);
	cr_assert_eq(hf_db_open(&kit.a.db, kit.a.dir, &e), -EPERM);
	cr_assert_eq(chmod(path, 0600), 0);
	snprintf(link, sizeof(link), "%s/other", kit.root);
	cr_assert_eq(rename(path, link), 0);
	cr_assert_eq(symlink(link, path), 0);
	cr_assert_eq(hf_db_open(&kit.a.db, kit.a.dir, &e), -ELOOP, "%s", e.text);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(rename(link, path), 0);
	cr_assert_eq(hf_db_open(&kit.a.db, kit.a.dir, &e), 0, "%s", e.text);
	/* nobody else while we have it */
	sqlite3 *raw;

	cr_assert_eq(sqlite3_open(path, &raw), SQLITE_OK);
	cr_assert_eq(hf_db_meta_set(kit.a.db, "x", "y", 1), 0);
	cr_assert_eq(sqlite3_exec(raw, "SELECT * FROM users", NULL, NULL, NULL), SQLITE_BUSY);
	sqlite3_close(raw);
}

Test(db, what_it_refuses_to_open)
{
	struct hf_err e;
	FILE *f;

	cr_assert_eq(reopened_after("PRAGMA user_version = 2", &e), -ENOTSUP);
	cr_assert_eq(reopened_after("PRAGMA user_version = 1; PRAGMA foreign_keys = OFF;"
				    "INSERT INTO tokens VALUES ('x', NULL, 77, 1, 1, 1, '')", &e), -EUCLEAN);
	cr_assert(strstr(e.text, "tokens"), "%s", e.text);
	cr_assert_eq(reopened_after("DELETE FROM tokens", &e), 0);
	cr_assert_eq(reopened_after("DROP TABLE tokens", &e), -EUCLEAN);
	f = fopen(path, "r+");
	cr_assert_eq(fseek(f, 4096 + 100, SEEK_SET), 0);
	for (int i = 0; i < 3000; i++)
		fputc(0x5a, f);
	fclose(f);
	cr_assert_eq(hf_db_open(&kit.a.db, kit.a.dir, &e), -EUCLEAN);
	f = fopen(path, "w");
	fputs("this is no database, but long enough to be taken for one by its size alone", f);
	fclose(f);
	cr_assert_eq(hf_db_open(&kit.a.db, kit.a.dir, &e), -EUCLEAN);
	kit.a.db = NULL;
}

Test(db, what_it_refuses_to_believe)
{
	static const char *const sql[] = {
		"UPDATE users SET name = 'Ann'", "UPDATE users SET name = 'a' || char(0) || 'b'",
		"UPDATE users SET name = 'a name that is much longer than names may be, whoever wrote it'",
		"UPDATE users SET tenant = '../x'", "UPDATE users SET disabled = 2", "UPDATE users SET must_change = -1",
		"UPDATE users SET totp = zeroblob(129)", "UPDATE users SET totp_on = 1, totp = NULL",
		"UPDATE users SET failures = -1", "UPDATE users SET phc = printf('%.300c', 'x')",
	};
	struct hf_user u;
	struct hf_err e;

	kit_user_add("ann", HF_ROLE_ADMIN, KIT_PASSWORD);
	for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]); i++) {
		char all[512];

		snprintf(all, sizeof(all), "CREATE TABLE keep AS SELECT * FROM users; %s", sql[i]);
		cr_assert_eq(reopened_after(all, &e), 0, "%s: %s", sql[i], e.text);
		cr_expect_eq(hf_db_user_by_id(kit.a.db, 1, &u), -EUCLEAN, "%s", sql[i]);
		cr_assert_eq(reopened_after("DELETE FROM users; INSERT INTO users SELECT * FROM keep;"
					    "DROP TABLE keep", &e), 0);
	}
	cr_assert_eq(hf_db_user_by_id(kit.a.db, 1, &u), 0);
}

/* A view or a trigger that somebody has put into the file does nothing. */
Test(db, code_in_the_file_does_not_run)
{
	struct hf_user u;
	struct hf_err e;

	kit_user_add("ann", HF_ROLE_USER, KIT_PASSWORD);
	cr_assert_eq(reopened_after("CREATE TRIGGER t AFTER UPDATE ON users BEGIN UPDATE users SET role = 8; END",
				    &e), 0);
	cr_assert_eq(hf_db_user(kit.a.db, "ann", &u), 0);
	u.failures = 1;
	cr_assert_eq(hf_db_user_save(kit.a.db, &u), 0);
	cr_assert_eq(hf_db_user(kit.a.db, "ann", &u), 0);
	cr_assert_eq(u.role, HF_ROLE_USER);
}

Test(db, snapshot)
{
	char secret[HF_SESSION_SECRET], to[128], cmd[400];
	struct hf_session s;
	struct hf_err e;
	struct hf_user u;
	struct stat st;

	u = kit_user_add("ann", HF_ROLE_ADMIN, KIT_PASSWORD);
	cr_assert_eq(hf_session_begin(&kit.a, &u, "", HF_VIA_LOCAL, &s, secret), 0);
	snprintf(to, sizeof(to), "%s/snapshot.db", kit.root);
	cr_assert_eq(hf_db_snapshot(kit.a.db, to, &e), 0, "%s", e.text);
	cr_assert_eq(hf_db_snapshot(kit.a.db, to, &e), 0, "a second time");
	cr_assert_eq(stat(to, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	snprintf(cmd, sizeof(cmd), "grep -q %s '%s'", s.id, to);
	cr_assert_neq(system(cmd), 0, "no session is in the copy, not even deleted");
	cr_assert_eq(hf_db_session_count(kit.a.db, 0), 1, "it goes on here");
	/* restored in place of the original it opens */
	hf_db_close(kit.a.db);
	snprintf(path, sizeof(path), "%s/" HF_DB_FILE, kit.root);
	cr_assert_eq(rename(to, path), 0);
	cr_assert_eq(hf_db_open(&kit.a.db, kit.a.dir, &e), 0, "%s", e.text);
	cr_assert_eq(hf_db_user(kit.a.db, "ann", &u), 0);
	cr_assert_eq(hf_db_session_count(kit.a.db, 0), 0);
}

/* A disk that is full, or a file that is gone: an error, and what was there stays. */
Test(db, a_failed_transaction_leaves_nothing)
{
	struct hf_user u;

	cr_assert_eq(hf_db_begin(kit.a.db), 0);
	kit_user_add("ann", HF_ROLE_ADMIN, NULL);
	hf_db_rollback(kit.a.db);
	cr_assert_eq(hf_db_user(kit.a.db, "ann", &u), -ENOENT);
	cr_assert_eq(hf_db_begin(kit.a.db), 0);
	kit_user_add("ann", HF_ROLE_ADMIN, NULL);
	cr_assert_eq(hf_db_commit(kit.a.db), 0);
	cr_assert_eq(hf_db_user(kit.a.db, "ann", &u), 0);
}
