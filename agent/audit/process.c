// SPDX-License-Identifier: GPL-2.0
/*
 * The audit process: messages of the others to the writer and the readers, and
 * back. Sole writer of the log; has the checkpoint key; no network.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "query.h"
#include "service.h"

#define SLICE_NS	(2 * HF_MS)	/* of reading between two rounds of the loop */
#define SLOW_NS		HF_S		/* for a batch to become durable */
#define ANCHOR_NS	HF_S		/* at most one checkpoint a second leaves */
#define ANCHOR_WAIT_NS	(10 * HF_S)

struct audit {
	struct hf_service *s;
	struct aud_config config;
	char state[256];
	char io_choice[16];
	int dirfd;
	struct aud_io *io;
	struct aud_key *key;
	struct aud_writer *w;
	struct aud_jobs *jobs;
	struct hf_watch *watch;		/* of the ring; NULL: portable */
	struct hf_timer *tick;		/* what time brings */
	struct hf_timer *kick;		/* commit and read on in the next round of the loop */
	uint64_t generation[HF_PROCS];	/* counts the links that have gone */
	uint64_t anchor_ns;
	uint64_t checked_index;		/* newest segment when the check of the old ones began */
	unsigned int anchor_due, anchor_waits;	/* sets of processes */
	bool ready, stopping;
};

/* ---------------------------------------------------------------- answers */

/* Where an answer is to go, if that link is still there then. */
struct asker {
	struct audit *a;
	enum hf_proc proc;
	uint64_t generation, id;
	struct hf_corr corr;
};

static struct hf_link *link_of(struct audit *a, enum hf_proc p)
{
	return p == HF_PROC_PARENT ? hf_service_control(a->s) : hf_service_link(a->s, p);
}

/* NULL: out of memory, and answered so. */
static struct asker *asker_new(struct audit *a, struct hf_link *from, const struct hf_ipc_msg *m)
{
	struct asker *k = malloc(sizeof(*k));

	if (!k) {
		hf_link_error(from, m->id, &m->corr, 503, "no_memory", "out of memory");
		return NULL;
	}
	*k = (struct asker){ .a = a, .proc = m->from, .generation = a->generation[m->from],
			     .id = m->id, .corr = m->corr };
	return k;
}

static void asker_answer(void *arg, int status, json_t *result)
{
	struct asker *k = arg;
	struct hf_link *l = link_of(k->a, k->proc);

	if (l && k->generation == k->a->generation[k->proc])
		hf_link_reply(l, k->id, &k->corr, status, result);
	else
		json_decref(result);
	free(k);
}

static json_t *not_durable(const struct audit *a, int err)
{
	char why[HF_ERR_LEN];

	if (aud_durable(a->w, why))
		snprintf(why, sizeof(why), "%s", strerror(-err));
	return hf_error_json("not_durable", "%s", why);
}

static void appended(void *arg, int err, uint64_t seq)
{
	struct asker *k = arg;

	if (err)
		asker_answer(k, 503, not_durable(k->a, err));
	else
		asker_answer(k, 200, json_pack("{s:I}", "seq", (json_int_t)seq));
}

/* ----------------------------------------------------------------- append */

static void work(struct audit *a)
{
	hf_timer_in(a->kick, 0);
}

static const char *text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));

	return s ? s : "";
}

static void refuse_append(struct asker *k, int ret)
{
	if (ret == -EINVAL)
		asker_answer(k, 400, hf_error_json("bad_record", "the record cannot be written"));
	else if (ret == -ENOBUFS)
		asker_answer(k, 503, hf_error_json("overload", "too many records wait"));
	else
		asker_answer(k, 503, not_durable(k->a, ret));
}

