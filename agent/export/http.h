/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of HTTP/1.1 as it takes to POST something and to hear whether it was taken: one request
 * on a connection of its own, the head of one answer. Text only; see decision 0020.
 */
#ifndef HF_EXPORT_HTTP_H
#define HF_EXPORT_HTTP_H

#include "export.h"

#define EXP_HEAD	2048	/* of an answer: what is longer is no answer */
#define EXP_RETRY_MOST_S 3600	/* of a Retry-After that is honoured */

/* @host: with brackets and port as in the URL. */
struct exp_url {
	bool tls;
	uint16_t port;
	char host[EXP_PATH], address[EXP_PATH], path[EXP_PATH];
};

/* "https://192.0.2.7:9093/path"; names are not resolved. Return: 0, -EINVAL and why. */
int exp_url_parse(struct exp_url *u, const char *text, struct hf_err *e);
/* @headers: more lines, each with CRLF. @out: caller frees. Return: length, -ENOMEM. */
int exp_http_post(const struct exp_url *u, const char *headers, const char *body, char **out);
/* @retry_s: Retry-After in seconds, 0: none. Return: status 100..599, -EPROTO. */
int exp_http_head(const char *head, uint64_t *retry_s);
/* Lower-case hex of HMAC-SHA256(@key, @timestamp "." @body). Return: 0, -EIO. */
int exp_http_sign(const char *key, size_t key_len, const char *timestamp, const char *body,
		  char hex[65]);

#endif /* HF_EXPORT_HTTP_H */
