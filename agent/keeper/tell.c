// SPDX-License-Identifier: GPL-2.0
/*
 * Export hears of trips, for its incidents. It is told the present state until it says that it
 * knows; nothing here waits for it, and nothing depends on whether it is there.
 */
#include <string.h>

#include "keeper.h"

static const char *const tales[] = { "", "clear", "tripped", "gone" };

static void on_known(void *arg, int status, const json_t *result)
{
	struct hf_told *t = arg;

	(void)result;
	t->waiting = false;
	if (status != 200)
		return;		/* again with the next second */
	t->said = t->saying;
	t->trips = t->trips_saying;
}

static void tell(struct hf_told *t, uint32_t index, uint64_t seq, const struct hf_corr *corr,
		 json_t *what)
{
	struct hf_keeper *k = t->keeper;
	json_t *body = json_pack("{s:i, s:s, s:o, s:I, s:o}", "array", (int)index, "state",
				 tales[t->saying], "instance", hf_hex_json(t->instance), "seq",
				 (json_int_t)seq, "what", what);

	t->waiting = body && !k->peers.tell(k->peers.arg, corr, body, on_known, t);
}

static void tell_trip(struct hf_told *t, struct hf_array *a)
{
	struct holdfast_trip trip;
	struct hf_corr corr;

	if (t->keeper->device->trip(a->dev, &trip))
		return;
	memcpy(corr.b, trip.corr, sizeof(corr.b));
	tell(t, a->index, trip.event_seq, hf_corr_none(&corr) ? NULL : &corr,
	     hf_show_told(a, &trip));
}

/* A trip that was reset before anybody looked is told as one, and with the next look as over. */
static void look(struct hf_told *t, struct hf_array *a)
{
	bool known = t->said != HF_TALE_NONE && t->instance == a->instance;
	struct holdfast_status st;

	if (t->keeper->device->status(a->dev, &st))
		return;
	t->saying = st.state == HOLDFAST_STATE_TRIPPED || (known && st.trips != t->trips) ?
		    HF_TALE_TRIPPED : HF_TALE_CLEAR;
	t->trips_saying = st.trips;
	if (known && t->saying == t->said && st.trips == t->trips)
		return;
	t->instance = a->instance;
	if (t->saying == HF_TALE_TRIPPED)
		tell_trip(t, a);
	else
		tell(t, a->index, 0, NULL, json_object());
}

void hf_tell_tick(struct hf_keeper *k)
{
	for (uint32_t i = 0; k->peers.tell && i < HF_ARRAYS; i++) {
		struct hf_told *t = &k->told[i];

		t->keeper = k;
		if (t->waiting)
			continue;
		if (k->array[i].used) {
			look(t, &k->array[i]);
		} else if (t->said == HF_TALE_TRIPPED || t->said == HF_TALE_CLEAR) {
			t->saying = HF_TALE_GONE;
			tell(t, i, 0, NULL, json_object());
		}
	}
}

void hf_tell_anew(struct hf_keeper *k)
{
	for (size_t i = 0; i < HF_ARRAYS; i++)
		k->told[i].said = HF_TALE_NONE;
}
