/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who a local peer is, given its uid and groups by the kernel: configuration
 * "peers". Pure but for looking accounts up when the table is made.
 */
#ifndef HF_PEERS_H
#define HF_PEERS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "role.h"

struct hf_peers;

#define HF_PEER_GROUPS		64	/* of a peer that are looked at */
#define HF_PEERS_GROUP		"holdfast"	/* of scripts/packaging/sysusers.d: may use arrays */

struct hf_identity {
	char name[HF_NAME_LEN];
	char tenant[HF_NAME_LEN];
	enum hf_role role;
};

/* How accounts are found; hf_system_accounts asks the system's user database. */
struct hf_accounts {
	int64_t (*user)(const char *name);	/* uid, -1: none */
	int64_t (*group)(const char *name);	/* gid, -1: none */
};
extern const struct hf_accounts hf_system_accounts;

/*
 * @list: checked configuration. An account that does not exist matches nobody;
 * @missing: how many of them. Return: 0, -ENOMEM.
 */
int hf_peers_new(struct hf_peers **out, const json_t *list, const struct hf_accounts *accounts,
		 unsigned int *missing);
void hf_peers_free(struct hf_peers *p);

/*
 * The first entry that matches; without one uid 0 is an admin, members of
 * HF_PEERS_GROUP are users, all others public. Name without one in the entry: "uid:N".
 */
void hf_peers_identify(const struct hf_peers *p, uint32_t uid, const uint32_t *gids, size_t count,
		       struct hf_identity *id);

#endif /* HF_PEERS_H */
