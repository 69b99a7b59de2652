/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages of the generic netlink family as structures. Includes libnl, so
 * only events.c may use it; no knowledge of order, gaps or replay.
 */
#ifndef HF_LIB_NETLINK_H
#define HF_LIB_NETLINK_H

#include <netlink/netlink.h>
#include <netlink/genl/genl.h>

#include "holdfast_netlink.h"
#include "internal.h"

/* What array-get says and events.c needs. */
struct hf_nl_array {
	uint32_t index;
	uint64_t instance;
	uint64_t event_seq;
};

/* Each gives 0, or -EPROTO when a message lacks what it must have. */
int hf_nl_parse_array(struct nlmsghdr *nlh, struct hf_nl_array *out);
int hf_nl_parse_event(struct nlmsghdr *nlh, struct holdfast_event *e);
int hf_nl_parse_status(struct nlmsghdr *nlh, uint32_t *index, struct holdfast_status *st);

#endif /* HF_LIB_NETLINK_H */
