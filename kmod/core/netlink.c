// SPDX-License-Identifier: GPL-2.0
/*
 * Generic netlink family "holdfast", as uapi/holdfast.yaml describes it:
 * events, replay, status, and silence. What comes in over netlink can only make
 * an array quieter; nothing that arms, resets or loosens belongs here. The
 * family is there in the initial network namespace only.
 */
#include <linux/build_bug.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>

#include "compat.h"
#include "core.h"
#include "holdfast_netlink.h"
#include "netlink_put.h"

enum { HF_NL_SAFETY, HF_NL_TELEMETRY, HF_NL_AUDIT };

static struct genl_family hf_nl_family;

/* Both kinds of dump fit in the room that netlink keeps for one. */
struct hf_nl_array_dump {
	u32 next;	/* lowest index not yet sent */
};

struct hf_nl_event_dump {
	u32 index;
	u64 instance;
	u64 next;	/* sequence number */
	u64 lost;	/* gone since the last one sent */
	bool who;	/* the requester may know who it was */
};

static_assert(sizeof(struct hf_nl_array_dump) <= sizeof_field(struct netlink_callback, ctx));
static_assert(sizeof(struct hf_nl_event_dump) <= sizeof_field(struct netlink_callback, ctx));

/* The array that @attr names, with a reference; ERR_PTR with the reason in @extack. */
static struct hf_array *hf_nl_array(const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	struct hf_array *a = hf_array_get(nla_get_u32(attr));

	if (a)
		return a;
	NL_SET_ERR_MSG_ATTR(extack, attr, "no array has this index");
	return ERR_PTR(-ENODEV);
}

/*
 * Ends a message of its own, for which room for @size bytes of attributes was
 * made; frees it after an error.
 */
static int hf_nl_end(struct sk_buff *skb, void *head, size_t size, int err)
{
	if (!head || err) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	DEBUG_NET_WARN_ON_ONCE(skb->len > nlmsg_msg_size(genlmsg_msg_size(size)));
	return 0;
}

/* ---- array-get */

static int hf_nl_array_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct hf_nl_array v;
	struct hf_array *a;
	struct sk_buff *msg;
	size_t size;
	void *head;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, HOLDFAST_A_ARRAY_INDEX)) {
		NL_SET_ERR_MSG(info->extack, "index is required; a dump lists all arrays");
		return -EINVAL;
	}
	a = hf_nl_array(info->attrs[HOLDFAST_A_ARRAY_INDEX], info->extack);
	if (IS_ERR(a))
		return PTR_ERR(a);
	hf_nl_array_view(a, &v);
	size = hf_nl_array_size(a, &v);
	err = -ENOMEM;
	msg = genlmsg_new(size, GFP_KERNEL);
	if (!msg)
		goto out;
	head = genlmsg_put_reply(msg, info, &hf_nl_family, 0, HOLDFAST_CMD_ARRAY_GET);
	err = hf_nl_end(msg, head, size, head ? hf_nl_put_array(msg, a, &v) : 0);
	if (!err)
		err = genlmsg_reply(msg, info);
out:
	hf_array_put(a);
	return err;
}

struct hf_nl_pick {
	u32 from_index;
	struct hf_array *best;
	u32 set;	/* changes when an array comes or goes */
};

static int hf_nl_pick_one(struct hf_array *a, void *arg)
{
	struct hf_nl_pick *p = arg;

	p->set ^= lower_32_bits(a->instance) ^ upper_32_bits(a->instance);
	if (!p->best && a->index >= p->from_index) {
		get_device(&a->dev);
		p->best = a;
	}
	return 0;
}

/* The array with the lowest index from @from_index up, with a reference; NULL at the end. */
static struct hf_array *hf_nl_next_array(u32 from_index, u32 *set)
{
	struct hf_nl_pick p = { .from_index = from_index };

	hf_array_for_each(hf_nl_pick_one, &p);	/* goes by index */
	*set = p.set ?: 1;
	return p.best;
}

static int hf_nl_array_get_start(struct netlink_callback *cb)
{
	const struct nlattr *index = genl_info_dump(cb)->attrs[HOLDFAST_A_ARRAY_INDEX];

	if (!index)
		return 0;
	NL_SET_ERR_MSG_ATTR(cb->extack, index, "a dump lists all arrays and takes no index");
	return -EINVAL;
}

