/* links: ctl front common lib */
// SPDX-License-Identifier: GPL-2.0
/*
 * The command line of holdfastctl, up to what would be sent: one argument a line, or one up to each
 * NUL if there is any. A refusal says why; what is read lies within its bounds, and is read again
 * the same when it is written down; what would be sent for an operation is understood by the
 * agent's router as what was typed, and goes by plain HTTP to this host only.
 */
#include <curl/curl.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/client.h"
#include "front/router.h"

#define INPUT_MAX	8192
#define WORDS_MAX	160
#define REACH_UM	10000000	/* coordinates that may be typed */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static FILE *sink;	/* stands for standard output and error */
static size_t said;	/* bytes that came there */

/* A command line that is made. */
struct line {
	char text[4 * INPUT_MAX];
	size_t used;
	char *words[WORDS_MAX + 1];
	int count;
};

static void must(bool true_that)
{
	if (!true_that)
		abort();
}

static ssize_t sink_write(void *cookie, const char *data, size_t n)
{
	(void)cookie;
	(void)data;
	said += n;
	return (ssize_t)n;
}

static void __attribute__((format(printf, 2, 3))) add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	must(l->count < WORDS_MAX);
	va_start(ap, fmt);
	n = vsnprintf(l->text + l->used, sizeof(l->text) - l->used, fmt, ap);
	va_end(ap);
	must(n >= 0 && l->used + (size_t)n < sizeof(l->text));
	l->words[l->count++] = l->text + l->used;
	l->used += (size_t)n + 1;
}

/* An option with a text, if there is one. */
static void add_text(struct line *l, const char *option, const char *text)
{
	if (text)
		add(l, "--%s=%s", option, text);
}

