/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whoever is in charge answers those that stand by (standby.h): that its loop runs.
 */
#ifndef HF_PRIMARY_H
#define HF_PRIMARY_H

#include "err.h"
#include "loop.h"

#define HF_PRIMARY_SOCKET	"standby.sock"	/* in the run folder; root's */
#define HF_STANDBYS		4		/* at most; more are turned away */

struct hf_primary;

/* The lock is ours: the socket of whoever had it before is replaced. Return: 0, -errno. */
int hf_primary_new(struct hf_primary **out, struct hf_loop *loop, const char *run,
		   struct hf_err *e);
void hf_primary_free(struct hf_primary *p);
/* How many stand by now. */
unsigned int hf_primary_standbys(const struct hf_primary *p);

#endif /* HF_PRIMARY_H */
