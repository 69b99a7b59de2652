// SPDX-License-Identifier: GPL-2.0
/*
 * The arrays there are: registration, lifetime, numbers, the memory of arrays
 * that went and may come back, and the walk over all that works in a panic.
 * No supervision and no user interface here.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "core.h"

#define HF_MAX_ARRAYS	64

/* Protects the list against writers; readers that cannot sleep use RCU. */
static DEFINE_MUTEX(hf_registry_lock);
static LIST_HEAD(hf_arrays);
static DEFINE_IDA(hf_ida);
static dev_t hf_devt;

/*
 * What outlives an unplugging: the site envelope, the surface with its means, heat, dose and
 * what tenants have used. Otherwise pulling the plug would loosen limits and forget exposure.
 */
struct hf_memory {
	struct list_head node;
	char serial[HOLDFAST_LABEL_LEN];
	bool sealed;
	bool in_use;
	struct hf_envelope site;
	struct hf_surface *surface;	/* NULL: none */
	struct hf_model model;
	struct hf_account accounts[HOLDFAST_MAX_TENANTS];
};

static LIST_HEAD(hf_memories);	/* hf_registry_lock */

static void hf_memory_free(struct hf_memory *m)
{
	list_del(&m->node);
	kvfree(m->surface);
	kvfree(m);
}

static int hf_dev_uevent(HF_UEVENT_CONST struct device *dev, struct kobj_uevent_env *env)
{
	const struct hf_array *a = container_of(dev, struct hf_array, dev);
	int ret;

	ret = add_uevent_var(env, "HOLDFAST_MODEL=%s", a->model_name);
	if (!ret)
		ret = add_uevent_var(env, "HOLDFAST_SERIAL=%s", a->serial);
	return ret;
}

struct class hf_class = {
	.name = "holdfast",
	.dev_groups = hf_array_groups,
	.dev_uevent = hf_dev_uevent,
};

static void hf_array_free(struct hf_array *a)
{
	if (a->rs)
		hf_ruleset_put(a->rs);
	free_page((unsigned long)a->status);
	kvfree(a->bb);
	kvfree(a->ev);
	kvfree(a->model);
	kvfree(a->model_copy);
	kvfree(a->wire);
	kvfree(a->wire_next);
	kvfree(a->scratch);
	kvfree(a->surface);
	kvfree(a->scan);
	kvfree(a->lut);
	kvfree(a->np);
	if (a->index >= 0)
		ida_free(&hf_ida, a->index);
	kvfree(a);
}

static void hf_dev_release(struct device *dev)
{
	hf_array_free(container_of(dev, struct hf_array, dev));
}

static bool hf_name_ok(const char *s)
{
	size_t n;

	if (!s)
		return false;
	for (n = 0; s[n]; n++) {
		if (!isalnum(s[n]) && !strchr("._-", s[n]))
			return false;
	}
	return n > 0 && n < HOLDFAST_LABEL_LEN;
}

/* NULL, or what is wrong with the description. */
static const char *hf_desc_check(const struct hf_array_desc *d)
{
	if (!hf_name_ok(d->model))
		return "model: 1..31 characters of [A-Za-z0-9._-]";
	if (!hf_name_ok(d->serial))
		return "serial: 1..31 characters of [A-Za-z0-9._-]";
	if (!d->ops || !d->ops->enable || !d->ops->commit || !d->ops->silence)
		return "ops: enable, commit and silence are required";
	if (!d->nameplate)
		return "nameplate: missing";
	if (d->nameplate->sensors && !d->ops->read_sensors)
		return "ops: read_sensors is required with sensors";
	if ((d->flags & HF_HW_DEADMAN) && !d->ops->beat_hw)
		return "ops: beat_hw is required with a hardware dead-man";
	if (d->flags & ~(HF_HW_ATOMIC | HF_HW_DEADMAN | HF_HW_SIMULATED))
		return "flags: unknown bit";
	if (d->sensor_period_ms && (d->sensor_period_ms < 2 || d->sensor_period_ms > 1000))
		return "sensor_period_ms: 0 or 2..1000";
	return hf_nameplate_check(d->nameplate);
}

