// SPDX-License-Identifier: GPL-2.0
/*
 * Tenants that cannot see or disturb each other, tried by processes without any
 * privilege that hold a lease, or the open node and nothing else: what they can
 * list, what records tell them, whose output they can touch; and that requests
 * can be followed by their correlation id. Netlink: nl-conformance.py. Quotas:
 * quotas.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/wait.h>

#include "bench.h"
#include "tap.h"

#define ALICE		1001	/* users and, the same numbers, tenants */
#define BOB		1002
#define STRANGER	1003	/* has the node open, read-only */
#define A_AMP		20000
#define B_AMP		30000

static const char *const attrs[] = {
	"rows=4", "cols=4", "sensors=none", "limit=hold 100", "limit=trip_dwell 0",
	"limit=amp_cap 60000", NULL
};

static const __u8 corr_a[HOLDFAST_CORR_LEN] = "alice's request", corr_b[] = "bob's request..",
	corr_x[] = "of the operator";

static struct world {
	struct bench b;
	int a1, a2, bob;	/* leases: two of ALICE, one of BOB */
	__u64 id_a1, id_a2, id_bob;
	int node;		/* read-only */
} w;

#define check(ok, ...)	bench_check(&w.b, ok, __VA_ARGS__)
#define want(ret, err, what) bench_errno(&w.b, ret, err, what)

static void result(const char *name)
{
	tap_ok(!w.b.failures, "%s", name);
	w.b.failures = 0;
}

static int lease_of(__u64 tenant, const char *label, const __u8 *corr, __u64 *id)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL, .tenant = tenant,
				       .label = label, .corr = corr };
	int fd = scene_lease(w.b.keeper.fd, w.b.keeper.epoch, &ask, id);

	if (fd < 0)
		scene_die("lease of %s: %s", label, strerror(-fd));
	return fd;
}

/* The array has no sensors; its bench lease goes, so that only tenants have any. */
static void world_open(void)
{
	bench_open(&w.b, "tenants", attrs);
	close(w.b.lease);
	w.b.lease = -1;
	w.node = scene_open(&w.b.sim, O_RDONLY);
	w.a1 = lease_of(ALICE, "alice-1", corr_a, &w.id_a1);
	w.a2 = lease_of(ALICE, "alice-2", NULL, &w.id_a2);
	w.bob = lease_of(BOB, "bob", corr_b, &w.id_bob);
	want(scene_quota(&w.b.keeper, BOB, HOLDFAST_QUOTA_EMIT, 60000, false, NULL), 0, "quota");
}

/* Runs @fn as a user without groups and capabilities; what it finds wrong counts here. */
static void as_user(uid_t uid, void (*fn)(uid_t uid))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		w.b.failures = 0;
		if (setgroups(0, NULL) || setgid(uid) || setuid(uid) || !setuid(0))
			scene_die("cannot become user %u", uid);
		fn(uid);
		fflush(stdout);
		_exit(w.b.failures ? 1 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		scene_die("no process");
	check(WIFEXITED(status) && !WEXITSTATUS(status), "as user %u", uid);
}

/* The file that this user has been given. */
static int file_of(uid_t uid)
{
	return uid == ALICE ? w.a1 : uid == BOB ? w.bob : w.node;
}

/* ---------------------------------------------------------------------- lists */

struct seen {
	__u32 leases, tenants;
	struct holdfast_lease_info lease[HOLDFAST_MAX_LEASES];
	struct holdfast_tenant_info tenant[HOLDFAST_MAX_TENANTS];
};

static struct seen *look(int fd)
{
	static struct seen s;
	struct holdfast_lease_list l = { .size = sizeof(l), .count = HOLDFAST_MAX_LEASES,
					 .leases = (uintptr_t)s.lease,
					 .entry_size = sizeof(s.lease[0]) };
	struct holdfast_tenant_list t = { .size = sizeof(t), .count = HOLDFAST_MAX_TENANTS,
					  .tenants = (uintptr_t)s.tenant,
					  .entry_size = sizeof(s.tenant[0]) };

	memset(&s, 0, sizeof(s));
	want(scene_ioctl(fd, HOLDFAST_IOC_LEASE_LIST, &l), 0, "list of leases");
	want(scene_ioctl(fd, HOLDFAST_IOC_TENANT_LIST, &t), 0, "list of tenants");
	s.leases = l.count;
	s.tenants = t.count;
	return &s;
}

