// SPDX-License-Identifier: GPL-2.0
/*
 * The auth process: its files, its links, its start and end. What a message
 * means is decided in broker.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>

#include "auth.h"
#include "broker.h"
#include "call.h"
#include "config.h"
#include "health.h"
#include "service.h"
#include "session.h"
#include "setup.h"
#include "vault.h"

#define TICK_NS		HF_S
#define SWEEP_NS	(60 * HF_S)
#define CHECK_NS	(60 * HF_S)	/* between two looks at the whole database */
#define DAY_S		86400
#define SNAPSHOT_FILE	"snapshot.db"

/* @gen: generations of links, so that an answer never goes to a successor. */
struct process {
	struct hf_auth a;
	struct hf_service *service;
	struct hf_timer *tick;
	struct hf_master_key master, old_master;
	bool has_master, has_old_master;
	uint64_t swept_ns, checked_ns;
	struct hf_finding database;
	unsigned int gen[HF_PROCS];
};

/* --------------------------------------------------------------------- io */

static int io_append(void *arg, const struct hf_corr *corr, const struct hf_actor *actor,
		     const char *action, const char *object, const char *phase, const char *result,
		     uint64_t intent, json_t *detail, hf_reply_fn fn, void *fn_arg)
{
	struct process *p = arg;

	return hf_append(p->service, corr, actor, action, object, phase, result, intent, detail, fn, fn_arg);
}

static int io_forward(void *arg, enum hf_proc to, const struct hf_corr *corr, json_t *body,
		      uint64_t deadline_ns, hf_reply_fn fn, void *fn_arg)
{
	struct process *p = arg;
	struct hf_link *l = hf_service_link(p->service, to);

	if (!l) {
		json_decref(body);
		return -EPIPE;
	}
	return hf_link_request(l, HF_MSG_CALL, corr, body, -1, deadline_ns, fn, fn_arg);
}

static void io_answer(void *arg, enum hf_proc from, unsigned int gen, uint64_t id,
		      const struct hf_corr *corr, int status, json_t *result)
{
	struct process *p = arg;
	struct hf_link *l = hf_service_link(p->service, from);

	if (l && p->gen[from] == gen)
		hf_link_reply(l, id, corr, status, result);
	else
		json_decref(result);
}

/* --------------------------------------------------------- configuration */

static int on_prepare(struct hf_service *s, const json_t *config, struct hf_err *e)
{
	struct hf_auth_config c;

	(void)s;
	return hf_auth_config_read(&c, config, e);
}

/* The hash that log-ins of users who do not exist are checked against. */
static int make_dummy(struct hf_auth *a, struct hf_err *e)
{
	uint8_t raw[HF_PHC_SALT + HF_PHC_HASH];
	int ret = hf_random_fill(a->random, raw, sizeof(raw));

	if (ret)
		return hf_fail(e, ret, "no random bytes");
	hf_phc_nobody(&a->cfg.cost, &a->pepper, raw, a->dummy);
	return 0;
}

static int take_config(struct hf_auth *a, const json_t *config, struct hf_err *e)
{
	struct hf_peers *peers;
	unsigned int missing;
	int ret = hf_auth_config_read(&a->cfg, config, e);

	if (ret)
		return ret;
	ret = hf_peers_new(&peers, hf_config_list(config, "peers"), &hf_system_accounts, &missing);
	if (ret)
		return hf_fail(e, ret, "peers: no memory");
	if (missing)
		hf_log_app(HF_LOG_WARN, "peers.missing", NULL,
			   "%u entries of peers name accounts that this host does not have", missing);
	hf_peers_free(a->peers);
	a->peers = peers;
	return 0;
}

/* Before the sandbox: the master key may be where only root can read it. */
static int first_commit(struct process *p, const json_t *config, struct hf_err *e)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	int ret;

	snprintf(p->a.dir, sizeof(p->a.dir), "%s/auth", hf_config_text(config, "paths.state"));
	ret = hf_master_given(credentials, &p->master, e);
	p->has_master = !ret;
	if (ret && ret != -ENOENT)
		return ret;
	ret = hf_master_given_before(credentials, &p->old_master, e);
	p->has_old_master = !ret;
	return ret == -ENOENT ? 0 : ret;
}

