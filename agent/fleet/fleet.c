// SPDX-License-Identifier: GPL-2.0
/*
 * The fleet process: from the audit log, its checkpoints and the keeper's state
 * to messages on the bus. What comes from there is silence.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>

#include "breaker.h"
#include "bus.h"
#include "config.h"
#include "health.h"
#include "retry.h"
#include "service.h"
#include "silence.h"

#define POLL_NS		(500 * HF_MS)	/* until audit is asked again when it had nothing */
#define ASK_NS		(10 * HF_S)	/* for audit, auth and keeper to answer */
#define TELEMETRY_NS	(1 * HF_S)	/* for the keeper to say it */
#define STOP_NS		(1500 * HF_MS)
#define BACK_NS		(250 * HF_MS)	/* full jitter below this, doubled up to ... */
#define BACK_MOST_NS	(10 * HF_S)
#define BEHIND_S	60

static const struct hf_breaker_rule breaker_rule = {
	.window_ns = 60 * HF_S, .min_calls = 5, .fail_pct = 50, .open_ns = 5 * HF_S,
	.open_max_ns = 30 * HF_S, .probes = 1, .probe_ns = 60 * HF_S,
};

enum out { OUT_NOTHING, OUT_EVENT, OUT_ANCHOR };

struct fleet {
	struct hf_service *svc;
	struct fleet_bus_settings s;
	char secret_name[FLEET_NAME];
	uint64_t telemetry_ns;
	struct fleet_bus *bus;
	struct fleet_feed feed;
	struct hf_breaker breaker;
	struct hf_breaker_ticket ticket;
	struct hf_timer *again, *poll, *telemetry, *ending;
	enum out out;
	bool trying, up, stopping;
	uint32_t failures_in_a_row;
	char secret[1025];

	json_t *anchor;			/* the newest, not yet stored; NULL: none */
	json_int_t anchor_sent;		/* size of what is under way */

	struct fleet_silence silence;

	json_t *health;			/* of the parent's last PING */
	uint64_t even_ns;		/* when all was stored last */
	uint64_t failures, again_stored, anchors, said, unsaid;
	char error[HF_ERR_LEN];
};

static struct fleet *fleet_of(struct hf_service *svc)
{
	return hf_service_data(svc);
}

static uint64_t now_ns(const struct fleet *f)
{
	return hf_mono_ns(hf_service_clock(f->svc));
}

static json_t *real_time(const struct fleet *f)
{
	return json_integer((json_int_t)hf_real_ns(hf_service_clock(f->svc)));
}

static void pump(struct fleet *f);
static void try_bus(void *arg);

/* ------------------------------------------------------- connecting, or not */

static void failed(void *arg, const char *why)
{
	struct fleet *f = arg;
	uint64_t most;

	if (f->trying && hf_breaker_end(&f->breaker, &f->ticket, HF_OUTCOME_FAILED, now_ns(f)))
		hf_log_app(HF_LOG_WARN, "breaker", NULL, "fleet: %s",
			   hf_breaker_word(hf_breaker_state(&f->breaker)));
	if (f->up || strcmp(f->error, why))
		hf_log_app(HF_LOG_WARN, "fleet.failed", NULL, "%s", why);
	f->trying = f->up = false;
	f->out = OUT_NOTHING;
	f->failures++;
	snprintf(f->error, sizeof(f->error), "%s", why);
	fleet_feed_down(&f->feed);
	most = hf_backoff_most_ns(BACK_NS, BACK_MOST_NS, f->failures_in_a_row++);
	hf_timer_in(f->again, hf_jitter_ns(hf_service_random(f->svc), most));
}

static void on_secret(void *arg, int status, const json_t *result)
{
	struct fleet *f = arg;
	const char *value = json_string_value(json_object_get(result, "value"));
	char why[HF_ERR_LEN];

	/* Without auth the one we had will do. */
	if (status == 200 && value && strlen(value) < sizeof(f->secret))
		strcpy(f->secret, value);
	if (f->secret[0]) {
		fleet_bus_resume(f->bus, f->secret);
		return;
	}
	snprintf(why, sizeof(why), "no secret \"%s\" (%d): holdfastctl secret set", f->secret_name,
		 status);
	failed(f, why);
}

