// SPDX-License-Identifier: GPL-2.0
/*
 * Arming and what may not be done then; envelope, fence, seal: each answer that there is.
 */
#include "abi.h"

void test_control(void)
{
	struct holdfast_self_test t = { .size = sizeof(t) };
	struct holdfast_reason why;
	int keeper = w.b.keeper.fd;

	want(scene_arm(w.other, w.epoch, NULL), EPERM, "arm by a file that is no keeper");
	want(scene_arm(keeper, w.epoch, NULL), 0, "arm");
	want(scene_arm(keeper, w.epoch, NULL), EBUSY, "arm when armed");
	want(scene_reset(keeper, w.epoch, NULL), EBUSY, "reset when not tripped");
	want(scene_self_test(keeper, &t), EBUSY, "self-test when armed");
	want(scene_site_set(keeper, HOLDFAST_LIM_HOLD, 100), EBUSY, "loosening when armed");
	want(scene_fence_set(keeper, NULL, 0), EBUSY, "new fence when armed");
	want(scene_silence(w.ro, 0), 0, "silence by a read-only file");
	want(scene_self_test(w.ro, &t), EBADF, "self-test by a read-only file");
	want(scene_self_test(w.other, &t), 0, "self-test by any other");
	check(!t.failed && t.run == (HOLDFAST_TEST_RULES | HOLDFAST_TEST_SILENCE |
				     HOLDFAST_TEST_SENSORS | HOLDFAST_TEST_HARDWARE |
				     HOLDFAST_TEST_TIMER), "run %#x, failed %#x", t.run, t.failed);
	want(scene_site_set(keeper, HOLDFAST_LIM_SILENCE_BOUND, 10), 0, "bound below the hardware's");
	want(scene_arm(keeper, w.epoch, &why), ERANGE, "arm hardware that is too slow");
	check(why.limit == HOLDFAST_LIM_SILENCE_BOUND && why.measured == 100 && why.bound == 10,
	      "reason %s %lld %lld", scene_limit_name(why.limit), why.measured, why.bound);
	want(scene_site_set(keeper, HOLDFAST_LIM_SILENCE_BOUND, 10000000), 0, "loosened again");
	result("arm, reset, silence, self-test");
}

/* One limit; the reason in @why. */
static int site(int fd, unsigned long cmd, __u32 limit, __s64 value, struct holdfast_reason *why)
{
	struct holdfast_envelope e;
	int ret;

	scene_env_init(&e, HOLDFAST_ENV_SITE);
	scene_env_limit(&e, limit, value);
	ret = scene_ioctl(fd, cmd, &e);
	*why = e.reason;
	return ret;
}

static void unprivileged_site(void)
{
	struct holdfast_reason why;
	const struct holdfast_fence_point p = { 0, 0, 500000, 4000000000U };

	want(site(w.other, HOLDFAST_IOC_ENVELOPE_SET, HOLDFAST_LIM_HOLD, 300, &why), EPERM, "set");
	want(site(w.b.keeper.fd, HOLDFAST_IOC_ENVELOPE_SET, HOLDFAST_LIM_HOLD, 300, &why), EPERM,
	     "set by the keeper");
	want(site(w.other, HOLDFAST_IOC_ENVELOPE_TIGHTEN, HOLDFAST_LIM_HOLD, 300, &why), EPERM,
	     "tighten");
	want(site(w.b.keeper.fd, HOLDFAST_IOC_ENVELOPE_TIGHTEN, HOLDFAST_LIM_HOLD, 300, &why), 0,
	     "tighten by the keeper");
	want(scene_fence_set(w.b.keeper.fd, NULL, 0), EPERM, "fence");
	want(scene_fence_add(w.other, &p, 1), EPERM, "fence point");
	want(scene_fence_add(w.b.keeper.fd, &p, 1), 0, "fence point by the keeper");
	want(scene_seal(w.other), EPERM, "seal");
	want(scene_seal(w.b.keeper.fd), EPERM, "seal by the keeper");
}

/* Everything that needs no privilege works without any. */
static void no_privilege(void)
{
	struct holdfast_status st;
	struct holdfast_trip t;

	want(scene_status(w.ro, &st), 0, "status");
	want(scene_trip(w.ro, &t), 0, "trip record");
	want(scene_silence(w.ro, 0), 0, "silence");
	want(scene_silence(w.ro, HOLDFAST_SILENCE_LATCH), 0, "latched silence");
	want(claim(w.other), EPERM, "claim");
}

