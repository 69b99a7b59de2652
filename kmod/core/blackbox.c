// SPDX-License-Identifier: GPL-2.0
/*
 * The black box: a ring of what was, frozen from a trip to its reset so that
 * what led there can be read. It records; it never decides.
 */
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "core.h"

/* The hottest, the lowest supply and the largest current of the believable readings. */
static void bb_sensors(const struct hf_array *a, struct holdfast_blackbox_entry *e)
{
	const struct hf_envelope *env = hf_env_now(a);
	u32 i;

	e->temp_mc = INT_MIN;
	e->supply_mv = INT_MIN;
	e->current_ma = 0;
	for (i = 0; i < a->sensors.count; i++) {
		const struct hf_sensor *s = &a->sensors.s[i];
		s32 v;

		if (hf_sensor_state(s, env, e->time_ns) != HF_SENSOR_OK)
			continue;
		v = clamp_t(s64, s->value, INT_MIN + 1, INT_MAX);
		switch (a->np->sensor[i].kind) {
		case HF_SENSOR_TEMP:
			e->temp_mc = max(e->temp_mc, v);
			break;
		case HF_SENSOR_SUPPLY:
			e->supply_mv = e->supply_mv == INT_MIN ? v : min(e->supply_mv, v);
			break;
		case HF_SENSOR_CURRENT:
			e->current_ma = max(e->current_ma, v);
			break;
		case HF_SENSOR_FAN:
			break;
		}
	}
}

/**
 * hf_blackbox_add() - record an entry; nothing happens while frozen
 * @a:	the array, its lock held
 * @e:	kind, verdict, cause, reason and lease; the rest is filled in
 */
void hf_blackbox_add(struct hf_array *a, struct holdfast_blackbox_entry *e)
{
	lockdep_assert_held(&a->lock);
	e->time_ns = ktime_get_mono_fast_ns();
	e->state = a->state;
	e->cap_q16 = ((u64)hf_env_now(a)->limit[HF_LIM_AMP_CAP] * a->derate_q16) >> 16;
	e->power_uw = a->model->power_uw;
	bb_sensors(a, e);

	if (hf_ev_unsafe(a))
		return;
	raw_spin_lock(&a->ev_lock);
	if (!a->bb_frozen)
		a->bb[a->bb_count++ & (HF_BLACKBOX - 1)] = *e;
	raw_spin_unlock(&a->ev_lock);
}

void hf_blackbox_freeze(struct hf_array *a)
{
	WRITE_ONCE(a->bb_frozen, true);
}

void hf_blackbox_thaw(struct hf_array *a)
{
	WRITE_ONCE(a->bb_frozen, false);
}

/* Oldest first; returns how many. One short memcpy under the lock: some 40 KiB. */
static u32 bb_snapshot(struct hf_array *a, struct holdfast_blackbox_entry *out, u32 *frozen)
{
	unsigned long flags;
	u32 n, first;

	raw_spin_lock_irqsave(&a->ev_lock, flags);
	n = min_t(u64, a->bb_count, HF_BLACKBOX);
	first = (a->bb_count - n) & (HF_BLACKBOX - 1);
	memcpy(out, a->bb + first, (n - first) * sizeof(*out));
	memcpy(out + n - first, a->bb, first * sizeof(*out));
	*frozen = a->bb_frozen;
	raw_spin_unlock_irqrestore(&a->ev_lock, flags);
	return n;
}

/**
 * hf_blackbox_copy() - body of HOLDFAST_IOC_BLACKBOX
 * @c:	the caller; entries that name another lease than its own do not, unless it sees all
 * @arg: in kernel memory; @arg->entries points to the user's
 *
 * Context: process, may sleep.
 * Return: 0, -EINVAL, -ENOMEM, -EFAULT.
 */
int hf_blackbox_copy(struct hf_ctx *c, struct holdfast_blackbox *arg)
{
	struct holdfast_blackbox_entry *copy;
	bool all = hf_sees_all(c);
	u32 i, n, room = arg->count;
	int ret = 0;

	if (arg->reserved)
		return -EINVAL;
	copy = kvmalloc_array(HF_BLACKBOX, sizeof(*copy), GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	n = bb_snapshot(c->array, copy, &arg->frozen);
	arg->count = n;
	n = min(n, room);
	for (i = 0; i < n && !all; i++) {
		if (!c->lease || copy[i].lease != c->lease->id)
			copy[i].lease = 0;
	}
	if (n && copy_to_user(u64_to_user_ptr(arg->entries), copy, n * sizeof(*copy)))
		ret = -EFAULT;
	kvfree(copy);
	return ret;
}
