// SPDX-License-Identifier: GPL-2.0
/*
 * The connection to NATS. One thread of ours makes the calls that wait, each
 * with a deadline; libnats has its own that read. They and the loop share what
 * is under @lock, and an eventfd says that there is something for the loop.
 *
 * libnats may not connect again by itself: when, the process decides.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <nats/nats.h>
#include <openssl/crypto.h>

#include "bus.h"

#define CONNECT_MS	2000	/* to each server */
#define WAIT_MS		2000	/* for each answer */
#define PING_MS		5000	/* two without an answer: the connection is lost */
#define STREAM_BYTES	(256LL << 20)
#define STREAM_AGE_NS	(30LL * 86400 * 1000000000)
#define SECRET		1025

enum said { SAID_NOTHING, SAID_UP, SAID_FAILED, SAID_STORED, SAID_AGAIN };

struct line {
	char subject[FLEET_SUBJECT];
	char *text;
};

struct fleet_bus {
	const struct fleet_bus_settings *s;
	const struct fleet_bus_ops *ops;
	void *arg;
	struct hf_watch *watch;
	int event;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;

	/* from the loop */
	bool quit, resume, publish;
	char secret[SECRET];
	struct fleet_message message;
	struct line say[FLEET_SAYS];
	unsigned int says;
	char *present;

	/* to the loop */
	enum said said;
	char why[HF_ERR_LEN];
	char *newest_event, *newest_anchor;
	struct fleet_stop stop[FLEET_STOPS];
	unsigned int stops;
	bool connected, ended;

	/* libnats */
	bool closed;
	/* the thread's */
	natsConnection *nc;
	natsSubscription *sub[3];
	jsCtx *js;
	uint64_t last_event, last_anchor;	/* their places in the stream, 0: none */
};

static void tell_loop(struct fleet_bus *b)
{
	uint64_t one = 1;

	if (write(b->event, &one, sizeof(one)) < 0)
		return;		/* it is full: the loop knows already */
}

/* --------------------------------------------------- in libnats' threads */

static void on_stop(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *arg)
{
	struct fleet_bus *b = arg;
	struct fleet_stop s = fleet_stop_read(natsMsg_GetData(msg),
					      (size_t)natsMsg_GetDataLength(msg));

	(void)nc;
	(void)sub;
	natsMsg_Destroy(msg);
	pthread_mutex_lock(&b->lock);
	if (b->stops < FLEET_STOPS)
		b->stop[b->stops++] = s;
	else
		b->stop[FLEET_STOPS - 1].latch |= s.latch;
	pthread_mutex_unlock(&b->lock);
	tell_loop(b);
}

static void on_ping(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *arg)
{
	const char *reply = natsMsg_GetReply(msg);
	struct fleet_bus *b = arg;

	(void)sub;
	pthread_mutex_lock(&b->lock);
	if (reply && b->present)
		natsConnection_PublishString(nc, reply, b->present);
	pthread_mutex_unlock(&b->lock);
	natsMsg_Destroy(msg);
}

static void on_closed(natsConnection *nc, void *arg)
{
	struct fleet_bus *b = arg;

	(void)nc;
	pthread_mutex_lock(&b->lock);
	b->closed = true;
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->lock);
}

/* ------------------------------------------------------------ in our thread */

static const char *cause(char why[HF_ERR_LEN], const char *what, natsStatus st, jsErrCode code)
{
	const char *last = nats_GetLastError(NULL);

	snprintf(why, HF_ERR_LEN, "%s: %s%s%.120s", what, natsStatus_GetText(st), last ? ": " : "",
		 last ? last : "");
	if (code)
		snprintf(why + strlen(why), HF_ERR_LEN - strlen(why), " (%d)", (int)code);
	return why;
}

