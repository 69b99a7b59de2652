/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who may have a lease, and who may see what: pure functions of the settings,
 * the actor and the moment. Asks nobody and changes nothing.
 */
#ifndef HF_KEEPER_POLICY_H
#define HF_KEEPER_POLICY_H

#include "settings.h"

/**
 * struct hf_wish - a lease that somebody wants
 * @actor:	as auth knows him
 * @live:	leases that his tenant has on all arrays
 * @duration_ms:	0: as long as is allowed
 */
struct hf_wish {
	const struct hf_actor *actor;
	uint32_t index;
	const char *serial;
	uint32_t rights;
	uint32_t live;
	uint64_t duration_ms;
};

/**
 * struct hf_grant - what he gets
 * @tenant:	NULL: no tenant's (the house's)
 * @duration_ms:	never 0; ends with the window at the latest
 */
struct hf_grant {
	const struct hf_tenant *tenant;
	uint64_t duration_ms;
};

/**
 * hf_policy_lease() - may he have it?
 * @now_real_ns:	CLOCK_REALTIME
 * @text:	HOLDFAST_TEXT_LEN bytes: why not, with the value and what is allowed
 *
 * Return: 0; -EACCES (role, window), -ENODEV (not his tenant's array: as if it
 * were not there), -EPERM (rights), -EDQUOT (leases), -ERANGE (duration).
 */
int hf_policy_lease(const struct hf_settings *s, const struct hf_wish *w, uint64_t now_real_ns,
		    struct hf_grant *g, char *text);

/*
 * May a lease that was given go on, after the settings or the clock have changed?
 * @tenant_id 0: the house's. @rights: what it has. Return: 0, or as above.
 */
int hf_policy_stands(const struct hf_settings *s, uint64_t tenant_id, uint32_t index,
		     const char *serial, uint32_t rights, uint64_t now_real_ns, char *text);

/*
 * Tenants neither see nor disturb each other: an admin sees all; one with a
 * tenant that tenant's arrays and leases; operators and services without a
 * tenant all arrays, and leases of no tenant; users without a tenant nothing.
 */
bool hf_policy_sees_array(const struct hf_settings *s, const struct hf_actor *a, uint32_t index,
			  const char *serial);
bool hf_policy_sees_tenant(const struct hf_settings *s, const struct hf_actor *a,
			   uint64_t tenant_id);

#endif /* HF_KEEPER_POLICY_H */
