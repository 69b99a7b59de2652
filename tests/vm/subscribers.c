// SPDX-License-Identifier: GPL-2.0
/*
 * Events on generic netlink: a hundred subscribers, one of them slow, lose
 * nothing; who was away for too long is told exactly how much; telemetry never
 * evicts a trip. Raw sockets, so that nothing of our library is trusted. What
 * the events mean is tested elsewhere.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "holdfast_netlink.h"
#include "tap.h"

#define SUBSCRIBERS	100
#define RING		1024	/* events that the kernel keeps */
#define CHUNK		64	/* events between two looks at the sockets */
#define AWAY		(RING * 2 / 3)

struct event {
	__u32 index;
	__u64 seq;
	__u64 lost;
};

struct family {
	__u16 id;
	__u32 safety;
	__u32 telemetry;
};

/* One subscriber: what it has seen, and what it should not have. */
struct sub {
	int fd;
	__u64 since;		/* older events may still be on their way when it joins */
	__u64 last;
	__u64 seen;
	__u64 gaps;
	__u64 overruns;		/* ENOBUFS */
};

static struct family family;

/* ---- netlink by hand ---- */

static int nl_open(int rcvbuf)
{
	struct sockaddr_nl me = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);

	if (fd < 0 || bind(fd, (struct sockaddr *)&me, sizeof(me)))
		tap_bail("netlink socket: %s", strerror(errno));
	if (rcvbuf)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	return fd;
}

static void nl_join(int fd, __u32 group)
{
	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		tap_bail("join group %u: %s", group, strerror(errno));
}

struct request {
	struct nlmsghdr n;
	struct genlmsghdr g;
	char attrs[64];
};

static void nl_put(struct request *r, __u16 type, const void *data, size_t len)
{
	struct nlattr *a = (void *)((char *)r + r->n.nlmsg_len);

	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + len;
	memcpy(a + 1, data, len);
	r->n.nlmsg_len += NLA_ALIGN(a->nla_len);
}

static struct request nl_request(__u16 type, __u8 cmd, __u16 flags)
{
	return (struct request){
		.n = { .nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN), .nlmsg_type = type,
		       .nlmsg_flags = NLM_F_REQUEST | flags },
		.g = { .cmd = cmd, .version = 1 },
	};
}

#define nl_each(a, from, len)								\
	for (a = (from); (char *)a + NLA_HDRLEN <= (char *)(from) + (len) &&		\
	     a->nla_len >= NLA_HDRLEN; a = (void *)((char *)a + NLA_ALIGN(a->nla_len)))

static const struct nlattr *nl_attrs(const struct nlmsghdr *n, size_t *len)
{
	*len = n->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN);
	return (const void *)((const char *)n + NLMSG_LENGTH(GENL_HDRLEN));
}

static __u32 nl_u32(const struct nlattr *a)
{
	__u32 v;

	memcpy(&v, a + 1, sizeof(v));
	return v;
}

static __u64 nl_u64(const struct nlattr *a)
{
	__u64 v;

	memcpy(&v, a + 1, sizeof(v));
	return v;
}

static void nl_group(const struct nlattr *grp, struct family *f)
{
	const struct nlattr *a;
	const char *name = "";
	__u32 id = 0;

	nl_each(a, grp + 1, grp->nla_len - NLA_HDRLEN) {
		if (a->nla_type == CTRL_ATTR_MCAST_GRP_NAME)
			name = (const char *)(a + 1);
		else if (a->nla_type == CTRL_ATTR_MCAST_GRP_ID)
			id = nl_u32(a);
	}
	if (!strcmp(name, HOLDFAST_MCGRP_SAFETY))
		f->safety = id;
	else if (!strcmp(name, HOLDFAST_MCGRP_TELEMETRY))
		f->telemetry = id;
}

