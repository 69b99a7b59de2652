// SPDX-License-Identifier: GPL-2.0
/*
 * Datagrams: to bytes and back. Framing and JSON only; what a body may hold is
 * in msg.c, who may send it is ipc.c's question.
 */
#include <errno.h>
#include <string.h>

#include "ipc_wire.h"

int hf_ipc_encode(void *buf, enum hf_msg type, uint64_t id, const struct hf_corr *corr,
		  const json_t *body)
{
	struct hf_ipc_header h = {
		.magic = HF_IPC_MAGIC,
		.version = HF_IPC_VERSION,
		.type = (uint16_t)type,
		.id = id,
	};
	size_t len = json_dumpb(body, (char *)buf + sizeof(h), HF_MSG_MAX, JSON_COMPACT);

	if (!len || len > HF_MSG_MAX) {
		explicit_bzero(buf, HF_IPC_DATAGRAM);
		return -EMSGSIZE;
	}
	if (corr)
		memcpy(h.corr, corr->b, sizeof(h.corr));
	h.len = (uint32_t)len;
	memcpy(buf, &h, sizeof(h));
	return (int)(sizeof(h) + len);
}

static int header_check(const struct hf_ipc_header *h, size_t len, struct hf_err *e)
{
	bool wants_id = h->type == HF_MSG_REPLY || hf_msg_is_request(h->type);

	if (h->magic != HF_IPC_MAGIC || h->version != HF_IPC_VERSION)
		return hf_fail(e, -EPROTO, "magic %08x version %u", h->magic, h->version);
	if (!strcmp(hf_msg_name(h->type), "?"))
		return hf_fail(e, -EPROTO, "message type %u does not exist", h->type);
	if (h->len > HF_MSG_MAX || h->len != len - sizeof(*h))
		return hf_fail(e, -EPROTO, "says %u bytes, has %zu, the limit is %d", h->len,
			       len - sizeof(*h), HF_MSG_MAX);
	if (wants_id != !!h->id)
		return hf_fail(e, -EPROTO, "%s with id %llu", hf_msg_name(h->type),
			       (unsigned long long)h->id);
	return 0;
}

int hf_ipc_decode(const void *buf, size_t len, struct hf_ipc_msg *m, json_t **body,
		  struct hf_err *e)
{
	struct hf_ipc_header h;
	json_error_t where;
	json_t *j;
	int ret;

	if (len < sizeof(h))
		return hf_fail(e, -EPROTO, "%zu bytes, a header has %zu", len, sizeof(h));
	memcpy(&h, buf, sizeof(h));
	ret = header_check(&h, len, e);
	if (ret)
		return ret;
	j = json_loadb((const char *)buf + sizeof(h), h.len, JSON_REJECT_DUPLICATES, &where);
	if (!json_is_object(j)) {
		json_decref(j);
		/* Not where.text: it quotes the input, which may be a secret. */
		return hf_fail(e, -EPROTO, "%s: no JSON object (at byte %d)", hf_msg_name(h.type),
			       j ? 0 : where.position);
	}
	*m = (struct hf_ipc_msg){ .type = (enum hf_msg)h.type, .id = h.id, .body = j, .fd = -1 };
	memcpy(m->corr.b, h.corr, sizeof(h.corr));
	*body = j;
	return 0;
}