static int on_commit(struct hf_service *s, const json_t *config, struct hf_err *e)
{
	struct process *p = hf_service_data(s);
	int ret;

	if (p) {
		ret = take_config(&p->a, config, e);
		return ret ? ret : make_dummy(&p->a, e);
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return hf_fail(e, -ENOMEM, "no memory");
	p->service = s;
	p->a.clock = hf_service_clock(s);
	p->a.random = hf_service_random(s);
	p->a.io = (struct hf_auth_io){ io_append, io_forward, io_answer, p };
	p->a.dirfd = -1;
	hf_service_set_data(s, p);
	ret = take_config(&p->a, config, e);
	return ret ? ret : first_commit(p, config, e);
}

/* ------------------------------------------------------------------ start */

static void database_check(struct process *p)
{
	struct hf_err e;

	if (hf_db_whole(p->a.db, &e))
		p->database = hf_finding(HF_HEALTH_FAIL, NAN, NAN, "%s", e.text);
	else
		p->database = hf_finding_ok(NAN, NAN);
}

static void on_tick(void *arg)
{
	struct process *p = arg;
	uint64_t now = hf_mono_ns(p->a.clock);

	hf_denials_tick(&p->a);
	hf_vault_tick(&p->a);
	if (now - p->checked_ns >= CHECK_NS) {
		p->checked_ns = now;
		database_check(p);
	}
	if (now - p->swept_ns >= SWEEP_NS) {
		p->swept_ns = now;
		if (hf_session_sweep(&p->a))
			hf_log_app(HF_LOG_ERROR, "auth.broken", NULL, "sessions cannot be swept");
	}
	hf_timer_in(p->tick, TICK_NS);
}

static int open_vault(struct process *p, struct hf_err *e)
{
	int ret = p->has_master ? 0 : hf_master_file(p->a.dirfd, &p->master, e);

	if (ret == -ENOENT)
		ret = hf_master_create(p->a.dirfd, p->a.random, &p->master, e);
	if (!ret)
		ret = hf_vault_open(&p->a, &p->master, p->has_old_master ? &p->old_master : NULL, e);
	hf_master_wipe(&p->master);
	hf_master_wipe(&p->old_master);
	return ret;
}

static int on_start(struct hf_service *s, struct hf_err *e)
{
	struct process *p = hf_service_data(s);
	struct hf_auth *a = &p->a;
	int ret;

	umask(077);
	a->dirfd = open(a->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (a->dirfd < 0)
		return hf_fail(e, -errno, "%s: %s", a->dir, strerror(errno));
	ret = hf_db_open(&a->db, a->dir, e);
	if (!ret)
		ret = open_vault(p, e);
	if (!ret)
		ret = hf_keys_open(&a->keys, a->dirfd, a->random, e);
	if (!ret)
		ret = make_dummy(a, e);
	if (!ret)
		ret = hf_setup_prepare(a, e);
	if (ret)
		return ret;
	ret = hf_lockout_new(&a->lockout, a->random);
	if (!ret)
		ret = hf_gcra_new(&a->rates, HF_RATED_USERS, a->random);
	if (!ret)
		ret = hf_workers_new(&a->workers, hf_service_loop(s), a->cfg.workers, a->cfg.queue);
	if (!ret)
		ret = hf_timer_new(&p->tick, hf_service_loop(s), on_tick, p);
	if (ret)
		return hf_fail(e, ret, "auth: %s", strerror(-ret));
	p->swept_ns = hf_mono_ns(a->clock);
	p->checked_ns = p->swept_ns;
	p->database = hf_finding_ok(NAN, NAN);	/* hf_db_open() has looked */
	hf_timer_in(p->tick, TICK_NS);
	hf_service_ready(s);
	return 0;
}

/* --------------------------------------------------------------- messages */

/* The parent's only CALL. */
static void on_parent_call(struct process *p, struct hf_link *from, struct hf_ipc_msg *m)
{
	const char *op = json_string_value(json_object_get(m->body, "op"));
	char path[sizeof(p->a.dir) + sizeof(SNAPSHOT_FILE) + 1];
	struct hf_err e;

	if (strcmp(op, "backup.snapshot")) {
		hf_link_error(from, m->id, &m->corr, 404, "not_found", "auth does not know \"%s\"", op);
		return;
	}
	snprintf(path, sizeof(path), "%s/" SNAPSHOT_FILE, p->a.dir);
	if (hf_db_snapshot(p->a.db, path, &e))
		hf_link_error(from, m->id, &m->corr, 500, "internal", "%s", e.text);
	else
		hf_link_reply(from, m->id, &m->corr, 200, json_pack("{s:s}", "path", path));
}

static void on_durable(struct process *p, const json_t *body)
{
	bool durable = json_is_true(json_object_get(body, "durable"));

	if (durable != p->a.durable)
		hf_log_sec(durable ? HF_LOG_NOTICE : HF_LOG_ERROR, "audit.durable", NULL, "%s: %s",
			   durable ? "privileged acts are possible" : "privileged acts are refused",
			   json_string_value(json_object_get(body, "why")));
	p->a.durable = durable;
}

static void on_message(struct hf_service *s, struct hf_link *from, struct hf_ipc_msg *m)
{
	struct process *p = hf_service_data(s);
	json_t *out;
	int status;

	switch (m->type) {
	case HF_MSG_CALL:
		if (m->from == HF_PROC_PARENT)
			on_parent_call(p, from, m);
		else
			hf_broker_call(&p->a, m->from, p->gen[m->from], m->id, &m->corr, m->body);
		break;
	case HF_MSG_WHOIS:
		status = hf_broker_whois(&p->a, m->body, &out);
		hf_link_reply(from, m->id, &m->corr, status, out);
		break;
	case HF_MSG_SECRET:
		status = hf_vault_answer(&p->a, m->from, json_string_value(json_object_get(m->body, "name")),
					 &out);
		hf_link_reply(from, m->id, &m->corr, status, out);
		break;
	case HF_MSG_REPORT:
		hf_broker_report(&p->a, m->from, &m->corr, m->body);
		break;
	case HF_MSG_DURABLE:
		on_durable(p, m->body);
		break;
	default:	/* msg.h permits no other */
		break;
	}
}

static void on_peer(struct hf_service *s, enum hf_proc peer, struct hf_link *link)
{
	struct process *p = hf_service_data(s);

	if (!p)
		return;
	p->gen[peer]++;
	/* Until a new one says otherwise. */
	if (peer == HF_PROC_AUDIT)
		p->a.durable = false;
	(void)link;
}

static void on_stop(struct hf_service *s)
{
	hf_service_done(s, EXIT_SUCCESS);
}

static json_t *on_stats(struct hf_service *s)
{
	const struct process *p = hf_service_data(s);
	const struct hf_auth *a = &p->a;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:i, s:I, s:b}",
			 "calls", (json_int_t)a->stats.calls, "denied", (json_int_t)a->stats.denied,
			 "logins", (json_int_t)a->stats.logins,
			 "logins_failed", (json_int_t)a->stats.logins_failed,
			 "lockouts", (json_int_t)a->stats.lockouts, "overloads", (json_int_t)a->stats.overloads,
			 "limited", (json_int_t)a->stats.limited,
			 "open_calls", (int)a->open_calls,
			 "hashing", a->workers ? (int)hf_workers_load(a->workers) : 0,
			 "sessions", a->db ? (json_int_t)hf_db_session_count(a->db, 0) : (json_int_t)0,
			 "durable", a->durable);
}

