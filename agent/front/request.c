// SPDX-License-Identifier: GPL-2.0
/*
 * The life of one request: looked at as soon as its head is there, refused
 * before it costs anything, handed on when its body is whole, answered in JSON.
 * Decides nothing about rights; that is auth's.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "server.h"

#define SLOW_NS	(2 * HF_S)	/* for an answer */

void *hf_request_begin(void *cls, const char *uri, struct MHD_Connection *connection)
{
	struct hf_request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->server = cls;
	r->connection = connection;
	r->target = strdup(uri);
	if (r->target)
		return r;
	free(r);
	return NULL;
}

static void wiping_free(void *p, size_t len)
{
	if (p)
		explicit_bzero(p, len);
	free(p);
}

void hf_request_end(void *cls, struct MHD_Connection *connection, void **req_cls,
		    enum MHD_RequestTerminationCode how)
{
	struct hf_request *r = *req_cls;

	(void)cls;
	(void)connection;
	(void)how;
	if (!r)
		return;
	if (r->conn)
		hf_conns_idle(r->server->conns, r->conn, hf_server_now(r->server));
	hf_route_clear(&r->route);
	wiping_free(r->body, r->expected);
	wiping_free(r->answer, r->answer_len);
	hf_scrape_free(r->scrape);
	hf_stream_free(r->stream);
	free(r->target);
	explicit_bzero(&r->cred, sizeof(r->cred));
	free(r);
	*req_cls = NULL;
}

/* ------------------------------------------------------------------ answer */

static void text_set(struct hf_request *r, json_t *envelope)
{
	size_t need = envelope ? json_dumpb(envelope, NULL, 0, JSON_COMPACT) : 0;

	r->answer = need ? malloc(need) : NULL;
	if (r->answer)
		r->answer_len = json_dumpb(envelope, r->answer, need, JSON_COMPACT);
	else
		r->status = 503;
	json_decref(envelope);
}

static void answered(struct hf_request *r)
{
	bool waited = r->state == HF_REQ_WAITING;
	struct hf_server *s = r->server;
	uint64_t took_ns = hf_server_now(s) - r->begin_ns;

	r->state = HF_REQ_ANSWERED;
	s->counts.status[r->status / 100]++;
	hf_histogram_add(&s->counts.time, took_ns);
	if (took_ns >= SLOW_NS)
		hf_log_perf("http.slow", &r->corr, "%s took %u ms", r->route.op ? r->route.op->name : "a request",
			    (unsigned int)(took_ns / HF_MS));
	hf_conns_idle(s->conns, r->conn, hf_server_now(s));
	if (!waited)
		return;
	s->waiting--;
	MHD_resume_connection(r->connection);
	hf_timer_in(s->run, 0);
}

static json_t *error_json(const struct hf_request *r, int status, const json_t *error)
{
	const struct hf_fault *f = hf_fault_of(status, json_string_value(json_object_get(error, "code")));
	json_t *copy = json_copy((json_t *)error);
	char corr[HF_CORR_TEXT];

	json_object_set_new(copy, "correlation_id", json_string(hf_corr_text(&r->corr, corr)));
	json_object_set_new(copy, "severity", json_string(f->severity));
	json_object_set_new(copy, "retry", json_string(f->retry));
	json_object_set_new(copy, "who", json_string(f->who));
	return copy;
}

void hf_request_answer(struct hf_request *r, int status, const json_t *result)
{
	bool good = status < 300;

	r->status = status;
	text_set(r, json_pack("{s:i, s:o}", "status", status, good ? "result" : "error",
			      good ? json_incref((json_t *)result) : error_json(r, status, result)));
	answered(r);
}

void hf_request_text(struct hf_request *r, char *text, size_t len, const char *type)
{
	r->status = text ? 200 : 503;
	r->answer = text;
	r->answer_len = len;
	r->type = type;
	answered(r);
}

