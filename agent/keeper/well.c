// SPDX-License-Identifier: GPL-2.0
/*
 * What the keeper has to say of driver and arrays when the parent asks how it is
 * (daemon/checks.c has the checks): of each kind the worst array. Only what the
 * driver says at once; nothing here changes an array, but the self-test that the
 * parent may ask for as a remedy.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "health.h"
#include "holdfast_netlink.h"
#include "keeper.h"

#define BEATS_LOOKED	64	/* the newest margins */
#define LOST_NS		(60 * HF_S)	/* so long a loss of events is told */
#define LEASES_WARN	80	/* % of the table */
#define DAY_S		86400

enum { NODE, BEAT, SENSORS, TEMPERATURE, SUPPLY, TRIPS, EVENTS, LEASES, LIMITS, SELF_TEST, CALIBRATION, KINDS };

static const char *const names[KINDS] = {
	"node", "beat", "sensors", "temperature", "supply", "trips", "events", "leases", "limits",
	"self_test", "calibration",
};

void hf_well_event(struct hf_array *a, const struct holdfast_event *e)
{
	if (e->type != HOLDFAST_EVENT_SELF_TEST)
		return;
	a->well.tested_ns = hf_now(a->keeper);
	a->well.failed = e->count;
}

/* Who may open the device node: whoever may, may silence and read everything. */
static struct hf_finding node(struct hf_array *a)
{
	struct stat st;

	if (fstat(a->keeper->device->fd(a->dev), &st))
		return hf_finding(HF_HEALTH_UNKNOWN, NAN, NAN, "its node cannot be looked at: %s",
				  strerror(errno));
	if (st.st_mode & 0007 || st.st_uid)
		return hf_finding(HF_HEALTH_FAIL, NAN, NAN,
				  "/dev/holdfast%" PRIu32 " has owner %u and mode %04o: it must be root's, and closed to others",
				  a->index, (unsigned int)st.st_uid, (unsigned int)st.st_mode & 07777);
	return hf_finding_ok(NAN, NAN);
}

/* The least of the newest margins, in % of the deadline. */
static struct hf_finding beat(const struct hf_array *a)
{
	uint64_t n = a->beats < BEATS_LOOKED ? a->beats : BEATS_LOOKED;
	uint32_t least_us = UINT32_MAX;
	enum hf_health health;
	double percent;

	for (uint64_t i = a->beats - n; i < a->beats; i++)
		if (a->margin_us[i % HF_BEATS] < least_us)
			least_us = a->margin_us[i % HF_BEATS];
	if (!n || !a->deadline_ms)
		return hf_finding_ok(NAN, NAN);
	percent = least_us / 10.0 / a->deadline_ms;
	health = hf_health_of(percent, 30, 10);
	return hf_finding(health, percent, 30,
			  "a beat came with %.0f %% of the deadline of %" PRIu32 " ms left", percent,
			  a->deadline_ms);
}

static struct hf_finding sensors(const struct holdfast_status *st)
{
	uint32_t without = 0, first = 0;

	for (uint32_t i = 0; i < st->sensors && i < HOLDFAST_MAX_SENSORS; i++)
		if (!st->sensor[i].valid && !without++)
			first = i;
	if (without)
		return hf_finding(HF_HEALTH_FAIL, without, 0,
				  "%" PRIu32 " of %" PRIu32 " sensors have no plausible new reading, first number %" PRIu32 " (%s)",
				  without, st->sensors, first,
				  holdfast_sensor_kind_name(st->sensor[first].kind));
	return hf_finding_ok(0, 0);
}

/* The hottest reading against the limit that trips; NAN: there is none. */
static struct hf_finding temperature(const struct hf_keeper *k, const struct holdfast_status *st,
				     const struct holdfast_envelope *eff)
{
	int64_t hottest = INT64_MIN, crit = eff->limit[HOLDFAST_LIM_TEMP_CRIT];
	enum hf_health health;

	for (uint32_t i = 0; i < st->sensors && i < HOLDFAST_MAX_SENSORS; i++)
		if (st->sensor[i].valid && st->sensor[i].kind == HOLDFAST_SENSOR_TEMP &&
		    st->sensor[i].value > hottest)
			hottest = st->sensor[i].value;
	if (hottest == INT64_MIN)
		return hf_finding_ok(NAN, NAN);
	health = hf_health_of((double)hottest, (double)(crit - k->settings->well.margin_mc),
			      (double)crit);
	return hf_finding(health, (double)hottest / 1000, (double)crit / 1000,
			  "%.1f degrees, it trips at %.1f", (double)hottest / 1000,
			  (double)crit / 1000);
}

