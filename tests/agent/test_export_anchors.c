// SPDX-License-Identifier: GPL-2.0
/*
 * Anchors: text, connections to receivers that behave and that do not, one
 * target's schedule under a clock of the test. Receivers are threads here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "export.h"

static const struct exp_checkpoint cp1 = {
	.origin = "holdfast/aa/bb", .root = "cm9vdA==", .key = "holdfast/aa", .signature = "c2ln",
	.size = 7, .t_ns = 1500000000000000001ULL,
};

Test(export, note_is_the_signed_text)
{
	char buf[EXP_TEXT];
	int n = exp_note(&cp1, buf);

	cr_assert_str_eq(buf, "holdfast/aa/bb\n7\ncm9vdA==\ntime 1500000000000000001\n\n"
			 "\xe2\x80\x94 holdfast/aa c2ln\n");
	cr_assert_eq((size_t)n, strlen(buf));
}

Test(export, syslog_counts_and_escapes)
{
	struct exp_checkpoint cp = cp1;
	char buf[EXP_TEXT], *text;
	int n;
	long len;

	strcpy(cp.key, "a\"b\\c]d");
	n = exp_syslog(&cp, 1500000000123456000ULL, "lab", buf);
	len = strtol(buf, &text, 10);
	cr_assert_eq((size_t)n, strlen(buf));
	cr_assert_eq(*text, ' ');
	cr_assert_eq((size_t)len, strlen(text + 1));
	cr_assert(!strncmp(text + 1, "<109>1 2017-07-14T02:40:00.123456Z lab holdfastd - anchor [", 59), "%s",
		  text + 1);
	cr_assert(strstr(text, "key=\"a\\\"b\\\\c\\]d\""));
	cr_assert(strstr(text, "size=\"7\" root=\"cm9vdA==\" t=\"1500000000000000001\""));
}

Test(export, longest_fields_are_refused_or_fit)
{
	struct exp_checkpoint cp = cp1;
	char buf[EXP_TEXT];
	int n;

	memset(cp.origin, ']', 256);
	memset(cp.key, '"', 256);
	memset(cp.signature, '\\', 256);
	memset(cp.root, 'r', 128);
	n = exp_syslog(&cp, 0, "lab", buf);
	cr_assert(n == -EMSGSIZE || (n > 0 && (size_t)n == strlen(buf)));
	cr_assert_gt(exp_note(&cp, buf), 0);
}

Test(export, names_are_not_resolved)
{
	struct exp_route r;
	struct hf_err e;

	cr_assert_eq(exp_route_parse(&r, "192.0.2.7", 601, &e), 0);
	cr_assert_eq(exp_route_parse(&r, "[2001:db8::1]", 601, &e), 0);
	cr_assert_str_eq(r.name, "2001:db8::1");
	cr_assert_eq(exp_route_parse(&r, "logs.example", 601, &e), -EINVAL);
	cr_assert_eq(exp_route_parse(&r, "", 601, &e), -EINVAL);
	cr_assert_eq(exp_route_parse(&r, "[", 601, &e), -EINVAL);
}

/* ------------------------------------------------------------- receivers */

enum manner { READS, RESETS, HANGS, TLS_READS };

struct receiver {
	pthread_t thread;
	int fd, count;
	uint16_t port;
	enum manner manner;
	gnutls_certificate_credentials_t cred;
	char got[4][EXP_TEXT];
	volatile bool leave;
};

static void read_plain(struct receiver *r, int fd, char *buf)
{
	size_t n = 0;
	ssize_t got;

	(void)r;
	while ((got = recv(fd, buf + n, EXP_TEXT - 1 - n, 0)) > 0)
		n += (size_t)got;
}

static void read_tls(struct receiver *r, int fd, char *buf)
{
	gnutls_session_t s;
	size_t n = 0;
	ssize_t got;

	gnutls_init(&s, GNUTLS_SERVER);
	gnutls_priority_set_direct(s, "NORMAL", NULL);
	gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, r->cred);
	gnutls_transport_set_int(s, fd);
	if (!gnutls_handshake(s))
		while ((got = gnutls_record_recv(s, buf + n, EXP_TEXT - 1 - n)) > 0)
			n += (size_t)got;
	gnutls_deinit(s);
}