void hf_request_flow(struct hf_request *r)
{
	r->status = 200;
	r->type = "text/event-stream";
	answered(r);
	/* For as long as it lasts it is at work, whatever the client does. */
	hf_conns_busy(r->server->conns, r->conn);
}

static void misdeed(struct hf_request *r, const struct hf_refusal *no)
{
	struct hf_server *s = r->server;
	enum hf_misdeed m = no->probe ? HF_BAD_PROBE : hf_abuse_of_status(no->status);

	if (m != HF_MISDEEDS)
		hf_abuse_note(s->abuse, &r->conn->source, &r->corr, m, hf_server_now(s));
	hf_log_sec(HF_LOG_NOTICE, no->probe ? "http.probe" : "http.refused", &r->corr,
		   "%s: %d %s: %s", r->conn->source.text, no->status, no->code, no->text);
	if (no->probe)
		hf_report(s, &r->corr, "suspicious", r->conn->source.text, 1, no->code);
}

void hf_request_refuse(struct hf_request *r, const struct hf_refusal *no)
{
	json_t *error = json_pack("{s:s, s:s, s:s*}", "code", no->code, "message", no->text,
				  "field", no->field[0] ? no->field : NULL);

	misdeed(r, no);
	memcpy(r->allow, no->allow, sizeof(r->allow));
	r->retry_s = no->retry_s;
	hf_request_answer(r, no->status, error);
	json_decref(error);
}

static void header_add(struct MHD_Response *a, const char *name, const char *value)
{
	if (value[0])
		MHD_add_response_header(a, name, value);
}

static void headers_add(const struct hf_request *r, struct MHD_Response *a)
{
	const struct hf_header_pair *p = hf_answer_headers(r->server->now.site.tls);
	char corr[HF_CORR_TEXT], retry[16] = "";

	for (; p->name; p++)
		header_add(a, p->name, r->type && !strcmp(p->name, "Content-Type") ? r->type : p->value);
	header_add(a, "X-Correlation-Id", hf_corr_text(&r->corr, corr));
	header_add(a, "Allow", r->allow);
	header_add(a, "Set-Cookie", r->set_cookie);
	header_add(a, "WWW-Authenticate", r->status == 401 ? "Bearer" : "");
	if (r->retry_s)
		snprintf(retry, sizeof(retry), "%u", r->retry_s);
	header_add(a, "Retry-After", retry);
	if (r->close || r->server->stopping)
		header_add(a, "Connection", "close");
}

/* Answers hold tokens. */
static void answer_free(void *p)
{
	wiping_free(p, malloc_usable_size(p));
}

static struct MHD_Response *response_new(struct hf_request *r)
{
	struct MHD_Response *a;

	if (r->stream && r->status == 200)
		return hf_stream_response(r->stream);
	if (!r->answer)
		return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	a = MHD_create_response_from_buffer_with_free_callback(r->answer_len, r->answer,
							       answer_free);
	if (a)
		r->answer = NULL;	/* is MHD's now */
	return a;
}

static enum MHD_Result answer_queue(struct hf_request *r)
{
	struct MHD_Response *a = response_new(r);
	enum MHD_Result ret;

	if (!a)
		return MHD_NO;
	headers_add(r, a);
	ret = MHD_queue_response(r->connection, (unsigned int)r->status, a);
	MHD_destroy_response(a);
	return ret;
}

/* ----------------------------------------------------------------- request */

/* @size: bytes of the head if each line of it was written as "Name: value". */
struct gathering {
	struct hf_headers headers;
	size_t size;
	struct hf_refusal *no;
	int ret;
};

static enum MHD_Result gather(void *cls, enum MHD_ValueKind kind, const char *name,
			      size_t name_len, const char *value, size_t len)
{
	struct gathering *g = cls;

	(void)kind;
	g->size += name_len + strlen(": ") + len + strlen("\r\n");
	g->ret = hf_headers_add(&g->headers, name, name_len, value ? value : "", len, g->no);
	return g->ret ? MHD_NO : MHD_YES;
}