static natsStatus options(struct fleet_bus *b, natsOptions *o, const char *secret)
{
	const struct fleet_bus_settings *s = b->s;
	const char *urls[FLEET_SERVERS];
	char inbox[FLEET_NAME + 8];
	natsStatus st;

	/* Of its own: the server can then keep others from reading what is answered to us. */
	snprintf(inbox, sizeof(inbox), "_INBOX.%s", s->names.host);

	for (int i = 0; i < s->n; i++)
		urls[i] = s->url[i];
	st = natsOptions_SetServers(o, urls, s->n);
	if (st == NATS_OK)
		st = natsOptions_SetNoRandomize(o, true);
	if (st == NATS_OK)
		st = natsOptions_SetIgnoreDiscoveredServers(o, true);
	if (st == NATS_OK)
		st = natsOptions_SetName(o, s->names.host);
	if (st == NATS_OK)
		st = natsOptions_SetCustomInboxPrefix(o, inbox);
	if (st == NATS_OK)
		st = natsOptions_SetTimeout(o, CONNECT_MS);
	if (st == NATS_OK)
		st = natsOptions_SetWriteDeadline(o, WAIT_MS);
	if (st == NATS_OK)
		st = natsOptions_SetPingInterval(o, PING_MS);
	if (st == NATS_OK)
		st = natsOptions_SetMaxPingsOut(o, 2);
	if (st == NATS_OK)
		st = natsOptions_SetAllowReconnect(o, false);
	if (st == NATS_OK)
		st = natsOptions_SetClosedCB(o, on_closed, b);
	if (st == NATS_OK && secret[0])
		st = s->user[0] ? natsOptions_SetUserInfo(o, s->user, secret) :
				  natsOptions_SetToken(o, secret);
	if (st == NATS_OK && s->ca)
		st = natsOptions_SetSecure(o, true);
	if (st == NATS_OK && s->ca)
		st = natsOptions_SetCATrustedCertificates(o, s->ca);
	if (st == NATS_OK && s->ca)
		st = natsOptions_SetExpectedHostname(o, s->tls_name);
	return st;
}

static void disconnect(struct fleet_bus *b)
{
	pthread_mutex_lock(&b->lock);
	b->connected = false;
	pthread_mutex_unlock(&b->lock);
	jsCtx_Destroy(b->js);
	b->js = NULL;
	for (size_t i = 0; i < sizeof(b->sub) / sizeof(b->sub[0]); i++) {
		natsSubscription_Destroy(b->sub[i]);
		b->sub[i] = NULL;
	}
	natsConnection_Destroy(b->nc);
	b->nc = NULL;
}

/* Stops come as soon as there is a connection, whatever becomes of the stream. */
static natsStatus listen_to(struct fleet_bus *b)
{
	char all[FLEET_SUBJECT], mine[FLEET_SUBJECT], ping[FLEET_SUBJECT];
	natsStatus st;

	snprintf(all, sizeof(all), "holdfast.%s.stop", b->s->names.site);
	snprintf(ping, sizeof(ping), "holdfast.%s.ping", b->s->names.site);
	st = natsConnection_Subscribe(&b->sub[0], b->nc, all, on_stop, b);
	if (st == NATS_OK)
		st = natsConnection_Subscribe(&b->sub[1], b->nc,
					      fleet_subject(&b->s->names, "stop", mine), on_stop, b);
	if (st == NATS_OK)
		st = natsConnection_Subscribe(&b->sub[2], b->nc, ping, on_ping, b);
	return st == NATS_OK ? natsConnection_FlushTimeout(b->nc, WAIT_MS) : st;
}

static natsStatus connect_bus(struct fleet_bus *b, const char *secret, char why[HF_ERR_LEN])
{
	natsOptions *o = NULL;
	jsOptions js;
	natsStatus st = natsOptions_Create(&o);

	pthread_mutex_lock(&b->lock);
	b->closed = false;
	pthread_mutex_unlock(&b->lock);
	if (st == NATS_OK)
		st = options(b, o, secret);
	if (st == NATS_OK)
		st = natsConnection_Connect(&b->nc, o);
	if (st == NATS_OK)
		st = listen_to(b);
	if (st == NATS_OK)
		st = jsOptions_Init(&js);
	if (st == NATS_OK) {
		js.Wait = WAIT_MS;
		st = natsConnection_JetStream(&b->js, b->nc, &js);
	}
	if (st != NATS_OK)
		cause(why, "connect", st, 0);
	natsOptions_Destroy(o);
	if (st != NATS_OK)
		disconnect(b);
	pthread_mutex_lock(&b->lock);
	b->connected = b->nc;
	pthread_mutex_unlock(&b->lock);
	return st;
}

