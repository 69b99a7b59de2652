// SPDX-License-Identifier: GPL-2.0
/*
 * Opening, checking, migrating and copying the database, and running its
 * statements. One connection and journal_mode=DELETE: SQLite's WAL-reset bug
 * (before 3.51.3) needs two connections and WAL, and we need neither.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db_internal.h"

/* By version: what brings a file from the one before to it. */
static const char *const migrations[HF_DB_VERSION] = {
	"CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;"
	"CREATE TABLE users ("
	"  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, phc TEXT,"
	"  role INTEGER NOT NULL CHECK (role IN (2, 4, 8, 16)),"
	"  uid INTEGER UNIQUE CHECK (uid BETWEEN 1 AND 4294967294),"
	"  disabled INTEGER NOT NULL, must_change INTEGER NOT NULL, needs_totp INTEGER NOT NULL,"
	"  totp BLOB, totp_on INTEGER NOT NULL, totp_last_step INTEGER NOT NULL,"
	"  failures INTEGER NOT NULL, locked_until_ns INTEGER NOT NULL, last_failure_ns INTEGER NOT NULL,"
	"  token_version INTEGER NOT NULL,"
	"  created_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL, last_login_ns INTEGER NOT NULL) STRICT;"
	"CREATE TABLE sessions ("
	"  id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE,"
	"  user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,"
	"  created_ns INTEGER NOT NULL, used_ns INTEGER NOT NULL, step_up_until_ns INTEGER NOT NULL,"
	"  source TEXT NOT NULL, via INTEGER NOT NULL) STRICT;"
	"CREATE INDEX sessions_user ON sessions (user);"
	"CREATE TABLE tokens ("
	"  id TEXT PRIMARY KEY, session TEXT REFERENCES sessions (id) ON DELETE CASCADE,"
	"  user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, version INTEGER NOT NULL,"
	"  created_s INTEGER NOT NULL, expires_s INTEGER NOT NULL, label TEXT NOT NULL) STRICT;"
	"CREATE INDEX tokens_user ON tokens (user);"
	"CREATE INDEX tokens_session ON tokens (session);",
};

#define USER_COLUMNS "id, name, tenant, phc, role, uid, disabled, must_change, needs_totp, totp, totp_on, " \
	"totp_last_step, failures, locked_until_ns, last_failure_ns, token_version, created_ns, changed_ns, " \
	"last_login_ns"
#define SESSION_COLUMNS "id, hash, user, created_ns, used_ns, step_up_until_ns, source, via"
#define TOKEN_COLUMNS "id, session, user, version, created_s, expires_s, label"

