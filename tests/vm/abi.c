// SPDX-License-Identifier: GPL-2.0
/*
 * The ABI of /dev/holdfastN and of leases, call by call: every size, flag,
 * reserved field, pointer, kind of file and capability, and every error that
 * uapi/holdfast.h documents. Also built with -m32: a 32-bit program must see
 * the same. What the calls do to an array is not tested here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "scene.h"
#include "tap.h"

#define CHANNELS	16

/* What the calls are made on. The keeper's deadline is 10 s: nobody needs to beat. */
static struct world {
	struct scene_array sim;
	int keeper;	/* the keeper's file */
	int other;	/* writable, not the keeper */
	int ro;		/* read-only */
	int lease;
	__u64 epoch;
	unsigned char *page;	/* a page, and after it none */
	size_t page_size;
} w;
