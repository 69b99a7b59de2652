// SPDX-License-Identifier: GPL-2.0
/*
 * Leases: the right to use an array, held as a file. Creation, ends of every
 * kind, and the lease's own file operations.
 */
#include <linux/anon_inodes.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "compat.h"
#include "core.h"

static void hf_lease_free(struct kref *ref)
{
	struct hf_lease *l = container_of(ref, struct hf_lease, ref);

	if (l->rs)
		hf_ruleset_put(l->rs);
	hf_array_put(l->array);
	mutex_destroy(&l->io_lock);
	kvfree(l->buf);
	kvfree(l);
}

static void hf_lease_event(struct hf_lease *l, enum hf_event_detail why)
{
	struct hf_event_rec ev = {
		.type = HF_EVT_LEASE,
		.detail = why,
		.severity = HOLDFAST_SEV_INFO,
		.lease = l->id,
		.tenant = l->tenant,
		.reason = l->end_reason,
		.who = l->who,
	};

	hf_event_push(l->array, &ev);
}

/* May the lease be used for @right now? 0 or -errno. */
int hf_lease_usable(const struct hf_lease *l, u32 right)
{
	lockdep_assert_held(&l->array->lock);
	if (l->ended)
		return -l->ended;
	if (l->epoch != l->array->epoch)
		return -EKEYREVOKED;
	if (l->expires_ns && ktime_get_ns() >= l->expires_ns)
		return -EKEYEXPIRED;
	return (l->rights & right) == right ? 0 : -EPERM;
}

/* The lease is over; what it emits goes off first. It stays listed until its file closes. */
void hf_lease_end_locked(struct hf_lease *l, int err, enum hf_event_detail why)
{
	const struct hf_reason none = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0);
	struct hf_array *a = l->array;

	lockdep_assert_held(&a->lock);
	/* Even if it ended before: what is freed after this must not be pointed at. */
	if (a->emitter == l)
		hf_rest_locked(a, &none);
	if (l->ended)
		return;
	l->ended = err;
	a->queue_kick = true;
	l->account->leases--;	/* once it is 0 the account may be another's */
	a->nleases--;
	hf_lease_event(l, why);
}

void hf_leases_end_all_locked(struct hf_array *a, int err, enum hf_event_detail why)
{
	struct hf_lease *l;

	lockdep_assert_held(&a->lock);
	list_for_each_entry(l, &a->leases, node)
		hf_lease_end_locked(l, err, why);
}

/* A burst of refused frames, @r: it ends all leases of the tenant, and nothing of anybody else. */
void hf_leases_end_tenant_locked(struct hf_array *a, u64 tenant, const struct hf_reason *r)
{
	struct hf_lease *l;

	lockdep_assert_held(&a->lock);
	/* Silence before any bookkeeping. */
	if (a->emitter && a->emitter->tenant == tenant)
		hf_rest_locked(a, r);
	list_for_each_entry(l, &a->leases, node) {
		if (l->ended || l->tenant != tenant)
			continue;
		l->end_reason = *r;
		hf_lease_end_locked(l, EKEYREVOKED, HF_DET_BURST);
	}
}

/* The lease's own part of its envelope, from the caller. */
static int hf_lease_envelope(struct hf_lease *l, const struct holdfast_lease *arg)
{
	struct holdfast_envelope *u;
	struct hf_reason r;
	int ret = 0;

	hf_envelope_loosest(&l->env);
	if (arg->envelope) {
		u = kvzalloc(sizeof(*u), GFP_KERNEL);
		if (!u)
			return -ENOMEM;
		if (copy_from_user(u, u64_to_user_ptr(arg->envelope), sizeof(*u)))
			ret = -EFAULT;
		else if (u->size != sizeof(*u) || u->which != HOLDFAST_ENV_LEASE)
			ret = -EINVAL;
		else
			ret = hf_limits_from_uapi(&l->env, u);
		kvfree(u);
	}
	if (!ret && arg->nfence)
		ret = hf_fence_from_user(&l->env, arg->fence, arg->nfence);
	if (ret)
		return ret;
	l->has_env = arg->envelope || arg->nfence;
	return hf_envelope_validate(&l->env, &r) == HF_ENV_OK ? 0 : -ERANGE;
}

static struct hf_lease *hf_lease_new(struct hf_array *a, const struct holdfast_lease *arg)
{
	struct hf_lease *l = kvzalloc(sizeof(*l), GFP_KERNEL);
	int ret;

	if (!l)
		return ERR_PTR(-ENOMEM);
	kref_init(&l->ref);
	mutex_init(&l->io_lock);
	INIT_LIST_HEAD(&l->node);
	get_device(&a->dev);
	l->array = a;
	l->rights = arg->rights;
	l->tenant = arg->tenant;
	l->end_reason = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0);
	strscpy(l->label, arg->label, sizeof(l->label));
	l->last.reason = (struct holdfast_reason){ HOLDFAST_LIM_NONE, HOLDFAST_NOWHERE, 0, 0 };
	memcpy(l->corr, arg->corr, sizeof(l->corr));
	hf_submitter_current(&l->who, l->corr);
	l->buf = hf_frame_buf_new(a->np->channels);
	ret = l->buf ? hf_lease_envelope(l, arg) : -ENOMEM;
	if (ret) {
		kref_put(&l->ref, hf_lease_free);
		return ERR_PTR(ret);
	}
	return l;
}

