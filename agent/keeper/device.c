// SPDX-License-Identifier: GPL-2.0
/* The driver behind the table: libholdfast, and nothing in between. */
#include <errno.h>

#include "device.h"

static int past(uint32_t index, uint64_t since, hf_event_fn seen, void *arg)
{
	struct holdfast_events *ev;
	struct holdfast_event e;
	int ret = holdfast_events_open(&ev, index, HOLDFAST_GROUP_AUDIT, since);

	/* Without the right to know who, what happened is still worth recording. */
	if (ret == -EPERM)
		ret = holdfast_events_open(&ev, index, HOLDFAST_GROUP_SAFETY, since);
	if (ret)
		return ret;
	while (!(ret = holdfast_events_next(ev, &e)))
		seen(&e, arg);
	holdfast_events_close(ev);
	return ret == -EAGAIN ? 0 : ret;
}

const struct hf_device hf_device_driver = {
	.enumerate = holdfast_enumerate,
	.open = holdfast_open,
	.close = holdfast_close,
	.fd = holdfast_fd,
	.info = holdfast_info,
	.status = holdfast_status,
	.silence = holdfast_silence_as,
	.trip = holdfast_trip_get,
	.blackbox = holdfast_blackbox,
	.self_test = holdfast_self_test,
	.leases = holdfast_leases,
	.tenants = holdfast_tenants,
	.envelope_get = holdfast_envelope_get,
	.envelope_set = holdfast_envelope_set,
	.envelope_tighten = holdfast_envelope_tighten,
	.fence_get = holdfast_fence_get,
	.fence_set = holdfast_fence_set,
	.fence_add = holdfast_fence_add,
	.seal = holdfast_seal,
	.keep = holdfast_keeping_start,
	.unkeep = holdfast_keeping_stop,
	.keep_fd = holdfast_keeping_fd,
	.deadline_ms = holdfast_keeping_deadline_ms,
	.beat = holdfast_keeping_beat,
	.lease = holdfast_lease_create,
	.revoke = holdfast_lease_revoke_as,
	.arm = holdfast_keeping_arm_as,
	.reset = holdfast_keeping_reset_as,
	.quota = holdfast_quota_set,
	.past = past,
};
