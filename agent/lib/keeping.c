// SPDX-License-Identifier: GPL-2.0
/*
 * Being the keeper: claim, follow the safety events, beat, lend out. A beat is
 * only ever sent after all events there were have been handed to the caller,
 * so that a keeper that hangs in one of them stops beating.
 */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

#define HF_BEAT_TRIES	3

struct holdfast_keeping {
	struct holdfast_array *array;
	struct holdfast_events *events;
	uint64_t epoch;
	uint64_t handled;	/* last event handed to the caller */
	uint32_t deadline_ms;
};

/* A keeper wants to know who; without the right to, it supervises all the same. */
static int follow(struct holdfast_keeping *k, uint32_t index, uint64_t since)
{
	int ret = holdfast_events_open(&k->events, index, HOLDFAST_GROUP_AUDIT, since);

	if (ret != -EPERM)
		return ret;
	return holdfast_events_open(&k->events, index, HOLDFAST_GROUP_SAFETY, since);
}

int holdfast_keeping_start(struct holdfast_keeping **out, struct holdfast_array *a)
{
	struct holdfast_keeper claim = { .size = sizeof(claim) };
	struct holdfast_info info;
	struct holdfast_keeping *k;
	int ret;

	ret = holdfast_info(a, &info);
	if (ret)
		return ret;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->array = a;
	ret = hf_ioctl(a->fd, HOLDFAST_IOC_KEEPER_CLAIM, &claim);
	if (!ret)
		ret = follow(k, info.index, claim.event_seq);
	if (ret) {
		free(k);
		return ret;
	}
	k->epoch = claim.epoch;
	k->handled = claim.event_seq;
	k->deadline_ms = claim.deadline_ms;
	*out = k;
	return 0;
}

void holdfast_keeping_stop(struct holdfast_keeping *k)
{
	if (!k)
		return;
	holdfast_events_close(k->events);
	free(k);
}

uint64_t holdfast_keeping_epoch(const struct holdfast_keeping *k)
{
	return k->epoch;
}

uint32_t holdfast_keeping_deadline_ms(const struct holdfast_keeping *k)
{
	return k->deadline_ms;
}

int holdfast_keeping_fd(const struct holdfast_keeping *k)
{
	return holdfast_events_fd(k->events);
}

static int drain(struct holdfast_keeping *k,
		 void (*seen)(const struct holdfast_event *e, void *arg), void *arg)
{
	struct holdfast_event e;
	int ret;

	while (!(ret = holdfast_events_next(k->events, &e))) {
		if (seen)
			seen(&e, arg);
		k->handled = e.seq;
	}
	return ret == -EAGAIN ? 0 : ret;
}

int holdfast_keeping_beat(struct holdfast_keeping *k,
			  void (*seen)(const struct holdfast_event *e, void *arg), void *arg)
{
	int ret = 0;

	for (int i = 0; i < HF_BEAT_TRIES; i++) {
		struct holdfast_beat b = { .size = sizeof(b), .epoch = k->epoch };

		ret = drain(k, seen, arg);
		if (ret)
			return ret;
		b.event_seq = k->handled;
		ret = hf_ioctl(k->array->fd, HOLDFAST_IOC_BEAT, &b);
		if (ret != -ETIME)
			return ret;
	}
	return ret;
}

int holdfast_lease_create(struct holdfast_keeping *k, struct holdfast_lease *lease)
{
	lease->size = sizeof(*lease);
	lease->epoch = k->epoch;
	lease->fd = -1;
	return hf_ioctl(k->array->fd, HOLDFAST_IOC_LEASE_CREATE, lease);
}

int holdfast_lease_revoke_as(struct holdfast_keeping *k, uint64_t id, const uint8_t *corr)
{
	struct holdfast_lease_ref ref = { .size = sizeof(ref), .epoch = k->epoch, .id = id };

	hf_corr_in(ref.corr, corr);
	return hf_ioctl(k->array->fd, HOLDFAST_IOC_LEASE_REVOKE, &ref);
}

int holdfast_lease_revoke(struct holdfast_keeping *k, uint64_t id)
{
	return holdfast_lease_revoke_as(k, id, NULL);
}

int holdfast_quota_set(struct holdfast_keeping *k, struct holdfast_quota *q)
{
	q->size = sizeof(*q);
	q->epoch = k->epoch;
	return hf_ioctl(k->array->fd, HOLDFAST_IOC_QUOTA_SET, q);
}

static int control(struct holdfast_keeping *k, unsigned long cmd, struct holdfast_reason *r,
		   const uint8_t *corr)
{
	struct holdfast_control c = { .size = sizeof(c), .epoch = k->epoch };
	int ret;

	hf_corr_in(c.corr, corr);
	ret = hf_ioctl(k->array->fd, cmd, &c);
	if (r)
		*r = c.reason;
	return ret;
}

int holdfast_keeping_arm_as(struct holdfast_keeping *k, struct holdfast_reason *r,
			    const uint8_t *corr)
{
	return control(k, HOLDFAST_IOC_ARM, r, corr);
}

int holdfast_keeping_reset_as(struct holdfast_keeping *k, struct holdfast_reason *r,
			      const uint8_t *corr)
{
	return control(k, HOLDFAST_IOC_RESET, r, corr);
}

int holdfast_keeping_arm(struct holdfast_keeping *k, struct holdfast_reason *r)
{
	return holdfast_keeping_arm_as(k, r, NULL);
}

int holdfast_keeping_reset(struct holdfast_keeping *k, struct holdfast_reason *r)
{
	return holdfast_keeping_reset_as(k, r, NULL);
}
