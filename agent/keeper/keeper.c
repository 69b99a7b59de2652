// SPDX-License-Identifier: GPL-2.0
/*
 * The keeper as a process of the agent: what comes from the parent and from the
 * peers, handed to whom it concerns. No decision of its own.
 *
 * Whatever waits belongs into the helper thread; the loop here is what the
 * heart beats in.
 */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "process.h"
#include "service.h"
#include "timed.h"

#define SECOND_NS	(1 * HF_S)
#define PUMP_NS		(500 * HF_MS)	/* until what failed is sent to audit again */
#define STOP_NS		(800 * HF_MS)	/* for the last records */
#define SETTLE_NS	(50 * HF_MS)	/* udev gives a new node its group */
#define LOCKED_BYTES	(256UL << 20)	/* of memory, that the keeper may come to have */

/* --------------------------------------------------------------- peers */

static int peer_append(void *arg, const struct hf_record *r, hf_reply_fn fn, void *fn_arg)
{
	struct hf_service *s = arg;
	struct hf_link *audit = hf_service_link(s, HF_PROC_AUDIT);
	json_t *body = json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o*}", "action", r->action,
				 "object", r->object, "phase", r->phase, "result", r->result,
				 "intent", (json_int_t)r->intent, "actor", hf_actor_json(r->actor),
				 "detail", r->detail);

	if (!body || !audit) {
		json_decref(body);
		return audit ? -ENOMEM : -ENOTCONN;
	}
	return hf_link_request(audit, HF_MSG_APPEND, r->corr, body, -1,
			       hf_mono_ns(hf_service_clock(s)) + HF_APPEND_NS, fn, fn_arg);
}

static int peer_whois(void *arg, const struct hf_corr *corr, const struct holdfast_peer *p,
		      hf_reply_fn fn, void *fn_arg)
{
	struct hf_service *s = arg;
	struct hf_link *auth = hf_service_link(s, HF_PROC_AUTH);
	json_t *gids = json_array();

	if (!auth || !gids) {
		json_decref(gids);
		return auth ? -ENOMEM : -ENOTCONN;
	}
	json_array_append_new(gids, json_integer(p->gid));
	for (size_t i = 0; i < p->ngroups; i++)
		if (p->groups[i] != p->gid)
			json_array_append_new(gids, json_integer(p->groups[i]));
	return hf_link_request(auth, HF_MSG_WHOIS, corr,
			       json_pack("{s:I, s:o}", "uid", (json_int_t)p->uid, "gids", gids), -1,
			       hf_mono_ns(hf_service_clock(s)) + HF_WHOIS_NS, fn, fn_arg);
}

static int peer_tell(void *arg, const struct hf_corr *corr, json_t *body, hf_reply_fn fn, void *fn_arg)
{
	struct hf_service *s = arg;
	struct hf_link *export = hf_service_link(s, HF_PROC_EXPORT);

	if (!export) {
		json_decref(body);
		return -ENOTCONN;
	}
	return hf_link_request(export, HF_MSG_TRIPPED, corr, body, -1,
			       hf_mono_ns(hf_service_clock(s)) + HF_TELL_NS, fn, fn_arg);
}

/* --------------------------------------------------------------- timers */

static void on_pump(void *arg)
{
	struct hf_keeper *k = arg;

	hf_arrays_pump(k);
	if (hf_arrays_pending(k))
		hf_timer_in(k->pump, PUMP_NS);
}

static void on_second(void *arg)
{
	struct hf_keeper *k = arg;

	hf_timer_in(k->second, SECOND_NS);
	hf_leases_sweep(k);
	hf_quota_tick(k);
	hf_seconds_tick(k);
	hf_ladder_probe(k);
	hf_store_tick(k);
	hf_tell_tick(k);
	holdfast_server_run(k->server);
}

static void on_grace(void *arg)
{
	struct hf_keeper *k = arg;

	hf_ladder_step(k, hf_ladder_tick(&k->ladder, k->settings->audit_grace_ns, hf_now(k)));
}

