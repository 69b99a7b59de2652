/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One channel by which incidents are told: what waits for it, one message under way, retries with a
 * budget, a breaker. Of each incident only the newest state waits, so that no more waits than there
 * are incidents, and the newest state is never the one that is given up.
 */
#ifndef HF_EXPORT_CHANNEL_H
#define HF_EXPORT_CHANNEL_H

#include "http.h"
#include "incident.h"
#include "role.h"

#define EXP_CHANNELS	8
#define EXP_KEY_MAX	1024	/* bytes of a secret */

enum exp_channel_kind { EXP_WEBHOOK, EXP_ALERTMANAGER, EXP_INCIDENT_TCP, EXP_INCIDENT_TLS };

/**
 * struct exp_channel_settings - one element of alerts.channels
 * @place:	for people: the URL, or "192.0.2.7:6514"
 * @ca:		file with authorities, "": the system's
 * @secret:	name of the secret that signs, "": none
 */
struct exp_channel_settings {
	enum exp_channel_kind kind;
	char name[HF_NAME_LEN], secret[HF_NAME_LEN], ca[EXP_PATH], place[EXP_PATH + 8];
	struct exp_url url;
	struct exp_route route;
	bool tls, resolved;
	enum inc_severity least;
};

/* Return: 0, -EINVAL and why. */
int exp_channel_read(struct exp_channel_settings *s, const json_t *config, struct hf_err *e);

/**
 * struct exp_channel_env - what all channels have in common
 * @told:	what @i has kept of who was told has changed
 * @secret:	ask for one; exp_channel_key() must follow, or nothing comes. May be NULL
 */
struct exp_channel_env {
	struct hf_loop *loop;
	const struct hf_random *random;
	struct inc_engine *incidents;
	void (*told)(void *arg, const struct inc *i);
	void (*secret)(void *arg, const char *name);
	void *arg;
};

struct exp_channel;

/* @env: borrowed. @s->route.trust: borrowed; must be there where @s->tls is, or nothing is sent. */
int exp_channel_new(struct exp_channel **out, const struct exp_channel_env *env,
		    const struct exp_channel_settings *s);
void exp_channel_free(struct exp_channel *c);
const struct exp_channel_settings *exp_channel_settings(const struct exp_channel *c);
/* All that it should know and has not been told: at a start, and where settings are new. */
void exp_channel_catch_up(struct exp_channel *c);
/* @i has changed: the channel will be told, if that is for it. */
void exp_channel_offer(struct exp_channel *c, struct inc *i);
/* The secret @name; channels that sign with another one do not care. */
void exp_channel_key(struct exp_channel *c, const char *name, const char *value);
/* { name, kind, to, waiting, sent, failed, refused, dropped, breaker, skipped, last_error } */
json_t *exp_channel_stats(const struct exp_channel *c);
struct hf_finding exp_channel_finding(const struct exp_channel *c);

/* payload.c: what is said. New text, caller frees; NULL: out of memory. */
char *exp_webhook_body(const struct inc *i, const char *host);
char *exp_alert_body(const struct inc *i, const char *host);
/* RFC 5424 with octet counting into EXP_TEXT bytes. Return: length, -EMSGSIZE. */
int exp_incident_syslog(const struct inc *i, uint64_t real_ns, const char *host, char *buf);

#endif /* HF_EXPORT_CHANNEL_H */
