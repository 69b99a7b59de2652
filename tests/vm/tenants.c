// SPDX-License-Identifier: GPL-2.0
/*
 * Tenants that cannot see or disturb each other, tried by processes without any
 * privilege that hold a lease, or the open node and nothing else: what they can
 * list, what records tell them, whose output they can touch, whom a burst of
 * refused frames stops; and that requests can be followed by their correlation
 * id. Netlink: nl-conformance.py. Quotas: quotas.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "bench.h"
#include "holdfast_netlink.h"
#include "tap.h"

#define ALICE		1001	/* users and, the same numbers, tenants */
#define BOB		1002
#define STRANGER	1003	/* has the node open, read-only */
#define EVE		1004	/* tenants whose programs keep trying what is refused */
#define MALLORY		1005
#define RETURNING	1006
#define CAROL		1007
#define A_AMP		20000
#define B_AMP		30000
#define REFUSED_AMP	65535
#define BURST		32	/* REJECT_BURST of the simulator's nameplate */
#define RUDE		4	/* leases of a tenant that hammers */
#define PAUSE_MS	10	/* so that SLEW_AMP allows the next rise */

static const char *const attrs[] = {
	"rows=4", "cols=4", "sensors=none", "limit=hold 1000", "limit=trip_dwell 0",
	"limit=amp_cap 60000", "limit=tick_late 1000",
	/* The longest there is: however slow the machine, nothing leaves the window. */
	"limit=reject_window 60000", NULL
};

static const __u8 corr_a[HOLDFAST_CORR_LEN] = "alice's request", corr_b[] = "bob's request..",
	corr_x[] = "of the operator";

