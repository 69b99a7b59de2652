/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One HTTP process at work: what its parts share. Not for others.
 */
#ifndef HF_SERVER_H
#define HF_SERVER_H

#include <microhttpd.h>

#include "abuse.h"
#include "conns.h"
#include "gcra.h"
#include "histogram.h"
#include "openapi.h"
#include "rate_limits.h"
#include "router.h"
#include "service.h"
#include "settings.h"
#include "table.h"

struct hf_counts {
	uint64_t connections, refused_connections;
	uint64_t requests, status[6], limited, blocked, direct_silence;
	struct hf_histogram time;	/* from a request's head to its answer */
};

/**
 * struct hf_server - the process
 * @service:	that it is
 * @role:	front or local
 * @now, @next:	settings in force, and those that PREPARE has brought
 * @admitting:	connection that MHD is just being given
 * @run:	MHD wants to be run at that time
 * @listen_fd:	-1: not listening
 * @waiting:	requests that wait for another process
 * @end_ns:	stopping: until then answers may come
 * @recent:	hashes of credentials that auth has accepted, and when
 * @reports:	limit of REPORT messages
 */
struct hf_server {
	struct hf_service *service;
	enum hf_proc role;
	struct hf_settings now, next;
	struct MHD_Daemon *daemon;
	struct hf_watch *daemon_watch, *listen_watch;
	struct hf_timer *run, *sweep, *resume_accept, *files, *end;
	struct hf_conns *conns;
	struct hf_conn *admitting;
	struct hf_limits *limits;
	struct hf_abuse *abuse;
	struct hf_table *recent;
	struct hf_gcra *reports;
	struct hf_stream *streams;
	struct hf_counts counts;
	char *openapi;
	size_t openapi_len;
	json_t *health;		/* what the parent said last (probes.h) */
	uint64_t health_ns;
	int listen_fd;
	uint64_t end_ns;
	uint32_t waiting;
	bool stopping;
};

static inline uint64_t hf_server_now(const struct hf_server *s)
{
	return hf_mono_ns(hf_service_clock(s->service));
}

/* ------------------------------------------------------------ server.c */

int hf_server_start(struct hf_server *s, struct hf_err *e);
/* No more connections; those there are may finish. */
void hf_server_quiesce(struct hf_server *s);
void hf_server_stop(struct hf_server *s);
/* MHD has something to do. */
void hf_server_kick(struct hf_server *s);

/* ----------------------------------------------------------- request.c */

enum hf_request_state {
	HF_REQ_NEW,		/* nothing looked at yet */
	HF_REQ_BODY,		/* its body is coming */
	HF_REQ_WAITING,		/* for another process; MHD has it suspended */
	HF_REQ_ANSWERED,	/* @status and @answer are there */
};

/**
 * struct hf_request - one request
 * @target:	as it came; owned
 * @begin_ns:	when its head was there
 * @close:	the connection is not to be used again
 * @body: @expected: @len:	owned; bytes that will come, that have come
 * @answer:	text, owned
 * @type:	of it, for Content-Type; NULL: JSON
 * @scrape:	the page of metrics that it asks for, NULL: it does not; owned
 * @open_metrics:	in the OpenMetrics format
 * @last_event:	of a stream's client, 0: none
 * @stream:	its events, NULL: it is no stream; owned
 * @retry_s:	for Retry-After, 0: none
 * @set_cookie:	"" : none
 */
struct hf_request {
	struct hf_server *server;
	struct MHD_Connection *connection;
	struct hf_conn *conn;
	enum hf_request_state state;
	char *target;
	uint64_t begin_ns;
	struct hf_route route;
	struct hf_cred cred;
	struct hf_corr corr;
	bool close;
	char *body;
	size_t expected, len;
	int status;
	char *answer;
	size_t answer_len;
	const char *type;
	struct hf_scrape *scrape;
	bool open_metrics;
	uint64_t last_event;
	struct hf_stream *stream;
	uint32_t retry_s;
	char allow[HF_ALLOW_LEN];
	char set_cookie[HF_SET_COOKIE_LEN];
};

/* For MHD. */
void *hf_request_begin(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result hf_request_handle(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *len, void **req_cls);
void hf_request_end(void *cls, struct MHD_Connection *connection, void **req_cls,
		    enum MHD_RequestTerminationCode how);

/* @result: of a 2xx the result, else the error; borrowed. Wakes the request if it waits. */
void hf_request_answer(struct hf_request *r, int status, const json_t *result);
void hf_request_refuse(struct hf_request *r, const struct hf_refusal *no);
/* 200 with a page of text, taken over; NULL: there was no memory for it. */
void hf_request_text(struct hf_request *r, char *text, size_t len, const char *type);
/* 200, and what its stream has to say, for as long as that lasts. */
void hf_request_flow(struct hf_request *r);

/* ------------------------------------------------------------- calls.c */

/* Hands the request on; it is answered sooner or later, maybe at once. */
void hf_request_call(struct hf_request *r);
/* Another operation for a request that waits already, by its route. Return: 0, -errno. */
int hf_request_ask(struct hf_request *r);
/* Tells auth, for the audit log, and the security log. @count >= 1. Bounded. */
void hf_report(struct hf_server *s, const struct hf_corr *corr, const char *what,
	       const char *source, uint32_t count, const char *detail);

/* ------------------------------------------------------------ scrape.c */

/* @open: OpenMetrics. NULL: out of memory. */
struct hf_scrape *hf_scrape_new(bool open);
void hf_scrape_free(struct hf_scrape *s);
/* An answer to what it asked for. Return: false: there is no page, but this answer. */
bool hf_scrape_next(struct hf_request *r, int status, const json_t *result);

/* ------------------------------------------------------------ stream.c */

/* Events behind @since for a request that is to begin. Return: 0, or -EINVAL and @no (503). */
int hf_stream_new(struct hf_request *r, uint64_t since, struct hf_refusal *no);
void hf_stream_free(struct hf_stream *s);
/* An answer to what it asked for. Return: false: there is no stream, but this answer. */
bool hf_stream_next(struct hf_request *r, int status, const json_t *result);
/* NULL: out of memory. */
struct MHD_Response *hf_stream_response(struct hf_stream *s);
/* All end as soon as they can: with what they have said. */
void hf_streams_end(struct hf_server *server);

#endif /* HF_SERVER_H */
