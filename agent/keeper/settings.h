/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The keeper's part of the configuration as structures: what the site wants of
 * each array, and what tenants may. Values are the parent's, checked; nothing
 * here looks at the world.
 */
#ifndef HF_KEEPER_SETTINGS_H
#define HF_KEEPER_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "err.h"
#include "libholdfast.h"
#include "role.h"
#include "window.h"

#define HF_TENANTS	64
#define HF_WINDOWS	32
#define HF_QUOTAS	HOLDFAST_QUOTA_COUNT

/**
 * struct hf_tenant - what the users of one tenant may
 * @id:		how the driver knows it, never 0
 * @arrays:	HF_C_MATCH values; borrowed from the configuration
 * @rights:	HOLDFAST_RIGHT_*
 * @env:	tighter limits of its leases: @env.set says which
 * @quota:	by enum holdfast_quota_kind, the driver's units; HOLDFAST_QUOTA_NONE
 */
struct hf_tenant {
	char name[HF_NAME_LEN];
	uint64_t id;
	const json_t *arrays;
	uint32_t rights;
	uint32_t max_leases;
	uint64_t max_lease_ms;
	size_t windows;
	struct hf_window window[HF_WINDOWS];
	struct holdfast_envelope env;
	size_t nfence;
	struct holdfast_fence_point fence[HOLDFAST_MAX_FENCE];
	uint64_t quota[HF_QUOTAS];
	uint64_t period_s;
};

/* What is said to be not well (config: health). */
struct hf_well_settings {
	int64_t margin_mc;
	uint64_t self_test_ns;
	int64_t calibration_s;
};

struct hf_settings {
	json_t *config;
	bool seal;
	bool reset_two_person;
	bool disarm_on_auth_loss;
	uint32_t beat_ms;
	uint64_t lease_max_ms;
	uint64_t audit_grace_ns;
	const char *group, *state, *run;	/* borrowed from @config */
	struct hf_well_settings well;
	size_t tenants;
	struct hf_tenant tenant[HF_TENANTS];
};

/* What the site wants of one array. */
struct hf_site {
	struct holdfast_envelope env;
	int64_t calibrated_s;	/* the oldest date stated, UTC since 1970; 0: none */
	size_t nfence;
	struct holdfast_fence_point fence[HOLDFAST_MAX_FENCE];
};

/* Return: 0, -EINVAL and why, -ENOMEM. */
int hf_settings_new(struct hf_settings **out, const json_t *config, struct hf_err *e);
void hf_settings_free(struct hf_settings *s);

/* By name or by the driver's number; NULL: there is none. */
const struct hf_tenant *hf_settings_tenant(const struct hf_settings *s, const char *name);
const struct hf_tenant *hf_settings_tenant_id(const struct hf_settings *s, uint64_t id);
bool hf_tenant_has(const struct hf_tenant *t, uint32_t index, const char *serial);
bool hf_tenant_bounded(const struct hf_tenant *t);	/* has it any quota? */

/**
 * hf_settings_site() - all entries that match an array, the tightest of each limit
 *
 * Return: 1, 0 (no entry: leave it alone), -ENOSPC (more than HOLDFAST_MAX_FENCE points).
 */
int hf_settings_site(const struct hf_settings *s, uint32_t index, const char *serial,
		     struct hf_site *site);

/* Is @a tighter than @b for this limit? */
bool hf_limit_tighter(uint32_t limit, int64_t a, int64_t b);
/*
 * { limit name: value } into @env, the tighter where it is given already. NULL is
 * an empty one. Return: 0, -EINVAL and why.
 */
int hf_limits_read(const json_t *limits, struct holdfast_envelope *env, struct hf_err *e);
/* [ { x_um, y_um, z_um, limit_mpa } ] behind @n points. NULL is none. Return: points, -ENOSPC. */
int hf_fence_read(const json_t *list, struct holdfast_fence_point *p, size_t n);

#endif /* HF_KEEPER_SETTINGS_H */
