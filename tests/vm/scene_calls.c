// SPDX-License-Identifier: GPL-2.0
/*
 * The calls of uapi/holdfast.h by their plain arguments (scene.h): one ioctl
 * each, no memory between two calls.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "scene.h"

int scene_ioctl(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

int scene_info(int fd, struct holdfast_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return scene_ioctl(fd, HOLDFAST_IOC_INFO, info);
}

int scene_status(int fd, struct holdfast_status *st)
{
	memset(st, 0, sizeof(*st));
	st->size = sizeof(*st);
	return scene_ioctl(fd, HOLDFAST_IOC_STATUS, st);
}

int scene_state(int fd)
{
	struct holdfast_status st;
	int ret = scene_status(fd, &st);

	if (ret)
		scene_die("status: %s", strerror(-ret));
	return (int)st.state;
}

int scene_trip(int fd, struct holdfast_trip *t)
{
	memset(t, 0, sizeof(*t));
	t->size = sizeof(*t);
	return scene_ioctl(fd, HOLDFAST_IOC_TRIP_GET, t);
}

int scene_wait_state(int fd, enum holdfast_state state, unsigned int timeout_ms)
{
	__u64 until = scene_now_ns() + timeout_ms * SCENE_MS;

	while (scene_state(fd) != (int)state) {
		if (scene_now_ns() > until)
			return -ETIMEDOUT;
		scene_sleep_ms(2);
	}
	return 0;
}

static bool sensors_valid(int fd)
{
	struct holdfast_status st;
	__u32 i;

	if (scene_status(fd, &st))
		return false;
	for (i = 0; i < st.sensors && i < HOLDFAST_MAX_SENSORS; i++)
		if (!st.sensor[i].valid)
			return false;
	return true;
}

int scene_wait_sensors(int fd, unsigned int timeout_ms)
{
	__u64 until = scene_now_ns() + timeout_ms * SCENE_MS;

	while (!sensors_valid(fd)) {
		if (scene_now_ns() > until)
			return -ETIMEDOUT;
		scene_sleep_ms(5);
	}
	return 0;
}

int scene_silence(int fd, __u32 flags)
{
	struct holdfast_silence s = { .size = sizeof(s), .flags = flags };

	return scene_ioctl(fd, HOLDFAST_IOC_SILENCE, &s);
}

int scene_self_test(int fd, struct holdfast_self_test *t)
{
	memset(t, 0, sizeof(*t));
	t->size = sizeof(*t);
	return scene_ioctl(fd, HOLDFAST_IOC_SELF_TEST, t);
}

static int control(int fd, unsigned long cmd, __u64 epoch, struct holdfast_reason *why)
{
	struct holdfast_control c = { .size = sizeof(c), .epoch = epoch };
	int ret = scene_ioctl(fd, cmd, &c);

	if (why)
		*why = c.reason;
	return ret;
}

int scene_arm(int fd, __u64 epoch, struct holdfast_reason *why)
{
	return control(fd, HOLDFAST_IOC_ARM, epoch, why);
}

int scene_reset(int fd, __u64 epoch, struct holdfast_reason *why)
{
	return control(fd, HOLDFAST_IOC_RESET, epoch, why);
}

/* ----------------------------------------------------------------- envelopes */

void scene_env_init(struct holdfast_envelope *e, enum holdfast_envelope_which which)
{
	memset(e, 0, sizeof(*e));
	e->size = sizeof(*e);
	e->which = which;
}

void scene_env_limit(struct holdfast_envelope *e, enum holdfast_limit limit, __s64 value)
{
	e->set |= 1ULL << limit;
	e->limit[limit] = value;
}

int scene_env_get(int fd, enum holdfast_envelope_which which, struct holdfast_envelope *e)
{
	scene_env_init(e, which);
	return scene_ioctl(fd, HOLDFAST_IOC_ENVELOPE_GET, e);
}