static int hf_nl_dump_array(struct sk_buff *skb, struct netlink_callback *cb, struct hf_array *a)
{
	void *head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				 &hf_nl_family, NLM_F_MULTI, HOLDFAST_CMD_ARRAY_GET);
	struct hf_nl_array v;

	if (!head)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, head);
	hf_nl_array_view(a, &v);
	if (hf_nl_put_array(skb, a, &v)) {
		genlmsg_cancel(skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return 0;
}

static int hf_nl_array_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct hf_nl_array_dump *d = (void *)cb->ctx;
	struct hf_array *a;
	int err = 0;

	while (!err && (a = hf_nl_next_array(d->next, &cb->seq))) {
		err = hf_nl_dump_array(skb, cb, a);
		if (!err)
			d->next = a->index + 1;
		hf_array_put(a);
	}
	return skb->len ?: err;
}

/* ---- event-get */

static int hf_nl_event_get_start(struct netlink_callback *cb)
{
	struct nlattr **attrs = genl_info_dump(cb)->attrs;
	const struct nlattr *since = attrs[HOLDFAST_A_EVENT_SINCE_SEQ];
	struct hf_nl_event_dump *d = (void *)cb->ctx;
	u64 oldest, newest, undelivered;
	struct hf_array *a;

	if (NL_REQ_ATTR_CHECK(cb->extack, NULL, attrs, HOLDFAST_A_EVENT_INDEX)) {
		NL_SET_ERR_MSG(cb->extack, "index is required");
		return -EINVAL;
	}
	a = hf_nl_array(attrs[HOLDFAST_A_EVENT_INDEX], cb->extack);
	if (IS_ERR(a))
		return PTR_ERR(a);
	d->index = a->index;
	d->instance = a->instance;
	hf_event_range(a, &oldest, &newest, &undelivered);
	hf_array_put(a);
	if (since && nla_get_u64(since) > newest) {
		NL_SET_ERR_MSG_ATTR(cb->extack, since,
				    "newer than the newest event: of another instance?");
		return -ERANGE;
	}
	d->next = since ? nla_get_u64(since) + 1 : 1;
	d->who = netlink_capable(cb->skb, CAP_NET_ADMIN);
	return 0;
}

static int hf_nl_dump_event(struct sk_buff *skb, struct netlink_callback *cb,
			    const struct hf_array *a, const struct hf_event_rec *ev, u64 lost)
{
	const struct hf_nl_event_dump *d = (void *)cb->ctx;
	void *head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				 &hf_nl_family, NLM_F_MULTI, HOLDFAST_CMD_EVENT_GET);

	if (!head)
		return -EMSGSIZE;
	if (hf_nl_put_event(skb, a, ev, d->who) ||
	    (lost && nla_put_u64_64bit(skb, HOLDFAST_A_EVENT_LOST, lost, HOLDFAST_A_EVENT_PAD))) {
		genlmsg_cancel(skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return 0;
}

static int hf_nl_replay(struct sk_buff *skb, struct netlink_callback *cb, struct hf_array *a)
{
	struct hf_nl_event_dump *d = (void *)cb->ctx;
	u64 oldest, newest, undelivered;
	struct hf_event_rec ev;
	int err;

	for (;;) {
		err = hf_event_get(a, d->next, &ev);
		if (err == -ENODATA)
			return 0;
		if (err == -ESTALE) {
			hf_event_range(a, &oldest, &newest, &undelivered);
			d->lost += oldest - d->next;
			d->next = oldest;
			continue;
		}
		err = hf_nl_dump_event(skb, cb, a, &ev, d->lost);
		if (err)
			return err;
		d->lost = 0;
		d->next++;
	}
}

static int hf_nl_event_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct hf_nl_event_dump *d = (void *)cb->ctx;
	struct hf_array *a = hf_array_get(d->index);
	int err = -ENODEV;

	/* Looked up anew each time: an idle reader must not keep an array alive. */
	if (a && a->instance == d->instance)
		err = hf_nl_replay(skb, cb, a);
	if (a)
		hf_array_put(a);
	return skb->len ?: err;
}