static int ask_secret(struct fleet *f)
{
	struct hf_link *auth = hf_service_link(f->svc, HF_PROC_AUTH);

	return auth ? hf_link_request(auth, HF_MSG_SECRET, NULL,
				      json_pack("{s:s}", "name", f->secret_name), -1,
				      now_ns(f) + ASK_NS, on_secret, f) : -ENOTCONN;
}

static void try_bus(void *arg)
{
	struct fleet *f = arg;
	uint64_t wait;

	if (f->trying || f->up || f->stopping)
		return;
	wait = hf_breaker_begin(&f->breaker, now_ns(f), &f->ticket);
	if (wait) {
		hf_timer_in(f->again, wait);
		return;
	}
	f->trying = true;
	if (!f->secret_name[0])
		fleet_bus_resume(f->bus, "");
	else if (ask_secret(f))
		on_secret(f, 502, NULL);
}

/* An anchor that the stream has already is not sent again. */
static void anchor_resume(struct fleet *f, const char *text)
{
	json_t *have = text ? json_loads(text, 0, NULL) : NULL;

	if (json_equal(json_object_get(have, "origin"), json_object_get(f->anchor, "origin")) &&
	    json_integer_value(json_object_get(have, "size")) >=
		    json_integer_value(json_object_get(f->anchor, "size"))) {
		json_decref(f->anchor);
		f->anchor = NULL;
	}
	json_decref(have);
}

static void up(void *arg, const char *event, const char *anchor)
{
	struct fleet *f = arg;
	struct hf_err e;

	if (!f->trying)
		return;
	if (fleet_feed_resume(&f->feed, event, event ? strlen(event) : 0, &e)) {
		failed(f, e.text);
		return;
	}
	f->trying = false;
	f->up = true;
	f->failures_in_a_row = 0;
	f->error[0] = '\0';
	hf_breaker_end(&f->breaker, &f->ticket, HF_OUTCOME_OK, now_ns(f));
	anchor_resume(f, anchor);
	hf_log_app(HF_LOG_NOTICE, "fleet.up", NULL, "the stream has events up to %llu",
		   (unsigned long long)f->feed.seq);
	hf_timer_in(f->telemetry, 0);
	pump(f);
}

/* --------------------------------------------------------------- publishing */

static void stored(void *arg, bool again)
{
	struct fleet *f = arg;

	if (f->out == OUT_EVENT)
		fleet_feed_stored(&f->feed);
	if (f->out == OUT_ANCHOR) {
		f->anchors++;
		if (json_integer_value(json_object_get(f->anchor, "size")) == f->anchor_sent) {
			json_decref(f->anchor);
			f->anchor = NULL;
		}
	}
	f->again_stored += again;
	f->out = OUT_NOTHING;
	pump(f);
}

static bool anchor_next(struct fleet *f, struct fleet_message *m)
{
	json_t *j;

	if (!f->anchor)
		return false;
	j = fleet_envelope(&f->s.names);
	json_object_update_missing(j, f->anchor);
	m->text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	f->anchor_sent = json_integer_value(json_object_get(f->anchor, "size"));
	fleet_subject(&f->s.names, "anchor", m->subject);
	snprintf(m->id, sizeof(m->id), "%.33s-a%lld", f->s.names.host, (long long)f->anchor_sent);
	m->anchor = true;
	return m->text;
}

static void on_events(void *arg, int status, const json_t *result)
{
	struct fleet *f = arg;

	if (fleet_feed_take(&f->feed, status == 200 ? result : NULL)) {
		failed(f, "audit has sent a malformed list of events");
		return;
	}
	if (fleet_feed_even(&f->feed))
		f->even_ns = now_ns(f);
	if (status == 200 && f->feed.next < json_array_size(f->feed.batch))
		pump(f);
	else
		hf_timer_in(f->poll, POLL_NS);
}