/* Effective envelope and rule set of a new lease. */
static int hf_lease_rules(struct hf_lease *l)
{
	struct hf_array *a = l->array;
	struct hf_envelope *eff;
	struct hf_reason r;
	int ret = 0;

	lockdep_assert_held(&a->admit_lock);
	if (!l->has_env) {
		kref_get(&a->rs->ref);
		l->rs = a->rs;
		return 0;
	}
	eff = kvzalloc(sizeof(*eff), GFP_KERNEL);
	if (!eff)
		return -ENOMEM;
	if (hf_envelope_meet(eff, &a->env, &l->env, &r)) {
		ret = -ENOSPC;
	} else {
		l->rs = hf_ruleset_new(a, eff, &a->site);
		ret = l->rs ? 0 : -ENOMEM;
	}
	kvfree(eff);
	return ret;
}

static int hf_lease_enlist(struct hf_ctx *c, struct hf_lease *l, struct holdfast_lease *arg)
{
	struct hf_array *a = c->array;
	unsigned long flags;
	int ret;

	lockdep_assert_held(&a->admit_lock);
	if (!hf_is_keeper(c, arg->epoch, &ret))
		return ret;
	if (a->nleases >= HOLDFAST_MAX_LEASES)
		return -ENOSPC;
	ret = hf_lease_rules(l);
	if (ret)
		return ret;
	raw_spin_lock_irqsave(&a->lock, flags);
	l->account = hf_account_get_locked(a, l->tenant);
	if (!l->account) {
		ret = -ENOSPC;
		goto out;
	}
	l->account->leases++;
	l->id = a->next_lease++;
	l->epoch = a->epoch;
	if (arg->duration_ms)
		l->expires_ns = ktime_get_ns() + arg->duration_ms * NSEC_PER_MSEC;
	list_add_tail(&l->node, &a->leases);
	a->nleases++;
	hf_lease_event(l, HF_DET_CREATED);
out:
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return ret;
}

static void hf_lease_delist(struct hf_lease *l, int err, enum hf_event_detail why)
{
	struct hf_array *a = l->array;
	unsigned long flags;

	mutex_lock(&a->admit_lock);
	raw_spin_lock_irqsave(&a->lock, flags);
	hf_lease_end_locked(l, err, why);
	list_del_init(&l->node);
	raw_spin_unlock_irqrestore(&a->lock, flags);
	mutex_unlock(&a->admit_lock);
}

/* 100 years: keeps the sum with the clock far from the end of u64. */
#define HF_LEASE_MAX_MS	(100ULL * 366 * 24 * 3600 * 1000)

/**
 * hf_lease_create() - HOLDFAST_IOC_LEASE_CREATE
 * @c:	the keeper's file
 * @uarg: where the result goes: the descriptor is installed only after the
 *	caller has been told its number
 * @arg: checked copy of the argument
 */
int hf_lease_create(struct hf_ctx *c, struct holdfast_lease __user *uarg,
		    struct holdfast_lease *arg)
{
	struct hf_array *a = c->array;
	struct hf_lease *l;
	struct file *file;
	int ret, fd;

	if (arg->flags || arg->reserved || (arg->rights & ~HOLDFAST_RIGHT_ALL) ||
	    strnlen(arg->label, sizeof(arg->label)) == sizeof(arg->label))
		return -EINVAL;
	if (arg->duration_ms > HF_LEASE_MAX_MS)
		return -ERANGE;
	l = hf_lease_new(a, arg);
	if (IS_ERR(l))
		return PTR_ERR(l);
	mutex_lock(&a->admit_lock);
	ret = hf_lease_enlist(c, l, arg);
	mutex_unlock(&a->admit_lock);
	if (ret) {
		kref_put(&l->ref, hf_lease_free);
		return ret;
	}
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		ret = fd;
		goto err_lease;
	}
	file = anon_inode_getfile("[holdfast-lease]", &hf_lease_fops, l, O_RDWR | O_CLOEXEC);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_fd;
	}
	arg->fd = fd;
	arg->id = l->id;
	if (copy_to_user(uarg, arg, min_t(size_t, arg->size, sizeof(*arg)))) {
		put_unused_fd(fd);
		fput(file);	/* ends the lease */
		return -EFAULT;
	}
	fd_install(fd, file);
	return 0;

err_fd:
	put_unused_fd(fd);
err_lease:
	hf_lease_delist(l, EKEYREVOKED, HF_DET_CLOSED);
	kref_put(&l->ref, hf_lease_free);
	return ret;
}

