// SPDX-License-Identifier: GPL-2.0
/*
 * Leases, from a program's wish to their end. Each step that waits for another
 * process has a deadline of its own, and who is waited for is only waited for by
 * the one request: who is it (auth), is it recorded (audit), then the lease.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper.h"

/* The longest that a program waits here: for auth, then for audit. */
#define WAIT_MS		((uint32_t)((HF_WHOIS_NS + HF_APPEND_NS) / HF_MS) + 500)
#define RATE_NS		(50 * HF_MS)	/* requests of one uid in the long run */
#define RATE_BURST	64
#define RATE_KEYS	256

struct hf_request {
	bool used;
	struct hf_keeper *keeper;
	uint64_t token;		/* of the server */
	uint64_t intent;	/* its record */
	struct hf_corr corr;
	struct holdfast_peer peer;
	struct holdfast_lease_request req;
	struct hf_actor actor;
};

/* ------------------------------------------------------------ who it is */

static bool same_peer(const struct holdfast_peer *a, const struct holdfast_peer *b)
{
	return a->uid == b->uid && a->gid == b->gid && a->ngroups == b->ngroups &&
	       !memcmp(a->groups, b->groups, a->ngroups * sizeof(a->groups[0]));
}

static const struct hf_actor *who_known(const struct hf_keeper *k, const struct holdfast_peer *p)
{
	for (size_t i = 0; i < HF_WHO; i++)
		if (k->who[i].until_ns > hf_now(k) && same_peer(&k->who[i].peer, p))
			return &k->who[i].actor;
	return NULL;
}

static void who_keep(struct hf_keeper *k, const struct holdfast_peer *p, const struct hf_actor *a)
{
	struct hf_who *w = &k->who[0];

	for (size_t i = 1; i < HF_WHO; i++)
		if (k->who[i].until_ns < w->until_ns)
			w = &k->who[i];
	*w = (struct hf_who){ .until_ns = hf_now(k) + HF_WHO_NS, .peer = *p, .actor = *a };
}

void hf_who_forget(struct hf_keeper *k)
{
	memset(k->who, 0, sizeof(k->who));
}

static int who_read(const json_t *answer, struct hf_actor *a)
{
	const char *name = json_string_value(json_object_get(answer, "name"));
	const char *role = json_string_value(json_object_get(answer, "role"));
	const char *tenant = json_string_value(json_object_get(answer, "tenant"));
	int r = role ? hf_role_parse(role) : -EINVAL;

	if (!name || !name[0] || strlen(name) >= sizeof(a->name) || r < 0 ||
	    (tenant && strlen(tenant) >= sizeof(a->tenant)))
		return -EPROTO;
	*a = (struct hf_actor){ .role = (enum hf_role)r, .via = HF_VIA_LEASE,
				.proof = HF_PROOF_PEER };
	strcpy(a->name, name);
	strcpy(a->tenant, tenant ? tenant : "");
	return 0;
}

/* ------------------------------------------------------------ the request */

static struct hf_request *request_new(struct hf_keeper *k)
{
	for (size_t i = 0; i < HF_REQUESTS; i++) {
		struct hf_request *r = &k->request[i];

		if (r->used)
			continue;
		*r = (struct hf_request){ .used = true, .keeper = k };
		return r;
	}
	return NULL;
}

/* Not granted: the program is told why. */
static void refuse(struct hf_request *r, int error, const char *text)
{
	holdfast_server_answer(r->keeper->server, r->token, error, -1, 0, text);
	r->used = false;
}

static json_t *wish_json(const struct hf_request *r)
{
	return json_pack("{s:i, s:I, s:o}", "rights", (int)r->req.rights,
			 "duration_ms", (json_int_t)r->req.duration_ms,
			 "label", hf_plain_json(r->req.label, sizeof(r->req.label)));
}

static void note(struct hf_request *r, const char *phase, const char *result, json_t *detail)
{
	char object[32];

	snprintf(object, sizeof(object), "array/%" PRIu32, r->req.array);
	hf_note(r->keeper, &r->corr, &r->actor, "lease.create", object, phase, result, r->intent,
		detail);
}

