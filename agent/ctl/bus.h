/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The bus of the fleet as whoever looks after it sees it: what its stream has of
 * each host, and messages. No command in here, and nothing of an agent's own
 * connection (agent/fleet).
 */
#ifndef HF_CTL_BUS_H
#define HF_CTL_BUS_H

#include <nats/nats.h>

#include "ctl.h"

#define CTL_BUS_HOSTS	1024	/* of one site; more are not looked at, which is said */
#define CTL_BUS_NAME	33	/* site, host, stream; with NUL */
#define CTL_BUS_SUBJECT	96

struct ctl_bus;

/* Connects, by the options and the file of credentials. 0, or an exit code after saying why. */
int ctl_bus_open(struct ctl *c, struct ctl_bus **out);
void ctl_bus_close(struct ctl_bus *b);
const char *ctl_bus_site(const struct ctl_bus *b);

/* To "holdfast.SITE[.HOST].WHAT". @host, @reply: NULL for none. 0, or an exit code after saying why. */
int ctl_bus_say(struct ctl_bus *b, const char *host, const char *what, const char *reply,
		const char *text);
/* What comes on "holdfast.SITE.*.WHAT", or where answers to @inbox come (then @what is NULL). */
int ctl_bus_listen(struct ctl_bus *b, const char *what, char inbox[CTL_BUS_SUBJECT],
		   natsSubscription **sub);
/* The next message, an object with a right "host"; NULL: none within @ms, or nonsense. New reference. */
json_t *ctl_bus_next(natsSubscription *sub, int64_t ms);

/* Adds the hosts that the stream knows to @hosts, { HOST: {} }. 0, or an exit code after saying why. */
int ctl_bus_hosts(struct ctl_bus *b, json_t *hosts);
/*
 * The newest that the stream has of this kind, NULL: none. New reference. @stored_ns: when the
 * server took it.
 */
json_t *ctl_bus_newest(struct ctl_bus *b, const char *host, const char *what, int64_t *stored_ns);

bool ctl_bus_name_ok(const char *name);

#endif /* HF_CTL_BUS_H */