static void ask_audit(struct fleet *f)
{
	struct hf_link *audit = hf_service_link(f->svc, HF_PROC_AUDIT);
	char log[FLEET_LOG];
	uint64_t after;

	if (!fleet_feed_ask(&f->feed, &after, log))
		return;
	if (!audit || hf_link_request(audit, HF_MSG_EVENTS, NULL,
				      json_pack("{s:I, s:s}", "after", (json_int_t)after, "log",
						log), -1, now_ns(f) + ASK_NS, on_events, f))
		on_events(f, 502, NULL);
}

static void pump(struct fleet *f)
{
	struct fleet_message m;

	if (!f->up || f->out != OUT_NOTHING)
		return;
	if (fleet_feed_next(&f->feed, &m))
		f->out = OUT_EVENT;
	else if (anchor_next(f, &m))
		f->out = OUT_ANCHOR;
	if (f->out != OUT_NOTHING)
		fleet_bus_publish(f->bus, &m);
	else if (!hf_timer_running(f->poll))
		ask_audit(f);
}

static void on_poll(void *arg)
{
	pump(arg);
}

/* ---------------------------------------------------------------- telemetry */

static const char *health_worst(const struct fleet *f)
{
	static const char *const order[] = { "ok", "warn", "unknown", "fail" };
	const json_t *list = json_object_get(f->health, "checks"), *c;
	size_t worst = 0, i;

	json_array_foreach((json_t *)list, i, c)
		for (size_t k = worst + 1; k < sizeof(order) / sizeof(order[0]); k++)
			if (!strcmp(json_string_value(json_array_get(c, 1)) ?: "", order[k]))
				worst = k;
	return f->health ? order[worst] : "unknown";
}

static void on_telemetry(void *arg, int status, const json_t *result)
{
	struct fleet *f = arg;
	json_t *arrays = status == 200 ? json_object_get(result, "arrays") : NULL;
	const char *level = json_string_value(json_object_get(f->health, "level"));
	char subject[FLEET_SUBJECT], *text;
	json_t *j = fleet_envelope(&f->s.names);

	json_object_set_new(j, "t_ns", real_time(f));
	json_object_set_new(j, "level", json_string(level ? level : "unknown"));
	json_object_set_new(j, "health", json_string(health_worst(f)));
	json_object_set_new(j, "seq", json_integer((json_int_t)f->feed.seq));
	json_object_set_new(j, "keeper", json_boolean(arrays));
	json_object_set(j, "arrays", arrays ?: json_null());
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	fleet_bus_present(f->bus, text ? strdup(text) : NULL);
	if (fleet_bus_say(f->bus, fleet_subject(&f->s.names, "telemetry", subject), text))
		f->said++;
	else
		f->unsaid++;
}

static void telemetry(void *arg)
{
	struct fleet *f = arg;
	struct hf_link *keeper = hf_service_link(f->svc, HF_PROC_KEEPER);

	hf_timer_in(f->telemetry, f->telemetry_ns);
	if (!keeper || hf_link_request(keeper, HF_MSG_TELEMETRY, NULL, json_object(), -1,
				       now_ns(f) + TELEMETRY_NS, on_telemetry, f))
		on_telemetry(f, 502, NULL);
}

static void stop_from_bus(void *arg, const struct fleet_stop *s)
{
	struct fleet *f = arg;

	fleet_silence_say(&f->silence, s);
}

static void ended(void *arg)
{
	struct fleet *f = arg;

	if (f->stopping)
		hf_service_done(f->svc, EXIT_SUCCESS);
}

static const struct fleet_bus_ops bus_ops = { up, failed, stored, stop_from_bus, ended };

/* ---------------------------------------------------------------------- life */