/* The link has checked the members by their table; who did it, it has not. */
static void on_append(struct audit *a, struct hf_link *from, struct hf_ipc_msg *m)
{
	const json_t *b = m->body;
	json_t *actor = json_object_get(b, "actor");
	int phase = aud_phase_parse(text(b, "phase"));
	struct aud_say say = {
		.action = text(b, "action"), .object = text(b, "object"),
		.result = text(b, "result"), .phase = (enum aud_phase)phase,
		.intent = (uint64_t)json_integer_value(json_object_get(b, "intent")),
		.actor = actor, .detail = json_object_get(b, "detail"), .corr = m->corr,
	};
	struct hf_actor who;
	struct asker *k;
	struct hf_err e;
	int ret;

	if (phase < 0 || hf_actor_parse(actor, &who, &e)) {
		hf_link_error(from, m->id, &m->corr, 400, "bad_actor", "%s",
			      phase < 0 ? "phase" : e.text);
		return;
	}
	k = asker_new(a, from, m);
	if (!k)
		return;
	ret = aud_append(a->w, &say, m->from, appended, k);
	if (ret)
		refuse_append(k, ret);
	work(a);
}

/* ------------------------------------------------------------------ calls */

static uint64_t number(const json_t *args, const char *name, uint64_t otherwise)
{
	const json_t *v = json_object_get(args, name);

	return json_is_integer(v) ? (uint64_t)json_integer_value(v) : otherwise;
}

static void call_read(struct audit *a, struct asker *k, const json_t *args, json_t *actor)
{
	(void)actor;
	aud_job_read(a->jobs, args, asker_answer, k);
}

static void call_show(struct audit *a, struct asker *k, const json_t *args, json_t *actor)
{
	(void)actor;
	aud_job_show(a->jobs, number(args, "seq", 0), asker_answer, k);
}

static void call_checkpoint(struct audit *a, struct asker *k, const json_t *args, json_t *actor)
{
	(void)actor;
	aud_job_checkpoint(a->jobs, number(args, "seq", 0), asker_answer, k);
}

static void call_report(struct audit *a, struct asker *k, const json_t *args, json_t *actor)
{
	(void)actor;
	aud_job_report(a->jobs, args, asker_answer, k);
}

static json_t *stats(struct audit *a)
{
	json_t *j = aud_stats(a->w);

	json_object_set_new(j, "segments_checked",
			    json_integer((json_int_t)aud_jobs_scrubbed(a->jobs)));
	return j;
}

static void call_stats(struct audit *a, struct asker *k, const json_t *args, json_t *actor)
{
	(void)args, (void)actor;
	asker_answer(k, 200, json_pack("{s:o}", "stats", stats(a)));
}

static void acknowledged(void *arg, int err, uint64_t seq)
{
	struct asker *k = arg;

	if (err)
		asker_answer(k, 503, not_durable(k->a, err));
	else
		asker_answer(k, 200, json_pack("{s:b, s:I}", "acknowledged", 1, "seq",
					       (json_int_t)seq));
}

static void call_acknowledge(struct audit *a, struct asker *k, const json_t *args, json_t *actor)
{
	int ret = aud_acknowledge(a->w, actor, &k->corr, text(args, "comment"), acknowledged, k);

	if (ret == -ENOENT)
		asker_answer(k, 409, hf_error_json("no_break", "there is nothing to acknowledge"));
	else if (ret)
		refuse_append(k, ret);
}

static const struct {
	const char *op;
	void (*fn)(struct audit *a, struct asker *k, const json_t *args, json_t *actor);
} calls[] = {
	{ "audit.read", call_read },
	{ "audit.show", call_show },
	{ "audit.checkpoint", call_checkpoint },
	{ "audit.stats", call_stats },
	{ "audit.acknowledge", call_acknowledge },
	{ "security.report", call_report },
};

static void on_call(struct audit *a, struct hf_link *from, struct hf_ipc_msg *m)
{
	const char *op = text(m->body, "op");
	struct asker *k;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (strcmp(op, calls[i].op))
			continue;
		k = asker_new(a, from, m);
		if (k)
			calls[i].fn(a, k, json_object_get(m->body, "args"),
				    json_object_get(m->body, "actor"));
		work(a);
		return;
	}
	hf_link_error(from, m->id, &m->corr, 404, "no_operation", "%s is not done here", op);
}

