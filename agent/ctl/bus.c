// SPDX-License-Identifier: GPL-2.0
/*
 * The bus of the fleet, by libnats: connecting, subjects, what its stream has.
 * Every call that waits has a deadline. What comes from the bus is data of
 * strangers: bounded, parsed strictly, and escaped by who prints it.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "client.h"

#define CONNECT_MS	5000
#define WAIT_MS		5000
#define MESSAGE_MAX	(256 * 1024)
#define FILE_MAX	8192
#define NAME_CHARS	"abcdefghijklmnopqrstuvwxyz0123456789_-"

struct ctl_bus {
	char server[256], site[CTL_BUS_NAME], stream[CTL_BUS_NAME];
	char user[65], password[1025], token[1025], ca[256], tls_name[256];
	natsConnection *nc;
	jsCtx *js;
	natsSubscription *sub[2];
	int subs;
};

bool ctl_bus_name_ok(const char *name)
{
	size_t n = strlen(name);

	return islower((unsigned char)name[0]) && n < CTL_BUS_NAME && strspn(name, NAME_CHARS) == n;
}

/* ------------------------------------------------------------------ the file */

static char *place_of(struct ctl_bus *b, const char *key, size_t *room)
{
	const struct { const char *key; char *to; size_t room; } places[] = {
		{ "server", b->server, sizeof(b->server) }, { "site", b->site, sizeof(b->site) },
		{ "stream", b->stream, sizeof(b->stream) }, { "user", b->user, sizeof(b->user) },
		{ "password", b->password, sizeof(b->password) },
		{ "token", b->token, sizeof(b->token) }, { "ca", b->ca, sizeof(b->ca) },
		{ "tls_name", b->tls_name, sizeof(b->tls_name) },
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (!strcmp(key, places[i].key)) {
			*room = places[i].room;
			return places[i].to;
		}
	return NULL;
}

static char *trim(char *s)
{
	char *end = s + strlen(s);

	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return s + strspn(s, " \t");
}

/* Lines "key: value"; empty ones and those with # say nothing. 0, or an exit code. */
static int file_take(struct ctl_bus *b, const char *path, char *text)
{
	char *save = NULL, *line = strtok_r(text, "\n", &save);

	for (; line; line = strtok_r(NULL, "\n", &save)) {
		char *key = trim(line), *value = strchr(key, ':'), *to;
		size_t room = 0;

		if (!key[0] || key[0] == '#')
			continue;
		if (value)
			*value++ = '\0';
		to = value ? place_of(b, trim(key), &room) : NULL;
		if (!to || strlen(trim(value)) >= room) {
			/* Never the value: it may be the password. */
			fprintf(stderr, "holdfastctl: %s: \"%.20s\": %s\n", path, to ? key : "",
				to ? "is too long" : "a line is not \"key: value\" with a key of holdfastctl(1)");
			return CTL_USAGE;
		}
		strcpy(to, trim(value));
	}
	return CTL_OK;
}

/* $XDG_CONFIG_HOME/holdfast/fleet, ~/.config/holdfast/fleet; "": there is no place. */
static const char *own_path(char path[512])
{
	const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	path[0] = '\0';
	if (base && base[0] == '/' && strlen(base) < 400)
		sprintf(path, "%s/holdfast/fleet", base);
	else if (home && home[0] == '/' && strlen(home) < 400)
		sprintf(path, "%s/.config/holdfast/fleet", home);
	return path;
}

static int file_read(struct ctl_bus *b, const char *creds)
{
	char own[512], text[FILE_MAX];
	const char *path = creds ? creds : own_path(own);
	ssize_t n = path[0] ? ctl_private_read(path, text, sizeof(text)) : -ENOENT;
	int ret;

	if (n == -ENOENT && !creds)
		return CTL_OK;
	if (n == -EPERM || n == -EFBIG)		/* said already */
		return CTL_FAILED;
	if (n < 0)
		return ctl_fail((int)n, "%s", path);
	ret = file_take(b, path, text);
	explicit_bzero(text, sizeof(text));
	return ret;
}

/* ---------------------------------------------------------------- connecting */

static bool tls(const struct ctl_bus *b)
{
	return !strncmp(b->server, "tls://", 6);
}

/* Without TLS nothing leaves this host: not the password, and no "stop" of somebody on the way. */
static bool server_ok(const struct ctl_bus *b)
{
	static const char *const near[] = { "nats://127.0.0.1:", "nats://[::1]:", "nats://localhost:" };
	const char *host = strstr(b->server, "://");

	/* An address with a user in it would be a password in argv. */
	if (!host || strpbrk(host + 3, "@/,"))
		return false;
	for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++)
		if (!strncmp(b->server, near[i], strlen(near[i])))
			return true;
	return tls(b) && host[3];
}

