// SPDX-License-Identifier: GPL-2.0
/*
 * Each call of the table in one that looks at the clock before and after. The
 * table's functions have no argument of their own: the counts are the process's.
 */
#include <string.h>

#include "histogram.h"
#include "log.h"
#include "timed.h"

#define SLOW_NS		(50 * HF_MS)	/* a tenth of the shortest deadline that one would give a keeper */

/* X(what metrics call it) */
#define CALLS(X) \
	X(status) X(silence) X(trip) X(blackbox) X(leases) X(tenants) X(limits) X(fence) X(seal) \
	X(keep) X(beat) X(lease) X(revoke) X(arm) X(reset) X(quota) X(past)

enum {
#define ONE(name) CALL_##name,
	CALLS(ONE)
#undef ONE
	CALL_COUNT
};

static const char *const names[] = {
#define ONE(name) #name,
	CALLS(ONE)
#undef ONE
};

static struct {
	const struct hf_device *real;
	const struct hf_clock *clock;
	struct hf_histogram time[CALL_COUNT];
	uint64_t failed[CALL_COUNT];
} timed;

static int taken(unsigned int call, uint64_t begin_ns, int ret)
{
	uint64_t ns = hf_mono_ns(timed.clock) - begin_ns;

	hf_histogram_add(&timed.time[call], ns);
	timed.failed[call] += ret < 0;
	if (ns >= SLOW_NS)
		hf_log_perf("driver.slow", NULL, "%s took %u ms", names[call], (unsigned int)(ns / HF_MS));
	return ret;
}

#define TIMED(call, fn, args, ...) \
	static int timed_##fn args \
	{ \
		uint64_t begin_ns = hf_mono_ns(timed.clock); \
		\
		return taken(CALL_##call, begin_ns, timed.real->fn(__VA_ARGS__)); \
	}

TIMED(status, status, (struct holdfast_array *a, struct holdfast_status *st), a, st)
TIMED(silence, silence, (struct holdfast_array *a, uint32_t flags, const uint8_t *corr), a, flags, corr)
TIMED(trip, trip, (struct holdfast_array *a, struct holdfast_trip *trip), a, trip)
TIMED(blackbox, blackbox, (struct holdfast_array *a, struct holdfast_blackbox_entry *e, size_t room,
			   bool *frozen), a, e, room, frozen)
TIMED(leases, leases, (struct holdfast_array *a, struct holdfast_lease_info *li, size_t room), a, li, room)
TIMED(tenants, tenants, (struct holdfast_array *a, struct holdfast_tenant_info *ti, size_t room),
      a, ti, room)
TIMED(limits, envelope_get, (struct holdfast_array *a, uint32_t which, struct holdfast_envelope *env),
      a, which, env)
TIMED(limits, envelope_set, (struct holdfast_array *a, struct holdfast_envelope *env), a, env)
TIMED(limits, envelope_tighten, (struct holdfast_array *a, struct holdfast_envelope *env), a, env)
TIMED(fence, fence_get, (struct holdfast_array *a, uint32_t which, struct holdfast_fence_point *p,
			 size_t room), a, which, p, room)
TIMED(fence, fence_set, (struct holdfast_array *a, const struct holdfast_fence_point *p, size_t n,
			 struct holdfast_reason *r), a, p, n, r)
TIMED(fence, fence_add, (struct holdfast_array *a, const struct holdfast_fence_point *p, size_t n,
			 struct holdfast_reason *r), a, p, n, r)
TIMED(seal, seal, (struct holdfast_array *a), a)
TIMED(keep, keep, (struct holdfast_keeping **out, struct holdfast_array *a), out, a)
TIMED(beat, beat, (struct holdfast_keeping *k, hf_event_fn seen, void *arg), k, seen, arg)
TIMED(lease, lease, (struct holdfast_keeping *k, struct holdfast_lease *lease), k, lease)
TIMED(revoke, revoke, (struct holdfast_keeping *k, uint64_t id, const uint8_t *corr), k, id, corr)
TIMED(arm, arm, (struct holdfast_keeping *k, struct holdfast_reason *r, const uint8_t *corr), k, r, corr)
TIMED(reset, reset, (struct holdfast_keeping *k, struct holdfast_reason *r, const uint8_t *corr),
      k, r, corr)
TIMED(quota, quota, (struct holdfast_keeping *k, struct holdfast_quota *q), k, q)
TIMED(past, past, (uint32_t index, uint64_t since, hf_event_fn seen, void *arg), index, since, seen, arg)

const struct hf_device *hf_timed_device(const struct hf_device *real, const struct hf_clock *clock)
{
	static struct hf_device device;

	memset(&timed, 0, sizeof(timed));
	timed.real = real;
	timed.clock = clock;
	device = *real;		/* what is not timed is the real one's */
#define TAKE(fn) (device.fn = timed_##fn)
	TAKE(status), TAKE(silence), TAKE(trip), TAKE(blackbox), TAKE(leases), TAKE(tenants);
	TAKE(envelope_get), TAKE(envelope_set), TAKE(envelope_tighten);
	TAKE(fence_get), TAKE(fence_set), TAKE(fence_add), TAKE(seal);
	TAKE(keep), TAKE(beat), TAKE(lease), TAKE(revoke), TAKE(arm), TAKE(reset);
	TAKE(quota), TAKE(past);
#undef TAKE
	return &device;
}

static bool called(unsigned int call)
{
	for (unsigned int i = 0; i <= HF_HISTOGRAM_BOUNDS; i++)
		if (timed.time[call].count[i])
			return true;
	return false;
}

json_t *hf_timed_json(void)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < CALL_COUNT; i++)
		if (called(i))
			json_array_append_new(list, json_pack("{s:s, s:I, s:o}", "call", names[i],
							      "failed", (json_int_t)timed.failed[i],
							      "time", hf_histogram_json(&timed.time[i])));
	return list;
}
