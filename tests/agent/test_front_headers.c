// SPDX-License-Identifier: GPL-2.0
/*
 * The rules about headers: framing, names of the server, types, credentials,
 * other sites' pages; and the headers of answers.
 */
#include "check.h"
#include "headers.h"

static const struct hf_site plain = {
	.body_max = 1000, .hosts = { "localhost", "127.0.0.1", "[::1]", NULL }
};
static const struct hf_site tls = { .tls = true, .body_max = 1000, .hosts = { "holdfast.example", NULL } };

#define TOKEN	"Bearer abcdefghijklmnop"
#define COOKIE	"holdfast=0123456789abcdef"

/* "Name: value" lines, ends with NULL. Return: the status it is refused with, 0: accepted. */
static int check_at(const struct hf_site *site, enum hf_ask ask, struct hf_cred *cred, uint64_t *body,
		    const char *const *lines)
{
	struct hf_headers h = { .count = 0 };
	struct hf_refusal no = { .status = 0 };
	struct hf_cred c;
	uint64_t b;

	for (; *lines; lines++) {
		size_t len = strcspn(*lines, ":");
		const char *value = *lines + len + 2;

		if (hf_headers_add(&h, *lines, len, value, strlen(value), &no))
			return no.status;
	}
	if (hf_headers_check(&h, site, ask, body ? body : &b, cred ? cred : &c, &no))
		return no.status;
	return 0;
}

#define LINES(...)	((const char *const[]){ __VA_ARGS__, NULL })
#define GET(...)	check_at(&plain, HF_ASK_READ, NULL, NULL, LINES("Host: localhost", __VA_ARGS__))
#define PAGE(...)	check_at(&plain, HF_ASK_PAGE, NULL, NULL, LINES("Host: localhost", __VA_ARGS__))
#define STREAM(...)	check_at(&plain, HF_ASK_STREAM, NULL, NULL, LINES("Host: localhost", __VA_ARGS__))
#define POST(...)	check_at(&plain, HF_ASK_CHANGE, NULL, NULL, LINES("Host: localhost", __VA_ARGS__))