static void on_anchored(struct audit *a, const json_t *body)
{
	if (a->w)
		aud_anchored(a->w, text(body, "origin"), number(body, "size", 0));
}

static void on_events(struct audit *a, struct hf_link *from, struct hf_ipc_msg *m)
{
	struct asker *k = asker_new(a, from, m);

	if (!k)
		return;
	aud_job_events(a->jobs, number(m->body, "after", 0), text(m->body, "log"), asker_answer, k);
	work(a);
}

static void audit_message(struct hf_service *s, struct hf_link *from, struct hf_ipc_msg *m)
{
	struct audit *a = hf_service_data(s);

	if (m->type == HF_MSG_ANCHORED)
		on_anchored(a, m->body);
	else if (!a->w)
		hf_link_error(from, m->id, &m->corr, 503, "starting", "the log is not open yet");
	else if (m->type == HF_MSG_APPEND)
		on_append(a, from, m);
	else if (m->type == HF_MSG_CALL)
		on_call(a, from, m);
	else if (m->type == HF_MSG_EVENTS)
		on_events(a, from, m);
	else
		hf_link_error(from, m->id, &m->corr, 400, "no_message", "not for audit");
}

/* ----------------------------------------------------- what the writer says */

static void tell(struct audit *a, enum hf_proc p, bool durable, const char *why)
{
	struct hf_link *l = hf_service_link(a->s, p);

	if (l)
		hf_link_send(l, HF_MSG_DURABLE, NULL,
			     json_pack("{s:b, s:s}", "durable", durable, "why", why), -1);
}

/* Whether the log is durable now; nothing, as long as it is not open. */
static void tell_state(struct audit *a, enum hf_proc p)
{
	char why[HF_ERR_LEN];
	bool durable;

	if (!a->w)
		return;
	durable = aud_durable(a->w, why);
	tell(a, p, durable, why);
}

static void on_durable(void *arg, bool durable, const char *why)
{
	struct audit *a = arg;

	hf_log_sec(durable ? HF_LOG_NOTICE : HF_LOG_ERROR, "audit.durable", NULL, "%s",
		   durable ? "privileged acts can be recorded" : why);
	tell(a, HF_PROC_KEEPER, durable, why);
	tell(a, HF_PROC_AUTH, durable, why);
}

static void anchored_by(struct audit *a, enum hf_proc p, int status)
{
	a->anchor_waits &= ~(1U << p);
	if (status != 200)
		a->anchor_due |= 1U << p;
}

static void anchored_export(void *arg, int status, const json_t *result)
{
	(void)result;
	anchored_by(arg, HF_PROC_EXPORT, status);
}

static void anchored_fleet(void *arg, int status, const json_t *result)
{
	(void)result;
	anchored_by(arg, HF_PROC_FLEET, status);
}

static const struct {
	enum hf_proc proc;
	hf_reply_fn done;
} anchor_takers[] = {
	{ HF_PROC_EXPORT, anchored_export },
	{ HF_PROC_FLEET, anchored_fleet },
};

#define ANCHOR_TAKERS	(1U << HF_PROC_EXPORT | 1U << HF_PROC_FLEET)

/* Return: it was due and has been sent. */
static bool send_anchor_to(struct audit *a, size_t taker, bool last, uint64_t now)
{
	enum hf_proc p = anchor_takers[taker].proc;
	struct hf_link *to = hf_service_link(a->s, p);
	struct aud_checkpoint cp;
	const struct aud_note *n = aud_newest_note(a->w, &cp);
	json_t *body;

	if (!(a->anchor_due & 1U << p) || !n || !to || (!last && a->anchor_waits & 1U << p))
		return false;
	a->anchor_due &= ~(1U << p);
	body = json_pack("{s:s, s:I, s:s, s:I, s:s, s:s}", "origin", n->origin, "size",
			 (json_int_t)cp.size, "root", n->root, "t_ns", (json_int_t)cp.t_ns,
			 "key", aud_key_name(a->key), "signature", n->signature);
	if (!hf_link_request(to, HF_MSG_ANCHOR, NULL, body, -1, now + ANCHOR_WAIT_NS,
			     anchor_takers[taker].done, a))
		a->anchor_waits |= 1U << p;
	return true;
}