/* 0, or the errno of the kernel's answer. */
static int nl_resolve(struct family *f)
{
	struct request r = nl_request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	const struct nlattr *a, *g;
	int fd = nl_open(0), ret = 0;
	struct nlmsghdr *n;
	char buf[8192];
	size_t len;

	nl_put(&r, CTRL_ATTR_FAMILY_NAME, HOLDFAST_FAMILY_NAME, sizeof(HOLDFAST_FAMILY_NAME));
	if (send(fd, &r, r.n.nlmsg_len, 0) < 0 || recv(fd, buf, sizeof(buf), 0) < 0)
		tap_bail("ask for the family: %s", strerror(errno));
	close(fd);
	n = (struct nlmsghdr *)buf;
	if (n->nlmsg_type == NLMSG_ERROR) {
		ret = -((struct nlmsgerr *)NLMSG_DATA(n))->error;
		return ret;
	}
	nl_each(a, nl_attrs(n, &len), len) {
		if (a->nla_type == CTRL_ATTR_FAMILY_ID)
			f->id = nl_u32(a);
		if ((a->nla_type & NLA_TYPE_MASK) != CTRL_ATTR_MCAST_GROUPS)
			continue;
		nl_each(g, a + 1, a->nla_len - NLA_HDRLEN)
			nl_group(g, f);
	}
	return 0;
}

static bool nl_event(const struct nlmsghdr *n, __u8 cmd, struct event *ev)
{
	const struct genlmsghdr *g = NLMSG_DATA(n);
	const struct nlattr *a;
	size_t len;

	if (n->nlmsg_type != family.id || g->cmd != cmd)
		return false;
	memset(ev, 0, sizeof(*ev));
	nl_each(a, nl_attrs(n, &len), len) {
		if (a->nla_type == HOLDFAST_A_EVENT_INDEX)
			ev->index = nl_u32(a);
		else if (a->nla_type == HOLDFAST_A_EVENT_SEQ)
			ev->seq = nl_u64(a);
		else if (a->nla_type == HOLDFAST_A_EVENT_LOST)
			ev->lost = nl_u64(a);
	}
	return true;
}

/* ---- subscribers ---- */

static struct bench b;
static __u64 events;	/* newest event, by the status */

static __u64 newest(void)
{
	struct holdfast_status st;

	if (scene_status(b.keeper.fd, &st))
		tap_bail("status");
	return st.event_seq;
}

/* Events, two a time: a lease is created and closed. */
static void happen(unsigned int n)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_FRAMES };
	int fd;

	for (; n; n -= n > 1 ? 2 : 1) {
		fd = scene_lease(b.keeper.fd, b.keeper.epoch, &ask, NULL);
		if (fd < 0)
			tap_bail("lease: %s", strerror(-fd));
		close(fd);
	}
	events = newest();
}

static void sub_open(struct sub *s, int rcvbuf)
{
	memset(s, 0, sizeof(*s));
	s->fd = nl_open(rcvbuf);
	s->since = events;
	s->last = events;
	nl_join(s->fd, family.safety);
}

static void sub_event(struct sub *s, const struct event *ev)
{
	if (ev->index != (__u32)b.sim.index || ev->seq <= s->since)
		return;
	s->gaps += ev->seq != s->last + 1;
	s->last = ev->seq;
	s->seen++;
}

/* Takes in all that is there. */
static void sub_drain(struct sub *s)
{
	static char buf[65536];
	struct event ev;
	ssize_t n;

	for (;;) {
		n = recv(s->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && errno == ENOBUFS)
			s->overruns++;
		else if (n < 0)
			return;
		else if (nl_event((struct nlmsghdr *)buf, HOLDFAST_CMD_EVENT_NTF, &ev))
			sub_event(s, &ev);
	}
}

/* Waits until @s has seen everything; false: it has not within five seconds. */
static bool sub_follow(struct sub *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	__u64 until = scene_now_ns() + 5000 * SCENE_MS;

	sub_drain(s);
	while (s->last < events && scene_now_ns() < until) {
		poll(&p, 1, 100);
		sub_drain(s);
	}
	return s->last >= events;
}