/* Blocks and limits, before anything that costs. Also counts what is refused anyway. */
static int may_pass(struct hf_request *r, const struct hf_op *op, struct hf_refusal *no)
{
	struct hf_server *s = r->server;
	uint64_t now_ns = hf_server_now(s);
	uint64_t wait = hf_abuse_wait(s->abuse, &r->conn->source, op, now_ns);

	if (wait) {
		s->counts.blocked++;
		hf_refuse(no, 429, "blocked", "this source is blocked for now");
		no->retry_s = hf_retry_s(wait);
		return -EINVAL;
	}
	wait = hf_limits_take(s->limits, &r->conn->source, op, &r->cred, now_ns);
	if (!wait)
		return 0;
	s->counts.limited++;
	hf_refuse(no, 429, "limited", "too many requests");
	no->retry_s = hf_retry_s(wait);
	return -EINVAL;
}

static bool changes(const struct hf_op *op)
{
	return op && strcmp(op->method, "GET") != 0;
}

/*
 * libmicrohttpd 0.9.75 passes over what it does not understand in a head:
 * bytes behind a NUL, folded lines, headers without a name. A proxy might
 * understand them, so the head must have just the bytes that we were told of.
 */
static bool head_is_plain(const struct hf_request *r, const struct gathering *g, const char *method,
			  const char *version)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	size_t line = strlen(method) + strlen(r->target) + strlen(version) + strlen("  \r\n");

	return info && info->header_size == line + g->size + strlen("\r\n");
}

/* The head alone. */
static int head_check(struct hf_request *r, const char *method, const char *version,
		      struct hf_refusal *no)
{
	struct gathering g = { .no = no };
	uint64_t body = 0;
	int ret;

	MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, gather, &g);
	ret = hf_headers_corr(&g.headers, hf_service_random(r->server->service), &r->corr);
	if (ret)
		return hf_refuse(no, 503, "random", "no random numbers");
	if (g.ret)
		return g.ret;
	if (!head_is_plain(r, &g, method, version))
		return hf_refuse(no, 400, "head", "each header must be one line \"Name: value\"");
	if (strcmp(version, "HTTP/1.1") != 0)
		return hf_refuse(no, 505, "version", "only HTTP/1.1 is spoken here");
	ret = hf_route_find(method, r->target, &r->route, no);
	if (!ret)
		ret = hf_headers_check(&g.headers, &r->server->now.site,
				       r->route.page == HF_PAGE_METRICS ? HF_ASK_PAGE :
				       r->route.page == HF_PAGE_STREAM ? HF_ASK_STREAM :
				       changes(r->route.op) ? HF_ASK_CHANGE : HF_ASK_READ,
				       &body, &r->cred, no);
	r->open_metrics = hf_headers_open_metrics(&g.headers);
	if (!ret && r->route.page == HF_PAGE_STREAM)
		ret = hf_headers_last_event(&g.headers, &r->last_event, no);
	if (!ret && body && !changes(r->route.op))
		ret = hf_refuse(no, 400, "body", "this takes no body");
	r->expected = (size_t)body;
	return ret;
}

/* Known enough to be worth another process's time? */
static int worth_asking(const struct hf_request *r, struct hf_refusal *no)
{
	const struct hf_op *op = r->route.op;

	if (r->conn->reserved && !(op && op->flags & HF_OP_QUIET))
		return hf_refuse(no, 503, "full",
				 "all connections are in use; only silence passes");
	if (op && !(op->roles & HF_ROLE_PUBLIC) && r->cred.kind == HF_CRED_NONE && !r->conn->peer)
		return hf_refuse(no, 401, "unauthenticated", "this needs a credential");
	if (op && r->server->role == HF_PROC_FRONT && !(op->flags & HF_OP_NET))
		return hf_refuse(no, 403, "network", "this is for local callers only");
	return 0;
}

