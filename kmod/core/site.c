// SPDX-License-Identifier: GPL-2.0
/*
 * The site envelope and its fence: what a safety officer states, tightens and
 * seals; and the rule sets made from it. Nothing here loosens anything after
 * the seal.
 */
#include <linux/capability.h>
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "core.h"

struct hf_ruleset *hf_ruleset_new(struct hf_array *a, const struct hf_envelope *env,
				  const struct hf_envelope *site)
{
	struct hf_ruleset *rs;

	rs = kvzalloc(offsetof(struct hf_ruleset, rules) + hf_rules_size(env->nfence, a->np),
		      GFP_KERNEL);
	if (!rs)
		return NULL;
	kref_init(&rs->ref);
	hf_rules_build(&rs->rules, a->np, a->lut, env, site);
	rs->rules.id = atomic64_inc_return(&a->rules_id);
	return rs;
}

static void hf_ruleset_free(struct kref *ref)
{
	kvfree(container_of(ref, struct hf_ruleset, ref));
}

void hf_ruleset_put(struct hf_ruleset *rs)
{
	kref_put(&rs->ref, hf_ruleset_free);
}

/* Puts the limits and mask that @u gives into @e, which keeps the others. */
int hf_limits_from_uapi(struct hf_envelope *e, const struct holdfast_envelope *u)
{
	u32 i;

	if (u->set_mask > 1 || (HF_LIM_COUNT < 64 && u->set >> HF_LIM_COUNT))
		return -EINVAL;
	for (i = 0; i < HF_LIM_COUNT; i++) {
		if (u->set & BIT_ULL(i))
			e->limit[i] = u->limit[i];
	}
	if (u->set_mask)
		memcpy(e->mask, u->mask, sizeof(e->mask));
	return 0;
}

