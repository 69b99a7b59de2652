// SPDX-License-Identifier: GPL-2.0
/*
 * GET /v1/incidents/stream: changes of incidents as Server-Sent Events. The stream asks for
 * incident.list once a second with the caller's own credential: who may not see something here
 * cannot have it here, and a credential that is revoked ends the stream with the next question.
 * Nothing is pushed and nothing is kept for who is slow: he is asked for again when he has taken
 * what there was.
 *
 * A question is under way only while libmicrohttpd has the connection suspended: so the request
 * is there when the answer comes.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

#define POLL_NS		HF_S
#define ALIVE_NS	(15 * HF_S)	/* a line at least so often: a client that is gone is noticed */
#define LIFE_NS		(3600 * HF_S)	/* then the client has to come anew */
#define MOST		16		/* streams of this process */
#define MOST_OF_SOURCE	4
#define BLOCK		4096

/**
 * struct hf_stream - one stream
 * @timer:	the next question; armed only while the connection is suspended and nothing is asked
 * @text: @len: @at:	what is to be sent, and how far it is
 * @since:	rev behind which is asked
 * @begun:	its head has been answered
 * @asked:	a question is under way
 * @over:	nothing comes behind @text
 */
struct hf_stream {
	struct hf_request *request;
	struct hf_stream *next;
	struct hf_timer *timer;
	char *text;
	size_t len, at;
	uint64_t since, said_ns;
	bool begun, asked, over, more;
};

void hf_stream_free(struct hf_stream *s)
{
	struct hf_stream **at;

	if (!s)
		return;
	at = &s->request->server->streams;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	hf_timer_free(s->timer);
	free(s->text);
	free(s);
}

static uint64_t now_of(const struct hf_stream *s)
{
	return hf_server_now(s->request->server);
}

/* Return: false: there is no memory; the stream ends, and the client comes again for it. */
static bool say(struct hf_stream *s, const char *head, const char *data)
{
	size_t need = strlen(head) + strlen(data) + strlen("\n\n");
	char *text = realloc(s->text, s->len + need + 1);

	if (!text) {
		s->over = true;
		return false;
	}
	s->text = text;
	s->len += (size_t)snprintf(text + s->len, need + 1, "%s%s\n\n", head, data);
	s->said_ns = now_of(s);
	return true;
}

static void resume(struct hf_stream *s)
{
	MHD_resume_connection(s->request->connection);
	hf_timer_in(s->request->server->run, 0);
}

static int ask(struct hf_stream *s)
{
	struct hf_request *r = s->request;

	json_decref(r->route.args);
	r->route.args = json_pack("{s:I}", "since", (json_int_t)s->since);
	return r->route.args ? hf_request_ask(r) : -ENOMEM;
}

/* Sends what there is, or sees to it that there will be something. */
static void go_on(struct hf_stream *s)
{
	if (!s->over && s->at == s->len && now_of(s) - s->said_ns >= ALIVE_NS)
		say(s, ": still here", "");
	if (s->over || s->at < s->len)
		resume(s);
	else
		hf_timer_in(s->timer, POLL_NS);
}

static void on_time(void *arg)
{
	struct hf_stream *s = arg;
	struct hf_server *server = s->request->server;

	s->over = s->over || now_of(s) - s->request->begin_ns >= LIFE_NS;
	if (!s->over && !ask(s)) {
		s->asked = true;
		server->waiting++;
		return;
	}
	go_on(s);
}

static ssize_t on_read(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct hf_stream *s = arg;
	size_t n = s->len - s->at < max ? s->len - s->at : max;

	(void)pos;
	if (n) {
		memcpy(buf, s->text + s->at, n);
		s->at += n;
		return (ssize_t)n;
	}
	if (s->over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	free(s->text);
	s->text = NULL;
	s->len = s->at = 0;
	MHD_suspend_connection(s->request->connection);
	hf_timer_in(s->timer, s->more ? 0 : POLL_NS);
	return 0;
}

struct MHD_Response *hf_stream_response(struct hf_stream *s)
{
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, on_read, s, NULL);
}

static void take(struct hf_stream *s, const json_t *result)
{
	const json_t *i;
	size_t n;

	json_array_foreach(json_object_get(result, "incidents"), n, i) {
		char *data = json_dumps(i, JSON_COMPACT), head[80];

		snprintf(head, sizeof(head), "id: %" JSON_INTEGER_FORMAT "\nevent: incident\ndata: ",
			 json_integer_value(json_object_get(i, "rev")));
		if (!data || !say(s, head, data))
			s->over = true;
		free(data);
		if (s->over)
			return;
	}
	s->since = (uint64_t)json_integer_value(json_object_get(result, "rev"));
	s->more = json_is_true(json_object_get(result, "more"));
}

bool hf_stream_next(struct hf_request *r, int status, const json_t *result)
{
	struct hf_stream *s = r->stream;
	bool ok = status < 300;

	if (!s->begun && !ok)
		return false;
	if (!s->begun)
		say(s, "retry: 3000", "");
	if (ok)
		take(s, result);
	if (!s->begun) {
		s->begun = true;
		hf_request_flow(r);
		return true;
	}
	s->asked = false;
	r->server->waiting--;
	/* What is busy or gone comes back; who may not ask any more need not come again. */
	if (status == 401 || status == 403) {
		say(s, "event: end\ndata: ", status == 401 ? "unauthenticated" : "forbidden");
		s->over = true;
	}
	go_on(s);
	return true;
}

static void end(struct hf_stream *s)
{
	s->over = true;
	if (!s->asked && s->begun && hf_timer_running(s->timer)) {
		hf_timer_stop(s->timer);
		resume(s);
	}
}

void hf_streams_end(struct hf_server *server)
{
	for (struct hf_stream *s = server->streams; s; s = s->next)
		end(s);
}

/* Whether its client has closed: libmicrohttpd does not look while the connection is suspended. */
static bool gone(const struct hf_stream *s)
{
	struct pollfd p = { .fd = s->request->conn->fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0;
}

/* Who comes again at once finds his old place free: what has ended, or ends now, takes none. */
static int places(const struct hf_request *r, struct hf_refusal *no)
{
	unsigned int all = 0, mine = 0;

	for (struct hf_stream *s = r->server->streams; s; s = s->next) {
		if (!s->over && gone(s))
			end(s);
		if (s->over)
			continue;
		all++;
		mine += !memcmp(s->request->conn->source.key, r->conn->source.key,
				sizeof(r->conn->source.key));
	}
	if (all < MOST && mine < MOST_OF_SOURCE)
		return 0;
	hf_refuse(no, 503, "full", "%u streams are open, %u of them from here; at most %d, %d of one source",
		  all, mine, MOST, MOST_OF_SOURCE);
	no->retry_s = 30;
	return -EINVAL;
}

int hf_stream_new(struct hf_request *r, uint64_t since, struct hf_refusal *no)
{
	struct hf_stream *s;

	if (places(r, no))
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s || hf_timer_new(&s->timer, hf_service_loop(r->server->service), on_time, s)) {
		free(s);
		return hf_refuse(no, 503, "memory", "out of memory");
	}
	s->request = r;
	s->since = since;
	s->said_ns = hf_server_now(r->server);
	s->next = r->server->streams;
	r->server->streams = s;
	r->stream = s;
	json_object_set_new(r->route.args, "since", json_integer((json_int_t)since));
	return 0;
}