static const char *const texts[HF_Q_COUNT] = {
	[HF_Q_BEGIN] = "BEGIN IMMEDIATE",
	[HF_Q_COMMIT] = "COMMIT",
	[HF_Q_ROLLBACK] = "ROLLBACK",
	[HF_Q_META_GET] = "SELECT value FROM meta WHERE name = ?",
	[HF_Q_META_SET] = "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)",
	[HF_Q_META_REMOVE] = "DELETE FROM meta WHERE name = ?",

	[HF_Q_USER] = "SELECT " USER_COLUMNS " FROM users WHERE name = ?",
	[HF_Q_USER_BY_ID] = "SELECT " USER_COLUMNS " FROM users WHERE id = ?",
	[HF_Q_USER_BY_UID] = "SELECT " USER_COLUMNS " FROM users WHERE uid = ?",
	[HF_Q_USER_ADD] = "INSERT INTO users (name, tenant, phc, role, uid, disabled, must_change, needs_totp, "
		"totp, totp_on, totp_last_step, failures, locked_until_ns, last_failure_ns, token_version, "
		"created_ns, changed_ns, last_login_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[HF_Q_USER_SAVE] = "UPDATE users SET name = ?, tenant = ?, phc = ?, role = ?, uid = ?, disabled = ?, "
		"must_change = ?, needs_totp = ?, totp = ?, totp_on = ?, totp_last_step = ?, failures = ?, "
		"locked_until_ns = ?, last_failure_ns = ?, token_version = ?, created_ns = ?, changed_ns = ?, "
		"last_login_ns = ? WHERE id = ?",
	[HF_Q_USER_STRIKES] = "UPDATE users SET failures = ?, locked_until_ns = ?, last_failure_ns = ? WHERE id = ?",
	[HF_Q_USER_REMOVE] = "DELETE FROM users WHERE id = ?",
	[HF_Q_USER_EACH] = "SELECT " USER_COLUMNS " FROM users ORDER BY name",
	[HF_Q_USER_COUNT] = "SELECT count(*) FROM users WHERE ?1 = 0",
	[HF_Q_ADMINS] = "SELECT count(*) FROM users WHERE role = 8 AND disabled = 0 AND "
		"(phc IS NOT NULL OR uid IS NOT NULL) AND id <> ?",
	[HF_Q_PEPPERED] = "SELECT count(*) FROM users WHERE instr(phc, ',keyid=') > ?",

	[HF_Q_SESSION_ADD] = "INSERT INTO sessions (" SESSION_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
	[HF_Q_SESSION] = "SELECT " SESSION_COLUMNS " FROM sessions WHERE hash = ?",
	[HF_Q_SESSION_BY_ID] = "SELECT " SESSION_COLUMNS " FROM sessions WHERE id = ?",
	[HF_Q_SESSION_SAVE] = "UPDATE sessions SET hash = ?, used_ns = ?, step_up_until_ns = ? WHERE id = ?",
	[HF_Q_SESSION_REMOVE] = "DELETE FROM sessions WHERE id = ?",
	[HF_Q_SESSION_REMOVE_USER] = "DELETE FROM sessions WHERE user = ? AND id <> ?",
	[HF_Q_SESSION_EACH] = "SELECT " SESSION_COLUMNS " FROM sessions WHERE ?1 = 0 OR user = ?1 "
		"ORDER BY created_ns, id",
	[HF_Q_SESSION_COUNT] = "SELECT count(*) FROM sessions WHERE ?1 = 0 OR user = ?1",

	[HF_Q_TOKEN_ADD] = "INSERT INTO tokens (" TOKEN_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?)",
	[HF_Q_TOKEN] = "SELECT " TOKEN_COLUMNS " FROM tokens WHERE id = ?",
	[HF_Q_TOKEN_REMOVE] = "DELETE FROM tokens WHERE id = ?",
	[HF_Q_TOKEN_REMOVE_USER] = "DELETE FROM tokens WHERE user = ?",
	[HF_Q_TOKEN_EXPIRE] = "DELETE FROM tokens WHERE expires_s <= ?",
	[HF_Q_TOKEN_EACH] = "SELECT " TOKEN_COLUMNS " FROM tokens WHERE ?1 = 0 OR user = ?1 "
		"ORDER BY created_s, id",
	[HF_Q_TOKEN_COUNT] = "SELECT count(*) FROM tokens WHERE ?1 = 0 OR user = ?1",
};

/* ------------------------------------------------------------ statements */

