// SPDX-License-Identifier: GPL-2.0
/*
 * The keeper over a driver that is played here: limits of the site before and
 * after the seal, quotas shared out over arrays and carried over restarts. Time is
 * the test's.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "health.h"
#include "holdfast_netlink.h"
#include "keeper.h"
#include "service.h"
#include "site.h"

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

static struct fake *of(const void *handle)
{
	return (struct fake *)(uintptr_t)handle;
}

static int f_enumerate(uint32_t *index, size_t room)
{
	cr_assert_geq(room, ARRAYS);
	for (uint32_t i = 0; i < ARRAYS; i++)
		index[i] = i;
	return ARRAYS;
}

static int f_open(struct holdfast_array **out, const char *which, unsigned int flags)
{
	(void)flags;
	if (fake[atoi(which)].absent)
		return -ENODEV;
	*out = (struct holdfast_array *)&fake[atoi(which)];
	return 0;
}

static void f_close(struct holdfast_array *a)
{
	(void)a;
}

static int f_info(struct holdfast_array *a, struct holdfast_info *info)
{
	*info = (struct holdfast_info){ .index = (uint32_t)(of(a) - fake),
					.abi = of(a)->abi,
					.instance = 100 + (uint64_t)(of(a) - fake) };
	snprintf(info->serial, sizeof(info->serial), "a%d", (int)(of(a) - fake));
	return 0;
}

static int node_fd = -1;

static int f_fd(const struct holdfast_array *a)
{
	(void)a;
	return node_fd;
}

static int f_status(struct holdfast_array *a, struct holdfast_status *st)
{
	*st = of(a)->st;
	st->sealed = of(a)->sealed;
	st->beat_ns = of(a)->claimed ? 1 : 0;
	return 0;
}

static int f_silence(struct holdfast_array *a, uint32_t flags, const uint8_t *corr)
{
	(void)a;
	(void)flags;
	(void)corr;
	silenced++;
	return 0;
}

static int f_envelope_get(struct holdfast_array *a, uint32_t which, struct holdfast_envelope *env)
{
	(void)which;
	*env = of(a)->site;
	return 0;
}

static void apply(struct fake *f, const struct holdfast_envelope *env)
{
	for (size_t i = 0; i < HOLDFAST_LIM_ROOM; i++)
		if (env->set & 1ULL << i)
			f->site.limit[i] = env->limit[i];
}

static int f_envelope_set(struct holdfast_array *a, struct holdfast_envelope *env)
{
	if (of(a)->sealed || !of(a)->sysadmin)
		return -EPERM;
	apply(of(a), env);
	return 0;
}

static int f_envelope_tighten(struct holdfast_array *a, struct holdfast_envelope *env)
{
	for (uint32_t i = 0; i < HOLDFAST_LIM_ROOM; i++)
		if (env->set & 1ULL << i &&
		    hf_limit_tighter(i, of(a)->site.limit[i], env->limit[i]))
			return -EPERM;
	apply(of(a), env);
	return 0;
}

static int f_fence_get(struct holdfast_array *a, uint32_t which, struct holdfast_fence_point *p,
		       size_t room)
{
	(void)which;
	(void)p;
	(void)room;
	return of(a)->nfence;
}

static int f_fence_set(struct holdfast_array *a, const struct holdfast_fence_point *p, size_t n,
		       struct holdfast_reason *r)
{
	(void)r;
	memcpy(of(a)->fence, p, n * sizeof(*p));
	of(a)->nfence = (int)n;
	return 0;
}

static int f_fence_add(struct holdfast_array *a, const struct holdfast_fence_point *p, size_t n,
		       struct holdfast_reason *r)
{
	(void)r;
	(void)p;
	of(a)->nfence += (int)n;
	return 0;
}

static int f_seal(struct holdfast_array *a)
{
	if (!of(a)->sysadmin)
		return -EPERM;
	of(a)->sealed = true;
	return 0;
}

static int f_keep(struct holdfast_keeping **out, struct holdfast_array *a)
{
	*out = (struct holdfast_keeping *)a;
	of(a)->claimed = true;
	return 0;
}

static void f_unkeep(struct holdfast_keeping *k)
{
	of(k)->claimed = false;
}

static int f_keep_fd(const struct holdfast_keeping *k)
{
	return of(k)->events;
}

static uint32_t f_deadline_ms(const struct holdfast_keeping *k)
{
	(void)k;
	return 500;
}

static int f_beat(struct holdfast_keeping *k, hf_event_fn seen, void *arg)
{
	(void)k;
	(void)seen;
	(void)arg;
	return 0;
}

static int f_revoke(struct holdfast_keeping *k, uint64_t id, const uint8_t *corr)
{
	(void)k;
	(void)id;
	(void)corr;
	revoked++;
	return 0;
}

static int f_tenants(struct holdfast_array *a, struct holdfast_tenant_info *ti, size_t room)
{
	(void)room;
	if (!of(a)->known)
		return 0;
	*ti = (struct holdfast_tenant_info){ .tenant = 7 };
	memcpy(ti->used, of(a)->used, sizeof(of(a)->used));
	memcpy(ti->budget, of(a)->budget, sizeof(of(a)->budget));
	return 1;
}

static int f_quota(struct holdfast_keeping *k, struct holdfast_quota *q)
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

static int f_past(uint32_t index, uint64_t since, hf_event_fn seen, void *arg)
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

static void ignore(void *arg)
{
	(void)arg;
}

static int no_audit(void *arg, const struct hf_record *r, hf_reply_fn fn, void *fn_arg)
{
	(void)arg;
	(void)fn;
	(void)fn_arg;
	json_decref(r->detail);
	return -ENOTCONN;
}

static json_t *config(int amp_cap, int64_t emission_ms)
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

static void settings(int amp_cap, int64_t emission_ms)
{
	json_t *j = config(amp_cap, emission_ms);
	struct hf_err e;

	hf_settings_free(k->settings);
	cr_assert_eq(hf_settings_new(&k->settings, j, &e), 0, "%s", e.text);
	json_decref(j);
}

static void begin_as(bool sysadmin, int amp_cap)
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
	k->ladder_peers = (struct hf_peers){ hf_record_peer, NULL, k };
	hf_ladder_init(&k->ladder, 0);
	cr_assert_eq(hf_quota_start(k), 0);
	cr_assert_eq(hf_timer_new(&k->pump, k->loop, ignore, NULL), 0);
	cr_assert_eq(hf_timer_new(&k->scan, k->loop, ignore, NULL), 0);
	settings(amp_cap, 10000);
	hf_arrays_scan(k);
}

static void begin(int amp_cap)
{
	begin_as(true, amp_cap);
}

static void end(void)
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

static void plug(void)
{
	memset(fake, 0, sizeof(fake));
	for (size_t i = 0; i < ARRAYS; i++) {
		fake[i].events = eventfd(0, EFD_CLOEXEC);
		fake[i].sysadmin = true;
		fake[i].site.limit[HOLDFAST_LIM_AMP_CAP] = 65535;
	}
}

/* ---------------------------------------------------------------- limits */