/* The file is written when a key is made, and at no other time. */
static struct hf_finding key_age(const struct process *p)
{
	double days, most = (double)p->a.cfg.key_days;
	struct stat st;

	if (fstatat(p->a.dirfd, HF_KEYS_FILE, &st, AT_SYMLINK_NOFOLLOW))
		return hf_finding(HF_HEALTH_FAIL, NAN, most, "the key that signs tokens: %s",
				  strerror(errno));
	days = (double)((int64_t)(hf_real_ns(p->a.clock) / HF_S) - (int64_t)st.st_mtime) / DAY_S;
	return hf_finding(hf_health_of(days, most, INFINITY), days, most,
			  "the key that signs tokens is %.0f days old: holdfastctl key rotate", days);
}

static void on_findings(struct hf_service *s, json_t *list)
{
	struct process *p = hf_service_data(s);
	struct hf_finding keys = key_age(p);

	hf_findings_add(list, "database", &p->database);
	hf_findings_add(list, "keys", &keys);
}

static int on_keeps(struct hf_service *s)
{
	const struct process *p = hf_service_data(s);

	return p ? p->a.dirfd : -1;
}

/* Never a key: a list of what is wanted, not of what is not. */
static unsigned int on_backup(const char *name)
{
	return !strcmp(name, SNAPSHOT_FILE) || !strcmp(name, "secrets") ||
	       !strcmp(name, "secrets.counter");
}

static void on_free(struct hf_service *s)
{
	struct process *p = hf_service_data(s);

	if (!p)
		return;
	hf_timer_free(p->tick);
	hf_workers_free(p->a.workers);
	hf_lockout_free(p->a.lockout);
	hf_gcra_free(p->a.rates);
	hf_secrets_close(p->a.secrets);
	hf_keys_clear(&p->a.keys);
	hf_db_close(p->a.db);
	hf_peers_free(p->a.peers);
	if (p->a.dirfd >= 0)
		close(p->a.dirfd);
	OPENSSL_cleanse(p, sizeof(*p));
	free(p);
	hf_service_set_data(s, NULL);
}

const struct hf_role_ops hf_auth_ops = {
	.role = HF_PROC_AUTH,
	.prepare = on_prepare,
	.commit = on_commit,
	.start = on_start,
	.message = on_message,
	.peer = on_peer,
	.stop = on_stop,
	.stats = on_stats,
	.findings = on_findings,
	.keeps = on_keeps,
	.backup = on_backup,
	.free = on_free,
};