static void bind(sqlite3_stmt *q, const char *types, va_list ap)
{
	for (int i = 1; *types; types++, i++) {
		const char *text;
		const void *blob;
		int64_t n;

		switch (*types) {
		case 'i':
			sqlite3_bind_int64(q, i, va_arg(ap, int64_t));
			break;
		case 'o':
			n = va_arg(ap, int64_t);
			if (n < 0)
				sqlite3_bind_null(q, i);
			else
				sqlite3_bind_int64(q, i, n);
			break;
		case 't':
			sqlite3_bind_text(q, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
			break;
		case 'n':
			text = va_arg(ap, const char *);
			sqlite3_bind_text(q, i, text[0] ? text : NULL, -1, SQLITE_STATIC);
			break;
		case 'b':
			blob = va_arg(ap, const void *);
			n = (int64_t)va_arg(ap, size_t);
			sqlite3_bind_blob(q, i, n ? blob : NULL, (int)n, SQLITE_STATIC);
			break;
		default:
			abort();
		}
	}
}

int hf_db_run(struct hf_db *db, enum hf_stmt which, hf_db_row_fn row, void *arg,
	      const char *types, ...)
{
	sqlite3_stmt *q = db->q[which];
	int rows = 0, ret = 0, step;
	va_list ap;

	va_start(ap, types);
	bind(q, types, ap);
	va_end(ap);
	while ((step = sqlite3_step(q)) == SQLITE_ROW) {
		rows++;
		ret = row ? row(arg, q) : 0;
		if (ret)
			break;
	}
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		ret = (step & 0xff) == SQLITE_CONSTRAINT ? -EEXIST : -EIO;
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	return ret < 0 ? ret : rows;
}

int hf_db_one(int rows)
{
	return rows < 0 ? rows : rows ? 0 : -ENOENT;
}

static int take_number(void *arg, sqlite3_stmt *q)
{
	*(int64_t *)arg = sqlite3_column_int64(q, 0);
	return 0;
}

int64_t hf_db_number(struct hf_db *db, enum hf_stmt which, int64_t arg)
{
	int64_t n = 0;
	int ret = hf_db_run(db, which, take_number, &n, "i", arg);

	return ret < 0 ? ret : n;
}

bool hf_db_text(sqlite3_stmt *q, int col, char *out, size_t size)
{
	const char *s = (const char *)sqlite3_column_text(q, col);
	size_t len = (size_t)sqlite3_column_bytes(q, col);

	if (len >= size || (s && strlen(s) != len))
		return false;
	memcpy(out, s ? s : "", len);
	out[len] = '\0';
	return true;
}

bool hf_db_flag(sqlite3_stmt *q, int col, bool *v)
{
	int64_t n = sqlite3_column_int64(q, col);

	*v = n == 1;
	return n == 0 || n == 1;
}

/* --------------------------------------------------------------- opening */

static int fail_sql(const struct hf_db *db, int ret, const char *what, struct hf_err *e)
{
	return hf_fail(e, ret, HF_DB_FILE ": %s: %s", what, db->sql ? sqlite3_errmsg(db->sql) : "no memory");
}

static int connect(struct hf_db *db, const char *path, struct hf_err *e)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
	static const struct { int what, most; } bounds[] = {
		{ SQLITE_LIMIT_LENGTH, 1 << 20 }, { SQLITE_LIMIT_SQL_LENGTH, 1 << 14 },
		{ SQLITE_LIMIT_COLUMN, 64 }, { SQLITE_LIMIT_EXPR_DEPTH, 32 },
		{ SQLITE_LIMIT_COMPOUND_SELECT, 2 }, { SQLITE_LIMIT_VDBE_OP, 10000 },
		{ SQLITE_LIMIT_FUNCTION_ARG, 8 }, { SQLITE_LIMIT_ATTACHED, 0 },
		{ SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 64 }, { SQLITE_LIMIT_VARIABLE_NUMBER, 32 },
		{ SQLITE_LIMIT_TRIGGER_DEPTH, 4 }, { SQLITE_LIMIT_WORKER_THREADS, 0 },
	};

	if (sqlite3_open_v2(path, &db->sql, flags, NULL) != SQLITE_OK)
		return fail_sql(db, -EIO, "open", e);
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
		sqlite3_limit(db->sql, bounds[i].what, bounds[i].most);
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	if (sqlite3_exec(db->sql,
			 "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE;"
			 "PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;"
			 "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON",
			 NULL, NULL, NULL) != SQLITE_OK)
		return fail_sql(db, -EUCLEAN, "settings", e);
	return 0;
}

static int first_text(void *arg, int columns, char **values, char **names)
{
	(void)columns;
	(void)names;
	snprintf(arg, 64, "%s", values[0] ? values[0] : "");
	return 0;
}

static int pragma(struct hf_db *db, const char *sql, char text[64])
{
	text[0] = '\0';
	return sqlite3_exec(db->sql, sql, first_text, text, NULL) == SQLITE_OK ? 0 : -EUCLEAN;
}

static int check(struct hf_db *db, struct hf_err *e)
{
	char text[64];

	if (pragma(db, "PRAGMA integrity_check(1)", text) || strcmp(text, "ok"))
		return hf_fail(e, -EUCLEAN, HF_DB_FILE ": damaged: %s", text[0] ? text : sqlite3_errmsg(db->sql));
	if (pragma(db, "PRAGMA foreign_key_check", text) || text[0])
		return hf_fail(e, -EUCLEAN, HF_DB_FILE ": damaged: rows of %s belong to nobody", text);
	return 0;
}

int hf_db_whole(struct hf_db *db, struct hf_err *e)
{
	sqlite3_db_release_memory(db->sql);
	return check(db, e);
}

static int migrate(struct hf_db *db, struct hf_err *e)
{
	char text[64], sql[64];
	long version;

	if (pragma(db, "PRAGMA user_version", text))
		return fail_sql(db, -EUCLEAN, "version", e);
	version = strtol(text, NULL, 10);
	if (version < 0 || version > HF_DB_VERSION)
		return hf_fail(e, -ENOTSUP, HF_DB_FILE ": version %ld, this program knows up to %d", version,
			       HF_DB_VERSION);
	for (; version < HF_DB_VERSION; version++) {
		snprintf(sql, sizeof(sql), "PRAGMA user_version = %ld; COMMIT", version + 1);
		if (sqlite3_exec(db->sql, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
		    sqlite3_exec(db->sql, migrations[version], NULL, NULL, NULL) != SQLITE_OK ||
		    sqlite3_exec(db->sql, sql, NULL, NULL, NULL) != SQLITE_OK)
			return fail_sql(db, -EIO, "migration", e);
	}
	return 0;
}

static int prepare(struct hf_db *db, struct hf_err *e)
{
	for (size_t i = 0; i < HF_Q_COUNT; i++)
		if (sqlite3_prepare_v3(db->sql, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &db->q[i], NULL) !=
		    SQLITE_OK)
			return fail_sql(db, -EUCLEAN, "statement", e);
	return 0;
}

/* Ours alone before SQLite sees it: mode 0600, one link. */
static int check_file(const char *path, struct hf_err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;
	int ret = 0;

	if (fd < 0)
		return hf_fail(e, -errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st))
		ret = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1 || st.st_mode & 077)
		ret = -EPERM;
	close(fd);
	return ret ? hf_fail(e, ret, "%s: must be a file of mode 0600 that only we own", path) : 0;
}

