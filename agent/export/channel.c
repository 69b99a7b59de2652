// SPDX-License-Identifier: GPL-2.0
/* One channel (channel.h): deadline, bulkhead, breaker, retries with a budget, in this order. */
#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "breaker.h"
#include "channel.h"
#include "config.h"
#include "log.h"
#include "retry.h"

#define LATER_NS	(30 * HF_S)	/* after the attempts of one turn */
#define KEY_NS		(5 * HF_S)	/* until a secret that is not there is asked for again */
#define KEY_LIFE_NS	(60 * HF_S)	/* after which it is asked for anew */
#define REPEAT_NS	(60 * HF_S)	/* Alertmanager forgets what is not repeated */

static const struct hf_retry_rule retry_rule = {
	.tokens = 10, .back_permille = 200, .attempts = 3, .base_ns = HF_S, .cap_ns = 30 * HF_S,
};

/* @again: it has been told, and is repeated. */
struct waiting {
	uint64_t id;
	bool again;
};

/**
 * struct exp_channel - one channel
 * @queue:	one entry of an incident at most, from the oldest
 * @current:	under way, of which @change was said
 * @refused:	messages that the receiver did not want (4xx)
 * @dropped:	replaced by a newer state of the same, or a repeat that found no time
 */
struct exp_channel {
	const struct exp_channel_env *env;
	struct exp_channel_settings s;
	struct hf_timer *timer, *repeat;
	struct exp_connection *sending;
	struct waiting queue[INC_MOST], current;
	size_t n;
	uint64_t change;
	struct hf_breaker breaker;
	struct hf_breaker_ticket ticket;
	struct hf_retry_budget retries;
	uint32_t attempts;
	uint64_t rest_until_ns;		/* the receiver asked for it, or a turn is over */
	uint64_t sent, failed, refused, dropped;
	size_t key_len;
	uint64_t key_ns;	/* when it was asked for */
	char key[EXP_KEY_MAX], error[HF_ERR_LEN];
};

static const char *const kind_words[] = { "webhook", "alertmanager", "syslog_tcp", "syslog_tls" };

/* ---------------------------------------------------------------- settings */

static int text_read(const json_t *j, const char *key, char *to, size_t room, struct hf_err *e)
{
	return exp_text_read(j, "alerts.channels", key, to, room, e);
}

int exp_channel_read(struct exp_channel_settings *s, const json_t *j, struct hf_err *e)
{
	const char *kind = hf_config_text_or(j, "kind", ""), *url = hf_config_text_or(j, "url", "");
	const char *host = hf_config_text_or(j, "host", "");
	int64_t port = hf_config_int_or(j, "port", 0);
	int ret;

	memset(s, 0, sizeof(*s));
	while (s->kind < EXP_INCIDENT_TLS && strcmp(kind, kind_words[s->kind]) != 0)
		s->kind++;
	s->least = !strcmp(hf_config_text_or(j, "min_severity", ""), "critical") ? INC_CRITICAL :
										INC_WARNING;
	s->resolved = !json_is_false(json_object_get(j, "resolved"));
	ret = text_read(j, "name", s->name, sizeof(s->name), e);
	if (!ret)
		ret = text_read(j, "secret", s->secret, sizeof(s->secret), e);
	if (!ret)
		ret = text_read(j, "ca", s->ca, sizeof(s->ca), e);
	if (ret)
		return ret;
	if (s->kind == EXP_INCIDENT_TCP || s->kind == EXP_INCIDENT_TLS) {
		s->tls = s->kind == EXP_INCIDENT_TLS;
		snprintf(s->place, sizeof(s->place), "%.240s:%u", host, (unsigned int)port);
		return exp_route_parse(&s->route, host, (uint16_t)port, e);
	}
	ret = exp_url_parse(&s->url, url, e);
	if (ret)
		return ret;
	s->tls = s->url.tls;
	snprintf(s->place, sizeof(s->place), "%s", url);
	if (s->kind == EXP_ALERTMANAGER && !strcmp(s->url.path, "/"))
		strcpy(s->url.path, "/api/v2/alerts");
	return exp_route_parse(&s->route, s->url.address, s->url.port, e);
}

