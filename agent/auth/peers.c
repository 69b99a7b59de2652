// SPDX-License-Identifier: GPL-2.0
/*
 * The table of local accounts, with names turned into numbers.
 */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "peers.h"

#define ENTRIES_MAX	256

struct entry {
	int64_t uid, gid;	/* -1: not by it */
	struct hf_identity id;	/* name "": of the peer */
};

struct hf_peers {
	int64_t group;		/* HF_PEERS_GROUP, -1: there is none */
	size_t count;
	struct entry e[ENTRIES_MAX];
};

static int64_t system_user(const char *name)
{
	char buf[4096];
	struct passwd p, *found = NULL;

	getpwnam_r(name, &p, buf, sizeof(buf), &found);
	return found ? (int64_t)found->pw_uid : -1;
}

static int64_t system_group(const char *name)
{
	char buf[32768];	/* with the names of all members */
	struct group g, *found = NULL;

	getgrnam_r(name, &g, buf, sizeof(buf), &found);
	return found ? (int64_t)found->gr_gid : -1;
}

const struct hf_accounts hf_system_accounts = { system_user, system_group };

static void read_entry(struct entry *e, const json_t *j, const struct hf_accounts *accounts)
{
	const char *user = hf_config_text_or(j, "user", NULL), *group = hf_config_text_or(j, "group", NULL);
	const char *name = hf_config_text_or(j, "name", "");

	e->uid = user ? accounts->user(user) : hf_config_int_or(j, "uid", -1);
	e->gid = group ? accounts->group(group) : -1;
	snprintf(e->id.name, sizeof(e->id.name), "%s", name[0] || !user ? name : user);
	snprintf(e->id.tenant, sizeof(e->id.tenant), "%s", hf_config_text_or(j, "tenant", ""));
	e->id.role = (enum hf_role)hf_role_parse(hf_config_text(j, "role"));
}

int hf_peers_new(struct hf_peers **out, const json_t *list, const struct hf_accounts *accounts,
		 unsigned int *missing)
{
	struct hf_peers *p = calloc(1, sizeof(*p));
	const json_t *j;
	size_t i;

	if (!p)
		return -ENOMEM;
	*missing = 0;
	p->group = accounts->group(HF_PEERS_GROUP);
	json_array_foreach(list, i, j) {
		struct entry *e = &p->e[p->count];

		if (p->count == ENTRIES_MAX)
			break;
		read_entry(e, j, accounts);
		if (e->uid < 0 && e->gid < 0)
			++*missing;
		else
			p->count++;
	}
	*out = p;
	return 0;
}

void hf_peers_free(struct hf_peers *p)
{
	free(p);
}

static bool member(const uint32_t *gids, size_t count, int64_t gid)
{
	for (size_t i = 0; gid >= 0 && i < count; i++)
		if (gids[i] == gid)
			return true;
	return false;
}

void hf_peers_identify(const struct hf_peers *p, uint32_t uid, const uint32_t *gids, size_t count,
		       struct hf_identity *id)
{
	memset(id, 0, sizeof(*id));
	id->role = uid == 0 ? HF_ROLE_ADMIN : member(gids, count, p->group) ? HF_ROLE_USER : HF_ROLE_PUBLIC;
	for (size_t i = 0; i < p->count; i++) {
		const struct entry *e = &p->e[i];

		if (e->uid == (int64_t)uid || member(gids, count, e->gid)) {
			*id = e->id;
			break;
		}
	}
	if (!id->name[0])
		snprintf(id->name, sizeof(id->name), "uid:%" PRIu32, uid);
}
