// SPDX-License-Identifier: GPL-2.0
/*
 * The envelope of a moment, put together from what was written down: the
 * nameplate of the plan, every tightening whose call had returned, and the
 * lease's own part. Nothing of it comes from the driver.
 */
#include <stdlib.h>
#include <string.h>

#include "adversary_judge.h"

static void site_fence(struct site *s, const struct fence *f)
{
	__u32 i;

	for (i = 0; i < s->nfence && s->fence[i].place != f->place; i++)
		;
	if (i == s->nfence)
		s->fence[s->nfence++] = *f;
	else if (f->limit_mpa < s->fence[i].limit_mpa)
		s->fence[i] = *f;
}

void sites_make(struct judge *j)
{
	const struct share *sh = j->sh;
	struct site *s;
	unsigned int i, k;

	j->site = calloc(sh->tights + 1, sizeof(*j->site));
	if (!j->site)
		scene_die("judge: no memory");
	memcpy(j->site[0].limit, j->r->limit, sizeof(j->site[0].limit));
	memset(j->site[0].mask, 0xff, sizeof(j->site[0].mask));
	j->sites = 1;
	for (i = 0; i < sh->tights; i++) {
		const struct tight *t = &sh->tight[i];

		if (!t->after)
			continue;
		s = &j->site[j->sites];
		*s = s[-1];
		s->asked = t->before;
		s->since = t->after;
		if (t->limit != HOLDFAST_LIM_NONE)
			s->limit[t->limit] = t->value;
		if (t->masked)
			for (k = 0; k < HOLDFAST_MAX_CHANNELS / 64; k++)
				s->mask[k] &= t->mask[k];
		for (k = 0; k < t->nfence; k++)
			site_fence(s, &t->fence[k]);
		j->sites++;
	}
}

const struct site *site_before(const struct judge *j, __u64 ns)
{
	unsigned int lo = 0, hi = j->sites;

	while (hi - lo > 1) {
		unsigned int mid = (lo + hi) / 2;

		if (j->site[mid].since < ns)
			lo = mid;
		else
			hi = mid;
	}
	return &j->site[lo];
}

bool limit_is_floor(unsigned int l)
{
	return l == HOLDFAST_LIM_FRAME_INTERVAL || l == HOLDFAST_LIM_BOX_MIN_X ||
	       l == HOLDFAST_LIM_BOX_MIN_Y || l == HOLDFAST_LIM_BOX_MIN_Z;
}

double limit_of(const struct judge *j, const struct site *s, enum holdfast_limit l)
{
	__s64 v = s->limit[l];

	if (j->lease->set >> l & 1) {
		__s64 own = j->lease->limit[l];

		v = limit_is_floor(l) ? (own > v ? own : v) : (own < v ? own : v);
	}
	return (double)v;
}

double limit_now(const struct judge *j, enum holdfast_limit l)
{
	return limit_of(j, j->at_end, l);
}