Test(limits, set_and_sealed_then_only_tightened)
{
	plug();
	fake[2].site.limit[HOLDFAST_LIM_AMP_CAP] =
		100; /* somebody's, unsealed: the configuration counts */
	begin(500);
	for (size_t i = 0; i < ARRAYS; i++) {
		cr_assert(k->array[i].used && fake[i].sealed);
		cr_assert_eq(fake[i].site.limit[HOLDFAST_LIM_AMP_CAP], 500);
		cr_assert_eq(k->array[i].lacks, 0);
	}
	cr_assert(!k->sysadmin, "the right is kept although it is no longer needed");
	/* New settings: tighter goes in, looser is said. */
	settings(400, 10000);
	hf_arrays_settings(k);
	cr_assert_eq(fake[0].site.limit[HOLDFAST_LIM_AMP_CAP], 400);
	cr_assert_eq(k->array[0].lacks, 0);
	settings(450, 10000);
	hf_arrays_settings(k);
	cr_assert_eq(fake[0].site.limit[HOLDFAST_LIM_AMP_CAP], 400);
	cr_assert_eq(k->array[0].lacks, 1);
	cr_assert_eq(k->array[0].lack[0].wanted, 450);
	cr_assert_eq(k->array[0].lack[0].has, 400);
	end();
}

