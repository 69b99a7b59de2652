/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A driver whose calls are timed, for metrics and the log: what takes long here
 * is a beat that comes late. It decides nothing and changes no result.
 */
#ifndef HF_KEEPER_TIMED_H
#define HF_KEEPER_TIMED_H

#include <jansson.h>

#include "clock.h"
#include "device.h"

/*
 * Return: @real with its calls timed by @clock (both borrowed). One per process, and only the loop's
 * thread may call what is timed: open, close and self_test, which a helper thread calls, are not.
 */
const struct hf_device *hf_timed_device(const struct hf_device *real, const struct hf_clock *clock);
/* [ { call, failed, time: histogram } ] of the calls that were made; new reference. */
json_t *hf_timed_json(void);

#endif /* HF_KEEPER_TIMED_H */
