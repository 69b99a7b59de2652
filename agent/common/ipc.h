/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Links between processes: one SOCK_SEQPACKET socketpair each, typed messages
 * checked against msg.h, requests with deadlines, bounded queues. Never sleeps.
 */
#ifndef HF_IPC_H
#define HF_IPC_H

#include <jansson.h>

#include "corr.h"
#include "err.h"
#include "loop.h"
#include "msg.h"

#define HF_IPC_PENDING	256	/* requests of ours without an answer, per link */
#define HF_IPC_QUEUE	512	/* messages that the peer has not taken yet, per link */

struct hf_link;

/**
 * struct hf_ipc_msg - one message that has come
 * @id:		of the request; answers to it need it
 * @body:	an object; borrowed
 * @fd:		-1: none; the handler takes it over by setting it to -1 (else it is closed)
 */
struct hf_ipc_msg {
	enum hf_proc from;
	enum hf_msg type;
	uint64_t id;
	struct hf_corr corr;
	const json_t *body;
	int fd;
};

/* A message other than REPLY. Already found permitted and well-formed. */
typedef void (*hf_link_fn)(void *arg, struct hf_link *l, struct hf_ipc_msg *m);
/*
 * The answer to a request, exactly once: @status as HTTP's. 504: the deadline
 * has passed; 502: the peer is gone. @result: borrowed, an object (with 2xx
 * the result, else the error { code, message, ... }), never NULL.
 */
typedef void (*hf_reply_fn)(void *arg, int status, const json_t *result);
/* The link is closed (peer gone, or it broke the rules: @why says so). Freed after this returns. */
typedef void (*hf_closed_fn)(void *arg, struct hf_link *l, const char *why);

struct hf_link_ops {
	hf_link_fn message;
	hf_closed_fn closed;
};

/**
 * hf_link_new() - take over a socket (on error it stays the caller's)
 * @self: @peer:	whose link this is; checked with hf_msg_permitted()
 * @state:	points to this process's HF_ST_* state, read at each message
 * @ops:	must outlive the link
 *
 * All requests that wait when the link closes are answered 502.
 */
int hf_link_new(struct hf_link **out, struct hf_loop *loop, int fd, enum hf_proc self,
		enum hf_proc peer, const unsigned int *state, const struct hf_link_ops *ops,
		void *arg);
void hf_link_free(struct hf_link *l);	/* waiting requests are answered 502 */
/* The peer can send no more; what it has sent is still read, then it closes as if the peer had. */
void hf_link_end(struct hf_link *l);
enum hf_proc hf_link_peer(const struct hf_link *l);
/* In hf_closed_fn: was it the peer's fault? */
bool hf_link_broken(const struct hf_link *l);
/* Everything that was sent has been taken by the peer. */
bool hf_link_idle(const struct hf_link *l);

/*
 * hf_link_request() - send, and call @fn with the answer
 * @body:	stolen (also on error)
 * @fd:		a file to pass along (stays the caller's), -1: none
 * @deadline_ns: point in time of the loop's mono_ns clock (not a duration)
 * Return: 0; -ENOBUFS (queue or pending table full), -EMSGSIZE, -EPIPE. On error @fn is not called.
 */
int hf_link_request(struct hf_link *l, enum hf_msg type, const struct hf_corr *corr, json_t *body,
		    int fd, uint64_t deadline_ns, hf_reply_fn fn, void *arg);
/* A message that wants no answer. */
int hf_link_send(struct hf_link *l, enum hf_msg type, const struct hf_corr *corr, json_t *body,
		 int fd);
/* Answers; @result is stolen, NULL stands for {}. @status 2xx: the result, else the error. */
int hf_link_reply(struct hf_link *l, uint64_t id, const struct hf_corr *corr, int status,
		  json_t *result);
/* The error object { code, message[, field] }. */
int hf_link_error(struct hf_link *l, uint64_t id, const struct hf_corr *corr, int status,
		  const char *code, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

json_t *hf_error_json(const char *code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Decoding, for tests and fuzzers: one datagram as it came; then hf_msg_check()
 * looks at the body. Return: 0, -EPROTO (and why). @body: out, new reference.
 */
int hf_ipc_decode(const void *buf, size_t len, struct hf_ipc_msg *m, json_t **body,
		  struct hf_err *e);

#endif /* HF_IPC_H */
