/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Headers: what a request's must be, what credential they hold, and what every
 * answer's are. Pure.
 */
#ifndef HF_HEADERS_H
#define HF_HEADERS_H

#include "corr.h"
#include "http.h"

#define HF_HEADERS_MAX	64	/* headers of a request */
#define HF_HEADER_MAX	8192	/* bytes of one, name and value */
#define HF_HOSTS_MAX	32
#define HF_HOST_LEN	256

/* The headers that have a meaning here; each may come once. */
enum hf_header {
	HF_H_HOST,
	HF_H_AUTHORIZATION,
	HF_H_COOKIE,
	HF_H_CONTENT_TYPE,
	HF_H_CONTENT_LENGTH,
	HF_H_CONTENT_ENCODING,
	HF_H_TRANSFER_ENCODING,
	HF_H_ACCEPT,
	HF_H_EXPECT,
	HF_H_UPGRADE,
	HF_H_ORIGIN,
	HF_H_SEC_FETCH_SITE,
	HF_H_X_HOLDFAST,
	HF_H_X_CORRELATION_ID,
	HF_H_LAST_EVENT_ID,
	HF_HEADER_COUNT,
};

/* Values are borrowed. */
struct hf_headers {
	const char *value[HF_HEADER_COUNT];
	unsigned int count;
};

/**
 * struct hf_site - what this server is to its clients
 * @tls:	cookies get Secure and the prefix __Host-
 * @any_host:	unix socket: no name can be rebound to it
 * @hosts:	names that requests may be addressed to, ends with NULL
 */
struct hf_site {
	bool tls;
	bool any_host;
	uint64_t body_max;
	const char *hosts[HF_HOSTS_MAX + 1];
};

/* Return: 0, or -EINVAL and @no (400, 431). */
int hf_headers_add(struct hf_headers *h, const char *name, size_t name_len, const char *value,
		   size_t len, struct hf_refusal *no);

/* HF_ASK_PAGE, HF_ASK_STREAM: a question that is answered with text or events, not with JSON. */
enum hf_ask { HF_ASK_READ, HF_ASK_CHANGE, HF_ASK_PAGE, HF_ASK_STREAM };

/**
 * hf_headers_check() - may a request with these headers be read further?
 * @ask:	what it wants
 * @body:	out: bytes of the body, 0: there is none
 * @cred:	out
 *
 * Framing, Host, Expect, Accept, type of the body, credential, and that no other site's
 * page has sent it. Return: 0, or -EINVAL and @no (400, 401, 403, 406, 411, 413, 415,
 * 417, 421, 501).
 */
int hf_headers_check(const struct hf_headers *h, const struct hf_site *site, enum hf_ask ask,
		     uint64_t *body, struct hf_cred *cred, struct hf_refusal *no);

/* Last-Event-ID, 0 without it. Return: 0, or -EINVAL and @no (400): no number of ours. */
int hf_headers_last_event(const struct hf_headers *h, uint64_t *id, struct hf_refusal *no);

/* Accept names the OpenMetrics format. */
bool hf_headers_open_metrics(const struct hf_headers *h);

/* From X-Correlation-Id, else made. */
int hf_headers_corr(const struct hf_headers *h, const struct hf_random *r, struct hf_corr *c);

struct hf_header_pair {
	const char *name, *value;
};

/* On every answer; ends with NULL. HSTS only where there is TLS. */
const struct hf_header_pair *hf_answer_headers(bool tls);

#define HF_SET_COOKIE_LEN	256
/* A value for Set-Cookie. @secret NULL: forget it. Return: 0, -EINVAL: not a secret. */
int hf_set_cookie(const struct hf_site *site, const char *secret, char buf[HF_SET_COOKIE_LEN]);

#endif /* HF_HEADERS_H */
