/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A stop as it comes from the bus. Whatever it says it is a stop: there is no
 * message that is refused, and none that does more.
 */
#ifndef HF_FLEET_STOP_H
#define HF_FLEET_STOP_H

#include <stdbool.h>
#include <stddef.h>

#include "corr.h"

#define FLEET_STOP_BYTES	4096	/* of a longer one nothing is read */

/**
 * struct fleet_stop - { latch, id }, both optional
 * @latch:	silent until somebody entitled resets it
 * @corr:	id of whoever asked, for the acknowledgement and the log; none: there was none
 */
struct fleet_stop {
	bool latch;
	struct hf_corr corr;
};

/* From any @len bytes; safe in any thread. */
struct fleet_stop fleet_stop_read(const char *data, size_t len);

#endif /* HF_FLEET_STOP_H */
