// SPDX-License-Identifier: GPL-2.0
/*
 * Runs in a guest as root: events of the driver to so many processes, each with a netlink
 * socket of its own; and, beside it, what is written without a group to join: one process
 * (the hub) that takes the same events and sends each on to every subscriber over a unix
 * socket. A line of JSON for each measurement; no statistics but percentiles of latency.
 *
 * Events come two at a time: a lease is made and closed. "burst": BURST events, and the
 * next when everybody has seen them: events a second, and processor time of the whole
 * guest for each, makers and subscribers included. "paced": a pair every PACE_MS; from the
 * time that the driver stamped to when the subscriber has it in hand.
 *
 * Usage: fanout_guest SECONDS ROUNDS
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "holdfast_netlink.h"
#include "scene.h"

#define SUBSCRIBERS	100
#define BURST		32	/* events; fewer than a socket's buffer holds */
#define PACE_MS		40
#define LATENCIES	4096	/* kept of each subscriber */
#define TIMEOUT_MS	20000

/* Between the maker of the events and those who see them; each writes its own entry only. */
struct seen {
	__u64 last;		/* sequence number */
	__u64 told;		/* target that it has reported */
	__u64 count;
	__u64 lost;		/* by gaps of the sequence numbers */
	__u32 latencies;
	__u32 us[LATENCIES];
};

static struct shared {
	__u64 target;		/* whoever has seen this event writes a byte to the pipe */
	int keep;		/* latencies */
	__u64 refused;		/* by sockets that were full: the hub's */
	struct seen sub[SUBSCRIBERS];
} *shared;

static struct scene_array array;
static struct scene_keeper keeper;
static __u64 newest;
static int reports[2];

/* ------------------------------------------------------------- subscribers */

static int join_group(void)
{
	struct nl_sock *s = nl_socket_alloc();
	int group;

	if (!s || genl_connect(s))
		scene_die("netlink socket");
	group = genl_ctrl_resolve_grp(s, HOLDFAST_FAMILY_NAME, HOLDFAST_MCGRP_SAFETY);
	if (group < 0 || nl_socket_add_membership(s, group))
		scene_die("join: %s", nl_geterror(group));
	return nl_socket_get_fd(s);
}

static void report(void)
{
	if (write(reports[1], "x", 1) != 1)
		scene_die("report: %s", strerror(errno));
}

static void take(struct seen *s, const struct nlmsghdr *n, __u64 now)
{
	const struct nlattr *seq, *time;

	if (genlmsg_hdr((struct nlmsghdr *)n)->cmd != HOLDFAST_CMD_EVENT_NTF)
		return;
	seq = nlmsg_find_attr((struct nlmsghdr *)n, GENL_HDRLEN, HOLDFAST_A_EVENT_SEQ);
	time = nlmsg_find_attr((struct nlmsghdr *)n, GENL_HDRLEN, HOLDFAST_A_EVENT_TIME_NS);
	if (!seq || !time || nla_get_u64(seq) <= s->last)
		return;
	s->lost += nla_get_u64(seq) - s->last - 1;
	s->last = nla_get_u64(seq);
	s->count++;
	if (__atomic_load_n(&shared->keep, __ATOMIC_ACQUIRE) && s->latencies < LATENCIES)
		s->us[s->latencies++] = (__u32)((now - nla_get_u64(time)) / 1000);
}

__attribute__((noreturn)) static void subscriber(struct seen *s, int fd)
{
	static char buf[16384] __attribute__((aligned(8)));
	__u64 target;

	if (fd < 0)
		fd = join_group();
	report();
	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n < 0 && errno != ENOBUFS)
			scene_die("subscriber: %s", strerror(errno));
		if (n > 0)
			take(s, (struct nlmsghdr *)buf, scene_now_ns());
		target = __atomic_load_n(&shared->target, __ATOMIC_ACQUIRE);
		if (s->last >= target && s->told < target) {
			s->told = target;
			report();
		}
	}
}

__attribute__((noreturn)) static void hub(const int *fd, unsigned int n)
{
	static char buf[16384] __attribute__((aligned(8)));
	int from = join_group();
	unsigned int i;

	report();
	for (;;) {
		ssize_t bytes = recv(from, buf, sizeof(buf), 0);

		for (i = 0; bytes > 0 && i < n; i++)
			if (send(fd[i], buf, (size_t)bytes, MSG_DONTWAIT) != bytes)
				__atomic_add_fetch(&shared->refused, 1, __ATOMIC_RELEASE);
	}
}

static pid_t child(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		scene_die("fork: %s", strerror(errno));
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* Waits for a byte from each of @n. */
static void await(unsigned int n, const char *what)
{
	struct pollfd p = { .fd = reports[0], .events = POLLIN };
	char bytes[SUBSCRIBERS + 1];
	ssize_t got;

	while (n) {
		if (poll(&p, 1, TIMEOUT_MS) != 1)
			scene_die("%s: %u do not come: events were lost", what, n);
		got = read(reports[0], bytes, n < sizeof(bytes) ? n : sizeof(bytes));
		if (got > 0)
			n -= (unsigned int)got;
	}
}

/* ------------------------------------------------------------------- events */

static void make_pair(void)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_FRAMES };
	int fd = scene_lease(keeper.fd, keeper.epoch, &ask, NULL);

	if (fd < 0)
		scene_die("lease: %s", strerror(-fd));
	close(fd);
	newest += 2;
}

