// SPDX-License-Identifier: GPL-2.0
/*
 * Tenants: whose a lease is, what he may still use and has used, how often his
 * frames were refused, and who may know of whom. An account outlives leases,
 * keepers and trips: only the end of the array, or the keeper's word, clears it.
 * What is spent is decided in rules/quota.c, what is a burst in rules/supervise.c.
 */
#include <linux/capability.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "core.h"

static_assert(HF_LIM_QUOTA == HOLDFAST_LIM_QUOTA);
static_assert((int)HF_QUOTA_EMIT == HOLDFAST_QUOTA_EMIT);
static_assert((int)HF_QUOTA_ENERGY == HOLDFAST_QUOTA_ENERGY);
static_assert((int)HF_QUOTA_FRAMES == HOLDFAST_QUOTA_FRAMES);
static_assert((int)HF_QUOTA_KINDS == HOLDFAST_QUOTA_COUNT);
static_assert(HF_QUOTA_NONE == HOLDFAST_QUOTA_NONE);
static_assert(HOLDFAST_QUOTA_COUNT <= HOLDFAST_QUOTA_ROOM);

/* Was it never used, or does it bind nobody, count for nobody and is used by nobody? */
static bool hf_account_free(const struct hf_account *t, u64 now)
{
	return !t->known || (!t->leases && !hf_quota_binds(&t->quota) &&
			     !hf_burst_counts(&t->burst, now));
}

static struct hf_account *hf_account_find_locked(struct hf_array *a, u64 tenant)
{
	u32 i;

	lockdep_assert_held(&a->lock);
	for (i = 0; i < ARRAY_SIZE(a->accounts); i++) {
		if (a->accounts[i].known && a->accounts[i].tenant == tenant)
			return &a->accounts[i];
	}
	return NULL;
}

/* The tenant's account, made if there is none; NULL: there are too many. admit_lock and lock. */
struct hf_account *hf_account_get_locked(struct hf_array *a, u64 tenant)
{
	struct hf_account *t = hf_account_find_locked(a, tenant), *room = NULL;
	u64 now = ktime_get_ns();
	u32 i;

	lockdep_assert_held(&a->admit_lock);
	if (t)
		return t;
	/* Rather one that was never used than one whose usage would be forgotten. */
	for (i = 0; i < ARRAY_SIZE(a->accounts); i++) {
		if (hf_account_free(&a->accounts[i], now) && (!room || room->known))
			room = &a->accounts[i];
	}
	if (!room)
		return NULL;
	*room = (struct hf_account){ .known = true, .tenant = tenant };
	hf_quota_init(&room->quota);
	return room;
}

/* The account of whose output there was since the models were advanced last. */
static void hf_charge_locked(struct hf_array *a, u64 now)
{
	lockdep_assert_held(&a->lock);
	if (a->payer && now > a->model->now_ns)
		hf_quota_charge(&a->payer->quota, a->model->power_uw, now - a->model->now_ns);
}

/*
 * Brings the models up to @now, and the account of whose output that was. While a file of
 * the array can be open these are the only ways to advance them; lazily: but for the
 * channels' heat, which every frame would else have to wait for twice.
 */
void hf_advance_locked(struct hf_array *a, u64 now)
{
	hf_charge_locked(a, now);
	hf_model_advance(a->model, a->np, now);
}

void hf_advance_lazily_locked(struct hf_array *a, u64 now)
{
	hf_charge_locked(a, now);
	hf_model_advance_lazily(a->model, a->np, now);
}

/* The output changes; the models have been advanced. */
void hf_payer_locked(struct hf_array *a)
{
	lockdep_assert_held(&a->lock);
	/* Off is not at once: what the hardware may need for it is paid, too. */
	if (a->payer && !a->emitter)
		hf_quota_charge(&a->payer->quota, a->model->power_uw, a->silence_bound_ns);
	a->payer = a->emitter ? a->emitter->account : NULL;
}

