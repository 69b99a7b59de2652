/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who may be connected. Full means that somebody idle has to go, so that a
 * crowd of idle or slow connections keeps nobody out; and a few places are kept
 * for silence when all others are at work.
 */
#ifndef HF_CONNS_H
#define HF_CONNS_H

#include "http.h"
#include "listen.h"

#define HF_CONNS_RESERVE	32		/* places for silence only */
#define HF_CONNS_PHASE_NS	(15 * HF_S)	/* for a request to come, an answer to be taken */

struct hf_conns;
struct hf_conn_source;

/**
 * struct hf_conn - one connection
 * @reserved:	has one of the last places: only for what makes things quieter
 * @peer:	local only, else NULL; owned
 */
struct hf_conn {
	struct hf_conn *older, *newer;	/* idle ones, by @since_ns */
	struct hf_conn_source *from;
	struct hf_source source;
	struct hf_peer *peer;
	uint64_t since_ns;
	int fd;
	bool reserved, busy, closing;
};

/* Ends the connection; its owner calls hf_conns_remove() when that has happened. */
typedef void (*hf_conn_close_fn)(struct hf_conn *c);

int hf_conns_new(struct hf_conns **out, uint32_t most, uint32_t most_per_source,
		 hf_conn_close_fn close);
void hf_conns_free(struct hf_conns *l);

/* Return: the connection; NULL: there is no place (or no memory). */
struct hf_conn *hf_conns_add(struct hf_conns *l, const struct hf_source *s, int fd,
			     uint64_t now_ns);
void hf_conns_remove(struct hf_conns *l, struct hf_conn *c);
/* A request is at work: not to be ended. */
void hf_conns_busy(struct hf_conns *l, struct hf_conn *c);
/* It is the client's turn again, to send or to take. */
void hf_conns_idle(struct hf_conns *l, struct hf_conn *c, uint64_t now_ns);
/* Ends those that have had their time. */
void hf_conns_expire(struct hf_conns *l, uint64_t now_ns);
/* Ends the one that has been idle longest. Return: false: there is none. */
bool hf_conns_evict(struct hf_conns *l);
uint32_t hf_conns_count(const struct hf_conns *l);

#endif /* HF_CONNS_H */
