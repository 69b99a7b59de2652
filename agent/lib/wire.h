/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What goes over the keeper's socket: one request, one reply with at most one
 * descriptor, each of a fixed size. SOCK_SEQPACKET keeps them apart. Little
 * machine-local protocol: both ends have the same byte order.
 */
#ifndef HF_LIB_WIRE_H
#define HF_LIB_WIRE_H

#include "internal.h"

#define HF_WIRE_MAGIC	0x31514648U	/* "HFQ1" */
#define HF_WIRE_VERSION	1
#define HF_WIRE_LEASE	1		/* op: a lease, please */

struct hf_wire_request {
	uint32_t magic;
	uint16_t version;
	uint16_t op;
	uint32_t array;
	uint32_t rights;
	uint64_t duration_ms;
	char label[HOLDFAST_LABEL_LEN];
};

struct hf_wire_reply {
	uint32_t magic;
	uint16_t version;
	uint16_t op;
	int32_t error;		/* 0 or -errno */
	uint32_t reserved;
	uint64_t lease_id;
	char text[HOLDFAST_TEXT_LEN];
};

_Static_assert(sizeof(struct hf_wire_request) == 56, "wire format");
_Static_assert(sizeof(struct hf_wire_reply) == 24 + HOLDFAST_TEXT_LEN, "wire format");

/* Waits for @events on @fd until @deadline_ns. 0, -ETIMEDOUT, -errno. */
int hf_wait_fd(int fd, short events, uint64_t deadline_ns);

#endif /* HF_LIB_WIRE_H */
