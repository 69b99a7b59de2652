/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Listening sockets, and who is at the other end of a connection.
 */
#ifndef HF_LISTEN_H
#define HF_LISTEN_H

#include "settings.h"

#define HF_PEER_GIDS	256

/* What the kernel says about a local peer. */
struct hf_peer {
	uint32_t uid;
	int32_t pid;
	uint32_t n_gids;
	uint32_t gids[HF_PEER_GIDS];
};

/* With full rights, before the sandbox. Return: the socket, -errno and why. */
int hf_listen(const struct hf_settings *s, struct hf_err *e);
/* Of a connected unix socket. Return: 0, -errno. */
int hf_peer_of(int fd, struct hf_peer *p);

#endif /* HF_LISTEN_H */