/* The newest checkpoint: once a second at most, and @last whatever was sent before. */
static void send_anchor(struct audit *a, bool last)
{
	uint64_t now = hf_mono_ns(hf_service_clock(a->s));
	bool sent = false;

	if (!last && now - a->anchor_ns < ANCHOR_NS)
		return;
	for (size_t i = 0; i < sizeof(anchor_takers) / sizeof(anchor_takers[0]); i++)
		sent |= send_anchor_to(a, i, last, now);
	if (sent)
		a->anchor_ns = now;
}

static void on_checkpoint(void *arg, const struct aud_note *n, const struct aud_checkpoint *cp)
{
	struct audit *a = arg;

	(void)n;
	(void)cp;
	a->anchor_due = ANCHOR_TAKERS;
}

static void on_say(void *arg, bool error, const char *event, const char *what)
{
	(void)arg;
	hf_log_sec(error ? HF_LOG_ERROR : HF_LOG_NOTICE, event, NULL, "%s", what);
}

static void on_committed(void *arg, uint64_t ns)
{
	(void)arg;
	if (ns >= SLOW_NS)
		hf_log_perf("audit.slow", NULL, "%u ms until a batch was durable", (unsigned int)(ns / HF_MS));
}

/* Where to look, for who reads the log of the processes. */
static void on_recorded(void *arg, const json_t *record, uint64_t seq)
{
	const char *result = json_string_value(json_object_get(record, "result"));
	struct hf_corr corr = { 0 };

	(void)arg;
	hf_corr_parse(json_string_value(json_object_get(record, "corr")), &corr);
	hf_log(HF_LOG_AUDIT, HF_LOG_INFO, "audit.record", &corr, "record %llu: %s, %s%s%s",
	       (unsigned long long)seq, json_string_value(json_object_get(record, "action")),
	       json_string_value(json_object_get(record, "phase")), *result ? ", " : "", result);
}

/* ------------------------------------------------------------------- time */

static void finish(struct audit *a)
{
	a->stopping = false;
	hf_timer_stop(a->tick);
	hf_timer_stop(a->kick);
	aud_writer_close(a->w);
	send_anchor(a, true);
	hf_service_done(a->s, 0);
}

/* All segments are read and checked again at the start and each time when one has been closed. */
static void check_old(struct audit *a)
{
	size_t n;
	uint64_t newest = aud_segments(a->w, &n)[n - 1].index;

	if (!a->ready || newest == a->checked_index || !aud_jobs_scrub(a->jobs))
		return;
	a->checked_index = newest;
	work(a);
}

static void settle(struct audit *a)
{
	if (!a->ready && aud_idle(a->w)) {
		a->ready = true;
		hf_service_ready(a->s);
		check_old(a);
	}
	if (a->stopping && aud_idle(a->w))
		finish(a);
}

static void on_kick(void *arg)
{
	struct audit *a = arg;

	aud_run(a->w);
	if (aud_jobs_run(a->jobs, SLICE_NS))
		work(a);
	settle(a);
}

static void on_tick(void *arg)
{
	struct audit *a = arg;

	hf_timer_set(a->tick, aud_tick(a->w));
	send_anchor(a, false);
	settle(a);
	check_old(a);
}

static void on_ring(void *arg, uint32_t events)
{
	struct audit *a = arg;

	(void)events;
	aud_poll(a->w);
	settle(a);
}

/* ------------------------------------------------------------------- life */