int hf_lease_revoke(struct hf_ctx *c, struct holdfast_lease_ref *ref)
{
	struct hf_array *a = c->array;
	unsigned long flags;
	struct hf_lease *l;
	bool found = false;
	int ret;

	if (ref->flags)
		return -EINVAL;
	mutex_lock(&a->admit_lock);
	if (!hf_is_keeper(c, ref->epoch, &ret))
		goto out;
	raw_spin_lock_irqsave(&a->lock, flags);
	list_for_each_entry(l, &a->leases, node) {
		if (l->ended || (ref->id && l->id != ref->id))
			continue;
		/* The lease does nothing after this: what it ends with is this request's. */
		memcpy(l->who.corr, hf_corr_of(ref->corr, l), sizeof(l->who.corr));
		hf_lease_end_locked(l, EKEYREVOKED, HF_DET_REVOKED);
		found = true;
	}
	raw_spin_unlock_irqrestore(&a->lock, flags);
	if (ref->id && !found)
		ret = -ENOENT;
out:
	mutex_unlock(&a->admit_lock);
	return ret;
}

int hf_lease_list(struct hf_ctx *c, struct holdfast_lease_list *list)
{
	struct holdfast_lease_info *info;
	size_t entry_size = list->entry_size ?: HOLDFAST_LEASE_INFO_SIZE_0;
	struct hf_array *a = c->array;
	bool all = hf_sees_all(c);
	unsigned long flags;
	struct hf_lease *l;
	u32 n = 0;
	int ret;

	if (list->reserved || entry_size < HOLDFAST_LEASE_INFO_SIZE_0 || entry_size > PAGE_SIZE)
		return -EINVAL;
	info = kvcalloc(HOLDFAST_MAX_LEASES, sizeof(*info), GFP_KERNEL);
	if (!info)
		return -ENOMEM;
	raw_spin_lock_irqsave(&a->lock, flags);
	list_for_each_entry(l, &a->leases, node) {
		if (l->ended || n == HOLDFAST_MAX_LEASES || !hf_sees(c, all, l->tenant))
			continue;
		info[n] = (struct holdfast_lease_info){
			.id = l->id,
			.tenant = l->tenant,
			.expires_ns = l->expires_ns,
			.admitted = l->admitted,
			.attenuated = l->attenuated,
			.rejected = l->rejected,
			.rights = l->rights,
			.pid = l->who.pid,
		};
		memcpy(info[n].label, l->label, sizeof(l->label));
		memcpy(info[n].corr, l->corr, sizeof(l->corr));
		n++;
	}
	raw_spin_unlock_irqrestore(&a->lock, flags);
	ret = hf_copy_entries(list->leases, info, min(n, list->count), sizeof(*info), entry_size);
	list->count = n;
	kvfree(info);
	return ret;
}

static int hf_lease_fop_release(struct inode *inode, struct file *file)
{
	struct hf_lease *l = file->private_data;

	hf_lease_delist(l, EKEYREVOKED, HF_DET_CLOSED);
	hf_queue_close(l);
	kref_put(&l->ref, hf_lease_free);
	return 0;
}

static ssize_t hf_lease_fop_read(struct file *file, char __user *to, size_t size, loff_t *pos)
{
	return hf_queue_read(file->private_data, to, size, file->f_flags & O_NONBLOCK);
}

static ssize_t hf_lease_fop_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct hf_lease *l = iocb->ki_filp->private_data;
	bool nonblock = (iocb->ki_filp->f_flags & O_NONBLOCK) || (iocb->ki_flags & IOCB_NOWAIT);

	return hf_submit_iter(l, from, nonblock);
}

static long hf_lease_fop_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct hf_lease *l = file->private_data;
	struct hf_ctx c = {
		.array = l->array,
		.lease = l,
		.nonblock = file->f_flags & O_NONBLOCK,
	};

	return hf_ioctl(&c, cmd, (void __user *)arg);
}

static __poll_t hf_lease_fop_poll(struct file *file, poll_table *wait)
{
	struct hf_lease *l = file->private_data;
	struct hf_array *a = l->array;
	unsigned long flags;
	bool armed = false;
	__poll_t mask;

	poll_wait(file, &a->wait, wait);
	mask = hf_poll_state(a);
	raw_spin_lock_irqsave(&a->lock, flags);
	if (l->ended)
		mask |= EPOLLHUP;
	else
		armed = a->state == HF_ARMED || a->state == HF_EMITTING;
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return mask | hf_queue_poll(l, armed);
}

static int hf_lease_fop_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct hf_lease *l = file->private_data;

	return hf_mmap_status(l->array, vma);
}

const struct file_operations hf_lease_fops = {
	.owner = THIS_MODULE,
	.release = hf_lease_fop_release,
	.read = hf_lease_fop_read,
	.write_iter = hf_lease_fop_write,
	.uring_cmd = hf_lease_fop_uring_cmd,
	.unlocked_ioctl = hf_lease_fop_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = hf_lease_fop_poll,
	.mmap = hf_lease_fop_mmap,
};