static void hf_nl_multicast(struct hf_array *a, const struct hf_event_rec *ev, unsigned int group,
			    u8 cmd, bool who)
{
	size_t size = hf_nl_event_size(ev, who);
	struct sk_buff *skb;
	void *head;

	if (!genl_has_listeners(&hf_nl_family, &init_net, group))
		return;
	skb = genlmsg_new(size, GFP_KERNEL);
	if (!skb)
		return;
	head = genlmsg_put(skb, 0, 0, &hf_nl_family, 0, cmd);
	if (!hf_nl_end(skb, head, size, head ? hf_nl_put_event(skb, a, ev, who) : 0))
		genlmsg_multicast(&hf_nl_family, skb, 0, group, GFP_KERNEL);
}

/**
 * hf_netlink_event() - multicast one event: what happened to "safety", who it was to "audit"
 * @a:	the array
 * @ev:	the event
 *
 * Whoever loses it sees a gap in the sequence numbers and replays.
 * Context: process, may sleep.
 */
void hf_netlink_event(struct hf_array *a, const struct hf_event_rec *ev)
{
	hf_nl_multicast(a, ev, HF_NL_SAFETY, HOLDFAST_CMD_EVENT_NTF, false);
	hf_nl_multicast(a, ev, HF_NL_AUDIT, HOLDFAST_CMD_AUDIT_NTF, true);
}

/* ---- status-get */

static struct hf_nl_status *hf_nl_status_snapshot(struct hf_array *a, gfp_t gfp)
{
	struct hf_nl_status *st = kmalloc(sizeof(*st), gfp);
	unsigned long flags;
	u64 now;
	u32 i;

	if (!st)
		return NULL;
	raw_spin_lock_irqsave(&a->lock, flags);
	now = ktime_get_ns();
	hf_status_update_locked(a, now);
	st->page = *a->status;
	for (i = 0; i < a->sensors.count; i++)
		st->fault[i] = hf_sensor_state(&a->sensors.s[i], hf_env_now(a), now);
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return st;
}

static int hf_nl_status_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct hf_nl_status *st = NULL;
	struct hf_array *a;
	struct sk_buff *msg;
	size_t size;
	void *head;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, HOLDFAST_A_STATUS_INDEX)) {
		NL_SET_ERR_MSG(info->extack, "index is required");
		return -EINVAL;
	}
	a = hf_nl_array(info->attrs[HOLDFAST_A_STATUS_INDEX], info->extack);
	if (IS_ERR(a))
		return PTR_ERR(a);
	err = -ENOMEM;
	st = hf_nl_status_snapshot(a, GFP_KERNEL);
	if (!st)
		goto out;
	size = hf_nl_status_size(st);
	msg = genlmsg_new(size, GFP_KERNEL);
	if (!msg)
		goto out;
	head = genlmsg_put_reply(msg, info, &hf_nl_family, 0, HOLDFAST_CMD_STATUS_GET);
	err = hf_nl_end(msg, head, size, head ? hf_nl_put_status(msg, a, st) : 0);
	if (!err)
		err = genlmsg_reply(msg, info);
out:
	kfree(st);
	hf_array_put(a);
	return err;
}

/**
 * hf_netlink_telemetry() - multicast the status to the group "telemetry"
 * @a:	the array
 *
 * Nothing is done while nobody listens, and nothing is waited for: telemetry
 * may be lost, and its caller has a deadline.
 * Context: process.
 */
void hf_netlink_telemetry(struct hf_array *a)
{
	const gfp_t gfp = GFP_NOWAIT | __GFP_NOWARN;
	struct hf_nl_status *st;
	struct sk_buff *skb;
	size_t size;
	void *head;

	if (!genl_has_listeners(&hf_nl_family, &init_net, HF_NL_TELEMETRY))
		return;
	st = hf_nl_status_snapshot(a, gfp);
	if (!st)
		return;
	size = hf_nl_status_size(st);
	skb = genlmsg_new(size, gfp);
	if (!skb)
		goto out;
	head = genlmsg_put(skb, 0, 0, &hf_nl_family, 0, HOLDFAST_CMD_TELEMETRY_NTF);
	if (!hf_nl_end(skb, head, size, head ? hf_nl_put_status(skb, a, st) : 0))
		genlmsg_multicast(&hf_nl_family, skb, 0, HF_NL_TELEMETRY, gfp);
out:
	kfree(st);
}

/* ---- silence */