static int site_limit(int fd, unsigned long cmd, enum holdfast_limit limit, __s64 value)
{
	struct holdfast_envelope e;

	scene_env_init(&e, HOLDFAST_ENV_SITE);
	scene_env_limit(&e, limit, value);
	return scene_ioctl(fd, cmd, &e);
}

int scene_site_set(int fd, enum holdfast_limit limit, __s64 value)
{
	return site_limit(fd, HOLDFAST_IOC_ENVELOPE_SET, limit, value);
}

int scene_site_tighten(int fd, enum holdfast_limit limit, __s64 value)
{
	return site_limit(fd, HOLDFAST_IOC_ENVELOPE_TIGHTEN, limit, value);
}

int scene_site_mask(int fd, const __u64 mask[HOLDFAST_MAX_CHANNELS / 64])
{
	struct holdfast_envelope e;

	scene_env_init(&e, HOLDFAST_ENV_SITE);
	e.set_mask = 1;
	memcpy(e.mask, mask, sizeof(e.mask));
	return scene_ioctl(fd, HOLDFAST_IOC_ENVELOPE_TIGHTEN, &e);
}

static int fence(int fd, unsigned long cmd, const struct holdfast_fence_point *p, __u32 n)
{
	struct holdfast_fence f = {
		.size = sizeof(f),
		.which = HOLDFAST_ENV_SITE,
		.count = n,
		.points = (uintptr_t)p,
	};

	return scene_ioctl(fd, cmd, &f);
}

int scene_fence_set(int fd, const struct holdfast_fence_point *p, __u32 n)
{
	return fence(fd, HOLDFAST_IOC_FENCE_SET, p, n);
}

int scene_fence_add(int fd, const struct holdfast_fence_point *p, __u32 n)
{
	return fence(fd, HOLDFAST_IOC_FENCE_ADD, p, n);
}

int scene_surface(int fd, unsigned long cmd, struct holdfast_surface_point *p, __u32 n,
		  struct holdfast_surface *u)
{
	struct holdfast_surface s = { .size = sizeof(s), .count = n, .points = (uintptr_t)p };
	int ret = scene_ioctl(fd, cmd, &s);

	if (u)
		*u = s;
	return ret;
}

int scene_seal(int fd)
{
	struct holdfast_seal s = { .size = sizeof(s) };

	return scene_ioctl(fd, HOLDFAST_IOC_SEAL, &s);
}

/* --------------------------------------------------------------------- names */

const char *scene_limit_name(__u32 limit)
{
	static const char *const names[HOLDFAST_LIM_COUNT] = {
		"amp_cap", "drive_duty", "slew_phase", "slew_amp", "frame_interval", "power_inst",
		"power_avg", "chan_rise", "array_rise", "temp_warn", "temp_crit", "temp_emerg",
		"temp_rate", "supply_min", "supply_max", "current", "current_time", "fan_min",
		"focal_pressure", "fence_pressure", "dose", "box_min_x", "box_min_y", "box_min_z",
		"box_max_x", "box_max_y", "box_max_z", "emit_max", "emit_rest", "emit_duty", "hold",
		"keeper_deadline", "sensor_stale", "reject_burst", "reject_window", "trip_dwell",
		"silence_bound", "tick_late", "surface_mean",
	};

	return limit < HOLDFAST_LIM_COUNT ? names[limit] : "none";
}

const char *scene_cause_name(__u32 cause)
{
	static const char *const names[HOLDFAST_CAUSE_COUNT] = {
		"none", "operator", "keeper_deadline", "governor_late", "sensor_thread",
		"temp_crit", "temp_emerg", "temp_rate", "supply_under", "supply_over",
		"current_over", "fan_failed", "sensor_lost", "sensor_stale", "sensor_stuck",
		"sensor_implausible", "reject_burst", "power_model", "thermal_model", "dose",
		"link_lost", "link_fault", "silence_unconfirmed", "self_test", "hw_deadman",
		"hw_removed", "suspend", "reboot", "panic", "oops", "internal",
	};

	return cause < HOLDFAST_CAUSE_COUNT ? names[cause] : "unknown";
}
