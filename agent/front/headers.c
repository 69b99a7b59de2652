// SPDX-License-Identifier: GPL-2.0
/*
 * The rules about headers. Whatever two readers could understand in two ways
 * (two lengths, a length and an encoding, two hosts) is refused, so that no
 * proxy before us can see another request than we do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "headers.h"

#define COOKIE_TLS	"__Host-holdfast"
#define COOKIE_PLAIN	"holdfast"	/* browsers refuse the prefix without TLS */

#define ALPHA	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT	"0123456789"

static const char *const names[HF_HEADER_COUNT] = {
	[HF_H_HOST] = "Host",
	[HF_H_AUTHORIZATION] = "Authorization",
	[HF_H_COOKIE] = "Cookie",
	[HF_H_CONTENT_TYPE] = "Content-Type",
	[HF_H_CONTENT_LENGTH] = "Content-Length",
	[HF_H_CONTENT_ENCODING] = "Content-Encoding",
	[HF_H_TRANSFER_ENCODING] = "Transfer-Encoding",
	[HF_H_ACCEPT] = "Accept",
	[HF_H_EXPECT] = "Expect",
	[HF_H_UPGRADE] = "Upgrade",
	[HF_H_ORIGIN] = "Origin",
	[HF_H_SEC_FETCH_SITE] = "Sec-Fetch-Site",
	[HF_H_X_HOLDFAST] = "X-Holdfast",
	[HF_H_X_CORRELATION_ID] = "X-Correlation-Id",
	[HF_H_LAST_EVENT_ID] = "Last-Event-ID",
};

static int header_find(const char *name, size_t len)
{
	for (int i = 0; i < HF_HEADER_COUNT; i++)
		if (strlen(names[i]) == len && !strncasecmp(names[i], name, len))
			return i;
	return -1;
}

static bool all_of(const char *s, size_t len, const char *set)
{
	return len && strspn(s, set) >= len;
}

int hf_headers_add(struct hf_headers *h, const char *name, size_t name_len, const char *value,
		   size_t len, struct hf_refusal *no)
{
	int i = header_find(name, name_len);

	if (++h->count > HF_HEADERS_MAX)
		return hf_refuse(no, 431, "headers", "more than %d headers", HF_HEADERS_MAX);
	if (name_len + len > HF_HEADER_MAX)
		return hf_refuse(no, 431, "headers", "a header has more than %d bytes",
				 HF_HEADER_MAX);
	if (!all_of(name, name_len, ALPHA DIGIT "!#$%&'*+-.^_`|~"))
		return hf_refuse(no, 400, "headers", "a header's name is not a token");
	for (size_t k = 0; k < len; k++)
		if (((unsigned char)value[k] < ' ' && value[k] != '\t') || value[k] == 0x7f)
			return hf_refuse(no, 400, "headers", "a header has control characters");
	if (i < 0)
		return 0;
	if (h->value[i])
		return hf_refuse(no, 400, "headers", "%s is there twice", names[i]);
	h->value[i] = value;
	return 0;
}

/* --------------------------------------------------------------- framing */

static int length_parse(const char *s, uint64_t *body)
{
	size_t n = strlen(s);

	if (!all_of(s, n, DIGIT) || n > 18)
		return -EINVAL;
	*body = strtoull(s, NULL, 10);
	return 0;
}

static int framing_check(const struct hf_headers *h, uint64_t body_max, uint64_t *body,
			 struct hf_refusal *no)
{
	const char *length = h->value[HF_H_CONTENT_LENGTH];