/* Who may not make it finds it made by somebody else, or has none. */
static natsStatus stream_make(struct fleet_bus *b, jsErrCode *code)
{
	char subjects[3][FLEET_SUBJECT];
	const char *list[3] = { subjects[0], subjects[1], subjects[2] };
	static const char *const what[3] = { "event", "anchor", "telemetry" };
	jsStreamConfig c;
	natsStatus st = jsStreamConfig_Init(&c);

	if (st != NATS_OK)
		return st;
	for (int i = 0; i < 3; i++)
		snprintf(subjects[i], FLEET_SUBJECT, "holdfast.%s.*.%s", b->s->names.site, what[i]);
	c.Name = b->s->names.stream;
	c.Subjects = list;
	c.SubjectsLen = 3;
	c.AllowDirect = true;
	c.MaxBytes = STREAM_BYTES;
	c.MaxAge = STREAM_AGE_NS;
	return js_AddStream(NULL, b->js, &c, NULL, code);
}

/* @out: the newest message of a subject, NULL: there is none; the caller frees it. @place: its. */
static natsStatus newest(struct fleet_bus *b, const char *what, char **out, uint64_t *place)
{
	jsDirectGetMsgOptions o;
	natsStatus st = jsDirectGetMsgOptions_Init(&o);
	char subject[FLEET_SUBJECT];
	natsMsg *msg = NULL;

	*out = NULL;
	*place = 0;
	o.LastBySubject = fleet_subject(&b->s->names, what, subject);
	if (st == NATS_OK)
		st = js_DirectGetMsg(&msg, b->js, b->s->names.stream, NULL, &o);
	if (st == NATS_NOT_FOUND)
		return NATS_OK;
	if (st != NATS_OK)
		return st;
	*place = natsMsg_GetSequence(msg);
	*out = strndup(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
	natsMsg_Destroy(msg);
	return *out ? NATS_OK : NATS_NO_MEMORY;
}

static natsStatus ask_stream(struct fleet_bus *b, char **event, char **anchor, char why[HF_ERR_LEN])
{
	jsStreamInfo *info = NULL;
	jsErrCode code = 0;
	natsStatus st = js_GetStreamInfo(&info, b->js, b->s->names.stream, NULL, &code);

	jsStreamInfo_Destroy(info);
	if (st == NATS_NOT_FOUND) {
		code = 0;
		st = stream_make(b, &code);
	}
	if (st == NATS_OK)
		st = newest(b, "event", event, &b->last_event);
	if (st == NATS_OK)
		st = newest(b, "anchor", anchor, &b->last_anchor);
	if (st != NATS_OK)
		cause(why, "stream", st, code);
	return st;
}

static void say_result(struct fleet_bus *b, enum said said, const char *why)
{
	pthread_mutex_lock(&b->lock);
	b->said = said;
	snprintf(b->why, sizeof(b->why), "%s", why);
	pthread_mutex_unlock(&b->lock);
	tell_loop(b);
}

static void do_resume(struct fleet_bus *b, const char *secret)
{
	char why[HF_ERR_LEN] = "", *event = NULL, *anchor = NULL;
	natsStatus st = b->nc ? NATS_OK : connect_bus(b, secret, why);

	if (st == NATS_OK)
		st = ask_stream(b, &event, &anchor, why);
	if (st != NATS_OK) {
		free(event);
		say_result(b, SAID_FAILED, why);
		return;
	}
	pthread_mutex_lock(&b->lock);
	free(b->newest_event);
	free(b->newest_anchor);
	b->newest_event = event;
	b->newest_anchor = anchor;
	pthread_mutex_unlock(&b->lock);
	say_result(b, SAID_UP, "");
}

/*
 * The stream takes it only behind the one that we know to be the last: a copy that was stuck on
 * the way and comes late, or of another host with our name, is refused whenever it comes.
 */
static void do_publish(struct fleet_bus *b, struct fleet_message *m)
{
	char why[HF_ERR_LEN];
	jsPubAck *ack = NULL;
	jsErrCode code = 0;
	uint64_t *place = m->anchor ? &b->last_anchor : &b->last_event;
	jsPubOptions o;
	natsStatus st = jsPubOptions_Init(&o);

	o.MsgId = m->id;
	o.ExpectStream = b->s->names.stream;
	o.MaxWait = WAIT_MS;
	o.ExpectLastSubjectSeq = *place;
	o.ExpectNoMessage = !*place;
	if (st == NATS_OK)
		st = b->js ? js_Publish(&ack, b->js, m->subject, m->text, (int)strlen(m->text), &o,
					&code) : NATS_CONNECTION_CLOSED;
	if (st == NATS_OK)
		*place = ack->Sequence;
	if (st == NATS_OK)
		say_result(b, ack->Duplicate ? SAID_AGAIN : SAID_STORED, "");
	else
		say_result(b, SAID_FAILED, cause(why, "publish", st, code));
	jsPubAck_Destroy(ack);
	free(m->text);
}

static void do_say(struct fleet_bus *b, struct line *l)
{
	if (b->nc && natsConnection_PublishString(b->nc, l->subject, l->text) == NATS_OK)
		natsConnection_FlushTimeout(b->nc, WAIT_MS);
	free(l->text);
}

/* One thing that is to be done, without the lock. Return: false: the end. */
static bool work(struct fleet_bus *b)
{
	bool quit = b->quit, closed = b->closed, resume = b->resume, publish = b->publish;
	struct fleet_message m = b->message;
	struct line l = b->say[0];
	bool say = b->says;
	char secret[SECRET];

	if (quit)
		return false;
	memcpy(secret, b->secret, sizeof(secret));
	b->closed = false;
	if (!closed && say) {
		b->says--;
		memmove(b->say, b->say + 1, b->says * sizeof(b->say[0]));
	} else if (!closed && publish) {
		b->publish = false;
	} else if (!closed) {
		b->resume = false;
	}
	pthread_mutex_unlock(&b->lock);
	/* Of one that we have closed ourselves the word may come late. */
	if (closed && b->nc && natsConnection_IsClosed(b->nc)) {
		disconnect(b);
		say_result(b, SAID_FAILED, "the connection was closed");
	} else if (!closed && say) {
		do_say(b, &l);
	} else if (!closed && publish) {
		do_publish(b, &m);
	} else if (!closed && resume) {
		do_resume(b, secret);
	}
	OPENSSL_cleanse(secret, sizeof(secret));
	pthread_mutex_lock(&b->lock);
	return true;
}

static void *run(void *arg)
{
	struct fleet_bus *b = arg;

	pthread_mutex_lock(&b->lock);
	do {
		while (!b->quit && !b->closed && !b->resume && !b->publish && !b->says)
			pthread_cond_wait(&b->wake, &b->lock);
	} while (work(b));
	pthread_mutex_unlock(&b->lock);
	disconnect(b);
	pthread_mutex_lock(&b->lock);
	b->ended = true;
	pthread_mutex_unlock(&b->lock);
	tell_loop(b);
	return NULL;
}

/* ------------------------------------------------------------- in the loop */

/* What the threads have left for us, taken in one go. */
struct taken {
	enum said said;
	char why[HF_ERR_LEN];
	char *event, *anchor;
	struct fleet_stop stop[FLEET_STOPS];
	unsigned int stops;
	bool ended;
};

static void take(struct fleet_bus *b, struct taken *t)
{
	pthread_mutex_lock(&b->lock);
	t->said = b->said;
	memcpy(t->why, b->why, sizeof(t->why));
	t->event = b->newest_event;
	t->anchor = b->newest_anchor;
	memcpy(t->stop, b->stop, sizeof(t->stop));
	t->stops = b->stops;
	t->ended = b->ended;
	b->said = SAID_NOTHING;
	b->newest_event = b->newest_anchor = NULL;
	b->stops = 0;
	pthread_mutex_unlock(&b->lock);
}

static void on_event(void *arg, uint32_t events)
{
	struct fleet_bus *b = arg;
	struct taken t;
	uint64_t count;

	(void)events;
	if (read(b->event, &count, sizeof(count)) < 0)
		return;
	take(b, &t);
	for (unsigned int i = 0; i < t.stops; i++)
		b->ops->stop(b->arg, &t.stop[i]);
	if (t.said == SAID_UP)
		b->ops->up(b->arg, t.event, t.anchor);
	else if (t.said == SAID_FAILED)
		b->ops->failed(b->arg, t.why);
	else if (t.said != SAID_NOTHING)
		b->ops->stored(b->arg, t.said == SAID_AGAIN);
	free(t.event);
	free(t.anchor);
	if (t.ended)
		b->ops->ended(b->arg);
}

static void post(struct fleet_bus *b)
{
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->lock);
}

