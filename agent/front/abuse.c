// SPDX-License-Identifier: GPL-2.0
/*
 * Scores of sources. A score loses what it has over a minute, so that it is
 * about the number of refused requests in the last minute. All tables are
 * bounded: who is pushed out of them is forgotten.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abuse.h"
#include "siphash.h"
#include "table.h"

#define SOURCES		8192
#define USERS		2048
#define SLOTS		8	/* users of a source, sources of a user that are remembered */
#define USERS_FREE	3	/* users whose log-ins may fail before more of them count */
#define FORGET_MS	60000
#define WINDOW_NS	(600 * HF_S)	/* of slots */
#define DAY_NS		(86400 * HF_S)
#define POINT		1000	/* scores are in thousandths */

static const struct {
	const char *name;
	uint32_t points;
} misdeeds[HF_MISDEEDS] = {
	[HF_BAD_REQUEST] = { "bad requests", 1 },
	[HF_BAD_UNKNOWN] = { "not authenticated", 1 },
	[HF_BAD_DENIED] = { "not allowed", 1 },
	[HF_BAD_PATH] = { "not found", 1 },
	[HF_BAD_SIZE] = { "too large", 3 },
	[HF_BAD_RATE] = { "too many", 1 },
	[HF_BAD_PROBE] = { "probes", 10 },
	[HF_BAD_USERS] = { "further users", 10 },
};

/* Different things that were seen within a time. */
struct seen {
	uint64_t since_ns;
	uint32_t hash[SLOTS];
	uint32_t count;
};

struct record {
	uint64_t score;			/* in 1/POINT, at @at_ms */
	uint64_t at_ms;
	uint64_t blocked_until_ns;
	uint32_t blocks;		/* without a day of good conduct between */
	uint32_t counts[HF_MISDEEDS];	/* since the last block */
	struct seen users;
};

struct user {
	struct seen sources;
};

struct hf_abuse {
	struct hf_table *sources;
	struct hf_table *users;
	struct hf_abuse_rules rules;
	uint8_t key[HF_SIPHASH_KEY];
	hf_abuse_fn fn;
	void *arg;
};

int hf_abuse_new(struct hf_abuse **out, const struct hf_random *r, hf_abuse_fn fn, void *arg)
{
	struct hf_abuse *a = calloc(1, sizeof(*a));
	int ret = a ? hf_random_fill(r, a->key, sizeof(a->key)) : -ENOMEM;

	if (!ret)
		ret = hf_table_new(&a->sources, SOURCES, sizeof(struct record), r);
	if (!ret)
		ret = hf_table_new(&a->users, USERS, sizeof(struct user), r);
	if (ret) {
		hf_abuse_free(a);
		return ret;
	}
	a->fn = fn;
	a->arg = arg;
	*out = a;
	return 0;
}

void hf_abuse_free(struct hf_abuse *a)
{
	if (!a)
		return;
	hf_table_free(a->sources);
	hf_table_free(a->users);
	free(a);
}

void hf_abuse_set(struct hf_abuse *a, const struct hf_abuse_rules *rules)
{
	a->rules = *rules;
}

uint64_t hf_abuse_wait(struct hf_abuse *a, const struct hf_source *s, const struct hf_op *op,
		       uint64_t now_ns)
{
	const struct record *r = hf_table_find(a->sources, s->key, sizeof(s->key));

	if (!r || r->blocked_until_ns <= now_ns || (op && op->flags & HF_OP_QUIET))
		return 0;
	if (s->gentle && !(op && op->flags & HF_OP_LOGIN))
		return 0;
	return r->blocked_until_ns - now_ns;
}

static void describe(const struct record *r, char *buf, size_t len)
{
	size_t n = 0;

	buf[0] = '\0';
	for (int i = 0; i < HF_MISDEEDS && n < len; i++)
		if (r->counts[i])
			n += (size_t)snprintf(buf + n, len - n, "%s%s %u", n ? ", " : "",
					      misdeeds[i].name, r->counts[i]);
}

