// SPDX-License-Identifier: GPL-2.0
/*
 * Calls to the agent: the request is made from the table of operations, the
 * answer is bounded, late answers are given up. Nothing here knows a command.
 */
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "client.h"

#define ANSWER_MAX	(256 * 1024)	/* the agent's messages are below 60 KiB */
#define CONNECT_MS	3000L
#define DEADLINE_MS	15000L		/* a password hash in a queue of eight included */
#define PATIENCE	30		/* tries of one call that is limited */
#define PATIENCE_CP	75		/* of one that waits, 1 s each, for a checkpoint: up to 60 s apart */

struct buffer {
	char *data;
	size_t len;
};

const char *ctl_agent_name(const struct ctl *c)
{
	static char name[CTL_URL_MAX];

	if (!c->agent || c->agent[0] == '/')
		snprintf(name, sizeof(name), "unix:%s", c->agent ? c->agent : CTL_AGENT_SOCKET);
	else
		snprintf(name, sizeof(name), "%s", c->agent);
	return name;
}

/* NULL: the agent is a URL. */
static const char *agent_socket(const struct ctl *c)
{
	const char *name = ctl_agent_name(c);

	return strncmp(name, "unix:", 5) ? NULL : name + 5;
}

bool ctl_agent_there(const struct ctl *c)
{
	struct stat st;

	return c->agent || (!stat(CTL_AGENT_SOCKET, &st) && S_ISSOCK(st.st_mode));
}

/* Passwords go by plain HTTP to this host only. */
static bool url_ok(const char *url)
{
	static const char *const here[] = { "http://127.0.0.1", "http://[::1]", "http://localhost" };

	/* With a user or a query the host or the path is another than it seems. */
	if (strpbrk(url, "@?#\\"))
		return false;
	if (!strncmp(url, "https://", 8) && url[8])
		return true;
	for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++) {
		size_t n = strlen(here[i]);

		if (!strncmp(url, here[i], n) && (!url[n] || url[n] == ':' || url[n] == '/'))
			return true;
	}
	return false;
}

bool ctl_agent_ok(const struct ctl *c)
{
	return agent_socket(c) || url_ok(c->agent);
}