Test(headers, host)
{
	static const char *const good[] = {
		"Host: localhost", "Host: LOCALHOST:8240", "host: 127.0.0.1:1", "Host: [::1]:8240", "Host: [::1]",
	};
	static const char *const bad[] = {
		"Host: ", "Host: localhost:", "Host: localhost:x", "Host: localhost:123456", "Host: local host",
		"Host: localhost/", "Host: user@localhost", "Host: [::1", "Host: [::1]x", "Host: localhost,evil",
		"Host: :8240", "Host: localhost:0", "Host: localhost:65536",
	};
	static const char *const others[] = {
		"Host: evil.example", "Host: localhost.evil.example", "Host: localhos", "Host: 127.0.0.2",
		"Host: localhost.", "Host: [::2]:8240",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_assert_eq(check_at(&plain, HF_ASK_READ, NULL, NULL, LINES(good[i])), 0, "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(check_at(&plain, HF_ASK_READ, NULL, NULL, LINES(bad[i])), 400, "%s", bad[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_assert_eq(check_at(&plain, HF_ASK_READ, NULL, NULL, LINES(others[i])), 421, "%s", others[i]);
	cr_assert_eq(check_at(&plain, HF_ASK_READ, NULL, NULL, LINES("X: y")), 400);
	cr_assert_eq(check_at(&plain, HF_ASK_READ, NULL, NULL, LINES("Host: localhost", "Host: localhost")), 400);
}

Test(headers, framing)
{
	uint64_t body = 7;

	cr_assert_eq(check_at(&plain, HF_ASK_CHANGE, NULL, &body, LINES("Host: localhost", "X: y")), 0);
	cr_assert_eq(body, 0);
	cr_assert_eq(check_at(&plain, HF_ASK_CHANGE, NULL, &body, LINES("Host: localhost", "Content-Length: 1000",
							       "Content-Type: application/json")), 0);
	cr_assert_eq(body, 1000);
	cr_assert_eq(POST("Content-Length: 1001", "Content-Type: application/json"), 413);
	cr_assert_eq(POST("Content-Length: 5", "Content-Length: 5"), 400);
	cr_assert_eq(POST("Content-Length: 5, 5"), 400);
	cr_assert_eq(POST("Content-Length: +5"), 400);
	cr_assert_eq(POST("Content-Length: -5"), 400);
	cr_assert_eq(POST("Content-Length: 0x5"), 400);
	cr_assert_eq(POST("Content-Length: 5 "), 400);
	cr_assert_eq(POST("Content-Length: "), 400);
	cr_assert_eq(POST("Content-Length: 99999999999999999999"), 400);
	cr_assert_eq(POST("Transfer-Encoding: chunked"), 411);
	cr_assert_eq(POST("Transfer-Encoding: xchunked"), 411);
	cr_assert_eq(POST("Transfer-Encoding: chunked", "Content-Length: 5"), 400);
	cr_assert_eq(POST("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), 400);
	cr_assert_eq(POST("Expect: 100-continue"), 0);
	cr_assert_eq(POST("Expect: 200-maybe"), 417);
	cr_assert_eq(GET("Upgrade: h2c"), 501);
}

Test(headers, malformed)
{
	struct hf_headers h = { .count = 0 };
	struct hf_refusal no;
	char name[HF_HEADER_MAX + 1] = "";

	cr_assert_eq(GET("X-Any: a\tb"), 0);
	cr_assert_eq(GET("X-Any: a\x01"), 400);
	cr_assert_eq(GET("X-Any: a\nb"), 400);
	cr_assert_eq(GET("X-Any: a\x7f"), 400);
	cr_assert_eq(GET("X Any: a"), 400);
	cr_assert_eq(GET("Transfer-Encoding : chunked"), 400);
	cr_assert(hf_headers_add(&h, "X", 1, "a\0b", 3, &no));
	cr_assert(hf_headers_add(&h, "", 0, "a", 1, &no));
	h.count = 0;
	for (int i = 0; i < HF_HEADERS_MAX; i++)
		cr_assert_eq(hf_headers_add(&h, "X", 1, "a", 1, &no), 0);
	cr_assert(hf_headers_add(&h, "X", 1, "a", 1, &no));
	cr_assert_eq(no.status, 431);
	memset(name, 'n', HF_HEADER_MAX);
	h.count = 0;
	cr_assert_eq(hf_headers_add(&h, name, HF_HEADER_MAX - 1, "a", 1, &no), 0);
	cr_assert(hf_headers_add(&h, name, HF_HEADER_MAX, "a", 1, &no));
	cr_assert_eq(no.status, 431);
}

Test(headers, types)
{
	cr_assert_eq(GET("Accept: */*"), 0);
	cr_assert_eq(GET("Accept: text/html, application/*;q=0.5"), 0);
	cr_assert_eq(GET("Accept: APPLICATION/JSON"), 0);
	cr_assert_eq(GET("Accept: application/json;q=0.001"), 0);
	cr_assert_eq(GET("Accept: text/html"), 406);
	cr_assert_eq(GET("Accept: application/json;q=0"), 406);
	cr_assert_eq(GET("Accept: application/json; q=0.000, text/*"), 406);
	cr_assert_eq(GET("Accept: application/jsonx"), 406);
	cr_assert_eq(GET("Accept: text/plain"), 406);
	cr_assert_eq(PAGE("Accept: text/plain;version=0.0.4;q=0.3"), 0);
	cr_assert_eq(PAGE("Accept: application/openmetrics-text;version=1.0.0;q=0.5"), 0);
	cr_assert_eq(PAGE("Accept: */*"), 0);
	cr_assert_eq(PAGE("X: y"), 0);
	cr_assert_eq(PAGE("Accept: application/json"), 406);
	cr_assert_eq(PAGE("Accept: text/plain;q=0"), 406);
	cr_assert_eq(POST("Content-Length: 5"), 415);
	cr_assert_eq(POST("Content-Length: 5", "Content-Type: application/json; charset=utf-8"), 0);
	cr_assert_eq(POST("Content-Length: 5", "Content-Type: application/json; charset=latin1"), 415);
	cr_assert_eq(POST("Content-Length: 5", "Content-Type: text/plain"), 415);
	cr_assert_eq(POST("Content-Length: 5", "Content-Type: application/x-www-form-urlencoded"), 415);
	cr_assert_eq(POST("Content-Length: 5", "Content-Type: application/jsonp"), 415);
	cr_assert_eq(POST("Content-Length: 5", "Content-Type: application/json", "Content-Encoding: gzip"),
		     415);
}

Test(headers, credentials)
{
	struct hf_cred c;

	cr_assert_eq(check_at(&plain, HF_ASK_READ, &c, NULL, LINES("Host: localhost", "Authorization: " TOKEN)), 0);
	cr_assert_eq(c.kind, HF_CRED_BEARER);
	cr_assert_str_eq(c.secret, "abcdefghijklmnop");
	cr_assert_eq(check_at(&plain, HF_ASK_READ, &c, NULL,
			      LINES("Host: localhost", "Cookie: xholdfast=1; holdfastx=2; " COOKIE "; z=3")), 0);
	cr_assert_eq(c.kind, HF_CRED_COOKIE);
	cr_assert_str_eq(c.secret, "0123456789abcdef");
	cr_assert_eq(check_at(&plain, HF_ASK_READ, &c, NULL, LINES("Host: localhost", "Cookie: other=1")), 0);
	cr_assert_eq(c.kind, HF_CRED_NONE);
	/* The name of the other kind of server is not ours. */
	cr_assert_eq(check_at(&tls, HF_ASK_READ, &c, NULL, LINES("Host: holdfast.example", "Cookie: " COOKIE)), 0);
	cr_assert_eq(c.kind, HF_CRED_NONE);
	cr_assert_eq(check_at(&tls, HF_ASK_READ, &c, NULL,
			      LINES("Host: holdfast.example", "Cookie: __Host-" COOKIE)), 0);
	cr_assert_eq(c.kind, HF_CRED_COOKIE);
	cr_assert_eq(GET("Authorization: " TOKEN, "Cookie: " COOKIE), 400);
	cr_assert_eq(GET("Cookie: " COOKIE "; " COOKIE), 400);
	cr_assert_eq(GET("Authorization: " TOKEN, "Authorization: " TOKEN), 400);
	cr_assert_eq(GET("Authorization: Basic YTpiYTpiYTpiYTpi"), 401);
	cr_assert_eq(GET("Authorization: Bearer short"), 401);
	cr_assert_eq(GET("Authorization: Bearer abcdefghijklmnop qrst"), 401);
	cr_assert_eq(GET("Cookie: holdfast=abc"), 401);
	cr_assert_eq(GET("Cookie: holdfast=0123456789abcdef%00"), 401);
	cr_assert_eq(GET("Cookie: holdfast=\"0123456789abcdef\""), 401);
}

Test(headers, other_sites_pages)
{
	cr_assert_eq(POST("Authorization: " TOKEN), 0);
	cr_assert_eq(POST("Cookie: " COOKIE), 403);
	cr_assert_eq(POST("Cookie: " COOKIE, "X-Holdfast: 0"), 403);
	cr_assert_eq(POST("Cookie: " COOKIE, "X-Holdfast: 1"), 0);
	cr_assert_eq(POST("Cookie: " COOKIE, "X-Holdfast: 1", "Sec-Fetch-Site: same-origin",
			  "Origin: http://localhost"), 0);
	cr_assert_eq(POST("Cookie: " COOKIE, "X-Holdfast: 1", "Sec-Fetch-Site: none"), 0);
	cr_assert_eq(POST("Cookie: " COOKIE, "X-Holdfast: 1", "Sec-Fetch-Site: same-site"), 403);
	cr_assert_eq(POST("Cookie: " COOKIE, "X-Holdfast: 1", "Sec-Fetch-Site: cross-site"), 403);
	cr_assert_eq(POST("Cookie: " COOKIE, "X-Holdfast: 1", "Origin: http://evil.example"), 403);
	cr_assert_eq(POST("Cookie: " COOKIE, "X-Holdfast: 1", "Origin: https://localhost"), 403);
	cr_assert_eq(POST("Cookie: " COOKIE, "X-Holdfast: 1", "Origin: http://localhost:1"), 403);
	cr_assert_eq(POST("Cookie: " COOKIE, "X-Holdfast: 1", "Origin: null"), 403);
	/* Logging somebody in from another site is refused as well. */
	cr_assert_eq(POST("Sec-Fetch-Site: cross-site"), 403);
	/* Reading changes nothing, and its answer cannot be read from elsewhere. */
	cr_assert_eq(GET("Cookie: " COOKIE, "Sec-Fetch-Site: cross-site"), 0);
	cr_assert_eq(check_at(&tls, HF_ASK_CHANGE, NULL, NULL,
			      LINES("Host: holdfast.example:8240", "Origin: https://holdfast.example:8240",
				    "Cookie: __Host-" COOKIE, "X-Holdfast: 1")), 0);
}

static const char *answer_header(bool with_tls, const char *name)
{
	for (const struct hf_header_pair *p = hf_answer_headers(with_tls); p->name; p++)
		if (!strcmp(p->name, name))
			return p->value;
	return "";
}

Test(headers, of_answers)
{
	char cookie[HF_SET_COOKIE_LEN];

	cr_assert_str_eq(answer_header(false, "Cache-Control"), "no-store");
	cr_assert_str_eq(answer_header(false, "Content-Security-Policy"),
			 "default-src 'none'; frame-ancestors 'none'");
	cr_assert_str_eq(answer_header(false, "X-Content-Type-Options"), "nosniff");
	cr_assert_str_eq(answer_header(false, "X-Frame-Options"), "DENY");
	cr_assert_str_eq(answer_header(false, "Strict-Transport-Security"), "");
	cr_assert_str_neq(answer_header(true, "Strict-Transport-Security"), "");
	cr_assert_str_eq(answer_header(true, "Access-Control-Allow-Origin"), "");
	cr_assert_eq(hf_set_cookie(&tls, "0123456789abcdef", cookie), 0);
	cr_assert_str_eq(cookie, "__Host-holdfast=0123456789abcdef; Path=/; HttpOnly; SameSite=Strict; Secure");
	cr_assert_eq(hf_set_cookie(&plain, NULL, cookie), 0);
	cr_assert_str_eq(cookie, "holdfast=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
	cr_assert_eq(hf_set_cookie(&plain, "0123456789abcdef; Domain=x", cookie), -EINVAL);
}

static int fill(void *arg, void *buf, size_t len)
{
	memset(buf, *(int *)arg, len);
	return 0;
}

Test(headers, correlation)
{
	int byte = 0xab;
	struct hf_random r = { fill, &byte };
	struct hf_headers h = { .count = 0 };
	char text[HF_CORR_TEXT];
	struct hf_corr c;

	h.value[HF_H_X_CORRELATION_ID] = "0123456789abcdef0123456789abcdef";
	cr_assert_eq(hf_headers_corr(&h, &r, &c), 0);
	cr_assert_str_eq(hf_corr_text(&c, text), h.value[HF_H_X_CORRELATION_ID]);
	h.value[HF_H_X_CORRELATION_ID] = "0123; drop";
	cr_assert_eq(hf_headers_corr(&h, &r, &c), 0);
	cr_assert_str_eq(hf_corr_text(&c, text), "abababababababababababababababab");
}

Test(headers, stream)
{
	static const struct { const char *text; int ret; uint64_t id; } ids[] = {
		{ "", 0, 0 }, { "0", 0, 0 }, { "17", 0, 17 }, { "999999999999999999", 0, 999999999999999999 },
		{ "1000000000000000000", -EINVAL, 0 }, { "-1", -EINVAL, 0 }, { "1 ", -EINVAL, 0 },
		{ "0x1", -EINVAL, 0 }, { "a", -EINVAL, 0 },
	};
	struct hf_headers h = { .count = 0 };
	struct hf_refusal no;
	uint64_t id = 1;

	cr_assert_eq(STREAM("Accept: text/event-stream"), 0);
	cr_assert_eq(STREAM("Accept: */*"), 0);
	cr_assert_eq(STREAM("Accept: application/json"), 406);
	cr_assert_eq(STREAM("Accept: text/plain"), 406);
	cr_assert_eq(PAGE("Accept: text/event-stream"), 406);
	cr_assert_eq(STREAM("Last-Event-ID: 1", "last-event-id: 2"), 400);
	cr_assert_eq(hf_headers_last_event(&h, &id, &no), 0);
	cr_assert_eq(id, 0);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		h.value[HF_H_LAST_EVENT_ID] = ids[i].text;
		cr_assert_eq(hf_headers_last_event(&h, &id, &no), ids[i].ret, "%s", ids[i].text);
		cr_assert_eq(id, ids[i].id);
	}
}
