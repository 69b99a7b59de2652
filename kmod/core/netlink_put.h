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

/* What of an array is taken at one moment. */
struct hf_nl_array {
	u32 state;
	u64 epoch;
	bool sealed;
	u64 admitted, attenuated, rejected, malformed;
	u32 cause, severity, trips;	/* of the last trip */
	struct holdfast_reason reason;
	u64 oldest, newest, undelivered;	/* events */
};

void hf_nl_array_view(struct hf_array *a, struct hf_nl_array *v);

/* Sizes are those of the payload after the generic netlink header. */
size_t hf_nl_array_size(const struct hf_array *a, const struct hf_nl_array *v);
/* @who: tell who it was. */
size_t hf_nl_event_size(const struct hf_event_rec *ev, bool who);
size_t hf_nl_status_size(const struct hf_nl_status *st);

/* 0 or -EMSGSIZE. */
int hf_nl_put_array(struct sk_buff *skb, const struct hf_array *a, const struct hf_nl_array *v);
int hf_nl_put_event(struct sk_buff *skb, const struct hf_array *a, const struct hf_event_rec *ev,
		    bool who);
int hf_nl_put_status(struct sk_buff *skb, const struct hf_array *a, const struct hf_nl_status *st);

#endif /* HF_NETLINK_PUT_H */