Test(limits, a_keeper_that_comes_back_to_a_seal)
{
	plug();
	begin(500);
	end();
	for (size_t i = 0; i < ARRAYS; i++)
		cr_assert(fake[i].sealed);
	fake[1].nfence = 2;
	begin(600);
	cr_assert(k->array[0].used);
	cr_assert_eq(fake[0].site.limit[HOLDFAST_LIM_AMP_CAP], 500);
	cr_assert_eq(k->array[0].lacks, 1);
	cr_assert_eq(k->array[1].lacks, 2,
		     "a looser limit, and fence points that are not configured");
	end();
}

/* ------------------------------------------------- limits and seal by others */

static int site_run(int amp_cap, bool seal, int array)
{
	json_t *j = config(amp_cap, 10000);
	struct hf_err e = { "" };
	int ret;

	json_object_set_new(json_object_get(j, "keeper"), "seal", json_boolean(seal));
	ret = hf_site_run(j, array, &driver, &e);
	json_decref(j);
	cr_assert_eq(!!ret, e.text[0] != '\0', "%d: %s", ret, e.text);
	return ret;
}

static int64_t cap(size_t i)
{
	return fake[i].site.limit[HOLDFAST_LIM_AMP_CAP];
}

Test(limits, without_the_right_a_keeper_claims_nothing_before_it_is_sealed)
{
	plug();
	begin_as(false, 500);
	for (size_t i = 0; i < ARRAYS; i++)
		cr_assert(!k->array[i].used && !fake[i].claimed && !fake[i].sealed);
	cr_assert(hf_timer_running(k->scan), "it is tried again");
	cr_assert_eq(site_run(500, true, 1), 0);
	hf_arrays_scan(k);
	cr_assert(!k->array[0].used && k->array[1].used && !k->array[2].used);
	cr_assert(k->array[1].sealed);
	cr_assert_eq(cap(1), 500);
	cr_assert_eq(site_run(500, true, -1), 0);
	hf_arrays_scan(k);
	for (size_t i = 0; i < ARRAYS; i++)
		cr_assert(k->array[i].used && k->array[i].sealed);
	end();
}

Test(limits, without_the_right_and_without_a_seal_they_are_tightened)
{
	plug();
	begin_as(false, 500);
	k->settings->seal = false;
	fake[2].site.limit[HOLDFAST_LIM_AMP_CAP] = 100;
	hf_arrays_scan(k);
	for (size_t i = 0; i < ARRAYS; i++)
		cr_assert(k->array[i].used && !fake[i].sealed);
	cr_assert_eq(cap(0), 500);
	cr_assert_eq(cap(2), 100);
	end();
}

Test(site, sets_and_seals_all)
{
	plug();
	fake[2].site.limit[HOLDFAST_LIM_AMP_CAP] = 100;
	cr_assert_eq(site_run(500, true, -1), 0);
	for (size_t i = 0; i < ARRAYS; i++)
		cr_assert(cap(i) == 500 && fake[i].sealed);
	cr_assert_eq(site_run(600, true, -1), 0, "a seal is no failure");
	cr_assert_eq(cap(0), 500);
	cr_assert_eq(site_run(400, true, -1), 0);
	cr_assert_eq(cap(0), 400, "nobody keeps it: tighter goes in");
}

Test(site, one_array_and_no_other)
{
	plug();
	cr_assert_eq(site_run(500, true, 1), 0);
	cr_assert(fake[1].sealed && cap(1) == 500);
	cr_assert(!fake[0].sealed && !fake[2].sealed && cap(0) == 65535);
	fake[2].absent = true;
	cr_assert_eq(site_run(500, true, 2), 0, "it has gone again");
	cr_assert_eq(site_run(500, true, HF_ARRAYS), -EINVAL);
}