static void probe_answer(struct hf_request *r, enum hf_probe_kind kind)
{
	const struct hf_server *s = r->server;

	r->answer = hf_probe_answer(&r->route.probe, kind, s->health, hf_server_now(s) - s->health_ns,
				    &r->status);
	r->answer_len = r->answer ? strlen(r->answer) : 0;
	r->type = "text/plain; charset=utf-8";
	if (!r->answer)
		r->status = 503;
}

static void page_answer(struct hf_request *r)
{
	r->status = 200;
	switch (r->route.page) {
	case HF_PAGE_READYZ:
		probe_answer(r, HF_PROBE_READY);
		break;
	case HF_PAGE_STARTUPZ:
		probe_answer(r, HF_PROBE_STARTED);
		break;
	case HF_PAGE_OPENAPI:
		r->answer = malloc(r->server->openapi_len);
		if (r->answer) {
			r->answer_len = r->server->openapi_len;
			memcpy(r->answer, r->server->openapi, r->answer_len);
		}
		break;
	case HF_PAGE_OPTIONS:
		r->status = 204;
		memcpy(r->allow, r->route.allow, sizeof(r->allow));
		break;
	default:
		probe_answer(r, HF_PROBE_LIVE);
	}
	answered(r);
}

static void head_done(struct hf_request *r, const char *method, const char *version)
{
	struct hf_refusal no = { .status = 0 }, limit;
	int ret = head_check(r, method, version, &no);

	r->begin_ns = hf_server_now(r->server);
	r->server->counts.requests++;
	/* Who may not ask at all is not told what else was wrong. */
	if (may_pass(r, r->route.op, &limit)) {
		no = limit;
		ret = -EINVAL;
	}
	if (!ret)
		ret = worth_asking(r, &no);
	if (!ret && r->expected) {
		r->body = malloc(r->expected);
		if (!r->body)
			ret = hf_refuse(&no, 503, "memory", "out of memory");
	}
	if (ret) {
		/* A body that nobody reads must not be taken for the next request. */
		r->close = true;
		hf_request_refuse(r, &no);
	} else {
		r->state = HF_REQ_BODY;
	}
}

static void body_done(struct hf_request *r)
{
	struct hf_refusal no;

	if (r->route.page == HF_PAGE_METRICS) {
		r->scrape = hf_scrape_new(r->open_metrics);
		if (!r->scrape) {
			hf_refuse(&no, 503, "memory", "out of memory");
			hf_request_refuse(r, &no);
			return;
		}
	} else if (r->route.page == HF_PAGE_STREAM) {
		if (hf_stream_new(r, r->last_event, &no)) {
			hf_request_refuse(r, &no);
			return;
		}
	} else if (r->route.page != HF_PAGE_OP) {
		page_answer(r);
		return;
	}
	if (hf_route_body(&r->route, r->body, r->len, &no)) {
		hf_request_refuse(r, &no);
		return;
	}
	if (r->body)
		explicit_bzero(r->body, r->len);
	hf_conns_busy(r->server->conns, r->conn);
	hf_request_call(r);
}

enum MHD_Result hf_request_handle(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *len, void **req_cls)
{
	const union MHD_ConnectionInfo *info;
	struct hf_request *r = *req_cls;

	(void)cls;
	(void)url;
	if (!r)
		return MHD_NO;
	if (r->state == HF_REQ_NEW) {
		info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
		r->conn = info ? info->socket_context : NULL;
		if (!r->conn)
			return MHD_NO;
		head_done(r, method, version);
	} else if (r->state == HF_REQ_BODY && *len) {
		if (*len > r->expected - r->len)
			return MHD_NO;
		memcpy(r->body + r->len, data, *len);
		r->len += *len;
		*len = 0;
	} else if (r->state == HF_REQ_BODY) {
		body_done(r);
	}
	return r->state == HF_REQ_ANSWERED ? answer_queue(r) : MHD_YES;
}
