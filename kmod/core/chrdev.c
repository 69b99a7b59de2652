// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/holdfastN: open, ioctl, poll, mmap, and the ioctl table that leases
 * share. Arguments are copied in and out here; what they mean is elsewhere.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "core.h"

union hf_arg {
	u32 size;
	struct holdfast_info info;
	struct holdfast_geometry geometry;
	struct holdfast_limit_info limit;
	struct holdfast_sensor_info sensor;
	struct holdfast_keeper keeper;
	struct holdfast_beat beat;
	struct holdfast_lease lease;
	struct holdfast_lease_ref lease_ref;
	struct holdfast_lease_list lease_list;
	struct holdfast_quota quota;
	struct holdfast_tenant_list tenant_list;
	struct holdfast_control control;
	struct holdfast_silence silence;
	struct holdfast_self_test self_test;
	struct holdfast_envelope envelope;
	struct holdfast_seal seal;
	struct holdfast_fence fence;
	struct holdfast_surface surface;
	struct holdfast_submit submit;
	struct holdfast_queue queue;
	struct holdfast_trip trip;
	struct holdfast_blackbox blackbox;
};

/* HOLDFAST_CAP_*: what the hardware is. */
u32 hf_array_caps(const struct hf_array *a)
{
	u32 caps = 0;

	if (a->hw_flags & HF_HW_ATOMIC)
		caps |= HOLDFAST_CAP_ATOMIC_SILENCE;
	if (a->hw_flags & HF_HW_DEADMAN)
		caps |= HOLDFAST_CAP_HW_DEADMAN;
	if (a->hw_flags & HF_HW_SIMULATED)
		caps |= HOLDFAST_CAP_SIMULATED;
	if (a->ops->cut_power)
		caps |= HOLDFAST_CAP_POWER_CUT;
	if (a->ops->confirm_silent)
		caps |= HOLDFAST_CAP_READBACK;
	if (a->np->amp_levels > 1)
		caps |= HOLDFAST_CAP_AMPLITUDE;
	return caps;
}

static int hf_ioc_info(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	struct hf_array *a = c->array;
	const struct hf_nameplate *np = a->np;
	struct holdfast_info *i = &arg->info;

	*i = (struct holdfast_info){
		.size = i->size,
		.abi = HOLDFAST_ABI_VERSION,
		.index = a->index,
		.caps = hf_array_caps(a),
		.channels = np->channels,
		.phase_levels = np->phase_levels,
		.amp_levels = np->amp_levels,
		.sensors = np->sensors,
		.instance = a->instance,
		.silence_bound_ns = a->silence_bound_ns,
		.wavelength_nm = np->wavelength_nm,
		.aperture_um = np->aperture_um,
		.p0_safety_upam = np->p0_safety_upam,
		.p0_nominal_upam = np->p0_nominal_upam,
		.p_drive_uw = np->p_drive_uw,
		.p_acoustic_uw = np->p_acoustic_uw,
	};
	memcpy(i->model, a->model_name, sizeof(i->model));
	memcpy(i->serial, a->serial, sizeof(i->serial));
	return 0;
}

static int hf_ioc_geometry(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	const struct hf_nameplate *np = c->array->np;
	struct holdfast_geometry *g = &arg->geometry;
	struct holdfast_channel_pos *pos;
	u32 i, n = min(np->channels, g->count);
	int ret = 0;

	g->count = np->channels;
	if (!n)
		return 0;
	pos = kvcalloc(n, sizeof(*pos), GFP_KERNEL);
	if (!pos)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		pos[i].x_um = np->pos[i].x_um;
		pos[i].y_um = np->pos[i].y_um;
		pos[i].z_um = np->pos[i].z_um;
		pos[i].nx_q14 = np->pos[i].nx_q14;
		pos[i].ny_q14 = np->pos[i].ny_q14;
		pos[i].nz_q14 = np->pos[i].nz_q14;
	}
	if (copy_to_user(u64_to_user_ptr(g->pos), pos, n * sizeof(*pos)))
		ret = -EFAULT;
	kvfree(pos);
	return ret;
}

