/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sessions and tokens: begun, found, ended. Only hashes of secrets are kept.
 * Who may begin one is decided elsewhere (login.c, tokens by the table).
 */
#ifndef HF_SESSION_H
#define HF_SESSION_H

#include "auth.h"

#define HF_SESSION_SECRET	44	/* 256 bits as base64url, and NUL */
#define HF_SESSIONS_USER	8	/* of one user; the oldest ends for a new one */
#define HF_SESSIONS_ALL		1024
#define HF_TOKENS_USER		16	/* of one user; the oldest ends for a new one */

/*
 * hf_session_begin() - a new one, always with new secrets
 * @secret:	HF_SESSION_SECRET bytes; the caller wipes
 *
 * Whoever begins one has just proved the password: it is stepped up.
 * Return: 0, -ENOSPC (HF_SESSIONS_ALL), -errno.
 */
int hf_session_begin(struct hf_auth *a, const struct hf_user *u, const char *source, enum hf_via via,
		     struct hf_session *s, char *secret);
/*
 * hf_session_find() - whose session is this, if it is still one?
 * Ends it when it is over. Return: 0, -ENOENT, -errno.
 */
int hf_session_find(struct hf_auth *a, const char *secret, struct hf_session *s, struct hf_user *u);
/* A new secret for @s; the old one is void. */
int hf_session_rotate(struct hf_auth *a, struct hf_session *s, char *secret);
int hf_session_step_up(struct hf_auth *a, struct hf_session *s);
bool hf_session_stepped_up(const struct hf_auth *a, const struct hf_session *s);
/* When it ends if it is not used any more, UTC. */
int64_t hf_session_expires_ns(const struct hf_auth *a, const struct hf_session *s,
			      const struct hf_user *u);
/* Ends those that are over. */
int hf_session_sweep(struct hf_auth *a);

/*
 * hf_token_issue() - a signed token for @u
 * @s:		session that it ends with, NULL: none
 * @text:	out, HF_JWT_MAX bytes
 */
int hf_token_issue(struct hf_auth *a, const struct hf_user *u, const struct hf_session *s,
		   const char *label, int64_t ttl_s, struct hf_token *t, char *text);
/* Return: 0; -ENOENT and @e: not valid, for whatever reason; -errno. */
int hf_token_find(struct hf_auth *a, const char *text, struct hf_token *t, struct hf_user *u,
		  struct hf_err *e);

#endif /* HF_SESSION_H */