static void on_scan(void *arg)
{
	hf_arrays_scan(arg);
}

static void on_program(void *arg, uint32_t events)
{
	struct hf_keeper *k = arg;

	(void)events;
	holdfast_server_run(k->server);
}

/* A node came, went, or got its group. */
static void on_plug(void *arg, uint32_t events)
{
	struct hf_process *p = arg;
	char buf[4096] __attribute__((aligned(8)));
	ssize_t n = read(p->plug, buf, sizeof(buf));

	(void)events;
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e = (const void *)(buf + at);

		if (e->len && !strncmp(e->name, "holdfast", 8))
			hf_timer_in(p->k.scan, SETTLE_NS);
		at += (ssize_t)(sizeof(*e) + e->len);
	}
}

/* ------------------------------------------------------ before the sandbox */

/*
 * Memory stays where it is: a page that has to be fetched is a late beat. Where
 * that is not allowed (containers) the keeper is only less punctual.
 */
static void lock_memory(void)
{
	struct rlimit room = { LOCKED_BYTES, LOCKED_BYTES };
	int what = MCL_CURRENT;

	mallopt(M_TRIM_THRESHOLD, -1);
	if (!setrlimit(RLIMIT_MEMLOCK, &room))
		what |= MCL_FUTURE;
	if (mlockall(what))
		hf_log_app(HF_LOG_WARN, "keeper.memory", NULL, "mlockall: %s", strerror(errno));
}

static int listen_up(struct hf_service *s, struct hf_keeper *k, struct hf_err *e)
{
	const struct group *g = getgrnam(k->settings->group);
	char path[PATH_MAX];
	int ret;

	if (!g)
		return hf_fail(e, -ENOENT, "keeper.group: there is no group %s",
			       k->settings->group);
	ret = hf_service_socket(s, k->settings->run, "keeper.sock", path, sizeof(path));
	if (!ret)
		ret = holdfast_server_open(&k->server, path, g->gr_gid, hf_lease_asked, k);
	return ret ? hf_fail(e, ret, "%s: %s", path, strerror(-ret)) : 0;
}

static int first_commit(struct hf_service *s, struct hf_process *p, struct hf_err *e)
{
	int ret;

	tzset();	/* reads the zone's file while it can be read */
	if (p->lock)
		lock_memory();
	p->plug = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (p->plug < 0 || inotify_add_watch(p->plug, "/dev", IN_CREATE | IN_ATTRIB) < 0)
		return hf_fail(e, -errno, "watching /dev: %s", strerror(errno));
	ret = hf_worker_new(&p->k.worker, p->k.loop);
	return ret ? hf_fail(e, ret, "helper thread: %s", strerror(-ret)) : listen_up(s, &p->k, e);
}

/* ------------------------------------------------------------ the role */

static struct hf_process *process_of(struct hf_service *s)
{
	return hf_service_data(s);
}

int hf_process_new(struct hf_service *s, const struct hf_device *device, bool lock)
{
	struct hf_process *p = calloc(1, sizeof(*p));
	struct hf_keeper *k;
	int ret;

	if (!p)
		return -ENOMEM;
	k = &p->k;
	p->plug = -1;
	p->lock = lock;
	k->loop = hf_service_loop(s);
	k->clock = hf_service_clock(s);
	k->random = hf_service_random(s);
	k->device = hf_timed_device(device, k->clock);
	k->peers = (struct hf_peers){ peer_append, peer_whois, s, peer_tell };
	k->ladder_peers = (struct hf_peers){ hf_record_peer, NULL, k, NULL };
	k->sysadmin = true;
	k->sealed = hf_sandbox_sealed;
	k->scan_wait_ns = SETTLE_NS;
	hf_ladder_init(&k->ladder, hf_now(k));
	hf_service_set_data(s, p);
	ret = hf_leases_start(k);
	if (!ret)
		ret = hf_calls_start(k);
	if (!ret)
		ret = hf_quota_start(k);
	if (!ret)
		ret = hf_timer_new(&k->pump, k->loop, on_pump, k);
	if (!ret)
		ret = hf_timer_new(&k->second, k->loop, on_second, k);
	if (!ret)
		ret = hf_timer_new(&k->grace, k->loop, on_grace, k);
	if (!ret)
		ret = hf_timer_new(&k->scan, k->loop, on_scan, k);
	return ret;
}