/* Blocks that held a password do not go back to the heap as they are. */
static void wiping_free(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static size_t body_in(char *data, size_t one, size_t n, void *arg)
{
	struct buffer *b = arg;
	char *grown;

	if (b->len + n > ANSWER_MAX)
		return 0;
	grown = realloc(b->data, b->len + n + 1);
	if (!grown)
		return 0;
	memcpy(grown + b->len, data, n);
	b->data = grown;
	b->len += n;
	b->data[b->len] = '\0';
	return one * n;
}

static size_t header_in(char *data, size_t one, size_t n, void *arg)
{
	static const char set_cookie[] = "Set-Cookie:", corr[] = "X-Correlation-Id:";
	struct ctl_answer *a = arg;
	size_t skip, len;

	if (n > sizeof(set_cookie) && !strncasecmp(data, set_cookie, sizeof(set_cookie) - 1)) {
		skip = sizeof(set_cookie) - 1;
		while (skip < n && data[skip] == ' ')
			skip++;
		len = strcspn(data + skip, ";\r\n");
		if (len < sizeof(a->cookie))
			snprintf(a->cookie, sizeof(a->cookie), "%.*s", (int)len, data + skip);
	} else if (n > sizeof(corr) + 32 && !strncasecmp(data, corr, sizeof(corr) - 1)) {
		struct hf_corr id;
		char text[HF_CORR_TEXT];

		skip = sizeof(corr) - 1;
		while (skip < n && data[skip] == ' ')
			skip++;
		snprintf(text, sizeof(text), "%.*s", (int)(n - skip), data + skip);
		if (!hf_corr_parse(text, &id))
			memcpy(a->corr, text, sizeof(text));
	}
	return one * n;
}

/* Text of an argument in a path or a query. */
static const char *value_text(const json_t *v, char buf[32])
{
	if (json_is_string(v))
		return json_string_value(v);
	if (json_is_boolean(v))
		return json_is_true(v) ? "true" : "false";
	snprintf(buf, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	return buf;
}

static bool url_add(char *url, const char *text, size_t len)
{
	size_t n = strlen(url);

	if (n + len >= CTL_URL_MAX)
		return false;
	memcpy(url + n, text, len);
	url[n + len] = '\0';
	return true;
}

static bool url_value(char *url, const json_t *v)
{
	char buf[32], *escaped = curl_easy_escape(NULL, value_text(v, buf), 0);
	bool done = escaped && url_add(url, escaped, strlen(escaped));

	curl_free(escaped);
	return done;
}

/* "{array}" in the path is argument "array". */
static bool url_path(char *url, const char *path, const json_t *args)
{
	while (*path) {
		size_t n = strcspn(path, "{");
		const char *end;
		const json_t *v;

		if (!url_add(url, path, n))
			return false;
		path += n;
		if (!*path)
			break;
		end = strchr(path, '}');
		v = json_object_getn(args, path + 1, (size_t)(end - path - 1));
		if (!v || !url_value(url, v))
			return false;
		path = end + 1;
	}
	return true;
}

bool ctl_url_make(const struct ctl *c, const struct hf_op *op, const json_t *args,
		  char url[CTL_URL_MAX])
{
	char mark = '?';

	url[0] = '\0';
	if (agent_socket(c)) {
		strcpy(url, "http://localhost");
	} else {
		size_t n = strlen(c->agent);

		while (n && c->agent[n - 1] == '/')
			n--;
		if (!url_add(url, c->agent, n))
			return false;
	}
	if (!url_path(url, op->path, args))
		return false;
	for (const struct hf_field *f = op->args; f->name; f++) {
		const json_t *v = json_object_get(args, f->name);

		if (!v || f->in != HF_IN_QUERY)
			continue;
		if (!url_add(url, &mark, 1) || !url_add(url, f->name, strlen(f->name)) ||
		    !url_add(url, "=", 1) || !url_value(url, v))
			return false;
		mark = '&';
	}
	return true;
}

char *ctl_body_make(const struct hf_op *op, const json_t *args)
{
	json_t *body = json_object();
	char *text;

	for (const struct hf_field *f = op->args; f->name; f++) {
		json_t *v = json_object_get(args, f->name);

		if (v && f->in == HF_IN_BODY)
			json_object_set(body, f->name, v);
	}
	text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	return text;
}

static struct curl_slist *headers_make(struct ctl *c, CURL *h, const struct hf_op *op,
				       char *credential)
{
	struct curl_slist *list = NULL;
	struct hf_corr id;
	char line[CTL_TOKEN_MAX + 32], text[HF_CORR_TEXT];
	/* What the public may do needs no credential; a login begins anew. */
	int kind = op->roles & HF_ROLE_PUBLIC ? CTL_CRED_NONE : ctl_credential(c, credential);

	if (kind < 0)
		return NULL;
	list = curl_slist_append(list, "Content-Type: application/json");
	list = curl_slist_append(list, "Accept: application/json");
	/* A browser does not send this across sites without asking. */
	list = curl_slist_append(list, "X-Holdfast: 1");
	list = curl_slist_append(list, "Expect:");
	if (!hf_corr_new(&hf_system_random, &id)) {
		snprintf(line, sizeof(line), "X-Correlation-Id: %s", hf_corr_text(&id, text));
		list = curl_slist_append(list, line);
	}
	if (kind == CTL_CRED_TOKEN) {
		snprintf(line, sizeof(line), "Authorization: Bearer %s", credential);
		list = curl_slist_append(list, line);
		explicit_bzero(line, sizeof(line));
	} else if (kind == CTL_CRED_COOKIE) {
		curl_easy_setopt(h, CURLOPT_COOKIE, credential);
	}
	return list;
}

static void headers_free(struct curl_slist *list)
{
	for (struct curl_slist *l = list; l; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(list);
}

static bool handle_set(CURL *h, struct ctl *c, const struct hf_op *op, const char *url,
		       const char *body, struct buffer *in, struct ctl_answer *a)
{
	const char *sock = agent_socket(c);

	curl_easy_setopt(h, CURLOPT_URL, url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_PROXY, "");
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, DEADLINE_MS);
	curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
	curl_easy_setopt(h, CURLOPT_USERAGENT, "holdfastctl/" HF_VERSION);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, a->why);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, body_in);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, in);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, header_in);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, a);
	if (sock)
		curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, sock);
	if (c->ca)
		curl_easy_setopt(h, CURLOPT_CAINFO, c->ca);
	if (!strcmp(op->method, "GET"))
		return true;
	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, op->method);
	return curl_easy_setopt(h, CURLOPT_POSTFIELDS, body) == CURLE_OK;
}

