/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A keeper over a driver that is played: shared by the tests of the keeper that
 * need arrays. Time is the test's.
 */
#ifndef HF_KEEPER_KIT_H
#define HF_KEEPER_KIT_H

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "check.h"
#include "keeper.h"

#define ARRAYS	3

/* The driver: budgets bind as the real one's do. */
static struct fake {
	struct holdfast_envelope site;
	struct holdfast_fence_point fence[HOLDFAST_MAX_FENCE];
	int nfence;
	bool sealed, sysadmin, claimed, absent;
	bool known;
	uint64_t used[HOLDFAST_QUOTA_COUNT], budget[HOLDFAST_QUOTA_COUNT];
	unsigned int sets;
	int events;		/* never readable */
	struct holdfast_status st;	/* what matters for health */
	uint32_t abi;
} fake[ARRAYS];

static unsigned int silenced, revoked;
static uint64_t quota_ms;	/* that all arrays together may get; 0: not looked at */

static inline struct fake *of(const void *handle)
{
	return (struct fake *)(uintptr_t)handle;
}

static inline int f_enumerate(uint32_t *index, size_t room)
{
	cr_assert_geq(room, ARRAYS);
	for (uint32_t i = 0; i < ARRAYS; i++)
		index[i] = i;
	return ARRAYS;
}

static inline int f_open(struct holdfast_array **out, const char *which, unsigned int flags)
{
	(void)flags;
	if (fake[atoi(which)].absent)
		return -ENODEV;
	*out = (struct holdfast_array *)&fake[atoi(which)];
	return 0;
}

static inline void f_close(struct holdfast_array *a)
{
	(void)a;
}

static inline int f_info(struct holdfast_array *a, struct holdfast_info *info)
{
	*info = (struct holdfast_info){ .index = (uint32_t)(of(a) - fake),
					.abi = of(a)->abi,
					.instance = 100 + (uint64_t)(of(a) - fake) };
	snprintf(info->serial, sizeof(info->serial), "a%d", (int)(of(a) - fake));
	return 0;
}

static int node_fd = -1;

static inline int f_fd(const struct holdfast_array *a)
{
	(void)a;
	return node_fd;
}

static inline int f_status(struct holdfast_array *a, struct holdfast_status *st)
{
	*st = of(a)->st;
	st->sealed = of(a)->sealed;
	st->beat_ns = of(a)->claimed ? 1 : 0;
	return 0;
}

static inline int f_silence(struct holdfast_array *a, uint32_t flags, const uint8_t *corr)
{
	(void)a;
	(void)flags;
	(void)corr;
	silenced++;
	return 0;
}

static inline int f_envelope_get(struct holdfast_array *a, uint32_t which, struct holdfast_envelope *env)
{
	(void)which;
	*env = of(a)->site;
	return 0;
}

static inline void apply(struct fake *f, const struct holdfast_envelope *env)
{
	for (size_t i = 0; i < HOLDFAST_LIM_ROOM; i++)
		if (env->set & 1ULL << i)
			f->site.limit[i] = env->limit[i];
}

static inline int f_envelope_set(struct holdfast_array *a, struct holdfast_envelope *env)
{
	if (of(a)->sealed || !of(a)->sysadmin)
		return -EPERM;
	apply(of(a), env);
	return 0;
}

static inline int f_envelope_tighten(struct holdfast_array *a, struct holdfast_envelope *env)
{
	for (uint32_t i = 0; i < HOLDFAST_LIM_ROOM; i++)
		if (env->set & 1ULL << i &&
		    hf_limit_tighter(i, of(a)->site.limit[i], env->limit[i]))
			return -EPERM;
	apply(of(a), env);
	return 0;
}

static inline int f_fence_get(struct holdfast_array *a, uint32_t which, struct holdfast_fence_point *p,
		       size_t room)
{
	(void)which;
	(void)p;
	(void)room;
	return of(a)->nfence;
}