/* ------------------------------------------------------------------ sending */

static void channel_try(struct exp_channel *c);

static void on_timer(void *arg)
{
	channel_try(arg);
}

static struct waiting take_first(struct exp_channel *c)
{
	struct waiting w = c->queue[0];

	c->n--;
	memmove(&c->queue[0], &c->queue[1], c->n * sizeof(c->queue[0]));
	return w;
}

static struct waiting *queued(struct exp_channel *c, uint64_t id)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->queue[i].id == id)
			return &c->queue[i];
	return NULL;
}

/* A newer state takes the place of an older one, a repeat that of none. */
static void enqueue(struct exp_channel *c, uint64_t id, bool again)
{
	struct waiting *w = queued(c, id);

	if (w || c->n == INC_MOST) {
		c->dropped++;
		if (w)
			w->again = w->again && again;
		return;
	}
	c->queue[c->n++] = (struct waiting){ .id = id, .again = again };
}

/* It has been said, or will never be taken. */
static void settled(struct exp_channel *c)
{
	struct inc *i = inc_find(c->env->incidents, c->current.id);

	if (!i || c->current.again)
		return;
	inc_tell(i, c->s.name, c->change);
	c->env->told(c->env->arg, i);
}

static void again_later(struct exp_channel *c, uint64_t asked_ns)
{
	uint64_t now = hf_mono_ns(hf_loop_clock(c->env->loop)), wait;

	wait = hf_retry_failed(&c->retries, c->env->random, ++c->attempts, asked_ns, now, 0);
	if (!wait) {
		c->attempts = 0;
		wait = asked_ns > LATER_NS ? asked_ns : LATER_NS;
	}
	c->rest_until_ns = now + wait;
	if (c->current.again)
		c->dropped++;		/* the next minute brings another */
	else
		enqueue(c, c->current.id, false);
}

static enum hf_outcome outcome_of(int ret, int status)
{
	if (ret || status < 0 || status >= 500 || status == 408 || status == 429)
		return HF_OUTCOME_FAILED;
	return status < 300 ? HF_OUTCOME_OK : HF_OUTCOME_CALLER;
}

/* @status: of HTTP, 200 for a syslog message that was taken. */
static void ended(struct exp_channel *c, int ret, int status, uint64_t retry_s, const char *why)
{
	uint64_t now = hf_mono_ns(hf_loop_clock(c->env->loop));
	enum hf_outcome o = outcome_of(ret, status);

	if (hf_breaker_end(&c->breaker, &c->ticket, o, now))
		hf_log_app(o == HF_OUTCOME_OK ? HF_LOG_INFO : HF_LOG_WARN, "breaker", NULL, "%s: %s",
			   c->s.name, hf_breaker_word(hf_breaker_state(&c->breaker)));
	if (o == HF_OUTCOME_OK) {
		c->sent++;
		c->attempts = 0;
		c->error[0] = '\0';
		hf_retry_ok(&c->retries);
		settled(c);
	} else {
		snprintf(c->error, sizeof(c->error), "%s", why);
		hf_log_app(HF_LOG_WARN, "alert.failed", NULL, "%s: incident %" PRIu64 ": %s", c->s.name,
			   c->current.id, why);
	}
	if (o == HF_OUTCOME_CALLER) {
		c->refused++;
		c->attempts = 0;
		settled(c);
	}
	if (o == HF_OUTCOME_FAILED) {
		c->failed++;
		again_later(c, retry_s * HF_S);
	}
	c->current.id = 0;
	hf_timer_in(c->timer, 0);
}

static void on_syslog(void *arg, int ret, const char *why)
{
	struct exp_channel *c = arg;

	c->sending = NULL;
	ended(c, ret, 200, 0, why);
}

static void on_answer(void *arg, int ret, const char *head)
{
	struct exp_channel *c = arg;
	uint64_t retry_s = 0;
	int status = ret ? 0 : exp_http_head(head, &retry_s);
	char why[64];

	c->sending = NULL;
	snprintf(why, sizeof(why), status < 0 ? "it does not speak HTTP" : "it answers %d", status);
	ended(c, ret, status, retry_s, ret ? head : why);
}