static void lists_of(uid_t uid)
{
	struct seen *s = look(file_of(uid));
	__u32 i, leases = uid == ALICE ? 2 : uid == BOB ? 1 : 0;

	check(s->leases == leases, "user %u sees %u leases, not %u", uid, s->leases, leases);
	check(s->tenants == (leases ? 1 : 0), "user %u sees %u tenants", uid, s->tenants);
	for (i = 0; i < HOLDFAST_MAX_LEASES; i++)
		check(i < leases ? s->lease[i].tenant == uid : !s->lease[i].id,
		      "user %u is told of lease %llu of tenant %llu", uid, s->lease[i].id,
		      s->lease[i].tenant);
	check(s->tenant[0].tenant == (leases ? uid : 0) && !s->tenant[1].tenant,
	      "user %u is told of tenant %llu", uid, s->tenant[0].tenant);
	if (uid == BOB)
		check(s->tenant[0].budget[HOLDFAST_QUOTA_EMIT] == 60000, "not his own quota");
	if (uid == ALICE)
		check(!strcmp(s->lease[0].label, "alice-1") &&
		      !memcmp(s->lease[0].corr, corr_a, sizeof(corr_a)), "her own lease");
}

/* The keeper's file tells whoever holds it, privileged or not. */
static void keeper_sees_all(uid_t uid)
{
	struct seen *s = look(w.b.keeper.fd);

	check(s->leases == 3 && s->tenants >= 2, "the keeper, user %u, sees %u leases, %u tenants",
	      uid, s->leases, s->tenants);
}

static void test_lists(void)
{
	struct seen *s;

	as_user(ALICE, lists_of);
	as_user(BOB, lists_of);
	as_user(STRANGER, lists_of);
	as_user(STRANGER, keeper_sees_all);
	s = look(w.node);
	check(s->leases == 3, "CAP_SYS_ADMIN sees %u leases", s->leases);
	result("lists: everyone his own, keeper and CAP_SYS_ADMIN all");
}

/* ------------------------------------------------------- what is the keeper's */

static void hands_off(uid_t uid)
{
	struct holdfast_quota q = { .size = sizeof(q), .flags = HOLDFAST_QUOTA_RESET,
				    .epoch = w.b.keeper.epoch, .tenant = uid, .set = 1,
				    .budget = { HOLDFAST_QUOTA_NONE } };
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_ALL, .tenant = ALICE };
	struct holdfast_keeper k;
	int files[] = { file_of(uid), w.node }, ret;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		int fd = files[i];

		want(scene_revoke(fd, w.b.keeper.epoch, w.id_a2), EPERM, "revoke another's lease");
		want(scene_revoke(fd, w.b.keeper.epoch, 0), EPERM, "revoke all leases");
		want(scene_ioctl(fd, HOLDFAST_IOC_QUOTA_SET, &q), EPERM, "set a quota");
		q.set = 0;
		q.flags = 0;
		want(scene_ioctl(fd, HOLDFAST_IOC_QUOTA_SET, &q), EPERM, "ask for a quota");
		ret = scene_lease(fd, w.b.keeper.epoch, &ask, NULL);
		check(ret == -EPERM || ret == -ENOTTY, "make a lease: %d", ret);
		ret = scene_claim(fd, &k);
		check(ret == -EBADF || ret == -ENOTTY, "claim: %d", ret);
		want(scene_site_set(fd, HOLDFAST_LIM_HOLD, 100), EPERM, "set a limit");
		want(scene_site_tighten(fd, HOLDFAST_LIM_HOLD, 100), EPERM, "tighten a limit");
	}
}

static void test_hands_off(void)
{
	as_user(BOB, hands_off);
	as_user(STRANGER, hands_off);
	check(look(w.node)->leases == 3, "a lease is gone");
	result("nobody but the keeper revokes, creates, or sets quotas");
}

/* -------------------------------------------------------------------- records */

/* Does the record name this lease and its request, or nobody? */
static void trip_names(int fd, const char *who, __u64 id, __u64 tenant, const __u8 *corr)
{
	static const __u8 none[HOLDFAST_CORR_LEN];
	struct holdfast_trip t;

	want(scene_trip(fd, &t), 0, "trip");
	check(t.cause == HOLDFAST_CAUSE_REJECT_BURST && t.reason.limit == HOLDFAST_LIM_AMP_CAP &&
	      t.reason.measured == 65535 && t.detect_ns && t.event_seq,
	      "%s is not told what happened: cause %s, limit %s", who, scene_cause_name(t.cause),
	      scene_limit_name(t.reason.limit));
	check(t.lease == id && t.tenant == tenant && !memcmp(t.corr, corr ?: none, sizeof(none)),
	      "%s reads lease %llu tenant %llu corr %.16s", who, t.lease, t.tenant, t.corr);
	check(id ? t.pid > 0 && t.uid == BOB && !strncmp(t.comm, "tenants", 7) && t.cookie == 4711 :
		   !t.pid && t.uid == (__u32)-1 && !t.comm[0] && !t.cookie,
	      "%s reads pid %d uid %u comm %.16s cookie %llu", who, t.pid, t.uid, t.comm, t.cookie);
}