static struct hf_memory *hf_memory_find(const char *serial)
{
	struct hf_memory *m;

	lockdep_assert_held(&hf_registry_lock);
	list_for_each_entry(m, &hf_memories, node) {
		if (!strcmp(m->serial, serial))
			return m;
	}
	return NULL;
}

/*
 * The memory of @serial, made when there is none. Room for as many as there
 * are arrays: an unsealed one that is not in use makes way, a sealed one never.
 */
static struct hf_memory *hf_memory_claim(const char *serial, bool *known)
{
	struct hf_memory *m = hf_memory_find(serial), *old;
	unsigned int n = 0;

	*known = m;
	if (m)
		return m->in_use ? ERR_PTR(-EEXIST) : m;
	list_for_each_entry(m, &hf_memories, node)
		n++;
	if (n >= HF_MAX_ARRAYS) {
		list_for_each_entry_safe(m, old, &hf_memories, node) {
			if (m->sealed || m->in_use)
				continue;
			hf_memory_free(m);
			n--;
			break;
		}
	}
	if (n >= HF_MAX_ARRAYS)
		return ERR_PTR(-ENOSPC);
	m = kvzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		return ERR_PTR(-ENOMEM);
	strscpy(m->serial, serial, sizeof(m->serial));
	list_add_tail(&m->node, &hf_memories);
	return m;
}

static int hf_array_alloc_parts(struct hf_array *a, const struct hf_nameplate *np)
{
	a->np = kvzalloc(sizeof(*a->np), GFP_KERNEL);
	a->lut = kvzalloc(sizeof(*a->lut), GFP_KERNEL);
	a->scratch = kvzalloc(sizeof(*a->scratch), GFP_KERNEL);
	a->wire = kvzalloc(sizeof(*a->wire), GFP_KERNEL);
	a->wire_next = kvzalloc(sizeof(*a->wire_next), GFP_KERNEL);
	a->model = kvzalloc(sizeof(*a->model), GFP_KERNEL);
	a->model_copy = kvzalloc(sizeof(*a->model_copy), GFP_KERNEL);
	a->ev = kvcalloc(HF_EVENTS, sizeof(*a->ev), GFP_KERNEL);
	a->bb = kvcalloc(HF_BLACKBOX, sizeof(*a->bb), GFP_KERNEL);
	a->status = (void *)get_zeroed_page(GFP_KERNEL);
	BUILD_BUG_ON(sizeof(*a->status) > PAGE_SIZE);
	if (!a->np || !a->lut || !a->scratch || !a->wire || !a->wire_next || !a->model ||
	    !a->model_copy || !a->ev || !a->bb || !a->status)
		return -ENOMEM;
	*a->np = *np;
	return 0;
}

static struct hf_array *hf_array_new(struct device *parent, const struct hf_array_desc *d)
{
	struct hf_array *a = kvzalloc(sizeof(*a), GFP_KERNEL);
	int ret;

	if (!a)
		return ERR_PTR(-ENOMEM);
	a->index = -1;
	ret = hf_array_alloc_parts(a, d->nameplate);
	if (ret)
		goto err;
	ret = ida_alloc_max(&hf_ida, HF_MAX_ARRAYS - 1, GFP_KERNEL);
	if (ret < 0)
		goto err;
	a->index = ret;

	init_rwsem(&a->ops_sem);
	mutex_init(&a->admit_lock);
	mutex_init(&a->surface_lock);
	raw_spin_lock_init(&a->lock);
	INIT_LIST_HEAD(&a->leases);
	spin_lock_init(&a->queue_lock);
	INIT_LIST_HEAD(&a->queues);
	INIT_LIST_HEAD(&a->node);
	INIT_WORK(&a->settle_work, hf_settle);
	init_waitqueue_head(&a->wait);
	a->instance = get_random_u64();
	a->ops = d->ops;
	a->priv = d->priv;
	a->owner = d->owner;
	a->hw_flags = d->flags;
	a->silence_bound_ns = d->silence_bound_ns;
	a->commit_ns = d->commit_ns;
	a->sensor_period_ms = d->sensor_period_ms ?: 50;
	strscpy(a->model_name, d->model, sizeof(a->model_name));
	strscpy(a->serial, d->serial, sizeof(a->serial));
	a->derate_q16 = HF_Q16_ONE;
	a->next_lease = 1;
	a->epoch = 1;
	a->env_gen = 1;
	hf_events_init(a);
	hf_phase_lut_init(a->lut, a->np->phase_levels);
	a->lut->way = hf_dot_best();

