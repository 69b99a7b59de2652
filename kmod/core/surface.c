// SPDX-License-Identifier: GPL-2.0
/*
 * The surface of an array: points set, added and asked for, and the thread that visits
 * them in rotation. What a visit counts, and what follows, is decided in rules/; the
 * tick acts on it, and trips when this thread falls behind.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "core.h"

/* What is emitted now; a consistent copy of its wire values is in a->scan. */
struct hf_scan_look {
	u64 now_ns;
	bool on;
	bool bound;	/* SURFACE_MEAN is not at its loosest */
	u64 limit_mpa;
};

static void hf_scan_look(struct hf_array *a, struct hf_scan_look *look)
{
	struct hf_surface_work *w = a->scan;
	unsigned long flags;

	raw_spin_lock_irqsave(&a->lock, flags);
	look->now_ns = ktime_get_ns();
	look->on = a->emitter;
	look->limit_mpa = hf_env_now(a)->limit[HF_LIM_SURFACE_MEAN];
	if (look->on) {
		memcpy(w->phase, a->wire->phase, a->np->channels * sizeof(w->phase[0]));
		memcpy(w->amp_q16, a->wire->amp_q16, a->np->channels * sizeof(w->amp_q16[0]));
	}
	raw_spin_unlock_irqrestore(&a->lock, flags);
	look->bound = look->limit_mpa < (u64)hf_limits[HF_LIM_SURFACE_MEAN].max;
}

/*
 * One batch of visits, all with the same look at the output. Where amplitudes alone show
 * that no point can be above its limit, that bound counts instead of the pressure.
 * Returns how long the batch may take, ns.
 */
static u64 hf_scan_batch(struct hf_array *a)
{
	struct hf_surface *s = a->surface;
	struct hf_scan_look look;
	unsigned long flags;
	u64 most = 0, mpa;
	bool quick, round = false;
	u32 n, j;

	lockdep_assert_held(&a->surface_lock);
	hf_scan_look(a, &look);
	if (look.on)
		most = hf_surface_most_mpa(s, a->scan->amp_q16);
	quick = !look.on || (look.bound && most <= look.limit_mpa);
	for (n = 0; n < HF_SURFACE_BATCH && !round && !kthread_should_stop(); n++) {
		j = hf_surface_next(s, get_random_u32());
		round = !s->visited;
		mpa = quick ? most : hf_surface_look(s, j, a->scan, a->lut, a->np);
		hf_surface_visit(s, j, mpa, look.now_ns);
		if (!quick)
			cond_resched();
	}
	hf_surface_find_worst(s);
	raw_spin_lock_irqsave(&a->lock, flags);
	hf_surface_tell(&a->surface_state, s, round, ktime_get_ns());
	raw_spin_unlock_irqrestore(&a->lock, flags);
	/* Two rounds within the stated time: a point may be first in one and last in the next. */
	return div_u64(hf_surface_scan_ms(s->points, s->channels) * (NSEC_PER_MSEC / 2),
		       DIV_ROUND_UP(s->points, HF_SURFACE_BATCH));
}

/* Anywhere within @ns. */
static u64 hf_scan_random(u64 ns)
{
	return (ns >> 16) * (get_random_u32() >> 16);
}

/*
 * A program that knew when rounds begin could emit where visits count for little, so rounds
 * take 3/4 to all of their time, and a batch is anywhere within its own.
 */
static u64 hf_scan_pace(u64 full)
{
	return full - hf_scan_random(full / 4);
}

