/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The file of users, sessions and tokens: one SQLite connection, which only
 * this process has. Rows in and out as structs, checked on the way in both
 * directions. No decisions, no hashing, no clock.
 */
#ifndef HF_DB_H
#define HF_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "phc.h"
#include "role.h"

struct hf_db;

#define HF_DB_FILE	"users.db"
#define HF_DB_VERSION	1
#define HF_USERS_MAX	1024
#define HF_ID		33	/* public ids: 32 hex digits and NUL */
#define HF_HASH		32	/* SHA-256 */
#define HF_TOTP_BOX	128	/* encrypted second factor */
#define HF_LABEL	65

/**
 * struct hf_user - one row
 * @id:		0: not in the database
 * @phc:	"": has no password
 * @uid:	on the host, -1: none
 * @must_change: the password, before anything else
 * @needs_totp:	the password is only long enough beside a second factor
 * @totp: @totp_len:	encrypted; @totp_on: confirmed, asked for from then on
 * @token_version: tokens of another version are void
 */
struct hf_user {
	int64_t id;
	char name[HF_NAME_LEN];
	char tenant[HF_NAME_LEN];
	char phc[HF_PHC_LEN];
	enum hf_role role;
	int64_t uid;
	bool disabled, must_change, needs_totp, totp_on;
	uint8_t totp[HF_TOTP_BOX];
	size_t totp_len;
	int64_t totp_last_step;
	int64_t failures, locked_until_ns, last_failure_ns;
	int64_t token_version;
	int64_t created_ns, changed_ns, last_login_ns;
};

/* @hash: SHA-256 of the secret. */
struct hf_session {
	char id[HF_ID];
	uint8_t hash[HF_HASH];
	int64_t user;
	int64_t created_ns, used_ns, step_up_until_ns;
	char source[64];
	enum hf_via via;
};

/* @session: that it ends with, "": none. */
struct hf_token {
	char id[HF_ID];
	char session[HF_ID];
	int64_t user, version;
	int64_t created_s, expires_s;
	char label[HF_LABEL];
};

/*
 * hf_db_open() - open, make or migrate, and check the whole file
 * @dir:	absolute path of the folder
 *
 * Return: 0; -EUCLEAN: damaged; -ENOTSUP: made by a later version; -errno. @e says why.
 */
int hf_db_open(struct hf_db **out, const char *dir, struct hf_err *e);
/* Is the file whole? Reads all of it, past the cache. Return: 0, -EUCLEAN and why. */
int hf_db_whole(struct hf_db *db, struct hf_err *e);
void hf_db_close(struct hf_db *db);
/* A consistent copy without sessions and tokens, in a new file. Return: 0, -errno and why. */
int hf_db_snapshot(struct hf_db *db, const char *path, struct hf_err *e);

/* All functions below. Return: 0, -ENOENT, -EEXIST (a name, id or uid is taken), -EUCLEAN, -EIO. */

/* All or nothing; not nested. */
int hf_db_begin(struct hf_db *db);
int hf_db_commit(struct hf_db *db);
void hf_db_rollback(struct hf_db *db);

int hf_db_meta_get(struct hf_db *db, const char *name, void *value, size_t max, size_t *len);
int hf_db_meta_set(struct hf_db *db, const char *name, const void *value, size_t len);
int hf_db_meta_remove(struct hf_db *db, const char *name);

int hf_db_user(struct hf_db *db, const char *name, struct hf_user *u);
int hf_db_user_by_id(struct hf_db *db, int64_t id, struct hf_user *u);
int hf_db_user_by_uid(struct hf_db *db, uint32_t uid, struct hf_user *u);
int hf_db_user_add(struct hf_db *db, struct hf_user *u);	/* writes u->id */
int hf_db_user_save(struct hf_db *db, const struct hf_user *u);
int hf_db_user_strikes(struct hf_db *db, const struct hf_user *u);	/* only the counts of failures */
int hf_db_user_remove(struct hf_db *db, int64_t id);	/* and sessions and tokens */
int hf_db_user_each(struct hf_db *db, int (*fn)(void *arg, const struct hf_user *u), void *arg);
int64_t hf_db_user_count(struct hf_db *db);
/* Admins that are not disabled and have a password or a uid to be known by, besides user @but. */
int64_t hf_db_admins(struct hf_db *db, int64_t but);
/* Users whose password hash has a pepper. */
int64_t hf_db_peppered(struct hf_db *db);

int hf_db_session_add(struct hf_db *db, const struct hf_session *s);
int hf_db_session(struct hf_db *db, const uint8_t hash[HF_HASH], struct hf_session *s);
int hf_db_session_by_id(struct hf_db *db, const char *id, struct hf_session *s);
int hf_db_session_save(struct hf_db *db, const struct hf_session *s);
int hf_db_session_remove(struct hf_db *db, const char *id);	/* and its tokens */
/* All of a user but @but ("": all). */
int hf_db_session_remove_user(struct hf_db *db, int64_t user, const char *but);
/* @user: 0: all. Oldest first. */
int hf_db_session_each(struct hf_db *db, int64_t user,
		       int (*fn)(void *arg, const struct hf_session *s), void *arg);
int64_t hf_db_session_count(struct hf_db *db, int64_t user);

int hf_db_token_add(struct hf_db *db, const struct hf_token *t);
int hf_db_token(struct hf_db *db, const char *id, struct hf_token *t);
int hf_db_token_remove(struct hf_db *db, const char *id);
int hf_db_token_remove_user(struct hf_db *db, int64_t user);
int hf_db_token_expire(struct hf_db *db, int64_t now_s);
int hf_db_token_each(struct hf_db *db, int64_t user, int (*fn)(void *arg, const struct hf_token *t),
		     void *arg);
int64_t hf_db_token_count(struct hf_db *db, int64_t user);

#endif /* HF_DB_H */