static int hf_ioc_limit_info(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	struct holdfast_limit_info *l = &arg->limit;
	const struct hf_limit_desc *d;

	if (l->limit >= HF_LIM_COUNT || l->reserved)
		return -EINVAL;
	d = &hf_limits[l->limit];
	l->is_floor = d->sense == HF_FLOOR;
	l->min = d->min;
	l->max = d->max;
	strscpy(l->name, d->name, sizeof(l->name));
	strscpy(l->unit, d->unit, sizeof(l->unit));
	return 0;
}

static int hf_ioc_sensor_info(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	struct holdfast_sensor_info *s = &arg->sensor;
	const struct hf_sensor_desc *d;

	if (s->index >= c->array->np->sensors || s->reserved)
		return -EINVAL;
	d = &c->array->np->sensor[s->index];
	s->kind = (u32)d->kind;
	s->min = d->min;
	s->max = d->max;
	memcpy(s->label, d->label, sizeof(s->label));
	return 0;
}

static int hf_ioc_keeper_claim(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	return hf_keeper_claim(c, &arg->keeper);
}

static int hf_ioc_beat(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	return hf_keeper_beat(c, &arg->beat);
}

static int hf_ioc_lease_revoke(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	return hf_lease_revoke(c, &arg->lease_ref);
}

static int hf_ioc_lease_list(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	return hf_lease_list(c, &arg->lease_list);
}

static int hf_ioc_quota_set(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	return hf_quota_ioctl(c, &arg->quota);
}

static int hf_ioc_tenant_list(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	return hf_tenant_list(c, &arg->tenant_list);
}

static int hf_ioc_arm(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	return hf_arm(c, &arg->control);
}

static int hf_ioc_reset(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	return hf_reset(c, &arg->control);
}

/* Takes no lock but the raw one and allocates nothing: works whatever else hangs. */
static int hf_ioc_silence(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	if (arg->silence.flags & ~HOLDFAST_SILENCE_LATCH)
		return -EINVAL;
	if (arg->silence.flags & HOLDFAST_SILENCE_LATCH)
		hf_trip_operator(c->array, c->lease, arg->silence.corr);
	else
		hf_silence(c->array, c->lease, arg->silence.corr);
	return 0;
}

static int hf_ioc_self_test(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	return hf_self_test(c, &arg->self_test);
}

static int hf_ioc_envelope(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	return hf_envelope_ioctl(c, cmd, &arg->envelope);
}

static int hf_ioc_fence(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	return hf_fence_ioctl(c, cmd, &arg->fence);
}

static int hf_ioc_surface(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	return hf_surface_ioctl(c, cmd, &arg->surface);
}

static int hf_ioc_seal(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	return hf_seal(c, &arg->seal);
}

static int hf_ioc_submit(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	return hf_submit_batch(c, &arg->submit);
}

static int hf_ioc_queue(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	return hf_queue_ioctl(c, &arg->queue);
}

static int hf_ioc_trip_get(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	struct hf_array *a = c->array;
	struct holdfast_trip *t = &arg->trip;
	bool all = hf_sees_all(c);
	u32 size = arg->size;
	unsigned long flags;

	raw_spin_lock_irqsave(&a->lock, flags);
	*t = a->trip;
	raw_spin_unlock_irqrestore(&a->lock, flags);
	t->size = size;
	/* What happened is everybody's, who it was is not. Without a lease it was no tenant. */
	if (!all && !(t->lease && hf_sees(c, all, t->tenant))) {
		t->lease = 0;
		t->tenant = 0;
		t->cookie = 0;
		t->pid = 0;
		t->uid = (u32)-1;
		memset(t->comm, 0, sizeof(t->comm));
		memset(t->corr, 0, sizeof(t->corr));
	}
	return 0;
}

static int hf_ioc_blackbox(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg)
{
	return hf_blackbox_copy(c, &arg->blackbox);
}

/* hf_ioc.flags */
#define HF_IOC_HW	BIT(0)	/* needs the hardware: ops_sem read-held, not gone */

