// SPDX-License-Identifier: GPL-2.0
/*
 * Rate limits by hf_gcra. All keys share one table of bounded size; what they
 * are of is their first byte. No credential is kept, only hashed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/sha.h>

#include "gcra.h"
#include "rate_limits.h"

#define KEYS	16384

/*
 * One endpoint may have half of what its address may, so that a program that
 * asks for one thing without end cannot keep another of the same host from its
 * own.
 */
#define ENDPOINT_SHARE	2

struct hf_limits {
	struct hf_gcra *gcra;
	struct hf_rates rates;
};

/* What a key is of. */
enum what { OF_SOURCE, OF_ENDPOINT, OF_CREDENTIAL, OF_LOGIN };

struct key {
	uint8_t what;
	uint8_t body[SHA256_DIGEST_LENGTH + 1];
};

int hf_limits_new(struct hf_limits **out, const struct hf_random *r)
{
	struct hf_limits *l = calloc(1, sizeof(*l));
	int ret;

	if (!l)
		return -ENOMEM;
	ret = hf_gcra_new(&l->gcra, KEYS, r);
	if (ret) {
		free(l);
		return ret;
	}
	*out = l;
	return 0;
}

void hf_limits_free(struct hf_limits *l)
{
	if (!l)
		return;
	hf_gcra_free(l->gcra);
	free(l);
}

void hf_limits_set(struct hf_limits *l, const struct hf_rates *rates)
{
	l->rates = *rates;
}

static uint64_t take(struct hf_limits *l, const struct key *k, uint32_t per_minute, uint64_t now_ns)
{
	return hf_gcra_take_minutely(l->gcra, k, sizeof(*k), per_minute, now_ns);
}

static uint64_t take_source(struct hf_limits *l, enum what what, uint8_t op,
			    const struct hf_source *s, uint32_t per_minute, uint64_t now_ns)
{
	struct key k = { .what = (uint8_t)what };

	memcpy(k.body, s->key, sizeof(s->key));
	k.body[sizeof(s->key)] = op;
	return take(l, &k, per_minute, now_ns);
}

static uint64_t take_cred(struct hf_limits *l, const struct hf_cred *cred, uint64_t now_ns)
{
	struct key k = { .what = OF_CREDENTIAL };

	SHA256((const unsigned char *)cred->secret, strlen(cred->secret), k.body);
	return take(l, &k, l->rates.requests_per_minute, now_ns);
}

uint64_t hf_limits_take(struct hf_limits *l, const struct hf_source *s, const struct hf_op *op,
			const struct hf_cred *cred, uint64_t now_ns)
{
	uint32_t rate = l->rates.requests_per_minute;
	uint64_t wait;

	if (op && op->flags & HF_OP_QUIET)
		return 0;
	wait = take_source(l, OF_SOURCE, 0, s, rate, now_ns);
	if (!wait && op && op->flags & HF_OP_LOGIN)
		wait = take_source(l, OF_LOGIN, 0, s, l->rates.login_per_minute, now_ns);
	else if (!wait && op)
		wait = take_source(l, OF_ENDPOINT, (uint8_t)(op - hf_ops), s,
				   rate > ENDPOINT_SHARE ? rate / ENDPOINT_SHARE : 1, now_ns);
	if (!wait && cred->kind != HF_CRED_NONE)
		wait = take_cred(l, cred, now_ns);
	return wait;
}
