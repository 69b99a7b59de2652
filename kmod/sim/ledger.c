// SPDX-License-Identifier: GPL-2.0
/*
 * The emission ledger: a ring of what the transducers did, and the character
 * device that gives it out. One writer (the output stage, under its lock, in
 * any context), any number of readers that take no lock and so can never hold
 * up a silence. Never in here: anything that core believes.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/ktime.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "sim.h"

struct sim_reader {
	struct sim_ledger *l;
	struct mutex lock;	/* @next, @rec */
	unsigned long next;	/* record to give out next */
	struct holdfast_ledger_record *rec;	/* [slot_size] */
};

static void sim_ledger_free(struct kref *ref)
{
	struct sim_ledger *l = container_of(ref, struct sim_ledger, ref);

	irq_work_sync(&l->wake);
	vfree(l->ring);
	kfree(l);
}

static void *sim_ledger_slot(struct sim_ledger *l, unsigned long seq)
{
	return l->ring + (size_t)(seq % l->slots) * ALIGN(l->slot_size, 8);
}

u64 sim_ledger_seq(const struct sim_ledger *l)
{
	return atomic_long_read(&l->head);
}

/**
 * sim_ledger_begin() - the slot of the next record
 * @l:	the ledger, its output stage's lock held
 *
 * The caller fills what follows the header and ends it, or leaves it be.
 * Return: the record, header not yet filled.
 */
struct holdfast_ledger_record *sim_ledger_begin(struct sim_ledger *l)
{
	unsigned long seq = atomic_long_read(&l->head) + 1;

	atomic_long_set(&l->begun, seq);
	/* Pairs with the one in sim_ledger_copy(): the slot changes after @begun. */
	smp_wmb();
	return sim_ledger_slot(l, seq);
}

/**
 * sim_ledger_end() - publish a record
 * @l:	the ledger, its output stage's lock held
 * @rec:	from sim_ledger_begin()
 * @kind:	enum holdfast_ledger_kind
 * @time_ns:	when it happened
 * @value:	what goes with it (struct holdfast_ledger_record)
 *
 * Return: its sequence number.
 */
u64 sim_ledger_end(struct sim_ledger *l, struct holdfast_ledger_record *rec, u32 kind, u64 time_ns,
		   u64 value)
{
	unsigned long seq = atomic_long_read(&l->begun);
	bool frame = kind == HOLDFAST_LEDGER_FRAME;

	*rec = (struct holdfast_ledger_record){
		.magic = HOLDFAST_LEDGER_MAGIC,
		.size = frame ? l->slot_size : sizeof(*rec),
		.kind = kind,
		.channels = l->channels,
		.seq = seq,
		.time_ns = time_ns,
		.value = value,
	};
	atomic_long_set_release(&l->head, seq);
	/* Waking takes sleeping locks on PREEMPT_RT: never from here. */
	if (wq_has_sleeper(&l->wait))
		irq_work_queue(&l->wake);
	return seq;
}

static void sim_ledger_wake(struct irq_work *work)
{
	struct sim_ledger *l = container_of(work, struct sim_ledger, wake);

	wake_up_interruptible_all(&l->wait);
}

static unsigned long sim_ledger_oldest(struct sim_ledger *l)
{
	unsigned long begun = atomic_long_read(&l->begun);
	unsigned long floor = atomic_long_read(&l->floor);

	return max(begun < l->slots ? 1 : begun - l->slots + 1, floor + 1);
}

/* Copies record @seq; false: it was overwritten meanwhile. */
static bool sim_ledger_copy(struct sim_ledger *l, unsigned long seq,
			    struct holdfast_ledger_record *to)
{
	memcpy(to, sim_ledger_slot(l, seq), l->slot_size);
	/* Pairs with the one in sim_ledger_begin(). */
	smp_rmb();
	return (unsigned long)atomic_long_read(&l->begun) - seq < l->slots;
}

/* Puts the reader's next record, or what stands for lost ones, into its buffer. */
static bool sim_reader_fetch(struct sim_reader *r)
{
	struct sim_ledger *l = r->l;
	unsigned long head = atomic_long_read_acquire(&l->head);
	unsigned long floor = atomic_long_read(&l->floor);
	unsigned long oldest;

	r->next = max(r->next, floor + 1);
	if (r->next > head)
		return false;
	if (sim_ledger_copy(l, r->next, r->rec))
		return true;
	oldest = sim_ledger_oldest(l);
	*r->rec = (struct holdfast_ledger_record){
		.magic = HOLDFAST_LEDGER_MAGIC,
		.size = sizeof(*r->rec),
		.kind = HOLDFAST_LEDGER_LOST,
		.channels = l->channels,
		.seq = r->next,
		.time_ns = ktime_get_ns(),
		.value = oldest - r->next,
	};
	return true;
}

static void sim_reader_advance(struct sim_reader *r)
{
	r->next += r->rec->kind == HOLDFAST_LEDGER_LOST ? r->rec->value : 1;
}