static int prepare(struct hf_service *s, const json_t *config, struct hf_err *e)
{
	struct hf_settings *new;
	int ret = hf_settings_new(&new, config, e);

	(void)s;
	if (!ret)
		hf_settings_free(new);
	return ret;
}

static int commit(struct hf_service *s, const json_t *config, struct hf_err *e)
{
	struct hf_settings *new, *old;
	struct hf_process *p;
	struct hf_keeper *k;
	int ret = hf_settings_new(&new, config, e);

	if (ret)
		return ret;
	if (!process_of(s)) {
		ret = hf_process_new(s, &hf_device_driver, true);
		if (ret) {
			hf_settings_free(new);
			return hf_fail(e, ret, "keeper: %s", strerror(-ret));
		}
	}
	p = process_of(s);
	k = &p->k;
	old = k->settings;
	k->settings = new;
	if (!old)
		return first_commit(s, p, e);
	hf_settings_free(old);
	hf_arrays_settings(k);
	hf_leases_sweep(k);
	hf_quota_settings(k);
	hf_beat_settings(k);
	hf_tell_anew(k);
	return 0;
}

static int start(struct hf_service *s, struct hf_err *e)
{
	struct hf_process *p = process_of(s);
	struct hf_keeper *k = &p->k;
	char path[PATH_MAX];
	int ret;

	snprintf(path, sizeof(path), "%s/keeper", k->settings->state);
	ret = hf_store_open(k, path, e);
	if (ret)
		return ret;
	ret = hf_watch_new(&k->server_watch, k->loop, holdfast_server_fd(k->server), EPOLLIN,
			   on_program, k);
	if (!ret)
		ret = hf_watch_new(&p->plug_watch, k->loop, p->plug, EPOLLIN, on_plug, p);
	if (!ret)
		ret = hf_beat_start(k);
	if (ret)
		return hf_fail(e, ret, "keeper: %s", strerror(-ret));
	k->others_seal = !hf_sandbox_has(CAP_SYS_ADMIN);
	k->sysadmin = !k->others_seal;
	hf_arrays_scan(k);
	hf_timer_in(k->second, SECOND_NS);
	hf_service_ready(s);
	return 0;
}

static void message(struct hf_service *s, struct hf_link *from, struct hf_ipc_msg *m)
{
	struct hf_keeper *k = &process_of(s)->k;

	switch (m->type) {
	case HF_MSG_CALL:
		if (hf_link_peer(from) == HF_PROC_PARENT)
			hf_well_call(k, from, m);
		else
			hf_call_take(k, from, m);
		break;
	case HF_MSG_SILENCE:
		hf_silence_take(k, from, m);
		break;
	case HF_MSG_TELEMETRY:
		hf_link_reply(from, m->id, &m->corr, 200, hf_show_telemetry(k));
		break;
	case HF_MSG_DURABLE:
		hf_ladder_step(k, hf_ladder_word(&k->ladder,
						 json_is_true(json_object_get(m->body, "durable")),
						 json_string_value(json_object_get(m->body, "why")),
						 hf_now(k)));
		break;
	default:
		break;
	}
}

static void auth_changed(struct hf_keeper *k, struct hf_link *link)
{
	hf_calls_auth_gone(k);
	hf_who_forget(k);
	k->auth = link;
	if (link || !k->settings->disarm_on_auth_loss || k->stopping)
		return;
	hf_arrays_silence(k, -1, false, NULL);
	hf_leases_end(k, NULL, 0, &hf_actor_self, NULL,
		      "auth has gone (keeper.disarm_on_auth_loss)");
}