static int settings(struct ctl *c, struct ctl_bus *b)
{
	const struct ctl_fleet *f = &c->req.fleet;
	int ret = file_read(b, f->creds);

	if (ret)
		return ret;
	if (f->server)
		snprintf(b->server, sizeof(b->server), "%s", f->server);
	if (f->site)
		snprintf(b->site, sizeof(b->site), "%s", f->site);
	if (c->ca)
		snprintf(b->ca, sizeof(b->ca), "%s", c->ca);
	if (!b->server[0])
		return ctl_usage(c, "which bus? --server tls://HOST:PORT, or \"server:\" in the file");
	if (!server_ok(b))
		return ctl_usage(c, "the bus must be tls://HOST:PORT, or nats://127.0.0.1:PORT on this host");
	if (!ctl_bus_name_ok(b->site) || !ctl_bus_name_ok(b->stream))
		return ctl_usage(c, "site and stream are names: a lower-case letter, then letters, digits, _ and -");
	return CTL_OK;
}

static natsStatus options_tls(const struct ctl_bus *b, natsOptions *o)
{
	natsStatus st = natsOptions_SetSecure(o, true);

	if (st == NATS_OK && b->ca[0])
		st = natsOptions_LoadCATrustedCertificates(o, b->ca);
	if (st == NATS_OK && b->tls_name[0])
		st = natsOptions_SetExpectedHostname(o, b->tls_name);
	return st;
}

static natsStatus options(const struct ctl_bus *b, natsOptions *o)
{
	natsStatus st = natsOptions_SetURL(o, b->server);

	if (st == NATS_OK)
		st = natsOptions_SetName(o, "holdfastctl");
	if (st == NATS_OK)
		st = natsOptions_SetTimeout(o, CONNECT_MS);
	if (st == NATS_OK)
		st = natsOptions_SetWriteDeadline(o, WAIT_MS);
	if (st == NATS_OK)
		st = natsOptions_SetAllowReconnect(o, false);
	if (st == NATS_OK)
		st = natsOptions_SetIgnoreDiscoveredServers(o, true);
	if (st == NATS_OK && b->user[0])
		st = natsOptions_SetUserInfo(o, b->user, b->password);
	else if (st == NATS_OK && b->token[0])
		st = natsOptions_SetToken(o, b->token);
	if (st == NATS_OK && tls(b))
		st = options_tls(b, o);
	return st;
}

static bool not_permitted(const struct ctl_bus *b)
{
	const char *why;

	return b->nc && natsConnection_GetLastError(b->nc, &why) == NATS_NOT_PERMITTED;
}

/* Says what is wrong with the bus. Return: the exit code. */
static int fail(const struct ctl_bus *b, const char *what, natsStatus st)
{
	const char *last = NULL;

	if (b->nc && natsConnection_GetLastError(b->nc, &last) == NATS_NOT_PERMITTED)
		st = NATS_NOT_PERMITTED;
	if (!last || !last[0])
		last = nats_GetLastError(NULL);
	fprintf(stderr, "holdfastctl: %s: %s: %.200s\n", b->server, what,
		last && last[0] ? last : natsStatus_GetText(st));
	return st == NATS_NOT_PERMITTED || st == NATS_CONNECTION_AUTH_FAILED ? CTL_DENIED :
	       st == NATS_INVALID_ARG ? CTL_USAGE : CTL_NO_AGENT;
}