static void add_flag(struct line *l, const char *option, bool on)
{
	if (on)
		add(l, "--%s", option);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* ------------------------------------------- each request: its bounds, and written down again */

static void status_write(const struct ctl *c, struct line *l)
{
	const struct ctl_status *r = &c->req.status;

	must(r->interval_ms >= 10 && r->interval_ms <= 3600000);
	add_flag(l, "watch", r->watch);
	add(l, "--interval=%lldms", (long long)r->interval_ms);
}

static bool status_same(const union ctl_request *a, const union ctl_request *b)
{
	return a->status.watch == b->status.watch && a->status.interval_ms == b->status.interval_ms;
}

static void point_write(char *buf, size_t len, struct holdfast_focus um)
{
	must(abs(um.x_um) <= REACH_UM && abs(um.y_um) <= REACH_UM && abs(um.z_um) <= REACH_UM);
	snprintf(buf, len, "%.3f,%.3f,%.3f", um.x_um / 1e3, um.y_um / 1e3, um.z_um / 1e3);
}

static void solve_write(const struct ctl *c, struct line *l)
{
	static const char *const patterns[] = { "focus", "foci", "twin", "vortex", "bottle" };
	const struct ctl_solve *r = &c->req.solve;
	char at[64];

	must(r->points >= 1 && r->points <= CTL_POINTS && r->output);
	must(r->pattern != CTL_FOCI || r->points <= HOLDFAST_MAX_FOCI);
	must(r->radius_m >= 0 && r->radius_m <= 1 && fabs(r->turn_rad) <= 2 * M_PI);
	must(r->frames >= 1 && r->frames <= HOLDFAST_STREAM_MAX_FRAMES);
	must(r->rate_hz >= 0.1 && r->rate_hz <= 1e6 && abs(r->charge) <= 16);
	must(r->rows * r->columns <= HOLDFAST_MAX_CHANNELS && r->pitch_um >= 1000 &&
	     r->pitch_um <= 1000000);
	for (size_t i = 0; i < r->points; i++) {
		point_write(at, sizeof(at), holdfast_focus_at(&r->at[i]));
		add(l, "--at=%s", at);
	}
	if (r->radius_m > 0)
		add(l, "--circle=%.0fum", r->radius_m * 1e6);
	add(l, "--frames=%llu", (unsigned long long)r->frames);
	add(l, "--rate=%.17g", r->rate_hz);
	add(l, "--amp=%u", r->amp);
	add(l, "--charge=%d", r->charge);
	add(l, "--turn=%.17g", fmax(-360, fmin(360, r->turn_rad * 180 / M_PI)));
	if (r->rows)
		add(l, "--grid=%llux%llu", (unsigned long long)r->rows,
		    (unsigned long long)r->columns);
	add(l, "--pitch-um=%llu", (unsigned long long)r->pitch_um);
	add(l, "--output=%s", r->output);
	add(l, "%s", patterns[r->pattern]);
}

static bool solve_same(const union ctl_request *ra, const union ctl_request *rb)
{
	const struct ctl_solve *a = &ra->solve, *b = &rb->solve;

	for (size_t i = 0; i < a->points && i < b->points; i++) {
		struct holdfast_focus x = holdfast_focus_at(&a->at[i]);
		struct holdfast_focus y = holdfast_focus_at(&b->at[i]);

		if (memcmp(&x, &y, sizeof(x)))
			return false;
	}
	return a->points == b->points && a->pattern == b->pattern && a->radius_m == b->radius_m &&
	       a->frames == b->frames && a->rate_hz == b->rate_hz && a->amp == b->amp &&
	       a->charge == b->charge && fabs(a->turn_rad - b->turn_rad) < 1e-12 &&
	       a->rows == b->rows && a->columns == b->columns && a->pitch_um == b->pitch_um &&
	       same_text(a->output, b->output);
}

static void play_write(const struct ctl *c, struct line *l)
{
	const struct ctl_play *r = &c->req.play;

	must(r->path && r->loops);
	must(!(r->flags & ~(HOLDFAST_FRAME_WAIT | HOLDFAST_FRAME_ATTENUATE)));
	must(!r->interval_ns || (r->interval_ns >= 1000 && r->interval_ns <= 10000000000ULL));
	if (r->interval_ns)
		add(l, "--rate=%.17g", 1e9 / (double)r->interval_ns);
	add(l, "--amp=%u", r->amp);
	if (r->loops == UINT64_MAX)
		add(l, "--loop=forever");
	else
		add(l, "--loop=%llu", (unsigned long long)r->loops);
	add_flag(l, "attenuate", r->flags & HOLDFAST_FRAME_ATTENUATE);
	add_flag(l, "skip-refused", r->skip);
	add_flag(l, "arm", r->arm);
	add_flag(l, "keep", r->keep);
	add_flag(l, "quiet", r->quiet);
	add(l, "--");
	add(l, "%s", r->path);
}

static bool play_same(const union ctl_request *ra, const union ctl_request *rb)
{
	const struct ctl_play *a = &ra->play, *b = &rb->play;

	return a->interval_ns == b->interval_ns && a->loops == b->loops && a->amp == b->amp &&
	       a->flags == b->flags && a->skip == b->skip && a->arm == b->arm &&
	       a->keep == b->keep && a->quiet == b->quiet && same_text(a->path, b->path);
}

static void focus_write(const struct ctl *c, struct line *l)
{
	const struct ctl_focus *r = &c->req.focus;
	char at[64];

	must(r->points >= 1 && r->points <= HOLDFAST_MAX_FOCI && !r->play.path);
	must(!(r->play.flags & ~(HOLDFAST_FRAME_WAIT | HOLDFAST_FRAME_ATTENUATE)));
	must(r->play.interval_ns >= 1000 && r->play.interval_ns <= 10000000000ULL);
	must(r->for_ms <= 86400000 && r->play.loops == UINT64_MAX);
	for (size_t i = 0; i < r->points; i++) {
		point_write(at, sizeof(at), holdfast_focus_at(&r->at[i]));
		add(l, "--at=%s", at);
	}
	add(l, "--amp=%u", r->play.amp);
	add(l, "--rate=%.17g", 1e9 / (double)r->play.interval_ns);
	if (r->for_ms)
		add(l, "--for=%llums", (unsigned long long)r->for_ms);
	add_flag(l, "attenuate", r->play.flags & HOLDFAST_FRAME_ATTENUATE);
	add_flag(l, "skip-refused", r->play.skip);
	add_flag(l, "arm", r->play.arm);
	add_flag(l, "keep", r->play.keep);
}

static bool focus_same(const union ctl_request *ra, const union ctl_request *rb)
{
	const struct ctl_focus *a = &ra->focus, *b = &rb->focus;
	union ctl_request pa = { .play = a->play }, pb = { .play = b->play };

	for (size_t i = 0; i < a->points && a->points == b->points; i++) {
		struct holdfast_focus fa = holdfast_focus_at(&a->at[i]);
		struct holdfast_focus fb = holdfast_focus_at(&b->at[i]);

		if (memcmp(&fa, &fb, sizeof(fa)))
			return false;
	}
	return a->points == b->points && a->for_ms == b->for_ms && play_same(&pa, &pb);
}

/* Limits as a driver would name them; the ranges are made up. Return: how many. */
static int limits_known(struct holdfast_limit_info *known)
{
	const struct holdfast_limit_desc *d;
	int n = 0;

	for (uint32_t i = 0; i < HOLDFAST_LIM_COUNT && (d = holdfast_limit_desc(i)); i++) {
		known[n] = (struct holdfast_limit_info){ .limit = i, .is_floor = d->is_floor,
							 .min = -1000, .max = 1000000000 };
		snprintf(known[n].name, sizeof(known[n].name), "%s", d->name);
		snprintf(known[n++].unit, sizeof(known[0].unit), "%s", d->unit);
	}
	return n;
}

static void limit_judge(const struct holdfast_limit_info *known, int n, const char *text)
{
	struct holdfast_envelope env = { 0 }, again = { 0 };
	char plain[64];
	int i = 0;

	said = 0;
	if (ctl_limit_set(&env, known, n, text) != 0) {
		fflush(sink);
		must(said && !env.set);
		return;
	}
	while (i < n && env.set != 1ULL << known[i].limit)
		i++;
	must(i < n && env.limit[i] >= known[i].min && env.limit[i] <= known[i].max);
	must(!strncmp(text, known[i].name, strlen(known[i].name)));
	snprintf(plain, sizeof(plain), "%s=%lld", known[i].name, (long long)env.limit[i]);
	must(!ctl_limit_set(&again, known, n, plain) && !memcmp(&env, &again, sizeof(env)));
}

static void envelope_write(const struct ctl *c, struct line *l)
{
	struct holdfast_limit_info known[HOLDFAST_LIM_ROOM];
	const struct ctl_envelope *r = &c->req.envelope;
	char channels[HOLDFAST_MAX_CHANNELS * 5] = "";
	int n = limits_known(known);
	size_t len = 0;

	must(!r->env.set && r->count >= 0);
	for (unsigned int i = 0; r->env.set_mask && i < HOLDFAST_MAX_CHANNELS; i++)
		if (!(r->env.mask[i / 64] & 1ULL << i % 64))
			len += (size_t)sprintf(channels + len, "%s%u", len ? "," : "", i);
	must(r->env.set_mask ? len != 0 : !len);
	if (len)
		add(l, "--forbid=%s", channels);
	add(l, "--");
	add(l, "%s", r->verb);
	for (int i = 0; i < r->count; i++) {
		limit_judge(known, n, r->limits[i]);
		add(l, "%s", r->limits[i]);
	}
}

static bool envelope_same(const union ctl_request *a, const union ctl_request *b)
{
	return same_text(a->envelope.verb, b->envelope.verb) &&
	       a->envelope.count == b->envelope.count &&
	       !memcmp(&a->envelope.env, &b->envelope.env, sizeof(a->envelope.env));
}

static void fence_write(const struct ctl *c, struct line *l)
{
	const struct ctl_fence *r = &c->req.fence;
	char at[64];

	must(r->count <= HOLDFAST_MAX_FENCE && (r->count > 0) != !strcmp(r->verb, "list"));
	add(l, "--");
	add(l, "%s", r->verb);
	for (int i = 0; i < r->count; i++) {
		const struct holdfast_fence_point *p = &r->points[i];
		struct holdfast_focus um = { .x_um = p->x_um, .y_um = p->y_um, .z_um = p->z_um };

		point_write(at, sizeof(at), um);
		if (strcmp(r->verb, "add"))
			add(l, "%s", at);
		else
			add(l, "%s=%umPa", at, p->limit_mpa);
	}
}

static bool fence_same(const union ctl_request *a, const union ctl_request *b)
{
	return same_text(a->fence.verb, b->fence.verb) && a->fence.count == b->fence.count &&
	       !memcmp(a->fence.points, b->fence.points, sizeof(a->fence.points));
}

static void events_write(const struct ctl *c, struct line *l)
{
	const struct ctl_events *r = &c->req.events;

	add_flag(l, "follow", r->follow);
	if (r->since == HOLDFAST_SINCE_NOW)
		add(l, "--since=now");
	else
		add(l, "--since=%llu", (unsigned long long)r->since);
	add(l, "--group=%s", r->group == HOLDFAST_GROUP_SAFETY ? "safety" : "telemetry");
}

static bool events_same(const union ctl_request *a, const union ctl_request *b)
{
	return a->events.follow == b->events.follow && a->events.since == b->events.since &&
	       a->events.group == b->events.group;
}

static void keep_write(const struct ctl *c, struct line *l)
{
	const struct ctl_keep *r = &c->req.keep;

	must(r->socket && r->sock == -1 && !(r->rights & ~HOLDFAST_RIGHT_ALL));
	add_text(l, "group", r->group);
	add_flag(l, "arm-allowed", r->rights & HOLDFAST_RIGHT_ARM);
	add_flag(l, "reset-allowed", r->rights & HOLDFAST_RIGHT_RESET);
	add_flag(l, "foci-only", !(r->rights & HOLDFAST_RIGHT_RAW));
	add_flag(l, "seal", r->seal);
	add_flag(l, "arm", r->arm);
	add_flag(l, "quiet", r->quiet);
}

static bool keep_same(const union ctl_request *ra, const union ctl_request *rb)
{
	const struct ctl_keep *a = &ra->keep, *b = &rb->keep;

	return same_text(a->socket, b->socket) && same_text(a->group, b->group) &&
	       a->rights == b->rights && a->seal == b->seal && a->arm == b->arm &&
	       a->quiet == b->quiet;
}

static void act_write(const struct ctl *c, struct line *l)
{
	add_text(l, "comment", c->req.comment);
}

static bool act_same(const union ctl_request *a, const union ctl_request *b)
{
	return same_text(a->comment, b->comment);
}

static void silence_write(const struct ctl *c, struct line *l)
{
	add_flag(l, "latch", c->req.latch);
}

static bool silence_same(const union ctl_request *a, const union ctl_request *b)
{
	return a->latch == b->latch;
}

static void login_write(const struct ctl *c, struct line *l)
{
	add_text(l, "user", c->req.login.user);
	add_text(l, "password-file", c->req.login.password_file);
	add_text(l, "totp-file", c->req.login.totp_file);
}

static bool login_same(const union ctl_request *a, const union ctl_request *b)
{
	return same_text(a->login.user, b->login.user) &&
	       same_text(a->login.password_file, b->login.password_file) &&
	       same_text(a->login.totp_file, b->login.totp_file);
}

static void tail_write(const struct ctl *c, struct line *l)
{
	must(c->req.tail.lines >= 1 && c->req.tail.lines <= 200);
	add(l, "--lines=%llu", (unsigned long long)c->req.tail.lines);
	add_flag(l, "follow", c->req.tail.follow);
}

static bool tail_same(const union ctl_request *a, const union ctl_request *b)
{
	return a->tail.lines == b->tail.lines && a->tail.follow == b->tail.follow;
}

static void when_write(struct line *l, const char *option, int64_t ns)
{
	time_t s = ns / 1000000000;
	char text[64];
	struct tm tm;

	if (ns == -1)
		return;
	must(ns >= 0 && ns % 1000000000 == 0 && gmtime_r(&s, &tm));
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	add(l, "--%s=%s", option, text);
}

static void export_write(const struct ctl *c, struct line *l)
{
	when_write(l, "since", c->req.export.since_ns);
	when_write(l, "until", c->req.export.until_ns);
	add_text(l, "output", c->req.export.path);
}

static bool export_same(const union ctl_request *a, const union ctl_request *b)
{
	return a->export.since_ns == b->export.since_ns &&
	       a->export.until_ns == b->export.until_ns &&
	       same_text(a->export.path, b->export.path);
}

static void report_write(const struct ctl *c, struct line *l)
{
	when_write(l, "since", c->req.since_ns);
}

static bool report_same(const union ctl_request *a, const union ctl_request *b)
{
	return a->since_ns == b->since_ns;
}

static void config_write(const struct ctl *c, struct line *l)
{
	must(c->req.config.path);
	add_text(l, "comment", c->req.config.comment);
	add_flag(l, "environment", c->req.config.with_env);
	add_flag(l, "print", c->req.config.show);
	add(l, "--");
	add(l, "%s", c->req.config.path);
}

static bool config_same(const union ctl_request *a, const union ctl_request *b)
{
	return same_text(a->config.path, b->config.path) &&
	       same_text(a->config.comment, b->config.comment) &&
	       a->config.with_env == b->config.with_env && a->config.show == b->config.show;
}

static void backup_write(const struct ctl *c, struct line *l)
{
	const struct ctl_backup *r = &c->req.backup;

	must(r->archive && r->state && r->run && r->config);
	add_text(l, "key", r->key);
	add_text(l, "state", r->state);
	add_text(l, "run", r->run);
	add_text(l, "config", r->config);
	add(l, "--");
	add(l, "%s", r->archive);
}

static bool backup_same(const union ctl_request *ra, const union ctl_request *rb)
{
	const struct ctl_backup *a = &ra->backup, *b = &rb->backup;

	return same_text(a->archive, b->archive) && same_text(a->key, b->key) &&
	       same_text(a->state, b->state) && same_text(a->run, b->run) &&
	       same_text(a->config, b->config);
}

static void health_write(const struct ctl *c, struct line *l)
{
	add_flag(l, "detailed", c->req.health.detailed);
	add_flag(l, "watch", c->req.health.watch);
}

static bool health_same(const union ctl_request *a, const union ctl_request *b)
{
	return a->health.detailed == b->health.detailed && a->health.watch == b->health.watch;
}

static void metrics_write(const struct ctl *c, struct line *l)
{
	add_flag(l, "openmetrics", c->req.open_metrics);
}

static bool metrics_same(const union ctl_request *a, const union ctl_request *b)
{
	return a->open_metrics == b->open_metrics;
}

static void fleet_write(const struct ctl *c, struct line *l)
{
	const struct ctl_fleet *r = &c->req.fleet;

	must(r->wait_ms >= 0 && r->wait_ms <= 300000);
	must(!r->host || strspn(r->host, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(r->host));
	add_text(l, "server", r->server);
	add_text(l, "site", r->site);
	add_text(l, "creds", r->creds);
	add_text(l, "host", r->host);
	add_flag(l, "latch", r->latch);
	if (r->wait_ms)
		add(l, "--wait=%lldms", (long long)r->wait_ms);
}

static bool fleet_same(const union ctl_request *ra, const union ctl_request *rb)
{
	const struct ctl_fleet *a = &ra->fleet, *b = &rb->fleet;

	return same_text(a->server, b->server) && same_text(a->site, b->site) &&
	       same_text(a->creds, b->creds) && same_text(a->host, b->host) &&
	       a->latch == b->latch && a->wait_ms == b->wait_ms;
}

static const struct form {
	int (*read)(struct ctl *c, int argc, char **argv);
	void (*write)(const struct ctl *c, struct line *l);
	bool (*same)(const union ctl_request *a, const union ctl_request *b);
} forms[] = {
	{ status_read, status_write, status_same },
	{ solve_read, solve_write, solve_same },
	{ play_read, play_write, play_same },
	{ focus_read, focus_write, focus_same },
	{ envelope_read, envelope_write, envelope_same },
	{ fence_read, fence_write, fence_same },
	{ events_read, events_write, events_same },
	{ keep_read, keep_write, keep_same },
	{ act_read, act_write, act_same },
	{ silence_read, silence_write, silence_same },
	{ login_read, login_write, login_same },
	{ audit_tail_read, tail_write, tail_same },
	{ audit_export_read, export_write, export_same },
	{ report_read, report_write, report_same },
	{ config_check_read, config_write, config_same },
	{ config_diff_read, config_write, config_same },
	{ config_apply_read, config_write, config_same },
	{ backup_read, backup_write, backup_same },
	{ health_read, health_write, health_same },
	{ metrics_read, metrics_write, metrics_same },
	{ fleet_read, fleet_write, fleet_same },
};

/* ------------------------------------------------------------------ operations of the agent */

/* Stands for what is asked for on a terminal or read from a file. */
static json_t *made_up(const struct hf_field *f)
{
	char text[64] = "";

	must(f->min < (int64_t)sizeof(text));
	memset(text, '1', f->min > 0 ? (size_t)f->min : 1);
	return json_string(text);
}

static json_t *completed(const struct ctl *c, const struct hf_op *op)
{
	json_t *args = json_copy(c->args);
	int64_t array = 0;

	if (c->device && !ctl_array_number(c->device, &array))
		array = 0;
	for (const struct hf_field *f = op->args; f->name; f++) {
		if (f->in == HF_IN_PATH && !strcmp(f->name, "array"))
			json_object_set_new(args, f->name, json_integer(array));
		else if (f->flags & HF_FF_SECRET &&
			 (f->flags & HF_FF_REQUIRED || c->req.files[f - op->args]))
			json_object_set_new(args, f->name, made_up(f));
	}
	return args;
}

static bool local_host(CURLU *u)
{
	char *host = NULL;
	bool local;

	must(!curl_url_get(u, CURLUPART_HOST, &host, 0));
	local = !strcasecmp(host, "localhost") || !strcmp(host, "127.0.0.1") ||
		!strcmp(host, "[::1]");
	curl_free(host);
	return local;
}

/* Where would the password go, as the library that sends it understands the URL? */
static void where_judge(const char *url)
{
	char *scheme = NULL, *user = NULL;
	CURLU *u = curl_url();

	if (!curl_url_set(u, CURLUPART_URL, url, 0)) {
		must(!curl_url_get(u, CURLUPART_SCHEME, &scheme, 0));
		must(!strcmp(scheme, "https") || (!strcmp(scheme, "http") && local_host(u)));
		must(curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER);
		curl_free(scheme);
	}
	curl_url_cleanup(u);
}

/* What the agent's HTTP process makes of it. */
static void route_judge(const struct hf_op *op, const json_t *args, const char *target)
{
	bool get = !strcmp(op->method, "GET");
	struct hf_refusal no = { .status = 0 };
	struct hf_route r;
	char *body = ctl_body_make(op, args);

	must(body && !hf_route_find(op->method, target, &r, &no) && r.op == op);
	must(!hf_route_body(&r, get ? "" : body, get ? 0 : strlen(body), &no));
	must(json_equal(r.args, (json_t *)args));
	hf_route_clear(&r);
	free(body);
}

static void op_judge(const struct ctl *c)
{
	static const char here[] = "http://localhost";
	const struct hf_op *op = hf_op_find(c->command->op);
	json_t *args = completed(c, op);
	char url[CTL_URL_MAX];
	size_t base = sizeof(here) - 1;
	struct hf_err e;

	if (hf_field_check(op->args, args, NULL, &e) || !ctl_agent_ok(c) ||
	    !ctl_url_make(c, op, args, url))
		goto out;
	if (strncmp(ctl_agent_name(c), "unix:", 5)) {
		base = strlen(c->agent);
		while (base && c->agent[base - 1] == '/')
			base--;
		must(!strncmp(url, c->agent, base));
		where_judge(url);
	} else {
		must(!strncmp(url, here, base));
	}
	route_judge(op, args, url + base);
out:
	json_decref(args);
}

/* Nothing secret may have been typed, and nothing that the operation does not have. */
static void typed_judge(const struct ctl *c)
{
	const struct hf_op *op = hf_op_find(c->command->op);
	const char *name;
	json_t *v;

	json_object_foreach(c->args, name, v) {
		const struct hf_field *f = op->args;

		while (f->name && strcmp(f->name, name))
			f++;
		must(f->name && !(f->flags & HF_FF_SECRET) && v);
	}
}

/* ---------------------------------------------------------------------------------- one line */

static int line_read(struct ctl *c, int argc, char **argv)
{
	int ret;

	memset(c, 0, sizeof(*c));
	said = 0;
	ret = ctl_read(c, argc, argv);
	fflush(sink);
	must(ret == -1 || ret == CTL_OK || ret == CTL_USAGE);
	must((ret == -1) == !said);
	return ret;
}

/* The common options, and the command. */
static void line_begin(struct line *l, const struct ctl *c)
{
	l->used = 0;
	l->count = 0;
	add(l, "holdfastctl");
	add_text(l, "device", c->device);
	add_text(l, "socket", c->socket);
	add_text(l, "agent", c->agent);
	add_text(l, "ca", c->ca);
	add_flag(l, "json", c->json);
	if (c->group)
		add(l, "%s", c->group->name);
	add(l, "%s", c->command->name);
}

static void read_again(const struct ctl *c, const struct form *form)
{
	static struct line l;
	struct ctl again;

	line_begin(&l, c);
	form->write(c, &l);
	l.words[l.count] = NULL;
	must(line_read(&again, l.count, l.words) == -1);
	must(again.command == c->command && again.group == c->group && again.json == c->json);
	must(same_text(again.device, c->device) && same_text(again.socket, c->socket) &&
	     same_text(again.agent, c->agent) && same_text(again.ca, c->ca));
	must(form->same(&c->req, &again.req));
	ctl_clear(&again);
}

static void judge(const struct ctl *c)
{
	must(c->command && c->command->run && !c->command->subs);
	if (c->command->op) {
		typed_judge(c);
		op_judge(c);
		return;
	}
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (forms[i].read == c->command->read) {
			read_again(c, &forms[i]);
			return;
		}
	must(c->command->read == ctl_plain_read || c->command->read == audit_verify_read);
}

static void run(struct line *l, const uint8_t *data, size_t size)
{
	char sep = memchr(data, '\0', size) ? '\0' : '\n';
	FILE *out = stdout, *err = stderr;
	struct ctl c;

	memcpy(l->text, data, size);
	l->text[size] = '\0';
	l->count = 1;
	for (size_t at = 0; at < size && l->count < WORDS_MAX / 2; l->count++) {
		char *word = l->text + at, *end = memchr(word, sep, size - at);

		l->words[l->count] = word;
		at = end ? (size_t)(end - l->text) + 1 : size;
		if (end)
			*end = '\0';
	}
	l->words[l->count] = NULL;
	stdout = sink;
	stderr = sink;
	if (line_read(&c, l->count, l->words) == -1)
		judge(&c);
	ctl_clear(&c);
	stdout = out;
	stderr = err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct line l = { .words = { "holdfastctl" } };

	if (!sink)
		sink = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = sink_write });
	if (sink && size <= INPUT_MAX)
		run(&l, data, size);
	return 0;
}
