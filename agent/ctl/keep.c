// SPDX-License-Identifier: GPL-2.0
/*
 * A minimal keeper: claims, follows the events, beats, and lends out over its
 * socket. Everything in one loop that never blocks anywhere but in poll(2):
 * a keeper that is stuck must miss its beat.
 */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl.h"

#define BEAT_NS		100000000ULL

const struct ctl_option keep_options[] = {
	{ "group", 'g', "NAME", "group that may ask for leases besides root (default holdfast)" },
	{ "arm-allowed", 257, NULL, "the group may arm" },
	{ "reset-allowed", 258, NULL, "the group may reset" },
	{ "foci-only", 261, NULL, "no raw frames for the group: only foci that the driver makes" },
	{ "seal", 259, NULL, "seal the site's envelope first: it can only be tightened until reboot" },
	{ "arm", 260, NULL, "arm at once" },
	{ "quiet", 'q', NULL, "do not print events" },
	{ NULL, 0, NULL, NULL },
};

struct keeper {
	const struct ctl_keep *opt;
	struct holdfast_array *array;
	struct holdfast_keeping *keeping;
	struct holdfast_server *server;
	uint32_t index;
	gid_t gid;		/* (gid_t)-1: no group */
};

static bool in_group(const struct holdfast_peer *p, gid_t gid)
{
	if (gid == (gid_t)-1)
		return false;
	if (p->gid == gid)
		return true;
	for (size_t i = 0; i < p->ngroups; i++)
		if (p->groups[i] == gid)
			return true;
	return false;
}

static int grant(void *arg, const struct holdfast_peer *peer,
		 const struct holdfast_lease_request *req, int *lease_fd, uint64_t *lease_id,
		 char *text)
{
	struct keeper *k = arg;
	struct holdfast_lease lease = { .rights = req->rights, .duration_ms = req->duration_ms,
					.tenant = peer->uid };
	int ret;

	if (req->array != k->index) {
		snprintf(text, HOLDFAST_TEXT_LEN, "this keeper has array %" PRIu32 ", not %" PRIu32,
			 k->index, req->array);
		return -ENODEV;
	}
	if (peer->uid && !in_group(peer, k->gid)) {
		snprintf(text, HOLDFAST_TEXT_LEN, "uid %u is neither root nor in group %s",
			 peer->uid, k->opt->group ? k->opt->group : "(none)");
		return -EACCES;
	}
	if (peer->uid && req->rights & ~k->opt->rights) {
		snprintf(text, HOLDFAST_TEXT_LEN, "rights 0x%x where 0x%x is allowed for uid %u",
			 req->rights, k->opt->rights, peer->uid);
		return -EACCES;
	}
	memcpy(lease.label, req->label, sizeof(lease.label));
	lease.label[sizeof(lease.label) - 1] = '\0';
	ret = holdfast_lease_create(k->keeping, &lease);
	if (ret) {
		snprintf(text, HOLDFAST_TEXT_LEN, "the driver refuses a lease: %s", strerror(-ret));
		return ret;
	}
	*lease_fd = lease.fd;
	*lease_id = lease.id;
	return 0;
}

static void seen(const struct holdfast_event *e, void *arg)
{
	const struct keeper *k = arg;

	if (!k->opt->quiet)
		ctl_event_print(e);
}

/* Only the last folder of the path: /run/holdfast, as a package would make it. */
static void make_folder(const char *path)
{
	char folder[108];
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path || (size_t)(slash - path) >= sizeof(folder))
		return;
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	mkdir(folder, 0755);
}

static int listen_up(struct keeper *k)
{
	const struct group *g = k->opt->group ? getgrnam(k->opt->group) : NULL;
	int ret;

	k->gid = g ? g->gr_gid : (gid_t)-1;
	if (k->opt->socket)
		make_folder(k->opt->socket);
	ret = holdfast_server_open(&k->server, k->opt->socket, k->gid, grant, k);
	if (ret)
		return ctl_fail(ret, "%s", k->opt->socket ? k->opt->socket : "server");
	if (k->opt->sock < 0)
		return 0;
	ret = holdfast_server_add(k->server, k->opt->sock);
	return ret ? ctl_fail(ret, "socket") : 0;
}

static int beat(struct keeper *k)
{
	int ret = holdfast_keeping_beat(k->keeping, seen, k);

	if (ret == -ESTALE)
		return ctl_fail(ret, "another keeper has taken over");
	if (ret == -ETIME) {
		fprintf(stderr, "holdfastctl: behind the events: this beat did not count\n");
		return 0;
	}
	return ret ? ctl_fail(ret, "beat") : 0;
}