static void *receive(void *arg)
{
	struct receiver *r = arg;

	for (;;) {
		struct linger now = { 1, 0 };
		int fd = accept(r->fd, NULL, NULL);

		if (fd < 0)
			return NULL;
		if (r->manner == RESETS)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		else if (r->manner == READS)
			read_plain(r, fd, r->got[r->count % 4]);
		else if (r->manner == TLS_READS)
			read_tls(r, fd, r->got[r->count % 4]);
		while (r->manner == HANGS && !r->leave)
			usleep(1000);
		__atomic_add_fetch(&r->count, 1, __ATOMIC_SEQ_CST);
		close(fd);
	}
}

static void receiver_listen(struct receiver *r, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int one = 1;

	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(r->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	cr_assert_eq(bind(r->fd, (struct sockaddr *)&in, sizeof(in)), 0);
	cr_assert_eq(listen(r->fd, 8), 0);
	getsockname(r->fd, (struct sockaddr *)&in, &len);
	r->port = ntohs(in.sin_port);
	pthread_create(&r->thread, NULL, receive, r);
}

static void receiver_end(struct receiver *r)
{
	r->leave = true;
	shutdown(r->fd, SHUT_RDWR);
	pthread_join(r->thread, NULL);
	close(r->fd);
}

static uint16_t free_port(void)
{
	struct receiver r = { .manner = READS };

	receiver_listen(&r, 0);
	receiver_end(&r);
	return r.port;
}

struct bench {
	struct hf_test_clock clock;
	struct hf_loop *loop;
	uint64_t told;		/* size that was said to be outside */
	bool ended;
	int ret;
	char why[HF_ERR_LEN];
};

static void bench_open(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	signal(SIGPIPE, SIG_IGN);
	hf_test_clock_init(&b->clock, HF_S, 1500000000 * HF_S);
	cr_assert_eq(hf_loop_new(&b->loop, &b->clock.clock), 0);
}

static void sent(void *arg, int ret, const char *why)
{
	struct bench *b = arg;

	b->ended = true;
	b->ret = ret;
	snprintf(b->why, sizeof(b->why), "%s", why);
}

static void send_and_wait(struct bench *b, struct exp_route *route, const char *text)
{
	struct exp_connection *c;
	int ret = exp_send(&c, b->loop, route, text, strlen(text), 10 * HF_S, sent, b);

	if (ret) {
		sent(b, ret, "");
		return;
	}
	for (int i = 0; !b->ended && i < 500; i++)
		hf_loop_once(b->loop, 10);
}

Test(export, plain_receiver_takes_all, .timeout = 20)
{
	struct receiver r = { .manner = READS };
	struct exp_route route = { .trust = NULL };
	struct bench b;

	bench_open(&b);
	receiver_listen(&r, 0);
	exp_route_parse(&route, "127.0.0.1", r.port, NULL);
	send_and_wait(&b, &route, "5 hello");
	receiver_end(&r);
	cr_assert(b.ended);
	cr_assert_eq(b.ret, 0, "%s", b.why);
	cr_assert_str_eq(r.got[0], "5 hello");
	hf_loop_free(b.loop);
}

Test(export, refused_and_reset_are_failures, .timeout = 20)
{
	struct receiver r = { .manner = RESETS };
	struct exp_route route = { .trust = NULL };
	struct bench b;

	bench_open(&b);
	exp_route_parse(&route, "127.0.0.1", free_port(), NULL);
	send_and_wait(&b, &route, "x");
	cr_assert_eq(b.ret, -ECONNREFUSED);
	b.ended = false;
	receiver_listen(&r, 0);
	exp_route_parse(&route, "127.0.0.1", r.port, NULL);
	send_and_wait(&b, &route, "x");
	receiver_end(&r);
	cr_assert(b.ended);
	cr_assert_lt(b.ret, 0, "a reset is no acknowledgement");
	hf_loop_free(b.loop);
}

Test(export, silent_receiver_meets_the_deadline, .timeout = 20)
{
	struct receiver r = { .manner = HANGS };
	struct exp_route route = { .trust = NULL };
	struct exp_connection *c;
	struct bench b;

	bench_open(&b);
	receiver_listen(&r, 0);
	exp_route_parse(&route, "127.0.0.1", r.port, NULL);
	cr_assert_eq(exp_send(&c, b.loop, &route, "x", 1, 10 * HF_S, sent, &b), 0);
	for (int i = 0; i < 20; i++)
		hf_loop_once(b.loop, 5);
	cr_assert(!b.ended);
	hf_test_clock_advance(&b.clock, 10 * HF_S);
	hf_loop_once(b.loop, 0);
	cr_assert(b.ended);
	cr_assert_eq(b.ret, -ETIMEDOUT);
	cr_assert(strstr(b.why, "not closed"), "%s", b.why);
	receiver_end(&r);
	hf_loop_free(b.loop);
}

/* ------------------------------------------------------------------- TLS */

struct authority {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_certificate_credentials_t server, trust;
};

static void authority_make(struct authority *a, const char *address)
{
	unsigned char serial = 1;
	struct in_addr ip;

	inet_pton(AF_INET, address, &ip);
	gnutls_x509_privkey_init(&a->key);
	gnutls_x509_privkey_generate(a->key, GNUTLS_PK_ECDSA,
				     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	gnutls_x509_crt_init(&a->crt);
	gnutls_x509_crt_set_version(a->crt, 3);
	gnutls_x509_crt_set_serial(a->crt, &serial, 1);
	gnutls_x509_crt_set_activation_time(a->crt, time(NULL) - 3600);
	gnutls_x509_crt_set_expiration_time(a->crt, time(NULL) + 3600);
	gnutls_x509_crt_set_dn(a->crt, "CN=receiver", NULL);
	gnutls_x509_crt_set_subject_alt_name(a->crt, GNUTLS_SAN_IPADDRESS, &ip, 4, GNUTLS_FSAN_SET);
	gnutls_x509_crt_set_basic_constraints(a->crt, 1, -1);
	gnutls_x509_crt_set_key(a->crt, a->key);
	gnutls_x509_crt_sign2(a->crt, a->crt, a->key, GNUTLS_DIG_SHA256, 0);
	gnutls_certificate_allocate_credentials(&a->server);
	gnutls_certificate_set_x509_key(a->server, &a->crt, 1, a->key);
	gnutls_certificate_allocate_credentials(&a->trust);
	gnutls_certificate_set_x509_trust(a->trust, &a->crt, 1);
}

static void authority_free(struct authority *a)
{
	gnutls_certificate_free_credentials(a->server);
	gnutls_certificate_free_credentials(a->trust);
	gnutls_x509_crt_deinit(a->crt);
	gnutls_x509_privkey_deinit(a->key);
}

/* What a receiver with @server's certificate got from a sender that trusts @trust. */
static int over_tls(struct authority *server, struct authority *trust, char *why, char *got)
{
	struct receiver r = { .manner = TLS_READS, .cred = server->server };
	struct exp_route route = { .trust = trust->trust };
	struct bench b;

	bench_open(&b);
	receiver_listen(&r, 0);
	exp_route_parse(&route, "127.0.0.1", r.port, NULL);
	send_and_wait(&b, &route, "6 sealed");
	receiver_end(&r);
	cr_assert(b.ended);
	strcpy(why, b.why);
	strcpy(got, r.got[0]);
	hf_loop_free(b.loop);
	return b.ret;
}

Test(export, tls_only_to_who_is_vouched_for, .timeout = 30)
{
	struct authority good, other, elsewhere;
	char why[HF_ERR_LEN], got[EXP_TEXT];

	authority_make(&good, "127.0.0.1");
	authority_make(&other, "127.0.0.1");
	authority_make(&elsewhere, "127.0.0.2");
	cr_assert_eq(over_tls(&good, &good, why, got), 0, "%s", why);
	cr_assert_str_eq(got, "6 sealed");
	cr_assert_eq(over_tls(&good, &other, why, got), -EPROTO);
	cr_assert(strstr(why, "certificate"), "%s", why);
	cr_assert_str_eq(got, "");
	cr_assert_eq(over_tls(&elsewhere, &elsewhere, why, got), -EPROTO);
	cr_assert(strstr(why, "name"), "%s", why);
	cr_assert_str_eq(got, "");
	authority_free(&good);
	authority_free(&other);
	authority_free(&elsewhere);
}

/* ---------------------------------------------------------------- target */

static void anchored(void *arg, const struct exp_checkpoint *cp)
{
	((struct bench *)arg)->told = cp->size;
}

static int fixed_fill(void *arg, void *buf, size_t len)
{
	memset(buf, 0, len);
	memcpy(buf, arg, len < sizeof(uint64_t) ? len : sizeof(uint64_t));
	return 0;
}

static struct exp_target *target_to(struct bench *b, const struct hf_random *random, uint16_t port)
{
	struct exp_settings s = { .kind = EXP_SYSLOG_TCP, .host = "127.0.0.1", .port = port, .fd = -1,
				  .every_ns = 60 * HF_S };
	struct exp_target *t;

	cr_assert_eq(exp_route_parse(&s.route, s.host, port, NULL), 0);
	cr_assert_eq(exp_target_new(&t, b->loop, random, &s, anchored, b), 0);
	return t;
}

static int64_t stat_of(const struct exp_target *t, const char *name)
{
	json_t *j = exp_target_stats(t);
	int64_t v = json_integer_value(json_object_get(j, name));

	json_decref(j);
	return v;
}

static void turn(struct bench *b, int rounds)
{
	for (int i = 0; i < rounds; i++)
		hf_loop_once(b->loop, 5);
}

static void turn_until(struct bench *b, const struct exp_target *t, int64_t size)
{
	for (int i = 0; stat_of(t, "anchored_size") != size && i < 400; i++)
		hf_loop_once(b->loop, 5);
	cr_assert_eq(stat_of(t, "anchored_size"), size);
}

Test(export, newest_replaces_what_waits, .timeout = 20)
{
	uint64_t seed = 5;
	const struct hf_random random = { fixed_fill, &seed };
	struct receiver r = { .manner = READS };
	struct exp_checkpoint cp = cp1;
	struct exp_target *t;
	struct bench b;

	bench_open(&b);
	receiver_listen(&r, 0);
	t = target_to(&b, &random, r.port);
	exp_target_offer(t, &cp);
	turn_until(&b, t, 7);
	for (cp.size = 8; cp.size <= 100; cp.size++)
		exp_target_offer(t, &cp);
	turn(&b, 20);
	cr_assert_eq(r.count, 1, "not before the time between two has passed");
	cr_assert_eq(b.told, 7, "nobody is told of what has not been sent");
	cr_assert(!exp_target_idle(t));
	hf_test_clock_advance(&b.clock, 60 * HF_S);
	turn_until(&b, t, 100);
	cr_assert_eq(r.count, 2);
	cr_assert(strstr(r.got[1], "size=\"100\""));
	cr_assert_eq(b.told, 100);
	cr_assert(exp_target_idle(t));
	exp_target_free(t);
	receiver_end(&r);
	hf_loop_free(b.loop);
}

Test(export, tries_again_with_growing_jitter, .timeout = 20)
{
	uint64_t seed = UINT64_MAX;
	const struct hf_random random = { fixed_fill, &seed };
	struct receiver r = { .manner = READS };
	uint16_t port = free_port();
	struct exp_target *t;
	struct bench b;

	bench_open(&b);
	t = target_to(&b, &random, port);
	exp_target_offer(t, &cp1);
	turn(&b, 10);
	cr_assert_eq(stat_of(t, "failures"), 1);
	/* UINT64_MAX % 1 s + 1: the draw is below the bound of the first try. */
	hf_test_clock_advance(&b.clock, UINT64_MAX % HF_S);
	turn(&b, 10);
	cr_assert_eq(stat_of(t, "failures"), 1, "not before the wait is over");
	hf_test_clock_advance(&b.clock, 1);
	turn(&b, 10);
	cr_assert_eq(stat_of(t, "failures"), 2);
	hf_test_clock_advance(&b.clock, UINT64_MAX % (2 * HF_S));
	turn(&b, 10);
	cr_assert_eq(stat_of(t, "failures"), 2, "the bound has doubled");
	cr_assert_eq(b.told, 0, "nothing is outside");
	receiver_listen(&r, port);
	hf_test_clock_advance(&b.clock, 1);
	turn_until(&b, t, 7);
	cr_assert_eq(b.told, 7);
	exp_target_free(t);
	receiver_end(&r);
	hf_loop_free(b.loop);
}

static void breaker_is(const struct exp_target *t, const char *word)
{
	json_t *j = exp_target_stats(t);

	cr_assert_str_eq(json_string_value(json_object_get(j, "breaker")), word);
	json_decref(j);
}

/* Three failures, then rest; and the end of the process does not wait for it. */
Test(export, breaker_gives_rest, .timeout = 20)
{
	uint64_t seed = 0;
	const struct hf_random random = { fixed_fill, &seed };
	struct receiver r = { .manner = READS };
	uint16_t port = free_port();
	struct exp_target *t;
	struct bench b;

	bench_open(&b);
	t = target_to(&b, &random, port);
	exp_target_offer(t, &cp1);
	turn(&b, 10);
	for (int i = 0; i < 2; i++) {
		breaker_is(t, "closed");
		hf_test_clock_advance(&b.clock, 1);
		turn(&b, 10);
	}
	cr_assert_eq(stat_of(t, "failures"), 3);
	breaker_is(t, "open");
	hf_test_clock_advance(&b.clock, 10 * HF_S - 1);
	turn(&b, 10);
	cr_assert_eq(stat_of(t, "failures"), 3, "not while it is open");
	hf_test_clock_advance(&b.clock, 1);
	turn(&b, 10);
	cr_assert_eq(stat_of(t, "failures"), 4, "a probe");
	breaker_is(t, "open");
	exp_target_flush(t);
	turn(&b, 10);
	cr_assert_eq(stat_of(t, "failures"), 5, "the end goes past it");
	receiver_listen(&r, port);
	hf_test_clock_advance(&b.clock, 20 * HF_S);
	turn_until(&b, t, 7);
	breaker_is(t, "closed");
	cr_assert(exp_target_idle(t));
	exp_target_free(t);
	receiver_end(&r);
	hf_loop_free(b.loop);
}

Test(export, file_has_whole_notes_or_none, .timeout = 20)
{
	uint64_t seed = 0;
	const struct hf_random random = { fixed_fill, &seed };
	struct exp_settings s = { .kind = EXP_FILE, .every_ns = HF_S };
	struct exp_checkpoint cp = cp1;
	struct rlimit small = { 130, 130 };
	char path[] = "/tmp/hf-anchor-XXXXXX", buf[EXP_TEXT] = "";
	struct exp_target *t;
	struct bench b;
	int n, len = exp_note(&cp1, buf);

	bench_open(&b);
	s.fd = mkostemp(path, O_APPEND);
	strcpy(s.path, path);
	cr_assert_eq(exp_target_new(&t, b.loop, &random, &s, anchored, &b), 0);
	exp_target_offer(t, &cp);
	cr_assert(exp_target_idle(t));
	/* The disk becomes full within the second. */
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	cp.size = 8;
	hf_test_clock_advance(&b.clock, HF_S);
	exp_target_offer(t, &cp);
	cr_assert_eq(stat_of(t, "failures"), 1);
	cr_assert_eq(stat_of(t, "anchored_size"), 7);
	cr_assert_eq(b.told, 7);
	memset(buf, 0, sizeof(buf));
	n = (int)pread(s.fd, buf, sizeof(buf) - 1, 0);
	cr_assert_eq(n, len, "%d bytes where %d are one note", n, len);
	exp_target_free(t);
	unlink(path);
	hf_loop_free(b.loop);
}