static void take_config(const json_t *part, struct aud_config *c)
{
	*c = (struct aud_config){
		.segment_bytes = (uint64_t)hf_config_int(part, "audit.segment_bytes"),
		.segment_ns = (uint64_t)hf_config_int(part, "audit.segment_s") * HF_S,
		.checkpoint_records = (uint32_t)hf_config_int(part, "audit.checkpoint_records"),
		.checkpoint_ns = (uint64_t)hf_config_int(part, "audit.checkpoint_ms") * HF_MS,
		.retention_ns = (uint64_t)hf_config_int(part, "audit.retention_days") * 86400 * HF_S,
		.keep_bytes = (uint64_t)hf_config_int(part, "audit.keep_bytes"),
		.anchors = json_array_size(hf_config_list(part, "export.anchors")) > 0,
		.warn_free = (uint64_t)hf_config_int(part, "audit.warn_free_bytes"),
		.refuse_free = (uint64_t)hf_config_int(part, "audit.refuse_free_bytes"),
		.reserve_bytes = (uint64_t)hf_config_int(part, "audit.reserve_bytes"),
	};
}

static int audit_prepare(struct hf_service *s, const json_t *config, struct hf_err *e)
{
	struct aud_config c;

	(void)s;
	take_config(config, &c);
	if (c.warn_free < c.refuse_free)
		return hf_fail(e, -EINVAL, "audit.warn_free_bytes: %llu is less than refuse_free_bytes, %llu",
			       (unsigned long long)c.warn_free, (unsigned long long)c.refuse_free);
	return 0;
}

static int audit_commit(struct hf_service *s, const json_t *config, struct hf_err *e)
{
	struct audit *a = hf_service_data(s);

	(void)e;
	if (a) {
		take_config(config, &a->config);
		if (a->w)
			aud_writer_configure(a->w, &a->config);
		return 0;
	}
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->s = s;
	take_config(config, &a->config);
	snprintf(a->state, sizeof(a->state), "%s/audit", hf_config_text(config, "paths.state"));
	snprintf(a->io_choice, sizeof(a->io_choice), "%s", hf_config_text(config, "audit.io"));
	a->dirfd = -1;
	hf_service_set_data(s, a);
	return 0;
}

static int choose_io(struct audit *a, struct hf_err *e)
{
	int ret = -ENOSYS;

	if (strcmp(a->io_choice, "portable"))
		ret = aud_io_uring(&a->io, a->dirfd, e);
	if (ret && !strcmp(a->io_choice, "uring"))
		return ret;
	if (ret)
		ret = aud_io_portable(&a->io, a->dirfd);
	if (!ret)
		hf_log_app(HF_LOG_NOTICE, "audit.io", NULL, "commits by %s", a->io->ops->name);
	return ret;
}

/* The first 16 bytes of the digest of what the file says: the ids themselves stay at home. */
static void id_of(const char *path, uint8_t id[AUD_ID])
{
	uint8_t digest[AUD_HASH];
	char said[128];
	int fd = open(path, O_RDONLY | O_CLOEXEC);	/* no hf_file_read(): files of /proc have no size */
	ssize_t n = fd < 0 ? -1 : read(fd, said, sizeof(said));

	memset(id, 0, AUD_ID);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return;
	aud_sha256_tagged(digest, 'h', said, (size_t)n);
	memcpy(id, digest, AUD_ID);
}

static int open_log(struct audit *a, struct hf_err *e)
{
	struct aud_setup setup = {
		.config = a->config, .clock = hf_service_clock(a->s),
		.random = hf_service_random(a->s), .io = a->io,
		.events = { on_durable, on_checkpoint, on_say, on_committed, on_recorded }, .arg = a,
	};
	int ret;

	id_of("/etc/machine-id", setup.host);
	id_of("/proc/sys/kernel/random/boot_id", setup.boot);
	ret = aud_key_open(&a->key, a->dirfd, setup.host, e);
	if (ret)
		return ret;
	setup.key = a->key;
	ret = aud_writer_open(&a->w, &setup, e);
	return ret ? ret : aud_jobs_new(&a->jobs, a->w, a->io, setup.clock);
}