static struct world {
	struct bench b;
	int a1, a2, bob, carol;	/* leases: two of ALICE, one of BOB, CAROL */
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
	check(t.cause == HOLDFAST_CAUSE_KEEPER_DEADLINE &&
	      t.reason.limit == HOLDFAST_LIM_KEEPER_DEADLINE &&
	      t.reason.measured > t.reason.bound && t.detect_ns && t.event_seq,
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

static void refused_and_plays_on(uid_t uid)
{
	struct holdfast_frame *f = scene_frame_new(w.b.sim.info.channels, 0);
	__u64 until = scene_now_ns() + 5000 * SCENE_MS;
	int i, ret;

	scene_frame_flat(f, REFUSED_AMP);
	/* One short of REJECT_BURST: somebody else's does not count. */
	for (i = 0; i < BURST - 1; i++)
		want(scene_write(file_of(uid), f), ERANGE, "frame above the cap");
	scene_frame_flat(f, B_AMP);
	f->cookie = 4711;
	f->flags = HOLDFAST_FRAME_WAIT;
	do {
		ret = scene_write(file_of(uid), f);
		scene_sleep_ms(5);
	} while (!ret && scene_now_ns() < until);
	want(ret, ESHUTDOWN, "plays until the keeper's deadline has passed");
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
	scene_frame_flat(f, REFUSED_AMP);
	want(scene_write(w.a1, f), ERANGE, "frame above the cap");
	free(f);
	scene_keeper_mute(&w.b.keeper, true);
	as_user(BOB, refused_and_plays_on);
	scene_keeper_mute(&w.b.keeper, false);
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
	/* What bob played before is not judged. */
	emissions_read(&w.b.es, &w.b.ledger);
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
	scene_wait_state(w.node, HOLDFAST_STATE_ARMED, 5000);
	scene_frame_flat(f, B_AMP);
	want(scene_write(w.bob, f), 0, "bob after alice");
	want(scene_write(w.a1, f), EBUSY, "alice while it is bob's");
	scene_silence(w.node, 0);
	free(f);
	result("one tenant's output is not another's to change");
}

/* --------------------------------------------------------------------- bursts */

/* A program that writes what is refused through several leases, in turn. */
struct rude {
	__u64 tenant;
	int lease[RUDE];
	pthread_t thread;
	bool running;
	int stop;		/* atomic */
	int busy, refused, over, strange;	/* frames by answer; atomic */
};

static struct holdfast_frame *flat(__u16 amp)
{
	struct holdfast_frame *f = scene_frame_new(w.b.sim.info.channels, 0);

	scene_frame_flat(f, amp);
	return f;
}

static void rude_open(struct rude *r, __u64 tenant)
{
	int i;

	memset(r, 0, sizeof(*r));
	r->tenant = tenant;
	for (i = 0; i < RUDE; i++)
		r->lease[i] = lease_of(tenant, "rude", NULL, NULL);
}

static void rude_close(struct rude *r)
{
	int i;

	for (i = 0; i < RUDE; i++)
		close(r->lease[i]);
}

static void *rude_writes(void *arg)
{
	struct holdfast_frame *f = flat(REFUSED_AMP);
	struct rude *r = arg;
	unsigned int i;

	for (i = 0; !__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE); i++) {
		int ret = scene_write(r->lease[i % RUDE], f);

		__atomic_add_fetch(ret == -EBUSY ? &r->busy : ret == -ERANGE ? &r->refused :
				   ret == -EKEYREVOKED ? &r->over : &r->strange, 1,
				   __ATOMIC_RELEASE);
		scene_sleep_ms(1);
	}
	free(f);
	return NULL;
}

static void rude_begin(struct rude *r)
{
	r->stop = 0;
	r->running = true;
	if (pthread_create(&r->thread, NULL, rude_writes, r))
		scene_die("no thread");
}

static void rude_end(struct rude *r)
{
	__atomic_store_n(&r->stop, 1, __ATOMIC_RELEASE);
	if (r->running)
		pthread_join(r->thread, NULL);
	r->running = false;
}

static void armed(void)
{
	if (scene_state(w.node) != HOLDFAST_STATE_ARMED)
		scene_keeper_arm(&w.b.keeper);
}

/* All leases of the tenant are over, and say which limit ended them. */
static void ended_by_burst(const struct rude *r)
{
	struct holdfast_frame *f = flat(A_AMP);
	struct seen *s = look(w.b.keeper.fd);
	struct holdfast_frame_result res;
	__u32 i;

	for (i = 0; i < s->leases; i++)
		check(s->lease[i].tenant != r->tenant, "a lease of tenant %llu is left", r->tenant);
	for (i = 0; i < RUDE; i++) {
		memset(&res, 0, sizeof(res));
		want(scene_submit(r->lease[i], f, &res), 0, "submit");
		check(res.error == EKEYREVOKED && res.reason.limit == HOLDFAST_LIM_REJECT_BURST &&
		      res.reason.measured == BURST && res.reason.bound == BURST,
		      "error %u, limit %s, %lld of %lld", res.error,
		      scene_limit_name(res.reason.limit), res.reason.measured, res.reason.bound);
		want(scene_arm(r->lease[i], 0, NULL), EKEYREVOKED, "arm");
	}
	free(f);
}

/* The attribute @type of a message, or NULL. */
static const struct nlattr *attr_of(const void *from, size_t len, __u16 type)
{
	const struct nlattr *a = from;

	while (len >= NLA_HDRLEN && a->nla_len >= NLA_HDRLEN && a->nla_len <= len) {
		size_t step = NLA_ALIGN(a->nla_len);

		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return a;
		len -= step < len ? step : len;
		a = (const void *)((const char *)a + step);
	}
	return NULL;
}

static __u64 number(const struct nlattr *a)
{
	__u64 v = 0;

	if (a)
		memcpy(&v, a + 1, a->nla_len - NLA_HDRLEN <= 8 ? a->nla_len - NLA_HDRLEN : 8);
	return v;
}

struct nl_request {
	struct nlmsghdr n;
	struct genlmsghdr g;
	struct nlattr a;
	char data[HOLDFAST_LABEL_LEN];
};

static ssize_t nl_ask(int fd, struct nl_request *r, __u16 attr, const void *data, size_t len,
		      char *buf, size_t room)
{
	r->a.nla_type = attr;
	r->a.nla_len = NLA_HDRLEN + len;
	memcpy(r->data, data, len);
	r->n.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + NLA_ALIGN(r->a.nla_len);
	if (send(fd, r, r->n.nlmsg_len, 0) < 0)
		scene_die("netlink: %s", strerror(errno));
	return recv(fd, buf, room, 0);
}

static const void *nl_attrs(const struct nlmsghdr *n, size_t *len)
{
	*len = n->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN);
	return (const char *)n + NLMSG_LENGTH(GENL_HDRLEN);
}