static int decide(struct hf_request *r, struct hf_grant *g, char *text)
{
	struct hf_keeper *k = r->keeper;
	struct hf_array *a = hf_array_find(k, r->req.array);
	const struct hf_tenant *t = hf_settings_tenant(k->settings, r->actor.tenant);
	struct hf_wish w = { .actor = &r->actor, .index = r->req.array, .rights = r->req.rights,
			     .duration_ms = r->req.duration_ms };

	if (!a) {
		snprintf(text, HOLDFAST_TEXT_LEN, "there is no array %" PRIu32, r->req.array);
		return -ENODEV;
	}
	w.serial = a->serial;
	w.live = t ? hf_leases_of(k, t->id) : 0;
	return hf_policy_lease(k->settings, &w, hf_real_ns(k->clock), g, text);
}

static void table_refresh(struct hf_array *a)
{
	struct holdfast_lease_info li[HOLDFAST_MAX_LEASES];
	int n = a->keeper->device->leases(a->dev, li, HOLDFAST_MAX_LEASES);

	for (size_t i = a->leases; n >= 0 && i-- > 0;) {
		bool there = false;

		for (int j = 0; j < n; j++)
			there |= li[j].id == a->lease[i].id;
		if (!there)
			a->lease[i] = a->lease[--a->leases];
	}
}

static int driver_lease(struct hf_request *r, struct hf_array *a, const struct hf_grant *g,
			struct holdfast_lease *l, char *text)
{
	const struct hf_tenant *t = g->tenant;
	int ret = t ? hf_quota_ready(a, t) : 0;

	if (ret) {
		snprintf(text, HOLDFAST_TEXT_LEN, "the quota of tenant %s cannot be set: %s",
			 t->name, strerror(-ret));
		return ret;
	}
	table_refresh(a);
	*l = (struct holdfast_lease){ .rights = r->req.rights, .duration_ms = g->duration_ms,
				      .tenant = t ? t->id : 0, .fd = -1 };
	memcpy(l->label, r->req.label, sizeof(l->label) - 1);
	memcpy(l->corr, r->corr.b, sizeof(l->corr));
	if (t && t->env.set)
		l->envelope = (uintptr_t)&t->env;
	if (t && t->nfence) {
		l->fence = (uintptr_t)t->fence;
		l->nfence = (uint32_t)t->nfence;
	}
	ret = a->leases < HOLDFAST_MAX_LEASES ? r->keeper->device->lease(a->keeping, l) : -ENOSPC;
	if (ret)
		snprintf(text, HOLDFAST_TEXT_LEN, "the driver refuses a lease: %s", strerror(-ret));
	return ret;
}

static void table_add(struct hf_request *r, struct hf_array *a, const struct hf_grant *g,
		      const struct holdfast_lease *l)
{
	struct hf_lease *e = &a->lease[a->leases++];

	*e = (struct hf_lease){
		.id = l->id, .tenant = l->tenant, .rights = l->rights, .corr = r->corr,
		.end_ns = hf_now(r->keeper) + g->duration_ms * HF_MS,
		.uid = r->actor.uid, .pid = r->actor.pid,
	};
	strcpy(e->actor, r->actor.name);
	memcpy(e->label, l->label, sizeof(e->label));
}

/* The wish is recorded: now it is granted, unless that has become wrong meanwhile. */
static void create(struct hf_request *r)
{
	struct hf_keeper *k = r->keeper;
	struct hf_array *a = hf_array_find(k, r->req.array);
	char text[HOLDFAST_TEXT_LEN];
	struct holdfast_lease l;
	struct hf_grant g;
	int ret = decide(r, &g, text);

	if (!holdfast_server_waits(k->server, r->token)) {
		note(r, "outcome", "refused", json_pack("{s:s}", "why", "the program has gone"));
		r->used = false;
		return;
	}
	if (!ret)
		ret = driver_lease(r, a, &g, &l, text);
	if (ret) {
		note(r, "outcome", "refused", json_pack("{s:s}", "why", text));
		refuse(r, ret, text);
		return;
	}
	table_add(r, a, &g, &l);
	ret = holdfast_server_answer(k->server, r->token, 0, l.fd, l.id, NULL);
	note(r, "outcome", "ok", json_pack("{s:I, s:I, s:o}", "lease", (json_int_t)l.id,
					   "duration_ms", (json_int_t)g.duration_ms, "tenant",
					   g.tenant ? json_string(g.tenant->name) : json_null()));
	if (ret)
		hf_lease_end(a, l.id, &hf_actor_self, &r->corr, "the program has gone");
	r->used = false;
}