/* What an admin has tightened by the API stays, and so does what the keeper goes by. */
Test(site, limits_of_an_array_that_is_kept_are_its_keepers)
{
	plug();
	for (size_t i = 0; i < ARRAYS; i++)
		fake[i].claimed = true;
	fake[0].site.limit[HOLDFAST_LIM_AMP_CAP] = 100;
	cr_assert_eq(site_run(500, false, -1), 0);
	cr_assert(cap(0) == 100 && cap(1) == 65535);
	fake[1].sealed = true;
	cr_assert_eq(site_run(400, true, -1), 0);
	cr_assert(cap(0) == 100 && cap(1) == 65535);
	cr_assert(fake[0].sealed, "one that came later to a keeper that has given up the right");
}

Test(site, one_that_fails_stops_no_other)
{
	plug();
	fake[0].sysadmin = false;
	cr_assert_eq(site_run(500, true, -1), -EPERM);
	cr_assert(fake[1].sealed && fake[2].sealed);
}

/* ---------------------------------------------------------------- backups */

/* ---------------------------------------------------------------- health */

static struct holdfast_sample sample(uint32_t kind, int64_t value)
{
	return (struct holdfast_sample){ .kind = kind, .valid = 1, .value = value };
}

/* Arrays of which nothing is wrong. */
static void well(void)
{
	plug();
	begin(1000);
	node_fd = memfd_create("node", 0);
	cr_assert_eq(fchmod(node_fd, 0660), 0);
	for (int i = 0; i < ARRAYS; i++) {
		fake[i].abi = HOLDFAST_ABI_VERSION;
		fake[i].site.limit[HOLDFAST_LIM_TEMP_CRIT] = 60000;
		fake[i].site.limit[HOLDFAST_LIM_SUPPLY_MIN] = 21600;
		fake[i].site.limit[HOLDFAST_LIM_SUPPLY_MAX] = 26400;
		fake[i].st.sensors = 2;
		fake[i].st.sensor[0] = sample(HOLDFAST_SENSOR_TEMP, 30000);
		fake[i].st.sensor[1] = sample(HOLDFAST_SENSOR_SUPPLY, 24000);
	}
}

/* What is said of @check; "" : nothing wrong. */
static struct hf_finding said(const char *check)
{
	struct hf_finding f, found = { .health = HF_HEALTH_UNKNOWN, .text = "nobody said" };
	json_t *list = json_array(), *j;
	char name[HF_HEALTH_NAME];
	size_t i;

	hf_well_findings(k, list);
	cr_assert_eq(json_array_size(list), 12);
	json_array_foreach(list, i, j) {
		cr_assert_eq(hf_finding_read(j, name, &f), 0);
		cr_assert_eq(f.health == HF_HEALTH_OK, !f.text[0], "%s: %s", name, f.text);
		if (!strcmp(name, check))
			found = f;
	}
	json_decref(list);
	return found;
}

static void expect(const char *check, enum hf_health health, int array, const char *text)
{
	struct hf_finding f = said(check);

	cr_expect_eq(f.health, health, "%s: %d %s", check, (int)f.health, f.text);
	cr_expect_eq(f.array, array, "%s: array %d", check, f.array);
	cr_expect(strstr(f.text, text), "%s: %s", check, f.text);
}

Test(well, nothing_is_wrong)
{
	static const char *const all[] = { "node", "beat", "sensors", "temperature", "supply", "trips",
					   "events", "leases", "limits", "self_test", "calibration" };

	well();
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		expect(all[i], HF_HEALTH_OK, 0, "");
	expect("driver", HF_HEALTH_OK, -1, "");
	end();
}