static int hf_nl_silence_doit(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *flags = info->attrs[HOLDFAST_A_ARRAY_SILENCE_FLAGS];
	struct hf_array *a;

	if (GENL_REQ_ATTR_CHECK(info, HOLDFAST_A_ARRAY_INDEX)) {
		NL_SET_ERR_MSG(info->extack, "index is required");
		return -EINVAL;
	}
	a = hf_nl_array(info->attrs[HOLDFAST_A_ARRAY_INDEX], info->extack);
	if (IS_ERR(a))
		return PTR_ERR(a);
	if (flags && (nla_get_u32(flags) & HOLDFAST_SILENCE_LATCH))
		hf_trip_operator(a, NULL, NULL);
	else
		hf_silence(a, NULL, NULL);
	hf_array_put(a);
	return 0;
}

/* ---- the family */

static const struct nla_policy hf_nl_array_get_policy[] = {
	[HOLDFAST_A_ARRAY_INDEX] = { .type = NLA_U32 },
};

static const struct nla_policy hf_nl_event_get_policy[] = {
	[HOLDFAST_A_EVENT_INDEX] = { .type = NLA_U32 },
	[HOLDFAST_A_EVENT_SINCE_SEQ] = { .type = NLA_U64 },
};

static const struct nla_policy hf_nl_status_get_policy[] = {
	[HOLDFAST_A_STATUS_INDEX] = { .type = NLA_U32 },
};

static const struct nla_policy hf_nl_silence_policy[] = {
	[HOLDFAST_A_ARRAY_INDEX] = { .type = NLA_U32 },
	[HOLDFAST_A_ARRAY_SILENCE_FLAGS] = NLA_POLICY_MASK(NLA_U32, HOLDFAST_SILENCE_LATCH),
};

static const struct genl_ops hf_nl_ops[] = {
	{
		.cmd = HOLDFAST_CMD_ARRAY_GET,
		.doit = hf_nl_array_get_doit,
		.start = hf_nl_array_get_start,
		.dumpit = hf_nl_array_get_dumpit,
		.policy = hf_nl_array_get_policy,
		.maxattr = ARRAY_SIZE(hf_nl_array_get_policy) - 1,
	}, {
		.cmd = HOLDFAST_CMD_EVENT_GET,
		.start = hf_nl_event_get_start,
		.dumpit = hf_nl_event_get_dumpit,
		.policy = hf_nl_event_get_policy,
		.maxattr = ARRAY_SIZE(hf_nl_event_get_policy) - 1,
	}, {
		.cmd = HOLDFAST_CMD_STATUS_GET,
		.doit = hf_nl_status_get_doit,
		.policy = hf_nl_status_get_policy,
		.maxattr = ARRAY_SIZE(hf_nl_status_get_policy) - 1,
	}, {
		.cmd = HOLDFAST_CMD_SILENCE,
		.flags = GENL_ADMIN_PERM,
		.doit = hf_nl_silence_doit,
		.policy = hf_nl_silence_policy,
		.maxattr = ARRAY_SIZE(hf_nl_silence_policy) - 1,
	},
};

static const struct genl_multicast_group hf_nl_groups[] = {
	[HF_NL_SAFETY] = { .name = HOLDFAST_MCGRP_SAFETY },
	[HF_NL_TELEMETRY] = { .name = HOLDFAST_MCGRP_TELEMETRY },
	[HF_NL_AUDIT] = { .name = HOLDFAST_MCGRP_AUDIT, .flags = GENL_MCAST_CAP_NET_ADMIN },
};

/*
 * No netnsok: another network namespace, which any user can make, has no such
 * family. parallel_ops: silence waits for nobody's dump; arrays have their own
 * locks. No resv_start_op: validation is strict for every command.
 */
static struct genl_family hf_nl_family __ro_after_init = {
	.name = HOLDFAST_FAMILY_NAME,
	.version = HOLDFAST_FAMILY_VERSION,
	.module = THIS_MODULE,
	.parallel_ops = true,
	.ops = hf_nl_ops,
	.n_ops = ARRAY_SIZE(hf_nl_ops),
	.mcgrps = hf_nl_groups,
	.n_mcgrps = ARRAY_SIZE(hf_nl_groups),
};

int __init hf_netlink_init(void)
{
	return genl_register_family(&hf_nl_family);
}

void hf_netlink_exit(void)
{
	genl_unregister_family(&hf_nl_family);
}