static int settings_read(const json_t *config, struct fleet_bus_settings *s, struct hf_err *e)
{
	const json_t *list = hf_config_list(config, "fleet.servers"), *server;
	size_t i;

	memset(s, 0, sizeof(*s));
	if (json_array_size(list) > FLEET_SERVERS)
		return hf_fail(e, -EINVAL, "fleet.servers: %zu where %d are allowed",
			       json_array_size(list), FLEET_SERVERS);
	json_array_foreach((json_t *)list, i, server) {
		const char *address = hf_config_text(server, "address");
		bool six = strchr(address, ':');

		snprintf(s->url[s->n++], FLEET_URL, "%s://%s%s%s:%d",
			 hf_config_bool(config, "fleet.tls") ? "tls" : "nats", six ? "[" : "", address,
			 six ? "]" : "", (int)hf_config_int_or(server, "port", 4222));
	}
	snprintf(s->names.site, FLEET_NAME, "%s", hf_config_text(config, "fleet.site"));
	snprintf(s->names.host, FLEET_NAME, "%s", hf_config_text_or(config, "fleet.host", ""));
	snprintf(s->names.stream, FLEET_NAME, "%s", hf_config_text(config, "fleet.stream"));
	snprintf(s->user, sizeof(s->user), "%s", hf_config_text_or(config, "fleet.user", ""));
	snprintf(s->tls_name, sizeof(s->tls_name), "%s",
		 hf_config_text_or(config, "fleet.tls_name", ""));
	return 0;
}

static int prepare(struct hf_service *svc, const json_t *config, struct hf_err *e)
{
	struct fleet_bus_settings s;

	(void)svc;
	return settings_read(config, &s, e);
}

/* Into memory: libnats would read the file again whenever it connects. */
static int ca_read(struct fleet *f, const char *path, struct hf_err *e)
{
	char *text = calloc(1, FLEET_CA_BYTES);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 || !text ? -1 : read(fd, text, FLEET_CA_BYTES - 1);
	int ret = n > 0 ? 0 : hf_fail(e, -EINVAL, "fleet.ca: %s: %s", path,
				      n ? strerror(errno) : "empty");

	if (fd >= 0)
		close(fd);
	if (ret)
		free(text);
	else
		f->s.ca = text;
	return ret;
}