static int loop(struct keeper *k)
{
	struct pollfd p[2] = {
		{ .fd = holdfast_keeping_fd(k->keeping), .events = POLLIN },
		{ .fd = holdfast_server_fd(k->server), .events = POLLIN },
	};
	uint64_t next = ctl_now_ns() + BEAT_NS;

	while (!ctl_interrupted()) {
		uint64_t now = ctl_now_ns();
		int n = poll(p, 2, now < next ? (int)((next - now + 999999) / 1000000) : 0);
		int ret;

		if (n < 0 && errno != EINTR)
			return ctl_fail(-errno, "poll");
		/* The beat first: it must not depend on what programs ask. */
		if (p[0].revents || ctl_now_ns() >= next) {
			ret = beat(k);
			if (ret)
				return ret;
			next = ctl_now_ns() + BEAT_NS;
		}
		ret = holdfast_server_run(k->server);
		if (ret)
			return ctl_fail(ret, "socket");
		if (k->opt->sock >= 0 && !holdfast_server_added(k->server))
			return CTL_OK;
	}
	return CTL_OK;
}

/* On a busy machine a beat must not wait its turn. Without the right to it, it may have to. */
static void stay_ahead(void)
{
	const struct sched_param p = { .sched_priority = 10 };

	(void)!sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p);
}

static int prepare(struct keeper *k)
{
	struct holdfast_reason r = { 0 };
	int ret;

	stay_ahead();
	ret = beat(k);
	if (ret)
		return ret;
	if (k->opt->seal) {
		ret = holdfast_seal(k->array);
		if (ret)
			return ctl_fail(ret, "seal");
	}
	if (k->opt->arm) {
		ret = holdfast_keeping_arm(k->keeping, &r);
		if (ret)
			return ctl_fail_reason(ret, &r, "arm");
	}
	return 0;
}

int ctl_keep_run(struct ctl *c, const struct ctl_keep *opt)
{
	struct keeper k = { .opt = opt, .gid = (gid_t)-1 };
	struct holdfast_info info;
	int ret = ctl_open(c, &k.array, HOLDFAST_OPEN_WRITE);

	if (ret)
		return ret;
	ret = holdfast_info(k.array, &info);
	if (ret) {
		ret = ctl_fail(ret, "array");
		goto close;
	}
	k.index = info.index;
	/* The socket first: if it is taken, the keeper that has it must not be disturbed. */
	ret = listen_up(&k);
	if (ret)
		goto close;
	ret = holdfast_keeping_start(&k.keeping, k.array);
	if (ret) {
		ret = ctl_fail(ret, "become the keeper of array %" PRIu32, k.index);
		goto close;
	}
	ret = prepare(&k);
	if (!ret) {
		if (!opt->quiet)
			printf("keeper of array %" PRIu32 ", epoch %" PRIu64 "\n", k.index,
			       holdfast_keeping_epoch(k.keeping));
		fflush(stdout);
		ret = loop(&k);
	}
	holdfast_silence(k.array, 0);
	holdfast_lease_revoke(k.keeping, 0);
	holdfast_keeping_stop(k.keeping);
close:
	holdfast_server_close(k.server);
	holdfast_close(k.array);
	return ret;
}

int keep_read(struct ctl *c, int argc, char **argv)
{
	struct ctl_keep *k = &c->req.keep;
	int key;

	*k = (struct ctl_keep){ .group = "holdfast", .sock = -1,
				.rights = HOLDFAST_RIGHT_FRAMES | HOLDFAST_RIGHT_RAW };
	while ((key = ctl_option_next(c, argc, argv)) != -1) {
		switch (key) {
		case 'g':
			k->group = optarg;
			break;
		case 257:
			k->rights |= HOLDFAST_RIGHT_ARM;
			break;
		case 258:
			k->rights |= HOLDFAST_RIGHT_RESET;
			break;
		case 259:
			k->seal = true;
			break;
		case 260:
			k->arm = true;
			break;
		case 261:
			k->rights &= ~HOLDFAST_RIGHT_RAW;
			break;
		case 'q':
			k->quiet = true;
			break;
		default:
			return ctl_option_exit(c);
		}
	}
	k->socket = c->socket ? c->socket : HOLDFAST_KEEPER_SOCKET;
	return ctl_no_more(c, argc, argv);
}

int cmd_keep(struct ctl *c)
{
	ctl_catch_signals();
	return ctl_keep_run(c, &c->req.keep);
}