int hf_db_open(struct hf_db **out, const char *dir, struct hf_err *e)
{
	struct hf_db *db = calloc(1, sizeof(*db));
	char path[PATH_MAX];
	int ret;

	if (!db)
		return hf_fail(e, -ENOMEM, HF_DB_FILE ": no memory");
	snprintf(path, sizeof(path), "%s/" HF_DB_FILE, dir);
	ret = check_file(path, e);
	if (!ret)
		ret = connect(db, path, e);
	if (!ret)
		ret = check(db, e);
	if (!ret)
		ret = migrate(db, e);
	if (!ret)
		ret = prepare(db, e);
	if (ret) {
		hf_db_close(db);
		return ret;
	}
	*out = db;
	return 0;
}

void hf_db_close(struct hf_db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < HF_Q_COUNT; i++)
		sqlite3_finalize(db->q[i]);
	sqlite3_close(db->sql);
	free(db);
}

int hf_db_snapshot(struct hf_db *db, const char *path, struct hf_err *e)
{
	struct hf_db copy = { .sql = NULL };
	sqlite3_backup *b;
	int ret;

	if (unlink(path) && errno != ENOENT)
		return hf_fail(e, -errno, "%s: %s", path, strerror(errno));
	ret = check_file(path, e);
	if (ret)
		return ret;
	if (sqlite3_open_v2(path, &copy.sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL) != SQLITE_OK) {
		ret = fail_sql(&copy, -EIO, "copy", e);
		goto out;
	}
	b = sqlite3_backup_init(copy.sql, "main", db->sql, "main");
	if (b)
		sqlite3_backup_step(b, -1);
	if (!b || sqlite3_backup_finish(b) != SQLITE_OK ||
	    sqlite3_exec(copy.sql, "PRAGMA secure_delete = ON; PRAGMA synchronous = EXTRA;"
			 "DELETE FROM tokens; DELETE FROM sessions", NULL, NULL, NULL) != SQLITE_OK)
		ret = fail_sql(&copy, -EIO, "copy", e);
out:
	sqlite3_close(copy.sql);
	if (ret)
		unlink(path);
	return ret;
}

int hf_db_begin(struct hf_db *db)
{
	int ret = hf_db_run(db, HF_Q_BEGIN, NULL, NULL, "");

	return ret < 0 ? ret : 0;
}

int hf_db_commit(struct hf_db *db)
{
	int ret = hf_db_run(db, HF_Q_COMMIT, NULL, NULL, "");

	if (ret < 0)
		hf_db_rollback(db);
	return ret < 0 ? ret : 0;
}

void hf_db_rollback(struct hf_db *db)
{
	if (!sqlite3_get_autocommit(db->sql))
		hf_db_run(db, HF_Q_ROLLBACK, NULL, NULL, "");
}

/* ------------------------------------------------------------------ meta */

struct value {
	void *out;
	size_t max, *len;
};

static int take_value(void *arg, sqlite3_stmt *q)
{
	struct value *v = arg;
	size_t n = (size_t)sqlite3_column_bytes(q, 0);

	if (n > v->max)
		return -EUCLEAN;
	memcpy(v->out, sqlite3_column_blob(q, 0), n);
	*v->len = n;
	return 0;
}

int hf_db_meta_get(struct hf_db *db, const char *name, void *value, size_t max, size_t *len)
{
	struct value v = { value, max, len };

	return hf_db_one(hf_db_run(db, HF_Q_META_GET, take_value, &v, "t", name));
}

int hf_db_meta_set(struct hf_db *db, const char *name, const void *value, size_t len)
{
	int ret = hf_db_run(db, HF_Q_META_SET, NULL, NULL, "tb", name, value, len);

	return ret < 0 ? ret : 0;
}

int hf_db_meta_remove(struct hf_db *db, const char *name)
{
	int ret = hf_db_run(db, HF_Q_META_REMOVE, NULL, NULL, "t", name);

	return ret < 0 ? ret : 0;
}
