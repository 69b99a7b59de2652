// SPDX-License-Identifier: GPL-2.0
/*
 * Events on generic netlink: a hundred subscribers, one of them slow, lose
 * nothing; who was away for too long is told exactly how much; telemetry never
 * evicts a trip. Raw sockets, so that nothing of our library is trusted. What
 * the events mean is tested elsewhere.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "holdfast_netlink.h"
#include "scene.h"
#include "tap.h"

#define SUBSCRIBERS	100
#define RING		1024	/* events that the kernel keeps */
#define CHUNK		64	/* events between two looks at the sockets */
#define AWAY		(RING * 2 / 3)

struct event {
	__u32 index;
	__u64 seq;
	__u64 lost;
};

struct family {
	__u16 id;
	__u32 safety;
	__u32 telemetry;
};

/* One subscriber: what it has seen, and what it should not have. */
struct sub {
	int fd;
	__u64 last;
	__u64 seen;
	__u64 gaps;
	__u64 overruns;		/* ENOBUFS */
};

static struct family family;

/* ---- netlink by hand ---- */

static int nl_open(int rcvbuf)
{
	struct sockaddr_nl me = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);

	if (fd < 0 || bind(fd, (struct sockaddr *)&me, sizeof(me)))
		tap_bail("netlink socket: %s", strerror(errno));
	if (rcvbuf)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	return fd;
}

static void nl_join(int fd, __u32 group)
{
	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		tap_bail("join group %u: %s", group, strerror(errno));
}

struct request {
	struct nlmsghdr n;
	struct genlmsghdr g;
	char attrs[64];
};

static void nl_put(struct request *r, __u16 type, const void *data, size_t len)
{
	struct nlattr *a = (void *)((char *)r + r->n.nlmsg_len);

	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + len;
	memcpy(a + 1, data, len);
	r->n.nlmsg_len += NLA_ALIGN(a->nla_len);
}

static struct request nl_request(__u16 type, __u8 cmd, __u16 flags)
{
	return (struct request){
		.n = { .nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN), .nlmsg_type = type,
		       .nlmsg_flags = NLM_F_REQUEST | flags },
		.g = { .cmd = cmd, .version = 1 },
	};
}

#define nl_each(a, from, len)								\
	for (a = (from); (char *)a + NLA_HDRLEN <= (char *)(from) + (len) &&		\
	     a->nla_len >= NLA_HDRLEN; a = (void *)((char *)a + NLA_ALIGN(a->nla_len)))

static const struct nlattr *nl_attrs(const struct nlmsghdr *n, size_t *len)
{
	*len = n->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN);
	return (const void *)((const char *)n + NLMSG_LENGTH(GENL_HDRLEN));
}

static __u32 nl_u32(const struct nlattr *a)
{
	__u32 v;

	memcpy(&v, a + 1, sizeof(v));
	return v;
}

static __u64 nl_u64(const struct nlattr *a)
{
	__u64 v;

	memcpy(&v, a + 1, sizeof(v));
	return v;
}

static void nl_group(const struct nlattr *grp, struct family *f)
{
	const struct nlattr *a;
	const char *name = "";
	__u32 id = 0;

	nl_each(a, grp + 1, grp->nla_len - NLA_HDRLEN) {
		if (a->nla_type == CTRL_ATTR_MCAST_GRP_NAME)
			name = (const char *)(a + 1);
		else if (a->nla_type == CTRL_ATTR_MCAST_GRP_ID)
			id = nl_u32(a);
	}
	if (!strcmp(name, HOLDFAST_MCGRP_SAFETY))
		f->safety = id;
	else if (!strcmp(name, HOLDFAST_MCGRP_TELEMETRY))
		f->telemetry = id;
}

/* 0, or the errno of the kernel's answer. */
static int nl_resolve(struct family *f)
{
	struct request r = nl_request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	const struct nlattr *a, *g;
	int fd = nl_open(0), ret = 0;
	struct nlmsghdr *n;
	char buf[8192];
	size_t len;

	nl_put(&r, CTRL_ATTR_FAMILY_NAME, HOLDFAST_FAMILY_NAME, sizeof(HOLDFAST_FAMILY_NAME));
	if (send(fd, &r, r.n.nlmsg_len, 0) < 0 || recv(fd, buf, sizeof(buf), 0) < 0)
		tap_bail("ask for the family: %s", strerror(errno));
	close(fd);
	n = (struct nlmsghdr *)buf;
	if (n->nlmsg_type == NLMSG_ERROR) {
		ret = -((struct nlmsgerr *)NLMSG_DATA(n))->error;
		return ret;
	}
	nl_each(a, nl_attrs(n, &len), len) {
		if (a->nla_type == CTRL_ATTR_FAMILY_ID)
			f->id = nl_u32(a);
		if ((a->nla_type & NLA_TYPE_MASK) != CTRL_ATTR_MCAST_GROUPS)
			continue;
		nl_each(g, a + 1, a->nla_len - NLA_HDRLEN)
			nl_group(g, f);
	}
	return 0;
}

static bool nl_event(const struct nlmsghdr *n, __u8 cmd, struct event *ev)
{
	const struct genlmsghdr *g = NLMSG_DATA(n);
	const struct nlattr *a;
	size_t len;

	if (n->nlmsg_type != family.id || g->cmd != cmd)
		return false;
	memset(ev, 0, sizeof(*ev));
	nl_each(a, nl_attrs(n, &len), len) {
		if (a->nla_type == HOLDFAST_A_EVENT_INDEX)
			ev->index = nl_u32(a);
		else if (a->nla_type == HOLDFAST_A_EVENT_SEQ)
			ev->seq = nl_u64(a);
		else if (a->nla_type == HOLDFAST_A_EVENT_LOST)
			ev->lost = nl_u64(a);
	}
	return true;
}