static void host_name(char host[65])
{
	if (gethostname(host, 64) || !host[0])
		strcpy(host, "-");
	host[64] = '\0';
}

/* Return: 0, -errno. */
static int send_http(struct exp_channel *c, const struct inc *i, const char *host)
{
	uint64_t real_s = hf_real_ns(hf_loop_clock(c->env->loop)) / HF_S;
	char *body = c->s.kind == EXP_WEBHOOK ? exp_webhook_body(i, host) : exp_alert_body(i, host);
	char headers[256] = "", timestamp[24], mac[65], *text = NULL;
	int ret = body ? 0 : -ENOMEM;

	snprintf(timestamp, sizeof(timestamp), "%" PRIu64, real_s);
	if (!ret && c->s.kind == EXP_WEBHOOK)
		snprintf(headers, sizeof(headers), "Idempotency-Key: incident-%" PRIu64 "-%" PRIu64 "\r\n"
			 "X-Holdfast-Timestamp: %s\r\n", i->id, i->change, timestamp);
	if (!ret && c->key_len) {
		ret = exp_http_sign(c->key, c->key_len, timestamp, body, mac);
		snprintf(headers + strlen(headers), sizeof(headers) - strlen(headers),
			 "X-Holdfast-Signature: sha256=%s\r\n", mac);
	}
	if (!ret)
		ret = exp_http_post(&c->s.url, headers, body, &text);
	if (ret > 0)
		ret = exp_ask(&c->sending, c->env->loop, &c->s.route, text, (size_t)ret, EXP_SEND_NS,
			      on_answer, c);
	free(body);
	free(text);
	return ret;
}

static int send_syslog(struct exp_channel *c, const struct inc *i, const char *host)
{
	char text[EXP_TEXT];
	int ret = exp_incident_syslog(i, hf_real_ns(hf_loop_clock(c->env->loop)), host, text);

	return ret < 0 ? ret : exp_send(&c->sending, c->env->loop, &c->s.route, text, (size_t)ret,
					EXP_SEND_NS, on_syslog, c);
}

static void send_one(struct exp_channel *c, const struct inc *i)
{
	char host[65];
	int ret;

	host_name(host);
	c->change = i->change;
	if (c->s.tls && !c->s.route.trust)
		ret = -EBADF;
	else if (c->s.kind == EXP_WEBHOOK || c->s.kind == EXP_ALERTMANAGER)
		ret = send_http(c, i, host);
	else
		ret = send_syslog(c, i, host);
	if (ret)
		ended(c, ret, 0, 0, ret == -EBADF ? "authorities cannot be read before the next start" :
		      strerror(-ret));
}

/* Without the key that its receiver expects nothing is sent. Return: it is there. */
static bool key_there(struct exp_channel *c)
{
	uint64_t now = hf_mono_ns(hf_loop_clock(c->env->loop));
	bool there = !c->s.secret[0] || c->key_len;

	/* It may have been changed: the one that is there serves until the answer. */
	if (c->s.secret[0] && c->env->secret && (!there || now - c->key_ns >= KEY_LIFE_NS)) {
		c->key_ns = now;
		c->env->secret(c->env->arg, c->s.secret);
	}
	if (there)
		return true;
	snprintf(c->error, sizeof(c->error), "the secret %s is not there", c->s.secret);
	hf_timer_in(c->timer, KEY_NS);
	return false;
}

static void channel_try(struct exp_channel *c)
{
	uint64_t now = hf_mono_ns(hf_loop_clock(c->env->loop)), wait;
	const struct inc *i = NULL;

	if (c->sending)
		return;
	while (c->n && !(i = inc_find(c->env->incidents, c->queue[0].id))) {
		take_first(c);		/* it is not kept any more */
		c->dropped++;
	}
	if (!i || !key_there(c))
		return;
	if (now < c->rest_until_ns) {
		hf_timer_set(c->timer, c->rest_until_ns);
		return;
	}
	wait = hf_breaker_begin(&c->breaker, now, &c->ticket);
	if (wait) {
		hf_timer_in(c->timer, wait);
		return;
	}
	hf_timer_stop(c->timer);
	c->current = take_first(c);
	send_one(c, i);
}

/* ------------------------------------------------------------------ offering */