/* Entries of the black box that name each lease; @others: any other. */
static void blackbox_names(int fd, __u32 *bob, __u32 *others, __u32 *entries)
{
	static struct holdfast_blackbox_entry e[1024];
	struct holdfast_blackbox bb = { .size = sizeof(bb), .count = 1024,
					.entries = (uintptr_t)e };
	__u32 i;

	want(scene_ioctl(fd, HOLDFAST_IOC_BLACKBOX, &bb), 0, "black box");
	*bob = *others = 0;
	*entries = bb.count;
	for (i = 0; i < bb.count; i++) {
		*bob += e[i].lease == w.id_bob;
		*others += e[i].lease && e[i].lease != w.id_bob;
	}
}

static void burst(uid_t uid)
{
	struct holdfast_frame *f = scene_frame_new(w.b.sim.info.channels, 0);
	int i;

	scene_frame_flat(f, 65535);
	f->cookie = 4711;
	/* One short of REJECT_BURST: somebody else's counted, too. */
	for (i = 0; i < 31; i++)
		want(scene_write(file_of(uid), f), ERANGE, "frame above the cap");
	free(f);
}

static void records_of(uid_t uid)
{
	__u32 bob, others, entries;

	trip_names(file_of(uid), uid == BOB ? "who did it" : "another", uid == BOB ? w.id_bob : 0,
		   uid == BOB ? BOB : 0, uid == BOB ? corr_b : NULL);
	blackbox_names(file_of(uid), &bob, &others, &entries);
	check(entries > 32, "only %u entries", entries);
	if (uid == BOB)
		check(bob >= 31 && !others, "bob reads %u entries of his, %u of others", bob, others);
	else
		check(!bob, "user %u reads %u entries of bob's lease", uid, bob);
}

static void test_records(void)
{
	struct holdfast_frame *f = scene_frame_new(w.b.sim.info.channels, 0);
	__u32 bob, others, entries;

	scene_keeper_arm(&w.b.keeper);
	/* Something of ALICE's, too: a refusal. */
	scene_frame_flat(f, 65535);
	want(scene_write(w.a1, f), ERANGE, "frame above the cap");
	free(f);
	as_user(BOB, burst);
	as_user(ALICE, records_of);
	as_user(STRANGER, records_of);
	as_user(BOB, records_of);
	trip_names(w.node, "CAP_SYS_ADMIN", w.id_bob, BOB, corr_b);
	trip_names(w.b.keeper.fd, "the keeper", w.id_bob, BOB, corr_b);
	blackbox_names(w.node, &bob, &others, &entries);
	check(bob >= 31 && others, "root reads %u entries of bob, %u of others", bob, others);
	result("records: what happened to all, who to the owner and the privileged");
}

/* ---------------------------------------------------------------- correlation */

static void latch(int fd, const __u8 *corr)
{
	struct holdfast_silence s = { .size = sizeof(s), .flags = HOLDFAST_SILENCE_LATCH };

	if (corr)
		memcpy(s.corr, corr, sizeof(s.corr));
	want(scene_ioctl(fd, HOLDFAST_IOC_SILENCE, &s), 0, "latched stop");
}

static void operator_trip(const __u8 *corr, __u64 lease, const char *what)
{
	static const __u8 none[HOLDFAST_CORR_LEN];
	struct holdfast_trip t;

	scene_trip(w.node, &t);
	check(t.cause == HOLDFAST_CAUSE_OPERATOR && !memcmp(t.corr, corr ?: none, sizeof(none)) &&
	      t.lease == lease, "%s: cause %s corr %.16s lease %llu", what,
	      scene_cause_name(t.cause), t.corr, t.lease);
	scene_keeper_arm(&w.b.keeper);
}

