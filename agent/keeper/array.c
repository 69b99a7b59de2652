// SPDX-License-Identifier: GPL-2.0
/*
 * Arrays come, get the site's limits (site.c), are kept, and go. What programs may
 * do with them is not decided here.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holdfast_netlink.h"
#include "keeper.h"
#include "site.h"

#define RETRY_MIN_NS	(250 * HF_MS)
#define RETRY_MAX_NS	(5 * HF_S)

void hf_arrays_settings(struct hf_keeper *k)
{
	for (size_t i = 0; i < HF_ARRAYS; i++) {
		struct hf_array *a = &k->array[i];
		struct hf_site site;
		int ret;

		if (!a->used || hf_settings_site(k->settings, a->index, a->serial, &site) != 1)
			continue;
		ret = hf_site_limits(a, &site, false);
		if (ret) {
			hf_log_sec(HF_LOG_ERROR, "array.limits", NULL,
				   "array %" PRIu32 ": new limits: %s: silenced and left", a->index,
				   strerror(-ret));
			hf_array_leave(a, "its limits could not be set");
		}
	}
	hf_arrays_scan(k);
}

/* --------------------------------------------------------------- recorders */

static const char *tenant_name(void *arg, uint64_t tenant)
{
	return hf_tenant_name(arg, tenant);
}

/* One that has all of its events in the log, and whose array has gone. */
static bool over(const struct hf_keeper *k, const struct hf_recorder *r)
{
	for (size_t i = 0; i < HF_ARRAYS; i++)
		if (k->array[i].used && k->array[i].rec == r)
			return false;
	return hf_recorder_idle(r);
}

static struct hf_recorder *recorder_new(struct hf_keeper *k, const struct holdfast_info *info)
{
	for (size_t i = 0; i < HF_RECORDERS; i++) {
		struct hf_recorder *r = k->recorder[i];

		/* The same registration as before: it goes on where it was. */
		if (r && r->instance == info->instance)
			return r;
	}
	for (size_t i = 0; i < HF_RECORDERS; i++) {
		struct hf_recorder *r;

		if (k->recorder[i])
			continue;
		r = malloc(sizeof(*r));
		if (!r)
			return NULL;
		hf_recorder_init(r, info->index, info->instance, info->serial,
				 hf_store_recorded(k, info->instance), &k->ladder_peers);
		r->tenant_name = tenant_name;
		r->arg = k;
		k->recorder[i] = r;
		return r;
	}
	return NULL;
}

void hf_arrays_pump(struct hf_keeper *k)
{
	for (size_t i = 0; i < HF_RECORDERS; i++) {
		struct hf_recorder *r = k->recorder[i];

		if (!r)
			continue;
		hf_recorder_pump(r);
		if (over(k, r)) {
			hf_store_mark(k, r->instance, r->durable_seq);
			free(r);
			k->recorder[i] = NULL;
		}
	}
}

uint64_t hf_arrays_pending(const struct hf_keeper *k)
{
	uint64_t n = 0;

	for (size_t i = 0; i < HF_RECORDERS; i++)
		n += k->recorder[i] ? hf_recorder_pending(k->recorder[i]) : 0;
	return n;
}

/* ------------------------------------------------------- coming and going */

static void put(const struct holdfast_event *e, void *arg)
{
	hf_recorder_put(arg, e);
}

static void on_events(void *arg, uint32_t events)
{
	(void)events;
	hf_beat_array(arg);
}

/* It is ours: what happened before, its limits, the seal, the first beat. */
static int settle(struct hf_array *a, const struct hf_site *site)
{
	struct hf_keeper *k = a->keeper;
	struct holdfast_status st;
	int ret = k->device->past(a->index, a->rec->last_seq, put, a->rec);

	if (!ret)
		ret = k->device->status(a->dev, &st);
	if (ret)
		return ret;
	a->sealed = st.sealed;
	ret = hf_site_limits(a, site, true);
	if (!ret)
		ret = hf_site_seal(a);
	if (!ret)
		ret = hf_watch_new(&a->watch, k->loop, k->device->keep_fd(a->keeping), EPOLLIN,
				   on_events, a);
	return ret ? ret : hf_beat_array(a);
}

static int keep(struct hf_array *a, struct holdfast_array *dev, const struct holdfast_info *info,
		const struct hf_site *site)
{
	struct hf_keeper *k = a->keeper;
	struct holdfast_keeping *keeping;
	int ret = k->device->keep(&keeping, dev);

	if (ret) {
		k->device->close(dev);
		return ret;
	}
	*a = (struct hf_array){ .keeper = k, .index = info->index, .used = true, .dev = dev,
				.keeping = keeping, .instance = info->instance,
				.deadline_ms = k->device->deadline_ms(keeping),
				.well = { .tested_ns = hf_now(k) } };
	memcpy(a->serial, info->serial, sizeof(a->serial) - 1);
	memcpy(a->model, info->model, sizeof(a->model) - 1);
	a->rec = recorder_new(k, info);
	ret = a->rec ? settle(a, site) : -ENOMEM;
	if (ret && a->used)
		hf_array_leave(a, strerror(-ret));
	return ret;
}

/* Before the claim: what has no keeper is silent. Return: 0, -EAGAIN (not sealed yet), -errno. */
static int seal_await(struct hf_keeper *k, struct holdfast_array *dev)
{
	struct holdfast_status st;
	int ret;

	if (!k->others_seal || !k->settings->seal)
		return 0;
	ret = k->device->status(dev, &st);
	return ret ? ret : st.sealed ? 0 : -EAGAIN;
}

