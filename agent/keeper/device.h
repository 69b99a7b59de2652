/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the keeper asks of the driver, as a table of functions, so that tests put
 * a driver of their own in its place. Signatures are libholdfast's. No decision
 * is made behind it.
 */
#ifndef HF_KEEPER_DEVICE_H
#define HF_KEEPER_DEVICE_H

#include "libholdfast.h"

typedef void (*hf_event_fn)(const struct holdfast_event *e, void *arg);

struct hf_device {
	int (*enumerate)(uint32_t *index, size_t room);
	int (*open)(struct holdfast_array **out, const char *which, unsigned int flags);
	void (*close)(struct holdfast_array *a);
	int (*fd)(const struct holdfast_array *a);
	int (*info)(struct holdfast_array *a, struct holdfast_info *info);
	int (*status)(struct holdfast_array *a, struct holdfast_status *st);
	int (*silence)(struct holdfast_array *a, uint32_t flags, const uint8_t *corr);
	int (*trip)(struct holdfast_array *a, struct holdfast_trip *trip);
	int (*blackbox)(struct holdfast_array *a, struct holdfast_blackbox_entry *e, size_t room,
			bool *frozen);
	int (*self_test)(struct holdfast_array *a, struct holdfast_self_test *out);
	int (*leases)(struct holdfast_array *a, struct holdfast_lease_info *li, size_t room);
	int (*tenants)(struct holdfast_array *a, struct holdfast_tenant_info *ti, size_t room);

	int (*envelope_get)(struct holdfast_array *a, uint32_t which,
			    struct holdfast_envelope *env);
	int (*envelope_set)(struct holdfast_array *a, struct holdfast_envelope *env);
	int (*envelope_tighten)(struct holdfast_array *a, struct holdfast_envelope *env);
	int (*fence_get)(struct holdfast_array *a, uint32_t which, struct holdfast_fence_point *p,
			 size_t room);
	int (*fence_set)(struct holdfast_array *a, const struct holdfast_fence_point *p, size_t n,
			 struct holdfast_reason *r);
	int (*fence_add)(struct holdfast_array *a, const struct holdfast_fence_point *p, size_t n,
			 struct holdfast_reason *r);
	int (*seal)(struct holdfast_array *a);

	int (*keep)(struct holdfast_keeping **out, struct holdfast_array *a);
	void (*unkeep)(struct holdfast_keeping *k);
	int (*keep_fd)(const struct holdfast_keeping *k);
	uint32_t (*deadline_ms)(const struct holdfast_keeping *k);
	int (*beat)(struct holdfast_keeping *k, hf_event_fn seen, void *arg);
	int (*lease)(struct holdfast_keeping *k, struct holdfast_lease *lease);
	int (*revoke)(struct holdfast_keeping *k, uint64_t id, const uint8_t *corr);
	int (*arm)(struct holdfast_keeping *k, struct holdfast_reason *r, const uint8_t *corr);
	int (*reset)(struct holdfast_keeping *k, struct holdfast_reason *r, const uint8_t *corr);
	int (*quota)(struct holdfast_keeping *k, struct holdfast_quota *q);

	/* Events of array @index after @since that the kernel still has, in order; never waits. */
	int (*past)(uint32_t index, uint64_t since, hf_event_fn seen, void *arg);
};

extern const struct hf_device hf_device_driver;	/* holdfast.ko, by libholdfast */

#endif /* HF_KEEPER_DEVICE_H */