	*body = 0;
	if (h->value[HF_H_TRANSFER_ENCODING] && length) {
		hf_refuse(no, 400, "framing", "a length and an encoding of the body");
		no->probe = true;
		return -EINVAL;
	}
	if (h->value[HF_H_TRANSFER_ENCODING])
		return hf_refuse(no, 411, "length", "a body must come with its Content-Length");
	if (h->value[HF_H_UPGRADE])
		return hf_refuse(no, 501, "upgrade", "there is no other protocol here");
	if (h->value[HF_H_EXPECT] && strcasecmp(h->value[HF_H_EXPECT], "100-continue") != 0)
		return hf_refuse(no, 417, "expect", "only 100-continue can be expected");
	if (!length)
		return 0;
	if (length_parse(length, body)) {
		hf_refuse(no, 400, "framing", "Content-Length is not a decimal number");
		no->probe = true;
		return -EINVAL;
	}
	if (*body > body_max)
		return hf_refuse(no, 413, "too_large", "a body of %llu bytes; %llu are allowed",
				 (unsigned long long)*body, (unsigned long long)body_max);
	return 0;
}

/* ------------------------------------------------------------------ host */

/* Splits "name:port" or "[v6]:port". Return: length of the name, 0: malformed. */
static size_t host_name(const char *host)
{
	size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	unsigned long number;
	const char *port;

	if (len >= HF_HOST_LEN || len > strlen(host))
		return 0;
	if (host[0] == '[' ? !all_of(host + 1, len - 2, "0123456789abcdefABCDEF:.") :
			     !all_of(host, len, ALPHA DIGIT "-._"))
		return 0;
	port = host + len;
	if (!*port)
		return len;
	if (*port != ':' || strlen(port) > 6 || !all_of(port + 1, strlen(port + 1), DIGIT))
		return 0;
	number = strtoul(port + 1, NULL, 10);
	return number && number <= UINT16_MAX ? len : 0;
}

static int host_check(const struct hf_headers *h, const struct hf_site *site, struct hf_refusal *no)
{
	const char *host = h->value[HF_H_HOST];
	size_t len = host ? host_name(host) : 0;

	if (!len)
		return hf_refuse(no, 400, "host", "Host is missing or malformed");
	if (site->any_host)
		return 0;
	for (const char *const *name = site->hosts; *name; name++)
		if (strlen(*name) == len && !strncasecmp(*name, host, len))
			return 0;
	return hf_refuse(no, 421, "host", "this server does not answer to that name (api.hosts)");
}

/* --------------------------------------------------------- type of content */

static const char *blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* Is the quality of this media range, ";q=0.5" somewhere in @s (@len bytes), zero? */
static bool quality_zero(const char *s, size_t len)
{
	const char *q = memmem(s, len, ";q=0", 4);

	if (!q)
		q = memmem(s, len, "; q=0", 5);
	if (!q)
		return false;
	q = strchr(q, '0') + 1;
	if (q < s + len && *q == '.')
		q++;
	while (q < s + len && *q == '0')
		q++;
	return q >= s + len || strchr(" \t;,", *q);
}

#define OPEN_METRICS "application/openmetrics-text"
#define EVENTS "text/event-stream"

/* Does it name one of @ranges (ends with NULL)? */
static bool accepts(const char *accept, const char *const *ranges)
{
	while (*(accept = blanks(accept))) {
		size_t len = strcspn(accept, ",");
		size_t type = strcspn(accept, ",; \t");

		for (size_t i = 0; ranges[i]; i++)
			if (strlen(ranges[i]) == type && !strncasecmp(ranges[i], accept, type) &&
			    !quality_zero(accept, len))
				return true;
		accept += len + (accept[len] == ',');
	}
	return false;
}

bool hf_headers_open_metrics(const struct hf_headers *h)
{
	static const char *const open[] = { OPEN_METRICS, NULL };

	return h->value[HF_H_ACCEPT] && accepts(h->value[HF_H_ACCEPT], open);
}

int hf_headers_last_event(const struct hf_headers *h, uint64_t *id, struct hf_refusal *no)
{
	const char *text = h->value[HF_H_LAST_EVENT_ID];
	size_t len = text ? strlen(text) : 0;

	*id = 0;
	if (!len)
		return 0;
	if (len > 18 || strspn(text, DIGIT) != len)
		return hf_refuse(no, 400, "headers", "Last-Event-ID is not the id of an event of ours");
	*id = strtoull(text, NULL, 10);
	return 0;
}