struct told {
	unsigned int bursts, ends, wrong;
};

/* Takes one event in, if it is about the burst of @tenant. */
static void told_event(struct told *t, const struct nlmsghdr *n, __u64 tenant)
{
	size_t len;
	const void *from = nl_attrs(n, &len);
	const struct nlattr *why = attr_of(from, len, HOLDFAST_A_EVENT_REASON);
	size_t in = why ? why->nla_len - NLA_HDRLEN : 0;
	__u32 type = number(attr_of(from, len, HOLDFAST_A_EVENT_TYPE));
	bool burst = type == HOLDFAST_EVENT_REFUSED;

	if (number(attr_of(from, len, HOLDFAST_A_EVENT_DETAIL)) != HOLDFAST_DETAIL_BURST ||
	    number(attr_of(from, len, HOLDFAST_A_EVENT_TENANT)) != tenant)
		return;
	t->bursts += burst;
	t->ends += type == HOLDFAST_EVENT_LEASE;
	t->wrong += number(attr_of(from, len, HOLDFAST_A_EVENT_SEVERITY)) !=
			(burst ? HOLDFAST_SEV_WARNING : HOLDFAST_SEV_INFO) ||
		    number(attr_of(from, len, HOLDFAST_A_EVENT_COUNT)) != (burst ? BURST : 0) || !why ||
		    number(attr_of(why + 1, in, HOLDFAST_A_REASON_LIMIT)) !=
			HOLDFAST_LIM_REJECT_BURST ||
		    number(attr_of(why + 1, in, HOLDFAST_A_REASON_MEASURED)) != BURST ||
		    number(attr_of(why + 1, in, HOLDFAST_A_REASON_BOUND)) != BURST;
}

/* The events say once that there was a burst, with count and limit, and of each lease that it ended. */
static void told_once(__u64 tenant)
{
	struct nl_request r = { .n = { .nlmsg_type = GENL_ID_CTRL, .nlmsg_flags = NLM_F_REQUEST },
				.g = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 } };
	__u32 index = (__u32)w.b.sim.index;
	static char buf[65536];
	struct nlmsghdr *n = (struct nlmsghdr *)buf;
	struct told t = { 0 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	bool done = false;
	const void *from;
	ssize_t got;
	size_t len;

	if (fd < 0 || nl_ask(fd, &r, CTRL_ATTR_FAMILY_NAME, HOLDFAST_FAMILY_NAME,
			     sizeof(HOLDFAST_FAMILY_NAME), buf, sizeof(buf)) < 0)
		scene_die("netlink: %s", strerror(errno));
	from = nl_attrs(n, &len);
	r.n.nlmsg_type = number(attr_of(from, len, CTRL_ATTR_FAMILY_ID));
	r.n.nlmsg_flags |= NLM_F_DUMP;
	r.g.cmd = HOLDFAST_CMD_EVENT_GET;
	got = nl_ask(fd, &r, HOLDFAST_A_EVENT_INDEX, &index, sizeof(index), buf, sizeof(buf));
	while (!done && got > 0) {
		for (n = (struct nlmsghdr *)buf; NLMSG_OK(n, (unsigned int)got);
		     n = NLMSG_NEXT(n, got)) {
			done |= n->nlmsg_type == NLMSG_DONE || n->nlmsg_type == NLMSG_ERROR;
			if (n->nlmsg_type == r.n.nlmsg_type)
				told_event(&t, n, tenant);
		}
		if (!done)
			got = recv(fd, buf, sizeof(buf), 0);
	}
	close(fd);
	check(t.bursts == 1 && t.ends == RUDE && !t.wrong, "%u events of the burst, %u of ends, %u wrong",
	      t.bursts, t.ends, t.wrong);
}