/* One datagram of a dump; 1: more will come, 0: done, -errno. */
static int replay_part(struct sub *s, char *buf, int n, __u64 *lost)
{
	struct nlmsghdr *h;
	struct event ev;

	for (h = (struct nlmsghdr *)buf; NLMSG_OK(h, (unsigned int)n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
		if (!nl_event(h, HOLDFAST_CMD_EVENT_GET, &ev) || ev.seq <= s->last)
			continue;
		if (ev.lost) {
			*lost += ev.lost;
			s->last += ev.lost;
		}
		sub_event(s, &ev);
	}
	return 1;
}

/* What happened after the last event that @s has seen, out of the ring. 0 or -errno. */
static int sub_replay(struct sub *s, __u64 *lost)
{
	struct request r = nl_request(family.id, HOLDFAST_CMD_EVENT_GET, NLM_F_DUMP);
	__u32 index = (__u32)b.sim.index;
	static char buf[65536];
	int fd = nl_open(0), ret = 1;
	ssize_t n;

	*lost = 0;
	nl_put(&r, HOLDFAST_A_EVENT_INDEX, &index, sizeof(index));
	nl_put(&r, HOLDFAST_A_EVENT_SINCE_SEQ, &s->last, sizeof(s->last));
	if (send(fd, &r, r.n.nlmsg_len, 0) < 0)
		tap_bail("ask for a replay: %s", strerror(errno));
	while (ret == 1) {
		n = recv(fd, buf, sizeof(buf), 0);
		ret = n < 0 ? -errno : replay_part(s, buf, (int)n, lost);
	}
	close(fd);
	return ret;
}

/* ---- tests ---- */

/*
 * Ninety-nine that read, one that does not until its socket has overflowed and
 * then replays, again and again until @total events have happened.
 */
static void test_hundred(unsigned int total)
{
	struct sub fast[SUBSCRIBERS - 1], slow;
	__u64 begin = events, lost = 0, gaps = 0, seen = 0, overruns = 0;
	unsigned int i, done, since = 0, replays = 0;
	bool followed = true, replayed = true;

	for (i = 0; i < SUBSCRIBERS - 1; i++)
		sub_open(&fast[i], 0);
	sub_open(&slow, 1);
	for (done = 0; done < total; done += CHUNK) {
		happen(CHUNK);
		for (i = 0; i < SUBSCRIBERS - 1; i++)
			followed = sub_follow(&fast[i]) && followed;
		since += CHUNK;
		if (since < AWAY && done + CHUNK < total)
			continue;
		since = 0;
		/* what is left in its socket is in order; then comes the gap */
		sub_drain(&slow);
		replayed = replayed && slow.last < events;
		replayed = !sub_replay(&slow, &lost) && !lost && slow.last == events && replayed;
		replays++;
	}
	for (i = 0; i < SUBSCRIBERS - 1; i++) {
		gaps += fast[i].gaps;
		overruns += fast[i].overruns;
		seen += fast[i].seen == events - begin;
		close(fast[i].fd);
	}
	tap_note("%llu events; the slow one overflowed %llu times and replayed %u times",
		 events - begin, slow.overruns, replays);
	tap_ok(followed && !gaps && !overruns && seen == SUBSCRIBERS - 1,
	       "nobody else loses an event");
	if (gaps || overruns || seen != SUBSCRIBERS - 1)
		tap_note("gaps %llu, overruns %llu, complete %llu of %d", gaps, overruns, seen,
			 SUBSCRIBERS - 1);
	tap_ok(slow.overruns >= replays && replays > 1, "the slow one is told each time");
	tap_ok(replayed && !slow.gaps && slow.seen == events - begin,
	       "and has all in order, each once (%llu of %llu, %llu gaps)", slow.seen,
	       events - begin, slow.gaps);
	close(slow.fd);
}

/* Away for longer than the ring: the number of those lost, and all that are kept. */
static void test_away(void)
{
	struct sub s;
	__u64 before, lost;
	int ret;

	sub_open(&s, 0);
	before = s.last;
	happen(RING + 376);
	ret = sub_replay(&s, &lost);
	tap_ok(!ret && lost == events - before - RING && s.seen == RING && !s.gaps &&
	       s.last == events,
	       "away for %llu events: told that %llu are lost, the other %llu in order",
	       events - before, lost, s.seen);
	s.last = events + 1;
	ret = sub_replay(&s, &lost);
	tap_ok(ret == -ERANGE, "replay from the future: %s", strerror(-ret));
	close(s.fd);
}

/* Takes in what comes next, as a client does: doubles are skipped, a gap is replayed. */
static bool sub_careful(struct sub *s, __u64 *replays, __u64 *lost)
{
	static char buf[65536];
	struct event ev;
	bool gap = false;
	__u64 missing;
	ssize_t n;

	for (;;) {
		n = recv(s->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && errno != ENOBUFS)
			break;
		if (n < 0)
			gap = true;
		else if (!nl_event((struct nlmsghdr *)buf, HOLDFAST_CMD_EVENT_NTF, &ev))
			continue;
		else if (ev.seq == s->last + 1)
			sub_event(s, &ev);
		else if (ev.seq > s->last)
			gap = true;
	}
	if (!gap)
		return true;
	++*replays;
	if (sub_replay(s, &missing))
		return false;
	*lost += missing;
	return true;
}

/* Replays while events go on: events and replay meet without a gap and without doubles. */
static void test_beside(void)
{
	__u64 *seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	__u64 begin = events, end = begin + 1200, lost = 0, replays = 0;
	struct pollfd p = { .events = POLLIN };
	struct sub s;
	pid_t pid;

	sub_open(&s, 1);
	p.fd = s.fd;
	*seen = s.last;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		/* never so far ahead that the ring would overtake */
		while (events < end) {
			if (events < __atomic_load_n(seen, __ATOMIC_ACQUIRE) + RING / 2)
				happen(16);
			else
				sched_yield();
		}
		_exit(0);
	}
	while (s.last < end && poll(&p, 1, 5000) == 1 && sub_careful(&s, &replays, &lost))
		__atomic_store_n(seen, s.last, __ATOMIC_RELEASE);
	__atomic_store_n(seen, end, __ATOMIC_RELEASE);
	waitpid(pid, NULL, 0);
	events = newest();
	sub_replay(&s, &lost);
	tap_ok(s.last == events && s.seen == events - begin && !s.gaps && !lost && replays,
	       "%llu replays beside events that go on: %llu of %llu, in order", replays, s.seen,
	       events - begin);
	close(s.fd);
	munmap(seen, 4096);
}