static int connect_bus(struct ctl_bus *b)
{
	natsOptions *o = NULL;
	natsStatus st = natsOptions_Create(&o);
	jsOptions js;

	if (st == NATS_OK)
		st = options(b, o);
	if (st == NATS_OK)
		st = natsConnection_Connect(&b->nc, o);
	natsOptions_Destroy(o);
	if (st == NATS_OK)
		st = jsOptions_Init(&js);
	if (st == NATS_OK) {
		js.Wait = WAIT_MS;
		st = natsConnection_JetStream(&b->js, b->nc, &js);
	}
	return st == NATS_OK ? CTL_OK : fail(b, "connect", st);
}

int ctl_bus_open(struct ctl *c, struct ctl_bus **out)
{
	struct ctl_bus *b = calloc(1, sizeof(*b));
	int ret;

	if (!b)
		return ctl_fail(-ENOMEM, "bus");
	strcpy(b->site, "lab");
	strcpy(b->stream, "holdfast");
	ret = settings(c, b);
	if (!ret)
		ret = connect_bus(b);
	/* libnats has its own copy. */
	explicit_bzero(b->password, sizeof(b->password));
	explicit_bzero(b->token, sizeof(b->token));
	if (ret)
		ctl_bus_close(b);
	else
		*out = b;
	return ret;
}

void ctl_bus_close(struct ctl_bus *b)
{
	for (int i = 0; i < b->subs; i++)
		natsSubscription_Destroy(b->sub[i]);
	jsCtx_Destroy(b->js);
	natsConnection_Destroy(b->nc);
	nats_Close();
	free(b);
}

const char *ctl_bus_site(const struct ctl_bus *b)
{
	return b->site;
}

/* ------------------------------------------------------------------ messages */

static const char *subject_of(const struct ctl_bus *b, const char *host, const char *what,
			      char out[CTL_BUS_SUBJECT])
{
	snprintf(out, CTL_BUS_SUBJECT, "holdfast.%s.%s%s%s", b->site, host ? host : "",
		 host ? "." : "", what);
	return out;
}

int ctl_bus_say(struct ctl_bus *b, const char *host, const char *what, const char *reply,
		const char *text)
{
	char subject[CTL_BUS_SUBJECT];
	natsStatus st;

	subject_of(b, host, what, subject);
	st = reply ? natsConnection_PublishRequestString(b->nc, subject, reply, text) :
		     natsConnection_PublishString(b->nc, subject, text);
	/* Once this is answered the server has it, or has said that it may not be. */
	if (st == NATS_OK)
		st = natsConnection_FlushTimeout(b->nc, WAIT_MS);
	if (st == NATS_OK && not_permitted(b))
		st = NATS_NOT_PERMITTED;
	return st == NATS_OK ? CTL_OK : fail(b, subject, st);
}

int ctl_bus_listen(struct ctl_bus *b, const char *what, char inbox[CTL_BUS_SUBJECT],
		   natsSubscription **sub)
{
	char subject[CTL_BUS_SUBJECT];
	natsInbox *own = NULL;
	natsStatus st = NATS_OK;

	if (what) {
		subject_of(b, "*", what, subject);
	} else {
		st = natsInbox_Create(&own);
		snprintf(inbox, CTL_BUS_SUBJECT, "%s", own ? own : "");
		snprintf(subject, sizeof(subject), "%s", inbox);
		natsInbox_Destroy(own);
	}
	if (st == NATS_OK)
		st = natsConnection_SubscribeSync(sub, b->nc, subject);
	if (st == NATS_OK)
		b->sub[b->subs++] = *sub;
	return st == NATS_OK ? CTL_OK : fail(b, subject, st);
}