static int hf_scan_thread(void *data)
{
	struct hf_array *a = data;
	ktime_t slot = ktime_get(), at;
	u64 len, pace = 0, full = 0;

	while (!kthread_should_stop()) {
		mutex_lock(&a->surface_lock);
		len = a->surface ? hf_scan_batch(a) : NSEC_PER_SEC;
		if (!a->surface || !a->surface->visited || len != full)
			pace = hf_scan_pace(len);
		mutex_unlock(&a->surface_lock);
		full = len;
		len = pace;
		slot = ktime_add_ns(slot, len);
		/* Late is late: no burst to catch up. */
		if (ktime_before(slot, ktime_get()))
			slot = ktime_get();
		at = ktime_add_ns(slot, hf_scan_random(len));
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule_hrtimeout(&at, HRTIMER_MODE_ABS);
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

/**
 * hf_surface_start() - have the points of the surface visited, once there is one
 * @a:	the array; admit_lock held, or nobody else knows it yet
 *
 * Return: 0, also when it runs already; -errno, and nothing has changed.
 */
int hf_surface_start(struct hf_array *a)
{
	struct task_struct *t;

	if (a->scan_task)
		return 0;
	if (!a->scan)
		a->scan = kvzalloc(sizeof(*a->scan), GFP_KERNEL);
	if (!a->scan)
		return -ENOMEM;
	t = kthread_run(hf_scan_thread, a, "holdfast%d-scan", a->index);
	if (IS_ERR(t))
		return PTR_ERR(t);
	a->scan_task = t;
	return 0;
}

/* As hf_surface_start(). Waits for the batch that is in the works, which takes no other lock. */
void hf_surface_stop(struct hf_array *a)
{
	if (a->scan_task)
		kthread_stop(a->scan_task);
	a->scan_task = NULL;
}

struct hf_surface *hf_surface_new(u32 points)
{
	return kvzalloc(hf_surface_size(points), GFP_KERNEL);
}

/* Gains by the geometry of this array; slow. */
static void hf_surface_gains(const struct hf_array *a, struct hf_surface *s)
{
	u32 i;

	for (i = 0; i < a->np->channels; i++) {
		hf_surface_gain(s, a->np, i);
		cond_resched();
	}
}

/**
 * hf_surface_recall() - the surface that this array had before it went
 * @a:	new, known to nobody
 * @old: as hf_memory_keep() got it, stays with the caller; NULL: none
 * @now: in between there was silence
 *
 * Return: 0 or -ENOMEM.
 */
int hf_surface_recall(struct hf_array *a, const struct hf_surface *old, u64 now)
{
	struct hf_surface *s;

	if (!old)
		return 0;
	s = hf_surface_new(old->points);
	if (!s)
		return -ENOMEM;
	hf_surface_merge(s, old, NULL, 0, true, now);
	hf_surface_gains(a, s);
	hf_surface_idle(s, now);
	a->surface = s;
	hf_surface_begin(&a->surface_state, s, now);
	return 0;
}

/* Takes @s (NULL: none) for the surface; admit_lock held. Returns what to free. */
static struct hf_surface *hf_surface_swap(struct hf_array *a, struct hf_surface *s)
{
	struct hf_event_rec ev = {
		.type = HF_EVT_ENVELOPE,
		.detail = HF_DET_FENCE,
		.count = s ? s->points : 0,
		.reason = hf_reason(HF_LIM_NONE, HF_NOWHERE, 0, 0),
	};
	unsigned long flags;

	lockdep_assert_held(&a->admit_lock);
	lockdep_assert_held(&a->surface_lock);
	hf_submitter_current(&ev.who, NULL);
	swap(a->surface, s);
	raw_spin_lock_irqsave(&a->lock, flags);
	if (a->surface)
		hf_surface_begin(&a->surface_state, a->surface, ktime_get_ns());
	else
		memset(&a->surface_state, 0, sizeof(a->surface_state));
	a->env_gen++;
	hf_event_push(a, &ev);
	hf_status_update_locked(a, ktime_get_ns());
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return s;
}

/* All of @p[@n] (sorted), and if @all those that there are. */
static int hf_surface_put(struct hf_array *a, bool all, const struct hf_surface_point *p, u32 n)
{
	struct hf_surface *s;
	int ret;

	lockdep_assert_held(&a->admit_lock);
	s = hf_surface_new(n + (a->surface ? a->surface->points : 0));
	if (!s)
		return -ENOMEM;
	/* The thread first: once there is a surface nothing may fail. */
	ret = hf_surface_start(a);
	if (ret)
		goto out;
	mutex_lock(&a->surface_lock);
	hf_surface_merge(s, a->surface, p, n, all, ktime_get_ns());
	if (s->points > HF_MAX_SURFACE) {
		ret = -ENOSPC;
	} else if (!s->points) {
		kvfree(s);
		s = a->surface ? hf_surface_swap(a, NULL) : NULL;
	} else if (!all || !a->surface || s->points != a->surface->points) {
		hf_surface_gains(a, s);
		s = hf_surface_swap(a, s);
	}
	/* Else nothing is new: who adds again and again must not begin rounds anew. */
	mutex_unlock(&a->surface_lock);
	if (a->surface)
		wake_up_process(a->scan_task);
	else
		hf_surface_stop(a);
out:
	kvfree(s);
	return ret;
}

static int hf_surface_sort_cmp(const void *a, const void *b)
{
	return hf_surface_order(a, b);
}

/* Points of a call, sorted; ERR_PTR. User memory is read here, before any lock is taken. */
static struct hf_surface_point *hf_surface_from_user(struct holdfast_surface *u)
{
	struct holdfast_surface_point *in;
	struct hf_surface_point *p;
	int ret = 0;
	u32 i;

	if (u->count > HF_MAX_SURFACE)
		return ERR_PTR(-ENOSPC);
	in = kvcalloc(u->count + 1, sizeof(*in), GFP_KERNEL);
	p = kvcalloc(u->count + 1, sizeof(*p), GFP_KERNEL);
	if (!in || !p)
		ret = -ENOMEM;
	else if (copy_from_user(in, u64_to_user_ptr(u->points), u->count * sizeof(*in)))
		ret = -EFAULT;
	for (i = 0; !ret && i < u->count; i++) {
		const s32 at[3] = { in[i].x_um, in[i].y_um, in[i].z_um };
		u32 k;

		if (in[i].mean_mpa)
			ret = -EINVAL;
		for (k = 0; !ret && k < 3; k++) {
			if (at[k] >= -HF_FENCE_REACH_UM && at[k] <= HF_FENCE_REACH_UM)
				continue;
			ret = -ERANGE;
			u->reason = (struct holdfast_reason){
				HOLDFAST_LIM_SURFACE_MEAN, i, at[k],
				at[k] < 0 ? -HF_FENCE_REACH_UM : HF_FENCE_REACH_UM,
			};
		}
		p[i] = (struct hf_surface_point){ .x_um = at[0], .y_um = at[1], .z_um = at[2] };
	}
	kvfree(in);
	if (ret) {
		kvfree(p);
		return ERR_PTR(ret);
	}
	sort(p, u->count, sizeof(*p), hf_surface_sort_cmp, NULL);
	return p;
}

static int hf_surface_change(struct hf_ctx *c, enum hf_site_verb verb, struct holdfast_surface *u)
{
	struct hf_array *a = c->array;
	struct hf_surface_point *p = hf_surface_from_user(u);
	int ret;

	if (IS_ERR(p))
		return PTR_ERR(p);
	mutex_lock(&a->admit_lock);
	ret = hf_site_allowed(c, verb);
	if (!ret)
		ret = hf_surface_put(a, verb == HF_SITE_TIGHTEN, p, u->count);
	mutex_unlock(&a->admit_lock);
	kvfree(p);
	return ret;
}

/* The surface as it is, and at most @room points of it into @p. */
static void hf_surface_show(struct hf_array *a, struct holdfast_surface *u,
			    struct holdfast_surface_point *p, u32 room)
{
	const struct hf_surface *s;
	u32 i;

	mutex_lock(&a->surface_lock);
	s = a->surface;
	u->count = s ? s->points : 0;
	u->worst = s ? s->worst : HOLDFAST_NOWHERE;
	u->scan_ms = s ? hf_surface_scan_ms(s->points, s->channels) : 0;
	for (i = 0; i < min(u->count, room); i++)
		p[i] = (struct holdfast_surface_point){
			s->point[i].x_um, s->point[i].y_um, s->point[i].z_um,
			hf_surface_mpa(s->point[i].mean_q8),
		};
	mutex_unlock(&a->surface_lock);
}

static int hf_surface_get(struct hf_ctx *c, struct holdfast_surface *u)
{
	u32 room = min_t(u32, u->count, HF_MAX_SURFACE);
	struct holdfast_surface_point *p;
	int ret = 0;
	u32 i;

	p = kvcalloc(room + 1, sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	hf_surface_show(c->array, u, p, room);
	room = min(room, u->count);
	/* Means tell when a point was visited: not to those who emit. */
	if (!hf_sees_all(c)) {
		u->worst = HOLDFAST_NOWHERE;
		for (i = 0; i < room; i++)
			p[i].mean_mpa = 0;
	}
	if (room && copy_to_user(u64_to_user_ptr(u->points), p, room * sizeof(*p)))
		ret = -EFAULT;
	kvfree(p);
	return ret;
}

int hf_surface_ioctl(struct hf_ctx *c, unsigned int cmd, struct holdfast_surface *u)
{
	int ret;

	BUILD_BUG_ON(HF_MAX_SURFACE != HOLDFAST_MAX_SURFACE);
	u->reason = (struct holdfast_reason){ HOLDFAST_LIM_NONE, HOLDFAST_NOWHERE, 0, 0 };
	if (cmd == HOLDFAST_IOC_SURFACE_GET)
		return hf_surface_get(c, u);
	ret = hf_surface_change(c, cmd == HOLDFAST_IOC_SURFACE_SET ? HF_SITE_SET : HF_SITE_TIGHTEN,
				u);
	if (!ret)
		hf_surface_show(c->array, u, NULL, 0);
	return ret;
}