static __u32 drops(int fd)
{
	__u32 mem[SK_MEMINFO_VARS] = {};
	socklen_t len = sizeof(mem);

	getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &len);
	return mem[SK_MEMINFO_DROPS];
}

/*
 * Telemetry that nobody reads overflows its own socket, and no other. The third
 * socket is in both groups and shows what would happen if it were not so.
 */
static void test_telemetry(void)
{
	__u64 until = scene_now_ns() + 20000 * SCENE_MS;
	int telemetry = nl_open(1), both = nl_open(1);
	struct scene_array more[4];
	char name[32];
	struct sub s;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "telemetry-%u", i);
		scene_make(&more[i], name, SCENE_ATTRS("rows=4", "cols=4", "sensor_period_ms=20"));
	}
	events = newest();
	nl_join(telemetry, family.telemetry);
	nl_join(both, family.telemetry);
	nl_join(both, family.safety);
	sub_open(&s, 0);
	while ((drops(telemetry) < 20 || drops(both) < 20) && scene_now_ns() < until)
		scene_sleep_ms(50);
	tap_ok(drops(telemetry) >= 20 && drops(both) >= 20, "telemetry overflows what nobody reads");
	i = drops(both);
	happen(40);
	tap_ok(sub_follow(&s) && !s.gaps && !s.overruns && !drops(s.fd),
	       "and evicts no event from the other socket");
	tap_ok(drops(both) >= i + 40, "but all from a socket that is in both groups");
	close(telemetry);
	close(both);
	close(s.fd);
	for (i = 0; i < 4; i++)
		scene_drop(&more[i]);
}

/* Another network namespace has no such family. */
static void test_namespace(void)
{
	struct family none = {};
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNET))
			_exit(2);
		_exit(nl_resolve(&none) != ENOENT);
	}
	waitpid(pid, &status, 0);
	tap_ok(status == 0, "no family in another network namespace (%#x)", status);
}

int main(int argc, char **argv)
{
	unsigned int total = argc > 1 ? (unsigned int)atoi(argv[1]) : 5200;
	static const char *const attrs[] = {
		"rows=4", "cols=4", "limit=keeper_deadline 10000", NULL
	};

	scene_load();
	if (nl_resolve(&family) || !family.safety || !family.telemetry)
		tap_bail("no family %s", HOLDFAST_FAMILY_NAME);
	bench_open(&b, "subscribers", attrs);
	scene_wait_sensors(b.keeper.fd, 3000);
	events = newest();
	test_hundred(total);
	test_away();
	test_beside();
	test_telemetry();
	test_namespace();
	return tap_done();
}