/* Warns in the outer tenth of the range. */
static struct hf_finding supply(const struct holdfast_status *st, const struct holdfast_envelope *eff)
{
	double low = (double)eff->limit[HOLDFAST_LIM_SUPPLY_MIN] / 1000;
	double high = (double)eff->limit[HOLDFAST_LIM_SUPPLY_MAX] / 1000, edge = (high - low) / 10;
	struct hf_finding f = hf_finding_ok(NAN, NAN);

	for (uint32_t i = 0; i < st->sensors && i < HOLDFAST_MAX_SENSORS; i++) {
		double v = (double)st->sensor[i].value / 1000;
		bool lower = v - low < high - v;
		struct hf_finding one;

		if (!st->sensor[i].valid || st->sensor[i].kind != HOLDFAST_SENSOR_SUPPLY)
			continue;
		one = hf_finding(lower ? hf_health_of(v, low + edge, low) :
				 hf_health_of(v, high - edge, high), v, lower ? low : high,
				 "%.2f V, it trips at %.2f V", v, lower ? low : high);
		if (isnan(f.value))
			f = one;
		else
			hf_finding_worse(&f, &one);
	}
	return f;
}

static struct hf_finding trips(const struct holdfast_status *st)
{
	if (st->state != HOLDFAST_STATE_TRIPPED)
		return hf_finding_ok(st->trips, NAN);
	return hf_finding(st->trip_severity >= HOLDFAST_SEV_EMERGENCY ? HF_HEALTH_FAIL : HF_HEALTH_WARN,
			  st->trips, NAN, "tripped: %s (%s)", holdfast_cause_name(st->trip_cause),
			  holdfast_severity_name(st->trip_severity));
}

/* Lost for the audit log: for want of room here or in the kernel, or the keeper fell behind. */
static struct hf_finding events(struct hf_array *a)
{
	uint64_t lost = a->rec->dropped + a->rec->missed + a->late, now_ns = hf_now(a->keeper);

	if (lost != a->well.lost)
		a->well.lost_ns = now_ns;
	a->well.lost = lost;
	if (lost && now_ns - a->well.lost_ns < LOST_NS)
		return hf_finding(HF_HEALTH_WARN, (double)lost, 0,
				  "%" PRIu64 " times events were lost or late, the last time %" PRIu64 " s ago",
				  lost, (uint64_t)((now_ns - a->well.lost_ns) / HF_S));
	return hf_finding_ok((double)lost, 0);
}

static struct hf_finding leases(const struct hf_array *a)
{
	double percent = 100.0 * (double)a->leases / HOLDFAST_MAX_LEASES;

	return hf_finding(hf_health_of(percent, LEASES_WARN, 100), (double)a->leases,
			  HOLDFAST_MAX_LEASES, "%zu of %d leases are given", a->leases,
			  HOLDFAST_MAX_LEASES);
}

static struct hf_finding limits(const struct hf_array *a)
{
	if (a->lacks)
		return hf_finding(HF_HEALTH_WARN, (double)a->lacks, 0,
				  "%zu limits are tighter than the configuration wants, and sealed until reboot",
				  a->lacks);
	return hf_finding_ok(0, 0);
}

static struct hf_finding self_test(const struct hf_array *a)
{
	double hours = (double)((hf_now(a->keeper) - a->well.tested_ns) / HF_S) / 3600;
	double most = (double)(a->keeper->settings->well.self_test_ns / HF_S) / 3600;

	if (a->well.failed)
		return hf_finding(HF_HEALTH_FAIL, hours, most, "the last self-test failed (parts %#" PRIx32 ")",
				  a->well.failed);
	return hf_finding(hf_health_of(hours, most, INFINITY), hours, most,
			  "no self-test for %.0f hours", hours);
}

static struct hf_finding calibration(const struct hf_array *a)
{
	const struct hf_settings *s = a->keeper->settings;
	double days, most = (double)(s->well.calibration_s / DAY_S);
	struct hf_site site;

	if (hf_settings_site(s, a->index, a->serial, &site) != 1 || !site.calibrated_s)
		return hf_finding_ok(NAN, most);
	days = (double)((int64_t)(hf_real_ns(a->keeper->clock) / HF_S) - site.calibrated_s) / DAY_S;
	if (days < -1)
		return hf_finding(HF_HEALTH_WARN, days, most, "calibrated in the future: %.0f days from now",
				  -days);
	return hf_finding(hf_health_of(days, most, INFINITY), days, most,
			  "calibrated %.0f days ago", days);
}