struct hf_ioc {
	unsigned int cmd;
	u32 size;
	u32 min_size;	/* of the first ABI */
	u32 flags;
	int (*fn)(struct hf_ctx *c, unsigned int cmd, union hf_arg *arg);
};

#define HF_IOC(_cmd, _type, _last, _flags, _fn) \
	{ .cmd = (_cmd), .size = sizeof(struct _type), \
	  .min_size = offsetofend(struct _type, _last), .flags = (_flags), .fn = (_fn) }

static const struct hf_ioc hf_iocs[] = {
	HF_IOC(HOLDFAST_IOC_INFO, holdfast_info, serial, HF_IOC_HW, hf_ioc_info),
	HF_IOC(HOLDFAST_IOC_GEOMETRY, holdfast_geometry, pos, 0, hf_ioc_geometry),
	HF_IOC(HOLDFAST_IOC_LIMIT_INFO, holdfast_limit_info, unit, 0, hf_ioc_limit_info),
	HF_IOC(HOLDFAST_IOC_SENSOR_INFO, holdfast_sensor_info, label, 0, hf_ioc_sensor_info),
	HF_IOC(HOLDFAST_IOC_KEEPER_CLAIM, holdfast_keeper, event_seq, HF_IOC_HW,
	       hf_ioc_keeper_claim),
	HF_IOC(HOLDFAST_IOC_BEAT, holdfast_beat, newest_seq, 0, hf_ioc_beat),
	HF_IOC(HOLDFAST_IOC_LEASE_REVOKE, holdfast_lease_ref, id, 0, hf_ioc_lease_revoke),
	HF_IOC(HOLDFAST_IOC_LEASE_LIST, holdfast_lease_list, leases, 0, hf_ioc_lease_list),
	HF_IOC(HOLDFAST_IOC_QUOTA_SET, holdfast_quota, corr, HF_IOC_HW, hf_ioc_quota_set),
	HF_IOC(HOLDFAST_IOC_TENANT_LIST, holdfast_tenant_list, reserved, 0, hf_ioc_tenant_list),
	HF_IOC(HOLDFAST_IOC_ARM, holdfast_control, reason, HF_IOC_HW, hf_ioc_arm),
	HF_IOC(HOLDFAST_IOC_SILENCE, holdfast_silence, flags, 0, hf_ioc_silence),
	HF_IOC(HOLDFAST_IOC_RESET, holdfast_control, reason, HF_IOC_HW, hf_ioc_reset),
	HF_IOC(HOLDFAST_IOC_SELF_TEST, holdfast_self_test, reason, HF_IOC_HW, hf_ioc_self_test),
	HF_IOC(HOLDFAST_IOC_ENVELOPE_GET, holdfast_envelope, reason, 0, hf_ioc_envelope),
	HF_IOC(HOLDFAST_IOC_ENVELOPE_SET, holdfast_envelope, reason, HF_IOC_HW, hf_ioc_envelope),
	HF_IOC(HOLDFAST_IOC_ENVELOPE_TIGHTEN, holdfast_envelope, reason, HF_IOC_HW,
	       hf_ioc_envelope),
	HF_IOC(HOLDFAST_IOC_SEAL, holdfast_seal, flags, HF_IOC_HW, hf_ioc_seal),
	HF_IOC(HOLDFAST_IOC_FENCE_GET, holdfast_fence, reason, 0, hf_ioc_fence),
	HF_IOC(HOLDFAST_IOC_FENCE_SET, holdfast_fence, reason, HF_IOC_HW, hf_ioc_fence),
	HF_IOC(HOLDFAST_IOC_FENCE_ADD, holdfast_fence, reason, HF_IOC_HW, hf_ioc_fence),
	HF_IOC(HOLDFAST_IOC_SURFACE_GET, holdfast_surface, reason, HF_IOC_HW, hf_ioc_surface),
	HF_IOC(HOLDFAST_IOC_SURFACE_SET, holdfast_surface, reason, HF_IOC_HW, hf_ioc_surface),
	HF_IOC(HOLDFAST_IOC_SURFACE_ADD, holdfast_surface, reason, HF_IOC_HW, hf_ioc_surface),
	HF_IOC(HOLDFAST_IOC_SUBMIT, holdfast_submit, reserved, 0, hf_ioc_submit),
	HF_IOC(HOLDFAST_IOC_QUEUE, holdfast_queue, verdicts_lost, 0, hf_ioc_queue),
	HF_IOC(HOLDFAST_IOC_TRIP_GET, holdfast_trip, count, 0, hf_ioc_trip_get),
	HF_IOC(HOLDFAST_IOC_BLACKBOX, holdfast_blackbox, reserved, 0, hf_ioc_blackbox),
};

