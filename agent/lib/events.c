// SPDX-License-Identifier: GPL-2.0
/*
 * A subscription: events of one array in order and without gaps. Each uses a
 * netlink socket of its own for its group, because congestion is per socket
 * and telemetry must never push out a trip, and a second one for requests, so
 * that a replay never mixes with what is multicast.
 *
 * What the socket lost is fetched again from the kernel's ring, from the last
 * event that was handed on; the ring is always ahead of the socket, so events
 * that come twice are dropped by number.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <netlink/genl/ctrl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink.h"

#define HF_RCVBUF	(1 << 20)
#define HF_QUEUE_MAX	65536U
#define HF_REQUEST_S	2

struct holdfast_events {
	struct nl_sock *sock;		/* multicast */
	struct nl_sock *ask;		/* requests */
	int family;
	uint32_t index;
	uint64_t instance;
	uint64_t last;			/* newest event queued */
	bool replay_due;
	bool restarted;			/* to be told with the next event */
	int error;			/* of the last request or message */
	uint64_t replays;
	struct holdfast_event *queue;
	size_t head, tail, room;
	struct holdfast_status sample;
	bool have_sample;
};

/* libnl has numbers of its own. */
static int errno_of_nl(int err)
{
	switch (-err) {
	case NLE_AGAIN:
		return -EAGAIN;
	case NLE_NOMEM:
		return -ENOBUFS;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_NODEV:
		return -ENODEV;
	case NLE_PERM:
		return -EPERM;
	case NLE_NOACCESS:
		return -EACCES;
	case NLE_INTR:
		return -EINTR;
	case NLE_DUMP_INTR:
		return -EAGAIN;
	default:
		return -EIO;
	}
}

static int queue_grow(struct holdfast_events *ev)
{
	size_t room = ev->room ? 2 * ev->room : 64;
	struct holdfast_event *q;

	if (room > HF_QUEUE_MAX)
		return -ENOBUFS;
	q = realloc(ev->queue, room * sizeof(*q));
	if (!q)
		return -ENOMEM;
	ev->queue = q;
	ev->room = room;
	return 0;
}

static int queue_put(struct holdfast_events *ev, const struct holdfast_event *e)
{
	int ret = 0;

	if (ev->head == ev->tail)
		ev->head = ev->tail = 0;
	if (ev->tail == ev->room)
		ret = queue_grow(ev);
	if (ret)
		return ret;
	ev->queue[ev->tail] = *e;
	ev->queue[ev->tail].restarted = ev->restarted;
	ev->restarted = false;
	ev->tail++;
	ev->last = e->seq;
	return 0;
}

static bool queue_get(struct holdfast_events *ev, struct holdfast_event *e)
{
	if (ev->head == ev->tail)
		return false;
	*e = ev->queue[ev->head++];
	return true;
}

/* The array is not the one that it was: its numbers start again. */
static void new_instance(struct holdfast_events *ev, uint64_t instance)
{
	ev->instance = instance;
	ev->last = 0;
	ev->restarted = true;
}

static int on_multicast(struct nl_msg *msg, void *arg)
{
	struct holdfast_events *ev = arg;
	struct nlmsghdr *nlh = nlmsg_hdr(msg);
	struct holdfast_status st;
	struct holdfast_event e;
	uint32_t index;

	if (genlmsg_hdr(nlh)->cmd == HOLDFAST_CMD_TELEMETRY_NTF) {
		if (!hf_nl_parse_status(nlh, &index, &st) && index == ev->index) {
			ev->sample = st;
			ev->have_sample = true;
		}
		return NL_OK;
	}
	if ((genlmsg_hdr(nlh)->cmd != HOLDFAST_CMD_EVENT_NTF &&
	     genlmsg_hdr(nlh)->cmd != HOLDFAST_CMD_AUDIT_NTF) ||
	    hf_nl_parse_event(nlh, &e) || e.array != ev->index)
		return NL_OK;
	if (e.instance != ev->instance)
		new_instance(ev, e.instance);
	if (e.seq <= ev->last || ev->replay_due)
		return NL_OK;
	if (e.seq > ev->last + 1 || queue_put(ev, &e))
		ev->replay_due = true;
	return NL_OK;
}