static void answer_parse(CURL *h, const struct buffer *in, struct ctl_answer *a)
{
	json_error_t e;
	curl_off_t wait = 0;

	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &a->status);
	curl_easy_getinfo(h, CURLINFO_RETRY_AFTER, &wait);
	a->retry_after_s = (long)wait;
	a->body = in->data ? json_loadb(in->data, in->len, JSON_REJECT_DUPLICATES, &e) : NULL;
	if (json_is_object(a->body))
		return;
	json_decref(a->body);
	a->body = NULL;
	snprintf(a->why, sizeof(a->why), "status %ld with a body that is no JSON object", a->status);
	a->status = 0;
}

/* CURLOPT_ERRORBUFFER must have CURL_ERROR_SIZE bytes. */
_Static_assert(sizeof(((struct ctl_answer *)0)->why) >= CURL_ERROR_SIZE, "error buffer");

void ctl_http(struct ctl *c, const struct hf_op *op, const json_t *args, struct ctl_answer *a)
{
	char url[CTL_URL_MAX], credential[CTL_TOKEN_MAX] = "", *body = NULL;
	struct curl_slist *headers = NULL;
	struct buffer in = { NULL, 0 };
	CURL *h = NULL;
	CURLcode ret;

	memset(a, 0, sizeof(*a));
	if (!ctl_agent_ok(c)) {
		snprintf(a->why, sizeof(a->why),
			 "https://HOST[:PORT], http:// on this host, or the path of a socket is required");
		return;
	}
	h = curl_easy_init();
	body = ctl_body_make(op, args);
	headers = h ? headers_make(c, h, op, credential) : NULL;
	if (!h || !body || !headers || !ctl_url_make(c, op, args, url) ||
	    !handle_set(h, c, op, url, body, &in, a)) {
		snprintf(a->why, sizeof(a->why), "the request cannot be made");
		goto out;
	}
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	ret = curl_easy_perform(h);
	if (ret == CURLE_OK)
		answer_parse(h, &in, a);
	else if (in.len >= ANSWER_MAX || ret == CURLE_WRITE_ERROR)
		snprintf(a->why, sizeof(a->why), "an answer of more than %d bytes", ANSWER_MAX);
	else if (!a->why[0])
		snprintf(a->why, sizeof(a->why), "%s", curl_easy_strerror(ret));
out:
	headers_free(headers);
	wiping_free(body);
	wiping_free(in.data);
	explicit_bzero(credential, sizeof(credential));
	if (h)
		curl_easy_cleanup(h);
}

static int exit_of_status(long status, const char *code)
{
	if (!strcmp(code, "step_up"))
		return CTL_STEP_UP;
	if (!strcmp(code, "tripped"))
		return CTL_TRIPPED;
	if (!strcmp(code, "limit"))
		return CTL_REFUSED;
	switch (status) {
	case 400:
		return CTL_USAGE;
	case 401:
	case 403:
		return CTL_DENIED;
	case 429:
	case 503:
		return CTL_LATER;
	default:
		return CTL_FAILED;
	}
}

/* What the agent said, to people. Return: the exit code. */
bool ctl_unsaid(const struct ctl *c)
{
	for (size_t i = 0; c->unsaid && c->unsaid[i]; i++)
		if (!strcmp(c->refused, c->unsaid[i]))
			return true;
	return false;
}

static int refused(struct ctl *c, const struct hf_op *op, const struct ctl_answer *a)
{
	const json_t *e = json_object_get(a->body, "error");
	const char *code = json_string_value(json_object_get(e, "code"));
	const char *message = json_string_value(json_object_get(e, "message"));
	const char *field = json_string_value(json_object_get(e, "field"));

	if (!code)
		code = "";
	snprintf(c->refused, sizeof(c->refused), "%s", code);
	if (ctl_unsaid(c))
		return exit_of_status(a->status, code);
	fprintf(stderr, "holdfastctl: %s: %s%s%s (%ld %s", op->name, field ? field : "",
		field ? ": " : "", message ? message : "refused", a->status, code);
	if (a->corr[0])
		fprintf(stderr, ", correlation id %s", a->corr);
	fputs(")\n", stderr);
	if (a->retry_after_s > 0)
		fprintf(stderr, "holdfastctl: try again in %ld s\n", a->retry_after_s);
	if (!strcmp(code, "unauthenticated"))
		fprintf(stderr, "holdfastctl: \"holdfastctl login\" begins a session\n");
	else if (!strcmp(code, "step_up"))
		fprintf(stderr, "holdfastctl: this needs a password given within the last five minutes: \"holdfastctl login\"\n");
	return exit_of_status(a->status, code);
}