/* Whoever has heard of an incident hears the rest, too. */
static bool wants(const struct exp_channel *c, const struct inc *i, bool heard)
{
	if (i->state == INC_RESOLVED && !c->s.resolved)
		return false;
	return heard || i->severity >= c->s.least;
}

void exp_channel_offer(struct exp_channel *c, struct inc *i)
{
	uint64_t change;
	bool heard = inc_told(i, c->s.name, &change);

	if (!wants(c, i, heard) || (heard && change >= i->change))
		return;
	if (!heard)
		inc_tell(i, c->s.name, 0);
	enqueue(c, i->id, false);
	if (!c->sending && !hf_timer_running(c->timer))
		hf_timer_in(c->timer, 0);
}

void exp_channel_catch_up(struct exp_channel *c)
{
	uint64_t change;
	struct inc *i;

	for (size_t n = 0; (i = inc_at(c->env->incidents, n)); n++)
		if (i->state != INC_RESOLVED || inc_told(i, c->s.name, &change))
			exp_channel_offer(c, i);
}

static void on_repeat(void *arg)
{
	struct exp_channel *c = arg;
	uint64_t change;
	struct inc *i;

	for (size_t n = 0; (i = inc_at(c->env->incidents, n)); n++)
		if (i->state != INC_RESOLVED && inc_told(i, c->s.name, &change) && change)
			enqueue(c, i->id, true);
	hf_timer_in(c->repeat, REPEAT_NS);
	if (!c->sending && !hf_timer_running(c->timer))
		hf_timer_in(c->timer, 0);
}

void exp_channel_key(struct exp_channel *c, const char *name, const char *value)
{
	size_t n = strlen(value);
	bool waited = !c->key_len;

	if (strcmp(c->s.secret, name) != 0 || !n || n > sizeof(c->key))
		return;
	memcpy(c->key, value, n);
	c->key_len = n;
	if (waited)
		hf_timer_in(c->timer, 0);
}

/* -------------------------------------------------------------------- life */

int exp_channel_new(struct exp_channel **out, const struct exp_channel_env *env,
		    const struct exp_channel_settings *s)
{
	struct exp_channel *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return -ENOMEM;
	c->env = env;
	c->s = *s;
	hf_breaker_init(&c->breaker, &exp_breaker_rule, env->random);
	hf_retry_init(&c->retries, &retry_rule);
	ret = hf_timer_new(&c->timer, env->loop, on_timer, c);
	if (!ret)
		ret = hf_timer_new(&c->repeat, env->loop, on_repeat, c);
	if (ret) {
		exp_channel_free(c);
		return ret;
	}
	if (s->kind == EXP_ALERTMANAGER)
		hf_timer_in(c->repeat, REPEAT_NS);
	*out = c;
	return 0;
}

void exp_channel_free(struct exp_channel *c)
{
	if (!c)
		return;
	exp_connection_free(c->sending);
	hf_timer_free(c->timer);
	hf_timer_free(c->repeat);
	OPENSSL_cleanse(c->key, sizeof(c->key));
	free(c);
}

const struct exp_channel_settings *exp_channel_settings(const struct exp_channel *c)
{
	return &c->s;
}

struct hf_finding exp_channel_finding(const struct exp_channel *c)
{
	if (!c->error[0])
		return hf_finding_ok((double)c->failed, NAN);
	return hf_finding(hf_breaker_state(&c->breaker) == HF_BREAKER_CLOSED ? HF_HEALTH_WARN :
			  HF_HEALTH_FAIL, (double)c->failed, NAN,
			  "%.32s takes no alerts: %.80s", c->s.name, c->error);
}

json_t *exp_channel_stats(const struct exp_channel *c)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:s, s:I, s:s}", "name", c->s.name,
			 "kind", kind_words[c->s.kind], "to", c->s.place, "waiting", (int)c->n,
			 "sent", (json_int_t)c->sent, "failed", (json_int_t)c->failed, "refused",
			 (json_int_t)c->refused, "dropped", (json_int_t)c->dropped, "breaker",
			 hf_breaker_word(hf_breaker_state(&c->breaker)), "skipped",
			 (json_int_t)c->breaker.refused, "last_error", c->error);
}
