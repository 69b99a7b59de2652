/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The connection to NATS: libnats with its threads, and one of ours for what
 * waits. The loop's thread never does. All callbacks come in the loop.
 */
#ifndef HF_FLEET_BUS_H
#define HF_FLEET_BUS_H

#include "feed.h"
#include "loop.h"
#include "stop.h"

#define FLEET_SERVERS	8
#define FLEET_URL	64
#define FLEET_CA_BYTES	(256 * 1024)
#define FLEET_SAYS	16	/* messages that need not arrive, waiting */
#define FLEET_STOPS	16	/* stops that wait; more are one with the last */

/**
 * struct fleet_bus_settings - borrowed for as long as the bus lives
 * @url:	"nats://192.0.2.7:4222", @n of them
 * @user:	""; @secret is a token then
 * @ca:		PEM, NULL: without TLS
 * @tls_name:	in the servers' certificate
 */
struct fleet_bus_settings {
	struct fleet_names names;
	char url[FLEET_SERVERS][FLEET_URL];
	int n;
	char user[FLEET_NAME], tls_name[256];
	char *ca;
};

/**
 * struct fleet_bus_ops - what it says
 * @up:		connected, the stream is there; @event, @anchor: the newest it has of ours, NULL: none
 * @failed:	of resume or publish, or the connection is lost: resume
 * @stored:	of publish; @again: the stream had it already
 * @stop:	somebody wants silence
 * @ended:	of fleet_bus_quit()
 */
struct fleet_bus_ops {
	void (*up)(void *arg, const char *event, const char *anchor);
	void (*failed)(void *arg, const char *why);
	void (*stored)(void *arg, bool again);
	void (*stop)(void *arg, const struct fleet_stop *s);
	void (*ended)(void *arg);
};

struct fleet_bus;

/* Starts the thread; nothing is connected yet. Return: 0, -errno. */
int fleet_bus_new(struct fleet_bus **out, struct hf_loop *loop, const struct fleet_bus_settings *s,
		  const struct fleet_bus_ops *ops, void *arg);
/* Connects if need be, and asks what the stream has. @secret: "" for none; copied. */
void fleet_bus_resume(struct fleet_bus *b, const char *secret);
/* Only when up, one at a time. @m->text is stolen. */
void fleet_bus_publish(struct fleet_bus *b, struct fleet_message *m);
/* Once, if it can be; @text is stolen. Return: false: it was dropped. */
bool fleet_bus_say(struct fleet_bus *b, const char *subject, char *text);
/* What is answered to whoever asks who is there; @text is stolen. */
void fleet_bus_present(struct fleet_bus *b, char *text);
bool fleet_bus_connected(struct fleet_bus *b);
void fleet_bus_quit(struct fleet_bus *b);
/* Return: false: it has not ended; its threads use it and the settings until the process does. */
bool fleet_bus_free(struct fleet_bus *b);

#endif /* HF_FLEET_BUS_H */