/* The same call, whatever the size: that is the caller's version of the structure. */
static bool hf_ioc_is(unsigned int cmd, unsigned int ioc)
{
	return _IOC_TYPE(cmd) == _IOC_TYPE(ioc) && _IOC_NR(cmd) == _IOC_NR(ioc) &&
	       _IOC_DIR(cmd) == _IOC_DIR(ioc);
}

static const struct hf_ioc *hf_ioc_find(unsigned int cmd)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hf_iocs); i++) {
		if (hf_ioc_is(cmd, hf_iocs[i].cmd))
			return &hf_iocs[i];
	}
	return NULL;
}

static int hf_ioc_call(struct hf_ctx *c, const struct hf_ioc *ioc, union hf_arg *arg)
{
	struct hf_array *a = c->array;
	int ret = -ENODEV;

	if (!(ioc->flags & HF_IOC_HW))
		return READ_ONCE(a->gone) ? -ENODEV : ioc->fn(c, ioc->cmd, arg);
	down_read(&a->ops_sem);
	if (!a->gone)
		ret = ioc->fn(c, ioc->cmd, arg);
	up_read(&a->ops_sem);
	return ret;
}

/* The status page as a copy; its size field is not the first, so it has a way of its own. */
static int hf_ioc_status(struct hf_ctx *c, void __user *uarg)
{
	struct hf_array *a = c->array;
	struct holdfast_status *s;
	unsigned long flags;
	u32 size;
	int ret = 0;

	if (get_user(size, (u32 __user *)(uarg + offsetof(struct holdfast_status, size))))
		return -EFAULT;
	if (size < offsetofend(struct holdfast_status, time_ns))
		return -EINVAL;
	s = kvzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	raw_spin_lock_irqsave(&a->lock, flags);
	if (a->gone)
		ret = -ENODEV;
	hf_status_update_locked(a, ktime_get_ns());
	*s = *a->status;
	if (c->file)
		c->file->seen_seq = s->event_seq;
	raw_spin_unlock_irqrestore(&a->lock, flags);
	if (!ret && copy_to_user(uarg, s, min_t(size_t, size, sizeof(*s))))
		ret = -EFAULT;
	if (!ret && size > sizeof(*s) && clear_user(uarg + sizeof(*s), size - sizeof(*s)))
		ret = -EFAULT;
	kvfree(s);
	return ret;
}

static int hf_ioc_last_verdict(struct hf_ctx *c, void __user *uarg)
{
	struct holdfast_frame_result res;
	unsigned long flags;

	if (!c->lease)
		return -ENOTTY;
	raw_spin_lock_irqsave(&c->array->lock, flags);
	res = c->lease->last;
	raw_spin_unlock_irqrestore(&c->array->lock, flags);
	return copy_to_user(uarg, &res, sizeof(res)) ? -EFAULT : 0;
}

static int hf_ioc_lease_create(struct hf_ctx *c, void __user *uarg)
{
	struct hf_array *a = c->array;
	struct holdfast_lease arg;
	u32 size;
	int ret;

	if (!c->file)
		return -ENOTTY;
	if (get_user(size, (u32 __user *)uarg))
		return -EFAULT;
	if (size < offsetofend(struct holdfast_lease, label))
		return -EINVAL;
	ret = copy_struct_from_user(&arg, sizeof(arg), uarg, size);
	if (ret)
		return ret;
	down_read(&a->ops_sem);
	ret = a->gone ? -ENODEV : hf_lease_create(c, uarg, &arg);
	up_read(&a->ops_sem);
	return ret;
}