static void hf_quota_event(struct hf_array *a, struct hf_event_rec ev)
{
	ev.type = HF_EVT_QUOTA;
	hf_event_push(a, &ev);
}

/**
 * hf_quota_spent_locked() - a quota has stopped a tenant: say so, once
 * @l:	the lease, its array's lock held
 * @r:	which quota
 *
 * Once until it is set again, and nowhere else: a program that hammers on a
 * spent quota must not push the events and records of others out of their rings.
 */
void hf_quota_spent_locked(struct hf_lease *l, const struct hf_reason *r)
{
	lockdep_assert_held(&l->array->lock);
	if (l->ended || l->account->told)
		return;
	l->account->told = true;
	hf_quota_event(l->array, (struct hf_event_rec){
		.detail = HF_DET_SPENT,
		.severity = HOLDFAST_SEV_WARNING,
		.lease = l->id,
		.tenant = l->tenant,
		.reason = *r,
		.who = l->who,
	});
}

/* A burst is the tenant's own: it takes his leases, and nobody else notices. */
static void hf_tenant_burst_locked(struct hf_lease *l, u32 count)
{
	struct hf_event_rec ev = {
		.type = HF_EVT_REFUSED,
		.detail = HF_DET_BURST,
		.severity = HOLDFAST_SEV_WARNING,
		.lease = l->id,
		.tenant = l->tenant,
		.count = count,
		.reason = hf_reason(HF_LIM_REJECT_BURST, HF_NOWHERE, count,
				    l->rs->rules.env.limit[HF_LIM_REJECT_BURST]),
		.who = l->who,
	};

	hf_leases_end_tenant_locked(l->array, l->tenant, &ev.reason);
	hf_event_push(l->array, &ev);
}

/**
 * hf_refusal_counts_locked() - a frame was refused by a limit: is that a burst?
 * @l:	the lease; its array's admit_lock and lock held
 * @r:	why the frame was refused
 * @now: when
 *
 * Refusals of all leases of a tenant count together, in its account, which no
 * closing and reopening of leases makes fresh. Whoever has no tenant or, should
 * that ever be, no account of its own, counts for the array: that trips.
 */
void hf_refusal_counts_locked(struct hf_lease *l, const struct hf_reason *r, u64 now)
{
	bool own = l->tenant && l->account->tenant == l->tenant;
	struct hf_array *a = l->array;
	u32 count;

	lockdep_assert_held(&a->admit_lock);
	lockdep_assert_held(&a->lock);
	count = hf_burst_add(own ? &l->account->burst : &a->burst, &l->rs->rules.env, now);
	if (count && own)
		hf_tenant_burst_locked(l, count);
	else if (count)
		hf_trip_locked(a, HOLDFAST_CAUSE_REJECT_BURST, HOLDFAST_SEV_CRITICAL, r, now, l);
}

static void hf_quota_change_locked(struct hf_array *a, struct hf_account *t,
				   const struct holdfast_quota *q)
{
	struct hf_event_rec ev = {
		.detail = HF_DET_SET,
		.tenant = q->tenant,
		.count = q->set,
		.reason = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0),
	};

	hf_quota_set(&t->quota, q->set, q->budget, q->flags & HOLDFAST_QUOTA_RESET);
	t->told = false;
	hf_submitter_current(&ev.who, q->corr);
	hf_quota_event(a, ev);
	/* It holds from now, not from the next tick. */
	hf_govern_locked(a, ktime_get_ns());
}

/* Kinds that this kernel does not know have no bound. */
static void hf_quota_tell(const struct hf_quota *q, u64 *budget, u64 *used)
{
	u32 k;

	for (k = 0; k < HOLDFAST_QUOTA_ROOM; k++) {
		budget[k] = k < HF_QUOTA_KINDS ? q->budget[k] : HOLDFAST_QUOTA_NONE;
		used[k] = k < HF_QUOTA_KINDS ? hf_quota_used(q, k) : 0;
	}
}

