/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two persons: what the first asked for waits until another one asks for the
 * same. Pure; the time is an argument.
 */
#ifndef HF_KEEPER_SECOND_H
#define HF_KEEPER_SECOND_H

#include <stdbool.h>
#include <stdint.h>

#include "role.h"

#define HF_SECOND_NS	(300ULL * 1000000000ULL)

/**
 * struct hf_second - one act that waits for its second person
 * @what:	which act (here: the number of the trip); another voids what waits
 */
struct hf_second {
	bool waiting;
	uint64_t what;
	uint64_t until_ns;
	uint32_t uid;		/* of the first, (uint32_t)-1: unknown */
	char name[HF_NAME_LEN];
};

enum hf_second_answer {
	HF_SECOND_WAITS,	/* this was the first */
	HF_SECOND_SAME,		/* the same person again, whatever the session */
	HF_SECOND_DO,		/* this was the second: do it */
};

/* May be asked again: HF_SECOND_DO leaves what waits, until it is forgotten. */
enum hf_second_answer hf_second_ask(struct hf_second *s, const struct hf_actor *a, uint64_t what,
				    uint64_t now_ns);
void hf_second_forget(struct hf_second *s);
/* It waited too long: forget it. Return: did anything expire? */
bool hf_second_expired(struct hf_second *s, uint64_t now_ns);

#endif /* HF_KEEPER_SECOND_H */
