// SPDX-License-Identifier: GPL-2.0
/*
 * Capabilities of the parent: one table. It uses few itself; the others only
 * pass through to the process that needs them, which is started as root and
 * narrows itself (sandbox.c).
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "log.h"
#include "rights.h"

#define EVERY_CHILD	(~0U)
#define ONLY(role)	(1U << (role))

/**
 * struct right - one capability
 * @own:	the parent uses it
 * @settling:	it uses it only until the folders are there
 * @heirs:	processes that may start with it
 * @must:	nothing works without it
 */
static const struct right {
	cap_value_t cap;
	const char *name;
	bool own, settling, must;
	unsigned int heirs;
} rights[] = {
	{ CAP_SETUID, "CAP_SETUID", .heirs = EVERY_CHILD, .must = true },
	{ CAP_SETGID, "CAP_SETGID", .heirs = EVERY_CHILD, .must = true },
	{ CAP_SETPCAP, "CAP_SETPCAP", .own = true, .heirs = EVERY_CHILD, .must = true },
	{ CAP_KILL, "CAP_KILL", .own = true, .must = true },
	{ CAP_CHOWN, "CAP_CHOWN", .own = true, .settling = true,
	  .heirs = ONLY(HF_PROC_KEEPER) },	/* the group of its socket */
	{ CAP_SYS_RAWIO, "CAP_SYS_RAWIO", .heirs = ONLY(HF_PROC_KEEPER) },
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN", .heirs = ONLY(HF_PROC_KEEPER) },
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN", .heirs = ONLY(HF_PROC_KEEPER) },
	{ CAP_SYS_NICE, "CAP_SYS_NICE", .heirs = ONLY(HF_PROC_KEEPER) },
};

#define RIGHTS	(sizeof(rights) / sizeof(rights[0]))

static const struct right *right_find(cap_value_t cap)
{
	for (size_t i = 0; i < RIGHTS; i++)
		if (rights[i].cap == cap)
			return &rights[i];
	return NULL;
}

/* Permitted: those of the table that there are. Effective: those that are (@settled: still) used. */
static int narrow(bool settled, struct hf_err *e)
{
	cap_t have = cap_get_proc(), want = cap_init();
	int ret = have && want ? 0 : -ENOMEM;

	for (size_t i = 0; i < RIGHTS && !ret; i++) {
		const struct right *r = &rights[i];
		cap_flag_value_t there = CAP_CLEAR;

		cap_get_flag(have, r->cap, CAP_PERMITTED, &there);
		if (there == CAP_CLEAR && r->must)
			ret = hf_fail(e, -EPERM, "%s is missing: start as root with it", r->name);
		if (there == CAP_SET)
			cap_set_flag(want, CAP_PERMITTED, 1, &r->cap, CAP_SET);
		if (there == CAP_SET && r->own && !(r->settling && settled))
			cap_set_flag(want, CAP_EFFECTIVE, 1, &r->cap, CAP_SET);
	}
	if (!ret && cap_set_proc(want))
		ret = hf_fail(e, -errno, "capabilities: %s", strerror(errno));
	if (have)
		cap_free(have);
	if (want)
		cap_free(want);
	return ret;
}

int hf_rights_parent(struct hf_err *e)
{
	/* Bounding first, while CAP_SETPCAP is effective. */
	for (cap_value_t c = 0; prctl(PR_CAPBSET_READ, c) >= 0; c++)
		if (!right_find(c) && prctl(PR_CAPBSET_DROP, c))
			return hf_fail(e, -errno, "capability %d: %s (start as root)", c,
				       strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return hf_fail(e, -errno, "no_new_privs: %s", strerror(errno));
	return narrow(false, e);
}

int hf_rights_settled(struct hf_err *e)
{
	return narrow(true, e);
}

int hf_rights_child(enum hf_proc role)
{
	for (size_t i = 0; i < RIGHTS; i++)
		if (!(rights[i].heirs & 1U << role) && prctl(PR_CAPBSET_DROP, rights[i].cap))
			return -errno;
	return 0;
}

int hf_rights_none(struct hf_err *e)
{
	cap_t none = cap_init(), have = cap_get_proc();
	int ret = none && have ? 0 : -ENOMEM;

	if (!geteuid() || !getuid())
		ret = hf_fail(e, -EPERM, "--attach: must not be root (the unit has User=)");
	for (cap_value_t c = 0; !ret && prctl(PR_CAPBSET_READ, c) >= 0; c++)
		if (prctl(PR_CAPBSET_READ, c))
			ret = hf_fail(e, -EPERM, "capability %d is in the bounding set; none may be",
				      c);
	if (!ret && cap_compare(have, none))
		ret = hf_fail(e, -EPERM, "--attach: has capabilities; none may be");
	if (!ret && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		ret = hf_fail(e, -errno, "no_new_privs: %s", strerror(errno));
	if (have)
		cap_free(have);
	if (none)
		cap_free(none);
	return ret;
}