static inline int f_fence_set(struct holdfast_array *a, const struct holdfast_fence_point *p, size_t n,
		       struct holdfast_reason *r)
{
	(void)r;
	memcpy(of(a)->fence, p, n * sizeof(*p));
	of(a)->nfence = (int)n;
	return 0;
}

static inline int f_fence_add(struct holdfast_array *a, const struct holdfast_fence_point *p, size_t n,
		       struct holdfast_reason *r)
{
	(void)r;
	(void)p;
	of(a)->nfence += (int)n;
	return 0;
}

static inline int f_seal(struct holdfast_array *a)
{
	if (!of(a)->sysadmin)
		return -EPERM;
	of(a)->sealed = true;
	return 0;
}

static inline int f_keep(struct holdfast_keeping **out, struct holdfast_array *a)
{
	*out = (struct holdfast_keeping *)a;
	of(a)->claimed = true;
	return 0;
}

static inline void f_unkeep(struct holdfast_keeping *k)
{
	of(k)->claimed = false;
}

static inline int f_keep_fd(const struct holdfast_keeping *k)
{
	return of(k)->events;
}

static inline uint32_t f_deadline_ms(const struct holdfast_keeping *k)
{
	(void)k;
	return 500;
}

static inline int f_beat(struct holdfast_keeping *k, hf_event_fn seen, void *arg)
{
	(void)k;
	(void)seen;
	(void)arg;
	return 0;
}

static inline int f_revoke(struct holdfast_keeping *k, uint64_t id, const uint8_t *corr)
{
	(void)k;
	(void)id;
	(void)corr;
	revoked++;
	return 0;
}

static inline int f_tenants(struct holdfast_array *a, struct holdfast_tenant_info *ti, size_t room)
{
	(void)room;
	if (!of(a)->known)
		return 0;
	*ti = (struct holdfast_tenant_info){ .tenant = 7 };
	memcpy(ti->used, of(a)->used, sizeof(of(a)->used));
	memcpy(ti->budget, of(a)->budget, sizeof(of(a)->budget));
	return 1;
}

static inline int f_quota(struct holdfast_keeping *k, struct holdfast_quota *q)
{
	struct fake *f = of(k);
	uint64_t all = 0;

	cr_assert_eq(q->tenant, 7);
	if (!f->known)
		memset(f->budget, 0xff, sizeof(f->budget));
	f->known = true;
	f->sets++;
	for (size_t i = 0; i < HOLDFAST_QUOTA_COUNT; i++)
		if (q->set & 1U << i)
			f->budget[i] = q->budget[i];
	memcpy(q->budget, f->budget, sizeof(f->budget));
	/* At no moment more than the quota, not even between two settings. */
	for (size_t i = 0; quota_ms && i < ARRAYS; i++)
		if (fake[i].known)
			all += fake[i].budget[0] > fake[i].used[0] ? fake[i].budget[0] : fake[i].used[0];
	cr_assert(!quota_ms || all <= quota_ms, "%llu ms where %llu ms is the quota",
		  (unsigned long long)all, (unsigned long long)quota_ms);
	return 0;
}

static inline int f_past(uint32_t index, uint64_t since, hf_event_fn seen, void *arg)
{
	(void)index;
	(void)since;
	(void)seen;
	(void)arg;
	return 0;
}

static const struct hf_device driver = {
	.enumerate = f_enumerate,
	.open = f_open,
	.close = f_close,
	.fd = f_fd,
	.info = f_info,
	.status = f_status,
	.silence = f_silence,
	.envelope_get = f_envelope_get,
	.envelope_set = f_envelope_set,
	.envelope_tighten = f_envelope_tighten,
	.fence_get = f_fence_get,
	.fence_set = f_fence_set,
	.fence_add = f_fence_add,
	.seal = f_seal,
	.keep = f_keep,
	.unkeep = f_unkeep,
	.keep_fd = f_keep_fd,
	.deadline_ms = f_deadline_ms,
	.beat = f_beat,
	.revoke = f_revoke,
	.tenants = f_tenants,
	.quota = f_quota,
	.past = f_past,
};

