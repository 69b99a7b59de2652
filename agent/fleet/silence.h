/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stops of the bus, carried out by the keeper. In the loop of the process, never blocking.
 */
#ifndef HF_FLEET_SILENCE_H
#define HF_FLEET_SILENCE_H

#include "bus.h"

struct hf_service;
struct hf_timer;

/**
 * struct fleet_silence - private but for @stops
 * @place:	stops that the keeper has not carried out yet: @asked: it has been asked for it,
 *	@again: one came into the same place since, @tries: how often it has not said yes
 * @stops:	how many have come
 */
struct fleet_silence {
	struct hf_service *svc;
	struct fleet_bus *bus;
	const struct fleet_names *names;
	struct hf_timer *timer;
	struct {
		struct fleet_stop stop;
		unsigned int tries;
		bool used, asked, again;
	} place[FLEET_STOPS];
	uint64_t stops;
};

/* Return: 0; -ENOMEM. @bus and @names are borrowed. */
int fleet_silence_init(struct fleet_silence *f, struct hf_service *svc, struct fleet_bus *bus,
		       const struct fleet_names *names);
void fleet_silence_free(struct fleet_silence *f);
/* One more stop: SILENCE is asked for at once, and again until it is answered or has failed too often. */
void fleet_silence_say(struct fleet_silence *f, const struct fleet_stop *s);

#endif /* HF_FLEET_SILENCE_H */
