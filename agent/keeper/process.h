/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The keeper with what it has only as a process of the agent. Tests make it with
 * a driver of their own before the first configuration comes.
 */
#ifndef HF_KEEPER_PROCESS_H
#define HF_KEEPER_PROCESS_H

#include "keeper.h"
#include "service.h"

/**
 * struct hf_process - the keeper, the data of its service
 * @plug:	inotify of /dev
 * @lock:	keep all memory in place
 */
struct hf_process {
	struct hf_keeper k;
	struct hf_watch *plug_watch;
	struct hf_timer *stopping;
	uint64_t stop_ns;
	int plug;
	bool lock;
};

/* Made by the first configuration if it is not there. Return: 0, -errno (freed with the service).
 */
int hf_process_new(struct hf_service *s, const struct hf_device *device, bool lock);

#endif /* HF_KEEPER_PROCESS_H */