/* Adds @count points to the fence of @e. */
int hf_fence_from_user(struct hf_envelope *e, u64 uptr, u32 count)
{
	struct holdfast_fence_point *p;
	int ret = 0;
	u32 i;

	if (count > HF_MAX_FENCE)
		return -ENOSPC;
	p = kvcalloc(HF_MAX_FENCE, sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	if (copy_from_user(p, u64_to_user_ptr(uptr), count * sizeof(*p)))
		ret = -EFAULT;
	else if (e->nfence + count > HF_MAX_FENCE)
		ret = -ENOSPC;
	for (i = 0; !ret && i < count; i++)
		e->fence[e->nfence++] = (struct hf_fence_point){ p[i].x_um, p[i].y_um, p[i].z_um,
								 p[i].limit_mpa };
	kvfree(p);
	if (!ret)
		hf_envelope_canon(e);
	return ret;
}

static void hf_envelope_to_uapi(struct holdfast_envelope *u, const struct hf_envelope *e)
{
	u32 i;

	memset(u->limit, 0, sizeof(u->limit));
	for (i = 0; i < HF_LIM_COUNT; i++)
		u->limit[i] = e->limit[i];
	u->set = BIT_ULL(HF_LIM_COUNT) - 1;
	memcpy(u->mask, e->mask, sizeof(u->mask));
	u->set_mask = 1;
}

/* A new site envelope with all that follows from it, made before anything is changed. */
struct hf_site_change {
	struct hf_envelope site;
	struct hf_envelope env;
	struct hf_envelope tmp;
	struct hf_ruleset *rs;
	struct hf_ruleset *lease_rs[HOLDFAST_MAX_LEASES];
	struct hf_lease *lease[HOLDFAST_MAX_LEASES];
	u32 n;
	u32 fence_map[HF_MAX_FENCE];
	struct hf_reason reason;
};

static void hf_change_free(struct hf_site_change *ch)
{
	u32 i;

	for (i = 0; i < ch->n; i++) {
		if (ch->lease_rs[i])
			hf_ruleset_put(ch->lease_rs[i]);
	}
	if (ch->rs)
		hf_ruleset_put(ch->rs);
	kvfree(ch);
}

static void hf_fence_map(u32 *map, const struct hf_envelope *new, const struct hf_envelope *old)
{
	u32 i, j;

	for (j = 0; j < new->nfence; j++) {
		map[j] = HF_NOWHERE;
		for (i = 0; i < old->nfence; i++) {
			if (old->fence[i].x_um == new->fence[j].x_um &&
			    old->fence[i].y_um == new->fence[j].y_um &&
			    old->fence[i].z_um == new->fence[j].z_um)
				map[j] = i;
		}
	}
}

static int hf_env_errno(enum hf_env_status st)
{
	switch (st) {
	case HF_ENV_OK:
		return 0;
	case HF_ENV_FENCE_FULL:
		return -ENOSPC;
	case HF_ENV_LOOSER:
		return -EPERM;
	default:
		return -ERANGE;
	}
}

/* Rule sets for the leases that have limits of their own; the others share the array's. */
static int hf_change_leases(struct hf_array *a, struct hf_site_change *ch)
{
	struct hf_reason r;
	struct hf_lease *l;

	list_for_each_entry(l, &a->leases, node) {
		if (l->ended || ch->n == HOLDFAST_MAX_LEASES)
			continue;
		ch->lease[ch->n] = l;
		if (!l->has_env) {
			kref_get(&ch->rs->ref);
			ch->lease_rs[ch->n++] = ch->rs;
			continue;
		}
		/*
		 * A tenant's points must not stand in the way of the site's: no
		 * room for both ends the lease (lease_rs stays NULL).
		 */
		if (!hf_envelope_meet(&ch->tmp, &ch->env, &l->env, &r)) {
			ch->lease_rs[ch->n] = hf_ruleset_new(a, &ch->tmp, &ch->site);
			if (!ch->lease_rs[ch->n])
				return -ENOMEM;
		}
		ch->n++;
	}
	return 0;
}

static int hf_change_prepare(struct hf_array *a, struct hf_site_change *ch)
{
	int ret;

	ret = hf_env_errno(hf_envelope_validate(&ch->site, &ch->reason));
	if (!ret)
		ret = hf_env_errno(hf_envelope_meet(&ch->env, &a->np->limits, &ch->site,
						    &ch->reason));
	if (!ret)
		ret = hf_env_errno(hf_envelope_validate(&ch->env, &ch->reason));
	if (ret)
		return ret;
	ch->rs = hf_ruleset_new(a, &ch->env, &ch->site);
	if (!ch->rs)
		return -ENOMEM;
	hf_fence_map(ch->fence_map, &ch->site, &a->site);
	return hf_change_leases(a, ch);
}

/* The rule set that a lease gets by this change; NULL: it ends. */
static struct hf_ruleset *hf_change_rs_of(const struct hf_site_change *ch, const struct hf_lease *l)
{
	u32 i;

	for (i = 0; i < ch->n; i++) {
		if (ch->lease[i] == l)
			return ch->lease_rs[i];
	}
	return NULL;
}

/*
 * May the frame that is held stay, under its lease's new rules? The judgement
 * is made on a copy, which then carries the pressures at the new fence.
 */
static bool hf_change_held(struct hf_array *a, struct hf_site_change *ch, struct hf_result *res)
{
	struct hf_context ctx = { .derate_q16 = HF_Q16_ONE };
	struct hf_ruleset *rs;
	unsigned long flags;
	struct hf_lease *l;

	raw_spin_lock_irqsave(&a->lock, flags);
	l = a->emitter;
	if (l) {
		ctx.now_ns = ktime_get_ns();
		hf_advance_locked(a, ctx.now_ns);
		hf_model_fence_changed(a->model, ch->fence_map, ch->site.nfence);
		*a->model_copy = *a->model;
		ctx.derate_q16 = a->derate_q16;
		ctx.surface = a->surface_state;
		*a->wire_next = *a->wire;
	} else {
		hf_model_fence_changed(a->model, ch->fence_map, ch->site.nfence);
	}
	raw_spin_unlock_irqrestore(&a->lock, flags);
	if (!l)
		return true;
	rs = hf_change_rs_of(ch, l);
	if (!rs)
		return false;
	ctx.model = a->model_copy;
	ctx.last = a->wire;
	return hf_recheck(&rs->rules, &ctx, a->wire_next, a->scratch, res);
}

static void hf_change_commit(struct hf_array *a, struct hf_site_change *ch,
			     enum hf_event_detail why)
{
	struct hf_event_rec ev = { .type = HF_EVT_ENVELOPE, .detail = why, .reason = ch->reason };
	struct hf_result res = { .reason = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0) };
	bool keep = hf_change_held(a, ch, &res);
	unsigned long flags;
	u32 i;

	hf_submitter_current(&ev.who, NULL);
	raw_spin_lock_irqsave(&a->lock, flags);
	if (a->emitter && !keep)
		hf_rest_locked(a, &res.reason);
	else if (a->emitter)
		swap(a->wire, a->wire_next);
	a->site = ch->site;
	a->env = ch->env;
	a->env_gen++;
	swap(a->rs, ch->rs);
	for (i = 0; i < ch->n; i++) {
		if (ch->lease_rs[i])
			swap(ch->lease[i]->rs, ch->lease_rs[i]);
		else
			hf_lease_end_locked(ch->lease[i], EKEYREVOKED, HF_DET_REVOKED);
	}
	hf_model_output_locked(a, ktime_get_ns());
	/* A tighter deadline, temperature or cap holds from now, not from the next tick. */
	hf_govern_locked(a, ktime_get_ns());
	hf_event_push(a, &ev);
	hf_status_update_locked(a, ktime_get_ns());
	raw_spin_unlock_irqrestore(&a->lock, flags);
}