void fleet_bus_resume(struct fleet_bus *b, const char *secret)
{
	pthread_mutex_lock(&b->lock);
	snprintf(b->secret, sizeof(b->secret), "%s", secret);
	b->resume = true;
	post(b);
}

void fleet_bus_publish(struct fleet_bus *b, struct fleet_message *m)
{
	pthread_mutex_lock(&b->lock);
	b->message = *m;
	m->text = NULL;
	b->publish = true;
	post(b);
}

bool fleet_bus_say(struct fleet_bus *b, const char *subject, char *text)
{
	bool room;

	pthread_mutex_lock(&b->lock);
	room = text && b->connected && b->says < FLEET_SAYS;
	if (room) {
		struct line *l = &b->say[b->says++];

		snprintf(l->subject, sizeof(l->subject), "%s", subject);
		l->text = text;
	} else {
		free(text);
	}
	post(b);
	return room;
}

void fleet_bus_present(struct fleet_bus *b, char *text)
{
	pthread_mutex_lock(&b->lock);
	free(b->present);
	b->present = text;
	pthread_mutex_unlock(&b->lock);
}

bool fleet_bus_connected(struct fleet_bus *b)
{
	bool connected;

	pthread_mutex_lock(&b->lock);
	connected = b->connected;
	pthread_mutex_unlock(&b->lock);
	return connected;
}