static bool is_json(const char *type)
{
	static const char json[] = "application/json";
	size_t len = strcspn(type, "; \t");

	if (len != strlen(json) || strncasecmp(type, json, len) != 0)
		return false;
	type = blanks(type + len);
	if (!*type)
		return true;
	if (*type != ';')
		return false;
	type = blanks(type + 1);
	return !strcasecmp(type, "charset=utf-8") || !strcasecmp(type, "charset=\"utf-8\"");
}

static int content_check(const struct hf_headers *h, enum hf_ask ask, uint64_t body,
			 struct hf_refusal *no)
{
	static const char *const json[] = { "*/*", "application/*", "application/json", NULL };
	static const char *const text[] = { "*/*", "text/*", "text/plain", OPEN_METRICS, NULL };
	static const char *const events[] = { "*/*", "text/*", EVENTS, NULL };
	static const struct {
		const char *const *ranges;
		const char *words;
	} answers[] = {
		[HF_ASK_READ] = { json, "application/json" },
		[HF_ASK_CHANGE] = { json, "application/json" },
		[HF_ASK_PAGE] = { text, "text/plain or " OPEN_METRICS },
		[HF_ASK_STREAM] = { events, EVENTS },
	};
	const char *accept = h->value[HF_H_ACCEPT];
	const char *type = h->value[HF_H_CONTENT_TYPE];
	const char *coding = h->value[HF_H_CONTENT_ENCODING];

	if (accept && !accepts(accept, answers[ask].ranges))
		return hf_refuse(no, 406, "accept", "answers are %s", answers[ask].words);
	if (coding && strcasecmp(coding, "identity") != 0)
		return hf_refuse(no, 415, "type", "bodies must not be compressed");
	if (body && !(type && is_json(type)))
		return hf_refuse(no, 415, "type", "a body must be application/json");
	return 0;
}

/* ------------------------------------------------------------- credential */

static bool secret_ok(const char *s, size_t len, size_t most, const char *set)
{
	return len >= 16 && len <= most && strspn(s, set) >= len;
}

static int bad_credential(struct hf_refusal *no)
{
	hf_refuse(no, 401, "unauthenticated", "the credential is malformed");
	no->probe = true;
	return -EINVAL;
}

static int bearer_take(const char *authorization, struct hf_cred *cred, struct hf_refusal *no)
{
	const char *token;

	if (strncasecmp(authorization, "Bearer ", 7) != 0)
		return hf_refuse(no, 401, "unauthenticated", "the only scheme here is Bearer");
	token = authorization + 7;
	if (!secret_ok(token, strlen(token), HF_SECRET_LEN - 1, ALPHA DIGIT "._~+/=-"))
		return bad_credential(no);
	cred->kind = HF_CRED_BEARER;
	strcpy(cred->secret, token);
	return 0;
}

/* Our cookie among others; those of other servers on this host come along. */
static int cookie_take(const char *cookies, const char *name, struct hf_cred *cred,
		       struct hf_refusal *no)
{
	size_t name_len = strlen(name);

	while (*(cookies = blanks(cookies))) {
		size_t len = strcspn(cookies, ";");
		const char *value = cookies + name_len + 1;

		if (len > name_len && cookies[name_len] == '=' &&
		    !strncmp(cookies, name, name_len)) {
			size_t value_len = len - name_len - 1;

			if (cred->kind != HF_CRED_NONE)
				return hf_refuse(no, 400, "credential", "more than one credential");
			if (!secret_ok(value, value_len, 128, ALPHA DIGIT "_-"))
				return bad_credential(no);
			cred->kind = HF_CRED_COOKIE;
			memcpy(cred->secret, value, value_len);
			cred->secret[value_len] = '\0';
		}
		cookies += len + (cookies[len] == ';');
	}
	return 0;
}

static int cred_take(const struct hf_headers *h, const struct hf_site *site, struct hf_cred *cred,
		     struct hf_refusal *no)
{
	int ret = 0;

