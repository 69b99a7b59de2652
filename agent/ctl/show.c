// SPDX-License-Identifier: GPL-2.0
/*
 * list, lease list, trip, blackbox: records of the driver, printed. Reads only.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

#define MAX_ARRAYS	256

struct cap_word {
	uint32_t cap;
	const char *word;
};

static const struct cap_word cap_words[] = {
	{ HOLDFAST_CAP_ATOMIC_SILENCE, "atomic-silence" },
	{ HOLDFAST_CAP_HW_DEADMAN, "hw-deadman" },
	{ HOLDFAST_CAP_POWER_CUT, "power-cut" },
	{ HOLDFAST_CAP_READBACK, "readback" },
	{ HOLDFAST_CAP_SIMULATED, "simulated" },
	{ HOLDFAST_CAP_AMPLITUDE, "amplitude" },
};

static json_t *list_json(const struct holdfast_info *i, const struct holdfast_status *st)
{
	char instance[CTL_INSTANCE_LEN];
	json_t *caps = json_array();

	for (size_t k = 0; k < sizeof(cap_words) / sizeof(cap_words[0]); k++)
		if (i->caps & cap_words[k].cap)
			json_array_append_new(caps, json_string(cap_words[k].word));
	return json_pack("{s:I, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:o}",
			 "array", (json_int_t)i->index, "model", i->model, "serial", i->serial,
			 "state", holdfast_state_name(st->state), "sealed", st->sealed != 0,
			 "channels", (json_int_t)i->channels,
			 "phase_levels", (json_int_t)i->phase_levels,
			 "amp_levels", (json_int_t)i->amp_levels,
			 "sensors", (json_int_t)i->sensors,
			 "instance", ctl_instance(i->instance, instance),
			 "silence_bound_ns", (json_int_t)i->silence_bound_ns,
			 "wavelength_nm", (json_int_t)i->wavelength_nm,
			 "abi", (json_int_t)i->abi, "caps", caps);
}

/* One array that has just gone is not an error of the list. */
static void list_one(uint32_t index, json_t *all)
{
	char number[16];
	struct holdfast_status st;
	struct holdfast_info info;
	struct holdfast_array *a;
	int ret;

	snprintf(number, sizeof(number), "%" PRIu32, index);
	ret = holdfast_open(&a, number, 0);
	if (ret) {
		if (ret != -ENODEV)
			ctl_fail(ret, "array %" PRIu32, index);
		return;
	}
	if (!holdfast_info(a, &info) && !holdfast_status(a, &st)) {
		if (all)
			json_array_append_new(all, list_json(&info, &st));
		else
			printf("%-3" PRIu32 " %-20s %-20s %4" PRIu32 " channels  %s%s\n", index,
			       info.model, info.serial, info.channels,
			       holdfast_state_name(st.state), st.sealed ? "  sealed" : "");
	}
	holdfast_close(a);
}

int cmd_list(struct ctl *c)
{
	uint32_t index[MAX_ARRAYS];
	json_t *all = NULL;
	int n = holdfast_enumerate(index, MAX_ARRAYS);

	if (n < 0)
		return ctl_fail(n, "list");
	if (c->json)
		all = json_array();
	for (int i = 0; i < n; i++)
		list_one(index[i], all);
	return all ? ctl_json_print(all, true) : CTL_OK;
}

static json_t *lease_json(const struct holdfast_lease_info *l)
{
	return json_pack("{s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:o}", "id", (json_int_t)l->id,
			 "label", l->label, "tenant", (json_int_t)l->tenant,
			 "rights", (json_int_t)l->rights,
			 "expires_ns", (json_int_t)l->expires_ns,
			 "admitted", (json_int_t)l->admitted,
			 "attenuated", (json_int_t)l->attenuated,
			 "refused", (json_int_t)l->rejected, "pid", (int)l->pid,
			 "corr", ctl_json_corr(l->corr));
}

static void lease_text(const struct holdfast_lease_info *l)
{
	uint64_t now = ctl_now_ns();
	char corr[CTL_CORR_LEN];

	printf("%-4" PRIu64 " %-24.32s rights 0x%" PRIx32 " pid %" PRId32 " admitted %" PRIu64 " attenuated %" PRIu64 " refused %" PRIu64,
	       (uint64_t)l->id, l->label, l->rights, l->pid, (uint64_t)l->admitted,
	       (uint64_t)l->attenuated, (uint64_t)l->rejected);
	if (l->expires_ns)
		printf(" expires in %.1f s", l->expires_ns > now ?
		       (double)(l->expires_ns - now) / 1e9 : 0.0);
	if (*ctl_corr(l->corr, corr))
		printf(" request %s", corr);
	putchar('\n');
}

int cmd_lease_list(struct ctl *c)
{
	struct holdfast_lease_info li[HOLDFAST_MAX_LEASES] = { 0 };
	struct holdfast_array *a;
	json_t *all = NULL;
	int n, ret = ctl_open(c, &a, 0);

	if (ret)
		return ret;
	n = holdfast_leases(a, li, HOLDFAST_MAX_LEASES);
	holdfast_close(a);
	if (n < 0)
		return ctl_fail(n, "leases");
	if (c->json)
		all = json_array();
	for (int i = 0; i < n && i < HOLDFAST_MAX_LEASES; i++) {
		li[i].label[HOLDFAST_LABEL_LEN - 1] = '\0';
		if (all)
			json_array_append_new(all, lease_json(&li[i]));
		else
			lease_text(&li[i]);
	}
	return all ? ctl_json_print(all, true) : CTL_OK;
}

