#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Finds out what a kernel's API looks like by compiling a snippet per question against its headers,
# because stable and vendor kernels backport: the version number says little.
#
# Usage: conftest.sh OUT.h CC FLAGS...     (called by kmod/Kbuild, with the flags of a module)
# Writes one line per question: `#define HAVE_X 1`, or a comment that it is not there.
# To ask something new, add a `probe` below.
set -euo pipefail

if [[ ${1-} == --help || $# -lt 2 ]]; then
	sed -n '3,8s/^# \{0,1\}//p' "$0"
	exit 2
fi

out=$1
shift
compile=("$@" -fsyntax-only -Wno-error -Werror=implicit-function-declaration
	-Werror=incompatible-pointer-types -Werror=int-conversion)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-conftest.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
names=()

# probe NAME < snippet: HAVE_NAME if the snippet compiles
probe() {
	names+=("$1")
	cat > "$tmp/$1.c"
}

# The same behind the headers of io_uring's commands, wherever they are
probe_uring() {
	probe "$1" < <(
		cat <<-'END'
		#include <linux/fs.h>
		#if __has_include(<linux/io_uring/cmd.h>)
		#include <linux/io_uring/cmd.h>
		#else
		#include <linux/io_uring.h>
		#endif
		END
		cat
	)
}

probe HRTIMER_SETUP <<'END'
#include <linux/hrtimer.h>
void f(struct hrtimer *t, enum hrtimer_restart (*cb)(struct hrtimer *));
void f(struct hrtimer *t, enum hrtimer_restart (*cb)(struct hrtimer *))
{
	hrtimer_setup(t, cb, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
}
END

probe TIMER_DELETE_SYNC <<'END'
#include <linux/timer.h>
int f(struct timer_list *t);
int f(struct timer_list *t) { return timer_delete_sync(t); }
END

probe KTHREAD_RUN_WORKER <<'END'
#include <linux/kthread.h>
void *f(void);
void *f(void) { return kthread_run_worker(0, "x"); }
END

probe CLASS_CONST_UEVENT <<'END'
#include <linux/device.h>
static int uevent(const struct device *dev, struct kobj_uevent_env *env) { return 0; }
struct class c = { .name = "x", .dev_uevent = uevent };
END

probe CLASS_CONST_DEVNODE <<'END'
#include <linux/device.h>
static char *devnode(const struct device *dev, umode_t *mode) { return NULL; }
struct class c = { .name = "x", .devnode = devnode };
END

probe CLASS_CREATE_1ARG <<'END'
#include <linux/device.h>
struct class *f(void);
struct class *f(void) { return class_create("x"); }
END

probe PLATFORM_REMOVE_VOID <<'END'
#include <linux/platform_device.h>
static void remove(struct platform_device *pdev) { }
struct platform_driver d = { .remove = remove };
END

probe PLATFORM_MATCH_CONST <<'END'
#include <linux/device.h>
#include <linux/device/bus.h>
static int match(struct device *dev, const struct device_driver *drv) { return 0; }
struct bus_type b = { .name = "x", .match = match };
END

probe VM_FLAGS_SET <<'END'
#include <linux/mm.h>
void f(struct vm_area_struct *vma);
void f(struct vm_area_struct *vma) { vm_flags_set(vma, VM_DONTEXPAND); }
END

probe KMSG_DUMP_DETAIL <<'END'
#include <linux/kmsg_dump.h>
static void dump(struct kmsg_dumper *d, struct kmsg_dump_detail *detail) { }
struct kmsg_dumper k = { .dump = dump };
END

# Only the number of arguments is looked at: what the macro expands to needs a tracepoint around it.
probe ASSIGN_STR_1ARG <<'END'
#include <linux/tracepoint.h>
#include <linux/stringify.h>
#include <trace/stages/stage6_event_callback.h>
const char *f(void);
const char *f(void) { return __stringify(__assign_str(name)); }
END

probe HW_PROTECTION_TRIGGER <<'END'
#include <linux/reboot.h>
void f(void);
void f(void) { hw_protection_trigger("x", 0); }
END

probe GENL_SPLIT_OPS <<'END'
#include <net/genetlink.h>
static const struct genl_split_ops ops[1];
struct genl_family f = { .split_ops = ops };
END

probe GENL_INFO_DUMP <<'END'
#include <net/genetlink.h>
struct nlattr **f(struct netlink_callback *cb);
struct nlattr **f(struct netlink_callback *cb) { return genl_info_dump(cb)->attrs; }
END

probe EVENTFD_SIGNAL_1ARG <<'END'
#include <linux/eventfd.h>
void f(struct eventfd_ctx *ctx);
void f(struct eventfd_ctx *ctx) { eventfd_signal(ctx); }
END

probe IO_URING_CMD_H <<'END'
#include <linux/io_uring/cmd.h>
END

probe_uring URING_CMD_DONE_4 <<'END'
void f(struct io_uring_cmd *cmd);
void f(struct io_uring_cmd *cmd) { io_uring_cmd_done(cmd, 0, (u64)0, 0U); }
END

probe_uring URING_CMD_SQE <<'END'
const void *f(struct io_uring_cmd *cmd);
const void *f(struct io_uring_cmd *cmd) { return cmd->sqe->cmd; }
END

probe_uring URING_IMPORT_FIXED_6 <<'END'
int f(struct io_uring_cmd *cmd, struct iov_iter *iter);
int f(struct io_uring_cmd *cmd, struct iov_iter *iter)
{
	return io_uring_cmd_import_fixed(0, 0, 1, iter, cmd, 0U);
}
END

probe_uring URING_CMD_CANCEL <<'END'
unsigned int f(struct io_uring_cmd *cmd);
unsigned int f(struct io_uring_cmd *cmd)
{
	io_uring_cmd_mark_cancelable(cmd, 0);
	return IO_URING_F_CANCEL;
}
END

probe_uring URING_CMD_FROM_TW <<'END'
struct io_uring_cmd *f(struct io_tw_req req);
struct io_uring_cmd *f(struct io_tw_req req) { return io_uring_cmd_from_tw(req); }
END

# If a plain module does not compile, every answer below would be a false "no".
control=$tmp/control.c
cat > "$control" <<'END'
#include <linux/module.h>
MODULE_LICENSE("GPL");
END
if ! "${compile[@]}" "$control" 2> "$tmp/control.err"; then
	echo "conftest: an empty module does not compile with these headers:" >&2
	cat "$tmp/control.err" >&2
	exit 1
fi

ask() { if "${compile[@]}" "$tmp/$1.c" 2> /dev/null; then : > "$tmp/$1.yes"; fi; }

jobs=0
for name in "${names[@]}"; do
	((jobs < $(nproc))) || { wait -n; jobs=$((jobs - 1)); }
	ask "$name" &
	jobs=$((jobs + 1))
done
wait

{
	echo "/* Generated by scripts/conftest.sh from the kernel's headers. */"
	for name in "${names[@]}"; do
		if [[ -e $tmp/$name.yes ]]; then
			echo "#define HAVE_$name 1"
		else
			echo "/* HAVE_$name is not there */"
		fi
	done
} > "$tmp/result"
mv "$tmp/result" "$out"
