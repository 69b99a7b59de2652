// SPDX-License-Identifier: GPL-2.0
/*
 * Using an array through a lease: frames in, verdicts out, arm and reset. No
 * pacing and no retries: a frame is never sent twice behind the caller's back.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

int holdfast_submit(struct holdfast_array *a, const void *frames, size_t bytes,
		    struct holdfast_frame_result *res, uint32_t *count)
{
	struct holdfast_submit s = {
		.size = sizeof(s),
		.frames = (uintptr_t)frames,
		.bytes = bytes,
		.results = (uintptr_t)res,
		.count = *count,
	};
	int ret;

	/* Not hf_ioctl(): after a signal part of the frames may have been taken. */
	ret = ioctl(a->fd, HOLDFAST_IOC_SUBMIT, &s) < 0 ? -errno : 0;
	*count = ret ? 0 : s.count;
	return ret;
}

ssize_t holdfast_write(struct holdfast_array *a, const void *frames, size_t bytes)
{
	ssize_t n = write(a->fd, frames, bytes);

	return n < 0 ? -errno : n;
}

int holdfast_last_verdict(struct holdfast_array *a, struct holdfast_frame_result *res)
{
	memset(res, 0, sizeof(*res));
	return hf_ioctl(a->fd, HOLDFAST_IOC_LAST_VERDICT, res);
}

size_t holdfast_frame_size(uint32_t channels, uint32_t foci)
{
	return sizeof(struct holdfast_frame) + (size_t)channels * 2 * sizeof(uint16_t) +
	       (size_t)foci * sizeof(struct holdfast_focus);
}

int holdfast_frame_fill(void *buf, size_t len, uint32_t channels, const uint16_t *phase,
			const uint16_t *amp, const struct holdfast_focus *foci, uint32_t nfoci,
			uint32_t flags, uint64_t cookie)
{
	struct holdfast_frame f = { .magic = HOLDFAST_FRAME_MAGIC, .flags = flags,
				    .channels = (uint16_t)channels, .foci = (uint16_t)nfoci,
				    .cookie = cookie };
	size_t half = (size_t)channels * sizeof(uint16_t);
	unsigned char *p = buf;

	if (!channels || channels > HOLDFAST_MAX_CHANNELS || nfoci > HOLDFAST_MAX_FOCI ||
	    flags & HOLDFAST_FRAME_COMPUTE)
		return -EINVAL;
	f.size = (uint32_t)holdfast_frame_size(channels, nfoci);
	if (len < f.size)
		return -EINVAL;
	memcpy(p, &f, sizeof(f));
	memcpy(p + sizeof(f), phase, half);
	memcpy(p + sizeof(f) + half, amp, half);
	if (nfoci)
		memcpy(p + sizeof(f) + 2 * half, foci, nfoci * sizeof(*foci));
	return (int)f.size;
}

int holdfast_focus_frame_fill(void *buf, size_t len, uint32_t channels,
			      const struct holdfast_focus *foci, uint32_t nfoci, uint32_t flags,
			      uint64_t cookie)
{
	struct holdfast_frame f = { .magic = HOLDFAST_FRAME_MAGIC,
				    .flags = flags | HOLDFAST_FRAME_COMPUTE,
				    .channels = (uint16_t)channels, .foci = (uint16_t)nfoci,
				    .cookie = cookie };
	uint32_t total = 0;

	if (!channels || channels > HOLDFAST_MAX_CHANNELS || !nfoci || nfoci > HOLDFAST_MAX_FOCI)
		return -EINVAL;
	for (uint32_t i = 0; i < nfoci; i++)
		total += foci[i].amp;
	f.size = (uint32_t)holdfast_frame_size(0, nfoci);
	if (total > UINT16_MAX || len < f.size)
		return -EINVAL;
	memcpy(buf, &f, sizeof(f));
	memcpy((unsigned char *)buf + sizeof(f), foci, nfoci * sizeof(*foci));
	return (int)f.size;
}

static int control(struct holdfast_array *a, unsigned long cmd, struct holdfast_reason *r,
		   const uint8_t *corr)
{
	struct holdfast_control c = { .size = sizeof(c) };
	int ret;

	hf_corr_in(c.corr, corr);
	ret = hf_ioctl(a->fd, cmd, &c);
	if (r)
		*r = c.reason;
	return ret;
}

int holdfast_arm_as(struct holdfast_array *a, struct holdfast_reason *r, const uint8_t *corr)
{
	return control(a, HOLDFAST_IOC_ARM, r, corr);
}

int holdfast_reset_as(struct holdfast_array *a, struct holdfast_reason *r, const uint8_t *corr)
{
	return control(a, HOLDFAST_IOC_RESET, r, corr);
}

int holdfast_arm(struct holdfast_array *a, struct holdfast_reason *r)
{
	return holdfast_arm_as(a, r, NULL);
}

int holdfast_reset(struct holdfast_array *a, struct holdfast_reason *r)
{
	return holdfast_reset_as(a, r, NULL);
}