Test(well, the_worst_array_counts)
{
	well();
	fake[0].st.sensor[0].value = 55500;
	expect("temperature", HF_HEALTH_WARN, 0, "55.5 degrees, it trips at 60.0");
	fake[1].st.sensor[0].value = 60000;
	expect("temperature", HF_HEALTH_FAIL, 1, "60.0 degrees");
	fake[1].st.sensor[0].valid = 0;
	expect("temperature", HF_HEALTH_WARN, 0, "55.5");
	expect("sensors", HF_HEALTH_FAIL, 1, "1 of 2 sensors");
	fake[1].st.sensor[1].value = 22000;
	expect("supply", HF_HEALTH_WARN, 1, "22.00 V, it trips at 21.60 V");
	fake[0].st.sensor[1].value = 26400;
	expect("supply", HF_HEALTH_FAIL, 0, "it trips at 26.40 V");
	fake[1].st.state = HOLDFAST_STATE_TRIPPED;
	fake[1].st.trip_cause = HOLDFAST_CAUSE_FAN_FAILED;
	fake[1].st.trip_severity = HOLDFAST_SEV_CRITICAL;
	expect("trips", HF_HEALTH_WARN, 1, "fan-failed");
	fake[1].st.trip_severity = HOLDFAST_SEV_EMERGENCY;
	expect("trips", HF_HEALTH_FAIL, 1, "fan-failed");
	end();
}

Test(well, node_and_driver)
{
	well();
	cr_assert_eq(fchmod(node_fd, 0662), 0);
	expect("node", HF_HEALTH_FAIL, 0, "mode 0662");
	close(node_fd);
	expect("node", HF_HEALTH_UNKNOWN, 0, "cannot be looked at");
	fake[1].abi++;
	expect("driver", HF_HEALTH_FAIL, -1, "ABI 2");
	for (int i = 0; i < ARRAYS; i++)
		hf_array_leave(&k->array[i], "test");
	expect("driver", HF_HEALTH_FAIL, -1, "none of them is kept");
	expect("sensors", HF_HEALTH_OK, -1, "");
	end();
}

Test(well, beats)
{
	struct hf_array *a;

	well();
	a = &k->array[1];
	a->deadline_ms = 100;
	for (a->beats = 0; a->beats < 200; a->beats++)
		a->margin_us[a->beats] = a->beats < 100 ? 5000 : 60000;
	expect("beat", HF_HEALTH_OK, 0, "");	/* what was long ago counts no more */
	a->margin_us[199] = 25000;
	expect("beat", HF_HEALTH_WARN, 1, "25 % of the deadline of 100 ms");
	a->margin_us[198] = 0;
	expect("beat", HF_HEALTH_FAIL, 1, "0 % of the deadline");
	end();
}

Test(well, events_leases_tests)
{
	const struct holdfast_event failed = { .type = HOLDFAST_EVENT_SELF_TEST, .count = 8 };
	const struct holdfast_event passed = { .type = HOLDFAST_EVENT_SELF_TEST };
	struct hf_array *a;

	well();
	a = &k->array[1];
	a->rec->missed = 3;
	expect("events", HF_HEALTH_WARN, 1, "3 times");
	hf_test_clock_advance(&clock_, 59 * HF_S);
	expect("events", HF_HEALTH_WARN, 1, "59 s ago");
	hf_test_clock_advance(&clock_, HF_S);
	expect("events", HF_HEALTH_OK, 0, "");
	a->leases = HOLDFAST_MAX_LEASES * 80 / 100 + 1;
	expect("leases", HF_HEALTH_WARN, 1, "13 of 16");
	a->leases = HOLDFAST_MAX_LEASES;
	expect("leases", HF_HEALTH_FAIL, 1, "16 of 16");
	a->leases = 0;
	hf_well_event(a, &failed);
	expect("self_test", HF_HEALTH_FAIL, 1, "parts 0x8");
	hf_well_event(a, &passed);
	expect("self_test", HF_HEALTH_OK, 0, "");
	hf_test_clock_advance(&clock_, 25 * 3600 * HF_S);
	hf_well_event(a, &passed);
	expect("self_test", HF_HEALTH_WARN, 0, "25 hours");
	end();
}

Test(keeper_backup, what_leaves_the_folder)
{
	cr_expect(hf_keeper_ops.backup("state.json"));
	cr_expect_not(hf_keeper_ops.backup(".state.json.tmp"));
}

/* ---------------------------------------------------------------- quotas */

static void lease(size_t i)
{
	struct hf_array *a = &k->array[i];

	cr_assert_eq(hf_quota_ready(a, &k->settings->tenant[0]), 0);
	a->lease[a->leases++] = (struct hf_lease){ .id = 1 + i, .tenant = 7 };
}

