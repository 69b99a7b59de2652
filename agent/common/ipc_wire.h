/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A datagram between processes of one binary on one machine: this header, then
 * JSON. Private to ipc.c, ipc_wire.c and their tests.
 */
#ifndef HF_IPC_WIRE_H
#define HF_IPC_WIRE_H

#include <stdint.h>

#include "ipc.h"

#define HF_IPC_MAGIC	0x48464950U	/* "HFIP" */
#define HF_IPC_VERSION	1

/**
 * struct hf_ipc_header - in host order; both ends are the same program
 * @len:	of the JSON that follows
 */
struct hf_ipc_header {
	uint32_t magic;
	uint16_t version;
	uint16_t type;
	uint64_t id;
	uint8_t corr[HF_CORR_BYTES];
	uint32_t len;
} __attribute__((packed));

#define HF_IPC_DATAGRAM	(sizeof(struct hf_ipc_header) + HF_MSG_MAX)

/* Into @buf of HF_IPC_DATAGRAM bytes. Return: length, -EMSGSIZE. */
int hf_ipc_encode(void *buf, enum hf_msg type, uint64_t id, const struct hf_corr *corr,
		  const json_t *body);

#endif /* HF_IPC_WIRE_H */