/* ------------------------------------------------------------- the keeper */

static struct hf_test_clock clock_;
static struct hf_keeper *k;

static inline void ignore(void *arg)
{
	(void)arg;
}

static inline int no_audit(void *arg, const struct hf_record *r, hf_reply_fn fn, void *fn_arg)
{
	(void)arg;
	(void)fn;
	(void)fn_arg;
	json_decref(r->detail);
	return -ENOTCONN;
}

static inline json_t *config(int amp_cap, int64_t emission_ms)
{
	json_t *j = json_pack("{s:{s:s,s:s}, s:{s:b,s:i,s:i,s:i,s:b,s:s,s:b}, s:[{s:s, s:{s:i}}],"
			      "s:[{s:s,s:i,s:[s],s:[s],s:{s:I,s:i}}], s:{s:i,s:i,s:i}}",
			      "paths", "state", "/s", "run", "/r", "keeper", "seal", 1, "beat_ms",
			      100, "lease_max_s", 3600, "audit_grace_ms", 5000, "reset_two_person",
			      0, "group", "g", "disarm_on_auth_loss", 0, "arrays", "match", "*",
			      "limits", "amp_cap", amp_cap, "tenants", "name", "lab", "id", 7,
			      "arrays", "*", "rights", "frames", "quota", "emission_ms",
			      (json_int_t)emission_ms, "per_hours", 24, "health",
			      "temperature_margin_mc", 5000, "self_test_hours", 24,
			      "calibration_days", 365);

	cr_assert(j);
	return j;
}

static inline void settings(int amp_cap, int64_t emission_ms)
{
	json_t *j = config(amp_cap, emission_ms);
	struct hf_err e;

	hf_settings_free(k->settings);
	cr_assert_eq(hf_settings_new(&k->settings, j, &e), 0, "%s", e.text);
	json_decref(j);
}

static inline void begin_as(bool sysadmin, int amp_cap)
{
	hf_test_clock_init(&clock_, 1000 * HF_S, 1700000000 * HF_S);
	k = calloc(1, sizeof(*k));
	cr_assert_eq(hf_loop_new(&k->loop, &clock_.clock), 0);
	k->clock = &clock_.clock;
	k->device = &driver;
	k->sysadmin = sysadmin;
	k->others_seal = !sysadmin;
	k->scan_wait_ns = HF_S;
	k->peers.append = no_audit;
	k->ladder_peers = (struct hf_peers){ hf_record_peer, NULL, k, NULL };
	hf_ladder_init(&k->ladder, 0);
	cr_assert_eq(hf_quota_start(k), 0);
	cr_assert_eq(hf_timer_new(&k->pump, k->loop, ignore, NULL), 0);
	cr_assert_eq(hf_timer_new(&k->scan, k->loop, ignore, NULL), 0);
	settings(amp_cap, 10000);
	hf_arrays_scan(k);
}

static inline void begin(int amp_cap)
{
	begin_as(true, amp_cap);
}

static inline void end(void)
{
	k->stopping = true;
	quota_ms = 0;	/* an array that was left has no lease any more, and its share goes to others */
	for (size_t i = 0; i < HF_ARRAYS; i++)
		if (k->array[i].used)
			hf_array_leave(&k->array[i], "the test is over");
	for (size_t i = 0; i < HF_RECORDERS; i++)
		free(k->recorder[i]);
	hf_quota_free(k);
	hf_timer_free(k->pump);
	hf_timer_free(k->scan);
	hf_settings_free(k->settings);
	hf_loop_free(k->loop);
	free(k);
}

static inline void plug(void)
{
	memset(fake, 0, sizeof(fake));
	for (size_t i = 0; i < ARRAYS; i++) {
		fake[i].events = eventfd(0, EFD_CLOEXEC);
		fake[i].sysadmin = true;
		fake[i].site.limit[HOLDFAST_LIM_AMP_CAP] = 65535;
	}
}

#endif /* HF_KEEPER_KIT_H */