static __u32 trips(void)
{
	struct holdfast_trip t;

	want(scene_trip(w.b.keeper.fd, &t), 0, "trip");
	return t.count;
}

static void no_trip_since(__u32 count)
{
	struct holdfast_trip t;

	want(scene_trip(w.b.keeper.fd, &t), 0, "trip");
	check(t.count == count, "it tripped: %s", scene_cause_name(t.cause));
}

/*
 * Plays carol's frame while @meanwhile hammers, if that is not NULL, and judges by
 * the ledger that from carol's first frame on it was never off.
 */
static void plays_without_gap(struct rude *meanwhile)
{
	struct holdfast_frame *off = flat(0);
	struct emissions *es = &w.b.es;
	size_t first;

	/* Where she cannot play (it has tripped, she has no lease), that is said, and the test goes on. */
	off->flags = HOLDFAST_FRAME_WAIT;
	if (!want(scene_write(w.carol, off), 0, "carol's beginning"))
		goto out;
	scene_sleep_ms(PAUSE_MS);
	emissions_read(es, &w.b.ledger);
	check(!es->on, "something is on");
	first = es->count;
	scene_play(&w.b.player, &w.b.sim, w.carol, B_AMP, 20);
	if (meanwhile)
		rude_begin(meanwhile);
	scene_sleep_ms(200);
	emissions_read(es, &w.b.ledger);
	check(!w.b.player.last_error, "carol: %s", strerror(-w.b.player.last_error));
	check(es->on && es->count > first && es->dark_ns <= es->e[first].begin_ns,
	      "carol was interrupted: %zu frames, on: %d", es->count - first, es->on);
	scene_play_stop(&w.b.player);
	want(scene_write(w.carol, off), 0, "carol's end");
	scene_sleep_ms(PAUSE_MS);
out:
	free(off);
}

/* Blinks carol's frame until all leases of @r are over; the gaps are where frames of @r are judged. */
static void plays_with_gaps(struct rude *r)
{
	struct holdfast_frame *on = flat(B_AMP), *off = flat(0);
	__u64 until = scene_now_ns() + 10000 * SCENE_MS;
	size_t before, i;
	int pulses = 0;

	emissions_read(&w.b.es, &w.b.ledger);
	before = w.b.es.count;
	on->flags = off->flags = HOLDFAST_FRAME_WAIT;
	while (__atomic_load_n(&r->over, __ATOMIC_ACQUIRE) < RUDE && scene_now_ns() < until) {
		if (!want(scene_write(w.carol, on), 0, "carol's frame"))
			break;
		scene_sleep_ms(PAUSE_MS);
		want(scene_write(w.carol, off), 0, "carol's pause");
		scene_sleep_ms(PAUSE_MS);
		pulses++;
	}
	emissions_read(&w.b.es, &w.b.ledger);
	check(w.b.es.count - before == (size_t)pulses, "%zu emissions of %d pulses",
	      w.b.es.count - before, pulses);
	for (i = before; i < w.b.es.count; i++)
		check(w.b.es.e[i].level[0] == w.b.es.e[before].level[0], "not carol's");
	free(on);
	free(off);
}

/* Whose frames are refused again and again loses all leases; another's are not touched. */
static void test_burst(void)
{
	__u32 before = trips();
	struct rude eve;

	armed();
	rude_open(&eve, EVE);
	/* As long as carol's frame is on, hers are not even judged. */
	plays_without_gap(&eve);
	plays_with_gaps(&eve);
	rude_end(&eve);
	check(eve.refused == BURST, "%d frames refused before the end", eve.refused);
	check(eve.busy && !eve.strange, "busy %d, strange %d", eve.busy, eve.strange);
	ended_by_burst(&eve);
	told_once(EVE);
	/* In vain. */
	plays_without_gap(&eve);
	rude_end(&eve);
	no_trip_since(before);
	tap_note("%d frames met carol's, %d were refused, %d came after the end", eve.busy,
		 eve.refused, eve.over);
	rude_close(&eve);
	result("a burst of refused frames ends the tenant's leases and disturbs nobody");
}

