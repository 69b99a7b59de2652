/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A parent from when it wants to be in charge to its end.
 */
#ifndef HF_LIFE_H
#define HF_LIFE_H

#include "daemon.h"
#include "source.h"

/**
 * struct hf_life - see HF_LIFE_NONE
 * @config:	its file
 * @standby:	wait until nobody is in charge
 * @signals:	signalfd; @watch: of it
 * @lock:	of the run folder; -1: not ours
 * @notify, @watchdog:	while standing by
 * @primary:	NULL: nobody can stand by
 * @parent:	NULL: not yet
 */
struct hf_life {
	const char *config;
	bool standby;
	struct hf_loop *loop;
	struct hf_watch *watch;
	int signals, lock;
	struct hf_notify notify;
	struct hf_timer *watchdog;
	struct hf_takeover takeover;
	struct hf_primary *primary;
	struct hf_parent *parent;
};

#define HF_LIFE_NONE	.signals = -1, .lock = -1, .notify = { .fd = -1 }

/* Loop and signals. Return: 0, -errno. */
int hf_life_begin(struct hf_life *l, struct hf_err *e);
/*
 * Of a parent that starts its processes: the lock and what goes with it, the configuration as it
 * is by then (@source is replaced if it stood by), folders, rights.
 * Return: 0; -ECANCELED: told to end before; -EBUSY: somebody is in charge, or a restore;
 * -EINVAL: the configuration is not good any more; -errno.
 */
int hf_life_settle(struct hf_life *l, struct hf_source *source, struct hf_err *e);
void hf_life_end(struct hf_life *l);

#endif /* HF_LIFE_H */