static int commit(struct hf_service *svc, const json_t *config, struct hf_err *e)
{
	struct fleet *f = fleet_of(svc);
	int ret;

	if (f) {
		f->telemetry_ns = (uint64_t)hf_config_int(config, "fleet.telemetry_s") * HF_S;
		return 0;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return hf_fail(e, -ENOMEM, "out of memory");
	f->svc = svc;
	hf_service_set_data(svc, f);
	f->telemetry_ns = (uint64_t)hf_config_int(config, "fleet.telemetry_s") * HF_S;
	snprintf(f->secret_name, sizeof(f->secret_name), "%s",
		 hf_config_text_or(config, "fleet.secret", ""));
	ret = settings_read(config, &f->s, e);
	if (!ret && hf_config_bool(config, "fleet.tls"))
		ret = ca_read(f, hf_config_text_or(config, "fleet.ca", ""), e);
	return ret;
}

static int start(struct hf_service *svc, struct hf_err *e)
{
	struct fleet *f = fleet_of(svc);
	struct hf_loop *loop = hf_service_loop(svc);
	int ret;

	fleet_feed_init(&f->feed, &f->s.names);
	hf_breaker_init(&f->breaker, &breaker_rule, hf_service_random(svc));
	f->even_ns = now_ns(f);
	ret = hf_timer_new(&f->again, loop, try_bus, f);
	if (!ret)
		ret = hf_timer_new(&f->poll, loop, on_poll, f);
	if (!ret)
		ret = hf_timer_new(&f->telemetry, loop, telemetry, f);
	if (!ret)
		ret = fleet_bus_new(&f->bus, loop, &f->s, &bus_ops, f);
	if (!ret)
		ret = fleet_silence_init(&f->silence, svc, f->bus, &f->s.names);
	if (ret)
		return hf_fail(e, ret, "fleet: %s", strerror(-ret));
	hf_timer_in(f->again, 0);
	hf_timer_in(f->telemetry, f->telemetry_ns);
	hf_service_ready(svc);
	return 0;
}

static void message(struct hf_service *svc, struct hf_link *from, struct hf_ipc_msg *m)
{
	struct fleet *f = fleet_of(svc);

	if (m->type != HF_MSG_ANCHOR)
		return;
	json_decref(f->anchor);
	f->anchor = json_deep_copy(m->body);
	hf_link_reply(from, m->id, &m->corr, 200, NULL);
	pump(f);
}

static void on_ending(void *arg)
{
	hf_service_done(((struct fleet *)arg)->svc, EXIT_SUCCESS);
}

/* What has not gone out goes out after the next start: it is in the log. */
static void stop(struct hf_service *svc)
{
	struct fleet *f = fleet_of(svc);

	f->stopping = true;
	if (!f->bus || hf_timer_new(&f->ending, hf_service_loop(svc), on_ending, f)) {
		hf_service_done(svc, EXIT_SUCCESS);
		return;
	}
	hf_timer_in(f->ending, STOP_NS);
	fleet_bus_quit(f->bus);
}

static uint64_t behind_s(const struct fleet *f)
{
	return (now_ns(f) - f->even_ns) / HF_S;
}

static json_t *stats(struct hf_service *svc)
{
	const struct fleet *f = fleet_of(svc);

	if (!f || !f->bus)
		return json_object();
	return json_pack("{s:b, s:b, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I,"
			 " s:s}",
			 "connected", (int)fleet_bus_connected(f->bus), "up", (int)f->up,
			 "breaker", hf_breaker_word(hf_breaker_state(&f->breaker)),
			 "log", f->feed.log, "seq", (json_int_t)f->feed.seq,
			 "behind_s", (json_int_t)behind_s(f),
			 "events", (json_int_t)f->feed.stored, "anchors", (json_int_t)f->anchors,
			 "again", (json_int_t)f->again_stored, "gaps", (json_int_t)f->feed.gaps,
			 "telemetry", (json_int_t)f->said, "telemetry_dropped", (json_int_t)f->unsaid,
			 "failures", (json_int_t)f->failures, "stops", (json_int_t)f->silence.stops,
			 "last_error", f->error);
}

static void findings(struct hf_service *svc, json_t *list)
{
	const struct fleet *f = fleet_of(svc);
	double behind = (double)behind_s(f);
	struct hf_finding found = hf_finding_ok(behind, BEHIND_S);

	if (!f->up && f->error[0])
		found = hf_finding(HF_HEALTH_FAIL, behind, BEHIND_S, "%.140s", f->error);
	else if (behind > BEHIND_S)
		found = hf_finding(HF_HEALTH_WARN, behind, BEHIND_S,
				   "events wait for %.0f s already", behind);
	else if (f->feed.gaps)
		found = hf_finding(HF_HEALTH_WARN, behind, BEHIND_S,
				   "%llu records were deleted before the fleet has had them",
				   (unsigned long long)f->feed.gaps);
	hf_findings_add(list, "fleet", &found);
}

static void heard(struct hf_service *svc, const json_t *health)
{
	struct fleet *f = fleet_of(svc);

	json_decref(f->health);
	f->health = json_incref((json_t *)health);
}

static void give_back(struct hf_service *svc)
{
	struct fleet *f = fleet_of(svc);
	bool still;

	if (!f)
		return;
	still = f->bus && !fleet_bus_free(f->bus);

	hf_timer_free(f->again);
	hf_timer_free(f->poll);
	hf_timer_free(f->telemetry);
	fleet_silence_free(&f->silence);
	hf_timer_free(f->ending);
	fleet_feed_free(&f->feed);
	json_decref(f->anchor);
	json_decref(f->health);
	OPENSSL_cleanse(f->secret, sizeof(f->secret));
	hf_service_set_data(svc, NULL);
	if (still)	/* its thread looks at the settings until the process ends */
		return;
	free(f->s.ca);
	free(f);
}

const struct hf_role_ops hf_fleet_ops = {
	.role = HF_PROC_FLEET,
	.prepare = prepare,
	.commit = commit,
	.start = start,
	.message = message,
	.stop = stop,
	.stats = stats,
	.findings = findings,
	.heard = heard,
	.free = give_back,
};