	cred->kind = HF_CRED_NONE;
	cred->secret[0] = '\0';
	if (h->value[HF_H_AUTHORIZATION])
		ret = bearer_take(h->value[HF_H_AUTHORIZATION], cred, no);
	if (!ret && h->value[HF_H_COOKIE])
		ret = cookie_take(h->value[HF_H_COOKIE], site->tls ? COOKIE_TLS : COOKIE_PLAIN,
				  cred, no);
	return ret;
}

/* ------------------------------------------------------- other sites' pages */

static bool same_origin(const struct hf_headers *h, const struct hf_site *site)
{
	const char *origin = h->value[HF_H_ORIGIN];
	const char *scheme = site->tls ? "https://" : "http://";
	size_t len = strlen(scheme);

	return !strncmp(origin, scheme, len) && !strcasecmp(origin + len, h->value[HF_H_HOST]);
}

/*
 * Browsers say where a request comes from; programs do not, and need not. A
 * cookie goes along by itself, so there a header is asked for besides, which no
 * other site's page can add without a preflight that gets no leave from us.
 */
static int site_check(const struct hf_headers *h, const struct hf_site *site,
		      const struct hf_cred *cred, struct hf_refusal *no)
{
	const char *fetch = h->value[HF_H_SEC_FETCH_SITE];
	const char *own = h->value[HF_H_X_HOLDFAST];

	if (fetch && strcmp(fetch, "same-origin") != 0 && strcmp(fetch, "none") != 0)
		return hf_refuse(no, 403, "cross_site", "another site's page has sent this");
	if (h->value[HF_H_ORIGIN] && !same_origin(h, site))
		return hf_refuse(no, 403, "cross_site", "another origin's page has sent this");
	if (cred->kind == HF_CRED_COOKIE && !(own && !strcmp(own, "1")))
		return hf_refuse(no, 403, "cross_site",
				 "with a cookie the header \"X-Holdfast: 1\" is needed");
	return 0;
}

int hf_headers_check(const struct hf_headers *h, const struct hf_site *site, enum hf_ask ask,
		     uint64_t *body, struct hf_cred *cred, struct hf_refusal *no)
{
	int ret = framing_check(h, site->body_max, body, no);

	if (!ret)
		ret = host_check(h, site, no);
	if (!ret)
		ret = content_check(h, ask, *body, no);
	if (!ret)
		ret = cred_take(h, site, cred, no);
	if (!ret && ask == HF_ASK_CHANGE)
		ret = site_check(h, site, cred, no);
	return ret;
}

int hf_headers_corr(const struct hf_headers *h, const struct hf_random *r, struct hf_corr *c)
{
	const char *text = h->value[HF_H_X_CORRELATION_ID];

	if (text && !hf_corr_parse(text, c))
		return 0;
	return hf_corr_new(r, c);
}

/* ----------------------------------------------------------------- answers */

const struct hf_header_pair *hf_answer_headers(bool tls)
{
	static const struct hf_header_pair pairs[] = {
		{ "Strict-Transport-Security", "max-age=31536000" },
		{ "Content-Type", "application/json" },
		{ "Cache-Control", "no-store" },
		{ "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'" },
		{ "X-Content-Type-Options", "nosniff" },
		{ "X-Frame-Options", "DENY" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Permissions-Policy", "camera=(), geolocation=(), microphone=(), usb=()" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
		{ NULL, NULL }
	};

	return tls ? pairs : pairs + 1;
}

int hf_set_cookie(const struct hf_site *site, const char *secret, char buf[HF_SET_COOKIE_LEN])
{
	if (secret && !secret_ok(secret, strlen(secret), 128, ALPHA DIGIT "_-"))
		return -EINVAL;
	snprintf(buf, HF_SET_COOKIE_LEN, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s%s",
		 site->tls ? COOKIE_TLS : COOKIE_PLAIN, secret ? secret : "",
		 site->tls ? "; Secure" : "", secret ? "" : "; Max-Age=0");
	return 0;
}
