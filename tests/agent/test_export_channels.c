// SPDX-License-Identifier: GPL-2.0
/*
 * Channels: what is said and how it is signed, receivers that answer anything, under a clock of the
 * test. The receiver is a thread here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "alerts.h"

#define NOW_S	1795990096ULL

Test(channels, urls)
{
	static const char *const bad[] = {
		"", "ftp://127.0.0.1/", "http:///x", "https://127.0.0.1:0/", "https://127.0.0.1:65536/",
		"https://127.0.0.1:/", "https://127.0.0.1:-1/", "https://127.0.0.1:+1/",
	};
	struct exp_url u;
	struct hf_err e;

	cr_assert_eq(exp_url_parse(&u, "https://192.0.2.7/hook?a=b", &e), 0);
	cr_expect(u.tls && u.port == 443);
	cr_expect_str_eq(u.address, "192.0.2.7");
	cr_expect_str_eq(u.path, "/hook?a=b");
	cr_assert_eq(exp_url_parse(&u, "http://[2001:db8::1]:9093", &e), 0);
	cr_expect(!u.tls && u.port == 9093);
	cr_expect_str_eq(u.address, "[2001:db8::1]");
	cr_expect_str_eq(u.host, "[2001:db8::1]:9093");
	cr_expect_str_eq(u.path, "/");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(exp_url_parse(&u, bad[i], &e), -EINVAL, "%s", bad[i]);
}

Test(channels, heads)
{
	uint64_t s;

	cr_expect_eq(exp_http_head("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", &s), 200);
	cr_expect_eq(exp_http_head("HTTP/1.0 503\r\nRETRY-After: 7\r\n\r\n", &s), 503);
	cr_expect_eq(s, 7);
	cr_expect_eq(exp_http_head("HTTP/1.1 429 x\r\nRetry-After: 99999999999999999999\r\n\r\n", &s), 429);
	cr_expect_eq(s, EXP_RETRY_MOST_S);
	cr_expect_eq(exp_http_head("HTTP/1.1 429 x\r\n\r\nRetry-After: 5\r\n\r\n", &s), 429);
	cr_expect_eq(s, 0, "that is no header");
	cr_expect_eq(exp_http_head("HTTP/1.1 20", &s), -EPROTO);
	cr_expect_eq(exp_http_head("HTTP/1.1 2000 x\r\n\r\n", &s), -EPROTO);
	cr_expect_eq(exp_http_head("HTTP/2 200\r\n\r\n", &s), -EPROTO);
	cr_expect_eq(exp_http_head("SSH-2.0\r\n\r\n", &s), -EPROTO);
	cr_expect_eq(exp_http_head("HTTP/1.1 099 x\r\n\r\n", &s), -EPROTO);
}

/* printf '1795990096.{"version":1}' | openssl dgst -sha256 -hmac 'a secret of the receiver' */
Test(channels, signature)
{
	const char *key = "a secret of the receiver";
	char hex[65];

	cr_assert_eq(exp_http_sign(key, strlen(key), "1795990096", "{\"version\":1}", hex), 0);
	cr_expect_str_eq(hex, "20b3a2cb2ab005974c0495bb24bb561e04a15f183fc4e3fb057629d1349902d3");
}

/* --------------------------------------------------------------- receiver */

struct receiver {
	pthread_t thread;
	pthread_mutex_t lock;
	int fd, count;
	uint16_t port;
	const char *answer;	/* NULL: none, closes */
	char last[8192];
};

static void *receive(void *arg)
{
	struct receiver *r = arg;
	char buf[8192];

	for (;;) {
		int fd = accept(r->fd, NULL, NULL);
		size_t n = 0;
		ssize_t got;

		if (fd < 0)
			return NULL;
		do {
			got = recv(fd, buf + n, sizeof(buf) - 1 - n, 0);
			n += got > 0 ? (size_t)got : 0;
			buf[n] = '\0';
		} while (got > 0 && !(strstr(buf, "\r\n\r\n") && strchr("}]", buf[n - 1])));
		pthread_mutex_lock(&r->lock);
		memcpy(r->last, buf, n + 1);
		r->count++;
		if (r->answer && write(fd, r->answer, strlen(r->answer)) < 0)
			r->count = -1000;
		pthread_mutex_unlock(&r->lock);
		close(fd);
	}
}