	device_initialize(&a->dev);
	a->dev.class = &hf_class;
	a->dev.parent = parent;
	a->dev.release = hf_dev_release;
	a->dev.devt = MKDEV(MAJOR(hf_devt), a->index);
	cdev_init(&a->cdev, &hf_array_fops);
	a->cdev.owner = THIS_MODULE;
	ret = dev_set_name(&a->dev, "holdfast%d", a->index);
	if (ret) {
		put_device(&a->dev);
		return ERR_PTR(ret);
	}
	return a;
err:
	hf_array_free(a);
	return ERR_PTR(ret);
}

/* Site envelope, heat, dose and what tenants used: new, or as they were when it went. */
static int hf_array_recall(struct hf_array *a, const struct hf_memory *m, bool known, u64 now)
{
	struct hf_reason r;

	hf_envelope_loosest(&a->site);
	hf_model_init(a->model, a->np, now);
	if (known) {
		a->site = m->site;
		a->sealed = m->sealed;
		memcpy(a->accounts, m->accounts, sizeof(a->accounts));
		if (m->model.channels == a->np->channels) {
			*a->model = m->model;
			hf_model_advance(a->model, a->np, now);
		}
	}
	if (known && hf_surface_recall(a, m->surface, now))
		return -ENOMEM;
	hf_sensors_init(&a->sensors, a->np, now);
	a->sensor_loop_ns = now;
	if (hf_envelope_meet(&a->env, &a->np->limits, &a->site, &r))
		return -ENOSPC;
	a->rs = hf_ruleset_new(a, &a->env, &a->site);
	return a->rs ? 0 : -ENOMEM;
}

static void hf_memory_keep(struct hf_array *a)
{
	struct hf_memory *m;

	mutex_lock(&hf_registry_lock);
	m = hf_memory_find(a->serial);
	if (m) {
		m->site = a->site;
		m->sealed = a->sealed;
		m->model = *a->model;
		memcpy(m->accounts, a->accounts, sizeof(m->accounts));
		swap(m->surface, a->surface);
		m->in_use = false;
	}
	mutex_unlock(&hf_registry_lock);
}

static void hf_memory_release(const char *serial, bool forget)
{
	struct hf_memory *m;

	mutex_lock(&hf_registry_lock);
	m = hf_memory_find(serial);
	if (m) {
		m->in_use = false;
		if (forget)
			hf_memory_free(m);
	}
	mutex_unlock(&hf_registry_lock);
}

struct hf_array *holdfast_array_register(struct device *parent, const struct hf_array_desc *desc)
{
	const char *bad = hf_desc_check(desc);
	struct hf_event_rec ev = { .type = HF_EVT_ADDED };
	struct hf_memory *m;
	struct hf_array *a;
	unsigned long flags;
	bool known;
	int ret;

	if (bad) {
		pr_err("array refused: %s\n", bad);
		return ERR_PTR(-EINVAL);
	}
	/* Whatever it was doing before we came, it stops now. */
	desc->ops->silence(desc->priv);
	ret = desc->ops->enable(desc->priv, false);
	if (ret) {
		pr_err("array %s-%s refused: it cannot be disabled (%d)\n", desc->model,
		       desc->serial, ret);
		return ERR_PTR(ret);
	}

	mutex_lock(&hf_registry_lock);
	m = hf_memory_claim(desc->serial, &known);
	if (!IS_ERR(m))
		m->in_use = true;
	mutex_unlock(&hf_registry_lock);
	if (IS_ERR(m))
		return ERR_CAST(m);

