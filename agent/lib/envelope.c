// SPDX-License-Identifier: GPL-2.0
/*
 * The site's envelope, fence and surface, as asked of the kernel. No judgement of
 * limits here: the kernel alone decides what is tighter.
 */
#include <errno.h>
#include <stdint.h>

#include "internal.h"

int holdfast_envelope_get(struct holdfast_array *a, uint32_t which, struct holdfast_envelope *env)
{
	*env = (struct holdfast_envelope){ .size = sizeof(*env), .which = which };
	return hf_ioctl(a->fd, HOLDFAST_IOC_ENVELOPE_GET, env);
}

static int envelope_put(struct holdfast_array *a, unsigned long cmd, struct holdfast_envelope *env)
{
	env->size = sizeof(*env);
	env->which = HOLDFAST_ENV_SITE;
	env->generation = 0;
	env->sealed = 0;
	env->reason = (struct holdfast_reason){ 0 };
	return hf_ioctl(a->fd, cmd, env);
}

int holdfast_envelope_set(struct holdfast_array *a, struct holdfast_envelope *env)
{
	return envelope_put(a, HOLDFAST_IOC_ENVELOPE_SET, env);
}

int holdfast_envelope_tighten(struct holdfast_array *a, struct holdfast_envelope *env)
{
	return envelope_put(a, HOLDFAST_IOC_ENVELOPE_TIGHTEN, env);
}

int holdfast_seal(struct holdfast_array *a)
{
	struct holdfast_seal s = { .size = sizeof(s) };

	return hf_ioctl(a->fd, HOLDFAST_IOC_SEAL, &s);
}

int holdfast_fence_get(struct holdfast_array *a, uint32_t which, struct holdfast_fence_point *p,
		       size_t room)
{
	struct holdfast_fence f = {
		.size = sizeof(f),
		.which = which,
		.count = room > HOLDFAST_MAX_FENCE ? HOLDFAST_MAX_FENCE : (uint32_t)room,
		.points = (uintptr_t)p,
	};
	int ret = hf_ioctl(a->fd, HOLDFAST_IOC_FENCE_GET, &f);

	return ret ? ret : (int)f.count;
}

static int fence_put(struct holdfast_array *a, unsigned long cmd,
		     const struct holdfast_fence_point *p, size_t n, struct holdfast_reason *r)
{
	struct holdfast_fence f = {
		.size = sizeof(f),
		.which = HOLDFAST_ENV_SITE,
		.count = (uint32_t)n,
		.points = (uintptr_t)p,
	};
	int ret;

	if (n > HOLDFAST_MAX_FENCE)
		return -ENOSPC;
	ret = hf_ioctl(a->fd, cmd, &f);
	if (r)
		*r = f.reason;
	return ret;
}

int holdfast_fence_set(struct holdfast_array *a, const struct holdfast_fence_point *p, size_t n,
		       struct holdfast_reason *r)
{
	return fence_put(a, HOLDFAST_IOC_FENCE_SET, p, n, r);
}

int holdfast_fence_add(struct holdfast_array *a, const struct holdfast_fence_point *p, size_t n,
		       struct holdfast_reason *r)
{
	return fence_put(a, HOLDFAST_IOC_FENCE_ADD, p, n, r);
}

static int surface_call(struct holdfast_array *a, unsigned long cmd,
			const struct holdfast_surface_point *p, size_t n, struct holdfast_surface *s)
{
	*s = (struct holdfast_surface){
		.size = sizeof(*s),
		.count = n > HOLDFAST_MAX_SURFACE ? HOLDFAST_MAX_SURFACE : (uint32_t)n,
		.points = (uintptr_t)p,
	};
	return hf_ioctl(a->fd, cmd, s);
}

int holdfast_surface_get(struct holdfast_array *a, struct holdfast_surface_point *p, size_t room,
			 struct holdfast_surface *s)
{
	struct holdfast_surface u;
	int ret = surface_call(a, HOLDFAST_IOC_SURFACE_GET, p, room, &u);

	if (s)
		*s = u;
	return ret ? ret : (int)u.count;
}

static int surface_put(struct holdfast_array *a, unsigned long cmd,
		       const struct holdfast_surface_point *p, size_t n, struct holdfast_reason *r)
{
	struct holdfast_surface s;
	int ret = n > HOLDFAST_MAX_SURFACE ? -ENOSPC : surface_call(a, cmd, p, n, &s);

	if (r && n <= HOLDFAST_MAX_SURFACE)
		*r = s.reason;
	return ret;
}

int holdfast_surface_set(struct holdfast_array *a, const struct holdfast_surface_point *p, size_t n,
			 struct holdfast_reason *r)
{
	return surface_put(a, HOLDFAST_IOC_SURFACE_SET, p, n, r);
}

int holdfast_surface_add(struct holdfast_array *a, const struct holdfast_surface_point *p, size_t n,
			 struct holdfast_reason *r)
{
	return surface_put(a, HOLDFAST_IOC_SURFACE_ADD, p, n, r);
}
