// SPDX-License-Identifier: GPL-2.0
/*
 * Looks for what a tool needs before it tries anything, so that what is missing
 * has a name. The driver's tracepoints are compared with what the BPF programs
 * read by the driver's own BTF: numbers that mean something else than the tool
 * believes are worse than none. No BPF program is loaded in here.
 */
#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/capability.h>

#include "need.h"

#define VMLINUX_BTF	"/sys/kernel/btf/vmlinux"
#define DRIVER_BTF	"/sys/kernel/btf/holdfast"
#define DRIVER		"/sys/module/holdfast"

static int have_bpf(void)
{
	union bpf_attr attr = { .map_fd = (uint32_t)-1 };

	if (!syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)) || errno != ENOSYS)
		return HF_EXIT_OK;
	warnx("this kernel has no BPF (it was built without CONFIG_BPF_SYSCALL)");
	return HF_EXIT_KERNEL;
}

static int have_rights(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
	bool bpf, perfmon;
	uint64_t set;

	if (syscall(SYS_capget, &head, data)) {
		warn("capget");
		return HF_EXIT_ERROR;
	}
	set = data[0].effective | (uint64_t)data[1].effective << 32;
	if (set >> CAP_SYS_ADMIN & 1)
		return HF_EXIT_OK;
	bpf = set >> CAP_BPF & 1;
	perfmon = set >> CAP_PERFMON & 1;
	if (bpf && perfmon)
		return HF_EXIT_OK;
	warnx("needs CAP_BPF and CAP_PERFMON; missing: %s%s%s (run it as root)",
	      bpf ? "" : "CAP_BPF", bpf || perfmon ? "" : " and ", perfmon ? "" : "CAP_PERFMON");
	return HF_EXIT_RIGHTS;
}

/* @c: a letter of struct hf_point */
static bool same_type(const struct btf *btf, uint32_t id, char c)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	bool is_signed;

	while (t && (btf_is_typedef(t) || btf_is_mod(t)))
		t = btf__type_by_id(btf, t->type);
	if (!t || !btf_is_int(t))
		return false;
	is_signed = btf_int_encoding(t) & BTF_INT_SIGNED;
	return t->size == (c == 'u' ? 4 : 8) && is_signed == (c == 'S');
}

/* The kernel's own description of a module's tracepoint: void (*)(void *data, arguments). */
static const struct btf_type *proto_of(const struct btf *btf, uint32_t first, const char *point)
{
	for (uint32_t id = first; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);
		const char *name = btf__name_by_offset(btf, t->name_off);

		if (!btf_is_typedef(t) || !name || strncmp(name, "btf_trace_", 10) ||
		    strcmp(name + 10, point))
			continue;
		t = btf__type_by_id(btf, t->type);
		if (t && btf_is_ptr(t))
			t = btf__type_by_id(btf, t->type);
		return t && btf_is_func_proto(t) ? t : NULL;
	}
	return NULL;
}

int hf_need_point(const struct btf *btf, uint32_t first, struct hf_point *point)
{
	const struct btf_type *proto = proto_of(btf, first, point->name);
	size_t n = strlen(point->args);
	const struct btf_param *p;

	point->there = false;
	if (!proto) {
		if (point->optional)
			return HF_EXIT_OK;
		warnx("the driver has no tracepoint %s: it is older than this tool", point->name);
		return HF_EXIT_DRIVER;
	}
	if (btf_vlen(proto) < n + 1) {
		warnx("%s of this driver has %d arguments, not %zu: it is older than this tool",
		      point->name, btf_vlen(proto) - 1, n);
		return HF_EXIT_DRIVER;
	}
	p = btf_params(proto) + 1;
	for (size_t i = 0; i < n; i++) {
		if (same_type(btf, p[i].type, point->args[i]))
			continue;
		warnx("argument %zu of %s is not of the type this tool reads",
		      i, point->name);
		return HF_EXIT_DRIVER;
	}
	point->there = true;
	return HF_EXIT_OK;
}

bool hf_need_ring_sleeps(const struct btf *kernel)
{
	int id = btf__find_by_name_kind(kernel, "bpf_ringbuf", BTF_KIND_STRUCT);
	const struct btf_type *ring = id > 0 ? btf__type_by_id(kernel, (uint32_t)id) : NULL;

	for (int i = 0; ring && i < btf_vlen(ring); i++) {
		const struct btf_member *m = btf_members(ring) + i;
		const struct btf_type *t = btf__type_by_id(kernel, m->type);
		const char *type = t ? btf__name_by_offset(kernel, t->name_off) : "spinlock_t";

		if (!strcmp(btf__name_by_offset(kernel, m->name_off), "spinlock"))
			return !strcmp(type, "spinlock_t");
	}
	return true;
}

/* uname(2) is where a real-time kernel says that it is one, for certain. */
static bool real_time(void)
{
	struct utsname u;

	return !uname(&u) && strstr(u.version, "PREEMPT_RT");
}

static int have_points(struct hf_point *points, size_t n, bool ring)
{
	struct btf *base, *btf = NULL;
	int ret = HF_EXIT_OK;

	base = btf__parse(VMLINUX_BTF, NULL);
	if (!base) {
		warnx("the BTF of this kernel cannot be read (" VMLINUX_BTF "): %s",
		      strerror(errno));
		return HF_EXIT_KERNEL;
	}
	if (ring && real_time() && hf_need_ring_sleeps(base)) {
		warnx("ring buffers of this real-time kernel may sleep, which an array's "
		      "interrupt must not (holdfast-top and holdfast-lat use none)");
		btf__free(base);
		return HF_EXIT_KERNEL;
	}
	btf = btf__parse_split(DRIVER_BTF, base);
	if (!btf) {
		warnx("the BTF of the driver cannot be read (" DRIVER_BTF "): %s", strerror(errno));
		ret = HF_EXIT_DRIVER;
	}
	for (size_t i = 0; i < n && !ret; i++)
		ret = hf_need_point(btf, btf__type_cnt(base), &points[i]);
	btf__free(btf);
	btf__free(base);
	return ret;
}

int hf_need(struct hf_point *points, size_t n, bool ring)
{
	int ret = have_bpf();

	if (!ret)
		ret = have_rights();
	if (ret)
		return ret;
	if (ring && libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) != 1) {
		warnx("this kernel has no BPF ring buffers (they came with Linux 5.8)");
		return HF_EXIT_KERNEL;
	}
	if (access(VMLINUX_BTF, F_OK)) {
		warnx("this kernel has no BTF (it was built without CONFIG_DEBUG_INFO_BTF)");
		return HF_EXIT_KERNEL;
	}
	if (access(DRIVER, F_OK)) {
		warnx("the driver is not loaded (modprobe holdfast)");
		return HF_EXIT_DRIVER;
	}
	if (access(DRIVER_BTF, F_OK)) {
		warnx("the driver has no BTF: it was built without pahole or without the kernel's "
		      "vmlinux, or for another kernel (docs/tools.md)");
		return HF_EXIT_DRIVER;
	}
	return have_points(points, n, ring);
}