	a = hf_array_new(parent, desc);
	if (IS_ERR(a)) {
		hf_memory_release(desc->serial, !known);
		return a;
	}
	ret = hf_array_recall(a, m, known, ktime_get_ns());
	if (ret)
		goto err_put;
	raw_spin_lock_irqsave(&a->lock, flags);
	hf_status_update_locked(a, ktime_get_ns());
	raw_spin_unlock_irqrestore(&a->lock, flags);
	ret = hf_sensing_start(a);
	if (!ret && a->surface)
		ret = hf_surface_start(a);
	if (ret)
		goto err_threads;
	ret = cdev_device_add(&a->cdev, &a->dev);
	if (ret)
		goto err_threads;
	ret = hf_hwmon_add(a);
	if (ret)
		goto err_cdev;
	mutex_lock(&hf_registry_lock);
	list_add_tail_rcu(&a->node, &hf_arrays);
	mutex_unlock(&hf_registry_lock);
	if (a->sealed) {
		/* As when it was sealed: its driver stays until reboot. */
		__module_get(THIS_MODULE);
		__module_get(a->owner);
	}
	hf_governor_start(a);
	hf_event_push(a, &ev);
	dev_info(&a->dev, "%s-%s: %u channels, silent within %llu us of the command%s\n",
		 a->model_name, a->serial, a->np->channels,
		 div_u64(a->silence_bound_ns, NSEC_PER_USEC), a->sealed ? ", sealed" : "");
	return a;

err_cdev:
	cdev_device_del(&a->cdev, &a->dev);
err_threads:
	hf_surface_stop(a);
	hf_sensing_stop(a);
err_put:
	hf_events_stop(a);
	hf_memory_release(desc->serial, !known);
	put_device(&a->dev);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(holdfast_array_register);

void holdfast_array_unregister(struct hf_array *a)
{
	struct hf_event_rec ev = { .type = HF_EVT_REMOVED };
	unsigned long flags;
	bool pinned;

	/* Quiet before anything else, and while nothing has been taken apart. */
	raw_spin_lock_irqsave(&a->lock, flags);
	if (a->state != HF_SILENT)
		hf_trip_locked(a, HOLDFAST_CAUSE_HW_REMOVED, HOLDFAST_SEV_CRITICAL, NULL, 0, NULL);
	hf_hw_silence_locked(a);
	raw_spin_unlock_irqrestore(&a->lock, flags);

	mutex_lock(&hf_registry_lock);
	list_del_rcu(&a->node);
	mutex_unlock(&hf_registry_lock);
	synchronize_rcu();

	hf_hwmon_remove(a);
	hf_sensing_stop(a);
	hf_governor_stop(a);

	down_write(&a->ops_sem);
	raw_spin_lock_irqsave(&a->lock, flags);
	hf_hw_silence_locked(a);
	a->gone = true;
	hf_leases_end_all_locked(a, ENODEV, HF_DET_REVOKED);
	raw_spin_unlock_irqrestore(&a->lock, flags);
	up_write(&a->ops_sem);
	hf_queue_stop(a);
	hf_surface_stop(a);	/* no call can start it again */
	flush_work(&a->settle_work);

	hf_event_push(a, &ev);
	hf_events_stop(a);
	hf_memory_keep(a);
	mutex_lock(&a->admit_lock);
	pinned = a->pinned;
	a->pinned = false;
	mutex_unlock(&a->admit_lock);
	cdev_device_del(&a->cdev, &a->dev);
	wake_up_interruptible_all(&a->wait);
	if (pinned) {
		module_put(a->owner);
		module_put(THIS_MODULE);
	}
	put_device(&a->dev);
}
EXPORT_SYMBOL_GPL(holdfast_array_unregister);

void holdfast_array_fault(struct hf_array *a, enum hf_hw_fault fault)
{
	static const enum holdfast_cause cause[] = {
		[HF_HW_LINK_LOST] = HOLDFAST_CAUSE_LINK_LOST,
		[HF_HW_LINK_FAULT] = HOLDFAST_CAUSE_LINK_FAULT,
		[HF_HW_DEADMAN_FIRED] = HOLDFAST_CAUSE_HW_DEADMAN,
		[HF_HW_GOING] = HOLDFAST_CAUSE_HW_REMOVED,
	};

	hf_trip(a, cause[fault], HOLDFAST_SEV_CRITICAL);
}
EXPORT_SYMBOL_GPL(holdfast_array_fault);

void holdfast_envelope_loosest(struct hf_envelope *e)
{
	hf_envelope_loosest(e);
}
EXPORT_SYMBOL_GPL(holdfast_envelope_loosest);

int holdfast_limit_by_name(const char *name)
{
	int i;

	for (i = 0; i < HF_LIM_COUNT; i++) {
		if (!strcmp(hf_limits[i].name, name))
			return i;
	}
	return -ENOENT;
}
EXPORT_SYMBOL_GPL(holdfast_limit_by_name);

struct hf_array *hf_array_get(u32 index)
{
	struct hf_array *a, *found = NULL;

