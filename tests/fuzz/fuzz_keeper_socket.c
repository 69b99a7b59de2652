/* links: lib */
// SPDX-License-Identifier: GPL-2.0
/*
 * One datagram to the keeper's socket: nothing but a whole, valid request
 * reaches the decision, and every datagram is answered or dropped.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int refuse(void *arg, const struct holdfast_peer *peer,
		  const struct holdfast_lease_request *req, int *lease_fd, uint64_t *lease_id,
		  char *text)
{
	const size_t *size = arg;

	if (*size != sizeof(struct hf_wire_request) || !req->rights ||
	    req->rights & ~HOLDFAST_RIGHT_ALL || peer->pid <= 0)
		abort();
	(void)lease_fd;
	(void)lease_id;
	text[0] = '\0';
	return -EACCES;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct holdfast_server *s;
	int sv[2];

	if (size > 16384 || holdfast_server_open(&s, NULL, (gid_t)-1, refuse, &size))
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv))
		abort();
	if (holdfast_server_add(s, sv[1]))
		abort();
	(void)!send(sv[0], data, size, MSG_NOSIGNAL);
	holdfast_server_run(s);
	close(sv[0]);
	holdfast_server_run(s);
	holdfast_server_close(s);
	return 0;
}