static void on_intent(void *arg, int status, const json_t *result)
{
	struct hf_request *r = arg;
	char text[HOLDFAST_TEXT_LEN];

	if (status == 200) {
		r->intent = (uint64_t)json_integer_value(json_object_get(result, "seq"));
		create(r);
		return;
	}
	snprintf(text, sizeof(text), "no lease: it cannot be recorded (audit answered %d)", status);
	refuse(r, -EAGAIN, text);
}

/* Known: may he? Then it is written down before it is done. Return: 0, -errno and why. */
static int intend(struct hf_request *r, char *text)
{
	struct hf_grant g;
	char object[32];
	struct hf_record rec = { .corr = &r->corr, .actor = &r->actor, .action = "lease.create",
				 .object = object, .phase = "intent", .result = "" };
	int ret = decide(r, &g, text);

	if (ret) {
		note(r, "denied", "refused",
		     json_pack("{s:o, s:s}", "wish", wish_json(r), "why", text));
		return ret;
	}
	snprintf(object, sizeof(object), "array/%" PRIu32, r->req.array);
	rec.detail = wish_json(r);
	ret = hf_record(r->keeper, &rec, on_intent, r);
	if (ret)
		snprintf(text, HOLDFAST_TEXT_LEN, "no lease: it cannot be recorded: %s",
			 strerror(-ret));
	return ret ? -EAGAIN : 0;
}

static void on_who(void *arg, int status, const json_t *result)
{
	struct hf_request *r = arg;
	char text[HOLDFAST_TEXT_LEN];
	struct hf_actor who;
	int ret = 0;

	if (!holdfast_server_waits(r->keeper->server, r->token)) {
		r->used = false;
		return;
	}
	if (status == 504 || status == 502) {
		snprintf(text, sizeof(text), "auth %s", status == 504 ?
			 "did not say in time who asks" : "is not there to say who asks");
		ret = -EAGAIN;
	} else if (status != 200 || who_read(result, &who)) {
		snprintf(text, sizeof(text), "uid %u is nobody whom auth knows", r->peer.uid);
		ret = -EACCES;
	}
	if (!ret) {
		who.uid = r->peer.uid;
		who_keep(r->keeper, &r->peer, &who);
		r->actor = who;
		r->actor.pid = r->peer.pid;
		ret = intend(r, text);
	}
	if (ret)
		refuse(r, ret, text);
}

static int begin(struct hf_request *r, char *text)
{
	struct hf_keeper *k = r->keeper;
	const struct hf_actor *known = who_known(k, &r->peer);
	int ret = hf_corr_new(k->random, &r->corr);

	if (ret)
		return ret;
	if (known) {
		r->actor = *known;
		r->actor.pid = r->peer.pid;
		return intend(r, text);
	}
	ret = k->peers.whois(k->peers.arg, &r->corr, &r->peer, on_who, r);
	if (ret)
		snprintf(text, HOLDFAST_TEXT_LEN, "auth is not there to say who asks");
	return ret ? -EAGAIN : 0;
}

static int may_ask(struct hf_keeper *k, const struct holdfast_peer *peer, char *text)
{
	uint64_t wait = hf_gcra_take(k->rate, &peer->uid, sizeof(peer->uid), RATE_NS, RATE_BURST,
				     hf_now(k), NULL);

	if (wait) {
		snprintf(text, HOLDFAST_TEXT_LEN,
			 "too many requests of uid %u: wait %" PRIu64 " ms", peer->uid,
			 (uint64_t)((wait + HF_MS - 1) / HF_MS));
		return -EAGAIN;
	}
	if (k->stopping) {
		snprintf(text, HOLDFAST_TEXT_LEN, "the keeper is stopping");
		return -ESHUTDOWN;
	}
	if (!hf_ladder_durable(&k->ladder)) {
		snprintf(text, HOLDFAST_TEXT_LEN, "no lease: %s", hf_ladder_why(&k->ladder));
		return -EAGAIN;
	}
	return 0;
}