static void block(struct hf_abuse *a, const struct hf_source *s, const struct hf_corr *corr,
		  struct record *r, uint64_t now_ns)
{
	uint64_t length_ns = a->rules.block_s * HF_S;
	char detail[128];

	if (r->blocked_until_ns + DAY_NS < now_ns)
		r->blocks = 0;
	for (uint32_t i = 0; i < r->blocks && length_ns < DAY_NS; i++)
		length_ns *= 2;
	if (length_ns > DAY_NS)
		length_ns = DAY_NS;
	describe(r, detail, sizeof(detail));
	r->blocks++;
	r->score = 0;
	r->blocked_until_ns = now_ns + length_ns;
	memset(r->counts, 0, sizeof(r->counts));
	a->fn(a->arg, corr, "blocked", s, (uint32_t)(length_ns / HF_S), detail);
}

void hf_abuse_note(struct hf_abuse *a, const struct hf_source *s, const struct hf_corr *corr,
		   enum hf_misdeed m, uint64_t now_ns)
{
	struct record *r = hf_table_get(a->sources, s->key, sizeof(s->key));
	uint64_t now_ms = now_ns / HF_MS;
	uint64_t age_ms = now_ms - r->at_ms;

	if (r->blocked_until_ns > now_ns)
		return;
	r->score = age_ms < FORGET_MS ? r->score * (FORGET_MS - age_ms) / FORGET_MS : 0;
	r->at_ms = now_ms;
	r->score += (uint64_t)misdeeds[m].points * POINT;
	r->counts[m]++;
	if (r->score >= (uint64_t)a->rules.block_after * POINT)
		block(a, s, corr, r, now_ns);
}

/* Is it a new one? When all slots are taken, everything else is. */
static bool seen_add(struct seen *seen, uint32_t hash, uint64_t now_ns)
{
	if (now_ns - seen->since_ns > WINDOW_NS)
		*seen = (struct seen){ .since_ns = now_ns };
	for (uint32_t i = 0; i < seen->count && i < SLOTS; i++)
		if (seen->hash[i] == hash)
			return false;
	if (seen->count < SLOTS)
		seen->hash[seen->count] = hash;
	seen->count++;
	return true;
}

static uint32_t hash_of(struct hf_abuse *a, const void *data, size_t len)
{
	return (uint32_t)hf_siphash(a->key, data, len);
}

void hf_abuse_login(struct hf_abuse *a, const struct hf_source *s, const struct hf_corr *corr,
		    const char *user, uint64_t now_ns)
{
	struct record *r = hf_table_get(a->sources, s->key, sizeof(s->key));
	uint64_t name = hf_siphash(a->key, user, strlen(user));
	struct user *u;

	if (seen_add(&r->users, (uint32_t)name, now_ns) && r->users.count > USERS_FREE)
		hf_abuse_note(a, s, corr, HF_BAD_USERS, now_ns);
	u = hf_table_get(a->users, &name, sizeof(name));
	/* Once per window: at the moment when it is many. */
	if (seen_add(&u->sources, hash_of(a, s->key, sizeof(s->key)), now_ns) &&
	    u->sources.count == SLOTS)
		a->fn(a->arg, corr, "user_attacked", s, SLOTS, user);
}

enum hf_misdeed hf_abuse_of_status(int status)
{
	switch (status) {
	case 401:
		return HF_BAD_UNKNOWN;
	case 403:
		return HF_BAD_DENIED;
	case 404:
	case 405:
		return HF_BAD_PATH;
	case 413:
	case 414:
	case 431:
		return HF_BAD_SIZE;
	case 429:
		return HF_BAD_RATE;
	case 409:
		return HF_MISDEEDS;	/* the state of things, not a mistake of the client */
	default:
		return status >= 400 && status < 500 ? HF_BAD_REQUEST : HF_MISDEEDS;
	}
}