/*
 * The result is copied out whatever the outcome: a refusal's reason is in it.
 * The structure's surplus of a longer caller was checked to be zero and stays.
 */
long hf_ioctl(struct hf_ctx *c, unsigned int cmd, void __user *uarg)
{
	const struct hf_ioc *ioc;
	union hf_arg arg;
	u32 size;
	int ret;

	if (cmd == HOLDFAST_IOC_LAST_VERDICT)
		return hf_ioc_last_verdict(c, uarg);
	if (hf_ioc_is(cmd, HOLDFAST_IOC_STATUS))
		return hf_ioc_status(c, uarg);
	if (hf_ioc_is(cmd, HOLDFAST_IOC_LEASE_CREATE))
		return hf_ioc_lease_create(c, uarg);
	ioc = hf_ioc_find(cmd);
	if (!ioc)
		return -ENOTTY;
	if (get_user(size, (u32 __user *)uarg))
		return -EFAULT;
	if (size < ioc->min_size)
		return -EINVAL;
	memset(&arg, 0, sizeof(arg));
	ret = copy_struct_from_user(&arg, ioc->size, uarg, size);
	if (ret)
		return ret;
	ret = hf_ioc_call(c, ioc, &arg);
	if (copy_to_user(uarg, &arg, min(size, ioc->size)))
		return -EFAULT;
	return ret;
}

static int hf_fop_open(struct inode *inode, struct file *file)
{
	struct hf_file *f = kzalloc(sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	f->array = hf_array_of_inode(inode);
	f->writable = file->f_mode & FMODE_WRITE;
	f->seen_seq = READ_ONCE(f->array->ev_seq);
	file->private_data = f;
	if (READ_ONCE(f->array->gone)) {
		hf_array_put(f->array);
		kfree(f);
		return -ENODEV;
	}
	return nonseekable_open(inode, file);
}

static int hf_fop_release(struct inode *inode, struct file *file)
{
	struct hf_file *f = file->private_data;

	hf_keeper_closed(f);
	hf_array_put(f->array);
	kfree(f);
	return 0;
}

static long hf_fop_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct hf_file *f = file->private_data;
	struct hf_ctx c = { .array = f->array, .file = f };

	return hf_ioctl(&c, cmd, (void __user *)arg);
}

/* EPOLLHUP: hardware gone; EPOLLPRI: tripped. */
__poll_t hf_poll_state(struct hf_array *a)
{
	unsigned long flags;
	__poll_t mask = 0;

	raw_spin_lock_irqsave(&a->lock, flags);
	if (a->gone)
		mask = EPOLLHUP | EPOLLERR;
	else if (a->state == HF_TRIPPED)
		mask = EPOLLPRI;
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return mask;
}

static __poll_t hf_fop_poll(struct file *file, poll_table *wait)
{
	struct hf_file *f = file->private_data;
	__poll_t mask;

	poll_wait(file, &f->array->wait, wait);
	mask = hf_poll_state(f->array);
	/* An event since this file last asked for the status. */
	if (READ_ONCE(f->array->ev_seq) != f->seen_seq)
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

int hf_mmap_status(struct hf_array *a, struct vm_area_struct *vma)
{
	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	if (vma->vm_flags & VM_WRITE)
		return -EPERM;
	/* Without this mprotect() would open it again. */
	vm_flags_clear(vma, VM_MAYWRITE);
	return vm_insert_page(vma, vma->vm_start, virt_to_page(a->status));
}

static int hf_fop_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct hf_file *f = file->private_data;

	return hf_mmap_status(f->array, vma);
}

const struct file_operations hf_array_fops = {
	.owner = THIS_MODULE,
	.open = hf_fop_open,
	.release = hf_fop_release,
	.unlocked_ioctl = hf_fop_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = hf_fop_poll,
	.mmap = hf_fop_mmap,
};
