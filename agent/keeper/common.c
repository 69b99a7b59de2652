// SPDX-License-Identifier: GPL-2.0
/*
 * Records, and what follows when they cannot be made (ladder.h): the one place
 * where the loss of audit turns into silence.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "keeper.h"

const char *hf_tenant_name(const struct hf_keeper *k, uint64_t id)
{
	const struct hf_tenant *t = hf_settings_tenant_id(k->settings, id);

	return t ? t->name : NULL;
}

const char *hf_array_object(const struct hf_array *a, char buf[32])
{
	snprintf(buf, 32, "array/%" PRIu32, a->index);
	return buf;
}

/* What waits for one record. */
struct waiting {
	struct hf_keeper *keeper;
	uint64_t sent_ns;
	hf_reply_fn fn;
	void *arg;
};

static void recorded(void *arg, int status, const json_t *result)
{
	struct waiting w = *(struct waiting *)arg;

	free(arg);
	hf_ladder_step(w.keeper, hf_ladder_record(&w.keeper->ladder, status == 200, w.sent_ns,
						  hf_now(w.keeper)));
	if (w.fn)
		w.fn(w.arg, status, result);
}

int hf_record(struct hf_keeper *k, const struct hf_record *r, hf_reply_fn fn, void *arg)
{
	struct waiting *w = malloc(sizeof(*w));
	int ret;

	if (!w) {
		json_decref(r->detail);
		return -ENOMEM;
	}
	*w = (struct waiting){ .keeper = k, .sent_ns = hf_now(k), .fn = fn, .arg = arg };
	ret = k->peers.append(k->peers.arg, r, recorded, w);
	if (ret)
		free(w);
	return ret;
}

int hf_record_peer(void *arg, const struct hf_record *r, hf_reply_fn fn, void *fn_arg)
{
	return hf_record(arg, r, fn, fn_arg);
}

void hf_note(struct hf_keeper *k, const struct hf_corr *corr, const struct hf_actor *actor,
	     const char *action, const char *object, const char *phase, const char *result,
	     uint64_t intent, json_t *detail)
{
	struct hf_record r = { .corr = corr, .actor = actor, .action = action, .object = object,
			       .phase = phase, .result = result, .intent = intent,
			       .detail = detail };
	int ret = hf_record(k, &r, NULL, NULL);

	if (ret)
		hf_log_app(HF_LOG_WARN, "audit.append", corr, "%s %s %s: not recorded: %d", action,
			   object, phase, ret);
}

/* Told once audit is there again: it could not be recorded when it happened. */
static void note_disarm(struct hf_keeper *k)
{
	if (!k->disarmed_ns)
		return;
	hf_note(k, NULL, &hf_actor_self, "keeper.disarm", "arrays", "event", "ok", 0,
		json_pack("{s:s, s:I}", "why",
			  "audit was gone for longer than keeper.audit_grace_ms", "ago_ms",
			  (json_int_t)((hf_now(k) - k->disarmed_ns) / HF_MS)));
	k->disarmed_ns = 0;
}

static void probed(void *arg, int status, const json_t *result)
{
	struct hf_keeper *k = arg;

	(void)status;
	(void)result;
	k->probing = false;
}

/*
 * An audit process that was too slow says nothing when it is well again, and
 * nothing else may be asked of it: the loss itself is the record to try with.
 */
void hf_ladder_probe(struct hf_keeper *k)
{
	const struct hf_ladder *l = &k->ladder;
	struct hf_record r = { .actor = &hf_actor_self,
			       .action = "keeper.audit_lost",
			       .object = "arrays",
			       .phase = "event",
			       .result = "ok" };

	if (k->probing || !l->linked || !l->word || l->timely)
		return;
	r.detail = json_pack("{s:s, s:I, s:b}", "why", hf_ladder_why(l), "ago_ms",
			     (json_int_t)((hf_now(k) - l->lost_ns) / HF_MS), "disarmed",
			     (int)l->disarmed);
	k->probing = !hf_record(k, &r, probed, k);
}

static void lost(struct hf_keeper *k)
{
	uint64_t due = hf_ladder_due_ns(&k->ladder, k->settings->audit_grace_ns);

	hf_log_sec(HF_LOG_ERROR, "audit.lost", NULL, "%s: arming is refused",
		   hf_ladder_why(&k->ladder));
	hf_leases_end(k, NULL, HOLDFAST_RIGHT_ARM | HOLDFAST_RIGHT_RESET, &hf_actor_self, NULL,
		      "no audit: nobody may arm");
	if (due != UINT64_MAX)
		hf_timer_set(k->grace, due);
}

static void disarm(struct hf_keeper *k)
{
	unsigned int n = hf_arrays_silence(k, -1, false, NULL);

	hf_leases_end(k, NULL, 0, &hf_actor_self, NULL, "no audit, no emission");
	k->disarmed_ns = hf_now(k);
	hf_log_sec(HF_LOG_ERROR, "keeper.disarm", NULL, "%s: %u arrays silenced, all leases ended",
		   hf_ladder_why(&k->ladder), n);
}

void hf_ladder_step(struct hf_keeper *k, enum hf_ladder_step step)
{
	switch (step) {
	case HF_LADDER_STAY:
		break;
	case HF_LADDER_LOST:
		lost(k);
		break;
	case HF_LADDER_DISARM:
		disarm(k);
		break;
	case HF_LADDER_BACK:
		hf_timer_stop(k->grace);
		hf_log_sec(HF_LOG_NOTICE, "audit.back", NULL, "records are durable again");
		note_disarm(k);
		hf_timer_in(k->pump, 0);
	}
}
