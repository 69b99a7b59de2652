/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arrays, events and status as netlink attributes: exact sizes, and the putting.
 * No sockets, no families, no requests.
 */
#ifndef HF_NETLINK_PUT_H
#define HF_NETLINK_PUT_H

#include <linux/skbuff.h>

#include "core.h"

/* One array's status page, and what it does not say: why a sensor has no value. */
struct hf_nl_status {
	struct holdfast_status page;
	u32 fault[HF_MAX_SENSORS];	/* enum hf_sensor_fault */
};

/* Sizes are those of the payload after the generic netlink header. */
size_t hf_nl_array_size(const struct hf_array *a);
size_t hf_nl_event_size(const struct hf_event_rec *ev);
size_t hf_nl_status_size(const struct hf_nl_status *st);

/* 0 or -EMSGSIZE. */
int hf_nl_put_array(struct sk_buff *skb, struct hf_array *a);
int hf_nl_put_event(struct sk_buff *skb, const struct hf_array *a, const struct hf_event_rec *ev);
int hf_nl_put_status(struct sk_buff *skb, const struct hf_array *a, const struct hf_nl_status *st);

#endif /* HF_NETLINK_PUT_H */
