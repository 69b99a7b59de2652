// SPDX-License-Identifier: GPL-2.0
/* The two-person rule (second.h). Who is entitled at all is decided elsewhere. */
#include <stdio.h>
#include <string.h>

#include "second.h"

#define NOBODY	((uint32_t)-1)

/* One account is one person, and so is one uid, by whatever name it came. */
static bool same_person(const struct hf_second *s, const struct hf_actor *a)
{
	return !strcmp(s->name, a->name) || (s->uid != NOBODY && s->uid == a->uid);
}

enum hf_second_answer hf_second_ask(struct hf_second *s, const struct hf_actor *a, uint64_t what,
				    uint64_t now_ns)
{
	if (s->waiting && s->what == what && now_ns < s->until_ns)
		return same_person(s, a) ? HF_SECOND_SAME : HF_SECOND_DO;
	s->waiting = true;
	s->what = what;
	s->until_ns = now_ns + HF_SECOND_NS;
	s->uid = a->uid;
	snprintf(s->name, sizeof(s->name), "%s", a->name);
	return HF_SECOND_WAITS;
}

void hf_second_forget(struct hf_second *s)
{
	memset(s, 0, sizeof(*s));
}

bool hf_second_expired(struct hf_second *s, uint64_t now_ns)
{
	if (!s->waiting || now_ns < s->until_ns)
		return false;
	hf_second_forget(s);
	return true;
}