/* Who may, and when. */
int hf_site_allowed(struct hf_ctx *c, enum hf_site_verb verb)
{
	struct hf_array *a = c->array;

	lockdep_assert_held(&a->admit_lock);
	if (verb == HF_SITE_TIGHTEN)
		return capable(CAP_SYS_ADMIN) || (c->file && a->keeper == c->file) ? 0 : -EPERM;
	if (!capable(CAP_SYS_ADMIN) || a->sealed)
		return -EPERM;
	return a->state == HF_SILENT || a->state == HF_TRIPPED ? 0 : -EBUSY;
}

static int hf_site_apply(struct hf_ctx *c, enum hf_site_verb verb, struct hf_site_change *ch,
			 enum hf_event_detail why)
{
	struct hf_array *a = c->array;
	int ret;

	if (verb == HF_SITE_TIGHTEN && !hf_envelope_le(&ch->site, &a->site, &ch->reason))
		return -EPERM;
	ret = hf_change_prepare(a, ch);
	if (!ret)
		hf_change_commit(a, ch, why);
	return ret;
}

static struct hf_site_change *hf_change_new(void)
{
	struct hf_site_change *ch = kvzalloc(sizeof(*ch), GFP_KERNEL);

	if (ch)
		ch->reason = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0);
	return ch;
}

static int hf_envelope_change(struct hf_ctx *c, enum hf_site_verb verb, struct holdfast_envelope *e)
{
	struct hf_array *a = c->array;
	struct hf_site_change *ch;
	int ret;

	if (e->which != HOLDFAST_ENV_SITE || e->generation || e->sealed || e->reason.limit ||
	    e->reason.where || e->reason.measured || e->reason.bound)
		return -EINVAL;
	ch = hf_change_new();
	if (!ch)
		return -ENOMEM;
	mutex_lock(&a->admit_lock);
	ret = hf_site_allowed(c, verb);
	if (!ret) {
		ch->site = a->site;
		ret = hf_limits_from_uapi(&ch->site, e);
	}
	if (!ret)
		ret = hf_site_apply(c, verb, ch,
				    verb == HF_SITE_SET ? HF_DET_SET : HF_DET_TIGHTENED);
	e->generation = a->env_gen;
	e->sealed = a->sealed;
	e->reason = hf_reason_uapi(&ch->reason);
	mutex_unlock(&a->admit_lock);
	hf_change_free(ch);
	return ret;
}

/* The envelope that @which means for this file; admit_lock held. NULL: none. */
static const struct hf_envelope *hf_envelope_pick(const struct hf_ctx *c, u32 which)
{
	switch (which) {
	case HOLDFAST_ENV_NAMEPLATE:
		return &c->array->np->limits;
	case HOLDFAST_ENV_SITE:
		return &c->array->site;
	case HOLDFAST_ENV_LEASE:
		return c->lease ? &c->lease->env : NULL;
	case HOLDFAST_ENV_EFFECTIVE:
		return c->lease ? &c->lease->rs->rules.env : &c->array->env;
	default:
		return NULL;
	}
}