static struct receiver r;
static struct hf_test_clock tc;
static struct hf_loop *loop;
static struct inc_engine *e;
static struct exp_channel *c;
static unsigned int kept;

static void on_change(void *arg, const struct inc *i, enum inc_change what)
{
	(void)arg;
	if (what < INC_NOTED && c)
		exp_channel_offer(c, inc_find(e, i->id));
}

static void told(void *arg, const struct inc *i)
{
	(void)arg;
	(void)i;
	kept++;
}

static int half(void *arg, void *buf, size_t len)
{
	(void)arg;
	memset(buf, 0x7f, len);
	return 0;
}

static const struct hf_random random_half = { half, NULL };
static struct exp_channel_env env;

static void begin(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);

	r.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(r.fd, (struct sockaddr *)&in, sizeof(in)), 0);
	cr_assert_eq(listen(r.fd, 16), 0);
	getsockname(r.fd, (struct sockaddr *)&in, &len);
	r.port = ntohs(in.sin_port);
	r.answer = "HTTP/1.1 200 OK\r\n\r\n";
	pthread_mutex_init(&r.lock, NULL);
	pthread_create(&r.thread, NULL, receive, &r);
	hf_test_clock_init(&tc, HF_S, NOW_S * HF_S);
	cr_assert_eq(hf_loop_new(&loop, &tc.clock), 0);
	cr_assert_eq(inc_engine_new(&e, &tc.clock, on_change, NULL), 0);
	env = (struct exp_channel_env){ .loop = loop, .random = &random_half, .incidents = e, .told = told };
}

static void end(void)
{
	exp_channel_free(c);
	c = NULL;
	inc_engine_free(e);
	hf_loop_free(loop);
	shutdown(r.fd, SHUT_RDWR);
	pthread_join(r.thread, NULL);
	close(r.fd);
}

TestSuite(channel, .init = begin, .fini = end, .timeout = 30);

static void channel_open(const char *kind, const char *more)
{
	struct exp_channel_settings s;
	struct hf_err err;
	char text[512];
	json_t *j;

	snprintf(text, sizeof(text), "{\"name\":\"one\",\"kind\":\"%s\",\"url\":\"http://127.0.0.1:%u/hook\"%s}", kind,
		 r.port, more);
	j = json_loads(text, 0, NULL);
	cr_assert_eq(exp_channel_read(&s, j, &err), 0, "%s", err.text);
	json_decref(j);
	cr_assert_eq(exp_channel_new(&c, &env, &s), 0);
}

static int64_t stat_of(const char *name)
{
	json_t *j = exp_channel_stats(c);
	int64_t v = json_integer_value(json_object_get(j, name));

	json_decref(j);
	return v;
}

static int came(void)
{
	int n;

	pthread_mutex_lock(&r.lock);
	n = r.count;
	pthread_mutex_unlock(&r.lock);
	return n;
}

static void answer(const char *text)
{
	pthread_mutex_lock(&r.lock);
	r.answer = text;
	pthread_mutex_unlock(&r.lock);
}

/* Until so many tries have ended. */
static void turn_until(int64_t tries)
{
	for (int i = 0; i < 2000 && stat_of("sent") + stat_of("failed") + stat_of("refused") < tries; i++)
		hf_loop_once(loop, 5);
	cr_assert_eq(stat_of("sent") + stat_of("failed") + stat_of("refused"), tries);
}

static void turn(void)
{
	for (int i = 0; i < 10; i++)
		hf_loop_once(loop, 2);
}

static void saw(const char *key, const char *event)
{
	inc_saw(e, &(struct inc_seen){ .key = key, .title = "array 0 tripped", .detail = "why", .event = event,
				       .severity = INC_CRITICAL });
}

