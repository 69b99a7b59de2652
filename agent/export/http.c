// SPDX-License-Identifier: GPL-2.0
/* Requests and heads of answers (http.h). */
#include <errno.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http.h"

static int bad_url(const char *text, struct hf_err *e)
{
	return hf_fail(e, -EINVAL, "\"%.80s\": http:// or https://, a numeric address, a port, a path", text);
}

int exp_url_parse(struct exp_url *u, const char *text, struct hf_err *e)
{
	const char *at = strstr(text, "://"), *path, *colon;
	unsigned long port;
	size_t n;
	char *end;

	memset(u, 0, sizeof(*u));
	if (!at || (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0))
		return bad_url(text, e);
	u->tls = text[4] == 's';
	at += 3;
	path = at + strcspn(at, "/");
	n = (size_t)(path - at);
	if (!n || n >= sizeof(u->host) || strlen(path) >= sizeof(u->path))
		return bad_url(text, e);
	memcpy(u->host, at, n);
	snprintf(u->path, sizeof(u->path), "%s", *path ? path : "/");
	colon = u->host[0] == '[' ? strstr(u->host, "]:") : strchr(u->host, ':');
	if (colon && u->host[0] == '[')
		colon++;
	n = colon ? (size_t)(colon - u->host) : n;
	memcpy(u->address, u->host, n);
	u->port = u->tls ? 443 : 80;
	if (!colon)
		return 0;
	errno = 0;
	port = strtoul(colon + 1, &end, 10);
	if (errno || *end || colon[1] < '0' || colon[1] > '9' || !port || port > UINT16_MAX)
		return bad_url(text, e);
	u->port = (uint16_t)port;
	return 0;
}

int exp_http_post(const struct exp_url *u, const char *headers, const char *body, char **out)
{
	int n = asprintf(out, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: holdfastd/" HF_VERSION "\r\n"
			 "Content-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n"
			 "%s\r\n%s", u->path, u->host, strlen(body), headers, body);

	return n < 0 ? -ENOMEM : n;
}

int exp_http_head(const char *head, uint64_t *retry_s)
{
	const char *line;
	int status;

	*retry_s = 0;
	if (strncmp(head, "HTTP/1.", 7) || (head[7] != '0' && head[7] != '1') || head[8] != ' ' ||
	    strspn(head + 9, "0123456789") != 3)
		return -EPROTO;
	status = atoi(head + 9);
	if (status < 100 || status > 599)
		return -EPROTO;
	for (line = strstr(head, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
		if (strncasecmp(line + 2, "retry-after:", 12) != 0)
			continue;
		*retry_s = strtoull(line + 14, NULL, 10);	/* a date gives 0: none */
		if (*retry_s > EXP_RETRY_MOST_S)
			*retry_s = EXP_RETRY_MOST_S;
	}
	return status;
}

int exp_http_sign(const char *key, size_t key_len, const char *timestamp, const char *body,
		  char hex[65])
{
	unsigned char mac[32];
	unsigned int n = 0;
	char *text;
	int len = asprintf(&text, "%s.%s", timestamp, body);

	if (len < 0)
		return -EIO;
	if (!HMAC(EVP_sha256(), key, (int)key_len, (unsigned char *)text, (size_t)len, mac, &n))
		n = 0;
	free(text);
	for (unsigned int i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", mac[i]);
	return n == sizeof(mac) ? 0 : -EIO;
}