static bool sim_reader_ready(struct sim_reader *r)
{
	struct sim_ledger *l = r->l;
	unsigned long next = max_t(unsigned long, READ_ONCE(r->next),
				   atomic_long_read(&l->floor) + 1);

	return next <= (unsigned long)atomic_long_read(&l->head) || READ_ONCE(l->dead);
}

/* Whole records into @buf. Bytes copied, 0 if there are none, or an error. */
static ssize_t sim_reader_drain(struct sim_reader *r, char __user *buf, size_t count)
{
	size_t done = 0;

	lockdep_assert_held(&r->lock);
	while (sim_reader_fetch(r)) {
		if (r->rec->size > count - done)
			return done ?: -EMSGSIZE;
		if (copy_to_user(buf + done, r->rec, r->rec->size))
			return done ?: -EFAULT;
		done += r->rec->size;
		sim_reader_advance(r);
	}
	return done;
}

static ssize_t sim_ledger_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	struct sim_reader *r = file->private_data;
	ssize_t ret;
	bool dead;

	for (;;) {
		/* Read before draining: what came before the end is still given out. */
		dead = smp_load_acquire(&r->l->dead);
		mutex_lock(&r->lock);
		ret = sim_reader_drain(r, buf, count);
		mutex_unlock(&r->lock);
		if (ret || dead)
			return ret;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		ret = wait_event_interruptible(r->l->wait, sim_reader_ready(r));
		if (ret)
			return ret;
	}
}

static ssize_t sim_ledger_write(struct file *file, const char __user *buf, size_t count,
				loff_t *pos)
{
	struct sim_reader *r = file->private_data;
	char text[8] = "";

	if (count >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, buf, count))
		return -EFAULT;
	if (!sysfs_streq(text, "clear"))
		return -EINVAL;
	atomic_long_set(&r->l->floor, atomic_long_read(&r->l->head));
	return count;
}

static __poll_t sim_ledger_poll(struct file *file, poll_table *wait)
{
	struct sim_reader *r = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &r->l->wait, wait);
	if (sim_reader_ready(r))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(r->l->dead))
		mask |= EPOLLHUP;
	return mask;
}

static int sim_ledger_open(struct inode *inode, struct file *file)
{
	struct sim_ledger *l = container_of(file->private_data, struct sim_ledger, misc);
	struct sim_reader *r = kzalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return -ENOMEM;
	r->rec = kvmalloc(l->slot_size, GFP_KERNEL);
	if (!r->rec) {
		kfree(r);
		return -ENOMEM;
	}
	mutex_init(&r->lock);
	kref_get(&l->ref);
	r->l = l;
	r->next = sim_ledger_oldest(l);
	file->private_data = r;
	return stream_open(inode, file);
}

static int sim_ledger_release(struct inode *inode, struct file *file)
{
	struct sim_reader *r = file->private_data;

	kref_put(&r->l->ref, sim_ledger_free);
	kvfree(r->rec);
	kfree(r);
	return 0;
}

static const struct file_operations sim_ledger_fops = {
	.owner = THIS_MODULE,
	.open = sim_ledger_open,
	.release = sim_ledger_release,
	.read = sim_ledger_read,
	.write = sim_ledger_write,
	.poll = sim_ledger_poll,
};

/**
 * sim_ledger_new() - an empty ledger, not to be seen yet
 * @name:	of the array
 * @channels:	that a frame has
 * @frames:	records kept
 *
 * Return: the ledger, or NULL.
 */
struct sim_ledger *sim_ledger_new(const char *name, u32 channels, u32 frames)
{
	struct sim_ledger *l = kzalloc(sizeof(*l), GFP_KERNEL);

	if (!l)
		return NULL;
	l->channels = channels;
	l->slots = frames;
	l->slot_size = sizeof(struct holdfast_ledger_record) + channels * 2 * sizeof(u16);
	/* a multiple of 8: headers stay aligned */
	BUILD_BUG_ON(sizeof(struct holdfast_ledger_record) % 8);
	l->ring = vzalloc(array_size(frames, ALIGN(l->slot_size, 8)));
	if (!l->ring) {
		kfree(l);
		return NULL;
	}
	kref_init(&l->ref);
	init_waitqueue_head(&l->wait);
	init_irq_work(&l->wake, sim_ledger_wake);
	snprintf(l->node, sizeof(l->node), "holdfast_ledger-%s", name);
	l->misc = (struct miscdevice){
		.minor = MISC_DYNAMIC_MINOR,
		.name = l->node,
		.fops = &sim_ledger_fops,
		.mode = 0644,
	};
	return l;
}

/* Makes the node. */
int sim_ledger_publish(struct sim_ledger *l)
{
	int ret = misc_register(&l->misc);

	l->published = !ret;
	return ret;
}

/* The array's directory goes: no new reader, and old ones come to an end. */
void sim_ledger_retire(struct sim_ledger *l)
{
	if (l->published)
		misc_deregister(&l->misc);
	/* Pairs with the one in sim_ledger_read(): all records are there. */
	smp_store_release(&l->dead, true);
	wake_up_interruptible_all(&l->wait);
	kref_put(&l->ref, sim_ledger_free);
}