void test_envelope(void)
{
	struct holdfast_envelope e;
	struct holdfast_reason why;
	int fd = w.b.keeper.fd, i;

	want(scene_env_get(w.ro, HOLDFAST_ENV_LEASE, &e), EINVAL, "a lease's, of the node");
	want(scene_env_get(w.b.lease, HOLDFAST_ENV_LEASE, &e), 0, "a lease's");
	for (i = 4; i < 8; i++)
		want(scene_env_get(w.ro, i, &e), EINVAL, "which %d", i);
	for (i = 0; i < 4; i++) {
		scene_env_init(&e, i);
		want(scene_ioctl(fd, HOLDFAST_IOC_ENVELOPE_SET, &e),
		     i == HOLDFAST_ENV_SITE ? 0 : EINVAL, "set of which %d", i);
	}
	scene_env_init(&e, HOLDFAST_ENV_SITE);
	e.set = 1ULL << HOLDFAST_LIM_COUNT;
	want(scene_ioctl(fd, HOLDFAST_IOC_ENVELOPE_SET, &e), EINVAL, "unknown limit");
	scene_env_init(&e, HOLDFAST_ENV_SITE);
	e.set_mask = 2;
	want(scene_ioctl(fd, HOLDFAST_IOC_ENVELOPE_SET, &e), EINVAL, "set_mask 2");
	scene_env_init(&e, HOLDFAST_ENV_SITE);
	e.generation = 1;
	want(scene_ioctl(fd, HOLDFAST_IOC_ENVELOPE_SET, &e), EINVAL, "generation given");
	scene_env_init(&e, HOLDFAST_ENV_SITE);
	e.sealed = 1;
	want(scene_ioctl(fd, HOLDFAST_IOC_ENVELOPE_SET, &e), EINVAL, "sealed given");

	want(site(fd, HOLDFAST_IOC_ENVELOPE_SET, HOLDFAST_LIM_HOLD, 0, &why), ERANGE, "out of range");
	check(why.limit == HOLDFAST_LIM_HOLD && why.measured == 0 && why.bound == 1,
	      "reason %s %lld %lld", scene_limit_name(why.limit), why.measured, why.bound);
	want(site(fd, HOLDFAST_IOC_ENVELOPE_SET, HOLDFAST_LIM_SUPPLY_MIN, 30000, &why), ERANGE,
	     "a floor above the nameplate's ceiling");
	check(why.limit == HOLDFAST_LIM_SUPPLY_MIN, "reason %s", scene_limit_name(why.limit));
	want(site(fd, HOLDFAST_IOC_ENVELOPE_SET, HOLDFAST_LIM_HOLD, 400, &why), 0, "set");
	want(site(fd, HOLDFAST_IOC_ENVELOPE_TIGHTEN, HOLDFAST_LIM_HOLD, 401, &why), EPERM,
	     "tighten to a looser value");
	check(why.limit == HOLDFAST_LIM_HOLD && why.measured == 401 && why.bound == 400,
	      "reason %s %lld %lld", scene_limit_name(why.limit), why.measured, why.bound);
	want(site(fd, HOLDFAST_IOC_ENVELOPE_TIGHTEN, HOLDFAST_LIM_HOLD, 350, &why), 0, "tighten");
	want(site(fd, HOLDFAST_IOC_ENVELOPE_SET, HOLDFAST_LIM_HOLD, 400, &why), 0, "loosen again");
	without_cap(CAP_SYS_ADMIN, unprivileged_site);
	without_cap(-1, no_privilege);
	want(scene_reset(fd, w.epoch, NULL), 0, "reset");
	want(scene_fence_set(fd, NULL, 0), 0, "no fence");
	result("envelope get, set and tighten");
}

static int fence_get(int fd, __u32 which, void *points, __u32 *count)
{
	struct holdfast_fence f = { .size = sizeof(f), .which = which, .count = *count,
				    .points = (uintptr_t)points };
	int ret = scene_ioctl(fd, HOLDFAST_IOC_FENCE_GET, &f);

	*count = f.count;
	return ret;
}

void test_fence(void)
{
	static struct holdfast_fence_point p[HOLDFAST_MAX_FENCE + 1], got[2];
	int fd = w.b.keeper.fd;
	__u32 i, n;

	for (i = 0; i <= HOLDFAST_MAX_FENCE; i++)
		p[i] = (struct holdfast_fence_point){ (__s32)i * 1000, 0, 500000, 4000000000U };
	scene_silence(fd, 0);
	want(scene_fence_set(fd, p, HOLDFAST_MAX_FENCE + 1), ENOSPC, "65 points");
	want(scene_fence_set(fd, w.hole, 1), EFAULT, "points nowhere");
	want(scene_fence_set(fd, p, HOLDFAST_MAX_FENCE), 0, "64 points");
	want(scene_fence_add(fd, p + HOLDFAST_MAX_FENCE, 1), ENOSPC, "one more");
	p[5].limit_mpa = 100;
	want(scene_fence_add(fd, p + 5, 1), 0, "one at a place that is taken, tighter");
	n = 2;
	want(fence_get(w.ro, HOLDFAST_ENV_SITE, got, &n), 0, "get");
	check(n == HOLDFAST_MAX_FENCE && got[1].x_um == 1000, "%u points, x %d", n, got[1].x_um);
	n = 1;
	want(fence_get(w.ro, HOLDFAST_ENV_EFFECTIVE, w.hole, &n), EFAULT, "get to nowhere");
	n = 0;
	want(fence_get(w.ro, HOLDFAST_ENV_LEASE, NULL, &n), EINVAL, "a lease's, of the node");
	want(fence_get(w.ro, 4, NULL, &n), EINVAL, "which 4");
	p[0].z_um = -10000001;
	want(scene_fence_set(fd, p, 1), ERANGE, "a point too far away");
	want(scene_fence_set(fd, NULL, 0), 0, "none");
	result("fence");
}

void test_seal(void)
{
	struct holdfast_reason why;
	struct holdfast_envelope e;
	int fd = w.b.keeper.fd;

	want(scene_seal(fd), 0, "seal");
	want(scene_seal(w.ro), 0, "again, by a read-only file");
	want(site(fd, HOLDFAST_IOC_ENVELOPE_SET, HOLDFAST_LIM_HOLD, 200, &why), EPERM, "set");
	want(scene_fence_set(fd, NULL, 0), EPERM, "new fence");
	want(site(fd, HOLDFAST_IOC_ENVELOPE_TIGHTEN, HOLDFAST_LIM_HOLD, 200, &why), 0, "tighten");
	want(site(fd, HOLDFAST_IOC_ENVELOPE_TIGHTEN, HOLDFAST_LIM_HOLD, 201, &why), EPERM, "loosen");
	want(scene_env_get(fd, HOLDFAST_ENV_SITE, &e), 0, "get");
	check(e.sealed == 1 && e.limit[HOLDFAST_LIM_HOLD] == 200, "sealed %u, hold %lld", e.sealed,
	      e.limit[HOLDFAST_LIM_HOLD]);
	result("seal");
}