static void peer(struct hf_service *s, enum hf_proc who, struct hf_link *link)
{
	struct hf_process *p = process_of(s);

	if (!p)
		return;
	if (who == HF_PROC_AUTH)
		auth_changed(&p->k, link);
	if (who == HF_PROC_EXPORT)
		hf_tell_anew(&p->k);
	if (who == HF_PROC_AUDIT)
		hf_ladder_step(&p->k, hf_ladder_linked(&p->k.ladder, link, hf_now(&p->k)));
}

/* Who has ended may leave its link open for a while: what it was given to write is lost. */
static void notice(struct hf_service *s, enum hf_proc who, bool back)
{
	struct hf_process *p = process_of(s);

	if (p && who == HF_PROC_AUDIT && !back)
		hf_ladder_step(&p->k, hf_ladder_linked(&p->k.ladder, false, hf_now(&p->k)));
}

static void leave_all(struct hf_keeper *k)
{
	for (size_t i = 0; i < HF_ARRAYS; i++)
		if (k->array[i].used)
			hf_array_leave(&k->array[i], "the keeper stops");
}

static void on_stopping(void *arg)
{
	struct hf_service *s = arg;
	struct hf_process *p = process_of(s);

	hf_arrays_pump(&p->k);
	if (hf_arrays_pending(&p->k) && hf_now(&p->k) < p->stop_ns) {
		hf_timer_in(p->stopping, 20 * HF_MS);
		return;
	}
	leave_all(&p->k);
	hf_service_done(s, EXIT_SUCCESS);
}

/* Silence first, then what follows from it; the beat goes on until all is recorded. */
static void stop(struct hf_service *s)
{
	struct hf_process *p = process_of(s);
	struct hf_keeper *k = &p->k;

	k->stopping = true;
	hf_arrays_silence(k, -1, false, NULL);
	hf_leases_end(k, NULL, 0, &hf_actor_self, NULL, "the keeper stops");
	hf_timer_stop(k->scan);
	p->stop_ns = hf_now(k) + STOP_NS;
	if (hf_timer_new(&p->stopping, k->loop, on_stopping, s)) {
		leave_all(k);
		hf_service_done(s, EXIT_SUCCESS);
		return;
	}
	/* The driver's events of this very moment come with the next beats. */
	hf_timer_in(p->stopping, 50 * HF_MS);
}

static json_t *stats(struct hf_service *s)
{
	return hf_show_stats(&process_of(s)->k);
}

static void findings(struct hf_service *s, json_t *list)
{
	hf_well_findings(&process_of(s)->k, list);
}

static int keeps(struct hf_service *s)
{
	const struct hf_process *p = process_of(s);

	return p ? hf_store_folder(&p->k) : -1;
}

static unsigned int backup(const char *name)
{
	return *name != '.';
}

static void release(struct hf_service *s)
{
	struct hf_process *p = process_of(s);
	struct hf_keeper *k;

	if (!p)
		return;
	k = &p->k;
	k->stopping = true;
	leave_all(k);
	hf_worker_free(k->worker);
	hf_store_close(k);
	hf_beat_stop(k);
	hf_watch_free(k->server_watch);
	hf_watch_free(p->plug_watch);
	holdfast_server_close(k->server);
	hf_calls_free(k);
	hf_leases_free(k);
	hf_quota_free(k);
	for (size_t i = 0; i < HF_RECORDERS; i++)
		free(k->recorder[i]);
	hf_timer_free(k->pump);
	hf_timer_free(k->second);
	hf_timer_free(k->grace);
	hf_timer_free(k->scan);
	hf_timer_free(p->stopping);
	if (p->plug >= 0)
		close(p->plug);
	hf_settings_free(k->settings);
	free(p);
}

const struct hf_role_ops hf_keeper_ops = {
	.role = HF_PROC_KEEPER,
	.prepare = prepare,
	.commit = commit,
	.start = start,
	.message = message,
	.peer = peer,
	.notice = notice,
	.stop = stop,
	.stats = stats,
	.findings = findings,
	.keeps = keeps,
	.backup = backup,
	.free = release,
};