void fleet_bus_quit(struct fleet_bus *b)
{
	pthread_mutex_lock(&b->lock);
	b->quit = true;
	post(b);
}

int fleet_bus_new(struct fleet_bus **out, struct hf_loop *loop, const struct fleet_bus_settings *s,
		  const struct fleet_bus_ops *ops, void *arg)
{
	struct fleet_bus *b = calloc(1, sizeof(*b));
	int ret;

	if (!b)
		return -ENOMEM;
	b->s = s;
	b->ops = ops;
	b->arg = arg;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->wake, NULL);
	b->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ret = b->event < 0 ? -errno : hf_watch_new(&b->watch, loop, b->event, EPOLLIN, on_event, b);
	if (!ret)
		ret = -pthread_create(&b->thread, NULL, run, b);
	if (!ret) {
		*out = b;
		return 0;
	}
	hf_watch_free(b->watch);
	if (b->event >= 0)
		close(b->event);
	free(b);
	return ret;
}

bool fleet_bus_free(struct fleet_bus *b)
{
	bool ended;

	hf_watch_free(b->watch);
	pthread_mutex_lock(&b->lock);
	ended = b->ended;
	pthread_mutex_unlock(&b->lock);
	if (!ended)
		return false;
	pthread_join(b->thread, NULL);
	if (b->publish)
		free(b->message.text);
	for (unsigned int i = 0; i < b->says; i++)
		free(b->say[i].text);
	free(b->newest_event);
	free(b->newest_anchor);
	free(b->present);
	OPENSSL_cleanse(b->secret, sizeof(b->secret));
	close(b->event);
	free(b);
	return true;
}