/* Return: 0 (kept, or none of ours), -errno: try again. */
static int take(struct hf_keeper *k, uint32_t index)
{
	struct hf_array *a = &k->array[index];
	struct holdfast_info info;
	struct holdfast_array *dev;
	struct hf_site site;
	bool wanted = false;
	char which[16];
	int ret;

	snprintf(which, sizeof(which), "%" PRIu32, index);
	ret = k->device->open(&dev, which, HOLDFAST_OPEN_WRITE);
	if (ret)
		return ret == -ENODEV ? 0 : ret;
	ret = k->device->info(dev, &info);
	if (!ret) {
		info.serial[sizeof(info.serial) - 1] = '\0';
		ret = hf_settings_site(k->settings, index, info.serial, &site);
	}
	if (ret == 1) {
		wanted = true;
		ret = seal_await(k, dev);
	}
	if (!wanted || ret) {
		k->device->close(dev);
		return ret;
	}
	a->keeper = k;
	ret = keep(a, dev, &info, &site);
	if (ret)
		return ret;
	hf_log_app(HF_LOG_NOTICE, "array.kept", NULL, "array %" PRIu32 " (%s)%s", index, a->serial,
		   a->sealed ? ", sealed" : "");
	return 0;
}

/* Arrays are there and have their limits: the right to set them is no longer needed. */
static void give_up_sysadmin(struct hf_keeper *k)
{
	struct hf_err e;

	for (size_t i = 0; k->sysadmin && i < HF_ARRAYS; i++) {
		if (!k->array[i].used)
			continue;
		k->sysadmin = false;
		if (k->sealed && k->sealed(&e)) {
			hf_log_sec(HF_LOG_ERROR, "sandbox", NULL, "%s", e.text);
			abort();
		}
	}
}

void hf_arrays_scan(struct hf_keeper *k)
{
	uint32_t index[HF_ARRAYS];
	int n = k->device->enumerate(index, HF_ARRAYS);
	bool again = n < 0;

	for (int i = 0; i < n; i++) {
		int ret = 0;

		if (index[i] < HF_ARRAYS && !k->array[index[i]].used)
			ret = take(k, index[i]);
		if (!ret)
			continue;
		again = true;
		hf_log_app(HF_LOG_WARN, "array.take", NULL, "array %" PRIu32 ": %s", index[i],
			   ret == -EAGAIN ? "stays silent until holdfastd --site has sealed it" :
					    strerror(-ret));
	}
	give_up_sysadmin(k);
	if (!again) {
		k->scan_wait_ns = RETRY_MIN_NS;
		return;
	}
	hf_timer_in(k->scan, k->scan_wait_ns);
	if (k->scan_wait_ns < RETRY_MAX_NS)
		k->scan_wait_ns *= 2;
}

void hf_array_leave(struct hf_array *a, const char *why)
{
	struct hf_keeper *k = a->keeper;

	/* All of it is what closing would do; it is done in order, and not left to the end. */
	k->device->silence(a->dev, 0, NULL);
	k->device->revoke(a->keeping, 0, NULL);
	hf_watch_free(a->watch);
	k->device->unkeep(a->keeping);
	k->device->close(a->dev);
	hf_log_app(HF_LOG_NOTICE, "array.left", NULL, "array %" PRIu32 " (%s): %s", a->index,
		   a->serial, why);
	a->used = false;
	a->leases = 0;
	hf_quota_settings(k);
	if (!k->stopping)
		hf_timer_in(k->scan, k->scan_wait_ns);
}

struct hf_array *hf_array_find(struct hf_keeper *k, uint32_t index)
{
	return index < HF_ARRAYS && k->array[index].used ? &k->array[index] : NULL;
}

static bool quiet(struct hf_array *a)
{
	struct holdfast_status st;

	if (a->keeper->device->status(a->dev, &st))
		return false;
	return st.state == HOLDFAST_STATE_SILENT || st.state == HOLDFAST_STATE_TRIPPED;
}

unsigned int hf_arrays_silence(struct hf_keeper *k, int index, bool latch,
			       const struct hf_corr *corr)
{
	unsigned int n = 0;

	/* First all, then look: confirming one must not delay the next. */
	for (size_t i = 0; i < HF_ARRAYS; i++)
		if (k->array[i].used && (index < 0 || (size_t)index == i))
			k->device->silence(k->array[i].dev, latch ? HOLDFAST_SILENCE_LATCH : 0,
					   corr ? corr->b : NULL);
	for (size_t i = 0; i < HF_ARRAYS; i++)
		if (k->array[i].used && (index < 0 || (size_t)index == i))
			n += quiet(&k->array[i]);
	return n;
}

void hf_array_event(struct hf_array *a, const struct holdfast_event *e)
{
	struct hf_corr corr;

	hf_recorder_put(a->rec, e);
	hf_well_event(a, e);
	switch (e->type) {
	case HOLDFAST_EVENT_LEASE:
		if (e->detail != HOLDFAST_DETAIL_CREATED)
			hf_lease_gone(a, e->lease);
		break;
	case HOLDFAST_EVENT_QUOTA:
		a->spent |= e->detail == HOLDFAST_DETAIL_SPENT;
		break;
	case HOLDFAST_EVENT_TRIP:
		a->causes[e->cause < HOLDFAST_CAUSE_COUNT ? e->cause : HOLDFAST_CAUSE_NONE]++;
		memcpy(corr.b, e->corr, sizeof(corr.b));
		hf_log_sec(HF_LOG_WARN, "array.trip", hf_corr_none(&corr) ? NULL : &corr,
			   "array %" PRIu32 ": %s (%s)", a->index, holdfast_cause_name(e->cause),
			   holdfast_severity_name(e->severity));
		break;
	case HOLDFAST_EVENT_SEAL:
		a->sealed = true;
		break;
	default:
		break;
	}
}