static int on_replay(struct nl_msg *msg, void *arg)
{
	struct holdfast_events *ev = arg;
	struct holdfast_event e;

	if (hf_nl_parse_event(nlmsg_hdr(msg), &e) || e.array != ev->index)
		return NL_OK;
	if (e.instance != ev->instance)
		new_instance(ev, e.instance);
	if (e.seq <= ev->last)
		return NL_OK;
	e.lost = e.seq - ev->last - 1;
	if (queue_put(ev, &e))
		ev->error = -ENOMEM;
	return NL_OK;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *err, void *arg)
{
	struct holdfast_events *ev = arg;

	(void)from;
	ev->error = err->error;
	return NL_STOP;
}

/* Sends and frees @msg and waits for the whole answer, which goes to @fn. */
static int request(struct holdfast_events *ev, struct nl_msg *msg, nl_recvmsg_msg_cb_t fn,
		   void *arg)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int ret;

	if (!cb) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, fn, arg);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, ev);
	ev->error = 0;
	ret = nl_send_auto(ev->ask, msg);
	if (ret >= 0)
		ret = nl_recvmsgs(ev->ask, cb);
	nlmsg_free(msg);
	nl_cb_put(cb);
	if (ev->error)
		return ev->error;
	return ret < 0 ? errno_of_nl(ret) : 0;
}