static int audit_start(struct hf_service *s, struct hf_err *e)
{
	struct audit *a = hf_service_data(s);
	struct hf_loop *loop = hf_service_loop(s);
	int ret;

	a->dirfd = open(a->state, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (a->dirfd < 0)
		return hf_fail(e, -errno, "%s: %s", a->state, strerror(errno));
	ret = choose_io(a, e);
	if (!ret)
		ret = hf_sandbox_no_uring(e);
	if (!ret)
		ret = open_log(a, e);
	if (!ret)
		ret = hf_timer_new(&a->tick, loop, on_tick, a);
	if (!ret)
		ret = hf_timer_new(&a->kick, loop, on_kick, a);
	if (!ret && a->io->ops->fd(a->io) >= 0)
		ret = hf_watch_new(&a->watch, loop, a->io->ops->fd(a->io), EPOLLIN, on_ring, a);
	if (ret)
		return ret;
	/* Who was there before the log was open waits for this word. */
	tell_state(a, HF_PROC_KEEPER);
	tell_state(a, HF_PROC_AUTH);
	hf_timer_in(a->tick, 0);
	work(a);
	return 0;
}

static void audit_peer(struct hf_service *s, enum hf_proc peer, struct hf_link *link)
{
	struct audit *a = hf_service_data(s);

	if (!a)
		return;
	if (!link) {
		a->generation[peer]++;
		if (a->w) {
			aud_owner_gone(a->w, peer);
			work(a);
		}
		return;
	}
	a->anchor_due |= ANCHOR_TAKERS & 1U << peer;	/* a fresh one has none yet */
	if (peer == HF_PROC_KEEPER || peer == HF_PROC_AUTH)
		tell_state(a, peer);
}

static void audit_stop(struct hf_service *s)
{
	struct audit *a = hf_service_data(s);

	if (!a || !a->w) {
		hf_service_done(s, 0);
		return;
	}
	a->stopping = true;
	work(a);
}

static json_t *audit_stats(struct hf_service *s)
{
	struct audit *a = hf_service_data(s);

	return a && a->w ? stats(a) : json_object();
}

static void audit_findings(struct hf_service *s, json_t *list)
{
	struct audit *a = hf_service_data(s);
	char why[HF_ERR_LEN];
	struct hf_finding f;

	if (!a || !a->w)
		return;
	f = hf_finding(aud_durable(a->w, why) ? HF_HEALTH_OK : HF_HEALTH_FAIL, NAN, NAN, "%s", why);
	hf_findings_add(list, "audit", &f);
	f = aud_room(a->w);
	hf_findings_add(list, "disk", &f);
}

static int audit_keeps(struct hf_service *s)
{
	const struct audit *a = hf_service_data(s);

	return a ? a->dirfd : -1;
}

/*
 * What says how long the log is comes before the log itself, so that a copy made
 * while it grows is never shorter than it says. The reserve is room, not records.
 */
static unsigned int audit_backup(const char *name)
{
	const char *dot = strrchr(name, '.');

	if (name[0] == '.' || !strcmp(name, "reserve"))
		return 0;
	return dot && !strcmp(dot, ".log") ? 2 : 1;
}

static void audit_free(struct hf_service *s)
{
	struct audit *a = hf_service_data(s);

	if (!a)
		return;
	aud_jobs_free(a->jobs);
	aud_writer_free(a->w);
	hf_watch_free(a->watch);
	hf_timer_free(a->tick);
	hf_timer_free(a->kick);
	aud_key_free(a->key);
	if (a->io)
		a->io->ops->free(a->io);
	if (a->dirfd >= 0)
		close(a->dirfd);
	free(a);
	hf_service_set_data(s, NULL);
}

const struct hf_role_ops hf_audit_ops = {
	.role = HF_PROC_AUDIT,
	.prepare = audit_prepare,
	.commit = audit_commit,
	.start = audit_start,
	.message = audit_message,
	.peer = audit_peer,
	.stop = audit_stop,
	.stats = audit_stats,
	.findings = audit_findings,
	.keeps = audit_keeps,
	.backup = audit_backup,
	.free = audit_free,
};
