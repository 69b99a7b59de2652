// SPDX-License-Identifier: GPL-2.0
/*
 * The site's limits and the seal: what the keeper does with each array it takes,
 * and what `holdfastd --site` does with all there are, so that the keeper need
 * not have CAP_SYS_ADMIN. Nobody arms or keeps an array here.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holdfast_netlink.h"
#include "keeper.h"
#include "service.h"
#include "site.h"

static void lack(struct hf_array *a, uint32_t limit, int64_t wanted, int64_t has)
{
	char text[HOLDFAST_TEXT_LEN] = "fence points";

	if (limit != HOLDFAST_LIM_NONE)
		snprintf(text, sizeof(text), "%s", holdfast_limit_name(limit));
	hf_log_sec(HF_LOG_WARN, "array.limits", NULL,
		   "array %" PRIu32 ": %s: the configuration wants %" PRId64 ", it stays %" PRId64
		   " until reboot", a->index, text, wanted, has);
	if (a->lacks < HF_LACKS)
		a->lack[a->lacks++] = (struct hf_lack){ limit, wanted, has };
}

/* What is tighter than it is goes in; what is looser is only said. */
static int limits_tighten(struct hf_array *a, const struct hf_site *site)
{
	struct holdfast_envelope has, env = { .which = HOLDFAST_ENV_SITE };
	int ret = a->keeper->device->envelope_get(a->dev, HOLDFAST_ENV_SITE, &has);

	for (uint32_t i = 0; !ret && i < HOLDFAST_LIM_ROOM; i++) {
		if (!(site->env.set & 1ULL << i) || site->env.limit[i] == has.limit[i])
			continue;
		if (!hf_limit_tighter(i, site->env.limit[i], has.limit[i])) {
			lack(a, i, site->env.limit[i], has.limit[i]);
			continue;
		}
		env.set |= 1ULL << i;
		env.limit[i] = site->env.limit[i];
	}
	if (!ret && env.set)
		ret = a->keeper->device->envelope_tighten(a->dev, &env);
	return ret;
}

static int fence_tighten(struct hf_array *a, const struct hf_site *site)
{
	const struct hf_device *d = a->keeper->device;
	int ret = site->nfence ? d->fence_add(a->dev, site->fence, site->nfence, NULL) : 0;
	int has = ret ? ret : d->fence_get(a->dev, HOLDFAST_ENV_SITE, NULL, 0);

	if (has > (int)site->nfence)
		lack(a, HOLDFAST_LIM_NONE, (int64_t)site->nfence, has);
	return has < 0 ? has : 0;
}

static int limits_set(struct hf_array *a, const struct hf_site *site)
{
	const struct hf_device *d = a->keeper->device;
	struct holdfast_envelope env = site->env;
	int ret = env.set ? d->envelope_set(a->dev, &env) : 0;

	if (!ret && site->nfence)
		ret = d->fence_set(a->dev, site->fence, site->nfence, NULL);
	return ret;
}

int hf_site_limits(struct hf_array *a, const struct hf_site *site, bool fresh)
{
	struct holdfast_envelope env;
	int ret;

	a->lacks = 0;
	if (fresh && a->keeper->sysadmin && !a->sealed) {
		ret = limits_set(a, site);
	} else {
		ret = limits_tighten(a, site);
		if (!ret)
			ret = fence_tighten(a, site);
	}
	if (!ret)
		ret = a->keeper->device->envelope_get(a->dev, HOLDFAST_ENV_EFFECTIVE, &env);
	if (!ret)
		a->deadline_ms = (uint32_t)env.limit[HOLDFAST_LIM_KEEPER_DEADLINE];
	return ret;
}

int hf_site_seal(struct hf_array *a)
{
	int ret;

	if (a->sealed || !a->keeper->settings->seal)
		return 0;
	if (!a->keeper->sysadmin) {
		hf_log_sec(HF_LOG_WARN, "array.seal", NULL,
			   "array %" PRIu32 " came later: not sealed until the agent is restarted",
			   a->index);
		return 0;
	}
	ret = a->keeper->device->seal(a->dev);
	a->sealed = !ret;
	return ret;
}

/* ------------------------------------------------------ without being the keeper */

static int settle(struct hf_array *a, const struct hf_site *site)
{
	const struct hf_device *d = a->keeper->device;
	struct holdfast_status st;
	int ret = d->status(a->dev, &st);

	if (ret)
		return ret;
	a->sealed = st.sealed;
	a->beat_ns = st.beat_ns;
	if (!a->beat_ns)	/* nobody keeps it */
		ret = hf_site_limits(a, site, true);
	return ret ? ret : hf_site_seal(a);
}

/* Return: 0 (done, or none of ours), -errno. */
static int one(struct hf_keeper *k, uint32_t index)
{
	struct hf_array *a = &k->array[index];
	struct holdfast_info info;
	struct hf_site site;
	char which[16];
	int ret;

	*a = (struct hf_array){ .keeper = k, .index = index };
	snprintf(which, sizeof(which), "%" PRIu32, index);
	ret = k->device->open(&a->dev, which, HOLDFAST_OPEN_WRITE);
	if (ret)
		return ret == -ENODEV ? 0 : ret;
	ret = k->device->info(a->dev, &info);
	if (!ret) {
		info.serial[sizeof(info.serial) - 1] = '\0';
		ret = hf_settings_site(k->settings, index, info.serial, &site);
	}
	if (ret == 1) {
		ret = settle(a, &site);
		hf_log_app(ret ? HF_LOG_ERROR : HF_LOG_NOTICE, "array.site", NULL,
			   "array %" PRIu32 " (%s): %s%s", index, info.serial,
			   ret ? strerror(-ret) :
			   a->beat_ns ? "is kept, its limits are left alone" :
					"has the limits of the site",
			   a->sealed ? ", sealed" : "");
	}
	k->device->close(a->dev);
	return ret;
}

/* Return: how many, -errno. */
static int arrays_find(const struct hf_device *device, int array, uint32_t *index, struct hf_err *e)
{
	int n;

	if (array >= HF_ARRAYS)
		return hf_fail(e, -EINVAL, "array %d: only 0 to %d are kept", array, HF_ARRAYS - 1);
	if (array >= 0) {
		*index = (uint32_t)array;
		return 1;
	}
	n = device->enumerate(index, HF_ARRAYS);
	return n < 0 ? hf_fail(e, n, "looking for arrays: %s", strerror(-n)) : n;
}

int hf_site_run(const json_t *config, int array, const struct hf_device *device, struct hf_err *e)
{
	struct hf_keeper *k = calloc(1, sizeof(*k));
	uint32_t index[HF_ARRAYS];
	int ret = k ? hf_settings_new(&k->settings, config, e) : -ENOMEM, first = 0, n = 0;

	if (!ret) {
		k->device = device;
		k->sysadmin = true;
		n = arrays_find(device, array, index, e);
		ret = n < 0 ? n : 0;
	}
	for (int i = 0; i < n; i++) {
		int bad = index[i] < HF_ARRAYS ? one(k, index[i]) : 0;

		if (bad && !first)
			first = hf_fail(e, bad, "array %" PRIu32 ": %s", index[i], strerror(-bad));
	}
	if (k)
		hf_settings_free(k->settings);
	free(k);
	return ret ? ret : first;
}

int hf_site_driver(const json_t *config, int array, struct hf_err *e)
{
	return hf_site_run(config, array, &hf_device_driver, e);
}
