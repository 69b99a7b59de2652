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
#include <linux/uio.h>
#include <net/genetlink.h>

#include "compat_config.h"

#ifdef HAVE_IO_URING_CMD_H
#include <linux/io_uring/cmd.h>
#else
#include <linux/io_uring.h>
#endif

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

static inline const void *hf_uring_payload(const struct io_uring_cmd *cmd)
{
#ifdef HAVE_URING_CMD_SQE
	return cmd->sqe->cmd;
#else
	return cmd->cmd;
#endif
}

static inline void hf_uring_done(struct io_uring_cmd *cmd, ssize_t ret, unsigned int issue_flags)
{
#ifdef HAVE_URING_CMD_DONE_4
	io_uring_cmd_done(cmd, ret, 0, issue_flags);
#else
	io_uring_cmd_done(cmd, ret, issue_flags);
#endif
}

/* @name: for io_uring_cmd_complete_in_task(); calls @fn(cmd, issue_flags) in that task. */
#ifdef HAVE_URING_CMD_FROM_TW
#define HF_URING_TASK_WORK(name, fn)							\
static void name(struct io_tw_req req, io_tw_token_t tw)				\
{											\
	fn(io_uring_cmd_from_tw(req), IO_URING_CMD_TASK_WORK_ISSUE_FLAGS);		\
}
#else
#define HF_URING_TASK_WORK(name, fn)							\
static void name(struct io_uring_cmd *cmd, unsigned int issue_flags)			\
{											\
	fn(cmd, issue_flags);								\
}
#endif

static inline int hf_uring_import_fixed(struct io_uring_cmd *cmd, u64 addr, size_t len,
					struct iov_iter *iter, unsigned int issue_flags)
{
#ifdef HAVE_URING_IMPORT_FIXED_6
	return io_uring_cmd_import_fixed(addr, len, ITER_SOURCE, iter, cmd, issue_flags);
#else
	return io_uring_cmd_import_fixed(addr, len, ITER_SOURCE, iter, cmd);
#endif
}

/* Older kernels wait for a command when its ring ends; they never cancel. */
#ifndef HAVE_URING_CMD_CANCEL
#define IO_URING_F_CANCEL 0U
static inline void io_uring_cmd_mark_cancelable(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
}
#endif

#endif /* HF_COMPAT_H */
