// SPDX-License-Identifier: GPL-2.0
/*
 * Refusals and sources. Pure; no sockets are used here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http.h"

int hf_refuse(struct hf_refusal *no, int status, const char *code, const char *fmt, ...)
{
	va_list ap;

	*no = (struct hf_refusal){ .status = status };
	snprintf(no->code, sizeof(no->code), "%s", code);
	va_start(ap, fmt);
	vsnprintf(no->text, sizeof(no->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static void source_of_in(const struct in_addr *a, struct hf_source *s)
{
	*s = (struct hf_source){ .key = { 4 } };
	memcpy(s->key + 1, a, sizeof(*a));
	s->gentle = ntohl(a->s_addr) >> 24 == 127;
	inet_ntop(AF_INET, a, s->text, sizeof(s->text));
}

static void source_of_in6(const struct in6_addr *a, struct hf_source *s)
{
	struct in6_addr net = *a;

	*s = (struct hf_source){ .key = { 6 } };
	memcpy(s->key + 1, a, 8);
	s->gentle = IN6_IS_ADDR_LOOPBACK(a);
	if (s->gentle) {
		snprintf(s->text, sizeof(s->text), "::1");
		return;
	}
	memset(net.s6_addr + 8, 0, 8);
	inet_ntop(AF_INET6, &net, s->text, sizeof(s->text));
	strcat(s->text, "/64");
}

int hf_source_of_address(const struct sockaddr *sa, struct hf_source *s)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	if (sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		source_of_in(&in.sin_addr, s);
		return 0;
	}
	if (sa->sa_family != AF_INET6)
		return -EAFNOSUPPORT;
	memcpy(&in6, sa, sizeof(in6));
	if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
		memcpy(&in.sin_addr, in6.sin6_addr.s6_addr + 12, 4);
		source_of_in(&in.sin_addr, s);
	} else {
		source_of_in6(&in6.sin6_addr, s);
	}
	return 0;
}

void hf_source_of_uid(uint32_t uid, struct hf_source *s)
{
	*s = (struct hf_source){ .key = { 'u' }, .gentle = true };
	memcpy(s->key + 1, &uid, sizeof(uid));
	snprintf(s->text, sizeof(s->text), "uid:%u", uid);
}