Test(channel, says_it_once_and_remembers)
{
	uint64_t change;

	channel_open("webhook", "");
	saw("trip/array0", "1");
	turn_until(1);
	cr_expect_eq(stat_of("sent"), 1);
	cr_expect_not_null(strstr(r.last, "POST /hook HTTP/1.1\r\n"));
	cr_expect_not_null(strstr(r.last, "\r\nIdempotency-Key: incident-1-1\r\n"));
	cr_expect_not_null(strstr(r.last, "\r\nX-Holdfast-Timestamp: 1795990096\r\n"));
	cr_expect_null(strstr(r.last, "X-Holdfast-Signature"));
	cr_expect_not_null(strstr(r.last, "\"what\":\"opened\""));
	cr_expect(inc_told(inc_at(e, 0), "one", &change));
	cr_expect_eq(change, 1);
	cr_expect_eq(kept, 1);
	exp_channel_catch_up(c);
	turn();
	cr_expect_eq(came(), 1, "who knows is not told again");
	inc_acknowledge(e, inc_at(e, 0), "ann", "", NULL);
	inc_annotate(e, inc_at(e, 0), "ann", "x", NULL);
	turn_until(2);
	cr_expect_not_null(strstr(r.last, "incident-1-2"));
}

/* The receiver fails: tries are bounded by the budget, the newest state is not lost. */
Test(channel, failing_receiver)
{
	char event[8];

	channel_open("webhook", "");
	answer("HTTP/1.1 500 no\r\n\r\n");
	for (int n = 0; n < 200; n++) {
		snprintf(event, sizeof(event), "%d", n);
		saw("trip/array0", event);
		turn();
		hf_test_clock_advance(&tc, 3 * HF_S);
	}
	turn();
	cr_expect_lt(came(), 30, "%d tries in ten minutes", came());
	cr_expect_gt(came(), 3);
	cr_expect_eq(stat_of("waiting"), 1);
	cr_expect_gt(stat_of("skipped"), 0, "the breaker was open");
	cr_expect_eq(exp_channel_finding(c).health, HF_HEALTH_FAIL);
	inc_well(e, "trip/array0", "reset");
	answer("HTTP/1.1 204 good\r\n\r\n");
	for (int n = 0; n < 400 && !stat_of("sent"); n++) {
		hf_test_clock_advance(&tc, 3 * HF_S);
		turn();
	}
	cr_expect_not_null(strstr(r.last, "\"state\":\"resolved\""));
	cr_expect_eq(stat_of("waiting"), 0);
	cr_expect_eq(exp_channel_finding(c).health, HF_HEALTH_OK);
}

Test(channel, caller_mistake_is_not_tried_again)
{
	channel_open("webhook", "");
	answer("HTTP/1.1 400 no\r\n\r\n");
	saw("trip/array0", "1");
	turn_until(1);
	cr_expect_eq(stat_of("refused"), 1);
	hf_test_clock_advance(&tc, 600 * HF_S);
	turn();
	cr_expect_eq(came(), 1);
	cr_expect_eq(exp_channel_finding(c).health, HF_HEALTH_WARN);
}

Test(channel, retry_after_is_honoured)
{
	channel_open("webhook", "");
	answer("HTTP/1.1 429 slowly\r\nRetry-After: 120\r\n\r\n");
	saw("trip/array0", "1");
	turn_until(1);
	answer("HTTP/1.1 200 OK\r\n\r\n");
	hf_test_clock_advance(&tc, 119 * HF_S);
	turn();
	cr_expect_eq(came(), 1);
	hf_test_clock_advance(&tc, 2 * HF_S);
	turn_until(2);
	cr_expect_eq(stat_of("sent"), 1);
}

Test(channel, nobody_answers)
{
	channel_open("webhook", "");
	answer(NULL);
	saw("trip/array0", "1");
	turn_until(1);
	cr_expect_eq(stat_of("failed"), 1);
	answer("no http\r\n\r\n");
	hf_test_clock_advance(&tc, 2 * HF_S);
	turn_until(2);
	cr_expect_eq(stat_of("failed"), 2);
}