static void trip_text(const struct holdfast_trip *t)
{
	char text[HOLDFAST_TEXT_LEN], when[48], corr[CTL_CORR_LEN];

	puts(holdfast_strerror_trip(t, text, sizeof(text)));
	if (t->cause == HOLDFAST_CAUSE_NONE)
		return;
	printf("when           %s (event %" PRIu64 ", trip %" PRIu32 ")\n",
	       ctl_time(t->real_ns, when, sizeof(when)), (uint64_t)t->event_seq, t->count);
	printf("state before   %s\n", holdfast_state_name(t->state_before));
	printf("took           onset to detection %.3f ms, detection to silence %.3f ms\n",
	       (double)(int64_t)(t->detect_ns - t->onset_ns) / 1e6,
	       (double)(int64_t)(t->silence_ns - t->detect_ns) / 1e6);
	if (t->lease)
		printf("emitting       lease %" PRIu64 ", frame %" PRIu64 ", pid %" PRId32 " (%.*s), uid %" PRIu32 "\n",
		       (uint64_t)t->lease, (uint64_t)t->cookie, t->pid, HOLDFAST_COMM_LEN, t->comm,
		       t->uid);
	if (*ctl_corr(t->corr, corr))
		printf("request        %s\n", corr);
}

int cmd_trip(struct ctl *c)
{
	struct holdfast_array *a;
	struct holdfast_trip t;
	int ret = ctl_open(c, &a, 0);

	if (ret)
		return ret;
	ret = holdfast_trip_get(a, &t);
	holdfast_close(a);
	if (ret)
		return ctl_fail(ret, "trip");
	if (c->json)
		return ctl_json_print(ctl_json_trip(&t), true);
	trip_text(&t);
	return CTL_OK;
}

static const char *kind_word(uint32_t kind)
{
	static const char *const words[] = {
		[HOLDFAST_BB_SAMPLE] = "sample", [HOLDFAST_BB_VERDICT] = "verdict",
		[HOLDFAST_BB_STATE] = "state", [HOLDFAST_BB_TRIP] = "trip",
	};

	return kind && kind <= HOLDFAST_BB_TRIP ? words[kind] : "unknown";
}

/* INT_MIN stands for a sensor that there is not. */
static json_t *reading(int32_t v)
{
	return v == INT32_MIN ? json_null() : json_integer(v);
}

static json_t *entry_json(const struct holdfast_blackbox_entry *e)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:I, s:I}",
			 "time_ns", (json_int_t)e->time_ns, "kind", kind_word(e->kind),
			 "state", holdfast_state_name(e->state),
			 "verdict", holdfast_verdict_name(e->verdict),
			 "cause", holdfast_cause_name(e->cause),
			 "reason", ctl_json_reason(&e->reason), "lease", (json_int_t)e->lease,
			 "temp_mc", reading(e->temp_mc), "supply_mv", reading(e->supply_mv),
			 "current_ma", reading(e->current_ma), "cap_q16", (json_int_t)e->cap_q16,
			 "power_uw", (json_int_t)e->power_uw);
}

static void entry_text(const struct holdfast_blackbox_entry *e, uint64_t last_ns)
{
	char text[HOLDFAST_TEXT_LEN];

	printf("%+10.3f ms %-7s %-8s", -(double)(last_ns - e->time_ns) / 1e6, kind_word(e->kind),
	       holdfast_state_name(e->state));
	if (e->temp_mc != INT32_MIN)
		printf(" %6.1f C", e->temp_mc / 1e3);
	if (e->supply_mv != INT32_MIN)
		printf(" %7.3f V", e->supply_mv / 1e3);
	if (e->current_ma != INT32_MIN)
		printf(" %7.3f A", e->current_ma / 1e3);
	printf(" %8.3f W cap %5.1f %%", (double)e->power_uw / 1e6, e->cap_q16 / 655.36);
	if (e->kind == HOLDFAST_BB_VERDICT)
		printf(" %s", holdfast_verdict_name(e->verdict));
	if (e->cause)
		printf(" %s", holdfast_cause_name(e->cause));
	if (e->reason.limit != HOLDFAST_LIM_NONE && e->kind != HOLDFAST_BB_SAMPLE)
		printf(" %s", holdfast_strerror_reason(&e->reason, text, sizeof(text)));
	putchar('\n');
}

static int blackbox_print(struct ctl *c, const struct holdfast_blackbox_entry *e, size_t n,
			  bool frozen)
{
	json_t *all;

	if (!c->json) {
		printf("%zu entries%s\n", n, frozen ? ", frozen by a trip" : "");
		for (size_t i = 0; i < n; i++)
			entry_text(&e[i], e[n - 1].time_ns);
		return CTL_OK;
	}
	all = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(all, entry_json(&e[i]));
	return ctl_json_print(json_pack("{s:b, s:o}", "frozen", (int)frozen, "entries", all), true);
}

int cmd_blackbox(struct ctl *c)
{
	struct holdfast_blackbox_entry *e;
	struct holdfast_array *a;
	bool frozen = false;
	size_t room = 4096;
	int n, ret = ctl_open(c, &a, 0);

	if (ret)
		return ret;
	e = calloc(room, sizeof(*e));
	n = e ? holdfast_blackbox(a, e, room, &frozen) : -ENOMEM;
	holdfast_close(a);
	if (n < 0)
		ret = ctl_fail(n, "black box");
	else
		ret = blackbox_print(c, e, (size_t)n < room ? (size_t)n : room, frozen);
	free(e);
	return ret;
}