static int step_up_try(struct ctl *c, const json_t *args)
{
	const struct hf_op *op = hf_op_find("session.step_up");
	struct ctl_answer a;
	int ret = CTL_OK;

	ctl_http(c, op, args, &a);
	if (!a.status)
		ret = ctl_fail_agent(c, a.why);
	else if (a.status >= 300)
		ret = refused(c, op, &a);
	else if (a.cookie[0])
		ret = ctl_session_keep(c, a.cookie);
	json_decref(a.body);
	return ret;
}

/* Proves the password again. Return: 0, or an exit code after saying why. */
static int step_up(struct ctl *c)
{
	char secret[CTL_SECRET_MAX];
	json_t *args;
	int ret = ctl_secret("Password: ", NULL, false, secret);

	if (ret)
		return ret;
	args = json_pack("{s:s}", "password", secret);
	explicit_bzero(secret, sizeof(secret));
	ret = step_up_try(c, args);
	if (ret && !strcmp(c->refused, "totp_needed")) {
		ret = ctl_totp(c, args);
		if (!ret)
			ret = step_up_try(c, args);
	}
	json_decref(args);
	return ret;
}

static bool says(const struct ctl_answer *a, long status, const char *code)
{
	const char *said = json_string_value(json_object_get(json_object_get(a->body, "error"), "code"));

	return a->status == status && said && !strcmp(said, code);
}

static bool wants_step_up(const struct ctl_answer *a)
{
	return says(a, 403, "step_up");
}

/* How often to try again: after too many calls, or for a record that no checkpoint has yet */
static int tries_more(const struct ctl_answer *a)
{
	if (a->status == 429)
		return PATIENCE;
	return says(a, 503, "no_checkpoint") ? PATIENCE_CP : 0;
}

int ctl_totp(struct ctl *c, json_t *args)
{
	char code[16];
	int ret = ctl_ask("Code of the second factor: ", code, sizeof(code));

	c->refused[0] = '\0';
	if (!ret && json_object_set_new(args, "totp", json_string(code)))
		ret = CTL_FAILED;
	explicit_bzero(code, sizeof(code));
	return ret;
}

int ctl_fail_agent(struct ctl *c, const char *why)
{
	fprintf(stderr, "holdfastctl: the agent at %s cannot be asked: %s\n", ctl_agent_name(c), why);
	return CTL_NO_AGENT;
}

static void prepare(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	prctl(PR_SET_DUMPABLE, 0);
	json_set_alloc_funcs(malloc, wiping_free);
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

int ctl_call(struct ctl *c, const char *name, json_t *args, json_t **result)
{
	const struct hf_op *op = hf_op_find(name);
	char path[HF_FIELD_PATH] = "";
	struct ctl_answer a;
	struct hf_err e;
	int ret = 0;

	prepare();
	c->refused[0] = '\0';
	if (!args)
		args = json_object();
	if (hf_field_check(op->args, args, path, &e)) {
		fprintf(stderr, "holdfastctl: %s: %s\n", name, e.text);
		json_decref(args);
		return CTL_USAGE;
	}
	ctl_http(c, op, args, &a);
	for (int i = 0; c->patient && i < tries_more(&a) && !ctl_interrupted(); i++) {
		json_decref(a.body);
		poll(NULL, 0, a.retry_after_s > 0 && a.retry_after_s < 60 ? (int)a.retry_after_s * 1000 : 1000);
		ctl_http(c, op, args, &a);
	}
	if (wants_step_up(&a) && ctl_terminal()) {
		json_decref(a.body);
		ret = step_up(c);
		if (!ret)
			ctl_http(c, op, args, &a);
		else
			a = (struct ctl_answer){ .status = 0 };
	}
	json_decref(args);
	if (ret)
		return ret;
	if (!a.status) {
		ret = ctl_fail_agent(c, a.why);
	} else if (a.status >= 300) {
		ret = refused(c, op, &a);
		if (!strcmp(c->refused, "unauthenticated"))
			ctl_session_keep(c, "");	/* it has ended */
	} else {
		if (a.cookie[0])
			ret = ctl_session_keep(c, a.cookie);
		if (result)
			*result = json_incref(json_object_get(a.body, "result"));
		if (!ret && result && !json_is_object(*result))
			ret = ctl_fail_agent(c, "an answer without a result");
	}
	json_decref(a.body);
	return ret;
}
