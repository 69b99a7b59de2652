/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the database share: prepared statements by number, and how
 * one is run. For db*.c only.
 */
#ifndef HF_DB_INTERNAL_H
#define HF_DB_INTERNAL_H

#include <sqlite3.h>

#include "db.h"

enum hf_stmt {
	HF_Q_BEGIN, HF_Q_COMMIT, HF_Q_ROLLBACK,
	HF_Q_META_GET, HF_Q_META_SET, HF_Q_META_REMOVE,
	HF_Q_USER, HF_Q_USER_BY_ID, HF_Q_USER_BY_UID, HF_Q_USER_ADD, HF_Q_USER_SAVE, HF_Q_USER_STRIKES,
	HF_Q_USER_REMOVE, HF_Q_USER_EACH, HF_Q_USER_COUNT, HF_Q_ADMINS, HF_Q_PEPPERED,
	HF_Q_SESSION_ADD, HF_Q_SESSION, HF_Q_SESSION_BY_ID, HF_Q_SESSION_SAVE, HF_Q_SESSION_REMOVE,
	HF_Q_SESSION_REMOVE_USER, HF_Q_SESSION_EACH, HF_Q_SESSION_COUNT,
	HF_Q_TOKEN_ADD, HF_Q_TOKEN, HF_Q_TOKEN_REMOVE, HF_Q_TOKEN_REMOVE_USER, HF_Q_TOKEN_EXPIRE,
	HF_Q_TOKEN_EACH, HF_Q_TOKEN_COUNT,
	HF_Q_COUNT,
};

struct hf_db {
	sqlite3 *sql;
	sqlite3_stmt *q[HF_Q_COUNT];
};

typedef int (*hf_db_row_fn)(void *arg, sqlite3_stmt *q);

/*
 * hf_db_run() - bind, step through, reset
 * @row:	called with each row until it returns not 0; may be NULL
 * @types:	of the arguments to bind: i int64_t, t text, n text (NULL if empty),
 *		b blob (pointer, size_t), o int64_t (NULL if negative)
 *
 * Return: rows seen; -EEXIST: a constraint; -EIO; or what @row returned below 0.
 */
int hf_db_run(struct hf_db *db, enum hf_stmt which, hf_db_row_fn row, void *arg,
	      const char *types, ...);
/* The only number of a row. */
int64_t hf_db_number(struct hf_db *db, enum hf_stmt which, int64_t arg);
/* For what must hit one row: 0, -ENOENT, -errno. */
int hf_db_one(int rows);

/* Columns, with the checks that a file from elsewhere needs. Return: false: not acceptable. */
bool hf_db_text(sqlite3_stmt *q, int col, char *out, size_t size);
bool hf_db_flag(sqlite3_stmt *q, int col, bool *v);

#endif /* HF_DB_INTERNAL_H */
