/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Anchors of the audit log, inside the export process: checkpoints, places
 * that keep them, connections to those. Nothing here can read the log itself.
 */
#ifndef HF_EXPORT_H
#define HF_EXPORT_H

#include <gnutls/gnutls.h>
#include <jansson.h>
#include <sys/socket.h>

#include "breaker.h"
#include "clock.h"
#include "err.h"
#include "health.h"
#include "loop.h"

#define EXP_TARGETS	8
#define EXP_PATH	256
#define EXP_TEXT	2048	/* a checkpoint as a note or as a syslog message */

/* A signed checkpoint, as audit sends it (HF_MSG_ANCHOR). */
struct exp_checkpoint {
	char origin[257], root[129], key[257], signature[257];
	uint64_t size, t_ns;
};

void exp_checkpoint_read(const json_t *body, struct exp_checkpoint *cp);

/* note.c: how it is written. Both into EXP_TEXT bytes. Return: length, -EMSGSIZE. */

/* The note that audit signed, so that the file is one that a verifier reads. */
int exp_note(const struct exp_checkpoint *cp, char *buf);
/* RFC 5424 with octet counting (RFC 6587, 5425): "LEN <109>1 ..." with structured data. */
int exp_syslog(const struct exp_checkpoint *cp, uint64_t real_ns, const char *host, char *buf);

/* settings.c: what anchors and channels read and do alike. */

#define EXP_SEND_NS	(10 * HF_S)	/* for one message */

extern const struct hf_breaker_rule exp_breaker_rule;	/* of each place by itself */

/* @key of @j, "" without it. Return: 0, -EINVAL: longer than @room; @section for the words. */
int exp_text_read(const json_t *j, const char *section, const char *key, char *to, size_t room,
		  struct hf_err *e);
/* @ca: PEM file, "": the system's. Before the sandbox. Return: 0, -EINVAL, -ENOMEM; then *@out is NULL. */
int exp_trust_open(gnutls_certificate_credentials_t *out, const char *section, const char *ca,
		   struct hf_err *e);

/* connection.c: one message by one connection. */
struct exp_connection;

/* Called once. @ret: 0: the receiver has taken all and closed; else -errno and why. Frees itself after. */
typedef void (*exp_sent_fn)(void *arg, int ret, const char *why);

/**
 * struct exp_route - where to
 * @name:	numeric address as configured; the certificate must have it
 * @trust:	NULL: plain TCP
 */
struct exp_route {
	struct sockaddr_storage addr;
	socklen_t addr_len;
	char name[EXP_PATH];
	gnutls_certificate_credentials_t trust;
};

/* "192.0.2.1", "2001:db8::1" or "[2001:db8::1]"; names are not resolved here. 0, -EINVAL. */
int exp_route_parse(struct exp_route *r, const char *host, uint16_t port, struct hf_err *e);
/* @route: borrowed until @fn. @text: copied. Return: 0, -errno (then @fn is not called). */
int exp_send(struct exp_connection **out, struct hf_loop *loop, const struct exp_route *route,
	     const char *text, size_t len, uint64_t deadline_ns, exp_sent_fn fn, void *arg);
/* The same, but an answer is waited for: @fn gets its head, at most EXP_HEAD bytes (http.h), as @why. */
int exp_ask(struct exp_connection **out, struct hf_loop *loop, const struct exp_route *route,
	    const char *text, size_t len, uint64_t deadline_ns, exp_sent_fn fn, void *arg);
void exp_connection_free(struct exp_connection *c);	/* @fn is not called any more */

/* target.c: one place, its newest checkpoint, its retries. */
struct exp_target;

enum exp_kind { EXP_FILE, EXP_SYSLOG_TCP, EXP_SYSLOG_TLS };

/**
 * struct exp_settings - one element of export.anchors
 * @fd:		EXP_FILE: open for appending; taken over
 * @trust:	EXP_SYSLOG_TLS; taken over
 */
struct exp_settings {
	enum exp_kind kind;
	char path[EXP_PATH];	/* of the file, or of the authorities */
	char host[EXP_PATH];
	uint16_t port;
	uint64_t every_ns;
	int fd;
	gnutls_certificate_credentials_t trust;
	struct exp_route route;
};

/* @cp: is there now. It must not free the target. */
typedef void (*exp_anchored_fn)(void *arg, const struct exp_checkpoint *cp);

int exp_target_new(struct exp_target **out, struct hf_loop *loop, const struct hf_random *random,
		   const struct exp_settings *s, exp_anchored_fn fn, void *arg);
void exp_target_free(struct exp_target *t);
const struct exp_settings *exp_target_settings(const struct exp_target *t);
/* Gives up what was opened before the sandbox to the settings of the next one. */
void exp_target_hand_over(struct exp_target *t, struct exp_settings *to);
/* Only the newest matters: one that has not been sent yet is replaced. */
void exp_target_offer(struct exp_target *t, const struct exp_checkpoint *cp);
/* { kind, to, anchored_size, anchored_ns, waiting, failures, breaker, refused, last_error } */
json_t *exp_target_stats(const struct exp_target *t);
struct hf_finding exp_target_finding(const struct exp_target *t);
/* The newest checkpoint is where it should be. */
bool exp_target_idle(const struct exp_target *t);
/* Now, whatever the time between two and the breaker: at the end. */
void exp_target_flush(struct exp_target *t);

#endif /* HF_EXPORT_H */