static void array_findings(struct hf_array *a, struct hf_finding f[KINDS])
{
	const struct hf_device *d = a->keeper->device;
	struct holdfast_envelope eff;
	struct holdfast_status st;
	bool known = !d->status(a->dev, &st) && !d->envelope_get(a->dev, HOLDFAST_ENV_EFFECTIVE, &eff);
	struct hf_finding silent = hf_finding(HF_HEALTH_UNKNOWN, NAN, NAN, "the driver does not answer");

	f[NODE] = node(a);
	f[BEAT] = beat(a);
	f[SENSORS] = known ? sensors(&st) : silent;
	f[TEMPERATURE] = known ? temperature(a->keeper, &st, &eff) : silent;
	f[SUPPLY] = known ? supply(&st, &eff) : silent;
	f[TRIPS] = known ? trips(&st) : silent;
	f[EVENTS] = events(a);
	f[LEASES] = leases(a);
	f[LIMITS] = limits(a);
	f[SELF_TEST] = self_test(a);
	f[CALIBRATION] = calibration(a);
	for (int i = 0; i < KINDS; i++)
		f[i].array = (int)a->index;
}

/* Is the module there, does it speak our language, and has each array that is ours been taken? */
static struct hf_finding driver(struct hf_keeper *k)
{
	uint32_t index[HF_ARRAYS], kept = 0;
	int n = k->device->enumerate(index, HF_ARRAYS);
	struct holdfast_info info;

	if (n < 0)
		return hf_finding(HF_HEALTH_FAIL, NAN, NAN, "no driver: %s", strerror(-n));
	for (size_t i = 0; i < HF_ARRAYS; i++) {
		const struct hf_array *a = &k->array[i];

		if (!a->used)
			continue;
		kept++;
		if (!k->device->info(a->dev, &info) && info.abi != HOLDFAST_ABI_VERSION)
			return hf_finding(HF_HEALTH_FAIL, info.abi, HOLDFAST_ABI_VERSION,
					  "the driver has ABI %" PRIu32 ", this agent was built for %d",
					  info.abi, HOLDFAST_ABI_VERSION);
	}
	if (json_array_size(json_object_get(k->settings->config, "arrays")) && !kept)
		return hf_finding(HF_HEALTH_FAIL, 0, 1, "%d arrays are there, none of them is kept", n);
	return hf_finding_ok(kept, NAN);
}

void hf_well_findings(struct hf_keeper *k, json_t *list)
{
	struct hf_finding worst[KINDS], one[KINDS], d = driver(k);
	bool first = true;

	hf_findings_add(list, "driver", &d);
	for (size_t i = 0; i < HF_ARRAYS; i++) {
		if (!k->array[i].used)
			continue;
		array_findings(&k->array[i], one);
		for (int kind = 0; kind < KINDS; kind++)
			if (first)
				worst[kind] = one[kind];
			else
				hf_finding_worse(&worst[kind], &one[kind]);
		first = false;
	}
	for (int kind = 0; kind < KINDS; kind++) {
		if (first)	/* no array: nothing of one is wrong */
			worst[kind] = hf_finding_ok(NAN, NAN);
		hf_findings_add(list, names[kind], &worst[kind]);
	}
}

/* ------------------------------------------------------- the remedy */

struct due {
	struct hf_keeper *keeper;
	uint32_t index;
	uint64_t instance;
	struct holdfast_self_test test;
	int ret;
};

static void due_run(void *arg)
{
	struct due *d = arg;

	d->ret = hf_self_test(d->keeper->device, d->index, &d->test);
}

/* What came of it comes as an event, too. */
static void due_done(void *arg)
{
	struct due *d = arg;
	struct hf_array *a = hf_array_find(d->keeper, d->index);

	if (a && a->instance == d->instance)
		a->testing = false;
	if (d->ret)
		hf_log_app(HF_LOG_WARN, "self_test.due", NULL, "array %" PRIu32 ": %s", d->index,
			   strerror(-d->ret));
	free(d);
}

static int due_begin(struct hf_array *a)
{
	struct due *d = malloc(sizeof(*d));
	struct hf_job job = { due_run, due_done, d };

	if (!d)
		return -ENOMEM;
	*d = (struct due){ .keeper = a->keeper, .index = a->index, .instance = a->instance };
	if (a->testing || hf_worker_give(a->keeper->worker, &job)) {
		free(d);
		return -EBUSY;
	}
	a->testing = true;
	return 0;
}

void hf_well_call(struct hf_keeper *k, struct hf_link *from, const struct hf_ipc_msg *m)
{
	const json_t *index = json_object_get(json_object_get(m->body, "args"), "array");
	struct hf_array *a = json_is_integer(index) ?
			     hf_array_find(k, (uint32_t)json_integer_value(index)) : NULL;
	int ret;

	if (strcmp(json_string_value(json_object_get(m->body, "op")), "array.self_test") != 0) {
		hf_link_error(from, m->id, &m->corr, 403, "role", "the parent may not ask for this");
		return;
	}
	ret = a ? due_begin(a) : -ENODEV;
	if (ret)
		hf_link_error(from, m->id, &m->corr, 409, "busy", "%s", strerror(-ret));
	else
		hf_link_reply(from, m->id, &m->corr, 200, json_object());
}