/* An object, NULL: too long or not one. */
static json_t *parse(natsMsg *msg)
{
	int n = natsMsg_GetDataLength(msg);
	json_t *j = n > 0 && n <= MESSAGE_MAX ? json_loadb(natsMsg_GetData(msg), (size_t)n,
							   JSON_REJECT_DUPLICATES, NULL) : NULL;

	if (!json_is_object(j)) {
		json_decref(j);
		return NULL;
	}
	return j;
}

json_t *ctl_bus_next(natsSubscription *sub, int64_t ms)
{
	natsMsg *msg = NULL;
	const char *host;
	json_t *j;

	if (natsSubscription_NextMsg(&msg, sub, ms) != NATS_OK)
		return NULL;
	j = parse(msg);
	natsMsg_Destroy(msg);
	host = json_string_value(json_object_get(j, "host"));
	if (host && ctl_bus_name_ok(host))
		return j;
	json_decref(j);
	return NULL;
}

/* ---------------------------------------------------------------- the stream */

/* "holdfast.SITE.HOST.telemetry" */
static void host_add(const struct ctl_bus *b, const char *subject, json_t *hosts)
{
	char begin[CTL_BUS_SUBJECT], host[CTL_BUS_NAME];
	size_t n = (size_t)snprintf(begin, sizeof(begin), "holdfast.%s.", b->site);
	const char *end;

	if (strncmp(subject, begin, n))
		return;
	end = strchr(subject + n, '.');
	if (!end || end - (subject + n) >= CTL_BUS_NAME || json_object_size(hosts) >= CTL_BUS_HOSTS)
		return;
	snprintf(host, sizeof(host), "%.*s", (int)(end - (subject + n)), subject + n);
	if (ctl_bus_name_ok(host) && !json_object_get(hosts, host))
		json_object_set_new(hosts, host, json_object());
}

int ctl_bus_hosts(struct ctl_bus *b, json_t *hosts)
{
	char filter[CTL_BUS_SUBJECT];
	jsStreamInfo *info = NULL;
	jsErrCode code = 0;
	jsOptions o;
	natsStatus st = jsOptions_Init(&o);

	o.Wait = WAIT_MS;
	o.Stream.Info.SubjectsFilter = subject_of(b, "*", "*", filter);
	if (st == NATS_OK)
		st = js_GetStreamInfo(&info, b->js, b->stream, &o, &code);
	if (st != NATS_OK)
		return fail(b, "the stream does not say which hosts there are", st);
	for (int i = 0; info->State.Subjects && i < info->State.Subjects->Count; i++)
		host_add(b, info->State.Subjects->List[i].Subject, hosts);
	if (json_object_size(hosts) >= CTL_BUS_HOSTS)
		fprintf(stderr, "holdfastctl: of more than %d hosts only these are looked at\n",
			CTL_BUS_HOSTS);
	jsStreamInfo_Destroy(info);
	return CTL_OK;
}

json_t *ctl_bus_newest(struct ctl_bus *b, const char *host, const char *what, int64_t *stored_ns)
{
	jsDirectGetMsgOptions o;
	char subject[CTL_BUS_SUBJECT];
	natsMsg *msg = NULL;
	jsOptions wait;
	json_t *j;

	*stored_ns = 0;
	if (jsDirectGetMsgOptions_Init(&o) != NATS_OK || jsOptions_Init(&wait) != NATS_OK)
		return NULL;
	wait.Wait = WAIT_MS;
	o.LastBySubject = subject_of(b, host, what, subject);
	if (js_DirectGetMsg(&msg, b->js, b->stream, &wait, &o) != NATS_OK)
		return NULL;
	*stored_ns = natsMsg_GetTime(msg);
	j = parse(msg);
	natsMsg_Destroy(msg);
	return j;
}
