// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring: batches of frames as commands on a lease (HOLDFAST_URING_CMD_SUBMIT).
 * Who owns a command, and when it may sleep, is here; frames go the way of
 * all others (intake.c, queue.c).
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "compat.h"
#include "core.h"

#define HF_URING_PAYLOAD	80	/* of an entry of 128 bytes */

/* A command whose frames are queued. It is the queue's until done(), then its task's. */
struct hf_uring_batch {
	struct io_uring_cmd *cmd;
	struct holdfast_frame_result __user *out;
	struct hf_batch b;	/* variable length, last */
};

/* In io_uring_cmd.pdu of a command that may be cancelled. */
struct hf_uring_pdu {
	struct hf_uring_batch *batch;
};

static struct hf_uring_pdu *hf_uring_pdu(struct io_uring_cmd *cmd)
{
	BUILD_BUG_ON(sizeof(struct hf_uring_pdu) > sizeof(cmd->pdu));
	return (struct hf_uring_pdu *)cmd->pdu;
}

/* The payload may lie in memory that the program can change: copied once, then checked. */
static int hf_uring_payload_copy(const struct io_uring_cmd *cmd, struct holdfast_submit *s)
{
	u8 raw[HF_URING_PAYLOAD];

	BUILD_BUG_ON(sizeof(*s) > sizeof(raw));
	memcpy(raw, hf_uring_payload(cmd), sizeof(raw));
	memcpy(s, raw, sizeof(*s));
	if (s->size < sizeof(*s) || s->size > sizeof(raw))
		return -EINVAL;
	if (memchr_inv(raw + sizeof(*s), 0, s->size - sizeof(*s)))
		return -E2BIG;
	if ((s->flags & ~HOLDFAST_SUBMIT_QUEUE) || s->reserved || !s->count ||
	    s->count > HOLDFAST_MAX_BATCH)
		return -EINVAL;
	return s->bytes > HOLDFAST_MAX_BATCH * HF_FRAME_MAX ? -EMSGSIZE : 0;
}

static int hf_uring_import(struct io_uring_cmd *cmd, const struct holdfast_submit *s,
			   struct iov_iter *from, unsigned int issue_flags)
{
	/* Without the flag there may be a buffer left of another command in the request. */
	if (cmd->flags & IORING_URING_CMD_FIXED)
		return hf_uring_import_fixed(cmd, s->frames, s->bytes, from, issue_flags);
	if (!access_ok(u64_to_user_ptr(s->frames), s->bytes))
		return -EFAULT;
	iov_iter_ubuf(from, ITER_SOURCE, u64_to_user_ptr(s->frames), s->bytes);
	return 0;
}

static int hf_uring_lock(struct hf_lease *l, bool nonblock)
{
	if (nonblock)
		return mutex_trylock(&l->io_lock) ? 0 : -EAGAIN;
	return mutex_lock_interruptible(&l->io_lock) ? -EINTR : 0;
}

/* Will a frame be judged and on its way without anybody sleeping? */
static bool hf_uring_prompt(struct hf_array *a)
{
	unsigned long flags;
	bool prompt;

	raw_spin_lock_irqsave(&a->lock, flags);
	prompt = hf_state_quiet(a->state) && a->state != HF_ARMED;
	prompt |= (a->hw_flags & HF_HW_ATOMIC) && a->gate_open;
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return prompt;
}

/* All frames now. Whoever must not sleep is sent to a worker, or has done a part. */
static int hf_uring_now(struct hf_lease *l, struct io_uring_cmd *cmd,
			const struct holdfast_submit *s, struct iov_iter *from,
			unsigned int issue_flags)
{
	bool nonblock = issue_flags & IO_URING_F_NONBLOCK;
	unsigned int how = HF_SUBMIT_NOW | HF_SUBMIT_NOTURN | HF_SUBMIT_NOROOM |
			   (nonblock ? HF_SUBMIT_TRY : 0);
	u32 count = s->count;
	int ret;

	if (nonblock && !hf_uring_prompt(l->array))
		return -EAGAIN;
	ret = hf_uring_lock(l, nonblock);
	if (ret)
		return ret;
	ret = hf_submit_many(l, from, how, u64_to_user_ptr(s->results), &count);
	mutex_unlock(&l->io_lock);
	if (!count)
		return ret == -ERESTARTSYS ? -EINTR : ret;
	/* As a return value of a worker 6.1 loses what is neither 0 nor an error. */
	hf_uring_done(cmd, count, issue_flags);
	return -EIOCBQUEUED;
}