/* The emitting lease goes with the others: dark before the call of the last refusal returns. */
static void test_burst_of_emitter(void)
{
	struct holdfast_frame *f = flat(REFUSED_AMP), *good = flat(A_AMP);
	struct holdfast_status was, is;
	__u32 before = trips();
	struct rude mallory;
	__u64 back;
	int i;

	armed();
	rude_open(&mallory, MALLORY);
	for (i = 0; i < BURST - 1; i++)
		want(scene_write(mallory.lease[1 + i % (RUDE - 1)], f), ERANGE, "refused");
	want(scene_write(mallory.lease[0], good), 0, "her frame");
	scene_status(w.b.keeper.fd, &was);
	want(scene_write(mallory.lease[1], f), ERANGE, "refused");
	back = scene_now_ns();
	scene_status(w.b.keeper.fd, &is);
	emissions_read(&w.b.es, &w.b.ledger);
	check(!w.b.es.on && w.b.es.dark_ns <= back, "still on when the call had returned");
	check(is.state == HOLDFAST_STATE_ARMED && is.event_seq - was.event_seq > RUDE,
	      "state %u, %llu events", is.state, is.event_seq - was.event_seq);
	ended_by_burst(&mallory);
	told_once(MALLORY);
	check(!emissions_within(&w.b.es, back, UINT64_MAX), "on again");
	plays_without_gap(NULL);
	no_trip_since(before);
	rude_close(&mallory);
	free(f);
	free(good);
	result("a burst silences at once what the tenant emits");
}

/* The lease of a tenant that nobody has heard of before; it takes the last free account. */
static void comes_and_goes(__u64 tenant)
{
	close(lease_of(tenant, "passer-by", NULL, NULL));
}

/* New leases count on, even when all accounts have been used and others want one. */
static void test_burst_of_new_leases(void)
{
	struct holdfast_frame *f = flat(REFUSED_AMP), *good = flat(A_AMP);
	__u32 before = trips();
	int i, lease = -1;
	__u64 t;

	armed();
	for (t = 5000; t < 5000 + HOLDFAST_MAX_TENANTS; t++)
		comes_and_goes(t);
	for (i = 1; i <= BURST; i++) {
		lease = lease_of(RETURNING, "again", NULL, NULL);
		want(scene_write(lease, f), ERANGE, "refused");
		if (i < BURST) {
			close(lease);
			comes_and_goes(t++);
		}
	}
	want(scene_write(lease, f), EKEYREVOKED, "after the burst");
	close(lease);
	lease = lease_of(RETURNING, "forgiven", NULL, NULL);
	want(scene_write(lease, f), ERANGE, "refused, by a new lease");
	want(scene_write(lease, good), 0, "a good frame");
	scene_silence(w.node, 0);
	close(lease);
	no_trip_since(before);
	free(f);
	free(good);
	result("closing and reopening leases does not make a tenant's count fresh");
}

/* Nobody's tenant: a sign of danger to the array, as ever. */
static void test_burst_without_tenant(void)
{
	struct holdfast_frame *f = flat(REFUSED_AMP);
	int lease = lease_of(0, "house", NULL, NULL);
	struct holdfast_trip t;
	int i;

	armed();
	for (i = 0; i < BURST; i++)
		want(scene_write(lease, f), ERANGE, "refused");
	want(scene_write(lease, f), ESHUTDOWN, "after the trip");
	want(scene_trip(w.b.keeper.fd, &t), 0, "trip");
	check(t.cause == HOLDFAST_CAUSE_REJECT_BURST, "cause %s", scene_cause_name(t.cause));
	scene_keeper_arm(&w.b.keeper);
	want(scene_write(lease, f), ERANGE, "the lease lives on");
	close(lease);
	free(f);
	result("a burst without a tenant trips");
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
	/* Of hers nothing has been refused. */
	w.carol = lease_of(CAROL, "carol", NULL, NULL);
	test_burst();
	test_burst_of_emitter();
	test_burst_of_new_leases();
	test_burst_without_tenant();
	close(w.a1);
	close(w.a2);
	close(w.bob);
	close(w.carol);
	close(w.node);
	bench_close(&w.b);
	return tap_done();
}