static uint64_t allowed(size_t i)
{
	return fake[i].budget[0] > fake[i].used[0] ? fake[i].budget[0] - fake[i].used[0] : 0;
}

Test(quota, one_array_gets_it_all_and_is_set_once)
{
	plug();
	begin(500);
	lease(0);
	cr_assert_eq(allowed(0), 10000);
	cr_assert(!fake[1].known, "a budget where there is no lease");
	for (int i = 0; i < 10; i++) {
		fake[0].used[0] += 100;
		hf_test_clock_advance(&clock_, HF_S);
		hf_quota_tick(k);
	}
	cr_assert_eq(allowed(0), 9000);
	cr_assert_eq(fake[0].sets, 1, "each setting is an event");
	end();
}

/* The driver tells what was used rounded up, and stops at the next tick: a new lease gives nothing of it. */
Test(quota, what_is_spent_stays_spent)
{
	plug();
	begin(500);
	lease(0);
	fake[0].used[0] = 10020;
	hf_quota_tick(k);
	k->array[0].leases = 0;
	lease(0);
	cr_assert_eq(fake[0].budget[0], 10000);
	cr_assert_eq(hf_quota_reset(k, &k->settings->tenant[0]), 0);
	cr_assert_eq(allowed(0), 10000);
	end();
}

Test(quota, arrays_together_never_get_more)
{
	uint64_t seed = check_seed(), total = 0;

	plug();
	begin(500);
	quota_ms = 10000;
	lease(0);
	fake[0].used[0] = 1000;
	lease(1);
	lease(2);
	cr_assert_leq(allowed(0) + allowed(1) + allowed(2), 9000);
	cr_assert_geq(allowed(2), 2990);
	/* Whatever they play, as far as the driver lets them. */
	for (int i = 0; i < 400; i++) {
		size_t n = i < 20 ? check_random(&seed) % ARRAYS : 0;
		uint64_t most = allowed(n), more = most ? check_random(&seed) % (most / 3 + 2) : 0;

		fake[n].used[0] += more < most ? more : most;
		hf_quota_tick(k);
		total = fake[0].used[0] + fake[1].used[0] + fake[2].used[0];
		cr_assert_leq(total + allowed(0) + allowed(1) + allowed(2), 10000, "step %d", i);
	}
	cr_assert_geq(total, 9900, "what is left reaches who needs it: %llu",
		      (unsigned long long)total);
	end();
}

Test(quota, restarts_refill_nothing_and_periods_do)
{
	json_t *state;

	plug();
	begin(500);
	lease(0);
	fake[0].used[0] = 4000;
	hf_quota_tick(k);
	state = hf_quota_state(k);
	fake[0].used[0] = 5000;		/* after the state was written */
	end();

	/* The same registration: the driver's counters go on. */
	begin(500);
	hf_quota_restore(k, state);
	lease(0);
	cr_assert_eq(allowed(0), 5000);
	hf_quota_tick(k);
	json_decref(state);
	state = hf_quota_state(k);
	end();

	/* After a reboot they begin at 0. */
	plug();
	begin(500);
	hf_quota_restore(k, state);
	json_decref(state);
	for (size_t i = 0; i < ARRAYS; i++)
		k->array[i].instance += 50;
	lease(0);
	cr_assert_eq(allowed(0), 5000);
	/* A period later it is given anew, on top of what the counters stand at. */
	fake[0].used[0] = 5000;
	hf_quota_tick(k);
	cr_assert_eq(allowed(0), 0);
	hf_test_clock_advance(&clock_, 24 * 3600 * HF_S);
	hf_quota_tick(k);
	cr_assert_eq(allowed(0), 10000);
	/* And when an admin says so; less when the settings say so. */
	fake[0].used[0] += 6000;
	cr_assert_eq(hf_quota_reset(k, &k->settings->tenant[0]), 0);
	cr_assert_eq(allowed(0), 10000);
	settings(500, 2000);
	hf_quota_settings(k);
	cr_assert_eq(allowed(0), 2000);
	end();
}
