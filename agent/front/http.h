/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the HTTP processes share: refusals, sources, credentials.
 * No library of HTTP or TLS is known here.
 */
#ifndef HF_HTTP_H
#define HF_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "err.h"
#include "field.h"

#define HF_ALLOW_LEN	64
#define HF_SECRET_LEN	4097	/* longest credential and NUL */

/**
 * struct hf_refusal - why a request is not carried out
 * @status:	of HTTP
 * @code:	one word for programs
 * @field:	the argument that is wrong, "": none
 * @text:	for people; never holds a secret
 * @allow:	with 405: the methods that there are
 * @retry_s:	with 429 and 503: seconds to wait, 0: not said
 * @probe:	no honest client does this
 */
struct hf_refusal {
	int status;
	char code[32];
	char field[HF_FIELD_PATH];
	char text[HF_ERR_LEN];
	char allow[HF_ALLOW_LEN];
	uint32_t retry_s;
	bool probe;
};

/* Fills @no. Return: -EINVAL, so that one can return it. */
int hf_refuse(struct hf_refusal *no, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/**
 * struct hf_source - where a request comes from, as limits and blocks see it
 * @key:	IPv4 address, /64 of an IPv6 address, or uid of a unix peer
 * @text:	for logs: "192.0.2.1", "2001:db8:1:2::/64", "uid:1000"
 * @gentle:	on this host: never blocked entirely
 */
struct hf_source {
	uint8_t key[9];
	char text[64];
	bool gentle;
};

/* An IPv4 address within IPv6 counts as that. Return: 0, -EAFNOSUPPORT. */
int hf_source_of_address(const struct sockaddr *sa, struct hf_source *s);
void hf_source_of_uid(uint32_t uid, struct hf_source *s);

enum hf_cred_kind { HF_CRED_NONE, HF_CRED_COOKIE, HF_CRED_BEARER };

struct hf_cred {
	enum hf_cred_kind kind;
	char secret[HF_SECRET_LEN];
};

#endif /* HF_HTTP_H */