static void test_correlation(void)
{
	struct holdfast_trip t;

	scene_keeper_arm(&w.b.keeper);
	latch(w.node, corr_x);
	operator_trip(corr_x, 0, "latched stop with an id");
	latch(w.node, NULL);
	operator_trip(NULL, 0, "without an id");
	latch(w.a1, NULL);
	operator_trip(corr_a, w.id_a1, "by a lease: that of the lease");
	latch(w.a1, corr_x);
	operator_trip(corr_x, w.id_a1, "by a lease with an id");

	/* A trip that a lease's frames did not cause, while they are emitted. */
	scene_play(&w.b.player, &w.b.sim, w.a1, A_AMP, 20);
	scene_keeper_mute(&w.b.keeper, true);
	scene_wait_state(w.node, HOLDFAST_STATE_TRIPPED, 2000);
	scene_trip(w.node, &t);
	check(t.cause == HOLDFAST_CAUSE_KEEPER_DEADLINE && t.lease == w.id_a1 &&
	      !memcmp(t.corr, corr_a, sizeof(t.corr)), "keeper's deadline: cause %s lease %llu corr %.16s",
	      scene_cause_name(t.cause), t.lease, t.corr);
	scene_play_stop(&w.b.player);
	w.b.player.frame = NULL;
	scene_keeper_mute(&w.b.keeper, false);
	scene_sleep_ms(100);
	result("correlation ids in trip records");
}

/* --------------------------------------------------------------------- output */

static void takes_it_away(uid_t uid)
{
	struct holdfast_frame *f = scene_frame_new(w.b.sim.info.channels, 0);
	struct holdfast_frame_result r = { 0 };
	int i;

	for (i = 0; i < 200; i++) {
		scene_frame_flat(f, i % 2 ? B_AMP : 0);
		f->flags = i % 3 == 1 ? HOLDFAST_FRAME_WAIT : i % 3 == 2 ? HOLDFAST_FRAME_ATTENUATE : 0;
		want(scene_write(file_of(uid), f), EBUSY, i % 2 ? "frame" : "all-off frame");
		scene_sleep_ms(1);
	}
	want(scene_submit(file_of(uid), f, &r), 0, "submit");
	check(r.error == EBUSY && r.reason.limit == HOLDFAST_LIM_NONE, "error %u", r.error);
	free(f);
}

static void test_output(void)
{
	struct holdfast_frame *f = scene_frame_new(w.b.sim.info.channels, 0);
	struct holdfast_trip before, after;
	__u64 from, to;
	size_t i, j;

	scene_keeper_arm(&w.b.keeper);
	scene_trip(w.node, &before);
	emissions_free(&w.b.es);
	memset(&w.b.es, 0, sizeof(w.b.es));
	scene_play(&w.b.player, &w.b.sim, w.a1, A_AMP, 20);
	scene_sleep_ms(50);
	from = scene_now_ns();
	as_user(BOB, takes_it_away);
	to = scene_now_ns();

	/* Another lease of the same tenant may. */
	scene_frame_flat(f, A_AMP);
	f->flags = HOLDFAST_FRAME_WAIT;
	want(scene_write(w.a2, f), 0, "a frame by the same tenant");
	check(!w.b.player.last_error, "alice: %s", strerror(-w.b.player.last_error));
	scene_play_stop(&w.b.player);
	w.b.player.frame = NULL;

	emissions_read(&w.b.es, &w.b.ledger);
	for (i = 0; i < w.b.es.count; i++) {
		const struct emission *e = &w.b.es.e[i];

		for (j = 0; j < e->channels; j++)
			if (!check(e->level[j] == w.b.es.e[0].level[j], "another's frame was emitted"))
				break;
		if (e->begin_ns >= from && e->end_ns < to)
			check(e->end_kind == HOLDFAST_LEDGER_FRAME, "interrupted: kind %u",
			      e->end_kind);
	}
	scene_trip(w.node, &after);
	check(after.count == before.count, "it tripped: %s", scene_cause_name(after.cause));

	/* When her frame is no longer held it is anybody's turn. */
	scene_wait_state(w.node, HOLDFAST_STATE_ARMED, 1000);
	scene_frame_flat(f, B_AMP);
	want(scene_write(w.bob, f), 0, "bob after alice");
	want(scene_write(w.a1, f), EBUSY, "alice while it is bob's");
	scene_silence(w.node, 0);
	free(f);
	result("one tenant's output is not another's to change");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	scene_load();
	world_open();
	test_lists();
	test_hands_off();
	test_records();
	test_correlation();
	test_output();
	close(w.a1);
	close(w.a2);
	close(w.bob);
	close(w.node);
	bench_close(&w.b);
	return tap_done();
}