/* HOLDFAST_IOC_QUOTA_SET */
int hf_quota_ioctl(struct hf_ctx *c, struct holdfast_quota *q)
{
	struct hf_array *a = c->array;
	struct hf_account *t;
	unsigned long flags;
	int ret;

	if ((q->flags & ~HOLDFAST_QUOTA_RESET) || (q->flags && !q->set) || q->reserved ||
	    (q->set & ~HF_QUOTA_ALL))
		return -EINVAL;
	mutex_lock(&a->admit_lock);
	if (!hf_is_keeper(c, q->epoch, &ret))
		goto out;
	raw_spin_lock_irqsave(&a->lock, flags);
	hf_advance_locked(a, ktime_get_ns());
	t = q->set ? hf_account_get_locked(a, q->tenant) : hf_account_find_locked(a, q->tenant);
	if (!t) {
		ret = q->set ? -ENOSPC : -ENOENT;
	} else {
		if (q->set)
			hf_quota_change_locked(a, t, q);
		hf_quota_tell(&t->quota, q->budget, q->used);
	}
	raw_spin_unlock_irqrestore(&a->lock, flags);
out:
	mutex_unlock(&a->admit_lock);
	return ret;
}

/**
 * hf_sees_all() - may the caller know who everybody is?
 * @c:	the caller
 *
 * The keeper's file may, and CAP_SYS_ADMIN. Others see what their own tenant
 * did, through one of its leases: hf_sees().
 * Context: process, no raw lock held.
 */
bool hf_sees_all(const struct hf_ctx *c)
{
	return (c->file && READ_ONCE(c->array->keeper) == c->file) ||
	       ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);
}

/* @all: hf_sees_all() */
bool hf_sees(const struct hf_ctx *c, bool all, u64 tenant)
{
	return all || (c->lease && c->lease->tenant == tenant);
}

/**
 * hf_copy_entries() - a list of structures to a caller who may know shorter ones
 * @uptr:	the caller's room
 * @entries:	what there is to copy
 * @n:		how many
 * @size:	of each
 * @entry_size:	that the caller knows; longer ones are padded with zeros
 *
 * Return: 0 or -EFAULT.
 */
int hf_copy_entries(u64 uptr, const void *entries, u32 n, size_t size, size_t entry_size)
{
	void __user *to = u64_to_user_ptr(uptr);
	size_t len = min(size, entry_size);
	u32 i;

	for (i = 0; i < n; i++, to += entry_size) {
		if (copy_to_user(to, entries + i * size, len) ||
		    clear_user(to + len, entry_size - len))
			return -EFAULT;
	}
	return 0;
}

/* HOLDFAST_IOC_TENANT_LIST */
int hf_tenant_list(struct hf_ctx *c, struct holdfast_tenant_list *list)
{
	const size_t first = offsetofend(struct holdfast_tenant_info, used);
	struct hf_array *a = c->array;
	struct holdfast_tenant_info *info;
	bool all = hf_sees_all(c);
	unsigned long flags;
	u32 i, n = 0;
	int ret;

	if (list->reserved || list->entry_size < first || list->entry_size > PAGE_SIZE)
		return -EINVAL;
	info = kvcalloc(ARRAY_SIZE(a->accounts), sizeof(*info), GFP_KERNEL);
	if (!info)
		return -ENOMEM;
	raw_spin_lock_irqsave(&a->lock, flags);
	hf_advance_locked(a, ktime_get_ns());
	for (i = 0; i < ARRAY_SIZE(a->accounts); i++) {
		const struct hf_account *t = &a->accounts[i];

		if (!t->known || !hf_sees(c, all, t->tenant))
			continue;
		info[n].tenant = t->tenant;
		info[n].leases = t->leases;
		hf_quota_tell(&t->quota, info[n].budget, info[n].used);
		n++;
	}
	raw_spin_unlock_irqrestore(&a->lock, flags);
	ret = hf_copy_entries(list->tenants, info, min(n, list->count), sizeof(*info),
			      list->entry_size);
	list->count = n;
	kvfree(info);
	return ret;
}
