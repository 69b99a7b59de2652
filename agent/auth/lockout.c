// SPDX-License-Identifier: GPL-2.0
/*
 * One table of strikes by key: "s" source, "p" account and source, "a" account
 * that does not exist. The least recently used entry makes room; whoever wants
 * to push one out has to pay a password hash per entry.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockout.h"
#include "role.h"
#include "siphash.h"

#define WAYS	8	/* entries that one key may be in */
#define KEY_LEN	(HF_NAME_LEN + HF_LOCKOUT_SOURCE + 4)

struct entry {
	char key[KEY_LEN];	/* "": free */
	struct hf_strikes s;
	uint64_t used;
};

struct hf_lockout {
	uint8_t seed[16];
	uint64_t ticks;
	struct entry e[HF_LOCKOUT_ENTRIES];
};

int hf_lockout_new(struct hf_lockout **out, const struct hf_random *r)
{
	struct hf_lockout *l = calloc(1, sizeof(*l));
	int ret;

	if (!l)
		return -ENOMEM;
	ret = hf_random_fill(r, l->seed, sizeof(l->seed));
	if (ret) {
		free(l);
		return ret;
	}
	*out = l;
	return 0;
}

void hf_lockout_free(struct hf_lockout *l)
{
	free(l);
}

/* The entry of @key, made if there is none: in the place used longest ago. */
static struct hf_strikes *strikes(struct hf_lockout *l, const char *key)
{
	size_t at = hf_siphash(l->seed, key, strlen(key)) % (HF_LOCKOUT_ENTRIES / WAYS) * WAYS;
	struct entry *oldest = &l->e[at];

	l->ticks++;
	for (size_t i = at; i < at + WAYS; i++) {
		if (!strcmp(l->e[i].key, key)) {
			l->e[i].used = l->ticks;
			return &l->e[i].s;
		}
		if (l->e[i].used < oldest->used)
			oldest = &l->e[i];
	}
	memset(oldest, 0, sizeof(*oldest));
	snprintf(oldest->key, sizeof(oldest->key), "%s", key);
	oldest->used = l->ticks;
	return &oldest->s;
}

static struct hf_strikes *of_source(struct hf_lockout *l, const struct hf_attempt *a)
{
	char key[KEY_LEN];

	snprintf(key, sizeof(key), "s%s", a->source);
	return strikes(l, key);
}

static struct hf_strikes *of_pair(struct hf_lockout *l, const struct hf_attempt *a)
{
	char key[KEY_LEN];

	snprintf(key, sizeof(key), "p%s %s", a->name, a->source);
	return strikes(l, key);
}

static struct hf_strikes *of_stranger(struct hf_lockout *l, const char *name)
{
	char key[KEY_LEN];

	snprintf(key, sizeof(key), "a%s", name);
	return strikes(l, key);
}

uint64_t hf_lockout_wait_ns(const struct hf_lockout_rule *r, uint32_t failures)
{
	uint64_t wait = r->start_ns;

	if (failures <= r->free_tries)
		return 0;
	for (uint32_t i = r->free_tries + 1; i < failures && wait < r->max_ns; i++)
		wait *= 2;
	return wait < r->max_ns ? wait : r->max_ns;
}

static struct hf_lockout_rule wide(const struct hf_lockout_rule *r)
{
	struct hf_lockout_rule w = *r;

	w.free_tries *= HF_LOCKOUT_WIDE;
	return w;
}

/* What is left to wait. A wait never is longer than the rule's longest, whatever the clock did. */
static uint64_t left(const struct hf_strikes *s, const struct hf_lockout_rule *r, uint64_t now_ns,
		     bool local_admin)
{
	uint64_t wait = s->until_ns > now_ns ? s->until_ns - now_ns : 0;

	if (wait > r->max_ns)
		wait = r->max_ns;
	if (wait && local_admin) {
		uint64_t since = now_ns > s->last_ns ? now_ns - s->last_ns : 0;

		if (since >= HF_LOCKOUT_LOCAL_ADMIN_NS)
			return 0;
		if (wait > HF_LOCKOUT_LOCAL_ADMIN_NS - since)
			wait = HF_LOCKOUT_LOCAL_ADMIN_NS - since;
	}
	return wait;
}

static void strike(struct hf_strikes *s, const struct hf_lockout_rule *r, uint64_t now_ns)
{
	/* Long ago is forgotten: the longest wait after the last failure's own wait. */
	if (now_ns > s->until_ns && now_ns - s->until_ns > r->max_ns &&
	    now_ns > s->last_ns && now_ns - s->last_ns > r->max_ns)
		s->failures = 0;
	if (s->failures < UINT32_MAX)
		s->failures++;
	s->last_ns = now_ns;
	s->until_ns = now_ns + hf_lockout_wait_ns(r, s->failures);
}

uint64_t hf_lockout_begin(struct hf_lockout *l, const struct hf_lockout_rule *r,
			  const struct hf_attempt *a, struct hf_strikes *account, uint64_t now_ns)
{
	struct hf_lockout_rule w = wide(r);
	struct hf_strikes *source = of_source(l, a), *pair = of_pair(l, a);
	uint64_t wait = left(account, r, now_ns, a->local_admin), more;

	more = left(source, r, now_ns, a->local_admin);
	wait = more > wait ? more : wait;
	more = left(pair, r, now_ns, a->local_admin);
	wait = more > wait ? more : wait;
	if (wait)
		return wait;
	/* Both pointers hold: of a set of 8, the last two used are not the ones to make room. */
	strike(account, &w, now_ns);
	strike(source, &w, now_ns);
	strike(pair, r, now_ns);
	return 0;
}

static void undo(struct hf_strikes *s, const struct hf_lockout_rule *r)
{
	if (!s->failures)
		return;
	s->failures--;
	s->until_ns = s->last_ns + hf_lockout_wait_ns(r, s->failures);
}

void hf_lockout_success(struct hf_lockout *l, const struct hf_attempt *a,
			struct hf_strikes *account)
{
	struct hf_strikes *source;

	*account = (struct hf_strikes){ 0 };
	*of_pair(l, a) = (struct hf_strikes){ 0 };
	/* Only this one: who knows one password must not guess others without end. */
	source = of_source(l, a);
	if (source->failures)
		source->failures--;
	source->until_ns = 0;
}

void hf_lockout_cancel(struct hf_lockout *l, const struct hf_lockout_rule *r,
		       const struct hf_attempt *a, struct hf_strikes *account)
{
	struct hf_lockout_rule w = wide(r);

	undo(account, &w);
	undo(of_source(l, a), &w);
	undo(of_pair(l, a), r);
}

void hf_lockout_unlock(struct hf_lockout *l, const char *name, struct hf_strikes *account)
{
	char pair[KEY_LEN];
	size_t n = (size_t)snprintf(pair, sizeof(pair), "p%s ", name);

	*account = (struct hf_strikes){ 0 };
	for (size_t i = 0; i < HF_LOCKOUT_ENTRIES; i++)
		if (!strncmp(l->e[i].key, pair, n))
			l->e[i].s = (struct hf_strikes){ 0 };
}

void hf_lockout_stranger(struct hf_lockout *l, const char *name, struct hf_strikes *account)
{
	*account = *of_stranger(l, name);
}

void hf_lockout_stranger_keep(struct hf_lockout *l, const char *name,
			      const struct hf_strikes *account)
{
	*of_stranger(l, name) = *account;
}
