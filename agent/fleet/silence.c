// SPDX-License-Identifier: GPL-2.0
/*
 * From a stop to SILENCE, which is all that the bus can do here, asked for until
 * the keeper says that it is done; then to what is said on the subject "stopped".
 */
#include <errno.h>
#include <stdlib.h>

#include "service.h"
#include "silence.h"

#define SILENCE_NS	(1 * HF_S)
#define STATES_NS	(5 * HF_S)	/* for what the driver says after it */
#define AGAIN_NS	(100 * HF_MS)	/* until silence is asked for again */
#define AGAIN_MOST	300

static uint64_t now_ns(const struct fleet_silence *f)
{
	return hf_mono_ns(hf_service_clock(f->svc));
}

static const struct hf_actor bus_actor = {
	.name = "fleet", .source = "nats", .role = HF_ROLE_USER, .via = HF_VIA_NETWORK,
	.proof = HF_PROOF_NONE, .uid = UINT32_MAX,
};

/* One stop as it was when the keeper was asked; @i: its place. */
struct asked {
	struct fleet_silence *f;
	unsigned int i;
	struct fleet_stop stop;
	json_t *silenced;
};

static void ask_silence(struct fleet_silence *f, unsigned int i);

/* One that came into the same place since has not been done with it. */
static void stop_done(struct fleet_silence *f, unsigned int i)
{
	f->place[i].asked = false;
	f->place[i].used = f->place[i].again;
	f->place[i].again = false;
	if (f->place[i].used)
		ask_silence(f, i);
}

/* { array, serial, state } of each; NULL: nobody has said. */
static json_t *states(const json_t *arrays)
{
	json_t *list = json_is_array(arrays) ? json_array() : NULL;
	const json_t *a;
	size_t i;

	json_array_foreach((json_t *)arrays, i, a)
		json_array_append_new(list, json_pack("{s:O*, s:O*, s:O*}",
						      "array", json_object_get(a, "array"),
						      "serial", json_object_get(a, "serial"),
						      "state", json_object_get(a, "state")));
	return list;
}

/* That it was silenced, and what the driver says since: nobody need take our word for it. */
static void acknowledge(void *arg, int status, const json_t *result)
{
	struct asked *a = arg;
	struct fleet_silence *f = a->f;
	const struct fleet_stop *s = &a->stop;
	json_t *list = states(status == 200 ? json_object_get(result, "arrays") : NULL);
	char id[HF_CORR_TEXT], subject[FLEET_SUBJECT];
	json_t *j = fleet_envelope(f->names);

	json_object_set_new(j, "id", json_string(hf_corr_none(&s->corr) ? "" :
						 hf_corr_text(&s->corr, id)));
	json_object_set_new(j, "t_ns", json_integer((json_int_t)hf_real_ns(hf_service_clock(f->svc))));
	json_object_set_new(j, "latch", json_boolean(s->latch));
	json_object_set_new(j, "silenced", a->silenced);
	json_object_set_new(j, "arrays", list ?: json_null());
	fleet_bus_say(f->bus, fleet_subject(f->names, "stopped", subject),
		      json_dumps(j, JSON_COMPACT));
	json_decref(j);
	free(a);
}

static void not_silenced(struct fleet_silence *f, unsigned int i, int status)
{
	f->place[i].asked = f->place[i].again = false;	/* it is asked for again in any case */
	if (++f->place[i].tries >= AGAIN_MOST) {
		hf_log_sec(HF_LOG_ERROR, "fleet.stop", &f->place[i].stop.corr,
			   "the keeper has not said that all is silent (%d)", status);
		f->place[i].used = false;
	} else {
		hf_timer_in(f->timer, AGAIN_NS);
	}
}

static void on_silenced(void *arg, int status, const json_t *result)
{
	struct hf_link *keeper;
	struct asked *a = arg;
	struct fleet_silence *f = a->f;

	if (status != 200) {
		not_silenced(f, a->i, status);
		free(a);
		return;
	}
	a->silenced = json_incref(json_object_get(result, "silenced"));
	stop_done(f, a->i);	/* the next one does not wait for what follows */
	keeper = hf_service_link(f->svc, HF_PROC_KEEPER);
	if (!keeper || hf_link_request(keeper, HF_MSG_TELEMETRY, NULL, json_object(), -1,
				       now_ns(f) + STATES_NS, acknowledge, a))
		acknowledge(a, 502, NULL);
}

static void ask_silence(struct fleet_silence *f, unsigned int i)
{
	struct hf_link *keeper = hf_service_link(f->svc, HF_PROC_KEEPER);
	const struct fleet_stop *s = &f->place[i].stop;
	struct asked *a = malloc(sizeof(*a));

	if (!a) {
		hf_timer_in(f->timer, AGAIN_NS);
		return;
	}
	*a = (struct asked){ .f = f, .i = i, .stop = *s };
	f->place[i].asked = true;
	if (!keeper || hf_link_request(keeper, HF_MSG_SILENCE, &s->corr,
				       json_pack("{s:i, s:b, s:o}", "array", -1, "latch",
						 (int)s->latch, "actor", hf_actor_json(&bus_actor)),
				       -1,
				       now_ns(f) + SILENCE_NS, on_silenced, a))
		on_silenced(a, 502, NULL);
}

/* A keeper that is not there has silenced; one that comes back is asked all the same. */
static void on_silence(void *arg)
{
	struct fleet_silence *f = arg;

	for (unsigned int i = 0; i < FLEET_STOPS; i++)
		if (f->place[i].used && !f->place[i].asked)
			ask_silence(f, i);
}

void fleet_silence_say(struct fleet_silence *f, const struct fleet_stop *s)
{
	unsigned int i = 0;

	f->stops++;
	while (i < FLEET_STOPS - 1 && f->place[i].used)
		i++;
	/* With no place left the last one stands for both. */
	f->place[i].stop.latch = s->latch || (f->place[i].used && f->place[i].stop.latch);
	f->place[i].stop.corr = s->corr;
	if (hf_corr_none(&f->place[i].stop.corr))
		hf_corr_new(hf_service_random(f->svc), &f->place[i].stop.corr);
	hf_log_sec(HF_LOG_NOTICE, "fleet.stop", &f->place[i].stop.corr, "the bus says stop%s",
		   s->latch ? ", latched" : "");
	f->place[i].used = true;
	f->place[i].tries = 0;
	if (f->place[i].asked)
		f->place[i].again = true;
	else
		ask_silence(f, i);
}

int fleet_silence_init(struct fleet_silence *f, struct hf_service *svc, struct fleet_bus *bus,
		       const struct fleet_names *names)
{
	*f = (struct fleet_silence){ .svc = svc, .bus = bus, .names = names };
	return hf_timer_new(&f->timer, hf_service_loop(svc), on_silence, f);
}

void fleet_silence_free(struct fleet_silence *f)
{
	hf_timer_free(f->timer);
}