static __u64 busy_ms(void)
{
	unsigned long long user, nice, sys, idle, iowait, irq, soft;
	FILE *f = fopen("/proc/stat", "r");

	if (!f || fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &sys, &idle,
			 &iowait, &irq, &soft) != 7)
		scene_die("/proc/stat");
	fclose(f);
	return (user + nice + sys + irq + soft) * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK);
}

static void expect(__u64 seq)
{
	__atomic_store_n(&shared->target, seq, __ATOMIC_RELEASE);
}

/* That events come two at a time is not taken for granted: the driver says how many there were. */
static void check_newest(void)
{
	struct holdfast_status st;

	if (scene_status(keeper.fd, &st) || st.event_seq != newest)
		scene_die("%llu events, expected %llu", (unsigned long long)st.event_seq,
			  (unsigned long long)newest);
}

static void burst(unsigned int n, double seconds, __u64 *events, double *took_s, double *cpu_us)
{
	__u64 begin = scene_now_ns(), busy = busy_ms(), first = newest;
	unsigned int i;

	do {
		expect(newest + BURST);
		for (i = 0; i < BURST / 2; i++)
			make_pair();
		await(n, "burst");
	} while (scene_now_ns() - begin < (__u64)(seconds * 1e9));
	*took_s = (double)(scene_now_ns() - begin) * 1e-9;
	*events = newest - first;
	*cpu_us = (double)(busy_ms() - busy) * 1000 / (double)*events;
	check_newest();
}

static void paced(unsigned int n, double seconds)
{
	unsigned int i, pairs = (unsigned int)(seconds * 1000 / PACE_MS) + 1;

	expect(newest + 2 * pairs);
	__atomic_store_n(&shared->keep, 1, __ATOMIC_RELEASE);
	for (i = 0; i < pairs; i++) {
		make_pair();
		scene_sleep_ms(PACE_MS);
	}
	await(n, "paced");
	__atomic_store_n(&shared->keep, 0, __ATOMIC_RELEASE);
	check_newest();
}

static int by_value(const void *x, const void *y)
{
	__u32 p = *(const __u32 *)x, q = *(const __u32 *)y;

	return p < q ? -1 : p > q;
}

static void measure(unsigned int round, bool by_hub, unsigned int n, double seconds)
{
	static __u32 us[SUBSCRIBERS * LATENCIES];
	pid_t pids[SUBSCRIBERS + 1];
	int ends[SUBSCRIBERS][2];
	unsigned int i, all = 0, latencies = 0;
	__u64 events, lost = 0;
	double took_s, cpu_us;

	memset(shared, 0, sizeof(*shared));
	expect(UINT64_MAX);
	for (i = 0; i < n; i++) {
		shared->sub[i].last = newest;
		if (by_hub && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends[i]))
			scene_die("socketpair: %s", strerror(errno));
	}
	if (by_hub) {
		int to[SUBSCRIBERS];

		for (i = 0; i < n; i++)
			to[i] = ends[i][0];
		pids[all++] = child();
		if (!pids[all - 1])
			hub(to, n);
	}
	for (i = 0; i < n; i++) {
		pids[all++] = child();
		if (!pids[all - 1])
			subscriber(&shared->sub[i], by_hub ? ends[i][1] : -1);
	}
	await(all, "start");
	burst(n, seconds, &events, &took_s, &cpu_us);
	if (n)
		paced(n, seconds);
	for (i = 0; i < n; i++) {
		struct seen *s = &shared->sub[i];

		lost += s->lost + (newest - s->last);
		memcpy(us + latencies, s->us, s->latencies * sizeof(*us));
		latencies += s->latencies;
	}
	for (i = 0; i < all; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	for (i = 0; by_hub && i < n; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	qsort(us, latencies, sizeof(*us), by_value);
	printf("{\"round\": %u, \"way\": \"%s\", \"subscribers\": %u", round,
	       !n ? "nobody" : by_hub ? "hub" : "netlink", n);
	printf(", \"events_per_s\": %.2f, \"cpu_us\": %.2f, \"lost\": %llu, \"refused\": %llu",
	       (double)events / took_s, cpu_us, (unsigned long long)lost,
	       (unsigned long long)shared->refused);
	if (n)
		printf(", \"p50_us\": %u, \"p99_us\": %u", us[latencies / 2],
		       us[latencies * 99 / 100]);
	puts("}");
}

int main(int argc, char **argv)
{
	static const unsigned int sizes[] = { 1, 10, SUBSCRIBERS };
	struct holdfast_status st;
	unsigned int rounds, r, i;
	double seconds;

	if (argc != 3)
		scene_die("usage: fanout_guest SECONDS ROUNDS");
	setvbuf(stdout, NULL, _IOLBF, 0);
	seconds = atof(argv[1]);
	rounds = (unsigned int)atoi(argv[2]);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED || pipe(reports))
		scene_die("no memory or pipe");
	scene_load();
	scene_make(&array, "fanout",
		   SCENE_ATTRS("rows=4", "cols=4", "sensors=none", "limit=keeper_deadline 10000",
			       "limit=tick_late 10000"));
	scene_keeper_start(&keeper, &array, 500);
	if (scene_status(keeper.fd, &st))
		scene_die("status");
	newest = st.event_seq;
	for (r = 0; r < rounds; r++) {
		measure(r, false, 0, seconds);
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			measure(r, false, sizes[i], seconds);
			measure(r, true, sizes[i], seconds);
		}
	}
	return 0;
}