static struct nl_msg *message(struct holdfast_events *ev, int flags, uint8_t cmd, int index_attr)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (!msg)
		return NULL;
	if (!genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, ev->family, 0, flags, cmd,
			 HOLDFAST_FAMILY_VERSION) ||
	    nla_put_u32(msg, index_attr, ev->index)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static int replay(struct holdfast_events *ev)
{
	struct nl_msg *msg = message(ev, NLM_F_REQUEST | NLM_F_DUMP, HOLDFAST_CMD_EVENT_GET,
				     HOLDFAST_A_EVENT_INDEX);
	int ret;

	if (!msg || nla_put_u64(msg, HOLDFAST_A_EVENT_SINCE_SEQ, ev->last)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	ret = request(ev, msg, on_replay, ev);
	if (!ret)
		ev->replay_due = false;
	return ret;
}

static int on_array(struct nl_msg *msg, void *arg)
{
	hf_nl_parse_array(nlmsg_hdr(msg), arg);
	return NL_OK;
}

/* Where to begin; the group is joined already, so nothing falls between. */
static int begin(struct holdfast_events *ev, uint64_t since)
{
	struct nl_msg *msg = message(ev, NLM_F_REQUEST, HOLDFAST_CMD_ARRAY_GET,
				     HOLDFAST_A_ARRAY_INDEX);
	struct hf_nl_array array = { .index = UINT32_MAX };
	int ret;

	if (!msg)
		return -ENOMEM;
	ret = request(ev, msg, on_array, &array);
	if (ret)
		return ret;
	if (array.index != ev->index)
		return -EPROTO;
	ev->instance = array.instance;
	if (since == HOLDFAST_SINCE_NOW)
		since = array.event_seq;
	if (since > array.event_seq) {
		since = 0;
		ev->restarted = true;
	}
	ev->last = since;
	ev->replay_due = since < array.event_seq;
	return 0;
}

static struct nl_sock *socket_new(void)
{
	struct nl_sock *sk = nl_socket_alloc();

	if (!sk)
		return NULL;
	nl_socket_disable_auto_ack(sk);
	if (genl_connect(sk)) {
		nl_socket_free(sk);
		return NULL;
	}
	nl_socket_set_buffer_size(sk, HF_RCVBUF, 0);
	return sk;
}

static int subscribe(struct holdfast_events *ev, enum holdfast_group group)
{
	static const char *const name[] = {
		[HOLDFAST_GROUP_SAFETY] = HOLDFAST_MCGRP_SAFETY,
		[HOLDFAST_GROUP_TELEMETRY] = HOLDFAST_MCGRP_TELEMETRY,
		[HOLDFAST_GROUP_AUDIT] = HOLDFAST_MCGRP_AUDIT,
	};
	struct timeval limit = { .tv_sec = HF_REQUEST_S };
	int grp, ret;

	ev->sock = socket_new();
	ev->ask = socket_new();
	if (!ev->sock || !ev->ask)
		return -ENOMEM;
	ev->family = genl_ctrl_resolve(ev->ask, HOLDFAST_FAMILY_NAME);
	if (ev->family < 0)
		return errno_of_nl(ev->family);
	grp = genl_ctrl_resolve_grp(ev->ask, HOLDFAST_FAMILY_NAME, name[group]);
	if (grp < 0)
		return errno_of_nl(grp);
	if (setsockopt(nl_socket_get_fd(ev->ask), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		return -errno;
	nl_socket_disable_seq_check(ev->sock);
	nl_socket_modify_cb(ev->sock, NL_CB_VALID, NL_CB_CUSTOM, on_multicast, ev);
	ret = nl_socket_add_membership(ev->sock, grp);
	if (!ret)
		ret = nl_socket_set_nonblocking(ev->sock);
	return ret ? errno_of_nl(ret) : 0;
}

int holdfast_events_open(struct holdfast_events **out, uint32_t index, enum holdfast_group group,
			 uint64_t since)
{
	struct holdfast_events *ev = calloc(1, sizeof(*ev));
	int ret;

	if (!ev)
		return -ENOMEM;
	ev->index = index;
	ret = subscribe(ev, group);
	if (!ret)
		ret = begin(ev, group == HOLDFAST_GROUP_TELEMETRY ? HOLDFAST_SINCE_NOW : since);
	if (ret) {
		holdfast_events_close(ev);
		return ret;
	}
	*out = ev;
	return 0;
}

void holdfast_events_close(struct holdfast_events *ev)
{
	if (!ev)
		return;
	nl_socket_free(ev->sock);
	nl_socket_free(ev->ask);
	free(ev->queue);
	free(ev);
}

int holdfast_events_fd(const struct holdfast_events *ev)
{
	return nl_socket_get_fd(ev->sock);
}

uint64_t holdfast_events_replays(const struct holdfast_events *ev)
{
	return ev->replays;
}

/* One message off the socket. -EAGAIN: none. A loss is noted, not an error. */
static int receive(struct holdfast_events *ev)
{
	int ret = nl_recvmsgs_default(ev->sock);

	if (ret >= 0 || ret == -NLE_INTR)
		return 0;
	if (ret == -NLE_NOMEM) {
		ev->replay_due = true;
		return 0;
	}
	return errno_of_nl(ret);
}

int holdfast_events_next(struct holdfast_events *ev, struct holdfast_event *e)
{
	int ret;

	while (!queue_get(ev, e)) {
		/* A congested socket takes nothing until it is empty: empty it first. */
		ret = receive(ev);
		if (!ret)
			continue;
		if (ret != -EAGAIN || !ev->replay_due)
			return ret;
		ev->replays++;
		ret = replay(ev);
		if (ret)
			return ret;
		if (ev->head == ev->tail)
			return -EAGAIN;
	}
	return 0;
}

int holdfast_telemetry_next(struct holdfast_events *ev, struct holdfast_status *st)
{
	while (!ev->have_sample) {
		int ret = receive(ev);

		if (ret)
			return ret;
	}
	*st = ev->sample;
	ev->have_sample = false;
	return 0;
}