Test(channel, bulkhead)
{
	char key[INC_KEY];

	channel_open("webhook", ",\"secret\":\"export-none\"");
	for (int round = 0; round < 4; round++)
		for (int n = 0; n < INC_MOST; n++) {
			snprintf(key, sizeof(key), "trip/x%d", n);
			if (round % 2)
				inc_well(e, key, "well");
			else
				saw(key, "1");
		}
	cr_expect_eq(stat_of("waiting"), INC_MOST);
	cr_expect_eq(stat_of("dropped"), 3 * INC_MOST, "all but the newest state of each");
	turn();
	cr_expect_eq(came(), 0, "without its key nothing is said");
	exp_channel_key(c, "export-other", "x");
	turn();
	cr_expect_eq(came(), 0);
	exp_channel_key(c, "export-none", "x");
	turn_until(3);
	cr_expect_not_null(strstr(r.last, "X-Holdfast-Signature: sha256="));
	cr_expect_not_null(strstr(r.last, "\"state\":\"resolved\""));
}

Test(channel, only_what_it_wants)
{
	channel_open("webhook", ",\"min_severity\":\"critical\",\"resolved\":false");
	inc_saw(e, &(struct inc_seen){ .key = "health/cpu", .title = "t", .detail = "d", .event = "" });
	turn();
	cr_expect_eq(came(), 0);
	saw("health/cpu", "");
	turn_until(1);
	inc_saw(e, &(struct inc_seen){ .key = "health/cpu", .title = "t", .detail = "d", .event = "" });
	turn_until(2);
	cr_expect_not_null(strstr(r.last, "\"severity\":\"warning\""), "who heard the worse hears the better");
	inc_well(e, "health/cpu", "well");
	turn();
	cr_expect_eq(came(), 2);
}

Test(channel, alertmanager_is_repeated)
{
	channel_open("alertmanager", "");
	saw("trip/array0", "1");
	turn_until(1);
	cr_expect_not_null(strstr(r.last, "[{\"labels\":{\"alertname\":\"HoldfastIncident\""));
	cr_expect_null(strstr(r.last, "endsAt"));
	for (int n = 2; n < 5; n++) {
		hf_test_clock_advance(&tc, 60 * HF_S);
		turn_until(n);
	}
	inc_well(e, "trip/array0", "reset");
	turn_until(5);
	cr_expect_not_null(strstr(r.last, "\"endsAt\":\"2026-"));
	hf_test_clock_advance(&tc, 300 * HF_S);
	turn();
	cr_expect_eq(came(), 5);
}

Test(channel, after_a_kill_it_is_the_same_message)
{
	struct hf_err err;
	json_t *whole, *j;

	channel_open("webhook", "");
	saw("trip/array0", "1");
	whole = inc_json(inc_at(e, 0));
	j = json_deep_copy(whole);	/* as it is on the disk while the message is under way */
	turn_until(1);
	exp_channel_free(c);
	c = NULL;
	inc_engine_free(e);
	cr_assert_eq(inc_engine_new(&e, &tc.clock, on_change, NULL), 0);
	cr_assert_eq(inc_load(e, j, &err), 0, "%s", err.text);
	env.incidents = e;
	channel_open("webhook", "");
	exp_channel_catch_up(c);
	turn_until(1);
	cr_expect_eq(came(), 2);
	cr_expect_not_null(strstr(r.last, "\r\nIdempotency-Key: incident-1-1\r\n"));
	json_decref(j);
	json_decref(whole);
}

Test(channel, syslog)
{
	char buf[EXP_TEXT], *text;
	long len;

	saw("trip/array0", "1");
	cr_assert_gt(exp_incident_syslog(inc_at(e, 0), NOW_S * HF_S, "lab", buf), 0);
	len = strtol(buf, &text, 10);
	cr_expect_eq((size_t)len, strlen(text + 1));
	cr_expect_str_eq(text + 1, "<114>1 2026-11-29T22:08:16.000000Z lab holdfastd - incident [holdfast@32473 "
			 "id=\"1\" change=\"1\" key=\"trip/array0\" severity=\"critical\" state=\"open\"] "
			 "array 0 tripped: why");
	inc_well(e, "trip/array0", "reset");
	exp_incident_syslog(inc_at(e, 0), NOW_S * HF_S, "lab", buf);
	cr_expect_not_null(strstr(buf, " <117>1 "));
}
