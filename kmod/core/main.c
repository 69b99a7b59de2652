// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading of holdfast.ko, and the proof that the numbers of the
 * UAPI and of the rules are the same. The module has no parameters.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/module.h>

#include "compat.h"
#include "core.h"

/* rules/ knows nobody, so it has enums of its own; here they meet the ABI. */
#define HF_X(NAME, name, unit, sense, lo, hi) \
	static_assert((int)HF_LIM_##NAME == (int)HOLDFAST_LIM_##NAME);
HF_LIMITS(HF_X)
#undef HF_X
static_assert((int)HF_LIM_COUNT == (int)HOLDFAST_LIM_COUNT);
static_assert(HF_LIM_COUNT <= HOLDFAST_LIM_ROOM);
static_assert(HF_LIM_NONE == HOLDFAST_LIM_NONE);
static_assert(HF_NOWHERE == HOLDFAST_NOWHERE);
static_assert(HF_MAX_CHANNELS == HOLDFAST_MAX_CHANNELS);
static_assert(HF_MAX_FENCE == HOLDFAST_MAX_FENCE);
static_assert(HF_MAX_FOCI == HOLDFAST_MAX_FOCI);
static_assert(HF_MAX_SENSORS == HOLDFAST_MAX_SENSORS);
static_assert((int)HF_SILENT == (int)HOLDFAST_STATE_SILENT);
static_assert((int)HF_ARMED == (int)HOLDFAST_STATE_ARMED);
static_assert((int)HF_EMITTING == (int)HOLDFAST_STATE_EMITTING);
static_assert((int)HF_TRIPPED == (int)HOLDFAST_STATE_TRIPPED);
static_assert((int)HF_ADMIT == (int)HOLDFAST_VERDICT_ADMIT);
static_assert((int)HF_ATTENUATE == (int)HOLDFAST_VERDICT_ATTENUATE);
static_assert((int)HF_REJECT == (int)HOLDFAST_VERDICT_REJECT);
static_assert((int)HF_SENSOR_TEMP == (int)HOLDFAST_SENSOR_TEMP);
static_assert((int)HF_SENSOR_SUPPLY == (int)HOLDFAST_SENSOR_SUPPLY);
static_assert((int)HF_SENSOR_CURRENT == (int)HOLDFAST_SENSOR_CURRENT);
static_assert((int)HF_SENSOR_FAN == (int)HOLDFAST_SENSOR_FAN);

static int __init hf_init(void)
{
	int ret;

	ret = hf_events_wq_init();
	if (ret)
		return ret;
	ret = hf_registry_init();
	if (ret)
		goto err_wq;
	ret = hf_netlink_init();
	if (ret)
		goto err_registry;
	ret = hf_notifiers_init();
	if (ret)
		goto err_netlink;
	pr_info("sums: %s\n", hf_dot_best()->name);
	return 0;

err_netlink:
	hf_netlink_exit();
err_registry:
	hf_registry_exit();
err_wq:
	hf_events_wq_exit();
	return ret;
}

static void __exit hf_exit(void)
{
	/* First of all, even where a forced unload left arrays behind. */
	hf_silence_all(HOLDFAST_CAUSE_HW_REMOVED, true);
	hf_notifiers_exit();
	hf_netlink_exit();
	hf_registry_exit();
	hf_events_wq_exit();
}

module_init(hf_init);
module_exit(hf_exit);

MODULE_DESCRIPTION("Holdfast: safety governor for ultrasonic phased arrays");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