int hf_envelope_ioctl(struct hf_ctx *c, unsigned int cmd, struct holdfast_envelope *e)
{
	struct hf_array *a = c->array;
	const struct hf_envelope *src;

	if (cmd == HOLDFAST_IOC_ENVELOPE_SET)
		return hf_envelope_change(c, HF_SITE_SET, e);
	if (cmd == HOLDFAST_IOC_ENVELOPE_TIGHTEN)
		return hf_envelope_change(c, HF_SITE_TIGHTEN, e);
	mutex_lock(&a->admit_lock);
	src = hf_envelope_pick(c, e->which);
	if (src) {
		hf_envelope_to_uapi(e, src);
		e->generation = a->env_gen;
		e->sealed = a->sealed;
	}
	mutex_unlock(&a->admit_lock);
	return src ? 0 : -EINVAL;
}

static int hf_fence_change(struct hf_ctx *c, enum hf_site_verb verb, struct holdfast_fence *f)
{
	struct hf_array *a = c->array;
	struct hf_site_change *ch;
	int ret;

	if (f->which != HOLDFAST_ENV_SITE)
		return -EINVAL;
	ch = hf_change_new();
	if (!ch)
		return -ENOMEM;
	/* User memory is read before any lock is taken: it may take for ever. */
	hf_envelope_loosest(&ch->tmp);
	ret = hf_fence_from_user(&ch->tmp, f->points, f->count);
	if (ret) {
		hf_change_free(ch);
		return ret;
	}
	mutex_lock(&a->admit_lock);
	ret = hf_site_allowed(c, verb);
	if (!ret) {
		ch->site = a->site;
		if (verb == HF_SITE_SET)
			ch->site.nfence = 0;
		ret = hf_env_errno(hf_envelope_meet(&ch->site, &ch->site, &ch->tmp, &ch->reason));
	}
	if (!ret)
		ret = hf_site_apply(c, verb, ch, HF_DET_FENCE);
	f->reason = hf_reason_uapi(&ch->reason);
	mutex_unlock(&a->admit_lock);
	hf_change_free(ch);
	return ret;
}

static int hf_fence_get(struct hf_ctx *c, struct holdfast_fence *f)
{
	struct hf_array *a = c->array;
	const struct hf_envelope *src;
	struct hf_envelope *copy;
	u32 n;
	int ret = -EINVAL;

	copy = kvzalloc(sizeof(*copy), GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	mutex_lock(&a->admit_lock);
	src = hf_envelope_pick(c, f->which);
	if (src)
		*copy = *src;
	mutex_unlock(&a->admit_lock);
	if (src) {
		BUILD_BUG_ON(sizeof(copy->fence[0]) != sizeof(struct holdfast_fence_point));
		n = min(copy->nfence, f->count);
		ret = n && copy_to_user(u64_to_user_ptr(f->points), copy->fence,
					n * sizeof(copy->fence[0])) ? -EFAULT : 0;
		f->count = copy->nfence;
	}
	kvfree(copy);
	return ret;
}

int hf_fence_ioctl(struct hf_ctx *c, unsigned int cmd, struct holdfast_fence *f)
{
	if (f->reserved)
		return -EINVAL;
	if (cmd == HOLDFAST_IOC_FENCE_SET)
		return hf_fence_change(c, HF_SITE_SET, f);
	if (cmd == HOLDFAST_IOC_FENCE_ADD)
		return hf_fence_change(c, HF_SITE_TIGHTEN, f);
	return hf_fence_get(c, f);
}

/* From now until reboot the site envelope can only get tighter. */
int hf_seal(struct hf_ctx *c, struct holdfast_seal *s)
{
	struct hf_event_rec ev = {
		.type = HF_EVT_SEAL,
		.reason = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0),
	};
	struct hf_array *a = c->array;
	unsigned long flags;
	int ret = 0;

	if (s->flags)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	mutex_lock(&a->admit_lock);
	if (a->sealed)
		goto out;
	/* The references that keep both modules in until reboot. */
	if (!try_module_get(a->owner)) {
		ret = -ENODEV;
		goto out;
	}
	__module_get(THIS_MODULE);
	hf_submitter_current(&ev.who, NULL);
	raw_spin_lock_irqsave(&a->lock, flags);
	a->sealed = true;
	hf_event_push(a, &ev);
	hf_status_update_locked(a, ktime_get_ns());
	raw_spin_unlock_irqrestore(&a->lock, flags);
out:
	mutex_unlock(&a->admit_lock);
	return ret;
}