	mutex_lock(&hf_registry_lock);
	list_for_each_entry(a, &hf_arrays, node) {
		if (a->index != index)
			continue;
		get_device(&a->dev);
		found = a;
		break;
	}
	mutex_unlock(&hf_registry_lock);
	return found;
}

void hf_array_put(struct hf_array *a)
{
	put_device(&a->dev);
}

int hf_array_for_each(int (*fn)(struct hf_array *a, void *arg), void *arg)
{
	struct hf_array *a;
	u32 i;
	int ret = 0;

	for (i = 0; i < HF_MAX_ARRAYS && !ret; i++) {
		a = hf_array_get(i);
		if (!a)
			continue;
		ret = fn(a, arg);
		hf_array_put(a);
	}
	return ret;
}

struct hf_array *hf_array_of_inode(struct inode *inode)
{
	struct hf_array *a = container_of(inode->i_cdev, struct hf_array, cdev);

	/* The open file's hold on the cdev holds the device. */
	get_device(&a->dev);
	return a;
}

static void hf_silence_one_locked(struct hf_array *a, enum holdfast_cause cause)
{
	lockdep_assert_held(&a->lock);
	if (a->state == HF_SILENT)
		hf_hw_silence_locked(a);
	else
		hf_trip_locked(a, cause, HOLDFAST_SEV_CRITICAL, NULL, 0, NULL);
}

/*
 * In a panic or oops the holder of the lock may never run again, so there the
 * wait is bounded: long enough for a holder that does run.
 */
static void hf_silence_one_panicking(struct hf_array *a, enum holdfast_cause cause)
{
	unsigned long flags;
	unsigned int i;

	local_irq_save(flags);
	for (i = 0; i < 1000; i++) {
		if (raw_spin_trylock(&a->lock)) {
			hf_silence_one_locked(a, cause);
			raw_spin_unlock(&a->lock);
			break;
		}
		udelay(10);
	}
	local_irq_restore(flags);
}

/*
 * Silence first and without any lock; the record only where the lock can be
 * had. The hardware's gate keeps out a commit that was on its way.
 */
u64 hf_silence_all(enum holdfast_cause cause, bool panicking)
{
	struct hf_array *a;
	unsigned long flags;
	u64 bound = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(a, &hf_arrays, node) {
		a->ops->silence(a->priv);
		if (!(a->hw_flags & HF_HW_ATOMIC))
			bound = max(bound, a->silence_bound_ns);
		if (panicking) {
			hf_silence_one_panicking(a, cause);
			continue;
		}
		raw_spin_lock_irqsave(&a->lock, flags);
		hf_silence_one_locked(a, cause);
		raw_spin_unlock_irqrestore(&a->lock, flags);
	}
	rcu_read_unlock();
	return bound;
}

int hf_registry_init(void)
{
	int ret = class_register(&hf_class);

	if (ret)
		return ret;
	ret = alloc_chrdev_region(&hf_devt, 0, HF_MAX_ARRAYS, "holdfast");
	if (ret)
		class_unregister(&hf_class);
	return ret;
}

void hf_registry_exit(void)
{
	struct hf_memory *m, *next;

	unregister_chrdev_region(hf_devt, HF_MAX_ARRAYS);
	class_unregister(&hf_class);
	list_for_each_entry_safe(m, next, &hf_memories, node)
		hf_memory_free(m);
	ida_destroy(&hf_ida);
}