/* Task work of the submitter: its memory can be written only there. */
static void hf_uring_tell(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct hf_uring_batch *u = hf_uring_pdu(cmd)->batch;
	ssize_t ret = u->b.count;

	if (!current->mm || (current->flags & (PF_EXITING | PF_KTHREAD)))
		ret = -ECANCELED;
	else if (copy_to_user(u->out, u->b.res, u->b.count * sizeof(u->b.res[0])))
		ret = -EFAULT;
	/* Nobody cancels it any more after this. */
	hf_uring_done(cmd, ret, issue_flags);
	kvfree(u);
}

HF_URING_TASK_WORK(hf_uring_tell_work, hf_uring_tell)

static void hf_uring_batch_done(struct hf_batch *b)
{
	io_uring_cmd_complete_in_task(container_of(b, struct hf_uring_batch, b)->cmd,
				      hf_uring_tell_work);
}

/* All frames into the queue, or none; the command is complete when all have been played. */
static int hf_uring_queue(struct hf_lease *l, struct io_uring_cmd *cmd,
			  const struct holdfast_submit *s, struct iov_iter *from,
			  unsigned int issue_flags)
{
	struct hf_uring_batch *u;
	int ret;

	u = kvzalloc(struct_size(u, b.res, s->count), GFP_KERNEL_ACCOUNT);
	if (!u)
		return -ENOMEM;
	u->cmd = cmd;
	u->out = u64_to_user_ptr(s->results);
	u->b.done = hf_uring_batch_done;
	u->b.lease = l;
	u->b.count = s->count;
	ret = hf_uring_lock(l, issue_flags & IO_URING_F_NONBLOCK);
	if (ret)
		goto free;
	ret = hf_queue_gather(l, from, &u->b);
	if (ret) {
		mutex_unlock(&l->io_lock);
		goto free;
	}
	/* Before anybody can complete it; from here on it ends by hf_uring_done() alone. */
	hf_uring_pdu(cmd)->batch = u;
	io_uring_cmd_mark_cancelable(cmd, issue_flags);
	ret = hf_queue_publish(&u->b);
	mutex_unlock(&l->io_lock);
	if (ret) {
		hf_uring_done(cmd, ret, issue_flags);
		kvfree(u);
	}
	return -EIOCBQUEUED;

free:
	kvfree(u);
	return ret;
}

int hf_lease_fop_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct hf_lease *l = cmd->file->private_data;
	struct holdfast_submit s;
	struct iov_iter from;
	int ret;

	if (issue_flags & IO_URING_F_CANCEL) {
		hf_queue_cancel(&hf_uring_pdu(cmd)->batch->b);
		return 0;
	}
	/* In an entry of 64 bytes the payload would end behind it. */
	if (!(issue_flags & IO_URING_F_SQE128))
		return -EINVAL;
	if (cmd->cmd_op != HOLDFAST_URING_CMD_SUBMIT)
		return -ENOTTY;
	/* io_uring does not look. */
	if (!(cmd->file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (READ_ONCE(l->array->gone))
		return -ENODEV;
	ret = hf_uring_payload_copy(cmd, &s);
	if (!ret)
		ret = hf_uring_import(cmd, &s, &from, issue_flags);
	if (ret)
		return ret;
	if (s.flags & HOLDFAST_SUBMIT_QUEUE)
		return hf_uring_queue(l, cmd, &s, &from, issue_flags);
	return hf_uring_now(l, cmd, &s, &from, issue_flags);
}
