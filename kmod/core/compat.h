/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between kernels, found by the compile probes of
 * scripts/conftest.sh. Code elsewhere is written for the newest kernel; only
 * shims for older ones live here, and no version comparison.
 */
#ifndef HF_COMPAT_H
#define HF_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <net/genetlink.h>

#include "compat_config.h"

#ifndef HAVE_HRTIMER_SETUP
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock_id, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock_id, mode);
	timer->function = function;
}
#endif

#ifndef HAVE_VM_FLAGS_SET
static inline void vm_flags_clear(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#ifndef HAVE_GENL_INFO_DUMP
/* Both have @attrs, which is all that is wanted of it. */
static inline const struct genl_dumpit_info *genl_info_dump(struct netlink_callback *cb)
{
	return genl_dumpit_info(cb);
}
#endif

#ifndef GENL_MCAST_CAP_NET_ADMIN
/* Groups had the flags of commands before. */
#define GENL_MCAST_CAP_NET_ADMIN GENL_UNS_ADMIN_PERM
#endif

#ifdef HAVE_CLASS_CONST_UEVENT
#define HF_UEVENT_CONST const
#else
#define HF_UEVENT_CONST
#endif

#endif /* HF_COMPAT_H */