int hf_lease_asked(void *arg, const struct holdfast_peer *peer,
		   const struct holdfast_lease_request *req, int *lease_fd, uint64_t *lease_id,
		   char *text)
{
	struct hf_keeper *k = arg;
	struct hf_request *r;
	int ret = may_ask(k, peer, text);

	(void)lease_fd;
	(void)lease_id;
	if (ret)
		return ret;
	r = request_new(k);
	if (!r) {
		snprintf(text, HOLDFAST_TEXT_LEN, "%d requests wait where %d are allowed",
			 HF_REQUESTS, HF_REQUESTS);
		return -EAGAIN;
	}
	r->peer = *peer;
	r->req = *req;
	ret = begin(r, text);
	if (ret) {
		r->used = false;
		return ret;
	}
	/* Without a token nobody waits for it, and it ends as if the program had gone. */
	r->token = holdfast_server_defer(k->server, WAIT_MS);
	return r->token ? 0 : -ENOMEM;
}

/* --------------------------------------------------------------- the end */

void hf_lease_gone(struct hf_array *a, uint64_t id)
{
	for (size_t i = 0; i < a->leases; i++) {
		if (a->lease[i].id != id)
			continue;
		a->lease[i] = a->lease[--a->leases];
		return;
	}
}

int hf_lease_end(struct hf_array *a, uint64_t id, const struct hf_actor *by,
		 const struct hf_corr *corr, const char *why)
{
	int ret = a->keeper->device->revoke(a->keeping, id, corr ? corr->b : NULL);
	char object[48];

	hf_lease_gone(a, id);
	/* Over already: its program closed it, or its time was up. */
	if (ret == -ENOENT)
		return ret;
	snprintf(object, sizeof(object), "array/%" PRIu32 "/lease/%" PRIu64, a->index, id);
	hf_note(a->keeper, corr, by, "lease.revoke", object, "event", ret ? "error" : "ok", 0,
		json_pack("{s:s}", "why", why));
	return ret;
}

unsigned int hf_leases_end(struct hf_keeper *k, const char *actor, uint32_t rights,
			   const struct hf_actor *by, const struct hf_corr *corr, const char *why)
{
	unsigned int n = 0;

	for (size_t i = 0; i < HF_ARRAYS; i++) {
		struct hf_array *a = &k->array[i];

		for (size_t j = a->used ? a->leases : 0; j-- > 0;) {
			const struct hf_lease *l = &a->lease[j];

			if ((actor && strcmp(actor, l->actor)) || (rights && !(rights & l->rights)))
				continue;
			n += !hf_lease_end(a, l->id, by, corr, why);
		}
	}
	return n;
}

void hf_leases_sweep(struct hf_keeper *k)
{
	uint64_t now = hf_real_ns(k->clock);
	char text[HOLDFAST_TEXT_LEN];

	for (size_t i = 0; i < HF_ARRAYS; i++) {
		struct hf_array *a = &k->array[i];

		for (size_t j = a->used ? a->leases : 0; j-- > 0;) {
			const struct hf_lease *l = &a->lease[j];

			if (hf_policy_stands(k->settings, l->tenant, a->index, a->serial, l->rights,
					     now, text))
				hf_lease_end(a, l->id, &hf_actor_self, NULL, text);
		}
	}
}

uint32_t hf_leases_of(struct hf_keeper *k, uint64_t tenant)
{
	struct holdfast_lease_info li[HOLDFAST_MAX_LEASES];
	uint32_t live = 0;

	for (size_t i = 0; i < HF_ARRAYS; i++) {
		struct hf_array *a = &k->array[i];
		int n = a->used ? k->device->leases(a->dev, li, HOLDFAST_MAX_LEASES) : 0;

		for (int j = 0; j < n; j++)
			live += li[j].tenant == tenant;
	}
	return live;
}

int hf_leases_start(struct hf_keeper *k)
{
	k->request = calloc(HF_REQUESTS, sizeof(*k->request));
	return k->request ? hf_gcra_new(&k->rate, RATE_KEYS, k->random) : -ENOMEM;
}

void hf_leases_free(struct hf_keeper *k)
{
	hf_gcra_free(k->rate);
	free(k->request);
}
